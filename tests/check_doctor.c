// SPDX-License-Identifier: Apache-2.0
// What doctor judges, and the checks of the bench's own parts and of the embedded CA.
#include <check.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "station/app/doctor.h"
#include "station/app/options.h"
#include "tests/support_store.h"

#define MIB ((uint64_t)1024 * 1024)
#define DAY_MS INT64_C(86400000)

static struct store_fixture fixture;
static struct config config;
static struct doctor doctor;
static struct output output;
static char *results;
static size_t results_length;

static void setup(void) {
    store_fixture_setup(&fixture);
    output = (struct output){.ops = &output_text, .messages = stderr};
    output.results = open_memstream(&results, &results_length);
    ck_assert_ptr_nonnull(output.results);
    memset(&config, 0, sizeof config);
    memcpy(config.station, "bench", sizeof "bench");
    snprintf(config.store_path, sizeof config.store_path, "%s", fixture.path);
    doctor = (struct doctor){.output = &output, .config = &config};
}

static void teardown(void) {
    fclose(output.results);
    free(results);
    store_fixture_teardown(&fixture);
}

static bool said(const char *text) {
    fflush(output.results);
    return strstr(results, text) != NULL;
}

#define ck_assert_said(text) ck_assert_msg(said(text), "no \"%s\" in:\n%s", text, results)

// ---- judgement ----------------------------------------------------------------------------------

START_TEST(test_limits) {
    ck_assert_int_eq(doctor_judge_disk(0), OUTPUT_FAULT);
    ck_assert_int_eq(doctor_judge_disk(100 * MIB - 1), OUTPUT_FAULT);
    ck_assert_int_eq(doctor_judge_disk(100 * MIB), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_disk(1024 * MIB - 1), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_disk(1024 * MIB), OUTPUT_OK);

    ck_assert_int_eq(doctor_judge_clock(60000), OUTPUT_OK);
    ck_assert_int_eq(doctor_judge_clock(-60001), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_clock(300000), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_clock(300001), OUTPUT_FAULT);
    ck_assert_int_eq(doctor_judge_clock(-300001), OUTPUT_FAULT);

    ck_assert_int_eq(doctor_judge_quota(0), OUTPUT_FAULT);
    ck_assert_int_eq(doctor_judge_quota(1), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_quota(99), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_quota(100), OUTPUT_OK);

    ck_assert_int_eq(doctor_judge_end(1000, 1000), OUTPUT_FAULT);
    ck_assert_int_eq(doctor_judge_end(1001, 1000), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_end(30 * DAY_MS + 999, 1000), OUTPUT_WARNING);
    ck_assert_int_eq(doctor_judge_end(30 * DAY_MS + 1000, 1000), OUTPUT_OK);
}
END_TEST

START_TEST(test_worst_fault_counts) {
    static const struct {
        enum error_code code;
        int status;
    } faults[] = {
        {E_CONFIG, EXIT_USAGE},           {E_CAM_TIMEOUT, EXIT_STATION},
        {E_CA_UNREACHABLE, EXIT_STATION}, {E_STORE_CORRUPT, EXIT_INTEGRITY},
        {E_CA_QUOTA, EXIT_INTEGRITY},     {E_CONFIG, EXIT_INTEGRITY},
    };
    doctor_warn(&doctor, "subject", "", "a warning is no fault");
    ck_assert_int_eq((int)doctor.status, EXIT_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        struct error error;
        error_set(&error, faults[i].code, "why");
        doctor_fault(&doctor, "subject", &error);
        ck_assert_int_eq((int)doctor.status, faults[i].status);
    }
    ck_assert_uint_eq(doctor.fault_count, ARRAY_LENGTH(faults));
    ck_assert_uint_eq(doctor.warning_count, 1);
}
END_TEST

START_TEST(test_text_is_escaped) {
    doctor_ok(&doctor, "subject", "%s", "a\033[31m\nb");
    ck_assert_said("subject: a\\x1b[31m\\x0ab\n");
}
END_TEST

START_TEST(test_clock) {
    doctor_check_clock(&doctor);
    ck_assert_said("no CA told its time");
    doctor.knows_ca_clock = true;
    doctor.ca_clock_offset_ms = 1000;
    doctor_check_clock(&doctor);
    ck_assert_said("+1.0 s");
    ck_assert_uint_eq(doctor.warning_count, 0);
    doctor.ca_clock_offset_ms = -90000;
    doctor_check_clock(&doctor);
    ck_assert_said("-90 s");
    ck_assert_uint_eq(doctor.warning_count, 1);
    doctor.ca_clock_offset_ms = 400000;
    doctor_check_clock(&doctor);
    ck_assert_said("E-CLOCK");
    ck_assert_int_eq((int)doctor.status, EXIT_STATION);
}
END_TEST

// ---- database and disk --------------------------------------------------------------------------

START_TEST(test_empty_database) {
    store_fixture_close(&fixture);
    doctor_check_store(&doctor);
    doctor_check_disk(&doctor);
    ck_assert_said("database: ");
    ck_assert_said("requests: none is in progress");
    ck_assert_said("MiB free");
    ck_assert(!doctor.station_runs);
    ck_assert_uint_eq(doctor.fault_count, 0);
}
END_TEST

START_TEST(test_database_of_a_running_station) {
    doctor_check_store(&doctor);
    ck_assert(doctor.station_runs);
    ck_assert_said("in use by a running station");
    ck_assert_said("is consistent");
    ck_assert_uint_eq(doctor.fault_count, 0);
}
END_TEST

START_TEST(test_requests) {
    store_make_unit(&fixture, "S1", 1, REQUEST_QUEUED, INSTALL_NONE);
    store_make_unit(&fixture, "S2", 2, REQUEST_SENT, INSTALL_NONE);
    store_make_unit(&fixture, "S3", 3, REQUEST_DOUBT, INSTALL_NONE);
    store_make_unit(&fixture, "S4", 4, REQUEST_HELD, INSTALL_NONE);
    store_make_unit(&fixture, "S5", 5, REQUEST_QUARANTINED, INSTALL_NONE);
    store_make_unit(&fixture, "S6", 6, REQUEST_ISSUED, INSTALL_NONE);
    store_make_unit(&fixture, "S7", 7, REQUEST_ISSUED, INSTALL_STARTED);
    store_make_unit(&fixture, "S8", 8, REQUEST_ISSUED, INSTALL_PROVED);
    struct unit_record unit = store_make_unit(&fixture, "S9", 9, REQUEST_ISSUED, INSTALL_PROVED);
    struct record record = store_record(&fixture, RECORD_REVOKING, &unit, 0);
    record.certificate_id = 5;
    text_copy(record.reason, sizeof record.reason, "superseded");
    store_accept(&fixture, &record);
    store_fixture_close(&fixture);
    doctor_check_store(&doctor);
    ck_assert_said("2 wait for the CA");
    ck_assert_said("1 are in doubt");
    ck_assert_said("1 are held");
    ck_assert_said("1 are quarantined");
    ck_assert_said("2 are issued and not installed");
    ck_assert_said("1 are to be revoked");
    ck_assert_said("birthcert reconcile");
    ck_assert_uint_eq(doctor.warning_count, 6);
    ck_assert_uint_eq(doctor.fault_count, 0);
}
END_TEST

START_TEST(test_bad_databases) {
    snprintf(config.store_path, sizeof config.store_path, "%s/none.db", fixture.folder);
    doctor_check_store(&doctor);
    ck_assert_said("E-STORE-OPEN");
    ck_assert_int_eq((int)doctor.status, EXIT_STATION);
    FILE *out = fopen(config.store_path, "w");
    ck_assert_ptr_nonnull(out);
    fputs("this is a text, and a rather long one, in the place of the database", out);
    fclose(out);
    doctor_check_store(&doctor);
    ck_assert_said("E-STORE-FOREIGN");
    ck_assert_int_eq((int)doctor.status, EXIT_INTEGRITY);
    ck_assert_uint_eq(doctor.fault_count, 2);
}
END_TEST

START_TEST(test_no_folder) {
    snprintf(config.store_path, sizeof config.store_path, "%s/none/none.db", fixture.folder);
    doctor_check_disk(&doctor);
    ck_assert_said("E-STORE-IO");
    snprintf(config.store_path, sizeof config.store_path, "relative.db");
    doctor_check_disk(&doctor);
    ck_assert_said("disk: .: ");
    snprintf(config.store_path, sizeof config.store_path, "/root.db");
    doctor_check_disk(&doctor);
    ck_assert_said("disk: /: ");
}
END_TEST

// ---- ports --------------------------------------------------------------------------------------

static void put_slot(const char *name, const char *transport, const char *path) {
    struct config_slot *slot = &config.slots[config.slot_count++];
    snprintf(slot->name, sizeof slot->name, "%s", name);
    snprintf(slot->transport, sizeof slot->transport, "%s", transport);
    snprintf(slot->path, sizeof slot->path, "%s", path);
}

START_TEST(test_slots) {
    int master;
    int slave;
    char path[64];
    ck_assert_int_eq(openpty(&master, &slave, path, NULL, NULL), 0);
    put_slot("good", "serial", path);
    put_slot("gone", "serial", "/dev/no-such-port");
    put_slot("null", "serial", "/dev/null");
    put_slot("quiet", "unix", "/tmp/no-such-socket");
    doctor_check_slots(&doctor);
    ck_assert_said("slot good: /dev/pts/");
    ck_assert_said("slot gone: E-PORT-MISSING");
    ck_assert_said("slot null: E-PORT-NOT-TTY");
    ck_assert_said("slot quiet: E-PORT-MISSING");
    ck_assert_uint_eq(doctor.warning_count, 2);
    ck_assert_uint_eq(doctor.fault_count, 1);
    ck_assert_int_eq((int)doctor.status, EXIT_USAGE);
    close(slave);
    close(master);
}
END_TEST

START_TEST(test_busy_slot) {
    int master;
    int slave;
    char path[64];
    ck_assert_int_eq(openpty(&master, &slave, path, NULL, NULL), 0);
    ck_assert_int_eq(flock(slave, LOCK_EX | LOCK_NB), 0);
    put_slot("busy", "serial", path);
    doctor.station_runs = true;
    doctor_check_slots(&doctor);
    ck_assert_said("slots: not tried");
    ck_assert_uint_eq(doctor.fault_count, 0);
    doctor.station_runs = false;
    doctor_check_slots(&doctor);
    ck_assert_said("slot busy: E-PORT-BUSY");
    ck_assert_int_eq((int)doctor.status, EXIT_STATION);
    close(slave);
    close(master);
}
END_TEST

// ---- the embedded CA ----------------------------------------------------------------------------

static char ca_certificate[128];
static char ca_key[128];

static void put_profile(const char *name) {
    struct profile *profile = &config.profiles[config.profile_count++];
    ck_assert(profile_built_in("https", profile));
    snprintf(profile->name, sizeof profile->name, "%s", name);
    snprintf(profile->ca, sizeof profile->ca, "trial");
    profile->credential = (uint8_t)config.profile_count;
}

static void make_ca(void) {
    struct error error;
    snprintf(ca_certificate, sizeof ca_certificate, "%s/root.pem", fixture.folder);
    snprintf(ca_key, sizeof ca_key, "%s/root.key", fixture.folder);
    ck_assert_msg(ca_local_create("doctor's CA", ca_certificate, ca_key, &error), "%s", error.text);
    struct config_ca *ca = &config.cas[config.ca_count++];
    snprintf(ca->name, sizeof ca->name, "trial");
    ca->settings.name = ca->name;
    ca->settings.backend = "local";
    ca->settings.ca_certificate_file = ca_certificate;
    ca->settings.ca_key_file = ca_key;
    put_profile("https");
}

START_TEST(test_ca) {
    make_ca();
    put_profile("second");
    doctor_check_cas(&doctor);
    ck_assert_said("root.key: private");
    ck_assert_said("CA trial: local: opens");
    ck_assert_said("issues as: CN=doctor's CA");
    ck_assert_said("not a public CA");
    ck_assert_said("profile https: fits");
    ck_assert_said("profile second: fits");
    ck_assert_ptr_eq(strstr(strstr(results, "issues as") + 1, "issues as"), NULL); // told once
    ck_assert_uint_eq(doctor.fault_count, 0);
    ck_assert_uint_eq(doctor.warning_count, 1);
}
END_TEST

START_TEST(test_bad_profile) {
    make_ca();
    put_profile("bad");
    snprintf(config.profiles[1].common_name, sizeof config.profiles[1].common_name, "{colour}");
    doctor_check_cas(&doctor);
    ck_assert_said("profile https: fits");
    ck_assert_said("profile bad: E-CONFIG");
    ck_assert_int_eq((int)doctor.status, EXIT_USAGE);
}
END_TEST

START_TEST(test_exposed_key) {
    make_ca();
    ck_assert_int_eq(chmod(ca_key, 0644), 0);
    doctor_check_cas(&doctor);
    ck_assert_said("CA trial: E-SECRET-EXPOSED ca_key_file: ");
    ck_assert_said("not asked");
    ck_assert_uint_eq(doctor.fault_count, 1);
    ck_assert_int_eq((int)doctor.status, EXIT_USAGE);
}
END_TEST

// One that cannot be opened hides no other.
START_TEST(test_two_cas) {
    make_ca();
    put_profile("other");
    snprintf(config.profiles[1].ca, sizeof config.profiles[1].ca, "broken");
    struct config_ca *broken = &config.cas[config.ca_count++];
    *broken = config.cas[0];
    snprintf(broken->name, sizeof broken->name, "broken");
    broken->settings.name = broken->name;
    broken->settings.ca_certificate_file = "/nowhere.pem";
    struct config_ca *unused = &config.cas[config.ca_count++];
    *unused = *broken;
    snprintf(unused->name, sizeof unused->name, "unused");
    config.cas[0].settings.name = config.cas[0].name;
    doctor_check_cas(&doctor);
    ck_assert_said("profile https: fits");
    ck_assert_said("CA broken: E-CA-CONFIG");
    ck_assert(!said("unused"));
    ck_assert_uint_eq(doctor.fault_count, 1);
}
END_TEST

START_TEST(test_no_configuration) {
    const struct options options = {.config = "/nowhere/birthcert.conf"};
    output.json = true; // no note on stderr
    ck_assert_int_eq(cmd_doctor(&options, &output), EXIT_USAGE);
    ck_assert_said("fault    configuration: E-CONFIG");
}
END_TEST

static Suite *doctor_suite(void) {
    Suite *suite = suite_create("doctor");
    TCase *tests = tcase_create("checks");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_limits);
    tcase_add_test(tests, test_worst_fault_counts);
    tcase_add_test(tests, test_text_is_escaped);
    tcase_add_test(tests, test_clock);
    tcase_add_test(tests, test_empty_database);
    tcase_add_test(tests, test_database_of_a_running_station);
    tcase_add_test(tests, test_requests);
    tcase_add_test(tests, test_bad_databases);
    tcase_add_test(tests, test_no_folder);
    tcase_add_test(tests, test_slots);
    tcase_add_test(tests, test_busy_slot);
    tcase_add_test(tests, test_ca);
    tcase_add_test(tests, test_bad_profile);
    tcase_add_test(tests, test_exposed_key);
    tcase_add_test(tests, test_two_cas);
    tcase_add_test(tests, test_no_configuration);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(doctor_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
