// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/x509_station.h"
#include "station/base/log.h"

// ---- any answer ---------------------------------------------------------------------------------

// A standby node that does not forward names the active one (307). The station takes its token nowhere
// that it was not told to.
static bool is_redirect(const struct http_response *response) {
    return response->outcome == HTTP_ANSWERED &&
           (response->status == 307 || response->status == 308);
}

static void say_redirect(const struct http_response *response, struct error *error) {
    error_set(error, E_CA_UNREACHABLE,
              "url leads to a standby node, which names %s: name an address that leads to the "
              "active node",
              response->location[0] != '\0' ? response->location : "no other");
}

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

// What Vault says of the section, or of itself, with the status of a no to the request.
static enum error_code code_of_text(const struct vault_problem *problem) {
    static const struct {
        const char *start;
        enum error_code code;
    } rows[] = {
        {"unknown role", E_CA_CONFIG},
        {"no handler for route", E_CA_CONFIG},
        {"missing client token", E_CA_LOGIN},
        {"path disabled in replication DR secondary mode", E_CA_UNREACHABLE},
        {"namespace not found", E_CA_CONFIG},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (starts_with(problem->text, rows[i].start)) {
            return rows[i].code;
        }
    }
    return ERROR_NONE;
}

bool vault_is_absent(const struct http_response *response) {
    struct vault_problem problem;
    if (response->outcome != HTTP_ANSWERED || response->status != 404) {
        return false;
    }
    vault_read_problem(response->body, &problem);
    return problem.is_empty;
}

bool vault_is_forbidden(const struct http_response *response) {
    struct vault_problem problem;
    if (response->outcome != HTTP_ANSWERED || response->status != 403) {
        return false;
    }
    vault_read_problem(response->body, &problem);
    return problem.is_vault;
}

void vault_explain(const struct http_response *response, const char *what, struct error *error) {
    struct vault_problem problem;
    if (is_redirect(response)) {
        say_redirect(response, error);
        error_prefix(error, "%s", what);
        return;
    }
    vault_read_problem(response->body, &problem);
    web_explain(response, problem.text, what, error);
    enum error_code code = code_of_text(&problem);
    if (response->outcome == HTTP_ANSWERED && code != ERROR_NONE) {
        error->code = code;
    } else if (error->code == E_CA_REFUSED) {
        error->code = E_CA_NONSENSE;
    }
}

// ---- certificates -------------------------------------------------------------------------------

// A gateway may put a page of its own in place of Vault's 200. What asks for a login and what counts
// requests does so before it passes them on.
static bool may_hide_a_certificate(const struct http_response *response) {
    return response->status != 401 && response->status != 429;
}

static void doubt_gateway(const struct http_response *response, struct ca_result *result) {
    result->outcome = CA_DOUBT;
    error_set(
        &result->error, E_CA_DOUBT,
        "HTTP %ld, and it was not Vault that answered: a gateway before it did, perhaps in place "
        "of a certificate",
        response->status);
}

// Vault's own 400 comes before it signs. 412 is a node that has not yet seen what it must have
// (eventual consistency), and has not looked at the request. A sealed Vault can neither sign nor
// store.
static void judge_status(const struct http_response *response, const struct vault_problem *problem,
                         struct ca_result *result) {
    enum error_code code = code_of_text(problem);
    if (!problem->is_vault && may_hide_a_certificate(response)) {
        doubt_gateway(response, result);
    } else if ((response->status == 400 || response->status == 404) && code != ERROR_NONE) {
        result->outcome = CA_NOT_SENT;
        result->error.code = code;
    } else if (response->status == 412 ||
               (response->status == 503 && starts_with(problem->text, "Vault is sealed"))) {
        result->outcome = CA_NOT_SENT;
        result->error.code = E_CA_BUSY;
    }
}

// Vault has issued, and is not to be asked for another one; but no camera may be left with a
// certificate that is revoked behind its back. In doubt the request ends at a person.
static void doubt_lease(struct ca_result *result) {
    struct certificate_reference reference;
    struct error ignored;
    bool is_read = x509_refer(result->leaf, &reference, &ignored);
    *result = (struct ca_result){.outcome = CA_DOUBT};
    error_set(&result->error, E_CA_DOUBT,
              "the CA issued %s with a lease (generate_lease), and revokes it with that: have it "
              "revoked",
              is_read ? reference.serial_hex : "a certificate");
    log_write(LOG_ERROR, "%s", result->error.text);
}

void vault_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                      bool has_lease, struct buf *der, struct ca_result *result) {
    struct vault_problem problem;
    if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        bool is_read = vault_read_certificates(response->body, der, &result->error);
        web_judge_certificates(is_read, der, spki_sha256, result);
        if (result->outcome == CA_CERTIFICATE && has_lease) {
            doubt_lease(result);
        }
        return;
    }
    vault_read_problem(response->body, &problem);
    web_judge(response, problem.text, result);
    if (is_redirect(response)) {
        // A standby that forwards and loses the active node's answer falls back to it: that one may
        // have signed.
        result->outcome = CA_DOUBT;
        say_redirect(response, &result->error);
        result->error.code = E_CA_DOUBT;
    } else if (response->outcome == HTTP_ANSWERED) {
        judge_status(response, &problem, result);
    }
}
