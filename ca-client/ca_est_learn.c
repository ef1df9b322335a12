// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_est_internal.h"
#include "station/base/clock.h"

#define NAMES_SIZE 64

// A 401 that could not be answered needs words of its own: it is not the credentials that are wrong.
static void explain(const struct est_call *call, const struct http_response *response,
                    const char *what, struct error *error) {
    char said[EST_SAID_SIZE];
    est_read_text(response, said);
    web_explain(response, said, what, error);
    if (response->outcome != HTTP_ANSWERED) {
        return;
    }
    if (response->status == 401 && est_of(call)->username == NULL) {
        error_set(error, E_CA_LOGIN,
                  "%s: the CA wants a name and a password: username and "
                  "password_file are not set",
                  what);
    } else if (response->status == 404) {
        error_set(error, E_CA_CONFIG,
                  "%s: the CA answered HTTP 404: url or ca_profile (its label) is wrong", what);
    }
}

static void finish(struct est_call *call, const struct error *error, int64_t retry_after_ms) {
    est_of(call)->is_learned = error == NULL;
    call->on_learned(call, error, retry_after_ms);
}

static bool keep_wishes(struct ca *ca, const struct http_response *response, struct error *error) {
    struct buf *der = buf_new(HTTP_BODY_MAX);
    ca->wishes = (struct est_wishes){0};
    bool good = true;
    if (response->status == 200 && response->body.length > 0) {
        good = der != NULL && est_read_body(response->body, der, error) &&
               est_parse_wishes(buf_slice(der), &ca->wishes, error);
    }
    buf_free(der);
    return good || error_prefix(error, "the CA's csrattrs");
}

// RFC 7030, section 4.5.2: 204 and 404 say that there are none.
static void handle_csrattrs(struct est_call *call, const struct http_response *response) {
    struct error error = {0};
    bool has_answer =
        response->outcome == HTTP_ANSWERED &&
        (response->status == 200 || response->status == 204 || response->status == 404);
    if (!has_answer) {
        explain(call, response, "csrattrs", &error);
    }
    if (!has_answer || !keep_wishes(est_of(call), response, &error)) {
        finish(call, &error, response->retry_after_ms);
    } else {
        finish(call, NULL, 0);
    }
}

static bool keep_chain(struct ca *ca, struct slice body, struct error *error) {
    buf_clear(ca->chain);
    buf_clear(ca->others);
    if (!est_read_certificates(body, ca->others, error)) {
        return error_prefix(error, "the CA's cacerts");
    }
    return est_order_chain(buf_slice(ca->others), ca->chain) ||
           error_set(error, E_CA_NONSENSE, "the CA's cacerts hold no certificate");
}

static void handle_cacerts(struct est_call *call, const struct http_response *response) {
    struct error error = {0};
    bool has_answer = response->outcome == HTTP_ANSWERED && response->status == 200;
    if (!has_answer) {
        explain(call, response, "cacerts", &error);
    }
    if (has_answer && keep_chain(est_of(call), response->body, &error)) {
        est_send(call, EST_CSRATTRS, handle_csrattrs);
    } else {
        finish(call, &error, response->retry_after_ms);
    }
}

void est_learn(struct est_call *call, est_next *on_learned) {
    call->on_learned = on_learned;
    est_send(call, EST_CACERTS, handle_cacerts);
}

// ---- check --------------------------------------------------------------------------------------

static void remark_names(const struct profile *profile, struct ca_report *report) {
    const char *further = profile_further_names(profile);
    if (further != NULL) {
        site_remark(report,
                    "this CA takes names from the CSR, where a camera puts the subject only, and a "
                    "trial all of them: it has to add the profile's %s by itself",
                    further);
    }
}

static void report_learned(struct est_call *call, const struct error *failed,
                           int64_t retry_after_ms) {
    const struct ca *ca = est_of(call);
    struct ca_report *report = &call->report;
    struct error error;
    (void)retry_after_ms;
    report->quota = -1;
    if (failed == NULL) {
        site_report_chain(&ca->web.site, buf_slice(ca->chain), clock_wall_ms(), report);
        remark_names(&call->base.profile, report);
        if (!est_profile_fits(&ca->wishes, &call->base.profile, &error)) {
            site_note_error(report, &error);
        }
    }
    web_report(&call->base, report, failed);
}

void est_check(struct est_call *call) {
    const struct ca *ca = est_of(call);
    bool has_login = ca->username != NULL || ca->web.site.certificate_file != NULL;
    call->report.login = has_login ? CA_LOGIN_UNTRIED : CA_LOGIN_NONE;
    est_learn(call, report_learned);
}
