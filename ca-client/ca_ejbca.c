// SPDX-License-Identifier: Apache-2.0
// Keyfactor EJBCA by its REST API, version 1 for what issues and version 2 for what looks. Each camera's
// credential is an end entity of its own, whose certificates tell what became of a lost answer.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"
#include "station/base/log.h"

// The CA's administrator changes a profile now and then, while a station runs for months.
#define POLICY_LIFE_MS (10 * 60 * 1000)

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static bool copy_name(const char *key, const char *text, char out[EJBCA_NAME_MAX + 1],
                      struct error *error) {
    if (!is_set(text)) {
        return error_set(error, E_CA_CONFIG, "%s is not set", key);
    }
    json_t *as_json = json_string(text);
    bool good = as_json != NULL && text_copy(out, EJBCA_NAME_MAX + 1, text);
    json_decref(as_json);
    return good || error_set(error, E_CA_CONFIG, "%s: longer than %d bytes, or no UTF-8", key,
                             EJBCA_NAME_MAX);
}

static bool check_settings(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    if (is_set(settings->url) && !http_url_is_loopback(settings->url) &&
        !is_set(settings->client_certificate_file)) {
        return error_set(error, E_CA_CONFIG,
                         "client_certificate_file is not set: EJBCA needs mutual TLS");
    }
    return copy_name("ca_profile", settings->ca_profile, ca->profile, error) &&
           copy_name("end_entity_profile", settings->end_entity_profile, ca->entity_profile,
                     error) &&
           copy_name("authority", settings->authority, ca->authority, error);
}

static void close_ejbca(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    web_close(&ca->web);
    buf_free(ca->chain);
    free(ca);
}

static bool open_ejbca(struct loop *loop, const struct ca_settings *settings,
                       const struct ca_events *events, void *context, struct ca **out,
                       struct error *error) {
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    ca->web.calls.on_free = ejbca_call_end;
    if (!check_settings(ca, settings, error) ||
        !web_open(&ca->web, loop, settings, events, context, error)) {
        close_ejbca(ca);
        return error_prefix(error, "ca %s", is_set(settings->name) ? settings->name : "ejbca");
    }
    *out = ca;
    return true;
}

// ---- calls --------------------------------------------------------------------------------------

static struct call *new_call(struct ca *ca, const struct ca_request *request) {
    return call_new(&ca->web.calls, sizeof(struct ejbca_call), request);
}

// ---- issuing ------------------------------------------------------------------------------------

// EJBCA said no, and it is so unless it has issued all the same. What is revoked, or listed and not
// kept, is for reconcile to tell.
static void end_refused(struct call *call) {
    struct ejbca_call *own = ejbca_call_of(call);
    struct ca_result refused = own->refused;
    if (own->problem.code != ERROR_NONE) {
        error_prefix(&own->problem, "%s; looking whether it was issued all the same",
                     refused.error.text);
        own->problem.code = E_CA_DOUBT;
        call_fail(call, CA_DOUBT, &own->problem, own->retry_after_ms);
    } else if (own->look.live > 0) {
        ejbca_finish_found(call, CA_DOUBT);
    } else if (own->look.revoked > 0 || own->look.unseen > 0) {
        refused.error.code = E_CA_DOUBT;
        error_prefix(&refused.error, "EJBCA has certificates for this camera all the same");
        call_fail(call, CA_DOUBT, &refused.error, own->retry_after_ms);
    } else {
        call_finish(call, &refused);
    }
}

static void note_accepted(const struct call *call) {
    log_write(LOG_ERROR,
              "the request for %s waits in EJBCA: have it approved there, and the "
              "certificate issued",
              call->serial);
}

static void finish_enroll(struct call *call, struct ca_result *result, struct buf *der) {
    const struct ca *ca = ejbca_of(call);
    struct buf *extra = NULL;
    if (result->outcome == CA_ACCEPTED) {
        note_accepted(call);
    } else if (result->outcome == CA_CERTIFICATE) {
        ejbca_note_known(call);
    }
    if (result->outcome == CA_CERTIFICATE && ca->chain != NULL) {
        struct slice chain = buf_slice(ca->chain);
        extra = buf_new(2 * EJBCA_CERTIFICATES_MAX);
        if (extra != NULL && buf_put(extra, result->extra.data, result->extra.length) &&
            buf_put(extra, chain.data, chain.length)) {
            result->extra = buf_slice(extra);
        }
    }
    call_finish(call, result);
    buf_free(extra);
    buf_free(der);
}

static void handle_enroll(struct call *call, const struct http_response *response) {
    struct ca_result result = {0};
    bool wants_look = false;
    struct buf *der = buf_new(EJBCA_CERTIFICATES_MAX);
    if (der == NULL) {
        result.outcome = CA_DOUBT;
        error_set(&result.error, E_MEMORY, "no memory for a certificate");
    } else {
        ejbca_judge_enroll(response, call->request.spki_sha256, der, &result, &wants_look);
    }
    if (wants_look) {
        buf_free(der);
        ejbca_call_of(call)->refused = result;
        ejbca_look(call, EJBCA_OF_CAMERA, end_refused);
    } else {
        finish_enroll(call, &result, der);
    }
}

static void send_enroll(struct call *call) {
    struct ca *ca = ejbca_of(call);
    const struct ca_request *request = &call->request;
    struct error error;
    struct buf *body = NULL;
    if (!ejbca_policy_fits(&ca->policy, &call->profile, clock_wall_ms(), &error)) {
        call_finish_later(call, CA_NOT_SENT, &error);
    } else if (!x509_check_csr_subject(request->csr, request->profile, &request->subject, &error)) {
        call_finish_later(call, CA_REFUSED, &error);
    } else if (!ejbca_names_fit(request, &error)) {
        call_finish_later(call, error.code == E_CA_POLICY ? CA_NOT_SENT : CA_REFUSED, &error);
    } else if ((body = ejbca_write_enroll(ca, request, &error)) == NULL) {
        call_finish_later(call, error.code == E_MEMORY ? CA_NOT_SENT : CA_REFUSED, &error);
    } else {
        web_send_json(call, "POST", "/v1/certificate/pkcs10enroll", body, true, handle_enroll);
    }
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct call *call = new_call(ca, request);
    if (call_ends_early(call)) {
        return;
    }
    if (ca->chain != NULL && clock_monotonic_ms() - ca->policy_ms < POLICY_LIFE_MS) {
        send_enroll(call);
    } else {
        ejbca_learn(call, send_enroll);
    }
}

static void fetch(struct ca *ca, const struct ca_request *request) {
    struct call *call = new_call(ca, request);
    if (!call_ends_early(call)) {
        ejbca_fetch(call);
    }
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct call *call = new_call(ca, request);
    if (call->early.error.code != ERROR_NONE) {
        call->early.outcome = CA_DOUBT; // nothing was looked at
    }
    if (!call_ends_early(call)) {
        ejbca_reconcile(call);
    }
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct call *call = new_call(ca, request);
    call->reason = reason;
    if (!call_ends_early(call)) {
        ejbca_revoke(call);
    }
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    ejbca_check(new_call(ca, &request));
}

static const char *const ejbca_keys[] = {
    "url",        "client_certificate_file", "client_key_file", "server_root_file", "extra_header",
    "ca_profile", "end_entity_profile",      "authority",       "formerly",         NULL,
};

static const char ejbca_example[] = "backend = ejbca\n"
                                    "url = https://ejbca.factory.example/ejbca/ejbca-rest-api\n"
                                    "client_certificate_file = ejbca/station.pem\n"
                                    "client_key_file = ejbca/station.key\n"
                                    "server_root_file = ejbca/server-root.pem\n"
                                    "root_file = ejbca/root.pem\n"
                                    "authority = CameraCA\n"
                                    "ca_profile = Camera\n"
                                    "end_entity_profile = Cameras\n";

const struct ca_ops ca_ejbca = {
    .name = "ejbca",
    .is_public = true, // not the embedded one
    .can_revoke = true,
    .keys = ejbca_keys,
    .remark = "Keyfactor EJBCA, by its REST API.",
    .example = ejbca_example,
    .settle_ms = EJBCA_SETTLE_MS,
    .open = open_ejbca,
    .close = close_ejbca,
    .check = check,
    .submit = submit,
    .fetch = fetch,
    .reconcile = reconcile,
    .revoke = revoke,
};
