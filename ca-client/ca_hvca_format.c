// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
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

// What the C library reads as the service does. Lazy and possessive repetitions, character classes
// by name, options and look-arounds are not among it.
static bool is_understood(const char *expression) {
    bool in_brackets = false;
    for (const char *at = expression; *at != '\0'; at++) {
        if (*at == '\\') {
            at++;
            if (*at == '\0' || (*at != 'd' && (in_brackets || isalnum((unsigned char)*at)))) {
                return false;
            }
        } else if (in_brackets) {
            in_brackets = *at != ']';
        } else if (*at == '[') {
            in_brackets = true;
        } else if (*at == '?' || *at == '+') {
            bool is_group = at > expression && at[-1] == '(' && *at == '?' && at[1] == ':';
            bool repeats = at > expression && strchr("*+?}(", at[-1]) != NULL;
            if (repeats && !is_group) {
                return false;
            }
        }
    }
    return !in_brackets;
}

// \d and (?: are the service's, not POSIX's.
static bool translate(const char *expression, char *out, size_t capacity) {
    bool in_brackets = false;
    size_t used = 0;
    for (const char *at = expression; *at != '\0'; at++) {
        const char *piece = NULL;
        if (at[0] == '\\' && at[1] == 'd') {
            piece = in_brackets ? "0-9" : "[0-9]";
            at++;
        } else if (!in_brackets && strncmp(at, "(?:", 3) == 0) {
            piece = "(";
            at += 2;
        }
        if (used + 8 > capacity) {
            return false;
        }
        if (piece != NULL) {
            memcpy(out + used, piece, strlen(piece));
            used += strlen(piece);
            continue;
        }
        in_brackets = *at == '[' || (in_brackets && *at != ']');
        out[used++] = *at;
        if (*at == '\\') {
            out[used++] = *++at;
        }
    }
    out[used] = '\0';
    return true;
}

bool hvca_format_matches(const char *expression, const char *value) {
    char translated[2 * HVCA_FORMAT_SIZE];
    regex_t compiled;
    if (expression[0] == '\0' || !is_cheap(expression) || !is_understood(expression) ||
        !translate(expression, translated, sizeof translated) ||
        regcomp(&compiled, translated, REG_EXTENDED | REG_NOSUB) != 0) {
        return true;
    }
    bool matches = regexec(&compiled, value, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}
