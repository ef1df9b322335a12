// SPDX-License-Identifier: Apache-2.0
// Short words for the tests of the camera's half: what a station asks, and what it expects.
#ifndef BIRTHCERT_TESTS_SUPPORT_DEVICE_ASK_H
#define BIRTHCERT_TESTS_SUPPORT_DEVICE_ASK_H

#include <check.h>
#include <string.h>

#include "tests/support_device_bench.h"

static inline const struct message *ask(struct device_bench *bench, struct message request) {
    return device_bench_ask(bench, request);
}

static inline const struct message *hello(struct device_bench *bench, uint32_t session,
                                          uint32_t max_payload) {
    bench->session = session;
    return ask(bench, (struct message){.op = OP_HELLO, .hello.max_payload = max_payload});
}

static inline struct message generate(uint8_t job, bool replace) {
    struct message request = {.op = OP_GENERATE_KEY};
    request.generate_key.credential = 1;
    request.generate_key.key_type = KEY_P256;
    memset(request.generate_key.job_id, job, MESSAGE_JOB_ID_SIZE);
    request.generate_key.replace = replace;
    return request;
}

static inline const struct message *write_piece(struct device_bench *bench, struct slice chain,
                                                uint32_t offset, uint32_t length) {
    struct message request = {.op = OP_WRITE};
    request.write.object = OBJECT_CHAIN;
    request.write.credential = 1;
    request.write.offset = offset;
    request.write.total = (uint32_t)chain.length;
    request.write.data = (struct slice){chain.data + offset, length};
    return ask(bench, request);
}

static inline struct message commit(struct slice chain) {
    struct message request = {.op = OP_COMMIT};
    request.commit.object = OBJECT_CHAIN;
    request.commit.credential = 1;
    device_bench_sha256(NULL, chain, request.commit.sha256);
    return request;
}

static inline struct message prove(uint8_t nonce) {
    struct message request = {.op = OP_PROVE, .prove.credential = 1};
    memset(request.prove.nonce, nonce, MESSAGE_NONCE_SIZE);
    return request;
}

static inline const struct message *finish(struct device_bench *bench, bool lock) {
    return ask(bench, (struct message){.op = OP_FINISH, .finish.lock = lock});
}

static inline const struct message *read_object(struct device_bench *bench, enum object_type object,
                                                uint32_t offset, uint32_t length) {
    struct message request = {.op = OP_READ};
    request.read.object = (uint8_t)object;
    request.read.credential = 1;
    request.read.offset = offset;
    request.read.length = length;
    return ask(bench, request);
}

static inline void expect_error(const struct message *answer, enum camera_error code) {
    ck_assert_ptr_nonnull(answer);
    ck_assert_int_eq(answer->kind, FRAME_ERROR);
    ck_assert_str_eq(camera_error_name(answer->error.code), camera_error_name(code));
    ck_assert_str_ne(answer->error.text, "");
}

static inline void expect_detail(const struct message *answer, enum camera_error code,
                                 uint32_t detail) {
    expect_error(answer, code);
    ck_assert(answer->error.has_detail);
    ck_assert_uint_eq(answer->error.detail, detail);
}

static inline void expect_response(const struct message *answer) {
    ck_assert_ptr_nonnull(answer);
    ck_assert_int_eq(answer->kind, FRAME_RESPONSE);
}

static inline void make_key(struct device_bench *bench, uint8_t job) {
    expect_response(ask(bench, generate(job, true)));
}

static inline const struct message *write_chain(struct device_bench *bench, struct slice chain) {
    const struct message *answer = NULL;
    uint32_t total = (uint32_t)chain.length;
    for (uint32_t offset = 0; offset == 0 || offset < total; offset += 900) {
        answer = write_piece(bench, chain, offset, total - offset < 900 ? total - offset : 900);
        if (answer == NULL) {
            return NULL;
        }
        expect_response(answer);
    }
    return answer;
}

static inline void install(struct device_bench *bench, struct slice chain) {
    ck_assert_ptr_nonnull(write_chain(bench, chain));
    expect_response(ask(bench, commit(chain)));
}

static inline struct slice own_chain(struct device_bench *bench) {
    return device_bench_chain(bench, bench->stored.state.credentials[0].spki_sha256);
}

#endif
