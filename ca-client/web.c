// SPDX-License-Identifier: Apache-2.0
#include "ca-client/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define HEADERS_SIZE 16384 // of one request, with a token in them

// From the queue to the answer.
struct web_exchange {
    struct web *web;
    struct web_exchange *next;
    struct web_exchange *previous;
    struct call *call;
    const char *method;
    char path[WEB_PATH_SIZE];
    struct buf *headers; // secret: one NUL-terminated line after the other
    struct buf *body;    // secret, may be NULL
    bool at_most_once;
    size_t body_max;
    web_answer *on_answer;
};

static void exchange_free(struct web_exchange *exchange) {
    buf_free_secret(exchange->headers);
    buf_free_secret(exchange->body);
    free(exchange);
}

static void wake(struct web *web, int64_t delay_ms) {
    loop_timer_start(web->timer, delay_ms);
}

// ---- the queue ----------------------------------------------------------------------------------

static void queue_push(struct web *web, struct web_exchange *exchange) {
    if (web->last != NULL) {
        web->last->next = exchange;
    } else {
        web->first = exchange;
    }
    web->last = exchange;
}

static struct web_exchange *queue_pop(struct web *web) {
    struct web_exchange *exchange = web->first;
    web->first = exchange->next;
    web->last = web->first == NULL ? NULL : web->last;
    exchange->next = NULL;
    return exchange;
}

static void link_under_way(struct web_exchange *exchange) {
    struct web *web = exchange->web;
    exchange->next = web->under_way;
    if (web->under_way != NULL) {
        web->under_way->previous = exchange;
    }
    web->under_way = exchange;
    web->in_flight++;
}

static void unlink_under_way(struct web_exchange *exchange) {
    struct web *web = exchange->web;
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        web->under_way = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    web->in_flight--;
}

// ---- sending ------------------------------------------------------------------------------------

static void handle_answer(void *context, const struct http_response *response) {
    struct web_exchange *exchange = context;
    unlink_under_way(exchange);
    wake(exchange->web, 0);
    exchange->on_answer(exchange->call, response);
    exchange_free(exchange);
}

static void answer_not_sent(struct web_exchange *exchange, const struct error *error) {
    const struct http_response response = {
        .outcome = HTTP_NOT_SENT, .error = *error, .total_count = -1};
    exchange->on_answer(exchange->call, &response);
    exchange_free(exchange);
}

static void list_headers(const struct web_exchange *exchange, struct http_request *request) {
    struct slice rest = buf_slice(exchange->headers);
    size_t count = 0;
    while (rest.length > 0) {
        size_t length = strlen((const char *)rest.data) + 1;
        request->headers[count++] = (const char *)rest.data;
        rest = (struct slice){rest.data + length, rest.length - length};
    }
    request->headers[count] = exchange->web->site.extra_header;
}

static void start_exchange(struct web_exchange *exchange) {
    const struct site *site = &exchange->web->site;
    struct error error;
    char url[SITE_URL_SIZE + WEB_PATH_SIZE];
    snprintf(url, sizeof url, "%s%s", site->base_url, exchange->path);
    struct http_request request = {
        .method = exchange->method,
        .url = url,
        .body = exchange->body != NULL ? buf_slice(exchange->body) : (struct slice){NULL, 0},
        .at_most_once = exchange->at_most_once,
        .body_max = exchange->body_max,
    };
    list_headers(exchange, &request);
    if (http_start(site->http, &request, handle_answer, exchange, &error)) {
        link_under_way(exchange);
    } else {
        answer_not_sent(exchange, &error);
    }
}

static void pump(void *context) {
    struct web *web = context;
    int64_t wait_ms = 0;
    while (web->first != NULL && web->in_flight < web->site.in_flight) {
        if (!rate_take(&web->rate, clock_monotonic_ms(), &wait_ms)) {
            wake(web, wait_ms);
            return;
        }
        start_exchange(queue_pop(web));
    }
}

static bool keep_request(struct web_exchange *exchange, const struct web_request *request) {
    exchange->headers = buf_new(HEADERS_SIZE);
    bool done = exchange->headers != NULL &&
                text_copy(exchange->path, sizeof exchange->path, request->path);
    for (size_t i = 0; done && i < WEB_HEADERS_MAX && request->headers[i] != NULL; i++) {
        done = buf_put(exchange->headers, request->headers[i], strlen(request->headers[i]) + 1);
    }
    return done;
}

void web_send(struct call *call, const struct web_request *request, web_answer *on_answer) {
    struct web *web = call->list->owner;
    struct web_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || !keep_request(exchange, request)) {
        // A result that never comes would hold its unit for ever; a start after a crash finds it.
        log_write(LOG_ERROR, "no memory for a request to the CA");
        abort();
    }
    exchange->web = web;
    exchange->call = call;
    exchange->method = request->method;
    exchange->body = request->body;
    exchange->at_most_once = request->at_most_once;
    exchange->body_max = request->body_max;
    exchange->on_answer = on_answer;
    queue_push(web, exchange);
    wake(web, 0);
}

void web_send_json(struct call *call, const char *method, const char *path, struct buf *body,
                   bool at_most_once, web_answer *on_answer) {
    const struct web_request request = {
        .method = method,
        .path = path,
        .headers = {body != NULL ? "Content-Type: application/json" : NULL},
        .body = body,
        .at_most_once = at_most_once,
    };
    web_send(call, &request, on_answer);
}

// ---- what answers mean --------------------------------------------------------------------------

static enum ca_outcome outcome_of_status(long status) {
    switch (status) {
    case 400:
    case 422:
        return CA_REFUSED;
    case 401:
    case 403:
    case 404:
    case 405:
    case 406:
    case 411:
    case 413:
    case 415:
    case 429:
        return CA_NOT_SENT;
    default:
        return CA_DOUBT;
    }
}

static enum error_code code_of_status(long status) {
    switch (status) {
    case 400:
    case 422:
        return E_CA_REFUSED;
    case 401:
    case 403:
        return E_CA_LOGIN;
    case 429:
    case 503:
        return E_CA_BUSY;
    default:
        return status >= 500 ? E_CA_UNREACHABLE : E_CA_NONSENSE;
    }
}

static void say_status(long status, const char *said, enum error_code code, struct error *error) {
    error_set(error, code, "the CA answered HTTP %ld%s%s", status, said[0] != '\0' ? ": " : "",
              said);
}

void web_judge(const struct http_response *response, const char *said, struct ca_result *result) {
    result->retry_after_ms = (uint32_t)response->retry_after_ms;
    if (response->outcome != HTTP_ANSWERED) {
        result->outcome = response->outcome == HTTP_NOT_SENT ? CA_NOT_SENT : CA_DOUBT;
        result->error = response->error;
        return;
    }
    result->outcome = outcome_of_status(response->status);
    enum error_code code = result->outcome == CA_REFUSED ? E_CA_REFUSED
                           : result->outcome == CA_DOUBT ? E_CA_DOUBT
                                                         : code_of_status(response->status);
    say_status(response->status, said, code, &result->error);
}

static bool is_for_key(struct slice leaf, const uint8_t spki_sha256[SHA256_SIZE],
                       struct ca_result *result) {
    struct certificate_identity identity;
    if (!x509_identify(leaf, &identity, &result->error)) {
        return false;
    }
    result->issued_s = identity.not_before_s;
    return memcmp(identity.spki_sha256, spki_sha256, SHA256_SIZE) == 0 ||
           error_set(&result->error, E_CA_DOUBT,
                     "the CA answered with a certificate for another key");
}

void web_judge_certificates(bool is_read, const struct buf *der,
                            const uint8_t spki_sha256[SHA256_SIZE], struct ca_result *result) {
    const struct slice all = buf_slice(der);
    const struct slice leaf = x509_first_der(all);
    if (!is_read || !is_for_key(leaf, spki_sha256, result)) {
        result->outcome = CA_DOUBT;
        result->error.code = E_CA_DOUBT;
        return;
    }
    result->outcome = CA_CERTIFICATE;
    result->leaf = leaf;
    result->extra = (struct slice){all.data + leaf.length, all.length - leaf.length};
}

void web_explain(const struct http_response *response, const char *said, const char *what,
                 struct error *error) {
    if (response->outcome == HTTP_ANSWERED) {
        say_status(response->status, said, code_of_status(response->status), error);
    } else {
        *error = response->error;
        error->code = response->outcome == HTTP_LOST ? E_CA_UNREACHABLE : error->code;
    }
    error_prefix(error, "%s", what);
}

void web_report(struct call *call, struct ca_report *report, const struct error *error) {
    struct web *web = call->list->owner;
    if (error != NULL) {
        site_note_error(report, error);
    }
    site_report_station(&web->site, report);
    enum error_code code = error != NULL ? error->code : ERROR_NONE;
    // What comes right by itself is as good as no answer: the check is made again.
    report->reachable = error_code_class(code) != ERROR_CLASS_RETRY && code != E_CA_TLS;
    report->logged_in = report->reachable && code != E_CA_LOGIN;
    report->policy_fits = report->error.code == ERROR_NONE;
    call_report(call, report);
}

// ---- opening ------------------------------------------------------------------------------------

bool web_open(struct web *web, struct loop *loop, const struct ca_settings *settings,
              const struct ca_events *events, void *context, struct error *error) {
    web->calls.loop = loop;
    web->calls.ca = settings->name;
    web->calls.events = *events;
    web->calls.context = context;
    web->calls.owner = web;
    web->resends_lost = settings->resends_lost;
    rate_init(&web->rate, settings->requests_per_second, clock_monotonic_ms());
    web->timer = loop_timer_new(loop, pump, web);
    if (web->timer == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    return site_open(&web->site, loop, settings, error);
}

void web_close(struct web *web) {
    http_free(web->site.http); // first: it still knows of the exchanges
    web->site.http = NULL;
    while (web->first != NULL) {
        exchange_free(queue_pop(web));
    }
    while (web->under_way != NULL) {
        struct web_exchange *exchange = web->under_way;
        web->under_way = exchange->next;
        exchange_free(exchange);
    }
    call_list_end(&web->calls);
    loop_timer_free(web->timer);
    site_close(&web->site);
}
