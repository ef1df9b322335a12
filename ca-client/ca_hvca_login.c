// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

// JSON text of a key or secret, which are printable ASCII.
static bool put_text(struct buf *body, struct slice text) {
    bool done = buf_put_text(body, "\"");
    for (size_t i = 0; done && i < text.length; i++) {
        char c = (char)text.data[i];
        done = (c != '"' && c != '\\') || buf_put_text(body, "\\");
        done = done && buf_put(body, &c, 1);
    }
    return done && buf_put_text(body, "\"");
}

static struct buf *write_login(const struct ca *ca) {
    struct buf *body = buf_new(4 * HVCA_SECRET_MAX + 64);
    if (body == NULL || !buf_put_text(body, "{\"api_key\":") ||
        !put_text(body, buf_slice(ca->api_key)) || !buf_put_text(body, ",\"api_secret\":") ||
        !put_text(body, buf_slice(ca->api_secret)) || !buf_put_text(body, "}")) {
        buf_free_secret(body);
        return NULL;
    }
    return body;
}

// With TLS 1.3 a server that does not accept the station's certificate says so only after the
// handshake, as an alert.
static void explain_loss(const struct http_response *response, struct error *error) {
    bool is_alert = strstr(response->error.text, "alert") != NULL;
    *error = response->error;
    error->code = is_alert ? E_CA_TLS : E_CA_UNREACHABLE;
    error_prefix(error, "login");
}

static void explain_login(const struct http_response *response, struct error *error) {
    char problem[HVCA_PROBLEM_SIZE];
    hvca_parse_problem(response->body, problem);
    switch (response->status) {
    case 400:
    case 401:
    case 403:
    case 422:
        error_set(error, E_CA_LOGIN, "the CA refused the login: HTTP %ld %s", response->status,
                  problem);
        break;
    default:
        hvca_explain(response, "login", error);
    }
}

static void handle_login(void *context, const struct http_response *response) {
    struct ca *ca = context;
    struct error error;
    if (response->outcome == HTTP_LOST) {
        explain_loss(response, &error);
    } else if (response->outcome == HTTP_NOT_SENT) {
        error = response->error;
    } else if (response->status != 200) {
        explain_login(response, &error);
    } else if (hvca_parse_login(response->body, ca->session.token, &error)) {
        ca->session.on_login(ca, NULL, 0);
        return;
    }
    ca->session.on_login(ca, &error, response->retry_after_ms);
}

void hvca_login_start(struct ca *ca, hvca_login_done *on_done) {
    char url[SITE_URL_SIZE];
    struct error error;
    ca->session.on_login = on_done;
    // A renewal: the token before it is no longer needed, exchanges under way hold their own.
    buf_free_secret(ca->session.token);
    ca->session.token = buf_new(HVCA_TOKEN_MAX);
    struct buf *body = write_login(ca);
    snprintf(url, sizeof url, "%s/login", ca->site.base_url);
    if (ca->session.token == NULL || body == NULL) {
        buf_free_secret(body);
        error_set(&error, E_MEMORY, "no memory for the login");
        ca->session.on_login(ca, &error, 0);
        return;
    }
    struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = {"Content-Type: application/json;charset=utf-8", ca->site.extra_header},
        .body = buf_slice(body),
    };
    bool started = http_start(ca->site.http, &request, handle_login, ca, &error);
    buf_free_secret(body);
    if (!started) {
        ca->session.on_login(ca, &error, 0);
    }
}
