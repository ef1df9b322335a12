// SPDX-License-Identifier: Apache-2.0
// The station, killed at a chosen transition: linked in front of the program's own main with
// --wrap, so that the program itself knows nothing of it. Each transition of a unit and of a request
// is counted, and each commit that is durable and has not been acted on; after the KILL_AT-th one
// the process ends by SIGKILL, at once or KILL_DELAY_MS later. KILL_TRACE names a file that gets a
// line for each; its last line is where the station died. All of it runs on the loop's thread.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "station/core/pool.h"
#include "station/core/request.h"
#include "station/core/unit.h"

#define LINE_SIZE 256

void __real_unit_step(struct unit *unit, const struct unit_event *event,
                      struct unit_output *output);
void __wrap_unit_step(struct unit *unit, const struct unit_event *event,
                      struct unit_output *output);
void __real_request_step(struct request *request, const struct request_event *event,
                         struct request_output *output);
void __wrap_request_step(struct request *request, const struct request_event *event,
                         struct request_output *output);
void __real_pool_committed(struct pool *pool, const struct pool_time *now);
void __wrap_pool_committed(struct pool *pool, const struct pool_time *now);

// Not a number, or none: 0.
static unsigned long number_of(const char *name) {
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : 0;
}

_Noreturn static void give_up(const char *what) {
    perror(what);
    _exit(99); // a status that the program has no use for
}

static void trace(unsigned long count, const char *what) {
    static int file = -1;
    char line[LINE_SIZE];
    const char *path = getenv("KILL_TRACE");
    if (path == NULL) {
        return;
    }
    if (file < 0 && (file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        give_up(path);
    }
    int length = snprintf(line, sizeof line, "%lu %s\n", count, what);
    if (length < 0 || length >= LINE_SIZE || write(file, line, (size_t)length) != length) {
        give_up(path);
    }
}

// The kernel kills, whatever the process is doing then.
static void kill_later(unsigned long delay_ms) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(delay_ms / 1000),
                                           .tv_nsec = (long)(delay_ms % 1000) * 1000000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0) {
        give_up("KILL_DELAY_MS");
    }
}

static void count_transition(const char *what) {
    static unsigned long count;
    unsigned long delay_ms = number_of("KILL_DELAY_MS");
    trace(++count, what);
    if (count != number_of("KILL_AT")) {
        return;
    }
    if (delay_ms > 0) {
        kill_later(delay_ms);
    } else {
        raise(SIGKILL);
    }
}

void __wrap_unit_step(struct unit *unit, const struct unit_event *event,
                      struct unit_output *output) {
    enum unit_state before = unit->state;
    char what[LINE_SIZE / 2];
    __real_unit_step(unit, event, output);
    if (unit->state != before) {
        snprintf(what, sizeof what, "unit %.64s: %s -> %s", unit->info.serial,
                 unit_state_name(before), unit_state_name(unit->state));
        count_transition(what);
    }
}

void __wrap_request_step(struct request *request, const struct request_event *event,
                         struct request_output *output) {
    enum request_step before = request->step;
    char what[LINE_SIZE / 2];
    __real_request_step(request, event, output);
    if (request->step != before) {
        snprintf(what, sizeof what, "request %lld: %s -> %s", (long long)request->credential_id,
                 request_step_name(before), request_step_name(request->step));
        count_transition(what);
    }
}

void __wrap_pool_committed(struct pool *pool, const struct pool_time *now) {
    count_transition("commit: durable, and not yet acted on");
    __real_pool_committed(pool, now);
}
