// SPDX-License-Identifier: Apache-2.0
// What became of a request, by what EJBCA has for its camera: a lost answer is looked up, and one that
// waits for an administrator.
#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define EJBCA_NOT_KEPT                                                                             \
    "EJBCA issued some that it does not keep (certificate profile, Store Certificate Data)"

// ---- the certificate is there -------------------------------------------------------------------

static void give_found(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    struct certificate_identity identity = {0};
    struct error ignored;
    struct ca_result result = {
        .outcome = CA_CERTIFICATE,
        .leaf = buf_slice(own->look.certificate),
        .extra = buf_slice(own->chain != NULL ? own->chain : ejbca_of(call)->chain),
    };
    if (x509_identify(result.leaf, &identity, &ignored)) {
        result.issued_s = identity.not_before_s;
    }
    ejbca_note_known(call);
    call_finish(call, &result);
}

// A station that was just started has not asked for the chain yet.
void ejbca_finish_found(struct call *call, enum ca_outcome unlearned) {
    if (ejbca_of(call)->chain != NULL) {
        give_found(call);
    } else {
        ejbca_learn_chain(call, unlearned, give_found);
    }
}

// ---- a lost answer ------------------------------------------------------------------------------

static bool ends_scan(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    if (own->problem.code != ERROR_NONE) {
        call_fail(call, CA_DOUBT, &own->problem, own->retry_after_ms);
        return true;
    }
    if (own->look.live > 0) {
        ejbca_finish_found(call, CA_DOUBT);
        return true;
    }
    return false;
}

static void end_not_issued(struct call *call, uint32_t retry_after_ms) {
    struct ca_result none = {.outcome = CA_NOT_ISSUED, .retry_after_ms = retry_after_ms};
    call_finish(call, &none);
}

// Said once, and not by each unit each time.
static void note_unproven(struct ca *ca) {
    if (!ca->is_unproven) {
        log_write(
            LOG_ERROR,
            "EJBCA finds nobody's certificate, so that an empty list proves nothing: whose answer "
            "was lost waits for another's certificate, 5 minutes long, and then is held; may the "
            "station's role view certificates?");
    }
    ca->is_unproven = true;
}

// Nothing was found, and nothing says that anything would have been.
static void end_unproven(struct call *call) {
    ejbca_of(call)->known[0] = '\0';
    note_unproven(ejbca_of(call));
    if (clock_wall_ms() - call->request.sent_ms < EJBCA_UNPROVEN_MS) {
        end_not_issued(call, EJBCA_UNPROVEN_RETRY_MS);
    } else {
        call_hold(call,
                  "EJBCA finds nobody's certificate, which proves nothing: see ca test --issue");
    }
}

static void end_known(struct call *call) {
    if (ends_scan(call)) {
        return;
    }
    if (ejbca_call_of(call)->look.rows > 0) {
        ejbca_of(call)->is_unproven = false;
        end_not_issued(call, 0);
    } else {
        end_unproven(call);
    }
}

static void end_authority(struct call *call) {
    if (ends_scan(call)) {
        return;
    }
    if (!ejbca_note_listed(call)) {
        end_unproven(call);
        return;
    }
    ejbca_look_further(call, EJBCA_KNOWN, end_known);
}

// A database that did not answer EJBCA in time, and a role that may not view certificates, make an empty
// list as well, in some versions. So nothing is nothing only where a search of the same kind finds
// what must be there.
static void end_username(struct call *call) {
    const struct ejbca_look *look = &ejbca_call_of(call)->look;
    if (ends_scan(call)) {
        return;
    }
    if (look->revoked > 0) {
        call_hold(call, "EJBCA has issued it, and it is revoked");
    } else if (look->unseen > 0) {
        call_hold(call, EJBCA_NOT_KEPT);
    } else if (look->rows > 0) {
        end_not_issued(call, 0);
    } else if (ejbca_of(call)->known[0] != '\0') {
        ejbca_look_further(call, EJBCA_KNOWN, end_known);
    } else {
        ejbca_look_further(call, EJBCA_OF_AUTHORITY, end_authority);
    }
}

// CA and profiles may have been others when it was asked for: the section was changed since.
static void end_camera(struct call *call) {
    if (!ends_scan(call)) {
        ejbca_look_further(call, EJBCA_OF_USERNAME, end_username);
    }
}

void ejbca_reconcile(struct call *call) {
    ejbca_look(call, EJBCA_OF_CAMERA, end_camera);
}

// ---- one that waits -----------------------------------------------------------------------------

static void end_refused(struct call *call, enum error_code code, const char *why) {
    struct error error;
    error_set(&error, code, "%s", why);
    call_fail(call, CA_REFUSED, &error, 0);
}

static void end_fetch_username(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    struct ca_result waits = {
        .outcome = CA_ACCEPTED,
        .handle = EJBCA_WAITS,
        .retry_after_ms = EJBCA_APPROVAL_RETRY_MS,
    };
    if (own->problem.code != ERROR_NONE) {
        call_fail(call, CA_NOT_SENT, &own->problem, own->retry_after_ms);
    } else if (own->look.live > 0) {
        ejbca_finish_found(call, CA_NOT_SENT);
    } else if (own->look.revoked > 0) {
        end_refused(call, E_CA_REFUSED, "EJBCA has issued it, and it is revoked");
    } else if (own->look.unseen > 0) {
        // It may be the one that is waited for, which would never be seen. To look it up holds the unit.
        end_refused(call, E_CA_DOUBT, EJBCA_NOT_KEPT);
    } else {
        call_finish(call, &waits);
    }
}

static void end_fetch(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    if (own->problem.code != ERROR_NONE || own->look.live > 0) {
        end_fetch_username(call);
    } else {
        ejbca_look_further(call, EJBCA_OF_USERNAME, end_fetch_username);
    }
}

// The certificate of a request that waits for approval is there when an administrator has approved and
// finished it, and not before.
void ejbca_fetch(struct call *call) {
    ejbca_look(call, EJBCA_OF_CAMERA, end_fetch);
}
