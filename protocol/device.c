// SPDX-License-Identifier: Apache-2.0
#include "protocol/device.h"

#include <string.h>

#include "protocol/device_parts.h"

// The smallest offer that holds every error.
#define OFFER_MIN 64

static bool text_fits(const char *text) {
    return text != NULL && memchr(text, '\0', MESSAGE_TEXT_MAX + 1) != NULL;
}

static bool config_is_sound(const struct device_config *config) {
    return text_fits(config->serial) && text_fits(config->model) && text_fits(config->firmware) &&
           config->hardware_id.length <= MESSAGE_HARDWARE_ID_MAX && config->key_type_count >= 1 &&
           config->key_type_count <= MESSAGE_KEY_TYPES_MAX && config->credential_count >= 1 &&
           config->credential_count <= DEVICE_CREDENTIALS_MAX &&
           config->max_payload <= DEVICE_PAYLOAD_MAX &&
           (config->max_payload == 0 || config->max_payload >= FRAME_PAYLOAD_BEFORE_HELLO);
}

bool device_start(struct device *device, const struct device_config *config,
                  const struct device_ops *ops, void *context) {
    memset(device, 0, sizeof *device);
    frame_decoder_init(&device->decoder, device->receive, sizeof device->receive);
    device->max_payload = FRAME_PAYLOAD_BEFORE_HELLO;
    if (!config_is_sound(config)) {
        return false;
    }
    if (ops->load(context, &device->state) != CAMERA_OK || !device_state_is_sound(&device->state)) {
        return false;
    }
    device->config = config;
    device->ops = ops;
    device->context = context;
    return true;
}

// ---- requests without a part of their own -------------------------------------------------------

static size_t payload_limit(const struct device *device) {
    return device->config->max_payload != 0 ? device->config->max_payload : DEVICE_PAYLOAD_MAX;
}

static void handle_hello(struct device *device, const struct frame *frame,
                         const struct message *request, struct message *answer) {
    uint32_t offer = request->hello.max_payload;
    if (offer < OFFER_MIN) {
        device_fail(answer, CAMERA_MALFORMED, "max_payload is too small");
        return;
    }
    if (!device->has_session || device->session != frame->session) {
        device->has_session = true;
        device->session = frame->session;
        device->stage.credential = 0;
        // Work goes on: the station's next GENERATE_KEY with its job_id finds it.
        device->generation.awaited = false;
    }
    device->max_payload = offer < payload_limit(device) ? offer : payload_limit(device);
    answer->hello.max_payload = (uint32_t)device->max_payload;
}

static void fill_credential(const struct device *device, uint8_t number,
                            struct message_credential *out) {
    const struct device_credential *credential = &device->state.credentials[number - 1];
    out->number = number;
    out->state = credential->state;
    out->has_key = credential->state != CREDENTIAL_EMPTY;
    // An empty credential tells which type it would get first.
    out->key_type = out->has_key ? credential->key_type : device->config->key_types[0];
    memcpy(out->spki_sha256, credential->spki_sha256, sizeof out->spki_sha256);
    memcpy(out->job_id, credential->job_id, sizeof out->job_id);
}

static void handle_info(const struct device *device, struct message *answer) {
    const struct device_config *config = device->config;
    struct message_info *info = &answer->info;
    memset(info, 0, sizeof *info);
    text_copy(info->serial, sizeof info->serial, config->serial);
    text_copy(info->model, sizeof info->model, config->model);
    text_copy(info->firmware, sizeof info->firmware, config->firmware);
    info->hardware_id_length = config->hardware_id.length;
    if (config->hardware_id.length > 0) {
        memcpy(info->hardware_id, config->hardware_id.data, config->hardware_id.length);
    }
    info->lifecycle = device->state.lifecycle;
    info->credential_count = config->credential_count;
    for (uint8_t number = 1; number <= config->credential_count; number++) {
        fill_credential(device, number, &info->credentials[number - 1]);
    }
    info->key_type_count = config->key_type_count;
    memcpy(info->key_types, config->key_types, config->key_type_count);
    memcpy(info->boot_id, config->boot_id, sizeof info->boot_id);
}

static void handle_abort(struct device *device) {
    device->stage.credential = 0;
    device_cancel_generation(device);
}

static void handle_identify(struct device *device, const struct message *request,
                            struct message *answer) {
    if (device->ops->identify == NULL) {
        device_fail(answer, CAMERA_UNSUPPORTED_OP, NULL);
        return;
    }
    enum camera_error code = device->ops->identify(device->context, request->identify.seconds);
    if (code != CAMERA_OK) {
        device_fail(answer, code, NULL);
    }
}

// ---- sessions, repeats, dispatch ----------------------------------------------------------------

static bool runs_beside_generation(enum message_op op) {
    return op == OP_HELLO || op == OP_INFO || op == OP_GENERATE_KEY || op == OP_ABORT ||
           op == OP_IDENTIFY;
}

static void dispatch(struct device *device, int64_t now_ms, const struct frame *frame,
                     const struct message *request, struct message *answer) {
    if (device->generation.running && !runs_beside_generation(request->op)) {
        device_fail(answer, CAMERA_BUSY, NULL);
        device_fail_detail(answer, DEVICE_RETRY_AFTER_MS);
        return;
    }
    switch (request->op) {
    case OP_HELLO:
        handle_hello(device, frame, request, answer);
        break;
    case OP_INFO:
        handle_info(device, answer);
        break;
    case OP_GENERATE_KEY:
        device_handle_generate_key(device, now_ms, frame, request, answer);
        break;
    case OP_READ:
        device_handle_read(device, request, answer);
        break;
    case OP_WRITE:
        device_handle_write(device, request, answer);
        break;
    case OP_COMMIT:
        device_handle_commit(device, frame, request, answer);
        break;
    case OP_PROVE:
        device_handle_prove(device, frame, request, answer);
        break;
    case OP_FINISH:
        device_handle_finish(device, request, answer);
        break;
    case OP_ABORT:
        handle_abort(device);
        break;
    case OP_IDENTIFY:
        handle_identify(device, request, answer);
        break;
    case OP_RESTART:
        if (device->ops->restart == NULL) {
            device_fail(answer, CAMERA_UNSUPPORTED_OP, NULL);
        }
        break;
    default:
        device_fail(answer, CAMERA_UNSUPPORTED_OP, NULL);
        break;
    }
}

static void refuse(struct device *device, const struct frame *frame, enum camera_error code) {
    struct message answer = {.op = (enum message_op)frame->op};
    device_fail(&answer, code, NULL);
    device_send(device, frame->session, frame->sequence, &answer);
}

static bool is_repeat(const struct device *device, const struct frame *frame, uint32_t crc) {
    return device->has_session && frame->session == device->session &&
           frame->sequence == device->sequence && frame->op == device->op &&
           crc == device->request_crc;
}

// Sends what the first copy of this request got. False where that is not kept: to do it again is
// harmless by the rules of each operation.
static bool answer_repeat(struct device *device, const struct frame *frame) {
    if (device->generation.running && device->generation.awaited) {
        struct message progress = {.op = OP_GENERATE_KEY};
        device_fill_progress(device, &progress);
        device_send(device, frame->session, frame->sequence, &progress);
        return true;
    }
    if (device->answer_length > 0) {
        device->ops->send(device->context, (struct slice){device->wire, device->answer_length});
        return true;
    }
    return false;
}

static bool is_stale(const struct device *device, const struct frame *frame) {
    // The station counts up by one: a smaller number is an old copy that the line held back. HELLO
    // is the way out of any confusion, and is always heard.
    return frame->op != OP_HELLO && device->has_session && frame->session == device->session &&
           (uint16_t)(frame->sequence - device->sequence) >= 0x8000;
}

static void note_request(struct device *device, const struct frame *frame, uint32_t crc) {
    device->sequence = frame->sequence;
    device->op = frame->op;
    device->request_crc = crc;
    device->answer_length = 0;
    device->generation.awaited = false; // the station has gone on to another request
}

static void execute(struct device *device, int64_t now_ms, const struct frame *frame,
                    uint32_t crc) {
    struct message request;
    enum camera_error code = message_decode(frame, &request);
    if (frame->op == OP_HELLO && code != CAMERA_OK) {
        refuse(device, frame, code); // no session begins
        return;
    }
    note_request(device, frame, crc);
    struct message answer = {.op = (enum message_op)frame->op, .kind = FRAME_RESPONSE};
    if (code != CAMERA_OK) {
        device_fail(&answer, code, NULL);
    } else {
        dispatch(device, now_ms, frame, &request, &answer);
    }
    if (answer.kind == FRAME_REQUEST) {
        return;
    }
    size_t length = device_send(device, frame->session, frame->sequence, &answer);
    bool keep = answer.kind == FRAME_RESPONSE ||
                (answer.kind == FRAME_ERROR && answer.error.code != CAMERA_BUSY);
    device->answer_length = keep ? length : 0;
    if (frame->op == OP_RESTART && answer.kind == FRAME_RESPONSE) {
        device->ops->restart(device->context);
    }
}

static void handle_frame(struct device *device, int64_t now_ms, const struct frame *frame) {
    bool is_current = device->has_session && frame->session == device->session;
    size_t limit = is_current ? device->max_payload : payload_limit(device);
    if (frame->kind != FRAME_REQUEST || frame->payload.length > limit) {
        return;
    }
    if (!is_current && frame->op != OP_HELLO) {
        refuse(device, frame, CAMERA_BAD_SESSION);
        return;
    }
    uint32_t crc = crc32c(0, frame->payload.data, frame->payload.length);
    if (is_repeat(device, frame, crc) && answer_repeat(device, frame)) {
        return;
    }
    if (!is_stale(device, frame)) {
        execute(device, now_ms, frame, crc);
    }
}

// ---- the outside --------------------------------------------------------------------------------

void device_receive(struct device *device, int64_t now_ms, struct slice bytes) {
    while (device->config != NULL && bytes.length > 0) {
        struct frame frame;
        bool found = false;
        size_t consumed = frame_decoder_feed(&device->decoder, bytes, &frame, &found);
        bytes.data += consumed;
        bytes.length -= consumed;
        if (found) {
            handle_frame(device, now_ms, &frame);
        }
    }
}

int64_t device_poll(struct device *device, int64_t now_ms) {
    if (!device->generation.running) {
        return DEVICE_NO_WAIT;
    }
    return device_advance_generation(device, now_ms);
}

void device_hangup(struct device *device) {
    frame_decoder_reset(&device->decoder);
}

const struct device_state *device_stored(const struct device *device) {
    return &device->state;
}
