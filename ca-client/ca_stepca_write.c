// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/base64.h"
#include "ca-client/ca_stepca_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

#define TOKEN_LIFE_S 300
#define DAY_S INT64_C(86400)

// ---- token ids ----------------------------------------------------------------------------------

void stepca_token_id(const char *ca_name, const struct ca_request *request,
                     char id[STEPCA_TOKEN_ID_SIZE]) {
    uint8_t data[SHA256_SIZE + 8 + 256] = {0};
    uint8_t hash[SHA256_SIZE];
    size_t length = strnlen(ca_name, sizeof data - SHA256_SIZE - 8);
    memcpy(data, request->spki_sha256, SHA256_SIZE);
    store_be64(data + SHA256_SIZE, (uint64_t)request->sent_ms);
    memcpy(data + SHA256_SIZE + 8, ca_name, length);
    x509_sha256((struct slice){data, SHA256_SIZE + 8 + length}, hash);
    hex_encode(id, hash, sizeof hash);
}

static bool make_random_id(char id[STEPCA_TOKEN_ID_SIZE]) {
    uint8_t bytes[SHA256_SIZE];
    bool good = RAND_bytes(bytes, sizeof bytes) == 1;
    hex_encode(id, bytes, sizeof bytes);
    return good;
}

// ---- claims -------------------------------------------------------------------------------------

// Of every token: who signed it, for what, and for how long it can be used.
static json_t *make_claims(const struct ca *ca, const char *path, const char *subject,
                           const char *id) {
    char audience[sizeof ca->audience + 16];
    json_int_t now_s = clock_wall_ms() / 1000;
    snprintf(audience, sizeof audience, "%s%s", ca->audience, path);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", ca->provisioner, "aud", audience,
                     "sub", subject, "jti", id, "iat", now_s, "nbf", now_s, "exp",
                     now_s + TOKEN_LIFE_S);
}

// In the words of step-ca's templates, which see it as .Token.birthcert.subject.
static bool put_subject(json_t *out, const struct names *names) {
    json_t *subject = json_object();
    bool good = json_put_text(subject, "country", names->country) &&
                json_put_text(subject, "organization", names->organization) &&
                json_put_text(subject, "organizationalUnit", names->organizational_unit) &&
                json_put_text(subject, "commonName", names->common_name) &&
                json_put_text(subject, "serialNumber", names->serial_number);
    return json_put(out, "subject", subject) && good;
}

static bool put_alternative_names(json_t *out, const struct names *names, struct error *error) {
    struct buf *der = buf_new(4096);
    struct buf *text = buf_new(8192);
    bool good = der != NULL && text != NULL && x509_make_alternative_names(names, der, error) &&
                base64_encode(buf_slice(der), false, text) &&
                json_put_text(out, "subjectAltName", buf_text(text));
    buf_free(der);
    buf_free(text);
    return good;
}

static bool put_usages(json_t *out, const struct profile *profile) {
    json_t *list = json_array();
    bool good =
        (!profile->server_auth || json_array_append_new(list, json_string("serverAuth")) == 0) &&
        (!profile->client_auth || json_array_append_new(list, json_string("clientAuth")) == 0);
    return json_put(out, "extKeyUsage", list) && good;
}

static bool put_hosts(json_t *claims, const struct names *names) {
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; i < names->dns_count; i++) {
        good = json_array_append_new(list, json_string(names->dns_names[i])) == 0 && good;
    }
    return json_put(claims, "sans", list) && good;
}

// What a certificate shall say, for the template; nothing of it is taken from the CSR.
static bool put_names(json_t *claims, const struct names *names, const struct profile *profile,
                      struct error *error) {
    json_t *out = json_object();
    bool good = put_subject(out, names) && put_alternative_names(out, names, error) &&
                put_usages(out, profile) && put_hosts(claims, names);
    return json_put(claims, "birthcert", out) && good;
}

// ---- requests -----------------------------------------------------------------------------------

struct ask {
    const struct ca_request *request;
    const char *token_id;
    struct slice csr;
    const char *not_after; // RFC 3339
};

// "sub" must not be empty, and is the common name of a certificate without a template.
static json_t *make_sign_claims(const struct ca *ca, const struct ask *ask, struct error *error) {
    const struct ca_request *request = ask->request;
    struct names names;
    if (!names_fill(request->profile, &request->subject, &names, error)) {
        return NULL;
    }
    const char *subject =
        names.common_name[0] != '\0' ? names.common_name : request->subject.serial;
    json_t *claims = make_claims(ca, "/1.0/sign", subject, ask->token_id);
    if (!put_names(claims, &names, request->profile, error)) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

// Takes `claims` over.
static bool put_token(json_t *root, const struct ca *ca, json_t *claims, struct error *error) {
    struct buf *token = token_sign(ca->key, claims, error);
    bool good = token != NULL && json_put(root, "ott", json_string(buf_text(token)));
    buf_free_secret(token);
    return good;
}

static struct buf *write_ask(const struct ca *ca, const struct ask *ask, struct error *error) {
    json_t *root = json_object();
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    json_t *claims = make_sign_claims(ca, ask, error);
    if (claims == NULL || !put_token(root, ca, claims, error) ||
        !json_put_pem(root, "csr", ask->csr, "CERTIFICATE REQUEST", error) ||
        !json_put_text(root, "notAfter", ask->not_after)) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

static void write_end(const struct profile *profile, char out[CLOCK_TEXT_SIZE]) {
    int64_t end_s = clock_wall_ms() / 1000 + profile->validity_days * DAY_S;
    if (profile->validity_days == 0) {
        snprintf(out, CLOCK_TEXT_SIZE, "9999-12-31T23:59:59Z");
    } else {
        clock_format_utc(out, end_s * 1000);
    }
}

struct buf *stepca_write_sign(const struct ca *ca, const struct ca_request *request,
                              struct error *error) {
    char token_id[STEPCA_TOKEN_ID_SIZE];
    char not_after[CLOCK_TEXT_SIZE];
    stepca_token_id(ca->web.site.name, request, token_id);
    write_end(request->profile, not_after);
    const struct ask ask = {request, token_id, request->csr, not_after};
    return write_ask(ca, &ask, error);
}

// A CSR of a key that is forgotten at once.
static bool make_csr(struct buf *der) {
    unsigned char *bytes = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *csr = X509_REQ_new();
    bool good = key != NULL && csr != NULL && X509_REQ_set_pubkey(csr, key) == 1 &&
                X509_REQ_sign(csr, key, EVP_sha256()) > 0;
    int length = good ? i2d_X509_REQ(csr, &bytes) : 0;
    good = length > 0 && buf_put(der, bytes, (size_t)length);
    OPENSSL_free(bytes);
    X509_REQ_free(csr);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

struct buf *stepca_write_probe(const struct ca *ca, const struct profile *profile,
                               struct error *error) {
    static const uint8_t hardware_id[6];
    const struct ca_request request = {
        .profile = profile,
        .subject = {.serial = "CHECK",
                    .model = "CHECK",
                    .hardware_id = hardware_id,
                    .hardware_id_length = sizeof hardware_id},
    };
    char token_id[STEPCA_TOKEN_ID_SIZE];
    struct buf *csr = buf_new(1024);
    struct buf *body = NULL;
    if (csr == NULL || !make_csr(csr) || !make_random_id(token_id)) {
        error_set(error, E_MEMORY, "no memory for a request to the CA");
    } else {
        const struct ask ask = {&request, token_id, buf_slice(csr), "2000-01-01T00:00:00Z"};
        body = write_ask(ca, &ask, error);
    }
    buf_free(csr);
    return body;
}

struct buf *stepca_write_revoke(const struct ca *ca, struct slice certificate,
                                enum ca_revocation_reason reason, struct error *error) {
    static const int numbers[] = {
        // RFC 5280, section 5.3.1
        [CA_REVOKE_UNSPECIFIED] = 0,
        [CA_REVOKE_KEY_COMPROMISE] = 1,
        [CA_REVOKE_AFFILIATION_CHANGED] = 3,
        [CA_REVOKE_SUPERSEDED] = 4,
        [CA_REVOKE_CESSATION_OF_OPERATION] = 5,
        [CA_REVOKE_PRIVILEGE_WITHDRAWN] = 9,
    };
    struct certificate_reference reference;
    char token_id[STEPCA_TOKEN_ID_SIZE];
    const char *name = ca_revocation_reason_name(reason);
    if (name == NULL) {
        error_set(error, E_INTERNAL, "revoke without a known reason");
        return NULL;
    }
    if (!x509_refer(certificate, &reference, error)) {
        return NULL;
    }
    json_t *root = json_pack("{s:s, s:i, s:s, s:b}", "serial", reference.serial, "reasonCode",
                             numbers[reason], "reason", name, "passive", 1);
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    if (!make_random_id(token_id) ||
        !put_token(root, ca, make_claims(ca, "/1.0/revoke", reference.serial, token_id), error)) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}
