// SPDX-License-Identifier: Apache-2.0
// birthcert tray: the batch job.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/bench.h"
#include "station/app/manifest.h"
#include "station/app/options.h"
#include "station/app/progress.h"
#include "station/app/station.h"
#include "station/base/clock.h"

#define WAIT_S 60
// Longer than it takes to find a certificate that a person brought.
#define OFFLINE_PATIENCE_MS 3000

struct tray_row {
    bool finished;
    enum unit_verdict verdict;
    enum error_code code;
    bool first_pass;
    int64_t idle_since_ms;  // monotonic: nobody has answered since; 0: somebody does
    int64_t waits_since_ms; // the same: for the CA
};

struct tray {
    const struct options *options;
    struct output *output;
    const struct config *config;
    struct manifest manifest;
    struct tray_row rows[CONFIG_SLOTS_MAX];
    struct station *station;
    struct progress status;
    int64_t wait_ms;
    bool ca_noted;
};

static struct tray_row *find_row(struct tray *tray, size_t slot) {
    for (size_t i = 0; i < tray->manifest.count; i++) {
        if (tray->manifest.rows[i].slot == slot) {
            return &tray->rows[i];
        }
    }
    return NULL;
}

static void stop_when_finished(struct tray *tray) {
    for (size_t i = 0; i < tray->manifest.count; i++) {
        if (!tray->rows[i].finished) {
            return;
        }
    }
    station_stop(tray->station);
}

static void handle_verdict(void *context, size_t slot, const struct unit *unit) {
    struct tray *tray = context;
    struct tray_row *row = find_row(tray, slot);
    progress_verdict(&tray->status, tray->output, slot, unit);
    bool was_parked = row != NULL && row->code == E_UNIT_PARKED;
    if (row == NULL || (row->finished && !was_parked)) {
        return;
    }
    row->finished = true;
    row->verdict = unit->verdict;
    row->code = unit->verdict == UNIT_FAIL ? unit->error.code : ERROR_NONE;
    row->first_pass = unit->verdict == UNIT_PASS && unit->record.is_new;
    stop_when_finished(tray);
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    struct tray *tray = context;
    struct tray_row *row = find_row(tray, slot);
    progress_port_error(&tray->status, tray->output, slot, error);
    if (row != NULL && error_code_class(error->code) != ERROR_CLASS_RETRY) {
        row->finished = true; // waiting does not help; the other slots go on
        row->code = error->code;
        stop_when_finished(tray);
    }
}

// Why a port is closed was said when it did not open.
static enum error_code tell_absent(struct tray *tray, const struct manifest_row *row) {
    const struct error *port = station_port_state(tray->station, row->slot);
    struct error error;
    if (port != NULL && port->code != ERROR_NONE) {
        return port->code;
    }
    const struct config_slot *slot = &tray->config->slots[row->slot];
    error_set(&error, E_CAM_TIMEOUT, "%s%snothing has answered for %" PRId64 " s on %s %s",
              row->serial, row->serial[0] != '\0' ? ": " : "", tray->wait_ms / 1000,
              slot->transport, slot->path);
    progress_port_error(&tray->status, tray->output, row->slot, &error);
    return error.code;
}

// A slot in which nobody answers holds the tray up for so long only; its row stays unfinished.
static void give_up_on_absent(struct tray *tray, int64_t now_ms) {
    for (size_t i = 0; i < tray->manifest.count; i++) {
        struct tray_row *row = &tray->rows[i];
        bool empty = station_unit(tray->station, tray->manifest.rows[i].slot)->state == UNIT_EMPTY;
        if (row->finished || !empty) {
            row->idle_since_ms = 0;
        } else if (row->idle_since_ms == 0) {
            row->idle_since_ms = now_ms;
        } else if (now_ms - row->idle_since_ms >= tray->wait_ms) {
            row->finished = true;
            row->code = tell_absent(tray, &tray->manifest.rows[i]);
        }
    }
}

static bool is_of_offline_ca(const struct tray *tray, const struct credential_record *credential) {
    const struct profile *profile = config_find_profile(tray->config, credential->profile);
    const struct ca_ops *ops =
        profile != NULL ? config_find_backend(tray->config, profile->ca) : NULL;
    return ops != NULL && ops->is_offline;
}

// A certificate that a network brings is waited for, whatever else the camera lacks.
static bool awaits_persons(const struct tray *tray, const struct unit *unit) {
    const struct unit_record *record = &unit->record;
    for (uint32_t i = 0; i < record->credential_count; i++) {
        if (record->credentials[i].request != REQUEST_ISSUED &&
            !is_of_offline_ca(tray, &record->credentials[i])) {
            return false;
        }
    }
    return true;
}

// At a CA that requests are carried to cameras need not wait: they come back for their certificates.
static void leave_waiting(struct tray *tray, int64_t now_ms) {
    for (size_t i = 0; i < tray->manifest.count; i++) {
        struct tray_row *row = &tray->rows[i];
        const struct unit *unit = station_unit(tray->station, tray->manifest.rows[i].slot);
        if (row->finished || unit->state != UNIT_WAITING || !awaits_persons(tray, unit)) {
            row->waits_since_ms = 0;
        } else if (row->waits_since_ms == 0) {
            row->waits_since_ms = now_ms;
        } else if (now_ms - row->waits_since_ms >= OFFLINE_PATIENCE_MS) {
            row->finished = true;
            row->code = E_UNIT_PARKED;
        }
    }
}

static void handle_tick(void *context) {
    struct tray *tray = context;
    struct error why;
    if (station_ca_is_offline(tray->station)) {
        leave_waiting(tray, clock_monotonic_ms());
    }
    int64_t down_ms = station_ca_down_ms(tray->station, &why);
    give_up_on_absent(tray, clock_monotonic_ms());
    if (down_ms > 0 && !tray->ca_noted) {
        tray->output->ops->error(tray->output, "CA", &why);
    }
    tray->ca_noted = down_ms > 0;
    if (down_ms > tray->wait_ms) {
        station_stop_with(tray->station, &why);
    }
    progress_tick(&tray->status, tray->output, tray->station);
    stop_when_finished(tray);
}

// Better to know before the first camera than in the middle of the tray.
static void handle_ca_report(void *context, const struct config_ca *ca,
                             const struct ca_report *report) {
    struct tray *tray = context;
    size_t per_camera = config_count_profiles(tray->config, ca->name);
    size_t wanted = tray->manifest.count * per_camera;
    progress_ca_report(&tray->status, tray->output, report);
    if (report->quota > 0 && (uint64_t)report->quota < wanted) {
        output_note(tray->output,
                    "warning: CA %s has %" PRId64 " certificates left, enough for %" PRIu64
                    " cameras; the tray may need %zu",
                    ca->name, report->quota, (uint64_t)report->quota / per_camera, wanted);
    }
}

static const struct station_events tray_events = {
    .on_verdict = handle_verdict,
    .on_port_error = handle_port_error,
    .on_ca_report = handle_ca_report,
    .on_tick = handle_tick,
};

static void count_reason(struct output_summary *summary, enum error_code code) {
    for (size_t i = 0; i < summary->reason_count; i++) {
        if (summary->reasons[i].code == code) {
            summary->reasons[i].count++;
            return;
        }
    }
    if (summary->reason_count < SUMMARY_REASONS_MAX) {
        summary->reasons[summary->reason_count].code = code;
        summary->reasons[summary->reason_count++].count = 1;
    }
}

static void count_row(struct output_summary *summary, const struct tray_row *row) {
    summary->passed += row->verdict == UNIT_PASS ? 1 : 0;
    summary->already += row->verdict == UNIT_ALREADY ? 1 : 0;
    summary->failed += row->verdict == UNIT_FAIL ? 1 : 0;
    summary->unfinished += row->verdict == UNIT_NO_VERDICT ? 1 : 0;
    summary->first_pass += row->first_pass ? 1 : 0;
    if (row->code != ERROR_NONE) {
        count_reason(summary, row->code);
    }
}

static void summarize(const struct tray *tray, struct output_summary *summary) {
    *summary = (struct output_summary){
        .lot = tray->options->lot != NULL ? tray->options->lot : tray->config->lot,
        .total = tray->manifest.count,
        .elapsed_ms = clock_monotonic_ms() - tray->status.start_ms,
    };
    for (size_t i = 0; i < tray->manifest.count; i++) {
        count_row(summary, &tray->rows[i]);
    }
    size_t finished = summary->passed + summary->failed;
    summary->takt_ms = finished > 0 ? summary->elapsed_ms / (int64_t)finished : 0;
    for (enum unit_state state = 0; state < UNIT_STATE_COUNT; state++) {
        station_state_time(tray->station, state, &summary->steps[state].visits,
                           &summary->steps[state].total_ms);
    }
}

// The worst of what happened: an integrity fault, else a fault of the bench, else a failed unit.
static int status_of_rows(const struct tray *tray) {
    int worst = EXIT_OK;
    for (size_t i = 0; i < tray->manifest.count; i++) {
        const struct tray_row *row = &tray->rows[i];
        struct error error = {.code = row->code};
        int status = row->verdict == UNIT_NO_VERDICT && row->code == ERROR_NONE
                         ? EXIT_UNIT_FAILED
                         : exit_status_of(&error);
        if (row->code == E_CAM_TIMEOUT || row->code == E_PORT_HANGUP || row->code == E_PORT_IO ||
            row->code == E_UNIT_PARKED || bench_awaits_camera(row->code)) {
            status = EXIT_UNIT_FAILED; // it was the camera that was not there, or is to come again
        }
        worst = status > worst ? status : worst;
    }
    return worst;
}

static bool run_tray(struct tray *tray, struct error *error) {
    const struct options *options = tray->options;
    if (!config_require_slots(tray->config, error) ||
        !manifest_load(options->argument, tray->config, &tray->manifest, error) ||
        !station_new(tray->config, &tray_events, tray, &tray->station, error)) {
        return false;
    }
    progress_init(&tray->status, tray->config);
    progress_warn_private_ca(tray->output, tray->station);
    tray->wait_ms = INT64_C(1000) * (options->has_wait ? options->wait_s : WAIT_S);
    for (size_t i = 0; i < tray->manifest.count; i++) {
        const struct manifest_row *row = &tray->manifest.rows[i];
        tray->status.used[row->slot] = true;
        station_open_slot(tray->station, row->slot, row->serial,
                          options->lot != NULL ? options->lot : tray->config->lot);
    }
    bool done = station_run(tray->station, error);
    struct output_summary summary;
    summarize(tray, &summary);
    tray->output->ops->summary(tray->output, &summary);
    if (station_ca_is_offline(tray->station) && summary.unfinished > 0) {
        output_note(tray->output, "what waits for the CA: birthcert outbox export FILE; when the "
                                  "certificates are back, the same command goes on");
    }
    if (station_was_interrupted(tray->station)) {
        output_note(tray->output, "interrupted; nothing is lost: the same command goes on");
    }
    return done;
}

int cmd_tray(const struct options *options, struct output *output) {
    struct tray *tray = calloc(1, sizeof *tray);
    struct config *config = NULL;
    struct error error;
    if (tray == NULL) {
        return EXIT_STATION;
    }
    tray->options = options;
    tray->output = output;
    bool done = config_load(options->config, &config, &error);
    tray->config = config;
    done = done && run_tray(tray, &error);
    if (!done) {
        output->ops->error(output, "tray", &error);
    }
    int status = done ? status_of_rows(tray) : exit_status_of(&error);
    station_free(tray->station);
    config_free(config);
    free(tray);
    return status;
}
