// SPDX-License-Identifier: Apache-2.0
// Frames of the bench protocol, version 1 (PROTOCOL.md, section 1):
//
//     00 | COBS( header ‖ payload ‖ CRC-32C ) | 00
//
// No allocation, no I/O: for the station and for a camera's firmware.
#ifndef BIRTHCERT_PROTOCOL_FRAME_H
#define BIRTHCERT_PROTOCOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"

#define FRAME_HEADER_SIZE 8
#define FRAME_CRC_SIZE 4
#define FRAME_PAYLOAD_MAX 16384
#define FRAME_PAYLOAD_BEFORE_HELLO 512

// Bytes that a frame with `payload` bytes takes at most on the wire: both delimiters, one code per
// 254 bytes, and one byte of USB padding.
#define FRAME_WIRE_MAX(payload)                                                                    \
    ((payload) + FRAME_HEADER_SIZE + FRAME_CRC_SIZE +                                              \
     ((payload) + FRAME_HEADER_SIZE + FRAME_CRC_SIZE) / 254 + 4)

enum frame_kind { FRAME_REQUEST = 0, FRAME_RESPONSE = 1, FRAME_PROGRESS = 2, FRAME_ERROR = 3 };

struct frame {
    enum frame_kind kind;
    uint8_t op;
    uint16_t sequence;
    uint32_t session;
    struct slice payload;
};

// CRC-32C of `data`, continuing from `crc` (0 to start): reflected polynomial 0x82F63B78.
uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t length);

// Writes the frame as it goes on the wire and returns its length, or 0 where `capacity` does not
// hold it or the payload is longer than FRAME_PAYLOAD_MAX. Where `usb_packet_size` is not 0 and
// divides the length, one more 00 is added, so that no zero-length packet is ever needed.
size_t frame_encode(uint8_t *out, size_t capacity, const struct frame *frame,
                    size_t usb_packet_size);

// Takes bytes as they come and finds frames in them. It drops in silence what does not decode, is
// shorter than 12 bytes, fails the CRC or does not fit its buffer, and is in step at the next 00.
struct frame_decoder {
    uint8_t *buffer;
    size_t capacity;
    size_t used;
    bool overflow;    // what came since the last 00 did not fit
    uint64_t dropped; // frames lost to noise, not counting empty ones: for diagnosis
};

// The caller owns `buffer`, which must hold FRAME_WIRE_MAX of the largest payload expected.
void frame_decoder_init(struct frame_decoder *decoder, uint8_t *buffer, size_t capacity);

// Forgets what came since the last 00.
void frame_decoder_reset(struct frame_decoder *decoder);

// Consumes bytes of `input` up to and including the end of one good frame, or all of them. Returns
// how many were consumed; `*found` says whether `frame` was filled. Its payload points into the
// decoder's buffer and is valid until the next call.
size_t frame_decoder_feed(struct frame_decoder *decoder, struct slice input, struct frame *frame,
                          bool *found);

#endif
