// SPDX-License-Identifier: Apache-2.0
// What the files of the unit share: steps (unit_steps.c), planning (unit_plan.c), the table.
#ifndef BIRTHCERT_CORE_UNIT_INTERNAL_H
#define BIRTHCERT_CORE_UNIT_INTERNAL_H

#include "station/core/unit.h"

// Performs one cell of the table and returns the next state, one of those that the cell names.
typedef enum unit_state unit_handler(struct unit *unit, const struct unit_event *event,
                                     struct unit_output *output);

// unit_output.c: what steps say.
struct record *unit_put_record(const struct unit *unit, const struct unit_event *event,
                               struct unit_output *output, enum record_kind kind);
struct credential_record *unit_current(struct unit *unit);
const struct message_credential *unit_find_camera_credential(const struct message_info *info,
                                                             uint8_t number);

// Ends in UNIT_RECORDING, or in UNIT_DONE where there is no unit on record to write to.
enum unit_state unit_fail(struct unit *unit, const struct unit_event *event,
                          struct unit_output *output, const struct error *error);
enum unit_state unit_fail_text(struct unit *unit, const struct unit_event *event,
                               struct unit_output *output, enum error_code code, const char *format,
                               ...) PRINTF_LIKE(5, 6);

// unit_plan.c: compares camera and record and starts the next step.
enum unit_state unit_plan(struct unit *unit, const struct unit_event *event,
                          struct unit_output *output);
// The record, as far as it goes, is about this camera. E_UNIT_*, E_CAM_*.
bool unit_check_camera(const struct unit *unit, struct error *error);

// unit_steps.c
unit_handler unit_on_found, unit_on_left, unit_on_left_midway, unit_on_admitted, unit_on_key,
    unit_on_csr, unit_on_issued, unit_on_issued_early, unit_on_unavailable, unit_on_certificate,
    unit_on_confirmed, unit_on_installed, unit_on_read_back, unit_on_proof, unit_on_finished,
    unit_on_stored, unit_on_refused, unit_on_failed, unit_on_failed_early, unit_on_refused_early,
    unit_on_failed_done, unit_on_conflict, unit_on_conflict_recording;

#endif
