// SPDX-License-Identifier: Apache-2.0
// The CAs are asked to revoke.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/revoker_internal.h"
#include "station/base/clock.h"

#define REPEAT_MS 1000

static bool is_open(const struct revocation *revocation) {
    return revocation->is_chosen && !revocation->is_answered;
}

static void stop_when_done(struct revoker *revoker) {
    for (size_t i = 0; i < revoker->count; i++) {
        if (is_open(&revoker->revocations[i]) && revoker->fault.code == ERROR_NONE) {
            return;
        }
    }
    loop_stop(revoker->loop);
}

// Others that wait for a CA which has no time would each wait as long.
static void note_silent(struct revoker *revoker, const struct revocation *revocation) {
    const struct config_ca *ca = config_find_ca(revoker->config, revocation->stored.ca);
    if (ca != NULL) {
        revoker->is_silent[ca - revoker->config->cas] = true;
    }
}

// The record stays as it is; that it was tried is history.
static void give_up(struct revoker *revoker, struct revocation *revocation) {
    struct record record = revoker_record_of(&revocation->stored, RECORD_EVENT);
    char handle[HANDLE_SIZE];
    revoker_write_handle(&revocation->stored, handle);
    struct error error = revocation->error;
    error_prefix(&error, "certificate %s is not known to be revoked", handle);
    record.error = error.code;
    memcpy(record.text, error.text, sizeof record.text);
    revocation->is_answered = true;
    if (revoker->fault.code == ERROR_NONE && revoker_commit_one(revoker, &record, &error)) {
        revoker_show(revoker, revocation);
    } else if (revoker->fault.code == ERROR_NONE) {
        revoker->fault = error;
    }
}

// By the CA's own word: it revoked the certificate, or revokes none. Only what is durable is shown.
static void end(struct revoker *revoker, struct revocation *revocation,
                enum certificate_state state) {
    struct record record = revoker_record_of(
        &revocation->stored, state == CERTIFICATE_REVOKED ? RECORD_REVOKED : RECORD_WITHDRAWN);
    struct error error;
    revocation->is_answered = true;
    if (!revoker_commit_one(revoker, &record, &error)) {
        revoker->fault = error;
        return;
    }
    revocation->stored.state = state;
    revoker_show(revoker, revocation);
}

static void ask(struct revoker *revoker, struct revocation *revocation) {
    const struct store_certificate *stored = &revocation->stored;
    char handle[HANDLE_SIZE];
    struct issuer_revocation request = {
        .certificate_id = stored->certificate_id,
        .ca = stored->ca,
        .endpoint = stored->endpoint,
        .profile = stored->profile,
        .reason = CA_REVOKE_UNSPECIFIED,
        .serial = stored->serial,
        .handle = handle,
        .leaf = stored->certificate.chain,
    };
    revoker_write_handle(stored, handle);
    if (!ca_revocation_reason_find(stored->reason, &request.reason)) {
        request.reason = CA_REVOKE_UNSPECIFIED; // of a newer program
    }
    revocation->repeat_ms = 0;
    revocation->is_asked = issuer_revoke(revoker->issuer, &request, &revocation->error);
    bool revokes_nothing = !revocation->is_asked && revocation->error.code == E_CA_UNSUPPORTED;
    if (revokes_nothing && stored->endpoint[0] != '\0') {
        // It was asked for while another CA stood here.
        end(revoker, revocation, CERTIFICATE_WITHDRAWN);
    } else if (!revocation->is_asked) { // nothing went out, which is no history
        revocation->is_answered = true;
        revoker_show(revoker, revocation);
    }
}

static void handle_revoked(void *context, int64_t certificate_id, const struct ca_result *result) {
    struct revoker *revoker = context;
    struct revocation *revocation = NULL;
    for (size_t i = 0; i < revoker->count; i++) {
        bool is_it = revoker->revocations[i].stored.certificate_id == certificate_id;
        revocation = is_it ? &revoker->revocations[i] : revocation;
    }
    if (revocation == NULL || !revocation->is_asked || revocation->is_answered) {
        return;
    }
    revocation->is_asked = false;
    revocation->error = result->error;
    int64_t repeat_ms = loop_now_ms(revoker->loop) +
                        (result->retry_after_ms > REPEAT_MS ? result->retry_after_ms : REPEAT_MS);
    bool passes =
        result->outcome == CA_NOT_SENT && error_code_class(result->error.code) == ERROR_CLASS_RETRY;
    bool may_help = passes && repeat_ms < revoker->deadline_ms;
    if (result->outcome == CA_REVOKED) {
        end(revoker, revocation, CERTIFICATE_REVOKED);
    } else if (result->outcome == CA_REFUSED && result->error.code == E_CA_UNSUPPORTED) {
        end(revoker, revocation, CERTIFICATE_WITHDRAWN); // of a CA behind a forwarder
    } else if (may_help) {
        revocation->repeat_ms = repeat_ms;
    } else {
        if (passes) {
            note_silent(revoker, revocation);
        }
        give_up(revoker, revocation);
    }
    stop_when_done(revoker);
}

static void handle_repeat(void *context) {
    struct revoker *revoker = context;
    int64_t now_ms = loop_now_ms(revoker->loop);
    bool is_late = now_ms >= revoker->deadline_ms;
    loop_timer_start(revoker->repeat, REPEAT_MS / 4);
    for (size_t i = 0; i < revoker->count; i++) {
        struct revocation *revocation = &revoker->revocations[i];
        if (!is_open(revocation)) {
            continue;
        }
        if (is_late) {
            if (revocation->error.code == ERROR_NONE) {
                error_set(&revocation->error, E_CA_DOUBT, "the CA %s has not answered %s",
                          revocation->stored.ca,
                          revoker->interrupted ? "before the interruption" : "in time");
            }
            if (!revoker->interrupted) {
                note_silent(revoker, revocation);
            }
            give_up(revoker, revocation);
        } else if (revocation->repeat_ms != 0 && revocation->repeat_ms <= now_ms) {
            ask(revoker, revocation);
        }
    }
    stop_when_done(revoker);
}

// Nothing is asked any more: what is open ends as it does when time is up.
static void handle_signal(void *context) {
    struct revoker *revoker = context;
    revoker->interrupted = true;
    revoker->deadline_ms = loop_now_ms(revoker->loop);
    loop_timer_start(revoker->repeat, 0);
}

static bool open_cas(struct revoker *revoker, struct error *error) {
    revoker->view = malloc(sizeof *revoker->view);
    if (revoker->view == NULL) {
        return error_set(error, E_MEMORY, "no memory for revocations");
    }
    memcpy(revoker->view, revoker->config, sizeof *revoker->view);
    revoker->view->profile_count = 0;
    if (!loop_new(&revoker->loop, error) ||
        !issuer_new(revoker->loop, revoker->view, NULL, revoker, &revoker->issuer, error)) {
        return false;
    }
    issuer_on_revoked(revoker->issuer, handle_revoked);
    revoker->repeat = loop_timer_new(revoker->loop, handle_repeat, revoker);
    if (revoker->repeat == NULL) {
        return error_set(error, E_MEMORY, "no memory for revocations");
    }
    return loop_on_stop_signal(revoker->loop, handle_signal, revoker, error);
}

static void close_cas(struct revoker *revoker) {
    issuer_free(revoker->issuer);
    loop_timer_free(revoker->repeat);
    loop_free(revoker->loop);
    free(revoker->view);
    revoker->issuer = NULL;
    revoker->repeat = NULL;
    revoker->loop = NULL;
    revoker->view = NULL;
}

static void ask_all(struct revoker *revoker, uint32_t wait_s) {
    revoker->deadline_ms = loop_now_ms(revoker->loop) + INT64_C(1000) * wait_s;
    loop_timer_start(revoker->repeat, 0);
    for (size_t i = 0; i < revoker->count; i++) {
        if (is_open(&revoker->revocations[i])) {
            revoker->revocations[i].error = (struct error){0};
            ask(revoker, &revoker->revocations[i]);
        }
    }
    loop_run(revoker->loop);
}

bool revoker_finish(struct revoker *revoker, uint32_t wait_s, size_t *unconfirmed,
                    struct error *error) {
    size_t open = 0;
    *unconfirmed = 0;
    for (size_t i = 0; i < revoker->count; i++) {
        open += is_open(&revoker->revocations[i]) ? 1 : 0;
        if (revoker->revocations[i].is_chosen && revoker->revocations[i].is_answered) {
            revoker_show(revoker, &revoker->revocations[i]);
        }
    }
    bool done = open == 0 || open_cas(revoker, error);
    if (done && open > 0) {
        output_note(revoker->output, "asks for %zu revocation%s, for at most %" PRIu32 " s", open,
                    open == 1 ? "" : "s", wait_s);
        ask_all(revoker, wait_s);
        done = revoker->fault.code == ERROR_NONE;
        if (!done) {
            *error = revoker->fault;
        }
    }
    close_cas(revoker);
    for (size_t i = 0; i < revoker->count; i++) {
        const struct revocation *revocation = &revoker->revocations[i];
        bool is_left = revocation->stored.state == CERTIFICATE_REVOKING;
        *unconfirmed += revocation->is_chosen && is_left && !revocation->is_awaiting ? 1 : 0;
    }
    if (revoker->interrupted && *unconfirmed > 0) {
        output_note(revoker->output, "interrupted; what was asked for stays requested: birthcert "
                                     "reconcile asks again");
    }
    return done;
}

// ---- all that are open --------------------------------------------------------------------------

// There may be more of those that wait than there is room for those that do not.
static bool keep_open(void *context, const struct store_certificate *stored) {
    struct revoker *revoker = context;
    if (stored->certificate_id <= revoker->read_up_to) {
        return true;
    }
    revoker->read_up_to = stored->certificate_id;
    if (revoker_awaits_successor(revoker->config, stored)) {
        const struct revocation awaiting = {.stored = *stored, .is_awaiting = true};
        revoker_show(revoker, &awaiting);
        revoker->awaiting++;
        return true;
    }
    const struct config_ca *ca = config_find_ca(revoker->config, stored->ca);
    if (ca != NULL && revoker->is_silent[ca - revoker->config->cas]) {
        revoker->unasked[ca - revoker->config->cas]++;
        return true;
    }
    return revoker_keep(revoker, stored);
}

bool revoker_load_open(struct revoker *revoker, struct error *error) {
    static const struct store_filter filter = {.state = "revoking"};
    revoker_forget(revoker);
    bool done = revoker_load(revoker, &filter, keep_open, error);
    for (size_t i = 0; i < revoker->count; i++) {
        revoker->revocations[i].is_chosen = true;
    }
    return done;
}

static size_t note_unasked(const struct revoker *revoker) {
    size_t sum = 0;
    for (size_t i = 0; i < CONFIG_CAS_MAX; i++) {
        size_t count = revoker->unasked[i];
        sum += count;
        if (count > 0) {
            output_note(revoker->output,
                        "%zu more revocations wait for the CA %s, which had no time for these",
                        count, revoker->config->cas[i].name);
        }
    }
    return sum;
}

// One more page of them.
static bool finish_page(struct revoker *revoker, uint32_t wait_s, struct revoker_sum *sum,
                        struct error *error) {
    size_t unconfirmed = 0;
    if (!revoker_load_open(revoker, error)) {
        return false;
    }
    if (revoker->interrupted) {
        unconfirmed = revoker->count; // these are only counted
    } else if (!revoker_finish(revoker, wait_s, &unconfirmed, error)) {
        return false;
    }
    sum->open += revoker->count;
    sum->unconfirmed += unconfirmed;
    return true;
}

bool revoker_finish_open(struct revoker *revoker, uint32_t wait_s, struct revoker_sum *sum,
                         struct error *error) {
    *sum = (struct revoker_sum){0};
    do {
        if (!finish_page(revoker, wait_s, sum, error)) {
            return false;
        }
    } while (revoker->count == CERTIFICATES_MAX);
    size_t unasked = note_unasked(revoker);
    sum->unconfirmed += unasked;
    sum->open += unasked + revoker->awaiting;
    return true;
}
