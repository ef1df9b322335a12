// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

#include "ca-client/x509_internal.h"

#define PEM_MAX (64 * 1024 * 1024) // a file with the certificates of tens of thousands of cameras

// One PEM block of a bundle. The text between blocks is anybody's comment.
static bool add_block(const char *label, const char *header, struct slice content, struct buf *der,
                      struct error *error) {
    struct certificate_parts parts;
    if (strcmp(label, PEM_STRING_X509) != 0 || header[0] != '\0') {
        return error_set(error, E_CERT_MALFORMED,
                         "a PEM block \"%s\" stands where a CERTIFICATE should", label);
    }
    if (!x509_split_certificate(content, &parts)) {
        return error_set(error, E_CERT_MALFORMED, "a PEM block holds no X.509 certificate");
    }
    if (!buf_put(der, content.data, content.length)) {
        return error_set(error, E_CERT_MALFORMED, "the PEM holds too many certificates");
    }
    return true;
}

bool x509_pem_to_der(struct slice pem, struct buf *der, struct error *error) {
    size_t count = 0;
    bool good = true;
    if (pem.length > PEM_MAX) {
        return error_set(error, E_CERT_MALFORMED, "%zu bytes of PEM, over %d", pem.length, PEM_MAX);
    }
    BIO *input = BIO_new_mem_buf(pem.length > 0 ? (const void *)pem.data : "", (int)pem.length);
    if (input == NULL) {
        return error_set(error, E_MEMORY, "no memory for PEM");
    }
    while (good) {
        char *label = NULL;
        char *header = NULL;
        unsigned char *content = NULL;
        long length = 0;
        if (PEM_read_bio(input, &label, &header, &content, &length) != 1) {
            break;
        }
        good = add_block(label, header, (struct slice){content, (size_t)length}, der, error);
        count++;
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(content);
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(input);
    ERR_clear_error();
    if (!good) {
        return false;
    }
    if (!at_end) {
        return error_set(error, E_CERT_MALFORMED, "PEM block %zu is damaged", count + 1);
    }
    return count > 0 ||
           error_set(error, E_CERT_MALFORMED, "no PEM certificate in %zu bytes", pem.length);
}

bool x509_der_to_pem(struct slice der, const char *label, struct buf *pem, struct error *error) {
    char *text = NULL;
    BIO *output = BIO_new(BIO_s_mem());
    bool good = output != NULL && der.length <= PEM_MAX &&
                PEM_write_bio(output, label, "", der.data, (long)der.length) > 0;
    if (good) {
        long length = BIO_get_mem_data(output, &text);
        good = buf_put(pem, text, (size_t)length);
    }
    BIO_free(output);
    ERR_clear_error();
    return good ||
           error_set(error, E_CERT_MALFORMED, "%zu bytes of DER do not fit as PEM", der.length);
}

void x509_sha256(struct slice data, uint8_t out[SHA256_SIZE]) {
    SHA256(data.data, data.length, out);
}
