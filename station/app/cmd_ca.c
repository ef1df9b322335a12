// SPDX-License-Identifier: Apache-2.0
// birthcert ca test: tries out one CA before anything depends on it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca.h"
#include "ca-client/names.h"
#include "station/app/doctor.h"
#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/app/trial.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/core/request.h"

#define SAMPLE_SERIAL "SAMPLE-000001"

// ---- what a profile asks for --------------------------------------------------------------------

static bool put_name(struct buf *text, const char *what, const char *value) {
    return value[0] == '\0' ||
           buf_printf(text, "%s%s %s", buf_length(text) > 0 ? ", " : "", what, value);
}

static bool put_dns_names(struct buf *text, const struct names *names) {
    for (size_t i = 0; i < names->dns_count; i++) {
        if (!put_name(text, "DNS", names->dns_names[i])) {
            return false;
        }
    }
    return true;
}

static bool put_request(struct buf *text, const struct profile *profile,
                        const struct names *names) {
    char validity[32] = "without end";
    if (profile->validity_days > 0) {
        snprintf(validity, sizeof validity, "for %u days", profile->validity_days);
    }
    return put_name(text, "commonName", names->common_name) &&
           put_name(text, "serialNumber", names->serial_number) &&
           put_name(text, "organization", names->organization) &&
           put_name(text, "organizationalUnit", names->organizational_unit) &&
           put_name(text, "country", names->country) && put_dns_names(text, names) &&
           put_name(text, "HardwareModuleName", names->hardware_type) &&
           put_name(text, "usage", "digitalSignature") &&
           put_name(text, "usage", profile->server_auth ? "serverAuth" : "") &&
           put_name(text, "usage", profile->client_auth ? "clientAuth" : "") &&
           put_name(text, "valid", validity);
}

static void say_request(struct doctor *doctor, const struct profile *profile, const char *serial) {
    static const uint8_t hardware_id[] = {0x02, 0, 0, 0, 0, 1}; // locally administered
    const struct profile_subject subject = {
        .serial = serial,
        .model = "MODEL",
        .hardware_id = hardware_id,
        .hardware_id_length = sizeof hardware_id,
    };
    char who[PROFILE_NAME_SIZE + 16];
    struct names names;
    struct error error;
    snprintf(who, sizeof who, "profile %s", profile->name);
    if (!names_fill(profile, &subject, &names, &error)) {
        doctor_fault(doctor, who, &error);
        return;
    }
    struct buf *text = buf_new(4096);
    if (text != NULL && put_request(text, profile, &names)) {
        doctor_ok(doctor, who, "asks for: %s", buf_text(text));
    }
    buf_free(text);
}

// ---- the verb -----------------------------------------------------------------------------------

// What came of it; true where the record can be closed.
static bool say_trial(struct doctor *doctor, const char *who, const struct store_row *row,
                      const struct error *why, bool may_be_surplus) {
    const struct certificate_record *certificate = &row->certificate;
    char serial[2 * CERTIFICATE_SERIAL_MAX + 1];
    char end[CLOCK_TEXT_SIZE];
    struct error error;
    if (row->credential.request == REQUEST_ISSUED) {
        hex_encode(serial, certificate->serial, certificate->serial_length);
        clock_format_utc(end, certificate->not_after_ms);
        doctor_ok(doctor, who, "issued, and good: certificate %s of %s until %s", serial,
                  certificate->issuer, end);
        return true;
    }
    bool is_cut = why->code == E_INTERRUPTED && request_is_pending(row->credential.request);
    enum error_code code = is_cut ? E_INTERRUPTED : row->credential.error;
    error_set(&error, code != ERROR_NONE ? code : E_CA_UNREACHABLE,
              "%s: %sits request is %s; birthcert show %s, reconcile and scrap go on from there",
              row->unit.serial, is_cut ? "interrupted: " : "",
              request_state_name(row->credential.request), row->unit.serial);
    // It waits in the outbox, where the next station would buy a certificate for nobody.
    bool is_unsent = row->credential.request == REQUEST_QUEUED && !may_be_surplus;
    if (is_unsent && why->code != ERROR_NONE) {
        error = *why;
        error_prefix(&error, "nothing was issued");
    }
    doctor_fault(doctor, who, &error);
    return is_unsent;
}

// One certificate, bought in earnest; then its unit is scrapped, which revokes it.
static bool issue_one(const struct options *options, struct doctor *doctor,
                      const struct config *view, struct error *error) {
    char own[SERIAL_SIZE];
    char who[NAME_SIZE + 8];
    struct store_row row;
    struct error why;
    bool may_be_surplus = false;
    const char *serial = options->serial != NULL ? options->serial : own;
    snprintf(who, sizeof who, "CA %s", options->object);
    if ((options->serial == NULL && !trial_make_serial(own, error)) ||
        !trial_issue(view, serial, doctor->output, &row, &why, &may_be_surplus, error)) {
        return false;
    }
    if (say_trial(doctor, who, &row, &why, may_be_surplus)) {
        const struct options scrap = {.config = options->config, .argument = serial};
        int status = cmd_scrap(&scrap, doctor->output);
        doctor->status = status > (int)doctor->status ? (enum exit_status)status : doctor->status;
    }
    return true;
}

// Before anything is asked or written.
static bool check_issue(const struct options *options, const struct config *config,
                        const struct config_ca *ca, struct error *error) {
    if (config->forward_socket[0] != '\0') {
        return error_set(
            error, E_USAGE,
            "--issue: %s is for birthcert forward, which has no database to record the "
            "certificate in: try it on a bench, through the forwarder, or leave --issue out",
            config->file);
    }
    if (ca_find(ca->settings.backend)->is_offline) {
        return error_set(error, E_CA_UNSUPPORTED,
                         "--issue: no network leads to CA %s: to try it, begin with one camera, "
                         "then birthcert outbox export FILE, and birthcert inbox import FILE with "
                         "what the CA issued",
                         ca->name);
    }
    return options->serial == NULL || trial_check_serial(options->serial, error);
}

static bool test_ca(const struct options *options, struct doctor *doctor, struct error *error) {
    const struct config_ca *ca = config_find_ca(doctor->config, options->object);
    if (ca == NULL) {
        return error_set(error, E_CONFIG, "%s: there is no [ca %s]", doctor->config->file,
                         options->object);
    }
    if (options->issue && !check_issue(options, doctor->config, ca, error)) {
        return false;
    }
    struct config *view = config_view(doctor->config, ca->name);
    if (view == NULL) {
        return error_set(error, E_MEMORY, "no memory for a test");
    }
    doctor_check_ca(doctor, ca);
    for (size_t i = 0; i < view->profile_count; i++) {
        say_request(doctor, &view->profiles[i],
                    options->serial != NULL ? options->serial : SAMPLE_SERIAL);
    }
    bool done =
        !options->issue || doctor->fault_count > 0 || issue_one(options, doctor, view, error);
    free(view);
    return done;
}

int cmd_ca(const struct options *options, struct output *output) {
    struct config *config = NULL;
    struct doctor doctor = {.output = output};
    struct error error;
    bool done = config_load(options->config, &config, &error);
    doctor.config = config;
    done = done && test_ca(options, &doctor, &error);
    done = done && reader_flush(output, &error);
    if (!done) {
        output->ops->error(output, "ca test", &error);
    }
    config_free(config);
    return done ? (int)doctor.status : exit_status_of(&error);
}
