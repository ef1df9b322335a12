// SPDX-License-Identifier: Apache-2.0
// What the files of the pool share. pool.c joins the units in their slots (pool_units.c) and the
// requests to the CA (pool_requests.c), which know nothing of each other; both write to the journal.
#ifndef BIRTHCERT_CORE_POOL_INTERNAL_H
#define BIRTHCERT_CORE_POOL_INTERNAL_H

#include "station/core/pool.h"

// Who gets the answer of a record, and what happens when it is durable.
enum owner_kind { OWNER_UNIT, OWNER_REQUEST };

struct owner {
    enum owner_kind kind;
    size_t index;
    size_t profile;          // of the record's credential, in the unit policy
    uint32_t visit;          // of the slot: answers for a camera that left are dropped
    enum unit_action action; // held until this record, the last of its step, is durable
    enum unit_state state;   // of the unit behind the step: in any other the action is dropped
};

struct slot {
    struct unit unit;
    uint32_t visit; // counts the cameras that came
    unsigned twin_tries;
    bool is_closed;
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
    size_t filling;       // index of the journal that takes records
    size_t batch_objects; // a batch holds that many of the largest objects
    bool committing;      // the other one is with the store
    bool stopping;
    bool holds_submissions;
    bool overflowed;
    bool wants_outbox;
    uint64_t random;
    struct breaker breakers[UNIT_CREDENTIALS_MAX]; // of each CA, at its first profile's place
    bool has_settled;
    struct request settled; // a copy: its place may be used again
    uint64_t state_visits[UNIT_STATE_COUNT];
    int64_t state_ms[UNIT_STATE_COUNT];
};

// pool_journal.c
void pool_put_record(struct pool *pool, const struct record *record, const struct owner *owner);
// The place of a profile in the unit policy; UNIT_CREDENTIALS_MAX where there is none.
size_t pool_find_profile(const struct pool *pool, const char *profile);

// pool_units.c
void pool_release_twins(struct pool *pool, const struct pool_time *now);
void pool_notify_unit(struct pool *pool, const struct pool_time *now,
                      const struct request *request);
void pool_answer_unit(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                      const struct record *record, const struct answer *answer);

// pool_requests.c: what settles is left in pool->settled, one at a time.
// A record that puts a request into the outbox has become durable.
void pool_start_request(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                        const struct record *record);
// A unit comes back: whatever of its is in progress must have somebody at work on it.
void pool_resume_requests(struct pool *pool, const struct pool_time *now,
                          const struct unit_record *unit);
void pool_post_request_result(struct pool *pool, const struct pool_time *now, int64_t credential_id,
                              const struct request_result *result);
void pool_answer_request(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                         const struct record *record, const struct answer *answer);
void pool_turn_requests(struct pool *pool, const struct pool_time *now);

#endif
