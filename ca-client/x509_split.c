// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include "ca-client/x509_internal.h"
#include "ca-client/x509_openssl.h"

// The bits of a BIT STRING that is made of whole bytes.
static bool take_bits(struct slice *rest, struct slice *bits) {
    struct der_element element;
    if (!der_expect(rest, DER_BIT_STRING, &element) || element.content.length < 1 ||
        element.content.data[0] != 0) {
        return false;
    }
    *bits = (struct slice){element.content.data + 1, element.content.length - 1};
    return true;
}

static bool take_whole(struct slice *rest, uint8_t tag, struct slice *whole) {
    struct der_element element;
    if (!der_expect(rest, tag, &element)) {
        return false;
    }
    *whole = element.whole;
    return true;
}

// SIGNED{...} (X.509, section 6.2.1): what is signed, the algorithm, the signature, and no more.
static bool split_signed(struct slice der, struct der_element *signed_part, struct slice *algorithm,
                         struct slice *signature) {
    struct der_element outer;
    if (der.length > X509_OBJECT_MAX || !der_expect(&der, DER_SEQUENCE, &outer) ||
        der.length != 0) {
        return false;
    }
    struct slice rest = outer.content;
    return der_expect(&rest, DER_SEQUENCE, signed_part) &&
           take_whole(&rest, DER_SEQUENCE, algorithm) && take_bits(&rest, signature) &&
           rest.length == 0;
}

// Attributes are read by nobody, but what is not well-formed would come back from a CA as a riddle.
static bool skip_attributes(struct slice *rest) {
    struct der_element attributes;
    struct der_element attribute;
    if (rest->length == 0) {
        return true; // RFC 2986 wants them, and everybody takes a CSR without
    }
    if (!der_expect(rest, DER_CONTEXT_CONSTRUCTED, &attributes)) {
        return false;
    }
    while (der_expect(&attributes.content, DER_SEQUENCE, &attribute)) {
    }
    return attributes.content.length == 0;
}

bool x509_split_csr(struct slice der, struct csr_parts *parts) {
    struct der_element info;
    struct der_element version;
    if (!split_signed(der, &info, &parts->algorithm, &parts->signature)) {
        return false;
    }
    parts->signed_part = info.whole;
    struct slice rest = info.content;
    return der_expect(&rest, DER_INTEGER, &version) && version.content.length == 1 &&
           version.content.data[0] == 0 && take_whole(&rest, DER_SEQUENCE, &parts->subject) &&
           take_whole(&rest, DER_SEQUENCE, &parts->spki) && skip_attributes(&rest) &&
           rest.length == 0;
}

bool x509_split_certificate(struct slice der, struct certificate_parts *parts) {
    struct der_element tbs;
    struct der_element element;
    struct slice algorithm;
    struct slice signature;
    if (!split_signed(der, &tbs, &algorithm, &signature)) {
        return false;
    }
    struct slice rest = tbs.content;
    (void)der_expect(&rest, DER_CONTEXT_CONSTRUCTED, &element); // version; absent in version 1
    if (!der_expect(&rest, DER_INTEGER, &element) || element.content.length == 0) {
        return false;
    }
    parts->serial = element.content;
    for (int i = 0; i < 4; i++) { // signature, issuer, validity, subject
        if (!der_expect(&rest, DER_SEQUENCE, &element)) {
            return false;
        }
    }
    return take_whole(&rest, DER_SEQUENCE, &parts->spki);
}

X509 *x509_decode(struct slice der, const char *what, struct error *error) {
    struct certificate_parts parts;
    const unsigned char *cursor = der.data;
    X509 *certificate =
        x509_split_certificate(der, &parts) ? d2i_X509(NULL, &cursor, (long)der.length) : NULL;
    ERR_clear_error();
    if (certificate == NULL || cursor != der.data + der.length) {
        X509_free(certificate);
        error_set(error, E_CERT_MALFORMED, "%s: %zu bytes that are not one X.509 certificate", what,
                  der.length);
        return NULL;
    }
    return certificate;
}

X509_REQ *x509_decode_csr(struct slice der, struct error *error) {
    struct csr_parts parts;
    const unsigned char *cursor = der.data;
    X509_REQ *csr =
        x509_split_csr(der, &parts) ? d2i_X509_REQ(NULL, &cursor, (long)der.length) : NULL;
    ERR_clear_error();
    if (csr == NULL) {
        error_set(error, E_CSR_MALFORMED, "%zu bytes that are not one PKCS #10 request",
                  der.length);
    }
    return csr;
}

struct slice x509_first_der(struct slice der) {
    struct der_element element;
    return der_next(&der, &element) ? element.whole : (struct slice){NULL, 0};
}
