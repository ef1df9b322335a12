// SPDX-License-Identifier: Apache-2.0
// The flow of one unit through one slot: from a camera that answers to a PASS that is on record.
//
// Pure: unit_step takes an event, which carries the time, and fills an output: records to persist
// and at most one action to perform. No I/O, no clock, no allocation, no logging. What may happen
// in which state is the const table in unit_table.c, which also prints the state diagram.
//
// There is one way to begin and to go on after whatever went wrong: the camera says what it is, the
// store says what it knows, and unit_plan.c compares the two and finds the next step.
#ifndef BIRTHCERT_CORE_UNIT_H
#define BIRTHCERT_CORE_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/record.h"
#include "protocol/message.h"
#include "station/base/error.h"

enum unit_state {
    UNIT_EMPTY,      // nobody answers in the slot
    UNIT_ADMITTING,  // the store looks the serial up
    UNIT_GENERATING, // the camera makes its key
    UNIT_FETCHING_CSR,
    UNIT_WAITING,    // for the CA; the camera may leave and come back
    UNIT_LOADING,    // the certificate, from the store
    UNIT_CONFIRMING, // is it still the same camera with the same key?
    UNIT_INSTALLING,
    UNIT_READING_BACK,
    UNIT_PROVING,
    UNIT_LOCKING,
    UNIT_RECORDING, // the result becomes durable
    UNIT_DONE,      // the result is shown until the camera leaves
    UNIT_STATE_COUNT,
};

enum unit_event_kind {
    UNIT_ON_IDENTIFIED,  // info: of a camera that was just found, or CONFIRM's answer
    UNIT_ON_GONE,        // error: how it left
    UNIT_ON_ADMITTED,    // unit: what the store knows
    UNIT_ON_KEY,         // spki_sha256
    UNIT_ON_CSR,         // csr
    UNIT_ON_ISSUED,      // credential_id: its certificate is on record
    UNIT_ON_UNAVAILABLE, // credential_id, request, error: there will be none for now
    UNIT_ON_CERTIFICATE, // certificate, with its chain
    UNIT_ON_INSTALLED,
    UNIT_ON_READ_BACK, // bytes: the chain as the camera stored it
    UNIT_ON_PROOF,     // error: what the signature check found; certificate_sha256
    UNIT_ON_FINISHED,  // lifecycle
    UNIT_ON_STORED,    // the result is durable
    UNIT_ON_REFUSED,   // camera_error and error.text: the camera said no
    UNIT_ON_FAILED,    // error: silence, nonsense, another camera
    UNIT_ON_CONFLICT,  // error: the store refused a record
    UNIT_EVENT_COUNT,
};

// What the edge found in a CSR; the core compares it with what it expects.
struct unit_csr {
    struct error error; // of parsing and of the signature
    uint8_t spki_sha256[SHA256_SIZE];
    uint8_t key_type;
    char subject_serial[SERIAL_SIZE];
    struct slice der;
};

// Slices and pointers are valid during the step only.
struct unit_event {
    enum unit_event_kind kind;
    int64_t now_ms; // wall clock
    struct error error;
    union {
        const struct message_info *info;
        const struct unit_record *unit;
        const struct unit_csr *csr;
        const struct certificate_record *certificate;
        struct slice bytes;
        uint8_t spki_sha256[SHA256_SIZE];
        uint8_t certificate_sha256[SHA256_SIZE];
        uint8_t lifecycle;
        enum camera_error camera_error;
        struct {
            int64_t credential_id;
            enum request_state request;
        };
    };
};

// What the edge has to do. About unit->record.credentials[unit->current] where it is about one.
enum unit_action {
    UNIT_ACT_NONE,
    UNIT_ACT_PROBE, // wait for a camera to answer
    UNIT_ACT_PROBE_LATER,
    UNIT_ACT_WATCH,    // tell when it leaves
    UNIT_ACT_GENERATE, // unit->replace_key
    UNIT_ACT_FETCH_CSR,
    UNIT_ACT_CONFIRM, // INFO, fresh
    UNIT_ACT_INSTALL, // unit->chain
    UNIT_ACT_READ_BACK,
    UNIT_ACT_PROVE,  // with a fresh nonce; check against unit->chain
    UNIT_ACT_FINISH, // unit->policy->lock
};

enum unit_verdict { UNIT_NO_VERDICT, UNIT_PASS, UNIT_FAIL, UNIT_ALREADY };

struct unit_policy {
    bool lock;        // FINISH locks the camera for good
    unsigned retries; // of a step that the camera refused for a passing reason
    uint32_t wanted_count;
    struct {
        uint8_t number;
        uint8_t key_type;
        bool replace_foreign_key;
        char profile[NAME_SIZE];
    } wanted[UNIT_CREDENTIALS_MAX];
};

struct unit {
    const struct unit_policy *policy;
    char label[SERIAL_SIZE]; // the serial that must come; "" for any
    char lot[NAME_SIZE];

    enum unit_state state;
    enum unit_verdict verdict;
    struct error error;       // of a FAIL
    struct message_info info; // as last reported
    struct unit_record record;
    uint32_t current; // index into record.credentials
    uint32_t proved;  // bit per index: proved since the camera was identified
    unsigned tries;   // of this step
    bool replace_key;
    bool installed_now; // INSTALL was done since the certificate was loaded
    size_t chain_length;
    uint8_t chain[OBJECT_MAX];
};

#define UNIT_RECORDS_MAX (UNIT_CREDENTIALS_MAX + 2)

struct unit_output {
    size_t record_count;
    struct record records[UNIT_RECORDS_MAX];
    enum unit_action action;
    bool hold; // the action waits until the records of this output are durable
};

// Begins in UNIT_EMPTY; the first action, PROBE, is the caller's. `policy` must outlive the unit.
void unit_init(struct unit *unit, const struct unit_policy *policy);

// One step. Events that the state does not expect (late answers) are dropped.
void unit_step(struct unit *unit, const struct unit_event *event, struct unit_output *output);

// Static text: "generating", "key", "PASS".
const char *unit_state_name(enum unit_state state);
const char *unit_event_name(enum unit_event_kind kind);
const char *unit_verdict_name(enum unit_verdict verdict);

// Between UNIT_ADMITTING and UNIT_RECORDING.
bool unit_is_active(const struct unit *unit);

// Calls `visit` for each transition of the table, for the state diagram.
typedef void unit_visit_transition(void *context, enum unit_state from, enum unit_event_kind event,
                                   enum unit_state to);
void unit_visit_transitions(unit_visit_transition *visit, void *context);

#endif
