// SPDX-License-Identifier: Apache-2.0
// CSV by RFC 4180: reading what people write, writing what spreadsheets open.
#ifndef BIRTHCERT_APP_CSV_H
#define BIRTHCERT_APP_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define CSV_FIELDS_MAX 64
#define CSV_ROW_MAX 8192 // bytes of one row's fields, with a NUL for each

// One row. The fields point into `text`: do not copy the struct.
struct csv_row {
    size_t count;
    const char *fields[CSV_FIELDS_MAX]; // without their quotes; never NULL up to `count`
    unsigned line;                      // of the row's start, 1 for the first
    char text[CSV_ROW_MAX];
};

struct csv_reader {
    struct slice rest;
    unsigned line;
};

enum csv_outcome { CSV_ROW, CSV_END, CSV_BAD };

// Reads `text`, which must outlive the reader; a byte order mark is skipped.
void csv_reader_init(struct csv_reader *reader, struct slice text);

// The next row that is not an empty line. Lines end in LF or CRLF, the last one may end in neither.
// CSV_BAD: *reason is a static text, row->line says where (for a quote that does not end: where it
// began), and reading cannot go on.
enum csv_outcome csv_read(struct csv_reader *reader, struct csv_row *row, const char **reason);

// Appends one row, ended by CRLF. Fields are quoted where needed. One that a spreadsheet would take
// for a formula, by a first = + - @ TAB or CR, gets a ' before it. NULL is an empty field. False
// where the buffer is full; it may then hold part of the row.
MUST_CHECK bool csv_put_row(struct buf *out, const char *const *fields, size_t count);

#endif
