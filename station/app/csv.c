// SPDX-License-Identifier: Apache-2.0
#include "station/app/csv.h"

#include <string.h>

void csv_reader_init(struct csv_reader *reader, struct slice text) {
    if (text.length >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text.data += 3;
        text.length -= 3;
    }
    *reader = (struct csv_reader){.rest = text, .line = 1};
}

// The next byte, or -1 at the end.
static int peek(const struct csv_reader *reader) {
    return reader->rest.length > 0 ? reader->rest.data[0] : -1;
}

static void skip(struct csv_reader *reader, size_t length) {
    reader->rest.data += length;
    reader->rest.length -= length;
}

// The length of the line end that comes next, 0 where none does.
static size_t line_end(const struct csv_reader *reader) {
    const struct slice *rest = &reader->rest;
    if (rest->length > 0 && rest->data[0] == '\n') {
        return 1;
    }
    return rest->length > 1 && rest->data[0] == '\r' && rest->data[1] == '\n' ? 2 : 0;
}

static const char *put_byte(struct csv_row *row, size_t *used, int byte) {
    if (*used == CSV_ROW_MAX) {
        return "the row is too long";
    }
    row->text[(*used)++] = (char)byte;
    return NULL;
}

// The readers of a field return NULL, or what is wrong.
static const char *read_plain(struct csv_reader *reader, struct csv_row *row, size_t *used) {
    const char *reason = NULL;
    int byte;
    while (reason == NULL && (byte = peek(reader)) >= 0 && byte != ',' && line_end(reader) == 0) {
        if (byte == '"') {
            return "a quote inside a field that does not begin with one";
        }
        if (byte == '\0' || byte == '\r') {
            return byte == '\0' ? "a NUL: this is no CSV text (save it as CSV, UTF-8)"
                                : "a CR without LF";
        }
        reason = put_byte(row, used, byte);
        skip(reader, 1);
    }
    return reason;
}

static const char *read_quoted(struct csv_reader *reader, struct csv_row *row, size_t *used) {
    const char *reason = NULL;
    unsigned first_line = reader->line;
    skip(reader, 1);
    while (reason == NULL) {
        int byte = peek(reader);
        if (byte < 0) {
            reader->line = first_line;
            return "a quote that is never closed";
        }
        if (byte == '\0') {
            return "a NUL: this is no CSV text (save it as CSV, UTF-8)";
        }
        skip(reader, 1);
        if (byte == '"' && peek(reader) != '"') {
            return peek(reader) < 0 || peek(reader) == ',' || line_end(reader) > 0
                       ? NULL
                       : "text behind a closing quote";
        }
        if (byte == '"') {
            skip(reader, 1);
        }
        reader->line += byte == '\n' ? 1 : 0;
        reason = put_byte(row, used, byte);
    }
    return reason;
}

static const char *read_field(struct csv_reader *reader, struct csv_row *row, size_t *used) {
    if (row->count == CSV_FIELDS_MAX) {
        return "too many fields";
    }
    size_t start = *used;
    const char *reason =
        peek(reader) == '"' ? read_quoted(reader, row, used) : read_plain(reader, row, used);
    if (reason == NULL) {
        reason = put_byte(row, used, '\0');
    }
    row->fields[row->count++] = row->text + start;
    return reason;
}

static void skip_empty_lines(struct csv_reader *reader) {
    size_t length;
    while ((length = line_end(reader)) > 0) {
        skip(reader, length);
        reader->line++;
    }
}

enum csv_outcome csv_read(struct csv_reader *reader, struct csv_row *row, const char **reason) {
    size_t used = 0;
    skip_empty_lines(reader);
    row->count = 0;
    row->line = reader->line;
    if (reader->rest.length == 0) {
        return CSV_END;
    }
    for (;;) {
        *reason = read_field(reader, row, &used);
        if (*reason != NULL) {
            row->line = reader->line;
            return CSV_BAD;
        }
        if (peek(reader) != ',') {
            break;
        }
        skip(reader, 1);
    }
    size_t length = line_end(reader);
    skip(reader, length);
    reader->line += length > 0 ? 1 : 0;
    return CSV_ROW;
}

static bool put_field(struct buf *out, const char *field) {
    bool is_formula = field[0] != '\0' && strchr("=+-@\t\r", field[0]) != NULL;
    size_t length = strlen(field);
    bool has_edge = length > 0 && (field[0] == ' ' || field[length - 1] == ' ');
    const char *guard = is_formula ? "'" : "";
    if (strpbrk(field, ",\"\r\n") == NULL && !has_edge) {
        return buf_put_text(out, guard) && buf_put_text(out, field);
    }
    if (!buf_put_text(out, "\"") || !buf_put_text(out, guard)) {
        return false;
    }
    while (field[0] != '\0') {
        size_t plain = strcspn(field, "\"");
        if (!buf_put(out, field, plain) || (field[plain] == '"' && !buf_put_text(out, "\"\""))) {
            return false;
        }
        field += field[plain] == '"' ? plain + 1 : plain;
    }
    return buf_put_text(out, "\"");
}

bool csv_put_row(struct buf *out, const char *const *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *field = fields[i] != NULL ? fields[i] : "";
        // A row of one empty field would read back as an empty line.
        bool is_lone = count == 1 && field[0] == '\0';
        if ((i > 0 && !buf_put_text(out, ",")) ||
            (is_lone ? !buf_put_text(out, "\"\"") : !put_field(out, field))) {
            return false;
        }
    }
    return buf_put_text(out, "\r\n");
}
