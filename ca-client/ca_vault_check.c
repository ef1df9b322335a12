// SPDX-License-Identifier: Apache-2.0
// What can be known before anything is bought: whether the token is good and for how long, what the role
// issues, by which CA, and what the token's policies let it do.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "station/base/clock.h"

static bool may(const struct ca *ca, struct slice body, const char *what, const char *capability) {
    char path[WEB_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", ca->mount, what);
    return vault_may(body, path, capability);
}

static void check_capabilities(struct call *call, struct slice body) {
    const struct ca *ca = vault_ca_of(call);
    struct ca_report *report = &vault_to_call(call)->report;
    char sign[VAULT_NAME_MAX + 8];
    struct error error;
    snprintf(sign, sizeof sign, "sign/%s", ca->role_name);
    if (!may(ca, body, sign, "update")) {
        error_set(&error, E_CA_LOGIN, "the token's policies lack update on %s/%s", ca->mount, sign);
        site_note_error(report, &error);
    }
    if (!may(ca, body, "certs", "list")) {
        site_remark(report, "a lost answer cannot be looked up: the policies lack list on %s/certs",
                    ca->mount);
    }
    if (!may(ca, body, "revoke", "update")) {
        site_remark(report, "the policies lack update on %s/revoke", ca->mount);
    }
}

static void handle_capabilities(struct call *call, const struct http_response *response) {
    struct vault_call *vault = vault_to_call(call);
    struct error error;
    bool is_answered = response->outcome == HTTP_ANSWERED;
    if (is_answered && response->status == 200) {
        check_capabilities(call, response->body);
    } else if (!is_answered || (response->status != 403 && response->status != 404)) {
        vault_explain(response, "capabilities-self", &error);
        web_report(call, &vault->report, &error);
        return;
    }
    // Without the policy "default" it is not told what the token may do.
    error = vault->report.error;
    web_report(call, &vault->report, error.code != ERROR_NONE ? &error : NULL);
}

static void check_facts(struct call *call) {
    const struct ca *ca = vault_ca_of(call);
    struct ca_report *report = &vault_to_call(call)->report;
    struct error error;
    vault_token_remark(ca, report->remark, sizeof report->remark);
    if (ca->role == NULL) {
        site_remark(report,
                    "profile and role are not compared, and no lost answer is looked up: the "
                    "policies lack read on %s/roles/%s",
                    ca->mount, ca->role_name);
    } else if (vault_flag(ca->role, "no_store")) {
        site_remark(report, "a lost answer cannot be looked up: no_store");
    }
    if (!vault_facts_fit(ca, &call->profile, &error)) {
        site_note_error(report, &error);
    }
    site_report_chain(&ca->web.site, buf_slice(ca->chain), clock_wall_ms(), report);
    struct buf *body = vault_write_capabilities(ca, &error);
    if (body == NULL) {
        web_report(call, report, &error);
        return;
    }
    const struct vault_request request = {
        .method = "POST", .path = "/v1/sys/capabilities-self", .body = body};
    vault_send(call, &request, handle_capabilities);
}

static void fail_early(struct call *call) {
    vault_fail(call, &call->early.error, 0);
}

void vault_check(struct call *call) {
    vault_to_call(call)->is_check = true;
    vault_to_call(call)->report.quota = -1;
    if (call->early.error.code != ERROR_NONE) {
        call_delay(call, 0, fail_early);
    } else {
        vault_need_facts(call, true, check_facts);
    }
}
