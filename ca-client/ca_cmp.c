// SPDX-License-Identifier: Apache-2.0
// A CA that speaks CMP (RFC 4210, 9480, 9483) over HTTP (RFC 6712): the station is its registration
// authority. ca_cmp_talk.h says how a transaction goes; here its messages meet the queue, and its
// ends become outcomes.
#include <openssl/cmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca.h"
#include "ca-client/ca_cmp_talk.h"
#include "ca-client/web.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"

#define WELL_KNOWN_PATH "/.well-known/cmp" // RFC 9480, section 3.3
#define MEDIA_TYPE "application/pkixcmp"   // RFC 6712, section 3.4
#define ASK_AGAIN_MIN_MS 1000
#define ASK_AGAIN_MAX_MS (10 * 60 * 1000)
#define WAITING_MAX_MS (24 * 60 * 60 * 1000)
#define LOST_MAX 10 // pollReqs in a row without an answer

struct ca {
    struct web web;
    struct cmp_station *station;
    char path[WEB_PATH_SIZE];
};

struct cmp_call {
    struct call base;
    struct cmp_talk talk;
    unsigned lost;
    bool was_sent;   // something of it may have reached the CA
    bool is_waiting; // the CA has said that it has the request, and was asked what became of it
};

static struct ca *ca_of(const struct call *call) {
    return call->list->owner;
}

static void free_talk(struct call *base) {
    cmp_talk_free(&((struct cmp_call *)base)->talk);
}

// ---- ends ---------------------------------------------------------------------------------------

// That it was asked in vain what became of a request takes nothing back: the CA has that, and goes on.
static void doubt_waiting(const struct cmp_call *call, struct ca_result *result) {
    if (call->is_waiting && result->outcome != CA_DOUBT) {
        result->outcome = CA_DOUBT;
        result->error.code = E_CA_DOUBT;
        error_prefix(&result->error, "the CA has the request, and cannot be asked");
    }
}

// A certificate counts only with what has to be said of it later.
static void finish_enrolment(struct cmp_call *call, const struct cmp_step *step) {
    struct ca_result result = {.outcome = CA_CERTIFICATE};
    struct buf *offer = NULL;
    if (cmp_talk_offer(&call->talk, &offer, &result.error)) {
        result.leaf = buf_slice(step->leaf);
        result.extra = buf_slice(step->extra);
        result.offer = buf_slice(offer);
    } else {
        result.outcome = CA_DOUBT;
    }
    call_finish(&call->base, &result);
    buf_free(offer);
}

static void report(struct cmp_call *call, enum ca_login login, const struct error *error) {
    struct ca_report report = {.login = login, .quota = -1};
    web_report(&call->base, &report, error);
}

static void finish_done(struct cmp_call *call, const struct cmp_step *step) {
    struct ca_result result = {.outcome =
                                   call->talk.kind == CMP_CONFIRM ? CA_CONFIRMED : CA_REVOKED};
    if (call->talk.kind == CMP_ENROL) {
        finish_enrolment(call, step);
    } else if (call->talk.kind == CMP_GREET) {
        report(call, CA_LOGIN_TAKEN, NULL);
    } else {
        call_finish(&call->base, &result);
    }
}

// Who would not greet, or not so, has read the greeting. That it says nothing against the station does
// not tell whether it looked who sent it.
static void finish_greeting(struct cmp_call *call, const struct error *error) {
    bool is_no_matter = error->code == E_CA_REFUSED;
    report(call, CA_LOGIN_UNTRIED, is_no_matter ? NULL : error);
}

// The CA's no. What was confirmed, or revoked, before is so (RFC 4210, appendix F: certConfirmed,
// certRevoked).
static void finish_refused(struct cmp_call *call, const struct cmp_step *step) {
    char why[ERROR_TEXT_MAX + 64];
    struct ca_result result = {.error = step->error};
    enum cmp_kind kind = call->talk.kind;
    result.outcome = cmp_judge(step->failures, &result.error.code);
    if (kind == CMP_GREET) {
        finish_greeting(call, &result.error);
        return;
    }
    if (kind == CMP_CONFIRM && result.outcome == CA_REFUSED) {
        bool again = cmp_has_failed_with(step->failures, OSSL_CMP_PKIFAILUREINFO_certConfirmed);
        result.outcome = again ? CA_CONFIRMED : CA_REFUSED;
        snprintf(why, sizeof why, "the CA would not hear of the certificate: %s", step->error.text);
        call_ask_person(&call->base, E_CERT_UNCONFIRMED, why, &result.error);
    }
    if (kind == CMP_REVOKE &&
        cmp_has_failed_with(step->failures, OSSL_CMP_PKIFAILUREINFO_certRevoked)) {
        result.outcome = CA_REVOKED;
    }
    // It may have forgotten what it was asked, as after a restart, and not what it issued.
    if (result.outcome == CA_NOT_SENT || call->talk.was_error) {
        doubt_waiting(call, &result);
    }
    call_finish(&call->base, &result);
}

// An answer that is not the CA's, or none that makes sense, says nothing on what the CA did.
static void finish_failed(struct cmp_call *call, const struct error *why) {
    struct error error = *why;
    if (call->talk.kind == CMP_GREET) {
        report(call, CA_LOGIN_UNTRIED, &error);
        return;
    }
    if (call->was_sent) {
        error.code = E_CA_DOUBT;
        error_prefix(&error, "the CA's answer does not count");
    }
    call_fail(&call->base, call->was_sent ? CA_DOUBT : CA_NOT_SENT, &error, 0);
}

// What the web server said by itself, or nobody. It cannot take back a certificate that is on record:
// that the CA is told again.
static void finish_unheard(struct cmp_call *call, const struct http_response *response) {
    struct ca_result result = {0};
    struct error error;
    if (call->talk.kind == CMP_GREET) {
        web_explain(response, "", "CMP", &error);
        report(call, CA_LOGIN_UNTRIED, &error);
        return;
    }
    web_judge(response, "", &result);
    if (result.outcome == CA_REFUSED && call->talk.kind == CMP_CONFIRM) {
        result.outcome = CA_DOUBT;
    }
    doubt_waiting(call, &result);
    call_finish(&call->base, &result);
}

// ---- a transaction's way ------------------------------------------------------------------------

static web_answer hear;
static call_step go;

static void ask_again(struct call *base) {
    ((struct cmp_call *)base)->talk.polls = true;
    go(base);
}

static void wait_for_ca(struct cmp_call *call, int64_t delay_ms) {
    struct error error;
    if (clock_monotonic_ms() - call->base.started_ms > WAITING_MAX_MS) {
        error_set(&error, E_CA_DOUBT, "the CA has the request since a day, and has not issued");
        call_fail(&call->base, CA_DOUBT, &error, 0);
        return;
    }
    delay_ms = delay_ms < ASK_AGAIN_MIN_MS ? ASK_AGAIN_MIN_MS : delay_ms;
    call_delay(&call->base, delay_ms < ASK_AGAIN_MAX_MS ? delay_ms : ASK_AGAIN_MAX_MS, ask_again);
}

static bool is_cmp(const struct http_response *response) {
    return response->outcome == HTTP_ANSWERED && response->body.length > 0 &&
           strncasecmp(response->content_type, MEDIA_TYPE, sizeof MEDIA_TYPE - 1) == 0;
}

// A CMP message counts whatever the HTTP status beside it (RFC 6712, section 3.5): it is what is
// protected. To ask once more whether the CA has issued does no harm.
static void hear(struct call *base, const struct http_response *response) {
    struct cmp_call *call = (struct cmp_call *)base;
    struct error error;
    call->was_sent = call->was_sent || response->outcome != HTTP_NOT_SENT;
    if (!is_cmp(response)) {
        if (call->is_waiting && call->lost++ < LOST_MAX) {
            wait_for_ca(call, (int64_t)ASK_AGAIN_MIN_MS << call->lost);
        } else {
            finish_unheard(call, response);
        }
        return;
    }
    call->lost = 0;
    if (cmp_talk_hear(&call->talk, response->body, &error)) {
        go(base);
    } else {
        finish_failed(call, &error);
    }
}

static void send_message(struct cmp_call *call, struct cmp_step *step) {
    const struct web_request request = {
        .method = "POST",
        .path = ca_of(&call->base)->path,
        .headers = {"Content-Type: " MEDIA_TYPE, "Accept: " MEDIA_TYPE},
        .body = step->message,
        .at_most_once = true,
    };
    step->message = NULL;
    call->is_waiting = call->talk.kind == CMP_ENROL && call->talk.said_count > 0;
    web_send(&call->base, &request, hear);
}

static void go(struct call *base) {
    struct cmp_call *call = (struct cmp_call *)base;
    struct cmp_step step;
    cmp_run(ca_of(base)->station, &call->talk, &step);
    switch (step.turn) {
    case CMP_SEND:
        send_message(call, &step);
        break;
    case CMP_WAIT:
        wait_for_ca(call, (int64_t)step.check_after_s * 1000);
        break;
    case CMP_DONE:
        finish_done(call, &step);
        break;
    case CMP_REFUSED:
        finish_refused(call, &step);
        break;
    default:
        finish_failed(call, &step.error);
    }
    cmp_step_free(&step);
}

// ---- calls --------------------------------------------------------------------------------------

static struct cmp_call *new_call(struct ca *ca, const struct ca_request *request) {
    return (struct cmp_call *)call_new(&ca->web.calls, sizeof(struct cmp_call), request);
}

static void start(struct cmp_call *call, bool is_begun, const struct error *error) {
    call->talk.csr = call->base.request.csr;
    call->talk.certificate = call->base.request.certificate;
    if (is_begun) {
        call_delay(&call->base, 0, go);
    } else {
        call_finish_later(&call->base, CA_NOT_SENT, error);
    }
}

static void cmp_submit(struct ca *ca, const struct ca_request *request) {
    struct cmp_call *call = new_call(ca, request);
    struct error error;
    if (call_ends_early(&call->base)) {
        return;
    }
    if (!x509_check_csr_extensions(call->base.request.csr, request->profile, &request->subject,
                                   &error)) {
        call_finish_later(&call->base, CA_REFUSED, &error);
        return;
    }
    start(call, cmp_talk_begin(&call->talk, CMP_ENROL, &error), &error);
}

// Only what has to be confirmed: CMP gives no handle that outlives a transaction.
static void cmp_fetch(struct ca *ca, const struct ca_request *request) {
    struct cmp_call *call = new_call(ca, request);
    struct error error;
    if (call_ends_early(&call->base)) {
        return;
    }
    if (request->offer.length == 0) {
        error_set(&error, E_CA_UNSUPPORTED, "CMP gave no handle \"%s\": another CA did",
                  call->base.handle);
        call_finish_later(&call->base, CA_NOT_SENT, &error);
        return;
    }
    bool is_begun = cmp_talk_resume(&call->talk, call->base.request.offer, &error);
    call->talk.keeps = request->keeps_offer;
    start(call, is_begun, &error);
}

static void cmp_reconcile(struct ca *ca, const struct ca_request *request) {
    struct cmp_call *call = new_call(ca, request);
    if (!call_ends_early(&call->base)) {
        call_cannot_look(&call->base, ca->web.resends_lost);
    }
}

static void cmp_revoke(struct ca *ca, const struct ca_request *request,
                       enum ca_revocation_reason reason) {
    struct cmp_call *call = new_call(ca, request);
    struct error error;
    if (!call_ends_early(&call->base)) {
        bool is_begun = cmp_talk_begin(&call->talk, CMP_REVOKE, &error);
        call->talk.reason = reason;
        start(call, is_begun, &error);
    }
}

static void report_profile(struct call *base) {
    struct ca_report report = {.quota = -1};
    web_report(base, &report, &base->early.error);
}

static void cmp_check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    struct cmp_call *call = new_call(ca, &request);
    struct error *error = &call->base.early.error;
    if (profile_check(profile, error) && cmp_talk_begin(&call->talk, CMP_GREET, error)) {
        call_delay(&call->base, 0, go);
    } else {
        call_delay(&call->base, 0, report_profile);
    }
}

// ---- opening ------------------------------------------------------------------------------------

static void cmp_close(struct ca *ca) {
    if (ca != NULL) {
        web_close(&ca->web);
        cmp_station_free(ca->station);
        free(ca);
    }
}

static bool is_segment(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~";
    return text[strspn(text, allowed)] == '\0';
}

// The URL's own path is the whole of it, to its last slash; else the well-known one, with the
// profile's name (RFC 9483, section 6.1).
static bool choose_path(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    const char *profile = settings->ca_profile != NULL ? settings->ca_profile : "";
    const char *host = strstr(ca->web.site.base_url, "://");
    bool has_path = host != NULL && strchr(host + 3, '/') != NULL;
    bool has_slash = settings->url[strlen(settings->url) - 1] == '/';
    if (has_path && profile[0] != '\0') {
        return error_set(error, E_CA_CONFIG,
                         "ca_profile goes with " WELL_KNOWN_PATH ", and url has a path of its own");
    }
    if (!is_segment(profile) || strlen(profile) > WEB_PATH_SIZE / 2) {
        return error_set(error, E_CA_CONFIG, "ca_profile: \"%s\" cannot be a part of a URL",
                         profile);
    }
    if (has_path) {
        snprintf(ca->path, sizeof ca->path, "%s", has_slash ? "/" : "");
    } else {
        snprintf(ca->path, sizeof ca->path, WELL_KNOWN_PATH "%s%s", profile[0] != '\0' ? "/p/" : "",
                 profile);
    }
    return true;
}

static bool cmp_open(struct loop *loop, const struct ca_settings *settings,
                     const struct ca_events *events, void *context, struct ca **out,
                     struct error *error) {
    *out = NULL;
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!web_open(&ca->web, loop, settings, events, context, error) ||
        !choose_path(ca, settings, error) || !cmp_station_new(settings, &ca->station, error)) {
        cmp_close(ca);
        return false;
    }
    ca->web.calls.on_free = free_talk;
    *out = ca;
    return true;
}

static const char *const cmp_keys[] = {
    "url",
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    "extra_header",
    "ca_profile",
    "authority",
    "username",
    "password_file",
    "lost_answer",
    "formerly",
    NULL,
};

static const char cmp_example[] = "backend = cmp\n"
                                  "url = https://ca.example\n"
                                  "ca_profile = cameras\n"
                                  "client_certificate_file = cmp/station.pem\n"
                                  "client_key_file = cmp/station.key\n"
                                  "server_root_file = cmp/server-root.pem\n"
                                  "root_file = cmp/root.pem\n";

const struct ca_ops ca_cmp = {
    .name = "cmp",
    .is_public = true,
    .can_revoke = true,
    .waits = true,
    .keys = cmp_keys,
    .remark = "A CA that speaks CMP (RFC 9483), such as EJBCA.",
    .example = cmp_example,
    .not_before_window_s = 0,
    .settle_ms = 0,
    .open = cmp_open,
    .close = cmp_close,
    .check = cmp_check,
    .submit = cmp_submit,
    .fetch = cmp_fetch,
    .reconcile = cmp_reconcile,
    .revoke = cmp_revoke,
};
