// SPDX-License-Identifier: Apache-2.0
#include "station/core/request.h"

#include <assert.h>
#include <string.h>

#define MIXED_UP_MAX 3

typedef enum request_step request_handler(struct request *request,
                                          const struct request_event *event,
                                          struct request_output *output);

static struct record *put_record(const struct request *request, const struct request_event *event,
                                 struct request_output *output, enum record_kind kind) {
    assert(output->record_count < REQUEST_RECORDS_MAX);
    struct record *record = &output->records[output->record_count++];
    memset(record, 0, sizeof *record);
    record->kind = kind;
    record->unit_id = request->unit_id;
    record->credential_id = request->credential_id;
    record->time_ms = event->now_ms;
    return record;
}

static struct record *put_state(const struct request *request, const struct request_event *event,
                                struct request_output *output, enum request_state state,
                                const struct error *error) {
    struct record *record = put_record(request, event, output, RECORD_REQUEST);
    record->request = state;
    if (error != NULL) {
        record->error = error->code;
        memcpy(record->text, error->text, sizeof record->text);
    }
    return record;
}

static enum request_step wait_for(struct request *request, const struct request_event *event,
                                  enum request_purpose purpose, uint32_t pause_ms) {
    request->purpose = purpose;
    request->due_ms = event->monotonic_ms + pause_ms;
    return STEP_DUE;
}

// The CA's own word on when to come back counts for more than our guess.
static enum request_step back_off(struct request *request, const struct request_event *event,
                                  enum request_purpose purpose) {
    request->failures++;
    uint32_t pause_ms = policy_backoff_ms(request->policy, request->failures, event->random);
    if (event->result != NULL && event->result->retry_after_ms > pause_ms) {
        pause_ms = event->result->retry_after_ms;
    }
    return wait_for(request, event, purpose, pause_ms);
}

static enum request_step settle(struct request *request, const struct request_event *event,
                                struct request_output *output, enum request_state state,
                                const struct error *error) {
    put_state(request, event, output, state, error);
    request->outcome = state;
    request->error = *error;
    return STEP_SETTLING;
}

// `why` is the CA's own word.
static enum request_step hold(struct request *request, const struct request_event *event,
                              struct request_output *output, const struct error *why) {
    struct error error;
    if (why->code == E_UNIT_HELD || why->code == E_CA_CHANGED) {
        return settle(request, event, output, REQUEST_HELD, why);
    }
    error_set(&error, E_UNIT_HELD, "the CA %s cannot tell whether it issued a certificate",
              request->ca);
    return settle(request, event, output, REQUEST_HELD, &error);
}

// ---- handlers -----------------------------------------------------------------------------------

static enum request_step on_start(struct request *request, const struct request_event *event,
                                  struct request_output *output) {
    const struct request_record *record = event->request;
    request->unit_id = record->unit_id;
    request->credential_id = record->credential_id;
    request->not_before_s = record->not_before_s;
    request->doubt_ms = event->monotonic_ms;
    switch (record->state) {
    case REQUEST_QUEUED:
        return wait_for(request, event, PURPOSE_SUBMIT, 0);
    case REQUEST_ACCEPTED:
        return wait_for(request, event, PURPOSE_FETCH, 0);
    case REQUEST_UNCONFIRMED:
        request->outcome = REQUEST_UNCONFIRMED;
        request->confirms = true;
        return wait_for(request, event, PURPOSE_CONFIRM, 0);
    case REQUEST_HELD:
        // Somebody asks for another look.
        put_state(request, event, output, REQUEST_DOUBT, NULL);
        return wait_for(request, event, PURPOSE_RECONCILE, 0);
    case REQUEST_QUARANTINED:
        // Likewise: what was found wrong may have been the station's root. It stays in quarantine
        // meanwhile, so that no power cut makes a doubt of what was certainly issued.
        request->is_set_aside = true;
        return wait_for(request, event, PURPOSE_RECONCILE, 0);
    case REQUEST_SENT:
    case REQUEST_DOUBT:
        return wait_for(request, event, PURPOSE_RECONCILE, 0);
    default:
        return STEP_FREE;
    }
}

static enum request_step claim(struct request *request, const struct request_event *event,
                               struct request_output *output) {
    struct record *record = put_record(request, event, output, RECORD_SENT);
    memcpy(record->ca, request->ca, sizeof record->ca);
    memcpy(record->endpoint, request->policy->endpoint, sizeof record->endpoint);
    record->not_before_s = request->not_before_s;
    record->rekeys = request->policy->rekeys;
    return STEP_CLAIMING;
}

static enum request_step on_due(struct request *request, const struct request_event *event,
                                struct request_output *output) {
    if (request->purpose != PURPOSE_SUBMIT) {
        put_record(request, event, output, RECORD_LOAD_REQUEST);
        return STEP_LOOKING_UP;
    }
    return claim(request, event, output);
}

static enum request_step on_claimed(struct request *request, const struct request_event *event,
                                    struct request_output *output) {
    (void)event;
    bool fetch = request->purpose == PURPOSE_FETCH;
    output->action = fetch ? REQUEST_ACT_FETCH : REQUEST_ACT_SUBMIT;
    return fetch ? STEP_FETCHING : STEP_SUBMITTED;
}

// Only the CA that got the request can say what became of it. The profile may name another section by
// now, or the section may lead to another CA: that one would say, truly, that it issued nothing. Of
// records from before that was noted only the name is known.
static bool is_elsewhere(const struct request *request, const struct request_record *record,
                         struct error *error) {
    const char *here = request->policy->judges_endpoint ? "" : request->policy->endpoint;
    if (record->ca[0] != '\0' && strcmp(record->ca, request->ca) != 0) {
        error_set(
            error, E_UNIT_HELD,
            "CA %s has the request, the profile names %s now: put it back, then run birthcert "
            "reconcile",
            record->ca, request->ca);
        return true;
    }
    bool has_moved = strcmp(record->endpoint, request->policy->formerly) == 0;
    if (record->endpoint[0] != '\0' && here[0] != '\0' && strcmp(record->endpoint, here) != 0 &&
        !has_moved) {
        error_set(error, E_CA_CHANGED, "it was sent to %s, and [ca %s] leads to %s now",
                  record->endpoint, request->ca, here);
        return true;
    }
    return false;
}

// The record stays as it is; the next start, with the right CA, goes on.
static enum request_step leave(struct request *request, struct request_output *output,
                               const struct error *why) {
    request->error = *why;
    request->outcome = REQUEST_HELD;
    output->settled = true;
    return STEP_FREE;
}

// The store may have refused the certificate, and the offer with it: the CA hears nothing then, and
// drops what nobody confirmed.
static enum request_step on_offer_found(struct request *request, const struct request_event *event,
                                        struct request_output *output,
                                        const struct error *elsewhere) {
    if (elsewhere != NULL && request->outcome == REQUEST_UNCONFIRMED) {
        return leave(request, output, elsewhere);
    }
    if (event->request->offer.length == 0 && request->outcome == REQUEST_UNCONFIRMED) {
        struct error error;
        error_set(&error, E_CERT_UNCONFIRMED, "what the CA said with it is not on record");
        request->confirms = false;
        return settle(request, event, output, REQUEST_QUARANTINED, &error);
    }
    if (elsewhere != NULL || event->request->offer.length == 0) {
        output->settled = true;
        return STEP_FREE;
    }
    output->action = REQUEST_ACT_CONFIRM;
    return STEP_CONFIRMING;
}

static enum request_step on_looked_up(struct request *request, const struct request_event *event,
                                      struct request_output *output) {
    struct error why;
    bool elsewhere = is_elsewhere(request, event->request, &why);
    if (request->purpose == PURPOSE_CONFIRM) {
        return on_offer_found(request, event, output, elsewhere ? &why : NULL);
    }
    bool fetch = request->purpose == PURPOSE_FETCH;
    if (elsewhere && fetch) {
        return leave(request, output, &why);
    }
    bool is_on_record = event->request->leaf.length > 0 && request->policy->forgets;
    if (elsewhere && !request->is_set_aside) {
        return settle(request, event, output, REQUEST_HELD, &why);
    }
    if (elsewhere && (why.code != E_CA_CHANGED || !is_on_record)) {
        return STEP_FREE;
    }
    if (fetch && request->policy->fetch_repeats) {
        return claim(request, event, output);
    }
    request->scan_ms = event->monotonic_ms;
    request->is_rekey = event->request->replaces[0] != '\0';
    output->action = fetch ? REQUEST_ACT_FETCH : REQUEST_ACT_RECONCILE;
    return fetch ? STEP_FETCHING : STEP_RECONCILING;
}

// Somebody else took or settled it: the record is theirs to go on with.
static enum request_step on_claim_lost(struct request *request, const struct request_event *event,
                                       struct request_output *output) {
    (void)request;
    (void)event;
    (void)output;
    return STEP_FREE;
}

static enum request_step doubt(struct request *request, const struct request_event *event,
                               struct request_output *output) {
    const struct error *error = &event->result->error;
    put_state(request, event, output, REQUEST_DOUBT, error);
    output->ca_failed = true;
    request->doubt_ms = event->monotonic_ms;
    request->empty_scans = 0;
    return wait_for(request, event, PURPOSE_RECONCILE, request->policy->rescan_ms);
}

static enum request_step keep_certificate(struct request *request,
                                          const struct request_event *event,
                                          struct request_output *output) {
    const struct request_result *result = event->result;
    struct record *record = put_record(request, event, output, RECORD_CERTIFICATE);
    record->certificate = result->certificate;
    record->bytes = result->offer;
    record->error = result->error.code;
    memcpy(record->text, result->error.text, sizeof record->text);
    bool good = result->error.code == ERROR_NONE;
    request->confirms = result->offer.length > 0;
    request->outcome = !good               ? REQUEST_QUARANTINED
                       : request->confirms ? REQUEST_UNCONFIRMED
                                           : REQUEST_ISSUED;
    request->error = result->error;
    output->ca_worked = true;
    return STEP_SETTLING;
}

static enum request_step on_accepted(struct request *request, const struct request_event *event,
                                     struct request_output *output) {
    const struct request_result *result = event->result;
    struct record *record = put_state(request, event, output, REQUEST_ACCEPTED, NULL);
    text_copy(record->handle, sizeof record->handle, result->handle);
    request->failures = 0;
    output->ca_worked = true;
    uint32_t pause_ms = request->policy->fetch_repeats ? request->policy->backoff_ms : 0;
    pause_ms = result->retry_after_ms > 0 ? result->retry_after_ms : pause_ms;
    if (pause_ms > 0) {
        return wait_for(request, event, PURPOSE_FETCH, pause_ms);
    }
    put_record(request, event, output, RECORD_LOAD_REQUEST);
    request->purpose = PURPOSE_FETCH;
    return STEP_LOOKING_UP;
}

static enum request_step on_submit_result(struct request *request,
                                          const struct request_event *event,
                                          struct request_output *output) {
    const struct request_result *result = event->result;
    switch (result->outcome) {
    case OUTCOME_ACCEPTED:
        return on_accepted(request, event, output);
    case OUTCOME_CERTIFICATE:
        return keep_certificate(request, event, output);
    case OUTCOME_NOT_SENT:
        put_state(request, event, output, REQUEST_QUEUED, &result->error);
        output->ca_failed = true;
        return back_off(request, event, PURPOSE_SUBMIT);
    case OUTCOME_REFUSED:
        output->ca_worked = true;
        return settle(request, event, output, REQUEST_REFUSED, &result->error);
    default:
        return doubt(request, event, output);
    }
}

// A certificate for another key is the answer to another request, most likely. To keep it, in
// quarantine, would deny it to the camera that it belongs to; to ask again buys nothing. One that the
// CA waits to hear of is the answer to this one.
static bool is_mixed_up(struct request *request, const struct request_result *result) {
    return result->offer.length == 0 && result->error.code == E_CERT_KEY &&
           request->mixed_up++ < MIXED_UP_MAX;
}

// The request itself was sent again: its answer means what it means to a first one, except that the
// CA has accepted it already.
static enum request_step on_repeat_result(struct request *request,
                                          const struct request_event *event,
                                          struct request_output *output) {
    const struct request_result *result = event->result;
    if (result->outcome != OUTCOME_NOT_SENT) {
        return on_submit_result(request, event, output);
    }
    put_state(request, event, output, REQUEST_ACCEPTED, &result->error);
    output->ca_failed = true;
    return back_off(request, event, PURPOSE_FETCH);
}

// Asking again for what has been accepted costs nothing; only a handle that the CA does not know
// leads back into doubt.
static enum request_step on_fetch_result(struct request *request, const struct request_event *event,
                                         struct request_output *output) {
    const struct request_result *result = event->result;
    if (request->policy->fetch_repeats) {
        return on_repeat_result(request, event, output);
    }
    switch (result->outcome) {
    case OUTCOME_CERTIFICATE:
        if (is_mixed_up(request, result)) {
            return back_off(request, event, PURPOSE_FETCH);
        }
        return keep_certificate(request, event, output);
    case OUTCOME_REFUSED:
        return doubt(request, event, output);
    case OUTCOME_ACCEPTED:
        output->ca_worked = true;
        return wait_for(request, event, PURPOSE_FETCH,
                        result->retry_after_ms > request->policy->backoff_ms
                            ? result->retry_after_ms
                            : request->policy->backoff_ms);
    default:
        if (result->error.code == E_CA_CHANGED) {
            put_state(request, event, output, REQUEST_ACCEPTED, &result->error);
            return leave(request, output, &result->error);
        }
        output->ca_failed = true;
        return back_off(request, event, PURPOSE_FETCH);
    }
}

// One empty scan says little: the CA's lists lag behind. Several of them, the last one asked for past
// the settle time, say that nothing was issued; then, and only then, the request goes back to the outbox. Who knows better
// than the settle time that a scan came too early says when to look again. What was to be rekeyed is never
// sent again without a person's word: the CA's lists may leave it out.
static enum request_step on_nothing_found(struct request *request,
                                          const struct request_event *event,
                                          struct request_output *output) {
    output->ca_worked = true;
    if (event->result->retry_after_ms > 0) {
        return wait_for(request, event, PURPOSE_RECONCILE, event->result->retry_after_ms);
    }
    request->empty_scans++;
    bool settled = request->scan_ms - request->doubt_ms >= request->policy->settle_ms;
    if (request->empty_scans < request->policy->empty_scans || !settled) {
        return wait_for(request, event, PURPOSE_RECONCILE, request->policy->rescan_ms);
    }
    if (request->is_set_aside) {
        // The certificate that is in quarantine is for another key, or the CA does not list it any
        // more. It was paid for all the same.
        return STEP_FREE;
    }
    if (request->is_rekey) {
        return hold(request, event, output, &event->result->error);
    }
    // With an error: the CA was not asked, there may be a certificate too many.
    const struct error *error = &event->result->error;
    put_state(request, event, output, REQUEST_QUEUED, error->code != ERROR_NONE ? error : NULL);
    request->failures = 0;
    return wait_for(request, event, PURPOSE_SUBMIT, 0);
}

// That a scan found nothing proves nothing there, however often: but what is listed late is found before a
// person is asked.
static enum request_step on_cannot_tell(struct request *request, const struct request_event *event,
                                        struct request_output *output) {
    const struct request_result *result = event->result;
    bool settled = request->scan_ms - request->doubt_ms >= request->policy->settle_ms;
    if (request->is_set_aside) {
        return STEP_FREE;
    }
    if (result->retry_after_ms > 0 && !settled) {
        output->ca_worked = true;
        return wait_for(request, event, PURPOSE_RECONCILE, result->retry_after_ms);
    }
    return hold(request, event, output, &result->error);
}

static enum request_step on_scan_result(struct request *request, const struct request_event *event,
                                        struct request_output *output) {
    switch (event->result->outcome) {
    case OUTCOME_CERTIFICATE:
        return keep_certificate(request, event, output);
    case OUTCOME_NOT_ISSUED:
        return on_nothing_found(request, event, output);
    case OUTCOME_CANNOT_TELL:
        return on_cannot_tell(request, event, output);
    default:
        output->ca_failed = true;
        return back_off(request, event, PURPOSE_RECONCILE);
    }
}

// What the CA hears is on record. The unit hears of it after the CA has answered: a certificate that
// it would drop must not go on a camera.
static enum request_step on_settled(struct request *request, const struct request_event *event,
                                    struct request_output *output) {
    if (request->confirms) {
        request->purpose = PURPOSE_CONFIRM;
        put_record(request, event, output, RECORD_LOAD_REQUEST);
        return STEP_LOOKING_UP;
    }
    output->settled = true;
    return STEP_FREE;
}

// The CA was told that the certificate is not wanted, or was not: that is history. It drops what
// nobody confirms, so that nothing is tried again.
static enum request_step end_rejection(struct request *request, const struct request_event *event,
                                       struct request_output *output) {
    bool told = event->result->outcome == OUTCOME_CONFIRMED;
    struct error error = request->error;
    error_prefix(&error, told ? "the CA was told" : "the CA could not be told");
    return settle(request, event, output, REQUEST_QUARANTINED, &error);
}

// What is on record stays so until the CA has answered; it is told again after a lost answer, in the
// same words. A no ends it: the CA may have dropped the certificate, or had been told before; that
// cannot be told apart, so a person has to ask.
static enum request_step on_confirm_result(struct request *request,
                                           const struct request_event *event,
                                           struct request_output *output) {
    const struct request_result *result = event->result;
    static const struct error none = {0};
    if (result->outcome != OUTCOME_CONFIRMED && result->outcome != OUTCOME_REFUSED &&
        request->outcome == REQUEST_UNCONFIRMED) {
        output->ca_failed = true;
        return back_off(request, event, PURPOSE_CONFIRM);
    }
    request->confirms = false;
    output->ca_worked = true;
    if (request->outcome != REQUEST_UNCONFIRMED) {
        return end_rejection(request, event, output);
    }
    bool good = result->outcome == OUTCOME_CONFIRMED;
    return settle(request, event, output, good ? REQUEST_ISSUED : REQUEST_QUARANTINED,
                  good ? &none : &result->error);
}

// The store would not have the certificate beside what it holds: it is known, and goes no further.
static enum request_step on_settle_conflict(struct request *request,
                                            const struct request_event *event,
                                            struct request_output *output) {
    if (request->outcome == REQUEST_QUARANTINED && request->error.code == event->error.code) {
        output->settled = true;
        return STEP_FREE;
    }
    return settle(request, event, output, REQUEST_QUARANTINED, &event->error);
}

// ---- the table ----------------------------------------------------------------------------------

#define NEXT_MAX 7
#define END STEP_COUNT

struct request_cell {
    request_handler *handler;
    enum request_step next[NEXT_MAX];
};

#define TO(...)                                                                                    \
    { __VA_ARGS__, END }

static const struct request_cell request_table[STEP_COUNT][REQUEST_EVENT_COUNT] = {
    [STEP_FREE] = {[REQUEST_ON_START] = {on_start, TO(STEP_DUE, STEP_FREE)}},
    [STEP_DUE] = {[REQUEST_ON_DUE] = {on_due, TO(STEP_CLAIMING, STEP_LOOKING_UP)}},
    [STEP_CLAIMING] = {[REQUEST_ON_RECORD] = {on_claimed, TO(STEP_SUBMITTED, STEP_FETCHING)},
                       [REQUEST_ON_CONFLICT] = {on_claim_lost, TO(STEP_FREE)}},
    [STEP_SUBMITTED] = {[REQUEST_ON_RESULT] = {on_submit_result,
                                               {STEP_LOOKING_UP, STEP_SETTLING, STEP_DUE, END}}},
    [STEP_LOOKING_UP] = {[REQUEST_ON_RECORD] = {on_looked_up,
                                                {STEP_FETCHING, STEP_CLAIMING, STEP_CONFIRMING,
                                                 STEP_RECONCILING, STEP_SETTLING, STEP_FREE, END}},
                         [REQUEST_ON_CONFLICT] = {on_claim_lost, TO(STEP_FREE)}},
    [STEP_FETCHING] = {[REQUEST_ON_RESULT] = {on_fetch_result,
                                              TO(STEP_SETTLING, STEP_DUE, STEP_FREE)}},
    [STEP_CONFIRMING] = {[REQUEST_ON_RESULT] = {on_confirm_result, TO(STEP_SETTLING, STEP_DUE)}},
    [STEP_RECONCILING] = {[REQUEST_ON_RESULT] = {on_scan_result,
                                                 TO(STEP_SETTLING, STEP_DUE, STEP_FREE)}},
    [STEP_SETTLING] = {[REQUEST_ON_STORED] = {on_settled, TO(STEP_LOOKING_UP, STEP_FREE)},
                       [REQUEST_ON_CONFLICT] = {on_settle_conflict, TO(STEP_SETTLING, STEP_FREE)}},
};

static bool cell_allows(const struct request_cell *cell, enum request_step next) {
    for (size_t i = 0; i < NEXT_MAX && cell->next[i] != END; i++) {
        if (cell->next[i] == next) {
            return true;
        }
    }
    return false;
}

void request_init(struct request *request, const struct ca_policy *policy, const char *ca) {
    memset(request, 0, sizeof *request);
    request->policy = policy;
    text_copy(request->ca, sizeof request->ca, ca);
}

void request_step(struct request *request, const struct request_event *event,
                  struct request_output *output) {
    output->record_count = 0;
    output->action = REQUEST_ACT_NONE;
    output->settled = false;
    output->ca_failed = false;
    output->ca_worked = false;
    const struct request_cell *cell = &request_table[request->step][event->kind];
    if (cell->handler == NULL) {
        return;
    }
    enum request_step next = cell->handler(request, event, output);
    assert(cell_allows(cell, next));
    request->step = next;
}

bool request_is_in_flight(const struct request *request) {
    bool works = request->step >= STEP_CLAIMING && request->step <= STEP_RECONCILING;
    return works && request->purpose != PURPOSE_FETCH && request->purpose != PURPOSE_CONFIRM;
}

void request_visit_transitions(request_visit_transition *visit, void *context) {
    for (enum request_step from = 0; from < STEP_COUNT; from++) {
        for (enum request_event_kind kind = 0; kind < REQUEST_EVENT_COUNT; kind++) {
            const struct request_cell *cell = &request_table[from][kind];
            for (size_t i = 0; cell->handler != NULL && i < NEXT_MAX && cell->next[i] != END; i++) {
                visit(context, from, kind, cell->next[i]);
            }
        }
    }
}

const char *request_step_name(enum request_step step) {
    static const char *const names[STEP_COUNT] = {
        [STEP_FREE] = "free",
        [STEP_DUE] = "due",
        [STEP_CLAIMING] = "claiming",
        [STEP_SUBMITTED] = "submitted",
        [STEP_LOOKING_UP] = "looking up",
        [STEP_FETCHING] = "fetching",
        [STEP_CONFIRMING] = "confirming",
        [STEP_RECONCILING] = "reconciling",
        [STEP_SETTLING] = "settling",
    };
    return (unsigned)step < STEP_COUNT ? names[step] : "?";
}

const char *request_event_name(enum request_event_kind kind) {
    static const char *const names[REQUEST_EVENT_COUNT] = {
        [REQUEST_ON_START] = "start",   [REQUEST_ON_DUE] = "due",
        [REQUEST_ON_RECORD] = "record", [REQUEST_ON_RESULT] = "result",
        [REQUEST_ON_STORED] = "stored", [REQUEST_ON_CONFLICT] = "conflict",
    };
    return (unsigned)kind < REQUEST_EVENT_COUNT ? names[kind] : "?";
}

const char *request_state_name(enum request_state state) {
    static const char *const names[] = {
        [REQUEST_NONE] = "none",
        [REQUEST_QUEUED] = "queued",
        [REQUEST_SENT] = "sent",
        [REQUEST_ACCEPTED] = "accepted",
        [REQUEST_DOUBT] = "in doubt",
        [REQUEST_HELD] = "held",
        [REQUEST_REFUSED] = "refused",
        [REQUEST_QUARANTINED] = "quarantined",
        [REQUEST_ISSUED] = "issued",
        [REQUEST_WITHDRAWN] = "withdrawn",
        [REQUEST_UNCONFIRMED] = "unconfirmed",
    };
    return (unsigned)state < ARRAY_LENGTH(names) ? names[state] : "?";
}
