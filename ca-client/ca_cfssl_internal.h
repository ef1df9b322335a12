// SPDX-License-Identifier: Apache-2.0
// What the ca_cfssl_*.c files share. Nobody else includes this, but for their fuzzer.
#ifndef BIRTHCERT_CA_CFSSL_INTERNAL_H
#define BIRTHCERT_CA_CFSSL_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/web.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define CFSSL_PROBLEM_SIZE 200
#define CFSSL_USAGE_SIZE 40
#define CFSSL_EXPIRY_SIZE 40
#define CFSSL_CERTIFICATES_MAX (64 * 1024)
#define CFSSL_NAME_MAX 128 // of a profile, a label
#define CFSSL_KEY_MAX 256

// What `info` says of a profile. The API tells no more: not the names that a profile allows, nor a
// fixed end (`not_after`).
struct cfssl_policy {
    bool digital_signature;
    bool server_auth;
    bool client_auth;
    char surplus[CFSSL_USAGE_SIZE]; // the first usage that no camera's certificate may have, or ""
    int64_t expiry_s;
    char expiry[CFSSL_EXPIRY_SIZE]; // as the CA writes it, escaped
    int64_t issuer_not_after_ms;
};

// What an answer that is not the one hoped for says.
struct cfssl_problem {
    bool is_cfssl; // it has cfssl's envelope, so no proxy wrote it
    int64_t code;  // cfssl's own, of four or five digits; or the HTTP status
    char text[CFSSL_PROBLEM_SIZE];
};

struct ca {
    struct web web;
    char profile[CFSSL_NAME_MAX + 1];
    char label[CFSSL_NAME_MAX + 1];
    struct buf *key;    // of `authsign`, secret; NULL: `sign`
    struct buf *issuer; // the issuing CA, DER; NULL: the policy is not known
    struct cfssl_policy policy;
    int64_t policy_ms; // monotonic: when it was read
};

struct cfssl_call {
    struct call base;
    call_step *next; // when the policy is known
    bool is_check;
    struct ca_report report; // of a check
};

// ---- what is sent, ca_cfssl_write.c -------------------------------------------------------------

// All: NULL and an error where there is no memory, or what is said. The caller frees it.

struct buf *cfssl_write_info(const struct ca *ca, struct error *error);
// E_CONFIG, E_CAM_MALFORMED, E_CA_POLICY where the names cannot be asked for.
struct buf *cfssl_write_sign(const struct ca *ca, const struct ca_request *request,
                             struct error *error);
// One that cfssl lets in and cannot sign: there is no CSR in it.
struct buf *cfssl_write_probe(const struct ca *ca, struct error *error);
// E_CERT_MALFORMED. Without the issuer's key id where `knows_issuer` is false.
struct buf *cfssl_write_revoke(struct slice certificate, enum ca_revocation_reason reason,
                               bool knows_issuer, struct error *error);

// ---- what comes back, ca_cfssl_read.c -----------------------------------------------------------

// The certificate of an answer to `sign`, DER. E_CA_NONSENSE.
MUST_CHECK bool cfssl_read_certificate(struct slice body, struct buf *der, struct error *error);
MUST_CHECK bool cfssl_read_info(struct slice body, struct cfssl_policy *policy, struct buf *issuer,
                                struct error *error);
void cfssl_read_problem(struct slice body, struct cfssl_problem *problem);

// ---- judging, ca_cfssl_judge.c ------------------------------------------------------------------

// E_CA_POLICY where certificates of this profile would be refused when they come. `now_ms` is wall
// clock.
MUST_CHECK bool cfssl_policy_fits(const struct cfssl_policy *policy, const struct profile *profile,
                                  int64_t now_ms, struct error *error);
// What an answer to `sign` means. `der` gets the certificate.
void cfssl_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                      struct buf *der, struct ca_result *result);
// E_CA_LOGIN and the like where the probe was not let in.
MUST_CHECK bool cfssl_judge_probe(const struct http_response *response, bool has_key,
                                  struct error *error);

#endif
