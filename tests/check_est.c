// SPDX-License-Identifier: Apache-2.0
// The EST backend against est-sim, over real TLS.
#include <check.h>

#include "ca-client/x509.h"
#include "tests/support_est.h"
#include "tests/support_pki.h"

static struct est_bench bench;

static int64_t count(const char *name) {
    return hvca_sim_count(&bench.sim, name);
}

START_TEST(test_issue) {
    est_start(&bench, NULL, 1);
    est_expect_good(&bench, est_submit(&bench, 0));
    ck_assert_int_eq(count("requests.enroll"), 1);
    ck_assert_int_eq(count("issued"), 1);
    est_stop(&bench);
}
END_TEST

// cacerts and csrattrs are asked for once, however many requests there are.
START_TEST(test_many_at_once) {
    const char *const options[] = {"--latency", "20", NULL};
    est_start(&bench, options, 64);
    client_check(&bench.client);
    client_wait(&bench.client);
    for (size_t i = 0; i < 64; i++) {
        client_submit(&bench.client, &bench.client.units[i]);
    }
    client_wait(&bench.client);
    for (size_t i = 0; i < 64; i++) {
        est_expect_good(&bench, &bench.client.units[i]);
    }
    ck_assert_int_eq(count("issued"), 64);
    ck_assert_int_eq(count("requests.enroll"), 64);
    ck_assert_int_eq(count("requests.cacerts"), 1);
    ck_assert_int_eq(count("requests.csrattrs"), 1);
    est_stop(&bench);
}
END_TEST

// ---- how it is said -----------------------------------------------------------------------------

static const char *const forms[][2] = {
    {"crlf76", "alone"}, {"lf64", "ca-behind"},  {"one-line", "ca-first"},
    {"der", "ca-first"}, {"crlf76", "ca-first"}, {"lf64", "alone"},
};

START_TEST(test_forms) {
    const char *const options[] = {"--form", forms[_i][0], "--company", forms[_i][1], NULL};
    est_start(&bench, options, 2);
    est_expect_good(&bench, est_submit(&bench, 0));
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert_msg(bench.client.report.policy_fits, "%s", bench.client.report.error.text);
    // The CA that issues comes first, whatever the order of cacerts.
    ck_assert_str_eq(bench.client.report.chain[0],
                     "CN=est-sim Issuing CA,O=est-sim\\, not a public CA");
    ck_assert_str_eq(bench.client.report.chain[1],
                     "CN=est-sim Root CA,O=est-sim\\, not a public CA");
    ck_assert_str_eq(bench.client.report.chain[2], "");
    est_stop(&bench);
}
END_TEST

// ---- who it is ----------------------------------------------------------------------------------

static const struct {
    const char *login;
    int64_t enrolls; // for three requests, one after the other
} logins[] = {
    {"basic", 4},
    {"digest-md5", 4},
    {"digest-sha256", 4},
    {"any", 4},
};

// The challenge costs one request; what is known then is used. And many at once.
START_TEST(test_login) {
    const char *const options[] = {"--login", logins[_i].login, NULL};
    est_start(&bench, options, 40);
    for (size_t i = 0; i < 3; i++) {
        est_expect_good(&bench, est_submit(&bench, i));
    }
    ck_assert_int_eq(count("requests.enroll"), logins[_i].enrolls);
    for (size_t i = 3; i < 40; i++) {
        client_submit(&bench.client, &bench.client.units[i]);
    }
    client_wait(&bench.client);
    for (size_t i = 3; i < 40; i++) {
        est_expect_good(&bench, &bench.client.units[i]);
    }
    ck_assert_int_eq(count("issued"), 40);
    est_stop(&bench);
}
END_TEST

// Without TLS client authentication the name and the password alone have to do.
START_TEST(test_login_without_client_certificate) {
    const char *const options[] = {"--login", "digest-sha256", "--no-client-certificate", NULL};
    est_start_sim(&bench, options);
    bench.settings.client_certificate_file = NULL;
    bench.settings.client_key_file = NULL;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    est_expect_good(&bench, est_submit(&bench, 0));
    est_stop(&bench);
}
END_TEST

// The server does not remember its nonces over a restart: one challenge more, and no request lost.
START_TEST(test_old_nonce) {
    const char *const options[] = {"--login", "digest-md5", NULL};
    est_start(&bench, options, 2);
    est_expect_good(&bench, est_submit(&bench, 0));
    hvca_sim_kill(&bench.sim);
    hvca_sim_restart(&bench.sim, options);
    const struct client_unit *unit = est_submit(&bench, 1);
    if (unit->outcome == CA_DOUBT) { // it met the connection that was
        ck_assert_int_eq(count("requests.enroll"), 0);
    } else {
        est_expect_good(&bench, unit);
        ck_assert_int_eq(count("requests.enroll"), 2);
    }
    est_stop(&bench);
}
END_TEST

static const struct {
    const char *login;
    int64_t enrolls;
} refusals[] = {{"basic", 2}, {"digest-sha256", 2}};

START_TEST(test_wrong_password) {
    const char *const options[] = {"--login", refusals[_i].login, NULL};
    char wrong[160];
    est_start_sim(&bench, options);
    pki_write_file(bench.sim.folder, "wrong", 0600, (struct slice){(const uint8_t *)"no\n", 3},
                   wrong);
    bench.settings.password_file = wrong;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    const struct client_unit *unit = est_submit(&bench, 0);
    ck_assert_int_eq(unit->outcome, CA_NOT_SENT);
    ck_assert_int_eq(unit->error.code, E_CA_LOGIN);
    ck_assert_ptr_nonnull(strstr(unit->error.text, "HTTP 401: who are you?"));
    ck_assert_int_eq(count("requests.enroll"), refusals[_i].enrolls); // no endless tries
    ck_assert_int_eq(count("issued"), 0);
    est_stop(&bench);
}
END_TEST

START_TEST(test_no_password) {
    const char *const options[] = {"--fault", "refuse-login@csrattrs=1", NULL};
    est_start_sim(&bench, options);
    bench.settings.username = NULL;
    bench.settings.password_file = NULL;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert(bench.client.report.reachable && !bench.client.report.logged_in);
    ck_assert_int_eq(bench.client.report.error.code, E_CA_LOGIN);
    ck_assert_ptr_nonnull(strstr(bench.client.report.error.text, "username"));
    est_stop(&bench);
}
END_TEST

// It says that the password is good where the server would not have answered without, and only there.
START_TEST(test_check_login) {
    const char *const options[] = {"--no-client-certificate", "--fault", "refuse-login@csrattrs=1",
                                   NULL};
    est_start_sim(&bench, options);
    bench.settings.client_certificate_file = NULL;
    bench.settings.client_key_file = NULL;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    const struct ca_report *report = &bench.client.report;
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert_msg(report->logged_in && report->policy_fits, "%s", report->error.text);
    ck_assert_int_eq(report->login, CA_LOGIN_TAKEN);
    client_check(&bench.client); // the fault is over: nothing is asked for any more
    client_wait(&bench.client);
    ck_assert_int_eq(report->login, CA_LOGIN_UNTRIED);
    est_stop(&bench);
}
END_TEST

START_TEST(test_check_without_login) {
    const char *const options[] = {"--no-client-certificate", NULL};
    est_start_sim(&bench, options);
    bench.settings.client_certificate_file = NULL;
    bench.settings.client_key_file = NULL;
    bench.settings.username = NULL;
    bench.settings.password_file = NULL;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert(bench.client.report.logged_in);
    ck_assert_int_eq(bench.client.report.login, CA_LOGIN_NONE);
    est_stop(&bench);
}
END_TEST

// ---- where it is --------------------------------------------------------------------------------

START_TEST(test_label_and_path) {
    const char *const options[] = {"--label", "cameras", NULL};
    char url[128];
    est_start_sim(&bench, options);
    snprintf(url, sizeof url, "%s/.well-known/est%s", bench.sim.url, _i == 0 ? "" : "/");
    bench.settings.url = _i == 2 ? bench.sim.url : url;
    bench.settings.ca_profile = "cameras";
    client_start(&bench.client, &bench.settings, 1, "P-256");
    est_expect_good(&bench, est_submit(&bench, 0));
    est_stop(&bench);
}
END_TEST

START_TEST(test_wrong_label) {
    const char *const options[] = {"--label", "cameras", NULL};
    est_start(&bench, options, 1);
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert_int_eq(bench.client.report.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(bench.client.report.error.text, "ca_profile"));
    ck_assert_int_eq(est_submit(&bench, 0)->outcome, CA_NOT_SENT);
    ck_assert_int_eq(count("requests.enroll"), 0);
    est_stop(&bench);
}
END_TEST

static const struct {
    struct ca_settings settings;
    const char *word;
} bad_settings[] = {
    {{.url = ""}, "url"},
    {{.ca_profile = "a/b"}, "ca_profile"},
    {{.ca_profile = "CaCerts"}, "ca_profile"},
    {{.ca_profile = ".."}, "ca_profile"},
    {{.username = "a"}, "password_file"},
    {{.password_file = "/dev/null"}, "username"},
    {{.username = "a:b", .password_file = "/dev/null"}, "colon"},
    {{.username = "a", .password_file = "/nowhere"}, "/nowhere"},
    {{.url = "https://127.0.0.1/.well-known/est/label"}, "ca_profile"},
};

START_TEST(test_bad_settings) {
    static const struct ca_events events = {0};
    struct ca *ca = NULL;
    struct loop *loop = NULL;
    struct error error = {0};
    est_start_sim(&bench, NULL);
    struct ca_settings settings = bad_settings[_i].settings;
    settings.url = settings.url != NULL ? settings.url : bench.sim.url;
    settings.server_root_file = bench.sim.files[1];
    ck_assert(loop_new(&loop, &error));
    ck_assert(!ca_est.open(loop, &settings, &events, NULL, &ca, &error));
    ck_assert_ptr_nonnull(strstr(error.text, bad_settings[_i].word));
    loop_free(loop);
    hvca_sim_stop(&bench.sim);
}
END_TEST

// ---- what each answer means ---------------------------------------------------------------------

static const struct {
    const char *fault;
    enum ca_outcome outcome;
    enum error_code code;
    uint32_t retry_after_ms;
    int64_t issued;
} enroll_faults[] = {
    {"http-400=1", CA_REFUSED, E_CA_REFUSED, 0, 0},
    {"http-403=1", CA_NOT_SENT, E_CA_LOGIN, 0, 0},
    {"http-404=1", CA_NOT_SENT, E_CA_NONSENSE, 0, 0},
    {"http-415=1", CA_NOT_SENT, E_CA_NONSENSE, 0, 0},
    {"http-429=1", CA_NOT_SENT, E_CA_BUSY, 0, 0},
    {"http-429-retry=7:1", CA_NOT_SENT, E_CA_BUSY, 7000, 0},
    {"http-500=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"http-503=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"redirect=1", CA_NOT_SENT, E_CA_CONFIG, 0, 0},
    {"front-302=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
    {"nonsense=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"empty=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
    {"cut=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
    {"drop-before=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"drop-after=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
    {"pending=3:1", CA_ACCEPTED, ERROR_NONE, 3000, 0},
    {"pending=0:1", CA_ACCEPTED, ERROR_NONE, 5000, 0},     // it does not say when
    {"pending=3600:1", CA_ACCEPTED, ERROR_NONE, 10000, 0}, // no longer than the timeout
    {"http-500@cacerts=1", CA_NOT_SENT, E_CA_UNREACHABLE, 0, 0},
    {"nonsense@cacerts=1", CA_NOT_SENT, E_CA_NONSENSE, 0, 0},
    {"http-500@csrattrs=1", CA_NOT_SENT, E_CA_UNREACHABLE, 0, 0},
    {"nonsense@csrattrs=1", CA_NOT_SENT, E_CA_NONSENSE, 0, 0},
    {"drop-before@csrattrs=1-2", CA_NOT_SENT, E_CA_UNREACHABLE, 0, 0},
};

START_TEST(test_enroll_fault) {
    const char *const options[] = {"--fault", enroll_faults[_i].fault, "--company", "ca-behind",
                                   NULL};
    est_start(&bench, options, 1);
    const struct client_unit *unit = est_submit(&bench, 0);
    const char *fault = enroll_faults[_i].fault;
    ck_assert_msg(unit->outcome == enroll_faults[_i].outcome, "%s: outcome %d, %s", fault,
                  (int)unit->outcome, unit->error.text);
    ck_assert_msg(unit->error.code == enroll_faults[_i].code, "%s: %s", fault, unit->error.text);
    ck_assert_uint_eq(unit->retry_after_ms, enroll_faults[_i].retry_after_ms);
    ck_assert_int_eq(count("requests.enroll"), strchr(fault, '@') == NULL ? 1 : 0);
    ck_assert_int_eq(count("issued"), enroll_faults[_i].issued);
    est_stop(&bench);
}
END_TEST

START_TEST(test_harmless_faults) {
    const char *const options[] = {"--fault", _i == 0 ? "http-404@csrattrs=1" : "slow=5:1",
                                   "--fault", "slow@cacerts=1:1", NULL};
    est_start(&bench, options, 1);
    est_expect_good(&bench, est_submit(&bench, 0));
    est_stop(&bench);
}
END_TEST

START_TEST(test_timeout_is_doubt) {
    const char *const options[] = {"--fault", "stall=3000:1", NULL};
    est_start_sim(&bench, options);
    bench.settings.timeout_ms = 500;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    ck_assert_int_eq(est_submit(&bench, 0)->outcome, CA_DOUBT);
    ck_assert_int_eq(count("issued"), 1);
    est_stop(&bench);
}
END_TEST

// ---- accepted, and asked again ------------------------------------------------------------------

START_TEST(test_pending) {
    const char *const options[] = {"--pending",
                                   "2",
                                   "--retry-after",
                                   "4",
                                   "--login",
                                   "digest-sha256",
                                   _i == 0 ? NULL : "--retry-date",
                                   NULL};
    est_start(&bench, options, 1);
    struct client_unit *unit = est_submit(&bench, 0);
    ck_assert_int_eq(unit->outcome, CA_ACCEPTED);
    ck_assert_str_ne(unit->handle, "");
    ck_assert_uint_ge(unit->retry_after_ms, 3000);
    ck_assert_uint_le(unit->retry_after_ms, 4000);
    client_fetch(&bench.client, unit);
    client_wait(&bench.client);
    ck_assert_int_eq(unit->outcome, CA_ACCEPTED);
    client_fetch(&bench.client, unit);
    client_wait(&bench.client);
    est_expect_good(&bench, unit);
    ck_assert_int_eq(count("issued"), 1);
    est_stop(&bench);
}
END_TEST

// Any repetition may be the one that issues: its lost answer is one like the first's.
START_TEST(test_lost_repetition) {
    const char *const options[] = {"--fault", "pending=1:1", "--fault", "drop-after=2", NULL};
    est_start(&bench, options, 1);
    struct client_unit *unit = est_submit(&bench, 0);
    ck_assert_int_eq(unit->outcome, CA_ACCEPTED);
    client_fetch(&bench.client, unit);
    client_wait(&bench.client);
    ck_assert_int_eq(unit->outcome, CA_DOUBT);
    ck_assert_int_eq(count("requests.enroll"), 2);
    ck_assert_int_eq(count("issued"), 1);
    est_stop(&bench);
}
END_TEST

// ---- what cannot be done ------------------------------------------------------------------------

START_TEST(test_cannot_look) {
    est_start_sim(&bench, NULL);
    bench.settings.resends_lost = _i == 1;
    client_start(&bench.client, &bench.settings, 1, "P-256");
    struct client_unit *unit = &bench.client.units[0];
    client_reconcile(&bench.client, unit);
    client_wait(&bench.client);
    ck_assert_int_eq(unit->outcome, _i == 1 ? CA_NOT_ISSUED : CA_CANNOT_TELL);
    ck_assert_int_eq(unit->error.code, _i == 1 ? E_CA_DOUBT : E_UNIT_HELD);
    client_revoke(&bench.client, unit, CA_REVOKE_SUPERSEDED);
    client_wait(&bench.client);
    ck_assert_int_eq(unit->outcome, CA_REFUSED);
    ck_assert_int_eq(unit->error.code, E_CA_UNSUPPORTED);
    ck_assert_int_eq(count("requests.enroll"), 0);
    est_stop(&bench);
}
END_TEST

// The CSR's names are the certificate's: they are looked at before it is sent.
START_TEST(test_names_of_csr) {
    const struct pki_pair subject[] = {{"CN", "CAM000000"}, {NULL, NULL}};
    est_start(&bench, NULL, 1);
    struct client_unit *unit = &bench.client.units[0];
    buf_free(unit->csr);
    unit->csr = pki_csr(unit->key, subject, NULL, false);
    unit->request.csr = buf_slice(unit->csr);
    ck_assert_int_eq(est_submit(&bench, 0)->outcome, CA_REFUSED);
    ck_assert_int_eq(unit->error.code, E_CSR_SUBJECT);
    ck_assert_ptr_nonnull(strstr(unit->error.text, "serialNumber"));
    ck_assert_int_eq(count("requests.enroll"), 0);
    est_stop(&bench);
}
END_TEST

START_TEST(test_remark) {
    est_start(&bench, NULL, 1);
    client_check(&bench.client);
    client_wait(&bench.client);
    const struct ca_report *report = &bench.client.report;
    ck_assert_msg(report->reachable && report->logged_in && report->policy_fits, "%s",
                  report->error.text);
    ck_assert_int_eq(report->quota, -1);
    ck_assert_int_eq(report->login, CA_LOGIN_UNTRIED); // it asked for none so far
    ck_assert_ptr_nonnull(strstr(report->remark, "dns_names"));
    ck_assert_int_gt(report->station_certificate_not_after_ms, 0);
    memset(bench.client.profile.dns_names, 0, sizeof bench.client.profile.dns_names);
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert_str_eq(report->remark, "");
    ck_assert(report->policy_fits);
    est_stop(&bench);
}
END_TEST

START_TEST(test_other_root) {
    est_start_sim(&bench, NULL);
    bench.settings.root_file = bench.sim.files[1];
    client_start(&bench.client, &bench.settings, 1, "P-256");
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert(!bench.client.report.policy_fits);
    ck_assert_int_eq(bench.client.report.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(bench.client.report.error.text, "root_file"));
    est_stop(&bench);
}
END_TEST

// ---- what is wrong with a certificate -----------------------------------------------------------

static const struct {
    const char *fault;
    enum error_code code;
} spoilt[] = {
    {"wrong-names=1", E_CERT_NAMES},     {"wrong-eku=1", E_CERT_USAGE},
    {"ca-true=1", E_CERT_CA_FLAG},       {"sha1=1", E_CERT_WEAK},
    {"other-certificate=2", E_CERT_KEY}, {"long-validity=1", E_CERT_VALIDITY},
};

START_TEST(test_spoilt_certificate) {
    const char *const options[] = {"--fault", spoilt[_i].fault, "--company", "ca-first", NULL};
    struct error error = {0};
    est_start(&bench, options, 2);
    const struct client_unit *unit = est_submit(&bench, 0);
    if (spoilt[_i].code == E_CERT_KEY) {
        unit = est_submit(&bench, 1);
    }
    ck_assert_msg(unit->outcome == CA_CERTIFICATE, "%s", unit->error.text);
    ck_assert(!client_certificate_is_good(&bench.client, unit, bench.sim.files[0], &error));
    ck_assert_msg(error.code == spoilt[_i].code, "%s", error.text);
    est_stop(&bench);
}
END_TEST

START_TEST(test_two_certificates) {
    const char *const options[] = {"--fault", "two=1", "--company", "ca-first", NULL};
    est_start(&bench, options, 1);
    est_expect_good(&bench, est_submit(&bench, 0));
    ck_assert_int_eq(count("issued"), 2);
    est_stop(&bench);
}
END_TEST

// ---- the rest -----------------------------------------------------------------------------------

START_TEST(test_close_with_calls_in_progress) {
    const char *const options[] = {"--fault", "stall@any=2000:1-", NULL};
    est_start(&bench, options, 32);
    for (size_t i = 0; i < 32; i++) {
        client_submit(&bench.client, &bench.client.units[i]);
    }
    client_check(&bench.client);
    client_reconcile(&bench.client, &bench.client.units[0]);
    est_stop(&bench);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("est");
    TCase *tests = tcase_create("est");
    tcase_set_timeout(tests, 120); // a busy machine is no failure
    tcase_add_test(tests, test_issue);
    tcase_add_test(tests, test_many_at_once);
    tcase_add_loop_test(tests, test_forms, 0, (int)ARRAY_LENGTH(forms));
    tcase_add_loop_test(tests, test_login, 0, (int)ARRAY_LENGTH(logins));
    tcase_add_test(tests, test_login_without_client_certificate);
    tcase_add_test(tests, test_old_nonce);
    tcase_add_loop_test(tests, test_wrong_password, 0, (int)ARRAY_LENGTH(refusals));
    tcase_add_test(tests, test_no_password);
    tcase_add_test(tests, test_check_login);
    tcase_add_test(tests, test_check_without_login);
    tcase_add_loop_test(tests, test_label_and_path, 0, 3);
    tcase_add_test(tests, test_wrong_label);
    tcase_add_loop_test(tests, test_bad_settings, 0, (int)ARRAY_LENGTH(bad_settings));
    tcase_add_loop_test(tests, test_enroll_fault, 0, (int)ARRAY_LENGTH(enroll_faults));
    tcase_add_loop_test(tests, test_harmless_faults, 0, 2);
    tcase_add_test(tests, test_timeout_is_doubt);
    tcase_add_loop_test(tests, test_pending, 0, 2);
    tcase_add_test(tests, test_lost_repetition);
    tcase_add_loop_test(tests, test_cannot_look, 0, 2);
    tcase_add_test(tests, test_names_of_csr);
    tcase_add_test(tests, test_remark);
    tcase_add_test(tests, test_other_root);
    tcase_add_loop_test(tests, test_spoilt_certificate, 0, (int)ARRAY_LENGTH(spoilt));
    tcase_add_test(tests, test_two_certificates);
    tcase_add_test(tests, test_close_with_calls_in_progress);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
