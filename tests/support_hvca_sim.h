// SPDX-License-Identifier: Apache-2.0
// Starts hvca-sim, which stands beside the folder of the test program, and talks to its control
// port. What cannot be started ends the test program with a message.
#ifndef BIRTHCERT_TESTS_SUPPORT_HVCA_SIM_H
#define BIRTHCERT_TESTS_SUPPORT_HVCA_SIM_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "ca-client/ca.h"

#define SIM_PATH_SIZE 128
#define SIM_OPTIONS_MAX 16

// Which simulator: its name, where its API begins, and the files of its state that a station needs.
struct sim_kind {
    const char *program;
    const char *path;
    const char *files[6];
};

struct hvca_sim {
    const struct sim_kind *kind;
    char folder[64]; // its state; removed by hvca_sim_stop
    pid_t pid;
    unsigned port;
    unsigned control_port;
    char url[64];
    char files[6][SIM_PATH_SIZE];
};

// `options` ends with NULL, and may be NULL.
void hvca_sim_start(struct hvca_sim *sim, const char *const options[]);
// Another simulator than hvca-sim; all else is the same.
void sim_start_kind(struct hvca_sim *sim, const struct sim_kind *kind, const char *const options[]);
// Ends the process; the state and the port stay.
void hvca_sim_kill(struct hvca_sim *sim);
// The same port and state again.
void hvca_sim_restart(struct hvca_sim *sim, const char *const options[]);
void hvca_sim_stop(struct hvca_sim *sim);

// What a station is configured with; the strings live in `sim`.
struct ca_settings hvca_sim_settings(struct hvca_sim *sim);

// POST /control with that JSON.
void hvca_sim_control(const struct hvca_sim *sim, const char *json);
// A number out of GET /control: "issued", "revoked", "quota", "requests.login", "requests.post",
// ...
int64_t hvca_sim_count(const struct hvca_sim *sim, const char *name);

#endif
