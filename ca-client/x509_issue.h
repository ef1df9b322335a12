// SPDX-License-Identifier: Apache-2.0
// Issues certificates: the cryptography of the embedded CA.
#ifndef BIRTHCERT_CA_X509_ISSUE_H
#define BIRTHCERT_CA_X509_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/key.h"
#include "ca-client/profile.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// An issuing certificate with its private key.
struct x509_issuer;

// `certificates_pem`: the issuing certificate, then those above it, if any. The key must outlive the
// issuer. E_CA_CONFIG where it is no CA certificate or the key is not its key.
MUST_CHECK bool x509_issuer_new(struct slice certificates_pem, struct key *key,
                                struct x509_issuer **issuer, struct error *error);
void x509_issuer_free(struct x509_issuer *issuer); // takes NULL

// The certificates it was made from, DER one after the other, issuing one first. Lives as long as
// the issuer.
struct slice x509_issuer_chain(const struct x509_issuer *issuer);

// The subject of certificate number `index` in RFC 4514 text; false where there are not as many.
bool x509_issuer_subject(const struct x509_issuer *issuer, size_t index, char *out,
                         size_t capacity);
int64_t x509_issuer_not_after_ms(const struct x509_issuer *issuer);

struct x509_issue_request {
    const struct profile *profile;
    struct profile_subject subject;
    struct slice csr; // has passed x509_check_csr; only its key is used
    int64_t not_before_ms;
};

// Appends the leaf's DER to `leaf`. It ends when the profile says, or with the issuer before.
// E_CONFIG where a name does not fill, E_CA_CONFIG where the issuer has expired, E_KEY_* where its
// key's token does not sign, E_INTERNAL.
MUST_CHECK bool x509_issue(const struct x509_issuer *issuer,
                           const struct x509_issue_request *request, struct buf *leaf,
                           struct error *error);

// A new P-256 root without end (pathLenConstraint 0: it signs no other CAs), both as PEM.
// `key_pem` is a secret.
MUST_CHECK bool x509_create_root(const char *common_name, int64_t not_before_ms,
                                 struct buf *certificate_pem, struct buf *key_pem,
                                 struct error *error);

#endif
