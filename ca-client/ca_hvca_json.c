// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca_hvca_json.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "ca-client/http.h"
#include "ca-client/json_load.h"

static bool fail_member(struct error *error, const char *what) {
    return error_set(error, E_CA_NONSENSE, "the CA's answer: %s is missing or malformed", what);
}

// ---- login, problems, certificates --------------------------------------------------------------

static bool is_header_text(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return false;
        }
    }
    return length > 0;
}

bool hvca_parse_login(struct slice body, struct buf *token, struct error *error) {
    json_t *root = json_load_object(body, "the login", error);
    if (root == NULL) {
        return false;
    }
    json_t *value = json_object_get(root, "access_token");
    size_t length = json_string_length(value);
    bool good = json_is_string(value) && length <= HVCA_TOKEN_MAX &&
                is_header_text(json_string_value(value), length) &&
                buf_put(token, json_string_value(value), length);
    if (json_is_string(value)) {
        explicit_bzero((char *)(uintptr_t)json_string_value(value), length);
    }
    json_decref(root);
    return good || fail_member(error, "access_token");
}

void hvca_parse_problem(struct slice body, char out[HVCA_PROBLEM_SIZE]) {
    static const char *const members[] = {"description", "detail", "title", NULL};
    json_load_text(body, members, out, HVCA_PROBLEM_SIZE);
}

bool hvca_parse_certificate(struct slice body, struct buf *pem, bool *is_revoked,
                            struct error *error) {
    json_t *root = json_load_object(body, "the certificate", error);
    if (root == NULL) {
        return false;
    }
    json_t *certificate = json_object_get(root, "certificate");
    const char *status = json_string_value(json_object_get(root, "status"));
    bool good = json_is_string(certificate) && status != NULL;
    if (good) {
        *is_revoked = strcmp(status, "REVOKED") == 0;
        good = (*is_revoked || strcmp(status, "ISSUED") == 0) &&
               buf_put(pem, json_string_value(certificate), json_string_length(certificate));
    }
    json_decref(root);
    return good || fail_member(error, "certificate or status");
}

bool hvca_parse_chain(struct slice body, struct buf *pem, struct error *error) {
    json_t *root = json_load_array(body, "the trust chain", error);
    if (root == NULL) {
        return false;
    }
    bool good = true;
    size_t count = json_array_size(root);
    for (size_t i = 0; good && i < count; i++) {
        json_t *item = json_array_get(root, i);
        good = json_is_string(item) &&
               buf_put(pem, json_string_value(item), json_string_length(item)) &&
               buf_put_text(pem, "\n");
    }
    json_decref(root);
    return good || fail_member(error, "a certificate of the trust chain");
}

bool hvca_parse_value(struct slice body, int64_t *value, struct error *error) {
    json_t *root = json_load_object(body, "a counter", error);
    if (root == NULL) {
        return false;
    }
    json_t *member = json_object_get(root, "value");
    bool good = json_is_integer(member) && json_integer_value(member) >= 0;
    if (good) {
        *value = json_integer_value(member);
    }
    json_decref(root);
    return good || fail_member(error, "value");
}

// ---- serials ------------------------------------------------------------------------------------

bool hvca_read_serial(const char *text, size_t length, char out[CA_HANDLE_SIZE]) {
    out[0] = '\0';
    if (length == 0 || length >= CA_HANDLE_SIZE) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

bool hvca_read_location(const char *location, char out[CA_HANDLE_SIZE]) {
    size_t length = strcspn(location, "?#");
    size_t start = length;
    out[0] = '\0';
    while (start > 0 && location[start - 1] != '/') {
        start--;
    }
    return start > 0 && hvca_read_serial(location + start, length - start, out);
}

static bool parse_row(json_t *item, struct hvca_row *row) {
    json_t *serial = json_object_get(item, "serial_number");
    json_t *not_before = json_object_get(item, "not_before");
    if (!json_is_string(serial) || !json_is_integer(not_before)) {
        return false;
    }
    row->not_before_s = json_integer_value(not_before);
    return hvca_read_serial(json_string_value(serial), json_string_length(serial), row->serial);
}

bool hvca_parse_rows(struct slice body, struct hvca_row *rows, size_t *count, struct error *error) {
    *count = 0;
    json_t *root = json_load_array(body, "the statistics", error);
    if (root == NULL) {
        return false;
    }
    size_t size = json_array_size(root);
    bool good = size <= HVCA_ROWS_MAX;
    for (size_t i = 0; good && i < size; i++) {
        good = parse_row(json_array_get(root, i), &rows[i]);
    }
    json_decref(root);
    *count = good ? size : 0;
    return good || fail_member(error, "a row of the statistics");
}
