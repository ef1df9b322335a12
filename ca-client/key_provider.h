// SPDX-License-Identifier: Apache-2.0
// An EVP_PKEY whose signatures are made elsewhere: a small OpenSSL provider (provider(7)) inside
// the program. All but the signature itself it has from the public half in the default provider.
#ifndef BIRTHCERT_CA_KEY_PROVIDER_H
#define BIRTHCERT_CA_KEY_PROVIDER_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"

#define KEY_SIGNATURE_MAX 1024

enum key_scheme {
    KEY_SIGN_ECDSA,     // of a digest; the signature is r and s, of the same length (PKCS#11)
    KEY_SIGN_RSA_PKCS1, // of a DigestInfo (RFC 8017, section 9.2)
    KEY_SIGN_RSA_PSS,   // of a digest, MGF1 with the same hash
};

struct key_to_sign {
    enum key_scheme scheme;
    struct slice data;
    size_t salt_size; // PSS
};

// Writes at most KEY_SIGNATURE_MAX bytes.
typedef bool key_sign(void *context, const struct key_to_sign *what,
                      uint8_t signature[KEY_SIGNATURE_MAX], size_t *length);

struct key_provider;

// `public_key` is RSA or EC, and is kept (with a reference of its own). NULL without memory.
struct key_provider *key_provider_new(EVP_PKEY *public_key, key_sign *sign, void *context);
// After everything that holds its key. Takes NULL.
void key_provider_free(struct key_provider *provider);
EVP_PKEY *key_provider_evp(const struct key_provider *provider); // owned by the provider

#endif
