// SPDX-License-Identifier: Apache-2.0
// Bytes and text: slices, big-endian integers, hex, escaping. Nothing here allocates.
#ifndef BIRTHCERT_BASE_BYTES_H
#define BIRTHCERT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define SHA256_SIZE 32

// A view of bytes that somebody else owns. `data` may be NULL only when `length` is 0.
struct slice {
    const uint8_t *data;
    size_t length;
};

bool slice_equal(struct slice a, struct slice b);

uint16_t load_be16(const uint8_t bytes[2]);
uint32_t load_be32(const uint8_t bytes[4]);
uint64_t load_be64(const uint8_t bytes[8]);
void store_be16(uint8_t bytes[2], uint16_t value);
void store_be32(uint8_t bytes[4], uint32_t value);
void store_be64(uint8_t bytes[8], uint64_t value);

// Lower-case hex with a final NUL: `out` holds 2 * length + 1 bytes.
void hex_encode(char *out, const uint8_t *data, size_t length);

// Reads exactly `length` bytes from 2 * length hex digits of either case; false for anything else.
bool hex_decode(uint8_t *out, size_t length, const char *hex);

// Copies NUL-terminated `text` into `out` of `capacity` bytes (at least 1). False, and `out` is the
// empty string, where it does not fit: text is never cut in silence.
bool text_copy(char *out, size_t capacity, const char *text);

// Escapes hostile text for a terminal, a log line or a message: bytes outside printable ASCII
// become \xNN. UTF-8 is escaped too. A backslash stays as it is, so that text which went through here
// before, or through a name's escaping (RFC 4514), comes out as it was, however often it is escaped
// on its way. Cut at `capacity` - 1, never inside an escape.
void text_escape(char *out, size_t capacity, const char *text, size_t length);

// True for 1..128 bytes of printable ASCII without a space at either end: what a serial may be.
bool text_is_label(const char *text);

#endif
