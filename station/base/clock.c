// SPDX-License-Identifier: Apache-2.0
#include "station/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_read_ms(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void) {
    return clock_read_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void) {
    return clock_read_ms(CLOCK_MONOTONIC);
}

void clock_format_utc(char out[CLOCK_TEXT_SIZE], int64_t wall_ms) {
    out[0] = '\0';
    int64_t millisecond = wall_ms % 1000 < 0 ? wall_ms % 1000 + 1000 : wall_ms % 1000;
    time_t second = (time_t)((wall_ms - millisecond) / 1000);
    struct tm utc;
    if (wall_ms == 0 || gmtime_r(&second, &utc) == NULL || utc.tm_year < -1899 ||
        utc.tm_year > 8099) {
        return;
    }
    size_t used = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, CLOCK_TEXT_SIZE - used, ".%03dZ", (int)millisecond);
}

// Reads exactly `digits` digits and moves the cursor past them.
static bool read_number(const char **cursor, int digits, int *value) {
    *value = 0;
    for (int i = 0; i < digits; i++, (*cursor)++) {
        if (**cursor < '0' || **cursor > '9') {
            return false;
        }
        *value = *value * 10 + (**cursor - '0');
    }
    return true;
}

static bool read_separated(const char **cursor, char separator, int *value) {
    if (**cursor != separator) {
        return false;
    }
    (*cursor)++;
    return read_number(cursor, 2, value);
}

static bool read_fraction(const char **cursor, int64_t *millisecond) {
    int64_t weight = 100;
    for ((*cursor)++; **cursor >= '0' && **cursor <= '9'; (*cursor)++) {
        *millisecond += (**cursor - '0') * weight;
        weight /= 10;
    }
    return (*cursor)[-1] != '.';
}

static bool read_time(const char **cursor, struct tm *utc, int64_t *millisecond) {
    if (!read_separated(cursor, 'T', &utc->tm_hour) || !read_separated(cursor, ':', &utc->tm_min)) {
        return false;
    }
    if (**cursor == ':' && !read_separated(cursor, ':', &utc->tm_sec)) {
        return false;
    }
    if (**cursor == '.' && !read_fraction(cursor, millisecond)) {
        return false;
    }
    return utc->tm_hour <= 23 && utc->tm_min <= 59 && utc->tm_sec <= 59;
}

bool clock_parse_utc(const char *text, int64_t *wall_ms) {
    struct tm utc = {0};
    int year;
    int month;
    int64_t millisecond = 0;
    const char *cursor = text;
    if (!read_number(&cursor, 4, &year) || !read_separated(&cursor, '-', &month) ||
        !read_separated(&cursor, '-', &utc.tm_mday) || month < 1 || month > 12) {
        return false;
    }
    if (*cursor == 'T' && !read_time(&cursor, &utc, &millisecond)) {
        return false;
    }
    if (*cursor == 'Z') {
        cursor++;
    }
    utc.tm_year = year - 1900;
    utc.tm_mon = month - 1;
    struct tm normal = utc;
    time_t second = timegm(&normal); // turns 31 April into 1 May: then the day differs
    if (*cursor != '\0' || normal.tm_mday != utc.tm_mday || normal.tm_mon != utc.tm_mon) {
        return false;
    }
    *wall_ms = (int64_t)second * 1000 + millisecond;
    return true;
}
