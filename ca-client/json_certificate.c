// SPDX-License-Identifier: Apache-2.0
#include "ca-client/json_certificate.h"

#include "ca-client/x509.h"

bool json_take_certificate(const json_t *member, const char *what, struct buf *der,
                           struct error *error) {
    const char *pem = json_string_value(member);
    if (pem == NULL) {
        return error_set(error, E_CA_NONSENSE, "the CA's answer to %s lacks a certificate", what);
    }
    const struct slice text = {(const uint8_t *)pem, json_string_length(member)};
    if (!x509_pem_to_der(text, der, error)) {
        error->code = error->code == E_MEMORY ? E_MEMORY : E_CA_NONSENSE;
        return error_prefix(error, "the CA's answer to %s", what);
    }
    return true;
}

bool json_take_certificates(const json_t *list, const char *what, struct buf *der,
                            struct error *error) {
    size_t i;
    json_t *member;
    json_array_foreach((json_t *)list, i, member) {
        if (!json_take_certificate(member, what, der, error)) {
            return false;
        }
    }
    return true;
}
