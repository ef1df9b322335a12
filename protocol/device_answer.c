// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "protocol/device_parts.h"

static const char *const failure_texts[] = {
    [CAMERA_MALFORMED] = "the request is malformed",
    [CAMERA_UNSUPPORTED_OP] = "this camera cannot do that",
    [CAMERA_UNSUPPORTED_CRITICAL] = "the request holds a critical key that is not known here",
    [CAMERA_BAD_SESSION] = "not the current session: send HELLO",
    [CAMERA_BUSY] = "a key is being made",
    [CAMERA_EXISTS] = "the credential already has a key",
    [CAMERA_NO_KEY] = "the credential has no key",
    [CAMERA_LOCKED] = "the camera is locked",
    [CAMERA_KEY_MISMATCH] = "the certificate is for another key",
    [CAMERA_HASH_MISMATCH] = "what was written has another SHA-256",
    [CAMERA_TOO_LARGE] = "too large",
    [CAMERA_STORAGE] = "the storage failed",
    [CAMERA_ENTROPY] = "not enough entropy",
    [CAMERA_UNSUPPORTED_KEY] = "this camera cannot make such a key",
    [CAMERA_INTERNAL] = "the firmware contradicts itself",
    [CAMERA_BAD_OFFSET] = "the offset is not the one wanted",
    [CAMERA_BAD_CERTIFICATE] = "not a chain of DER certificates",
    [CAMERA_NO_CREDENTIAL] = "there is no such credential",
};

void device_fail(struct message *answer, enum camera_error code, const char *text) {
    if (code <= CAMERA_OK || code > CAMERA_NO_CREDENTIAL) {
        code = CAMERA_INTERNAL;
    }
    if (text == NULL) {
        text = failure_texts[code];
    }
    answer->kind = FRAME_ERROR;
    memset(&answer->error, 0, sizeof answer->error);
    answer->error.code = code;
    if (!text_copy(answer->error.text, sizeof answer->error.text, text)) {
        answer->error.text[0] = '\0';
    }
}

void device_fail_number(struct message *answer, enum camera_error code, const char *before,
                        uint32_t number, const char *after) {
    char digits[11];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);

    const char *const pieces[] = {before, " ", &digits[first], " ", after};
    char text[MESSAGE_TEXT_MAX + 1];
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        size_t length = strlen(pieces[i]);
        if (length >= sizeof text - used) {
            break;
        }
        memcpy(&text[used], pieces[i], length);
        used += length;
    }
    text[used] = '\0';
    device_fail(answer, code, text);
}

void device_fail_detail(struct message *answer, uint32_t detail) {
    answer->error.has_detail = true;
    answer->error.detail = detail;
}

// Every max_payload that is negotiated holds an error without a text.
static size_t encode_payload(struct device *device, struct message *answer) {
    size_t length = message_encode(device->payload, device->max_payload, answer);
    if (length == 0 && answer->kind != FRAME_ERROR) {
        device_fail(answer, CAMERA_TOO_LARGE, "the answer does not fit max_payload");
        length = message_encode(device->payload, device->max_payload, answer);
    }
    if (length == 0) {
        answer->error.text[0] = '\0';
        length = message_encode(device->payload, device->max_payload, answer);
    }
    return length;
}

size_t device_send(struct device *device, uint32_t session, uint16_t sequence,
                   struct message *answer) {
    size_t length = encode_payload(device, answer);
    struct frame frame = {
        .kind = answer->kind,
        .op = (uint8_t)answer->op,
        .sequence = sequence,
        .session = session,
        .payload = {device->payload, length},
    };
    device->answer_length = 0; // what was kept for a repeat is overwritten
    size_t wire_length =
        frame_encode(device->wire, sizeof device->wire, &frame, device->config->usb_packet_size);
    if (wire_length > 0) {
        device->ops->send(device->context, (struct slice){device->wire, wire_length});
    }
    return wire_length;
}

void device_send_silence(struct device *device, const struct frame *request,
                         uint32_t max_silence_ms) {
    struct message progress = {.op = (enum message_op)request->op, .kind = FRAME_PROGRESS};
    progress.progress.max_silence_ms = max_silence_ms;
    device_send(device, request->session, request->sequence, &progress);
}
