// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

// What SQLite says of its own file: one row "ok", or one for each fault.
static bool check_pages(struct store *store, struct error *error) {
    struct query query;
    bool found = false;
    bool good = query_begin_own(store, "PRAGMA quick_check(1)", &query, error) &&
                query_row(&query, &found, error);
    if (good && found) {
        char text[ERROR_TEXT_MAX];
        query_text(&query, 0, text, sizeof text);
        if (strcmp(text, "ok") != 0) {
            good = error_set(error, E_STORE_CORRUPT, "%s: %s", store->name, text);
        }
    }
    query_end_own(&query);
    return good;
}

// What no state of the rows may contradict. Each finds the serials of the units that do; the schema
// keeps most of it out, and this finds what got in past the schema.
static const struct {
    const char *sql;
    const char *what;
} invariants[] = {
    {"SELECT \"table\" FROM pragma_foreign_key_check", "a row of this table refers to nothing"},
    {"SELECT name FROM (SELECT 'event_keep_update' AS name UNION ALL SELECT 'event_keep_delete'"
     " UNION ALL SELECT 'certificate_live') WHERE name NOT IN (SELECT name FROM sqlite_schema)",
     "this guard of the schema is gone"},
    {"SELECT u.serial FROM certificate x JOIN credential c ON c.id = x.credential"
     " JOIN unit u ON u.id = c.unit WHERE x.state = 1 GROUP BY x.credential HAVING count(*) > 1",
     "two live certificates for one credential"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit WHERE (c.request IN (8, 10)) "
     "<>"
     " EXISTS (SELECT 1 FROM certificate x WHERE x.credential = c.id AND x.state = 1)",
     "the request's state and the live certificate disagree"},
    {"SELECT u.serial FROM certificate x JOIN credential c ON c.id = x.credential"
     " JOIN unit u ON u.id = c.unit WHERE x.state = 1 AND x.spki_sha256 IS NOT c.spki_sha256",
     "the live certificate is for another key"},
    {"SELECT u.serial FROM credential a JOIN credential b ON b.spki_sha256 = a.spki_sha256"
     " AND b.id > a.id JOIN unit u ON u.id = b.unit",
     "its key is another credential's too"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit WHERE c.request > 0"
     " AND (c.spki_sha256 IS NULL OR NOT EXISTS (SELECT 1 FROM csr WHERE credential = c.id))",
     "a request without a CSR"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit"
     " WHERE c.request BETWEEN 2 AND 5 AND c.attempt = 0",
     "a request in progress that never left"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit WHERE c.request = 10"
     " AND NOT EXISTS (SELECT 1 FROM offer WHERE credential = c.id)",
     "an unconfirmed certificate without what the CA said"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit"
     " WHERE c.install > 0 AND c.request NOT IN (8, 9)",
     "an install without a certificate"},
    {"SELECT u.serial FROM unit u WHERE u.result = 2 AND (NOT EXISTS (SELECT 1 FROM credential"
     " WHERE unit = u.id AND wanted = 1) OR EXISTS (SELECT 1 FROM credential WHERE unit = u.id"
     " AND wanted = 1 AND install <> 3))",
     "passed with a credential that is not proved"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit WHERE u.result = 3"
     " AND (c.request BETWEEN 1 AND 5 OR c.request IN (8, 10))",
     "scrapped with a certificate in use, or a request in progress"},
    {"SELECT u.serial FROM credential c JOIN unit u ON u.id = c.unit WHERE c.board <> u.board"
     " AND (c.board > u.board OR c.wanted = 1 OR c.request BETWEEN 1 AND 5 OR c.request IN (8, "
     "10))",
     "a credential in use of a board that it has no more"},
    {"SELECT u.serial FROM certificate x JOIN credential c ON c.id = x.credential"
     " JOIN unit u ON u.id = c.unit WHERE (x.state > 2) <> (x.reason <> '' AND x.ended_ms <> 0)",
     "a certificate that is out of use without a reason or a time, or the reverse"},
    {"SELECT u.serial FROM unit u WHERE (SELECT count(*) FROM event WHERE unit = u.id) <>"
     " coalesce((SELECT max(seq) FROM event WHERE unit = u.id), -1)",
     "its history has a gap"},
};

static bool check_invariant(struct store *store, size_t index, struct error *error) {
    struct query query;
    bool found = false;
    bool good = query_begin_own(store, invariants[index].sql, &query, error) &&
                query_row(&query, &found, error);
    if (good && found) {
        char serial[SERIAL_SIZE];
        query_text(&query, 0, serial, sizeof serial);
        good = error_set(error, E_STORE_CORRUPT, "%s: %s: %s", store->name, serial,
                         invariants[index].what);
    }
    query_end_own(&query);
    return good;
}

bool store_sqlite_check(struct store *store, struct error *error) {
    if (!check_pages(store, error)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(invariants); i++) {
        if (!check_invariant(store, i, error)) {
            return false;
        }
    }
    return true;
}
