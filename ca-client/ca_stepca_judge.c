// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ca-client/ca_stepca_internal.h"

#define DAY_S INT64_C(86400)

// ---- the provisioner ----------------------------------------------------------------------------

// Without a template step-ca puts in the common name, and host names.
static bool template_fits(const struct profile *profile, const struct stepca_provisioner *found,
                          struct error *error) {
    const char *name = profile->serial_number[0] != '\0'         ? "serial_number"
                       : profile->organization[0] != '\0'        ? "organization"
                       : profile->organizational_unit[0] != '\0' ? "organizational_unit"
                       : profile->country[0] != '\0'             ? "country"
                       : profile->hardware_type[0] != '\0'       ? "hardware_type"
                       : profile->dns_names[0][0] == '\0'        ? "no dns_name"
                       : !profile->server_auth                   ? "server_auth = no"
                       : !profile->client_auth                   ? "client_auth = no"
                                                                 : NULL;
    return name == NULL || found->has_template ||
           error_set(error, E_CA_POLICY,
                     "options.x509.template: the provisioner has none, and profile %s needs one "
                     "for %s",
                     profile->name, name);
}

bool stepca_provisioner_fits(const struct ca *ca, const struct profile *profile,
                             const struct stepca_provisioner *found, struct error *error) {
    int64_t wanted_s = profile->validity_days * DAY_S;
    if (!found->is_found) {
        return error_set(error, E_CA_LOGIN, "provisioner: the CA has no JWK provisioner \"%s\"",
                         ca->provisioner);
    }
    if (!found->has_key) {
        return error_set(error, E_CA_LOGIN,
                         "signing_key_file: its key %s is not that of the provisioner \"%s\"",
                         token_key_id(ca->key), ca->provisioner);
    }
    if (profile->validity_days > 0 && found->maximum_s >= 0 && found->maximum_s < wanted_s) {
        return error_set(error, E_CA_POLICY,
                         "maxTLSCertDuration: the provisioner allows %lld days, profile %s asks "
                         "for %u",
                         (long long)(found->maximum_s / DAY_S), profile->name,
                         profile->validity_days);
    }
    return template_fits(profile, found, error);
}

// ---- answers ------------------------------------------------------------------------------------

static bool is_template_fault(const struct stepca_problem *problem) {
    return strstr(problem->text, "error applying certificate template") != NULL;
}

// step-ca's own 400 and 403 come before it signs, and so does what it says of its template. The same
// from a proxy says nothing of this camera.
static void judge_status(const struct http_response *response, const struct stepca_problem *problem,
                         struct ca_result *result) {
    bool is_no = response->status == 400 || response->status == 403;
    if (is_no && problem->is_stepca) {
        result->outcome = CA_REFUSED;
        result->error.code = E_CA_REFUSED;
    } else if (is_no) {
        result->outcome = CA_NOT_SENT;
        result->error.code = response->status == 403 ? E_CA_LOGIN : E_CA_NONSENSE;
    } else if (response->status == 500 && is_template_fault(problem)) {
        result->outcome = CA_NOT_SENT;
        result->error.code = E_CA_POLICY;
    }
}

void stepca_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                       struct buf *der, struct ca_result *result) {
    struct stepca_problem problem;
    if (response->outcome == HTTP_ANSWERED && response->status == 201) {
        bool is_read = stepca_read_certificates(response->body, der, &result->error);
        web_judge_certificates(is_read, der, spki_sha256, result);
        return;
    }
    stepca_read_problem(response->body, &problem);
    web_judge(response, problem.text, result);
    if (response->outcome == HTTP_ANSWERED) {
        judge_status(response, &problem, result);
    }
}

bool stepca_judge_probe(const struct http_response *response, struct error *error) {
    struct stepca_problem problem;
    stepca_read_problem(response->body, &problem);
    bool is_answered = response->outcome == HTTP_ANSWERED && problem.is_stepca;
    if (is_answered && response->status == 400 && strstr(problem.text, "notAfter") != NULL) {
        return true;
    }
    web_explain(response, problem.text, "sign", error);
    if (is_answered && (response->status == 400 || response->status == 403 ||
                        (response->status == 500 && is_template_fault(&problem)))) {
        error->code = E_CA_POLICY;
    } else if (error->code == E_CA_REFUSED) {
        error->code = E_CA_NONSENSE; // a proxy's
    }
    return false;
}
