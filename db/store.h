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
    const char *state; // NULL, or "open", "failed", "passed", "scrapped", "pending" (a request in
        // progress), "doubt" (in doubt or held), "quarantined", "withdrawn" (out of use, and not
        // revoked), "revoked" (and no other is live), "orphan" (issued, not installed), "resent"
        // (sent again after a lost answer, and the CA could not be asked)
    bool all_boards;  // with the credentials of boards that were swapped
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
    char endpoint[ENDPOINT_SIZE]; // where the last attempt went, "" where that is not known
    uint32_t attempt;
    char handle[HANDLE_SIZE];
    uint32_t board;                        // that the credential is on
    bool is_old_board;                     // it was swapped for another
    bool has_certificate;                  // live, else the latest quarantined, else the latest
    struct certificate_record certificate; // chain is empty
    enum certificate_state certificate_state;
    char reason[REASON_SIZE]; // of a certificate that is out of use, and since when
    int64_t ended_ms;
    char replaces[HANDLE_SIZE]; // see request_record
    // Wall clock of each step, 0 where it was not reached.
    int64_t admitted_ms, key_ms, csr_ms, sent_ms, issued_ms, installed_ms, proved_ms, finished_ms;
};

// One certificate, and whose it is.
struct store_certificate {
    int64_t certificate_id;
    int64_t unit_id;
    int64_t credential_id;
    char serial[SERIAL_SIZE]; // the camera's
    enum unit_result result;
    uint8_t credential; // the camera's number of it
    uint32_t board;
    char profile[NAME_SIZE];
    char ca[NAME_SIZE];           // that issued it, "" where that is not known
    char endpoint[ENDPOINT_SIZE]; // where that CA was, "" where that is not known
    char handle[HANDLE_SIZE];     // of the credential's last request
    enum install_state install;
    enum certificate_state state;
    enum error_code error;    // of one that is quarantined
    char reason[REASON_SIZE]; // of one that is out of use, and since when
    int64_t ended_ms;
    int64_t recorded_ms;
    int64_t active_ms; // the unit's last event
    // To be revoked as superseded; the request of the camera's new board rekeys it before, or would where
    // its CA does that.
    bool awaits_successor;
    struct certificate_record certificate; // chain: the leaf alone, during the visit only
    struct slice intermediates;            // what came along, or leads to a root; likewise
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
typedef bool store_visit_certificate(void *context, const struct store_certificate *certificate);

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

    // By `serial` and `state` of the filter: NULL for all, "orphan" (quarantined, or live and not
    // installed), "revoking", "withdrawn". Oldest first.
    bool (*select_certificates)(struct store *store, const struct store_filter *filter,
                                store_visit_certificate *visit, void *context, struct error *error);

    // Integrity of the file and of what the rows say of each other; for doctor.
    bool (*check)(struct store *store, struct error *error);
};

extern const struct store_ops store_sqlite;

#endif
