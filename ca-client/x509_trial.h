// SPDX-License-Identifier: Apache-2.0
// A request without a camera, to try a CA with: the key is made here and forgotten at once, so that
// nobody can use the certificate.
#ifndef BIRTHCERT_CA_X509_TRIAL_H
#define BIRTHCERT_CA_X509_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/profile.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// Appends a CSR (DER) for a new key of the profile's type, and tells the hash of its
// SubjectPublicKeyInfo. It has the profile's subject and, in extensionRequest (RFC 2985, section
// 5.4.2), the profile's subjectAltName: what a camera may have to bring too, where the CA takes names
// from the CSR. E_CONFIG where a name does not fill, E_INTERNAL.
MUST_CHECK bool x509_make_trial(const struct profile *profile,
                                const struct profile_subject *subject, struct buf *csr,
                                uint8_t spki_sha256[SHA256_SIZE], struct error *error);

#endif
