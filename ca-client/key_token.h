// SPDX-License-Identifier: Apache-2.0
// A private key in a PKCS#11 token, through p11-kit: it loads a module once for all of its users in
// the process, so that one key may be closed while another goes on. PKCS#11 v2.40.
#ifndef BIRTHCERT_CA_KEY_TOKEN_H
#define BIRTHCERT_CA_KEY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/key_provider.h"
#include "station/base/error.h"

struct key_token;

#define KEY_PART_MAX 1024

// The public half as the token gives it.
struct key_token_public {
    bool is_rsa;
    uint8_t first[KEY_PART_MAX];  // RSA: modulus; EC: parameters, DER
    uint8_t second[KEY_PART_MAX]; // RSA: exponent; EC: point, an OCTET STRING in DER
    size_t first_length;
    size_t second_length;
};

// Finds the one token and the one private key that fit the URI; logs in, trying the PIN once.
// E_CONFIG (the URI), E_SECRET_* (the PIN's file), E_KEY_TOKEN, E_KEY_OBJECT, E_KEY_PIN, E_MEMORY.
MUST_CHECK bool key_token_open(const char *uri, struct key_token **token, struct error *error);
void key_token_close(struct key_token *token); // takes NULL

const struct key_token_public *key_token_public(const struct key_token *token);

// The token's label and the object's, "" where it has none; printable, bounded by KEY_LABEL_SIZE.
#define KEY_LABEL_SIZE 65
const char *key_token_label(const struct key_token *token);
const char *key_token_object(const struct key_token *token);

// Finds the token again where it was taken out meanwhile. E_KEY_TOKEN, E_KEY_OBJECT, E_KEY_PIN.
MUST_CHECK bool key_token_sign(struct key_token *token, const struct key_to_sign *what,
                               uint8_t signature[KEY_SIGNATURE_MAX], size_t *length,
                               struct error *error);

#endif
