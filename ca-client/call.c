// SPDX-License-Identifier: Apache-2.0
#include "ca-client/call.h"

#include <stdlib.h>
#include <string.h>

#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define STATE_ROOM 13 // the history says "quarantined: " before it

static void *need_memory(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        // Every call owes a result; without one its unit would hang. A start after a crash is safe.
        log_write(LOG_ERROR, "no memory for a call to the CA");
        abort();
    }
    return memory;
}

static uint8_t *copy_object(struct slice from, struct slice *copy) {
    uint8_t *object = NULL;
    if (from.length > 0) {
        object = need_memory(from.length);
        memcpy(object, from.data, from.length);
    }
    *copy = (struct slice){object, from.length};
    return object;
}

static const char *or_empty(const char *text) {
    return text != NULL ? text : "";
}

// False where something is longer than any request that the station makes.
static bool copy_request(struct call *call, const struct ca_request *request) {
    const struct profile_subject *subject = &request->subject;
    call->request = *request;
    if (request->profile != NULL) {
        call->profile = *request->profile;
    }
    bool fits = text_copy(call->serial, sizeof call->serial, or_empty(subject->serial)) &&
                text_copy(call->model, sizeof call->model, or_empty(subject->model)) &&
                text_copy(call->handle, sizeof call->handle, or_empty(request->handle)) &&
                text_copy(call->replaces, sizeof call->replaces, or_empty(request->replaces)) &&
                subject->hardware_id_length <= sizeof call->hardware_id &&
                request->csr.length <= CALL_OBJECT_MAX &&
                request->certificate.length <= CALL_OBJECT_MAX &&
                request->offer.length <= CALL_OBJECT_MAX;
    if (fits && subject->hardware_id_length > 0) {
        memcpy(call->hardware_id, subject->hardware_id, subject->hardware_id_length);
    }
    struct slice none = {0};
    call->csr = copy_object(fits ? request->csr : none, &call->request.csr);
    call->certificate = copy_object(fits ? request->certificate : none, &call->request.certificate);
    call->offer = copy_object(fits ? request->offer : none, &call->request.offer);
    call->request.profile = &call->profile;
    call->request.subject = (struct profile_subject){
        .serial = call->serial,
        .model = call->model,
        .hardware_id = call->hardware_id,
        .hardware_id_length = fits ? subject->hardware_id_length : 0,
    };
    call->request.handle = call->handle;
    call->request.replaces = call->replaces;
    return fits;
}

struct call *call_new(struct call_list *list, size_t size, const struct ca_request *request) {
    struct call *call = need_memory(size);
    call->list = list;
    call->started_ms = clock_monotonic_ms();
    call->next = list->first;
    if (list->first != NULL) {
        list->first->previous = call;
    }
    list->first = call;
    list->count++;
    if (!copy_request(call, request)) {
        error_set(&call->early.error, E_INTERNAL, "a request to the CA is too long");
        call->early.outcome = CA_REFUSED;
    } else if (list->count > CA_PENDING_MAX) {
        error_set(&call->early.error, E_CA_BUSY, "%d calls to the CA are in progress already",
                  CA_PENDING_MAX);
        call->early.outcome = CA_NOT_SENT;
    }
    return call;
}

static void unlink_call(struct call *call) {
    struct call_list *list = call->list;
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        list->first = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    list->count--;
}

void call_free(struct call *call) {
    unlink_call(call);
    if (call->list->on_free != NULL) {
        call->list->on_free(call);
    }
    loop_timer_free(call->timer);
    free(call->csr);
    free(call->certificate);
    free(call->offer);
    free(call);
}

void call_list_end(struct call_list *list) {
    struct call *next;
    for (struct call *call = list->first; call != NULL; call = next) {
        next = call->next;
        call_free(call);
    }
}

void call_finish(struct call *call, struct ca_result *result) {
    const struct call_list *list = call->list;
    result->id = call->request.id;
    if (result->handle == NULL) {
        result->handle = call->handle;
    }
    list->events.on_result(list->context, result);
    call_free(call);
}

void call_fail(struct call *call, enum ca_outcome outcome, const struct error *error,
               int64_t retry_after_ms) {
    struct ca_result result = {
        .outcome = outcome,
        .error = *error,
        .retry_after_ms = retry_after_ms > 0 ? (uint32_t)retry_after_ms : 0,
    };
    call_finish(call, &result);
}

void call_report(struct call *call, const struct ca_report *report) {
    const struct call_list *list = call->list;
    list->events.on_report(list->context, report);
    call_free(call);
}

static void run_step(void *context) {
    struct call *call = context;
    call->step(call);
}

void call_delay(struct call *call, int64_t delay_ms, call_step *step) {
    call->step = step;
    if (call->timer == NULL) {
        call->timer = loop_timer_new(call->list->loop, run_step, call);
    }
    if (call->timer == NULL) {
        log_write(LOG_ERROR, "no memory for a timer");
        abort();
    }
    loop_timer_start(call->timer, delay_ms);
}

static void finish_early(struct call *call) {
    call_finish(call, &call->early);
}

void call_finish_later(struct call *call, enum ca_outcome outcome, const struct error *error) {
    call->early.outcome = outcome;
    call->early.error = error != NULL ? *error : (struct error){0};
    call_delay(call, 0, finish_early);
}

bool call_ends_early(struct call *call) {
    if (call->early.error.code == ERROR_NONE) {
        return false;
    }
    call_delay(call, 0, finish_early);
    return true;
}

void call_ask_person(const struct call *call, enum error_code code, const char *why,
                     struct error *error) {
    const struct ca_request *request = &call->request;
    char key[2 * SHA256_SIZE + 1];
    char sent[CLOCK_TEXT_SIZE];
    struct error task;
    hex_encode(key, request->spki_sha256, SHA256_SIZE);
    clock_format_utc(sent, request->sent_ms);
    bool is_rekey = call->replaces[0] != '\0';
    error_set(&task, code, "ask the administrator of CA %s for %s%s%skey SHA-256 %s, %s, serial %s",
              or_empty(call->list->ca), is_rekey ? "the rekey of " : "", call->replaces,
              is_rekey ? " to " : "", key, request->sent_ms > 0 ? sent : "time unknown",
              call->serial);
    // Where it is too long, `why` is cut: the rest is what has to be done.
    int room = ERROR_TEXT_MAX - STATE_ROOM - (int)sizeof ": " - (int)strlen(task.text);
    error_set(error, code, "%.*s: %s", room > 0 ? room : 0, why, task.text);
}

void call_hold(struct call *call, const char *why) {
    struct error error;
    call_ask_person(call, E_UNIT_HELD, why, &error);
    log_error("CA look-up", &error);
    call_fail(call, CA_CANNOT_TELL, &error, 0);
}

static void hold(struct call *call) {
    call_hold(call, "this CA cannot be asked what it issued");
}

void call_cannot_look(struct call *call, bool resends_lost) {
    struct error error;
    if (resends_lost) {
        error_set(&error, E_CA_DOUBT, "sent again; nobody knows whether the first was issued");
        call_finish_later(call, CA_NOT_ISSUED, &error);
    } else {
        call_delay(call, 0, hold);
    }
}
