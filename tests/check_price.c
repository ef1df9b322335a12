// SPDX-License-Identifier: Apache-2.0
// What certificates cost, added up.
#include <check.h>
#include <string.h>

#include "station/app/output.h"
#include "station/app/price.h"
#include "station/base/bytes.h"

static struct output_orphans sum_of(const char *const *prices, size_t count) {
    struct price_sum sum = {0};
    struct output_orphans orphans = {0};
    for (size_t i = 0; i < count; i++) {
        price_add(&sum, prices[i]);
    }
    orphans.currency_count = price_format(&sum, orphans.costs);
    return orphans;
}

START_TEST(test_adds_up) {
    static const char *const prices[] = {"0.45 EUR", "0.1 EUR", "1 EUR", "0.000001 EUR"};
    static const size_t counts[] = {1, 2, 3, 4};
    static const char *const sums[] = {"0.45 EUR", "0.55 EUR", "1.55 EUR", "1.550001 EUR"};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        struct output_orphans orphans = sum_of(prices, counts[i]);
        ck_assert_uint_eq(orphans.currency_count, 1);
        ck_assert_str_eq(orphans.costs[0], sums[i]);
    }
}
END_TEST

START_TEST(test_by_currency) {
    static const char *const prices[] = {"2 EUR", "0.5  USD", "3 EUR", "1 \xe2\x82\xac",
                                         "1 JPY", "1 CHF",    "4 EUR"};
    struct output_orphans orphans = sum_of(prices, ARRAY_LENGTH(prices));
    ck_assert_uint_eq(orphans.currency_count, PRICE_CURRENCIES_MAX); // CHF is one too many
    ck_assert_str_eq(orphans.costs[0], "9 EUR");
    ck_assert_str_eq(orphans.costs[1], "0.5 USD");
    ck_assert_str_eq(orphans.costs[2], "1 \xe2\x82\xac");
    ck_assert_str_eq(orphans.costs[3], "1 JPY");
}
END_TEST

START_TEST(test_passes_over_other_texts) {
    static const char *const prices[] = {
        "",          "free",   "0.45",   "EUR 0.45",     "0,45 EUR",           "-1 EUR",
        "1.5.2 EUR", "1. EUR", ".5 EUR", "1 EUR 50",     "0.1234567 EUR",      "12345678901 EUR",
        "1 ",        "1EUR",   "1 +EUR", "by agreement", "1 ABCDEFGHIJKLMNOPQ"};
    struct output_orphans orphans = sum_of(prices, ARRAY_LENGTH(prices));
    ck_assert_uint_eq(orphans.currency_count, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(prices); i++) {
        ck_assert_msg(!price_is_readable(prices[i]), "%s", prices[i]);
    }
    ck_assert(price_is_readable("0.45 EUR"));
}
END_TEST

// What is too much is left out; the sum stays a number.
START_TEST(test_no_overflow) {
    struct price_sum sum = {0};
    struct output_orphans orphans = {0};
    for (int i = 0; i < 20000; i++) {
        price_add(&sum, "999999999.999999 EUR");
    }
    orphans.currency_count = price_format(&sum, orphans.costs);
    ck_assert_int_gt(sum.currencies[0].millionths, 0);
    ck_assert_uint_eq(orphans.currency_count, 1);
    ck_assert(orphans.costs[0][0] != '-');
}
END_TEST

int main(void) {
    Suite *suite = suite_create("price");
    TCase *tests = tcase_create("price");
    tcase_add_test(tests, test_adds_up);
    tcase_add_test(tests, test_by_currency);
    tcase_add_test(tests, test_passes_over_other_texts);
    tcase_add_test(tests, test_no_overflow);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
