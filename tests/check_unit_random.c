// SPDX-License-Identifier: Apache-2.0
// What must hold of a unit whatever happens to it, over random sequences of events: good ones, late
// ones, and ones that contradict each other.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/core/policy.h"
#include "tests/support_unit.h"

#define STEPS 120000
#define STEPS_OF_A_SLOT 400

struct walk {
    uint64_t random;
    bool allowed[UNIT_STATE_COUNT][UNIT_EVENT_COUNT][UNIT_STATE_COUNT];
    bool handled[UNIT_STATE_COUNT][UNIT_EVENT_COUNT];
    struct unit_bench bench;
    struct unit before;
    struct unit_event event;
    struct message_info info;
    struct unit_record record;
    // What the test itself saw.
    uint32_t proved; // of this visit
    bool chain_fits; // the certificate that was loaded is for the key on record
    unsigned passes;
    unsigned failures;
    unsigned installs;
};

static uint32_t below(struct walk *walk, uint32_t limit) {
    return (uint32_t)(policy_random(&walk->random) >> 32) % limit;
}

static bool rarely(struct walk *walk) {
    return below(walk, 12) == 0;
}

static bool very_rarely(struct walk *walk) {
    return below(walk, 150) == 0;
}

static uint8_t variant(struct walk *walk) {
    return rarely(walk) ? 1 : 0;
}

// ---- random events ------------------------------------------------------------------------------

static void make_info(struct walk *walk) {
    struct message_info *info = &walk->info;
    memset(info, 0, sizeof *info);
    text_copy(info->serial, sizeof info->serial, rarely(walk) ? "CAM-0002" : UNIT_BENCH_SERIAL);
    info->serial[0] = very_rarely(walk) ? '\0' : info->serial[0];
    info->lifecycle = (uint8_t)(rarely(walk) ? below(walk, 4) : below(walk, 2));
    info->key_type_count = 1;
    info->key_types[0] = very_rarely(walk) ? KEY_P384 : KEY_P256;
    info->credential_count = very_rarely(walk) ? 1 : UNIT_CREDENTIALS_MAX;
    for (uint32_t i = 0; i < info->credential_count; i++) {
        struct message_credential *seen = &info->credentials[i];
        seen->number = (uint8_t)(i + 1);
        seen->state = (uint8_t)(rarely(walk) ? below(walk, 3) : below(walk, 2) + CREDENTIAL_KEY);
        seen->has_key = seen->state != CREDENTIAL_EMPTY;
        unit_bench_fill_key(seen->spki_sha256, i, variant(walk));
        unit_bench_fill_job(seen->job_id, i, variant(walk));
    }
}

static void make_record(struct walk *walk) {
    struct unit_record *record = &walk->record;
    *record = walk->bench.record;
    text_copy(record->serial, sizeof record->serial, walk->bench.unit.info.serial);
    record->result = (enum unit_result)below(walk, very_rarely(walk) ? 4 : 3);
    for (uint32_t i = 0; i < record->credential_count; i++) {
        struct credential_record *credential = &record->credentials[i];
        credential->has_key = true;
        unit_bench_fill_key(credential->spki_sha256, i, variant(walk));
        credential->request = (enum request_state)(rarely(walk)          ? below(walk, 10)
                                                   : below(walk, 3) == 0 ? REQUEST_NONE
                                                                         : REQUEST_ISSUED);
        credential->install = (enum install_state)below(walk, 4);
        credential->has_old_key = very_rarely(walk);
        credential->profile[0] = very_rarely(walk) ? '?' : credential->profile[0];
    }
}

static void make_csr(struct walk *walk) {
    static const uint8_t der[] = {1, 2, 3};
    struct unit_csr *csr = &walk->bench.csr;
    *csr = (struct unit_csr){.key_type = rarely(walk) ? KEY_P384 : KEY_P256, .der = {der, 3}};
    unit_bench_fill_key(csr->spki_sha256, walk->bench.unit.current, variant(walk));
    text_copy(csr->subject_serial, SERIAL_SIZE, rarely(walk) ? "CAM-0002" : UNIT_BENCH_SERIAL);
    if (rarely(walk)) {
        error_set(&csr->error, E_CSR_SIGNATURE, "wrong");
    }
}

static void make_certificate(struct walk *walk) {
    struct certificate_record *certificate = &walk->bench.certificate;
    *certificate = (struct certificate_record){.chain = {walk->bench.chain, 700}};
    certificate->chain.length = very_rarely(walk) ? 0 : 700;
    unit_bench_fill_key(certificate->spki_sha256, walk->bench.unit.current, variant(walk));
}

static void make_request(struct walk *walk, struct unit_event *event) {
    static const enum request_state bad[] = {REQUEST_HELD, REQUEST_REFUSED, REQUEST_QUARANTINED};
    event->credential_id = rarely(walk) ? 999 : 71 + below(walk, UNIT_CREDENTIALS_MAX);
    event->request = REQUEST_ISSUED;
    if (event->kind == UNIT_ON_UNAVAILABLE) {
        event->request = bad[below(walk, 3)];
        error_set(&event->error, E_CA_REFUSED, "of the test");
    }
}

static void make_error(struct walk *walk, struct unit_event *event) {
    static const enum error_code codes[] = {E_CAM_TIMEOUT, E_CAM_SWAPPED, E_CAM_MALFORMED};
    static const enum camera_error refusals[] = {CAMERA_BUSY, CAMERA_STORAGE, CAMERA_LOCKED,
                                                 CAMERA_EXISTS};
    if (event->kind == UNIT_ON_REFUSED) {
        event->camera_error = refusals[below(walk, 4)];
    }
    if (event->kind != UNIT_ON_PROOF || rarely(walk)) {
        error_set(&event->error, codes[below(walk, 3)], "of the test");
    }
}

static void fill_event(struct walk *walk) {
    struct unit_event *event = &walk->event;
    switch (event->kind) {
    case UNIT_ON_IDENTIFIED:
        make_info(walk);
        event->info = &walk->info;
        break;
    case UNIT_ON_ADMITTED:
        make_record(walk);
        event->unit = &walk->record;
        break;
    case UNIT_ON_KEY:
        unit_bench_fill_key(event->spki_sha256, walk->bench.unit.current, variant(walk));
        break;
    case UNIT_ON_CSR:
        make_csr(walk);
        event->csr = &walk->bench.csr;
        break;
    case UNIT_ON_ISSUED:
    case UNIT_ON_UNAVAILABLE:
        make_request(walk, event);
        break;
    case UNIT_ON_CERTIFICATE:
        make_certificate(walk);
        event->certificate = &walk->bench.certificate;
        break;
    case UNIT_ON_READ_BACK:
        event->bytes = (struct slice){walk->bench.chain, rarely(walk) ? 699 : 700};
        break;
    case UNIT_ON_FINISHED:
        event->lifecycle = (uint8_t)(rarely(walk) ? below(walk, 5) : LIFECYCLE_LOCKED);
        break;
    case UNIT_ON_PROOF:
    case UNIT_ON_REFUSED:
    case UNIT_ON_FAILED:
    case UNIT_ON_CONFLICT:
    case UNIT_ON_GONE:
        make_error(walk, event);
        break;
    default:
        break;
    }
}

static void make_event(struct walk *walk) {
    bool good = below(walk, 8) != 0;
    enum unit_event_kind kind = good ? unit_bench_next(walk->bench.unit.state)
                                     : (enum unit_event_kind)below(walk, UNIT_EVENT_COUNT);
    walk->event = (struct unit_event){.kind = kind};
    fill_event(walk);
}

// ---- what must hold -----------------------------------------------------------------------------

static const struct credential_record *current(const struct unit *unit) {
    return &unit->record.credentials[unit->current];
}

static uint32_t everything(const struct unit *unit) {
    return (1U << unit->record.credential_count) - 1;
}

static bool is_untouched(const void *before, const void *after, size_t size) {
    return memcmp(before, after, size) == 0;
}

static void check_transition(const struct walk *walk) {
    const struct unit_output *output = &walk->bench.output;
    enum unit_state from = walk->before.state;
    enum unit_state to = walk->bench.unit.state;
    if (walk->handled[from][walk->event.kind]) {
        ck_assert(walk->allowed[from][walk->event.kind][to]);
    } else {
        ck_assert(is_untouched(&walk->before, &walk->bench.unit, sizeof walk->before));
        ck_assert(output->record_count == 0 && output->action == UNIT_ACT_NONE && !output->hold);
    }
    if (output->hold) {
        ck_assert(output->record_count > 0 && output->action != UNIT_ACT_NONE);
    }
    if (walk->event.kind == UNIT_ON_GONE && from != UNIT_RECORDING) {
        ck_assert(to == UNIT_EMPTY && output->action == UNIT_ACT_PROBE);
        ck_assert_int_eq(walk->bench.unit.record.unit_id, 0);
    }
}

// The test's own book of what was proved, kept beside the unit's.
static void note_proof(struct walk *walk) {
    const struct unit_event *event = &walk->event;
    if (walk->before.state == UNIT_EMPTY && event->kind == UNIT_ON_IDENTIFIED) {
        walk->proved = 0;
    }
    if (walk->before.state == UNIT_PROVING && event->kind == UNIT_ON_PROOF &&
        event->error.code == ERROR_NONE) {
        walk->proved |= 1U << walk->before.current;
    }
    if (walk->before.state == UNIT_LOADING && event->kind == UNIT_ON_CERTIFICATE) {
        walk->chain_fits = memcmp(event->certificate->spki_sha256,
                                  current(&walk->before)->spki_sha256, SHA256_SIZE) == 0;
    }
}

// PASS: every credential was proved in this visit, the camera says that it is locked, and the
// store has the result before it is shown.
static void check_pass(struct walk *walk) {
    const struct unit *unit = &walk->bench.unit;
    bool good = unit->verdict == UNIT_PASS || unit->verdict == UNIT_ALREADY;
    enum unit_state from = walk->before.state;
    if (unit->state == UNIT_RECORDING && from != UNIT_RECORDING && good) {
        ck_assert_int_eq(from, UNIT_LOCKING);
        ck_assert_int_eq(walk->event.kind, UNIT_ON_FINISHED);
        uint8_t wanted = unit->policy->lock ? LIFECYCLE_LOCKED : LIFECYCLE_PROVISIONED;
        ck_assert_uint_ge(walk->event.lifecycle, wanted);
        ck_assert_uint_le(walk->event.lifecycle, LIFECYCLE_LOCKED);
        ck_assert_uint_gt(unit->record.credential_count, 0);
        ck_assert_uint_eq(walk->proved, everything(unit));
        for (uint32_t i = 0; i < unit->record.credential_count; i++) {
            ck_assert_int_eq(unit->record.credentials[i].request, REQUEST_ISSUED);
        }
        ck_assert((unit->verdict == UNIT_ALREADY) == (walk->before.record.result == UNIT_PASSED));
    }
    if (unit->state == UNIT_DONE && from != UNIT_DONE && good) {
        ck_assert_int_eq(from, UNIT_RECORDING);
        ck_assert_int_eq(walk->event.kind, UNIT_ON_STORED);
        walk->passes++;
    }
    walk->failures += unit->state == UNIT_DONE && from != UNIT_DONE && !good ? 1 : 0;
}

// Nothing is installed but under its record, in a camera that has the key, unlocked, after a look.
static void check_install(struct walk *walk) {
    const struct unit *unit = &walk->bench.unit;
    const struct unit_output *output = &walk->bench.output;
    if (output->action != UNIT_ACT_INSTALL) {
        return;
    }
    walk->installs++;
    ck_assert(walk->chain_fits);
    if (walk->before.state == UNIT_INSTALLING) {
        ck_assert_int_eq(walk->event.kind, UNIT_ON_REFUSED);
        return;
    }
    ck_assert(output->hold);
    ck_assert_int_eq(output->records[output->record_count - 1].kind, RECORD_INSTALL);
    ck_assert_int_eq(output->records[output->record_count - 1].install, INSTALL_STARTED);
    ck_assert_int_ne(unit->info.lifecycle, LIFECYCLE_LOCKED);
    ck_assert_str_eq(unit->info.serial, unit->record.serial);
    const struct message_credential *seen = &unit->info.credentials[current(unit)->number - 1];
    ck_assert(seen->has_key);
    ck_assert_mem_eq(seen->spki_sha256, current(unit)->spki_sha256, SHA256_SIZE);
    ck_assert_int_eq(current(unit)->request, REQUEST_ISSUED);
    if (walk->before.state == UNIT_CONFIRMING) {
        ck_assert_int_eq(walk->event.kind, UNIT_ON_IDENTIFIED);
    } else {
        ck_assert_int_eq(walk->before.state, UNIT_READING_BACK);
    }
}

// A camera that was scrapped, or whose certificate is out of use, or that is the old board: nothing
// is asked of it.
static bool is_turned_away(const struct unit *unit) {
    bool is_away = unit->record.result == UNIT_SCRAPPED;
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        const struct credential_record *credential = &unit->record.credentials[i];
        is_away = is_away || credential->has_old_key || credential->request == REQUEST_WITHDRAWN;
    }
    return is_away;
}

static void check_other_actions(const struct walk *walk) {
    const struct unit *unit = &walk->bench.unit;
    const struct unit_output *output = &walk->bench.output;
    bool is_kept_off = output->action == UNIT_ACT_NONE || output->action == UNIT_ACT_WATCH ||
                       output->action == UNIT_ACT_PROBE;
    ck_assert(!is_turned_away(unit) || is_kept_off);
    if (output->action == UNIT_ACT_GENERATE) {
        ck_assert_int_eq(current(unit)->request, REQUEST_NONE);
        ck_assert(!unit->replace_key || unit->policy->wanted[unit->current].replace_foreign_key);
    }
    if (output->action == UNIT_ACT_FINISH && walk->before.state != UNIT_LOCKING) {
        ck_assert(output->hold);
        ck_assert_int_eq(output->records[output->record_count - 1].kind, RECORD_LOCKING);
        ck_assert_uint_eq(walk->proved, everything(unit));
    }
}

static void check_records(const struct walk *walk) {
    const struct unit *unit = &walk->bench.unit;
    const struct unit_output *output = &walk->bench.output;
    for (size_t i = 0; i < output->record_count; i++) {
        const struct record *record = &output->records[i];
        ck_assert(record->kind == RECORD_ADMIT || record->unit_id == UNIT_BENCH_ID);
        if (record->kind == RECORD_RESULT) {
            ck_assert_int_ne(walk->before.record.result, UNIT_PASSED);
            ck_assert_int_ne(unit->record.result, UNIT_SCRAPPED);
            ck_assert((record->result == UNIT_PASSED) == (record->error == ERROR_NONE));
        }
        if (record->kind == RECORD_CSR) {
            const struct unit_csr *csr = walk->event.csr;
            ck_assert_int_eq(csr->error.code, ERROR_NONE);
            ck_assert_mem_eq(csr->spki_sha256, current(&walk->before)->spki_sha256, SHA256_SIZE);
            ck_assert_str_eq(csr->subject_serial, walk->before.record.serial);
            ck_assert_int_eq(current(&walk->before)->request, REQUEST_NONE);
        }
        if (record->kind == RECORD_REQUEST) {
            ck_assert_int_eq(walk->event.kind, UNIT_ON_ADMITTED);
            ck_assert_int_eq(record->request, REQUEST_QUEUED);
        }
    }
}

// ---- the walk -----------------------------------------------------------------------------------

static void note_transition(void *context, enum unit_state from, enum unit_event_kind event,
                            enum unit_state to) {
    struct walk *walk = context;
    walk->allowed[from][event][to] = true;
    walk->handled[from][event] = true;
}

static void open_slot(struct walk *walk) {
    struct unit_bench *bench = &walk->bench;
    unit_bench_init(bench, 1 + below(walk, UNIT_CREDENTIALS_MAX));
    bench->policy.lock = below(walk, 2) == 0;
    bench->policy.retries = below(walk, 3);
    for (uint32_t i = 0; i < bench->policy.wanted_count; i++) {
        bench->policy.wanted[i].replace_foreign_key = below(walk, 2) == 0;
    }
    if (rarely(walk)) {
        text_copy(bench->unit.label, SERIAL_SIZE, UNIT_BENCH_SERIAL);
    }
    walk->proved = 0;
}

static void take_step(struct walk *walk) {
    make_event(walk);
    walk->before = walk->bench.unit;
    unit_bench_step(&walk->bench, &walk->event);
    check_transition(walk);
    note_proof(walk);
    check_pass(walk);
    check_install(walk);
    check_other_actions(walk);
    check_records(walk);
}

START_TEST(test_whatever_happens) {
    struct walk *walk = calloc(1, sizeof *walk);
    ck_assert_ptr_nonnull(walk);
    walk->random = 0x5eed0000U + (unsigned)_i;
    unit_visit_transitions(note_transition, walk);
    for (int step = 0; step < STEPS; step++) {
        if (step % STEPS_OF_A_SLOT == 0) {
            open_slot(walk);
        }
        take_step(walk);
    }
    // The walk came by where it had to look.
    ck_assert_uint_gt(walk->passes, 100);
    ck_assert_uint_gt(walk->failures, 1000);
    ck_assert_uint_gt(walk->installs, 1000);
    free(walk);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unit, random");
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
