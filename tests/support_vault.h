// SPDX-License-Identifier: Apache-2.0
// A server that answers as the test wants Vault to, and a station's half that asks it.
#ifndef BIRTHCERT_TESTS_SUPPORT_VAULT_H
#define BIRTHCERT_TESTS_SUPPORT_VAULT_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/support_ca_client.h"
#include "tests/support_http_server.h"

#define VAULT_ANSWER_SIZE 16384
#define VAULT_UNITS 12
#define VAULT_STORED_MAX 40

enum vault_answer {
    VAULT_LOOKUP,
    VAULT_RENEW,
    VAULT_ROLE,
    VAULT_ISSUER,
    VAULT_SIGN,
    VAULT_CAPABILITIES,
    VAULT_LIST,
    VAULT_CERT, // what no row of `stored` answers
    VAULT_REVOKE,
    VAULT_REVOKE_AGAIN, // the second and later ones
    VAULT_ANSWER_COUNT,
};

struct vault_bench {
    struct server server;
    struct client client;
    struct pki_ca factory; // issues
    char root_file[160];
    char token_file[160];
    struct ca_settings settings;
    char url[64];
    json_t *role; // what VAULT_ROLE tells; vault_set_role
    // What it answers; written before the request, read on the server's threads. "" drops the
    // connection.
    char answers[VAULT_ANSWER_COUNT][VAULT_ANSWER_SIZE];
    atomic_uint counts[VAULT_ANSWER_COUNT];
    // The certificates that it keeps: "1a-02.." and the answer.
    struct {
        char serial[64];
        char answer[VAULT_ANSWER_SIZE];
    } stored[VAULT_STORED_MAX];
    size_t stored_count;
    char *long_list;    // instead of VAULT_LIST; owned
    bool rejects_token; // 403 for all that does not come with the token of `good_token`
    char good_token[64];
};

extern struct vault_bench vault;

// A role that fits the profile https, and a certificate for unit 0.
void vault_start(bool resends);
// The same; `more` has ca_profile, authority, resends_lost and settle_ms.
void vault_start_with(const struct ca_settings *more);
void vault_stop(void);

void vault_answer(enum vault_answer which, const char *status, const char *body);
void vault_data(enum vault_answer which, json_t *data); // {"data": ..} with 200; takes it over
void vault_problem(enum vault_answer which, const char *status, const char *message); // NULL: none
// One member of the role; NULL takes it out.
void vault_set_role(const char *member, json_t *value);
void vault_set_token(json_int_t left_s, bool renews);
X509 *vault_make_certificate(const struct client_unit *unit, EVP_PKEY *key);
void vault_set_certificate(const struct client_unit *unit, EVP_PKEY *key);
// Keeps a certificate for the unit, and lists it as the only ones that are kept. Returns its row.
size_t vault_store(const struct client_unit *unit, bool is_revoked);
// The same; returns the certificate, which the caller frees.
X509 *vault_keep(const struct client_unit *unit, bool is_revoked);
void vault_list_stored(void);
void vault_write_token(const char *token); // into the station's file

// Submits unit 0, or reconciles it, and waits for the result.
struct client_unit *vault_submit(void);
struct client_unit *vault_look(void);
void vault_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what);
// Of the last request; the caller gives it back with json_decref.
json_t *vault_last_body(void);

#endif
