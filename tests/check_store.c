// SPDX-License-Identifier: Apache-2.0
// What each record does, and what is refused.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
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

static void refused(const struct record *record, enum error_code code) {
    const struct answer *answer = store_commit_one(&fixture, record);
    ck_assert_msg(answer->code == code, "%s instead of %s: %s", error_code_text(answer->code),
                  error_code_text(code), answer->text);
    ck_assert(answer->text[0] != '\0');
}

static void accepted(const struct record *record) {
    const struct answer *answer = store_commit_one(&fixture, record);
    ck_assert_msg(answer->code == ERROR_NONE, "%s", answer->text);
}

// The unit as the store has it now.
static struct unit_record admit_again(const char *serial) {
    struct record record = store_record_admit(&fixture, serial, 0);
    accepted(&record);
    ck_assert(!fixture.batch->answers[0].unit.is_new);
    return fixture.batch->answers[0].unit;
}

static struct request_record load_request(const struct unit_record *unit) {
    struct record record = store_record(&fixture, RECORD_LOAD_REQUEST, unit, 0);
    accepted(&record);
    return fixture.batch->answers[0].request;
}

static struct record key_record(const struct unit_record *unit, uint32_t index, uint32_t seed) {
    struct record record = store_record(&fixture, RECORD_KEY, unit, index);
    store_test_hash(seed, record.spki_sha256);
    return record;
}

static struct record csr_record(const struct unit_record *unit, uint32_t seed, const char *csr) {
    struct record record = store_record(&fixture, RECORD_CSR, unit, 0);
    store_test_hash(seed, record.spki_sha256);
    record.bytes = (struct slice){(const uint8_t *)csr, strlen(csr)};
    return record;
}

// The certificate from `seed`, for the key from `key_seed`.
static struct record certificate_record_of(const struct unit_record *unit, uint32_t seed,
                                           uint32_t key_seed, enum error_code reason) {
    struct record record = store_record(&fixture, RECORD_CERTIFICATE, unit, 0);
    uint8_t spki_sha256[SHA256_SIZE];
    store_test_hash(key_seed, spki_sha256);
    record.certificate = store_test_certificate(seed, spki_sha256);
    record.error = reason;
    return record;
}

static bool count_event(void *context, const struct store_event *event) {
    (void)event;
    ++*(size_t *)context;
    return true;
}

static size_t event_count(int64_t unit_id) {
    size_t count = 0;
    struct error error = {0};
    ck_assert(store_sqlite.select_events(fixture.store, unit_id, count_event, &count, &error));
    return count;
}

static bool keep_event(void *context, const struct store_event *event) {
    *(struct store_event *)context = *event;
    return true;
}

static struct store_event last_event(int64_t unit_id) {
    struct store_event event = {0};
    struct error error = {0};
    ck_assert(store_sqlite.select_events(fixture.store, unit_id, keep_event, &event, &error));
    return event;
}

// ---- admission
// -----------------------------------------------------------------------------------

START_TEST(test_admit_new) {
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    record.admission.wanted[1].key_type = 3;
    accepted(&record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    ck_assert(unit.is_new);
    ck_assert_int_gt(unit.unit_id, 0);
    ck_assert_str_eq(unit.serial, "SN-1");
    ck_assert_int_eq(unit.result, UNIT_OPEN);
    ck_assert_uint_eq(unit.credential_count, 2);
    ck_assert_uint_eq(unit.credentials[0].number, 1);
    ck_assert_str_eq(unit.credentials[0].profile, "https");
    ck_assert_uint_eq(unit.credentials[1].number, 2);
    ck_assert_uint_eq(unit.credentials[1].key_type, 3);
    ck_assert_str_eq(unit.credentials[1].profile, "idevid");
    ck_assert(!unit.credentials[0].has_key);
    ck_assert_int_eq(unit.credentials[0].request, REQUEST_NONE);
    ck_assert_mem_ne(unit.credentials[0].job_id, unit.credentials[1].job_id, JOB_ID_SIZE);
    struct store_event event = last_event(unit.unit_id);
    ck_assert_uint_eq(event.sequence, 1);
    ck_assert_str_eq(event.kind_text, "admit");
    ck_assert_str_eq(event.slot, "A1");
    ck_assert_str_eq(event.station, "bench 1");
    ck_assert_str_eq(event.operator_name, "ada");
}
END_TEST

START_TEST(test_admit_again) {
    struct unit_record first = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_DONE);
    store_fixture_reopen(&fixture);
    struct record record = store_record_admit(&fixture, "SN-1", 3);
    record.admission.wanted[2].number = 9;
    accepted(&record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    ck_assert(!unit.is_new);
    ck_assert_int_eq(unit.unit_id, first.unit_id);
    ck_assert_uint_eq(unit.credential_count, 3);
    const struct credential_record *credential = &unit.credentials[0];
    ck_assert_mem_eq(credential->job_id, first.credentials[0].job_id, JOB_ID_SIZE);
    ck_assert(credential->has_key);
    ck_assert_int_eq(credential->request, REQUEST_ISSUED);
    ck_assert_int_eq(credential->install, INSTALL_DONE);
    ck_assert_uint_eq(unit.credentials[2].number, 9);
}
END_TEST

START_TEST(test_admit_other_key_type) {
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    accepted(&record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    struct record key = key_record(&unit, 0, 1);
    accepted(&key);
    record.admission.wanted[0].key_type = 2;
    record.admission.wanted[1].key_type = 2;
    strcpy(record.admission.wanted[1].profile, "other");
    accepted(&record);
    unit = fixture.batch->answers[0].unit;
    ck_assert_uint_eq(unit.credentials[0].key_type, 1); // it has a key
    ck_assert_uint_eq(unit.credentials[1].key_type, 2);
    ck_assert_str_eq(unit.credentials[1].profile, "other");
}
END_TEST

START_TEST(test_admit_refused) {
    struct record record = store_record_admit(&fixture, "", 1);
    refused(&record, E_STORE_CONFLICT);
    record = store_record_admit(&fixture, "SN-1", 2);
    record.admission.wanted[1].number = 1;
    refused(&record, E_STORE_CONFLICT);
    record.admission.wanted[1].number = 0;
    refused(&record, E_STORE_CONFLICT);
    record = store_record_admit(&fixture, "SN-1", UNIT_CREDENTIALS_MAX);
    accepted(&record);
    int64_t unit_id = fixture.batch->answers[0].unit.unit_id;
    record.admission.wanted[0].number = 77;
    refused(&record, E_STORE_CONFLICT);
    ck_assert_uint_eq(event_count(unit_id), 2);
    ck_assert_uint_eq(admit_again("SN-1").credential_count, UNIT_CREDENTIALS_MAX);
}
END_TEST

// ---- key and CSR
// ---------------------------------------------------------------------------------

START_TEST(test_key) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = key_record(&unit, 0, 1);
    accepted(&record);
    accepted(&record);
    record = key_record(&unit, 0, 2); // made anew before anything was asked for it
    accepted(&record);
    unit = admit_again("SN-1");
    ck_assert(unit.credentials[0].has_key);
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);

    struct record csr = csr_record(&unit, 2, "csr");
    accepted(&csr);
    accepted(&record);
    struct record other = key_record(&unit, 0, 3);
    refused(&other, E_STORE_CONFLICT);
    unit = admit_again("SN-1");
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);
}
END_TEST

START_TEST(test_key_reused) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = store_record_admit(&fixture, "SN-2", 2);
    accepted(&record);
    struct unit_record second = fixture.batch->answers[0].unit;
    record = key_record(&second, 0, 1);
    refused(&record, E_CSR_KEY_REUSED);
    ck_assert_ptr_nonnull(strstr(fixture.batch->answers[0].text, "SN-1"));
    ck_assert(!admit_again("SN-2").credentials[0].has_key);
    struct record csr = csr_record(&second, 1, "csr");
    refused(&csr, E_CSR_KEY_REUSED);
    struct store_event event = last_event(second.unit_id);
    ck_assert_str_eq(event.kind_text, "csr");
    ck_assert_str_eq(event.code, "E-CSR-KEY-REUSED");
    ck_assert_uint_eq(event.credential, 1);
    // Nor may two credentials of one camera share a key.
    record = key_record(&second, 0, 5);
    accepted(&record);
    record = key_record(&second, 1, 5);
    refused(&record, E_CSR_KEY_REUSED);
}
END_TEST

START_TEST(test_csr) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record key = key_record(&unit, 0, 1);
    accepted(&key);
    struct record record = csr_record(&unit, 2, "csr");
    refused(&record, E_STORE_CONFLICT);
    record = csr_record(&unit, 1, "");
    refused(&record, E_STORE_CONFLICT);
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_NONE);
    record = csr_record(&unit, 1, "first");
    accepted(&record);
    record = csr_record(&unit, 1, "second");
    accepted(&record);
    struct request_record request = load_request(&unit);
    ck_assert_int_eq(request.state, REQUEST_QUEUED);
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert_mem_eq(request.csr.data, "first", 5);
}
END_TEST

START_TEST(test_csr_without_key_record) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = csr_record(&unit, 1, "csr");
    accepted(&record);
    unit = admit_again("SN-1");
    ck_assert(unit.credentials[0].has_key);
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);
    ck_assert_int_eq(unit.credentials[0].request, REQUEST_QUEUED);
}
END_TEST

START_TEST(test_csr_of_any_size) {
    static char csr[OBJECT_MAX + 2];
    memset(csr, 'x', sizeof csr - 1);
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = csr_record(&unit, 1, csr);
    refused(&record, E_STORE_CONFLICT);
    record.bytes.length = OBJECT_MAX;
    accepted(&record);
    ck_assert_uint_eq(load_request(&unit).csr.length, OBJECT_MAX);
}
END_TEST

// ---- the request
// ---------------------------------------------------------------------------------

START_TEST(test_sent) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_SENT, &unit, 0);
    strcpy(record.ca, "hvca");
    record.not_before_s = 1700000123;
    accepted(&record);
    struct request_record request = fixture.batch->answers[0].request;
    ck_assert_int_eq(request.unit_id, unit.unit_id);
    ck_assert_int_eq(request.credential_id, unit.credentials[0].credential_id);
    ck_assert_int_eq(request.state, REQUEST_SENT);
    ck_assert_uint_eq(request.attempt, 1);
    ck_assert_int_eq(request.sent_ms, record.time_ms);
    ck_assert_int_eq(request.not_before_s, 1700000123);
    ck_assert_uint_eq(request.key_type, 1);
    ck_assert_str_eq(request.serial, "SN-1");
    ck_assert_str_eq(request.model, "CAM-7");
    ck_assert_str_eq(request.profile, "https");
    ck_assert_str_eq(request.handle, "");
    ck_assert_uint_eq(request.hardware_id_length, 6);
    ck_assert_mem_eq(request.hardware_id, "\x00\x11\x22\x33\x44\x55", 6);
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert_mem_eq(request.csr.data, "a csr", 5);
    // The claim: who comes second does not get it.
    refused(&record, E_STORE_CONFLICT);
}
END_TEST

START_TEST(test_sent_again) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ACCEPTED, INSTALL_NONE);
    ck_assert_str_eq(load_request(&unit).handle, "h-1");
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_DOUBT;
    record.error = E_CA_DOUBT;
    accepted(&record);
    ck_assert_str_eq(load_request(&unit).handle, "h-1"); // none given: it stays
    ck_assert_int_eq(admit_again("SN-1").credentials[0].error, E_CA_DOUBT);
    record.request = REQUEST_QUEUED;
    record.error = ERROR_NONE;
    accepted(&record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    accepted(&record);
    struct request_record request = fixture.batch->answers[0].request;
    ck_assert_uint_eq(request.attempt, 2);
    ck_assert_str_eq(request.handle, "");
    ck_assert_int_eq(request.not_before_s, 0);
}
END_TEST

// Rows: from; columns: to; in the order of enum request_state.
static const char *const moves[] = {
    "+--------", // none
    "++----++-", // queued
    "-+-+++++-", // sent
    "-+-+++++-", // accepted
    "-+-+++++-", // in doubt
    "-+-+++++-", // held
    "++----+--", // refused
    "+---+--+-", // quarantined
    "---------", // issued
};

START_TEST(test_request_moves) {
    enum request_state from = (enum request_state)_i;
    for (unsigned to = REQUEST_NONE; to <= REQUEST_ISSUED; to++) {
        char serial[32];
        snprintf(serial, sizeof serial, "SN-%u", to);
        struct unit_record unit = store_make_unit(&fixture, serial, to + 1, from, INSTALL_NONE);
        struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
        record.request = (enum request_state)to;
        bool may = moves[from][to] == '+';
        if (may) {
            accepted(&record);
        } else {
            refused(&record, E_STORE_CONFLICT);
        }
        ck_assert_uint_eq(admit_again(serial).credentials[0].request, may ? to : from);
    }
}
END_TEST

// A key that is made anew after the end of a request gets a request of its own.
START_TEST(test_request_after_quarantine) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_NONE;
    accepted(&record);
    record = key_record(&unit, 0, 2);
    accepted(&record);
    record = csr_record(&unit, 2, "another csr");
    accepted(&record);
    ck_assert_uint_eq(load_request(&unit).csr.length, 11);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    accepted(&record);
    record = certificate_record_of(&unit, 2, 2, ERROR_NONE);
    accepted(&record);
}
END_TEST

// ---- certificates
// --------------------------------------------------------------------------------

static struct certificate_record load_certificate(const struct unit_record *unit) {
    struct record record = store_record(&fixture, RECORD_LOAD_CERTIFICATE, unit, 0);
    accepted(&record);
    return fixture.batch->answers[0].certificate;
}

START_TEST(test_certificate) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, 0);
    refused(&record, E_STORE_CONFLICT);
    record = certificate_record_of(&unit, 1, 1, ERROR_NONE);
    strcpy(record.handle, "abc");
    accepted(&record);
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
    ck_assert_str_eq(load_request(&unit).handle, "abc");
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_ISSUED);
    accepted(&record); // told twice
    record.error = E_CERT_USAGE;
    refused(&record, E_STORE_CONFLICT); // what is live is not quarantined by the way
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_ISSUED);
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
    struct record record = certificate_record_of(&unit, 1, 1, ERROR_NONE);
    record.certificate.chain = (struct slice){(const uint8_t *)chains[_i].bytes, chains[_i].length};
    accepted(&record);
    ck_assert(slice_equal(load_certificate(&unit).chain, record.certificate.chain));
}
END_TEST

START_TEST(test_certificate_quarantined) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = certificate_record_of(&unit, 1, 1, E_CERT_CHAIN);
    accepted(&record);
    struct credential_record credential = admit_again("SN-1").credentials[0];
    ck_assert_int_eq(credential.request, REQUEST_QUARANTINED);
    ck_assert_int_eq(credential.error, E_CERT_CHAIN);
    struct record load = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, 0);
    refused(&load, E_STORE_CONFLICT);
    accepted(&record); // told twice
    // The root was corrected, the CA asked again, and the certificate is good now.
    struct record doubt = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    doubt.request = REQUEST_DOUBT;
    accepted(&doubt);
    record.error = ERROR_NONE;
    accepted(&record);
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_ISSUED);
    ck_assert(slice_equal(load_certificate(&unit).chain, record.certificate.chain));
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

START_TEST(test_certificate_surplus) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_NONE);
    struct record first = certificate_record_of(&unit, 1, 1, ERROR_NONE);
    struct record record = certificate_record_of(&unit, 2, 1, ERROR_NONE);
    ck_assert_uint_eq(count_rows("quarantined"), 0);
    refused(&record, E_STORE_CONFLICT);
    ck_assert_uint_eq(count_rows("quarantined"), 1);
    record = certificate_record_of(&unit, 3, 1, E_CERT_NAMES);
    accepted(&record);
    struct unit_record now = admit_again("SN-1");
    ck_assert_int_eq(now.credentials[0].request, REQUEST_ISSUED);
    ck_assert_mem_eq(load_certificate(&unit).sha256, first.certificate.sha256, SHA256_SIZE);
}
END_TEST

START_TEST(test_certificate_not_due) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_REFUSED, INSTALL_NONE);
    struct record record = certificate_record_of(&unit, 1, 1, ERROR_NONE);
    refused(&record, E_STORE_CONFLICT);
    // It exists: the request must not be sent once more.
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_QUARANTINED);
    unit = store_make_unit(&fixture, "SN-2", 2, REQUEST_NONE, INSTALL_NONE);
    record = certificate_record_of(&unit, 2, 2, ERROR_NONE);
    refused(&record, E_STORE_CONFLICT);
    ck_assert_int_eq(admit_again("SN-2").credentials[0].request, REQUEST_NONE);
}
END_TEST

START_TEST(test_certificate_for_another_key) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = certificate_record_of(&unit, 1, 7, ERROR_NONE);
    refused(&record, E_STORE_CONFLICT);
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_QUARANTINED);
}
END_TEST

START_TEST(test_certificate_duplicate) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_NONE);
    struct unit_record unit = store_make_unit(&fixture, "SN-2", 2, REQUEST_SENT, INSTALL_NONE);
    struct record same = certificate_record_of(&unit, 1, 2, ERROR_NONE);
    refused(&same, E_CERT_DUPLICATE);
    ck_assert_ptr_nonnull(strstr(fixture.batch->answers[0].text, "SN-1"));
    struct record number = certificate_record_of(&unit, 2, 2, ERROR_NONE);
    memcpy(number.certificate.serial, same.certificate.serial, CERTIFICATE_SERIAL_MAX);
    refused(&number, E_CERT_DUPLICATE);
    ck_assert_int_eq(admit_again("SN-2").credentials[0].request, REQUEST_SENT);
    // Another issuer may use the number too.
    strcpy(number.certificate.issuer, "CN=Other CA");
    accepted(&number);
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
        accepted(&record);
        accepted(&record);
        ck_assert_int_eq(admit_again(serial).credentials[0].request, REQUEST_QUARANTINED);
        record.error = ERROR_NONE;
        refused(&record, E_STORE_CONFLICT);
    }
}
END_TEST

// ---- install and result
// --------------------------------------------------------------------------

START_TEST(test_install) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    record.install = INSTALL_STARTED;
    refused(&record, E_STORE_CONFLICT);
    struct record certificate = certificate_record_of(&unit, 1, 1, ERROR_NONE);
    accepted(&certificate);
    record.install = INSTALL_PROVED;
    refused(&record, E_STORE_CONFLICT);
    for (unsigned step = INSTALL_STARTED; step <= INSTALL_PROVED; step++) {
        record.install = (enum install_state)step;
        accepted(&record);
        ck_assert_uint_eq(admit_again("SN-1").credentials[0].install, step);
    }
    record.install = INSTALL_STARTED; // once more
    accepted(&record);
    ck_assert_int_eq(admit_again("SN-1").credentials[0].install, INSTALL_STARTED);
}
END_TEST

START_TEST(test_result) {
    struct record record = store_record_admit(&fixture, "SN-0", 0);
    accepted(&record);
    struct unit_record bare = fixture.batch->answers[0].unit;
    record = store_record(&fixture, RECORD_RESULT, &bare, 0);
    record.result = UNIT_PASSED;
    refused(&record, E_STORE_CONFLICT); // it has nothing to be proved by

    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_DONE);
    record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    refused(&record, E_STORE_CONFLICT);
    record.result = UNIT_FAILED;
    record.error = E_CAM_PROOF;
    strcpy(record.text, "no proof");
    accepted(&record);
    ck_assert_int_eq(admit_again("SN-1").result, UNIT_FAILED);
    struct record install = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    install.install = INSTALL_PROVED;
    accepted(&install);
    record.result = UNIT_PASSED;
    refused(&record, E_STORE_CONFLICT); // a PASS with an error is none
    record.error = ERROR_NONE;
    accepted(&record);
    ck_assert_int_eq(admit_again("SN-1").result, UNIT_PASSED);
    // What passed stays so; that the camera is filled once more is history.
    install.install = INSTALL_STARTED;
    accepted(&install);
    ck_assert_int_eq(admit_again("SN-1").credentials[0].install, INSTALL_PROVED);
}
END_TEST

START_TEST(test_result_needs_every_credential) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    accepted(&record);
    record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    refused(&record, E_STORE_CONFLICT);
}
END_TEST

// ---- the rest
// ------------------------------------------------------------------------------------

START_TEST(test_unknown) {
    struct unit_record one = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct unit_record two = store_make_unit(&fixture, "SN-2", 2, REQUEST_QUEUED, INSTALL_NONE);
    size_t events = event_count(one.unit_id);
    for (unsigned kind = RECORD_KEY; kind <= RECORD_LOAD_REQUEST; kind++) {
        struct record record = {.kind = (enum record_kind)kind, .unit_id = 999};
        refused(&record, E_STORE_UNKNOWN);
        record.unit_id = one.unit_id;
        record.credential_id = two.credentials[0].credential_id; // of the other unit
        refused(&record, E_STORE_UNKNOWN);
        ck_assert_uint_eq(event_count(one.unit_id), ++events);
        ck_assert_str_eq(last_event(one.unit_id).code, "E-STORE-UNKNOWN");
    }
    ck_assert_uint_eq(event_count(999), 0);
    ck_assert_int_eq(admit_again("SN-2").credentials[0].request, REQUEST_QUEUED);
}
END_TEST

// One refused record among others: they become durable, it leaves its event.
START_TEST(test_others_go_on) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct error error = {0};
    batch_clear(fixture.batch);
    struct record record = store_record_admit(&fixture, "SN-2", 1);
    ck_assert(batch_put(fixture.batch, &record));
    record = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    record.install = INSTALL_STARTED;
    ck_assert(batch_put(fixture.batch, &record));
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    ck_assert(batch_put(fixture.batch, &record));
    ck_assert(store_sqlite.commit(fixture.store, fixture.batch, &error));
    ck_assert_int_eq(fixture.batch->answers[0].code, ERROR_NONE);
    ck_assert_int_eq(fixture.batch->answers[1].code, E_STORE_CONFLICT);
    ck_assert_int_eq(fixture.batch->answers[2].code, ERROR_NONE);
    store_fixture_reopen(&fixture);
    admit_again("SN-2");
    ck_assert_int_eq(admit_again("SN-1").credentials[0].request, REQUEST_SENT);
}
END_TEST

START_TEST(test_empty_batch) {
    struct error error = {0};
    batch_clear(fixture.batch);
    ck_assert(store_sqlite.commit(fixture.store, fixture.batch, &error));
}
END_TEST

// Text from outside is data, wherever it goes.
START_TEST(test_hostile_text) {
    const char *serial = "'; DROP TABLE unit; --\x1b[2J\xff%n";
    struct unit_record unit = store_make_unit(&fixture, serial, 1, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert_str_eq(unit.serial, serial);
    struct record record = key_record(&unit, 0, 2);
    refused(&record, E_STORE_CONFLICT);
    const char *text = fixture.batch->answers[0].text;
    ck_assert_ptr_null(strchr(text, '\x1b'));
    ck_assert_ptr_nonnull(strstr(text, "\\x1b"));
    ck_assert_int_eq(admit_again(serial).unit_id, unit.unit_id);
}
END_TEST

// ---- batches
// -------------------------------------------------------------------------------------

START_TEST(test_batch_is_bounded) {
    struct batch *batch = batch_new(64);
    ck_assert_ptr_nonnull(batch);
    uint8_t bytes[40] = {1, 2, 3};
    struct record record = {.kind = RECORD_CSR, .bytes = {bytes, sizeof bytes}};
    ck_assert(batch_put(batch, &record));
    bytes[0] = 9; // it was copied
    ck_assert_uint_eq(batch->records[0].bytes.data[0], 1);
    record.bytes.length = 20;
    record.certificate.chain = (struct slice){bytes, 20};
    ck_assert(!batch_put(batch, &record)); // the second slice does not fit
    ck_assert_uint_eq(batch->count, 1);
    ck_assert_uint_eq(batch->bytes.used, 40);
    record.certificate.chain.length = 0;
    ck_assert(batch_put(batch, &record));
    batch_clear(batch);
    ck_assert_uint_eq(batch->count, 0);
    record.bytes.length = 0;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        ck_assert(batch_put(batch, &record));
    }
    ck_assert(!batch_put(batch, &record));
    batch_free(batch);
    batch_free(NULL);
}
END_TEST

// A record whose answer carries bytes is taken only while there is room for the largest.
START_TEST(test_batch_keeps_room_for_answers) {
    struct batch *batch = batch_new(2 * OBJECT_MAX + 1);
    ck_assert_ptr_nonnull(batch);
    struct record record = {.kind = RECORD_SENT};
    struct record event = {.kind = RECORD_EVENT};
    ck_assert(batch_put(batch, &record));
    ck_assert(batch_put(batch, &event));
    record.kind = RECORD_LOAD_CERTIFICATE;
    ck_assert(batch_put(batch, &record));
    record.kind = RECORD_LOAD_REQUEST;
    ck_assert(!batch_put(batch, &record));
    ck_assert(batch_put(batch, &event));
    batch_free(batch);
}
END_TEST

static Suite *store_suite(void) {
    static const TTest *const tests[] = {test_admit_new,
                                         test_admit_again,
                                         test_admit_other_key_type,
                                         test_admit_refused,
                                         test_key,
                                         test_key_reused,
                                         test_csr,
                                         test_csr_without_key_record,
                                         test_csr_of_any_size,
                                         test_sent,
                                         test_sent_again,
                                         test_request_after_quarantine,
                                         test_certificate,
                                         test_certificate_quarantined,
                                         test_certificate_surplus,
                                         test_certificate_not_due,
                                         test_certificate_for_another_key,
                                         test_certificate_duplicate,
                                         test_certificate_unreadable,
                                         test_install,
                                         test_result,
                                         test_result_needs_every_credential,
                                         test_unknown,
                                         test_others_go_on,
                                         test_empty_batch,
                                         test_hostile_text};
    Suite *suite = suite_create("store");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, setup, teardown);
    for (size_t i = 0; i < ARRAY_LENGTH(tests); i++) {
        tcase_add_test(records, tests[i]);
    }
    tcase_add_loop_test(records, test_request_moves, 0, REQUEST_ISSUED + 1);
    tcase_add_loop_test(records, test_certificate_chains, 0, 9);
    suite_add_tcase(suite, records);
    TCase *batches = tcase_create("batches");
    tcase_add_test(batches, test_batch_is_bounded);
    tcase_add_test(batches, test_batch_keeps_room_for_answers);
    suite_add_tcase(suite, batches);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(store_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
