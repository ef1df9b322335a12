// SPDX-License-Identifier: Apache-2.0
#include "ca-client/bundle.h"

#include <openssl/pem.h> // first: cms.h then declares its own PEM

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "ca-client/key_openssl.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

static const char opening[] = "-----BEGIN CMS-----";

static BIO *read_bio(struct slice text) {
    return BIO_new_mem_buf(text.length > 0 ? (const void *)text.data : "", (int)text.length);
}

static bool take_bio(BIO *bio, struct buf **out, struct error *error) {
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    *out = buf_new(BUNDLE_MAX);
    if (*out == NULL || length < 0 || !buf_put(*out, data, (size_t)length)) {
        buf_free(*out);
        *out = NULL;
        return error_set(error, E_MEMORY, "no memory for a bundle");
    }
    return true;
}

// ---- signing ------------------------------------------------------------------------------------

static X509 *read_certificate(const char *file) {
    BIO *input = BIO_new_file(file, "r");
    X509 *certificate = input != NULL ? PEM_read_bio_X509(input, NULL, NULL, NULL) : NULL;
    BIO_free(input);
    return certificate;
}

static bool sign(X509 *certificate, EVP_PKEY *key, struct slice content, struct buf **pem,
                 struct error *error) {
    BIO *input = read_bio(content);
    BIO *output = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms =
        input != NULL ? CMS_sign(certificate, key, NULL, input, CMS_BINARY) : NULL;
    bool done = cms != NULL && output != NULL && PEM_write_bio_CMS(output, cms) == 1
                    ? take_bio(output, pem, error)
                    : error_set(error, E_CA_CONFIG, "the bundle cannot be signed");
    CMS_ContentInfo_free(cms);
    BIO_free(output);
    BIO_free(input);
    ERR_clear_error();
    return done;
}

bool bundle_sign(const char *certificate_file, const char *key_file, struct slice content,
                 struct buf **pem, struct error *error) {
    int64_t not_after_ms;
    *pem = NULL;
    if (!x509_station_check(certificate_file, key_file, &not_after_ms, error)) {
        return false;
    }
    if (not_after_ms <= clock_wall_ms()) {
        char end[CLOCK_TEXT_SIZE];
        clock_format_utc(end, not_after_ms);
        return error_set(error, E_CA_EXPIRED, "%s: the station's own certificate ended at %s",
                         certificate_file, end);
    }
    X509 *certificate = read_certificate(certificate_file);
    struct key *key = NULL;
    struct error why;
    bool done = certificate != NULL && key_load(key_file, &key, error) &&
                sign(certificate, key_evp(key), content, pem, error);
    if (!done && key_take_error(key, &why)) {
        *error = why; // OpenSSL only says that it could not
    }
    X509_free(certificate);
    key_free(key);
    return done;
}

// ---- opening ------------------------------------------------------------------------------------

bool bundle_is(struct slice text) {
    return text.length >= sizeof opening - 1 && memcmp(text.data, opening, sizeof opening - 1) == 0;
}

static X509_STORE *read_roots(const char *file, struct error *error) {
    X509_STORE *store = X509_STORE_new();
    if (store == NULL || X509_STORE_load_file(store, file) != 1) {
        X509_STORE_free(store);
        ERR_clear_error();
        error_set(error, E_CA_CONFIG, "%s: no certificates that can be read", file);
        return NULL;
    }
    // A station's certificate says what it is for; here it is who it is for that counts.
    X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

static bool verify(CMS_ContentInfo *cms, X509_STORE *roots, struct buf **content,
                   struct error *error) {
    BIO *output = BIO_new(BIO_s_mem());
    char reason[128] = "it is damaged";
    bool good = output != NULL && CMS_verify(cms, NULL, roots, NULL, output, CMS_BINARY) == 1;
    if (!good && ERR_peek_last_error() != 0) {
        ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
    }
    bool done = good ? take_bio(output, content, error)
                     : error_set(error, E_BUNDLE, "the bundle cannot be trusted: %s", reason);
    BIO_free(output);
    return done;
}

bool bundle_open(struct slice pem, const char *root_file, struct buf **content,
                 struct error *error) {
    *content = NULL;
    if (pem.length > BUNDLE_MAX) {
        return error_set(error, E_BUNDLE, "a bundle of more than %d bytes", BUNDLE_MAX);
    }
    X509_STORE *roots = read_roots(root_file, error);
    if (roots == NULL) {
        return false;
    }
    BIO *input = read_bio(pem);
    CMS_ContentInfo *cms = input != NULL ? PEM_read_bio_CMS(input, NULL, NULL, NULL) : NULL;
    bool done = cms != NULL ? verify(cms, roots, content, error)
                            : error_set(error, E_BUNDLE, "the bundle is damaged");
    CMS_ContentInfo_free(cms);
    BIO_free(input);
    X509_STORE_free(roots);
    ERR_clear_error();
    return done;
}
