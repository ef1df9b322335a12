// SPDX-License-Identifier: Apache-2.0
// birthcert reconcile: settles what is in doubt with the CA, buys nothing; and asks again for what is
// to be revoked.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/endpoint.h"
#include "db/store.h"
#include "station/app/carry.h"
#include "station/app/options.h"
#include "station/app/progress.h"
#include "station/app/revoker.h"
#include "station/app/station.h"
#include "station/base/clock.h"
#include "station/core/request.h"

#define WAIT_S 300
#define DOUBTS_MAX 4096
#define FINDING_SIZE 384
#define QUESTION_SIZE 640

struct doubt {
    struct request_record request; // ids, state and profile
    char serial[SERIAL_SIZE];
};

struct reconcile {
    const struct options *options;
    struct output *output;
    const struct config *config;
    struct station *station;
    int64_t deadline_ms; // monotonic
    size_t doubt_count;  // that were in doubt before
    struct doubt *doubts;
    size_t settled;
    size_t unsettled;
    size_t orphans;
    struct revoker_sum revoked;
    bool interrupted; // while requests were looked up: the CAs are asked for nothing else then
    size_t shown;     // index of the doubt that is being shown
};

typedef bool reconcile_read(struct reconcile *reconcile, struct store *store, struct error *error);

// Readers open the store by themselves: the station has closed it, or not opened it yet.
static bool with_store(struct reconcile *reconcile, reconcile_read *read, struct error *error) {
    struct store *store = NULL;
    bool done = store_sqlite.open(reconcile->config->store_path, STORE_READ, NULL, &store, error) &&
                read(reconcile, store, error);
    store_sqlite.close(store);
    return done;
}

static bool is_in_doubt(enum request_state state) {
    return state == REQUEST_SENT || state == REQUEST_ACCEPTED || state == REQUEST_DOUBT ||
           state == REQUEST_HELD || state == REQUEST_UNCONFIRMED;
}

static bool is_open(enum request_state state) {
    return is_in_doubt(state) || state == REQUEST_QUARANTINED;
}

static bool collect(struct reconcile *reconcile, const struct store_row *row) {
    struct doubt *doubt = &reconcile->doubts[reconcile->doubt_count++];
    doubt->request.unit_id = row->unit.unit_id;
    doubt->request.credential_id = row->credential.credential_id;
    doubt->request.state = row->credential.request;
    memcpy(doubt->request.profile, row->credential.profile, sizeof doubt->request.profile);
    memcpy(doubt->serial, row->unit.serial, sizeof doubt->serial);
    return reconcile->doubt_count < DOUBTS_MAX;
}

static bool collect_sent(void *context, const struct store_row *row) {
    enum request_state state = row->credential.request;
    return !is_in_doubt(state) || state == REQUEST_HELD || collect(context, row);
}

static bool collect_held(void *context, const struct store_row *row) {
    return row->credential.request != REQUEST_HELD || collect(context, row);
}

static bool collect_quarantined(void *context, const struct store_row *row) {
    return row->credential.request != REQUEST_QUARANTINED || collect(context, row);
}

static bool read_doubts(struct reconcile *reconcile, struct store *store, struct error *error) {
    static const struct {
        const char *state;
        store_visit_row *collect;
    } passes[] = {
        {"pending", collect_sent}, {"doubt", collect_held}, {"quarantined", collect_quarantined}};
    for (size_t i = 0; i < ARRAY_LENGTH(passes) && reconcile->doubt_count < DOUBTS_MAX; i++) {
        struct store_filter filter = {.state = passes[i].state};
        if (!store_sqlite.select_rows(store, &filter, passes[i].collect, reconcile, error)) {
            return false;
        }
    }
    return true;
}

// What is held or in quarantine is looked at once more: the root may have been corrected, or the
// profile's CA put back.
static void reopen_requests(struct reconcile *reconcile) {
    for (size_t i = 0; i < reconcile->doubt_count; i++) {
        enum request_state state = reconcile->doubts[i].request.state;
        if (state == REQUEST_HELD || state == REQUEST_QUARANTINED) {
            station_reopen_request(reconcile->station, &reconcile->doubts[i].request);
        }
    }
}

static const char *finding_of(const struct store_row *row, const char **remedy) {
    *remedy = "";
    switch (row->credential.request) {
    case REQUEST_ISSUED:
        return "issued: on record now";
    case REQUEST_QUEUED:
        return "not issued: waits in the outbox";
    case REQUEST_QUARANTINED:
        *remedy = error_code_remedy(E_UNIT_QUARANTINED);
        return "issued, and quarantined";
    case REQUEST_REFUSED:
        return "refused by the CA";
    case REQUEST_HELD:
        return "held: the CA cannot tell"; // what to ask, say_what_to_ask has
    case REQUEST_UNCONFIRMED:
        *remedy = "run birthcert reconcile again later";
        return "issued: the CA could not be told that it is on record";
    default:
        *remedy = "run birthcert reconcile again later";
        return "still in doubt";
    }
}

// All that the CA's administrator needs to look for it.
static void say_what_to_ask(const struct store_row *row, char remedy[QUESTION_SIZE]) {
    char key[2 * SHA256_SIZE + 1];
    char time[CLOCK_TEXT_SIZE];
    hex_encode(key, row->credential.spki_sha256, SHA256_SIZE);
    clock_format_utc(time, row->sent_ms);
    if (row->replaces[0] != '\0') {
        snprintf(
            remedy, QUESTION_SIZE,
            "ask the administrator of CA %s whether the rekey of certificate %s to key SHA-256 "
            "%s, sent %s, was carried out, and for the new certificate: birthcert inbox "
            "import takes it, birthcert release sends again where there is none (as an "
            "ordinary request with rekey = no)",
            row->ca, row->replaces, key, time);
        return;
    }
    snprintf(remedy, QUESTION_SIZE,
             "ask the administrator of CA %s what it issued for key SHA-256 %s, sent %s: birthcert "
             "inbox import takes a certificate that is found, birthcert release sends again where "
             "there is none",
             row->ca, key, time);
}

// Only the CA that got the request can be asked about it.
static bool is_at_other_ca(const struct store_row *row, const struct profile *profile) {
    return is_open(row->credential.request) && row->ca[0] != '\0' &&
           (profile == NULL || strcmp(profile->ca, row->ca) != 0);
}

static void say_where_it_is(const struct reconcile *reconcile, const struct store_row *row,
                            const struct profile *profile, char finding[FINDING_SIZE],
                            char remedy[QUESTION_SIZE]) {
    snprintf(finding, FINDING_SIZE, "%s: it was sent to CA %s, and the profile names %s now",
             request_state_name(row->credential.request), row->ca,
             profile != NULL ? profile->ca : "none");
    bool is_there = config_find_ca(reconcile->config, row->ca) != NULL;
    snprintf(remedy, QUESTION_SIZE,
             is_there ? "have [profile %s] name CA %s again, then run birthcert reconcile"
                      : "have [profile %s] name CA %s again, and put the section of that CA back, "
                        "then run birthcert reconcile",
             row->credential.profile, row->ca);
}

// The profile names the section that it did, and that leads to another CA now; behind a forwarder that one
// has said so.
static bool is_at_changed_ca(const struct reconcile *reconcile, const struct store_row *row,
                             char endpoint[CA_ENDPOINT_SIZE]) {
    const struct ca_ops *ops = config_find_backend(reconcile->config, row->ca);
    enum request_state state = row->credential.request;
    bool is_asked = is_in_doubt(state) ||
                    (state == REQUEST_QUARANTINED && ops != NULL && !ops->forgets && !ops->waits);
    if (!is_asked || row->endpoint[0] == '\0' || ops == NULL) {
        return false;
    }
    if (ops->judges_endpoint) {
        (void)text_copy(endpoint, CA_ENDPOINT_SIZE, "another CA");
        return row->credential.error == E_CA_CHANGED;
    }
    const struct ca_settings *settings = &config_find_ca(reconcile->config, row->ca)->settings;
    endpoint_text(settings, endpoint);
    return !endpoint_is_of(settings, row->endpoint);
}

static void say_where_it_leads(const struct store_row *row, const char *endpoint,
                               char finding[FINDING_SIZE]) {
    snprintf(finding, FINDING_SIZE, "%s: it was sent to %s, and [ca %s] leads to %s now",
             request_state_name(row->credential.request), row->endpoint, row->ca, endpoint);
}

// Nothing is in doubt there, and there is no CA to ask. What was brought waits for nobody.
static bool is_with_person(const struct reconcile *reconcile, const struct store_row *row) {
    return carry_is_for(reconcile->config, row) &&
           !carry_is_in(reconcile->config, row->credential.spki_sha256);
}

static void say_who_carries(const struct reconcile *reconcile, struct output_request *request) {
    if (carry_is_out(reconcile->config, request->row->credential.spki_sha256)) {
        request->finding = "carried to the CA: waits for a person";
        request->remedy = "birthcert inbox import brings the certificate, birthcert release says "
                          "that the CA issues none";
    } else {
        request->finding = "waits for a person to carry it to the CA";
        request->remedy = "birthcert outbox export writes it into a file, birthcert release says "
                          "that the CA issues none";
    }
}

static bool show_settled(void *context, const struct store_row *row) {
    struct reconcile *reconcile = context;
    const struct doubt *doubt = &reconcile->doubts[reconcile->shown];
    if (row->credential.credential_id != doubt->request.credential_id) {
        return true;
    }
    struct output_request request = {.row = row};
    char finding[FINDING_SIZE];
    char question[QUESTION_SIZE];
    char endpoint[CA_ENDPOINT_SIZE];
    request.finding = finding_of(row, &request.remedy);
    enum request_state state = row->credential.request;
    const struct profile *profile = config_find_profile(reconcile->config, row->credential.profile);
    bool is_elsewhere = is_at_other_ca(row, profile);
    bool is_carried = !is_elsewhere && is_with_person(reconcile, row);
    if (is_elsewhere) {
        say_where_it_is(reconcile, row, profile, finding, question);
        request.finding = finding;
        request.remedy = question;
    } else if (is_at_changed_ca(reconcile, row, endpoint)) {
        say_where_it_leads(row, endpoint, finding);
        request.finding = finding;
        request.remedy = error_code_remedy(E_CA_CHANGED);
    } else if (state == REQUEST_HELD) {
        say_what_to_ask(row, question);
        request.remedy = question;
    } else if (carry_was_rejected(config_find_backend(reconcile->config, row->ca), state,
                                  row->credential.error)) {
        request.finding = "issued, and rejected: the CA drops it";
        request.remedy = "birthcert rework --approve NAME, and the camera with its key wiped, have "
                         "another one made";
    } else if (is_carried) {
        say_who_carries(reconcile, &request);
    }
    reconcile->output->ops->request(reconcile->output, &request);
    reconcile->unsettled += is_open(state) && !is_carried ? 1 : 0;
    reconcile->settled += is_open(state) ? 0 : 1;
    return false;
}

static bool show_orphan(void *context, const struct store_row *row) {
    struct reconcile *reconcile = context;
    struct output_request request = {
        .row = row,
        .finding = "issued, not installed",
        .remedy = "put the camera into any slot",
    };
    reconcile->orphans++;
    reconcile->output->ops->request(reconcile->output, &request);
    return true;
}

static bool show_findings(struct reconcile *reconcile, struct store *store, struct error *error) {
    struct store_filter orphan = {.state = "orphan"};
    for (reconcile->shown = 0; reconcile->shown < reconcile->doubt_count; reconcile->shown++) {
        struct store_filter filter = {0};
        memcpy(filter.serial, reconcile->doubts[reconcile->shown].serial, sizeof filter.serial);
        if (!store_sqlite.select_rows(store, &filter, show_settled, reconcile, error)) {
            return false;
        }
    }
    return store_sqlite.select_rows(store, &orphan, show_orphan, reconcile, error);
}

static void handle_verdict(void *context, size_t slot, const struct unit *unit) {
    (void)context;
    (void)slot;
    (void)unit;
}

static void handle_port_error(void *context, size_t slot, const struct error *error) {
    (void)context;
    (void)slot;
    (void)error;
}

static void handle_tick(void *context) {
    struct reconcile *reconcile = context;
    struct error why;
    bool settled = station_requests_to_settle(reconcile->station) == 0;
    bool late = clock_monotonic_ms() >= reconcile->deadline_ms;
    if (late && !settled && station_ca_down_ms(reconcile->station, &why) > 0) {
        station_stop_with(reconcile->station, &why);
    } else if (late || settled) {
        station_stop(reconcile->station);
    }
}

static const struct station_events reconcile_events = {
    .on_verdict = handle_verdict,
    .on_port_error = handle_port_error,
    .on_tick = handle_tick,
};

static bool settle(struct reconcile *reconcile, struct error *error) {
    const struct options *options = reconcile->options;
    if (!station_new(reconcile->config, &reconcile_events, reconcile, &reconcile->station, error)) {
        return false;
    }
    uint32_t wait_s = options->has_wait ? options->wait_s : WAIT_S;
    progress_warn_private_ca(reconcile->output, reconcile->station);
    if (reconcile->doubt_count > 0) {
        output_note(reconcile->output, "looks up %zu request%s, for at most %" PRIu32 " s",
                    reconcile->doubt_count, reconcile->doubt_count == 1 ? "" : "s", wait_s);
    }
    reconcile->deadline_ms = clock_monotonic_ms() + INT64_C(1000) * wait_s;
    station_hold_submissions(reconcile->station);
    reopen_requests(reconcile);
    bool done = station_run(reconcile->station, error);
    reconcile->interrupted = station_was_interrupted(reconcile->station);
    station_free(reconcile->station);
    reconcile->station = NULL;
    return done;
}

// By then the station has let go of the database.
static bool revoke_open(struct reconcile *reconcile, struct error *error) {
    const struct options *options = reconcile->options;
    struct revoker *revoker = NULL;
    bool done = revoker_open(reconcile->config, reconcile->output, &revoker, error);
    if (done && reconcile->interrupted) {
        done = revoker_load_open(revoker, error);
        reconcile->revoked.unconfirmed = revoker_chosen_count(revoker);
    } else if (done) {
        done = revoker_finish_open(revoker, options->has_wait ? options->wait_s : WAIT_S,
                                   &reconcile->revoked, error);
    }
    revoker_close(revoker);
    return done;
}

static int status_of(const struct reconcile *reconcile) {
    if (reconcile->unsettled > 0) {
        return EXIT_INTEGRITY;
    }
    if (reconcile->revoked.unconfirmed > 0) {
        return EXIT_STATION;
    }
    size_t all = reconcile->settled + reconcile->orphans + reconcile->revoked.open;
    return all == 0 ? EXIT_NOTHING_TO_DO : EXIT_OK;
}

int cmd_reconcile(const struct options *options, struct output *output) {
    struct reconcile reconcile = {.options = options, .output = output};
    struct config *config = NULL;
    struct error error;
    reconcile.doubts = calloc(DOUBTS_MAX, sizeof *reconcile.doubts);
    bool done = reconcile.doubts != NULL || error_set(&error, E_MEMORY, "no memory");
    done = done && config_load(options->config, &config, &error);
    reconcile.config = config;
    done = done && with_store(&reconcile, read_doubts, &error) && settle(&reconcile, &error);
    done = done && revoke_open(&reconcile, &error);
    done = done && with_store(&reconcile, show_findings, &error);
    if (!done) {
        output->ops->error(output, "reconcile", &error);
    } else if (status_of(&reconcile) == EXIT_NOTHING_TO_DO) {
        output_note(output, "nothing is in doubt, and every certificate is installed");
    } else if (reconcile.interrupted) {
        output_note(output, "interrupted; what is open stays open: birthcert reconcile asks again");
    }
    int status = done ? status_of(&reconcile) : exit_status_of(&error);
    station_free(reconcile.station);
    free(reconcile.doubts);
    config_free(config);
    return status;
}
