// SPDX-License-Identifier: Apache-2.0
// birthcert list: what the database knows, one line per credential.
#include <string.h>

#include "station/app/options.h"
#include "station/app/reader.h"

struct list {
    struct output *output;
    size_t count;
};

static bool put_row(void *context, const struct store_row *row) {
    struct list *list = context;
    list->output->ops->unit(list->output, row);
    list->count++;
    return reader_can_write(list->output);
}

// The store knows the states too; the command line is checked before anything is opened.
static bool check_state(const char *state, struct error *error) {
    static const char *const states[] = {"open",  "failed",      "passed",    "scrapped", "pending",
                                         "doubt", "quarantined", "withdrawn", "revoked",  "orphan"};
    for (size_t i = 0; state != NULL && i < ARRAY_LENGTH(states); i++) {
        if (strcmp(states[i], state) == 0) {
            return true;
        }
    }
    return state == NULL ||
           error_set(error, E_USAGE,
                     "--state %s: open, failed, passed, scrapped, pending, doubt, quarantined, "
                     "withdrawn, revoked and orphan are allowed",
                     state);
}

static bool list_units(struct list *list, const struct options *options, struct error *error) {
    // A withdrawn certificate may be on a board that was swapped since.
    bool all_boards = options->state != NULL && strcmp(options->state, "withdrawn") == 0;
    struct store_filter filter = {.state = options->state, .all_boards = all_boards};
    struct reader reader = {0};
    bool done =
        check_state(options->state, error) &&
        (options->lot == NULL || text_copy(filter.lot, sizeof filter.lot, options->lot) ||
         error_set(error, E_USAGE, "--lot: at most %zu characters", sizeof filter.lot - 1)) &&
        reader_open(&reader, options, error) &&
        reader.ops->select_rows(reader.store, &filter, put_row, list, error) &&
        reader_flush(list->output, error);
    reader_close(&reader);
    return done;
}

int cmd_list(const struct options *options, struct output *output) {
    struct list list = {.output = output};
    struct error error;
    if (!list_units(&list, options, &error)) {
        output->ops->error(output, "list", &error);
        return exit_status_of(&error);
    }
    if (list.count == 0) {
        output_note(output, "no unit matches");
        return EXIT_NOTHING_TO_DO;
    }
    return EXIT_OK;
}
