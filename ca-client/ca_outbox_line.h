// SPDX-License-Identifier: Apache-2.0
// A Unix stream socket that carries lines, on the loop: bounded reading, a bounded queue of what is
// to be written, and how much of it the kernel has taken. For ca_outbox*.c and the forwarder.
#ifndef BIRTHCERT_CA_OUTBOX_LINE_H
#define BIRTHCERT_CA_OUTBOX_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define OUTBOX_QUEUE_MAX ((size_t)8 * 1024 * 1024)

struct outbox_line;

struct outbox_line_events {
    // One line without its newline, of less than OUTBOX_LINE_MAX bytes; valid during the call.
    void (*on_line)(void *context, struct slice line);
    // The peer is gone, or sent a line that is too long (E_CA_NONSENSE); nothing comes after it.
    void (*on_end)(void *context, const struct error *error);
};

// Takes over a non-blocking, connected socket; on failure it stays the caller's. Events come from
// the loop, never from inside a call.
MUST_CHECK bool outbox_line_new(struct loop *loop, int descriptor,
                                const struct outbox_line_events *events, void *context,
                                struct outbox_line **line, struct error *error);
// Closes it; what is queued is dropped. Takes NULL. May be called from inside its events.
void outbox_line_free(struct outbox_line *line);

// Queues whole lines, and writes what the socket takes now. False, and nothing was queued, where
// the queue would grow over OUTBOX_QUEUE_MAX. After a failure bytes are dropped: on_end is on its
// way.
MUST_CHECK bool outbox_line_put(struct outbox_line *line, struct slice bytes);

// Bytes that were put, and bytes that the kernel has taken, since the start. What it has not taken
// has certainly not reached the peer.
uint64_t outbox_line_put_count(const struct outbox_line *line);
uint64_t outbox_line_sent_count(const struct outbox_line *line);

#endif
