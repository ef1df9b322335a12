// SPDX-License-Identifier: Apache-2.0
// Key generation: begun by a request, carried on by device_poll, stored, then answered.
#include <string.h>

#include "protocol/device_parts.h"

// Twice as often as the protocol asks for, and the first one before the station repeats its request
// (after 300 ms).
#define PROGRESS_INTERVAL_MS 500
#define FIRST_PROGRESS_MS 250

static struct device_credential *generated_credential(struct device *device) {
    return &device->state.credentials[device->generation.credential - 1];
}

void device_fill_progress(const struct device *device, struct message *answer) {
    const struct device_work *work = &device->generation.work;
    answer->kind = FRAME_PROGRESS;
    memset(&answer->progress, 0, sizeof answer->progress);
    answer->progress.has_percent = work->has_percent;
    answer->progress.percent = work->percent > 100 ? 100 : work->percent;
    uint32_t block_ms = work->block_ms < UINT32_MAX - DEVICE_SILENCE_MARGIN_MS
                            ? work->block_ms
                            : UINT32_MAX - DEVICE_SILENCE_MARGIN_MS;
    answer->progress.max_silence_ms = block_ms + DEVICE_SILENCE_MARGIN_MS;
}

static void fill_generated(const struct device_credential *credential, struct message *answer) {
    answer->kind = FRAME_RESPONSE;
    memcpy(answer->generated.spki_sha256, credential->spki_sha256,
           sizeof answer->generated.spki_sha256);
    answer->generated.csr_size = credential->csr_size;
}

static bool same_job(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, MESSAGE_JOB_ID_SIZE) == 0;
}

static bool key_type_is_offered(const struct device_config *config, uint8_t key_type) {
    return memchr(config->key_types, key_type, config->key_type_count) != NULL;
}

static void wait_for_generation(struct device *device, const struct frame *frame,
                                struct message *answer) {
    device->generation.awaited = true;
    device->generation.session = frame->session;
    device->generation.sequence = frame->sequence;
    device_fill_progress(device, answer);
}

static bool work_is_sound(const struct device_work *work) {
    return work->key_csr_size >= 1 && work->key_csr_size <= MESSAGE_OBJECT_MAX;
}

static void schedule(struct device *device, int64_t now_ms) {
    const struct device_work *work = &device->generation.work;
    device->generation.poll_ms = now_ms + (work->done ? 0 : (int64_t)work->next_poll_ms);
}

static void start_generation(struct device *device, int64_t now_ms, const struct message *request,
                             struct message *answer) {
    struct device_work work = {0};
    enum camera_error code = device->ops->key_start(
        device->context, request->generate_key.credential, request->generate_key.key_type,
        request->generate_key.subject, &work);
    if (code != CAMERA_OK) {
        device_fail(answer, code, NULL);
        return;
    }
    device->generation.running = true;
    device->generation.credential = request->generate_key.credential;
    device->generation.key_type = request->generate_key.key_type;
    memcpy(device->generation.job_id, request->generate_key.job_id, MESSAGE_JOB_ID_SIZE);
    device->generation.work = work;
    device->generation.progress_ms = now_ms + FIRST_PROGRESS_MS;
    schedule(device, now_ms);
}

static bool is_running_job(const struct device *device, const struct message *request) {
    return device->generation.credential == request->generate_key.credential &&
           same_job(device->generation.job_id, request->generate_key.job_id);
}

void device_handle_generate_key(struct device *device, int64_t now_ms, const struct frame *frame,
                                const struct message *request, struct message *answer) {
    uint8_t number = request->generate_key.credential;
    if (device->state.lifecycle == LIFECYCLE_LOCKED) {
        device_fail(answer, CAMERA_LOCKED, NULL);
        return;
    }
    const struct device_credential *credential = device_credential(device, number, false, answer);
    if (credential == NULL) {
        return;
    }
    bool has_key = credential->state != CREDENTIAL_EMPTY;
    if (device->generation.running) {
        if (is_running_job(device, request)) {
            wait_for_generation(device, frame, answer);
            return;
        }
        device_fail(answer, CAMERA_BUSY, NULL);
        device_fail_detail(answer, DEVICE_RETRY_AFTER_MS);
    } else if (has_key && same_job(credential->job_id, request->generate_key.job_id)) {
        fill_generated(credential, answer);
    } else if (has_key && !request->generate_key.replace) {
        device_fail_number(answer, CAMERA_EXISTS, "credential", number, "already has a key");
    } else if (!key_type_is_offered(device->config, request->generate_key.key_type)) {
        device_fail(answer, CAMERA_UNSUPPORTED_KEY, NULL);
    } else {
        start_generation(device, now_ms, request, answer);
        if (device->generation.running) {
            wait_for_generation(device, frame, answer);
            answer->kind = FRAME_REQUEST; // nothing to say yet
        }
    }
}

void device_cancel_generation(struct device *device) {
    if (device->generation.running && device->ops->key_cancel != NULL) {
        device->ops->key_cancel(device->context);
    }
    device->generation.running = false;
}

static void answer_generation(struct device *device, enum camera_error code) {
    const struct device_credential *credential = generated_credential(device);
    device->generation.running = false;
    if (!device->generation.awaited) {
        return;
    }
    struct message answer = {.op = OP_GENERATE_KEY};
    if (code == CAMERA_OK) {
        fill_generated(credential, &answer);
    } else {
        device_fail(&answer, code, NULL);
    }
    device->answer_length =
        device_send(device, device->generation.session, device->generation.sequence, &answer);
}

static void keep_generated(struct device *device) {
    const struct device_work *work = &device->generation.work;
    uint8_t number = device->generation.credential;
    struct device_state state = device->state;
    struct device_credential *credential = &state.credentials[number - 1];
    *credential = (struct device_credential){
        .state = CREDENTIAL_KEY,
        .key_type = device->generation.key_type,
        .csr_size = work->key_csr_size,
    };
    memcpy(credential->job_id, device->generation.job_id, sizeof credential->job_id);
    memcpy(credential->spki_sha256, work->key_spki_sha256, sizeof credential->spki_sha256);
    state.lifecycle = LIFECYCLE_IN_PROGRESS;

    enum camera_error code = work_is_sound(work)
                                 ? device->ops->keep_key(device->context, number, &state)
                                 : CAMERA_INTERNAL;
    if (code == CAMERA_OK) {
        device->state = state;
    } else {
        device_reload(device);
        const struct device_credential *stored = generated_credential(device);
        if (stored->state != CREDENTIAL_EMPTY &&
            same_job(stored->job_id, device->generation.job_id)) {
            code = CAMERA_OK;
        } else {
            device_cancel_generation(device);
        }
    }
    answer_generation(device, code);
}

static void send_progress(struct device *device, int64_t now_ms) {
    if (device->generation.awaited) {
        struct message progress = {.op = OP_GENERATE_KEY};
        device_fill_progress(device, &progress);
        device_send(device, device->generation.session, device->generation.sequence, &progress);
    }
    device->generation.progress_ms = now_ms + PROGRESS_INTERVAL_MS;
}

static void poll_generation(struct device *device, int64_t now_ms) {
    if (device->generation.work.block_ms > DEVICE_SILENCE_ALLOWED_MS) {
        send_progress(device, now_ms);
    }
    struct device_work work = {0};
    enum camera_error code = device->ops->key_poll(device->context, &work);
    if (code != CAMERA_OK) {
        answer_generation(device, code);
        return;
    }
    device->generation.work = work;
    schedule(device, now_ms);
}

int64_t device_advance_generation(struct device *device, int64_t now_ms) {
    if (!device->generation.work.done && now_ms >= device->generation.poll_ms) {
        poll_generation(device, now_ms);
    }
    if (device->generation.running && device->generation.work.done) {
        keep_generated(device);
    }
    if (!device->generation.running) {
        return DEVICE_NO_WAIT;
    }
    if (now_ms >= device->generation.progress_ms) {
        send_progress(device, now_ms);
    }
    int64_t next_ms = device->generation.poll_ms < device->generation.progress_ms
                          ? device->generation.poll_ms
                          : device->generation.progress_ms;
    return next_ms > now_ms ? next_ms - now_ms : 0;
}
