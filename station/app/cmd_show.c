// SPDX-License-Identifier: Apache-2.0
// birthcert show: all that is on record of one unit, and every event of its life.
#include <string.h>

#include "station/app/options.h"
#include "station/app/output_unit_text.h"
#include "station/app/reader.h"

struct show {
    struct output *output;
    int64_t unit_id;
    size_t row_count;
};

static bool put_row(void *context, const struct store_row *row) {
    struct show *show = context;
    if (show->output->json) {
        show->output->ops->unit(show->output, row);
    } else {
        if (show->row_count == 0) {
            output_unit_text(show->output->results, row);
        }
        output_credential_text(show->output->results, row);
    }
    show->unit_id = row->unit.unit_id;
    show->row_count++;
    return reader_can_write(show->output);
}

static bool put_event(void *context, const struct store_event *event) {
    struct show *show = context;
    show->output->ops->event(show->output, event);
    return reader_can_write(show->output);
}

static bool show_unit(struct show *show, const struct reader *reader, const char *serial,
                      struct error *error) {
    struct store_filter filter = {.all_boards = true};
    if (!text_is_label(serial) || !text_copy(filter.serial, sizeof filter.serial, serial)) {
        return error_set(error, E_USAGE, "a serial has 1 to %zu printable characters",
                         sizeof filter.serial - 1);
    }
    if (!reader->ops->select_rows(reader->store, &filter, put_row, show, error)) {
        return false;
    }
    if (show->row_count == 0) {
        return error_set(error, E_STORE_UNKNOWN, "%s: no unit has this serial", serial);
    }
    if (!show->output->json) {
        fputs("\nevents\n", show->output->results);
    }
    return reader->ops->select_events(reader->store, show->unit_id, put_event, show, error) &&
           reader_flush(show->output, error);
}

int cmd_show(const struct options *options, struct output *output) {
    struct show show = {.output = output};
    struct reader reader = {0};
    struct error error;
    bool done = reader_open(&reader, options, &error) &&
                show_unit(&show, &reader, options->argument, &error);
    reader_close(&reader);
    if (!done) {
        output->ops->error(output, "show", &error);
        return exit_status_of(&error);
    }
    return EXIT_OK;
}
