// SPDX-License-Identifier: Apache-2.0
// Batches of records: copies, bounds.
#include <check.h>

#include "db/store.h"

START_TEST(test_batch_is_bounded) {
    struct batch *batch = batch_new(64);
    ck_assert_ptr_nonnull(batch);
    uint8_t bytes[40] = {1, 2, 3};
    struct record record = {.kind = RECORD_CSR, .bytes = {bytes, sizeof bytes}};
    ck_assert(batch_put(batch, &record));
    bytes[0] = 9; // it was copied
    ck_assert_uint_eq(batch->records[0].bytes.data[0], 1);
    record.bytes.length = 20;
    record.certificate.chain = (struct slice){bytes, 20};
    ck_assert(!batch_put(batch, &record)); // the second slice does not fit
    ck_assert_uint_eq(batch->count, 1);
    ck_assert_uint_eq(batch->bytes.used, 40);
    record.certificate.chain.length = 0;
    ck_assert(batch_put(batch, &record));
    batch_clear(batch);
    ck_assert_uint_eq(batch->count, 0);
    record.bytes.length = 0;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        ck_assert(batch_put(batch, &record));
    }
    ck_assert(!batch_put(batch, &record));
    batch_free(batch);
    batch_free(NULL);
}
END_TEST

// A record whose answer carries bytes is taken only while there is room for the largest.
START_TEST(test_batch_keeps_room_for_answers) {
    struct batch *batch = batch_new(3 * OBJECT_MAX + 1);
    ck_assert_ptr_nonnull(batch);
    struct record record = {.kind = RECORD_SENT};
    struct record event = {.kind = RECORD_EVENT};
    ck_assert(batch_put(batch, &record));
    ck_assert(batch_put(batch, &event));
    record.kind = RECORD_LOAD_CERTIFICATE;
    ck_assert(batch_put(batch, &record));
    record.kind = RECORD_LOAD_REQUEST;
    ck_assert(!batch_put(batch, &record)); // a CSR and an offer
    record.kind = RECORD_SENT;
    ck_assert(batch_put(batch, &record));
    ck_assert(!batch_put(batch, &record));
    ck_assert(batch_put(batch, &event));
    batch_free(batch);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("batch");
    TCase *records = tcase_create("records");
    tcase_add_test(records, test_batch_is_bounded);
    tcase_add_test(records, test_batch_keeps_room_for_answers);
    suite_add_tcase(suite, records);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
