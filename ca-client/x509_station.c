// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_station.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "ca-client/key_openssl.h"
#include "ca-client/x509_internal.h"

#define TRUST_FILE_MAX (256 * 1024)

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

// OpenSSL would ask for the password of an encrypted file on the terminal.
static int refuse_password(char *password, int size, int writing, void *context) {
    (void)password, (void)size, (void)writing, (void)context;
    return -1;
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

static bool check_pair(X509 *certificate, const struct key *key, const char *certificate_file,
                       int64_t *not_after_ms, struct error *error) {
    int64_t not_after_s = 0;
    if (X509_check_private_key(certificate, key_evp(key)) != 1) {
        ERR_clear_error();
        return error_set(error, E_CA_CONFIG, "%s is not the key of the certificate in %s",
                         key_text(key), certificate_file);
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
    struct key *key = NULL;
    bool good = key_load(key_file, &key, error) &&
                check_pair(certificate, key, certificate_file, not_after_ms, error);
    key_free(key);
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
        identity->is_ca = X509_check_ca(certificate) != 0;
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    return good || error_set(error, E_CERT_MALFORMED, "the certificate's key or validity");
}

static bool read_public_file(const char *file, struct buf **out, struct error *error) {
    uint8_t part[4096];
    int length = 0;
    BIO *bio = BIO_new_file(file, "r");
    *out = buf_new(TRUST_FILE_MAX);
    bool good = bio != NULL && *out != NULL;
    while (good && (length = BIO_read(bio, part, sizeof part)) > 0) {
        good = buf_put(*out, part, (size_t)length);
    }
    BIO_free(bio);
    ERR_clear_error();
    return good || error_set(error, E_CA_CONFIG, "%s cannot be read", file);
}

static bool check_leads_to(struct x509_trust *trust, struct slice chain_der, int64_t time_ms,
                           struct error *error) {
    char subject[128];
    STACK_OF(X509) *verified = NULL;
    struct slice first = x509_first_der(chain_der);
    X509 *issuer = x509_decode(first, "the CA's trust chain", error);
    if (issuer == NULL) {
        return false;
    }
    const struct slice rest = {first.data + first.length, chain_der.length - first.length};
    bool good = x509_trust_verify(trust, issuer, rest, time_ms, &verified, error);
    sk_X509_pop_free(verified, X509_free);
    x509_name_text(X509_get_subject_name(issuer), subject, sizeof subject);
    X509_free(issuer);
    if (!good && error->code != E_MEMORY) {
        const char *what =
            error->code == E_CERT_WEAK ? "which is too weak" : "root_file does not hold it";
        error->code = E_CA_CONFIG;
        error_prefix(error, "the CA issues under \"%s\", %s", subject, what);
    }
    return good;
}

bool x509_check_issuer(const char *root_file, const char *intermediates_file,
                       struct slice chain_der, int64_t time_ms, struct error *error) {
    struct buf *roots = NULL;
    struct buf *intermediates = NULL;
    struct x509_trust *trust = NULL;
    if (chain_der.length == 0) {
        return true;
    }
    bool good =
        read_public_file(root_file, &roots, error) &&
        (intermediates_file == NULL ||
         read_public_file(intermediates_file, &intermediates, error)) &&
        x509_trust_new(buf_slice(roots),
                       intermediates != NULL ? buf_slice(intermediates) : (struct slice){NULL, 0},
                       &trust, error) &&
        check_leads_to(trust, chain_der, time_ms, error);
    x509_trust_free(trust);
    buf_free(intermediates);
    buf_free(roots);
    return good;
}

void x509_subject_text(struct slice der, char *out, size_t capacity) {
    out[0] = '\0';
    X509 *certificate = parse_certificate(der);
    if (certificate != NULL) {
        x509_name_text(X509_get_subject_name(certificate), out, capacity);
    }
    X509_free(certificate);
}
