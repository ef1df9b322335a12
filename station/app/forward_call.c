// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_station.h"
#include "station/app/forward_judge.h"
#include "station/app/forward_parts.h"
#include "station/app/output_forward.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define RETRY_MS 1000
#define RETRY_LOOK_MS 2000

// ---- answers ------------------------------------------------------------------------------------

static struct forward_bench *find_bench(struct forward *forward, uint64_t number) {
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        struct forward_bench *bench = &forward->benches[i];
        if (bench->line != NULL && bench->number == number) {
            return bench;
        }
    }
    return NULL;
}

// A chain that does not fit into a line is left out: the bench has the CA's intermediates then, or
// says that it lacks them.
static bool put_result(struct buf *out, uint32_t call, struct ca_result *result) {
    if (outbox_put_result(out, call, result)) {
        return true;
    }
    result->extra = (struct slice){0};
    log_write(LOG_ERROR, "the CA's chain is too long to pass on");
    return outbox_put_result(out, call, result);
}

static void answer(struct forward *forward, uint64_t number, uint32_t call,
                   struct ca_result *result) {
    struct forward_bench *bench = find_bench(forward, number);
    if (bench != NULL) {
        buf_clear(forward->out);
        forward_send_out(bench, put_result(forward->out, call, result));
    }
}

// An answer that needs no CA. `outcome` as it is for a submit.
static void answer_error(struct forward_bench *bench, const struct outbox_message *message,
                         enum ca_outcome outcome, const struct error *error,
                         uint32_t retry_after_ms) {
    struct ca_result result = {
        .outcome = outcome, .error = *error, .retry_after_ms = retry_after_ms, .handle = ""};
    struct ca_report report = {.reachable = true, .logged_in = true, .error = *error, .quota = -1};
    struct forward *forward = bench->forward;
    if (message->type == OUTBOX_CHECK) {
        buf_clear(forward->out);
        forward_send_out(bench, outbox_put_report(forward->out, message->call, &report));
        return;
    }
    if (message->type == OUTBOX_RECONCILE && outcome == CA_NOT_SENT) {
        result.outcome = CA_DOUBT;
    }
    answer(forward, bench->number, message->call, &result);
}

// ---- results of the CAs -------------------------------------------------------------------------

static uint32_t settle_ms(const struct forward_ca *ca) {
    uint32_t own_ms = ca->config->settings.settle_ms;
    return own_ms > 0 ? own_ms : ca->ops->settle_ms;
}

// 0: the scan counts.
static uint32_t retry_look_ms(int64_t early_ms) {
    return early_ms <= 0 ? 0 : early_ms < RETRY_LOOK_MS ? (uint32_t)early_ms : RETRY_LOOK_MS;
}

// Where the call hangs in the list; the list's end where there is none.
static struct forward_call **find_call(struct forward *forward, int64_t id) {
    struct forward_call **link = &forward->calls;
    while (*link != NULL && (*link)->id != id) {
        link = &(*link)->next;
    }
    return link;
}

void forward_free_call(struct forward_call **link) {
    struct forward_call *call = *link;
    *link = call->next;
    call->ca->forward->call_count--;
    free(call);
}

// One line for what a person may want to look for: what was issued, or will not be.
static void log_result(const struct forward_call *call, const struct ca_result *result) {
    struct ca_result shown = *result;
    struct output_forwarded forwarded = {
        .bench = call->bench_name,
        .serial = call->serial,
        .profile = call->profile->name,
        .ca = call->ca->config->name,
        .call = outbox_type_name(call->type),
        .result = &shown,
    };
    if (shown.handle[0] == '\0') {
        shown.handle = call->handle;
    }
    bool is_step = result->outcome == CA_ACCEPTED || result->outcome == CA_NOT_ISSUED ||
                   (call->type != OUTBOX_SUBMIT && result->outcome == CA_NOT_SENT) ||
                   (call->type == OUTBOX_RECONCILE && result->outcome == CA_DOUBT);
    if (!is_step) {
        output_forwarded(call->ca->forward->output, &forwarded);
    }
}

static void handle_result(void *context, const struct ca_result *from_ca) {
    struct forward_ca *ca = context;
    struct forward *forward = ca->forward;
    struct forward_call **link = find_call(forward, from_ca->id);
    const struct forward_call *call = *link;
    struct ca_result result = *from_ca;
    if (call == NULL) {
        return;
    }
    if (call->type == OUTBOX_SUBMIT) {
        bool did_nothing = result.outcome == CA_NOT_SENT || result.outcome == CA_REFUSED;
        attempts_end(forward->attempts, call->spki_sha256, loop_now_ms(forward->loop),
                     did_nothing ? 0 : settle_ms(ca));
    }
    if (result.outcome == CA_NOT_ISSUED) {
        // The CA may have said by itself that it was asked too early.
        uint32_t early_ms = retry_look_ms(call->early_ms);
        result.retry_after_ms = result.retry_after_ms > early_ms ? result.retry_after_ms : early_ms;
    }
    log_result(call, &result);
    answer(forward, call->bench, call->call, &result);
    forward_free_call(link);
}

static void start_check(struct forward_ca *ca) {
    if (ca->checks != NULL) {
        ca->ops->check(ca->ca, ca->checks->profile);
    }
}

static void handle_report(void *context, const struct ca_report *from_ca) {
    struct forward_ca *ca = context;
    struct forward *forward = ca->forward;
    const struct forward_call *call = ca->checks;
    struct ca_report report = *from_ca;
    if (call == NULL) {
        return;
    }
    snprintf(report.behind, sizeof report.behind, "CA %s (%s)", ca->config->name, ca->ops->name);
    report.is_private = !ca->ops->is_public;
    struct forward_bench *bench = find_bench(forward, call->bench);
    if (bench != NULL) {
        buf_clear(forward->out);
        forward_send_out(bench, outbox_put_report(forward->out, call->call, &report));
    }
    forward_free_call(&ca->checks);
    start_check(ca);
}

const struct ca_events forward_ca_events = {
    .on_result = handle_result,
    .on_report = handle_report,
};

// ---- calls of the benches -----------------------------------------------------------------------

static struct forward_call describe_call(const struct forward_bench *bench, struct forward_ca *ca,
                                         const struct profile *profile,
                                         const struct outbox_message *message) {
    struct forward_call call = {
        .ca = ca,
        .profile = profile,
        .type = message->type,
        .bench = bench->number,
        .call = message->call,
    };
    memcpy(call.spki_sha256, message->request.spki_sha256, SHA256_SIZE);
    memcpy(call.bench_name, bench->name, sizeof call.bench_name);
    memcpy(call.serial, message->serial, sizeof call.serial);
    memcpy(call.handle, message->handle, sizeof call.handle);
    return call;
}

static struct forward_call *new_call(struct forward_bench *bench, struct forward_ca *ca,
                                     const struct profile *profile,
                                     const struct outbox_message *message) {
    struct forward_call *call = calloc(1, sizeof *call);
    struct forward_call **end = message->type == OUTBOX_CHECK ? &ca->checks : &ca->forward->calls;
    if (call == NULL) {
        // Every call owes an answer. After a crash the benches ask what became of theirs.
        log_write(LOG_ERROR, "no memory for a call to the CA");
        abort();
    }
    *call = describe_call(bench, ca, profile, message);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = call;
    ca->forward->call_count++;
    return call;
}

static void take_check(struct forward_bench *bench, struct forward_ca *ca,
                       const struct profile *profile, const struct outbox_message *message) {
    const struct forward_call *call = new_call(bench, ca, profile, message);
    if (ca->checks == call) {
        start_check(ca);
    }
}

static struct attempt_origin origin_of(const struct forward_bench *bench) {
    const struct forward *forward = bench->forward;
    struct attempt_origin origin = {.connection = bench->number, .oldest = bench->number};
    for (size_t i = 0; i < FORWARD_BENCHES_MAX; i++) {
        const struct forward_bench *other = &forward->benches[i];
        if (other->line == NULL || other->number >= bench->number) {
            continue;
        }
        origin.oldest = other->number < origin.oldest ? other->number : origin.oldest;
        origin.has_older =
            origin.has_older || other->name[0] == '\0' || strcmp(other->name, bench->name) == 0;
    }
    return origin;
}

// Whether the call may go to the CA now; else it was answered. One key, one call at a time: then it
// is known whose result comes, and no look-up overtakes a submission.
static bool begin_call(struct forward_bench *bench, const struct outbox_message *message,
                       int64_t id, int64_t *early_ms) {
    struct forward *forward = bench->forward;
    const struct ca_request *request = &message->request;
    struct forward_call *busy = *find_call(forward, id);
    int64_t now_ms = loop_now_ms(forward->loop);
    const struct attempt_origin origin = origin_of(bench);
    struct error error = {0};
    if (message->type == OUTBOX_RECONCILE) {
        *early_ms = attempts_look(forward->attempts, request->spki_sha256, &origin, now_ms);
    }
    if (busy != NULL && busy->type == message->type && busy->type != OUTBOX_SUBMIT) {
        // The same question, asked by a connection that broke: its answer goes to the new one.
        busy->bench = bench->number;
        busy->call = message->call;
        return false;
    }
    if (busy != NULL && message->type == OUTBOX_RECONCILE) {
        answer_error(bench, message, CA_NOT_ISSUED, &error, RETRY_MS);
        return false;
    }
    if (busy != NULL) {
        error_set(&error, E_CA_BUSY, "a %s for this key is in progress",
                  outbox_type_name(busy->type));
        answer_error(bench, message, message->type == OUTBOX_SUBMIT ? CA_DOUBT : CA_NOT_SENT,
                     &error, RETRY_MS);
        return false;
    }
    if (message->type == OUTBOX_SUBMIT &&
        !attempts_begin(forward->attempts, request->spki_sha256, request->sent_ms, &origin, now_ms,
                        &error)) {
        answer_error(bench, message, error.code == E_CA_BUSY ? CA_NOT_SENT : CA_DOUBT, &error, 0);
        return false;
    }
    return true;
}

// Whether the CA can be seen to have issued the certificate.
static bool has_issued(const struct forward_ca *ca, struct slice certificate) {
    const struct ca_settings *settings = &ca->config->settings;
    const char *root_file =
        settings->root_file != NULL ? settings->root_file : settings->ca_certificate_file;
    struct error ignored;
    return root_file != NULL && certificate.length > 0 &&
           x509_check_issuer(root_file, settings->intermediates_file, certificate, clock_wall_ms(),
                             &ignored);
}

// What the CA cannot do is answered as its backend's data would have the core decide. That a CA revokes
// nothing ends a revocation at the bench, so it has to be that certificate's: the profile may have had
// another one when it was issued.
static bool is_supported(struct forward_bench *bench, struct forward_ca *ca,
                         const struct profile *profile, const struct outbox_message *message) {
    struct error error;
    if (message->type != OUTBOX_REVOKE || ca->ops->can_revoke) {
        return true;
    }
    bool is_its_own = has_issued(ca, message->request.certificate);
    error_set(&error, E_CA_UNSUPPORTED, "CA %s revokes nothing%s", ca->config->name,
              is_its_own ? "" : ", and root_file of its section does not show that it issued this");
    if (is_its_own) {
        const struct forward_call call = describe_call(bench, ca, profile, message);
        const struct ca_result result = {.outcome = CA_REFUSED, .error = error, .handle = ""};
        log_result(&call, &result);
    }
    answer_error(bench, message, is_its_own ? CA_REFUSED : CA_NOT_SENT, &error, 0);
    return false;
}

static void pass_on(const struct forward_ca *ca, const struct outbox_message *message,
                    const struct ca_request *request) {
    switch (message->type) {
    case OUTBOX_SUBMIT:
        ca->ops->submit(ca->ca, request);
        break;
    case OUTBOX_FETCH:
        ca->ops->fetch(ca->ca, request);
        break;
    case OUTBOX_RECONCILE:
        ca->ops->reconcile(ca->ca, request);
        break;
    default:
        ca->ops->revoke(ca->ca, request, message->reason);
    }
}

static void take_request(struct forward_bench *bench, struct forward_ca *ca,
                         const struct profile *profile, const struct outbox_message *message) {
    struct forward *forward = bench->forward;
    struct ca_request request = message->request;
    int64_t early_ms = 0;
    // By the key, so that the backend recognizes what it is asked about again; a revocation is on its
    // own.
    request.id = message->type == OUTBOX_REVOKE
                     ? --forward->last_revocation
                     : (int64_t)(load_be64(request.spki_sha256) & INT64_MAX);
    request.profile = profile;
    if (ca->ops->not_before_window_s < OUTBOX_STAMP_WINDOW_S) {
        request.not_before_s = 0;
    }
    if (!is_supported(bench, ca, profile, message) ||
        !begin_call(bench, message, request.id, &early_ms)) {
        return;
    }
    // One before, which may have sent until we started, was killed: its requests settle, too.
    int64_t young_ms = forward->start_ms + settle_ms(ca) - loop_now_ms(forward->loop);
    early_ms = early_ms > young_ms ? early_ms : young_ms;
    struct forward_call *call = new_call(bench, ca, profile, message);
    call->id = request.id;
    call->early_ms = early_ms;
    pass_on(ca, message, &request);
}

void forward_take_call(struct forward_bench *bench, const struct outbox_message *message) {
    struct forward *forward = bench->forward;
    struct error error;
    enum ca_outcome outcome = CA_NOT_SENT;
    const struct profile *profile = forward_find_profile(forward->config, message, &error);
    if (profile == NULL) {
        answer_error(bench, message, CA_NOT_SENT, &error, 0);
        return;
    }
    if (forward->stopping || forward->call_count >= CA_PENDING_MAX) {
        error_set(&error, E_CA_BUSY, "birthcert forward %s",
                  forward->stopping ? "is being stopped" : "has too many calls in progress");
        answer_error(bench, message, CA_NOT_SENT, &error, 0);
        return;
    }
    struct forward_ca *ca = forward_find_ca(forward, profile->ca);
    if (message->type == OUTBOX_CHECK) {
        take_check(bench, ca, profile, message);
        return;
    }
    bool is_good = forward_judge(message, profile, clock_wall_ms(), &outcome, &error);
    ca = is_good ? forward_choose_ca(forward, profile, message, &outcome, &error) : NULL;
    if (ca == NULL) {
        char context[sizeof bench->name + sizeof message->serial + 16];
        snprintf(context, sizeof context, "bench %s, %s", bench->name, message->serial);
        log_error(context, &error);
        answer_error(bench, message, outcome, &error, 0);
        return;
    }
    take_request(bench, ca, profile, message);
}
