// SPDX-License-Identifier: Apache-2.0
#include "station/app/forward_judge.h"

#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "station/base/clock.h"

#define CLOCK_DIFFERENCE_MAX_MS (120 * 1000)

const struct profile *forward_find_profile(const struct config *config,
                                           const struct outbox_message *message,
                                           struct error *error) {
    const struct profile *asked = &message->profile;
    const struct profile *own = config_find_profile(config, asked->name);
    if (own == NULL) {
        error_set(error, E_CONFIG, "the forwarder has no [profile %s]", asked->name);
        return NULL;
    }
    const char *key = message->type != OUTBOX_REVOKE ? outbox_profile_difference(own, asked) : NULL;
    if (key != NULL) {
        error_set(error, E_CONFIG, "[profile %s]: %s is not the same as the forwarder's", own->name,
                  key);
        return NULL;
    }
    return own;
}

static bool judge_csr(const struct ca_request *request, const struct profile *profile,
                      struct error *error) {
    struct csr_facts facts;
    if (!x509_check_csr(request->csr, &facts, error)) {
        return false;
    }
    if (memcmp(facts.spki_sha256, request->spki_sha256, SHA256_SIZE) != 0) {
        return error_set(error, E_CSR_KEY, "the CSR is for another key than the request");
    }
    if (facts.key_type != profile->key_type) {
        return error_set(error, E_CSR_KEY_TYPE, "the CSR's key is of type %u, the profile's %u",
                         facts.key_type, profile->key_type);
    }
    return x509_check_csr_extensions(request->csr, profile, &request->subject, error);
}

static bool judge_clock(const struct ca_request *request, int64_t now_ms, struct error *error) {
    char theirs[CLOCK_TEXT_SIZE];
    char ours[CLOCK_TEXT_SIZE];
    if (llabs(now_ms - request->sent_ms) <= CLOCK_DIFFERENCE_MAX_MS) {
        return true;
    }
    clock_format_utc(theirs, request->sent_ms);
    clock_format_utc(ours, now_ms);
    return error_set(error, E_CLOCK, "the bench sent it at %s, the forwarder's clock says %s",
                     theirs, ours);
}

// Handles become parts of URLs; no CA gives any with these characters.
static bool judge_handle(const struct ca_request *request, bool is_needed, struct error *error) {
    return ((request->handle[0] != '\0' || !is_needed) &&
            strpbrk(request->handle, " /\\?#%&\"'<>") == NULL) ||
           error_set(error, E_CA_REFUSED, "\"%s\" is no handle of a CA", request->handle);
}

bool forward_judge(const struct outbox_message *message, const struct profile *profile,
                   int64_t now_ms, enum ca_outcome *outcome, struct error *error) {
    const struct ca_request *request = &message->request;
    bool is_submit = message->type == OUTBOX_SUBMIT;
    *outcome = CA_NOT_SENT;
    if (is_submit && !judge_clock(request, now_ms, error)) {
        return false;
    }
    *outcome = message->type == OUTBOX_RECONCILE ? CA_DOUBT : CA_REFUSED;
    if (!text_is_label(request->subject.serial)) {
        return error_set(error, E_CAM_MALFORMED, "\"%s\" is no serial", request->subject.serial);
    }
    switch (message->type) {
    case OUTBOX_SUBMIT:
        return judge_csr(request, profile, error);
    case OUTBOX_FETCH:
    case OUTBOX_REVOKE: // some CAs revoke by the certificate
        return judge_handle(request, message->type == OUTBOX_FETCH, error);
    default:
        return true;
    }
}
