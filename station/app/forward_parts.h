// SPDX-License-Identifier: Apache-2.0
// Shared by forward*.c only: forward.c has the whole, forward_bench.c one bench's connection,
// forward_call.c the calls between benches and CAs.
#ifndef BIRTHCERT_APP_FORWARD_PARTS_H
#define BIRTHCERT_APP_FORWARD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/ca_outbox_line.h"
#include "ca-client/ca_outbox_message.h"
#include "station/app/config.h"
#include "station/app/forward_attempts.h"
#include "station/app/forward_socket.h"
#include "station/app/output.h"
#include "station/base/buf.h"
#include "station/io/loop.h"

#define FORWARD_BENCHES_MAX 64

struct forward;
struct forward_call;

struct forward_ca {
    struct forward *forward;
    const struct config_ca *config;
    const struct ca_ops *ops;
    struct ca *ca;
    // A report does not say which check it answers: one at a time, the others wait.
    struct forward_call *checks;
};

struct forward_bench {
    struct forward *forward;
    struct outbox_line *line; // NULL: the place is free
    uint64_t number;          // counts connections, from 1
    struct forward_peer peer;
    int64_t since_ms;
    char name[OUTBOX_NAME_SIZE]; // "" until its hello
};

// A call that a CA works on.
struct forward_call {
    struct forward_call *next; // in forward->calls, or in the CA's checks
    struct forward_ca *ca;
    const struct profile *profile;
    enum outbox_type type;
    uint64_t bench; // its number; the bench may be gone
    uint32_t call;
    int64_t id; // for the CA: the same for each call about one key
    uint8_t spki_sha256[SHA256_SIZE];
    int64_t early_ms; // reconcile: how long a scan that finds nothing says nothing
    char bench_name[OUTBOX_NAME_SIZE];
    char serial[OUTBOX_SUBJECT_SIZE];
    char handle[CA_HANDLE_SIZE];
};

struct forward {
    struct loop *loop;
    const struct config *config;
    const struct ca_events *ca_events;
    struct output *output;
    struct forward_socket *socket;
    struct loop_watch *watch;
    struct loop_timer *tick;
    struct attempts *attempts;
    struct outbox_message *message;
    struct buf *out;
    int64_t start_ms; // monotonic
    int64_t alive_ms; // when the benches were last told
    int64_t stop_ms;
    bool stopping;
    uint64_t last_number;
    int64_t last_revocation;
    size_t ca_count;
    struct forward_ca cas[CONFIG_CAS_MAX];
    struct forward_bench benches[FORWARD_BENCHES_MAX];
    size_t call_count; // with the checks that wait
    struct forward_call *calls;
};

// ---- forward_bench.c

// Ends the connection. What the bench was told and did not take in, it learns by asking again.
void forward_drop_bench(struct forward_bench *bench, const struct error *why);
// Sends what is in forward->out; ends the connection where that is not possible. `was_put` is what
// outbox_put_* returned.
void forward_send_out(struct forward_bench *bench, bool was_put);

// ---- forward_ca.c

// NULL where it is not open.
struct forward_ca *forward_find_ca(struct forward *forward, const char *name);
// Opens a CA of the configuration that is not open yet. E_CONFIG, and what opening it says.
MUST_CHECK bool forward_open_ca(struct forward *forward, const struct config_ca *config,
                                struct error *error);

// ---- forward_endpoint.c

// What is behind each profile of the configuration; how many. For the greeting.
size_t forward_list_behind(const struct forward *forward,
                           struct ca_behind behind[CONFIG_PROFILES_MAX]);
// The CA that is to be asked: the profile's own; or where the request went to another one, that one, if a
// section still leads there. NULL, with what to answer: nobody must be asked.
struct forward_ca *forward_choose_ca(struct forward *forward, const struct profile *profile,
                                     const struct outbox_message *message, enum ca_outcome *outcome,
                                     struct error *error);

// ---- forward_call.c

extern const struct ca_events forward_ca_events; // their context is a struct forward_ca

// Any message of a bench but its hello. May end the connection.
void forward_take_call(struct forward_bench *bench, const struct outbox_message *message);
// Takes the call that hangs there out of its list.
void forward_free_call(struct forward_call **link);

#endif
