// SPDX-License-Identifier: Apache-2.0
// The HVCA backend's requests that rekey a certificate, against hvca-sim.
#include <check.h>
#include <string.h>

#include "station/base/clock.h"
#include "tests/support_ca_client.h"
#include "tests/support_hvca_sim.h"

static struct hvca_sim sim;
static struct client client;

#define OLD (&client.units[0])
#define NEW (&client.units[1]) // the same camera with another board: its names, another key

static void assert_outcome(const struct client_unit *unit, enum ca_outcome outcome) {
    ck_assert_msg(unit->outcome == outcome, "outcome %d %s", (int)unit->outcome, unit->error.text);
}

static void start_with(const char *const options[]) {
    hvca_sim_start(&sim, options);
    struct ca_settings settings = hvca_sim_settings(&sim);
    settings.rekeys = true;
    client_start(&client, &settings, 2, "P-256");
    client_submit(&client, OLD);
    client_wait(&client);
    assert_outcome(OLD, CA_ACCEPTED);
    NEW->request.subject = OLD->request.subject;
    NEW->request.replaces = OLD->handle;
}

static void stop(void) {
    client_stop(&client);
    hvca_sim_stop(&sim);
}

static void rekey(void) {
    client_submit(&client, NEW);
    client_wait(&client);
}

static void assert_good(const struct client_unit *unit) {
    struct error error = {0};
    assert_outcome(unit, CA_CERTIFICATE);
    ck_assert_msg(client_certificate_is_good(&client, unit, sim.files[0], &error), "%s",
                  error.text);
}

static void assert_calls(int64_t rekeys, int64_t issued) {
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.rekey"), rekeys);
    ck_assert_int_eq(hvca_sim_count(&sim, "issued"), issued);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
}

// ---- the request ---------------------------------------------------------------------------------

static const char *const forms[] = {"pkcs10", "pkcs8"};

START_TEST(test_rekey) {
    const char *const options[] = {"--key-format", forms[_i], NULL};
    start_with(options);
    NEW->request.not_before_s = clock_wall_ms() / 1000 - 60; // there is no place for a stamp
    rekey();
    assert_outcome(NEW, CA_ACCEPTED);
    ck_assert_str_ne(NEW->handle, OLD->handle);
    client_fetch(&client, NEW);
    client_wait(&client);
    assert_good(NEW);
    assert_calls(1, 2);
    ck_assert_int_eq(hvca_sim_count(&sim, "revoked"), 0);
    stop();
}
END_TEST

// A definite no: nothing was issued, and the way out is named.
static const char *const refusals[] = {"http-400@rekey=1", "http-404@rekey=1", "http-405@rekey=1",
                                       "http-409@rekey=1", "http-415@rekey=1", "http-422@rekey=1",
                                       "http-404@get=1"};

static void assert_refused(const char *why) {
    assert_outcome(NEW, CA_REFUSED);
    ck_assert_int_eq(NEW->error.code, E_CA_REFUSED);
    ck_assert_msg(strstr(NEW->error.text, why) != NULL, "%s", NEW->error.text);
    ck_assert_msg(strstr(NEW->error.text, "rekey = no in [ca ") != NULL, "%s", NEW->error.text);
}

START_TEST(test_refused) {
    const char *const options[] = {"--fault", refusals[_i], NULL};
    bool is_late = strstr(refusals[_i], "@rekey") != NULL;
    start_with(options);
    rekey();
    assert_refused("a fault of the simulator");
    assert_calls(is_late ? 1 : 0, 1);
    stop();
}
END_TEST

// What would be no good, or could only be refused, is not asked for.
START_TEST(test_revoked) {
    start_with(NULL);
    client_revoke(&client, OLD, CA_REVOKE_SUPERSEDED);
    client_wait(&client);
    assert_outcome(OLD, CA_REVOKED);
    rekey();
    assert_refused("revoked");
    assert_calls(0, 1);
    stop();
}
END_TEST

START_TEST(test_other_names) {
    start_with(NULL);
    NEW->request.subject.serial = NEW->serial;
    rekey();
    assert_refused(OLD->handle);
    assert_calls(0, 1);
    // As with a name that goes by the board.
    NEW->request.subject = OLD->request.subject;
    (void)text_copy(client.profile.dns_names[0], PROFILE_TEXT_SIZE, "{mac}.local");
    rekey();
    assert_refused(OLD->handle);
    assert_calls(0, 1);
    // A profile that asks for less than the old certificate has would not get it.
    ck_assert(profile_built_in("https", &client.profile));
    client.profile.validity_days = 30;
    rekey();
    assert_refused("ends at");
    assert_calls(0, 1);
    stop();
}
END_TEST

START_TEST(test_unknown_serial) {
    start_with(NULL);
    NEW->request.replaces = "01FFEE";
    rekey();
    assert_refused("01FFEE");
    NEW->request.replaces = "../login";
    rekey();
    assert_outcome(NEW, CA_REFUSED);
    assert_calls(0, 1);
    stop();
}
END_TEST

// What passes is asked for again by the station; what may have been done is in doubt.
static const struct {
    const char *fault;
    enum ca_outcome outcome;
    int64_t rekeys;
    int64_t issued;
} faults[] = {
    {"http-503@get=1-", CA_NOT_SENT, 0, 1},    {"nonsense@get=1-", CA_NOT_SENT, 0, 1},
    {"drop-before@get=1-", CA_NOT_SENT, 0, 1}, {"http-429@rekey=1", CA_NOT_SENT, 1, 1},
    {"http-403@rekey=1", CA_NOT_SENT, 1, 1},   {"expired-token@rekey=1", CA_ACCEPTED, 2, 2},
    {"http-503@rekey=1", CA_DOUBT, 1, 1},      {"http-500@rekey=1", CA_DOUBT, 1, 1},
    {"nonsense@rekey=1", CA_DOUBT, 1, 1},      {"garbage-201@rekey=1", CA_DOUBT, 1, 2},
    {"drop-before@rekey=1-", CA_DOUBT, 1, 1},  {"drop-after@rekey=1-", CA_DOUBT, 1, 2},
};

START_TEST(test_faults) {
    const char *const options[] = {"--fault", faults[_i].fault, NULL};
    start_with(options);
    rekey();
    assert_outcome(NEW, faults[_i].outcome);
    assert_calls(faults[_i].rekeys, faults[_i].issued);
    stop();
}
END_TEST

// ---- the answer was lost -------------------------------------------------------------------------

static void reconcile(void) {
    client_reconcile(&client, NEW);
    client_wait(&client);
}

// Beside others of its time; whatever stamp is on record, it decides nothing.
START_TEST(test_lost_and_found) {
    const char *const options[] = {"--fault", "drop-after@rekey=1", NULL};
    start_with(options);
    NEW->request.not_before_s = clock_wall_ms() / 1000 - 60;
    rekey();
    assert_outcome(NEW, CA_DOUBT);
    reconcile();
    assert_good(NEW);
    ck_assert_str_ne(NEW->handle, "");
    ck_assert_str_ne(NEW->handle, OLD->handle);
    assert_calls(1, 2);
    stop();
}
END_TEST

// That it is not listed proves nothing, whether it was issued or not.
static const char *const unlisted[] = {"drop-after@rekey=1", "drop-before@rekey=1"};

START_TEST(test_lost_and_not_listed) {
    const char *const options[] = {"--rekey-unlisted", "1", "--fault", unlisted[_i], NULL};
    char key[2 * SHA256_SIZE + 1];
    start_with(options);
    rekey();
    assert_outcome(NEW, CA_DOUBT);
    hex_encode(key, NEW->request.spki_sha256, SHA256_SIZE);
    for (int i = 0; i < 5; i++) {
        reconcile();
        assert_outcome(NEW, CA_CANNOT_TELL);
        ck_assert_int_eq(NEW->error.code, E_UNIT_HELD);
        ck_assert_uint_gt(NEW->retry_after_ms, 0); // it may be listed late
        ck_assert_msg(strstr(NEW->error.text, "the rekey of") != NULL, "%s", NEW->error.text);
        ck_assert_msg(strstr(NEW->error.text, OLD->handle) != NULL, "%s", NEW->error.text);
        ck_assert_msg(strstr(NEW->error.text, key) != NULL, "%s", NEW->error.text);
        ck_assert_msg(strstr(NEW->error.text, OLD->serial) != NULL, "%s", NEW->error.text);
    }
    hvca_sim_control(&sim, "{\"rekey_unlisted\":0}");
    reconcile();
    assert_outcome(NEW, _i == 0 ? CA_CERTIFICATE : CA_CANNOT_TELL);
    assert_calls(1, _i == 0 ? 2 : 1);
    stop();
}
END_TEST

// The window that cannot be complete holds it as ever.
START_TEST(test_old_attempt) {
    start_with(NULL);
    NEW->request.sent_ms = clock_wall_ms() - INT64_C(86400000) * 400;
    reconcile();
    assert_outcome(NEW, CA_CANNOT_TELL);
    ck_assert_uint_eq(NEW->retry_after_ms, 0);
    ck_assert_msg(strstr(NEW->error.text, "the attempt's time") != NULL, "%s", NEW->error.text);
    ck_assert_msg(strstr(NEW->error.text, "the rekey of") != NULL, "%s", NEW->error.text);
    stop();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hvca_rekey");
    TCase *tests = tcase_create("rekey");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_rekey, 0, ARRAY_LENGTH(forms));
    tcase_add_loop_test(tests, test_refused, 0, ARRAY_LENGTH(refusals));
    tcase_add_test(tests, test_revoked);
    tcase_add_test(tests, test_other_names);
    tcase_add_test(tests, test_unknown_serial);
    tcase_add_loop_test(tests, test_faults, 0, ARRAY_LENGTH(faults));
    tcase_add_test(tests, test_lost_and_found);
    tcase_add_loop_test(tests, test_lost_and_not_listed, 0, ARRAY_LENGTH(unlisted));
    tcase_add_test(tests, test_old_attempt);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
