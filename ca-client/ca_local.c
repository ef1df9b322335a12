// SPDX-License-Identifier: Apache-2.0
// The embedded CA: a key in a file or a token, for demonstrations and pilots. A certificate exists only once
// its result was delivered, so one that was not stored was never issued.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca.h"
#include "ca-client/key.h"
#include "ca-client/x509.h"
#include "ca-client/x509_issue.h"
#include "station/base/clock.h"

#define CERTIFICATE_FILE_MAX (256 * 1024)

// What is waiting for the loop: a report, or the result of one call.
struct pending {
    bool is_report;
    int64_t id;
    enum ca_outcome outcome;
    struct error error;
    struct buf *leaf;
};

struct ca {
    struct key *key;
    struct x509_issuer *issuer;
    struct ca_events events;
    void *context;
    struct loop_timer *timer;
    size_t first;
    size_t count;
    struct pending queue[CA_PENDING_MAX];
};

// ---- results ------------------------------------------------------------------------------------

static void push(struct ca *ca, const struct pending *pending) {
    assert(ca->count < CA_PENDING_MAX);
    ca->queue[(ca->first + ca->count) % CA_PENDING_MAX] = *pending;
    ca->count++;
    loop_timer_start(ca->timer, 0);
}

static struct pending pop(struct ca *ca) {
    struct pending pending = ca->queue[ca->first];
    ca->first = (ca->first + 1) % CA_PENDING_MAX;
    ca->count--;
    return pending;
}

static void deliver_report(struct ca *ca, const struct pending *pending) {
    struct ca_report report = {
        .reachable = true,
        .logged_in = true,
        .login = CA_LOGIN_NONE,
        .policy_fits = pending->error.code == ERROR_NONE,
        .error = pending->error,
        .quota = -1,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(report.chain); i++) {
        if (!x509_issuer_subject(ca->issuer, i, report.chain[i], sizeof report.chain[i])) {
            break;
        }
    }
    ca->events.on_report(ca->context, &report);
}

static void deliver_result(struct ca *ca, const struct pending *pending) {
    struct ca_result result = {
        .id = pending->id,
        .outcome = pending->outcome,
        .error = pending->error,
        .handle = "",
    };
    if (pending->leaf != NULL) {
        result.leaf = buf_slice(pending->leaf);
        result.extra = x509_issuer_chain(ca->issuer);
    }
    ca->events.on_result(ca->context, &result);
}

// Only what waits already: a callback that asks for more gets it in another turn of the loop.
static void deliver(void *context) {
    struct ca *ca = context;
    for (size_t left = ca->count; left > 0; left--) {
        struct pending pending = pop(ca);
        if (pending.is_report) {
            deliver_report(ca, &pending);
        } else {
            deliver_result(ca, &pending);
        }
        buf_free(pending.leaf);
    }
}

// ---- calls --------------------------------------------------------------------------------------

static void local_check(struct ca *ca, const struct profile *profile) {
    struct pending pending = {.is_report = true};
    int64_t end_ms = x509_issuer_not_after_ms(ca->issuer);
    if (end_ms < clock_wall_ms()) {
        char end[CLOCK_TEXT_SIZE];
        clock_format_utc(end, end_ms);
        error_set(&pending.error, E_CA_CONFIG, "the embedded CA's certificate ended at %s", end);
    } else if (!profile_check(profile, &pending.error)) {
        error_prefix(&pending.error, "profile %s", profile->name);
    }
    push(ca, &pending);
}

static bool check_request(const struct ca_request *request, struct error *error) {
    struct csr_facts facts;
    if (!x509_check_csr(request->csr, &facts, error)) {
        return false;
    }
    if (memcmp(facts.spki_sha256, request->spki_sha256, SHA256_SIZE) != 0) {
        return error_set(error, E_CSR_KEY, "the CSR is for another key than the request");
    }
    if (facts.key_type != request->profile->key_type) {
        return error_set(error, E_CSR_KEY_TYPE, "the CSR's key is of type %u, the profile's %u",
                         facts.key_type, request->profile->key_type);
    }
    return true;
}

static void issue(struct ca *ca, const struct ca_request *request, struct pending *pending) {
    const struct x509_issue_request what = {
        .profile = request->profile,
        .subject = request->subject,
        .csr = request->csr,
        .not_before_ms =
            request->not_before_s != 0 ? request->not_before_s * 1000 : clock_wall_ms(),
    };
    pending->outcome = CA_NOT_SENT;
    pending->leaf = buf_new(X509_OBJECT_MAX);
    if (pending->leaf == NULL) {
        error_set(&pending->error, E_MEMORY, "no memory for a certificate");
        return;
    }
    if (x509_issue(ca->issuer, &what, pending->leaf, &pending->error)) {
        pending->outcome = CA_CERTIFICATE;
        return;
    }
    buf_free(pending->leaf);
    pending->leaf = NULL;
    // Names that do not fill stay so, however often they are tried; the CA's own trouble may pass.
    if (pending->error.code == E_CONFIG || pending->error.code == E_CAM_MALFORMED) {
        pending->outcome = CA_REFUSED;
    }
}

static void local_submit(struct ca *ca, const struct ca_request *request) {
    struct pending pending = {.id = request->id, .outcome = CA_REFUSED};
    if (check_request(request, &pending.error)) {
        issue(ca, request, &pending);
    }
    push(ca, &pending);
}

// Not CA_DOUBT: that would end in a second request, and whoever gave the handle may have issued.
static void local_fetch(struct ca *ca, const struct ca_request *request) {
    struct pending pending = {.id = request->id, .outcome = CA_NOT_SENT};
    error_set(&pending.error, E_CA_UNSUPPORTED,
              "the embedded CA issues at once and never gave the handle \"%s\": another CA did",
              request->handle);
    push(ca, &pending);
}

static void local_reconcile(struct ca *ca, const struct ca_request *request) {
    const struct pending pending = {.id = request->id, .outcome = CA_NOT_ISSUED};
    push(ca, &pending);
}

static void local_revoke(struct ca *ca, const struct ca_request *request,
                         enum ca_revocation_reason reason) {
    (void)reason;
    struct pending pending = {.id = request->id, .outcome = CA_REFUSED};
    error_set(&pending.error, E_CA_UNSUPPORTED, "the embedded CA keeps no list of revocations");
    push(ca, &pending);
}

// ---- opening ------------------------------------------------------------------------------------

static bool read_file(const char *path, struct buf *out, struct error *error) {
    uint8_t chunk[4096];
    size_t length;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return error_set(error, E_CA_CONFIG, "ca_certificate_file %s: %s", path, strerror(errno));
    }
    bool fits = true;
    do {
        length = fread(chunk, 1, sizeof chunk, file);
        fits = buf_put(out, chunk, length);
    } while (fits && length > 0);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (!fits || failed) {
        return error_set(error, E_CA_CONFIG, "ca_certificate_file %s: %s", path,
                         fits ? "cannot be read" : "too large for certificates");
    }
    return true;
}

static bool load_issuer(struct ca *ca, const struct ca_settings *settings, struct error *error) {
    struct buf *certificates = buf_new(CERTIFICATE_FILE_MAX);
    if (certificates == NULL) {
        return error_set(error, E_MEMORY, "no memory for a CA certificate");
    }
    bool good = read_file(settings->ca_certificate_file, certificates, error) &&
                key_load(settings->ca_key_file, &ca->key, error);
    if (good && !x509_issuer_new(buf_slice(certificates), ca->key, &ca->issuer, error)) {
        good = false;
        error_prefix(error, "%s, %s", settings->ca_certificate_file, key_text(ca->key));
    }
    buf_free(certificates);
    return good;
}

static bool is_set(const char *value) {
    return value != NULL && value[0] != '\0';
}

static void local_close(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    while (ca->count > 0) {
        struct pending pending = pop(ca);
        buf_free(pending.leaf);
    }
    loop_timer_free(ca->timer);
    x509_issuer_free(ca->issuer);
    key_free(ca->key);
    free(ca);
}

static bool local_open(struct loop *loop, const struct ca_settings *settings,
                       const struct ca_events *events, void *context, struct ca **out,
                       struct error *error) {
    *out = NULL;
    if (!is_set(settings->ca_certificate_file) || !is_set(settings->ca_key_file)) {
        return error_set(error, E_CA_CONFIG,
                         "the local CA needs ca_certificate_file and ca_key_file");
    }
    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the local CA");
    }
    ca->events = *events;
    ca->context = context;
    ca->timer = loop_timer_new(loop, deliver, ca);
    if (ca->timer == NULL) {
        error_set(error, E_MEMORY, "no memory for the local CA");
        local_close(ca);
        return false;
    }
    if (!load_issuer(ca, settings, error)) {
        local_close(ca);
        return false;
    }
    *out = ca;
    return true;
}

static const char *const local_keys[] = {"ca_certificate_file", "ca_key_file", NULL};

const struct ca_ops ca_local = {
    .name = "local",
    .is_public = false,
    .can_revoke = false,
    .forgets = true,
    .keys = local_keys,
    .remark = "",
    .example = "",
    .not_before_window_s = 0,
    .settle_ms = 0,
    .open = local_open,
    .close = local_close,
    .check = local_check,
    .submit = local_submit,
    .fetch = local_fetch,
    .reconcile = local_reconcile,
    .revoke = local_revoke,
};
