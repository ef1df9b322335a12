// SPDX-License-Identifier: Apache-2.0
// Opens the ports of slots: whatever a transport needs to know of the configuration, and the hub
// that the ports of its kind share.
#ifndef BIRTHCERT_APP_HUBS_H
#define BIRTHCERT_APP_HUBS_H

#include <stdbool.h>

#include "protocol/transport.h"
#include "station/app/config.h"
#include "station/base/error.h"
#include "station/io/loop.h"

struct hubs;

// `config` and `loop` must outlive it. `on_arrival` may be NULL; see transport_ops.hub_new. NULL
// without memory.
struct hubs *hubs_new(struct loop *loop, const struct config *config, loop_callback *on_arrival,
                      void *context);
// After the ports were closed, before the loop is freed. Takes NULL.
void hubs_free(struct hubs *hubs);

enum hubs_manner {
    HUBS_WAKE,  // with the slot's wake line
    HUBS_QUIET, // starts nothing on the camera
};

// As transport_ops.open, for the slot's transport.
MUST_CHECK bool hubs_open_port(struct hubs *hubs, const struct config_slot *slot,
                               enum hubs_manner manner, const struct transport_events *events,
                               void *context, struct transport **transport, struct error *error);

#endif
