// SPDX-License-Identifier: Apache-2.0
// One certificate's way through the CA: nothing is asked for twice, and every end is on record.
#include <check.h>
#include <string.h>

#include "station/core/request.h"
#include "tests/support_request.h"

// ---- the way there ------------------------------------------------------------------------------

// The intent is durable before the request leaves.
START_TEST(test_intent_first) {
    struct bench bench;
    start(&bench, REQUEST_QUEUED);
    ck_assert_uint_eq(bench.output.record_count, 0);
    bench.request.not_before_s = 1234;
    ck_assert_int_eq(post(&bench, REQUEST_ON_DUE), STEP_CLAIMING);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
    ck_assert_uint_eq(bench.output.record_count, 1);
    ck_assert_int_eq(bench.output.records[0].kind, RECORD_SENT);
    ck_assert_int_eq(bench.output.records[0].not_before_s, 1234);
    ck_assert_str_eq(bench.output.records[0].ca, "toy");
    ck_assert(request_is_in_flight(&bench.request));
    ck_assert_int_eq(post(&bench, REQUEST_ON_RECORD), STEP_SUBMITTED);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_SUBMIT);
    ck_assert_uint_eq(bench.output.record_count, 0);
}
END_TEST

START_TEST(test_certificate_at_once) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    expect_record(&bench, 0, RECORD_CERTIFICATE, REQUEST_NONE, ERROR_NONE);
    ck_assert_uint_eq(bench.output.records[0].certificate.sha256[0], 0x55);
    ck_assert(bench.output.ca_worked);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

START_TEST(test_certificate_later) {
    struct bench bench;
    submit(&bench);
    ck_assert_int_eq(answer(&bench, OUTCOME_ACCEPTED, ERROR_NONE, 0), STEP_LOOKING_UP);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_ACCEPTED, ERROR_NONE);
    ck_assert_str_eq(bench.output.records[0].handle, "0a1b");
    ck_assert_int_eq(bench.output.records[1].kind, RECORD_LOAD_REQUEST);
    ck_assert_int_eq(post(&bench, REQUEST_ON_RECORD), STEP_FETCHING);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_FETCH);
    ck_assert_int_eq(answer(&bench, OUTCOME_ACCEPTED, ERROR_NONE, 0), STEP_DUE);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms + usual.backoff_ms);
    ck_assert_int_eq(come_due(&bench), STEP_FETCHING);
    // The CA's own word on when to come back counts here too.
    ck_assert_int_eq(answer(&bench, OUTCOME_ACCEPTED, ERROR_NONE, 90000), STEP_DUE);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms + 90000);
    ck_assert_int_eq(come_due(&bench), STEP_FETCHING);
    ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_UNREACHABLE, 0), STEP_DUE);
    ck_assert(bench.output.ca_failed);
    ck_assert_uint_eq(bench.output.record_count, 0);
    come_due(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

START_TEST(test_refusal) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_REFUSED, E_CA_REFUSED, 0);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_REFUSED, E_CA_REFUSED);
    ck_assert_str_eq(bench.output.records[0].text, "of the CA");
    ck_assert(bench.output.ca_worked);
    expect_settled(&bench, REQUEST_REFUSED, E_CA_REFUSED);
}
END_TEST

START_TEST(test_quarantine) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, E_CERT_NAMES, 0);
    expect_record(&bench, 0, RECORD_CERTIFICATE, REQUEST_NONE, E_CERT_NAMES);
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_NAMES);
}
END_TEST

// ---- not now ------------------------------------------------------------------------------------

// Doubling, spread over the upper half, bounded; the CA's own word counts where it is longer.
START_TEST(test_backoff) {
    struct bench bench;
    submit(&bench);
    int64_t pause_ms = usual.backoff_ms;
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_BUSY, 0), STEP_DUE);
        expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUEUED, E_CA_BUSY);
        ck_assert(bench.output.ca_failed);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
        int64_t waits_ms = bench.request.due_ms - bench.now_ms;
        ck_assert_int_ge(waits_ms, pause_ms / 2);
        ck_assert_int_le(waits_ms, pause_ms);
        pause_ms = pause_ms * 2 < usual.backoff_max_ms ? pause_ms * 2 : usual.backoff_max_ms;
        ck_assert_int_eq(come_due(&bench), STEP_SUBMITTED);
    }
    ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_BUSY, 60000), STEP_DUE);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms + 60000);
    come_due(&bench);
    ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_BUSY, 1), STEP_DUE);
    ck_assert_int_gt(bench.request.due_ms, bench.now_ms + 1);
    // A success ends the series.
    come_due(&bench);
    answer(&bench, OUTCOME_ACCEPTED, ERROR_NONE, 0);
    ck_assert_uint_eq(bench.request.failures, 0);
    post(&bench, REQUEST_ON_RECORD);
    answer(&bench, OUTCOME_NOT_SENT, E_CA_BUSY, 7000);
    ck_assert_int_eq(bench.request.due_ms, bench.now_ms + 7000);
}
END_TEST

START_TEST(test_backoff_of_extreme_policies) {
    static const struct ca_policy policies[] = {
        {.backoff_ms = 0, .backoff_max_ms = 0},
        {.backoff_ms = 1, .backoff_max_ms = 1},
        {.backoff_ms = UINT32_MAX, .backoff_max_ms = UINT32_MAX},
        {.backoff_ms = 5000, .backoff_max_ms = 10},
    };
    uint64_t random = 9;
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        for (uint32_t failures = 0; failures < 70; failures++) {
            uint32_t pause_ms = policy_backoff_ms(&policies[i], failures, policy_random(&random));
            ck_assert_uint_le(pause_ms, policies[i].backoff_max_ms);
            ck_assert_uint_ge(pause_ms, policies[i].backoff_max_ms / 2);
        }
        ck_assert_uint_le(policy_backoff_ms(&policies[i], UINT32_MAX, UINT64_MAX),
                          policies[i].backoff_max_ms);
    }
}
END_TEST

// ---- in doubt -----------------------------------------------------------------------------------

// Never sent again before as many empty scans as the policy says, and not before the settle time.
START_TEST(test_doubt_takes_scans_and_time) {
    struct bench bench;
    submit(&bench);
    int64_t doubt_ms = bench.now_ms;
    ck_assert_int_eq(answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0), STEP_DUE);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_DOUBT, E_CA_DOUBT);
    ck_assert(bench.output.ca_failed);
    uint32_t scans = 0;
    while (bench.request.purpose == PURPOSE_RECONCILE) {
        ck_assert_uint_lt(scans, 50);
        ck_assert_int_eq(come_due(&bench), STEP_RECONCILING);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_RECONCILE);
        ck_assert_int_eq(answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0), STEP_DUE);
        scans++;
    }
    ck_assert_int_ge(bench.now_ms - doubt_ms, usual.settle_ms);
    ck_assert_uint_ge(scans, usual.empty_scans);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUEUED, ERROR_NONE);
    ck_assert_int_eq(come_due(&bench), STEP_SUBMITTED);
}
END_TEST

// The time alone is not enough, nor are the scans alone.
START_TEST(test_doubt_needs_both) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    bench.now_ms += 10 * (int64_t)usual.settle_ms;
    for (uint32_t i = 0; i + 1 < usual.empty_scans; i++) {
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
    }
    come_due(&bench);
    answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
    // Many scans in no time.
    submit(&bench);
    bench.policy.rescan_ms = 0;
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    for (int i = 0; i < 20; i++) {
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
    }
    bench.now_ms += usual.settle_ms;
    come_due(&bench);
    answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
}
END_TEST

// What counts is when the CA was asked: a list that was made too early may be long in coming.
START_TEST(test_doubt_counts_from_the_question) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    for (uint32_t i = 0; i < usual.empty_scans; i++) {
        come_due(&bench);
        bench.now_ms += i + 1 == usual.empty_scans ? usual.settle_ms : 0;
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
    }
    come_due(&bench);
    answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
}
END_TEST

// Sent again without knowing: the record says so, for whoever looks for a certificate too many.
START_TEST(test_sent_again_blindly) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    bench.now_ms += usual.settle_ms;
    for (uint32_t i = 0; i < usual.empty_scans; i++) {
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, E_CA_DOUBT, 0);
    }
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUEUED, E_CA_DOUBT);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
}
END_TEST

// Who looks for us knows when it sent last: before that is settled no scan counts, and none is the
// CA's failure.
START_TEST(test_scans_that_come_too_early) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    bench.now_ms += 10 * (int64_t)usual.settle_ms;
    for (int i = 0; i < 20; i++) {
        come_due(&bench);
        ck_assert_int_eq(answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 1234), STEP_DUE);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
        ck_assert_int_eq(bench.request.due_ms, bench.now_ms + 1234);
        ck_assert(bench.output.ca_worked && !bench.output.ca_failed);
        ck_assert_uint_eq(bench.output.record_count, 0);
    }
    for (uint32_t i = 0; i < usual.empty_scans; i++) {
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    }
    ck_assert_int_eq(bench.request.purpose, PURPOSE_SUBMIT);
}
END_TEST

// A scan that could not be made says nothing; a second doubt begins anew.
START_TEST(test_scans_that_fail) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    bench.now_ms += usual.settle_ms;
    static const enum request_outcome failures[] = {OUTCOME_NOT_SENT, OUTCOME_DOUBT,
                                                    OUTCOME_REFUSED, OUTCOME_ACCEPTED};
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(come_due(&bench), STEP_RECONCILING);
        answer(&bench, failures[i % 4], E_CA_UNREACHABLE, 0);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
        ck_assert(bench.output.ca_failed);
        ck_assert_uint_eq(bench.request.empty_scans, 0);
    }
    for (uint32_t i = 0; i < usual.empty_scans; i++) {
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    }
    come_due(&bench);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_SUBMIT);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    ck_assert_uint_eq(bench.request.empty_scans, 0);
    ck_assert_int_eq(bench.request.doubt_ms, bench.now_ms);
}
END_TEST

START_TEST(test_found_after_all) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_DOUBT, E_CA_DOUBT, 0);
    come_due(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
}
END_TEST

// Who cannot tell holds; a person decides.
START_TEST(test_ca_that_cannot_tell) {
    struct bench bench;
    start(&bench, REQUEST_DOUBT);
    come_due(&bench);
    answer(&bench, OUTCOME_CANNOT_TELL, E_UNIT_HELD, 0);
    ck_assert_str_eq(bench.output.records[0].text, "of the CA");
    expect_settled(&bench, REQUEST_HELD, E_UNIT_HELD);
    start(&bench, REQUEST_DOUBT);
    come_due(&bench);
    answer(&bench, OUTCOME_CANNOT_TELL, E_CA_UNSUPPORTED, 0);
    expect_settled(&bench, REQUEST_HELD, E_UNIT_HELD);
}
END_TEST

// A list that may leave it out is looked at as long as it may lag; then a person is asked.
START_TEST(test_cannot_tell_yet) {
    struct bench bench;
    start(&bench, REQUEST_DOUBT);
    int64_t begin_ms = bench.now_ms;
    for (int looks = 0; bench.request.step == STEP_DUE; looks++) {
        ck_assert_int_lt(looks, 20);
        come_due(&bench);
        answer(&bench, OUTCOME_CANNOT_TELL, E_UNIT_HELD, 900);
        ck_assert(!bench.output.ca_failed);
    }
    ck_assert_int_ge(bench.now_ms - begin_ms, usual.settle_ms);
    ck_assert_int_le(bench.now_ms - begin_ms, usual.settle_ms + 900);
    ck_assert_str_eq(bench.output.records[0].text, "of the CA");
    expect_settled(&bench, REQUEST_HELD, E_UNIT_HELD);
}
END_TEST

// Whoever says that nothing was issued in place of an old certificate: it is not sent again.
START_TEST(test_rekey_is_not_sent_again) {
    struct bench bench;
    start(&bench, REQUEST_DOUBT);
    text_copy(bench.record.replaces, sizeof bench.record.replaces, "01ab");
    for (int looks = 0; bench.request.step == STEP_DUE; looks++) {
        ck_assert_int_lt(looks, 20);
        come_due(&bench);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_RECONCILE);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    }
    expect_settled(&bench, REQUEST_HELD, E_UNIT_HELD);
}
END_TEST

START_TEST(test_intent_to_rekey) {
    struct bench bench;
    for (int rekeys = 0; rekeys < 2; rekeys++) {
        start(&bench, REQUEST_QUEUED);
        bench.policy.rekeys = rekeys == 1;
        post(&bench, REQUEST_ON_DUE);
        expect_record(&bench, 0, RECORD_SENT, REQUEST_NONE, ERROR_NONE);
        ck_assert(bench.output.records[0].rekeys == (rekeys == 1));
    }
}
END_TEST

// A handle that the CA does not know, or knows as revoked: back into doubt, not sent again.
START_TEST(test_fetch_that_is_refused) {
    struct bench bench;
    start(&bench, REQUEST_ACCEPTED);
    ck_assert_int_eq(come_due(&bench), STEP_FETCHING);
    answer(&bench, OUTCOME_REFUSED, E_CA_REFUSED, 0);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_DOUBT, E_CA_REFUSED);
    ck_assert_int_eq(bench.request.purpose, PURPOSE_RECONCILE);
    ck_assert_int_eq(bench.request.doubt_ms, bench.now_ms);
}
END_TEST

// Certificates for other keys are asked for again, a few times, and then kept.
START_TEST(test_mixed_up_answers) {
    struct bench bench;
    start(&bench, REQUEST_ACCEPTED);
    for (int i = 0; i < 3; i++) {
        come_due(&bench);
        ck_assert_int_eq(answer(&bench, OUTCOME_CERTIFICATE, E_CERT_KEY, 0), STEP_DUE);
        ck_assert_int_eq(bench.request.purpose, PURPOSE_FETCH);
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert_int_gt(bench.request.due_ms, bench.now_ms);
    }
    come_due(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, E_CERT_KEY, 0);
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_KEY);
    // Found by a scan or given at once, it is kept the first time.
    submit(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, E_CERT_KEY, 0);
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_KEY);
}
END_TEST

// ---- at start, and the store's word -------------------------------------------------------------

START_TEST(test_start_from_each_state) {
    static const struct {
        enum request_state state;
        enum request_step step;
        enum request_purpose purpose;
    } cases[] = {
        {REQUEST_NONE, STEP_FREE, PURPOSE_SUBMIT},
        {REQUEST_QUEUED, STEP_DUE, PURPOSE_SUBMIT},
        {REQUEST_SENT, STEP_DUE, PURPOSE_RECONCILE},
        {REQUEST_ACCEPTED, STEP_DUE, PURPOSE_FETCH},
        {REQUEST_DOUBT, STEP_DUE, PURPOSE_RECONCILE},
        {REQUEST_HELD, STEP_DUE, PURPOSE_RECONCILE},
        {REQUEST_REFUSED, STEP_FREE, PURPOSE_SUBMIT},
        {REQUEST_QUARANTINED, STEP_DUE, PURPOSE_RECONCILE},
        {REQUEST_ISSUED, STEP_FREE, PURPOSE_SUBMIT},
        {REQUEST_UNCONFIRMED, STEP_DUE, PURPOSE_CONFIRM},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench bench;
        ck_assert_int_eq(start(&bench, cases[i].state), cases[i].step);
        ck_assert_int_eq(bench.request.purpose, cases[i].purpose);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
        // Another look at what was held: that it is in doubt again goes on record.
        bool again = cases[i].state == REQUEST_HELD;
        ck_assert_uint_eq(bench.output.record_count, again ? 1 : 0);
        if (again) {
            expect_record(&bench, 0, RECORD_REQUEST, REQUEST_DOUBT, ERROR_NONE);
        }
    }
}
END_TEST

// Another look at what is in quarantine ends well, or leaves it there: it never buys a second one.
START_TEST(test_second_look_at_quarantine) {
    struct bench bench;
    start(&bench, REQUEST_QUARANTINED);
    come_due(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    expect_settled(&bench, REQUEST_ISSUED, ERROR_NONE);
    start(&bench, REQUEST_QUARANTINED);
    come_due(&bench);
    ck_assert_int_eq(answer(&bench, OUTCOME_CANNOT_TELL, E_UNIT_HELD, 0), STEP_FREE);
    ck_assert_uint_eq(bench.output.record_count, 0);
    start(&bench, REQUEST_QUARANTINED);
    do {
        come_due(&bench);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_RECONCILE);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
        ck_assert_uint_eq(bench.output.record_count, 0);
    } while (bench.request.step == STEP_DUE);
    ck_assert_int_eq(bench.request.step, STEP_FREE);
    start(&bench, REQUEST_QUARANTINED);
    text_copy(bench.record.ca, sizeof bench.record.ca, "other");
    ck_assert_int_eq(come_due(&bench), STEP_FREE);
    ck_assert_uint_eq(bench.output.record_count, 0);
}
END_TEST

// The profile names another CA by now: only the one that got the request can tell.
START_TEST(test_another_ca) {
    static const enum request_state states[] = {REQUEST_ACCEPTED, REQUEST_DOUBT};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        struct bench bench;
        start(&bench, states[i]);
        text_copy(bench.record.ca, sizeof bench.record.ca, "other");
        if (states[i] == REQUEST_DOUBT) {
            ck_assert_int_eq(come_due(&bench), STEP_SETTLING);
            expect_record(&bench, 0, RECORD_REQUEST, REQUEST_HELD, E_UNIT_HELD);
            expect_settled(&bench, REQUEST_HELD, E_UNIT_HELD);
        } else {
            // What it accepted is still to be had from it: the record stays as it is.
            ck_assert_int_eq(come_due(&bench), STEP_FREE);
            ck_assert(bench.output.settled);
            ck_assert_uint_eq(bench.output.record_count, 0);
            ck_assert_int_eq(bench.request.error.code, E_UNIT_HELD);
        }
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
        start(&bench, states[i]);
        text_copy(bench.record.ca, sizeof bench.record.ca, "toy");
        come_due(&bench);
        ck_assert_int_ne(bench.output.action, REQUEST_ACT_NONE);
    }
}
END_TEST

// The settle time of what was sent before a restart counts from the restart.
START_TEST(test_doubt_after_a_restart) {
    struct bench bench;
    start(&bench, REQUEST_SENT);
    bench.policy.rescan_ms = 1;
    int64_t start_ms = bench.now_ms;
    while (bench.request.purpose == PURPOSE_RECONCILE) {
        come_due(&bench);
        answer(&bench, OUTCOME_NOT_ISSUED, ERROR_NONE, 0);
    }
    ck_assert_int_ge(bench.now_ms - start_ms, usual.settle_ms);
}
END_TEST

// Somebody else has it.
START_TEST(test_claims_that_are_lost) {
    struct bench bench;
    start(&bench, REQUEST_QUEUED);
    post(&bench, REQUEST_ON_DUE);
    ck_assert_int_eq(post_conflict(&bench, E_STORE_CONFLICT), STEP_FREE);
    ck_assert(!bench.output.settled);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
    start(&bench, REQUEST_DOUBT);
    post(&bench, REQUEST_ON_DUE);
    ck_assert_int_eq(post_conflict(&bench, E_STORE_CONFLICT), STEP_FREE);
}
END_TEST

// The certificate is another camera's on record: it goes no further, and the unit is told why.
START_TEST(test_duplicate_certificate) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    ck_assert_int_eq(post_conflict(&bench, E_CERT_DUPLICATE), STEP_SETTLING);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUARANTINED, E_CERT_DUPLICATE);
    expect_settled(&bench, REQUEST_QUARANTINED, E_CERT_DUPLICATE);
}
END_TEST

// A store that refuses every outcome does not make it go round for ever.
START_TEST(test_store_that_refuses_every_outcome) {
    struct bench bench;
    submit(&bench);
    answer(&bench, OUTCOME_CERTIFICATE, ERROR_NONE, 0);
    post_conflict(&bench, E_STORE_CONFLICT);
    ck_assert_int_eq(post_conflict(&bench, E_STORE_CONFLICT), STEP_FREE);
    ck_assert(bench.output.settled);
    ck_assert_int_eq(bench.request.outcome, REQUEST_QUARANTINED);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request");
    TCase *way = tcase_create("way");
    tcase_set_timeout(way, 120); // a busy machine is no failure
    tcase_add_test(way, test_intent_first);
    tcase_add_test(way, test_certificate_at_once);
    tcase_add_test(way, test_certificate_later);
    tcase_add_test(way, test_refusal);
    tcase_add_test(way, test_quarantine);
    tcase_add_test(way, test_backoff);
    tcase_add_test(way, test_backoff_of_extreme_policies);
    suite_add_tcase(suite, way);
    TCase *doubt = tcase_create("doubt");
    tcase_set_timeout(doubt, 120);
    tcase_add_test(doubt, test_doubt_takes_scans_and_time);
    tcase_add_test(doubt, test_doubt_needs_both);
    tcase_add_test(doubt, test_doubt_counts_from_the_question);
    tcase_add_test(doubt, test_sent_again_blindly);
    tcase_add_test(doubt, test_scans_that_come_too_early);
    tcase_add_test(doubt, test_scans_that_fail);
    tcase_add_test(doubt, test_found_after_all);
    tcase_add_test(doubt, test_ca_that_cannot_tell);
    tcase_add_test(doubt, test_cannot_tell_yet);
    tcase_add_test(doubt, test_rekey_is_not_sent_again);
    tcase_add_test(doubt, test_intent_to_rekey);
    tcase_add_test(doubt, test_fetch_that_is_refused);
    tcase_add_test(doubt, test_mixed_up_answers);
    suite_add_tcase(suite, doubt);
    TCase *store = tcase_create("store");
    tcase_set_timeout(store, 120);
    tcase_add_test(store, test_start_from_each_state);
    tcase_add_test(store, test_second_look_at_quarantine);
    tcase_add_test(store, test_another_ca);
    tcase_add_test(store, test_doubt_after_a_restart);
    tcase_add_test(store, test_claims_that_are_lost);
    tcase_add_test(store, test_duplicate_certificate);
    tcase_add_test(store, test_store_that_refuses_every_outcome);
    suite_add_tcase(suite, store);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
