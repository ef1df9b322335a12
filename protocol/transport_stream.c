// SPDX-License-Identifier: Apache-2.0
#include "protocol/transport_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "station/base/buf.h"

// A peer that never stops sending gets this much of a turn of the loop, then the others come.
#define READ_SIZE 4096
#define READS_PER_TURN 4

struct transport_stream {
    int descriptor;
    enum transport_stream_kind kind;
    struct transport_events events;
    void *context;
    struct loop_watch *watch;  // NULL once the peer is gone
    struct loop_timer *failed; // reports what failed in a call, outside that call
    struct buf *queue;
    struct error reason; // code is ERROR_NONE until something failed
    bool held;
    bool hung_up;    // on_hangup was called
    bool in_event;   // an event is being delivered: the stream must not vanish under it
    bool is_to_free; // transport_stream_free was called from inside an event
};

static void release(struct transport_stream *stream) {
    loop_watch_free(stream->watch);
    loop_timer_free(stream->failed);
    buf_free(stream->queue);
    free(stream);
}

// Returns false when the owner freed the stream from inside the event.
static bool deliver(struct transport_stream *stream, struct slice bytes) {
    stream->in_event = true;
    stream->events.on_bytes(stream->context, bytes);
    stream->in_event = false;
    if (stream->is_to_free) {
        release(stream);
        return false;
    }
    return true;
}

static void watch_again(struct transport_stream *stream) {
    bool has_output = buf_length(stream->queue) > 0 && !stream->held;
    if (stream->watch != NULL) {
        loop_watch_set(stream->watch, LOOP_READABLE | (has_output ? (unsigned)LOOP_WRITABLE : 0U));
    }
}

static void note_failure(struct transport_stream *stream, const char *doing, int number) {
    bool is_gone = number == 0 || number == EIO || number == EPIPE || number == ECONNRESET ||
                   number == ENXIO || number == ENODEV;
    if (stream->reason.code == ERROR_NONE) {
        error_set(&stream->reason, is_gone ? E_PORT_HANGUP : E_PORT_IO, "the port %s (%s%s%s)",
                  is_gone ? "hung up" : "failed", doing, number != 0 ? ": " : "",
                  number != 0 ? strerror(number) : "");
    }
    buf_clear(stream->queue);
}

// Last thing that a callback does: the owner may free the stream in here.
static void hang_up(struct transport_stream *stream) {
    if (stream->hung_up) {
        return;
    }
    stream->hung_up = true;
    loop_watch_free(stream->watch);
    stream->watch = NULL;
    loop_timer_stop(stream->failed);
    stream->in_event = true;
    stream->events.on_hangup(stream->context, &stream->reason);
    stream->in_event = false;
    if (stream->is_to_free) {
        release(stream);
    }
}

static void handle_failed(void *context) {
    hang_up(context);
}

static ssize_t write_some(const struct transport_stream *stream, struct slice bytes) {
    ssize_t written;
    do {
        written = stream->kind == TRANSPORT_STREAM_SOCKET
                      ? send(stream->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL)
                      : write(stream->descriptor, bytes.data, bytes.length);
    } while (written < 0 && errno == EINTR);
    return written;
}

// Writes what the port takes now. Returns how much that was; a failure is noted.
static size_t write_now(struct transport_stream *stream, struct slice bytes) {
    size_t done = 0;
    while (done < bytes.length) {
        ssize_t written =
            write_some(stream, (struct slice){bytes.data + done, bytes.length - done});
        if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            note_failure(stream, "writing", errno);
        }
        if (written <= 0) {
            break;
        }
        done += (size_t)written;
    }
    return done;
}

static void flush_queue(struct transport_stream *stream) {
    if (stream->held || stream->reason.code != ERROR_NONE) {
        return;
    }
    size_t done = write_now(stream, buf_slice(stream->queue));
    if (stream->reason.code == ERROR_NONE) {
        buf_consume(stream->queue, done);
    }
}

enum read_outcome { READ_MORE, READ_DRY, READ_FAILED, READ_FREED };

static enum read_outcome read_some(struct transport_stream *stream) {
    uint8_t bytes[READ_SIZE];
    ssize_t got;
    do {
        got = read(stream->descriptor, bytes, sizeof bytes);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return deliver(stream, (struct slice){bytes, (size_t)got}) ? READ_MORE : READ_FREED;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return READ_DRY;
    }
    note_failure(stream, "reading", got == 0 ? 0 : errno);
    return READ_FAILED;
}

static void handle_events(void *context, unsigned events) {
    struct transport_stream *stream = context;
    if ((events & LOOP_WRITABLE) != 0) {
        flush_queue(stream);
    }
    // What the peer said before it left is still delivered. A failed write does not end reading:
    // the end shows there too.
    enum read_outcome outcome = READ_MORE;
    for (int i = 0; i < READS_PER_TURN && outcome == READ_MORE; i++) {
        outcome = read_some(stream);
    }
    if (outcome == READ_FREED) {
        return;
    }
    if (outcome == READ_DRY && (events & LOOP_HANGUP) != 0) {
        note_failure(stream, "hang-up", 0);
    }
    if (outcome != READ_MORE && stream->reason.code != ERROR_NONE) {
        hang_up(stream);
        return;
    }
    // Also after an error event, which ends a watch until it is set again.
    watch_again(stream);
}

bool transport_stream_new(struct loop *loop, int descriptor, enum transport_stream_kind kind,
                          const struct transport_events *events, void *context,
                          struct transport_stream **out, struct error *error) {
    struct transport_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return error_set(error, E_MEMORY, "no memory for a port");
    }
    *stream = (struct transport_stream){
        .descriptor = descriptor, .kind = kind, .events = *events, .context = context};
    stream->queue = buf_new(TRANSPORT_QUEUE_MAX);
    stream->failed = loop_timer_new(loop, handle_failed, stream);
    if (stream->queue == NULL || stream->failed == NULL) {
        release(stream);
        return error_set(error, E_MEMORY, "no memory for a port");
    }
    if (!loop_watch_new(loop, descriptor, handle_events, stream, &stream->watch, error)) {
        release(stream);
        return false;
    }
    watch_again(stream);
    *out = stream;
    return true;
}

bool transport_stream_write(struct transport_stream *stream, struct slice bytes) {
    if (stream->reason.code != ERROR_NONE) {
        return true;
    }
    // All or nothing, so that a frame is never cut.
    if (bytes.length > TRANSPORT_QUEUE_MAX - buf_length(stream->queue)) {
        return false;
    }
    size_t done = 0;
    if (!stream->held && buf_length(stream->queue) == 0) {
        done = write_now(stream, bytes);
    }
    if (stream->reason.code != ERROR_NONE) {
        loop_timer_start(stream->failed, 0);
        return true;
    }
    bool is_queued = buf_put(stream->queue, bytes.data + done, bytes.length - done);
    watch_again(stream);
    return is_queued;
}

void transport_stream_discard(struct transport_stream *stream) {
    buf_clear(stream->queue);
    watch_again(stream);
}

void transport_stream_hold(struct transport_stream *stream, bool held) {
    stream->held = held;
    watch_again(stream);
}

void transport_stream_free(struct transport_stream *stream) {
    if (stream == NULL) {
        return;
    }
    // The watch goes before its descriptor, the memory after the event that this call may come
    // from.
    loop_watch_free(stream->watch);
    stream->watch = NULL;
    close(stream->descriptor);
    if (stream->in_event) {
        stream->is_to_free = true;
    } else {
        release(stream);
    }
}
