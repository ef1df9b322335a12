// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"

#define POLL_FIRST_MS 50
#define POLL_MAX_MS 5000
#define POLL_LIMIT_MS (5 * 60 * 1000)
#define FAILURES_MAX 6
#define FAILURE_FIRST_MS 200
#define SILENCE_MAX_MS 2500 // the station has to know soon that the CA is out
#define WAIT_MAX_MS 60000   // the station itself waits for what takes longer

static void poll_certificate(struct hvca_call *call);

static void give_certificate(struct hvca_call *call, struct slice certificates) {
    const struct ca *ca = call->ca;
    struct error error;
    struct slice leaf = x509_first_der(certificates);
    struct slice chain = buf_slice(ca->chain);
    struct buf *extra = buf_new(HTTP_BODY_MAX + HVCA_CHAIN_MAX);
    if (extra == NULL ||
        !buf_put(extra, leaf.data + leaf.length, certificates.length - leaf.length) ||
        !buf_put(extra, chain.data, chain.length)) {
        error_set(&error, E_MEMORY, "no memory for a certificate");
        call_fail(&call->base, CA_NOT_SENT, &error, 0);
    } else {
        struct ca_result result = {
            .outcome = CA_CERTIFICATE, .leaf = leaf, .extra = buf_slice(extra)};
        call_finish(&call->base, &result);
    }
    buf_free(extra);
}

// The certificate exists, so a failure here is never a refusal: it is fetched again later.
static void fail_fetch(struct hvca_call *call, const struct error *error, int64_t retry_after_ms) {
    call_fail(&call->base, CA_NOT_SENT, error, retry_after_ms);
}

static void poll_again_after_failure(struct hvca_call *call, const struct error *error,
                                     int64_t retry_after_ms) {
    call->failures++;
    if (call->unknown_count > FAILURES_MAX) {
        // Not a lag any more: the CA has no such certificate. The lists tell what it has.
        call_fail(&call->base, CA_REFUSED, error, 0);
        return;
    }
    if (call->failures > FAILURES_MAX || retry_after_ms > WAIT_MAX_MS) {
        fail_fetch(call, error, retry_after_ms);
        return;
    }
    int64_t delay_ms = (int64_t)FAILURE_FIRST_MS << call->failures;
    hvca_call_delay(call, retry_after_ms > delay_ms ? retry_after_ms : delay_ms, poll_certificate);
}

static void handle_issued(struct hvca_call *call, const struct http_response *response) {
    call->unknown_count = 0;
    bool is_revoked = false;
    struct error error;
    struct buf *pem = buf_new(HTTP_BODY_MAX);
    struct buf *der = buf_new(HTTP_BODY_MAX);
    if (pem == NULL || der == NULL) {
        error_set(&error, E_MEMORY, "no memory for a certificate");
        fail_fetch(call, &error, 0);
    } else if (!hvca_parse_certificate(response->body, pem, &is_revoked, &error)) {
        poll_again_after_failure(call, &error, 0);
    } else if (is_revoked) {
        error_set(&error, E_CA_REFUSED, "the certificate %s is revoked", call->base.handle);
        call_fail(&call->base, CA_REFUSED, &error, 0);
    } else if (!x509_pem_to_der(buf_slice(pem), der, &error)) {
        error_set(&error, E_CA_NONSENSE, "the certificate %s cannot be read", call->base.handle);
        poll_again_after_failure(call, &error, 0);
    } else {
        give_certificate(call, buf_slice(der));
    }
    buf_free(pem);
    buf_free(der);
}

static void handle_pending(struct hvca_call *call) {
    struct error error;
    call->failures = 0;
    call->unknown_count = 0;
    call->silent_since_ms = 0;
    if (clock_monotonic_ms() - call->base.started_ms > POLL_LIMIT_MS) {
        error_set(&error, E_CA_BUSY, "the certificate %s is still pending", call->base.handle);
        fail_fetch(call, &error, 0);
        return;
    }
    call->delay_ms = call->delay_ms * 8 / 5;
    call->delay_ms = call->delay_ms < POLL_MAX_MS ? call->delay_ms : POLL_MAX_MS;
    hvca_call_delay(call, call->delay_ms, poll_certificate);
}

static void handle_poll(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        handle_issued(call, response);
        return;
    }
    if (response->outcome == HTTP_ANSWERED && response->status == 202) {
        handle_pending(call);
        return;
    }
    hvca_explain(response, "the certificate", &error);
    // A 404 may be a copy of the CA's data that lags behind the one that named the certificate.
    bool is_unknown = response->outcome == HTTP_ANSWERED && response->status == 404;
    call->unknown_count = is_unknown ? call->unknown_count + 1 : 0;
    call->silent_since_ms = is_unknown ? 0 : call->silent_since_ms;
    bool is_out = !is_unknown && clock_monotonic_ms() - call->silent_since_ms > SILENCE_MAX_MS;
    if (!is_out && (hvca_is_passing(response) || is_unknown)) {
        poll_again_after_failure(call, &error, response->retry_after_ms);
    } else {
        fail_fetch(call, &error, response->retry_after_ms);
    }
}

static void poll_certificate(struct hvca_call *call) {
    char path[HVCA_PATH_SIZE];
    if (call->silent_since_ms == 0) {
        call->silent_since_ms = clock_monotonic_ms();
    }
    hvca_certificate_path(path, call->base.handle);
    hvca_send(call->ca, "GET", path, NULL, handle_poll, call);
}

static void start_polling(struct hvca_call *call) {
    call->delay_ms = POLL_FIRST_MS;
    hvca_call_delay(call, call->delay_ms, poll_certificate);
}

void hvca_fetch(struct hvca_call *call) {
    char serial[CA_HANDLE_SIZE];
    struct error error;
    if (!hvca_read_serial(call->base.handle, strlen(call->base.handle), serial)) {
        error_set(&error, E_INTERNAL, "fetch without a certificate's serial");
        call_finish_later(&call->base, CA_DOUBT, &error);
        return;
    }
    hvca_need_facts(call, start_polling); // the trust chain goes with the certificate
}
