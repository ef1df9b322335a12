// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <sqlite3.h>
#include <string.h>

#include "db/store_sqlite.h"

static const char *const statement_sql[SQL_STATEMENT_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT record",
    [SQL_SAVEPOINT_RELEASE] = "RELEASE record",
    [SQL_SAVEPOINT_ROLLBACK] = "ROLLBACK TO record",
    [SQL_SESSION_INSERT] =
        "INSERT INTO session (started_ms, station, operator, version) VALUES (?, ?, ?, ?)",
    [SQL_EVENT_INSERT] =
        "INSERT INTO event (unit, seq, time_ms, session, kind, credential, state, refused, slot,"
        " code, text) VALUES (?1, coalesce((SELECT max(seq) FROM event WHERE unit = ?1), 0) + 1,"
        " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",

    // The names of a board that was swapped bind the new one no more.
    [SQL_UNIT_BY_SERIAL] = "SELECT u.id, u.result, u.model, u.hardware_id,"
                           " EXISTS (SELECT 1 FROM credential WHERE unit = u.id AND board = u.board"
                           " AND request <> 0), u.board FROM unit u WHERE u.serial = ?",
    [SQL_UNIT_BY_ID] = "SELECT serial, result FROM unit WHERE id = ?",
    [SQL_UNIT_INSERT] = "INSERT INTO unit (serial, model, firmware, lot, label, hardware_id,"
                        " boot_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
    // What was not given this time stays as it was.
    [SQL_UNIT_UPDATE] =
        "UPDATE unit SET model = coalesce(nullif(?2, ''), model),"
        " firmware = coalesce(nullif(?3, ''), firmware), lot = coalesce(nullif(?4, ''), lot),"
        " label = coalesce(nullif(?5, ''), label),"
        " hardware_id = CASE WHEN length(?6) > 0 THEN ?6 ELSE hardware_id END, boot_id = ?7"
        " WHERE id = ?1",
    [SQL_UNIT_RESULT] = "UPDATE unit SET result = ?2, error = ?3 WHERE id = ?1",
    [SQL_UNIT_CREDENTIALS] =
        "SELECT " CREDENTIAL_COLUMNS
        " FROM credential c WHERE c.unit = ? AND c.wanted = 1 ORDER BY c.number",
    [SQL_UNIT_UNPROVED] = "SELECT count(*), coalesce(sum(install <> 3 OR request <> 8), 0)"
                          " FROM credential WHERE unit = ? AND wanted = 1",
    [SQL_UNIT_UNWANT] = "UPDATE credential SET wanted = 0 WHERE unit = ?1 AND wanted = 1"
                        " AND number NOT IN (?2, ?3, ?4, ?5)",
    // Nothing was made for it, and no certificate came: as if it had never been wanted.
    [SQL_UNIT_PRUNE] =
        "DELETE FROM credential WHERE unit = ?1 AND wanted = 0 AND request = 0"
        " AND spki_sha256 IS NULL AND NOT EXISTS (SELECT 1 FROM csr r WHERE r.credential = "
        "credential.id)"
        " AND NOT EXISTS (SELECT 1 FROM certificate x WHERE x.credential = credential.id)",

    [SQL_UNIT_EVENTS] =
        "SELECT e.seq, e.time_ms, e.kind, e.credential, e.state, e.refused, e.slot, e.code, e.text,"
        " s.station, s.operator FROM event e JOIN session s ON s.id = e.session WHERE e.unit = ?"
        " ORDER BY e.seq",

    [SQL_CREDENTIAL_BY_ID] =
        "SELECT u.serial, u.result, c.attempt, c.board < u.board, " CREDENTIAL_COLUMNS
        " FROM credential c JOIN unit u ON u.id = c.unit"
        " WHERE c.id = ?1 AND c.unit = ?2",
    // What the PKI officer does needs all that may still be in use to be settled first.
    [SQL_UNIT_IN_USE] =
        "SELECT (SELECT count(*) FROM credential WHERE unit = ?1 AND request BETWEEN 2 AND 5),"
        " (SELECT count(*) FROM certificate x JOIN credential c ON c.id = x.credential"
        " WHERE c.unit = ?1 AND (x.state = 1 OR x.state = 2)), board, hardware_id,"
        " EXISTS (SELECT 1 FROM credential c WHERE c.unit = ?1 AND c.board = unit.board"
        " AND c.spki_sha256 IS NOT NULL) FROM unit WHERE id = ?1",
    // Also what is in quarantine without a certificate: the CA gave another camera's, or one that was
    // another camera's.
    [SQL_UNIT_WITHDRAW_OPEN] =
        "UPDATE credential SET request = 9 WHERE unit = ? AND request IN (1, 7)",
    [SQL_UNIT_UNWANT_ALL] = "UPDATE credential SET wanted = 0 WHERE unit = ?",
    [SQL_UNIT_NEW_BOARD] = "UPDATE unit SET board = board + 1, result = 0, error = '' WHERE id = ?",
    [SQL_UNIT_OLD_KEY] = "SELECT 1 FROM credential c JOIN unit u ON u.id = c.unit"
                         " WHERE c.spki_sha256 = ?2 AND c.unit = ?1 AND c.board < u.board",

    [SQL_CREDENTIAL_BY_NUMBER] =
        "SELECT c.wanted, " CREDENTIAL_COLUMNS " FROM credential c JOIN unit u ON u.id = c.unit"
        " WHERE c.unit = ?1 AND c.board = u.board AND c.number = ?2",
    [SQL_CREDENTIAL_INSERT] =
        "INSERT INTO credential (unit, board, number, key_type, profile, job_id)"
        " VALUES (?1, (SELECT board FROM unit WHERE id = ?1), ?2, ?3, ?4, ?5)",
    [SQL_CREDENTIAL_WANTED] =
        "UPDATE credential SET key_type = ?2, profile = ?3, wanted = 1 WHERE id = ?1",
    [SQL_CREDENTIAL_KEY] = "UPDATE credential SET spki_sha256 = ?2 WHERE id = ?1",
    [SQL_CREDENTIAL_QUEUED] =
        "UPDATE credential SET spki_sha256 = ?2, request = 1, error = '' WHERE id = ?1",
    [SQL_CREDENTIAL_SENT] = "UPDATE credential SET request = 2, attempt = attempt + 1,"
                            " sent_ms = ?2, not_before_s = ?3, ca = ?4, endpoint = ?5, handle = '',"
                            " error = '', replaces = ?6 WHERE id = ?1",
    [SQL_CREDENTIAL_REKEYED] = "SELECT lower(hex(r.serial))" REKEYED_CERTIFICATE(
        "(SELECT unit FROM credential WHERE id = ?1)",
        "(SELECT number FROM credential WHERE id = ?1)",
        "(SELECT board FROM credential WHERE id = ?1)", "?2"),
    [SQL_CREDENTIAL_REQUEST] = "UPDATE credential SET request = ?2,"
                               " handle = coalesce(nullif(?3, ''), handle), error = ?4"
                               " WHERE id = ?1",
    [SQL_CREDENTIAL_INSTALL] = "UPDATE credential SET install = ?2 WHERE id = ?1",
    [SQL_SPKI_OWNER] = "SELECT c.id, c.number, u.serial, c.unit FROM credential c"
                       " JOIN unit u ON u.id = c.unit WHERE c.spki_sha256 = ?",
    [SQL_CSR_PUT] = "INSERT INTO csr (credential, der) VALUES (?1, ?2)"
                    " ON CONFLICT (credential) DO UPDATE SET der = excluded.der",
    [SQL_OFFER_PUT] = "INSERT INTO offer (credential, der) VALUES (?1, ?2)"
                      " ON CONFLICT (credential) DO UPDATE SET der = excluded.der",
    [SQL_OFFER_DROP] = "DELETE FROM offer WHERE credential = ?",
    [SQL_REQUEST_BY_ID] =
        "SELECT " REQUEST_COLUMNS ", r.der, o.der, x.leaf, m.der FROM credential c"
        " JOIN unit u ON u.id = c.unit LEFT JOIN csr r ON r.credential = c.id"
        " LEFT JOIN offer o ON o.credential = c.id LEFT JOIN certificate x ON x.id ="
        " (SELECT max(id) FROM certificate WHERE credential = c.id AND state = 2"
        " AND c.request = 7 AND o.der IS NULL)"
        " LEFT JOIN intermediates m ON m.id = x.intermediates WHERE c.id = ?",
    [SQL_REQUESTS_PENDING] =
        "SELECT " REQUEST_COLUMNS ", r.der FROM credential c"
        " JOIN unit u ON u.id = c.unit LEFT JOIN csr r ON r.credential = c.id"
        " WHERE (c.request BETWEEN 1 AND 5 OR c.request = 10) AND c.request <> 5 ORDER BY c.id",

    [SQL_ISSUER_FIND] = "SELECT id FROM issuer WHERE name = ?",
    [SQL_ISSUER_INSERT] = "INSERT INTO issuer (name) VALUES (?)",
    [SQL_INTERMEDIATES_FIND] = "SELECT id FROM intermediates WHERE der = ?",
    [SQL_INTERMEDIATES_INSERT] = "INSERT INTO intermediates (der) VALUES (?)",
    [SQL_CERTIFICATE_BY_SHA256] =
        "SELECT x.id, x.credential, x.state, u.serial,"
        " x.state = 2 AND x.spki_sha256 IS NOT c.spki_sha256 FROM certificate x"
        " JOIN credential c ON c.id = x.credential JOIN unit u ON u.id = c.unit"
        " WHERE x.sha256 = ?",
    [SQL_CERTIFICATE_BY_SERIAL] =
        "SELECT x.id, x.credential, x.state, u.serial, x.sha256 IS NULL FROM certificate x"
        " JOIN issuer i ON i.id = x.issuer"
        " JOIN credential c ON c.id = x.credential JOIN unit u ON u.id = c.unit"
        " WHERE i.name = ?1 AND x.serial = ?2",
    [SQL_CERTIFICATE_INSERT] =
        "INSERT INTO certificate (credential, state, time_ms, not_before_ms, not_after_ms, issuer,"
        " intermediates, error, subject, serial, sha256, spki_sha256, leaf, ca, endpoint)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " (SELECT ca FROM credential WHERE id = ?1),"
        " (SELECT iif(?14, '', endpoint) FROM credential WHERE id = ?1))",
    // The same leaf, judged anew: perhaps with other intermediates, perhaps read further, perhaps for
    // the camera that it belongs to.
    [SQL_CERTIFICATE_UPDATE] =
        "UPDATE certificate SET credential = ?1, ca = CASE credential WHEN ?1 THEN ca ELSE"
        " (SELECT ca FROM credential WHERE id = ?1) END, endpoint = CASE credential WHEN ?1 THEN"
        " endpoint ELSE (SELECT iif(?14, '', endpoint) FROM credential WHERE id = ?1) END,"
        " state = ?2, time_ms = ?3, not_before_ms = ?4, not_after_ms = ?5,"
        " issuer = ?6, intermediates = ?7, error = ?8, subject = ?9, serial = ?10,"
        " sha256 = coalesce(?11, sha256), spki_sha256 = ?12, leaf = ?13"
        " WHERE id = ?15",
    [SQL_CERTIFICATE_WITHDRAW] =
        "UPDATE certificate SET state = 2, error = ?2 WHERE credential = ?1 AND state = 1",
    [SQL_CERTIFICATE_LIVE] = "SELECT " CERTIFICATE_COLUMNS
                             ", x.leaf, m.der FROM certificate x JOIN issuer i ON i.id = x.issuer"
                             " JOIN intermediates m ON m.id = x.intermediates"
                             " WHERE x.credential = ? AND x.state = 1",
    [SQL_CERTIFICATE_BY_ID] =
        "SELECT state, serial, EXISTS (SELECT 1 FROM certificate y WHERE y.credential = ?2"
        " AND y.state = 2 AND y.id <> ?1) FROM certificate WHERE id = ?1 AND credential = ?2",
    [SQL_CERTIFICATE_END] = "UPDATE certificate SET state = ?2, reason = coalesce(nullif(?3, ''),"
                            " reason), ended_ms = ?4 WHERE id = ?1",
    [SQL_CREDENTIAL_END] = "UPDATE credential SET request = 9 WHERE id = ?",
};

static enum error_code code_of_status(int status) {
    switch (status & 0xff) {
    case SQLITE_NOMEM:
        return E_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return E_STORE_LOCKED;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return E_STORE_READONLY;
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        return E_STORE_OPEN;
    case SQLITE_CORRUPT:
        return E_STORE_CORRUPT;
    case SQLITE_NOTADB:
        return E_STORE_FOREIGN;
    case SQLITE_CONSTRAINT:
        return E_STORE_CONFLICT;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return E_INTERNAL;
    default:
        return E_STORE_IO;
    }
}

bool store_fail(struct store *store, struct error *error, const char *doing) {
    int status = sqlite3_extended_errcode(store->connection);
    int system_error = sqlite3_system_errno(store->connection);
    bool is_system = (status & 0xff) == SQLITE_IOERR || (status & 0xff) == SQLITE_CANTOPEN;
    return error_set(error, code_of_status(status), "%s: %s: %s%s%s", store->name, doing,
                     sqlite3_errmsg(store->connection), is_system && system_error != 0 ? ": " : "",
                     is_system && system_error != 0 ? strerror(system_error) : "");
}

bool store_prepare(struct store *store, struct error *error) {
    for (size_t i = 0; i < SQL_STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(store->connection, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK) {
            return store_fail(store, error, "reading the schema");
        }
    }
    return true;
}

void store_finalize(struct store *store) {
    for (size_t i = 0; i < SQL_STATEMENT_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

struct query query_begin(struct store *store, enum statement statement) {
    return (struct query){.store = store, .statement = store->statements[statement]};
}

bool query_begin_own(struct store *store, const char *sql, struct query *query,
                     struct error *error) {
    *query = (struct query){.store = store};
    return sqlite3_prepare_v2(store->connection, sql, -1, &query->statement, NULL) == SQLITE_OK ||
           store_fail(store, error, "reading");
}

void query_end_own(struct query *query) {
    sqlite3_finalize(query->statement);
    query->statement = NULL;
}

static void query_note(struct query *query, int status) {
    if (query->status == SQLITE_OK) {
        query->status = status;
    }
}

void query_bind_integer(struct query *query, int64_t value) {
    query_note(query, sqlite3_bind_int64(query->statement, ++query->bound, value));
}

void query_bind_text(struct query *query, const char *text) {
    query_note(query, sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_STATIC));
}

void query_bind_blob(struct query *query, const void *data, size_t length) {
    // SQLite takes a NULL pointer for NULL, whatever the length.
    const void *bytes = length > 0 ? data : "";
    query_note(query,
               sqlite3_bind_blob64(query->statement, ++query->bound, bytes, length, SQLITE_STATIC));
}

void query_bind_null(struct query *query) {
    query_note(query, sqlite3_bind_null(query->statement, ++query->bound));
}

void query_bind_error(struct query *query, enum error_code code) {
    query_bind_text(query, code == ERROR_NONE ? "" : error_code_text(code));
}

void query_end(struct query *query) {
    sqlite3_reset(query->statement);
}

bool query_row(struct query *query, bool *found, struct error *error) {
    int status = query->status == SQLITE_OK ? sqlite3_step(query->statement) : query->status;
    *found = status == SQLITE_ROW;
    if (status == SQLITE_ROW) {
        return true;
    }
    bool good = status == SQLITE_DONE || store_fail(query->store, error, "reading or writing");
    query_end(query);
    return good;
}

bool query_run(struct query *query, struct error *error) {
    bool found;
    if (!query_row(query, &found, error)) {
        return false;
    }
    if (found) {
        query_end(query);
    }
    return true;
}

int64_t query_integer(const struct query *query, int column) {
    return sqlite3_column_int64(query->statement, column);
}

unsigned query_choice(const struct query *query, int column, unsigned last, unsigned otherwise) {
    int64_t value = query_integer(query, column);
    return value >= 0 && value <= last ? (unsigned)value : otherwise;
}

void query_text(const struct query *query, int column, char *out, size_t capacity) {
    const char *text = (const char *)sqlite3_column_text(query->statement, column);
    if (!text_copy(out, capacity, text != NULL ? text : "")) {
        out[0] = '\0';
    }
}

struct slice query_slice(const struct query *query, int column) {
    const uint8_t *data = sqlite3_column_blob(query->statement, column);
    int length = data != NULL ? sqlite3_column_bytes(query->statement, column) : 0;
    return (struct slice){data, (size_t)length};
}

size_t query_blob(const struct query *query, int column, uint8_t *out, size_t capacity) {
    struct slice blob = query_slice(query, column);
    if (blob.length == 0 || blob.length > capacity) {
        return 0;
    }
    memcpy(out, blob.data, blob.length);
    return blob.length;
}

bool query_is_null(const struct query *query, int column) {
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

enum error_code query_error(const struct query *query, int column) {
    char text[32];
    query_text(query, column, text, sizeof text);
    return text[0] == '\0' ? ERROR_NONE : error_code_from_text(text);
}

bool store_run(struct store *store, enum statement statement, struct error *error) {
    struct query query = query_begin(store, statement);
    return query_run(&query, error);
}
