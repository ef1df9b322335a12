// SPDX-License-Identifier: Apache-2.0
// INFO, the one message with an inner structure, and every message under random values.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/message.h"
#include "tests/support_message.h"
#include "tests/support_vectors.h"

#define HEX_32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_16 "000102030405060708090a0b0c0d0e0f"
#define ROUNDS 400

// Members 1 to 5 and 7 to 8 of an INFO whose credentials stand in between.
#define BEFORE "a801617302616d0361660442beef050106"
#define AFTER                                                                                      \
    "07820103084800010203040506"                                                                   \
    "07"
#define KEY_PARTS "045820" HEX_32 "0550" HEX_16

static void assert_info(const char *credentials, enum camera_error expected) {
    char hex[4096];
    ck_assert_uint_lt(strlen(BEFORE) + strlen(credentials) + strlen(AFTER), sizeof(hex));
    memcpy(hex, BEFORE, strlen(BEFORE));
    memcpy(hex + strlen(BEFORE), credentials, strlen(credentials));
    memcpy(hex + strlen(BEFORE) + strlen(credentials), AFTER, sizeof(AFTER));
    ck_assert_msg(outcome(OP_INFO, FRAME_RESPONSE, hex) == expected, "%s", credentials);
}

// ---- credentials --------------------------------------------------------------------------------

START_TEST(credentials_are_read) {
    struct message message;
    ck_assert_int_eq(decode_hex(OP_INFO, FRAME_RESPONSE,
                                BEFORE "82"
                                       "a3010102010300"
                                       "a5010202030302" KEY_PARTS AFTER,
                                &message),
                     CAMERA_OK);
    const struct message_info *info = &message.info;
    ck_assert_str_eq(info->serial, "s");
    ck_assert_str_eq(info->model, "m");
    ck_assert_str_eq(info->firmware, "f");
    ck_assert_uint_eq(info->hardware_id_length, 2);
    ck_assert_mem_eq(info->hardware_id, "\xbe\xef", 2);
    ck_assert_uint_eq(info->lifecycle, LIFECYCLE_IN_PROGRESS);
    ck_assert_uint_eq(info->credential_count, 2);
    ck_assert_uint_eq(info->credentials[0].number, 1);
    ck_assert_uint_eq(info->credentials[0].key_type, KEY_P256);
    ck_assert_uint_eq(info->credentials[0].state, CREDENTIAL_EMPTY);
    ck_assert(!info->credentials[0].has_key);
    ck_assert_uint_eq(info->credentials[1].number, 2);
    ck_assert_uint_eq(info->credentials[1].key_type, KEY_RSA_2048);
    ck_assert_uint_eq(info->credentials[1].state, CREDENTIAL_INSTALLED);
    ck_assert(info->credentials[1].has_key);
    ck_assert_uint_eq(info->credentials[1].spki_sha256[31], 31);
    ck_assert_uint_eq(info->credentials[1].job_id[15], 15);
    ck_assert_uint_eq(info->key_type_count, 2);
    ck_assert_uint_eq(info->key_types[1], KEY_RSA_2048);
    ck_assert_uint_eq(info->boot_id[7], 7);
}
END_TEST

struct credentials_case {
    const char *hex;
    enum camera_error expected;
};

static const struct credentials_case credentials_cases[] = {
    {"80", CAMERA_OK},
    {"81a5010102010301" KEY_PARTS, CAMERA_OK},
    {"81a3010102182a0300", CAMERA_OK},                // a key type of the future
    {"a0", CAMERA_MALFORMED},                         // a map for the array
    {"8101", CAMERA_MALFORMED},                       // an integer for the map
    {"8180", CAMERA_MALFORMED},                       // an array for the map
    {"81a0", CAMERA_MALFORMED},                       // nothing in it
    {"81a201010300", CAMERA_MALFORMED},               // no key type
    {"81a3010102010303", CAMERA_MALFORMED},           // no such state
    {"81a3010102010301", CAMERA_MALFORMED},           // a key, but which?
    {"81a5010102010300" KEY_PARTS, CAMERA_MALFORMED}, // empty, with a key
    {"81a4010102010301"
     "045820" HEX_32,
     CAMERA_MALFORMED}, // a key without a job
    {"81a4010102010301"
     "0550" HEX_16,
     CAMERA_MALFORMED}, // a job without a key
    {"81a5010102010301"
     "0450" HEX_16 "0550" HEX_16,
     CAMERA_MALFORMED}, // half a hash
    {"81a3011901000201"
     "0300",
     CAMERA_MALFORMED}, // number 256
};

START_TEST(credentials_are_checked) {
    assert_info(credentials_cases[_i].hex, credentials_cases[_i].expected);
}
END_TEST

START_TEST(credentials_are_counted) {
    for (size_t count = 0; count <= 12; count++) {
        static const char one[] = "a3010102010300";
        char hex[512] = "80";
        hex_encode(hex, &(uint8_t){(uint8_t)(0x80 + count)}, 1);
        for (size_t i = 0; i < count; i++) {
            memcpy(hex + 2 + i * strlen(one), one, sizeof(one));
        }
        assert_info(hex, count <= MESSAGE_CREDENTIALS_MAX ? CAMERA_OK : CAMERA_MALFORMED);
    }
}
END_TEST

// ---- the other members --------------------------------------------------------------------------

static const struct credentials_case info_cases[] = {
    {"a8016002600360044005000680078008480001020304050607", CAMERA_OK}, // all that may be is empty
    {"a701600260036004400500068007"
     "80",
     CAMERA_MALFORMED}, // no boot id
    {"a8016002600360044005000680078008470001020304050"
     "6",
     CAMERA_MALFORMED},                                                         // a byte short
    {"a8016002600360044005040680078008480001020304050607", CAMERA_MALFORMED},   // lifecycle 4
    {"a8016002600360046005000680078008480001020304050607", CAMERA_MALFORMED},   // id as text
    {"a8016002600360044005000680070008480001020304050607", CAMERA_MALFORMED},   // no array
    {"a801600260036004400500068007816008480001020304050607", CAMERA_MALFORMED}, // of texts
    {"a80160026003600440050006800781190100"
     "08480001020304050607",
     CAMERA_MALFORMED}, // 256
    {"a80141730260036004400500068007"
     "8008480001020304050607",
     CAMERA_MALFORMED},                                                           // serial bytes
    {"a80162410002600360044005000680078008480001020304050607", CAMERA_MALFORMED}, // U+0000 in it
    {"a80160026003600458"
     "20" HEX_32 "05000680078008480001020304050607",
     CAMERA_OK},
    {"a80160026003600458"
     "21" HEX_32 "00"
     "05000680078008480001020304050607",
     CAMERA_MALFORMED},
    {"a8016002600360044005000680"
     "0790" HEX_16 "08480001020304050607",
     CAMERA_OK},
    {"a8016002600360044005000680"
     "0791" HEX_16 "00"
     "08480001020304050607",
     CAMERA_MALFORMED},
};

START_TEST(info_is_checked) {
    ck_assert_msg(outcome(OP_INFO, FRAME_RESPONSE, info_cases[_i].hex) == info_cases[_i].expected,
                  "%s", info_cases[_i].hex);
}
END_TEST

START_TEST(info_that_fills_every_array_makes_the_round) {
    struct message message = message_new(OP_INFO, FRAME_RESPONSE);
    struct message_info *info = &message.info;
    memset(info->serial, 's', MESSAGE_TEXT_MAX);
    memset(info->model, 'm', MESSAGE_TEXT_MAX);
    memset(info->firmware, 'f', MESSAGE_TEXT_MAX);
    memset(info->hardware_id, 0xff, MESSAGE_HARDWARE_ID_MAX);
    info->hardware_id_length = MESSAGE_HARDWARE_ID_MAX;
    info->credential_count = MESSAGE_CREDENTIALS_MAX;
    for (size_t i = 0; i < MESSAGE_CREDENTIALS_MAX; i++) {
        struct message_credential *credential = &info->credentials[i];
        memset(credential, 0xff, sizeof(*credential));
        credential->state = CREDENTIAL_KEY;
        credential->has_key = true;
    }
    info->key_type_count = MESSAGE_KEY_TYPES_MAX;
    memset(info->key_types, 0xff, sizeof(info->key_types));
    uint8_t out[MESSAGE_BYTES_MAX];
    size_t length = message_encode(out, sizeof(out), &message);
    // Before HELLO is answered a camera need not be able to say more than this.
    ck_assert_uint_gt(length, FRAME_PAYLOAD_BEFORE_HELLO);
    ck_assert_uint_lt(length, 1024);
    struct frame frame = {.kind = FRAME_RESPONSE, .op = OP_INFO, .payload = {out, length}};
    struct message back;
    ck_assert_int_eq(message_decode(&frame, &back), CAMERA_OK);
    ck_assert_str_eq(back.info.serial, info->serial);
    ck_assert_mem_eq(back.info.key_types, info->key_types, sizeof(info->key_types));
    uint8_t again[MESSAGE_BYTES_MAX];
    ck_assert_uint_eq(message_encode(again, sizeof(again), &back), length);
    ck_assert_mem_eq(again, out, length);
}
END_TEST

// ---- every message under random values ----------------------------------------------------------

struct chance {
    uint64_t state;
    uint8_t bytes[600]; // what slices point to
};

static uint32_t next_random(struct chance *chance) {
    chance->state = chance->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(chance->state >> 32);
}

// Small ones and great ones alike, so that each length of an integer comes up.
static uint32_t random_u32(struct chance *chance) {
    return next_random(chance) >> next_random(chance) % 32;
}

static uint8_t random_u8(struct chance *chance) {
    return (uint8_t)(random_u32(chance) & 0xff);
}

static bool random_bool(struct chance *chance) {
    return next_random(chance) % 2 == 0;
}

static void random_fixed(struct chance *chance, uint8_t *out, size_t length) {
    for (size_t i = 0; i < length; i++) {
        out[i] = (uint8_t)next_random(chance);
    }
}

static struct slice random_slice(struct chance *chance) {
    size_t length = next_random(chance) % sizeof(chance->bytes);
    random_fixed(chance, chance->bytes, length);
    return (struct slice){chance->bytes, length};
}

static void random_text(struct chance *chance, char *out) {
    static const char *const characters[] = {
        "A", "7", " ", "\x1b", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x93\xb7"};
    size_t limit = next_random(chance) % (MESSAGE_TEXT_MAX + 1);
    size_t used = 0;
    for (;;) {
        const char *character = characters[next_random(chance) % ARRAY_LENGTH(characters)];
        size_t length = strlen(character);
        if (used + length > limit) {
            return;
        }
        memcpy(out + used, character, length);
        used += length;
    }
}

static void random_credential(struct chance *chance, struct message_credential *credential) {
    credential->number = random_u8(chance);
    credential->key_type = random_u8(chance);
    credential->state = (uint8_t)(next_random(chance) % 3);
    credential->has_key = credential->state != CREDENTIAL_EMPTY;
    if (credential->has_key) {
        random_fixed(chance, credential->spki_sha256, SHA256_SIZE);
        random_fixed(chance, credential->job_id, MESSAGE_JOB_ID_SIZE);
    }
}

static void random_info(struct chance *chance, struct message_info *info) {
    random_text(chance, info->serial);
    random_text(chance, info->model);
    random_text(chance, info->firmware);
    info->hardware_id_length = next_random(chance) % (MESSAGE_HARDWARE_ID_MAX + 1);
    random_fixed(chance, info->hardware_id, info->hardware_id_length);
    info->lifecycle = (uint8_t)(next_random(chance) % 4);
    info->credential_count = next_random(chance) % (MESSAGE_CREDENTIALS_MAX + 1);
    for (size_t i = 0; i < info->credential_count; i++) {
        random_credential(chance, &info->credentials[i]);
    }
    info->key_type_count = next_random(chance) % (MESSAGE_KEY_TYPES_MAX + 1);
    random_fixed(chance, info->key_types, info->key_type_count);
    random_fixed(chance, info->boot_id, MESSAGE_BOOT_ID_SIZE);
}

static void random_request(struct chance *chance, struct message *message) {
    switch (message->op) {
    case OP_HELLO:
        message->hello.max_payload = random_u32(chance);
        break;
    case OP_GENERATE_KEY:
        message->generate_key.credential = random_u8(chance);
        message->generate_key.key_type = random_u8(chance);
        random_fixed(chance, message->generate_key.job_id, MESSAGE_JOB_ID_SIZE);
        message->generate_key.subject = random_slice(chance);
        message->generate_key.replace = random_bool(chance);
        break;
    case OP_READ:
        message->read.object = random_u8(chance);
        message->read.credential = random_u8(chance);
        message->read.offset = random_u32(chance);
        message->read.length = random_u32(chance);
        break;
    case OP_WRITE:
        message->write.object = random_u8(chance);
        message->write.credential = random_u8(chance);
        message->write.offset = random_u32(chance);
        message->write.total = random_u32(chance);
        message->write.data = random_slice(chance);
        break;
    case OP_COMMIT:
        message->commit.object = random_u8(chance);
        message->commit.credential = random_u8(chance);
        random_fixed(chance, message->commit.sha256, SHA256_SIZE);
        break;
    case OP_PROVE:
        message->prove.credential = random_u8(chance);
        random_fixed(chance, message->prove.nonce, MESSAGE_NONCE_SIZE);
        break;
    case OP_FINISH:
        message->finish.lock = random_bool(chance);
        break;
    case OP_IDENTIFY:
        message->identify.seconds = random_u32(chance);
        break;
    case OP_INFO:
    case OP_ABORT:
    case OP_RESTART:
        break;
    }
}

static void random_response(struct chance *chance, struct message *message) {
    switch (message->op) {
    case OP_HELLO:
        message->hello.max_payload = random_u32(chance);
        break;
    case OP_INFO:
        random_info(chance, &message->info);
        break;
    case OP_GENERATE_KEY:
        random_fixed(chance, message->generated.spki_sha256, SHA256_SIZE);
        message->generated.csr_size = random_u32(chance);
        break;
    case OP_READ:
        message->data.offset = random_u32(chance);
        message->data.data = random_slice(chance);
        message->data.total = random_u32(chance);
        break;
    case OP_WRITE:
        message->written.next_offset = random_u32(chance);
        break;
    case OP_COMMIT:
        random_fixed(chance, message->committed.sha256, SHA256_SIZE);
        break;
    case OP_PROVE:
        message->proof.signature = random_slice(chance);
        message->proof.signature_algorithm = random_u8(chance);
        random_fixed(chance, message->proof.certificate_sha256, SHA256_SIZE);
        break;
    case OP_FINISH:
        message->finished.lifecycle = (uint8_t)(next_random(chance) % 4);
        break;
    case OP_ABORT:
    case OP_IDENTIFY:
    case OP_RESTART:
        break;
    }
}

static void random_progress(struct chance *chance, struct message *message) {
    message->progress.has_percent = random_bool(chance);
    message->progress.percent =
        message->progress.has_percent ? (uint8_t)(next_random(chance) % 101) : 0;
    message->progress.max_silence_ms = random_u32(chance);
}

static void random_error(struct chance *chance, struct message *message) {
    message->error.code = (enum camera_error)(1 + next_random(chance) % CAMERA_NO_CREDENTIAL);
    random_text(chance, message->error.text);
    message->error.has_detail = random_bool(chance);
    message->error.detail = message->error.has_detail ? random_u32(chance) : 0;
}

static struct message random_message(struct chance *chance, enum message_op op,
                                     enum frame_kind kind) {
    static void (*const fill[])(struct chance *, struct message *) = {
        [FRAME_REQUEST] = random_request,
        [FRAME_RESPONSE] = random_response,
        [FRAME_PROGRESS] = random_progress,
        [FRAME_ERROR] = random_error,
    };
    struct message message = message_new(op, kind);
    fill[kind](chance, &message);
    return message;
}

static void assert_round_trip(struct message *message) {
    uint8_t out[MESSAGE_BYTES_MAX];
    size_t length = message_encode(out, sizeof(out), message);
    ck_assert_uint_ne(length, 0);
    ck_assert(cbor_is_valid((struct slice){out, length}));
    struct frame frame = {
        .kind = message->kind, .op = (uint8_t)message->op, .payload = {out, length}};
    struct message back;
    ck_assert_int_eq(message_decode(&frame, &back), CAMERA_OK);
    uint8_t again[MESSAGE_BYTES_MAX];
    ck_assert_uint_eq(message_encode(again, sizeof(again), &back), length);
    ck_assert_mem_eq(again, out, length);
    assert_same_message(message, &back);
}

// Cut anywhere, or with any one byte changed, a payload is refused or read, and nothing else.
static void assert_robust(struct chance *chance, const struct message *message) {
    uint8_t out[MESSAGE_BYTES_MAX];
    size_t length = message_encode(out, sizeof(out), message);
    struct message back;
    struct frame frame = {.kind = message->kind, .op = (uint8_t)message->op};
    for (size_t i = 0; i < 20; i++) {
        size_t cut = next_random(chance) % length;
        uint8_t *exact = malloc(cut + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, out, cut);
        frame.payload = (struct slice){exact, cut};
        ck_assert_int_eq(message_decode(&frame, &back), CAMERA_MALFORMED);
        free(exact);
        uint8_t changed[MESSAGE_BYTES_MAX];
        memcpy(changed, out, length);
        changed[cut] = (uint8_t)next_random(chance);
        frame.payload = (struct slice){changed, length};
        if (message_decode(&frame, &back) == CAMERA_OK) {
            ck_assert(cbor_is_valid(frame.payload));
        }
    }
}

START_TEST(every_message_makes_the_round) {
    struct chance chance = {.state = 20 + (uint64_t)_i};
    for (unsigned op = OP_HELLO; op <= OP_RESTART; op++) {
        for (unsigned kind = FRAME_REQUEST; kind <= FRAME_ERROR; kind++) {
            struct message message =
                random_message(&chance, (enum message_op)op, (enum frame_kind)kind);
            assert_round_trip(&message);
            assert_robust(&chance, &message);
        }
    }
}
END_TEST

static Suite *message_info_suite(void) {
    Suite *suite = suite_create("message_info");
    TCase *tests = tcase_create("message_info");
    tcase_add_test(tests, credentials_are_read);
    tcase_add_loop_test(tests, credentials_are_checked, 0, ARRAY_LENGTH(credentials_cases));
    tcase_add_test(tests, credentials_are_counted);
    tcase_add_loop_test(tests, info_is_checked, 0, ARRAY_LENGTH(info_cases));
    tcase_add_test(tests, info_that_fills_every_array_makes_the_round);
    tcase_add_loop_test(tests, every_message_makes_the_round, 0, ROUNDS);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(message_info_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
