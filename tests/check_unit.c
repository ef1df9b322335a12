// SPDX-License-Identifier: Apache-2.0
// The unit's flow event by event: the straight way, admission, and going on from what is recorded.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support_unit.h"

// ---- the straight way ---------------------------------------------------------------------------

struct step {
    enum unit_event_kind event;
    uint32_t about;
    enum unit_state state;
    enum unit_action action;
    bool hold;
    uint32_t current;
    enum record_kind records[3]; // ends with 0 where shorter
    enum install_state install;  // of a RECORD_INSTALL
};

static void run_steps(struct unit_bench *bench, const struct step *steps, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        bench->about = step->about;
        ck_assert_msg(unit_bench_post(bench, step->event) == step->state, "step %zu: %s", i,
                      unit_state_name(bench->unit.state));
        ck_assert_msg(bench->output.action == step->action, "step %zu", i);
        ck_assert_msg(bench->output.hold == step->hold, "step %zu", i);
        ck_assert_msg(bench->unit.current == step->current, "step %zu", i);
        for (size_t j = 0; j < 3; j++) {
            enum record_kind kind =
                j < bench->output.record_count ? bench->output.records[j].kind : 0;
            ck_assert_msg(kind == step->records[j], "step %zu, record %zu is %d", i, j, kind);
        }
        const struct record *install = unit_bench_find_record(bench, RECORD_INSTALL);
        ck_assert(install == NULL || install->install == step->install);
    }
}

static const struct step one_credential[] = {
    {UNIT_ON_IDENTIFIED, 0, UNIT_ADMITTING, UNIT_ACT_NONE, false, 0, {RECORD_ADMIT}, 0},
    {UNIT_ON_ADMITTED, 0, UNIT_GENERATING, UNIT_ACT_GENERATE, false, 0, {0}, 0},
    {UNIT_ON_KEY, 0, UNIT_FETCHING_CSR, UNIT_ACT_FETCH_CSR, false, 0, {RECORD_KEY}, 0},
    {UNIT_ON_CSR, 0, UNIT_WAITING, UNIT_ACT_WATCH, false, 0, {RECORD_CSR}, 0},
    {UNIT_ON_ISSUED, 0, UNIT_LOADING, UNIT_ACT_NONE, false, 0, {RECORD_LOAD_CERTIFICATE}, 0},
    {UNIT_ON_CERTIFICATE, 0, UNIT_CONFIRMING, UNIT_ACT_CONFIRM, false, 0, {0}, 0},
    {UNIT_ON_IDENTIFIED, 0, UNIT_INSTALLING, UNIT_ACT_INSTALL, true, 0, {RECORD_INSTALL}, 1},
    {UNIT_ON_INSTALLED, 0, UNIT_READING_BACK, UNIT_ACT_READ_BACK, false, 0, {0}, 0},
    {UNIT_ON_READ_BACK, 0, UNIT_PROVING, UNIT_ACT_PROVE, false, 0, {RECORD_INSTALL}, 2},
    {UNIT_ON_PROOF, 0, UNIT_LOCKING, UNIT_ACT_FINISH, true, 0, {RECORD_INSTALL, RECORD_LOCKING}, 3},
    {UNIT_ON_FINISHED, 0, UNIT_RECORDING, UNIT_ACT_NONE, false, 0, {RECORD_RESULT}, 0},
    {UNIT_ON_STORED, 0, UNIT_DONE, UNIT_ACT_WATCH, false, 0, {0}, 0},
    {UNIT_ON_GONE, 0, UNIT_EMPTY, UNIT_ACT_PROBE, false, 0, {0}, 0},
};

START_TEST(test_straight_way_with_one_credential) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    run_steps(&bench, one_credential, ARRAY_LENGTH(one_credential) - 2);
    ck_assert_int_eq(bench.output.records[0].result, UNIT_PASSED);
    ck_assert_int_eq(bench.output.records[0].error, ERROR_NONE);
    ck_assert_int_eq(bench.output.records[0].unit_id, UNIT_BENCH_ID);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    run_steps(&bench, &one_credential[ARRAY_LENGTH(one_credential) - 2], 2);
}
END_TEST

// Both keys before the first certificate; the second certificate comes while the first is
// installed.
START_TEST(test_straight_way_with_two_credentials) {
    static const struct step steps[] = {
        {UNIT_ON_IDENTIFIED, 0, UNIT_ADMITTING, UNIT_ACT_NONE, false, 0, {RECORD_ADMIT}, 0},
        {UNIT_ON_ADMITTED, 0, UNIT_GENERATING, UNIT_ACT_GENERATE, false, 0, {0}, 0},
        {UNIT_ON_KEY, 0, UNIT_FETCHING_CSR, UNIT_ACT_FETCH_CSR, false, 0, {RECORD_KEY}, 0},
        {UNIT_ON_CSR, 0, UNIT_GENERATING, UNIT_ACT_GENERATE, false, 1, {RECORD_CSR}, 0},
        {UNIT_ON_ISSUED, 0, UNIT_GENERATING, UNIT_ACT_NONE, false, 1, {0}, 0},
        {UNIT_ON_KEY, 0, UNIT_FETCHING_CSR, UNIT_ACT_FETCH_CSR, false, 1, {RECORD_KEY}, 0},
        {UNIT_ON_CSR,
         0,
         UNIT_LOADING,
         UNIT_ACT_NONE,
         false,
         0,
         {RECORD_CSR, RECORD_LOAD_CERTIFICATE},
         0},
        {UNIT_ON_CERTIFICATE, 0, UNIT_CONFIRMING, UNIT_ACT_CONFIRM, false, 0, {0}, 0},
        {UNIT_ON_IDENTIFIED, 0, UNIT_INSTALLING, UNIT_ACT_INSTALL, true, 0, {RECORD_INSTALL}, 1},
        {UNIT_ON_INSTALLED, 0, UNIT_READING_BACK, UNIT_ACT_READ_BACK, false, 0, {0}, 0},
        {UNIT_ON_READ_BACK, 0, UNIT_PROVING, UNIT_ACT_PROVE, false, 0, {RECORD_INSTALL}, 2},
        {UNIT_ON_PROOF, 0, UNIT_WAITING, UNIT_ACT_WATCH, false, 0, {RECORD_INSTALL}, 3},
        {UNIT_ON_ISSUED, 1, UNIT_LOADING, UNIT_ACT_NONE, false, 1, {RECORD_LOAD_CERTIFICATE}, 0},
        {UNIT_ON_CERTIFICATE, 0, UNIT_CONFIRMING, UNIT_ACT_CONFIRM, false, 1, {0}, 0},
        {UNIT_ON_IDENTIFIED, 0, UNIT_INSTALLING, UNIT_ACT_INSTALL, true, 1, {RECORD_INSTALL}, 1},
        {UNIT_ON_INSTALLED, 0, UNIT_READING_BACK, UNIT_ACT_READ_BACK, false, 1, {0}, 0},
        {UNIT_ON_READ_BACK, 0, UNIT_PROVING, UNIT_ACT_PROVE, false, 1, {RECORD_INSTALL}, 2},
        {UNIT_ON_PROOF,
         0,
         UNIT_LOCKING,
         UNIT_ACT_FINISH,
         true,
         1,
         {RECORD_INSTALL, RECORD_LOCKING},
         3},
        {UNIT_ON_FINISHED, 0, UNIT_RECORDING, UNIT_ACT_NONE, false, 1, {RECORD_RESULT}, 0},
        {UNIT_ON_STORED, 0, UNIT_DONE, UNIT_ACT_WATCH, false, 1, {0}, 0},
    };
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    run_steps(&bench, steps, ARRAY_LENGTH(steps));
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    ck_assert_uint_eq(bench.unit.proved, 3);
}
END_TEST

START_TEST(test_records_carry_what_was_found) {
    struct unit_bench bench;
    uint8_t spki[SHA256_SIZE];
    unit_bench_init(&bench, 1);
    unit_bench_fill_key(spki, 0, 0);
    unit_bench_drive(&bench, UNIT_GENERATING);
    unit_bench_post(&bench, UNIT_ON_KEY);
    const struct record *key = unit_bench_find_record(&bench, RECORD_KEY);
    ck_assert_mem_eq(key->spki_sha256, spki, SHA256_SIZE);
    ck_assert_int_eq(key->credential_id, 71);
    unit_bench_post(&bench, UNIT_ON_CSR);
    const struct record *csr = unit_bench_find_record(&bench, RECORD_CSR);
    ck_assert_mem_eq(csr->spki_sha256, spki, SHA256_SIZE);
    ck_assert(slice_equal(csr->bytes, bench.csr.der));
    ck_assert_int_eq(csr->credential_id, 71);
    unit_bench_post(&bench, UNIT_ON_ISSUED);
    unit_bench_post(&bench, UNIT_ON_CERTIFICATE);
    struct slice chain = {bench.unit.chain, bench.unit.chain_length};
    ck_assert(slice_equal(chain, bench.certificate.chain));
}
END_TEST

// Without a lock, provisioned is enough, and locked is more than that.
START_TEST(test_lifecycle_that_is_enough) {
    static const struct {
        bool lock;
        uint8_t lifecycle;
        bool passes;
    } cases[] = {
        {true, LIFECYCLE_LOCKED, true},
        {true, LIFECYCLE_PROVISIONED, false},
        {true, LIFECYCLE_IN_PROGRESS, false},
        {true, LIFECYCLE_BLANK, false},
        {false, LIFECYCLE_LOCKED, true},
        {false, LIFECYCLE_PROVISIONED, true},
        {false, LIFECYCLE_BLANK, false},
        {true, LIFECYCLE_LOCKED + 1, false},
        {true, UINT8_MAX, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 1);
        bench.policy.lock = cases[i].lock;
        unit_bench_drive(&bench, UNIT_LOCKING);
        struct unit_event event = {.kind = UNIT_ON_FINISHED, .lifecycle = cases[i].lifecycle};
        ck_assert_int_eq(unit_bench_step(&bench, &event), UNIT_RECORDING);
        ck_assert_int_eq(bench.unit.verdict, cases[i].passes ? UNIT_PASS : UNIT_FAIL);
        ck_assert_int_eq(bench.output.records[0].result,
                         cases[i].passes ? UNIT_PASSED : UNIT_FAILED);
        ck_assert_int_eq(bench.output.records[0].error,
                         cases[i].passes ? ERROR_NONE : E_CAM_LIFECYCLE);
    }
}
END_TEST

// ---- admission ----------------------------------------------------------------------------------

// Admitted, and then refused: the failure goes on record.
static void expect_refused(struct unit_bench *bench, enum error_code code) {
    unit_bench_drive(bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(bench, UNIT_ON_ADMITTED), UNIT_RECORDING);
    ck_assert_int_eq(bench->unit.error.code, code);
    ck_assert_int_eq(bench->output.action, UNIT_ACT_NONE);
    ck_assert_uint_eq(bench->output.record_count, 1);
    ck_assert_int_eq(bench->output.records[0].kind, RECORD_RESULT);
    ck_assert_int_eq(bench->output.records[0].result, UNIT_FAILED);
    ck_assert_int_eq(bench->output.records[0].error, code);
    ck_assert_int_eq(unit_bench_post(bench, UNIT_ON_STORED), UNIT_DONE);
    ck_assert_int_eq(bench->unit.verdict, UNIT_FAIL);
    ck_assert_int_eq(bench->output.action, UNIT_ACT_WATCH);
}

START_TEST(test_label) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    text_copy(bench.unit.label, sizeof bench.unit.label, "CAM-0002");
    expect_refused(&bench, E_CAM_LABEL);
    unit_bench_init(&bench, 1);
    text_copy(bench.unit.label, sizeof bench.unit.label, UNIT_BENCH_SERIAL);
    text_copy(bench.unit.lot, sizeof bench.unit.lot, "lot 1");
    unit_bench_post(&bench, UNIT_ON_IDENTIFIED);
    const struct admission *admission = &bench.output.records[0].admission;
    ck_assert_str_eq(admission->label, UNIT_BENCH_SERIAL);
    ck_assert_str_eq(admission->lot, "lot 1");
    ck_assert_str_eq(admission->serial, UNIT_BENCH_SERIAL);
    ck_assert_str_eq(admission->model, "WV-1");
    ck_assert_uint_eq(admission->hardware_id_length, 6);
    ck_assert_uint_eq(admission->wanted_count, 1);
    ck_assert_str_eq(admission->wanted[0].profile, "profile-1");
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_GENERATING);
}
END_TEST

START_TEST(test_unusable_serials) {
    char longest[SERIAL_SIZE];
    char too_long[SERIAL_SIZE + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    const char *const bad[] = {"", " ", " x", "x ", "a\nb", "\x1b[2J", "caf\xc3\xa9", too_long};
    struct unit_bench bench;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        unit_bench_init(&bench, 1);
        text_copy(bench.info.serial, sizeof bench.info.serial, bad[i]);
        ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_IDENTIFIED), UNIT_DONE);
        ck_assert_int_eq(bench.unit.error.code, E_CAM_SERIAL);
        ck_assert_ptr_null(strchr(bench.unit.error.text, '\x1b'));
        ck_assert_uint_eq(bench.output.record_count, 0);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_WATCH);
    }
    unit_bench_init(&bench, 1);
    text_copy(bench.info.serial, sizeof bench.info.serial, longest);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_IDENTIFIED), UNIT_ADMITTING);
    ck_assert_str_eq(bench.output.records[0].admission.serial, longest);
}
END_TEST

START_TEST(test_names_of_the_camera) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    memset(bench.info.model, 'm', NAME_SIZE);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_IDENTIFIED), UNIT_DONE);
    ck_assert_int_eq(bench.unit.error.code, E_CAM_MALFORMED);
    unit_bench_init(&bench, 1);
    memset(bench.info.model, '\x1b', NAME_SIZE - 1);
    memset(bench.info.firmware, 'f', MESSAGE_TEXT_MAX);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_IDENTIFIED), UNIT_ADMITTING);
    const struct admission *admission = &bench.output.records[0].admission;
    ck_assert_ptr_null(strchr(admission->model, '\x1b'));
    ck_assert_uint_eq(strlen(admission->firmware), NAME_SIZE - 1);
}
END_TEST

START_TEST(test_what_the_camera_lacks) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    bench.info.credential_count = 1;
    expect_refused(&bench, E_CAM_CREDENTIAL);
    unit_bench_init(&bench, 1);
    bench.info.key_types[0] = KEY_RSA_2048;
    expect_refused(&bench, E_CAM_KEY_TYPE);
    unit_bench_init(&bench, 1);
    bench.info.key_type_count = 0;
    expect_refused(&bench, E_CAM_KEY_TYPE);
    unit_bench_init(&bench, 2);
    bench.policy.wanted[1].key_type = KEY_ED25519;
    expect_refused(&bench, E_CAM_KEY_TYPE);
}
END_TEST

// A key of another job, before this station has asked the CA for anything.
START_TEST(test_foreign_keys) {
    static const struct {
        enum credential_state state;
        enum lifecycle lifecycle;
        bool replaces;
        enum error_code code; // ERROR_NONE: the key is replaced
    } cases[] = {
        {CREDENTIAL_KEY, LIFECYCLE_IN_PROGRESS, false, E_UNIT_FOREIGN_KEY},
        {CREDENTIAL_KEY, LIFECYCLE_IN_PROGRESS, true, ERROR_NONE},
        {CREDENTIAL_KEY, LIFECYCLE_BLANK, true, ERROR_NONE},
        {CREDENTIAL_KEY, LIFECYCLE_PROVISIONED, true, E_UNIT_FOREIGN},
        {CREDENTIAL_KEY, LIFECYCLE_LOCKED, true, E_UNIT_FOREIGN},
        {CREDENTIAL_INSTALLED, LIFECYCLE_IN_PROGRESS, true, E_UNIT_FOREIGN},
        {CREDENTIAL_INSTALLED, LIFECYCLE_LOCKED, false, E_UNIT_FOREIGN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 1);
        unit_bench_set_camera(&bench, 0, cases[i].state);
        unit_bench_fill_job(bench.info.credentials[0].job_id, 0, 1);
        bench.info.lifecycle = (uint8_t)cases[i].lifecycle;
        bench.policy.wanted[0].replace_foreign_key = cases[i].replaces;
        if (cases[i].code != ERROR_NONE) {
            expect_refused(&bench, cases[i].code);
            continue;
        }
        unit_bench_drive(&bench, UNIT_GENERATING);
        ck_assert(bench.unit.replace_key);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_GENERATE);
    }
}
END_TEST

// Only the credential whose profile says so may be replaced.
START_TEST(test_replacing_is_of_one_credential) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    unit_bench_set_camera(&bench, 0, CREDENTIAL_KEY);
    unit_bench_fill_job(bench.info.credentials[0].job_id, 0, 1);
    bench.policy.wanted[1].replace_foreign_key = true;
    expect_refused(&bench, E_UNIT_FOREIGN_KEY);
    unit_bench_init(&bench, 2);
    unit_bench_set_camera(&bench, 1, CREDENTIAL_KEY);
    unit_bench_fill_job(bench.info.credentials[1].job_id, 1, 1);
    bench.policy.wanted[1].replace_foreign_key = true;
    unit_bench_drive(&bench, UNIT_GENERATING);
    ck_assert(!bench.unit.replace_key);
    unit_bench_post(&bench, UNIT_ON_KEY);
    unit_bench_post(&bench, UNIT_ON_CSR);
    ck_assert_uint_eq(bench.unit.current, 1);
    ck_assert(bench.unit.replace_key);
}
END_TEST

START_TEST(test_a_locked_camera_without_a_certificate) {
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    bench.info.lifecycle = LIFECYCLE_LOCKED;
    expect_refused(&bench, E_CAM_LOCKED);
    unit_bench_init(&bench, 1);
    unit_bench_set_camera(&bench, 0, CREDENTIAL_KEY);
    bench.info.lifecycle = LIFECYCLE_LOCKED;
    expect_refused(&bench, E_CAM_LOCKED);
}
END_TEST

// The camera holds a certificate that the store has asked nothing for, or still awaits, or was refused:
// the store is older than the camera, a backup that was put back. To ask again would buy it twice.
START_TEST(test_a_certificate_that_the_store_forgot) {
    static const enum request_state states[] = {REQUEST_NONE,     REQUEST_QUEUED, REQUEST_SENT,
                                                REQUEST_ACCEPTED, REQUEST_DOUBT,  REQUEST_HELD,
                                                REQUEST_REFUSED};
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    unit_bench_set_record(&bench, 0, states[_i], INSTALL_NONE);
    unit_bench_set_camera(&bench, 0, CREDENTIAL_INSTALLED);
    bench.policy.wanted[0].replace_foreign_key = true;
    expect_refused(&bench, E_UNIT_FOREIGN);
}
END_TEST

// Nobody would ever ask the CA for it: the unit would wait for ever.
START_TEST(test_a_profile_that_is_not_configured) {
    static const enum request_state states[] = {REQUEST_NONE,     REQUEST_QUEUED, REQUEST_SENT,
                                                REQUEST_ACCEPTED, REQUEST_DOUBT,  REQUEST_REFUSED};
    struct unit_bench bench;
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        unit_bench_init(&bench, 2);
        bench.policy.wanted_count = 1;
        if (states[i] != REQUEST_NONE) {
            unit_bench_set_camera(&bench, 1, CREDENTIAL_KEY);
            unit_bench_set_record(&bench, 1, states[i], INSTALL_NONE);
        }
        expect_refused(&bench, E_CONFIG);
    }
    unit_bench_init(&bench, 1);
    text_copy(bench.policy.wanted[0].profile, NAME_SIZE, "renamed");
    expect_refused(&bench, E_CONFIG);
    // What was issued is installed whatever the configuration says by now.
    unit_bench_init(&bench, 2);
    bench.policy.wanted_count = 1;
    for (uint32_t i = 0; i < 2; i++) {
        unit_bench_set_camera(&bench, i, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, i, REQUEST_ISSUED, INSTALL_NONE);
    }
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    ck_assert_uint_eq(bench.unit.proved, 3);
}
END_TEST

// ---- going on -----------------------------------------------------------------------------------

// The key was made, the CSR not yet read: the same job again, in a camera that has it or lost it.
START_TEST(test_resume_before_the_csr) {
    for (int has_key = 0; has_key < 2; has_key++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 1);
        unit_bench_set_record(&bench, 0, REQUEST_NONE, INSTALL_NONE);
        unit_bench_set_camera(&bench, 0, has_key ? CREDENTIAL_KEY : CREDENTIAL_EMPTY);
        unit_bench_drive(&bench, UNIT_GENERATING);
        ck_assert(!bench.unit.replace_key);
        unit_bench_drive(&bench, UNIT_DONE);
        ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    }
}
END_TEST

START_TEST(test_resume_while_the_ca_works) {
    for (enum request_state state = REQUEST_QUEUED; state <= REQUEST_DOUBT; state++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 1);
        unit_bench_set_camera(&bench, 0, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, 0, state, INSTALL_NONE);
        unit_bench_drive(&bench, UNIT_ADMITTING);
        ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_WAITING);
        ck_assert_int_eq(bench.output.action, UNIT_ACT_WATCH);
        ck_assert_uint_eq(bench.output.record_count, 0);
    }
}
END_TEST

START_TEST(test_resume_what_is_stuck) {
    static const struct {
        enum request_state state;
        enum error_code known;
        enum error_code shown;
    } cases[] = {
        {REQUEST_HELD, E_UNIT_HELD, E_UNIT_HELD},
        {REQUEST_HELD, ERROR_NONE, E_UNIT_HELD},
        {REQUEST_HELD, E_CA_CHANGED, E_CA_CHANGED},
        {REQUEST_QUARANTINED, E_CERT_NAMES, E_CERT_NAMES},
        {REQUEST_QUARANTINED, ERROR_NONE, E_UNIT_QUARANTINED},
        {REQUEST_QUARANTINED, E_CERT_UNCONFIRMED, E_CERT_UNCONFIRMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct unit_bench bench;
        unit_bench_init(&bench, 1);
        unit_bench_set_camera(&bench, 0, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, 0, cases[i].state, INSTALL_NONE);
        bench.record.credentials[0].error = cases[i].known;
        expect_refused(&bench, cases[i].shown);
        bool tells_more =
            strstr(bench.unit.error.text, "birthcert show " UNIT_BENCH_SERIAL) != NULL;
        ck_assert(tells_more == (cases[i].shown == E_UNIT_HELD || cases[i].shown == E_CA_CHANGED ||
                                 cases[i].shown == E_CERT_UNCONFIRMED));
    }
}
END_TEST

// A definite no has issued nothing: the same CSR goes into the outbox again.
START_TEST(test_refused_requests_are_revived) {
    struct unit_bench bench;
    unit_bench_init(&bench, UNIT_CREDENTIALS_MAX);
    for (uint32_t i = 0; i < UNIT_CREDENTIALS_MAX; i++) {
        unit_bench_set_camera(&bench, i, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, i, REQUEST_REFUSED, INSTALL_NONE);
        bench.record.credentials[i].error = E_CA_REFUSED;
    }
    unit_bench_set_record(&bench, 1, REQUEST_ISSUED, INSTALL_NONE);
    unit_bench_drive(&bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_LOADING);
    ck_assert_uint_eq(bench.output.record_count, UNIT_CREDENTIALS_MAX);
    for (size_t i = 0; i + 1 < UNIT_CREDENTIALS_MAX; i++) {
        const struct record *record = &bench.output.records[i];
        ck_assert_int_eq(record->kind, RECORD_REQUEST);
        ck_assert_int_eq(record->request, REQUEST_QUEUED);
        ck_assert_int_eq(record->credential_id, i == 0 ? 71 : 72 + (int64_t)i);
    }
    ck_assert_int_eq(bench.unit.record.credentials[0].request, REQUEST_QUEUED);
    ck_assert(!bench.output.hold);
}
END_TEST

// One that is held is not made better by reviving another.
START_TEST(test_refused_beside_held) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    for (uint32_t i = 0; i < 2; i++) {
        unit_bench_set_camera(&bench, i, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, i, i == 0 ? REQUEST_REFUSED : REQUEST_HELD, INSTALL_NONE);
    }
    expect_refused(&bench, E_UNIT_HELD);
}
END_TEST

// The first certificate is installed although the second will not come.
START_TEST(test_issued_beside_held) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    for (uint32_t i = 0; i < 2; i++) {
        unit_bench_set_camera(&bench, i, CREDENTIAL_KEY);
        unit_bench_set_record(&bench, i, i == 0 ? REQUEST_ISSUED : REQUEST_HELD, INSTALL_NONE);
    }
    unit_bench_drive(&bench, UNIT_PROVING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_PROOF), UNIT_RECORDING);
    ck_assert_int_eq(bench.unit.error.code, E_UNIT_HELD);
    ck_assert_int_eq(bench.output.action, UNIT_ACT_NONE);
}
END_TEST

// What was issued stays so: a second word on it changes nothing.
START_TEST(test_the_ca_answers_twice) {
    struct unit_bench bench;
    unit_bench_init(&bench, 2);
    unit_bench_drive(&bench, UNIT_WAITING);
    unit_bench_post(&bench, UNIT_ON_ISSUED);
    while (bench.unit.state != UNIT_WAITING) {
        unit_bench_post(&bench, unit_bench_next(bench.unit.state));
    }
    bench.about = 0;
    ck_assert_int_eq(unit_bench_post_error(&bench, UNIT_ON_UNAVAILABLE, E_UNIT_HELD), UNIT_WAITING);
    ck_assert_uint_eq(bench.output.record_count, 0);
    ck_assert_int_eq(bench.unit.record.credentials[0].request, REQUEST_ISSUED);
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
}
END_TEST

// Issued: whatever the record says of the install, the camera's own word decides.
START_TEST(test_resume_from_issued) {
    enum install_state install = (enum install_state)(_i % 4);
    enum credential_state state = _i / 4 % 2 == 0 ? CREDENTIAL_KEY : CREDENTIAL_INSTALLED;
    uint8_t lifecycle = (uint8_t)(_i / 8);
    struct unit_bench bench;
    unit_bench_init(&bench, 1);
    unit_bench_set_camera(&bench, 0, state);
    unit_bench_set_record(&bench, 0, REQUEST_ISSUED, install);
    bench.info.lifecycle = lifecycle;
    unit_bench_drive(&bench, UNIT_ADMITTING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_ADMITTED), UNIT_LOADING);
    ck_assert_int_eq(unit_bench_post(&bench, UNIT_ON_CERTIFICATE), UNIT_CONFIRMING);
    unit_bench_post(&bench, UNIT_ON_IDENTIFIED);
    if (state == CREDENTIAL_INSTALLED) {
        ck_assert_int_eq(bench.unit.state, UNIT_READING_BACK);
        ck_assert_uint_eq(bench.output.record_count, 0);
    } else if (lifecycle == LIFECYCLE_LOCKED) {
        ck_assert_int_eq(bench.unit.state, UNIT_RECORDING);
        ck_assert_int_eq(bench.unit.error.code, E_CAM_LOCKED);
        return;
    } else {
        ck_assert_int_eq(bench.unit.state, UNIT_INSTALLING);
        ck_assert(bench.output.hold);
        ck_assert_int_eq(bench.output.records[0].install, INSTALL_STARTED);
    }
    unit_bench_drive(&bench, UNIT_DONE);
    ck_assert_int_eq(bench.unit.verdict, UNIT_PASS);
    ck_assert_uint_eq(bench.unit.proved, 1);
}
END_TEST

// The key on record is what the request was made for: any other ends it, in every state of it.
START_TEST(test_key_changed) {
    for (enum request_state state = REQUEST_QUEUED; state <= REQUEST_UNCONFIRMED; state++) {
        for (int variant = 0; variant < 3 && state != REQUEST_WITHDRAWN; variant++) {
            struct unit_bench bench;
            unit_bench_init(&bench, 1);
            unit_bench_set_camera(&bench, 0, variant == 0 ? CREDENTIAL_EMPTY : CREDENTIAL_KEY);
            unit_bench_set_record(&bench, 0, state, INSTALL_NONE);
            bench.info.credentials[0].spki_sha256[SHA256_SIZE - 1] ^= 1;
            if (variant == 2) {
                bench.info.credentials[0].state = CREDENTIAL_INSTALLED;
            }
            expect_refused(&bench, E_UNIT_KEY_CHANGED);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("unit");
    TCase *straight = tcase_create("straight way");
    tcase_set_timeout(straight, 120); // a busy machine is no failure
    tcase_add_test(straight, test_straight_way_with_one_credential);
    tcase_add_test(straight, test_straight_way_with_two_credentials);
    tcase_add_test(straight, test_records_carry_what_was_found);
    tcase_add_test(straight, test_lifecycle_that_is_enough);
    suite_add_tcase(suite, straight);
    TCase *admission = tcase_create("admission");
    tcase_set_timeout(admission, 120);
    tcase_add_test(admission, test_label);
    tcase_add_test(admission, test_unusable_serials);
    tcase_add_test(admission, test_names_of_the_camera);
    tcase_add_test(admission, test_what_the_camera_lacks);
    tcase_add_test(admission, test_foreign_keys);
    tcase_add_test(admission, test_replacing_is_of_one_credential);
    tcase_add_test(admission, test_a_locked_camera_without_a_certificate);
    tcase_add_loop_test(admission, test_a_certificate_that_the_store_forgot, 0, 7);
    tcase_add_test(admission, test_a_profile_that_is_not_configured);
    suite_add_tcase(suite, admission);
    TCase *resume = tcase_create("going on");
    tcase_set_timeout(resume, 120);
    tcase_add_test(resume, test_resume_before_the_csr);
    tcase_add_test(resume, test_resume_while_the_ca_works);
    tcase_add_test(resume, test_resume_what_is_stuck);
    tcase_add_test(resume, test_refused_requests_are_revived);
    tcase_add_test(resume, test_refused_beside_held);
    tcase_add_test(resume, test_issued_beside_held);
    tcase_add_test(resume, test_the_ca_answers_twice);
    tcase_add_loop_test(resume, test_resume_from_issued, 0, 4 * 2 * 4);
    tcase_add_test(resume, test_key_changed);
    suite_add_tcase(suite, resume);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
