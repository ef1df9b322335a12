// SPDX-License-Identifier: Apache-2.0
// One request with nothing around it: a test is its store, its CA and its clock.
#ifndef BIRTHCERT_TESTS_SUPPORT_REQUEST_H
#define BIRTHCERT_TESTS_SUPPORT_REQUEST_H

#include <check.h>
#include <string.h>

#include "station/core/request.h"

static const struct ca_policy usual = {
    .settle_ms = 5000,
    .in_flight = 4,
    .backoff_ms = 200,
    .backoff_max_ms = 5000,
    .rescan_ms = 700,
    .empty_scans = 3,
    .breaker_failures = 5,
};

struct bench {
    struct ca_policy policy;
    struct request request;
    struct request_output output;
    struct request_record record;
    int64_t now_ms; // monotonic
    uint64_t random;
};

static inline enum request_step step(struct bench *bench, struct request_event *event) {
    event->monotonic_ms = bench->now_ms;
    event->now_ms = 1000000 + bench->now_ms;
    event->random = policy_random(&bench->random);
    request_step(&bench->request, event, &bench->output);
    ck_assert_uint_le(bench->output.record_count, REQUEST_RECORDS_MAX);
    for (size_t i = 0; i < bench->output.record_count; i++) {
        ck_assert_int_eq(bench->output.records[i].credential_id, 71);
        ck_assert_int_eq(bench->output.records[i].unit_id, 7);
        ck_assert_int_eq(bench->output.records[i].time_ms, event->now_ms);
    }
    return bench->request.step;
}

static inline enum request_step start(struct bench *bench, enum request_state state) {
    memset(bench, 0, sizeof *bench);
    bench->policy = usual;
    bench->random = 1;
    bench->now_ms = 50000;
    bench->record = (struct request_record){.unit_id = 7, .credential_id = 71, .state = state};
    request_init(&bench->request, &bench->policy, "toy");
    struct request_event event = {.kind = REQUEST_ON_START, .request = &bench->record};
    return step(bench, &event);
}

static inline enum request_step post(struct bench *bench, enum request_event_kind kind) {
    struct request_event event = {.kind = kind, .request = &bench->record};
    return step(bench, &event);
}

static inline enum request_step post_conflict(struct bench *bench, enum error_code code) {
    struct request_event event = {.kind = REQUEST_ON_CONFLICT};
    error_set(&event.error, code, "of the store");
    return step(bench, &event);
}

static inline enum request_step answer(struct bench *bench, enum request_outcome outcome,
                                       enum error_code code, uint32_t retry_after_ms) {
    struct request_result result = {
        .outcome = outcome, .handle = "0a1b", .retry_after_ms = retry_after_ms};
    struct request_event event = {.kind = REQUEST_ON_RESULT, .result = &result};
    if (code != ERROR_NONE) {
        error_set(&result.error, code, "of the CA");
    }
    memset(result.certificate.sha256, 0x55, SHA256_SIZE);
    return step(bench, &event);
}

// Its pause is over; what it looks up is there.
static inline enum request_step come_due(struct bench *bench) {
    ck_assert_int_eq(bench->request.step, STEP_DUE);
    bench->now_ms = bench->request.due_ms > bench->now_ms ? bench->request.due_ms : bench->now_ms;
    post(bench, REQUEST_ON_DUE);
    return post(bench, REQUEST_ON_RECORD);
}

static inline void expect_record(const struct bench *bench, size_t index, enum record_kind kind,
                                 enum request_state state, enum error_code code) {
    ck_assert_uint_gt(bench->output.record_count, index);
    const struct record *record = &bench->output.records[index];
    ck_assert_int_eq(record->kind, kind);
    ck_assert_int_eq(record->request, state);
    ck_assert_int_eq(record->error, code);
}

// The outcome is on record before anybody is told.
static inline void expect_settled(struct bench *bench, enum request_state state,
                                  enum error_code code) {
    ck_assert_int_eq(bench->request.step, STEP_SETTLING);
    ck_assert(!bench->output.settled);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_NONE);
    ck_assert_int_eq(post(bench, REQUEST_ON_STORED), STEP_FREE);
    ck_assert(bench->output.settled);
    ck_assert_uint_eq(bench->output.record_count, 0);
    ck_assert_int_eq(bench->request.outcome, state);
    ck_assert_int_eq(bench->request.error.code, code);
}

static inline void submit(struct bench *bench) {
    ck_assert_int_eq(start(bench, REQUEST_QUEUED), STEP_DUE);
    ck_assert_int_eq(bench->request.due_ms, bench->now_ms);
    ck_assert_int_eq(come_due(bench), STEP_SUBMITTED);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_SUBMIT);
}

#endif
