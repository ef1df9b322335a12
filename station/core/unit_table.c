// SPDX-License-Identifier: Apache-2.0
// The table of the unit's flow: what each state does with each event, and where it may lead.
#include <assert.h>
#include <string.h>

#include "station/core/unit_internal.h"

#define NEXT_MAX 9
#define END UNIT_STATE_COUNT

struct unit_cell {
    unit_handler *handler;          // NULL: the event is late, and dropped
    enum unit_state next[NEXT_MAX]; // ends with END where shorter
};

#define TO(...)                                                                                    \
    { __VA_ARGS__, END }
// Where planning may lead, and failing.
#define PLANNED TO(UNIT_GENERATING, UNIT_WAITING, UNIT_LOADING, UNIT_LOCKING, UNIT_RECORDING)
#define FAILED TO(UNIT_RECORDING)
#define PARKED TO(UNIT_EMPTY)
#define SELF(state) TO(state)
#define RETRIED(state) TO(state, UNIT_RECORDING)

// What every state between admission and result does with the events that may come at any time.
#define ANY_TIME                                                                                   \
    [UNIT_ON_GONE] = {unit_on_left_midway, PARKED},                                                \
    [UNIT_ON_FAILED] = {unit_on_failed, TO(UNIT_RECORDING, UNIT_EMPTY)},                           \
    [UNIT_ON_CONFLICT] = {unit_on_conflict, FAILED}

#define CA_EARLY(state)                                                                            \
    [UNIT_ON_ISSUED] = {unit_on_issued_early, SELF(state)}, [UNIT_ON_UNAVAILABLE] = {              \
                                                                unit_on_issued_early, SELF(state)}

static const struct unit_cell unit_table[UNIT_STATE_COUNT][UNIT_EVENT_COUNT] =
    {
        [UNIT_EMPTY] =
            {
                [UNIT_ON_IDENTIFIED] = {unit_on_found, TO(UNIT_ADMITTING, UNIT_DONE)},
                [UNIT_ON_GONE] = {unit_on_left, SELF(UNIT_EMPTY)},
                [UNIT_ON_REFUSED] = {unit_on_refused_early, TO(UNIT_DONE)},
                [UNIT_ON_FAILED] = {unit_on_failed_early, TO(UNIT_DONE)},
            },
        [UNIT_ADMITTING] =
            {
                [UNIT_ON_GONE] = {unit_on_left, PARKED},
                [UNIT_ON_FAILED] = {unit_on_failed, TO(UNIT_EMPTY, UNIT_DONE)},
                [UNIT_ON_ADMITTED] = {unit_on_admitted, PLANNED},
                [UNIT_ON_CONFLICT] = {unit_on_conflict, TO(UNIT_DONE)},
            },
        [UNIT_GENERATING] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_GENERATING),
                [UNIT_ON_KEY] = {unit_on_key, TO(UNIT_FETCHING_CSR)},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_GENERATING)},
            },
        [UNIT_FETCHING_CSR] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_FETCHING_CSR),
                [UNIT_ON_CSR] = {unit_on_csr, PLANNED},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_FETCHING_CSR)},
            },
        [UNIT_WAITING] =
            {
                ANY_TIME,
                [UNIT_ON_ISSUED] = {unit_on_issued, PLANNED},
                [UNIT_ON_UNAVAILABLE] = {unit_on_unavailable, RETRIED(UNIT_WAITING)},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_WAITING)},
            },
        [UNIT_LOADING] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_LOADING),
                [UNIT_ON_CERTIFICATE] = {unit_on_certificate, TO(UNIT_CONFIRMING, UNIT_RECORDING)},
            },
        [UNIT_CONFIRMING] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_CONFIRMING),
                [UNIT_ON_IDENTIFIED] = {unit_on_confirmed,
                                        TO(UNIT_INSTALLING, UNIT_READING_BACK, UNIT_RECORDING)},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_CONFIRMING)},
            },
        [UNIT_INSTALLING] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_INSTALLING),
                [UNIT_ON_INSTALLED] = {unit_on_installed, TO(UNIT_READING_BACK)},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_INSTALLING)},
            },
        [UNIT_READING_BACK] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_READING_BACK),
                [UNIT_ON_READ_BACK] = {unit_on_read_back,
                                       TO(UNIT_PROVING, UNIT_INSTALLING, UNIT_RECORDING)},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_READING_BACK)},
            },
        [UNIT_PROVING] =
            {
                ANY_TIME,
                CA_EARLY(UNIT_PROVING),
                [UNIT_ON_PROOF] = {unit_on_proof, PLANNED},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_PROVING)},
            },
        [UNIT_LOCKING] =
            {
                ANY_TIME,
                [UNIT_ON_FINISHED] = {unit_on_finished, FAILED},
                [UNIT_ON_REFUSED] = {unit_on_refused, RETRIED(UNIT_LOCKING)},
            },
        [UNIT_RECORDING] =
            {
                [UNIT_ON_STORED] = {unit_on_stored, TO(UNIT_DONE)},
                [UNIT_ON_CONFLICT] = {unit_on_conflict_recording, TO(UNIT_DONE)},
            },
        [UNIT_DONE] =
            {
                [UNIT_ON_GONE] = {unit_on_left, PARKED},
                [UNIT_ON_FAILED] = {unit_on_failed_done, TO(UNIT_EMPTY, UNIT_DONE)},
                [UNIT_ON_REFUSED] = {unit_on_failed_done, TO(UNIT_EMPTY, UNIT_DONE)},
            },
};

static bool cell_allows(const struct unit_cell *cell, enum unit_state next) {
    for (size_t i = 0; i < NEXT_MAX && cell->next[i] != END; i++) {
        if (cell->next[i] == next) {
            return true;
        }
    }
    return false;
}

void unit_init(struct unit *unit, const struct unit_policy *policy) {
    memset(unit, 0, sizeof *unit);
    unit->policy = policy;
    unit->state = UNIT_EMPTY;
}

void unit_step(struct unit *unit, const struct unit_event *event, struct unit_output *output) {
    output->record_count = 0;
    output->action = UNIT_ACT_NONE;
    output->hold = false;
    const struct unit_cell *cell = &unit_table[unit->state][event->kind];
    if (cell->handler == NULL) {
        return;
    }
    enum unit_state next = cell->handler(unit, event, output);
    assert(cell_allows(cell, next));
    unit->state = next;
}

void unit_visit_transitions(unit_visit_transition *visit, void *context) {
    for (enum unit_state from = 0; from < UNIT_STATE_COUNT; from++) {
        for (enum unit_event_kind kind = 0; kind < UNIT_EVENT_COUNT; kind++) {
            const struct unit_cell *cell = &unit_table[from][kind];
            for (size_t i = 0; cell->handler != NULL && i < NEXT_MAX && cell->next[i] != END; i++) {
                visit(context, from, kind, cell->next[i]);
            }
        }
    }
}

bool unit_is_active(const struct unit *unit) {
    return unit->state >= UNIT_ADMITTING && unit->state <= UNIT_RECORDING;
}

const char *unit_state_name(enum unit_state state) {
    static const char *const names[UNIT_STATE_COUNT] = {
        [UNIT_EMPTY] = "empty",
        [UNIT_ADMITTING] = "admitting",
        [UNIT_GENERATING] = "generating",
        [UNIT_FETCHING_CSR] = "fetching CSR",
        [UNIT_WAITING] = "waiting for CA",
        [UNIT_LOADING] = "loading certificate",
        [UNIT_CONFIRMING] = "confirming camera",
        [UNIT_INSTALLING] = "installing",
        [UNIT_READING_BACK] = "reading back",
        [UNIT_PROVING] = "proving",
        [UNIT_LOCKING] = "locking",
        [UNIT_RECORDING] = "recording",
        [UNIT_DONE] = "done",
    };
    return (unsigned)state < UNIT_STATE_COUNT ? names[state] : "?";
}

const char *unit_event_name(enum unit_event_kind kind) {
    static const char *const names[UNIT_EVENT_COUNT] = {
        [UNIT_ON_IDENTIFIED] = "identified",
        [UNIT_ON_GONE] = "gone",
        [UNIT_ON_ADMITTED] = "admitted",
        [UNIT_ON_KEY] = "key",
        [UNIT_ON_CSR] = "CSR",
        [UNIT_ON_ISSUED] = "issued",
        [UNIT_ON_UNAVAILABLE] = "unavailable",
        [UNIT_ON_CERTIFICATE] = "certificate",
        [UNIT_ON_INSTALLED] = "installed",
        [UNIT_ON_READ_BACK] = "read back",
        [UNIT_ON_PROOF] = "proof",
        [UNIT_ON_FINISHED] = "finished",
        [UNIT_ON_STORED] = "stored",
        [UNIT_ON_REFUSED] = "refused",
        [UNIT_ON_FAILED] = "failed",
        [UNIT_ON_CONFLICT] = "conflict",
    };
    return (unsigned)kind < UNIT_EVENT_COUNT ? names[kind] : "?";
}

const char *unit_verdict_name(enum unit_verdict verdict) {
    static const char *const names[] = {"", "PASS", "FAIL", "ALREADY PROVISIONED"};
    return names[verdict];
}
