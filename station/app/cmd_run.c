// SPDX-License-Identifier: Apache-2.0
// birthcert run: the operator's loop.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "station/app/options.h"
#include "station/app/progress.h"
#include "station/app/scanner.h"
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
    bool scans;
    struct scanner *scanner;
    bool has_label; // a label was scanned, and its camera has no verdict yet
    char label[SERIAL_SIZE];
    char last_serial[SERIAL_SIZE]; // of the camera that had the last verdict
    bool scanned_all;
    int exit_status;
};

static const char *lot_of(const struct run *run) {
    return run->options->lot != NULL ? run->options->lot : run->config->lot;
}

// ---- labels -------------------------------------------------------------------------------------

// A label is for the next camera. While one is being worked on, nobody could say which it is for.
static void handle_scan(void *context, const char *line) {
    struct run *run = context;
    enum unit_state state = station_unit(run->station, run->first_slot)->state;
    struct error error;
    if (!text_is_label(line) || strlen(line) >= SERIAL_SIZE) {
        error_set(&error, E_CAM_LABEL, "what was scanned is no serial: \"%.80s\"", line);
        run->output->ops->error(run->output, "scan", &error);
    } else if (state != UNIT_EMPTY && state != UNIT_DONE) {
        error_set(&error, E_CAM_LABEL, "%s came too early: scan it again after the word", line);
        run->output->ops->error(run->output, "scan", &error);
    } else {
        output_note(run->output, "%s: %s%s%s", line,
                    state == UNIT_DONE ? "unplug the one before, then plug it in" : "plug it in",
                    run->has_label ? "; it takes the place of " : "",
                    run->has_label ? run->label : "");
        run->has_label = true;
        text_copy(run->label, sizeof run->label, line);
        station_open_slot(run->station, run->first_slot, line, lot_of(run));
    }
}

static void handle_scan_end(void *context) {
    struct run *run = context;
    run->scanned_all = true;
    if (!run->has_label) {
        station_stop(run->station);
    }
}

static void end_label(struct run *run, const struct unit *unit) {
    run->has_label = false;
    if (!text_copy(run->last_serial, sizeof run->last_serial, unit->info.serial)) {
        run->last_serial[0] = '\0';
    }
    station_close_slot(run->station, run->first_slot);
    if (run->scanned_all) {
        station_stop(run->station);
    } else if (!run->options->once) {
        output_note(run->output, "unplug it, and scan the next label");
    }
}

// ---- the station's events -----------------------------------------------------------------------

// The camera before is still there, or back, perhaps after a restart: the label is not for it.
static bool is_the_one_before(const struct run *run, const struct unit *unit) {
    return run->scans && unit->verdict == UNIT_FAIL && unit->error.code == E_CAM_LABEL &&
           strcmp(unit->info.serial, run->last_serial) == 0;
}

static void handle_verdict(void *context, size_t slot, const struct unit *unit) {
    struct run *run = context;
    if (is_the_one_before(run, unit)) {
        output_note(run->output, "unplug %s, then plug %s in", run->last_serial, run->label);
        return;
    }
    progress_verdict(&run->status, run->output, slot, unit);
    if (unit->verdict == UNIT_FAIL) {
        run->exit_status =
            exit_status_of(&unit->error) == EXIT_INTEGRITY ? EXIT_INTEGRITY : EXIT_UNIT_FAILED;
    }
    if (run->scans) {
        end_label(run, unit);
    }
    if (run->options->once) {
        station_stop(run->station);
    }
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    struct run *run = context;
    progress_port_error(&run->status, run->output, slot, error);
    enum error_class class = error_code_class(error->code);
    if (class == ERROR_CLASS_RETRY || class == ERROR_CLASS_UNIT || !run->options->once) {
        return; // it may be plugged in yet, or once more; the other slots go on
    }
    station_stop_with(run->station, error);
}

static void handle_ca_report(void *context, const struct config_ca *ca,
                             const struct ca_report *report) {
    struct run *run = context;
    (void)ca;
    progress_ca_report(&run->status, run->output, report);
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
    .on_ca_report = handle_ca_report,
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
    if (options->serial != NULL && run->scans) {
        return error_set(error, E_USAGE, "--serial and --scan both say which camera must come");
    }
    if ((options->serial != NULL || run->scans) && run->slot_end - run->first_slot != 1) {
        return error_set(error, E_USAGE, "--%s needs --slot: which camera should it be?",
                         run->scans ? "scan" : "serial");
    }
    return true;
}

static bool open_slots(struct run *run, struct error *error) {
    static const struct scanner_events scanner_events = {handle_scan, handle_scan_end};
    const struct options *options = run->options;
    for (size_t i = run->first_slot; i < run->slot_end; i++) {
        run->status.used[i] = true;
        if (!run->scans) {
            station_open_slot(run->station, i, options->serial != NULL ? options->serial : "",
                              lot_of(run));
        }
    }
    if (run->scans) {
        output_note(run->output, "scan the label of the first camera; Ctrl-C ends");
        return scanner_new(station_loop(run->station), STDIN_FILENO, &scanner_events, run,
                           &run->scanner, error);
    }
    size_t count = run->slot_end - run->first_slot;
    output_note(run->output, "%zu slot%s open; plug in a camera, Ctrl-C ends", count,
                count == 1 ? " is" : "s are");
    return true;
}

static bool run_bench(struct run *run, struct error *error) {
    if (!config_require_slots(run->config, error) || !choose_slots(run, error) ||
        !station_new(run->config, &run_events, run, &run->station, error)) {
        return false;
    }
    progress_init(&run->status, run->config);
    progress_warn_private_ca(run->output, run->station);
    bool done = open_slots(run, error) && station_run(run->station, error);
    output_clear_status(run->output);
    return done;
}

int cmd_run(const struct options *options, struct output *output) {
    struct run run = {.options = options, .output = output, .scans = options->scan};
    struct config *config = NULL;
    struct error error;
    bool done = config_load(options->config, &config, &error);
    run.config = config;
    if (!done || !run_bench(&run, &error)) {
        output->ops->error(output, "run", &error);
        run.exit_status = exit_status_of(&error);
    }
    scanner_free(run.scanner);
    station_free(run.station);
    config_free(config);
    return run.exit_status;
}
