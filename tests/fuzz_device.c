// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes into the camera's half. The first byte of the input chooses: as they come on the
// line, or cut into pieces that become the payloads of well-formed frames of the session.
#include <stdlib.h>
#include <string.h>

#include "protocol/device.h"

struct fuzz_camera {
    struct device device;
    struct device_state state;
    uint8_t chain[DEVICE_CHAIN_MAX];
    int64_t now_ms;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth) {
    if (!truth) {
        abort();
    }
}

static void fuzz_send(void *context, struct slice bytes) {
    (void)context;
    uint8_t buffer[FRAME_WIRE_MAX(DEVICE_PAYLOAD_MAX)];
    struct frame_decoder decoder;
    struct frame frame;
    bool found = false;
    frame_decoder_init(&decoder, buffer, sizeof buffer);
    frame_decoder_feed(&decoder, bytes, &frame, &found);
    expect(found && frame.kind != FRAME_REQUEST);
    struct message message;
    enum camera_error code = message_decode(&frame, &message);
    expect(code == CAMERA_OK || code == CAMERA_UNSUPPORTED_OP);
}

static enum camera_error fuzz_load(void *context, struct device_state *state) {
    *state = ((struct fuzz_camera *)context)->state;
    return CAMERA_OK;
}

static enum camera_error fuzz_keep_key(void *context, uint8_t credential,
                                       const struct device_state *state) {
    struct fuzz_camera *camera = context;
    expect(credential >= 1 && camera->state.lifecycle != LIFECYCLE_LOCKED);
    camera->state = *state;
    return CAMERA_OK;
}

static enum camera_error fuzz_keep_chain(void *context, uint8_t credential, struct slice chain,
                                         const struct device_state *state) {
    struct fuzz_camera *camera = context;
    expect(camera->state.lifecycle != LIFECYCLE_LOCKED);
    expect(camera->state.credentials[credential - 1].state != CREDENTIAL_EMPTY);
    camera->state = *state;
    memcpy(camera->chain, chain.data, chain.length);
    return CAMERA_OK;
}

static enum camera_error fuzz_keep_lifecycle(void *context, const struct device_state *state) {
    struct fuzz_camera *camera = context;
    expect(camera->state.lifecycle != LIFECYCLE_LOCKED);
    camera->state = *state;
    return CAMERA_OK;
}

static enum camera_error fuzz_read(void *context, enum object_type object, uint8_t credential,
                                   uint32_t offset, uint8_t *out, size_t length) {
    struct fuzz_camera *camera = context;
    const struct device_credential *stored = &camera->state.credentials[credential - 1];
    uint32_t size = object == OBJECT_CSR ? stored->csr_size : stored->chain_size;
    expect(length <= size && offset <= size - length);
    memset(out, 0x42, length);
    return CAMERA_OK;
}

static enum camera_error fuzz_key_start(void *context, uint8_t credential, uint8_t key_type,
                                        struct slice subject, struct device_work *work) {
    (void)context;
    (void)credential;
    (void)key_type;
    work->next_poll_ms = subject.length > 3 ? 700 : 0;
    return CAMERA_OK;
}

static enum camera_error fuzz_key_poll(void *context, struct device_work *work) {
    (void)context;
    work->done = true;
    work->key_csr_size = 500;
    return CAMERA_OK;
}

static enum camera_error fuzz_certificate_check(void *context, struct slice chain,
                                                uint8_t spki_sha256[SHA256_SIZE],
                                                size_t *leaf_length) {
    (void)context;
    (void)spki_sha256; // stays zero, as the fake key's
    *leaf_length = chain.length / 2;
    return chain.length > 2 ? CAMERA_OK : CAMERA_BAD_CERTIFICATE;
}

static enum camera_error fuzz_sign(void *context, uint8_t credential, struct slice message,
                                   uint8_t *signature, size_t *length,
                                   enum signature_algorithm *algorithm) {
    (void)context;
    (void)credential;
    *length = message.length;
    *algorithm = SIGNATURE_ED25519;
    memset(signature, 0x33, message.length);
    return CAMERA_OK;
}

// Any digest that a fuzzer can guess: a COMMIT of zeros goes through.
static void fuzz_sha256(void *context, struct slice data, uint8_t digest[SHA256_SIZE]) {
    (void)context;
    (void)data;
    memset(digest, 0, SHA256_SIZE);
}

static const struct device_ops fuzz_ops = {
    .send = fuzz_send,
    .load = fuzz_load,
    .keep_key = fuzz_keep_key,
    .keep_chain = fuzz_keep_chain,
    .keep_lifecycle = fuzz_keep_lifecycle,
    .read_object = fuzz_read,
    .key_start = fuzz_key_start,
    .key_poll = fuzz_key_poll,
    .certificate_check = fuzz_certificate_check,
    .sign = fuzz_sign,
    .sha256 = fuzz_sha256,
};

static void receive(struct fuzz_camera *camera, struct slice bytes) {
    device_receive(&camera->device, camera->now_ms, bytes);
    int64_t wait_ms = device_poll(&camera->device, camera->now_ms);
    camera->now_ms += wait_ms == DEVICE_NO_WAIT ? 1 : wait_ms;
}

static void receive_payload(struct fuzz_camera *camera, uint8_t op, uint16_t sequence,
                            struct slice payload) {
    uint8_t wire[FRAME_WIRE_MAX(DEVICE_PAYLOAD_MAX)];
    struct frame frame = {
        .kind = FRAME_REQUEST, .op = op, .sequence = sequence, .session = 1, .payload = payload};
    size_t length = frame_encode(wire, sizeof wire, &frame, 0);
    receive(camera, (struct slice){wire, length});
}

// Each piece: op, length (two bytes), payload.
static void receive_pieces(struct fuzz_camera *camera, const uint8_t *data, size_t size) {
    static const uint8_t hello[] = {0xa1, 0x01, 0x19, 0x10, 0x00};
    uint16_t sequence = 1;
    receive_payload(camera, OP_HELLO, sequence++, (struct slice){hello, sizeof hello});
    while (size >= 3) {
        size_t length = load_be16(&data[1]) % (DEVICE_PAYLOAD_MAX + 1);
        length = length < size - 3 ? length : size - 3;
        receive_payload(camera, data[0], sequence++, (struct slice){&data[3], length});
        data += 3 + length;
        size -= 3 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t key_types[] = {KEY_P256};
    static const struct device_config config = {
        .serial = "S",
        .model = "M",
        .firmware = "F",
        .key_types = key_types,
        .key_type_count = 1,
        .credential_count = 2,
    };
    if (size == 0) {
        return 0;
    }
    struct fuzz_camera *camera = calloc(1, sizeof *camera);
    if (camera == NULL || !device_start(&camera->device, &config, &fuzz_ops, camera)) {
        abort();
    }
    if (data[0] % 2 == 0) {
        receive(camera, (struct slice){data + 1, size - 1});
    } else {
        receive_pieces(camera, data + 1, size - 1);
    }
    free(camera);
    return 0;
}
