// SPDX-License-Identifier: Apache-2.0
// The HVCA backend against hvca-sim, over real mutual TLS.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "station/base/clock.h"
#include "tests/support_ca_client.h"
#include "tests/support_hvca_sim.h"

static struct hvca_sim sim;
static struct client client;

static void start_with(const char *const options[], size_t units) {
    hvca_sim_start(&sim, options);
    struct ca_settings settings = hvca_sim_settings(&sim);
    client_start(&client, &settings, units, "P-256");
}

static void stop(void) {
    client_stop(&client);
    hvca_sim_stop(&sim);
}

static struct client_unit *submit_one(size_t number) {
    struct client_unit *unit = &client.units[number];
    client_submit(&client, unit);
    client_wait(&client);
    return unit;
}

static void assert_good(const struct client_unit *unit) {
    struct error error = {0};
    ck_assert_msg(unit->outcome == CA_CERTIFICATE, "outcome %d %s", (int)unit->outcome,
                  unit->error.text);
    ck_assert_msg(client_certificate_is_good(&client, unit, sim.files[0], &error), "%s",
                  error.text);
}

START_TEST(test_issue) {
    start_with(NULL, 1);
    struct client_unit *unit = submit_one(0);
    ck_assert_msg(unit->outcome == CA_ACCEPTED, "%d %s", (int)unit->outcome, unit->error.text);
    ck_assert_str_ne(unit->handle, "");
    client_fetch(&client, unit);
    client_wait(&client);
    assert_good(unit);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.login"), 1);
    stop();
}
END_TEST

static void issue_all(size_t count) {
    for (size_t i = 0; i < count; i++) {
        client_submit(&client, &client.units[i]);
    }
    client_wait(&client);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(client.units[i].outcome == CA_ACCEPTED, "%s", client.units[i].error.text);
        client_fetch(&client, &client.units[i]);
    }
    client_wait(&client);
}

START_TEST(test_many_at_once) {
    const char *const options[] = {"--latency", "20", NULL};
    start_with(options, 64);
    issue_all(64);
    for (size_t i = 0; i < 64; i++) {
        assert_good(&client.units[i]);
        ck_assert_int_eq(client.units[i].results, 2);
    }
    ck_assert_int_eq(hvca_sim_count(&sim, "issued"), 64);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 64);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.login"), 1);
    // 129 requests: a TLS handshake costs both sides more than a certificate does.
    ck_assert_int_le(hvca_sim_count(&sim, "connections"), hvca_sim_settings(&sim).in_flight);
    stop();
}
END_TEST

// A device identity: no end, HardwareModuleName, no extended key usage; and the bare key.
START_TEST(test_device_identity) {
    const char *const options[] = {"--key-format", "pkcs8", "--location", "absolute", NULL};
    start_with(options, 1);
    ck_assert(profile_built_in("idevid", &client.profile));
    issue_all(1);
    assert_good(&client.units[0]);
    stop();
}
END_TEST

START_TEST(test_stamp) {
    start_with(NULL, 1);
    client.units[0].request.not_before_s = clock_wall_ms() / 1000 - 60;
    issue_all(1);
    assert_good(&client.units[0]);
    stop();
}
END_TEST

START_TEST(test_pending) {
    const char *const options[] = {"--pending", "4", NULL};
    start_with(options, 2);
    issue_all(2);
    assert_good(&client.units[1]);
    ck_assert_int_ge(hvca_sim_count(&sim, "requests.get"), 10);
    stop();
}
END_TEST

START_TEST(test_fetch_survives_faults) {
    const char *const options[] = {"--fault", "http-503@get=1", "--fault", "drop-before@get=2",
                                   "--fault", "nonsense@get=3", NULL};
    start_with(options, 1);
    issue_all(1);
    assert_good(&client.units[0]);
    stop();
}
END_TEST

// While it is polled no other failure tells the station that the CA is out.
START_TEST(test_fetch_tells_of_an_outage) {
    const char *const options[] = {"--fault", "http-503@get=1-", NULL};
    start_with(options, 1);
    ck_assert_int_eq(submit_one(0)->outcome, CA_ACCEPTED);
    client_fetch(&client, &client.units[0]);
    client_wait(&client);
    ck_assert_int_eq(client.units[0].outcome, CA_NOT_SENT);
    ck_assert_int_le(hvca_sim_count(&sim, "requests.get"), 4);
    stop();
}
END_TEST

// A certificate that the CA never knows: not fetched for ever. One outage in between proves nothing.
static const struct {
    const char *fault;
    enum ca_outcome outcome;
} unknown_faults[] = {
    {"http-404@get=1-", CA_REFUSED},
    {"http-404@get=1-3,5-", CA_NOT_SENT},
};

START_TEST(test_fetch_unknown) {
    const char *const options[] = {"--fault", unknown_faults[_i].fault, "--fault", "http-503@get=4",
                                   NULL};
    start_with(options, 1);
    ck_assert_int_eq(submit_one(0)->outcome, CA_ACCEPTED);
    client_fetch(&client, &client.units[0]);
    client_wait(&client);
    ck_assert_msg(client.units[0].outcome == unknown_faults[_i].outcome, "%d %s",
                  (int)client.units[0].outcome, client.units[0].error.text);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.get"), 7);
    stop();
}
END_TEST

// What each answer to the issuing POST means, and that it is sent once whatever comes.
static const struct {
    const char *fault;
    enum ca_outcome outcome;
    enum error_code code;
    uint32_t retry_after_ms;
    int64_t issued;
} post_faults[] = {
    {"http-400@post=1", CA_REFUSED, E_CA_REFUSED, 0, 0},
    {"http-404@post=1", CA_REFUSED, E_CA_REFUSED, 0, 0},
    {"http-415@post=1", CA_REFUSED, E_CA_REFUSED, 0, 0},
    {"http-422@post=1", CA_REFUSED, E_CA_REFUSED, 0, 0},
    {"http-403@post=1", CA_NOT_SENT, E_CA_LOGIN, 0, 0},
    {"http-429@post=1", CA_NOT_SENT, E_CA_BUSY, 0, 0},
    {"http-429-retry@post=7:1", CA_NOT_SENT, E_CA_BUSY, 7000, 0},
    {"http-500@post=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"http-502@post=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"http-503@post=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"garbage-201@post=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
    {"nonsense@post=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"drop-before@post=1", CA_DOUBT, E_CA_DOUBT, 0, 0},
    {"drop-after@post=1", CA_DOUBT, E_CA_DOUBT, 0, 1},
};

START_TEST(test_post_fault) {
    const char *const options[] = {"--fault", post_faults[_i].fault, NULL};
    start_with(options, 1);
    const struct client_unit *unit = submit_one(0);
    ck_assert_msg(unit->outcome == post_faults[_i].outcome, "%s: outcome %d, %s",
                  post_faults[_i].fault, (int)unit->outcome, unit->error.text);
    ck_assert_str_eq(error_code_text(unit->error.code), error_code_text(post_faults[_i].code));
    ck_assert_uint_eq(unit->retry_after_ms, post_faults[_i].retry_after_ms);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
    ck_assert_int_eq(hvca_sim_count(&sim, "issued"), post_faults[_i].issued);
    stop();
}
END_TEST

START_TEST(test_timeout_is_doubt) {
    const char *const options[] = {"--fault", "stall@post=3000:1", NULL};
    hvca_sim_start(&sim, options);
    struct ca_settings settings = hvca_sim_settings(&sim);
    settings.timeout_ms = 500;
    client_start(&client, &settings, 1, "P-256");
    ck_assert_int_eq(submit_one(0)->outcome, CA_DOUBT);
    stop();
}
END_TEST

START_TEST(test_quota) {
    const char *const options[] = {"--quota", "1", NULL};
    start_with(options, 2);
    ck_assert_int_eq(submit_one(0)->outcome, CA_ACCEPTED);
    const struct client_unit *unit = submit_one(1);
    ck_assert_int_eq(unit->outcome, CA_NOT_SENT);
    ck_assert_int_eq(unit->error.code, E_CA_QUOTA);
    client_check(&client);
    client_wait(&client);
    ck_assert_int_eq(client.report.quota, 0);
    ck_assert_int_eq(client.report.error.code, E_CA_QUOTA);
    stop();
}
END_TEST

// ---- the session --------------------------------------------------------------------------------

START_TEST(test_token_expires) {
    start_with(NULL, 20);
    issue_all(1);
    hvca_sim_control(&sim, "{\"expire_tokens\":true}");
    issue_all(20);
    for (size_t i = 1; i < 20; i++) {
        assert_good(&client.units[i]);
    }
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.login"), 2);
    ck_assert_int_eq(hvca_sim_count(&sim, "issued"), 21);
    stop();
}
END_TEST

START_TEST(test_login_refused) {
    const char *const options[] = {"--fault", "refuse-login@login=1-", NULL};
    start_with(options, 40);
    for (size_t i = 0; i < 40; i++) {
        client_submit(&client, &client.units[i]);
    }
    client_wait(&client);
    for (size_t i = 0; i < 40; i++) {
        ck_assert_int_eq(client.units[i].outcome, CA_NOT_SENT);
        ck_assert_int_eq(client.units[i].error.code, E_CA_LOGIN);
        ck_assert_uint_gt(client.units[i].retry_after_ms, 0);
    }
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.login"), 1);
    client_check(&client);
    client_wait(&client);
    ck_assert(client.report.reachable);
    ck_assert(!client.report.logged_in);
    ck_assert_int_eq(client.report.login, CA_LOGIN_UNTRIED);
    ck_assert_int_eq(client.report.error.code, E_CA_LOGIN);
    stop();
}
END_TEST

// A service that gives tokens and then does not know them must not be asked for ever.
START_TEST(test_tokens_never_work) {
    const char *const options[] = {"--fault", "expired-token=1-", NULL};
    start_with(options, 40);
    for (size_t i = 0; i < 40; i++) {
        client_submit(&client, &client.units[i]);
    }
    client_wait(&client);
    ck_assert_int_eq(client.units[39].outcome, CA_NOT_SENT);
    ck_assert_int_eq(client.units[39].error.code, E_CA_LOGIN);
    ck_assert_int_le(hvca_sim_count(&sim, "requests.login"), 2);
    stop();
}
END_TEST

START_TEST(test_not_there_and_back) {
    start_with(NULL, 1);
    hvca_sim_kill(&sim);
    const struct client_unit *unit = submit_one(0);
    ck_assert_int_eq(unit->outcome, CA_NOT_SENT);
    ck_assert_int_eq(unit->error.code, E_CA_UNREACHABLE);
    client_check(&client);
    client_wait(&client);
    ck_assert(!client.report.reachable);
    ck_assert_int_eq(client.report.error.code, E_CA_UNREACHABLE);
    hvca_sim_restart(&sim, NULL);
    client_check(&client); // a check does not wait for the end of a pause
    client_wait(&client);
    ck_assert_msg(client.report.reachable, "%s", client.report.error.text);
    issue_all(1);
    assert_good(&client.units[0]);
    stop();
}
END_TEST

START_TEST(test_wrong_root) {
    hvca_sim_start(&sim, NULL);
    struct ca_settings settings = hvca_sim_settings(&sim);
    settings.server_root_file = settings.root_file;
    client_start(&client, &settings, 1, "P-256");
    const struct client_unit *unit = submit_one(0);
    ck_assert_int_eq(unit->outcome, CA_NOT_SENT);
    ck_assert_int_eq(unit->error.code, E_CA_TLS);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.login"), 0);
    stop();
}
END_TEST

START_TEST(test_rate) {
    hvca_sim_start(&sim, NULL);
    struct ca_settings settings = hvca_sim_settings(&sim);
    settings.requests_per_second = 20;
    client_start(&client, &settings, 12, "P-256");
    int64_t before_ms = clock_monotonic_ms();
    for (size_t i = 0; i < 12; i++) {
        client_submit(&client, &client.units[i]);
    }
    client_wait(&client);
    // Policy, chain and 12 requests from a bucket of 3.
    ck_assert_int_ge(clock_monotonic_ms() - before_ms, (14 - 3) * 1000 / 20 - 50);
    ck_assert_int_eq(client.units[11].outcome, CA_ACCEPTED);
    stop();
}
END_TEST

START_TEST(test_close_in_the_middle) {
    const char *const options[] = {"--latency", "50", "--pending", "50", NULL};
    start_with(options, 40);
    for (size_t i = 0; i < 20; i++) {
        client_submit(&client, &client.units[i]);
    }
    client_wait(&client);
    for (size_t i = 0; i < 20; i++) {
        client_fetch(&client, &client.units[i]);
        client_submit(&client, &client.units[20 + i]);
        client_reconcile(&client, &client.units[20 + i]);
    }
    client_check(&client);
    client.expected = 3; // of many
    client_wait(&client);
    stop();
}
END_TEST

START_TEST(test_too_many_calls) {
    start_with(NULL, 1);
    for (size_t i = 0; i < CA_PENDING_MAX + 1; i++) {
        client_submit(&client, &client.units[0]);
    }
    client.expected = 1; // the one too many is answered first
    client_wait(&client);
    ck_assert_int_eq(client.units[0].outcome, CA_NOT_SENT);
    ck_assert_int_eq(client.units[0].error.code, E_CA_BUSY);
    stop();
}
END_TEST

// ---- open ---------------------------------------------------------------------------------------

static void nothing_on_result(void *context, const struct ca_result *result) {
    (void)context, (void)result;
}

static void nothing_on_report(void *context, const struct ca_report *report) {
    (void)context, (void)report;
}

static void assert_open_fails(const struct ca_settings *settings, enum error_code code) {
    static const struct ca_events events = {.on_result = nothing_on_result,
                                            .on_report = nothing_on_report};
    struct error error = {0};
    struct ca *ca = NULL;
    struct loop *loop = NULL;
    ck_assert(loop_new(&loop, &error));
    ck_assert(!ca_hvca.open(loop, settings, &events, NULL, &ca, &error));
    ck_assert_str_eq(error_code_text(error.code), error_code_text(code));
    ck_assert_ptr_nonnull(strstr(error.text, "hvca"));
    ca_hvca.close(NULL);
    loop_free(loop);
}

START_TEST(test_open_refuses) {
    hvca_sim_start(&sim, NULL);
    const struct ca_settings good = hvca_sim_settings(&sim);
    static const char *const urls[] = {
        "",
        "ftp://127.0.0.1/v2",
        "http://ca.example/v2",
        "http://127.0.0.1.example/v2",
        "http://127.0.0.1@ca.example/v2",
        "https://user:password@ca.example/v2",
        "https://ca.example/v2?x=1",
        "https://ca.example/v2\r\nX: y",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct ca_settings settings = good;
        settings.url = urls[i];
        assert_open_fails(&settings, E_CA_CONFIG);
    }
    struct ca_settings settings = good;
    settings.api_key_file = "/nowhere";
    assert_open_fails(&settings, E_SECRET_MISSING);
    settings = good;
    settings.api_key_file = settings.root_file; // readable by all
    assert_open_fails(&settings, E_SECRET_EXPOSED);
    settings = good;
    settings.client_key_file = sim.files[4]; // the API key
    assert_open_fails(&settings, E_CA_CONFIG);
    settings = good;
    settings.client_certificate_file = settings.server_root_file; // another key's
    assert_open_fails(&settings, E_CA_CONFIG);
    settings = good;
    settings.client_certificate_file = "";
    settings.client_key_file = "";
    assert_open_fails(&settings, E_CA_CONFIG);
    settings = good;
    settings.server_root_file = "";
    assert_open_fails(&settings, E_CA_CONFIG);
    settings = good;
    settings.extra_header = "X: y\r\nZ: w";
    assert_open_fails(&settings, E_CA_CONFIG);
    hvca_sim_stop(&sim);
}
END_TEST

static Suite *hvca_suite(void) {
    Suite *suite = suite_create("hvca");
    TCase *tests = tcase_create("issue");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_issue);
    tcase_add_test(tests, test_many_at_once);
    tcase_add_test(tests, test_device_identity);
    tcase_add_test(tests, test_stamp);
    tcase_add_test(tests, test_pending);
    tcase_add_test(tests, test_fetch_survives_faults);
    tcase_add_test(tests, test_fetch_tells_of_an_outage);
    tcase_add_loop_test(tests, test_fetch_unknown, 0, ARRAY_LENGTH(unknown_faults));
    tcase_add_loop_test(tests, test_post_fault, 0, ARRAY_LENGTH(post_faults));
    tcase_add_test(tests, test_timeout_is_doubt);
    tcase_add_test(tests, test_quota);
    suite_add_tcase(suite, tests);
    TCase *session = tcase_create("session");
    tcase_set_timeout(session, 120);
    tcase_add_test(session, test_token_expires);
    tcase_add_test(session, test_login_refused);
    tcase_add_test(session, test_tokens_never_work);
    tcase_add_test(session, test_not_there_and_back);
    tcase_add_test(session, test_wrong_root);
    tcase_add_test(session, test_rate);
    tcase_add_test(session, test_close_in_the_middle);
    tcase_add_test(session, test_too_many_calls);
    tcase_add_test(session, test_open_refuses);
    suite_add_tcase(suite, session);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(hvca_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
