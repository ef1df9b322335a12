// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/names.h"
#include "ca-client/profile.h"
#include "protocol/message.h"
#include "station/base/bytes.h"

static const uint8_t mac[] = {0x00, 0x40, 0x8c, 0xAB, 0xcd, 0xef};
static const struct profile_subject camera = {
    .serial = "ACC8-0042", .model = "P3265", .hardware_id = mac, .hardware_id_length = sizeof mac};

static void set(char *field, size_t size, const char *value) {
    ck_assert(text_copy(field, size, value));
}

static void expect_fill(const char *template, const char *expected) {
    char out[65];
    struct error error = {0};
    ck_assert_msg(profile_fill(template, &camera, out, sizeof out, &error), "%s", error.text);
    ck_assert_str_eq(out, expected);
}

static void expect_no_fill(const char *template, const struct profile_subject *subject,
                           size_t capacity, enum error_code code, const char *part) {
    char out[200];
    struct error error = {0};
    ck_assert(!profile_fill(template, subject, out, capacity, &error));
    ck_assert_str_eq(error_code_text(error.code), error_code_text(code));
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
    ck_assert_str_eq(out, "");
}

START_TEST(fills_placeholders) {
    expect_fill("", "");
    expect_fill("plain", "plain");
    expect_fill("{serial}", "ACC8-0042");
    expect_fill("{model}-{serial}.{mac}!", "P3265-ACC8-0042.00:40:8c:ab:cd:ef!");
    expect_fill("{serial}{serial}", "ACC8-0042ACC8-0042");
}
END_TEST

START_TEST(refuses_bad_templates) {
    expect_no_fill("{lot}", &camera, 65, E_CONFIG, "{lot} is not {serial}");
    expect_no_fill("{Serial}", &camera, 65, E_CONFIG, "{Serial}");
    expect_no_fill("{}", &camera, 65, E_CONFIG, "{}");
    expect_no_fill("{serial", &camera, 65, E_CONFIG, "brace");
    expect_no_fill("serial}", &camera, 65, E_CONFIG, "brace");
    expect_no_fill("{{serial}}", &camera, 65, E_CONFIG, "brace");
    expect_no_fill("x{", &camera, 65, E_CONFIG, "brace");
}
END_TEST

START_TEST(holds_the_capacity) {
    char out[10];
    struct error error = {0};
    ck_assert(profile_fill("{serial}", &camera, out, 10, &error));
    ck_assert_str_eq(out, "ACC8-0042");
    expect_no_fill("{serial}", &camera, 9, E_CONFIG, "longer than 8 bytes");
    expect_no_fill("x{serial}", &camera, 10, E_CONFIG, "longer than 9 bytes");
    expect_no_fill("x", &camera, 1, E_CONFIG, "longer than 0 bytes");
}
END_TEST

START_TEST(refuses_what_a_hostile_camera_says) {
    struct profile_subject hostile = camera;
    hostile.serial = "A\nB";
    expect_no_fill("{serial}", &hostile, 65, E_CAM_MALFORMED, "A\\x0aB");
    hostile.serial = "";
    expect_no_fill("{serial}", &hostile, 65, E_CAM_MALFORMED, "serial");
    hostile.model = "M\xc3\xbc";
    expect_no_fill("{model}", &hostile, 65, E_CAM_MALFORMED, "model");
    hostile.hardware_id_length = 5;
    expect_no_fill("{mac}", &hostile, 65, E_CONFIG, "5 bytes");
}
END_TEST

START_TEST(built_in_profiles_pass_their_own_check) {
    struct profile profile;
    struct error error = {0};
    ck_assert(profile_built_in("https", &profile));
    ck_assert_msg(profile_check(&profile, &error), "%s", error.text);
    ck_assert(profile.server_auth && profile.client_auth);
    ck_assert_int_eq(profile.key_type, KEY_P256);
    ck_assert(profile_built_in("idevid", &profile));
    ck_assert_msg(profile_check(&profile, &error), "%s", error.text);
    ck_assert(!profile.server_auth && !profile.client_auth);
    ck_assert_uint_eq(profile.validity_days, 0);
    ck_assert_str_ne(profile.hardware_type, "");
    ck_assert(!profile_built_in("other", &profile));
    ck_assert(!profile_built_in("", &profile));
}
END_TEST

static struct profile https(void) {
    struct profile profile;
    ck_assert(profile_built_in("https", &profile));
    return profile;
}

static void expect_bad(const struct profile *profile, const char *part) {
    struct error error = {0};
    ck_assert(!profile_check(profile, &error));
    ck_assert_str_eq(error_code_text(error.code), "E-CONFIG");
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

START_TEST(check_finds_bad_values) {
    struct profile profile = https();
    profile.key_type = 0;
    expect_bad(&profile, "key_type");
    profile.key_type = 7;
    expect_bad(&profile, "key_type");
    profile = https();
    set(profile.country, sizeof profile.country, "de");
    expect_bad(&profile, "country");
    set(profile.country, sizeof profile.country, "D");
    expect_bad(&profile, "country");
    profile = https();
    set(profile.common_name, sizeof profile.common_name, "camera");
    set(profile.serial_number, sizeof profile.serial_number, "");
    expect_bad(&profile, "same subject");
    profile = https();
    set(profile.organization, sizeof profile.organization, "{maker}");
    expect_bad(&profile, "organization");
    memset(profile.organization, 'x', 65);
    profile.organization[65] = '\0';
    expect_bad(&profile, "organization");
    set(profile.organization, sizeof profile.organization, "bad\xff");
    expect_bad(&profile, "UTF-8");
    set(profile.organization, sizeof profile.organization, "bad\x01");
    expect_bad(&profile, "UTF-8");
    profile = https();
    set(profile.serial_number, sizeof profile.serial_number, "{serial}_1");
    expect_bad(&profile, "serial_number");
}
END_TEST

START_TEST(check_finds_bad_host_names) {
    static const char *const bad[] = {"{mac}.local", "a..b",      ".{serial}", "{serial}.",  "a b",
                                      "*.{serial}",  "-{serial}", "{serial}-", "under_score"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct profile profile = https();
        set(profile.dns_names[3], sizeof profile.dns_names[3], bad[i]);
        expect_bad(&profile, "dns_name");
    }
}
END_TEST

START_TEST(check_finds_bad_oids) {
    static const char *const bad[] = {
        "1",     "1.", ".1",   "1.2.",           "3.1", "1.40", "1..2",
        "1.2.x", "x",  "1.02", "1.2.4294967296", "1.2 "};
    static const char *const good[] = {"1.2", "2.999", "1.3.6.1.4.1.4294967295", "0.39"};
    struct error error = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct profile profile = https();
        set(profile.hardware_type, sizeof profile.hardware_type, bad[i]);
        expect_bad(&profile, bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct profile profile = https();
        set(profile.hardware_type, sizeof profile.hardware_type, good[i]);
        ck_assert_msg(profile_check(&profile, &error), "%s", error.text);
    }
}
END_TEST

START_TEST(fills_all_names) {
    struct profile profile = https();
    struct names names;
    struct error error = {0};
    set(profile.organization, sizeof profile.organization, "M\xc3\xbcller");
    set(profile.country, sizeof profile.country, "DE");
    set(profile.dns_names[2], sizeof profile.dns_names[2], "Cam.Example.com");
    ck_assert_msg(names_fill(&profile, &camera, &names, &error), "%s", error.text);
    ck_assert_str_eq(names.organization, "M\xc3\xbcller");
    ck_assert_str_eq(names.country, "DE");
    ck_assert_str_eq(names.common_name, "ACC8-0042");
    ck_assert_str_eq(names.serial_number, "ACC8-0042");
    ck_assert_uint_eq(names.dns_count, 2);
    ck_assert_str_eq(names.dns_names[0], "acc8-0042.local");
    ck_assert_str_eq(names.dns_names[1], "cam.example.com");
}
END_TEST

START_TEST(names_refuse_serials_that_fit_nowhere) {
    struct profile profile = https();
    struct profile_subject other = camera;
    struct names names;
    struct error error = {0};
    other.serial = "A B";
    ck_assert(!names_fill(&profile, &other, &names, &error));
    ck_assert_msg(strstr(error.text, "A B.local") != NULL, "%s", error.text);
    other.serial = "A_B";
    ck_assert(!names_fill(&profile, &other, &names, &error));
    ck_assert_msg(strstr(error.text, "A_B") != NULL, "%s", error.text);
    char label[66];
    memset(label, 'x', 65);
    label[64] = '\0';
    other.serial = label; // 64: fits the subject, but not a label of a host name
    ck_assert(!names_fill(&profile, &other, &names, &error));
    ck_assert_msg(strstr(error.text, "host name") != NULL, "%s", error.text);
    set(profile.dns_names[0], sizeof profile.dns_names[0], "");
    ck_assert(names_fill(&profile, &other, &names, &error));
    label[64] = 'x';
    label[65] = '\0';
    ck_assert(!names_fill(&profile, &other, &names, &error));
    ck_assert_msg(strstr(error.text, "longer than 64") != NULL, "%s", error.text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("profile");
    TCase *tests = tcase_create("profile");
    tcase_add_test(tests, fills_placeholders);
    tcase_add_test(tests, refuses_bad_templates);
    tcase_add_test(tests, holds_the_capacity);
    tcase_add_test(tests, refuses_what_a_hostile_camera_says);
    tcase_add_test(tests, built_in_profiles_pass_their_own_check);
    tcase_add_test(tests, check_finds_bad_values);
    tcase_add_test(tests, check_finds_bad_host_names);
    tcase_add_test(tests, check_finds_bad_oids);
    tcase_add_test(tests, fills_all_names);
    tcase_add_test(tests, names_refuse_serials_that_fit_nowhere);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
