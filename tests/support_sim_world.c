// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_sim.h"

#define STEPS_MAX 2000000
#define KIND_MS 900000 // after the faults end, everything must finish within this

uint64_t sim_random(struct sim *sim) {
    return policy_random(&sim->random);
}

bool sim_chance(struct sim *sim, unsigned percent) {
    return sim_random(sim) % 100 < percent;
}

int64_t sim_between(struct sim *sim, int64_t low, int64_t high) {
    return low + (int64_t)(sim_random(sim) % (uint64_t)(high - low + 1));
}

// A stream of its own: a seed without this trouble is what it was before there was any.
uint64_t sim_trouble_below(struct sim *sim, uint64_t limit) {
    return (policy_random(&sim->trouble) >> 32) % limit;
}

bool sim_trouble(struct sim *sim, unsigned percent) {
    return percent > 0 && sim_trouble_below(sim, 100) < percent;
}

bool sim_is_kind(const struct sim *sim) {
    return sim->now_ms >= sim->faults.end_ms;
}

size_t sim_find_camera(const struct sim *sim, const char *serial) {
    size_t index = 0;
    while (index < SIM_CAMERAS && strcmp(sim->cameras[index].serial, serial) != 0) {
        index++;
    }
    return index;
}

// Four lanes of a multiply-and-rotate mix: no cryptography, but nothing collides in a toy world.
void sim_hash(struct slice data, uint8_t out[SHA256_SIZE]) {
    for (uint64_t lane = 0; lane < 4; lane++) {
        uint64_t hash = 0x9E3779B97F4A7C15ULL * (lane + 1) ^ data.length;
        for (size_t i = 0; i < data.length; i++) {
            hash = (hash ^ data.data[i]) * 0x100000001B3ULL;
            hash ^= hash >> 29;
        }
        store_be64(out + 8 * lane, hash * 0xBF58476D1CE4E5B9ULL);
    }
}

void sim_fail(struct sim *sim, const char *format, ...) {
    va_list arguments;
    if (sim->failure[0] != '\0') {
        return;
    }
    va_start(arguments, format);
    vsnprintf(sim->failure, sizeof sim->failure, format, arguments);
    va_end(arguments);
}

void sim_trace(struct sim *sim, const char *format, ...) {
    va_list arguments;
    if (!sim->trace) {
        return;
    }
    printf("%8.3f ", (double)sim->now_ms / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

// ---- the queue: a binary heap by time, then by order of scheduling ------------------------------

static bool is_before(const struct sim_event *a, const struct sim_event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap_events(struct sim *sim, size_t a, size_t b) {
    struct sim_event event = sim->heap[a];
    sim->heap[a] = sim->heap[b];
    sim->heap[b] = event;
}

void sim_schedule(struct sim *sim, int64_t at_ms, enum sim_event_kind kind, size_t index,
                  uint64_t epoch, const void *data, size_t length) {
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity * 2 + 64;
        sim->heap = realloc(sim->heap, sim->heap_capacity * sizeof *sim->heap);
        if (sim->heap == NULL) {
            abort();
        }
    }
    struct sim_event event = {
        .at_ms = at_ms, .order = sim->order++, .kind = kind, .index = index, .epoch = epoch};
    if (length > 0) {
        event.data = malloc(length);
        event.length = length;
        if (event.data == NULL) {
            abort();
        }
        memcpy(event.data, data, length);
    }
    size_t child = sim->heap_count++;
    sim->heap[child] = event;
    while (child > 0 && is_before(&sim->heap[child], &sim->heap[(child - 1) / 2])) {
        swap_events(sim, child, (child - 1) / 2);
        child = (child - 1) / 2;
    }
}

static struct sim_event take_event(struct sim *sim) {
    struct sim_event first = sim->heap[0];
    sim->heap[0] = sim->heap[--sim->heap_count];
    for (size_t parent = 0;;) {
        size_t child = 2 * parent + 1;
        if (child >= sim->heap_count) {
            break;
        }
        if (child + 1 < sim->heap_count && is_before(&sim->heap[child + 1], &sim->heap[child])) {
            child++;
        }
        if (!is_before(&sim->heap[child], &sim->heap[parent])) {
            break;
        }
        swap_events(sim, child, parent);
        parent = child;
    }
    return first;
}

// ---- mischief -----------------------------------------------------------------------------------

static void plug(struct sim *sim, size_t slot, size_t camera, bool visible, bool powers) {
    sim->slots[slot].camera = camera;
    sim->slots[slot].epoch++;
    if (camera < SIM_CAMERAS && powers && sim->cameras[camera].powered) {
        sim_camera_power_on(&sim->cameras[camera]);
    }
    if (visible && sim->pool != NULL) {
        sim_station_hangup(sim, slot);
    }
}

// Two cameras change places; on some benches the station is told, on others it has to notice.
static void swap_cameras(struct sim *sim) {
    size_t a = (size_t)sim_between(sim, 0, SIM_CAMERAS - 1);
    size_t b = (size_t)sim_between(sim, 0, SIM_CAMERAS - 1);
    bool visible = sim_chance(sim, 50);
    bool powers = sim_chance(sim, 50);
    size_t camera = sim->slots[a].camera;
    sim_trace(sim, "-- slots %zu and %zu swapped, %s", a, b, visible ? "visibly" : "in silence");
    plug(sim, a, sim->slots[b].camera, visible, powers);
    plug(sim, b, camera, visible, powers);
}

static void make_mischief(struct sim *sim) {
    struct sim_faults *faults = &sim->faults;
    if (sim->now_ms >= faults->end_ms) {
        return;
    }
    switch (sim_random(sim) % 4) {
    case 0:
        swap_cameras(sim);
        break;
    case 1:
        sim->cameras[sim_random(sim) % SIM_CAMERAS].cut_in = sim_between(sim, 1, 12);
        break;
    case 2:
        sim->ca_down_until_ms = sim->now_ms + sim_between(sim, 100, 10000);
        break;
    default:
        if (sim->pool != NULL) {
            sim_station_kill(sim);
            sim_schedule(sim, sim->now_ms + sim_between(sim, 10, 4000), SIM_START_STATION, 0, 0,
                         NULL, 0);
        }
        break;
    }
    sim_schedule(sim, sim->now_ms + sim_between(sim, 1, 2 * faults->mischief_ms), SIM_MISCHIEF, 0,
                 0, NULL, 0);
}

// Each kind in a part of the seeds, so that most of them stay rare together.
static void choose_trouble(struct sim *sim) {
    struct sim_faults *faults = &sim->faults;
    sim->trouble = (sim->seed ^ 0xD1B54A32D192ED03ULL) * 0x9E3779B97F4A7C15ULL | 1;
    if (sim_trouble(sim, 15)) {
        faults->ca_refuses = 1 + (unsigned)sim_trouble_below(sim, 40);
    }
    if (sim_trouble(sim, 15)) {
        faults->ca_bad = 1 + (unsigned)sim_trouble_below(sim, 25);
    }
    if (sim_trouble(sim, 15)) {
        faults->ca_mixes_up = 1 + (unsigned)sim_trouble_below(sim, 80);
    }
    if (sim_trouble(sim, 15)) {
        faults->ca_cannot_tell = 1 + (unsigned)sim_trouble_below(sim, 50);
    }
    faults->ca_confirms = sim_trouble(sim, 40);
    faults->ca_forgets = sim_trouble(sim, 50);
    if (sim_trouble(sim, 25)) {
        faults->ca_drops = 1 + (unsigned)sim_trouble_below(sim, 40);
    }
    if (sim_trouble(sim, 20)) {
        faults->hostile = 1 + (unsigned)sim_trouble_below(sim, 50);
        faults->hostile_camera = (size_t)sim_trouble_below(sim, SIM_CAMERAS);
    }
}

static void put_back(struct sim *sim) {
    if (sim->place != 0 && sim->pool != NULL) {
        sim_station_kill(sim);
        sim_station_start(sim);
    }
}

// The operator takes a camera that failed out and puts it in again, whatever happened to the slot
// meanwhile: what counts is the word that stands there now.
static void replug(struct sim *sim, const struct sim_event *event) {
    const struct sim_slot *slot = &sim->slots[event->index];
    if (sim->pool == NULL) {
        return;
    }
    const struct unit *unit = pool_unit(sim->pool, event->index);
    if (unit->state == UNIT_DONE && unit->verdict == UNIT_FAIL) {
        sim_trace(sim, "-- slot %zu is plugged again", event->index);
        plug(sim, event->index, slot->camera, true, true);
    }
}

static void choose_faults(struct sim *sim) {
    struct sim_faults *faults = &sim->faults;
    faults->loss = (unsigned)sim_between(sim, 0, 1) * (unsigned)sim_between(sim, 0, 25);
    faults->garble = (unsigned)sim_between(sim, 0, 1) * (unsigned)sim_between(sim, 0, 15);
    faults->duplicate = (unsigned)sim_between(sim, 0, 20);
    faults->ca_lost_before = (unsigned)sim_between(sim, 0, 1) * (unsigned)sim_between(sim, 0, 40);
    faults->ca_lost_after = (unsigned)sim_between(sim, 0, 1) * (unsigned)sim_between(sim, 0, 40);
    faults->ca_busy = (unsigned)sim_between(sim, 0, 30);
    faults->ca_pending = (unsigned)sim_between(sim, 0, 100);
    faults->ca_lag_ms = sim_between(sim, 0, 2500);
    faults->mischief_ms = sim_chance(sim, 70) ? sim_between(sim, 500, 8000) : 0;
    faults->end_ms = sim_between(sim, 2000, 60000);
    sim->crash_commits = (uint64_t)sim_between(sim, 1, 80);
}

// ---- the run ------------------------------------------------------------------------------------

static void deliver(struct sim *sim, struct sim_event *event, bool to_camera) {
    struct sim_slot *slot = &sim->slots[event->index];
    if (event->epoch != slot->epoch || slot->camera == SIM_CAMERAS) {
        return; // on its way when the cable was pulled
    }
    bool kind = sim->now_ms >= sim->faults.end_ms;
    if (!kind && !to_camera && sim_chance(sim, sim->faults.loss)) {
        return;
    }
    if (!kind && sim_chance(sim, sim->faults.garble)) {
        ((uint8_t *)event->data)[sim_random(sim) % event->length] ^= (uint8_t)sim_random(sim);
    }
    struct slice bytes = {event->data, event->length};
    if (to_camera) {
        sim_camera_receive(&sim->cameras[slot->camera], bytes);
    } else if (sim->pool != NULL) {
        sim_station_receive(sim, event->index, bytes);
    }
}

static void handle_event(struct sim *sim, struct sim_event *event) {
    struct sim_camera *camera = &sim->cameras[event->index];
    bool mine = sim->pool != NULL && event->epoch == sim->life;
    switch (event->kind) {
    case SIM_TO_CAMERA:
    case SIM_TO_STATION:
        deliver(sim, event, event->kind == SIM_TO_CAMERA);
        break;
    case SIM_CAMERA_POLL:
        if (camera->poll_at_ms == sim->now_ms) {
            sim_camera_poll(camera);
        }
        break;
    case SIM_CAMERA_POWER:
        sim_camera_power_on(camera);
        break;
    case SIM_PORT_TICK:
        if (mine) {
            sim_station_tick(sim, event->index);
        }
        break;
    case SIM_COMMIT:
        if (mine && sim->batch != NULL) {
            sim_station_commit(sim);
        }
        break;
    case SIM_CA_ARRIVAL:
        sim_ca_arrival(sim, event);
        break;
    case SIM_CA_ANSWER:
        sim_ca_answer(sim, event);
        break;
    case SIM_MISCHIEF:
        make_mischief(sim);
        break;
    case SIM_REPLUG:
        replug(sim, event);
        break;
    case SIM_START_STATION:
        sim_station_start(sim);
        break;
    case SIM_PUT_BACK:
        put_back(sim);
        break;
    case SIM_POOL_TICK:
        break; // the turn that follows each event does it
    }
}

static bool all_finished(const struct sim *sim) {
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        if (!sim->passed[i] && !sim->failed[i]) {
            return false;
        }
    }
    return true;
}

static void run_until_finished(struct sim *sim) {
    while (sim->failure[0] == '\0' && sim->heap_count > 0 && !all_finished(sim)) {
        struct sim_event event = take_event(sim);
        sim->now_ms = event.at_ms;
        handle_event(sim, &event);
        free(event.data); // NOLINT(clang-analyzer-unix.Malloc): the heap holds each event once
        if (sim->pool != NULL) {
            sim_station_turn(sim);
        }
        if (sim->now_ms > sim->faults.end_ms + KIND_MS || ++sim->steps > STEPS_MAX) {
            sim_fail(sim, "I7: the units did not finish within %d s of a kind world (%llu steps)",
                     KIND_MS / 1000, (unsigned long long)sim->steps);
        }
    }
}

// The same cameras once more: each is known, and nothing is spent but for a new board. The world is
// kind, or it is as it was.
static void run_second_round(struct sim *sim) {
    sim->second_round = true;
    memset(sim->passed, 0, sizeof sim->passed);
    memset(sim->failed, 0, sizeof sim->failed);
    sim->faults.end_ms = sim->now_ms;
    sim->crash_commits = 0;
    sim_station_kill(sim);
    if (sim_trouble(sim, 60)) {
        sim_officer_work(sim);
    }
    if (sim_trouble(sim, 60)) {
        sim->faults.end_ms += (int64_t)sim_trouble_below(sim, 20000);
        sim->crash_commits = sim->commits + sim_trouble_below(sim, 30);
    }
    if (sim->failure[0] == '\0' && sim_station_start(sim)) {
        sim_station_turn(sim);
        run_until_finished(sim);
    }
}

// Returns how many certificates the camera was given.
static size_t check_camera(struct sim *sim, size_t index) {
    const struct sim_camera *camera = &sim->cameras[index];
    bool must_fail = sim->is_bad[index] || sim->is_held[index] || sim->is_scrapped[index];
    size_t given = 0;
    if (sim->passed[index] == must_fail || sim->failed[index] != must_fail) {
        sim_fail(sim, "%s %s", camera->serial, must_fail ? "had to fail" : "had to pass");
    }
    for (size_t c = 0; c < SIM_CREDENTIALS; c++) {
        uint8_t spki[SHA256_SIZE];
        sim_hash((struct slice){camera->keys[c], SIM_KEY_SIZE}, spki);
        size_t count = sim_ca_count(sim, spki);
        if (count > 1 || (count == 0 && !must_fail)) {
            sim_fail(sim, "I1: %s holds a key with %zu certificates", camera->serial, count);
        }
        given += count;
    }
    if (must_fail && !sim->is_scrapped[index] && camera->stored.lifecycle == LIFECYCLE_LOCKED) {
        sim_fail(sim, "%s failed, and is locked", camera->serial);
    }
    return given;
}

// Every camera that passed has exactly one certificate per credential, and holds just that one; who
// had to fail has at most one; and the CA gave no others, but for those of old boards.
static void check_end(struct sim *sim) {
    size_t given = sim->retired;
    if (!all_finished(sim)) {
        sim_fail(sim, "I7: nothing is left to happen, and units are not finished");
    }
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        given += check_camera(sim, i);
    }
    if (sim->issued_count != given) {
        sim_fail(sim, "I1: %zu certificates, %zu of them for the cameras' keys", sim->issued_count,
                 given);
    }
}

bool sim_run(struct sim *sim, uint64_t seed, const char *folder, bool trace) {
    struct error error;
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->random = seed * 0x9E3779B97F4A7C15ULL | 1;
    sim->trace = trace;
    snprintf(sim->store_path, sizeof sim->store_path, "%s/%llu.db", folder,
             (unsigned long long)seed);
    choose_faults(sim);
    choose_trouble(sim);
    sim->faults.ca_moves = seed % 5 == 2;
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        sim_camera_init(sim, i);
        sim->slots[i].camera = i;
    }
    if (sim_station_start(sim)) {
        if (sim->faults.mischief_ms > 0) {
            sim_schedule(sim, sim->faults.mischief_ms, SIM_MISCHIEF, 0, 0, NULL, 0);
        }
        sim_schedule(sim, sim->faults.end_ms, SIM_PUT_BACK, 0, 0, NULL, 0);
        sim_station_turn(sim);
        run_until_finished(sim);
        run_second_round(sim);
        check_end(sim);
        if (sim->store != NULL && !store_sqlite.check(sim->store, &error)) {
            sim_fail(sim, "the store's own check: %s", error.text);
        }
    }
    sim_station_kill(sim);
    while (sim->heap_count > 0) {
        free(take_event(sim).data); // NOLINT(clang-analyzer-unix.Malloc): as above
    }
    free(sim->heap);
    return sim->failure[0] == '\0';
}
