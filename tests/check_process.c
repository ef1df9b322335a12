// SPDX-License-Identifier: Apache-2.0
// Programs that answer, and such that do everything else.
#include "station/io/process.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_folder.h"

static struct loop *loop;
static struct error error;
static int results;
static enum process_end end;
static int status;
static char output[256];
static char messages[PROCESS_MESSAGES_MAX + 1];

static void set_up(void) {
    signal(SIGPIPE, SIG_IGN); // as the program does
    ck_assert(loop_new(&loop, &error));
    results = 0;
}

static void tear_down(void) {
    loop_free(loop);
}

static void handle_result(void *context, const struct process_result *result) {
    (void)context;
    results++;
    end = result->end;
    status = result->status;
    snprintf(output, sizeof output, "%.*s", (int)result->output.length,
             (const char *)result->output.data);
    snprintf(messages, sizeof messages, "%.*s", (int)result->messages.length,
             (const char *)result->messages.data);
    loop_stop(loop);
}

static struct process *start(const char *script, const char *input, uint32_t timeout_ms) {
    const char *const arguments[] = {"/bin/sh", "-c", script, NULL};
    const struct process_settings settings = {
        .arguments = arguments,
        .input = {(const uint8_t *)input, strlen(input)},
        .output_max = 100,
        .timeout_ms = timeout_ms,
    };
    struct process *process = NULL;
    ck_assert_msg(process_start(loop, &settings, handle_result, NULL, &process, &error), "%s",
                  error.text);
    ck_assert_int_eq(results, 0);
    return process;
}

static void run(const char *script, const char *input, uint32_t timeout_ms) {
    start(script, input, timeout_ms);
    loop_run(loop);
    ck_assert_int_eq(results, 1);
}

START_TEST(test_question_and_answer) {
    run("read question; echo \"$question!\"; echo note >&2; exit 7", "hello\n", 60000);
    ck_assert_int_eq(end, PROCESS_EXITED);
    ck_assert_int_eq(status, 7);
    ck_assert_str_eq(output, "hello!\n");
    ck_assert_str_eq(messages, "note\n");
}
END_TEST

// A pipe holds less than this: input and output have to flow side by side.
START_TEST(test_large_input) {
    char *input = malloc(1 << 20);
    ck_assert_ptr_nonnull(input);
    memset(input, 'x', (1 << 20) - 1);
    input[(1 << 20) - 1] = '\0';
    run("wc -c", input, 60000);
    ck_assert_int_eq(atoi(output), (1 << 20) - 1);
    free(input);
}
END_TEST

START_TEST(test_input_that_nobody_reads) {
    char *input = malloc(1 << 20);
    ck_assert_ptr_nonnull(input);
    memset(input, 'x', (1 << 20) - 1);
    input[(1 << 20) - 1] = '\0';
    run("exec <&-; echo answer", input, 60000);
    ck_assert_int_eq(end, PROCESS_EXITED);
    ck_assert_str_eq(output, "answer\n");
    free(input);
}
END_TEST

START_TEST(test_signal) {
    run("kill -s KILL $$", "", 60000);
    ck_assert_int_eq(end, PROCESS_SIGNALLED);
    ck_assert_int_eq(status, SIGKILL);
}
END_TEST

START_TEST(test_silence) {
    run("sleep 600", "", 50);
    ck_assert_int_eq(end, PROCESS_TIMED_OUT);
}
END_TEST

START_TEST(test_too_much) {
    run("exec cat /dev/zero", "", 60000);
    ck_assert_int_eq(end, PROCESS_TOO_LOUD);
    results = 0;
    run("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo done", "", 60000);
    ck_assert_int_eq(end, PROCESS_EXITED);
    ck_assert_str_eq(output, "done\n");
    ck_assert_uint_eq(strlen(messages), PROCESS_MESSAGES_MAX);
}
END_TEST

// What it leaves behind must not hold up its answer, and ends with the process where that is cut.
START_TEST(test_left_behind) {
    run("(sleep 600)& echo answer", "", 60000);
    ck_assert_int_eq(end, PROCESS_EXITED);
    ck_assert_str_eq(output, "answer\n");
}
END_TEST

START_TEST(test_children_end_with_it) {
    char script[256];
    char path[128];
    folder_make();
    folder_path(path, sizeof path, "alive");
    snprintf(script, sizeof script,
             "(trap '' HUP TERM INT; while sleep 0.05; do echo x >>%s; done)& sleep 600", path);
    run(script, "", 300);
    ck_assert_int_eq(end, PROCESS_TIMED_OUT);
    usleep(150000);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    usleep(300000);
    fseek(file, 0, SEEK_END);
    ck_assert_int_eq(ftell(file), length);
    fclose(file);
    folder_remove();
}
END_TEST

// Nothing of the station is given to it but what the header says.
START_TEST(test_inherits_nothing) {
    int leaked = dup2(STDOUT_FILENO, 77); // without O_CLOEXEC, on purpose
    ck_assert_int_eq(leaked, 77);
    ck_assert_int_eq(setenv("BIRTHCERT_SECRET", "x", 1), 0);
    run("env | grep -v -e ^PATH= -e ^LC_ALL= -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; pwd; echo "
        "/proc/$$/fd/*",
        "", 60000);
    ck_assert_ptr_nonnull(strstr(output, "/\n/proc/"));
    ck_assert_ptr_nonnull(strstr(output, "/fd/2"));
    ck_assert_ptr_null(strstr(output, "/fd/77"));
    close(leaked);
}
END_TEST

START_TEST(test_no_such_program) {
    const char *const arguments[] = {"/nowhere/program", NULL};
    const struct process_settings settings = {
        .arguments = arguments, .output_max = 100, .timeout_ms = 1000};
    struct process *process = NULL;
    ck_assert(!process_start(loop, &settings, handle_result, NULL, &process, &error));
    ck_assert_int_eq(error.code, E_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/program"));
    ck_assert_ptr_null(process);
}
END_TEST

START_TEST(test_free_while_it_runs) {
    process_free(start("sleep 600", "", 60000));
    process_free(NULL);
    ck_assert_int_eq(results, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_question_and_answer);
    tcase_add_test(tests, test_large_input);
    tcase_add_test(tests, test_input_that_nobody_reads);
    tcase_add_test(tests, test_signal);
    tcase_add_test(tests, test_silence);
    tcase_add_test(tests, test_too_much);
    tcase_add_test(tests, test_left_behind);
    tcase_add_test(tests, test_children_end_with_it);
    tcase_add_test(tests, test_inherits_nothing);
    tcase_add_test(tests, test_no_such_program);
    tcase_add_test(tests, test_free_while_it_runs);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
