// SPDX-License-Identifier: Apache-2.0
// What a bench may ask for: nothing but what the forwarder's own profiles allow, whoever has taken
// the bench over. Pure, but for the CSR's check by OpenSSL.
#ifndef BIRTHCERT_APP_FORWARD_JUDGE_H
#define BIRTHCERT_APP_FORWARD_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca_outbox_message.h"
#include "station/app/config.h"
#include "station/base/error.h"

// The forwarder's profile of the name in the call, if it has the same content; else NULL and E_CONFIG
// with the first key that differs. For REVOKE the name is enough: it says which CA.
const struct profile *forward_find_profile(const struct config *config,
                                           const struct outbox_message *message,
                                           struct error *error);

// A call but CHECK, whose profile fits. False with `outcome`, and why: it goes no further. A submit
// must have been noted by the bench about now by our clock (E_CLOCK), or a later look-up would
// search the CA's lists at the wrong time.
MUST_CHECK bool forward_judge(const struct outbox_message *message, const struct profile *profile,
                              int64_t now_ms, enum ca_outcome *outcome, struct error *error);

#endif
