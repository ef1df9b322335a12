// SPDX-License-Identifier: Apache-2.0
// EST, enrollment over secure transport (RFC 7030, with RFC 8951's clarifications). It has one
// request and no way to look: an answer that is lost stays lost, and a request that was accepted is
// had by sending it again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca-client/ca_est_internal.h"
#include "station/base/secret.h"

#define WELL_KNOWN "/.well-known/est"
#define LABEL_MAX 64
#define PASSWORD_MAX 1024

// ---- open and close -----------------------------------------------------------------------------

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

// RFC 7030, section 3.2.2: one segment, and not the name of an operation.
static bool check_label(const char *label, struct error *error) {
    static const char *const operations[] = {"cacerts", "simpleenroll", "simplereenroll",
                                             "fullcmc", "serverkeygen", "csrattrs"};
    bool good = strlen(label) <= LABEL_MAX &&
                label[strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-._~")] == '\0' &&
                strcmp(label, ".") != 0 && strcmp(label, "..") != 0;
    for (size_t i = 0; good && i < ARRAY_LENGTH(operations); i++) {
        good = strcasecmp(label, operations[i]) != 0;
    }
    return good || error_set(error, E_CA_CONFIG, "ca_profile: \"%s\" is no label of EST", label);
}

static bool check_settings(const struct ca_settings *settings, struct error *error) {
    if (is_set(settings->ca_profile) && !check_label(settings->ca_profile, error)) {
        return false;
    }
    if (is_set(settings->username) != is_set(settings->password_file)) {
        return error_set(error, E_CA_CONFIG, "username and password_file go together");
    }
    if (is_set(settings->username) && strchr(settings->username, ':') != NULL) {
        return error_set(error, E_CA_CONFIG, "username: a name with a colon cannot be sent");
    }
    return true;
}

// Where the operations are: the path that everybody knows, which the URL may have already.
static bool set_paths(struct ca *ca, const char *label, struct error *error) {
    const char *authority = strstr(ca->web.site.base_url, "://");
    const char *path = authority != NULL ? strchr(authority + 3, '/') : NULL;
    ca->base_path = path != NULL ? path : "";
    const char *found = strstr(ca->base_path, WELL_KNOWN);
    if (found != NULL && found[strlen(WELL_KNOWN)] != '\0') {
        return error_set(error, E_CA_CONFIG,
                         "url: \"%s\" goes on behind " WELL_KNOWN ": what follows it is the label, "
                         "ca_profile",
                         ca->web.site.base_url);
    }
    snprintf(ca->operations, sizeof ca->operations, "%s/%s%s", found != NULL ? "" : WELL_KNOWN,
             is_set(label) ? label : "", is_set(label) ? "/" : "");
    return true;
}

static bool set_up(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    ca->chain = buf_new(EST_CERTIFICATES_MAX);
    ca->others = buf_new(EST_CERTIFICATES_MAX);
    if (is_set(settings->username)) {
        ca->username = strdup(settings->username);
    }
    if (ca->chain == NULL || ca->others == NULL ||
        (is_set(settings->username) && ca->username == NULL)) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    return set_paths(ca, settings->ca_profile, error) &&
           (ca->username == NULL ||
            secret_read_line(settings->password_file, PASSWORD_MAX, &ca->password, error));
}

static void close_est(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    web_close(&ca->web);
    free(ca->username);
    buf_free_secret(ca->password);
    buf_free(ca->chain);
    buf_free(ca->others);
    free(ca);
}

static bool open_est(struct loop *loop, const struct ca_settings *settings,
                     const struct ca_events *events, void *context, struct ca **out,
                     struct error *error) {
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    if (!check_settings(settings, error) ||
        !web_open(&ca->web, loop, settings, events, context, error) ||
        !set_up(ca, settings, error)) {
        close_est(ca);
        return error_prefix(error, "ca %s", is_set(settings->name) ? settings->name : "est");
    }
    *out = ca;
    return true;
}

// ---- calls --------------------------------------------------------------------------------------

static struct est_call *new_call(struct ca *ca, const struct ca_request *request) {
    return (struct est_call *)call_new(&ca->web.calls, sizeof(struct est_call), request);
}

static void submit(struct ca *ca, const struct ca_request *request) {
    struct est_call *call = new_call(ca, request);
    if (!call_ends_early(&call->base)) {
        est_enroll(call);
    }
}

static void reconcile(struct ca *ca, const struct ca_request *request) {
    struct est_call *call = new_call(ca, request);
    if (call->base.early.error.code != ERROR_NONE) {
        call->base.early.outcome = CA_DOUBT; // nothing was decided
    }
    if (!call_ends_early(&call->base)) {
        call_cannot_look(&call->base, ca->web.resends_lost);
    }
}

static void revoke(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason) {
    struct est_call *call = new_call(ca, request);
    struct error error;
    (void)reason;
    if (!call_ends_early(&call->base)) {
        error_set(&error, E_CA_UNSUPPORTED, "EST cannot revoke: have the CA's administrator do it");
        call_finish_later(&call->base, CA_REFUSED, &error);
    }
}

static void check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    est_check(new_call(ca, &request));
}

static const char *const est_keys[] = {
    "url",
    "client_certificate_file",
    "client_key_file",
    "server_root_file",
    "username",
    "password_file",
    "ca_profile",
    "extra_header",
    "keep_alive",
    "lost_answer",
    "formerly",
    NULL,
};

static const char est_example[] = "backend = est\n"
                                  "url = https://est.example:8443\n"
                                  "ca_profile = cameras\n"
                                  "client_certificate_file = est/station.pem\n"
                                  "client_key_file = est/station.key\n"
                                  "username = station-1\n"
                                  "password_file = est/password\n"
                                  "server_root_file = est/server-root.pem\n"
                                  "root_file = est/root.pem\n";

const struct ca_ops ca_est = {
    .name = "est",
    .is_public = true,
    .can_revoke = false,
    .forgets = true,
    .fetch_repeats = true,
    .keys = est_keys,
    .remark =
        "A CA that speaks EST (RFC 7030). ca_profile is its label, where it has some; a client\n"
        "certificate, a name with a password, or both, as it wants.",
    .example = est_example,
    .not_before_window_s = 0,
    .settle_ms = 0,
    .open = open_est,
    .close = close_est,
    .check = check,
    .submit = submit,
    .fetch = submit,
    .reconcile = reconcile,
    .revoke = revoke,
};
