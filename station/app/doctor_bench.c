// SPDX-License-Identifier: Apache-2.0
// The bench's own parts: database, disk, ports.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "db/store.h"
#include "protocol/transport.h"
#include "station/app/bench.h"
#include "station/app/doctor.h"
#include "station/app/hubs.h"
#include "station/app/revoker.h"
#include "station/app/writer.h"
#include "station/base/clock.h"
#include "station/io/loop.h"

#define MIB ((uint64_t)1024 * 1024)

// ---- the database -------------------------------------------------------------------------------

// As the station would, which also brings an older schema up to date; and closed at once, so that
// a station that starts just now is not turned away for long.
static bool open_as_writer(const struct config *config, struct error *error) {
    struct store *store = NULL;
    bool opened = writer_open(config, STORE_WRITE, &store, error);
    store_sqlite.close(store);
    return opened;
}

// Credentials whose state a person should know of.
struct waiting {
    size_t in_outbox; // the next run goes on with them
    size_t doubt;
    size_t held;
    size_t quarantined;
    size_t orphans;
    size_t revoking;
    size_t superseded; // and not to be revoked yet
    size_t unrevoked;
    const struct config *config;
    int64_t now_ms;
};

static bool count_request(void *context, const struct store_row *row) {
    struct waiting *waiting = context;
    switch (row->credential.request) {
    case REQUEST_DOUBT:
        waiting->doubt++;
        break;
    case REQUEST_HELD:
        waiting->held++;
        break;
    default:
        waiting->in_outbox++;
    }
    return true;
}

// "doubt" selects what is in doubt and what is held; "pending" what is in doubt, too.
static bool count_held(void *context, const struct store_row *row) {
    return row->credential.request != REQUEST_HELD || count_request(context, row);
}

static bool count_one(void *context, const struct store_row *row) {
    size_t *count = context;
    (void)row;
    ++*count;
    return true;
}

static bool count_certificate(void *context, const struct store_certificate *certificate) {
    struct waiting *waiting = context;
    bool awaits = revoker_awaits_successor(waiting->config, certificate);
    ++*(awaits ? &waiting->superseded : &waiting->revoking);
    return true;
}

static bool count_withdrawn(void *context, const struct store_certificate *certificate) {
    struct waiting *waiting = context;
    bool counts = revoker_is_unrevoked(waiting->config, certificate, waiting->now_ms);
    waiting->unrevoked += counts ? 1 : 0;
    return true;
}

static bool count_waiting(struct store *store, struct waiting *waiting, struct error *error) {
    static const struct store_filter pending = {.state = "pending"};
    static const struct store_filter doubt = {.state = "doubt"};
    static const struct store_filter quarantined = {.state = "quarantined"};
    static const struct store_filter orphan = {.state = "orphan"};
    static const struct store_filter revoking = {.state = "revoking"};
    static const struct store_filter withdrawn = {.state = "withdrawn"};
    return store_sqlite.select_rows(store, &pending, count_request, waiting, error) &&
           store_sqlite.select_rows(store, &doubt, count_held, waiting, error) &&
           store_sqlite.select_rows(store, &quarantined, count_one, &waiting->quarantined, error) &&
           store_sqlite.select_rows(store, &orphan, count_one, &waiting->orphans, error) &&
           store_sqlite.select_certificates(store, &revoking, count_certificate, waiting, error) &&
           store_sqlite.select_certificates(store, &withdrawn, count_withdrawn, waiting, error);
}

static void report_waiting(struct doctor *doctor, const struct waiting *waiting) {
    const struct {
        size_t count;
        const char *what;
        const char *remedy;
    } kinds[] = {
        {waiting->in_outbox, "wait for the CA",
         "birthcert list --state pending; the next run or tray goes on with them"},
        {waiting->doubt, "are in doubt: the CA's answer was lost", "birthcert reconcile"},
        {waiting->held, "are held: the CA cannot tell whether it issued",
         "birthcert reconcile; ask the CA's administrator"},
        {waiting->quarantined, "are quarantined: issued, and must not be installed",
         "birthcert list --state quarantined; tell the PKI officer"},
        {waiting->orphans, "are issued and not installed",
         "birthcert orphans; put these cameras into any slot"},
        {waiting->revoking, "are to be revoked: the CA has not confirmed it",
         "birthcert reconcile"},
        {waiting->superseded, "are superseded, and revoked when the new board has its certificate",
         "birthcert orphans; put these cameras into any slot, then birthcert reconcile"},
        {waiting->unrevoked, "are out of use here, and not revoked", REVOKER_UNREVOKED},
    };
    bool any = false;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (kinds[i].count > 0) {
            doctor_warn(doctor, "requests", kinds[i].remedy, "%zu %s", kinds[i].count,
                        kinds[i].what);
            any = true;
        }
    }
    if (!any) {
        doctor_ok(doctor, "requests", "none is in progress, and every certificate is installed");
    }
}

void doctor_check_store(struct doctor *doctor) {
    static const char subject[] = "database";
    const char *path = doctor->config->store_path;
    struct store *store = NULL;
    struct waiting waiting = {.config = doctor->config, .now_ms = clock_wall_ms()};
    struct error error;
    bool written = open_as_writer(doctor->config, &error);
    if (!written && error.code == E_STORE_LOCKED) {
        doctor->station_runs = true;
        doctor_warn(doctor, subject, "", "%s: in use by a running station", path);
    } else if (!written) {
        doctor_fault(doctor, subject, &error);
        return;
    }
    bool good = store_sqlite.open(path, STORE_READ, NULL, &store, &error) &&
                store_sqlite.check(store, &error) && count_waiting(store, &waiting, &error);
    store_sqlite.close(store);
    if (!good) {
        doctor_fault(doctor, subject, &error);
        return;
    }
    doctor_ok(doctor, subject, "%s: opens, and is consistent", path);
    report_waiting(doctor, &waiting);
}

// ---- the disk -----------------------------------------------------------------------------------

static void name_folder(const char *path, char *out, size_t capacity) {
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : slash == NULL ? 0 : (int)(slash - path);
    snprintf(out, capacity, "%.*s", length > 0 ? length : 1, length > 0 ? path : ".");
}

void doctor_check_disk(struct doctor *doctor) {
    static const char subject[] = "disk";
    char folder[sizeof doctor->config->store_path];
    struct statvfs status;
    struct error error;
    name_folder(doctor->config->store_path, folder, sizeof folder);
    if (statvfs(folder, &status) != 0) {
        error_set(&error, E_STORE_IO, "%s: %s", folder, strerror(errno));
        doctor_fault(doctor, subject, &error);
        return;
    }
    uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    switch (doctor_judge_disk(free_bytes)) {
    case OUTPUT_OK:
        doctor_ok(doctor, subject, "%s: %" PRIu64 " MiB free", folder, free_bytes / MIB);
        break;
    case OUTPUT_WARNING:
        doctor_warn(doctor, subject, "make room before the next tray",
                    "%s: only %" PRIu64 " MiB free", folder, free_bytes / MIB);
        break;
    default:
        error_set(&error, E_STORE_IO, "%s: only %" PRIu64 " MiB free", folder, free_bytes / MIB);
        doctor_fault(doctor, subject, &error);
    }
}

// ---- the ports ----------------------------------------------------------------------------------

static void ignore_bytes(void *context, struct slice bytes) {
    (void)context;
    (void)bytes;
}

static void ignore_hangup(void *context, const struct error *reason) {
    (void)context;
    (void)reason;
}

static bool try_port(struct hubs *hubs, const struct config_slot *slot, struct error *error) {
    static const struct transport_events events = {ignore_bytes, ignore_hangup};
    struct transport *transport = NULL;
    if (!hubs_open_port(hubs, slot, HUBS_QUIET, &events, NULL, &transport, error)) {
        return false;
    }
    transport_find(slot->transport)->close(transport);
    return true;
}

static void check_slot(struct doctor *doctor, struct hubs *hubs, const struct config_slot *slot) {
    char subject[NAME_SIZE + 8];
    struct error error;
    snprintf(subject, sizeof subject, "slot %s", slot->name);
    if (try_port(hubs, slot, &error)) {
        doctor_ok(doctor, subject, "%s: opens", slot->path);
    } else if (bench_awaits_camera(error.code)) {
        doctor_warn_error(doctor, subject, &error); // what belongs there is plugged in later
    } else {
        doctor_fault(doctor, subject, &error);
    }
}

void doctor_check_slots(struct doctor *doctor) {
    static const char subject[] = "slots";
    struct loop *loop = NULL;
    struct hubs *hubs = NULL;
    struct error error;
    if (doctor->station_runs) {
        // Held by us for a moment only, a port would still be busy for the station's next try.
        doctor_warn(doctor, subject, "", "not tried: the running station has the ports");
        return;
    }
    if (!config_require_slots(doctor->config, &error) || !loop_new(&loop, &error)) {
        doctor_fault(doctor, subject, &error);
        return;
    }
    hubs = hubs_new(loop, doctor->config, NULL, NULL);
    for (size_t i = 0; hubs != NULL && i < doctor->config->slot_count; i++) {
        check_slot(doctor, hubs, &doctor->config->slots[i]);
    }
    hubs_free(hubs);
    loop_free(loop);
}
