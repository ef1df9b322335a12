// SPDX-License-Identifier: Apache-2.0
// Arrays that grow: what is in them stays, and nothing is lost where there is no memory.
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "station/base/array.h"

START_TEST(it_grows) {
    uint64_t *items = NULL;
    size_t capacity = 0;
    for (size_t count = 0; count < 1000; count++) {
        size_t before = capacity;
        uint64_t *all = array_reserve(items, count, &capacity, sizeof *all);
        ck_assert_ptr_nonnull(all);
        ck_assert_uint_gt(capacity, count);
        ck_assert(capacity == before || count == before);
        items = all;
        items[count] = count * count;
    }
    for (size_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(items[i], i * i);
    }
    ck_assert_uint_eq(capacity, 1024);
    free(items);
}
END_TEST

START_TEST(no_memory) {
    uint64_t item = 7;
    size_t capacity = SIZE_MAX / 8;
    ck_assert_ptr_null(array_reserve(&item, capacity, &capacity, sizeof item)); // size overflows
    ck_assert_uint_eq(capacity, SIZE_MAX / 8);
    capacity = SIZE_MAX / 2 + 1;
    ck_assert_ptr_null(array_reserve(&item, capacity, &capacity, 1)); // capacity overflows
    ck_assert_uint_eq(capacity, SIZE_MAX / 2 + 1);
    ck_assert_uint_eq(item, 7);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("array");
    TCase *tests = tcase_create("array");
    tcase_add_test(tests, it_grows);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
