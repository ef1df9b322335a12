// SPDX-License-Identifier: Apache-2.0
// The questions to a site's own CA program, and what it may answer; what its exit statuses mean.
// Programs in a station are tests/e2e_exec.sh's.
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ca-client/ca_exec_json.h"
#include "ca-client/json_load.h"
#include "ca-client/x509.h"
#include "tests/support_ca_client.h"
#include "tests/support_folder.h"
#include "tests/support_pki.h"

static struct call call;
static struct error error;
static struct buf *csr;
static EVP_PKEY *key;

static void set_up(void) {
    static const struct pki_pair subject[] = {{"CN", "X"}, {NULL, NULL}};
    memset(&call, 0, sizeof call);
    key = pki_key("P-256");
    csr = pki_csr(key, subject, NULL, false);
    ck_assert(profile_built_in("idevid", &call.profile));
    ck_assert(text_copy(call.serial, sizeof call.serial, "VX-1"));
    ck_assert(text_copy(call.model, sizeof call.model, "M \"1\""));
    call.request = (struct ca_request){
        .profile = &call.profile,
        .subject = {.serial = call.serial, .model = call.model},
        .csr = buf_slice(csr),
        .sent_ms = 1772366400123,
        .handle = call.handle,
    };
    pki_spki_sha256(key, call.request.spki_sha256);
}

static void tear_down(void) {
    buf_free(csr);
    EVP_PKEY_free(key);
}

// The member at a path of names with dots between them.
static json_t *member(json_t *root, const char *path) {
    char name[64];
    while (path[0] != '\0') {
        size_t length = strcspn(path, ".");
        memcpy(name, path, length);
        name[length] = '\0';
        root = json_object_get(root, name);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return root;
}

static json_t *question(enum exec_operation operation) {
    struct buf *text = exec_write_question(operation, &call, &error);
    ck_assert_msg(text != NULL, "%s", error.text);
    json_t *root = json_loads(buf_text(text), JSON_REJECT_DUPLICATES, NULL);
    buf_free(text);
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(json_integer_value(member(root, "version")), 1);
    ck_assert_str_eq(json_string_value(member(root, "operation")), exec_operation_name(operation));
    return root;
}

static void has_text(json_t *root, const char *path, const char *expected) {
    const char *text = json_string_value(member(root, path));
    ck_assert_msg(text != NULL && strcmp(text, expected) == 0, "%s: %s", path, text);
}

START_TEST(test_submit) {
    json_t *root = question(EXEC_SUBMIT);
    has_text(root, "profile", "idevid");
    has_text(root, "serial", "VX-1");
    has_text(root, "model", "M \"1\"");
    has_text(root, "subject.common_name", "M \"1\" VX-1");
    has_text(root, "subject.serial_number", "VX-1");
    has_text(root, "hardware_module_name.serial_number", "VX-1");
    has_text(root, "hardware_module_name.type", call.profile.hardware_type);
    ck_assert_uint_eq(json_array_size(member(root, "extended_key_usages")), 0);
    ck_assert_int_eq(json_integer_value(member(root, "validity_days")), 0);
    ck_assert_int_eq(json_integer_value(member(root, "sent_at")), 1772366400);
    ck_assert_ptr_null(member(root, "handle"));
    const char *pem = json_string_value(member(root, "csr"));
    ck_assert(strncmp(pem, "-----BEGIN CERTIFICATE REQUEST-----\n", 36) == 0);
    ck_assert_uint_eq(strlen(json_string_value(member(root, "public_key_sha256"))), 64);
    json_decref(root);
    // A web profile has host names and usages instead.
    ck_assert(profile_built_in("https", &call.profile));
    ck_assert(text_copy(call.handle, sizeof call.handle, "job 7"));
    root = question(EXEC_FETCH);
    has_text(root, "handle", "job 7");
    ck_assert_ptr_null(member(root, "hardware_module_name"));
    ck_assert_str_eq(json_string_value(json_array_get(member(root, "dns_names"), 0)), "vx-1.local");
    ck_assert_uint_eq(json_array_size(member(root, "extended_key_usages")), 2);
    json_decref(root);
}
END_TEST

START_TEST(test_check_and_revoke) {
    json_t *root = question(EXEC_CHECK);
    ck_assert_ptr_null(member(root, "csr"));
    ck_assert_ptr_nonnull(member(root, "validity_days"));
    json_decref(root);
    ck_assert_ptr_null(exec_write_question(EXEC_REVOKE, &call, &error));
    ck_assert_int_eq(error.code, E_INTERNAL);
    call.request.certificate = buf_slice(csr); // any DER will do here
    call.reason = CA_REVOKE_SUPERSEDED;
    root = question(EXEC_REVOKE);
    has_text(root, "reason", "superseded");
    ck_assert_ptr_nonnull(member(root, "certificate"));
    json_decref(root);
}
END_TEST

START_TEST(test_names_that_do_not_fill) {
    ck_assert(profile_built_in("https", &call.profile));
    ck_assert(text_copy(call.serial, sizeof call.serial, "a b"));
    ck_assert_ptr_null(exec_write_question(EXEC_SUBMIT, &call, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
}
END_TEST

START_TEST(test_csr_that_asks_for_more) {
    static const struct pki_pair subject[] = {{"CN", "X"}, {NULL, NULL}};
    static const struct pki_pair asked[] = {{"basicConstraints", "CA:TRUE"}, {NULL, NULL}};
    buf_free(csr);
    csr = pki_csr_asking(key, subject, asked, false);
    call.request.csr = buf_slice(csr);
    ck_assert_ptr_null(exec_write_question(EXEC_SUBMIT, &call, &error));
    ck_assert_int_eq(error.code, E_CSR_EXTENSION);
}
END_TEST

// ---- answers -------------------------------------------------------------------------------------

static bool reads(enum exec_operation operation, const char *text, struct exec_answer *answer) {
    struct slice slice = {(const uint8_t *)text, strlen(text)};
    return exec_read_answer(operation, slice, answer, &error);
}

START_TEST(test_answers) {
    static const struct {
        enum exec_operation operation;
        const char *text;
        enum ca_outcome outcome;
    } good[] = {
        {EXEC_CHECK, "{\"outcome\":\"ok\"}", CA_ACCEPTED},
        {EXEC_CHECK, "{\"outcome\":\"refused\"}", CA_REFUSED},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\",\"handle\":\"h\"}", CA_ACCEPTED},
        {EXEC_SUBMIT, "{\"outcome\":\"not_sent\"}", CA_NOT_SENT},
        {EXEC_SUBMIT, "{\"outcome\":\"refused\",\"new\":[1]}", CA_REFUSED},
        {EXEC_SUBMIT, "{\"outcome\":\"doubt\"}", CA_DOUBT},
        {EXEC_FETCH, "{\"outcome\":\"accepted\"}", CA_ACCEPTED},
        {EXEC_RECONCILE, "{\"outcome\":\"not_issued\"}", CA_NOT_ISSUED},
        {EXEC_RECONCILE, "{\"outcome\":\"cannot_tell\"}", CA_CANNOT_TELL},
        {EXEC_REVOKE, "{\"outcome\":\"revoked\"}\n", CA_REVOKED},
    };
    struct exec_answer answer;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        ck_assert_msg(reads(good[i].operation, good[i].text, &answer), "%s: %s", good[i].text,
                      error.text);
        ck_assert_int_eq(answer.outcome, good[i].outcome);
        ck_assert_int_eq(answer.is_good, i == 0);
        ck_assert_int_eq(answer.quota, -1);
        ck_assert_ptr_null(answer.chain);
    }
    ck_assert(reads(EXEC_CHECK, "{\"outcome\":\"ok\",\"quota\":7,\"text\":\"hi\"}", &answer));
    ck_assert_int_eq(answer.quota, 7);
    ck_assert_str_eq(answer.text, "hi");
}
END_TEST

// Nothing was done, however long the program wants to be left alone.
START_TEST(test_retry_after) {
    static const struct {
        const char *text;
        uint32_t retry_after_ms;
    } rows[] = {
        {"{\"outcome\":\"not_sent\",\"retry_after_s\":0}", 0},
        {"{\"outcome\":\"not_sent\",\"retry_after_s\":3599}", 3599000},
        {"{\"outcome\":\"not_sent\",\"retry_after_s\":3600}", 3600000},
        {"{\"outcome\":\"not_sent\",\"retry_after_s\":7200}", 3600000},
        {"{\"outcome\":\"not_sent\",\"retry_after_s\":9223372036854775807}", 3600000},
    };
    struct exec_answer answer;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_msg(reads(EXEC_SUBMIT, rows[i].text, &answer), "%s: %s", rows[i].text,
                      error.text);
        ck_assert_int_eq(answer.outcome, CA_NOT_SENT);
        ck_assert_uint_eq(answer.retry_after_ms, rows[i].retry_after_ms);
    }
}
END_TEST

START_TEST(test_certificate) {
    struct pki_ca ca = pki_ca_new("Site CA", NULL);
    struct buf *pem = pki_pem(ca.certificate);
    struct buf *der = pki_der(ca.certificate);
    json_t *root = json_pack("{s:s, s:s}", "outcome", "certificate", "certificate", buf_text(pem));
    char *text = json_dumps(root, 0);
    struct exec_answer answer;
    ck_assert_msg(reads(EXEC_RECONCILE, text, &answer), "%s", error.text);
    ck_assert_int_eq(answer.outcome, CA_CERTIFICATE);
    ck_assert_uint_eq(buf_length(answer.chain), buf_length(der));
    ck_assert_mem_eq(buf_slice(answer.chain).data, buf_slice(der).data, buf_length(der));
    buf_free(answer.chain);
    free(text);
    json_decref(root);
    buf_free(pem);
    buf_free(der);
    pki_ca_free(&ca);
}
END_TEST

START_TEST(test_no_answers) {
    static const struct {
        enum exec_operation operation;
        const char *text;
    } bad[] = {
        {EXEC_SUBMIT, ""},
        {EXEC_SUBMIT, "[]"},
        {EXEC_SUBMIT, "{}"},
        {EXEC_SUBMIT, "{\"outcome\":7}"},
        {EXEC_SUBMIT, "{\"outcome\":\"ok\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"not_issued\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"revoked\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"doubt\",\"outcome\":\"refused\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"refused\"} {}"},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\",\"handle\":\"\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\",\"handle\":7}"},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\",\"handle\":\"a\\nb\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"accepted\",\"handle\":\"1234567890123456789012345678901234567"
                      "8901234567890123456789012345\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"certificate\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"certificate\",\"certificate\":\"\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"certificate\",\"certificate\":\"x\"}"},
        {EXEC_SUBMIT, "{\"outcome\":\"certificate\",\"certificate\":[]}"},
        {EXEC_SUBMIT, "{\"outcome\":\"not_sent\",\"retry_after_s\":-1}"},
        {EXEC_SUBMIT, "{\"outcome\":\"not_sent\",\"retry_after_s\":\"1\"}"},
        {EXEC_RECONCILE, "{\"outcome\":\"refused\"}"},
        {EXEC_RECONCILE, "{\"outcome\":\"not_sent\"}"},
        {EXEC_FETCH, "{\"outcome\":\"doubt\"}"},
        {EXEC_CHECK, "{\"outcome\":\"ok\",\"quota\":-1}"},
        {EXEC_CHECK, "{\"outcome\":\"ok\",\"quota\":1.5}"},
        {EXEC_CHECK, "{\"outcome\":\"ok\",\"chain\":\"x\"}"},
        {EXEC_REVOKE, "{\"outcome\":\"certificate\"}"},
    };
    struct exec_answer answer;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!reads(bad[i].operation, bad[i].text, &answer), "%s", bad[i].text);
        ck_assert_msg(error.code == E_CA_NONSENSE, "%s: %s", bad[i].text, error.text);
        ck_assert_ptr_null(answer.chain);
    }
}
END_TEST

START_TEST(test_what_no_answer_is) {
    static const struct {
        const char *text;
        const char *what;
    } bad[] = {
        {"", "the CA's answer to submit is empty"},
        {" \n", "is empty"},
        {"{\"outcome\":\"doubt\",\"outcome\":\"refused\"}",
         "the CA's answer to submit has a member twice"},
        {"{\"outcome\":\"doubt\",\"x\":{\"a\":1,\"a\":1}}", "has a member twice"},
        {"{\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", "has too many levels or parts"},
        {"{\"outcome\":\"doubt\"", "the CA's answer to submit is not a JSON object"},
        {"doubt", "is not a JSON object"},
        {"[]", "is not a JSON object"},
    };
    struct exec_answer answer;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(!reads(EXEC_SUBMIT, bad[i].text, &answer), "%s", bad[i].text);
        ck_assert_msg(strstr(error.text, bad[i].what) != NULL, "%s: %s", bad[i].text, error.text);
    }
}
END_TEST

// ---- exit statuses -------------------------------------------------------------------------------

// A station with a program that answers nothing and ends with that status.
static void start_client(struct client *client, int status) {
    char script[64];
    char path[256];
    snprintf(script, sizeof script, "#!/bin/sh\ncat >/dev/null\nexit %d\n", status);
    folder_write_text("program", script);
    folder_path(path, sizeof path, "program");
    ck_assert_int_eq(chmod(path, 0700), 0);
    const struct ca_settings settings = {.name = "site", .backend = "exec", .command = path};
    client_start(client, &settings, 1, "P-256");
    client->units[0].request.certificate = buf_slice(client->units[0].csr); // any DER will do here
}

START_TEST(test_statuses) {
    static const struct {
        enum exec_operation operation;
        int status;
        enum ca_outcome outcome;
        enum error_code code;
    } rows[] = {
        {EXEC_REVOKE, 64, CA_REFUSED, E_CA_UNSUPPORTED},
        {EXEC_REVOKE, 75, CA_NOT_SENT, E_CA_UNREACHABLE},
        {EXEC_REVOKE, 1, CA_DOUBT, E_CA_NONSENSE},
        {EXEC_SUBMIT, 64, CA_NOT_SENT, E_CA_NONSENSE},
        {EXEC_FETCH, 64, CA_NOT_SENT, E_CA_NONSENSE},
        {EXEC_RECONCILE, 64, CA_CANNOT_TELL, E_UNIT_HELD},
    };
    static struct client client;
    const struct client_unit *unit = &client.units[0];
    signal(SIGPIPE, SIG_IGN); // as the program does
    folder_make();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        start_client(&client, rows[i].status);
        switch (rows[i].operation) {
        case EXEC_REVOKE:
            client_revoke(&client, &client.units[0], CA_REVOKE_SUPERSEDED);
            break;
        case EXEC_SUBMIT:
            client_submit(&client, &client.units[0]);
            break;
        case EXEC_FETCH:
            client_fetch(&client, &client.units[0]);
            break;
        default:
            client_reconcile(&client, &client.units[0]);
        }
        client_wait(&client);
        ck_assert_msg(unit->outcome == rows[i].outcome && unit->error.code == rows[i].code,
                      "%s, status %d: outcome %d, %s", exec_operation_name(rows[i].operation),
                      rows[i].status, unit->outcome, unit->error.text);
        client_stop(&client);
    }
    folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("exec");
    TCase *tests = tcase_create("exec");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_submit);
    tcase_add_test(tests, test_check_and_revoke);
    tcase_add_test(tests, test_names_that_do_not_fill);
    tcase_add_test(tests, test_csr_that_asks_for_more);
    tcase_add_test(tests, test_answers);
    tcase_add_test(tests, test_retry_after);
    tcase_add_test(tests, test_certificate);
    tcase_add_test(tests, test_no_answers);
    tcase_add_test(tests, test_what_no_answer_is);
    tcase_add_test(tests, test_statuses);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
