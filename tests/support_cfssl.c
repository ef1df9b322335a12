// SPDX-License-Identifier: Apache-2.0
#include "tests/support_cfssl.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_pki.h"

struct cfssl_bench cfssl;

static const char *answer_to(const char *request) {
    const char *answer = cfssl.info;
    if (strstr(request, "sign HTTP/1.1\r\n") != NULL) {
        cfssl.sign_count++;
        answer = cfssl.sign;
    } else if (strstr(request, "/revoke HTTP/1.1\r\n") != NULL) {
        answer = cfssl.revoke[cfssl.revoke_count++ % 2];
    }
    return answer[0] != '\0' ? answer : NULL;
}

void cfssl_set_answer(char out[CFSSL_ANSWER_SIZE], const char *status, const char *body) {
    int length = snprintf(out, CFSSL_ANSWER_SIZE, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                          status, strlen(body), body);
    ck_assert_int_lt(length, CFSSL_ANSWER_SIZE);
}

static void set_result(char out[CFSSL_ANSWER_SIZE], json_t *result) {
    json_t *root =
        json_pack("{s:b, s:o, s:[], s:[]}", "success", 1, "result", result, "errors", "messages");
    char *text = json_dumps(root, JSON_COMPACT);
    cfssl_set_answer(out, "200 OK", text);
    free(text);
    json_decref(root);
}

void cfssl_set_problem(char out[CFSSL_ANSWER_SIZE], const char *status, int code,
                       const char *message) {
    char body[512];
    snprintf(body, sizeof body,
             "{\"success\":false,\"result\":null,\"errors\":[{\"code\":%d,\"message\":\"%s\"}],"
             "\"messages\":[]}",
             code, message);
    cfssl_set_answer(out, status, body);
}

void cfssl_set_info(const char *usages, const char *expiry) {
    struct buf *pem = pki_pem(cfssl.factory.certificate);
    json_t *list = json_loads(usages, 0, NULL);
    ck_assert_ptr_nonnull(list);
    set_result(cfssl.info, json_pack("{s:s, s:o, s:s}", "certificate", buf_text(pem), "usages",
                                     list, "expiry", expiry));
    buf_free(pem);
}

X509 *cfssl_make_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    return client_make_certificate(unit, &cfssl.factory, key, 300000, 3649);
}

void cfssl_set_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    X509 *certificate = cfssl_make_certificate(unit, key);
    struct buf *pem = pki_pem(certificate);
    set_result(cfssl.sign, json_pack("{s:s}", "certificate", buf_text(pem)));
    buf_free(pem);
    X509_free(certificate);
}

void cfssl_start(bool has_key, bool resends) {
    struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .answer_to = answer_to};
    server_start(&cfssl.server, &settings);
    cfssl.factory = pki_ca_new("Factory", NULL);
    struct buf *root = pki_pem(cfssl.factory.certificate);
    pki_write_file(cfssl.server.folder, "factory.pem", 0644, buf_slice(root), cfssl.root_file);
    pki_write_file(cfssl.server.folder, "auth.key", 0600,
                   (struct slice){(const uint8_t *)CFSSL_KEY_HEX "\n", sizeof CFSSL_KEY_HEX},
                   cfssl.key_file);
    buf_free(root);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", cfssl.server.port);
    const struct ca_settings ca = {
        .name = "factory",
        .backend = "cfssl",
        .url = url,
        .server_root_file = cfssl.server.root_file,
        .root_file = cfssl.root_file,
        .ca_profile = "camera",
        .authority = "line-1",
        .signing_key_file = has_key ? cfssl.key_file : NULL,
        .resends_lost = resends,
        .in_flight = 4,
        .timeout_ms = 5000,
    };
    client_start(&cfssl.client, &ca, CFSSL_UNITS, "P-256");
    cfssl_set_info("[\"digital signature\",\"server auth\",\"client auth\"]", "87600h0m0s");
    cfssl_set_certificate(&cfssl.client.units[0], cfssl.client.units[0].key);
    cfssl.sign_count = 0;
    cfssl.revoke_count = 0;
}

void cfssl_stop(void) {
    client_stop(&cfssl.client);
    server_stop(&cfssl.server);
    pki_ca_free(&cfssl.factory);
}

struct client_unit *cfssl_submit(void) {
    client_submit(&cfssl.client, &cfssl.client.units[0]);
    client_wait(&cfssl.client);
    return &cfssl.client.units[0];
}

void cfssl_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what) {
    ck_assert_msg(unit->outcome == outcome && unit->error.code == code, "%s: outcome %d, %s, %s",
                  what, (int)unit->outcome, error_code_text(unit->error.code), unit->error.text);
}

json_t *cfssl_last_body(void) {
    const char *body = strstr(cfssl.server.last_request, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *root = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}
