// SPDX-License-Identifier: Apache-2.0
// A fake camera around protocol/device.h, and the station's side of its line: fake keys (a
// counter's hash), a clock that the test moves, and power that goes between any two callbacks.
#ifndef BIRTHCERT_TESTS_SUPPORT_DEVICE_BENCH_H
#define BIRTHCERT_TESTS_SUPPORT_DEVICE_BENCH_H

#include <setjmp.h>

#include "protocol/device.h"

#define DEVICE_BENCH_PAYLOAD 1024
#define DEVICE_BENCH_CSR_SIZE 700
#define DEVICE_BENCH_CHAIN_SIZE 1914
#define DEVICE_BENCH_LEAF_SIZE 600
#define DEVICE_BENCH_CREDENTIALS 2

struct device_bench {
    struct device device;
    struct device_config config;
    struct device_ops ops;

    struct { // survives the power
        struct device_state state;
        uint8_t csr[DEVICE_BENCH_CREDENTIALS][DEVICE_BENCH_CSR_SIZE];
        uint8_t chain[DEVICE_BENCH_CREDENTIALS][DEVICE_CHAIN_MAX];
    } stored;

    // What the callbacks do.
    uint32_t key_ms;
    uint32_t key_block_ms;
    enum camera_error load_code;
    enum camera_error key_code;  // of key_poll
    enum camera_error keep_code; // of keep_*
    bool keep_nevertheless;      // stores although keep_code is an error
    enum camera_error read_code;

    // What they did.
    int keys_started;
    int keys_made;
    int keys_cancelled;
    int keys_kept;
    int chains_kept;
    int signatures;
    int restarts;
    uint32_t blinks_s;

    // Power.
    bool power_is_cut;
    bool cut_after; // the callback's effect, else before
    int cut_countdown;
    jmp_buf cut;

    // The line. The station's next request has sequence + 1.
    int64_t now_ms;
    int64_t key_done_ms;
    int64_t wait_ms; // of the last device_poll
    enum frame_kind kind;
    uint32_t session;
    uint16_t sequence;
    bool byte_by_byte;
    uint8_t request[FRAME_WIRE_MAX(2 * DEVICE_BENCH_PAYLOAD)];
    size_t request_length;
    uint8_t sent[FRAME_WIRE_MAX(DEVICE_BENCH_PAYLOAD)]; // the last frame
    size_t sent_length;
    bool has_answer;
    struct message answer;
    struct message progress; // the last
    int progress_sent;
    uint8_t decoding[FRAME_WIRE_MAX(DEVICE_BENCH_PAYLOAD)];
    uint8_t chain[DEVICE_BENCH_CHAIN_SIZE]; // the last of device_bench_chain
};

// A blank camera that was switched on. NULL without memory.
struct device_bench *device_bench_new(void);
void device_bench_free(struct device_bench *bench);

// Gives the camera IDENTIFY, RESTART and an attestation statement of 10 bytes, and restarts it.
void device_bench_add_options(struct device_bench *bench);

// Sends a request, and waits for its answer while time passes. NULL: there was none. The answer is
// bench->answer; it is overwritten by the next.
const struct message *device_bench_ask(struct device_bench *bench, struct message request);

// The same without waiting: what came at once, progress too.
const struct message *device_bench_ask_once(struct device_bench *bench, struct message request);

const struct message *device_bench_ask_raw(struct device_bench *bench, uint8_t op,
                                           const void *payload, size_t length);

// The last request's bytes again.
const struct message *device_bench_repeat(struct device_bench *bench);

// Lets the time pass that device_poll asked for, and polls once; NULL: nothing was sent.
const struct message *device_bench_step(struct device_bench *bench);

// Steps until the camera rests; the answer that came, or NULL.
const struct message *device_bench_wait(struct device_bench *bench);

// A chain whose leaf holds that public key.
struct slice device_bench_chain(struct device_bench *bench, const uint8_t spki_sha256[SHA256_SIZE]);

void device_bench_sha256(void *context, struct slice data, uint8_t digest[SHA256_SIZE]);

// The power goes at the callback after `callbacks` others, before or after its effect.
void device_bench_cut_power(struct device_bench *bench, int callbacks, bool after);

// Off and on: RAM is lost, what is stored is not.
void device_bench_power_cycle(struct device_bench *bench);

#endif
