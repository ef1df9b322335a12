// SPDX-License-Identifier: Apache-2.0
// Random records, many of them wrong, against a small model of what must hold: one live certificate
// per credential, one owner per key, one claim at a time, no PASS without proof, no certificate
// that is forgotten, nothing that is revoked or scrapped in use again; over batches, refusals, swapped
// boards and restarts.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_store.h"

#define UNITS 5
#define CREDENTIALS 2
#define KEYS 12
#define CERTIFICATES 24
#define STEPS 60
#define BATCH 12

static struct store_fixture fixture;

struct model_credential {
    int key;           // -1: none
    int live;          // certificate, -1: none
    bool is_claimed;   // sent, and not yet back in the outbox or at its end
    bool is_accepted;  // and the CA said that it has it
    bool was_sent;     // at least once, for whatever key
    bool is_requested; // a CSR is on record
    bool is_proved;
    bool waits; // the CA has yet to hear of what is live
};

static struct {
    uint64_t random;
    struct unit_record units[UNITS];
    struct model_credential credentials[UNITS][CREDENTIALS];
    int key_owner[KEYS];              // as owner_of says, -1: none
    int certificate_of[CERTIFICATES]; // the same
    int64_t certificate_id[CERTIFICATES];
    enum certificate_state ended[CERTIFICATES]; // 0: it is not out of use
    int board[UNITS];
    bool reworked[UNITS]; // in this batch
    bool passed[UNITS];
    bool scrapped[UNITS];
} model;

// What a record of the batch was about.
struct step {
    int unit;
    int credential;
    int key;
    int certificate;
};

// A credential of a unit's board of now.
static int owner_of(int unit, int credential) {
    return (model.board[unit] * UNITS + unit) * CREDENTIALS + credential;
}

static int unit_of(int owner) {
    return owner / CREDENTIALS % UNITS;
}

static int draw(int below) {
    model.random = model.random * 6364136223846793005u + 1442695040888963407u;
    return (int)((model.random >> 33) % (uint64_t)below);
}

static void setup(void) {
    store_fixture_setup(&fixture);
    memset(&model, 0, sizeof model);
    memset(model.key_owner, 0xff, sizeof model.key_owner);
    memset(model.certificate_of, 0xff, sizeof model.certificate_of);
    for (int i = 0; i < UNITS; i++) {
        char serial[32];
        snprintf(serial, sizeof serial, "M-%d", i);
        struct record record = store_record_admit(&fixture, serial, CREDENTIALS);
        store_accept(&fixture, &record);
        model.units[i] = fixture.batch->answers[0].unit;
        for (int j = 0; j < CREDENTIALS; j++) {
            model.credentials[i][j] = (struct model_credential){.key = -1, .live = -1};
        }
    }
}

static void teardown(void) {
    store_fixture_teardown(&fixture);
}

static struct record draw_record(struct step *step) {
    static const enum record_kind kinds[] = {RECORD_KEY,         RECORD_CSR,        RECORD_CSR,
                                             RECORD_SENT,        RECORD_SENT,       RECORD_REQUEST,
                                             RECORD_CERTIFICATE, RECORD_INSTALL,    RECORD_INSTALL,
                                             RECORD_RESULT,      RECORD_CERTIFICATE};
    static const enum record_kind rare_kinds[] = {RECORD_REVOKING, RECORD_REVOKING,  RECORD_REVOKED,
                                                  RECORD_REVOKED,  RECORD_WITHDRAWN, RECORD_REWORK,
                                                  RECORD_REWORK,   RECORD_SCRAP};
    *step = (struct step){draw(UNITS), draw(CREDENTIALS), draw(KEYS), draw(CERTIFICATES)};
    const struct model_credential *credential = &model.credentials[step->unit][step->credential];
    if (credential->key >= 0 && draw(4) > 0) {
        step->key = credential->key; // else most would be refused
    }
    enum record_kind kind = draw(6) == 0 ? rare_kinds[draw((int)ARRAY_LENGTH(rare_kinds))]
                                         : kinds[draw((int)ARRAY_LENGTH(kinds))];
    struct record record =
        store_record(&fixture, kind, &model.units[step->unit], (uint32_t)step->credential);
    for (int i = 0; kind >= RECORD_REVOKING && i < CERTIFICATES; i++) {
        bool is_own = model.certificate_of[i] == owner_of(step->unit, step->credential);
        step->certificate =
            is_own && draw(8) > 0 ? i : step->certificate; // else most would be refused
    }
    record.certificate_id = model.certificate_id[step->certificate];
    text_copy(record.reason, sizeof record.reason, "superseded");
    store_test_hash((uint32_t)step->key, record.spki_sha256);
    if (record.kind == RECORD_CSR) {
        record.bytes = (struct slice){(const uint8_t *)"csr", 3};
    } else if (record.kind == RECORD_REQUEST) {
        record.request = (enum request_state)draw(REQUEST_UNCONFIRMED + 1);
        record.error = record.request == REQUEST_QUARANTINED ? E_CERT_UNCONFIRMED : ERROR_NONE;
    } else if (record.kind == RECORD_CERTIFICATE) {
        record.certificate =
            store_test_certificate((uint32_t)step->certificate, record.spki_sha256);
        record.error = draw(3) == 0 ? E_CERT_NAMES : ERROR_NONE;
        record.bytes = (struct slice){(const uint8_t *)"cp", draw(2) == 0 ? 2 : 0};
    } else if (record.kind == RECORD_INSTALL) {
        record.install = (enum install_state)(1 + draw(INSTALL_PROVED));
    } else if (record.kind == RECORD_RESULT) {
        record.result = draw(2) == 0 ? UNIT_FAILED : UNIT_PASSED;
        record.error = record.result == UNIT_FAILED ? E_CAM_PROOF : ERROR_NONE;
    }
    return record;
}

static void apply_key(const struct step *step, struct model_credential *credential) {
    int owner = owner_of(step->unit, step->credential);
    if (credential->key != step->key) {
        ck_assert(!credential->is_requested);
        ck_assert_int_eq(model.key_owner[step->key], -1);
        if (credential->key >= 0) {
            model.key_owner[credential->key] = -1;
        }
    }
    model.key_owner[step->key] = owner;
    credential->key = step->key;
}

static void apply_request(const struct record *record, struct model_credential *credential) {
    ck_assert(credential->live == -1 || credential->waits);
    credential->waits = false;
    if (record->request != REQUEST_ISSUED) {
        credential->live = -1;
    }
    credential->is_accepted = record->request == REQUEST_ACCEPTED;
    if (record->request == REQUEST_QUEUED || record->request == REQUEST_REFUSED ||
        record->request == REQUEST_QUARANTINED) {
        credential->is_claimed = false;
    } else if (record->request == REQUEST_NONE) {
        ck_assert(!credential->is_claimed); // the CA may owe something for it
        credential->is_requested = false;
    }
}

// A certificate that was kept: live where it was accepted as good, in quarantine else.
static void apply_certificate(const struct record *record, const struct answer *answer,
                              const struct step *step, struct model_credential *credential) {
    int owner = owner_of(step->unit, step->credential);
    int *known = &model.certificate_of[step->certificate];
    if (model.reworked[step->unit]) {
        owner -= UNITS * CREDENTIALS; // the record was made for the board before
    }
    if (answer->code == E_CERT_DUPLICATE) {
        ck_assert_int_ne(*known, -1);
        ck_assert_int_ne(*known, owner);
        return;
    }
    if (*known != -1 && *known != owner) { // it strayed: it has this one's key, and nobody uses it
        ck_assert_int_eq(credential->key, step->key);
        for (int i = 0; i < UNITS * CREDENTIALS; i++) {
            ck_assert_int_ne(model.credentials[i / CREDENTIALS][i % CREDENTIALS].live,
                             step->certificate);
        }
    }
    if (model.ended[step->certificate] != 0) {
        ck_assert_int_ne(answer->code, ERROR_NONE);
        return;
    }
    *known = owner;
    if (answer->code == ERROR_NONE && record->error == ERROR_NONE) {
        ck_assert(credential->live == -1 || credential->live == step->certificate);
        ck_assert(credential->live != -1 || credential->key == step->key);
        ck_assert(credential->was_sent); // I2
        ck_assert(!model.scrapped[step->unit] && !model.reworked[step->unit]);
        credential->waits = credential->live == -1 ? record->bytes.length > 0 : credential->waits;
        credential->live = step->certificate;
    }
    credential->is_claimed = credential->is_accepted = false;
}

static void apply_result(const struct record *record, int unit) {
    model.passed[unit] = record->result == UNIT_PASSED;
    for (int i = 0; i < CREDENTIALS && record->result == UNIT_PASSED; i++) {
        ck_assert(model.credentials[unit][i].is_proved);
        ck_assert_int_ge(model.credentials[unit][i].live, 0);
    }
}

static void apply_ending(const struct record *record, const struct step *step,
                         struct model_credential *credential) {
    enum certificate_state *ended = &model.ended[step->certificate];
    int owner = model.certificate_of[step->certificate];
    ck_assert_int_eq(unit_of(owner), step->unit);
    if (record->kind == RECORD_REVOKED) {
        ck_assert(*ended == CERTIFICATE_REVOKING || *ended == CERTIFICATE_REVOKED);
        *ended = CERTIFICATE_REVOKED;
        return;
    }
    ck_assert_int_ne(*ended, CERTIFICATE_REVOKED);
    *ended = record->kind == RECORD_REVOKING ? CERTIFICATE_REVOKING : CERTIFICATE_WITHDRAWN;
    if (credential->live == step->certificate) {
        credential->live = -1;
    }
}

// A unit is closed, or gets another board: nothing of it may be in use.
static void apply_end_of_board(const struct record *record, int unit) {
    for (int i = 0; i < CERTIFICATES; i++) {
        ck_assert(model.certificate_of[i] == -1 || unit_of(model.certificate_of[i]) != unit ||
                  model.ended[i] != 0);
    }
    for (int i = 0; i < CREDENTIALS; i++) {
        ck_assert(!model.credentials[unit][i].is_claimed);
        ck_assert_int_eq(model.credentials[unit][i].live, -1);
        if (record->kind == RECORD_REWORK) {
            model.credentials[unit][i] = (struct model_credential){.key = -1, .live = -1};
        }
    }
    model.passed[unit] = false;
    model.scrapped[unit] = record->kind == RECORD_SCRAP;
    if (record->kind == RECORD_REWORK) {
        model.board[unit]++;
        model.reworked[unit] = true;
    }
}

static void apply(const struct record *record, const struct answer *answer,
                  const struct step *step) {
    struct model_credential *credential = &model.credentials[step->unit][step->credential];
    if (record->kind == RECORD_CERTIFICATE) {
        apply_certificate(record, answer, step, credential);
        return;
    }
    if (answer->code == E_CSR_KEY_REUSED || answer->code == E_UNIT_KEY_CHANGED) {
        int owner = model.key_owner[step->key];
        ck_assert_int_ne(owner, -1);
        ck_assert_int_ne(owner, owner_of(step->unit, step->credential));
        ck_assert(answer->code == E_CSR_KEY_REUSED || unit_of(owner) == step->unit);
    }
    if (answer->code != ERROR_NONE) {
        return;
    }
    bool is_ending = record->kind == RECORD_REVOKING || record->kind == RECORD_REVOKED ||
                     record->kind == RECORD_WITHDRAWN;
    ck_assert(is_ending || (!model.scrapped[step->unit] &&
                            (!model.reworked[step->unit] || record->credential_id == 0)));
    switch (record->kind) {
    case RECORD_KEY:
        apply_key(step, credential);
        break;
    case RECORD_CSR:
        apply_key(step, credential);
        credential->is_requested = true;
        break;
    case RECORD_SENT:
        // Twice only to a CA that accepted it and wants to be asked again.
        ck_assert(credential->is_requested && credential->live == -1);
        ck_assert(!credential->is_claimed || credential->is_accepted);
        credential->is_claimed = credential->was_sent = true;
        credential->is_accepted = false;
        break;
    case RECORD_REQUEST:
        apply_request(record, credential);
        break;
    case RECORD_INSTALL:
        ck_assert(credential->live >= 0 && !credential->waits);
        if (!model.passed[step->unit]) {
            credential->is_proved = record->install == INSTALL_PROVED;
        }
        break;
    case RECORD_REVOKING:
    case RECORD_REVOKED:
    case RECORD_WITHDRAWN:
        apply_ending(record, step, credential);
        break;
    case RECORD_SCRAP:
    case RECORD_REWORK:
        apply_end_of_board(record, step->unit);
        break;
    default:
        apply_result(record, step->unit);
        break;
    }
}

// The store says the same as the model, of every unit.
static void compare(void) {
    for (int i = 0; i < UNITS; i++) {
        struct unit_record unit = store_admit_again(&fixture, model.units[i].serial);
        ck_assert_int_eq(unit.result == UNIT_PASSED, model.passed[i]);
        ck_assert_int_eq(unit.result == UNIT_SCRAPPED, model.scrapped[i]);
        ck_assert_uint_eq(unit.board, (unsigned)model.board[i] + 1);
        for (uint32_t j = 0; j < CREDENTIALS; j++) {
            const struct model_credential *credential = &model.credentials[i][j];
            ck_assert_int_eq(unit.credentials[j].has_key, credential->key >= 0);
            ck_assert_int_eq(unit.credentials[j].request != REQUEST_NONE, credential->is_requested);
            ck_assert_int_eq(unit.credentials[j].request == REQUEST_ISSUED,
                             credential->live >= 0 && !credential->waits);
            ck_assert_int_eq(unit.credentials[j].request == REQUEST_UNCONFIRMED,
                             credential->live >= 0 && credential->waits);
            struct record load = store_record(&fixture, RECORD_LOAD_CERTIFICATE, &unit, j);
            const struct answer *answer = store_commit_one(&fixture, &load);
            ck_assert_int_eq(answer->code == ERROR_NONE, credential->live >= 0);
            if (credential->live >= 0) {
                struct certificate_record expected = store_test_certificate(
                    (uint32_t)credential->live, answer->certificate.spki_sha256);
                ck_assert_mem_eq(answer->certificate.sha256, expected.sha256, SHA256_SIZE);
                ck_assert(slice_equal(answer->certificate.chain, expected.chain));
            }
        }
    }
}

static bool note_certificate(void *context, const struct store_certificate *certificate) {
    (void)context;
    uint8_t none[SHA256_SIZE] = {0};
    for (uint32_t i = 0; i < CERTIFICATES; i++) {
        struct certificate_record expected = store_test_certificate(i, none);
        if (memcmp(expected.sha256, certificate->certificate.sha256, SHA256_SIZE) == 0) {
            enum certificate_state ended =
                certificate->state >= CERTIFICATE_REVOKING ? certificate->state : 0;
            model.certificate_id[i] = certificate->certificate_id;
            ck_assert_int_eq(ended, model.ended[i]);
        }
    }
    return true;
}

// The next records are for the boards of now, and for certificates by the store's own ids.
static void catch_up(void) {
    struct error error = {0};
    struct store_filter all = {0};
    for (int i = 0; i < UNITS; i++) {
        if (model.reworked[i]) {
            struct record record = store_record_admit(&fixture, model.units[i].serial, CREDENTIALS);
            store_accept(&fixture, &record);
            model.units[i] = fixture.batch->answers[0].unit;
            model.reworked[i] = false;
        }
    }
    ck_assert(
        store_sqlite.select_certificates(fixture.store, &all, note_certificate, NULL, &error));
}

static bool count_row(void *context, const struct store_row *row) {
    (void)row;
    ++*(int *)context;
    return true;
}

START_TEST(test_random_records) {
    struct error error = {0};
    model.random = (uint64_t)_i * 7919 + 1;
    for (int i = 0; i < STEPS; i++) {
        struct step steps[BATCH];
        int count = 1 + draw(BATCH);
        batch_clear(fixture.batch);
        for (int j = 0; j < count; j++) {
            struct record record = draw_record(&steps[j]);
            ck_assert(batch_put(fixture.batch, &record));
        }
        ck_assert_msg(store_sqlite.commit(fixture.store, fixture.batch, &error), "%s", error.text);
        for (int j = 0; j < count; j++) {
            apply(&fixture.batch->records[j], &fixture.batch->answers[j], &steps[j]);
        }
        catch_up();
    }
    compare();
    store_fixture_reopen(&fixture);
    compare();
    ck_assert_msg(store_sqlite.check(fixture.store, &error), "%s", error.text);
    // No surplus was forgotten.
    bool has_surplus = false;
    for (int i = 0; i < CERTIFICATES; i++) {
        int owner = model.certificate_of[i];
        has_surplus =
            has_surplus || (owner >= 0 && model.ended[i] == 0 &&
                            model.credentials[unit_of(owner)][owner % CREDENTIALS].live != i);
    }
    struct store_filter quarantined = {.state = "quarantined", .all_boards = true};
    int rows = 0;
    ck_assert(store_sqlite.select_rows(fixture.store, &quarantined, count_row, &rows, &error));
    ck_assert(!has_surplus || rows > 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store_model");
    TCase *tests = tcase_create("model");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_random_records, 0, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
