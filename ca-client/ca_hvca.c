// SPDX-License-Identifier: Apache-2.0
// GlobalSign Atlas HVCA, API version 2. It has no bulk call and no idempotency key: speed comes
// from many requests at once over kept connections, and a lost answer is settled by looking at what
// was issued (ca_hvca_reconcile.c), never by a second request.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/secret.h"

#define TIMEOUT_DEFAULT_MS 30000

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static bool check_settings(const struct ca_settings *settings, struct error *error) {
    if (!is_set(settings->api_key_file) || !is_set(settings->api_secret_file)) {
        return error_set(error, E_CA_CONFIG, "api_key_file and api_secret_file must be set");
    }
    if (is_set(settings->url) && !http_url_is_loopback(settings->url) &&
        !is_set(settings->client_certificate_file)) {
        return error_set(error, E_CA_CONFIG,
                         "client_certificate_file is not set: this CA needs mutual TLS");
    }
    return true;
}

static void free_extra(struct call *call) {
    const struct hvca_call *ended = (const struct hvca_call *)call;
    hvca_scan_free(ended->scan);
    free(ended->report);
}

static bool set_up(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    ca->settle_ms = settings->settle_ms > 0 ? settings->settle_ms : HVCA_SETTLE_MS;
    ca->queue.timer = loop_timer_new(ca->loop, hvca_pump, ca);
    ca->chain = buf_new(HVCA_CHAIN_MAX);
    rate_init(&ca->queue.rate, settings->requests_per_second, clock_monotonic_ms());
    if (ca->queue.timer == NULL || ca->chain == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    return secret_read_line(settings->api_key_file, HVCA_SECRET_MAX, &ca->api_key, error) &&
           secret_read_line(settings->api_secret_file, HVCA_SECRET_MAX, &ca->api_secret, error) &&
           site_open(&ca->site, ca->loop, settings, error);
}

static void close_hvca(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    http_free(ca->site.http); // first: it still knows of the exchanges
    ca->site.http = NULL;
    hvca_session_close(ca);
    call_list_end(&ca->calls);
    site_close(&ca->site);
    buf_free_secret(ca->api_key);
    buf_free_secret(ca->api_secret);
    buf_free(ca->chain);
    free(ca->cache);
    free(ca->obstacles);
    free(ca);
}

static bool open_hvca(struct loop *loop, const struct ca_settings *settings,
                      const struct ca_events *events, void *context, struct ca **out,
                      struct error *error) {
    const char *name = is_set(settings->name) ? settings->name : "hvca";
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    ca->loop = loop;
    ca->calls = (struct call_list){
        .loop = loop,
        .ca = name,
        .events = *events,
        .context = context,
        .owner = ca,
        .on_free = free_extra,
    };
    if (!check_settings(settings, error) || !set_up(ca, settings, error)) {
        close_hvca(ca);
        return error_prefix(error, "ca %s", name);
    }
    *out = ca;
    return true;
}

// ---- calls --------------------------------------------------------------------------------------

static void handle_issue(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    char handle[CA_HANDLE_SIZE];
    struct ca_result result = {0};
    hvca_judge_issue(response, call->base.replaces, &result, handle);
    if (hvca_is_rekey(call) && result.outcome == CA_REFUSED) {
        hvca_explain_no_rekey(call, &result.error);
    }
    call_finish(&call->base, &result);
}

// Whether it may be sent and what: otherwise `outcome` and `error` say why nothing was.
static bool write_request(struct hvca_call *call, struct buf **body, enum ca_outcome *outcome,
                          struct error *error) {
    struct ca *ca = call->ca;
    const struct hvca_ask ask = {&ca->policy, &call->base.request, hvca_ca_now_s(ca)};
    *outcome = CA_NOT_SENT;
    if (!hvca_clock_fits(ca, error) ||
        !hvca_policy_fits(&ca->policy, &call->base.profile, ask.ca_now_s, false, error)) {
        return false;
    }
    *outcome = CA_REFUSED;
    return hvca_is_rekey(call) ? hvca_write_rekey(&ask, body, error)
                               : hvca_write_request(&ask, body, error);
}

static void send_request(struct hvca_call *call) {
    struct ca *ca = call->ca;
    struct error error = {0};
    struct buf *body = NULL;
    enum ca_outcome outcome;
    char path[HVCA_PATH_SIZE] = "/certificates";
    if (hvca_is_rekey(call)) {
        hvca_rekey_path(path, call->base.replaces);
    }
    if (write_request(call, &body, &outcome, &error)) {
        hvca_send_issuing(call, path, body, handle_issue);
    } else if (error.code == E_CLOCK && call->tries++ == 0 && ca->facts == HVCA_FACTS_KNOWN) {
        // Its last answer may be old, and the computer may have slept since: it is asked anew.
        ca->facts = HVCA_FACTS_UNKNOWN;
        hvca_need_facts(call, send_request);
    } else {
        call_finish_later(&call->base, outcome, &error);
    }
}

static void send_rekey(struct hvca_call *call) {
    hvca_check_rekeyed(call, send_request);
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (!call_ends_early(&call->base)) {
        hvca_need_facts(call, hvca_is_rekey(call) ? send_rekey : send_request);
    }
}

static void fetch(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (!call_ends_early(&call->base)) {
        hvca_fetch(call);
    }
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (call->base.early.error.code != ERROR_NONE) {
        call->base.early.outcome = CA_DOUBT; // nothing was looked at
    }
    if (!call_ends_early(&call->base)) {
        hvca_reconcile(call);
    }
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct hvca_call *call = hvca_call_new(ca, request);
    call->base.reason = reason;
    if (!call_ends_early(&call->base)) {
        hvca_revoke(call);
    }
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    struct hvca_call *call = hvca_call_new(ca, &request);
    call->report = calloc(1, sizeof *call->report);
    if (call->report == NULL) {
        abort();
    }
    hvca_check(call);
}

static const char *const hvca_keys[] = {
    "url",
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    "api_key_file",
    "api_secret_file",
    "extra_header",
    "rekey",
    "formerly",
    NULL,
};

static const char hvca_example[] = "backend = hvca\n"
                                   "url = https://emea.api.hvca.globalsign.com:8443/v2\n"
                                   "client_certificate_file = hvca/station.pem\n"
                                   "client_key_file = hvca/station.key\n"
                                   "server_root_file = hvca/server-root.pem\n"
                                   "root_file = hvca/root.pem\n"
                                   "api_key_file = hvca/api.key\n"
                                   "api_secret_file = hvca/api.secret\n";

const struct ca_ops ca_hvca = {
    .name = "hvca",
    .is_public = true,
    .can_revoke = true,
    .keys = hvca_keys,
    .remark = "GlobalSign Atlas HVCA.",
    .example = hvca_example,
    .not_before_window_s = HVCA_STAMP_WINDOW_S,
    .settle_ms = HVCA_SETTLE_MS,
    .open = open_hvca,
    .close = close_hvca,
    .check = check,
    .submit = submit,
    .fetch = fetch,
    .reconcile = reconcile,
    .revoke = revoke,
};
