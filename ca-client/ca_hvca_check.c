// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

// The first thing that failed is what the report tells.
static void note_error(struct ca_report *report, const struct error *error) {
    if (report->error.code == ERROR_NONE) {
        report->error = *error;
    }
}

void hvca_check_finish(struct hvca_call *call, const struct error *error) {
    const struct ca *ca = call->ca;
    struct ca_report *report = call->report;
    if (error != NULL) {
        note_error(report, error);
        report->logged_in = ca->session.state == HVCA_LOGGED_IN;
        // What comes right by itself is as good as no answer: the check is made again.
        report->reachable = error_code_class(error->code) != ERROR_CLASS_RETRY &&
                            (report->logged_in || error->code == E_CA_LOGIN);
    }
    report->clock_offset_ms = ca->has_clock ? hvca_ca_now_ms(ca) - clock_wall_ms() : 0;
    ca->events.on_report(ca->context, report);
    hvca_call_free(call);
}

static void handle_quota(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        hvca_explain(response, "the quota", &error);
        note_error(call->report, &error);
    } else if (!hvca_parse_value(response->body, &call->report->quota, &error)) {
        note_error(call->report, &error);
    } else if (call->report->quota == 0) {
        error_set(&error, E_CA_QUOTA, "the CA's quota is used up");
        note_error(call->report, &error);
    }
    hvca_check_finish(call, NULL);
}

static void report_chain(const struct ca *ca, struct ca_report *report) {
    struct slice rest = buf_slice(ca->chain);
    for (size_t i = 0; i < ARRAY_LENGTH(report->chain); i++) {
        struct slice der = x509_first_der(rest);
        if (der.length == 0) {
            return;
        }
        x509_subject_text(der, report->chain[i], sizeof report->chain[i]);
        rest = (struct slice){rest.data + der.length, rest.length - der.length};
    }
}

static void check_policy(struct hvca_call *call) {
    struct ca *ca = call->ca;
    struct ca_report *report = call->report;
    struct error error;
    report->reachable = true;
    report->logged_in = true;
    if (!hvca_clock_fits(ca, &error)) {
        note_error(report, &error);
    }
    if (ca->root_file != NULL &&
        !x509_check_issuer(ca->root_file, ca->intermediates_file, buf_slice(ca->chain),
                           hvca_ca_now_ms(ca), &error)) {
        note_error(report, &error);
    }
    report->policy_fits =
        hvca_policy_fits(&ca->policy, &call->profile, hvca_ca_now_s(ca), true, &error);
    if (!report->policy_fits) {
        note_error(report, &error);
    }
    report_chain(ca, report);
    hvca_send(ca, "GET", "/quotas/issuance", NULL, handle_quota, call);
}

void hvca_check(struct hvca_call *call) {
    struct ca *ca = call->ca;
    struct error error;
    call->report->quota = -1;
    if (ca->certificate_file != NULL &&
        !x509_station_check(ca->certificate_file, ca->key_file,
                            &call->report->station_certificate_not_after_ms, &error)) {
        note_error(call->report, &error);
    }
    hvca_session_retry_now(ca);
    if (ca->facts == HVCA_FACTS_KNOWN) {
        ca->facts = HVCA_FACTS_UNKNOWN; // what counts is the policy as it is now
    }
    hvca_need_facts(call, check_policy);
}
