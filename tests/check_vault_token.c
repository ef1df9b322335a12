// SPDX-License-Identifier: Apache-2.0
// The station's token at Vault: how long it lasts, what it may do; and revoking.
#include <check.h>
#include <openssl/x509.h>
#include <signal.h>
#include <string.h>

#include "tests/support_vault.h"

// ---- the token ----------------------------------------------------------------------------------

// Somebody (Vault Agent) puts another one into the file when the first ends.
START_TEST(test_token_is_replaced) {
    vault_start(false);
    vault.rejects_token = true;
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "the first");
    snprintf(vault.good_token, sizeof vault.good_token, "secret-2");
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_LOGIN, "it has ended");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, vault.token_file));
    ck_assert_ptr_null(strstr(vault.client.units[0].error.text, "secret"));
    vault_write_token("secret-2");
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "the second");
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 4);
    vault_stop();
}
END_TEST

START_TEST(test_forbidden) {
    vault_start(false);
    vault_problem(VAULT_SIGN, "403 Forbidden", "1 error occurred:\n\t* permission denied\n\n");
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_LOGIN, "policies");
    ck_assert_ptr_nonnull(
        strstr(vault.client.units[0].error.text, "policies lack update on pki/line-1/sign/camera"));
    vault_stop();
}
END_TEST

static void wait_for(enum vault_answer which, unsigned count) {
    for (int i = 0; i < 600 && vault.counts[which] < count; i++) {
        vault_look(); // lets the loop run
        server_pause();
    }
    ck_assert_uint_ge(vault.counts[which], count);
}

START_TEST(test_renewal) {
    vault_start(false);
    vault_set_token(30, true); // of 32 days
    vault_answer(VAULT_RENEW, "200 OK",
                 "{\"auth\":{\"lease_duration\":2764800,\"renewable\":true}}");
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_ptr_nonnull(strstr(vault.client.report.remark, "the token ends 20"));
    ck_assert_ptr_nonnull(strstr(vault.client.report.remark, "and is renewed before"));
    wait_for(VAULT_RENEW, 1);
    vault_stop();
}
END_TEST

START_TEST(test_token_remarks) {
    vault_start(false);
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_str_eq(vault.client.report.remark, ""); // it has no end
    ck_assert(vault.client.report.logged_in && vault.client.report.policy_fits);
    ck_assert_int_eq(vault.client.report.login, CA_LOGIN_TAKEN);
    ck_assert_int_eq(vault.client.report.quota, -1);
    ck_assert_str_eq(vault.client.report.chain[0], "CN=Factory,O=Test");
    vault_set_token(86400, false);
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_ptr_nonnull(strstr(vault.client.report.remark, "cannot be renewed"));
    vault_data(VAULT_LOOKUP, json_pack("{s:i, s:i}", "ttl", 0, "num_uses", 7));
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_ptr_nonnull(strstr(vault.client.report.remark, "7 times"));
    vault_stop();
}
END_TEST

START_TEST(test_capabilities) {
    vault_start(false);
    vault_data(VAULT_CAPABILITIES,
               json_pack("{s:[s], s:[s], s:[s]}", "pki/line-1/sign/camera", "update",
                         "pki/line-1/certs", "deny", "pki/line-1/revoke", "deny"));
    client_check(&vault.client);
    client_wait(&vault.client);
    const struct ca_report *report = &vault.client.report;
    ck_assert_int_eq(report->error.code, ERROR_NONE);
    ck_assert_ptr_nonnull(strstr(report->remark, "lack list on pki/line-1/certs"));
    ck_assert_ptr_nonnull(strstr(report->remark, "lack update on pki/line-1/revoke"));
    vault_data(VAULT_CAPABILITIES, json_pack("{s:[s]}", "pki/line-1/sign/camera", "deny"));
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_int_eq(report->error.code, E_CA_LOGIN);
    ck_assert(report->reachable && !report->logged_in);
    vault_problem(VAULT_CAPABILITIES, "403 Forbidden", "permission denied");
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_int_eq(report->error.code, ERROR_NONE);
    vault_stop();
}
END_TEST

// There is more to remark than there is room for.
START_TEST(test_long_names) {
    char mount[129];
    char role[129];
    char certs[160];
    memset(mount, 'm', sizeof mount - 1);
    memset(role, 'r', sizeof role - 1);
    mount[sizeof mount - 1] = role[sizeof role - 1] = '\0';
    const struct ca_settings settings = {.authority = mount, .ca_profile = role};
    vault_start_with(&settings);
    vault_problem(VAULT_ROLE, "403 Forbidden", "permission denied");
    snprintf(certs, sizeof certs, "%s/certs", mount);
    vault_data(VAULT_CAPABILITIES, json_pack("{s:[s]}", certs, "deny"));
    client_check(&vault.client);
    client_wait(&vault.client);
    const struct ca_report *report = &vault.client.report;
    ck_assert_int_eq(report->error.code, ERROR_NONE);
    ck_assert_uint_eq(strlen(report->remark), sizeof report->remark - 1);
    ck_assert_str_eq(report->chain[0], "CN=Factory,O=Test");
    vault_stop();
}
END_TEST

// ---- revoking -----------------------------------------------------------------------------------

static const struct {
    const char *first;  // NULL: a good answer
    const char *status; // of it
    const char *second;
    enum ca_outcome outcome;
    enum error_code code;
    unsigned count;
} revocations[] = {
    {NULL, NULL, NULL, CA_REVOKED, ERROR_NONE, 1},
    {"{\"errors\":[\"certificate with serial 3f:a0 not found.\"]}", "400 Bad Request",
     "{\"data\":{\"revocation_time\":1700000000,\"state\":\"revoked\"}}", CA_REVOKED, ERROR_NONE,
     2},
    {"{\"data\":null,\"warnings\":[\"certificate already expired\"]}", "200 OK", NULL, CA_REFUSED,
     E_CA_REFUSED, 1},
    {"{\"errors\":[\"permission denied\"]}", "403 Forbidden", NULL, CA_NOT_SENT, E_CA_LOGIN, 1},
    {"{\"errors\":[\"adding issuer to its own CRL is not allowed\"]}", "400 Bad Request", NULL,
     CA_REFUSED, E_CA_REFUSED, 1},
    {"<html>", "400 Bad Request", NULL, CA_NOT_SENT, E_CA_NONSENSE, 1},
    {"{\"errors\":[\"oops\"]}", "500 Internal Server Error", NULL, CA_DOUBT, E_CA_DOUBT, 1},
};

START_TEST(test_revoke) {
    vault_start(false);
    struct client_unit *unit = &vault.client.units[0];
    X509 *certificate = vault_make_certificate(unit, unit->key);
    struct buf *leaf = pki_der(certificate);
    const ASN1_INTEGER *number = X509_get0_serialNumber(certificate);
    char hex[64];
    hex_encode(hex, ASN1_STRING_get0_data(number), (size_t)ASN1_STRING_length(number));
    unit->request.certificate = buf_slice(leaf);
    if (revocations[_i].first != NULL) {
        vault_answer(VAULT_REVOKE, revocations[_i].status, revocations[_i].first);
    }
    if (revocations[_i].second != NULL) {
        vault_answer(VAULT_REVOKE_AGAIN, "200 OK", revocations[_i].second);
    }
    client_revoke(&vault.client, unit, CA_REVOKE_SUPERSEDED);
    client_wait(&vault.client);
    vault_assert(unit, revocations[_i].outcome, revocations[_i].code, "revoke");
    ck_assert_uint_eq(vault.counts[VAULT_REVOKE], revocations[_i].count);
    json_t *root = vault_last_body();
    const char *serial = json_string_value(json_object_get(root, "serial_number"));
    if (revocations[_i].count == 1) {
        size_t used = 0;
        char plain[64];
        for (const char *at = serial; *at != '\0'; at++) {
            if (*at != ':') {
                plain[used++] = *at;
            }
        }
        plain[used] = '\0';
        ck_assert_str_eq(plain, hex);
        ck_assert_int_eq(serial[2], ':');
    } else {
        ck_assert_ptr_null(serial);
        ck_assert_ptr_nonnull(json_object_get(root, "certificate"));
    }
    json_decref(root);
    X509_free(certificate);
    buf_free(leaf);
    vault_stop();
}
END_TEST

static Suite *vault_suite(void) {
    Suite *suite = suite_create("vault token");
    TCase *tests = tcase_create("token");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_token_is_replaced);
    tcase_add_test(tests, test_forbidden);
    tcase_add_test(tests, test_renewal);
    tcase_add_test(tests, test_token_remarks);
    tcase_add_test(tests, test_capabilities);
    tcase_add_test(tests, test_long_names);
    tcase_add_loop_test(tests, test_revoke, 0, ARRAY_LENGTH(revocations));
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
