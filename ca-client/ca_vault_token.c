// SPDX-License-Identifier: Apache-2.0
// The station's token. It ends, while a line runs day and night: one that can be renewed is renewed at half
// of its life, and the file is read again now and then, where somebody (Vault Agent) may have put
// another one.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "station/base/clock.h"
#include "station/base/log.h"
#include "station/base/secret.h"

#define RENEWAL_PAUSE_MS 1000 // between two tries
#define RENEWAL_RETRY_MS 60000
#define RENEWAL_LATEST_MS (INT64_C(24) * 60 * 60 * 1000)

bool vault_token_read_again(struct ca *ca) {
    struct error error;
    struct buf *token = NULL;
    if (!secret_read_line(ca->token_file, VAULT_TOKEN_MAX, &token, &error)) {
        log_error("CA token", &error);
        return false;
    }
    if (slice_equal(buf_slice(token), buf_slice(ca->token))) {
        buf_free_secret(token);
        return false;
    }
    buf_free_secret(ca->token);
    ca->token = token;
    return true;
}

// ---- how long it lasts --------------------------------------------------------------------------

static bool is_due(const struct vault_token_facts *facts) {
    return facts->renews && facts->left_s > 0 && facts->left_s <= facts->life_s / 2;
}

// When to look at the token next. What cannot be renewed may be replaced: the file is read then.
static void plan_renewal(struct ca *ca) {
    const struct vault_token_facts *facts = &ca->token_facts;
    if (facts->left_s == 0) {
        loop_timer_stop(ca->renewal);
        return;
    }
    int64_t left_s = is_due(facts) ? 0 : facts->left_s - (facts->renews ? facts->life_s / 2 : 0);
    int64_t since_ms = clock_monotonic_ms() - ca->renewed_ms;
    int64_t wait_ms = left_s * 1000;
    if (ca->renewed_ms > 0 && since_ms + wait_ms < RENEWAL_PAUSE_MS) {
        wait_ms = RENEWAL_PAUSE_MS - since_ms;
    }
    loop_timer_start(ca->renewal, wait_ms < RENEWAL_LATEST_MS ? wait_ms : RENEWAL_LATEST_MS);
}

static void note_left(struct ca *ca, int64_t left_s) {
    ca->token_facts.left_s = left_s;
    ca->token_ends_ms = left_s > 0 ? clock_wall_ms() + left_s * 1000 : 0;
}

void vault_token_remark(const struct ca *ca, char *out, size_t capacity) {
    char end[CLOCK_TEXT_SIZE];
    clock_format_utc(end, ca->token_ends_ms);
    out[0] = '\0';
    if (ca->token_facts.uses > 0) {
        snprintf(out, capacity, "the token can be used %lld times only",
                 (long long)ca->token_facts.uses);
    } else if (ca->token_ends_ms > 0) {
        snprintf(out, capacity, "the token ends %s, %s", end,
                 ca->token_facts.renews ? "and is renewed before"
                                        : "and cannot be renewed: put another one into token_file");
    }
}

// ---- looking it up ------------------------------------------------------------------------------

static void look_up(struct call *call);

// Vault says no more of a token that it does not know than of one that may not ask.
static void fail_token(struct call *call, const struct http_response *response) {
    const struct ca *ca = vault_ca_of(call);
    struct error error;
    vault_explain(response, "token", &error);
    if (error.code == E_CA_LOGIN) {
        error_set(&error, E_CA_LOGIN,
                  "the token has ended or was revoked, or its policies lack lookup-self (policy "
                  "\"default\" has it): put a good one into token_file %s",
                  ca->token_file);
    }
    vault_fail(call, &error, response->retry_after_ms);
}

static void handle_look_up(struct call *call, const struct http_response *response) {
    struct vault_call *vault = vault_to_call(call);
    struct ca *ca = vault_ca_of(call);
    struct error error;
    bool is_answered = response->outcome == HTTP_ANSWERED;
    if (response->date_ms != 0) {
        vault->report.clock_offset_ms = response->date_ms - clock_wall_ms();
    }
    if (is_answered && response->status == 403 && !vault->is_repeated &&
        vault_token_read_again(ca)) {
        vault->is_repeated = true;
        look_up(call);
    } else if (!is_answered || response->status != 200) {
        fail_token(call, response);
    } else if (!vault_read_token(response->body, &ca->token_facts, &error)) {
        vault_fail(call, &error, 0);
    } else {
        vault->report.login = CA_LOGIN_TAKEN;
        note_left(ca, ca->token_facts.left_s);
        plan_renewal(ca);
        vault->next(call);
    }
}

static void look_up(struct call *call) {
    vault_get(call, "/v1/auth/token/lookup-self", handle_look_up);
}

void vault_token_look_up(struct call *call, call_step *next) {
    vault_to_call(call)->next = next;
    (void)vault_token_read_again(vault_ca_of(call));
    look_up(call);
}

// ---- renewing -----------------------------------------------------------------------------------

// A renewal is nobody's call: it has no result.
static void end_renewal(struct call *call, const struct error *error) {
    struct ca *ca = vault_ca_of(call);
    ca->is_renewing = false;
    if (error != NULL) {
        log_error("CA token", error);
        // While there is some time left it may still succeed.
        int64_t wait_ms = (ca->token_ends_ms - clock_wall_ms()) / 4;
        wait_ms = wait_ms < RENEWAL_PAUSE_MS ? RENEWAL_RETRY_MS : wait_ms;
        loop_timer_start(ca->renewal, wait_ms < RENEWAL_RETRY_MS ? wait_ms : RENEWAL_RETRY_MS);
    } else {
        plan_renewal(ca);
    }
    call_free(call);
}

static void handle_renewal(struct call *call, const struct http_response *response) {
    struct ca *ca = vault_ca_of(call);
    struct error error;
    int64_t left_s = 0;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        vault_explain(response, "the token cannot be renewed", &error);
        end_renewal(call, &error);
    } else if (!vault_read_renewal(response->body, &left_s, &error)) {
        end_renewal(call, &error);
    } else {
        note_left(ca, left_s);
        // Near the end that it has for good (explicit_max_ttl) it gets less each time.
        ca->token_facts.life_s = left_s < ca->token_facts.life_s ? left_s : ca->token_facts.life_s;
        end_renewal(call, NULL);
    }
}

static void handle_state(struct call *call, const struct http_response *response) {
    struct ca *ca = vault_ca_of(call);
    struct error error;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        vault_explain(response, "the token cannot be looked up", &error);
        end_renewal(call, &error);
    } else if (!vault_read_token(response->body, &ca->token_facts, &error)) {
        end_renewal(call, &error);
    } else if (!is_due(&ca->token_facts)) {
        note_left(ca, ca->token_facts.left_s);
        end_renewal(call, NULL);
    } else {
        struct buf *body = buf_new(16);
        if (body == NULL || !buf_printf(body, "{}")) {
            buf_free(body);
            error_set(&error, E_MEMORY, "no memory to renew the token");
            end_renewal(call, &error);
            return;
        }
        const struct vault_request request = {
            .method = "POST", .path = "/v1/auth/token/renew-self", .body = body};
        vault_send(call, &request, handle_renewal);
    }
}

void vault_token_renew(void *context) {
    struct ca *ca = context;
    const struct ca_request nothing = {0};
    if (ca->is_renewing) {
        return;
    }
    struct call *call = call_new(&ca->web.calls, sizeof(struct vault_call), &nothing);
    ca->is_renewing = true;
    ca->renewed_ms = clock_monotonic_ms();
    (void)vault_token_read_again(ca);
    if (call->early.error.code != ERROR_NONE) {
        end_renewal(call, &call->early.error);
        return;
    }
    vault_get(call, "/v1/auth/token/lookup-self", handle_state);
}
