// SPDX-License-Identifier: Apache-2.0
// For tests: one port on a loop of its own, with a peer at its other end.
#ifndef BIRTHCERT_TESTS_SUPPORT_PORT_H
#define BIRTHCERT_TESTS_SUPPORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/transport.h"

#define PATIENCE_MS 5000

struct port {
    struct loop *loop;
    struct loop_timer *patience;
    struct transport *transport;
    const struct transport_ops *ops;
    char folder[64];
    char path[128];
    int peer;
    int listener;
    size_t stop_after; // received bytes that end port_run; 0: none
    bool close_on_bytes;
    bool close_on_hangup;
    size_t received;
    size_t deliveries;
    char text[256]; // the first of what was received
    int hangups;
    struct error reason;
    bool out_of_patience;
    bool in_call; // no event may come while the test is inside a transport_* call
};

extern struct port port;

// Checked fixture: an empty port, a loop and a folder.
void port_set_up(void);
void port_tear_down(void);

// Opens port.path. `port_try` opens any path, closes it, and tells the error, whose text must name
// the path.
void port_make_pty(void);
void port_open_pty(void);
void port_open_pty_with(uint32_t bit_rate, const char *wake_line);
void port_listen(int backlog);
void port_open_unix(void);
void port_open_either(int which); // 0 pty, 1 socket
bool port_open(const struct transport_ops *ops, const struct transport_settings *settings,
               struct transport **transport, struct error *error);
enum error_code port_try(const struct transport_ops *ops, const char *path);
void port_close(void);

bool port_write_text(const char *text);

// Runs the loop until an event stops it; fails the test after PATIENCE_MS.
void port_run(void);
void port_run_until_received(size_t length);
void port_run_for(int64_t delay_ms);

// What a pty is given arrives at its other end a moment later.
bool is_readable(int descriptor, int patience_ms);
void peer_says(const char *text);
void peer_hears(const void *expected, size_t length); // at most 512 bytes
void peer_hears_text(const char *expected);
void peer_hears_nothing(void);

#endif
