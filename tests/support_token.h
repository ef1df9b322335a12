// SPDX-License-Identifier: Apache-2.0
// A PKCS#11 token for tests: SoftHSM, with its files in a folder of the test's own. Whatever cannot
// be made ends the test program with a message.
#ifndef BIRTHCERT_TESTS_SUPPORT_TOKEN_H
#define BIRTHCERT_TESTS_SUPPORT_TOKEN_H

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

#define TOKEN_PIN "271828"

// Everything is in `folder`, which exists; the process's SOFTHSM2_CONF is set.
void token_start(const char *folder);
void token_add(const char *label); // one more token, with TOKEN_PIN

// Puts a key into a token, with a public object beside it. `id` is hex.
void token_put_key(const char *token, EVP_PKEY *key, const char *object, const char *id);

// "pkcs11:<what>?pin-source=<the file with TOKEN_PIN>&module-path=<SoftHSM>" into `out`.
void token_uri(const char *what, char out[512]);
// The same with another PIN file, NULL: none.
void token_uri_with_pin(const char *what, const char *pin_file, char out[512]);

// The module's own functions, for calls behind the back of who uses it through p11-kit. They may be
// replaced, for as long as the process lives.
CK_FUNCTION_LIST *token_functions(void);
// As when all tokens were taken out and put back: every session ends.
void token_close_sessions(void);
// Deletes the objects of one class (CKO_PUBLIC_KEY, ...).
void token_delete(const char *token, CK_OBJECT_CLASS class);

#endif
