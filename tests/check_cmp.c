// SPDX-License-Identifier: Apache-2.0
// The backend cmp against OpenSSL's own CMP server, well-behaved and not: what is bought once, and what
// an answer that is not the CA's counts for.
#include <check.h>
#include <string.h>

#include "station/base/clock.h"
#include "tests/support_cmp.h"

static struct cmp_bench bench;

// ---- what goes well -----------------------------------------------------------------------------

static void issue_and_confirm(void) {
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect_certificate(&bench, unit);
    // Nothing more was said: the certificate is not on record yet.
    ck_assert_uint_eq(bench.server.seen[CMP_CERTCONF], 0);
    cmp_confirm(&bench, unit, true);
    cmp_expect(unit, CA_CONFIRMED, ERROR_NONE);
    ck_assert_uint_eq(bench.server.seen[CMP_P10CR], 1);
    ck_assert_uint_eq(bench.server.confirmed, 1);
    ck_assert_uint_eq(bench.server.rejected, 0);
    ck_assert_int_eq(unit->results, 2);
}

START_TEST(test_issue) {
    cmp_start(&bench, NULL, 1);
    issue_and_confirm();
    ck_assert_ptr_nonnull(strstr(bench.server.http.last_request, "POST /.well-known/cmp HTTP/1.1"));
    ck_assert_ptr_nonnull(strstr(bench.server.http.last_request, "application/pkixcmp"));
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_secret) {
    static const struct cmp_server_settings settings = {.secret = "between us", .plain = true};
    cmp_start(&bench, &settings, 1);
    issue_and_confirm();
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_many_at_once) {
    cmp_start(&bench, NULL, 64);
    for (size_t i = 0; i < 64; i++) {
        client_submit(&bench.client, &bench.client.units[i]);
    }
    client_wait(&bench.client);
    for (size_t i = 0; i < 64; i++) {
        cmp_expect_certificate(&bench, &bench.client.units[i]);
        client_confirm(&bench.client, &bench.client.units[i], true);
    }
    client_wait(&bench.client);
    for (size_t i = 0; i < 64; i++) {
        cmp_expect(&bench.client.units[i], CA_CONFIRMED, ERROR_NONE);
    }
    ck_assert_uint_eq(bench.server.issued, 64);
    ck_assert_uint_eq(bench.server.confirmed, 64);
    ck_assert_uint_le(bench.server.http.connections, 8);
    cmp_stop(&bench);
}
END_TEST

// The CA is asked again, as often as it wants and no sooner than a second.
START_TEST(test_polling) {
    static const struct cmp_server_settings settings = {.polls = 3, .check_after_s = 1};
    cmp_start(&bench, &settings, 1);
    int64_t begin_ms = clock_monotonic_ms();
    issue_and_confirm();
    ck_assert_int_ge(clock_monotonic_ms() - begin_ms, 2000);
    ck_assert_uint_eq(bench.server.seen[CMP_POLLREQ], 3);
    ck_assert_uint_eq(bench.server.issued, 1);
    cmp_stop(&bench);
}
END_TEST

// A pollReq without an answer is sent again: it buys nothing.
START_TEST(test_polling_on_a_bad_line) {
    static const enum cmp_fault faults[] = {CMP_FAULT_NOT_READ, CMP_FAULT_HTTP_500, CMP_FAULT_HTML};
    const struct cmp_server_settings settings = {.polls = 2,
                                                 .check_after_s = 0,
                                                 .fault = faults[_i],
                                                 .fault_at = CMP_POLLREQ,
                                                 .fault_times = 1};
    cmp_start(&bench, &settings, 1);
    issue_and_confirm();
    ck_assert_uint_eq(bench.server.seen[CMP_POLLREQ], 3);
    cmp_stop(&bench);
}
END_TEST

// The CA has the request: that it says no to a pollReq does not mean that it never will issue.
START_TEST(test_polling_is_refused) {
    static const int fail_bits[] = {
        OSSL_CMP_PKIFAILUREINFO_systemUnavail,   OSSL_CMP_PKIFAILUREINFO_notAuthorized,
        OSSL_CMP_PKIFAILUREINFO_badMessageCheck, OSSL_CMP_PKIFAILUREINFO_badTime,
        OSSL_CMP_PKIFAILUREINFO_systemFailure,
        OSSL_CMP_PKIFAILUREINFO_badRequest, // of a CA that does not know the transaction any more
    };
    const struct cmp_server_settings settings = {.polls = 2,
                                                 .check_after_s = 0,
                                                 .fault = CMP_FAULT_ERROR,
                                                 .fault_at = CMP_POLLREQ,
                                                 .fail_bit = fail_bits[_i]};
    cmp_start(&bench, &settings, 1);
    cmp_expect(cmp_submit(&bench), CA_DOUBT, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.seen[CMP_P10CR], 1);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_polling_ends_in_a_no) {
    const struct cmp_server_settings settings = {.polls = 1,
                                                 .check_after_s = 0,
                                                 .fault = CMP_FAULT_REJECTED,
                                                 .fault_at = CMP_P10CR,
                                                 .fail_bit = OSSL_CMP_PKIFAILUREINFO_badPOP};
    cmp_start(&bench, &settings, 1);
    cmp_expect(cmp_submit(&bench), CA_REFUSED, E_CA_REFUSED);
    ck_assert_uint_ge(bench.server.seen[CMP_POLLREQ], 1);
    cmp_stop(&bench);
}
END_TEST

// ---- what is refused, and what is in doubt ------------------------------------------------------

static struct client_unit *submit_with(enum cmp_fault fault, int fail_bit) {
    const struct cmp_server_settings settings = {
        .fault = fault, .fault_at = CMP_P10CR, .fail_bit = fail_bit};
    cmp_start(&bench, &settings, 1);
    return cmp_submit(&bench);
}

START_TEST(test_refused) {
    static const struct {
        int fail_bit;
        enum ca_outcome outcome;
        enum error_code code;
    } cases[] = {
        {OSSL_CMP_PKIFAILUREINFO_badCertTemplate, CA_REFUSED, E_CA_REFUSED},
        {OSSL_CMP_PKIFAILUREINFO_badPOP, CA_REFUSED, E_CA_REFUSED},
        {OSSL_CMP_PKIFAILUREINFO_unacceptedPolicy, CA_REFUSED, E_CA_REFUSED},
        {OSSL_CMP_PKIFAILUREINFO_notAuthorized, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_badMessageCheck, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_systemUnavail, CA_NOT_SENT, E_CA_BUSY},
        {OSSL_CMP_PKIFAILUREINFO_systemFailure, CA_DOUBT, E_CA_DOUBT},
        {OSSL_CMP_PKIFAILUREINFO_duplicateCertReq, CA_DOUBT, E_CA_DOUBT},
    };
    struct client_unit *unit =
        submit_with(_i % 2 == 0 ? CMP_FAULT_ERROR : CMP_FAULT_REJECTED, cases[_i / 2].fail_bit);
    cmp_expect(unit, cases[_i / 2].outcome, cases[_i / 2].code);
    if (_i % 2 == 1) { // the CA's own words, made harmless
        ck_assert_ptr_nonnull(strstr(unit->error.text, "today"));
        ck_assert_ptr_null(strchr(unit->error.text, 0x1b));
    }
    cmp_stop(&bench);
}
END_TEST

// The CA takes from the CSR what stands there: it never gets this one. Nor does a person who would carry
// it to an offline CA.
START_TEST(test_csr_that_asks_for_more) {
    static const struct pki_pair subject[] = {{"CN", "X"}, {NULL, NULL}};
    static const struct pki_pair asked[] = {{"subjectAltName", "DNS:www.example.com"},
                                            {NULL, NULL}};
    static const struct ca_settings offline = {.name = "offline", .backend = "file"};
    if (_i == 0) {
        cmp_start(&bench, NULL, 1);
    } else {
        client_start(&bench.client, &offline, 1, "P-256");
    }
    struct client_unit *unit = &bench.client.units[0];
    buf_free(unit->csr);
    unit->csr = pki_csr_asking(unit->key, subject, asked, false);
    unit->request.csr = buf_slice(unit->csr);
    cmp_expect(cmp_submit(&bench), CA_REFUSED, E_CSR_EXTENSION);
    if (_i == 0) {
        ck_assert_uint_eq(bench.server.seen[CMP_P10CR], 0);
        cmp_stop(&bench);
    } else {
        client_stop(&bench.client);
    }
}
END_TEST

// Whoever it was that answered, it was not the CA, or not to this: it may have issued.
START_TEST(test_answers_that_do_not_count) {
    static const enum cmp_fault faults[] = {
        CMP_FAULT_NOT_READ, CMP_FAULT_DROPPED,     CMP_FAULT_GARBAGE,        CMP_FAULT_CUT,
        CMP_FAULT_TRAILING, CMP_FAULT_OTHER_NONCE, CMP_FAULT_BAD_PROTECTION, CMP_FAULT_BARE_ERROR,
        CMP_FAULT_HTTP_500, CMP_FAULT_HTML,        CMP_FAULT_LONG,
    };
    struct client_unit *unit = submit_with(faults[_i], OSSL_CMP_PKIFAILUREINFO_badPOP);
    ck_assert_msg(unit->outcome == CA_DOUBT, "%d %s", (int)unit->outcome, unit->error.text);
    ck_assert_str_ne(unit->error.text, "");
    ck_assert_uint_eq(bench.server.seen[CMP_P10CR], 1); // at most once
    ck_assert_int_eq(unit->results, 1);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_answer_of_another_transaction) {
    static const struct cmp_server_settings settings = {
        .fault = CMP_FAULT_OTHER_ID, .fault_at = CMP_P10CR, .fault_times = 2};
    cmp_start(&bench, &settings, 2);
    bench.server.faults = 2; // the first is good
    cmp_submit(&bench);
    cmp_expect_certificate(&bench, &bench.client.units[0]);
    bench.server.faults = 0;
    client_submit(&bench.client, &bench.client.units[1]);
    client_wait(&bench.client);
    cmp_expect(&bench.client.units[1], CA_DOUBT, E_CA_DOUBT);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_web_server_without_cmp) {
    struct client_unit *unit = submit_with(CMP_FAULT_HTTP_404, 0);
    cmp_expect(unit, CA_NOT_SENT, E_CA_NONSENSE);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_unreachable) {
    cmp_start(&bench, NULL, 1);
    server_stop(&bench.server.http);
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect(unit, CA_NOT_SENT, E_CA_UNREACHABLE);
    client_check(&bench.client);
    client_wait(&bench.client);
    ck_assert(!bench.client.report.reachable);
    client_stop(&bench.client);
}
END_TEST

// A camera's certificate leads to the same root: it must not speak for the CA, unless it is named.
START_TEST(test_signer) {
    static const struct cmp_server_settings settings = {.signs_like_a_camera = true};
    static const char *const authorities[] = {NULL, "CN=Somebody else,O=Example,C=CH", "named"};
    cmp_server_start(&bench.server, &settings);
    struct ca_settings ca = cmp_server_ca(&bench.server);
    ca.authority = _i == 2 ? bench.server.signer_name : authorities[_i];
    client_start(&bench.client, &ca, 1, "P-256");
    struct client_unit *unit = cmp_submit(&bench);
    if (_i == 2) {
        cmp_expect_certificate(&bench, unit);
    } else {
        cmp_expect(unit, CA_DOUBT, E_CA_DOUBT);
    }
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_wrong_root) {
    static const struct cmp_server_settings settings = {.plain = true};
    cmp_server_start(&bench.server, &settings);
    struct ca_settings ca = cmp_server_ca(&bench.server);
    ca.server_root_file = bench.server.root_file;
    client_start(&bench.client, &ca, 1, "P-256");
    cmp_expect(cmp_submit(&bench), CA_DOUBT, E_CA_DOUBT);
    cmp_stop(&bench);
}
END_TEST

// Nobody can be asked: a person is, or the request goes out again.
START_TEST(test_lost_answer) {
    const struct cmp_server_settings settings = {
        .fault = CMP_FAULT_DROPPED, .fault_at = CMP_P10CR, .fault_times = 1};
    cmp_server_start(&bench.server, &settings);
    struct ca_settings ca = cmp_server_ca(&bench.server);
    ca.resends_lost = _i == 1;
    client_start(&bench.client, &ca, 1, "P-256");
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect(unit, CA_DOUBT, E_CA_DOUBT);
    client_reconcile(&bench.client, unit);
    client_wait(&bench.client);
    if (_i == 1) {
        cmp_expect(unit, CA_NOT_ISSUED, E_CA_DOUBT);
        cmp_submit(&bench);
        cmp_expect_certificate(&bench, unit);
    } else {
        cmp_expect(unit, CA_CANNOT_TELL, E_UNIT_HELD);
        ck_assert_ptr_nonnull(strstr(unit->error.text, unit->serial));
    }
    cmp_stop(&bench);
}
END_TEST

// ---- revoking, checking, opening ----------------------------------------------------------------

START_TEST(test_revoke) {
    const struct cmp_server_settings settings = {.fault = CMP_FAULT_ERROR,
                                                 .fault_at = CMP_RR,
                                                 .fault_times = 1,
                                                 .fail_bit = OSSL_CMP_PKIFAILUREINFO_certRevoked};
    cmp_start(&bench, &settings, 1);
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect_certificate(&bench, unit);
    struct buf *leaf = buf_new(CA_OFFER_MAX); // the unit's own goes with the next result
    ck_assert(buf_put(leaf, buf_slice(unit->leaf).data, buf_length(unit->leaf)));
    unit->request.certificate = buf_slice(leaf);
    bench.server.faults = 1;
    client_revoke(&bench.client, unit, CA_REVOKE_SUPERSEDED);
    client_wait(&bench.client);
    cmp_expect(unit, CA_REVOKED, ERROR_NONE);
    ck_assert_uint_eq(bench.server.revoked, 1);
    bench.server.faults = 0; // it says that this was done before
    client_revoke(&bench.client, unit, CA_REVOKE_KEY_COMPROMISE);
    client_wait(&bench.client);
    ck_assert_int_eq(unit->outcome, CA_REVOKED);
    unit->request.certificate = (struct slice){(const uint8_t *)"none", 4};
    client_revoke(&bench.client, unit, CA_REVOKE_UNSPECIFIED);
    client_wait(&bench.client);
    cmp_expect(unit, CA_NOT_SENT, E_CA_NONSENSE);
    buf_free(leaf);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_revocation_that_is_refused) {
    static const struct {
        enum cmp_fault fault;
        int fail_bit;
        enum ca_outcome outcome;
    } cases[] = {
        {CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_badCertId, CA_REFUSED},
        {CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_notAuthorized, CA_NOT_SENT},
        {CMP_FAULT_BARE_ERROR, OSSL_CMP_PKIFAILUREINFO_badCertId, CA_DOUBT},
        {CMP_FAULT_DROPPED, 0, CA_DOUBT},
    };
    const struct cmp_server_settings settings = {
        .fault = cases[_i].fault, .fault_at = CMP_RR, .fail_bit = cases[_i].fail_bit};
    cmp_start(&bench, &settings, 1);
    struct client_unit *unit = cmp_submit(&bench);
    unit->request.certificate = buf_slice(unit->leaf);
    client_revoke(&bench.client, unit, CA_REVOKE_SUPERSEDED);
    client_wait(&bench.client);
    ck_assert_msg(unit->outcome == cases[_i].outcome, "%d %s", (int)unit->outcome,
                  unit->error.text);
    cmp_stop(&bench);
}
END_TEST

static void check(void) {
    client_check(&bench.client);
    client_wait(&bench.client);
}

START_TEST(test_check) {
    cmp_start(&bench, NULL, 1);
    check();
    ck_assert_msg(bench.client.report.policy_fits, "%s", bench.client.report.error.text);
    ck_assert(bench.client.report.reachable && bench.client.report.logged_in);
    ck_assert_int_eq(bench.client.report.login, CA_LOGIN_TAKEN);
    ck_assert_int_eq(bench.client.report.quota, -1);
    ck_assert_int_gt(bench.client.report.station_certificate_not_after_ms, clock_wall_ms());
    ck_assert_uint_eq(bench.server.issued, 0);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_check_finds) {
    static const struct {
        enum cmp_fault fault;
        int fail_bit;
        bool reachable;
        bool logged_in;
        enum error_code code;
    } cases[] = {
        // It reads greetings, and does not like them: what counts works.
        {CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_badRequest, true, true, ERROR_NONE},
        {CMP_FAULT_BARE_ERROR, OSSL_CMP_PKIFAILUREINFO_badRequest, true, true, ERROR_NONE},
        {CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_signerNotTrusted, true, false, E_CA_LOGIN},
        {CMP_FAULT_BARE_ERROR, OSSL_CMP_PKIFAILUREINFO_badMessageCheck, true, false, E_CA_LOGIN},
        {CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_systemUnavail, false, false, E_CA_BUSY},
        {CMP_FAULT_GARBAGE, 0, false, false, E_CA_NONSENSE},
        {CMP_FAULT_BAD_PROTECTION, 0, false, false, E_CA_NONSENSE},
        {CMP_FAULT_HTTP_404, 0, false, false, E_CA_NONSENSE},
    };
    const struct cmp_server_settings settings = {
        .fault = cases[_i].fault, .fault_at = CMP_GENM, .fail_bit = cases[_i].fail_bit};
    cmp_start(&bench, &settings, 1);
    check();
    ck_assert_msg(bench.client.report.error.code == cases[_i].code, "%s",
                  bench.client.report.error.text);
    ck_assert_int_eq(bench.client.report.reachable, cases[_i].reachable);
    ck_assert_int_eq(bench.client.report.logged_in, cases[_i].logged_in);
    ck_assert_int_eq(bench.client.report.login, CA_LOGIN_UNTRIED);
    cmp_stop(&bench);
}
END_TEST

static void expect_refused(const struct ca_settings *settings, enum error_code code,
                           const char *text) {
    static const struct ca_events events = {0};
    struct loop *loop = NULL;
    struct ca *ca = NULL;
    struct error error = {0};
    ck_assert(loop_new(&loop, &error));
    ck_assert(!ca_cmp.open(loop, settings, &events, NULL, &ca, &error));
    ck_assert_ptr_null(ca);
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
    loop_free(loop);
}

START_TEST(test_settings) {
    static const struct cmp_server_settings usual = {0};
    static const char *const names[] = {"nobody", "CN=", "CN=a+O=b", "CN=a,", "=a", "NOSUCH=a"};
    cmp_server_start(&bench.server, &usual);
    const struct ca_settings good = cmp_server_ca(&bench.server);
    struct ca_settings bad = good;
    bad.client_certificate_file = bad.client_key_file = NULL;
    expect_refused(&bad, E_CA_CONFIG, "need protection");
    bad = good;
    bad.password_file = bench.server.http.client_key_file;
    expect_refused(&bad, E_CA_CONFIG, "goes with username");
    bad.username = "station";
    expect_refused(&bad, E_SECRET_MISSING, "");
    bad = good;
    bad.url = "https://127.0.0.1/cmp/station";
    bad.ca_profile = "cameras";
    expect_refused(&bad, E_CA_CONFIG, "a path of its own");
    bad = good;
    bad.ca_profile = "a/b";
    expect_refused(&bad, E_CA_CONFIG, "a part of a URL");
    bad = good;
    bad.root_file = "/nonexistent";
    expect_refused(&bad, E_CA_CONFIG, "holds no certificate");
    bad = good;
    bad.url = "http://192.0.2.1/";
    expect_refused(&bad, E_CA_CONFIG, "https://");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        bad = good;
        bad.authority = names[i];
        expect_refused(&bad, E_CA_CONFIG, "is no name");
    }
    cmp_server_stop(&bench.server);
}
END_TEST

START_TEST(test_paths) {
    static const struct {
        const char *path;
        const char *profile;
        const char *asked;
    } cases[] = {
        {"", NULL, "POST /.well-known/cmp HTTP"},
        {"/", "cameras", "POST /.well-known/cmp/p/cameras HTTP"},
        {"/ejbca/publicweb/cmp/cameras", NULL, "POST /ejbca/publicweb/cmp/cameras HTTP"},
        {"/pkix/", NULL, "POST /pkix/ HTTP"},
    };
    static const struct cmp_server_settings usual = {0};
    char url[128];
    cmp_server_start(&bench.server, &usual);
    struct ca_settings ca = cmp_server_ca(&bench.server);
    snprintf(url, sizeof url, "%s%s", bench.server.url, cases[_i].path);
    ca.url = url;
    ca.ca_profile = cases[_i].profile;
    client_start(&bench.client, &ca, 1, "P-256");
    cmp_expect_certificate(&bench, cmp_submit(&bench));
    ck_assert_ptr_nonnull(strstr(bench.server.http.last_request, cases[_i].asked));
    cmp_stop(&bench);
}
END_TEST

// Ends in the middle of everything, without a result and without a leak.
START_TEST(test_close) {
    static const struct cmp_server_settings settings = {.polls = 5, .check_after_s = 60};
    cmp_start(&bench, &settings, 8);
    for (size_t i = 0; i < 8; i++) {
        client_submit(&bench.client, &bench.client.units[i]);
    }
    if (_i == 1) {
        while (bench.server.seen[CMP_POLLREQ] < 4) {
            struct loop_timer *timer = loop_timer_new(
                bench.client.loop, (loop_callback *)(uintptr_t)loop_stop, bench.client.loop);
            loop_timer_start(timer, 20);
            loop_run(bench.client.loop);
            loop_timer_free(timer);
        }
    }
    cmp_stop(&bench);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(bench.client.units[i].results, 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cmp");
    TCase *well = tcase_create("well");
    tcase_set_timeout(well, 120); // a busy machine is no failure
    tcase_add_test(well, test_issue);
    tcase_add_test(well, test_secret);
    tcase_add_test(well, test_many_at_once);
    tcase_add_test(well, test_polling);
    tcase_add_loop_test(well, test_polling_on_a_bad_line, 0, 3);
    tcase_add_loop_test(well, test_polling_is_refused, 0, 6);
    tcase_add_test(well, test_polling_ends_in_a_no);
    suite_add_tcase(suite, well);
    TCase *trouble = tcase_create("trouble");
    tcase_set_timeout(trouble, 120);
    tcase_add_loop_test(trouble, test_refused, 0, 16);
    tcase_add_loop_test(trouble, test_csr_that_asks_for_more, 0, 2);
    tcase_add_loop_test(trouble, test_answers_that_do_not_count, 0, 11);
    tcase_add_test(trouble, test_answer_of_another_transaction);
    tcase_add_test(trouble, test_web_server_without_cmp);
    tcase_add_test(trouble, test_unreachable);
    tcase_add_loop_test(trouble, test_signer, 0, 3);
    tcase_add_test(trouble, test_wrong_root);
    tcase_add_loop_test(trouble, test_lost_answer, 0, 2);
    suite_add_tcase(suite, trouble);
    TCase *rest = tcase_create("rest");
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, test_revoke);
    tcase_add_loop_test(rest, test_revocation_that_is_refused, 0, 4);
    tcase_add_test(rest, test_check);
    tcase_add_loop_test(rest, test_check_finds, 0, 8);
    tcase_add_test(rest, test_settings);
    tcase_add_loop_test(rest, test_paths, 0, 4);
    tcase_add_loop_test(rest, test_close, 0, 2);
    suite_add_tcase(suite, rest);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
