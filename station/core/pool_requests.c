// SPDX-License-Identifier: Apache-2.0
#include "station/core/pool_internal.h"

#include <assert.h>
#include <string.h>

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

// CAs go by the place of the first profile that names them: one that is out must not hold up another.
static size_t ca_of(const struct pool *pool, const struct request *request) {
    for (size_t i = 0; i < pool->settings.unit_policy->wanted_count; i++) {
        if (strcmp(pool->settings.ca_names[i], request->ca) == 0) {
            return i;
        }
    }
    return 0;
}

// After breaker_failures in a row one request at a time tries the CA, and the pause before it doubles
// whenever that fails. What fails during a pause was sent before it, and says nothing new.
static void note_failure(struct breaker *breaker, const struct ca_policy *policy, int64_t now_ms,
                         uint64_t random) {
    if (breaker->failures >= policy->breaker_failures && now_ms < breaker->open_ms) {
        return;
    }
    breaker->since_ms = breaker->failures == 0 ? now_ms : breaker->since_ms;
    breaker->failures++;
    if (breaker->failures >= policy->breaker_failures) {
        uint32_t times = breaker->failures - policy->breaker_failures + 1;
        breaker->open_ms = now_ms + policy_backoff_ms(policy, times, random);
    }
}

static void note_ca(struct pool *pool, const struct pool_time *now, const struct request *request,
                    const struct request_output *output, const struct request_event *event) {
    struct breaker *breaker = &pool->breakers[ca_of(pool, request)];
    if (output->ca_worked) {
        *breaker = (struct breaker){0};
    }
    if (output->ca_failed && event->result != NULL) {
        breaker->why = event->result->error;
        note_failure(breaker, request->policy, now->monotonic_ms, policy_random(&pool->random));
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
        pool_put_record(pool, &output.records[i], &owner);
    }
    note_ca(pool, now, request, &output, event);
    if (output.action != REQUEST_ACT_NONE) {
        pool->edge->ask_ca(pool->context, output.action, event->request);
    }
    if (output.settled) {
        assert(!pool->has_settled);
        pool->has_settled = true;
        pool->settled = *request;
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
    return begin_request(pool, now, pool_find_profile(pool, request->profile), request);
}

bool pool_wants_outbox(const struct pool *pool) {
    return pool->wants_outbox && !pool->committing &&
           pool_requests_in_progress(pool) < POOL_REQUESTS_MAX / 2;
}

// A CSR has become durable: its request begins. One that was refused is begun again likewise.
void pool_start_request(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                        const struct record *record) {
    struct request_record request = {
        .unit_id = record->unit_id,
        .credential_id = record->credential_id,
        .state = REQUEST_QUEUED,
    };
    begin_request(pool, now, owner->profile, &request);
}

// A unit comes back while a request of its is in progress: somebody must be at work on it.
void pool_resume_requests(struct pool *pool, const struct pool_time *now,
                          const struct unit_record *unit) {
    for (uint32_t i = 0; i < unit->credential_count; i++) {
        const struct credential_record *credential = &unit->credentials[i];
        if (request_is_pending(credential->request)) {
            struct request_record request = {
                .unit_id = unit->unit_id,
                .credential_id = credential->credential_id,
                .state = credential->request,
            };
            begin_request(pool, now, pool_find_profile(pool, credential->profile), &request);
        }
    }
}

void pool_post_request_result(struct pool *pool, const struct pool_time *now, int64_t credential_id,
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

// By ca_of.
struct in_flight {
    size_t count[UNIT_CREDENTIALS_MAX];
    size_t with_fetches[UNIT_CREDENTIALS_MAX];
};

static void count_request(const struct pool *pool, const struct request *request,
                          struct in_flight *in_flight) {
    size_t ca = ca_of(pool, request);
    bool works = request->step >= STEP_CLAIMING && request->step <= STEP_RECONCILING;
    in_flight->count[ca] += request_is_in_flight(request) ? 1 : 0;
    in_flight->with_fetches[ca] += works ? 1 : 0;
}

static struct in_flight count_in_flight(const struct pool *pool) {
    struct in_flight in_flight = {0};
    for (size_t i = 0; i < pool->request_end; i++) {
        count_request(pool, &pool->requests[i], &in_flight);
    }
    return in_flight;
}

// When the request may go: its own time, or later while its CA is out; INT64_MAX where something
// else has to happen first.
static int64_t may_ask_at(const struct pool *pool, const struct request *request,
                          const struct in_flight *in_flight) {
    size_t ca = ca_of(pool, request);
    const struct breaker *breaker = &pool->breakers[ca];
    bool tripped = breaker->failures >= request->policy->breaker_failures;
    // A CA that is out is tried by one request at a time, whatever that one wants.
    bool is_capped = request->purpose == PURPOSE_SUBMIT || request->purpose == PURPOSE_RECONCILE;
    bool is_full = tripped ? in_flight->with_fetches[ca] > 0
                           : is_capped && in_flight->count[ca] >= request->policy->in_flight;
    bool held = pool->holds_submissions && request->purpose == PURPOSE_SUBMIT;
    if (request->step != STEP_DUE || held || is_full) {
        return INT64_MAX;
    }
    return tripped && breaker->open_ms > request->due_ms ? breaker->open_ms : request->due_ms;
}

void pool_turn_requests(struct pool *pool, const struct pool_time *now) {
    struct in_flight in_flight = count_in_flight(pool);
    for (size_t i = 0; i < pool->request_end && !pool->stopping; i++) {
        struct request *request = &pool->requests[i];
        // Half a batch is left for the units: after an outage a thousand requests may be due at once.
        if (pool->journals[pool->filling].batch->count >= pool->batch_objects / 2) {
            break;
        }
        if (may_ask_at(pool, request, &in_flight) > now->monotonic_ms) {
            continue;
        }
        if (request->purpose == PURPOSE_SUBMIT) {
            request->not_before_s = choose_stamp(pool, request, now);
        }
        struct request_event event = {.kind = REQUEST_ON_DUE};
        step_request(pool, request, now, &event);
        count_request(pool, request, &in_flight);
    }
}

int64_t pool_deadline_ms(const struct pool *pool) {
    int64_t deadline_ms = INT64_MAX;
    struct in_flight in_flight = count_in_flight(pool);
    for (size_t i = 0; i < pool->request_end && !pool->stopping; i++) {
        int64_t at_ms = may_ask_at(pool, &pool->requests[i], &in_flight);
        deadline_ms = at_ms < deadline_ms ? at_ms : deadline_ms;
    }
    return deadline_ms;
}

void pool_answer_request(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                         const struct record *record, const struct answer *answer) {
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

void pool_hold_submissions(struct pool *pool, bool hold) {
    pool->holds_submissions = hold;
}

size_t pool_requests_to_settle(const struct pool *pool, int64_t monotonic_ms) {
    size_t count = 0;
    for (size_t i = 0; i < pool->request_end; i++) {
        const struct request *request = &pool->requests[i];
        bool waits = request->step == STEP_DUE;
        bool queued = waits && request->purpose == PURPOSE_SUBMIT;
        bool carried = waits && request->purpose == PURPOSE_FETCH && request->policy->is_offline &&
                       request->due_ms > monotonic_ms;
        count += request->step != STEP_FREE && !queued && !carried ? 1 : 0;
    }
    return count;
}

size_t pool_requests_in_progress(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->request_end; i++) {
        count += pool->requests[i].step != STEP_FREE ? 1 : 0;
    }
    return count;
}

int64_t pool_ca_down_ms(const struct pool *pool, int64_t monotonic_ms, struct error *why) {
    int64_t down_ms = 0;
    for (size_t i = 0; i < UNIT_CREDENTIALS_MAX; i++) {
        const struct breaker *breaker = &pool->breakers[i];
        if (breaker->failures > 0 && monotonic_ms - breaker->since_ms + 1 > down_ms) {
            down_ms = monotonic_ms - breaker->since_ms + 1;
            *why = breaker->why;
        }
    }
    return down_ms;
}
