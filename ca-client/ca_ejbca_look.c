// SPDX-License-Identifier: Apache-2.0
// What EJBCA has for a camera, asked page by page.
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define EJBCA_NOT_KEPT                                                                             \
    "EJBCA issued some that it does not keep (certificate profile, Store Certificate Data)"

static void send_page(struct call *call);

static void end_look(struct call *call, const struct error *error, int64_t retry_after_ms) {
    struct ejbca_call *own = ejbca_call_of(call);
    own->problem = error != NULL ? *error : (struct error){0};
    own->retry_after_ms = retry_after_ms;
    own->next(call);
}

static void end_later(struct call *call) {
    end_look(call, &ejbca_call_of(call)->problem, 0);
}

static void handle_page(struct call *call, const struct http_response *response) {
    struct ejbca_look *look = &ejbca_call_of(call)->look;
    struct error error;
    bool is_last = false;
    if (!ejbca_is_good(response)) {
        ejbca_explain(response, "v2/certificate/search", &error);
        end_look(call, &error, response->retry_after_ms);
    } else if (!ejbca_read_page(response->body, &call->request, look, &is_last, &error)) {
        end_look(call, &error, 0);
    } else if (is_last || look->search == EJBCA_OF_AUTHORITY || look->search == EJBCA_KNOWN) {
        end_look(call, NULL, 0);
    } else if (look->page >= EJBCA_PAGES_MAX) {
        error_set(
            &error, E_CA_NONSENSE,
            "EJBCA lists more than %d certificates for one camera: have its administrator see "
            "what else issues to this end entity, and delete there what has expired",
            EJBCA_PAGES_MAX * EJBCA_PAGE_SIZE);
        end_look(call, &error, 0);
    } else {
        look->page++;
        send_page(call);
    }
}

static struct buf *write_page(struct call *call, struct error *error) {
    const struct ca *ca = ejbca_of(call);
    const struct ejbca_look *look = &ejbca_call_of(call)->look;
    char username[EJBCA_USERNAME_SIZE];
    struct certificate_reference reference;
    switch (look->search) {
    case EJBCA_BY_SERIAL:
        return x509_refer(call->request.certificate, &reference, error)
                   ? ejbca_write_search_text(reference.serial, look->page, error)
                   : NULL;
    case EJBCA_OF_AUTHORITY:
        return ejbca_write_search_authority(ca, look->page, error);
    case EJBCA_KNOWN:
        return ejbca_write_search_text(ca->known, look->page, error);
    default:
        break;
    }
    if (!ejbca_username(&call->request, username, error)) {
        return NULL;
    }
    return look->search == EJBCA_OF_USERNAME ? ejbca_write_search_text(username, look->page, error)
                                             : ejbca_write_search(ca, username, look->page, error);
}

static void send_page(struct call *call) {
    struct ejbca_call *own = ejbca_call_of(call);
    struct buf *body = write_page(call, &own->problem);
    if (body == NULL) {
        call_delay(call, 0, end_later);
        return;
    }
    web_send_json(call, "POST", "/v2/certificate/search", body, false, handle_page);
}

void ejbca_look(struct call *call, enum ejbca_search search, call_step *next) {
    struct ejbca_call *own = ejbca_call_of(call);
    struct buf *certificate = own->look.certificate;
    certificate = certificate == NULL ? buf_new(EJBCA_CERTIFICATES_MAX) : certificate;
    own->look = (struct ejbca_look){.search = search, .page = 1, .certificate = certificate};
    own->next = next;
    if (certificate == NULL) {
        error_set(&own->problem, E_MEMORY, "no memory for a look-up");
        call_delay(call, 0, end_later);
        return;
    }
    send_page(call);
}

void ejbca_look_further(struct call *call, enum ejbca_search search, call_step *next) {
    struct ejbca_call *own = ejbca_call_of(call);
    own->look.search = search;
    own->look.page = 1;
    own->look.rows = 0;
    own->next = next;
    send_page(call);
}

// ---- what follows -------------------------------------------------------------------------------

void ejbca_note_known(struct call *call) {
    struct ca *ca = ejbca_of(call);
    struct error ignored;
    if (ca->known[0] == '\0' && !ejbca_username(&call->request, ca->known, &ignored)) {
        ca->known[0] = '\0';
    }
}

bool ejbca_note_listed(struct call *call) {
    const struct ejbca_call *own = ejbca_call_of(call);
    if (own->problem.code != ERROR_NONE || own->look.known[0] == '\0') {
        return false;
    }
    memcpy(ejbca_of(call)->known, own->look.known, sizeof own->look.known);
    return true;
}

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
