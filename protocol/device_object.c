// SPDX-License-Identifier: Apache-2.0
// Objects and what is done with them: READ, WRITE, COMMIT, PROVE, FINISH.
#include <string.h>

#include "protocol/device_parts.h"

// What READ's response takes beside its data: the map's head, three keys, two integers and the
// byte string's head, each at its longest.
#define READ_OVERHEAD 17

#define PROVE_LABEL "birthcert-prove-v1" // its final NUL is signed too

static bool is_locked(const struct device *device) {
    return device->state.lifecycle == LIFECYCLE_LOCKED;
}

static void fail_offset(struct message *answer, const char *after, uint32_t offset,
                        uint32_t wanted) {
    device_fail_number(answer, CAMERA_BAD_OFFSET, "offset", offset, after);
    device_fail_detail(answer, wanted);
}

static void fail_no_certificate(struct message *answer, uint8_t number) {
    device_fail_number(answer, CAMERA_BAD_CERTIFICATE, "credential", number, "has no certificate");
}

// ---- READ ---------------------------------------------------------------------------------------

static void read_stored(struct device *device, const struct message *request, uint32_t total,
                        size_t capacity, struct message *answer) {
    uint32_t offset = request->read.offset;
    if (offset > total) {
        fail_offset(answer, "is past the end", offset, total);
        return;
    }
    size_t length = total - offset;
    length = length < capacity ? length : capacity;
    enum camera_error code =
        length == 0
            ? CAMERA_OK
            : device->ops->read_object(device->context, (enum object_type)request->read.object,
                                       request->read.credential, offset, device->wire, length);
    if (code != CAMERA_OK) {
        device_fail(answer, code, NULL);
        return;
    }
    answer->data.offset = offset;
    answer->data.total = total;
    answer->data.data = (struct slice){device->wire, length};
}

static void read_attestation(struct device *device, const struct message *request, size_t capacity,
                             struct message *answer) {
    if (device->ops->read_attestation == NULL) {
        device_fail(answer, CAMERA_UNSUPPORTED_OP, "this camera has no attestation statement");
        return;
    }
    uint32_t offset = request->read.offset;
    size_t length = 0;
    uint32_t total = 0;
    enum camera_error code = device->ops->read_attestation(
        device->context, request->read.credential, offset, device->wire, capacity, &length, &total);
    if (code == CAMERA_OK && (length > capacity || total > MESSAGE_OBJECT_MAX)) {
        code = CAMERA_INTERNAL;
    }
    if (code != CAMERA_OK) {
        device_fail(answer, code, NULL);
    } else if (offset > total) {
        fail_offset(answer, "is past the end", offset, total);
    } else {
        answer->data.offset = offset;
        answer->data.total = total;
        answer->data.data = (struct slice){device->wire, length};
    }
}

// The data goes into device->wire, which holds no answer now, from there into the payload, and only
// then the frame is written over it.
void device_handle_read(struct device *device, const struct message *request,
                        struct message *answer) {
    size_t capacity = device->max_payload - READ_OVERHEAD;
    capacity = request->read.length < capacity ? request->read.length : capacity;
    uint8_t number = request->read.credential;
    bool is_stored = request->read.object == OBJECT_CSR || request->read.object == OBJECT_CHAIN;
    const struct device_credential *credential =
        device_credential(device, number, is_stored, answer);
    if (credential == NULL) {
        return;
    }
    switch (request->read.object) {
    case OBJECT_CSR:
        read_stored(device, request, credential->csr_size, capacity, answer);
        break;
    case OBJECT_CHAIN:
        if (credential->state != CREDENTIAL_INSTALLED) {
            fail_no_certificate(answer, number);
        } else {
            read_stored(device, request, credential->chain_size, capacity, answer);
        }
        break;
    case OBJECT_ATTESTATION:
        read_attestation(device, request, capacity, answer);
        break;
    default:
        device_fail_number(answer, CAMERA_MALFORMED, "there is no object", request->read.object,
                           "");
        break;
    }
}

// ---- WRITE --------------------------------------------------------------------------------------

static bool chain_may_change(const struct device *device, uint8_t object, uint8_t number,
                             struct message *answer) {
    if (is_locked(device)) {
        device_fail(answer, CAMERA_LOCKED, NULL);
        return false;
    }
    if (object != OBJECT_CHAIN) {
        device_fail_number(answer, CAMERA_MALFORMED, "object", object, "cannot be written");
        return false;
    }
    return device_credential(device, number, true, answer) != NULL;
}

static uint32_t staged_bytes(const struct device *device, uint8_t number) {
    return device->stage.credential == number ? device->stage.received : 0;
}

void device_handle_write(struct device *device, const struct message *request,
                         struct message *answer) {
    uint32_t offset = request->write.offset;
    uint32_t total = request->write.total;
    struct slice data = request->write.data;
    uint8_t number = request->write.credential;
    if (!chain_may_change(device, request->write.object, number, answer)) {
        return;
    }
    if (total > DEVICE_CHAIN_MAX) {
        device_fail_number(answer, CAMERA_TOO_LARGE, "the object is larger than", DEVICE_CHAIN_MAX,
                           "bytes");
        return;
    }
    if (offset > total || data.length > total - offset) {
        device_fail(answer, CAMERA_MALFORMED, "the data is longer than the object");
        return;
    }
    if (offset == 0) {
        device->stage.credential = number;
        device->stage.total = total;
        device->stage.received = 0;
    }
    uint32_t received = staged_bytes(device, number);
    if (offset > received || (offset > 0 && device->stage.total != total)) {
        // Another total is another object, which begins at 0.
        uint32_t wanted = device->stage.total == total ? received : 0;
        fail_offset(answer, "is past the end", offset, wanted);
        return;
    }
    if (data.length > 0) {
        memcpy(&device->stage.data[offset], data.data, data.length);
    }
    uint32_t end = offset + (uint32_t)data.length;
    device->stage.received = end > received ? end : received;
    answer->written.next_offset = device->stage.received;
}

// ---- COMMIT -------------------------------------------------------------------------------------

static void drop_stage(struct device *device) {
    device->stage.credential = 0;
}

static struct slice staged(const struct device *device) {
    return (struct slice){device->stage.data, device->stage.total};
}

static void hash(const struct device *device, struct slice data, uint8_t digest[SHA256_SIZE]) {
    device->ops->sha256(device->context, data, digest);
}

static void keep_chain(struct device *device, uint8_t number, size_t leaf_length,
                       const uint8_t chain_sha256[SHA256_SIZE], struct message *answer) {
    struct slice chain = staged(device);
    struct device_state state = device->state;
    struct device_credential *credential = &state.credentials[number - 1];
    credential->state = CREDENTIAL_INSTALLED;
    credential->chain_size = (uint32_t)chain.length;
    memcpy(credential->chain_sha256, chain_sha256, SHA256_SIZE);
    hash(device, (struct slice){chain.data, leaf_length}, credential->leaf_sha256);

    enum camera_error code = device->ops->keep_chain(device->context, number, chain, &state);
    if (code != CAMERA_OK) {
        // What is staged stays: another COMMIT tries again, or finds it stored after all.
        device_reload(device);
        device_fail(answer, code, NULL);
        return;
    }
    device->state = state;
    drop_stage(device);
}

static void commit_staged(struct device *device, const struct message *request,
                          struct message *answer) {
    uint8_t number = request->commit.credential;
    uint8_t digest[SHA256_SIZE];
    uint8_t spki_sha256[SHA256_SIZE] = {0};
    size_t leaf_length = 0;
    hash(device, staged(device), digest);
    if (memcmp(digest, request->commit.sha256, SHA256_SIZE) != 0) {
        drop_stage(device);
        device_fail(answer, CAMERA_HASH_MISMATCH, NULL);
        return;
    }
    enum camera_error code =
        device->ops->certificate_check(device->context, staged(device), spki_sha256, &leaf_length);
    if (code == CAMERA_OK && (leaf_length == 0 || leaf_length > device->stage.total)) {
        code = CAMERA_BAD_CERTIFICATE;
    }
    const uint8_t *own = device->state.credentials[number - 1].spki_sha256;
    if (code == CAMERA_OK && memcmp(spki_sha256, own, SHA256_SIZE) != 0) {
        code = CAMERA_KEY_MISMATCH;
    }
    if (code != CAMERA_OK) {
        drop_stage(device);
        device_fail(answer, code, NULL);
        return;
    }
    keep_chain(device, number, leaf_length, digest, answer);
}

static void announce(struct device *device, const struct frame *frame, uint32_t block_ms) {
    if (block_ms > DEVICE_SILENCE_ALLOWED_MS) {
        device_send_silence(device, frame, block_ms + DEVICE_SILENCE_MARGIN_MS);
    }
}

void device_handle_commit(struct device *device, const struct frame *frame,
                          const struct message *request, struct message *answer) {
    uint8_t number = request->commit.credential;
    if (!chain_may_change(device, request->commit.object, number, answer)) {
        return;
    }
    const struct device_credential *credential = &device->state.credentials[number - 1];
    memcpy(answer->committed.sha256, request->commit.sha256, SHA256_SIZE);
    if (credential->state == CREDENTIAL_INSTALLED &&
        memcmp(credential->chain_sha256, request->commit.sha256, SHA256_SIZE) == 0) {
        return;
    }
    uint32_t received = staged_bytes(device, number);
    if (device->stage.credential != number || received < device->stage.total) {
        device_fail_number(answer, CAMERA_BAD_OFFSET, "only", received, "bytes were written");
        device_fail_detail(answer, received);
        return;
    }
    announce(device, frame, device->config->store_block_ms);
    commit_staged(device, request, answer);
}

// ---- PROVE, FINISH ------------------------------------------------------------------------------

void device_handle_prove(struct device *device, const struct frame *frame,
                         const struct message *request, struct message *answer) {
    uint8_t number = request->prove.credential;
    const struct device_credential *credential = device_credential(device, number, true, answer);
    if (credential == NULL) {
        return;
    }
    if (credential->state != CREDENTIAL_INSTALLED) {
        fail_no_certificate(answer, number);
        return;
    }
    uint8_t message[sizeof PROVE_LABEL + SHA256_SIZE + MESSAGE_NONCE_SIZE];
    memcpy(message, PROVE_LABEL, sizeof PROVE_LABEL);
    memcpy(&message[sizeof PROVE_LABEL], credential->leaf_sha256, SHA256_SIZE);
    memcpy(&message[sizeof PROVE_LABEL + SHA256_SIZE], request->prove.nonce, MESSAGE_NONCE_SIZE);

    announce(device, frame, device->config->sign_block_ms);
    size_t length = 0;
    enum signature_algorithm algorithm = SIGNATURE_ECDSA_SHA256;
    enum camera_error code =
        device->ops->sign(device->context, number, (struct slice){message, sizeof message},
                          device->wire, &length, &algorithm);
    if (code == CAMERA_OK && (length == 0 || length > DEVICE_SIGNATURE_MAX)) {
        code = CAMERA_INTERNAL;
    }
    if (code != CAMERA_OK) {
        device_fail(answer, code, NULL);
        return;
    }
    answer->proof.signature = (struct slice){device->wire, length};
    answer->proof.signature_algorithm = (uint8_t)algorithm;
    memcpy(answer->proof.certificate_sha256, credential->leaf_sha256, SHA256_SIZE);
}

static bool has_certificate(const struct device *device) {
    for (size_t i = 0; i < device->config->credential_count; i++) {
        if (device->state.credentials[i].state == CREDENTIAL_INSTALLED) {
            return true;
        }
    }
    return false;
}

void device_handle_finish(struct device *device, const struct message *request,
                          struct message *answer) {
    uint8_t wanted = request->finish.lock ? LIFECYCLE_LOCKED : LIFECYCLE_PROVISIONED;
    if (device->state.lifecycle != wanted && !is_locked(device)) {
        if (!has_certificate(device)) {
            // A lock is for good: a camera without a certificate could never get one.
            device_fail(answer, CAMERA_BAD_CERTIFICATE, "no credential has a certificate");
            return;
        }
        struct device_state state = device->state;
        state.lifecycle = wanted;
        enum camera_error code = device->ops->keep_lifecycle(device->context, &state);
        if (code != CAMERA_OK) {
            device_reload(device);
            device_fail(answer, code, NULL);
            return;
        }
        device->state = state;
    }
    answer->finished.lifecycle = device->state.lifecycle;
}
