// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens signed with ES256 (RFC 7519; RFC 7518, section 3.4), and the key to sign them
// with: a JSON Web Key (RFC 7517) on P-256.
#ifndef BIRTHCERT_CA_JSON_TOKEN_H
#define BIRTHCERT_CA_JSON_TOKEN_H

#include <jansson.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define TOKEN_MAX (16 * 1024)
#define TOKEN_KEY_MAX 4096
#define TOKEN_KEY_ID_SIZE 129

struct token_key;

// Reads a private key, not encrypted: {"kty":"EC","crv":"P-256","x":...,"y":...,"d":...}, with a
// "kid" or without: then its thumbprint is one (RFC 7638), as step makes it. E_CA_CONFIG.
MUST_CHECK bool token_key_new(struct slice jwk, struct token_key **key, struct error *error);
void token_key_free(struct token_key *key); // takes NULL
const char *token_key_id(const struct token_key *key);

// The claims signed, in compact form. `claims` is taken over, also after a failure; NULL stands for
// one that could not be made. The caller frees it with buf_free_secret. NULL and E_MEMORY.
struct buf *token_sign(const struct token_key *key, json_t *claims, struct error *error);

#endif
