// SPDX-License-Identifier: Apache-2.0
#include "station/app/revoker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/endpoint.h"
#include "station/app/issuer.h"
#include "station/app/writer.h"
#include "station/base/clock.h"
#include "station/io/loop.h"

#define CERTIFICATES_MAX CA_PENDING_MAX // more of them wait for the next time
#define REPEAT_MS 1000

struct revocation {
    struct store_certificate stored; // its chain lies in `leaf`
    uint8_t *leaf;
    bool is_chosen;
    bool is_asked;      // its CA works on it
    bool is_answered;   // or needs not be asked
    bool is_awaiting;   // is asked for when the new board's certificate is on record
    int64_t repeat_ms;  // monotonic; 0: never
    struct error error; // why it is not confirmed
};

struct revoker {
    const struct config *config;
    struct output *output;
    struct store *store;
    struct batch *batch;
    struct config *view; // the configuration without profiles: only CAs that are needed are opened
    struct loop *loop;
    struct issuer *issuer;
    struct loop_timer *repeat;
    int64_t deadline_ms; // monotonic
    bool interrupted;    // by a signal
    struct error fault;  // of the database, while the CAs are asked
    struct error load_error;
    size_t awaiting; // that were shown, and not kept
    size_t count;
    struct revocation revocations[CERTIFICATES_MAX];
};

static void show(struct revoker *revoker, const struct revocation *revocation);

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
    return writer_open(config, STORE_WRITE, &revoker->store, error);
}

void revoker_close(struct revoker *revoker) {
    if (revoker == NULL) {
        return;
    }
    for (size_t i = 0; i < revoker->count; i++) {
        free(revoker->revocations[i].leaf);
    }
    store_sqlite.close(revoker->store);
    batch_free(revoker->batch);
    free(revoker);
}

static bool keep_certificate(void *context, const struct store_certificate *stored) {
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

static bool load(struct revoker *revoker, const struct store_filter *filter,
                 store_visit_certificate *keep, struct error *error) {
    if (!store_sqlite.select_certificates(revoker->store, filter, keep, revoker, error)) {
        return false;
    }
    *error = revoker->load_error;
    return error->code == ERROR_NONE;
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
    return load(revoker, &filter, keep_certificate, error);
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

// There may be more of those that wait than there is room for those that do not.
static bool keep_open(void *context, const struct store_certificate *stored) {
    struct revoker *revoker = context;
    if (!revoker_awaits_successor(revoker->config, stored)) {
        return keep_certificate(revoker, stored);
    }
    const struct revocation awaiting = {.stored = *stored, .is_awaiting = true};
    show(revoker, &awaiting);
    revoker->awaiting++;
    return true;
}

bool revoker_load_open(struct revoker *revoker, struct error *error) {
    static const struct store_filter filter = {.state = "revoking"};
    bool done = load(revoker, &filter, keep_open, error);
    for (size_t i = 0; i < revoker->count; i++) {
        revoker->revocations[i].is_chosen = true;
    }
    return done;
}

size_t revoker_awaiting_count(const struct revoker *revoker) {
    return revoker->awaiting;
}

size_t revoker_count(const struct revoker *revoker) {
    return revoker->count;
}

const struct store_certificate *revoker_certificate(const struct revoker *revoker, size_t index) {
    return &revoker->revocations[index].stored;
}

// ---- choosing -----------------------------------------------------------------------------------

// What a CA knows the certificate by.
static void write_handle(const struct store_certificate *stored, char handle[HANDLE_SIZE]) {
    const struct certificate_record *certificate = &stored->certificate;
    hex_encode(handle, certificate->serial, certificate->serial_length);
    if (handle[0] == '\0') { // it could not be read
        memcpy(handle, stored->handle, HANDLE_SIZE);
    }
}

static const char *name_of_ca(const struct store_certificate *stored) {
    return stored->ca[0] != '\0' ? stored->ca : "that issued it";
}

// Whether there is a CA that could be asked. That one revokes nothing is no word on what another one issued
// under the same name.
static bool may_be_asked(const struct config_ca *ca, const struct store_certificate *stored) {
    char handle[HANDLE_SIZE];
    const struct ca_ops *ops = ca != NULL ? ca_find(ca->settings.backend) : NULL;
    write_handle(stored, handle);
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
        write_handle(stored, handle);
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

static struct record record_of(const struct store_certificate *stored, enum record_kind kind) {
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

// What is refused here contradicts what this process, the only writer, has just read.
static bool commit_one(struct revoker *revoker, const struct record *record, struct error *error) {
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
            struct record record = record_of(
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

// ---- showing ------------------------------------------------------------------------------------

static void show(struct revoker *revoker, const struct revocation *revocation) {
    const struct store_certificate *stored = &revocation->stored;
    char remedy[ERROR_TEXT_MAX + HANDLE_SIZE + sizeof stored->certificate.issuer] = "";
    char handle[HANDLE_SIZE];
    struct output_certificate shown = {.stored = stored, .remedy = remedy, .price = ""};
    if (stored->state == CERTIFICATE_REVOKED) {
        shown.finding = "revoked";
    } else if (stored->state == CERTIFICATE_WITHDRAWN) {
        write_handle(stored, handle);
        shown.finding = "out of use here, and not revoked: its CA revokes nothing by itself";
        snprintf(remedy, sizeof remedy,
                 "ask the administrator of the CA %s to revoke the serial number %s of the issuer "
                 "\"%s\"",
                 name_of_ca(stored), handle, stored->certificate.issuer);
    } else if (revocation->is_awaiting) {
        write_handle(stored, handle);
        shown.finding = REVOKER_AWAITING;
        snprintf(remedy, sizeof remedy,
                 "birthcert reconcile asks the CA then, birthcert revoke %s --certificate %s "
                 "--reason superseded at once",
                 stored->serial, handle);
    } else {
        shown.finding = "revocation requested, and not confirmed";
        shown.error = &revocation->error;
        snprintf(remedy, sizeof remedy,
                 revocation->error.code == E_CA_CHANGED ? "%s asks once the section leads there"
                                                        : "%s asks the CA once more",
                 revoker_awaits_successor(revoker->config, stored) ? "the same command"
                                                                   : "birthcert reconcile");
    }
    revoker->output->ops->certificate(revoker->output, &shown);
}

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

// ---- asking -------------------------------------------------------------------------------------

static bool is_open(const struct revocation *revocation) {
    return revocation->is_chosen && !revocation->is_answered;
}

static void stop_when_done(struct revoker *revoker) {
    for (size_t i = 0; i < revoker->count; i++) {
        if (is_open(&revoker->revocations[i]) && revoker->fault.code == ERROR_NONE) {
            return;
        }
    }
    loop_stop(revoker->loop);
}

// The record stays as it is; that it was tried is history.
static void give_up(struct revoker *revoker, struct revocation *revocation) {
    struct record record = record_of(&revocation->stored, RECORD_EVENT);
    char handle[HANDLE_SIZE];
    write_handle(&revocation->stored, handle);
    struct error error = revocation->error;
    error_prefix(&error, "certificate %s is not known to be revoked", handle);
    record.error = error.code;
    memcpy(record.text, error.text, sizeof record.text);
    revocation->is_answered = true;
    if (revoker->fault.code == ERROR_NONE && commit_one(revoker, &record, &error)) {
        show(revoker, revocation);
    } else if (revoker->fault.code == ERROR_NONE) {
        revoker->fault = error;
    }
}

// By the CA's own word: it revoked the certificate, or revokes none. Only what is durable is shown.
static void end(struct revoker *revoker, struct revocation *revocation,
                enum certificate_state state) {
    struct record record = record_of(
        &revocation->stored, state == CERTIFICATE_REVOKED ? RECORD_REVOKED : RECORD_WITHDRAWN);
    struct error error;
    revocation->is_answered = true;
    if (!commit_one(revoker, &record, &error)) {
        revoker->fault = error;
        return;
    }
    revocation->stored.state = state;
    show(revoker, revocation);
}

static void ask(struct revoker *revoker, struct revocation *revocation) {
    const struct store_certificate *stored = &revocation->stored;
    char handle[HANDLE_SIZE];
    struct issuer_revocation request = {
        .certificate_id = stored->certificate_id,
        .ca = stored->ca,
        .endpoint = stored->endpoint,
        .profile = stored->profile,
        .reason = CA_REVOKE_UNSPECIFIED,
        .serial = stored->serial,
        .handle = handle,
        .leaf = stored->certificate.chain,
    };
    write_handle(stored, handle);
    if (!ca_revocation_reason_find(stored->reason, &request.reason)) {
        request.reason = CA_REVOKE_UNSPECIFIED; // of a newer program
    }
    revocation->repeat_ms = 0;
    revocation->is_asked = issuer_revoke(revoker->issuer, &request, &revocation->error);
    bool revokes_nothing = !revocation->is_asked && revocation->error.code == E_CA_UNSUPPORTED;
    if (revokes_nothing && stored->endpoint[0] != '\0') {
        // It was asked for while another CA stood here.
        end(revoker, revocation, CERTIFICATE_WITHDRAWN);
    } else if (!revocation->is_asked) {
        give_up(revoker, revocation);
    }
}

static void handle_revoked(void *context, int64_t certificate_id, const struct ca_result *result) {
    struct revoker *revoker = context;
    struct revocation *revocation = NULL;
    for (size_t i = 0; i < revoker->count; i++) {
        bool is_it = revoker->revocations[i].stored.certificate_id == certificate_id;
        revocation = is_it ? &revoker->revocations[i] : revocation;
    }
    if (revocation == NULL || !revocation->is_asked || revocation->is_answered) {
        return;
    }
    revocation->is_asked = false;
    revocation->error = result->error;
    int64_t repeat_ms = loop_now_ms(revoker->loop) +
                        (result->retry_after_ms > REPEAT_MS ? result->retry_after_ms : REPEAT_MS);
    bool may_help = result->outcome == CA_NOT_SENT &&
                    error_code_class(result->error.code) == ERROR_CLASS_RETRY &&
                    repeat_ms < revoker->deadline_ms;
    if (result->outcome == CA_REVOKED) {
        end(revoker, revocation, CERTIFICATE_REVOKED);
    } else if (result->outcome == CA_REFUSED && result->error.code == E_CA_UNSUPPORTED) {
        end(revoker, revocation, CERTIFICATE_WITHDRAWN); // of a CA behind a forwarder
    } else if (may_help) {
        revocation->repeat_ms = repeat_ms;
    } else {
        give_up(revoker, revocation);
    }
    stop_when_done(revoker);
}

static void handle_repeat(void *context) {
    struct revoker *revoker = context;
    int64_t now_ms = loop_now_ms(revoker->loop);
    bool is_late = now_ms >= revoker->deadline_ms;
    loop_timer_start(revoker->repeat, REPEAT_MS / 4);
    for (size_t i = 0; i < revoker->count; i++) {
        struct revocation *revocation = &revoker->revocations[i];
        if (!is_open(revocation)) {
            continue;
        }
        if (is_late) {
            if (revocation->error.code == ERROR_NONE) {
                error_set(&revocation->error, E_CA_DOUBT, "the CA %s has not answered %s",
                          revocation->stored.ca,
                          revoker->interrupted ? "before the interruption" : "in time");
            }
            give_up(revoker, revocation);
        } else if (revocation->repeat_ms != 0 && revocation->repeat_ms <= now_ms) {
            ask(revoker, revocation);
        }
    }
    stop_when_done(revoker);
}

// Nothing is asked any more: what is open ends as it does when time is up.
static void handle_signal(void *context) {
    struct revoker *revoker = context;
    revoker->interrupted = true;
    revoker->deadline_ms = loop_now_ms(revoker->loop);
    loop_timer_start(revoker->repeat, 0);
}

static bool open_cas(struct revoker *revoker, struct error *error) {
    revoker->view = malloc(sizeof *revoker->view);
    if (revoker->view == NULL) {
        return error_set(error, E_MEMORY, "no memory for revocations");
    }
    memcpy(revoker->view, revoker->config, sizeof *revoker->view);
    revoker->view->profile_count = 0;
    if (!loop_new(&revoker->loop, error) ||
        !issuer_new(revoker->loop, revoker->view, NULL, revoker, &revoker->issuer, error)) {
        return false;
    }
    issuer_on_revoked(revoker->issuer, handle_revoked);
    revoker->repeat = loop_timer_new(revoker->loop, handle_repeat, revoker);
    if (revoker->repeat == NULL) {
        return error_set(error, E_MEMORY, "no memory for revocations");
    }
    return loop_on_stop_signal(revoker->loop, handle_signal, revoker, error);
}

static void ask_all(struct revoker *revoker, uint32_t wait_s) {
    revoker->deadline_ms = loop_now_ms(revoker->loop) + INT64_C(1000) * wait_s;
    loop_timer_start(revoker->repeat, 0);
    for (size_t i = 0; i < revoker->count; i++) {
        if (is_open(&revoker->revocations[i])) {
            revoker->revocations[i].error = (struct error){0};
            ask(revoker, &revoker->revocations[i]);
        }
    }
    loop_run(revoker->loop);
}

bool revoker_finish(struct revoker *revoker, uint32_t wait_s, size_t *unconfirmed,
                    struct error *error) {
    size_t open = 0;
    *unconfirmed = 0;
    for (size_t i = 0; i < revoker->count; i++) {
        open += is_open(&revoker->revocations[i]) ? 1 : 0;
        if (revoker->revocations[i].is_chosen && revoker->revocations[i].is_answered) {
            show(revoker, &revoker->revocations[i]);
        }
    }
    bool done = open == 0 || open_cas(revoker, error);
    if (done && open > 0) {
        output_note(revoker->output, "asks for %zu revocation%s, for at most %" PRIu32 " s", open,
                    open == 1 ? "" : "s", wait_s);
        ask_all(revoker, wait_s);
        *error = revoker->fault;
        done = revoker->fault.code == ERROR_NONE;
    }
    issuer_free(revoker->issuer);
    loop_timer_free(revoker->repeat);
    loop_free(revoker->loop);
    free(revoker->view);
    for (size_t i = 0; i < revoker->count; i++) {
        const struct revocation *revocation = &revoker->revocations[i];
        bool is_left = revocation->stored.state == CERTIFICATE_REVOKING;
        *unconfirmed += revocation->is_chosen && is_left && !revocation->is_awaiting ? 1 : 0;
    }
    if (revoker->interrupted && *unconfirmed > 0) {
        output_note(revoker->output, "interrupted; what was asked for stays requested: birthcert "
                                     "reconcile asks again");
    }
    return done;
}
