// SPDX-License-Identifier: Apache-2.0
// birthcert scrap: a camera is closed for good.
#include <string.h>

#include "station/app/options.h"
#include "station/app/revoker.h"
#include "station/base/clock.h"

#define WAIT_S 30

struct scrap {
    const struct options *options;
    struct output *output;
    struct revoker *revoker;
    struct revoker_unit unit;
    enum ca_revocation_reason reason;
};

static bool choose_all(struct scrap *scrap, struct error *error) {
    for (size_t i = 0; i < revoker_count(scrap->revoker); i++) {
        bool is_revoked = revoker_certificate(scrap->revoker, i)->state == CERTIFICATE_REVOKED;
        if (!is_revoked && !revoker_choose(scrap->revoker, i, scrap->reason, error)) {
            return false;
        }
    }
    return true;
}

static bool record(struct scrap *scrap, struct error *error) {
    const char *reason = ca_revocation_reason_name(scrap->reason);
    struct record last = {
        .kind = RECORD_SCRAP, .unit_id = scrap->unit.unit_id, .time_ms = clock_wall_ms()};
    if (scrap->unit.result != UNIT_SCRAPPED) {
        (void)text_copy(last.text, sizeof last.text, reason);
        return revoker_record(scrap->revoker, &last, error);
    }
    // Scrapped before: what its CAs have not confirmed since then is asked for again.
    if (revoker_chosen_count(scrap->revoker) == 0) {
        return error_set(error, E_NOTHING_TO_DO,
                         "%s is scrapped, and all its certificates are revoked",
                         scrap->unit.serial);
    }
    return revoker_record(scrap->revoker, NULL, error);
}

static bool scrap_unit(struct scrap *scrap, const struct config *config, size_t *unconfirmed,
                       struct error *error) {
    const struct options *options = scrap->options;
    return revoker_open(config, scrap->output, &scrap->revoker, error) &&
           revoker_load_unit(scrap->revoker, options->argument, &scrap->unit, error) &&
           revoker_check_settled(&scrap->unit, error) && choose_all(scrap, error) &&
           record(scrap, error) &&
           revoker_finish(scrap->revoker, options->has_wait ? options->wait_s : WAIT_S, unconfirmed,
                          error) &&
           revoker_show_unit(scrap->revoker, scrap->unit.serial, error);
}

int cmd_scrap(const struct options *options, struct output *output) {
    struct scrap scrap = {
        .options = options, .output = output, .reason = CA_REVOKE_CESSATION_OF_OPERATION};
    struct config *config = NULL;
    struct error error;
    size_t unconfirmed = 0;
    bool done = (options->reason == NULL || options_read_reason(options, &scrap.reason, &error)) &&
                config_load(options->config, &config, &error) &&
                scrap_unit(&scrap, config, &unconfirmed, &error);
    revoker_close(scrap.revoker);
    config_free(config);
    if (!done) {
        output->ops->error(output, "scrap", &error);
        return exit_status_of(&error);
    }
    return unconfirmed > 0 ? EXIT_STATION : EXIT_OK;
}
