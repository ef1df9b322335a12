// SPDX-License-Identifier: Apache-2.0
// What all calls to Vault and OpenBao have in common: the token, the mount, how they fail.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"

struct vault_call *vault_to_call(struct call *call) {
    return (struct vault_call *)call;
}

struct ca *vault_ca_of(struct call *call) {
    return call->list->owner;
}

void vault_path(const struct ca *ca, char out[WEB_PATH_SIZE], const char *format, ...) {
    va_list arguments;
    int length = snprintf(out, WEB_PATH_SIZE, "/v1/%s/", ca->mount);
    va_start(arguments, format);
    vsnprintf(out + length, WEB_PATH_SIZE - (size_t)length, format, arguments);
    va_end(arguments);
}

// Vault's own proxies can be told to refuse what lacks X-Vault-Request, as a guard against requests
// that somebody else was made to send.
void vault_send(struct call *call, const struct vault_request *request, web_answer *on_answer) {
    const struct ca *ca = vault_ca_of(call);
    char header[VAULT_TOKEN_MAX + 32];
    snprintf(header, sizeof header, "X-Vault-Token: %s", buf_text(ca->token));
    const struct web_request web = {
        .method = request->method,
        .path = request->path,
        .headers = {header, "X-Vault-Request: true",
                    request->body != NULL ? "Content-Type: application/json" : NULL},
        .body = request->body,
        .at_most_once = request->issues,
        .body_max = request->body_max,
    };
    web_send(call, &web, on_answer);
    explicit_bzero(header, sizeof header);
}

void vault_get(struct call *call, const char *path, web_answer *on_answer) {
    const struct vault_request request = {.method = "GET", .path = path};
    vault_send(call, &request, on_answer);
}

void vault_fail(struct call *call, const struct error *error, int64_t retry_after_ms) {
    const struct vault_call *vault = vault_to_call(call);
    if (vault->is_check) {
        web_report(call, &vault_to_call(call)->report, error);
    } else {
        call_fail(call, vault->is_reconcile ? CA_DOUBT : CA_NOT_SENT, error, retry_after_ms);
    }
}
