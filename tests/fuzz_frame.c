// SPDX-License-Identifier: Apache-2.0
// The frame decoder, fed in pieces whose lengths the input chooses: it finds the same frames as
// when fed at once, and each of them, written again, is read as itself.
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"

#define PAYLOAD_MAX 256 // small, so that short inputs reach the limit
#define FRAMES_MAX 64

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

// What is kept of a frame: its payload does not outlive the next call.
struct found {
    size_t count;
    uint32_t crc[FRAMES_MAX];
};

static void require_same(const struct frame *a, const struct frame *b) {
    require(a->kind == b->kind && a->op == b->op && a->sequence == b->sequence &&
            a->session == b->session && slice_equal(a->payload, b->payload));
}

static void check_frame(const struct frame *frame, size_t usb_packet_size) {
    uint8_t wire[FRAME_WIRE_MAX(PAYLOAD_MAX + 8)];
    uint8_t buffer[FRAME_WIRE_MAX(PAYLOAD_MAX + 8)];
    require(frame->payload.length <= PAYLOAD_MAX + 8);
    size_t length = frame_encode(wire, sizeof(wire), frame, usb_packet_size);
    require(length != 0 && length <= FRAME_WIRE_MAX(frame->payload.length));
    require(wire[0] == 0 && wire[length - 1] == 0);
    require(usb_packet_size < 2 || length % usb_packet_size != 0);
    struct frame_decoder decoder;
    struct frame back;
    bool found = false;
    frame_decoder_init(&decoder, buffer, sizeof(buffer));
    size_t used = frame_decoder_feed(&decoder, (struct slice){wire, length}, &back, &found);
    require(found && used <= length && decoder.dropped == 0);
    require_same(frame, &back);
}

static void note(struct found *found, const struct frame *frame) {
    if (found->count < FRAMES_MAX) {
        uint8_t head[] = {(uint8_t)frame->kind, frame->op, 0, 0, 0, 0, 0, 0};
        store_be16(head + 2, frame->sequence);
        store_be32(head + 4, frame->session);
        uint32_t crc = crc32c(0, head, sizeof(head));
        found->crc[found->count] = crc32c(crc, frame->payload.data, frame->payload.length);
        found->count++;
    }
}

static void feed(struct frame_decoder *decoder, struct slice piece, size_t usb_packet_size,
                 struct found *found) {
    while (piece.length != 0) {
        struct frame frame;
        bool complete = false;
        size_t used = frame_decoder_feed(decoder, piece, &frame, &complete);
        require(used != 0 && used <= piece.length && (complete || used == piece.length));
        if (complete) {
            note(found, &frame);
            check_frame(&frame, usb_packet_size);
        }
        piece.data += used;
        piece.length -= used;
    }
}

// One byte says how the stream is cut, the next the packet size, the rest is the stream. With the
// lowest bit of the first set, the stream is the content of a frame instead, so that the decoder
// sees whole frames without having to guess a CRC.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t packet_sizes[] = {0, 1, 8, 64, 512};
    if (size < 10) {
        return 0;
    }
    uint8_t cut = data[0];
    size_t packet_size = packet_sizes[data[1] % ARRAY_LENGTH(packet_sizes)];
    struct slice stream = {data + 2, size - 2};
    uint8_t wire[FRAME_WIRE_MAX(PAYLOAD_MAX)];
    if ((cut & 1) != 0 && stream.length - 7 <= PAYLOAD_MAX) {
        struct frame frame = {.kind = (enum frame_kind)(data[2] % 4),
                              .op = data[3],
                              .sequence = load_be16(data + 4),
                              .session = load_be32(data + 5),
                              .payload = {data + 9, size - 9}};
        stream = (struct slice){wire, frame_encode(wire, sizeof(wire), &frame, packet_size)};
        require(stream.length != 0);
    }

    uint8_t buffer[2][FRAME_WIRE_MAX(PAYLOAD_MAX)];
    struct frame_decoder decoder[2];
    struct found found[2] = {0};
    frame_decoder_init(&decoder[0], buffer[0], sizeof(buffer[0]));
    frame_decoder_init(&decoder[1], buffer[1], sizeof(buffer[1]));
    feed(&decoder[0], stream, packet_size, &found[0]);
    uint32_t state = cut;
    for (size_t at = 0; at < stream.length;) {
        state = state * 1664525 + 1013904223;
        size_t piece = 1 + (state >> 24) % 16;
        piece = piece < stream.length - at ? piece : stream.length - at;
        feed(&decoder[1], (struct slice){stream.data + at, piece}, packet_size, &found[1]);
        at += piece;
    }
    require(decoder[0].dropped == decoder[1].dropped && found[0].count == found[1].count);
    require(memcmp(found[0].crc, found[1].crc, sizeof(found[0].crc)) == 0);
    return 0;
}
