// SPDX-License-Identifier: Apache-2.0
// That another implementation takes the tokens, tests/e2e_stepca.sh shows.
#include "ca-client/json_token.h"

#include <check.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/base64_url.h"

// RFC 7515, appendix A.3.
#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define PUBLIC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define THUMBPRINT "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

static struct error error;

static struct slice as_slice(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static struct token_key *load(const char *jwk) {
    struct token_key *key = NULL;
    ck_assert_msg(token_key_new(as_slice(jwk), &key, &error), "%s", error.text);
    return key;
}

START_TEST(test_key_id) {
    struct token_key *key = load("{" PUBLIC ",\"d\":\"" D "\"}\n");
    ck_assert_str_eq(token_key_id(key), THUMBPRINT); // as node's crypto computes it
    token_key_free(key);
    key = load("{\"use\":\"sig\",\"kid\":\"station-1\"," PUBLIC ",\"d\":\"" D
               "\",\"alg\":\"ES256\"}");
    ck_assert_str_eq(token_key_id(key), "station-1");
    token_key_free(key);
}
END_TEST

static const struct {
    const char *jwk;
    const char *says;
} bad_keys[] = {
    {"", "not a JSON Web Key"},
    {"-----BEGIN EC PRIVATE KEY-----", "not a JSON Web Key"},
    {"[]", "not a JSON Web Key"},
    {"{}", "kty EC"},
    {"{\"protected\":\"e30\",\"ciphertext\":\"x\"}", "encrypted"},
    {"{\"kty\":\"RSA\",\"n\":\"x\"}", "kty EC"},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\"}", "crv P-256"},
    {"{" PUBLIC "}", "public key"},
    {"{" PUBLIC ",\"d\":\"AAAA\"}", "32 bytes"},
    {"{" PUBLIC ",\"d\":7}", "32 bytes"},
    {"{" PUBLIC ",\"d\":\"" X "\"}", "no key pair"},
    {"{" PUBLIC ",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "no key pair"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\",\"d\":\"" D "\"}",
     "no key pair"},
    {"{\"kid\":\"a\\nb\"," PUBLIC ",\"d\":\"" D "\"}", "kid"},
};

START_TEST(test_bad_key) {
    struct token_key *key = NULL;
    ck_assert(!token_key_new(as_slice(bad_keys[_i].jwk), &key, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    ck_assert_msg(strstr(error.text, bad_keys[_i].says) != NULL, "%s: %s", bad_keys[_i].jwk,
                  error.text);
    ck_assert_ptr_null(strstr(error.text, D));
    token_key_free(NULL);
}
END_TEST

// ---- tokens -------------------------------------------------------------------------------------

static json_t *read_part(const char *text, size_t length) {
    char part[2048];
    uint8_t bytes[2048];
    ck_assert_uint_lt(length, sizeof part);
    memcpy(part, text, length);
    part[length] = '\0';
    ck_assert(base64_url_read(part, bytes, length * 6 / 8));
    json_t *root = json_loadb((const char *)bytes, length * 6 / 8, 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}

// By a public key that was read from other bytes, and a signature put together from r and s.
static bool verifies(const char *text, size_t length, const uint8_t raw[64]) {
    uint8_t point[65] = {4};
    ck_assert(base64_url_read(X, point + 1, 32) && base64_url_read(Y, point + 33, 32));
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    uint8_t spki[sizeof head + sizeof point];
    memcpy(spki, head, sizeof head);
    memcpy(spki + sizeof head, point, sizeof point);
    const uint8_t *at = spki;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, sizeof spki);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    ck_assert_int_eq(
        ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)), 1);
    unsigned char *der = NULL;
    int der_length = i2d_ECDSA_SIG(signature, &der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
    bool good = EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)text,
                                 length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(signature);
    EVP_PKEY_free(key);
    return good;
}

static void assert_token(const char *token) {
    uint8_t raw[64];
    const char *first = strchr(token, '.');
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    ck_assert_ptr_nonnull(second);
    json_t *header = read_part(token, (size_t)(first - token));
    json_t *claims = read_part(first + 1, (size_t)(second - first - 1));
    ck_assert_str_eq(json_string_value(json_object_get(header, "alg")), "ES256");
    ck_assert_str_eq(json_string_value(json_object_get(header, "kid")), THUMBPRINT);
    ck_assert_str_eq(json_string_value(json_object_get(claims, "sub")), "VX-1 \"ä\"");
    ck_assert(base64_url_read(second + 1, raw, sizeof raw));
    ck_assert(verifies(token, (size_t)(second - token), raw));
    raw[63] ^= 1;
    ck_assert(!verifies(token, (size_t)(second - token), raw));
    json_decref(header);
    json_decref(claims);
}

// Often enough that r and s begin with zeros, which their 32 bytes keep.
START_TEST(test_sign) {
    struct token_key *key = load("{" PUBLIC ",\"d\":\"" D "\"}");
    for (int i = 0; i < 600; i++) {
        struct buf *token =
            token_sign(key, json_pack("{s:s, s:i}", "sub", "VX-1 \"ä\"", "n", i), &error);
        ck_assert_ptr_nonnull(token);
        assert_token(buf_text(token));
        buf_free_secret(token);
    }
    token_key_free(key);
}
END_TEST

START_TEST(test_sign_refuses) {
    struct token_key *key = load("{" PUBLIC ",\"d\":\"" D "\"}");
    ck_assert_ptr_null(token_sign(key, NULL, &error));
    char *text = malloc(TOKEN_MAX);
    memset(text, 'x', TOKEN_MAX - 1);
    text[TOKEN_MAX - 1] = '\0';
    ck_assert_ptr_null(token_sign(key, json_pack("{s:s}", "sub", text), &error));
    free(text);
    token_key_free(key);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("json_token");
    TCase *tests = tcase_create("json_token");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_key_id);
    tcase_add_loop_test(tests, test_bad_key, 0, sizeof bad_keys / sizeof bad_keys[0]);
    tcase_add_test(tests, test_sign);
    tcase_add_test(tests, test_sign_refuses);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
