// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_hvca_json.h"
#include "ca-client/json_load.h"

#define HARDWARE_MODULE_NAME "1.3.6.1.5.5.7.8.4" // RFC 4108, section 5

const char *const hvca_subject_fields[HVCA_SUBJECT_FIELDS] = {
    [HVCA_COMMON_NAME] = "common_name",
    [HVCA_SERIAL_NUMBER] = "serial_number",
    [HVCA_ORGANIZATION] = "organization",
    [HVCA_COUNTRY] = "country",
    [HVCA_STATE] = "state",
    [HVCA_LOCALITY] = "locality",
    [HVCA_STREET_ADDRESS] = "street_address",
    [HVCA_POSTAL_CODE] = "postal_code",
    [HVCA_EMAIL] = "email",
    [HVCA_GIVEN_NAME] = "given_name",
    [HVCA_SURNAME] = "surname",
    [HVCA_BUSINESS_CATEGORY] = "business_category",
    [HVCA_ORGANIZATION_IDENTIFIER] = "organization_identifier",
    [HVCA_JURISDICTION_LOCALITY] = "jurisdiction_of_incorporation_locality_name",
    [HVCA_JURISDICTION_STATE] = "jurisdiction_of_incorporation_state_or_province_name",
    [HVCA_JURISDICTION_COUNTRY] = "jurisdiction_of_incorporation_country_name",
};

static bool fail_policy(struct error *error, const char *section, const char *member) {
    return error_set(error, E_CA_NONSENSE, "the CA's policy: %s.%s is malformed", section, member);
}

// A member that is missing or null leaves `value` as it is.
static bool read_integer(const json_t *object, const char *name, int64_t *value) {
    const json_t *member = json_object_get(object, name);
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    if (!json_is_integer(member)) {
        return false;
    }
    *value = json_integer_value(member);
    return true;
}

static bool read_text(const json_t *member, char *out, size_t capacity) {
    return json_is_string(member) && text_copy(out, capacity, json_string_value(member));
}

static bool read_presence(const json_t *member, enum hvca_presence *presence) {
    static const char *const names[] = {
        [HVCA_OPTIONAL] = "OPTIONAL",
        [HVCA_REQUIRED] = "REQUIRED",
        [HVCA_FORBIDDEN] = "FORBIDDEN",
        [HVCA_STATIC] = "STATIC",
    };
    const char *text = json_string_value(member);
    for (size_t i = 0; text != NULL && i < ARRAY_LENGTH(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *presence = (enum hvca_presence)i;
            return true;
        }
    }
    return false;
}

// An expression too long to keep is not checked here; the CA checks it anyway.
static bool read_format(const json_t *member, char out[HVCA_FORMAT_SIZE]) {
    if (!json_is_string(member)) {
        return false;
    }
    (void)text_copy(out, HVCA_FORMAT_SIZE, json_string_value(member));
    return true;
}

static bool read_text_rule(const json_t *member, struct hvca_text_rule *rule) {
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    const json_t *format = json_object_get(member, "format");
    rule->is_named = true;
    return read_presence(json_object_get(member, "presence"), &rule->presence) &&
           (format == NULL || json_is_null(format) || read_format(format, rule->format));
}

static bool read_list_rule(const json_t *member, struct hvca_list_rule *rule) {
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    const json_t *list = json_object_get(member, "list");
    rule->is_named = true;
    rule->is_static = json_is_true(json_object_get(member, "static"));
    rule->maximum = INT64_MAX;
    rule->count = json_array_size(list);
    if (!json_is_object(member) || rule->count > HVCA_LIST_MAX ||
        !read_integer(member, "mincount", &rule->minimum) ||
        !read_integer(member, "maxcount", &rule->maximum)) {
        return false;
    }
    for (size_t i = 0; i < rule->count; i++) {
        if (!read_format(json_array_get(list, i), rule->formats[i])) {
            return false;
        }
    }
    return true;
}

static void note_unfillable(struct hvca_policy *policy, const char *section, const char *member) {
    if (policy->unfillable[0] == '\0') {
        char raw[sizeof policy->unfillable];
        snprintf(raw, sizeof raw, "%s.%s", section, member);
        text_escape(policy->unfillable, sizeof policy->unfillable, raw, strlen(raw));
    }
}

static bool read_validity(const json_t *root, struct hvca_policy *policy, struct error *error) {
    static const char section[] = "validity";
    const json_t *validity = json_object_get(root, section);
    if (!read_integer(validity, "secondsmin", &policy->seconds_min) ||
        !read_integer(validity, "secondsmax", &policy->seconds_max) ||
        !read_integer(validity, "not_before_negative_skew", &policy->negative_skew_s) ||
        !read_integer(validity, "not_before_positive_skew", &policy->positive_skew_s) ||
        !read_integer(validity, "issuer_expiry", &policy->issuer_expiry_s)) {
        return fail_policy(error, section, "a number");
    }
    const int64_t limit = INT64_C(1) << 40; // seconds: far past the year 9999
    if (policy->seconds_min < 0 || policy->seconds_min > limit || policy->seconds_max < 0 ||
        policy->seconds_max > limit || policy->negative_skew_s < 0 ||
        policy->negative_skew_s > limit || policy->positive_skew_s < 0 ||
        policy->positive_skew_s > limit || policy->issuer_expiry_s < 0 ||
        policy->issuer_expiry_s > limit) {
        return fail_policy(error, section, "a number");
    }
    return true;
}

// {OID: {static, value_type, value_format, mincount, maxcount}}
static bool read_typed_values(const json_t *values, const char *section, struct hvca_policy *policy,
                              struct error *error) {
    const char *oid = NULL;
    json_t *rule = NULL;
    json_object_foreach((json_t *)(uintptr_t)values, oid, rule) {
        int64_t minimum = 0;
        int64_t maximum = INT64_MAX;
        bool is_static = json_is_true(json_object_get(rule, "static"));
        const char *type = json_string_value(json_object_get(rule, "value_type"));
        if (!json_is_object(rule) || !read_integer(rule, "mincount", &minimum) ||
            !read_integer(rule, "maxcount", &maximum)) {
            return fail_policy(error, section, oid);
        }
        if (strcmp(section, "san.other_names") == 0 && strcmp(oid, HARDWARE_MODULE_NAME) == 0) {
            policy->takes_hardware_name =
                !is_static && maximum > 0 && type != NULL && strcmp(type, "DER") == 0;
            policy->demands_hardware_name = !is_static && minimum > 0;
            policy->writes_hardware_name = is_static;
        } else if (is_static || minimum > 0) {
            note_unfillable(policy, section, oid);
        }
    }
    return true;
}

static bool read_subject(const json_t *root, struct hvca_policy *policy, struct error *error) {
    static const char section[] = "subject_dn";
    const json_t *subject = json_object_get(root, section);
    for (size_t i = 0; i < HVCA_SUBJECT_FIELDS; i++) {
        const char *name = hvca_subject_fields[i];
        struct hvca_text_rule *rule = &policy->subject[i];
        if (!read_text_rule(json_object_get(subject, name), rule)) {
            return fail_policy(error, section, name);
        }
        if (i >= HVCA_STATE && rule->is_named &&
            (rule->presence == HVCA_REQUIRED || rule->presence == HVCA_STATIC)) {
            note_unfillable(policy, section, name);
        }
    }
    if (!read_list_rule(json_object_get(subject, "organizational_unit"),
                        &policy->organizational_unit)) {
        return fail_policy(error, section, "organizational_unit");
    }
    return read_typed_values(json_object_get(subject, "extra_attributes"),
                             "subject_dn.extra_attributes", policy, error);
}

static bool read_san(const json_t *root, struct hvca_policy *policy, struct error *error) {
    static const char section[] = "san";
    static const char *const others[] = {"emails", "ip_addresses", "uris"};
    const json_t *san = json_object_get(root, section);
    if (!read_list_rule(json_object_get(san, "dns_names"), &policy->dns_names)) {
        return fail_policy(error, section, "dns_names");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct hvca_list_rule rule = {0};
        if (!read_list_rule(json_object_get(san, others[i]), &rule)) {
            return fail_policy(error, section, others[i]);
        }
        if (rule.minimum > 0 || (rule.is_static && rule.count > 0)) {
            note_unfillable(policy, section, others[i]);
        }
    }
    return read_typed_values(json_object_get(san, "other_names"), "san.other_names", policy, error);
}

// Sections that no profile speaks of: fine as long as nothing in them is demanded of the request.
static bool read_foreign_section(const json_t *root, const char *section,
                                 struct hvca_policy *policy, struct error *error) {
    const char *name = NULL;
    json_t *rule = NULL;
    json_object_foreach((json_t *)(uintptr_t)json_object_get(root, section), name, rule) {
        enum hvca_presence presence = HVCA_OPTIONAL;
        int64_t minimum = 0;
        const json_t *stated = json_is_object(rule) ? json_object_get(rule, "presence") : rule;
        if (json_is_string(stated) && !read_presence(stated, &presence)) {
            // STATIC_TRUE and the like: the CA writes it.
            presence = HVCA_OPTIONAL;
        }
        if (!read_integer(rule, "mincount", &minimum)) {
            return fail_policy(error, section, name);
        }
        bool is_static = json_is_true(json_object_get(rule, "static"));
        if (presence == HVCA_REQUIRED || (minimum > 0 && !is_static)) {
            note_unfillable(policy, section, name);
        }
    }
    return true;
}

static bool read_algorithm(const json_t *member, struct hvca_algorithm_rule *rule) {
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    const json_t *list = json_object_get(member, "list");
    rule->count = json_array_size(list);
    if (rule->count > HVCA_LIST_MAX ||
        !read_presence(json_object_get(member, "presence"), &rule->presence)) {
        return false;
    }
    for (size_t i = 0; i < rule->count; i++) {
        if (!read_text(json_array_get(list, i), rule->names[i], sizeof rule->names[i])) {
            return false;
        }
    }
    return true;
}

static bool read_key(const json_t *root, struct hvca_policy *policy, struct error *error) {
    static const char section[] = "public_key";
    const json_t *key = json_object_get(root, section);
    const json_t *lengths = json_object_get(key, "allowed_lengths");
    const json_t *type = json_object_get(key, "key_type");
    const char *format = json_string_value(json_object_get(key, "key_format"));
    if (type != NULL && !read_text(type, policy->key_type, sizeof policy->key_type)) {
        return fail_policy(error, section, "key_type");
    }
    policy->takes_csr = format != NULL && strcmp(format, "PKCS10") == 0;
    if (!policy->takes_csr && (format == NULL || strcmp(format, "PKCS8") != 0)) {
        return fail_policy(error, section, "key_format");
    }
    policy->length_count = json_array_size(lengths);
    if (policy->length_count > HVCA_LIST_MAX) {
        return fail_policy(error, section, "allowed_lengths");
    }
    for (size_t i = 0; i < policy->length_count; i++) {
        const json_t *length = json_array_get(lengths, i);
        if (!json_is_integer(length)) {
            return fail_policy(error, section, "allowed_lengths");
        }
        policy->allowed_lengths[i] = json_integer_value(length);
    }
    return true;
}

static bool read_policy(const json_t *root, struct hvca_policy *policy, struct error *error) {
    static const char *const foreign[] = {"subject_da", "qualified_statements",
                                          "ms_extension_template", "custom_extensions"};
    if (!read_validity(root, policy, error) || !read_subject(root, policy, error) ||
        !read_san(root, policy, error) || !read_key(root, policy, error)) {
        return false;
    }
    const json_t *usages = json_object_get(root, "extended_key_usages");
    if (!read_list_rule(json_object_get(usages, "ekus"), &policy->usages)) {
        return fail_policy(error, "extended_key_usages", "ekus");
    }
    const json_t *signature = json_object_get(root, "signature");
    if (!read_algorithm(json_object_get(signature, "algorithm"), &policy->algorithm) ||
        !read_algorithm(json_object_get(signature, "hash_algorithm"), &policy->hash_algorithm)) {
        return fail_policy(error, "signature", "algorithm or hash_algorithm");
    }
    const json_t *presence = json_object_get(root, "public_key_signature");
    if (presence != NULL && !read_presence(presence, &policy->key_signature)) {
        return error_set(error, E_CA_NONSENSE,
                         "the CA's policy: public_key_signature is malformed");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(foreign); i++) {
        if (!read_foreign_section(root, foreign[i], policy, error)) {
            return false;
        }
    }
    return true;
}

bool hvca_parse_policy(struct slice body, struct hvca_policy *policy, struct error *error) {
    json_t *root = json_load_object(body, "the validation policy", error);
    if (root == NULL) {
        return false;
    }
    memset(policy, 0, sizeof *policy);
    bool good = read_policy(root, policy, error);
    json_decref(root);
    return good;
}
