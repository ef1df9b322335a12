// SPDX-License-Identifier: Apache-2.0
#include "ca-client/base64.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#define GROUPS_AT_ONCE 12
#define LINE_BYTES 48 // 64 characters

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

// Whole groups of four. OpenSSL's decoder takes blanks and padding in places where none may be, so
// it sees digits only; `padding` of the last group are A, and their bytes are not taken.
static bool put_groups(const uint8_t *digits, size_t count, size_t padding, struct buf *out) {
    uint8_t bytes[GROUPS_AT_ONCE * 3];
    int length = EVP_DecodeBlock(bytes, digits, (int)count);
    return length >= (int)padding && buf_put(out, bytes, (size_t)length - padding);
}

static bool decode(struct slice text, struct buf *out) {
    uint8_t digits[GROUPS_AT_ONCE * 4 + 1];
    size_t count = 0;
    size_t padding = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        if (is_blank(c)) {
            continue;
        }
        if (c == '=' && count % 4 >= 2) {
            padding++;
            c = 'A';
        } else if (!is_digit(c) || padding > 0) {
            return false;
        }
        digits[count++] = c;
        if (count == sizeof digits - 1 && padding == 0) {
            if (!put_groups(digits, count, 0, out)) {
                return false;
            }
            count = 0;
        }
    }
    return count % 4 == 0 && padding <= 2 &&
           (count == 0 || put_groups(digits, count, padding, out));
}

bool base64_decode(struct slice text, struct buf *out) {
    struct buf *decoded = buf_new(text.length + 4);
    bool good = decoded != NULL && decode(text, decoded) && buf_length(decoded) > 0 &&
                buf_put(out, buf_slice(decoded).data, buf_length(decoded));
    buf_free(decoded);
    return good;
}

bool base64_encode(struct slice data, bool in_lines, struct buf *out) {
    uint8_t line[LINE_BYTES / 3 * 4 + 1];
    for (size_t at = 0; at < data.length; at += LINE_BYTES) {
        size_t left = data.length - at;
        int length =
            EVP_EncodeBlock(line, data.data + at, (int)(left < LINE_BYTES ? left : LINE_BYTES));
        if (!buf_put(out, line, (size_t)length) || (in_lines && !buf_put_text(out, "\n"))) {
            return false;
        }
    }
    return true;
}
