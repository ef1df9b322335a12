// SPDX-License-Identifier: Apache-2.0
#include "ca-client/http_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "station/base/clock.h"

bool http_answer_init(struct http_answer *answer, size_t body_max) {
    memset(answer, 0, sizeof *answer);
    answer->response.total_count = -1;
    answer->body_max = body_max > 0 ? body_max : HTTP_BODY_MAX;
    answer->body = buf_new(answer->body_max);
    return answer->body != NULL;
}

void http_answer_release(struct http_answer *answer) {
    buf_free_secret(answer->body);
    answer->body = NULL;
}

// `shape` has 0 for a digit, A for a letter, and everything else as it is.
static bool has_shape(const char *text, const char *shape) {
    if (strlen(text) != strlen(shape)) {
        return false;
    }
    for (size_t i = 0; shape[i] != '\0'; i++) {
        char c = text[i];
        bool fits = shape[i] == '0'   ? c >= '0' && c <= '9'
                    : shape[i] == 'A' ? (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
                                      : c == shape[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

bool http_parse_date(const char *text, int64_t *wall_ms) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = "";
    char iso[CLOCK_TEXT_SIZE];
    if (!has_shape(text, "AAA, 00 AAA 0000 00:00:00 GMT")) {
        return false;
    }
    memcpy(month, text + 8, 3);
    const char *found = strstr(months, month);
    if (found == NULL || (found - months) % 3 != 0) {
        return false;
    }
    int number = (int)(found - months) / 3 + 1;
    // year, day of the month, time
    snprintf(iso, sizeof iso, "%.4s-%02d-%.2sT%.8sZ", text + 12, number, text + 5, text + 17);
    return clock_parse_utc(iso, wall_ms);
}

// Digits only, no sign: -1 for anything else and for what is beyond any sense.
static int64_t parse_count(const char *text) {
    int64_t value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 15) {
        return -1;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static void take_date(struct http_answer *answer, const char *value) {
    if (!http_parse_date(value, &answer->response.date_ms)) {
        answer->response.date_ms = 0;
    }
}

static void take_total_count(struct http_answer *answer, const char *value) {
    answer->response.total_count = parse_count(value);
}

static void take_location(struct http_answer *answer, const char *value) {
    struct http_response *response = &answer->response;
    // Two Locations name two certificates, or an attack on the framing: neither is believed.
    bool is_other = answer->has_location && strcmp(response->location, value) != 0;
    if (is_other || !text_copy(response->location, sizeof response->location, value)) {
        response->location[0] = '\0';
    }
    answer->has_location = true;
}

static void take_content_type(struct http_answer *answer, const char *value) {
    if (!text_copy(answer->response.content_type, sizeof answer->response.content_type, value)) {
        answer->response.content_type[0] = '\0';
    }
}

static void take_retry_after(struct http_answer *answer, const char *value) {
    if (!text_copy(answer->retry_after, sizeof answer->retry_after, value)) {
        answer->retry_after[0] = '\0';
    }
}

static void take_links(struct http_answer *answer, const char *value) {
    if (!text_copy(answer->response.links, sizeof answer->response.links, value)) {
        answer->response.links[0] = '\0';
    }
}

// Several fields are as good as one with all their challenges (RFC 9110, section 5.3). One that has
// no room is as good as none.
static void take_authenticate(struct http_answer *answer, const char *value) {
    char *out = answer->response.authenticate;
    size_t used = strlen(out);
    const char *comma = used > 0 ? ", " : "";
    if (value[0] != '\0' &&
        strlen(comma) + strlen(value) < sizeof answer->response.authenticate - used) {
        snprintf(out + used, sizeof answer->response.authenticate - used, "%s%s", comma, value);
    }
}

static const struct {
    const char *name;
    void (*take)(struct http_answer *answer, const char *value);
} header_table[] = {
    {"Content-Type", take_content_type},
    {"Location", take_location},
    {"Retry-After", take_retry_after},
    {"Date", take_date},
    {"Total-Count", take_total_count},
    {"Links", take_links},
    {"Link", take_links},
    {"WWW-Authenticate", take_authenticate},
};

// Copies the value without the blanks around it. False where it does not fit or holds a control
// character: such a header is as good as none.
static bool copy_value(char *out, size_t capacity, struct slice value) {
    while (value.length > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.length--;
    }
    while (value.length > 0 &&
           (value.data[value.length - 1] == ' ' || value.data[value.length - 1] == '\t')) {
        value.length--;
    }
    if (value.length >= capacity) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return false;
        }
        out[i] = (char)value.data[i];
    }
    out[value.length] = '\0';
    return true;
}

static void take_field(struct http_answer *answer, struct slice line) {
    char value[sizeof answer->response.links];
    const uint8_t *colon = memchr(line.data, ':', line.length);
    if (colon == NULL) {
        return;
    }
    size_t name_length = (size_t)(colon - line.data);
    struct slice rest = {colon + 1, line.length - name_length - 1};
    for (size_t i = 0; i < ARRAY_LENGTH(header_table); i++) {
        const char *name = header_table[i].name;
        if (strlen(name) == name_length &&
            strncasecmp(name, (const char *)line.data, name_length) == 0) {
            header_table[i].take(answer, copy_value(value, sizeof value, rest) ? value : "");
            return;
        }
    }
}

// A status line starts an answer anew: what an interim answer said does not count.
static void take_status(struct http_answer *answer, struct slice line) {
    const uint8_t *space = memchr(line.data, ' ', line.length);
    answer->is_interim =
        space != NULL && space + 1 < line.data + line.length && space[1] == (uint8_t)'1';
    answer->headers_done = false;
    answer->has_location = false;
    answer->retry_after[0] = '\0';
    answer->response = (struct http_response){.total_count = -1};
}

bool http_answer_header(struct http_answer *answer, struct slice line) {
    answer->header_bytes += line.length;
    answer->header_lines++;
    if (answer->header_bytes > HTTP_HEADER_BYTES_MAX ||
        answer->header_lines > HTTP_HEADER_LINES_MAX) {
        return false;
    }
    while (line.length > 0 &&
           (line.data[line.length - 1] == '\n' || line.data[line.length - 1] == '\r')) {
        line.length--;
    }
    if (line.length >= 5 && memcmp(line.data, "HTTP/", 5) == 0 &&
        (!answer->headers_done || answer->is_interim)) {
        take_status(answer, line);
    } else if (line.length == 0) {
        answer->headers_done = true;
    } else if (!answer->headers_done && !answer->is_interim) {
        take_field(answer, line);
    }
    return true;
}

bool http_answer_body(struct http_answer *answer, struct slice piece) {
    answer->is_too_long = piece.length > answer->body_max - buf_length(answer->body);
    return !answer->is_too_long && buf_put(answer->body, piece.data, piece.length);
}

void http_answer_finish(struct http_answer *answer, int64_t wall_ms) {
    struct http_response *response = &answer->response;
    int64_t seconds = parse_count(answer->retry_after);
    int64_t when_ms = 0;
    if (seconds >= 0) {
        seconds =
            seconds > HTTP_RETRY_AFTER_MAX_MS / 1000 ? HTTP_RETRY_AFTER_MAX_MS / 1000 : seconds;
        response->retry_after_ms = seconds * 1000;
    } else if (http_parse_date(answer->retry_after, &when_ms)) {
        int64_t from_ms = response->date_ms != 0 ? response->date_ms : wall_ms;
        response->retry_after_ms = when_ms > from_ms ? when_ms - from_ms : 0;
    }
    if (response->retry_after_ms > HTTP_RETRY_AFTER_MAX_MS) {
        response->retry_after_ms = HTTP_RETRY_AFTER_MAX_MS;
    }
    response->body = buf_slice(answer->body);
}
