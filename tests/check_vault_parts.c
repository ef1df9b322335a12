// SPDX-License-Identifier: Apache-2.0
// What the vault backend keeps in memory, however much a server tells.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/json_load.h"

// ---- long answers -------------------------------------------------------------------------------

static const struct {
    const char *value; // again and again
    size_t count;
    bool is_taken;
} lists[] = {
    {"\"3f:a0:00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11\"", 200000, true},
    {"\"[{[{,,,,\\\"[{\"", 100000, true}, // in texts they are nothing
    {"{}", 60, true},                     // of a short answer
    {"{}", 100000, false},
    {"{}", 5000000, false},
    {"[]", 100000, false},
    {"1", 5000000, false},
    {"\"\"", 5000000, false},
};

START_TEST(test_long_answer) {
    static const char head[] = "{\"data\":[";
    const size_t piece = strlen(lists[_i].value) + 1;
    const size_t length = sizeof head - 1 + lists[_i].count * piece + 1;
    struct error error;
    char *text = malloc(length);
    ck_assert_ptr_nonnull(text);
    memcpy(text, head, sizeof head - 1);
    for (size_t i = 0; i < lists[_i].count; i++) {
        memcpy(text + sizeof head - 1 + i * piece, lists[_i].value, piece - 1);
        text[sizeof head - 1 + (i + 1) * piece - 1] = ',';
    }
    text[length - 2] = ']';
    text[length - 1] = '}';
    const struct slice body = {(const uint8_t *)text, length};
    json_t *root = json_load_long_object(body, 16 * 1024 * 1024, "certs", &error);
    ck_assert(lists[_i].is_taken == (root != NULL));
    ck_assert(root != NULL || error.code == E_CA_NONSENSE);
    json_decref(root);
    free(text);
}
END_TEST

// ---- what was read ------------------------------------------------------------------------------

static struct vault_serial serial_of(uint32_t number) {
    struct vault_serial serial = {.length = sizeof number};
    memcpy(serial.bytes, &number, sizeof number);
    return serial;
}

// Also the last one that there is room for may be told again.
START_TEST(test_known) {
    const uint8_t key[SHA256_SIZE] = {7};
    const uint8_t other[SHA256_SIZE] = {8};
    struct vault_known *known = NULL;
    struct vault_serial serial = serial_of(0);
    struct vault_serial found;
    size_t at = 0;
    ck_assert(!vault_known_has(known, &serial));
    for (uint32_t i = 0; i < VAULT_SERIALS_MAX; i++) {
        serial = serial_of(i);
        ck_assert(vault_known_put(&known, &serial, i == 5 ? key : other));
    }
    serial = serial_of(VAULT_SERIALS_MAX);
    ck_assert(!vault_known_put(&known, &serial, key));
    serial = serial_of(9);
    ck_assert(vault_known_put(&known, &serial, key));
    ck_assert(vault_known_find(known, key, &at, &found));
    ck_assert(vault_known_find(known, key, &at, &found));
    ck_assert(!vault_known_find(known, key, &at, &found));
    vault_known_free(known);
}
END_TEST

static Suite *vault_suite(void) {
    Suite *suite = suite_create("vault parts");
    TCase *tests = tcase_create("parts");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_long_answer, 0, ARRAY_LENGTH(lists));
    tcase_add_test(tests, test_known);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(vault_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
