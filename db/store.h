// SPDX-License-Identifier: Apache-2.0
// The store: where units, requests, certificates and history are kept. One writing process per
// database. All functions block; the station calls `commit` on a thread of its own, one at a time,
// and nothing else while a commit runs.
#ifndef BIRTHCERT_DB_STORE_H
#define BIRTHCERT_DB_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/record.h"
#include "station/base/error.h"

struct store;

enum store_mode {
    STORE_CREATE, // birthcert init: fails where the file exists
    STORE_WRITE,  // the one writer; migrates an older schema after a backup
    STORE_READ,   // beside a writer; never changes the file
};

// Who writes: stored once for each opening, referred to by every event.
struct store_session {
    char station[NAME_SIZE];
    char operator_name[NAME_SIZE];
    char version[NAME_SIZE];
};

// What list and export select; zero or "" where it does not matter.
struct store_filter {
    char serial[SERIAL_SIZE];
    char lot[NAME_SIZE];
    const char *state; // NULL, or "open", "failed", "passed", "pending" (a request in progress),
        // "doubt" (in doubt or held), "quarantined", "orphan" (issued, not installed)
    int64_t since_ms; // by the time of the unit's last event
    int64_t until_ms;
};

// One row of list and export: a unit with one of its credentials (or none: number 0).
struct store_row {
    struct unit_record unit; // its credential_count is 0: the credential is below
    char model[NAME_SIZE];
    char firmware[NAME_SIZE];
    char hardware_id_hex[2 * HARDWARE_ID_MAX + 1];
    char lot[NAME_SIZE];
    char slot[NAME_SIZE]; // of the last event on a bench
    char station[NAME_SIZE];
    char operator_name[NAME_SIZE];
    enum error_code unit_error;
    char unit_text[ERROR_TEXT_MAX];
    struct credential_record credential;
    char ca[NAME_SIZE];
    uint32_t attempt;
    char handle[HANDLE_SIZE];
    bool has_certificate;                  // live, else the latest quarantined one
    struct certificate_record certificate; // chain is empty
    // Wall clock of each step, 0 where it was not reached.
    int64_t admitted_ms, key_ms, csr_ms, sent_ms, issued_ms, installed_ms, proved_ms, finished_ms;
};

// One line of a unit's history.
struct store_event {
    uint32_t sequence;
    int64_t time_ms;
    enum record_kind kind;
    char kind_text[32]; // "admit", "key", "csr", "sent", "request", ...
    uint8_t credential; // the camera's number, 0 for the unit
    char slot[NAME_SIZE];
    char station[NAME_SIZE];
    char operator_name[NAME_SIZE];
    char code[32];
    char text[ERROR_TEXT_MAX];
};

// Visitors return false to stop early; the select then still succeeds.
typedef bool store_visit_row(void *context, const struct store_row *row);
typedef bool store_visit_event(void *context, const struct store_event *event);
typedef bool store_visit_request(void *context, const struct request_record *request);

struct store_ops {
    const char *name;

    // Opens `location` (for SQLite a file). STORE_LOCKED, READONLY, FOREIGN, NEWER and CORRUPT say
    // what a person has to do. `session` may be NULL in STORE_READ.
    bool (*open)(const char *location, enum store_mode mode, const struct store_session *session,
                 struct store **store, struct error *error);
    void (*close)(struct store *store); // takes NULL

    // Makes the batch durable in one transaction and fills its answers. False: nothing of it is.
    bool (*commit)(struct store *store, struct batch *batch, struct error *error);

    // Requests that are in progress (QUEUED, SENT, ACCEPTED, DOUBT), oldest first. Their CSR is
    // valid during the visit.
    bool (*select_requests)(struct store *store, store_visit_request *visit, void *context,
                            struct error *error);
    bool (*select_rows)(struct store *store, const struct store_filter *filter,
                        store_visit_row *visit, void *context, struct error *error);
    bool (*select_events)(struct store *store, int64_t unit_id, store_visit_event *visit,
                          void *context, struct error *error);

    // Integrity of the file and of what the rows say of each other; for doctor.
    bool (*check)(struct store *store, struct error *error);
};

extern const struct store_ops store_sqlite;

#endif
