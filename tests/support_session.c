// SPDX-License-Identifier: Apache-2.0
#include "tests/support_session.h"

#include <check.h>
#include <string.h>

void session_bench_init(struct session_bench *bench, uint32_t offer, uint32_t agreed) {
    struct session_settings settings = {
        .max_payload = offer,
        .generate_timeout_ms = 60000,
        .probe_interval_ms = 500,
        .watch_interval_ms = 1000,
        .seed = 77,
    };
    memset(bench, 0, sizeof *bench);
    bench->now_ms = 100000;
    bench->agreed = agreed;
    bench->serial = "CAM-0001";
    session_init(&bench->session, &settings);
}

void session_bench_start(struct session_bench *bench, const struct session_order *order) {
    session_start(&bench->session, bench->now_ms, order, &bench->output);
}

void session_bench_expect(struct session_bench *bench, enum message_op op) {
    struct frame_decoder decoder;
    bool found = false;
    ck_assert_uint_gt(bench->output.write.length, 0);
    frame_decoder_init(&decoder, bench->frame_bytes, sizeof bench->frame_bytes);
    size_t used = frame_decoder_feed(&decoder, bench->output.write, &bench->frame, &found);
    ck_assert(found);
    ck_assert_uint_eq(used, bench->output.write.length);
    ck_assert_int_eq(bench->frame.kind, FRAME_REQUEST);
    ck_assert_uint_le(bench->frame.payload.length, bench->session.link.max_payload);
    ck_assert_int_eq(message_decode(&bench->frame, &bench->request), CAMERA_OK);
    ck_assert_msg(bench->request.op == op, "%s, wanted is %s", message_op_name(bench->request.op),
                  message_op_name(op));
}

void session_bench_receive_frame(struct session_bench *bench, const struct frame *frame) {
    static uint8_t wire[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
    size_t length = frame_encode(wire, sizeof wire, frame, 0);
    ck_assert_uint_gt(length, 0);
    session_receive(&bench->session, bench->now_ms, (struct slice){wire, length}, &bench->output);
}

void session_bench_reply(struct session_bench *bench, struct message *message) {
    static uint8_t payload[FRAME_PAYLOAD_MAX];
    message->op = bench->request.op;
    message->kind = message->kind == FRAME_REQUEST ? FRAME_RESPONSE : message->kind;
    size_t length = message_encode(payload, sizeof payload, message);
    ck_assert_uint_gt(length, 0);
    struct frame frame = bench->frame;
    frame.kind = message->kind;
    frame.payload = (struct slice){payload, length};
    session_bench_receive_frame(bench, &frame);
}

void session_bench_refuse(struct session_bench *bench, enum camera_error code, bool has_detail,
                          uint32_t detail) {
    struct message message = {.kind = FRAME_ERROR};
    message.error.code = code;
    message.error.has_detail = has_detail;
    message.error.detail = detail;
    text_copy(message.error.text, sizeof message.error.text, "no");
    session_bench_reply(bench, &message);
}

void session_bench_progress(struct session_bench *bench, uint32_t max_silence_ms) {
    struct message message = {.kind = FRAME_PROGRESS};
    message.progress.max_silence_ms = max_silence_ms;
    session_bench_reply(bench, &message);
}

void session_bench_answer(struct session_bench *bench) {
    struct message message = {.kind = FRAME_RESPONSE};
    if (bench->request.op == OP_HELLO) {
        message.hello.max_payload = bench->agreed;
    } else {
        ck_assert_int_eq(bench->request.op, OP_INFO);
        text_copy(message.info.serial, sizeof message.info.serial, bench->serial);
        text_copy(message.info.model, sizeof message.info.model, "WV-1");
        text_copy(message.info.firmware, sizeof message.info.firmware, "2.40");
    }
    session_bench_reply(bench, &message);
}

void session_bench_greet(struct session_bench *bench) {
    session_bench_expect(bench, OP_HELLO);
    session_bench_answer(bench);
    session_bench_expect(bench, OP_INFO);
    session_bench_answer(bench);
}

void session_bench_identify(struct session_bench *bench) {
    struct session_order order = {.kind = SESSION_PROBE};
    session_bench_start(bench, &order);
    session_bench_greet(bench);
    ck_assert_int_eq(bench->output.result.outcome, SESSION_DONE);
}

void session_bench_tick(struct session_bench *bench) {
    int64_t deadline_ms = session_deadline_ms(&bench->session);
    ck_assert_int_ne(deadline_ms, LINK_NEVER);
    bench->now_ms = deadline_ms > bench->now_ms ? deadline_ms : bench->now_ms;
    session_tick(&bench->session, bench->now_ms, &bench->output);
}

void session_bench_expect_outcome(const struct session_bench *bench, enum session_outcome outcome,
                                  enum session_order_kind order) {
    ck_assert_int_eq(bench->output.result.outcome, outcome);
    ck_assert_int_eq(bench->output.result.order, order);
    ck_assert_uint_eq(bench->output.write.length, 0);
    ck_assert_int_eq(session_deadline_ms(&bench->session), LINK_NEVER);
}

void session_bench_expect_running(const struct session_bench *bench) {
    ck_assert_int_eq(bench->output.result.outcome, SESSION_RUNNING);
}

void session_bench_begin(struct session_bench *bench, const struct session_order *order) {
    session_bench_init(bench, 1024, 512);
    session_bench_identify(bench);
    session_bench_start(bench, order);
}

void session_bench_stay_silent(struct session_bench *bench, enum message_op op, int sends) {
    for (int i = 0; i < sends; i++) {
        session_bench_expect(bench, op);
        session_bench_expect_running(bench);
        session_bench_tick(bench);
    }
}

void session_bench_reply_finished(struct session_bench *bench, uint8_t lifecycle) {
    struct message message = {.kind = FRAME_RESPONSE};
    message.finished.lifecycle = lifecycle;
    session_bench_reply(bench, &message);
}
