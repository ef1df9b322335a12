// SPDX-License-Identifier: Apache-2.0
// Which certificates go out of use, and the record of it.
#include <stdlib.h>
#include <string.h>

#include "ca-client/endpoint.h"
#include "station/app/revoker_internal.h"
#include "station/app/writer.h"
#include "station/base/clock.h"

// ---- reading ------------------------------------------------------------------------------------

bool revoker_open(const struct config *config, struct output *output, struct revoker **out,
                  struct error *error) {
    struct revoker *revoker = calloc(1, sizeof *revoker);
    *out = revoker;
    if (revoker == NULL || (revoker->batch = batch_new(OBJECT_MAX)) == NULL) {
        return error_set(error, E_MEMORY, "no memory for revocations");
    }
    revoker->config = config;
    revoker->output = output;
    revoker->read_up_to = INT64_MIN;
    return writer_open(config, STORE_WRITE, &revoker->store, error);
}

void revoker_forget(struct revoker *revoker) {
    for (size_t i = 0; i < revoker->count; i++) {
        free(revoker->revocations[i].leaf);
    }
    revoker->count = 0;
}

void revoker_close(struct revoker *revoker) {
    if (revoker == NULL) {
        return;
    }
    revoker_forget(revoker);
    store_sqlite.close(revoker->store);
    batch_free(revoker->batch);
    free(revoker);
}

bool revoker_keep(void *context, const struct store_certificate *stored) {
    struct revoker *revoker = context;
    struct revocation *revocation = &revoker->revocations[revoker->count];
    struct slice leaf = stored->certificate.chain;
    *revocation = (struct revocation){.stored = *stored, .leaf = malloc(leaf.length + 1)};
    if (revocation->leaf == NULL) {
        error_set(&revoker->load_error, E_MEMORY, "no memory for a certificate");
        return false;
    }
    if (leaf.length > 0) {
        memcpy(revocation->leaf, leaf.data, leaf.length);
    }
    revocation->stored.certificate.chain = (struct slice){revocation->leaf, leaf.length};
    revoker->count++;
    return revoker->count < CERTIFICATES_MAX;
}

bool revoker_load(struct revoker *revoker, const struct store_filter *filter,
                  store_visit_certificate *keep, struct error *error) {
    if (!store_sqlite.select_certificates(revoker->store, filter, keep, revoker, error)) {
        return false;
    }
    if (revoker->load_error.code != ERROR_NONE) {
        *error = revoker->load_error;
        return false;
    }
    return true;
}

static bool note_row(void *context, const struct store_row *row) {
    struct revoker_unit *unit = context;
    enum request_state request = row->credential.request;
    unit->unit_id = row->unit.unit_id;
    unit->result = row->unit.result;
    unit->board = row->unit.board;
    memcpy(unit->serial, row->unit.serial, sizeof unit->serial);
    unit->unsettled += request >= REQUEST_SENT && request <= REQUEST_HELD ? 1 : 0;
    unit->has_key = unit->has_key || (row->credential.has_key && !row->is_old_board);
    return true;
}

static bool read_serial(const char *serial, struct store_filter *filter, struct error *error) {
    if (!text_is_label(serial) || !text_copy(filter->serial, sizeof filter->serial, serial)) {
        return error_set(error, E_USAGE, "a serial has 1 to %zu printable characters",
                         sizeof filter->serial - 1);
    }
    return true;
}

bool revoker_load_unit(struct revoker *revoker, const char *serial, struct revoker_unit *unit,
                       struct error *error) {
    struct store_filter filter = {.all_boards = true};
    *unit = (struct revoker_unit){0};
    if (!read_serial(serial, &filter, error) ||
        !store_sqlite.select_rows(revoker->store, &filter, note_row, unit, error)) {
        return false;
    }
    if (unit->unit_id == 0) {
        return error_set(error, E_STORE_UNKNOWN, "%s: no unit has this serial", serial);
    }
    return revoker_load(revoker, &filter, revoker_keep, error);
}

bool revoker_check_settled(const struct revoker_unit *unit, struct error *error) {
    return unit->unsettled == 0 ||
           error_set(error, E_UNIT_HELD,
                     "%s: of %zu of its requests it is not known whether the CA issued: birthcert "
                     "reconcile settles that first",
                     unit->serial, unit->unsettled);
}

bool revoker_awaits_successor(const struct config *config, const struct store_certificate *stored) {
    return stored->awaits_successor && config_rekeys(config, stored->ca, stored->credential);
}

bool revoker_is_unrevoked(const struct config *config, const struct store_certificate *stored,
                          int64_t now_ms) {
    const struct ca_ops *ops = config_find_backend(config, stored->ca);
    return stored->state == CERTIFICATE_WITHDRAWN && (ops == NULL || ops->is_public) &&
           stored->certificate.not_after_ms > now_ms;
}

size_t revoker_count(const struct revoker *revoker) {
    return revoker->count;
}

const struct store_certificate *revoker_certificate(const struct revoker *revoker, size_t index) {
    return &revoker->revocations[index].stored;
}

// ---- choosing -----------------------------------------------------------------------------------

void revoker_write_handle(const struct store_certificate *stored, char handle[HANDLE_SIZE]) {
    const struct certificate_record *certificate = &stored->certificate;
    hex_encode(handle, certificate->serial, certificate->serial_length);
    if (handle[0] == '\0') { // it could not be read
        memcpy(handle, stored->handle, HANDLE_SIZE);
    }
}

// Whether there is a CA that could be asked. That one revokes nothing is no word on what another one issued
// under the same name.
static bool may_be_asked(const struct config_ca *ca, const struct store_certificate *stored) {
    char handle[HANDLE_SIZE];
    const struct ca_ops *ops = ca != NULL ? ca_find(ca->settings.backend) : NULL;
    revoker_write_handle(stored, handle);
    return ops != NULL && handle[0] != '\0' &&
           (ops->can_revoke || !endpoint_is_of(&ca->settings, stored->endpoint));
}

// An intent that stands already is not written again.
static enum certificate_state next_state(const struct revocation *revocation) {
    if (!revocation->is_chosen || revocation->stored.state == CERTIFICATE_REVOKING) {
        return revocation->stored.state;
    }
    return revocation->is_answered ? CERTIFICATE_WITHDRAWN : CERTIFICATE_REVOKING;
}

bool revoker_choose(struct revoker *revoker, size_t index, enum ca_revocation_reason reason,
                    struct error *error) {
    struct revocation *revocation = &revoker->revocations[index];
    struct store_certificate *stored = &revocation->stored;
    const struct config_ca *ca = config_find_ca(revoker->config, stored->ca);
    if (ca == NULL && stored->ca[0] != '\0' && stored->state != CERTIFICATE_WITHDRAWN) {
        char handle[HANDLE_SIZE];
        revoker_write_handle(stored, handle);
        return error_set(error, E_CA_CONFIG,
                         "%s: the certificate %s is of CA %s, which is not in %s any more: put its "
                         "section back",
                         stored->serial, handle, stored->ca, revoker->config->file);
    }
    revocation->is_chosen = true;
    revocation->is_answered = stored->state != CERTIFICATE_REVOKING && !may_be_asked(ca, stored);
    if (next_state(revocation) != stored->state) {
        (void)text_copy(stored->reason, sizeof stored->reason, ca_revocation_reason_name(reason));
    }
    return true;
}

size_t revoker_chosen_count(const struct revoker *revoker) {
    size_t count = 0;
    for (size_t i = 0; i < revoker->count; i++) {
        count += revoker->revocations[i].is_chosen ? 1 : 0;
    }
    return count;
}

size_t revoker_withdrawn_count(const struct revoker *revoker) {
    size_t count = 0;
    for (size_t i = 0; i < revoker->count; i++) {
        const struct revocation *revocation = &revoker->revocations[i];
        bool is_withdrawn = revocation->stored.state == CERTIFICATE_WITHDRAWN;
        count += revocation->is_chosen && is_withdrawn ? 1 : 0;
    }
    return count;
}

// ---- recording ----------------------------------------------------------------------------------

struct record revoker_record_of(const struct store_certificate *stored, enum record_kind kind) {
    struct record record = {
        .kind = kind,
        .unit_id = stored->unit_id,
        .credential_id = stored->credential_id,
        .certificate_id = stored->certificate_id,
        .time_ms = clock_wall_ms(),
    };
    memcpy(record.reason, stored->reason, sizeof record.reason);
    return record;
}

bool revoker_commit_one(struct revoker *revoker, const struct record *record, struct error *error) {
    batch_clear(revoker->batch);
    if (!batch_put(revoker->batch, record)) {
        return error_set(error, E_INTERNAL, "the batch is full");
    }
    return writer_commit(revoker->store, revoker->batch, error);
}

bool revoker_record(struct revoker *revoker, const struct record *last, struct error *error) {
    batch_clear(revoker->batch);
    bool fits = true;
    for (size_t i = 0; i < revoker->count; i++) {
        const struct store_certificate *stored = &revoker->revocations[i].stored;
        enum certificate_state next = next_state(&revoker->revocations[i]);
        if (next != stored->state) {
            struct record record = revoker_record_of(
                stored, next == CERTIFICATE_REVOKING ? RECORD_REVOKING : RECORD_WITHDRAWN);
            fits = fits && batch_put(revoker->batch, &record);
        }
    }
    fits = fits && (last == NULL || batch_put(revoker->batch, last));
    if (!fits) {
        return error_set(error, E_INTERNAL, "the batch is full");
    }
    if (!writer_commit(revoker->store, revoker->batch, error)) {
        return false;
    }
    for (size_t i = 0; i < revoker->count; i++) {
        revoker->revocations[i].stored.state = next_state(&revoker->revocations[i]);
    }
    return true;
}

// What became of the board is on record by now, so that the record says which one it is.
static bool note_awaiting(void *context, const struct store_certificate *stored) {
    struct revoker *revoker = context;
    for (size_t i = 0; i < revoker->count; i++) {
        struct revocation *revocation = &revoker->revocations[i];
        if (revocation->stored.certificate_id == stored->certificate_id && revocation->is_chosen &&
            revoker_awaits_successor(revoker->config, stored)) {
            revocation->is_awaiting = true;
            revocation->is_answered = true;
        }
    }
    return true;
}

bool revoker_spare_awaiting(struct revoker *revoker, const char *serial, struct error *error) {
    struct store_filter filter = {.all_boards = true};
    return read_serial(serial, &filter, error) &&
           store_sqlite.select_certificates(revoker->store, &filter, note_awaiting, revoker, error);
}

// ---- the unit -----------------------------------------------------------------------------------

static bool show_row(void *context, const struct store_row *row) {
    const struct revoker *revoker = context;
    revoker->output->ops->unit(revoker->output, row);
    return true;
}

bool revoker_show_unit(struct revoker *revoker, const char *serial, struct error *error) {
    struct store_filter filter = {0};
    return read_serial(serial, &filter, error) &&
           store_sqlite.select_rows(revoker->store, &filter, show_row, revoker, error);
}
