// SPDX-License-Identifier: Apache-2.0
#include "station/app/station.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "db/store.h"
#include "station/app/bench.h"
#include "station/app/issuer.h"
#include "station/app/journal.h"
#include "station/app/writer.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define TICK_MS 200
#define STEP_RETRIES 2
#define STOP_PATIENCE_MS 15000
#define RECHECK_MS 3000

struct station {
    const struct config *config;
    const struct station_events *events;
    void *context;
    struct loop *loop;
    struct loop_timer *tick;
    struct loop_timer *due;
    const struct store_ops *store_ops;
    struct store *store;
    struct journal *journal;
    struct bench *bench;
    struct issuer *issuer;
    struct pool *pool;
    struct unit_policy unit_policy;
    struct ca_policy ca_policies[UNIT_CREDENTIALS_MAX];
    const char *slot_names[CONFIG_SLOTS_MAX];
    const char *only_serial; // NULL: the requests of all units
    bool buys;               // false: reconcile only
    size_t checks_left;      // reports that have not come
    bool check_missed;       // a CA did not answer
    struct loop_timer *check;
    int64_t ca_silent_ms; // monotonic: since when a CA has not answered the check; 0: it does
    struct error ca_silence;
    bool stopping;
    bool interrupted;
    bool closing;
    int64_t stop_ms;
    struct error fault; // code ERROR_NONE: none
};

static struct pool_time station_time(const struct station *station) {
    return (struct pool_time){clock_wall_ms(), loop_now_ms(station->loop)};
}

// ---- what the pool asks for ---------------------------------------------------------------------

static void edge_act(void *context, size_t slot, const struct unit *unit, enum unit_action action) {
    struct station *station = context;
    bench_act(station->bench, slot, unit, action);
}

static void edge_report(void *context, size_t slot, const struct unit *unit) {
    struct station *station = context;
    station->events->on_verdict(station->context, slot, unit);
}

static void edge_ask_ca(void *context, enum request_action action,
                        const struct request_record *request) {
    struct station *station = context;
    issuer_ask(station->issuer, action, request);
}

static const struct pool_edge pool_edge = {
    .act = edge_act,
    .report = edge_report,
    .ask_ca = edge_ask_ca,
};

// ---- the turn -----------------------------------------------------------------------------------

void station_stop(struct station *station) {
    if (!station->stopping) {
        station->stopping = true;
        station->stop_ms = loop_now_ms(station->loop);
        pool_stop(station->pool);
        loop_wake(station->loop);
    }
}

void station_stop_with(struct station *station, const struct error *error) {
    if (station->fault.code == ERROR_NONE) {
        station->fault = *error;
    }
    station_stop(station);
}

static void handle_committed(void *context, const struct error *error) {
    struct station *station = context;
    struct pool_time now = station_time(station);
    if (station->closing) {
        return; // the commit that was under way is durable or not; the next start will see
    }
    if (error != NULL) {
        // What the store does not take must have no consequence: nothing more is begun or shown.
        station->fault = *error;
        loop_stop(station->loop);
        return;
    }
    pool_committed(station->pool, &now);
    loop_wake(station->loop);
}

static void commit_batch(struct station *station) {
    struct error error;
    if (journal_is_busy(station->journal)) {
        return;
    }
    struct batch *batch = pool_take_batch(station->pool);
    if (batch != NULL && !journal_commit(station->journal, batch, &error)) {
        station->fault = error;
        loop_stop(station->loop);
    }
}

// A CA that was waited for in vain is not waited for once more, unless it may be issuing.
static bool is_answered(const struct station *station) {
    bool is_out = error_code_class(station->fault.code) == ERROR_CLASS_RETRY;
    return is_out ? issuer_only_looks(station->issuer) : issuer_in_progress(station->issuer) == 0;
}

static bool nothing_in_hand(const struct station *station) {
    bool late = loop_now_ms(station->loop) - station->stop_ms > STOP_PATIENCE_MS;
    return !journal_is_busy(station->journal) && pool_is_settled(station->pool) &&
           (late || (!bench_is_busy(station->bench) && is_answered(station)));
}

static bool resume_request(void *context, const struct request_record *request) {
    struct station *station = context;
    struct pool_time now = station_time(station);
    if (station->only_serial != NULL && strcmp(station->only_serial, request->serial) != 0) {
        return true;
    }
    return pool_resume_request(station->pool, &now, request);
}

static bool load_outbox(struct station *station, struct error *error) {
    return station->store_ops->select_requests(station->store, resume_request, station, error);
}

static void handle_turn(void *context) {
    struct station *station = context;
    struct pool_time now = station_time(station);
    struct error error;
    if (pool_wants_outbox(station->pool) && !journal_is_busy(station->journal) &&
        !load_outbox(station, &error)) {
        station_stop_with(station, &error);
    }
    pool_turn(station->pool, &now);
    if (pool_overflowed(station->pool)) {
        error_set(&station->fault, E_STORE_IO, "%s is slower than the bench: the journal is full",
                  station->config->store_path);
        loop_stop(station->loop);
        return;
    }
    commit_batch(station);
    int64_t deadline_ms = pool_deadline_ms(station->pool);
    if (deadline_ms != INT64_MAX) {
        loop_timer_start(station->due, deadline_ms - now.monotonic_ms);
    }
    if (station->stopping && nothing_in_hand(station)) {
        loop_stop(station->loop);
    }
}

// Its only purpose is the turn that comes with it.
static void handle_due(void *context) {
    (void)context;
}

static void handle_tick(void *context) {
    struct station *station = context;
    loop_timer_start(station->tick, TICK_MS);
    if (!station->stopping) {
        station->events->on_tick(station->context);
    }
}

// Nothing is lost the second time either: the next start finds in the store where things were.
static void handle_signal(void *context) {
    struct station *station = context;
    if (station->interrupted) {
        loop_stop(station->loop);
    }
    station->interrupted = true;
    station_stop(station);
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    struct station *station = context;
    station->events->on_port_error(station->context, slot, error);
}

// ---- the CA's own word, before anything is bought ----------------------------------------------------

static void start_checks(void *context) {
    struct station *station = context;
    station->checks_left = station->config->profile_count;
    station->check_missed = false;
    for (size_t i = 0; i < station->config->profile_count; i++) {
        issuer_check(station->issuer, &station->config->profiles[i]);
    }
}

static void note_silence(struct station *station, const struct error *error) {
    station->check_missed = true;
    station->ca_silence = *error;
    if (station->ca_silent_ms == 0) {
        station->ca_silent_ms = loop_now_ms(station->loop);
    }
}

// What passes by itself, and an empty quota, keeps the outbox shut and is asked about again: what is
// paid for already can be fetched and installed meanwhile. What does not pass stops the station, but
// for a policy that somebody who only reconciles has no need of.
static void judge_report(struct station *station, const struct ca_report *report) {
    struct error error = report->error;
    if (error.code == ERROR_NONE && report->quota == 0) {
        error_set(&error, E_CA_QUOTA, "no certificate is left");
    }
    bool waits = error_code_class(error.code) == ERROR_CLASS_RETRY || error.code == E_CA_QUOTA;
    bool matters = error.code != ERROR_NONE && (station->buys || error.code != E_CA_POLICY);
    if (waits && (station->buys || error.code != E_CA_QUOTA)) {
        note_silence(station, &error);
    } else if (!waits && matters) {
        station_stop_with(station, &error);
    }
    if (--station->checks_left > 0) {
        return;
    }
    if (station->check_missed) {
        loop_timer_start(station->check, RECHECK_MS);
        return;
    }
    station->ca_silent_ms = 0;
    pool_hold_submissions(station->pool, !station->buys);
    loop_wake(station->loop);
}

static void handle_report(void *context, const struct config_ca *ca,
                          const struct ca_report *report) {
    struct station *station = context;
    judge_report(station, report);
    if (station->events->on_ca_report != NULL) {
        station->events->on_ca_report(station->context, ca, report);
    }
}

static void handle_fault(void *context, const struct error *error) {
    struct station *station = context;
    struct error fault = *error;
    if (!station->buys) {
        return; // looking again at what is there costs nothing
    }
    error_prefix(&fault, "several certificates in a row cannot be used");
    pool_hold_submissions(station->pool, true);
    station_stop_with(station, &fault);
}

// ---- building it --------------------------------------------------------------------------------

static void fill_policies(struct station *station) {
    const struct config *config = station->config;
    struct unit_policy *policy = &station->unit_policy;
    policy->lock = config->lock;
    policy->retries = STEP_RETRIES;
    policy->wanted_count = (uint32_t)config->profile_count;
    for (size_t i = 0; i < config->profile_count; i++) {
        const struct profile *profile = &config->profiles[i];
        policy->wanted[i].number = profile->credential;
        policy->wanted[i].key_type = profile->key_type;
        policy->wanted[i].replace_foreign_key = profile->replace_foreign_key;
        memcpy(policy->wanted[i].profile, profile->name, sizeof policy->wanted[i].profile);
        issuer_policy(station->issuer, profile, &station->ca_policies[i]);
    }
    for (size_t i = 0; i < config->slot_count; i++) {
        station->slot_names[i] = config->slots[i].name;
    }
}

static bool make_pool(struct station *station, struct error *error) {
    const struct config *config = station->config;
    struct pool_settings settings = {
        .slot_count = config->slot_count,
        .slot_names = station->slot_names,
        .unit_policy = &station->unit_policy,
    };
    fill_policies(station);
    for (size_t i = 0; i < config->profile_count; i++) {
        settings.ca_policies[i] = &station->ca_policies[i];
        settings.ca_names[i] = config->profiles[i].ca;
    }
    if (getrandom(&settings.seed, sizeof settings.seed, 0) != sizeof settings.seed) {
        return error_set(error, E_SYSTEM, "no randomness from the kernel");
    }
    settings.seed |= 1;
    station->pool = pool_new(&settings, &pool_edge, station);
    return station->pool != NULL ||
           error_set(error, E_MEMORY, "no memory for %zu slots", config->slot_count);
}

static bool open_store(struct station *station, struct error *error) {
    station->store_ops = &store_sqlite;
    return writer_open(station->config, STORE_WRITE, &station->store, error);
}

static bool build(struct station *station, struct error *error) {
    if (station->config->forward_socket[0] != '\0') {
        return error_set(error, E_CONFIG, "%s: it is for birthcert forward", station->config->file);
    }
    if (!open_store(station, error) || !loop_new(&station->loop, error) ||
        !bench_new(station->loop, station->config, handle_port_error, station, &station->bench,
                   error) ||
        !issuer_new(station->loop, station->config, handle_report, station, &station->issuer,
                    error) ||
        !make_pool(station, error)) {
        return false;
    }
    bench_set_pool(station->bench, station->pool);
    issuer_set_pool(station->issuer, station->pool);
    issuer_on_fault(station->issuer, handle_fault);
    station->journal =
        journal_new(station->loop, station->store_ops, station->store, handle_committed, station);
    station->tick = loop_timer_new(station->loop, handle_tick, station);
    station->due = loop_timer_new(station->loop, handle_due, station);
    station->check = loop_timer_new(station->loop, start_checks, station);
    if (station->journal == NULL || station->tick == NULL || station->due == NULL ||
        station->check == NULL) {
        return error_set(error, E_MEMORY, "no memory for the station");
    }
    station->buys = true;
    pool_hold_submissions(station->pool, true);
    loop_on_turn(station->loop, handle_turn, station);
    return loop_on_stop_signal(station->loop, handle_signal, station, error) &&
           load_outbox(station, error);
}

bool station_new_only(const struct config *config, const char *serial,
                      const struct station_events *events, void *context, struct station **out,
                      struct error *error) {
    struct station *station = calloc(1, sizeof *station);
    if (station == NULL) {
        return error_set(error, E_MEMORY, "no memory for the station");
    }
    station->config = config;
    station->only_serial = serial;
    station->events = events;
    station->context = context;
    if (!build(station, error)) {
        station_free(station);
        return false;
    }
    *out = station;
    return true;
}

bool station_new(const struct config *config, const struct station_events *events, void *context,
                 struct station **out, struct error *error) {
    return station_new_only(config, NULL, events, context, out, error);
}

void station_free(struct station *station) {
    if (station == NULL) {
        return;
    }
    station->closing = true;
    if (station->loop != NULL) {
        loop_on_turn(station->loop, NULL, NULL);
    }
    loop_timer_free(station->tick);
    loop_timer_free(station->due);
    loop_timer_free(station->check);
    bench_free(station->bench);
    issuer_free(station->issuer);
    loop_free(station->loop); // waits for a commit that still runs
    journal_free(station->journal);
    pool_free(station->pool);
    if (station->store_ops != NULL) {
        station->store_ops->close(station->store);
    }
    free(station);
}

void station_open_slot(struct station *station, size_t slot, const char *label, const char *lot) {
    pool_open_slot(station->pool, slot, label, lot);
}

void station_close_slot(struct station *station, size_t slot) {
    pool_close_slot(station->pool, slot);
}

struct loop *station_loop(const struct station *station) {
    return station->loop;
}

void station_reopen_request(struct station *station, const struct request_record *request) {
    resume_request(station, request);
}

void station_hold_submissions(struct station *station) {
    station->buys = false;
}

size_t station_requests_to_settle(const struct station *station) {
    return pool_requests_to_settle(station->pool, loop_now_ms(station->loop));
}

bool station_run(struct station *station, struct error *error) {
    loop_timer_start(station->tick, TICK_MS);
    loop_timer_start(station->check, 0);
    loop_run(station->loop);
    if (station->fault.code != ERROR_NONE) {
        *error = station->fault;
        return false;
    }
    return true;
}

bool station_was_interrupted(const struct station *station) {
    return station->interrupted;
}

const struct unit *station_unit(const struct station *station, size_t slot) {
    return pool_unit(station->pool, slot);
}

const struct error *station_port_state(const struct station *station, size_t slot) {
    return bench_port_state(station->bench, slot);
}

int64_t station_ca_down_ms(const struct station *station, struct error *why) {
    int64_t now_ms = loop_now_ms(station->loop);
    if (station->ca_silent_ms != 0) {
        *why = station->ca_silence;
        return now_ms - station->ca_silent_ms + 1;
    }
    return pool_ca_down_ms(station->pool, now_ms, why);
}

void station_state_time(const struct station *station, enum unit_state state, uint64_t *visits,
                        int64_t *total_ms) {
    pool_state_time(station->pool, state, visits, total_ms);
}

size_t station_requests_in_progress(const struct station *station) {
    return pool_requests_in_progress(station->pool);
}

bool station_ca_is_offline(const struct station *station) {
    return issuer_is_offline(station->issuer);
}

bool station_ca_is_public(const struct station *station) {
    return issuer_is_public(station->issuer);
}
