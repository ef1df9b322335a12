// SPDX-License-Identifier: Apache-2.0
// A new board's certificate by rekey of the old board's: POST /certificates/{serial}/rekey. It takes no
// names and no validity, those are the old certificate's; so that one is looked at before.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"

bool hvca_is_rekey(const struct hvca_call *call) {
    return call->base.replaces[0] != '\0';
}

void hvca_rekey_path(char out[HVCA_PATH_SIZE], const char *serial) {
    snprintf(out, HVCA_PATH_SIZE, "/certificates/%s/rekey", serial);
}

void hvca_explain_no_rekey(const struct hvca_call *call, struct error *error) {
    const char *ca = call->base.list->ca;
    struct error why = *error;
    struct error remedy;
    error_set(&remedy, error->code,
              "rekey = no in [ca %s], and the camera in any slot again, ask for an ordinary one",
              ca);
    // Where it is too long, the CA's words are cut: the rest is what has to be done.
    int room = ERROR_TEXT_MAX - (int)sizeof "; " - (int)strlen(remedy.text);
    error_set(error, why.code, "%.*s; %s", room, why.text, remedy.text);
}

static void refuse(struct hvca_call *call, const struct error *why) {
    struct error error;
    error_set(&error, E_CA_REFUSED, "no rekey of %s: %s", call->base.replaces, why->text);
    hvca_explain_no_rekey(call, &error);
    call_fail(&call->base, CA_REFUSED, &error, 0);
}

static void judge_old(struct hvca_call *call, struct slice body) {
    const struct ca_request *request = &call->base.request;
    struct buf *der = NULL;
    bool is_revoked = false;
    struct error error;
    if (!hvca_read_certificate(body, &der, &is_revoked, &error)) {
        if (error.code != E_MEMORY) {
            error_set(&error, E_CA_NONSENSE, "the certificate %s cannot be read",
                      call->base.replaces);
        }
        hvca_call_fail(call, &error, 0);
    } else if (is_revoked) {
        error_set(&error, E_CA_REFUSED, "it is revoked");
        refuse(call, &error);
    } else if (!x509_check_content(x509_first_der(buf_slice(der)), request->profile,
                                   &request->subject, clock_wall_ms(), &error)) {
        refuse(call, &error);
    } else {
        call->step(call);
    }
    buf_free(der);
}

static void handle_old(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct error error;
    if (response->outcome == HTTP_ANSWERED && response->status == 200) {
        judge_old(call, response->body);
        return;
    }
    hvca_explain(response, "the certificate to rekey", &error);
    // Nothing has left that issues: all but a no to this one certificate is tried again.
    bool is_no = response->outcome == HTTP_ANSWERED &&
                 (response->status == 404 || response->status == 422 || response->status == 400);
    if (is_no) {
        refuse(call, &error);
    } else {
        hvca_call_fail(call, &error, response->retry_after_ms);
    }
}

void hvca_check_rekeyed(struct hvca_call *call, hvca_call_step *step) {
    char path[HVCA_PATH_SIZE];
    char serial[CA_HANDLE_SIZE];
    struct error error;
    if (!hvca_read_serial(call->base.replaces, strlen(call->base.replaces), serial)) {
        error_set(&error, E_INTERNAL, "rekey without a certificate's serial");
        call_finish_later(&call->base, CA_REFUSED, &error);
        return;
    }
    call->step = step;
    hvca_certificate_path(path, serial);
    hvca_send(call->ca, "GET", path, NULL, handle_old, call);
}
