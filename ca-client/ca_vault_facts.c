// SPDX-License-Identifier: Apache-2.0
// What is needed before a request: whether the token is good, what the role issues, and by which CA.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

static void finish(struct call *call) {
    struct ca *ca = vault_ca_of(call);
    ca->has_facts = true;
    ca->facts_ms = clock_monotonic_ms();
    vault_to_call(call)->after_facts(call);
}

// ---- the issuer ---------------------------------------------------------------------------------

static bool take_chain(struct ca *ca, struct slice body, struct error *error) {
    struct certificate_reference reference = {0};
    struct buf *chain = buf_new(VAULT_CERTIFICATES_MAX);
    bool good = chain != NULL || error_set(error, E_MEMORY, "no memory for the CA's chain");
    good = good && vault_read_chain(body, chain, error);
    if (good && buf_length(chain) > 0 &&
        !x509_refer(x509_first_der(buf_slice(chain)), &reference, error)) {
        error->code = E_CA_NONSENSE;
        good = error_prefix(error, "the CA's answer to the issuer");
    }
    if (!good) {
        buf_free(chain);
        return false;
    }
    buf_free(ca->chain);
    ca->chain = chain;
    ca->issuer_ends_ms = reference.not_after_ms;
    return true;
}

static void handle_chain(struct call *call, const struct http_response *response) {
    struct error error;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        vault_explain(response, "the issuer", &error);
        vault_fail(call, &error, response->retry_after_ms);
    } else if (!take_chain(vault_ca_of(call), response->body, &error)) {
        vault_fail(call, &error, 0);
    } else {
        finish(call);
    }
}

// Vault before 1.11 has one issuer in a mount, and no name for it.
static void ask_chain(struct call *call) {
    const struct ca *ca = vault_ca_of(call);
    const char *issuer = vault_text(ca->role, "issuer_ref");
    char path[WEB_PATH_SIZE];
    bool is_plain = strspn(issuer, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-_.") == strlen(issuer);
    if (issuer[0] != '\0' && is_plain && strlen(issuer) <= VAULT_NAME_MAX) {
        vault_path(ca, path, "issuer/%s/json", issuer);
    } else {
        vault_path(ca, path, "cert/ca_chain");
    }
    vault_get(call, path, handle_chain);
}

// ---- the role -----------------------------------------------------------------------------------

static void take_role(struct ca *ca, json_t *role) {
    json_decref(ca->role);
    ca->role = role;
}

static void ask_role(struct call *call);

// The token is good, so that it is its policies.
static void hide_role(struct call *call) {
    take_role(vault_ca_of(call), NULL);
    ask_chain(call);
}

// As with `sign`: one text for all reasons, and a token may have ended since it was looked up.
static void doubt_token(struct call *call) {
    struct vault_call *vault = vault_to_call(call);
    bool is_new = !vault->is_repeated && vault_token_read_again(vault_ca_of(call));
    vault->is_repeated = true;
    vault_token_look_up(call, is_new ? ask_role : hide_role);
}

static void handle_role(struct call *call, const struct http_response *response) {
    struct ca *ca = vault_ca_of(call);
    struct error error;
    bool is_answered = response->outcome == HTTP_ANSWERED;
    if (is_answered && response->status == 200) {
        json_t *role = vault_read_role(response->body, &error);
        if (role == NULL) {
            vault_fail(call, &error, 0);
            return;
        }
        take_role(ca, role);
        ca->had_role = true;
        ca->gives_leases = vault_flag(role, "generate_lease");
        ask_chain(call);
    } else if (vault_is_forbidden(response)) {
        doubt_token(call);
    } else if (vault_is_absent(response)) {
        error_set(&error, E_CA_CONFIG, "ca_profile: the mount %s has no role \"%s\"", ca->mount,
                  ca->role_name);
        vault_fail(call, &error, 0);
    } else {
        vault_explain(response, "the role", &error);
        vault_fail(call, &error, response->retry_after_ms);
    }
}

static void ask_role(struct call *call) {
    const struct ca *ca = vault_ca_of(call);
    char path[WEB_PATH_SIZE];
    vault_path(ca, path, "roles/%s", ca->role_name);
    vault_get(call, path, handle_role);
}

void vault_need_facts(struct call *call, bool anew, call_step *next) {
    struct ca *ca = vault_ca_of(call);
    int64_t now_ms = clock_monotonic_ms();
    if (!anew && ca->has_facts && now_ms - ca->facts_ms < VAULT_FACTS_LIFE_MS) {
        next(call);
        return;
    }
    ca->facts_ms = now_ms; // one call asks again, those beside it go by what is known
    vault_to_call(call)->after_facts = next;
    vault_token_look_up(call, ask_role);
}

// Where the role cannot be read, one answer tells of its leases: no second one is bought.
bool vault_facts_fit(const struct ca *ca, const struct profile *profile, struct error *error) {
    if (ca->role != NULL) {
        return vault_role_fits(ca->role, profile, clock_wall_ms(), error);
    }
    return !ca->gives_leases ||
           error_set(error, E_CA_POLICY,
                     "generate_lease: the last certificate came with a lease: set it to false, and "
                     "let the token read %s/roles/%s, or start birthcert again",
                     ca->mount, ca->role_name);
}
