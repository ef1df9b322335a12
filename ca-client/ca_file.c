// SPDX-License-Identifier: Apache-2.0
// A CA that no network leads to. What is asked for stays with the station, accepted, until a person
// carries it away (`birthcert outbox export`) and brings the certificates back (`birthcert inbox
// import`): docs/file.md. Nothing here talks to anybody, so a lost answer there is none.
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/site.h"
#include "ca-client/x509.h"
#include "station/base/bytes.h"

// How often it is looked whether somebody brought a certificate.
#define LOOK_MS 2000

struct ca {
    struct call_list calls;
    struct site site; // its files; it has no server
};

static bool is_set(const char *value) {
    return value != NULL && value[0] != '\0';
}

static void finish_accepted(struct call *call) {
    struct ca_result result = {.outcome = CA_ACCEPTED, .retry_after_ms = LOOK_MS};
    call_finish(call, &result);
}

// The key's hash is the request's name, on its way and in the files that are carried.
static void file_submit(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->calls, sizeof *call, request);
    struct error error;
    if (call_ends_early(call)) {
        return;
    }
    if (!x509_check_csr_extensions(request->csr, request->profile, &request->subject, &error)) {
        call_finish_later(call, CA_REFUSED, &error);
        return;
    }
    hex_encode(call->handle, request->spki_sha256, SHA256_SIZE);
    call_delay(call, 0, finish_accepted);
}
_Static_assert(CA_HANDLE_SIZE > 2 * SHA256_SIZE, "a hash fits into a handle");

static void file_fetch(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->calls, sizeof *call, request);
    if (!call_ends_early(call)) {
        call_delay(call, 0, finish_accepted);
    }
}

// Only what was accepted is carried away: a request that was not cannot have been answered.
static void file_reconcile(struct ca *ca, const struct ca_request *request) {
    struct call *call = call_new(&ca->calls, sizeof *call, request);
    if (call_ends_early(call)) {
        return;
    }
    if (call->handle[0] != '\0') {
        call_cannot_look(call, false);
    } else {
        call_finish_later(call, CA_NOT_ISSUED, NULL);
    }
}

static void file_revoke(struct ca *ca, const struct ca_request *request,
                        enum ca_revocation_reason reason) {
    struct call *call = call_new(&ca->calls, sizeof *call, request);
    struct error error;
    (void)reason;
    error_set(&error, E_CA_UNSUPPORTED,
              "no network leads to this CA: ask its administrator to revoke it");
    call_finish_later(call, CA_REFUSED, &error);
}

static void report(struct call *call) {
    struct ca *ca = call->list->owner;
    struct ca_report report = {
        .reachable = true, .logged_in = true, .login = CA_LOGIN_NONE, .quota = -1};
    site_report_station(&ca->site, &report);
    report.policy_fits = report.error.code == ERROR_NONE;
    call_report(call, &report);
}

static void file_check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    call_delay(call_new(&ca->calls, sizeof(struct call), &request), 0, report);
}

static void file_close(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    call_list_end(&ca->calls);
    site_close(&ca->site);
    free(ca);
}

static bool file_open(struct loop *loop, const struct ca_settings *settings,
                      const struct ca_events *events, void *context, struct ca **out,
                      struct error *error) {
    *out = NULL;
    if (is_set(settings->client_certificate_file) != is_set(settings->client_key_file)) {
        return error_set(error, E_CA_CONFIG,
                         "ca %s: client_certificate_file and client_key_file go together",
                         settings->name);
    }
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    ca->calls =
        (struct call_list){.loop = loop, .events = *events, .context = context, .owner = ca};
    if (!site_copy_files(&ca->site, settings)) {
        file_close(ca);
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    *out = ca;
    return true;
}

static const char *const file_keys[] = {
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    NULL,
};

const struct ca_ops ca_file = {
    .name = "file",
    .is_public = true,
    .is_offline = true,
    .can_revoke = false,
    .forgets = true,
    .keys = file_keys,
    .remark =
        "For a bench without a network: `birthcert outbox export` writes what is waiting for\n"
        "somebody to carry to the CA, `birthcert inbox import` takes the certificates back.\n"
        "See share/doc/birthcert/ca/file.md.",
    .example = "backend = file\n"
               "client_certificate_file = offline/station.pem\n"
               "client_key_file = offline/station.key\n"
               "root_file = offline/root.pem\n",
    .open = file_open,
    .close = file_close,
    .check = file_check,
    .submit = file_submit,
    .fetch = file_fetch,
    .reconcile = file_reconcile,
    .revoke = file_revoke,
};
