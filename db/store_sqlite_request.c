// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

#define FROM(state) (1u << (state))

// From which states RECORD_REQUEST may move a request. The other ways have records of their own:
// into the outbox for the first time with RECORD_CSR, out of it with RECORD_SENT, to the end with
// RECORD_CERTIFICATE; but for what is UNCONFIRMED, until the CA has answered. Nothing moves a request
// that was issued.
static const unsigned request_moves[] = {
    // A new key, hence a new CSR: only when the CA is known to owe nothing for the old one.
    [REQUEST_NONE] = FROM(REQUEST_NONE) | FROM(REQUEST_QUEUED) | FROM(REQUEST_REFUSED) |
                     FROM(REQUEST_QUARANTINED),
    [REQUEST_QUEUED] = FROM(REQUEST_QUEUED) | FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) |
                       FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD) | FROM(REQUEST_REFUSED),
    [REQUEST_SENT] = 0,
    [REQUEST_ACCEPTED] =
        FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) | FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD),
    [REQUEST_DOUBT] =
        FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) | FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD),
    [REQUEST_HELD] =
        FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) | FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD),
    [REQUEST_REFUSED] = FROM(REQUEST_QUEUED) | FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) |
                        FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD) | FROM(REQUEST_REFUSED),
    [REQUEST_QUARANTINED] = FROM(REQUEST_QUEUED) | FROM(REQUEST_SENT) | FROM(REQUEST_ACCEPTED) |
                            FROM(REQUEST_DOUBT) | FROM(REQUEST_HELD) | FROM(REQUEST_QUARANTINED) |
                            FROM(REQUEST_UNCONFIRMED),
    [REQUEST_ISSUED] = FROM(REQUEST_UNCONFIRMED),
    [REQUEST_WITHDRAWN] = 0,
    [REQUEST_UNCONFIRMED] = 0,
};

static const char *request_state_name(enum request_state state) {
    static const char *const names[] = {"none",     "queued",    "sent",       "accepted",
                                        "in doubt", "held",      "refused",    "quarantined",
                                        "issued",   "withdrawn", "unconfirmed"};
    return (unsigned)state < ARRAY_LENGTH(names) ? names[state] : "?";
}

void request_read(const struct query *query, int column, struct request_record *request) {
    *request = (struct request_record){
        .unit_id = query_integer(query, column),
        .credential_id = query_integer(query, column + 1),
        .state = query_choice(query, column + 2, REQUEST_UNCONFIRMED, REQUEST_HELD),
        .attempt = (uint32_t)query_integer(query, column + 3),
        .sent_ms = query_integer(query, column + 4),
        .not_before_s = query_integer(query, column + 5),
        .key_type = (uint8_t)query_integer(query, column + 6),
    };
    query_blob(query, column + 7, request->spki_sha256, SHA256_SIZE);
    query_text(query, column + 8, request->serial, sizeof request->serial);
    query_text(query, column + 9, request->model, sizeof request->model);
    query_text(query, column + 10, request->profile, sizeof request->profile);
    query_text(query, column + 11, request->handle, sizeof request->handle);
    request->hardware_id_length =
        query_blob(query, column + 12, request->hardware_id, HARDWARE_ID_MAX);
    query_text(query, column + 13, request->ca, sizeof request->ca);
    request->error = query_error(query, column + 14);
    query_text(query, column + 15, request->endpoint, sizeof request->endpoint);
    query_text(query, column + 16, request->replaces, sizeof request->replaces);
    request->replaces_not_after_ms = query_integer(query, column + 17);
}

// Refuses a key that another credential has, of this camera or of another one.
static bool check_key_is_new(struct change *change, struct error *error) {
    struct query query = query_begin(change->store, SQL_SPKI_OWNER);
    query_bind_blob(&query, change->record->spki_sha256, SHA256_SIZE);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (!found) {
        return true;
    }
    int64_t owner = query_integer(&query, 0);
    long long number = query_integer(&query, 1);
    char serial[SERIAL_SIZE];
    query_text(&query, 2, serial, sizeof serial);
    bool is_own_unit = query_integer(&query, 3) == change->unit_id;
    query_end(&query);
    if (owner != change->credential.credential_id && is_own_unit &&
        number == change->credential.number) {
        return change_refuse(change, E_UNIT_KEY_CHANGED,
                             "%s, credential %lld: this is the key of the board that was swapped",
                             serial, number);
    }
    if (owner != change->credential.credential_id) {
        return change_refuse(change, E_CSR_KEY_REUSED,
                             "%s, credential %d, has the same key as %s, credential %lld",
                             change->serial, change->credential.number, serial, number);
    }
    return true;
}

bool change_key(struct change *change, struct error *error) {
    const struct credential_record *credential = &change->credential;
    const uint8_t *spki_sha256 = change->record->spki_sha256;
    if (credential->has_key && memcmp(credential->spki_sha256, spki_sha256, SHA256_SIZE) == 0) {
        return true;
    }
    if (credential->request != REQUEST_NONE) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s, credential %d, has another key, for which a request is %s",
                             change->serial, credential->number,
                             request_state_name(credential->request));
    }
    if (!check_key_is_new(change, error)) {
        return false;
    }
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    change->state = 1; // a key that was not there before
    struct query query = query_begin(change->store, SQL_CREDENTIAL_KEY);
    query_bind_integer(&query, credential->credential_id);
    query_bind_blob(&query, spki_sha256, SHA256_SIZE);
    return query_run(&query, error);
}

static bool csr_write(struct change *change, struct error *error) {
    const struct record *record = change->record;
    struct query credential = query_begin(change->store, SQL_CREDENTIAL_QUEUED);
    query_bind_integer(&credential, record->credential_id);
    query_bind_blob(&credential, record->spki_sha256, SHA256_SIZE);
    if (!query_run(&credential, error)) {
        return false;
    }
    struct query csr = query_begin(change->store, SQL_CSR_PUT);
    query_bind_integer(&csr, record->credential_id);
    query_bind_blob(&csr, record->bytes.data, record->bytes.length);
    return query_run(&csr, error);
}

bool change_csr(struct change *change, struct error *error) {
    const struct credential_record *credential = &change->credential;
    const struct record *record = change->record;
    change->state = credential->request == REQUEST_NONE ? REQUEST_QUEUED : credential->request;
    if (record->bytes.length == 0 || record->bytes.length > OBJECT_MAX) {
        return change_refuse(change, E_STORE_CONFLICT, "a CSR of %zu bytes", record->bytes.length);
    }
    if (credential->has_key &&
        memcmp(credential->spki_sha256, record->spki_sha256, SHA256_SIZE) != 0) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s, credential %d: the CSR is not for the key on record",
                             change->serial, credential->number);
    }
    if (credential->request != REQUEST_NONE) {
        return true; // the same key was asked for already
    }
    if (!credential->has_key && !check_key_is_new(change, error)) {
        return false;
    }
    return change->answer->code != ERROR_NONE || csr_write(change, error);
}

// Copies the request with all that belongs to it into the answer.
static bool request_answer(struct change *change, struct error *error) {
    struct query query = query_begin(change->store, SQL_REQUEST_BY_ID);
    query_bind_integer(&query, change->record->credential_id);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    assert(found); // it was loaded in this transaction
    struct request_record *request = &change->answer->request;
    request_read(&query, 0, request);
    struct slice *const slices[] = {&request->csr, &request->offer, &request->leaf,
                                    &request->extra};
    bool good = true;
    for (int i = 0; i < (int)ARRAY_LENGTH(slices); i++) {
        good = good && arena_copy(change->answer_bytes,
                                  query_slice(&query, REQUEST_COLUMN_COUNT + i), slices[i]);
    }
    query_end(&query);
    return good || error_set(error, E_INTERNAL, "%s: the batch has no room for its answers",
                             change->store->name);
}

// "" where there is none to rekey.
static bool find_rekeyed(struct change *change, char replaces[HANDLE_SIZE], struct error *error) {
    replaces[0] = '\0';
    if (!change->record->rekeys) {
        return true;
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_REKEYED);
    query_bind_integer(&query, change->record->credential_id);
    query_bind_text(&query, change->record->ca);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (found) {
        query_text(&query, 0, replaces, HANDLE_SIZE);
        query_end(&query);
        change_note(change, "in place of certificate %s", replaces);
    }
    return true;
}

// From the outbox; or once more, to a CA that accepted it and wants to be asked again.
bool change_sent(struct change *change, struct error *error) {
    const struct record *record = change->record;
    char replaces[HANDLE_SIZE];
    if (change->credential.request != REQUEST_QUEUED &&
        change->credential.request != REQUEST_ACCEPTED) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s, credential %d: its request is %s, not queued", change->serial,
                             change->credential.number,
                             request_state_name(change->credential.request));
    }
    change->state = REQUEST_SENT;
    if (!find_rekeyed(change, replaces, error)) {
        return false;
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_SENT);
    query_bind_integer(&query, record->credential_id);
    query_bind_integer(&query, record->time_ms);
    // A rekeyed certificate begins when the CA wants it to.
    query_bind_integer(&query, replaces[0] == '\0' ? record->not_before_s : 0);
    query_bind_text(&query, record->ca);
    query_bind_text(&query, record->endpoint);
    query_bind_text(&query, replaces);
    return query_run(&query, error) && request_answer(change, error);
}

// The CA has answered, or nobody waits for that: what it offered is done with. A certificate that it
// would not have confirmed lives no longer.
static bool end_offer(struct change *change, struct error *error) {
    const struct record *record = change->record;
    enum request_state was = change->credential.request;
    if (was != REQUEST_UNCONFIRMED && was != REQUEST_QUARANTINED) {
        return true;
    }
    if (was == REQUEST_UNCONFIRMED && record->request == REQUEST_QUARANTINED) {
        struct query withdraw = query_begin(change->store, SQL_CERTIFICATE_WITHDRAW);
        query_bind_integer(&withdraw, record->credential_id);
        query_bind_error(&withdraw, record->error);
        if (!query_run(&withdraw, error)) {
            return false;
        }
    }
    struct query drop = query_begin(change->store, SQL_OFFER_DROP);
    query_bind_integer(&drop, record->credential_id);
    return query_run(&drop, error);
}

bool change_request(struct change *change, struct error *error) {
    const struct record *record = change->record;
    assert((unsigned)record->request < ARRAY_LENGTH(request_moves));
    bool may = (request_moves[record->request] & FROM(change->credential.request)) != 0;
    bool never_left = record->request == REQUEST_DOUBT && change->attempt == 0;
    if (!may || never_left) {
        return change_refuse(
            change, E_STORE_CONFLICT, "%s, credential %d: its request is %s and cannot become %s",
            change->serial, change->credential.number,
            request_state_name(change->credential.request), request_state_name(record->request));
    }
    change->state = record->request;
    struct query query = query_begin(change->store, SQL_CREDENTIAL_REQUEST);
    query_bind_integer(&query, record->credential_id);
    query_bind_integer(&query, record->request);
    query_bind_text(&query, record->handle);
    query_bind_error(&query, record->error);
    return query_run(&query, error) && end_offer(change, error);
}

bool change_load_request(struct change *change, struct error *error) {
    return request_answer(change, error);
}
