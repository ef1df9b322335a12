// SPDX-License-Identifier: Apache-2.0
// cfssl, `cfssl serve` and multirootca: one request, one answer, no look-up. Without a key it is asked
// by `sign`, with one by `authsign`. What a profile issues is asked before the first request.
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_cfssl_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"
#include "station/base/secret.h"

// The CA's administrator changes a profile now and then, while a station runs for months.
#define POLICY_LIFE_MS (10 * 60 * 1000)

#define NOT_FOUND 11200 // CertStoreError, RecordNotFound

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static bool read_key(const char *file, struct buf **key, struct error *error) {
    uint8_t bytes[CFSSL_KEY_MAX];
    struct buf *hex = NULL;
    if (!secret_read_line(file, 2 * sizeof bytes + 2, &hex, error)) {
        return false;
    }
    size_t length = buf_length(hex) / 2;
    *key = buf_new(sizeof bytes);
    bool good = length > 0 && length <= sizeof bytes && hex_decode(bytes, length, buf_text(hex)) &&
                *key != NULL && buf_put(*key, bytes, length);
    explicit_bzero(bytes, sizeof bytes);
    buf_free_secret(hex);
    return good ||
           error_set(error, E_CA_CONFIG,
                     "signing_key_file %s: not a key in hex, as in cfssl's auth_keys", file);
}

static bool copy_name(const char *key, const char *text, char out[CFSSL_NAME_MAX + 1],
                      struct error *error) {
    return text_copy(out, CFSSL_NAME_MAX + 1, text != NULL ? text : "") ||
           error_set(error, E_CA_CONFIG, "%s: longer than %d bytes", key, CFSSL_NAME_MAX);
}

static void close_cfssl(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    web_close(&ca->web);
    buf_free_secret(ca->key);
    buf_free(ca->issuer);
    free(ca);
}

static bool open_cfssl(struct loop *loop, const struct ca_settings *settings,
                       const struct ca_events *events, void *context, struct ca **out,
                       struct error *error) {
    const char *name = is_set(settings->name) ? settings->name : "cfssl";
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!copy_name("ca_profile", settings->ca_profile, ca->profile, error) ||
        !copy_name("authority", settings->authority, ca->label, error) ||
        (is_set(settings->signing_key_file) &&
         !read_key(settings->signing_key_file, &ca->key, error)) ||
        !web_open(&ca->web, loop, settings, events, context, error)) {
        close_cfssl(ca);
        return error_prefix(error, "ca %s", name);
    }
    *out = ca;
    return true;
}

// ---- sending ------------------------------------------------------------------------------------

static struct cfssl_call *to_call(struct call *call) {
    return (struct cfssl_call *)call;
}

static struct ca *ca_of(struct call *call) {
    return call->list->owner;
}

static const char *sign_path(const struct ca *ca) {
    return ca->key != NULL ? "/api/v1/cfssl/authsign" : "/api/v1/cfssl/sign";
}

// ---- the policy ---------------------------------------------------------------------------------

static bool read_info(struct ca *ca, const struct http_response *response, struct error *error) {
    struct cfssl_problem problem;
    struct buf *issuer = buf_new(CFSSL_CERTIFICATES_MAX);
    bool good = response->outcome == HTTP_ANSWERED && response->status == 200;
    if (issuer == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA's certificate");
    }
    if (good) {
        good = cfssl_read_info(response->body, &ca->policy, issuer, error);
    } else {
        cfssl_read_problem(response->body, &problem);
        web_explain(response, problem.text, "info", error);
        if (error->code == E_CA_REFUSED) {
            // What was asked for is not a camera's, but the section's: authority and profile.
            error->code = problem.is_cfssl ? E_CA_CONFIG : E_CA_NONSENSE;
        }
    }
    buf_free(ca->issuer);
    ca->issuer = good ? issuer : NULL;
    ca->policy_ms = clock_monotonic_ms();
    if (!good) {
        buf_free(issuer);
    }
    return good;
}

static void fail_call(struct call *call, const struct error *error, int64_t retry_after_ms) {
    if (to_call(call)->is_check) {
        web_report(call, &to_call(call)->report, error);
    } else {
        call_fail(call, CA_NOT_SENT, error, retry_after_ms);
    }
}

static void fail_early(struct call *call) {
    fail_call(call, &call->early.error, 0);
}

static void handle_info(struct call *call, const struct http_response *response) {
    struct error error;
    if (response->date_ms != 0) {
        to_call(call)->report.clock_offset_ms = response->date_ms - clock_wall_ms();
    }
    if (read_info(ca_of(call), response, &error)) {
        to_call(call)->next(call);
    } else {
        fail_call(call, &error, response->retry_after_ms);
    }
}

static void ask_policy(struct call *call, call_step *next) {
    struct error error;
    struct buf *body = cfssl_write_info(ca_of(call), &error);
    to_call(call)->next = next;
    if (body == NULL) {
        call->early.error = error;
        call_delay(call, 0, fail_early);
        return;
    }
    web_send_json(call, "POST", "/api/v1/cfssl/info", body, false, handle_info);
}

// ---- issuing ------------------------------------------------------------------------------------

static void handle_sign(struct call *call, const struct http_response *response) {
    const struct ca *ca = ca_of(call);
    struct ca_result result = {0};
    struct buf *der = buf_new(CFSSL_CERTIFICATES_MAX);
    if (der == NULL) {
        result.outcome = CA_DOUBT;
        error_set(&result.error, E_MEMORY, "no memory for a certificate");
    } else {
        cfssl_judge_sign(response, call->request.spki_sha256, der, &result);
    }
    if (result.outcome == CA_CERTIFICATE && ca->issuer != NULL) {
        result.extra = buf_slice(ca->issuer);
    }
    call_finish(call, &result);
    buf_free(der);
}

static void send_sign(struct call *call) {
    struct ca *ca = ca_of(call);
    struct error error;
    if (!cfssl_policy_fits(&ca->policy, &call->profile, clock_wall_ms(), &error)) {
        call_finish_later(call, CA_NOT_SENT, &error);
        return;
    }
    struct buf *body = cfssl_write_sign(ca, &call->request, &error);
    if (body == NULL) {
        call_finish_later(call, error.code == E_MEMORY ? CA_NOT_SENT : CA_REFUSED, &error);
        return;
    }
    web_send_json(call, "POST", sign_path(ca), body, true, handle_sign);
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct cfssl_call), request);
    if (call_ends_early(call)) {
        return;
    }
    if (ca->issuer != NULL && clock_monotonic_ms() - ca->policy_ms < POLICY_LIFE_MS) {
        send_sign(call);
    } else {
        ask_policy(call, send_sign);
    }
}

// Not CA_DOUBT: that would end in a second request, and whoever gave the handle may have issued.
static void fetch(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct cfssl_call), request);
    struct error error;
    error_set(&error, E_CA_UNSUPPORTED,
              "cfssl issues at once and never gave the handle \"%s\": another CA did",
              call->handle);
    call_finish_later(call, CA_NOT_SENT, &error);
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct cfssl_call), request);
    call->early.outcome = CA_DOUBT; // nothing was looked at
    if (!call_ends_early(call)) {
        call_cannot_look(call, ca->web.resends_lost);
    }
}

// ---- checking -----------------------------------------------------------------------------------

static void handle_probe(struct call *call, const struct http_response *response) {
    const struct ca *ca = ca_of(call);
    struct error error;
    bool is_in = cfssl_judge_probe(response, ca->key != NULL, &error);
    if (is_in) {
        bool has_login = ca->key != NULL || ca->web.site.certificate_file != NULL;
        to_call(call)->report.login = has_login ? CA_LOGIN_TAKEN : CA_LOGIN_NONE;
    }
    web_report(call, &to_call(call)->report, is_in ? NULL : &error);
}

static void check_policy(struct call *call) {
    struct ca *ca = ca_of(call);
    struct ca_report *report = &to_call(call)->report;
    struct error error;
    site_report_chain(&ca->web.site, buf_slice(ca->issuer), clock_wall_ms(), report);
    if (!cfssl_policy_fits(&ca->policy, &call->profile, clock_wall_ms(), &error)) {
        site_note_error(report, &error);
    }
    struct buf *body = cfssl_write_probe(ca, &error);
    if (body == NULL) {
        web_report(call, report, &error);
        return;
    }
    web_send_json(call, "POST", sign_path(ca), body, false, handle_probe);
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    struct call *call = call_new(&ca->web.calls, sizeof(struct cfssl_call), &request);
    to_call(call)->is_check = true;
    to_call(call)->report.quota = -1;
    if (call->early.error.code != ERROR_NONE) {
        call_delay(call, 0, fail_early);
    } else {
        ask_policy(call, check_policy);
    }
}

// ---- revoking -----------------------------------------------------------------------------------

static void handle_revoke_again(struct call *call, const struct http_response *response);

static void send_revoke(struct call *call, bool knows_issuer, web_answer *on_answer) {
    struct error error;
    struct buf *body =
        cfssl_write_revoke(call->request.certificate, call->reason, knows_issuer, &error);
    if (body == NULL) {
        call_finish_later(call, CA_REFUSED, &error);
        return;
    }
    web_send_json(call, "POST", "/api/v1/cfssl/revoke", body, false, on_answer);
}

// Without a database cfssl has no such function. That it is cfssl which says so, and no proxy or wrong
// url, its answer to info has told.
static void say_unsupported(struct call *call) {
    struct error error;
    error_set(
        &error, E_CA_UNSUPPORTED,
        "this cfssl was started without -db-config: it keeps no record of what it issues, and "
        "revokes nothing");
    call_fail(call, CA_REFUSED, &error, 0);
}

static void finish_revoke(struct call *call, const struct http_response *response,
                          const struct cfssl_problem *problem) {
    struct ca_result result = {0};
    if (response->outcome == HTTP_ANSWERED && response->status == 404) {
        ask_policy(call, say_unsupported);
        return;
    }
    web_judge(response, problem->text, &result);
    if (response->outcome == HTTP_ANSWERED && response->status == 200 &&
        json_load_flag(response->body, "success")) {
        result = (struct ca_result){.outcome = CA_REVOKED};
    }
    call_finish(call, &result);
}

static void handle_revoke_again(struct call *call, const struct http_response *response) {
    struct cfssl_problem problem;
    cfssl_read_problem(response->body, &problem);
    finish_revoke(call, response, &problem);
}

// Debian's cfssl, built with a Go that keeps the issuer's key id to itself, records an empty one.
static void handle_revoke(struct call *call, const struct http_response *response) {
    struct cfssl_problem problem;
    cfssl_read_problem(response->body, &problem);
    if (response->outcome == HTTP_ANSWERED && response->status == 400 &&
        problem.code == NOT_FOUND) {
        send_revoke(call, false, handle_revoke_again);
    } else {
        finish_revoke(call, response, &problem);
    }
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct call *call = call_new(&ca->web.calls, sizeof(struct cfssl_call), request);
    call->reason = reason;
    if (!call_ends_early(call)) {
        send_revoke(call, true, handle_revoke);
    }
}

static const char *const cfssl_keys[] = {
    "url",
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    "extra_header",
    "ca_profile",
    "authority",
    "signing_key_file",
    "lost_answer",
    "formerly",
    NULL,
};

static const char cfssl_example[] = "backend = cfssl\n"
                                    "url = https://cfssl.factory.example:8888\n"
                                    "server_root_file = cfssl/server-root.pem\n"
                                    "root_file = cfssl/root.pem\n"
                                    "ca_profile = camera\n"
                                    "signing_key_file = cfssl/auth.key\n";

const struct ca_ops ca_cfssl = {
    .name = "cfssl",
    .is_public = true, // not the embedded one
    .can_revoke = true,
    .forgets = true,
    .keys = cfssl_keys,
    .remark = "cfssl: `cfssl serve`, or multirootca.",
    .example = cfssl_example,
    .open = open_cfssl,
    .close = close_cfssl,
    .check = check,
    .submit = submit,
    .fetch = fetch,
    .reconcile = reconcile,
    .revoke = revoke,
};
