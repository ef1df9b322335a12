// SPDX-License-Identifier: Apache-2.0
// The cfssl backend against a server that answers what the test wants; the real one is in
// tests/e2e_cfssl.sh.
#include <check.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_cfssl.h"

// ---- what is asked for --------------------------------------------------------------------------

static void assert_request(const json_t *root) {
    json_t *rest = json_deep_copy(root);
    const char *csr = json_string_value(json_object_get(rest, "certificate_request"));
    json_t *expected =
        json_pack("{s:s, s:s, s:[s], s:{s:s, s:s, s:[{s:s}]}}", "profile", "camera", "label",
                  "line-1", "hosts", "cam000000.local", "subject", "CN", "CAM000000",
                  "SerialNumber", "CAM000000", "names", "O", "Maker \"&\" Söhne");
    ck_assert_ptr_nonnull(csr);
    ck_assert_int_eq(strncmp(csr, "-----BEGIN CERTIFICATE REQUEST-----\n", 36), 0);
    json_object_del(rest, "certificate_request");
    ck_assert(json_equal(rest, expected));
    json_decref(expected);
    json_decref(rest);
}

START_TEST(test_sign) {
    struct error error = {0};
    cfssl_start(false, false);
    const struct client_unit *unit = cfssl_submit();
    cfssl_assert(unit, CA_CERTIFICATE, ERROR_NONE, "sign");
    ck_assert_msg(client_certificate_is_good(&cfssl.client, unit, cfssl.root_file, &error), "%s",
                  error.text);
    ck_assert_ptr_nonnull(strstr(cfssl.server.last_request, "POST /api/v1/cfssl/sign HTTP/1.1"));
    ck_assert_uint_eq(cfssl.server.requests, 2); // info, sign
    snprintf(cfssl.client.profile.organization, sizeof cfssl.client.profile.organization,
             "Maker \"&\" Söhne");
    cfssl_submit();
    json_t *root = cfssl_last_body();
    assert_request(root);
    json_decref(root);
    ck_assert_uint_eq(cfssl.server.requests, 3); // the policy is known
    cfssl_stop();
}
END_TEST

static struct buf *decode(const json_t *root, const char *member) {
    const char *text = json_string_value(json_object_get(root, member));
    ck_assert_ptr_nonnull(text);
    struct buf *out = buf_new(CFSSL_ANSWER_SIZE);
    uint8_t bytes[CFSSL_ANSWER_SIZE];
    int length = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)strlen(text));
    ck_assert_int_ge(length, 0);
    for (size_t i = strlen(text); text[i - 1] == '='; i--) {
        length--;
    }
    ck_assert(buf_put(out, bytes, (size_t)length));
    return out;
}

START_TEST(test_authsign) {
    static const uint8_t key[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    cfssl_start(true, false);
    snprintf(cfssl.client.profile.organization, sizeof cfssl.client.profile.organization,
             "Maker \"&\" Söhne");
    cfssl_submit();
    ck_assert_ptr_nonnull(
        strstr(cfssl.server.last_request, "POST /api/v1/cfssl/authsign HTTP/1.1"));
    json_t *root = cfssl_last_body();
    struct buf *token = decode(root, "token");
    struct buf *request = decode(root, "request");
    struct slice data = buf_slice(request);
    ck_assert_ptr_nonnull(
        HMAC(EVP_sha256(), key, sizeof key, data.data, data.length, expected, &length));
    ck_assert(slice_equal(buf_slice(token), (struct slice){expected, length}));
    json_t *inner = json_loads(buf_text(request), 0, NULL);
    assert_request(inner);
    json_decref(inner);
    json_decref(root);
    buf_free(token);
    buf_free(request);
    cfssl_stop();
}
END_TEST

// Nothing is bought that could not be installed.
START_TEST(test_names_that_cannot_be) {
    cfssl_start(false, false);
    snprintf(cfssl.client.profile.dns_names[0], sizeof cfssl.client.profile.dns_names[0],
             "10.0.0.7");
    cfssl_assert(cfssl_submit(), CA_REFUSED, E_CA_POLICY, "an address");
    snprintf(cfssl.client.profile.dns_names[0], sizeof cfssl.client.profile.dns_names[0],
             "{nothing}");
    cfssl_assert(cfssl_submit(), CA_REFUSED, E_CONFIG, "a placeholder");
    ck_assert_uint_eq(cfssl.sign_count, 0);
    cfssl_stop();
}
END_TEST

// ---- what the answers mean ----------------------------------------------------------------------

static const struct {
    const char *status;
    int code; // 0: not cfssl's answer
    const char *message;
    enum ca_outcome outcome;
    enum error_code error;
    uint32_t retry_after_ms;
} sign_faults[] = {
    {"400 Bad Request", 400, "Unable to parse sign request", CA_REFUSED, E_CA_REFUSED, 0},
    {"400 Bad Request", 5500, "Policy violation", CA_REFUSED, E_CA_REFUSED, 0},
    {"400 Bad Request", 9002, "CSR Decode failed", CA_REFUSED, E_CA_REFUSED, 0},
    {"400 Bad Request", 400, "invalid token", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"400 Bad Request", 400, "authentication required", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"400 Bad Request", 400, "no authentication provider", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"400 Bad Request", 10100, "no log", CA_DOUBT, E_CA_DOUBT, 0},
    {"400 Bad Request", 11000, "database is locked", CA_DOUBT, E_CA_DOUBT, 0},
    {"400 Bad Request", 1, "bad request", CA_DOUBT, E_CA_DOUBT, 0},
    {"400 Bad Request", 1, "invalid profile", CA_REFUSED, E_CA_REFUSED, 0},
    {"400 Bad Request", 0, "<html>a proxy's</html>", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"401 Unauthorized", 1, "authorisation required", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"403 Forbidden", 0, "Invalid CN", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"404 Not Found", 0, "404 page not found", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"405 Method Not Allowed", 405, "no", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"413 Too Large", 0, "", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"429 Too Many\r\nRetry-After: 7", 0, "", CA_NOT_SENT, E_CA_BUSY, 7000},
    {"500 Internal Server Error", 500, "bug", CA_DOUBT, E_CA_DOUBT, 0},
    {"502 Bad Gateway", 0, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"503 Unavailable\r\nRetry-After: 3", 0, "", CA_DOUBT, E_CA_DOUBT, 3000},
    {"201 Created", 0, "{}", CA_DOUBT, E_CA_DOUBT, 0},
    {"302 Found\r\nLocation: https://elsewhere.example/", 0, "", CA_DOUBT, E_CA_DOUBT, 0},
};

START_TEST(test_sign_fault) {
    cfssl_start(false, false);
    if (sign_faults[_i].code != 0) {
        cfssl_set_problem(cfssl.sign, sign_faults[_i].status, sign_faults[_i].code,
                          sign_faults[_i].message);
    } else {
        cfssl_set_answer(cfssl.sign, sign_faults[_i].status, sign_faults[_i].message);
    }
    const struct client_unit *unit = cfssl_submit();
    cfssl_assert(unit, sign_faults[_i].outcome, sign_faults[_i].error, sign_faults[_i].message);
    ck_assert_uint_eq(unit->retry_after_ms, sign_faults[_i].retry_after_ms);
    if (sign_faults[_i].code != 0) {
        ck_assert_ptr_nonnull(strstr(unit->error.text, sign_faults[_i].message));
    }
    ck_assert_uint_eq(cfssl.sign_count, 1);
    cfssl_stop();
}
END_TEST

static const char *const bad_certificates[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"success\":true}",
    "{\"success\":true,\"result\":[]}",
    "{\"success\":true,\"result\":{}}",
    "{\"success\":true,\"result\":{\"certificate\":7}}",
    "{\"success\":true,\"result\":{\"certificate\":\"\"}}",
    "{\"success\":true,\"result\":{\"certificate\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END "
    "CERTIFICATE-----\\n\"}}",
    "{\"success\":false,\"result\":null,\"errors\":[{\"code\":400,\"message\":\"no\"}]}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(test_malformed_certificate) {
    cfssl_start(false, false);
    cfssl_set_answer(cfssl.sign, "200 OK", bad_certificates[_i]);
    cfssl_assert(cfssl_submit(), CA_DOUBT, E_CA_DOUBT, bad_certificates[_i]);
    ck_assert_uint_eq(cfssl.sign_count, 1);
    cfssl_stop();
}
END_TEST

START_TEST(test_certificate_of_another) {
    cfssl_start(false, false);
    cfssl_set_certificate(&cfssl.client.units[0], cfssl.client.units[1].key);
    cfssl_assert(cfssl_submit(), CA_DOUBT, E_CA_DOUBT, "another key");
    cfssl_stop();
}
END_TEST

// The connection has been used before: curl would send again.
START_TEST(test_lost_answer) {
    cfssl_start(false, false);
    cfssl.sign[0] = '\0';
    cfssl_assert(cfssl_submit(), CA_DOUBT, E_CA_DOUBT, "dropped");
    ck_assert_uint_eq(cfssl.sign_count, 1);
    client_reconcile(&cfssl.client, &cfssl.client.units[0]);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], CA_CANNOT_TELL, E_UNIT_HELD, "hold");
    ck_assert_ptr_nonnull(strstr(cfssl.client.units[0].error.text, "serial CAM000000"));
    ck_assert_ptr_nonnull(
        strstr(cfssl.client.units[0].error.text, "administrator of CA factory for key SHA-256"));
    ck_assert_uint_eq(cfssl.server.requests, 2);
    cfssl_stop();
}
END_TEST

START_TEST(test_half_an_answer) {
    cfssl_start(false, false);
    snprintf(
        cfssl.sign, sizeof cfssl.sign,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 900\r\n\r\n{\"success\":true,");
    cfssl.server.settings.steps[0] = SERVER_ANSWER_CLOSE;
    cfssl_assert(cfssl_submit(), CA_DOUBT, E_CA_DOUBT, "half a body");
    ck_assert_uint_eq(cfssl.sign_count, 1);
    cfssl_stop();
}
END_TEST

START_TEST(test_resend) {
    cfssl_start(false, true);
    client_reconcile(&cfssl.client, &cfssl.client.units[0]);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], CA_NOT_ISSUED, E_CA_DOUBT, "resend");
    cfssl_stop();
}
END_TEST

START_TEST(test_fetch) {
    cfssl_start(false, false);
    snprintf(cfssl.client.units[0].handle, sizeof cfssl.client.units[0].handle, "01AB");
    client_fetch(&cfssl.client, &cfssl.client.units[0]);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], CA_NOT_SENT, E_CA_UNSUPPORTED, "fetch");
    ck_assert_ptr_nonnull(strstr(cfssl.client.units[0].error.text, "01AB"));
    cfssl_stop();
}
END_TEST

START_TEST(test_many_over_few_connections) {
    cfssl_start(false, false);
    for (size_t i = 0; i < CFSSL_UNITS; i++) {
        client_submit(&cfssl.client, &cfssl.client.units[i]);
    }
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], CA_CERTIFICATE, ERROR_NONE, "its own");
    for (size_t i = 1; i < CFSSL_UNITS; i++) {
        cfssl_assert(&cfssl.client.units[i], CA_DOUBT, E_CA_DOUBT, "that of unit 0");
    }
    ck_assert_uint_le(cfssl.server.connections, 4);
    ck_assert_uint_eq(cfssl.sign_count, CFSSL_UNITS);
    cfssl_stop();
}
END_TEST

START_TEST(test_close_in_the_middle) {
    cfssl_start(false, false);
    cfssl.server.settings.steps[0] = SERVER_SILENT;
    for (size_t i = 0; i < CFSSL_UNITS; i++) {
        client_submit(&cfssl.client, &cfssl.client.units[i]);
        client_reconcile(&cfssl.client, &cfssl.client.units[i]);
    }
    client_check(&cfssl.client);
    cfssl.client.expected = CFSSL_UNITS; // of them all: the reconciliations
    client_wait(&cfssl.client);
    cfssl_stop();
}
END_TEST

static Suite *cfssl_suite(void) {
    Suite *suite = suite_create("cfssl");
    TCase *tests = tcase_create("issue");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_sign);
    tcase_add_test(tests, test_authsign);
    tcase_add_test(tests, test_names_that_cannot_be);
    tcase_add_loop_test(tests, test_sign_fault, 0, ARRAY_LENGTH(sign_faults));
    tcase_add_loop_test(tests, test_malformed_certificate, 0, ARRAY_LENGTH(bad_certificates));
    tcase_add_test(tests, test_certificate_of_another);
    tcase_add_test(tests, test_lost_answer);
    tcase_add_test(tests, test_half_an_answer);
    tcase_add_test(tests, test_resend);
    tcase_add_test(tests, test_fetch);
    tcase_add_test(tests, test_many_over_few_connections);
    tcase_add_test(tests, test_close_in_the_middle);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(cfssl_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
