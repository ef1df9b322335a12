// SPDX-License-Identifier: Apache-2.0
// The outbox's backend where the connection breaks, at every byte, and where the forwarder is
// hostile: each call has one result, and NOT_SENT is said only of what certainly did not arrive.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/outbox_peer.h"

// ---- where the connection breaks ----------------------------------------------------------------

static void ask(enum outbox_type type, const struct ca_request *wanted) {
    switch (type) {
    case OUTBOX_SUBMIT:
        ca_outbox.submit(rig.ca, wanted);
        break;
    case OUTBOX_FETCH:
        ca_outbox.fetch(rig.ca, wanted);
        break;
    case OUTBOX_RECONCILE:
        ca_outbox.reconcile(rig.ca, wanted);
        break;
    default:
        ca_outbox.revoke(rig.ca, wanted, CA_REVOKE_UNSPECIFIED);
    }
}

static size_t length_of(enum outbox_type type) {
    const struct ca_request wanted = bench_request(1);
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    ck_assert(outbox_put_call(out, type, 2, &wanted, CA_REVOKE_UNSPECIFIED));
    size_t length = buf_length(out);
    buf_free(out);
    return length;
}

// The kernel takes so many bytes of the message, then the peer is gone.
static void break_call_at(enum outbox_type type, size_t bytes, enum ca_outcome outcome) {
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    rig.limits_sending = true;
    rig.may_send = bytes;
    ask(type, &wanted);
    peer_hang_up();
    wait_for(&rig.got.count, 1);
    ck_assert_msg(rig.got.last.outcome == outcome, "%s cut at %zu: outcome %s, %s",
                  outbox_type_name(type), bytes, outbox_outcome_name(rig.got.last.outcome),
                  rig.got.last.error.text);
    ck_assert_int_eq(rig.got.last.error.code, outcome == CA_DOUBT && type != OUTBOX_RECONCILE
                                                  ? E_CA_DOUBT
                                                  : E_CA_UNREACHABLE);
    bench_close();
    bench_open();
}

START_TEST(a_submit_that_is_cut_anywhere_was_not_sent) {
    size_t length = length_of(OUTBOX_SUBMIT);
    ck_assert_uint_gt(length, 400);
    for (size_t i = 0; i < length; i++) {
        break_call_at(OUTBOX_SUBMIT, i, CA_NOT_SENT);
    }
    break_call_at(OUTBOX_SUBMIT, length, CA_DOUBT);
}
END_TEST

START_TEST(other_calls_that_are_cut) {
    static const struct {
        enum outbox_type type;
        enum ca_outcome cut;
        enum ca_outcome whole;
    } calls[] = {
        {OUTBOX_FETCH, CA_NOT_SENT, CA_NOT_SENT},
        {OUTBOX_RECONCILE, CA_DOUBT, CA_DOUBT},
        {OUTBOX_REVOKE, CA_NOT_SENT, CA_DOUBT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++) {
        size_t length = length_of(calls[i].type);
        break_call_at(calls[i].type, 0, calls[i].cut);
        break_call_at(calls[i].type, length / 2, calls[i].cut);
        break_call_at(calls[i].type, length - 1, calls[i].cut);
        break_call_at(calls[i].type, length, calls[i].whole);
    }
}
END_TEST

START_TEST(of_many_submits_only_what_left_is_in_doubt) {
    size_t length = length_of(OUTBOX_SUBMIT);
    connect_up(60000);
    rig.limits_sending = true;
    rig.may_send = 3 * length + length / 2;
    for (int i = 0; i < 8; i++) {
        const struct ca_request wanted = bench_request(1);
        ca_outbox.submit(rig.ca, &wanted);
    }
    peer_hang_up();
    wait_for(&rig.got.count, 8);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(rig.got.outcomes[i], i < 3 ? CA_DOUBT : CA_NOT_SENT);
    }
}
END_TEST

START_TEST(an_answer_that_is_cut_anywhere_leaves_doubt) {
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    peer_put_result(out, 2, CA_CERTIFICATE);
    for (size_t i = 0; i <= buf_length(out); i++) {
        const struct ca_request wanted = bench_request(1);
        connect_up(60000);
        ca_outbox.submit(rig.ca, &wanted);
        peer_read();
        ck_assert_uint_eq(rig.message.call, 2);
        peer_send(buf_text(out), i);
        peer_hang_up();
        wait_for(&rig.got.count, 1);
        ck_assert_int_eq(rig.got.last.outcome, i < buf_length(out) ? CA_DOUBT : CA_CERTIFICATE);
        bench_close();
        bench_open();
    }
    buf_free(out);
}
END_TEST

// The peer has closed its half, and what it said before is still to be read when writing fails.
START_TEST(what_was_said_before_the_end_counts) {
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    peer_read();
    peer_answer(rig.message.call, CA_CERTIFICATE);
    peer_hang_up();
    const struct ca_request second = bench_request(2);
    ca_outbox.submit(rig.ca, &second);
    wait_for(&rig.got.count, 2);
    ck_assert_int_eq(rig.got.ids[0], 1);
    ck_assert_mem_eq(rig.got.leaf, "the leaf's bytes", 16);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
}
END_TEST

START_TEST(nothing_listens) {
    const struct ca_request wanted = bench_request(5);
    close(rig.listener);
    for (int i = 0; i < 2; i++) { // refused; then not there at all
        ca_outbox.submit(rig.ca, &wanted);
        ca_outbox.check(rig.ca, &rig.profile);
        ck_assert_uint_eq(rig.got.count, 0);
        wait_for(&rig.got.count, 1);
        wait_for(&rig.got.reports, 1);
        ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
        ck_assert_int_eq(rig.got.last.error.code, E_CA_UNREACHABLE);
        ck_assert_ptr_nonnull(strstr(rig.got.last.error.text, rig.path));
        ck_assert(!rig.got.report.reachable);
        ck_assert_int_eq(rig.got.report.error.code, E_CA_UNREACHABLE);
        ck_assert_int_eq(rig.got.report.quota, -1);
        ca_outbox.reconcile(rig.ca, &wanted);
        wait_for(&rig.got.count, 2);
        ck_assert_int_eq(rig.got.last.outcome, CA_DOUBT);
        bench_close();
        bench_open();
        unlink(rig.path);
    }
    ca_outbox.submit(rig.ca, &wanted);
    wait_for(&rig.got.count, 1);
    peer_listen();
    rig.ahead_ms = 1000; // the pause is over
    rig.got.asks_again = false;
    ca_outbox.submit(rig.ca, &wanted);
    peer_accept();
    peer_greet(60000);
    peer_read();
    peer_read();
    peer_answer(rig.message.call, CA_ACCEPTED);
    wait_for(&rig.got.count, 2);
    ck_assert_int_eq(rig.got.last.outcome, CA_ACCEPTED);
}
END_TEST

// A result's callback asks anew at once: that has its own result, in another turn.
START_TEST(a_callback_may_ask_anew) {
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    rig.got.asks_again = true;
    peer_hang_up();
    wait_for(&rig.got.count, 2);
    ck_assert_int_eq(rig.got.ids[1], 99);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
}
END_TEST

// ---- hostile forwarders -------------------------------------------------------------------------

// What comes after the connection is up; %u is the call of a submit. The connection ends, the submit
// is in doubt, and the error names what was wrong.
static const struct {
    const char *line;
    const char *names;
} bad_lines[] = {
    {"", "JSON"},
    {"nonsense", "JSON"},
    {"[]", "JSON"},
    {"{\"type\":\"alive\"", "JSON"},
    {"{\"type\":\"alive\",\"type\":\"alive\"}", "JSON"},
    {"{\"type\":\"alive\",\"x\":\"\xff\"}", "JSON"},
    {"{\"type\":\"alive\",\"x\":\"\\u0000\"}", "JSON"},
    {"{}", "type"},
    {"{\"type\":7}", "type"},
    {"{\"type\":\"gossip\"}", "type"},
    {"{\"type\":\"hello\",\"protocol\":1,\"bench\":\"x\"}", "hello"},
    {"{\"type\":\"greeting\",\"protocol\":1,\"program\":\"x\"}", "greets twice"},
    {"{\"type\":\"farewell\"}", "code"},
    {"{\"type\":\"result\"}", "call"},
    {"{\"type\":\"result\",\"call\":-1,\"outcome\":\"accepted\"}", "call"},
    {"{\"type\":\"result\",\"call\":\"%u\",\"outcome\":\"accepted\"}", "call"},
    {"{\"type\":\"result\",\"call\":%u}", "outcome"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"great\"}", "outcome"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"accepted\"}", "handle"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"accepted\",\"handle\":7}", "handle"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"accepted\",\"handle\":\"a\\u001bb\"}",
     "handle"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"accepted\",\"handle\":"
     "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
     "handle"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"certificate\"}", "certificate"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"certificate\",\"certificate\":\"A\"}",
     "certificate"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"certificate\",\"certificate\":\"A===\"}",
     "certificate"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"certificate\",\"certificate\":\" AAA\"}",
     "certificate"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"certificate\",\"certificate\":[1]}",
     "certificate"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"refused\",\"code\":\"a\\nb\"}", "code"},
    {"{\"type\":\"result\",\"call\":%u,\"outcome\":\"refused\",\"retry_after_ms\":-1}",
     "retry_after_ms"},
    {"{\"type\":\"result\",\"call\":999,\"outcome\":\"refused\"}", "999"},
    {"{\"type\":\"report\",\"call\":%u}", "waits for no such answer"},
    {"{\"type\":\"report\",\"call\":%u,\"quota\":\"x\"}", "quota"},
    {"{\"type\":\"report\",\"call\":%u,\"reachable\":1}", "reachable"},
    {"{\"type\":\"report\",\"call\":%u,\"login\":\"perhaps\"}", "login"},
    {"{\"type\":\"report\",\"call\":%u,\"remark\":\"a\\nb\"}", "remark"},
    {"{\"type\":\"report\",\"call\":%u,\"chain\":[1]}", "chain"},
    {"{\"type\":\"report\",\"call\":%u,\"chain\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", "chain"},
};

static void expect_broken(const char *names) {
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_DOUBT);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_DOUBT);
    ck_assert_msg(strstr(rig.got.last.error.text, names) != NULL, "%s: %s", names,
                  rig.got.last.error.text);
    // It hangs up, and the next connection is as good as any.
    char byte;
    int64_t end_ms = real_monotonic_ms() + GUARD_MS;
    while (recv(rig.peer, &byte, 1, 0) != 0 && errno != ECONNRESET) {
        ck_assert(real_monotonic_ms() < end_ms);
        run_ms(1);
    }
    peer_hang_up();
    rig.got.reports = 0;
    rig.ahead_ms += 1000;
    connect_up(60000);
}

START_TEST(hostile_lines) {
    char line[512];
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    peer_read();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, bad_lines[_i].line, rig.message.call);
#pragma GCC diagnostic pop
    peer_say(line);
    peer_say("\n");
    expect_broken(bad_lines[_i].names);
}
END_TEST

START_TEST(an_endless_line) {
    static char block[4096];
    const struct ca_request wanted = bench_request(1);
    memset(block, 'x', sizeof block);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    peer_read();
    for (size_t i = 0; i < OUTBOX_LINE_MAX / sizeof block; i++) {
        peer_send(block, sizeof block);
    }
    expect_broken("a line is longer than 65536 bytes");
}
END_TEST

START_TEST(deep_json) {
    static char deep[OUTBOX_LINE_MAX - 1];
    const struct ca_request wanted = bench_request(1);
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"type\":", 8);
    deep[sizeof deep - 1] = '\n';
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    peer_read();
    peer_send(deep, sizeof deep);
    expect_broken("JSON");
}
END_TEST

START_TEST(a_certificate_twice) {
    const struct ca_request wanted = bench_request(1);
    const struct ca_request second = bench_request(2);
    connect_up(60000);
    ca_outbox.submit(rig.ca, &wanted);
    ca_outbox.submit(rig.ca, &second);
    peer_read();
    uint32_t call = rig.message.call;
    peer_read();
    peer_answer(call, CA_CERTIFICATE);
    peer_answer(call, CA_CERTIFICATE);
    wait_for(&rig.got.count, 2);
    ck_assert_int_eq(rig.got.ids[0], 1);
    ck_assert_int_eq(rig.got.ids[1], 2);
    ck_assert_int_eq(rig.got.last.outcome, CA_DOUBT);
}
END_TEST

// Its message is not even there in whole.
START_TEST(an_answer_before_the_question) {
    const struct ca_request wanted = bench_request(1);
    connect_up(60000);
    rig.limits_sending = true;
    rig.may_send = 100;
    ca_outbox.submit(rig.ca, &wanted);
    peer_answer(2, CA_CERTIFICATE);
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
}
END_TEST

START_TEST(another_version) {
    const struct ca_request wanted = bench_request(1);
    ca_outbox.submit(rig.ca, &wanted);
    peer_accept();
    peer_say("{\"type\":\"greeting\",\"protocol\":2,\"program\":\"other 9\"}\n");
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_CONFIG);
    ck_assert_ptr_nonnull(strstr(rig.got.last.error.text, "other 9 speaks version 2"));
}
END_TEST

START_TEST(a_result_instead_of_a_greeting) {
    const struct ca_request wanted = bench_request(1);
    ca_outbox.submit(rig.ca, &wanted);
    peer_accept();
    peer_answer(1, CA_CERTIFICATE);
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
    ck_assert_ptr_nonnull(strstr(rig.got.last.error.text, "does not greet"));
}
END_TEST

START_TEST(a_farewell_says_why) {
    const struct ca_request wanted = bench_request(1);
    ca_outbox.submit(rig.ca, &wanted);
    peer_accept();
    peer_say("{\"type\":\"farewell\",\"code\":\"E-CA-BUSY\",\"text\":\"come tomorrow\"}\n");
    peer_hang_up();
    wait_for(&rig.got.count, 1);
    ck_assert_int_eq(rig.got.last.outcome, CA_NOT_SENT);
    ck_assert_int_eq(rig.got.last.error.code, E_CA_BUSY);
    ck_assert_str_eq(rig.got.last.error.text, "come tomorrow");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("outbox_broken");
    TCase *tests = tcase_create("outbox_broken");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, outbox_setup, outbox_teardown);
    tcase_add_test(tests, a_submit_that_is_cut_anywhere_was_not_sent);
    tcase_add_test(tests, other_calls_that_are_cut);
    tcase_add_test(tests, of_many_submits_only_what_left_is_in_doubt);
    tcase_add_test(tests, an_answer_that_is_cut_anywhere_leaves_doubt);
    tcase_add_test(tests, what_was_said_before_the_end_counts);
    tcase_add_test(tests, nothing_listens);
    tcase_add_test(tests, a_callback_may_ask_anew);
    tcase_add_loop_test(tests, hostile_lines, 0, (int)ARRAY_LENGTH(bad_lines));
    tcase_add_test(tests, an_endless_line);
    tcase_add_test(tests, deep_json);
    tcase_add_test(tests, a_certificate_twice);
    tcase_add_test(tests, an_answer_before_the_question);
    tcase_add_test(tests, another_version);
    tcase_add_test(tests, a_result_instead_of_a_greeting);
    tcase_add_test(tests, a_farewell_says_why);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
