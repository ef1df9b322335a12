// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca_outbox_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ca-client/ca_outbox_message.h"
#include "station/base/buf.h"

// A peer that never stops sending gets this much of a turn of the loop, then the others come.
#define READ_SIZE 8192
#define READS_PER_TURN 8

struct outbox_line {
    int descriptor;
    struct outbox_line_events events;
    void *context;
    struct loop_watch *watch;
    struct loop_timer *failed; // reports what failed in a call, outside that call
    struct buf *input;
    struct buf *queue;
    uint64_t put_count;
    uint64_t sent_count;
    struct error reason; // code is ERROR_NONE until something failed
    bool ended;          // on_end was called
    bool in_event;       // the line must not vanish under it
    bool is_to_free;     // outbox_line_free was called from inside an event
};

static void release(struct outbox_line *line) {
    loop_watch_free(line->watch);
    loop_timer_free(line->failed);
    buf_free(line->input);
    buf_free(line->queue);
    free(line);
}

static void note_failure(struct outbox_line *line, const char *doing, int number) {
    if (line->reason.code == ERROR_NONE) {
        error_set(&line->reason, E_CA_UNREACHABLE, "the connection ended (%s%s%s)", doing,
                  number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    }
    buf_clear(line->queue);
}

// Last thing that a callback does: the owner may free the line in here.
static void end(struct outbox_line *line) {
    if (line->ended) {
        return;
    }
    line->ended = true;
    loop_watch_free(line->watch);
    line->watch = NULL;
    loop_timer_stop(line->failed);
    line->in_event = true;
    line->events.on_end(line->context, &line->reason);
    line->in_event = false;
    if (line->is_to_free) {
        release(line);
    }
}

static void flush_queue(struct outbox_line *line) {
    while (buf_length(line->queue) > 0) {
        struct slice bytes = buf_slice(line->queue);
        ssize_t written = send(line->descriptor, bytes.data, bytes.length, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            note_failure(line, "writing", errno);
        }
        if (written <= 0) {
            break;
        }
        line->sent_count += (uint64_t)written;
        buf_consume(line->queue, (size_t)written);
    }
}

static void watch_again(struct outbox_line *line) {
    bool has_output = buf_length(line->queue) > 0;
    if (line->watch != NULL) {
        loop_watch_set(line->watch, LOOP_READABLE | (has_output ? (unsigned)LOOP_WRITABLE : 0U));
    }
}

// Returns false when the owner freed the line from inside the event.
static bool deliver_lines(struct outbox_line *line) {
    struct slice input = buf_slice(line->input);
    size_t used = 0;
    line->in_event = true;
    while (!line->is_to_free) {
        const uint8_t *start = input.data + used;
        const uint8_t *newline = memchr(start, '\n', input.length - used);
        if (newline == NULL) {
            break;
        }
        size_t length = (size_t)(newline - start);
        used += length + 1;
        line->events.on_line(line->context, (struct slice){start, length});
    }
    line->in_event = false;
    if (line->is_to_free) {
        release(line);
        return false;
    }
    buf_consume(line->input, used);
    return true;
}

enum read_outcome { READ_MORE, READ_DRY, READ_FAILED, READ_FREED };

static enum read_outcome read_some(struct outbox_line *line) {
    uint8_t bytes[READ_SIZE];
    size_t room = OUTBOX_LINE_MAX - buf_length(line->input);
    ssize_t got = recv(line->descriptor, bytes, room < sizeof bytes ? room : sizeof bytes, 0);
    if (got < 0 && errno == EINTR) {
        return READ_MORE;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return READ_DRY;
    }
    if (got <= 0) {
        note_failure(line, got == 0 ? "the other side closed it" : "reading", got == 0 ? 0 : errno);
        return READ_FAILED;
    }
    if (!buf_put(line->input, bytes, (size_t)got)) {
        error_set(&line->reason, E_MEMORY, "no memory for a message");
        return READ_FAILED;
    }
    if (!deliver_lines(line)) {
        return READ_FREED;
    }
    if (buf_length(line->input) == OUTBOX_LINE_MAX) {
        error_set(&line->reason, E_CA_NONSENSE, "a line is longer than %zu bytes", OUTBOX_LINE_MAX);
        return READ_FAILED;
    }
    return READ_MORE;
}

static void handle_events(void *context, unsigned events) {
    struct outbox_line *line = context;
    if ((events & LOOP_WRITABLE) != 0) {
        flush_queue(line);
    }
    // What the peer said before it left is still delivered.
    enum read_outcome outcome = READ_MORE;
    for (int i = 0; i < READS_PER_TURN && outcome == READ_MORE; i++) {
        outcome = read_some(line);
    }
    if (outcome == READ_FREED) {
        return;
    }
    if (outcome == READ_DRY && (events & LOOP_HANGUP) != 0) {
        note_failure(line, "hang-up", 0);
    }
    if (outcome != READ_MORE && line->reason.code != ERROR_NONE) {
        end(line);
        return;
    }
    watch_again(line);
}

// What the peer said before writing to it failed is read first: it may answer what was asked.
static void handle_failed(void *context) {
    handle_events(context, LOOP_READABLE);
}

bool outbox_line_new(struct loop *loop, int descriptor, const struct outbox_line_events *events,
                     void *context, struct outbox_line **out, struct error *error) {
    struct outbox_line *line = calloc(1, sizeof *line);
    if (line == NULL) {
        return error_set(error, E_MEMORY, "no memory for a connection");
    }
    *line = (struct outbox_line){.descriptor = descriptor, .events = *events, .context = context};
    line->input = buf_new(OUTBOX_LINE_MAX);
    line->queue = buf_new(OUTBOX_QUEUE_MAX);
    line->failed = loop_timer_new(loop, handle_failed, line);
    if (line->input == NULL || line->queue == NULL || line->failed == NULL) {
        release(line);
        return error_set(error, E_MEMORY, "no memory for a connection");
    }
    if (!loop_watch_new(loop, descriptor, handle_events, line, &line->watch, error)) {
        release(line);
        return false;
    }
    watch_again(line);
    *out = line;
    return true;
}

void outbox_line_free(struct outbox_line *line) {
    if (line == NULL) {
        return;
    }
    // The watch goes before its descriptor, the memory after the event that this call may come
    // from.
    loop_watch_free(line->watch);
    line->watch = NULL;
    close(line->descriptor);
    if (line->in_event) {
        line->is_to_free = true;
    } else {
        release(line);
    }
}

bool outbox_line_put(struct outbox_line *line, struct slice bytes) {
    if (line->reason.code != ERROR_NONE) {
        line->put_count += bytes.length;
        return true;
    }
    bool is_first = buf_length(line->queue) == 0;
    if (!buf_put(line->queue, bytes.data, bytes.length)) {
        return false;
    }
    line->put_count += bytes.length;
    if (is_first) {
        flush_queue(line);
    }
    if (line->reason.code != ERROR_NONE) {
        loop_timer_start(line->failed, 0);
    } else {
        watch_again(line);
    }
    return true;
}

uint64_t outbox_line_put_count(const struct outbox_line *line) {
    return line->put_count;
}

uint64_t outbox_line_sent_count(const struct outbox_line *line) {
    return line->sent_count;
}
