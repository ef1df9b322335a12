// SPDX-License-Identifier: Apache-2.0
// The HVCA backend's look-ups, revocations and checks, against hvca-sim.
#include <check.h>
#include <stdio.h>
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

static void submit(size_t number, enum ca_outcome expected) {
    struct client_unit *unit = &client.units[number];
    client_submit(&client, unit);
    client_wait(&client);
    ck_assert_msg(unit->outcome == expected, "outcome %d %s", (int)unit->outcome, unit->error.text);
}

static struct client_unit *reconcile(size_t number) {
    struct client_unit *unit = &client.units[number];
    client_reconcile(&client, unit);
    client_wait(&client);
    return unit;
}

static void assert_outcome(const struct client_unit *unit, enum ca_outcome outcome) {
    ck_assert_msg(unit->outcome == outcome, "outcome %d %s", (int)unit->outcome, unit->error.text);
}

static void assert_found(const struct client_unit *unit) {
    struct error error = {0};
    assert_outcome(unit, CA_CERTIFICATE);
    ck_assert_msg(client_certificate_is_good(&client, unit, sim.files[0], &error), "%s",
                  error.text);
    ck_assert_str_ne(unit->handle, "");
    ck_assert_int_gt(unit->issued_s, clock_wall_ms() / 1000 - 7200);
}

// ---- reconcile -----------------------------------------------------------------------------------

START_TEST(test_lost_and_found) {
    const char *const options[] = {"--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    submit(0, CA_DOUBT);
    assert_found(reconcile(0));
    ck_assert_int_eq(hvca_sim_count(&sim, "issued"), 1);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
    stop();
}
END_TEST

START_TEST(test_never_arrived) {
    const char *const options[] = {"--fault", "drop-before@post=2", NULL};
    start_with(options, 2);
    submit(0, CA_ACCEPTED);
    submit(1, CA_DOUBT);
    assert_outcome(reconcile(1), CA_NOT_ISSUED);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.stats"), 1);
    stop();
}
END_TEST

// Among many, on short pages, without and with stamps.
START_TEST(test_found_among_many) {
    const char *const options[] = {"--per-page-max", "3", "--fault", "drop-after@post=11", NULL};
    bool with_stamps = _i == 1;
    start_with(options, 20);
    for (size_t i = 0; i < 20; i++) {
        if (with_stamps) {
            client.units[i].request.not_before_s = clock_wall_ms() / 1000 - 20 - (int64_t)i;
        }
        submit(i, i == 10 ? CA_DOUBT : CA_ACCEPTED);
    }
    assert_found(reconcile(10));
    int64_t pages = hvca_sim_count(&sim, "requests.stats");
    ck_assert_int_le(pages, 7);
    ck_assert(with_stamps || pages == 7);
    int64_t gets = hvca_sim_count(&sim, "requests.get");
    if (with_stamps) {
        ck_assert_int_eq(client.units[10].issued_s, client.units[10].request.not_before_s);
        ck_assert_int_eq(gets, 1);
    } else {
        ck_assert_int_gt(gets, 0);
        ck_assert_int_le(gets, 20);
    }
    stop();
}
END_TEST

// Scans take turns, and what one has read the next need not.
START_TEST(test_scans_share) {
    const char *const options[] = {"--fault", "drop-before@post=13-", NULL};
    start_with(options, 24);
    for (size_t i = 0; i < 24; i++) {
        submit(i, i < 12 ? CA_ACCEPTED : CA_DOUBT);
    }
    for (size_t i = 12; i < 24; i++) {
        client_reconcile(&client, &client.units[i]);
    }
    client_wait(&client);
    for (size_t i = 12; i < 24; i++) {
        assert_outcome(&client.units[i], CA_NOT_ISSUED);
    }
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.get"), 12);
    stop();
}
END_TEST

START_TEST(test_found_after_lag) {
    const char *const options[] = {"--stats-lag", "1500", "--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    submit(0, CA_DOUBT);
    assert_outcome(reconcile(0), CA_NOT_ISSUED);
    const int64_t until_ms = clock_monotonic_ms() + 20000;
    while (client.units[0].outcome == CA_NOT_ISSUED && clock_monotonic_ms() < until_ms) {
        reconcile(0);
    }
    assert_found(&client.units[0]);
    stop();
}
END_TEST

// A scan that could not read everything rules nothing out.
static const char *const scan_faults[] = {"http-503@stats=1-",    "nonsense@stats=1-",
                                          "drop-before@stats=1-", "http-500@get=1-",
                                          "nonsense@get=1-",      "http-404@get=2"};

START_TEST(test_incomplete_scan) {
    const char *const options[] = {"--fault", "drop-before@post=4-", "--fault", scan_faults[_i],
                                   NULL};
    start_with(options, 4);
    for (size_t i = 0; i < 3; i++) {
        submit(i, CA_ACCEPTED);
    }
    submit(3, CA_DOUBT);
    const struct client_unit *unit = reconcile(3);
    assert_outcome(unit, CA_DOUBT);
    ck_assert_int_eq(unit->error.code, E_CA_DOUBT);
    hvca_sim_control(&sim, "{\"clear_faults\":true}");
    assert_outcome(reconcile(3), CA_NOT_ISSUED);
    stop();
}
END_TEST

// What is pending in the list may be the one that is looked for.
START_TEST(test_pending_in_the_list) {
    const char *const options[] = {"--pending-ms", "600000", "--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    submit(0, CA_DOUBT);
    const struct client_unit *unit = reconcile(0);
    ck_assert_int_ne(unit->outcome, CA_CERTIFICATE);
    if (hvca_sim_count(&sim, "requests.get") > 0) {
        assert_outcome(unit, CA_DOUBT);
    }
    hvca_sim_control(&sim, "{\"pending_ms\":0}");
    stop();
}
END_TEST

START_TEST(test_found_revoked) {
    start_with(NULL, 1);
    submit(0, CA_ACCEPTED);
    client_revoke(&client, &client.units[0], CA_REVOKE_KEY_COMPROMISE);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REVOKED);
    client_fetch(&client, &client.units[0]);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REFUSED);
    const struct client_unit *unit = reconcile(0);
    assert_outcome(unit, CA_CANNOT_TELL);
    ck_assert_ptr_nonnull(strstr(unit->error.text, "revoked"));
    stop();
}
END_TEST

static void assert_person_is_asked(const struct client_unit *unit, const char *text) {
    char key[2 * SHA256_SIZE + 1];
    hex_encode(key, unit->request.spki_sha256, SHA256_SIZE);
    assert_outcome(unit, CA_CANNOT_TELL);
    ck_assert_int_eq(unit->error.code, E_UNIT_HELD);
    ck_assert_ptr_nonnull(strstr(unit->error.text, text));
    ck_assert_ptr_nonnull(strstr(unit->error.text, key));
    ck_assert_msg(strstr(unit->error.text, unit->serial) != NULL, "%s", unit->error.text);
}

// What the list no longer reaches is not ruled out by it.
START_TEST(test_old_request) {
    start_with(NULL, 1);
    client.units[0].request.sent_ms = clock_wall_ms() - INT64_C(86400000) * 400;
    assert_person_is_asked(reconcile(0), "30 days");
    client.units[0].request.sent_ms = 0;
    assert_person_is_asked(reconcile(0), "time unknown");
    client.units[0].request.sent_ms = clock_wall_ms() + 480000;
    assert_person_is_asked(reconcile(0), "later than the CA's clock");
    client.units[0].request.sent_ms = clock_wall_ms() - INT64_C(86400000) * 20;
    assert_outcome(reconcile(0), CA_NOT_ISSUED);
    stop();
}
END_TEST

// An attempt whose time was written down wrong is found all the same.
static const int64_t wrong_times_ms[] = {480000, 86400000, -300000, -40 * INT64_C(86400000)};

START_TEST(test_wrong_time_is_found) {
    const char *const options[] = {"--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    submit(0, CA_DOUBT);
    client.units[0].request.sent_ms += wrong_times_ms[_i];
    assert_found(reconcile(0));
    stop();
}
END_TEST

// On a busy account only the time of the attempt is listed, not all that came since.
START_TEST(test_window_ends) {
    start_with(NULL, 4);
    for (size_t i = 0; i < 3; i++) {
        submit(i, CA_ACCEPTED);
    }
    client.units[3].request.sent_ms = clock_wall_ms() - 3600000;
    assert_outcome(reconcile(3), CA_NOT_ISSUED);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.get"), 0);
    stop();
}
END_TEST

// One certificate that is listed and never given does not keep a request in doubt for ever.
static const char *const blocking_faults[] = {"http-404@get=1-", "nonsense@get=1-"};

START_TEST(test_obstacle) {
    const char *const options[] = {"--fault", "drop-before@post=2-", "--fault", blocking_faults[_i],
                                   NULL};
    start_with(options, 3);
    submit(0, CA_ACCEPTED);
    submit(1, CA_DOUBT);
    submit(2, CA_DOUBT);
    for (int i = 0; i < 2; i++) {
        assert_outcome(reconcile(1), CA_DOUBT);
        assert_outcome(reconcile(2), CA_DOUBT);
    }
    assert_person_is_asked(reconcile(1), "does not give it");
    assert_person_is_asked(reconcile(2), client.units[0].handle);
    assert_outcome(reconcile(1), CA_DOUBT); // a person's next try counts anew
    hvca_sim_control(&sim, "{\"clear_faults\":true}");
    assert_outcome(reconcile(1), CA_NOT_ISSUED);
    stop();
}
END_TEST

// A CA that does not answer at all is no obstacle: it comes back.
START_TEST(test_outage_is_no_obstacle) {
    const char *const options[] = {"--fault", "drop-before@post=2-", "--fault", "http-503@get=1-",
                                   NULL};
    start_with(options, 2);
    submit(0, CA_ACCEPTED);
    submit(1, CA_DOUBT);
    for (int i = 0; i < 5; i++) {
        assert_outcome(reconcile(1), CA_DOUBT);
    }
    stop();
}
END_TEST

// More pages than a scan reads; the certificate is found by its stamp on the way, or never.
START_TEST(test_too_many_listed) {
    const char *const options[] = {"--per-page-max", "1", "--fault", "drop-after@post=1", NULL};
    start_with(options, 2);
    client.units[0].request.not_before_s = clock_wall_ms() / 1000 - 20;
    submit(0, CA_DOUBT);
    for (int i = 0; i < 505; i++) {
        submit(1, CA_ACCEPTED);
    }
    client.units[1].request.spki_sha256[0] ^= 1;
    assert_person_is_asked(reconcile(1), "too many");
    int64_t pages = hvca_sim_count(&sim, "requests.stats");
    assert_found(reconcile(0));
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.stats"), pages + 1);
    stop();
}
END_TEST

// ---- revoke --------------------------------------------------------------------------------------

START_TEST(test_revoke) {
    start_with(NULL, 1);
    submit(0, CA_ACCEPTED);
    client_revoke(&client, &client.units[0], (enum ca_revocation_reason)_i);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REVOKED);
    ck_assert_int_eq(hvca_sim_count(&sim, "revoked"), 1);
    client_revoke(&client, &client.units[0], CA_REVOKE_SUPERSEDED); // once more does no harm
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REVOKED);
    ck_assert_int_eq(hvca_sim_count(&sim, "revoked"), 1);
    stop();
}
END_TEST

START_TEST(test_revoke_unknown) {
    start_with(NULL, 1);
    snprintf(client.units[0].handle, CA_HANDLE_SIZE, "01FFEE");
    client_revoke(&client, &client.units[0], CA_REVOKE_UNSPECIFIED);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REFUSED);
    snprintf(client.units[0].handle, CA_HANDLE_SIZE, "../login");
    client_revoke(&client, &client.units[0], CA_REVOKE_UNSPECIFIED);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REFUSED);
    client_fetch(&client, &client.units[0]);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_DOUBT);
    stop();
}
END_TEST

// A page of somebody else's, with 200, says nothing of the certificate.
START_TEST(test_revoke_by_nonsense) {
    const char *const options[] = {"--fault", "nonsense@patch=1", NULL};
    start_with(options, 1);
    submit(0, CA_ACCEPTED);
    client_revoke(&client, &client.units[0], CA_REVOKE_SUPERSEDED);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REFUSED);
    ck_assert_int_eq(client.units[0].error.code, E_CA_NONSENSE);
    ck_assert_int_eq(hvca_sim_count(&sim, "revoked"), 0);
    client_revoke(&client, &client.units[0], CA_REVOKE_SUPERSEDED);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REVOKED);
    stop();
}
END_TEST

START_TEST(test_revoke_survives_loss) {
    const char *const options[] = {"--fault", "drop-after@patch=1", "--fault", "http-503@patch=2",
                                   NULL};
    start_with(options, 1);
    submit(0, CA_ACCEPTED);
    client_revoke(&client, &client.units[0], CA_REVOKE_UNSPECIFIED);
    client_wait(&client);
    assert_outcome(&client.units[0], CA_REVOKED);
    stop();
}
END_TEST

// ---- check ---------------------------------------------------------------------------------------

START_TEST(test_check_good) {
    const char *const options[] = {"--quota", "4120", NULL};
    start_with(options, 0);
    client_check(&client);
    client_wait(&client);
    const struct ca_report *report = &client.report;
    ck_assert_msg(report->error.code == ERROR_NONE, "%s", report->error.text);
    ck_assert(report->reachable);
    ck_assert(report->logged_in);
    ck_assert_int_eq(report->login, CA_LOGIN_TAKEN);
    ck_assert(report->policy_fits);
    ck_assert_int_eq(report->quota, 4120);
    ck_assert_int_gt(report->station_certificate_not_after_ms, clock_wall_ms());
    ck_assert_int_lt(llabs(report->clock_offset_ms), 3000);
    ck_assert_str_ne(report->chain[0], "");
    stop();
}
END_TEST

static const struct {
    const char *options[4];
    const char *field; // what the error names
} misfits[] = {
    {{"--key-type", "rsa"}, "public_key.key_type"},
    {{"--key-type", "ecdsa"}, NULL},
};

START_TEST(test_check_policy) {
    start_with(misfits[_i].options, 1);
    client_check(&client);
    client_wait(&client);
    const struct ca_report *report = &client.report;
    ck_assert(report->logged_in);
    if (misfits[_i].field == NULL) {
        ck_assert(report->policy_fits);
    } else {
        ck_assert(!report->policy_fits);
        ck_assert_int_eq(report->error.code, E_CA_POLICY);
        ck_assert_ptr_nonnull(strstr(report->error.text, misfits[_i].field));
        submit(0, CA_NOT_SENT); // and no request is spent on it
        ck_assert_int_eq(client.units[0].error.code, E_CA_POLICY);
        ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 0);
    }
    stop();
}
END_TEST

// A root that the account's CA does not lead to stops the station before anything is bought.
START_TEST(test_check_wrong_root) {
    hvca_sim_start(&sim, NULL);
    struct ca_settings settings = hvca_sim_settings(&sim);
    settings.root_file = settings.server_root_file;
    client_start(&client, &settings, 0, "P-256");
    client_check(&client);
    client_wait(&client);
    ck_assert_int_eq(client.report.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(client.report.error.text, "does not hold it"));
    ck_assert_msg(strstr(client.report.error.text, "under \"CN=hvca-sim Issuing CA") != NULL, "%s",
                  client.report.error.text);
    stop();
    hvca_sim_start(&sim, NULL);
    settings = hvca_sim_settings(&sim);
    settings.root_file = "/nowhere";
    client_start(&client, &settings, 0, "P-256");
    client_check(&client);
    client_wait(&client);
    ck_assert_int_eq(client.report.error.code, E_CA_CONFIG);
    stop();
}
END_TEST

// What passes by itself says so: the station asks again.
static const char *const passing_faults[] = {
    "http-503@login=1-", "http-500@login=1-", "nonsense@login=1-", "http-429@login=1-",
    "http-503@info=1-",  "http-500@info=1-",  "nonsense@info=1-",  "http-429@info=1-",
    "http-503@info=3-",  "http-502@info=3-",  "nonsense@info=3-",  "http-404@info=1-",
};

START_TEST(test_check_passing) {
    const char *const options[] = {"--fault", passing_faults[_i], NULL};
    start_with(options, 0);
    client_check(&client);
    client_wait(&client);
    const struct ca_report *report = &client.report;
    ck_assert_msg(error_code_class(report->error.code) == ERROR_CLASS_RETRY, "%s",
                  report->error.text);
    ck_assert(!report->reachable || report->policy_fits);
    stop();
}
END_TEST

static Suite *hvca_suite(void) {
    Suite *suite = suite_create("hvca look-ups");
    TCase *tests = tcase_create("reconcile");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_lost_and_found);
    tcase_add_test(tests, test_never_arrived);
    tcase_add_loop_test(tests, test_found_among_many, 0, 2);
    tcase_add_test(tests, test_scans_share);
    tcase_add_test(tests, test_found_after_lag);
    tcase_add_loop_test(tests, test_incomplete_scan, 0, ARRAY_LENGTH(scan_faults));
    tcase_add_test(tests, test_pending_in_the_list);
    tcase_add_test(tests, test_found_revoked);
    tcase_add_test(tests, test_old_request);
    tcase_add_loop_test(tests, test_wrong_time_is_found, 0, ARRAY_LENGTH(wrong_times_ms));
    tcase_add_test(tests, test_window_ends);
    tcase_add_loop_test(tests, test_obstacle, 0, ARRAY_LENGTH(blocking_faults));
    tcase_add_test(tests, test_outage_is_no_obstacle);
    tcase_add_test(tests, test_too_many_listed);
    suite_add_tcase(suite, tests);
    TCase *revoke = tcase_create("revoke");
    tcase_set_timeout(revoke, 120);
    tcase_add_loop_test(revoke, test_revoke, CA_REVOKE_UNSPECIFIED,
                        CA_REVOKE_PRIVILEGE_WITHDRAWN + 1);
    tcase_add_test(revoke, test_revoke_unknown);
    tcase_add_test(revoke, test_revoke_by_nonsense);
    tcase_add_test(revoke, test_revoke_survives_loss);
    suite_add_tcase(suite, revoke);
    TCase *check = tcase_create("check");
    tcase_set_timeout(check, 120);
    tcase_add_test(check, test_check_good);
    tcase_add_test(check, test_check_wrong_root);
    tcase_add_loop_test(check, test_check_passing, 0, ARRAY_LENGTH(passing_faults));
    tcase_add_loop_test(check, test_check_policy, 0, ARRAY_LENGTH(misfits));
    suite_add_tcase(suite, check);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(hvca_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
