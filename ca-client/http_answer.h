// SPDX-License-Identifier: Apache-2.0
// What an HTTP answer says, gathered line by line under caps. Knows nothing of sockets or curl.
#ifndef BIRTHCERT_CA_HTTP_ANSWER_H
#define BIRTHCERT_CA_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/http.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"

#define HTTP_HEADER_LINES_MAX 200 // of one answer, interim answers (1xx) and trailers included
#define HTTP_HEADER_BYTES_MAX (64 * 1024)
#define HTTP_RETRY_AFTER_MAX_MS (60 * 60 * 1000)

struct http_answer {
    struct http_response response;
    struct buf *body; // owned
    size_t body_max;
    size_t header_bytes;
    size_t header_lines;
    bool is_interim;   // the header lines are those of a 1xx answer
    bool headers_done; // what still comes is a trailer, and is not looked at
    bool is_too_long;  // the body
    bool has_location;
    char retry_after[64];
};

// For a body of at most `body_max` bytes, HTTP_BODY_MAX where it is 0. False without memory.
MUST_CHECK bool http_answer_init(struct http_answer *answer, size_t body_max);
// Wipes the body, which may hold a token.
void http_answer_release(struct http_answer *answer);

// One header line, the status line and the empty last one included, with or without its CR LF.
// False: over a cap, the exchange has to end.
MUST_CHECK bool http_answer_header(struct http_answer *answer, struct slice line);
// A piece of the body. False: over the cap (`is_too_long`), or without memory.
MUST_CHECK bool http_answer_body(struct http_answer *answer, struct slice piece);

// Completes `response` once everything has come. `wall_ms` stands in for a Date that is missing.
void http_answer_finish(struct http_answer *answer, int64_t wall_ms);

// "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110, section 5.6.7); false for anything else.
bool http_parse_date(const char *text, int64_t *wall_ms);

#endif
