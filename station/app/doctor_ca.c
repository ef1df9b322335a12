// SPDX-License-Identifier: Apache-2.0
// The CAs that profiles name. Each is asked on its own, profile after profile, so that every report
// is known to be about this CA and this profile, and one bad CA hides no other.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/key.h"
#include "station/app/doctor.h"
#include "station/app/issuer.h"
#include "station/base/clock.h"
#include "station/io/loop.h"

#define LIMIT_MS 15000

struct ca_check {
    struct doctor *doctor;
    const struct config_ca *ca;
    struct config *view; // the configuration with this CA's profiles alone
    struct loop *loop;
    struct loop_timer *limit;
    struct issuer *issuer;
    size_t profile; // index in view->profiles of the one that is asked about
    char subject[NAME_SIZE + 8];
};

// ---- what a report says -------------------------------------------------------------------------

static void say_error(struct ca_check *check, const struct ca_report *report, const char *missing) {
    struct error error = report->error;
    if (error.code == ERROR_NONE) {
        error_set(&error, E_CA_NONSENSE, "%s", missing);
    }
    doctor_fault(check->doctor, check->subject, &error);
}

static void say_station_certificate(struct ca_check *check, int64_t not_after_ms) {
    struct error error;
    char end[CLOCK_TEXT_SIZE];
    if (not_after_ms == 0) {
        return;
    }
    clock_format_utc(end, not_after_ms);
    switch (doctor_judge_end(not_after_ms, clock_wall_ms())) {
    case OUTPUT_OK:
        doctor_ok(check->doctor, check->subject, "the station's own certificate ends at %s", end);
        break;
    case OUTPUT_WARNING:
        doctor_warn(check->doctor, check->subject, error_code_remedy(E_CA_EXPIRED),
                    "the station's own certificate ends at %s", end);
        break;
    default:
        error_set(&error, E_CA_EXPIRED, "the station's own certificate ended at %s", end);
        doctor_fault(check->doctor, check->subject, &error);
    }
}

static void say_quota(struct ca_check *check, int64_t quota) {
    struct error error;
    if (quota < 0) {
        return;
    }
    int64_t cameras = quota / (int64_t)check->view->profile_count;
    switch (doctor_judge_quota(quota)) {
    case OUTPUT_OK:
        doctor_ok(check->doctor, check->subject,
                  "quota: %" PRId64 " certificates left, enough for %" PRId64 " cameras", quota,
                  cameras);
        break;
    case OUTPUT_WARNING:
        doctor_warn(check->doctor, check->subject, error_code_remedy(E_CA_QUOTA),
                    "quota: only %" PRId64 " certificates left, enough for %" PRId64 " cameras",
                    quota, cameras);
        break;
    default:
        error_set(&error, E_CA_QUOTA, "quota: no certificates left");
        doctor_fault(check->doctor, check->subject, &error);
    }
}

static void say_chain(struct ca_check *check, const struct ca_report *report) {
    char text[sizeof report->chain + 32] = "issues as: ";
    const size_t start = strlen(text);
    size_t used = start;
    for (size_t i = 0; i < ARRAY_LENGTH(report->chain) && report->chain[i][0] != '\0'; i++) {
        int length =
            snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " < " : "", report->chain[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used > start) {
        doctor_ok_text(check->doctor, check->subject, text); // the backend escapes subjects
    }
}

static void note_clock(struct doctor *doctor, int64_t offset_ms) {
    if (offset_ms != 0 && llabs(offset_ms) >= llabs(doctor->ca_clock_offset_ms)) {
        doctor->knows_ca_clock = true;
        doctor->ca_clock_offset_ms = offset_ms;
    }
}

static void say_public(struct ca_check *check, const struct ca_report *report) {
    if (report->is_private || !issuer_is_public(check->issuer)) {
        doctor_warn(check->doctor, check->subject, "use it for trials and pilots only",
                    "this is not a public CA: nobody trusts its certificates");
    }
}

static const char *name_login_behind(const struct ca_report *report) {
    switch (report->login) {
    case CA_LOGIN_TAKEN:
        return ", where it is logged in";
    case CA_LOGIN_NONE:
        return ", without a login";
    default:
        return "; its login is tried with the first request";
    }
}

static const char *name_login(const struct ca_report *report, bool has_server) {
    switch (report->login) {
    case CA_LOGIN_TAKEN:
        return "reached, and logged in";
    case CA_LOGIN_NONE:
        return has_server ? "reached, without a login" : "opens";
    default:
        return has_server ? "reached; the login is tried with the first request" : "answers";
    }
}

// The CA's own part, told once. False where there is no use in asking on.
static bool say_ca(struct ca_check *check, const struct ca_report *report) {
    const struct ca_settings *settings = &check->ca->settings;
    bool has_server = settings->url != NULL && settings->url[0] != '\0';
    note_clock(check->doctor, report->clock_offset_ms);
    say_station_certificate(check, report->station_certificate_not_after_ms);
    if (!report->reachable || !report->logged_in) {
        say_error(check, report, report->reachable ? "no login" : "no answer");
        return false;
    }
    if (report->behind[0] != '\0') {
        doctor_ok(check->doctor, check->subject, "%s: answers, and passes requests on to %s%s",
                  settings->backend, report->behind, name_login_behind(report));
    } else {
        doctor_ok(check->doctor, check->subject, "%s: %s", settings->backend,
                  name_login(report, has_server));
    }
    say_quota(check, report->quota);
    say_chain(check, report);
    say_public(check, report);
    return true;
}

static void say_profile(struct ca_check *check, const struct ca_report *report) {
    char subject[PROFILE_NAME_SIZE + 16];
    snprintf(subject, sizeof subject, "profile %s", check->view->profiles[check->profile].name);
    if (!report->policy_fits) {
        struct error error = report->error;
        if (error.code == ERROR_NONE) {
            error_set(&error, E_CA_POLICY, "the CA's policy does not fit");
        }
        doctor_fault(check->doctor, subject, &error);
        return;
    }
    doctor_ok(check->doctor, subject, "fits the policy of CA %s", check->ca->name);
    if (report->remark[0] != '\0') {
        doctor_warn(check->doctor, subject, "ask the CA's administrator", "%s", report->remark);
    }
    if (report->error.code == ERROR_NONE || report->error.code == E_CA_QUOTA) {
        return; // the quota has its own line
    }
    if (error_code_class(report->error.code) == ERROR_CLASS_RETRY) {
        doctor_warn_error(check->doctor, check->subject, &report->error);
    } else {
        doctor_fault(check->doctor, check->subject, &report->error);
    }
}

// ---- asking -------------------------------------------------------------------------------------

static void ask(struct ca_check *check) {
    loop_timer_start(check->limit, LIMIT_MS);
    issuer_check(check->issuer, &check->view->profiles[check->profile]);
}

static void handle_report(void *context, const struct config_ca *ca,
                          const struct ca_report *report) {
    struct ca_check *check = context;
    (void)ca;
    if (check->profile == 0 ? !say_ca(check, report) : !report->logged_in) {
        loop_stop(check->loop);
        return;
    }
    say_profile(check, report);
    check->profile++;
    if (check->profile == check->view->profile_count) {
        loop_stop(check->loop);
    } else {
        ask(check);
    }
}

static void handle_limit(void *context) {
    struct ca_check *check = context;
    struct error error;
    error_set(&error, E_CA_UNREACHABLE, "no answer in %d s", LIMIT_MS / 1000);
    doctor_fault(check->doctor, check->subject, &error);
    loop_stop(check->loop);
}

static bool open_ca(struct ca_check *check, struct error *error) {
    check->view = config_view(check->doctor->config, check->ca->name);
    if (check->view == NULL) {
        return error_set(error, E_MEMORY, "no memory for a check");
    }
    if (!loop_new(&check->loop, error)) {
        return false;
    }
    check->limit = loop_timer_new(check->loop, handle_limit, check);
    if (check->limit == NULL) {
        return error_set(error, E_MEMORY, "no memory for a check");
    }
    return issuer_new(check->loop, check->view, handle_report, check, &check->issuer, error);
}

struct secret {
    const char *key;
    const char *path;
};

static bool fault_secret(struct ca_check *check, const struct secret *secret, struct error *error) {
    error_prefix(error, "%s", secret->key);
    doctor_fault(check->doctor, check->subject, error);
    return false;
}

// Finding out that the token takes the PIN is to log in; it is not asked again after a no.
static bool check_token(struct ca_check *check, const struct secret *secret) {
    struct error error;
    struct key *key = NULL;
    if (check->doctor->pin_refused) {
        doctor_warn(check->doctor, check->subject, "correct that PIN first",
                    "%s: its token was not asked, for a token refused a PIN", secret->key);
        return false;
    }
    if (!key_load(secret->path, &key, &error)) {
        check->doctor->pin_refused = error.code == E_KEY_PIN;
        return fault_secret(check, secret, &error);
    }
    doctor_ok(check->doctor, check->subject, "%s: %s: found, and logged in", secret->key,
              key_text(key));
    key_free(key);
    return true;
}

static bool check_secret(struct ca_check *check, const struct secret *secret) {
    struct error error;
    char file[KEY_NAME_MAX];
    bool is_uri = key_is_uri(secret->path);
    if (!key_check_file(secret->path, file, sizeof file, &error)) {
        return fault_secret(check, secret, &error);
    }
    if (file[0] != '\0') {
        doctor_ok(check->doctor, check->subject, "%s: %s%s: private", secret->key,
                  is_uri ? "the PIN in " : "", file);
    }
    return !is_uri || check_token(check, secret);
}

static bool check_secrets(struct ca_check *check) {
    const struct ca_settings *settings = &check->ca->settings;
    const struct secret secrets[] = {
        {"client_key_file", settings->client_key_file},
        {"password_file", settings->password_file},
        {"token_file", settings->token_file},
        {"signing_key_file", settings->signing_key_file},
        {"api_key_file", settings->api_key_file},
        {"api_secret_file", settings->api_secret_file},
        {"ca_key_file", settings->ca_key_file},
    };
    bool all_good = true;
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        if (secrets[i].path != NULL && secrets[i].path[0] != '\0') {
            all_good = check_secret(check, &secrets[i]) && all_good;
        }
    }
    return all_good;
}

void doctor_check_ca(struct doctor *doctor, const struct config_ca *ca) {
    struct ca_check check = {.doctor = doctor, .ca = ca};
    struct error error;
    snprintf(check.subject, sizeof check.subject, "CA %s", ca->name);
    if (!check_secrets(&check)) {
        doctor_warn(doctor, check.subject, "correct its private files and keys first", "not asked");
        return;
    }
    if (open_ca(&check, &error)) {
        ask(&check);
        loop_run(check.loop);
    } else {
        doctor_fault(doctor, check.subject, &error);
    }
    issuer_free(check.issuer);
    loop_timer_free(check.limit);
    loop_free(check.loop);
    free(check.view);
}

void doctor_check_cas(struct doctor *doctor) {
    const struct config *config = doctor->config;
    for (size_t i = 0; i < config->ca_count; i++) {
        if (config_count_profiles(config, config->cas[i].name) > 0) {
            doctor_check_ca(doctor, &config->cas[i]);
        }
    }
}
