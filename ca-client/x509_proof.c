// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_internal.h"
#include "protocol/message.h"

bool x509_check_proof(struct slice chain_der, struct slice nonce, uint8_t algorithm,
                      struct slice signature, struct error *error) {
    static const char context[] = "birthcert-prove-v1"; // with its NUL
    struct certificate_parts parts;
    struct slice leaf = x509_first_der(chain_der);
    uint8_t leaf_sha256[SHA256_SIZE];
    uint8_t key_type;
    bool known;
    if (!x509_split_certificate(leaf, &parts)) {
        return error_set(error, E_CAM_PROOF,
                         "the installed chain does not begin with a certificate");
    }
    EVP_PKEY *key = x509_key_from_spki(parts.spki, &key_type);
    if (key == NULL) {
        return error_set(error, E_CAM_PROOF, "the certificate's key is of no type that can prove");
    }
    x509_sha256(leaf, leaf_sha256);
    const struct signed_parts message = {
        .parts = {{(const uint8_t *)context, sizeof context}, {leaf_sha256, SHA256_SIZE}, nonce},
        .count = 3};
    bool good = x509_verify_numbered(key, key_type, algorithm, &message, signature, &known);
    EVP_PKEY_free(key);
    if (good) {
        return true;
    }
    if (!known) {
        return error_set(error, E_CAM_PROOF, "signature algorithm %u does not fit a key of type %s",
                         algorithm, key_type_name(key_type));
    }
    return error_set(error, E_CAM_PROOF,
                     "the signature does not verify with the certificate's key (%s, algorithm %u)",
                     key_type_name(key_type), algorithm);
}
