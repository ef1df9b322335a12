// SPDX-License-Identifier: Apache-2.0
// What the ca_stepca_*.c files share. Nobody else includes this, but for their tests and fuzzer.
#ifndef BIRTHCERT_CA_STEPCA_INTERNAL_H
#define BIRTHCERT_CA_STEPCA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/json_token.h"
#include "ca-client/web.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define STEPCA_PROBLEM_SIZE 240
#define STEPCA_CERTIFICATES_MAX (64 * 1024)
#define STEPCA_NAME_MAX 128
#define STEPCA_CURSOR_SIZE 65
#define STEPCA_TOKEN_ID_SIZE (2 * SHA256_SIZE + 1)

struct ca {
    struct web web;
    char provisioner[STEPCA_NAME_MAX + 1];
    char audience[SITE_URL_SIZE + 16]; // https:// and the base URL: step-ca knows no other
    struct token_key *key;
};

// What the list of provisioners says, page by page.
struct stepca_provisioner {
    bool is_found; // by its name, a JWK
    bool has_key;  // one of those has our key's id; what follows is of that
    bool has_template;
    int64_t maximum_s;               // maxTLSCertDuration; -1: not told
    char cursor[STEPCA_CURSOR_SIZE]; // of the next page; "": this is the last
};

struct stepca_call {
    struct call base;
    bool is_reconcile;
    // Of a check.
    unsigned pages;
    struct stepca_provisioner provisioner;
    struct ca_report report;
};

// ---- what is sent, ca_stepca_write.c ------------------------------------------------------------

// The id of a request's one token. It follows from what the station has recorded before it sends:
// whoever sends the same request again, after whatever crash, shows the same token to step-ca, which
// takes it once.
void stepca_token_id(const char *ca_name, const struct ca_request *request,
                     char id[STEPCA_TOKEN_ID_SIZE]);

// All: NULL and an error where there is no memory, or what is said. Secret: the caller frees it with
// buf_free_secret.

// E_CONFIG, E_CAM_MALFORMED where the names do not fill.
struct buf *stepca_write_sign(const struct ca *ca, const struct ca_request *request,
                              struct error *error);
// One that is authorised as that for a camera of this profile is, by a token of its own, and cannot
// be issued: it would have ended long ago.
struct buf *stepca_write_probe(const struct ca *ca, const struct profile *profile,
                               struct error *error);
// E_CERT_MALFORMED.
struct buf *stepca_write_revoke(const struct ca *ca, struct slice certificate,
                                enum ca_revocation_reason reason, struct error *error);

// ---- what comes back, ca_stepca_read.c ----------------------------------------------------------

// What an answer says that is not the one hoped for.
struct stepca_problem {
    bool is_stepca; // it has step-ca's form, so no proxy wrote it
    char text[STEPCA_PROBLEM_SIZE];
};

void stepca_read_problem(struct slice body, struct stepca_problem *problem);
bool stepca_read_revoked(struct slice body);
// The certificates of an answer to `sign`, DER, the leaf first. E_CA_NONSENSE.
MUST_CHECK bool stepca_read_certificates(struct slice body, struct buf *der, struct error *error);
// Those of an answer to `what`, roots or intermediates, at least one. E_CA_NONSENSE.
MUST_CHECK bool stepca_read_list(struct slice body, const char *what, struct buf *der,
                                 struct error *error);

// Adds to what earlier pages said. E_CA_NONSENSE.
MUST_CHECK bool stepca_read_provisioners(struct slice body, const char *name, const char *key_id,
                                         struct stepca_provisioner *found, struct error *error);

// ---- judging, ca_stepca_judge.c -----------------------------------------------------------------

// E_CA_LOGIN where there is no such provisioner or it has another key; E_CA_POLICY where it will not
// issue what the profile asks for.
MUST_CHECK bool stepca_provisioner_fits(const struct ca *ca, const struct profile *profile,
                                        const struct stepca_provisioner *found,
                                        struct error *error);
// What an answer to `sign` means, but for 401. `der` gets the certificates.
void stepca_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                       struct buf *der, struct ca_result *result);
// E_CA_LOGIN where the probe was not let in, E_CA_POLICY where nothing of the profile would be issued.
MUST_CHECK bool stepca_judge_probe(const struct http_response *response, struct error *error);

// ---- the check, ca_stepca_check.c ---------------------------------------------------------------

void stepca_check(struct call *call);

#endif
