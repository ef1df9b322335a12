// SPDX-License-Identifier: Apache-2.0
// A hostile camera against the station's half of the protocol. The input is a list of pieces: each
// begins an order, lets time pass, or is an answer: as raw bytes, or as the payload of a frame that
// belongs to the request that is outstanding.
#include <stdlib.h>
#include <string.h>

#include "protocol/session.h"

struct fuzz_station {
    struct session session;
    struct session_output output;
    int64_t now_ms;
    uint8_t chain[MESSAGE_OBJECT_MAX];
    uint8_t wire[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
    uint8_t answer[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth) {
    if (!truth) {
        abort();
    }
}

// What the station writes is always one good request that the camera can take.
static void check_written(struct fuzz_station *station) {
    struct frame_decoder decoder;
    struct frame frame;
    struct message message;
    bool found = false;
    if (station->output.write.length == 0) {
        return;
    }
    frame_decoder_init(&decoder, station->wire, sizeof station->wire);
    frame_decoder_feed(&decoder, station->output.write, &frame, &found);
    expect(found && frame.kind == FRAME_REQUEST);
    expect(frame.payload.length <= station->session.link.max_payload);
    expect(message_decode(&frame, &message) == CAMERA_OK);
    expect(session_deadline_ms(&station->session) != LINK_NEVER);
}

static void check_object(struct slice object, size_t limit) {
    uint8_t sum = 0;
    expect(object.length <= limit);
    for (size_t i = 0; i < object.length; i++) {
        sum ^= object.data[i]; // all of it can be read
    }
    (void)*(volatile uint8_t *)&sum;
}

static void check_output(struct fuzz_station *station) {
    const struct session_result *result = &station->output.result;
    check_written(station);
    if (result->outcome == SESSION_RUNNING) {
        expect(station->session.step == STEP_IDLE ||
               session_deadline_ms(&station->session) != LINK_NEVER);
        return;
    }
    expect(station->output.write.length == 0 && result->order != SESSION_NOTHING);
    expect(session_deadline_ms(&station->session) == LINK_NEVER);
    expect(strlen(result->info.serial) <= MESSAGE_TEXT_MAX);
    expect(strlen(result->text) <= MESSAGE_TEXT_MAX);
    check_object(result->object, MESSAGE_OBJECT_MAX);
    check_object(result->signature, SESSION_SIGNATURE_MAX);
}

static void start(struct fuzz_station *station, uint8_t choice) {
    struct session_order order = {
        .kind = (enum session_order_kind)(SESSION_PROBE + choice % SESSION_FINISH),
        .credential = (uint8_t)(1 + choice / 64),
        .key_type = KEY_P256,
        .object = choice & 16 ? OBJECT_CSR : OBJECT_CHAIN,
        .subject = {station->chain, choice & 32 ? SESSION_SUBJECT_MAX : 40},
        .chain = {station->chain, choice & 64 ? MESSAGE_OBJECT_MAX : 300},
        .blink_s = choice & 8 ? 3 : 0,
        .pause_ms = choice & 128 ? 2000 : 0,
    };
    session_start(&station->session, station->now_ms, &order, &station->output);
    expect(station->output.result.outcome == SESSION_RUNNING);
    check_output(station);
}

static void receive(struct fuzz_station *station, struct slice bytes) {
    session_receive(&station->session, station->now_ms, bytes, &station->output);
    check_output(station);
}

static void tick(struct fuzz_station *station) {
    int64_t deadline_ms = session_deadline_ms(&station->session);
    if (deadline_ms != LINK_NEVER) {
        station->now_ms = deadline_ms > station->now_ms ? deadline_ms : station->now_ms;
        session_tick(&station->session, station->now_ms, &station->output);
        check_output(station);
    }
}

static void reply(struct fuzz_station *station, enum frame_kind kind, struct slice payload) {
    const struct link *link = &station->session.link;
    struct frame frame = {
        .kind = kind,
        .op = link->op,
        .sequence = link->sequence,
        .session = link->session,
        .payload = payload,
    };
    size_t length = frame_encode(station->answer, sizeof station->answer, &frame, 0);
    receive(station, (struct slice){station->answer, length});
}

// What an honest camera would say, so that the fuzzer gets past HELLO and INFO.
static void reply_well(struct fuzz_station *station, uint8_t choice) {
    uint8_t payload[512];
    struct message message = {.op = (enum message_op)station->session.link.op,
                              .kind = FRAME_RESPONSE};
    if (message.op == OP_HELLO) {
        message.hello.max_payload = choice & 1 ? 128 : 512;
    } else if (message.op == OP_INFO) {
        text_copy(message.info.serial, sizeof message.info.serial, choice & 128 ? "B" : "A");
    } else if (message.op == OP_READ) {
        message.data.offset = station->session.offset;
        message.data.total = MESSAGE_OBJECT_MAX;
        message.data.data = (struct slice){station->chain, choice};
    } else if (message.op == OP_WRITE) {
        message.written.next_offset = station->session.offset + choice;
    }
    size_t length = message_encode(payload, sizeof payload, &message);
    reply(station, FRAME_RESPONSE, (struct slice){payload, length});
}

static void take_piece(struct fuzz_station *station, uint8_t what, uint8_t choice,
                       struct slice bytes) {
    switch (what % 6) {
    case 0:
        start(station, choice);
        break;
    case 1:
        for (int i = 0; i <= choice % 8; i++) {
            tick(station);
        }
        break;
    case 2:
        receive(station, bytes);
        break;
    case 3:
        reply_well(station, choice);
        break;
    case 4:
        session_forget(&station->session);
        break;
    default:
        reply(station, (enum frame_kind)(choice % 4), bytes);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct session_settings settings = {
        .max_payload = 1024,
        .generate_timeout_ms = 60000,
        .probe_interval_ms = 500,
        .watch_interval_ms = 1000,
        .seed = 3,
    };
    struct fuzz_station *station = calloc(1, sizeof *station);
    expect(station != NULL);
    session_init(&station->session, &settings);
    start(station, 0);
    // Each piece: what, a choice, length (two bytes), bytes.
    while (size >= 4) {
        size_t length = load_be16(&data[2]);
        length = length < size - 4 ? length : size - 4;
        take_piece(station, data[0], data[1], (struct slice){data + 4, length});
        data += 4 + length;
        size -= 4 + length;
    }
    // Whatever the camera did: silence ends any order but the one that waits for somebody.
    while (station->session.order.kind > SESSION_PROBE) {
        expect(session_deadline_ms(&station->session) != LINK_NEVER);
        tick(station);
        expect(station->now_ms < 3600000);
    }
    free(station);
    return 0;
}
