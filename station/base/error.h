// SPDX-License-Identifier: Apache-2.0
// Errors: a stable code that one can search for, a class that says what to do, and a message
// that names the port, the serial and the way out.
//
// A function that can fail returns false and fills `struct error`; the caller owns the struct and
// may pass NULL nowhere. On success the struct is left as it was.
#ifndef BIRTHCERT_BASE_ERROR_H
#define BIRTHCERT_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(template, first) __attribute__((format(printf, template, first)))

// What the station does with an error of this class.
enum error_class {
    ERROR_CLASS_NONE,
    ERROR_CLASS_RETRY,     // passes by itself: wait and try again, the unit is parked
    ERROR_CLASS_UNIT,      // this camera fails; the others go on
    ERROR_CLASS_STATION,   // the bench or the CA is at fault: take no more units
    ERROR_CLASS_USAGE,     // the command line, the configuration or an input file
    ERROR_CLASS_INTEGRITY, // the record contradicts itself or the world: a person has to look
};

// X(name, code, class, what it means, what to do now). Codes never change their meaning; rows are
// appended, never renumbered, since the database keeps the code's text.
#include "station/base/error_list.h"

enum error_code {
    ERROR_NONE,
#define X(name, code, class, meaning, remedy) name,
    ERROR_LIST(X)
#undef X
        ERROR_CODE_COUNT
};

#define ERROR_TEXT_MAX 256

struct error {
    enum error_code code;
    char text[ERROR_TEXT_MAX]; // for a person; control characters already escaped
};

// Sets code and text. Text longer than ERROR_TEXT_MAX - 1 bytes ends in "...", after a whole word.
// Returns false, always, so that a failing function can end in `return error_set(...)`.
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

// Puts "format: " before the text that is there. Returns false, always.
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

// The static strings of a code's row: never NULL; "OK" for ERROR_NONE.
const char *error_code_text(enum error_code code);    // "E-CA-QUOTA"
const char *error_code_meaning(enum error_code code); // "the CA's quota is used up"
const char *error_code_remedy(enum error_code code);  // "buy more or wait; ..."
enum error_class error_code_class(enum error_code code);

// The code whose text is `text`, or ERROR_NONE where there is none.
enum error_code error_code_from_text(const char *text);

#endif
