// SPDX-License-Identifier: Apache-2.0
// Certificates as CAs' administrators send them.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "ca-client/x509_internal.h"

// ---- what cannot be read ------------------------------------------------------------------------

// A private key (RFC 5958, RFC 8017) and a PKCS #12 (RFC 7292) begin with their version. NULL where it
// may be meant as a PKCS #7.
static const char *kind_of_der(struct slice der) {
    struct csr_parts parts;
    struct der_element outer;
    struct der_element version;
    if (x509_split_csr(der, &parts)) {
        return "a CSR in DER";
    }
    bool has_version = der_expect(&der, DER_SEQUENCE, &outer) && der.length == 0 &&
                       der_expect(&outer.content, DER_INTEGER, &version) &&
                       version.content.length == 1;
    if (has_version && version.content.data[0] <= 1) {
        return "a private key in DER";
    }
    return has_version && version.content.data[0] == 3 ? "a PKCS #12" : NULL;
}

static bool fail(struct slice file, const char *kind, struct error *error) {
    return error_set(error, E_CERT_MALFORMED, "no certificates in %zu bytes: it is %s", file.length,
                     kind);
}

// ---- what can -----------------------------------------------------------------------------------

static bool put_all(struct slice rest, struct buf *der) {
    struct certificate_parts parts;
    while (rest.length > 0) {
        struct slice one = x509_first_der(rest);
        if (!x509_split_certificate(one, &parts) || !buf_put(der, one.data, one.length)) {
            return false;
        }
        rest = (struct slice){rest.data + one.length, rest.length - one.length};
    }
    return true;
}

static bool read_pkcs7(struct slice pkcs7, struct buf *der, struct error *error) {
    return x509_pkcs7_to_der(pkcs7, der, error) &&
           (buf_length(der) > 0 || fail(pkcs7, "a PKCS #7 without any", error));
}

static bool read_der(struct slice file, struct buf *der, struct error *error) {
    struct certificate_parts parts;
    if (x509_split_certificate(x509_first_der(file), &parts)) {
        return put_all(file, der) ||
               error_set(error, E_CERT_MALFORMED,
                         "behind a certificate in DER follows what is none, or too much");
    }
    const char *kind = kind_of_der(file);
    return kind != NULL ? fail(file, kind, error) : read_pkcs7(file, der, error);
}

// `openssl crl2pkcs7` and Java write this label; there is one block in such a file.
static bool read_pem_pkcs7(struct slice file, bool *is_one, struct buf *der, struct error *error) {
    char *label = NULL;
    char *header = NULL;
    unsigned char *content = NULL;
    long length = 0;
    bool done = true;
    BIO *input = BIO_new_mem_buf(file.data, (int)file.length);
    *is_one = input != NULL && PEM_read_bio(input, &label, &header, &content, &length) == 1 &&
              strcmp(label, PEM_STRING_PKCS7) == 0;
    if (*is_one) {
        done = read_pkcs7((struct slice){content, (size_t)length}, der, error);
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(content);
    BIO_free(input);
    ERR_clear_error();
    return done;
}

bool x509_file_to_der(struct slice file, struct buf *der, struct error *error) {
    static const char begin[] = "-----BEGIN ";
    bool is_pkcs7 = false;
    if (file.length > X509_FILE_MAX) {
        return error_set(error, E_CERT_MALFORMED, "%zu bytes, over %d", file.length, X509_FILE_MAX);
    }
    if (file.length > 0 && file.data[0] == DER_SEQUENCE) {
        return read_der(file, der, error);
    }
    if (file.length == 0 || memmem(file.data, file.length, begin, sizeof begin - 1) == NULL) {
        return fail(file, file.length == 0 ? "empty" : "neither PEM nor DER", error);
    }
    return read_pem_pkcs7(file, &is_pkcs7, der, error) &&
           (is_pkcs7 || x509_pem_to_der(file, der, error));
}
