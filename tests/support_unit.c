// SPDX-License-Identifier: Apache-2.0
#include "tests/support_unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define CHAIN_LENGTH 900

void unit_bench_fill_key(uint8_t spki_sha256[SHA256_SIZE], uint32_t index, uint8_t variant) {
    memset(spki_sha256, (int)(0x10 + index + 16U * variant), SHA256_SIZE);
}

void unit_bench_fill_job(uint8_t job_id[JOB_ID_SIZE], uint32_t index, uint8_t variant) {
    memset(job_id, (int)(0x80 + index + 16U * variant), JOB_ID_SIZE);
}

static void init_credential(struct unit_bench *bench, uint32_t index) {
    uint8_t number = (uint8_t)(index + 1);
    struct credential_record *credential = &bench->record.credentials[index];
    credential->credential_id = 70 + (int64_t)number;
    credential->number = number;
    credential->key_type = KEY_P256;
    snprintf(credential->profile, sizeof credential->profile, "profile-%u", number);
    unit_bench_fill_job(credential->job_id, index, 0);
    bench->policy.wanted[index].number = number;
    bench->policy.wanted[index].key_type = KEY_P256;
    memcpy(bench->policy.wanted[index].profile, credential->profile, sizeof credential->profile);
    bench->info.credentials[index].number = number;
    bench->info.credentials[index].key_type = KEY_P256;
}

void unit_bench_init(struct unit_bench *bench, uint32_t credentials) {
    memset(bench, 0, sizeof *bench);
    bench->now_ms = 1000;
    bench->policy.lock = true;
    bench->policy.retries = 2;
    bench->policy.wanted_count = credentials;
    bench->record.unit_id = UNIT_BENCH_ID;
    bench->record.is_new = true;
    bench->record.credential_count = credentials;
    text_copy(bench->record.serial, sizeof bench->record.serial, UNIT_BENCH_SERIAL);
    text_copy(bench->info.serial, sizeof bench->info.serial, UNIT_BENCH_SERIAL);
    text_copy(bench->info.model, sizeof bench->info.model, "WV-1");
    text_copy(bench->info.firmware, sizeof bench->info.firmware, "2.40");
    bench->info.hardware_id_length = 6;
    bench->info.key_type_count = 1;
    bench->info.key_types[0] = KEY_P256;
    bench->info.credential_count = credentials;
    for (uint32_t i = 0; i < credentials; i++) {
        init_credential(bench, i);
    }
    unit_init(&bench->unit, &bench->policy);
}

void unit_bench_set_camera(struct unit_bench *bench, uint32_t index, enum credential_state state) {
    struct message_credential *seen = &bench->info.credentials[index];
    seen->state = (uint8_t)state;
    seen->has_key = state != CREDENTIAL_EMPTY;
    unit_bench_fill_key(seen->spki_sha256, index, 0);
    unit_bench_fill_job(seen->job_id, index, 0);
}

void unit_bench_set_record(struct unit_bench *bench, uint32_t index, enum request_state request,
                           enum install_state install) {
    struct credential_record *credential = &bench->record.credentials[index];
    credential->has_key = true;
    unit_bench_fill_key(credential->spki_sha256, index, 0);
    credential->request = request;
    credential->install = install;
    bench->record.is_new = false;
}

// The store keeps what it is given, for the next visit.
static void keep_record(struct unit_bench *bench, const struct record *record) {
    for (uint32_t i = 0; i < bench->record.credential_count; i++) {
        struct credential_record *credential = &bench->record.credentials[i];
        if (credential->credential_id != record->credential_id) {
            continue;
        }
        if (record->kind == RECORD_KEY) {
            credential->has_key = true;
            memcpy(credential->spki_sha256, record->spki_sha256, SHA256_SIZE);
        } else if (record->kind == RECORD_CSR) {
            credential->request = REQUEST_QUEUED;
        } else if (record->kind == RECORD_INSTALL) {
            credential->install = record->install;
        }
    }
}

enum unit_state unit_bench_step(struct unit_bench *bench, struct unit_event *event) {
    event->now_ms = ++bench->now_ms;
    unit_step(&bench->unit, event, &bench->output);
    ck_assert_uint_le(bench->output.record_count, UNIT_RECORDS_MAX);
    for (size_t i = 0; i < bench->output.record_count; i++) {
        ck_assert_int_eq(bench->output.records[i].time_ms, bench->now_ms);
        keep_record(bench, &bench->output.records[i]);
    }
    return bench->unit.state;
}

static void fill_csr(struct unit_bench *bench) {
    static const uint8_t der[] = {0x30, 0x03, 'C', 'S', 'R'};
    bench->csr = (struct unit_csr){.key_type = KEY_P256, .der = {der, sizeof der}};
    unit_bench_fill_key(bench->csr.spki_sha256, bench->unit.current, 0);
    text_copy(bench->csr.subject_serial, sizeof bench->csr.subject_serial, UNIT_BENCH_SERIAL);
}

static void fill_certificate(struct unit_bench *bench) {
    memset(bench->chain, (int)(0x40 + bench->unit.current), CHAIN_LENGTH);
    bench->certificate = (struct certificate_record){.chain = {bench->chain, CHAIN_LENGTH}};
    unit_bench_fill_key(bench->certificate.spki_sha256, bench->unit.current, 0);
}

void unit_bench_fill(struct unit_bench *bench, enum unit_event_kind kind,
                     struct unit_event *event) {
    *event = (struct unit_event){.kind = kind};
    switch (kind) {
    case UNIT_ON_IDENTIFIED:
        event->info = &bench->info;
        break;
    case UNIT_ON_ADMITTED:
        event->unit = &bench->record;
        break;
    case UNIT_ON_KEY:
        unit_bench_set_camera(bench, bench->unit.current, CREDENTIAL_KEY);
        unit_bench_fill_key(event->spki_sha256, bench->unit.current, 0);
        break;
    case UNIT_ON_CSR:
        fill_csr(bench);
        event->csr = &bench->csr;
        break;
    case UNIT_ON_ISSUED:
        bench->record.credentials[bench->about].request = REQUEST_ISSUED;
        event->credential_id = bench->record.credentials[bench->about].credential_id;
        event->request = REQUEST_ISSUED;
        break;
    case UNIT_ON_UNAVAILABLE:
        event->credential_id = bench->record.credentials[bench->about].credential_id;
        event->request = REQUEST_REFUSED;
        break;
    case UNIT_ON_CERTIFICATE:
        fill_certificate(bench);
        event->certificate = &bench->certificate;
        break;
    case UNIT_ON_INSTALLED:
        bench->info.credentials[bench->unit.current].state = CREDENTIAL_INSTALLED;
        break;
    case UNIT_ON_READ_BACK:
        event->bytes = (struct slice){bench->chain, CHAIN_LENGTH};
        break;
    case UNIT_ON_FINISHED:
        bench->info.lifecycle = bench->policy.lock ? LIFECYCLE_LOCKED : LIFECYCLE_PROVISIONED;
        event->lifecycle = bench->info.lifecycle;
        break;
    default:
        break;
    }
}

enum unit_state unit_bench_post(struct unit_bench *bench, enum unit_event_kind kind) {
    struct unit_event event;
    unit_bench_fill(bench, kind, &event);
    return unit_bench_step(bench, &event);
}

enum unit_state unit_bench_post_error(struct unit_bench *bench, enum unit_event_kind kind,
                                      enum error_code code) {
    struct unit_event event;
    unit_bench_fill(bench, kind, &event);
    error_set(&event.error, code, "as the test has it");
    return unit_bench_step(bench, &event);
}

enum unit_state unit_bench_refuse(struct unit_bench *bench, enum camera_error camera_error) {
    struct unit_event event = {.kind = UNIT_ON_REFUSED, .camera_error = camera_error};
    error_set(&event.error, E_CAM_REFUSED, "no\x1b[2J");
    return unit_bench_step(bench, &event);
}

enum unit_event_kind unit_bench_next(enum unit_state state) {
    static const enum unit_event_kind next[UNIT_STATE_COUNT] = {
        [UNIT_EMPTY] = UNIT_ON_IDENTIFIED,
        [UNIT_ADMITTING] = UNIT_ON_ADMITTED,
        [UNIT_GENERATING] = UNIT_ON_KEY,
        [UNIT_FETCHING_CSR] = UNIT_ON_CSR,
        [UNIT_WAITING] = UNIT_ON_ISSUED,
        [UNIT_LOADING] = UNIT_ON_CERTIFICATE,
        [UNIT_CONFIRMING] = UNIT_ON_IDENTIFIED,
        [UNIT_INSTALLING] = UNIT_ON_INSTALLED,
        [UNIT_READING_BACK] = UNIT_ON_READ_BACK,
        [UNIT_PROVING] = UNIT_ON_PROOF,
        [UNIT_LOCKING] = UNIT_ON_FINISHED,
        [UNIT_RECORDING] = UNIT_ON_STORED,
        [UNIT_DONE] = UNIT_ON_GONE,
    };
    return next[state];
}

void unit_bench_drive(struct unit_bench *bench, enum unit_state state) {
    for (int steps = 0; bench->unit.state != state; steps++) {
        ck_assert_msg(steps < 64, "stays in %s", unit_state_name(bench->unit.state));
        for (uint32_t i = 0; i < bench->unit.record.credential_count; i++) {
            if (bench->unit.record.credentials[i].request != REQUEST_ISSUED) {
                bench->about = i;
                break;
            }
        }
        unit_bench_post(bench, unit_bench_next(bench->unit.state));
    }
}

const struct record *unit_bench_find_record(const struct unit_bench *bench, enum record_kind kind) {
    for (size_t i = 0; i < bench->output.record_count; i++) {
        if (bench->output.records[i].kind == kind) {
            return &bench->output.records[i];
        }
    }
    return NULL;
}

void unit_bench_expect_failed(struct unit_bench *bench, enum error_code code) {
    ck_assert_int_eq(bench->unit.state, UNIT_RECORDING);
    ck_assert_int_eq(bench->unit.verdict, UNIT_FAIL);
    ck_assert_int_eq(bench->unit.error.code, code);
    ck_assert_int_eq(bench->output.action, UNIT_ACT_NONE);
    ck_assert(!bench->output.hold);
    ck_assert_uint_eq(bench->output.record_count, 1);
    ck_assert_int_eq(bench->output.records[0].kind, RECORD_RESULT);
    ck_assert_int_eq(bench->output.records[0].result, UNIT_FAILED);
    ck_assert_int_eq(bench->output.records[0].error, code);
    ck_assert_int_eq(unit_bench_post(bench, UNIT_ON_STORED), UNIT_DONE);
    ck_assert_int_eq(bench->unit.verdict, UNIT_FAIL);
}

void unit_bench_drive_one(struct unit_bench *bench, enum unit_state state) {
    unit_bench_init(bench, 1);
    unit_bench_drive(bench, state);
}
