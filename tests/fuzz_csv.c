// SPDX-License-Identifier: Apache-2.0
// What was read is written, read again, and must be the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A field as it comes back: formulas have got a ' before them.
static bool is_same(const char *before, const char *after) {
    bool is_guarded = before[0] != '\0' && strchr("=+-@\t\r", before[0]) != NULL;
    return is_guarded ? after[0] == '\'' && strcmp(before, after + 1) == 0
                      : strcmp(before, after) == 0;
}

static void check_row(const struct csv_row *row) {
    struct csv_reader reader;
    static struct csv_row back;
    const char *reason = NULL;
    struct buf *out = buf_new((size_t)1 << 20);
    // A row before it, since a byte order mark would be skipped at the start.
    if (out == NULL || !csv_put_row(out, (const char *[]){"first"}, 1) ||
        !csv_put_row(out, row->fields, row->count)) {
        abort();
    }
    csv_reader_init(&reader, buf_slice(out));
    (void)csv_read(&reader, &back, &reason);
    enum csv_outcome outcome = csv_read(&reader, &back, &reason);
    // The ' of a guard may make the row a few bytes too long to be read.
    if (outcome == CSV_ROW) {
        if (back.count != row->count) {
            abort();
        }
        for (size_t i = 0; i < row->count; i++) {
            if (!is_same(row->fields[i], back.fields[i])) {
                abort();
            }
        }
    } else if (outcome != CSV_BAD || strcmp(reason, "the row is too long") != 0) {
        abort();
    }
    buf_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct csv_reader reader;
    static struct csv_row row;
    const char *reason = NULL;
    enum csv_outcome outcome;
    unsigned line = 0;
    csv_reader_init(&reader, (struct slice){data, size});
    while ((outcome = csv_read(&reader, &row, &reason)) == CSV_ROW) {
        if (row.line <= line) {
            abort();
        }
        line = row.line;
        check_row(&row);
    }
    if (outcome == CSV_BAD && (reason == NULL || row.line < line)) {
        abort();
    }
    return 0;
}
