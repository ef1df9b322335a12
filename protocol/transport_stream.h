// SPDX-License-Identifier: Apache-2.0
// What every transport over a file descriptor shares: bounded reading, a bounded write queue, and
// the hang-up. For transport_*.c, and for simulated cameras on a tty.
#ifndef BIRTHCERT_PROTOCOL_TRANSPORT_STREAM_H
#define BIRTHCERT_PROTOCOL_TRANSPORT_STREAM_H

#include <stdbool.h>

#include "protocol/transport.h"

#define TRANSPORT_QUEUE_MAX 65536

struct transport_stream;

enum transport_stream_kind { TRANSPORT_STREAM_FILE, TRANSPORT_STREAM_SOCKET };

// Reads and writes `descriptor`, which must be non-blocking. On success the stream owns it and
// closes it; on failure it stays the caller's. `events` is copied. E_MEMORY, E_SYSTEM.
MUST_CHECK bool transport_stream_new(struct loop *loop, int descriptor,
                                     enum transport_stream_kind kind,
                                     const struct transport_events *events, void *context,
                                     struct transport_stream **stream, struct error *error);

// As transport_ops.write. What is written after a failure is dropped: on_hangup is on its way.
bool transport_stream_write(struct transport_stream *stream, struct slice bytes);

// Drops what is queued and not yet written.
void transport_stream_discard(struct transport_stream *stream);

// While held, writing only queues.
void transport_stream_hold(struct transport_stream *stream, bool held);

// Closes the descriptor. May be called from inside an event. Takes NULL.
void transport_stream_free(struct transport_stream *stream);

#endif
