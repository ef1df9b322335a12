// SPDX-License-Identifier: Apache-2.0
#include "station/core/pool_internal.h"

#include <assert.h>
#include <stdlib.h>

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
    // Room for the largest object in each of so many records; what is not used is not touched.
    size_t objects = 64 + 8 * settings->slot_count;
    for (size_t i = 0; i < settings->unit_policy->wanted_count; i++) {
        objects += 3 * (size_t)settings->ca_policies[i]->in_flight;
    }
    pool->batch_objects = objects < BATCH_MAX ? objects : BATCH_MAX;
    pool->journals[0].batch = batch_new(pool->batch_objects * OBJECT_MAX);
    pool->journals[1].batch = batch_new(pool->batch_objects * OBJECT_MAX);
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

// A request has settled: its unit, if it is in a slot, goes on or fails.
static void pass_on_settled(struct pool *pool, const struct pool_time *now) {
    if (pool->has_settled) {
        pool->has_settled = false;
        pool_notify_unit(pool, now, &pool->settled);
    }
}

void pool_post_result(struct pool *pool, const struct pool_time *now, int64_t credential_id,
                      const struct request_result *result) {
    pool_post_request_result(pool, now, credential_id, result);
    pass_on_settled(pool, now);
}

void pool_turn(struct pool *pool, const struct pool_time *now) {
    pool_release_twins(pool, now);
    pool_turn_requests(pool, now);
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

static void take_unit_answer(struct pool *pool, const struct pool_time *now,
                             const struct owner *owner, const struct record *record,
                             const struct answer *answer) {
    bool queues = record->kind == RECORD_CSR || record->kind == RECORD_REQUEST;
    if (queues && answer->code == ERROR_NONE) {
        pool_start_request(pool, now, owner, record);
    }
    if (record->kind == RECORD_ADMIT && answer->code == ERROR_NONE) {
        pool_resume_requests(pool, now, &answer->unit);
    }
    pool_answer_unit(pool, now, owner, record, answer);
}

void pool_committed(struct pool *pool, const struct pool_time *now) {
    struct pool_journal *journal = &pool->journals[1 - pool->filling];
    assert(pool->committing);
    for (size_t i = 0; i < journal->batch->count; i++) {
        const struct record *record = &journal->batch->records[i];
        const struct answer *answer = &journal->batch->answers[i];
        const struct owner *owner = &journal->owners[i];
        if (owner->kind == OWNER_REQUEST) {
            pool_answer_request(pool, now, owner, record, answer);
            pass_on_settled(pool, now);
        } else {
            take_unit_answer(pool, now, owner, record, answer);
        }
    }
    batch_clear(journal->batch);
    pool->committing = false;
}

// ---- the rest -----------------------------------------------------------------------------------

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

bool pool_overflowed(const struct pool *pool) {
    return pool->overflowed;
}
