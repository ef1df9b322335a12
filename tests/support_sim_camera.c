// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "tests/support_sim.h"

// Toy formats. Key: 32 random bytes; its "SPKI hash" is the hash of it. CSR: "CSR" spki serial.
// Chain: "C" spki number(8) serial-length serial, then filling, so that it takes several WRITEs.
// Signature: the hash of spki and message; who checks it needs the public part only.

#define LEAF_HEAD (1 + SHA256_SIZE + 8 + 1)
#define FILLING 700

static void spki_of(const uint8_t key[SIM_KEY_SIZE], uint8_t spki[SHA256_SIZE]) {
    sim_hash((struct slice){key, SIM_KEY_SIZE}, spki);
}

size_t sim_make_chain(uint8_t *out, const uint8_t spki[SHA256_SIZE], const char *serial,
                      uint64_t number) {
    size_t length = strlen(serial);
    out[0] = 'C';
    memcpy(out + 1, spki, SHA256_SIZE);
    store_be64(out + 1 + SHA256_SIZE, number);
    out[LEAF_HEAD - 1] = (uint8_t)length;
    memcpy(out + LEAF_HEAD, serial, length);
    memset(out + LEAF_HEAD + length, (int)(number & 0x7f), FILLING);
    return LEAF_HEAD + length + FILLING;
}

const uint8_t *sim_chain_spki(struct slice chain) {
    return chain.data + 1;
}

uint64_t sim_chain_number(struct slice chain) {
    return load_be64(chain.data + 1 + SHA256_SIZE);
}

bool sim_chain_names(struct slice chain, const char *serial) {
    size_t length = strlen(serial);
    return chain.data[LEAF_HEAD - 1] == length &&
           memcmp(chain.data + LEAF_HEAD, serial, length) == 0;
}

static struct slice leaf_of(struct slice chain) {
    if (chain.length < LEAF_HEAD || chain.length < LEAF_HEAD + (size_t)chain.data[LEAF_HEAD - 1]) {
        return (struct slice){0};
    }
    return (struct slice){chain.data, LEAF_HEAD + (size_t)chain.data[LEAF_HEAD - 1]};
}

// Counts a callback; true when the power is gone, now or since an earlier one.
static bool power_gone(struct sim_camera *camera) {
    if (camera->cut_in > 0 && --camera->cut_in == 0) {
        camera->powered = false;
        camera->cut_in = -1;
        struct sim *sim = camera->sim;
        sim_trace(sim, "%s loses power", camera->serial);
        sim_schedule(sim, sim->now_ms + sim_between(sim, 100, 3000), SIM_CAMERA_POWER,
                     camera->index, 0, NULL, 0);
    }
    return !camera->powered;
}

static void camera_send(void *context, struct slice bytes) {
    struct sim_camera *camera = context;
    struct sim *sim = camera->sim;
    if (power_gone(camera)) {
        return;
    }
    sim_hostile_answer(camera, &bytes);
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        struct sim_slot *slot = &sim->slots[i];
        if (slot->camera == camera->index) {
            int64_t at_ms = sim->now_ms + sim_between(sim, 1, 12);
            slot->to_station_ms = at_ms > slot->to_station_ms ? at_ms : slot->to_station_ms;
            sim_schedule(sim, slot->to_station_ms, SIM_TO_STATION, i, slot->epoch, bytes.data,
                         bytes.length);
        }
    }
}

static enum camera_error camera_load(void *context, struct device_state *state) {
    struct sim_camera *camera = context;
    *state = camera->stored;
    return CAMERA_OK;
}

static enum camera_error camera_keep_key(void *context, uint8_t credential,
                                         const struct device_state *state) {
    struct sim_camera *camera = context;
    if (power_gone(camera)) {
        return CAMERA_STORAGE;
    }
    uint8_t spki[SHA256_SIZE];
    spki_of(camera->keys[credential - 1], spki);
    if (sim_ca_count(camera->sim, spki) > 0) {
        sim_fail(camera->sim, "%s gave up a key that has a certificate", camera->serial);
    }
    memcpy(camera->keys[credential - 1], camera->new_key, SIM_KEY_SIZE);
    camera->stored = *state;
    return power_gone(camera) ? CAMERA_STORAGE : CAMERA_OK;
}

// I3 is judged here, by the world: what a camera stores must be its own.
static enum camera_error camera_keep_chain(void *context, uint8_t credential, struct slice chain,
                                           const struct device_state *state) {
    struct sim_camera *camera = context;
    if (power_gone(camera)) {
        return CAMERA_STORAGE;
    }
    uint8_t spki[SHA256_SIZE];
    spki_of(camera->keys[credential - 1], spki);
    if (leaf_of(chain).length == 0 || memcmp(sim_chain_spki(chain), spki, SHA256_SIZE) != 0 ||
        !sim_chain_names(chain, camera->serial)) {
        sim_fail(camera->sim, "I3: %s stored a certificate that is not its own", camera->serial);
    } else if (camera->sim->issued[sim_chain_number(chain) - 1].is_bad) {
        sim_fail(camera->sim, "I3: %s stored what must not be installed", camera->serial);
    } else if (camera->sim->faults.ca_confirms &&
               !camera->sim->issued[sim_chain_number(chain) - 1].is_confirmed) {
        sim_fail(camera->sim, "%s stored what the CA may drop", camera->serial);
    }
    if (!camera->sim->installing[camera->index][credential - 1]) {
        sim_fail(camera->sim, "%s got a certificate before the record of it", camera->serial);
    }
    memcpy(camera->chains[credential - 1], chain.data, chain.length);
    camera->stored = *state;
    return power_gone(camera) ? CAMERA_STORAGE : CAMERA_OK;
}

static enum camera_error camera_keep_lifecycle(void *context, const struct device_state *state) {
    struct sim_camera *camera = context;
    if (power_gone(camera)) {
        return CAMERA_STORAGE;
    }
    if (state->lifecycle == LIFECYCLE_LOCKED && !camera->sim->locking[camera->index]) {
        sim_fail(camera->sim, "%s was locked before the record of it", camera->serial);
    }
    camera->stored = *state;
    return power_gone(camera) ? CAMERA_STORAGE : CAMERA_OK;
}

static size_t make_csr(const struct sim_camera *camera, uint8_t credential, uint8_t *out) {
    memcpy(out, "CSR", 3);
    spki_of(camera->keys[credential - 1], out + 3);
    memcpy(out + 3 + SHA256_SIZE, camera->serial, strlen(camera->serial));
    return 3 + SHA256_SIZE + strlen(camera->serial);
}

static enum camera_error camera_read_object(void *context, enum object_type object,
                                            uint8_t credential, uint32_t offset, uint8_t *out,
                                            size_t length) {
    struct sim_camera *camera = context;
    uint8_t csr[256];
    if (power_gone(camera)) {
        return CAMERA_STORAGE;
    }
    if (object == OBJECT_CHAIN) {
        memcpy(out, camera->chains[credential - 1] + offset, length);
        return CAMERA_OK;
    }
    make_csr(camera, credential, csr);
    memcpy(out, csr + offset, length);
    return CAMERA_OK;
}

static enum camera_error camera_key_start(void *context, uint8_t credential, uint8_t key_type,
                                          struct slice subject, struct device_work *work) {
    (void)credential;
    (void)key_type;
    (void)subject;
    struct sim_camera *camera = context;
    for (size_t i = 0; i < SIM_KEY_SIZE; i += 8) {
        store_be64(camera->new_key + i, sim_random(camera->sim));
    }
    camera->key_ready_ms = camera->sim->now_ms + sim_between(camera->sim, 0, 4000);
    work->next_poll_ms = 100;
    return CAMERA_OK;
}

static enum camera_error camera_key_poll(void *context, struct device_work *work) {
    struct sim_camera *camera = context;
    if (power_gone(camera)) {
        return CAMERA_INTERNAL;
    }
    work->next_poll_ms = 100;
    if (camera->sim->now_ms >= camera->key_ready_ms) {
        work->done = true;
        spki_of(camera->new_key, work->key_spki_sha256);
        work->key_csr_size = (uint32_t)(3 + SHA256_SIZE + strlen(camera->serial));
    }
    return CAMERA_OK;
}

static enum camera_error camera_certificate_check(void *context, struct slice chain,
                                                  uint8_t spki[SHA256_SIZE], size_t *leaf_length) {
    (void)context;
    struct slice leaf = leaf_of(chain);
    if (leaf.length == 0) {
        return CAMERA_BAD_CERTIFICATE;
    }
    memcpy(spki, leaf.data + 1, SHA256_SIZE);
    *leaf_length = leaf.length;
    return CAMERA_OK;
}

static void sign(const uint8_t spki[SHA256_SIZE], struct slice message, uint8_t out[SHA256_SIZE]) {
    uint8_t both[SHA256_SIZE + 256];
    memcpy(both, spki, SHA256_SIZE);
    memcpy(both + SHA256_SIZE, message.data, message.length);
    sim_hash((struct slice){both, SHA256_SIZE + message.length}, out);
}

static enum camera_error camera_sign(void *context, uint8_t credential, struct slice message,
                                     uint8_t *signature, size_t *length,
                                     enum signature_algorithm *algorithm) {
    struct sim_camera *camera = context;
    uint8_t spki[SHA256_SIZE];
    spki_of(camera->keys[credential - 1], spki);
    sign(spki, message, signature);
    *length = SHA256_SIZE;
    *algorithm = SIGNATURE_ECDSA_SHA256;
    return power_gone(camera) ? CAMERA_INTERNAL : CAMERA_OK;
}

static void camera_sha256(void *context, struct slice data, uint8_t digest[SHA256_SIZE]) {
    (void)context;
    sim_hash(data, digest);
}

static const struct device_ops camera_ops = {
    .send = camera_send,
    .load = camera_load,
    .keep_key = camera_keep_key,
    .keep_chain = camera_keep_chain,
    .keep_lifecycle = camera_keep_lifecycle,
    .read_object = camera_read_object,
    .key_start = camera_key_start,
    .key_poll = camera_key_poll,
    .certificate_check = camera_certificate_check,
    .sign = camera_sign,
    .sha256 = camera_sha256,
};

void sim_camera_init(struct sim *sim, size_t index) {
    static const uint8_t key_types[] = {KEY_P256};
    struct sim_camera *camera = &sim->cameras[index];
    camera->sim = sim;
    camera->index = index;
    camera->cut_in = -1;
    snprintf(camera->serial, sizeof camera->serial, "CAM-%04zu", index + 1);
    for (size_t i = 0; i < SIM_CREDENTIALS; i++) {
        store_be64(camera->keys[i], sim_random(sim));
    }
    camera->config = (struct device_config){
        .serial = camera->serial,
        .model = "toy",
        .firmware = "1.0",
        .hardware_id = {(const uint8_t *)"\0\1\2\3\4\5", 6},
        .key_types = key_types,
        .key_type_count = 1,
        .credential_count = SIM_CREDENTIALS,
    };
    sim_camera_power_on(camera);
}

void sim_camera_new_board(struct sim *sim, size_t index) {
    struct sim_camera *camera = &sim->cameras[index];
    memset(camera, 0, sizeof *camera);
    sim_camera_init(sim, index);
    camera->config.hardware_id = (struct slice){(const uint8_t *)"\5\4\3\2\1\0", 6};
    sim_camera_power_on(camera);
}

void sim_camera_power_on(struct sim_camera *camera) {
    camera->powered = true;
    camera->poll_at_ms = INT64_MAX;
    store_be64(camera->config.boot_id, sim_random(camera->sim));
    if (!device_start(&camera->device, &camera->config, &camera_ops, camera)) {
        sim_fail(camera->sim, "%s does not start", camera->serial);
    }
}

void sim_camera_poll(struct sim_camera *camera) {
    struct sim *sim = camera->sim;
    if (!camera->powered) {
        return;
    }
    int64_t wait_ms = device_poll(&camera->device, sim->now_ms);
    if (wait_ms != DEVICE_NO_WAIT) {
        camera->poll_at_ms = sim->now_ms + (wait_ms > 0 ? wait_ms : 1);
        sim_schedule(sim, camera->poll_at_ms, SIM_CAMERA_POLL, camera->index, 0, NULL, 0);
    }
}

void sim_camera_receive(struct sim_camera *camera, struct slice bytes) {
    if (camera->powered) {
        device_receive(&camera->device, camera->sim->now_ms, bytes);
        sim_camera_poll(camera);
    }
}

// ---- the station's side of the toy cryptography -------------------------------------------------

static void edge_sha256(void *context, struct slice data, uint8_t out[SHA256_SIZE]) {
    (void)context;
    sim_hash(data, out);
}

static void edge_random(void *context, uint8_t *out, size_t length) {
    for (size_t i = 0; i < length; i++) {
        out[i] = (uint8_t)sim_random(context);
    }
}

static void edge_read_csr(void *context, struct slice der, struct unit_csr *csr) {
    (void)context;
    size_t head = 3 + SHA256_SIZE;
    if (der.length <= head || der.length - head >= SERIAL_SIZE || memcmp(der.data, "CSR", 3) != 0) {
        error_set(&csr->error, E_CSR_MALFORMED, "no toy CSR");
        return;
    }
    csr->key_type = KEY_P256;
    memcpy(csr->spki_sha256, der.data + 3, SHA256_SIZE);
    memcpy(csr->subject_serial, der.data + head, der.length - head);
    csr->subject_serial[der.length - head] = '\0';
}

static size_t edge_make_subject(void *context, const struct unit *unit, uint8_t *out,
                                size_t capacity) {
    (void)context;
    (void)unit;
    (void)out;
    (void)capacity;
    return 0;
}

static struct slice edge_leaf(void *context, struct slice chain) {
    (void)context;
    return leaf_of(chain);
}

static bool edge_check_proof(void *context, struct slice chain, struct slice nonce,
                             uint8_t algorithm, struct slice signature, struct error *error) {
    (void)context;
    uint8_t message[19 + SHA256_SIZE + MESSAGE_NONCE_SIZE] = "birthcert-prove-v1";
    uint8_t wanted[SHA256_SIZE];
    sim_hash(leaf_of(chain), message + 19);
    memcpy(message + 19 + SHA256_SIZE, nonce.data, nonce.length);
    sign(chain.data + 1, (struct slice){message, sizeof message}, wanted);
    if (algorithm != SIGNATURE_ECDSA_SHA256 ||
        !slice_equal(signature, (struct slice){wanted, SHA256_SIZE})) {
        return error_set(error, E_CAM_PROOF, "the signature is wrong");
    }
    return true;
}

const struct port_edge sim_port_edge = {
    .sha256 = edge_sha256,
    .random = edge_random,
    .read_csr = edge_read_csr,
    .make_subject = edge_make_subject,
    .leaf = edge_leaf,
    .check_proof = edge_check_proof,
};
