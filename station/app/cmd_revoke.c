// SPDX-License-Identifier: Apache-2.0
// birthcert revoke: a camera's certificate is revoked at the CA that issued it; where that one revokes
// nothing, it goes out of use here.
#include <ctype.h>
#include <string.h>

#include "station/app/options.h"
#include "station/app/revoker.h"
#include "station/base/clock.h"

#define WAIT_S 30

struct revoke {
    const struct options *options;
    struct output *output;
    struct revoker *revoker;
    struct revoker_unit unit;
    enum ca_revocation_reason reason;
};

static bool read_reason(const struct options *options, enum ca_revocation_reason *reason,
                        struct error *error) {
    if (options->reason == NULL) {
        return error_set(error, E_USAGE,
                         "revoke: --reason is missing: unspecified, keyCompromise, "
                         "affiliationChanged, superseded, cessationOfOperation or "
                         "privilegeWithdrawn");
    }
    return options_read_reason(options, reason, error);
}

// Of a serial number, as somebody copied it: its significant digits, in lower case.
static bool read_hex(const char *text, char hex[2 * CERTIFICATE_SERIAL_MAX + 1]) {
    size_t length = 0;
    for (; *text != '\0'; text++) {
        bool is_leading = length == 0 && *text == '0';
        if (*text == ':' || is_leading) {
            continue;
        }
        if (isxdigit((unsigned char)*text) == 0 || length == 2 * CERTIFICATE_SERIAL_MAX) {
            return false;
        }
        hex[length++] = (char)tolower((unsigned char)*text);
    }
    hex[length] = '\0';
    return length > 0;
}

static bool has_serial(const struct store_certificate *stored, const char *wanted) {
    char raw[2 * CERTIFICATE_SERIAL_MAX + 1];
    char hex[2 * CERTIFICATE_SERIAL_MAX + 1];
    hex_encode(raw, stored->certificate.serial, stored->certificate.serial_length);
    return read_hex(raw, hex) && strcmp(hex, wanted) == 0;
}

// The one that is named, in whatever state, so that there is a word on it.
static bool choose_named(struct revoke *revoke, struct error *error) {
    char wanted[2 * CERTIFICATE_SERIAL_MAX + 1];
    char time[CLOCK_TEXT_SIZE];
    if (!read_hex(revoke->options->certificate, wanted)) {
        return error_set(error, E_USAGE, "--certificate %s: a serial number is 1 to %d hex digits",
                         revoke->options->certificate, 2 * CERTIFICATE_SERIAL_MAX);
    }
    for (size_t i = 0; i < revoker_count(revoke->revoker); i++) {
        const struct store_certificate *stored = revoker_certificate(revoke->revoker, i);
        if (!has_serial(stored, wanted)) {
            continue;
        }
        clock_format_utc(time, stored->ended_ms);
        return stored->state == CERTIFICATE_REVOKED
                   ? error_set(error, E_NOTHING_TO_DO, "%s: the certificate %s is revoked since %s",
                               stored->serial, wanted, time)
                   : revoker_choose(revoke->revoker, i, revoke->reason, error);
    }
    return error_set(error, E_STORE_UNKNOWN, "%s has no certificate %s on record",
                     revoke->unit.serial, wanted);
}

// With what was withdrawn on the board of now: that it is not revoked is said again.
static bool choose_live(struct revoke *revoke, struct error *error) {
    for (size_t i = 0; i < revoker_count(revoke->revoker); i++) {
        const struct store_certificate *stored = revoker_certificate(revoke->revoker, i);
        bool is_withdrawn =
            stored->state == CERTIFICATE_WITHDRAWN && stored->board == revoke->unit.board;
        bool is_meant = stored->state == CERTIFICATE_LIVE ||
                        stored->state == CERTIFICATE_REVOKING || is_withdrawn;
        if (is_meant && !revoker_choose(revoke->revoker, i, revoke->reason, error)) {
            return false;
        }
    }
    return revoker_chosen_count(revoke->revoker) > 0 ||
           error_set(error, E_NOTHING_TO_DO,
                     "%s has no live certificate; --certificate names another one that birthcert "
                     "show or orphans lists",
                     revoke->unit.serial);
}

static bool revoke_unit(struct revoke *revoke, const struct config *config, size_t *unconfirmed,
                        struct error *error) {
    const struct options *options = revoke->options;
    return revoker_open(config, revoke->output, &revoke->revoker, error) &&
           revoker_load_unit(revoke->revoker, options->argument, &revoke->unit, error) &&
           (options->certificate != NULL ? choose_named(revoke, error)
                                         : choose_live(revoke, error)) &&
           revoker_record(revoke->revoker, NULL, error) &&
           revoker_finish(revoke->revoker, options->has_wait ? options->wait_s : WAIT_S,
                          unconfirmed, error);
}

int cmd_revoke(const struct options *options, struct output *output) {
    struct revoke revoke = {.options = options, .output = output};
    struct config *config = NULL;
    struct error error;
    size_t unconfirmed = 0;
    bool done = read_reason(options, &revoke.reason, &error) &&
                config_load(options->config, &config, &error) &&
                revoke_unit(&revoke, config, &unconfirmed, &error);
    size_t left = done ? unconfirmed + revoker_withdrawn_count(revoke.revoker) : 0;
    revoker_close(revoke.revoker);
    config_free(config);
    if (!done) {
        output->ops->error(output, "revoke", &error);
        return exit_status_of(&error);
    }
    return left > 0 ? EXIT_STATION : EXIT_OK;
}
