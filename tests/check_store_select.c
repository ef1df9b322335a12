// SPDX-License-Identifier: Apache-2.0
// What list, export, show and a starting station read.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support_store.h"

#define ROWS_MAX 32

static struct store_fixture fixture;

static struct {
    size_t count;
    size_t limit; // stop after so many
    struct store_row rows[ROWS_MAX];
    struct store_event events[ROWS_MAX];
    struct request_record requests[ROWS_MAX];
} seen;

static void setup(void) {
    store_fixture_setup(&fixture);
    memset(&seen, 0, sizeof seen);
    seen.limit = ROWS_MAX;
}

static void teardown(void) {
    store_fixture_teardown(&fixture);
}

static bool see_row(void *context, const struct store_row *row) {
    ck_assert_ptr_eq(context, &seen);
    ck_assert_uint_lt(seen.count, seen.limit);
    seen.rows[seen.count++] = *row;
    return seen.count < seen.limit;
}

static bool see_event(void *context, const struct store_event *event) {
    ck_assert_ptr_eq(context, &seen);
    ck_assert_uint_lt(seen.count, seen.limit);
    seen.events[seen.count++] = *event;
    return seen.count < seen.limit;
}

static bool see_request(void *context, const struct request_record *request) {
    ck_assert_ptr_eq(context, &seen);
    ck_assert_uint_lt(seen.count, seen.limit);
    seen.requests[seen.count++] = *request;
    return seen.count < seen.limit;
}

static void select_rows(const struct store_filter *filter) {
    struct error error = {0};
    seen.count = 0;
    ck_assert_msg(store_sqlite.select_rows(fixture.store, filter, see_row, &seen, &error), "%s",
                  error.text);
}

static void select_events(int64_t unit_id) {
    struct error error = {0};
    seen.count = 0;
    ck_assert_msg(store_sqlite.select_events(fixture.store, unit_id, see_event, &seen, &error),
                  "%s", error.text);
}

static void select_requests(void) {
    struct error error = {0};
    seen.count = 0;
    ck_assert_msg(store_sqlite.select_requests(fixture.store, see_request, &seen, &error), "%s",
                  error.text);
}

START_TEST(test_requests) {
    for (unsigned state = REQUEST_NONE; state <= REQUEST_UNCONFIRMED; state++) {
        char serial[32];
        if (state == REQUEST_WITHDRAWN) {
            continue;
        }
        snprintf(serial, sizeof serial, "SN-%u", state);
        store_make_unit(&fixture, serial, state + 1, (enum request_state)state, INSTALL_NONE);
    }
    store_fixture_reopen(&fixture);
    select_requests();
    ck_assert_uint_eq(seen.count, 5);
    ck_assert_int_eq(seen.requests[0].state, REQUEST_QUEUED);
    ck_assert_int_eq(seen.requests[1].state, REQUEST_SENT);
    ck_assert_int_eq(seen.requests[2].state, REQUEST_ACCEPTED);
    ck_assert_int_eq(seen.requests[3].state, REQUEST_DOUBT);
    ck_assert_int_eq(seen.requests[4].state, REQUEST_UNCONFIRMED);
    ck_assert_str_eq(seen.requests[2].serial, "SN-3");
    ck_assert_str_eq(seen.requests[2].handle, "h-1");
    ck_assert_str_eq(seen.requests[0].ca, "");
    ck_assert_str_eq(seen.requests[3].ca, "hvca"); // a doubt is settled with the CA that has it
    ck_assert_int_eq(seen.requests[2].not_before_s, 1700000123);
    ck_assert_uint_eq(seen.requests[2].csr.length, 5); // the bytes are gone with the visit
    seen.limit = 2;
    select_requests();
    ck_assert_uint_eq(seen.count, 2);
    // Stopping early leaves nothing open that a commit would trip over.
    struct record record = store_record_admit(&fixture, "SN-10", 1);
    store_accept(&fixture, &record);
}
END_TEST

static void finish(const struct unit_record *unit, enum unit_result result, enum error_code code) {
    struct record record = store_record(&fixture, RECORD_RESULT, unit, UINT32_MAX);
    record.result = result;
    record.error = code;
    if (code != ERROR_NONE) {
        text_copy(record.text, sizeof record.text, "no proof came");
    }
    text_copy(record.slot, sizeof record.slot, "B2");
    store_accept(&fixture, &record);
}

START_TEST(test_row_of_a_whole_life) {
    int64_t start_ms = fixture.now_ms;
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    finish(&unit, UNIT_PASSED, ERROR_NONE);
    struct record event = store_record(&fixture, RECORD_EVENT, &unit, UINT32_MAX);
    store_accept(&fixture, &event); // without a slot: the last bench stays

    struct store_filter all = {0};
    select_rows(&all);
    ck_assert_uint_eq(seen.count, 1);
    const struct store_row *row = &seen.rows[0];
    ck_assert_str_eq(row->unit.serial, "SN-1");
    ck_assert_int_eq(row->unit.unit_id, unit.unit_id);
    ck_assert_int_eq(row->unit.result, UNIT_PASSED);
    ck_assert_uint_eq(row->unit.credential_count, 0);
    ck_assert_str_eq(row->model, "CAM-7");
    ck_assert_str_eq(row->firmware, "1.2.3");
    ck_assert_str_eq(row->hardware_id_hex, "001122334455");
    ck_assert_str_eq(row->lot, "lot 1");
    ck_assert_str_eq(row->slot, "B2");
    ck_assert_str_eq(row->station, "bench 1");
    ck_assert_str_eq(row->operator_name, "ada");
    ck_assert_int_eq(row->unit_error, ERROR_NONE);
    ck_assert_uint_eq(row->credential.number, 1);
    ck_assert(row->credential.has_key);
    ck_assert_int_eq(row->credential.install, INSTALL_PROVED);
    ck_assert_str_eq(row->ca, "hvca");
    ck_assert_uint_eq(row->attempt, 1);
    ck_assert(row->has_certificate);
    struct certificate_record certificate = store_test_certificate(1, row->credential.spki_sha256);
    ck_assert_mem_eq(row->certificate.sha256, certificate.sha256, SHA256_SIZE);
    ck_assert_str_eq(row->certificate.subject, "CN=camera 1");
    ck_assert_uint_eq(row->certificate.chain.length, 0);
    int64_t times[] = {row->admitted_ms, row->key_ms,       row->csr_ms,    row->sent_ms,
                       row->issued_ms,   row->installed_ms, row->proved_ms, row->finished_ms};
    ck_assert_int_eq(times[0], start_ms);
    for (size_t i = 1; i < ARRAY_LENGTH(times); i++) {
        ck_assert_int_gt(times[i], times[i - 1]);
    }
}
END_TEST

START_TEST(test_row_of_a_failure) {
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    store_accept(&fixture, &record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    finish(&unit, UNIT_FAILED, E_CAM_PROOF);
    struct store_filter all = {0};
    select_rows(&all);
    ck_assert_uint_eq(seen.count, 2); // one for each credential
    ck_assert_uint_eq(seen.rows[0].credential.number, 1);
    ck_assert_uint_eq(seen.rows[1].credential.number, 2);
    ck_assert_int_eq(seen.rows[1].unit_error, E_CAM_PROOF);
    ck_assert_str_eq(seen.rows[1].unit_text, "no proof came");
    ck_assert(!seen.rows[1].has_certificate);
    ck_assert_int_eq(seen.rows[1].key_ms, 0);
}
END_TEST

START_TEST(test_row_without_credentials) {
    struct record record = store_record_admit(&fixture, "SN-1", 0);
    store_accept(&fixture, &record);
    struct store_filter all = {0};
    select_rows(&all);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.rows[0].credential.number, 0);
    ck_assert(!seen.rows[0].has_certificate);
}
END_TEST

// A new key begins the steps anew, and a refused record is no step.
START_TEST(test_step_times) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    struct store_filter all = {0};
    select_rows(&all);
    ck_assert_int_ne(seen.rows[0].sent_ms, 0);
    ck_assert_int_eq(seen.rows[0].issued_ms, 0);
    ck_assert(seen.rows[0].has_certificate); // the quarantined one
    int64_t first_key_ms = seen.rows[0].key_ms;
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_NONE;
    store_accept(&fixture, &record);
    record = store_record_key(&fixture, &unit, 0, 2);
    store_accept(&fixture, &record);
    record.time_ms += 1000;
    store_accept(&fixture, &record); // the same key, told twice
    record = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    record.install = INSTALL_DONE;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    select_rows(&all);
    ck_assert_int_gt(seen.rows[0].key_ms, first_key_ms);
    ck_assert_int_lt(seen.rows[0].key_ms, first_key_ms + 1000);
    ck_assert_int_eq(seen.rows[0].csr_ms, 0);
    ck_assert_int_eq(seen.rows[0].sent_ms, 0);
    ck_assert_int_eq(seen.rows[0].installed_ms, 0);
}
END_TEST

// The serials that a filter finds, one after the other.
static void finds(const struct store_filter *filter, const char *expected) {
    char found[256] = "";
    size_t used = 0;
    select_rows(filter);
    for (size_t i = 0; i < seen.count; i++) {
        used +=
            (size_t)snprintf(found + used, sizeof found - used, "%s ", seen.rows[i].unit.serial);
    }
    ck_assert_str_eq(found, expected);
}

START_TEST(test_filters) {
    store_make_unit(&fixture, "none", 1, REQUEST_NONE, INSTALL_NONE);
    store_make_unit(&fixture, "queued", 2, REQUEST_QUEUED, INSTALL_NONE);
    store_make_unit(&fixture, "doubt", 3, REQUEST_DOUBT, INSTALL_NONE);
    store_make_unit(&fixture, "held", 4, REQUEST_HELD, INSTALL_NONE);
    struct unit_record bad = store_make_unit(&fixture, "bad", 5, REQUEST_QUARANTINED, INSTALL_NONE);
    finish(&bad, UNIT_FAILED, E_UNIT_QUARANTINED);
    store_make_unit(&fixture, "issued", 6, REQUEST_ISSUED, INSTALL_STARTED);
    struct unit_record good = store_make_unit(&fixture, "good", 7, REQUEST_ISSUED, INSTALL_PROVED);
    finish(&good, UNIT_PASSED, ERROR_NONE);
    store_make_unit(&fixture, "new", 8, REQUEST_UNCONFIRMED, INSTALL_NONE);

    static const struct {
        const char *state;
        const char *expected;
    } expectations[] = {
        {NULL, "none queued doubt held bad issued good new "},
        {"open", "none queued doubt held issued new "},
        {"failed", "bad "},
        {"passed", "good "},
        {"pending", "queued doubt new "},
        {"doubt", "doubt held "},
        {"quarantined", "bad "},
        {"orphan", "issued "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(expectations); i++) {
        struct store_filter filter = {.state = expectations[i].state};
        finds(&filter, expectations[i].expected);
    }
    struct store_filter filter = {.serial = "held"};
    finds(&filter, "held ");
    filter.state = "passed";
    finds(&filter, "");
    filter = (struct store_filter){.serial = "hel%"};
    finds(&filter, "");
    filter = (struct store_filter){.lot = "lot 1", .state = "orphan"};
    finds(&filter, "issued ");
    filter = (struct store_filter){.lot = "lot 2"};
    finds(&filter, "");

    struct error error = {0};
    filter = (struct store_filter){.state = "lost"};
    ck_assert(!store_sqlite.select_rows(fixture.store, &filter, see_row, &seen, &error));
    ck_assert_int_eq(error.code, E_USAGE);
}
END_TEST

START_TEST(test_filter_by_time) {
    struct unit_record one = store_make_unit(&fixture, "one", 1, REQUEST_NONE, INSTALL_NONE);
    int64_t middle_ms = fixture.now_ms;
    store_make_unit(&fixture, "two", 2, REQUEST_NONE, INSTALL_NONE);
    struct store_filter since = {.since_ms = middle_ms};
    struct store_filter until = {.until_ms = middle_ms};
    finds(&since, "two ");
    finds(&until, "one ");
    finish(&one, UNIT_FAILED, E_CAM_PROOF); // the last event counts
    finds(&since, "one two ");
    finds(&until, "");
    since.until_ms = middle_ms + 1;
    finds(&since, "two ");
}
END_TEST

START_TEST(test_rows_stop_early) {
    for (uint32_t i = 0; i < 3; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "SN-%u", i);
        store_make_unit(&fixture, serial, i, REQUEST_NONE, INSTALL_NONE);
    }
    seen.limit = 2;
    struct store_filter all = {0};
    select_rows(&all);
    ck_assert_uint_eq(seen.count, 2);
    select_events(1);
}
END_TEST

START_TEST(test_history) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ACCEPTED, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_DOUBT;
    record.error = E_CA_DOUBT;
    text_copy(record.text, sizeof record.text, "connection reset");
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_INSTALL, &unit, 0);
    record.install = INSTALL_STARTED;
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    record = store_record(&fixture, RECORD_LOAD_REQUEST, &unit, 0);
    store_accept(&fixture, &record); // reading is no event
    record = store_record(&fixture, RECORD_LOCKING, &unit, UINT32_MAX);
    text_copy(record.slot, sizeof record.slot, "C3");
    store_accept(&fixture, &record);
    select_events(unit.unit_id);
    static const char *const kinds[] = {"admit",   "key",     "csr",     "sent",
                                        "request", "request", "install", "locking"};
    static const char *const texts[] = {"new", "",         "",
                                        "",    "accepted", "in doubt: connection reset"};
    ck_assert_uint_eq(seen.count, ARRAY_LENGTH(kinds));
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        ck_assert_uint_eq(seen.events[i].sequence, i + 1);
        ck_assert_str_eq(seen.events[i].kind_text, kinds[i]);
        ck_assert_uint_eq(seen.events[i].credential, i == 0 || i == 7 ? 0 : 1);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        ck_assert_str_eq(seen.events[i].text, texts[i]);
    }
    ck_assert_str_eq(seen.events[5].code, "E-CA-DOUBT");
    ck_assert_str_eq(seen.events[6].code, "E-STORE-CONFLICT");
    ck_assert_ptr_nonnull(strstr(seen.events[6].text, "not recorded: SN-1"));
    ck_assert_str_eq(seen.events[7].slot, "C3");
    ck_assert_str_eq(seen.events[7].code, "");
}
END_TEST

// The longest text that a record can hold comes back, cut at worst by the word before it.
START_TEST(test_history_long_text) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_FAILED;
    record.error = E_CAM_PROOF;
    memset(record.text, 'x', sizeof record.text - 1);
    store_accept(&fixture, &record);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_uint_eq(strlen(event.text), sizeof event.text - 1);
    ck_assert_mem_eq(event.text, "failed: xxx", 11);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_select");
    TCase *tests = tcase_create("select");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_requests);
    tcase_add_test(tests, test_row_of_a_whole_life);
    tcase_add_test(tests, test_row_of_a_failure);
    tcase_add_test(tests, test_row_without_credentials);
    tcase_add_test(tests, test_step_times);
    tcase_add_test(tests, test_filters);
    tcase_add_test(tests, test_filter_by_time);
    tcase_add_test(tests, test_rows_stop_early);
    tcase_add_test(tests, test_history);
    tcase_add_test(tests, test_history_long_text);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
