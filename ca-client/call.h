// SPDX-License-Identifier: Apache-2.0
// One call of ca_ops from its start to its one result, with its own copy of the request: what every
// backend needs before it speaks any protocol. A backend puts `struct call` first in a struct of its
// own where it keeps more.
#ifndef BIRTHCERT_CA_CALL_H
#define BIRTHCERT_CA_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define CALL_TEXT_SIZE 129 // of a serial or model
#define CALL_HARDWARE_ID_MAX 64
#define CALL_OBJECT_MAX (64 * 1024) // a CSR, a certificate to revoke, an offer

struct call;
typedef void call_step(struct call *call);

// The calls of one open CA that are in progress.
struct call_list {
    struct loop *loop;
    const char *ca; // its name in the configuration, not owned; NULL: none
    struct ca_events events;
    void *context;      // of the events
    void *owner;        // the backend's struct, for its steps
    call_step *on_free; // gives back what a backend keeps beside `struct call`; NULL: nothing
    struct call *first;
    uint32_t count;
};

struct call {
    struct call_list *list;
    struct call *next;
    struct call *previous;
    struct ca_request request; // its pointers lead into this struct
    struct profile profile;
    char serial[CALL_TEXT_SIZE];
    char model[CALL_TEXT_SIZE];
    uint8_t hardware_id[CALL_HARDWARE_ID_MAX];
    char handle[CA_HANDLE_SIZE];
    char replaces[CA_HANDLE_SIZE];
    uint8_t *csr;                     // owned
    uint8_t *certificate;             // owned
    uint8_t *offer;                   // owned
    struct loop_timer *timer;         // owned, may be NULL
    call_step *step;                  // what the timer runs
    int64_t started_ms;               // monotonic
    enum ca_revocation_reason reason; // revoke
    struct ca_result early;           // a result that is known before anything was sent
};

// A call of `size` bytes, at least sizeof(struct call), zero but for that. Never NULL: without
// memory the process ends, since a call that owes a result and cannot give one would hang its unit.
// Where the request is too long, or too many are in progress, call->early has an error, and the
// backend ends the call with call_ends_early.
struct call *call_new(struct call_list *list, size_t size, const struct ca_request *request);
// True where the call cannot even begin; its result is on its way then.
bool call_ends_early(struct call *call);

// Gives the result and frees the call. `result->id` is filled in, and `handle` where it is NULL.
void call_finish(struct call *call, struct ca_result *result);
void call_fail(struct call *call, enum ca_outcome outcome, const struct error *error,
               int64_t retry_after_ms);
// Gives a result that is known already, later from the loop. `error` may be NULL.
void call_finish_later(struct call *call, enum ca_outcome outcome, const struct error *error);
// The end of ca_ops.check.
void call_report(struct call *call, const struct ca_report *report);
// Runs `step` after a while.
void call_delay(struct call *call, int64_t delay_ms, call_step *step);
void call_free(struct call *call);
// Frees what is in progress, without results.
void call_list_end(struct call_list *list);

// What only a person can settle: why, and what to ask the administrator of which CA.
void call_ask_person(const struct call *call, enum error_code code, const char *why,
                     struct error *error);
// Ends a reconcile that only a person can settle: CA_CANNOT_TELL and E_UNIT_HELD, with why, and what
// to ask the CA's administrator. Later from the loop with call_cannot_look, at once with call_hold.
void call_hold(struct call *call, const char *why);
// At a CA that has no way to look: where lost requests are sent again CA_NOT_ISSUED with an error, which
// says that there may be a certificate too many.
void call_cannot_look(struct call *call, bool resends_lost);

#endif
