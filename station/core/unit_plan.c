// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "station/core/unit_internal.h"

static bool wants_replacing(const struct unit *unit, uint8_t number) {
    for (uint32_t i = 0; i < unit->policy->wanted_count; i++) {
        if (unit->policy->wanted[i].number == number) {
            return unit->policy->wanted[i].replace_foreign_key;
        }
    }
    return false;
}

static bool same_key(const struct message_credential *seen, const uint8_t spki[SHA256_SIZE]) {
    return seen->has_key && memcmp(seen->spki_sha256, spki, SHA256_SIZE) == 0;
}

static bool same_job(const struct message_credential *seen,
                     const struct credential_record *credential) {
    return memcmp(seen->job_id, credential->job_id, JOB_ID_SIZE) == 0;
}

// A key of another job, for a credential that this database has asked nothing for yet.
static bool check_foreign_key(const struct unit *unit, const struct message_credential *seen,
                              struct error *error) {
    if (seen->state == CREDENTIAL_INSTALLED || unit->info.lifecycle >= LIFECYCLE_PROVISIONED) {
        return error_set(error, E_UNIT_FOREIGN,
                         "credential %u holds a certificate that is not on record", seen->number);
    }
    if (!wants_replacing(unit, seen->number)) {
        return error_set(error, E_UNIT_FOREIGN_KEY, "credential %u holds a key of another job",
                         seen->number);
    }
    return true;
}

static bool is_configured(const struct unit *unit, const char *profile) {
    for (uint32_t i = 0; i < unit->policy->wanted_count; i++) {
        if (strcmp(unit->policy->wanted[i].profile, profile) == 0) {
            return true;
        }
    }
    return false;
}

// What the CA was asked for, or is about to be.
static bool check_requested(const struct credential_record *credential,
                            const struct message_credential *seen, struct error *error) {
    if (!same_key(seen, credential->spki_sha256)) {
        return error_set(error, E_UNIT_KEY_CHANGED,
                         "credential %u holds %s key, not the one that its request was made for",
                         credential->number, seen->has_key ? "another" : "no");
    }
    // The store is older than the camera: to ask the CA, once more, would buy a second certificate.
    return seen->state != CREDENTIAL_INSTALLED || credential->request == REQUEST_ISSUED ||
           error_set(error, E_UNIT_FOREIGN,
                     "credential %u holds a certificate that is not on record", seen->number);
}

// Without its profile nobody asks the CA, and the unit would wait for ever.
static bool check_profile(const struct unit *unit, const struct credential_record *credential,
                          struct error *error) {
    bool needs_ca = credential->request == REQUEST_NONE ||
                    request_is_pending(credential->request) ||
                    credential->request == REQUEST_REFUSED;
    if (needs_ca && !is_configured(unit, credential->profile)) {
        return error_set(error, E_CONFIG,
                         "credential %u is of profile %s, which is not in the configuration",
                         credential->number, credential->profile);
    }
    return true;
}

static bool check_credential(const struct unit *unit, const struct credential_record *credential,
                             struct error *error) {
    const struct message_credential *seen =
        unit_find_camera_credential(&unit->info, credential->number);
    if (seen == NULL) {
        return error_set(error, E_CAM_CREDENTIAL, "the camera has no credential %u",
                         credential->number);
    }
    if (credential->has_old_key) {
        return error_set(error, E_UNIT_KEY_CHANGED,
                         "credential %u holds the key of the board that was swapped at rework",
                         credential->number);
    }
    if (credential->request == REQUEST_WITHDRAWN) {
        return error_set(error, E_UNIT_REVOKED, "credential %u: its certificate is out of use",
                         credential->number);
    }
    if (credential->request != REQUEST_NONE) {
        return check_requested(credential, seen, error);
    }
    // A certificate for our own job that was never asked for: the store is older than the camera.
    if (seen->state == CREDENTIAL_INSTALLED || (seen->has_key && !same_job(seen, credential))) {
        return check_foreign_key(unit, seen, error);
    }
    if (unit->info.lifecycle == LIFECYCLE_LOCKED) {
        return error_set(error, E_CAM_LOCKED, "the camera is locked and has no certificate");
    }
    return true;
}

static bool check_key_types(const struct unit *unit, struct error *error) {
    const struct unit_policy *policy = unit->policy;
    for (uint32_t i = 0; i < policy->wanted_count; i++) {
        bool known = unit->info.key_type_count > 0 &&
                     memchr(unit->info.key_types, policy->wanted[i].key_type,
                            unit->info.key_type_count) != NULL;
        if (!known) {
            return error_set(error, E_CAM_KEY_TYPE, "the camera makes no %s keys",
                             key_type_name((enum key_type)policy->wanted[i].key_type));
        }
    }
    return true;
}

bool unit_check_camera(const struct unit *unit, struct error *error) {
    if (unit->label[0] != '\0' && strcmp(unit->label, unit->info.serial) != 0) {
        return error_set(error, E_CAM_LABEL, "the label says %s, the camera says %s", unit->label,
                         unit->info.serial);
    }
    if (unit->record.result == UNIT_SCRAPPED) {
        return error_set(error, E_UNIT_SCRAPPED, "%s was scrapped, and stays so",
                         unit->record.serial);
    }
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        const struct credential_record *credential = &unit->record.credentials[i];
        if (!check_credential(unit, credential, error) || !check_profile(unit, credential, error)) {
            return false;
        }
    }
    return unit->record.result == UNIT_PASSED || check_key_types(unit, error);
}

static enum unit_state start_generating(struct unit *unit, uint32_t index,
                                        struct unit_output *output) {
    const struct credential_record *credential = &unit->record.credentials[index];
    const struct message_credential *seen =
        unit_find_camera_credential(&unit->info, credential->number);
    unit->current = index;
    unit->tries = 0;
    unit->replace_key = seen != NULL && seen->has_key && !same_job(seen, credential);
    output->action = UNIT_ACT_GENERATE;
    return UNIT_GENERATING;
}

static enum unit_state start_loading(struct unit *unit, uint32_t index,
                                     const struct unit_event *event, struct unit_output *output) {
    unit->current = index;
    unit->tries = 0;
    unit->installed_now = false;
    struct record *record = unit_put_record(unit, event, output, RECORD_LOAD_CERTIFICATE);
    record->credential_id = unit->record.credentials[index].credential_id;
    return UNIT_LOADING;
}

static enum unit_state start_locking(struct unit *unit, const struct unit_event *event,
                                     struct unit_output *output) {
    unit_put_record(unit, event, output, RECORD_LOCKING);
    unit->tries = 0;
    output->action = UNIT_ACT_FINISH;
    output->hold = true;
    return UNIT_LOCKING;
}

// What the CA said no to, or cannot say, is a person's business first.
static bool is_stuck(const struct credential_record *credential) {
    return credential->request == REQUEST_HELD || credential->request == REQUEST_REFUSED ||
           credential->request == REQUEST_QUARANTINED;
}

static enum unit_state fail_stuck(struct unit *unit, const struct credential_record *credential,
                                  const struct unit_event *event, struct unit_output *output) {
    enum error_code code = credential->error;
    if (code == ERROR_NONE) {
        code = credential->request == REQUEST_REFUSED       ? E_CA_REFUSED
               : credential->request == REQUEST_QUARANTINED ? E_UNIT_QUARANTINED
                                                            : E_UNIT_HELD;
    }
    if (code == E_UNIT_HELD || code == E_CERT_UNCONFIRMED) {
        return unit_fail_text(unit, event, output, code,
                              "credential %u: %s; birthcert show %s tells what to ask",
                              credential->number, error_code_meaning(code), unit->record.serial);
    }
    if (code == E_CA_CHANGED) {
        return unit_fail_text(unit, event, output, code,
                              "credential %u: %s; birthcert show %s tells which",
                              credential->number, error_code_meaning(code), unit->record.serial);
    }
    return unit_fail_text(unit, event, output, code, "credential %u: %s", credential->number,
                          error_code_meaning(code));
}

// Keys and CSRs of all credentials first, so that the CA works on all of them at once; then one
// certificate after the other, as they come; then the lock.
enum unit_state unit_plan(struct unit *unit, const struct unit_event *event,
                          struct unit_output *output) {
    struct unit_record *record = &unit->record;
    bool waits = false;
    for (uint32_t i = 0; i < record->credential_count; i++) {
        if (record->credentials[i].request == REQUEST_NONE) {
            return start_generating(unit, i, output);
        }
    }
    for (uint32_t i = 0; i < record->credential_count; i++) {
        const struct credential_record *credential = &record->credentials[i];
        if (is_stuck(credential)) {
            return fail_stuck(unit, credential, event, output);
        }
        if (credential->request == REQUEST_ISSUED && (unit->proved & (1U << i)) == 0) {
            return start_loading(unit, i, event, output);
        }
        waits = waits || credential->request != REQUEST_ISSUED;
    }
    if (waits) {
        output->action = UNIT_ACT_WATCH;
        return UNIT_WAITING;
    }
    return start_locking(unit, event, output);
}
