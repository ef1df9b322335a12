// SPDX-License-Identifier: Apache-2.0
// The checks of `birthcert doctor`. Each reports one line or more; none stops at a fault, so that
// one call tells all that is wrong.
#ifndef BIRTHCERT_APP_DOCTOR_H
#define BIRTHCERT_APP_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/app/config.h"
#include "station/app/output.h"
#include "station/base/error.h"

struct doctor {
    struct output *output;
    const struct config *config;
    bool station_runs; // it holds the database and the ports
    bool pin_refused;  // by a token: nothing tries one again, for a few wrong ones lock it
    bool knows_ca_clock;
    int64_t ca_clock_offset_ms; // the worst of all CAs
    size_t warning_count;
    size_t fault_count;
    enum exit_status status; // of the worst fault
};

// `subject` is what was checked ("database", "slot 3"). The formatted text may hold anything: it is
// escaped.
void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...)
    PRINTF_LIKE(3, 4);
// The same with one text that is escaped already.
void doctor_ok_text(struct doctor *doctor, const char *subject, const char *text);
void doctor_warn(struct doctor *doctor, const char *subject, const char *remedy, const char *format,
                 ...) PRINTF_LIKE(4, 5);
void doctor_warn_error(struct doctor *doctor, const char *subject, const struct error *error);
void doctor_fault(struct doctor *doctor, const char *subject, const struct error *error);

// What is too little, too late or too wrong.
enum output_level doctor_judge_disk(uint64_t free_bytes);
enum output_level doctor_judge_clock(int64_t offset_ms);
enum output_level doctor_judge_quota(int64_t certificates);
enum output_level doctor_judge_end(int64_t not_after_ms, int64_t now_ms);

void doctor_check_store(struct doctor *doctor); // also finds out whether a station runs
void doctor_check_disk(struct doctor *doctor);
void doctor_check_slots(struct doctor *doctor); // after the store
void doctor_check_cas(struct doctor *doctor);   // those that a profile names, with their secrets
// One of them; where no profile names it, with every profile.
void doctor_check_ca(struct doctor *doctor, const struct config_ca *ca);
void doctor_check_clock(struct doctor *doctor); // after the CAs, which know the time too

#endif
