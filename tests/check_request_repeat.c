// SPDX-License-Identifier: Apache-2.0
// A CA that is asked again, with the same request, for what it accepted: each time may be the one that
// it issues at.
#include <check.h>

#include "station/core/request.h"
#include "tests/support_request.h"

static void accept_at_repeating_ca(struct bench *bench) {
    submit(bench);
    bench->policy.fetch_repeats = true;
    ck_assert_int_eq(answer(bench, OUTCOME_ACCEPTED, ERROR_NONE, 7000), STEP_DUE);
    expect_record(bench, 0, RECORD_REQUEST, REQUEST_ACCEPTED, ERROR_NONE);
    ck_assert_uint_eq(bench->output.record_count, 1);
    ck_assert_int_eq(bench->request.due_ms, bench->now_ms + 7000);
}

// Its record is read, for the CA that it went to; then its intent becomes durable; then it leaves.
static void repeat(struct bench *bench) {
    ck_assert_int_eq(come_due(bench), STEP_CLAIMING);
    ck_assert_int_eq(bench->output.records[0].kind, RECORD_SENT);
    ck_assert_str_eq(bench->output.records[0].ca, "toy");
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_NONE);
    ck_assert_int_eq(post(bench, REQUEST_ON_RECORD), STEP_FETCHING);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_FETCH);
    ck_assert(!request_is_in_flight(&bench->request));
}

START_TEST(test_repeated_until_issued) {
    struct bench bench;
    accept_at_repeating_ca(&bench);
    for (int i = 0; i < 5; i++) {
        repeat(&bench);
        ck_assert_int_eq(answer(&bench, OUTCOME_ACCEPTED, ERROR_NONE, i == 3 ? 0 : 5000), STEP_DUE);
        expect_record(&bench, 0, RECORD_REQUEST, REQUEST_ACCEPTED, ERROR_NONE);
        ck_assert_str_eq(bench.output.records[0].handle, "0a1b");
        ck_assert_int_eq(bench.request.due_ms, bench.now_ms + (i == 3 ? usual.backoff_ms : 5000));
        ck_assert(bench.output.ca_worked && !bench.output.ca_failed);
    }
    repeat(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

START_TEST(test_repetition_that_fails) {
    struct bench bench;
    accept_at_repeating_ca(&bench);
    repeat(&bench);
    ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_UNREACHABLE, 60000), STEP_DUE);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_ACCEPTED, E_CA_UNREACHABLE);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms + 60000);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_FETCH);
    ck_assert(bench.output.ca_failed);
    repeat(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0); // it may have issued just then
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_DOUBT, E_CA_DOUBT);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
    accept_at_repeating_ca(&bench);
    repeat(&bench);
    answer(&bench, OUTCOME_REFUSED, E_CA_REFUSED, 0);
    expect_settled(&bench, REQUEST_REFUSED, E_CA_REFUSED);
    // To ask again for the certificate of the right key might buy a second one.
    accept_at_repeating_ca(&bench);
    repeat(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, E_CERT_KEY, 0);
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_KEY);
}
END_TEST

// The power went: before the repetition it is due at once, during it nobody knows.
START_TEST(test_repetition_after_a_crash) {
    struct bench bench;
    ck_assert_int_eq(start(&bench, REQUEST_ACCEPTED), STEP_DUE);
    bench.policy.fetch_repeats = true;
    repeat(&bench);
    start(&bench, REQUEST_SENT);
    bench.policy.fetch_repeats = true;
    ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request, repeated");
    TCase *repeats = tcase_create("repeats");
    tcase_add_test(repeats, test_repeated_until_issued);
    tcase_add_test(repeats, test_repetition_that_fails);
    tcase_add_test(repeats, test_repetition_after_a_crash);
    suite_add_tcase(suite, repeats);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
