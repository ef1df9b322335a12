// SPDX-License-Identifier: Apache-2.0
// The station's half of the protocol when frames are lost, late, foreign or refused.
#include <check.h>
#include <string.h>

#include "tests/support_session.h"

#define PATIENCE_MS 300

static const struct session_order finish = {.kind = SESSION_FINISH, .lock = true};
static const struct session_order identify = {.kind = SESSION_IDENTIFY};
static const struct session_order watch = {.kind = SESSION_WATCH};
static const struct session_order probe = {.kind = SESSION_PROBE};

// ---- the link -----------------------------------------------------------------------------------

// Progress moves the deadline, and restores the repeats; the cap ends it.
START_TEST(test_progress) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    int64_t start_ms = bench.now_ms;
    session_bench_tick(&bench);
    session_bench_expect(&bench, OP_FINISH);
    session_bench_progress(&bench, 2000);
    session_bench_expect_running(&bench);
    ck_assert_uint_eq(bench.output.write.length, 0);
    ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + 2000 + PATIENCE_MS);
    session_bench_progress(&bench, 0); // and back again
    ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + PATIENCE_MS);
    for (int i = 0; i < LINK_REPEATS; i++) {
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_FINISH);
    }
    session_bench_progress(&bench, UINT32_MAX);
    ck_assert_int_eq(session_deadline_ms(&bench.session), start_ms + 30000);
    session_bench_tick(&bench);
    session_bench_expect(&bench, OP_HELLO); // silence, whatever it promised
}
END_TEST

// A key takes as long as its own cap says in all, however often the session is begun again.
START_TEST(test_cap_of_generate) {
    struct session_bench bench;
    struct session_order order = {.kind = SESSION_GENERATE, .credential = 1, .key_type = KEY_P256};
    session_bench_begin(&bench, &order);
    int64_t start_ms = bench.now_ms;
    session_bench_expect(&bench, OP_GENERATE_KEY);
    for (int i = 0; i < 50; i++) {
        session_bench_progress(&bench, 1000);
        bench.now_ms += 1000;
    }
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_GENERATE_KEY);
    session_bench_progress(&bench, UINT32_MAX);
    ck_assert_int_eq(session_deadline_ms(&bench.session), start_ms + 60000);
    session_bench_tick(&bench);
    session_bench_expect_outcome(&bench, SESSION_TIMEOUT, SESSION_GENERATE);
}
END_TEST

// Only a reply to this very request counts: session, sequence, op, and a kind that is a reply.
START_TEST(test_foreign_replies) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    static const uint8_t payload[] = {0xa1, 0x01, 0x03};
    for (int i = 0; i < 5; i++) {
        struct frame frame = bench.frame;
        frame.kind = i == 4 ? FRAME_REQUEST : FRAME_RESPONSE;
        frame.payload = (struct slice){payload, sizeof payload};
        frame.op = (uint8_t)(frame.op + (i == 0 ? 1 : 0));
        frame.sequence = (uint16_t)(frame.sequence + (i == 1 ? 1 : 0) - (i == 2 ? 1 : 0));
        frame.session += i == 3 ? 1 : 0;
        session_bench_receive_frame(&bench, &frame);
        session_bench_expect_running(&bench);
        ck_assert_uint_eq(bench.output.write.length, 0);
    }
    session_bench_reply_finished(&bench, 3);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_FINISH);
    ck_assert_uint_eq(bench.output.result.lifecycle, 3);
    session_bench_reply_finished(&bench, 2); // once more, late
    ck_assert_int_eq(bench.output.result.order, SESSION_NOTHING);
}
END_TEST

// Noise before, the frame in pieces, a second frame behind it.
START_TEST(test_bytes_as_they_come) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    static const uint8_t payload[] = {0xa1, 0x01, 0x03};
    uint8_t wire[3 * 64] = "login: \xff\xfe";
    struct frame frame = bench.frame;
    frame.kind = FRAME_RESPONSE;
    frame.payload = (struct slice){payload, sizeof payload};
    size_t noise = 9;
    size_t length = noise + frame_encode(wire + noise, 64, &frame, 0);
    for (size_t i = 0; i + 1 < length; i++) {
        session_receive(&bench.session, bench.now_ms, (struct slice){wire + i, 1}, &bench.output);
        session_bench_expect_running(&bench);
    }
    length += frame_encode(wire + length, 64, &frame, 0);
    size_t end = noise + (length - noise) / 2 - 1;
    session_receive(&bench.session, bench.now_ms, (struct slice){wire + end, length - end},
                    &bench.output);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_FINISH);
}
END_TEST

START_TEST(test_replies_that_break_the_protocol) {
    static const uint8_t bad[][4] = {{0xa0}, {0xa1, 0x01, 0x60}, {0xff}, {0xa1, 0x01, 0x03, 0x00}};
    static const size_t lengths[] = {1, 3, 1, 4};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        for (enum frame_kind kind = FRAME_RESPONSE; kind <= FRAME_ERROR; kind++) {
            struct session_bench bench;
            session_bench_begin(&bench, &finish);
            session_bench_expect(&bench, OP_FINISH);
            struct frame frame = bench.frame;
            frame.kind = kind;
            frame.payload = (struct slice){bad[i], lengths[i]};
            session_bench_receive_frame(&bench, &frame);
            session_bench_expect_outcome(&bench, SESSION_BROKEN, SESSION_FINISH);
        }
    }
}
END_TEST

// ---- silence ------------------------------------------------------------------------------------

// Repeats, a new session, a reset and a new session, and then the end.
START_TEST(test_escalation) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    uint32_t first = bench.session.link.session;
    session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
    ck_assert(!bench.output.reset);
    session_bench_expect(&bench, OP_HELLO);
    uint32_t second = bench.frame.session;
    ck_assert_uint_ne(second, first);
    session_bench_stay_silent(&bench, OP_HELLO, SESSION_BENCH_SENDS);
    ck_assert(bench.output.reset);
    session_bench_expect(&bench, OP_HELLO);
    ck_assert_uint_ne(bench.frame.session, second);
    session_bench_stay_silent(&bench, OP_HELLO, SESSION_BENCH_SENDS);
    ck_assert(!bench.output.reset);
    session_bench_expect_outcome(&bench, SESSION_TIMEOUT, SESSION_FINISH);
    // The next order begins with a session.
    session_bench_start(&bench, &finish);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_FINISH);
}
END_TEST

// After a new session it looks who is there, and goes on with the request.
START_TEST(test_silence_that_ends) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
    session_bench_stay_silent(&bench, OP_HELLO, 3);
    session_bench_greet(&bench);
    session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
    ck_assert(bench.output.reset);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_FINISH);
    session_bench_reply_finished(&bench, 3);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_FINISH);
}
END_TEST

// A camera that answers HELLO and INFO and nothing else does not keep the slot for ever.
START_TEST(test_silence_of_one_operation) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    for (int i = 0; i < 2; i++) {
        session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
        ck_assert(bench.output.reset == (i == 1));
        session_bench_greet(&bench);
    }
    session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
    session_bench_expect_outcome(&bench, SESSION_TIMEOUT, SESSION_FINISH);
}
END_TEST

START_TEST(test_a_new_order_drops_the_old_one) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    struct frame old = bench.frame;
    session_bench_start(&bench, &identify);
    session_bench_expect(&bench, OP_INFO);
    struct frame current = bench.frame;
    static const uint8_t payload[] = {0xa1, 0x01, 0x03};
    old.kind = FRAME_RESPONSE;
    old.payload = (struct slice){payload, sizeof payload};
    session_bench_receive_frame(&bench, &old);
    session_bench_expect_running(&bench);
    bench.frame = current;
    session_bench_answer(&bench);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_IDENTIFY);
    ck_assert_str_eq(bench.output.result.info.serial, "CAM-0001");
}
END_TEST

// ---- refusals -----------------------------------------------------------------------------------

START_TEST(test_bad_session) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    uint32_t before = bench.frame.session;
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_expect(&bench, OP_HELLO);
    ck_assert_uint_ne(bench.frame.session, before);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_FINISH);
    session_bench_reply_finished(&bench, 3);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_FINISH);
}
END_TEST

// For ever the same refusal: bounded, and then it is the answer.
START_TEST(test_refusals_without_end) {
    static const enum camera_error codes[] = {CAMERA_BAD_SESSION, CAMERA_BUSY};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        struct session_bench bench;
        session_bench_begin(&bench, &finish);
        int rounds = 0;
        while (bench.output.result.outcome == SESSION_RUNNING) {
            ck_assert_int_lt(rounds++, 100);
            session_bench_expect(&bench, OP_FINISH);
            session_bench_refuse(&bench, codes[i], false, 0);
            if (codes[i] == CAMERA_BUSY && bench.output.result.outcome == SESSION_RUNNING) {
                session_bench_tick(&bench);
            } else if (bench.output.result.outcome == SESSION_RUNNING) {
                session_bench_greet(&bench);
            }
        }
        session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_FINISH);
        ck_assert_int_eq(bench.output.result.camera_error, codes[i]);
        ck_assert_str_eq(bench.output.result.text, "no");
    }
}
END_TEST

// A HELLO that is refused for its session makes no sense; it is the answer.
START_TEST(test_hello_refused) {
    struct session_bench bench;
    session_bench_init(&bench, 1024, 512);
    session_bench_start(&bench, &probe);
    session_bench_expect(&bench, OP_HELLO);
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_PROBE);
}
END_TEST

START_TEST(test_busy) {
    static const struct {
        bool has_detail;
        uint32_t detail;
        int64_t pause_ms;
    } cases[] = {
        {false, 0, 100},
        {true, 0, 0},
        {true, 700, 700},
        {true, UINT32_MAX, 10000},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct session_bench bench;
        session_bench_begin(&bench, &finish);
        session_bench_expect(&bench, OP_FINISH);
        uint16_t sequence = bench.frame.sequence;
        session_bench_refuse(&bench, CAMERA_BUSY, cases[i].has_detail, cases[i].detail);
        session_bench_expect_running(&bench);
        ck_assert_uint_eq(bench.output.write.length, 0);
        ck_assert_int_eq(session_deadline_ms(&bench.session), bench.now_ms + cases[i].pause_ms);
        session_bench_reply_finished(&bench, 3); // the refusal was the answer
        session_bench_expect_running(&bench);
        session_bench_tick(&bench);
        session_bench_expect(&bench, OP_FINISH);
        ck_assert_uint_eq(bench.frame.sequence, sequence + 1);
    }
}
END_TEST

START_TEST(test_other_refusals_are_the_answer) {
    for (enum camera_error code = CAMERA_MALFORMED; code <= CAMERA_NO_CREDENTIAL; code++) {
        if (code == CAMERA_BAD_SESSION || code == CAMERA_BUSY) {
            continue;
        }
        struct session_bench bench;
        session_bench_begin(&bench, &finish);
        session_bench_expect(&bench, OP_FINISH);
        session_bench_refuse(&bench, code, true, 0);
        session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_FINISH);
        ck_assert_int_eq(bench.output.result.camera_error, code);
    }
}
END_TEST

// ---- who is there -------------------------------------------------------------------------------

// Another serial behind a new session, in a look, and in a watch.
// In a new session the camera refused to say who it is, and the order is tried again: it may be
// another camera, which must not get what was meant for the first.
START_TEST(test_nothing_is_ordered_unseen) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_stay_silent(&bench, OP_FINISH, SESSION_BENCH_SENDS);
    session_bench_expect(&bench, OP_HELLO);
    session_bench_answer(&bench);
    session_bench_expect(&bench, OP_INFO);
    session_bench_refuse(&bench, CAMERA_INTERNAL, false, 0);
    session_bench_expect_outcome(&bench, SESSION_REFUSED, SESSION_FINISH);
    session_bench_start(&bench, &finish);
    session_bench_expect(&bench, OP_INFO);
    bench.serial = "CAM-0002";
    session_bench_answer(&bench);
    session_bench_expect_outcome(&bench, SESSION_SWAPPED, SESSION_FINISH);
}
END_TEST

START_TEST(test_swapped) {
    static const struct session_order *const orders[] = {&finish, &identify, &watch};
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        struct session_bench bench;
        session_bench_begin(&bench, orders[i]);
        if (orders[i] == &finish) {
            session_bench_expect(&bench, OP_FINISH);
            session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
            session_bench_expect(&bench, OP_HELLO);
            session_bench_answer(&bench);
        } else if (orders[i] == &watch) {
            session_bench_tick(&bench);
        }
        session_bench_expect(&bench, OP_INFO);
        bench.serial = "CAM-0002";
        session_bench_answer(&bench);
        session_bench_expect_outcome(&bench, SESSION_SWAPPED, orders[i]->kind);
        ck_assert_str_eq(bench.output.result.info.serial, "CAM-0002");
    }
}
END_TEST

START_TEST(test_forget) {
    struct session_bench bench;
    session_bench_begin(&bench, &finish);
    session_bench_expect(&bench, OP_FINISH);
    session_forget(&bench.session);
    ck_assert_int_eq(session_deadline_ms(&bench.session), LINK_NEVER);
    session_bench_reply_finished(&bench, 3);
    session_bench_expect_running(&bench);
    ck_assert_int_eq(bench.output.result.order, SESSION_NOTHING);
    session_tick(&bench.session, bench.now_ms + 100000, &bench.output);
    ck_assert_uint_eq(bench.output.write.length, 0);
    // A stranger may come now.
    bench.serial = "CAM-0002";
    session_bench_start(&bench, &identify);
    session_bench_greet(&bench);
    session_bench_expect_outcome(&bench, SESSION_DONE, SESSION_IDENTIFY);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("session");
    TCase *link = tcase_create("link");
    tcase_set_timeout(link, 120); // a busy machine is no failure
    tcase_add_test(link, test_progress);
    tcase_add_test(link, test_cap_of_generate);
    tcase_add_test(link, test_foreign_replies);
    tcase_add_test(link, test_bytes_as_they_come);
    tcase_add_test(link, test_replies_that_break_the_protocol);
    suite_add_tcase(suite, link);
    TCase *silence = tcase_create("silence");
    tcase_set_timeout(silence, 120);
    tcase_add_test(silence, test_escalation);
    tcase_add_test(silence, test_silence_that_ends);
    tcase_add_test(silence, test_silence_of_one_operation);
    tcase_add_test(silence, test_a_new_order_drops_the_old_one);
    suite_add_tcase(suite, silence);
    TCase *refusals = tcase_create("refusals");
    tcase_set_timeout(refusals, 120);
    tcase_add_test(refusals, test_bad_session);
    tcase_add_test(refusals, test_refusals_without_end);
    tcase_add_test(refusals, test_hello_refused);
    tcase_add_test(refusals, test_busy);
    tcase_add_test(refusals, test_other_refusals_are_the_answer);
    suite_add_tcase(suite, refusals);
    TCase *who = tcase_create("who is there");
    tcase_set_timeout(who, 120);
    tcase_add_test(who, test_swapped);
    tcase_add_test(who, test_nothing_is_ordered_unseen);
    tcase_add_test(who, test_forget);
    suite_add_tcase(suite, who);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
