// SPDX-License-Identifier: Apache-2.0
// One certificate's way through the CA: from the outbox to a checked certificate on record, or to
// what a person has to decide. Pure, like unit.h. It does not need the camera to be there.
//
// What must hold: the intent is durable before the request leaves (I2); a request whose answer was
// lost is never sent again before the CA was asked, repeatedly, what it issued (I7); a CA that waits
// to hear of a certificate's fate hears of it when that is durable, and not before (I5).
#ifndef BIRTHCERT_CORE_REQUEST_H
#define BIRTHCERT_CORE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "db/record.h"
#include "station/base/error.h"
#include "station/core/policy.h"

enum request_step {
    STEP_FREE,       // the place is not used
    STEP_DUE,        // waits for its time and its turn; `purpose` says for what
    STEP_CLAIMING,   // the intent becomes durable
    STEP_SUBMITTED,  // on its way to the CA
    STEP_LOOKING_UP, // its record is read, for FETCH or RECONCILE
    STEP_FETCHING,
    STEP_CONFIRMING, // what became of its certificate is on its way to the CA
    STEP_RECONCILING,
    STEP_SETTLING, // the outcome becomes durable
    STEP_COUNT,
};

enum request_purpose { PURPOSE_SUBMIT, PURPOSE_FETCH, PURPOSE_CONFIRM, PURPOSE_RECONCILE };

enum request_event_kind {
    REQUEST_ON_START,    // request: as the store has it
    REQUEST_ON_DUE,      // its time has come and there is a place
    REQUEST_ON_RECORD,   // request: the answer of claiming or looking up
    REQUEST_ON_RESULT,   // result
    REQUEST_ON_STORED,   // the outcome is durable
    REQUEST_ON_CONFLICT, // error: the store refused the record
    REQUEST_EVENT_COUNT,
};

enum request_outcome {
    OUTCOME_ACCEPTED,    // handle
    OUTCOME_CERTIFICATE, // certificate, offer; error: why it must not be installed
    OUTCOME_NOT_SENT,
    OUTCOME_REFUSED,
    OUTCOME_DOUBT,
    OUTCOME_NOT_ISSUED,
    OUTCOME_CANNOT_TELL,
    OUTCOME_CONFIRMED, // the CA took our word on the certificate
};

struct request_result {
    enum request_outcome outcome;
    struct error error;
    // NOT_ISSUED: not 0 where the scan came too early to count. CANNOT_TELL: not 0 where a later one may
    // find something before the settle time is over.
    uint32_t retry_after_ms;
    const char *handle;
    struct certificate_record certificate;
    struct slice offer; // the CA waits for an answer to this; empty: it does not
};

struct request_event {
    enum request_event_kind kind;
    int64_t now_ms;       // wall clock, for records
    int64_t monotonic_ms; // for pauses
    uint64_t random;
    struct error error;
    const struct request_record *request;
    const struct request_result *result;
};

enum request_action {
    REQUEST_ACT_NONE,
    REQUEST_ACT_SUBMIT,
    REQUEST_ACT_FETCH,
    // The certificate of `offer` is on record: as good (the request is UNCONFIRMED), or quarantined.
    REQUEST_ACT_CONFIRM,
    REQUEST_ACT_RECONCILE
};

struct request {
    const struct ca_policy *policy;
    enum request_step step;
    enum request_purpose purpose;
    int64_t unit_id;
    int64_t credential_id;
    char ca[NAME_SIZE];
    int64_t due_ms;       // monotonic, in STEP_DUE
    int64_t not_before_s; // of the attempt in progress
    uint32_t failures;    // in a row
    uint32_t empty_scans;
    uint32_t mixed_up;          // certificates for other keys that came when this one was fetched
    bool is_rekey;              // that it is not found proves nothing
    bool is_set_aside;          // its certificate is in quarantine: another look, never another one
    int64_t doubt_ms;           // monotonic: since when this process knows of the doubt
    int64_t scan_ms;            // monotonic: when the CA was last asked about it
    enum request_state outcome; // in STEP_SETTLING, and until the CA knows of it
    struct error error;         // the same, for the unit
    bool confirms;              // the CA waits to hear of the outcome
};

#define REQUEST_RECORDS_MAX 2

struct request_output {
    size_t record_count;
    struct record records[REQUEST_RECORDS_MAX];
    enum request_action action;
    bool settled;   // outcome and error are final: tell the unit; the place is free
    bool ca_failed; // the CA could not be reached or asked to wait: for the breaker
    bool ca_worked;
};

// `policy` must outlive the request.
void request_init(struct request *request, const struct ca_policy *policy, const char *ca);
void request_step(struct request *request, const struct request_event *event,
                  struct request_output *output);

// True while the CA works on it, for the cap on what is in flight. Fetching what was accepted does not
// count: a CA that takes minutes to issue must not keep others from being asked for. Nor does
// confirming, which ends what the CA began.
bool request_is_in_flight(const struct request *request);

const char *request_step_name(enum request_step step);
const char *request_state_name(enum request_state state); // "queued", "sent", "in doubt", ...

typedef void request_visit_transition(void *context, enum request_step from,
                                      enum request_event_kind event, enum request_step to);
void request_visit_transitions(request_visit_transition *visit, void *context);
const char *request_event_name(enum request_event_kind kind);

#endif
