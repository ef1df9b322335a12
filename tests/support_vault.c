// SPDX-License-Identifier: Apache-2.0
#include "tests/support_vault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_pki.h"

struct vault_bench vault;

// ---- the server ---------------------------------------------------------------------------------

// '@' is for the mount, '#' for the role.
static const struct {
    const char *start;
    enum vault_answer which;
} routes[] = {
    {"GET /v1/auth/token/lookup-self ", VAULT_LOOKUP},
    {"POST /v1/auth/token/renew-self ", VAULT_RENEW},
    {"GET /v1/@/roles/# ", VAULT_ROLE},
    {"GET /v1/@/issuer/default/json ", VAULT_ISSUER},
    {"GET /v1/@/cert/ca_chain ", VAULT_ISSUER},
    {"POST /v1/@/sign/# ", VAULT_SIGN},
    {"POST /v1/sys/capabilities-self ", VAULT_CAPABILITIES},
    {"GET /v1/@/certs?list=true", VAULT_LIST},
    {"GET /v1/@/cert/", VAULT_CERT},
    {"POST /v1/@/revoke ", VAULT_REVOKE},
};

static const char *stored_answer(const char *request) {
    const char *serial = strstr(request, "/cert/") + 6;
    for (size_t i = 0; i < vault.stored_count; i++) {
        size_t length = strlen(vault.stored[i].serial);
        if (strncmp(vault.stored[i].serial, serial, length) == 0 && serial[length] == ' ') {
            return vault.stored[i].answer;
        }
    }
    return vault.answers[VAULT_CERT];
}

static const char *choose(const char *request, enum vault_answer which) {
    static const char forbidden[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 32\r\n\r\n"
                                    "{\"errors\":[\"permission denied\"]}\n";
    char header[96];
    unsigned number = vault.counts[which]++;
    snprintf(header, sizeof header, "X-Vault-Token: %s\r\n", vault.good_token);
    if (vault.rejects_token && strstr(request, header) == NULL) {
        return forbidden;
    }
    if (which == VAULT_REVOKE && number > 0) {
        which = VAULT_REVOKE_AGAIN;
    }
    if (which == VAULT_LIST && vault.long_list != NULL) {
        return vault.long_list;
    }
    return which == VAULT_CERT ? stored_answer(request) : vault.answers[which];
}

static bool fits(const char *request, const char *start) {
    for (; *start != '\0'; start++) {
        const char one[2] = {*start, '\0'};
        const char *part = *start == '@'   ? vault.settings.authority
                           : *start == '#' ? vault.settings.ca_profile
                                           : one;
        if (strncmp(request, part, strlen(part)) != 0) {
            return false;
        }
        request += strlen(part);
    }
    return true;
}

static const char *answer_to(const char *request) {
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (fits(request, routes[i].start)) {
            const char *answer = choose(request, routes[i].which);
            return answer[0] != '\0' ? answer : NULL;
        }
    }
    return "HTTP/1.1 404 Not Found\r\nContent-Length: 45\r\n\r\n"
           "{\"errors\":[\"no handler for route (a test's)\"]}";
}

// ---- what it answers ----------------------------------------------------------------------------

void vault_answer(enum vault_answer which, const char *status, const char *body) {
    int length =
        snprintf(vault.answers[which], VAULT_ANSWER_SIZE,
                 "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    ck_assert_int_lt(length, VAULT_ANSWER_SIZE);
}

static char *write_data(json_t *data) {
    json_t *root = json_pack("{s:s, s:b, s:o}", "request_id", "x", "renewable", 0, "data", data);
    char *text = json_dumps(root, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    json_decref(root);
    return text;
}

void vault_data(enum vault_answer which, json_t *data) {
    char *text = write_data(data);
    vault_answer(which, "200 OK", text);
    free(text);
}

void vault_problem(enum vault_answer which, const char *status, const char *message) {
    json_t *root =
        message != NULL ? json_pack("{s:[s]}", "errors", message) : json_pack("{s:[]}", "errors");
    char *text = json_dumps(root, JSON_COMPACT);
    vault_answer(which, status, text);
    free(text);
    json_decref(root);
}

void vault_set_role(const char *member, json_t *value) {
    if (value != NULL) {
        json_object_set_new(vault.role, member, value);
    } else {
        json_object_del(vault.role, member);
    }
    vault_data(VAULT_ROLE, json_incref(vault.role));
}

void vault_set_token(json_int_t left_s, bool renews) {
    vault_data(VAULT_LOOKUP, json_pack("{s:s, s:I, s:I, s:b, s:i}", "id", "secret-1", "ttl", left_s,
                                       "creation_ttl", (json_int_t)(32 * 86400), "renewable",
                                       renews, "num_uses", 0));
}

X509 *vault_make_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    return client_make_certificate(unit, &vault.factory, key, 30000, 3650);
}

void vault_set_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    X509 *certificate = vault_make_certificate(unit, key);
    struct buf *pem = pki_pem(certificate);
    struct buf *root = pki_pem(vault.factory.certificate);
    vault_data(VAULT_SIGN,
               json_pack("{s:s, s:s, s:[s], s:s}", "certificate", buf_text(pem), "issuing_ca",
                         buf_text(root), "ca_chain", buf_text(root), "serial_number", "01:02"));
    buf_free(pem);
    buf_free(root);
    X509_free(certificate);
}

size_t vault_store(const struct client_unit *unit, bool is_revoked) {
    X509_free(vault_keep(unit, is_revoked));
    return vault.stored_count - 1;
}

X509 *vault_keep(const struct client_unit *unit, bool is_revoked) {
    size_t row = vault.stored_count++;
    ck_assert_uint_lt(row, VAULT_STORED_MAX);
    X509 *certificate = vault_make_certificate(unit, unit->key);
    struct buf *pem = pki_pem(certificate);
    snprintf(vault.stored[row].serial, sizeof vault.stored[row].serial, "3f-a0-%02zx", row);
    char *text = write_data(json_pack("{s:s, s:i}", "certificate", buf_text(pem), "revocation_time",
                                      is_revoked ? 1700000000 : 0));
    snprintf(vault.stored[row].answer, VAULT_ANSWER_SIZE,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
    free(text);
    buf_free(pem);
    vault_list_stored();
    return certificate;
}

void vault_list_stored(void) {
    json_t *keys = json_array();
    for (size_t i = 0; i < vault.stored_count; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", vault.stored[i].serial);
        for (char *at = text; *at != '\0'; at++) {
            *at = (char)(*at == '-' ? ':' : *at);
        }
        json_array_append_new(keys, json_string(text));
    }
    vault_data(VAULT_LIST, json_pack("{s:o}", "keys", keys));
}

// ---- the bench ----------------------------------------------------------------------------------

static json_t *make_role(void) {
    return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:[s], s:[s], s:[], s:[], s:[],"
                     " s:[], s:[], s:[], s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:[]}",
                     "use_csr_common_name", 0, "use_csr_sans", 0, "allow_any_name", 1,
                     "enforce_hostnames", 1, "server_flag", 1, "client_flag", 1,
                     "code_signing_flag", 0, "no_store", 0, "require_cn", 1, "key_usage",
                     "DigitalSignature", "allowed_serial_numbers", "*", "ext_key_usage",
                     "ext_key_usage_oids", "organization", "ou", "country", "allowed_domains",
                     "key_type", "ec", "key_bits", 256, "not_after", "", "issuer_ref", "default",
                     "ttl", 0, "max_ttl", 0, "not_before_duration", 30, "locality");
}

static void set_answers(void) {
    struct buf *root = pki_pem(vault.factory.certificate);
    vault.role = make_role();
    ck_assert_ptr_nonnull(vault.role);
    vault_set_role("province", json_array());
    vault_set_token(0, false);
    vault_data(VAULT_ISSUER, json_pack("{s:s, s:[s]}", "certificate", buf_text(root), "ca_chain",
                                       buf_text(root)));
    vault_data(VAULT_CAPABILITIES,
               json_pack("{s:[s], s:[s], s:[s]}", "pki/line-1/sign/camera", "update",
                         "pki/line-1/certs", "list", "pki/line-1/revoke", "update"));
    vault_data(VAULT_REVOKE,
               json_pack("{s:i, s:s}", "revocation_time", 1700000000, "state", "revoked"));
    vault_problem(VAULT_LIST, "404 Not Found", NULL);
    vault_problem(VAULT_CERT, "404 Not Found", NULL);
    buf_free(root);
}

void vault_start(bool resends) {
    const struct ca_settings settings = {
        .ca_profile = "camera", .authority = "pki/line-1", .resends_lost = resends};
    vault_start_with(&settings);
}

void vault_start_with(const struct ca_settings *more) {
    static const char token[] = "secret-1\n";
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .answer_to = answer_to};
    memset(&vault, 0, sizeof vault);
    server_start(&vault.server, &settings);
    vault.factory = pki_ca_new("Factory", NULL);
    struct buf *root = pki_pem(vault.factory.certificate);
    pki_write_file(vault.server.folder, "factory.pem", 0644, buf_slice(root), vault.root_file);
    pki_write_file(vault.server.folder, "token", 0600,
                   (struct slice){(const uint8_t *)token, sizeof token - 1}, vault.token_file);
    buf_free(root);
    snprintf(vault.url, sizeof vault.url, "https://127.0.0.1:%u", vault.server.port);
    snprintf(vault.good_token, sizeof vault.good_token, "secret-1");
    vault.settings = (struct ca_settings){
        .name = "factory",
        .backend = "vault",
        .url = vault.url,
        .server_root_file = vault.server.root_file,
        .root_file = vault.root_file,
        .ca_profile = more->ca_profile,
        .authority = more->authority,
        .token_file = vault.token_file,
        .extra_header = "X-Vault-Namespace: factory",
        .resends_lost = more->resends_lost,
        .settle_ms = more->settle_ms,
        .in_flight = 4,
        .timeout_ms = 5000,
    };
    set_answers();
    client_start(&vault.client, &vault.settings, VAULT_UNITS, "P-256");
    vault_set_certificate(&vault.client.units[0], vault.client.units[0].key);
}

void vault_stop(void) {
    client_stop(&vault.client);
    server_stop(&vault.server);
    pki_ca_free(&vault.factory);
    json_decref(vault.role);
    free(vault.long_list);
}

void vault_write_token(const char *token) {
    FILE *file = fopen(vault.token_file, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\n", token);
    fclose(file);
}

struct client_unit *vault_submit(void) {
    client_submit(&vault.client, &vault.client.units[0]);
    client_wait(&vault.client);
    return &vault.client.units[0];
}

struct client_unit *vault_look(void) {
    client_reconcile(&vault.client, &vault.client.units[0]);
    client_wait(&vault.client);
    return &vault.client.units[0];
}

void vault_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what) {
    ck_assert_msg(unit->outcome == outcome && unit->error.code == code, "%s: outcome %d, %s, %s",
                  what, (int)unit->outcome, error_code_text(unit->error.code), unit->error.text);
}

json_t *vault_last_body(void) {
    const char *body = strstr(vault.server.last_request, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *root = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}
