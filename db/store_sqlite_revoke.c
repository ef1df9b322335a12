// SPDX-License-Identifier: Apache-2.0
// What the PKI officer does to a unit: certificates that go out of use, units that are closed, and
// boards that are swapped.
#include <assert.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

// The certificate that the record is about.
struct ending {
    enum certificate_state state;
    bool has_other_quarantined; // the credential
    char hex[2 * CERTIFICATE_SERIAL_MAX + 1];
};

// Finds it, or refuses the record.
static bool find_certificate(struct change *change, struct ending *ending, struct error *error) {
    uint8_t serial[CERTIFICATE_SERIAL_MAX];
    struct query query = query_begin(change->store, SQL_CERTIFICATE_BY_ID);
    query_bind_integer(&query, change->record->certificate_id);
    query_bind_integer(&query, change->record->credential_id);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (!found) {
        return change_refuse(change, E_STORE_UNKNOWN,
                             "%s, credential %d, has no certificate with id %lld", change->serial,
                             change->credential.number, (long long)change->record->certificate_id);
    }
    ending->state = query_choice(&query, 0, CERTIFICATE_WITHDRAWN, CERTIFICATE_REVOKED);
    hex_encode(ending->hex, serial, query_blob(&query, 1, serial, sizeof serial));
    ending->has_other_quarantined = query_integer(&query, 2) != 0;
    query_end(&query);
    return true;
}

static bool end_certificate(struct change *change, enum certificate_state state,
                            struct error *error) {
    struct query query = query_begin(change->store, SQL_CERTIFICATE_END);
    query_bind_integer(&query, change->record->certificate_id);
    query_bind_integer(&query, state);
    query_bind_text(&query, change->record->reason);
    query_bind_integer(&query, change->record->time_ms);
    return query_run(&query, error);
}

// With its certificate the credential goes out of use: nothing more is asked for its key. A surplus
// beside a live certificate changes nothing for the camera.
static bool end_credential(struct change *change, const struct ending *ending,
                           struct error *error) {
    enum request_state request = change->credential.request;
    bool was_in_quarantine = ending->state == CERTIFICATE_QUARANTINED &&
                             request == REQUEST_QUARANTINED && !ending->has_other_quarantined;
    if (ending->state != CERTIFICATE_LIVE && !was_in_quarantine) {
        return true;
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_END);
    query_bind_integer(&query, change->record->credential_id);
    return query_run(&query, error);
}

bool change_end_certificate(struct change *change, struct error *error) {
    enum certificate_state wanted =
        change->record->kind == RECORD_REVOKING ? CERTIFICATE_REVOKING : CERTIFICATE_WITHDRAWN;
    struct ending ending = {0};
    if (!find_certificate(change, &ending, error)) {
        return false;
    }
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    if (change->record->reason[0] == '\0') {
        return change_refuse(change, E_STORE_CONFLICT, "a revocation without a reason");
    }
    // Once a CA was asked, only its word ends that; that it revokes nothing is such a word, too.
    if (ending.state == CERTIFICATE_REVOKED) {
        return change_refuse(change, E_STORE_CONFLICT, "%s: the certificate %s is revoked already",
                             change->serial, ending.hex);
    }
    change->state = wanted;
    change_note(change, "certificate %s, %s", ending.hex, change->record->reason);
    return end_certificate(change, wanted, error) && end_credential(change, &ending, error);
}

bool change_revoked(struct change *change, struct error *error) {
    struct ending ending = {0};
    if (!find_certificate(change, &ending, error)) {
        return false;
    }
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    change->state = CERTIFICATE_REVOKED;
    change_note(change, "certificate %s", ending.hex);
    if (ending.state == CERTIFICATE_REVOKED) {
        return true; // told twice
    }
    if (ending.state != CERTIFICATE_REVOKING) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s: nobody asked for the certificate %s to be revoked",
                             change->serial, ending.hex);
    }
    return end_certificate(change, CERTIFICATE_REVOKED, error);
}

// ---- the unit -----------------------------------------------------------------------------------

// The unit as SQL_UNIT_IN_USE tells of it. Refuses the record while anything of it is in use.
struct unit_in_use {
    long long board;
    bool has_key; // this board
    char hardware_id[2 * HARDWARE_ID_MAX + 1];
};

static bool check_out_of_use(struct change *change, struct unit_in_use *unit, struct error *error) {
    uint8_t hardware_id[HARDWARE_ID_MAX];
    struct query query = query_begin(change->store, SQL_UNIT_IN_USE);
    query_bind_integer(&query, change->unit_id);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    assert(found); // it was loaded in this transaction
    long long requests = query_integer(&query, 0);
    long long certificates = query_integer(&query, 1);
    unit->board = query_integer(&query, 2);
    hex_encode(unit->hardware_id, hardware_id,
               query_blob(&query, 3, hardware_id, sizeof hardware_id));
    unit->has_key = query_integer(&query, 4) != 0;
    query_end(&query);
    if (requests > 0) {
        change_refuse(change, E_STORE_CONFLICT,
                      "%s: what the CA made of %lld requests is not known", change->serial,
                      requests);
    } else if (certificates > 0) {
        change_refuse(change, E_STORE_CONFLICT, "%s: %lld certificates are still in use",
                      change->serial, certificates);
    }
    return true;
}

static bool run_on_unit(struct change *change, enum statement statement, struct error *error) {
    struct query query = query_begin(change->store, statement);
    query_bind_integer(&query, change->unit_id);
    return query_run(&query, error);
}

bool change_scrap(struct change *change, struct error *error) {
    struct unit_in_use unit = {0};
    if (!check_out_of_use(change, &unit, error)) {
        return false;
    }
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    change->state = UNIT_SCRAPPED;
    struct query query = query_begin(change->store, SQL_UNIT_RESULT);
    query_bind_integer(&query, change->unit_id);
    query_bind_integer(&query, UNIT_SCRAPPED);
    query_bind_error(&query, E_UNIT_SCRAPPED);
    return query_run(&query, error) && run_on_unit(change, SQL_UNIT_WITHDRAW_OPEN, error);
}

// The credentials of the old board stay as they are, out of reach: its keys must never be taken for
// new ones. Those of the new board are made at its admission, with job ids of their own.
bool change_rework(struct change *change, struct error *error) {
    struct unit_in_use unit = {0};
    if (!check_out_of_use(change, &unit, error)) {
        return false;
    }
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    if (!unit.has_key) {
        return change_refuse(change, E_STORE_CONFLICT, "%s: no key of this board is on record",
                             change->serial);
    }
    change_note(change, "the old board, number %lld, had hardware id %s", unit.board,
                unit.hardware_id);
    return run_on_unit(change, SQL_UNIT_WITHDRAW_OPEN, error) &&
           run_on_unit(change, SQL_UNIT_UNWANT_ALL, error) &&
           run_on_unit(change, SQL_UNIT_NEW_BOARD, error);
}
