// SPDX-License-Identifier: Apache-2.0
// How the station's half of the protocol waits for a camera, and watches one that is there.
#include <check.h>
#include <string.h>

#include "tests/support_session.h"

static const struct session_order watch = {.kind = SESSION_WATCH};
static const struct session_order finish = {.kind = SESSION_FINISH, .lock = true};
static const struct session_order probe = {.kind = SESSION_PROBE};

// Whoever answers a probe is a stranger, also where another one was before.
START_TEST(test_probe_takes_anybody) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_identify(&bench);
    bench.serial = "CAM-0002";
    session_bench_identify(&bench);
    ck_assert_str_eq(bench.output.result.info.serial, "CAM-0002");
}
END_TEST

// A probe never ends by itself, and each try is a new session.
START_TEST(test_probe_waits) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_start(&bench, &probe);
    uint32_t session = 0;
    for (int i = 0; i < 100; i++) {
        session_bench_expect(&bench, OP_HELLO);
        ck_assert_uint_ne(bench.frame.session, session);
        session = bench.frame.session;
        int64_t began_ms = bench.now_ms;
        do {
            session_bench_tick(&bench);
            session_bench_expect_running(&bench);
            ck_assert(!bench.output.reset);
            if (bench.output.write.length > 0) {
                session_bench_expect(&bench, OP_HELLO);
            }
            ck_assert_int_lt(bench.now_ms - began_ms, 5000);
        } while (bench.frame.session == session);
        ck_assert_int_ge(bench.now_ms - began_ms, 500);
    }
    session_bench_greet(&bench);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_PROBE);
}
END_TEST

// A camera may take half a second for an answer before it owes a sign of life.
START_TEST(test_probe_hears_a_slow_camera) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_start(&bench, &probe);
    session_bench_expect(&bench, OP_HELLO);
    struct frame hello = bench.frame;
    int64_t answer_ms = bench.now_ms + 500;
    while (session_deadline_ms(&bench.session) < answer_ms) {
        session_bench_tick(&bench);
    }
    bench.now_ms = answer_ms;
    bench.frame = hello;
    session_bench_answer(&bench);
    session_bench_expect(&bench, OP_INFO);
    session_bench_answer(&bench);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_PROBE);
}
END_TEST

START_TEST(test_probe_later) {
    struct session_bench bench;
    struct session_order later = {.kind = SESSION_PROBE, .pause_ms = 2000};
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    session_bench_start(&bench, &later);
    ck_assert_uint_eq(bench.output.write.length, 0);
    ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + 2000);
    session_bench_reply_finished(&bench, 3); // to the order that was dropped
    session_bench_expect_running(&bench);
    session_bench_tick(&bench);
    session_bench_greet(&bench);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_PROBE);
}
END_TEST

// Who answers HELLO is there: from then on it is as any other order, and its silence is a failure.
START_TEST(test_probe_of_half_a_camera) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_start(&bench, &probe);
    for (int i = 0; i < 3; i++) {
        ck_assert(bench.output.reset == (i == 2));
        session_bench_expect(&bench, OP_HELLO);
        session_bench_answer(&bench);
        session_bench_stay_silent(&bench, OP_INFO, SESSION_BENCH_SENDS);
    }
    session_bench_expect_outcome(&bench, SESSION_TIMEOUT, SESSION_PROBE);
}
END_TEST

START_TEST(test_watch) {
    struct session_bench bench;
    session_bench_begin(&bench, &watch);
    for (int i = 0; i < 100; i++) {
        ck_assert_uint_eq(bench.output.write.length, 0);
        ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + 1000);
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_INFO);
        if (i % 10 == 3) { // it restarted, and is the same
            session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
            session_bench_greet(&bench);
            continue;
        }
        session_bench_answer(&bench);
        session_bench_expect_running(&bench);
    }
    session_bench_tick(&bench);
    session_bench_stay_silent(&bench, OP_INFO, 3);
    session_bench_expect_outcome(&bench, SESSION_TIMEOUT, SESSION_WATCH);
}
END_TEST

// Asked to blink at once and again when that has ended, between the looks that a watch takes.
START_TEST(test_watch_that_blinks) {
    static const struct session_order blink = {.kind = SESSION_WATCH, .blink_s = 3};
    struct session_bench bench;
    int blinks = 0;
    session_bench_begin(&bench, &blink);
    for (int64_t end_ms = bench.now_ms + 10000; bench.now_ms < end_ms;) {
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_INFO);
        session_bench_answer(&bench);
        if (bench.output.write.length > 0) {
            session_bench_expect(&bench, OP_IDENTIFY);
            ck_assert_uint_eq(bench.request.identify.seconds, 3);
            session_bench_reply(&bench, &(struct message){0});
            blinks++;
        }
        session_bench_expect_running(&bench);
        ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + 1000);
    }
    ck_assert_int_eq(blinks, 4);
}
END_TEST

// Blinking is optional: a camera that cannot is watched all the same, and not asked again.
START_TEST(test_watch_of_one_that_cannot_blink) {
    static const struct session_order blink = {.kind = SESSION_WATCH, .blink_s = 1};
    struct session_bench bench;
    session_bench_begin(&bench, &blink);
    session_bench_tick(&bench);
    session_bench_expect(&bench, OP_INFO);
    session_bench_answer(&bench);
    session_bench_expect(&bench, OP_IDENTIFY);
    session_bench_refuse(&bench, CAMERA_UNSUPPORTED_OP, false, 0);
    for (int i = 0; i < 5; i++) {
        session_bench_expect_running(&bench);
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_INFO);
        session_bench_answer(&bench);
        ck_assert_uint_eq(bench.output.write.length, 0);
    }
}
END_TEST

// Nor is it gone where it does not answer that at all.
START_TEST(test_watch_of_one_that_ignores_blinking) {
    static const struct session_order blink = {.kind = SESSION_WATCH, .blink_s = 1};
    struct session_bench bench;
    session_bench_begin(&bench, &blink);
    session_bench_tick(&bench);
    session_bench_expect(&bench, OP_INFO);
    session_bench_answer(&bench);
    session_bench_stay_silent(&bench, OP_IDENTIFY, 3);
    for (int i = 0; i < 5; i++) {
        session_bench_expect_running(&bench);
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_INFO);
        session_bench_answer(&bench);
        ck_assert_uint_eq(bench.output.write.length, 0);
    }
}
END_TEST

// The camera would not say what it is; the next one does.
START_TEST(test_watch_of_a_stranger) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_start(&bench, &probe);
    session_bench_expect(&bench, OP_HELLO);
    session_bench_answer(&bench);
    session_bench_expect(&bench, OP_INFO);
    session_bench_refuse(&bench, CAMERA_INTERNAL, false, 0);
    session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_PROBE);
    for (int i = 0; i < 3; i++) {
        session_bench_start(&bench, &watch);
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_INFO);
        if (i < 2) {
            session_bench_refuse(&bench, CAMERA_INTERNAL, false, 0);
            session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_WATCH);
        }
    }
    session_bench_answer(&bench);
    session_bench_expect_outcome(&bench, SESSION_SWAPPED, SESSION_WATCH);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("session watch");
    TCase *waits = tcase_create("probe and watch");
    tcase_set_timeout(waits, 120); // a busy machine is no failure
    tcase_add_test(waits, test_probe_takes_anybody);
    tcase_add_test(waits, test_probe_waits);
    tcase_add_test(waits, test_probe_hears_a_slow_camera);
    tcase_add_test(waits, test_probe_later);
    tcase_add_test(waits, test_probe_of_half_a_camera);
    tcase_add_test(waits, test_watch);
    tcase_add_test(waits, test_watch_that_blinks);
    tcase_add_test(waits, test_watch_of_one_that_cannot_blink);
    tcase_add_test(waits, test_watch_of_one_that_ignores_blinking);
    tcase_add_test(waits, test_watch_of_a_stranger);
    suite_add_tcase(suite, waits);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
