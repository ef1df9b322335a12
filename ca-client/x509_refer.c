// SPDX-License-Identifier: Apache-2.0
#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "ca-client/x509_internal.h"
#include "ca-client/x509_station.h"

static bool write_serial(const X509 *certificate, struct certificate_reference *reference) {
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number != NULL ? BN_bn2dec(number) : NULL;
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    bool good = text != NULL && text[0] != '-' && hex != NULL &&
                text_copy(reference->serial, sizeof reference->serial, text) &&
                text_copy(reference->serial_hex, sizeof reference->serial_hex, hex);
    OPENSSL_free(text);
    OPENSSL_free(hex);
    BN_free(number);
    return good;
}

static bool write_key_id(X509 *certificate, char out[2 * X509_KEY_ID_MAX + 1]) {
    const ASN1_OCTET_STRING *id = X509_get0_authority_key_id(certificate);
    int length = id != NULL ? ASN1_STRING_length(id) : 0;
    if (length > X509_KEY_ID_MAX) {
        return false;
    }
    hex_encode(out, length > 0 ? ASN1_STRING_get0_data(id) : (const uint8_t *)"", (size_t)length);
    return true;
}

bool x509_refer(struct slice der, struct certificate_reference *reference, struct error *error) {
    X509 *certificate = x509_decode(der, "the certificate", error);
    if (certificate == NULL) {
        return false;
    }
    bool good = write_serial(certificate, reference) &&
                write_key_id(certificate, reference->authority_key_id) &&
                x509_time_ms(X509_get0_notAfter(certificate), &reference->not_after_ms);
    X509_free(certificate);
    return good || error_set(error, E_CERT_MALFORMED, "the certificate's serial, issuer or end");
}

bool x509_make_alternative_names(const struct names *names, struct buf *der, struct error *error) {
    uint8_t out[X509_ALTERNATIVE_NAMES_MAX];
    struct der_writer writer;
    der_writer_init(&writer, out, sizeof out);
    x509_put_alternative_names(&writer, names);
    return (!writer.failed && buf_put(der, out, writer.used)) ||
           error_set(error, E_INTERNAL, "a subjectAltName does not fit %zu bytes", sizeof out);
}
