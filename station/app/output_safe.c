// SPDX-License-Identifier: Apache-2.0
#include "station/app/output_safe.h"

#include <stddef.h>
#include <stdint.h>

#define ESCAPE_LENGTH 4 // \xNN

const char *output_safe(char out[OUTPUT_SAFE_SIZE], const char *text) {
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (; *text != '\0' && used < OUTPUT_SAFE_SIZE - ESCAPE_LENGTH; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte >= 0x20 && byte < 0x7f) {
            out[used++] = (char)byte;
        } else {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = digits[byte >> 4];
            out[used++] = digits[byte & 15];
        }
    }
    out[used] = '\0';
    return out;
}
