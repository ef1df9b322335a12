// SPDX-License-Identifier: Apache-2.0
// Header lines as a hostile server writes them.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

static void need_plain(const char *text, size_t capacity) {
    need(memchr(text, '\0', capacity) != NULL);
    need(strpbrk(text, "\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_answer answer;
    struct slice rest = {data, size};
    bool going = http_answer_init(&answer, HTTP_BODY_MAX);
    while (going && rest.length > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.length);
        size_t length = end == NULL ? rest.length : (size_t)(end - rest.data) + 1;
        going = http_answer_header(&answer, (struct slice){rest.data, length});
        rest = (struct slice){rest.data + length, rest.length - length};
    }
    http_answer_finish(&answer, 1772366400000);
    const struct http_response *response = &answer.response;
    need_plain(response->location, sizeof response->location);
    need_plain(response->links, sizeof response->links);
    need_plain(response->authenticate, sizeof response->authenticate);
    need_plain(response->content_type, sizeof response->content_type);
    need(response->retry_after_ms >= 0 && response->retry_after_ms <= HTTP_RETRY_AFTER_MAX_MS);
    need(response->total_count >= -1);
    http_answer_release(&answer);
    return 0;
}
