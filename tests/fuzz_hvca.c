// SPDX-License-Identifier: Apache-2.0
// The parsers of what the HVCA API answers. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

static void parse_policy(struct slice body) {
    struct hvca_policy policy;
    struct profile profile;
    struct error error = {0};
    need(profile_built_in("https", &profile));
    if (hvca_parse_policy(body, &policy, &error)) {
        (void)!hvca_policy_fits(&policy, &profile, 1772366400, true, &error);
        int64_t end_s = hvca_not_after_s(&policy, &profile, 1772366400);
        need(end_s == 0 || end_s <= INT64_C(253402300799));
    } else {
        need(error.code == E_CA_NONSENSE);
    }
}

static void parse_rows(struct slice body) {
    struct hvca_row *rows = calloc(HVCA_ROWS_MAX, sizeof *rows);
    struct error error = {0};
    size_t count = 0;
    need(rows != NULL);
    if (hvca_parse_rows(body, rows, &count, &error)) {
        need(count <= HVCA_ROWS_MAX);
        for (size_t i = 0; i < count; i++) {
            need(rows[i].serial[0] != '\0' && strlen(rows[i].serial) < CA_HANDLE_SIZE);
        }
    }
    free(rows);
}

static void parse_texts(uint8_t which, struct slice body) {
    struct error error = {0};
    struct buf *out = buf_new(HTTP_BODY_MAX);
    bool is_revoked = false;
    need(out != NULL);
    if (which == 0) {
        (void)!hvca_parse_login(body, out, &error);
        need(strpbrk(buf_text(out), "\r\n ") == NULL);
    } else if (which == 1) {
        (void)!hvca_parse_certificate(body, out, &is_revoked, &error);
    } else {
        (void)!hvca_parse_chain(body, out, &error);
    }
    buf_free(out);
}

static void parse_line(struct slice body) {
    char line[512];
    char handle[CA_HANDLE_SIZE];
    struct http_response response = {.outcome = HTTP_ANSWERED, .status = 201, .total_count = -1};
    struct ca_result result = {0};
    size_t length = body.length < sizeof line - 1 ? body.length : sizeof line - 1;
    memcpy(line, body.data, length);
    line[length] = '\0';
    memcpy(response.location, line, sizeof line);
    hvca_judge_issue(&response, "", &result, handle);
    need(result.outcome == CA_ACCEPTED ? handle[0] != '\0' : result.outcome == CA_DOUBT);
    need(strspn(handle, "0123456789ABCDEFabcdef") == strlen(handle));
}

static void parse_problem(struct slice body) {
    char problem[HVCA_PROBLEM_SIZE];
    int64_t value = 0;
    struct error error = {0};
    hvca_parse_problem(body, problem);
    for (const char *at = problem; *at != '\0'; at++) {
        need(*at >= 0x20 && *at < 0x7f);
    }
    if (hvca_parse_value(body, &value, &error)) {
        need(value >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct slice body = {data + 1, size - 1};
    switch (data[0] % 8) {
    case 0:
    case 1:
    case 2:
        parse_texts(data[0] % 8, body);
        break;
    case 3:
        parse_rows(body);
        break;
    case 4:
        parse_line(body);
        break;
    case 5:
        parse_problem(body);
        break;
    default:
        parse_policy(body);
    }
    return 0;
}
