// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"

#define DAY_MS INT64_C(86400000)
#define FOREVER_MS INT64_C(253402300799000) // 9999-12-31T23:59:59Z (RFC 5280, section 4.1.2.5)

// With `not_after` neither the role's max_ttl nor the mount's shortens the certificate in silence. What
// ends after its CA Vault refuses, unless the issuer says otherwise: the CA's own end is asked for.
static void write_end(const struct ca *ca, const struct profile *profile,
                      char out[CLOCK_TEXT_SIZE]) {
    int64_t end_ms =
        profile->validity_days > 0 ? clock_wall_ms() + profile->validity_days * DAY_MS : FOREVER_MS;
    if (ca->issuer_ends_ms > 0 && ca->issuer_ends_ms < end_ms) {
        end_ms = ca->issuer_ends_ms;
    }
    clock_format_utc(out, end_ms);
    // RFC 3339, in whole seconds.
    snprintf(out + 19, CLOCK_TEXT_SIZE - 19, "Z");
}

static bool put_hosts(json_t *root, const struct names *names) {
    char list[PROFILE_LIST_MAX * (NAMES_DNS_SIZE + 1)] = "";
    size_t length = 0;
    for (size_t i = 0; i < names->dns_count; i++) {
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i > 0 ? "," : "",
                                   names->dns_names[i]);
    }
    return json_put_text(root, "alt_names", list);
}

// Where the role cannot be read, it may take the names from the CSR.
static bool names_are_sure(const struct ca *ca, const struct ca_request *request,
                           struct error *error) {
    return ca->role != NULL ||
           x509_check_csr_subject(request->csr, request->profile, &request->subject, error);
}

// A role with an end of its own takes no other.
static bool put_end(json_t *root, const struct ca *ca, const struct profile *profile) {
    char end[CLOCK_TEXT_SIZE];
    write_end(ca, profile, end);
    return vault_text(ca->role, "not_after")[0] != '\0' || json_put_text(root, "not_after", end);
}

struct buf *vault_write_sign(const struct ca *ca, const struct ca_request *request,
                             struct error *error) {
    struct names names;
    if (!names_fill(request->profile, &request->subject, &names, error) ||
        !names_are_sure(ca, request, error)) {
        return NULL;
    }
    json_t *root = json_object();
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    if (!json_put_pem(root, "csr", request->csr, "CERTIFICATE REQUEST", error) ||
        !json_put_text(root, "common_name", names.common_name) ||
        !json_put_text(root, "serial_number", names.serial_number) || !put_hosts(root, &names) ||
        !json_put(root, "exclude_cn_from_sans", json_true()) ||
        !put_end(root, ca, request->profile) || !json_put_text(root, "format", "pem")) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

struct buf *vault_write_revoke(const struct vault_serial *serial, struct error *error) {
    char text[VAULT_SERIAL_TEXT];
    vault_write_serial(serial, ':', text);
    return json_write(json_pack("{s:s}", "serial_number", text), WEB_REQUEST_MAX, error);
}

struct buf *vault_write_revoke_certificate(struct slice der, struct error *error) {
    json_t *root = json_object();
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    if (!json_put_pem(root, "certificate", der, "CERTIFICATE", error)) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

struct buf *vault_write_capabilities(const struct ca *ca, struct error *error) {
    char sign[WEB_PATH_SIZE];
    char certs[WEB_PATH_SIZE];
    char revoke[WEB_PATH_SIZE];
    snprintf(sign, sizeof sign, "%s/sign/%s", ca->mount, ca->role_name);
    snprintf(certs, sizeof certs, "%s/certs", ca->mount);
    snprintf(revoke, sizeof revoke, "%s/revoke", ca->mount);
    return json_write(json_pack("{s:[s,s,s]}", "paths", sign, certs, revoke), WEB_REQUEST_MAX,
                      error);
}
