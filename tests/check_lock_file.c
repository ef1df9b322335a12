// SPDX-License-Identifier: Apache-2.0
// Who may take a lock file, and who is said to have it.
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/lock_file.h"

static char folder[] = "/tmp/birthcert-lock.XXXXXX";
static char path[64];
static char owner[LOCK_OWNER_SIZE];

static void set_up(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lock", folder);
}

static void tear_down(void) {
    unlink(path);
    rmdir(folder);
}

// An owner that is killed while its child, which has the lock as well, lives for that long. Returns the
// owner, and the child in `heir`.
static pid_t kill_owner(unsigned heir_ms, pid_t *heir) {
    int tell[2];
    ck_assert_int_eq(pipe(tell), 0);
    pid_t killed = fork();
    ck_assert_int_ge(killed, 0);
    if (killed == 0) {
        bool has_lock = lock_file_take(path, 0600, owner) >= 0;
        pid_t child = fork();
        if (child == 0) {
            close(tell[0]);
            close(tell[1]);
            usleep(heir_ms * 1000);
            _exit(0);
        }
        bool told = has_lock && write(tell[1], &child, sizeof child) == (ssize_t)sizeof child;
        _exit(told ? raise(SIGKILL) : 1);
    }
    ck_assert_int_eq(read(tell[0], heir, sizeof *heir), (ssize_t)sizeof *heir);
    close(tell[0]);
    close(tell[1]);
    int status;
    ck_assert_int_eq(waitpid(killed, &status, 0), killed);
    ck_assert(WIFSIGNALED(status));
    return killed;
}

START_TEST(test_one_at_a_time) {
    int lock = lock_file_take(path, 0600, owner);
    ck_assert_int_ge(lock, 0);
    ck_assert_int_eq(lock_file_take(path, 0600, owner), -1);
    ck_assert_int_eq(errno, EWOULDBLOCK);
    ck_assert_int_eq(strtol(owner, NULL, 10), getpid());
    close(lock);
    lock = lock_file_take(path, 0600, owner);
    ck_assert_int_ge(lock, 0);
    close(lock);
}
END_TEST

START_TEST(test_no_folder) {
    char elsewhere[80];
    snprintf(elsewhere, sizeof elsewhere, "%s/none/lock", folder);
    ck_assert_int_eq(lock_file_take(elsewhere, 0600, owner), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(owner, "");
}
END_TEST

// It was forked to execute a program, and has not come to that yet.
START_TEST(test_child_of_killed_owner) {
    pid_t heir;
    kill_owner(300, &heir);
    int lock = lock_file_take(path, 0600, owner);
    ck_assert_int_ge(lock, 0);
    close(lock);
}
END_TEST

START_TEST(test_child_that_stays) {
    pid_t heir;
    pid_t killed = kill_owner(60000, &heir);
    ck_assert_int_eq(lock_file_take(path, 0600, owner), -1);
    ck_assert_int_eq(errno, EWOULDBLOCK);
    ck_assert_int_eq(strtol(owner, NULL, 10), killed);
    kill(heir, SIGKILL);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lock_file");
    TCase *tests = tcase_create("tests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, test_one_at_a_time);
    tcase_add_test(tests, test_no_folder);
    tcase_add_test(tests, test_child_of_killed_owner);
    tcase_add_test(tests, test_child_that_stays);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
