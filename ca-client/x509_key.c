// SPDX-License-Identifier: Apache-2.0
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#include "ca-client/x509_internal.h"
#include "protocol/message.h"

#define BYTES(...)                                                                                 \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]) {                                  \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define OID_RSA_ENCRYPTION 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01
#define OID_EC_PUBLIC_KEY 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define OID_PRIME256V1 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
#define OID_SECP384R1 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22
#define OID_ED25519 0x06, 0x03, 0x2b, 0x65, 0x70
#define DER_NULL 0x05, 0x00

// ---- keys ---------------------------------------------------------------------------------------

static EVP_PKEY *build_key(const char *algorithm, OSSL_PARAM *parameters) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

// OpenSSL checks that the point is on the curve.
static EVP_PKEY *build_ec_key(const char *group, size_t point_size, struct slice bits) {
    if (bits.length != point_size || bits.data[0] != 0x04) {
        return NULL;
    }
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)bits.data,
                                          bits.length),
        OSSL_PARAM_construct_end(),
    };
    return build_key("EC", parameters);
}

static EVP_PKEY *build_p256_key(struct slice bits) {
    return build_ec_key("prime256v1", 65, bits);
}

static EVP_PKEY *build_p384_key(struct slice bits) {
    return build_ec_key("secp384r1", 97, bits);
}

static EVP_PKEY *build_ed25519_key(struct slice bits) {
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bits.data, bits.length);
}

// A positive, minimal INTEGER, without its leading zero.
static bool take_positive(struct slice *rest, struct slice *number) {
    struct der_element element;
    if (!der_expect(rest, DER_INTEGER, &element) || element.content.length == 0 ||
        (element.content.data[0] & 0x80) != 0) {
        return false;
    }
    *number = element.content;
    if (number->data[0] == 0) {
        number->data++;
        number->length--;
    }
    return number->length > 0 && number->data[0] != 0;
}

// The upper bound keeps a verification cheap, whatever a camera sends.
static bool is_good_exponent(struct slice exponent) {
    return exponent.length >= 3 && exponent.length <= 8 &&
           (exponent.data[exponent.length - 1] & 1) == 1;
}

static EVP_PKEY *build_rsa_key(struct slice bits) {
    struct der_element sequence;
    struct slice modulus;
    struct slice exponent;
    if (!der_expect(&bits, DER_SEQUENCE, &sequence) || bits.length != 0 ||
        !take_positive(&sequence.content, &modulus) ||
        !take_positive(&sequence.content, &exponent) || sequence.content.length != 0 ||
        modulus.length > 512 || (modulus.data[modulus.length - 1] & 1) == 0 ||
        !is_good_exponent(exponent)) {
        return NULL;
    }
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = NULL;
    BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.length, NULL);
    BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        parameters = OSSL_PARAM_BLD_to_param(builder);
    }
    if (parameters != NULL) {
        key = build_key("RSA", parameters);
    }
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(e);
    BN_free(n);
    return key;
}

static uint8_t rsa_key_type(const EVP_PKEY *key) {
    switch (EVP_PKEY_get_bits(key)) {
    case 2048:
        return KEY_RSA_2048;
    case 3072:
        return KEY_RSA_3072;
    case 4096:
        return KEY_RSA_4096;
    default:
        return 0;
    }
}

struct key_row {
    struct slice identifier; // content of the AlgorithmIdentifier
    uint8_t key_type;        // 0: depends on the size
    EVP_PKEY *(*build)(struct slice bits);
};

static const struct key_row key_table[] = {
    {BYTES(OID_EC_PUBLIC_KEY, OID_PRIME256V1), KEY_P256, build_p256_key},
    {BYTES(OID_EC_PUBLIC_KEY, OID_SECP384R1), KEY_P384, build_p384_key},
    {BYTES(OID_RSA_ENCRYPTION, DER_NULL), 0, build_rsa_key},
    {BYTES(OID_ED25519), KEY_ED25519, build_ed25519_key},
};

static EVP_PKEY *build_from_row(const struct key_row *row, struct slice bits, uint8_t *key_type) {
    EVP_PKEY *key = row->build(bits);
    *key_type = key == NULL ? 0 : row->key_type != 0 ? row->key_type : rsa_key_type(key);
    if (*key_type == 0) {
        EVP_PKEY_free(key);
        ERR_clear_error();
        return NULL;
    }
    return key;
}

EVP_PKEY *x509_key_from_spki(struct slice spki, uint8_t *key_type) {
    struct der_element outer;
    struct der_element algorithm;
    struct der_element bits;
    *key_type = 0;
    if (!der_expect(&spki, DER_SEQUENCE, &outer) || spki.length != 0 ||
        !der_expect(&outer.content, DER_SEQUENCE, &algorithm) ||
        !der_expect(&outer.content, DER_BIT_STRING, &bits) || outer.content.length != 0 ||
        bits.content.length < 2 || bits.content.data[0] != 0) {
        return NULL;
    }
    struct slice key_bits = {bits.content.data + 1, bits.content.length - 1};
    for (size_t i = 0; i < ARRAY_LENGTH(key_table); i++) {
        if (slice_equal(key_table[i].identifier, algorithm.content)) {
            return build_from_row(&key_table[i], key_bits, key_type);
        }
    }
    return NULL;
}

// ---- signatures ---------------------------------------------------------------------------------

enum key_family { FAMILY_NONE, FAMILY_EC, FAMILY_RSA, FAMILY_ED25519 };

static enum key_family key_family(uint8_t key_type) {
    switch (key_type) {
    case KEY_P256:
    case KEY_P384:
        return FAMILY_EC;
    case KEY_RSA_2048:
    case KEY_RSA_3072:
    case KEY_RSA_4096:
        return FAMILY_RSA;
    case KEY_ED25519:
        return FAMILY_ED25519;
    default:
        return FAMILY_NONE;
    }
}

struct scheme {
    enum key_family family;
    uint8_t number; // enum signature_algorithm; 0: not for proofs
    const char *digest;
    int pss_salt_size;       // 0: PKCS #1 version 1.5
    struct slice identifier; // content of the AlgorithmIdentifier
};

#define OID_ECDSA_SHA2(n) 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, n
#define OID_PKCS1(n) 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, n
#define OID_SHA2(n) 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n
// RSASSA-PSS-params (RFC 4055, section 3.1) of a SHA-2 with a salt of the same size.
#define PSS_PARAMETERS(n, salt)                                                                    \
    0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, OID_SHA2(n), DER_NULL, 0xa1, 0x1c, 0x30, 0x1a,             \
        OID_PKCS1(0x08), 0x30, 0x0d, OID_SHA2(n), DER_NULL, 0xa2, 0x03, 0x02, 0x01, salt

// Whole identifiers are compared, so that no parameter goes unread.
static const struct scheme scheme_table[] = {
    {FAMILY_EC, SIGNATURE_ECDSA_SHA256, "SHA256", 0, BYTES(OID_ECDSA_SHA2(2))},
    {FAMILY_EC, SIGNATURE_ECDSA_SHA384, "SHA384", 0, BYTES(OID_ECDSA_SHA2(3))},
    {FAMILY_EC, 0, "SHA512", 0, BYTES(OID_ECDSA_SHA2(4))},
    {FAMILY_RSA, SIGNATURE_RSA_PKCS1_SHA256, "SHA256", 0, BYTES(OID_PKCS1(0x0b), DER_NULL)},
    {FAMILY_RSA, 0, "SHA384", 0, BYTES(OID_PKCS1(0x0c), DER_NULL)},
    {FAMILY_RSA, 0, "SHA512", 0, BYTES(OID_PKCS1(0x0d), DER_NULL)},
    {FAMILY_RSA, SIGNATURE_RSA_PSS_SHA256, "SHA256", 32,
     BYTES(OID_PKCS1(0x0a), PSS_PARAMETERS(1, 32))},
    {FAMILY_RSA, 0, "SHA384", 48, BYTES(OID_PKCS1(0x0a), PSS_PARAMETERS(2, 48))},
    {FAMILY_RSA, 0, "SHA512", 64, BYTES(OID_PKCS1(0x0a), PSS_PARAMETERS(3, 64))},
    {FAMILY_ED25519, SIGNATURE_ED25519, NULL, 0, BYTES(OID_ED25519)},
};

#define ONE_SHOT_MAX 1024

// Ed25519 signs messages, not hashes: OpenSSL takes them only in one piece. Proofs fit a small
// buffer, CSRs are one piece already.
static bool verify_one_shot(EVP_MD_CTX *context, const struct signed_parts *message,
                            struct slice signature) {
    uint8_t joined[ONE_SHOT_MAX];
    struct slice whole = message->parts[0];
    if (message->count > 1) {
        size_t used = 0;
        for (size_t i = 0; i < message->count; i++) {
            if (message->parts[i].length > sizeof joined - used) {
                return false;
            }
            if (message->parts[i].length > 0) {
                memcpy(joined + used, message->parts[i].data, message->parts[i].length);
            }
            used += message->parts[i].length;
        }
        whole = (struct slice){joined, used};
    }
    return EVP_DigestVerify(context, signature.data, signature.length, whole.data, whole.length) ==
           1;
}

static bool verify_hashed(EVP_MD_CTX *context, const struct signed_parts *message,
                          struct slice signature) {
    for (size_t i = 0; i < message->count; i++) {
        if (EVP_DigestVerifyUpdate(context, message->parts[i].data, message->parts[i].length) !=
            1) {
            return false;
        }
    }
    return EVP_DigestVerifyFinal(context, signature.data, signature.length) == 1;
}

static bool verify(const struct scheme *scheme, EVP_PKEY *key, const struct signed_parts *message,
                   struct slice signature) {
    EVP_PKEY_CTX *parameters = NULL; // owned by the context
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestVerifyInit_ex(context, &parameters, scheme->digest,
                                                           NULL, NULL, key, NULL) == 1;
    if (good && scheme->pss_salt_size != 0) {
        good = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, scheme->pss_salt_size) == 1;
    }
    good = good && (scheme->digest == NULL ? verify_one_shot(context, message, signature)
                                           : verify_hashed(context, message, signature));
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

bool x509_verify_identified(EVP_PKEY *key, uint8_t key_type, struct slice identifier,
                            const struct signed_parts *message, struct slice signature,
                            bool *known) {
    struct der_element element;
    *known = false;
    if (!der_expect(&identifier, DER_SEQUENCE, &element)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(scheme_table); i++) {
        const struct scheme *scheme = &scheme_table[i];
        if (scheme->family == key_family(key_type) &&
            slice_equal(scheme->identifier, element.content)) {
            *known = true;
            return verify(scheme, key, message, signature);
        }
    }
    return false;
}

bool x509_verify_numbered(EVP_PKEY *key, uint8_t key_type, uint8_t algorithm,
                          const struct signed_parts *message, struct slice signature, bool *known) {
    *known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(scheme_table); i++) {
        const struct scheme *scheme = &scheme_table[i];
        if (scheme->family == key_family(key_type) && scheme->number != 0 &&
            scheme->number == algorithm) {
            *known = true;
            return verify(scheme, key, message, signature);
        }
    }
    return false;
}
