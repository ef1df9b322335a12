// SPDX-License-Identifier: Apache-2.0
// step-ca, by a JWK provisioner: every request has a token of its own, which step-ca takes once. So
// after a lost answer the same token says whether the first one arrived: where it did not, this one
// does, and brings the certificate. Where it did, step-ca has no API to ask what became of it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_stepca_internal.h"
#include "station/base/secret.h"

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static void close_stepca(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    web_close(&ca->web);
    token_key_free(ca->key);
    free(ca);
}

static bool read_key(const char *file, struct token_key **key, struct error *error) {
    struct buf *text = NULL;
    if (!is_set(file)) {
        return error_set(error, E_CA_CONFIG, "signing_key_file is not set");
    }
    if (!secret_read(file, TOKEN_KEY_MAX, &text, error)) {
        return false;
    }
    bool good = token_key_new(buf_slice(text), key, error);
    buf_free_secret(text);
    return good || error_prefix(error, "signing_key_file %s", file);
}

static bool copy_provisioner(struct ca *ca, const char *name, struct error *error) {
    if (!is_set(name)) {
        return error_set(error, E_CA_CONFIG, "provisioner is not set");
    }
    return text_copy(ca->provisioner, sizeof ca->provisioner, name) ||
           error_set(error, E_CA_CONFIG, "provisioner: longer than %d bytes", STEPCA_NAME_MAX);
}

// step-ca itself speaks TLS only, whatever a front on this computer does.
static bool write_audience(struct ca *ca, struct error *error) {
    const char *url = ca->web.site.base_url;
    const char *host = strstr(url, "://");
    return (host != NULL && snprintf(ca->audience, sizeof ca->audience, "https%s", host) <
                                (int)sizeof ca->audience) ||
           error_set(error, E_CA_CONFIG, "url: \"%s\" is too long", url);
}

static bool open_stepca(struct loop *loop, const struct ca_settings *settings,
                        const struct ca_events *events, void *context, struct ca **out,
                        struct error *error) {
    const char *name = is_set(settings->name) ? settings->name : "stepca";
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!copy_provisioner(ca, settings->provisioner, error) ||
        !read_key(settings->signing_key_file, &ca->key, error) ||
        !web_open(&ca->web, loop, settings, events, context, error) || !write_audience(ca, error)) {
        close_stepca(ca);
        return error_prefix(error, "ca %s", name);
    }
    *out = ca;
    return true;
}

// ---- sending ------------------------------------------------------------------------------------

static struct stepca_call *to_call(struct call *call) {
    return (struct stepca_call *)call;
}

static struct ca *ca_of(struct call *call) {
    return call->list->owner;
}

// ---- issuing, and asking again ------------------------------------------------------------------

// A reconcile asks by the same request: what is a no to it leaves the first one open, and what the
// CA did not get tells nothing.
static void finish(struct call *call, struct ca_result *result) {
    char why[ERROR_TEXT_MAX + 64];
    if (!to_call(call)->is_reconcile || result->outcome == CA_CERTIFICATE) {
        call_finish(call, result);
    } else if (result->outcome == CA_REFUSED) {
        snprintf(why, sizeof why, "step-ca had not seen the request, and refused it now (%s)",
                 result->error.text);
        call_hold(call, why);
    } else {
        result->outcome = CA_DOUBT;
        call_finish(call, result);
    }
}

// The token was used, and not by this request.
static void finish_used(struct call *call) {
    if (to_call(call)->is_reconcile && ca_of(call)->web.resends_lost) {
        struct ca_result result = {.outcome = CA_NOT_ISSUED};
        error_set(&result.error, E_CA_DOUBT,
                  "sent again; step-ca got the first, and may have issued");
        call_finish(call, &result);
    } else if (to_call(call)->is_reconcile) {
        call_hold(call, "step-ca got the request, and cannot be asked what it issued");
    } else {
        struct ca_result result = {.outcome = CA_DOUBT};
        error_set(&result.error, E_CA_DOUBT,
                  "step-ca had the request's token before: something sent it twice");
        call_finish(call, &result);
    }
}

static void handle_doubted_login(struct call *call, const struct http_response *response) {
    struct ca_result result = {.outcome = CA_NOT_SENT,
                               .retry_after_ms = (uint32_t)response->retry_after_ms};
    bool is_refused = response->outcome == HTTP_ANSWERED && response->status == 401;
    if (stepca_judge_probe(response, &result.error) || result.error.code == E_CA_POLICY) {
        finish_used(call);
    } else {
        // Without an answer to that question the first one stays as it is.
        result.outcome = is_refused ? CA_NOT_SENT : CA_DOUBT;
        result.error.code = is_refused ? E_CA_LOGIN : result.error.code;
        finish(call, &result);
    }
}

// 401 has one text for all its reasons: another token tells whether ours are good.
static void doubt_login(struct call *call) {
    struct ca_result result = {.outcome = CA_DOUBT};
    struct buf *body = stepca_write_probe(ca_of(call), &call->profile, &result.error);
    if (body == NULL) {
        finish(call, &result);
        return;
    }
    web_send_json(call, "POST", "/1.0/sign", body, false, handle_doubted_login);
}

static void handle_sign(struct call *call, const struct http_response *response) {
    struct ca_result result = {0};
    struct buf *der = buf_new(STEPCA_CERTIFICATES_MAX);
    if (response->outcome == HTTP_ANSWERED && response->status == 401) {
        doubt_login(call);
    } else if (der == NULL) {
        result.outcome = CA_DOUBT;
        error_set(&result.error, E_MEMORY, "no memory for a certificate");
        finish(call, &result);
    } else {
        stepca_judge_sign(response, call->request.spki_sha256, der, &result);
        finish(call, &result);
    }
    buf_free(der);
}

static void send_sign(struct call *call) {
    struct error error;
    struct buf *body = stepca_write_sign(ca_of(call), &call->request, &error);
    if (body == NULL) {
        enum ca_outcome no = error.code == E_MEMORY ? CA_NOT_SENT : CA_REFUSED;
        call_finish_later(call, to_call(call)->is_reconcile ? CA_DOUBT : no, &error);
        return;
    }
    web_send_json(call, "POST", "/1.0/sign", body, true, handle_sign);
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct stepca_call), request);
    if (!call_ends_early(call)) {
        send_sign(call);
    }
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct stepca_call), request);
    to_call(call)->is_reconcile = true;
    call->early.outcome = CA_DOUBT; // nothing was looked at
    if (!call_ends_early(call)) {
        send_sign(call);
    }
}

// Not CA_DOUBT: that would end in a second request, and whoever gave the handle may have issued.
static void fetch(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct stepca_call), request);
    struct error error;
    error_set(&error, E_CA_UNSUPPORTED,
              "step-ca issues at once and never gave the handle \"%s\": another CA did",
              call->handle);
    call_finish_later(call, CA_NOT_SENT, &error);
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    stepca_check(call_new(&ca->web.calls, sizeof(struct stepca_call), &request));
}

// ---- revoking -----------------------------------------------------------------------------------

static void handle_revoke(struct call *call, const struct http_response *response) {
    struct ca_result result = {0};
    struct stepca_problem problem;
    stepca_read_problem(response->body, &problem);
    web_judge(response, problem.text, &result);
    bool is_answered = response->outcome == HTTP_ANSWERED;
    bool is_done = is_answered && response->status == 400 &&
                   strstr(problem.text, "is already revoked") != NULL;
    if (is_done ||
        (is_answered && response->status == 200 && stepca_read_revoked(response->body))) {
        result = (struct ca_result){.outcome = CA_REVOKED};
    } else if (is_answered && response->status == 501) {
        result.outcome = CA_NOT_SENT; // as it is set up now
        error_set(&result.error, E_CA_UNSUPPORTED,
                  "this step-ca has no database: it remembers no revocation");
    }
    call_finish(call, &result);
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct stepca_call), request);
    struct error error;
    if (call_ends_early(call)) {
        return;
    }
    struct buf *body = stepca_write_revoke(ca, call->request.certificate, reason, &error);
    if (body == NULL) {
        call_finish_later(call, error.code == E_MEMORY ? CA_NOT_SENT : CA_REFUSED, &error);
        return;
    }
    web_send_json(call, "POST", "/1.0/revoke", body, false, handle_revoke);
}

static const char *const stepca_keys[] = {
    "url",         "client_certificate_file", "client_key_file", "server_root_file", "extra_header",
    "provisioner", "signing_key_file",        "lost_answer",     "formerly",         NULL,
};

static const char stepca_example[] = "backend = stepca\n"
                                     "url = https://step-ca.factory.example\n"
                                     "server_root_file = stepca/root.pem\n"
                                     "root_file = stepca/root.pem\n"
                                     "provisioner = station\n"
                                     "signing_key_file = stepca/provisioner.key\n";

const struct ca_ops ca_stepca = {
    .name = "stepca",
    .is_public = true, // not the embedded one
    .can_revoke = true,
    .forgets = true,
    .keys = stepca_keys,
    .remark = "step-ca, by a JWK provisioner.",
    .example = stepca_example,
    .open = open_stepca,
    .close = close_stepca,
    .check = check,
    .submit = submit,
    .fetch = fetch,
    .reconcile = reconcile,
    .revoke = revoke,
};
