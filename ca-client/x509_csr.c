// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/x509_internal.h"

// Names an algorithm for a person: OpenSSL's name, else the OID.
static void algorithm_text(struct slice identifier, char *out, size_t capacity) {
    const unsigned char *cursor = identifier.data;
    X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &cursor, (long)identifier.length);
    const ASN1_OBJECT *object = NULL;
    if (algorithm != NULL) {
        X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    }
    if (object == NULL || OBJ_obj2txt(out, (int)capacity, object, 0) <= 0) {
        snprintf(out, capacity, "an unknown algorithm");
    }
    X509_ALGOR_free(algorithm);
    ERR_clear_error();
}

static void key_algorithm_text(struct slice spki, char *out, size_t capacity) {
    struct der_element outer;
    struct der_element algorithm;
    snprintf(out, capacity, "an unknown algorithm");
    if (der_expect(&spki, DER_SEQUENCE, &outer) &&
        der_expect(&outer.content, DER_SEQUENCE, &algorithm)) {
        algorithm_text(algorithm.whole, out, capacity);
    }
}

// One attribute of the subject, as a label that can be compared with a serial. Empty where the
// subject has none of them; false where it has two, or one that could be read in two ways.
static bool read_attribute(const X509_NAME *subject, int nid, char out[65]) {
    out[0] = '\0';
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    if (at < 0) {
        return true;
    }
    if (X509_NAME_get_index_by_NID(subject, nid, at) >= 0) {
        return false;
    }
    unsigned char *text = NULL;
    int length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool good = length > 0 && length <= 64 && memchr(text, '\0', (size_t)length) == NULL;
    if (good) {
        memcpy(out, text, (size_t)length);
        out[length] = '\0';
        good = text_is_label(out);
    }
    OPENSSL_free(text);
    return good;
}

static bool read_subject(struct slice der, struct csr_facts *facts, struct error *error) {
    char text[X509_NAME_TEXT_SIZE];
    const unsigned char *cursor = der.data;
    X509_NAME *subject = d2i_X509_NAME(NULL, &cursor, (long)der.length);
    if (subject == NULL || cursor != der.data + der.length) {
        X509_NAME_free(subject);
        return error_set(error, E_CSR_MALFORMED, "the CSR's subject cannot be parsed");
    }
    bool good = read_attribute(subject, NID_serialNumber, facts->subject_serial) &&
                (facts->subject_serial[0] != '\0' ||
                 read_attribute(subject, NID_commonName, facts->subject_serial));
    if (!good) {
        facts->subject_serial[0] = '\0';
        x509_name_text(subject, text, sizeof text);
        error_set(error, E_CSR_MALFORMED,
                  "the CSR's subject \"%s\" does not name one serial of 1 to 64 printable "
                  "characters",
                  text);
    }
    X509_NAME_free(subject);
    return good;
}

static bool check_signature(EVP_PKEY *key, uint8_t key_type, const struct csr_parts *parts,
                            struct error *error) {
    char algorithm[80];
    bool known;
    const struct signed_parts message = {.parts = {parts->signed_part}, .count = 1};
    if (x509_verify_identified(key, key_type, parts->algorithm, &message, parts->signature,
                               &known)) {
        return true;
    }
    algorithm_text(parts->algorithm, algorithm, sizeof algorithm);
    if (!known) {
        return error_set(error, E_CSR_SIGNATURE,
                         "the CSR is signed with %s, which is not accepted for its key", algorithm);
    }
    return error_set(error, E_CSR_SIGNATURE, "the CSR's %s signature does not verify with its key",
                     algorithm);
}

bool x509_check_csr(struct slice der, struct csr_facts *facts, struct error *error) {
    struct csr_parts parts;
    *facts = (struct csr_facts){0};
    if (!x509_split_csr(der, &parts)) {
        return error_set(error, E_CSR_MALFORMED, "%zu bytes that are not one PKCS #10 request",
                         der.length);
    }
    x509_sha256(parts.spki, facts->spki_sha256);
    if (!read_subject(parts.subject, facts, error)) {
        ERR_clear_error();
        return false;
    }
    EVP_PKEY *key = x509_key_from_spki(parts.spki, &facts->key_type);
    if (key == NULL) {
        char algorithm[80];
        key_algorithm_text(parts.spki, algorithm, sizeof algorithm);
        return error_set(error, E_CSR_KEY_TYPE,
                         "the CSR's key (%s) is not P-256, P-384, Ed25519 or RSA of 2048, 3072 or "
                         "4096 bits with an exponent of at least 65537",
                         algorithm);
    }
    bool good = check_signature(key, facts->key_type, &parts, error);
    EVP_PKEY_free(key);
    return good;
}

bool x509_csr_public_key_pem(struct slice csr_der, struct buf *pem, struct error *error) {
    struct csr_parts parts;
    if (!x509_split_csr(csr_der, &parts)) {
        return error_set(error, E_CSR_MALFORMED, "%zu bytes that are not one PKCS #10 request",
                         csr_der.length);
    }
    return x509_der_to_pem(parts.spki, "PUBLIC KEY", pem, error);
}
