// SPDX-License-Identifier: Apache-2.0
// A database of schema 1, with units, requests, certificates and events in every state, is brought
// up to date: nothing of it changes, and the work goes on.
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/migrations.h"
#include "tests/support_store.h"

static struct store_fixture fixture;

static sqlite3 *open_plain(const char *path) {
    sqlite3 *connection;
    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    return connection;
}

static void run_sql(sqlite3 *connection, const char *sql) {
    char *message = NULL;
    sqlite3_exec(connection, sql, NULL, NULL, &message);
    ck_assert_msg(message == NULL, "%s: %.80s", message, sql);
}

// As schema 1 was: a unit for each state of a request and of an install, two certificates of each
// state, and events of each kind.
static const char rows_of_1[] =
    "INSERT INTO session VALUES (1, 1700000000000, 'bench 1', 'ada', '0.1.0'),"
    " (2, 1700000001000, 'bench 1', '', '0.1.0');"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 15)"
    "INSERT INTO unit SELECT i + 1, 'SN-' || i, CASE WHEN i = 11 THEN 2 WHEN i % 5 = 4 THEN 1 ELSE "
    "0"
    " END, CASE WHEN i % 5 = 4 THEN 'E-CAM-PROOF' ELSE '' END, 'CAM-7', '1.' || i, 'lot ' || i, '',"
    " CASE WHEN i = 3 THEN x'' ELSE x'0011' END, x'0102030405060708' FROM n;"
    // 1 to 9: a state of the request each; 10 to 12: issued, with a state of the install each.
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
    "INSERT INTO credential SELECT i + 100, i, 1, 1, min(i - 1, 8), max(i - 9, 0), i <> 7,"
    " CASE WHEN i < 3 THEN 0 ELSE i END, i * 1000, i, 'https', CASE WHEN i < 3 THEN '' WHEN i = 9"
    " THEN 'other' ELSE 'hvca' END, CASE WHEN i = 4 THEN 'h-4' ELSE '' END,"
    " CASE i WHEN 6 THEN 'E-UNIT-HELD' WHEN 7 THEN 'E-CA-REFUSED' WHEN 8 THEN 'E-CERT-NAMES'"
    " ELSE '' END, CAST(printf('%016d', i) AS BLOB),"
    " CASE WHEN i = 1 THEN NULL ELSE CAST(printf('%032d', i) AS BLOB) END FROM n;"
    "INSERT INTO credential SELECT 200, 2, 2, 3, 0, 0, 0, 0, 0, 0, 'idevid', '', '', '',"
    " zeroblob(16), NULL;"
    "INSERT INTO csr SELECT id, CAST('csr ' || id AS BLOB) FROM credential WHERE request > 0;"
    "INSERT INTO issuer VALUES (1, 'CN=Factory'), (2, '');"
    "INSERT INTO intermediates VALUES (1, x'3000'), (2, x'');"
    "INSERT INTO certificate SELECT id, id, 1, 1700000000000 + id, 1, 2, 1, 1, '', 'CN=' || id,"
    " CAST(char(64 + unit) AS BLOB), CAST(printf('%032d', id) AS BLOB),"
    " spki_sha256, x'3003020101' FROM credential WHERE request = 8;"
    // In quarantine: the answer to a request, one that could not be read, a surplus.
    "INSERT INTO certificate VALUES (300, 108, 2, 5, 1, 2, 1, 2, 'E-CERT-NAMES', 'CN=8', x'30',"
    " zeroblob(32), NULL, x'3000'), (301, 108, 2, 6, 0, 0, 2, 2, 'E-CERT-MALFORMED', '', NULL, "
    "NULL,"
    " NULL, x''), (302, 112, 2, 7, 1, 2, 1, 1, 'E-STORE-CONFLICT', 'CN=12', x'31',"
    " CAST(printf('%032d', 302) AS BLOB), zeroblob(32), x'3003020102');"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
    "INSERT INTO event SELECT u.id, i, 1700000000000 + i, 1 + i % 2, i, (i > 1 AND i < 8), i % 9,"
    " i = 12, CASE WHEN i % 2 THEN 'A1' ELSE '' END, CASE WHEN i = 12 THEN 'E-STORE-CONFLICT' ELSE "
    "''"
    " END, 'event ' || i FROM unit u, n;"
    "PRAGMA application_id = 0x62637274; PRAGMA user_version = 1";

// What both schemas have.
static const struct {
    const char *table;
    const char *columns;
} kept[] = {
    {"session", "*"},
    {"unit", "id, serial, result, error, model, firmware, lot, label, hardware_id, boot_id"},
    {"credential", "id, unit, number, key_type, request, install, wanted, attempt, sent_ms,"
                   " not_before_s, profile, ca, handle, error, job_id, spki_sha256"},
    {"csr", "*"},
    {"issuer", "*"},
    {"intermediates", "*"},
    {"certificate", "id, credential, state, time_ms, not_before_ms, not_after_ms, issuer,"
                    " intermediates, error, subject, serial, sha256, spki_sha256, leaf"},
    {"event", "*"},
};

static int put_row(void *context, int count, char **values, char **names) {
    FILE *out = context;
    (void)names;
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s|", values[i]);
    }
    fputc('\n', out);
    return 0;
}

static void put_table(sqlite3 *connection, size_t index, FILE *out) {
    char columns[2048] = "";
    sqlite3_stmt *statement;
    char *sql = sqlite3_mprintf("SELECT %s FROM %s", kept[index].columns, kept[index].table);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        size_t used = strlen(columns);
        snprintf(columns + used, sizeof columns - used, "%squote(%s)", i > 0 ? ", " : "",
                 sqlite3_column_name(statement, i));
    }
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    sql = sqlite3_mprintf("SELECT %s FROM %s ORDER BY 1, 2", columns, kept[index].table);
    ck_assert_int_eq(sqlite3_exec(connection, sql, put_row, out, NULL), SQLITE_OK);
    sqlite3_free(sql);
}

// Every value of every row that both schemas have; the caller frees it.
static char *dump(const char *path) {
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    sqlite3 *connection = open_plain(path);
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        fprintf(out, "%s\n", kept[i].table);
        put_table(connection, i, out);
    }
    sqlite3_close(connection);
    fclose(out);
    return text;
}

static void setup(void) {
    store_fixture_setup(&fixture);
    store_fixture_close(&fixture);
    ck_assert_int_eq(unlink(fixture.path), 0);
    sqlite3 *connection = open_plain(fixture.path);
    run_sql(connection, migration_sql(1));
    run_sql(connection, rows_of_1);
    sqlite3_close(connection);
}

static void teardown(void) {
    store_fixture_teardown(&fixture);
}

static int integer(const char *sql) {
    sqlite3_stmt *statement;
    sqlite3 *connection = open_plain(fixture.path);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return value;
}

START_TEST(test_keeps_all) {
    char backup[128];
    char *before = dump(fixture.path);
    ck_assert_uint_gt(strlen(before), 5000);
    store_fixture_reopen(&fixture);
    store_fixture_close(&fixture);
    // The writer's own session is new, and nothing else.
    sqlite3 *connection = open_plain(fixture.path);
    run_sql(connection, "DROP TRIGGER session_keep_delete; DELETE FROM session WHERE id > 2");
    sqlite3_close(connection);
    char *after = dump(fixture.path);
    ck_assert_str_eq(after, before);
    snprintf(backup, sizeof backup, "%s.backup-v1", fixture.path);
    char *kept_before = dump(backup);
    ck_assert_str_eq(kept_before, before);
    free(before);
    free(after);
    free(kept_before);
}
END_TEST

START_TEST(test_fills_what_is_new) {
    store_fixture_reopen(&fixture);
    store_fixture_close(&fixture);
    ck_assert_int_eq(integer("PRAGMA user_version"), SCHEMA_VERSION);
    ck_assert_int_eq(integer("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    ck_assert_int_eq(integer("SELECT count(*) FROM unit WHERE board <> 1"), 0);
    ck_assert_int_eq(integer("SELECT count(*) FROM credential WHERE board <> 1"), 0);
    // Each certificate is its own CA's.
    ck_assert_int_eq(integer("SELECT count(*) FROM certificate WHERE ca = 'other'"), 1);
    ck_assert_int_eq(integer("SELECT count(*) FROM certificate WHERE ca = 'hvca'"), 6);
    ck_assert_int_eq(integer("SELECT count(*) FROM certificate WHERE reason <> ''"), 0);
    // Where a request of before went is not known.
    ck_assert_int_eq(integer("SELECT count(*) FROM credential WHERE endpoint <> ''"), 0);
}
END_TEST

// Schema 5 knew of each request where it had gone last, and schema 6 of each certificate where it came from.
START_TEST(test_certificates_of_5) {
    sqlite3 *connection = open_plain(fixture.path);
    for (int version = 2; version <= 5; version++) {
        run_sql(connection, migration_sql(version));
    }
    run_sql(connection, "UPDATE credential SET endpoint = 'hvca https://' || id;"
                        "UPDATE credential SET attempt = 1 WHERE id = 112;"
                        "PRAGMA user_version = 5");
    sqlite3_close(connection);
    store_fixture_reopen(&fixture);
    store_fixture_close(&fixture);
    ck_assert_int_eq(integer("PRAGMA user_version"), SCHEMA_VERSION);
    // Live ones: as the last attempt; of another section's nothing is known.
    ck_assert_int_eq(integer("SELECT count(*) FROM certificate WHERE state = 1 AND ca = 'hvca'"
                             " AND endpoint <> 'hvca https://' || credential"),
                     0);
    ck_assert_int_gt(integer("SELECT count(*) FROM certificate WHERE state = 1 AND endpoint <> ''"),
                     0);
    // Of those in quarantine, where there was one attempt only.
    ck_assert_int_eq(
        integer("SELECT endpoint = 'hvca https://112' FROM certificate WHERE id = 302"), 1);
    ck_assert_int_eq(integer("SELECT endpoint = '' FROM certificate WHERE id = 300"), 1);
}
END_TEST

START_TEST(test_guards_again) {
    static const char *const guards[] = {"credential_pending", "certificate_live",
                                         "certificate_quarantined", "event_keep_delete"};
    char sql[128];
    store_fixture_reopen(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(guards); i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'",
                 guards[i]);
        ck_assert_int_eq(integer(sql), 1);
    }
    // I1: one live certificate for a credential.
    sqlite3 *connection = open_plain(fixture.path);
    ck_assert_int_eq(sqlite3_exec(connection,
                                  "UPDATE certificate SET state = 1, error = '' WHERE id = 302",
                                  NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(connection);
}
END_TEST

static bool count_row(void *context, const struct store_row *row) {
    (void)row;
    ++*(int *)context;
    return true;
}

// The made up history does not add up in every unit, but the store reads all of it, and goes on.
START_TEST(test_goes_on) {
    static const struct {
        const char *state;
        int rows;
    } filters[] = {{NULL, 17},     {"open", 13},       {"failed", 3}, {"passed", 1},
                   {"pending", 4}, {"quarantined", 2}, {"orphan", 2}, {"scrapped", 0}};
    struct error error = {0};
    store_fixture_reopen(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++) {
        struct store_filter filter = {.state = filters[i].state};
        int rows = 0;
        ck_assert_msg(store_sqlite.select_rows(fixture.store, &filter, count_row, &rows, &error),
                      "%s", error.text);
        ck_assert_msg(rows == filters[i].rows, "%s: %d", filters[i].state, rows);
    }
    struct unit_record unit = store_admit_again(&fixture, "SN-1");
    ck_assert_int_eq(unit.board, 1);
    ck_assert_int_eq(unit.credentials[0].request, REQUEST_QUEUED);
    struct record record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    store_accept(&fixture, &record);
    ck_assert_uint_eq(store_event_count(&fixture, unit.unit_id), 14);
    // A certificate of before can be revoked, at its own CA.
    unit = store_admit_again(&fixture, "SN-8");
    record = store_record(&fixture, RECORD_REVOKING, &unit, 0);
    record.certificate_id = 109;
    text_copy(record.reason, sizeof record.reason, "superseded");
    store_accept(&fixture, &record);
    ck_assert_int_eq(integer("SELECT state FROM certificate WHERE id = 109"), CERTIFICATE_REVOKING);
}
END_TEST

START_TEST(test_reader_waits_for_the_writer) {
    struct store *store;
    struct error error;
    ck_assert(!store_try_open(&fixture, STORE_READ, &store, &error));
    ck_assert_int_eq(error.code, E_STORE_OPEN);
    ck_assert_int_eq(integer("PRAGMA user_version"), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_migrate");
    TCase *tests = tcase_create("schema 1");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_keeps_all);
    tcase_add_test(tests, test_fills_what_is_new);
    tcase_add_test(tests, test_certificates_of_5);
    tcase_add_test(tests, test_guards_again);
    tcase_add_test(tests, test_goes_on);
    tcase_add_test(tests, test_reader_waits_for_the_writer);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
