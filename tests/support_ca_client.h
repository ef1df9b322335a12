// SPDX-License-Identifier: Apache-2.0
// A station's half for tests of CA backends: cameras' keys and CSRs, calls, and a loop that
// runs until all results have come.
#ifndef BIRTHCERT_TESTS_SUPPORT_CA_CLIENT_H
#define BIRTHCERT_TESTS_SUPPORT_CA_CLIENT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/base/buf.h"
#include "station/io/loop.h"
#include "tests/support_pki.h"

#define CLIENT_UNITS_MAX 256

// One camera, and what the CA said about it last.
struct client_unit {
    char serial[32];
    EVP_PKEY *key;
    struct buf *csr;
    struct ca_request request;
    char handle[CA_HANDLE_SIZE];
    int results;
    enum ca_outcome outcome;
    struct error error;
    uint32_t retry_after_ms;
    int64_t issued_s;
    struct buf *leaf;
    struct buf *extra;
    struct buf *offer;
};

struct client {
    struct loop *loop;
    struct loop_timer *guard; // a test that hangs ends with a message
    const struct ca_ops *ops;
    struct ca *ca;
    struct profile profile;
    struct client_unit units[CLIENT_UNITS_MAX];
    size_t unit_count;
    int expected; // results and reports still to come
    bool has_report;
    struct ca_report report;
    bool in_call; // results must not come from inside a call
};

// Opens the backend that the settings name, which must succeed. `key_kind` as pki_key takes it.
void client_start(struct client *client, const struct ca_settings *settings, size_t units,
                  const char *key_kind);
void client_stop(struct client *client);
// Closes the CA and opens it again, as a station does that died.
void client_restart(struct client *client, const struct ca_settings *settings);

// A certificate of that CA as the profile https asks for it, for the unit's names and any key: from
// `age_ms` ago on, ending in so many days. The caller frees it.
X509 *client_make_certificate(const struct client_unit *unit, const struct pki_ca *ca,
                              EVP_PKEY *key, int64_t age_ms, int days);

void client_submit(struct client *client, struct client_unit *unit);
void client_fetch(struct client *client, struct client_unit *unit);
// Tells the CA that the certificate of the unit's offer is on record, as good or not.
void client_confirm(struct client *client, struct client_unit *unit, bool keeps);
void client_reconcile(struct client *client, struct client_unit *unit);
void client_revoke(struct client *client, struct client_unit *unit,
                   enum ca_revocation_reason reason);
void client_check(struct client *client);
// Runs the loop until every call has had its result.
void client_wait(struct client *client);

// Holds the unit's leaf and extra against its profile and the root in that file.
bool client_certificate_is_good(const struct client *client, const struct client_unit *unit,
                                const char *root_file, struct error *error);

#endif
