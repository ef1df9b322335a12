// SPDX-License-Identifier: Apache-2.0
// Settles a request whose answer was lost: lists what the account issued around that time, looks at
// each certificate, and finds the one with the request's key. Scans take turns, so that many
// requests in doubt read each certificate once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define CLOCK_SKEW_S 600
#define AHEAD_S 300 // of now: what is pending may be listed under a later time
#define OBSTACLE_SCANS_MAX 3
#define LOOK_MS 2000 // between two looks for what was rekeyed
#define WHY_SIZE 128
#define WINDOW_MAX_S (30 * 24 * 60 * 60 - 1) // the service lists at most 30 days
#define PER_PAGE 100
#define PAGES_MAX 500
#define SCAN_ROWS_MAX 20000
#define LOOKS_MAX 8 // certificates read at once

struct hvca_look {
    struct hvca_call *call;
    size_t row;
    bool is_used;
};

struct hvca_scan {
    int64_t from_s;
    int64_t to_s;
    const char *unsure; // why an empty list rules nothing out; NULL: it does
    uint32_t page;
    bool is_listed; // to the end
    struct hvca_row *rows;
    size_t row_count;
    size_t next_row;
    bool second_pass; // the rows that do not carry the request's stamp
    struct hvca_look looks[LOOKS_MAX];
    uint32_t look_count;
    struct error error; // of the first thing that could not be read; then nothing is ruled out
    bool is_broken;     // the CA does not answer: no use in going on
    size_t bad_row;     // the first that cannot be read though the CA answers; SIZE_MAX: none
    bool is_overfull;   // more is listed than can be looked at
    char revoked_serial[CA_HANDLE_SIZE];
    char serial[CA_HANDLE_SIZE]; // found
    struct buf *certificates;    // DER
    int64_t issued_s;
};

void hvca_scan_free(struct hvca_scan *scan) {
    if (scan != NULL) {
        free(scan->rows);
        buf_free(scan->certificates);
        free(scan);
    }
}

static void look_further(struct hvca_call *call);
static void list_page(struct hvca_call *call);

// ---- the cache ----------------------------------------------------------------------------------

static struct hvca_scan_cache_entry *cache_slot(struct ca *ca, const char *serial) {
    uint32_t hash = 2166136261U; // FNV-1a
    if (ca->cache == NULL) {
        ca->cache = calloc(HVCA_CACHE_ENTRIES, sizeof *ca->cache);
    }
    for (const char *at = serial; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    }
    return ca->cache == NULL ? NULL : &ca->cache[hash % HVCA_CACHE_ENTRIES];
}

static void cache_put(struct ca *ca, const char *serial, const uint8_t spki_sha256[SHA256_SIZE]) {
    struct hvca_scan_cache_entry *slot = cache_slot(ca, serial);
    if (slot != NULL && text_copy(slot->serial, sizeof slot->serial, serial)) {
        memcpy(slot->spki_sha256, spki_sha256, SHA256_SIZE);
    }
}

static bool is_known_other(struct hvca_call *call, const char *serial) {
    const struct hvca_scan_cache_entry *slot = cache_slot(call->ca, serial);
    return slot != NULL && strcmp(slot->serial, serial) == 0 &&
           memcmp(slot->spki_sha256, call->base.request.spki_sha256, SHA256_SIZE) != 0;
}

// ---- the end ------------------------------------------------------------------------------------

static void start_scan(struct hvca_call *call);

static void end_turn(struct hvca_call *call) {
    struct ca *ca = call->ca;
    if (ca->scanning != call) {
        return;
    }
    ca->scanning = ca->scan_waiting;
    if (ca->scanning != NULL) {
        ca->scan_waiting = ca->scanning->next_waiting;
        start_scan(ca->scanning);
    }
}

static void finish_found(struct hvca_call *call) {
    const struct hvca_scan *scan = call->scan;
    struct error error;
    struct slice all = buf_slice(scan->certificates);
    struct slice leaf = x509_first_der(all);
    struct slice chain = buf_slice(call->ca->chain);
    struct buf *extra = buf_new(HTTP_BODY_MAX + HVCA_CHAIN_MAX);
    if (extra == NULL || !buf_put(extra, leaf.data + leaf.length, all.length - leaf.length) ||
        !buf_put(extra, chain.data, chain.length)) {
        error_set(&error, E_MEMORY, "no memory for a certificate");
        call_fail(&call->base, CA_DOUBT, &error, 0);
    } else {
        struct ca_result result = {
            .outcome = CA_CERTIFICATE,
            .handle = scan->serial,
            .leaf = leaf,
            .extra = buf_slice(extra),
            .issued_s = scan->issued_s,
        };
        call_finish(&call->base, &result);
    }
    buf_free(extra);
}

// True where the scan ended because of one certificate that again could not be read.
static bool is_blocked(struct hvca_call *call, char why[static WHY_SIZE]) {
    const struct hvca_scan *scan = call->scan;
    if (scan->is_broken || scan->bad_row == SIZE_MAX) {
        return false;
    }
    const char *serial = scan->rows[scan->bad_row].serial;
    snprintf(why, WHY_SIZE, "the CA lists %.64s but does not give it", serial);
    return hvca_obstacle_count(call->ca, call->base.request.id, serial) >= OBSTACLE_SCANS_MAX;
}

// Nothing says that the lists hold what was rekeyed: that it is not there never means that it was not
// issued.
static void hold_rekey(struct hvca_call *call) {
    struct error error;
    uint32_t pause_ms = call->ca->settle_ms / 3 + 1;
    call_ask_person(&call->base, E_UNIT_HELD, "not in the CA's lists", &error);
    call_fail(&call->base, CA_CANNOT_TELL, &error, pause_ms < LOOK_MS ? pause_ms : LOOK_MS);
}

static void finish_scan(struct hvca_call *call) {
    char why[WHY_SIZE];
    const struct hvca_scan *scan = call->scan;
    struct error error;
    struct ca_result result = {.outcome = CA_NOT_ISSUED};
    end_turn(call);
    if (scan->serial[0] == '\0' && is_blocked(call, why)) {
        hvca_obstacle_forget(call->ca, call->base.request.id);
        call_hold(&call->base, why);
        return;
    }
    if (scan->bad_row == SIZE_MAX && !scan->is_broken) {
        hvca_obstacle_forget(call->ca, call->base.request.id);
    }
    if (scan->serial[0] != '\0') {
        finish_found(call);
    } else if (scan->is_overfull) {
        call_hold(&call->base, "the CA lists too many certificates");
    } else if (scan->error.code != ERROR_NONE) {
        error_set(&error, E_CA_DOUBT, "the look-up is not complete: %s", scan->error.text);
        call_fail(&call->base, CA_DOUBT, &error, 0);
    } else if (scan->revoked_serial[0] != '\0') {
        // Whether this camera is to get another one is for a person to say.
        error_set(&error, E_UNIT_HELD, "the CA issued %s for this key, and it is revoked",
                  scan->revoked_serial);
        log_error("CA look-up", &error);
        call_fail(&call->base, CA_CANNOT_TELL, &error, 0);
    } else if (scan->unsure != NULL) {
        call_hold(&call->base, scan->unsure);
    } else if (hvca_is_rekey(call)) {
        hold_rekey(call);
    } else {
        call_finish(&call->base, &result);
    }
}

static void note_error(struct hvca_scan *scan, const struct error *error) {
    if (scan->error.code == ERROR_NONE) {
        scan->error = *error;
    }
}

// Looks end in any order: the first of the list is the same in every scan.
static void note_bad_row(struct hvca_scan *scan, size_t row) {
    scan->bad_row = row < scan->bad_row ? row : scan->bad_row;
}

// ---- one certificate ----------------------------------------------------------------------------

static bool read_certificate(struct hvca_call *call, const char *serial, struct slice body,
                             struct error *error) {
    struct hvca_scan *scan = call->scan;
    struct certificate_identity identity;
    bool is_revoked = false;
    struct buf *der = NULL;
    bool good = hvca_read_certificate(body, &der, &is_revoked, error) &&
                x509_identify(x509_first_der(buf_slice(der)), &identity, error);
    if (good) {
        cache_put(call->ca, serial, identity.spki_sha256);
    }
    bool is_ours =
        good && memcmp(identity.spki_sha256, call->base.request.spki_sha256, SHA256_SIZE) == 0;
    if (is_ours && is_revoked) {
        (void)text_copy(scan->revoked_serial, sizeof scan->revoked_serial, serial);
    } else if (is_ours && scan->serial[0] == '\0') {
        (void)text_copy(scan->serial, sizeof scan->serial, serial);
        scan->issued_s = identity.not_before_s;
        scan->certificates = der;
        der = NULL;
    }
    buf_free(der);
    return good;
}

static void handle_certificate(void *context, const struct http_response *response) {
    struct hvca_look *look = context;
    struct hvca_call *call = look->call;
    struct hvca_scan *scan = call->scan;
    const char *serial = scan->rows[look->row].serial;
    struct error error;
    look->is_used = false;
    scan->look_count--;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        // A 202 too: what is pending may be ours.
        hvca_explain(response, serial, &error);
        note_error(scan, &error);
        scan->is_broken = response->outcome != HTTP_ANSWERED || hvca_is_passing(response) ||
                          response->status == 401 || response->status == 403;
        // What is pending changes by itself.
        if (!scan->is_broken && response->status != 202) {
            note_bad_row(scan, look->row);
        }
    } else if (!read_certificate(call, serial, response->body, &error)) {
        error_prefix(&error, "%s", serial);
        note_error(scan, &error);
        note_bad_row(scan, look->row);
    }
    look_further(call);
}

static void look_at(struct hvca_call *call, size_t row) {
    struct hvca_scan *scan = call->scan;
    char path[HVCA_PATH_SIZE];
    struct hvca_look *look = scan->looks;
    while (look->is_used) {
        look++;
    }
    *look = (struct hvca_look){.call = call, .row = row, .is_used = true};
    scan->look_count++;
    hvca_certificate_path(path, scan->rows[row].serial);
    hvca_send(call->ca, "GET", path, NULL, handle_certificate, look);
}

// The row to look at next: first those with the request's stamp, then the others. False: no more.
static bool next_row(struct hvca_call *call, size_t *row) {
    struct hvca_scan *scan = call->scan;
    for (;;) {
        while (scan->next_row < scan->row_count) {
            size_t number = scan->next_row++;
            const struct hvca_row *candidate = &scan->rows[number];
            bool is_stamped = candidate->not_before_s == call->base.request.not_before_s;
            if (is_stamped != scan->second_pass && !is_known_other(call, candidate->serial)) {
                *row = number;
                return true;
            }
        }
        if (scan->second_pass) {
            return false;
        }
        // The stamped ones decide alone where they hold the key: the rest is not even listed then.
        if (scan->look_count > 0 || !scan->is_listed) {
            return false;
        }
        scan->second_pass = true;
        scan->next_row = 0;
    }
}

static void look_further(struct hvca_call *call) {
    struct hvca_scan *scan = call->scan;
    size_t row = 0;
    bool is_decided = scan->serial[0] != '\0' || scan->is_broken;
    while (!is_decided && scan->look_count < LOOKS_MAX && next_row(call, &row)) {
        look_at(call, row);
    }
    if (scan->look_count > 0) {
        return;
    }
    if (scan->serial[0] != '\0' || scan->is_broken || scan->is_listed) {
        finish_scan(call);
    } else {
        scan->page++;
        list_page(call);
    }
}

// ---- the list -----------------------------------------------------------------------------------

static void end_with(struct hvca_call *call, const struct error *error) {
    note_error(call->scan, error);
    finish_scan(call);
}

static bool add_rows(struct hvca_scan *scan, struct slice body, size_t *added,
                     struct error *error) {
    if (scan->row_count + HVCA_ROWS_MAX > SCAN_ROWS_MAX) {
        scan->is_overfull = true;
        return error_set(error, E_CA_NONSENSE, "over %d certificates are listed", SCAN_ROWS_MAX);
    }
    struct hvca_row *rows =
        realloc(scan->rows, (scan->row_count + HVCA_ROWS_MAX) * sizeof *scan->rows);
    if (rows == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA's list");
    }
    scan->rows = rows;
    if (!hvca_parse_rows(body, rows + scan->row_count, added, error)) {
        return false;
    }
    scan->row_count += *added;
    return true;
}

static void handle_page(void *context, const struct http_response *response) {
    struct hvca_call *call = context;
    struct hvca_scan *scan = call->scan;
    struct error error;
    size_t added = 0;
    if (response->outcome != HTTP_ANSWERED || response->status != 200) {
        hvca_explain(response, "the list of certificates", &error);
        scan->is_broken = true;
        end_with(call, &error);
        return;
    }
    if (!add_rows(scan, response->body, &added, &error)) {
        scan->is_broken = !scan->is_overfull;
        end_with(call, &error);
        return;
    }
    // The service may give shorter pages than were asked for: only an empty page or the total tell
    // the end.
    bool has_total = response->total_count >= 0;
    scan->is_listed = has_total ? (int64_t)scan->row_count >= response->total_count : added == 0;
    if (!scan->is_listed && (added == 0 || scan->page >= PAGES_MAX)) {
        scan->is_overfull = added > 0;
        error_set(&error, E_CA_NONSENSE, "the list of certificates ends after %zu of %lld",
                  scan->row_count, (long long)response->total_count);
        end_with(call, &error);
        return;
    }
    look_further(call);
}

static void list_page(struct hvca_call *call) {
    const struct hvca_scan *scan = call->scan;
    char path[HVCA_PATH_SIZE];
    snprintf(path, sizeof path, "/stats/issued?page=%u&per_page=%d&from=%lld&to=%lld", scan->page,
             PER_PAGE, (long long)scan->from_s, (long long)scan->to_s);
    hvca_send(call->ca, "GET", path, NULL, handle_page, call);
}

// The list goes by the CA's clock, the attempt's time by ours, which was right when it was sent. A
// time that cannot be right, or that the list no longer reaches, leaves only the list's whole span
// to look at, and then what is not in it may still have been issued. Likewise where the CA does not
// tell its time (RFC 9110, section 6.6.1): nothing has guarded the attempt against our own clock.
static void set_window(struct hvca_call *call) {
    const struct ca *ca = call->ca;
    struct hvca_scan *scan = call->scan;
    int64_t now_s = hvca_ca_now_s(ca);
    int64_t sent_s = call->base.request.sent_ms / 1000;
    int64_t stamp_s = call->base.request.not_before_s;
    // It is not said whether the list goes by the time of issue or by notBefore: both are in.
    int64_t from_s = (stamp_s > 0 && stamp_s < sent_s ? stamp_s : sent_s) - CLOCK_SKEW_S;
    int64_t last_s = sent_s + CLOCK_SKEW_S +
                     ((int64_t)HVCA_SUBMIT_LIFE_MS + ca->site.timeout_ms + ca->settle_ms) / 1000;
    scan->to_s = now_s + AHEAD_S;
    if (!ca->has_clock) {
        scan->unsure = "the CA's answers do not tell the time";
    } else if (sent_s > now_s + HVCA_CLOCK_DIFFERENCE_MAX_MS / 1000) {
        scan->unsure = "the attempt's time is later than the CA's clock";
    } else if (scan->to_s - from_s > WINDOW_MAX_S) {
        scan->unsure = "the attempt's time is not in the CA's last 30 days";
    }
    if (scan->unsure != NULL) {
        from_s = scan->to_s - WINDOW_MAX_S;
    } else if (last_s < scan->to_s) {
        scan->to_s = last_s;
    }
    scan->from_s = from_s;
}

static void start_scan(struct hvca_call *call) {
    set_window(call);
    call->scan->page = 1;
    list_page(call);
}

static void wait_for_turn(struct hvca_call *call) {
    struct ca *ca = call->ca;
    if (ca->scanning == NULL) {
        ca->scanning = call;
        start_scan(call);
        return;
    }
    struct hvca_call **link = &ca->scan_waiting;
    while (*link != NULL) {
        link = &(*link)->next_waiting;
    }
    call->next_waiting = NULL;
    *link = call;
}

void hvca_reconcile(struct hvca_call *call) {
    struct error error;
    call->scan = calloc(1, sizeof *call->scan);
    if (call->scan == NULL) {
        error_set(&error, E_MEMORY, "no memory for a look-up");
        call_finish_later(&call->base, CA_DOUBT, &error);
        return;
    }
    call->scan->bad_row = SIZE_MAX;
    hvca_need_facts(call, wait_for_turn);
}
