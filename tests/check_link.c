// SPDX-License-Identifier: Apache-2.0
// One request at a time: repeats, and what does not fit.
#include <check.h>
#include <string.h>

#include "protocol/link.h"

#define PATIENCE_MS 300

// The same frame, byte by byte, five times more, each after its time.
START_TEST(test_link_repeats) {
    static const uint32_t rates[] = {0, 9600, 115200, 3000000};
    struct message request = {.op = OP_INFO, .kind = FRAME_REQUEST};
    for (size_t i = 0; i < ARRAY_LENGTH(rates); i++) {
        static struct link link;
        struct link_output output;
        uint8_t first[64];
        link_init(&link, rates[i]);
        link_set_session(&link, 5);
        ck_assert(link_request(&link, 1000, &request, LINK_REPEATS, 30000, &output));
        size_t length = output.write.length;
        ck_assert_uint_le(length, sizeof first);
        memcpy(first, output.write.data, length);
        int64_t patience_ms = link.deadline_ms - 1000;
        int64_t wire_ms = rates[i] == 0 ? 0 : (int64_t)(2 * 10 * (length + 512) * 1000 / rates[i]);
        ck_assert_int_ge(patience_ms, PATIENCE_MS + wire_ms);
        ck_assert_int_le(patience_ms, PATIENCE_MS + 2 * wire_ms);
        int64_t now_ms = 1000;
        for (int repeat = 0; repeat < LINK_REPEATS; repeat++) {
            link_tick(&link, link.deadline_ms - 1, &output); // not yet
            ck_assert_uint_eq(output.write.length, 0);
            now_ms = link.deadline_ms;
            link_tick(&link, now_ms, &output);
            ck_assert_uint_eq(output.write.length, length);
            ck_assert_mem_eq(output.write.data, first, length);
            ck_assert_int_eq(link.deadline_ms, now_ms + patience_ms);
        }
        link_tick(&link, link.deadline_ms, &output);
        ck_assert_int_eq(output.event, LINK_SILENT);
        ck_assert_uint_eq(output.write.length, 0);
        ck_assert_int_eq(link.deadline_ms, LINK_NEVER);
        link_tick(&link, now_ms + 1000000, &output);
        ck_assert_int_eq(output.event, LINK_NOTHING);
    }
}
END_TEST

START_TEST(test_link_refuses_what_does_not_fit) {
    static struct link link;
    static const uint8_t subject[200];
    struct link_output output;
    struct message request = {.op = OP_GENERATE_KEY, .kind = FRAME_REQUEST};
    request.generate_key.subject = (struct slice){subject, sizeof subject};
    link_init(&link, 0);
    link_set_max_payload(&link, 128);
    ck_assert(!link_request(&link, 0, &request, 0, 1000, &output));
    ck_assert_uint_eq(output.write.length, 0);
    ck_assert_int_eq(link.deadline_ms, LINK_NEVER);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("link");
    TCase *tcase = tcase_create("link");
    tcase_set_timeout(tcase, 120); // a busy machine is no failure
    tcase_add_test(tcase, test_link_repeats);
    tcase_add_test(tcase, test_link_refuses_what_does_not_fit);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
