// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "ca-client/ca_hvca_internal.h"
#include "station/base/clock.h"

struct hvca_call *hvca_call_new(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->calls, sizeof(struct hvca_call), request);
    struct hvca_call *made = (struct hvca_call *)call;
    made->ca = ca;
    return made;
}

static void run_step(struct call *call) {
    struct hvca_call *due = (struct hvca_call *)call;
    due->step(due);
}

void hvca_call_delay(struct hvca_call *call, int64_t delay_ms, hvca_call_step *step) {
    call->step = step;
    call_delay(&call->base, delay_ms, run_step);
}

void hvca_call_report(struct hvca_call *call, const struct error *error) {
    const struct ca *ca = call->ca;
    struct ca_report *report = call->report;
    if (error != NULL) {
        site_note_error(report, error);
        report->logged_in = ca->session.state == HVCA_LOGGED_IN;
        report->login = report->logged_in ? CA_LOGIN_TAKEN : CA_LOGIN_UNTRIED;
        // What comes right by itself is as good as no answer: the check is made again.
        report->reachable = error_code_class(error->code) != ERROR_CLASS_RETRY &&
                            (report->logged_in || error->code == E_CA_LOGIN);
    }
    report->clock_offset_ms = ca->has_clock ? hvca_ca_now_ms(ca) - clock_wall_ms() : 0;
    call_report(&call->base, report);
}

void hvca_call_fail(struct hvca_call *call, const struct error *error, int64_t retry_after_ms) {
    if (call->report != NULL) {
        hvca_call_report(call, error);
    } else if (call->scan != NULL) {
        call_fail(&call->base, CA_DOUBT, error, retry_after_ms);
    } else {
        call_fail(&call->base, CA_NOT_SENT, error, retry_after_ms);
    }
}

void hvca_certificate_path(char out[HVCA_PATH_SIZE], const char *serial) {
    snprintf(out, HVCA_PATH_SIZE, "/certificates/%s", serial);
}
