// SPDX-License-Identifier: Apache-2.0
// The records up to the request, and what all records have in common.
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

// ---- admission ----------------------------------------------------------------------------------

START_TEST(test_admit_new) {
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    record.admission.wanted[1].key_type = 3;
    store_accept(&fixture, &record);
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
    struct store_event event = store_last_event(&fixture, unit.unit_id);
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
    store_accept(&fixture, &record);
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
    store_accept(&fixture, &record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    struct record key = store_record_key(&fixture, &unit, 0, 1);
    store_accept(&fixture, &key);
    record.admission.wanted[0].key_type = 2;
    record.admission.wanted[1].key_type = 2;
    text_copy(record.admission.wanted[1].profile, sizeof record.admission.wanted[1].profile,
              "other");
    store_accept(&fixture, &record);
    unit = fixture.batch->answers[0].unit;
    ck_assert_uint_eq(unit.credentials[0].key_type, 1); // it has a key
    ck_assert_uint_eq(unit.credentials[1].key_type, 2);
    ck_assert_str_eq(unit.credentials[1].profile, "other");
}
END_TEST

START_TEST(test_admit_refused) {
    struct record record = store_record_admit(&fixture, "", 1);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record = store_record_admit(&fixture, "SN-1", 2);
    record.admission.wanted[1].number = 1;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record.admission.wanted[1].number = 0;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record = store_record_admit(&fixture, "SN-1", UNIT_CREDENTIALS_MAX);
    store_accept(&fixture, &record);
    int64_t unit_id = fixture.batch->answers[0].unit.unit_id;
    record.admission.wanted_count = UNIT_CREDENTIALS_MAX + 1;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_uint_eq(store_event_count(&fixture, unit_id), 1);
    ck_assert_uint_eq(store_admit_again(&fixture, "SN-1").credential_count, UNIT_CREDENTIALS_MAX);
}
END_TEST

// ---- key and CSR --------------------------------------------------------------------------------

START_TEST(test_key) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = store_record_key(&fixture, &unit, 0, 1);
    store_accept(&fixture, &record);
    store_accept(&fixture, &record);
    record = store_record_key(&fixture, &unit, 0, 2); // made anew before anything was asked for it
    store_accept(&fixture, &record);
    unit = store_admit_again(&fixture, "SN-1");
    ck_assert(unit.credentials[0].has_key);
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);

    struct record csr = store_record_csr(&fixture, &unit, 2, "csr");
    store_accept(&fixture, &csr);
    store_accept(&fixture, &record);
    struct record other = store_record_key(&fixture, &unit, 0, 3);
    store_refuse(&fixture, &other, E_STORE_CONFLICT);
    unit = store_admit_again(&fixture, "SN-1");
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);
}
END_TEST

START_TEST(test_key_reused) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = store_record_admit(&fixture, "SN-2", 2);
    store_accept(&fixture, &record);
    struct unit_record second = fixture.batch->answers[0].unit;
    record = store_record_key(&fixture, &second, 0, 1);
    store_refuse(&fixture, &record, E_CSR_KEY_REUSED);
    ck_assert_ptr_nonnull(strstr(fixture.batch->answers[0].text, "SN-1"));
    ck_assert(!store_admit_again(&fixture, "SN-2").credentials[0].has_key);
    struct record csr = store_record_csr(&fixture, &second, 1, "csr");
    store_refuse(&fixture, &csr, E_CSR_KEY_REUSED);
    struct store_event event = store_last_event(&fixture, second.unit_id);
    ck_assert_str_eq(event.kind_text, "csr");
    ck_assert_str_eq(event.code, "E-CSR-KEY-REUSED");
    ck_assert_uint_eq(event.credential, 1);
    // Nor may two credentials of one camera share a key.
    record = store_record_key(&fixture, &second, 0, 5);
    store_accept(&fixture, &record);
    record = store_record_key(&fixture, &second, 1, 5);
    store_refuse(&fixture, &record, E_CSR_KEY_REUSED);
}
END_TEST

START_TEST(test_csr) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record key = store_record_key(&fixture, &unit, 0, 1);
    store_accept(&fixture, &key);
    struct record record = store_record_csr(&fixture, &unit, 2, "csr");
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record = store_record_csr(&fixture, &unit, 1, "");
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_NONE);
    record = store_record_csr(&fixture, &unit, 1, "first");
    store_accept(&fixture, &record);
    record = store_record_csr(&fixture, &unit, 1, "second");
    store_accept(&fixture, &record);
    struct request_record request = store_load_request(&fixture, &unit);
    ck_assert_int_eq(request.state, REQUEST_QUEUED);
    ck_assert_str_eq(request.ca, ""); // it never left
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert_mem_eq(request.csr.data, "first", 5);
}
END_TEST

START_TEST(test_csr_without_key_record) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = store_record_csr(&fixture, &unit, 1, "csr");
    store_accept(&fixture, &record);
    unit = store_admit_again(&fixture, "SN-1");
    ck_assert(unit.credentials[0].has_key);
    ck_assert_mem_eq(unit.credentials[0].spki_sha256, record.spki_sha256, SHA256_SIZE);
    ck_assert_int_eq(unit.credentials[0].request, REQUEST_QUEUED);
}
END_TEST

START_TEST(test_csr_of_any_size) {
    static char csr[OBJECT_MAX + 2];
    memset(csr, 'x', sizeof csr - 1);
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = store_record_csr(&fixture, &unit, 1, csr);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record.bytes.length = OBJECT_MAX;
    store_accept(&fixture, &record);
    ck_assert_uint_eq(store_load_request(&fixture, &unit).csr.length, OBJECT_MAX);
}
END_TEST

// ---- the request --------------------------------------------------------------------------------

START_TEST(test_sent) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    text_copy(record.endpoint, sizeof record.endpoint, "hvca https://ca.example/v2");
    record.not_before_s = 1700000123;
    store_accept(&fixture, &record);
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
    ck_assert_str_eq(request.ca, "hvca");
    ck_assert_str_eq(request.endpoint, "hvca https://ca.example/v2");
    ck_assert_uint_eq(request.hardware_id_length, 6);
    ck_assert_mem_eq(request.hardware_id, "\x00\x11\x22\x33\x44\x55", 6);
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert_mem_eq(request.csr.data, "a csr", 5);
    // The claim: who comes second does not get it.
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
}
END_TEST

START_TEST(test_sent_again) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ACCEPTED, INSTALL_NONE);
    ck_assert_str_eq(store_load_request(&fixture, &unit).handle, "h-1");
    ck_assert_str_eq(store_load_request(&fixture, &unit).endpoint, "hvca https://ca.example/v2");
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_DOUBT;
    record.error = E_CA_DOUBT;
    store_accept(&fixture, &record);
    ck_assert_str_eq(store_load_request(&fixture, &unit).handle, "h-1"); // none given: it stays
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].error, E_CA_DOUBT);
    record.request = REQUEST_QUEUED;
    record.error = ERROR_NONE;
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "other");
    store_accept(&fixture, &record);
    struct request_record request = fixture.batch->answers[0].request;
    ck_assert_str_eq(request.ca, "other"); // the last attempt's
    ck_assert_str_eq(request.endpoint, "");
    ck_assert_uint_eq(request.attempt, 2);
    ck_assert_str_eq(request.handle, "");
    ck_assert_int_eq(request.not_before_s, 0);
}
END_TEST

// Rows: from; columns: to; in the order of enum request_state.
static const char *const moves[] = {
    "+----------", // none
    "++----++---", // queued
    "-+-+++++---", // sent
    "-+-+++++---", // accepted
    "-+-+++++---", // in doubt
    "-+-+++++---", // held
    "++----+----", // refused
    "+------+---", // quarantined
    "-----------", // issued
    "-----------", // withdrawn
    "-------++--", // unconfirmed
};

START_TEST(test_request_moves) {
    enum request_state from = (enum request_state)_i;
    if (from == REQUEST_WITHDRAWN) { // made, and left, by records of their own
        return;
    }
    for (unsigned to = REQUEST_NONE; to <= REQUEST_UNCONFIRMED; to++) {
        char serial[32];
        snprintf(serial, sizeof serial, "SN-%u", to);
        struct unit_record unit = store_make_unit(&fixture, serial, to + 1, from, INSTALL_NONE);
        struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
        record.request = (enum request_state)to;
        record.error = to == REQUEST_QUARANTINED ? E_CERT_UNCONFIRMED : ERROR_NONE;
        bool may = moves[from][to] == '+';
        if (may) {
            store_accept(&fixture, &record);
        } else {
            store_refuse(&fixture, &record, E_STORE_CONFLICT);
        }
        ck_assert_uint_eq(store_admit_again(&fixture, serial).credentials[0].request,
                          may ? to : from);
    }
}
END_TEST

// A key that is made anew after the end of a request gets a request of its own.
START_TEST(test_request_after_quarantine) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_NONE;
    store_accept(&fixture, &record);
    record = store_record_key(&fixture, &unit, 0, 2);
    store_accept(&fixture, &record);
    record = store_record_csr(&fixture, &unit, 2, "another csr");
    store_accept(&fixture, &record);
    ck_assert_uint_eq(store_load_request(&fixture, &unit).csr.length, 11);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    store_accept(&fixture, &record);
    record = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    store_accept(&fixture, &record);
}
END_TEST

// ---- the rest -----------------------------------------------------------------------------------

START_TEST(test_unknown) {
    struct unit_record one = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct unit_record two = store_make_unit(&fixture, "SN-2", 2, REQUEST_QUEUED, INSTALL_NONE);
    size_t events = store_event_count(&fixture, one.unit_id);
    for (unsigned kind = RECORD_KEY; kind <= RECORD_LOAD_REQUEST; kind++) {
        struct record record = {.kind = (enum record_kind)kind, .unit_id = 999};
        store_refuse(&fixture, &record, E_STORE_UNKNOWN);
        record.unit_id = one.unit_id;
        record.credential_id = two.credentials[0].credential_id; // of the other unit
        store_refuse(&fixture, &record, E_STORE_UNKNOWN);
        ck_assert_uint_eq(store_event_count(&fixture, one.unit_id), ++events);
        ck_assert_str_eq(store_last_event(&fixture, one.unit_id).code, "E-STORE-UNKNOWN");
    }
    ck_assert_uint_eq(store_event_count(&fixture, 999), 0);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-2").credentials[0].request, REQUEST_QUEUED);
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
    store_admit_again(&fixture, "SN-2");
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_SENT);
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
    struct record record = store_record_key(&fixture, &unit, 0, 2);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    const char *text = fixture.batch->answers[0].text;
    ck_assert_ptr_null(strchr(text, '\x1b'));
    ck_assert_ptr_nonnull(strstr(text, "\\x1b"));
    ck_assert_int_eq(store_admit_again(&fixture, serial).unit_id, unit.unit_id);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store");
    TCase *records = tcase_create("records");
    tcase_add_checked_fixture(records, setup, teardown);
    tcase_add_test(records, test_admit_new);
    tcase_add_test(records, test_admit_again);
    tcase_add_test(records, test_admit_other_key_type);
    tcase_add_test(records, test_admit_refused);
    tcase_add_test(records, test_key);
    tcase_add_test(records, test_key_reused);
    tcase_add_test(records, test_csr);
    tcase_add_test(records, test_csr_without_key_record);
    tcase_add_test(records, test_csr_of_any_size);
    tcase_add_test(records, test_sent);
    tcase_add_test(records, test_sent_again);
    tcase_add_test(records, test_request_after_quarantine);
    tcase_add_test(records, test_unknown);
    tcase_add_test(records, test_others_go_on);
    tcase_add_test(records, test_empty_batch);
    tcase_add_test(records, test_hostile_text);
    tcase_add_loop_test(records, test_request_moves, 0, REQUEST_UNCONFIRMED + 1);
    suite_add_tcase(suite, records);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
