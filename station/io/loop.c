// SPDX-License-Identifier: Apache-2.0
#include "station/io/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "station/io/loop_uv.h"

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_async_t wake;
    uv_signal_t signals[2];
    bool has_signals;
    loop_callback *on_turn;
    void *turn_context;
    loop_callback *on_signal;
    void *signal_context;
};

struct loop_timer {
    uv_timer_t uv;
    loop_callback *callback;
    void *context;
};

struct loop_watch {
    uv_poll_t uv;
    loop_watch_callback *callback;
    void *context;
};

struct loop_job {
    uv_work_t uv;
    loop_callback *run;
    loop_callback *done;
    void *context;
};

uv_loop_t *loop_uv(struct loop *loop) {
    return &loop->uv;
}

static bool fail_uv(struct error *error, const char *what, int status) {
    return error_set(error, E_SYSTEM, "%s: %s", what, uv_strerror(status));
}

static void handle_prepare(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    if (loop->on_turn != NULL) {
        loop->on_turn(loop->turn_context);
    }
}

// Waking needs no work of its own: it makes the loop come round to the prepare handle again.
static void handle_wake(uv_async_t *wake) {
    (void)wake;
}

bool loop_new(struct loop **out, struct error *error) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return error_set(error, E_MEMORY, "no memory for the event loop");
    }
    int status = uv_loop_init(&loop->uv);
    if (status != 0) {
        free(loop);
        return fail_uv(error, "cannot start the event loop", status);
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    loop->prepare.data = loop;
    uv_prepare_start(&loop->prepare, handle_prepare);
    status = uv_async_init(&loop->uv, &loop->wake, handle_wake);
    if (status != 0) {
        loop_free(loop);
        return fail_uv(error, "cannot start the event loop", status);
    }
    *out = loop;
    return true;
}

void loop_free(struct loop *loop) {
    if (loop == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    if (loop->wake.type == UV_ASYNC) {
        uv_close((uv_handle_t *)&loop->wake, NULL);
    }
    for (int i = 0; loop->has_signals && i < 2; i++) {
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    }
    uv_run(&loop->uv, UV_RUN_DEFAULT); // lets the closed handles and running jobs end
    uv_loop_close(&loop->uv);
    free(loop);
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

int64_t loop_now_ms(const struct loop *loop) {
    return (int64_t)uv_now(&loop->uv);
}

void loop_on_turn(struct loop *loop, loop_callback *callback, void *context) {
    loop->on_turn = callback;
    loop->turn_context = context;
}

void loop_wake(struct loop *loop) {
    uv_async_send(&loop->wake);
}

static void free_handle(uv_handle_t *handle) {
    free(handle->data);
}

static void handle_timer(uv_timer_t *uv) {
    struct loop_timer *timer = uv->data;
    timer->callback(timer->context);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_callback *callback, void *context) {
    struct loop_timer *timer = calloc(1, sizeof *timer);
    if (timer != NULL) {
        uv_timer_init(&loop->uv, &timer->uv);
        timer->uv.data = timer;
        timer->callback = callback;
        timer->context = context;
    }
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms) {
    uv_timer_start(&timer->uv, handle_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void loop_timer_stop(struct loop_timer *timer) {
    uv_timer_stop(&timer->uv);
}

void loop_timer_free(struct loop_timer *timer) {
    if (timer != NULL) {
        uv_close((uv_handle_t *)&timer->uv, free_handle);
    }
}

static void handle_poll(uv_poll_t *uv, int status, int events) {
    struct loop_watch *watch = uv->data;
    unsigned seen = status < 0 || (events & UV_DISCONNECT) != 0 ? LOOP_HANGUP : 0;
    seen |= (events & UV_READABLE) != 0 ? LOOP_READABLE : 0U;
    seen |= (events & UV_WRITABLE) != 0 ? LOOP_WRITABLE : 0U;
    watch->callback(watch->context, seen);
}

bool loop_watch_new(struct loop *loop, int descriptor, loop_watch_callback *callback, void *context,
                    struct loop_watch **out, struct error *error) {
    struct loop_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return error_set(error, E_MEMORY, "no memory to watch a descriptor");
    }
    int status = uv_poll_init(&loop->uv, &watch->uv, descriptor);
    if (status != 0) {
        free(watch);
        return fail_uv(error, "cannot watch the descriptor", status);
    }
    watch->uv.data = watch;
    watch->callback = callback;
    watch->context = context;
    *out = watch;
    return true;
}

void loop_watch_set(struct loop_watch *watch, unsigned events) {
    int wanted = UV_DISCONNECT;
    wanted |= (events & LOOP_READABLE) != 0 ? UV_READABLE : 0;
    wanted |= (events & LOOP_WRITABLE) != 0 ? UV_WRITABLE : 0;
    uv_poll_start(&watch->uv, wanted, handle_poll);
}

void loop_watch_free(struct loop_watch *watch) {
    if (watch != NULL) {
        uv_poll_stop(&watch->uv);
        uv_close((uv_handle_t *)&watch->uv, free_handle);
    }
}

static void handle_work(uv_work_t *uv) {
    struct loop_job *job = uv->data;
    job->run(job->context);
}

static void handle_work_done(uv_work_t *uv, int status) {
    (void)status; // jobs are never cancelled
    struct loop_job *job = uv->data;
    job->done(job->context);
    free(job);
}

bool loop_run_job(struct loop *loop, loop_callback *run, loop_callback *done, void *context,
                  struct error *error) {
    struct loop_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return error_set(error, E_MEMORY, "no memory for a job");
    }
    *job = (struct loop_job){.run = run, .done = done, .context = context};
    job->uv.data = job;
    int status = uv_queue_work(&loop->uv, &job->uv, handle_work, handle_work_done);
    if (status != 0) {
        free(job);
        return fail_uv(error, "cannot start a job", status);
    }
    return true;
}

static void handle_signal(uv_signal_t *uv, int number) {
    (void)number;
    struct loop *loop = uv->data;
    loop->on_signal(loop->signal_context);
}

bool loop_on_stop_signal(struct loop *loop, loop_callback *callback, void *context,
                         struct error *error) {
    static const int numbers[2] = {SIGINT, SIGTERM};
    loop->on_signal = callback;
    loop->signal_context = context;
    loop->has_signals = true;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        int status = uv_signal_start(&loop->signals[i], handle_signal, numbers[i]);
        if (status != 0) {
            return fail_uv(error, "cannot watch for signals", status);
        }
    }
    return true;
}
