// SPDX-License-Identifier: Apache-2.0
#include "station/app/forward.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "station/app/forward_parts.h"
#include "station/base/log.h"

#define ATTEMPTS_MAX 16384
#define TICK_MS 500
#define ALIVE_MS 10000
#define HELLO_MS 10000
#define STOP_PATIENCE_MS 30000
// A request may wait in a backend for its turn; HVCA's leave within 5 minutes or not at all.
#define SUBMIT_LIFE_MS (300 * 1000)
#define TIMEOUT_DEFAULT_MS 30000

// ---- benches ------------------------------------------------------------------------------------

static void refuse_bench(struct forward_bench *bench, const struct error *error) {
    buf_clear(bench->forward->out);
    if (!outbox_put_farewell(bench->forward->out, error) ||
        !outbox_line_put(bench->line, buf_slice(bench->forward->out))) {
        log_write(LOG_ERROR, "no memory for a farewell");
    }
    forward_drop_bench(bench, error);
}

static void take_hello(struct forward_bench *bench, const struct outbox_message *message) {
    struct error error;
    if (message->protocol != OUTBOX_PROTOCOL) {
        error_set(&error, E_CA_CONFIG,
                  "bench %s speaks version %u of the outbox protocol, the forwarder %d",
                  message->name, message->protocol, OUTBOX_PROTOCOL);
        refuse_bench(bench, &error);
        return;
    }
    memcpy(bench->name, message->name, sizeof bench->name);
    output_note(bench->forward->output, "bench %s is connected (connection %llu, uid %u, pid %d)",
                bench->name, (unsigned long long)bench->number, bench->peer.uid, bench->peer.pid);
}

static void handle_line(void *context, struct slice line) {
    struct forward_bench *bench = context;
    struct outbox_message *message = bench->forward->message;
    struct error error;
    if (!outbox_read(line, message, &error)) {
        refuse_bench(bench, &error);
    } else if (message->type < OUTBOX_HELLO ||
               (message->type == OUTBOX_HELLO) != (bench->name[0] == '\0')) {
        error_set(&error, E_CA_NONSENSE, "the bench sends a %s where none belongs",
                  outbox_type_name(message->type));
        refuse_bench(bench, &error);
    } else if (message->type == OUTBOX_HELLO) {
        take_hello(bench, message);
    } else {
        forward_take_call(bench, message);
    }
}

static void handle_end(void *context, const struct error *error) {
    forward_drop_bench(context, error);
}

static uint32_t answer_limit_ms(const struct forward *forward) {
    uint32_t longest_ms = TIMEOUT_DEFAULT_MS;
    for (size_t i = 0; i < forward->ca_count; i++) {
        uint32_t timeout_ms = forward->cas[i].config->settings.timeout_ms;
        longest_ms = timeout_ms > longest_ms ? timeout_ms : longest_ms;
    }
    return SUBMIT_LIFE_MS + 2 * longest_ms;
}

static void greet(struct forward_bench *bench, int descriptor) {
    static const struct outbox_line_events events = {handle_line, handle_end};
    struct forward *forward = bench->forward;
    struct ca_behind behind[CONFIG_PROFILES_MAX];
    struct error error;
    if (!outbox_line_new(forward->loop, descriptor, &events, bench, &bench->line, &error)) {
        log_error("a bench", &error);
        close(descriptor);
        return;
    }
    bench->number = ++forward->last_number;
    bench->since_ms = loop_now_ms(forward->loop);
    size_t count = forward_list_behind(forward, behind);
    buf_clear(forward->out);
    forward_send_out(bench, outbox_put_greeting(forward->out, "birthcert " BIRTHCERT_VERSION,
                                                answer_limit_ms(forward), behind, count));
}

static struct forward_bench *find_place(struct forward *forward) {
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        if (forward->benches[i].line == NULL) {
            return &forward->benches[i];
        }
    }
    return NULL;
}

// While all places are taken, benches wait in the socket's queue.
static void watch_socket(struct forward *forward) {
    bool takes = find_place(forward) != NULL && !forward->stopping;
    loop_watch_set(forward->watch, takes ? (unsigned)LOOP_READABLE : 0U);
}

static void handle_connections(void *context, unsigned events) {
    struct forward *forward = context;
    struct forward_bench *bench = find_place(forward);
    (void)events;
    while (bench != NULL && !forward->stopping) {
        int descriptor = forward_socket_accept(forward->socket, &bench->peer);
        if (descriptor < 0) {
            break;
        }
        greet(bench, descriptor);
        bench = find_place(forward);
    }
    watch_socket(forward);
}

static void tell_alive(struct forward *forward, int64_t now_ms) {
    if (now_ms - forward->alive_ms < ALIVE_MS) {
        return;
    }
    forward->alive_ms = now_ms;
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        if (forward->benches[i].line != NULL) {
            buf_clear(forward->out);
            forward_send_out(&forward->benches[i], outbox_put_alive(forward->out));
        }
    }
}

static bool is_told(const struct forward *forward) {
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        const struct outbox_line *line = forward->benches[i].line;
        if (line != NULL && outbox_line_sent_count(line) < outbox_line_put_count(line)) {
            return false;
        }
    }
    return true;
}

static void handle_tick(void *context) {
    struct forward *forward = context;
    struct error error;
    int64_t now_ms = loop_now_ms(forward->loop);
    tell_alive(forward, now_ms);
    error_set(&error, E_CA_NONSENSE, "it did not say who it is");
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        struct forward_bench *bench = &forward->benches[i];
        if (bench->line != NULL && bench->name[0] == '\0' && now_ms - bench->since_ms > HELLO_MS) {
            forward_drop_bench(bench, &error);
        }
    }
    watch_socket(forward);
    bool is_late = now_ms - forward->stop_ms > STOP_PATIENCE_MS;
    if (forward->stopping && (is_late || (forward->call_count == 0 && is_told(forward)))) {
        loop_stop(forward->loop);
    }
    loop_timer_start(forward->tick, forward->stopping ? TICK_MS / 10 : TICK_MS);
}

void forward_stop(struct forward *forward) {
    if (forward->stopping) {
        loop_stop(forward->loop);
        return;
    }
    forward->stopping = true;
    forward->stop_ms = loop_now_ms(forward->loop);
    loop_timer_start(forward->tick, 0);
}

// ---- building it --------------------------------------------------------------------------------

static bool open_cas(struct forward *forward, struct error *error) {
    const struct config *config = forward->config;
    for (size_t i = 0; i < config->profile_count; i++) {
        const char *name = config->profiles[i].ca;
        if (forward_find_ca(forward, name) == NULL &&
            !forward_open_ca(forward, config_find_ca(config, name), error)) {
            return false;
        }
    }
    return true;
}

bool forward_new(struct loop *loop, const struct config *config, struct output *output,
                 struct forward **out, struct error *error) {
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL) {
        return error_set(error, E_MEMORY, "no memory for the forwarder");
    }
    forward->loop = loop;
    forward->config = config;
    forward->ca_events = &forward_ca_events;
    forward->output = output;
    forward->start_ms = loop_now_ms(loop);
    forward->alive_ms = forward->start_ms;
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        forward->benches[i].forward = forward;
    }
    forward->attempts = attempts_new(ATTEMPTS_MAX);
    forward->message = malloc(sizeof *forward->message);
    forward->out = buf_new(OUTBOX_LINE_MAX);
    forward->tick = loop_timer_new(loop, handle_tick, forward);
    bool good = (forward->attempts != NULL && forward->message != NULL && forward->out != NULL &&
                 forward->tick != NULL) ||
                error_set(error, E_MEMORY, "no memory for the forwarder");
    good = good && open_cas(forward, error) &&
           forward_socket_new(config->forward_socket, &forward->socket, error) &&
           loop_watch_new(loop, forward_socket_descriptor(forward->socket), handle_connections,
                          forward, &forward->watch, error);
    if (!good) {
        forward_free(forward);
        return false;
    }
    watch_socket(forward);
    loop_timer_start(forward->tick, TICK_MS);
    *out = forward;
    return true;
}

void forward_free(struct forward *forward) {
    if (forward == NULL) {
        return;
    }
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        outbox_line_free(forward->benches[i].line);
    }
    for (size_t i = 0; i < forward->ca_count; i++) {
        struct forward_ca *ca = &forward->cas[i];
        ca->ops->close(ca->ca);
        while (ca->checks != NULL) {
            forward_free_call(&ca->checks);
        }
    }
    while (forward->calls != NULL) {
        forward_free_call(&forward->calls);
    }
    loop_watch_free(forward->watch);
    loop_timer_free(forward->tick);
    forward_socket_free(forward->socket);
    attempts_free(forward->attempts);
    free(forward->message);
    buf_free(forward->out);
    free(forward);
}
