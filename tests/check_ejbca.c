// SPDX-License-Identifier: Apache-2.0
// The EJBCA backend against a server that answers what the test wants: issuing. A simulated EJBCA is in
// tests/e2e_ejbca.sh.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "tests/support_ejbca.h"

// ---- what is asked for --------------------------------------------------------------------------

static void last_password(char out[64]) {
    json_t *body = ejbca_body(&ejbca.enroll);
    const char *password = json_string_value(json_object_get(body, "password"));
    ck_assert_ptr_nonnull(password);
    snprintf(out, 64, "%s", password);
    json_decref(body);
}

START_TEST(test_enroll) {
    struct error error = {0};
    ejbca_start();
    const struct client_unit *unit = ejbca_submit();
    ejbca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "enroll");
    ck_assert_msg(client_certificate_is_good(&ejbca.client, unit, ejbca.root_file, &error), "%s",
                  error.text);
    json_t *body = ejbca_body(&ejbca.enroll);
    const char *csr = json_string_value(json_object_get(body, "certificate_request"));
    ck_assert_ptr_nonnull(strstr(csr, "-----BEGIN CERTIFICATE REQUEST-----\n"));
    json_object_del(body, "certificate_request");
    json_object_del(body, "password");
    json_t *expected =
        json_pack("{s:s, s:s, s:s, s:s, s:b}", "certificate_profile_name", "Camera Profile",
                  "end_entity_profile_name", "Cameras", "certificate_authority_name", "CameraCA",
                  "username", "CAM000000@https", "include_chain", 0);
    ck_assert(json_equal(body, expected));
    json_decref(expected);
    json_decref(body);
    ck_assert_ptr_nonnull(
        strstr(ejbca.chain.request,
               "GET /api/v1/ca/CN%3DFactory%2F1%2CO%3DM%C3%BCller%20%5C%2B%20Co%5C%2C%20Inc./"
               "certificate/download HTTP"));
    ck_assert_uint_eq(ejbca.enroll.count, 1);
    ck_assert_uint_eq(ejbca.search.count, 0);
    ejbca_stop();
}
END_TEST

START_TEST(test_password) {
    char first[64];
    char second[64];
    ejbca_start();
    ejbca_submit();
    last_password(first);
    ejbca_submit();
    last_password(second);
    ck_assert_uint_eq(strlen(first), 32);
    ck_assert_str_ne(first, second);
    ck_assert_uint_eq(ejbca.authorities.count, 1); // what was learned is kept
    ejbca_stop();
}
END_TEST

// No two cameras are one end entity.
START_TEST(test_username) {
    static const struct {
        const char *serial;
        const char *profile;
        const char *username;
    } rows[] = {
        {"CAM-1.a_B", "https", "CAM-1.a_B@https"}, {"CAM 1", "https", "CAM+201@https"},
        {"CAM+201", "https", "CAM+2b201@https"},   {"a@b", "https", "a+40b@https"},
        {"%", "id \"x\"", "+25@id+20+22x+22"},
    };
    char long_serial[129];
    char name[EJBCA_USERNAME_SIZE];
    struct error error;
    struct profile profile;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        snprintf(profile.name, sizeof profile.name, "%s", rows[i].profile);
        const struct ca_request request = {.profile = &profile, .subject.serial = rows[i].serial};
        ck_assert(ejbca_username(&request, name, &error));
        ck_assert_str_eq(name, rows[i].username);
    }
    memset(long_serial, '/', 128);
    long_serial[128] = '\0';
    const struct ca_request request = {.profile = &profile, .subject.serial = long_serial};
    ck_assert(!ejbca_username(&request, name, &error));
    ck_assert_int_eq(error.code, E_CAM_SERIAL);
}
END_TEST

// Older servers encode the certificate twice here as well, and some send the chain.
START_TEST(test_forms) {
    struct error error;
    struct buf *der = buf_new(EJBCA_CERTIFICATES_MAX);
    ejbca_start();
    X509 *certificate = ejbca_make_certificate(&ejbca.client.units[0], ejbca.client.units[0].key);
    json_t *row = ejbca_row(certificate, "1", 20);
    json_t *root = json_pack("{s:O, s:[O, O]}", "certificate", json_object_get(row, "base64Cert"),
                             "certificate_chain", json_object_get(row, "base64Cert"),
                             json_object_get(row, "base64Cert"));
    char *text = json_dumps(root, 0);
    struct buf *expected = pki_der(certificate);
    ck_assert(
        ejbca_read_certificate((struct slice){(const uint8_t *)text, strlen(text)}, der, &error));
    ck_assert_uint_eq(buf_length(der), 3 * buf_length(expected));
    ck_assert_mem_eq(buf_slice(der).data, buf_slice(expected).data, buf_length(expected));
    free(text);
    buf_free(expected);
    buf_free(der);
    json_decref(row);
    json_decref(root);
    X509_free(certificate);
    ejbca_stop();
}
END_TEST

// ---- what the answers mean ----------------------------------------------------------------------

static const struct {
    long status;
    const char *message; // NULL: not EJBCA's answer
    enum ca_outcome outcome;
    enum error_code error;
    unsigned looks;
} faults[] = {
    {400, "Invalid certificate request", CA_REFUSED, E_CA_REFUSED, 1},
    {400, "User 'a' is not allowed to use same subject DN as the user(s) 'b'", CA_REFUSED,
     E_CA_REFUSED, 1},
    {409, "conflicting with an existing one", CA_REFUSED, E_CA_REFUSED, 1},
    {422, "does not fulfil end entity profile", CA_REFUSED, E_CA_REFUSED, 1},
    {400, "CA with name \"CameraCA\" doesn't exist", CA_DOUBT, E_CA_DOUBT, 1},
    {404, "not found", CA_DOUBT, E_CA_DOUBT, 1},
    {400, "CA Token is offline", CA_DOUBT, E_CA_DOUBT, 1},
    {400, "CA CameraCA is not active.", CA_DOUBT, E_CA_DOUBT, 1},
    {400, "rejected since approvals are enabled", CA_NOT_SENT, E_CA_POLICY, 1},
    {403, "Not authorized to resource", CA_NOT_SENT, E_CA_LOGIN, 1},
    {401, "who are you", CA_NOT_SENT, E_CA_LOGIN, 0},
    {429, "slowly", CA_NOT_SENT, E_CA_BUSY, 0},
    {400, NULL, CA_DOUBT, E_CA_DOUBT, 1},
    {403, NULL, CA_DOUBT, E_CA_DOUBT, 1},
    {404, NULL, CA_DOUBT, E_CA_DOUBT, 1},
    {408, NULL, CA_DOUBT, E_CA_DOUBT, 1},
    {413, NULL, CA_DOUBT, E_CA_DOUBT, 1},
    {401, NULL, CA_NOT_SENT, E_CA_LOGIN, 0},
    {429, NULL, CA_NOT_SENT, E_CA_BUSY, 0},
    {500, "General failure.", CA_DOUBT, E_CA_DOUBT, 0},
    {503, "offline", CA_DOUBT, E_CA_DOUBT, 0},
    {502, NULL, CA_DOUBT, E_CA_DOUBT, 0},
    {307, NULL, CA_DOUBT, E_CA_DOUBT, 0},
};

static void set_fault(int i) {
    if (faults[i].message != NULL) {
        ejbca_set_problem(&ejbca.enroll, faults[i].status, faults[i].message);
    } else {
        ejbca_set_answer(&ejbca.enroll, faults[i].status, "<html>no</html>");
    }
}

START_TEST(test_fault) {
    ejbca_start();
    set_fault(_i);
    ejbca_assert(ejbca_submit(), faults[_i].outcome, faults[_i].error, "submit");
    ck_assert_uint_eq(ejbca.enroll.count, 1);
    ck_assert_uint_eq(ejbca.search.count, faults[_i].looks);
    ejbca_stop();
}
END_TEST

// A no is believed only when EJBCA has nothing for the key.
START_TEST(test_fault_looked_at) {
    ejbca_start();
    const struct client_unit *unit = &ejbca.client.units[0];
    X509 *certificate = ejbca_make_certificate(unit, unit->key);
    set_fault(_i);
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(certificate, "4711", 20)), 1);
    ejbca_submit();
    if (faults[_i].looks > 0) {
        ejbca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "found");
        ck_assert_uint_gt(buf_length(unit->extra), 0);
    } else {
        ejbca_assert(unit, faults[_i].outcome, faults[_i].error, "not looked");
    }
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(certificate, "4711", 40)), 1);
    bool looks = faults[_i].looks > 0;
    ejbca_assert(ejbca_submit(), looks ? CA_DOUBT : faults[_i].outcome,
                 looks ? E_CA_DOUBT : faults[_i].error, "a revoked one");
    ejbca_set_page(&ejbca.search, json_array(), 1);
    ejbca_assert(ejbca_submit(), looks ? CA_DOUBT : faults[_i].outcome,
                 looks ? E_CA_DOUBT : faults[_i].error, "one that is not kept");
    ejbca.search.answer[0] = '\0';
    ejbca_submit();
    if (faults[_i].looks > 0) {
        ejbca_assert(unit, CA_DOUBT, E_CA_DOUBT, "the look is lost");
    }
    ck_assert_uint_eq(ejbca.enroll.count, 4);
    X509_free(certificate);
    ejbca_stop();
}
END_TEST

static const char *const bad_answers[] = {
    "",
    "{}",
    "[]",
    "{\"certificate\":7}",
    "{\"certificate\":null}",
    "{\"certificate\":\"\"}",
    "{\"certificate\":\"MAA=\"}",
    "{\"certificate\":\"TUFBPQ==\"}",
    "{\"certificate\":\"####\"}",
    "{\"certificate_chain\":[\"MAA=\"]}",
};

START_TEST(test_malformed) {
    ejbca_start();
    ejbca_set_answer(&ejbca.enroll, 201, bad_answers[_i]);
    ejbca_assert(ejbca_submit(), CA_DOUBT, E_CA_DOUBT, bad_answers[_i]);
    ck_assert_uint_eq(ejbca.enroll.count, 1);
    ejbca_stop();
}
END_TEST

START_TEST(test_certificate_of_another) {
    ejbca_start();
    ejbca_set_certificate(&ejbca.client.units[0], ejbca.client.units[1].key);
    ejbca_assert(ejbca_submit(), CA_DOUBT, E_CA_DOUBT, "another key");
    ejbca_stop();
}
END_TEST

// The connection has been used before: curl would send again.
START_TEST(test_lost_answer) {
    ejbca_start();
    ejbca_submit();
    ejbca.enroll.answer[0] = '\0';
    ejbca_assert(ejbca_submit(), CA_DOUBT, E_CA_DOUBT, "dropped");
    ck_assert_uint_eq(ejbca.enroll.count, 2);
    ejbca_stop();
}
END_TEST

START_TEST(test_accepted) {
    ejbca_start();
    struct client_unit *unit = &ejbca.client.units[0];
    ejbca_set_answer(&ejbca.enroll, 202, "{\"info_message\":\"wait\",\"request_id\":7}");
    ejbca_assert(ejbca_submit(), CA_ACCEPTED, ERROR_NONE, "202");
    ck_assert_str_ne(unit->handle, "");
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_ACCEPTED, ERROR_NONE, "not yet");
    ck_assert_uint_gt(unit->retry_after_ms, 0);
    ejbca_set_page(&ejbca.search, json_array(), 1);
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_REFUSED, E_CA_DOUBT, "not kept");
    ejbca_set_page(&ejbca.search, json_array(), 0);
    X509 *certificate = ejbca_make_certificate(unit, unit->key);
    ejbca_set_page(&ejbca.username, json_pack("[o]", ejbca_row(certificate, "4711", 20)), 1);
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "issued under other profiles");
    ejbca_set_page(&ejbca.username, json_array(), 0);
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(certificate, "4711", 20)), 1);
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_CERTIFICATE, ERROR_NONE, "issued");
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(certificate, "4711", 40)), 1);
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_REFUSED, E_CA_REFUSED, "revoked");
    ejbca_set_answer(&ejbca.search, 500, "");
    client_fetch(&ejbca.client, unit);
    client_wait(&ejbca.client);
    ejbca_assert(unit, CA_NOT_SENT, E_CA_UNREACHABLE, "not to be asked");
    ck_assert_uint_eq(ejbca.enroll.count, 1);
    X509_free(certificate);
    ejbca_stop();
}
END_TEST

// ---- what is stopped before it is sent ----------------------------------------------------------

START_TEST(test_names) {
    ejbca_start();
    struct profile *profile = &ejbca.client.profile;
    snprintf(profile->dns_names[0], sizeof profile->dns_names[0], "{serial}.local");
    ejbca_assert(ejbca_submit(), CA_NOT_SENT, E_CA_POLICY, "a host name that the CSR lacks");
    snprintf(profile->dns_names[0], sizeof profile->dns_names[0], "camera.example");
    ejbca_assert(ejbca_submit(), CA_CERTIFICATE, ERROR_NONE, "one that all cameras have");
    snprintf(profile->dns_names[0], sizeof profile->dns_names[0], "{serial}");
    ejbca_assert(ejbca_submit(), CA_CERTIFICATE, ERROR_NONE, "the common name");
    profile->dns_names[0][0] = '\0';
    snprintf(profile->hardware_type, sizeof profile->hardware_type, "1.3.6.1.4.1.32473.1");
    ejbca_assert(ejbca_submit(), CA_NOT_SENT, E_CA_POLICY, "a HardwareModuleName");
    profile->hardware_type[0] = '\0';
    snprintf(profile->organization, sizeof profile->organization, "Maker");
    ejbca_assert(ejbca_submit(), CA_REFUSED, E_CSR_SUBJECT, "another subject");
    ck_assert_uint_eq(ejbca.enroll.count, 2);
    ejbca_stop();
}
END_TEST

START_TEST(test_policy) {
    ejbca_start();
    ejbca.client.profile.client_auth = false;
    ejbca_assert(ejbca_submit(), CA_NOT_SENT, E_CA_POLICY, "a usage too many");
    ejbca_set_answer(&ejbca.authorities, 503, "");
    client_restart(&ejbca.client, &(struct ca_settings){.name = "factory",
                                                        .backend = "ejbca",
                                                        .url = "http://127.0.0.1:1/",
                                                        .root_file = ejbca.root_file,
                                                        .authority = "a",
                                                        .ca_profile = "b",
                                                        .end_entity_profile = "c",
                                                        .in_flight = 1,
                                                        .timeout_ms = 2000});
    ejbca_assert(ejbca_submit(), CA_NOT_SENT, E_CA_UNREACHABLE, "nobody there");
    ck_assert_uint_eq(ejbca.enroll.count, 0);
    ejbca_stop();
}
END_TEST

START_TEST(test_close_in_the_middle) {
    ejbca_start();
    ejbca_submit();
    ejbca.server.settings.steps[0] = SERVER_SILENT;
    for (size_t i = 0; i < EJBCA_UNITS; i++) {
        client_submit(&ejbca.client, &ejbca.client.units[i]);
        client_reconcile(&ejbca.client, &ejbca.client.units[i]);
    }
    client_check(&ejbca.client);
    ejbca.client.expected = 1;
    ejbca.client.profile.organization[0] = 'x'; // it ends without a request
    client_submit(&ejbca.client, &ejbca.client.units[1]);
    ejbca.client.expected = 1;
    client_wait(&ejbca.client);
    ck_assert_uint_le(ejbca.server.open_connections, 2);
    ejbca_stop();
}
END_TEST

static Suite *ejbca_suite(void) {
    Suite *suite = suite_create("ejbca");
    TCase *tests = tcase_create("ejbca");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_enroll);
    tcase_add_test(tests, test_password);
    tcase_add_test(tests, test_username);
    tcase_add_test(tests, test_forms);
    tcase_add_loop_test(tests, test_fault, 0, ARRAY_LENGTH(faults));
    tcase_add_loop_test(tests, test_fault_looked_at, 0, ARRAY_LENGTH(faults));
    tcase_add_loop_test(tests, test_malformed, 0, ARRAY_LENGTH(bad_answers));
    tcase_add_test(tests, test_certificate_of_another);
    tcase_add_test(tests, test_lost_answer);
    tcase_add_test(tests, test_accepted);
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_policy);
    tcase_add_test(tests, test_close_in_the_middle);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(ejbca_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
