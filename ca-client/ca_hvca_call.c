// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "station/base/clock.h"
#include "station/base/log.h"

static void *need_memory(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        // Every call owes a result; without one its unit would hang. A start after a crash is safe.
        log_write(LOG_ERROR, "no memory for a call to the CA");
        abort();
    }
    return memory;
}

// False where something is longer than any request that the station makes.
static bool copy_request(struct hvca_call *call, const struct ca_request *request) {
    const struct profile_subject *subject = &request->subject;
    call->request = *request;
    if (request->profile != NULL) {
        call->profile = *request->profile;
    }
    bool fits =
        text_copy(call->serial, sizeof call->serial,
                  subject->serial != NULL ? subject->serial : "") &&
        text_copy(call->model, sizeof call->model, subject->model != NULL ? subject->model : "") &&
        text_copy(call->handle, sizeof call->handle,
                  request->handle != NULL ? request->handle : "") &&
        subject->hardware_id_length <= sizeof call->hardware_id &&
        request->csr.length <= HVCA_REQUEST_MAX;
    if (fits && subject->hardware_id_length > 0) {
        memcpy(call->hardware_id, subject->hardware_id, subject->hardware_id_length);
    }
    if (fits && request->csr.length > 0) {
        call->csr = need_memory(request->csr.length);
        memcpy(call->csr, request->csr.data, request->csr.length);
    }
    call->request.profile = &call->profile;
    call->request.subject = (struct profile_subject){
        .serial = call->serial,
        .model = call->model,
        .hardware_id = call->hardware_id,
        .hardware_id_length = fits ? subject->hardware_id_length : 0,
    };
    call->request.csr = (struct slice){call->csr, fits ? request->csr.length : 0};
    call->request.handle = call->handle;
    return fits;
}

struct hvca_call *hvca_call_new(struct ca *ca, const struct ca_request *request) {
    struct hvca_call *call = need_memory(sizeof *call);
    call->ca = ca;
    call->started_ms = clock_monotonic_ms();
    call->started_wall_ms = clock_wall_ms();
    call->next = ca->calls;
    if (ca->calls != NULL) {
        ca->calls->previous = call;
    }
    ca->calls = call;
    ca->call_count++;
    if (!copy_request(call, request)) {
        error_set(&call->early.error, E_INTERNAL, "a request to the CA is too long");
        call->early.outcome = CA_REFUSED;
    } else if (ca->call_count > CA_PENDING_MAX) {
        error_set(&call->early.error, E_CA_BUSY, "%d calls to the CA are in progress already",
                  CA_PENDING_MAX);
        call->early.outcome = CA_NOT_SENT;
    }
    return call;
}

static void unlink_call(struct hvca_call *call) {
    struct ca *ca = call->ca;
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        ca->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    ca->call_count--;
}

void hvca_call_free(struct hvca_call *call) {
    unlink_call(call);
    loop_timer_free(call->timer);
    hvca_scan_free(call->scan);
    free(call->report);
    free(call->csr);
    free(call);
}

void hvca_call_finish(struct hvca_call *call, struct ca_result *result) {
    const struct ca *ca = call->ca;
    result->id = call->request.id;
    if (result->handle == NULL) {
        result->handle = call->handle;
    }
    ca->events.on_result(ca->context, result);
    hvca_call_free(call);
}

void hvca_call_fail(struct hvca_call *call, enum ca_outcome outcome, const struct error *error,
                    int64_t retry_after_ms) {
    struct ca_result result = {
        .outcome = outcome,
        .error = *error,
        .retry_after_ms = retry_after_ms > 0 ? (uint32_t)retry_after_ms : 0,
    };
    hvca_call_finish(call, &result);
}

static void run_step(void *context) {
    struct hvca_call *call = context;
    call->step(call);
}

void hvca_call_delay(struct hvca_call *call, int64_t delay_ms, hvca_call_step *step) {
    call->step = step;
    if (call->timer == NULL) {
        call->timer = loop_timer_new(call->ca->loop, run_step, call);
    }
    if (call->timer == NULL) {
        log_write(LOG_ERROR, "no memory for a timer");
        abort();
    }
    loop_timer_start(call->timer, delay_ms);
}

static void finish_early(struct hvca_call *call) {
    hvca_call_finish(call, &call->early);
}

void hvca_call_finish_later(struct hvca_call *call, enum ca_outcome outcome,
                            const struct error *error) {
    call->early.outcome = outcome;
    call->early.error = *error;
    hvca_call_delay(call, 0, finish_early);
}
