// SPDX-License-Identifier: Apache-2.0
// A CSR for who reads more in it with OpenSSL than x509.h tells.
#ifndef BIRTHCERT_CA_X509_OPENSSL_H
#define BIRTHCERT_CA_X509_OPENSSL_H

#include <openssl/x509.h>

#include "station/base/bytes.h"
#include "station/base/error.h"

// Decodes the one PKCS #10 request (RFC 2986) that `der` is, at most X509_OBJECT_MAX bytes; its
// signature is not looked at. NULL and E_CSR_MALFORMED where it is none. The caller frees it.
X509_REQ *x509_decode_csr(struct slice der, struct error *error);

#endif
