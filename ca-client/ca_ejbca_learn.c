// SPDX-License-Identifier: Apache-2.0
// What can be known before anything is asked for: the CA and its chain, what its certificate profile
// issues, whether the station's role may search, and, where that part of the API is there, what the
// end entity profile allows.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

static void fail(struct call *call, const struct error *error, int64_t retry_after_ms) {
    if (ejbca_call_of(call)->is_check) {
        web_report(call, &ejbca_call_of(call)->report, error);
    } else {
        call_fail(call, ejbca_call_of(call)->unlearned, error, retry_after_ms);
    }
}

static void fail_answer(struct call *call, const struct http_response *response, const char *what) {
    struct error error;
    ejbca_explain(response, what, &error);
    fail(call, &error, response->retry_after_ms);
}

static void fail_path(struct call *call, const char *what) {
    struct error error;
    error_set(&error, E_CA_CONFIG, "%s: too long for a request", what);
    fail(call, &error, 0);
}

// ---- the end entity profile ---------------------------------------------------------------------

static void keep(struct call *call) {
    struct ca *ca = ejbca_of(call);
    struct ejbca_call *own = ejbca_call_of(call);
    buf_free(ca->chain);
    ca->chain = own->chain;
    own->chain = NULL;
    ca->policy = own->policy;
    ca->policy_ms = clock_monotonic_ms();
    own->next(call);
}

// The community edition has no such resource, and a role may lack access to it: then the search has
// said what it can.
static void handle_entity_profile(struct call *call, const struct http_response *response) {
    struct error error;
    bool is_closed = response->outcome == HTTP_ANSWERED && response->status >= 400 &&
                     response->status < 500 && response->status != 429;
    if (!is_closed && !ejbca_is_good(response)) {
        fail_answer(call, response, "v2/endentity/profile");
    } else if (!is_closed && !ejbca_read_entity_profile(response->body, ejbca_of(call), &error)) {
        fail(call, &error, 0);
    } else {
        keep(call);
    }
}

// ---- searching ----------------------------------------------------------------------------------

static void handle_search(struct call *call, const struct http_response *response) {
    char path[WEB_PATH_SIZE];
    bool is_let_in = ejbca_is_good(response); // nobody searches without a role
    ejbca_call_of(call)->report.login = is_let_in ? CA_LOGIN_TAKEN : CA_LOGIN_UNTRIED;
    if (!is_let_in) {
        fail_answer(call, response,
                    "v2/certificate/search (with which lost answers are looked up)");
    } else if (!ejbca_write_path(path, "/v2/endentity/profile/", ejbca_of(call)->entity_profile,
                                 "")) {
        fail_path(call, "end_entity_profile");
    } else {
        web_send_json(call, "GET", path, NULL, false, handle_entity_profile);
    }
}

static void send_search(struct call *call) {
    struct error error;
    struct buf *body = ejbca_write_search(ejbca_of(call), "", 1, &error);
    if (body == NULL) {
        fail(call, &error, 0);
        return;
    }
    web_send_json(call, "POST", "/v2/certificate/search", body, false, handle_search);
}

// ---- the certificate profile --------------------------------------------------------------------

// Older versions have no such resource, and say 404.
static void handle_profile(struct call *call, const struct http_response *response) {
    struct error error;
    struct ejbca_problem problem;
    ejbca_read_problem(response->body, &problem);
    bool is_older =
        response->outcome == HTTP_ANSWERED && response->status == 404 && problem.is_ejbca;
    if (!is_older && !ejbca_is_good(response)) {
        fail_answer(call, response, "ca_profile");
    } else if (!is_older && !ejbca_read_profile(response->body, ejbca_of(call)->authority,
                                                &ejbca_call_of(call)->policy, &error)) {
        fail(call, &error, 0);
    } else {
        send_search(call);
    }
}

// ---- the chain ----------------------------------------------------------------------------------

static bool read_chain(struct ejbca_call *own, struct slice body, struct error *error) {
    struct certificate_reference reference;
    own->chain = own->chain == NULL ? buf_new(EJBCA_CERTIFICATES_MAX) : own->chain;
    if (own->chain == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA's chain");
    }
    bool good = x509_pem_to_der(body, own->chain, error) &&
                x509_refer(x509_first_der(buf_slice(own->chain)), &reference, error);
    if (!good) {
        error->code = error->code == E_MEMORY ? E_MEMORY : E_CA_NONSENSE;
        return error_prefix(error, "the CA's certificate, from v1/ca");
    }
    own->policy.issuer_not_after_ms = reference.not_after_ms;
    return true;
}

static void handle_chain(struct call *call, const struct http_response *response) {
    struct error error;
    char path[WEB_PATH_SIZE];
    if (!ejbca_is_good(response)) {
        fail_answer(call, response, "the CA's certificate, from v1/ca");
    } else if (!read_chain(ejbca_call_of(call), response->body, &error)) {
        fail(call, &error, 0);
    } else if (ejbca_call_of(call)->wants_chain_only) {
        ejbca_call_of(call)->next(call);
    } else if (!ejbca_write_path(path, "/v2/certificate/profile/", ejbca_of(call)->profile, "")) {
        fail_path(call, "ca_profile");
    } else {
        web_send_json(call, "GET", path, NULL, false, handle_profile);
    }
}

static void handle_authorities(struct call *call, const struct http_response *response) {
    struct ejbca_call *own = ejbca_call_of(call);
    struct error error;
    char path[WEB_PATH_SIZE];
    if (response->date_ms != 0) {
        own->report.clock_offset_ms = response->date_ms - clock_wall_ms();
    }
    if (!ejbca_is_good(response)) {
        fail_answer(call, response, "v1/ca");
    } else if (!ejbca_read_authorities(response->body, ejbca_of(call)->authority, own->subject_dn,
                                       &error)) {
        fail(call, &error, 0);
    } else if (!ejbca_write_path(path, "/v1/ca/", own->subject_dn, "/certificate/download")) {
        fail_path(call, "the CA's subject");
    } else {
        web_send_json(call, "GET", path, NULL, false, handle_chain);
    }
}

static void start(struct call *call, call_step *next) {
    ejbca_call_of(call)->next = next;
    web_send_json(call, "GET", "/v1/ca", NULL, false, handle_authorities);
}

void ejbca_learn(struct call *call, call_step *next) {
    ejbca_call_of(call)->unlearned = CA_NOT_SENT;
    start(call, next);
}

void ejbca_learn_chain(struct call *call, enum ca_outcome unlearned, call_step *next) {
    ejbca_call_of(call)->unlearned = unlearned;
    ejbca_call_of(call)->wants_chain_only = true;
    start(call, next);
}
