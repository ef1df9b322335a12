// SPDX-License-Identifier: Apache-2.0
// The EJBCA backend against a server that answers what the test wants: what is found before anything is
// asked for, and what a section has to have.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "protocol/message.h"
#include "tests/support_ejbca.h"

static void assert_report(const struct ca_report *report, enum error_code code, const char *text) {
    ck_assert_msg(report->error.code == code && strstr(report->error.text, text) != NULL,
                  "%s: %s, wanted %s and %s", error_code_text(report->error.code),
                  report->error.text, error_code_text(code), text);
    ck_assert_uint_eq(ejbca.enroll.count, 0);
}

START_TEST(test_good) {
    ejbca_start();
    const struct ca_report *report = ejbca_check_one();
    assert_report(report, ERROR_NONE, "");
    ck_assert(report->reachable && report->logged_in && report->policy_fits);
    ck_assert_int_eq(report->login, CA_LOGIN_TAKEN);
    ck_assert_int_eq(report->quota, -1);
    ck_assert_int_gt(report->station_certificate_not_after_ms, 0);
    ck_assert_ptr_nonnull(strstr(report->chain[0], "Factory"));
    ck_assert_ptr_nonnull(strstr(report->chain[1], "Root"));
    ck_assert_str_eq(report->remark, "");
    snprintf(ejbca.client.profile.dns_names[0], 32, "{serial}.local");
    snprintf(ejbca.client.profile.hardware_type, 32, "1.3.6.1.4.1.32473.1");
    ck_assert_ptr_nonnull(strstr(ejbca_check_one()->remark, "dns_names and hardware_type"));
    ejbca_stop();
}
END_TEST

// An empty list proves nothing as long as nobody's certificate is found: better known beforehand.
START_TEST(test_nothing_to_find) {
    ejbca_start();
    ejbca_set_page(&ejbca.known, json_array(), 0);
    ck_assert_ptr_nonnull(strstr(ejbca_check_one()->remark, "nobody's certificate"));
    ejbca_set_page(&ejbca.issued, json_array(), 0);
    ck_assert_ptr_nonnull(strstr(ejbca_check_one()->remark, "`ca test --issue` once"));
    ejbca_set_answer(&ejbca.issued, 500, "");
    assert_report(ejbca_check_one(), ERROR_NONE, "");
    ck_assert_ptr_nonnull(strstr(ejbca_check_one()->remark, "nobody's certificate"));
    ejbca_stop();
}
END_TEST

// Versions without some of the resources, and without some of the members.
START_TEST(test_editions) {
    ejbca_start();
    ejbca_set_problem(&ejbca.profile, 404, "RESTEASY003210: Could not find resource");
    assert_report(ejbca_check_one(), ERROR_NONE, "");
    ejbca_set_answer(&ejbca.profile, 200, "{\"available_cas\":[\"ANY_CA\"]}");
    assert_report(ejbca_check_one(), ERROR_NONE, "");
    ejbca_set_answer(&ejbca.entity_profile, 403, "<html>disabled</html>");
    assert_report(ejbca_check_one(), ERROR_NONE, "");
    ejbca_set_answer(&ejbca.entity_profile, 200,
                     "{\"available_cas\":[\"CameraCA\"],\"available_certificate_profiles\":"
                     "[\"Other\",\"Camera Profile\"]}");
    assert_report(ejbca_check_one(), ERROR_NONE, "");
    ejbca_stop();
}
END_TEST

static const struct {
    const char *profile; // what EJBCA tells of it
    enum error_code code;
    const char *text;
} policies[] = {
    {"{\"available_cas\":[\"OtherCA\"]}", E_CA_POLICY, "ca_profile"},
    {"{\"available_cas\":[]}", E_CA_POLICY, "ca_profile"},
    {"{\"available_key_algs\":[\"RSA\"],\"available_bit_lenghts\":[2048]}", E_CA_POLICY,
     "key_type: EJBCA's certificate profile allows rsa2048"},
    {"{\"available_key_algs\":[\"ECDSA\"],\"available_ecdsa_curves\":[\"secp384r1\"]}", E_CA_POLICY,
     "allows p384"},
    {"{\"available_key_algs\":[\"ML-DSA-44\"]}", E_CA_POLICY, "none of the keys"},
    {"{\"available_key_algs\":[\"ECDSA\"],\"available_ecdsa_curves\":[\"ANY_EC_CURVE\"]}",
     ERROR_NONE, ""},
    {"{\"available_key_algs\":[\"ECDSA\"],\"available_ecdsa_curves\":[\"P-256\"]}", ERROR_NONE, ""},
    {"{\"key_usages\":null}", E_CA_POLICY, "lacks \"Digital Signature\""},
    {"{\"key_usages\":[2]}", E_CA_POLICY, "lacks \"Digital Signature\""},
    {"{\"key_usages\":[2,0]}", ERROR_NONE, ""},
    {"{\"extended_key_usages\":null}", E_CA_POLICY, "lacks \"Server Authentication\""},
    {"{\"extended_key_usages\":[\"1.3.6.1.5.5.7.3.1\"]}", E_CA_POLICY,
     "lacks \"Client Authentication\""},
    {"{\"extended_key_usages\":[\"1.3.6.1.5.5.7.3.1\",\"1.3.6.1.5.5.7.3.2\",\"2.5.29.37.0\"]}",
     E_CA_POLICY, "adds \"2.5.29.37.0\""},
    {"{\"validity\":\"11y\"}", E_CA_POLICY, "gives 11y"},
    {"{\"validity\":\"8y\"}", E_CA_POLICY, "asks for 3650 days"},
    {"{\"validity\":\"9y 6mo\"}", ERROR_NONE, ""},
    {"{\"validity\":\"2036-01-01 00:00:00+00:00\"}", ERROR_NONE, ""},
    {"[]", E_CA_NONSENSE, "profile"},
    {"", E_CA_NONSENSE, "profile"},
};

START_TEST(test_policy) {
    ejbca_start();
    ejbca_set_answer(&ejbca.profile, 200, policies[_i].profile);
    assert_report(ejbca_check_one(), policies[_i].code, policies[_i].text);
    ejbca_stop();
}
END_TEST

static const struct {
    struct ejbca_resource *resource;
    long status;
    const char *body;
    enum error_code code;
    const char *text;
} faults[] = {
    {&ejbca.authorities, 403, "<html>This service has been disabled.", E_CA_LOGIN,
     "REST Certificate Management"},
    {&ejbca.authorities, 403, "{\"error_code\":403,\"error_message\":\"no administrator\"}",
     E_CA_LOGIN, "no administrator"},
    {&ejbca.authorities, 404, "<html>", E_CA_CONFIG, "see url"},
    {&ejbca.authorities, 200, "{\"certificate_authorities\":[]}", E_CA_CONFIG,
     "its role has access to no CA"},
    {&ejbca.authorities, 200, "{\"certificate_authorities\":[{\"name\":\"A\"},{\"name\":\"B\"}]}",
     E_CA_CONFIG, "no active CA \"CameraCA\"; what it shows: A, B"},
    {&ejbca.authorities, 200, "{\"certificate_authorities\":[{\"name\":\"CameraCA\"}]}",
     E_CA_CONFIG, "authority"},
    {&ejbca.authorities, 200,
     "{\"certificate_authorities\":[{\"name\":\"CameraCA\",\"subject_dn\":\"\"}]}", E_CA_NONSENSE,
     "subject_dn"},
    {&ejbca.authorities, 200, "{}", E_CA_NONSENSE, "no list of CAs"},
    {&ejbca.authorities, 200, "<html>", E_CA_NONSENSE, "v1/ca"},
    {&ejbca.authorities, 503, "", E_CA_BUSY, "503"},
    {&ejbca.chain, 404, "{\"error_code\":404,\"error_message\":\"no CA\"}", E_CA_CONFIG, "no CA"},
    {&ejbca.chain, 200, "", E_CA_NONSENSE, "v1/ca"},
    {&ejbca.chain, 200, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
     E_CA_NONSENSE, "v1/ca"},
    {&ejbca.profile, 400, "{\"error_code\":400,\"error_message\":\"unknown certificate profile\"}",
     E_CA_CONFIG, "ca_profile"},
    {&ejbca.profile, 403, "<html>", E_CA_LOGIN, "V2"},
    {&ejbca.profile, 404, "<html>", E_CA_CONFIG, "V2"},
    {&ejbca.probe, 400, "{\"error_code\":400,\"error_message\":\"unknown end entity profile\"}",
     E_CA_CONFIG, "unknown end entity profile"},
    {&ejbca.probe, 403, "<html>", E_CA_LOGIN, "V2"},
    {&ejbca.probe, 500, "", E_CA_UNREACHABLE, "v2/certificate/search"},
    {&ejbca.entity_profile, 200, "{\"available_cas\":[\"OtherCA\"]}", E_CA_POLICY,
     "end_entity_profile: \"Cameras\" does not allow the CA"},
    {&ejbca.entity_profile, 200, "{\"available_certificate_profiles\":[]}", E_CA_POLICY,
     "does not allow the certificate profile"},
    {&ejbca.entity_profile, 200, "[]", E_CA_NONSENSE, "v2/endentity/profile"},
    {&ejbca.entity_profile, 502, "", E_CA_UNREACHABLE, "v2/endentity/profile"},
};

START_TEST(test_fault) {
    ejbca_start();
    ejbca_set_answer(faults[_i].resource, faults[_i].status, faults[_i].body);
    assert_report(ejbca_check_one(), faults[_i].code, faults[_i].text);
    ejbca_stop();
}
END_TEST

START_TEST(test_other_root) {
    ejbca_start();
    struct pki_ca other = pki_ca_new("Other", NULL);
    struct buf *pem = pki_pem(other.certificate);
    ejbca_set_answer(&ejbca.chain, 200, buf_text(pem));
    assert_report(ejbca_check_one(), E_CA_CONFIG, "root_file");
    buf_free(pem);
    pki_ca_free(&other);
    ejbca_stop();
}
END_TEST

START_TEST(test_key_types) {
    static const struct {
        enum key_type type;
        bool fits;
    } rows[] = {{KEY_P256, true},      {KEY_P384, false},     {KEY_RSA_2048, true},
                {KEY_RSA_3072, false}, {KEY_RSA_4096, false}, {KEY_ED25519, false}};
    ejbca_start();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ejbca.client.profile.key_type = rows[i].type;
        ck_assert_int_eq(ejbca_check_one()->error.code, rows[i].fits ? ERROR_NONE : E_CA_POLICY);
    }
    ejbca_stop();
}
END_TEST

START_TEST(test_validity) {
    static const struct {
        const char *text;
        int64_t seconds; // -1: none
    } rows[] = {
        {"10y", INT64_C(315360000)},
        {"1y 6mo 2d", 31536000 + 6 * 2592000 + 2 * 86400},
        {"2mo3m", 2 * 2592000 + 180},
        {"5h 4s", 18004},
        {"0d", 0},
        {"", -1},
        {"y", -1},
        {"10", -1},
        {"10x", -1},
        {"-1d", -1},
        {"1.5y", -1},
        {"9999999999y", -1},
        {"999999999y", -1},
        {"2036-01-01 00:00:00+00:00", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t seconds = -1;
        bool good = ejbca_read_validity(rows[i].text, &seconds);
        ck_assert_msg(good == (rows[i].seconds >= 0) && (!good || seconds == rows[i].seconds),
                      "%s: %lld", rows[i].text, (long long)seconds);
    }
}
END_TEST

START_TEST(test_open) {
    static const struct {
        struct ca_settings settings;
        const char *text;
    } rows[] = {
        {{.authority = "a", .ca_profile = "b"}, "end_entity_profile is not set"},
        {{.authority = "a", .end_entity_profile = "b"}, "ca_profile is not set"},
        {{.ca_profile = "a", .end_entity_profile = "b"}, "authority is not set"},
        {{.url = "https://ejbca.example/", .authority = "a"}, "mutual TLS"},
        {{.authority = "\xff", .ca_profile = "a", .end_entity_profile = "b"}, "no UTF-8"},
    };
    struct error error;
    const struct ca_events events = {0};
    struct ca *ca = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert(!ca_ejbca.open(NULL, &rows[i].settings, &events, NULL, &ca, &error));
        ck_assert_int_eq(error.code, E_CA_CONFIG);
        ck_assert_msg(strstr(error.text, rows[i].text) != NULL, "%s", error.text);
    }
}
END_TEST

static Suite *ejbca_suite(void) {
    Suite *suite = suite_create("ejbca_check");
    TCase *tests = tcase_create("ejbca_check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_good);
    tcase_add_test(tests, test_nothing_to_find);
    tcase_add_test(tests, test_editions);
    tcase_add_loop_test(tests, test_policy, 0, ARRAY_LENGTH(policies));
    tcase_add_loop_test(tests, test_fault, 0, ARRAY_LENGTH(faults));
    tcase_add_test(tests, test_other_root);
    tcase_add_test(tests, test_key_types);
    tcase_add_test(tests, test_validity);
    tcase_add_test(tests, test_open);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(ejbca_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
