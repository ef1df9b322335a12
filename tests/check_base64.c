// SPDX-License-Identifier: Apache-2.0
#include "ca-client/base64.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct slice slice_of(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static const struct {
    const char *text;
    const char *said; // NULL: none
} cases[] = {
    {"Zg==", "f"},
    {"Zm8=", "fo"},
    {"Zm9v", "foo"},
    {"Zm9vYmFy", "foobar"},
    {"Zm9v\nYmFy\n", "foobar"},
    {"Zm9v\r\nYmFy\r\n", "foobar"},
    {"\r\n  Zm\t9vY\n\nmFy  ", "foobar"},
    {"Z\ng=\r\n=\n", "f"},
    {"", NULL},
    {" \r\n", NULL},
    {"Zg=", NULL},
    {"Zg", NULL},
    {"Z===", NULL},
    {"====", NULL},
    {"Zg==Zg==", NULL},
    {"Zg==\nZ", NULL},
    {"Zm9v=", NULL},
    {"Zm=v", NULL},
    {"Zm9-", NULL},
    {"Zm9_", NULL},
    {"-----BEGIN PKCS7-----", NULL},
    {"Zm9v\x80mFy", NULL},
};

START_TEST(test_decode) {
    struct buf *out = buf_new(100);
    ck_assert(buf_put_text(out, "<"));
    bool good = base64_decode(slice_of(cases[_i].text), out);
    ck_assert_msg(good == (cases[_i].said != NULL), "\"%s\"", cases[_i].text);
    ck_assert_str_eq(buf_text(out) + 1, good ? cases[_i].said : "");
    buf_free(out);
}
END_TEST

// Every length around a line's and a group's, in every form, there and back.
START_TEST(test_there_and_back) {
    uint8_t data[500];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 151 + 7);
    }
    for (size_t length = 1; length <= sizeof data; length++) {
        struct buf *text = buf_new(1000);
        struct buf *out = buf_new(length);
        const struct slice from = {data, length};
        ck_assert(base64_encode(from, length % 2 == 0, text));
        ck_assert_uint_eq(strchr(buf_text(text), '\n') != NULL, length % 2 == 0);
        ck_assert(base64_decode(buf_slice(text), out));
        ck_assert(slice_equal(buf_slice(out), from));
        buf_free(out);
        buf_free(text);
    }
}
END_TEST

START_TEST(test_no_room) {
    struct buf *out = buf_new(5);
    ck_assert(!base64_decode(slice_of("Zm9vYmFy"), out));
    ck_assert_uint_eq(buf_length(out), 0);
    ck_assert(!base64_encode(slice_of("foobar"), false, out));
    buf_free(out);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base64");
    TCase *tests = tcase_create("base64");
    tcase_add_loop_test(tests, test_decode, 0, (int)ARRAY_LENGTH(cases));
    tcase_add_test(tests, test_there_and_back);
    tcase_add_test(tests, test_no_room);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
