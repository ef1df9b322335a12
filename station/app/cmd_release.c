// SPDX-License-Identifier: Apache-2.0
// birthcert release: the CA's administrator says that nothing was issued. A request that was held, or
// that persons carry, goes back to the outbox. Two people stand for that: if it is not so, a
// certificate is paid for twice.
#include <stdio.h>
#include <string.h>

#include "db/store.h"
#include "station/app/approval.h"
#include "station/app/carry.h"
#include "station/app/options.h"
#include "station/app/writer.h"
#include "station/base/clock.h"

struct release {
    const struct options *options;
    struct output *output;
    const struct config *config;
    struct store *store;
    struct batch *batch;
    bool is_known;
    size_t held;    // or with persons
    size_t others;  // requests that are not
    char names[96]; // of the profiles of those that are
    struct error error;
};

// ---- what is held -------------------------------------------------------------------------------

// It is held against the roots of the section, which has to be that of the CA that issued it.
static bool fail_brought(struct release *release, const struct store_row *row) {
    if (config_ca_leads_to(config_find_ca(release->config, row->ca), row->endpoint)) {
        return error_set(&release->error, E_UNIT_HELD,
                         "%s: its certificate was brought: birthcert reconcile takes it",
                         row->unit.serial);
    }
    return error_set(&release->error, E_UNIT_HELD,
                     "%s: its certificate was brought: put [ca %s] back, which led to %s, and "
                     "birthcert reconcile takes it",
                     row->unit.serial, row->ca, row->endpoint);
}

// Sent again it goes to the CA that the profile names now: that has to be the one that was asked. And a
// certificate that was brought is not to be paid for again.
static bool may_release(struct release *release, const struct store_row *row) {
    const struct profile *profile = config_find_profile(release->config, row->credential.profile);
    if (profile == NULL || strcmp(profile->ca, row->ca) != 0) {
        return error_set(&release->error, E_UNIT_HELD,
                         "%s: CA %s has the request, the profile names %s now: put it back, then "
                         "run birthcert reconcile",
                         row->unit.serial, row->ca, profile != NULL ? profile->ca : "none");
    }
    if (carry_is_in(release->config, row->credential.spki_sha256)) {
        return fail_brought(release, row);
    }
    return carry_forget_out(release->config, row->credential.spki_sha256, &release->error);
}

// Nothing was found for one public key: that says nothing of another.
static bool is_meant(const struct release *release, const struct store_row *row) {
    const char *wanted = release->options->profile;
    return (row->credential.request == REQUEST_HELD || carry_is_for(release->config, row)) &&
           (wanted == NULL || strcmp(wanted, row->credential.profile) == 0);
}

static bool count_row(void *context, const struct store_row *row) {
    struct release *release = context;
    size_t length = strlen(release->names);
    release->is_known = true;
    if (is_meant(release, row)) {
        (void)snprintf(release->names + length, sizeof release->names - length, "%s%s at CA %s",
                       release->held > 0 ? ", " : "", row->credential.profile, row->ca);
        release->held++;
    } else {
        release->others += row->credential.number != 0 ? 1 : 0;
    }
    return true;
}

static bool choose(struct release *release, const struct store_filter *filter,
                   struct error *error) {
    if (!store_sqlite.select_rows(release->store, filter, count_row, release, error)) {
        return false;
    }
    if (!release->is_known) {
        return error_set(error, E_STORE_UNKNOWN, "%s: no unit has this serial", filter->serial);
    }
    if (release->held == 0) {
        return error_set(error, E_NOTHING_TO_DO,
                         "%s: none of its %zu requests is held or carried%s%s; what is in doubt is "
                         "settled by birthcert reconcile",
                         filter->serial, release->others,
                         release->options->profile != NULL ? " for profile " : "",
                         release->options->profile != NULL ? release->options->profile : "");
    }
    return release->held == 1 ||
           error_set(
               error, E_USAGE,
               "%s: %zu requests are held or carried (%s): --profile says which one was looked for",
               filter->serial, release->held, release->names);
}

static bool visit_row(void *context, const struct store_row *row) {
    struct release *release = context;
    const struct credential_record *credential = &row->credential;
    struct record record = {
        .kind = RECORD_REQUEST,
        .unit_id = row->unit.unit_id,
        .credential_id = credential->credential_id,
        .time_ms = clock_wall_ms(),
        .request = REQUEST_QUEUED,
    };
    if (!is_meant(release, row)) {
        return true;
    }
    if (!may_release(release, row)) {
        return false;
    }
    approval_text(release->options->approve, record.text, sizeof record.text);
    return batch_put(release->batch, &record) ||
           error_set(&release->error, E_INTERNAL, "a unit with too many credentials");
}

static bool collect(struct release *release, const struct store_filter *filter,
                    struct error *error) {
    if (!store_sqlite.select_rows(release->store, filter, visit_row, release, error)) {
        return false;
    }
    if (release->error.code != ERROR_NONE) {
        *error = release->error;
        return false;
    }
    return true;
}

// ---- the verb -----------------------------------------------------------------------------------

static bool show_row(void *context, const struct store_row *row) {
    struct release *release = context;
    release->output->ops->unit(release->output, row);
    return true;
}

static bool release_unit(struct release *release, const struct config *config,
                         struct error *error) {
    struct store_filter filter = {0};
    const char *serial = release->options->argument;
    if (!text_is_label(serial) || !text_copy(filter.serial, sizeof filter.serial, serial)) {
        return error_set(error, E_USAGE, "a serial has 1 to %zu printable characters",
                         sizeof filter.serial - 1);
    }
    release->config = config;
    release->batch = batch_new(OBJECT_MAX);
    if (release->batch == NULL) {
        return error_set(error, E_MEMORY, "no memory for a record");
    }
    return approval_check(config, "release", release->options->approve, error) &&
           writer_open(config, STORE_WRITE, &release->store, error) &&
           choose(release, &filter, error) && collect(release, &filter, error) &&
           writer_commit(release->store, release->batch, error) &&
           store_sqlite.select_rows(release->store, &filter, show_row, release, error);
}

int cmd_release(const struct options *options, struct output *output) {
    struct release release = {.options = options, .output = output};
    struct config *config = NULL;
    struct error error;
    bool done =
        config_load(options->config, &config, &error) && release_unit(&release, config, &error);
    store_sqlite.close(release.store);
    batch_free(release.batch);
    config_free(config);
    if (!done) {
        output->ops->error(output, "release", &error);
        return exit_status_of(&error);
    }
    output_note(output, "%s: its certificate is asked for again when a station runs",
                options->argument);
    return EXIT_OK;
}
