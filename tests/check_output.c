// SPDX-License-Identifier: Apache-2.0
// What the program says: JSON Lines that a machine can read and text that is safe on a terminal,
// whatever the cameras, the CA and the database hold.
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"
#include "station/app/output.h"
#include "station/app/output_unit_text.h"

// A colour, a bell, a new line, C1 controls, and what is not UTF-8.
#define HOSTILE "x\033[31m\a\r\n\t\"\\,'<b>\x7f\x9b\xff\xc2\x9by"
// The same without what JSON cannot hold.
#define HOSTILE_UTF8 "x\033[31m\a\r\n\t\"\\,'<b>\x7f\xc2\x9by"

static struct output output;
static char *results;
static char *messages;
static size_t results_length;
static size_t messages_length;

static void begin(const struct output_ops *ops) {
    output = (struct output){
        .ops = ops,
        .results = open_memstream(&results, &results_length),
        .messages = open_memstream(&messages, &messages_length),
        .json = ops == &output_json,
    };
    ck_assert_ptr_nonnull(output.results);
    ck_assert_ptr_nonnull(output.messages);
}

static void end(void) {
    fclose(output.results);
    fclose(output.messages);
}

static void release(void) {
    free(results);
    free(messages);
}

static void put_text(char *out, size_t capacity, const char *text) {
    snprintf(out, capacity, "%s", text);
}

#define PUT(member, text) put_text(member, sizeof(member), text)

static struct error error_of(const char *text) {
    struct error error = {.code = E_CAM_REFUSED};
    PUT(error.text, text);
    return error;
}

static struct store_row row_of(const char *text) {
    struct store_row row = {
        .unit = {.unit_id = 7, .result = UNIT_FAILED},
        .unit_error = E_CAM_REFUSED,
        .credential = {.number = 1,
                       .key_type = KEY_P256,
                       .has_key = true,
                       .request = REQUEST_QUARANTINED,
                       .install = INSTALL_NONE,
                       .error = E_CERT_NAMES},
        .attempt = 2,
        .has_certificate = true,
        .certificate = {.serial = {0x01, 0xab},
                        .serial_length = 2,
                        .not_before_ms = 1767225600000,
                        .not_after_ms = 1798761600000},
        .admitted_ms = 1767225600000,
        .finished_ms = 1767225660123,
    };
    PUT(row.unit.serial, text);
    PUT(row.model, text);
    PUT(row.firmware, text);
    PUT(row.hardware_id_hex, text);
    PUT(row.lot, text);
    PUT(row.slot, text);
    PUT(row.station, text);
    PUT(row.operator_name, text);
    PUT(row.unit_text, text);
    PUT(row.credential.profile, text);
    PUT(row.ca, text);
    PUT(row.certificate.issuer, text);
    PUT(row.certificate.subject, text);
    return row;
}

static struct store_event event_of(const char *text) {
    struct store_event event = {
        .sequence = 3, .time_ms = 1767225600000, .kind = RECORD_EVENT, .credential = 1};
    PUT(event.kind_text, text);
    PUT(event.slot, text);
    PUT(event.station, text);
    PUT(event.operator_name, text);
    PUT(event.code, text);
    PUT(event.text, text);
    return event;
}

static void put_verdict(const char *text) {
    struct error error = error_of(text);
    struct output_verdict verdict = {.slot = text,
                                     .transport = text,
                                     .path = text,
                                     .serial = text,
                                     .model = text,
                                     .verdict = UNIT_FAIL,
                                     .error = &error,
                                     .elapsed_ms = 1500};
    output.ops->verdict(&output, &verdict);
}

static void put_check(const char *text) {
    struct output_check check = {
        .level = OUTPUT_FAULT, .subject = text, .text = text, .remedy = text, .code = "E-CA-QUOTA"};
    output.ops->check(&output, &check);
}

static void put_unit(const char *text) {
    struct store_row row = row_of(text);
    output.ops->unit(&output, &row);
}

static void put_event(const char *text) {
    struct store_event event = event_of(text);
    output.ops->event(&output, &event);
}

static void put_request(const char *text) {
    struct store_row row = row_of(text);
    struct output_request request = {.row = &row, .finding = text, .remedy = text};
    output.ops->request(&output, &request);
}

static void put_certificate(const char *text) {
    struct error error = error_of(text);
    struct store_certificate stored = {.certificate_id = 3,
                                       .credential = 1,
                                       .board = 2,
                                       .state = CERTIFICATE_REVOKING,
                                       .ended_ms = 1767225600000,
                                       .certificate = {.serial = {0x01, 0xab}, .serial_length = 2}};
    struct output_certificate certificate = {.stored = &stored,
                                             .finding = text,
                                             .remedy = text,
                                             .error = &error,
                                             .age_ms = 3600000,
                                             .price = text};
    PUT(stored.serial, text);
    PUT(stored.profile, text);
    PUT(stored.ca, text);
    PUT(stored.reason, text);
    PUT(stored.certificate.issuer, text);
    PUT(stored.certificate.subject, text);
    output.ops->certificate(&output, &certificate);
}

static void put_orphans(const char *text) {
    struct output_orphans orphans = {.count = 2, .at_work = 1, .currency_count = 1};
    PUT(orphans.costs[0], text);
    output.ops->orphans(&output, &orphans);
}

static void put_summary(const char *text) {
    struct output_summary summary = {
        .lot = text, .total = 3, .passed = 1, .failed = 2, .first_pass = 1, .elapsed_ms = 5000};
    summary.reason_count = 1;
    summary.reasons[0].code = E_CAM_PROOF;
    summary.reasons[0].count = 2;
    summary.steps[UNIT_PROVING].visits = 4;
    summary.steps[UNIT_PROVING].total_ms = 400;
    output.ops->summary(&output, &summary);
}

static void put_error(const char *text) {
    struct error error = error_of(text);
    output.ops->error(&output, text, &error);
}

static void put_note(const char *text) {
    output_note(&output, "%s", text);
}

// Each item, with a member that holds the text.
static const struct {
    const char *type;
    void (*put)(const char *text);
    const char *member;
} items[] = {
    {"verdict", put_verdict, "serial"}, {"check", put_check, "text"},
    {"unit", put_unit, "model"},        {"event", put_event, "text"},
    {"request", put_request, "remedy"}, {"summary", put_summary, "lot"},
    {"error", put_error, "context"},    {"certificate", put_certificate, "price"},
};

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *take_line(const char *text, size_t length) {
    json_error_t error;
    ck_assert_uint_gt(length, 1);
    ck_assert_int_eq(text[length - 1], '\n');
    for (size_t i = 0; i < length - 1; i++) {
        ck_assert_msg((unsigned char)text[i] >= 0x20, "a control character at %zu", i);
    }
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(object != NULL, "%s in %s", error.text, text);
    return object;
}

static json_t *put_json(size_t item, const char *text) {
    begin(&output_json);
    items[item].put(text);
    end();
    bool to_messages = strcmp(items[item].type, "error") == 0;
    ck_assert_uint_eq(to_messages ? results_length : messages_length, 0);
    json_t *object =
        take_line(to_messages ? messages : results, to_messages ? messages_length : results_length);
    release();
    return object;
}

static const char *string_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    ck_assert_msg(text != NULL, "no %s", member);
    return text;
}

static int64_t number_of(const json_t *object, const char *member) {
    ck_assert_msg(json_is_integer(json_object_get(object, member)), "no %s", member);
    return json_integer_value(json_object_get(object, member));
}

START_TEST(test_json_holds_text_as_it_is) {
    json_t *object = put_json((size_t)_i, HOSTILE_UTF8);
    ck_assert_str_eq(string_of(object, "type"), items[_i].type);
    ck_assert_str_eq(string_of(object, items[_i].member), HOSTILE_UTF8);
    json_decref(object);
}
END_TEST

START_TEST(test_json_escapes_what_is_not_utf8) {
    json_t *object = put_json((size_t)_i, HOSTILE);
    const char *text = string_of(object, items[_i].member);
    ck_assert_int_eq(text[0], 'x');
    ck_assert_ptr_nonnull(strstr(text, "\\xff"));
    json_decref(object);
}
END_TEST

START_TEST(test_json_unit) {
    begin(&output_json);
    struct store_row row = row_of("text");
    row.unit.result = UNIT_PASSED;
    row.unit_error = ERROR_NONE;
    output.ops->unit(&output, &row);
    end();
    json_t *object = take_line(results, results_length);
    const json_t *certificate = json_object_get(object, "certificate");
    ck_assert_str_eq(string_of(object, "result"), "passed");
    ck_assert_ptr_null(json_object_get(object, "code"));
    ck_assert_str_eq(string_of(object, "key_type"), "p256");
    ck_assert_str_eq(string_of(object, "request"), "quarantined");
    ck_assert_str_eq(string_of(object, "install"), "none");
    ck_assert_int_eq(number_of(object, "credential"), 1);
    ck_assert_int_eq(number_of(object, "attempts"), 2);
    ck_assert_uint_eq(strlen(string_of(object, "public_key_sha256")), 64);
    ck_assert_str_eq(string_of(certificate, "serial"), "01ab");
    ck_assert_str_eq(string_of(certificate, "not_before"), "2026-01-01T00:00:00.000Z");
    ck_assert_str_eq(string_of(object, "finished_at"), "2026-01-01T00:01:00.123Z");
    ck_assert_ptr_null(json_object_get(object, "proved_at"));
    json_decref(object);
    release();
}
END_TEST

// What is out of use says so, and so does what was on a board that was swapped.
START_TEST(test_json_unit_out_of_use) {
    begin(&output_json);
    struct store_row row = row_of("text");
    row.unit.result = UNIT_SCRAPPED;
    row.credential.request = REQUEST_WITHDRAWN;
    row.credential.install = INSTALL_PROVED;
    row.board = 1;
    row.is_old_board = true;
    row.certificate_state = CERTIFICATE_REVOKED;
    row.ended_ms = 1767225600000;
    PUT(row.reason, "superseded");
    output.ops->unit(&output, &row);
    end();
    json_t *object = take_line(results, results_length);
    const json_t *certificate = json_object_get(object, "certificate");
    ck_assert_str_eq(string_of(object, "result"), "scrapped");
    ck_assert_str_eq(string_of(object, "request"), "withdrawn");
    ck_assert_str_eq(string_of(object, "install"), "replaced");
    ck_assert_int_eq(number_of(object, "board"), 1);
    ck_assert_str_eq(string_of(certificate, "state"), "revoked");
    ck_assert_str_eq(string_of(certificate, "reason"), "superseded");
    ck_assert_str_eq(string_of(certificate, "ended_at"), "2026-01-01T00:00:00.000Z");
    json_decref(object);
    release();
}
END_TEST

START_TEST(test_json_orphans) {
    begin(&output_json);
    put_orphans("1.35 EUR");
    end();
    json_t *object = take_line(results, results_length);
    ck_assert_str_eq(string_of(object, "type"), "orphans");
    ck_assert_int_eq(number_of(object, "count"), 2);
    ck_assert_int_eq(number_of(object, "at_work"), 1);
    const json_t *costs = json_object_get(object, "costs");
    ck_assert_uint_eq(json_array_size(costs), 1);
    ck_assert_str_eq(json_string_value(json_array_get(costs, 0)), "1.35 EUR");
    json_decref(object);
    release();
    begin(&output_json);
    put_orphans("1 \xff"); // no UTF-8
    end();
    json_decref(take_line(results, results_length));
    release();
}
END_TEST

START_TEST(test_json_unit_without_credential) {
    begin(&output_json);
    struct store_row row = row_of("text");
    row.credential = (struct credential_record){0};
    row.has_certificate = false;
    output.ops->unit(&output, &row);
    end();
    json_t *object = take_line(results, results_length);
    ck_assert_str_eq(string_of(object, "code"), "E-CAM-REFUSED");
    ck_assert_ptr_null(json_object_get(object, "credential"));
    ck_assert_ptr_null(json_object_get(object, "certificate"));
    json_decref(object);
    release();
}
END_TEST

START_TEST(test_json_verdicts) {
    static const struct {
        enum unit_verdict verdict;
        const char *word;
    } words[] = {{UNIT_PASS, "pass"}, {UNIT_FAIL, "fail"}, {UNIT_ALREADY, "already"}};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        struct error error = error_of("why");
        struct output_verdict verdict = {.slot = "1",
                                         .transport = "usb",
                                         .path = "1-2",
                                         .serial = "S",
                                         .model = "M",
                                         .verdict = words[i].verdict,
                                         .error = &error};
        begin(&output_json);
        output.ops->verdict(&output, &verdict);
        end();
        json_t *object = take_line(results, results_length);
        ck_assert_str_eq(string_of(object, "verdict"), words[i].word);
        ck_assert_str_eq(string_of(object, "transport"), "usb");
        ck_assert_str_eq(string_of(object, "port"), "1-2");
        ck_assert_int_eq(json_object_get(object, "code") != NULL, words[i].verdict == UNIT_FAIL);
        json_decref(object);
        release();
    }
}
END_TEST

START_TEST(test_json_summary) {
    begin(&output_json);
    put_summary("L");
    end();
    json_t *object = take_line(results, results_length);
    ck_assert_int_eq(number_of(object, "total"), 3);
    ck_assert_int_eq(number_of(json_object_get(object, "reasons"), "E-CAM-PROOF"), 2);
    ck_assert_int_eq(number_of(json_object_get(object, "mean_step_ms"), "proving"), 100);
    json_decref(object);
    release();
}
END_TEST

START_TEST(test_json_has_no_notes) {
    begin(&output_json);
    put_note("for people");
    output_status(&output, "for people");
    end();
    ck_assert_uint_eq(results_length + messages_length, 0);
    release();
}
END_TEST

// ---- text ---------------------------------------------------------------------------------------

static void check_plain(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        ck_assert_msg(byte == '\n' || (byte >= 0x20 && byte < 0x7f), "byte %02x in: %s", byte,
                      text);
    }
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    while ((text = strchr(text, '\n')) != NULL) {
        count++;
        text++;
    }
    return count;
}

START_TEST(test_text_holds_no_control_characters) {
    begin(&output_text);
    items[_i].put("plain");
    end();
    size_t lines = count_lines(results) + count_lines(messages);
    release();
    begin(&output_text);
    items[_i].put(HOSTILE);
    end();
    check_plain(results, results_length);
    check_plain(messages, messages_length);
    ck_assert_uint_eq(count_lines(results) + count_lines(messages), lines);
    release();
}
END_TEST

START_TEST(test_text_goes_where_it_belongs) {
    begin(&output_text);
    items[_i].put("plain");
    end();
    bool to_messages = strcmp(items[_i].type, "error") == 0;
    ck_assert_uint_eq(to_messages ? results_length : messages_length, 0);
    ck_assert_uint_gt(to_messages ? messages_length : results_length, 0);
    release();
}
END_TEST

START_TEST(test_text_of_unit) {
    struct store_row plain = row_of("plain");
    struct store_row row = row_of(HOSTILE);
    begin(&output_text);
    output_unit_text(output.results, &plain);
    output_credential_text(output.results, &plain);
    end();
    size_t lines = count_lines(results);
    ck_assert_ptr_nonnull(strstr(results, "  reason             E-CAM-REFUSED plain; see the"));
    ck_assert_ptr_nonnull(strstr(results, "\ncredential 1\n"));
    ck_assert_ptr_nonnull(strstr(results, "  certificate        01ab\n"));
    ck_assert_ptr_nonnull(strstr(results, "  proved             -\n"));
    release();
    begin(&output_text);
    output_unit_text(output.results, &row);
    output_credential_text(output.results, &row);
    end();
    check_plain(results, results_length);
    ck_assert_uint_eq(count_lines(results), lines);
    release();
}
END_TEST

START_TEST(test_text_of_unit_without_credential) {
    struct store_row row = row_of("plain");
    row.credential = (struct credential_record){0};
    begin(&output_text);
    output_credential_text(output.results, &row);
    end();
    ck_assert_uint_eq(results_length, 0);
    release();
}
END_TEST

START_TEST(test_exit_status) {
    static const struct {
        enum error_code code;
        int status;
    } rows[] = {
        {ERROR_NONE, EXIT_OK},         {E_CAM_PROOF, EXIT_UNIT_FAILED},
        {E_USAGE, EXIT_USAGE},         {E_CONFIG, EXIT_USAGE},
        {E_STORE_UNKNOWN, EXIT_USAGE}, {E_NOTHING_TO_DO, EXIT_NOTHING_TO_DO},
        {E_CA_QUOTA, EXIT_STATION},    {E_CA_UNREACHABLE, EXIT_STATION},
        {E_CLOCK, EXIT_STATION},       {E_STORE_CORRUPT, EXIT_INTEGRITY},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct error error = {.code = rows[i].code};
        ck_assert_int_eq(exit_status_of(&error), rows[i].status);
    }
}
END_TEST

static Suite *output_suite(void) {
    const int count = (int)ARRAY_LENGTH(items);
    Suite *suite = suite_create("output");
    TCase *json = tcase_create("json");
    TCase *text = tcase_create("text");
    tcase_add_loop_test(json, test_json_holds_text_as_it_is, 0, count);
    tcase_add_loop_test(json, test_json_escapes_what_is_not_utf8, 0, count);
    tcase_add_test(json, test_json_unit);
    tcase_add_test(json, test_json_unit_out_of_use);
    tcase_add_test(json, test_json_orphans);
    tcase_add_test(json, test_json_unit_without_credential);
    tcase_add_test(json, test_json_verdicts);
    tcase_add_test(json, test_json_summary);
    tcase_add_test(json, test_json_has_no_notes);
    tcase_add_loop_test(text, test_text_holds_no_control_characters, 0, count);
    tcase_add_loop_test(text, test_text_goes_where_it_belongs, 0, count);
    tcase_add_test(text, test_text_of_unit);
    tcase_add_test(text, test_text_of_unit_without_credential);
    tcase_add_test(text, test_exit_status);
    suite_add_tcase(suite, json);
    suite_add_tcase(suite, text);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(output_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
