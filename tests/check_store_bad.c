// SPDX-License-Identifier: Apache-2.0
// Files that are not ours, damaged, locked or read-only, and what the schema itself refuses.
#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/migrations.h"
#include "tests/support_store.h"

static struct store_fixture fixture;

static void setup(void) {
    store_fixture_setup(&fixture);
}

static void teardown(void) {
    store_fixture_teardown(&fixture);
}

// Opening fails with this code, and the message names the file.
static void cannot_open(enum store_mode mode, enum error_code code) {
    struct store *store;
    struct error error;
    ck_assert(!store_try_open(&fixture, mode, &store, &error));
    ck_assert_msg(error.code == code, "%s instead of %s: %s", error_code_text(error.code),
                  error_code_text(code), error.text);
    ck_assert_msg(strstr(error.text, "units.db") != NULL, "%s", error.text);
    ck_assert_ptr_null(store);
}

static void write_file(const char *path, const void *data, size_t length) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, data, length), (ssize_t)length);
    close(descriptor);
}

// Runs SQL on the closed database, past the store. Returns SQLite's status.
static int run_sql(const char *path, const char *sql) {
    sqlite3 *connection;
    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    int status = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    sqlite3_close(connection);
    return status;
}

static int sql_integer(const char *path, const char *sql) {
    sqlite3 *connection;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return value;
}

static bool exists_beside(const char *suffix) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", fixture.path, suffix);
    return access(path, F_OK) == 0;
}

static void remove_beside(const char *suffix) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", fixture.path, suffix);
    unlink(path);
}

// ---- the wrong file -----------------------------------------------------------------------------

START_TEST(test_missing) {
    store_fixture_close(&fixture);
    unlink(fixture.path);
    cannot_open(STORE_WRITE, E_STORE_OPEN);
    cannot_open(STORE_READ, E_STORE_OPEN);
    ck_assert_int_ne(access(fixture.path, F_OK), 0);
}
END_TEST

START_TEST(test_create_over_something) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_NONE, INSTALL_NONE);
    store_fixture_close(&fixture);
    cannot_open(STORE_CREATE, E_STORE_OPEN);
    store_fixture_reopen(&fixture);
    store_admit_again(&fixture, "SN-1");
}
END_TEST

START_TEST(test_not_a_file) {
    store_fixture_close(&fixture);
    unlink(fixture.path);
    ck_assert_int_eq(mkdir(fixture.path, 0700), 0);
    cannot_open(STORE_WRITE, E_STORE_FOREIGN);
    rmdir(fixture.path);
    ck_assert_int_eq(mkfifo(fixture.path, 0600), 0);
    cannot_open(STORE_WRITE, E_STORE_FOREIGN); // and does not wait for somebody at its other end
    cannot_open(STORE_READ, E_STORE_FOREIGN);
}
END_TEST

START_TEST(test_foreign) {
    static const char text[] = "serial,slot\nSN-1,A1\n and so on: this is no database at all, "
                               "and it is longer than a database's header of one hundred bytes";
    store_fixture_close(&fixture);
    remove_beside("-wal");
    remove_beside("-shm");
    remove_beside(".lock");
    write_file(fixture.path, text, sizeof text);
    cannot_open(STORE_WRITE, E_STORE_FOREIGN);
    cannot_open(STORE_READ, E_STORE_FOREIGN);
    ck_assert(!exists_beside("-wal"));
    write_file(fixture.path, "", 0);
    cannot_open(STORE_WRITE, E_STORE_FOREIGN);
    // Another program's database, unchanged by the attempt.
    remove_beside("");
    ck_assert_int_eq(run_sql(fixture.path, "CREATE TABLE unit (x); PRAGMA user_version = 1"), 0);
    cannot_open(STORE_WRITE, E_STORE_FOREIGN);
    cannot_open(STORE_READ, E_STORE_FOREIGN);
    ck_assert_int_eq(sql_integer(fixture.path, "SELECT count(*) FROM sqlite_schema"), 1);
    ck_assert(!exists_beside(".lock"));
}
END_TEST

START_TEST(test_newer) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", SCHEMA_VERSION + 1);
    store_fixture_close(&fixture);
    ck_assert_int_eq(run_sql(fixture.path, sql), SQLITE_OK);
    cannot_open(STORE_WRITE, E_STORE_NEWER);
    cannot_open(STORE_READ, E_STORE_NEWER);
    ck_assert_int_eq(sql_integer(fixture.path, "PRAGMA user_version"), SCHEMA_VERSION + 1);
}
END_TEST

// A schema from before the first: ours, but empty.
static void make_old(const char *more) {
    char sql[160];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = 0; %s", 0x62637274,
             more);
    store_fixture_close(&fixture);
    ck_assert_int_eq(unlink(fixture.path), 0);
    ck_assert_int_eq(run_sql(fixture.path, sql), SQLITE_OK);
}

START_TEST(test_migrates_after_a_backup) {
    make_old("CREATE TABLE old (x); INSERT INTO old VALUES (42)");
    cannot_open(STORE_READ, E_STORE_OPEN); // a reader changes nothing
    ck_assert(!exists_beside(".backup-v0"));
    store_fixture_reopen(&fixture);
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert(exists_beside(".backup-v0"));
    ck_assert(!exists_beside(".backup-v0.part"));
    char backup[128];
    snprintf(backup, sizeof backup, "%s.backup-v0", fixture.path);
    ck_assert_int_eq(sql_integer(backup, "SELECT x FROM old"), 42);
    ck_assert_int_eq(sql_integer(backup, "PRAGMA application_id"), 0x62637274);
    ck_assert_int_eq(sql_integer(backup, "SELECT count(*) FROM sqlite_schema"), 1);
    store_fixture_reopen(&fixture);
    store_admit_again(&fixture, "SN-1");
}
END_TEST

START_TEST(test_migration_fails_whole) {
    make_old("CREATE TABLE credential (in_the_way)");
    cannot_open(STORE_WRITE, E_INTERNAL);
    ck_assert_int_eq(sql_integer(fixture.path, "PRAGMA user_version"), 0);
    ck_assert_int_eq(sql_integer(fixture.path, "SELECT count(*) FROM sqlite_schema"), 1);
    ck_assert(exists_beside(".backup-v0"));
}
END_TEST

// ---- the wrong time -----------------------------------------------------------------------------

START_TEST(test_locked_by_another_process) {
    int to_child[2];
    int from_child[2];
    char byte = 'x';
    store_fixture_close(&fixture);
    ck_assert_int_eq(pipe(to_child), 0);
    ck_assert_int_eq(pipe(from_child), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        struct error error;
        close(to_child[1]);
        bool good = store_try_open(&fixture, STORE_WRITE, &store, &error);
        good = write(from_child[1], &byte, 1) == 1 && good;
        if (read(to_child[0], &byte, 1) >= 0) { // the other end was closed
            store_sqlite.close(store);
        }
        _exit(good ? 0 : 1);
    }
    close(to_child[0]);
    ck_assert_int_eq(read(from_child[0], &byte, 1), 1);
    cannot_open(STORE_WRITE, E_STORE_LOCKED);
    struct store *reader;
    struct error error;
    ck_assert_msg(store_try_open(&fixture, STORE_READ, &reader, &error), "%s", error.text);
    store_sqlite.close(reader);
    close(to_child[1]);
    ck_assert_int_eq(store_child_status(child), 0);
    close(from_child[0]);
    close(from_child[1]);
    store_fixture_reopen(&fixture);
}
END_TEST

START_TEST(test_locked_under_another_name) {
    char link_path[96];
    struct error error = {0};
    struct store *store;
    snprintf(link_path, sizeof link_path, "%s/link", fixture.folder);
    ck_assert_int_eq(symlink(fixture.path, link_path), 0);
    ck_assert(!store_sqlite.open(link_path, STORE_WRITE, &store_test_session, &store, &error));
    ck_assert_int_eq(error.code, E_STORE_LOCKED);
    // The lock of the first is not hurt by that.
    cannot_open(STORE_WRITE, E_STORE_LOCKED);
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
}
END_TEST

static bool count_request(void *context, const struct request_record *request) {
    (void)request;
    ++*(int *)context;
    return true;
}

START_TEST(test_reader_beside_writer) {
    struct store *reader;
    struct error error;
    int count = 0;
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert_msg(store_try_open(&fixture, STORE_READ, &reader, &error), "%s", error.text);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert(store_sqlite.select_requests(reader, count_request, &count, &error));
    ck_assert_int_eq(count, 2);
    ck_assert(store_sqlite.check(reader, &error));
    // It writes nothing.
    struct record record = store_record_admit(&fixture, "SN-3", 1);
    batch_clear(fixture.batch);
    ck_assert(batch_put(fixture.batch, &record));
    ck_assert(!store_sqlite.commit(reader, fixture.batch, &error));
    ck_assert_int_eq(error.code, E_STORE_READONLY);
    // A reader may outlive the writer.
    store_fixture_close(&fixture);
    count = 0;
    ck_assert(store_sqlite.select_requests(reader, count_request, &count, &error));
    ck_assert_int_eq(count, 2);
    store_sqlite.close(reader);
}
END_TEST

// ---- the wrong place ----------------------------------------------------------------------------

// Runs as somebody who is not root, to whom modes mean something; returns the child's exit status.
static int as_nobody(int (*run)(void)) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(99);
        }
        _exit(run());
    }
    return store_child_status(child);
}

static int open_code(enum store_mode mode) {
    struct store *store;
    struct error error;
    bool good = store_try_open(&fixture, mode, &store, &error);
    store_sqlite.close(store);
    return good ? 0 : (int)error.code;
}

static int open_for_writing(void) {
    return open_code(STORE_WRITE);
}

static int create(void) {
    return open_code(STORE_CREATE);
}

static int read_requests(void) {
    struct store *store;
    struct error error;
    int count = 0;
    if (!store_try_open(&fixture, STORE_READ, &store, &error) ||
        !store_sqlite.select_requests(store, count_request, &count, &error)) {
        return 50;
    }
    store_sqlite.close(store);
    return count;
}

static void set_modes(mode_t folder, mode_t file) {
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", fixture.path, suffixes[i]);
        ck_assert_int_eq(chmod(path, file), 0);
    }
    ck_assert_int_eq(chmod(fixture.folder, folder), 0);
}

START_TEST(test_read_only) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    store_fixture_close(&fixture);
    set_modes(0555, 0444);
    int writing = as_nobody(open_for_writing);
    int reading = as_nobody(read_requests);
    set_modes(0555, 0666); // the file could be written, its folder not
    int beside = as_nobody(open_for_writing);
    unlink(fixture.path);
    int creating = as_nobody(create);
    ck_assert_int_eq(chmod(fixture.folder, 0700), 0);
    ck_assert_int_eq(writing, E_STORE_READONLY);
    ck_assert_int_eq(reading, 1);
    ck_assert_int_eq(beside, E_STORE_READONLY);
    ck_assert_int_eq(creating, E_STORE_READONLY);
}
END_TEST

START_TEST(test_reader_without_permission) {
    store_fixture_close(&fixture);
    set_modes(0755, 0600);
    int status = as_nobody(read_requests);
    ck_assert_int_eq(chmod(fixture.folder, 0700), 0);
    ck_assert_int_eq(status, getuid() == 0 ? 50 : 0);
}
END_TEST

// ---- damage -------------------------------------------------------------------------------------

static void make_many_units(void) {
    for (uint32_t i = 0; i < 40; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "SN-%u", i);
        store_make_unit(&fixture, serial, i, REQUEST_ISSUED, INSTALL_PROVED);
    }
}

START_TEST(test_truncated) {
    make_many_units();
    store_fixture_close(&fixture);
    int64_t size = store_file_size(&fixture, "");
    ck_assert_int_eq(truncate(fixture.path, size / 2), 0);
    cannot_open(STORE_WRITE, E_STORE_CORRUPT);
    cannot_open(STORE_READ, E_STORE_CORRUPT);
    ck_assert_int_eq(store_file_size(&fixture, ""), size / 2);
}
END_TEST

// Pages of noise in the middle: whatever is asked of such a file, an error comes and no crash.
START_TEST(test_corrupt) {
    uint8_t noise[4096];
    struct store *store;
    struct error error = {0};
    make_many_units();
    store_fixture_close(&fixture);
    int64_t size = store_file_size(&fixture, "");
    int descriptor = open(fixture.path, O_RDWR);
    ck_assert_int_ge(descriptor, 0);
    memset(noise, 0xa5 + _i, sizeof noise);
    off_t page = 1 + _i;
    ck_assert_int_lt(page * 4096, size);
    ck_assert_int_eq(pwrite(descriptor, noise, sizeof noise, page * 4096), sizeof noise);
    close(descriptor);
    bool opened = store_try_open(&fixture, STORE_WRITE, &store, &error);
    ck_assert(opened || error.code == E_STORE_CORRUPT);
    if (!opened) {
        return;
    }
    ck_assert(!store_sqlite.check(store, &error));
    ck_assert_int_eq(error.code, E_STORE_CORRUPT);
    struct record record = store_record_admit(&fixture, "SN-1", 1);
    batch_clear(fixture.batch);
    ck_assert(batch_put(fixture.batch, &record));
    ck_assert(store_sqlite.commit(store, fixture.batch, &error) || error.code == E_STORE_CORRUPT);
    store_sqlite.close(store);
}
END_TEST

// Numbers that mean nothing, put there past the schema, are not carried further.
START_TEST(test_states_out_of_range) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    store_fixture_close(&fixture);
    ck_assert_int_eq(run_sql(fixture.path, "PRAGMA ignore_check_constraints = ON;"
                                           "UPDATE credential SET request = 4000000, install = -7;"
                                           "UPDATE unit SET result = 77"),
                     SQLITE_OK);
    store_fixture_reopen(&fixture);
    struct unit_record now = store_admit_again(&fixture, "SN-1");
    ck_assert_int_eq(now.result, UNIT_FAILED);
    ck_assert_int_eq(now.credentials[0].request, REQUEST_HELD); // a person decides
    ck_assert_int_eq(now.credentials[0].install, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_SENT, &unit, 0);
    store_refuse(&fixture, &record, E_STORE_CONFLICT);
    struct error error = {0};
    ck_assert(!store_sqlite.check(fixture.store, &error));
}
END_TEST

// Rows that contradict each other, put there past the store.
START_TEST(test_check_finds) {
    static const char *const damages[] = {
        "DROP INDEX certificate_live",
        "DROP TRIGGER event_keep_delete",
        "PRAGMA ignore_check_constraints = ON; UPDATE credential SET request = 2 WHERE id = 1",
        "UPDATE unit SET result = 2 WHERE id = 2",
        "DELETE FROM csr WHERE credential = 1",
        "UPDATE certificate SET spki_sha256 = zeroblob(32) WHERE id = 1",
        "UPDATE certificate SET state = 2, error = 'x' WHERE id = 1",
        "DELETE FROM unit WHERE id = 1",
        "UPDATE unit SET result = 3, error = 'E-UNIT-SCRAPPED' WHERE id = 1",
        "UPDATE unit SET board = 2 WHERE id = 2",
        "UPDATE credential SET board = 2 WHERE id = 2",
        ("UPDATE credential SET request = 9 WHERE id = 1;"
         "PRAGMA ignore_check_constraints = ON; UPDATE certificate SET state = 4 WHERE id = 1"),
        ("DROP TRIGGER event_keep_delete; DELETE FROM event WHERE unit = 1 AND seq = 2;"
         "CREATE TRIGGER event_keep_delete BEFORE DELETE ON event BEGIN SELECT 1; END"),
    };
    struct error error = {0};
    store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_ISSUED, INSTALL_DONE);
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    store_fixture_close(&fixture);
    ck_assert_int_eq(run_sql(fixture.path, damages[_i]), SQLITE_OK);
    store_fixture_reopen(&fixture);
    ck_assert(!store_sqlite.check(fixture.store, &error));
    ck_assert_int_eq(error.code, E_STORE_CORRUPT);
}
END_TEST

START_TEST(test_schema_refuses) {
    static const char *const attempts[] = {
        // The history is append-only.
        "UPDATE event SET text = 'better' WHERE unit = 1",
        "DELETE FROM event WHERE unit = 1",
        "PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO event SELECT * FROM event",
        "UPDATE session SET operator = 'eve'",
        "DELETE FROM session",
        // I1
        "INSERT INTO unit SELECT 99, serial, result, error, model, firmware, lot, label,"
        " hardware_id, boot_id, board FROM unit WHERE id = 1",
        "UPDATE credential SET spki_sha256 = (SELECT spki_sha256 FROM credential WHERE id = 1)"
        " WHERE id = 2",
        "INSERT INTO certificate SELECT 99, credential, state, time_ms, not_before_ms,"
        " not_after_ms, issuer, intermediates, error, subject, x'01', zeroblob(32), spki_sha256,"
        " leaf, ca, reason, ended_ms, endpoint FROM certificate WHERE id = 1",
        "UPDATE certificate SET serial = (SELECT serial FROM certificate WHERE id = 1)"
        " WHERE id = 2",
        "UPDATE certificate SET sha256 = (SELECT sha256 FROM certificate WHERE id = 1)"
        " WHERE id = 2",
        // States and sizes
        "UPDATE credential SET request = 10 WHERE id = 1",
        "UPDATE credential SET install = 4 WHERE id = 1",
        "UPDATE credential SET request = 7 WHERE id = 1", // it is installed
        "UPDATE credential SET spki_sha256 = x'00' WHERE id = 1",
        "UPDATE credential SET job_id = x'00' WHERE id = 1",
        "UPDATE credential SET board = 0 WHERE id = 1",
        "UPDATE credential SET unit = 1, number = 1 WHERE id = 2",
        "UPDATE unit SET result = 4",
        "UPDATE certificate SET state = 6 WHERE id = 1",
        "UPDATE certificate SET state = 4, ended_ms = 1 WHERE id = 1",             // no reason
        "UPDATE certificate SET state = 4, reason = 'superseded' WHERE id = 1",    // no time
        "UPDATE certificate SET reason = 'superseded', ended_ms = 1 WHERE id = 1", // is live
        "UPDATE unit SET serial = ''",
        "UPDATE unit SET result = 'passed'",
        "UPDATE csr SET der = x''",
        // References
        "PRAGMA foreign_keys = ON; DELETE FROM unit WHERE id = 1",
        "PRAGMA foreign_keys = ON; UPDATE certificate SET credential = 99",
    };
    store_make_unit(&fixture, "SN-1", 1, REQUEST_ISSUED, INSTALL_PROVED);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_ISSUED, INSTALL_PROVED);
    store_fixture_close(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(attempts); i++) {
        ck_assert_msg(run_sql(fixture.path, attempts[i]) == SQLITE_CONSTRAINT, "%s", attempts[i]);
    }
}
END_TEST

// A record that only the schema stops is refused alone; the others of its batch become durable.
START_TEST(test_schema_refuses_one_record) {
    struct error error = {0};
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_SENT, INSTALL_NONE);
    size_t events = store_event_count(&fixture, unit.unit_id);
    store_fixture_close(&fixture);
    ck_assert_int_eq(run_sql(fixture.path, "CREATE TRIGGER trap BEFORE UPDATE ON credential"
                                           " WHEN NEW.request = 8 BEGIN"
                                           " SELECT RAISE(ABORT, 'trapped'); END"),
                     SQLITE_OK);
    store_fixture_reopen(&fixture);
    batch_clear(fixture.batch);
    struct record record = store_record_admit(&fixture, "SN-2", 1);
    ck_assert(batch_put(fixture.batch, &record));
    record = store_record_certificate(&fixture, &unit, 1, 1, ERROR_NONE);
    ck_assert(batch_put(fixture.batch, &record));
    record = store_record(&fixture, RECORD_LOAD_REQUEST, &unit, 0);
    ck_assert(batch_put(fixture.batch, &record));
    ck_assert_msg(store_sqlite.commit(fixture.store, fixture.batch, &error), "%s", error.text);
    ck_assert_int_eq(error.code, ERROR_NONE);
    const struct answer *answers = fixture.batch->answers;
    ck_assert_int_eq(answers[0].code, ERROR_NONE);
    ck_assert(answers[0].unit.is_new);
    ck_assert_int_eq(answers[1].code, E_STORE_CONFLICT);
    ck_assert_ptr_nonnull(strstr(answers[1].text, "trapped"));
    ck_assert_int_eq(answers[2].code, ERROR_NONE);
    ck_assert_int_eq(answers[2].request.state, REQUEST_SENT);
    ck_assert_uint_eq(store_event_count(&fixture, unit.unit_id), events + 1);
    ck_assert_str_eq(store_last_event(&fixture, unit.unit_id).code, "E-STORE-CONFLICT");
    store_fixture_reopen(&fixture);
    store_admit_again(&fixture, "SN-2");
    // Nothing of the certificate stayed.
    ck_assert_int_eq(sql_integer(fixture.path, "SELECT count(*) FROM certificate"), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_bad");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_missing);
    tcase_add_test(tests, test_create_over_something);
    tcase_add_test(tests, test_not_a_file);
    tcase_add_test(tests, test_foreign);
    tcase_add_test(tests, test_newer);
    tcase_add_test(tests, test_migrates_after_a_backup);
    tcase_add_test(tests, test_migration_fails_whole);
    tcase_add_test(tests, test_locked_by_another_process);
    tcase_add_test(tests, test_locked_under_another_name);
    tcase_add_test(tests, test_reader_beside_writer);
    tcase_add_test(tests, test_read_only);
    tcase_add_test(tests, test_reader_without_permission);
    tcase_add_test(tests, test_truncated);
    tcase_add_test(tests, test_states_out_of_range);
    tcase_add_loop_test(tests, test_corrupt, 0, 20);
    tcase_add_loop_test(tests, test_check_finds, 0, 13);
    tcase_add_test(tests, test_schema_refuses);
    tcase_add_test(tests, test_schema_refuses_one_record);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
