// SPDX-License-Identifier: Apache-2.0
// What the station's half of the protocol carries: objects in chunks, keys, proofs; and answers
// that no honest camera gives.
#include <check.h>
#include <string.h>

#include "tests/support_session.h"

static uint8_t object[MESSAGE_OBJECT_MAX];
static uint8_t written[MESSAGE_OBJECT_MAX];

static void fill_object(void) {
    for (size_t i = 0; i < sizeof object; i++) {
        object[i] = (uint8_t)(i * 31 + i / 251);
    }
}

static void begin(struct session_bench *bench, uint32_t agreed, const struct session_order *order) {
    session_bench_init(bench, 4096, agreed);
    session_bench_identify(bench);
    session_bench_start(bench, order);
}

static struct session_order make_fetch(void) {
    return (struct session_order){.kind = SESSION_FETCH, .credential = 255, .object = OBJECT_CHAIN};
}

static struct session_order make_install(size_t length) {
    struct session_order order = {.kind = SESSION_INSTALL, .credential = 255};
    order.chain = (struct slice){object, length};
    memset(order.sha256, 0x5a, SHA256_SIZE);
    return order;
}

static void reply_data(struct session_bench *bench, uint32_t offset, size_t length,
                       uint32_t total) {
    struct message message = {.kind = FRAME_RESPONSE};
    message.data.offset = offset;
    message.data.total = total;
    message.data.data = (struct slice){object + (offset < sizeof object ? offset : 0), length};
    session_bench_reply(bench, &message);
}

static void reply_written(struct session_bench *bench, uint32_t next_offset) {
    struct message message = {.kind = FRAME_RESPONSE};
    message.written.next_offset = next_offset;
    session_bench_reply(bench, &message);
}

static void reply_committed(struct session_bench *bench, uint8_t fill) {
    struct message message = {.kind = FRAME_RESPONSE};
    memset(message.committed.sha256, fill, SHA256_SIZE);
    session_bench_reply(bench, &message);
}

static void expect_end(const struct session_bench *bench, enum session_outcome outcome) {
    ck_assert_int_eq(bench->output.result.outcome, outcome);
    ck_assert_uint_eq(bench->output.write.length, 0);
    ck_assert_int_eq(session_deadline_ms(&bench->session), LINK_NEVER);
}

// ---- chunks -------------------------------------------------------------------------------------

// An honest camera answers a READ with what it is asked for, of `total`.
static void serve_read(struct session_bench *bench, uint32_t total) {
    session_bench_expect(bench, OP_READ);
    uint32_t offset = bench->request.read.offset;
    ck_assert_uint_lt(offset, total);
    uint32_t length = bench->request.read.length;
    length = length < total - offset ? length : total - offset;
    reply_data(bench, offset, length, total);
}

static void fetch(uint32_t agreed, uint32_t total) {
    static struct session_bench bench;
    struct session_order order = make_fetch();
    begin(&bench, agreed, &order);
    uint32_t chunks = 0;
    while (bench.output.result.outcome == SESSION_RUNNING) {
        ck_assert_uint_lt(chunks++, 200);
        serve_read(&bench, total);
        ck_assert_uint_eq(bench.request.read.credential, 255);
        ck_assert_uint_eq(bench.request.read.object, OBJECT_CHAIN);
    }
    expect_end(&bench, SESSION_DONE);
    ck_assert(slice_equal(bench.output.result.object, (struct slice){object, total}));
    ck_assert_uint_le(chunks, total / (agreed - 40) + 1);
}

// Takes what is written until a COMMIT comes, and returns how many frames it took.
static uint32_t take_writes(struct session_bench *bench, size_t length) {
    uint32_t chunks = 0;
    for (;;) {
        bench->request.op = 0;
        struct frame_decoder decoder;
        struct frame frame;
        bool found = false;
        static uint8_t bytes[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
        frame_decoder_init(&decoder, bytes, sizeof bytes);
        frame_decoder_feed(&decoder, bench->output.write, &frame, &found);
        ck_assert(found);
        if (frame.op == OP_COMMIT) {
            session_bench_expect(bench, OP_COMMIT);
            return chunks;
        }
        session_bench_expect(bench, OP_WRITE);
        ck_assert_uint_eq(bench->request.write.total, length);
        ck_assert_uint_gt(bench->request.write.data.length, 0);
        memcpy(written + bench->request.write.offset, bench->request.write.data.data,
               bench->request.write.data.length);
        chunks++;
        ck_assert_uint_lt(chunks, 200);
        reply_written(bench,
                      bench->request.write.offset + (uint32_t)bench->request.write.data.length);
    }
}

static void install(uint32_t agreed, size_t length) {
    static struct session_bench bench;
    struct session_order order = make_install(length);
    begin(&bench, agreed, &order);
    memset(written, 0, sizeof written);
    uint32_t chunks = take_writes(&bench, length);
    ck_assert_mem_eq(written, object, length);
    ck_assert_uint_le(chunks, length / (agreed - 40) + 1);
    ck_assert_uint_eq(bench.request.commit.sha256[31], 0x5a);
    reply_committed(&bench, 0x5a);
    expect_end(&bench, SESSION_DONE);
}

// Every agreed payload with the sizes around its chunks; the last parts of the range with all
// sizes.
START_TEST(test_chunks) {
    fill_object();
    for (uint32_t agreed = 128; agreed <= 4096; agreed += agreed < 300 ? 1 : 61) {
        uint32_t chunk = agreed - 32;
        const uint32_t sizes[] = {1,         2,         chunk - 1,     chunk,
                                  chunk + 1, 2 * chunk, 2 * chunk + 1, MESSAGE_OBJECT_MAX};
        for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
            fetch(agreed, sizes[i]);
            install(agreed, sizes[i]);
        }
    }
    fetch(4096, MESSAGE_OBJECT_MAX);
    install(4096, MESSAGE_OBJECT_MAX);
}
END_TEST

START_TEST(test_object_sizes) {
    fill_object();
    for (uint32_t size = 1; size <= MESSAGE_OBJECT_MAX; size += size < 64 ? 1 : 97) {
        fetch(1024, size);
        install(1024, size);
    }
}
END_TEST

// A camera may give less than it is asked for, down to a byte at a time.
START_TEST(test_small_answers) {
    struct session_bench bench;
    struct session_order order = make_fetch();
    fill_object();
    begin(&bench, 512, &order);
    for (uint32_t offset = 0; offset < 300; offset++) {
        session_bench_expect(&bench, OP_READ);
        ck_assert_uint_eq(bench.request.read.offset, offset);
        reply_data(&bench, offset, 1, 300);
    }
    expect_end(&bench, SESSION_DONE);
    ck_assert(slice_equal(bench.output.result.object, (struct slice){object, 300}));
    // It may take less than it is given, and know more than the station does.
    order = make_install(1000);
    begin(&bench, 512, &order);
    session_bench_expect(&bench, OP_WRITE);
    reply_written(&bench, 1);
    session_bench_expect(&bench, OP_WRITE);
    ck_assert_uint_eq(bench.request.write.offset, 1);
    reply_written(&bench, 999);
    session_bench_expect(&bench, OP_WRITE);
    ck_assert_uint_eq(bench.request.write.offset, 999);
    ck_assert_uint_eq(bench.request.write.data.length, 1);
    reply_written(&bench, 1000);
    session_bench_expect(&bench, OP_COMMIT);
}
END_TEST

// A new session in the middle of an object: it goes on where it was, or where the camera wants it.
START_TEST(test_session_lost_in_the_middle) {
    struct session_bench bench;
    struct session_order order = make_fetch();
    fill_object();
    begin(&bench, 128, &order);
    serve_read(&bench, 500);
    serve_read(&bench, 500);
    session_bench_expect(&bench, OP_READ);
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    bench.agreed = 256; // and it may agree on something else now
    session_bench_greet(&bench);
    while (bench.output.result.outcome == SESSION_RUNNING) {
        serve_read(&bench, 500);
    }
    ck_assert(slice_equal(bench.output.result.object, (struct slice){object, 500}));

    order = make_install(500);
    begin(&bench, 128, &order);
    session_bench_expect(&bench, OP_WRITE);
    reply_written(&bench, 96);
    session_bench_expect(&bench, OP_WRITE);
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_WRITE);
    ck_assert_uint_eq(bench.request.write.offset, 96);
    session_bench_refuse(&bench, CAMERA_BAD_OFFSET, true, 0);
    session_bench_expect(&bench, OP_WRITE);
    ck_assert_uint_eq(bench.request.write.offset, 0);
    take_writes(&bench, 500);
    // The same at the COMMIT, by which all was written.
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_COMMIT);
    session_bench_refuse(&bench, CAMERA_BAD_OFFSET, true, 0);
    take_writes(&bench, 500);
    reply_committed(&bench, 0x5a);
    expect_end(&bench, SESSION_DONE);
}
END_TEST

// ---- refusals of a transfer ---------------------------------------------------------------------

START_TEST(test_hash_mismatch) {
    struct session_bench bench;
    struct session_order order = make_install(500);
    fill_object();
    begin(&bench, 128, &order);
    int rounds = 0;
    while (bench.output.result.outcome == SESSION_RUNNING) {
        ck_assert_int_lt(rounds++, 100);
        session_bench_expect(&bench, OP_WRITE);
        ck_assert_uint_eq(bench.request.write.offset, 0);
        take_writes(&bench, 500);
        session_bench_refuse(&bench, CAMERA_HASH_MISMATCH, false, 0);
    }
    ck_assert_int_gt(rounds, 2);
    expect_end(&bench, SESSION_REFUSED);
    ck_assert_int_eq(bench.output.result.camera_error, CAMERA_HASH_MISMATCH);
}
END_TEST

START_TEST(test_bad_offset) {
    static const struct {
        bool has_detail;
        uint32_t detail;
        bool again;
    } cases[] = {
        {true, 0, true},    {true, 1, true},           {true, 499, true}, {true, 500, false},
        {true, 501, false}, {true, UINT32_MAX, false}, {false, 0, false},
    };
    fill_object();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct session_bench bench;
        struct session_order order = make_install(500);
        begin(&bench, 128, &order);
        take_writes(&bench, 500);
        session_bench_refuse(&bench, CAMERA_BAD_OFFSET, cases[i].has_detail, cases[i].detail);
        if (cases[i].again) {
            session_bench_expect(&bench, OP_WRITE);
            ck_assert_uint_eq(bench.request.write.offset, cases[i].detail);
        } else {
            expect_end(&bench, SESSION_REFUSED);
        }
        // For a READ it is the answer: the station asked for what the camera had said.
        order = make_fetch();
        begin(&bench, 128, &order);
        session_bench_expect(&bench, OP_READ);
        session_bench_refuse(&bench, CAMERA_BAD_OFFSET, cases[i].has_detail, cases[i].detail);
        expect_end(&bench, SESSION_REFUSED);
    }
}
END_TEST

START_TEST(test_bad_offset_without_end) {
    struct session_bench bench;
    struct session_order order = make_install(500);
    fill_object();
    begin(&bench, 128, &order);
    for (int i = 0; bench.output.result.outcome == SESSION_RUNNING; i++) {
        ck_assert_int_lt(i, 100);
        session_bench_expect(&bench, OP_WRITE);
        session_bench_refuse(&bench, CAMERA_BAD_OFFSET, true, 0);
    }
    expect_end(&bench, SESSION_REFUSED);
    ck_assert_int_eq(bench.output.result.camera_error, CAMERA_BAD_OFFSET);
}
END_TEST

// ---- answers that no honest camera gives --------------------------------------------------------

START_TEST(test_hostile_hello) {
    static const uint32_t agreed[] = {0, 1, 31, 32, 127, 4097, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LENGTH(agreed); i++) {
        struct session_bench bench;
        struct session_order probe = {.kind = SESSION_PROBE};
        session_bench_init(&bench, 4096, agreed[i]);
        session_bench_start(&bench, &probe);
        session_bench_expect(&bench, OP_HELLO);
        session_bench_answer(&bench);
        expect_end(&bench, SESSION_BROKEN);
    }
}
END_TEST

START_TEST(test_hostile_reads) {
    static const struct {
        uint32_t offset;
        size_t length;
        uint32_t total;
    } first[] = {
        {1, 10, 100},          // not what was asked for
        {UINT32_MAX, 10, 100}, //
        {0, 0, 100},           // nothing, and yet there is more
        {0, 0, 0},             // an object of no bytes
        {0, 10, 9},            // beyond its own end
        {0, 10, 0},            //
        {0, 10, MESSAGE_OBJECT_MAX + 1},
        {0, 10, UINT32_MAX},
    };
    fill_object();
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++) {
        struct session_bench bench;
        struct session_order order = make_fetch();
        begin(&bench, 1024, &order);
        session_bench_expect(&bench, OP_READ);
        reply_data(&bench, first[i].offset, first[i].length, first[i].total);
        expect_end(&bench, SESSION_BROKEN);
    }
    static const struct {
        uint32_t offset;
        size_t length;
        uint32_t total;
    } second[] = {
        {0, 50, 100}, {49, 50, 100}, {51, 49, 100}, {50, 51, 100},
        {50, 0, 100}, {50, 50, 99},  {50, 50, 101}, {50, 1, 40},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(second); i++) {
        struct session_bench bench;
        struct session_order order = make_fetch();
        begin(&bench, 1024, &order);
        session_bench_expect(&bench, OP_READ);
        reply_data(&bench, 0, 50, 100);
        session_bench_expect(&bench, OP_READ);
        reply_data(&bench, second[i].offset, second[i].length, second[i].total);
        expect_end(&bench, SESSION_BROKEN);
    }
}
END_TEST

START_TEST(test_hostile_writes) {
    static const uint32_t next[] = {0, 96, 501, UINT32_MAX};
    fill_object();
    for (size_t i = 0; i < ARRAY_LENGTH(next); i++) {
        struct session_bench bench;
        struct session_order order = make_install(500);
        begin(&bench, 128, &order);
        session_bench_expect(&bench, OP_WRITE);
        reply_written(&bench, 96);
        session_bench_expect(&bench, OP_WRITE);
        reply_written(&bench, next[i]);
        expect_end(&bench, SESSION_BROKEN);
    }
    // It stored something else, and says so.
    struct session_bench bench;
    struct session_order order = make_install(500);
    begin(&bench, 128, &order);
    take_writes(&bench, 500);
    reply_committed(&bench, 0x5b);
    expect_end(&bench, SESSION_BROKEN);
}
END_TEST

// ---- keys, proofs, the rest ---------------------------------------------------------------------

START_TEST(test_generate) {
    struct session_bench bench;
    uint8_t subject[SESSION_SUBJECT_MAX];
    struct session_order order = {
        .kind = SESSION_GENERATE, .credential = 2, .key_type = KEY_P384, .replace = true};
    memset(order.job_id, 0x77, sizeof order.job_id);
    memset(subject, 0x31, sizeof subject);
    order.subject = (struct slice){subject, 80};
    begin(&bench, 128, &order);
    memset(subject, 0, sizeof subject); // it was copied
    session_bench_expect(&bench, OP_GENERATE_KEY);
    session_bench_tick(&bench);
    session_bench_refuse(&bench, CAMERA_BAD_SESSION, false, 0);
    session_bench_greet(&bench);
    session_bench_expect(&bench, OP_GENERATE_KEY);
    ck_assert_uint_eq(bench.request.generate_key.credential, 2);
    ck_assert_uint_eq(bench.request.generate_key.key_type, KEY_P384);
    ck_assert(bench.request.generate_key.replace);
    ck_assert_uint_eq(bench.request.generate_key.job_id[15], 0x77);
    ck_assert_uint_eq(bench.request.generate_key.subject.length, 80);
    ck_assert_uint_eq(bench.request.generate_key.subject.data[79], 0x31);
    struct message message = {.kind = FRAME_RESPONSE};
    memset(message.generated.spki_sha256, 0x44, SHA256_SIZE);
    message.generated.csr_size = 391;
    session_bench_reply(&bench, &message);
    expect_end(&bench, SESSION_DONE);
    ck_assert_uint_eq(bench.output.result.csr_size, 391);
    ck_assert_uint_eq(bench.output.result.spki_sha256[31], 0x44);
}
END_TEST

// A camera that agreed to less than the request takes is refused; the station goes on.
START_TEST(test_request_that_does_not_fit) {
    static const uint8_t subject[SESSION_SUBJECT_MAX];
    static const struct {
        uint32_t agreed;
        size_t length;
        bool fits;
    } cases[] = {
        {128, 80, true},
        {128, 128, false},
        {128, SESSION_SUBJECT_MAX, false},
        {512, 460, true},
        {512, 512, false},
        {1024, SESSION_SUBJECT_MAX, false},
        {4096, SESSION_SUBJECT_MAX, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct session_bench bench;
        struct session_order order = {.kind = SESSION_GENERATE, .credential = 1};
        order.subject = (struct slice){subject, cases[i].length};
        begin(&bench, cases[i].agreed, &order);
        ck_assert_int_eq(bench.output.result.outcome, SESSION_RUNNING);
        if (cases[i].fits) {
            session_bench_expect(&bench, OP_GENERATE_KEY);
            continue;
        }
        ck_assert_uint_eq(bench.output.write.length, 0);
        session_bench_tick(&bench);
        expect_end(&bench, SESSION_REFUSED);
        ck_assert_int_eq(bench.output.result.order, SESSION_GENERATE);
        ck_assert_int_eq(bench.output.result.camera_error, CAMERA_TOO_LARGE);
        // Behind a new session likewise.
        session_bench_init(&bench, 4096, cases[i].agreed);
        session_bench_start(&bench, &order);
        session_bench_greet(&bench);
        session_bench_tick(&bench);
        expect_end(&bench, SESSION_REFUSED);
    }
}
END_TEST

START_TEST(test_prove) {
    static const uint8_t signature[SESSION_SIGNATURE_MAX + 1] = {1, 2, 3};
    static const size_t lengths[] = {0, 1, 72, SESSION_SIGNATURE_MAX, SESSION_SIGNATURE_MAX + 1};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        struct session_bench bench;
        struct session_order order = {.kind = SESSION_PROVE, .credential = 1};
        memset(order.nonce, 0x99, sizeof order.nonce);
        begin(&bench, 4096, &order);
        session_bench_expect(&bench, OP_PROVE);
        ck_assert_uint_eq(bench.request.prove.nonce[31], 0x99);
        struct message message = {.kind = FRAME_RESPONSE};
        message.proof.signature = (struct slice){signature, lengths[i]};
        message.proof.signature_algorithm = SIGNATURE_ED25519;
        memset(message.proof.certificate_sha256, 0x12, SHA256_SIZE);
        session_bench_reply(&bench, &message);
        if (lengths[i] > SESSION_SIGNATURE_MAX) {
            expect_end(&bench, SESSION_BROKEN);
            continue;
        }
        expect_end(&bench, SESSION_DONE);
        ck_assert(slice_equal(bench.output.result.signature, message.proof.signature));
        ck_assert_uint_eq(bench.output.result.signature_algorithm, SIGNATURE_ED25519);
        ck_assert_uint_eq(bench.output.result.certificate_sha256[0], 0x12);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("session transfer");
    TCase *chunks = tcase_create("chunks");
    tcase_set_timeout(chunks, 120); // a busy machine is no failure
    tcase_add_test(chunks, test_chunks);
    tcase_add_test(chunks, test_object_sizes);
    tcase_add_test(chunks, test_small_answers);
    tcase_add_test(chunks, test_session_lost_in_the_middle);
    suite_add_tcase(suite, chunks);
    TCase *refusals = tcase_create("refusals");
    tcase_set_timeout(refusals, 120);
    tcase_add_test(refusals, test_hash_mismatch);
    tcase_add_test(refusals, test_bad_offset);
    tcase_add_test(refusals, test_bad_offset_without_end);
    suite_add_tcase(suite, refusals);
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 120);
    tcase_add_test(hostile, test_hostile_hello);
    tcase_add_test(hostile, test_hostile_reads);
    tcase_add_test(hostile, test_hostile_writes);
    suite_add_tcase(suite, hostile);
    TCase *orders = tcase_create("orders");
    tcase_set_timeout(orders, 120);
    tcase_add_test(orders, test_generate);
    tcase_add_test(orders, test_request_that_does_not_fit);
    tcase_add_test(orders, test_prove);
    suite_add_tcase(suite, orders);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
