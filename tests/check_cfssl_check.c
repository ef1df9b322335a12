// SPDX-License-Identifier: Apache-2.0
// The cfssl backend: what it finds before anything is bought, and what it revokes.
#include <check.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_cfssl.h"

// ---- the policy ---------------------------------------------------------------------------------

static const struct {
    const char *usages;
    const char *expiry;
    const char *says; // NULL: it fits
} policies[] = {
    {"[\"signing\",\"key encipherment\",\"server auth\",\"client auth\"]", "87600h", NULL},
    {"[\"digital signature\",\"server auth\",\"client auth\"]", "78840h", NULL}, // nine tenths
    {"[\"digital signature\",\"server auth\",\"client auth\"]", "78839h", "expiry"},
    {"[\"digital signature\",\"server auth\",\"client auth\"]", "87600h0m1s", "expiry"},
    {"[\"digital signature\",\"server auth\",\"client auth\"]", "8760h", "3650 days"},
    {"[\"server auth\",\"client auth\"]", "87600h", "lacks \"digital signature\""},
    {"[\"digital signature\",\"server auth\"]", "87600h", "lacks \"client auth\""},
    {"[\"digital signature\",\"client auth\"]", "87600h", "lacks \"server auth\""},
    {"[\"digital signature\",\"server auth\",\"client auth\",\"cert sign\"]", "87600h",
     "adds \"cert sign\""},
    {"[\"digital signature\",\"server auth\",\"client auth\",\"any\",\"code signing\"]", "87600h",
     "adds \"any\""},
};

START_TEST(test_policy) {
    cfssl_start(false, false);
    cfssl_set_info(policies[_i].usages, policies[_i].expiry);
    cfssl_set_problem(cfssl.sign, "400 Bad Request", 9002, "CSR Decode failed");
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    bool fits = policies[_i].says == NULL;
    ck_assert_msg(cfssl.client.report.policy_fits == fits, "%s %s: %s", policies[_i].usages,
                  policies[_i].expiry, cfssl.client.report.error.text);
    ck_assert(cfssl.client.report.reachable && cfssl.client.report.logged_in);
    ck_assert_int_eq(cfssl.client.report.login, CA_LOGIN_NONE);
    ck_assert_int_eq(cfssl.client.report.quota, -1);
    ck_assert_str_eq(cfssl.client.report.chain[0], "CN=Factory,O=Test");
    if (!fits) {
        ck_assert_int_eq(cfssl.client.report.error.code, E_CA_POLICY);
        ck_assert_ptr_nonnull(strstr(cfssl.client.report.error.text, policies[_i].says));
        // Nor is anything bought under it.
        cfssl_assert(cfssl_submit(), CA_NOT_SENT, E_CA_POLICY, policies[_i].says);
        ck_assert_uint_eq(cfssl.sign_count, 1); // the check's
    }
    cfssl_stop();
}
END_TEST

START_TEST(test_surplus_for_a_server) {
    cfssl_start(false, false);
    cfssl.client.profile.client_auth = false;
    cfssl_assert(cfssl_submit(), CA_NOT_SENT, E_CA_POLICY, "surplus");
    ck_assert_ptr_nonnull(strstr(cfssl.client.units[0].error.text, "adds \"client auth\""));
    cfssl_stop();
}
END_TEST

START_TEST(test_hardware_name) {
    cfssl_start(false, false);
    ck_assert(profile_built_in("idevid", &cfssl.client.profile));
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    ck_assert(!cfssl.client.report.policy_fits);
    ck_assert_int_eq(cfssl.client.report.error.code, E_CA_POLICY);
    ck_assert_ptr_nonnull(strstr(cfssl.client.report.error.text, "hardware_type"));
    cfssl_assert(cfssl_submit(), CA_NOT_SENT, E_CA_POLICY, "hardware");
    cfssl_stop();
}
END_TEST

static const char *const bad_infos[] = {
    "nonsense",
    "{\"success\":true,\"result\":{}}",
    "{\"success\":true,\"result\":{\"usages\":7,\"expiry\":\"1h\",\"certificate\":\"\"}}",
    "{\"success\":true,\"result\":{\"usages\":[7],\"expiry\":\"1h\",\"certificate\":\"\"}}",
    "{\"success\":true,\"result\":{\"usages\":[],\"expiry\":\"\",\"certificate\":\"\"}}",
    "{\"success\":true,\"result\":{\"usages\":[],\"expiry\":\"1h\",\"certificate\":\"\"}}",
};

START_TEST(test_malformed_info) {
    cfssl_start(false, false);
    cfssl_set_answer(cfssl.info, "200 OK", bad_infos[_i]);
    cfssl_assert(cfssl_submit(), CA_NOT_SENT, E_CA_NONSENSE, bad_infos[_i]);
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    ck_assert_int_eq(cfssl.client.report.error.code, E_CA_NONSENSE);
    ck_assert(!cfssl.client.report.policy_fits);
    ck_assert_uint_eq(cfssl.sign_count, 0);
    cfssl_stop();
}
END_TEST

// ---- the check ----------------------------------------------------------------------------------

static const struct {
    const char *status;
    int code;
    const char *message;
    enum error_code error;
    bool reachable;
    bool logged_in;
} probes[] = {
    {"400 Bad Request", 9002, "CSR Decode failed", ERROR_NONE, true, true},
    {"400 Bad Request", 1, "bad request", ERROR_NONE, true, true},
    {"400 Bad Request", 400, "invalid token", E_CA_LOGIN, true, false},
    {"401 Unauthorized", 1, "authorisation required", E_CA_LOGIN, true, false},
    {"400 Bad Request", 0, "<html>", E_CA_NONSENSE, false, false},
    {"404 Not Found", 0, "", E_CA_CONFIG, true, true},
    {"502 Bad Gateway", 0, "", E_CA_UNREACHABLE, false, false},
    {"429 Too Many", 0, "", E_CA_BUSY, false, false},
};

START_TEST(test_probe) {
    cfssl_start(true, false);
    if (probes[_i].code != 0) {
        cfssl_set_problem(cfssl.sign, probes[_i].status, probes[_i].code, probes[_i].message);
    } else {
        cfssl_set_answer(cfssl.sign, probes[_i].status, probes[_i].message);
    }
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    ck_assert_msg(cfssl.client.report.error.code == probes[_i].error &&
                      cfssl.client.report.reachable == probes[_i].reachable &&
                      cfssl.client.report.logged_in == probes[_i].logged_in,
                  "%s: %s, %d, %d", probes[_i].message, cfssl.client.report.error.text,
                  cfssl.client.report.reachable, cfssl.client.report.logged_in);
    ck_assert_int_eq(cfssl.client.report.login,
                     probes[_i].error == ERROR_NONE ? CA_LOGIN_TAKEN : CA_LOGIN_UNTRIED);
    cfssl_stop();
}
END_TEST

// What a wrong section's label or profile gets is no camera's fault.
START_TEST(test_bad_label) {
    cfssl_start(false, false);
    cfssl_set_problem(cfssl.info, "400 Bad Request", 400, "bad label");
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    ck_assert_int_eq(cfssl.client.report.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(cfssl.client.report.error.text, "bad label"));
    cfssl_assert(cfssl_submit(), CA_NOT_SENT, E_CA_CONFIG, "bad label");
    cfssl_stop();
}
END_TEST

START_TEST(test_foreign_issuer) {
    cfssl_start(false, false);
    struct pki_ca other = pki_ca_new("Factory", NULL);
    struct pki_ca ours = cfssl.factory;
    cfssl.factory = other;
    cfssl_set_info("[\"digital signature\",\"server auth\",\"client auth\"]", "87600h");
    cfssl.factory = ours;
    pki_ca_free(&other);
    cfssl_set_problem(cfssl.sign, "400 Bad Request", 9002, "CSR Decode failed");
    client_check(&cfssl.client);
    client_wait(&cfssl.client);
    ck_assert_int_eq(cfssl.client.report.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(cfssl.client.report.error.text, "root_file"));
    cfssl_stop();
}
END_TEST

// ---- revoking -----------------------------------------------------------------------------------

static const struct {
    const char *status[2];
    int code[2]; // 0: success, -1: not cfssl's answer
    enum ca_outcome outcome;
    enum error_code error;
    unsigned requests;
} revocations[] = {
    {{"200 OK"}, {0}, CA_REVOKED, ERROR_NONE, 1},
    {{"400 Bad Request", "200 OK"}, {11200, 0}, CA_REVOKED, ERROR_NONE, 2},
    {{"400 Bad Request", "400 Bad Request"}, {11200, 11200}, CA_REFUSED, E_CA_REFUSED, 2},
    {{"400 Bad Request"}, {400}, CA_REFUSED, E_CA_REFUSED, 1},
    {{"500 No"}, {500}, CA_DOUBT, E_CA_DOUBT, 1},
    {{"429 No"}, {-1}, CA_NOT_SENT, E_CA_BUSY, 1},
    {{"200 OK"}, {-1}, CA_DOUBT, E_CA_DOUBT, 1},
};

START_TEST(test_revoke) {
    cfssl_start(false, false);
    X509 *certificate = cfssl_make_certificate(&cfssl.client.units[0], cfssl.client.units[0].key);
    struct buf *der = pki_der(certificate);
    for (size_t i = 0; i < 2 && revocations[_i].status[i] != NULL; i++) {
        if (revocations[_i].code[i] > 0) {
            cfssl_set_problem(cfssl.revoke[i], revocations[_i].status[i], revocations[_i].code[i],
                              "no");
        } else {
            cfssl_set_answer(cfssl.revoke[i], revocations[_i].status[i],
                             revocations[_i].code[i] == 0 ? "{\"success\":true,\"result\":{}}"
                                                          : "");
        }
    }
    cfssl.client.units[0].request.certificate = buf_slice(der);
    client_revoke(&cfssl.client, &cfssl.client.units[0], CA_REVOKE_SUPERSEDED);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], revocations[_i].outcome, revocations[_i].error, "revoke");
    ck_assert_uint_eq(cfssl.revoke_count, revocations[_i].requests);
    json_t *root = cfssl_last_body();
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *decimal = BN_bn2dec(number);
    const char *id = json_string_value(json_object_get(root, "authority_key_id"));
    ck_assert_str_eq(json_string_value(json_object_get(root, "serial")), decimal);
    ck_assert_str_eq(json_string_value(json_object_get(root, "reason")), "superseded");
    ck_assert_uint_eq(strlen(id), revocations[_i].requests == 1 ? 40 : 0);
    OPENSSL_free(decimal);
    BN_free(number);
    json_decref(root);
    buf_free(der);
    X509_free(certificate);
    cfssl_stop();
}
END_TEST

// What cfssl says that was started without a database; or something else in its place.
START_TEST(test_revoke_not_found) {
    bool is_cfssl = _i == 0;
    cfssl_start(false, false);
    X509 *certificate = cfssl_make_certificate(&cfssl.client.units[0], cfssl.client.units[0].key);
    struct buf *der = pki_der(certificate);
    cfssl_set_answer(cfssl.revoke[0], "404 Not Found", "");
    if (!is_cfssl) {
        cfssl_set_answer(cfssl.info, "404 Not Found", "");
    }
    cfssl.client.units[0].request.certificate = buf_slice(der);
    client_revoke(&cfssl.client, &cfssl.client.units[0], CA_REVOKE_SUPERSEDED);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], is_cfssl ? CA_REFUSED : CA_NOT_SENT,
                 is_cfssl ? E_CA_UNSUPPORTED : E_CA_NONSENSE, "not found");
    buf_free(der);
    X509_free(certificate);
    cfssl_stop();
}
END_TEST

START_TEST(test_revoke_nothing) {
    cfssl_start(false, false);
    client_revoke(&cfssl.client, &cfssl.client.units[0], CA_REVOKE_SUPERSEDED);
    client_wait(&cfssl.client);
    cfssl_assert(&cfssl.client.units[0], CA_REFUSED, E_CERT_MALFORMED, "no certificate");
    ck_assert_uint_eq(cfssl.revoke_count, 0);
    cfssl_stop();
}
END_TEST

static Suite *cfssl_suite(void) {
    Suite *suite = suite_create("cfssl, check and revoke");
    TCase *tests = tcase_create("check");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_policy, 0, ARRAY_LENGTH(policies));
    tcase_add_test(tests, test_surplus_for_a_server);
    tcase_add_test(tests, test_hardware_name);
    tcase_add_loop_test(tests, test_malformed_info, 0, ARRAY_LENGTH(bad_infos));
    tcase_add_loop_test(tests, test_probe, 0, ARRAY_LENGTH(probes));
    tcase_add_test(tests, test_bad_label);
    tcase_add_test(tests, test_foreign_issuer);
    suite_add_tcase(suite, tests);
    tests = tcase_create("revoke");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_revoke, 0, ARRAY_LENGTH(revocations));
    tcase_add_loop_test(tests, test_revoke_not_found, 0, 2);
    tcase_add_test(tests, test_revoke_nothing);
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
