// SPDX-License-Identifier: Apache-2.0
#include "tests/support_pool.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_unit.h"

#define WALL_MS INT64_C(1767225600000)

static uint8_t chain[900];

static void edge_act(void *context, size_t slot, const struct unit *unit, enum unit_action action) {
    struct pool_bench *bench = context;
    (void)unit;
    ck_assert_int_ne(action, UNIT_ACT_NONE);
    ck_assert_uint_lt(bench->act_count, POOL_BENCH_LOG);
    bench->acts[bench->act_count++] = (struct pool_bench_act){slot, action};
}

static void edge_report(void *context, size_t slot, const struct unit *unit) {
    struct pool_bench *bench = context;
    (void)slot;
    ck_assert_uint_lt(bench->report_count, POOL_BENCH_LOG);
    bench->verdicts[bench->report_count++] = unit->verdict;
}

static void edge_ask_ca(void *context, enum request_action action,
                        const struct request_record *request) {
    struct pool_bench *bench = context;
    ck_assert_uint_lt(bench->ask_count, POOL_BENCH_LOG);
    bench->asks[bench->ask_count++] =
        (struct pool_bench_ask){action, request->credential_id, request->not_before_s};
}

int64_t pool_bench_credential(size_t camera) {
    return 100 + (int64_t)camera;
}

static void init_record(struct pool_bench *bench, size_t camera) {
    struct unit_record *record = &bench->records[camera];
    record->unit_id = 1 + (int64_t)camera;
    snprintf(record->serial, sizeof record->serial, "CAM-%zu", camera);
    record->credential_count = 1;
    record->credentials[0].credential_id = pool_bench_credential(camera);
    record->credentials[0].number = 1;
    record->credentials[0].key_type = KEY_P256;
    text_copy(record->credentials[0].profile, NAME_SIZE, "https");
}

void pool_bench_init(struct pool_bench *bench) {
    pool_bench_init_cas(bench, 1);
}

void pool_bench_init_cas(struct pool_bench *bench, uint32_t cas) {
    static const char *const names[POOL_BENCH_SLOTS] = {"A", "B", "C", "D"};
    static const struct pool_edge edge = {edge_act, edge_report, edge_ask_ca};
    memset(bench, 0, sizeof *bench);
    bench->now = (struct pool_time){WALL_MS, 1000};
    bench->unit_policy = (struct unit_policy){
        .lock = true,
        .retries = 1,
        .wanted_count = cas,
        .wanted = {{.number = 1, .key_type = KEY_P256, .profile = "https"},
                   {.number = 2, .key_type = KEY_P256, .profile = "idevid"}},
    };
    bench->ca_policy = (struct ca_policy){
        .not_before_window_s = 100,
        .settle_ms = 5000,
        .in_flight = 3,
        .backoff_ms = 200,
        .backoff_max_ms = 5000,
        .rescan_ms = 700,
        .empty_scans = 3,
        .breaker_failures = 5,
    };
    bench->settings = (struct pool_settings){
        .slot_count = POOL_BENCH_SLOTS,
        .slot_names = names,
        .unit_policy = &bench->unit_policy,
        .ca_policies = {&bench->ca_policy, &bench->ca_policy},
        .ca_names = {"toy", "other"},
        .seed = 5,
    };
    for (size_t i = 0; i < POOL_BENCH_CAMERAS; i++) {
        init_record(bench, i);
    }
    bench->pool = pool_new(&bench->settings, &edge, bench);
    ck_assert_ptr_nonnull(bench->pool);
}

void pool_bench_free(struct pool_bench *bench) {
    pool_free(bench->pool);
}

// ---- cameras ------------------------------------------------------------------------------------

static size_t camera_of(const char *serial) {
    return strlen(serial) > 4 ? strtoul(serial + 4, NULL, 10) : 0; // behind "CAM-"
}

static size_t camera_in(const struct pool_bench *bench, size_t slot) {
    return camera_of(pool_unit(bench->pool, slot)->info.serial);
}

static void fill_info(struct pool_bench *bench, size_t camera, bool has_key) {
    struct message_info *info = &bench->info;
    memset(info, 0, sizeof *info);
    snprintf(info->serial, sizeof info->serial, "CAM-%zu", camera);
    info->key_type_count = 1;
    info->key_types[0] = KEY_P256;
    info->credential_count = 1;
    info->credentials[0].number = 1;
    info->credentials[0].has_key = has_key;
    info->credentials[0].state = has_key ? CREDENTIAL_KEY : CREDENTIAL_EMPTY;
    unit_bench_fill_key(info->credentials[0].spki_sha256, (uint32_t)camera, 0);
}

void pool_bench_identify(struct pool_bench *bench, size_t slot, size_t camera) {
    struct unit_event event = {.kind = UNIT_ON_IDENTIFIED, .info = &bench->info};
    fill_info(bench, camera, bench->records[camera].credentials[0].request != REQUEST_NONE);
    pool_post_unit(bench->pool, slot, &bench->now, &event);
}

static void fill_csr(struct pool_bench *bench, size_t camera, struct unit_csr *csr) {
    static const uint8_t der[] = {0x30, 0x00};
    *csr = (struct unit_csr){.key_type = KEY_P256, .der = {der, sizeof der}};
    unit_bench_fill_key(csr->spki_sha256, (uint32_t)camera, 0);
    text_copy(csr->subject_serial, sizeof csr->subject_serial, bench->records[camera].serial);
}

void pool_bench_post_error(struct pool_bench *bench, size_t slot, enum unit_event_kind kind,
                           enum error_code code) {
    struct unit_csr csr;
    struct unit_event event = {.kind = kind};
    size_t camera = camera_in(bench, slot);
    if (code != ERROR_NONE) {
        error_set(&event.error, code, "of the test");
    }
    if (kind == UNIT_ON_IDENTIFIED) {
        fill_info(bench, camera, true);
        event.info = &bench->info;
    } else if (kind == UNIT_ON_KEY) {
        unit_bench_fill_key(event.spki_sha256, (uint32_t)camera, 0);
    } else if (kind == UNIT_ON_CSR) {
        fill_csr(bench, camera, &csr);
        event.csr = &csr;
    } else if (kind == UNIT_ON_READ_BACK) {
        event.bytes = (struct slice){chain, sizeof chain};
    } else if (kind == UNIT_ON_FINISHED) {
        event.lifecycle = LIFECYCLE_LOCKED;
    }
    pool_post_unit(bench->pool, slot, &bench->now, &event);
}

void pool_bench_post(struct pool_bench *bench, size_t slot, enum unit_event_kind kind) {
    pool_bench_post_error(bench, slot, kind, ERROR_NONE);
}

// ---- the store ----------------------------------------------------------------------------------

static void note_record(struct pool_bench *bench, const struct record *record) {
    size_t camera = (size_t)(record->credential_id - pool_bench_credential(0));
    if (record->credential_id == 0 || camera >= POOL_BENCH_CAMERAS) {
        return;
    }
    struct credential_record *credential = &bench->records[camera].credentials[0];
    if (record->kind == RECORD_KEY) {
        credential->has_key = true;
        memcpy(credential->spki_sha256, record->spki_sha256, SHA256_SIZE);
    } else if (record->kind == RECORD_CSR) {
        credential->request = REQUEST_QUEUED;
    } else if (record->kind == RECORD_SENT) {
        credential->request = REQUEST_SENT;
    } else if (record->kind == RECORD_REQUEST) {
        credential->request = record->request;
    } else if (record->kind == RECORD_CERTIFICATE) {
        credential->request = record->error == ERROR_NONE ? REQUEST_ISSUED : REQUEST_QUARANTINED;
    }
}

static void answer_record(struct pool_bench *bench, const struct record *record,
                          struct answer *answer) {
    memset(answer, 0, sizeof *answer);
    if (record->kind == bench->refused_kind && record->install == bench->refused_install) {
        answer->code = bench->refused_code;
        return;
    }
    note_record(bench, record);
    size_t camera = (size_t)(record->credential_id - pool_bench_credential(0));
    if (record->kind == RECORD_ADMIT) {
        answer->unit = bench->records[camera_of(record->admission.serial)];
    } else if (record->kind == RECORD_LOAD_CERTIFICATE) {
        unit_bench_fill_key(answer->certificate.spki_sha256, (uint32_t)camera, 0);
        answer->certificate.chain = (struct slice){chain, sizeof chain};
    } else if (record->kind == RECORD_SENT || record->kind == RECORD_LOAD_REQUEST) {
        answer->request.unit_id = record->unit_id;
        answer->request.credential_id = record->credential_id;
        answer->request.not_before_s = record->not_before_s;
        answer->request.offer = (struct slice){chain, record->kind == RECORD_SENT ? 0 : 1};
    }
}

bool pool_bench_take(struct pool_bench *bench) {
    ck_assert_ptr_null(bench->batch);
    bench->batch = pool_take_batch(bench->pool);
    return bench->batch != NULL;
}

void pool_bench_commit(struct pool_bench *bench) {
    ck_assert_ptr_nonnull(bench->batch);
    for (size_t i = 0; i < bench->batch->count; i++) {
        answer_record(bench, &bench->batch->records[i], &bench->batch->answers[i]);
    }
    bench->batch = NULL;
    pool_committed(bench->pool, &bench->now);
}

void pool_bench_settle(struct pool_bench *bench) {
    for (int i = 0; pool_bench_take(bench); i++) {
        ck_assert_int_lt(i, 100);
        pool_bench_commit(bench);
    }
    ck_assert(pool_is_settled(bench->pool));
}

void pool_bench_turn(struct pool_bench *bench, int64_t later_ms) {
    bench->now.wall_ms += later_ms;
    bench->now.monotonic_ms += later_ms;
    pool_turn(bench->pool, &bench->now);
    pool_bench_settle(bench);
}

void pool_bench_answer_ca(struct pool_bench *bench, int64_t credential_id,
                          enum request_outcome outcome, enum error_code code) {
    struct request_result result = {.outcome = outcome, .handle = "0a"};
    if (code != ERROR_NONE) {
        error_set(&result.error, code, "of the CA");
    }
    pool_post_result(bench->pool, &bench->now, credential_id, &result);
}

void pool_bench_drive(struct pool_bench *bench, size_t slot, size_t camera, enum unit_state state) {
    for (int i = 0; pool_bench_state(bench, slot) != state; i++) {
        enum unit_state now = pool_bench_state(bench, slot);
        ck_assert_int_lt(i, 64);
        if (now == UNIT_EMPTY) {
            pool_bench_identify(bench, slot, camera);
        } else if (now == UNIT_WAITING) {
            pool_bench_turn(bench, 0);
            pool_bench_answer_ca(bench, pool_bench_credential(camera), OUTCOME_CERTIFICATE,
                                 ERROR_NONE);
        } else if (now != UNIT_ADMITTING && now != UNIT_LOADING && now != UNIT_RECORDING) {
            pool_bench_post(bench, slot, unit_bench_next(now));
        }
        if (pool_bench_state(bench, slot) != state && pool_bench_take(bench)) {
            pool_bench_commit(bench);
        }
    }
}

// ---- what was asked for -------------------------------------------------------------------------

size_t pool_bench_count(const struct pool_bench *bench, size_t slot, enum unit_action action) {
    size_t count = 0;
    for (size_t i = 0; i < bench->act_count; i++) {
        count += bench->acts[i].slot == slot && bench->acts[i].action == action ? 1 : 0;
    }
    return count;
}

size_t pool_bench_count_asks(const struct pool_bench *bench, enum request_action action) {
    size_t count = 0;
    for (size_t i = 0; i < bench->ask_count; i++) {
        count += bench->asks[i].action == action ? 1 : 0;
    }
    return count;
}

enum unit_state pool_bench_state(const struct pool_bench *bench, size_t slot) {
    return pool_unit(bench->pool, slot)->state;
}
