// SPDX-License-Identifier: Apache-2.0
// How the vault backend finds what became of a lost request, among the certificates that the mount keeps.
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "tests/support_vault.h"

START_TEST(test_found) {
    struct error error = {0};
    vault_start(false);
    for (size_t i = VAULT_UNITS; i-- > 0;) {
        vault_store(&vault.client.units[i], false);
    }
    const struct client_unit *unit = vault_look();
    vault_assert(unit, CA_CERTIFICATE, ERROR_NONE, "found");
    ck_assert_str_eq(unit->handle, "3fa00b");
    ck_assert_msg(client_certificate_is_good(&vault.client, unit, vault.root_file, &error), "%s",
                  error.text);
    ck_assert_int_lt(llabs(unit->issued_s - clock_wall_ms() / 1000 + 30), 60);
    // All were read: the next one is found at once, and no other is read again.
    unsigned read = vault.counts[VAULT_CERT];
    ck_assert_uint_eq(read, VAULT_UNITS);
    client_reconcile(&vault.client, &vault.client.units[3]);
    client_wait(&vault.client);
    vault_assert(&vault.client.units[3], CA_CERTIFICATE, ERROR_NONE, "found as well");
    ck_assert_uint_eq(vault.counts[VAULT_CERT], read + 1);
    ck_assert_uint_eq(vault.counts[VAULT_LIST], 1);
    vault_stop();
}
END_TEST

// Two that are good: one is taken, and the log names the other.
START_TEST(test_two) {
    char said[2048];
    char hash[2 * SHA256_SIZE + 1];
    uint8_t sha256[SHA256_SIZE];
    vault_start(false);
    struct client_unit *unit = &vault.client.units[0];
    X509 *one = vault_keep(unit, false);
    X509 *two = vault_keep(unit, false);
    FILE *log = tmpfile();
    int stderr_copy = dup(STDERR_FILENO);
    ck_assert(log != NULL && dup2(fileno(log), STDERR_FILENO) >= 0);
    vault_assert(vault_look(), CA_CERTIFICATE, ERROR_NONE, "two");
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    rewind(log);
    said[fread(said, 1, sizeof said - 1, log)] = '\0';
    fclose(log);
    struct buf *other = pki_der(strcmp(unit->handle, "3fa000") == 0 ? two : one);
    x509_sha256(buf_slice(other), sha256);
    hex_encode(hash, sha256, SHA256_SIZE);
    ck_assert_msg(strstr(said, hash) != NULL, "%s", said);
    buf_free(other);
    X509_free(one);
    X509_free(two);
    vault_stop();
}
END_TEST

START_TEST(test_not_issued) {
    vault_start(false);
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "an empty mount");
    for (size_t i = 1; i < VAULT_UNITS; i++) {
        vault_store(&vault.client.units[i], false);
    }
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "others only");
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "again");
    ck_assert_uint_eq(vault.counts[VAULT_CERT], VAULT_UNITS - 1); // each once
    vault_store(&vault.client.units[0], false);
    vault_assert(vault_look(), CA_CERTIFICATE, ERROR_NONE, "it came later");
    ck_assert_uint_eq(vault.counts[VAULT_CERT], VAULT_UNITS);
    vault_stop();
}
END_TEST

// All in doubt at once: they take turns, and each certificate is read once, and then its own.
START_TEST(test_turns) {
    vault_start(false);
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        vault_store(&vault.client.units[i], false);
        client_reconcile(&vault.client, &vault.client.units[i]);
    }
    client_wait(&vault.client);
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        vault_assert(&vault.client.units[i], CA_CERTIFICATE, ERROR_NONE, "turn");
    }
    ck_assert_uint_le(vault.counts[VAULT_CERT], 2 * VAULT_UNITS);
    ck_assert_uint_le(vault.counts[VAULT_LIST], 2);
    ck_assert_uint_le(vault.server.connections, 4);
    vault_stop();
}
END_TEST

// A list that cannot be read to the end serves nobody else.
START_TEST(test_turns_without_an_end) {
    vault_start(false);
    for (size_t i = 1; i < 4; i++) {
        vault_store(&vault.client.units[i], false);
    }
    snprintf(vault.stored[1].answer, VAULT_ANSWER_SIZE,
             "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    for (size_t i = 4; i < VAULT_UNITS; i++) {
        client_reconcile(&vault.client, &vault.client.units[i]);
    }
    client_wait(&vault.client);
    for (size_t i = 4; i < VAULT_UNITS; i++) {
        vault_assert(&vault.client.units[i], CA_DOUBT, E_CA_DOUBT, "nobody knows");
    }
    ck_assert_uint_eq(vault.counts[VAULT_LIST], VAULT_UNITS - 4);
    vault.stored_count = 0;
    vault_list_stored();
    vault_store(&vault.client.units[1], false);
    for (size_t i = 4; i < VAULT_UNITS; i++) {
        client_reconcile(&vault.client, &vault.client.units[i]);
    }
    client_wait(&vault.client);
    for (size_t i = 4; i < VAULT_UNITS; i++) {
        vault_assert(&vault.client.units[i], CA_NOT_ISSUED, ERROR_NONE, "now it is known");
    }
    vault_stop();
}
END_TEST

START_TEST(test_revoked) {
    vault_start(false);
    vault_store(&vault.client.units[0], true);
    vault.client.units[0].request.sent_ms = clock_wall_ms();
    const struct client_unit *unit = vault_look();
    vault_assert(unit, CA_CANNOT_TELL, E_UNIT_HELD, "revoked");
    ck_assert_ptr_nonnull(strstr(unit->error.text, "3f:a0:00"));
    // A request of next week asked anew: that one was for an earlier one.
    vault.client.units[0].request.sent_ms = clock_wall_ms() + 7 * PKI_DAY_MS;
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "revoked long before");
    vault_store(&vault.client.units[0], false);
    vault_assert(vault_look(), CA_CERTIFICATE, ERROR_NONE, "and one that is good");
    vault_stop();
}
END_TEST

// ---- what cannot be looked up -------------------------------------------------------------------

START_TEST(test_no_store) {
    bool resends = _i == 1;
    vault_start(resends);
    vault_set_role("no_store", json_true());
    vault_assert(vault_look(), resends ? CA_NOT_ISSUED : CA_CANNOT_TELL,
                 resends ? E_CA_DOUBT : E_UNIT_HELD, "no_store");
    ck_assert_uint_eq(vault.counts[VAULT_LIST], 0);
    vault_stop();
}
END_TEST

START_TEST(test_hidden_role) {
    bool resends = _i == 1;
    vault_start(resends);
    vault_problem(VAULT_ROLE, "403 Forbidden", "permission denied");
    vault_assert(vault_look(), resends ? CA_NOT_ISSUED : CA_CANNOT_TELL,
                 resends ? E_CA_DOUBT : E_UNIT_HELD, "a role that is hidden");
    ck_assert_uint_eq(vault.counts[VAULT_LOOKUP], 2); // it is not the token
    vault_stop();
}
END_TEST

// A role that could be read is hidden for a while, or the token has ended in between: nothing is known of
// what was sent before.
START_TEST(test_role_is_hidden_now) {
    vault_start(_i == 1);
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "it can be read");
    vault_problem(VAULT_ROLE, "403 Forbidden", "permission denied");
    vault_assert(vault_look(), CA_DOUBT, E_CA_LOGIN, "and no more");
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_ptr_nonnull(strstr(vault.client.report.remark, "lack read on pki/line-1/roles"));
    vault_assert(vault_look(), CA_DOUBT, E_CA_LOGIN, "still not");
    vault_answer(VAULT_ROLE, "403 Forbidden", "<html>a proxy's</html>");
    vault_assert(vault_look(), CA_DOUBT, E_CA_LOGIN, "a proxy has no policies");
    vault_set_role("no_store", json_false());
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "again");
    vault_stop();
}
END_TEST

START_TEST(test_too_many) {
    const size_t length = 17 * 1024 * 1024;
    vault_start(false);
    vault.long_list = malloc(length + 1);
    ck_assert_ptr_nonnull(vault.long_list);
    memset(vault.long_list, ' ', length);
    vault.long_list[length] = '\0';
    int head = snprintf(vault.long_list, 64, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                        length - 64);
    vault.long_list[head] = '{';
    vault_assert(vault_look(), CA_CANNOT_TELL, E_UNIT_HELD, "too long a list");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "more certificates than"));
    ck_assert_uint_eq(vault.counts[VAULT_CERT], 0);
    vault_stop();
}
END_TEST

static const struct {
    enum vault_answer which;
    const char *status;
    const char *body;
} broken[] = {
    {VAULT_LIST, "403 Forbidden", "{\"errors\":[\"permission denied\"]}"},
    {VAULT_LIST, "404 Not Found", "{\"errors\":[\"no handler for route \\\"pki/certs\\\"\"]}"},
    {VAULT_LIST, "404 Not Found", "<html>"},
    {VAULT_LIST, "500 Internal Server Error", "{\"errors\":[\"oops\"]}"},
    {VAULT_LIST, "200 OK", ""},
    {VAULT_LIST, "200 OK", "{\"data\":{}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":{}}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":[7]}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":[\"../x\"]}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":[\"3f:a0:00:\"]}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":[\"3f:a\"]}}"},
    {VAULT_LIST, "200 OK", "{\"data\":{\"keys\":[\"\"]}}"},
    {VAULT_CERT, "503 Service Unavailable", "{\"errors\":[\"Vault is sealed\"]}"},
    {VAULT_CERT, "429 Too Many Requests", "{\"errors\":[\"rate limit quota exceeded\"]}"},
    {VAULT_ROLE, "500 Internal Server Error", "{\"errors\":[\"oops\"]}"},
    {VAULT_LOOKUP, "403 Forbidden", "{\"errors\":[\"permission denied\"]}"},
    {VAULT_LIST, "", ""}, // dropped
    {VAULT_CERT, "", ""},
};

// Whatever cannot be read rules nothing out; when it can, all is well.
START_TEST(test_broken) {
    vault_start(false);
    vault_store(&vault.client.units[0], false);
    char good[VAULT_ANSWER_SIZE];
    enum vault_answer which = broken[_i].which;
    memcpy(good, vault.answers[which], sizeof good);
    if (which == VAULT_CERT) {
        vault.stored_count = 0; // it is listed all the same
    }
    vault_answer(which, broken[_i].status, broken[_i].body);
    if (broken[_i].status[0] == '\0') {
        vault.answers[which][0] = '\0';
    }
    for (int i = 0; i < 4; i++) {
        const struct client_unit *unit = vault_look();
        ck_assert_msg(unit->outcome == CA_DOUBT, "%s: outcome %d, %s", broken[_i].body,
                      (int)unit->outcome, unit->error.text);
    }
    memcpy(vault.answers[which], good, sizeof good);
    vault.stored_count = 1;
    vault_assert(vault_look(), CA_CERTIFICATE, ERROR_NONE, "it is well again");
    vault_stop();
}
END_TEST

static const char *const bad_stored[] = {
    "", "{}", "{\"data\":{\"certificate\":\"x\",\"revocation_time\":0}}",
    "{\"data\":{\"certificate\":7}}", "{\"data\":{\"revocation_time\":\"x\"}}"};

static void start_settling(uint32_t settle_ms) {
    const struct ca_settings settings = {
        .ca_profile = "camera", .authority = "pki/line-1", .settle_ms = settle_ms};
    vault_start_with(&settings);
}

// One certificate that is listed and never given: after some time a person has to know.
START_TEST(test_blocked) {
    start_settling(1);
    vault_store(&vault.client.units[1], false);
    snprintf(vault.stored[0].answer, VAULT_ANSWER_SIZE,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(bad_stored[_i]),
             bad_stored[_i]);
    vault_assert(vault_look(), CA_DOUBT, E_CA_DOUBT, "not complete");
    server_pause();
    vault_assert(vault_look(), CA_CANNOT_TELL, E_UNIT_HELD, "blocked");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "lists 3f:a0:00"));
    vault_store(&vault.client.units[0], false);
    vault_assert(vault_look(), CA_CERTIFICATE, ERROR_NONE, "but ours can be read");
    vault_stop();
}
END_TEST

static const struct client_unit *look_for(size_t i) {
    client_reconcile(&vault.client, &vault.client.units[i]);
    client_wait(&vault.client);
    return &vault.client.units[i];
}

static void store_broken(const struct client_unit *unit) {
    size_t row = vault_store(unit, false);
    snprintf(vault.stored[row].answer, VAULT_ANSWER_SIZE,
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
}

// Whoever met it first: the others do not wait for that one for ever. Who finds his own in what was read
// before has looked at no list.
START_TEST(test_blocked_for_all) {
    start_settling(1);
    vault_store(&vault.client.units[2], false);
    vault_assert(look_for(2), CA_CERTIFICATE, ERROR_NONE, "read before");
    store_broken(&vault.client.units[3]);
    vault_assert(look_for(0), CA_DOUBT, E_CA_DOUBT, "not complete");
    vault_assert(look_for(2), CA_CERTIFICATE, ERROR_NONE, "it looks at its own");
    server_pause();
    vault_assert(look_for(1), CA_CANNOT_TELL, E_UNIT_HELD, "blocked");
    vault.stored_count = 1;
    vault_list_stored();
    vault_assert(look_for(1), CA_NOT_ISSUED, ERROR_NONE, "not listed any more");
    store_broken(&vault.client.units[3]);
    vault_assert(look_for(1), CA_DOUBT, E_CA_DOUBT, "a new one");
    vault_stop();
}
END_TEST

// Lists may lag behind what is there.
START_TEST(test_blocked_for_a_while) {
    start_settling(0);
    store_broken(&vault.client.units[1]);
    for (int i = 0; i < 5; i++) {
        vault_assert(vault_look(), CA_DOUBT, E_CA_DOUBT, "it may come right");
    }
    vault_stop();
}
END_TEST

// Tidied away between the list and the look: the next list has it no more.
START_TEST(test_tidied) {
    vault_start(false);
    vault_store(&vault.client.units[1], false);
    vault.stored_count = 0;
    vault_assert(vault_look(), CA_DOUBT, E_CA_DOUBT, "listed, and not there");
    vault_problem(VAULT_LIST, "404 Not Found", NULL);
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "not listed any more");
    vault_stop();
}
END_TEST

// There may be a next page, and nothing to ask for it by.
START_TEST(test_page_without_a_serial) {
    json_t *keys = json_array();
    vault_start(false);
    for (int i = 0; i < 1000; i++) {
        json_array_append_new(keys, json_string("revoked/"));
    }
    vault_data(VAULT_LIST, json_pack("{s:o}", "keys", keys));
    vault_assert(vault_look(), CA_DOUBT, E_CA_DOUBT, "not the whole list");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "without a serial number"));
    vault_stop();
}
END_TEST

// Folders and numbers that no CA may give are somebody else's.
START_TEST(test_foreign_keys) {
    vault_start(false);
    vault_answer(VAULT_LIST, "200 OK",
                 "{\"data\":{\"keys\":[\"revoked/\",\"00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:"
                 "0f:10:11:12:13:14:15\"]}}");
    vault_assert(vault_look(), CA_NOT_ISSUED, ERROR_NONE, "foreign");
    ck_assert_uint_eq(vault.counts[VAULT_CERT], 0);
    vault_stop();
}
END_TEST

START_TEST(test_close_in_the_middle) {
    vault_start(false);
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        vault_store(&vault.client.units[i], false);
    }
    snprintf(vault.answers[VAULT_CERT], VAULT_ANSWER_SIZE,
             "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{");
    vault.stored_count = 0; // the looks hang
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        client_reconcile(&vault.client, &vault.client.units[i]);
    }
    client_check(&vault.client);
    vault.client.expected = 1; // the report
    client_wait(&vault.client);
    vault_stop();
}
END_TEST

static Suite *vault_suite(void) {
    Suite *suite = suite_create("vault look");
    TCase *tests = tcase_create("look");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_found);
    tcase_add_test(tests, test_two);
    tcase_add_test(tests, test_not_issued);
    tcase_add_test(tests, test_turns);
    tcase_add_test(tests, test_turns_without_an_end);
    tcase_add_test(tests, test_revoked);
    tcase_add_loop_test(tests, test_no_store, 0, 2);
    tcase_add_loop_test(tests, test_hidden_role, 0, 2);
    tcase_add_loop_test(tests, test_role_is_hidden_now, 0, 2);
    tcase_add_test(tests, test_too_many);
    tcase_add_loop_test(tests, test_broken, 0, ARRAY_LENGTH(broken));
    tcase_add_loop_test(tests, test_blocked, 0, ARRAY_LENGTH(bad_stored));
    tcase_add_test(tests, test_blocked_for_all);
    tcase_add_test(tests, test_blocked_for_a_while);
    tcase_add_test(tests, test_tidied);
    tcase_add_test(tests, test_page_without_a_serial);
    tcase_add_test(tests, test_foreign_keys);
    tcase_add_test(tests, test_close_in_the_middle);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(vault_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
