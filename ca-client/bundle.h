// SPDX-License-Identifier: Apache-2.0
// What is carried between a bench without a network and a CA: a signed envelope around a text (CMS
// SignedData, RFC 5652, PEM), which `openssl cms -verify -inform PEM` opens as well.
#ifndef BIRTHCERT_CA_BUNDLE_H
#define BIRTHCERT_CA_BUNDLE_H

#include <stdbool.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define BUNDLE_MAX (64 * 1024 * 1024)

// Signs `content` with the first certificate of a PEM file and the key that belongs to it. The
// caller frees `*pem`. E_CA_CONFIG, E_SECRET_*, E_MEMORY; E_CA_EXPIRED where the certificate has ended:
// who checks the signature would refuse it.
MUST_CHECK bool bundle_sign(const char *certificate_file, const char *key_file,
                            struct slice content, struct buf **pem, struct error *error);

// True where the text is such an envelope, good or not.
bool bundle_is(struct slice text);

// Opens one whose signer's certificate leads to a root in the PEM file. The caller frees
// `*content`. E_BUNDLE: it is damaged, or somebody else signed it; E_CA_CONFIG: the file of roots.
MUST_CHECK bool bundle_open(struct slice pem, const char *root_file, struct buf **content,
                            struct error *error);

#endif
