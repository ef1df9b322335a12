// SPDX-License-Identifier: Apache-2.0
// A barcode scanner that types as a keyboard does: lines on standard input.
#ifndef BIRTHCERT_APP_SCANNER_H
#define BIRTHCERT_APP_SCANNER_H

#include <stdbool.h>

#include "station/base/error.h"
#include "station/io/loop.h"

#define SCANNER_LINE_MAX 256

struct scanner;

struct scanner_events {
    // A line without its end and the blanks around it, never empty; hostile text. One that is longer
    // than SCANNER_LINE_MAX bytes comes cut to that.
    void (*on_line)(void *context, const char *line);
    void (*on_end)(void *context); // no more lines
};

// Reads `descriptor`, a terminal or a pipe, which stays the caller's and as it was. `events` is copied. E_USAGE
// where it cannot be waited for (a regular file).
MUST_CHECK bool scanner_new(struct loop *loop, int descriptor, const struct scanner_events *events,
                            void *context, struct scanner **scanner, struct error *error);
void scanner_free(struct scanner *scanner); // takes NULL; not from inside an event

#endif
