// SPDX-License-Identifier: Apache-2.0
// The part of CBOR (RFC 8949) that payloads use: unsigned integers, byte strings, text strings,
// booleans, arrays and maps with unsigned or negative integer keys, in the deterministic encoding
// of section 4.2.1, at most CBOR_DEPTH_MAX deep. No allocation.
#ifndef BIRTHCERT_PROTOCOL_CBOR_H
#define BIRTHCERT_PROTOCOL_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"

#define CBOR_DEPTH_MAX 4

struct cbor_writer {
    uint8_t *out;
    size_t capacity;
    size_t used;
    bool failed; // sticky: it did not fit
};

void cbor_writer_init(struct cbor_writer *writer, uint8_t *out, size_t capacity);
void cbor_put_uint(struct cbor_writer *writer, uint64_t value);
void cbor_put_bytes(struct cbor_writer *writer, struct slice bytes);
void cbor_put_text(struct cbor_writer *writer, const char *text);
void cbor_put_bool(struct cbor_writer *writer, bool value);
void cbor_put_array(struct cbor_writer *writer, size_t items);
void cbor_put_map(struct cbor_writer *writer, size_t pairs); // keys ascending: the caller's duty

// True when `payload` is exactly one map that follows every rule above: no float, tag, null,
// indefinite length, duplicate or unordered key, integer that is not shortest, text that is not
// UTF-8, nothing behind it.
bool cbor_is_valid(struct slice payload);

enum cbor_type {
    CBOR_UINT,
    CBOR_NEGATIVE, // value holds n of -1 - n
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY, // value holds the number of items, which follow
    CBOR_MAP,   // value holds the number of pairs, which follow
    CBOR_BOOL,  // value holds 0 or 1
};

struct cbor_item {
    enum cbor_type type;
    uint64_t value;
    struct slice bytes; // of a byte or text string, inside the input
};

// Walks the items of a valid payload in order.
struct cbor_reader {
    struct slice rest;
};

// False at the end, or where the input is no valid item: never reads past the slice.
bool cbor_read(struct cbor_reader *reader, struct cbor_item *item);

// Skips one item with all that it holds.
bool cbor_skip(struct cbor_reader *reader);

#endif
