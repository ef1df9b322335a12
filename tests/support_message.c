// SPDX-License-Identifier: Apache-2.0
#include "tests/support_message.h"

#include <check.h>
#include <string.h>

#include "tests/support_vectors.h"

static const struct vector_bytes *hex_bytes(const char *hex) {
    static struct vector_bytes bytes;
    bytes.length = strlen(hex) / 2;
    ck_assert_uint_le(bytes.length, sizeof(bytes.data));
    ck_assert(hex_decode(bytes.data, bytes.length, hex));
    return &bytes;
}

enum camera_error decode_hex(enum message_op op, enum frame_kind kind, const char *hex,
                             struct message *message) {
    const struct vector_bytes *bytes = hex_bytes(hex);
    struct frame frame = {.kind = kind, .op = (uint8_t)op, .payload = {bytes->data, bytes->length}};
    return message_decode(&frame, message);
}

enum camera_error outcome(enum message_op op, enum frame_kind kind, const char *hex) {
    struct message message;
    return decode_hex(op, kind, hex, &message);
}

void assert_encodes(const struct message *message, const char *hex) {
    uint8_t out[MESSAGE_BYTES_MAX];
    char text[2 * MESSAGE_BYTES_MAX + 1];
    size_t length = message_encode(out, sizeof(out), message);
    hex_encode(text, out, length);
    ck_assert_str_eq(text, hex);
}

struct message message_new(enum message_op op, enum frame_kind kind) {
    struct message message;
    memset(&message, 0, sizeof(message));
    message.op = op;
    message.kind = kind;
    return message;
}

// Where the message has a slice, so that two messages can be compared but for where it points.
static struct slice *slice_in(struct message *message) {
    bool request = message->kind == FRAME_REQUEST;
    bool response = message->kind == FRAME_RESPONSE;
    if (request && message->op == OP_GENERATE_KEY) {
        return &message->generate_key.subject;
    }
    if (request && message->op == OP_WRITE) {
        return &message->write.data;
    }
    if (response && message->op == OP_READ) {
        return &message->data.data;
    }
    return response && message->op == OP_PROVE ? &message->proof.signature : NULL;
}

void assert_same_message(struct message *a, struct message *b) {
    struct slice *slice = slice_in(a);
    if (slice != NULL) {
        ck_assert(slice_equal(*slice, *slice_in(b)));
        *slice_in(b) = *slice;
    }
    ck_assert_mem_eq(a, b, sizeof(*a));
}
