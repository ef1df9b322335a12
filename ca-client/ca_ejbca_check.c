// SPDX-License-Identifier: Apache-2.0
// What `ca test`, doctor and a tray want to know beforehand: all that can be learned, and whether searches
// find anything.
#include "ca-client/ca_ejbca_internal.h"
#include "station/base/clock.h"

static void remark_names(const struct profile *profile, struct ca_report *report) {
    const char *further = profile_further_names(profile);
    if (further != NULL) {
        site_remark(
            report,
            "EJBCA takes names from the CSR: the cameras' firmware has to put the profile's "
            "%s there, as a trial's CSR has them, or each request is stopped here before it is "
            "sent",
            further);
    }
}

static void report_learned(struct call *call) {
    struct ca *ca = ejbca_of(call);
    struct ca_report *report = &ejbca_call_of(call)->report;
    struct error error;
    site_report_chain(&ca->web.site, buf_slice(ca->chain), clock_wall_ms(), report);
    if (!ejbca_policy_fits(&ca->policy, &call->profile, clock_wall_ms(), &error)) {
        site_note_error(report, &error);
    }
    remark_names(&call->profile, report);
    if (ca->known[0] == '\0') {
        site_remark(report,
                    "EJBCA finds nobody's certificate yet, and while it does not, a lost answer "
                    "ends in a hold: `ca test --issue` once gives it one");
    }
    web_report(call, report, NULL);
}

// ---- what a search must find --------------------------------------------------------------------

static void end_known(struct call *call) {
    if (ejbca_call_of(call)->look.rows == 0) {
        ejbca_of(call)->known[0] = '\0';
    }
    report_learned(call);
}

static void end_authority(struct call *call) {
    if (ejbca_note_listed(call)) {
        ejbca_look_further(call, EJBCA_KNOWN, end_known);
    } else {
        report_learned(call);
    }
}

static void look_around(struct call *call) {
    ejbca_look(call, EJBCA_OF_AUTHORITY, end_authority);
}

static void fail_early(struct call *call) {
    web_report(call, &ejbca_call_of(call)->report, &call->early.error);
}

void ejbca_check(struct call *call) {
    ejbca_call_of(call)->is_check = true;
    ejbca_call_of(call)->report.quota = -1;
    if (call->early.error.code != ERROR_NONE) {
        call_delay(call, 0, fail_early);
    } else {
        ejbca_learn(call, look_around);
    }
}
