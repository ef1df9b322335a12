// SPDX-License-Identifier: Apache-2.0
#include "station/app/output_safe.h"

#include <string.h>

#include "station/base/bytes.h"

const char *output_safe(char out[OUTPUT_SAFE_SIZE], const char *text) {
    text_escape(out, OUTPUT_SAFE_SIZE, text, strlen(text));
    return out;
}
