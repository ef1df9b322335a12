// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

static change_apply change_nothing;

static const struct {
    change_apply *apply;
    bool is_of_credential;
    bool is_read; // leaves no event
    bool is_work; // not for a unit that was scrapped, nor for a board that was swapped
} handlers[] = {
    [RECORD_ADMIT] = {change_admit, false, false, false},
    [RECORD_KEY] = {change_key, true, false, true},
    [RECORD_CSR] = {change_csr, true, false, true},
    [RECORD_SENT] = {change_sent, true, false, true},
    [RECORD_REQUEST] = {change_request, true, false, true},
    [RECORD_CERTIFICATE] = {change_certificate, true, false, false},
    [RECORD_INSTALL] = {change_install, true, false, true},
    [RECORD_LOCKING] = {change_nothing, false, false, true},
    [RECORD_RESULT] = {change_result, false, false, true},
    [RECORD_EVENT] = {change_nothing, false, false, false},
    [RECORD_LOAD_CERTIFICATE] = {change_load_certificate, true, true, false},
    [RECORD_LOAD_REQUEST] = {change_load_request, true, true, false},
    [RECORD_REVOKING] = {change_end_certificate, true, false, false},
    [RECORD_REVOKED] = {change_revoked, true, false, false},
    [RECORD_WITHDRAWN] = {change_end_certificate, true, false, false},
    [RECORD_SCRAP] = {change_scrap, false, false, true},
    [RECORD_REWORK] = {change_rework, false, false, true},
};

static bool change_nothing(struct change *change, struct error *error) {
    (void)change;
    (void)error;
    return true;
}

bool change_refuse(struct change *change, enum error_code code, const char *format, ...) {
    char raw[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    struct error escaped;
    error_set(&escaped, code, "%s", raw);
    change->answer->code = code;
    memcpy(change->answer->text, escaped.text, sizeof escaped.text);
    return true;
}

// Joins with "; ", and cuts what has no room.
static void text_append(char *text, size_t capacity, const char *more) {
    char both[2 * ERROR_TEXT_MAX + 2];
    if (more[0] != '\0') {
        snprintf(both, sizeof both, "%s%s%s", text, text[0] != '\0' ? "; " : "", more);
        both[capacity - 1] = '\0';
        memcpy(text, both, strlen(both) + 1);
    }
}

void change_note(struct change *change, const char *format, ...) {
    char raw[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    struct error escaped;
    error_set(&escaped, ERROR_NONE, "%s", raw);
    text_append(change->note, sizeof change->note, escaped.text);
}

void credential_read(const struct query *query, int column, struct credential_record *credential) {
    *credential = (struct credential_record){
        .credential_id = query_integer(query, column),
        .number = (uint8_t)query_integer(query, column + 1),
        .key_type = (uint8_t)query_integer(query, column + 2),
        .request = query_choice(query, column + 6, REQUEST_UNCONFIRMED, REQUEST_HELD),
        .install = query_choice(query, column + 7, INSTALL_PROVED, INSTALL_NONE),
        .error = query_error(query, column + 8),
    };
    query_text(query, column + 3, credential->profile, sizeof credential->profile);
    query_blob(query, column + 4, credential->job_id, sizeof credential->job_id);
    credential->has_key =
        query_blob(query, column + 5, credential->spki_sha256, SHA256_SIZE) == SHA256_SIZE;
}

static bool load_unit(struct change *change, bool *found, struct error *error) {
    struct query query = query_begin(change->store, SQL_UNIT_BY_ID);
    query_bind_integer(&query, change->record->unit_id);
    if (!query_row(&query, found, error)) {
        return false;
    }
    if (*found) {
        change->unit_id = change->record->unit_id;
        query_text(&query, 0, change->serial, sizeof change->serial);
        change->unit_result = query_choice(&query, 1, UNIT_SCRAPPED, UNIT_FAILED);
        query_end(&query);
    }
    return true;
}

static bool load_credential(struct change *change, bool *found, struct error *error) {
    struct query query = query_begin(change->store, SQL_CREDENTIAL_BY_ID);
    query_bind_integer(&query, change->record->credential_id);
    query_bind_integer(&query, change->record->unit_id);
    if (!query_row(&query, found, error)) {
        return false;
    }
    if (*found) {
        change->unit_id = change->record->unit_id;
        query_text(&query, 0, change->serial, sizeof change->serial);
        change->unit_result = query_choice(&query, 1, UNIT_SCRAPPED, UNIT_FAILED);
        change->attempt = (uint32_t)query_integer(&query, 2);
        change->is_old_board = query_integer(&query, 3) != 0;
        credential_read(&query, 4, &change->credential);
        query_end(&query);
    }
    return true;
}

// Loads what the record is about, or refuses the record.
static bool change_load(struct change *change, bool is_of_credential, struct error *error) {
    const struct record *record = change->record;
    bool found = false;
    if (record->credential_id != 0 || is_of_credential) {
        if (!load_credential(change, &found, error)) {
            return false;
        }
        if (found) {
            return true;
        }
    }
    if (!load_unit(change, &found, error)) {
        return false;
    }
    if (!found) {
        return change_refuse(change, E_STORE_UNKNOWN, "there is no unit %lld",
                             (long long)record->unit_id);
    }
    if (record->credential_id != 0 || is_of_credential) {
        return change_refuse(change, E_STORE_UNKNOWN, "%s has no credential with id %lld",
                             change->serial, (long long)record->credential_id);
    }
    return true;
}

static void check_is_open(struct change *change) {
    if (!handlers[change->record->kind].is_work || change->answer->code != ERROR_NONE) {
        return;
    }
    if (change->unit_result == UNIT_SCRAPPED) {
        change_refuse(change, E_UNIT_SCRAPPED, "%s was scrapped", change->serial);
    } else if (change->is_old_board) {
        change_refuse(change, E_STORE_CONFLICT, "%s, credential %d, is of a board that was swapped",
                      change->serial, change->credential.number);
    }
}

static bool change_write_event(struct change *change, struct error *error) {
    const struct record *record = change->record;
    bool refused = change->answer->code != ERROR_NONE;
    char text[ERROR_TEXT_MAX];
    memcpy(text, refused ? change->answer->text : record->text, sizeof text);
    if (!refused) {
        text_append(text, sizeof text, change->note);
    }
    struct query query = query_begin(change->store, SQL_EVENT_INSERT);
    query_bind_integer(&query, change->unit_id);
    query_bind_integer(&query, record->time_ms);
    query_bind_integer(&query, change->store->session_id);
    query_bind_integer(&query, record->kind);
    query_bind_integer(&query, change->credential.number);
    query_bind_integer(&query, refused ? 0 : change->state);
    query_bind_integer(&query, refused);
    query_bind_text(&query, record->slot);
    query_bind_error(&query, refused ? change->answer->code : record->error);
    query_bind_text(&query, text);
    return query_run(&query, error);
}

static bool commit_record(struct change *change, struct error *error) {
    enum record_kind kind = change->record->kind;
    assert(kind >= RECORD_ADMIT && kind <= RECORD_REWORK);
    if (kind != RECORD_ADMIT && !change_load(change, handlers[kind].is_of_credential, error)) {
        return false;
    }
    check_is_open(change);
    if (change->answer->code == ERROR_NONE && !handlers[kind].apply(change, error)) {
        return false;
    }
    bool is_silent = change->unit_id == 0 || // a unit that is not there has no history
                     (handlers[kind].is_read && change->answer->code == ERROR_NONE);
    return is_silent || change_write_event(change, error);
}

// The schema itself refused the record, which the code before it should have done: what the record
// wrote is taken back, and it is refused like any other.
static bool take_back_record(struct change *change, const struct error *refusal,
                             struct error *error) {
    struct change empty = {
        .store = change->store,
        .record = change->record,
        .answer = change->answer,
        .unit_id = change->record->unit_id,
    };
    memset(change->answer, 0, sizeof *change->answer);
    change_refuse(&empty, refusal->code, "%s", refusal->text);
    bool found = false;
    return store_run(change->store, SQL_SAVEPOINT_ROLLBACK, error) &&
           (empty.unit_id == 0 || load_unit(&empty, &found, error)) &&
           (!found || change_write_event(&empty, error));
}

static bool commit_record_apart(struct change *change, struct error *error) {
    struct store *store = change->store;
    struct error refusal = {0};
    if (!store_run(store, SQL_SAVEPOINT, error)) {
        return false;
    }
    if (!commit_record(change, &refusal)) {
        if (refusal.code != E_STORE_CONFLICT) {
            *error = refusal;
            return false;
        }
        if (!take_back_record(change, &refusal, error)) {
            return false;
        }
    }
    return store_run(store, SQL_SAVEPOINT_RELEASE, error);
}

static bool commit_records(struct store *store, struct batch *batch, bool apart,
                           struct error *error) {
    arena_clear(&batch->answer_bytes);
    memset(batch->answers, 0, batch->count * sizeof *batch->answers);
    for (size_t i = 0; i < batch->count; i++) {
        struct change change = {
            .store = store,
            .record = &batch->records[i],
            .answer = &batch->answers[i],
            .answer_bytes = &batch->answer_bytes,
        };
        if (apart ? !commit_record_apart(&change, error) : !commit_record(&change, error)) {
            return false;
        }
    }
    return true;
}

static bool commit_transaction(struct store *store, struct batch *batch, bool apart,
                               struct error *error) {
    if (!store_run(store, SQL_BEGIN, error)) {
        return false;
    }
    if (commit_records(store, batch, apart, error) && store_run(store, SQL_COMMIT, error)) {
        return true;
    }
    struct error also;
    if (sqlite3_get_autocommit(store->connection) == 0 && !store_run(store, SQL_ROLLBACK, &also)) {
        error_prefix(error, "and it could not be taken back");
    }
    return false;
}

// The answer stands by now: what goes wrong here goes wrong again, and is reported, in a commit.
static void checkpoint_when_due(struct store *store) {
    if (store->wal_pages < store->checkpoint_at) {
        return;
    }
    int pages = 0;
    int done = 0;
    sqlite3_wal_checkpoint_v2(store->connection, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &done);
    // A reader may hold on to an old state: then not again at each commit.
    store->checkpoint_at = (done < pages ? store->wal_pages : 0) + CHECKPOINT_PAGES;
}

bool store_sqlite_commit(struct store *store, struct batch *batch, struct error *error) {
    arena_clear(&batch->answer_bytes);
    if (batch->count == 0) {
        return true;
    }
    if (store->mode == STORE_READ) {
        return error_set(error, E_STORE_READONLY, "%s: opened for reading only", store->name);
    }
    // Records are refused by looking first. A savepoint for each would cost more than the records,
    // so there is one only after the schema had to stop what the looking let through.
    struct error first = {0};
    if (!commit_transaction(store, batch, false, &first)) {
        if (first.code != E_STORE_CONFLICT) {
            *error = first;
            return false;
        }
        if (!commit_transaction(store, batch, true, error)) {
            return false;
        }
    }
    checkpoint_when_due(store);
    return true;
}
