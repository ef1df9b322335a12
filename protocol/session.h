// SPDX-License-Identifier: Apache-2.0
// The station's half of the bench protocol: one order at a time to the camera at one port. An order
// is what the unit's flow needs (identify, generate, fetch, install, ...); the session does the
// chunks, the repeats, the new sessions and the resets that it takes (PROTOCOL.md, sections 3 and
// 4). Pure: time comes in, bytes and results come out; no I/O, no allocation.
#ifndef BIRTHCERT_PROTOCOL_SESSION_H
#define BIRTHCERT_PROTOCOL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/link.h"
#include "protocol/message.h"
#include "station/base/bytes.h"

#define SESSION_SUBJECT_MAX 1024
#define SESSION_SIGNATURE_MAX 1024

enum session_order_kind {
    SESSION_NOTHING,
    SESSION_PROBE,    // waits, for ever, for a camera to answer; then as IDENTIFY
    SESSION_IDENTIFY, // INFO, fresh
    SESSION_WATCH,    // INFO about every second until the camera is gone or another one; may blink
    SESSION_GENERATE,
    SESSION_FETCH,   // READ until the object is whole
    SESSION_INSTALL, // WRITE the chain and COMMIT it
    SESSION_PROVE,
    SESSION_FINISH,
};

// Slices must stay valid until the result; only `subject` is copied.
struct session_order {
    enum session_order_kind kind;
    uint8_t credential;
    uint8_t key_type;
    uint8_t job_id[MESSAGE_JOB_ID_SIZE];
    struct slice subject;
    bool replace;
    uint8_t object;              // FETCH: enum object_type
    struct slice chain;          // INSTALL
    uint8_t sha256[SHA256_SIZE]; // INSTALL: of the chain
    uint8_t nonce[MESSAGE_NONCE_SIZE];
    bool lock;
    uint32_t blink_s;  // WATCH: the camera shows itself to a person, so long and then again; 0: not
    uint32_t pause_ms; // PROBE: before the first HELLO
};

enum session_outcome {
    SESSION_RUNNING,
    SESSION_DONE,
    SESSION_REFUSED, // camera_error and text; also where its max_payload is too small
    SESSION_TIMEOUT, // silent, also after a new session and a reset
    SESSION_BROKEN,  // its answers break the protocol
    SESSION_SWAPPED, // another serial than the one identified before; WATCH: or the first one
};

// Valid until the next call on the same session.
struct session_result {
    enum session_outcome outcome;
    enum session_order_kind order;
    struct message_info info;                // PROBE, IDENTIFY; SWAPPED: of the new camera
    uint8_t spki_sha256[SHA256_SIZE];        // GENERATE
    uint32_t csr_size;                       // GENERATE
    struct slice object;                     // FETCH
    struct slice signature;                  // PROVE
    uint8_t signature_algorithm;             // PROVE
    uint8_t certificate_sha256[SHA256_SIZE]; // PROVE
    uint8_t lifecycle;                       // FINISH
    enum camera_error camera_error;
    char text[MESSAGE_TEXT_MAX + 1]; // REFUSED: the camera's words, hostile
};

struct session_output {
    struct slice write;
    bool reset; // the transport should clear the line or the endpoint
    struct session_result result;
};

struct session_settings {
    uint32_t bit_rate;            // 0: no time worth counting
    uint32_t max_payload;         // to offer: 1024 on serial, 4096 on USB
    uint32_t generate_timeout_ms; // cap for GENERATE_KEY
    uint32_t probe_interval_ms;   // between HELLOs to an empty slot
    uint32_t watch_interval_ms;
    uint64_t seed; // of session numbers: random, not 0
};

enum session_step {
    STEP_IDLE,
    STEP_PAUSE,
    STEP_HELLO,
    STEP_INFO,
    STEP_ORDER,
    STEP_REFUSE, // the request does not fit the payload that the camera agreed to
};

struct session {
    struct session_settings settings;
    uint64_t random;
    struct link link;

    struct session_order order;
    uint8_t subject[SESSION_SUBJECT_MAX];
    enum session_step step;
    int64_t resume_ms;      // end of STEP_PAUSE
    enum session_step next; // after STEP_PAUSE
    int64_t order_end_ms;   // of GENERATE, however often it is sent again
    int64_t blink_ms;       // of WATCH: when to ask for it next
    unsigned escalation;    // 0 the request, 1 a new session, 2 a reset and a new session
    unsigned restarts;      // new sessions, BUSYs and second tries of this order
    bool looked;            // INFO was answered since HELLO: only then an order is sent
    bool identified;
    char serial[MESSAGE_TEXT_MAX + 1];

    bool committing; // INSTALL: all is written
    uint32_t offset;
    uint32_t total;
    uint8_t object[MESSAGE_OBJECT_MAX];
    uint8_t signature[SESSION_SIGNATURE_MAX];
};

void session_init(struct session *session, const struct session_settings *settings);

// The port was opened anew: whoever answers next is a stranger.
void session_forget(struct session *session);

// Starts an order; one that is running is dropped without a result. The new one has none yet.
void session_start(struct session *session, int64_t now_ms, const struct session_order *order,
                   struct session_output *output);
void session_receive(struct session *session, int64_t now_ms, struct slice bytes,
                     struct session_output *output);
// Call it at session_deadline_ms or later.
void session_tick(struct session *session, int64_t now_ms, struct session_output *output);

// When session_tick wants to be called: LINK_NEVER while idle.
int64_t session_deadline_ms(const struct session *session);

#endif
