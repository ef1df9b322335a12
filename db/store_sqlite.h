// SPDX-License-Identifier: Apache-2.0
// Inside the SQLite store: what its parts, store_sqlite*.c, share. For nobody else.
#ifndef BIRTHCERT_DB_STORE_SQLITE_H
#define BIRTHCERT_DB_STORE_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/store.h"
#include "station/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

#define CHECKPOINT_PAGES 1000           // of 4096 bytes in the WAL
#define STORE_APPLICATION_ID 0x62637274 // "bcrt", at offset 68 of the file

// The columns that credential_read, request_read and certificate_read take.
#define CREDENTIAL_COLUMNS                                                                         \
    "c.id, c.number, c.key_type, c.profile, c.job_id, c.spki_sha256, c.request, c.install, "       \
    "c.error"
#define CREDENTIAL_COLUMN_COUNT 9
#define REQUEST_COLUMNS                                                                            \
    "c.unit, c.id, c.request, c.attempt, c.sent_ms, c.not_before_s, c.key_type, c.spki_sha256,"    \
    " u.serial, u.model, c.profile, c.handle, u.hardware_id, c.ca, c.error, c.endpoint, "          \
    "c.replaces,"                                                                                  \
    " (SELECT r.not_after_ms FROM certificate r JOIN credential o ON o.id = r.credential"          \
    " WHERE c.replaces <> '' AND o.unit = c.unit AND o.number = c.number AND r.state > 2"          \
    " AND lower(hex(r.serial)) = c.replaces LIMIT 1)"
#define REQUEST_COLUMN_COUNT 18
#define CERTIFICATE_COLUMNS                                                                        \
    "x.sha256, x.spki_sha256, x.serial, i.name, x.subject, x.not_before_ms, x.not_after_ms"
#define CERTIFICATE_COLUMN_COUNT 7

// The certificate that a request of the unit's new board rekeys at that CA: the latest one of an older
// board, good, and superseded by the new board. The arguments are SQL.
#define REKEYED_CERTIFICATE(unit, number, board, ca)                                               \
    " FROM certificate r JOIN credential o ON o.id = r.credential WHERE o.unit = " unit            \
    " AND o.number = " number " AND o.board < " board " AND r.state > 2 AND r.state = 3"           \
    " AND r.reason = 'superseded' AND r.error = '' AND r.serial IS NOT NULL AND r.ca = " ca        \
    " ORDER BY o.board DESC, r.id DESC LIMIT 1"

// event.state of RECORD_ADMIT
enum admission_state { ADMISSION_KNOWN = 0, ADMISSION_NEW = 1, ADMISSION_REOPENED = 2 };

// Every statement of the commit path, prepared once at open. The SQL is in store_sqlite_query.c.
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_SAVEPOINT_RELEASE,
    SQL_SAVEPOINT_ROLLBACK,
    SQL_SESSION_INSERT,
    SQL_EVENT_INSERT,
    SQL_UNIT_BY_SERIAL,
    SQL_UNIT_BY_ID,
    SQL_UNIT_INSERT,
    SQL_UNIT_UPDATE,
    SQL_UNIT_RESULT,
    SQL_UNIT_CREDENTIALS,
    SQL_UNIT_UNPROVED,
    SQL_UNIT_UNWANT,
    SQL_UNIT_PRUNE,
    SQL_UNIT_EVENTS,
    SQL_UNIT_IN_USE,
    SQL_UNIT_WITHDRAW_OPEN,
    SQL_UNIT_UNWANT_ALL,
    SQL_UNIT_NEW_BOARD,
    SQL_UNIT_OLD_KEY,
    SQL_CREDENTIAL_BY_ID,
    SQL_CREDENTIAL_BY_NUMBER,
    SQL_CREDENTIAL_INSERT,
    SQL_CREDENTIAL_WANTED,
    SQL_CREDENTIAL_KEY,
    SQL_CREDENTIAL_QUEUED,
    SQL_CREDENTIAL_SENT,
    SQL_CREDENTIAL_REKEYED,
    SQL_CREDENTIAL_REQUEST,
    SQL_CREDENTIAL_INSTALL,
    SQL_SPKI_OWNER,
    SQL_CSR_PUT,
    SQL_OFFER_PUT,
    SQL_OFFER_DROP,
    SQL_REQUEST_BY_ID,
    SQL_REQUESTS_PENDING,
    SQL_ISSUER_FIND,
    SQL_ISSUER_INSERT,
    SQL_INTERMEDIATES_FIND,
    SQL_INTERMEDIATES_INSERT,
    SQL_CERTIFICATE_BY_SHA256,
    SQL_CERTIFICATE_BY_SERIAL,
    SQL_CERTIFICATE_INSERT,
    SQL_CERTIFICATE_UPDATE,
    SQL_CERTIFICATE_WITHDRAW,
    SQL_CERTIFICATE_LIVE,
    SQL_CERTIFICATE_BY_ID,
    SQL_CERTIFICATE_END,
    SQL_CREDENTIAL_END,
    SQL_STATEMENT_COUNT,
};

struct store {
    struct sqlite3 *connection;
    struct sqlite3_stmt *statements[SQL_STATEMENT_COUNT];
    enum store_mode mode;
    int lock; // descriptor that holds the writer's lock, -1 in a reader
    int64_t session_id;
    int wal_pages;     // after the last commit
    int checkpoint_at; // pages of the WAL that the next checkpoint waits for
    char *path;        // as SQLite opens it
    char name[128];    // the path for messages, escaped, its end where it is too long
};

// ---- store_sqlite_query.c -----------------------------------------------------------------------

// Sets the code that goes with SQLite's last error on this connection, with its message, the path
// and what was being done. Returns false, always.
bool store_fail(struct store *store, struct error *error, const char *doing);

// One use of a statement: bind its parameters in their order, then run it or read its rows. What
// goes wrong while binding is kept and reported when it runs.
struct query {
    struct store *store;
    struct sqlite3_stmt *statement;
    int bound;
    int status;
};

MUST_CHECK bool store_prepare(struct store *store, struct error *error);
void store_finalize(struct store *store);

struct query query_begin(struct store *store, enum statement statement);
void query_bind_integer(struct query *query, int64_t value);
void query_bind_text(struct query *query, const char *text); // lives until the query ends
void query_bind_blob(struct query *query, const void *data, size_t length);
void query_bind_null(struct query *query);
void query_bind_error(struct query *query, enum error_code code); // '' for ERROR_NONE

// Runs a statement that has no rows to read, and ends the query.
MUST_CHECK bool query_run(struct query *query, struct error *error);

// The next row. Where there is none, or on an error, the query is ended.
MUST_CHECK bool query_row(struct query *query, bool *found, struct error *error);
void query_end(struct query *query);

// Columns of the row, from 0. Text and blobs are copied; what does not fit reads as "" and 0 bytes.
int64_t query_integer(const struct query *query, int column);
// One of the numbers 0 to `last`; `otherwise` where a damaged file holds another.
unsigned query_choice(const struct query *query, int column, unsigned last, unsigned otherwise);
void query_text(const struct query *query, int column, char *out, size_t capacity);
size_t query_blob(const struct query *query, int column, uint8_t *out, size_t capacity);
bool query_is_null(const struct query *query, int column);
struct slice query_slice(const struct query *query, int column); // until the next row
enum error_code query_error(const struct query *query, int column);

// A query with SQL of its own; query_end_own ends it, and must follow also on failure.
MUST_CHECK bool query_begin_own(struct store *store, const char *sql, struct query *query,
                                struct error *error);
void query_end_own(struct query *query);

// Runs a statement without parameters.
MUST_CHECK bool store_run(struct store *store, enum statement statement, struct error *error);

// ---- store_sqlite_schema.c ----------------------------------------------------------------------

// Finds out whether the file is ours. E_STORE_FOREIGN, E_STORE_NEWER, E_STORE_CORRUPT.
MUST_CHECK bool store_identify(struct store *store, int *version, struct error *error);

// Brings the schema from `version` up to SCHEMA_VERSION, each step in one transaction.
MUST_CHECK bool store_migrate(struct store *store, int version, struct error *error);

// Copies the database to PATH.backup-vVERSION, durably.
MUST_CHECK bool store_backup(struct store *store, int version, struct error *error);

// ---- store_sqlite_commit.c ----------------------------------------------------------------------

// One record on its way into the database.
struct change {
    struct store *store;
    const struct record *record;
    struct answer *answer;
    struct arena *answer_bytes;
    int64_t unit_id;
    enum unit_result unit_result;
    char serial[SERIAL_SIZE];
    struct credential_record credential; // where the record names one
    bool is_old_board;                   // the credential is of a board that was swapped
    uint32_t attempt;                    // of its request: 0 when it never left
    unsigned state;                      // for the event: the new state of what it is about
    char note[ERROR_TEXT_MAX];           // for the event, behind the record's text; escaped
};

bool store_sqlite_commit(struct store *store, struct batch *batch, struct error *error);

// Refuses the record: its event then tells of the refusal. Returns true: the others go on.
bool change_refuse(struct change *change, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

// Adds to the note of the change's event.
void change_note(struct change *change, const char *format, ...) PRINTF_LIKE(2, 3);

// ---- store_sqlite_unit.c, _request.c, _certificate.c, _revoke.c ---------------------------------

// Each applies one kind of record, or refuses it. False only where the database failed.
typedef bool change_apply(struct change *change, struct error *error);

change_apply change_admit;
change_apply change_result;
change_apply change_key;
change_apply change_csr;
change_apply change_sent;
change_apply change_request;
change_apply change_load_request;
change_apply change_certificate;
change_apply change_install;
change_apply change_load_certificate;
change_apply change_end_certificate;
change_apply change_revoked;
change_apply change_scrap;
change_apply change_rework;

// Each reads its columns, above, from `column` on. Neither a CSR nor a chain is among them.
void credential_read(const struct query *query, int column, struct credential_record *credential);
void certificate_read(const struct query *query, int column,
                      struct certificate_record *certificate);
void request_read(const struct query *query, int column, struct request_record *request);

// ---- store_sqlite_select.c, store_sqlite_check.c ------------------------------------------------

bool store_sqlite_select_requests(struct store *store, store_visit_request *visit, void *context,
                                  struct error *error);
bool store_sqlite_select_rows(struct store *store, const struct store_filter *filter,
                              store_visit_row *visit, void *context, struct error *error);
bool store_sqlite_select_events(struct store *store, int64_t unit_id, store_visit_event *visit,
                                void *context, struct error *error);
bool store_sqlite_select_certificates(struct store *store, const struct store_filter *filter,
                                      store_visit_certificate *visit, void *context,
                                      struct error *error);
bool store_sqlite_check(struct store *store, struct error *error);

#endif
