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

// Called on the loop, never from inside a transport_* call. After on_hangup (once, with the reason:
// E-PORT-HANGUP, E-PORT-IO) only transport_close may follow.
struct transport_events {
    void (*on_bytes)(void *context, struct slice bytes);
    void (*on_hangup)(void *context, const struct error *reason);
};

struct transport_settings {
    const char *path;      // device file or socket
    uint32_t bit_rate;     // serial: 0 is 115200; others ignore it
    const char *wake_line; // serial: a line that starts the agent on a login console, or NULL
};

struct transport_ops {
    const char *name; // "serial", "unix"

    // Opens and locks the port. E_PORT_MISSING, E_PORT_BUSY, E_PORT_NOT_TTY, E_PORT_DENIED,
    // E_PORT_IO. `settings` and `events` are copied; the path is not kept.
    bool (*open)(struct loop *loop, const struct transport_settings *settings,
                 const struct transport_events *events, void *context, struct transport **transport,
                 struct error *error);

    // Queues bytes. False when the queue (64 KiB) is full: the camera does not read.
    bool (*write)(struct transport *transport, struct slice bytes);

    // What can be done about a silent camera, asynchronously: BREAK on serial, nothing on a socket.
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

// The row with that name, or NULL. The list ends with NULL.
const struct transport_ops *transport_find(const char *name);
extern const struct transport_ops *const transport_table[];

#endif
