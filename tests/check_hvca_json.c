// SPDX-License-Identifier: Apache-2.0
// What the HVCA API answers, and what it means.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

static struct slice text_slice(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void set_text(char *out, size_t capacity, const char *text) {
    ck_assert(text_copy(out, capacity, text));
}

// ---- parsers -------------------------------------------------------------------------------------

START_TEST(test_login) {
    static const char *const bad[] = {
        "",
        "{}",
        "null",
        "[]",
        "\"abc\"",
        "{\"access_token\":null}",
        "{\"access_token\":7}",
        "{\"access_token\":\"\"}",
        "{\"access_token\":\"a b\"}",
        "{\"access_token\":\"a\\r\\nX: y\"}",
        "{\"access_token\":\"a\\u0000b\"}",
        "{\"access_token\":\"\\u00e4\"}",
        "{\"access_token\":\"a\",\"access_token\":\"b\"}",
        "{\"access_token\":\"a\"} more",
        "<html>",
    };
    struct error error = {0};
    struct buf *token = buf_new(HVCA_TOKEN_MAX);
    ck_assert(
        hvca_parse_login(text_slice("{\"x\":1,\"access_token\":\"a.b-c_d\"}"), token, &error));
    ck_assert_str_eq(buf_text(token), "a.b-c_d");
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        buf_clear(token);
        error = (struct error){0};
        ck_assert_msg(!hvca_parse_login(text_slice(bad[i]), token, &error), "%s", bad[i]);
        ck_assert_int_eq(error.code, E_CA_NONSENSE);
        ck_assert_uint_eq(buf_length(token), 0);
    }
    buf_free(token);
}
END_TEST

START_TEST(test_depth) {
    char deep[4096] = "{\"value\":";
    struct error error = {0};
    int64_t value = 0;
    memset(deep + strlen(deep), '[', 3000);
    ck_assert(!hvca_parse_value(text_slice(deep), &value, &error));
    // Brackets in text do not count.
    ck_assert(
        hvca_parse_value(text_slice("{\"x\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[\",\"value\":5}"),
                         &value, &error));
    ck_assert_int_eq(value, 5);
    ck_assert(!hvca_parse_value(text_slice("{\"value\":-1}"), &value, &error));
    ck_assert(!hvca_parse_value(text_slice("{\"value\":1.5}"), &value, &error));
    ck_assert(!hvca_parse_value(text_slice("{\"value\":99999999999999999999}"), &value, &error));
}
END_TEST

START_TEST(test_problem) {
    static const struct {
        const char *body;
        const char *expected;
    } cases[] = {
        {"{\"description\":\"no\",\"title\":\"t\"}", "no"},
        {"{\"title\":\"t\",\"detail\":\"d\"}", "d"},
        {"{\"title\":\"t\"}", "t"},
        {"{\"description\":\"a\\u001b[2Jb\\u0085\"}", "a\x1b[2Jb\xc2\x85"},
        {"{\"description\":7}", ""},
        {"{}", ""},
        {"[]", ""},
        {"<html>", ""},
        {"", ""},
    };
    char out[HVCA_PROBLEM_SIZE];
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        hvca_parse_problem(text_slice(cases[i].body), out);
        ck_assert_str_eq(out, cases[i].expected);
    }
}
END_TEST

START_TEST(test_certificate) {
    static const char *const bad[] = {
        "{\"certificate\":\"x\"}",
        "{\"certificate\":\"x\",\"status\":\"ISSUING\"}",
        "{\"certificate\":null,\"status\":\"ISSUED\"}",
        "{\"status\":\"ISSUED\"}",
        "[]",
    };
    struct error error = {0};
    struct buf *pem = buf_new(1024);
    bool is_revoked = true;
    ck_assert(hvca_parse_certificate(
        text_slice("{\"certificate\":\"pem\",\"status\":\"ISSUED\",\"updated_at\":5}"), pem,
        &is_revoked, &error));
    ck_assert(!is_revoked);
    ck_assert_str_eq(buf_text(pem), "pem");
    ck_assert(hvca_parse_certificate(text_slice("{\"certificate\":\"\",\"status\":\"REVOKED\"}"),
                                     pem, &is_revoked, &error));
    ck_assert(is_revoked);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!hvca_parse_certificate(text_slice(bad[i]), pem, &is_revoked, &error), "%s",
                      bad[i]);
    }
    buf_free(pem);
}
END_TEST

START_TEST(test_rows) {
    static const char *const bad[] = {
        "{}",
        "[{}]",
        "[7]",
        "[{\"serial_number\":\"01\",\"not_before\":\"7\"}]",
        "[{\"serial_number\":\"../1\",\"not_before\":7}]",
        "[{\"serial_number\":\"\",\"not_before\":7}]",
        "[{\"serial_number\":\"01\",\"not_before\":7},{\"serial_number\":\"02\"}]",
    };
    static struct hvca_row rows[HVCA_ROWS_MAX];
    struct error error = {0};
    size_t count = 9;
    ck_assert(hvca_parse_rows(text_slice("[]"), rows, &count, &error));
    ck_assert_uint_eq(count, 0);
    ck_assert(hvca_parse_rows(
        text_slice("[{\"serial_number\":\"01ab\",\"not_before\":7,\"not_after\":8}]"), rows, &count,
        &error));
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(rows[0].serial, "01ab");
    ck_assert_int_eq(rows[0].not_before_s, 7);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!hvca_parse_rows(text_slice(bad[i]), rows, &count, &error), "%s", bad[i]);
        ck_assert_uint_eq(count, 0);
    }
    struct buf *many = buf_new(HTTP_BODY_MAX);
    ck_assert(buf_put_text(many, "["));
    for (int i = 0; i <= HVCA_ROWS_MAX; i++) {
        ck_assert(buf_printf(many, "%s{\"serial_number\":\"01\",\"not_before\":1}", i ? "," : ""));
    }
    ck_assert(buf_put_text(many, "]"));
    ck_assert(!hvca_parse_rows(buf_slice(many), rows, &count, &error));
    buf_free(many);
}
END_TEST

START_TEST(test_location) {
    static const struct {
        const char *location;
        const char *expected; // NULL: not to be read
    } cases[] = {
        {"/v2/certificates/01ab", "01ab"},
        {"https://elsewhere.example:8443/v2/certificates/01AB", "01AB"},
        {"certificates/01AB", "01AB"},
        {"/01AB?x=/02", "01AB"},
        {"/01AB#/02", "01AB"},
        {"", NULL},
        {"01AB", NULL},
        {"/", NULL},
        {"/01AB/", NULL},
        {"/v2/certificates/", NULL},
        {"/v2/certificates/01-AB", NULL},
        {"/v2/certificates/..", NULL},
        {"/v2/certificates/01AB%2f", NULL},
        {"/0123456789012345678901234567890123456789012345678901234567890123456", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char out[CA_HANDLE_SIZE];
        bool is_read = hvca_read_location(cases[i].location, out);
        ck_assert_msg(is_read == (cases[i].expected != NULL), "%s", cases[i].location);
        if (is_read) {
            ck_assert_str_eq(out, cases[i].expected);
        }
    }
}
END_TEST

// ---- what an answer means ------------------------------------------------------------------------

static const struct {
    enum http_outcome outcome;
    long status;
    const char *location;
    const char *body;
    enum ca_outcome expected;
    enum error_code code;
} answers[] = {
    {HTTP_ANSWERED, 201, "/v2/certificates/01ab", "", CA_ACCEPTED, ERROR_NONE},
    {HTTP_ANSWERED, 201, "", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 200, "/v2/certificates/01ab", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 202, "/v2/certificates/01ab", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 204, "", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 302, "https://x/", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 400, "", "{\"description\":\"bad\"}", CA_REFUSED, E_CA_REFUSED},
    {HTTP_ANSWERED, 401, "", "", CA_NOT_SENT, E_CA_LOGIN},
    {HTTP_ANSWERED, 403, "", "", CA_NOT_SENT, E_CA_LOGIN},
    {HTTP_ANSWERED, 404, "", "", CA_REFUSED, E_CA_REFUSED},
    {HTTP_ANSWERED, 408, "", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 415, "", "", CA_REFUSED, E_CA_REFUSED},
    {HTTP_ANSWERED, 422, "", "{\"description\":\"no such country\"}", CA_REFUSED, E_CA_REFUSED},
    {HTTP_ANSWERED, 422, "", "{\"description\":\"Issuance QUOTA used\"}", CA_NOT_SENT, E_CA_QUOTA},
    {HTTP_ANSWERED, 403, "", "{\"description\":\"quota\"}", CA_NOT_SENT, E_CA_QUOTA},
    {HTTP_ANSWERED, 429, "", "", CA_NOT_SENT, E_CA_BUSY},
    {HTTP_ANSWERED, 500, "", "{\"description\":\"quota\"}", CA_DOUBT, E_CA_DOUBT},
    {HTTP_ANSWERED, 503, "", "", CA_DOUBT, E_CA_DOUBT},
    {HTTP_NOT_SENT, 0, "", "", CA_NOT_SENT, E_CA_UNREACHABLE},
    {HTTP_LOST, 0, "", "", CA_DOUBT, E_CA_DOUBT},
};

START_TEST(test_judge) {
    char handle[CA_HANDLE_SIZE];
    struct ca_result result = {0};
    struct http_response response = {.outcome = answers[_i].outcome,
                                     .status = answers[_i].status,
                                     .body = text_slice(answers[_i].body),
                                     .retry_after_ms = 7000,
                                     .total_count = -1};
    set_text(response.location, sizeof response.location, answers[_i].location);
    if (response.outcome != HTTP_ANSWERED) {
        error_set(&response.error, response.outcome == HTTP_LOST ? E_CA_DOUBT : E_CA_UNREACHABLE,
                  "gone");
    }
    hvca_judge_issue(&response, "", &result, handle);
    ck_assert_int_eq(result.outcome, answers[_i].expected);
    ck_assert_str_eq(error_code_text(result.error.code), error_code_text(answers[_i].code));
    ck_assert_uint_eq(result.retry_after_ms, 7000);
    ck_assert_str_eq(handle, result.outcome == CA_ACCEPTED ? "01ab" : "");
}
END_TEST

// To a rekey: "success" is all that is documented, and the new certificate is not the old one.
static const struct {
    long status;
    const char *location;
    const char *body;
    enum ca_outcome expected;
} rekey_answers[] = {
    {201, "/v2/certificates/01ab", "", CA_ACCEPTED},
    {200, "/v2/certificates/01ab", "", CA_ACCEPTED},
    {202, "/v2/certificates/01ab", "", CA_ACCEPTED},
    {201, "/v2/certificates/01CD", "", CA_DOUBT},
    {200, "", "", CA_DOUBT},
    {204, "/v2/certificates/01ab", "", CA_DOUBT},
    {400, "", "", CA_REFUSED},
    {401, "", "", CA_NOT_SENT},
    {404, "", "", CA_REFUSED},
    {405, "", "", CA_REFUSED},
    {409, "", "", CA_REFUSED},
    {415, "", "", CA_REFUSED},
    {422, "", "", CA_REFUSED},
    {422, "", "{\"description\":\"quota\"}", CA_NOT_SENT},
    {429, "", "", CA_NOT_SENT},
    {500, "", "", CA_DOUBT},
    {503, "", "", CA_DOUBT},
};

START_TEST(test_judge_rekey) {
    char handle[CA_HANDLE_SIZE];
    struct ca_result result = {0};
    struct http_response response = {.outcome = HTTP_ANSWERED,
                                     .status = rekey_answers[_i].status,
                                     .body = text_slice(rekey_answers[_i].body),
                                     .total_count = -1};
    set_text(response.location, sizeof response.location, rekey_answers[_i].location);
    hvca_judge_issue(&response, "01cd", &result, handle);
    ck_assert_int_eq(result.outcome, rekey_answers[_i].expected);
    ck_assert_int_eq(result.error.code == ERROR_NONE, result.outcome == CA_ACCEPTED);
}
END_TEST

static Suite *hvca_json_suite(void) {
    Suite *suite = suite_create("hvca_json");
    TCase *parsers = tcase_create("parsers");
    tcase_add_test(parsers, test_login);
    tcase_add_test(parsers, test_depth);
    tcase_add_test(parsers, test_problem);
    tcase_add_test(parsers, test_certificate);
    tcase_add_test(parsers, test_rows);
    tcase_add_test(parsers, test_location);
    tcase_add_loop_test(parsers, test_judge, 0, ARRAY_LENGTH(answers));
    tcase_add_loop_test(parsers, test_judge_rekey, 0, ARRAY_LENGTH(rekey_answers));
    suite_add_tcase(suite, parsers);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(hvca_json_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
