// SPDX-License-Identifier: Apache-2.0
// The step-ca backend: what it finds before anything is bought, what it revokes, and how it opens.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_station.h"
#include "tests/support_stepca.h"

// ---- the check ----------------------------------------------------------------------------------

static const struct {
    const char *name;
    const char *kid;
    const char *more;
    enum error_code error;
    const char *says;
} provisioners[] = {
    {"station", STEPCA_KEY_ID, STEPCA_TEMPLATE, ERROR_NONE, ""},
    {"station", STEPCA_KEY_ID,
     STEPCA_TEMPLATE ",\"claims\":{\"maxTLSCertDuration\":\"87600h0m0s\"}", ERROR_NONE, ""},
    {"station", STEPCA_KEY_ID, STEPCA_TEMPLATE ",\"claims\":{\"maxTLSCertDuration\":\"24h\"}",
     E_CA_POLICY, "maxTLSCertDuration: the provisioner allows 1 days"},
    {"station", STEPCA_KEY_ID, "", E_CA_POLICY, "needs one for serial_number"},
    {"station", STEPCA_KEY_ID, ",\"options\":{\"x509\":{\"templateFile\":\"/x\"}}", ERROR_NONE, ""},
    {"station", "other", STEPCA_TEMPLATE, E_CA_LOGIN, "signing_key_file: its key " STEPCA_KEY_ID},
    {"other", STEPCA_KEY_ID, STEPCA_TEMPLATE, E_CA_LOGIN, "no JWK provisioner \"station\""},
};

START_TEST(test_provisioner) {
    stepca_start(false);
    stepca_set_provisioner(provisioners[_i].name, provisioners[_i].kid, provisioners[_i].more);
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_msg(stepca.client.report.error.code == provisioners[_i].error &&
                      strstr(stepca.client.report.error.text, provisioners[_i].says) != NULL,
                  "%s", stepca.client.report.error.text);
    ck_assert(stepca.client.report.reachable);
    ck_assert_int_eq(stepca.client.report.logged_in, provisioners[_i].error != E_CA_LOGIN);
    ck_assert_int_eq(stepca.client.report.quota, -1);
    ck_assert_uint_eq(stepca.sign_count, 0);
    stepca_stop();
}
END_TEST

static const struct {
    long status;
    const char *message; // NULL: not step-ca's answer
    enum error_code error;
    bool reachable;
} probes[] = {
    {400, "notAfter cannot be in the past", ERROR_NONE, true},
    {400, "error parsing template", E_CA_POLICY, true},
    {403, "forbidden: common name", E_CA_POLICY, true},
    {500, "error applying certificate template", E_CA_POLICY, true},
    {500, "Internal Server Error", E_CA_UNREACHABLE, false},
    {401, STEPCA_NO, E_CA_LOGIN, true},
    {400, NULL, E_CA_NONSENSE, false},
    {201, NULL, E_CA_NONSENSE, false},
};

START_TEST(test_probe) {
    stepca_start(false);
    if (probes[_i].message != NULL) {
        stepca_set_problem(stepca.probe, probes[_i].status, probes[_i].message);
    } else {
        char line[32];
        snprintf(line, sizeof line, "%ld Status", probes[_i].status);
        stepca_set_answer(stepca.probe, line, "x");
    }
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_msg(stepca.client.report.error.code == probes[_i].error &&
                      stepca.client.report.reachable == probes[_i].reachable,
                  "%ld: %s", probes[_i].status, stepca.client.report.error.text);
    ck_assert_int_eq(stepca.client.report.login,
                     probes[_i].error == ERROR_NONE ? CA_LOGIN_TAKEN : CA_LOGIN_UNTRIED);
    ck_assert_uint_eq(stepca.probe_count, 1);
    stepca_stop();
}
END_TEST

// A list that never ends does not keep the check for ever.
START_TEST(test_endless_pages) {
    stepca_start(false);
    stepca_set_answer(stepca.provisioners, "200 OK",
                      "{\"provisioners\":[],\"nextCursor\":\"ab12\"}");
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_int_eq(stepca.client.report.error.code, E_CA_LOGIN);
    ck_assert_uint_le(stepca.server.requests, 101);
    ck_assert_ptr_nonnull(strstr(stepca.server.last_request, "&cursor=ab12 "));
    stepca_set_answer(stepca.provisioners, "200 OK",
                      "{\"provisioners\":[],\"nextCursor\":\"a&b\"}");
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_int_eq(stepca.client.report.error.code, E_CA_NONSENSE);
    stepca_stop();
}
END_TEST

START_TEST(test_foreign_root) {
    stepca_start(false);
    struct pki_ca other = pki_ca_new("Factory", NULL);
    stepca_set_list(stepca.roots, &other);
    pki_ca_free(&other);
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_int_eq(stepca.client.report.error.code, E_CA_CONFIG);
    stepca_set_answer(stepca.roots, "201 Created", "{\"crts\":[]}");
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_int_eq(stepca.client.report.error.code, E_CA_NONSENSE);
    stepca_stop();
}
END_TEST

static void expect_chain(const char *first, const char *second, enum error_code code) {
    const struct ca_report *report = &stepca.client.report;
    client_check(&stepca.client);
    client_wait(&stepca.client);
    ck_assert_msg(report->error.code == code, "%s", report->error.text);
    ck_assert_str_eq(report->chain[0], first);
    ck_assert_str_eq(report->chain[1], second);
    ck_assert_str_eq(report->chain[2], "");
}

START_TEST(test_issuer) {
    static const char *const unnamed = "a CA that this version of step-ca does not name";
    static const char *const root = "CN=Factory,O=Test";
    stepca_start(false);
    struct pki_ca issuing = pki_ca_new("Issuing", &stepca.factory);
    struct pki_ca other = pki_ca_new("Other", NULL);
    expect_chain(unnamed, root, ERROR_NONE);
    stepca_set_problem(stepca.intermediates, 501, "not implemented");
    expect_chain(unnamed, root, ERROR_NONE);
    stepca_set_list(stepca.intermediates, &issuing);
    expect_chain("CN=Issuing,O=Test", root, ERROR_NONE);
    stepca_set_list(stepca.intermediates, &other); // what it would issue leads nowhere
    expect_chain("CN=Other,O=Test", root, E_CA_CONFIG);
    pki_ca_free(&other);
    pki_ca_free(&issuing);
    stepca_stop();
}
END_TEST

// ---- revoking -----------------------------------------------------------------------------------

static const struct {
    long status;
    const char *message;
    enum ca_outcome outcome;
    enum error_code error;
} revocations[] = {
    {200, "ok", CA_REVOKED, ERROR_NONE},
    {400, "certificate with serial number '7' is already revoked.", CA_REVOKED, ERROR_NONE},
    {400, "missing serial", CA_REFUSED, E_CA_REFUSED},
    {401, STEPCA_NO, CA_NOT_SENT, E_CA_LOGIN},
    {501, "not implemented", CA_NOT_SENT, E_CA_UNSUPPORTED},
    {500, "no", CA_DOUBT, E_CA_DOUBT},
    {200, NULL, CA_DOUBT, E_CA_DOUBT}, // a page of somebody else's
};

START_TEST(test_revoke) {
    stepca_start(false);
    struct certificate_reference reference;
    struct error error;
    X509 *certificate =
        stepca_make_certificate(&stepca.client.units[0], stepca.client.units[0].key);
    struct buf *der = pki_der(certificate);
    stepca.client.units[0].request.certificate = buf_slice(der);
    if (revocations[_i].status != 200) {
        stepca_set_problem(stepca.revoke, revocations[_i].status, revocations[_i].message);
    } else {
        stepca_set_answer(stepca.revoke, "200 OK",
                          revocations[_i].message != NULL ? "{\"status\":\"ok\"}" : "<html>");
    }
    client_revoke(&stepca.client, &stepca.client.units[0], CA_REVOKE_PRIVILEGE_WITHDRAWN);
    client_wait(&stepca.client);
    stepca_assert(&stepca.client.units[0], revocations[_i].outcome, revocations[_i].error,
                  "revoke");
    ck_assert(x509_refer(buf_slice(der), &reference, &error));
    json_t *root = stepca_last_body();
    json_t *claims = stepca_claims_of(root);
    ck_assert_str_eq(stepca_text_of(root, "serial"), reference.serial);
    ck_assert_str_eq(stepca_text_of(claims, "sub"), reference.serial);
    ck_assert_ptr_nonnull(strstr(stepca_text_of(claims, "aud"), "/1.0/revoke"));
    ck_assert_int_eq(json_integer_value(json_object_get(root, "reasonCode")), 9);
    ck_assert(json_is_true(json_object_get(root, "passive")));
    json_decref(claims);
    json_decref(root);
    buf_free(der);
    X509_free(certificate);
    stepca_stop();
}
END_TEST

// ---- opening ------------------------------------------------------------------------------------

static void nothing_on_result(void *context, const struct ca_result *result) {
    (void)context, (void)result;
}

static void nothing_on_report(void *context, const struct ca_report *report) {
    (void)context, (void)report;
}

static void assert_open_fails(struct loop *loop, const struct ca_settings *settings,
                              enum error_code code, const char *says) {
    static const struct ca_events events = {.on_result = nothing_on_result,
                                            .on_report = nothing_on_report};
    struct error error = {0};
    struct ca *ca = NULL;
    ck_assert(!ca_stepca.open(loop, settings, &events, NULL, &ca, &error));
    ck_assert_msg(error.code == code && strstr(error.text, says) != NULL, "%s", error.text);
    ca_stepca.close(NULL);
}

START_TEST(test_open_refuses) {
    struct error error = {0};
    struct loop *loop = NULL;
    stepca_start(false);
    ck_assert(loop_new(&loop, &error));
    struct ca_settings settings = {.name = "factory",
                                   .url = "http://127.0.0.1:1",
                                   .root_file = stepca.root_file,
                                   .signing_key_file = stepca.key_file};
    assert_open_fails(loop, &settings, E_CA_CONFIG, "provisioner is not set");
    settings.provisioner = "station";
    settings.signing_key_file = "";
    assert_open_fails(loop, &settings, E_CA_CONFIG, "signing_key_file is not set");
    settings.signing_key_file = stepca.root_file;
    assert_open_fails(loop, &settings, E_SECRET_EXPOSED, stepca.root_file);
    settings.signing_key_file = stepca.server.client_key_file;
    assert_open_fails(loop, &settings, E_CA_CONFIG, "not a JSON Web Key");
    settings.signing_key_file = stepca.key_file;
    settings.url = "http://step-ca.example";
    assert_open_fails(loop, &settings, E_CA_CONFIG, "url");
    loop_free(loop);
    stepca_stop();
}
END_TEST

static Suite *stepca_suite(void) {
    Suite *suite = suite_create("stepca, check and revoke");
    TCase *tests = tcase_create("stepca");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_provisioner, 0, ARRAY_LENGTH(provisioners));
    tcase_add_loop_test(tests, test_probe, 0, ARRAY_LENGTH(probes));
    tcase_add_test(tests, test_endless_pages);
    tcase_add_test(tests, test_foreign_root);
    tcase_add_test(tests, test_issuer);
    tcase_add_loop_test(tests, test_revoke, 0, ARRAY_LENGTH(revocations));
    tcase_add_test(tests, test_open_refuses);
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
