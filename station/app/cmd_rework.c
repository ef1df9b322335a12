// SPDX-License-Identifier: Apache-2.0
// birthcert rework: a camera got another board. Its certificates are superseded, and it is open for a
// new key. Two people stand for that.
#include "station/app/approval.h"
#include "station/app/options.h"
#include "station/app/revoker.h"
#include "station/base/clock.h"

#define WAIT_S 30

struct rework {
    const struct options *options;
    struct output *output;
    struct revoker *revoker;
    struct revoker_unit unit;
};

static bool check_unit(const struct revoker_unit *unit, struct error *error) {
    if (unit->result == UNIT_SCRAPPED) {
        return error_set(error, E_UNIT_SCRAPPED, "%s was scrapped: there is no rework",
                         unit->serial);
    }
    if (!unit->has_key) {
        return error_set(error, E_NOTHING_TO_DO,
                         "%s: no key of this board is on record: put the camera into any slot",
                         unit->serial);
    }
    return revoker_check_settled(unit, error);
}

// What was withdrawn before stays so.
static bool choose_used(struct rework *rework, struct error *error) {
    for (size_t i = 0; i < revoker_count(rework->revoker); i++) {
        enum certificate_state state = revoker_certificate(rework->revoker, i)->state;
        bool is_ended = state == CERTIFICATE_REVOKED || state == CERTIFICATE_WITHDRAWN;
        if (!is_ended && !revoker_choose(rework->revoker, i, CA_REVOKE_SUPERSEDED, error)) {
            return false;
        }
    }
    return true;
}

static bool record(struct rework *rework, struct error *error) {
    struct record last = {
        .kind = RECORD_REWORK, .unit_id = rework->unit.unit_id, .time_ms = clock_wall_ms()};
    approval_text(rework->options->approve, last.text, sizeof last.text);
    return revoker_record(rework->revoker, &last, error);
}

static bool rework_unit(struct rework *rework, const struct config *config, size_t *unconfirmed,
                        struct error *error) {
    const struct options *options = rework->options;
    return approval_check(config, "rework", options->approve, error) &&
           revoker_open(config, rework->output, &rework->revoker, error) &&
           revoker_load_unit(rework->revoker, options->argument, &rework->unit, error) &&
           check_unit(&rework->unit, error) && choose_used(rework, error) &&
           record(rework, error) &&
           revoker_spare_awaiting(rework->revoker, rework->unit.serial, error) &&
           revoker_finish(rework->revoker, options->has_wait ? options->wait_s : WAIT_S,
                          unconfirmed, error) &&
           revoker_show_unit(rework->revoker, rework->unit.serial, error);
}

int cmd_rework(const struct options *options, struct output *output) {
    struct rework rework = {.options = options, .output = output};
    struct config *config = NULL;
    struct error error;
    size_t unconfirmed = 0;
    bool done = config_load(options->config, &config, &error) &&
                rework_unit(&rework, config, &unconfirmed, &error);
    revoker_close(rework.revoker);
    config_free(config);
    if (!done) {
        output->ops->error(output, "rework", &error);
        return exit_status_of(&error);
    }
    output_note(output, "%s is open again: put the camera with its new board into any slot",
                rework.unit.serial);
    return unconfirmed > 0 ? EXIT_STATION : EXIT_OK;
}
