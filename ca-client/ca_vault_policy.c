// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_vault_internal.h"
#include "protocol/message.h"
#include "station/base/clock.h"

#define DAY_MS INT64_C(86400000)

// ---- who says what is in the certificate --------------------------------------------------------

static bool sources_fit(const json_t *role, struct error *error) {
    if (vault_flag(role, "use_csr_common_name")) {
        return error_set(error, E_CA_POLICY,
                         "use_csr_common_name: the role takes the common name from the camera's "
                         "CSR, not from the profile: set it to false");
    }
    if (vault_flag(role, "use_csr_sans")) {
        return error_set(error, E_CA_POLICY,
                         "use_csr_sans: the role takes subjectAltName from the camera's CSR, not "
                         "from the profile: set it to false");
    }
    return json_object_get(role, "not_after") != NULL ||
           error_set(error, E_CA_POLICY,
                     "not_after: this Vault cannot be asked when a certificate is to end: it takes "
                     "1.10 or later");
}

static bool lasts(const json_t *role, struct error *error) {
    return !vault_flag(role, "generate_lease") ||
           error_set(
               error, E_CA_POLICY,
               "generate_lease: Vault revokes every certificate of the role when its lease or "
               "the station's token ends: set it to false");
}

// Vault takes these from the role alone, the same for every camera.
static bool attribute_fits(const json_t *role, const char *member, const char *wanted,
                           const struct profile *profile, struct error *error) {
    size_t count = vault_list_size(role, member);
    const char *given = count > 0 ? vault_list_text(role, member, 0) : "";
    return (count <= 1 && strcmp(given, wanted) == 0) ||
           error_set(error, E_CA_POLICY,
                     "%s: the role puts in \"%s\"%s, profile %s asks for \"%s\"", member, given,
                     count > 1 ? " and more" : "", profile->name, wanted);
}

static bool subject_fits(const json_t *role, const struct profile *profile, struct error *error) {
    return attribute_fits(role, "organization", profile->organization, profile, error) &&
           attribute_fits(role, "ou", profile->organizational_unit, profile, error) &&
           attribute_fits(role, "country", profile->country, profile, error) &&
           attribute_fits(role, "locality", "", profile, error) &&
           attribute_fits(role, "province", "", profile, error) &&
           attribute_fits(role, "street_address", "", profile, error) &&
           attribute_fits(role, "postal_code", "", profile, error);
}

// ---- usages -------------------------------------------------------------------------------------

static bool key_usages_fit(const json_t *role, const struct profile *profile, struct error *error) {
    static const char *const harmful[] = {"CertSign", "CRLSign"};
    if (!vault_list_has(role, "key_usage", "DigitalSignature")) {
        return error_set(
            error, E_CA_POLICY,
            "key_usage: the role lacks \"DigitalSignature\", which profile %s asks for",
            profile->name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(harmful); i++) {
        if (vault_list_has(role, "key_usage", harmful[i])) {
            return error_set(error, E_CA_POLICY,
                             "key_usage: the role adds \"%s\", which no camera may have",
                             harmful[i]);
        }
    }
    return true;
}

static bool usage_fits(const json_t *role, const char *flag, const char *name, bool is_wanted,
                       const struct profile *profile, struct error *error) {
    bool is_given = vault_flag(role, flag) || vault_list_has(role, "ext_key_usage", name);
    return is_given == is_wanted ||
           error_set(error, E_CA_POLICY, "%s: the role %s %s, profile %s %s it", flag,
                     is_given ? "gives" : "does not give", name, profile->name,
                     is_wanted ? "asks for" : "does not ask for");
}

static bool usages_fit(const json_t *role, const struct profile *profile, struct error *error) {
    if (!key_usages_fit(role, profile, error) ||
        !usage_fits(role, "server_flag", "ServerAuth", profile->server_auth, profile, error) ||
        !usage_fits(role, "client_flag", "ClientAuth", profile->client_auth, profile, error) ||
        !usage_fits(role, "code_signing_flag", "CodeSigning", false, profile, error) ||
        !usage_fits(role, "email_protection_flag", "EmailProtection", false, profile, error)) {
        return false;
    }
    for (size_t i = 0; i < vault_list_size(role, "ext_key_usage"); i++) {
        const char *usage = vault_list_text(role, "ext_key_usage", i);
        if (strcasecmp(usage, "ServerAuth") != 0 && strcasecmp(usage, "ClientAuth") != 0) {
            return error_set(
                error, E_CA_POLICY,
                "ext_key_usage: the role adds \"%s\", which profile %s does not ask for", usage,
                profile->name);
        }
    }
    return vault_list_size(role, "ext_key_usage_oids") == 0 ||
           error_set(error, E_CA_POLICY,
                     "ext_key_usage_oids: the role adds \"%s\", which profile %s does not ask for",
                     vault_list_text(role, "ext_key_usage_oids", 0), profile->name);
}

// ---- the key ------------------------------------------------------------------------------------

static bool key_fits(const json_t *role, const struct profile *profile, struct error *error) {
    static const struct {
        enum key_type type;
        const char *name;
        int64_t bits; // 0: of one size
    } keys[] = {
        {KEY_P256, "ec", 256},       {KEY_P384, "ec", 384},       {KEY_RSA_2048, "rsa", 2048},
        {KEY_RSA_3072, "rsa", 3072}, {KEY_RSA_4096, "rsa", 4096}, {KEY_ED25519, "ed25519", 0},
    };
    const char *wanted = vault_text(role, "key_type");
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        bool is_it = keys[i].type == profile->key_type;
        if (is_it && strcmp(wanted, "any") != 0 && strcmp(wanted, keys[i].name) != 0) {
            return error_set(error, E_CA_POLICY,
                             "key_type: the role wants \"%s\", the keys of profile %s are \"%s\"",
                             wanted, profile->name, keys[i].name);
        }
        if (is_it && strcmp(wanted, "any") != 0 && keys[i].bits > 0 &&
            keys[i].bits < vault_number(role, "key_bits")) {
            return error_set(error, E_CA_POLICY,
                             "key_bits: the role wants %lld, the keys of profile %s have %lld",
                             (long long)vault_number(role, "key_bits"), profile->name,
                             (long long)keys[i].bits);
        }
    }
    return true;
}

// ---- validity -----------------------------------------------------------------------------------

// An end that the role has for all certificates, as x509_check_certificate holds it.
static bool fixed_end_fits(int64_t end_ms, const struct profile *profile, int64_t now_ms,
                           struct error *error) {
    char text[CLOCK_TEXT_SIZE];
    int64_t wanted_ms = profile->validity_days * DAY_MS;
    clock_format_utc(text, end_ms);
    if (profile->validity_days > 0 && end_ms > now_ms + wanted_ms) {
        return error_set(error, E_CA_POLICY,
                         "not_after: the role gives %s, profile %s allows %u days", text,
                         profile->name, profile->validity_days);
    }
    return end_ms >= now_ms + wanted_ms / 10 * 9 ||
           error_set(error, E_CA_POLICY,
                     "not_after: the role gives %s, profile %s asks for %u days", text,
                     profile->name, profile->validity_days);
}

// OpenBao's bound for what a request may ask for.
static bool bound_fits(const json_t *role, const struct profile *profile, int64_t now_ms,
                       struct error *error) {
    const char *bound = vault_text(role, "not_after_bound");
    int64_t ttl_ms = vault_number(role, "ttl") * 1000;
    int64_t last_ms = now_ms + ttl_ms;
    bool is_open = bound[0] == '\0' || strcmp(bound, "permit") == 0;
    if (is_open || (strcmp(bound, "ttl-limited") == 0 && ttl_ms == 0)) {
        return true;
    }
    bool has_time = strcmp(bound, "ttl-limited") == 0 || clock_parse_utc(bound, &last_ms);
    bool fits = profile->validity_days > 0 && now_ms + profile->validity_days * DAY_MS <= last_ms;
    return (has_time && fits) ||
           error_set(
               error, E_CA_POLICY,
               "not_after_bound: \"%s\" does not let the station ask for the end of profile %s",
               bound, profile->name);
}

static bool validity_fits(const json_t *role, const struct profile *profile, int64_t now_ms,
                          struct error *error) {
    const char *text = vault_text(role, "not_after");
    int64_t end_ms = 0;
    if (text[0] == '\0') {
        return bound_fits(role, profile, now_ms, error);
    }
    if (!clock_parse_utc(text, &end_ms)) {
        return error_set(error, E_CA_POLICY, "not_after: \"%s\" is no time", text);
    }
    if (profile->validity_days == 0) {
        return strncmp(text, "9999-12-31T23:59:59", 19) == 0 ||
               error_set(error, E_CA_POLICY,
                         "not_after: the role gives %s, profile %s asks for no end", text,
                         profile->name);
    }
    return fixed_end_fits(end_ms, profile, now_ms, error);
}

bool vault_role_fits(const json_t *role, const struct profile *profile, int64_t now_ms,
                     struct error *error) {
    if (profile->hardware_type[0] != '\0') {
        return error_set(error, E_CA_POLICY,
                         "hardware_type: Vault cannot put a HardwareModuleName into a certificate, "
                         "which profile %s asks for",
                         profile->name);
    }
    return sources_fit(role, error) && lasts(role, error) && subject_fits(role, profile, error) &&
           vault_names_fit(role, profile, error) && usages_fit(role, profile, error) &&
           key_fits(role, profile, error) && validity_fits(role, profile, now_ms, error);
}
