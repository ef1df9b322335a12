// SPDX-License-Identifier: Apache-2.0
// A role says which names it lets through. What stands for a camera's serial is not known beforehand,
// so that only what is refused whatever it is is said here; the CA judges the rest.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/names.h"

static bool refuse(struct error *error, const char *field, const struct profile *profile,
                   const char *why, const char *name) {
    return error_set(error, E_CA_POLICY, "%s: %s, profile %s asks for \"%s\"", field, why,
                     profile->name, name);
}

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name);
    size_t tail = strlen(end);
    return length > tail && name[length - tail - 1] == '.' &&
           strcmp(name + length - tail, end) == 0;
}

// What the token's own name, or a person's identity, or a pattern lets through cannot be told here.
static bool is_open(const json_t *role) {
    return vault_flag(role, "allow_any_name") || vault_flag(role, "allow_glob_domains") ||
           vault_flag(role, "allow_token_displayname") ||
           vault_flag(role, "allowed_domains_template");
}

static bool is_under(const json_t *role, const char *name, const char *domain, bool is_fixed) {
    bool is_it = strcasecmp(name, domain) == 0;
    if (vault_flag(role, "allow_subdomains") && ends_with(name, domain)) {
        return true;
    }
    // Each camera may stand in the list by its name.
    return vault_flag(role, "allow_bare_domains") && (is_it || !is_fixed);
}

static bool is_allowed(const json_t *role, const char *name, bool is_fixed) {
    bool is_local = vault_flag(role, "allow_localhost") &&
                    (strcmp(name, "localhost") == 0 || strcmp(name, "localdomain") == 0 ||
                     (vault_flag(role, "allow_subdomains") &&
                      (ends_with(name, "localhost") || ends_with(name, "localdomain"))));
    if (is_open(role) || is_local) {
        return true;
    }
    for (size_t i = 0; i < vault_list_size(role, "allowed_domains"); i++) {
        if (is_under(role, name, vault_list_text(role, "allowed_domains", i), is_fixed)) {
            return true;
        }
    }
    return false;
}

static bool name_fits(const json_t *role, const struct profile *profile, const char *template,
                      const char *name, struct error *error) {
    if (vault_flag(role, "enforce_hostnames") && !names_is_host(name)) {
        return refuse(error, "enforce_hostnames", profile, "the role takes host names only",
                      template);
    }
    return is_allowed(role, name, strchr(template, '{') == NULL) ||
           refuse(error, "allowed_domains", profile, "the role does not let the name through",
                  template);
}

static bool common_name_fits(const json_t *role, const struct profile *profile, const char *name,
                             struct error *error) {
    bool is_judged = vault_list_size(role, "cn_validations") != 1 ||
                     strcmp(vault_list_text(role, "cn_validations", 0), "disabled") != 0;
    if (name[0] == '\0') {
        return !vault_flag(role, "require_cn") ||
               error_set(error, E_CA_POLICY,
                         "require_cn: the role asks for a common name, profile %s has none",
                         profile->name);
    }
    if (!is_judged) {
        return true;
    }
    if (!name_fits(role, profile, profile->common_name, name, error)) {
        return error_prefix(error, "cn_validations");
    }
    return vault_list_size(role, "cn_validations") == 0 ||
           vault_list_has(role, "cn_validations", "hostname") || strchr(name, '@') != NULL ||
           refuse(error, "cn_validations", profile, "the role takes no host name",
                  profile->common_name);
}

bool vault_names_fit(const json_t *role, const struct profile *profile, struct error *error) {
    static const uint8_t hardware_id[6];
    const struct profile_subject subject = {.serial = "check",
                                            .model = "check",
                                            .hardware_id = hardware_id,
                                            .hardware_id_length = sizeof hardware_id};
    struct names names;
    if (!names_fill(profile, &subject, &names, error)) {
        return true; // each camera's request says so
    }
    if (!common_name_fits(role, profile, names.common_name, error)) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        const char *template = profile->dns_names[i];
        if (template[0] != '\0' &&
            !name_fits(role, profile, template, names.dns_names[count++], error)) {
            return false;
        }
    }
    return names.serial_number[0] == '\0' || vault_list_size(role, "allowed_serial_numbers") > 0 ||
           refuse(error, "allowed_serial_numbers", profile,
                  "the role lets no serialNumber through (\"*\" lets all)", profile->serial_number);
}
