// SPDX-License-Identifier: Apache-2.0
#include "ca-client/json_token.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/base64_url.h"
#include "ca-client/json_load.h"
#include "ca-client/x509.h"

#define COORDINATE_SIZE 32
#define POINT_SIZE (1 + 2 * COORDINATE_SIZE)

struct token_key {
    EVP_PKEY *key;
    char id[TOKEN_KEY_ID_SIZE];
};

// ---- the key ------------------------------------------------------------------------------------

struct key_parts {
    uint8_t point[POINT_SIZE]; // uncompressed (SEC 1, section 2.3.3)
    uint8_t secret[COORDINATE_SIZE];
};

static bool has_text(const json_t *root, const char *member, const char *text) {
    const char *value = json_string_value(json_object_get(root, member));
    return value != NULL && strcmp(value, text) == 0;
}

static bool read_number(const json_t *root, const char *member, uint8_t out[COORDINATE_SIZE]) {
    const char *text = json_string_value(json_object_get(root, member));
    return text != NULL && base64_url_read(text, out, COORDINATE_SIZE);
}

static bool read_parts(const json_t *root, struct key_parts *parts, struct error *error) {
    if (!has_text(root, "kty", "EC") || !has_text(root, "crv", "P-256")) {
        return error_set(error, E_CA_CONFIG, "a JSON Web Key of kty EC and crv P-256 is needed%s",
                         json_object_get(root, "ciphertext") != NULL ? ": this one is encrypted"
                                                                     : "");
    }
    parts->point[0] = POINT_CONVERSION_UNCOMPRESSED;
    if (!read_number(root, "x", parts->point + 1) ||
        !read_number(root, "y", parts->point + 1 + COORDINATE_SIZE) ||
        !read_number(root, "d", parts->secret)) {
        return error_set(error, E_CA_CONFIG,
                         "x, y or d is missing, or is not 32 bytes in base64url%s",
                         json_object_get(root, "d") == NULL ? ": this is a public key" : "");
    }
    return true;
}

// RFC 7638, section 3: the members that it needs, in the order of their names.
static bool write_thumbprint(const json_t *root, char id[TOKEN_KEY_ID_SIZE]) {
    char text[160];
    uint8_t hash[SHA256_SIZE];
    struct buf *out = buf_new(TOKEN_KEY_ID_SIZE - 1);
    int length =
        snprintf(text, sizeof text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                 json_string_value(json_object_get(root, "x")),
                 json_string_value(json_object_get(root, "y")));
    x509_sha256((struct slice){(const uint8_t *)text, (size_t)length}, hash);
    bool good = out != NULL && base64_url_put(out, (struct slice){hash, sizeof hash}) &&
                text_copy(id, TOKEN_KEY_ID_SIZE, buf_text(out));
    buf_free(out);
    return good;
}

static bool read_id(const json_t *root, char id[TOKEN_KEY_ID_SIZE], struct error *error) {
    const char *kid = json_string_value(json_object_get(root, "kid"));
    if (kid == NULL) {
        return write_thumbprint(root, id) ||
               error_set(error, E_MEMORY, "no memory for the id of a key");
    }
    return (text_is_label(kid) && text_copy(id, TOKEN_KEY_ID_SIZE, kid)) ||
           error_set(error, E_CA_CONFIG, "its kid is no line of 1 to 128 printable characters");
}

static OSSL_PARAM *list_parameters(const struct key_parts *parts, BIGNUM *secret) {
    OSSL_PARAM *parameters = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && secret != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, parts->point,
                                         sizeof parts->point) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1) {
        parameters = OSSL_PARAM_BLD_to_param(builder);
    }
    OSSL_PARAM_BLD_free(builder);
    return parameters;
}

// The public half must be that of the private one: else every token would be refused.
static EVP_PKEY *build_key(const struct key_parts *parts) {
    EVP_PKEY *key = NULL;
    BIGNUM *secret = BN_secure_new();
    secret = BN_bin2bn(parts->secret, sizeof parts->secret, secret);
    OSSL_PARAM *parameters = list_parameters(parts, secret);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool good = parameters != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) == 1;
    EVP_PKEY_CTX_free(context);
    context = good ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (context == NULL || EVP_PKEY_check(context) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    BN_clear_free(secret);
    ERR_clear_error();
    return key;
}

static bool build(const json_t *root, struct token_key **out, struct error *error) {
    struct key_parts parts;
    struct token_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        return error_set(error, E_MEMORY, "no memory for a key");
    }
    bool good = read_parts(root, &parts, error) && read_id(root, key->id, error);
    if (good && (key->key = build_key(&parts)) == NULL) {
        good = error_set(error, E_CA_CONFIG, "x, y and d are no key pair on P-256");
    }
    explicit_bzero(&parts, sizeof parts);
    if (!good) {
        token_key_free(key);
        return false;
    }
    *out = key;
    return true;
}

// jansson does not wipe what it frees.
static void forget(json_t *root) {
    const json_t *secret = json_object_get(root, "d");
    if (json_is_string(secret)) {
        explicit_bzero((char *)(uintptr_t)json_string_value(secret), json_string_length(secret));
    }
    json_decref(root);
}

bool token_key_new(struct slice jwk, struct token_key **key, struct error *error) {
    json_t *root = json_load_object(jwk, "", error);
    if (root == NULL) {
        return error_set(error, E_CA_CONFIG, "not a JSON Web Key");
    }
    bool good = build(root, key, error);
    forget(root);
    return good;
}

void token_key_free(struct token_key *key) {
    if (key != NULL) {
        EVP_PKEY_free(key->key);
        free(key);
    }
}

const char *token_key_id(const struct token_key *key) {
    return key->id;
}

// ---- the token ----------------------------------------------------------------------------------

// OpenSSL writes a DER sequence of two integers, ES256 is their 64 bytes.
static bool to_raw(const uint8_t *der, size_t length, uint8_t raw[2 * COORDINATE_SIZE]) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);
    bool good =
        signature != NULL &&
        BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, COORDINATE_SIZE) == COORDINATE_SIZE &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + COORDINATE_SIZE, COORDINATE_SIZE) ==
            COORDINATE_SIZE;
    ECDSA_SIG_free(signature);
    return good;
}

static bool sign(const struct token_key *key, struct slice text, uint8_t raw[2 * COORDINATE_SIZE]) {
    uint8_t der[80];
    size_t length = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
                EVP_DigestSign(context, der, &length, text.data, text.length) == 1 &&
                to_raw(der, length, raw);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

// Takes `part` over.
static bool put_part(struct buf *token, json_t *part, struct error *error) {
    struct buf *text = json_write(part, TOKEN_MAX, error);
    bool good = text != NULL && base64_url_put(token, buf_slice(text));
    buf_free(text);
    return good;
}

static bool write_token(const struct token_key *key, json_t *header, json_t *claims,
                        struct buf *token, struct error *error) {
    uint8_t raw[2 * COORDINATE_SIZE];
    bool good = put_part(token, header, error) && buf_put_text(token, ".");
    return put_part(token, claims, error) && good && sign(key, buf_slice(token), raw) &&
           buf_put_text(token, ".") && base64_url_put(token, (struct slice){raw, sizeof raw});
}

struct buf *token_sign(const struct token_key *key, json_t *claims, struct error *error) {
    struct buf *token = buf_new(TOKEN_MAX);
    json_t *header = json_pack("{s:s, s:s, s:s}", "alg", "ES256", "kid", key->id, "typ", "JWT");
    if (token == NULL || !write_token(key, header, claims, token, error)) {
        if (token == NULL) {
            json_decref(header);
            json_decref(claims);
        }
        buf_free_secret(token);
        error_set(error, E_MEMORY, "no memory for a token");
        return NULL;
    }
    return token;
}
