// SPDX-License-Identifier: Apache-2.0
// The HTTP engine of every CA backend: curl's multi interface on the station's loop. TLS 1.2 or
// later against pinned roots, a client certificate, kept-alive connections, HTTP/2 where the server
// has it. Redirects are never followed, proxies and the environment are never read.
#ifndef BIRTHCERT_CA_HTTP_H
#define BIRTHCERT_CA_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define HTTP_BODY_MAX (256 * 1024) // of an answer, where the request does not say more
#define HTTP_HEADERS_MAX 16

struct http;

struct http_settings {
    const char *server_root_file;        // PEM; required
    const char *client_certificate_file; // PEM, NULL: none
    const char *client_key_file;         // as key_load takes it; loaded by http_new
    uint32_t connections;                // at most, at least 1
    uint32_t timeout_ms;                 // of a whole exchange
    // A connection for each exchange, and HTTP/1.1: for a server that waits on an idle connection
    // before it serves another one.
    bool closes_connections;
};

struct http_request {
    const char *method; // "GET", "POST", "PATCH"
    const char *url;
    const char *headers[HTTP_HEADERS_MAX]; // "Name: value", NULL ends the list
    struct slice body;
    // The request may act on the server (issue a certificate): it leaves at most once. curl would
    // send a POST again, in silence, when a reused connection dies before the first byte of an
    // answer; with this set the exchange ends in HTTP_LOST instead.
    bool at_most_once;
    size_t body_max; // of the answer, bytes; 0: HTTP_BODY_MAX
};

enum http_outcome {
    HTTP_ANSWERED, // status and body are whole
    HTTP_NOT_SENT, // nothing of the request left the station: DNS, connect, TLS
    HTTP_LOST,     // it may have arrived, and there is no whole answer
};

// Valid during the callback.
struct http_response {
    enum http_outcome outcome;
    struct error error; // for NOT_SENT (E_CA_UNREACHABLE, E_CA_TLS) and LOST (E_CA_DOUBT)
    bool is_too_long;   // LOST: the body is longer than was asked for at most
    long status;
    struct slice body;
    char content_type[128];
    char location[512];
    int64_t retry_after_ms; // of Retry-After, seconds or date (RFC 9110, 10.2.3), capped at 1 h; 0:
                            // none
    int64_t date_ms;        // of Date; 0: none
    int64_t total_count;    // of Total-Count; -1: none
    char links[1024];       // of Links or Link
    char authenticate[1024]; // of WWW-Authenticate: all challenges, separated by commas
};

typedef void http_callback(void *context, const struct http_response *response);

// E_CA_CONFIG, and what key_load fails with.
MUST_CHECK bool http_new(struct loop *loop, const struct http_settings *settings,
                         struct http **http, struct error *error);
// Ends what is in progress without callbacks. Takes NULL. Not from inside a callback.
void http_free(struct http *http);

// Starts an exchange; everything is copied. The callback comes later, from the loop. False, and no
// callback, only without memory.
MUST_CHECK bool http_start(struct http *http, const struct http_request *request,
                           http_callback *callback, void *context, struct error *error);

// True for http:// with a literal loopback address, 127.x.x.x or [::1]: the only URLs that may go
// without TLS. Any other such URL ends in HTTP_NOT_SENT with E_CA_CONFIG.
bool http_url_is_loopback(const char *url);

// For the benchmark: connections opened since http_new.
uint64_t http_connections_opened(const struct http *http);

#endif
