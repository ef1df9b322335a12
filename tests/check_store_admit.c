// SPDX-License-Identifier: Apache-2.0
// Cameras that come again: with other credentials wanted, or telling something else of themselves.
#include <check.h>
#include <sqlite3.h>
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

static void check_now(void) {
    struct error error = {0};
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
}

// Admits with these credentials wanted, one digit each.
static struct unit_record admit(const char *serial, const char *numbers) {
    struct record record = store_record_admit(&fixture, serial, (uint32_t)strlen(numbers));
    for (size_t i = 0; numbers[i] != '\0'; i++) {
        record.admission.wanted[i].number = (uint8_t)(numbers[i] - '0');
    }
    store_accept(&fixture, &record);
    return fixture.batch->answers[0].unit;
}

static void pass(const struct unit_record *unit) {
    struct record record = store_record(&fixture, RECORD_RESULT, unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_accept(&fixture, &record);
}

static void install(const struct unit_record *unit, uint32_t index, enum install_state last) {
    for (unsigned step = INSTALL_STARTED; step <= last; step++) {
        struct record record = store_record(&fixture, RECORD_INSTALL, unit, index);
        record.install = (enum install_state)step;
        store_accept(&fixture, &record);
    }
}

// From the CSR to the live certificate.
static void issue(const struct unit_record *unit, uint32_t index, uint32_t seed) {
    struct record record = store_record_csr(&fixture, unit, seed, "a csr");
    record.credential_id = unit->credentials[index].credential_id;
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, unit, index);
    store_accept(&fixture, &record);
    record = store_record_certificate(&fixture, unit, seed, seed, ERROR_NONE);
    record.credential_id = unit->credentials[index].credential_id;
    store_accept(&fixture, &record);
}

static bool keep_row(void *context, const struct store_row *row) {
    *(struct store_row *)context = *row;
    return true;
}

static struct store_row last_row(const char *serial) {
    struct store_filter filter = {0};
    struct store_row row = {0};
    struct error error = {0};
    text_copy(filter.serial, sizeof filter.serial, serial);
    ck_assert(store_sqlite.select_rows(fixture.store, &filter, keep_row, &row, &error));
    return row;
}

// ---- a unit that passed -------------------------------------------------------------------------

START_TEST(test_passed_is_opened_again) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    pass(&unit);
    ck_assert_int_ne(last_row("SN-1").finished_ms, 0);
    unit = admit("SN-1", "12");
    ck_assert_int_eq(unit.result, UNIT_OPEN);
    ck_assert_uint_eq(unit.credential_count, 2);
    ck_assert_int_eq(unit.credentials[0].install, INSTALL_PROVED);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_str_eq(event.text, "opened again: credential 2 is wanted now");
    ck_assert_int_eq(last_row("SN-1").unit.result, UNIT_OPEN);
    ck_assert_int_eq(last_row("SN-1").finished_ms, 0);
    check_now();

    struct record record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    issue(&unit, 1, 2);
    install(&unit, 1, INSTALL_PROVED);
    unit = admit("SN-1", "12");
    ck_assert_int_eq(unit.credentials[1].install, INSTALL_PROVED);
    pass(&unit);
    unit = admit("SN-1", "12"); // nothing is new
    ck_assert_int_eq(unit.result, UNIT_PASSED);
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).text, "");
}
END_TEST

// What is not wanted now and not proved can still be installed, though the unit passed without it.
START_TEST(test_passed_without_one) {
    struct unit_record both = admit("SN-1", "12");
    issue(&both, 0, 1);
    issue(&both, 1, 2);
    install(&both, 0, INSTALL_PROVED);
    install(&both, 1, INSTALL_STARTED);
    struct unit_record unit = admit("SN-1", "1");
    pass(&unit);
    check_now();
    install(&both, 1, INSTALL_DONE);
    install(&both, 0, INSTALL_STARTED); // history
    unit = admit("SN-1", "21");
    ck_assert_int_eq(unit.result, UNIT_OPEN);
    ck_assert_int_eq(unit.credentials[0].install, INSTALL_PROVED);
    ck_assert_int_eq(unit.credentials[1].install, INSTALL_DONE);
    install(&both, 1, INSTALL_PROVED);
    pass(&unit);
}
END_TEST

// ---- what a camera says of itself ---------------------------------------------------------------

static const char *label_of(const char *serial) {
    static char label[SERIAL_SIZE];
    sqlite3 *connection;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open_v2(fixture.path, &connection, SQLITE_OPEN_READONLY, NULL), 0);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, "SELECT label FROM unit WHERE serial = ?", -1,
                                        &statement, NULL),
                     0);
    sqlite3_bind_text(statement, 1, serial, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    text_copy(label, sizeof label, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return label;
}

static struct record admit_otherwise(void) {
    struct record record = store_record_admit(&fixture, "SN-1", 1);
    text_copy(record.admission.model, sizeof record.admission.model, "CAM-8\x1b");
    text_copy(record.admission.firmware, sizeof record.admission.firmware, "2.0");
    text_copy(record.admission.lot, sizeof record.admission.lot, "lot 2");
    record.admission.hardware_id[0] = 0xff;
    return record;
}

// It may be back on the bench in another lot, or under a label that is not its own.
START_TEST(test_lot_and_label_stay_once_passed) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    char lot[NAME_SIZE];
    text_copy(lot, sizeof lot, last_row("SN-1").lot);
    ck_assert_str_ne(lot, "lot 2");
    pass(&unit);
    struct record record = admit_otherwise();
    text_copy(record.admission.label, sizeof record.admission.label, "SN-2");
    store_accept(&fixture, &record);
    ck_assert_str_eq(last_row("SN-1").lot, lot);
    ck_assert_str_eq(label_of("SN-1"), "");
}
END_TEST

START_TEST(test_names_stay_from_the_csr_on) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = admit_otherwise();
    text_copy(record.text, sizeof record.text, "hello");
    store_accept(&fixture, &record);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_str_eq(event.text,
                     "hello; reports model CAM-8\\x1b; reports hardware id ff1122334455");
    struct request_record request = store_load_request(&fixture, &unit);
    ck_assert_str_eq(request.model, "CAM-7");
    ck_assert_mem_eq(request.hardware_id, "\x00\x11\x22\x33\x44\x55", 6);
    struct store_row row = last_row("SN-1");
    ck_assert_str_eq(row.model, "CAM-7");
    ck_assert_str_eq(row.firmware, "2.0");
    ck_assert_str_eq(row.lot, "lot 2");
    record = store_record_admit(&fixture, "SN-1", 1);
    store_accept(&fixture, &record); // as it was: nothing to tell
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).text, "");
}
END_TEST

START_TEST(test_names_stay_for_any_credential) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_NONE);
    admit("SN-1", "2"); // the one with the request is not wanted any more
    struct record record = admit_otherwise();
    store_accept(&fixture, &record);
    ck_assert_str_eq(store_load_request(&fixture, &unit).model, "CAM-7");
}
END_TEST

START_TEST(test_names_change_before_the_csr) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = admit_otherwise();
    store_accept(&fixture, &record);
    ck_assert_str_eq(last_row("SN-1").model, "CAM-8\x1b");
    ck_assert_str_eq(last_row("SN-1").hardware_id_hex, "ff1122334455");
    ck_assert_ptr_nonnull(strstr(store_last_event(&fixture, unit.unit_id).text, "CAM-8"));
}
END_TEST

START_TEST(test_note_after_a_long_text) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    struct record record = admit_otherwise();
    memset(record.text, 'x', sizeof record.text - 1);
    store_accept(&fixture, &record);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_uint_eq(strlen(event.text), sizeof event.text - 1);
}
END_TEST

// ---- what is wanted -----------------------------------------------------------------------------

// One start with a wrong number leaves nothing behind, as often as it happens.
START_TEST(test_wrong_number) {
    for (int number = '2'; number <= '9'; number++) {
        char numbers[] = {(char)number, '\0'};
        struct unit_record unit = admit("SN-1", numbers);
        ck_assert_uint_eq(unit.credential_count, 1);
        ck_assert_uint_eq(unit.credentials[0].number, (unsigned)(number - '0'));
    }
    struct unit_record unit = admit("SN-1", "1");
    ck_assert_uint_eq(unit.credential_count, 1);
    ck_assert_uint_eq(store_event_count(&fixture, unit.unit_id), 9);
    issue(&unit, 0, 1);
    install(&unit, 0, INSTALL_PROVED);
    pass(&unit);
}
END_TEST

// What a key was made for stays on record, more than a camera can want, and stands in nobody's way.
START_TEST(test_not_wanted_any_more) {
    static const char *const numbers[] = {"2", "3", "4", "5", "6", "7"};
    for (uint32_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        struct unit_record unit = admit("SN-1", numbers[i]);
        struct record key = store_record_key(&fixture, &unit, 0, i);
        store_accept(&fixture, &key);
    }
    struct unit_record unit = admit("SN-1", "1");
    ck_assert_uint_eq(unit.credential_count, 1);
    ck_assert_uint_eq(store_admit_again(&fixture, "SN-1").credential_count, 1);
    issue(&unit, 0, 11);
    install(&unit, 0, INSTALL_PROVED);
    pass(&unit);
    check_now();
    unit = admit("SN-1", "17"); // wanted again: with the key that it had
    ck_assert_uint_eq(unit.credential_count, 2);
    ck_assert(unit.credentials[1].has_key);
    ck_assert_int_eq(unit.result, UNIT_OPEN);
}
END_TEST

// A request that is on its way is not forgotten.
START_TEST(test_request_not_wanted_any_more) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    ck_assert_uint_eq(admit("SN-1", "2").credentials[0].number, 2);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    store_accept(&fixture, &record);
    struct unit_record now = admit("SN-1", "1");
    ck_assert_int_eq(now.credentials[0].credential_id, unit.credentials[0].credential_id);
    ck_assert_int_eq(now.credentials[0].request, REQUEST_ISSUED);
}
END_TEST

// A certificate that nobody asked for came: its credential has to stay.
START_TEST(test_certificate_keeps_its_credential) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, E_CERT_NAMES);
    store_accept(&fixture, &record);
    ck_assert_uint_eq(admit("SN-1", "2").credential_count, 1);
    ck_assert_int_eq(admit("SN-1", "1").credentials[0].credential_id,
                     unit.credentials[0].credential_id);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_admit");
    TCase *tests = tcase_create("admit");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_passed_is_opened_again);
    tcase_add_test(tests, test_passed_without_one);
    tcase_add_test(tests, test_lot_and_label_stay_once_passed);
    tcase_add_test(tests, test_names_stay_from_the_csr_on);
    tcase_add_test(tests, test_names_stay_for_any_credential);
    tcase_add_test(tests, test_names_change_before_the_csr);
    tcase_add_test(tests, test_note_after_a_long_text);
    tcase_add_test(tests, test_wrong_number);
    tcase_add_test(tests, test_not_wanted_any_more);
    tcase_add_test(tests, test_request_not_wanted_any_more);
    tcase_add_test(tests, test_certificate_keeps_its_credential);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
