// SPDX-License-Identifier: Apache-2.0
// The unit's flow at its end: reading back, proof of possession, and a camera that was here before.
#include <check.h>
#include <string.h>

#include "tests/support_unit.h"

// ---- reading back and proving -------------------------------------------------------------------

static void read_back(struct unit_bench *bench, size_t length, uint8_t changed) {
    struct unit_event event;
    unit_bench_fill(bench, UNIT_ON_READ_BACK, &event);
    static uint8_t bytes[OBJECT_MAX];
    memcpy(bytes, event.bytes.data, event.bytes.length);
    bytes[event.bytes.length - 1] ^= changed;
    event.bytes = (struct slice){bytes, length};
    unit_bench_step(bench, &event);
}

// After an install, it is installed again as often as the policy says; then the unit fails.
START_TEST(test_read_back_of_an_install) {
    static const struct {
        size_t length;
        uint8_t changed;
    } cases[] = {{900, 1}, {899, 0}, {901, 0}, {0, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_drive_one(&bench, UNIT_READING_BACK);
        for (unsigned tries = 0; tries < bench.policy.retries; tries++) {
            read_back(&bench, cases[i].length, cases[i].changed);
            ck_assert_int_eq(bench.unit.state, UNIT_INSTALLING);
            ck_assert_int_eq(bench.output.action, UNIT_ACT_INSTALL);
            ck_assert(bench.output.hold);
            ck_assert_int_eq(bench.output.records[0].install, INSTALL_STARTED);
            unit_bench_post(&bench, UNIT_ON_INSTALLED);
        }
        read_back(&bench, cases[i].length, cases[i].changed);
        unit_bench_expect_failed(&bench, E_CAM_READBACK);
    }
}
END_TEST

// What an earlier visit left there is no failure of the camera: it is written over.
START_TEST(test_read_back_of_what_was_there) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.policy.retries = 0;
    unit_bench_set_camera(&bench, 0, CREDENTIAL_INSTALLED);
    unit_bench_set_record(&bench, 0, REQUEST_ISSUED, INSTALL_STARTED);
    unit_bench_drive(&bench, UNIT_READING_BACK);
    read_back(&bench, 300, 0);
    ck_assert_int_eq(bench.unit.state, UNIT_INSTALLING);
    ck_assert(bench.output.hold);
    unit_bench_drive(&bench, UNIT_READING_BACK);
    read_back(&bench, 300, 0);
    unit_bench_expect_failed(&bench, E_CAM_READBACK);
}
END_TEST

// In a locked camera nothing can be written over.
START_TEST(test_read_back_of_a_locked_camera) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.info.lifecycle = LIFECYCLE_LOCKED;
    unit_bench_set_camera(&bench, 0, CREDENTIAL_INSTALLED);
    unit_bench_set_record(&bench, 0, REQUEST_ISSUED, INSTALL_DONE);
    unit_bench_drive(&bench, UNIT_READING_BACK);
    read_back(&bench, 300, 0);
    unit_bench_expect_failed(&bench, E_CAM_LOCKED);
}
END_TEST

START_TEST(test_bad_proof) {
    struct unit_bench bench;
    unit_bench_drive_one(&bench, UNIT_PROVING);
    unit_bench_post_error(&bench, UNIT_ON_PROOF, E_CAM_PROOF);
    unit_bench_expect_failed(&bench, E_CAM_PROOF);
    ck_assert_uint_eq(bench.unit.proved, 0);
    // The next visit knows nothing of the failure.
    unit_bench_post(&bench, UNIT_ON_GONE);
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    ck_assert_int_eq(bench.unit.error.code, ERROR_NONE);
}
END_TEST

// A second visit proves everything again, whatever the record says of the first.
START_TEST(test_proofs_are_of_one_visit) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    for (uint32_t i = 0; i < 2; i++) {
        unit_bench_set_camera(&bench, i, CREDENTIAL_INSTALLED);
        unit_bench_set_record(&bench, i, REQUEST_ISSUED, INSTALL_PROVED);
    }
    unit_bench_drive(&bench, UNIT_LOCKING);
    unit_bench_post_error(&bench, UNIT_ON_GONE, E_PORT_HANGUP);
    unit_bench_post(&bench, UNIT_ON_IDENTIFIED);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_LOADING);
    unit_bench_drive(&bench, UNIT_PROVING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_PROOF), UNIT_LOADING);
    ck_assert_uint_eq(bench.unit.current, 1);
}
END_TEST

// ---- already provisioned ------------------------------------------------------------------------

static void pass_before(struct unit_bench *bench, uint32_t credentials) {
    unit_bench_init(bench, credentials);
    bench->record.result = UNIT_PASSED;
    bench->info.lifecycle = LIFECYCLE_LOCKED;
    for (uint32_t i = 0; i < credentials; i++) {
        unit_bench_set_camera(bench, i, CREDENTIAL_INSTALLED);
        unit_bench_set_record(bench, i, REQUEST_ISSUED, INSTALL_PROVED);
    }
}

// It is read back and proved again; no key, no CSR, no install; the record stays as it is.
START_TEST(test_already_provisioned_spends_nothing) {
    struct unit_bench bench;
    pass_before(&bench, 2);
    bench.info.key_type_count = 0; // asked for no more
    for (int i = 0; bench.unit.state != UNIT_DONE; i++) {
        ck_assert_int_lt(i, 32);
        unit_bench_post(&bench, unit_bench_next(bench.unit.state));
        ck_assert_ptr_null(unit_bench_find_record(&bench, RECORD_KEY));
        ck_assert_ptr_null(unit_bench_find_record(&bench, RECORD_CSR));
        ck_assert_ptr_null(unit_bench_find_record(&bench, RECORD_REQUEST));
        ck_assert_ptr_null(unit_bench_find_record(&bench, RECORD_INSTALL));
        ck_assert_ptr_null(unit_bench_find_record(&bench, RECORD_RESULT));
        ck_assert_int_ne(bench.output.action, UNIT_ACT_GENERATE);
        ck_assert_int_ne(bench.output.action, UNIT_ACT_INSTALL);
    }
    ck_assert_int_eq(bench.unit.verdict, UNIT_ALREADY);
    ck_assert_uint_eq(bench.unit.proved, 3);
}
END_TEST

// That it does not look so any more is history; it stays passed on record.
START_TEST(test_a_passed_unit_that_fails_now) {
    struct unit_bench bench;
    pass_before(&bench, 1);
    unit_bench_drive(&bench, UNIT_PROVING);
    ck_assert_int_eq(unit_bench_post_error(&bench, UNIT_ON_PROOF, E_CAM_PROOF), UNIT_RECORDING);
    ck_assert_int_eq(bench.output.records[0].kind, RECORD_EVENT);
    ck_assert_int_eq(bench.output.records[0].result, UNIT_PASSED);
    ck_assert_int_eq(bench.output.records[0].error, E_CAM_PROOF);
    unit_bench_post(&bench, UNIT_ON_STORED);
    ck_assert_int_eq(bench.unit.verdict, UNIT_FAIL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unit proof");
    TCase *proof = tcase_create("reading back and proving");
    tcase_set_timeout(proof, 120); // a busy machine is no failure
    tcase_add_test(proof, test_read_back_of_an_install);
    tcase_add_test(proof, test_read_back_of_what_was_there);
    tcase_add_test(proof, test_read_back_of_a_locked_camera);
    tcase_add_test(proof, test_bad_proof);
    tcase_add_test(proof, test_proofs_are_of_one_visit);
    suite_add_tcase(suite, proof);
    TCase *already = tcase_create("already provisioned");
    tcase_set_timeout(already, 120);
    tcase_add_test(already, test_already_provisioned_spends_nothing);
    tcase_add_test(already, test_a_passed_unit_that_fails_now);
    suite_add_tcase(suite, already);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
