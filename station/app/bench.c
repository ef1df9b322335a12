// SPDX-License-Identifier: Apache-2.0
#include "station/app/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "protocol/transport.h"
#include "station/app/bench_crypto.h"
#include "station/app/hubs.h"
#include "station/base/clock.h"
#include "station/base/log.h"
#include "station/core/port.h"

#define REOPEN_MS 500
#define PROBE_INTERVAL_MS 500
#define WATCH_INTERVAL_MS 1000
#define PATIENCE_MS 15000 // as long as a camera takes to start

struct bench_slot {
    struct bench *bench;
    size_t index;
    const struct config_slot *config;
    const struct transport_ops *ops;
    struct transport *transport; // NULL while closed
    struct loop_timer *timer;    // the session's deadline, or the next try to open
    bool wanted;                 // the unit probes: open it
    bool lost;                   // the unit has not yet been told that the port is closed
    bool was_used;               // a camera was heard here
    int64_t looks_since_ms;      // the port is open, and nobody was recognised; 0: not so
    bool was_called_silent;      // since then
    int64_t closed_since_ms;     // for that reason
    struct error error;          // why nothing can be heard
    enum error_code told;        // the last reason that was told, until something is heard
    enum unit_action action;
    struct error misfit; // why the action is not begun; the unit learns it in the next turn
    struct port port;
};

struct bench {
    struct loop *loop;
    const struct config *config;
    struct hubs *hubs;
    bench_port_error *on_error;
    void *context;
    struct pool *pool;
    size_t slot_count;
    struct bench_slot *slots;
};

bool bench_awaits_camera(enum error_code code) {
    return code == E_PORT_MISSING || code == E_PORT_NOT_CAMERA;
}

static struct pool_time bench_time(const struct bench *bench) {
    return (struct pool_time){clock_wall_ms(), loop_now_ms(bench->loop)};
}

static void arm_timer(struct bench_slot *slot) {
    int64_t deadline_ms = session_deadline_ms(&slot->port.session);
    if (slot->transport == NULL) {
        loop_timer_start(slot->timer, slot->lost ? 0 : REOPEN_MS);
    } else if (slot->misfit.code != ERROR_NONE) {
        loop_timer_start(slot->timer, 0);
    } else if (deadline_ms == LINK_NEVER) {
        loop_timer_stop(slot->timer);
    } else {
        loop_timer_start(slot->timer, deadline_ms - loop_now_ms(slot->bench->loop));
    }
}

static void take_output(struct bench_slot *slot, const struct session_output *output) {
    struct bench *bench = slot->bench;
    struct unit_csr csr;
    struct unit_event event;
    if (output->reset) {
        slot->ops->reset(slot->transport);
    }
    // A full queue is a camera that does not read: the session's repeats will find it silent.
    if (output->write.length > 0 && !slot->ops->write(slot->transport, output->write)) {
        log_write(LOG_DEBUG, "slot %s: the camera does not read", slot->config->name);
    }
    if (port_translate(&slot->port, pool_unit(bench->pool, slot->index), &output->result, &csr,
                       &event)) {
        struct pool_time now = bench_time(bench);
        slot->action = UNIT_ACT_NONE;
        pool_post_unit(bench->pool, slot->index, &now, &event);
    }
    arm_timer(slot);
}

static void handle_bytes(void *context, struct slice bytes) {
    struct bench_slot *slot = context;
    struct session_output output;
    slot->was_used = true;
    slot->told = ERROR_NONE;
    slot->error = (struct error){0};
    session_receive(&slot->port.session, loop_now_ms(slot->bench->loop), bytes, &output);
    take_output(slot, &output);
}

static void tell(struct bench_slot *slot, const struct error *error) {
    const struct bench *bench = slot->bench;
    if (error->code != slot->told && bench->on_error != NULL) {
        bench->on_error(bench->context, slot->index, error);
    }
    slot->told = error->code;
}

// An empty line is no news; a device that is plugged in and says nothing is.
static void note_silence(struct bench_slot *slot) {
    int64_t now_ms = loop_now_ms(slot->bench->loop);
    if (!slot->ops->is_device || slot->was_called_silent || slot->looks_since_ms == 0 ||
        now_ms - slot->looks_since_ms < PATIENCE_MS) {
        return;
    }
    slot->was_called_silent = true;
    error_set(&slot->error, E_CAM_TIMEOUT, "%s %s: what is plugged in has not answered for %d s",
              slot->config->transport, slot->config->path, PATIENCE_MS / 1000);
    tell(slot, &slot->error);
}

// That a camera is taken away when it is done is no news; that it goes while it is worked on is.
static void tell_hangup(struct bench_slot *slot) {
    const struct unit *unit = pool_unit(slot->bench->pool, slot->index);
    struct error error = slot->error;
    if (error.code != E_PORT_HANGUP || unit_is_active(unit)) {
        error_prefix(&error, "%s %s", slot->config->transport, slot->config->path);
        tell(slot, &error);
    }
}

static void post_error(struct bench_slot *slot, enum unit_event_kind kind,
                       const struct error *error) {
    struct unit_event event = {.kind = kind, .error = *error};
    struct pool_time now = bench_time(slot->bench);
    slot->lost = false;
    slot->action = UNIT_ACT_NONE;
    slot->misfit = (struct error){0};
    pool_post_unit(slot->bench->pool, slot->index, &now, &event);
}

static void handle_hangup(void *context, const struct error *reason) {
    struct bench_slot *slot = context;
    slot->ops->close(slot->transport);
    slot->transport = NULL;
    slot->looks_since_ms = 0;
    slot->error = *reason;
    slot->wanted = false;
    session_forget(&slot->port.session);
    tell_hangup(slot);
    post_error(slot, UNIT_ON_GONE, &slot->error);
    arm_timer(slot);
}

static const struct transport_events slot_events = {
    .on_bytes = handle_bytes,
    .on_hangup = handle_hangup,
};

static void start_action(struct bench_slot *slot, const struct unit *unit,
                         enum unit_action action) {
    struct session_output output;
    bool looks = action == UNIT_ACT_PROBE || action == UNIT_ACT_PROBE_LATER;
    if (!looks) {
        slot->looks_since_ms = 0;
    } else if (slot->looks_since_ms == 0) {
        slot->looks_since_ms = loop_now_ms(slot->bench->loop);
        slot->was_called_silent = false;
    }
    slot->action = action;
    // Better known before the camera makes a key.
    if (action == UNIT_ACT_GENERATE &&
        !bench_check_names(slot->bench->config, unit, &slot->misfit)) {
        arm_timer(slot);
        return;
    }
    port_act(&slot->port, loop_now_ms(slot->bench->loop), unit, action, &output);
    take_output(slot, &output);
}

// That a camera was taken away is none. What has taken its place may be the camera itself, which starts.
static bool is_news(const struct bench_slot *slot, enum error_code code) {
    int64_t closed_ms = loop_now_ms(slot->bench->loop) - slot->closed_since_ms;
    return !slot->was_used || !bench_awaits_camera(code) ||
           (code == E_PORT_NOT_CAMERA && closed_ms >= PATIENCE_MS);
}

static void open_slot(struct bench_slot *slot) {
    struct bench *bench = slot->bench;
    struct error error = {0};
    if (hubs_open_port(bench->hubs, slot->config, HUBS_WAKE, &slot_events, slot, &slot->transport,
                       &error)) {
        // A port that fails whenever it is used opens well each time.
        slot->error.code = slot->error.code == E_PORT_IO ? E_PORT_IO : ERROR_NONE;
        start_action(slot, pool_unit(bench->pool, slot->index), UNIT_ACT_PROBE);
        return;
    }
    slot->transport = NULL;
    // The second time in a row: while something is plugged in or out, much passes by itself.
    if (error.code != slot->error.code) {
        slot->closed_since_ms = loop_now_ms(bench->loop);
    } else if (is_news(slot, error.code)) {
        tell(slot, &error);
    }
    slot->error = error;
    arm_timer(slot);
}

static void handle_timer(void *context) {
    struct bench_slot *slot = context;
    struct session_output output;
    if (slot->transport != NULL && slot->misfit.code != ERROR_NONE) {
        post_error(slot, UNIT_ON_FAILED, &slot->misfit);
        arm_timer(slot);
    } else if (slot->transport != NULL) {
        session_tick(&slot->port.session, loop_now_ms(slot->bench->loop), &output);
        take_output(slot, &output);
        note_silence(slot);
    } else if (slot->lost) {
        post_error(slot, UNIT_ON_GONE, &slot->error);
        arm_timer(slot);
    } else if (slot->wanted) {
        open_slot(slot);
    }
}

// Whoever waits for a camera looks at once.
static void handle_arrival(void *context) {
    struct bench *bench = context;
    for (size_t i = 0; i < bench->slot_count; i++) {
        struct bench_slot *slot = &bench->slots[i];
        if (slot->transport == NULL && slot->wanted) {
            loop_timer_start(slot->timer, 0);
        }
    }
}

void bench_act(struct bench *bench, size_t slot_index, const struct unit *unit,
               enum unit_action action) {
    struct bench_slot *slot = &bench->slots[slot_index];
    if (slot->transport != NULL) {
        start_action(slot, unit, action);
        return;
    }
    bool probes = action == UNIT_ACT_PROBE || action == UNIT_ACT_PROBE_LATER;
    slot->wanted = probes;
    slot->lost = !probes; // nobody is there to do it: the unit learns it in the next turn
    loop_timer_start(slot->timer, 0);
}

bool bench_is_busy(const struct bench *bench) {
    for (size_t i = 0; i < bench->slot_count; i++) {
        enum unit_action action = bench->slots[i].action;
        if (action != UNIT_ACT_NONE && action != UNIT_ACT_PROBE && action != UNIT_ACT_PROBE_LATER &&
            action != UNIT_ACT_WATCH) {
            return true;
        }
    }
    return false;
}

const struct error *bench_port_state(const struct bench *bench, size_t slot) {
    const struct error *error = &bench->slots[slot].error;
    return error->code != ERROR_NONE ? error : NULL;
}

static bool init_slot(struct bench *bench, size_t index, struct error *error) {
    struct bench_slot *slot = &bench->slots[index];
    slot->bench = bench;
    slot->index = index;
    slot->config = &bench->config->slots[index];
    slot->ops = transport_find(slot->config->transport);
    slot->timer = loop_timer_new(bench->loop, handle_timer, slot);
    struct transport_settings transport = {.path = slot->config->path,
                                           .bit_rate = slot->config->bit_rate};
    struct session_settings session = {
        .bit_rate = slot->ops != NULL ? transport_bit_rate(slot->ops, &transport) : 0,
        .max_payload = slot->ops != NULL ? slot->ops->max_payload : 0,
        .generate_timeout_ms = bench->config->generate_timeout_ms,
        .probe_interval_ms = PROBE_INTERVAL_MS,
        .watch_interval_ms = WATCH_INTERVAL_MS,
    };
    if (slot->timer == NULL || slot->ops == NULL) {
        return error_set(error, E_INTERNAL, "slot %s: no transport %s", slot->config->name,
                         slot->config->transport);
    }
    if (getrandom(&session.seed, sizeof session.seed, 0) != sizeof session.seed) {
        return error_set(error, E_SYSTEM, "no randomness from the kernel");
    }
    session.seed |= 1;
    port_init(&slot->port, &session, &bench_crypto, (void *)(uintptr_t)bench->config);
    return true;
}

bool bench_new(struct loop *loop, const struct config *config, bench_port_error *on_error,
               void *context, struct bench **out, struct error *error) {
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL ||
        (bench->slots = calloc(config->slot_count, sizeof *bench->slots)) == NULL) {
        free(bench);
        return error_set(error, E_MEMORY, "no memory for %zu slots", config->slot_count);
    }
    bench->loop = loop;
    bench->config = config;
    bench->on_error = on_error;
    bench->context = context;
    bench->hubs = hubs_new(loop, config, handle_arrival, bench);
    if (bench->hubs == NULL) {
        bench_free(bench);
        return error_set(error, E_MEMORY, "no memory for %zu slots", config->slot_count);
    }
    for (; bench->slot_count < config->slot_count; bench->slot_count++) {
        if (!init_slot(bench, bench->slot_count, error)) {
            bench_free(bench);
            return false;
        }
    }
    *out = bench;
    return true;
}

void bench_set_pool(struct bench *bench, struct pool *pool) {
    bench->pool = pool;
}

void bench_free(struct bench *bench) {
    if (bench == NULL) {
        return;
    }
    for (size_t i = 0; i < bench->slot_count; i++) {
        struct bench_slot *slot = &bench->slots[i];
        if (slot->transport != NULL) {
            slot->ops->close(slot->transport);
        }
        loop_timer_free(slot->timer);
    }
    hubs_free(bench->hubs);
    free(bench->slots);
    free(bench);
}
