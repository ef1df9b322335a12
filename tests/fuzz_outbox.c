// SPDX-License-Identifier: Apache-2.0
// The outbox's messages, both ways: what a bench and what a forwarder may be sent. What was read well
// is within its bounds, and reads the same once more where it can be written.
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_outbox_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static bool is_printable(const char *text) {
    while (*text >= 0x20 && *text <= 0x7e) {
        text++;
    }
    return *text == '\0';
}

static bool is_inside(const struct outbox_message *message, struct slice bytes) {
    return bytes.length == 0 || (bytes.data >= message->bytes &&
                                 bytes.data + bytes.length <= message->bytes + message->used);
}

static void check_result(const struct outbox_message *message) {
    const struct ca_result *result = &message->result;
    need(message->call > 0 && result->outcome <= CA_REVOKED);
    need(is_printable(result->handle) && is_printable(result->error.text));
    need(is_inside(message, result->leaf) && is_inside(message, result->extra));
    need(result->outcome != CA_CERTIFICATE || result->leaf.length > 0);
}

static void check_request(const struct outbox_message *message) {
    const struct ca_request *request = &message->request;
    need(message->call > 0 && request->profile->name[0] != '\0');
    need(is_printable(request->subject.serial) && is_printable(request->handle));
    need(is_printable(request->endpoint));
    need(request->subject.hardware_id_length <= sizeof message->hardware_id);
    need(is_inside(message, request->csr) && is_inside(message, request->certificate));
}

static void check_behind(const struct outbox_message *message) {
    need(message->behind_count <= OUTBOX_BEHIND_MAX);
    for (size_t i = 0; i < message->behind_count; i++) {
        need(text_is_label(message->behind[i].profile) &&
             is_printable(message->behind[i].endpoint));
    }
}

// Written again it is the same, unless it is longer so.
static void check_again(const struct outbox_message *message, struct outbox_message *again) {
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    struct error error;
    bool written = message->type == OUTBOX_RESULT
                       ? outbox_put_result(out, message->call, &message->result)
                       : outbox_put_call(out, message->type, message->call, &message->request,
                                         message->reason);
    if (written) {
        struct slice line = buf_slice(out);
        line.length--;
        need(outbox_read(line, again, &error) && again->call == message->call &&
             again->type == message->type);
        need(outbox_profile_difference(&again->profile, &message->profile) == NULL);
        need(slice_equal(again->request.csr, message->request.csr));
        need(slice_equal(again->result.leaf, message->result.leaf));
        need(strcmp(again->handle, message->handle) == 0);
        need(strcmp(again->endpoint, message->endpoint) == 0);
    }
    buf_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct outbox_message *message = malloc(sizeof *message);
    struct outbox_message *again = malloc(sizeof *again);
    struct error error;
    need(message != NULL && again != NULL);
    if (outbox_read((struct slice){data, size}, message, &error)) {
        if (message->type == OUTBOX_RESULT) {
            check_result(message);
            check_again(message, again);
        } else if (message->type == OUTBOX_GREETING) {
            check_behind(message);
        } else if (message->type >= OUTBOX_CHECK) {
            check_request(message);
            check_again(message, again);
        }
    }
    free(again);
    free(message);
    return 0;
}
