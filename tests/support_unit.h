// SPDX-License-Identifier: Apache-2.0
// A unit on a bench of plain values: a camera that says what it has, a store that says what it
// knows, and both go along with what the unit does. For tests of station/core/unit.h.
#ifndef BIRTHCERT_TESTS_SUPPORT_UNIT_H
#define BIRTHCERT_TESTS_SUPPORT_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "station/core/unit.h"

#define UNIT_BENCH_SERIAL "CAM-0001"
#define UNIT_BENCH_ID 7

struct unit_bench {
    struct unit_policy policy;
    struct unit unit;
    struct unit_output output; // of the last step
    int64_t now_ms;
    struct message_info info;  // what the camera says when it is asked
    struct unit_record record; // what the store says at admission
    // What the next good event carries, where it is not found above.
    uint32_t about; // index of the credential of ISSUED and UNAVAILABLE
    struct unit_csr csr;
    struct certificate_record certificate;
    uint8_t chain[OBJECT_MAX + 1];
};

// `credentials` numbered from 1, P-256, none has a key; the policy locks and tries twice again.
void unit_bench_init(struct unit_bench *bench, uint32_t credentials);

// The key that credential `index` has, and its job; `variant` 0 is the camera's own.
void unit_bench_fill_key(uint8_t spki_sha256[SHA256_SIZE], uint32_t index, uint8_t variant);
void unit_bench_fill_job(uint8_t job_id[JOB_ID_SIZE], uint32_t index, uint8_t variant);

// The camera holds the key of its job, in `state`; the store knows of it, with these states.
void unit_bench_set_camera(struct unit_bench *bench, uint32_t index, enum credential_state state);
void unit_bench_set_record(struct unit_bench *bench, uint32_t index, enum request_state request,
                           enum install_state install);

// One step with an event of the test's own; its time is filled in.
enum unit_state unit_bench_step(struct unit_bench *bench, struct unit_event *event);

// What a good camera, store or CA would say now: `event` as it would be, not yet stepped.
void unit_bench_fill(struct unit_bench *bench, enum unit_event_kind kind, struct unit_event *event);
enum unit_state unit_bench_post(struct unit_bench *bench, enum unit_event_kind kind);
// The same with an error of code `code`; REFUSED carries `camera_error`.
enum unit_state unit_bench_post_error(struct unit_bench *bench, enum unit_event_kind kind,
                                      enum error_code code);
enum unit_state unit_bench_refuse(struct unit_bench *bench, enum camera_error camera_error);

// The event that leads on from a state where all goes well.
enum unit_event_kind unit_bench_next(enum unit_state state);
// Goes the straight way until the unit is in `state`; fails the test where it does not come there.
void unit_bench_drive(struct unit_bench *bench, enum unit_state state);
// The same for a new bench with one credential.
void unit_bench_drive_one(struct unit_bench *bench, enum unit_state state);

// The record of that kind in the last output, or NULL.
const struct record *unit_bench_find_record(const struct unit_bench *bench, enum record_kind kind);

// The unit just failed with `code`, and the failure goes on record before it is shown.
void unit_bench_expect_failed(struct unit_bench *bench, enum error_code code);

#endif
