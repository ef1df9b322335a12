// SPDX-License-Identifier: Apache-2.0
#include "tests/support_device_bench.h"

#include <check.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

void device_bench_sha256(void *context, struct slice data, uint8_t digest[SHA256_SIZE]) {
    (void)context;
    SHA256(data.data, data.length, digest);
}

// ---- power --------------------------------------------------------------------------------------

static void cut(struct device_bench *bench) {
    bench->power_is_cut = true;
    longjmp(bench->cut, 1);
}

static void begin_callback(struct device_bench *bench) {
    if (bench->cut_countdown == 0 && !bench->cut_after) {
        cut(bench);
    }
}

static void end_callback(struct device_bench *bench) {
    if (bench->cut_countdown == 0 && bench->cut_after) {
        cut(bench);
    }
    if (bench->cut_countdown > 0) {
        bench->cut_countdown--;
    }
}

void device_bench_cut_power(struct device_bench *bench, int callbacks, bool after) {
    bench->cut_countdown = callbacks;
    bench->cut_after = after;
}

void device_bench_power_cycle(struct device_bench *bench) {
    bench->power_is_cut = false;
    bench->cut_countdown = -1;
    memset(&bench->device, 0xa5, sizeof bench->device);
    ck_assert(device_start(&bench->device, &bench->config, &bench->ops, bench));
}

// ---- the camera's callbacks ---------------------------------------------------------------------

static void receive_answer(struct device_bench *bench, struct slice bytes) {
    struct frame_decoder decoder;
    struct frame frame;
    bool found = false;
    frame_decoder_init(&decoder, bench->decoding, sizeof bench->decoding);
    frame_decoder_feed(&decoder, bytes, &frame, &found);
    ck_assert(found);
    ck_assert_uint_eq(frame.session, bench->session);
    ck_assert_uint_eq(frame.sequence, bench->sequence);
    ck_assert_int_eq(message_decode(&frame, &bench->answer), CAMERA_OK);
    bench->has_answer = true;
    if (frame.kind == FRAME_PROGRESS) {
        bench->progress = bench->answer;
        bench->progress_sent++;
    }
}

static void fake_send(void *context, struct slice bytes) {
    struct device_bench *bench = context;
    begin_callback(bench);
    ck_assert_uint_le(bytes.length, sizeof bench->sent);
    memcpy(bench->sent, bytes.data, bytes.length);
    bench->sent_length = bytes.length;
    receive_answer(bench, bytes);
    end_callback(bench);
}

static enum camera_error fake_load(void *context, struct device_state *state) {
    struct device_bench *bench = context;
    begin_callback(bench);
    *state = bench->stored.state;
    end_callback(bench);
    return bench->load_code;
}

static bool keeps(const struct device_bench *bench) {
    return bench->keep_code == CAMERA_OK || bench->keep_nevertheless;
}

static enum camera_error fake_keep_key(void *context, uint8_t credential,
                                       const struct device_state *state) {
    struct device_bench *bench = context;
    begin_callback(bench);
    if (keeps(bench)) {
        bench->stored.state = *state;
        memset(bench->stored.csr[credential - 1], 0xc0 + bench->keys_made, DEVICE_BENCH_CSR_SIZE);
        memset(bench->stored.chain[credential - 1], 0, DEVICE_CHAIN_MAX);
        bench->keys_kept++;
    }
    end_callback(bench);
    return bench->keep_code;
}

static enum camera_error fake_keep_chain(void *context, uint8_t credential, struct slice chain,
                                         const struct device_state *state) {
    struct device_bench *bench = context;
    begin_callback(bench);
    if (keeps(bench)) {
        bench->stored.state = *state;
        memcpy(bench->stored.chain[credential - 1], chain.data, chain.length);
        bench->chains_kept++;
    }
    end_callback(bench);
    return bench->keep_code;
}

static enum camera_error fake_keep_lifecycle(void *context, const struct device_state *state) {
    struct device_bench *bench = context;
    begin_callback(bench);
    if (keeps(bench)) {
        bench->stored.state = *state;
    }
    end_callback(bench);
    return bench->keep_code;
}

static enum camera_error fake_read_object(void *context, enum object_type object,
                                          uint8_t credential, uint32_t offset, uint8_t *out,
                                          size_t length) {
    struct device_bench *bench = context;
    const struct device_credential *stored = &bench->stored.state.credentials[credential - 1];
    size_t size = object == OBJECT_CSR ? stored->csr_size : stored->chain_size;
    ck_assert_uint_le(offset + length, size);
    const uint8_t *data = object == OBJECT_CSR ? bench->stored.csr[credential - 1]
                                               : bench->stored.chain[credential - 1];
    memcpy(out, data + offset, length);
    return bench->read_code;
}

static void fill_work(const struct device_bench *bench, struct device_work *work) {
    work->next_poll_ms = (uint32_t)(bench->key_done_ms - bench->now_ms);
    work->block_ms = bench->key_block_ms;
    work->has_percent = true;
    work->percent = 40;
}

static enum camera_error fake_key_start(void *context, uint8_t credential, uint8_t key_type,
                                        struct slice subject, struct device_work *work) {
    struct device_bench *bench = context;
    (void)credential;
    (void)key_type;
    (void)subject;
    begin_callback(bench);
    bench->keys_started++;
    bench->key_done_ms = bench->now_ms + bench->key_ms;
    fill_work(bench, work);
    end_callback(bench);
    return CAMERA_OK;
}

static enum camera_error fake_key_poll(void *context, struct device_work *work) {
    struct device_bench *bench = context;
    begin_callback(bench);
    if (bench->now_ms < bench->key_done_ms) {
        fill_work(bench, work);
    } else if (bench->key_code == CAMERA_OK) {
        bench->keys_made++;
        work->done = true;
        work->key_csr_size = DEVICE_BENCH_CSR_SIZE;
        uint8_t seed = (uint8_t)bench->keys_made;
        device_bench_sha256(NULL, (struct slice){&seed, 1}, work->key_spki_sha256);
    }
    end_callback(bench);
    return bench->key_code;
}

static void fake_key_cancel(void *context) {
    ((struct device_bench *)context)->keys_cancelled++;
}

static enum camera_error fake_certificate_check(void *context, struct slice chain,
                                                uint8_t spki_sha256[SHA256_SIZE],
                                                size_t *leaf_length) {
    struct device_bench *bench = context;
    begin_callback(bench);
    if (chain.length >= SHA256_SIZE) {
        memcpy(spki_sha256, chain.data, SHA256_SIZE);
    }
    *leaf_length = DEVICE_BENCH_LEAF_SIZE;
    end_callback(bench);
    return CAMERA_OK;
}

static enum camera_error fake_sign(void *context, uint8_t credential, struct slice message,
                                   uint8_t *signature, size_t *length,
                                   enum signature_algorithm *algorithm) {
    struct device_bench *bench = context;
    begin_callback(bench);
    bench->signatures++;
    const struct device_credential *stored = &bench->stored.state.credentials[credential - 1];
    memcpy(signature, stored->spki_sha256, SHA256_SIZE);
    memcpy(signature + SHA256_SIZE, message.data, message.length);
    *length = SHA256_SIZE + message.length;
    *algorithm = SIGNATURE_ECDSA_SHA256;
    end_callback(bench);
    return CAMERA_OK;
}

static enum camera_error fake_read_attestation(void *context, uint8_t credential, uint32_t offset,
                                               uint8_t *out, size_t capacity, size_t *length,
                                               uint32_t *total) {
    (void)context;
    (void)credential;
    static const char statement[] = "0123456789";
    *total = 10;
    *length = offset < 10 ? 10 - offset : 0;
    *length = *length < capacity ? *length : capacity;
    memcpy(out, statement + 10 - *length, *length);
    return CAMERA_OK;
}

static enum camera_error fake_identify(void *context, uint32_t seconds) {
    ((struct device_bench *)context)->blinks_s = seconds;
    return CAMERA_OK;
}

static void fake_restart(void *context) {
    ((struct device_bench *)context)->restarts++;
}

static const struct device_ops fake_ops = {
    .send = fake_send,
    .load = fake_load,
    .keep_key = fake_keep_key,
    .keep_chain = fake_keep_chain,
    .keep_lifecycle = fake_keep_lifecycle,
    .read_object = fake_read_object,
    .key_start = fake_key_start,
    .key_poll = fake_key_poll,
    .key_cancel = fake_key_cancel,
    .certificate_check = fake_certificate_check,
    .sign = fake_sign,
    .sha256 = device_bench_sha256,
};

// ---- the bench ----------------------------------------------------------------------------------

struct device_bench *device_bench_new(void) {
    static const uint8_t key_types[] = {KEY_P256, KEY_RSA_2048};
    static const uint8_t hardware_id[] = {0, 0x23, 0xa1, 0xb2, 0xc3, 5};
    struct device_bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        return NULL;
    }
    bench->ops = fake_ops;
    bench->config = (struct device_config){
        .serial = "CAM-0001",
        .model = "A camera in a test",
        .firmware = "1.0",
        .hardware_id = {hardware_id, sizeof hardware_id},
        .key_types = key_types,
        .key_type_count = sizeof key_types,
        .credential_count = DEVICE_BENCH_CREDENTIALS,
        .boot_id = {1, 2, 3, 4, 5, 6, 7, 8},
        .max_payload = DEVICE_BENCH_PAYLOAD,
    };
    device_bench_power_cycle(bench);
    return bench;
}

void device_bench_free(struct device_bench *bench) {
    free(bench);
}

void device_bench_add_options(struct device_bench *bench) {
    bench->ops.identify = fake_identify;
    bench->ops.restart = fake_restart;
    bench->ops.read_attestation = fake_read_attestation;
    device_bench_power_cycle(bench);
}

struct slice device_bench_chain(struct device_bench *bench,
                                const uint8_t spki_sha256[SHA256_SIZE]) {
    for (size_t i = 0; i < sizeof bench->chain; i++) {
        bench->chain[i] = (uint8_t)(i * 7);
    }
    memcpy(bench->chain, spki_sha256, SHA256_SIZE);
    return (struct slice){bench->chain, sizeof bench->chain};
}

static const struct message *answer_or_null(const struct device_bench *bench) {
    return bench->has_answer ? &bench->answer : NULL;
}

static void feed(struct device_bench *bench) {
    size_t step = bench->byte_by_byte ? 1 : bench->request_length;
    for (size_t i = 0; i < bench->request_length; i += step) {
        device_receive(&bench->device, bench->now_ms, (struct slice){&bench->request[i], step});
    }
    bench->wait_ms = device_poll(&bench->device, bench->now_ms);
}

const struct message *device_bench_repeat(struct device_bench *bench) {
    bench->has_answer = false;
    bench->sent_length = 0;
    if (bench->power_is_cut || setjmp(bench->cut) != 0) {
        return NULL;
    }
    feed(bench);
    return answer_or_null(bench);
}

const struct message *device_bench_ask_raw(struct device_bench *bench, uint8_t op,
                                           const void *payload, size_t length) {
    struct frame frame = {
        .kind = bench->kind,
        .op = op,
        .sequence = ++bench->sequence,
        .session = bench->session,
        .payload = {payload, length},
    };
    bench->request_length = frame_encode(bench->request, sizeof bench->request, &frame, 0);
    ck_assert_uint_gt(bench->request_length, 0);
    return device_bench_repeat(bench);
}

const struct message *device_bench_ask_once(struct device_bench *bench, struct message request) {
    uint8_t payload[DEVICE_BENCH_PAYLOAD];
    request.kind = FRAME_REQUEST;
    size_t length = message_encode(payload, sizeof payload, &request);
    ck_assert_uint_gt(length, 0);
    return device_bench_ask_raw(bench, (uint8_t)request.op, payload, length);
}

const struct message *device_bench_step(struct device_bench *bench) {
    bench->has_answer = false;
    if (bench->power_is_cut || setjmp(bench->cut) != 0) {
        return NULL;
    }
    if (bench->wait_ms != DEVICE_NO_WAIT) {
        bench->now_ms += bench->wait_ms;
    }
    bench->wait_ms = device_poll(&bench->device, bench->now_ms);
    return answer_or_null(bench);
}

const struct message *device_bench_wait(struct device_bench *bench) {
    const struct message *answer = NULL;
    while (!bench->power_is_cut && bench->wait_ms != DEVICE_NO_WAIT) {
        answer = device_bench_step(bench);
    }
    return answer != NULL && answer->kind != FRAME_PROGRESS ? answer : NULL;
}

const struct message *device_bench_ask(struct device_bench *bench, struct message request) {
    const struct message *answer = device_bench_ask_once(bench, request);
    bool is_answered = answer != NULL && answer->kind != FRAME_PROGRESS;
    if (!is_answered) {
        answer = device_bench_wait(bench);
    }
    return answer;
}
