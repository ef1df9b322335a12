// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "station/base/secret.h"
#include "tests/support_pki.h"

static char folder[64];
static char path[160];

static void make_folder(void) {
    pki_folder_new(folder);
}

static void remove_folder(void) {
    pki_folder_remove(folder);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static struct slice text(const char *value) {
    return (struct slice){(const uint8_t *)value, strlen(value)};
}

static void expect_failure(const char *file, enum error_code code, const char *part) {
    struct buf *secret = (struct buf *)folder; // anything but NULL
    struct error error = {0};
    ck_assert(!secret_read(file, 100, &secret, &error));
    ck_assert_ptr_null(secret);
    ck_assert_str_eq(error_code_text(error.code), error_code_text(code));
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
    ck_assert_msg(strstr(error.text, file) != NULL, "%s", error.text);
}

static void expect_secret(const char *file, size_t maximum, const char *content) {
    struct buf *secret = NULL;
    struct error error = {0};
    ck_assert_msg(secret_read(file, maximum, &secret, &error), "%s", error.text);
    ck_assert_str_eq(buf_text(secret), content);
    buf_free_secret(secret);
    ck_assert_msg(secret_check(file, &error), "%s", error.text);
}

START_TEST(reads_a_private_file_as_it_is) {
    pki_write_file(folder, "key", 0600, text("s3cret\n"), path);
    expect_secret(path, 7, "s3cret\n");
    pki_write_file(folder, "key", 0400, text("s3cret\n"), path);
    expect_secret(path, 100, "s3cret\n");
}
END_TEST

START_TEST(reads_through_a_link) {
    char link[160];
    pki_write_file(folder, "key", 0600, text("x"), path);
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(symlink(path, link), 0);
    expect_secret(link, 100, "x");
}
END_TEST

START_TEST(refuses_what_others_may_touch) {
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0666, 0644};
    char mode[8];
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        struct error error = {0};
        pki_write_file(folder, "key", modes[i], text("x"), path);
        snprintf(mode, sizeof mode, "%04o", (unsigned)modes[i]);
        expect_failure(path, E_SECRET_EXPOSED, mode);
        ck_assert(!secret_check(path, &error));
        ck_assert_int_eq(error.code, E_SECRET_EXPOSED);
    }
}
END_TEST

START_TEST(refuses_a_stranger_s_file) {
    if (geteuid() != 0) {
        return; // only root can give a file away
    }
    pki_write_file(folder, "key", 0600, text("x"), path);
    ck_assert_int_eq(chown(path, 65534, 65534), 0);
    expect_failure(path, E_SECRET_EXPOSED, "65534");
}
END_TEST

START_TEST(says_what_is_missing) {
    char missing[160];
    snprintf(missing, sizeof missing, "%s/none", folder);
    expect_failure(missing, E_SECRET_MISSING, "No such file");
    expect_failure(folder, E_SECRET_MISSING, "not a regular file");
    pki_write_file(folder, "empty", 0600, text(""), path);
    expect_failure(path, E_SECRET_MISSING, "empty");
}
END_TEST

START_TEST(does_not_hang_on_a_pipe) {
    snprintf(path, sizeof path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_failure(path, E_SECRET_MISSING, "not a regular file");
}
END_TEST

START_TEST(holds_the_maximum) {
    char content[9001];
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    pki_write_file(folder, "key", 0600, text(content), path);
    expect_failure(path, E_SECRET_MISSING, "longer than 100");
    expect_secret(path, 9000, content);
}
END_TEST

START_TEST(finds_systemd_credentials) {
    pki_write_file(folder, "api", 0400, text("x"), path);
    expect_failure("credential:api", E_SECRET_MISSING, "CREDENTIALS_DIRECTORY");
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    expect_secret("credential:api", 100, "x");
    expect_failure("credential:none", E_SECRET_MISSING, "No such file");
    expect_failure("credential:../api", E_SECRET_MISSING, "plain file name");
    expect_failure("credential:a/b", E_SECRET_MISSING, "plain file name");
    expect_failure("credential:", E_SECRET_MISSING, "plain file name");
    expect_failure("credential:..", E_SECRET_MISSING, "plain file name");
    pki_write_file(folder, "open", 0644, text("x"), path);
    expect_failure("credential:open", E_SECRET_EXPOSED, "0644");
    setenv("CREDENTIALS_DIRECTORY", "relative", 1);
    expect_failure("credential:api", E_SECRET_MISSING, "CREDENTIALS_DIRECTORY");
}
END_TEST

// An ACL for the service's user shows as a permission of the group.
START_TEST(takes_the_mode_that_systemd_gives) {
    if (geteuid() != 0) {
        return;
    }
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    pki_write_file(folder, "api", 0440, text("x"), path);
    expect_secret("credential:api", 100, "x");
    expect_failure(path, E_SECRET_EXPOSED, "0440");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("secret");
    TCase *tests = tcase_create("secret");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, reads_a_private_file_as_it_is);
    tcase_add_test(tests, reads_through_a_link);
    tcase_add_test(tests, refuses_what_others_may_touch);
    tcase_add_test(tests, refuses_a_stranger_s_file);
    tcase_add_test(tests, says_what_is_missing);
    tcase_add_test(tests, does_not_hang_on_a_pipe);
    tcase_add_test(tests, holds_the_maximum);
    tcase_add_test(tests, finds_systemd_credentials);
    tcase_add_test(tests, takes_the_mode_that_systemd_gives);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
