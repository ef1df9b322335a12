// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define TOKEN_LIFE_MS (9 * 60 * 1000) // documented: 10 minutes
#define LOGIN_BACKOFF_FIRST_MS 500
#define LOGIN_BACKOFF_MAX_MS 60000
// Wrong credentials do not become right by themselves, and asking often may lock the account.
#define LOGIN_REFUSED_BACKOFF_MS 10000

// ---- the queue ----------------------------------------------------------------------------------

static void queue_push(struct hvca_queue *queue, struct hvca_exchange *exchange) {
    exchange->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = exchange;
    } else {
        queue->first = exchange;
    }
    queue->last = exchange;
}

static void queue_push_front(struct hvca_queue *queue, struct hvca_exchange *exchange) {
    exchange->next = queue->first;
    queue->first = exchange;
    if (queue->last == NULL) {
        queue->last = exchange;
    }
}

static struct hvca_exchange *queue_pop(struct hvca_queue *queue) {
    struct hvca_exchange *exchange = queue->first;
    queue->first = exchange->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    return exchange;
}

static void link_under_way(struct hvca_queue *queue, struct hvca_exchange *exchange) {
    exchange->previous = NULL;
    exchange->next = queue->under_way;
    if (queue->under_way != NULL) {
        queue->under_way->previous = exchange;
    }
    queue->under_way = exchange;
    queue->in_flight++;
}

static void unlink_under_way(struct hvca_queue *queue, struct hvca_exchange *exchange) {
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        queue->under_way = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    queue->in_flight--;
}

static void exchange_free(struct hvca_exchange *exchange) {
    buf_free(exchange->body);
    free(exchange);
}

static void wake(struct ca *ca, int64_t delay_ms) {
    loop_timer_start(ca->queue.timer, delay_ms);
}

// ---- the session --------------------------------------------------------------------------------

int64_t hvca_ca_now_ms(const struct ca *ca) {
    return ca->has_clock ? clock_monotonic_ms() + ca->clock_ahead_ms : clock_wall_ms();
}

int64_t hvca_ca_now_s(const struct ca *ca) {
    return hvca_ca_now_ms(ca) / 1000;
}

bool hvca_clock_fits(const struct ca *ca, struct error *error) {
    char ours[CLOCK_TEXT_SIZE];
    char theirs[CLOCK_TEXT_SIZE];
    int64_t our_ms = clock_wall_ms();
    int64_t their_ms = hvca_ca_now_ms(ca);
    if (llabs(our_ms - their_ms) <= HVCA_CLOCK_DIFFERENCE_MAX_MS) {
        return true;
    }
    clock_format_utc(ours, our_ms);
    clock_format_utc(theirs, their_ms);
    return error_set(error, E_CLOCK, "it is %s here and %s at the CA", ours, theirs);
}

static void note_clock(struct ca *ca, const struct http_response *response) {
    if (response->date_ms != 0) {
        // Date is cut to the second: on average the CA's clock is half a second further.
        ca->clock_ahead_ms = response->date_ms + 500 - clock_monotonic_ms();
        ca->has_clock = true;
    }
}

void hvca_session_retry_now(struct ca *ca) {
    ca->session.retry_at_ms = 0;
}

static int64_t login_backoff_ms(const struct hvca_session *session) {
    int64_t backoff_ms = LOGIN_BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < session->failures && backoff_ms < LOGIN_BACKOFF_MAX_MS; i++) {
        backoff_ms *= 2;
    }
    if (session->error.code == E_CA_LOGIN && backoff_ms < LOGIN_REFUSED_BACKOFF_MS) {
        backoff_ms = LOGIN_REFUSED_BACKOFF_MS;
    }
    return backoff_ms < LOGIN_BACKOFF_MAX_MS ? backoff_ms : LOGIN_BACKOFF_MAX_MS;
}

static void session_fail(struct ca *ca, const struct error *error, int64_t retry_after_ms) {
    struct hvca_session *session = &ca->session;
    session->state = HVCA_LOGGED_OUT;
    session->error = *error;
    session->failures++;
    int64_t backoff_ms = login_backoff_ms(session);
    backoff_ms = retry_after_ms > backoff_ms ? retry_after_ms : backoff_ms;
    session->retry_at_ms = clock_monotonic_ms() + backoff_ms;
    log_error("CA login", error);
}

static void handle_login_done(struct ca *ca, const struct error *error, int64_t retry_after_ms) {
    struct hvca_session *session = &ca->session;
    if (error != NULL) {
        session_fail(ca, error, retry_after_ms);
    } else {
        session->state = HVCA_LOGGED_IN;
        session->generation++;
        session->is_proven = false;
        session->logged_in_ms = clock_monotonic_ms();
    }
    wake(ca, 0);
}

// Whether requests may leave. Starts the login that they need, which all of them share.
static bool session_ready(struct ca *ca) {
    struct hvca_session *session = &ca->session;
    if (session->state == HVCA_LOGGED_IN &&
        clock_monotonic_ms() - session->logged_in_ms > TOKEN_LIFE_MS) {
        session->state = HVCA_LOGGED_OUT;
    }
    if (session->state == HVCA_LOGGED_OUT) {
        session->state = HVCA_LOGGING_IN;
        hvca_login_start(ca, handle_login_done);
    }
    return session->state == HVCA_LOGGED_IN;
}

static bool session_is_barred(const struct ca *ca) {
    return ca->session.state == HVCA_LOGGED_OUT && ca->session.retry_at_ms > clock_monotonic_ms();
}

// ---- answers ------------------------------------------------------------------------------------

static void answer_not_sent(struct hvca_exchange *exchange, const struct error *error,
                            int64_t retry_after_ms) {
    struct http_response response = {.outcome = HTTP_NOT_SENT,
                                     .error = *error,
                                     .retry_after_ms = retry_after_ms,
                                     .total_count = -1};
    exchange->on_answer(exchange->context, &response);
    exchange_free(exchange);
}

static void fail_waiting(struct ca *ca) {
    int64_t wait_ms = ca->session.retry_at_ms - clock_monotonic_ms();
    // What callbacks queue anew waits for the next turn.
    struct hvca_exchange *exchange = ca->queue.first;
    ca->queue.first = NULL;
    ca->queue.last = NULL;
    while (exchange != NULL) {
        struct hvca_exchange *next = exchange->next;
        answer_not_sent(exchange, &ca->session.error, wait_ms > 0 ? wait_ms : 1);
        exchange = next;
    }
}

// A 401: true where the exchange was queued again.
static bool repeat_after_login(struct hvca_exchange *exchange) {
    struct ca *ca = exchange->ca;
    struct hvca_session *session = &ca->session;
    struct error error;
    if (exchange->generation == session->generation && session->state == HVCA_LOGGED_IN) {
        session->state = HVCA_LOGGED_OUT;
        if (!session->is_proven) {
            // A token that never worked: one more would do no better, and the next neither.
            error_set(&error, E_CA_LOGIN, "the CA gave a token and does not accept it");
            session_fail(ca, &error, 0);
        }
    }
    if (exchange->is_repeated) {
        return false;
    }
    exchange->is_repeated = true;
    queue_push_front(&ca->queue, exchange);
    return true;
}

static void handle_answer(void *context, const struct http_response *response) {
    struct hvca_exchange *exchange = context;
    struct ca *ca = exchange->ca;
    unlink_under_way(&ca->queue, exchange);
    note_clock(ca, response);
    wake(ca, 0);
    if (response->outcome == HTTP_ANSWERED && response->status == 401) {
        if (repeat_after_login(exchange)) {
            return;
        }
    } else if (response->outcome == HTTP_ANSWERED &&
               exchange->generation == ca->session.generation) {
        ca->session.is_proven = true;
        ca->session.failures = 0;
    }
    exchange->on_answer(exchange->context, response);
    exchange_free(exchange);
}

// ---- sending ------------------------------------------------------------------------------------

static bool may_leave(const struct hvca_exchange *exchange, struct error *error) {
    const struct hvca_call *call = exchange->issuing;
    if (call == NULL) {
        return true;
    }
    if (!hvca_clock_fits(exchange->ca, error)) {
        return false;
    }
    // By the time that a look-up would go by: steps of the wall clock in the meantime count as well, and
    // what passed before the call began.
    int64_t age_ms = llabs(clock_wall_ms() - call->base.request.sent_ms);
    return age_ms <= HVCA_SUBMIT_LIFE_MS ||
           error_set(error, E_CA_BUSY, "the attempt was noted %lld s before it could leave",
                     (long long)age_ms / 1000);
}

static void start_exchange(struct hvca_exchange *exchange) {
    struct ca *ca = exchange->ca;
    struct error error;
    if (!may_leave(exchange, &error)) {
        answer_not_sent(exchange, &error, 0);
        return;
    }
    char url[SITE_URL_SIZE + HVCA_PATH_SIZE];
    struct buf *bearer = buf_new(HVCA_TOKEN_MAX + 32);
    snprintf(url, sizeof url, "%s%s", ca->site.base_url, exchange->path);
    if (bearer == NULL || !buf_printf(bearer, "Authorization: Bearer ") ||
        !buf_put(bearer, buf_slice(ca->session.token).data, buf_length(ca->session.token))) {
        buf_free_secret(bearer);
        error_set(&error, E_MEMORY, "no memory for a request to the CA");
        answer_not_sent(exchange, &error, 0);
        return;
    }
    struct http_request request = {
        .method = exchange->method,
        .url = url,
        .headers = {"Content-Type: application/json;charset=utf-8", buf_text(bearer),
                    ca->site.extra_header},
        .body = exchange->body != NULL ? buf_slice(exchange->body) : (struct slice){NULL, 0},
        .at_most_once = exchange->issuing != NULL,
    };
    exchange->generation = ca->session.generation;
    bool started = http_start(ca->site.http, &request, handle_answer, exchange, &error);
    buf_free_secret(bearer);
    if (started) {
        link_under_way(&ca->queue, exchange);
    } else {
        answer_not_sent(exchange, &error, 0);
    }
}

static bool take_rate_token(struct ca *ca) {
    int64_t wait_ms;
    if (rate_take(&ca->queue.rate, clock_monotonic_ms(), &wait_ms)) {
        return true;
    }
    wake(ca, wait_ms);
    return false;
}

void hvca_pump(void *context) {
    struct ca *ca = context;
    struct hvca_queue *queue = &ca->queue;
    if (queue->first != NULL && session_is_barred(ca)) {
        fail_waiting(ca);
        return;
    }
    while (queue->first != NULL && queue->in_flight < ca->site.in_flight && session_ready(ca) &&
           take_rate_token(ca)) {
        start_exchange(queue_pop(queue));
    }
}

static void send_exchange(const struct hvca_exchange *what, const char *path) {
    struct ca *ca = what->ca;
    struct hvca_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        // A result that never comes would hold its unit for ever; a start after a crash finds it.
        log_write(LOG_ERROR, "no memory for a request to the CA");
        abort();
    }
    *exchange = *what;
    (void)text_copy(exchange->path, sizeof exchange->path, path);
    queue_push(&ca->queue, exchange);
    wake(ca, 0);
}

void hvca_send(struct ca *ca, const char *method, const char *path, struct buf *body,
               hvca_answer_callback *on_answer, void *context) {
    const struct hvca_exchange exchange = {
        .ca = ca, .method = method, .body = body, .on_answer = on_answer, .context = context};
    send_exchange(&exchange, path);
}

void hvca_send_issuing(struct hvca_call *call, const char *path, struct buf *body,
                       hvca_answer_callback *on_answer) {
    const struct hvca_exchange exchange = {.ca = call->ca,
                                           .method = "POST",
                                           .body = body,
                                           .issuing = call,
                                           .on_answer = on_answer,
                                           .context = call};
    send_exchange(&exchange, path);
}

void hvca_session_close(struct ca *ca) {
    while (ca->queue.first != NULL) {
        exchange_free(queue_pop(&ca->queue));
    }
    while (ca->queue.under_way != NULL) {
        struct hvca_exchange *exchange = ca->queue.under_way;
        ca->queue.under_way = exchange->next;
        exchange_free(exchange);
    }
    loop_timer_free(ca->queue.timer);
    buf_free_secret(ca->session.token);
}
