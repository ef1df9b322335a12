// SPDX-License-Identifier: Apache-2.0
// A server that answers as the test wants cfssl to, and a station's half that asks it.
#ifndef BIRTHCERT_TESTS_SUPPORT_CFSSL_H
#define BIRTHCERT_TESTS_SUPPORT_CFSSL_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/support_ca_client.h"
#include "tests/support_http_server.h"

#define CFSSL_ANSWER_SIZE 16384
#define CFSSL_UNITS 12
#define CFSSL_KEY_HEX "00112233445566778899aabbccddeeff"

struct cfssl_bench {
    struct server server;
    struct client client;
    struct pki_ca factory; // issues
    char root_file[160];
    char key_file[160];
    // What it answers; written before the request, read on the server's threads. "" drops the
    // connection.
    char info[CFSSL_ANSWER_SIZE];
    char sign[CFSSL_ANSWER_SIZE];
    char revoke[2][CFSSL_ANSWER_SIZE];
    atomic_uint sign_count;
    atomic_uint revoke_count;
};

extern struct cfssl_bench cfssl;

// A good profile, and a certificate for unit 0. Without a key it is asked by `sign`.
void cfssl_start(bool has_key, bool resends);
void cfssl_stop(void);

void cfssl_set_answer(char out[CFSSL_ANSWER_SIZE], const char *status, const char *body);
void cfssl_set_problem(char out[CFSSL_ANSWER_SIZE], const char *status, int code,
                       const char *message);
void cfssl_set_info(const char *usages, const char *expiry);
void cfssl_set_certificate(const struct client_unit *unit, EVP_PKEY *key);
X509 *cfssl_make_certificate(const struct client_unit *unit, EVP_PKEY *key);

// Submits unit 0, and waits for its result.
struct client_unit *cfssl_submit(void);
void cfssl_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what);
// Of the last request; the caller gives it back with json_decref.
json_t *cfssl_last_body(void);

#endif
