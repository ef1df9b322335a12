// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

#define TRIES_MAX 4
#define TRY_DELAY_MS 500

static void send_revocation(struct hvca_call *call);

static void finish_revoked(struct hvca_call *call) {
    struct ca_result result = {.outcome = CA_REVOKED};
    call_finish(&call->base, &result);
}

// After a no, or a page that is not the CA's: the certificate may be revoked already, by a request whose
// answer was lost.
static void handle_look(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    bool is_revoked = false;
    struct buf *pem = buf_new(HTTP_BODY_MAX);
    bool is_read = pem != NULL && response->outcome == HTTP_ANSWERED && response->status == 200 &&
                   hvca_parse_certificate(response->body, pem, &is_revoked, &error);
    buf_free(pem);
    if (is_read && is_revoked) {
        finish_revoked(call);
    } else {
        call_fail(&call->base, CA_REFUSED, &call->base.early.error, 0);
    }
}

static void handle_refusal(struct hvca_call *call, const struct http_response *response) {
    char path[HVCA_PATH_SIZE];
    hvca_explain(response, "the revocation", &call->base.early.error);
    hvca_certificate_path(path, call->base.handle);
    hvca_send(call->ca, "GET", path, NULL, handle_look, call);
}

static void handle_revocation(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    call->tries++;
    if (response->outcome == HTTP_ANSWERED && response->status == 204) {
        finish_revoked(call);
        return;
    }
    hvca_explain(response, "the revocation", &error);
    bool is_lost = response->outcome == HTTP_LOST || response->status >= 500;
    bool is_kept_off = response->outcome == HTTP_NOT_SENT || response->status == 401 ||
                       response->status == 403 || response->status == 429;
    if (is_kept_off) {
        call_fail(&call->base, CA_NOT_SENT, &error, response->retry_after_ms);
    } else if (is_lost && call->tries < TRIES_MAX) {
        // To revoke once more does no harm, so a lost answer needs no look-up.
        hvca_call_delay(call, (int64_t)TRY_DELAY_MS << call->tries, send_revocation);
    } else if (is_lost) {
        call_fail(&call->base, CA_DOUBT, &error, response->retry_after_ms);
    } else {
        handle_refusal(call, response);
    }
}

static void send_revocation(struct hvca_call *call) {
    char path[HVCA_PATH_SIZE];
    struct error error;
    struct buf *body = buf_new(256);
    if (body == NULL || !buf_printf(body, "{\"revocation_reason\":\"%s\"}",
                                    ca_revocation_reason_name(call->base.reason))) {
        buf_free(body);
        error_set(&error, E_MEMORY, "no memory for a revocation");
        call_finish_later(&call->base, CA_NOT_SENT, &error);
        return;
    }
    hvca_certificate_path(path, call->base.handle);
    hvca_send(call->ca, "PATCH", path, body, handle_revocation, call);
}

void hvca_revoke(struct hvca_call *call) {
    char serial[CA_HANDLE_SIZE];
    struct error error;
    if (ca_revocation_reason_name(call->base.reason) == NULL ||
        !hvca_read_serial(call->base.handle, strlen(call->base.handle), serial)) {
        error_set(&error, E_INTERNAL, "revoke without a certificate's serial or a known reason");
        call_finish_later(&call->base, CA_REFUSED, &error);
        return;
    }
    send_revocation(call);
}
