// SPDX-License-Identifier: Apache-2.0
// Text on its way to a person: hostile bytes are escaped wherever it passes, and what is printable
// stays as it is, however often it passes.
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "station/app/output_safe.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/base/error.h"
#include "station/base/log.h"

// As RFC 4514 writes it: the backslash is part of the text.
#define NAME "CN=Issuing CA,O=ACME\\, Inc."
#define HOSTILE "\033[2J\r\n\xff"
#define HOSTILE_ESCAPED "\\x1b[2J\\x0d\\x0a\\xff"

static void escape(char out[64], const char *text) {
    text_escape(out, 64, text, strlen(text));
}

START_TEST(test_each_byte) {
    char text[64];
    char expected[8];
    for (int byte = 1; byte < 256; byte++) {
        const char one[] = {(char)byte, '\0'};
        bool is_printable = byte >= 0x20 && byte <= 0x7e;
        snprintf(expected, sizeof expected, is_printable ? "%c" : "\\x%02x", byte);
        escape(text, one);
        ck_assert_str_eq(text, expected);
        ck_assert_str_eq(SAFE(one), expected);
    }
    text_escape(text, sizeof text, "a\0b", 3);
    ck_assert_str_eq(text, "a\\x00b");
}
END_TEST

START_TEST(test_twice_is_once) {
    char once[64];
    char twice[64];
    escape(once, NAME HOSTILE);
    ck_assert_str_eq(once, NAME HOSTILE_ESCAPED);
    escape(twice, once);
    ck_assert_str_eq(twice, once);
    ck_assert_str_eq(SAFE(once), once);
}
END_TEST

START_TEST(test_never_cut_inside_an_escape) {
    char text[64];
    for (size_t capacity = 1; capacity < 16; capacity++) {
        text_escape(text, capacity, "\001\002\003", 3);
        ck_assert_uint_eq(strlen(text), (capacity - 1) / 4 * 4);
    }
}
END_TEST

START_TEST(test_error) {
    struct error first;
    struct error error;
    ck_assert(!error_set(&first, E_CERT_CHAIN, "%s", NAME HOSTILE));
    ck_assert_str_eq(first.text, NAME HOSTILE_ESCAPED);
    ck_assert(!error_set(&error, E_CA_CONFIG, "%s", first.text));
    ck_assert_str_eq(error.text, NAME HOSTILE_ESCAPED);
    ck_assert(!error_prefix(&error, "%s", NAME HOSTILE));
    ck_assert_str_eq(error.text, NAME HOSTILE_ESCAPED ": " NAME HOSTILE_ESCAPED);
}
END_TEST

// Ends in "..." where it does not fit, after a whole word where there is one, and never inside an escape.
START_TEST(test_long_error) {
    char text[ERROR_TEXT_MAX + 8];
    struct error error;
    memset(text, 'x', sizeof text);
    text[ERROR_TEXT_MAX - 1] = '\0';
    ck_assert(!error_set(&error, E_CONFIG, "%s", text));
    ck_assert_str_eq(error.text, text); // it fits
    text[ERROR_TEXT_MAX - 1] = 'x';
    text[ERROR_TEXT_MAX] = '\0';
    text[230] = ' ';
    ck_assert(!error_set(&error, E_CONFIG, "%s", text));
    ck_assert_uint_eq(strlen(error.text), 234);
    ck_assert_str_eq(error.text + 229, "x ...");
    ck_assert(!error_prefix(&error, "%s", text));
    ck_assert_uint_eq(strlen(error.text), 234);
    for (size_t before = 0; before < 4; before++) {
        memset(text, '\n', sizeof text - 1);
        memset(text, 'x', before);
        text[sizeof text - 1] = '\0';
        ck_assert(!error_set(&error, E_CONFIG, "%s", text));
        size_t length = strlen(error.text);
        ck_assert_uint_eq(length, before + (ERROR_TEXT_MAX - 4 - before) / 4 * 4 + 3);
        ck_assert_str_eq(error.text + length - 7, "\\x0a...");
    }
}
END_TEST

// What is written to stderr until log_end, which takes it.
static FILE *log_begin(int *kept) {
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    *kept = dup(STDERR_FILENO);
    ck_assert_int_ge(*kept, 0);
    ck_assert_int_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    return file;
}

static void log_end(FILE *file, int kept, char *out, size_t capacity) {
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    rewind(file);
    out[fread(out, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

START_TEST(test_log) {
    char said[1024];
    int kept;
    struct error error;
    error_set(&error, E_CERT_CHAIN, "%s", NAME HOSTILE);
    FILE *file = log_begin(&kept);
    log_error(NAME HOSTILE, &error);
    log_end(file, kept, said, sizeof said);
    ck_assert_ptr_nonnull(
        strstr(said, "error: " NAME HOSTILE_ESCAPED ": E-CERT-CHAIN " NAME HOSTILE_ESCAPED "; "));
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}
END_TEST

// For machines: one object a line, whatever the text holds.
START_TEST(test_log_json) {
    char said[4096];
    char text[600];
    int kept;
    json_error_t fault;
    memset(text, '"', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    FILE *file = log_begin(&kept);
    log_set_json(true);
    log_write(LOG_ERROR, "%s", NAME HOSTILE "\"");
    log_write(LOG_WARNING, "%s%s", text, text); // cut, and each of its bytes becomes two
    log_end(file, kept, said, sizeof said);
    char *second = strchr(said, '\n');
    ck_assert_ptr_nonnull(second);
    *second++ = '\0';
    json_t *first = json_loads(said, 0, &fault);
    json_t *last = json_loads(second, 0, &fault);
    ck_assert_str_eq(json_string_value(json_object_get(first, "type")), "log");
    ck_assert_str_eq(json_string_value(json_object_get(first, "level")), "error");
    ck_assert_str_eq(json_string_value(json_object_get(first, "text")), NAME HOSTILE_ESCAPED "\"");
    int64_t wall_ms = 0;
    ck_assert(clock_parse_utc(json_string_value(json_object_get(first, "at")), &wall_ms));
    ck_assert_str_eq(json_string_value(json_object_get(last, "level")), "warning");
    ck_assert_uint_eq(json_string_length(json_object_get(last, "text")), 1000);
    json_decref(first);
    json_decref(last);
}
END_TEST

static Suite *text_suite(void) {
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, test_each_byte);
    tcase_add_test(tests, test_twice_is_once);
    tcase_add_test(tests, test_never_cut_inside_an_escape);
    tcase_add_test(tests, test_error);
    tcase_add_test(tests, test_long_error);
    tcase_add_test(tests, test_log);
    tcase_add_test(tests, test_log_json);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(text_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
