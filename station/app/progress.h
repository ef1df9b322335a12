// SPDX-License-Identifier: Apache-2.0
// What `run` and `tray` say of the bench while they work: verdicts, port errors, the status line.
#ifndef BIRTHCERT_APP_PROGRESS_H
#define BIRTHCERT_APP_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/app/config.h"
#include "station/app/output.h"
#include "station/app/station.h"

struct progress {
    const struct config *config;
    int64_t start_ms;                   // monotonic
    bool used[CONFIG_SLOTS_MAX];        // set by the caller: the slots that count
    int64_t found_ms[CONFIG_SLOTS_MAX]; // when the slot's camera was found; 0: none
    bool private_noted;
};

void progress_init(struct progress *status, const struct config *config);
void progress_verdict(struct progress *status, struct output *output, size_t slot,
                      const struct unit *unit);
void progress_port_error(const struct progress *status, struct output *output, size_t slot,
                         const struct error *error);

// Notes which cameras came and redraws the status line.
void progress_tick(struct progress *status, struct output *output, const struct station *station);

// A certificate of the embedded CA is worth nothing outside a trial: every run says so.
void progress_warn_private_ca(struct output *output, const struct station *station);
// The same of a CA behind a forwarder, which tells only when it answers.
void progress_ca_report(struct progress *status, struct output *output,
                        const struct ca_report *report);

#endif
