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

static const char *or_null(const char *text) {
    return is_set(text) ? text : NULL;
}

static bool is_printable(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return length > 0;
}

static bool check_url(const char *url, struct error *error) {
    if (!is_set(url)) {
        return error_set(error, E_CA_CONFIG, "url is not set");
    }
    if (strlen(url) >= HVCA_URL_SIZE - 32 || !is_printable(url, strlen(url)) ||
        strpbrk(url, " @?#\\\"") != NULL) {
        return error_set(error, E_CA_CONFIG, "url: \"%s\" is no plain URL", url);
    }
    if (strncasecmp(url, "https://", 8) != 0 && !http_url_is_loopback(url)) {
        return error_set(error, E_CA_CONFIG, "url: \"%s\" must begin with https://", url);
    }
    return true;
}

static bool check_settings(const struct ca_settings *settings, struct error *error) {
    if (!check_url(settings->url, error)) {
        return false;
    }
    if (!is_set(settings->api_key_file) || !is_set(settings->api_secret_file)) {
        return error_set(error, E_CA_CONFIG, "api_key_file and api_secret_file must be set");
    }
    bool has_certificate = is_set(settings->client_certificate_file);
    if (has_certificate != is_set(settings->client_key_file)) {
        return error_set(error, E_CA_CONFIG,
                         "client_certificate_file and client_key_file go together");
    }
    if (!has_certificate && !http_url_is_loopback(settings->url)) {
        return error_set(error, E_CA_CONFIG,
                         "client_certificate_file is not set: this CA needs mutual TLS");
    }
    const char *header = settings->extra_header;
    if (is_set(header) && (!is_printable(header, strlen(header)) || strchr(header, ':') == NULL ||
                           strlen(header) > 512)) {
        return error_set(error, E_CA_CONFIG, "extra_header must be \"Name: value\"");
    }
    return true;
}

// Editors put a newline at a file's end; no key or secret has blanks.
static bool read_secret(const char *file, struct buf **out, struct error *error) {
    struct buf *raw = NULL;
    if (!secret_read(file, HVCA_SECRET_MAX, &raw, error)) {
        return false;
    }
    const char *text = buf_text(raw);
    size_t length = buf_length(raw);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    bool good = is_printable(text, length);
    *out = good ? buf_new(HVCA_SECRET_MAX) : NULL;
    if (!good) {
        error_set(error, E_CA_CONFIG, "%s: must hold one line of printable ASCII", file);
    } else if (*out == NULL || !buf_put(*out, text, length)) {
        good = error_set(error, E_MEMORY, "no memory for a secret");
    }
    buf_free_secret(raw);
    return good;
}

static bool copy_text(char **out, const char *text) {
    *out = NULL;
    if (text == NULL || text[0] == '\0') {
        return true;
    }
    *out = strdup(text);
    return *out != NULL;
}

static bool copy_settings(struct ca *ca, const struct ca_settings *settings) {
    ca->in_flight_max = settings->in_flight > 0 ? settings->in_flight : 1;
    ca->requests_per_second = settings->requests_per_second;
    ca->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_DEFAULT_MS;
    ca->settle_ms = settings->settle_ms > 0 ? settings->settle_ms : HVCA_SETTLE_MS;
    ca->queue.tokens = 1;
    ca->queue.filled_ms = clock_monotonic_ms();
    ca->queue.timer = loop_timer_new(ca->loop, hvca_pump, ca);
    ca->chain = buf_new(HVCA_CHAIN_MAX);
    bool done = ca->queue.timer != NULL && ca->chain != NULL &&
                copy_text(&ca->base_url, settings->url) &&
                copy_text(&ca->extra_header, settings->extra_header) &&
                copy_text(&ca->certificate_file, settings->client_certificate_file) &&
                copy_text(&ca->key_file, settings->client_key_file) &&
                copy_text(&ca->root_file, settings->root_file) &&
                copy_text(&ca->intermediates_file, settings->intermediates_file);
    size_t length = done && ca->base_url != NULL ? strlen(ca->base_url) : 0;
    while (length > 0 && ca->base_url[length - 1] == '/') {
        ca->base_url[--length] = '\0';
    }
    return done;
}

static bool set_up(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    struct http_settings http = {
        .server_root_file = settings->server_root_file,
        .client_certificate_file = or_null(settings->client_certificate_file),
        .client_key_file = or_null(settings->client_key_file),
        .connections = settings->in_flight > 0 ? settings->in_flight : 1,
        .timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_DEFAULT_MS,
    };
    int64_t not_after_ms = 0;
    if (!copy_settings(ca, settings)) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    return read_secret(settings->api_key_file, &ca->api_key, error) &&
           read_secret(settings->api_secret_file, &ca->api_secret, error) &&
           (ca->certificate_file == NULL ||
            x509_station_check(ca->certificate_file, ca->key_file, &not_after_ms, error)) &&
           http_new(ca->loop, &http, &ca->http, error);
}

static void close_hvca(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    http_free(ca->http);
    hvca_session_close(ca);
    while (ca->calls != NULL) {
        hvca_call_free(ca->calls);
    }
    buf_free_secret(ca->api_key);
    buf_free_secret(ca->api_secret);
    buf_free(ca->chain);
    free(ca->cache);
    free(ca->obstacles);
    free(ca->base_url);
    free(ca->extra_header);
    free(ca->certificate_file);
    free(ca->key_file);
    free(ca->root_file);
    free(ca->intermediates_file);
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
    ca->events = *events;
    ca->context = context;
    if (!check_settings(settings, error) || !set_up(ca, settings, error)) {
        close_hvca(ca);
        return error_prefix(error, "ca %s", name);
    }
    *out = ca;
    return true;
}

// ---- calls --------------------------------------------------------------------------------------

// True where the call cannot even begin; its result is on its way then.
static bool ends_early(struct hvca_call *call) {
    if (call->early.error.code == ERROR_NONE) {
        return false;
    }
    struct error error = call->early.error;
    hvca_call_finish_later(call, call->early.outcome, &error);
    return true;
}

static void handle_issue(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    char handle[CA_HANDLE_SIZE];
    struct ca_result result = {0};
    hvca_judge_issue(response, &result, handle);
    hvca_call_finish(call, &result);
}

// Whether it may be sent and what: otherwise `outcome` and `error` say why nothing was.
static bool write_request(struct hvca_call *call, struct buf **body, enum ca_outcome *outcome,
                          struct error *error) {
    struct ca *ca = call->ca;
    const struct hvca_ask ask = {&ca->policy, &call->request, hvca_ca_now_s(ca)};
    *outcome = CA_NOT_SENT;
    if (!hvca_clock_fits(ca, error) ||
        !hvca_policy_fits(&ca->policy, &call->profile, ask.ca_now_s, false, error)) {
        return false;
    }
    *outcome = CA_REFUSED;
    return hvca_write_request(&ask, body, error);
}

static void send_request(struct hvca_call *call) {
    struct ca *ca = call->ca;
    struct error error = {0};
    struct buf *body = NULL;
    enum ca_outcome outcome;
    if (write_request(call, &body, &outcome, &error)) {
        hvca_send_issuing(call, body, handle_issue);
    } else if (error.code == E_CLOCK && call->tries++ == 0 && ca->facts == HVCA_FACTS_KNOWN) {
        // Its last answer may be old, and the computer may have slept since: it is asked anew.
        ca->facts = HVCA_FACTS_UNKNOWN;
        hvca_need_facts(call, send_request);
    } else {
        hvca_call_finish_later(call, outcome, &error);
    }
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (!ends_early(call)) {
        hvca_need_facts(call, send_request);
    }
}

static void fetch(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (!ends_early(call)) {
        hvca_fetch(call);
    }
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = hvca_call_new(ca, request);
    if (call->early.error.code != ERROR_NONE) {
        call->early.outcome = CA_DOUBT; // nothing was looked at
    }
    if (!ends_early(call)) {
        hvca_reconcile(call);
    }
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct hvca_call *call = hvca_call_new(ca, request);
    call->reason = reason;
    if (!ends_early(call)) {
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
    "url",          "client_certificate_file", "client_key_file", "server_root_file",
    "api_key_file", "api_secret_file",         "extra_header",    NULL,
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
    .can_reconcile = true,
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
