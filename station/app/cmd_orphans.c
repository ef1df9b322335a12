// SPDX-License-Identifier: Apache-2.0
// birthcert orphans: certificates that were paid for and are in no camera.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "station/app/options.h"
#include "station/app/price.h"
#include "station/app/reader.h"
#include "station/app/revoker.h"
#include "station/base/clock.h"

// After the unit's last event its camera may still be at work on it for that long.
#define AT_WORK_MS (10 * 60 * 1000)

struct orphans {
    struct output *output;
    const struct config *config;
    int64_t now_ms;
    struct price_sum sum;
    struct output_orphans found;
    size_t held;       // requests of which only the CA knows whether it issued
    size_t superseded; // certificates that a new board's rekeys, and that are not revoked yet
    size_t unrevoked;  // out of use
};

static const char *price_of(const struct orphans *orphans, const char *name) {
    const struct config_ca *ca = config_find_ca(orphans->config, name);
    return ca != NULL && ca->settings.price != NULL ? ca->settings.price : "";
}

static void put(struct orphans *orphans, const struct store_certificate *stored, int64_t since_ms,
                const char *finding, const char *remedy) {
    struct output_certificate shown = {
        .stored = stored,
        .finding = finding,
        .remedy = remedy,
        .age_ms = orphans->now_ms > since_ms ? orphans->now_ms - since_ms : 1,
        .price = price_of(orphans, stored->ca),
    };
    orphans->found.count++;
    price_add(&orphans->sum, shown.price);
    orphans->output->ops->certificate(orphans->output, &shown);
}

static bool put_certificate(void *context, const struct store_certificate *stored) {
    struct orphans *orphans = context;
    char serial[2 * CERTIFICATE_SERIAL_MAX + 1];
    char remedy[SERIAL_SIZE + sizeof serial + 96];
    bool is_live = stored->state == CERTIFICATE_LIVE;
    bool is_recent = orphans->now_ms - stored->active_ms < AT_WORK_MS;
    if (is_live && is_recent && stored->result == UNIT_OPEN) {
        orphans->found.at_work++;
        return true;
    }
    hex_encode(serial, stored->certificate.serial, stored->certificate.serial_length);
    if (is_live) {
        snprintf(remedy, sizeof remedy,
                 "put the camera into any slot, or birthcert revoke %s --reason R", stored->serial);
    } else if (serial[0] != '\0') {
        snprintf(remedy, sizeof remedy, "birthcert revoke %s --certificate %s --reason R",
                 stored->serial, serial);
    } else {
        snprintf(remedy, sizeof remedy, "it cannot be read: ask the CA's administrator");
    }
    put(orphans, stored, stored->recorded_ms,
        is_live ? "issued, not installed" : "quarantined: must not be installed", remedy);
    return reader_can_write(orphans->output);
}

// Paid for once, with the one that takes its place.
static bool put_superseded(void *context, const struct store_certificate *stored) {
    struct orphans *orphans = context;
    if (strcmp(stored->reason, ca_revocation_reason_name(CA_REVOKE_SUPERSEDED)) != 0 ||
        !config_rekeys(orphans->config, stored->ca, stored->credential)) {
        return true;
    }
    bool awaits = revoker_awaits_successor(orphans->config, stored);
    struct output_certificate shown = {
        .stored = stored,
        .finding = awaits ? REVOKER_AWAITING : "to be revoked",
        .remedy = awaits
                      ? "put the camera with its new board into any slot, then birthcert reconcile"
                      : "birthcert reconcile asks the CA",
        .age_ms = orphans->now_ms > stored->ended_ms ? orphans->now_ms - stored->ended_ms : 1,
        .price = "",
    };
    orphans->superseded++;
    orphans->output->ops->certificate(orphans->output, &shown);
    return reader_can_write(orphans->output);
}

static bool count_withdrawn(void *context, const struct store_certificate *stored) {
    struct orphans *orphans = context;
    bool counts = revoker_is_unrevoked(orphans->config, stored, orphans->now_ms);
    orphans->unrevoked += counts ? 1 : 0;
    return true;
}

// Nobody but the CA can say whether there is one.
static bool put_resent(void *context, const struct store_row *row) {
    struct orphans *orphans = context;
    struct store_certificate stored = {
        .credential = row->credential.number,
        .board = row->board,
        .ended_ms = 0,
    };
    memcpy(stored.serial, row->unit.serial, sizeof stored.serial);
    memcpy(stored.profile, row->credential.profile, sizeof stored.profile);
    memcpy(stored.ca, row->ca, sizeof stored.ca);
    put(orphans, &stored, row->sent_ms,
        "possible surplus: the request was sent again after a lost answer",
        "ask the CA's administrator what was issued for this camera");
    return reader_can_write(orphans->output);
}

static bool count_held(void *context, const struct store_row *row) {
    struct orphans *orphans = context;
    orphans->held += row->credential.request == REQUEST_HELD ? 1 : 0;
    return true;
}

static bool list_orphans(struct orphans *orphans, const struct options *options,
                         struct error *error) {
    static const struct store_filter orphan = {.state = "orphan"};
    static const struct store_filter doubt = {.state = "doubt"};
    static const struct store_filter revoking = {.state = "revoking"};
    static const struct store_filter withdrawn = {.state = "withdrawn"};
    static const struct store_filter resent = {.state = "resent", .all_boards = true};
    struct reader reader = {0};
    bool done = reader_open(&reader, options, error);
    orphans->config = reader.config;
    done = done &&
           reader.ops->select_certificates(reader.store, &orphan, put_certificate, orphans, error);
    done = done &&
           reader.ops->select_certificates(reader.store, &revoking, put_superseded, orphans, error);
    done = done && reader.ops->select_certificates(reader.store, &withdrawn, count_withdrawn,
                                                   orphans, error);
    done = done && reader.ops->select_rows(reader.store, &resent, put_resent, orphans, error);
    done = done && reader.ops->select_rows(reader.store, &doubt, count_held, orphans, error);
    if (done && orphans->found.count > 0) {
        orphans->found.currency_count = price_format(&orphans->sum, orphans->found.costs);
        orphans->output->ops->orphans(orphans->output, &orphans->found);
    }
    done = done && reader_flush(orphans->output, error);
    reader_close(&reader);
    return done;
}

int cmd_orphans(const struct options *options, struct output *output) {
    struct orphans orphans = {.output = output, .now_ms = clock_wall_ms()};
    struct error error;
    if (!list_orphans(&orphans, options, &error)) {
        output->ops->error(output, "orphans", &error);
        return exit_status_of(&error);
    }
    if (orphans.held > 0) {
        output_note(output,
                    "held requests: %zu; whether their certificates exist the CA's administrator "
                    "knows: birthcert list --state doubt",
                    orphans.held);
    }
    if (orphans.superseded > 0) {
        output_note(output, "certificates of boards that were swapped, to be revoked: %zu",
                    orphans.superseded);
    }
    if (orphans.unrevoked > 0) {
        output_note(output, "certificates that are out of use here, and not revoked: %zu; %s",
                    orphans.unrevoked, REVOKER_UNREVOKED);
    }
    if (orphans.found.count + orphans.superseded + orphans.unrevoked == 0) {
        output_note(output, "every certificate on record is installed%s",
                    orphans.found.at_work > 0 ? ", or came a moment ago" : "");
        return EXIT_NOTHING_TO_DO;
    }
    return EXIT_OK;
}
