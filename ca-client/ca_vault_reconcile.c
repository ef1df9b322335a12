// SPDX-License-Identifier: Apache-2.0
// Settles a request whose answer was lost: lists the serial numbers of all certificates that the mount
// keeps, reads those that this process has not read before, and finds the one with the request's key.
// Serial numbers are random and Vault has no other list, so there is no shorter way; but what was read
// stays known, so that every certificate is read once, however many requests are in doubt. Scans take
// turns, and a list serves all that waited when it was asked for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define LOOKS_MAX 8 // certificates read at once
#define PAGES_MAX (VAULT_SERIALS_MAX / VAULT_PAGE + 1)
#define EARLIER_S 3600 // a certificate that began so long before the request is another one's

struct vault_scan {
    size_t known_at; // in the table of what was read
    uint32_t page;
    struct vault_serial after; // the last of the page before
    struct vault_serial *rows; // to be read
    size_t row_count;
    size_t row_room;
    size_t next_row;
    uint32_t look_count;
    bool is_listed;  // to the end
    bool is_covered; // by the list of another scan, asked for while this one waited
    bool is_overfull;
    bool is_broken;               // the CA does not answer: no use in going on
    bool has_obstacle;            // a certificate that cannot be read though the CA answers
    struct vault_serial obstacle; // the first of them
    struct vault_serial revoked;  // for the key; of length 0: none
    struct buf *certificate;      // found
    char handle[CA_HANDLE_SIZE];
    int64_t issued_s;
    int64_t retry_after_ms;
    struct error error; // of the first thing that could not be read; then nothing is ruled out
};

void vault_scan_free(struct vault_scan *scan) {
    if (scan != NULL) {
        free(scan->rows);
        buf_free(scan->certificate);
        free(scan);
    }
}

static void look_further(struct vault_call *call);
static void start_scan(struct vault_call *call);

// ---- the end ------------------------------------------------------------------------------------

static void end_turn(struct vault_call *call) {
    struct ca *ca = vault_ca_of(&call->base);
    if (ca->scanning != call) {
        return;
    }
    ca->scanning = ca->waiting;
    if (ca->scanning != NULL) {
        ca->waiting = ca->scanning->next_waiting;
        start_scan(ca->scanning);
    }
}

static bool is_read_through(const struct vault_scan *scan) {
    return scan->is_listed && scan->next_row == scan->row_count && !scan->is_broken &&
           !scan->is_overfull;
}

// True where a certificate has been listed, and could not be read, for as long as the CA's lists may lag
// behind, whoever met it first. Only a list that was read to its end without it says that it is gone.
static bool is_blocked(struct vault_call *call) {
    struct ca *ca = vault_ca_of(&call->base);
    struct vault_obstacle *obstacle = &ca->obstacle;
    const struct vault_scan *scan = call->scan;
    bool is_same = obstacle->is_there && scan->has_obstacle &&
                   vault_compare_serials(&obstacle->serial, &scan->obstacle) == 0;
    if (!is_same && scan->page > 0 && is_read_through(scan)) {
        *obstacle = (struct vault_obstacle){.is_there = scan->has_obstacle,
                                            .serial = scan->obstacle,
                                            .since_ms = clock_monotonic_ms()};
    }
    return is_same && !scan->is_broken &&
           clock_monotonic_ms() - obstacle->since_ms >= (int64_t)ca->settle_ms;
}

static void hold_blocked(struct vault_call *call) {
    char serial[VAULT_SERIAL_TEXT];
    char why[VAULT_SERIAL_TEXT + 64];
    vault_write_serial(&call->scan->obstacle, ':', serial);
    snprintf(why, sizeof why, "the CA lists %s but does not give it", serial);
    call_hold(&call->base, why);
}

static void finish_revoked(struct vault_call *call) {
    char serial[VAULT_SERIAL_TEXT];
    struct error error;
    vault_write_serial(&call->scan->revoked, ':', serial);
    // Whether this camera is to get another one is for a person to say.
    error_set(&error, E_UNIT_HELD, "the CA issued %s for this key, and it is revoked", serial);
    log_error("CA look-up", &error);
    call_fail(&call->base, CA_CANNOT_TELL, &error, 0);
}

// Where there are leases a second request would buy another certificate that is not to be used.
static void hold_leased(struct vault_call *call) {
    call_hold(&call->base,
              "generate_lease: what the CA issues ends with its lease; have it revoked");
}

// The CA cannot be asked in a way that would settle it.
static void finish_blind(struct vault_call *call, const char *why) {
    const struct ca *ca = vault_ca_of(&call->base);
    if (ca->gives_leases) {
        hold_leased(call);
    } else if (ca->web.resends_lost) {
        call_cannot_look(&call->base, true);
    } else {
        call_hold(&call->base, why);
    }
}

// What waited when the list was asked for was sent before: where all of it was read, they need no other.
static void share_list(const struct vault_call *call, const struct ca *ca) {
    const struct vault_scan *scan = call->scan;
    bool is_whole = is_read_through(scan) && scan->error.code == ERROR_NONE;
    for (struct vault_call *other = ca->waiting; other != NULL; other = other->next_waiting) {
        if (other->scan->is_covered) {
            other->scan->is_listed = is_whole;
            other->scan->is_covered = false;
        }
    }
}

static void finish_scan(struct vault_call *call) {
    const struct vault_scan *scan = call->scan;
    struct error error;
    struct ca_result result = {.outcome = CA_NOT_ISSUED};
    share_list(call, vault_ca_of(&call->base));
    end_turn(call);
    bool blocked = is_blocked(call);
    if (scan->certificate != NULL && vault_ca_of(&call->base)->gives_leases) {
        hold_leased(call);
    } else if (scan->certificate != NULL) {
        result = (struct ca_result){
            .outcome = CA_CERTIFICATE,
            .handle = scan->handle,
            .leaf = x509_first_der(buf_slice(scan->certificate)),
            .extra = buf_slice(vault_ca_of(&call->base)->chain),
            .issued_s = scan->issued_s,
        };
        call_finish(&call->base, &result);
    } else if (scan->is_overfull) {
        finish_blind(call, "the CA keeps more certificates than can be looked through");
    } else if (blocked) {
        hold_blocked(call);
    } else if (scan->error.code != ERROR_NONE) {
        error_set(&error, E_CA_DOUBT, "the look-up is not complete: %s", scan->error.text);
        call_fail(&call->base, CA_DOUBT, &error, scan->retry_after_ms);
    } else if (scan->revoked.length > 0) {
        finish_revoked(call);
    } else {
        call_finish(&call->base, &result);
    }
}

static void note_error(struct vault_scan *scan, const struct error *error) {
    if (scan->error.code == ERROR_NONE) {
        scan->error = *error;
    }
}

// ---- one certificate ----------------------------------------------------------------------------

// A revoked one from long before the request is the answer to an earlier one for the same key.
static bool is_earlier(struct vault_call *call, int64_t begin_s) {
    const struct ca *ca = vault_ca_of(&call->base);
    int64_t sent_s = call->base.request.sent_ms / 1000;
    return sent_s > 0 &&
           begin_s < sent_s - EARLIER_S - vault_number(ca->role, "not_before_duration");
}

// A certificate too many is somebody's to revoke.
static void note_other(const struct buf *ours, const struct buf *other) {
    const struct slice der = x509_first_der(buf_slice(other));
    char hash[2 * SHA256_SIZE + 1];
    uint8_t sha256[SHA256_SIZE];
    if (slice_equal(der, x509_first_der(buf_slice(ours)))) {
        return; // listed twice
    }
    x509_sha256(der, sha256);
    hex_encode(hash, sha256, SHA256_SIZE);
    log_write(LOG_ERROR,
              "the CA keeps a second certificate for the same key, which is not used: have the one "
              "with SHA-256 %s revoked",
              hash);
}

static void take_ours(struct vault_call *call, const struct vault_serial *serial, struct buf **der,
                      bool is_revoked, int64_t begin_s) {
    struct vault_scan *scan = call->scan;
    if (is_revoked && !is_earlier(call, begin_s)) {
        scan->revoked = *serial;
    } else if (!is_revoked && scan->certificate != NULL) {
        note_other(scan->certificate, *der);
    } else if (!is_revoked) {
        hex_encode(scan->handle, serial->bytes, serial->length);
        scan->issued_s = begin_s;
        scan->certificate = *der;
        *der = NULL;
    }
}

static bool read_certificate(struct vault_call *call, const struct vault_serial *serial,
                             struct slice body, struct error *error) {
    struct ca *ca = vault_ca_of(&call->base);
    struct certificate_identity identity;
    bool is_revoked = false;
    struct buf *der = buf_new(VAULT_CERTIFICATES_MAX);
    bool good = der != NULL || error_set(error, E_MEMORY, "no memory for a certificate");
    good = good && vault_read_stored(body, der, &is_revoked, error) &&
           x509_identify(x509_first_der(buf_slice(der)), &identity, error);
    if (good && !vault_known_put(&ca->known, serial, identity.spki_sha256)) {
        call->scan->is_overfull = true;
    }
    if (good && memcmp(identity.spki_sha256, call->base.request.spki_sha256, SHA256_SIZE) == 0) {
        take_ours(call, serial, &der, is_revoked, identity.not_before_s);
    }
    buf_free(der);
    return good;
}

static bool passes_by_itself(const struct http_response *response) {
    return response->outcome != HTTP_ANSWERED || response->status >= 500 ||
           response->status == 429 || response->status == 412 || response->status == 401 ||
           response->status == 403 || response->status == 307;
}

static void note_obstacle(struct vault_scan *scan, const struct vault_serial *serial) {
    // Looks end in any order: the lowest is the same in every scan.
    if (!scan->has_obstacle || vault_compare_serials(serial, &scan->obstacle) < 0) {
        scan->obstacle = *serial;
    }
    scan->has_obstacle = true;
}

static void handle_certificate(struct call *look, const struct http_response *response) {
    struct vault_call *call = vault_to_call(look)->reader;
    const struct vault_serial serial = vault_to_call(look)->serial;
    struct vault_scan *scan = call->scan;
    char text[VAULT_SERIAL_TEXT];
    struct error error = {0};
    vault_write_serial(&serial, ':', text);
    scan->look_count--;
    bool is_told = response->outcome == HTTP_ANSWERED && response->status == 200;
    if (!is_told) {
        vault_explain(response, text, &error);
        note_error(scan, &error);
        scan->is_broken = scan->is_broken || passes_by_itself(response);
        scan->retry_after_ms = response->retry_after_ms;
    } else if (!read_certificate(call, &serial, response->body, &error)) {
        error_prefix(&error, "%s", text);
        note_error(scan, &error);
    }
    if (error.code != ERROR_NONE && (is_told || !passes_by_itself(response))) {
        note_obstacle(scan, &serial);
    }
    call_free(look);
    look_further(call);
}

// Each look is a call of its own, without a result: a call has one exchange at a time.
static void look_at(struct vault_call *call, const struct vault_serial *serial) {
    const struct ca_request nothing = {0};
    char text[VAULT_SERIAL_TEXT];
    char path[WEB_PATH_SIZE];
    struct call *look = call_new(call->base.list, sizeof(struct vault_call), &nothing);
    vault_to_call(look)->reader = call;
    vault_to_call(look)->serial = *serial;
    call->scan->look_count++;
    vault_write_serial(serial, '-', text);
    vault_path(vault_ca_of(&call->base), path, "cert/%s", text);
    vault_get(look, path, handle_certificate);
}

// ---- the list -----------------------------------------------------------------------------------

static void ask_page(struct vault_call *call);

static bool note_serial(void *context, const struct vault_serial *serial) {
    struct vault_call *call = context;
    struct vault_scan *scan = call->scan;
    if (vault_known_has(vault_ca_of(&call->base)->known, serial)) {
        return true;
    }
    if (scan->row_count == scan->row_room) {
        size_t room = scan->row_room > 0 ? 2 * scan->row_room : VAULT_PAGE;
        struct vault_serial *rows = realloc(scan->rows, room * sizeof *rows);
        if (rows == NULL) {
            return false;
        }
        scan->rows = rows;
        scan->row_room = room;
    }
    scan->rows[scan->row_count++] = *serial;
    return true;
}

static void break_off(struct vault_call *call, const struct error *error) {
    call->scan->is_broken = true;
    note_error(call->scan, error);
    finish_scan(call);
}

// Vault tells all at once, whatever is asked for; OpenBao pages. A full page may be the whole list, and
// then the next one begins where the first did.
static void end_page(struct vault_call *call, const struct vault_page *page) {
    struct vault_scan *scan = call->scan;
    bool is_whole = page->count != VAULT_PAGE ||
                    (scan->page > 1 && vault_compare_serials(&page->first, &scan->after) <= 0);
    scan->after = page->last;
    scan->is_listed = is_whole;
    scan->is_overfull =
        scan->row_count > VAULT_SERIALS_MAX || (!is_whole && scan->page >= PAGES_MAX);
    look_further(call);
}

static void handle_page(struct call *call, const struct http_response *response) {
    struct vault_call *vault = vault_to_call(call);
    struct vault_page page = {0};
    struct error error;
    bool is_empty = vault_is_absent(response);
    bool is_told = response->outcome == HTTP_ANSWERED && response->status == 200;
    if (response->is_too_long) {
        vault->scan->is_overfull = true;
        finish_scan(vault);
    } else if (!is_empty && !is_told) {
        vault_explain(response, "the list of certificates", &error);
        vault->scan->retry_after_ms = response->retry_after_ms;
        break_off(vault, &error);
    } else if (is_told && !vault_read_serials(response->body, note_serial, vault, &page, &error)) {
        break_off(vault, &error);
    } else if (page.count == VAULT_PAGE && page.last.length == 0) {
        // There may be more, and nothing says from where on.
        error_set(&error, E_CA_NONSENSE, "the CA's list has a page without a serial number");
        break_off(vault, &error);
    } else {
        end_page(vault, &page);
    }
}

// `after` is held against the names in Vault's storage, which have hyphens.
static void ask_page(struct vault_call *call) {
    struct vault_scan *scan = call->scan;
    char after[VAULT_SERIAL_TEXT];
    char path[WEB_PATH_SIZE];
    struct vault_call *other = vault_ca_of(&call->base)->waiting;
    for (; scan->page == 0 && other != NULL; other = other->next_waiting) {
        other->scan->is_covered = true;
    }
    vault_write_serial(&scan->after, '-', after);
    vault_path(vault_ca_of(&call->base), path, "certs?list=true&limit=%d%s%s", VAULT_PAGE,
               after[0] != '\0' ? "&after=" : "", after);
    scan->page++;
    const struct vault_request request = {
        .method = "GET", .path = path, .body_max = VAULT_LIST_MAX};
    vault_send(&call->base, &request, handle_page);
}

// ---- the scan -----------------------------------------------------------------------------------

// What was read before for other requests comes first.
static bool look_at_next(struct vault_call *call) {
    const struct ca *ca = vault_ca_of(&call->base);
    struct vault_scan *scan = call->scan;
    struct vault_serial serial;
    if (scan->page == 0 &&
        vault_known_find(ca->known, call->base.request.spki_sha256, &scan->known_at, &serial)) {
        look_at(call, &serial);
        return true;
    }
    if (scan->is_listed && scan->next_row < scan->row_count) {
        look_at(call, &scan->rows[scan->next_row++]);
        return true;
    }
    return false;
}

static void look_further(struct vault_call *call) {
    struct vault_scan *scan = call->scan;
    // Who waits needs the rest of the list as well.
    bool is_found =
        scan->certificate != NULL && (scan->page == 0 || vault_ca_of(&call->base)->waiting == NULL);
    bool is_decided = is_found || scan->is_broken || scan->is_overfull;
    while (!is_decided && scan->look_count < LOOKS_MAX && look_at_next(call)) {
    }
    if (scan->look_count > 0) {
        return;
    }
    if (is_decided || scan->is_listed) {
        finish_scan(call);
    } else {
        ask_page(call);
    }
}

static void start_scan(struct vault_call *call) {
    look_further(call);
}

// What was sent while the role could be read is not given to a person because it cannot be now.
static void fail_hidden(struct vault_call *call) {
    const struct ca *ca = vault_ca_of(&call->base);
    struct error error;
    error_set(&error, E_CA_LOGIN,
              "the token's policies lack read on %s/roles/%s, which they had before", ca->mount,
              ca->role_name);
    vault_fail(&call->base, &error, 0);
}

static void wait_for_turn(struct call *base) {
    struct vault_call *call = vault_to_call(base);
    struct ca *ca = vault_ca_of(base);
    if (ca->role == NULL && ca->had_role) {
        fail_hidden(call);
        return;
    }
    if (ca->role == NULL) {
        finish_blind(call, "the role cannot be read, so nobody knows whether the CA keeps what it "
                           "issues (no_store)");
        return;
    }
    if (vault_flag(ca->role, "no_store")) {
        finish_blind(call, "the CA keeps nothing of what it issues (no_store)");
        return;
    }
    call->scan = calloc(1, sizeof *call->scan);
    if (call->scan == NULL) {
        struct error error;
        error_set(&error, E_MEMORY, "no memory for a look-up");
        vault_fail(base, &error, 0);
        return;
    }
    if (ca->scanning == NULL) {
        ca->scanning = call;
        start_scan(call);
        return;
    }
    struct vault_call **link = &ca->waiting;
    while (*link != NULL) {
        link = &(*link)->next_waiting;
    }
    *link = call;
}

// The role anew: what it says now is nearer to what it said when the request was sent.
void vault_reconcile(struct call *call) {
    vault_need_facts(call, true, wait_for_turn);
}
