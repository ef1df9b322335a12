// SPDX-License-Identifier: Apache-2.0
// A simulated factory on one clock: cameras (the real protocol/device with toy keys) on wires that
// lose and garble, one of them perhaps hostile; a CA that loses answers, refuses, mixes up and
// issues what must not be installed; a station (the real pool, ports and store) that is killed and
// started again, perhaps with a section that leads to another CA; an operator who plugs in again what failed; and an officer who scraps a camera and has
// another one's board exchanged. Everything that happens follows from one seed.
#ifndef BIRTHCERT_TESTS_SUPPORT_SIM_H
#define BIRTHCERT_TESTS_SUPPORT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"
#include "protocol/device.h"
#include "station/core/pool.h"
#include "station/core/port.h"

#define SIM_CAMERAS 6
#define SIM_CREDENTIALS 2
#define SIM_ISSUED_MAX 64
#define SIM_KEY_SIZE 32
#define SIM_WALL_MS INT64_C(1767225600000) // 2026-01-01: where the simulated wall clock begins

enum sim_event_kind {
    SIM_TO_CAMERA,
    SIM_TO_STATION,
    SIM_CAMERA_POLL,
    SIM_CAMERA_POWER,
    SIM_PORT_TICK,
    SIM_POOL_TICK,
    SIM_COMMIT,
    SIM_CA_ARRIVAL,
    SIM_CA_ANSWER,
    SIM_MISCHIEF,
    SIM_REPLUG,
    SIM_START_STATION,
    SIM_PUT_BACK, // the section leads to the first CA again
};

struct sim_event {
    int64_t at_ms;
    uint64_t order;
    enum sim_event_kind kind;
    size_t index;   // slot or camera
    uint64_t epoch; // of the slot's plugging or of the station's life: stale ones are dropped
    void *data;     // owned
    size_t length;
};

struct sim_camera {
    struct sim *sim;
    size_t index;
    char serial[32];
    struct device_config config;
    struct device device;
    bool powered;
    int64_t cut_in; // callbacks until the power goes; -1: not planned
    int64_t poll_at_ms;
    // What survives a power cut.
    struct device_state stored;
    uint8_t keys[SIM_CREDENTIALS][SIM_KEY_SIZE];
    uint8_t chains[SIM_CREDENTIALS][OBJECT_MAX];
    // A key that is being made.
    uint8_t new_key[SIM_KEY_SIZE];
    int64_t key_ready_ms;
};

struct sim_slot {
    size_t camera;        // SIM_CAMERAS: nobody
    uint64_t epoch;       // counts pluggings
    int64_t to_camera_ms; // wires keep the order
    int64_t to_station_ms;
};

struct sim_issued {
    uint8_t spki_sha256[SHA256_SIZE]; // of the request
    bool is_bad;                      // must not be installed
    unsigned place;                   // by which CA
    unsigned mixed_up;                // how often another one was given in its place
    bool is_on_record;                // durable, live or quarantined
    bool is_confirmed;                // the CA was told so
    bool is_dropped;                  // the CA would not hear of it
    bool is_revoked;
    int64_t at_ms;
    size_t chain_length;
    uint8_t chain[1024];
    char handle[HANDLE_SIZE];
};

// Percentages, but for the times.
struct sim_faults {
    unsigned loss;
    unsigned garble;
    unsigned duplicate;
    unsigned ca_lost_before; // the request is lost on its way
    unsigned ca_lost_after;  // the answer is lost
    unsigned ca_busy;
    unsigned ca_pending;
    int64_t ca_lag_ms; // of the list that reconcile reads
    unsigned ca_refuses;
    unsigned ca_bad;         // issues what must not be installed
    unsigned ca_mixes_up;    // gives another camera's certificate when it is fetched
    unsigned ca_cannot_tell; // when it is asked what it issued
    bool ca_confirms;  // waits to hear of each certificate, and drops what it hears nothing of
    bool ca_forgets;   // refuses to hear of one twice
    unsigned ca_drops; // refuses to hear of one at all
    bool ca_moves;     // a start may find a section that leads to a second CA
    unsigned hostile;  // of one camera's answers: an error that it invents
    size_t hostile_camera;
    int64_t mischief_ms; // mean time between swaps, cuts and crashes; 0: none
    int64_t end_ms;      // after this the world is kind
    bool crash_at_commits;
};

struct sim {
    uint64_t seed;
    uint64_t random;
    uint64_t trouble; // randomness of the CA's mistakes, the hostile camera and the operator
    bool trace;
    int64_t now_ms;
    uint64_t order;
    struct sim_event *heap;
    size_t heap_count;
    size_t heap_capacity;
    uint64_t steps;

    struct sim_faults faults;
    struct sim_camera cameras[SIM_CAMERAS];
    struct sim_slot slots[SIM_CAMERAS];

    struct sim_issued issued[SIM_ISSUED_MAX];
    size_t issued_count;
    int64_t ca_down_until_ms;
    unsigned place; // to which CA the section leads; after the faults to the first
    struct ca_policy policies[SIM_CREDENTIALS];

    char store_path[64];
    struct store *store;
    struct pool *pool;
    struct batch *batch; // with the store
    uint64_t life;       // counts starts of the station
    struct port *ports;
    int64_t port_tick_ms[SIM_CAMERAS];
    uint64_t crash_commits; // crash at this commit, counted over all lives
    uint64_t commits;
    uint8_t sent[SIM_ISSUED_MAX][SHA256_SIZE]; // intents that became durable
    size_t sent_count;
    size_t starts;
    bool second_round; // all have passed: now they are only looked at again
    bool passed[SIM_CAMERAS];
    // What must fail, and the causes that the world knows of.
    bool failed[SIM_CAMERAS];  // as it had to
    bool is_bad[SIM_CAMERAS];  // the CA issued what must not be installed
    bool is_held[SIM_CAMERAS]; // durable: the CA cannot tell
    bool was_refused[SIM_CAMERAS];
    bool could_not_tell[SIM_CAMERAS];
    // What the officer did, and how many certificates old boards hold.
    bool is_scrapped[SIM_CAMERAS];
    bool is_reworked[SIM_CAMERAS];
    size_t retired;
    int64_t came_ms[SIM_CAMERAS]; // slot by slot: when the unit in it was identified
    int64_t unit_ids[SIM_CAMERAS];
    int64_t credential_ids[SIM_CAMERAS][SIM_CREDENTIALS];
    bool installing[SIM_CAMERAS][SIM_CREDENTIALS]; // durable: the install was begun
    bool locking[SIM_CAMERAS];                     // durable: the lock was begun
    char failure[512];                             // what broke an invariant first
};

// Runs one seed to its end. False: an invariant broke or the units did not finish; sim->failure
// says what. `folder` is where the database goes.
bool sim_run(struct sim *sim, uint64_t seed, const char *folder, bool trace);

// support_sim_world.c
uint64_t sim_random(struct sim *sim);
bool sim_chance(struct sim *sim, unsigned percent);
int64_t sim_between(struct sim *sim, int64_t low, int64_t high);
void sim_schedule(struct sim *sim, int64_t at_ms, enum sim_event_kind kind, size_t index,
                  uint64_t epoch, const void *data, size_t length);
bool sim_trouble(struct sim *sim, unsigned percent);
uint64_t sim_trouble_below(struct sim *sim, uint64_t limit);
bool sim_is_kind(const struct sim *sim);
// The camera with that serial; SIM_CAMERAS where there is none.
size_t sim_find_camera(const struct sim *sim, const char *serial);
void sim_fail(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_trace(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_hash(struct slice data, uint8_t out[SHA256_SIZE]);

// support_sim_camera.c: toy keys, CSRs and certificates, and the device's callbacks.
void sim_camera_init(struct sim *sim, size_t index);
// The same label on another board: no key, another hardware id.
void sim_camera_new_board(struct sim *sim, size_t index);
void sim_camera_power_on(struct sim_camera *camera);
void sim_camera_receive(struct sim_camera *camera, struct slice bytes);
void sim_camera_poll(struct sim_camera *camera);
size_t sim_make_chain(uint8_t *out, const uint8_t spki[SHA256_SIZE], const char *serial,
                      uint64_t number);
// The facts of a chain, as far as a toy has them.
const uint8_t *sim_chain_spki(struct slice chain);
uint64_t sim_chain_number(struct slice chain);
bool sim_chain_names(struct slice chain, const char *serial);
extern const struct port_edge sim_port_edge;

// support_sim_hostile.c: what a hostile camera says instead; false: the truth, this time.
bool sim_hostile_answer(struct sim_camera *camera, struct slice *bytes);

// support_sim_officer.c: while no station runs, between the two rounds.
void sim_officer_work(struct sim *sim);

// support_sim_ca.c
void sim_ca_ask(struct sim *sim, enum request_action action, const struct request_record *request);
void sim_ca_arrival(struct sim *sim, const struct sim_event *event);
void sim_ca_answer(struct sim *sim, const struct sim_event *event);
bool sim_was_sent(const struct sim *sim, const uint8_t spki[SHA256_SIZE]);
size_t sim_ca_count(const struct sim *sim, const uint8_t spki[SHA256_SIZE]);

// support_sim_station.c
bool sim_station_start(struct sim *sim);
void sim_station_kill(struct sim *sim);
void sim_station_receive(struct sim *sim, size_t slot, struct slice bytes);
void sim_station_tick(struct sim *sim, size_t slot);
void sim_station_hangup(struct sim *sim, size_t slot);
void sim_station_commit(struct sim *sim);
void sim_station_turn(struct sim *sim);
struct pool_time sim_time(const struct sim *sim);

#endif
