// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_cfssl_internal.h"

#define DAY_S INT64_C(86400)

// From 10000 on: certificate transparency logs and cfssl's database, which it turns to when it has
// signed already.
#define CODE_AFTER_SIGNING 10000

// ---- the profile --------------------------------------------------------------------------------

static bool usages_fit(const struct cfssl_policy *policy, const struct profile *profile,
                       struct error *error) {
    const char *missing = !policy->digital_signature                     ? "digital signature"
                          : profile->server_auth && !policy->server_auth ? "server auth"
                          : profile->client_auth && !policy->client_auth ? "client auth"
                                                                         : NULL;
    const char *surplus = policy->surplus[0] != '\0'                     ? policy->surplus
                          : !profile->server_auth && policy->server_auth ? "server auth"
                          : !profile->client_auth && policy->client_auth ? "client auth"
                                                                         : NULL;
    if (missing != NULL) {
        return error_set(error, E_CA_POLICY,
                         "usages: the CA's profile lacks \"%s\", which profile %s asks for",
                         missing, profile->name);
    }
    if (surplus != NULL) {
        return error_set(error, E_CA_POLICY,
                         "usages: the CA's profile adds \"%s\", which profile %s does not ask for",
                         surplus, profile->name);
    }
    return true;
}

// As x509_check_certificate holds it: not longer than the profile's, and not under nine tenths of
// it, or of what the issuing CA has left.
static bool expiry_fits(const struct cfssl_policy *policy, const struct profile *profile,
                        int64_t now_ms, struct error *error) {
    int64_t left_s = (policy->issuer_not_after_ms - now_ms) / 1000;
    int64_t wanted_s = profile->validity_days * DAY_S;
    bool has_end = profile->validity_days > 0;
    if (has_end && policy->expiry_s > wanted_s) {
        return error_set(error, E_CA_POLICY,
                         "expiry: the CA's profile gives %s, profile %s allows %u days",
                         policy->expiry, profile->name, profile->validity_days);
    }
    wanted_s = has_end && wanted_s < left_s ? wanted_s : left_s;
    if (policy->expiry_s < wanted_s / 10 * 9) {
        return error_set(error, E_CA_POLICY,
                         "expiry: the CA's profile gives %s, profile %s asks for %lld days",
                         policy->expiry, profile->name, (long long)(wanted_s / DAY_S));
    }
    return true;
}

bool cfssl_policy_fits(const struct cfssl_policy *policy, const struct profile *profile,
                       int64_t now_ms, struct error *error) {
    if (profile->hardware_type[0] != '\0') {
        return error_set(error, E_CA_POLICY,
                         "hardware_type: cfssl cannot put a HardwareModuleName into a "
                         "certificate, which profile %s asks for",
                         profile->name);
    }
    return usages_fit(policy, profile, error) && expiry_fits(policy, profile, now_ms, error);
}

// ---- answers ------------------------------------------------------------------------------------

// cfssl and multirootca answer a wrong key with 400 and these words, and no code that says so.
static bool is_about_login(const struct cfssl_problem *problem) {
    static const char *const texts[] = {"invalid token", "authentication required",
                                        "no authentication provider"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (strcmp(problem->text, texts[i]) == 0) {
            return true;
        }
    }
    return false;
}

// multirootca says no more than this of a request that it could not sign, or not record.
static bool is_after_signing(const struct cfssl_problem *problem) {
    return problem->code >= CODE_AFTER_SIGNING ||
           (problem->code == 1 && strcmp(problem->text, "bad request") == 0);
}

static void judge_bad_request(const struct cfssl_problem *problem, struct ca_result *result) {
    if (!problem->is_cfssl) {
        result->outcome = CA_NOT_SENT;
        result->error.code = E_CA_NONSENSE; // a proxy's
    } else if (is_about_login(problem)) {
        result->outcome = CA_NOT_SENT;
        result->error.code = E_CA_LOGIN;
    } else if (is_after_signing(problem)) {
        result->outcome = CA_DOUBT;
        result->error.code = E_CA_DOUBT;
    }
}

void cfssl_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                      struct buf *der, struct ca_result *result) {
    struct cfssl_problem problem;
    if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        bool is_read = cfssl_read_certificate(response->body, der, &result->error);
        web_judge_certificates(is_read, der, spki_sha256, result);
        return;
    }
    cfssl_read_problem(response->body, &problem);
    web_judge(response, problem.text, result);
    if (response->outcome == HTTP_ANSWERED && response->status == 400) {
        judge_bad_request(&problem, result);
    }
}

bool cfssl_judge_probe(const struct http_response *response, bool has_key, struct error *error) {
    struct cfssl_problem problem;
    cfssl_read_problem(response->body, &problem);
    bool is_answered = response->outcome == HTTP_ANSWERED;
    if (is_answered && response->status == 400 && problem.is_cfssl && !is_about_login(&problem)) {
        return true;
    }
    web_explain(response, problem.text, has_key ? "authsign" : "sign", error);
    if (is_answered && response->status == 400 && problem.is_cfssl) {
        error->code = E_CA_LOGIN;
    } else if (is_answered && response->status == 404) {
        return error_set(error, E_CA_CONFIG, "url: there is no cfssl, or its profiles %s",
                         has_key ? "have no auth_key, and signing_key_file is set"
                                 : "have an auth_key, and signing_key_file is not set");
    } else if (error->code == E_CA_REFUSED) {
        error->code = E_CA_NONSENSE; // a proxy's
    }
    return false;
}
