// SPDX-License-Identifier: Apache-2.0
#include "tests/support_stepca.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/base64_url.h"
#include "station/base/clock.h"

#define STEPCA_JWK                                                                                 \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","                                       \
    "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}\n"

struct stepca_bench stepca;

static const char *answer_to(const char *request) {
    const char *answer = stepca.revoke;
    if (strstr(request, "\"notAfter\":\"2000-") != NULL) {
        stepca.probe_count++;
        answer = stepca.probe;
    } else if (strncmp(request, "POST /1.0/sign ", 15) == 0) {
        stepca.sign_count++;
        answer = stepca.sign;
    } else if (strncmp(request, "GET /1.0/provisioners?limit=100", 31) == 0) {
        answer = stepca.provisioners;
    } else if (strncmp(request, "GET /1.0/roots ", 15) == 0) {
        answer = stepca.roots;
    } else if (strncmp(request, "GET /1.0/intermediates ", 23) == 0) {
        answer = stepca.intermediates;
    }
    return answer[0] != '\0' ? answer : NULL;
}

void stepca_set_answer(char out[STEPCA_ANSWER_SIZE], const char *status, const char *body) {
    int length = snprintf(out, STEPCA_ANSWER_SIZE, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                          status, strlen(body), body);
    ck_assert_int_lt(length, STEPCA_ANSWER_SIZE);
}

void stepca_set_problem(char out[STEPCA_ANSWER_SIZE], long status, const char *message) {
    char line[32];
    char body[512];
    snprintf(line, sizeof line, "%ld Status", status);
    snprintf(body, sizeof body, "{\"status\":%ld,\"message\":\"%s\"}", status, message);
    stepca_set_answer(out, line, body);
}

void stepca_set_json(char out[STEPCA_ANSWER_SIZE], const char *status, json_t *root) {
    char *text = json_dumps(root, JSON_COMPACT);
    stepca_set_answer(out, status, text);
    free(text);
    json_decref(root);
}

X509 *stepca_make_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    char host[64];
    snprintf(host, sizeof host, "DNS:cam%s.local", unit->serial + 3);
    const struct pki_spec spec = {
        .issuer = stepca.factory.certificate,
        .issuer_key = stepca.factory.key,
        .key = key,
        .subject = {{"CN", unit->serial}, {"serialNumber", unit->serial}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"subjectAltName", host}},
        .not_before_ms = clock_wall_ms() - 60000,
        .not_after_ms = clock_wall_ms() + 3649 * PKI_DAY_MS,
    };
    return pki_certificate(&spec);
}

void stepca_set_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    X509 *certificate = stepca_make_certificate(unit, key);
    struct buf *leaf = pki_pem(certificate);
    struct buf *root = pki_pem(stepca.factory.certificate);
    stepca_set_json(stepca.sign, "201 Created",
                    json_pack("{s:s, s:s, s:[s, s]}", "crt", buf_text(leaf), "ca", buf_text(root),
                              "certChain", buf_text(leaf), buf_text(root)));
    buf_free(leaf);
    buf_free(root);
    X509_free(certificate);
}

// `more` stands in the provisioner's object.
void stepca_set_provisioner(const char *name, const char *kid, const char *more) {
    char body[2048];
    snprintf(body, sizeof body,
             "{\"provisioners\":[{\"type\":\"ACME\",\"name\":\"%s\"},{\"type\":\"JWK\",\"name\":"
             "\"%s\",\"key\":{\"kid\":\"%s\"}%s}],\"nextCursor\":\"\"}",
             name, name, kid, more);
    stepca_set_answer(stepca.provisioners, "200 OK", body);
}

void stepca_set_list(char out[STEPCA_ANSWER_SIZE], const struct pki_ca *ca) {
    struct buf *pem = pki_pem(ca->certificate);
    stepca_set_json(out, "201 Created", json_pack("{s:[s]}", "crts", buf_text(pem)));
    buf_free(pem);
}

void stepca_start(bool resends) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .answer_to = answer_to};
    server_start(&stepca.server, &settings);
    stepca.factory = pki_ca_new("Factory", NULL);
    struct buf *root = pki_pem(stepca.factory.certificate);
    pki_write_file(stepca.server.folder, "factory.pem", 0644, buf_slice(root), stepca.root_file);
    pki_write_file(stepca.server.folder, "station.jwk", 0600,
                   (struct slice){(const uint8_t *)STEPCA_JWK, strlen(STEPCA_JWK)},
                   stepca.key_file);
    buf_free(root);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", stepca.server.port);
    const struct ca_settings ca = {
        .name = "factory",
        .backend = "stepca",
        .url = url,
        .server_root_file = stepca.server.root_file,
        .root_file = stepca.root_file,
        .provisioner = "station",
        .signing_key_file = stepca.key_file,
        .resends_lost = resends,
        .in_flight = 2,
        .timeout_ms = 5000,
    };
    client_start(&stepca.client, &ca, STEPCA_UNITS, "P-256");
    stepca_set_certificate(&stepca.client.units[0], stepca.client.units[0].key);
    stepca_set_problem(stepca.probe, 400,
                       "The request could not be completed: notAfter cannot be in the past");
    stepca_set_provisioner("station", STEPCA_KEY_ID, STEPCA_TEMPLATE);
    stepca_set_list(stepca.roots, &stepca.factory);
    stepca_set_answer(stepca.intermediates, "404 Not Found", "404 page not found\n");
    stepca.sign_count = 0;
    stepca.probe_count = 0;
}

void stepca_stop(void) {
    client_stop(&stepca.client);
    server_stop(&stepca.server);
    pki_ca_free(&stepca.factory);
}

struct client_unit *stepca_submit(void) {
    client_submit(&stepca.client, &stepca.client.units[0]);
    client_wait(&stepca.client);
    return &stepca.client.units[0];
}

struct client_unit *stepca_reconcile_one(void) {
    client_reconcile(&stepca.client, &stepca.client.units[0]);
    client_wait(&stepca.client);
    return &stepca.client.units[0];
}

void stepca_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                   const char *what) {
    ck_assert_msg(unit->outcome == outcome && unit->error.code == code, "%s: outcome %d, %s, %s",
                  what, (int)unit->outcome, error_code_text(unit->error.code), unit->error.text);
}

json_t *stepca_last_body(void) {
    const char *body = strstr(stepca.server.last_request, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *root = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}

json_t *stepca_claims_of(const json_t *root) {
    const char *token = json_string_value(json_object_get(root, "ott"));
    ck_assert_ptr_nonnull(token);
    const char *first = strchr(token, '.') + 1;
    size_t length = strcspn(first, ".");
    char text[4096];
    uint8_t bytes[4096];
    ck_assert_uint_lt(length, sizeof text);
    memcpy(text, first, length);
    text[length] = '\0';
    ck_assert(base64_url_read(text, bytes, length * 6 / 8));
    json_t *claims = json_loadb((const char *)bytes, length * 6 / 8, 0, NULL);
    ck_assert_ptr_nonnull(claims);
    return claims;
}

const char *stepca_text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}
