// SPDX-License-Identifier: Apache-2.0
// EJBCA wants the issuer in its own words: they come from its record of the certificate, which is
// looked up by its serial number and compared byte by byte.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/json_load.h"

// As EJBCA calls them.
static const char *reason_name(enum ca_revocation_reason reason) {
    static const char *const names[] = {
        [CA_REVOKE_UNSPECIFIED] = "UNSPECIFIED",
        [CA_REVOKE_KEY_COMPROMISE] = "KEY_COMPROMISE",
        [CA_REVOKE_AFFILIATION_CHANGED] = "AFFILIATION_CHANGED",
        [CA_REVOKE_SUPERSEDED] = "SUPERSEDED",
        [CA_REVOKE_CESSATION_OF_OPERATION] = "CESSATION_OF_OPERATION",
        [CA_REVOKE_PRIVILEGE_WITHDRAWN] = "PRIVILEGES_WITHDRAWN",
    };
    return (unsigned)reason < CA_REVOKE_COUNT ? names[reason] : NULL;
}

static void finish_revoked(struct call *call) {
    struct ca_result result = {.outcome = CA_REVOKED};
    call_finish(call, &result);
}

// A lost answer leaves it open, and asking once more is safe: the look shows what became of it.
static void judge_revoke(const struct http_response *response, struct ca_result *result) {
    ejbca_explain(response, "the revocation", &result->error);
    result->retry_after_ms = (uint32_t)response->retry_after_ms;
    bool is_answered = response->outcome == HTTP_ANSWERED;
    // A 200 that is not EJBCA's is a front's, perhaps in the place of any other answer.
    bool is_lost = response->outcome == HTTP_LOST || ejbca_is_good(response) ||
                   (is_answered && response->status >= 500);
    bool is_kept_off = response->outcome == HTTP_NOT_SENT || response->status == 401 ||
                       response->status == 403 || response->status == 429;
    result->outcome = is_lost ? CA_DOUBT : is_kept_off ? CA_NOT_SENT : CA_REFUSED;
}

static void handle_revoke(struct call *call, const struct http_response *response) {
    struct ejbca_problem problem;
    struct ca_result result = {0};
    ejbca_read_problem(response->body, &problem);
    bool is_answered = response->outcome == HTTP_ANSWERED;
    if (is_answered && response->status == 409 && problem.is_ejbca) {
        finish_revoked(call); // already
        return;
    }
    if (is_answered && response->status == 202) {
        result.outcome = CA_REFUSED;
        error_set(&result.error, E_CA_POLICY,
                  "EJBCA keeps the revocation until it is approved: have it approved there, then "
                  "revoke again here");
    } else if (ejbca_is_good(response) && json_load_flag(response->body, "revoked")) {
        finish_revoked(call);
        return;
    } else {
        judge_revoke(response, &result);
    }
    call_finish(call, &result);
}

static void send_revoke(struct call *call) {
    const struct ejbca_look *look = &ejbca_call_of(call)->look;
    char behind[128];
    char path[WEB_PATH_SIZE];
    struct error error;
    snprintf(behind, sizeof behind, "/%s/revoke?reason=%s", look->serial,
             reason_name(call->reason));
    if (!ejbca_write_path(path, "/v1/certificate/", look->issuer, behind)) {
        error_set(&error, E_CA_REFUSED, "the issuer's name is too long for a request: %s",
                  look->issuer);
        call_fail(call, CA_REFUSED, &error, 0);
        return;
    }
    web_send_json(call, "PUT", path, NULL, false, handle_revoke);
}

static void end_search(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    struct error error;
    if (own->problem.code != ERROR_NONE) {
        call_fail(call, CA_NOT_SENT, &own->problem, own->retry_after_ms);
    } else if (own->look.revoked > 0) {
        finish_revoked(call);
    } else if (own->look.live > 0) {
        send_revoke(call);
    } else {
        error_set(&error, E_CA_REFUSED,
                  "EJBCA shows the station no such certificate: it may be another CA's, or the "
                  "station's role may not see it");
        call_fail(call, CA_REFUSED, &error, 0);
    }
}

void ejbca_revoke(struct call *call) {
    struct error error;
    if (reason_name(call->reason) == NULL) {
        error_set(&error, E_INTERNAL, "revoke without a known reason");
        call_finish_later(call, CA_REFUSED, &error);
        return;
    }
    ejbca_look(call, EJBCA_BY_SERIAL, end_search);
}
