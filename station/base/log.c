// SPDX-License-Identifier: Apache-2.0
#include "station/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"
#include "station/base/clock.h"

static _Atomic(enum log_level) log_level = LOG_WARNING;

void log_set_level(enum log_level level) {
    log_level = level;
}

bool log_enabled(enum log_level level) {
    return level <= log_level;
}

void log_write(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char raw[1001];
    char line[1001];
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
    fprintf(stderr, "%s %s: %s\n", now, names[level], line);
}

void log_error(const char *context, const struct error *error) {
    const char *remedy = error_code_remedy(error->code);
    log_write(LOG_ERROR, "%s: %s %s%s%s", context, error_code_text(error->code), error->text,
              remedy[0] != '\0' ? "; " : "", remedy);
}
