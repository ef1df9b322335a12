// SPDX-License-Identifier: Apache-2.0
// The step-ca backend against a server that answers what the test wants; the real one is in
// tests/e2e_stepca.sh.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_stepca_internal.h"
#include "station/base/clock.h"
#include "tests/support_stepca.h"

// ---- what is asked for --------------------------------------------------------------------------

// All but the id.
static void assert_claims(json_t *claims) {
    char audience[64];
    json_int_t issued = json_integer_value(json_object_get(claims, "iat"));
    snprintf(audience, sizeof audience, "https://127.0.0.1:%u/1.0/sign", stepca.server.port);
    json_t *expected =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:[s], s:{s:{s:s, s:s}, s:s, s:[s, s]}}", "iss",
                  "station", "aud", audience, "sub", "CAM000000", "iat", issued, "nbf", issued,
                  "exp", issued + 300, "sans", "cam000000.local", "birthcert", "subject",
                  "commonName", "CAM000000", "serialNumber", "CAM000000", "subjectAltName",
                  "MBGCD2NhbTAwMDAwMC5sb2NhbA==", "extKeyUsage", "serverAuth", "clientAuth");
    ck_assert_int_le(llabs(issued - clock_wall_ms() / 1000), 5);
    json_object_del(claims, "jti");
    ck_assert(json_equal(claims, expected));
    json_decref(expected);
}

START_TEST(test_sign) {
    struct error error = {0};
    stepca_start(false);
    const struct client_unit *unit = stepca_submit();
    stepca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "sign");
    ck_assert_msg(client_certificate_is_good(&stepca.client, unit, stepca.root_file, &error), "%s",
                  error.text);
    json_t *root = stepca_last_body();
    json_t *claims = stepca_claims_of(root);
    assert_claims(claims);
    ck_assert_ptr_nonnull(strstr(stepca_text_of(root, "csr"), "BEGIN CERTIFICATE REQUEST"));
    int64_t end_ms = 0;
    ck_assert(clock_parse_utc(stepca_text_of(root, "notAfter"), &end_ms));
    ck_assert_int_le(llabs(end_ms - clock_wall_ms() - 3650 * PKI_DAY_MS), 5000);
    json_decref(claims);
    json_decref(root);
    stepca_stop();
}
END_TEST

static void last_token_id(char out[128]) {
    json_t *root = stepca_last_body();
    json_t *claims = stepca_claims_of(root);
    snprintf(out, 128, "%s", stepca_text_of(claims, "jti"));
    json_decref(claims);
    json_decref(root);
}

// What was recorded makes the same id again, and anything else another.
START_TEST(test_token_id) {
    char first[128];
    char second[128];
    stepca_start(false);
    stepca_submit();
    last_token_id(first);
    ck_assert_uint_eq(strlen(first), 64);
    stepca_reconcile_one();
    last_token_id(second);
    ck_assert_str_eq(first, second);
    stepca.client.units[0].request.sent_ms++;
    stepca_reconcile_one();
    last_token_id(second);
    ck_assert_str_ne(first, second);
    stepca.client.units[0].request.sent_ms--;
    stepca.client.units[0].request.spki_sha256[31] ^= 1;
    stepca_reconcile_one();
    last_token_id(second);
    ck_assert_str_ne(first, second);
    stepca_stop();
    struct ca_request request = {.sent_ms = 1};
    stepca_token_id("a", &request, first);
    stepca_token_id("b", &request, second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(test_endless) {
    stepca_start(false);
    stepca.client.profile.validity_days = 0;
    stepca_submit();
    json_t *root = stepca_last_body();
    ck_assert_str_eq(stepca_text_of(root, "notAfter"), "9999-12-31T23:59:59Z");
    json_decref(root);
    stepca_stop();
}
END_TEST

// ---- what the answers mean ----------------------------------------------------------------------

static const struct {
    long status;
    const char *message; // NULL: not step-ca's answer
    enum ca_outcome outcome;
    enum error_code error;
    enum ca_outcome reconciled;
} faults[] = {
    {400, "The request could not be completed: bad CSR.", CA_REFUSED, E_CA_REFUSED, CA_CANNOT_TELL},
    {403, "forbidden by the certificate authority", CA_REFUSED, E_CA_REFUSED, CA_CANNOT_TELL},
    {400, NULL, CA_NOT_SENT, E_CA_NONSENSE, CA_DOUBT},
    {403, NULL, CA_NOT_SENT, E_CA_LOGIN, CA_DOUBT},
    {404, NULL, CA_NOT_SENT, E_CA_NONSENSE, CA_DOUBT},
    {429, NULL, CA_NOT_SENT, E_CA_BUSY, CA_DOUBT},
    {500, "error applying certificate template", CA_NOT_SENT, E_CA_POLICY, CA_DOUBT},
    {500, "Internal Server Error", CA_DOUBT, E_CA_DOUBT, CA_DOUBT},
    {502, NULL, CA_DOUBT, E_CA_DOUBT, CA_DOUBT},
    {200, NULL, CA_DOUBT, E_CA_DOUBT, CA_DOUBT},
};

START_TEST(test_fault) {
    stepca_start(false);
    if (faults[_i].message != NULL) {
        stepca_set_problem(stepca.sign, faults[_i].status, faults[_i].message);
    } else {
        char line[32];
        snprintf(line, sizeof line, "%ld Status", faults[_i].status);
        stepca_set_answer(stepca.sign, line, "<html>");
    }
    stepca_assert(stepca_submit(), faults[_i].outcome, faults[_i].error, "submit");
    ck_assert_uint_eq(stepca.sign_count, 1);
    ck_assert_int_eq(stepca_reconcile_one()->outcome, faults[_i].reconciled);
    ck_assert_uint_eq(stepca.sign_count, 2);
    ck_assert_uint_eq(stepca.probe_count, 0);
    stepca_stop();
}
END_TEST

static const char *const bad_answers[] = {
    "",
    "{}",
    "[]",
    "{\"crt\":7}",
    "{\"certChain\":[7]}",
    "{\"certChain\":[]}",
    "{\"crt\":\"\"}",
    "{\"crt\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"}",
};

START_TEST(test_malformed) {
    stepca_start(false);
    stepca_set_answer(stepca.sign, "201 Created", bad_answers[_i]);
    stepca_assert(stepca_submit(), CA_DOUBT, E_CA_DOUBT, bad_answers[_i]);
    ck_assert_uint_eq(stepca.sign_count, 1);
    stepca_stop();
}
END_TEST

START_TEST(test_certificate_of_another) {
    stepca_start(false);
    stepca_set_certificate(&stepca.client.units[0], stepca.client.units[1].key);
    stepca_assert(stepca_submit(), CA_DOUBT, E_CA_DOUBT, "another key");
    stepca_stop();
}
END_TEST

// The connection has been used before: curl would send again.
START_TEST(test_lost_answer) {
    stepca_start(false);
    stepca_submit();
    stepca.sign[0] = '\0';
    stepca_assert(stepca_submit(), CA_DOUBT, E_CA_DOUBT, "dropped");
    ck_assert_uint_eq(stepca.sign_count, 2);
    stepca_assert(stepca_reconcile_one(), CA_DOUBT, E_CA_DOUBT, "dropped again");
    ck_assert_uint_eq(stepca.sign_count, 3);
    stepca_set_certificate(&stepca.client.units[0], stepca.client.units[0].key);
    const struct client_unit *unit = stepca_reconcile_one();
    stepca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "it had not arrived");
    ck_assert_int_le(llabs(unit->issued_s - clock_wall_ms() / 1000 + 60), 5);
    stepca_stop();
}
END_TEST

// 401 says one thing to a wrong key and to a used token.
START_TEST(test_used_token) {
    stepca_start(_i == 1);
    stepca_set_problem(stepca.sign, 401, STEPCA_NO);
    stepca_assert(stepca_submit(), CA_DOUBT, E_CA_DOUBT, "a proxy sent it twice");
    ck_assert_uint_eq(stepca.probe_count, 1);
    if (_i == 1) {
        stepca_assert(stepca_reconcile_one(), CA_NOT_ISSUED, E_CA_DOUBT, "resend");
    } else {
        stepca_assert(stepca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "hold");
        ck_assert_ptr_nonnull(strstr(stepca.client.units[0].error.text, "CAM000000"));
    }
    ck_assert_uint_eq(stepca.probe_count, 2);
    stepca_stop();
}
END_TEST

START_TEST(test_wrong_key) {
    stepca_start(_i == 1);
    stepca_set_problem(stepca.sign, 401, STEPCA_NO);
    stepca_set_problem(stepca.probe, 401, STEPCA_NO);
    stepca_assert(stepca_submit(), CA_NOT_SENT, E_CA_LOGIN, "wrong key");
    stepca_assert(stepca_reconcile_one(), CA_DOUBT, E_CA_LOGIN, "it tells nothing");
    stepca_set_answer(stepca.probe, "502 Bad Gateway", "");
    stepca_assert(stepca_submit(), CA_DOUBT, E_CA_UNREACHABLE, "not known");
    stepca_assert(stepca_reconcile_one(), CA_DOUBT, E_CA_UNREACHABLE, "not known");
    stepca_stop();
}
END_TEST

START_TEST(test_fetch) {
    stepca_start(false);
    client_fetch(&stepca.client, &stepca.client.units[0]);
    client_wait(&stepca.client);
    stepca_assert(&stepca.client.units[0], CA_NOT_SENT, E_CA_UNSUPPORTED, "fetch");
    stepca_stop();
}
END_TEST

START_TEST(test_close_in_the_middle) {
    stepca_start(false);
    stepca_set_problem(stepca.sign, 401, STEPCA_NO);
    stepca_submit();
    stepca.server.settings.steps[0] = SERVER_SILENT;
    for (size_t i = 0; i < STEPCA_UNITS; i++) {
        client_submit(&stepca.client, &stepca.client.units[i]);
        client_reconcile(&stepca.client, &stepca.client.units[i]);
    }
    client_check(&stepca.client);
    stepca.client.expected = 1;
    client_fetch(&stepca.client, &stepca.client.units[1]);
    stepca.client.expected = 1;
    client_wait(&stepca.client);
    stepca_stop();
}
END_TEST

static Suite *stepca_suite(void) {
    Suite *suite = suite_create("stepca");
    TCase *tests = tcase_create("stepca");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_sign);
    tcase_add_test(tests, test_token_id);
    tcase_add_test(tests, test_endless);
    tcase_add_loop_test(tests, test_fault, 0, ARRAY_LENGTH(faults));
    tcase_add_loop_test(tests, test_malformed, 0, ARRAY_LENGTH(bad_answers));
    tcase_add_test(tests, test_certificate_of_another);
    tcase_add_test(tests, test_lost_answer);
    tcase_add_loop_test(tests, test_used_token, 0, 2);
    tcase_add_loop_test(tests, test_wrong_key, 0, 2);
    tcase_add_test(tests, test_fetch);
    tcase_add_test(tests, test_close_in_the_middle);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(stepca_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
