// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "ca-client/x509.h"

static bool put_certificate(const X509 *certificate, struct buf *der) {
    unsigned char *encoded = NULL;
    int length = i2d_X509(certificate, &encoded);
    bool done = length > 0 && buf_put(der, encoded, (size_t)length);
    OPENSSL_free(encoded);
    return done;
}

static bool put_certificates(const PKCS7 *pkcs7, struct buf *der, struct error *error) {
    if (!PKCS7_type_is_signed(pkcs7) || pkcs7->d.sign == NULL) {
        return error_set(error, E_CERT_MALFORMED, "the PKCS #7 is not of type signedData");
    }
    const STACK_OF(X509) *certificates = pkcs7->d.sign->cert;
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        if (!put_certificate(sk_X509_value(certificates, i), der)) {
            return error_set(error, E_CERT_MALFORMED, "the PKCS #7 holds too many certificates");
        }
    }
    return true;
}

bool x509_pkcs7_to_der(struct slice pkcs7_der, struct buf *der, struct error *error) {
    const unsigned char *cursor = pkcs7_der.data;
    if (pkcs7_der.length > X509_PKCS7_MAX) {
        return error_set(error, E_CERT_MALFORMED, "%zu bytes of PKCS #7, over %d", pkcs7_der.length,
                         X509_PKCS7_MAX);
    }
    PKCS7 *pkcs7 = pkcs7_der.length > 0 ? d2i_PKCS7(NULL, &cursor, (long)pkcs7_der.length) : NULL;
    bool good = pkcs7 != NULL && cursor == pkcs7_der.data + pkcs7_der.length
                    ? put_certificates(pkcs7, der, error)
                    : error_set(error, E_CERT_MALFORMED, "%zu bytes that are not one PKCS #7",
                                pkcs7_der.length);
    PKCS7_free(pkcs7);
    ERR_clear_error();
    return good;
}
