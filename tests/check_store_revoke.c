// SPDX-License-Identifier: Apache-2.0
// What the PKI officer does, in the store: certificates that are revoked or withdrawn, units that
// are scrapped, boards that are swapped.
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

struct found {
    size_t count;
    struct store_certificate last;
    uint8_t leaf[8];
    uint8_t first_intermediate;
};

static bool keep_certificate(void *context, const struct store_certificate *certificate) {
    struct found *found = context;
    found->last = *certificate;
    ck_assert_uint_ge(certificate->certificate.chain.length, sizeof found->leaf);
    memcpy(found->leaf, certificate->certificate.chain.data, sizeof found->leaf);
    ck_assert_uint_gt(certificate->intermediates.length, 0);
    found->first_intermediate = certificate->intermediates.data[0];
    found->count++;
    return true;
}

static struct found find(const char *serial, const char *state) {
    struct found found = {0};
    struct error error = {0};
    struct store_filter filter = {.state = state};
    text_copy(filter.serial, sizeof filter.serial, serial);
    ck_assert_msg(
        store_sqlite.select_certificates(fixture.store, &filter, keep_certificate, &found, &error),
        "%s", error.text);
    return found;
}

static struct record ending(enum record_kind kind, const struct unit_record *unit,
                            int64_t certificate_id) {
    struct record record = store_record(&fixture, kind, unit, 0);
    record.certificate_id = certificate_id;
    text_copy(record.reason, sizeof record.reason, "superseded");
    return record;
}

static void end_last(enum record_kind kind, const struct unit_record *unit) {
    struct record record = ending(kind, unit, find(unit->serial, NULL).last.certificate_id);
    store_accept(&fixture, &record);
}

static struct unit_record make_passed(const char *serial, uint32_t seed) {
    struct unit_record unit =
        store_make_unit(&fixture, serial, seed, REQUEST_ISSUED, INSTALL_PROVED);
    struct record record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_accept(&fixture, &record);
    return unit;
}

static bool keep_row(void *context, const struct store_row *row) {
    *(struct store_row *)context = *row;
    return true;
}

static struct store_row last_row(const char *serial, bool all_boards) {
    struct store_row row = {0};
    struct error error = {0};
    struct store_filter filter = {.all_boards = all_boards};
    text_copy(filter.serial, sizeof filter.serial, serial);
    ck_assert(store_sqlite.select_rows(fixture.store, &filter, keep_row, &row, &error));
    return row;
}

// ---- revoked and withdrawn ----------------------------------------------------------------------

START_TEST(test_revoke) {
    struct unit_record unit = make_passed("SN-1", 1);
    struct store_certificate before = find("SN-1", NULL).last;
    ck_assert_int_eq(before.state, CERTIFICATE_LIVE);
    ck_assert_str_eq(before.ca, "hvca");
    struct record confirm = ending(RECORD_REVOKED, &unit, before.certificate_id);
    store_refuse(&fixture, &confirm, E_STORE_CONFLICT); // nobody asked for it
    struct record intent = ending(RECORD_REVOKING, &unit, before.certificate_id);
    store_accept(&fixture, &intent);
    struct store_certificate after = find("SN-1", "revoking").last;
    ck_assert_int_eq(after.certificate_id, before.certificate_id);
    ck_assert_int_eq(after.ended_ms, intent.time_ms);
    ck_assert_str_eq(after.reason, "superseded");
    // Out of use at once: it stays passed, but not for a bench.
    struct unit_record now = store_admit_again(&fixture, "SN-1");
    ck_assert_int_eq(now.result, UNIT_PASSED);
    ck_assert_int_eq(now.credentials[0].request, REQUEST_WITHDRAWN);
    ck_assert_int_eq(now.credentials[0].install, INSTALL_PROVED);
    store_accept(&fixture, &intent); // asked once more
    store_accept(&fixture, &confirm);
    ck_assert_uint_eq(find("SN-1", "revoking").count, 0);
    struct store_row row = last_row("SN-1", false);
    ck_assert_int_eq(row.certificate_state, CERTIFICATE_REVOKED);
    ck_assert_int_eq(row.ended_ms, confirm.time_ms);
    ck_assert_str_eq(row.reason, "superseded");
    store_accept(&fixture, &confirm); // told twice
    store_refuse(&fixture, &intent, E_STORE_CONFLICT);
}
END_TEST

START_TEST(test_events_tell_it) {
    struct unit_record unit = make_passed("SN-1", 1);
    end_last(RECORD_REVOKING, &unit);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_str_eq(event.kind_text, "revoking");
    ck_assert_ptr_nonnull(strstr(event.text, "superseded"));
    ck_assert_str_eq(event.operator_name, "ada");
    end_last(RECORD_REVOKED, &unit);
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).kind_text, "revoked");
}
END_TEST

START_TEST(test_withdraw) {
    struct unit_record unit = make_passed("SN-1", 1);
    end_last(RECORD_WITHDRAWN, &unit);
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_WITHDRAWN);
    // Its CA may have learnt to revoke in the meantime; one behind a forwarder says when it is asked that
    // it has not.
    end_last(RECORD_REVOKING, &unit);
    end_last(RECORD_WITHDRAWN, &unit);
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_WITHDRAWN);
    end_last(RECORD_REVOKING, &unit);
    end_last(RECORD_REVOKED, &unit);
    struct record record = ending(RECORD_WITHDRAWN, &unit, find("SN-1", NULL).last.certificate_id);
    store_refuse(&fixture, &record, E_STORE_CONFLICT); // revoked is the end
}
END_TEST

START_TEST(test_wrong_records) {
    struct unit_record unit = make_passed("SN-1", 1);
    struct unit_record other = make_passed("SN-2", 2);
    int64_t certificate_id = find("SN-1", NULL).last.certificate_id;
    struct record record = ending(RECORD_REVOKING, &other, certificate_id);
    store_refuse(&fixture, &record, E_STORE_UNKNOWN); // it is not that camera's
    record = ending(RECORD_REVOKING, &unit, 4711);
    store_refuse(&fixture, &record, E_STORE_UNKNOWN);
    record = ending(RECORD_REVOKING, &unit, certificate_id);
    record.reason[0] = '\0';
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_LIVE);
}
END_TEST

// A surplus goes alone; the live certificate is not touched.
START_TEST(test_revoke_surplus) {
    struct unit_record unit = make_passed("SN-1", 1);
    struct record record = store_record_certificate(&fixture, &unit, 7, 1, E_STORE_CONFLICT);
    store_accept(&fixture, &record);
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_QUARANTINED);
    ck_assert_uint_eq(find("", "orphan").count, 1);
    end_last(RECORD_REVOKING, &unit);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_ISSUED);
    end_last(RECORD_REVOKED, &unit);
    ck_assert_int_eq(last_row("SN-1", false).certificate_state, CERTIFICATE_LIVE);
    ck_assert_uint_eq(find("", "orphan").count, 0);
}
END_TEST

// The last one in quarantine takes its request with it: there is nothing more to be looked at.
START_TEST(test_revoke_quarantined) {
    struct unit_record unit =
        store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    struct record record = store_record_certificate(&fixture, &unit, 7, 1, E_CERT_NAMES);
    store_accept(&fixture, &record);
    end_last(RECORD_REVOKING, &unit);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request,
                     REQUEST_QUARANTINED);
    record = ending(RECORD_REVOKING, &unit, find("SN-1", "orphan").last.certificate_id);
    store_accept(&fixture, &record);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_WITHDRAWN);
}
END_TEST

// What was revoked never becomes live again, however often the CA shows it.
START_TEST(test_revoked_comes_again) {
    struct unit_record unit = make_passed("SN-1", 1);
    end_last(RECORD_REVOKING, &unit);
    struct record record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    end_last(RECORD_REVOKED, &unit);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_REVOKED);
    record = store_record_certificate(&fixture, &unit, 9, 1, ERROR_NONE);
    store_refuse(&fixture, &record, E_STORE_CONFLICT); // another one was not due: in quarantine
    ck_assert_int_eq(find("SN-1", NULL).last.state, CERTIFICATE_QUARANTINED);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_WITHDRAWN);
    record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    for (enum request_state state = REQUEST_NONE; state <= REQUEST_WITHDRAWN; state++) {
        record.request = state;
        store_refuse(&fixture, &record, E_STORE_CONFLICT);
    }
}
END_TEST

// The leaf alone, for a CA that wants to see it, and the CA of that certificate.
START_TEST(test_select_certificates) {
    struct error error = {0};
    make_passed("SN-1", 1);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_ISSUED, INSTALL_STARTED);
    store_make_unit(&fixture, "SN-3", 3, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert_uint_eq(find("", NULL).count, 2);
    ck_assert_uint_eq(find("SN-3", NULL).count, 0);
    struct found found = find("", "orphan");
    ck_assert_uint_eq(found.count, 1);
    ck_assert_str_eq(found.last.serial, "SN-2");
    ck_assert_str_eq(found.last.profile, "https");
    ck_assert_uint_eq(found.last.certificate.chain.length, 500);
    ck_assert_mem_eq(found.leaf, "\x30\x82\x01\xf0\0\0\0\x02", 8);
    ck_assert_int_eq(found.last.install, INSTALL_STARTED);
    ck_assert_int_gt(found.last.active_ms, found.last.recorded_ms);
    ck_assert_uint_eq(found.last.intermediates.length, 700);
    ck_assert_int_eq(found.first_intermediate, 0x11);
    struct store_filter filter = {.state = "lost"};
    ck_assert(!store_sqlite.select_certificates(fixture.store, &filter, keep_certificate, &found,
                                                &error));
    ck_assert_int_eq(error.code, E_USAGE);
}
END_TEST

static size_t count_listed(const char *state) {
    const struct store_filter filter = {.state = state, .all_boards = true};
    struct store_row row = {0};
    struct error error = {0};
    ck_assert(store_sqlite.select_rows(fixture.store, &filter, keep_row, &row, &error));
    return row.unit.serial[0] != '\0' ? 1 : 0;
}

// Out of use, and the CA has not said that it is revoked; then it says so in another way.
START_TEST(test_select_withdrawn) {
    struct unit_record unit = make_passed("SN-1", 1);
    ck_assert_uint_eq(find("", "withdrawn").count + count_listed("withdrawn"), 0);
    end_last(RECORD_WITHDRAWN, &unit);
    ck_assert_uint_eq(find("", "withdrawn").count, 1);
    ck_assert_uint_eq(find("SN-1", "withdrawn").count, 1);
    ck_assert_uint_eq(count_listed("withdrawn"), 1);
    ck_assert_uint_eq(count_listed("revoked"), 0);
    end_last(RECORD_REVOKING, &unit);
    end_last(RECORD_REVOKED, &unit);
    ck_assert_uint_eq(find("", "withdrawn").count + count_listed("withdrawn"), 0);
    ck_assert_uint_eq(count_listed("revoked"), 1);
}
END_TEST

// ---- scrap --------------------------------------------------------------------------------------

static struct record whole(enum record_kind kind, const struct unit_record *unit) {
    struct record record = store_record(&fixture, kind, unit, UINT32_MAX);
    text_copy(record.text, sizeof record.text, "approved by bob");
    return record;
}

START_TEST(test_scrap) {
    struct unit_record unit = make_passed("SN-1", 1);
    struct record scrap = whole(RECORD_SCRAP, &unit);
    store_refuse(&fixture, &scrap, E_STORE_CONFLICT); // its certificate is in use
    end_last(RECORD_REVOKING, &unit);
    store_accept(&fixture, &scrap);
    struct store_row row = last_row("SN-1", false);
    ck_assert_int_eq(row.unit.result, UNIT_SCRAPPED);
    ck_assert_int_eq(row.unit_error, E_UNIT_SCRAPPED);
    ck_assert_int_eq(row.finished_ms, scrap.time_ms);
    store_refuse(&fixture, &scrap, E_UNIT_SCRAPPED);
    end_last(RECORD_REVOKED, &unit); // the CA's answer is still awaited
}
END_TEST

// What a CA accepted keeps the unit open until somebody says that it issues nothing.
START_TEST(test_scrap_accepted) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_ACCEPTED, INSTALL_NONE);
    struct record scrap = whole(RECORD_SCRAP, &unit);
    store_refuse(&fixture, &scrap, E_STORE_CONFLICT);
    struct record release = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    release.request = REQUEST_QUEUED;
    text_copy(release.text, sizeof release.text, "approved by bob");
    store_accept(&fixture, &release);
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).text, "queued: approved by bob");
    store_accept(&fixture, &scrap);
    struct store_row row = last_row("SN-1", false);
    ck_assert_int_eq(row.unit.result, UNIT_SCRAPPED);
    ck_assert_int_eq(row.credential.request, REQUEST_WITHDRAWN);
}
END_TEST

// Nothing is done for it any more, and its row stays as it was.
START_TEST(test_scrapped_stays) {
    static const enum record_kind kinds[] = {RECORD_KEY,     RECORD_CSR,     RECORD_SENT,
                                             RECORD_REQUEST, RECORD_INSTALL, RECORD_LOCKING,
                                             RECORD_RESULT,  RECORD_REWORK};
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    struct record record = whole(RECORD_SCRAP, &unit);
    store_accept(&fixture, &record);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        record = store_record(&fixture, kinds[i], &unit, 0);
        record.result = UNIT_PASSED;
        store_refuse(&fixture, &record, E_UNIT_SCRAPPED);
    }
    record = store_record_admit(&fixture, "SN-1", 2);
    text_copy(record.admission.firmware, NAME_SIZE, "9.9");
    store_accept(&fixture, &record);
    ck_assert_int_eq(fixture.batch->answers[0].unit.result, UNIT_SCRAPPED);
    ck_assert_uint_eq(fixture.batch->answers[0].unit.credential_count, 1);
    ck_assert_str_eq(last_row("SN-1", false).firmware, "1.2.3");
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).kind_text, "admit");
}
END_TEST

START_TEST(test_scrap_and_requests) {
    for (enum request_state state = REQUEST_NONE; state < REQUEST_QUARANTINED; state++) {
        char serial[16];
        snprintf(serial, sizeof serial, "SN-%d", (int)state);
        struct unit_record unit =
            store_make_unit(&fixture, serial, 10 + (uint32_t)state, state, INSTALL_NONE);
        struct record record = whole(RECORD_SCRAP, &unit);
        bool is_open = state >= REQUEST_SENT && state <= REQUEST_HELD;
        if (is_open) {
            store_refuse(&fixture, &record, E_STORE_CONFLICT);
            continue;
        }
        store_accept(&fixture, &record);
        ck_assert_int_eq(store_admit_again(&fixture, serial).credentials[0].request,
                         state == REQUEST_QUEUED ? REQUEST_WITHDRAWN : state);
    }
}
END_TEST

// ---- rework -------------------------------------------------------------------------------------

// With the key that the camera's first credential holds, which is made from `seed`.
static struct unit_record admit_with_key(const char *serial, uint32_t seed) {
    struct record record = store_record_admit(&fixture, serial, 1);
    record.admission.wanted[0].has_key = true;
    store_test_hash(seed, record.admission.wanted[0].spki_sha256);
    store_accept(&fixture, &record);
    return fixture.batch->answers[0].unit;
}

static struct unit_record rework(const char *serial, uint32_t seed) {
    struct unit_record unit = make_passed(serial, seed);
    end_last(RECORD_REVOKING, &unit);
    struct record record = whole(RECORD_REWORK, &unit);
    store_accept(&fixture, &record);
    return unit;
}

START_TEST(test_rework) {
    struct unit_record unit = make_passed("SN-1", 1);
    struct record record = whole(RECORD_REWORK, &unit);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    end_last(RECORD_REVOKING, &unit);
    store_accept(&fixture, &record);
    struct store_event event = store_last_event(&fixture, unit.unit_id);
    ck_assert_ptr_nonnull(strstr(event.text, "approved by bob"));
    ck_assert_ptr_nonnull(strstr(event.text, "hardware id 001122334455"));
    // The new board is another piece of hardware, with a key of its own.
    record = store_record_admit(&fixture, "SN-1", 1);
    memset(record.admission.hardware_id, 0xab, 6);
    store_accept(&fixture, &record);
    struct unit_record now = fixture.batch->answers[0].unit;
    ck_assert_int_eq(now.unit_id, unit.unit_id);
    ck_assert_uint_eq(now.board, 2);
    ck_assert_int_eq(now.result, UNIT_OPEN);
    ck_assert_int_ne(now.credentials[0].credential_id, unit.credentials[0].credential_id);
    ck_assert_mem_ne(now.credentials[0].job_id, unit.credentials[0].job_id, JOB_ID_SIZE);
    ck_assert(!now.credentials[0].has_key);
    ck_assert_int_eq(now.credentials[0].request, REQUEST_NONE);
    ck_assert_str_eq(last_row("SN-1", false).hardware_id_hex, "abababababab");
}
END_TEST

// Takes the new board of SN-1 to a live certificate.
static struct unit_record make_second(uint32_t seed) {
    struct unit_record unit = admit_with_key("SN-1", seed);
    struct record record = store_record_csr(&fixture, &unit, seed, "second");
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "other");
    text_copy(record.endpoint, sizeof record.endpoint, "hvca https://other/v2");
    store_accept(&fixture, &record);
    record = store_record_certificate(&fixture, &unit, seed, seed, ERROR_NONE);
    store_accept(&fixture, &record);
    return unit;
}

// It may be the answer to an attempt before, which went elsewhere.
START_TEST(test_brought_from_somewhere) {
    struct unit_record unit = admit_with_key("SN-1", 1);
    struct record record = store_record_csr(&fixture, &unit, 1, "first");
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    text_copy(record.endpoint, sizeof record.endpoint, "hvca https://new/v2");
    store_accept(&fixture, &record);
    record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    record.certificate.is_brought = true;
    store_accept(&fixture, &record);
    ck_assert_str_eq(find("SN-1", NULL).last.ca, "hvca");
    ck_assert_str_eq(find("SN-1", NULL).last.endpoint, "");
}
END_TEST

START_TEST(test_both_boards_stay) {
    rework("SN-1", 1);
    struct unit_record second = make_second(2);
    ck_assert_uint_eq(find("SN-1", NULL).count, 2);
    struct store_certificate now = find("SN-1", NULL).last;
    ck_assert_int_eq(now.state, CERTIFICATE_LIVE);
    ck_assert_uint_eq(now.board, 2);
    ck_assert_str_eq(now.ca, "other");
    ck_assert_str_eq(now.endpoint, "hvca https://other/v2");
    struct store_certificate old = find("SN-1", "revoking").last;
    ck_assert_uint_eq(old.board, 1);
    ck_assert_str_eq(old.ca, "hvca"); // the CA that issued it is the one to be asked
    ck_assert_str_eq(old.endpoint, "hvca https://ca.example/v2");
    // Its row has the times of its own steps.
    struct store_row row = last_row("SN-1", true);
    ck_assert_uint_eq(row.board, 2);
    ck_assert(!row.is_old_board);
    ck_assert_int_eq(row.proved_ms, 0);
    ck_assert_int_ne(row.issued_ms, 0);
    // And the old certificate may be revoked now.
    struct record record = ending(RECORD_REVOKED, &second, old.certificate_id);
    store_refuse(&fixture, &record, E_STORE_UNKNOWN); // it is not of that credential
    record.credential_id = old.credential_id;
    store_accept(&fixture, &record);
}
END_TEST

static bool keep_first(void *context, const struct store_row *row) {
    *(struct store_row *)context = *row;
    return false;
}

START_TEST(test_old_row) {
    rework("SN-1", 1);
    make_second(2);
    struct store_row row = {0};
    struct error error = {0};
    struct store_filter filter = {.serial = "SN-1", .all_boards = true};
    ck_assert(store_sqlite.select_rows(fixture.store, &filter, keep_first, &row, &error));
    ck_assert_uint_eq(row.board, 1);
    ck_assert(row.is_old_board);
    ck_assert_int_eq(row.credential.request, REQUEST_WITHDRAWN);
    ck_assert_int_ne(row.proved_ms, 0);
    ck_assert_int_lt(row.issued_ms, last_row("SN-1", true).issued_ms);
    ck_assert_int_eq(row.finished_ms, 0);
    filter.all_boards = false;
    ck_assert(store_sqlite.select_rows(fixture.store, &filter, keep_first, &row, &error));
    ck_assert_uint_eq(row.board, 2);
}
END_TEST

// The old key is never lost: in its own camera, in another one, and as a key that is said to be new.
START_TEST(test_old_key_comes_back) {
    rework("SN-1", 1);
    ck_assert(admit_with_key("SN-1", 1).credentials[0].has_old_key);
    struct unit_record unit = admit_with_key("SN-1", 2);
    ck_assert(!unit.credentials[0].has_old_key);
    struct record record = store_record_key(&fixture, &unit, 0, 1);
    store_refuse(&fixture, &record, E_UNIT_KEY_CHANGED);
    record = store_record_csr(&fixture, &unit, 1, "old");
    store_refuse(&fixture, &record, E_UNIT_KEY_CHANGED);
    struct unit_record other = store_make_unit(&fixture, "SN-2", 5, REQUEST_NONE, INSTALL_NONE);
    record = store_record_key(&fixture, &other, 0, 1);
    store_refuse(&fixture, &record, E_CSR_KEY_REUSED);
    make_second(2);
    ck_assert(admit_with_key("SN-1", 1).credentials[0].has_old_key);
}
END_TEST

// A third board: the keys of both others are old.
START_TEST(test_rework_twice) {
    rework("SN-1", 1);
    struct unit_record unit = make_second(2);
    end_last(RECORD_WITHDRAWN, &unit);
    struct record record = whole(RECORD_REWORK, &unit);
    store_accept(&fixture, &record);
    ck_assert(admit_with_key("SN-1", 1).credentials[0].has_old_key);
    ck_assert(admit_with_key("SN-1", 2).credentials[0].has_old_key);
    ck_assert_uint_eq(admit_with_key("SN-1", 3).board, 3);
    make_second(3);
    ck_assert_uint_eq(find("SN-1", NULL).count, 3);
}
END_TEST

START_TEST(test_rework_and_requests) {
    for (enum request_state state = REQUEST_QUEUED; state < REQUEST_QUARANTINED; state++) {
        char serial[16];
        snprintf(serial, sizeof serial, "SN-%d", (int)state);
        struct unit_record unit =
            store_make_unit(&fixture, serial, 10 + (uint32_t)state, state, INSTALL_NONE);
        struct record record = whole(RECORD_REWORK, &unit);
        if (state >= REQUEST_SENT && state <= REQUEST_HELD) {
            store_refuse(&fixture, &record, E_STORE_CONFLICT);
            continue;
        }
        store_accept(&fixture, &record);
        unit = admit_with_key(serial, 10 + (uint32_t)state);
        ck_assert_int_eq(unit.credentials[0].request, REQUEST_NONE);
        ck_assert(unit.credentials[0].has_old_key);
    }
}
END_TEST

// ---- sent again ---------------------------------------------------------------------------------

static bool count_row(void *context, const struct store_row *row) {
    (void)row;
    ++*(size_t *)context;
    return true;
}

static size_t count_resent(void) {
    size_t count = 0;
    struct error error = {0};
    struct store_filter filter = {.state = "resent"};
    ck_assert_msg(store_sqlite.select_rows(fixture.store, &filter, count_row, &count, &error), "%s",
                  error.text);
    return count;
}

// From doubt, or held, back into the outbox, and out again.
static void send_again(const char *serial, uint32_t seed, enum request_state from,
                       enum error_code error) {
    struct unit_record unit = store_make_unit(&fixture, serial, seed, from, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_QUEUED;
    record.error = error;
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    store_accept(&fixture, &record);
}

START_TEST(test_sent_again) {
    send_again("SN-1", 1, REQUEST_DOUBT, ERROR_NONE);      // the CA had issued nothing
    send_again("SN-2", 2, REQUEST_SENT, E_CA_UNREACHABLE); // it never left
    ck_assert_uint_eq(count_resent(), 0);
    send_again("SN-3", 3, REQUEST_DOUBT, E_CA_DOUBT);
    ck_assert_uint_eq(count_resent(), 1);
    send_again("SN-4", 4, REQUEST_HELD, E_UNIT_HELD);
    ck_assert_uint_eq(count_resent(), 2);
    send_again("SN-5", 5, REQUEST_SENT, E_CA_DOUBT); // the station died while it was under way
    ck_assert_uint_eq(count_resent(), 3);
    send_again("SN-6", 6, REQUEST_ACCEPTED, ERROR_NONE); // a person says that the CA issued none
    ck_assert_uint_eq(count_resent(), 3);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_revoke");
    TCase *tests = tcase_create("officer");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_revoke);
    tcase_add_test(tests, test_events_tell_it);
    tcase_add_test(tests, test_withdraw);
    tcase_add_test(tests, test_wrong_records);
    tcase_add_test(tests, test_revoke_surplus);
    tcase_add_test(tests, test_revoke_quarantined);
    tcase_add_test(tests, test_revoked_comes_again);
    tcase_add_test(tests, test_select_certificates);
    tcase_add_test(tests, test_select_withdrawn);
    tcase_add_test(tests, test_scrap);
    tcase_add_test(tests, test_scrap_accepted);
    tcase_add_test(tests, test_scrapped_stays);
    tcase_add_test(tests, test_scrap_and_requests);
    tcase_add_test(tests, test_rework);
    tcase_add_test(tests, test_brought_from_somewhere);
    tcase_add_test(tests, test_both_boards_stay);
    tcase_add_test(tests, test_old_row);
    tcase_add_test(tests, test_old_key_comes_back);
    tcase_add_test(tests, test_rework_twice);
    tcase_add_test(tests, test_rework_and_requests);
    tcase_add_test(tests, test_sent_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
