// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cbor.h"
#include "tests/support_vectors.h"

#define HEX_BYTES_MAX 256

// In memory of exactly its size, so that sanitizers see whoever reads past the end.
static bool is_valid(const uint8_t *data, size_t length) {
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    ck_assert_ptr_nonnull(exact);
    if (length != 0) {
        memcpy(exact, data, length);
    }
    bool valid = cbor_is_valid((struct slice){exact, length});
    free(exact);
    return valid;
}

static bool hex_is_valid(const char *hex) {
    uint8_t bytes[HEX_BYTES_MAX];
    size_t length = strlen(hex) / 2;
    ck_assert_uint_le(length, sizeof(bytes));
    ck_assert(hex_decode(bytes, length, hex));
    return is_valid(bytes, length);
}

static void assert_written(const struct cbor_writer *writer, const char *hex) {
    char text[2 * HEX_BYTES_MAX + 1];
    ck_assert(!writer->failed);
    ck_assert_uint_le(writer->used, HEX_BYTES_MAX);
    hex_encode(text, writer->out, writer->used);
    ck_assert_str_eq(text, hex);
}

// ---- what is refused ----------------------------------------------------------------------------

START_TEST(vectors_are_refused) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "payloads_to_refuse"), i, vector) {
        struct vector_bytes payload;
        vector_bytes_of(&payload, vector, "payload");
        ck_assert_msg(!is_valid(payload.data, payload.length), "%s", vector_text(vector, "name"));
    }
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_are_accepted_whole_only) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes payload;
        vector_bytes_of(&payload, vector, "payload");
        ck_assert_msg(is_valid(payload.data, payload.length), "%s", vector_text(vector, "name"));
        for (size_t cut = 0; cut < payload.length; cut++) {
            ck_assert(!is_valid(payload.data, cut));
        }
        payload.data[payload.length] = 0;
        ck_assert(!is_valid(payload.data, payload.length + 1));
    }
    json_decref(vectors);
}
END_TEST

static const char *const refused[] = {
    "",                         // nothing
    "80",                       // an array
    "60",                       // a text
    "a0a0",                     // two maps
    "a1",                       // no key
    "a101",                     // no value
    "a1f501",                   // a boolean key
    "a1616101",                 // a text key
    "a1410101",                 // a byte string key
    "a18001",                   // an array key
    "a101a1616101",             // a text key inside
    "a10120",                   // a negative value
    "a1018120",                 // a negative value in an array
    "a220010101",               // a negative key before a positive one
    "a221012001",               // -2 before -1
    "a220012001",               // -1 twice
    "a101a201010102",           // a duplicate key inside
    "a101a202010101",           // out of order inside
    "a21818011701",             // 24 before 23
    "a1181701",                 // a key that is not shortest
    "a1011900ff",               // 255 in two bytes
    "b8010101",                 // a map's count that is not shortest
    "a101980101",               // an array's count
    "a101580101",               // a byte string's length
    "a101780161",               // a text's length
    "a1011a0000ffff",           // 65535 in four
    "a1011b00000000ffffffff",   // 2^32 - 1 in eight
    "a1011c",                   // reserved
    "a1011d",                   // reserved
    "a1011e",                   // reserved
    "a1011f",                   // indefinite integer: there is none
    "a1015f4101ff",             // indefinite byte string
    "a1017f6161ff",             // indefinite text
    "a1019f01ff",               // indefinite array
    "a101bf0101ff",             // indefinite map
    "a101f7",                   // undefined
    "a101f0",                   // a simple value without a meaning
    "a101f820",                 // a simple value in two bytes
    "a101f814",                 // false, in two bytes
    "a101ff",                   // break
    "a101fa00000000",           // floats of every size
    "a101fb0000000000000000",   // as above
    "a101c0613a",               // tags, short and long
    "a101d82000",               // as above
    "a1019affffffff",           // four thousand million items
    "a1019bffffffffffffffff01", // as many as there can be
    "a101baffffffff",           // pairs
    "bbffffffffffffffff0101",   // pairs of which twice as many do not fit an integer
    "bb80000000000000000101",   // as above
    "a1015bffffffffffffffff",   // a length that wraps
    "a1017bffffffffffffffff61", // as above
    "a1018181818101",           // level 5
    "a101a101a101a101a10101",   // level 6, maps
};

START_TEST(payloads_are_refused) {
    ck_assert_msg(!hex_is_valid(refused[_i]), "%s", refused[_i]);
}
END_TEST

static const char *const accepted[] = {
    "a0",
    "a10000",                 // key 0
    "a12000",                 // key -1
    "a21701181801",           // 23, 24
    "a218ff0119010001",       // 255, 256
    "a301011818012001",       // -1 comes behind every key that is not negative
    "a220012101",             // -1, -2
    "a23701381801",           // -24, -25
    "a11bffffffffffffffff01", // the greatest key
    "a13bffffffffffffffff01", // the least
    "a1011bffffffffffffffff", // the greatest integer
    "a10140",                 // empty strings
    "a10160",                 // as above
    "a10180",                 // an empty array
    "a101a0",                 // an empty map
    "a201f402f5",             // booleans
    "a101818180",             // level 4
    "a101a101a101a0",         // as above, maps
    "a20181818002818180",     // up and down
    "a101a2010102820102",     // a map after whose key an array ends
    "a20182018202030204",     // items behind an inner array
    "a1016161",               // text
    "a10167c3a4e282ac7a00",   // text with U+0000
    "a1017818616161616161616161616161616161616161616161616161", // a length of two bytes
};

START_TEST(payloads_are_accepted) {
    ck_assert_msg(hex_is_valid(accepted[_i]), "%s", accepted[_i]);
}
END_TEST

// ---- UTF-8 --------------------------------------------------------------------------------------

struct utf8_case {
    const char *text;
    bool valid;
};

static const struct utf8_case utf8_cases[] = {
    {"\x7f", true},
    {"\x80", false}, // a continuation alone
    {"\xbf", false},
    {"\xc0\x80", false}, // overlong
    {"\xc1\xbf", false},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xc2", false},
    {"\xc2 ", false},
    {"\xc2\xc2", false},
    {"\xe0\x9f\xbf", false}, // overlong
    {"\xe0\xa0\x80", true},
    {"\xe2\x82", false},
    {"\xe2\x82 ", false},
    {"\xed\x9f\xbf", true},
    {"\xed\xa0\x80", false}, // surrogates
    {"\xed\xbf\xbf", false},
    {"\xee\x80\x80", true},
    {"\xef\xbf\xbf", true},
    {"\xf0\x8f\xbf\xbf", false}, // overlong
    {"\xf0\x90\x80\x80", true},
    {"\xf0\x9f\x93\xb7", true},
    {"\xf0\x9f\x93", false},
    {"\xf0\x9f\x93 ", false},
    {"\xf4\x8f\xbf\xbf", true},
    {"\xf4\x90\x80\x80", false}, // above U+10FFFF
    {"\xf5\x80\x80\x80", false},
    {"\xf8\x88\x80\x80\x80", false},
    {"\xfe", false},
    {"\xff", false},
    {"ok\xe2\x82\xac", true},
    {"\xe2\x82\xac\xff", false},
};

START_TEST(text_is_utf8) {
    const struct utf8_case *example = &utf8_cases[_i];
    size_t length = strlen(example->text);
    uint8_t payload[16] = {0xa1, 0x01, (uint8_t)(0x60 | length)};
    ck_assert_uint_le(3 + length, sizeof(payload));
    memcpy(payload + 3, example->text, length);
    ck_assert(is_valid(payload, 3 + length) == example->valid);
}
END_TEST

// ---- integers -----------------------------------------------------------------------------------

struct integer_case {
    uint64_t value;
    const char *hex;
};

static const struct integer_case integer_cases[] = {
    {0, "00"},
    {1, "01"},
    {23, "17"},
    {24, "1818"},
    {255, "18ff"},
    {256, "190100"},
    {65535, "19ffff"},
    {65536, "1a00010000"},
    {UINT32_MAX, "1affffffff"},
    {UINT32_MAX + 1ULL, "1b0000000100000000"},
    {UINT64_MAX, "1bffffffffffffffff"},
};

START_TEST(integers_are_shortest) {
    const struct integer_case *example = &integer_cases[_i];
    uint8_t out[16];
    struct cbor_writer writer;
    cbor_writer_init(&writer, out, sizeof(out));
    cbor_put_uint(&writer, example->value);
    assert_written(&writer, example->hex);
    struct cbor_reader reader = {{out, writer.used}};
    struct cbor_item item;
    ck_assert(cbor_read(&reader, &item));
    ck_assert_int_eq(item.type, CBOR_UINT);
    ck_assert_uint_eq(item.value, example->value);
    ck_assert_uint_eq(reader.rest.length, 0);
}
END_TEST

// ---- writing and walking ------------------------------------------------------------------------

static void write_example(struct cbor_writer *writer) {
    static const uint8_t bytes[] = {0xde, 0xad};
    cbor_put_map(writer, 5);
    cbor_put_uint(writer, 1);
    cbor_put_bytes(writer, (struct slice){bytes, sizeof(bytes)});
    cbor_put_uint(writer, 2);
    cbor_put_text(writer, "gr\xc3\xbcn");
    cbor_put_uint(writer, 3);
    cbor_put_array(writer, 2);
    cbor_put_bool(writer, true);
    cbor_put_map(writer, 1);
    cbor_put_uint(writer, 24);
    cbor_put_array(writer, 0);
    cbor_put_uint(writer, 4);
    cbor_put_bool(writer, false);
    cbor_put_uint(writer, 5);
    cbor_put_bytes(writer, (struct slice){NULL, 0});
}

#define EXAMPLE_HEX "a50142dead02656772c3bc6e0382f5a118188004f40540"

START_TEST(writer_writes) {
    uint8_t out[64];
    struct cbor_writer writer;
    cbor_writer_init(&writer, out, sizeof(out));
    write_example(&writer);
    assert_written(&writer, EXAMPLE_HEX);
    ck_assert(is_valid(out, writer.used));
}
END_TEST

START_TEST(writer_stays_inside) {
    size_t full = strlen(EXAMPLE_HEX) / 2;
    for (size_t capacity = 0; capacity <= full; capacity++) {
        uint8_t out[64];
        struct cbor_writer writer;
        memset(out, 0xee, sizeof(out));
        cbor_writer_init(&writer, out, capacity);
        write_example(&writer);
        ck_assert(writer.failed == (capacity < full));
        ck_assert_uint_le(writer.used, capacity);
        for (size_t i = capacity; i < sizeof(out); i++) {
            ck_assert_uint_eq(out[i], 0xee);
        }
    }
}
END_TEST

START_TEST(reader_walks) {
    static const enum cbor_type types[] = {
        CBOR_MAP, CBOR_UINT, CBOR_BYTES, CBOR_UINT, CBOR_TEXT, CBOR_UINT, CBOR_ARRAY, CBOR_BOOL,
        CBOR_MAP, CBOR_UINT, CBOR_ARRAY, CBOR_UINT, CBOR_BOOL, CBOR_UINT, CBOR_BYTES,
    };
    static const uint64_t values[] = {5, 1, 2, 2, 5, 3, 2, 1, 1, 24, 0, 4, 0, 5, 0};
    uint8_t bytes[HEX_BYTES_MAX];
    size_t length = strlen(EXAMPLE_HEX) / 2;
    ck_assert(hex_decode(bytes, length, EXAMPLE_HEX));
    struct cbor_reader reader = {{bytes, length}};
    struct cbor_item item;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        ck_assert(cbor_read(&reader, &item));
        ck_assert_int_eq(item.type, types[i]);
        bool is_string = item.type == CBOR_BYTES || item.type == CBOR_TEXT;
        ck_assert_uint_eq(is_string ? item.bytes.length : item.value, values[i]);
    }
    ck_assert(!cbor_read(&reader, &item));
    ck_assert(!cbor_skip(&reader));
}
END_TEST

START_TEST(negative_keys_hold_their_distance) {
    uint8_t bytes[] = {0x38, 0x63};
    struct cbor_reader reader = {{bytes, sizeof(bytes)}};
    struct cbor_item item;
    ck_assert(cbor_read(&reader, &item));
    ck_assert_int_eq(item.type, CBOR_NEGATIVE);
    ck_assert_uint_eq(item.value, 99); // of -100
}
END_TEST

START_TEST(skip_takes_all_that_is_inside) {
    uint8_t bytes[HEX_BYTES_MAX];
    const char *hex = EXAMPLE_HEX "17";
    size_t length = strlen(hex) / 2;
    ck_assert(hex_decode(bytes, length, hex));
    struct cbor_reader reader = {{bytes, length}};
    ck_assert(cbor_skip(&reader));
    ck_assert_uint_eq(reader.rest.length, 1);
    ck_assert(cbor_skip(&reader));
    ck_assert(!cbor_skip(&reader));
    for (size_t cut = 0; cut < length - 1; cut++) {
        reader = (struct cbor_reader){{bytes, cut}};
        ck_assert(!cbor_skip(&reader));
    }
    // A million levels cost no stack.
    size_t deep = 1000000;
    uint8_t *nested = malloc(deep);
    ck_assert_ptr_nonnull(nested);
    memset(nested, 0x81, deep - 1);
    nested[deep - 1] = 0x80;
    reader = (struct cbor_reader){{nested, deep}};
    ck_assert(cbor_skip(&reader));
    ck_assert(!is_valid(nested, deep));
    free(nested);
}
END_TEST

static Suite *cbor_suite(void) {
    Suite *suite = suite_create("cbor");
    TCase *tests = tcase_create("cbor");
    tcase_add_test(tests, vectors_are_refused);
    tcase_add_test(tests, vectors_are_accepted_whole_only);
    tcase_add_loop_test(tests, payloads_are_refused, 0, ARRAY_LENGTH(refused));
    tcase_add_loop_test(tests, payloads_are_accepted, 0, ARRAY_LENGTH(accepted));
    tcase_add_loop_test(tests, text_is_utf8, 0, ARRAY_LENGTH(utf8_cases));
    tcase_add_loop_test(tests, integers_are_shortest, 0, ARRAY_LENGTH(integer_cases));
    tcase_add_test(tests, writer_writes);
    tcase_add_test(tests, writer_stays_inside);
    tcase_add_test(tests, reader_walks);
    tcase_add_test(tests, negative_keys_hold_their_distance);
    tcase_add_test(tests, skip_takes_all_that_is_inside);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(cbor_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
