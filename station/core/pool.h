// SPDX-License-Identifier: Apache-2.0
// The pool: all slots, all requests to the CA, and the journal between them. It steps units and
// requests, gathers their records into one batch, and performs an action only when the records that
// must precede it are durable. Pure but for what it asks of its edge; allocates only in pool_new.
//
// A turn: the edge posts events; pool_turn starts what is due; the edge takes the batch with
// pool_take_batch, commits it, and says so with pool_committed; then the held actions happen. While
// one batch is being committed the next one fills: group commit.
#ifndef BIRTHCERT_CORE_POOL_H
#define BIRTHCERT_CORE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "db/record.h"
#include "station/core/policy.h"
#include "station/core/request.h"
#include "station/core/unit.h"

#define POOL_SLOTS_MAX 256
#define POOL_REQUESTS_MAX 1024

struct pool;

struct pool_settings {
    size_t slot_count;
    const char *const *slot_names;         // kept, not copied
    const struct unit_policy *unit_policy; // kept
    // One CA per profile, by the profile's place in the unit policy; kept.
    const struct ca_policy *ca_policies[UNIT_CREDENTIALS_MAX];
    const char *ca_names[UNIT_CREDENTIALS_MAX];
    uint64_t seed; // not 0: of jitter
};

// What the pool asks for. Called from inside pool_* functions; must not call back into the pool.
struct pool_edge {
    void (*act)(void *context, size_t slot, const struct unit *unit, enum unit_action action);
    // The unit in the slot reached UNIT_DONE: its verdict stands, and is durable if it is on
    // record.
    void (*report)(void *context, size_t slot, const struct unit *unit);
    void (*ask_ca)(void *context, enum request_action action, const struct request_record *request);
};

// Wall and monotonic time of an event, milliseconds.
struct pool_time {
    int64_t wall_ms;
    int64_t monotonic_ms;
};

// NULL without memory. The caller frees it with pool_free, which takes NULL.
struct pool *pool_new(const struct pool_settings *settings, const struct pool_edge *edge,
                      void *context);
void pool_free(struct pool *pool);

// Opens a slot: the edge is asked to probe, as soon as the slot is empty. `label` is the serial that
// must come, "" for any. A slot that is open takes one camera after the other.
void pool_open_slot(struct pool *pool, size_t slot, const char *label, const char *lot);
// The camera that is in it goes on; no further one is looked for until the slot is opened again.
void pool_close_slot(struct pool *pool, size_t slot);

// An event for the unit in a slot. event->now_ms is filled in by the pool.
void pool_post_unit(struct pool *pool, size_t slot, const struct pool_time *now,
                    struct unit_event *event);

// A request that the store has in progress, at start. False when there is no place: it stays in the
// store, and pool_wants_outbox says when to come again.
bool pool_resume_request(struct pool *pool, const struct pool_time *now,
                         const struct request_record *request);
bool pool_wants_outbox(const struct pool *pool);

// A result of the CA for a credential. One for a request that is not there is dropped.
void pool_post_result(struct pool *pool, const struct pool_time *now, int64_t credential_id,
                      const struct request_result *result);

// Starts what is due and has a place.
void pool_turn(struct pool *pool, const struct pool_time *now);

// When pool_turn wants to be called again, monotonic; INT64_MAX: not by itself.
int64_t pool_deadline_ms(const struct pool *pool);

// The batch to commit, or NULL: nothing to write, or one is being committed.
struct batch *pool_take_batch(struct pool *pool);

// The batch that was taken is durable and answered. A failed commit is not reported here: the
// station stops.
void pool_committed(struct pool *pool, const struct pool_time *now);

// While held nothing new is bought: what was sent is settled, what is queued stays in the outbox.
void pool_hold_submissions(struct pool *pool, bool hold);
// Requests that were sent and are not settled; without those that wait for a person, once it was
// looked whether that one brought a certificate.
size_t pool_requests_to_settle(const struct pool *pool, int64_t monotonic_ms);

// No new cameras, no new actions: what is in hand ends, and is recorded.
void pool_stop(struct pool *pool);

// Nothing waits for the store.
bool pool_is_settled(const struct pool *pool);

// How often units were in a state, and how long in all, since the start.
void pool_state_time(const struct pool *pool, enum unit_state state, uint64_t *visits,
                     int64_t *total_ms);

const struct unit *pool_unit(const struct pool *pool, size_t slot);
size_t pool_requests_in_progress(const struct pool *pool);
// How long the CA has been failing without a success between, milliseconds; 0: it works.
int64_t pool_ca_down_ms(const struct pool *pool, int64_t monotonic_ms, struct error *why);
// More records than the journal holds came before the store took them: a station fault.
bool pool_overflowed(const struct pool *pool);

#endif
