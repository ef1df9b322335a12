// SPDX-License-Identifier: Apache-2.0
// Runs the camera-sim that was built beside the test, and talks to its cameras as a station does.
#ifndef BIRTHCERT_TESTS_SUPPORT_CAMERA_SIM_H
#define BIRTHCERT_TESTS_SUPPORT_CAMERA_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/session.h"

struct camera_sim {
    char folder[64]; // ports in FOLDER/p, state in FOLDER/s
    bool is_unix;
    pid_t process;
};

// The folders, for what has to be there before the start, which makes them else.
void camera_sim_make_folder(struct camera_sim *sim);

// `arguments` ends with NULL and is added to --dir and --state. Waits until it is ready.
void camera_sim_start(struct camera_sim *sim, const char *const arguments[]);
void camera_sim_stop(struct camera_sim *sim); // SIGTERM; it must end with 0
void camera_sim_kill(struct camera_sim *sim); // SIGKILL
void camera_sim_remove(struct camera_sim *sim);

// Runs it to its end with these arguments only; its exit status, and the start of its output.
int camera_sim_run(const char *const arguments[], char *out, size_t capacity);
void camera_sim_dump(const struct camera_sim *sim, char *out, size_t capacity);

struct camera_line {
    const struct camera_sim *sim;
    uint32_t index;
    int descriptor; // -1: closed
    bool hung_up;
    size_t received; // bytes, in all
    struct session session;
    struct session_output output;
};

// A line on a descriptor that is open already; camera_line_close closes it.
void camera_line_take(struct camera_line *line, const struct camera_sim *sim, int descriptor);

// Opens the port of a camera, again after a hang-up; waits for it to come up.
void camera_line_open(struct camera_line *line, const struct camera_sim *sim, uint32_t index);
void camera_line_reopen(struct camera_line *line);
void camera_line_close(struct camera_line *line);

// The order's result; NULL where the line hung up (line->hung_up) or `patience_ms` ended.
const struct session_result *camera_line_do(struct camera_line *line,
                                            const struct session_order *order, int64_t patience_ms);

#endif
