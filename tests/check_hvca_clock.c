// SPDX-License-Identifier: Apache-2.0
// The HVCA backend while the station's clock is wrong, or is set in between, against hvca-sim.
#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "station/base/clock.h"
#include "tests/support_ca_client.h"
#include "tests/support_hvca_sim.h"

static struct hvca_sim sim;
static struct client client;
static _Atomic time_t wall_shift_s; // of this program's wall clock; the simulator has its own

// In place of the C library's.
int clock_gettime(clockid_t id, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, id, now);
    if (result == 0 && id == CLOCK_REALTIME) {
        now->tv_sec += wall_shift_s;
    }
    return result;
}

static void start_with(const char *const options[], size_t units) {
    wall_shift_s = 0;
    hvca_sim_start(&sim, options);
    struct ca_settings settings = hvca_sim_settings(&sim);
    client_start(&client, &settings, units, "P-256");
}

static void stop(void) {
    wall_shift_s = 0;
    client_stop(&client);
    hvca_sim_stop(&sim);
}

static const struct client_unit *submit(size_t number) {
    client_submit(&client, &client.units[number]);
    client_wait(&client);
    return &client.units[number];
}

static const time_t shifts_s[] = {480, 150, -150, -40 * 86400, 400 * 86400};

static void assert_clock_error(const struct error *error) {
    ck_assert_msg(error->code == E_CLOCK, "%s", error->text);
    ck_assert_ptr_nonnull(strstr(error->text, "at the CA"));
}

static void assert_not_sent(const struct client_unit *unit) {
    ck_assert_msg(unit->outcome == CA_NOT_SENT, "%d %s", (int)unit->outcome, unit->error.text);
    assert_clock_error(&unit->error);
}

START_TEST(test_wrong_clock_buys_nothing) {
    start_with(NULL, 2);
    wall_shift_s = shifts_s[_i];
    assert_not_sent(submit(0));
    client_check(&client);
    client_wait(&client);
    assert_clock_error(&client.report.error);
    ck_assert(client.report.reachable);
    wall_shift_s = 60; // near enough
    ck_assert_int_eq(submit(0)->outcome, CA_ACCEPTED);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
    stop();
}
END_TEST

// The clock jumps after the CA's clock was learnt, even between two requests.
START_TEST(test_clock_jumps) {
    start_with(NULL, 2);
    ck_assert_int_eq(submit(0)->outcome, CA_ACCEPTED);
    wall_shift_s = shifts_s[_i];
    assert_not_sent(submit(1));
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 1);
    stop();
}
END_TEST

// A lost attempt is found though the clock went wrong after it.
START_TEST(test_found_with_wrong_clock) {
    const char *const options[] = {"--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    ck_assert_int_eq(submit(0)->outcome, CA_DOUBT);
    wall_shift_s = shifts_s[_i];
    client_reconcile(&client, &client.units[0]);
    client_wait(&client);
    ck_assert_msg(client.units[0].outcome == CA_CERTIFICATE, "%d %s", (int)client.units[0].outcome,
                  client.units[0].error.text);
    stop();
}
END_TEST

// The computer slept, or its clock was set, between the record of the attempt and the call: it would be
// looked for at the record's time.
static const int64_t noted_ago_s[] = {330, 3600, -3600, 40 * 86400};

START_TEST(test_noted_at_another_time) {
    const char *const options[] = {"--fault", "drop-after@post=1", NULL};
    start_with(options, 1);
    struct client_unit *unit = &client.units[0];
    unit->request.sent_ms = clock_wall_ms() - noted_ago_s[_i] * 1000;
    unit->request.profile = &client.profile;
    client.expected++;
    client.ops->submit(client.ca, &unit->request);
    client_wait(&client);
    ck_assert_msg(unit->outcome == CA_NOT_SENT, "%d %s", (int)unit->outcome, unit->error.text);
    ck_assert_int_eq(unit->error.code, E_CA_BUSY);
    ck_assert_int_eq(hvca_sim_count(&sim, "requests.post"), 0);
    stop();
}
END_TEST

static const struct client_unit *reconcile(size_t number) {
    client_reconcile(&client, &client.units[number]);
    client_wait(&client);
    return &client.units[number];
}

// A CA that does not tell the time: our clock may be wrong by any amount, so what was issued is
// looked for in all that is listed, and what is not found there goes to a person.
static const time_t unseen_shifts_s[] = {0, 1200, -1200};

START_TEST(test_ca_without_a_clock) {
    const char *const options[] = {"--no-date",          "--fault", "drop-after@post=1", "--fault",
                                   "drop-before@post=2", NULL};
    start_with(options, 2);
    wall_shift_s = unseen_shifts_s[_i];
    ck_assert_int_eq(submit(0)->outcome, CA_DOUBT);
    ck_assert_int_eq(submit(1)->outcome, CA_DOUBT);
    wall_shift_s = 0;
    ck_assert_msg(reconcile(0)->outcome == CA_CERTIFICATE, "%s", client.units[0].error.text);
    const struct client_unit *unit = reconcile(1);
    ck_assert_int_eq(unit->outcome, CA_CANNOT_TELL);
    ck_assert_int_eq(unit->error.code, E_UNIT_HELD);
    ck_assert_ptr_nonnull(strstr(unit->error.text, "do not tell the time"));
    stop();
}
END_TEST

static Suite *hvca_suite(void) {
    Suite *suite = suite_create("hvca clock");
    TCase *tests = tcase_create("clock");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_wrong_clock_buys_nothing, 0, ARRAY_LENGTH(shifts_s));
    tcase_add_loop_test(tests, test_clock_jumps, 0, ARRAY_LENGTH(shifts_s));
    tcase_add_loop_test(tests, test_found_with_wrong_clock, 0, ARRAY_LENGTH(shifts_s));
    tcase_add_loop_test(tests, test_noted_at_another_time, 0, ARRAY_LENGTH(noted_ago_s));
    tcase_add_loop_test(tests, test_ca_without_a_clock, 0, ARRAY_LENGTH(unseen_shifts_s));
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(hvca_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
