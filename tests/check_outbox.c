// SPDX-License-Identifier: Apache-2.0
// The outbox's backend against a scripted forwarder that keeps to the protocol, or falls silent.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/outbox_peer.h"

// ---- what goes well -----------------------------------------------------------------------------

START_TEST(passes_a_submit_and_its_certificate) {
    const struct ca_request wanted = bench_request(7);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    ck_assert_uint_eq(rig.got.count, 0);
    peer_read();
    const struct ca_request *asked = &rig.message.request;
    ck_assert_int_eq(rig.message.type, OUTBOX_SUBMIT);
    ck_assert_ptr_null(outbox_profile_difference(asked->profile, &rig.profile));
    ck_assert_str_eq(asked->subject.serial, wanted.subject.serial);
    ck_assert_str_eq(asked->subject.model, wanted.subject.model);
    ck_assert_uint_eq(asked->subject.hardware_id_length, 6);
    ck_assert_mem_eq(asked->subject.hardware_id, wanted.subject.hardware_id, 6);
    ck_assert(slice_equal(asked->csr, wanted.csr));
    ck_assert_mem_eq(asked->spki_sha256, wanted.spki_sha256, SHA256_SIZE);
    ck_assert_int_eq(asked->not_before_s, wanted.not_before_s);
    ck_assert_int_eq(asked->sent_ms, wanted.sent_ms);
    peer_answer(rig.message.call, CA_CERTIFICATE);
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.ids[0], 7);
    ck_assert_int_eq(rig.got.last.outcome, CA_CERTIFICATE);
    ck_assert_int_eq(rig.got.last.issued_s, 1772366401);
    ck_assert_mem_eq(rig.got.leaf, "the leaf's bytes", 16);
    ck_assert_mem_eq(rig.got.extra, "and of its chain", 16);
    ck_assert_str_eq(rig.got.handle, "0A1B");
}
END_TEST

START_TEST(passes_a_report) {
    connect_up(60000);
    ck_assert(rig.got.report.reachable && rig.got.report.logged_in && rig.got.report.policy_fits);
    ck_assert(rig.got.report.is_private);
    ck_assert_int_eq(rig.got.report.quota, 17);
    ck_assert_int_le(llabs(rig.got.report.clock_offset_ms - 5000), 1000);
    ck_assert_int_eq(rig.got.report.station_certificate_not_after_ms, 1772366400000);
    ck_assert_str_eq(rig.got.report.chain[1], "CN=Root");
    ck_assert_str_eq(rig.got.report.chain[2], "");
    ck_assert_str_eq(rig.got.report.behind, "CA factory (local)");
    ck_assert_int_eq(rig.got.report.login, CA_LOGIN_TAKEN);
    ck_assert_str_eq(rig.got.report.remark, "lists lag");
}
END_TEST

// A forwarder of an earlier version does not say what is behind it: then nothing is known any more.
START_TEST(passes_what_is_behind) {
    struct ca_request wanted = bench_request(7);
    wanted.endpoint = "hvca https://ca.example/v2";
    connect_up(60000);
    ck_assert_uint_eq(rig.got.behind_count, 2);
    ck_assert_str_eq(rig.got.behind[0].profile, "https");
    ck_assert_str_eq(rig.got.behind[0].endpoint, wanted.endpoint);
    ck_assert_str_eq(rig.got.behind[1].profile, "idevid");
    ca_outbox.reconcile(rig.ca, &wanted);
    peer_read();
    ck_assert_str_eq(rig.message.request.endpoint, wanted.endpoint);
    peer_answer(rig.message.call, CA_CANNOT_TELL);
    wait_for(&rig.got.count, 1);
    peer_hang_up();
    run_ms(300);
    ca_outbox.reconcile(rig.ca, &wanted);
    peer_accept();
    peer_say("{\"type\":\"greeting\",\"protocol\":1,\"program\":\"old\",\"answer_ms\":1000}\n");
    peer_read();
    ck_assert_int_eq(rig.message.type, OUTBOX_HELLO);
    ck_assert_uint_eq(rig.got.behind_count, 0);
}
END_TEST

START_TEST(passes_every_outcome_of_every_call) {
    struct ca_request wanted = bench_request(1);
    size_t results = 0;
    wanted.handle = "0A1B";
    connect_up(60000);
    for (enum outbox_type type = OUTBOX_SUBMIT; type <= OUTBOX_REVOKE; type++) {
        for (enum ca_outcome outcome = CA_ACCEPTED; outcome <= CA_REVOKED; outcome++) {
            wanted.id++;
            if (type == OUTBOX_SUBMIT) {
                ca_outbox.submit(rig.ca, &wanted);
            } else if (type == OUTBOX_FETCH) {
                ca_outbox.fetch(rig.ca, &wanted);
            } else if (type == OUTBOX_RECONCILE) {
                ca_outbox.reconcile(rig.ca, &wanted);
            } else {
                ca_outbox.revoke(rig.ca, &wanted, CA_REVOKE_SUPERSEDED);
            }
            peer_read();
            ck_assert_int_eq(rig.message.type, type);
            ck_assert_str_eq(rig.message.request.handle, "0A1B");
            ck_assert_int_eq(rig.message.reason, type == OUTBOX_REVOKE ? CA_REVOKE_SUPERSEDED : 0);
            peer_answer(rig.message.call, outcome);
            wait_for(&rig.got.count, ++results);
            ck_assert_int_eq(rig.got.ids[results - 1], wanted.id);
            ck_assert_int_eq(rig.got.last.outcome, outcome);
            if (outcome == CA_REFUSED) {
                ck_assert_int_eq(rig.got.last.error.code, E_CA_QUOTA);
                ck_assert_str_eq(rig.got.last.error.text, "no more \\x01");
                ck_assert_uint_eq(rig.got.last.retry_after_ms, 1500);
            }
        }
    }
}
END_TEST

START_TEST(answers_come_in_any_order) {
    uint32_t calls[20];
    connect_up(60000);
    for (int i = 0; i < 20; i++) {
        const struct ca_request wanted = bench_request(100 + i);
        ca_outbox.submit(rig.ca, &wanted);
        peer_read();
        calls[i] = rig.message.call;
    }
    for (size_t i = 0; i < 20; i++) {
        size_t which = i * 7 % 20;
        peer_answer(calls[which], CA_ACCEPTED);
        wait_for(&rig.got.count, i + 1);
        ck_assert_int_eq(rig.got.ids[i], 100 + (int64_t)which);
    }
}
END_TEST

START_TEST(what_is_not_known_is_passed_over) {
    char line[200];
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    peer_read();
    peer_say("{\"type\":\"alive\",\"since\":[1,{\"x\":null}]}\n");
    snprintf(line, sizeof line,
             "{\"type\":\"result\",\"call\":%u,\"outcome\":\"refused\",\"new\":true,"
             "\"code\":\"E-NEW-CODE\",\"text\":\"of a later version\"}\n",
             rig.message.call);
    peer_say(line);
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_REFUSED);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_NONSENSE);
    ck_assert_str_eq(rig.got.last.error.text, "E-NEW-CODE of a later version");
}
END_TEST

// ---- patience -----------------------------------------------------------------------------------

START_TEST(a_forwarder_that_does_not_greet) {
    const struct ca_request wanted = bench_request(1);
    ca_outbox.submit(rig.ca, &wanted);
    peer_accept();
    run_ms(20);
    ck_assert_uint_eq(rig.got.count, 0);
    rig.ahead_ms = 11000;
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_UNREACHABLE);
}
END_TEST

START_TEST(a_forwarder_that_falls_silent) {
    const struct ca_request wanted = bench_request(1);
    connect_up(3600000);
    ca_outbox.submit(rig.ca, &wanted);
    rig.ahead_ms = 30000;
    peer_say("{\"type\":\"alive\"}\n");
    run_ms(1200);
    ck_assert_uint_eq(rig.got.count, 0);
    rig.ahead_ms = 66000;
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_DOUBT);
    ck_assert_ptr_nonnull(strstr(rig.got.last.error.text, "nothing for 35 s"));
}
END_TEST

START_TEST(an_answer_that_is_owed) {
    const struct ca_request wanted = bench_request(1);
    connect_up(30000);
    ca_outbox.reconcile(rig.ca, &wanted); // may take longer
    ca_outbox.submit(rig.ca, &wanted);
    rig.ahead_ms = 20000;
    run_ms(1200);
    ck_assert_uint_eq(rig.got.count, 0);
    rig.ahead_ms = 31000;
    wait_for(&rig.got.count, 2);
    ck_assert_int_eq(rig.got.last.outcome, CA_DOUBT);
    ck_assert_ptr_nonnull(strstr(rig.got.last.error.text, "owes the answer to a submit"));
}
END_TEST

START_TEST(too_many_calls) {
    connect_up(60000);
    for (int i = 0; i <= CA_PENDING_MAX; i++) {
        const struct ca_request wanted = bench_request(i + 1);
        ca_outbox.submit(rig.ca, &wanted);
    }
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.ids[0], CA_PENDING_MAX + 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_BUSY);
    peer_hang_up();
    wait_for(&rig.got.count, CA_PENDING_MAX + 1);
}
END_TEST

// ---- opening ------------------------------------------------------------------------------------

START_TEST(refuses_bad_settings) {
    static const struct ca_events events = {0};
    char long_path[120];
    const char *const paths[] = {NULL, "", long_path};
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        const struct ca_settings settings = {.name = "gateway", .socket = paths[i]};
        struct ca *other = NULL;
        struct error error;
        ck_assert(!ca_outbox.open(rig.loop, &settings, &events, &rig.got, &other, &error));
        ck_assert_int_eq(error.code, E_CA_CONFIG);
        ck_assert_ptr_null(other);
    }
}
END_TEST

START_TEST(closes_with_calls_in_progress) {
    const struct ca_request wanted = bench_request(1);
    ca_outbox.submit(rig.ca, &wanted); // waits for the greeting
    bench_close();
    bench_open();
    peer_accept(); // the one before
    peer_hang_up();
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    bench_close();
    ck_assert_uint_eq(rig.got.count, 0);
    ca_outbox.close(NULL);
    bench_open();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outbox");
    TCase *tests = tcase_create("outbox");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, outbox_setup, outbox_teardown);
    tcase_add_test(tests, passes_a_submit_and_its_certificate);
    tcase_add_test(tests, passes_a_report);
    tcase_add_test(tests, passes_what_is_behind);
    tcase_add_test(tests, passes_every_outcome_of_every_call);
    tcase_add_test(tests, answers_come_in_any_order);
    tcase_add_test(tests, what_is_not_known_is_passed_over);
    tcase_add_test(tests, a_forwarder_that_does_not_greet);
    tcase_add_test(tests, a_forwarder_that_falls_silent);
    tcase_add_test(tests, an_answer_that_is_owed);
    tcase_add_test(tests, too_many_calls);
    tcase_add_test(tests, refuses_bad_settings);
    tcase_add_test(tests, closes_with_calls_in_progress);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
