// SPDX-License-Identifier: Apache-2.0
// A section of the configuration was edited while a request was with its CA: the one that it leads to
// now knows nothing of it, and is not asked.
#include <check.h>

#include "station/core/request.h"
#include "tests/support_request.h"

#define OLD "hvca https://old.example/v2"
#define NEW "hvca https://new.example/v2"

// As a start finds it; "" is what an older program recorded, or what this one does not know.
static void start_at(struct bench *bench, enum request_state state, const char *sent_to,
                     const char *leads_to) {
    start(bench, state);
    text_copy(bench->record.ca, sizeof bench->record.ca, "toy");
    text_copy(bench->record.endpoint, sizeof bench->record.endpoint, sent_to);
    text_copy(bench->policy.endpoint, sizeof bench->policy.endpoint, leads_to);
}

static void expect_not_asked(const struct bench *bench) {
    ck_assert_int_eq(bench->output.action, REQUEST_ACT_NONE);
    ck_assert_int_eq(bench->request.outcome, REQUEST_HELD);
    ck_assert_int_eq(bench->request.error.code, E_CA_CHANGED);
    ck_assert_str_eq(bench->request.error.text,
                     "it was sent to " OLD ", and [ca toy] leads to " NEW " now");
}

START_TEST(test_recorded_with_the_intent) {
    struct bench bench;
    start_at(&bench, REQUEST_QUEUED, "", NEW);
    ck_assert_int_eq(post(&bench, REQUEST_ON_DUE), STEP_CLAIMING);
    ck_assert_int_eq(bench.output.records[0].kind, RECORD_SENT);
    ck_assert_str_eq(bench.output.records[0].endpoint, NEW);
}
END_TEST

// What is known not to have been sent, or not to have been issued, goes where the section leads now.
START_TEST(test_queued_goes_to_the_new_one) {
    struct bench bench;
    start_at(&bench, REQUEST_QUEUED, OLD, NEW);
    ck_assert_int_eq(post(&bench, REQUEST_ON_DUE), STEP_CLAIMING);
    ck_assert_str_eq(bench.output.records[0].endpoint, NEW);
    text_copy(bench.record.endpoint, sizeof bench.record.endpoint, NEW);
    ck_assert_int_eq(post(&bench, REQUEST_ON_RECORD), STEP_SUBMITTED);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_SUBMIT);
}
END_TEST

START_TEST(test_doubt_is_held) {
    static const enum request_state states[] = {REQUEST_SENT, REQUEST_DOUBT, REQUEST_HELD};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        struct bench bench;
        start_at(&bench, states[i], OLD, NEW);
        ck_assert_int_eq(come_due(&bench), STEP_SETTLING);
        expect_not_asked(&bench);
        expect_record(&bench, 0, RECORD_REQUEST, REQUEST_HELD, E_CA_CHANGED);
        ck_assert_int_eq(post(&bench, REQUEST_ON_STORED), STEP_FREE);
        ck_assert(bench.output.settled);
        // The section was put back: it is looked up like any other.
        start_at(&bench, states[i], OLD, OLD);
        ck_assert_int_eq(come_due(&bench), STEP_RECONCILING);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_RECONCILE);
    }
}
END_TEST

// The same CA, somewhere else: a person says so.
START_TEST(test_moved) {
    struct bench bench;
    start_at(&bench, REQUEST_HELD, OLD, NEW);
    text_copy(bench.policy.formerly, sizeof bench.policy.formerly, OLD);
    ck_assert_int_eq(come_due(&bench), STEP_RECONCILING);
    ck_assert_int_eq(bench.output.action, REQUEST_ACT_RECONCILE);
    // From a third place it did not move.
    start_at(&bench, REQUEST_HELD, OLD, NEW);
    text_copy(bench.policy.formerly, sizeof bench.policy.formerly, "hvca https://third.example/v2");
    ck_assert_int_eq(come_due(&bench), STEP_SETTLING);
    expect_not_asked(&bench);
}
END_TEST

// What the CA accepted is still to be had from it by its handle: the record stays as it is.
START_TEST(test_accepted_is_left) {
    for (int repeats = 0; repeats < 2; repeats++) {
        struct bench bench;
        start_at(&bench, REQUEST_ACCEPTED, OLD, NEW);
        bench.policy.fetch_repeats = repeats != 0;
        ck_assert_int_eq(come_due(&bench), STEP_FREE);
        ck_assert(bench.output.settled);
        ck_assert_uint_eq(bench.output.record_count, 0);
        expect_not_asked(&bench);
        start_at(&bench, REQUEST_ACCEPTED, OLD, OLD);
        bench.policy.fetch_repeats = repeats != 0;
        ck_assert_int_eq(come_due(&bench), repeats != 0 ? STEP_CLAIMING : STEP_FETCHING);
    }
}
END_TEST

START_TEST(test_unconfirmed_is_left) {
    static const uint8_t offer[] = {0x30, 0x01};
    struct bench bench;
    start_at(&bench, REQUEST_UNCONFIRMED, OLD, NEW);
    bench.record.offer = (struct slice){offer, sizeof offer};
    ck_assert_int_eq(come_due(&bench), STEP_FREE);
    ck_assert(bench.output.settled);
    ck_assert_uint_eq(bench.output.record_count, 0);
    expect_not_asked(&bench);
    start_at(&bench, REQUEST_UNCONFIRMED, OLD, OLD);
    bench.record.offer = (struct slice){offer, sizeof offer};
    ck_assert_int_eq(come_due(&bench), STEP_CONFIRMING);
}
END_TEST

// Another look at what is in quarantine: it stays there. But for what is judged from the record, which
// needs no CA, as long as the section has the same name.
START_TEST(test_quarantined_stays) {
    uint8_t leaf[] = {0x30, 0};
    for (int forgets = 0; forgets < 2; forgets++) {
        struct bench bench;
        start_at(&bench, REQUEST_QUARANTINED, OLD, NEW);
        bench.policy.forgets = forgets != 0;
        ck_assert_int_eq(come_due(&bench), STEP_FREE);
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert_int_eq(bench.output.action, REQUEST_ACT_NONE);
        start_at(&bench, REQUEST_QUARANTINED, OLD, NEW);
        bench.policy.forgets = forgets != 0;
        bench.record.leaf = (struct slice){leaf, sizeof leaf};
        ck_assert_int_eq(come_due(&bench), forgets != 0 ? STEP_RECONCILING : STEP_FREE);
        start(&bench, REQUEST_QUARANTINED);
        bench.policy.forgets = forgets != 0;
        bench.record.leaf = (struct slice){leaf, sizeof leaf};
        text_copy(bench.record.ca, sizeof bench.record.ca, "other");
        ck_assert_int_eq(come_due(&bench), STEP_FREE);
    }
}
END_TEST

// Behind a forwarder it is the one that compares: another section of its may still lead there.
START_TEST(test_judged_by_the_ca) {
    static const enum request_state states[] = {REQUEST_ACCEPTED, REQUEST_SENT, REQUEST_DOUBT};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        bool fetch = states[i] == REQUEST_ACCEPTED;
        struct bench bench;
        start_at(&bench, states[i], OLD, NEW);
        bench.policy.judges_endpoint = true;
        ck_assert_int_eq(come_due(&bench), fetch ? STEP_FETCHING : STEP_RECONCILING);
        answer(&bench, fetch ? OUTCOME_NOT_SENT : OUTCOME_CANNOT_TELL, E_CA_CHANGED, 0);
        expect_record(&bench, 0, RECORD_REQUEST, fetch ? REQUEST_ACCEPTED : REQUEST_HELD,
                      E_CA_CHANGED);
        ck_assert_int_eq(bench.request.outcome, REQUEST_HELD);
        ck_assert_int_eq(bench.request.error.code, E_CA_CHANGED);
        ck_assert_int_eq(bench.request.step, fetch ? STEP_FREE : STEP_SETTLING);
        ck_assert(bench.output.settled == fetch);
        ck_assert(!bench.output.ca_failed);
    }
}
END_TEST

// Its intent said the CA of before: it is not sent, and goes with another intent.
START_TEST(test_not_sent_with_an_old_intent) {
    struct bench bench;
    start_at(&bench, REQUEST_QUEUED, "", OLD);
    bench.policy.judges_endpoint = true;
    post(&bench, REQUEST_ON_DUE);
    ck_assert_int_eq(post(&bench, REQUEST_ON_RECORD), STEP_SUBMITTED);
    ck_assert_int_eq(answer(&bench, OUTCOME_NOT_SENT, E_CA_CHANGED, 0), STEP_DUE);
    expect_record(&bench, 0, RECORD_REQUEST, REQUEST_QUEUED, E_CA_CHANGED);
    text_copy(bench.policy.endpoint, sizeof bench.policy.endpoint, NEW);
    ck_assert_int_eq(post(&bench, REQUEST_ON_DUE), STEP_CLAIMING);
    ck_assert_str_eq(bench.output.records[0].endpoint, NEW);
}
END_TEST

// Records of an older program say where by the section's name alone.
START_TEST(test_not_known) {
    static const enum request_state states[] = {REQUEST_ACCEPTED, REQUEST_SENT, REQUEST_DOUBT};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        struct bench bench;
        start_at(&bench, states[i], "", NEW);
        come_due(&bench);
        ck_assert_int_ne(bench.output.action, REQUEST_ACT_NONE);
        start_at(&bench, states[i], OLD, "");
        come_due(&bench);
        ck_assert_int_ne(bench.output.action, REQUEST_ACT_NONE);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request, endpoint");
    TCase *tests = tcase_create("endpoint");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_recorded_with_the_intent);
    tcase_add_test(tests, test_queued_goes_to_the_new_one);
    tcase_add_test(tests, test_doubt_is_held);
    tcase_add_test(tests, test_moved);
    tcase_add_test(tests, test_accepted_is_left);
    tcase_add_test(tests, test_unconfirmed_is_left);
    tcase_add_test(tests, test_quarantined_stays);
    tcase_add_test(tests, test_judged_by_the_ca);
    tcase_add_test(tests, test_not_sent_with_an_old_intent);
    tcase_add_test(tests, test_not_known);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
