// SPDX-License-Identifier: Apache-2.0
// Transports: a byte stream to whatever is plugged into one port. Each kind is one file,
// transport_*.c, and one row in the table of transports.c.
#ifndef BIRTHCERT_PROTOCOL_TRANSPORT_H
#define BIRTHCERT_PROTOCOL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

struct transport;
struct transport_hub; // what all ports of one kind share, where they share something

// Called on the loop, never from inside a transport_* call. After on_hangup (once, with the reason:
// E-PORT-HANGUP, E-PORT-IO) only transport_close may follow.
struct transport_events {
    void (*on_bytes)(void *context, struct slice bytes);
    void (*on_hangup)(void *context, const struct error *reason);
};

struct usb_id {
    uint16_t vendor;
    uint16_t product;
};

#define TRANSPORT_USB_IDS_MAX 16
#define TRANSPORT_USB_DEPTH_MAX 7 // ports on the way to a device: USB 3.2, section 10.2.2

struct transport_settings {
    const char *path;          // device file, socket, or USB port path as in sysfs: 1-2.3
    uint32_t bit_rate;         // serial: 0 is 115200; others ignore it
    const char *wake_line;     // serial: a line that starts the agent on a login console, or NULL
    struct transport_hub *hub; // of the same kind; NULL where the kind has none
    const struct usb_id *usb_ids; // USB: cameras beside those that show the bench's interface
    size_t usb_id_count;
};

struct transport_ops {
    const char *name;     // "serial", "unix", "usb"
    uint32_t max_payload; // that the station offers on it (PROTOCOL.md, section 2)
    bool is_device;       // an open port is a device that is plugged in, not a line to wherever

    // NULL where each port stands alone. `on_arrival` is called on the loop when something was
    // plugged in, anywhere: an open that failed with E_PORT_MISSING may succeed now. A hub is freed
    // before its loop, after its ports were closed. E_MEMORY, E_SYSTEM.
    bool (*hub_new)(struct loop *loop, loop_callback *on_arrival, void *context,
                    struct transport_hub **hub, struct error *error);
    void (*hub_free)(struct transport_hub *hub); // takes NULL

    // Opens and locks the port. E_PORT_MISSING, E_PORT_BUSY, E_PORT_DRIVER, E_PORT_NOT_TTY,
    // E_PORT_NOT_CAMERA, E_PORT_DENIED, E_PORT_IO. `settings` and `events` are copied; path and ids
    // are not kept.
    bool (*open)(struct loop *loop, const struct transport_settings *settings,
                 const struct transport_events *events, void *context, struct transport **transport,
                 struct error *error);

    // Queues one frame. False when the queue (64 KiB) is full: the camera does not read.
    bool (*write)(struct transport *transport, struct slice bytes);

    // What can be done about a silent camera, asynchronously: BREAK on serial, clearing both
    // endpoints and a reset of the device on USB, nothing on a socket.
    void (*reset)(struct transport *transport);

    // Frees the transport; no event comes after it. Takes NULL.
    void (*close)(struct transport *transport);
};

// Bits on the wire per byte and per second, for the time that a frame takes; 0: no time worth
// counting.
uint32_t transport_bit_rate(const struct transport_ops *ops,
                            const struct transport_settings *settings);

extern const struct transport_ops transport_serial; // any tty or pty
extern const struct transport_ops transport_unix;   // a stream socket: simulated cameras
extern const struct transport_ops transport_usb;    // bulk endpoints, through libusb

// The row with that name, or NULL. The list ends with NULL.
const struct transport_ops *transport_find(const char *name);
extern const struct transport_ops *const transport_table[];

#endif
