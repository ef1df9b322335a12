// SPDX-License-Identifier: Apache-2.0
// A pool on a bench of plain values: it notes what the pool asks for, and answers its batches as a
// store would. Camera n has the serial CAM-n, the unit id n + 1, and for each credential one key.
// For tests of station/core/pool.h.
#ifndef BIRTHCERT_TESTS_SUPPORT_POOL_H
#define BIRTHCERT_TESTS_SUPPORT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "station/core/pool.h"

#define POOL_BENCH_SLOTS 4
#define POOL_BENCH_CAMERAS 40
#define POOL_BENCH_LOG 4096

struct pool_bench_act {
    size_t slot;
    enum unit_action action;
};

struct pool_bench_ask {
    enum request_action action;
    int64_t credential_id;
    int64_t not_before_s;
};

struct pool_bench {
    struct unit_policy unit_policy;
    struct ca_policy ca_policy;
    struct pool_settings settings;
    struct pool *pool;
    struct pool_time now;
    struct batch *batch; // taken, not yet committed
    struct message_info info;
    struct unit_record records[POOL_BENCH_CAMERAS]; // what the store answers to ADMIT
    // Records of this kind, with this install state, are refused with this code.
    enum record_kind refused_kind;
    enum install_state refused_install;
    enum error_code refused_code;
    // What the pool asked for, in order.
    size_t act_count;
    struct pool_bench_act acts[POOL_BENCH_LOG];
    size_t ask_count;
    struct pool_bench_ask asks[POOL_BENCH_LOG];
    size_t report_count;
    enum unit_verdict verdicts[POOL_BENCH_LOG];
};

// One credential, locked at the end; the bench stays where it is. Freed with pool_bench_free.
void pool_bench_init(struct pool_bench *bench);
// The same with profiles "https" and "idevid", each of a CA of its own: for requests alone.
void pool_bench_init_cas(struct pool_bench *bench, uint32_t cas);
void pool_bench_free(struct pool_bench *bench);

int64_t pool_bench_credential(size_t camera);

// What the port would post for the camera in a slot.
void pool_bench_identify(struct pool_bench *bench, size_t slot, size_t camera);
void pool_bench_post(struct pool_bench *bench, size_t slot, enum unit_event_kind kind);
void pool_bench_post_error(struct pool_bench *bench, size_t slot, enum unit_event_kind kind,
                           enum error_code code);

// Takes the batch; false where there is none. Answers what was taken and says that it is durable.
bool pool_bench_take(struct pool_bench *bench);
void pool_bench_commit(struct pool_bench *bench);
// Both, until nothing is left to write.
void pool_bench_settle(struct pool_bench *bench);
// A turn at `monotonic_ms` after now; then settles.
void pool_bench_turn(struct pool_bench *bench, int64_t later_ms);

void pool_bench_answer_ca(struct pool_bench *bench, int64_t credential_id,
                          enum request_outcome outcome, enum error_code code);

// The camera in the slot goes the straight way until its unit is in that state.
void pool_bench_drive(struct pool_bench *bench, size_t slot, size_t camera, enum unit_state state);

// How often the pool asked for it in that slot, since the start.
size_t pool_bench_count(const struct pool_bench *bench, size_t slot, enum unit_action action);
size_t pool_bench_count_asks(const struct pool_bench *bench, enum request_action action);
enum unit_state pool_bench_state(const struct pool_bench *bench, size_t slot);

#endif
