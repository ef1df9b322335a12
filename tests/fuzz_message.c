// SPDX-License-Identifier: Apache-2.0
// The payload of any frame: what decodes must encode, and decode again to the same.
#include <stdlib.h>
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/message.h"

#define PAYLOAD_MAX 4096

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

// Counts what the reader finds in a payload that is valid: all of it is items.
static void check_walk(struct slice payload) {
    struct cbor_reader walk = {payload};
    struct cbor_reader skip = {payload};
    struct cbor_item item;
    while (walk.rest.length != 0) {
        require(cbor_read(&walk, &item));
    }
    require(cbor_skip(&skip) && skip.rest.length == 0);
}

static void check_again(const struct frame *frame, const struct message *message) {
    uint8_t out[PAYLOAD_MAX];
    uint8_t again[PAYLOAD_MAX];
    size_t length = message_encode(out, sizeof(out), message);
    // Unknown keys are gone and an unknown error is INTERNAL: never longer than what came.
    require(length != 0 && length <= frame->payload.length);
    require(cbor_is_valid((struct slice){out, length}));
    struct frame second = *frame;
    struct message back;
    second.payload = (struct slice){out, length};
    require(message_decode(&second, &back) == CAMERA_OK);
    require(back.op == message->op && back.kind == message->kind);
    require(message_encode(again, sizeof(again), &back) == length);
    require(memcmp(out, again, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size - 2 > PAYLOAD_MAX) {
        return 0;
    }
    struct frame frame = {
        .kind = (enum frame_kind)(data[0] % 4), .op = data[1], .payload = {data + 2, size - 2}};
    struct message message;
    bool valid = cbor_is_valid(frame.payload);
    if (valid) {
        check_walk(frame.payload);
    }
    enum camera_error status = message_decode(&frame, &message);
    require(valid || status == CAMERA_MALFORMED);
    if (status == CAMERA_OK) {
        check_again(&frame, &message);
    }
    return 0;
}
