// SPDX-License-Identifier: Apache-2.0
#include "station/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"

struct error_row {
    const char *text;
    const char *meaning;
    const char *remedy;
    enum error_class class;
};

static const struct error_row error_table[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {"OK", "no error", "", ERROR_CLASS_NONE},
#define X(name, code, class, meaning, remedy) [name] = {code, meaning, remedy, ERROR_CLASS_##class},
    ERROR_LIST(X)
#undef X
};

static const struct error_row *error_row(enum error_code code) {
    return (unsigned)code < ERROR_CODE_COUNT ? &error_table[code] : &error_table[E_INTERNAL];
}

#define WORD_MAX 64 // a longer one is cut, too

// What is too long ends after a whole word, as a list does of which there is more. `whole` is escaped.
static void keep_text(struct error *error, const char *whole) {
    static const char rest[] = "...";
    size_t length = strlen(whole);
    if (length < ERROR_TEXT_MAX) {
        memcpy(error->text, whole, length + 1);
        return;
    }
    length = ERROR_TEXT_MAX - sizeof rest;
    size_t kept = length;
    while (whole[kept - 1] != ' ' && kept > length - WORD_MAX) {
        kept--;
    }
    if (whole[kept - 1] != ' ') {
        kept = length;
        for (size_t i = 1; i <= 3; i++) { // never inside an escape
            kept -= whole[length - i] == '\\' ? i : 0;
        }
    }
    memcpy(error->text, whole, kept);
    memcpy(error->text + kept, rest, sizeof rest);
}

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
    char raw[ERROR_TEXT_MAX + 1]; // room for one escape more, so that it shows that there is more
    char whole[ERROR_TEXT_MAX + 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    error->code = code;
    text_escape(whole, sizeof whole, raw, strlen(raw));
    keep_text(error, whole);
    return false;
}

bool error_prefix(struct error *error, const char *format, ...) {
    char raw[ERROR_TEXT_MAX];
    char prefix[ERROR_TEXT_MAX];
    char whole[2 * ERROR_TEXT_MAX + 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_escape(prefix, sizeof prefix, raw, strlen(raw));
    // error->text was escaped when it was set.
    snprintf(whole, sizeof whole, "%s: %s", prefix, error->text);
    keep_text(error, whole);
    return false;
}

const char *error_code_text(enum error_code code) {
    return error_row(code)->text;
}

const char *error_code_meaning(enum error_code code) {
    return error_row(code)->meaning;
}

const char *error_code_remedy(enum error_code code) {
    return error_row(code)->remedy;
}

enum error_class error_code_class(enum error_code code) {
    return error_row(code)->class;
}

enum error_code error_code_from_text(const char *text) {
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        if (strcmp(error_table[code].text, text) == 0) {
            return (enum error_code)code;
        }
    }
    return ERROR_NONE;
}
