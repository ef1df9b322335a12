// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"

static enum error_code code_of_status(long status) {
    switch (status) {
    case 401:
    case 403:
        return E_CA_LOGIN;
    case 400:
    case 422:
        return E_CA_REFUSED;
    case 429:
    case 503:
        return E_CA_BUSY;
    default:
        return status >= 500 ? E_CA_UNREACHABLE : E_CA_NONSENSE;
    }
}

void hvca_explain(const struct http_response *response, const char *what, struct error *error) {
    char problem[HVCA_PROBLEM_SIZE];
    if (response->outcome != HTTP_ANSWERED) {
        *error = response->error;
        if (response->outcome == HTTP_LOST) {
            error->code = E_CA_UNREACHABLE;
        }
        error_prefix(error, "%s", what);
        return;
    }
    hvca_parse_problem(response->body, problem);
    error_set(error, code_of_status(response->status), "%s: HTTP %ld%s%s", what, response->status,
              problem[0] != '\0' ? ": " : "", problem);
}

bool hvca_is_passing(const struct http_response *response) {
    if (response->outcome != HTTP_ANSWERED) {
        enum error_class class = error_code_class(response->error.code);
        return class == ERROR_CLASS_RETRY;
    }
    return response->status == 408 || response->status == 429 || response->status >= 500;
}

bool hvca_read_certificate(struct slice body, struct buf **der, bool *is_revoked,
                           struct error *error) {
    struct buf *pem = buf_new(HTTP_BODY_MAX);
    *der = buf_new(HTTP_BODY_MAX);
    bool good =
        (pem != NULL && *der != NULL) || error_set(error, E_MEMORY, "no memory for a certificate");
    good = good && hvca_parse_certificate(body, pem, is_revoked, error) &&
           x509_pem_to_der(buf_slice(pem), *der, error);
    buf_free(pem);
    if (!good) {
        buf_free(*der);
        *der = NULL;
    }
    return good;
}

// A rekeyed certificate is another one.
static void judge_accepted(const struct http_response *response, const char *replaces,
                           struct ca_result *result, char handle[CA_HANDLE_SIZE]) {
    if (hvca_read_location(response->location, handle) && strcasecmp(handle, replaces) != 0) {
        result->outcome = CA_ACCEPTED;
        result->handle = handle;
        return;
    }
    result->outcome = CA_DOUBT;
    error_set(&result->error, E_CA_DOUBT, "the CA accepted the request and named no certificate");
}

// The statuses that are a definite no; everything else leaves it open whether the CA acted.
static enum ca_outcome outcome_of_status(long status, bool is_rekey) {
    switch (status) {
    case 405:
    case 409:
        // The service has no such call, or the old certificate is in no state for it.
        return is_rekey ? CA_REFUSED : CA_DOUBT;
    case 400:
    case 404:
    case 415:
    case 422:
        return CA_REFUSED;
    case 401:
    case 403:
    case 429:
        return CA_NOT_SENT;
    default:
        return CA_DOUBT;
    }
}

static void judge_status(const struct http_response *response, bool is_rekey,
                         struct ca_result *result) {
    char problem[HVCA_PROBLEM_SIZE];
    long status = response->status;
    enum error_code code = E_CA_DOUBT;
    hvca_parse_problem(response->body, problem);
    result->outcome = outcome_of_status(status, is_rekey);
    if (result->outcome != CA_DOUBT && strcasestr(problem, "quota") != NULL) {
        // Not this camera's fault, and over once somebody bought more.
        result->outcome = CA_NOT_SENT;
        code = E_CA_QUOTA;
    } else if (result->outcome == CA_REFUSED) {
        code = E_CA_REFUSED;
    } else if (result->outcome == CA_NOT_SENT) {
        code = status == 429 ? E_CA_BUSY : E_CA_LOGIN;
    }
    error_set(&result->error, code, "the CA answered HTTP %ld%s%s", status,
              problem[0] != '\0' ? ": " : "", problem);
}

// The documentation of a rekey says no more than "success", with the new serial in Location.
static bool is_success(long status, bool is_rekey) {
    return status == 201 || (is_rekey && (status == 200 || status == 202));
}

void hvca_judge_issue(const struct http_response *response, const char *replaces,
                      struct ca_result *result, char handle[CA_HANDLE_SIZE]) {
    bool is_rekey = replaces[0] != '\0';
    handle[0] = '\0';
    result->retry_after_ms = (uint32_t)response->retry_after_ms;
    if (response->outcome == HTTP_ANSWERED && is_success(response->status, is_rekey)) {
        judge_accepted(response, replaces, result, handle);
    } else if (response->outcome == HTTP_ANSWERED) {
        judge_status(response, is_rekey, result);
    } else {
        result->outcome = response->outcome == HTTP_NOT_SENT ? CA_NOT_SENT : CA_DOUBT;
        result->error = response->error;
    }
}
