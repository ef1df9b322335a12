// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"
#include "tests/support_message.h"
#include "tests/support_vectors.h"

#define HEX_32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_16 "000102030405060708090a0b0c0d0e0f"

static void fill_ascending(uint8_t *out, size_t length) {
    for (size_t i = 0; i < length; i++) {
        out[i] = (uint8_t)i;
    }
}

// ---- the vectors as typed messages --------------------------------------------------------------

static uint8_t long_data[900];

static void make_hello_request(struct message *message) {
    message->hello.max_payload = 4096;
}

static void make_hello_response(struct message *message) {
    message->hello.max_payload = 1024;
}

static void make_nothing(struct message *message) {
    (void)message;
}

static void make_info_response(struct message *message) {
    struct message_info *info = &message->info;
    ck_assert(text_copy(info->serial, sizeof(info->serial), "WV-X2251L-000001"));
    ck_assert(text_copy(info->model, sizeof(info->model), "WV-X2251L"));
    ck_assert(text_copy(info->firmware, sizeof(info->firmware), "2.40"));
    ck_assert(hex_decode(info->hardware_id, 6, "080023a1b2c3"));
    info->hardware_id_length = 6;
    info->lifecycle = LIFECYCLE_BLANK;
    info->credential_count = 1;
    info->credentials[0] = (struct message_credential){.number = 1, .key_type = KEY_P256};
    info->key_type_count = 2;
    info->key_types[0] = KEY_P256;
    info->key_types[1] = KEY_RSA_2048;
    fill_ascending(info->boot_id, sizeof(info->boot_id));
}

static void make_generate_request(struct message *message) {
    static uint8_t subject[29];
    ck_assert(hex_decode(subject, sizeof(subject),
                         "301b311930170603550405131057562d58323235314c2d303030303031"));
    message->generate_key.credential = 1;
    message->generate_key.key_type = KEY_P256;
    fill_ascending(message->generate_key.job_id, MESSAGE_JOB_ID_SIZE);
    message->generate_key.subject = (struct slice){subject, sizeof(subject)};
}

static void make_progress(struct message *message) {
    message->progress.has_percent = true;
    message->progress.percent = 40;
    message->progress.max_silence_ms = 2000;
}

static void make_progress_unknown(struct message *message) {
    message->progress.max_silence_ms = 120000;
}

static void make_generate_response(struct message *message) {
    ck_assert(hex_decode(message->generated.spki_sha256, SHA256_SIZE,
                         "6feecc8c16c5551d9feb3eb5f77e2da773bf68bd9ef9c52927ceb2c86e56892b"));
    message->generated.csr_size = 391;
}

static void make_exists(struct message *message) {
    message->error.code = CAMERA_EXISTS;
    ck_assert(text_copy(message->error.text, sizeof(message->error.text),
                        "credential 1 already has a key"));
}

static void make_read_request(struct message *message) {
    message->read.object = OBJECT_CSR;
    message->read.credential = 1;
    message->read.length = 900;
}

static void make_read_response(struct message *message) {
    fill_ascending(long_data, sizeof(long_data));
    message->data.data = (struct slice){long_data, 512};
    message->data.total = 512;
}

static void make_write(struct message *message, uint8_t fill) {
    memset(long_data, fill, sizeof(long_data));
    message->write.object = OBJECT_CHAIN;
    message->write.credential = 1;
    message->write.total = 1914;
    message->write.data = (struct slice){long_data, 900};
}

static void make_write_zeros(struct message *message) {
    make_write(message, 0);
}

static void make_write_sevens(struct message *message) {
    make_write(message, 7);
}

static void make_bad_offset(struct message *message) {
    message->error.code = CAMERA_BAD_OFFSET;
    ck_assert(
        text_copy(message->error.text, sizeof(message->error.text), "offset 1800 is past the end"));
    message->error.has_detail = true;
    message->error.detail = 900;
}

static void make_commit_request(struct message *message) {
    message->commit.object = OBJECT_CHAIN;
    message->commit.credential = 1;
    ck_assert(hex_decode(message->commit.sha256, SHA256_SIZE,
                         "9414886b1ebf025db067a4cbd13a0903fbd9733a5372bba1b58bd72c1699b798"));
}

static void make_prove_request(struct message *message) {
    message->prove.credential = 1;
    ck_assert(hex_decode(message->prove.nonce, MESSAGE_NONCE_SIZE,
                         "78377b525757b494427f89014f97d79928f3938d14eb51e20fb5dec9834eb304"));
}

static void make_finish_request(struct message *message) {
    message->finish.lock = true;
}

static void make_finish_response(struct message *message) {
    message->finished.lifecycle = LIFECYCLE_LOCKED;
}

struct typed_case {
    const char *name;
    void (*make)(struct message *message);
};

static const struct typed_case typed_cases[] = {
    {"hello request", make_hello_request},
    {"hello response", make_hello_response},
    {"info request", make_nothing},
    {"info response, one empty credential", make_info_response},
    {"generate key request", make_generate_request},
    {"generate key progress", make_progress},
    {"generate key progress, percent unknown", make_progress_unknown},
    {"generate key response", make_generate_response},
    {"generate key error EXISTS", make_exists},
    {"read request", make_read_request},
    {"read response", make_read_response},
    {"write request of 900 zero bytes", make_write_zeros},
    {"write request of 900 non-zero bytes", make_write_sevens},
    {"write error BAD_OFFSET", make_bad_offset},
    {"commit request", make_commit_request},
    {"prove request", make_prove_request},
    {"finish request", make_finish_request},
    {"finish response", make_finish_response},
    {"sequence wraps", make_nothing},
};

static void make_typed(const char *name, struct message *message) {
    for (size_t i = 0; i < ARRAY_LENGTH(typed_cases); i++) {
        if (strcmp(typed_cases[i].name, name) == 0) {
            typed_cases[i].make(message);
            return;
        }
    }
    ck_abort_msg("no typed message for the vector \"%s\"", name);
}

START_TEST(vectors_encode_to_the_wire) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    ck_assert_uint_eq(json_array_size(vectors_section(vectors, "cases")),
                      ARRAY_LENGTH(typed_cases));
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        const char *name = vector_text(vector, "name");
        struct vector_bytes payload;
        struct vector_bytes wire;
        struct frame frame = vector_frame(vector, &payload);
        vector_bytes_of(&wire, vector, "frame");
        struct message message = message_new((enum message_op)frame.op, frame.kind);
        make_typed(name, &message);
        uint8_t out[MESSAGE_BYTES_MAX];
        size_t length = message_encode(out, sizeof(out), &message);
        ck_assert_msg(length == payload.length, "%s", name);
        ck_assert_mem_eq(out, payload.data, length);
        frame.payload = (struct slice){out, length};
        uint8_t sent[FRAME_WIRE_MAX(MESSAGE_BYTES_MAX)];
        ck_assert_uint_eq(frame_encode(sent, sizeof(sent), &frame, 0), wire.length);
        ck_assert_mem_eq(sent, wire.data, wire.length);
    }
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_decode_from_the_wire) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes wire;
        uint8_t buffer[FRAME_WIRE_MAX(MESSAGE_BYTES_MAX)];
        struct frame_decoder decoder;
        struct frame frame = {0};
        bool found = false;
        vector_bytes_of(&wire, vector, "frame");
        frame_decoder_init(&decoder, buffer, sizeof(buffer));
        struct slice input = {wire.data, wire.length};
        ck_assert_uint_eq(frame_decoder_feed(&decoder, input, &frame, &found), wire.length);
        ck_assert(found);
        struct message message;
        ck_assert_int_eq(message_decode(&frame, &message), CAMERA_OK);
        struct message expected = message_new((enum message_op)frame.op, frame.kind);
        make_typed(vector_text(vector, "name"), &expected);
        assert_same_message(&message, &expected);
    }
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_are_refused_for_every_op) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "payloads_to_refuse"), i, vector) {
        const char *hex = vector_text(vector, "payload");
        for (unsigned op = 0; op <= OP_RESTART + 1; op++) {
            for (unsigned kind = FRAME_REQUEST; kind <= FRAME_ERROR; kind++) {
                ck_assert_int_eq(outcome((enum message_op)op, (enum frame_kind)kind, hex),
                                 CAMERA_MALFORMED);
            }
        }
    }
    json_decref(vectors);
}
END_TEST

// ---- messages that the vectors do not have ------------------------------------------------------

START_TEST(other_messages_are_exact) {
    static const uint8_t signature[] = {0x30, 0x06};
    struct message message = message_new(OP_WRITE, FRAME_RESPONSE);
    message.written.next_offset = 65536;
    assert_encodes(&message, "a1011a00010000");

    message = message_new(OP_COMMIT, FRAME_RESPONSE);
    fill_ascending(message.committed.sha256, SHA256_SIZE);
    assert_encodes(&message, "a1015820" HEX_32);

    message = message_new(OP_PROVE, FRAME_RESPONSE);
    message.proof.signature = (struct slice){signature, sizeof(signature)};
    message.proof.signature_algorithm = SIGNATURE_RSA_PSS_SHA256;
    fill_ascending(message.proof.certificate_sha256, SHA256_SIZE);
    assert_encodes(&message, "a301423006020303"
                             "5820" HEX_32);

    message = message_new(OP_FINISH, FRAME_REQUEST);
    assert_encodes(&message, "a101f4");

    message = message_new(OP_IDENTIFY, FRAME_REQUEST);
    message.identify.seconds = 10;
    assert_encodes(&message, "a1010a");

    message = message_new(OP_GENERATE_KEY, FRAME_REQUEST);
    message.generate_key.credential = 2;
    message.generate_key.key_type = KEY_ED25519;
    message.generate_key.replace = true;
    fill_ascending(message.generate_key.job_id, MESSAGE_JOB_ID_SIZE);
    assert_encodes(&message, "a4010202060350" HEX_16 "05f5");
}
END_TEST

START_TEST(messages_without_members_are_the_empty_map) {
    assert_encodes(&(struct message){.op = OP_INFO, .kind = FRAME_REQUEST}, "a0");
    assert_encodes(&(struct message){.op = OP_ABORT, .kind = FRAME_REQUEST}, "a0");
    assert_encodes(&(struct message){.op = OP_ABORT, .kind = FRAME_RESPONSE}, "a0");
    assert_encodes(&(struct message){.op = OP_IDENTIFY, .kind = FRAME_RESPONSE}, "a0");
    assert_encodes(&(struct message){.op = OP_RESTART, .kind = FRAME_REQUEST}, "a0");
    assert_encodes(&(struct message){.op = OP_RESTART, .kind = FRAME_RESPONSE}, "a0");
    ck_assert_int_eq(outcome(OP_RESTART, FRAME_RESPONSE, "a0"), CAMERA_OK);
    ck_assert_int_eq(outcome(OP_ABORT, FRAME_REQUEST, "a0"), CAMERA_OK);
    ck_assert_int_eq(outcome(OP_ABORT, FRAME_REQUEST, ""), CAMERA_MALFORMED);
}
END_TEST

START_TEST(no_such_message) {
    struct message message = message_new((enum message_op)12, FRAME_REQUEST);
    uint8_t out[MESSAGE_BYTES_MAX];
    ck_assert_uint_eq(message_encode(out, sizeof(out), &message), 0);
    ck_assert_int_eq(outcome((enum message_op)0, FRAME_REQUEST, "a0"), CAMERA_UNSUPPORTED_OP);
    ck_assert_int_eq(outcome((enum message_op)12, FRAME_REQUEST, "a0"), CAMERA_UNSUPPORTED_OP);
    ck_assert_int_eq(outcome((enum message_op)255, FRAME_RESPONSE, "a0"), CAMERA_UNSUPPORTED_OP);
    // An error says so for an op that the receiver of the request does not know.
    ck_assert_int_eq(outcome((enum message_op)200, FRAME_ERROR, "a201020260"), CAMERA_OK);
}
END_TEST

// ---- keys that are not known --------------------------------------------------------------------

START_TEST(unknown_keys_are_ignored) {
    struct message message;
    ck_assert_int_eq(
        decode_hex(OP_HELLO, FRAME_REQUEST, "a400818102011910000260187881a10304", &message),
        CAMERA_OK);
    ck_assert_uint_eq(message.hello.max_payload, 4096);
    ck_assert_int_eq(outcome(OP_ABORT, FRAME_REQUEST, "a11bffffffffffffffff00"), CAMERA_OK);
    // Inside a credential too.
    const char *info = "a801616102616203616304410005000681a4010102010300186361610780"
                       "08480001020304050607";
    ck_assert_int_eq(decode_hex(OP_INFO, FRAME_RESPONSE, info, &message), CAMERA_OK);
    ck_assert_uint_eq(message.info.credentials[0].number, 1);
    ck_assert_str_eq(message.info.firmware, "c");
}
END_TEST

START_TEST(unknown_negative_keys_are_critical_in_requests) {
    ck_assert_int_eq(outcome(OP_HELLO, FRAME_REQUEST, "a2011910002000"),
                     CAMERA_UNSUPPORTED_CRITICAL);
    ck_assert_int_eq(outcome(OP_ABORT, FRAME_REQUEST, "a1386300"), CAMERA_UNSUPPORTED_CRITICAL);
    // What is missing may be what the negative key replaces.
    ck_assert_int_eq(outcome(OP_HELLO, FRAME_REQUEST, "a12000"), CAMERA_UNSUPPORTED_CRITICAL);
    ck_assert_int_eq(outcome(OP_HELLO, FRAME_RESPONSE, "a2011910002000"), CAMERA_OK);
    ck_assert_int_eq(outcome(OP_WRITE, FRAME_ERROR, "a3010602602000"), CAMERA_OK);
    ck_assert_int_eq(outcome((enum message_op)99, FRAME_REQUEST, "a12000"), CAMERA_UNSUPPORTED_OP);
}
END_TEST

// ---- members that are missing or wrong ----------------------------------------------------------

struct wrong_case {
    enum message_op op;
    enum frame_kind kind;
    const char *hex;
};

static const struct wrong_case wrong_cases[] = {
    {OP_HELLO, FRAME_REQUEST, "a0"},
    {OP_HELLO, FRAME_REQUEST, "a10160"},                 // text
    {OP_HELLO, FRAME_REQUEST, "a101f5"},                 // boolean
    {OP_HELLO, FRAME_REQUEST, "a10180"},                 // array
    {OP_HELLO, FRAME_REQUEST, "a1011b0000000100000000"}, // 2^32
    {OP_GENERATE_KEY, FRAME_REQUEST,
     "a30101020103"
     "4f" HEX_16},                                                  // cut by a byte
    {OP_GENERATE_KEY, FRAME_REQUEST, "a3010102010351" HEX_16 "00"}, // a byte too many
    {OP_GENERATE_KEY, FRAME_REQUEST, "a3010102010370" HEX_16},      // text for bytes
    {OP_GENERATE_KEY, FRAME_REQUEST,
     "a2010102"
     "01"}, // no job id
    {OP_GENERATE_KEY, FRAME_REQUEST,
     "a301190100"
     "02010350" HEX_16},                                              // credential 256
    {OP_GENERATE_KEY, FRAME_REQUEST, "a4010102010350" HEX_16 "0460"}, // a subject that is text
    {OP_GENERATE_KEY, FRAME_REQUEST, "a4010102010350" HEX_16 "0501"}, // replace: 1
    {OP_GENERATE_KEY, FRAME_RESPONSE, "a1015820" HEX_32},             // no csr_size
    {OP_GENERATE_KEY, FRAME_RESPONSE, "a20150" HEX_16 "0201"},        // half a hash
    {OP_READ, FRAME_REQUEST, "a3010102010300"},                       // no length
    {OP_READ, FRAME_RESPONSE,
     "a2010003"
     "00"}, // no data
    {OP_READ, FRAME_RESPONSE,
     "a301000260"
     "0300"},                                        // text for data
    {OP_WRITE, FRAME_REQUEST, "a40101020103000400"}, // no data
    {OP_WRITE, FRAME_RESPONSE, "a0"},
    {OP_COMMIT, FRAME_REQUEST, "a201020201"},
    {OP_COMMIT, FRAME_REQUEST, "a301020201035821" HEX_32 "00"},
    {OP_COMMIT, FRAME_RESPONSE, "a10140"},
    {OP_PROVE, FRAME_REQUEST, "a201010250" HEX_16}, // half a nonce
    {OP_PROVE, FRAME_RESPONSE, "a20141000201"},     // no hash
    {OP_FINISH, FRAME_REQUEST, "a0"},
    {OP_FINISH, FRAME_REQUEST, "a10101"},  // not a boolean
    {OP_FINISH, FRAME_RESPONSE, "a10104"}, // no such lifecycle
    {OP_IDENTIFY, FRAME_REQUEST, "a0"},
    {OP_GENERATE_KEY, FRAME_PROGRESS, "a10101"}, // no max_silence_ms
    {OP_GENERATE_KEY, FRAME_PROGRESS,
     "a2014100"
     "0201"},                         // percent in bytes
    {OP_READ, FRAME_ERROR, "a10101"}, // no text
    {OP_READ, FRAME_ERROR, "a10260"}, // no code
    {OP_READ, FRAME_ERROR,
     "a2010102"
     "40"},                                 // bytes for text
    {OP_READ, FRAME_ERROR, "a20101026100"}, // U+0000
    {OP_READ, FRAME_ERROR,
     "a30101026003"
     "1b0000000100000000"}, // detail of 2^32
};

START_TEST(wrong_members_are_malformed) {
    const struct wrong_case *example = &wrong_cases[_i];
    ck_assert_int_eq(outcome(example->op, example->kind, example->hex), CAMERA_MALFORMED);
}
END_TEST

START_TEST(text_is_at_most_128_bytes) {
    for (size_t length = 120; length <= 140; length++) {
        uint8_t payload[160] = {0xa2, 0x01, 0x0c, 0x02, 0x78, (uint8_t)length};
        memset(payload + 6, 'x', length);
        struct frame frame = {
            .kind = FRAME_ERROR, .op = OP_WRITE, .payload = {payload, 6 + length}};
        struct message message;
        enum camera_error status = message_decode(&frame, &message);
        ck_assert_int_eq(status, length <= MESSAGE_TEXT_MAX ? CAMERA_OK : CAMERA_MALFORMED);
        if (status == CAMERA_OK) {
            ck_assert_uint_eq(strlen(message.error.text), length);
        }
    }
}
END_TEST

START_TEST(errors_are_read_leniently) {
    struct message message;
    ck_assert_int_eq(decode_hex(OP_READ, FRAME_ERROR,
                                "a301186302616103"
                                "0a",
                                &message),
                     CAMERA_OK);
    ck_assert_int_eq(message.error.code, CAMERA_INTERNAL);
    ck_assert(message.error.has_detail);
    ck_assert_uint_eq(message.error.detail, 10);
    ck_assert_int_eq(decode_hex(OP_READ, FRAME_ERROR, "a201000260", &message), CAMERA_OK);
    ck_assert_int_eq(message.error.code, CAMERA_INTERNAL);
    ck_assert_int_eq(decode_hex(OP_READ, FRAME_ERROR, "a2011bffffffffffffffff0260", &message),
                     CAMERA_OK);
    ck_assert_int_eq(message.error.code, CAMERA_INTERNAL);
    for (unsigned code = CAMERA_MALFORMED; code <= CAMERA_NO_CREDENTIAL; code++) {
        char hex[] = "a201000260";
        hex_encode(hex + 4, &(uint8_t){(uint8_t)code}, 1);
        hex[6] = '0';
        ck_assert_int_eq(decode_hex(OP_READ, FRAME_ERROR, hex, &message), CAMERA_OK);
        ck_assert_int_eq(message.error.code, code);
    }
    message = message_new(OP_READ, FRAME_ERROR);
    uint8_t out[MESSAGE_BYTES_MAX];
    ck_assert_uint_eq(message_encode(out, sizeof(out), &message), 0); // OK is no error
}
END_TEST

START_TEST(percent_is_at_most_100) {
    struct message message;
    ck_assert_int_eq(decode_hex(OP_PROVE, FRAME_PROGRESS, "a20118ff0201", &message), CAMERA_OK);
    ck_assert(message.progress.has_percent);
    ck_assert_uint_eq(message.progress.percent, 100);
    ck_assert_int_eq(decode_hex(OP_PROVE, FRAME_PROGRESS, "a2011bffffffffffffffff0201", &message),
                     CAMERA_OK);
    ck_assert_uint_eq(message.progress.percent, 100);
    message.progress.percent = 180;
    assert_encodes(&message, "a20118640201");
}
END_TEST

// ---- encoding -----------------------------------------------------------------------------------

START_TEST(no_capacity_but_the_exact_one_is_enough) {
    struct message message = message_new(OP_INFO, FRAME_RESPONSE);
    make_info_response(&message);
    uint8_t out[MESSAGE_BYTES_MAX];
    size_t full = message_encode(out, sizeof(out), &message);
    for (size_t capacity = 0; capacity <= full; capacity++) {
        memset(out, 0xee, sizeof(out));
        size_t length = message_encode(out, capacity, &message);
        ck_assert_uint_eq(length, capacity == full ? full : 0);
        ck_assert_uint_eq(out[capacity], 0xee);
    }
}
END_TEST

START_TEST(counts_beyond_the_arrays_are_not_encoded) {
    uint8_t out[MESSAGE_BYTES_MAX];
    struct message message = message_new(OP_INFO, FRAME_RESPONSE);
    ck_assert_uint_ne(message_encode(out, sizeof(out), &message), 0);
    message.info.credential_count = MESSAGE_CREDENTIALS_MAX + 1;
    ck_assert_uint_eq(message_encode(out, sizeof(out), &message), 0);
    message.info.credential_count = 0;
    message.info.key_type_count = MESSAGE_KEY_TYPES_MAX + 1;
    ck_assert_uint_eq(message_encode(out, sizeof(out), &message), 0);
    message.info.key_type_count = 0;
    message.info.hardware_id_length = MESSAGE_HARDWARE_ID_MAX + 1;
    ck_assert_uint_eq(message_encode(out, sizeof(out), &message), 0);
}
END_TEST

// ---- names --------------------------------------------------------------------------------------

START_TEST(names) {
    ck_assert_str_eq(message_op_name(OP_HELLO), "HELLO");
    ck_assert_str_eq(message_op_name(OP_GENERATE_KEY), "GENERATE_KEY");
    ck_assert_str_eq(message_op_name(OP_RESTART), "RESTART");
    ck_assert_str_eq(message_op_name((enum message_op)0), "?");
    ck_assert_str_eq(message_op_name((enum message_op)12), "?");
    ck_assert_str_eq(camera_error_name(CAMERA_OK), "OK");
    ck_assert_str_eq(camera_error_name(CAMERA_KEY_MISMATCH), "KEY_MISMATCH");
    ck_assert_str_eq(camera_error_name(CAMERA_NO_CREDENTIAL), "NO_CREDENTIAL");
    ck_assert_str_eq(camera_error_name((enum camera_error)19), "?");
    ck_assert_str_eq(key_type_name((enum key_type)0), "?");
    ck_assert_str_eq(key_type_name((enum key_type)7), "?");
}
END_TEST

START_TEST(key_types_have_names_both_ways) {
    for (unsigned type = KEY_P256; type <= KEY_ED25519; type++) {
        ck_assert_uint_eq(key_type_from_name(key_type_name((enum key_type)type)), type);
    }
    ck_assert_uint_eq(key_type_from_name("rsa3072"), KEY_RSA_3072);
    ck_assert_uint_eq(key_type_from_name(""), 0);
    ck_assert_uint_eq(key_type_from_name("?"), 0);
    ck_assert_uint_eq(key_type_from_name("P256"), 0);
    ck_assert_uint_eq(key_type_from_name("p25"), 0);
    ck_assert_uint_eq(key_type_from_name("p2567"), 0);
}
END_TEST

static Suite *message_suite(void) {
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_test(tests, vectors_encode_to_the_wire);
    tcase_add_test(tests, vectors_decode_from_the_wire);
    tcase_add_test(tests, vectors_are_refused_for_every_op);
    tcase_add_test(tests, other_messages_are_exact);
    tcase_add_test(tests, messages_without_members_are_the_empty_map);
    tcase_add_test(tests, no_such_message);
    tcase_add_test(tests, unknown_keys_are_ignored);
    tcase_add_test(tests, unknown_negative_keys_are_critical_in_requests);
    tcase_add_loop_test(tests, wrong_members_are_malformed, 0, ARRAY_LENGTH(wrong_cases));
    tcase_add_test(tests, text_is_at_most_128_bytes);
    tcase_add_test(tests, errors_are_read_leniently);
    tcase_add_test(tests, percent_is_at_most_100);
    tcase_add_test(tests, no_capacity_but_the_exact_one_is_enough);
    tcase_add_test(tests, counts_beyond_the_arrays_are_not_encoded);
    tcase_add_test(tests, names);
    tcase_add_test(tests, key_types_have_names_both_ways);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(message_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
