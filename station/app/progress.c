// SPDX-License-Identifier: Apache-2.0
#include "station/app/progress.h"

#include <stdio.h>
#include <string.h>

#include "station/base/clock.h"

#define LINE_SIZE 200

void progress_init(struct progress *status, const struct config *config) {
    *status = (struct progress){.config = config, .start_ms = clock_monotonic_ms()};
}

void progress_verdict(struct progress *status, struct output *output, size_t slot,
                      const struct unit *unit) {
    int64_t found_ms = status->found_ms[slot];
    struct output_verdict verdict = {
        .slot = status->config->slots[slot].name,
        .transport = status->config->slots[slot].transport,
        .path = status->config->slots[slot].path,
        .serial = unit->info.serial,
        .model = unit->info.model,
        .verdict = unit->verdict,
        .error = &unit->error,
        .elapsed_ms = found_ms != 0 ? clock_monotonic_ms() - found_ms : 0,
    };
    status->found_ms[slot] = 0;
    output->ops->verdict(output, &verdict);
}

void progress_port_error(const struct progress *status, struct output *output, size_t slot,
                         const struct error *error) {
    char context[NAME_SIZE + 8];
    snprintf(context, sizeof context, "slot %s", status->config->slots[slot].name);
    output_clear_status(output);
    output->ops->error(output, context, error);
}

static void append_counts(char *line, const size_t counts[UNIT_STATE_COUNT]) {
    for (enum unit_state state = UNIT_ADMITTING; state < UNIT_DONE; state++) {
        size_t used = strlen(line);
        if (counts[state] > 0) {
            snprintf(line + used, LINE_SIZE - used, "  %s %zu", unit_state_name(state),
                     counts[state]);
        }
    }
}

static void draw(struct progress *status, struct output *output,
                 const size_t counts[UNIT_STATE_COUNT], size_t total) {
    char line[LINE_SIZE];
    char bar[25];
    size_t done = counts[UNIT_DONE];
    size_t filled = total > 0 ? done * (sizeof bar - 1) / total : 0;
    memset(bar, '.', sizeof bar - 1);
    memset(bar, '#', filled);
    bar[sizeof bar - 1] = '\0';
    int64_t elapsed_s = (clock_monotonic_ms() - status->start_ms) / 1000;
    snprintf(line, sizeof line, "[%s] %zu/%zu  %02d:%02d", bar, done, total, (int)(elapsed_s / 60),
             (int)(elapsed_s % 60));
    append_counts(line, counts);
    output_status(output, line);
}

void progress_tick(struct progress *status, struct output *output, const struct station *station) {
    size_t counts[UNIT_STATE_COUNT] = {0};
    size_t total = 0;
    for (size_t i = 0; i < status->config->slot_count; i++) {
        if (!status->used[i]) {
            continue;
        }
        total++;
        const struct unit *unit = station_unit(station, i);
        counts[unit->state]++;
        if (unit->state == UNIT_EMPTY) {
            status->found_ms[i] = 0;
        } else if (status->found_ms[i] == 0 && unit->state != UNIT_DONE) {
            status->found_ms[i] = clock_monotonic_ms();
        }
    }
    draw(status, output, counts, total);
}

void progress_warn_private_ca(struct output *output, const struct station *station) {
    if (!station_ca_is_public(station)) {
        output_note(output, "note: the embedded CA is not a public CA; its certificates are for "
                            "demonstrations and pilots");
    }
}

void progress_ca_report(struct progress *status, struct output *output,
                        const struct ca_report *report) {
    if (report->is_private && !status->private_noted) {
        status->private_noted = true;
        output_note(output,
                    "note: %s is not a public CA; its certificates are for demonstrations "
                    "and pilots",
                    report->behind);
    }
}
