// SPDX-License-Identifier: Apache-2.0
// OpenSSL 3.0 of Debian 12 comes without a provider for PKCS#11, and ENGINE is deprecated. This is
// the least that TLS and X509_sign need: a key that has its public half in the default provider,
// and a signature operation that keeps its parameters in a verification with that public half, so
// that OpenSSL's own code judges digests, paddings and algorithm identifiers.
//
// The private half is never exported: that makes OpenSSL come here for signatures, whatever library
// context it is called with. provider-keymgmt(7), provider-signature(7).
#include "ca-client/key_provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define PROVIDER_NAME "birthcert"
#define PROPERTIES "provider=" PROVIDER_NAME
#define SIGNER_PARAMETER "signer" // a pointer to struct key_provider, as bytes

struct key_provider {
    OSSL_LIB_CTX *library; // of its own: the default one stays as it was
    OSSL_PROVIDER *provider;
    EVP_PKEY *public_key;
    EVP_PKEY *key;
    key_sign *sign;
    void *context;
};

// ---- the key, as OpenSSL holds it ---------------------------------------------------------------

// Also a certificate's key, when OpenSSL compares the two: then there is no signer.
struct provided_key {
    const char *kind; // "RSA" or "EC"
    EVP_PKEY *public_key;
    const struct key_provider *signer;
};

static void *new_key(const char *kind) {
    struct provided_key *key = calloc(1, sizeof *key);
    if (key != NULL) {
        key->kind = kind;
    }
    return key;
}

static void *new_rsa_key(void *provider) {
    (void)provider;
    return new_key("RSA");
}

static void *new_ec_key(void *provider) {
    (void)provider;
    return new_key("EC");
}

static void free_key(void *data) {
    struct provided_key *key = data;
    if (key != NULL) {
        EVP_PKEY_free(key->public_key);
        free(key);
    }
}

static EVP_PKEY *public_from_parameters(const char *kind, const OSSL_PARAM parameters[]) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY,
                                (OSSL_PARAM *)(uintptr_t)parameters);
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static int import_key(void *data, int selection, const OSSL_PARAM parameters[]) {
    struct provided_key *key = data;
    (void)selection;
    const OSSL_PARAM *signer = OSSL_PARAM_locate_const(parameters, SIGNER_PARAMETER);
    if (signer == NULL) {
        key->public_key = public_from_parameters(key->kind, parameters);
        return key->public_key != NULL;
    }
    if (signer->data_size != sizeof(const struct key_provider *)) {
        return 0;
    }
    memcpy(&key->signer, signer->data, signer->data_size);
    key->public_key = key->signer->public_key;
    return EVP_PKEY_up_ref(key->public_key);
}

static int export_key(void *data, int selection, OSSL_CALLBACK *callback, void *context) {
    const struct provided_key *key = data;
    OSSL_PARAM *parameters = NULL;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
        EVP_PKEY_todata(key->public_key, EVP_PKEY_PUBLIC_KEY, &parameters) != 1) {
        return 0;
    }
    int done = callback(parameters, context);
    OSSL_PARAM_free(parameters);
    return done;
}

// OpenSSL wants the list to be there, and does not look into it for a key of one kind.
static const OSSL_PARAM *list_parts(int selection) {
    static const OSSL_PARAM parts[] = {OSSL_PARAM_octet_string(SIGNER_PARAMETER, NULL, 0),
                                       OSSL_PARAM_END};
    (void)selection;
    return parts;
}

static int has_parts(const void *data, int selection) {
    const struct provided_key *key = data;
    return key->public_key != NULL &&
           ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->signer != NULL);
}

static int match_keys(const void *one, const void *other, int selection) {
    const struct provided_key *first = one;
    const struct provided_key *second = other;
    (void)selection;
    return EVP_PKEY_eq(first->public_key, second->public_key) == 1;
}

static int get_key_parameters(void *data, OSSL_PARAM parameters[]) {
    const struct provided_key *key = data;
    return EVP_PKEY_get_params(key->public_key, parameters);
}

static const OSSL_PARAM *gettable_key_parameters(void *provider) {
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_END};
    (void)provider;
    return list;
}

static const char *name_ec_operation(int operation) {
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

// ---- the signature ------------------------------------------------------------------------------

struct signing {
    const struct provided_key *key;
    EVP_MD *digest;
    EVP_MD_CTX *running; // of a message that comes in parts, as that of CMS does
    EVP_MD_CTX *shadow;  // a verification that never ends: it keeps the parameters
    EVP_PKEY_CTX *shadow_parameters;
};

static void *new_signing(void *provider, const char *properties) {
    (void)provider;
    (void)properties;
    return calloc(1, sizeof(struct signing));
}

static void clear_signing(struct signing *signing) {
    EVP_MD_CTX_free(signing->shadow);
    EVP_MD_CTX_free(signing->running);
    EVP_MD_free(signing->digest);
    *signing = (struct signing){0};
}

static void free_signing(void *data) {
    if (data != NULL) {
        clear_signing(data);
        free(data);
    }
}

static EVP_MD_CTX *copy_context(const EVP_MD_CTX *from) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy != NULL && EVP_MD_CTX_copy_ex(copy, from) == 1) {
        return copy;
    }
    EVP_MD_CTX_free(copy);
    return NULL;
}

// OpenSSL ends a message that came in parts on a copy.
static void *copy_signing(void *data) {
    const struct signing *signing = data;
    struct signing *copy = signing->shadow_parameters != NULL ? calloc(1, sizeof *copy) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    copy->key = signing->key;
    copy->digest = EVP_MD_up_ref(signing->digest) == 1 ? signing->digest : NULL;
    copy->running = copy_context(signing->running);
    copy->shadow = copy_context(signing->shadow);
    if (copy->digest == NULL || copy->running == NULL || copy->shadow == NULL) {
        free_signing(copy);
        return NULL;
    }
    copy->shadow_parameters = EVP_MD_CTX_get_pkey_ctx(copy->shadow);
    return copy;
}

static int begin_signing(void *data, const char *digest, void *key, const OSSL_PARAM parameters[]) {
    struct signing *signing = data;
    clear_signing(signing);
    signing->key = key;
    if (signing->key == NULL || signing->key->signer == NULL || digest == NULL) {
        return 0;
    }
    signing->digest = EVP_MD_fetch(NULL, digest, NULL);
    signing->running = EVP_MD_CTX_new();
    signing->shadow = EVP_MD_CTX_new();
    return signing->digest != NULL && signing->running != NULL && signing->shadow != NULL &&
           EVP_DigestInit_ex(signing->running, signing->digest, NULL) == 1 &&
           EVP_DigestVerifyInit_ex(signing->shadow, &signing->shadow_parameters, digest, NULL, NULL,
                                   signing->key->public_key, parameters) == 1;
}

static int set_parameters(void *data, const OSSL_PARAM parameters[]) {
    const struct signing *signing = data;
    return signing->shadow_parameters != NULL &&
           EVP_PKEY_CTX_set_params(signing->shadow_parameters, parameters);
}

static int get_parameters(void *data, OSSL_PARAM parameters[]) {
    const struct signing *signing = data;
    return signing->shadow_parameters != NULL &&
           EVP_PKEY_CTX_get_params(signing->shadow_parameters, parameters);
}

static const OSSL_PARAM no_parameters[] = {OSSL_PARAM_END};

static const OSSL_PARAM *settable_parameters(void *data, void *provider) {
    const struct signing *signing = data;
    (void)provider;
    return signing != NULL && signing->shadow_parameters != NULL
               ? EVP_PKEY_CTX_settable_params(signing->shadow_parameters)
               : no_parameters;
}

static const OSSL_PARAM *gettable_parameters(void *data, void *provider) {
    const struct signing *signing = data;
    (void)provider;
    return signing != NULL && signing->shadow_parameters != NULL
               ? EVP_PKEY_CTX_gettable_params(signing->shadow_parameters)
               : no_parameters;
}

// r and s become ECDSA-Sig-Value (RFC 3279, section 2.2.3).
static bool encode_ecdsa(uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    ECDSA_SIG *pair = ECDSA_SIG_new();
    int half = (int)(*length / 2);
    BIGNUM *r = BN_bin2bn(signature, half, NULL);
    BIGNUM *s = BN_bin2bn(signature + half, half, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return false;
    }
    unsigned char *out = signature;
    int size = i2d_ECDSA_SIG(pair, NULL);
    bool fits = size > 0 && size <= KEY_SIGNATURE_MAX && i2d_ECDSA_SIG(pair, &out) == size;
    *length = fits ? (size_t)size : 0;
    ECDSA_SIG_free(pair);
    return fits;
}

static bool sign_ecdsa(const struct signing *signing, struct slice hash,
                       uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    const struct key_provider *signer = signing->key->signer;
    const struct key_to_sign what = {.scheme = KEY_SIGN_ECDSA, .data = hash};
    return signer->sign(signer->context, &what, signature, length) && *length >= 2 &&
           *length % 2 == 0 && encode_ecdsa(signature, length);
}

static bool sign_pkcs1(const struct signing *signing, struct slice hash,
                       uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    const struct key_provider *signer = signing->key->signer;
    X509_ALGOR *algorithm = NULL;
    ASN1_OCTET_STRING *digest = NULL;
    unsigned char *der = NULL;
    X509_SIG *info = X509_SIG_new();
    if (info == NULL) {
        return false;
    }
    X509_SIG_getm(info, &algorithm, &digest);
    // The parameters are NULL here, which X509_ALGOR_set_md leaves out.
    int size = X509_ALGOR_set0(algorithm, OBJ_nid2obj(EVP_MD_get_type(signing->digest)),
                               V_ASN1_NULL, NULL) == 1 &&
                       ASN1_OCTET_STRING_set(digest, hash.data, (int)hash.length) == 1
                   ? i2d_X509_SIG(info, &der)
                   : -1;
    const struct key_to_sign what = {.scheme = KEY_SIGN_RSA_PKCS1,
                                     .data = {der, size > 0 ? (size_t)size : 0}};
    bool good = size > 0 && signer->sign(signer->context, &what, signature, length);
    OPENSSL_free(der);
    X509_SIG_free(info);
    return good;
}

// RFC 8017, section 9.1.1: what is left of the encoded message beside the hash and two bytes.
static int salt_limit(const struct signing *signing, size_t hash_size) {
    int bits = EVP_PKEY_get_bits(signing->key->public_key);
    return (bits - 1 + 7) / 8 - (int)hash_size - 2;
}

static bool sign_pss(const struct signing *signing, struct slice hash,
                     uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    const struct key_provider *signer = signing->key->signer;
    const EVP_MD *mask = NULL;
    int salt = 0;
    // These calls succeed with any number above 0. Without a mask of its own it is the same hash.
    if (EVP_PKEY_CTX_get_rsa_pss_saltlen(signing->shadow_parameters, &salt) <= 0 ||
        EVP_PKEY_CTX_get_rsa_mgf1_md(signing->shadow_parameters, &mask) <= 0 ||
        (mask != NULL && EVP_MD_get_type(mask) != EVP_MD_get_type(signing->digest))) {
        return false;
    }
    int limit = salt_limit(signing, hash.length);
    salt = salt == RSA_PSS_SALTLEN_DIGEST ? (int)hash.length : salt < 0 ? limit : salt;
    const struct key_to_sign what = {
        .scheme = KEY_SIGN_RSA_PSS, .data = hash, .salt_size = (size_t)salt};
    return salt <= limit && signer->sign(signer->context, &what, signature, length);
}

static bool sign_rsa(const struct signing *signing, struct slice hash,
                     uint8_t signature[KEY_SIGNATURE_MAX], size_t *length) {
    int padding = 0;
    if (EVP_PKEY_CTX_get_rsa_padding(signing->shadow_parameters, &padding) <= 0) {
        return false;
    }
    return padding == RSA_PKCS1_PADDING       ? sign_pkcs1(signing, hash, signature, length)
           : padding == RSA_PKCS1_PSS_PADDING ? sign_pss(signing, hash, signature, length)
                                              : false;
}

static int tell_size(const struct signing *signing, size_t *length) {
    *length = (size_t)EVP_PKEY_get_size(signing->key->public_key);
    return 1;
}

static int sign_hash(const struct signing *signing, struct slice hash, unsigned char *out,
                     size_t *out_length, size_t out_size) {
    uint8_t signature[KEY_SIGNATURE_MAX];
    size_t length = 0;
    bool is_signed = strcmp(signing->key->kind, "RSA") == 0
                         ? sign_rsa(signing, hash, signature, &length)
                         : sign_ecdsa(signing, hash, signature, &length);
    if (!is_signed || length > out_size) {
        return 0;
    }
    memcpy(out, signature, length);
    *out_length = length;
    return 1;
}

static int sign_message(void *data, unsigned char *out, size_t *out_length, size_t out_size,
                        const unsigned char *message, size_t message_length) {
    const struct signing *signing = data;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (signing->shadow_parameters == NULL) {
        return 0;
    }
    if (out == NULL) {
        return tell_size(signing, out_length);
    }
    return EVP_Digest(message, message_length, hash, &size, signing->digest, NULL) == 1 &&
           sign_hash(signing, (struct slice){hash, size}, out, out_length, out_size);
}

static int take_part(void *data, const unsigned char *part, size_t length) {
    const struct signing *signing = data;
    return signing->shadow_parameters != NULL &&
           EVP_DigestUpdate(signing->running, part, length) == 1;
}

static int sign_parts(void *data, unsigned char *out, size_t *out_length, size_t out_size) {
    const struct signing *signing = data;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (signing->shadow_parameters == NULL) {
        return 0;
    }
    if (out == NULL) {
        return tell_size(signing, out_length);
    }
    return EVP_DigestFinal_ex(signing->running, hash, &size) == 1 &&
           sign_hash(signing, (struct slice){hash, size}, out, out_length, out_size);
}

// ---- the provider -------------------------------------------------------------------------------

typedef void dispatched(void);

#define ENTRY(number, function)                                                                    \
    { number, (dispatched *)(function) }
#define KEY_ENTRIES(make)                                                                          \
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, make), ENTRY(OSSL_FUNC_KEYMGMT_FREE, free_key),                   \
        ENTRY(OSSL_FUNC_KEYMGMT_HAS, has_parts), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, match_keys),       \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, import_key),                                               \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, list_parts),                                         \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, export_key),                                               \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, list_parts),                                         \
        ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_key_parameters),                                   \
        ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, gettable_key_parameters)

static const OSSL_DISPATCH rsa_key_functions[] = {KEY_ENTRIES(new_rsa_key), {0, NULL}};

static const OSSL_DISPATCH ec_key_functions[] = {
    KEY_ENTRIES(new_ec_key),
    ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, name_ec_operation),
    {0, NULL}};

static const OSSL_DISPATCH signature_functions[] = {
    ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, new_signing),
    ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, free_signing),
    ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, copy_signing),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, begin_signing),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_message),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, take_part),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sign_parts),
    ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_parameters),
    ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, settable_parameters),
    ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, get_parameters),
    ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, gettable_parameters),
    {0, NULL}};

static const OSSL_ALGORITHM key_kinds[] = {{"RSA", PROPERTIES, rsa_key_functions, NULL},
                                           {"EC", PROPERTIES, ec_key_functions, NULL},
                                           {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM signatures[] = {{"RSA", PROPERTIES, signature_functions, NULL},
                                            {"ECDSA", PROPERTIES, signature_functions, NULL},
                                            {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query_operation(void *provider, int operation, int *no_store) {
    (void)provider;
    *no_store = 0;
    return operation == OSSL_OP_KEYMGMT     ? key_kinds
           : operation == OSSL_OP_SIGNATURE ? signatures
                                            : NULL;
}

static int start_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                          const OSSL_DISPATCH **out, void **provider) {
    static const OSSL_DISPATCH functions[] = {
        ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_operation), {0, NULL}};
    (void)in;
    *out = functions;
    *provider = (void *)(uintptr_t)handle;
    return 1;
}

static bool make_key(struct key_provider *provider) {
    const char *kind = EVP_PKEY_is_a(provider->public_key, "RSA") ? "RSA" : "EC";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(SIGNER_PARAMETER, (void *)&provider,
                                          sizeof(struct key_provider *)),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(provider->library, kind, PROPERTIES);
    bool good =
        context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &provider->key, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)parameters) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}

struct key_provider *key_provider_new(EVP_PKEY *public_key, key_sign *sign, void *context) {
    struct key_provider *provider = calloc(1, sizeof *provider);
    if (provider == NULL || EVP_PKEY_up_ref(public_key) != 1) {
        free(provider);
        return NULL;
    }
    provider->public_key = public_key;
    provider->sign = sign;
    provider->context = context;
    provider->library = OSSL_LIB_CTX_new();
    if (provider->library != NULL &&
        OSSL_PROVIDER_add_builtin(provider->library, PROVIDER_NAME, start_provider) == 1) {
        provider->provider = OSSL_PROVIDER_load(provider->library, PROVIDER_NAME);
    }
    if (provider->provider == NULL || !make_key(provider)) {
        ERR_clear_error();
        key_provider_free(provider);
        return NULL;
    }
    return provider;
}

void key_provider_free(struct key_provider *provider) {
    if (provider != NULL) {
        EVP_PKEY_free(provider->key);
        if (provider->provider != NULL) {
            OSSL_PROVIDER_unload(provider->provider);
        }
        OSSL_LIB_CTX_free(provider->library);
        EVP_PKEY_free(provider->public_key);
        free(provider);
    }
}

EVP_PKEY *key_provider_evp(const struct key_provider *provider) {
    return provider->key;
}
