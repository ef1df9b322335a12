// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca_exec_json.h"

#include <string.h>

#include "ca-client/http_answer.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "ca-client/x509.h"

#define QUESTION_MAX (256 * 1024)
#define CHAIN_MAX (64 * 1024)
#define RETRY_AFTER_MAX_S (HTTP_RETRY_AFTER_MAX_MS / 1000) // a program is taken as a server is

static const char *const operation_names[EXEC_OPERATION_COUNT] = {
    [EXEC_CHECK] = "check",         [EXEC_SUBMIT] = "submit", [EXEC_FETCH] = "fetch",
    [EXEC_RECONCILE] = "reconcile", [EXEC_REVOKE] = "revoke",
};

const char *exec_operation_name(enum exec_operation operation) {
    return operation_names[operation];
}

// ---- the question -------------------------------------------------------------------------------

static bool put_revocation(json_t *root, const struct call *call, struct error *error) {
    if (call->request.certificate.length == 0 || ca_revocation_reason_name(call->reason) == NULL) {
        return error_set(error, E_INTERNAL, "revoke without a certificate or a known reason");
    }
    return json_put_text(root, "serial", call->serial) &&
           json_put_text(root, "handle", call->handle) &&
           json_put_text(root, "reason", ca_revocation_reason_name(call->reason)) &&
           json_put_pem(root, "certificate", call->request.certificate, "CERTIFICATE", error);
}

struct buf *exec_write_question(enum exec_operation operation, const struct call *call,
                                struct error *error) {
    const struct ca_request *request = &call->request;
    // The program may have all copied that the CSR asks for, as many do.
    if (operation == EXEC_SUBMIT &&
        !x509_check_csr_extensions(request->csr, request->profile, &request->subject, error)) {
        return NULL;
    }
    json_t *root = json_object();
    error_set(error, E_MEMORY, "no memory for a question to the CA's program");
    bool done = json_put(root, "version", json_integer(1)) &&
                json_put_text(root, "operation", operation_names[operation]) &&
                json_put_text(root, "profile", call->profile.name);
    if (operation == EXEC_REVOKE) {
        done = done && put_revocation(root, call, error);
    } else if (operation == EXEC_CHECK) {
        done = done && json_put_terms(root, &call->profile);
    } else {
        done = done && json_put_request(root, &call->request, error);
    }
    if (!done) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, QUESTION_MAX, error);
}

// ---- the answer ---------------------------------------------------------------------------------

// The words for outcomes, and what they may answer: one bit for each operation.
#define FOR(operation) (1U << (operation))

static const struct {
    const char *word;
    enum ca_outcome outcome;
    unsigned operations;
} outcomes[] = {
    {"ok", CA_ACCEPTED, FOR(EXEC_CHECK)},
    {"certificate", CA_CERTIFICATE, FOR(EXEC_SUBMIT) | FOR(EXEC_FETCH) | FOR(EXEC_RECONCILE)},
    {"accepted", CA_ACCEPTED, FOR(EXEC_SUBMIT) | FOR(EXEC_FETCH)},
    {"not_sent", CA_NOT_SENT,
     FOR(EXEC_CHECK) | FOR(EXEC_SUBMIT) | FOR(EXEC_FETCH) | FOR(EXEC_REVOKE)},
    {"refused", CA_REFUSED,
     FOR(EXEC_CHECK) | FOR(EXEC_SUBMIT) | FOR(EXEC_FETCH) | FOR(EXEC_REVOKE)},
    {"doubt", CA_DOUBT, FOR(EXEC_SUBMIT) | FOR(EXEC_RECONCILE) | FOR(EXEC_REVOKE)},
    {"not_issued", CA_NOT_ISSUED, FOR(EXEC_RECONCILE)},
    {"cannot_tell", CA_CANNOT_TELL, FOR(EXEC_RECONCILE)},
    {"revoked", CA_REVOKED, FOR(EXEC_REVOKE)},
};

static bool read_outcome(json_t *root, enum exec_operation operation, struct exec_answer *answer,
                         struct error *error) {
    const char *word = json_string_value(json_object_get(root, "outcome"));
    for (size_t i = 0; word != NULL && i < ARRAY_LENGTH(outcomes); i++) {
        if (strcmp(word, outcomes[i].word) == 0 && (outcomes[i].operations & FOR(operation)) != 0) {
            answer->outcome = outcomes[i].outcome;
            answer->is_good = operation == EXEC_CHECK && answer->outcome == CA_ACCEPTED;
            return true;
        }
    }
    return error_set(error, E_CA_NONSENSE, "the program's answer has no outcome for %s",
                     operation_names[operation]);
}

// An integer from 0 on, or `missing` where there is no such member.
static bool read_number(json_t *root, const char *name, int64_t missing, int64_t *number,
                        struct error *error) {
    json_t *value = json_object_get(root, name);
    *number = value == NULL ? missing : json_integer_value(value);
    return value == NULL || (json_is_integer(value) && *number >= 0) ||
           error_set(error, E_CA_NONSENSE, "the program's answer: %s is no whole number from 0 on",
                     name);
}

static bool read_handle(json_t *root, struct exec_answer *answer, struct error *error) {
    json_t *value = json_object_get(root, "handle");
    const char *handle = json_string_value(value);
    return value == NULL ||
           (handle != NULL && text_is_label(handle) &&
            text_copy(answer->handle, sizeof answer->handle, handle)) ||
           error_set(error, E_CA_NONSENSE,
                     "the program's answer: handle is not 1 to %d printable characters",
                     CA_HANDLE_SIZE - 1);
}

static bool read_chain(json_t *root, const char *name, struct exec_answer *answer,
                       struct error *error) {
    json_t *value = json_object_get(root, name);
    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        return error_set(error, E_CA_NONSENSE, "the program's answer: %s is no text", name);
    }
    struct slice pem = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    answer->chain = buf_new(CHAIN_MAX);
    if (answer->chain == NULL) {
        return error_set(error, E_MEMORY, "no memory for a certificate");
    }
    if (x509_pem_to_der(pem, answer->chain, error)) {
        return true;
    }
    error->code = E_CA_NONSENSE;
    return error_prefix(error, "the program's answer: %s", name);
}

static bool read_members(json_t *root, enum exec_operation operation, struct exec_answer *answer,
                         struct error *error) {
    int64_t retry_after_s = 0;
    if (!read_outcome(root, operation, answer, error) ||
        !read_number(root, "retry_after_s", 0, &retry_after_s, error) ||
        !read_number(root, "quota", -1, &answer->quota, error) ||
        !read_handle(root, answer, error) ||
        !read_chain(root, operation == EXEC_CHECK ? "chain" : "certificate", answer, error)) {
        return false;
    }
    answer->retry_after_ms =
        1000 * (uint32_t)(retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S);
    if (answer->outcome == CA_CERTIFICATE && answer->chain == NULL) {
        return error_set(error, E_CA_NONSENSE, "the program's answer: certificate is missing");
    }
    if (operation == EXEC_SUBMIT && answer->outcome == CA_ACCEPTED && answer->handle[0] == '\0') {
        return error_set(error, E_CA_NONSENSE, "the program's answer: handle is missing");
    }
    return true;
}

bool exec_read_answer(enum exec_operation operation, struct slice text, struct exec_answer *answer,
                      struct error *error) {
    static const char *const text_members[] = {"text", NULL};
    *answer = (struct exec_answer){.quota = -1};
    json_t *root = json_load_object(text, operation_names[operation], error);
    if (root == NULL) {
        return false;
    }
    bool done = read_members(root, operation, answer, error);
    json_decref(root);
    if (!done) {
        buf_free(answer->chain);
        answer->chain = NULL;
        return false;
    }
    json_load_text(text, text_members, answer->text, sizeof answer->text);
    return true;
}
