// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"

// An account's policy and its issuing CA change now and then, while a station runs for months.
#define FACTS_LIFE_MS (10 * 60 * 1000)

static void resume_waiting(struct ca *ca) {
    while (ca->waiting != NULL) {
        struct hvca_call *call = ca->waiting;
        ca->waiting = call->next_waiting;
        call->step(call);
    }
}

// The list is taken off first: a callback may make a new call, which starts over.
static void fail_waiting(struct ca *ca, const struct error *error, int64_t retry_after_ms) {
    struct hvca_call *call = ca->waiting;
    ca->waiting = NULL;
    ca->facts = HVCA_FACTS_UNKNOWN;
    while (call != NULL) {
        struct hvca_call *next = call->next_waiting;
        hvca_call_fail(call, error, retry_after_ms);
        call = next;
    }
}

static bool is_good(const struct http_response *response, const char *what, struct error *error) {
    if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        return true;
    }
    hvca_explain(response, what, error);
    return false;
}

static bool read_chain(struct ca *ca, const struct http_response *response, struct error *error) {
    struct buf *pem = buf_new(HVCA_CHAIN_MAX);
    struct buf *der = buf_new(HVCA_CHAIN_MAX);
    bool good = pem != NULL && der != NULL;
    if (!good) {
        error_set(error, E_MEMORY, "no memory for the CA's trust chain");
    }
    good = good && is_good(response, "the trust chain", error) &&
           hvca_parse_chain(response->body, pem, error);
    // An account without a chain is possible: the configuration then has the intermediates.
    if (good && buf_length(pem) > 0) {
        good = x509_pem_to_der(buf_slice(pem), der, error) ||
               error_prefix(error, "the CA's trust chain");
    }
    buf_free(pem);
    if (!good) {
        buf_free(der);
        return false;
    }
    buf_free(ca->chain);
    ca->chain = der;
    return true;
}

static void handle_chain(void *context, const struct http_response *response) {
    struct ca *ca = context;
    struct error error;
    if (!read_chain(ca, response, &error)) {
        fail_waiting(ca, &error, response->retry_after_ms);
        return;
    }
    ca->facts = HVCA_FACTS_KNOWN;
    ca->facts_ms = clock_monotonic_ms();
    resume_waiting(ca);
}

static void handle_policy(void *context, const struct http_response *response) {
    struct ca *ca = context;
    struct error error;
    if (!is_good(response, "the validation policy", &error) ||
        !hvca_parse_policy(response->body, &ca->policy, &error)) {
        fail_waiting(ca, &error, response->retry_after_ms);
        return;
    }
    hvca_send(ca, "GET", "/trustchain", NULL, handle_chain, ca);
}

void hvca_need_facts(struct hvca_call *call, hvca_call_step *step) {
    struct ca *ca = call->ca;
    if (ca->facts == HVCA_FACTS_KNOWN && clock_monotonic_ms() - ca->facts_ms > FACTS_LIFE_MS) {
        ca->facts = HVCA_FACTS_UNKNOWN;
    }
    if (ca->facts == HVCA_FACTS_KNOWN) {
        step(call);
        return;
    }
    call->step = step;
    call->next_waiting = ca->waiting;
    ca->waiting = call;
    if (ca->facts == HVCA_FACTS_UNKNOWN) {
        ca->facts = HVCA_FACTS_LOADING;
        hvca_send(ca, "GET", "/validationpolicy", NULL, handle_policy, ca);
    }
}
