// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <string.h>

#include "ca-client/ca_stepca_internal.h"
#include "ca-client/go_duration.h"
#include "ca-client/json_certificate.h"
#include "ca-client/json_load.h"

void stepca_read_problem(struct slice body, struct stepca_problem *problem) {
    struct error ignored;
    *problem = (struct stepca_problem){0};
    json_t *root = json_load_object(body, "", &ignored);
    const json_t *message = json_object_get(root, "message");
    problem->is_stepca =
        json_is_integer(json_object_get(root, "status")) && json_is_string(message);
    if (problem->is_stepca) {
        text_escape(problem->text, sizeof problem->text, json_string_value(message),
                    json_string_length(message));
    }
    json_decref(root);
}

bool stepca_read_revoked(struct slice body) {
    static const char *const members[] = {"status", NULL};
    char status[8];
    json_load_text(body, members, status, sizeof status);
    return strcmp(status, "ok") == 0;
}

// ---- certificates -------------------------------------------------------------------------------

// certChain begins with the leaf; where there is none, `crt` and `ca` say the same.
bool stepca_read_certificates(struct slice body, struct buf *der, struct error *error) {
    json_t *root = json_load_object(body, "sign", error);
    if (root == NULL) {
        return false;
    }
    const json_t *chain = json_object_get(root, "certChain");
    bool good;
    if (json_array_size(chain) > 0) {
        good = json_take_certificates(chain, "sign", der, error);
    } else {
        const json_t *ca = json_object_get(root, "ca");
        good = json_take_certificate(json_object_get(root, "crt"), "sign", der, error) &&
               (json_string_length(ca) == 0 || json_take_certificate(ca, "sign", der, error));
    }
    json_decref(root);
    return good;
}

bool stepca_read_list(struct slice body, const char *what, struct buf *der, struct error *error) {
    json_t *root = json_load_object(body, what, error);
    const json_t *list = json_object_get(root, "crts");
    bool good = root != NULL && json_take_certificates(list, what, der, error);
    if (good && buf_length(der) == 0) {
        good = error_set(error, E_CA_NONSENSE, "the CA's answer to %s holds no certificate", what);
    }
    json_decref(root);
    return good;
}

// ---- provisioners -------------------------------------------------------------------------------

static bool is_text(const json_t *object, const char *member, const char *text) {
    const char *value = json_string_value(json_object_get(object, member));
    return value != NULL && strcmp(value, text) == 0;
}

static void read_claims(const json_t *claims, struct stepca_provisioner *found) {
    const char *maximum = json_string_value(json_object_get(claims, "maxTLSCertDuration"));
    if (maximum == NULL || !go_duration_read(maximum, &found->maximum_s)) {
        found->maximum_s = -1;
    }
}

static void read_provisioner(const json_t *one, const char *key_id,
                             struct stepca_provisioner *found) {
    found->is_found = true;
    if (!is_text(json_object_get(one, "key"), "kid", key_id)) {
        return;
    }
    const json_t *options = json_object_get(json_object_get(one, "options"), "x509");
    found->has_key = true;
    found->has_template = json_string_length(json_object_get(options, "template")) > 0 ||
                          json_string_length(json_object_get(options, "templateFile")) > 0;
    read_claims(json_object_get(one, "claims"), found);
}

bool stepca_read_provisioners(struct slice body, const char *name, const char *key_id,
                              struct stepca_provisioner *found, struct error *error) {
    json_t *root = json_load_object(body, "provisioners", error);
    const json_t *list = json_object_get(root, "provisioners");
    const char *cursor = json_string_value(json_object_get(root, "nextCursor"));
    size_t i;
    json_t *one;
    if (root == NULL) {
        return false;
    }
    json_array_foreach(list, i, one) {
        if (is_text(one, "name", name) && is_text(one, "type", "JWK")) {
            read_provisioner(one, key_id, found);
        }
    }
    bool good = json_is_array(list) &&
                text_copy(found->cursor, sizeof found->cursor, cursor != NULL ? cursor : "") &&
                strspn(found->cursor, "0123456789abcdefABCDEF") == strlen(found->cursor);
    json_decref(root);
    return good || error_set(error, E_CA_NONSENSE, "the CA's answer is no list of provisioners");
}
