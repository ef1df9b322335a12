// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "station/app/csv.h"
#include "station/app/manifest.h"
#include "tests/support_folder.h"

#define TEXT_65 "12345678901234567890123456789012345678901234567890123456789012345"

static char file[128];
static struct config *config;
static struct manifest manifest;
static struct error error;

static void set_up(void) {
    folder_make();
    folder_path(file, sizeof file, "tray.csv");
    config = calloc(1, sizeof *config);
    ck_assert_ptr_nonnull(config);
    config->slot_count = 3;
    snprintf(config->slots[0].name, NAME_SIZE, "1");
    snprintf(config->slots[1].name, NAME_SIZE, "2");
    snprintf(config->slots[2].name, NAME_SIZE, "top, left");
    memset(&manifest, 0xa5, sizeof manifest);
    error = (struct error){.code = ERROR_NONE};
}

static void tear_down(void) {
    free(config);
    folder_remove();
}

static bool load_bytes(const char *text, size_t length) {
    folder_write("tray.csv", text, length);
    return manifest_load(file, config, &manifest, &error);
}

static void load_good(const char *text) {
    ck_assert_msg(load_bytes(text, strlen(text)), "%s", error.text);
}

static void assert_row(size_t index, size_t slot, const char *serial, unsigned line) {
    ck_assert_uint_lt(index, manifest.count);
    ck_assert_uint_eq(manifest.rows[index].slot, slot);
    ck_assert_str_eq(manifest.rows[index].serial, serial);
    ck_assert_uint_eq(manifest.rows[index].line, line);
}

static const char *const good_texts[] = {
    "slot,serial\n1,A1\n2,\n",
    "slot,serial\r\n1,A1\r\n2,\r\n",
    "slot,serial\n1,A1\n2,",
    "\xef\xbb\xbfslot,serial\n1,A1\n2,\n",
    "\"slot\",\"serial\"\n\"1\",\"A1\"\n\"2\",\"\"\n",
    " Slot , SERIAL\n 1 ,\tA1 \n2, \n",
    "serial,remark,slot\nA1,\"said \"\"hi, all\"\"\",1\n,,2\n",
};

START_TEST(test_good) {
    load_good(good_texts[_i]);
    ck_assert_uint_eq(manifest.count, 2);
    assert_row(0, 0, "A1", 2);
    assert_row(1, 1, "", 3);
}
END_TEST

START_TEST(test_slots_only) {
    load_good("slot\n2\n1\n");
    ck_assert_uint_eq(manifest.count, 2);
    assert_row(0, 1, "", 2);
    assert_row(1, 0, "", 3);
}
END_TEST

// Lines are counted as an editor counts them, through blank lines and quoted line breaks.
START_TEST(test_line_numbers) {
    load_good("\r\n\nslot,note\n\n\"top, left\",\"a\nb\r\nc\"\n , \n2,x\n");
    ck_assert_uint_eq(manifest.count, 2);
    assert_row(0, 2, "", 5);
    assert_row(1, 1, "", 9);
}
END_TEST

START_TEST(test_longest_serial) {
    load_good("slot,serial\n1,1234567890123456789012345678901234567890123456789012345678901234\n");
    ck_assert_uint_eq(strlen(manifest.rows[0].serial), SERIAL_SIZE - 1);
}
END_TEST

struct bad {
    const char *text;
    const char *place;
    const char *fragment;
};

// clang-format off
static const struct bad bad_texts[] = {
    {"", ".csv:1:", "the file is empty"},
    {"\n\r\n\n", ".csv:4:", "the file is empty"},
    {"slot,serial\n", ".csv:2:", "no rows: the tray is empty"},
    {"slot,serial\n,\n  ,\t\n", ".csv:4:", "no rows"},
    {"serial\nA1\n", ".csv:1:", "no column slot"},
    {"1,A1\n2,A2\n", ".csv:1:", "no column slot"},
    {"slot;serial\n1;A1\n", ".csv:1:", "not by semicolons"},
    {"slot,serial,SLOT\n1,A1,2\n", ".csv:1:", "two columns are called slot"},
    {"slot,serial,serial\n1,A1,2\n", ".csv:1:", "two columns are called serial"},
    {"slot,serial\n1,A1\n9,A2\n", ".csv:3:", "slot \"9\" is not in the configuration"},
    {"slot,serial\n1,A1\n,A2\n", ".csv:3:", "the slot is missing"},
    {"slot,serial\n1,A1\n\n1,A2\n", ".csv:4:", "slot \"1\" is already on line 2"},
    {"slot,serial\n1,A1\n2,A1\n", ".csv:3:", "serial \"A1\" is already on line 2"},
    {"slot,serial\n1,A\xc3\xa4\n", ".csv:2:", "unusable"},
    {"slot,serial\n1,\"A\nB\"\n", ".csv:2:", "unusable"},
    {"slot,serial\n1," TEXT_65 "\n", ".csv:2:", "up to 64 printable"},
    {"slot,serial\n" TEXT_65 ",A1\n", ".csv:2:", "is not in the configuration"},
    {"slot,serial\n1\n", ".csv:2:", "1 fields, where the first line has 2"},
    {"slot,serial\n1,A1,x\n", ".csv:2:", "3 fields"},
    {"slot,serial\n1,A\"1\n", ".csv:2:", "a quote inside"},
    {"slot,serial\n1,\"A1\"x\n", ".csv:2:", "text behind a closing quote"},
    {"slot,serial\n1,\"A1\n2,A2\n", ".csv:2:", "never closed"},
    {"slot,serial\n1,\"", ".csv:2:", "never closed"},
    {"slot,serial\r1,A1\r", ".csv:1:", "a CR without LF"},
    {"slot,serial\n1,\x1b[2J\n", ".csv:2:", "\\x1b[2J"},
};
// clang-format on

START_TEST(test_bad) {
    const struct bad *bad = &bad_texts[_i];
    ck_assert(!load_bytes(bad->text, strlen(bad->text)));
    ck_assert_int_eq(error.code, E_MANIFEST);
    ck_assert_msg(strstr(error.text, bad->place) != NULL, "no \"%s\" in: %s", bad->place,
                  error.text);
    ck_assert_msg(strstr(error.text, bad->fragment) != NULL, "no \"%s\" in: %s", bad->fragment,
                  error.text);
}
END_TEST

START_TEST(test_no_text) {
    static const char utf16[] = "\xff\xfes\0l\0o\0t\0\n\0";
    ck_assert(!load_bytes(utf16, sizeof utf16 - 1));
    ck_assert_int_eq(error.code, E_MANIFEST);
    ck_assert_ptr_nonnull(strstr(error.text, "this is no CSV text"));
    static const char quoted[] = "slot\n\"1\0\"\n";
    ck_assert(!load_bytes(quoted, sizeof quoted - 1));
    ck_assert_ptr_nonnull(strstr(error.text, ".csv:2:"));
}
END_TEST

START_TEST(test_too_large) {
    size_t length = (size_t)2 << 20;
    char *text = malloc(length + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, ',', length);
    text[length] = '\0';
    ck_assert(!load_bytes(text, length));
    ck_assert_ptr_nonnull(strstr(error.text, "larger than 1048576 bytes"));
    ck_assert(!load_bytes(text, 100));
    ck_assert_ptr_nonnull(strstr(error.text, ".csv:1: too many fields"));
    memset(text, 'x', length);
    ck_assert(!load_bytes(text, 10000));
    ck_assert_ptr_nonnull(strstr(error.text, ".csv:1: the row is too long"));
    free(text);
}
END_TEST

START_TEST(test_no_file) {
    ck_assert(!manifest_load(file, config, &manifest, &error));
    ck_assert_int_eq(error.code, E_MANIFEST);
    ck_assert_ptr_nonnull(strstr(error.text, file));
    ck_assert(!manifest_load(folder_name, config, &manifest, &error));
    ck_assert_int_eq(error.code, E_MANIFEST);
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    ck_assert(!manifest_load(file, config, &manifest, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "not a file"));
}
END_TEST

static void assert_written(const char *const *fields, size_t count, const char *expected) {
    struct buf *out = buf_new(1000);
    ck_assert_ptr_nonnull(out);
    ck_assert(csv_put_row(out, fields, count));
    ck_assert_str_eq(buf_text(out), expected);
    buf_free(out);
}

START_TEST(test_write) {
    assert_written((const char *[]){"a", "", NULL, "b c"}, 4, "a,,,b c\r\n");
    assert_written((const char *[]){"a,b", "c\"d\"", "e\nf", "g\r"}, 4,
                   "\"a,b\",\"c\"\"d\"\"\",\"e\nf\",\"g\r\"\r\n");
    assert_written((const char *[]){" a", "b "}, 2, "\" a\",\"b \"\r\n");
    assert_written((const char *[]){""}, 1, "\"\"\r\n");
    assert_written(NULL, 0, "\r\n");
}
END_TEST

START_TEST(test_write_no_formulas) {
    assert_written((const char *[]){"=1+1", "+1", "-1", "@a"}, 4, "'=1+1,'+1,'-1,'@a\r\n");
    assert_written((const char *[]){"\tx", "\rx", "=A,\"B\""}, 3,
                   "'\tx,\"'\rx\",\"'=A,\"\"B\"\"\"\r\n");
    assert_written((const char *[]){"a=b", "1-2"}, 2, "a=b,1-2\r\n");
}
END_TEST

START_TEST(test_write_full) {
    struct buf *out = buf_new(4);
    ck_assert_ptr_nonnull(out);
    ck_assert(!csv_put_row(out, (const char *[]){"abcde"}, 1));
    ck_assert(!csv_put_row(out, (const char *[]){"a,b"}, 1));
    buf_free(out);
}
END_TEST

START_TEST(test_write_reads_back) {
    const char *const fields[] = {"", "plain", "a,b", "\"", "\"\"", "x\r\ny", " z ", "\xc3\xa4"};
    const char *reason = NULL;
    struct csv_reader reader;
    struct csv_row row;
    struct buf *out = buf_new(1000);
    ck_assert_ptr_nonnull(out);
    ck_assert(csv_put_row(out, fields, ARRAY_LENGTH(fields)));
    ck_assert(csv_put_row(out, fields, 1));
    csv_reader_init(&reader, buf_slice(out));
    ck_assert_int_eq(csv_read(&reader, &row, &reason), CSV_ROW);
    ck_assert_uint_eq(row.count, ARRAY_LENGTH(fields));
    for (size_t i = 0; i < row.count; i++) {
        ck_assert_str_eq(row.fields[i], fields[i]);
    }
    ck_assert_int_eq(csv_read(&reader, &row, &reason), CSV_ROW);
    ck_assert_uint_eq(row.count, 1);
    ck_assert_str_eq(row.fields[0], "");
    ck_assert_uint_eq(row.line, 3);
    ck_assert_int_eq(csv_read(&reader, &row, &reason), CSV_END);
    ck_assert_int_eq(csv_read(&reader, &row, &reason), CSV_END);
    buf_free(out);
}
END_TEST

static Suite *manifest_suite(void) {
    Suite *suite = suite_create("manifest");
    TCase *reading = tcase_create("manifest");
    tcase_add_checked_fixture(reading, set_up, tear_down);
    tcase_add_loop_test(reading, test_good, 0, (int)ARRAY_LENGTH(good_texts));
    tcase_add_test(reading, test_slots_only);
    tcase_add_test(reading, test_line_numbers);
    tcase_add_test(reading, test_longest_serial);
    tcase_add_loop_test(reading, test_bad, 0, (int)ARRAY_LENGTH(bad_texts));
    tcase_add_test(reading, test_no_text);
    tcase_add_test(reading, test_too_large);
    tcase_add_test(reading, test_no_file);
    suite_add_tcase(suite, reading);
    TCase *writing = tcase_create("csv");
    tcase_add_test(writing, test_write);
    tcase_add_test(writing, test_write_no_formulas);
    tcase_add_test(writing, test_write_full);
    tcase_add_test(writing, test_write_reads_back);
    suite_add_tcase(suite, writing);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(manifest_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
