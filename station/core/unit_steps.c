// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <string.h>

#include "station/core/unit_internal.h"

// ---- coming and going ---------------------------------------------------------------------------

static bool fits_name(const char *text) {
    return strlen(text) < NAME_SIZE;
}

static void fill_admission(const struct unit *unit, struct admission *admission) {
    const struct message_info *info = &unit->info;
    // Lengths were checked; model and firmware are for people, so they are escaped to fit.
    memcpy(admission->serial, info->serial, strlen(info->serial) + 1);
    text_escape(admission->model, sizeof admission->model, info->model, strlen(info->model));
    text_escape(admission->firmware, sizeof admission->firmware, info->firmware,
                strlen(info->firmware));
    memcpy(admission->hardware_id, info->hardware_id, info->hardware_id_length);
    admission->hardware_id_length = info->hardware_id_length;
    memcpy(admission->boot_id, info->boot_id, BOOT_ID_SIZE);
    memcpy(admission->lot, unit->lot, sizeof admission->lot);
    memcpy(admission->label, unit->label, sizeof admission->label);
    admission->wanted_count = unit->policy->wanted_count;
    for (uint32_t i = 0; i < admission->wanted_count; i++) {
        admission->wanted[i].number = unit->policy->wanted[i].number;
        admission->wanted[i].key_type = unit->policy->wanted[i].key_type;
        memcpy(admission->wanted[i].profile, unit->policy->wanted[i].profile, NAME_SIZE);
        const struct message_credential *seen =
            unit_find_camera_credential(info, admission->wanted[i].number);
        if (seen != NULL && seen->has_key) {
            admission->wanted[i].has_key = true;
            memcpy(admission->wanted[i].spki_sha256, seen->spki_sha256, SHA256_SIZE);
        }
    }
}

enum unit_state unit_on_found(struct unit *unit, const struct unit_event *event,
                              struct unit_output *output) {
    unit->info = *event->info;
    unit->verdict = UNIT_NO_VERDICT;
    unit->error = (struct error){0};
    unit->proved = 0;
    memset(&unit->record, 0, sizeof unit->record);
    if (!text_is_label(unit->info.serial) || strlen(unit->info.serial) >= SERIAL_SIZE) {
        return unit_fail_text(unit, event, output, E_CAM_SERIAL,
                              "the camera reports the serial \"%s\"", unit->info.serial);
    }
    if (!fits_name(unit->info.model)) {
        return unit_fail_text(unit, event, output, E_CAM_MALFORMED,
                              "the camera's model name is longer than %d bytes", NAME_SIZE - 1);
    }
    struct record *record = unit_put_record(unit, event, output, RECORD_ADMIT);
    fill_admission(unit, &record->admission);
    return UNIT_ADMITTING;
}

enum unit_state unit_on_left(struct unit *unit, const struct unit_event *event,
                             struct unit_output *output) {
    (void)event;
    memset(&unit->record, 0, sizeof unit->record);
    output->action = UNIT_ACT_PROBE;
    return UNIT_EMPTY;
}

// Nothing is lost: when it comes back, in whatever slot, the record says where it was.
enum unit_state unit_on_left_midway(struct unit *unit, const struct unit_event *event,
                                    struct unit_output *output) {
    if (unit->record.unit_id != 0) {
        struct record *record = unit_put_record(unit, event, output, RECORD_EVENT);
        record->error = event->error.code;
        memcpy(record->text, event->error.text, sizeof record->text);
    }
    return unit_on_left(unit, event, output);
}

// ---- admission, key, CSR ------------------------------------------------------------------------

// A refusal was the end of an earlier run; who plugs the camera in again wants it asked again, and
// a definite no has issued nothing.
static void revive_refused(struct unit *unit, const struct unit_event *event,
                           struct unit_output *output) {
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        struct credential_record *credential = &unit->record.credentials[i];
        if (credential->request != REQUEST_REFUSED) {
            continue;
        }
        credential->request = REQUEST_QUEUED;
        struct record *record = unit_put_record(unit, event, output, RECORD_REQUEST);
        record->credential_id = credential->credential_id;
        record->request = REQUEST_QUEUED;
    }
}

enum unit_state unit_on_admitted(struct unit *unit, const struct unit_event *event,
                                 struct unit_output *output) {
    struct error error;
    unit->record = *event->unit;
    if (!unit_check_camera(unit, &error)) {
        return unit_fail(unit, event, output, &error);
    }
    revive_refused(unit, event, output);
    return unit_plan(unit, event, output);
}

enum unit_state unit_on_key(struct unit *unit, const struct unit_event *event,
                            struct unit_output *output) {
    struct credential_record *credential = unit_current(unit);
    credential->has_key = true;
    memcpy(credential->spki_sha256, event->spki_sha256, SHA256_SIZE);
    struct record *record = unit_put_record(unit, event, output, RECORD_KEY);
    record->credential_id = credential->credential_id;
    memcpy(record->spki_sha256, event->spki_sha256, SHA256_SIZE);
    unit->tries = 0;
    output->action = UNIT_ACT_FETCH_CSR;
    return UNIT_FETCHING_CSR;
}

static bool check_csr(struct unit *unit, const struct unit_csr *csr, struct error *error) {
    const struct credential_record *credential = unit_current(unit);
    if (csr->error.code != ERROR_NONE) {
        *error = csr->error;
        return false;
    }
    if (memcmp(csr->spki_sha256, credential->spki_sha256, SHA256_SIZE) != 0) {
        return error_set(error, E_CSR_KEY, "credential %u: the CSR is for another key",
                         credential->number);
    }
    if (csr->key_type != credential->key_type) {
        return error_set(error, E_CSR_KEY_TYPE, "credential %u: the CSR's key is %s, wanted is %s",
                         credential->number, key_type_name((enum key_type)csr->key_type),
                         key_type_name((enum key_type)credential->key_type));
    }
    if (strcmp(csr->subject_serial, unit->record.serial) != 0) {
        return error_set(error, E_CSR_SUBJECT,
                         "credential %u: the CSR names \"%s\", the camera is %s",
                         credential->number, csr->subject_serial, unit->record.serial);
    }
    return true;
}

enum unit_state unit_on_csr(struct unit *unit, const struct unit_event *event,
                            struct unit_output *output) {
    struct error error;
    struct credential_record *credential = unit_current(unit);
    if (!check_csr(unit, event->csr, &error)) {
        return unit_fail(unit, event, output, &error);
    }
    credential->request = REQUEST_QUEUED;
    struct record *record = unit_put_record(unit, event, output, RECORD_CSR);
    record->credential_id = credential->credential_id;
    memcpy(record->spki_sha256, event->csr->spki_sha256, SHA256_SIZE);
    record->bytes = event->csr->der;
    return unit_plan(unit, event, output);
}

// ---- the CA -------------------------------------------------------------------------------------

// NULL where nothing is awaited from the CA: what was issued, or never asked for, stays so.
static struct credential_record *find_awaited(struct unit *unit, int64_t credential_id) {
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        struct credential_record *credential = &unit->record.credentials[i];
        if (credential->credential_id == credential_id) {
            return request_is_pending(credential->request) ? credential : NULL;
        }
    }
    return NULL;
}

enum unit_state unit_on_issued_early(struct unit *unit, const struct unit_event *event,
                                     struct unit_output *output) {
    (void)output;
    struct credential_record *credential = find_awaited(unit, event->credential_id);
    if (credential != NULL) {
        credential->request = event->request;
        credential->error = event->error.code;
    }
    return unit->state;
}

enum unit_state unit_on_issued(struct unit *unit, const struct unit_event *event,
                               struct unit_output *output) {
    unit_on_issued_early(unit, event, output);
    return unit_plan(unit, event, output);
}

enum unit_state unit_on_unavailable(struct unit *unit, const struct unit_event *event,
                                    struct unit_output *output) {
    if (find_awaited(unit, event->credential_id) == NULL) {
        return unit->state;
    }
    unit_on_issued_early(unit, event, output);
    return unit_fail(unit, event, output, &event->error);
}

// ---- the certificate on its way to the camera ---------------------------------------------------

enum unit_state unit_on_certificate(struct unit *unit, const struct unit_event *event,
                                    struct unit_output *output) {
    const struct certificate_record *certificate = event->certificate;
    const struct credential_record *credential = unit_current(unit);
    size_t length = certificate->chain.length;
    if (memcmp(certificate->spki_sha256, credential->spki_sha256, SHA256_SIZE) != 0 ||
        length == 0 || length > sizeof unit->chain) {
        return unit_fail_text(unit, event, output, E_STORE_CONFLICT,
                              "credential %u: the certificate on record is for another key",
                              credential->number);
    }
    memcpy(unit->chain, certificate->chain.data, length);
    unit->chain_length = length;
    output->action = UNIT_ACT_CONFIRM;
    return UNIT_CONFIRMING;
}

static enum unit_state start_installing(struct unit *unit, const struct unit_event *event,
                                        struct unit_output *output) {
    if (unit->info.lifecycle == LIFECYCLE_LOCKED) {
        return unit_fail_text(unit, event, output, E_CAM_LOCKED,
                              "credential %u: the camera was locked before its certificate came",
                              unit_current(unit)->number);
    }
    struct record *record = unit_put_record(unit, event, output, RECORD_INSTALL);
    unit_current(unit)->install = INSTALL_STARTED;
    record->credential_id = unit_current(unit)->credential_id;
    record->install = INSTALL_STARTED;
    unit->installed_now = true;
    output->action = UNIT_ACT_INSTALL;
    output->hold = true;
    return UNIT_INSTALLING;
}

// I3: the last look before the certificate goes in. The camera may have been exchanged or wiped
// since its CSR was read.
enum unit_state unit_on_confirmed(struct unit *unit, const struct unit_event *event,
                                  struct unit_output *output) {
    struct error error;
    if (strcmp(event->info->serial, unit->record.serial) != 0) {
        return unit_fail_text(unit, event, output, E_CAM_SWAPPED, "the camera is now %s, not %s",
                              event->info->serial, unit->record.serial);
    }
    unit->info = *event->info;
    if (!unit_check_camera(unit, &error)) {
        return unit_fail(unit, event, output, &error);
    }
    const struct message_credential *seen =
        unit_find_camera_credential(&unit->info, unit_current(unit)->number);
    if (seen != NULL && seen->state == CREDENTIAL_INSTALLED) {
        output->action = UNIT_ACT_READ_BACK;
        return UNIT_READING_BACK;
    }
    return start_installing(unit, event, output);
}

enum unit_state unit_on_installed(struct unit *unit, const struct unit_event *event,
                                  struct unit_output *output) {
    (void)unit;
    (void)event;
    output->action = UNIT_ACT_READ_BACK;
    return UNIT_READING_BACK;
}

static void put_install(struct unit *unit, const struct unit_event *event,
                        struct unit_output *output, enum install_state install) {
    struct credential_record *credential = unit_current(unit);
    if (credential->install >= install) {
        return; // proved before: that it is so again changes no record
    }
    credential->install = install;
    struct record *record = unit_put_record(unit, event, output, RECORD_INSTALL);
    record->credential_id = credential->credential_id;
    record->install = install;
}

enum unit_state unit_on_read_back(struct unit *unit, const struct unit_event *event,
                                  struct unit_output *output) {
    struct slice wanted = {unit->chain, unit->chain_length};
    if (slice_equal(event->bytes, wanted)) {
        put_install(unit, event, output, INSTALL_DONE);
        output->action = UNIT_ACT_PROVE;
        return UNIT_PROVING;
    }
    if (!unit->installed_now || unit->tries++ < unit->policy->retries) {
        return start_installing(unit, event, output);
    }
    return unit_fail_text(unit, event, output, E_CAM_READBACK,
                          "credential %u: %zu bytes came back, not the %zu that were installed",
                          unit_current(unit)->number, event->bytes.length, unit->chain_length);
}

enum unit_state unit_on_proof(struct unit *unit, const struct unit_event *event,
                              struct unit_output *output) {
    if (event->error.code != ERROR_NONE) {
        return unit_fail(unit, event, output, &event->error);
    }
    unit->proved |= 1U << unit->current;
    put_install(unit, event, output, INSTALL_PROVED);
    return unit_plan(unit, event, output);
}

enum unit_state unit_on_finished(struct unit *unit, const struct unit_event *event,
                                 struct unit_output *output) {
    uint8_t wanted = unit->policy->lock ? LIFECYCLE_LOCKED : LIFECYCLE_PROVISIONED;
    if (event->lifecycle < wanted || event->lifecycle > LIFECYCLE_LOCKED) {
        return unit_fail_text(unit, event, output, E_CAM_LIFECYCLE,
                              "the camera reports lifecycle %u, wanted is %u", event->lifecycle,
                              wanted);
    }
    bool already = unit->record.result == UNIT_PASSED;
    struct record *record =
        unit_put_record(unit, event, output, already ? RECORD_EVENT : RECORD_RESULT);
    record->result = UNIT_PASSED;
    if (already) {
        static const char text[] = "already provisioned; read back and proved again";
        memcpy(record->text, text, sizeof text);
    }
    unit->verdict = already ? UNIT_ALREADY : UNIT_PASS;
    return UNIT_RECORDING;
}

// I5: only now may the result be shown.
enum unit_state unit_on_stored(struct unit *unit, const struct unit_event *event,
                               struct unit_output *output) {
    (void)event;
    if (unit->verdict == UNIT_PASS) {
        unit->record.result = UNIT_PASSED;
    }
    output->action = UNIT_ACT_WATCH;
    return UNIT_DONE;
}

// ---- what goes wrong ----------------------------------------------------------------------------

static enum error_code code_of_refusal(enum camera_error camera_error) {
    switch (camera_error) {
    case CAMERA_LOCKED:
        return E_CAM_LOCKED;
    case CAMERA_STORAGE:
        return E_CAM_STORAGE;
    case CAMERA_ENTROPY:
        return E_CAM_ENTROPY;
    case CAMERA_UNSUPPORTED_KEY:
        return E_CAM_KEY_TYPE;
    case CAMERA_NO_CREDENTIAL:
        return E_CAM_CREDENTIAL;
    case CAMERA_EXISTS:
        return E_UNIT_FOREIGN_KEY;
    case CAMERA_KEY_MISMATCH:
        return E_UNIT_KEY_CHANGED;
    default:
        return E_CAM_REFUSED;
    }
}

static bool refusal_may_pass(enum camera_error camera_error) {
    return camera_error == CAMERA_STORAGE || camera_error == CAMERA_ENTROPY ||
           camera_error == CAMERA_INTERNAL || camera_error == CAMERA_BUSY;
}

static enum unit_action action_of_state(enum unit_state state) {
    static const enum unit_action actions[UNIT_STATE_COUNT] = {
        [UNIT_GENERATING] = UNIT_ACT_GENERATE, [UNIT_FETCHING_CSR] = UNIT_ACT_FETCH_CSR,
        [UNIT_WAITING] = UNIT_ACT_WATCH,       [UNIT_CONFIRMING] = UNIT_ACT_CONFIRM,
        [UNIT_INSTALLING] = UNIT_ACT_INSTALL,  [UNIT_READING_BACK] = UNIT_ACT_READ_BACK,
        [UNIT_PROVING] = UNIT_ACT_PROVE,       [UNIT_LOCKING] = UNIT_ACT_FINISH,
    };
    return actions[state];
}

enum unit_state unit_on_refused(struct unit *unit, const struct unit_event *event,
                                struct unit_output *output) {
    if (refusal_may_pass(event->camera_error) && unit->tries++ < unit->policy->retries) {
        output->action = action_of_state(unit->state);
        return unit->state;
    }
    struct error error = event->error; // its text is escaped already
    error.code = code_of_refusal(event->camera_error);
    error_prefix(&error, "%s: the camera says %s", unit_state_name(unit->state),
                 camera_error_name(event->camera_error));
    return unit_fail(unit, event, output, &error);
}

// Another camera in the slot is no fault of the one that was there: its unit is parked, not failed.
enum unit_state unit_on_failed(struct unit *unit, const struct unit_event *event,
                               struct unit_output *output) {
    if (event->error.code == E_CAM_SWAPPED) {
        return unit_on_left_midway(unit, event, output);
    }
    return unit_fail(unit, event, output, &event->error);
}

enum unit_state unit_on_failed_early(struct unit *unit, const struct unit_event *event,
                                     struct unit_output *output) {
    memset(&unit->record, 0, sizeof unit->record);
    unit->info.serial[0] = '\0';
    return unit_fail(unit, event, output, &event->error);
}

enum unit_state unit_on_refused_early(struct unit *unit, const struct unit_event *event,
                                      struct unit_output *output) {
    struct error error = event->error;
    error_prefix(&error, "the camera does not say what it is: %s",
                 camera_error_name(event->camera_error));
    return unit_fail(unit, event, output, &error);
}

// The result stands, whatever the camera says now; but another camera is a new unit.
enum unit_state unit_on_failed_done(struct unit *unit, const struct unit_event *event,
                                    struct unit_output *output) {
    if (event->error.code == E_CAM_SWAPPED) {
        return unit_on_left(unit, event, output);
    }
    output->action = UNIT_ACT_WATCH;
    return UNIT_DONE;
}

enum unit_state unit_on_conflict(struct unit *unit, const struct unit_event *event,
                                 struct unit_output *output) {
    return unit_fail(unit, event, output, &event->error);
}

enum unit_state unit_on_conflict_recording(struct unit *unit, const struct unit_event *event,
                                           struct unit_output *output) {
    unit->verdict = UNIT_FAIL;
    unit->error = event->error;
    output->action = UNIT_ACT_WATCH;
    return UNIT_DONE;
}
