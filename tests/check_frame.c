// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "tests/support_vectors.h"

#define WIRE_MAX FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)

// ---- help ---------------------------------------------------------------------------------------

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// A decoder whose buffer is exactly as large as it has to be, so that sanitizers see its end.
struct receiver {
    struct frame_decoder decoder;
    uint8_t *buffer;
};

static void receiver_open(struct receiver *receiver, size_t capacity) {
    receiver->buffer = malloc(capacity);
    ck_assert_ptr_nonnull(receiver->buffer);
    frame_decoder_init(&receiver->decoder, receiver->buffer, capacity);
}

static void receiver_close(struct receiver *receiver) {
    free(receiver->buffer);
}

// Feeds all of it and returns how many frames were found; `last` is the last of them.
static size_t receive(struct receiver *receiver, const uint8_t *data, size_t length,
                      struct frame *last) {
    struct slice rest = {data, length};
    size_t count = 0;
    while (rest.length != 0) {
        bool found = false;
        size_t used = frame_decoder_feed(&receiver->decoder, rest, last, &found);
        ck_assert_uint_le(used, rest.length);
        ck_assert(found || used == rest.length);
        rest.data += used;
        rest.length -= used;
        count += found ? 1 : 0;
    }
    return count;
}

static void assert_same_frame(const struct frame *a, const struct frame *b) {
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_uint_eq(a->op, b->op);
    ck_assert_uint_eq(a->sequence, b->sequence);
    ck_assert_uint_eq(a->session, b->session);
    ck_assert(slice_equal(a->payload, b->payload));
}

// COBS as the paper has it, on a whole buffer, to compare with.
static size_t cobs_reference(uint8_t *out, const uint8_t *data, size_t length) {
    size_t used = 0;
    size_t at = 0;
    bool more = true;
    while (more) {
        size_t run = 0;
        while (run < 254 && at + run < length && data[at + run] != 0) {
            run++;
        }
        out[used] = (uint8_t)(run + 1);
        memcpy(out + used + 1, data + at, run);
        used += run + 1;
        at += run;
        bool stopped_at_zero = run < 254 && at < length;
        at += stopped_at_zero ? 1 : 0;
        more = stopped_at_zero || at < length;
    }
    return used;
}

// The wire bytes of any content, well-formed or not; the CRC is right.
static size_t wire_of(uint8_t *out, const uint8_t *content, size_t length) {
    static uint8_t with_crc[WIRE_MAX + 64];
    ck_assert_uint_le(length + 4, sizeof(with_crc));
    memcpy(with_crc, content, length);
    store_be32(with_crc + length, crc32c(0, content, length));
    out[0] = 0;
    size_t encoded = cobs_reference(out + 1, with_crc, length + 4);
    out[1 + encoded] = 0;
    return encoded + 2;
}

static const uint8_t small_payload[] = {0xa1, 0x01, 0x19, 0x10, 0x00};

static struct frame small_frame(void) {
    return (struct frame){
        .kind = FRAME_REQUEST,
        .op = 1,
        .sequence = 7,
        .session = 0xc0ffee01,
        .payload = {small_payload, sizeof(small_payload)},
    };
}

static size_t small_wire(uint8_t out[64]) {
    struct frame frame = small_frame();
    size_t length = frame_encode(out, 64, &frame, 0);
    ck_assert_uint_ne(length, 0);
    return length;
}

// ---- the vectors --------------------------------------------------------------------------------

START_TEST(crc_is_castagnoli) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "crc32c"), i, vector) {
        const char *text = vector_text(vector, "text");
        struct vector_bytes crc;
        vector_bytes_of(&crc, vector, "crc");
        ck_assert_uint_eq(crc32c(0, (const uint8_t *)text, strlen(text)), load_be32(crc.data));
    }
    json_decref(vectors);
    // RFC 3720, appendix B.4, which prints them in the other byte order.
    uint8_t block[32] = {0};
    ck_assert_uint_eq(crc32c(0, block, sizeof(block)), 0x8a9136aa);
    memset(block, 0xff, sizeof(block));
    ck_assert_uint_eq(crc32c(0, block, sizeof(block)), 0x62a8ab43);
    ck_assert_uint_eq(crc32c(0, NULL, 0), 0);
}
END_TEST

START_TEST(crc_continues) {
    const uint8_t *text = (const uint8_t *)"123456789";
    for (size_t i = 0; i <= 9; i++) {
        ck_assert_uint_eq(crc32c(crc32c(0, text, i), text + i, 9 - i), 0xe3069283);
    }
}
END_TEST

START_TEST(vectors_encode) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes payload;
        struct vector_bytes wire;
        uint8_t out[VECTOR_BYTES_MAX];
        struct frame frame = vector_frame(vector, &payload);
        vector_bytes_of(&wire, vector, "frame");
        size_t length = frame_encode(out, sizeof(out), &frame, 0);
        ck_assert_msg(length == wire.length && memcmp(out, wire.data, length) == 0, "%s",
                      vector_text(vector, "name"));
    }
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_decode_at_every_split) {
    json_t *vectors = vectors_load();
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(1024));
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes payload;
        struct vector_bytes wire;
        struct frame expected = vector_frame(vector, &payload);
        vector_bytes_of(&wire, vector, "frame");
        for (size_t split = 0; split <= wire.length; split++) {
            struct frame frame = {0};
            size_t count = receive(&receiver, wire.data, split, &frame);
            count += receive(&receiver, wire.data + split, wire.length - split, &frame);
            ck_assert_uint_eq(count, 1);
            assert_same_frame(&frame, &expected);
        }
    }
    ck_assert_uint_eq(receiver.decoder.dropped, 0);
    receiver_close(&receiver);
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_decode_byte_by_byte) {
    json_t *vectors = vectors_load();
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(1024));
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes payload;
        struct vector_bytes wire;
        struct frame expected = vector_frame(vector, &payload);
        struct frame frame = {0};
        vector_bytes_of(&wire, vector, "frame");
        size_t count = 0;
        for (size_t at = 0; at < wire.length; at++) {
            count += receive(&receiver, wire.data + at, 1, &frame);
        }
        ck_assert_uint_eq(count, 1);
        assert_same_frame(&frame, &expected);
    }
    receiver_close(&receiver);
    json_decref(vectors);
}
END_TEST

START_TEST(vectors_drop) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "frames_to_drop"), i, vector) {
        struct receiver receiver;
        struct vector_bytes wire;
        struct frame frame = {0};
        receiver_open(&receiver, FRAME_WIRE_MAX(FRAME_PAYLOAD_BEFORE_HELLO));
        vector_bytes_of(&wire, vector, "frame");
        ck_assert_uint_eq(receive(&receiver, wire.data, wire.length, &frame), 0);
        ck_assert_msg(receiver.decoder.dropped == 1, "%s", vector_text(vector, "name"));
        uint8_t good[64];
        ck_assert_uint_eq(receive(&receiver, good, small_wire(good), &frame), 1);
        receiver_close(&receiver);
    }
    json_decref(vectors);
}
END_TEST

// ---- what is dropped ----------------------------------------------------------------------------

START_TEST(every_flipped_bit_is_dropped) {
    uint8_t wire[64];
    size_t length = small_wire(wire);
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    for (size_t bit = 8; bit < 8 * (length - 1); bit++) {
        struct frame frame = {0};
        wire[bit / 8] = (uint8_t)(wire[bit / 8] ^ 1U << bit % 8);
        ck_assert_uint_eq(receive(&receiver, wire, length, &frame), 0);
        wire[bit / 8] = (uint8_t)(wire[bit / 8] ^ 1U << bit % 8);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(versions_and_kinds_that_do_not_exist_are_dropped) {
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    for (unsigned first = 0; first <= 0xff; first++) {
        uint8_t content[] = {(uint8_t)first, 2, 0, 1, 1, 2, 3, 4, 0xa0};
        uint8_t wire[64];
        struct frame frame = {0};
        size_t length = wire_of(wire, content, sizeof(content));
        bool good = first >= 0x10 && first <= 0x13;
        ck_assert_uint_eq(receive(&receiver, wire, length, &frame), good ? 1 : 0);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(twelve_bytes_are_the_least) {
    const uint8_t content[FRAME_HEADER_SIZE] = {0x10, 9, 0, 1, 1, 2, 3, 4};
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    for (size_t length = 0; length <= sizeof(content); length++) {
        uint8_t wire[64];
        struct frame frame = {0};
        size_t wire_length = wire_of(wire, content, length);
        size_t count = receive(&receiver, wire, wire_length, &frame);
        ck_assert_uint_eq(count, length == FRAME_HEADER_SIZE ? 1 : 0);
        ck_assert_uint_eq(frame.payload.length, 0);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(payload_over_the_protocol_limit_is_dropped) {
    static uint8_t content[FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX + 1] = {0x10, 5, 1, 1, 1, 1, 1, 1};
    static uint8_t wire[WIRE_MAX + 64];
    struct receiver receiver;
    receiver_open(&receiver, sizeof(wire));
    struct frame frame = {0};
    size_t length = wire_of(wire, content, sizeof(content) - 1);
    ck_assert_uint_eq(receive(&receiver, wire, length, &frame), 1);
    ck_assert_uint_eq(frame.payload.length, FRAME_PAYLOAD_MAX);
    length = wire_of(wire, content, sizeof(content));
    ck_assert_uint_eq(receive(&receiver, wire, length, &frame), 0);
    ck_assert_uint_eq(receiver.decoder.dropped, 1);
    receiver_close(&receiver);
}
END_TEST

START_TEST(what_does_not_fit_the_buffer_is_dropped) {
    static uint8_t noise[3 * WIRE_MAX];
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(FRAME_PAYLOAD_BEFORE_HELLO));
    struct frame frame = {0};
    uint8_t good[64];
    size_t good_length = small_wire(good);
    memset(noise, 0x41, sizeof(noise));
    ck_assert_uint_eq(receive(&receiver, noise, sizeof(noise), &frame), 0);
    ck_assert_uint_eq(receive(&receiver, good, good_length, &frame), 1);
    ck_assert_uint_eq(receiver.decoder.dropped, 1);
    // A frame that is right but too large, with a good one glued to its end.
    uint8_t payload[2 * FRAME_PAYLOAD_BEFORE_HELLO] = {0};
    struct frame large = {.kind = FRAME_REQUEST, .op = 5, .payload = {payload, sizeof(payload)}};
    size_t length = frame_encode(noise, sizeof(noise), &large, 0);
    ck_assert_uint_ne(length, 0);
    memcpy(noise + length, good + 1, good_length - 1);
    ck_assert_uint_eq(receive(&receiver, noise, length + good_length - 1, &frame), 1);
    ck_assert_uint_eq(receiver.decoder.dropped, 2);
    receiver_close(&receiver);
}
END_TEST

// ---- in step again ------------------------------------------------------------------------------

START_TEST(frames_are_found_in_noise) {
    uint8_t wire[64];
    size_t length = small_wire(wire);
    struct frame expected = small_frame();
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    uint32_t state = 0x2545f491;
    for (size_t round = 0; round < 2000; round++) {
        uint8_t noise[300];
        size_t noise_length = next_random(&state) % sizeof(noise);
        for (size_t i = 0; i < noise_length; i++) {
            // Noise with many 00, noise with few, and boot text.
            uint32_t value = next_random(&state);
            uint8_t few = (uint8_t)(round % 3 == 1 ? value : 0x20 + value % 0x5f);
            noise[i] = round % 3 == 0 ? (uint8_t)(value % 3) : few;
        }
        struct frame frame = {0};
        ck_assert_uint_eq(receive(&receiver, noise, noise_length, &frame), 0);
        ck_assert_uint_eq(receive(&receiver, wire, length, &frame), 1);
        assert_same_frame(&frame, &expected);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(cut_frame_costs_only_itself) {
    uint8_t wire[64];
    size_t length = small_wire(wire);
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    for (size_t cut = 0; cut < length - 1; cut++) {
        struct frame frame = {0};
        ck_assert_uint_eq(receive(&receiver, wire, cut, &frame), 0);
        ck_assert_uint_eq(receive(&receiver, wire, length, &frame), 1);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(one_call_ends_at_one_frame) {
    uint8_t wire[160] = {0};
    size_t length = small_wire(wire);
    memcpy(wire + length, wire, length);
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    struct frame frame = {0};
    bool found = false;
    struct slice both = {wire, 2 * length};
    ck_assert_uint_eq(frame_decoder_feed(&receiver.decoder, both, &frame, &found), length);
    ck_assert(found);
    ck_assert_uint_eq(receive(&receiver, wire + length, length, &frame), 1);
    // Two frames may share the 00 between them, and any number of 00 may stand there.
    memmove(wire + length, wire + length + 1, length - 1);
    memset(wire + 2 * length - 1, 0, 20);
    ck_assert_uint_eq(receive(&receiver, wire, 2 * length + 19, &frame), 2);
    ck_assert_uint_eq(receiver.decoder.dropped, 0);
    receiver_close(&receiver);
}
END_TEST

START_TEST(reset_forgets_what_came) {
    uint8_t wire[64];
    size_t length = small_wire(wire);
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(64));
    struct frame frame = {0};
    ck_assert_uint_eq(receive(&receiver, wire, length - 3, &frame), 0);
    frame_decoder_reset(&receiver.decoder);
    ck_assert_uint_eq(receive(&receiver, wire + 1, length - 1, &frame), 1);
    bool found = true;
    ck_assert_uint_eq(frame_decoder_feed(&receiver.decoder, (struct slice){0}, &frame, &found), 0);
    ck_assert(!found);
    receiver_close(&receiver);
}
END_TEST

// ---- COBS and lengths ---------------------------------------------------------------------------

START_TEST(every_length_agrees_with_the_paper) {
    uint32_t state = 0x9e3779b9;
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(1100));
    for (size_t length = 0; length <= 1100; length++) {
        uint8_t content[FRAME_HEADER_SIZE + 1100] = {0x12, 4, 0xfe, 0xff, 1, 0, 0, 1};
        for (size_t i = 0; i < length; i++) {
            uint32_t value = next_random(&state);
            uint8_t zeros = (uint8_t)(value % 300 < 256 ? value % 255 + 1 : 0);
            content[FRAME_HEADER_SIZE + i] = length % 2 == 0 ? zeros : (uint8_t)(value % 255 + 1);
        }
        uint8_t expected[FRAME_WIRE_MAX(1100)];
        uint8_t wire[FRAME_WIRE_MAX(1100)];
        size_t expected_length = wire_of(expected, content, FRAME_HEADER_SIZE + length);
        struct frame frame = {.kind = FRAME_PROGRESS,
                              .op = 4,
                              .sequence = 0xfeff,
                              .session = 0x01000001,
                              .payload = {content + FRAME_HEADER_SIZE, length}};
        ck_assert_uint_eq(frame_encode(wire, sizeof(wire), &frame, 0), expected_length);
        ck_assert_mem_eq(wire, expected, expected_length);
        struct frame back = {0};
        ck_assert_uint_eq(receive(&receiver, wire, expected_length, &back), 1);
        assert_same_frame(&back, &frame);
    }
    receiver_close(&receiver);
}
END_TEST

// A frame of `content_length` bytes with header and CRC, none of them 00.
static struct frame frame_without_zero(const uint8_t *ones, size_t content_length) {
    struct frame frame = {.kind = FRAME_REQUEST, .op = 5, .session = 0x01010101};
    frame.payload = (struct slice){ones, content_length - FRAME_HEADER_SIZE - FRAME_CRC_SIZE};
    for (uint16_t low = 1; low <= 0xff; low++) {
        frame.sequence = (uint16_t)(0x0100 | low);
        uint8_t header[] = {0x10, 5, 1, (uint8_t)low, 1, 1, 1, 1};
        uint8_t crc[4];
        uint32_t value = crc32c(0, header, sizeof(header));
        store_be32(crc, crc32c(value, ones, frame.payload.length));
        if (crc[0] != 0 && crc[1] != 0 && crc[2] != 0 && crc[3] != 0) {
            return frame;
        }
    }
    ck_abort_msg("no such frame");
    return frame;
}

START_TEST(run_of_254_that_ends_the_data_is_taken_both_ways) {
    uint8_t ones[1100];
    memset(ones, 1, sizeof(ones));
    struct receiver receiver;
    receiver_open(&receiver, FRAME_WIRE_MAX(1100));
    for (size_t runs = 1; runs <= 4; runs++) {
        struct frame frame = frame_without_zero(ones, 254 * runs);
        struct frame back = {0};
        uint8_t wire[FRAME_WIRE_MAX(1100)];
        size_t length = frame_encode(wire, sizeof(wire), &frame, 0);
        ck_assert_uint_eq(length, 2 + 255 * runs);
        ck_assert_uint_eq(receive(&receiver, wire, length, &back), 1);
        assert_same_frame(&back, &frame);
        wire[length - 1] = 1;
        wire[length] = 0;
        ck_assert_uint_eq(receive(&receiver, wire, length + 1, &back), 1);
        assert_same_frame(&back, &frame);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(usb_frames_never_fill_their_last_packet) {
    static const size_t packet_sizes[] = {8, 16, 32, 64, 512, 1024};
    uint8_t payload[1100];
    memset(payload, 0xaa, sizeof(payload));
    size_t padded = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(packet_sizes); i++) {
        for (size_t length = 0; length <= sizeof(payload); length++) {
            struct frame frame = {.kind = FRAME_RESPONSE, .op = 4, .payload = {payload, length}};
            uint8_t plain[FRAME_WIRE_MAX(1100)];
            uint8_t wire[FRAME_WIRE_MAX(1100)];
            size_t plain_length = frame_encode(plain, sizeof(plain), &frame, 0);
            size_t wire_length =
                frame_encode(wire, FRAME_WIRE_MAX(length), &frame, packet_sizes[i]);
            bool padding = plain_length % packet_sizes[i] == 0;
            ck_assert_uint_eq(wire_length, plain_length + (padding ? 1 : 0));
            ck_assert_uint_eq(wire[wire_length - 1], 0);
            ck_assert_mem_eq(wire, plain, plain_length);
            padded += padding ? 1 : 0;
        }
    }
    ck_assert_uint_gt(padded, 0);
}
END_TEST

START_TEST(no_capacity_but_the_exact_one_is_enough) {
    uint8_t payload[600];
    memset(payload, 0x55, sizeof(payload));
    struct frame frame = {.kind = FRAME_RESPONSE, .op = 4, .payload = {payload, sizeof(payload)}};
    uint8_t wire[FRAME_WIRE_MAX(600)];
    size_t length = frame_encode(wire, sizeof(wire), &frame, 0);
    for (size_t capacity = 0; capacity <= length; capacity++) {
        uint8_t *exact = malloc(capacity + 1);
        ck_assert_ptr_nonnull(exact);
        exact[capacity] = 0xee;
        size_t got = frame_encode(exact, capacity, &frame, 0);
        ck_assert_uint_eq(got, capacity == length ? length : 0);
        ck_assert_uint_eq(exact[capacity], 0xee);
        free(exact);
    }
}
END_TEST

START_TEST(what_cannot_be_a_frame_is_not_written) {
    static uint8_t payload[FRAME_PAYLOAD_MAX + 1];
    static uint8_t wire[WIRE_MAX + 64];
    struct frame frame = {.kind = FRAME_REQUEST, .payload = {payload, sizeof(payload)}};
    ck_assert_uint_eq(frame_encode(wire, sizeof(wire), &frame, 0), 0);
    memset(payload, 1, sizeof(payload));
    frame.payload.length--;
    ck_assert_uint_ne(frame_encode(wire, WIRE_MAX, &frame, 1), 0);
    frame.kind = (enum frame_kind)4;
    ck_assert_uint_eq(frame_encode(wire, sizeof(wire), &frame, 0), 0);
}
END_TEST

static Suite *frame_suite(void) {
    Suite *suite = suite_create("frame");
    TCase *tests = tcase_create("frame");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, crc_is_castagnoli);
    tcase_add_test(tests, crc_continues);
    tcase_add_test(tests, vectors_encode);
    tcase_add_test(tests, vectors_decode_at_every_split);
    tcase_add_test(tests, vectors_decode_byte_by_byte);
    tcase_add_test(tests, vectors_drop);
    tcase_add_test(tests, every_flipped_bit_is_dropped);
    tcase_add_test(tests, versions_and_kinds_that_do_not_exist_are_dropped);
    tcase_add_test(tests, twelve_bytes_are_the_least);
    tcase_add_test(tests, payload_over_the_protocol_limit_is_dropped);
    tcase_add_test(tests, what_does_not_fit_the_buffer_is_dropped);
    tcase_add_test(tests, frames_are_found_in_noise);
    tcase_add_test(tests, cut_frame_costs_only_itself);
    tcase_add_test(tests, one_call_ends_at_one_frame);
    tcase_add_test(tests, reset_forgets_what_came);
    tcase_add_test(tests, every_length_agrees_with_the_paper);
    tcase_add_test(tests, run_of_254_that_ends_the_data_is_taken_both_ways);
    tcase_add_test(tests, usb_frames_never_fill_their_last_packet);
    tcase_add_test(tests, no_capacity_but_the_exact_one_is_enough);
    tcase_add_test(tests, what_cannot_be_a_frame_is_not_written);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(frame_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
