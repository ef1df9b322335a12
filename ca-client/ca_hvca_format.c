// SPDX-License-Identifier: Apache-2.0
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

#define REPEAT_PRODUCT_MAX 4096

// The C library unrolls {n,m}, and nested ones multiply: a short expression can take all memory.
static bool is_cheap(const char *expression) {
    unsigned long product = 1;
    for (const char *at = strchr(expression, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char *end = NULL;
        unsigned long count = strtoul(at + 1, &end, 10);
        if (*end == ',' && end[1] != '}') {
            count = strtoul(end + 1, &end, 10);
        }
        count = count > 0 ? count : 1;
        if (count > REPEAT_PRODUCT_MAX || product * count > REPEAT_PRODUCT_MAX) {
            return false;
        }
        product *= count;
    }
    return true;
}

// The service's dialect has \d and (?:, which POSIX has not. False for what else it may have more.
static bool translate(const char *expression, char *out, size_t capacity) {
    bool in_brackets = false;
    size_t used = 0;
    for (const char *at = expression; *at != '\0'; at++) {
        if (used + 8 > capacity) {
            return false;
        }
        if (at[0] == '\\' && at[1] == 'd') {
            const char *digits = in_brackets ? "0-9" : "[0-9]";
            memcpy(out + used, digits, strlen(digits));
            used += strlen(digits);
            at++;
        } else if (strncmp(at, "(?:", 3) == 0 && !in_brackets) {
            out[used++] = '(';
            at += 2;
        } else if (at[0] == '\\' && (in_brackets || strchr(".\\/-[](){}*+?^$|", at[1]) == NULL)) {
            return false;
        } else if (at[0] == '\\') {
            out[used++] = *at++;
            out[used++] = *at;
        } else if (!in_brackets && at[0] == '?' && at > expression &&
                   strchr("*+?}(", at[-1]) != NULL) {
            return false;
        } else {
            in_brackets = *at == '[' || (in_brackets && *at != ']');
            out[used++] = *at;
        }
    }
    out[used] = '\0';
    return true;
}

bool hvca_format_matches(const char *expression, const char *value) {
    char translated[2 * HVCA_FORMAT_SIZE];
    regex_t compiled;
    if (expression[0] == '\0' || !is_cheap(expression) ||
        !translate(expression, translated, sizeof translated) ||
        regcomp(&compiled, translated, REG_EXTENDED | REG_NOSUB) != 0) {
        return true;
    }
    bool matches = regexec(&compiled, value, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}
