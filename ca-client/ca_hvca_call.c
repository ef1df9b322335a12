// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "ca-client/ca_hvca_internal.h"

struct hvca_call *hvca_call_new(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->calls, sizeof(struct hvca_call), request);
    struct hvca_call *made = (struct hvca_call *)call;
    made->ca = ca;
    return made;
}

void hvca_call_end(struct call *call) {
    const struct hvca_call *ended = (const struct hvca_call *)call;
    hvca_scan_free(ended->scan);
    free(ended->report);
}

static void run_step(struct call *call) {
    struct hvca_call *due = (struct hvca_call *)call;
    due->step(due);
}

void hvca_call_delay(struct hvca_call *call, int64_t delay_ms, hvca_call_step *step) {
    call->step = step;
    call_delay(&call->base, delay_ms, run_step);
}
