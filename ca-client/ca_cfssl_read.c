// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <string.h>

#include "ca-client/ca_cfssl_internal.h"
#include "ca-client/go_duration.h"
#include "ca-client/json_certificate.h"
#include "ca-client/json_load.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"

// ---- the envelope -------------------------------------------------------------------------------

void cfssl_read_problem(struct slice body, struct cfssl_problem *problem) {
    struct error ignored;
    *problem = (struct cfssl_problem){0};
    json_t *root = json_load_object(body, "", &ignored);
    const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
    const json_t *code = json_object_get(first, "code");
    const json_t *message = json_object_get(first, "message");
    problem->is_cfssl = json_is_false(json_object_get(root, "success")) && json_is_integer(code) &&
                        json_is_string(message);
    if (problem->is_cfssl) {
        problem->code = json_integer_value(code);
        text_escape(problem->text, sizeof problem->text, json_string_value(message),
                    json_string_length(message));
    }
    json_decref(root);
}

// The result of an answer that says success; the caller gives `*root` back in any case.
static const json_t *open_result(struct slice body, const char *what, json_t **root,
                                 struct error *error) {
    *root = json_load_object(body, what, error);
    const json_t *result = json_object_get(*root, "result");
    if (*root == NULL) {
        return NULL;
    }
    if (!json_is_true(json_object_get(*root, "success")) || !json_is_object(result)) {
        error_set(error, E_CA_NONSENSE, "the CA's answer to %s has no result", what);
        return NULL;
    }
    return result;
}

bool cfssl_read_certificate(struct slice body, struct buf *der, struct error *error) {
    json_t *root = NULL;
    const json_t *result = open_result(body, "sign", &root, error);
    bool good = result != NULL &&
                json_take_certificate(json_object_get(result, "certificate"), "sign", der, error);
    json_decref(root);
    return good;
}

// ---- info ---------------------------------------------------------------------------------------

// Usages that do no harm in a camera's certificate; what cfssl does not know it leaves out.
static bool is_harmless(const char *usage) {
    static const char *const others[] = {"content committment", "key encipherment",
                                         "key agreement",       "data encipherment",
                                         "encipher only",       "decipher only"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        if (strcmp(usage, others[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void note_usage(const char *usage, struct cfssl_policy *policy) {
    if (strcmp(usage, "signing") == 0 || strcmp(usage, "digital signature") == 0) {
        policy->digital_signature = true;
    } else if (strcmp(usage, "server auth") == 0) {
        policy->server_auth = true;
    } else if (strcmp(usage, "client auth") == 0) {
        policy->client_auth = true;
    } else if (!is_harmless(usage) && policy->surplus[0] == '\0') {
        text_escape(policy->surplus, sizeof policy->surplus, usage, strlen(usage));
    }
}

static bool read_usages(const json_t *list, struct cfssl_policy *policy) {
    size_t i;
    json_t *usage;
    json_array_foreach(list, i, usage) {
        if (!json_is_string(usage)) {
            return false;
        }
        note_usage(json_string_value(usage), policy);
    }
    return json_is_array(list);
}

static bool read_policy(const json_t *result, struct cfssl_policy *policy, struct error *error) {
    const char *expiry = json_string_value(json_object_get(result, "expiry"));
    if (!read_usages(json_object_get(result, "usages"), policy) || expiry == NULL ||
        !go_duration_read(expiry, &policy->expiry_s)) {
        return error_set(error, E_CA_NONSENSE,
                         "the CA's answer to info has no usages, or no expiry as 87600h");
    }
    text_escape(policy->expiry, sizeof policy->expiry, expiry, strlen(expiry));
    return true;
}

bool cfssl_read_info(struct slice body, struct cfssl_policy *policy, struct buf *issuer,
                     struct error *error) {
    json_t *root = NULL;
    struct certificate_reference reference;
    *policy = (struct cfssl_policy){0};
    const json_t *result = open_result(body, "info", &root, error);
    bool good =
        result != NULL && read_policy(result, policy, error) &&
        json_take_certificate(json_object_get(result, "certificate"), "info", issuer, error);
    json_decref(root);
    if (!good) {
        return false;
    }
    if (!x509_refer(x509_first_der(buf_slice(issuer)), &reference, error)) {
        error->code = E_CA_NONSENSE;
        return error_prefix(error, "the CA's answer to info");
    }
    policy->issuer_not_after_ms = reference.not_after_ms;
    return true;
}
