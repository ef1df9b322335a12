// SPDX-License-Identifier: Apache-2.0
// Key generation in the camera's half, and power cuts, against the fake camera of
// support_device_bench.h.
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

// ---- keys ---------------------------------------------------------------------------------------

START_TEST(one_job_makes_one_key) {
    hello(bench, 7, 1024);
    uint8_t first[SHA256_SIZE];
    memcpy(first, ask(bench, generate(1, false))->generated.spki_sha256, sizeof first);
    const struct message *answer = ask(bench, generate(1, false));
    ck_assert_mem_eq(answer->generated.spki_sha256, first, sizeof first);
    ck_assert_uint_eq(answer->generated.csr_size, DEVICE_BENCH_CSR_SIZE);
    ck_assert_mem_eq(ask(bench, generate(1, true))->generated.spki_sha256, first, sizeof first);
    expect_error(ask(bench, generate(2, false)), CAMERA_EXISTS);
    ck_assert_str_eq(bench->answer.error.text, "credential 1 already has a key");
    ck_assert_int_eq(bench->keys_made, 1);
    answer = ask(bench, generate(2, true));
    ck_assert_mem_ne(answer->generated.spki_sha256, first, sizeof first);
    ck_assert_int_eq(bench->keys_made, 2);
}
END_TEST

START_TEST(another_key_takes_the_certificate_away) {
    hello(bench, 7, 1024);
    make_key(bench, 1);
    install(bench, own_chain(bench));
    make_key(bench, 2);
    const struct device_credential *stored = &bench->stored.state.credentials[0];
    ck_assert_uint_eq(stored->state, CREDENTIAL_KEY);
    ck_assert_uint_eq(stored->chain_size, 0);
    expect_error(ask(bench, prove(1)), CAMERA_BAD_CERTIFICATE);
}
END_TEST

START_TEST(slow_generation_reports_progress) {
    bench->key_ms = 5000;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    int progress = 0;
    int64_t last_ms = bench->now_ms;
    while (bench->keys_made == 0) {
        const struct message *answer = device_bench_step(bench);
        if (answer != NULL && answer->kind == FRAME_PROGRESS) {
            ck_assert_int_le(bench->now_ms - last_ms, 1000);
            ck_assert_uint_ge(answer->progress.max_silence_ms, 1000);
            last_ms = bench->now_ms;
            progress++;
        }
    }
    ck_assert_int_ge(progress, 5);
    expect_response(&bench->answer);
    ck_assert_int_ge(bench->now_ms, 5000);
}
END_TEST

START_TEST(a_repeat_during_work_starts_nothing) {
    bench->key_ms = 5000;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(device_bench_repeat(bench)->kind, FRAME_PROGRESS);
    }
    ck_assert_int_eq(bench->keys_started, 1);
    expect_detail(ask(bench, generate(2, true)), CAMERA_BUSY, 1000);
    struct message request = generate(1, false);
    request.generate_key.credential = 2;
    expect_detail(ask(bench, request), CAMERA_BUSY, 1000);
    expect_detail(read_object(bench, OBJECT_CSR, 0, 9), CAMERA_BUSY, 1000);
    expect_response(ask(bench, (struct message){.op = OP_INFO}));
    ck_assert_int_eq(bench->keys_started, 1);
}
END_TEST

START_TEST(a_new_session_finds_the_work_in_hand) {
    bench->key_ms = 5000;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    expect_response(hello(bench, 8, 1024));
    const struct message *answer = device_bench_ask_once(bench, generate(1, false));
    ck_assert_int_eq(answer->kind, FRAME_PROGRESS);
    expect_response(device_bench_wait(bench));
    ck_assert_int_eq(bench->keys_started, 1);
}
END_TEST

START_TEST(a_key_nobody_waits_for_is_kept_in_silence) {
    bench->key_ms = 2000;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    expect_response(hello(bench, 8, 1024));
    ck_assert_ptr_null(device_bench_wait(bench));
    ck_assert_int_eq(bench->keys_made, 1);
    expect_response(ask(bench, generate(1, false)));
    ck_assert_int_eq(bench->keys_made, 1);
}
END_TEST

START_TEST(abort_ends_the_work) {
    bench->key_ms = 5000;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    expect_response(ask(bench, (struct message){.op = OP_ABORT}));
    ck_assert_int_eq(bench->keys_cancelled, 1);
    ck_assert_ptr_null(device_bench_wait(bench));
    ck_assert_uint_eq(bench->stored.state.credentials[0].state, CREDENTIAL_EMPTY);
    make_key(bench, 2);
}
END_TEST

START_TEST(work_that_blocks_is_announced) {
    bench->key_ms = 1;
    bench->key_block_ms = 20000;
    bench->config.sign_block_ms = 4000;
    bench->config.store_block_ms = 900;
    hello(bench, 7, 1024);
    ck_assert_ptr_null(device_bench_ask_once(bench, generate(1, false)));
    const struct message *answer = device_bench_step(bench);
    ck_assert_int_eq(bench->progress_sent, 1);
    ck_assert_uint_gt(bench->progress.progress.max_silence_ms, 20000);
    expect_response(answer);
    install(bench, own_chain(bench));
    ck_assert_int_eq(bench->progress_sent, 2);
    ck_assert_uint_gt(bench->progress.progress.max_silence_ms, 900);
    expect_response(ask(bench, prove(1)));
    ck_assert_int_eq(bench->progress_sent, 3);
    ck_assert_uint_gt(bench->progress.progress.max_silence_ms, 4000);
}
END_TEST

START_TEST(failures_of_key_generation_are_told) {
    hello(bench, 7, 1024);
    bench->key_code = CAMERA_ENTROPY;
    expect_error(ask(bench, generate(1, false)), CAMERA_ENTROPY);
    bench->key_code = CAMERA_OK;
    bench->keep_code = CAMERA_STORAGE;
    expect_error(ask(bench, generate(1, false)), CAMERA_STORAGE);
    ck_assert_int_eq(bench->keys_cancelled, 1);
    ck_assert_uint_eq(device_stored(&bench->device)->credentials[0].state, CREDENTIAL_EMPTY);
    bench->keep_nevertheless = true; // it failed, but only after it was stored
    const struct message *answer = ask(bench, generate(2, false));
    expect_response(answer);
    ck_assert_mem_eq(answer->generated.spki_sha256, bench->stored.state.credentials[0].spki_sha256,
                     SHA256_SIZE);
}
END_TEST

// ---- power cuts ---------------------------------------------------------------------------------

// One whole unit as a station does it; false where the power went.
static bool provision(void) {
    hello(bench, bench->session + 1, 1024);
    const struct message *info = ask(bench, (struct message){.op = OP_INFO});
    if (info == NULL) {
        return false;
    }
    if (info->info.lifecycle != LIFECYCLE_LOCKED) {
        if (ask(bench, generate(1, false)) == NULL) {
            return false;
        }
        ck_assert_int_eq(bench->answer.kind, FRAME_RESPONSE);
        struct slice chain = device_bench_chain(bench, bench->answer.generated.spki_sha256);
        if (write_chain(bench, chain) == NULL || ask(bench, commit(chain)) == NULL) {
            return false;
        }
        ck_assert_int_eq(bench->answer.kind, FRAME_RESPONSE);
    }
    if (ask(bench, prove(3)) == NULL) {
        return false;
    }
    ck_assert_int_eq(bench->answer.kind, FRAME_RESPONSE);
    return finish(bench, true) != NULL;
}

START_TEST(power_cut_at_any_callback_loses_nothing) {
    bool finished = false;
    int cut = 0;
    while (!finished) {
        for (int after = 0; after < 2; after++) {
            device_bench_free(bench);
            set_up();
            device_bench_cut_power(bench, cut, after != 0);
            finished = provision();
            if (!finished) {
                ck_assert(bench->power_is_cut);
                device_bench_power_cycle(bench);
                ck_assert(provision());
            }
            ck_assert_int_le(bench->keys_kept, 1);
            ck_assert_int_le(bench->chains_kept, 1);
            ck_assert_uint_eq(bench->stored.state.lifecycle, LIFECYCLE_LOCKED);
            ck_assert_uint_eq(bench->stored.state.credentials[0].state, CREDENTIAL_INSTALLED);
        }
        cut++;
    }
    ck_assert_int_ge(cut, 12);
}
END_TEST

static Suite *device_key_suite(void) {
    Suite *suite = suite_create("device_key");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, set_up, tear_down);
    tcase_add_test(rules, one_job_makes_one_key);
    tcase_add_test(rules, another_key_takes_the_certificate_away);
    tcase_add_test(rules, slow_generation_reports_progress);
    tcase_add_test(rules, a_repeat_during_work_starts_nothing);
    tcase_add_test(rules, a_new_session_finds_the_work_in_hand);
    tcase_add_test(rules, a_key_nobody_waits_for_is_kept_in_silence);
    tcase_add_test(rules, abort_ends_the_work);
    tcase_add_test(rules, work_that_blocks_is_announced);
    tcase_add_test(rules, failures_of_key_generation_are_told);
    tcase_add_test(rules, power_cut_at_any_callback_loses_nothing);
    suite_add_tcase(suite, rules);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(device_key_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
