// SPDX-License-Identifier: Apache-2.0
#include "ca-client/http_answer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct http_answer answer;

static void set_up(void) {
    ck_assert(http_answer_init(&answer, HTTP_BODY_MAX));
}

static void tear_down(void) {
    http_answer_release(&answer);
}

static bool put(const char *line) {
    return http_answer_header(&answer, (struct slice){(const uint8_t *)line, strlen(line)});
}

START_TEST(test_dates) {
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 ovD 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 paddi",
        "784111777",
    };
    int64_t wall_ms = 0;
    ck_assert(http_parse_date("Sun, 06 Nov 1994 08:49:37 GMT", &wall_ms));
    ck_assert_int_eq(wall_ms, INT64_C(784111777000));
    ck_assert(http_parse_date("Thu, 29 Feb 2024 00:00:00 GMT", &wall_ms));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!http_parse_date(bad[i], &wall_ms), "%s", bad[i]);
    }
}
END_TEST

static const struct {
    const char *value;
    int64_t expected_ms;
} retries[] = {
    {"7", 7000},
    {"0", 0},
    {"3600", 3600000},
    {"3601", 3600000},
    {"99999999999999", 3600000},
    {"99999999999999999999999999", 0},
    {"-5", 0},
    {"7.5", 0},
    {"soon", 0},
    {"", 0},
    {"Sun, 01 Mar 2026 12:00:09 GMT", 9000},
    {"Sun, 01 Mar 2026 11:00:00 GMT", 0},
    {"Sun, 01 Mar 2036 11:00:00 GMT", 3600000},
};

START_TEST(test_retry_after) {
    char line[128];
    snprintf(line, sizeof line, "Retry-After: %s\r\n", retries[_i].value);
    ck_assert(put("HTTP/1.1 503 No\r\n"));
    ck_assert(put(line));
    ck_assert(put("\r\n"));
    http_answer_finish(&answer, INT64_C(1772366400000));
    ck_assert_int_eq(answer.response.retry_after_ms, retries[_i].expected_ms);
}
END_TEST

START_TEST(test_two_locations) {
    ck_assert(put("HTTP/1.1 201 Created\r\n"));
    ck_assert(put("Location: /a/01\r\n"));
    ck_assert(put("location:/a/01\r\n"));
    ck_assert_str_eq(answer.response.location, "/a/01");
    ck_assert(put("LOCATION: /a/02\r\n"));
    ck_assert_str_eq(answer.response.location, "");
    ck_assert(put("Location: /a/01\r\n"));
    ck_assert_str_eq(answer.response.location, "");
}
END_TEST

START_TEST(test_challenges) {
    char line[2048] = "WWW-Authenticate: ";
    const size_t used = strlen(line);
    ck_assert(put("HTTP/1.1 401 Unauthorized\r\n"));
    ck_assert_str_eq(answer.response.authenticate, "");
    ck_assert(put("WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n"));
    memset(line + used, 'x', 1000);
    ck_assert(put(line)); // no room for it beside the first
    ck_assert(put("www-authenticate: Basic realm=\"a\"\r\n"));
    ck_assert_str_eq(answer.response.authenticate,
                     "Digest realm=\"a\", nonce=\"b\", Basic realm=\"a\"");
    memset(line + used, 'x', sizeof line - used - 1);
    ck_assert(put(line)); // over every cap
    ck_assert_str_eq(answer.response.authenticate,
                     "Digest realm=\"a\", nonce=\"b\", Basic realm=\"a\"");
}
END_TEST

START_TEST(test_trailer_is_not_looked_at) {
    ck_assert(put("HTTP/1.1 201 Created\r\n"));
    ck_assert(put("\r\n"));
    ck_assert(put("Location: /a/01\r\n"));
    ck_assert(put("HTTP/1.1 201 Created\r\n"));
    ck_assert(put("Location: /a/02\r\n"));
    ck_assert_str_eq(answer.response.location, "");
}
END_TEST

START_TEST(test_strange_lines) {
    static const char *const lines[] = {
        ": x\r\n",           "Location\r\n",         "Location :/a\r\n",
        " Location: /a\r\n", "Location: /a\x01\r\n", "Location: /a\rLocation: /b\r\n",
    };
    ck_assert(put("HTTP/1.1 201 Created\r\n"));
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        ck_assert(put(lines[i]));
        ck_assert_str_eq(answer.response.location, "");
    }
}
END_TEST

START_TEST(test_too_long_values) {
    char line[4096] = "Location: /";
    memset(line + strlen(line), 'a', 600);
    ck_assert(put("HTTP/1.1 201 Created\r\n"));
    ck_assert(put(line));
    ck_assert_str_eq(answer.response.location, "");
    memcpy(line, "Total-Count: 9999999999999999999999", 36);
    ck_assert(put(line));
    ck_assert_int_eq(answer.response.total_count, -1);
}
END_TEST

START_TEST(test_caps) {
    size_t lines = 0;
    while (put("X: y\r\n")) {
        lines++;
    }
    ck_assert_uint_eq(lines, HTTP_HEADER_LINES_MAX);
    http_answer_release(&answer);
    ck_assert(http_answer_init(&answer, HTTP_BODY_MAX));
    static uint8_t long_line[HTTP_HEADER_BYTES_MAX + 1];
    memset(long_line, 'x', sizeof long_line);
    ck_assert(!http_answer_header(&answer, (struct slice){long_line, sizeof long_line}));
    static uint8_t piece[HTTP_BODY_MAX / 4];
    for (int i = 0; i < 4; i++) {
        ck_assert(http_answer_body(&answer, (struct slice){piece, sizeof piece}));
    }
    ck_assert(!answer.is_too_long);
    ck_assert(!http_answer_body(&answer, (struct slice){piece, 1}));
    ck_assert(answer.is_too_long);
}
END_TEST

START_TEST(test_loopback_urls) {
    static const char *const loopback[] = {"http://127.0.0.1", "http://127.0.0.1:80/v2",
                                           "http://127.9.8.7/", "HTTP://[::1]/",
                                           "http://[::1]:8080"};
    static const char *const others[] = {"https://127.0.0.1/",
                                         "http://128.0.0.1/",
                                         "http://[::1].example/",
                                         "http://[::2]/",
                                         "http://127.0.0.1x/",
                                         "",
                                         "http://",
                                         "http://127/"};
    for (size_t i = 0; i < ARRAY_LENGTH(loopback); i++) {
        ck_assert_msg(http_url_is_loopback(loopback[i]), "%s", loopback[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        ck_assert_msg(!http_url_is_loopback(others[i]), "%s", others[i]);
    }
}
END_TEST

static Suite *http_answer_suite(void) {
    Suite *suite = suite_create("http_answer");
    TCase *tests = tcase_create("answer");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_dates);
    tcase_add_loop_test(tests, test_retry_after, 0, ARRAY_LENGTH(retries));
    tcase_add_test(tests, test_two_locations);
    tcase_add_test(tests, test_trailer_is_not_looked_at);
    tcase_add_test(tests, test_challenges);
    tcase_add_test(tests, test_strange_lines);
    tcase_add_test(tests, test_too_long_values);
    tcase_add_test(tests, test_caps);
    tcase_add_test(tests, test_loopback_urls);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(http_answer_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
