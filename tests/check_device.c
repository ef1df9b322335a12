// SPDX-License-Identifier: Apache-2.0
// The rules of the camera's half, one by one, against the fake camera of support_device_bench.h.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_device_ask.h"

static struct device_bench *bench;

static void set_up(void) {
    bench = device_bench_new();
    ck_assert_ptr_nonnull(bench);
}

static void tear_down(void) {
    device_bench_free(bench);
}

// ---- sessions -----------------------------------------------------------------------------------

START_TEST(hello_agrees_on_the_smaller_payload) {
    ck_assert_uint_eq(hello(bench, 7, 16384)->hello.max_payload, DEVICE_BENCH_PAYLOAD);
    ck_assert_uint_eq(hello(bench, 8, 600)->hello.max_payload, 600);
    ck_assert_uint_eq(hello(bench, 9, 64)->hello.max_payload, 64);
    expect_error(hello(bench, 10, 63), CAMERA_MALFORMED);
    bench->session = 9;
    expect_error(ask(bench, (struct message){.op = OP_INFO}), CAMERA_TOO_LARGE);
    expect_response(hello(bench, 11, 512));
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
}
END_TEST

START_TEST(a_request_needs_the_current_session) {
    bench->session = 5;
    expect_error(ask(bench, (struct message){.op = OP_INFO}), CAMERA_BAD_SESSION);
    expect_response(hello(bench, 7, 1024));
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
    bench->session = 8;
    expect_error(ask(bench, (struct message){.op = OP_INFO}), CAMERA_BAD_SESSION);
    expect_response(hello(bench, 9, 1024));
    bench->session = 7;
    expect_error(ask(bench, (struct message){.op = OP_INFO}), CAMERA_BAD_SESSION);
    bench->session = 9;
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
    device_bench_power_cycle(bench);
    expect_error(ask(bench, (struct message){.op = OP_INFO}), CAMERA_BAD_SESSION);
}
END_TEST

START_TEST(info_tells_what_the_camera_is) {
    hello(bench, 7, 1024);
    const struct message_info *info = &ask(bench, (struct message){.op = OP_INFO})->info;
    ck_assert_str_eq(info->serial, "CAM-0001");
    ck_assert_str_eq(info->model, "A camera in a test");
    ck_assert_str_eq(info->firmware, "1.0");
    ck_assert_uint_eq(info->hardware_id_length, 6);
    ck_assert_uint_eq(info->lifecycle, LIFECYCLE_BLANK);
    ck_assert_uint_eq(info->credential_count, 2);
    ck_assert_uint_eq(info->credentials[1].number, 2);
    ck_assert(!info->credentials[0].has_key);
    ck_assert_uint_eq(info->key_type_count, 2);
    make_key(bench, 3);
    info = &ask(bench, (struct message){.op = OP_INFO})->info;
    ck_assert_uint_eq(info->lifecycle, LIFECYCLE_IN_PROGRESS);
    ck_assert_uint_eq(info->credentials[0].state, CREDENTIAL_KEY);
    ck_assert(info->credentials[0].has_key);
    ck_assert_uint_eq(info->credentials[0].job_id[0], 3);
    ck_assert_mem_eq(info->credentials[0].spki_sha256,
                     bench->stored.state.credentials[0].spki_sha256, SHA256_SIZE);
    ck_assert(!info->credentials[1].has_key);
}
END_TEST

START_TEST(a_repeated_request_gets_the_same_answer) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    install(bench, own_chain(bench));
    expect_response(ask(bench, prove(9)));
    ck_assert_int_eq(bench->signatures, 1);
    size_t length = bench->sent_length;
    uint8_t first[sizeof bench->sent];
    memcpy(first, bench->sent, length);
    device_bench_repeat(bench);
    ck_assert_int_eq(bench->signatures, 1);
    ck_assert_uint_eq(bench->sent_length, length);
    ck_assert_mem_eq(bench->sent, first, length);

    bench->sequence--; // the same number with another payload is another request
    expect_response(ask(bench, prove(10)));
    ck_assert_int_eq(bench->signatures, 2);
    bench->sequence = (uint16_t)(bench->sequence - 5); // an old copy
    ck_assert_ptr_null(ask(bench, prove(11)));
    ck_assert_int_eq(bench->signatures, 2);
    expect_response(hello(bench, 7, 1024)); // always heard, and the new start of the count
    expect_response(ask(bench, prove(11)));
}
END_TEST

START_TEST(sequence_numbers_wrap) {
    bench->sequence = 0xfffe;
    expect_response(hello(bench, 7, 1024));
    for (int i = 0; i < 4; i++) {
        expect_response(ask(bench, (struct message){.op = OP_INFO}));
    }
    ck_assert_uint_eq(bench->sequence, 3);
}
END_TEST

// ---- what is refused ----------------------------------------------------------------------------

START_TEST(malformed_and_unknown_requests_are_refused) {
    hello(bench, 7, 1024);
    expect_error(device_bench_ask_raw(bench, OP_INFO, "\xbf\xff", 2), CAMERA_MALFORMED);
    expect_error(device_bench_ask_raw(bench, OP_INFO, "", 0), CAMERA_MALFORMED);
    expect_error(device_bench_ask_raw(bench, OP_INFO, "\xa1\x20\x01", 3),
                 CAMERA_UNSUPPORTED_CRITICAL);
    expect_response(device_bench_ask_raw(bench, OP_INFO, "\xa1\x18\x63\x01", 4));
    expect_error(device_bench_ask_raw(bench, 99, "\xa0", 1), CAMERA_UNSUPPORTED_OP);
    expect_error(device_bench_ask_raw(bench, 0, "\xa0", 1), CAMERA_UNSUPPORTED_OP);
    expect_error(device_bench_ask_raw(bench, OP_PROVE, "\xa0", 1), CAMERA_MALFORMED);
    uint8_t huge[DEVICE_BENCH_PAYLOAD + 1] = {0xa0};
    ck_assert_ptr_null(device_bench_ask_raw(bench, OP_INFO, huge, sizeof huge));
}
END_TEST

START_TEST(only_requests_are_answered) {
    hello(bench, 7, 1024);
    for (enum frame_kind kind = FRAME_RESPONSE; kind <= FRAME_ERROR; kind++) {
        bench->kind = kind;
        ck_assert_ptr_null(device_bench_ask_raw(bench, OP_INFO, "\xa0", 1));
    }
    bench->kind = FRAME_REQUEST;
    expect_response(device_bench_ask_raw(bench, OP_INFO, "\xa0", 1));
}
END_TEST

START_TEST(unknown_credentials_and_key_types_are_refused) {
    hello(bench, 7, 1024);
    struct message request = generate(1, false);
    request.generate_key.credential = 3;
    expect_error(ask(bench, request), CAMERA_NO_CREDENTIAL);
    request.generate_key.credential = 0;
    expect_error(ask(bench, request), CAMERA_NO_CREDENTIAL);
    request = generate(1, false);
    request.generate_key.key_type = KEY_ED25519;
    expect_error(ask(bench, request), CAMERA_UNSUPPORTED_KEY);
    expect_error(ask(bench, prove(1)), CAMERA_NO_KEY);
    expect_error(read_object(bench, OBJECT_CSR, 0, 10), CAMERA_NO_KEY);
    expect_error(write_piece(bench, (struct slice){(const uint8_t *)"x", 1}, 0, 1), CAMERA_NO_KEY);
    expect_error(ask(bench, commit((struct slice){(const uint8_t *)"x", 1})), CAMERA_NO_KEY);
}
END_TEST

START_TEST(optional_operations_may_be_missing) {
    hello(bench, 7, 1024);
    expect_error(ask(bench, (struct message){.op = OP_IDENTIFY, .identify.seconds = 3}),
                 CAMERA_UNSUPPORTED_OP);
    expect_error(ask(bench, (struct message){.op = OP_RESTART}), CAMERA_UNSUPPORTED_OP);
    device_bench_add_options(bench);
    expect_response(hello(bench, 8, 1024));
    expect_response(ask(bench, (struct message){.op = OP_IDENTIFY, .identify.seconds = 3}));
    ck_assert_int_eq(bench->blinks_s, 3);
    expect_response(ask(bench, (struct message){.op = OP_RESTART}));
    ck_assert_int_eq(bench->restarts, 1);
    device_bench_repeat(bench);
    ck_assert_int_eq(bench->restarts, 1);
}
END_TEST

START_TEST(a_device_that_cannot_start_is_silent) {
    bench->config.serial = NULL;
    ck_assert(!device_start(&bench->device, &bench->config, &bench->ops, bench));
    ck_assert_ptr_null(hello(bench, 7, 1024));
    bench->config.serial = "CAM-0001";
    bench->load_code = CAMERA_STORAGE;
    ck_assert(!device_start(&bench->device, &bench->config, &bench->ops, bench));
    ck_assert_ptr_null(hello(bench, 7, 1024));
    bench->load_code = CAMERA_OK;
    bench->stored.state.credentials[0].csr_size = MESSAGE_OBJECT_MAX + 1;
    ck_assert(!device_start(&bench->device, &bench->config, &bench->ops, bench));
    bench->stored.state.credentials[0].csr_size = 0;
    ck_assert(device_start(&bench->device, &bench->config, &bench->ops, bench));
    expect_response(hello(bench, 7, 1024));
}
END_TEST

// ---- objects ------------------------------------------------------------------------------------

START_TEST(read_names_its_offset) {
    hello(bench, 7, 512);
    make_key(bench, 1);
    uint32_t got = 0;
    uint8_t csr[DEVICE_BENCH_CSR_SIZE];
    while (got < DEVICE_BENCH_CSR_SIZE) {
        const struct message *answer = read_object(bench, OBJECT_CSR, got, 16384);
        expect_response(answer);
        ck_assert_uint_eq(answer->data.total, DEVICE_BENCH_CSR_SIZE);
        ck_assert_uint_eq(answer->data.offset, got);
        ck_assert_uint_gt(answer->data.data.length, 0);
        memcpy(&csr[got], answer->data.data.data, answer->data.data.length);
        got += (uint32_t)answer->data.data.length;
    }
    ck_assert_mem_eq(csr, bench->stored.csr[0], sizeof csr);
    ck_assert_uint_eq(read_object(bench, OBJECT_CSR, 5, 3)->data.data.length, 3);
    ck_assert_uint_eq(read_object(bench, OBJECT_CSR, DEVICE_BENCH_CSR_SIZE, 3)->data.data.length,
                      0);
    expect_detail(read_object(bench, OBJECT_CSR, DEVICE_BENCH_CSR_SIZE + 1, 3), CAMERA_BAD_OFFSET,
                  DEVICE_BENCH_CSR_SIZE);
    expect_error(read_object(bench, OBJECT_CHAIN, 0, 3), CAMERA_BAD_CERTIFICATE);
    expect_error(read_object(bench, (enum object_type)9, 0, 3), CAMERA_MALFORMED);
    expect_error(read_object(bench, OBJECT_ATTESTATION, 0, 3), CAMERA_UNSUPPORTED_OP);
    device_bench_add_options(bench);
    hello(bench, 8, 512);
    ck_assert_uint_eq(read_object(bench, OBJECT_ATTESTATION, 4, 300)->data.data.length, 6);
    expect_detail(read_object(bench, OBJECT_ATTESTATION, 11, 300), CAMERA_BAD_OFFSET, 10);
    bench->read_code = CAMERA_STORAGE;
    expect_error(read_object(bench, OBJECT_CSR, 0, 3), CAMERA_STORAGE);
}
END_TEST

START_TEST(write_takes_pieces_in_order_and_again) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    struct slice chain = own_chain(bench);
    uint32_t total = (uint32_t)chain.length;
    expect_detail(write_piece(bench, chain, 500, 100), CAMERA_BAD_OFFSET, 0);
    ck_assert_uint_eq(write_piece(bench, chain, 0, 500)->written.next_offset, 500);
    expect_detail(write_piece(bench, chain, 600, 100), CAMERA_BAD_OFFSET, 500);
    ck_assert_uint_eq(write_piece(bench, chain, 500, 500)->written.next_offset, 1000);
    ck_assert_uint_eq(write_piece(bench, chain, 500, 500)->written.next_offset, 1000);
    ck_assert_uint_eq(write_piece(bench, chain, 400, 100)->written.next_offset, 1000);
    expect_detail(ask(bench, commit(chain)), CAMERA_BAD_OFFSET, 1000);
    ck_assert_uint_eq(write_piece(bench, chain, 1000, total - 1000)->written.next_offset, total);
    expect_response(ask(bench, commit(chain)));
    ck_assert_mem_eq(bench->stored.chain[0], chain.data, chain.length);
    ck_assert_uint_eq(read_object(bench, OBJECT_CHAIN, 0, 100)->data.total, total);
}
END_TEST

START_TEST(write_is_bounded) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    struct slice chain = own_chain(bench);
    struct message request = {.op = OP_WRITE};
    request.write.object = OBJECT_CHAIN;
    request.write.credential = 1;
    request.write.total = DEVICE_CHAIN_MAX + 1;
    expect_error(ask(bench, request), CAMERA_TOO_LARGE);
    request.write.total = 10;
    request.write.data = (struct slice){chain.data, 11};
    expect_error(ask(bench, request), CAMERA_MALFORMED);
    request.write.offset = UINT32_MAX;
    expect_error(ask(bench, request), CAMERA_MALFORMED);
    request.write.offset = 0;
    request.write.object = OBJECT_CSR;
    expect_error(ask(bench, request), CAMERA_MALFORMED);
    expect_response(write_piece(bench, chain, 0, 100));
    chain.length--; // another total in the middle is another object
    expect_detail(write_piece(bench, chain, 100, 100), CAMERA_BAD_OFFSET, 0);
}
END_TEST

START_TEST(a_new_session_drops_what_is_staged) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    struct slice chain = own_chain(bench);
    expect_response(write_piece(bench, chain, 0, 500));
    expect_response(hello(bench, 7, 1024)); // not new
    expect_response(write_piece(bench, chain, 500, 100));
    expect_response(hello(bench, 8, 1024));
    expect_detail(write_piece(bench, chain, 600, 100), CAMERA_BAD_OFFSET, 0);
    expect_response(write_piece(bench, chain, 0, 500));
    expect_response(ask(bench, (struct message){.op = OP_ABORT}));
    expect_detail(write_piece(bench, chain, 500, 100), CAMERA_BAD_OFFSET, 0);
    ck_assert_uint_eq(bench->stored.state.credentials[0].state, CREDENTIAL_KEY);
}
END_TEST

START_TEST(commit_checks_before_it_stores) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    struct slice chain = own_chain(bench);
    struct message request = commit(chain);
    request.commit.object = OBJECT_CSR;
    expect_error(ask(bench, request), CAMERA_MALFORMED);
    expect_response(write_chain(bench, chain));
    request = commit(chain);
    request.commit.sha256[5] ^= 1;
    expect_error(ask(bench, request), CAMERA_HASH_MISMATCH);
    expect_detail(ask(bench, commit(chain)), CAMERA_BAD_OFFSET, 0);

    uint8_t foreign[SHA256_SIZE] = {1, 2, 3};
    chain = device_bench_chain(bench, foreign);
    expect_response(write_chain(bench, chain));
    expect_error(ask(bench, commit(chain)), CAMERA_KEY_MISMATCH);
    struct slice nothing = {chain.data, 0};
    expect_response(write_piece(bench, nothing, 0, 0));
    expect_error(ask(bench, commit(nothing)), CAMERA_BAD_CERTIFICATE);
    ck_assert_int_eq(bench->chains_kept, 0);

    chain = own_chain(bench);
    expect_response(write_chain(bench, chain));
    bench->keep_code = CAMERA_STORAGE;
    expect_error(ask(bench, commit(chain)), CAMERA_STORAGE);
    bench->keep_code = CAMERA_OK;
    expect_response(ask(bench, commit(chain))); // what was staged is still there
    ck_assert_int_eq(bench->chains_kept, 1);
    expect_response(ask(bench, commit(chain)));
    device_bench_power_cycle(bench);
    hello(bench, 8, 1024);
    expect_response(ask(bench, commit(chain)));
    ck_assert_int_eq(bench->chains_kept, 1);
}
END_TEST

START_TEST(prove_signs_label_leaf_and_nonce) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    expect_error(ask(bench, prove(1)), CAMERA_BAD_CERTIFICATE);
    install(bench, own_chain(bench));
    uint8_t leaf[SHA256_SIZE];
    device_bench_sha256(NULL, (struct slice){bench->chain, DEVICE_BENCH_LEAF_SIZE}, leaf);
    const struct message *answer = ask(bench, prove(0x5a));
    expect_response(answer);
    ck_assert_mem_eq(answer->proof.certificate_sha256, leaf, SHA256_SIZE);
    // The fake signature is the key's hash and the message itself.
    ck_assert_uint_eq(answer->proof.signature.length, SHA256_SIZE + 19 + 32 + 32);
    const uint8_t *message = answer->proof.signature.data + SHA256_SIZE;
    ck_assert_mem_eq(message, "birthcert-prove-v1\0", 19);
    ck_assert_mem_eq(message + 19, leaf, 32);
    ck_assert_uint_eq(message[19 + 32 + 31], 0x5a);
}
END_TEST

START_TEST(finish_locks_for_good) {
    hello(bench, 7, 1024);
    expect_error(finish(bench, true), CAMERA_BAD_CERTIFICATE);
    make_key(bench, 1);
    expect_error(finish(bench, false), CAMERA_BAD_CERTIFICATE);
    struct slice chain = own_chain(bench);
    install(bench, chain);
    ck_assert_uint_eq(finish(bench, false)->finished.lifecycle, LIFECYCLE_PROVISIONED);
    bench->keep_code = CAMERA_STORAGE;
    expect_error(finish(bench, true), CAMERA_STORAGE);
    bench->keep_code = CAMERA_OK;
    ck_assert_uint_eq(finish(bench, true)->finished.lifecycle, LIFECYCLE_LOCKED);
    device_bench_power_cycle(bench);
    hello(bench, 8, 1024);
    ck_assert_uint_eq(finish(bench, true)->finished.lifecycle, LIFECYCLE_LOCKED);
    ck_assert_uint_eq(finish(bench, false)->finished.lifecycle, LIFECYCLE_LOCKED);
    expect_error(ask(bench, generate(1, false)), CAMERA_LOCKED);
    expect_error(ask(bench, generate(2, true)), CAMERA_LOCKED);
    expect_error(write_piece(bench, chain, 0, 100), CAMERA_LOCKED);
    expect_error(ask(bench, commit(chain)), CAMERA_LOCKED);
    expect_response(ask(bench, prove(1)));
    expect_response(read_object(bench, OBJECT_CHAIN, 0, 100));
    ck_assert_uint_eq(ask(bench, (struct message){.op = OP_INFO})->info.lifecycle,
                      LIFECYCLE_LOCKED);
}
END_TEST

START_TEST(bytes_may_come_one_by_one_after_noise) {
    hello(bench, 7, 1024);
    bench->byte_by_byte = true;
    device_receive(&bench->device, 0, (struct slice){(const uint8_t *)"U-Boot 2021\r\n", 13});
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
    device_receive(&bench->device, 0, (struct slice){(const uint8_t *)"\x00\x03\x11", 3});
    device_hangup(&bench->device);
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
}
END_TEST

static Suite *device_suite(void) {
    Suite *suite = suite_create("device");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, set_up, tear_down);
    tcase_add_test(rules, hello_agrees_on_the_smaller_payload);
    tcase_add_test(rules, a_request_needs_the_current_session);
    tcase_add_test(rules, info_tells_what_the_camera_is);
    tcase_add_test(rules, a_repeated_request_gets_the_same_answer);
    tcase_add_test(rules, sequence_numbers_wrap);
    tcase_add_test(rules, malformed_and_unknown_requests_are_refused);
    tcase_add_test(rules, only_requests_are_answered);
    tcase_add_test(rules, unknown_credentials_and_key_types_are_refused);
    tcase_add_test(rules, optional_operations_may_be_missing);
    tcase_add_test(rules, a_device_that_cannot_start_is_silent);
    tcase_add_test(rules, read_names_its_offset);
    tcase_add_test(rules, write_takes_pieces_in_order_and_again);
    tcase_add_test(rules, write_is_bounded);
    tcase_add_test(rules, a_new_session_drops_what_is_staged);
    tcase_add_test(rules, commit_checks_before_it_stores);
    tcase_add_test(rules, prove_signs_label_leaf_and_nonce);
    tcase_add_test(rules, finish_locks_for_good);
    tcase_add_test(rules, bytes_may_come_one_by_one_after_noise);
    suite_add_tcase(suite, rules);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(device_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
