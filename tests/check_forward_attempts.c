// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <string.h>

#include "station/app/forward_attempts.h"

#define SETTLE_MS 30000

static struct attempts *attempts;
static const uint8_t key[SHA256_SIZE] = {1};
static const uint8_t other[SHA256_SIZE] = {2};

static void setup(void) {
    attempts = attempts_new(4);
    ck_assert_ptr_nonnull(attempts);
}

static void teardown(void) {
    attempts_free(attempts);
}

// Of one bench: all that is open is its own.
static int64_t look(const uint8_t spki[SHA256_SIZE], uint64_t connection, uint64_t oldest,
                    int64_t now_ms) {
    const struct attempt_origin origin = {connection, oldest, oldest < connection};
    return attempts_look(attempts, spki, &origin, now_ms);
}

static enum error_code begin(const uint8_t spki[SHA256_SIZE], int64_t sent_ms, uint64_t connection,
                             int64_t now_ms) {
    struct error error = {0};
    const struct attempt_origin origin = {connection, connection, false};
    return attempts_begin(attempts, spki, sent_ms, &origin, now_ms, &error) ? ERROR_NONE
                                                                            : error.code;
}

START_TEST(one_submission_goes_out_once) {
    ck_assert_int_eq(begin(key, 100, 1, 1000), ERROR_NONE);
    ck_assert_int_eq(begin(key, 100, 1, 1000), E_CA_DOUBT);
    ck_assert_int_eq(begin(key, 101, 1, 1000), E_CA_DOUBT);
    ck_assert_int_eq(begin(other, 100, 1, 1000), ERROR_NONE);
    attempts_end(attempts, key, 2000, SETTLE_MS);
    ck_assert_int_eq(begin(key, 101, 1, 2000 + SETTLE_MS - 1), E_CA_DOUBT);
    ck_assert_int_eq(begin(key, 100, 1, 2000 + SETTLE_MS), E_CA_DOUBT); // the same one, for good
    ck_assert_int_eq(begin(key, 101, 1, 2000 + SETTLE_MS), ERROR_NONE);
}
END_TEST

START_TEST(what_was_not_sent_may_go_at_once) {
    ck_assert_int_eq(begin(key, 100, 1, 1000), ERROR_NONE);
    attempts_end(attempts, key, 1500, 0);
    ck_assert_int_eq(begin(key, 1600, 1, 1600), ERROR_NONE);
}
END_TEST

START_TEST(a_scan_counts_once_it_is_quiet) {
    ck_assert_int_eq(look(key, 2, 2, 500), 0); // never heard of
    ck_assert_int_eq(begin(key, 100, 2, 1000), ERROR_NONE);
    ck_assert_int_gt(look(key, 2, 2, 999999), 0); // in progress
    attempts_end(attempts, key, 5000, SETTLE_MS);
    ck_assert_int_eq(look(key, 2, 2, 5000), SETTLE_MS);
    ck_assert_int_eq(look(key, 2, 2, 5000 + SETTLE_MS - 1), 1);
    ck_assert_int_eq(look(key, 2, 2, 5000 + SETTLE_MS), 0);
}
END_TEST

START_TEST(a_look_shuts_out_what_hangs_in_older_connections) {
    ck_assert_int_eq(look(key, 5, 3, 1000), 0);
    ck_assert_int_eq(begin(key, 900, 3, 1001), E_CA_DOUBT);
    ck_assert_int_eq(begin(key, 900, 4, 1001), E_CA_DOUBT);
    ck_assert_int_eq(begin(other, 900, 3, 1001), ERROR_NONE);
    ck_assert_int_eq(begin(key, 1100, 5, 1100), ERROR_NONE);
    attempts_end(attempts, key, 1200, 0);
    ck_assert_int_eq(begin(key, 1300, 6, 1300), ERROR_NONE);
}
END_TEST

// Room is made by what is settled, and by nothing else.
START_TEST(keeps_what_it_needs) {
    struct error error;
    for (uint8_t i = 0; i < 4; i++) {
        const uint8_t spki[SHA256_SIZE] = {10, i};
        ck_assert_int_eq(begin(spki, 100, 1, 1000), ERROR_NONE);
    }
    ck_assert_int_eq(begin(key, 100, 1, 1000), E_CA_BUSY);
    ck_assert_int_gt(look(key, 1, 1, 1000), 0);
    const uint8_t third[SHA256_SIZE] = {10, 3};
    attempts_end(attempts, third, 2000, SETTLE_MS);
    ck_assert_int_eq(begin(key, 100, 1, 3000), E_CA_BUSY);
    ck_assert_int_eq(look(third, 9, 1, 2000 + SETTLE_MS), 0);
    // An older connection is open: its word is still to be shut out.
    struct attempt_origin origin = {9, 8, true};
    ck_assert(!attempts_begin(attempts, key, 100, &origin, 2000 + SETTLE_MS, &error));
    origin = (struct attempt_origin){9, 9, false};
    ck_assert(attempts_begin(attempts, key, 100, &origin, 2000 + SETTLE_MS, &error));
    ck_assert_int_eq(begin(third, 100, 1, 2000 + SETTLE_MS), E_CA_BUSY); // forgotten, and no room
}
END_TEST

// What others look up takes no room from a bench that has been connected for longer.
START_TEST(a_bench_is_not_held_up_by_another) {
    const struct attempt_origin others = {500, 1, false};
    for (uint8_t i = 0; i < 4; i++) {
        const uint8_t spki[SHA256_SIZE] = {10, i};
        ck_assert_int_eq(attempts_look(attempts, spki, &others, 1000), 0);
    }
    ck_assert_int_eq(begin(key, 100, 1, 2000), ERROR_NONE);
    ck_assert_int_eq(look(other, 1, 1, 2000), 0);
}
END_TEST

// Nor does what a bench has shut out vanish for the sake of a newer one.
START_TEST(what_is_shut_out_stays_so) {
    struct error error;
    const struct attempt_origin other_bench = {900, 3, false};
    for (uint8_t i = 0; i < 4; i++) {
        const uint8_t spki[SHA256_SIZE] = {10, i};
        ck_assert_int_eq(look(spki, 500, 3, 1000), 0);
    }
    ck_assert(!attempts_begin(attempts, key, 100, &other_bench, 2000, &error));
    ck_assert_int_eq(error.code, E_CA_BUSY);
    const uint8_t first[SHA256_SIZE] = {10, 0};
    ck_assert_int_eq(begin(first, 100, 3, 2000), E_CA_DOUBT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("forward_attempts");
    TCase *tests = tcase_create("forward_attempts");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_submission_goes_out_once);
    tcase_add_test(tests, what_was_not_sent_may_go_at_once);
    tcase_add_test(tests, a_scan_counts_once_it_is_quiet);
    tcase_add_test(tests, a_look_shuts_out_what_hangs_in_older_connections);
    tcase_add_test(tests, keeps_what_it_needs);
    tcase_add_test(tests, a_bench_is_not_held_up_by_another);
    tcase_add_test(tests, what_is_shut_out_stays_so);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
