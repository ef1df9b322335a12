// SPDX-License-Identifier: Apache-2.0
// Which certificate a new board's request rekeys, in the store, and which one waits for that.
#include <check.h>
#include <string.h>

#include "tests/support_store.h"

static struct store_fixture fixture;

static void setup(void) {
    store_fixture_setup(&fixture);
}

static void teardown(void) {
    struct error error = {0};
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    store_fixture_teardown(&fixture);
}

// ---- certificates -------------------------------------------------------------------------------

#define FOUND_MAX 8

struct found {
    size_t count;
    struct store_certificate all[FOUND_MAX];
};

static bool keep_certificate(void *context, const struct store_certificate *certificate) {
    struct found *found = context;
    ck_assert_uint_lt(found->count, FOUND_MAX);
    found->all[found->count++] = *certificate;
    return true;
}

static struct found find(const char *state) {
    static const struct store_filter none = {0};
    struct found found = {0};
    struct error error = {0};
    struct store_filter filter = none;
    filter.state = state;
    ck_assert_msg(
        store_sqlite.select_certificates(fixture.store, &filter, keep_certificate, &found, &error),
        "%s", error.text);
    return found;
}

// Oldest first, a digit each: whether it waits for the new board's.
static const char *awaiting(void) {
    static char text[FOUND_MAX + 1];
    struct found found = find(NULL);
    for (size_t i = 0; i < found.count; i++) {
        text[i] = found.all[i].awaits_successor ? '1' : '0';
    }
    text[found.count] = '\0';
    return text;
}

static void end(enum record_kind kind, const struct unit_record *unit, size_t index,
                const char *reason) {
    const struct store_certificate stored = find(NULL).all[index];
    struct record record = store_record(&fixture, kind, unit, 0);
    record.credential_id = stored.credential_id;
    record.certificate_id = stored.certificate_id;
    text_copy(record.reason, sizeof record.reason, reason);
    store_accept(&fixture, &record);
}

static const char *hex_of(size_t index) {
    static char hex[2 * CERTIFICATE_SERIAL_MAX + 1];
    const struct certificate_record certificate = find(NULL).all[index].certificate;
    hex_encode(hex, certificate.serial, certificate.serial_length);
    return hex;
}

// ---- boards -------------------------------------------------------------------------------------

static void whole(enum record_kind kind, const struct unit_record *unit) {
    struct record record = store_record(&fixture, kind, unit, UINT32_MAX);
    store_accept(&fixture, &record);
}

// A camera whose board was swapped; its certificate number `index` is superseded for that.
static struct unit_record swap(const struct unit_record *unit, size_t index, const char *reason) {
    end(RECORD_REVOKING, unit, index, reason);
    whole(RECORD_REWORK, unit);
    struct record record = store_record_admit(&fixture, unit->serial, 1);
    store_accept(&fixture, &record);
    return fixture.batch->answers[0].unit;
}

static struct unit_record make_swapped(const char *reason) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    return swap(&unit, 0, reason);
}

static void queue(const struct unit_record *unit, uint32_t seed) {
    struct record record = store_record_key(&fixture, unit, 0, seed);
    store_accept(&fixture, &record);
    record = store_record_csr(&fixture, unit, seed, "a csr");
    store_accept(&fixture, &record);
}

static struct request_record send(const struct unit_record *unit, const char *ca, bool rekeys) {
    struct record record = store_record(&fixture, RECORD_SENT, unit, 0);
    text_copy(record.ca, sizeof record.ca, ca);
    record.not_before_s = 1700000123;
    record.rekeys = rekeys;
    store_accept(&fixture, &record);
    return fixture.batch->answers[0].request;
}

static void set_state(const struct unit_record *unit, enum request_state state) {
    struct record record = store_record(&fixture, RECORD_REQUEST, unit, 0);
    record.request = state;
    store_accept(&fixture, &record);
}

static bool keep_row(void *context, const struct store_row *row) {
    *(struct store_row *)context = *row;
    return true;
}

static bool keep_request(void *context, const struct request_record *request) {
    *(struct request_record *)context = *request;
    return true;
}

// ---- tests --------------------------------------------------------------------------------------

START_TEST(test_rekey) {
    struct unit_record unit = make_swapped("superseded");
    struct error error = {0};
    struct store_row row = {0};
    struct request_record pending = {0};
    static const struct store_filter all = {0};
    ck_assert_str_eq(awaiting(), "1");
    queue(&unit, 2);
    ck_assert_str_eq(awaiting(), "1");
    struct request_record request = send(&unit, "hvca", true);
    ck_assert_str_eq(request.replaces, hex_of(0));
    ck_assert_int_eq(request.replaces_not_after_ms, 2000000000000);
    ck_assert_int_eq(request.not_before_s, 0); // nobody stamps it
    ck_assert_ptr_nonnull(strstr(store_last_event(&fixture, unit.unit_id).text, hex_of(0)));
    ck_assert_str_eq(awaiting(), "1");
    // It is known again after a crash, in all ways of reading it.
    store_fixture_reopen(&fixture);
    request = store_load_request(&fixture, &unit);
    ck_assert_str_eq(request.replaces, hex_of(0));
    ck_assert_int_eq(request.replaces_not_after_ms, 2000000000000);
    ck_assert(store_sqlite.select_requests(fixture.store, keep_request, &pending, &error));
    ck_assert_str_eq(pending.replaces, hex_of(0));
    ck_assert_uint_eq(request.csr.length, 5);
    ck_assert(store_sqlite.select_rows(fixture.store, &all, keep_row, &row, &error));
    ck_assert_str_eq(row.replaces, hex_of(0));
    static const enum request_state on_the_way[] = {REQUEST_DOUBT, REQUEST_HELD, REQUEST_ACCEPTED};
    for (size_t i = 0; i < ARRAY_LENGTH(on_the_way); i++) {
        set_state(&unit, on_the_way[i]);
        ck_assert_str_eq(awaiting(), "1");
    }
    struct record record = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    store_accept(&fixture, &record);
    ck_assert_str_eq(awaiting(), "00");
    ck_assert_uint_eq(find("revoking").count, 1);
}
END_TEST

// Quarantined, or refused: the old one may still be rekeyed.
START_TEST(test_no_certificate_came) {
    struct unit_record unit = make_swapped("superseded");
    queue(&unit, 2);
    send(&unit, "hvca", true);
    set_state(&unit, REQUEST_REFUSED);
    ck_assert_str_eq(awaiting(), "1");
    set_state(&unit, REQUEST_QUEUED);
    send(&unit, "hvca", true);
    struct record record = store_record_certificate(&fixture, &unit, 2, 2, E_CERT_NAMES);
    store_accept(&fixture, &record);
    ck_assert_str_eq(awaiting(), "10");
    end(RECORD_REVOKING, &unit, 1, "superseded"); // then none is due for this board
    ck_assert_str_eq(awaiting(), "00");
}
END_TEST

// An ordinary request in every other case, after which nothing waits.
START_TEST(test_ordinary) {
    static const struct {
        const char *reason;
        const char *ca;
        bool rekeys;
        const char *before;
        const char *after;
    } rows[] = {
        {"superseded", "hvca", false, "1", "0"},
        {"superseded", "other", true, "1", "0"},
        {"keyCompromise", "hvca", true, "0", "0"},
    };
    struct unit_record unit = make_swapped(rows[_i].reason);
    queue(&unit, 2);
    ck_assert_str_eq(awaiting(), rows[_i].before);
    struct request_record request = send(&unit, rows[_i].ca, rows[_i].rekeys);
    ck_assert_str_eq(request.replaces, "");
    ck_assert_int_eq(request.replaces_not_after_ms, 0);
    ck_assert_int_eq(request.not_before_s, 1700000123);
    ck_assert_str_eq(awaiting(), rows[_i].after);
}
END_TEST

START_TEST(test_revoked_is_not_rekeyed) {
    struct unit_record unit = make_swapped("superseded");
    end(RECORD_REVOKED, &unit, 0, "superseded");
    ck_assert_str_eq(awaiting(), "0");
    queue(&unit, 2);
    ck_assert_str_eq(send(&unit, "hvca", true).replaces, "");
}
END_TEST

// One that had been in quarantine has other names, or worse.
START_TEST(test_quarantined_is_not_rekeyed) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    unit = swap(&unit, 0, "superseded");
    ck_assert_str_eq(awaiting(), "0");
    queue(&unit, 2);
    ck_assert_str_eq(send(&unit, "hvca", true).replaces, "");
}
END_TEST

// On the same board nothing is superseded by a board.
START_TEST(test_same_board) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    store_accept(&fixture, &record);
    end(RECORD_REVOKING, &unit, 0, "superseded");
    ck_assert_str_eq(awaiting(), "0");
}
END_TEST

START_TEST(test_scrapped) {
    struct unit_record unit = make_swapped("superseded");
    ck_assert_str_eq(awaiting(), "1");
    whole(RECORD_SCRAP, &unit);
    ck_assert_str_eq(awaiting(), "0");
}
END_TEST

// The latest board's, whatever became of those before; and asked for again it is said again.
START_TEST(test_third_board) {
    struct unit_record unit = make_swapped("superseded");
    queue(&unit, 2);
    send(&unit, "hvca", true);
    struct record record = store_record_certificate(&fixture, &unit, 2, 2, ERROR_NONE);
    store_accept(&fixture, &record);
    unit = swap(&unit, 1, "superseded");
    ck_assert_str_eq(awaiting(), "01");
    queue(&unit, 3);
    ck_assert_str_eq(send(&unit, "hvca", true).replaces, hex_of(1));
    set_state(&unit, REQUEST_QUEUED);
    ck_assert_str_eq(awaiting(), "01");
    ck_assert_str_eq(send(&unit, "hvca", false).replaces, "");
    ck_assert_str_eq(awaiting(), "00");
}
END_TEST

// Another camera's certificates, and those of its other credentials, are none of it.
START_TEST(test_other_units) {
    make_swapped("superseded");
    struct unit_record other = store_make_unit(&fixture, "SN-2", 5, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert_str_eq(send(&other, "hvca", true).replaces, "");
    struct record record = store_record_admit(&fixture, "SN-1", 2);
    store_accept(&fixture, &record);
    struct unit_record unit = fixture.batch->answers[0].unit;
    record = store_record_key(&fixture, &unit, 1, 7);
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_CSR, &unit, 1);
    store_test_hash(7, record.spki_sha256);
    record.bytes = (struct slice){(const uint8_t *)"a csr", 5};
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 1);
    text_copy(record.ca, sizeof record.ca, "hvca");
    record.rekeys = true;
    store_accept(&fixture, &record);
    ck_assert_str_eq(fixture.batch->answers[0].request.replaces, "");
    ck_assert_str_eq(awaiting(), "1");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_rekey");
    TCase *tests = tcase_create("rekey");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_rekey);
    tcase_add_test(tests, test_no_certificate_came);
    tcase_add_loop_test(tests, test_ordinary, 0, 3);
    tcase_add_test(tests, test_revoked_is_not_rekeyed);
    tcase_add_test(tests, test_quarantined_is_not_rekeyed);
    tcase_add_test(tests, test_same_board);
    tcase_add_test(tests, test_scrapped);
    tcase_add_test(tests, test_third_board);
    tcase_add_test(tests, test_other_units);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
