// SPDX-License-Identifier: Apache-2.0
#ifndef BIRTHCERT_CA_KEY_PUBLIC_H
#define BIRTHCERT_CA_KEY_PUBLIC_H

#include <openssl/evp.h>

#include "ca-client/key_token.h"

// The public half that a token told. NULL where it is malformed, or none of P-256, P-384, P-521
// and RSA from 2048 to 4096 bits. The caller frees it.
EVP_PKEY *key_public_new(const struct key_token_public *half);

#endif
