// SPDX-License-Identifier: Apache-2.0
#include "ca-client/base64_url.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool base64_url_put(struct buf *out, struct slice data) {
    for (size_t at = 0; at < data.length; at += 3) {
        char group[4];
        size_t left = data.length - at;
        uint32_t bits = (uint32_t)data.data[at] << 16;
        bits |= left > 1 ? (uint32_t)data.data[at + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)data.data[at + 2] : 0;
        for (size_t i = 0; i < sizeof group; i++) {
            group[i] = digits[bits >> (18 - 6 * i) & 63];
        }
        if (!buf_put(out, group, left < 3 ? left + 1 : sizeof group)) {
            return false;
        }
    }
    return true;
}

bool base64_url_read(const char *text, uint8_t *out, size_t length) {
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0;
    if (strlen(text) != (length * 8 + 5) / 6) {
        return false;
    }
    for (; *text != '\0'; text++) {
        const char *digit = strchr(digits, *text);
        if (digit == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[used++] = (uint8_t)(bits >> count);
        }
    }
    return (bits & ((1U << count) - 1)) == 0; // what is left over is zero: one text for each value
}
