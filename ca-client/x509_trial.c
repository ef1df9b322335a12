// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_trial.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "ca-client/x509_internal.h"
#include "protocol/message.h"

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

static bool add_alternative_names(X509_REQ *request, const struct names *names) {
    uint8_t out[X509_ALTERNATIVE_NAMES_MAX];
    struct der_writer writer;
    der_writer_init(&writer, out, sizeof out);
    x509_put_alternative_names(&writer, names);
    if (writer.failed || writer.used == 0) {
        return !writer.failed;
    }
    X509_EXTENSIONS *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *extension =
        x509_new_extension(NID_subject_alt_name, false, (struct slice){out, writer.used});
    bool good = extensions != NULL && extension != NULL &&
                sk_X509_EXTENSION_push(extensions, extension) > 0 &&
                X509_REQ_add_extensions(request, extensions) == 1;
    X509_EXTENSION_free(extension);
    sk_X509_EXTENSION_free(extensions);
    return good;
}

static bool sign_request(EVP_PKEY *key, const struct names *names, uint8_t key_type,
                         struct buf *csr) {
    unsigned char *der = NULL;
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = x509_new_subject(names);
    const EVP_MD *digest = key_type == KEY_ED25519 ? NULL
                           : key_type == KEY_P384  ? EVP_sha384()
                                                   : EVP_sha256();
    int length = -1;
    if (request != NULL && subject != NULL && X509_REQ_set_subject_name(request, subject) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && add_alternative_names(request, names) &&
        X509_REQ_sign(request, key, digest) > 0) {
        length = i2d_X509_REQ(request, &der);
    }
    bool good = length > 0 && buf_put(csr, der, (size_t)length);
    OPENSSL_free(der);
    X509_NAME_free(subject);
    X509_REQ_free(request);
    return good;
}

bool x509_make_trial(const struct profile *profile, const struct profile_subject *subject,
                     struct buf *csr, uint8_t spki_sha256[SHA256_SIZE], struct error *error) {
    struct names names;
    struct csr_facts facts;
    if (!names_fill(profile, subject, &names, error)) {
        return false;
    }
    EVP_PKEY *key = make_key(profile->key_type);
    bool good = key != NULL && sign_request(key, &names, profile->key_type, csr);
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
