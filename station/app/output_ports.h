// SPDX-License-Identifier: Apache-2.0
// What birthcert ports says: text for people, or JSON Lines (OUTPUT.md). What devices say of
// themselves is escaped here.
#ifndef BIRTHCERT_APP_OUTPUT_PORTS_H
#define BIRTHCERT_APP_OUTPUT_PORTS_H

#include <stdint.h>

#include "station/app/output.h"
#include "station/app/ports_view.h"

// One port, or one slot where nothing is plugged in.
void output_port(struct output *output, const struct ports_item *item);

// The section for an item that is unassigned; nothing for others. With JSON it is part of the port.
void output_port_section(struct output *output, const struct ports_item *item);

// Something happened to a port: "plugged", "unplugged" or "changed".
void output_port_event(struct output *output, int64_t wall_ms, const char *event,
                       const struct ports_item *item);

// For station/app/output_ports*.c only.
void output_port_json(struct output *output, const struct ports_item *item);
void output_port_event_json(struct output *output, int64_t wall_ms, const char *event,
                            const struct ports_item *item);

#endif
