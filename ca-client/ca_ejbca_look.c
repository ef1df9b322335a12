// SPDX-License-Identifier: Apache-2.0
// What EJBCA has for a camera, or for anybody, asked page by page.
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509_station.h"

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

// ---- what a search must find --------------------------------------------------------------------

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
