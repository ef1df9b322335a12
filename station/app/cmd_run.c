// SPDX-License-Identifier: Apache-2.0
// birthcert run: the operator's loop.
#include <stdio.h>
#include <string.h>

#include "station/app/options.h"
#include "station/app/progress.h"
#include "station/app/station.h"

#define CA_DOWN_NOTE_MS 3000

struct run {
    const struct options *options;
    struct output *output;
    const struct config *config;
    struct station *station;
    struct progress status;
    size_t first_slot;
    size_t slot_end;
    bool ca_noted;
    int exit_status;
};

static void handle_verdict(void *context, size_t slot, const struct unit *unit) {
    struct run *run = context;
    progress_verdict(&run->status, run->output, slot, unit);
    if (unit->verdict == UNIT_FAIL) {
        run->exit_status =
            exit_status_of(&unit->error) == EXIT_INTEGRITY ? EXIT_INTEGRITY : EXIT_UNIT_FAILED;
    }
    if (run->options->once) {
        station_stop(run->station);
    }
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    struct run *run = context;
    progress_port_error(&run->status, run->output, slot, error);
    if (error->code == E_PORT_MISSING || !run->options->once) {
        return; // it may be plugged in yet; the other slots go on
    }
    station_stop_with(run->station, error);
}

// An outage parks units, it fails none; but the operator should know why nothing happens.
static void note_ca(struct run *run) {
    struct error why;
    bool down = station_ca_down_ms(run->station, &why) > CA_DOWN_NOTE_MS;
    if (down && !run->ca_noted) {
        run->output->ops->error(run->output, "CA", &why);
    } else if (!down && run->ca_noted) {
        output_note(run->output, "the CA works again");
    }
    run->ca_noted = down;
}

static void handle_tick(void *context) {
    struct run *run = context;
    note_ca(run);
    progress_tick(&run->status, run->output, run->station);
}

static const struct station_events run_events = {
    .on_verdict = handle_verdict,
    .on_port_error = handle_port_error,
    .on_tick = handle_tick,
};

static bool choose_slots(struct run *run, struct error *error) {
    const struct options *options = run->options;
    run->slot_end = run->config->slot_count;
    if (options->slot != NULL) {
        const struct config_slot *slot = config_find_slot(run->config, options->slot);
        if (slot == NULL) {
            return error_set(error, E_USAGE, "%s has no [slot %s]", run->config->file,
                             options->slot);
        }
        run->first_slot = (size_t)(slot - run->config->slots);
        run->slot_end = run->first_slot + 1;
    }
    if (options->serial != NULL && run->slot_end - run->first_slot != 1) {
        return error_set(error, E_USAGE, "--serial needs --slot: which camera should it be?");
    }
    return true;
}

static bool run_bench(struct run *run, struct error *error) {
    const struct options *options = run->options;
    if (!choose_slots(run, error) ||
        !station_new(run->config, &run_events, run, &run->station, error)) {
        return false;
    }
    progress_init(&run->status, run->config);
    progress_warn_private_ca(run->output, run->station);
    for (size_t i = run->first_slot; i < run->slot_end; i++) {
        run->status.used[i] = true;
        station_open_slot(run->station, i, options->serial != NULL ? options->serial : "",
                          options->lot != NULL ? options->lot : run->config->lot);
    }
    output_note(run->output, "%zu slots are open; plug in a camera, Ctrl-C ends",
                run->slot_end - run->first_slot);
    bool done = station_run(run->station, error);
    output_clear_status(run->output);
    return done;
}

int cmd_run(const struct options *options, struct output *output) {
    struct run run = {.options = options, .output = output};
    struct config *config = NULL;
    struct error error;
    bool done = config_load(options->config, &config, &error);
    run.config = config;
    if (!done || !run_bench(&run, &error)) {
        output->ops->error(output, "run", &error);
        run.exit_status = exit_status_of(&error);
    }
    station_free(run.station);
    config_free(config);
    return run.exit_status;
}
