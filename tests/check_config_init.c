// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "station/app/config.h"
#include "station/app/config_keys.h"
#include "station/app/config_value.h"
#include "tests/support_folder.h"

static char file[256];
static struct config *config;
static struct error error;

static void set_up(void) {
    folder_make();
    folder_path(file, sizeof file, "birthcert.conf");
    config = NULL;
}

static void tear_down(void) {
    config_free(config);
    folder_remove();
}

static void load_good(void) {
    ck_assert_msg(config_load(file, &config, &error), "%s", error.text);
}

START_TEST(test_defaults_of_the_profile_table_are_those_of_https) {
    struct profile built_in;
    ck_assert(profile_built_in("https", &built_in));
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section == CONFIG_PROFILE && key->initial != NULL && key->initial[0] != '\0') {
            struct profile changed = built_in;
            ck_assert(config_value_set(key, key->initial, "", &changed, &error));
            const char *after = (const char *)&changed + key->offset;
            const char *before = (const char *)&built_in + key->offset;
            ck_assert_msg(memcmp(after, before, key->size) == 0, "%s", key->name);
        }
    }
}
END_TEST

// What is put into a new folder_name; freed by the caller.
static char *read_init(void) {
    char *text = calloc(1, 65536);
    ck_assert_ptr_nonnull(text);
    FILE *in = fopen(file, "r");
    ck_assert_ptr_nonnull(in);
    ck_assert_uint_lt(fread(text, 1, 65535, in), 65535);
    fclose(in);
    return text;
}

START_TEST(test_init) {
    struct stat status;
    char path[256];
    ck_assert_msg(config_init(folder_name, &error), "%s", error.text);
    load_good();
    ck_assert_str_eq(config->cas[0].settings.backend, "local");
    folder_path(path, sizeof path, "ca/root.key");
    ck_assert_str_eq(config->cas[0].settings.ca_key_file, path);
    ck_assert_int_eq(stat(path, &status), 0);
    folder_path(path, sizeof path, "conf.d");
    ck_assert(stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    folder_path(path, sizeof path, "ca");
    ck_assert(stat(path, &status) == 0 && (status.st_mode & 0777) == 0700);
    char *text = read_init();
    for (size_t i = 0; i < config_key_count; i++) {
        char line[64];
        const char *mark = config_keys[i].starter != NULL ? "" : "#";
        snprintf(line, sizeof line, "\n%s%s =", mark, config_keys[i].name);
        bool is_there = strstr(text, line) != NULL;
        bool is_of_other_ca = config_keys[i].section == CONFIG_CA &&
                              !ca_takes_key(ca_find("local"), config_keys[i].name);
        // What only other CAs take is in their examples, if anywhere.
        ck_assert_msg(is_of_other_ca || is_there == (config_keys[i].type != CONFIG_REFUSED), "%s",
                      line);
    }
    free(text);
}
END_TEST

// A backend's own list of keys names keys that there are.
START_TEST(test_keys_of_backends) {
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        for (size_t k = 0; ca_table[i]->keys[k] != NULL; k++) {
            ck_assert_msg(config_key_find(CONFIG_CA, ca_table[i]->keys[k]) != NULL, "%s",
                          ca_table[i]->keys[k]);
        }
    }
}
END_TEST

// A new configuration's slot is on USB; some of a slot's keys go with serial ports only.
static void give_a_serial_port(char *text) {
    static const struct {
        const char *from;
        const char *to; // as long
    } changes[] = {{"\nusb = 1-1\n", "\nusb =    \n"}, {"\n#serial =\n", "\nserial=/a\n"}};
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        char *line = strstr(text, changes[i].from);
        ck_assert_ptr_nonnull(line);
        memcpy(line, changes[i].to, strlen(changes[i].from));
    }
    folder_write_text("birthcert.conf", text);
}

// Every default that the file shows is one: with its # taken away nothing changes.
START_TEST(test_init_shows_the_defaults) {
    ck_assert(config_init(folder_name, &error));
    char *text = read_init();
    give_a_serial_port(text);
    load_good();
    char *out = text;
    bool is_example = false;
    for (char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n") + 1;
        is_example = line[0] == '\n' ? false : is_example || strncmp(line, "#[", 2) == 0;
        size_t skip = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && !is_example ? 1 : 0;
        memmove(out, line + skip, length - skip);
        out += length - skip;
        line += length;
    }
    *out = '\0';
    folder_write_text("birthcert.conf", text);
    free(text);
    struct config *before = config;
    config = NULL;
    load_good();
    ck_assert_uint_eq(config->slots[0].bit_rate, 115200); // where 0 stands for the same
    config->slots[0].bit_rate = 0;
    ck_assert_mem_eq(config->slots, before->slots, sizeof config->slots);
    ck_assert_mem_eq(config->profiles, before->profiles, sizeof config->profiles);
    ck_assert_str_eq(config->station, before->station);
    ck_assert_str_eq(config->store_path, before->store_path);
    ck_assert_uint_eq(config->generate_timeout_ms, before->generate_timeout_ms);
    ck_assert_uint_eq(config->lock, before->lock);
    ck_assert_uint_eq(config->cas[0].settings.in_flight, before->cas[0].settings.in_flight);
    ck_assert_uint_eq(config->cas[0].settings.timeout_ms, before->cas[0].settings.timeout_ms);
    ck_assert_ptr_null(config->cas[0].settings.url);
    config_free(before);
}
END_TEST

// The examples in it are good too.
START_TEST(test_init_examples) {
    ck_assert(config_init(folder_name, &error));
    char *text = read_init();
    bool is_example = false;
    for (char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        is_example = line[0] == '\n' ? false : is_example || strncmp(line, "#[", 2) == 0;
        line[0] = is_example ? ' ' : line[0];
    }
    folder_write_text("birthcert.conf", text);
    free(text);
    load_good();
    size_t shown = 1; // the embedded one
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        if (ca_table[i]->example[0] != '\0') {
            const struct config_ca *ca = &config->cas[shown++];
            ck_assert_str_eq(ca->name, ca_table[i]->name);
            ck_assert_str_eq(ca->settings.backend, ca_table[i]->name);
        }
    }
    ck_assert_uint_eq(config->ca_count, shown);
    ck_assert_ptr_nonnull(config->cas[1].settings.api_secret_file);
    ck_assert_uint_eq(config->profile_count, 2);
}
END_TEST

START_TEST(test_init_never_overwrites) {
    static const char *const names[] = {"birthcert.conf", "ca/root.pem", "ca/root.key"};
    char path[256];
    folder_path(path, sizeof path, "ca");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    folder_write_text(names[_i], "mine\n");
    ck_assert(!config_init(folder_name, &error));
    folder_path(path, sizeof path, names[_i]);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    char back[16] = {0};
    FILE *in = fopen(path, "r");
    ck_assert_ptr_nonnull(in);
    ck_assert_uint_eq(fread(back, 1, sizeof back - 1, in), 5);
    fclose(in);
    ck_assert_str_eq(back, "mine\n");
    for (int other = 0; other < 3; other++) {
        folder_path(path, sizeof path, names[other]);
        ck_assert_int_eq(access(path, F_OK), other == _i ? 0 : -1);
    }
}
END_TEST

START_TEST(test_init_in_bad_places) {
    char path[256];
    folder_path(path, sizeof path, "no/such");
    ck_assert(!config_init(path, &error));
    ck_assert_ptr_nonnull(strstr(error.text, path));
    folder_write_text("file", "x");
    folder_path(path, sizeof path, "file");
    ck_assert(!config_init(path, &error));
    char lengthy[1024];
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[sizeof lengthy - 1] = '\0';
    ck_assert(!config_init(lengthy, &error));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config_init");
    TCase *tests = tcase_create("config_init");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_defaults_of_the_profile_table_are_those_of_https);
    tcase_add_test(tests, test_init);
    tcase_add_test(tests, test_keys_of_backends);
    tcase_add_test(tests, test_init_shows_the_defaults);
    tcase_add_test(tests, test_init_examples);
    tcase_add_loop_test(tests, test_init_never_overwrites, 0, 3);
    tcase_add_test(tests, test_init_in_bad_places);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
