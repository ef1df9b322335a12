// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_sim.h"

static const struct unit_policy unit_policy = {
    .lock = true,
    .retries = 2,
    .wanted_count = SIM_CREDENTIALS,
    .wanted = {{.number = 1, .key_type = KEY_P256, .profile = "https"},
               {.number = 2, .key_type = KEY_P256, .profile = "idevid"}},
};

// settle_ms is longer than the list's lag and a request's longest way together, as a real CA's has
// to be: what comes later than that cannot be told from what never comes.
static const struct ca_policy ca_policy = {
    .rekeys = true,
    .not_before_window_s = 100,
    .settle_ms = 5000,
    .in_flight = 4,
    .backoff_ms = 200,
    .backoff_max_ms = 5000,
    .rescan_ms = 700,
    .empty_scans = 3,
    .breaker_failures = 5,
};

// The second credential's CA keeps a request, and issues when it is asked again.
static const struct ca_policy repeating_policy = {
    .fetch_repeats = true,
    .settle_ms = 5000,
    .in_flight = 4,
    .backoff_ms = 200,
    .backoff_max_ms = 5000,
    .rescan_ms = 700,
    .empty_scans = 3,
    .breaker_failures = 5,
};

struct pool_time sim_time(const struct sim *sim) {
    return (struct pool_time){.wall_ms = SIM_WALL_MS + sim->now_ms, .monotonic_ms = sim->now_ms};
}

static void watch_deadline(struct sim *sim, size_t slot) {
    int64_t deadline_ms = session_deadline_ms(&sim->ports[slot].session);
    if (deadline_ms != LINK_NEVER && deadline_ms != sim->port_tick_ms[slot]) {
        sim->port_tick_ms[slot] = deadline_ms;
        sim_schedule(sim, deadline_ms, SIM_PORT_TICK, slot, sim->life, NULL, 0);
    }
}

// Puts bytes on the wire to the camera, through its faults.
static void write_wire(struct sim *sim, size_t slot, struct slice bytes) {
    struct sim_slot *wire = &sim->slots[slot];
    bool kind = sim->now_ms >= sim->faults.end_ms;
    if (bytes.length == 0 || wire->camera == SIM_CAMERAS) {
        return;
    }
    if (!kind && sim_chance(sim, sim->faults.loss)) {
        return;
    }
    int64_t at_ms = sim->now_ms + sim_between(sim, 1, 12);
    wire->to_camera_ms = at_ms > wire->to_camera_ms ? at_ms : wire->to_camera_ms;
    int copies = !kind && sim_chance(sim, sim->faults.duplicate) ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        sim_schedule(sim, wire->to_camera_ms, SIM_TO_CAMERA, slot, wire->epoch, bytes.data,
                     bytes.length);
    }
}

static void take_output(struct sim *sim, size_t slot, const struct session_output *output) {
    struct unit_csr csr;
    struct unit_event event;
    const struct unit *unit = pool_unit(sim->pool, slot);
    write_wire(sim, slot, output->write);
    if (port_translate(&sim->ports[slot], unit, &output->result, &csr, &event)) {
        sim_trace(sim, "slot %zu %s: %s %s", slot, unit_state_name(unit->state),
                  unit_event_name(event.kind), event.error.text);
        if (unit->state == UNIT_EMPTY) {
            sim->came_ms[slot] = sim->now_ms;
        }
        struct pool_time now = sim_time(sim);
        pool_post_unit(sim->pool, slot, &now, &event);
    }
    watch_deadline(sim, slot);
}

static void edge_act(void *context, size_t slot, const struct unit *unit, enum unit_action action) {
    struct sim *sim = context;
    struct session_output output;
    sim_trace(sim, "slot %zu %s %s: action %d", slot, unit->info.serial,
              unit_state_name(unit->state), action);
    port_act(&sim->ports[slot], sim->now_ms, unit, action, &output);
    write_wire(sim, slot, output.write);
    watch_deadline(sim, slot);
}

// I4 and I5: a PASS is shown when the record has it and the camera holds and locked what was
// issued.
static void judge_pass(struct sim *sim, size_t index, const struct unit *unit) {
    struct sim_camera *camera = &sim->cameras[index];
    sim->passed[index] = true;
    if (sim->second_round && unit->verdict != UNIT_ALREADY && !sim->is_reworked[index]) {
        sim_fail(sim, "%s was provisioned twice", camera->serial);
    }
    if (sim->is_scrapped[index]) {
        sim_fail(sim, "PASS of %s, which was scrapped", camera->serial);
    }
    for (size_t c = 0; c < SIM_CREDENTIALS; c++) {
        if (camera->stored.credentials[c].state != CREDENTIAL_INSTALLED) {
            sim_fail(sim, "I4: PASS of %s without a certificate", camera->serial);
        }
    }
    if (camera->stored.lifecycle != LIFECYCLE_LOCKED) {
        sim_fail(sim, "I4: PASS of %s unlocked", camera->serial);
    }
    if (sim->is_bad[index] || sim->is_held[index]) {
        sim_fail(sim, "I4: PASS of %s, which a person has to decide on", camera->serial);
    }
}

// What is not held on record for it goes on where the section is put back.
static bool was_moved(const struct sim *sim, size_t index, const struct unit *unit) {
    return unit->error.code == E_CA_CHANGED && sim->place != 0 && !sim->is_held[index];
}

static bool needs_a_person(enum error_code code) {
    return code == E_UNIT_SCRAPPED || code == E_UNIT_HELD || code == E_UNIT_QUARANTINED ||
           code == E_CERT_KEY || code == E_CERT_NAMES || code == E_CERT_USAGE ||
           code == E_CERT_UNCONFIRMED || code == E_CA_CHANGED;
}

// A unit fails for what the world did to it: for good where the CA's mistake stands; else the
// operator plugs the camera in again. In a kind world nothing else fails.
static void judge_fail(struct sim *sim, size_t slot, size_t index, const struct unit *unit) {
    bool must = index < SIM_CAMERAS &&
                (unit->error.code == E_UNIT_SCRAPPED ? sim->is_scrapped[index]
                                                     : sim->is_bad[index] || sim->is_held[index]);
    if (needs_a_person(unit->error.code) && !was_moved(sim, index, unit)) {
        if (!must) {
            sim_fail(sim, "%s failed without cause: %s", unit->info.serial, unit->error.text);
            return;
        }
        sim->failed[index] = true;
        return;
    }
    if (sim->came_ms[slot] > sim->faults.end_ms + 1000) { // what was under way has arrived
        sim_fail(sim, "I7: %s failed in a kind world: %s", unit->info.serial, unit->error.text);
    }
    sim_schedule(sim, sim->now_ms + 1000 + (int64_t)sim_trouble_below(sim, 4000), SIM_REPLUG, slot,
                 sim->slots[slot].epoch, NULL, 0);
}

static void edge_report(void *context, size_t slot, const struct unit *unit) {
    struct sim *sim = context;
    size_t index = sim_find_camera(sim, unit->info.serial);
    sim_trace(sim, "slot %zu %s: %s %s", slot, unit->info.serial, unit_verdict_name(unit->verdict),
              unit->error.text);
    if (unit->verdict == UNIT_FAIL) {
        judge_fail(sim, slot, index, unit);
    } else {
        judge_pass(sim, index, unit);
    }
}

static void edge_ask_ca(void *context, enum request_action action,
                        const struct request_record *request) {
    struct sim *sim = context;
    sim_trace(sim, "ask CA %d for %s attempt %u", action, request->serial, request->attempt);
    sim_ca_ask(sim, action, request);
}

static const struct pool_edge pool_edge = {
    .act = edge_act,
    .report = edge_report,
    .ask_ca = edge_ask_ca,
};

static bool resume(void *context, const struct request_record *request) {
    struct sim *sim = context;
    struct pool_time now = sim_time(sim);
    sim_trace(sim, "resumes request of %s, state %s", request->serial,
              request_state_name(request->state));
    return pool_resume_request(sim->pool, &now, request);
}

// An engineer edits the section, or puts it back.
static void choose_place(struct sim *sim) {
    bool may = sim->faults.ca_moves && !sim->second_round && !sim_is_kind(sim);
    sim->place = may ? (unsigned)(sim->seed >> sim->starts % 8 & 1) : 0;
    sim->policies[0] = ca_policy;
    sim->policies[1] = repeating_policy;
    for (size_t i = 0; i < SIM_CREDENTIALS; i++) {
        snprintf(sim->policies[i].endpoint, sizeof sim->policies[i].endpoint, "toy %u", sim->place);
    }
    sim_trace(sim, "the section leads to CA %u", sim->place);
}

bool sim_station_start(struct sim *sim) {
    static const char *const names[SIM_CAMERAS] = {"1", "2", "3", "4", "5", "6"};
    static const struct store_session session = {"station", "operator", "test"};
    struct error error;
    sim->life++;
    sim->starts++;
    enum store_mode mode = sim->starts == 1 ? STORE_CREATE : STORE_WRITE;
    if (!store_sqlite.open(sim->store_path, mode, &session, &sim->store, &error)) {
        sim_fail(sim, "store: %s", error.text);
        return false;
    }
    choose_place(sim);
    struct pool_settings settings = {
        .slot_count = SIM_CAMERAS,
        .slot_names = names,
        .unit_policy = &unit_policy,
        .ca_policies = {&sim->policies[0], &sim->policies[1]},
        .ca_names = {"toy", "toy"},
        .seed = sim_random(sim) | 1,
    };
    sim->pool = pool_new(&settings, &pool_edge, sim);
    sim->ports = calloc(SIM_CAMERAS, sizeof *sim->ports);
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        struct session_settings port = {
            .max_payload = 512,
            .generate_timeout_ms = 60000,
            .probe_interval_ms = 500,
            .watch_interval_ms = 1000,
            .seed = sim_random(sim) | 1,
        };
        port_init(&sim->ports[i], &port, &sim_port_edge, sim);
        sim->port_tick_ms[i] = 0;
        pool_open_slot(sim->pool, i, "", "lot");
    }
    if (!store_sqlite.select_requests(sim->store, resume, sim, &error)) {
        sim_fail(sim, "store: %s", error.text);
        return false;
    }
    return true;
}

void sim_station_kill(struct sim *sim) {
    if (sim->pool == NULL) {
        return;
    }
    sim_trace(sim, "---- the station dies");
    pool_free(sim->pool);
    store_sqlite.close(sim->store);
    free(sim->ports);
    sim->pool = NULL;
    sim->store = NULL;
    sim->ports = NULL;
    sim->batch = NULL;
}

void sim_station_receive(struct sim *sim, size_t slot, struct slice bytes) {
    struct session_output output;
    session_receive(&sim->ports[slot].session, sim->now_ms, bytes, &output);
    take_output(sim, slot, &output);
}

void sim_station_tick(struct sim *sim, size_t slot) {
    struct session_output output;
    if (sim->now_ms >= session_deadline_ms(&sim->ports[slot].session)) {
        session_tick(&sim->ports[slot].session, sim->now_ms, &output);
        take_output(sim, slot, &output);
    }
}

void sim_station_hangup(struct sim *sim, size_t slot) {
    struct unit_event event = {.kind = UNIT_ON_GONE};
    struct pool_time now = sim_time(sim);
    error_set(&event.error, E_PORT_HANGUP, "unplugged");
    pool_post_unit(sim->pool, slot, &now, &event);
}

// What the journal says by now, camera by camera: the world holds it against what happens.
static void note_unit(struct sim *sim, const struct unit_record *unit) {
    size_t index = sim_find_camera(sim, unit->serial);
    sim->unit_ids[index] = unit->unit_id;
    for (size_t c = 0; c < SIM_CREDENTIALS; c++) {
        sim->credential_ids[index][c] = unit->credentials[c].credential_id;
    }
}

// Refused and held are what the CA said, and nothing else.
static void note_request(struct sim *sim, size_t index, const struct record *record) {
    const char *serial = sim->cameras[index].serial;
    if (record->kind != RECORD_REQUEST) {
        return;
    }
    if (record->request == REQUEST_REFUSED && !sim->was_refused[index]) {
        sim_fail(sim, "%s is refused on record, not by the CA", serial);
    }
    if (record->request == REQUEST_HELD) {
        sim->is_held[index] = true;
        bool was_changed = record->error == E_CA_CHANGED && sim->faults.ca_moves;
        if (!sim->could_not_tell[index] && !was_changed) {
            sim_fail(sim, "%s is held, and the CA could tell", serial);
        }
    }
}

static void note_record(struct sim *sim, const struct record *record, const struct answer *answer) {
    if (record->kind == RECORD_ADMIT) {
        note_unit(sim, &answer->unit);
    }
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        bool mine = sim->unit_ids[i] == record->unit_id;
        sim->locking[i] = sim->locking[i] || (mine && record->kind == RECORD_LOCKING);
        if (mine) {
            note_request(sim, i, record);
        }
        for (size_t c = 0; c < SIM_CREDENTIALS; c++) {
            bool begins = record->kind == RECORD_INSTALL && record->install == INSTALL_STARTED;
            sim->installing[i][c] = sim->installing[i][c] ||
                                    (begins && sim->credential_ids[i][c] == record->credential_id);
        }
    }
}

static void note_sent(struct sim *sim, const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const uint8_t *spki = batch->answers[i].request.spki_sha256;
        if (batch->records[i].kind == RECORD_SENT && batch->answers[i].code == ERROR_NONE &&
            !sim_was_sent(sim, spki) && sim->sent_count < SIM_ISSUED_MAX) {
            memcpy(sim->sent[sim->sent_count++], spki, SHA256_SIZE);
        }
    }
}

static void note_certificate(struct sim *sim, const struct record *record) {
    if (record->kind == RECORD_CERTIFICATE) {
        sim->issued[load_be64(record->certificate.serial) - 1].is_on_record = true;
    }
}

// A crash before the transaction loses it whole; one right behind it loses what should follow.
void sim_station_commit(struct sim *sim) {
    struct error error;
    bool crash = ++sim->commits == sim->crash_commits;
    bool before = crash && (sim->seed & 1) == 0;
    if (!before) {
        if (!store_sqlite.commit(sim->store, sim->batch, &error)) {
            sim_fail(sim, "commit: %s", error.text);
            return;
        }
        note_sent(sim, sim->batch);
        for (size_t i = 0; i < sim->batch->count; i++) {
            note_record(sim, &sim->batch->records[i], &sim->batch->answers[i]);
            note_certificate(sim, &sim->batch->records[i]);
            if (sim->batch->answers[i].code != ERROR_NONE) {
                sim_fail(sim, "store refused record %d: %s", sim->batch->records[i].kind,
                         sim->batch->answers[i].text);
            }
        }
    }
    if (crash) {
        sim_station_kill(sim);
        sim_schedule(sim, sim->now_ms + sim_between(sim, 10, 4000), SIM_START_STATION, 0, 0, NULL,
                     0);
        return;
    }
    sim->batch = NULL;
    struct pool_time now = sim_time(sim);
    pool_committed(sim->pool, &now);
}

void sim_station_turn(struct sim *sim) {
    struct pool_time now = sim_time(sim);
    pool_turn(sim->pool, &now);
    if (sim->batch == NULL) {
        sim->batch = pool_take_batch(sim->pool);
        if (sim->batch != NULL) {
            sim_schedule(sim, sim->now_ms + sim_between(sim, 1, 15), SIM_COMMIT, 0, sim->life, NULL,
                         0);
        }
    }
    int64_t deadline_ms = pool_deadline_ms(sim->pool);
    if (deadline_ms != INT64_MAX) {
        sim_schedule(sim, deadline_ms > sim->now_ms ? deadline_ms : sim->now_ms + 1, SIM_POOL_TICK,
                     0, sim->life, NULL, 0);
    }
}
