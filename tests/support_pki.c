// SPDX-License-Identifier: Apache-2.0
#include "tests/support_pki.h"

#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "support_pki: %s failed\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

// ---- keys ---------------------------------------------------------------------------------------

EVP_PKEY *pki_rsa_key(unsigned bits, unsigned long exponent) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new();
    need(e != NULL && BN_set_word(e, exponent) == 1, "exponent");
    need(context != NULL && EVP_PKEY_keygen_init(context) == 1, "RSA");
    need(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits) == 1, "RSA bits");
    need(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e) == 1, "RSA exponent");
    need(EVP_PKEY_generate(context, &key) == 1, "RSA key");
    EVP_PKEY_CTX_free(context);
    BN_free(e);
    return key;
}

EVP_PKEY *pki_key(const char *kind) {
    if (strncmp(kind, "RSA-", 4) == 0) {
        return pki_rsa_key((unsigned)strtoul(kind + 4, NULL, 10), 65537);
    }
    EVP_PKEY *key =
        strncmp(kind, "ED", 2) == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kind) : EVP_EC_gen(kind);
    need(key != NULL, kind);
    return key;
}

void pki_spki_sha256(EVP_PKEY *key, uint8_t out[SHA256_SIZE]) {
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    need(length > 0 && EVP_Digest(der, (size_t)length, out, NULL, EVP_sha256(), NULL) == 1, "SPKI");
    OPENSSL_free(der);
}

// ---- certificates -------------------------------------------------------------------------------

static void fill_name(X509_NAME *name, const struct pki_pair pairs[]) {
    for (size_t i = 0; pairs[i].name != NULL; i++) {
        need(X509_NAME_add_entry_by_txt(name, pairs[i].name, MBSTRING_UTF8,
                                        (const unsigned char *)pairs[i].value, -1, -1, 0) == 1,
             pairs[i].name);
    }
}

static void set_serial(X509 *certificate, const char *hex) {
    BIGNUM *number = NULL;
    if (hex != NULL) {
        need(BN_hex2bn(&number, hex) > 0, "serial");
    } else {
        number = BN_new();
        need(number != NULL && BN_rand(number, 126, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1,
             "serial");
    }
    need(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL, "serial");
    BN_free(number);
}

static void add_extensions(X509 *certificate, const X509 *issuer, const struct pki_spec *spec) {
    X509V3_CTX context;
    CONF *config = NCONF_new(NULL);
    BIO *text = BIO_new_mem_buf(spec->config != NULL ? spec->config : "[empty]\n", -1);
    long line;
    need(config != NULL && text != NULL && NCONF_load_bio(config, text, &line) == 1, "config");
    X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, certificate, NULL, NULL, 0);
    X509V3_set_nconf(&context, config);
    for (size_t i = 0; spec->extensions[i].name != NULL; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_nconf(config, &context, spec->extensions[i].name, spec->extensions[i].value);
        need(extension != NULL && X509_add_ext(certificate, extension, -1) == 1,
             spec->extensions[i].name);
        X509_EXTENSION_free(extension);
    }
    BIO_free(text);
    NCONF_free(config);
}

static const EVP_MD *pick_digest(EVP_PKEY *key, const char *name) {
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448")) {
        return NULL;
    }
    return name != NULL ? EVP_get_digestbyname(name) : EVP_sha256();
}

static void set_time(ASN1_TIME *time, int64_t wall_ms) {
    need(ASN1_TIME_adj(time, (time_t)(wall_ms / 1000), 0, 0) != NULL, "time");
}

X509 *pki_certificate(const struct pki_spec *spec) {
    X509 *certificate = X509_new();
    need(certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1, "X509_new");
    set_serial(certificate, spec->serial);
    fill_name(X509_get_subject_name(certificate), spec->subject);
    const X509 *issuer = spec->issuer != NULL ? spec->issuer : certificate;
    EVP_PKEY *issuer_key = spec->issuer != NULL ? spec->issuer_key : spec->key;
    need(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "issuer");
    set_time(X509_getm_notBefore(certificate),
             spec->not_before_ms != 0 ? spec->not_before_ms : PKI_NOW_MS - PKI_DAY_MS);
    set_time(X509_getm_notAfter(certificate),
             spec->not_after_ms != 0 ? spec->not_after_ms : PKI_NOW_MS + 3650 * PKI_DAY_MS);
    need(X509_set_pubkey(certificate, spec->key) == 1, "key");
    add_extensions(certificate, issuer, spec);
    need(X509_sign(certificate, issuer_key, pick_digest(issuer_key, spec->digest)) > 0, "signing");
    return certificate;
}

void pki_set(struct pki_pair list[PKI_PAIRS_MAX], const char *name, const char *value) {
    size_t at = 0;
    while (list[at].name != NULL && strcmp(list[at].name, name) != 0) {
        at++;
    }
    need(at < PKI_PAIRS_MAX - 1, "room in a list");
    if (value != NULL) {
        list[at] = (struct pki_pair){name, value};
        return;
    }
    for (; list[at].name != NULL; at++) {
        list[at] = list[at + 1];
    }
}

struct pki_ca pki_ca_new(const char *common_name, const struct pki_ca *issuer) {
    struct pki_ca ca = {.key = pki_key("P-256")};
    struct pki_spec spec = {
        .issuer = issuer != NULL ? issuer->certificate : NULL,
        .issuer_key = issuer != NULL ? issuer->key : NULL,
        .key = ca.key,
        .subject = {{"O", "Test"}, {"CN", common_name}},
        .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                       {"keyUsage", "critical,keyCertSign,cRLSign"},
                       {"subjectKeyIdentifier", "hash"}},
        .not_before_ms = INT64_C(1577836800000),
        .not_after_ms = PKI_FOREVER_MS,
    };
    if (issuer != NULL) {
        pki_set(spec.extensions, "authorityKeyIdentifier", "keyid:always");
    }
    ca.certificate = pki_certificate(&spec);
    return ca;
}

void pki_ca_free(struct pki_ca *ca) {
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
    *ca = (struct pki_ca){0};
}

X509 *pki_tls_certificate(const struct pki_ca *ca, const char *common_name, EVP_PKEY *key) {
    const struct pki_spec spec = {
        .issuer = ca->certificate,
        .issuer_key = ca->key,
        .key = key,
        .subject = {{"CN", common_name}},
        .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"subjectAltName", "DNS:localhost,IP:127.0.0.1"},
                       {"subjectKeyIdentifier", "hash"},
                       {"authorityKeyIdentifier", "keyid:always"}},
        .not_before_ms = INT64_C(1577836800000),
        .not_after_ms = PKI_FOREVER_MS,
    };
    return pki_certificate(&spec);
}

// ---- encodings ----------------------------------------------------------------------------------

static struct buf *to_buf(const void *data, size_t length) {
    struct buf *buf = buf_new(length);
    need(buf != NULL && buf_put(buf, data, length), "memory");
    return buf;
}

static struct buf *bio_to_buf(BIO *output) {
    char *text = NULL;
    long length = BIO_get_mem_data(output, &text);
    struct buf *buf = to_buf(text, (size_t)length);
    BIO_free(output);
    return buf;
}

struct buf *pki_der(const X509 *certificate) {
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    need(length > 0, "i2d_X509");
    struct buf *buf = to_buf(der, (size_t)length);
    OPENSSL_free(der);
    return buf;
}

struct buf *pki_pem(const X509 *certificate) {
    BIO *output = BIO_new(BIO_s_mem());
    need(output != NULL && PEM_write_bio_X509(output, certificate) == 1, "PEM");
    return bio_to_buf(output);
}

struct buf *pki_key_pem(EVP_PKEY *key) {
    BIO *output = BIO_new(BIO_s_mem());
    need(output != NULL &&
             PEM_write_bio_PKCS8PrivateKey(output, key, NULL, NULL, 0, NULL, NULL) == 1,
         "PEM");
    return bio_to_buf(output);
}

struct buf *pki_join(const struct buf *a, const struct buf *b) {
    struct buf *both = buf_new(buf_length(a) + buf_length(b));
    need(both != NULL && buf_put(both, buf_slice(a).data, buf_length(a)) &&
             buf_put(both, buf_slice(b).data, buf_length(b)),
         "memory");
    return both;
}

// ---- requests and proofs ------------------------------------------------------------------------

static void set_pss(EVP_PKEY_CTX *context) {
    need(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1, "PSS");
    need(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1, "PSS salt");
}

struct buf *pki_csr(EVP_PKEY *key, const struct pki_pair subject[], const char *digest, bool pss) {
    X509_REQ *request = X509_REQ_new();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    unsigned char *der = NULL;
    need(request != NULL && context != NULL, "X509_REQ_new");
    fill_name(X509_REQ_get_subject_name(request), subject);
    need(X509_REQ_set_pubkey(request, key) == 1, "key");
    need(EVP_DigestSignInit(context, &parameters, pick_digest(key, digest), NULL, key) == 1,
         "signing");
    if (pss) {
        set_pss(parameters);
    }
    need(X509_REQ_sign_ctx(request, context) > 0, "signing");
    int length = i2d_X509_REQ(request, &der);
    need(length > 0, "i2d_X509_REQ");
    struct buf *buf = to_buf(der, (size_t)length);
    OPENSSL_free(der);
    EVP_MD_CTX_free(context);
    X509_REQ_free(request);
    return buf;
}

struct buf *pki_csr_asking(EVP_PKEY *key, const struct pki_pair subject[],
                           const struct pki_pair extensions[], bool in_two_lists) {
    X509V3_CTX context;
    X509_REQ *request = X509_REQ_new();
    X509_EXTENSIONS *list = sk_X509_EXTENSION_new_null();
    unsigned char *der = NULL;
    need(request != NULL && list != NULL, "X509_REQ_new");
    X509V3_set_ctx(&context, NULL, NULL, request, NULL, 0);
    for (size_t i = 0; extensions[i].name != NULL; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_nconf(NULL, &context, extensions[i].name, extensions[i].value);
        need(extension != NULL && sk_X509_EXTENSION_push(list, extension) > 0, extensions[i].name);
    }
    fill_name(X509_REQ_get_subject_name(request), subject);
    need(X509_REQ_set_pubkey(request, key) == 1, "key");
    if (in_two_lists) {
        X509_EXTENSIONS *none = sk_X509_EXTENSION_new_null();
        need(X509_REQ_add_extensions_nid(request, none, NID_ext_req) == 1, "an empty list");
        sk_X509_EXTENSION_free(none);
    }
    need(X509_REQ_add_extensions_nid(request, list, in_two_lists ? NID_ms_ext_req : NID_ext_req) ==
             1,
         "extensions");
    need(X509_REQ_sign(request, key, EVP_sha256()) > 0, "signing");
    int length = i2d_X509_REQ(request, &der);
    need(length > 0, "i2d_X509_REQ");
    struct buf *buf = to_buf(der, (size_t)length);
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    return buf;
}

struct buf *pki_sign(EVP_PKEY *key, uint8_t algorithm, struct slice message) {
    uint8_t signature[1024];
    size_t length = sizeof signature;
    EVP_PKEY_CTX *parameters = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = algorithm == SIGNATURE_ED25519        ? NULL
                           : algorithm == SIGNATURE_ECDSA_SHA384 ? EVP_sha384()
                                                                 : EVP_sha256();
    need(context != NULL && EVP_DigestSignInit(context, &parameters, digest, NULL, key) == 1,
         "signing");
    if (algorithm == SIGNATURE_RSA_PSS_SHA256) {
        set_pss(parameters);
    }
    need(EVP_DigestSign(context, signature, &length, message.data, message.length) == 1, "signing");
    EVP_MD_CTX_free(context);
    return to_buf(signature, length);
}

struct buf *pki_proof(EVP_PKEY *key, uint8_t algorithm, struct slice leaf_der, struct slice nonce) {
    static const char start[] = "birthcert-prove-v1";
    uint8_t message[256];
    need(nonce.length <= 64, "nonce");
    memcpy(message, start, sizeof start);
    need(EVP_Digest(leaf_der.data, leaf_der.length, message + sizeof start, NULL, EVP_sha256(),
                    NULL) == 1,
         "hash");
    memcpy(message + sizeof start + SHA256_SIZE, nonce.data, nonce.length);
    return pki_sign(key, algorithm,
                    (struct slice){message, sizeof start + SHA256_SIZE + nonce.length});
}
