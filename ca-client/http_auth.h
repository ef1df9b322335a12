// SPDX-License-Identifier: Apache-2.0
// The answer to a server's WWW-Authenticate: Basic (RFC 7617) and Digest (RFC 7616). curl knows both,
// but finds out which one is wanted by sending the request twice.
#ifndef BIRTHCERT_CA_HTTP_AUTH_H
#define BIRTHCERT_CA_HTTP_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/buf.h"
#include "station/base/error.h"

#define HTTP_AUTH_TEXT_SIZE 512
#define HTTP_AUTH_NONCE_SIZE 33 // of client_nonce, with its NUL
#define HTTP_AUTH_LINE_MAX 4096 // of the header that answers

// The better one has the greater number.
enum http_auth_scheme {
    HTTP_AUTH_NONE,
    HTTP_AUTH_BASIC,
    HTTP_AUTH_DIGEST_MD5,
    HTTP_AUTH_DIGEST_SHA256,
    HTTP_AUTH_DIGEST_SHA512_256,
};

// A challenge, and how often it was answered. All zero: none was made.
struct http_auth {
    enum http_auth_scheme scheme;
    bool is_session;      // the algorithm's -sess form
    bool names_algorithm; // else MD5 is meant, and is not named in the answer
    bool has_quality;     // qop holds auth; else RFC 2069's form
    bool has_opaque;
    bool is_stale; // only the nonce was too old
    char realm[HTTP_AUTH_TEXT_SIZE];
    char nonce[HTTP_AUTH_TEXT_SIZE];
    char opaque[HTTP_AUTH_TEXT_SIZE];
    uint32_t count; // of answers with this nonce
};

// Takes the best challenge of WWW-Authenticate that can be answered. False, and `auth` is as it was,
// where there is none.
MUST_CHECK bool http_auth_take(struct http_auth *auth, const char *challenges);

struct http_auth_request {
    const char *method;
    const char *uri; // path and query, as the request line has them
    const char *username;
    const char *password;
    const char *client_nonce; // printable, at most HTTP_AUTH_NONCE_SIZE - 1; unguessable
};

// Appends "Authorization: ..." without a line end. Wipe it: it is as good as the password. False
// without memory, or where an algorithm is not to be had. The scheme is not NONE.
MUST_CHECK bool http_auth_answer(struct http_auth *auth, const struct http_auth_request *request,
                                 struct buf *line, struct error *error);

#endif
