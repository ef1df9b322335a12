// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "protocol/message.h"

struct fit {
    const struct hvca_policy *policy;
    const struct profile *profile;
    int64_t ca_now_s;
    bool with_formats;
    struct error *error;
};

static bool is_constant(const char *template) {
    return strchr(template, '{') == NULL;
}

static bool check_filled(const struct fit *fit, const char *field, const char *template,
                         const struct hvca_text_rule *rule) {
    if (!rule->is_named || rule->presence == HVCA_FORBIDDEN) {
        return error_set(fit->error, E_CA_POLICY,
                         "subject_dn.%s: the CA does not take it, the profile has \"%s\"", field,
                         template);
    }
    if (rule->presence == HVCA_STATIC) {
        return strcmp(template, rule->format) == 0 ||
               error_set(fit->error, E_CA_POLICY,
                         "subject_dn.%s: the CA always writes \"%s\", the profile has \"%s\"",
                         field, rule->format, template);
    }
    if (fit->with_formats && is_constant(template) &&
        !hvca_format_matches(rule->format, template)) {
        return error_set(fit->error, E_CA_POLICY,
                         "subject_dn.%s: the profile's \"%s\" does not match the CA's %s", field,
                         template, rule->format);
    }
    return true;
}

static bool check_text(const struct fit *fit, enum hvca_subject_field number,
                       const char *template) {
    const char *field = hvca_subject_fields[number];
    const struct hvca_text_rule *rule = &fit->policy->subject[number];
    if (template[0] != '\0') {
        return check_filled(fit, field, template, rule);
    }
    if (rule->is_named && rule->presence == HVCA_REQUIRED) {
        return error_set(fit->error, E_CA_POLICY,
                         "subject_dn.%s: the CA demands it, the profile leaves it out", field);
    }
    if (rule->is_named && rule->presence == HVCA_STATIC) {
        return error_set(fit->error, E_CA_POLICY,
                         "subject_dn.%s: the CA always writes \"%s\", the profile leaves it out",
                         field, rule->format);
    }
    return true;
}

static bool list_has(const struct hvca_list_rule *rule, const char *value) {
    for (size_t i = 0; i < rule->count; i++) {
        if (strcmp(rule->formats[i], value) == 0) {
            return true;
        }
    }
    return false;
}

static bool list_matches(const struct hvca_list_rule *rule, const char *value) {
    for (size_t i = 0; i < rule->count; i++) {
        if (hvca_format_matches(rule->formats[i], value)) {
            return true;
        }
    }
    return rule->count == 0;
}

static bool check_static_list(const struct fit *fit, const char *field,
                              const struct hvca_list_rule *rule, const char *const *values,
                              size_t count) {
    bool equal = count == rule->count;
    for (size_t i = 0; equal && i < count; i++) {
        equal = list_has(rule, values[i]);
    }
    return equal || error_set(fit->error, E_CA_POLICY,
                              "%s: the CA always writes its own %zu, the profile has others", field,
                              rule->count);
}

static bool check_list(const struct fit *fit, const char *field, const struct hvca_list_rule *rule,
                       const char *const *values, size_t count) {
    if (rule->is_named && rule->is_static) {
        return check_static_list(fit, field, rule, values, count);
    }
    if (count > 0 && (!rule->is_named || (int64_t)count > rule->maximum)) {
        return error_set(fit->error, E_CA_POLICY, "%s: the CA takes %lld, the profile has %zu",
                         field, rule->is_named ? (long long)rule->maximum : 0LL, count);
    }
    if ((int64_t)count < rule->minimum) {
        return error_set(fit->error, E_CA_POLICY, "%s: the CA demands %lld, the profile has %zu",
                         field, (long long)rule->minimum, count);
    }
    for (size_t i = 0; fit->with_formats && i < count; i++) {
        if (is_constant(values[i]) && !list_matches(rule, values[i])) {
            return error_set(fit->error, E_CA_POLICY,
                             "%s: the profile's \"%s\" does not match what the CA allows", field,
                             values[i]);
        }
    }
    return true;
}

static bool check_lists(const struct fit *fit) {
    const struct profile *profile = fit->profile;
    const char *units[1] = {profile->organizational_unit};
    const char *names[PROFILE_LIST_MAX];
    const char *usages[2];
    size_t name_count = 0;
    size_t usage_count = 0;
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        if (profile->dns_names[i][0] != '\0') {
            names[name_count++] = profile->dns_names[i];
        }
    }
    if (profile->server_auth) {
        usages[usage_count++] = "1.3.6.1.5.5.7.3.1";
    }
    if (profile->client_auth) {
        usages[usage_count++] = "1.3.6.1.5.5.7.3.2";
    }
    return check_list(fit, "subject_dn.organizational_unit", &fit->policy->organizational_unit,
                      units, units[0][0] != '\0' ? 1 : 0) &&
           check_list(fit, "san.dns_names", &fit->policy->dns_names, names, name_count) &&
           check_list(fit, "extended_key_usages", &fit->policy->usages, usages, usage_count);
}

static bool check_hardware_name(const struct fit *fit) {
    const struct hvca_policy *policy = fit->policy;
    bool is_wanted = fit->profile->hardware_type[0] != '\0';
    if (policy->writes_hardware_name) {
        return error_set(fit->error, E_CA_POLICY,
                         "san.other_names: the CA writes a HardwareModuleName of its own");
    }
    if (is_wanted && !policy->takes_hardware_name) {
        return error_set(fit->error, E_CA_POLICY,
                         "san.other_names: the CA does not take the profile's HardwareModuleName "
                         "(1.3.6.1.5.5.7.8.4 as DER)");
    }
    if (!is_wanted && policy->demands_hardware_name) {
        return error_set(fit->error, E_CA_POLICY,
                         "san.other_names: the CA demands a HardwareModuleName, the profile has no "
                         "hardware type");
    }
    return true;
}

static bool check_validity(const struct fit *fit) {
    const struct hvca_policy *policy = fit->policy;
    const int64_t day_s = 24 * 60 * 60;
    int64_t wanted_s = fit->profile->validity_days * day_s;
    if (wanted_s == 0) {
        return true; // as long as the CA allows
    }
    if (policy->seconds_max > 0 && wanted_s > policy->seconds_max) {
        return error_set(fit->error, E_CA_POLICY,
                         "validity: the profile asks for %u days, the CA gives at most %lld",
                         fit->profile->validity_days, (long long)(policy->seconds_max / day_s));
    }
    if (wanted_s < policy->seconds_min) {
        return error_set(fit->error, E_CA_POLICY,
                         "validity: the profile asks for %u days, the CA gives at least %lld s",
                         fit->profile->validity_days, (long long)policy->seconds_min);
    }
    return true;
}

static bool check_issuer(const struct fit *fit) {
    const struct hvca_policy *policy = fit->policy;
    if (policy->issuer_expiry_s > 0 &&
        policy->issuer_expiry_s < fit->ca_now_s + policy->seconds_min) {
        return error_set(fit->error, E_CA_POLICY,
                         "validity.issuer_expiry: the issuing CA expires too soon");
    }
    return true;
}

static bool check_key(const struct fit *fit) {
    static const struct {
        const char *type;
        int64_t length;
    } keys[] = {
        [KEY_P256] = {"ECDSA", 256},    [KEY_P384] = {"ECDSA", 384},
        [KEY_RSA_2048] = {"RSA", 2048}, [KEY_RSA_3072] = {"RSA", 3072},
        [KEY_RSA_4096] = {"RSA", 4096}, [KEY_ED25519] = {"ED25519", 256},
    };
    const struct hvca_policy *policy = fit->policy;
    uint8_t number = fit->profile->key_type;
    if (number >= ARRAY_LENGTH(keys) || keys[number].type == NULL) {
        return error_set(fit->error, E_CA_POLICY, "public_key.key_type: unknown key type");
    }
    if (policy->key_type[0] != '\0' && strcmp(policy->key_type, keys[number].type) != 0) {
        return error_set(fit->error, E_CA_POLICY,
                         "public_key.key_type: the CA takes %s, the profile has %s",
                         policy->key_type, keys[number].type);
    }
    bool is_allowed = policy->length_count == 0;
    for (size_t i = 0; i < policy->length_count; i++) {
        is_allowed = is_allowed || policy->allowed_lengths[i] == keys[number].length;
    }
    return is_allowed ||
           error_set(fit->error, E_CA_POLICY,
                     "public_key.allowed_lengths: the CA does not take %s keys of %lld bits",
                     keys[number].type, (long long)keys[number].length);
}

static bool check_rest(const struct fit *fit) {
    const struct hvca_policy *policy = fit->policy;
    if (policy->unfillable[0] != '\0') {
        return error_set(fit->error, E_CA_POLICY,
                         "%s: the CA demands or writes it, and no profile can speak of it",
                         policy->unfillable);
    }
    // It would have to be made with the camera's key, which only signs CSRs and proofs.
    if (policy->key_signature == HVCA_REQUIRED) {
        return error_set(fit->error, E_CA_POLICY,
                         "public_key_signature: the CA demands a signature that cameras do not "
                         "make; ask for key_format PKCS10 instead");
    }
    return true;
}

bool hvca_policy_fits(const struct hvca_policy *policy, const struct profile *profile,
                      int64_t ca_now_s, bool with_formats, struct error *error) {
    const struct fit fit = {policy, profile, ca_now_s, with_formats, error};
    return check_text(&fit, HVCA_COMMON_NAME, profile->common_name) &&
           check_text(&fit, HVCA_SERIAL_NUMBER, profile->serial_number) &&
           check_text(&fit, HVCA_ORGANIZATION, profile->organization) &&
           check_text(&fit, HVCA_COUNTRY, profile->country) && check_lists(&fit) &&
           check_hardware_name(&fit) && check_validity(&fit) && check_issuer(&fit) &&
           check_key(&fit) && check_rest(&fit);
}
