// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_trial.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "ca-client/x509.h"
#include "protocol/message.h"

#define SUBJECT_MAX 1024

static EVP_PKEY *make_key(uint8_t key_type) {
    switch (key_type) {
    case KEY_P256:
        return EVP_EC_gen("P-256");
    case KEY_P384:
        return EVP_EC_gen("P-384");
    case KEY_RSA_2048:
        return EVP_RSA_gen(2048);
    case KEY_RSA_3072:
        return EVP_RSA_gen(3072);
    case KEY_RSA_4096:
        return EVP_RSA_gen(4096);
    default:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
}

static bool sign_request(EVP_PKEY *key, struct slice subject, uint8_t key_type, struct buf *csr) {
    const unsigned char *cursor = subject.data;
    unsigned char *der = NULL;
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = d2i_X509_NAME(NULL, &cursor, (long)subject.length);
    const EVP_MD *digest = key_type == KEY_ED25519 ? NULL
                           : key_type == KEY_P384  ? EVP_sha384()
                                                   : EVP_sha256();
    int length = -1;
    if (request != NULL && name != NULL && X509_REQ_set_subject_name(request, name) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, digest) > 0) {
        length = i2d_X509_REQ(request, &der);
    }
    bool good = length > 0 && buf_put(csr, der, (size_t)length);
    OPENSSL_free(der);
    X509_NAME_free(name);
    X509_REQ_free(request);
    return good;
}

bool x509_make_trial(const struct profile *profile, const struct profile_subject *subject,
                     struct buf *csr, uint8_t spki_sha256[SHA256_SIZE], struct error *error) {
    uint8_t name[SUBJECT_MAX];
    size_t length = 0;
    struct csr_facts facts;
    if (!x509_make_subject(profile, subject, name, sizeof name, &length, error)) {
        return false;
    }
    EVP_PKEY *key = make_key(profile->key_type);
    bool good =
        key != NULL && sign_request(key, (struct slice){name, length}, profile->key_type, csr);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!good) {
        return error_set(error, E_INTERNAL, "a trial CSR cannot be made");
    }
    if (!x509_check_csr(buf_slice(csr), &facts, error)) {
        return false;
    }
    memcpy(spki_sha256, facts.spki_sha256, SHA256_SIZE);
    return true;
}
