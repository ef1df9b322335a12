// SPDX-License-Identifier: Apache-2.0
// The station's own private keys: in a PEM file, or in a PKCS#11 token (a smart card, an HSM, a
// TPM), which signs and never gives the key away. docs/keys.md says how to put one there.
//
// A key is named by what stands in the configuration: a file, as secret_read takes it, or a
// pkcs11: URI (RFC 7512) that names token and object. The PIN is in a file that pin-source names.
// A token is asked on the caller's thread and may take a second; use one key on one thread.
#ifndef BIRTHCERT_CA_KEY_H
#define BIRTHCERT_CA_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "station/base/bytes.h"
#include "station/base/error.h"

#define KEY_NAME_MAX 1024
#define KEY_TEXT_SIZE 192

struct key;

// Reads the file, or finds the object in its token and logs in. A PIN is tried once: a token locks
// after a few wrong ones, so after E_KEY_PIN the caller must not load a key of that token again.
// E_SECRET_* for the file or the PIN's, E_CA_CONFIG for what is no key or no URI, E_KEY_TOKEN,
// E_KEY_OBJECT, E_KEY_PIN, E_MEMORY.
MUST_CHECK bool key_load(const char *name, struct key **key, struct error *error);
// A key in PEM without a password, for who has it already; `what` is its name in messages.
MUST_CHECK bool key_from_pem(struct slice pem, const char *what, struct key **key,
                             struct error *error);
// After everything that holds the key's EVP_PKEY (certificates in the making, SSL_CTX). Takes NULL.
void key_free(struct key *key);

// What it is, for a person: "the P-256 key \"mtls\" in token \"station\"", or the file's name.
const char *key_text(const struct key *key);

// True once after a signature failed in the token, with why: OpenSSL only says that it did. Takes
// NULL: false.
bool key_take_error(struct key *key, struct error *error);

// Makes the key, and the chain in the PEM file, the identity of an SSL_CTX (untyped, as curl hands
// it out). False where OpenSSL refuses: no such file, or the certificate is for another key.
bool key_use_in_tls(const struct key *key, const char *certificate_file, void *ssl_context);

// ---- names --------------------------------------------------------------------------------------

// Whether the name is a URI: it begins with "pkcs11:".
bool key_is_uri(const char *name);

// Checks a URI and writes it to `out` in one spelling, a pin-source with a relative file name made
// relative to `folder` ("" or ending in /); "credential:NAME" stays. The text of an error never
// holds a part of the URI. E_CONFIG where it is not good: syntax, an unknown attribute, a pin-value.
MUST_CHECK bool key_uri_resolve(const char *uri, const char *folder, char *out, size_t capacity,
                                struct error *error);

// secret_check of the file that is secret: the key, or the PIN's. `file` gets its name, "" where a
// URI has none. Touches no token.
MUST_CHECK bool key_check_file(const char *name, char *file, size_t capacity, struct error *error);

#endif
