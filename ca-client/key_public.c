// SPDX-License-Identifier: Apache-2.0
#include "ca-client/key_public.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

static EVP_PKEY *make_key(const char *kind, OSSL_PARAM *parameters) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *make_rsa(const struct key_token_public *half) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(half->first, (int)half->first_length, NULL);
    BIGNUM *exponent = BN_bin2bn(half->second, (int)half->second_length, NULL);
    if (builder != NULL && modulus != NULL && exponent != NULL &&
        BN_num_bits(modulus) >= RSA_BITS_MIN && BN_num_bits(modulus) <= RSA_BITS_MAX &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        parameters = OSSL_PARAM_BLD_to_param(builder);
        key = make_key("RSA", parameters);
    }
    OSSL_PARAM_free(parameters);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

// A named curve (RFC 5480, section 2.1.1), by the name that OpenSSL has for it.
static const char *name_curve(const struct key_token_public *half) {
    const unsigned char *at = half->first;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)half->first_length);
    int nid = object != NULL ? OBJ_obj2nid(object) : NID_undef;
    ASN1_OBJECT_free(object);
    switch (nid) {
    case NID_X9_62_prime256v1:
    case NID_secp384r1:
    case NID_secp521r1:
        return OBJ_nid2sn(nid);
    default:
        return NULL;
    }
}

static EVP_PKEY *make_ec(const struct key_token_public *half) {
    const char *curve = name_curve(half);
    const unsigned char *at = half->second;
    ASN1_OCTET_STRING *point = d2i_ASN1_OCTET_STRING(NULL, &at, (long)half->second_length);
    EVP_PKEY *key = NULL;
    if (curve != NULL && point != NULL) {
        OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve,
                                             0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                              (void *)(uintptr_t)ASN1_STRING_get0_data(point),
                                              (size_t)ASN1_STRING_length(point)),
            OSSL_PARAM_construct_end()};
        key = make_key("EC", parameters);
    }
    ASN1_OCTET_STRING_free(point);
    return key;
}

EVP_PKEY *key_public_new(const struct key_token_public *half) {
    EVP_PKEY *key = half->is_rsa ? make_rsa(half) : make_ec(half);
    if (key == NULL) {
        ERR_clear_error();
    }
    return key;
}
