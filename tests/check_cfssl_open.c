// SPDX-License-Identifier: Apache-2.0
// What the cfssl backend does without a server: durations, and opening.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_cfssl_internal.h"
#include "ca-client/go_duration.h"
#include "station/io/loop.h"
#include "tests/support_pki.h"

START_TEST(test_durations) {
    static const struct {
        const char *text;
        int64_t seconds; // -1: none
    } cases[] = {
        {"87600h", 315360000},
        {"87600h0m0s", 315360000},
        {"1.5h", 5400},
        {"1h30m10s", 5410},
        {"90m", 5400},
        {"1500ms", 1},
        {"1m1ms", 60},
        {"2562047h", 9223369200},
        {".5h", 1800},
        {"0s", 0},
        {"", -1},
        {"h", -1},
        {"10", -1},
        {"10d", -1},
        {"-1h", -1},
        {"1h ", -1},
        {" 1h", -1},
        {"1..h", -1},
        {".h", -1},
        {"0x10h", -1},
        {"1e3h", -1},
        {"infh", -1},
        {"9999999h", -1},
        {"99999999999999999999999999999999999999999999999999h", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t seconds = -1;
        bool good = go_duration_read(cases[i].text, &seconds);
        ck_assert_msg(good == (cases[i].seconds >= 0), "%s", cases[i].text);
        ck_assert_msg(!good || seconds == cases[i].seconds, "%s: %lld", cases[i].text,
                      (long long)seconds);
    }
}
END_TEST

static void nothing_on_result(void *context, const struct ca_result *result) {
    (void)context, (void)result;
}

static void nothing_on_report(void *context, const struct ca_report *report) {
    (void)context, (void)report;
}

START_TEST(test_open_refuses) {
    static const struct ca_events events = {.on_result = nothing_on_result,
                                            .on_report = nothing_on_report};
    static const char *const keys[] = {"0011223", "xx", "", "00 11"};
    char folder[64];
    char key_file[160];
    struct error error = {0};
    struct loop *loop = NULL;
    struct ca *ca = NULL;
    char long_name[CFSSL_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    pki_folder_new(folder);
    pki_write_file(folder, "key", 0600, (struct slice){NULL, 0}, key_file);
    ck_assert(loop_new(&loop, &error));
    struct ca_settings settings = {.name = "factory",
                                   .url = "http://127.0.0.1:1",
                                   .root_file = "/dev/null",
                                   .signing_key_file = key_file};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        pki_write_file(folder, "key", 0600,
                       (struct slice){(const uint8_t *)keys[i], strlen(keys[i])}, key_file);
        ck_assert(!ca_cfssl.open(loop, &settings, &events, NULL, &ca, &error));
        ck_assert_msg(error.code == (keys[i][0] == '\0' ? E_SECRET_MISSING : E_CA_CONFIG), "%s",
                      error.text);
        ck_assert_ptr_nonnull(strstr(error.text, "factory"));
        ck_assert_ptr_nonnull(strstr(error.text, key_file));
    }
    pki_write_file(folder, "key", 0644, (struct slice){(const uint8_t *)"00", 2}, key_file);
    ck_assert(!ca_cfssl.open(loop, &settings, &events, NULL, &ca, &error));
    ck_assert_int_eq(error.code, E_SECRET_EXPOSED);
    settings.signing_key_file = NULL;
    settings.ca_profile = long_name;
    ck_assert(!ca_cfssl.open(loop, &settings, &events, NULL, &ca, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    settings.ca_profile = NULL;
    settings.url = "http://cfssl.example:8888";
    ck_assert(!ca_cfssl.open(loop, &settings, &events, NULL, &ca, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    settings.url = "http://127.0.0.1:1"; // without TLS, server_root_file is not needed
    ck_assert_msg(ca_cfssl.open(loop, &settings, &events, NULL, &ca, &error), "%s", error.text);
    ca_cfssl.close(ca);
    ca_cfssl.close(NULL);
    loop_free(loop);
    pki_folder_remove(folder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cfssl without a server");
    TCase *tests = tcase_create("read and open");
    tcase_add_test(tests, test_durations);
    tcase_add_test(tests, test_open_refuses);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
