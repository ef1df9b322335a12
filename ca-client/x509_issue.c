// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_issue.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/key_openssl.h"
#include "ca-client/x509_internal.h"
#include "station/base/clock.h"

#define CHAIN_MAX (4 * X509_OBJECT_MAX)
#define SERIAL_SIZE 16
#define KEY_IDENTIFIER_SIZE 20

struct x509_issuer {
    X509 *certificate;
    struct key *key; // not owned
    struct buf *chain;
    int64_t not_after_ms;
};

// ---- parts of a certificate ---------------------------------------------------------------------

static bool set_time(ASN1_TIME *time, int64_t wall_ms) {
    return ASN1_TIME_adj(time, (time_t)(wall_ms / 1000), 0, 0) != NULL;
}

// 127 random bits, and never zero in front: always positive, always 16 bytes.
static bool set_random_serial(X509 *certificate) {
    uint8_t bytes[SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

X509_EXTENSION *x509_new_extension(int nid, bool critical, struct slice der) {
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    bool good = value != NULL && ASN1_OCTET_STRING_set(value, der.data, (int)der.length) == 1;
    X509_EXTENSION *extension =
        good ? X509_EXTENSION_create_by_NID(NULL, nid, critical, value) : NULL;
    ASN1_OCTET_STRING_free(value);
    return extension;
}

static bool add_raw_extension(X509 *certificate, int nid, bool critical, struct slice der) {
    X509_EXTENSION *extension = x509_new_extension(nid, critical, der);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

// basicConstraints and keyUsage, both critical.
static bool add_constraints(X509 *certificate, bool is_ca) {
    static const uint8_t leaf_constraints[] = {0x30, 0x00};
    static const uint8_t leaf_usage[] = {0x03, 0x02, 0x07, 0x80}; // bit 0
    static const uint8_t ca_constraints[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00};
    static const uint8_t ca_usage[] = {0x03, 0x02, 0x01, 0x06}; // bits 5 and 6
    const struct slice constraints =
        is_ca ? (struct slice){ca_constraints, sizeof ca_constraints}
              : (struct slice){leaf_constraints, sizeof leaf_constraints};
    const struct slice usage = is_ca ? (struct slice){ca_usage, sizeof ca_usage}
                                     : (struct slice){leaf_usage, sizeof leaf_usage};
    return add_raw_extension(certificate, NID_basic_constraints, true, constraints) &&
           add_raw_extension(certificate, NID_key_usage, true, usage);
}

static bool add_extended_key_usage(X509 *certificate, const struct profile *profile) {
    static const uint8_t server[] = {0x2b, 6, 1, 5, 5, 7, 3, 1};
    static const uint8_t client[] = {0x2b, 6, 1, 5, 5, 7, 3, 2};
    uint8_t out[32];
    struct der_writer writer;
    if (!profile->server_auth && !profile->client_auth) {
        return true;
    }
    der_writer_init(&writer, out, sizeof out);
    size_t list = der_open(&writer);
    if (profile->server_auth) {
        der_put(&writer, DER_OID, (struct slice){server, sizeof server});
    }
    if (profile->client_auth) {
        der_put(&writer, DER_OID, (struct slice){client, sizeof client});
    }
    der_close(&writer, list, DER_SEQUENCE);
    return !writer.failed && add_raw_extension(certificate, NID_ext_key_usage, false,
                                               (struct slice){out, writer.used});
}

static bool add_alternative_names(X509 *certificate, const struct names *names) {
    uint8_t out[X509_ALTERNATIVE_NAMES_MAX];
    struct der_writer writer;
    der_writer_init(&writer, out, sizeof out);
    x509_put_alternative_names(&writer, names);
    return !writer.failed &&
           (writer.used == 0 || add_raw_extension(certificate, NID_subject_alt_name, false,
                                                  (struct slice){out, writer.used}));
}

// RFC 7093, section 2, method 1: 160 bits of SHA-256 of the key's bits.
static bool add_subject_key_identifier(X509 *certificate) {
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(certificate);
    uint8_t hash[SHA256_SIZE];
    uint8_t out[2 + KEY_IDENTIFIER_SIZE];
    struct der_writer writer;
    if (bits == NULL) {
        return false;
    }
    x509_sha256((struct slice){ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)},
                hash);
    der_writer_init(&writer, out, sizeof out);
    der_put(&writer, DER_OCTET_STRING, (struct slice){hash, KEY_IDENTIFIER_SIZE});
    return add_raw_extension(certificate, NID_subject_key_identifier, false,
                             (struct slice){out, writer.used});
}

static bool add_authority_key_identifier(X509 *certificate, X509 *issuer) {
    const ASN1_OCTET_STRING *identifier = X509_get0_subject_key_id(issuer);
    uint8_t out[128];
    struct der_writer writer;
    if (identifier == NULL) {
        return true; // an old CA without: nothing to point to
    }
    der_writer_init(&writer, out, sizeof out);
    size_t sequence = der_open(&writer);
    der_put(
        &writer, DER_CONTEXT,
        (struct slice){ASN1_STRING_get0_data(identifier), (size_t)ASN1_STRING_length(identifier)});
    der_close(&writer, sequence, DER_SEQUENCE);
    return !writer.failed && add_raw_extension(certificate, NID_authority_key_identifier, false,
                                               (struct slice){out, writer.used});
}

X509_NAME *x509_new_subject(const struct names *names) {
    uint8_t out[1024];
    struct der_writer writer;
    der_writer_init(&writer, out, sizeof out);
    x509_put_subject(&writer, names);
    const unsigned char *cursor = out;
    return writer.failed ? NULL : d2i_X509_NAME(NULL, &cursor, (long)writer.used);
}

static bool set_subject(X509 *certificate, const struct names *names) {
    X509_NAME *name = x509_new_subject(names);
    bool good = name != NULL && X509_set_subject_name(certificate, name) == 1;
    X509_NAME_free(name);
    return good;
}

static const EVP_MD *signing_digest(EVP_PKEY *key) {
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
        return NULL; // it hashes by itself
    }
    return EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
}

static bool put_certificate(X509 *certificate, struct buf *out) {
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    bool good = length > 0 && buf_put(out, der, (size_t)length);
    OPENSSL_free(der);
    return good;
}

// ---- the issuer ---------------------------------------------------------------------------------

static bool check_issuer(const struct x509_issuer *issuer, struct error *error) {
    char subject[X509_NAME_TEXT_SIZE];
    x509_name_text(X509_get_subject_name(issuer->certificate), subject, sizeof subject);
    if (X509_check_ca(issuer->certificate) != 1) {
        return error_set(error, E_CA_CONFIG, "\"%s\" is no CA certificate", subject);
    }
    if (X509_check_private_key(issuer->certificate, key_evp(issuer->key)) != 1) {
        return error_set(error, E_CA_CONFIG, "the private key does not belong to \"%s\"", subject);
    }
    return true;
}

static bool fill_issuer(struct x509_issuer *issuer, struct slice certificates_pem,
                        struct error *error) {
    issuer->chain = buf_new(CHAIN_MAX);
    if (issuer->chain == NULL) {
        return error_set(error, E_MEMORY, "no memory for a CA certificate");
    }
    if (!x509_pem_to_der(certificates_pem, issuer->chain, error)) {
        error->code = E_CA_CONFIG;
        return false;
    }
    issuer->certificate =
        x509_decode(x509_first_der(buf_slice(issuer->chain)), "CA certificate", error);
    if (issuer->certificate == NULL) {
        error->code = E_CA_CONFIG;
        return false;
    }
    if (!x509_time_ms(X509_get0_notAfter(issuer->certificate), &issuer->not_after_ms)) {
        return error_set(error, E_CA_CONFIG, "the CA certificate's end cannot be read");
    }
    return check_issuer(issuer, error);
}

bool x509_issuer_new(struct slice certificates_pem, struct key *key, struct x509_issuer **out,
                     struct error *error) {
    struct x509_issuer *issuer = calloc(1, sizeof *issuer);
    *out = NULL;
    if (issuer == NULL) {
        return error_set(error, E_MEMORY, "no memory for a CA certificate");
    }
    issuer->key = key;
    bool good = fill_issuer(issuer, certificates_pem, error);
    ERR_clear_error();
    if (!good) {
        x509_issuer_free(issuer);
        return false;
    }
    *out = issuer;
    return true;
}

void x509_issuer_free(struct x509_issuer *issuer) {
    if (issuer != NULL) {
        X509_free(issuer->certificate);
        buf_free(issuer->chain);
        free(issuer);
    }
}

struct slice x509_issuer_chain(const struct x509_issuer *issuer) {
    return buf_slice(issuer->chain);
}

bool x509_issuer_subject(const struct x509_issuer *issuer, size_t index, char *out,
                         size_t capacity) {
    struct error ignored;
    struct slice rest = buf_slice(issuer->chain);
    struct slice one = x509_first_der(rest);
    for (; index > 0 && one.length > 0; index--) {
        rest = (struct slice){rest.data + one.length, rest.length - one.length};
        one = x509_first_der(rest);
    }
    out[0] = '\0';
    X509 *certificate = one.length > 0 ? x509_decode(one, "CA certificate", &ignored) : NULL;
    if (certificate == NULL) {
        return false;
    }
    x509_name_text(X509_get_subject_name(certificate), out, capacity);
    X509_free(certificate);
    return true;
}

int64_t x509_issuer_not_after_ms(const struct x509_issuer *issuer) {
    return issuer->not_after_ms;
}

// ---- issuing ------------------------------------------------------------------------------------

static bool set_key(X509 *certificate, struct slice csr) {
    struct csr_parts parts;
    uint8_t key_type;
    EVP_PKEY *key = x509_split_csr(csr, &parts) ? x509_key_from_spki(parts.spki, &key_type) : NULL;
    bool good = key != NULL && X509_set_pubkey(certificate, key) == 1;
    EVP_PKEY_free(key);
    return good;
}

static bool set_validity(X509 *certificate, const struct x509_issuer *issuer,
                         const struct x509_issue_request *request) {
    int64_t end_ms = x509_profile_end_ms(request->profile, request->not_before_ms);
    end_ms = end_ms < issuer->not_after_ms ? end_ms : issuer->not_after_ms;
    return set_time(X509_getm_notBefore(certificate), request->not_before_ms) &&
           set_time(X509_getm_notAfter(certificate), end_ms);
}

static bool build_leaf(X509 *leaf, const struct x509_issuer *issuer,
                       const struct x509_issue_request *request, const struct names *names) {
    return X509_set_version(leaf, X509_VERSION_3) == 1 && set_random_serial(leaf) &&
           X509_set_issuer_name(leaf, X509_get_subject_name(issuer->certificate)) == 1 &&
           set_validity(leaf, issuer, request) && set_subject(leaf, names) &&
           set_key(leaf, request->csr) && add_constraints(leaf, false) &&
           add_extended_key_usage(leaf, request->profile) && add_alternative_names(leaf, names) &&
           add_subject_key_identifier(leaf) &&
           add_authority_key_identifier(leaf, issuer->certificate) &&
           X509_sign(leaf, key_evp(issuer->key), signing_digest(key_evp(issuer->key))) > 0;
}

bool x509_issue(const struct x509_issuer *issuer, const struct x509_issue_request *request,
                struct buf *leaf, struct error *error) {
    struct names names;
    char end[CLOCK_TEXT_SIZE];
    if (!names_fill(request->profile, &request->subject, &names, error)) {
        return false;
    }
    if (request->not_before_ms > issuer->not_after_ms) {
        clock_format_utc(end, issuer->not_after_ms);
        return error_set(error, E_CA_CONFIG, "the CA certificate ended at %s", end);
    }
    X509 *certificate = X509_new();
    bool good = certificate != NULL && build_leaf(certificate, issuer, request, &names) &&
                put_certificate(certificate, leaf);
    X509_free(certificate);
    ERR_clear_error();
    if (!good && key_take_error(issuer->key, error)) {
        return error_prefix(error, "the CA's key");
    }
    return good || error_set(error, E_INTERNAL, "OpenSSL could not issue a certificate");
}

// ---- a new root ---------------------------------------------------------------------------------

static bool set_common_name(X509 *certificate, const char *common_name) {
    X509_NAME *name = X509_NAME_new();
    bool good = name != NULL &&
                X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1 &&
                X509_set_subject_name(certificate, name) == 1 &&
                X509_set_issuer_name(certificate, name) == 1;
    X509_NAME_free(name);
    return good;
}

static bool build_root(X509 *root, EVP_PKEY *key, const char *common_name, int64_t not_before_ms) {
    return X509_set_version(root, X509_VERSION_3) == 1 && set_random_serial(root) &&
           set_common_name(root, common_name) &&
           set_time(X509_getm_notBefore(root), not_before_ms) &&
           set_time(X509_getm_notAfter(root), X509_FOREVER_MS) && X509_set_pubkey(root, key) == 1 &&
           add_constraints(root, true) && add_subject_key_identifier(root) &&
           X509_sign(root, key, EVP_sha256()) > 0;
}

static bool put_private_key(EVP_PKEY *key, struct buf *pem) {
    char *text = NULL;
    BIO *output = BIO_new(BIO_s_mem()); // wipes what it held
    bool good = output != NULL &&
                PEM_write_bio_PKCS8PrivateKey(output, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (good) {
        long length = BIO_get_mem_data(output, &text);
        good = buf_put(pem, text, (size_t)length);
    }
    BIO_free(output);
    return good;
}

static bool put_root_pem(X509 *root, struct buf *pem) {
    struct error ignored;
    struct buf *der = buf_new(X509_OBJECT_MAX);
    bool good = der != NULL && put_certificate(root, der) &&
                x509_der_to_pem(buf_slice(der), PEM_STRING_X509, pem, &ignored);
    buf_free(der);
    return good;
}

bool x509_create_root(const char *common_name, int64_t not_before_ms, struct buf *certificate_pem,
                      struct buf *key_pem, struct error *error) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *root = X509_new();
    bool good = key != NULL && root != NULL && build_root(root, key, common_name, not_before_ms) &&
                put_root_pem(root, certificate_pem) && put_private_key(key, key_pem);
    X509_free(root);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good || error_set(error, E_CONFIG,
                             "no root certificate can be made with the name \"%s\"", common_name);
}
