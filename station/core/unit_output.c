// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "station/core/unit_internal.h"

struct credential_record *unit_current(struct unit *unit) {
    return &unit->record.credentials[unit->current];
}

const struct message_credential *unit_find_camera_credential(const struct message_info *info,
                                                             uint8_t number) {
    for (size_t i = 0; i < info->credential_count; i++) {
        if (info->credentials[i].number == number) {
            return &info->credentials[i];
        }
    }
    return NULL;
}

struct record *unit_put_record(const struct unit *unit, const struct unit_event *event,
                               struct unit_output *output, enum record_kind kind) {
    assert(output->record_count < UNIT_RECORDS_MAX);
    struct record *record = &output->records[output->record_count++];
    memset(record, 0, sizeof *record);
    record->kind = kind;
    record->unit_id = unit->record.unit_id;
    record->time_ms = event->now_ms;
    return record;
}

enum unit_state unit_fail(struct unit *unit, const struct unit_event *event,
                          struct unit_output *output, const struct error *error) {
    output->record_count = 0;
    output->hold = false;
    unit->verdict = UNIT_FAIL;
    unit->error = *error;
    if (unit->record.unit_id == 0) {
        output->action = UNIT_ACT_WATCH;
        return UNIT_DONE;
    }
    // A unit that passed stays passed; that it does not look so any more is history. So is one that
    // was scrapped and comes back.
    bool stays = unit->record.result == UNIT_PASSED || unit->record.result == UNIT_SCRAPPED;
    struct record *record =
        unit_put_record(unit, event, output, stays ? RECORD_EVENT : RECORD_RESULT);
    record->result = stays ? unit->record.result : UNIT_FAILED;
    record->error = error->code;
    memcpy(record->text, error->text, sizeof record->text);
    output->action = UNIT_ACT_NONE;
    return UNIT_RECORDING;
}

enum unit_state unit_fail_text(struct unit *unit, const struct unit_event *event,
                               struct unit_output *output, enum error_code code, const char *format,
                               ...) {
    char text[ERROR_TEXT_MAX];
    struct error error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(&error, code, "%s", text);
    return unit_fail(unit, event, output, &error);
}
