// SPDX-License-Identifier: Apache-2.0
// A CA behind `birthcert forward`: every call goes as one message over a Unix socket to the process
// that holds the CA's credentials, and its result comes back (docs/outbox.md). The bench's database stays
// the only record: an intent is durable there before its message leaves, and the forwarder keeps
// nothing. So what counts here is only what the end of a connection means for a call:
//
//   submit     not wholly written: CA_NOT_SENT, since half a line is never acted upon; else CA_DOUBT
//   fetch      CA_NOT_SENT: fetching again does no harm
//   reconcile  CA_DOUBT: it rules nothing out
//   revoke     as submit
//
// The core asks for the CA's data before it has answered, so the data in the row below must be right
// for every CA that may be behind:
//
//   settle_ms       Only the forwarder knows when it last worked on a request: maybe long after the
//                   connection broke. So it alone judges whether a scan that found nothing came late
//                   enough, and answers CA_NOT_ISSUED with retry_after_ms until then. What is here
//                   only spaces the scans that count.
//   not_before_window_s   Stamps only make look-ups quick: the key decides. The forwarder leaves
//                   them out for a CA with a smaller window.
//   can_revoke      The forwarder answers CA_REFUSED for a CA that cannot.
//   is_public       ca_report.is_private says otherwise.
//
// Which CA is behind a profile the greeting says. The bench records that with the intent, and sends it
// along; the forwarder compares.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "ca-client/ca_outbox_line.h"
#include "ca-client/ca_outbox_message.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define SETTLE_MS 3000
#define TICK_MS 500
#define PAUSE_MS 250          // after a failure: before this no new connection
#define GREETING_MS 10000     // a forwarder that is there greets at once
#define SILENCE_MS 35000      // it says that it is alive every 10 s
#define ANSWER_MAX_MS 3600000 // also of other calls: a scan may read thousands of certificates

// A call whose result has not been given.
struct outbox_ask {
    struct outbox_ask *next;
    enum outbox_type type;
    uint32_t call;
    int64_t id;
    struct buf *message; // while it waits for the greeting
    uint64_t end;        // where the message ends in what is written; 0: it was not put there
    int64_t deadline_ms;
    bool is_settled; // `result` is known, and waits for the loop
    enum ca_outcome outcome;
    struct error error;
};

enum outbox_state { OUTBOX_DOWN, OUTBOX_CONNECTING, OUTBOX_UP };

struct ca {
    struct loop *loop;
    struct ca_events events;
    void *context;
    char *socket;
    char *station;
    enum outbox_state state;
    struct outbox_line *line;
    struct loop_timer *tick;
    struct loop_timer *settled; // gives results that are known, outside the call
    int64_t heard_ms;           // monotonic: when the forwarder last said something
    int64_t retry_at_ms;
    struct error why; // of the last failure
    uint32_t answer_ms;
    uint32_t last_call;
    size_t ask_count;
    struct outbox_ask *asks; // oldest first
    struct outbox_message *message;
};

// ---- results ------------------------------------------------------------------------------------

static void need(bool good) {
    if (!good) {
        // Every call owes a result; without one its unit would hang. A start after a crash is safe.
        log_write(LOG_ERROR, "no memory for a call to the CA");
        abort();
    }
}

static struct outbox_ask *take_ask(struct ca *ca, uint32_t call) {
    for (struct outbox_ask **link = &ca->asks; *link != NULL; link = &(*link)->next) {
        struct outbox_ask *ask = *link;
        if (ask->call == call) {
            *link = ask->next;
            ca->ask_count--;
            return ask;
        }
    }
    return NULL;
}

static void give_failure(struct ca *ca, struct outbox_ask *ask) {
    if (ask->type == OUTBOX_CHECK) {
        const struct ca_report report = {.error = ask->error, .quota = -1};
        ca->events.on_report(ca->context, &report);
    } else {
        const struct ca_result result = {
            .id = ask->id, .outcome = ask->outcome, .error = ask->error, .handle = ""};
        ca->events.on_result(ca->context, &result);
    }
    buf_free(ask->message);
    free(ask);
}

// A callback may ask anew: what it asks is settled in another turn of the loop.
static void give_settled(void *context) {
    struct ca *ca = context;
    struct outbox_ask *ready = NULL;
    struct outbox_ask **end = &ready;
    for (struct outbox_ask **link = &ca->asks; *link != NULL;) {
        struct outbox_ask *ask = *link;
        if (!ask->is_settled) {
            link = &ask->next;
            continue;
        }
        *link = ask->next;
        ca->ask_count--;
        ask->next = NULL;
        *end = ask;
        end = &ask->next;
    }
    while (ready != NULL) {
        struct outbox_ask *ask = ready;
        ready = ask->next;
        give_failure(ca, ask);
    }
}

// What it means that no answer to the call will come.
static enum ca_outcome lost_outcome(const struct outbox_ask *ask, bool was_sent) {
    switch (ask->type) {
    case OUTBOX_RECONCILE:
        return CA_DOUBT;
    case OUTBOX_FETCH:
        return CA_NOT_SENT;
    default:
        return was_sent ? CA_DOUBT : CA_NOT_SENT;
    }
}

static void settle_ask(struct ca *ca, struct outbox_ask *ask, bool was_sent,
                       const struct error *error) {
    ask->is_settled = true;
    ask->outcome = lost_outcome(ask, was_sent);
    ask->error = *error;
    if (ask->outcome == CA_DOUBT && ask->type != OUTBOX_RECONCILE) {
        ask->error.code = E_CA_DOUBT;
        snprintf(ask->error.text, sizeof ask->error.text,
                 "%.200s: the forwarder may have passed it on", error->text);
    }
    loop_timer_start(ca->settled, 0);
}

// ---- the connection -----------------------------------------------------------------------------

// Everything that was asked on it ends.
static void hang_up(struct ca *ca, const struct error *error) {
    uint64_t sent = ca->line != NULL ? outbox_line_sent_count(ca->line) : 0;
    ca->why = *error;
    ca->state = OUTBOX_DOWN;
    ca->retry_at_ms = clock_monotonic_ms() + PAUSE_MS;
    outbox_line_free(ca->line);
    ca->line = NULL;
    loop_timer_stop(ca->tick);
    for (struct outbox_ask *ask = ca->asks; ask != NULL; ask = ask->next) {
        if (!ask->is_settled) {
            settle_ask(ca, ask, ask->end != 0 && ask->end <= sent, &ca->why);
        }
    }
}

static bool fail_connect(const struct ca *ca, int number, struct error *error) {
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return error_set(error, E_CA_UNREACHABLE, "%s: birthcert forward does not listen there",
                         ca->socket);
    case EAGAIN:
        return error_set(error, E_CA_BUSY, "%s: birthcert forward takes no further bench now",
                         ca->socket);
    case EACCES:
    case EPERM:
        return error_set(error, E_CA_CONFIG,
                         "socket %s: %s: this user must be in the socket's group", ca->socket,
                         strerror(number));
    default:
        return error_set(error, E_CA_UNREACHABLE, "%s: %s", ca->socket, strerror(number));
    }
}

static void handle_line(void *context, struct slice line);

static void handle_end(void *context, const struct error *error) {
    struct ca *ca = context;
    struct error why = *error;
    // A word of farewell says more than the end that follows it.
    if (ca->why.code != ERROR_NONE) {
        why = ca->why;
    } else {
        error_prefix(&why, "birthcert forward");
    }
    hang_up(ca, &why);
}

static bool connect_socket(struct ca *ca, struct error *error) {
    static const struct outbox_line_events events = {handle_line, handle_end};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)text_copy(address.sun_path, sizeof address.sun_path, ca->socket); // checked by open
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return error_set(error, E_SYSTEM, "%s: %s", ca->socket, strerror(errno));
    }
    // A connection in the same machine is made or refused at once, also without blocking.
    bool done = connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0
                    ? outbox_line_new(ca->loop, descriptor, &events, ca, &ca->line, error)
                    : fail_connect(ca, errno, error);
    if (!done) {
        close(descriptor);
    }
    return done;
}

// Whether there is a connection, or one is on its way; else `why` says what keeps it off.
static bool is_connected(struct ca *ca) {
    struct error error;
    if (ca->state != OUTBOX_DOWN) {
        return true;
    }
    if (clock_monotonic_ms() < ca->retry_at_ms) {
        return false;
    }
    if (!connect_socket(ca, &error)) {
        hang_up(ca, &error);
        return false;
    }
    ca->state = OUTBOX_CONNECTING;
    ca->why = (struct error){0};
    ca->heard_ms = clock_monotonic_ms();
    loop_timer_start(ca->tick, TICK_MS);
    return true;
}

// A forwarder that owes an answer for longer than it said, or says nothing at all, is gone though
// its connection is not: a line between may be cut.
static void handle_tick(void *context) {
    struct ca *ca = context;
    struct error error;
    int64_t now_ms = clock_monotonic_ms();
    int64_t patience_ms = ca->state == OUTBOX_UP ? SILENCE_MS : GREETING_MS;
    if (now_ms - ca->heard_ms > patience_ms) {
        error_set(&error, E_CA_UNREACHABLE, "birthcert forward has said nothing for %d s",
                  (int)(patience_ms / 1000));
        hang_up(ca, &error);
        return;
    }
    for (const struct outbox_ask *ask = ca->asks; ask != NULL; ask = ask->next) {
        if (!ask->is_settled && ask->end != 0 && now_ms > ask->deadline_ms) {
            error_set(&error, E_CA_UNREACHABLE, "birthcert forward owes the answer to a %s",
                      outbox_type_name(ask->type));
            hang_up(ca, &error);
            return;
        }
    }
    loop_timer_start(ca->tick, TICK_MS);
}

// ---- what the forwarder says --------------------------------------------------------------------

static void send_ask(struct ca *ca, struct outbox_ask *ask) {
    if (!outbox_line_put(ca->line, buf_slice(ask->message))) {
        struct error error;
        error_set(&error, E_CA_BUSY, "birthcert forward does not take what is sent to it");
        settle_ask(ca, ask, false, &error);
    } else {
        ask->end = outbox_line_put_count(ca->line);
        ask->deadline_ms =
            clock_monotonic_ms() + (ask->type == OUTBOX_SUBMIT ? ca->answer_ms : ANSWER_MAX_MS);
    }
    buf_free(ask->message);
    ask->message = NULL;
}

static bool take_greeting(struct ca *ca, const struct outbox_message *message,
                          struct error *error) {
    uint32_t answer_ms = message->answer_ms;
    if (ca->state != OUTBOX_CONNECTING) {
        return error_set(error, E_CA_NONSENSE, "it greets twice");
    }
    if (message->protocol != OUTBOX_PROTOCOL) {
        return error_set(error, E_CA_CONFIG,
                         "%s speaks version %u of the outbox protocol, this program %d",
                         message->name, message->protocol, OUTBOX_PROTOCOL);
    }
    ca->state = OUTBOX_UP;
    ca->answer_ms = answer_ms > ANSWER_MAX_MS ? ANSWER_MAX_MS : answer_ms;
    if (ca->events.on_behind != NULL) {
        ca->events.on_behind(ca->context, message->behind, message->behind_count);
    }
    struct buf *hello = buf_new(OUTBOX_LINE_MAX);
    need(hello != NULL && outbox_put_hello(hello, ca->station) &&
         outbox_line_put(ca->line, buf_slice(hello)));
    buf_free(hello);
    for (struct outbox_ask *ask = ca->asks; ask != NULL; ask = ask->next) {
        if (!ask->is_settled) {
            send_ask(ca, ask);
        }
    }
    return true;
}

static bool take_farewell(struct ca *ca, const struct outbox_message *message) {
    ca->why = message->error;
    return true;
}

// Only what was asked, and asked for in whole, can be answered; and only once.
static struct outbox_ask *find_answered(struct ca *ca, uint32_t call, bool is_check,
                                        struct error *error) {
    const struct outbox_ask *ask = ca->asks;
    while (ask != NULL && ask->call != call) {
        ask = ask->next;
    }
    if (ask == NULL || ask->is_settled || ask->end == 0 ||
        ask->end > outbox_line_sent_count(ca->line) || (ask->type == OUTBOX_CHECK) != is_check) {
        error_set(error, E_CA_NONSENSE, "it answers call %u, which waits for no such answer", call);
        return NULL;
    }
    return take_ask(ca, call);
}

static bool take_result(struct ca *ca, struct outbox_message *message, struct error *error) {
    struct outbox_ask *ask = find_answered(ca, message->call, false, error);
    if (ask == NULL) {
        return false;
    }
    message->result.id = ask->id;
    free(ask);
    ca->events.on_result(ca->context, &message->result);
    return true;
}

static bool take_report(struct ca *ca, struct outbox_message *message, struct error *error) {
    struct outbox_ask *ask = find_answered(ca, message->call, true, error);
    if (ask == NULL) {
        return false;
    }
    if (message->ca_now_ms != 0) {
        message->report.clock_offset_ms = message->ca_now_ms - clock_wall_ms();
    }
    free(ask);
    ca->events.on_report(ca->context, &message->report);
    return true;
}

static bool take_message(struct ca *ca, struct outbox_message *message, struct error *error) {
    if (ca->state == OUTBOX_CONNECTING && message->type != OUTBOX_GREETING &&
        message->type != OUTBOX_FAREWELL) {
        return error_set(error, E_CA_NONSENSE, "it does not greet");
    }
    switch (message->type) {
    case OUTBOX_GREETING:
        return take_greeting(ca, message, error);
    case OUTBOX_ALIVE:
        return true;
    case OUTBOX_FAREWELL:
        return take_farewell(ca, message);
    case OUTBOX_RESULT:
        return take_result(ca, message, error);
    case OUTBOX_REPORT:
        return take_report(ca, message, error);
    default:
        return error_set(error, E_CA_NONSENSE, "it sends a %s", outbox_type_name(message->type));
    }
}

static void handle_line(void *context, struct slice line) {
    struct ca *ca = context;
    struct error error;
    ca->heard_ms = clock_monotonic_ms();
    if (!outbox_read(line, ca->message, &error) || !take_message(ca, ca->message, &error)) {
        error_prefix(&error, "%s: birthcert forward", ca->socket);
        hang_up(ca, &error);
    }
}

// ---- calls --------------------------------------------------------------------------------------

static struct outbox_ask *add_ask(struct ca *ca, enum outbox_type type, int64_t id) {
    struct outbox_ask *ask = calloc(1, sizeof *ask);
    struct outbox_ask **end = &ca->asks;
    need(ask != NULL);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = ask;
    ca->ask_count++;
    ca->last_call = ca->last_call == UINT32_MAX ? 1 : ca->last_call + 1;
    ask->type = type;
    ask->id = id;
    ask->call = ca->last_call;
    return ask;
}

static void ask_forwarder(struct ca *ca, enum outbox_type type, const struct ca_request *request,
                          enum ca_revocation_reason reason) {
    struct outbox_ask *ask = add_ask(ca, type, request->id);
    struct error error;
    if (ca->ask_count > CA_PENDING_MAX) {
        error_set(&error, E_CA_BUSY, "%d calls to the CA are in progress already", CA_PENDING_MAX);
        settle_ask(ca, ask, false, &error);
        return;
    }
    if (!is_connected(ca)) {
        settle_ask(ca, ask, false, &ca->why);
        return;
    }
    ask->message = buf_new(OUTBOX_LINE_MAX);
    need(ask->message != NULL);
    if (!outbox_put_call(ask->message, type, ask->call, request, reason)) {
        error_set(&error, E_INTERNAL, "a request to the CA is too long");
        settle_ask(ca, ask, false, &error);
    } else if (ca->state == OUTBOX_UP) {
        send_ask(ca, ask);
    }
}

static void outbox_check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    ask_forwarder(ca, OUTBOX_CHECK, &request, CA_REVOKE_UNSPECIFIED);
}

static void outbox_submit(struct ca *ca, const struct ca_request *request) {
    ask_forwarder(ca, OUTBOX_SUBMIT, request, CA_REVOKE_UNSPECIFIED);
}

static void outbox_fetch(struct ca *ca, const struct ca_request *request) {
    ask_forwarder(ca, OUTBOX_FETCH, request, CA_REVOKE_UNSPECIFIED);
}

static void outbox_reconcile(struct ca *ca, const struct ca_request *request) {
    ask_forwarder(ca, OUTBOX_RECONCILE, request, CA_REVOKE_UNSPECIFIED);
}

static void outbox_revoke(struct ca *ca, const struct ca_request *request,
                          enum ca_revocation_reason reason) {
    ask_forwarder(ca, OUTBOX_REVOKE, request, reason);
}

// ---- opening ------------------------------------------------------------------------------------

static void outbox_close(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    while (ca->asks != NULL) {
        struct outbox_ask *ask = take_ask(ca, ca->asks->call);
        buf_free(ask->message);
        free(ask);
    }
    outbox_line_free(ca->line);
    loop_timer_free(ca->tick);
    loop_timer_free(ca->settled);
    free(ca->message);
    free(ca->socket);
    free(ca->station);
    free(ca);
}

static bool outbox_open(struct loop *loop, const struct ca_settings *settings,
                        const struct ca_events *events, void *context, struct ca **out,
                        struct error *error) {
    const char *path = settings->socket != NULL ? settings->socket : "";
    size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    *out = NULL;
    if (path[0] == '\0' || strlen(path) >= room) {
        return error_set(error, E_CA_CONFIG,
                         "ca %s: socket must be the path of birthcert forward's socket, of at most "
                         "%zu bytes",
                         settings->name, room - 1);
    }
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    ca->loop = loop;
    ca->events = *events;
    ca->context = context;
    ca->socket = strdup(path);
    ca->station = strdup(settings->station != NULL ? settings->station : settings->name);
    ca->message = malloc(sizeof *ca->message);
    ca->tick = loop_timer_new(loop, handle_tick, ca);
    ca->settled = loop_timer_new(loop, give_settled, ca);
    if (ca->socket == NULL || ca->station == NULL || ca->message == NULL || ca->tick == NULL ||
        ca->settled == NULL) {
        outbox_close(ca);
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    *out = ca;
    return true;
}

static const char *const outbox_keys[] = {"socket", NULL};

static const char outbox_example[] = "backend = outbox\n"
                                     "socket = /run/birthcert/forward.sock\n"
                                     "root_file = ca/root.pem\n";

const struct ca_ops ca_outbox = {
    .name = "outbox",
    .is_public = true,
    .can_revoke = true,
    .judges_endpoint = true,
    .keys = outbox_keys,
    .remark =
        "A CA behind `birthcert forward`, another process, which alone holds its credentials.",
    .example = outbox_example,
    .not_before_window_s = OUTBOX_STAMP_WINDOW_S,
    .settle_ms = SETTLE_MS,
    .open = outbox_open,
    .close = outbox_close,
    .check = outbox_check,
    .submit = outbox_submit,
    .fetch = outbox_fetch,
    .reconcile = outbox_reconcile,
    .revoke = outbox_revoke,
};
