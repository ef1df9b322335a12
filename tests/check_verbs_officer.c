// SPDX-License-Identifier: Apache-2.0
// The PKI officer's verbs where no CA is asked: what they refuse, a CA that revokes nothing, and the
// list of certificates that are in no camera. With a CA: tests/e2e_revoke.sh.
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/options.h"
#include "station/base/clock.h"
#include "tests/support_config.h"

static struct store_fixture fixture;
static char *said; // on both streams
static size_t said_length;

static void setup(void) {
    store_fixture_setup(&fixture);
    said = NULL;
    config_write(&fixture, "hvca", "");
}

static void teardown(void) {
    struct error error;
    struct store *store = NULL;
    free(said);
    store_fixture_close(&fixture);
    ck_assert_msg(store_try_open(&fixture, STORE_READ, &store, &error), "%s", error.text);
    ck_assert_msg(store_sqlite.check(store, &error), "%s", error.text);
    store_sqlite.close(store);
    store_fixture_teardown(&fixture);
}

typedef int verb_run(const struct options *options, struct output *output);

// The verbs open the database for writing, so the fixture lets go of it meanwhile.
static int run(verb_run *verb, struct options options) {
    free(said);
    FILE *out = open_memstream(&said, &said_length);
    ck_assert_ptr_nonnull(out);
    struct output output = {.ops = options.json ? &output_json : &output_text,
                            .results = out,
                            .messages = out,
                            .json = options.json};
    options.config = config_file;
    bool was_open = fixture.store != NULL;
    store_fixture_close(&fixture);
    int status = verb(&options, &output);
    fclose(out);
    if (was_open) {
        store_fixture_reopen(&fixture);
    }
    return status;
}

#define ck_assert_said(text) ck_assert_msg(strstr(said, text) != NULL, "%s", said)
#define ck_assert_not_said(text) ck_assert_msg(strstr(said, text) == NULL, "%s", said)

static bool keep_state(void *context, const struct store_certificate *certificate) {
    *(enum certificate_state *)context = certificate->state;
    return true;
}

static enum certificate_state state_of(const char *serial) {
    enum certificate_state state = 0;
    struct error error = {0};
    struct store_filter filter = {0};
    text_copy(filter.serial, sizeof filter.serial, serial);
    ck_assert(store_sqlite.select_certificates(fixture.store, &filter, keep_state, &state, &error));
    return state;
}

// The section of these tests is the embedded CA, as it was when they were issued.
static void issue_at_embedded(void) {
    sqlite3 *connection;
    ck_assert_int_eq(sqlite3_open(fixture.path, &connection), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(connection, "UPDATE certificate SET endpoint = 'local'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(connection);
}

static void make_passed(const char *serial, uint32_t seed) {
    struct unit_record unit =
        store_make_unit(&fixture, serial, seed, REQUEST_ISSUED, INSTALL_PROVED);
    struct record record = store_record(&fixture, RECORD_RESULT, &unit, UINT32_MAX);
    record.result = UNIT_PASSED;
    store_accept(&fixture, &record);
}

// ---- refusals -----------------------------------------------------------------------------------

START_TEST(test_usage) {
    make_passed("SN-1", 1);
    const struct options no_reason = {.argument = "SN-1"};
    const struct options bad_reason = {.argument = "SN-1", .reason = "lost"};
    const struct options same = {.argument = "SN-1", .approve = "ADA"};
    const struct options nobody = {.argument = "SN-9", .reason = "superseded", .approve = "bob"};
    const struct options control = {.argument = "a\nb", .reason = "superseded", .approve = "bob"};
    ck_assert_int_eq(run(cmd_revoke, no_reason), EXIT_USAGE);
    ck_assert_int_eq(run(cmd_revoke, bad_reason), EXIT_USAGE);
    ck_assert_int_eq(run(cmd_scrap, bad_reason), EXIT_USAGE);
    ck_assert_said("affiliationChanged");
    ck_assert_int_eq(run(cmd_rework, no_reason), EXIT_USAGE);
    ck_assert_said("--approve is missing");
    ck_assert_int_eq(run(cmd_rework, same), EXIT_USAGE);
    ck_assert_said("second person");
    verb_run *const verbs[] = {cmd_revoke, cmd_scrap, cmd_rework};
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++) {
        ck_assert_int_eq(run(verbs[i], nobody), EXIT_USAGE);
        ck_assert_said("E-STORE-UNKNOWN SN-9");
        ck_assert_int_eq(run(verbs[i], control), EXIT_USAGE);
    }
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_LIVE);
}
END_TEST

START_TEST(test_certificate_numbers) {
    static const char *const bad[] = {"",   "0",  "0x1f",
                                      "1g", "::", "11111111111111111111111111111111111111111"};
    make_passed("SN-1", 1);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct options options = {
            .argument = "SN-1", .reason = "superseded", .certificate = bad[i]};
        ck_assert_int_eq(run(cmd_revoke, options), EXIT_USAGE);
        ck_assert_said("hex digits");
    }
    struct options unknown = {.argument = "SN-1", .reason = "superseded", .certificate = "AB:cd"};
    ck_assert_int_eq(run(cmd_revoke, unknown), EXIT_USAGE);
    ck_assert_said("no certificate abcd");
}
END_TEST

START_TEST(test_nothing_to_revoke) {
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUEUED, INSTALL_NONE);
    ck_assert_int_eq(run(cmd_revoke, (struct options){.argument = "SN-1", .reason = "superseded"}),
                     EXIT_NOTHING_TO_DO);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_NONE, INSTALL_NONE);
    ck_assert_int_eq(run(cmd_rework, (struct options){.argument = "SN-2", .approve = "bob"}),
                     EXIT_NOTHING_TO_DO);
}
END_TEST

START_TEST(test_locked) {
    struct store *store;
    struct error error;
    make_passed("SN-1", 1);
    store_fixture_close(&fixture);
    ck_assert(store_try_open(&fixture, STORE_WRITE, &store, &error));
    struct options options = {.argument = "SN-1", .reason = "superseded", .approve = "bob"};
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    ck_assert_said("E-STORE-LOCKED");
    ck_assert_int_eq(run(cmd_scrap, options), EXIT_STATION);
    ck_assert_int_eq(run(cmd_rework, options), EXIT_STATION);
    store_sqlite.close(store);
}
END_TEST

START_TEST(test_unsettled) {
    static const enum request_state states[] = {REQUEST_SENT, REQUEST_ACCEPTED, REQUEST_DOUBT,
                                                REQUEST_HELD};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        char serial[16];
        snprintf(serial, sizeof serial, "SN-%zu", i);
        store_make_unit(&fixture, serial, (uint32_t)i, states[i], INSTALL_NONE);
        struct options options = {.argument = serial, .approve = "bob"};
        ck_assert_int_eq(run(cmd_scrap, options), EXIT_INTEGRITY);
        ck_assert_said("birthcert reconcile");
        ck_assert_int_eq(run(cmd_rework, options), EXIT_INTEGRITY);
        ck_assert_int_eq(store_admit_again(&fixture, serial).credentials[0].request, states[i]);
    }
}
END_TEST

// ---- a CA that revokes nothing ------------------------------------------------------------------

START_TEST(test_unsupported) {
    make_passed("SN-1", 1);
    issue_at_embedded();
    struct options options = {.argument = "SN-1", .reason = "superseded", .approve = "bob"};
    ck_assert_int_eq(run(cmd_rework, options), EXIT_OK);
    ck_assert_said("ask the administrator of the CA hvca");
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_WITHDRAWN);
    ck_assert_int_eq(run(cmd_scrap, options), EXIT_OK);
    ck_assert_said("SCRAPPED");
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").result, UNIT_SCRAPPED);
    ck_assert_int_eq(run(cmd_scrap, options), EXIT_OK); // says once more what is left to be done
    ck_assert_said("ask the administrator");
}
END_TEST

static bool count_event(void *context, const struct store_event *event) {
    (void)event;
    ++*(size_t *)context;
    return true;
}

static size_t event_count(const char *serial) {
    struct unit_record unit = store_admit_again(&fixture, serial);
    size_t count = 0;
    struct error error;
    ck_assert(store_sqlite.select_events(fixture.store, unit.unit_id, count_event, &count, &error));
    return count;
}

START_TEST(test_revoke_unsupported) {
    make_passed("SN-1", 1);
    issue_at_embedded();
    struct options options = {.argument = "SN-1", .reason = "keyCompromise"};
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    ck_assert_said("its CA revokes nothing by itself");
    ck_assert_said("ask the administrator of the CA hvca");
    ck_assert_said("of the issuer \"CN=Factory CA,O=Example\"");
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_WITHDRAWN);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").credentials[0].request, REQUEST_WITHDRAWN);
    // Asked for again it is said again, for the reason that is on record, and nothing is recorded.
    size_t events = event_count("SN-1");
    options.reason = "superseded";
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    ck_assert_said("ask the administrator of the CA hvca");
    ck_assert_not_said("superseded");
    ck_assert_uint_eq(event_count("SN-1"), events + 1); // of looking at it
}
END_TEST

// That one is out of use needs no section of its CA.
START_TEST(test_withdrawn_elsewhere) {
    make_passed("SN-1", 1);
    issue_at_embedded();
    struct options options = {.argument = "SN-1", .reason = "superseded"};
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    config_write(&fixture, "trial", "");
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    ck_assert_said("ask the administrator of the CA hvca");
    ck_assert_int_eq(run(cmd_scrap, options), EXIT_OK);
    ck_assert_said("SCRAPPED");
}
END_TEST

START_TEST(test_revoke_quarantined) {
    char number[2 * CERTIFICATE_SERIAL_MAX + 1];
    store_make_unit(&fixture, "SN-1", 1, REQUEST_QUARANTINED, INSTALL_NONE);
    issue_at_embedded();
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_OK);
    ck_assert_int_eq(sscanf(strstr(said, "--certificate "), "--certificate %40[0-9a-f]", number),
                     1);
    struct options options = {.argument = "SN-1", .reason = "superseded", .certificate = number};
    ck_assert_int_eq(run(cmd_revoke, options), EXIT_STATION);
    ck_assert_said(number);
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_WITHDRAWN);
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_NOTHING_TO_DO);
}
END_TEST

// ---- a CA that rekeys ---------------------------------------------------------------------------

static void write_rekeying_config(const char *rekey) {
    FILE *out = fopen(config_file, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(out,
            "[store]\npath = %s\n[station]\noperator = ada\n[ca hvca]\nbackend = hvca\n"
            "url = https://127.0.0.1:1/v2\nroot_file = root.pem\napi_key_file = key\n"
            "api_secret_file = secret\nrekey = %s\n[profile https]\nbased_on = https\n"
            "ca = hvca\n[slot 1]\nserial = /dev/null\n",
            fixture.path, rekey);
    fclose(out);
}

// The old board's certificate is superseded, and its CA is not even opened: none of its files is here.
START_TEST(test_rework_at_rekeying_ca) {
    make_passed("SN-1", 1);
    write_rekeying_config("yes");
    struct options options = {.argument = "SN-1", .approve = "bob"};
    ck_assert_int_eq(run(cmd_rework, options), EXIT_OK);
    ck_assert_said("is revoked when the new board has its certificate (superseded)");
    ck_assert_said("birthcert revoke SN-1 --certificate ");
    ck_assert_not_said("asks for");
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_REVOKING);
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_OK);
    ck_assert_said("put the camera with its new board into any slot");
    ck_assert_said("boards that were swapped, to be revoked: 1");
    ck_assert_int_eq(run(cmd_orphans, (struct options){.json = true}), EXIT_OK);
    ck_assert_said("\"state\":\"revoking\"");
    ck_assert_not_said("\"count\"");
    // Whoever asks now asks the CA.
    options.reason = "superseded";
    ck_assert_int_ne(run(cmd_scrap, options), EXIT_OK);
    ck_assert_int_eq(store_admit_again(&fixture, "SN-1").result, UNIT_SCRAPPED);
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_OK);
    ck_assert_said("to be revoked (superseded); birthcert reconcile asks the CA");
    write_rekeying_config("no");
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_NOTHING_TO_DO);
}
END_TEST

START_TEST(test_rework_without_rekey) {
    make_passed("SN-1", 1);
    write_rekeying_config("no");
    struct options options = {.argument = "SN-1", .approve = "bob"};
    ck_assert_int_ne(run(cmd_rework, options), EXIT_OK); // its CA cannot be opened
    ck_assert_not_said("when the new board");
    ck_assert_int_eq(state_of("SN-1"), CERTIFICATE_REVOKING);
}
END_TEST

// ---- orphans ------------------------------------------------------------------------------------

START_TEST(test_no_orphans) {
    make_passed("SN-1", 1);
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_NOTHING_TO_DO);
    ck_assert_int_eq(run(cmd_orphans, (struct options){.json = true}), EXIT_NOTHING_TO_DO);
    ck_assert_uint_eq(said_length, 0);
}
END_TEST

START_TEST(test_orphans) {
    make_passed("SN-1", 1);
    store_make_unit(&fixture, "SN-2", 2, REQUEST_ISSUED, INSTALL_STARTED);
    store_make_unit(&fixture, "SN-3", 3, REQUEST_QUARANTINED, INSTALL_NONE);
    // Of this moment: its camera is in a slot, most likely.
    fixture.now_ms = clock_wall_ms();
    store_make_unit(&fixture, "SN-4", 4, REQUEST_ISSUED, INSTALL_NONE);
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_OK);
    ck_assert_not_said("SN-1");
    ck_assert_said("SN-2 ");
    ck_assert_said("birthcert revoke SN-2 --reason R");
    ck_assert_said("SN-3 ");
    ck_assert_said("birthcert revoke SN-3 --certificate ");
    ck_assert_not_said("SN-4");
    ck_assert_said("2 certificates; 1 more came a moment ago");
    config_write(&fixture, "hvca", "price = 1.10 EUR\n");
    ck_assert_int_eq(run(cmd_orphans, (struct options){.json = true}), EXIT_OK);
    ck_assert_said("\"count\":2,\"at_work\":1,\"costs\":[\"2.20 EUR\"]");
    config_write(&fixture, "hvca", "price =\n");
    ck_assert_int_eq(run(cmd_orphans, (struct options){.json = true}), EXIT_OK);
    ck_assert_said("\"costs\":[]");
}
END_TEST

START_TEST(test_possible_surplus) {
    struct unit_record unit = store_make_unit(&fixture, "SN-1", 1, REQUEST_DOUBT, INSTALL_NONE);
    struct record record = store_record(&fixture, RECORD_REQUEST, &unit, 0);
    record.request = REQUEST_QUEUED;
    record.error = E_CA_DOUBT;
    store_accept(&fixture, &record);
    record = store_record(&fixture, RECORD_SENT, &unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    store_accept(&fixture, &record);
    config_write(&fixture, "hvca", "price = 2 EUR\n");
    ck_assert_int_eq(run(cmd_orphans, (struct options){0}), EXIT_OK);
    ck_assert_said("certificate ? ");
    ck_assert_said("possible surplus");
    ck_assert_said("1 certificate, 2 EUR");
    ck_assert_int_eq(run(cmd_orphans, (struct options){.json = true}), EXIT_OK);
    ck_assert_not_said("\"certificate\":{");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("verbs_officer");
    TCase *tests = tcase_create("officer");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_usage);
    tcase_add_test(tests, test_certificate_numbers);
    tcase_add_test(tests, test_nothing_to_revoke);
    tcase_add_test(tests, test_locked);
    tcase_add_test(tests, test_unsettled);
    tcase_add_test(tests, test_unsupported);
    tcase_add_test(tests, test_revoke_unsupported);
    tcase_add_test(tests, test_withdrawn_elsewhere);
    tcase_add_test(tests, test_revoke_quarantined);
    tcase_add_test(tests, test_rework_at_rekeying_ca);
    tcase_add_test(tests, test_rework_without_rekey);
    tcase_add_test(tests, test_no_orphans);
    tcase_add_test(tests, test_orphans);
    tcase_add_test(tests, test_possible_surplus);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
