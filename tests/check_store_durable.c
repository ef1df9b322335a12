// SPDX-License-Identifier: Apache-2.0
// What was acknowledged stays: after a kill, on a full disk, over many commits.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support_store.h"

static struct store_fixture fixture;

static void setup(void) {
    store_fixture_setup(&fixture);
}

static void teardown(void) {
    store_fixture_teardown(&fixture);
}

// A disk without space, as far as this process can tell: no file may grow.
static int commit_until_full(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    struct store *store;
    struct error error;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
        !store_try_open(&fixture, STORE_WRITE, &store, &error)) {
        return 51;
    }
    for (uint32_t i = 0; i < 10000; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "FULL-%u", i);
        struct record admit = store_record_admit(&fixture, serial, 1);
        batch_clear(fixture.batch);
        if (!batch_put(fixture.batch, &admit)) {
            return 52;
        }
        if (!store_sqlite.commit(store, fixture.batch, &error)) {
            // It goes on saying so, and does not hurt what is there.
            bool still = !store_sqlite.commit(store, fixture.batch, &error);
            return still && error.code == E_STORE_IO && i > 10 &&
                           strstr(error.text, "units.db") != NULL
                       ? 0
                       : 53;
        }
    }
    return 54;
}

START_TEST(test_full_disk) {
    store_fixture_close(&fixture);
    pid_t child = fork();
    if (child == 0) {
        _exit(commit_until_full());
    }
    ck_assert_int_eq(store_child_status(child), 0);
    store_fixture_reopen(&fixture);
    store_admit_again(&fixture, "FULL-0");
    struct error error = {0};
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
}
END_TEST

// ---- kill ---------------------------------------------------------------------------------------

// Commits batch after batch and tells each number once it was acknowledged.
static void commit_until_killed(int out) {
    struct store *store;
    struct error error;
    if (!store_try_open(&fixture, STORE_WRITE, &store, &error)) {
        _exit(60);
    }
    for (uint32_t i = 0;; i++) {
        batch_clear(fixture.batch);
        for (uint32_t j = 0; j < 8; j++) {
            char serial[32];
            snprintf(serial, sizeof serial, "K-%u-%u", i, j);
            struct record record = store_record_admit(&fixture, serial, 1);
            if (!batch_put(fixture.batch, &record)) {
                _exit(61);
            }
        }
        if (!store_sqlite.commit(store, fixture.batch, &error) ||
            write(out, &i, sizeof i) != (ssize_t)sizeof i) {
            _exit(62);
        }
    }
}

START_TEST(test_killed) {
    int numbers[2];
    uint32_t last = 0;
    uint32_t number;
    store_fixture_close(&fixture);
    ck_assert_int_eq(pipe(numbers), 0);
    pid_t child = fork();
    if (child == 0) {
        close(numbers[0]);
        commit_until_killed(numbers[1]);
    }
    close(numbers[1]);
    uint32_t enough = 3 + 17 * (uint32_t)_i;
    while (last < enough) {
        ck_assert_int_eq(read(numbers[0], &last, sizeof last), sizeof last);
    }
    kill(child, SIGKILL);
    ck_assert_int_eq(store_child_status(child), 128 + SIGKILL);
    while (read(numbers[0], &number, sizeof number) == (ssize_t)sizeof number) {
        last = number;
    }
    close(numbers[0]);
    store_fixture_reopen(&fixture); // the lock went with the process
    struct error error = {0};
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    for (uint32_t i = 0; i <= last; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "K-%u-7", i);
        store_admit_again(&fixture, serial);
    }
    // Of what was not acknowledged: all or nothing.
    char serial[32];
    snprintf(serial, sizeof serial, "K-%u-0", last + 1);
    struct record record = store_record_admit(&fixture, serial, 1);
    bool first_is_new = store_commit_one(&fixture, &record)->unit.is_new;
    snprintf(serial, sizeof serial, "K-%u-7", last + 1);
    record = store_record_admit(&fixture, serial, 1);
    ck_assert_int_eq(store_commit_one(&fixture, &record)->unit.is_new, first_is_new);
}
END_TEST

// Enough commits that the WAL is checkpointed on the way, beside a reader and without one.
START_TEST(test_wal_stays_bounded) {
    struct store *reader = NULL;
    struct error error;
    if (_i == 1) {
        ck_assert(store_try_open(&fixture, STORE_READ, &reader, &error));
    }
    for (uint32_t i = 0; i < 700; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "W-%u", i);
        struct record record = store_record_admit(&fixture, serial, 4);
        store_accept(&fixture, &record);
    }
    ck_assert_int_lt(store_file_size(&fixture, "-wal"), 2 * 1000 * 4096);
    store_sqlite.close(reader);
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    store_fixture_close(&fixture);
    ck_assert_int_eq(store_file_size(&fixture, "-wal"), 0); // the file alone is the whole database
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_durable");
    TCase *tests = tcase_create("durable");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_full_disk);
    tcase_add_loop_test(tests, test_killed, 0, 4);
    tcase_add_loop_test(tests, test_wal_stays_bounded, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
