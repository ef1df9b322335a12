// SPDX-License-Identifier: Apache-2.0
// The unit's flow where something goes wrong: in every state, and what follows from it.
#include <check.h>
#include <string.h>

#include "tests/support_unit.h"

// ---- events that may come at any time -----------------------------------------------------------

START_TEST(test_gone_in_every_state) {
    enum unit_state state = (enum unit_state)_i;
    struct unit_bench bench;
    unit_bench_drive_one(&bench, state);
    unit_bench_post_error(&bench, UNIT_ON_GONE, E_PORT_HANGUP);
    if (state == UNIT_RECORDING) {
        // The result is on its way to the store; that the camera left shows in UNIT_DONE.
        ck_assert_int_eq(bench.unit.state, UNIT_RECORDING);
        return;
    }
    ck_assert_int_eq(bench.unit.state, UNIT_EMPTY);
    ck_assert_int_eq(bench.output.action, UNIT_ACT_PROBE);
    ck_assert_int_eq(bench.unit.record.unit_id, 0);
    bool midway = state > UNIT_ADMITTING && state < UNIT_DONE;
    ck_assert_uint_eq(bench.output.record_count, midway ? 1 : 0);
    if (midway) {
        ck_assert_int_eq(bench.output.records[0].kind, RECORD_EVENT);
        ck_assert_int_eq(bench.output.records[0].error, E_PORT_HANGUP);
        ck_assert_int_eq(bench.output.records[0].unit_id, UNIT_BENCH_ID);
    }
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
}
END_TEST

START_TEST(test_swapped_in_every_state) {
    enum unit_state state = (enum unit_state)_i;
    struct unit_bench bench;
    unit_bench_drive_one(&bench, state);
    unit_bench_post_error(&bench, UNIT_ON_FAILED, E_CAM_SWAPPED);
    if (state == UNIT_RECORDING) {
        ck_assert_int_eq(bench.unit.state, UNIT_RECORDING);
        return;
    }
    if (state == UNIT_EMPTY) {
        ck_assert_int_eq(bench.unit.state, UNIT_DONE);
        return;
    }
    ck_assert_int_eq(bench.unit.state, UNIT_EMPTY);
    ck_assert_int_eq(bench.output.action, UNIT_ACT_PROBE);
    for (size_t i = 0; i < bench.output.record_count; i++) {
        ck_assert_int_eq(bench.output.records[i].kind, RECORD_EVENT);
    }
}
END_TEST

START_TEST(test_failed_in_every_state) {
    enum unit_state state = (enum unit_state)_i;
    struct unit_bench bench;
    unit_bench_drive_one(&bench, state);
    enum unit_verdict before = bench.unit.verdict;
    unit_bench_post_error(&bench, UNIT_ON_FAILED, E_CAM_TIMEOUT);
    switch (state) {
    case UNIT_RECORDING:
        ck_assert_int_eq(bench.unit.state, UNIT_RECORDING);
        break;
    case UNIT_DONE: // the result stands
        ck_assert_int_eq(bench.unit.state, UNIT_DONE);
        ck_assert_int_eq(bench.unit.verdict, before);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_WATCH);
        break;
    case UNIT_EMPTY:
    case UNIT_ADMITTING: // no unit on record to write to
        ck_assert_int_eq(bench.unit.state, UNIT_DONE);
        ck_assert_int_eq(bench.unit.error.code, E_CAM_TIMEOUT);
        ck_assert_uint_eq(bench.output.record_count, 0);
        break;
    default:
        unit_bench_expect_failed(&bench, E_CAM_TIMEOUT);
        break;
    }
}
END_TEST

START_TEST(test_conflict_in_every_state) {
    enum unit_state state = (enum unit_state)_i;
    struct unit_bench bench;
    unit_bench_drive_one(&bench, state);
    unit_bench_post_error(&bench, UNIT_ON_CONFLICT, E_STORE_CONFLICT);
    if (state == UNIT_EMPTY || state == UNIT_DONE) {
        ck_assert_int_eq(bench.unit.state, state);
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_NONE);
    } else if (state == UNIT_ADMITTING || state == UNIT_RECORDING) {
        ck_assert_int_eq(bench.unit.state, UNIT_DONE);
        ck_assert_int_eq(bench.unit.verdict, UNIT_FAIL);
        ck_assert_int_eq(bench.unit.error.code, E_STORE_CONFLICT);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_WATCH);
    } else {
        unit_bench_expect_failed(&bench, E_STORE_CONFLICT);
    }
}
END_TEST

// What a state does not expect leaves it as it was.
START_TEST(test_late_events_in_every_state) {
    static const enum unit_event_kind anywhere[] = {UNIT_ON_GONE,   UNIT_ON_REFUSED,
                                                    UNIT_ON_FAILED, UNIT_ON_CONFLICT,
                                                    UNIT_ON_ISSUED, UNIT_ON_UNAVAILABLE};
    for (enum unit_state state = 0; state < UNIT_STATE_COUNT; state++) {
        for (enum unit_event_kind kind = 0; kind < UNIT_EVENT_COUNT; kind++) {
            bool expected = kind == unit_bench_next(state);
            for (size_t i = 0; i < ARRAY_LENGTH(anywhere); i++) {
                expected = expected || kind == anywhere[i];
            }
            if (expected) {
                continue;
            }
            struct unit_bench bench;
            unit_bench_drive_one(&bench, state);
            struct unit before = bench.unit;
            unit_bench_post(&bench, kind);
            ck_assert_msg(before.state == bench.unit.state && before.proved == bench.unit.proved &&
                              before.verdict == bench.unit.verdict &&
                              before.current == bench.unit.current &&
                              before.tries == bench.unit.tries,
                          "%s in %s", unit_event_name(kind), unit_state_name(state));
            ck_assert_uint_eq(bench.output.record_count, 0);
            ck_assert_int_eq(bench.output.action, UNIT_ACT_NONE);
        }
    }
}
END_TEST

// ---- the CA -------------------------------------------------------------------------------------

// The second credential's answer may come in any state of work on the first.
START_TEST(test_the_ca_answers_early) {
    for (enum unit_state state = UNIT_GENERATING; state <= UNIT_PROVING; state++) {
        for (int refused = 0; refused < 2 && state != UNIT_WAITING; refused++) {
            struct unit_bench bench;
            unit_bench_init(&bench, 2);
            unit_bench_set_camera(&bench, 1, CREDENTIAL_KEY);
            unit_bench_set_record(&bench, 1, REQUEST_SENT, INSTALL_NONE);
            if (state >= UNIT_LOADING) {
                unit_bench_set_camera(&bench, 0, CREDENTIAL_KEY);
                unit_bench_set_record(&bench, 0, REQUEST_ISSUED, INSTALL_NONE);
            }
            unit_bench_drive(&bench, state);
            bench.about = 1;
            unit_bench_post_error(&bench, refused ? UNIT_ON_UNAVAILABLE : UNIT_ON_ISSUED,
                                  refused ? E_CA_REFUSED : ERROR_NONE);
            ck_assert_int_eq(bench.unit.state, state);
            ck_assert_int_eq(bench.output.action, UNIT_ACT_NONE);
            ck_assert_int_eq(bench.unit.record.credentials[1].request,
                             refused ? REQUEST_REFUSED : REQUEST_ISSUED);
            while (bench.unit.state != UNIT_RECORDING) {
                bench.about = 0;
                unit_bench_post(&bench, unit_bench_next(bench.unit.state));
            }
            ck_assert_int_eq(bench.unit.verdict, refused ? UNIT_FAIL : UNIT_PASS);
            ck_assert_int_eq(bench.unit.error.code, refused ? E_CA_REFUSED : ERROR_NONE);
        }
    }
}
END_TEST

START_TEST(test_unavailable_while_waiting) {
    struct unit_bench bench;
    unit_bench_drive_one(&bench, UNIT_WAITING);
    unit_bench_post_error(&bench, UNIT_ON_UNAVAILABLE, E_UNIT_HELD);
    unit_bench_expect_failed(&bench, E_UNIT_HELD);
}
END_TEST

START_TEST(test_of_another_credential) {
    for (int issued = 0; issued < 2; issued++) {
        struct unit_bench bench;
        unit_bench_drive_one(&bench, UNIT_WAITING);
        struct unit_event event = {.kind = issued ? UNIT_ON_ISSUED : UNIT_ON_UNAVAILABLE};
        event.credential_id = 999;
        event.request = issued ? REQUEST_ISSUED : REQUEST_REFUSED;
        ck_assert_int_eq(unit_bench_step(&bench, &event), UNIT_WAITING);
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert_int_eq(bench.unit.record.credentials[0].request, REQUEST_QUEUED);
    }
}
END_TEST

// ---- refusals of the camera ---------------------------------------------------------------------

static const struct {
    enum unit_state state;
    enum unit_action action;
} asked[] = {
    {UNIT_GENERATING, UNIT_ACT_GENERATE}, {UNIT_FETCHING_CSR, UNIT_ACT_FETCH_CSR},
    {UNIT_WAITING, UNIT_ACT_WATCH},       {UNIT_CONFIRMING, UNIT_ACT_CONFIRM},
    {UNIT_INSTALLING, UNIT_ACT_INSTALL},  {UNIT_READING_BACK, UNIT_ACT_READ_BACK},
    {UNIT_PROVING, UNIT_ACT_PROVE},       {UNIT_LOCKING, UNIT_ACT_FINISH},
};

// For a reason that may pass it is asked again, as often as the policy says, and then fails.
START_TEST(test_refusals_that_may_pass) {
    static const struct {
        enum camera_error refusal;
        enum error_code code;
    } cases[] = {
        {CAMERA_STORAGE, E_CAM_STORAGE},
        {CAMERA_ENTROPY, E_CAM_ENTROPY},
        {CAMERA_INTERNAL, E_CAM_REFUSED},
        {CAMERA_BUSY, E_CAM_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_drive_one(&bench, asked[_i].state);
        for (unsigned tries = 0; tries < bench.policy.retries; tries++) {
            ck_assert_int_eq(unit_bench_refuse(&bench, cases[i].refusal), asked[_i].state);
            ck_assert_int_eq(bench.output.action, asked[_i].action);
            ck_assert_uint_eq(bench.output.record_count, 0);
        }
        unit_bench_refuse(&bench, cases[i].refusal);
        ck_assert_ptr_null(strchr(bench.unit.error.text, '\x1b'));
        unit_bench_expect_failed(&bench, cases[i].code);
    }
}
END_TEST

START_TEST(test_refusals_for_good) {
    static const struct {
        enum camera_error refusal;
        enum error_code code;
    } cases[] = {
        {CAMERA_MALFORMED, E_CAM_REFUSED},
        {CAMERA_UNSUPPORTED_OP, E_CAM_REFUSED},
        {CAMERA_UNSUPPORTED_CRITICAL, E_CAM_REFUSED},
        {CAMERA_BAD_SESSION, E_CAM_REFUSED},
        {CAMERA_EXISTS, E_UNIT_FOREIGN_KEY},
        {CAMERA_NO_KEY, E_CAM_REFUSED},
        {CAMERA_LOCKED, E_CAM_LOCKED},
        {CAMERA_KEY_MISMATCH, E_UNIT_KEY_CHANGED},
        {CAMERA_HASH_MISMATCH, E_CAM_REFUSED},
        {CAMERA_TOO_LARGE, E_CAM_REFUSED},
        {CAMERA_UNSUPPORTED_KEY, E_CAM_KEY_TYPE},
        {CAMERA_BAD_OFFSET, E_CAM_REFUSED},
        {CAMERA_BAD_CERTIFICATE, E_CAM_REFUSED},
        {CAMERA_NO_CREDENTIAL, E_CAM_CREDENTIAL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_drive_one(&bench, asked[_i].state);
        unit_bench_refuse(&bench, cases[i].refusal);
        unit_bench_expect_failed(&bench, cases[i].code);
    }
}
END_TEST

// Each step has its own tries, where the camera got on between.
START_TEST(test_tries_are_of_one_step) {
    struct unit_bench bench;
    unit_bench_drive_one(&bench, UNIT_GENERATING);
    for (int i = 0; i < 2; i++) {
        unit_bench_refuse(&bench, CAMERA_BUSY);
        unit_bench_refuse(&bench, CAMERA_BUSY);
        unit_bench_post(&bench, unit_bench_next(bench.unit.state));
    }
    ck_assert_int_eq(bench.unit.state, UNIT_WAITING);
    unit_bench_drive(&bench, UNIT_INSTALLING);
    ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_STORAGE), UNIT_INSTALLING);
    unit_bench_drive(&bench, UNIT_LOCKING);
    ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_STORAGE), UNIT_LOCKING);
    ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_STORAGE), UNIT_LOCKING);
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
}
END_TEST

START_TEST(test_refusals_where_nothing_was_asked) {
    struct unit_bench bench;
    unit_bench_drive_one(&bench, UNIT_EMPTY);
    ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_INTERNAL), UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_FAIL);
    ck_assert_uint_eq(bench.output.record_count, 0);
    unit_bench_drive_one(&bench, UNIT_DONE);
    ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_INTERNAL), UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    for (enum unit_state state = UNIT_ADMITTING; state <= UNIT_RECORDING; state++) {
        if (state == UNIT_ADMITTING || state == UNIT_LOADING || state == UNIT_RECORDING) {
            unit_bench_drive_one(&bench, state);
            ck_assert_int_eq(unit_bench_refuse(&bench, CAMERA_INTERNAL), state);
        }
    }
}
END_TEST

// ---- CSR, certificate, camera -------------------------------------------------------------------

START_TEST(test_bad_csrs) {
    static const enum error_code codes[] = {E_CSR_SIGNATURE, E_CSR_KEY,     E_CSR_KEY,
                                            E_CSR_KEY_TYPE,  E_CSR_SUBJECT, E_CSR_SUBJECT};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        struct unit_bench bench;
        struct unit_event event;
        unit_bench_drive_one(&bench, UNIT_FETCHING_CSR);
        unit_bench_fill(&bench, UNIT_ON_CSR, &event);
        switch (i) {
        case 0:
            error_set(&bench.csr.error, E_CSR_SIGNATURE, "wrong");
            break;
        case 1:
            bench.csr.spki_sha256[0] ^= 1;
            break;
        case 2:
            bench.csr.spki_sha256[SHA256_SIZE - 1] ^= 0x80;
            break;
        case 3:
            bench.csr.key_type = KEY_P384;
            break;
        case 4:
            text_copy(bench.csr.subject_serial, SERIAL_SIZE, UNIT_BENCH_SERIAL "1");
            break;
        default:
            bench.csr.subject_serial[0] = '\0';
            break;
        }
        unit_bench_step(&bench, &event);
        unit_bench_expect_failed(&bench, codes[i]);
        ck_assert_int_eq(bench.unit.record.credentials[0].request, REQUEST_NONE);
    }
}
END_TEST

START_TEST(test_bad_certificates_on_record) {
    for (int i = 0; i < 4; i++) {
        struct unit_bench bench;
        struct unit_event event;
        unit_bench_drive_one(&bench, UNIT_LOADING);
        unit_bench_fill(&bench, UNIT_ON_CERTIFICATE, &event);
        switch (i) {
        case 0:
            bench.certificate.spki_sha256[SHA256_SIZE - 1] ^= 1;
            break;
        case 1:
            bench.certificate.chain.length = 0;
            break;
        case 2:
            bench.certificate.chain.length = OBJECT_MAX + 1;
            break;
        default: // the largest is good
            bench.certificate.chain.length = OBJECT_MAX;
            ck_assert_int_eq(unit_bench_step(&bench, &event), UNIT_CONFIRMING);
            ck_assert_uint_eq(bench.unit.chain_length, OBJECT_MAX);
            continue;
        }
        unit_bench_step(&bench, &event);
        unit_bench_expect_failed(&bench, E_STORE_CONFLICT);
    }
}
END_TEST

// The last look before the install: whatever changed since the CSR was read stops it.
START_TEST(test_what_confirming_finds) {
    static const enum error_code codes[] = {E_CAM_SWAPPED,      E_UNIT_KEY_CHANGED,
                                            E_UNIT_KEY_CHANGED, E_CAM_CREDENTIAL,
                                            E_CAM_LOCKED,       E_UNIT_KEY_CHANGED};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 2);
        unit_bench_drive(&bench, UNIT_CONFIRMING);
        switch (i) {
        case 0:
            text_copy(bench.info.serial, sizeof bench.info.serial, "CAM-0002");
            break;
        case 1:
            bench.info.credentials[0].spki_sha256[SHA256_SIZE - 1] ^= 1;
            break;
        case 2:
            bench.info.credentials[0].has_key = false;
            break;
        case 3:
            bench.info.credential_count = 0;
            break;
        case 4:
            bench.info.lifecycle = LIFECYCLE_LOCKED;
            break;
        default: // the other credential's key: the camera is not the one that it was
            bench.info.credentials[1].spki_sha256[0] ^= 1;
            break;
        }
        unit_bench_post(&bench, UNIT_ON_IDENTIFIED);
        unit_bench_expect_failed(&bench, codes[i]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unit trouble");
    TCase *anywhere = tcase_create("in every state");
    tcase_set_timeout(anywhere, 120); // a busy machine is no failure
    tcase_add_loop_test(anywhere, test_gone_in_every_state, 0, UNIT_STATE_COUNT);
    tcase_add_loop_test(anywhere, test_swapped_in_every_state, 0, UNIT_STATE_COUNT);
    tcase_add_loop_test(anywhere, test_failed_in_every_state, 0, UNIT_STATE_COUNT);
    tcase_add_loop_test(anywhere, test_conflict_in_every_state, 0, UNIT_STATE_COUNT);
    tcase_add_test(anywhere, test_late_events_in_every_state);
    suite_add_tcase(suite, anywhere);
    TCase *ca = tcase_create("the CA");
    tcase_set_timeout(ca, 120);
    tcase_add_test(ca, test_the_ca_answers_early);
    tcase_add_test(ca, test_unavailable_while_waiting);
    tcase_add_test(ca, test_of_another_credential);
    suite_add_tcase(suite, ca);
    TCase *refusals = tcase_create("refusals");
    tcase_set_timeout(refusals, 120);
    tcase_add_loop_test(refusals, test_refusals_that_may_pass, 0, ARRAY_LENGTH(asked));
    tcase_add_loop_test(refusals, test_refusals_for_good, 0, ARRAY_LENGTH(asked));
    tcase_add_test(refusals, test_tries_are_of_one_step);
    tcase_add_test(refusals, test_refusals_where_nothing_was_asked);
    suite_add_tcase(suite, refusals);
    TCase *found = tcase_create("what is found");
    tcase_set_timeout(found, 120);
    tcase_add_test(found, test_bad_csrs);
    tcase_add_test(found, test_bad_certificates_on_record);
    tcase_add_test(found, test_what_confirming_finds);
    suite_add_tcase(suite, found);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
