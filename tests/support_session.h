// SPDX-License-Identifier: Apache-2.0
// A session with a scripted camera: what the station writes is read as a request, and the test says
// what comes back. For tests of protocol/session.h.
#ifndef BIRTHCERT_TESTS_SUPPORT_SESSION_H
#define BIRTHCERT_TESTS_SUPPORT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/session.h"

// How often a request is sent before the camera counts as silent.
#define SESSION_BENCH_SENDS (1 + LINK_REPEATS)

struct session_bench {
    struct session session;
    struct session_output output; // of the last call
    int64_t now_ms;
    uint32_t agreed; // the max_payload that the camera answers
    const char *serial;
    // The last request that the station wrote.
    struct frame frame;
    struct message request;
    uint8_t frame_bytes[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
};

void session_bench_init(struct session_bench *bench, uint32_t offer, uint32_t agreed);
void session_bench_start(struct session_bench *bench, const struct session_order *order);

// Reads what was written last; fails the test where it is not one good request, or another op.
void session_bench_expect(struct session_bench *bench, enum message_op op);

// Replies to the last request. `message` needs no op; kind 0 means a response.
void session_bench_reply(struct session_bench *bench, struct message *message);
void session_bench_refuse(struct session_bench *bench, enum camera_error code, bool has_detail,
                          uint32_t detail);
void session_bench_progress(struct session_bench *bench, uint32_t max_silence_ms);
// The answer to FINISH.
void session_bench_reply_finished(struct session_bench *bench, uint8_t lifecycle);
// A good answer to HELLO or INFO.
void session_bench_answer(struct session_bench *bench);
// HELLO and INFO are asked and answered.
void session_bench_greet(struct session_bench *bench);
// PROBE is started and answered: the camera is known.
void session_bench_identify(struct session_bench *bench);

// Any frame, as the camera would write it.
void session_bench_receive_frame(struct session_bench *bench, const struct frame *frame);

// The clock moves to the session's deadline.
void session_bench_tick(struct session_bench *bench);

// A camera that is known, agreed on 512 bytes, and is given `order`.
void session_bench_begin(struct session_bench *bench, const struct session_order *order);
// Nobody answers `sends` copies of the request that was just written.
void session_bench_stay_silent(struct session_bench *bench, enum message_op op, int sends);

void session_bench_expect_outcome(const struct session_bench *bench, enum session_outcome outcome,
                                  enum session_order_kind order);
void session_bench_expect_running(const struct session_bench *bench);

#endif
