// SPDX-License-Identifier: Apache-2.0
// For tests: a machine whose USB and serial ports umockdev makes up, in this process.
#ifndef BIRTHCERT_TESTS_MOCK_BED_H
#define BIRTHCERT_TESTS_MOCK_BED_H

#include <check.h>
#include <stddef.h>
#include <umockdev.h>

#include "protocol/ports.h"

#define ROOT_HUB "/devices/pci0000:00/0000:00:14.0/usb1"

extern UMockdevTestbed *bed;
extern struct port_list *list;

// In umockdev's form; udev's event "add" goes out for each device.
void plug(const char *description);

// Below the root hub. `id` is "1209:ca30", `attributes` are lines in umockdev's form.
void plug_usb(const char *path, unsigned number, const char *id, const char *attributes);

// `class_hex` is class, subclass and protocol, "ff4301"; `driver` may be NULL.
void plug_interface(const char *device, const char *name, const char *class_hex,
                    const char *driver);

void plug_camera(const char *path, unsigned number); // serial VX-1
void plug_hub(const char *path, unsigned number);

// An FTDI adapter with its tty, ttyUSB7, which has these properties.
void plug_adapter(const char *path, unsigned number, const char *properties);

// Fills `list`, which has so many entries then.
void take_list(size_t count);

// A program's main function: runs these tests, each on an empty machine; it starts itself again
// with umockdev loaded before all other libraries.
int run_on_bed(char **argv, const char *name, const TTest *const tests[], size_t count);

#endif
