// SPDX-License-Identifier: Apache-2.0
// What must hold of a request whatever happens to it, over random sequences of events.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "station/core/request.h"

static const struct ca_policy usual = {
    .settle_ms = 5000,
    .in_flight = 4,
    .backoff_ms = 200,
    .backoff_max_ms = 5000,
    .rescan_ms = 700,
    .empty_scans = 3,
    .breaker_failures = 5,
};

struct walk {
    struct ca_policy policy;
    struct request request;
    struct request_output output;
    struct request_record record;
    int64_t now_ms; // monotonic
    uint64_t random;
    bool handled[STEP_COUNT][REQUEST_EVENT_COUNT];
    bool allowed[STEP_COUNT][REQUEST_EVENT_COUNT][STEP_COUNT];
    // What the test itself saw.
    bool in_doubt;
    int64_t doubt_ms;
    uint32_t empty_scans;
    bool claimed; // the intent is durable and not yet used
    unsigned submits;
    unsigned submits_after_doubt;
    unsigned repeats;
    unsigned settled;
    unsigned confirms;
    unsigned elsewhere;
};

static void note_transition(void *context, enum request_step from, enum request_event_kind event,
                            enum request_step to) {
    struct walk *walk = context;
    walk->handled[from][event] = true;
    walk->allowed[from][event][to] = true;
}

static uint32_t below(struct walk *walk, uint32_t limit) {
    return (uint32_t)(policy_random(&walk->random) >> 33) % limit;
}

static enum request_event_kind next_event(struct walk *walk) {
    static const enum request_event_kind next[STEP_COUNT] = {
        [STEP_FREE] = REQUEST_ON_START,        [STEP_DUE] = REQUEST_ON_DUE,
        [STEP_CLAIMING] = REQUEST_ON_RECORD,   [STEP_SUBMITTED] = REQUEST_ON_RESULT,
        [STEP_LOOKING_UP] = REQUEST_ON_RECORD, [STEP_FETCHING] = REQUEST_ON_RESULT,
        [STEP_CONFIRMING] = REQUEST_ON_RESULT, [STEP_RECONCILING] = REQUEST_ON_RESULT,
        [STEP_SETTLING] = REQUEST_ON_STORED,
    };
    return below(walk, 10) == 0 ? (enum request_event_kind)below(walk, REQUEST_EVENT_COUNT)
                                : next[walk->request.step];
}

static void note_start(struct walk *walk, enum request_state state) {
    walk->in_doubt = state == REQUEST_SENT || state == REQUEST_DOUBT || state == REQUEST_HELD ||
                     state == REQUEST_QUARANTINED;
    walk->doubt_ms = walk->now_ms;
    walk->empty_scans = 0;
    walk->claimed = false;
}

static void note_result(struct walk *walk, enum request_step before, enum request_outcome outcome) {
    bool lost =
        outcome == OUTCOME_DOUBT || outcome == OUTCOME_NOT_ISSUED || outcome == OUTCOME_CANNOT_TELL;
    bool repeats = walk->policy.fetch_repeats;
    if ((before == STEP_SUBMITTED && lost) || (before == STEP_FETCHING && repeats && lost) ||
        (before == STEP_FETCHING && !repeats && outcome == OUTCOME_REFUSED)) {
        walk->in_doubt = true;
        walk->doubt_ms = walk->now_ms;
        walk->empty_scans = 0;
    } else if (before == STEP_RECONCILING && outcome == OUTCOME_NOT_ISSUED) {
        walk->empty_scans++;
    }
}

static void check_submit(struct walk *walk) {
    ck_assert(walk->claimed);
    walk->claimed = false;
    walk->submits++;
    if (walk->in_doubt) {
        ck_assert_uint_ge(walk->empty_scans, usual.empty_scans);
        ck_assert_int_ge(walk->now_ms - walk->doubt_ms, usual.settle_ms);
        walk->in_doubt = false;
        walk->submits_after_doubt++;
    }
}

// What the CA hears was answered by the store before; a unit goes on only when the CA has answered.
static void check_confirm(struct walk *walk) {
    ck_assert_uint_eq(walk->output.record_count, 0);
    ck_assert(walk->request.outcome == REQUEST_UNCONFIRMED ||
              walk->request.outcome == REQUEST_QUARANTINED);
    walk->confirms++;
}

// A fetch that is the request once more leaves as a first one does: on record, and never in doubt.
static void check_fetch(struct walk *walk) {
    ck_assert_int_eq(walk->claimed, walk->policy.fetch_repeats);
    ck_assert(!walk->in_doubt);
    walk->claimed = false;
    walk->repeats += walk->policy.fetch_repeats ? 1 : 0;
}

// Where it was sent to another CA than the section leads to now, nobody is asked.
static void check_endpoint(struct walk *walk) {
    const char *sent_to = walk->record.endpoint;
    if (walk->output.action != REQUEST_ACT_NONE) {
        ck_assert_str_ne(sent_to, "there");
    }
    if (walk->output.settled && walk->request.error.code == E_CA_CHANGED) {
        ck_assert_str_eq(sent_to, "there");
        walk->elsewhere++;
    }
}

static bool is_untouched(const void *before, const void *after, size_t size) {
    return memcmp(before, after, size) == 0;
}

static void take_step(struct walk *walk) {
    struct request_result result = {
        .outcome = (enum request_outcome)below(walk, OUTCOME_CONFIRMED + 1), .handle = "h"};
    struct request_event event = {
        .kind = next_event(walk), .request = &walk->record, .result = &result};
    struct request before = walk->request;
    walk->now_ms += below(walk, 400);
    walk->record.state = (enum request_state)below(walk, REQUEST_UNCONFIRMED + 1);
    result.offer.length = below(walk, 2);
    walk->record.offer.length = below(walk, 4);
    if (below(walk, 3) == 0 || result.outcome != OUTCOME_CERTIFICATE) {
        error_set(&result.error, E_CERT_KEY, "of the test");
    }
    error_set(&event.error, E_STORE_CONFLICT, "of the test");
    if (event.kind == REQUEST_ON_START && before.step == STEP_FREE) {
        note_start(walk, walk->record.state);
    }
    if (event.kind == REQUEST_ON_RESULT) {
        note_result(walk, before.step, result.outcome);
    }
    if (before.step == STEP_CLAIMING && event.kind == REQUEST_ON_RECORD) {
        walk->claimed = true;
        text_copy(walk->record.endpoint, sizeof walk->record.endpoint, "here");
    }
    event.monotonic_ms = walk->now_ms;
    event.random = policy_random(&walk->random);
    request_step(&walk->request, &event, &walk->output);
    ck_assert_uint_le(walk->output.record_count, REQUEST_RECORDS_MAX);
    if (walk->handled[before.step][event.kind]) {
        ck_assert(walk->allowed[before.step][event.kind][walk->request.step]);
    } else {
        ck_assert(is_untouched(&before, &walk->request, sizeof before));
        ck_assert_uint_eq(walk->output.record_count, 0);
        ck_assert_int_eq(walk->output.action, REQUEST_ACT_NONE);
    }
    if (walk->output.action == REQUEST_ACT_SUBMIT) {
        check_submit(walk);
    } else if (walk->output.action == REQUEST_ACT_FETCH) {
        check_fetch(walk);
    }
    check_endpoint(walk);
    if (walk->output.action == REQUEST_ACT_CONFIRM) {
        check_confirm(walk);
    }
    if (walk->output.settled) {
        ck_assert_int_eq(walk->request.step, STEP_FREE);
        ck_assert_int_ge(walk->request.outcome, REQUEST_HELD);
        ck_assert_int_ne(walk->request.outcome, REQUEST_UNCONFIRMED);
        walk->settled++;
    }
}

static void begin(struct walk *walk) {
    static const char *const endpoints[] = {"", "here", "there"};
    walk->policy.fetch_repeats = below(walk, 3) == 0;
    request_init(&walk->request, &walk->policy, "toy");
    walk->request.unit_id = 7;
    walk->request.credential_id = 71;
    walk->record.unit_id = 7;
    walk->record.credential_id = 71;
    text_copy(walk->record.endpoint, sizeof walk->record.endpoint, endpoints[below(walk, 3)]);
}

START_TEST(test_whatever_happens) {
    struct walk *walk = calloc(1, sizeof *walk);
    ck_assert_ptr_nonnull(walk);
    request_visit_transitions(note_transition, walk);
    walk->policy = usual;
    text_copy(walk->policy.endpoint, sizeof walk->policy.endpoint, "here");
    walk->random = 0xbeadU + (unsigned)_i;
    for (int i = 0; i < 200000; i++) {
        if (walk->request.step == STEP_FREE) {
            begin(walk);
        }
        take_step(walk);
    }
    ck_assert_uint_gt(walk->submits, 1000);
    ck_assert_uint_gt(walk->submits_after_doubt, 20);
    ck_assert_uint_gt(walk->repeats, 100);
    ck_assert_uint_gt(walk->settled, 1000);
    ck_assert_uint_gt(walk->confirms, 500);
    ck_assert_uint_gt(walk->elsewhere, 500);
    free(walk);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("request, random");
    TCase *random = tcase_create("random");
    tcase_set_timeout(random, 120); // a busy machine is no failure
    tcase_add_loop_test(random, test_whatever_happens, 0, 2);
    suite_add_tcase(suite, random);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
