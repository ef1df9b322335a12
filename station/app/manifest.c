// SPDX-License-Identifier: Apache-2.0
#include "station/app/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "station/app/csv.h"
#include "station/app/input_file.h"

#define FILE_MAX ((size_t)1 << 20)
#define FILE_SHOWN_MAX 100
#define NO_COLUMN SIZE_MAX

// One manifest while it is read.
struct intake {
    const char *path;
    const struct config *config;
    struct manifest *manifest;
    struct error *error;
    struct csv_reader reader;
    struct csv_row row;
    size_t column_count;
    size_t slot_column;
    size_t serial_column; // NO_COLUMN where serials are not known beforehand
};

static bool fail_line(const struct intake *intake, unsigned line, const char *format, ...)
    PRINTF_LIKE(3, 4);

static bool fail_line(const struct intake *intake, unsigned line, const char *format, ...) {
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    // A long path loses its front, so that the message keeps its end.
    size_t length = strlen(intake->path);
    bool is_cut = length > FILE_SHOWN_MAX;
    return error_set(intake->error, E_MANIFEST, "%s%s:%u: %s", is_cut ? "..." : "",
                     intake->path + (is_cut ? length - FILE_SHOWN_MAX : 0), line, text);
}

// Copies a field without the blanks around it; cut, since what is too long is refused anyway.
static void trim(char *out, size_t capacity, const char *field) {
    field += strspn(field, " \t");
    size_t length = strlen(field);
    while (length > 0 && strchr(" \t", field[length - 1]) != NULL) {
        length--;
    }
    length = length < capacity ? length : capacity - 1;
    memcpy(out, field, length);
    out[length] = '\0';
}

static bool take_column(const struct intake *intake, const char *name, size_t index,
                        size_t *column) {
    char heading[32];
    trim(heading, sizeof heading, intake->row.fields[index]);
    if (strcasecmp(heading, name) != 0) {
        return true;
    }
    if (*column != NO_COLUMN) {
        return fail_line(intake, intake->row.line, "two columns are called %s", name);
    }
    *column = index;
    return true;
}

static bool read_header(struct intake *intake) {
    intake->slot_column = NO_COLUMN;
    intake->serial_column = NO_COLUMN;
    intake->column_count = intake->row.count;
    for (size_t i = 0; i < intake->row.count; i++) {
        if (!take_column(intake, "slot", i, &intake->slot_column) ||
            !take_column(intake, "serial", i, &intake->serial_column)) {
            return false;
        }
    }
    if (intake->slot_column == NO_COLUMN) {
        bool has_semicolons = strchr(intake->row.fields[0], ';') != NULL;
        return fail_line(intake, intake->row.line,
                         "the first line has no column slot; it names the columns: slot%s",
                         has_semicolons ? ", separated by commas and not by semicolons"
                                        : " and, where serials are known, serial");
    }
    return true;
}

static bool find_slot(const struct intake *intake, const char *name, size_t *slot) {
    const struct config_slot *found = config_find_slot(intake->config, name);
    if (name[0] == '\0') {
        return fail_line(intake, intake->row.line, "the slot is missing");
    }
    if (found == NULL) {
        return fail_line(intake, intake->row.line,
                         "slot \"%.64s\" is not in the configuration, which has %zu: [slot %s]%s",
                         name, intake->config->slot_count, intake->config->slots[0].name,
                         intake->config->slot_count > 1 ? " and others" : "");
    }
    *slot = (size_t)(found - intake->config->slots);
    return true;
}

static bool check_serial(const struct intake *intake, const char *serial) {
    if (serial[0] != '\0' && (!text_is_label(serial) || strlen(serial) >= SERIAL_SIZE)) {
        return fail_line(intake, intake->row.line,
                         "serial \"%.70s\" is unusable: up to %d printable ASCII characters",
                         serial, SERIAL_SIZE - 1);
    }
    return true;
}

static bool check_unique(const struct intake *intake, const struct manifest_row *row) {
    for (size_t i = 0; i < intake->manifest->count; i++) {
        const struct manifest_row *other = &intake->manifest->rows[i];
        if (other->slot == row->slot) {
            return fail_line(intake, row->line, "slot \"%s\" is already on line %u",
                             intake->config->slots[row->slot].name, other->line);
        }
        if (row->serial[0] != '\0' && strcmp(other->serial, row->serial) == 0) {
            return fail_line(intake, row->line, "serial \"%s\" is already on line %u", row->serial,
                             other->line);
        }
    }
    return true;
}

// Spreadsheets leave rows of nothing but commas behind the last one.
static bool is_empty_row(const struct csv_row *row) {
    for (size_t i = 0; i < row->count; i++) {
        if (row->fields[i][strspn(row->fields[i], " \t")] != '\0') {
            return false;
        }
    }
    return true;
}

static bool read_row(struct intake *intake) {
    const struct csv_row *from = &intake->row;
    struct manifest_row row = {.line = from->line};
    char slot[NAME_SIZE + 1];
    char serial[SERIAL_SIZE + 1];
    if (is_empty_row(from)) {
        return true;
    }
    if (from->count != intake->column_count) {
        return fail_line(intake, from->line, "%zu fields, where the first line has %zu",
                         from->count, intake->column_count);
    }
    trim(slot, sizeof slot, from->fields[intake->slot_column]);
    trim(serial, sizeof serial,
         intake->serial_column != NO_COLUMN ? from->fields[intake->serial_column] : "");
    if (!find_slot(intake, slot, &row.slot) || !check_serial(intake, serial)) {
        return false;
    }
    (void)text_copy(row.serial, sizeof row.serial, serial); // was checked
    if (!check_unique(intake, &row)) {
        return false;
    }
    // Slots are unique, so that there are never more rows than slots.
    intake->manifest->rows[intake->manifest->count++] = row;
    return true;
}

static bool read_rows(struct intake *intake) {
    const char *reason = NULL;
    enum csv_outcome outcome;
    bool has_header = false;
    while ((outcome = csv_read(&intake->reader, &intake->row, &reason)) == CSV_ROW) {
        if (!(has_header ? read_row(intake) : read_header(intake))) {
            return false;
        }
        has_header = true;
    }
    if (outcome == CSV_BAD) {
        return fail_line(intake, intake->row.line, "%s", reason);
    }
    return intake->manifest->count > 0 ||
           fail_line(intake, intake->row.line,
                     has_header ? "no rows: the tray is empty" : "the file is empty");
}

bool manifest_load(const char *path, const struct config *config, struct manifest *manifest,
                   struct error *error) {
    struct buf *text = NULL;
    manifest->count = 0;
    if (!input_file_read(path, FILE_MAX, E_MANIFEST, E_MANIFEST, &text, error)) {
        return false;
    }
    struct intake *intake = calloc(1, sizeof *intake);
    bool is_read = false;
    if (intake == NULL) {
        error_set(error, E_MEMORY, "no memory to read %s", path);
    } else {
        *intake =
            (struct intake){.path = path, .config = config, .manifest = manifest, .error = error};
        csv_reader_init(&intake->reader, buf_slice(text));
        is_read = read_rows(intake);
    }
    free(intake);
    buf_free(text);
    return is_read;
}
