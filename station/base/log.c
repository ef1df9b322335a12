// SPDX-License-Identifier: Apache-2.0
#include "station/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"
#include "station/base/clock.h"

#define LINE_SIZE 1001

static _Atomic(enum log_level) log_level = LOG_WARNING;
static atomic_bool log_json = false;

void log_set_level(enum log_level level) {
    log_level = level;
}

void log_set_json(bool json) {
    log_json = json;
}

bool log_enabled(enum log_level level) {
    return level <= log_level;
}

// What text_escape left: a string of JSON (RFC 8259, section 7) lacks no more than these backslashes.
static void quote(char out[2 * LINE_SIZE], const char *line) {
    size_t length = 0;
    for (; *line != '\0'; line++) {
        if (*line == '"' || *line == '\\') {
            out[length++] = '\\';
        }
        out[length++] = *line;
    }
    out[length] = '\0';
}

void log_write(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char raw[LINE_SIZE];
    char line[LINE_SIZE];
    char quoted[2 * LINE_SIZE];
    char now[CLOCK_TEXT_SIZE];
    if (!log_enabled(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_escape(line, sizeof line, raw, strlen(raw));
    clock_format_utc(now, clock_wall_ms());
    if (!log_json) {
        fprintf(stderr, "%s %s: %s\n", now, names[level], line);
        return;
    }
    quote(quoted, line);
    fprintf(stderr, "{\"type\":\"log\",\"at\":\"%s\",\"level\":\"%s\",\"text\":\"%s\"}\n", now,
            names[level], quoted);
}

void log_error(const char *context, const struct error *error) {
    const char *remedy = error_code_remedy(error->code);
    log_write(LOG_ERROR, "%s: %s %s%s%s", context, error_code_text(error->code), error->text,
              remedy[0] != '\0' ? "; " : "", remedy);
}
