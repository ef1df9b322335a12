// SPDX-License-Identifier: Apache-2.0
// What is plugged in where: USB devices and serial ports, as the kernel and udev know them. No
// device is opened for it, and no right is needed. Texts that a device gave are as it gave them:
// hostile bytes, to be escaped where they are shown.
#ifndef BIRTHCERT_PROTOCOL_PORTS_H
#define BIRTHCERT_PROTOCOL_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/error.h"
#include "station/io/loop.h"

#define PORTS_MAX 1024          // of both kinds: twice what a bench of 256 slots has
#define PORT_TEXT_SIZE 384      // the longest USB string in UTF-8, and a NUL
#define PORT_NAME_SIZE 64       // names that the kernel gives
#define PORT_LINK_SIZE 256      // as long as a slot's path may be
#define PORT_LATENCY_UNKNOWN -1 // most drivers have no such timer

enum port_kind {
    PORT_USB,    // a USB device; root hubs are left out, they hang on no port
    PORT_SERIAL, // a tty with hardware behind it
};

enum port_access {
    PORT_NO_NODE, // there is no file in /dev for it
    PORT_DENIED,  // this process may not open it for reading and writing
    PORT_ALLOWED,
};

// Plain values; a text that is not known is "", a longer one is cut.
struct port_entry {
    enum port_kind kind;
    char name[PORT_NAME_SIZE];     // the kernel's: USB "1-2.3", serial "ttyUSB0"
    char usb_path[PORT_NAME_SIZE]; // the USB port that it is, or hangs on: "1-2.3"
    char node[PORT_NAME_SIZE];     // "/dev/ttyUSB0", "/dev/bus/usb/001/005"
    enum port_access access;
    char group[PORT_NAME_SIZE]; // of the node: its name, else its number

    // Of the USB device, also where a serial port hangs on it.
    bool has_usb_id;
    uint16_t vendor_id;
    uint16_t product_id;
    char manufacturer[PORT_TEXT_SIZE];
    char product[PORT_TEXT_SIZE];
    char serial[PORT_TEXT_SIZE];
    bool is_unauthorized; // the kernel was told not to use it: it shows no interfaces

    // USB only.
    uint8_t device_class;
    bool is_hub;
    bool is_camera; // an interface FF/43/01 (PROTOCOL.md, section 1)

    // The driver of the camera's interface ("usbfs": a program has claimed it), else of the first
    // interface that has one; of a serial port: "ftdi_sio", "cdc_acm".
    char driver[PORT_NAME_SIZE];

    // Serial only.
    char link[PORT_LINK_SIZE]; // /dev/serial/by-path/...: stays with the socket
    int latency_ms;            // PORT_LATENCY_UNKNOWN, or how long the driver gathers input
    bool is_for_modem_manager; // ModemManager is there, and was not told to stay away
};

struct port_list {
    size_t count;
    size_t left_out; // more than PORTS_MAX
    struct port_entry entries[PORTS_MAX];
};

// Fills the list, in the order of ports: 1-2 before 1-10, a device before the serial ports that
// hang on it, what hangs on no USB port last. Devices that go meanwhile are left out. E_MEMORY,
// E_SYSTEM.
MUST_CHECK bool ports_list(struct port_list *list, struct error *error);

enum port_event {
    PORT_PLUGGED,   // also where udev reports again what was there before
    PORT_UNPLUGGED, // only kind and name of the entry are set
    PORT_CHANGED,   // it got a driver, a permission, an authorisation; or nothing that shows
    PORTS_MISSED,   // events were lost: list anew; the entry is NULL
};

// Called on the loop, after udev's rules have run for the device. The entry is valid during the
// call only. Do not free the watch from inside.
typedef void port_callback(void *context, enum port_event event, const struct port_entry *entry);

struct ports_watch;

// Reports what is plugged and unplugged from now on; to miss nothing, start before ports_list. The
// caller frees the watch before the loop. Without a running udevd nothing is ever reported.
// E_MEMORY, E_SYSTEM.
MUST_CHECK bool ports_watch_new(struct loop *loop, port_callback *callback, void *context,
                                struct ports_watch **watch, struct error *error);
void ports_watch_free(struct ports_watch *watch); // takes NULL

#endif
