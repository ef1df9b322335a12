// SPDX-License-Identifier: Apache-2.0
// By serial number, as every Vault takes it; where the mount does not keep the certificate (no_store) by
// the certificate itself, which Vault takes from 1.12 on. Revoking twice is a success to Vault as well.
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/x509_station.h"

static void finish(struct call *call, const struct http_response *response) {
    struct vault_problem problem;
    struct ca_result result = {0};
    if (response->outcome == HTTP_ANSWERED && response->status == 200 &&
        vault_read_revoked(response->body)) {
        result.outcome = CA_REVOKED;
        call_finish(call, &result);
        return;
    }
    vault_read_problem(response->body, &problem);
    web_judge(response, problem.text, &result);
    if (result.outcome == CA_REFUSED && !problem.is_vault) {
        result.outcome = CA_NOT_SENT;
        result.error.code = E_CA_NONSENSE; // a proxy's
    } else if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        // It does not revoke what has ended (allow_expired_cert_revocation).
        result.outcome = CA_REFUSED;
        error_set(&result.error, E_CA_REFUSED,
                  "the CA did not revoke: the certificate has ended, most likely");
    }
    call_finish(call, &result);
}

static void revoke_certificate(struct call *call) {
    struct error error;
    struct buf *body = vault_write_revoke_certificate(call->request.certificate, &error);
    char path[WEB_PATH_SIZE];
    if (body == NULL) {
        call_finish_later(call, CA_REFUSED, &error);
        return;
    }
    vault_path(vault_ca_of(call), path, "revoke");
    const struct vault_request request = {.method = "POST", .path = path, .body = body};
    vault_send(call, &request, finish);
}

static void handle_revoke(struct call *call, const struct http_response *response) {
    struct vault_problem problem;
    vault_read_problem(response->body, &problem);
    bool is_unknown = response->outcome == HTTP_ANSWERED && response->status == 400 &&
                      strstr(problem.text, "not found") != NULL;
    if (is_unknown) {
        revoke_certificate(call);
    } else {
        finish(call, response);
    }
}

static bool read_serial(struct call *call, struct vault_serial *serial, struct error *error) {
    struct certificate_reference reference;
    if (!x509_refer(call->request.certificate, &reference, error)) {
        return false;
    }
    return vault_parse_serial(reference.serial_hex, serial) ||
           error_set(error, E_CERT_MALFORMED, "the certificate has no serial number");
}

void vault_revoke(struct call *call) {
    struct vault_serial serial;
    struct error error;
    char path[WEB_PATH_SIZE];
    if (!read_serial(call, &serial, &error)) {
        call_finish_later(call, CA_REFUSED, &error);
        return;
    }
    struct buf *body = vault_write_revoke(&serial, &error);
    if (body == NULL) {
        call_finish_later(call, CA_NOT_SENT, &error);
        return;
    }
    vault_path(vault_ca_of(call), path, "revoke");
    const struct vault_request request = {.method = "POST", .path = path, .body = body};
    vault_send(call, &request, handle_revoke);
}
