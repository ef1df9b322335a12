// SPDX-License-Identifier: Apache-2.0
// The EJBCA backend against a server that answers what the test wants: looking up, and revoking.
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "tests/support_ejbca.h"

static X509 *make_own(void) {
    return ejbca_make_certificate(&ejbca.client.units[0], ejbca.client.units[0].key);
}

static X509 *make_other(void) {
    return ejbca_make_certificate(&ejbca.client.units[0], ejbca.client.units[1].key);
}

// ---- looking up ---------------------------------------------------------------------------------

START_TEST(test_criteria) {
    ejbca_start();
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "nothing");
    json_t *body = ejbca_body(&ejbca.search);
    json_t *expected = json_pack(
        "{s:{s:i, s:i}, s:{s:s, s:s}, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}, {s:s, s:s, s:s}, {s:s, "
        "s:s, s:s}]}",
        "pagination", "page_size", 20, "current_page", 1, "sort", "property", "ISSUED_DATE",
        "operation", "DESC", "criteria", "property", "QUERY", "value", "CAM000000@https",
        "operation", "EQUAL", "property", "CA", "value", "CameraCA", "operation", "EQUAL",
        "property", "END_ENTITY_PROFILE", "value", "Cameras", "operation", "EQUAL", "property",
        "CERTIFICATE_PROFILE", "value", "Camera Profile", "operation", "EQUAL");
    ck_assert(json_equal(body, expected));
    json_decref(expected);
    json_decref(body);
    ejbca_stop();
}
END_TEST

// O: of the camera's key, X: of another; L live, R revoked, A archived.
static const struct {
    const char *rows;
    int total; // 0: as many as rows
    enum ca_outcome outcome;
    enum error_code error;
} looks[] = {
    {"", 0, CA_NOT_ISSUED, ERROR_NONE},           {"XL", 0, CA_NOT_ISSUED, ERROR_NONE},
    {"XL XR", 0, CA_NOT_ISSUED, ERROR_NONE},      {"OL", 0, CA_CERTIFICATE, ERROR_NONE},
    {"OA", 0, CA_CERTIFICATE, ERROR_NONE},        {"XR OL", 0, CA_CERTIFICATE, ERROR_NONE},
    {"OR OL XL", 0, CA_CERTIFICATE, ERROR_NONE},  {"OL OR", 0, CA_CERTIFICATE, ERROR_NONE},
    {"OL OL", 0, CA_CERTIFICATE, ERROR_NONE},     {"OR", 0, CA_CANNOT_TELL, E_UNIT_HELD},
    {"OR OR XL", 0, CA_CANNOT_TELL, E_UNIT_HELD}, {"", 2, CA_CANNOT_TELL, E_UNIT_HELD},
    {"XL", 2, CA_CANNOT_TELL, E_UNIT_HELD},       {"OL", 2, CA_CERTIFICATE, ERROR_NONE},
};

static json_t *make_rows(const char *pattern, X509 *own, X509 *other) {
    json_t *rows = json_array();
    for (; *pattern != '\0'; pattern += pattern[2] == ' ' ? 3 : 2) {
        int status = pattern[1] == 'L' ? 20 : pattern[1] == 'R' ? 40 : 60;
        json_array_append_new(rows, ejbca_row(pattern[0] == 'O' ? own : other, "4A", status));
    }
    return rows;
}

START_TEST(test_look) {
    struct error error;
    ejbca_start();
    X509 *own = make_own();
    X509 *other = make_other();
    json_t *rows = make_rows(looks[_i].rows, own, other);
    int total = looks[_i].total > 0 ? looks[_i].total : (int)json_array_size(rows);
    ejbca_set_page(&ejbca.search, rows, total);
    const struct client_unit *unit = ejbca_reconcile_one();
    ejbca_assert(unit, looks[_i].outcome, looks[_i].error, looks[_i].rows);
    if (unit->outcome == CA_CERTIFICATE) {
        ck_assert_msg(client_certificate_is_good(&ejbca.client, unit, ejbca.root_file, &error),
                      "%s", error.text);
        ck_assert_int_le(llabs(unit->issued_s - clock_wall_ms() / 1000 + 600), 5);
        ck_assert_uint_eq(ejbca.authorities.count, 1); // for the chain
        ck_assert_uint_eq(ejbca.probe.count, 0);
    }
    ck_assert_uint_eq(ejbca.enroll.count, 0);
    X509_free(own);
    X509_free(other);
    ejbca_stop();
}
END_TEST

START_TEST(test_pages) {
    ejbca_start();
    X509 *own = make_own();
    X509 *other = make_other();
    json_t *rows = json_array();
    for (int i = 0; i < 20; i++) {
        json_array_append_new(rows, ejbca_row(other, "4A", 40));
    }
    ejbca_set_page(&ejbca.search, rows, -1);
    ejbca_set_page(&ejbca.search_2, json_pack("[o]", ejbca_row(own, "4B", 20)), 21);
    ejbca_assert(ejbca_reconcile_one(), CA_CERTIFICATE, ERROR_NONE, "on the second page");
    ejbca_set_page(&ejbca.username, json_pack("[o]", ejbca_row(other, "4A", 40)), 1);
    ejbca_set_page(&ejbca.search_2, json_array(), 20);
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "the second page is empty");
    ejbca_set_page(&ejbca.search_2, json_array(), 22);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "two are not kept");
    ejbca_set_answer(&ejbca.search_2, 200,
                     "{\"certificates\":[],\"pagination_summary\":"
                     "{\"total_certs\":-9223372036854775808}}");
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_NONSENSE, "less than nothing");
    ejbca_set_page(&ejbca.search_2, json_array(), -1); // without end
    const struct client_unit *unit = ejbca_reconcile_one();
    ejbca_assert(unit, CA_DOUBT, E_CA_NONSENSE, "without end");
    ck_assert_msg(strstr(unit->error.text, "expired") != NULL, "%s", unit->error.text);
    X509_free(own);
    X509_free(other);
    ejbca_stop();
}
END_TEST

static void assert_criterion(const struct ejbca_resource *resource, const char *property,
                             const char *value) {
    json_t *body = ejbca_body(resource);
    json_t *expected =
        json_pack("[{s:s, s:s, s:s}]", "property", property, "value", value, "operation", "EQUAL");
    ck_assert(json_equal(json_object_get(body, "criteria"), expected));
    json_decref(expected);
    json_decref(body);
}

// It was asked for under another CA or other profiles than the section names now.
START_TEST(test_changed_section) {
    ejbca_start();
    X509 *own = make_own();
    ejbca_set_page(&ejbca.username, json_pack("[o]", ejbca_row(own, "4A", 20)), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_CERTIFICATE, ERROR_NONE, "under others");
    assert_criterion(&ejbca.username, "QUERY", "CAM000000@https");
    ejbca_set_page(&ejbca.username, json_pack("[o]", ejbca_row(own, "4A", 40)), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "revoked");
    ejbca_set_page(&ejbca.username, json_array(), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "not kept");
    ejbca_set_answer(&ejbca.username, 500, "");
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_UNREACHABLE, "no answer");
    ck_assert_uint_eq(ejbca.issued.count + ejbca.known.count, 0);
    X509_free(own);
    ejbca_stop();
}
END_TEST

// An empty list is believed where a search of its kind finds what is there.
START_TEST(test_proof) {
    ejbca_start();
    X509 *other = make_other();
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "another's is found");
    assert_criterion(&ejbca.issued, "CA", "CameraCA");
    assert_criterion(&ejbca.known, "QUERY", "OTHER@https");
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "and found again");
    ck_assert_uint_eq(ejbca.issued.count, 1);
    ck_assert_uint_eq(ejbca.known.count, 2);
    ejbca_set_page(&ejbca.username, json_pack("[o]", ejbca_row(other, "4A", 40)), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "its own old one is found");
    ck_assert_uint_eq(ejbca.known.count, 2);
    X509_free(other);
    ejbca_stop();
}
END_TEST

START_TEST(test_no_proof) {
    ejbca_start();
    struct client_unit *unit = &ejbca.client.units[0];
    ejbca_set_page(&ejbca.known, json_array(), 0);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "what was there is not");
    ck_assert_ptr_nonnull(strstr(unit->error.text, "ca test --issue"));
    ejbca_set_page(&ejbca.issued, json_array(), 0);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "nothing is there");
    ejbca_set_page(&ejbca.issued, json_pack("[{s:n}]", "username"), -1);
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "nothing to search for");
    unit->request.sent_ms = clock_wall_ms();
    ejbca_assert(ejbca_reconcile_one(), CA_NOT_ISSUED, ERROR_NONE, "too early");
    ck_assert_uint_gt(unit->retry_after_ms, 0);
    ejbca_set_answer(&ejbca.issued, 500, "");
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_UNREACHABLE, "no answer");
    ejbca_stop();
}
END_TEST

// What the station itself got is there.
START_TEST(test_own_proof) {
    ejbca_start();
    ejbca_submit()->request.sent_ms = 0;
    ejbca_assert(ejbca_reconcile_one(), CA_CANNOT_TELL, E_UNIT_HELD, "it is hidden");
    ck_assert_uint_eq(ejbca.username.count, 2);
    ck_assert_uint_eq(ejbca.issued.count, 0);
    ejbca_stop();
}
END_TEST

static const char *const bad_pages[] = {
    "",
    "[]",
    "{}",
    "{\"certificates\":[]}",
    "{\"certificates\":[],\"pagination_summary\":null}",
    "{\"certificates\":{},\"pagination_summary\":{\"total_certs\":0}}",
    "{\"certificates\":[7],\"pagination_summary\":{\"total_certs\":1}}",
    "{\"certificates\":[{}],\"pagination_summary\":{\"total_certs\":1}}",
    "{\"certificates\":[{\"base64Cert\":\"MAA=\"}],\"pagination_summary\":{\"total_certs\":0}}",
    "{\"certificates\":[],\"pagination_summary\":{\"total_certs\":-1}}",
    "{\"certificates\":[],\"pagination_summary\":{\"total_certs\":21}}",
    "{\"certificates\":[],\"pagination_summary\":{\"total_certs\":9223372036854775807}}",
    "{\"certificates\":[],\"certificates\":[],\"pagination_summary\":{\"total_certs\":0}}",
};

// What cannot be read rules nothing out.
START_TEST(test_bad_page) {
    ejbca_start();
    ejbca_set_answer(&ejbca.search, 200, bad_pages[_i]);
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_NONSENSE, bad_pages[_i]);
    ejbca_stop();
}
END_TEST

// What is wrong with one row spoils the page, where it is the camera's own.
static const char *const spoilt_members[] = {"issuerDN", "serialNumber", "status"};

START_TEST(test_bad_row) {
    ejbca_start();
    X509 *own = make_own();
    json_t *row = ejbca_row(own, "4A", 20);
    json_object_set_new(row, spoilt_members[_i], json_object());
    ejbca_set_page(&ejbca.search, json_pack("[o]", row), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_NONSENSE, spoilt_members[_i]);
    row = ejbca_row(own, "4A/revoke", 20);
    ejbca_set_page(&ejbca.search, json_pack("[o]", row), 1);
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_NONSENSE, "a serial that is no hex");
    X509_free(own);
    ejbca_stop();
}
END_TEST

static const struct {
    long status;
    const char *message; // NULL: not EJBCA's answer
    enum error_code error;
} refusals[] = {
    {400, "Invalid search criteria content, unknown end entity profile.", E_CA_CONFIG},
    {403, "Not authorized", E_CA_LOGIN},
    {403, NULL, E_CA_LOGIN},
    {404, NULL, E_CA_CONFIG},
    {400, NULL, E_CA_NONSENSE},
    {429, NULL, E_CA_BUSY},
    {500, NULL, E_CA_UNREACHABLE},
};

START_TEST(test_refused_look) {
    ejbca_start();
    if (refusals[_i].message != NULL) {
        ejbca_set_problem(&ejbca.search, refusals[_i].status, refusals[_i].message);
    } else {
        ejbca_set_answer(&ejbca.search, refusals[_i].status, "<html>");
    }
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, refusals[_i].error, "reconcile");
    ejbca_stop();
}
END_TEST

// The certificate is found, and not the chain that it has to be installed with.
START_TEST(test_no_chain) {
    ejbca_start();
    X509 *own = make_own();
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(own, "4A", 20)), 1);
    ejbca_set_answer(&ejbca.chain, 500, "");
    ejbca_assert(ejbca_reconcile_one(), CA_DOUBT, E_CA_UNREACHABLE, "no chain");
    X509_free(own);
    ejbca_stop();
}
END_TEST

// ---- revoking -----------------------------------------------------------------------------------

static X509 *start_revoking(struct buf **der, int status) {
    ejbca_start();
    X509 *own = make_own();
    *der = pki_der(own);
    ejbca.client.units[0].request.certificate = buf_slice(*der);
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(own, "4A0b", status)), 1);
    return own;
}

static void stop_revoking(X509 *own, struct buf *der) {
    X509_free(own);
    buf_free(der);
    ejbca_stop();
}

static const char *const reasons[CA_REVOKE_COUNT] = {
    [CA_REVOKE_UNSPECIFIED] = "UNSPECIFIED",
    [CA_REVOKE_KEY_COMPROMISE] = "KEY_COMPROMISE",
    [CA_REVOKE_AFFILIATION_CHANGED] = "AFFILIATION_CHANGED",
    [CA_REVOKE_SUPERSEDED] = "SUPERSEDED",
    [CA_REVOKE_CESSATION_OF_OPERATION] = "CESSATION_OF_OPERATION",
    [CA_REVOKE_PRIVILEGE_WITHDRAWN] = "PRIVILEGES_WITHDRAWN",
};

START_TEST(test_revoke) {
    char line[256];
    struct buf *der;
    struct certificate_reference reference;
    struct error error;
    X509 *own = start_revoking(&der, 20);
    ejbca_assert(ejbca_revoke_one(_i), CA_REVOKED, ERROR_NONE, "revoke");
    snprintf(line, sizeof line,
             "PUT /api/v1/certificate/CN%%3DFactory%%2F1%%2CO%%3DM%%C3%%BCller%%20%%5C%%2B%%20Co"
             "%%5C%%2C%%20Inc./4A0b/revoke?reason=%s HTTP/1.1\r\n",
             reasons[_i]);
    ck_assert_ptr_nonnull(strstr(ejbca.revoke.request, line));
    ck_assert(x509_refer(buf_slice(der), &reference, &error));
    ck_assert_ptr_nonnull(strstr(ejbca.search.request, reference.serial));
    stop_revoking(own, der);
}
END_TEST

START_TEST(test_revoked_already) {
    struct buf *der;
    X509 *own = start_revoking(&der, 40);
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), CA_REVOKED, ERROR_NONE, "already");
    ck_assert_uint_eq(ejbca.revoke.count, 0);
    stop_revoking(own, der);
}
END_TEST

// The serial number alone does not say that it is the same certificate.
START_TEST(test_revoke_other) {
    struct buf *der;
    X509 *own = start_revoking(&der, 20);
    X509 *other = make_other();
    ejbca_set_page(&ejbca.search, json_pack("[o]", ejbca_row(other, "4A", 20)), 1);
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), CA_REFUSED, E_CA_REFUSED, "another");
    ejbca_set_page(&ejbca.search, json_array(), 0);
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), CA_REFUSED, E_CA_REFUSED, "none");
    ejbca_set_answer(&ejbca.search, 500, "");
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), CA_NOT_SENT, E_CA_UNREACHABLE, "500");
    ck_assert_uint_eq(ejbca.revoke.count, 0);
    X509_free(other);
    stop_revoking(own, der);
}
END_TEST

static const struct {
    long status; // 0: none
    const char *message;
    enum ca_outcome outcome;
    enum error_code error;
} revocations[] = {
    {409, "already revoked", CA_REVOKED, ERROR_NONE},
    {202, "must be approved", CA_REFUSED, E_CA_POLICY},
    {400, "Invalid revocation reason.", CA_REFUSED, E_CA_CONFIG},
    {404, "CA does not exist", CA_REFUSED, E_CA_CONFIG},
    {422, "backdate", CA_REFUSED, E_CA_CONFIG},
    {403, "Not authorized to revoke_end_entity", CA_NOT_SENT, E_CA_LOGIN},
    {429, "slowly", CA_NOT_SENT, E_CA_BUSY},
    {500, "General failure.", CA_DOUBT, E_CA_UNREACHABLE},
    {200, "not EJBCA's", CA_DOUBT, E_CA_NONSENSE},
    {0, NULL, CA_DOUBT, E_CA_UNREACHABLE},
};

START_TEST(test_revocation_answer) {
    struct buf *der;
    X509 *own = start_revoking(&der, 20);
    if (revocations[_i].status > 0) {
        ejbca_set_problem(&ejbca.revoke, revocations[_i].status, revocations[_i].message);
    } else {
        ejbca.revoke.answer[0] = '\0';
    }
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), revocations[_i].outcome,
                 revocations[_i].error, "revoke");
    stop_revoking(own, der);
}
END_TEST

START_TEST(test_long_issuer) {
    struct buf *der;
    char issuer[EJBCA_DN_SIZE];
    X509 *own = start_revoking(&der, 20);
    json_t *row = ejbca_row(own, "4A", 20);
    memset(issuer, ' ', sizeof issuer - 1);
    issuer[sizeof issuer - 1] = '\0';
    json_object_set_new(row, "issuerDN", json_string(issuer));
    ejbca_set_page(&ejbca.search, json_pack("[o]", row), 1);
    ejbca_assert(ejbca_revoke_one(CA_REVOKE_SUPERSEDED), CA_REFUSED, E_CA_REFUSED, "long");
    ck_assert_uint_eq(ejbca.revoke.count, 0);
    stop_revoking(own, der);
}
END_TEST

static Suite *ejbca_suite(void) {
    Suite *suite = suite_create("ejbca_look");
    TCase *tests = tcase_create("ejbca_look");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_criteria);
    tcase_add_loop_test(tests, test_look, 0, ARRAY_LENGTH(looks));
    tcase_add_test(tests, test_pages);
    tcase_add_test(tests, test_changed_section);
    tcase_add_test(tests, test_proof);
    tcase_add_test(tests, test_no_proof);
    tcase_add_test(tests, test_own_proof);
    tcase_add_loop_test(tests, test_bad_page, 0, ARRAY_LENGTH(bad_pages));
    tcase_add_loop_test(tests, test_bad_row, 0, ARRAY_LENGTH(spoilt_members));
    tcase_add_loop_test(tests, test_refused_look, 0, ARRAY_LENGTH(refusals));
    tcase_add_test(tests, test_no_chain);
    tcase_add_loop_test(tests, test_revoke, 0, CA_REVOKE_COUNT);
    tcase_add_test(tests, test_revoked_already);
    tcase_add_test(tests, test_revoke_other);
    tcase_add_loop_test(tests, test_revocation_answer, 0, ARRAY_LENGTH(revocations));
    tcase_add_test(tests, test_long_issuer);
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
