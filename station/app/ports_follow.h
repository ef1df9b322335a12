// SPDX-License-Identifier: Apache-2.0
// The ports as they come and go: what was told of each, so that a port is told once, and one that
// is gone can still be told with all that it was.
#ifndef BIRTHCERT_APP_PORTS_FOLLOW_H
#define BIRTHCERT_APP_PORTS_FOLLOW_H

#include <stdbool.h>

#include "protocol/ports.h"
#include "station/app/config.h"
#include "station/app/ports_view.h"
#include "station/base/error.h"

// PORT_PLUGGED, PORT_UNPLUGGED (without notes) or PORT_CHANGED, where a person would want to know.
// The item is valid during the call only.
typedef void ports_follow_callback(void *context, enum port_event event,
                                   const struct ports_item *item);

// Several megabytes, most of which are never touched: the caller allocates it.
struct ports_follow {
    struct port_list known;
    struct ports_view view; // of what is known
    struct port_list fresh; // read anew after events were lost
    const struct config *config;
    ports_follow_callback *callback;
    void *context;
};

// Lists what is there now, and calls nobody. `config` is borrowed, NULL for none. E_MEMORY,
// E_SYSTEM.
MUST_CHECK bool ports_follow_start(struct ports_follow *follow, const struct config *config,
                                   ports_follow_callback *callback, void *context,
                                   struct error *error);

// Takes what a ports_watch reported. The callback is called from inside. After PORTS_MISSED:
// E_MEMORY, E_SYSTEM.
MUST_CHECK bool ports_follow_take(struct ports_follow *follow, enum port_event event,
                                  const struct port_entry *entry, struct error *error);

#endif
