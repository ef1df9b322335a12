// SPDX-License-Identifier: Apache-2.0
// A server that answers as the test wants step-ca to, and a station's half that asks it.
#ifndef BIRTHCERT_TESTS_SUPPORT_STEPCA_H
#define BIRTHCERT_TESTS_SUPPORT_STEPCA_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/support_ca_client.h"
#include "tests/support_http_server.h"
#include "tests/support_pki.h"

#define STEPCA_ANSWER_SIZE 16384
#define STEPCA_UNITS 6
#define STEPCA_KEY_ID "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
#define STEPCA_TEMPLATE ",\"options\":{\"x509\":{\"template\":\"{}\"}}"
#define STEPCA_NO "The request lacked necessary authorization to be completed."

struct stepca_bench {
    struct server server;
    struct client client;
    struct pki_ca factory; // issues
    char root_file[160];
    char key_file[160];
    // What it answers; written before the request, read on the server's threads. "" drops the
    // connection. A request that would have ended long ago is a probe.
    char sign[STEPCA_ANSWER_SIZE];
    char probe[STEPCA_ANSWER_SIZE];
    char provisioners[STEPCA_ANSWER_SIZE];
    char roots[STEPCA_ANSWER_SIZE];
    char intermediates[STEPCA_ANSWER_SIZE]; // at first as in Debian 12: there is no such page
    char revoke[STEPCA_ANSWER_SIZE];
    atomic_uint sign_count; // without the probes
    atomic_uint probe_count;
};

extern struct stepca_bench stepca;

// A good provisioner, and a certificate for unit 0.
void stepca_start(bool resends);
void stepca_stop(void);

void stepca_set_answer(char out[STEPCA_ANSWER_SIZE], const char *status, const char *body);
void stepca_set_problem(char out[STEPCA_ANSWER_SIZE], long status, const char *message);
void stepca_set_json(char out[STEPCA_ANSWER_SIZE], const char *status, json_t *root);
// `more` stands in the provisioner's object.
void stepca_set_provisioner(const char *name, const char *kid, const char *more);
// `out` is roots or intermediates.
void stepca_set_list(char out[STEPCA_ANSWER_SIZE], const struct pki_ca *ca);
void stepca_set_certificate(const struct client_unit *unit, EVP_PKEY *key);
X509 *stepca_make_certificate(const struct client_unit *unit, EVP_PKEY *key);

// Unit 0, to its result.
struct client_unit *stepca_submit(void);
struct client_unit *stepca_reconcile_one(void);
void stepca_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                   const char *what);

// Of the last request, and of the token in it; the caller gives them back with json_decref.
json_t *stepca_last_body(void);
json_t *stepca_claims_of(const json_t *root);
// "" where there is no such text.
const char *stepca_text_of(const json_t *object, const char *member);

#endif
