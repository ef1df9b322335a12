// SPDX-License-Identifier: Apache-2.0
// One request at a time to one camera, over a wire that loses and garbles (PROTOCOL.md, section 4).
// Pure: time comes in, bytes and results come out; no I/O, no allocation.
//
// The link repeats a request five times and then gives up with LINK_SILENT; what to do then (a new
// session, a reset) is the session's decision, in session.h.
#ifndef BIRTHCERT_PROTOCOL_LINK_H
#define BIRTHCERT_PROTOCOL_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/frame.h"
#include "protocol/message.h"
#include "station/base/bytes.h"

#define LINK_REPEATS 5
#define LINK_NEVER INT64_MAX

enum link_event {
    LINK_NOTHING,
    LINK_REPLY,    // `message` is the response
    LINK_REFUSED,  // `message` is the camera's error
    LINK_PROGRESS, // the camera works on it; `message` says how far
    LINK_SILENT,   // no answer to any repeat
    LINK_BROKEN,   // an answer that breaks the protocol
};

// What one call produced. Slices are valid until the next call on the same link.
struct link_output {
    struct slice write; // goes on the wire now
    enum link_event event;
    struct message message;
};

struct link {
    uint32_t bit_rate;    // of the wire, 0: no time worth counting
    uint32_t session;     // 0 until link_set_session
    uint32_t max_payload; // as negotiated
    uint16_t sequence;

    bool busy;
    uint8_t op;
    uint8_t repeats_left;
    size_t wire_length;
    int64_t deadline_ms; // LINK_NEVER while idle
    int64_t hard_end_ms; // progress does not move the deadline past it
    uint32_t cap_ms;

    struct frame_decoder decoder;
    uint8_t wire[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
    uint8_t payload[FRAME_PAYLOAD_MAX];
    uint8_t receive[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
};

// `bit_rate` in bits per second, ten bits a byte.
void link_init(struct link *link, uint32_t bit_rate);

// A new session: forgets what is outstanding and what was negotiated.
void link_set_session(struct link *link, uint32_t session);
void link_set_max_payload(struct link *link, uint32_t max_payload);

// Sends a request; one that is outstanding is forgotten. `repeats` says how often it is sent again
// where nothing answers, at most LINK_REPEATS. `cap_ms` bounds the time that progress frames may ask
// for in all. False, and nothing is sent, where the message does not fit the negotiated payload.
bool link_request(struct link *link, int64_t now_ms, const struct message *request, uint8_t repeats,
                  uint32_t cap_ms, struct link_output *output);

// Bytes from the camera. What follows the awaited answer in the same bytes is noise, and dropped.
void link_receive(struct link *link, int64_t now_ms, struct slice bytes,
                  struct link_output *output);

// Time has passed. Call it at link->deadline_ms or later.
void link_tick(struct link *link, int64_t now_ms, struct link_output *output);

#endif
