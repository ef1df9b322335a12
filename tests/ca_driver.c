// SPDX-License-Identifier: Apache-2.0
// A station's half of the CA alone, without cameras: what the tests of the CA backends ask a real
// server for by the hundred.
//
//   ca-driver CONFIG PROFILE check
//   ca-driver CONFIG PROFILE issue COUNT    submits all at once, and holds what comes against the
//                                           profile
//   ca-driver CONFIG PROFILE revoke COUNT   the same, then revokes each of them twice
//
// For each thing that was found one line goes to stdout, with how often: "5 certificate OK",
// "1 refused E-CA-REFUSED TEXT". The exit status is 1 where a good certificate was not had, or not
// revoked.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/config.h"
#include "tests/support_ca_client.h"

#define FINDINGS_MAX 64

struct finding {
    size_t count;
    char text[ERROR_TEXT_MAX + 64];
};

struct driver {
    struct config *config;
    const struct config_ca *ca;
    struct client client;
    struct buf *certificates[CLIENT_UNITS_MAX];
    size_t finding_count;
    struct finding findings[FINDINGS_MAX];
    bool failed;
};

__attribute__((noreturn)) static void give_up(const char *what, const struct error *error) {
    fprintf(stderr, "ca-driver: %s%s%s\n", what, error != NULL ? ": " : "",
            error != NULL ? error->text : "");
    exit(2);
}

// ---- findings -----------------------------------------------------------------------------------

static void note(struct driver *driver, const char *what, const struct error *error) {
    char text[sizeof driver->findings[0].text];
    snprintf(text, sizeof text, "%s %s%s%s", what, error_code_text(error->code),
             error->code != ERROR_NONE ? " " : "", error->code != ERROR_NONE ? error->text : "");
    for (size_t i = 0; i < driver->finding_count; i++) {
        if (strcmp(driver->findings[i].text, text) == 0) {
            driver->findings[i].count++;
            return;
        }
    }
    if (driver->finding_count == FINDINGS_MAX) {
        give_up("too many different findings", error);
    }
    struct finding *finding = &driver->findings[driver->finding_count++];
    finding->count = 1;
    memcpy(finding->text, text, sizeof text);
}

static void note_outcome(struct driver *driver, const struct client_unit *unit,
                         enum ca_outcome wanted) {
    static const char *const names[] = {
        [CA_ACCEPTED] = "accepted",
        [CA_CERTIFICATE] = "certificate",
        [CA_NOT_SENT] = "not sent",
        [CA_REFUSED] = "refused",
        [CA_DOUBT] = "doubt",
        [CA_NOT_ISSUED] = "not issued",
        [CA_CANNOT_TELL] = "cannot tell",
        [CA_REVOKED] = "revoked",
    };
    struct error error = unit->error;
    if (unit->outcome == CA_CERTIFICATE &&
        !client_certificate_is_good(&driver->client, unit, driver->ca->settings.root_file,
                                    &error)) {
        driver->failed = true;
    }
    driver->failed = driver->failed || unit->outcome != wanted;
    note(driver, names[unit->outcome], &error);
}

static void print_findings(const struct driver *driver) {
    for (size_t i = 0; i < driver->finding_count; i++) {
        printf("%zu %s\n", driver->findings[i].count, driver->findings[i].text);
    }
}

// ---- what is done -------------------------------------------------------------------------------

static void check(struct driver *driver) {
    const struct ca_report *report = &driver->client.report;
    client_check(&driver->client);
    client_wait(&driver->client);
    note(driver, report->policy_fits ? "fits" : "does not fit", &report->error);
    driver->failed = report->error.code != ERROR_NONE;
}

static void issue(struct driver *driver) {
    struct client *client = &driver->client;
    for (size_t i = 0; i < client->unit_count; i++) {
        client_submit(client, &client->units[i]);
    }
    client_wait(client);
    for (size_t i = 0; i < client->unit_count; i++) {
        note_outcome(driver, &client->units[i], CA_CERTIFICATE);
    }
}

static void revoke(struct driver *driver) {
    struct client *client = &driver->client;
    for (size_t i = 0; i < client->unit_count; i++) {
        client->units[i].request.certificate = buf_slice(client->units[i].leaf);
        driver->certificates[i] = client->units[i].leaf; // the next result brings another
        client->units[i].leaf = NULL;
    }
    for (int times = 0; times < 2; times++) {
        for (size_t i = 0; i < client->unit_count; i++) {
            client_revoke(client, &client->units[i], CA_REVOKE_SUPERSEDED);
            client_wait(client); // one after the other: the same certificate twice, never at once
            note_outcome(driver, &client->units[i], CA_REVOKED);
        }
    }
    for (size_t i = 0; i < client->unit_count; i++) {
        buf_free(driver->certificates[i]);
    }
}

static void start(struct driver *driver, const char *file, const char *profile_name, size_t units) {
    struct error error;
    if (!config_load(file, &driver->config, &error)) {
        give_up(file, &error);
    }
    const struct profile *profile = config_find_profile(driver->config, profile_name);
    driver->ca = profile != NULL ? config_find_ca(driver->config, profile->ca) : NULL;
    if (driver->ca == NULL) {
        give_up("no such profile", NULL);
    }
    client_start(&driver->client, &driver->ca->settings, units, "P-256");
    driver->client.profile = *profile;
}

int main(int argc, char **argv) {
    static struct driver driver;
    const char *verb = argc > 3 ? argv[3] : "";
    size_t units = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
    bool issues = strcmp(verb, "issue") == 0 || strcmp(verb, "revoke") == 0;
    if ((!issues && strcmp(verb, "check") != 0) || units < 1 || units > CLIENT_UNITS_MAX) {
        give_up("usage: ca-driver CONFIG PROFILE check|issue|revoke [COUNT]", NULL);
    }
    start(&driver, argv[1], argv[2], units);
    if (!issues) {
        check(&driver);
    } else {
        issue(&driver);
    }
    if (strcmp(verb, "revoke") == 0 && !driver.failed) {
        revoke(&driver);
    }
    print_findings(&driver);
    client_stop(&driver.client);
    config_free(driver.config);
    return driver.failed ? 1 : 0;
}
