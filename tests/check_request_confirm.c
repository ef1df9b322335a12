// SPDX-License-Identifier: Apache-2.0
// A CA that waits to hear of its certificate: it hears when that is on record, and what is true.
#include <check.h>
#include <string.h>

#include "station/core/request.h"
#include "tests/support_request.h"

static const uint8_t offer[3] = "cp";

static enum request_step answer_with(struct bench *bench, enum request_outcome outcome,
                                     enum error_code code, size_t offer_length) {
    struct request_result result = {
        .outcome = outcome, .handle = "0a1b", .offer = {offer, offer_length}};
    struct request_event event = {.kind = REQUEST_ON_RESULT, .result = &result};
    if (code != ERROR_NONE) {
        error_set(&result.error, code, "of the CA");
    }
    return step(bench, &event);
}

// A certificate that came with an offer, up to where the CA is told what became of it.
static void come_to_confirm(struct bench *bench, enum error_code code) {
    submit(bench);
    ck_assert_int_eq(answer_with(bench, OUTCOME_CERTIFICATE, code, sizeof offer), STEP_SETTLING);
    expect_record(bench, 0, RECORD_CERTIFICATE, REQUEST_NONE, code);
    ck_assert_uint_eq(bench->output.records[0].bytes.length, sizeof offer);
    ck_assert_ptr_eq(bench->output.records[0].bytes.data, offer);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_NONE);
    // It is durable now, not before.
    ck_assert_int_eq(post(bench, REQUEST_ON_STORED), STEP_LOOKING_UP);
    ck_assert(!bench->output.settled);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_NONE);
    expect_record(bench, 0, RECORD_LOAD_REQUEST, REQUEST_NONE, ERROR_NONE);
    bench->record.state = code == ERROR_NONE ? REQUEST_UNCONFIRMED : REQUEST_QUARANTINED;
    bench->record.offer = (struct slice){offer, sizeof offer};
    ck_assert_int_eq(post(bench, REQUEST_ON_RECORD), STEP_CONFIRMING);
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_CONFIRM);
    ck_assert(!request_is_in_flight(&bench->request));
}

START_TEST(test_confirmed) {
    struct bench bench;
    come_to_confirm(&bench, ERROR_NONE);
    answer(&bench, OUTCOME_CONFIRMED, ERROR_NONE, 0);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_ISSUED, ERROR_NONE);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

// Nobody is told of the certificate, and it is not lost, however long the CA is away.
START_TEST(test_confirmation_that_is_lost) {
    static const enum request_outcome lost[] = {OUTCOME_NOT_SENT,    OUTCOME_DOUBT,
                                                OUTCOME_NOT_ISSUED,  OUTCOME_CANNOT_TELL,
                                                OUTCOME_CERTIFICATE, OUTCOME_ACCEPTED};
    struct bench bench;
    come_to_confirm(&bench, ERROR_NONE);
    for (int i = 0; i < 60; i++) {
        ck_assert_int_eq(answer(&bench, lost[i % 6], E_CA_DOUBT, 0), STEP_DUE);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_CONFIRM);
        ck_assert_int_gt(bench.request.due_ms, bench.now_ms);
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert(bench.output.ca_failed && !bench.output.settled);
        ck_assert_int_eq(come_due(&bench), STEP_CONFIRMING);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_CONFIRM);
    }
    answer(&bench, OUTCOME_CONFIRMED, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

// It is not known whether the certificate is good: it goes no further.
START_TEST(test_confirmation_that_is_refused) {
    struct bench bench;
    come_to_confirm(&bench, ERROR_NONE);
    answer(&bench, OUTCOME_REFUSED, E_CERT_UNCONFIRMED, 0);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUARANTINED, E_CERT_UNCONFIRMED);
    ck_assert_str_eq(bench.output.records[0].text, "of the CA");
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_UNCONFIRMED);
}
END_TEST

// A certificate that is not wanted is refused once; what the CA says to that is history.
START_TEST(test_rejection) {
    static const enum request_outcome outcomes[] = {OUTCOME_CONFIRMED, OUTCOME_REFUSED,
                                                    OUTCOME_DOUBT, OUTCOME_NOT_SENT};
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
        struct bench bench;
        come_to_confirm(&bench, E_CERT_NAMES);
        answer(&bench, outcomes[i], E_CA_DOUBT, 0);
        expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUARANTINED, E_CERT_NAMES);
        ck_assert_str_eq(bench.output.records[0].text, i == 0
                                                           ? "the CA was told: of the CA"
                                                           : "the CA could not be told: of the CA");
        expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_NAMES);
    }
}
END_TEST

// The CA gave it to this request: asking again would not bring another.
START_TEST(test_offer_of_another_key) {
    struct bench bench;
    start(&bench, REQUEST_ACCEPTED);
    come_due(&bench);
    ck_assert_int_eq(answer_with(&bench, OUTCOME_CERTIFICATE, E_CERT_KEY, sizeof offer),
                     STEP_SETTLING);
    expect_record(&bench, 0, RECORD_CERTIFICATE, REQUEST_NONE, E_CERT_KEY);
}
END_TEST

// The store would have neither the certificate nor its offer: the CA hears nothing.
START_TEST(test_offer_that_is_not_on_record) {
    struct bench bench;
    submit(&bench);
    answer_with(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, sizeof offer);
    ck_assert_int_eq(post_conflict(&bench, E_CERT_DUPLICATE), STEP_SETTLING);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUARANTINED, E_CERT_DUPLICATE);
    ck_assert_int_eq(post(&bench, REQUEST_ON_STORED), STEP_LOOKING_UP);
    bench.record.state = REQUEST_QUARANTINED;
    ck_assert_int_eq(post(&bench, REQUEST_ON_RECORD), STEP_FREE);
    ck_assert(bench.output.settled);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
    ck_assert_int_eq(bench.request.outcome, REQUEST_QUARANTINED);
}
END_TEST

// A start between the record and the CA's word goes on with it.
START_TEST(test_confirms_after_a_restart) {
    struct bench bench;
    ck_assert_int_eq(start(&bench, REQUEST_UNCONFIRMED), STEP_DUE);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms);
    bench.record.offer = (struct slice){offer, sizeof offer};
    ck_assert_int_eq(come_due(&bench), STEP_CONFIRMING);
    answer(&bench, OUTCOME_CONFIRMED, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
    // The profile names another CA by now: the record stays, the unit is told.
    start(&bench, REQUEST_UNCONFIRMED);
    bench.record.offer = (struct slice){offer, sizeof offer};
    text_copy(bench.record.ca, sizeof bench.record.ca, "other");
    ck_assert_int_eq(come_due(&bench), STEP_FREE);
    ck_assert(bench.output.settled);
    ck_assert_uint_eq(bench.output.record_count, 0);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
    ck_assert_int_eq(bench.request.outcome, REQUEST_HELD);
    ck_assert_int_eq(bench.request.error.code, E_UNIT_HELD);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request, confirm");
    TCase *confirm = tcase_create("confirm");
    tcase_set_timeout(confirm, 120);
    tcase_add_test(confirm, test_confirmed);
    tcase_add_test(confirm, test_confirmation_that_is_lost);
    tcase_add_test(confirm, test_confirmation_that_is_refused);
    tcase_add_test(confirm, test_rejection);
    tcase_add_test(confirm, test_offer_of_another_key);
    tcase_add_test(confirm, test_offer_that_is_not_on_record);
    tcase_add_test(confirm, test_confirms_after_a_restart);
    suite_add_tcase(suite, confirm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
