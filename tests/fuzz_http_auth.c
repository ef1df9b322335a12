// SPDX-License-Identifier: Apache-2.0
// Challenges as a hostile server writes them, and what is answered.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/http_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_auth auth = {.scheme = HTTP_AUTH_NONE};
    struct error error = {0};
    char text[1024]; // as in http_response
    size_t length = size < sizeof text - 1 ? size : sizeof text - 1;
    for (size_t i = 0; i < length; i++) {
        text[i] = data[i] >= 0x20 && data[i] != 0x7f ? (char)data[i] : ' ';
    }
    text[length] = '\0';
    if (!http_auth_take(&auth, text)) {
        need(auth.scheme == HTTP_AUTH_NONE);
        return 0;
    }
    need(auth.scheme > HTTP_AUTH_NONE && auth.scheme <= HTTP_AUTH_DIGEST_SHA512_256);
    need(auth.scheme == HTTP_AUTH_BASIC || auth.nonce[0] != '\0');
    const struct http_auth_request request = {
        .method = "POST", .uri = "/", .username = "u", .password = "p", .client_nonce = "c"};
    struct buf *line = buf_new(HTTP_AUTH_LINE_MAX);
    need(line != NULL && http_auth_answer(&auth, &request, line, &error));
    need(strncmp(buf_text(line), "Authorization: ", 15) == 0);
    need(strpbrk(buf_text(line), "\r\n") == NULL && strlen(buf_text(line)) == buf_length(line));
    buf_free(line);
    return 0;
}
