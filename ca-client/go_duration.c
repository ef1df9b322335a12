// SPDX-License-Identifier: Apache-2.0
#include "ca-client/go_duration.h"

#include <stdlib.h>
#include <string.h>

#include "station/base/bytes.h"

#define MAX_S (300.0 * 366 * 86400)

static bool read_unit(const char **at, double *seconds) {
    static const struct {
        const char *name; // the longer of two that begin alike stands first
        double seconds;
    } units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600}, {"m", 60}, {"s", 1}};
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(*at, units[i].name, length) == 0) {
            *seconds *= units[i].seconds;
            *at += length;
            return true;
        }
    }
    return false;
}

bool go_duration_read(const char *text, int64_t *seconds) {
    double sum = 0;
    const char *at = text;
    do {
        char *end = NULL;
        size_t digits = strspn(at, "0123456789.");
        double value = digits > 0 ? strtod(at, &end) : 0; // the station runs in the C locale
        if (end != at + digits) {
            return false;
        }
        at = end;
        if (!read_unit(&at, &value)) {
            return false;
        }
        sum += value;
    } while (*at != '\0' && sum <= MAX_S);
    *seconds = sum <= MAX_S ? (int64_t)sum : 0;
    return sum <= MAX_S;
}
