// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_station.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <time.h>

#include "station/base/secret.h"

#define KEY_FILE_MAX (64 * 1024)

static X509 *parse_certificate(struct slice der) {
    if (der.length == 0 || der.length > X509_OBJECT_MAX) {
        return NULL;
    }
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.length);
    if (certificate == NULL) {
        ERR_clear_error();
    }
    return certificate;
}

static bool read_time(const ASN1_TIME *time, int64_t *seconds) {
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) {
        ERR_clear_error();
        return false;
    }
    *seconds = (int64_t)timegm(&parts);
    return true;
}

// OpenSSL would ask for the password of an encrypted key on the terminal.
static int refuse_password(char *password, int size, int writing, void *context) {
    (void)password, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_key(const char *file, struct error *error) {
    struct buf *pem = NULL;
    if (!secret_read(file, KEY_FILE_MAX, &pem, error)) {
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(buf_slice(pem).data, (int)buf_length(pem));
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    buf_free_secret(pem);
    if (key == NULL) {
        ERR_clear_error();
        error_set(error, E_CA_CONFIG, "%s holds no private key in PEM without a password", file);
    }
    return key;
}

static X509 *read_certificate(const char *file, struct error *error) {
    BIO *bio = BIO_new_file(file, "r");
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    if (certificate == NULL) {
        ERR_clear_error();
        error_set(error, E_CA_CONFIG, "%s holds no certificate in PEM", file);
    }
    return certificate;
}

static bool check_pair(X509 *certificate, EVP_PKEY *key, const char *certificate_file,
                       const char *key_file, int64_t *not_after_ms, struct error *error) {
    int64_t not_after_s = 0;
    if (X509_check_private_key(certificate, key) != 1) {
        ERR_clear_error();
        return error_set(error, E_CA_CONFIG, "%s is not the key of the certificate in %s", key_file,
                         certificate_file);
    }
    if (!read_time(X509_get0_notAfter(certificate), &not_after_s)) {
        return error_set(error, E_CA_CONFIG, "%s: the validity cannot be read", certificate_file);
    }
    *not_after_ms = not_after_s * 1000;
    return true;
}

bool x509_station_check(const char *certificate_file, const char *key_file, int64_t *not_after_ms,
                        struct error *error) {
    X509 *certificate = read_certificate(certificate_file, error);
    if (certificate == NULL) {
        return false;
    }
    EVP_PKEY *key = read_key(key_file, error);
    bool good = key != NULL &&
                check_pair(certificate, key, certificate_file, key_file, not_after_ms, error);
    EVP_PKEY_free(key);
    X509_free(certificate);
    return good;
}

bool x509_identify(struct slice der, struct certificate_identity *identity, struct error *error) {
    X509 *certificate = parse_certificate(der);
    if (certificate == NULL) {
        return error_set(error, E_CERT_MALFORMED, "not a DER certificate");
    }
    unsigned char *spki = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    bool good = length > 0 && read_time(X509_get0_notBefore(certificate), &identity->not_before_s);
    if (good) {
        x509_sha256((struct slice){spki, (size_t)length}, identity->spki_sha256);
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    return good || error_set(error, E_CERT_MALFORMED, "the certificate's key or validity");
}

void x509_subject_text(struct slice der, char *out, size_t capacity) {
    out[0] = '\0';
    X509 *certificate = parse_certificate(der);
    BIO *bio = BIO_new(BIO_s_mem());
    if (certificate != NULL && bio != NULL &&
        X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        char *text = NULL;
        long length = BIO_get_mem_data(bio, &text);
        text_escape(out, capacity, text, length > 0 ? (size_t)length : 0);
    }
    BIO_free(bio);
    X509_free(certificate);
}
