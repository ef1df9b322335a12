// SPDX-License-Identifier: Apache-2.0
// The backend cmp: a certificate is confirmed when it is on record, or refused; and what the CA says to
// that, or does not.
#include <check.h>
#include <string.h>

#include "ca-client/x509_station.h"
#include "tests/support_cmp.h"

static struct cmp_bench bench;

// The station died in between: another one, with what was on record, goes on.
START_TEST(test_confirms_after_a_restart) {
    cmp_start(&bench, NULL, 1);
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect_certificate(&bench, unit);
    struct ca_settings ca = cmp_server_ca(&bench.server);
    client_restart(&bench.client, &ca);
    cmp_confirm(&bench, unit, true);
    cmp_expect(unit, CA_CONFIRMED, ERROR_NONE);
    ck_assert_uint_eq(bench.server.seen[CMP_P10CR], 1);
    ck_assert_uint_eq(bench.server.confirmed, 1);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_rejects) {
    cmp_start(&bench, NULL, 1);
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect_certificate(&bench, unit);
    cmp_confirm(&bench, unit, false);
    cmp_expect(unit, CA_CONFIRMED, ERROR_NONE);
    ck_assert_uint_eq(bench.server.confirmed, 0);
    ck_assert_uint_eq(bench.server.rejected, 1);
    cmp_stop(&bench);
}
END_TEST

// It comes to the issuer as it is, who finds out and keeps it; then the CA hears that it is refused,
// also if it were to be confirmed.
START_TEST(test_certificate_for_another_key) {
    static const struct cmp_server_settings settings = {.fault = CMP_FAULT_WRONG_KEY,
                                                        .fault_at = CMP_P10CR};
    cmp_start(&bench, &settings, 1);
    struct client_unit *unit = cmp_submit(&bench);
    struct certificate_identity identity;
    struct error error = {0};
    cmp_expect(unit, CA_CERTIFICATE, ERROR_NONE);
    ck_assert(x509_identify(buf_slice(unit->leaf), &identity, &error));
    ck_assert_mem_ne(identity.spki_sha256, unit->request.spki_sha256, SHA256_SIZE);
    ck_assert(!client_certificate_is_good(&bench.client, unit, bench.server.root_file, &error));
    ck_assert_int_eq(error.code, E_CERT_KEY);
    cmp_confirm(&bench, unit, _i == 1);
    ck_assert_uint_eq(bench.server.rejected, 1);
    ck_assert_uint_eq(bench.server.confirmed, 0);
    cmp_stop(&bench);
}
END_TEST

static struct client_unit *start_and_confirm_with(enum cmp_fault fault, int fail_bit) {
    const struct cmp_server_settings settings = {
        .fault = fault, .fault_at = CMP_CERTCONF, .fault_times = 1, .fail_bit = fail_bit};
    cmp_start(&bench, &settings, 1);
    struct client_unit *unit = cmp_submit(&bench);
    cmp_expect_certificate(&bench, unit);
    cmp_confirm(&bench, unit, true);
    return unit;
}

// Told again, the CA takes it, if it did not before.
START_TEST(test_confirmation_that_is_lost) {
    static const enum cmp_fault faults[] = {CMP_FAULT_NOT_READ, CMP_FAULT_HTTP_400,
                                            CMP_FAULT_HTTP_500, CMP_FAULT_HTML};
    struct client_unit *unit = start_and_confirm_with(faults[_i], 0);
    cmp_expect(unit, CA_DOUBT, unit->error.code);
    cmp_confirm(&bench, unit, true);
    cmp_expect(unit, CA_CONFIRMED, ERROR_NONE);
    ck_assert_uint_eq(bench.server.confirmed, 1);
    cmp_stop(&bench);
}
END_TEST

// It did before, and will not hear of it twice: that is no yes.
START_TEST(test_confirmation_whose_answer_is_lost) {
    static const enum cmp_fault faults[] = {
        CMP_FAULT_DROPPED,     CMP_FAULT_GARBAGE,        CMP_FAULT_CUT,       CMP_FAULT_TRAILING,
        CMP_FAULT_OTHER_NONCE, CMP_FAULT_BAD_PROTECTION, CMP_FAULT_BARE_ERROR};
    struct client_unit *unit = start_and_confirm_with(faults[_i], 2);
    cmp_expect(unit, CA_DOUBT, E_CA_DOUBT);
    cmp_confirm(&bench, unit, true);
    cmp_expect(unit, CA_REFUSED, E_CERT_UNCONFIRMED);
    ck_assert_ptr_nonnull(
        strstr(unit->error.text, "ask the administrator of CA cmp for key SHA-256 "));
    ck_assert_ptr_nonnull(strstr(unit->error.text, "Z, serial CAM000000"));
    ck_assert_uint_eq(bench.server.confirmed, 1);
    cmp_stop(&bench);
}
END_TEST

START_TEST(test_confirmation_that_is_refused) {
    static const struct {
        int fail_bit;
        enum ca_outcome outcome;
        enum error_code code;
    } cases[] = {
        {OSSL_CMP_PKIFAILUREINFO_badRequest, CA_REFUSED, E_CERT_UNCONFIRMED},
        {OSSL_CMP_PKIFAILUREINFO_certRevoked, CA_REFUSED, E_CERT_UNCONFIRMED},
        {OSSL_CMP_PKIFAILUREINFO_badCertId, CA_REFUSED, E_CERT_UNCONFIRMED},
        {OSSL_CMP_PKIFAILUREINFO_signerNotTrusted, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_badTime, CA_NOT_SENT, E_CLOCK},
        {OSSL_CMP_PKIFAILUREINFO_systemUnavail, CA_NOT_SENT, E_CA_BUSY},
        {OSSL_CMP_PKIFAILUREINFO_systemFailure, CA_DOUBT, E_CA_DOUBT},
    };
    struct client_unit *unit = start_and_confirm_with(CMP_FAULT_ERROR, cases[_i].fail_bit);
    cmp_expect(unit, cases[_i].outcome, cases[_i].code);
    cmp_stop(&bench);
}
END_TEST

// It says that it knows already.
START_TEST(test_confirmed_before) {
    struct client_unit *unit =
        start_and_confirm_with(CMP_FAULT_ERROR, OSSL_CMP_PKIFAILUREINFO_certConfirmed);
    ck_assert_int_eq(unit->outcome, CA_CONFIRMED);
    cmp_stop(&bench);
}
END_TEST

// What is on record may be damaged, or the station may protect its messages in another way by now.
START_TEST(test_offer_that_does_not_hold) {
    cmp_start(&bench, NULL, 1);
    struct client_unit *unit = cmp_submit(&bench);
    struct slice offer = buf_slice(unit->offer);
    struct buf *bad = buf_new(CA_OFFER_MAX);
    static const size_t lengths[] = {1, 31, 32, 33, 300};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        buf_clear(bad);
        ck_assert(buf_put(bad, offer.data, lengths[i]));
        unit->request.offer = buf_slice(bad);
        client_fetch(&bench.client, unit);
        client_wait(&bench.client);
        cmp_expect(unit, CA_NOT_SENT, E_CA_NONSENSE);
    }
    buf_free(bad);
    ck_assert_uint_eq(bench.server.seen[CMP_CERTCONF], 0);
    unit->request.offer = (struct slice){0};
    client_fetch(&bench.client, unit);
    client_wait(&bench.client);
    cmp_expect(unit, CA_NOT_SENT, E_CA_UNSUPPORTED);
    cmp_stop(&bench);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cmp, confirming");
    TCase *confirming = tcase_create("confirming");
    tcase_set_timeout(confirming, 120);
    tcase_add_test(confirming, test_confirms_after_a_restart);
    tcase_add_test(confirming, test_rejects);
    tcase_add_loop_test(confirming, test_certificate_for_another_key, 0, 2);
    tcase_add_loop_test(confirming, test_confirmation_that_is_lost, 0, 4);
    tcase_add_loop_test(confirming, test_confirmation_whose_answer_is_lost, 0, 7);
    tcase_add_loop_test(confirming, test_confirmation_that_is_refused, 0, 7);
    tcase_add_test(confirming, test_confirmed_before);
    tcase_add_test(confirming, test_offer_that_does_not_hold);
    suite_add_tcase(suite, confirming);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
