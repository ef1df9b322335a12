// SPDX-License-Identifier: Apache-2.0
// The CBOR codec beside libcbor, which is not ours: what we write it reads as the same, and it
// reads all that we accept.
#define cbor_type peer_cbor_type // both have an enum of that name
#include <cbor.h>
#undef cbor_type
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cbor.h"
#include "tests/support_vectors.h"

#define ROUNDS 50000

static uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 32);
}

// ---- one walk beside the other ------------------------------------------------------------------

static bool same_string(const struct cbor_item *ours, const unsigned char *data, size_t length) {
    return slice_equal(ours->bytes, (struct slice){data, length});
}

static bool same_item(struct cbor_reader *reader, cbor_item_t *peer);

static bool same_array(struct cbor_reader *reader, const struct cbor_item *ours,
                       cbor_item_t *peer) {
    if (!cbor_array_is_definite(peer) || cbor_array_size(peer) != ours->value) {
        return false;
    }
    cbor_item_t **items = cbor_array_handle(peer);
    for (size_t i = 0; i < ours->value; i++) {
        if (!same_item(reader, items[i])) {
            return false;
        }
    }
    return true;
}

static bool same_map(struct cbor_reader *reader, const struct cbor_item *ours, cbor_item_t *peer) {
    if (!cbor_map_is_definite(peer) || cbor_map_size(peer) != ours->value) {
        return false;
    }
    struct cbor_pair *pairs = cbor_map_handle(peer);
    for (size_t i = 0; i < ours->value; i++) {
        if (!same_item(reader, pairs[i].key) || !same_item(reader, pairs[i].value)) {
            return false;
        }
    }
    return true;
}

static bool same_item(struct cbor_reader *reader, cbor_item_t *peer) {
    struct cbor_item ours;
    if (!cbor_read(reader, &ours)) {
        return false;
    }
    switch (ours.type) {
    case CBOR_UINT:
        return cbor_isa_uint(peer) && cbor_get_int(peer) == ours.value;
    case CBOR_NEGATIVE:
        return cbor_isa_negint(peer) && cbor_get_int(peer) == ours.value;
    case CBOR_BYTES:
        return cbor_isa_bytestring(peer) && cbor_bytestring_is_definite(peer) &&
               same_string(&ours, cbor_bytestring_handle(peer), cbor_bytestring_length(peer));
    case CBOR_TEXT:
        return cbor_isa_string(peer) && cbor_string_is_definite(peer) &&
               same_string(&ours, cbor_string_handle(peer), cbor_string_length(peer));
    case CBOR_ARRAY:
        return cbor_isa_array(peer) && same_array(reader, &ours, peer);
    case CBOR_MAP:
        return cbor_isa_map(peer) && same_map(reader, &ours, peer);
    case CBOR_BOOL:
        return cbor_is_bool(peer) && cbor_get_bool(peer) == (ours.value != 0);
    }
    return false;
}

static bool peer_reads_the_same(struct slice payload) {
    struct cbor_load_result result;
    cbor_item_t *peer = cbor_load(payload.data, payload.length, &result);
    if (peer == NULL) {
        return false;
    }
    struct cbor_reader reader = {payload};
    bool same = result.read == payload.length && same_item(&reader, peer);
    cbor_decref(&peer);
    return same;
}

START_TEST(vectors_are_read_the_same) {
    json_t *vectors = vectors_load();
    size_t i;
    json_t *vector;
    json_array_foreach(vectors_section(vectors, "cases"), i, vector) {
        struct vector_bytes payload;
        vector_bytes_of(&payload, vector, "payload");
        ck_assert_msg(peer_reads_the_same((struct slice){payload.data, payload.length}), "%s",
                      vector_text(vector, "name"));
    }
    json_decref(vectors);
}
END_TEST

// ---- payloads that we write ---------------------------------------------------------------------

static void put_leaf(struct cbor_writer *writer, uint64_t *state) {
    static const uint8_t bytes[300];
    switch (next_random(state) % 4) {
    case 0: {
        uint64_t wide = (uint64_t)next_random(state) << 32 | next_random(state);
        cbor_put_uint(writer, wide >> next_random(state) % 64);
        break;
    }
    case 1:
        cbor_put_bytes(writer, (struct slice){bytes, next_random(state) % sizeof(bytes)});
        break;
    case 2:
        cbor_put_text(writer, next_random(state) % 2 == 0 ? "" : "gr\xc3\xbcn \xf0\x9f\x93\xb7");
        break;
    default:
        cbor_put_bool(writer, next_random(state) % 2 == 0);
        break;
    }
}

static void put_tree(struct cbor_writer *writer, uint64_t *state, size_t level) {
    bool is_map = level == 1 || next_random(state) % 2 == 0;
    size_t count = next_random(state) % 5;
    uint64_t key = 0;
    if (is_map) {
        cbor_put_map(writer, count);
    } else {
        cbor_put_array(writer, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_map) {
            key += 1 + (next_random(state) >> next_random(state) % 32);
            cbor_put_uint(writer, key);
        }
        if (level < CBOR_DEPTH_MAX && next_random(state) % 3 == 0) {
            put_tree(writer, state, level + 1);
        } else {
            put_leaf(writer, state);
        }
    }
}

START_TEST(what_we_write_is_read_the_same) {
    static uint8_t out[1 << 20];
    uint64_t state = 7;
    for (size_t round = 0; round < ROUNDS / 25; round++) {
        struct cbor_writer writer;
        cbor_writer_init(&writer, out, sizeof(out));
        put_tree(&writer, &state, 1);
        ck_assert(!writer.failed);
        ck_assert(cbor_is_valid((struct slice){out, writer.used}));
        ck_assert(peer_reads_the_same((struct slice){out, writer.used}));
    }
}
END_TEST

// ---- payloads that somebody broke ---------------------------------------------------------------

START_TEST(what_we_accept_is_read_the_same) {
    json_t *vectors = vectors_load();
    const json_t *cases = vectors_section(vectors, "cases");
    uint64_t state = 11;
    size_t accepted = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct vector_bytes payload;
        const json_t *vector = json_array_get(cases, next_random(&state) % json_array_size(cases));
        vector_bytes_of(&payload, vector, "payload");
        // Heads stand at the beginning; changes inside a long string would show nothing.
        size_t reach = payload.length < 48 ? payload.length : 48;
        for (size_t changes = 1 + next_random(&state) % 3; changes != 0; changes--) {
            payload.data[next_random(&state) % reach] = (uint8_t)next_random(&state);
        }
        struct slice changed = {payload.data, payload.length};
        if (cbor_is_valid(changed)) {
            accepted++;
            ck_assert(peer_reads_the_same(changed));
        }
    }
    ck_assert_uint_gt(accepted, ROUNDS / 100);
    json_decref(vectors);
}
END_TEST

static Suite *cbor_peer_suite(void) {
    Suite *suite = suite_create("cbor_peer");
    TCase *tests = tcase_create("cbor_peer");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, vectors_are_read_the_same);
    tcase_add_test(tests, what_we_write_is_read_the_same);
    tcase_add_test(tests, what_we_accept_is_read_the_same);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(cbor_peer_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
