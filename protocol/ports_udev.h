// SPDX-License-Identifier: Apache-2.0
// One device of udev as an entry. For protocol/ports_udev*.c only.
#ifndef BIRTHCERT_PROTOCOL_PORTS_UDEV_H
#define BIRTHCERT_PROTOCOL_PORTS_UDEV_H

#include <libudev.h>
#include <stdbool.h>

#include "protocol/ports.h"

// Which kind of port the device is, by what stays true after it was unplugged. False for what is
// none: interfaces, root hubs, consoles.
bool ports_udev_kind(struct udev_device *device, enum port_kind *kind);

// Reads the device. False for what is no port, and for a device that has gone.
bool ports_udev_read(struct udev_device *device, struct port_entry *entry);

#endif
