// SPDX-License-Identifier: Apache-2.0
// The verbs that read the record, and those that need none: list, show, export, init, diagram. A
// station writes to the database all the while.
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "station/app/csv.h"
#include "station/app/options.h"
#include "tests/support_config.h"
#include "tests/support_folder.h"

#define FORMULA "=1+2"
#define COLUMNS_LEAST 25

static struct store_fixture fixture;
static char *results;
static char *messages;
static size_t results_length;
static size_t messages_length;

static void put_result(const struct unit_record *unit, enum unit_result result,
                       enum error_code code, const char *text) {
    struct record record = store_record(&fixture, RECORD_RESULT, unit, 0);
    record.result = result;
    record.error = code;
    snprintf(record.text, sizeof record.text, "%s", text);
    store_accept(&fixture, &record);
}

static void setup(void) {
    store_fixture_setup(&fixture);
    results = messages = NULL;
    struct unit_record unit =
        store_make_unit(&fixture, "SN-PASSED", 1, REQUEST_ISSUED, INSTALL_PROVED);
    put_result(&unit, UNIT_PASSED, ERROR_NONE, "");
    unit = store_make_unit(&fixture, FORMULA, 2, REQUEST_ISSUED, INSTALL_NONE);
    put_result(&unit, UNIT_FAILED, E_CAM_STORAGE, "=cmd|' /c calc', \"quoted\"");
    store_make_unit(&fixture, "SN-HELD", 3, REQUEST_HELD, INSTALL_NONE);
    store_make_unit(&fixture, "SN-OPEN", 4, REQUEST_NONE, INSTALL_NONE);
    config_write(&fixture, "trial", "");
}

static void teardown(void) {
    free(results);
    free(messages);
    store_fixture_teardown(&fixture);
}

typedef int verb_run(const struct options *options, struct output *output);

static int run_to(verb_run *verb, struct options options, FILE *out) {
    struct output output = {
        .ops = options.json ? &output_json : &output_text, .results = out, .json = options.json};
    free(messages);
    output.messages = open_memstream(&messages, &messages_length);
    ck_assert_ptr_nonnull(output.messages);
    if (options.config == NULL) {
        options.config = config_file;
    }
    int status = verb(&options, &output);
    fclose(output.messages);
    return status;
}

static int run(verb_run *verb, struct options options) {
    free(results);
    FILE *out = open_memstream(&results, &results_length);
    ck_assert_ptr_nonnull(out);
    int status = run_to(verb, options, out);
    fclose(out);
    return status;
}

// Reads JSON Lines into an array that the caller frees.
static json_t *read_lines(const char *text) {
    json_t *lines = json_array();
    while (*text != '\0') {
        json_error_t error;
        size_t length = strcspn(text, "\n");
        json_t *line = json_loadb(text, length, 0, &error);
        ck_assert_msg(line != NULL, "%s: %.200s", error.text, text);
        json_array_append_new(lines, line);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    return lines;
}

static const char *member_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

// ---- list ---------------------------------------------------------------------------------------

START_TEST(test_list_all) {
    ck_assert_int_eq(run(cmd_list, (struct options){.json = true}), EXIT_OK);
    json_t *lines = read_lines(results);
    ck_assert_uint_eq(json_array_size(lines), 4);
    ck_assert_str_eq(member_of(json_array_get(lines, 1), "serial"), FORMULA);
    json_decref(lines);
    ck_assert_int_eq(run(cmd_list, (struct options){0}), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(results, "SN-PASSED"));
}
END_TEST

START_TEST(test_list_by_state) {
    static const struct {
        const char *state;
        const char *serial; // NULL: none
    } rows[] = {{"open", "SN-HELD"}, {"failed", FORMULA},  {"passed", "SN-PASSED"},
                {"pending", NULL},   {"doubt", "SN-HELD"}, {"quarantined", NULL},
                {"orphan", FORMULA}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int status = run(cmd_list, (struct options){.state = rows[i].state});
        ck_assert_int_eq(status, rows[i].serial != NULL ? EXIT_OK : EXIT_NOTHING_TO_DO);
        if (rows[i].serial != NULL) {
            ck_assert_ptr_nonnull(strstr(results, rows[i].serial));
        } else {
            ck_assert_uint_eq(results_length, 0);
            ck_assert_str_eq(messages, "no unit matches\n");
        }
    }
}
END_TEST

START_TEST(test_list_refuses) {
    ck_assert_int_eq(run(cmd_list, (struct options){.state = "lost"}), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(messages, "E-USAGE"));
    ck_assert_ptr_nonnull(strstr(messages, "quarantined"));
    ck_assert_int_eq(run(cmd_list, (struct options){.lot = "no such lot"}), EXIT_NOTHING_TO_DO);
    ck_assert_int_eq(run(cmd_list, (struct options){.config = "/nowhere"}), EXIT_USAGE);
}
END_TEST

// ---- show ---------------------------------------------------------------------------------------

START_TEST(test_show_json) {
    ck_assert_int_eq(run(cmd_show, (struct options){.json = true, .argument = "SN-PASSED"}),
                     EXIT_OK);
    json_t *lines = read_lines(results);
    size_t count = json_array_size(lines);
    ck_assert_uint_gt(count, 5);
    ck_assert_str_eq(member_of(json_array_get(lines, 0), "type"), "unit");
    for (size_t i = 1; i < count; i++) {
        const json_t *event = json_array_get(lines, i);
        ck_assert_str_eq(member_of(event, "type"), "event");
        ck_assert_int_eq(json_integer_value(json_object_get(event, "sequence")),
                         json_integer_value(json_object_get(json_array_get(lines, 1), "sequence")) +
                             (json_int_t)i - 1);
    }
    ck_assert_str_eq(member_of(json_array_get(lines, count - 1), "kind"), "result");
    json_decref(lines);
}
END_TEST

START_TEST(test_show_text) {
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = FORMULA}), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(results, FORMULA "\n  result             FAILED\n"));
    ck_assert_ptr_nonnull(strstr(results, "  reason             E-CAM-STORAGE =cmd"));
    ck_assert_ptr_nonnull(strstr(results, "\ncredential 1\n"));
    ck_assert_ptr_nonnull(strstr(results, "  subject            CN=camera 2\n"));
    ck_assert_ptr_nonnull(strstr(results, "\nevents\n"));
}
END_TEST

// One block for the unit, one for each of its credentials.
START_TEST(test_show_two_credentials) {
    struct record record = store_record_admit(&fixture, "SN-TWO", 2);
    store_accept(&fixture, &record);
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = "SN-TWO"}), EXIT_OK);
    ck_assert_ptr_null(strstr(results + 1, "SN-TWO"));
    ck_assert_ptr_nonnull(strstr(results, "\ncredential 1\n  profile            https\n"));
    ck_assert_ptr_nonnull(strstr(results, "\ncredential 2\n  profile            idevid\n"));
}
END_TEST

START_TEST(test_show_refuses) {
    char long_serial[SERIAL_SIZE + 1];
    memset(long_serial, 'S', sizeof long_serial - 1);
    long_serial[sizeof long_serial - 1] = '\0';
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = "SN-NOBODY"}), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(messages, "E-STORE-UNKNOWN SN-NOBODY"));
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = long_serial}), EXIT_USAGE);
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = "a\nb"}), EXIT_USAGE);
    ck_assert_int_eq(run(cmd_show, (struct options){.argument = ""}), EXIT_USAGE);
    ck_assert_uint_eq(results_length, 0);
}
END_TEST

// ---- export -------------------------------------------------------------------------------------

static bool read_csv(struct csv_reader *reader, struct csv_row *row) {
    const char *reason = "";
    enum csv_outcome outcome = csv_read(reader, row, &reason);
    ck_assert_msg(outcome != CSV_BAD, "line %u: %s", row->line, reason);
    return outcome == CSV_ROW;
}

static void check_cell(const json_t *unit, const char *column, const char *cell) {
    static const char inner[] = "certificate_";
    char number[24];
    bool is_inner = strncmp(column, inner, sizeof inner - 1) == 0;
    const json_t *value =
        is_inner ? json_object_get(json_object_get(unit, "certificate"), column + sizeof inner - 1)
                 : json_object_get(unit, column);
    if (strcmp(column, "request_code") == 0 && value == NULL) {
        return;
    }
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    const char *wanted = json_is_integer(value) ? number : json_string_value(value);
    wanted = wanted != NULL ? wanted : "";
    ck_assert_msg(strcmp(cell + (cell[0] == '\'' ? 1 : 0), wanted) == 0,
                  "%s: %s in CSV, %s in JSON", column, cell, wanted);
}

START_TEST(test_export_csv_says_what_json_says) {
    static struct csv_row header;
    static struct csv_row row;
    struct csv_reader reader;
    ck_assert_int_eq(run(cmd_export, (struct options){.format = "json"}), EXIT_OK);
    json_t *units = read_lines(results);
    ck_assert_uint_eq(json_array_size(units), 4);
    ck_assert_int_eq(run(cmd_export, (struct options){0}), EXIT_OK);
    csv_reader_init(&reader, (struct slice){(const uint8_t *)results, results_length});
    ck_assert(read_csv(&reader, &header));
    ck_assert_uint_ge(header.count, COLUMNS_LEAST);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(read_csv(&reader, &row));
        ck_assert_uint_eq(row.count, header.count);
        for (size_t column = 0; column < header.count; column++) {
            check_cell(json_array_get(units, i), header.fields[column], row.fields[column]);
        }
    }
    ck_assert(!read_csv(&reader, &row));
    json_decref(units);
}
END_TEST

START_TEST(test_export_guards_formulas) {
    ck_assert_int_eq(run(cmd_export, (struct options){.format = "csv"}), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(results, "\r\n'" FORMULA ",CAM-7,"));
    ck_assert_ptr_nonnull(strstr(results, ",\"'=cmd|' /c calc', \"\"quoted\"\"\","));
}
END_TEST

START_TEST(test_export_by_time) {
    int64_t now_ms = fixture.now_ms;
    ck_assert_int_eq(run(cmd_export, (struct options){.json = true, .since_ms = now_ms + 1000}),
                     EXIT_NOTHING_TO_DO);
    ck_assert_uint_eq(results_length, 0);
    ck_assert_int_eq(run(cmd_export, (struct options){.until_ms = 1000}), EXIT_NOTHING_TO_DO);
    ck_assert_int_eq(strncmp(results, "serial,model,", 13), 0); // a table still, with no row
    ck_assert_ptr_eq(strchr(results, '\n') + 1, results + results_length);
    ck_assert_int_eq(run(cmd_export, (struct options){.since_ms = 1, .until_ms = now_ms + 1}),
                     EXIT_OK);
}
END_TEST

START_TEST(test_export_refuses) {
    ck_assert_int_eq(run(cmd_export, (struct options){.format = "xml"}), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(messages, "--format xml: csv and json"));
    ck_assert_int_eq(run(cmd_export, (struct options){.format = "csv", .json = true}), EXIT_USAGE);
    ck_assert_int_eq(run(cmd_export, (struct options){.since_ms = 5, .until_ms = 5}), EXIT_USAGE);
    ck_assert_uint_eq(results_length, 0);
}
END_TEST

static verb_run *const writers[] = {cmd_list, cmd_show, cmd_export, cmd_diagram};

START_TEST(test_full_disk) {
    for (int json = 0; json < 2; json++) {
        FILE *full = fopen("/dev/full", "w");
        ck_assert_ptr_nonnull(full);
        int status =
            run_to(writers[_i], (struct options){.json = json, .argument = "SN-PASSED"}, full);
        fclose(full);
        ck_assert_int_eq(status, EXIT_STATION);
        ck_assert_ptr_nonnull(strstr(messages, "E-SYSTEM"));
    }
}
END_TEST

// ---- diagram ------------------------------------------------------------------------------------

struct transitions {
    size_t count;
    const json_t *lines;
};

static void see_unit(void *context, enum unit_state from, enum unit_event_kind event,
                     enum unit_state to) {
    struct transitions *transitions = context;
    size_t found = 0;
    size_t index;
    const json_t *line;
    json_array_foreach(transitions->lines, index, line) {
        found += strcmp(member_of(line, "machine"), "unit") == 0 &&
                 strcmp(member_of(line, "from"), unit_state_name(from)) == 0 &&
                 strcmp(member_of(line, "event"), unit_event_name(event)) == 0 &&
                 strcmp(member_of(line, "to"), unit_state_name(to)) == 0;
    }
    ck_assert_uint_eq(found, 1);
    transitions->count++;
}

START_TEST(test_diagram_json_has_every_transition) {
    ck_assert_int_eq(run(cmd_diagram, (struct options){.json = true}), EXIT_OK);
    json_t *lines = read_lines(results);
    struct transitions transitions = {.lines = lines};
    unit_visit_transitions(see_unit, &transitions);
    ck_assert_uint_gt(transitions.count, 50);
    ck_assert_uint_gt(json_array_size(lines), transitions.count);
    json_decref(lines);
}
END_TEST

START_TEST(test_diagram_merges_edges) {
    ck_assert_int_eq(run(cmd_diagram, (struct options){0}), EXIT_OK);
    const char *first = strstr(results, "```mermaid\nstateDiagram-v2\n");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(strstr(first + 1, "```mermaid\nstateDiagram-v2\n"));
    const char *edge = strstr(results, "    recording --> done: stored, conflict\n");
    ck_assert_ptr_nonnull(edge);
    ck_assert_ptr_null(strstr(edge + strlen("    recording"), "recording --> done"));
    ck_assert_ptr_nonnull(strstr(results, "birthcert diagram"));
}
END_TEST

// ---- init ---------------------------------------------------------------------------------------

static bool is_there(const char *name) {
    char path[256];
    folder_path(path, sizeof path, name);
    return access(path, F_OK) == 0;
}

static int run_init(struct options options) {
    struct output output = {.ops = options.json ? &output_json : &output_text,
                            .json = options.json};
    free(results);
    free(messages);
    output.results = open_memstream(&results, &results_length);
    output.messages = open_memstream(&messages, &messages_length);
    int status = cmd_init(&options, &output);
    fclose(output.results);
    fclose(output.messages);
    return status;
}

START_TEST(test_init) {
    folder_make();
    ck_assert_int_eq(run_init((struct options){.argument = folder_name, .json = true}), EXIT_OK);
    json_t *lines = read_lines(results);
    ck_assert_uint_eq(json_array_size(lines), 4);
    ck_assert_str_eq(member_of(json_array_get(lines, 0), "type"), "check");
    json_decref(lines);
    ck_assert(is_there("birthcert.conf") && is_there("birthcert.db") && is_there("ca/root.key"));
    ck_assert_int_eq(run_init((struct options){.argument = folder_name}), EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(messages, "is left as it is"));
    folder_path(config_file, sizeof config_file, "birthcert.conf");
    ck_assert_int_eq(run(cmd_list, (struct options){0}), EXIT_NOTHING_TO_DO);
    folder_remove();
}
END_TEST

START_TEST(test_init_beside_a_database) {
    folder_make();
    folder_write_text("birthcert.db", "precious");
    ck_assert_int_eq(run_init((struct options){.argument = folder_name}), EXIT_USAGE);
    ck_assert(!is_there("birthcert.conf") && !is_there("ca"));
    folder_remove();
}
END_TEST

START_TEST(test_init_refuses) {
    folder_make();
    folder_write_text("file", "");
    char path[256];
    folder_path(path, sizeof path, "file");
    ck_assert_int_eq(run_init((struct options){.argument = path}), EXIT_USAGE);
    ck_assert_int_eq(run_init((struct options){.argument = folder_name, .config = "x"}),
                     EXIT_USAGE);
    ck_assert(!is_there("birthcert.conf"));
    folder_remove();
}
END_TEST

static Suite *verbs_suite(void) {
    Suite *suite = suite_create("verbs");
    TCase *record = tcase_create("record");
    TCase *other = tcase_create("other");
    tcase_add_checked_fixture(record, setup, teardown);
    tcase_add_checked_fixture(other, setup, teardown);
    tcase_add_test(record, test_list_all);
    tcase_add_test(record, test_list_by_state);
    tcase_add_test(record, test_list_refuses);
    tcase_add_test(record, test_show_json);
    tcase_add_test(record, test_show_text);
    tcase_add_test(record, test_show_two_credentials);
    tcase_add_test(record, test_show_refuses);
    tcase_add_test(record, test_export_csv_says_what_json_says);
    tcase_add_test(record, test_export_guards_formulas);
    tcase_add_test(record, test_export_by_time);
    tcase_add_test(record, test_export_refuses);
    tcase_add_loop_test(record, test_full_disk, 0, (int)ARRAY_LENGTH(writers));
    tcase_add_test(other, test_diagram_json_has_every_transition);
    tcase_add_test(other, test_diagram_merges_edges);
    tcase_add_test(other, test_init);
    tcase_add_test(other, test_init_beside_a_database);
    tcase_add_test(other, test_init_refuses);
    suite_add_tcase(suite, record);
    suite_add_tcase(suite, other);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(verbs_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
