// SPDX-License-Identifier: Apache-2.0
// The key for who calls OpenSSL: the x509_*.c files, and what signs messages.
#ifndef BIRTHCERT_CA_KEY_OPENSSL_H
#define BIRTHCERT_CA_KEY_OPENSSL_H

#include <openssl/evp.h>

#include "ca-client/key.h"

// Owned by the key. One in a token signs with EVP_DigestSign, in one call (X509_sign, TLS and
// OSSL_CMP do) or in parts (CMS does), and compares with EVP_PKEY_eq; it cannot be encoded, its public half neither.
EVP_PKEY *key_evp(const struct key *key);

#endif
