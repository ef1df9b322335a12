// SPDX-License-Identifier: Apache-2.0
#include "ca-client/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/key_openssl.h"
#include "ca-client/key_provider.h"
#include "ca-client/key_public.h"
#include "ca-client/key_token.h"
#include "ca-client/key_uri.h"
#include "station/base/secret.h"

#define KEY_FILE_MAX (64 * 1024)

struct key {
    EVP_PKEY *from_file; // or in a token, by the provider:
    struct key_token *token;
    struct key_provider *provider;
    struct error failure; // of the last signature
    char text[KEY_TEXT_SIZE];
};

// ---- in a file ----------------------------------------------------------------------------------

// OpenSSL would ask for the password of an encrypted key on the terminal.
static int refuse_password(char *password, int size, int writing, void *context) {
    (void)password, (void)size, (void)writing, (void)context;
    return -1;
}

bool key_from_pem(struct slice pem, const char *what, struct key **out, struct error *error) {
    struct key *key = calloc(1, sizeof *key);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    *out = NULL;
    if (key == NULL || bio == NULL) {
        BIO_free(bio);
        free(key);
        return error_set(error, E_MEMORY, "no memory for a key");
    }
    key->from_file = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    if (key->from_file == NULL) {
        ERR_clear_error();
        key_free(key);
        return error_set(
            error, E_CA_CONFIG,
            "%s holds no private key: it is not PEM, or needs a password (take it off)", what);
    }
    snprintf(key->text, sizeof key->text, "%s", what);
    *out = key;
    return true;
}

static bool load_file(const char *file, struct key **key, struct error *error) {
    struct buf *pem = NULL;
    *key = NULL;
    bool good = secret_read(file, KEY_FILE_MAX, &pem, error) &&
                key_from_pem(buf_slice(pem), file, key, error);
    buf_free_secret(pem);
    return good;
}

// ---- in a token ---------------------------------------------------------------------------------

static bool sign_in_token(void *context, const struct key_to_sign *what,
                          uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    struct key *key = context;
    // A module may use this process's OpenSSL, and leave errors that TLS would take for its own.
    ERR_set_mark();
    bool good = key_token_sign(key->token, what, signature, length, &key->failure);
    ERR_pop_to_mark();
    return good;
}

static bool fill_from_token(struct key *key, const char *uri, struct error *error) {
    if (!key_token_open(uri, &key->token, error)) {
        return false;
    }
    const char *token = key_token_label(key->token);
    EVP_PKEY *public_key = key_public_new(key_token_public(key->token));
    if (public_key == NULL) {
        return error_set(
            error, E_KEY_OBJECT,
            "token %s: the key %s is none of P-256, P-384, P-521 and RSA from 2048 bits", token,
            key_token_object(key->token));
    }
    snprintf(key->text, sizeof key->text, "key %s in token %s", key_token_object(key->token),
             token);
    key->provider = key_provider_new(public_key, sign_in_token, key);
    EVP_PKEY_free(public_key);
    return key->provider != NULL || error_set(error, E_MEMORY, "no memory for a key");
}

static bool load_from_token(const char *uri, struct key **out, struct error *error) {
    struct key *key = calloc(1, sizeof *key);
    *out = NULL;
    if (key == NULL) {
        return error_set(error, E_MEMORY, "no memory for a key");
    }
    bool good = fill_from_token(key, uri, error);
    ERR_clear_error();
    if (!good) {
        key_free(key);
        return false;
    }
    *out = key;
    return true;
}

// ---- either -------------------------------------------------------------------------------------

bool key_load(const char *name, struct key **key, struct error *error) {
    return key_is_uri(name) ? load_from_token(name, key, error) : load_file(name, key, error);
}

void key_free(struct key *key) {
    if (key != NULL) {
        EVP_PKEY_free(key->from_file);
        key_provider_free(key->provider);
        key_token_close(key->token);
        free(key);
    }
}

EVP_PKEY *key_evp(const struct key *key) {
    return key->provider != NULL ? key_provider_evp(key->provider) : key->from_file;
}

const char *key_text(const struct key *key) {
    return key->text;
}

bool key_take_error(struct key *key, struct error *error) {
    if (key == NULL || key->failure.code == ERROR_NONE) {
        return false;
    }
    *error = key->failure;
    key->failure.code = ERROR_NONE;
    return true;
}

bool key_use_in_tls(const struct key *key, const char *certificate_file, void *ssl_context) {
    SSL_CTX *context = ssl_context;
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    return SSL_CTX_use_certificate_chain_file(context, certificate_file) == 1 &&
           SSL_CTX_use_PrivateKey(context, key_evp(key)) == 1;
}

bool key_check_file(const char *name, char *file, size_t capacity, struct error *error) {
    const char *secret = name;
    P11KitUri *uri = NULL;
    if (key_is_uri(name)) {
        uri = key_uri_parse(name, error);
        if (uri == NULL) {
            return false;
        }
        secret = key_uri_pin_file(uri);
    }
    bool fits = text_copy(file, capacity, secret != NULL ? secret : "");
    p11_kit_uri_free(uri);
    return fits ? file[0] == '\0' || secret_check(file, error)
                : error_set(error, E_CONFIG, "the file's name is too long");
}
