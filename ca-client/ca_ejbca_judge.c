// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/names.h"
#include "ca-client/x509_openssl.h"
#include "protocol/message.h"

#define DAY_S INT64_C(86400)
#define BIT(number) (UINT32_C(1) << (number))

// ---- the certificate profile --------------------------------------------------------------------

static bool keys_fit(const struct ejbca_policy *policy, const struct profile *profile,
                     struct error *error) {
    if (policy->has_authorities && !policy->has_authority) {
        return error_set(error, E_CA_POLICY,
                         "ca_profile: EJBCA's certificate profile does not allow the CA that "
                         "authority names");
    }
    if (policy->has_keys && (policy->keys & BIT(profile->key_type)) == 0) {
        return error_set(error, E_CA_POLICY,
                         "key_type: EJBCA's certificate profile allows %s, profile %s asks for %s",
                         policy->keys_text[0] != '\0' ? policy->keys_text
                                                      : "none of the keys that cameras have",
                         profile->name, key_type_name(profile->key_type));
    }
    return true;
}

static bool usages_fit(const struct ejbca_policy *policy, const struct profile *profile,
                       struct error *error) {
    const char *missing =
        policy->has_usage && !policy->digital_signature ? "Digital Signature"
        : policy->has_extended_usage && profile->server_auth && !policy->server_auth
            ? "Server Authentication"
        : policy->has_extended_usage && profile->client_auth && !policy->client_auth
            ? "Client Authentication"
            : NULL;
    const char *surplus = policy->surplus[0] != '\0'                     ? policy->surplus
                          : !profile->server_auth && policy->server_auth ? "Server Authentication"
                          : !profile->client_auth && policy->client_auth ? "Client Authentication"
                                                                         : NULL;
    if (missing != NULL) {
        return error_set(error, E_CA_POLICY,
                         "usages: EJBCA's certificate profile lacks \"%s\", which profile %s asks "
                         "for",
                         missing, profile->name);
    }
    if (surplus != NULL) {
        return error_set(error, E_CA_POLICY,
                         "usages: EJBCA's certificate profile adds \"%s\", which profile %s does "
                         "not ask for",
                         surplus, profile->name);
    }
    return true;
}

// As x509_check_certificate holds it: not longer than the profile's, and not under nine tenths of
// it, or of what the issuing CA has left.
static bool validity_fits(const struct ejbca_policy *policy, const struct profile *profile,
                          int64_t now_ms, struct error *error) {
    int64_t left_s = (policy->issuer_not_after_ms - now_ms) / 1000;
    int64_t wanted_s = profile->validity_days * DAY_S;
    bool has_end = profile->validity_days > 0;
    int64_t given_s = policy->validity_s < left_s ? policy->validity_s : left_s;
    if (has_end && given_s > wanted_s) {
        return error_set(
            error, E_CA_POLICY,
            "validity: EJBCA's certificate profile gives %s, profile %s allows %u days",
            policy->validity, profile->name, profile->validity_days);
    }
    wanted_s = has_end && wanted_s < left_s ? wanted_s : left_s;
    if (given_s < wanted_s / 10 * 9) {
        return error_set(error, E_CA_POLICY,
                         "validity: EJBCA's certificate profile gives %s, profile %s asks for "
                         "%lld days",
                         policy->validity, profile->name, (long long)(wanted_s / DAY_S));
    }
    return true;
}

bool ejbca_policy_fits(const struct ejbca_policy *policy, const struct profile *profile,
                       int64_t now_ms, struct error *error) {
    return keys_fit(policy, profile, error) && usages_fit(policy, profile, error) &&
           (!policy->has_validity || validity_fits(policy, profile, now_ms, error));
}

// ---- what the CSR has to bring ------------------------------------------------------------------

// The GeneralNames of the CSR; NULL where it has none.
static GENERAL_NAMES *csr_names(X509_REQ *csr) {
    X509_EXTENSIONS *extensions = X509_REQ_get_extensions(csr);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return names;
}

static bool has_dns_name(const GENERAL_NAMES *names, const char *wanted) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int kind = 0;
        const ASN1_STRING *text = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
        if (kind == GEN_DNS && (size_t)ASN1_STRING_length(text) == strlen(wanted) &&
            strncasecmp((const char *)ASN1_STRING_get0_data(text), wanted, strlen(wanted)) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_other_name(const GENERAL_NAMES *names) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (sk_GENERAL_NAME_value(names, i)->type == GEN_OTHERNAME) {
            return true;
        }
    }
    return false;
}

// An end entity profile can add a host name that all cameras share, or the common name; no other.
static bool can_add(const struct ca_request *request, const struct names *names, size_t at) {
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        if (strcasecmp(request->profile->dns_names[i], names->dns_names[at]) == 0) {
            return true; // a template without a placeholder
        }
    }
    return strcasecmp(names->common_name, names->dns_names[at]) == 0;
}

static bool check_names(const struct ca_request *request, const GENERAL_NAMES *found,
                        struct error *error) {
    struct names names;
    if (!names_fill(request->profile, &request->subject, &names, error)) {
        return false;
    }
    for (size_t i = 0; i < names.dns_count; i++) {
        if (!has_dns_name(found, names.dns_names[i]) && !can_add(request, &names, i)) {
            return error_set(
                error, E_CA_POLICY,
                "dns_names: EJBCA takes the subjectAltName from the CSR, and the "
                "camera's has no \"%s\": have the firmware put it there, or take it out "
                "of profile %s",
                names.dns_names[i], request->profile->name);
        }
    }
    return names.hardware_type[0] == '\0' || has_other_name(found) ||
           error_set(error, E_CA_POLICY,
                     "hardware_type: EJBCA takes the subjectAltName from the CSR, and the camera's "
                     "has no HardwareModuleName: have the firmware put it there, or take it out of "
                     "profile %s",
                     request->profile->name);
}

bool ejbca_names_fit(const struct ca_request *request, struct error *error) {
    X509_REQ *csr = x509_decode_csr(request->csr, error);
    if (csr == NULL) {
        return false;
    }
    GENERAL_NAMES *found = csr_names(csr);
    bool good = check_names(request, found, error);
    GENERAL_NAMES_free(found);
    X509_REQ_free(csr);
    ERR_clear_error();
    return good;
}

// ---- answers ------------------------------------------------------------------------------------

#define PROTOCOL_HINT                                                                              \
    "if EJBCA says that the service is disabled, enable REST Certificate Management and REST "     \
    "Certificate Management V2 in its System Configuration, Protocol Configuration"

void ejbca_explain(const struct http_response *response, const char *what, struct error *error) {
    struct ejbca_problem problem;
    bool is_answered = response->outcome == HTTP_ANSWERED;
    ejbca_read_problem(response->body, &problem);
    if (is_answered && !problem.is_ejbca && (response->status == 403 || response->status == 404)) {
        error_set(error, response->status == 403 ? E_CA_LOGIN : E_CA_CONFIG,
                  "%s: HTTP %ld, and not from EJBCA's REST API: see url; " PROTOCOL_HINT, what,
                  response->status);
        return;
    }
    web_explain(response, problem.text, what, error);
    if (error->code == E_CA_REFUSED || (is_answered && response->status == 404)) {
        // What was asked for is not a camera's, but the section's.
        error->code = problem.is_ejbca ? E_CA_CONFIG : E_CA_NONSENSE;
    }
}

static bool says(const struct ejbca_problem *problem, const char *text) {
    return strcasestr(problem->text, text) != NULL;
}

// pkcs10enroll says 400 to nearly everything, and only its words tell whose fault it is. A node that
// hands requests on (an RA) asks itself first, then each CA that it knows, and the answer is that of the
// first who has one; it keeps only "doesn't exist" and goes on. Where the CA's answer is lost it goes on
// as well, and says in the end that the CA does not exist, or what the next one says, which may be
// offline. The CA's transaction may then still be open, so that to look at once proves nothing.
// All other words are those of the one who worked on the request, said when it was through with it:
// what it then has not issued it will not issue.
static void judge_refusal(long status, const struct ejbca_problem *problem,
                          struct ca_result *result) {
    bool is_offline =
        says(problem, "offline") || says(problem, "off-line") || says(problem, "not active");
    bool is_unknown = says(problem, "doesn't exist") || says(problem, "does not exist");
    if (status == 404 || is_offline || is_unknown) {
        result->outcome = CA_DOUBT;
        result->error.code = E_CA_DOUBT;
    } else if (status == 403 || says(problem, "approval")) {
        result->outcome = CA_NOT_SENT;
        result->error.code = status == 403 ? E_CA_LOGIN : E_CA_POLICY;
    } else {
        result->outcome = CA_REFUSED;
        result->error.code = E_CA_REFUSED;
    }
}

static void judge_no(const struct http_response *response, struct ca_result *result,
                     bool *wants_look) {
    struct ejbca_problem problem;
    ejbca_read_problem(response->body, &problem);
    web_judge(response, problem.text, result);
    if (response->outcome != HTTP_ANSWERED) {
        return;
    }
    // Before these nobody works on a request.
    bool is_kept_off = response->status == 401 || response->status == 429;
    if (response->status < 400 || response->status >= 500 || is_kept_off) {
        return;
    }
    *wants_look = true;
    if (problem.is_ejbca) {
        judge_refusal(response->status, &problem, result);
    } else {
        // A gateway's page may stand in the place of EJBCA's answer, a 201 too.
        ejbca_explain(response, "pkcs10enroll", &result->error);
        result->outcome = CA_DOUBT;
        result->error.code = E_CA_DOUBT;
    }
}

void ejbca_judge_enroll(const struct http_response *response,
                        const uint8_t spki_sha256[SHA256_SIZE], struct buf *der,
                        struct ca_result *result, bool *wants_look) {
    *wants_look = false;
    if (!ejbca_is_good(response)) {
        judge_no(response, result, wants_look);
    } else if (response->status == 202) {
        // It is on EJBCA's record, and must not be asked for again.
        result->outcome = CA_ACCEPTED;
        result->handle = EJBCA_WAITS;
    } else {
        bool is_read = ejbca_read_certificate(response->body, der, &result->error);
        web_judge_certificates(is_read, der, spki_sha256, result);
    }
}
