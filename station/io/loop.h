// SPDX-License-Identifier: Apache-2.0
// The event loop: timers, file descriptors, signals and work on a thread, all libuv's. Everything
// here runs on the thread that called loop_run, but for a job's `run`. No callback is ever called
// from inside the function that asked for it.
#ifndef BIRTHCERT_IO_LOOP_H
#define BIRTHCERT_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/error.h"

struct loop;
struct loop_timer;
struct loop_watch;

typedef void loop_callback(void *context);

// The caller owns the loop. loop_free needs every timer and watch to have been freed before.
MUST_CHECK bool loop_new(struct loop **loop, struct error *error);
void loop_free(struct loop *loop);

// Runs until loop_stop is called. loop_stop may be called from any callback.
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// Monotonic milliseconds, the time of this turn of the loop.
int64_t loop_now_ms(const struct loop *loop);

// Called once in every turn of the loop, after that turn's events and before it sleeps; at most
// one. loop_wake makes sure that a turn comes soon.
void loop_on_turn(struct loop *loop, loop_callback *callback, void *context);
void loop_wake(struct loop *loop);

// One-shot timer: starting a running one moves it. NULL without memory. Freeing takes NULL, also
// from inside the timer's own callback.
struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *context);
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

enum loop_events { LOOP_READABLE = 1, LOOP_WRITABLE = 2, LOOP_HANGUP = 4 };
typedef void loop_watch_callback(void *context, unsigned events);

// Watches a descriptor that the caller owns and closes after freeing the watch. LOOP_HANGUP comes
// unasked, also for errors on the descriptor. Fails for what epoll refuses (regular files).
MUST_CHECK bool loop_watch_new(struct loop *loop, int descriptor, loop_watch_callback *callback,
                               void *context, struct loop_watch **watch, struct error *error);
void loop_watch_set(struct loop_watch *watch, unsigned events);
void loop_watch_free(struct loop_watch *watch);

// Runs `run` on a thread of its own kind, then `done` on the loop. Jobs may run side by side: who
// needs an order starts the next one in `done`.
MUST_CHECK bool loop_run_job(struct loop *loop, loop_callback *run, loop_callback *done,
                             void *context, struct error *error);

// SIGINT and SIGTERM call `callback`, once per signal.
MUST_CHECK bool loop_on_stop_signal(struct loop *loop, loop_callback *callback, void *context,
                                    struct error *error);

#endif
