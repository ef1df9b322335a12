// SPDX-License-Identifier: Apache-2.0
// HashiCorp Vault and OpenBao, the PKI secrets engine: one request, one answer. The station is known by a
// token. What a role issues is asked before the first request; what became of a lost one is found among
// the certificates that the mount keeps.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "station/base/secret.h"

#define MOUNT_DEFAULT "pki"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static void free_extra(struct call *call) {
    vault_scan_free(vault_to_call(call)->scan);
}

static void close_vault(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    web_close(&ca->web);
    loop_timer_free(ca->renewal);
    buf_free_secret(ca->token);
    free(ca->token_file);
    json_decref(ca->role);
    buf_free(ca->chain);
    vault_known_free(ca->known);
    free(ca);
}

// What stands in a path must not lead out of it.
static bool is_name(const char *text, const char *further) {
    char allowed[sizeof NAME_CHARACTERS + 1];
    snprintf(allowed, sizeof allowed, NAME_CHARACTERS "%s", further);
    return text[0] != '/' && text[0] != '.' && strspn(text, allowed) == strlen(text) &&
           strstr(text, "..") == NULL && strstr(text, "//") == NULL &&
           text[strlen(text) - 1] != '/';
}

static bool copy_names(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    const char *mount = is_set(settings->authority) ? settings->authority : MOUNT_DEFAULT;
    if (!is_set(settings->ca_profile)) {
        return error_set(error, E_CA_CONFIG,
                         "ca_profile is not set: the role of the PKI secrets "
                         "engine");
    }
    if (!is_name(settings->ca_profile, "") ||
        !text_copy(ca->role_name, sizeof ca->role_name, settings->ca_profile)) {
        return error_set(error, E_CA_CONFIG, "ca_profile: \"%s\" is no role's name",
                         settings->ca_profile);
    }
    return (is_name(mount, "/") && text_copy(ca->mount, sizeof ca->mount, mount)) ||
           error_set(error, E_CA_CONFIG, "authority: \"%s\" is no mount path, as pki or pki/line-1",
                     mount);
}

static bool read_token(struct ca *ca, const char *file, struct error *error) {
    if (!is_set(file)) {
        return error_set(error, E_CA_CONFIG, "token_file is not set");
    }
    ca->token_file = strdup(file);
    if (ca->token_file == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    return secret_read_line(file, VAULT_TOKEN_MAX, &ca->token, error);
}

static bool open_parts(struct ca *ca, struct loop *loop, const struct ca_settings *settings,
                       const struct ca_events *events, void *context, struct error *error) {
    if (!copy_names(ca, settings, error) || !read_token(ca, settings->token_file, error) ||
        !web_open(&ca->web, loop, settings, events, context, error)) {
        return false;
    }
    ca->web.calls.on_free = free_extra;
    ca->settle_ms = settings->settle_ms > 0 ? settings->settle_ms : VAULT_SETTLE_MS;
    ca->renewal = loop_timer_new(loop, vault_token_renew, ca);
    return ca->renewal != NULL || error_set(error, E_MEMORY, "no memory for the CA");
}

static bool open_vault(struct loop *loop, const struct ca_settings *settings,
                       const struct ca_events *events, void *context, struct ca **out,
                       struct error *error) {
    const char *name = is_set(settings->name) ? settings->name : "vault";
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!open_parts(ca, loop, settings, events, context, error)) {
        close_vault(ca);
        return error_prefix(error, "ca %s", name);
    }
    *out = ca;
    return true;
}

// ---- issuing ------------------------------------------------------------------------------------

static void handle_sign(struct call *call, const struct http_response *response);

static void send_sign(struct call *call) {
    const struct ca *ca = vault_ca_of(call);
    struct error error;
    char path[WEB_PATH_SIZE];
    if (!vault_facts_fit(ca, &call->profile, &error)) {
        call_finish_later(call, CA_NOT_SENT, &error);
        return;
    }
    struct buf *body = vault_write_sign(ca, &call->request, &error);
    if (body == NULL) {
        call_finish_later(call, error.code == E_MEMORY ? CA_NOT_SENT : CA_REFUSED, &error);
        return;
    }
    vault_path(ca, path, "sign/%s", ca->role_name);
    const struct vault_request request = {
        .method = "POST", .path = path, .body = body, .issues = true};
    vault_send(call, &request, handle_sign);
}

// The token is good, so that it is its policies.
static void say_forbidden(struct call *call) {
    const struct ca *ca = vault_ca_of(call);
    struct error error;
    error_set(&error, E_CA_LOGIN,
              "the token's policies lack update on %s/sign/%s, or the role's issuer may not sign",
              ca->mount, ca->role_name);
    call_fail(call, CA_NOT_SENT, &error, 0);
}

// 403 is a definite no, with one text for all reasons: what became of the token says looking it up. With
// another one in its file it is asked again.
static void doubt_token(struct call *call) {
    struct ca *ca = vault_ca_of(call);
    bool is_new = !vault_to_call(call)->is_repeated && vault_token_read_again(ca);
    vault_to_call(call)->is_repeated = true;
    vault_token_look_up(call, is_new ? send_sign : say_forbidden);
}

static void handle_sign(struct call *call, const struct http_response *response) {
    struct ca *ca = vault_ca_of(call);
    struct ca_result result = {0};
    if (vault_is_forbidden(response)) {
        doubt_token(call);
        return;
    }
    bool has_lease = response->outcome == HTTP_ANSWERED && vault_has_lease(response->body);
    struct buf *der = buf_new(VAULT_CERTIFICATES_MAX);
    if (der == NULL) {
        result.outcome = CA_DOUBT;
        error_set(&result.error, E_MEMORY, "no memory for a certificate");
    } else {
        vault_judge_sign(response, call->request.spki_sha256, has_lease, der, &result);
    }
    if (has_lease) {
        ca->gives_leases = true;
        ca->has_facts = false;
    } else if (result.outcome == CA_REFUSED) {
        ca->has_facts = false; // the role may be another now, and refuse every camera
    }
    call_finish(call, &result);
    buf_free(der);
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct vault_call), request);
    if (!call_ends_early(call)) {
        vault_need_facts(call, false, send_sign);
    }
}

// Not CA_DOUBT: that would end in a second request, and whoever gave the handle may have issued.
static void fetch(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct vault_call), request);
    struct error error;
    error_set(&error, E_CA_UNSUPPORTED,
              "Vault issues at once and never gave the handle \"%s\": another CA did",
              call->handle);
    call_finish_later(call, CA_NOT_SENT, &error);
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct vault_call), request);
    vault_to_call(call)->is_reconcile = true;
    call->early.outcome = CA_DOUBT; // nothing was looked at
    if (!call_ends_early(call)) {
        vault_reconcile(call);
    }
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    vault_check(call_new(&ca->web.calls, sizeof(struct vault_call), &request));
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct vault_call), request);
    call->reason = reason; // Vault notes none
    if (!call_ends_early(call)) {
        vault_revoke(call);
    }
}

static const char *const vault_keys[] = {
    "url",
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    "extra_header",
    "token_file",
    "ca_profile",
    "authority",
    "lost_answer",
    "formerly",
    NULL,
};

static const char vault_example[] = "backend = vault\n"
                                    "url = https://vault.factory.example:8200\n"
                                    "server_root_file = vault/server-root.pem\n"
                                    "root_file = vault/root.pem\n"
                                    "token_file = vault/token\n"
                                    "authority = pki\n"
                                    "ca_profile = camera\n";

const struct ca_ops ca_vault = {
    .name = "vault",
    .is_public = true, // not the embedded one
    .can_revoke = true,
    .settle_ms = VAULT_SETTLE_MS,
    .keys = vault_keys,
    .remark = "HashiCorp Vault or OpenBao, the PKI secrets engine.",
    .example = vault_example,
    .open = open_vault,
    .close = close_vault,
    .check = check,
    .submit = submit,
    .fetch = fetch,
    .reconcile = reconcile,
    .revoke = revoke,
};
