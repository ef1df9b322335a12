// SPDX-License-Identifier: Apache-2.0
// What became of certificates that go out of use, for a person.
#include <stdio.h>

#include "station/app/revoker_internal.h"

static const char *name_of_ca(const struct store_certificate *stored) {
    return stored->ca[0] != '\0' ? stored->ca : "that issued it";
}

// One whose serial number could not be read has no other name at its CA than the camera's.
static void write_whom_to_ask(const struct store_certificate *stored, char *out, size_t capacity) {
    char handle[HANDLE_SIZE];
    revoker_write_handle(stored, handle);
    if (stored->certificate.serial_length == 0) {
        snprintf(
            out, capacity,
            "ask the administrator of the CA %s to revoke what it issued for %s; birthcert crl "
            "import takes the CA's list",
            name_of_ca(stored), stored->serial);
        return;
    }
    snprintf(out, capacity,
             "ask the administrator of the CA %s to revoke the serial number %s of the issuer "
             "\"%s\"; birthcert crl import takes the CA's list",
             name_of_ca(stored), handle, stored->certificate.issuer);
}

void revoker_show(struct revoker *revoker, const struct revocation *revocation) {
    const struct store_certificate *stored = &revocation->stored;
    char remedy[ERROR_TEXT_MAX + HANDLE_SIZE + sizeof stored->certificate.issuer] = "";
    char handle[HANDLE_SIZE];
    struct output_certificate shown = {.stored = stored, .remedy = remedy, .price = ""};
    if (stored->state == CERTIFICATE_REVOKED) {
        shown.finding = "revoked";
    } else if (stored->state == CERTIFICATE_WITHDRAWN) {
        shown.finding = "out of use here, and not revoked: its CA revokes nothing by itself";
        write_whom_to_ask(stored, remedy, sizeof remedy);
    } else if (revocation->is_awaiting) {
        revoker_write_handle(stored, handle);
        shown.finding = REVOKER_AWAITING;
        snprintf(remedy, sizeof remedy,
                 "birthcert reconcile asks the CA then, birthcert revoke %s --certificate %s "
                 "--reason superseded at once",
                 stored->serial, handle);
    } else {
        shown.finding = "revocation requested, and not confirmed";
        shown.error = &revocation->error;
        snprintf(remedy, sizeof remedy,
                 revocation->error.code == E_CA_CHANGED ? "%s asks once the section leads there"
                                                        : "%s asks the CA once more",
                 revoker_awaits_successor(revoker->config, stored) ? "the same command"
                                                                   : "birthcert reconcile");
    }
    revoker->output->ops->certificate(revoker->output, &shown);
}
