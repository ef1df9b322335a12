// SPDX-License-Identifier: Apache-2.0
// birthcert export: the audit export for QA, as CSV or as JSON Lines.
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "protocol/message.h"
#include "station/app/csv.h"
#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/base/clock.h"
#include "station/core/request.h"

#define GATHER_MAX ((size_t)256 * 1024)
#define WRITE_AT ((size_t)64 * 1024) // what is left above this holds several rows
#define VALUE_SIZE (2 * SHA256_SIZE + 1)

enum column_kind {
    COLUMN_TEXT,
    COLUMN_TIME, // milliseconds; empty for 0
    COLUMN_HASH,
    COLUMN_RESULT,
    COLUMN_CODE,
    COLUMN_CREDENTIAL, // the camera's number of it
    COLUMN_KEY_TYPE,
    COLUMN_KEY_HASH,
    COLUMN_REQUEST,
    COLUMN_INSTALL,
    COLUMN_ATTEMPTS,
    COLUMN_CERTIFICATE_SERIAL,
    COLUMN_CERTIFICATE_STATE,
    COLUMN_BOARD,
};

// A column is empty where the row has no such part.
enum column_part { PART_UNIT, PART_CREDENTIAL, PART_CERTIFICATE };

struct column {
    const char *name; // as in the JSON, a certificate's members with certificate_ before them
    enum column_part part;
    enum column_kind kind;
    size_t offset; // into struct store_row, of TEXT, TIME, HASH and CODE
};

#define AT(member) offsetof(struct store_row, member)

static const struct column columns[] = {
    {"serial", PART_UNIT, COLUMN_TEXT, AT(unit.serial)},
    {"model", PART_UNIT, COLUMN_TEXT, AT(model)},
    {"firmware", PART_UNIT, COLUMN_TEXT, AT(firmware)},
    {"hardware_id", PART_UNIT, COLUMN_TEXT, AT(hardware_id_hex)},
    {"lot", PART_UNIT, COLUMN_TEXT, AT(lot)},
    {"slot", PART_UNIT, COLUMN_TEXT, AT(slot)},
    {"station", PART_UNIT, COLUMN_TEXT, AT(station)},
    {"operator", PART_UNIT, COLUMN_TEXT, AT(operator_name)},
    {"result", PART_UNIT, COLUMN_RESULT, 0},
    {"code", PART_UNIT, COLUMN_CODE, AT(unit_error)},
    {"text", PART_UNIT, COLUMN_TEXT, AT(unit_text)},
    {"credential", PART_CREDENTIAL, COLUMN_CREDENTIAL, 0},
    {"profile", PART_CREDENTIAL, COLUMN_TEXT, AT(credential.profile)},
    {"key_type", PART_CREDENTIAL, COLUMN_KEY_TYPE, 0},
    {"public_key_sha256", PART_CREDENTIAL, COLUMN_KEY_HASH, 0},
    {"request", PART_CREDENTIAL, COLUMN_REQUEST, 0},
    {"request_code", PART_CREDENTIAL, COLUMN_CODE, AT(credential.error)},
    {"install", PART_CREDENTIAL, COLUMN_INSTALL, 0},
    {"ca", PART_CREDENTIAL, COLUMN_TEXT, AT(ca)},
    {"attempts", PART_CREDENTIAL, COLUMN_ATTEMPTS, 0},
    {"certificate_serial", PART_CERTIFICATE, COLUMN_CERTIFICATE_SERIAL, 0},
    {"certificate_issuer", PART_CERTIFICATE, COLUMN_TEXT, AT(certificate.issuer)},
    {"certificate_subject", PART_CERTIFICATE, COLUMN_TEXT, AT(certificate.subject)},
    {"certificate_not_before", PART_CERTIFICATE, COLUMN_TIME, AT(certificate.not_before_ms)},
    {"certificate_not_after", PART_CERTIFICATE, COLUMN_TIME, AT(certificate.not_after_ms)},
    {"certificate_sha256", PART_CERTIFICATE, COLUMN_HASH, AT(certificate.sha256)},
    {"admitted_at", PART_UNIT, COLUMN_TIME, AT(admitted_ms)},
    {"key_at", PART_CREDENTIAL, COLUMN_TIME, AT(key_ms)},
    {"csr_at", PART_CREDENTIAL, COLUMN_TIME, AT(csr_ms)},
    {"sent_at", PART_CREDENTIAL, COLUMN_TIME, AT(sent_ms)},
    {"issued_at", PART_CREDENTIAL, COLUMN_TIME, AT(issued_ms)},
    {"installed_at", PART_CREDENTIAL, COLUMN_TIME, AT(installed_ms)},
    {"proved_at", PART_CREDENTIAL, COLUMN_TIME, AT(proved_ms)},
    {"finished_at", PART_UNIT, COLUMN_TIME, AT(finished_ms)},
    {"board", PART_CREDENTIAL, COLUMN_BOARD, 0},
    {"certificate_state", PART_CERTIFICATE, COLUMN_CERTIFICATE_STATE, 0},
    {"certificate_reason", PART_CERTIFICATE, COLUMN_TEXT, AT(reason)},
    {"certificate_ended_at", PART_CERTIFICATE, COLUMN_TIME, AT(ended_ms)},
};

#define COLUMN_COUNT ARRAY_LENGTH(columns)

struct export {
    struct output *output;
    struct buf *csv; // NULL for JSON
    size_t count;
};

static const char *result_name(enum unit_result result) {
    static const char *const names[] = {"open", "failed", "passed", "scrapped"};
    return (unsigned)result < ARRAY_LENGTH(names) ? names[result] : "?";
}

static const char *code_name(const void *member) {
    enum error_code code = *(const enum error_code *)member;
    return code == ERROR_NONE ? "" : error_code_text(code);
}

static bool has_part(const struct store_row *row, enum column_part part) {
    switch (part) {
    case PART_UNIT:
        return true;
    case PART_CREDENTIAL:
        return row->credential.number != 0;
    default:
        return row->has_certificate;
    }
}

static const char *hex_text(char out[VALUE_SIZE], const uint8_t *data, size_t length) {
    hex_encode(out, data, length);
    return out;
}

static const char *number_text(char out[VALUE_SIZE], uint32_t number) {
    snprintf(out, VALUE_SIZE, "%" PRIu32, number);
    return out;
}

// The value is static, lies in the row, or was written to `scratch`.
static const char *column_value(const struct column *column, const struct store_row *row,
                                char scratch[VALUE_SIZE]) {
    const struct credential_record *credential = &row->credential;
    const void *member = (const char *)row + column->offset;
    if (!has_part(row, column->part)) {
        return "";
    }
    switch (column->kind) {
    case COLUMN_TEXT:
        return member;
    case COLUMN_TIME:
        clock_format_utc(scratch, *(const int64_t *)member);
        return scratch;
    case COLUMN_HASH:
        return hex_text(scratch, member, SHA256_SIZE);
    case COLUMN_RESULT:
        return result_name(row->unit.result);
    case COLUMN_CODE:
        return code_name(member);
    case COLUMN_CREDENTIAL:
        return number_text(scratch, credential->number);
    case COLUMN_KEY_TYPE:
        return key_type_name((enum key_type)credential->key_type);
    case COLUMN_KEY_HASH:
        return hex_text(scratch, credential->spki_sha256, credential->has_key ? SHA256_SIZE : 0);
    case COLUMN_REQUEST:
        return request_state_name(credential->request);
    case COLUMN_INSTALL:
        return output_install_name(row);
    case COLUMN_ATTEMPTS:
        return number_text(scratch, row->attempt);
    case COLUMN_BOARD:
        return number_text(scratch, row->board);
    case COLUMN_CERTIFICATE_STATE:
        return output_certificate_state_name(row->certificate_state);
    default:
        return hex_text(scratch, row->certificate.serial, row->certificate.serial_length);
    }
}

static bool write_csv(struct export *export) {
    struct slice text = buf_slice(export->csv);
    bool written = fwrite(text.data, 1, text.length, export->output->results) == text.length;
    buf_clear(export->csv);
    return written;
}

static bool put_fields(struct export *export, const char *const *fields) {
    return csv_put_row(export->csv, fields, COLUMN_COUNT) &&
           (buf_length(export->csv) < WRITE_AT || write_csv(export));
}

static bool put_header(struct export *export) {
    const char *fields[COLUMN_COUNT];
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        fields[i] = columns[i].name;
    }
    return put_fields(export, fields);
}

static bool put_row(void *context, const struct store_row *row) {
    struct export *export = context;
    const char *fields[COLUMN_COUNT];
    char scratch[COLUMN_COUNT][VALUE_SIZE];
    export->count++;
    if (export->csv == NULL) {
        export->output->ops->unit(export->output, row);
        return reader_can_write(export->output);
    }
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        fields[i] = column_value(&columns[i], row, scratch[i]);
    }
    return put_fields(export, fields);
}

// What could not be written is found by reader_flush.
static bool select_all(struct export *export, const struct reader *reader,
                       const struct store_filter *filter, struct error *error) {
    if (export->csv != NULL && !put_header(export)) {
        return error_set(error, E_MEMORY, "no memory for a row");
    }
    if (!reader->ops->select_rows(reader->store, filter, put_row, export, error)) {
        return false;
    }
    if (export->csv != NULL) {
        write_csv(export);
    }
    return reader_flush(export->output, error);
}

static bool read_options(const struct options *options, bool *csv, struct store_filter *filter,
                         struct error *error) {
    const char *format = options->format;
    if (format != NULL && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0) {
        return error_set(error, E_USAGE, "--format %s: csv and json are allowed", format);
    }
    *csv = format != NULL ? strcmp(format, "csv") == 0 : !options->json;
    if (*csv && options->json) {
        return error_set(error, E_USAGE, "--json and --format csv contradict each other");
    }
    *filter = (struct store_filter){
        .since_ms = options->since_ms, .until_ms = options->until_ms, .all_boards = true};
    if (options->lot != NULL && !text_copy(filter->lot, sizeof filter->lot, options->lot)) {
        return error_set(error, E_USAGE, "--lot: at most %zu characters", sizeof filter->lot - 1);
    }
    if (filter->until_ms != 0 && filter->since_ms >= filter->until_ms) {
        return error_set(error, E_USAGE, "--until is not later than --since");
    }
    return true;
}

static bool export_units(struct export *export, const struct options *options,
                         struct error *error) {
    struct store_filter filter;
    struct reader reader = {0};
    bool csv = false;
    if (!read_options(options, &csv, &filter, error)) {
        return false;
    }
    if (csv && (export->csv = buf_new(GATHER_MAX)) == NULL) {
        return error_set(error, E_MEMORY, "no memory for the export");
    }
    bool done = reader_open(&reader, options, error) && select_all(export, &reader, &filter, error);
    reader_close(&reader);
    buf_free(export->csv);
    return done;
}

int cmd_export(const struct options *options, struct output *output) {
    struct output rows = *output;
    struct export export = {.output = &rows};
    struct error error;
    rows.ops = &output_json; // --format json without --json: messages stay text
    if (!export_units(&export, options, &error)) {
        output->ops->error(output, "export", &error);
        return exit_status_of(&error);
    }
    if (export.count == 0) {
        output_note(output, "no unit matches");
        return EXIT_NOTHING_TO_DO;
    }
    return EXIT_OK;
}
