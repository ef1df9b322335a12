// SPDX-License-Identifier: Apache-2.0
#include "station/base/bytes.h"

#include <string.h>

bool slice_equal(struct slice a, struct slice b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

uint16_t load_be16(const uint8_t bytes[2]) {
    return (uint16_t)((bytes[0] << 8) | bytes[1]);
}

uint32_t load_be32(const uint8_t bytes[4]) {
    return ((uint32_t)load_be16(bytes) << 16) | load_be16(bytes + 2);
}

uint64_t load_be64(const uint8_t bytes[8]) {
    return ((uint64_t)load_be32(bytes) << 32) | load_be32(bytes + 4);
}

void store_be16(uint8_t bytes[2], uint16_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

void store_be32(uint8_t bytes[4], uint32_t value) {
    store_be16(bytes, (uint16_t)(value >> 16));
    store_be16(bytes + 2, (uint16_t)value);
}

void store_be64(uint8_t bytes[8], uint64_t value) {
    store_be32(bytes, (uint32_t)(value >> 32));
    store_be32(bytes + 4, (uint32_t)value);
}

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(char *out, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = hex_digits[data[i] >> 4];
        out[2 * i + 1] = hex_digits[data[i] & 15];
    }
    out[2 * length] = '\0';
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool hex_decode(uint8_t *out, size_t length, const char *hex) {
    if (strlen(hex) != 2 * length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool text_copy(char *out, size_t capacity, const char *text) {
    size_t length = strlen(text);
    if (length >= capacity) {
        out[0] = '\0';
        return false;
    }
    memcpy(out, text, length + 1);
    return true;
}

static bool is_printable(char c) {
    return c >= 0x20 && c <= 0x7e;
}

void text_escape(char *out, size_t capacity, const char *text, size_t length) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        size_t need = is_printable(text[i]) ? 1 : 4;
        if (used + need + 1 > capacity) {
            break;
        }
        if (need == 1) {
            out[used] = text[i];
        } else {
            memcpy(out + used, "\\x", 2);
            out[used + 2] = hex_digits[(uint8_t)text[i] >> 4];
            out[used + 3] = hex_digits[(uint8_t)text[i] & 15];
        }
        used += need;
    }
    out[used] = '\0';
}

bool text_is_label(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > 128 || text[0] == ' ' || text[length - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}
