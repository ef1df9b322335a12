// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.h"

#include <string.h>

#define PROTOCOL_VERSION 1
#define COBS_CODE_FULL 255 // 254 bytes that no 00 follows

// ---- writing ------------------------------------------------------------------------------------

struct cobs_writer {
    uint8_t *out;
    size_t capacity;
    size_t used;
    size_t code_at; // where the open block's code goes once it is known
    uint8_t code;
    bool failed;
};

static void cobs_put_raw(struct cobs_writer *writer, uint8_t byte) {
    if (writer->used >= writer->capacity) {
        writer->failed = true;
        return;
    }
    writer->out[writer->used] = byte;
    writer->used++;
}

static void cobs_open_block(struct cobs_writer *writer) {
    writer->code_at = writer->used;
    writer->code = 1;
    cobs_put_raw(writer, 0);
}

static void cobs_close_block(struct cobs_writer *writer) {
    if (!writer->failed) {
        writer->out[writer->code_at] = writer->code;
    }
}

static void cobs_put(struct cobs_writer *writer, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length && !writer->failed; i++) {
        // A full block is closed only when more comes: a run of 254 that ends the data has no
        // further block.
        if (writer->code == COBS_CODE_FULL) {
            cobs_close_block(writer);
            cobs_open_block(writer);
        }
        if (data[i] == 0) {
            cobs_close_block(writer);
            cobs_open_block(writer);
        } else {
            cobs_put_raw(writer, data[i]);
            writer->code++;
        }
    }
}

static void header_store(uint8_t header[FRAME_HEADER_SIZE], const struct frame *frame) {
    header[0] = (uint8_t)(PROTOCOL_VERSION << 4 | (uint8_t)frame->kind);
    header[1] = frame->op;
    store_be16(header + 2, frame->sequence);
    store_be32(header + 4, frame->session);
}

size_t frame_encode(uint8_t *out, size_t capacity, const struct frame *frame,
                    size_t usb_packet_size) {
    if (frame->payload.length > FRAME_PAYLOAD_MAX || frame->kind > FRAME_ERROR) {
        return 0;
    }
    uint8_t header[FRAME_HEADER_SIZE];
    header_store(header, frame);
    uint32_t crc = crc32c(0, header, sizeof(header));
    crc = crc32c(crc, frame->payload.data, frame->payload.length);
    uint8_t trailer[FRAME_CRC_SIZE];
    store_be32(trailer, crc);

    struct cobs_writer writer = {.out = out, .capacity = capacity};
    cobs_put_raw(&writer, 0);
    cobs_open_block(&writer);
    cobs_put(&writer, header, sizeof(header));
    cobs_put(&writer, frame->payload.data, frame->payload.length);
    cobs_put(&writer, trailer, sizeof(trailer));
    cobs_close_block(&writer);
    cobs_put_raw(&writer, 0);
    if (usb_packet_size != 0 && writer.used % usb_packet_size == 0) {
        cobs_put_raw(&writer, 0);
    }
    return writer.failed ? 0 : writer.used;
}

// ---- reading ------------------------------------------------------------------------------------

// In place, since what is decoded is never longer. `bytes` holds no 00. A code that points past the
// end makes it fail.
static bool cobs_decode(uint8_t *bytes, size_t length, size_t *decoded) {
    size_t in = 0;
    size_t out = 0;
    while (in < length) {
        uint8_t code = bytes[in];
        in++;
        size_t run = (size_t)code - 1;
        if (run > length - in) {
            return false;
        }
        memmove(bytes + out, bytes + in, run);
        in += run;
        out += run;
        if (code != COBS_CODE_FULL && in < length) {
            bytes[out] = 0;
            out++;
        }
    }
    *decoded = out;
    return true;
}

static bool frame_parse(uint8_t *bytes, size_t length, struct frame *frame) {
    size_t decoded = 0;
    if (!cobs_decode(bytes, length, &decoded) || decoded < FRAME_HEADER_SIZE + FRAME_CRC_SIZE ||
        decoded > FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX + FRAME_CRC_SIZE) {
        return false;
    }
    size_t covered = decoded - FRAME_CRC_SIZE;
    uint8_t kind = bytes[0] & 15;
    if (bytes[0] >> 4 != PROTOCOL_VERSION || kind > FRAME_ERROR ||
        crc32c(0, bytes, covered) != load_be32(bytes + covered)) {
        return false;
    }
    *frame = (struct frame){
        .kind = (enum frame_kind)kind,
        .op = bytes[1],
        .sequence = load_be16(bytes + 2),
        .session = load_be32(bytes + 4),
        .payload = {.data = bytes + FRAME_HEADER_SIZE, .length = covered - FRAME_HEADER_SIZE},
    };
    return true;
}

void frame_decoder_init(struct frame_decoder *decoder, uint8_t *buffer, size_t capacity) {
    *decoder = (struct frame_decoder){.buffer = buffer, .capacity = capacity};
}

void frame_decoder_reset(struct frame_decoder *decoder) {
    decoder->used = 0;
    decoder->overflow = false;
}

// What a 00 ended: true where it is a good frame.
static bool frame_decoder_finish(struct frame_decoder *decoder, struct frame *frame) {
    size_t length = decoder->used;
    bool overflow = decoder->overflow;
    frame_decoder_reset(decoder);
    if (length == 0 && !overflow) {
        return false;
    }
    if (overflow || !frame_parse(decoder->buffer, length, frame)) {
        decoder->dropped++;
        return false;
    }
    return true;
}

size_t frame_decoder_feed(struct frame_decoder *decoder, struct slice input, struct frame *frame,
                          bool *found) {
    *found = false;
    for (size_t i = 0; i < input.length; i++) {
        uint8_t byte = input.data[i];
        if (byte == 0) {
            *found = frame_decoder_finish(decoder, frame);
            if (*found) {
                return i + 1;
            }
        } else if (decoder->used < decoder->capacity) {
            decoder->buffer[decoder->used] = byte;
            decoder->used++;
        } else {
            decoder->overflow = true;
        }
    }
    return input.length;
}
