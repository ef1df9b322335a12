// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ca-client/key.h"
#include "ca-client/key_openssl.h"
#include "ca-client/site.h"
#include "ca-client/x509_station.h"
#include "tests/support_folder.h"
#include "tests/support_pki.h"
#include "tests/support_token.h"

#define ANY "token=station;object=mtls"

static void set_up(void) {
    folder_make();
    token_start(folder_name);
    token_add("station");
}

static void tear_down(void) {
    folder_remove();
}

// What a key's own administrator would do: puts it into the token, and keeps the other half.
static EVP_PKEY *put_key(const char *kind, const char *object, const char *id) {
    EVP_PKEY *key = pki_key(kind);
    token_put_key("station", key, object, id);
    return key;
}

static struct key *load(const char *what) {
    char uri[512];
    struct key *key = NULL;
    struct error error = {0};
    token_uri(what, uri);
    ck_assert_msg(key_load(uri, &key, &error), "%s %s", error_code_text(error.code), error.text);
    return key;
}

static X509 *certify(EVP_PKEY *key, EVP_PKEY *signer) {
    const struct pki_spec spec = {.key = key,
                                  .issuer_key = signer,
                                  .subject = {{"CN", "station"}},
                                  .not_before_ms = INT64_C(1577836800000),
                                  .not_after_ms = PKI_FOREVER_MS};
    return pki_certificate(&spec);
}

static bool signs(struct key *key, EVP_PKEY *own) {
    X509 *certificate = X509_new();
    bool good = X509_set_pubkey(certificate, own) == 1 &&
                X509_sign(certificate, key_evp(key), EVP_sha256()) > 0;
    ck_assert(!good || X509_verify(certificate, own) == 1);
    X509_free(certificate);
    ERR_clear_error();
    return good;
}

// ---- what a key in a token does ------------------------------------------------------------------

static const char *const kinds[] = {"P-256", "P-384", "P-521", "RSA-2048", "RSA-3072"};
static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};

START_TEST(signs_certificates) {
    EVP_PKEY *own = put_key(kinds[_i], "mtls", "01");
    struct key *key = load(ANY);
    ck_assert_str_eq(key_text(key), "key mtls in token station");
    ck_assert_int_eq(EVP_PKEY_eq(key_evp(key), own), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(digests); i++) {
        X509 *certificate = certify(own, own);
        ck_assert_int_gt(X509_sign(certificate, key_evp(key), EVP_get_digestbyname(digests[i])), 0);
        ck_assert_uint_eq(ERR_peek_error(), 0);
        ck_assert_int_eq(X509_verify(certificate, own), 1);
        ck_assert_int_eq(X509_check_private_key(certificate, key_evp(key)), 1);
        X509_free(certificate);
    }
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// Both ends in memory.
static void shake_hands(SSL *client, SSL *server) {
    BIO *ends[2];
    int done = 0;
    ck_assert_int_eq(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0), 1);
    SSL_set_bio(client, ends[0], ends[0]);
    SSL_set_bio(server, ends[1], ends[1]);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 10 && done != 2; i++) {
        done = (SSL_do_handshake(client) == 1) + (SSL_do_handshake(server) == 1);
    }
    ck_assert_msg(done == 2, "%s", ERR_reason_error_string(ERR_peek_error()));
}

static const struct {
    const char *kind;
    int version;
    int signature;
} handshakes[] = {{"P-256", TLS1_3_VERSION, NID_X9_62_id_ecPublicKey},
                  {"P-256", TLS1_2_VERSION, NID_X9_62_id_ecPublicKey},
                  {"P-384", TLS1_3_VERSION, NID_X9_62_id_ecPublicKey},
                  {"RSA-2048", TLS1_3_VERSION, NID_rsassaPss},
                  {"RSA-2048", TLS1_2_VERSION, NID_rsassaPss}};

START_TEST(proves_itself_in_tls) {
    char file[160];
    int signature = 0;
    EVP_PKEY *own = put_key(handshakes[_i].kind, "mtls", "01");
    struct key *key = load(ANY);
    X509 *certificate = certify(own, own);
    struct buf *pem = pki_pem(certificate);
    pki_write_file(folder_name, "station.pem", 0644, buf_slice(pem), file);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(client, handshakes[_i].version);
    ck_assert(key_use_in_tls(key, file, client));
    ck_assert_int_eq(SSL_CTX_use_certificate(server, certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(server, own), 1);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), certificate);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL *client_end = SSL_new(client);
    SSL *server_end = SSL_new(server);
    shake_hands(client_end, server_end);
    ck_assert_int_eq(SSL_version(server_end), handshakes[_i].version);
    ck_assert_int_eq(X509_cmp(SSL_get0_peer_certificate(server_end), certificate), 0);
    ck_assert_int_eq(SSL_get_peer_signature_type_nid(server_end, &signature), 1);
    ck_assert_int_eq(signature, handshakes[_i].signature);
    SSL_free(client_end);
    SSL_free(server_end);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    buf_free(pem);
    X509_free(certificate);
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

START_TEST(never_leaves_the_token) {
    EVP_PKEY *own = put_key(_i == 0 ? "P-256" : "RSA-2048", "mtls", "01");
    struct key *key = load(ANY);
    unsigned char *der = NULL;
    BIGNUM *secret = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    ck_assert_int_le(i2d_PrivateKey(key_evp(key), &der), 0);
    ck_assert_ptr_null(der);
    ck_assert_int_ne(PEM_write_bio_PrivateKey(out, key_evp(key), NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_ne(EVP_PKEY_get_bn_param(key_evp(key), _i == 0 ? "priv" : "d", &secret), 1);
    BIO_free(out);
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// A module is one for the whole process: who is done with it must not end it for the others.
START_TEST(two_keys_do_not_disturb_each_other) {
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    EVP_PKEY *other = put_key("RSA-2048", "signing", "02");
    struct key *key = load(ANY);
    struct key *signing = load("token=station;id=%02");
    ck_assert(signs(signing, other));
    key_free(signing);
    ck_assert(signs(key, own));
    struct key *again = load(ANY);
    key_free(key);
    ck_assert(signs(again, own));
    key_free(again);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
}
END_TEST

START_TEST(in_a_file_as_before) {
    char path[160];
    char file[160];
    struct key *key = NULL;
    struct error error = {0};
    EVP_PKEY *own = pki_key("P-256");
    struct buf *pem = pki_key_pem(own);
    pki_write_file(folder_name, "station.key", 0600, buf_slice(pem), path);
    ck_assert(key_load(path, &key, &error));
    ck_assert_str_eq(key_text(key), path);
    ck_assert(signs(key, own));
    ck_assert(!key_take_error(key, &error) && !key_take_error(NULL, &error));
    key_free(key);
    ck_assert(key_check_file(path, file, sizeof file, &error));
    ck_assert_str_eq(file, path);
    pki_write_file(folder_name, "station.key", 0640, buf_slice(pem), path);
    ck_assert(!key_load(path, &key, &error));
    ck_assert_int_eq(error.code, E_SECRET_EXPOSED);
    ck_assert_ptr_null(key);
    ck_assert(!key_check_file(path, file, sizeof file, &error));
    key_free(NULL);
    buf_free(pem);
    EVP_PKEY_free(own);
}
END_TEST

// ---- what goes wrong ----------------------------------------------------------------------------

static void expect_no_key(const char *uri, enum error_code code, const char *part) {
    struct key *key = NULL;
    struct error error = {0};
    ck_assert(!key_load(uri, &key, &error));
    ck_assert_ptr_null(key);
    ck_assert_msg(error.code == code, "%s %s", error_code_text(error.code), error.text);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

static void expect_none(const char *what, enum error_code code, const char *part) {
    char uri[512];
    token_uri(what, uri);
    expect_no_key(uri, code, part);
}

START_TEST(names_what_is_not_there) {
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    expect_none("token=other;object=mtls", E_KEY_TOKEN, "there is no token other");
    expect_none("token=station;object=none", E_KEY_OBJECT, "no private key that fits");
    expect_no_key("pkcs11:token=station?module-path=/nowhere.so", E_KEY_TOKEN, "/nowhere.so");
    token_put_key("station", own, "mtls", "02");
    expect_none(ANY, E_KEY_OBJECT, "more than one private key");
    key_free(load("token=station;object=mtls;id=%02"));
    token_add("station");
    expect_none(ANY, E_KEY_TOKEN, "2 tokens fit station");
    EVP_PKEY_free(own);
}
END_TEST

START_TEST(names_what_cannot_be_used) {
    static const char *const unfit[] = {"secp256k1", "RSA-1024", "ED25519"};
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    for (size_t i = 0; i < ARRAY_LENGTH(unfit); i++) {
        char what[64];
        char id[8];
        snprintf(id, sizeof id, "%02zu", 10 + i);
        snprintf(what, sizeof what, "token=station;object=%s", unfit[i]);
        EVP_PKEY_free(put_key(unfit[i], unfit[i], id));
        expect_none(what, E_KEY_OBJECT, unfit[i]);
    }
    token_delete("station", CKO_PUBLIC_KEY);
    expect_none(ANY, E_KEY_OBJECT, "no public key with the same id");
    EVP_PKEY_free(own);
}
END_TEST

START_TEST(certificate_of_another_key) {
    char uri[512];
    char file[160];
    int64_t end_ms = 0;
    struct error error = {0};
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    EVP_PKEY *other = pki_key("P-256");
    struct key *key = load(ANY);
    X509 *certificate = certify(other, other);
    struct buf *pem = pki_pem(certificate);
    pki_write_file(folder_name, "station.pem", 0644, buf_slice(pem), file);
    token_uri(ANY, uri);
    ck_assert(!x509_station_check(file, uri, &end_ms, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    ck_assert_msg(strstr(error.text, "key mtls in token station is not the key of") != NULL, "%s",
                  error.text);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    ck_assert(!key_use_in_tls(key, file, context));
    ck_assert(!key_use_in_tls(key, "/nowhere", context));
    SSL_CTX_free(context);
    key_free(key);
    buf_free(pem);
    X509_free(certificate);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
}
END_TEST

// ---- the PIN ------------------------------------------------------------------------------------

static CK_C_Login real_login;
static CK_C_GetTokenInfo real_information;
static int login_count;
static CK_FLAGS extra_flags;

static CK_RV count_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin,
                         CK_ULONG length) {
    login_count++;
    return real_login(session, user, pin, length);
}

static CK_RV add_flags(CK_SLOT_ID slot, CK_TOKEN_INFO *information) {
    CK_RV result = real_information(slot, information);
    information->flags |= extra_flags;
    return result;
}

static void watch_logins(void) {
    CK_FUNCTION_LIST *functions = token_functions();
    login_count = 0;
    extra_flags = 0;
    real_login = functions->C_Login;
    real_information = functions->C_GetTokenInfo;
    functions->C_Login = count_login;
    functions->C_GetTokenInfo = add_flags;
}

static void write_pin(const char *pin, mode_t mode, char path[160]) {
    pki_write_file(folder_name, "other.pin", mode,
                   (struct slice){(const uint8_t *)pin, strlen(pin)}, path);
}

START_TEST(a_wrong_pin_is_tried_once) {
    char pin_file[160];
    char uri[512];
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    write_pin("314159\n", 0600, pin_file);
    token_uri_with_pin(ANY, pin_file, uri);
    watch_logins();
    expect_no_key(uri, E_KEY_PIN, pin_file);
    ck_assert_int_eq(login_count, 1);
    EVP_PKEY_free(own);
}
END_TEST

static const struct {
    CK_FLAGS flags;
    const char *part;
} worn_pins[] = {{CKF_USER_PIN_LOCKED, "locked"}, {CKF_USER_PIN_FINAL_TRY, "one try"}};

START_TEST(the_last_try_is_left_to_a_person) {
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    watch_logins();
    extra_flags = worn_pins[_i].flags;
    expect_none(ANY, E_KEY_PIN, worn_pins[_i].part);
    ck_assert_int_eq(login_count, 0);
    extra_flags = CKF_USER_PIN_COUNT_LOW;
    key_free(load(ANY));
    ck_assert_int_eq(login_count, 1);
    EVP_PKEY_free(own);
}
END_TEST

START_TEST(the_pin_is_a_secret_file) {
    char pin_file[160];
    char uri[512];
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    watch_logins();
    write_pin(TOKEN_PIN, 0644, pin_file);
    token_uri_with_pin(ANY, pin_file, uri);
    expect_no_key(uri, E_SECRET_EXPOSED, "pin-source");
    token_uri_with_pin(ANY, "/nowhere/pin", uri);
    expect_no_key(uri, E_SECRET_MISSING, "/nowhere/pin");
    token_uri_with_pin(ANY, NULL, uri);
    expect_no_key(uri, E_KEY_PIN, "pin-source=FILE");
    ck_assert_int_eq(login_count, 0);
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder_name, 1), 0);
    token_uri_with_pin(ANY, "credential:pin", uri);
    struct key *key = NULL;
    struct error error = {0};
    ck_assert_msg(key_load(uri, &key, &error), "%s", error.text);
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// ---- a token that comes and goes ----------------------------------------------------------------

START_TEST(signs_again_after_it_was_taken_out) {
    EVP_PKEY *own = put_key(_i == 0 ? "P-256" : "RSA-2048", "mtls", "01");
    struct key *key = load(ANY);
    struct error error;
    ck_assert(signs(key, own));
    token_close_sessions();
    ck_assert(signs(key, own));
    ck_assert(!key_take_error(key, &error));
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// The file may be changed under a station that runs; nothing that signs may use up the tries.
START_TEST(a_pin_that_turned_wrong_is_tried_once) {
    char pin_file[160];
    char uri[512];
    struct key *key = NULL;
    struct error error = {0};
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    write_pin(TOKEN_PIN, 0600, pin_file);
    token_uri_with_pin(ANY, pin_file, uri);
    watch_logins();
    ck_assert(key_load(uri, &key, &error));
    ck_assert_int_eq(login_count, 1);
    write_pin("314159", 0600, pin_file);
    token_close_sessions();
    for (int i = 0; i < 3; i++) {
        ck_assert(!signs(key, own));
        ck_assert(key_take_error(key, &error));
        ck_assert_msg(error.code == E_KEY_PIN, "%s", error.text);
        ck_assert(!key_take_error(key, &error));
        ck_assert_int_eq(login_count, 2);
    }
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// A CA is looked at for each of its profiles, and again while it is out.
START_TEST(reports_try_a_wrong_pin_once) {
    char certificate[160];
    char pin_file[160];
    char uri[512];
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    X509 *made = certify(own, own);
    struct buf *pem = pki_pem(made);
    pki_write_file(folder_name, "station.pem", 0644, buf_slice(pem), certificate);
    write_pin("314159", 0600, pin_file);
    token_uri_with_pin(ANY, pin_file, uri);
    struct site site = {.certificate_file = certificate, .key_file = uri};
    watch_logins();
    for (int i = 0; i < 2; i++) {
        struct ca_report report = {0};
        site_report_station(&site, &report);
        ck_assert(report.error.code == E_KEY_PIN && login_count == 1);
    }
    buf_free(pem);
    X509_free(made);
    EVP_PKEY_free(own);
}
END_TEST

START_TEST(another_key_in_its_place_is_refused) {
    struct error error = {0};
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    EVP_PKEY *other = pki_key("P-256");
    struct key *key = load(ANY);
    CK_FUNCTION_LIST *functions = token_functions();
    ck_assert(functions->C_Finalize(NULL) == CKR_OK);
    token_delete("station", CKO_PRIVATE_KEY);
    token_delete("station", CKO_PUBLIC_KEY);
    token_put_key("station", other, "mtls", "01");
    ck_assert(functions->C_Initialize(NULL) == CKR_OK);
    ck_assert(!signs(key, own));
    ck_assert(key_take_error(key, &error));
    ck_assert_msg(error.code == E_KEY_OBJECT && strstr(error.text, "another one than before"), "%s",
                  error.text);
    ck_assert(!signs(key, own));
    key_free(key);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
}
END_TEST

static CK_C_GetAttributeValue real_attributes;
static bool reads_badly;

static CK_RV read_badly(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *all,
                        CK_ULONG count) {
    return reads_badly ? CKR_DEVICE_ERROR : real_attributes(session, object, all, count);
}

// A loose contact: nothing is signed by what was not looked at.
START_TEST(the_key_is_still_known_after_a_bad_look) {
    EVP_PKEY *own = put_key("P-256", "mtls", "01");
    CK_FUNCTION_LIST *functions = token_functions();
    real_attributes = functions->C_GetAttributeValue;
    functions->C_GetAttributeValue = read_badly;
    struct key *key = load(ANY);
    ck_assert(functions->C_Finalize(NULL) == CKR_OK);
    if (_i == 1) {
        token_delete("station", CKO_PRIVATE_KEY);
        token_delete("station", CKO_PUBLIC_KEY);
        EVP_PKEY_free(put_key("P-256", "mtls", "01"));
    }
    ck_assert(functions->C_Initialize(NULL) == CKR_OK);
    reads_badly = true;
    ck_assert(!signs(key, own));
    reads_badly = false;
    ck_assert(signs(key, own) == (_i == 0));
    key_free(key);
    EVP_PKEY_free(own);
}
END_TEST

// ---- URIs ---------------------------------------------------------------------------------------

static const struct {
    const char *uri;
    const char *want;
} good_uris[] = {
    {"pkcs11:token=station;object=mtls", "pkcs11:token=station;object=mtls"},
    {"pkcs11:token=a%20b;id=%01%02", "pkcs11:token=a%20b;id=%01%02"},
    {"pkcs11:token=t;type=private?pin-source=pin",
     "pkcs11:token=t;type=private?pin-source=%2Fetc%2Fbench%2Fpin"},
    {"pkcs11:token=t?pin-source=/run/pin", "pkcs11:token=t?pin-source=%2Frun%2Fpin"},
    {"pkcs11:token=t?pin-source=file:/run/pin", "pkcs11:token=t?pin-source=%2Frun%2Fpin"},
    {"pkcs11:token=t?pin-source=file:///run/pin", "pkcs11:token=t?pin-source=%2Frun%2Fpin"},
    {"pkcs11:token=t?pin-source=credential:pin", "pkcs11:token=t?pin-source=credential%3Apin"},
    {"pkcs11:token=t?module-path=/usr/lib/m.so", "pkcs11:token=t?module-path=%2Fusr%2Flib%2Fm.so"},
};

START_TEST(good_uri) {
    char out[KEY_NAME_MAX];
    struct error error = {0};
    ck_assert(key_is_uri(good_uris[_i].uri));
    ck_assert_msg(key_uri_resolve(good_uris[_i].uri, "/etc/bench/", out, sizeof out, &error), "%s",
                  error.text);
    ck_assert_str_eq(out, good_uris[_i].want);
    ck_assert(key_uri_resolve(out, "/elsewhere/", out, sizeof out, &error));
    ck_assert_str_eq(out, good_uris[_i].want);
}
END_TEST

static const struct {
    const char *uri;
    const char *part;
} bad_uris[] = {
    {"pkcs11:token=t?pin-value=271828", "pin-source=FILE"},
    {"pkcs11:token=t;object=o?pin-source=f&pin-value=271828", "pin-source=FILE"},
    {"pkcs11:token=t?pin-source=|echo%20271828", "must name a file"},
    {"pkcs11:token=t?pin-source=", "must name a file"},
    {"pkcs11:token=t;pin=271828", "not known"},
    {"pkcs11:tokn=271828", "not known"},
    {"pkcs11:token=%zz271828", "cannot be read"},
    {"pkcs11:token=t;type=cert", "type must be private"},
    {"pkcs11:token=t?module-name=softhsm2", "module-path"},
};

START_TEST(bad_uri_is_not_repeated) {
    char out[KEY_NAME_MAX];
    struct error error = {0};
    struct key *key = NULL;
    ck_assert(!key_uri_resolve(bad_uris[_i].uri, "", out, sizeof out, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
    ck_assert_msg(strstr(error.text, bad_uris[_i].part) != NULL, "%s", error.text);
    ck_assert_ptr_null(strstr(error.text, "271828"));
    ck_assert(!key_load(bad_uris[_i].uri, &key, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
}
END_TEST

START_TEST(checks_the_pin_file_without_the_token) {
    char uri[512];
    char file[160];
    char pin_file[160];
    struct error error = {0};
    write_pin(TOKEN_PIN, 0600, pin_file);
    token_uri_with_pin("token=nowhere", pin_file, uri);
    ck_assert(key_check_file(uri, file, sizeof file, &error));
    ck_assert_str_eq(file, pin_file);
    write_pin(TOKEN_PIN, 0604, pin_file);
    ck_assert(!key_check_file(uri, file, sizeof file, &error));
    ck_assert_int_eq(error.code, E_SECRET_EXPOSED);
    ck_assert(key_check_file("pkcs11:token=t", file, sizeof file, &error));
    ck_assert_str_eq(file, "");
}
END_TEST

static Suite *key_suite(void) {
    Suite *suite = suite_create("key");
    TCase *token = tcase_create("token");
    tcase_set_timeout(token, 60);
    tcase_add_checked_fixture(token, set_up, tear_down);
    tcase_add_loop_test(token, signs_certificates, 0, ARRAY_LENGTH(kinds));
    tcase_add_loop_test(token, proves_itself_in_tls, 0, ARRAY_LENGTH(handshakes));
    tcase_add_loop_test(token, never_leaves_the_token, 0, 2);
    tcase_add_test(token, two_keys_do_not_disturb_each_other);
    tcase_add_test(token, in_a_file_as_before);
    tcase_add_test(token, names_what_is_not_there);
    tcase_add_test(token, names_what_cannot_be_used);
    tcase_add_test(token, certificate_of_another_key);
    tcase_add_test(token, a_wrong_pin_is_tried_once);
    tcase_add_loop_test(token, the_last_try_is_left_to_a_person, 0, ARRAY_LENGTH(worn_pins));
    tcase_add_test(token, the_pin_is_a_secret_file);
    tcase_add_loop_test(token, signs_again_after_it_was_taken_out, 0, 2);
    tcase_add_test(token, a_pin_that_turned_wrong_is_tried_once);
    tcase_add_test(token, reports_try_a_wrong_pin_once);
    tcase_add_loop_test(token, the_key_is_still_known_after_a_bad_look, 0, 2);
    tcase_add_test(token, another_key_in_its_place_is_refused);
    tcase_add_test(token, checks_the_pin_file_without_the_token);
    suite_add_tcase(suite, token);
    TCase *uri = tcase_create("uri");
    tcase_add_loop_test(uri, good_uri, 0, ARRAY_LENGTH(good_uris));
    tcase_add_loop_test(uri, bad_uri_is_not_repeated, 0, ARRAY_LENGTH(bad_uris));
    suite_add_tcase(suite, uri);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(key_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
