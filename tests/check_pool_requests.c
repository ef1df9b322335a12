// SPDX-License-Identifier: Apache-2.0
// The pool's requests to the CA: how many at once, when again, and who is told.
#include <check.h>
#include <string.h>

#include "tests/support_pool.h"

static void resume(struct pool_bench *bench, size_t number, enum request_state state) {
    struct request_record record = {
        .unit_id = 500 + (int64_t)number,
        .credential_id = 1000 + (int64_t)number,
        .state = state,
        .attempt = 1,
        .profile = "https",
    };
    ck_assert(pool_resume_request(bench->pool, &bench->now, &record));
}

static int64_t last_asked(const struct pool_bench *bench) {
    ck_assert_uint_gt(bench->ask_count, 0);
    return bench->asks[bench->ask_count - 1].credential_id;
}

// ---- how many at once ---------------------------------------------------------------------------

START_TEST(test_in_flight) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    for (size_t i = 0; i < 20; i++) {
        resume(&bench, i, REQUEST_QUEUED);
    }
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 20);
    ck_assert_int_eq(pool_deadline_ms(bench.pool), bench.now.monotonic_ms);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, 3);
    ck_assert_int_eq(pool_deadline_ms(bench.pool), INT64_MAX); // a result wakes it
    pool_bench_turn(&bench, 1000);
    ck_assert_uint_eq(bench.ask_count, 3);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_uint_le(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), i + 3);
        pool_bench_answer_ca(&bench, bench.asks[i].credential_id, OUTCOME_CERTIFICATE, ERROR_NONE);
        pool_bench_turn(&bench, 10);
        pool_bench_turn(&bench, 10);
    }
    ck_assert_uint_eq(bench.ask_count, 20);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 0);
    for (size_t i = 0; i < bench.ask_count; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_int_ne(bench.asks[i].credential_id, bench.asks[j].credential_id);
        }
    }
    pool_bench_free(&bench);
}
END_TEST

// The intent is with the store before the CA is asked.
START_TEST(test_intent_first) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    resume(&bench, 0, REQUEST_QUEUED);
    pool_turn(bench.pool, &bench.now);
    ck_assert(pool_bench_take(&bench));
    ck_assert_int_eq(bench.batch->records[0].kind, RECORD_SENT);
    ck_assert_uint_eq(bench.ask_count, 0);
    pool_bench_commit(&bench);
    ck_assert_uint_eq(bench.ask_count, 1);
    pool_bench_free(&bench);
}
END_TEST

// Stamps that tell requests apart: within the window, and none twice while both are in progress.
START_TEST(test_stamps) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    bench.ca_policy.in_flight = 150;
    for (size_t i = 0; i < 150; i++) {
        resume(&bench, i, REQUEST_QUEUED);
    }
    while (bench.ask_count < 150) {
        pool_bench_turn(&bench, 0);
    }
    int64_t now_s = bench.now.wall_ms / 1000;
    size_t without = 0;
    for (size_t i = 0; i < 150; i++) {
        int64_t stamp = bench.asks[i].not_before_s;
        without += stamp == 0 ? 1 : 0;
        ck_assert(stamp == 0 || (stamp <= now_s && stamp > now_s - 100));
        for (size_t j = 0; j < i && stamp != 0; j++) {
            ck_assert_int_ne(stamp, bench.asks[j].not_before_s);
        }
    }
    ck_assert_uint_eq(without, 50);
    pool_bench_free(&bench);
}
END_TEST

// ---- when the CA does not work ------------------------------------------------------------------

START_TEST(test_breaker) {
    static struct pool_bench bench;
    struct error why;
    pool_bench_init(&bench);
    for (size_t i = 0; i < 30; i++) {
        resume(&bench, i, REQUEST_QUEUED);
    }
    ck_assert_int_eq(pool_ca_down_ms(bench.pool, bench.now.monotonic_ms, &why), 0);
    int64_t down_ms = bench.now.monotonic_ms;
    for (size_t failures = 0; failures < 6;) {
        pool_bench_turn(&bench, 0);
        for (; failures < bench.ask_count; failures++) {
            pool_bench_answer_ca(&bench, bench.asks[failures].credential_id, OUTCOME_NOT_SENT,
                                 E_CA_UNREACHABLE);
        }
    }
    pool_bench_settle(&bench);
    ck_assert_int_gt(pool_ca_down_ms(bench.pool, bench.now.monotonic_ms, &why), 0);
    ck_assert_int_eq(why.code, E_CA_UNREACHABLE);
    // Open: nothing leaves before its time, and then one.
    size_t asked = bench.ask_count;
    int64_t deadline_ms = pool_deadline_ms(bench.pool);
    ck_assert_int_gt(deadline_ms, bench.now.monotonic_ms);
    // The first pause, however many failed together: one broken connection is one failure.
    ck_assert_int_le(deadline_ms, bench.now.monotonic_ms + bench.ca_policy.backoff_ms);
    pool_bench_turn(&bench, deadline_ms - 1 - bench.now.monotonic_ms);
    ck_assert_uint_eq(bench.ask_count, asked);
    pool_bench_turn(&bench, 1);
    pool_bench_turn(&bench, 60000);
    ck_assert_uint_eq(bench.ask_count, asked + 1);
    ck_assert_int_eq(pool_deadline_ms(bench.pool), INT64_MAX);
    // It fails again: longer; and again one.
    pool_bench_answer_ca(&bench, last_asked(&bench), OUTCOME_NOT_SENT, E_CA_UNREACHABLE);
    pool_bench_settle(&bench);
    ck_assert_int_gt(pool_deadline_ms(bench.pool), bench.now.monotonic_ms);
    pool_bench_turn(&bench, 60000);
    ck_assert_uint_eq(bench.ask_count, asked + 2);
    ck_assert_int_eq(pool_ca_down_ms(bench.pool, bench.now.monotonic_ms, &why),
                     bench.now.monotonic_ms - down_ms + 1);
    // One success closes it.
    pool_bench_answer_ca(&bench, last_asked(&bench), OUTCOME_CERTIFICATE, ERROR_NONE);
    ck_assert_int_eq(pool_ca_down_ms(bench.pool, bench.now.monotonic_ms, &why), 0);
    pool_bench_settle(&bench);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, asked + 5);
    pool_bench_free(&bench);
}
END_TEST

// What was accepted is fetched beside the cap; but a CA that is out is tried by one at a time.
START_TEST(test_fetches) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    for (size_t i = 0; i < 20; i++) {
        resume(&bench, i, REQUEST_ACCEPTED);
    }
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_FETCH), 20);
    resume(&bench, 20, REQUEST_QUEUED);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 1);
    for (size_t i = 0; i < 21; i++) {
        pool_bench_answer_ca(&bench, bench.asks[i].credential_id, OUTCOME_NOT_SENT,
                             E_CA_UNREACHABLE);
    }
    pool_bench_settle(&bench);
    pool_bench_turn(&bench, 60000);
    pool_bench_turn(&bench, 60000);
    ck_assert_uint_eq(bench.ask_count, 22);
    ck_assert_int_eq(pool_deadline_ms(bench.pool), INT64_MAX);
    pool_bench_free(&bench);
}
END_TEST

// A CA is told what became of its certificates beside the cap; its unit hears when it has answered.
START_TEST(test_confirmations) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    for (size_t i = 0; i < 20; i++) {
        resume(&bench, i, REQUEST_UNCONFIRMED);
    }
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_CONFIRM), 20);
    resume(&bench, 20, REQUEST_QUEUED);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 1);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 21);
    for (size_t i = 0; i < 20; i++) {
        pool_bench_answer_ca(&bench, bench.asks[i].credential_id, OUTCOME_CONFIRMED, ERROR_NONE);
    }
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 1);
    ck_assert_uint_eq(bench.ask_count, 21);
    pool_bench_free(&bench);
}
END_TEST

// A CA that is out does not hold up another one.
START_TEST(test_two_cas) {
    static struct pool_bench bench;
    pool_bench_init_cas(&bench, 2);
    for (size_t i = 0; i < 10; i++) {
        resume(&bench, i, REQUEST_QUEUED);
    }
    for (size_t failures = 0; failures < 5;) {
        pool_bench_turn(&bench, 60000);
        for (; failures < bench.ask_count; failures++) {
            pool_bench_answer_ca(&bench, bench.asks[failures].credential_id, OUTCOME_NOT_SENT,
                                 E_CA_UNREACHABLE);
        }
    }
    pool_bench_settle(&bench);
    size_t asked = bench.ask_count;
    struct request_record other = {.unit_id = 9, .profile = "idevid", .state = REQUEST_QUEUED};
    for (other.credential_id = 5000; other.credential_id < 5010; other.credential_id++) {
        ck_assert(pool_resume_request(bench.pool, &bench.now, &other));
    }
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, asked + 3);
    ck_assert_int_ge(last_asked(&bench), 5000);
    // Nor does its success hide that the first one is out.
    struct error why;
    pool_bench_answer_ca(&bench, last_asked(&bench), OUTCOME_CERTIFICATE, ERROR_NONE);
    ck_assert_int_gt(pool_ca_down_ms(bench.pool, bench.now.monotonic_ms, &why), 0);
    pool_bench_free(&bench);
}
END_TEST

START_TEST(test_backoff_of_one) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    resume(&bench, 0, REQUEST_QUEUED);
    pool_bench_turn(&bench, 0);
    pool_bench_answer_ca(&bench, 1000, OUTCOME_NOT_SENT, E_CA_BUSY);
    pool_bench_settle(&bench);
    int64_t deadline_ms = pool_deadline_ms(bench.pool);
    ck_assert_int_ge(deadline_ms, bench.now.monotonic_ms + 100);
    ck_assert_int_le(deadline_ms, bench.now.monotonic_ms + 200);
    pool_bench_turn(&bench, deadline_ms - 1 - bench.now.monotonic_ms);
    ck_assert_uint_eq(bench.ask_count, 1);
    pool_bench_turn(&bench, 1);
    ck_assert_uint_eq(bench.ask_count, 2);
    pool_bench_free(&bench);
}
END_TEST

// ---- holding and stopping -----------------------------------------------------------------------

START_TEST(test_hold_submissions) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_hold_submissions(bench.pool, true);
    resume(&bench, 0, REQUEST_QUEUED);
    resume(&bench, 1, REQUEST_DOUBT);
    resume(&bench, 2, REQUEST_ACCEPTED);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 2);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, 2);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 0);
    pool_bench_answer_ca(&bench, 1002, OUTCOME_CERTIFICATE, ERROR_NONE);
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 1);
    // Not issued: back in the outbox, and it stays there.
    for (int i = 0; pool_requests_to_settle(bench.pool, bench.now.monotonic_ms) > 0; i++) {
        ck_assert_int_lt(i, 20);
        pool_bench_answer_ca(&bench, 1001, OUTCOME_NOT_ISSUED, ERROR_NONE);
        pool_bench_settle(&bench);
        pool_bench_turn(&bench, 1000);
    }
    ck_assert_int_eq(pool_deadline_ms(bench.pool), INT64_MAX);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 0);
    pool_hold_submissions(bench.pool, false);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 2);
    pool_bench_free(&bench);
}
END_TEST

// Only a person ends that; whether one did is looked at once.
START_TEST(test_carried) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    bench.ca_policy.is_offline = true;
    pool_hold_submissions(bench.pool, true);
    resume(&bench, 0, REQUEST_ACCEPTED);
    resume(&bench, 1, REQUEST_ACCEPTED);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 2);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_FETCH), 2);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 2);
    pool_bench_answer_ca(&bench, 1000, OUTCOME_ACCEPTED, ERROR_NONE);
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 1);
    pool_bench_answer_ca(&bench, 1001, OUTCOME_CERTIFICATE, ERROR_NONE);
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_requests_to_settle(bench.pool, bench.now.monotonic_ms), 0);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 1);
    pool_bench_free(&bench);
}
END_TEST

// What is under way ends and is recorded; nothing else begins.
START_TEST(test_stop) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    bench.ca_policy.in_flight = 1;
    resume(&bench, 0, REQUEST_QUEUED);
    resume(&bench, 1, REQUEST_QUEUED);
    pool_bench_turn(&bench, 0);
    pool_stop(bench.pool);
    pool_bench_answer_ca(&bench, last_asked(&bench), OUTCOME_CERTIFICATE, ERROR_NONE);
    ck_assert(!pool_is_settled(bench.pool));
    pool_bench_turn(&bench, 1000);
    ck_assert_uint_eq(bench.ask_count, 1);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 1);
    ck_assert_int_eq(pool_deadline_ms(bench.pool), INT64_MAX);
    pool_bench_free(&bench);
}
END_TEST

// ---- who is told, and who is at work ------------------------------------------------------------

// A result for a request that is not there, or twice for one that is.
START_TEST(test_results_that_nobody_waits_for) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_answer_ca(&bench, 77, OUTCOME_CERTIFICATE, ERROR_NONE);
    resume(&bench, 0, REQUEST_QUEUED);
    pool_bench_answer_ca(&bench, 1000, OUTCOME_CERTIFICATE, ERROR_NONE); // it was not asked
    ck_assert(!pool_bench_take(&bench));
    pool_bench_turn(&bench, 0);
    pool_bench_answer_ca(&bench, 1000, OUTCOME_CERTIFICATE, ERROR_NONE);
    pool_bench_answer_ca(&bench, 1000, OUTCOME_CERTIFICATE, ERROR_NONE);
    ck_assert(pool_bench_take(&bench));
    ck_assert_uint_eq(bench.batch->count, 1);
    pool_bench_commit(&bench);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 0);
    pool_bench_free(&bench);
}
END_TEST

// The unit left while its certificate was made, and comes back in another slot.
START_TEST(test_a_unit_that_moves) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_WAITING);
    pool_bench_settle(&bench);
    pool_bench_turn(&bench, 0);
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_identify(&bench, 3, 0);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 3), UNIT_WAITING);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 1);
    pool_bench_answer_ca(&bench, pool_bench_credential(0), OUTCOME_CERTIFICATE, ERROR_NONE);
    ck_assert_int_eq(pool_bench_state(&bench, 3), UNIT_WAITING); // not before it is on record
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 3), UNIT_CONFIRMING);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_EMPTY);
    ck_assert_uint_eq(bench.ask_count, 1);
    pool_bench_free(&bench);
}
END_TEST

// The camera left before its CSR was durable: the CA is asked all the same, once.
START_TEST(test_a_unit_that_leaves_with_its_csr) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_WAITING);
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_settle(&bench);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, 1);
    ck_assert_int_eq(last_asked(&bench), pool_bench_credential(0));
    pool_bench_free(&bench);
}
END_TEST

// Its request is in the store and in no pool: whoever admits the unit takes it up.
START_TEST(test_a_unit_whose_request_rests) {
    static const struct {
        enum request_state state;
        enum request_action action;
    } cases[] = {
        {REQUEST_QUEUED, REQUEST_ACT_SUBMIT},   {REQUEST_SENT, REQUEST_ACT_RECONCILE},
        {REQUEST_DOUBT, REQUEST_ACT_RECONCILE}, {REQUEST_ACCEPTED, REQUEST_ACT_FETCH},
        {REQUEST_REFUSED, REQUEST_ACT_SUBMIT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        static struct pool_bench bench;
        pool_bench_init(&bench);
        struct credential_record *credential = &bench.records[0].credentials[0];
        credential->request = cases[i].state;
        credential->has_key = true;
        memset(credential->spki_sha256, 0x10, SHA256_SIZE);
        pool_bench_identify(&bench, 0, 0);
        pool_bench_settle(&bench);
        ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_WAITING);
        pool_bench_turn(&bench, 0);
        ck_assert_uint_eq(bench.ask_count, 1);
        ck_assert_int_eq(bench.asks[0].action, cases[i].action);
        pool_bench_free(&bench);
    }
}
END_TEST

START_TEST(test_a_unit_is_told_of_a_refusal) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    pool_bench_drive(&bench, 0, 0, UNIT_WAITING);
    pool_bench_settle(&bench);
    pool_bench_turn(&bench, 0);
    pool_bench_answer_ca(&bench, pool_bench_credential(0), OUTCOME_REFUSED, E_CA_REFUSED);
    pool_bench_settle(&bench);
    ck_assert_int_eq(pool_bench_state(&bench, 0), UNIT_DONE);
    ck_assert_int_eq(pool_unit(bench.pool, 0)->error.code, E_CA_REFUSED);
    // Plugged in again, it is asked for again.
    pool_bench_post_error(&bench, 0, UNIT_ON_GONE, E_PORT_HANGUP);
    pool_bench_drive(&bench, 0, 0, UNIT_DONE);
    ck_assert_int_eq(bench.verdicts[bench.report_count - 1], UNIT_PASS);
    ck_assert_uint_eq(pool_bench_count_asks(&bench, REQUEST_ACT_SUBMIT), 2);
    pool_bench_free(&bench);
}
END_TEST

// The claim was lost to somebody: the place is free, and the CA is not asked.
START_TEST(test_a_claim_that_is_lost) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    bench.refused_kind = RECORD_SENT;
    bench.refused_code = E_STORE_CONFLICT;
    resume(&bench, 0, REQUEST_QUEUED);
    pool_bench_turn(&bench, 0);
    ck_assert_uint_eq(bench.ask_count, 0);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 0);
    pool_bench_free(&bench);
}
END_TEST

// ---- many ---------------------------------------------------------------------------------------

START_TEST(test_more_than_there_are_places) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    bench.ca_policy.in_flight = POOL_REQUESTS_MAX;
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        resume(&bench, i, REQUEST_QUEUED);
        resume(&bench, i, REQUEST_QUEUED); // once is enough
    }
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), POOL_REQUESTS_MAX);
    struct request_record record = {.unit_id = 1, .credential_id = 9999, .profile = "https"};
    record.state = REQUEST_QUEUED;
    ck_assert(!pool_resume_request(bench.pool, &bench.now, &record));
    ck_assert(!pool_wants_outbox(bench.pool)); // not while half of the places are taken
    // All are due at once: the journal keeps room for the units, and nothing is lost.
    for (int i = 0; bench.ask_count < POOL_REQUESTS_MAX; i++) {
        ck_assert_int_lt(i, 100);
        pool_bench_turn(&bench, 0);
        ck_assert(!pool_overflowed(bench.pool));
    }
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        pool_bench_answer_ca(&bench, 1000 + (int64_t)i, OUTCOME_CERTIFICATE, ERROR_NONE);
    }
    ck_assert(!pool_overflowed(bench.pool));
    pool_bench_settle(&bench);
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 0);
    ck_assert(pool_wants_outbox(bench.pool));
    ck_assert(pool_resume_request(bench.pool, &bench.now, &record));
    ck_assert(!pool_wants_outbox(bench.pool));
    pool_bench_free(&bench);
}
END_TEST

START_TEST(test_a_profile_that_is_not_served) {
    static struct pool_bench bench;
    pool_bench_init(&bench);
    struct request_record record = {.unit_id = 1, .credential_id = 9, .profile = "idevid"};
    record.state = REQUEST_QUEUED;
    ck_assert(pool_resume_request(bench.pool, &bench.now, &record));
    ck_assert_uint_eq(pool_requests_in_progress(bench.pool), 0);
    ck_assert(!pool_wants_outbox(bench.pool));
    pool_bench_free(&bench);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pool requests");
    TCase *turn = tcase_create("turn");
    tcase_set_timeout(turn, 120); // a busy machine is no failure
    tcase_add_test(turn, test_in_flight);
    tcase_add_test(turn, test_intent_first);
    tcase_add_test(turn, test_stamps);
    tcase_add_test(turn, test_breaker);
    tcase_add_test(turn, test_fetches);
    tcase_add_test(turn, test_confirmations);
    tcase_add_test(turn, test_two_cas);
    tcase_add_test(turn, test_backoff_of_one);
    tcase_add_test(turn, test_hold_submissions);
    tcase_add_test(turn, test_carried);
    tcase_add_test(turn, test_stop);
    suite_add_tcase(suite, turn);
    TCase *units = tcase_create("units");
    tcase_set_timeout(units, 120);
    tcase_add_test(units, test_results_that_nobody_waits_for);
    tcase_add_test(units, test_a_unit_that_moves);
    tcase_add_test(units, test_a_unit_that_leaves_with_its_csr);
    tcase_add_test(units, test_a_unit_whose_request_rests);
    tcase_add_test(units, test_a_unit_is_told_of_a_refusal);
    tcase_add_test(units, test_a_claim_that_is_lost);
    suite_add_tcase(suite, units);
    TCase *many = tcase_create("many");
    tcase_set_timeout(many, 120);
    tcase_add_test(many, test_more_than_there_are_places);
    tcase_add_test(many, test_a_profile_that_is_not_served);
    suite_add_tcase(suite, many);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
