// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "station/base/clock.h"

static void handle_quota(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        hvca_explain(response, "the quota", &error);
        site_note_error(call->report, &error);
    } else if (!hvca_parse_value(response->body, &call->report->quota, &error)) {
        site_note_error(call->report, &error);
    } else if (call->report->quota == 0) {
        error_set(&error, E_CA_QUOTA, "the CA's quota is used up");
        site_note_error(call->report, &error);
    }
    hvca_call_report(call, NULL);
}

static void check_policy(struct hvca_call *call) {
    struct ca *ca = call->ca;
    struct ca_report *report = call->report;
    struct error error;
    report->reachable = true;
    report->logged_in = true;
    report->login = CA_LOGIN_TAKEN;
    if (!hvca_clock_fits(ca, &error)) {
        site_note_error(report, &error);
    }
    site_report_chain(&ca->site, buf_slice(ca->chain), hvca_ca_now_ms(ca), report);
    report->policy_fits =
        hvca_policy_fits(&ca->policy, &call->base.profile, hvca_ca_now_s(ca), true, &error);
    if (!report->policy_fits) {
        site_note_error(report, &error);
    }
    hvca_send(ca, "GET", "/quotas/issuance", NULL, handle_quota, call);
}

void hvca_check(struct hvca_call *call) {
    struct ca *ca = call->ca;
    call->report->quota = -1;
    site_report_station(&ca->site, call->report);
    hvca_session_retry_now(ca);
    if (ca->facts == HVCA_FACTS_KNOWN) {
        ca->facts = HVCA_FACTS_UNKNOWN; // what counts is the policy as it is now
    }
    hvca_need_facts(call, check_policy);
}
