// SPDX-License-Identifier: Apache-2.0
// A server that answers as the test wants EJBCA to, and a station's half that asks it.
#ifndef BIRTHCERT_TESTS_SUPPORT_EJBCA_H
#define BIRTHCERT_TESTS_SUPPORT_EJBCA_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/support_ca_client.h"
#include "tests/support_http_server.h"
#include "tests/support_pki.h"

#define EJBCA_ANSWER_SIZE 65536
#define EJBCA_UNITS 6
#define EJBCA_ISSUER "CN=Factory/1,O=M\xc3\xbcller \\+ Co\\, Inc."

// One of its resources: what it answers, written before the request and read on the server's threads,
// how often it was asked, and what for. "" drops the connection.
struct ejbca_resource {
    char answer[EJBCA_ANSWER_SIZE];
    atomic_uint count;
    char request[SERVER_REQUEST_MAX]; // the last one
};

struct ejbca_bench {
    struct server server;
    struct client client;
    struct pki_ca root;
    struct pki_ca factory; // issues
    char root_file[160];
    struct ejbca_resource authorities;
    struct ejbca_resource chain;
    struct ejbca_resource profile;
    struct ejbca_resource entity_profile;
    struct ejbca_resource enroll;
    struct ejbca_resource probe;    // a search that the check makes
    struct ejbca_resource search;   // for a camera or a serial number
    struct ejbca_resource search_2; // of the pages behind the first
    struct ejbca_resource username; // a search by a camera's username alone
    struct ejbca_resource issued;   // for whatever the CA issued: OTHER@https
    struct ejbca_resource known;    // for OTHER@https
    struct ejbca_resource revoke;
};

extern struct ejbca_bench ejbca;

// All is well, unit 0 gets its certificate, and searches find another camera's only.
void ejbca_start(void);
void ejbca_stop(void);

void ejbca_set_answer(struct ejbca_resource *resource, long status, const char *body);
// EJBCA's envelope.
void ejbca_set_problem(struct ejbca_resource *resource, long status, const char *message);
// pkcs10enroll's answer with a certificate for that key.
void ejbca_set_certificate(const struct client_unit *unit, EVP_PKEY *key);
X509 *ejbca_make_certificate(const struct client_unit *unit, EVP_PKEY *key);
// One row of a search. The caller frees the certificate.
json_t *ejbca_row(X509 *certificate, const char *serial, int status);
// A page of these rows, which are taken over; `total` below 0: there are more pages.
void ejbca_set_page(struct ejbca_resource *resource, json_t *rows, int total);

// Unit 0, to its result.
struct client_unit *ejbca_submit(void);
struct client_unit *ejbca_reconcile_one(void);
struct client_unit *ejbca_revoke_one(enum ca_revocation_reason reason);
const struct ca_report *ejbca_check_one(void);
void ejbca_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what);
// Of the last request to a resource; the caller gives it back with json_decref.
json_t *ejbca_body(const struct ejbca_resource *resource);

#endif
