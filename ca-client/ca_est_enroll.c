// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_est_internal.h"
#include "ca-client/x509.h"

// A CA that accepts a request has to say when to come back (RFC 7030, section 4.2.3). Some say an hour
// whatever they are about to do, so nobody is waited for longer than an exchange may take.
#define COME_BACK_DEFAULT_MS 5000
#define COME_BACK_MIN_MS 1000
#define HANDLE "the same request again"

static void set_doubt(struct ca_result *result, const char *why, const struct error *error) {
    result->outcome = CA_DOUBT;
    error_set(&result->error, E_CA_DOUBT, "the CA answered HTTP 200, %s%s%s", why,
              error != NULL ? ": " : "", error != NULL ? error->text : "");
}

static void give_certificate(struct est_call *call, const struct http_response *response,
                             struct ca_result *result) {
    const struct ca *ca = est_of(call);
    struct error error;
    struct slice leaf;
    struct slice others = buf_slice(ca->others);
    struct buf *certificates = buf_new(EST_CERTIFICATES_MAX);
    struct buf *extra = buf_new(2 * EST_CERTIFICATES_MAX);
    if (certificates == NULL || extra == NULL) {
        set_doubt(result, "and there is no memory for it", NULL);
    } else if (!est_read_certificates(response->body, certificates, &error)) {
        set_doubt(result, "with no certificates", &error);
    } else if (!est_pick_leaf(buf_slice(certificates), call->base.request.spki_sha256, &leaf,
                              extra) ||
               !buf_put(extra, others.data, others.length)) {
        set_doubt(result, "without a certificate for the camera", NULL);
    } else {
        result->outcome = CA_CERTIFICATE;
        result->leaf = leaf;
        result->extra = buf_slice(extra);
    }
    call_finish(&call->base, result);
    buf_free(certificates);
    buf_free(extra);
}

static uint32_t come_back_ms(const struct ca *ca, int64_t retry_after_ms) {
    int64_t wait_ms = retry_after_ms > 0 ? retry_after_ms : COME_BACK_DEFAULT_MS;
    wait_ms = wait_ms < ca->web.site.timeout_ms ? wait_ms : ca->web.site.timeout_ms;
    return (uint32_t)(wait_ms > COME_BACK_MIN_MS ? wait_ms : COME_BACK_MIN_MS);
}

// The statuses that want the same request at another address (RFC 9110, section 15.4). The others may stand
// in the place of an answer: a front that lost the CA's leads to a page of its own with 302.
static bool asks_elsewhere(const struct http_response *response) {
    return response->status == 301 || response->status == 307 || response->status == 308;
}

static void handle_enroll(struct est_call *call, const struct http_response *response) {
    char said[EST_SAID_SIZE];
    struct ca_result result = {0};
    bool has_answer = response->outcome == HTTP_ANSWERED;
    if (has_answer && response->status == 200) {
        give_certificate(call, response, &result);
        return;
    }
    if (has_answer && response->status == 202) {
        result.outcome = CA_ACCEPTED;
        result.handle = HANDLE;
        result.retry_after_ms = come_back_ms(est_of(call), response->retry_after_ms);
    } else if (has_answer && asks_elsewhere(response)) {
        // Nothing is followed, so nothing was done.
        result.outcome = CA_NOT_SENT;
        error_set(&result.error, E_CA_CONFIG, "the CA answered HTTP %ld: correct url (%s)",
                  response->status,
                  response->location[0] != '\0' ? response->location : "it does not say where to");
    } else {
        est_read_text(response, said);
        web_judge(response, said, &result);
    }
    call_finish(&call->base, &result);
}

static void fail(struct est_call *call, enum ca_outcome outcome, const struct error *error,
                 int64_t retry_after_ms) {
    call_fail(&call->base, outcome, error, retry_after_ms);
}

static void send_request(struct est_call *call, const struct error *failed,
                         int64_t retry_after_ms) {
    const struct ca *ca = est_of(call);
    const struct ca_request *request = &call->base.request;
    struct error error;
    if (failed != NULL) {
        fail(call, CA_NOT_SENT, failed, retry_after_ms);
    } else if (!x509_check_csr_subject(request->csr, request->profile, &request->subject, &error)) {
        fail(call, CA_REFUSED, &error, 0);
    } else if (!est_csr_fits(&ca->wishes, request->profile, request->csr, &error)) {
        fail(call, CA_NOT_SENT, &error, 0);
    } else {
        est_send(call, EST_SIMPLEENROLL, handle_enroll);
    }
}

static void send_learned(struct call *base) {
    send_request((struct est_call *)base, NULL, 0);
}

void est_enroll(struct est_call *call) {
    if (est_of(call)->is_learned) {
        call_delay(&call->base, 0, send_learned);
    } else {
        est_learn(call, send_request);
    }
}
