// SPDX-License-Identifier: Apache-2.0
#include "station/app/trial.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ca-client/x509.h"
#include "ca-client/x509_trial.h"
#include "station/app/station.h"
#include "station/app/writer.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"

#define MODEL "TRIAL"
#define LIMIT_MS 120000
#define QUIET_MS 3000 // as long as a CA takes that works

static const uint8_t hardware_id[] = {0x02, 0, 0, 0, 0, 1}; // locally administered

struct trial {
    const struct config *view;
    const char *serial;
    struct output *output;
    struct store *store;
    struct batch *batch;
    struct station *station;
    int64_t deadline_ms; // monotonic
    bool wait_noted;
    struct error why; // the CA's last no, or the signal
    struct unit_record unit;
    struct store_row *row;
    size_t row_count;
};

// ---- its record ---------------------------------------------------------------------------------

static bool keep_row(void *context, const struct store_row *row) {
    struct trial *trial = context;
    *trial->row = *row;
    trial->row_count++;
    return false;
}

static bool look_up(struct trial *trial, const char *state, struct error *error) {
    struct store_filter filter = {.state = state};
    (void)text_copy(filter.serial, sizeof filter.serial, trial->serial);
    trial->row_count = 0;
    return store_sqlite.select_rows(trial->store, &filter, keep_row, trial, error);
}

// Before anything is written: to admit a unit that is there would change its record.
static bool check_new(struct trial *trial, struct error *error) {
    return look_up(trial, NULL, error) &&
           (trial->row_count == 0 ||
            error_set(error, E_USAGE,
                      "--serial %s: a unit of that serial is on record: give another one, or none",
                      trial->serial));
}

static bool fill_random(uint8_t *bytes, size_t length, struct error *error) {
    return getrandom(bytes, length, 0) == (ssize_t)length ||
           error_set(error, E_SYSTEM, "no randomness from the kernel");
}

static bool admit(struct trial *trial, struct error *error) {
    const struct profile *profile = &trial->view->profiles[0];
    struct record record = {.kind = RECORD_ADMIT, .time_ms = clock_wall_ms()};
    struct admission *admission = &record.admission;
    (void)text_copy(admission->model, sizeof admission->model, MODEL);
    memcpy(admission->hardware_id, hardware_id, sizeof hardware_id);
    admission->hardware_id_length = sizeof hardware_id;
    admission->wanted_count = 1;
    admission->wanted[0].number = profile->credential;
    admission->wanted[0].key_type = profile->key_type;
    memcpy(admission->wanted[0].profile, profile->name, sizeof admission->wanted[0].profile);
    (void)text_copy(admission->serial, sizeof admission->serial, trial->serial);
    if (!fill_random(admission->boot_id, sizeof admission->boot_id, error)) {
        return false;
    }
    batch_clear(trial->batch);
    if (!batch_put(trial->batch, &record)) {
        return error_set(error, E_INTERNAL, "no room for a record");
    }
    if (!writer_commit(trial->store, trial->batch, error)) {
        return false;
    }
    trial->unit = trial->batch->answers[0].unit;
    return true;
}

static bool queue(struct trial *trial, struct error *error) {
    const struct profile *profile = &trial->view->profiles[0];
    const struct profile_subject subject = {.serial = trial->serial,
                                            .model = MODEL,
                                            .hardware_id = hardware_id,
                                            .hardware_id_length = sizeof hardware_id};
    struct record record = {
        .kind = RECORD_KEY,
        .unit_id = trial->unit.unit_id,
        .credential_id = trial->unit.credentials[0].credential_id,
        .time_ms = clock_wall_ms(),
    };
    struct buf *csr = buf_new(X509_OBJECT_MAX);
    bool done = csr != NULL || error_set(error, E_MEMORY, "no memory for a CSR");
    done = done && x509_make_trial(profile, &subject, csr, record.spki_sha256, error);
    if (done) {
        batch_clear(trial->batch);
        done = batch_put(trial->batch, &record);
        record.kind = RECORD_CSR;
        record.bytes = buf_slice(csr);
        done = done && batch_put(trial->batch, &record);
        done = done ? writer_commit(trial->store, trial->batch, error)
                    : error_set(error, E_INTERNAL, "no room for a record");
    }
    buf_free(csr);
    return done;
}

static bool make_record(struct trial *trial, struct error *error) {
    trial->batch = batch_new(2 * OBJECT_MAX);
    bool done = trial->batch != NULL || error_set(error, E_MEMORY, "no memory for a record");
    done = done && writer_open(trial->view, STORE_WRITE, &trial->store, error) &&
           check_new(trial, error) && admit(trial, error) && queue(trial, error);
    store_sqlite.close(trial->store);
    batch_free(trial->batch);
    trial->store = NULL;
    return done;
}

// ---- its way through the CA ---------------------------------------------------------------------

static void handle_verdict(void *context, size_t slot, const struct unit *unit) {
    (void)context, (void)slot, (void)unit; // no slot is open
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    (void)context, (void)slot, (void)error;
}

static void note_wait(struct trial *trial, int64_t now_ms) {
    int64_t waited_ms = now_ms - (trial->deadline_ms - LIMIT_MS);
    if (!trial->wait_noted && waited_ms >= QUIET_MS) {
        trial->wait_noted = true;
        output_note(trial->output, "waits for CA %s, for at most %d s%s%s",
                    trial->view->profiles[0].ca, LIMIT_MS / 1000,
                    trial->why.code != ERROR_NONE ? ": " : "", trial->why.text);
    }
}

static void handle_tick(void *context) {
    struct trial *trial = context;
    bool is_down = station_ca_down_ms(trial->station, &trial->why) > 0;
    bool is_lasting = is_down && error_code_class(trial->why.code) != ERROR_CLASS_RETRY;
    if (station_requests_in_progress(trial->station) == 0 || is_lasting ||
        clock_monotonic_ms() > trial->deadline_ms) {
        station_stop(trial->station);
        return;
    }
    note_wait(trial, clock_monotonic_ms());
}

static const struct station_events trial_events = {
    .on_verdict = handle_verdict,
    .on_port_error = handle_port_error,
    .on_tick = handle_tick,
};

static bool run(struct trial *trial, struct error *error) {
    trial->deadline_ms = clock_monotonic_ms() + LIMIT_MS;
    bool done = station_new_only(trial->view, trial->serial, &trial_events, trial, &trial->station,
                                 error) &&
                station_run(trial->station, error);
    if (done && station_was_interrupted(trial->station)) {
        error_set(&trial->why, E_INTERRUPTED, "interrupted");
    }
    station_free(trial->station);
    return done;
}

// Also after a fault of the CA: what is on record is what counts.
static bool read_row(struct trial *trial, bool *may_be_surplus, struct error *error) {
    bool done =
        store_sqlite.open(trial->view->store_path, STORE_READ, NULL, &trial->store, error) &&
        look_up(trial, "resent", error);
    *may_be_surplus = trial->row_count > 0;
    done = done && look_up(trial, NULL, error);
    store_sqlite.close(trial->store);
    if (done && trial->row_count > 0 && trial->row->credential.request == REQUEST_QUEUED) {
        *may_be_surplus = *may_be_surplus || trial->row->credential.error == E_CA_DOUBT;
    }
    return done && (trial->row_count > 0 ||
                    error_set(error, E_INTERNAL, "%s is not on record", trial->serial));
}

// ---- what it is called --------------------------------------------------------------------------

bool trial_check_serial(const char *serial, struct error *error) {
    if (!text_is_label(serial) || strlen(serial) >= SERIAL_SIZE) {
        return error_set(error, E_USAGE, "a serial has 1 to %d printable characters",
                         SERIAL_SIZE - 1);
    }
    return strncmp(serial, TRIAL_SERIAL_PREFIX, sizeof TRIAL_SERIAL_PREFIX - 1) == 0 ||
           error_set(error, E_USAGE,
                     "--serial %s: --issue closes its serial for good, and no camera could have it "
                     "any more: give one that begins with " TRIAL_SERIAL_PREFIX ", or none",
                     serial);
}

bool trial_make_serial(char serial[SERIAL_SIZE], struct error *error) {
    char now[CLOCK_TEXT_SIZE];
    uint8_t random[4];
    char suffix[2 * sizeof random + 1];
    if (!fill_random(random, sizeof random, error)) {
        return false;
    }
    hex_encode(suffix, random, sizeof random);
    clock_format_utc(now, clock_wall_ms());
    snprintf(serial, SERIAL_SIZE, TRIAL_SERIAL_PREFIX "%.4s%.2s%.2s-%.2s%.2s%.2s-%s", now, now + 5,
             now + 8, now + 11, now + 14, now + 17, suffix);
    return true;
}

// ---- the whole of it ----------------------------------------------------------------------------

bool trial_issue(const struct config *view, const char *serial, struct output *output,
                 struct store_row *row, struct error *why, bool *may_be_surplus,
                 struct error *error) {
    struct trial trial = {.view = view, .serial = serial, .output = output, .row = row};
    if (!make_record(&trial, error)) {
        return false;
    }
    *why = (struct error){0};
    if (run(&trial, why)) {
        *why = trial.why;
    }
    return read_row(&trial, may_be_surplus, error);
}
