// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/json_certificate.h"
#include "ca-client/json_load.h"

#define SECONDS_MAX (INT64_C(1000) * 365 * 86400)

// ---- the envelope -------------------------------------------------------------------------------

// In one line. Go's multierror puts "1 error occurred:\n\t* " before what there is to say.
static void copy_line(const char *text, char out[VAULT_SAID_SIZE]) {
    static const char prefix[] = "1 error occurred: * ";
    size_t used = 0;
    for (; *text != '\0' && used < VAULT_SAID_SIZE - 1; text++) {
        bool is_blank = strchr(" \t\r\n", *text) != NULL;
        if (!is_blank) {
            out[used++] = *text;
        } else if (used > 0 && out[used - 1] != ' ') {
            out[used++] = ' ';
        }
        if (used == sizeof prefix - 1 && memcmp(out, prefix, used) == 0) {
            used = 0;
        }
    }
    used -= used > 0 && out[used - 1] == ' ' ? 1 : 0;
    out[used] = '\0';
}

void vault_read_problem(struct slice body, struct vault_problem *problem) {
    struct error ignored;
    *problem = (struct vault_problem){0};
    json_t *root = json_load_object(body, "", &ignored);
    const json_t *errors = json_object_get(root, "errors");
    const json_t *first = json_array_get(errors, 0);
    problem->is_vault = json_is_array(errors) && (first == NULL || json_is_string(first));
    problem->is_empty = problem->is_vault && first == NULL;
    if (problem->is_vault && first != NULL) {
        copy_line(json_string_value(first), problem->text);
    }
    json_decref(root);
}

// The data of an answer; the caller gives `*root` back in any case.
static json_t *open_part(struct slice body, size_t maximum, const char *what, const char *part,
                         json_t **root, struct error *error) {
    *root = json_load_long_object(body, maximum, what, error);
    json_t *data = json_object_get(*root, part);
    if (*root != NULL && !json_is_object(data)) {
        error_set(error, E_CA_NONSENSE, "the CA's answer to %s has no \"%s\"", what, part);
        return NULL;
    }
    return data;
}

static json_t *open_data(struct slice body, const char *what, json_t **root, struct error *error) {
    return open_part(body, HTTP_BODY_MAX, what, "data", root, error);
}

// ---- the token ----------------------------------------------------------------------------------

static bool read_seconds(const json_t *object, const char *member, int64_t *seconds) {
    const json_t *value = json_object_get(object, member);
    *seconds = json_integer_value(value);
    return (value == NULL || json_is_null(value) || json_is_integer(value)) && *seconds >= 0 &&
           *seconds <= SECONDS_MAX;
}

bool vault_read_token(struct slice body, struct vault_token_facts *facts, struct error *error) {
    json_t *root = NULL;
    int64_t period_s = 0;
    *facts = (struct vault_token_facts){0};
    const json_t *data = open_data(body, "lookup-self", &root, error);
    bool good = data != NULL;
    if (good && (!json_is_integer(json_object_get(data, "ttl")) ||
                 !read_seconds(data, "ttl", &facts->left_s) ||
                 !read_seconds(data, "creation_ttl", &facts->life_s) ||
                 !read_seconds(data, "period", &period_s) ||
                 !read_seconds(data, "num_uses", &facts->uses))) {
        good = error_set(error, E_CA_NONSENSE, "the CA's answer to lookup-self has no times");
    }
    facts->life_s = period_s > 0 ? period_s : facts->life_s;
    facts->renews = json_is_true(json_object_get(data, "renewable"));
    json_decref(root);
    return good;
}

bool vault_read_renewal(struct slice body, int64_t *left_s, struct error *error) {
    json_t *root = NULL;
    const json_t *auth = open_part(body, HTTP_BODY_MAX, "renew-self", "auth", &root, error);
    bool good = auth != NULL;
    if (good && (!json_is_integer(json_object_get(auth, "lease_duration")) ||
                 !read_seconds(auth, "lease_duration", left_s))) {
        good = error_set(error, E_CA_NONSENSE, "the CA's answer to renew-self has no time");
    }
    json_decref(root);
    return good;
}

// ---- the role -----------------------------------------------------------------------------------

static const char *const flags[] = {
    "use_csr_common_name",     "use_csr_sans",       "allow_any_name",
    "enforce_hostnames",       "allow_localhost",    "allow_bare_domains",
    "allow_subdomains",        "allow_glob_domains", "allowed_domains_template",
    "allow_token_displayname", "server_flag",        "client_flag",
    "code_signing_flag",       "no_store",           "generate_lease",
    "email_protection_flag",   "require_cn",
};
static const char *const numbers[] = {"ttl", "max_ttl", "key_bits", "not_before_duration"};
static const char *const texts[] = {"key_type", "not_after", "not_after_bound", "issuer_ref"};
static const char *const lists[] = {
    "allowed_domains",
    "allowed_serial_numbers",
    "key_usage",
    "ext_key_usage",
    "ext_key_usage_oids",
    "cn_validations",
    "ou",
    "organization",
    "country",
    "locality",
    "province",
    "street_address",
    "postal_code",
};

static bool is_list(const json_t *value) {
    size_t i;
    json_t *member;
    json_array_foreach((json_t *)value, i, member) {
        if (!json_is_string(member)) {
            return false;
        }
    }
    return json_is_array(value);
}

static bool is_flag(const json_t *value) {
    return json_is_boolean(value);
}

static bool is_number(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= SECONDS_MAX;
}

static bool is_text(const json_t *value) {
    return json_is_string(value);
}

static bool are_typed(const json_t *role, const char *const *members, size_t count,
                      bool (*is_typed)(const json_t *value), struct error *error) {
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(role, members[i]);
        if (value != NULL && !json_is_null(value) && !is_typed(value)) {
            return error_set(error, E_CA_NONSENSE, "the CA's role has a \"%s\" of another type",
                             members[i]);
        }
    }
    return true;
}

json_t *vault_read_role(struct slice body, struct error *error) {
    json_t *root = NULL;
    json_t *role = open_data(body, "roles", &root, error);
    bool good = role != NULL && are_typed(role, flags, ARRAY_LENGTH(flags), is_flag, error) &&
                are_typed(role, numbers, ARRAY_LENGTH(numbers), is_number, error) &&
                are_typed(role, texts, ARRAY_LENGTH(texts), is_text, error) &&
                are_typed(role, lists, ARRAY_LENGTH(lists), is_list, error);
    if (good && !json_is_boolean(json_object_get(role, "no_store"))) {
        good = error_set(error, E_CA_NONSENSE, "the CA's answer to roles is no role");
    }
    role = good ? json_incref(role) : NULL;
    json_decref(root);
    return role;
}

bool vault_flag(const json_t *role, const char *member) {
    return json_is_true(json_object_get(role, member));
}

int64_t vault_number(const json_t *role, const char *member) {
    return json_integer_value(json_object_get(role, member));
}

const char *vault_text(const json_t *role, const char *member) {
    const char *text = json_string_value(json_object_get(role, member));
    return text != NULL ? text : "";
}

size_t vault_list_size(const json_t *role, const char *member) {
    return json_array_size(json_object_get(role, member));
}

const char *vault_list_text(const json_t *role, const char *member, size_t index) {
    return json_string_value(json_array_get(json_object_get(role, member), index));
}

bool vault_list_has(const json_t *role, const char *member, const char *text) {
    for (size_t i = 0; i < vault_list_size(role, member); i++) {
        if (strcasecmp(vault_list_text(role, member, i), text) == 0) {
            return true;
        }
    }
    return false;
}

// ---- certificates -------------------------------------------------------------------------------

// An issuer has its chain as a list, from itself on; cert/ca_chain as one text. A mount without an
// issuer has an empty one.
bool vault_read_chain(struct slice body, struct buf *der, struct error *error) {
    json_t *root = NULL;
    const json_t *data = open_data(body, "the issuer", &root, error);
    const json_t *list = json_object_get(data, "ca_chain");
    const json_t *one = json_object_get(data, "certificate");
    bool good = data != NULL;
    if (json_is_array(list) && json_array_size(list) > 0) {
        good = json_take_certificates(list, "the issuer", der, error);
    } else if (good && (!json_is_string(one) || json_string_length(one) > 0)) {
        good = json_take_certificate(one, "the issuer", der, error);
    }
    json_decref(root);
    return good;
}

bool vault_read_certificates(struct slice body, struct buf *der, struct error *error) {
    json_t *root = NULL;
    const json_t *data = open_data(body, "sign", &root, error);
    const json_t *chain = json_object_get(data, "ca_chain");
    const json_t *issuer = json_object_get(data, "issuing_ca");
    bool good = data != NULL &&
                json_take_certificate(json_object_get(data, "certificate"), "sign", der, error);
    if (good && json_array_size(chain) > 0) {
        good = json_take_certificates(chain, "sign", der, error);
    } else if (good && json_string_length(issuer) > 0) {
        good = json_take_certificate(issuer, "sign", der, error);
    }
    json_decref(root);
    return good;
}

bool vault_has_lease(struct slice body) {
    struct error ignored;
    json_t *root = json_load_object(body, "sign", &ignored);
    bool has_lease = json_string_length(json_object_get(root, "lease_id")) > 0;
    json_decref(root);
    return has_lease;
}

bool vault_read_stored(struct slice body, struct buf *der, bool *is_revoked, struct error *error) {
    json_t *root = NULL;
    const json_t *data = open_data(body, "cert", &root, error);
    const json_t *time = json_object_get(data, "revocation_time");
    bool good = data != NULL &&
                json_take_certificate(json_object_get(data, "certificate"), "cert", der, error);
    if (good && time != NULL && !json_is_integer(time)) {
        good = error_set(error, E_CA_NONSENSE,
                         "the CA's answer to cert has a \"revocation_time\" of another type");
    }
    *is_revoked = json_integer_value(time) > 0;
    json_decref(root);
    return good;
}

bool vault_read_revoked(struct slice body) {
    struct error ignored;
    json_t *root = NULL;
    const json_t *data = open_data(body, "revoke", &root, &ignored);
    bool is_revoked = json_integer_value(json_object_get(data, "revocation_time")) > 0;
    json_decref(root);
    return is_revoked;
}

bool vault_may(struct slice body, const char *path, const char *capability) {
    struct error ignored;
    json_t *root = NULL;
    const json_t *data = open_data(body, "capabilities-self", &root, &ignored);
    const json_t *list = json_object_get(data, path);
    bool may = !is_list(list) || vault_list_has(data, path, "root") ||
               vault_list_has(data, path, capability);
    json_decref(root);
    return may;
}

// ---- serial numbers -----------------------------------------------------------------------------

bool vault_parse_serial(const char *text, struct vault_serial *serial) {
    *serial = (struct vault_serial){0};
    while (*text != '\0') {
        if (serial->length == VAULT_SERIAL_SIZE || text[1] == '\0') {
            return false;
        }
        const char digits[3] = {text[0], text[1], '\0'};
        if (!hex_decode(&serial->bytes[serial->length++], 1, digits)) {
            return false;
        }
        text += text[2] == ':' || text[2] == '-' ? 3 : 2;
        if (*text == '\0' && (text[-1] == ':' || text[-1] == '-')) {
            return false;
        }
    }
    return serial->length > 0;
}

void vault_write_serial(const struct vault_serial *serial, char separator,
                        char out[VAULT_SERIAL_TEXT]) {
    out[0] = '\0';
    for (size_t i = 0; i < serial->length; i++) {
        hex_encode(out + 3 * i, &serial->bytes[i], 1);
        if (i + 1U < serial->length) {
            out[3 * i + 2] = separator;
        }
    }
}

int vault_compare_serials(const struct vault_serial *a, const struct vault_serial *b) {
    size_t length = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, length);
    return order != 0 ? order : (int)a->length - (int)b->length;
}

// Hex of an even number of digits with separators or not, longer than a CA's may be (RFC 5280,
// section 4.1.2.2), or a folder: somebody put it there, the CA did not issue it.
static bool is_foreign(const char *key) {
    size_t length = strlen(key);
    return (length > 0 && key[length - 1] == '/') ||
           (length >= 2 * (VAULT_SERIAL_SIZE + 1) &&
            strspn(key, "0123456789abcdefABCDEF:-") == length);
}

static bool take_key(const char *key, vault_each_serial *on_serial, void *context,
                     struct vault_page *page, struct error *error) {
    struct vault_serial serial;
    bool is_serial = key != NULL && vault_parse_serial(key, &serial);
    if (!is_serial && (key == NULL || !is_foreign(key))) {
        return error_set(error, E_CA_NONSENSE, "the CA's list holds no serial number: \"%.32s\"",
                         key != NULL ? key : "?");
    }
    page->count++;
    if (is_serial) {
        page->first = page->first.length == 0 ? serial : page->first;
        page->last = serial;
    }
    return !is_serial || on_serial(context, &serial) ||
           error_set(error, E_MEMORY, "no memory for the CA's list");
}

bool vault_read_serials(struct slice body, vault_each_serial *on_serial, void *context,
                        struct vault_page *page, struct error *error) {
    json_t *root = NULL;
    size_t i;
    json_t *key;
    *page = (struct vault_page){0};
    const json_t *data = open_part(body, VAULT_LIST_MAX, "certs", "data", &root, error);
    json_t *keys = json_object_get(data, "keys");
    bool good = data != NULL;
    if (good && !json_is_array(keys)) {
        good = error_set(error, E_CA_NONSENSE, "the CA's answer to certs has no \"keys\"");
    }
    json_array_foreach(keys, i, key) {
        if (!good) {
            break;
        }
        good = take_key(json_string_value(key), on_serial, context, page, error);
    }
    json_decref(root);
    return good;
}
