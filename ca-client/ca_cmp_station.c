// SPDX-License-Identifier: Apache-2.0
// What protects the station's CMP messages, and whom it believes.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_cmp_internal.h"
#include "station/base/secret.h"

#define SECRET_MAX 256
#define CERTIFICATES_MAX 32 // in one file
#define NAME_PART_MAX 256

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

// ---- files --------------------------------------------------------------------------------------

// OpenSSL would ask for the password of an encrypted key on the terminal.
static int refuse_password(char *password, int size, int writing, void *context) {
    (void)password, (void)size, (void)writing, (void)context;
    return -1;
}

static STACK_OF(X509) * read_certificates(const char *file, struct error *error) {
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = BIO_new_file(file, "r");
    X509 *certificate = NULL;
    while (list != NULL && bio != NULL && sk_X509_num(list) < CERTIFICATES_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, refuse_password, NULL)) != NULL) {
        if (sk_X509_push(list, certificate) <= 0) {
            X509_free(certificate);
            break;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
    if (list == NULL || sk_X509_num(list) == 0) {
        error_set(error, E_CA_CONFIG, "%s holds no certificate in PEM", file);
        sk_X509_pop_free(list, X509_free);
        return NULL;
    }
    return list;
}

// ---- whom to believe ----------------------------------------------------------------------------

// At the leaf of a chain that is good otherwise: a camera's certificate leads to the same root, and
// must not sign for the CA.
static int check_signer(int good, X509_STORE_CTX *context) {
    const struct cmp_station *station =
        X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(context), 0);
    X509 *signer = X509_STORE_CTX_get0_cert(context);
    if (good != 1 || X509_STORE_CTX_get_error_depth(context) != 0 || signer == NULL) {
        return good;
    }
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(signer, NID_ext_key_usage, NULL, NULL);
    bool may = X509_check_ca(signer) == 1 ||
               (station->authority != NULL &&
                X509_NAME_cmp(X509_get_subject_name(signer), station->authority) == 0);
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        int usage = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i));
        may = may || usage == NID_cmcCA || usage == NID_cmcRA;
    }
    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    if (!may) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
    }
    return may ? 1 : 0;
}

static bool add_roots(X509_STORE *store, const char *file, struct error *error) {
    STACK_OF(X509) *roots = is_set(file) ? read_certificates(file, error) : NULL;
    bool good = roots != NULL || !is_set(file);
    for (int i = 0; good && i < sk_X509_num(roots); i++) {
        good = X509_STORE_add_cert(store, sk_X509_value(roots, i)) == 1 ||
               error_set(error, E_MEMORY, "no memory for the CA's roots");
    }
    sk_X509_pop_free(roots, X509_free);
    return good;
}

static bool read_trust(struct cmp_station *station, const struct ca_settings *settings,
                       struct error *error) {
    station->trusted = X509_STORE_new();
    if (station->trusted == NULL || X509_STORE_set_ex_data(station->trusted, 0, station) != 1) {
        return error_set(error, E_MEMORY, "no memory for the CA's roots");
    }
    X509_STORE_set_verify_cb(station->trusted, check_signer);
    return add_roots(station->trusted, settings->server_root_file, error) &&
           add_roots(station->trusted, settings->root_file, error);
}

// ---- names --------------------------------------------------------------------------------------

// Takes one "TYPE=value" off the front of a name in RFC 4514 form; \ before a character takes it as
// it is.
static bool take_name_part(const char **rest, char type[NAME_PART_MAX], char value[NAME_PART_MAX]) {
    const char *at = *rest + strspn(*rest, " ");
    size_t length = strcspn(at, "=,+");
    size_t used = 0;
    if (length == 0 || length >= NAME_PART_MAX || at[length] != '=') {
        return false;
    }
    memcpy(type, at, length);
    type[length] = '\0';
    for (at += length + 1; *at != '\0' && *at != ',' && *at != '+'; at++) {
        at += *at == '\\' && at[1] != '\0' ? 1 : 0;
        if (used + 1 == NAME_PART_MAX) {
            return false;
        }
        value[used++] = *at;
    }
    value[used] = '\0';
    *rest = *at == ',' ? at + 1 : at;
    return used > 0 && *at != '+' && (*at == '\0' || **rest != '\0');
}

// The string has the last of the name's parts first.
static X509_NAME *parse_name(const char *text) {
    char type[NAME_PART_MAX];
    char value[NAME_PART_MAX];
    X509_NAME *name = X509_NAME_new();
    bool good = name != NULL;
    while (good && *text != '\0') {
        good = take_name_part(&text, type, value) &&
               X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value,
                                          -1, 0, 0) == 1;
    }
    ERR_clear_error();
    if (!good) {
        X509_NAME_free(name);
    }
    return good ? name : NULL;
}

static bool read_authority(struct cmp_station *station, const char *text, struct error *error) {
    station->authority = is_set(text) ? parse_name(text) : NULL;
    return !is_set(text) || station->authority != NULL ||
           error_set(error, E_CA_CONFIG,
                     "authority: \"%s\" is no name like CN=Issuing CA,O=Example,C=CH", text);
}

// ---- protection ---------------------------------------------------------------------------------

static bool read_secret(struct cmp_station *station, const struct ca_settings *settings,
                        struct error *error) {
    if (!is_set(settings->username)) {
        return error_set(error, E_CA_CONFIG, "password_file goes with username, the secret's name");
    }
    station->reference = strdup(settings->username);
    return station->reference != NULL
               ? secret_read_line(settings->password_file, SECRET_MAX, &station->secret, error)
               : error_set(error, E_MEMORY, "no memory for the CA");
}

static bool read_identity(struct cmp_station *station, const struct ca_settings *settings,
                          struct error *error) {
    if (is_set(settings->password_file)) {
        return read_secret(station, settings, error);
    }
    if (!is_set(settings->client_certificate_file) || !is_set(settings->client_key_file)) {
        return error_set(error, E_CA_CONFIG,
                         "CMP messages need protection: client_certificate_file and "
                         "client_key_file, or username and password_file");
    }
    station->chain = read_certificates(settings->client_certificate_file, error);
    if (station->chain == NULL || !key_load(settings->client_key_file, &station->key, error)) {
        return false;
    }
    station->certificate = sk_X509_shift(station->chain);
    bool fits = X509_check_private_key(station->certificate, key_evp(station->key)) == 1;
    ERR_clear_error();
    return fits || error_set(error, E_CA_CONFIG, "%s is not the key of the certificate in %s",
                             key_text(station->key), settings->client_certificate_file);
}

bool cmp_station_new(const struct ca_settings *settings, struct cmp_station **out,
                     struct error *error) {
    struct cmp_station *station = calloc(1, sizeof *station);
    if (station == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!read_identity(station, settings, error) || !read_trust(station, settings, error) ||
        !read_authority(station, settings->authority, error)) {
        cmp_station_free(station);
        return false;
    }
    *out = station;
    return true;
}

void cmp_station_free(struct cmp_station *station) {
    if (station != NULL) {
        X509_free(station->certificate);
        sk_X509_pop_free(station->chain, X509_free);
        key_free(station->key);
        buf_free_secret(station->secret);
        free(station->reference);
        X509_NAME_free(station->authority);
        X509_STORE_free(station->trusted);
        free(station);
    }
}

// What goes wrong is told by errors; OpenSSL would print it.
static int say_nothing(const char *function, const char *file, int line, OSSL_CMP_severity severity,
                       const char *text) {
    (void)function, (void)file, (void)line, (void)severity, (void)text;
    return 1;
}

static bool set_protection(OSSL_CMP_CTX *context, const struct cmp_station *station) {
    if (station->secret != NULL) {
        struct slice secret = buf_slice(station->secret);
        return OSSL_CMP_CTX_set1_referenceValue(context, (const unsigned char *)station->reference,
                                                (int)strlen(station->reference)) == 1 &&
               OSSL_CMP_CTX_set1_secretValue(context, secret.data, (int)secret.length) == 1;
    }
    return OSSL_CMP_CTX_set1_cert(context, station->certificate) == 1 &&
           OSSL_CMP_CTX_set1_pkey(context, key_evp(station->key)) == 1 &&
           (sk_X509_num(station->chain) == 0 ||
            OSSL_CMP_CTX_set1_untrusted(context, station->chain) == 1);
}

OSSL_CMP_CTX *cmp_station_context(const struct cmp_station *station) {
    OSSL_CMP_CTX *context = OSSL_CMP_CTX_new(NULL, NULL);
    bool good = context != NULL && OSSL_CMP_CTX_set_log_cb(context, say_nothing) == 1 &&
                set_protection(context, station) &&
                (station->authority == NULL ||
                 OSSL_CMP_CTX_set1_recipient(context, station->authority) == 1);
    if (good && X509_STORE_up_ref(station->trusted) == 1) {
        good = OSSL_CMP_CTX_set0_trustedStore(context, station->trusted) == 1;
        if (!good) {
            X509_STORE_free(station->trusted);
        }
    }
    if (!good) {
        OSSL_CMP_CTX_free(context);
    }
    return good ? context : NULL;
}
