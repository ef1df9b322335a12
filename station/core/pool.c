// SPDX-License-Identifier: Apache-2.0
#include "station/core/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "db/store.h"

#define TWIN_TRIES 3
#define BATCH_BYTES ((size_t)8 * 1024 * 1024)

// Who gets the answer of a record, and what happens when it is durable.
enum owner_kind { OWNER_UNIT, OWNER_REQUEST };

struct owner {
    enum owner_kind kind;
    size_t index;
    size_t profile;          // of the record's credential, in the unit policy
    uint32_t visit;          // of the slot: answers for a camera that left are dropped
    enum unit_action action; // held until this record, the last of its step, is durable
};

struct slot {
    struct unit unit;
    uint32_t visit; // counts the cameras that came
    unsigned twin_tries;
    int64_t state_since_ms;          // monotonic
    char twin[MESSAGE_TEXT_MAX + 1]; // the serial of an E_CAM_TWICE
};

struct pool_journal {
    struct batch *batch;
    struct owner owners[BATCH_MAX];
};

struct breaker {
    uint32_t failures; // in a row
    int64_t since_ms;  // the first of them
    int64_t open_ms;   // no new request before
    struct error why;
};

struct pool {
    struct pool_settings settings;
    const struct pool_edge *edge;
    void *context;
    struct slot *slots;
    struct request *requests;
    size_t request_end; // places from here on were never used
    struct pool_journal journals[2];
    size_t filling;  // index of the journal that takes records
    bool committing; // the other one is with the store
    bool stopping;
    bool holds_submissions;
    bool overflowed;
    bool wants_outbox;
    uint64_t random;
    struct breaker breaker;
    uint64_t state_visits[UNIT_STATE_COUNT];
    int64_t state_ms[UNIT_STATE_COUNT];
};

struct pool *pool_new(const struct pool_settings *settings, const struct pool_edge *edge,
                      void *context) {
    assert(settings->seed != 0 && settings->slot_count <= POOL_SLOTS_MAX);
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->settings = *settings;
    pool->edge = edge;
    pool->context = context;
    pool->random = settings->seed;
    pool->slots = calloc(settings->slot_count > 0 ? settings->slot_count : 1, sizeof *pool->slots);
    pool->requests = calloc(POOL_REQUESTS_MAX, sizeof *pool->requests);
    pool->journals[0].batch = batch_new(BATCH_BYTES);
    pool->journals[1].batch = batch_new(BATCH_BYTES);
    if (pool->slots == NULL || pool->requests == NULL || pool->journals[0].batch == NULL ||
        pool->journals[1].batch == NULL) {
        pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < settings->slot_count; i++) {
        unit_init(&pool->slots[i].unit, settings->unit_policy);
    }
    return pool;
}

void pool_free(struct pool *pool) {
    if (pool != NULL) {
        batch_free(pool->journals[0].batch);
        batch_free(pool->journals[1].batch);
        free(pool->requests);
        free(pool->slots);
        free(pool);
    }
}

// ---- the journal --------------------------------------------------------------------------------

static void put_record(struct pool *pool, const struct record *record, const struct owner *owner) {
    struct pool_journal *journal = &pool->journals[pool->filling];
    if (!batch_put(journal->batch, record)) {
        pool->overflowed = true;
        return;
    }
    journal->owners[journal->batch->count - 1] = *owner;
}

static void act(struct pool *pool, size_t slot, enum unit_action action) {
    // A stopping station ends what is in hand and begins nothing.
    if (action != UNIT_ACT_NONE && !pool->stopping) {
        pool->edge->act(pool->context, slot, &pool->slots[slot].unit, action);
    }
}

static size_t find_profile(const struct pool *pool, const char *profile) {
    const struct unit_policy *policy = pool->settings.unit_policy;
    for (size_t i = 0; i < policy->wanted_count; i++) {
        if (strcmp(policy->wanted[i].profile, profile) == 0) {
            return i;
        }
    }
    return UNIT_CREDENTIALS_MAX;
}

// The camera may be gone before the record is durable, so the profile is looked up beforehand.
static size_t profile_of_record(const struct pool *pool, const struct unit *unit,
                                const struct record *record) {
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        if (unit->record.credentials[i].credential_id == record->credential_id) {
            return find_profile(pool, unit->record.credentials[i].profile);
        }
    }
    return UNIT_CREDENTIALS_MAX;
}

static void take_unit_output(struct pool *pool, size_t slot, struct unit_output *output) {
    bool hold = output->hold && output->record_count > 0;
    for (size_t i = 0; i < output->record_count; i++) {
        struct owner owner = {.kind = OWNER_UNIT, .index = slot, .visit = pool->slots[slot].visit};
        owner.profile = profile_of_record(pool, &pool->slots[slot].unit, &output->records[i]);
        if (hold && i + 1 == output->record_count) {
            owner.action = output->action;
        }
        text_copy(output->records[i].slot, sizeof output->records[i].slot,
                  pool->settings.slot_names[slot]);
        put_record(pool, &output->records[i], &owner);
    }
    if (!hold) {
        act(pool, slot, output->action);
    }
}

// ---- units --------------------------------------------------------------------------------------

void pool_open_slot(struct pool *pool, size_t slot, const char *label, const char *lot) {
    struct unit *unit = &pool->slots[slot].unit;
    text_copy(unit->label, sizeof unit->label, label);
    text_copy(unit->lot, sizeof unit->lot, lot);
    act(pool, slot, UNIT_ACT_PROBE);
}

// The other slot in which the same serial is being worked on; slot_count where there is none.
static size_t find_twin(const struct pool *pool, size_t slot, const char *serial) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        const struct unit *unit = &pool->slots[i].unit;
        if (i != slot && unit_is_active(unit) && strcmp(unit->info.serial, serial) == 0) {
            return i;
        }
    }
    return pool->settings.slot_count;
}

// One camera cannot be in two places: whoever comes second waits, since a camera may have been
// moved faster than its old slot could notice, and is refused before anything is asked of it.
static bool refuse_twin(struct pool *pool, size_t slot, struct unit_event *event) {
    struct slot *place = &pool->slots[slot];
    if (place->unit.state != UNIT_EMPTY || event->kind != UNIT_ON_IDENTIFIED) {
        return false;
    }
    const char *serial = event->info->serial;
    size_t twin = find_twin(pool, slot, serial);
    if (twin == pool->settings.slot_count) {
        place->twin_tries = 0;
        return false;
    }
    if (place->twin_tries++ < TWIN_TRIES) {
        act(pool, slot, UNIT_ACT_PROBE_LATER);
        return true;
    }
    place->twin_tries = 0;
    memcpy(place->twin, serial, sizeof place->twin);
    event->kind = UNIT_ON_FAILED;
    error_set(&event->error, E_CAM_TWICE, "%s is already in slot %s", serial,
              pool->settings.slot_names[twin]);
    return false;
}

static void note_state(struct pool *pool, struct slot *slot, enum unit_state before,
                       const struct pool_time *now) {
    if (slot->unit.state != before) {
        pool->state_visits[before]++;
        pool->state_ms[before] += now->monotonic_ms - slot->state_since_ms;
        slot->state_since_ms = now->monotonic_ms;
    }
}

static void step_unit(struct pool *pool, size_t slot, const struct pool_time *now,
                      struct unit_event *event) {
    struct unit *unit = &pool->slots[slot].unit;
    struct unit_output output;
    enum unit_state before = unit->state;
    event->now_ms = now->wall_ms;
    unit_step(unit, event, &output);
    note_state(pool, &pool->slots[slot], before, now);
    if (before == UNIT_EMPTY && unit->state != UNIT_EMPTY) {
        pool->slots[slot].visit++;
    }
    take_unit_output(pool, slot, &output);
    if (before != UNIT_DONE && unit->state == UNIT_DONE) {
        pool->edge->report(pool->context, slot, unit);
    }
}

void pool_post_unit(struct pool *pool, size_t slot, const struct pool_time *now,
                    struct unit_event *event) {
    bool comes = pool->slots[slot].unit.state == UNIT_EMPTY;
    if (comes && pool->stopping) {
        return;
    }
    if (!refuse_twin(pool, slot, event)) {
        step_unit(pool, slot, now, event);
    }
}

static void notify_unit(struct pool *pool, const struct pool_time *now,
                        const struct request *request) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        if (pool->slots[i].unit.record.unit_id != request->unit_id) {
            continue;
        }
        bool issued = request->outcome == REQUEST_ISSUED;
        struct unit_event event = {
            .kind = issued ? UNIT_ON_ISSUED : UNIT_ON_UNAVAILABLE,
            .error = request->error,
        };
        event.credential_id = request->credential_id;
        event.request = request->outcome;
        step_unit(pool, i, now, &event);
    }
}

// ---- requests -----------------------------------------------------------------------------------

static struct request *find_request(struct pool *pool, int64_t credential_id) {
    for (size_t i = 0; i < pool->request_end; i++) {
        struct request *request = &pool->requests[i];
        if (request->step != STEP_FREE && request->credential_id == credential_id) {
            return request;
        }
    }
    return NULL;
}

static struct request *find_free_request(struct pool *pool) {
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        if (pool->requests[i].step == STEP_FREE) {
            pool->request_end = i < pool->request_end ? pool->request_end : i + 1;
            return &pool->requests[i];
        }
    }
    return NULL;
}

static void note_ca(struct pool *pool, const struct pool_time *now, const struct request *request,
                    const struct request_output *output, const struct request_event *event) {
    struct breaker *breaker = &pool->breaker;
    if (output->ca_worked) {
        *breaker = (struct breaker){0};
    }
    if (!output->ca_failed) {
        return;
    }
    breaker->since_ms = breaker->failures == 0 ? now->monotonic_ms : breaker->since_ms;
    breaker->failures++;
    breaker->why = event->result->error;
    if (breaker->failures >= request->policy->breaker_failures) {
        breaker->open_ms = now->monotonic_ms + policy_backoff_ms(request->policy, breaker->failures,
                                                                 policy_random(&pool->random));
    }
}

static void step_request(struct pool *pool, struct request *request, const struct pool_time *now,
                         struct request_event *event) {
    struct request_output output;
    event->now_ms = now->wall_ms;
    event->monotonic_ms = now->monotonic_ms;
    event->random = policy_random(&pool->random);
    request_step(request, event, &output);
    for (size_t i = 0; i < output.record_count; i++) {
        struct owner owner = {.kind = OWNER_REQUEST, .index = (size_t)(request - pool->requests)};
        put_record(pool, &output.records[i], &owner);
    }
    note_ca(pool, now, request, &output, event);
    if (output.action != REQUEST_ACT_NONE) {
        pool->edge->ask_ca(pool->context, output.action, event->request);
    }
    if (output.settled) {
        notify_unit(pool, now, request);
    }
}

static bool begin_request(struct pool *pool, const struct pool_time *now, size_t profile,
                          const struct request_record *record) {
    if (profile >= UNIT_CREDENTIALS_MAX || find_request(pool, record->credential_id) != NULL) {
        return true; // of a profile that this station does not serve, or already here
    }
    struct request *request = find_free_request(pool);
    if (request == NULL) {
        pool->wants_outbox = true;
        return false;
    }
    request_init(request, pool->settings.ca_policies[profile], pool->settings.ca_names[profile]);
    struct request_event event = {.kind = REQUEST_ON_START, .request = record};
    step_request(pool, request, now, &event);
    return true;
}

bool pool_resume_request(struct pool *pool, const struct pool_time *now,
                         const struct request_record *request) {
    pool->wants_outbox = false;
    return begin_request(pool, now, find_profile(pool, request->profile), request);
}

bool pool_wants_outbox(const struct pool *pool) {
    return pool->wants_outbox && !pool->committing &&
           pool_requests_in_progress(pool) < POOL_REQUESTS_MAX / 2;
}

// A CSR has become durable: its request begins. One that was refused is begun again likewise.
static void start_request(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                          const struct record *record) {
    struct request_record request = {
        .unit_id = record->unit_id,
        .credential_id = record->credential_id,
        .state = REQUEST_QUEUED,
    };
    begin_request(pool, now, owner->profile, &request);
}

// A unit comes back while a request of its is in progress: somebody must be at work on it.
static void resume_requests(struct pool *pool, const struct pool_time *now,
                            const struct unit_record *unit) {
    for (uint32_t i = 0; i < unit->credential_count; i++) {
        const struct credential_record *credential = &unit->credentials[i];
        if (credential->request >= REQUEST_QUEUED && credential->request <= REQUEST_DOUBT) {
            struct request_record request = {
                .unit_id = unit->unit_id,
                .credential_id = credential->credential_id,
                .state = credential->request,
            };
            begin_request(pool, now, find_profile(pool, credential->profile), &request);
        }
    }
}

void pool_post_result(struct pool *pool, const struct pool_time *now, int64_t credential_id,
                      const struct request_result *result) {
    struct request *request = find_request(pool, credential_id);
    if (request != NULL) {
        struct request_event event = {.kind = REQUEST_ON_RESULT, .result = result};
        step_request(pool, request, now, &event);
    }
}

// A second of its own for each request in flight, so that lost answers identify themselves.
static int64_t choose_stamp(const struct pool *pool, const struct request *request,
                            const struct pool_time *now) {
    int64_t now_s = now->wall_ms / 1000;
    for (int64_t stamp = now_s; stamp > now_s - request->policy->not_before_window_s; stamp--) {
        bool taken = false;
        for (size_t i = 0; i < pool->request_end && !taken; i++) {
            const struct request *other = &pool->requests[i];
            taken = other != request && other->step != STEP_FREE && other->not_before_s == stamp;
        }
        if (!taken) {
            return stamp;
        }
    }
    return 0;
}

static bool may_ask(const struct pool *pool, const struct request *request, size_t in_flight,
                    int64_t monotonic_ms) {
    if (pool->holds_submissions && request->purpose == PURPOSE_SUBMIT) {
        return false;
    }
    const struct breaker *breaker = &pool->breaker;
    bool tripped = breaker->failures >= request->policy->breaker_failures;
    if (tripped && (in_flight > 0 || monotonic_ms < breaker->open_ms)) {
        return false;
    }
    return in_flight < request->policy->in_flight;
}

static size_t count_in_flight(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->request_end; i++) {
        count += request_is_in_flight(&pool->requests[i]) ? 1 : 0;
    }
    return count;
}

// A unit that was refused because its serial was in two slots goes on when it no longer is.
static void release_twins(struct pool *pool, const struct pool_time *now) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->unit.state == UNIT_DONE && slot->unit.error.code == E_CAM_TWICE &&
            slot->unit.verdict == UNIT_FAIL &&
            find_twin(pool, i, slot->twin) == pool->settings.slot_count) {
            struct unit_event event = {.kind = UNIT_ON_GONE};
            step_unit(pool, i, now, &event);
        }
    }
}

void pool_turn(struct pool *pool, const struct pool_time *now) {
    release_twins(pool, now);
    size_t in_flight = count_in_flight(pool);
    for (size_t i = 0; i < pool->request_end && !pool->stopping; i++) {
        struct request *request = &pool->requests[i];
        if (request->step != STEP_DUE || request->due_ms > now->monotonic_ms ||
            !may_ask(pool, request, in_flight, now->monotonic_ms)) {
            continue;
        }
        if (request->purpose == PURPOSE_SUBMIT) {
            request->not_before_s = choose_stamp(pool, request, now);
        }
        struct request_event event = {.kind = REQUEST_ON_DUE};
        step_request(pool, request, now, &event);
        in_flight++;
    }
}

int64_t pool_deadline_ms(const struct pool *pool) {
    int64_t deadline_ms = INT64_MAX;
    size_t in_flight = count_in_flight(pool);
    for (size_t i = 0; i < pool->request_end && !pool->stopping; i++) {
        const struct request *request = &pool->requests[i];
        if (request->step != STEP_DUE || !may_ask(pool, request, in_flight, INT64_MAX)) {
            continue;
        }
        int64_t due_ms = request->due_ms;
        bool tripped = pool->breaker.failures >= request->policy->breaker_failures;
        due_ms = tripped && pool->breaker.open_ms > due_ms ? pool->breaker.open_ms : due_ms;
        deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
    }
    return deadline_ms;
}

// ---- commit -------------------------------------------------------------------------------------

struct batch *pool_take_batch(struct pool *pool) {
    struct pool_journal *journal = &pool->journals[pool->filling];
    if (pool->committing || journal->batch->count == 0) {
        return NULL;
    }
    pool->committing = true;
    pool->filling = 1 - pool->filling;
    return journal->batch;
}

static void answer_unit(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                        const struct record *record, const struct answer *answer) {
    struct slot *slot = &pool->slots[owner->index];
    bool stale = owner->visit != slot->visit || slot->unit.state == UNIT_EMPTY;
    struct unit_event event = {.kind = UNIT_EVENT_COUNT};
    if (answer->code != ERROR_NONE) {
        event.kind = UNIT_ON_CONFLICT;
        error_set(&event.error, answer->code, "%s", answer->text);
    } else if (record->kind == RECORD_ADMIT) {
        resume_requests(pool, now, &answer->unit);
        event.kind = UNIT_ON_ADMITTED;
        event.unit = &answer->unit;
    } else if (record->kind == RECORD_LOAD_CERTIFICATE) {
        event.kind = UNIT_ON_CERTIFICATE;
        event.certificate = &answer->certificate;
    } else if (!stale && slot->unit.state == UNIT_RECORDING &&
               (record->kind == RECORD_RESULT || record->kind == RECORD_EVENT)) {
        event.kind = UNIT_ON_STORED;
    }
    if (!stale && event.kind != UNIT_EVENT_COUNT) {
        step_unit(pool, owner->index, now, &event);
    } else if (!stale) {
        act(pool, owner->index, owner->action);
    }
}

static void answer_request(struct pool *pool, const struct pool_time *now,
                           const struct owner *owner, const struct record *record,
                           const struct answer *answer) {
    struct request *request = &pool->requests[owner->index];
    bool loads = record->kind == RECORD_SENT || record->kind == RECORD_LOAD_REQUEST;
    bool settles = request->step == STEP_SETTLING && record->kind != RECORD_LOAD_REQUEST;
    struct request_event event = {.request = &answer->request};
    if (request->step == STEP_FREE || request->credential_id != record->credential_id) {
        return;
    }
    if (answer->code != ERROR_NONE) {
        event.kind = REQUEST_ON_CONFLICT;
        error_set(&event.error, answer->code, "%s", answer->text);
    } else if (loads) {
        event.kind = REQUEST_ON_RECORD;
    } else if (settles) {
        event.kind = REQUEST_ON_STORED;
    } else {
        return;
    }
    step_request(pool, request, now, &event);
}

void pool_committed(struct pool *pool, const struct pool_time *now) {
    struct pool_journal *journal = &pool->journals[1 - pool->filling];
    assert(pool->committing);
    for (size_t i = 0; i < journal->batch->count; i++) {
        const struct record *record = &journal->batch->records[i];
        const struct answer *answer = &journal->batch->answers[i];
        const struct owner *owner = &journal->owners[i];
        if (owner->kind == OWNER_REQUEST) {
            answer_request(pool, now, owner, record, answer);
            continue;
        }
        bool queues = record->kind == RECORD_CSR || record->kind == RECORD_REQUEST;
        if (queues && answer->code == ERROR_NONE) {
            start_request(pool, now, owner, record);
        }
        answer_unit(pool, now, owner, record, answer);
    }
    batch_clear(journal->batch);
    pool->committing = false;
}

// ---- the rest -----------------------------------------------------------------------------------

void pool_hold_submissions(struct pool *pool) {
    pool->holds_submissions = true;
}

size_t pool_requests_to_settle(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->request_end; i++) {
        const struct request *request = &pool->requests[i];
        bool queued = request->step == STEP_DUE && request->purpose == PURPOSE_SUBMIT;
        count += request->step != STEP_FREE && !queued ? 1 : 0;
    }
    return count;
}

void pool_stop(struct pool *pool) {
    pool->stopping = true;
}

bool pool_is_settled(const struct pool *pool) {
    return !pool->committing && pool->journals[pool->filling].batch->count == 0;
}

void pool_state_time(const struct pool *pool, enum unit_state state, uint64_t *visits,
                     int64_t *total_ms) {
    *visits = pool->state_visits[state];
    *total_ms = pool->state_ms[state];
}

const struct unit *pool_unit(const struct pool *pool, size_t slot) {
    return &pool->slots[slot].unit;
}

size_t pool_requests_in_progress(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->request_end; i++) {
        count += pool->requests[i].step != STEP_FREE ? 1 : 0;
    }
    return count;
}

int64_t pool_ca_down_ms(const struct pool *pool, int64_t monotonic_ms, struct error *why) {
    if (pool->breaker.failures == 0) {
        return 0;
    }
    *why = pool->breaker.why;
    return monotonic_ms - pool->breaker.since_ms + 1;
}

bool pool_overflowed(const struct pool *pool) {
    return pool->overflowed;
}
