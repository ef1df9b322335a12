// SPDX-License-Identifier: Apache-2.0
// The pool's units: journal before act, visits, twins, stopping.
#include <check.h>
#include <string.h>

#include "tests/support_pool.h"
#include "tests/support_unit.h"

// ---- journal, then act --------------------------------------------------------------------------

// The unit is in `state` and its action is held: nothing happens before the commit.
static void expect_held(struct pool_bench *bench, enum unit_event_kind event, enum unit_state state,
                        enum unit_action action) {
    pool_bench_settle(bench);
    pool_bench_post(bench, 0, event);
    ck_assert_int_eq(pool_bench_state(bench, 0), state);
    ck_assert_uint_eq(pool_bench_count(bench, 0, action), 0);
    pool_turn(bench->pool, &bench->now);
    ck_assert(pool_bench_take(bench));
    ck_assert_uint_eq(pool_bench_count(bench, 0, action), 0);
    pool_bench_commit(bench);
    ck_assert_uint_eq(pool_bench_count(bench, 0, action), 1);
}

START_TEST(test_held_actions_wait) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_CONFIRMING);
    expect_held(&bench, UNIT_ON_IDENTIFIED, UNIT_INSTALLING, UNIT_ACT_INSTALL);
    pool_bench_drive(&bench, 0, 0, UNIT_PROVING);
    expect_held(&bench, UNIT_ON_PROOF, UNIT_LOCKING, UNIT_ACT_FINISH);
    // So does the word PASS.
    pool_bench_post(&bench, 0, UNIT_ON_FINISHED);
    ck_assert_uint_eq(bench.report_count, 0);
    ck_assert(pool_bench_take(&bench));
    ck_assert_uint_eq(bench.report_count, 0);
    pool_bench_commit(&bench);
    ck_assert_uint_eq(bench.report_count, 1);
    ck_assert_int_eq(bench.verdicts[0], UNIT_PASS);
    pool_bench_free(&bench);
}
END_TEST

// While one batch is with the store the next one fills.
START_TEST(test_group_commit) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    ck_assert(!pool_bench_take(&bench));
    pool_bench_identify(&bench, 0, 0);
    ck_assert(!pool_is_settled(bench.pool));
    ck_assert(pool_bench_take(&bench));
    struct batch *first = bench.batch;
    pool_bench_identify(&bench, 1, 1);
    pool_bench_identify(&bench, 2, 2);
    ck_assert_ptr_null(pool_take_batch(bench.pool));
    ck_assert_uint_eq(first->count, 1);
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_GENERATING);
    ck_assert_int_eq(pool_bench_state(&bench, 1), UNIT_ADMITTING);
    ck_assert(pool_bench_take(&bench));
    ck_assert_uint_eq(bench.batch->count, 2);
    ck_assert_str_eq(bench.batch->records[0].slot, "B");
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 2), UNIT_GENERATING);
    pool_bench_free(&bench);
}
END_TEST

// The camera left before the record was durable, and another one came: it is not for that one.
START_TEST(test_held_for_a_camera_that_left) {
    for (int comes = 0; comes < 2; comes++) {
        static struct pool_bench bench;
        pool_bench_init(&bench);
        pool_bench_drive(&bench, 0, 0, UNIT_CONFIRMING);
        pool_bench_settle(&bench);
        pool_bench_post(&bench, 0, UNIT_ON_IDENTIFIED);
        ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_INSTALLING);
        ck_assert(pool_bench_take(&bench));
        pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
        if (comes) {
            pool_bench_identify(&bench, 0, 1);
        }
        pool_bench_commit(&bench);
        pool_bench_settle(&bench);
        ck_assert_uint_eq(pool_bench_count(&bench, 0, UNIT_ACT_INSTALL), 0);
        pool_bench_free(&bench);
    }
}
END_TEST

// The answer to the first camera's admission is not the second one's.
START_TEST(test_admission_of_a_camera_that_left) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_identify(&bench, 0, 0);
    ck_assert(pool_bench_take(&bench));
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_identify(&bench, 0, 1);
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_ADMITTING);
    ck_assert(pool_bench_take(&bench));
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_GENERATING);
    ck_assert_str_eq(pool_unit(bench.pool, 0)->record.serial, "CAM-1");
    pool_bench_free(&bench);
}
END_TEST

// The same for a result: a second camera of the same serial must not be shown the first one's word.
START_TEST(test_refusal_for_a_camera_that_left) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_GENERATING);
    pool_bench_settle(&bench);
    bench.refused_kind = RECORD_KEY;
    bench.refused_code = E_CSR_KEY_REUSED;
    pool_bench_post(&bench, 0, UNIT_ON_KEY);
    ck_assert(pool_bench_take(&bench));
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_identify(&bench, 0, 1);
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_ADMITTING);
    ck_assert_uint_eq(bench.report_count, 0);
    pool_bench_free(&bench);
}
END_TEST

// ---- what the store refuses ---------------------------------------------------------------------

static void expect_dropped(enum unit_state before, enum unit_event_kind event,
                           enum record_kind kind, enum install_state install,
                           enum unit_action action) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, before);
    pool_bench_settle(&bench);
    bench.refused_kind = kind;
    bench.refused_install = install;
    bench.refused_code = E_STORE_CONFLICT;
    pool_bench_post(&bench, 0, event);
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_bench_count(&bench, 0, action), 0);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_DONE);
    ck_assert_uint_eq(bench.report_count, 1);
    ck_assert_int_eq(bench.verdicts[0], UNIT_FAIL);
    ck_assert_int_eq(pool_unit(bench.pool, 0)->error.code, E_STORE_CONFLICT);
    pool_bench_free(&bench);
}

START_TEST(test_conflict_drops_the_held_action) {
    expect_dropped(UNIT_CONFIRMING, UNIT_ON_IDENTIFIED, RECORD_INSTALL, INSTALL_STARTED,
                   UNIT_ACT_INSTALL);
    expect_dropped(UNIT_PROVING, UNIT_ON_PROOF, RECORD_LOCKING, INSTALL_NONE, UNIT_ACT_FINISH);
}
END_TEST

// The refused record is not the one that the action is held for: the unit has failed all the same.
START_TEST(test_conflict_beside_the_held_action) {
    expect_dropped(UNIT_PROVING, UNIT_ON_PROOF, RECORD_INSTALL, INSTALL_PROVED, UNIT_ACT_FINISH);
}
END_TEST

// Two records of one unit are refused: it is shown once, when its failure is on record.
START_TEST(test_two_conflicts) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_GENERATING);
    pool_bench_settle(&bench);
    bench.refused_kind = RECORD_KEY;
    bench.refused_code = E_CSR_KEY_REUSED;
    pool_bench_post(&bench, 0, UNIT_ON_KEY);
    pool_bench_post(&bench, 0, UNIT_ON_CSR);
    ck_assert(pool_bench_take(&bench));
    ck_assert_uint_eq(bench.batch->count, 2);
    bench.batch->records[1].kind = RECORD_KEY; // what the store refuses too
    pool_bench_commit(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_RECORDING);
    ck_assert_uint_eq(bench.report_count, 0);
    bench.refused_kind = 0;
    pool_bench_settle(&bench);
    ck_assert_uint_eq(bench.report_count, 1);
    ck_assert_int_eq(pool_unit(bench.pool, 0)->error.code, E_CSR_KEY_REUSED);
    pool_bench_free(&bench);
}
END_TEST

// A result that is refused is shown as a failure, with the store's reason.
START_TEST(test_refused_result) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_LOCKING);
    pool_bench_settle(&bench);
    bench.refused_kind = RECORD_RESULT;
    bench.refused_code = E_STORE_CONFLICT;
    pool_bench_post(&bench, 0, UNIT_ON_FINISHED);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_DONE);
    ck_assert_uint_eq(bench.report_count, 1);
    ck_assert_int_eq(bench.verdicts[0], UNIT_FAIL);
    pool_bench_free(&bench);
}
END_TEST

// More than the journal holds: a fault of the station, not a crash.
START_TEST(test_overflow) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_identify(&bench, 0, 0);
    ck_assert(pool_bench_take(&bench)); // the store is slow
    for (int i = 0; i < BATCH_MAX && !pool_overflowed(bench.pool); i++) {
        pool_bench_identify(&bench, 1, 1);
        pool_bench_post_error(&bench, 1, UNIT_ON_GONE, E_PORT_HANGUP);
        bench.act_count = 0;
    }
    ck_assert(!pool_overflowed(bench.pool));
    pool_bench_identify(&bench, 1, 1);
    ck_assert(pool_overflowed(bench.pool));
    pool_bench_free(&bench);
}
END_TEST

// ---- twins --------------------------------------------------------------------------------------

// The second of two waits a while, and is refused before anything is asked of it.
START_TEST(test_twins) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_identify(&bench, 0, 0);
    for (size_t i = 1; i <= 3; i++) {
        pool_bench_identify(&bench, 1, 0);
        ck_assert_int_eq(pool_bench_state(&bench, 1), UNIT_EMPTY);
        ck_assert_uint_eq(pool_bench_count(&bench, 1, UNIT_ACT_PROBE_LATER), i);
    }
    pool_bench_identify(&bench, 1, 0);
    ck_assert_int_eq(pool_bench_state(&bench, 1), UNIT_DONE);
    ck_assert_int_eq(pool_unit(bench.pool, 1)->error.code, E_CAM_TWICE);
    ck_assert_uint_eq(bench.report_count, 1);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_GENERATING);
    pool_bench_turn(&bench, 1000);
    ck_assert_int_eq(pool_bench_state(&bench, 1), UNIT_DONE);
    // The first leaves: the second is looked at again.
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    size_t probes = pool_bench_count(&bench, 1, UNIT_ACT_PROBE);
    pool_bench_turn(&bench, 1000);
    ck_assert_int_eq(pool_bench_state(&bench, 1), UNIT_EMPTY);
    ck_assert_uint_eq(pool_bench_count(&bench, 1, UNIT_ACT_PROBE), probes + 1);
    pool_bench_drive(&bench, 1, 0, UNIT_DONE);
    ck_assert_int_eq(bench.verdicts[bench.report_count - 1], UNIT_PASS);
    pool_bench_free(&bench);
}
END_TEST

// It was moved faster than its old slot noticed.
START_TEST(test_a_twin_that_is_none) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_WAITING);
    pool_bench_settle(&bench);
    pool_bench_identify(&bench, 1, 0);
    ck_assert_uint_eq(pool_bench_count(&bench, 1, UNIT_ACT_PROBE_LATER), 1);
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_drive(&bench, 1, 0, UNIT_DONE);
    ck_assert_int_eq(bench.verdicts[0], UNIT_PASS);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 1);
    // In a slot where it is done it is no twin either.
    pool_bench_identify(&bench, 0, 0);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_ADMITTING);
    pool_bench_free(&bench);
}
END_TEST

// ---- stopping, and what is told -----------------------------------------------------------------

START_TEST(test_stop) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_LOCKING);
    pool_bench_settle(&bench);
    pool_bench_drive(&bench, 1, 1, UNIT_CONFIRMING);
    pool_bench_settle(&bench);
    pool_stop(bench.pool);
    size_t acts = bench.act_count;
    pool_bench_identify(&bench, 2, 2); // not taken
    ck_assert_int_eq(pool_bench_state(&bench, 2), UNIT_EMPTY);
    pool_bench_post(&bench, 0, UNIT_ON_FINISHED);   // ends, and is recorded
    pool_bench_post(&bench, 1, UNIT_ON_IDENTIFIED); // its install is recorded, and not begun
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_DONE);
    ck_assert_int_eq(bench.verdicts[0], UNIT_PASS);
    ck_assert_uint_eq(bench.act_count, acts);
    ck_assert(pool_is_settled(bench.pool));
    pool_bench_free(&bench);
}
END_TEST

START_TEST(test_open_slot) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_open_slot(bench.pool, 2, "CAM-1", "lot 9");
    ck_assert_uint_eq(pool_bench_count(&bench, 2, UNIT_ACT_PROBE), 1);
    pool_bench_identify(&bench, 2, 0);
    ck_assert(pool_bench_take(&bench));
    ck_assert_str_eq(bench.batch->records[0].admission.lot, "lot 9");
    ck_assert_str_eq(bench.batch->records[0].slot, "C");
    pool_bench_commit(&bench);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_unit(bench.pool, 2)->error.code, E_CAM_LABEL);
    pool_bench_free(&bench);
}
END_TEST

START_TEST(test_state_times) {
    static struct pool_bench bench;
    uint64_t visits = 0;
    int64_t total_ms = 0;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_WAITING);
    pool_bench_settle(&bench);
    bench.now.monotonic_ms += 1234;
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_state_time(bench.pool, UNIT_WAITING, &visits, &total_ms);
    ck_assert_uint_eq(visits, 1);
    ck_assert_int_eq(total_ms, 1234);
    pool_bench_free(&bench);
}
END_TEST

// A closed slot ends what is in it and looks for nobody; a label that comes meanwhile is for the next.
START_TEST(test_a_slot_that_is_closed) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_open_slot(bench.pool, 0, "", "L");
    ck_assert_uint_eq(pool_bench_count(&bench, 0, UNIT_ACT_PROBE), 1);
    pool_bench_drive(&bench, 0, 0, UNIT_PROVING);
    pool_close_slot(bench.pool, 0);
    pool_bench_drive(&bench, 0, 0, UNIT_DONE);
    size_t looks = pool_bench_count(&bench, 0, UNIT_ACT_PROBE);
    pool_open_slot(bench.pool, 0, "CAM-7", "L");
    ck_assert_uint_eq(pool_bench_count(&bench, 0, UNIT_ACT_PROBE), looks);
    pool_close_slot(bench.pool, 0);
    pool_bench_post(&bench, 0, UNIT_ON_GONE);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_EMPTY);
    ck_assert_uint_eq(pool_bench_count(&bench, 0, UNIT_ACT_PROBE), looks);
    pool_open_slot(bench.pool, 0, "CAM-8", "L");
    ck_assert_uint_eq(pool_bench_count(&bench, 0, UNIT_ACT_PROBE), looks + 1);
    ck_assert_str_eq(pool_unit(bench.pool, 0)->label, "CAM-8");
    pool_bench_free(&bench);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pool");
    TCase *journal = tcase_create("journal");
    tcase_set_timeout(journal, 120); // a busy machine is no failure
    tcase_add_test(journal, test_held_actions_wait);
    tcase_add_test(journal, test_group_commit);
    tcase_add_test(journal, test_held_for_a_camera_that_left);
    tcase_add_test(journal, test_a_slot_that_is_closed);
    tcase_add_test(journal, test_admission_of_a_camera_that_left);
    tcase_add_test(journal, test_refusal_for_a_camera_that_left);
    suite_add_tcase(suite, journal);
    TCase *conflicts = tcase_create("conflicts");
    tcase_set_timeout(conflicts, 120);
    tcase_add_test(conflicts, test_conflict_drops_the_held_action);
    tcase_add_test(conflicts, test_conflict_beside_the_held_action);
    tcase_add_test(conflicts, test_two_conflicts);
    tcase_add_test(conflicts, test_refused_result);
    tcase_add_test(conflicts, test_overflow);
    suite_add_tcase(suite, conflicts);
    TCase *twins = tcase_create("twins");
    tcase_set_timeout(twins, 120);
    tcase_add_test(twins, test_twins);
    tcase_add_test(twins, test_a_twin_that_is_none);
    suite_add_tcase(suite, twins);
    TCase *rest = tcase_create("rest");
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, test_stop);
    tcase_add_test(rest, test_open_slot);
    tcase_add_test(rest, test_state_times);
    suite_add_tcase(suite, rest);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
