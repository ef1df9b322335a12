// SPDX-License-Identifier: Apache-2.0
// A certificate without a camera, to try a CA with. It goes the ordinary way, through the record and
// the outbox, so that whatever happens it is known, and can be revoked.
#ifndef BIRTHCERT_APP_TRIAL_H
#define BIRTHCERT_APP_TRIAL_H

#include <stdbool.h>

#include "db/store.h"
#include "station/app/config.h"
#include "station/app/output.h"
#include "station/base/error.h"

// What a trial's serial begins with. Its unit is closed for good, so no camera may come with it.
#define TRIAL_SERIAL_PREFIX "TRIAL-"

// E_USAGE where that is no serial for a trial.
MUST_CHECK bool trial_check_serial(const char *serial, struct error *error);
// One with the time, that no other trial has, even in the same second.
MUST_CHECK bool trial_make_serial(char serial[SERIAL_SIZE], struct error *error);

// Asks the CA for one certificate, for the first of the profiles in `view` (config_view of that CA),
// under that serial, which no unit may have; `row` is what came of it, and `why` what stood in the
// way, if anything (ERROR_NONE; E_INTERRUPTED: a signal). `may_be_surplus` says that the request was sent again after a lost
// answer, or will be, and that nobody knows what the first one made. It ends early where waiting is
// no use, and tells `output` after a few seconds that it waits. False where it could not be recorded: E_STORE_*, E_USAGE, E_CONFIG. Nothing else in the
// outbox is sent.
MUST_CHECK bool trial_issue(const struct config *view, const char *serial, struct output *output,
                            struct store_row *row, struct error *why, bool *may_be_surplus,
                            struct error *error);

#endif
