// SPDX-License-Identifier: Apache-2.0
// What can be known before anything is bought: the provisioner and its key, the chain, and by a request
// that cannot be issued, whether the station's tokens and the provisioner's template do.
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_stepca_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"

#define PAGES_MAX 100 // of 100 provisioners

static struct stepca_call *to_call(struct call *call) {
    return (struct stepca_call *)call;
}

static struct ca *ca_of(struct call *call) {
    return call->list->owner;
}

static void finish(struct call *call, const struct error *error) {
    web_report(call, &to_call(call)->report, error);
}

static void finish_early(struct call *call) {
    finish(call, &call->early.error);
}

// ---- the probe ----------------------------------------------------------------------------------

static void handle_probe(struct call *call, const struct http_response *response) {
    struct error error;
    bool is_in = stepca_judge_probe(response, &error);
    to_call(call)->report.login = is_in ? CA_LOGIN_TAKEN : CA_LOGIN_UNTRIED;
    finish(call, is_in ? NULL : &error);
}

static void send_probe(struct call *call) {
    struct error error;
    struct buf *body = stepca_write_probe(ca_of(call), &call->profile, &error);
    if (body == NULL) {
        finish(call, &error);
        return;
    }
    web_send_json(call, "POST", "/1.0/sign", body, false, handle_probe);
}

// ---- the chain ----------------------------------------------------------------------------------

// Subjects: who issues is told first.
static void put_above(struct ca_report *report, const char *root) {
    size_t last = 0;
    while (last + 1 < ARRAY_LENGTH(report->chain) && report->chain[last][0] != '\0') {
        last++;
    }
    (void)text_copy(report->chain[last], sizeof report->chain[last], root); // of the same size
}

static bool read_issuers(const struct http_response *response, struct buf *der) {
    struct error ignored;
    return response->status / 100 == 2 && der != NULL &&
           stepca_read_list(response->body, "intermediates", der, &ignored);
}

// step-ca tells them since late in 2024; one before has no such page.
static void handle_intermediates(struct call *call, const struct http_response *response) {
    const struct site *site = &ca_of(call)->web.site;
    struct ca_report *report = &to_call(call)->report;
    struct buf *der = buf_new(STEPCA_CERTIFICATES_MAX);
    char root[sizeof report->chain[0]];
    struct error error;
    memcpy(root, report->chain[0], sizeof root);
    if (response->outcome != HTTP_ANSWERED) {
        web_explain(response, "", "intermediates", &error);
        finish(call, &error);
        buf_free(der);
        return;
    }
    if (read_issuers(response, der)) {
        site_report_chain(site, buf_slice(der), clock_wall_ms(), report);
    } else {
        snprintf(report->chain[0], sizeof report->chain[0],
                 "a CA that this version of step-ca does not name");
    }
    put_above(report, root);
    buf_free(der);
    send_probe(call);
}

// Of its roots one has to be ours.
static struct slice choose_root(const struct site *site, struct slice roots) {
    struct error error;
    struct slice first = x509_first_der(roots);
    struct slice one = first;
    while (one.length > 0 && site->root_file != NULL &&
           !x509_check_issuer(site->root_file, NULL, one, clock_wall_ms(), &error)) {
        roots = (struct slice){roots.data + one.length, roots.length - one.length};
        one = x509_first_der(roots);
    }
    return one.length > 0 ? one : first;
}

static bool is_good(const struct http_response *response, const char *what, struct error *error) {
    struct stepca_problem problem;
    if (response->outcome == HTTP_ANSWERED && response->status / 100 == 2) {
        return true;
    }
    stepca_read_problem(response->body, &problem);
    web_explain(response, problem.text, what, error);
    error->code = error->code == E_CA_REFUSED ? E_CA_NONSENSE : error->code;
    return false;
}

static void handle_roots(struct call *call, const struct http_response *response) {
    struct error error;
    const struct site *site = &ca_of(call)->web.site;
    struct buf *der = buf_new(STEPCA_CERTIFICATES_MAX);
    bool good = der != NULL && is_good(response, "roots", &error) &&
                stepca_read_list(response->body, "roots", der, &error);
    if (good) {
        site_report_chain(site, choose_root(site, buf_slice(der)), clock_wall_ms(),
                          &to_call(call)->report);
    } else if (der == NULL) {
        error_set(&error, E_MEMORY, "no memory for the CA's roots");
    }
    buf_free(der);
    if (good) {
        web_send_json(call, "GET", "/1.0/intermediates", NULL, false, handle_intermediates);
    } else {
        finish(call, &error);
    }
}

// ---- the provisioner ----------------------------------------------------------------------------

static void handle_provisioners(struct call *call, const struct http_response *response);

static void ask_provisioners(struct call *call, const char *cursor) {
    char path[128];
    snprintf(path, sizeof path, "/1.0/provisioners?limit=100%s%s",
             cursor[0] != '\0' ? "&cursor=" : "", cursor);
    to_call(call)->pages++;
    web_send_json(call, "GET", path, NULL, false, handle_provisioners);
}

static void handle_provisioners(struct call *call, const struct http_response *response) {
    const struct ca *ca = ca_of(call);
    struct stepca_provisioner *found = &to_call(call)->provisioner;
    struct error error;
    if (response->date_ms != 0) {
        to_call(call)->report.clock_offset_ms = response->date_ms - clock_wall_ms();
    }
    if (!is_good(response, "provisioners", &error) ||
        !stepca_read_provisioners(response->body, ca->provisioner, token_key_id(ca->key), found,
                                  &error)) {
        finish(call, &error);
        return;
    }
    if (found->cursor[0] != '\0' && !found->has_key && to_call(call)->pages < PAGES_MAX) {
        ask_provisioners(call, found->cursor);
        return;
    }
    bool fits = stepca_provisioner_fits(ca, &call->profile, found, &error);
    if (!fits && error.code == E_CA_LOGIN) {
        finish(call, &error);
        return;
    }
    if (!fits) {
        site_note_error(&to_call(call)->report, &error);
    }
    web_send_json(call, "GET", "/1.0/roots", NULL, false, handle_roots);
}

void stepca_check(struct call *call) {
    to_call(call)->report.quota = -1;
    to_call(call)->provisioner.maximum_s = -1;
    if (call->early.error.code != ERROR_NONE) {
        call_delay(call, 0, finish_early);
    } else {
        ask_provisioners(call, "");
    }
}
