// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

bool store_sqlite_select_requests(struct store *store, store_visit_request *visit, void *context,
                                  struct error *error) {
    struct query query = query_begin(store, SQL_REQUESTS_PENDING);
    for (;;) {
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        struct request_record request;
        request_read(&query, 0, &request);
        request.csr = query_slice(&query, REQUEST_COLUMN_COUNT);
        if (!visit(context, &request)) {
            query_end(&query);
            return true;
        }
    }
}

// ---- history ------------------------------------------------------------------------------------

// An event as it is stored.
struct stored_event {
    struct store_event event;
    unsigned state;
    bool refused;
};

static const char *const kind_names[] = {
    [RECORD_ADMIT] = "admit",
    [RECORD_KEY] = "key",
    [RECORD_CSR] = "csr",
    [RECORD_SENT] = "sent",
    [RECORD_REQUEST] = "request",
    [RECORD_CERTIFICATE] = "certificate",
    [RECORD_INSTALL] = "install",
    [RECORD_LOCKING] = "locking",
    [RECORD_RESULT] = "result",
    [RECORD_EVENT] = "event",
    [RECORD_LOAD_CERTIFICATE] = "load certificate",
    [RECORD_LOAD_REQUEST] = "load request",
    [RECORD_REVOKING] = "revoking",
    [RECORD_REVOKED] = "revoked",
    [RECORD_WITHDRAWN] = "withdrawn",
    [RECORD_SCRAP] = "scrap",
    [RECORD_REWORK] = "rework",
};

static const char *const request_names[] = {"none",     "queued",   "sent",    "accepted",
                                            "in doubt", "held",     "refused", "quarantined",
                                            "issued",   "withdrawn"};
static const char *const admission_names[] = {"", "new", "opened again"};
static const char *const install_names[] = {"none", "started", "done", "proved"};
static const char *const result_names[] = {"open", "failed", "passed", "scrapped"};

static const char *name_at(const char *const *names, size_t count, unsigned index) {
    return index < count && names[index] != NULL ? names[index] : "?";
}

// The word for what an event changed, "" where its kind says it all.
static const char *state_word(const struct stored_event *stored) {
    if (stored->refused) {
        return "not recorded";
    }
    switch (stored->event.kind) {
    case RECORD_ADMIT:
        return name_at(admission_names, ARRAY_LENGTH(admission_names), stored->state);
    case RECORD_REQUEST:
    case RECORD_CERTIFICATE:
        return name_at(request_names, ARRAY_LENGTH(request_names), stored->state);
    case RECORD_INSTALL:
        return name_at(install_names, ARRAY_LENGTH(install_names), stored->state);
    case RECORD_RESULT:
        return name_at(result_names, ARRAY_LENGTH(result_names), stored->state);
    default:
        return "";
    }
}

static void event_read(const struct query *query, struct stored_event *stored) {
    struct store_event *event = &stored->event;
    *event = (struct store_event){
        .sequence = (uint32_t)query_integer(query, 0),
        .time_ms = query_integer(query, 1),
        .kind = (enum record_kind)query_integer(query, 2),
        .credential = (uint8_t)query_integer(query, 3),
    };
    stored->state = (unsigned)query_integer(query, 4);
    stored->refused = query_integer(query, 5) != 0;
    query_text(query, 6, event->slot, sizeof event->slot);
    query_text(query, 7, event->code, sizeof event->code);
    query_text(query, 8, event->text, sizeof event->text);
    query_text(query, 9, event->station, sizeof event->station);
    query_text(query, 10, event->operator_name, sizeof event->operator_name);
    snprintf(event->kind_text, sizeof event->kind_text, "%s",
             name_at(kind_names, ARRAY_LENGTH(kind_names), event->kind));
}

static void event_word_put(struct stored_event *stored) {
    const char *word = state_word(stored);
    char text[2 * ERROR_TEXT_MAX];
    bool both = word[0] != '\0' && stored->event.text[0] != '\0';
    snprintf(text, sizeof text, "%s%s%s", word, both ? ": " : "", stored->event.text);
    text[sizeof stored->event.text - 1] = '\0';
    memcpy(stored->event.text, text, sizeof stored->event.text);
}

bool store_sqlite_select_events(struct store *store, int64_t unit_id, store_visit_event *visit,
                                void *context, struct error *error) {
    struct query query = query_begin(store, SQL_UNIT_EVENTS);
    query_bind_integer(&query, unit_id);
    for (;;) {
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        struct stored_event stored;
        event_read(&query, &stored);
        event_word_put(&stored);
        if (!visit(context, &stored.event)) {
            query_end(&query);
            return true;
        }
    }
}

// ---- rows ---------------------------------------------------------------------------------------

static void row_put_key(struct store_row *row, const struct stored_event *stored) {
    if (stored->state != 1) {
        return;
    }
    row->key_ms = stored->event.time_ms;
    // What came before was for another key.
    row->csr_ms = row->sent_ms = row->issued_ms = row->installed_ms = row->proved_ms = 0;
}

static void row_put_install(struct store_row *row, const struct stored_event *stored) {
    if (stored->state == INSTALL_PROVED) {
        row->proved_ms = stored->event.time_ms;
    } else if (stored->state == INSTALL_DONE) {
        row->installed_ms = stored->event.time_ms;
    } else {
        row->installed_ms = row->proved_ms = 0;
    }
}

static void row_put_credential_step(struct store_row *row, const struct stored_event *stored) {
    int64_t time_ms = stored->event.time_ms;
    switch (stored->event.kind) {
    case RECORD_KEY:
        row_put_key(row, stored);
        break;
    case RECORD_CSR:
        row->csr_ms = row->csr_ms == 0 ? time_ms : row->csr_ms;
        break;
    case RECORD_SENT:
        row->sent_ms = time_ms;
        break;
    case RECORD_CERTIFICATE:
        if ((stored->state == REQUEST_ISSUED || stored->state == REQUEST_UNCONFIRMED) &&
            row->issued_ms == 0) {
            row->issued_ms = time_ms;
        }
        break;
    case RECORD_INSTALL:
        row_put_install(row, stored);
        break;
    default:
        break;
    }
}

static void row_put_admission(struct store_row *row, const struct stored_event *stored) {
    if (row->admitted_ms == 0) {
        row->admitted_ms = stored->event.time_ms;
    }
    if (stored->state == ADMISSION_REOPENED) {
        row->finished_ms = 0;
        row->unit_text[0] = '\0';
    }
}

// Steps of another board are none of the credential's. `board` is the one at the event.
static bool is_own_step(const struct store_row *row, const struct stored_event *stored,
                        uint32_t board) {
    return stored->event.credential != 0 && stored->event.credential == row->credential.number &&
           board == row->board;
}

static void row_put_event(struct store_row *row, const struct stored_event *stored,
                          uint32_t board) {
    const struct store_event *event = &stored->event;
    if (event->slot[0] != '\0' || row->slot[0] == '\0') {
        memcpy(row->slot, event->slot, sizeof row->slot);
        memcpy(row->station, event->station, sizeof row->station);
        memcpy(row->operator_name, event->operator_name, sizeof row->operator_name);
    }
    if (stored->refused) {
        return;
    }
    if (event->kind == RECORD_ADMIT) {
        row_put_admission(row, stored);
    } else if (event->kind == RECORD_RESULT || event->kind == RECORD_SCRAP ||
               event->kind == RECORD_REWORK) {
        row->finished_ms = stored->state == UNIT_OPEN ? 0 : event->time_ms;
        memcpy(row->unit_text, event->text, sizeof row->unit_text);
    } else if (is_own_step(row, stored, board)) {
        row_put_credential_step(row, stored);
    }
}

static bool row_put_history(struct store *store, struct store_row *row, struct error *error) {
    struct query query = query_begin(store, SQL_UNIT_EVENTS);
    query_bind_integer(&query, row->unit.unit_id);
    uint32_t board = 1;
    for (;;) {
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        struct stored_event stored;
        event_read(&query, &stored);
        board += stored.event.kind == RECORD_REWORK && !stored.refused ? 1 : 0;
        row_put_event(row, &stored, board);
    }
}

#define ROW_UNIT_COLUMN_COUNT 9
#define ROW_CREDENTIAL ROW_UNIT_COLUMN_COUNT
#define ROW_REQUEST (ROW_CREDENTIAL + CREDENTIAL_COLUMN_COUNT)
#define ROW_CERTIFICATE (ROW_REQUEST + 6)
#define ROW_ENDED (ROW_CERTIFICATE + CERTIFICATE_COLUMN_COUNT)

static const char row_sql[] =
    "SELECT u.id, u.result, u.serial, u.error, u.model, u.firmware, u.lot, u.hardware_id, u.board,"
    " " CREDENTIAL_COLUMNS
    ", c.ca, c.attempt, c.handle, c.board, c.endpoint, x.id, " CERTIFICATE_COLUMNS
    ", x.state, x.reason, x.ended_ms, c.replaces"
    " FROM unit u LEFT JOIN credential c ON c.unit = u.id%s"
    " LEFT JOIN certificate x ON x.id = coalesce("
    "(SELECT id FROM certificate WHERE credential = c.id AND state = 1),"
    " (SELECT max(id) FROM certificate WHERE credential = c.id AND state = 2),"
    " (SELECT max(id) FROM certificate WHERE credential = c.id AND state > 2))"
    " LEFT JOIN issuer i ON i.id = x.issuer WHERE true";

static void row_read(const struct query *query, struct store_row *row) {
    *row = (struct store_row){0};
    row->unit.unit_id = query_integer(query, 0);
    row->unit.result = query_choice(query, 1, UNIT_SCRAPPED, UNIT_FAILED);
    query_text(query, 2, row->unit.serial, sizeof row->unit.serial);
    row->unit_error = query_error(query, 3);
    query_text(query, 4, row->model, sizeof row->model);
    query_text(query, 5, row->firmware, sizeof row->firmware);
    query_text(query, 6, row->lot, sizeof row->lot);
    uint8_t hardware_id[HARDWARE_ID_MAX];
    size_t length = query_blob(query, 7, hardware_id, sizeof hardware_id);
    hex_encode(row->hardware_id_hex, hardware_id, length);
    row->unit.board = (uint32_t)query_integer(query, 8);
    if (query_is_null(query, ROW_CREDENTIAL)) {
        return;
    }
    credential_read(query, ROW_CREDENTIAL, &row->credential);
    query_text(query, ROW_REQUEST, row->ca, sizeof row->ca);
    row->attempt = (uint32_t)query_integer(query, ROW_REQUEST + 1);
    query_text(query, ROW_REQUEST + 2, row->handle, sizeof row->handle);
    row->board = (uint32_t)query_integer(query, ROW_REQUEST + 3);
    row->is_old_board = row->board < row->unit.board;
    query_text(query, ROW_ENDED + 3, row->replaces, sizeof row->replaces);
    query_text(query, ROW_REQUEST + 4, row->endpoint, sizeof row->endpoint);
    row->has_certificate = !query_is_null(query, ROW_REQUEST + 5);
    if (row->has_certificate) {
        certificate_read(query, ROW_CERTIFICATE, &row->certificate);
        row->certificate_state =
            query_choice(query, ROW_ENDED, CERTIFICATE_WITHDRAWN, CERTIFICATE_QUARANTINED);
        query_text(query, ROW_ENDED + 1, row->reason, sizeof row->reason);
        row->ended_ms = query_integer(query, ROW_ENDED + 2);
    }
}

// ---- filters ------------------------------------------------------------------------------------

static const struct {
    const char *name;
    const char *sql;
} state_filters[] = {
    {"open", " AND u.result = 0"},
    {"failed", " AND u.result = 1"},
    {"passed", " AND u.result = 2"},
    {"scrapped", " AND u.result = 3"},
    {"pending", " AND (c.request BETWEEN 1 AND 5 OR c.request = 10) AND c.request <> 5"},
    {"doubt", " AND c.request BETWEEN 4 AND 5"},
    // With those that came beside a live one.
    {"quarantined", " AND (c.request = 7 OR EXISTS (SELECT 1 FROM certificate"
                    " WHERE credential = c.id AND state = 2))"},
    {"withdrawn",
     " AND EXISTS (SELECT 1 FROM certificate WHERE credential = c.id AND state > 2 AND state = 5)"},
    // And no other one took its place.
    {"revoked", " AND EXISTS (SELECT 1 FROM certificate WHERE credential = c.id AND state > 2"
                " AND state = 4) AND NOT EXISTS (SELECT 1 FROM certificate"
                " WHERE credential = c.id AND state = 1)"},
    {"orphan", " AND c.request = 8 AND c.install < 2"},
    // Back into the outbox (request 1) with an error, straight from doubt (4, 5), or from where the
    // station died while it was under way, and sent again. Without an error it went back because the
    // CA was asked and had issued nothing; with any other it had never left.
    {"resent",
     " AND c.attempt > 1 AND EXISTS (SELECT 1 FROM event q WHERE q.unit = c.unit"
     " AND q.credential = c.number AND q.kind = 5 AND q.state = 1 AND q.refused = 0"
     " AND q.code <> '' AND (q.code = 'E-CA-DOUBT' OR (SELECT p.state FROM event p"
     " WHERE p.unit = q.unit AND p.credential = q.credential AND p.kind IN (4, 5)"
     " AND p.refused = 0 AND p.seq < q.seq"
     " ORDER BY p.seq DESC LIMIT 1) IN (4, 5))"
     " AND EXISTS (SELECT 1 FROM event s WHERE s.unit = q.unit AND s.credential = q.credential"
     " AND s.kind = 4 AND s.refused = 0 AND s.seq > q.seq))"},
};

static const char *find_state_filter(const char *state) {
    for (size_t i = 0; i < ARRAY_LENGTH(state_filters); i++) {
        if (strcmp(state_filters[i].name, state) == 0) {
            return state_filters[i].sql;
        }
    }
    return NULL;
}

#define LAST_EVENT_MS " AND (SELECT time_ms FROM event WHERE unit = u.id ORDER BY seq DESC LIMIT 1)"

// Only constant text goes into the SQL; what is looked for is bound, in the same order.
static bool rows_query(struct store *store, const struct store_filter *filter, struct query *query,
                       struct error *error) {
    const char *state = filter->state != NULL ? find_state_filter(filter->state) : "";
    *query = (struct query){.store = store};
    if (state == NULL) {
        return error_set(error, E_USAGE, "there is no state \"%s\" to select", filter->state);
    }
    char *rows = sqlite3_mprintf(row_sql, filter->all_boards ? "" : " AND c.board = u.board");
    char *sql = sqlite3_mprintf("%s%s%s%s%s%s ORDER BY u.id, c.board, c.number", rows,
                                filter->serial[0] != '\0' ? " AND u.serial = ?" : "",
                                filter->lot[0] != '\0' ? " AND u.lot = ?" : "", state,
                                filter->since_ms != 0 ? LAST_EVENT_MS " >= ?" : "",
                                filter->until_ms != 0 ? LAST_EVENT_MS " < ?" : "");
    bool good = rows != NULL && sql != NULL;
    good = good ? query_begin_own(store, sql, query, error)
                : error_set(error, E_MEMORY, "%s: no memory", store->name);
    sqlite3_free(rows);
    sqlite3_free(sql);
    if (!good) {
        return false;
    }
    if (filter->serial[0] != '\0') {
        query_bind_text(query, filter->serial);
    }
    if (filter->lot[0] != '\0') {
        query_bind_text(query, filter->lot);
    }
    if (filter->since_ms != 0) {
        query_bind_integer(query, filter->since_ms);
    }
    if (filter->until_ms != 0) {
        query_bind_integer(query, filter->until_ms);
    }
    return true;
}

static bool visit_rows(struct query *query, store_visit_row *visit, void *context,
                       struct error *error) {
    for (;;) {
        bool found;
        if (!query_row(query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        struct store_row row;
        row_read(query, &row);
        if (!row_put_history(query->store, &row, error)) {
            return false;
        }
        if (!visit(context, &row)) {
            return true;
        }
    }
}

bool store_sqlite_select_rows(struct store *store, const struct store_filter *filter,
                              store_visit_row *visit, void *context, struct error *error) {
    struct query query;
    bool good =
        rows_query(store, filter, &query, error) && visit_rows(&query, visit, context, error);
    query_end_own(&query);
    return good;
}

// ---- certificates -------------------------------------------------------------------------------

#define OF_CERTIFICATE 19

// The new board may not have been seen yet, or its request is on its way back from somewhere. What is at
// the CA for it in another way waits for nothing.
#define AWAITS_SUCCESSOR                                                                           \
    "CASE WHEN x.state = 3 AND u.result <> 3 THEN x.id = (SELECT r.id" REKEYED_CERTIFICATE(        \
        "u.id", "c.number", "u.board", "x.ca") ") AND NOT EXISTS (SELECT 1 FROM credential s"      \
                                               " WHERE s.unit = u.id AND s.board = u.board AND "   \
                                               "s.number = c.number AND (s.request IN"             \
                                               " (8, 9, 10) OR (s.request BETWEEN 2 AND 5 AND "    \
                                               "s.replaces <> lower(hex(x.serial))))) ELSE 0 END"

static const char certificate_sql[] =
    "SELECT x.id, u.id, c.id, u.serial, u.result, c.number, c.board, c.profile, x.ca, c.handle,"
    " c.install, x.state, x.error, x.reason, x.ended_ms, x.time_ms,"
    " (SELECT time_ms FROM event WHERE unit = u.id ORDER BY seq DESC LIMIT 1)," AWAITS_SUCCESSOR
    ", x.endpoint, " CERTIFICATE_COLUMNS
    ", x.leaf, m.der FROM certificate x JOIN credential c ON c.id = x.credential"
    " JOIN unit u ON u.id = c.unit JOIN issuer i ON i.id = x.issuer"
    " JOIN intermediates m ON m.id = x.intermediates"
    " WHERE true%s%s ORDER BY %s";
// By x.id, the indexes below would be passed over. Without them there is nothing to sort, which would take
// the memory of all that is selected.
#define SORTED "+x.id"
#define AS_STORED "x.id"

// The three indexes on certificates by their credentials cover all states between them.
#define OF_ONE_UNIT " AND u.serial = ? AND (x.state = 1 OR x.state = 2 OR x.state > 2)"

static const struct {
    const char *name;
    const char *sql;
} certificate_filters[] = {
    {"orphan", " AND (x.state = 2 OR (x.state = 1 AND c.install < 2))"},
    {"revoking", " AND x.state > 2 AND x.state = 3"}, // as the index has it
    {"withdrawn", " AND x.state > 2 AND x.state = 5"},
};

static void stored_certificate_read(const struct query *query, struct store_certificate *stored) {
    *stored = (struct store_certificate){
        .certificate_id = query_integer(query, 0),
        .unit_id = query_integer(query, 1),
        .credential_id = query_integer(query, 2),
        .result = query_choice(query, 4, UNIT_SCRAPPED, UNIT_FAILED),
        .credential = (uint8_t)query_integer(query, 5),
        .board = (uint32_t)query_integer(query, 6),
        .install = query_choice(query, 10, INSTALL_PROVED, INSTALL_NONE),
        .state = query_choice(query, 11, CERTIFICATE_WITHDRAWN, CERTIFICATE_QUARANTINED),
        .error = query_error(query, 12),
        .ended_ms = query_integer(query, 14),
        .recorded_ms = query_integer(query, 15),
        .active_ms = query_integer(query, 16),
        .awaits_successor = query_integer(query, 17) != 0,
    };
    query_text(query, 3, stored->serial, sizeof stored->serial);
    query_text(query, 7, stored->profile, sizeof stored->profile);
    query_text(query, 8, stored->ca, sizeof stored->ca);
    query_text(query, 9, stored->handle, sizeof stored->handle);
    query_text(query, 13, stored->reason, sizeof stored->reason);
    query_text(query, 18, stored->endpoint, sizeof stored->endpoint);
    certificate_read(query, OF_CERTIFICATE, &stored->certificate);
    stored->certificate.chain = query_slice(query, OF_CERTIFICATE + CERTIFICATE_COLUMN_COUNT);
    stored->intermediates = query_slice(query, OF_CERTIFICATE + CERTIFICATE_COLUMN_COUNT + 1);
}

static bool visit_certificates(struct query *query, store_visit_certificate *visit, void *context,
                               struct error *error) {
    for (;;) {
        bool found;
        struct store_certificate stored;
        if (!query_row(query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        stored_certificate_read(query, &stored);
        if (!visit(context, &stored)) {
            return true;
        }
    }
}

bool store_sqlite_select_certificates(struct store *store, const struct store_filter *filter,
                                      store_visit_certificate *visit, void *context,
                                      struct error *error) {
    const char *state = filter->state == NULL ? "" : NULL;
    struct query query = {.store = store};
    for (size_t i = 0; state == NULL && i < ARRAY_LENGTH(certificate_filters); i++) {
        bool is_it = strcmp(certificate_filters[i].name, filter->state) == 0;
        state = is_it ? certificate_filters[i].sql : NULL;
    }
    if (state == NULL) {
        return error_set(error, E_USAGE, "there is no state \"%s\" to select", filter->state);
    }
    bool is_of_unit = filter->serial[0] != '\0';
    bool is_all = !is_of_unit && state[0] == '\0';
    char *sql = sqlite3_mprintf(certificate_sql, is_of_unit ? OF_ONE_UNIT : "", state,
                                is_all ? AS_STORED : SORTED);
    if (sql == NULL) {
        return error_set(error, E_MEMORY, "%s: no memory", store->name);
    }
    bool good = query_begin_own(store, sql, &query, error);
    sqlite3_free(sql);
    if (good && is_of_unit) {
        query_bind_text(&query, filter->serial);
    }
    good = good && visit_certificates(&query, visit, context, error);
    query_end_own(&query);
    return good;
}
