// SPDX-License-Identifier: Apache-2.0
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/base64.h"
#include "ca-client/ca_est_internal.h"
#include "station/base/log.h"

#define LOGINS_MAX 2 // a challenge, and another one because its nonce was too old

static const char *const names[] = {
    [EST_CACERTS] = "cacerts",
    [EST_CSRATTRS] = "csrattrs",
    [EST_SIMPLEENROLL] = "simpleenroll",
};

struct ca *est_of(const struct est_call *call) {
    return call->base.list->owner;
}

static const char *method_of(enum est_operation operation) {
    return operation == EST_SIMPLEENROLL ? "POST" : "GET";
}

// Secret. NULL where the server has not asked for it, or nothing is known to answer it with.
static struct buf *make_authorization(struct est_call *call, const char *path) {
    struct ca *ca = est_of(call);
    char uri[SITE_URL_SIZE + WEB_PATH_SIZE];
    uint8_t random[(HTTP_AUTH_NONCE_SIZE - 1) / 2];
    char client_nonce[HTTP_AUTH_NONCE_SIZE];
    struct error error;
    if (ca->auth.scheme == HTTP_AUTH_NONE || ca->username == NULL) {
        return NULL;
    }
    snprintf(uri, sizeof uri, "%s%s", ca->base_path, path);
    struct buf *line = buf_new(HTTP_AUTH_LINE_MAX);
    bool done = line != NULL && RAND_bytes(random, sizeof random) == 1;
    hex_encode(client_nonce, random, done ? sizeof random : 0);
    const struct http_auth_request request = {
        .method = method_of(call->operation),
        .uri = uri,
        .username = ca->username,
        .password = buf_text(ca->password),
        .client_nonce = client_nonce,
    };
    if (done && http_auth_answer(&ca->auth, &request, line, &error)) {
        return line;
    }
    buf_free_secret(line);
    log_write(LOG_ERROR, "EST: no answer to the server's challenge can be made");
    return NULL;
}

static struct buf *make_body(const struct est_call *call) {
    struct buf *body = buf_new(WEB_REQUEST_MAX * 2);
    if (body == NULL || !base64_encode(call->base.request.csr, true, body)) {
        log_write(LOG_ERROR, "no memory for a request to the CA");
        abort();
    }
    return body;
}

static void handle_answer(struct call *base, const struct http_response *response);

static void send_once(struct est_call *call) {
    struct ca *ca = est_of(call);
    char path[WEB_PATH_SIZE + 16];
    bool enrolls = call->operation == EST_SIMPLEENROLL;
    size_t count = 0;
    snprintf(path, sizeof path, "%s%s", ca->operations, names[call->operation]);
    struct buf *authorization = make_authorization(call, path);
    struct web_request request = {
        .method = method_of(call->operation),
        .path = path,
        .body = enrolls ? make_body(call) : NULL,
        .at_most_once = enrolls,
    };
    if (enrolls) {
        request.headers[count++] = "Content-Type: application/pkcs10";
        request.headers[count++] = "Content-Transfer-Encoding: base64";
    }
    if (authorization != NULL) {
        request.headers[count++] = buf_text(authorization);
    }
    call->was_signed = authorization != NULL;
    web_send(&call->base, &request, handle_answer);
    buf_free_secret(authorization);
}

// A 401 says that the server did nothing, so even an issuing request may be sent once more. A Basic
// answer that was refused is wrong; a Digest one may have had a nonce that is too old.
static bool answers_challenge(struct est_call *call, const struct http_response *response) {
    struct ca *ca = est_of(call);
    struct http_auth auth;
    if (response->outcome != HTTP_ANSWERED || response->status != 401 || ca->username == NULL ||
        call->logins == LOGINS_MAX || !http_auth_take(&auth, response->authenticate)) {
        return false;
    }
    bool was_old = call->logins == 0 ? auth.scheme != HTTP_AUTH_BASIC : auth.is_stale;
    if (call->was_signed && !was_old) {
        return false;
    }
    ca->auth = auth;
    call->logins++;
    return true;
}

static void handle_answer(struct call *base, const struct http_response *response) {
    struct est_call *call = (struct est_call *)base;
    bool is_good = response->outcome == HTTP_ANSWERED && response->status / 100 == 2;
    if (answers_challenge(call, response)) {
        send_once(call);
    } else {
        if (call->logins > 0 && is_good) {
            call->report.login = CA_LOGIN_TAKEN; // it would not have answered without
        }
        call->on_answer(call, response);
    }
}

void est_send(struct est_call *call, enum est_operation operation, est_answer *on_answer) {
    call->operation = operation;
    call->on_answer = on_answer;
    call->logins = 0;
    send_once(call);
}
