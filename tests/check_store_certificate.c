// SPDX-License-Identifier: Apache-2.0
// Certificates: live, quarantined, surplus, duplicate; install and result.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support_store.h"

static struct store_fixture fixture;

static void setup(void) {
    store_fixture_setup(&fixture);
}

// Whatever a test did, the database must be sound after it.
static void teardown(void) {
    struct error error = {0};
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    store_fixture_teardown(&fixture);
}

// ---- certificates -------------------------------------------------------------------------------

static struct certificate_record load_certificate(const struct unit_record *unit) {
    struct record record = store_record(&fixture, RECORD_LOAD_CERTIFICATE, unit, 0);
    store_accept(&fixture, &record);
    return fixture.batch->answers[0].certificate;
}

START_TEST(test_certificate) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, 0);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    text_copy(record.handle, sizeof record.handle, "abc");
    store_accept(&fixture, &record);
    struct certificate_record certificate = load_certificate(&unit);
    ck_assert_mem_eq(certificate.sha256, record.certificate.sha256, SHA256_SIZE);
    ck_assert_mem_eq(certificate.spki_sha256, record.certificate.spki_sha256, SHA256_SIZE);
    ck_assert_uint_eq(certificate.serial_length, record.certificate.serial_length);
    ck_assert_mem_eq(certificate.serial, record.certificate.serial, certificate.serial_length);
    ck_assert_str_eq(certificate.issuer, record.certificate.issuer);
    ck_assert_str_eq(certificate.subject, record.certificate.subject);
    ck_assert_int_eq(certificate.not_before_ms, record.certificate.not_before_ms);
    ck_assert_int_eq(certificate.not_after_ms, record.certificate.not_after_ms);
    ck_assert(slice_equal(certificate.chain, record.certificate.chain));
    ck_assert_str_eq(store_load_request(&fixture, &unit).handle, "abc");
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_ISSUED);
    store_accept(&fixture, &record); // told twice
    record.error = E_CERT_USAGE;
    store_refuse(&fixture, &record, E_STORE_CONFLICT); // what is live is not quarantined by the way
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_ISSUED);
}
END_TEST

START_TEST(test_certificate_chains) {
    static const struct {
        const char *bytes;
        size_t length;
    } chains[] = {
        {"\x30\x03"
         "abc",
         5},
        {"\x30\x03"
         "abcrest",
         9},
        {"\x30\x81\x02"
         "abrest",
         9},
        {"\x30\x82\xff\xff"
         "ab",
         6},
        {"\x30\x85\x00\x00\x00\x00\x02"
         "ab",
         9},
        {"\x30\x80"
         "ab",
         4},
        {"\x30\x84\xff", 3},
        {"\x30", 1},
        {"\x31\x01"
         "abc",
         5},
    };
    struct unit_record unit;
    char serial[] = "SN-x";
    serial[3] = (char)('0' + _i);
    unit = store_make_unit(&fixture, serial, 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    record.certificate.chain = (struct slice){(const uint8_t *)chains[_i].bytes, chains[_i].length};
    store_accept(&fixture, &record);
    ck_assert(slice_equal(load_certificate(&unit).chain, record.certificate.chain));
}
END_TEST

START_TEST(test_certificate_quarantined) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, E_CERT_CHAIN);
    store_accept(&fixture, &record);
    struct credential_record credential = store_admit_again(&fixture, "SN-1").credentials[0];
    ck_assert_int_eq(credential.request, REQUEST_QUARANTINED);
    ck_assert_int_eq(credential.error, E_CERT_CHAIN);
    struct record load = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, 0);
    store_refuse(&fixture, &load, E_STORE_CONFLICT);
    store_accept(&fixture, &record); // told twice
    // What the CA gave can be looked at again.
    struct request_record request = store_load_request(&fixture, &unit);
    struct slice chain = record.certificate.chain;
    struct slice leaf = {chain.data, request.leaf.length};
    ck_assert_uint_gt(leaf.length, 0);
    ck_assert(slice_equal(request.leaf, leaf));
    ck_assert(slice_equal(request.extra,
                          (struct slice){chain.data + leaf.length, chain.length - leaf.length}));
    // No power cut makes a doubt of it, and of the doubt another purchase.
    struct record doubt = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    doubt.request = REQUEST_DOUBT;
    store_refuse(&fixture, &doubt, E_STORE_CONFLICT);
    // The root was corrected, the CA asked again, and the certificate is good now.
    record.error = ERROR_NONE;
    store_accept(&fixture, &record);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_ISSUED);
    ck_assert(slice_equal(load_certificate(&unit).chain, record.certificate.chain));
    ck_assert_uint_eq(store_load_request(&fixture, &unit).leaf.length, 0);
}
END_TEST

static bool count_row(void *context, const struct store_row *row) {
    (void)row;
    ++*(size_t *)context;
    return true;
}

static size_t count_rows(const char *state) {
    struct store_filter filter = {.state = state};
    struct error error = {0};
    size_t count = 0;
    ck_assert_msg(store_sqlite.select_rows(fixture.store, &filter, count_row, &count, &error), "%s",
                  error.text);
    return count;
}

static struct credential_record look_again(const struct unit_record *unit,
                                           const struct record *certificate) {
    store_accept(&fixture, certificate);
    return store_admit_again(&fixture, unit->serial).credentials[0];
}

// The certificate in quarantine is no duplicate of itself, however much of it could be read.
START_TEST(test_certificate_looked_at_again) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record full = store_record_certificate(&fixture, &unit, 1, 1, E_CERT_CHAIN);
    struct record partly = full;
    memset(partly.certificate.sha256, 0, SHA256_SIZE);
    partly.error = E_CERT_MALFORMED;
    store_accept(&fixture, &partly);
    struct credential_record credential = look_again(&unit, &partly);
    ck_assert_int_eq(credential.request, REQUEST_QUARANTINED);
    ck_assert_int_eq(credential.error, E_CERT_MALFORMED);
    credential = look_again(&unit, &full);
    ck_assert_int_eq(credential.request, REQUEST_QUARANTINED);
    ck_assert_int_eq(credential.error, E_CERT_CHAIN);
    credential = look_again(&unit, &partly); // its hash is not forgotten
    ck_assert_int_eq(credential.request, REQUEST_QUARANTINED);
    // Another camera does not get it meanwhile, by its hash or by its number.
    struct unit_record other = store_make_unit(&fixture, "SN-2", 2, REQUEST_SENT, INSTALL_NONE);
    struct record stray = store_record_certificate(&fixture, &other, 1, 2, ERROR_NONE);
    store_refuse(&fixture, &stray, E_CERT_DUPLICATE);
    memset(stray.certificate.sha256, 0, SHA256_SIZE);
    stray.error = E_CERT_MALFORMED;
    store_refuse(&fixture, &stray, E_CERT_DUPLICATE);
    // Nor may the CA use the number for another certificate of the same credential.
    struct record second = store_record_certificate(&fixture, &unit, 9, 1, ERROR_NONE);
    memcpy(second.certificate.serial, full.certificate.serial, CERTIFICATE_SERIAL_MAX);
    store_refuse(&fixture, &second, E_CERT_DUPLICATE);

    full = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    credential = look_again(&unit, &full);
    ck_assert_int_eq(credential.request, REQUEST_ISSUED);
    ck_assert_int_eq(credential.error, ERROR_NONE);
    ck_assert_mem_eq(load_certificate(&unit).sha256, full.certificate.sha256, SHA256_SIZE);
    ck_assert_uint_eq(count_rows("quarantined"), 0); // the row itself went over
}
END_TEST

// A certificate that the CA waits to hear of is on record with what the CA said, until it has heard.
START_TEST(test_certificate_unconfirmed) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    record.bytes = (struct slice){(const uint8_t *)"cp", 2};
    store_accept(&fixture, &record);
    store_fixture_reopen(&fixture);
    struct request_record request = store_load_request(&fixture, &unit);
    ck_assert_int_eq(request.state, REQUEST_UNCONFIRMED);
    ck_assert(slice_equal(request.offer, record.bytes));
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert_uint_eq(load_certificate(&unit).chain.length, record.certificate.chain.length);
    store_accept(&fixture, &record); // told twice
    struct record install = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    install.install = INSTALL_STARTED;
    store_refuse(&fixture, &install, E_STORE_CONFLICT); // not before the CA has heard
    struct record other = store_record_certificate(&fixture, &unit, 2, 1, ERROR_NONE);
    store_refuse(&fixture, &other, E_STORE_CONFLICT); // a surplus stays beside it
    ck_assert_int_eq(store_load_request(&fixture, &unit).state, REQUEST_UNCONFIRMED);
    ck_assert_uint_eq(count_rows("quarantined"), 1);
    struct record heard = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    heard.request = REQUEST_ISSUED;
    store_accept(&fixture, &heard);
    ck_assert_uint_eq(store_load_request(&fixture, &unit).offer.length, 0);
    store_accept(&fixture, &install);
}
END_TEST

// The CA would not hear of it: the certificate lives no longer, and is not forgotten.
START_TEST(test_certificate_not_confirmed) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_UNCONFIRMED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_QUARANTINED;
    record.error = E_CERT_UNCONFIRMED;
    store_accept(&fixture, &record);
    struct credential_record now = store_admit_again(&fixture, "SN-1").credentials[0];
    ck_assert_int_eq(now.request, REQUEST_QUARANTINED);
    ck_assert_int_eq(now.error, E_CERT_UNCONFIRMED);
    ck_assert_uint_eq(count_rows("quarantined"), 1);
    ck_assert_uint_eq(store_load_request(&fixture, &unit).offer.length, 0);
    record = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, 0);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
}
END_TEST

// One that is not wanted keeps what the CA said with it until the CA has heard of that.
START_TEST(test_certificate_rejected) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, E_CERT_USAGE);
    record.bytes = (struct slice){(const uint8_t *)"cp", 2};
    store_accept(&fixture, &record);
    ck_assert(slice_equal(store_load_request(&fixture, &unit).offer, record.bytes));
    record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_QUARANTINED;
    record.error = E_CERT_USAGE;
    store_accept(&fixture, &record);
    ck_assert_uint_eq(store_load_request(&fixture, &unit).offer.length, 0);
    // No longer than the store keeps an object.
    static uint8_t long_offer[OBJECT_MAX + 1];
    unit = store_make_unit(&fixture, "SN-2", 2, REQUEST_SENT, INSTALL_NONE);
    record = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    record.bytes = (struct slice){long_offer, sizeof long_offer};
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
}
END_TEST

START_TEST(test_certificate_surplus) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_NONE);
    struct record first = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 2, 1, ERROR_NONE);
    ck_assert_uint_eq(count_rows("quarantined"), 0);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_uint_eq(count_rows("quarantined"), 1);
    record = store_record_certificate(&fixture, &unit, 3, 1, E_CERT_NAMES);
    store_accept(&fixture, &record);
    struct unit_record now = store_admit_again(&fixture, "SN-1");
    ck_assert_int_eq(now.credentials[0].request, REQUEST_ISSUED);
    ck_assert_mem_eq(load_certificate(&unit).sha256, first.certificate.sha256, SHA256_SIZE);
}
END_TEST

START_TEST(test_certificate_not_due) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_REFUSED, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    // It exists: the request must not be sent once more.
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request,
                     REQUEST_QUARANTINED);
    unit = store_make_unit(&fixture, "SN-2", 2, REQUEST_NONE, INSTALL_NONE);
    record = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-2").credentials[0].request, REQUEST_NONE);
}
END_TEST

START_TEST(test_certificate_for_another_key) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 7, ERROR_NONE);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request,
                     REQUEST_QUARANTINED);
}
END_TEST

// Answers were mixed up: the certificate is kept where it came first, and is this camera's all the same.
START_TEST(test_certificate_mixed_up) {
    struct unit_record first = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct unit_record second = store_make_unit(&fixture, "SN-2", 2, REQUEST_SENT, INSTALL_NONE);
    struct record stray = store_record_certificate(&fixture, &first, 7, 2, E_CERT_KEY);
    store_accept(&fixture, &stray);
    ck_assert_uint_eq(count_rows("quarantined"), 1);
    struct record own = store_record_certificate(&fixture, &second, 7, 2, ERROR_NONE);
    store_accept(&fixture, &own);
    ck_assert(slice_equal(load_certificate(&second).chain, own.certificate.chain));
    ck_assert_int_eq(store_admit_again(&fixture, "SN-2").credentials[0].request, REQUEST_ISSUED);
    // The first one waits for a person as before; it does not get it back.
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request,
                     REQUEST_QUARANTINED);
    ck_assert_uint_eq(store_load_request(&fixture, &first).leaf.length, 0);
    store_refuse(&fixture, &stray, E_CERT_DUPLICATE);
    struct record late = store_record_certificate(&fixture, &first, 8, 1, ERROR_NONE);
    store_accept(&fixture, &late);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_ISSUED);
}
END_TEST

START_TEST(test_certificate_duplicate) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_NONE);
    struct unit_record unit = store_make_unit(&fixture, "SN-2", 2, REQUEST_SENT, INSTALL_NONE);
    struct record same = store_record_certificate(&fixture, &unit, 1, 2, ERROR_NONE);
    store_refuse(&fixture, &same, E_CERT_DUPLICATE);
    ck_assert_ptr_nonnull(strstr(fixture.batch->answers[0].text, "SN-1"));
    struct record number = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    memcpy(number.certificate.serial, same.certificate.serial, CERTIFICATE_SERIAL_MAX);
    store_refuse(&fixture, &number, E_CERT_DUPLICATE);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-2").credentials[0].request, REQUEST_SENT);
    // Another issuer may use the number too.
    text_copy(number.certificate.issuer, sizeof number.certificate.issuer, "CN=Other CA");
    store_accept(&fixture, &number);
}
END_TEST

// Of what the CA sent nothing could be read; it is kept nevertheless, as often as it comes.
START_TEST(test_certificate_unreadable) {
    for (uint32_t i = 1; i <= 2; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "SN-%u", i);
        struct unit_record unit = store_make_unit(&fixture, serial, i, REQUEST_SENT, INSTALL_NONE);
        struct record record = store_record(&fixture, RECORD_CERTIFICATE, &unit, 0);
        record.error = E_CERT_MALFORMED;
        store_accept(&fixture, &record);
        store_accept(&fixture, &record);
        ck_assert_int_eq(store_admit_again(&fixture, serial).credentials[0].request,
                         REQUEST_QUARANTINED);
        record.error = ERROR_NONE;
        store_refuse(&fixture, &record, E_STORE_CONFLICT);
    }
}
END_TEST

// ---- install and result -------------------------------------------------------------------------

START_TEST(test_install) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    record.install = INSTALL_STARTED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    struct record certificate = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    store_accept(&fixture, &certificate);
    record.install = INSTALL_PROVED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    for (unsigned step = INSTALL_STARTED; step <= INSTALL_PROVED; step++) {
        record.install = (enum install_state)step;
        store_accept(&fixture, &record);
        ck_assert_uint_eq(store_admit_again(&fixture, "SN-1").credentials[0].install, step);
    }
    record.install = INSTALL_STARTED; // once more
    store_accept(&fixture, &record);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].install, INSTALL_STARTED);
}
END_TEST

START_TEST(test_result) {
    struct record record = store_record_admit(&fixture, "SN-0", 0);
    store_accept(&fixture, &record);
    struct unit_record bare = fixture.batch->answers[0].unit;
    record = store_record(&fixture, RECORD_RESULT, &bare, 0);
    record.result = UNIT_PASSED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT); // it has nothing to be proved by

    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_DONE);
    record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record.result = UNIT_FAILED;
    record.error = E_CAM_PROOF;
    text_copy(record.text, sizeof record.text, "no proof");
    store_accept(&fixture, &record);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").result, UNIT_FAILED);
    struct record install = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    install.install = INSTALL_PROVED;
    store_accept(&fixture, &install);
    record.result = UNIT_PASSED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT); // a PASS with an error is none
    record.error = ERROR_NONE;
    store_accept(&fixture, &record);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").result, UNIT_PASSED);
    // What passed stays so; that the camera is filled once more is history.
    install.install = INSTALL_STARTED;
    store_accept(&fixture, &install);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].install, INSTALL_PROVED);
}
END_TEST

START_TEST(test_result_needs_every_credential) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_certificate");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, setup, teardown);
    tcase_add_test(records, test_certificate);
    tcase_add_test(records, test_certificate_quarantined);
    tcase_add_test(records, test_certificate_looked_at_again);
    tcase_add_test(records, test_certificate_surplus);
    tcase_add_test(records, test_certificate_unconfirmed);
    tcase_add_test(records, test_certificate_not_confirmed);
    tcase_add_test(records, test_certificate_rejected);
    tcase_add_test(records, test_certificate_not_due);
    tcase_add_test(records, test_certificate_for_another_key);
    tcase_add_test(records, test_certificate_mixed_up);
    tcase_add_test(records, test_certificate_duplicate);
    tcase_add_test(records, test_certificate_unreadable);
    tcase_add_test(records, test_install);
    tcase_add_test(records, test_result);
    tcase_add_test(records, test_result_needs_every_credential);
    tcase_add_loop_test(records, test_certificate_chains, 0, 9);
    suite_add_tcase(suite, records);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
