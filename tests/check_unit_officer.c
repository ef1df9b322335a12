// SPDX-License-Identifier: Apache-2.0
// The unit's flow after what the PKI officer did: revoked, scrapped, its board swapped.
#include <check.h>
#include <string.h>

#include "tests/support_unit.h"

// A camera that passed, locked, with two credentials.
static void pass_before(struct unit_bench *bench) {
    unit_bench_init(bench, 2);
    bench->record.result = UNIT_PASSED;
    bench->info.lifecycle = LIFECYCLE_LOCKED;
    for (uint32_t i = 0; i < 2; i++) {
        unit_bench_set_camera(bench, i, CREDENTIAL_INSTALLED);
        unit_bench_set_record(bench, i, REQUEST_ISSUED, INSTALL_PROVED);
    }
}

// It fails at once, asks for nothing and changes no result.
static void expect_turned_away(struct unit_bench *bench, enum error_code code,
                               enum unit_result result) {
    unit_bench_drive(bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(bench, UNIT_ON_ADMITTED), UNIT_RECORDING);
    ck_assert_int_eq(bench->unit.verdict, UNIT_FAIL);
    ck_assert_int_eq(bench->unit.error.code, code);
    ck_assert_int_eq(bench->output.action, UNIT_ACT_NONE);
    ck_assert_uint_eq(bench->output.record_count, 1);
    ck_assert_int_eq(bench->output.records[0].kind, RECORD_EVENT);
    ck_assert_int_eq(bench->output.records[0].result, result);
    ck_assert_int_eq(bench->output.records[0].error, code);
    ck_assert_int_eq(unit_bench_post(bench, UNIT_ON_STORED), UNIT_DONE);
    ck_assert_int_eq(bench->unit.record.result, result);
}

START_TEST(test_scrapped) {
    struct unit_bench bench;
    pass_before(&bench);
    bench.record.result = UNIT_SCRAPPED;
    for (uint32_t i = 0; i < 2; i++) {
        bench.record.credentials[i].request = REQUEST_WITHDRAWN;
    }
    expect_turned_away(&bench, E_UNIT_SCRAPPED, UNIT_SCRAPPED);
    // As it is where nothing was ever made for it, or it was wiped.
    unit_bench_init(&bench, 1);
    bench.record.result = UNIT_SCRAPPED;
    expect_turned_away(&bench, E_UNIT_SCRAPPED, UNIT_SCRAPPED);
}
END_TEST

START_TEST(test_scrapped_with_the_wrong_label) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.record.result = UNIT_SCRAPPED;
    text_copy(bench.unit.label, sizeof bench.unit.label, "CAM-OTHER");
    expect_turned_away(&bench, E_CAM_LABEL, UNIT_SCRAPPED);
}
END_TEST

// One certificate of two is enough.
START_TEST(test_revoked) {
    struct unit_bench bench;
    pass_before(&bench);
    bench.record.credentials[1].request = REQUEST_WITHDRAWN;
    expect_turned_away(&bench, E_UNIT_REVOKED, UNIT_PASSED);
    // Wiped since: that its certificate is revoked does not make it a new camera.
    unit_bench_init(&bench, 1);
    unit_bench_set_record(&bench, 0, REQUEST_WITHDRAWN, INSTALL_NONE);
    unit_bench_drive(&bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_RECORDING);
    unit_bench_expect_failed(&bench, E_UNIT_REVOKED);
}
END_TEST

// What was taken in before, of another credential, is not begun while one is out of use.
START_TEST(test_revoked_beside_a_new_one) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    unit_bench_set_camera(&bench, 1, CREDENTIAL_INSTALLED);
    unit_bench_set_record(&bench, 1, REQUEST_WITHDRAWN, INSTALL_PROVED);
    unit_bench_drive(&bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_RECORDING);
    unit_bench_expect_failed(&bench, E_UNIT_REVOKED);
}
END_TEST

// The store tells which credentials hold a key of a board that was swapped; it must know which key
// the camera reports for each.
START_TEST(test_admission_tells_the_keys) {
    struct unit_bench bench;
    uint8_t key[SHA256_SIZE];
    unit_bench_init(&bench, 2);
    unit_bench_set_camera(&bench, 1, CREDENTIAL_KEY);
    unit_bench_drive(&bench, UNIT_ADMITTING);
    const struct record *admit = unit_bench_find_record(&bench, RECORD_ADMIT);
    ck_assert_ptr_nonnull(admit);
    ck_assert(!admit->admission.wanted[0].has_key);
    ck_assert(admit->admission.wanted[1].has_key);
    unit_bench_fill_key(key, 1, 0);
    ck_assert_mem_eq(admit->admission.wanted[1].spki_sha256, key, SHA256_SIZE);
}
END_TEST

// After a rework nothing is on record for the new board; the old one is known again all the same,
// whatever the profile says of foreign keys.
START_TEST(test_old_board_comes_back) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.policy.wanted[0].replace_foreign_key = true;
    unit_bench_set_camera(&bench, 0, _i == 0 ? CREDENTIAL_KEY : CREDENTIAL_INSTALLED);
    bench.record.credentials[0].has_old_key = true;
    unit_bench_drive(&bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_RECORDING);
    ck_assert_ptr_nonnull(strstr(bench.unit.error.text, "board that was swapped"));
    unit_bench_expect_failed(&bench, E_UNIT_KEY_CHANGED);
}
END_TEST

START_TEST(test_new_board_passes) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.record.board = 2;
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unit officer");
    TCase *tests = tcase_create("officer");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_scrapped);
    tcase_add_test(tests, test_scrapped_with_the_wrong_label);
    tcase_add_test(tests, test_revoked);
    tcase_add_test(tests, test_revoked_beside_a_new_one);
    tcase_add_test(tests, test_admission_tells_the_keys);
    tcase_add_loop_test(tests, test_old_board_comes_back, 0, 2);
    tcase_add_test(tests, test_new_board_passes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
