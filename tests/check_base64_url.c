// SPDX-License-Identifier: Apache-2.0
#include "ca-client/base64_url.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct slice as_slice(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

// RFC 4648, section 10, without the padding.
static const struct {
    const char *data;
    const char *url_safe;
} cases[] = {
    {"", ""},
    {"f", "Zg"},
    {"fo", "Zm8"},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg"},
    {"fooba", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfb", "__77"},
    {"\xfb\xef\xbe", "----"},
};

START_TEST(test_encode) {
    struct buf *out = buf_new(64);
    ck_assert(base64_url_put(out, as_slice(cases[_i].data)));
    ck_assert_str_eq(buf_text(out), cases[_i].url_safe);
    buf_free(out);
}
END_TEST

START_TEST(test_decode) {
    uint8_t out[16] = {0};
    size_t length = strlen(cases[_i].data);
    ck_assert(base64_url_read(cases[_i].url_safe, out, length));
    ck_assert_mem_eq(out, cases[_i].data, length);
    ck_assert(!base64_url_read(cases[_i].url_safe, out, length + 1));
    ck_assert(length == 0 || !base64_url_read(cases[_i].url_safe, out, length - 1));
}
END_TEST

START_TEST(test_decode_refuses) {
    static const char *const bad[] = {"Zh",  "Zg=", "Zg==", "Z",  "Z.",
                                      "Zgg", "+g",  "/g",   " g", "Z\n"};
    uint8_t out[16];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!base64_url_read(bad[i], out, 1), "%s", bad[i]);
    }
}
END_TEST

START_TEST(test_full) {
    struct buf *out = buf_new(5);
    ck_assert(!base64_url_put(out, as_slice("foob")));
    buf_free(out);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base64_url");
    TCase *tests = tcase_create("base64_url");
    tcase_add_loop_test(tests, test_encode, 0, sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tests, test_decode, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, test_decode_refuses);
    tcase_add_test(tests, test_full);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
