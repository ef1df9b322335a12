// SPDX-License-Identifier: Apache-2.0
// The forwarder: takes the calls of benches (ca-client/docs/outbox.md) and passes them to the CAs of its
// configuration. It holds the CAs' credentials and nothing else: no database, no cameras.
#ifndef BIRTHCERT_APP_FORWARD_H
#define BIRTHCERT_APP_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "station/app/config.h"
#include "station/app/output.h"
#include "station/base/error.h"
#include "station/io/loop.h"

struct forward;

// Opens the CAs that profiles name, and listens. All arguments must outlive it. E_CONFIG, E_CA_*,
// E_SECRET_*, E_EXISTS, E_FORWARD_RUNS.
MUST_CHECK bool forward_new(struct loop *loop, const struct config *config, struct output *output,
                            struct forward **forward, struct error *error);
void forward_free(struct forward *forward); // takes NULL

// Takes nothing new, ends what is in progress within 30 s, then stops the loop. Called once more,
// it stops the loop at once: the benches ask again what became of their requests.
void forward_stop(struct forward *forward);

#endif
