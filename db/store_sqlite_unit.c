// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/random.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

// What is on record of a unit that is admitted again.
struct known_unit {
    bool names_are_used; // the model and the hardware id are in the names of a request
    char model[NAME_SIZE];
    uint8_t hardware_id[HARDWARE_ID_MAX];
    size_t hardware_id_length;
};

static bool find_unit(struct change *change, struct known_unit *known, struct error *error) {
    struct unit_record *unit = &change->answer->unit;
    bool found;
    *known = (struct known_unit){0};
    struct query query = query_begin(change->store, SQL_UNIT_BY_SERIAL);
    query_bind_text(&query, unit->serial);
    if (!query_row(&query, &found, error)) {
        return false;
    }
    unit->is_new = !found;
    unit->board = 1;
    if (found) {
        unit->unit_id = query_integer(&query, 0);
        unit->result = query_choice(&query, 1, UNIT_SCRAPPED, UNIT_FAILED);
        query_text(&query, 2, known->model, sizeof known->model);
        known->hardware_id_length =
            query_blob(&query, 3, known->hardware_id, sizeof known->hardware_id);
        known->names_are_used = query_integer(&query, 4) != 0;
        unit->board = (uint32_t)query_integer(&query, 5);
        query_end(&query);
    }
    return true;
}

static bool read_credentials(struct change *change, struct error *error) {
    struct unit_record *unit = &change->answer->unit;
    struct query query = query_begin(change->store, SQL_UNIT_CREDENTIALS);
    query_bind_integer(&query, unit->unit_id);
    unit->credential_count = 0;
    for (;;) {
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        if (unit->credential_count == UNIT_CREDENTIALS_MAX) {
            query_end(&query);
            return error_set(error, E_STORE_CORRUPT, "%s: %s has more than %d credentials",
                             change->store->name, unit->serial, UNIT_CREDENTIALS_MAX);
        }
        credential_read(&query, 0, &unit->credentials[unit->credential_count++]);
    }
}

// Any camera can report any serial: what it says otherwise than before is told, believed or not.
static void note_other_names(struct change *change, const struct known_unit *known) {
    const struct admission *admission = &change->record->admission;
    if (admission->model[0] != '\0' && strcmp(admission->model, known->model) != 0) {
        change_note(change, "reports model %s", admission->model);
    }
    struct slice reported = {admission->hardware_id, admission->hardware_id_length};
    struct slice recorded = {known->hardware_id, known->hardware_id_length};
    if (reported.length > 0 && !slice_equal(reported, recorded)) {
        char hex[2 * HARDWARE_ID_MAX + 1];
        hex_encode(hex, reported.data, reported.length);
        change_note(change, "reports hardware id %s", hex);
    }
}

static bool write_unit(struct change *change, const struct known_unit *known, struct error *error) {
    const struct admission *admission = &change->record->admission;
    struct unit_record *unit = &change->answer->unit;
    struct query query =
        query_begin(change->store, unit->is_new ? SQL_UNIT_INSERT : SQL_UNIT_UPDATE);
    if (unit->is_new) {
        query_bind_text(&query, unit->serial);
    } else {
        query_bind_integer(&query, unit->unit_id);
    }
    // Nothing given: what is on record stays. So do lot and label of a unit that passed: it may be
    // back on the bench under a label that is not its own.
    bool has_passed = unit->result == UNIT_PASSED;
    query_bind_text(&query, known->names_are_used ? "" : admission->model);
    query_bind_text(&query, admission->firmware);
    query_bind_text(&query, has_passed ? "" : admission->lot);
    query_bind_text(&query, has_passed ? "" : admission->label);
    query_bind_blob(&query, admission->hardware_id,
                    known->names_are_used ? 0 : admission->hardware_id_length);
    query_bind_blob(&query, admission->boot_id, BOOT_ID_SIZE);
    if (!query_run(&query, error)) {
        return false;
    }
    if (unit->is_new) {
        unit->unit_id = sqlite3_last_insert_rowid(change->store->connection);
    }
    return true;
}

static bool insert_credential(struct change *change, size_t wanted, struct error *error) {
    const struct admission *admission = &change->record->admission;
    uint8_t job_id[JOB_ID_SIZE];
    if (getrandom(job_id, sizeof job_id, 0) != (ssize_t)sizeof job_id) {
        return error_set(error, E_SYSTEM, "getrandom: %m");
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_INSERT);
    query_bind_integer(&query, change->answer->unit.unit_id);
    query_bind_integer(&query, admission->wanted[wanted].number);
    query_bind_integer(&query, admission->wanted[wanted].key_type);
    query_bind_text(&query, admission->wanted[wanted].profile);
    query_bind_blob(&query, job_id, sizeof job_id);
    return query_run(&query, error);
}

// A credential without a key is made as the profiles now say. With one, the record stays.
static bool update_credential(struct change *change, size_t wanted, bool was_wanted,
                              const struct credential_record *credential, struct error *error) {
    const struct admission *admission = &change->record->admission;
    bool is_same = credential->has_key ||
                   (credential->key_type == admission->wanted[wanted].key_type &&
                    strcmp(credential->profile, admission->wanted[wanted].profile) == 0);
    if (is_same && was_wanted) {
        return true;
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_WANTED);
    query_bind_integer(&query, credential->credential_id);
    query_bind_integer(&query, is_same ? credential->key_type : admission->wanted[wanted].key_type);
    query_bind_text(&query, is_same ? credential->profile : admission->wanted[wanted].profile);
    return query_run(&query, error);
}

static bool write_credential(struct change *change, size_t wanted, struct error *error) {
    struct query query = query_begin(change->store, SQL_CREDENTIAL_BY_NUMBER);
    query_bind_integer(&query, change->answer->unit.unit_id);
    query_bind_integer(&query, change->record->admission.wanted[wanted].number);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (!found) {
        return insert_credential(change, wanted, error);
    }
    bool was_wanted = query_integer(&query, 0) != 0;
    struct credential_record credential;
    credential_read(&query, 1, &credential);
    query_end(&query);
    return update_credential(change, wanted, was_wanted, &credential, error);
}

// Lets go of the credentials that the admission does not name; those that nothing was made for yet
// go altogether, so that one start with a wrong number leaves nothing behind.
static bool unwant_others(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    struct query unwant = query_begin(change->store, SQL_UNIT_UNWANT);
    query_bind_integer(&unwant, change->answer->unit.unit_id);
    for (size_t i = 0; i < UNIT_CREDENTIALS_MAX; i++) {
        // No credential has the number 0.
        query_bind_integer(&unwant, i < admission->wanted_count ? admission->wanted[i].number : 0);
    }
    if (!query_run(&unwant, error)) {
        return false;
    }
    struct query prune = query_begin(change->store, SQL_UNIT_PRUNE);
    query_bind_integer(&prune, change->answer->unit.unit_id);
    return query_run(&prune, error);
}

static bool write_credentials(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    for (size_t i = 0; i < admission->wanted_count; i++) {
        if (!write_credential(change, i, error)) {
            return false;
        }
    }
    return admission->wanted_count == 0 || change->answer->unit.is_new ||
           unwant_others(change, error);
}

static bool write_result(struct change *change, enum unit_result result, enum error_code code,
                         struct error *error) {
    struct query query = query_begin(change->store, SQL_UNIT_RESULT);
    query_bind_integer(&query, change->unit_id);
    query_bind_integer(&query, result);
    query_bind_error(&query, code);
    return query_run(&query, error);
}

// The old board may be back in its camera, or another camera may have been given it.
static bool find_old_keys(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    struct unit_record *unit = &change->answer->unit;
    for (size_t i = 0; i < admission->wanted_count && unit->board > 1; i++) {
        if (!admission->wanted[i].has_key) {
            continue;
        }
        struct query query = query_begin(change->store, SQL_UNIT_OLD_KEY);
        query_bind_integer(&query, unit->unit_id);
        query_bind_blob(&query, admission->wanted[i].spki_sha256, SHA256_SIZE);
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (found) {
            query_end(&query);
        }
        for (uint32_t j = 0; j < unit->credential_count; j++) {
            bool is_it = unit->credentials[j].number == admission->wanted[i].number;
            unit->credentials[j].has_old_key |= is_it && found;
        }
    }
    return true;
}

// A unit that passed did so with what was wanted then.
static bool reopen_where_due(struct change *change, struct error *error) {
    struct unit_record *unit = &change->answer->unit;
    if (unit->result != UNIT_PASSED) {
        return true;
    }
    for (size_t i = 0; i < unit->credential_count; i++) {
        if (unit->credentials[i].install != INSTALL_PROVED) {
            unit->result = UNIT_OPEN;
            change_note(change, "credential %d is wanted now", unit->credentials[i].number);
        }
    }
    if (unit->result == UNIT_PASSED) {
        return true;
    }
    change->state = ADMISSION_REOPENED;
    return write_result(change, UNIT_OPEN, ERROR_NONE, error);
}

static bool admission_is_sound(const struct admission *admission) {
    if (admission->serial[0] == '\0' || admission->wanted_count > UNIT_CREDENTIALS_MAX ||
        admission->hardware_id_length > HARDWARE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < admission->wanted_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (admission->wanted[i].number == admission->wanted[j].number) {
                return false;
            }
        }
        if (admission->wanted[i].number == 0) {
            return false;
        }
    }
    return true;
}

bool change_admit(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    struct unit_record *unit = &change->answer->unit;
    if (!admission_is_sound(admission)) {
        return change_refuse(change, E_STORE_CONFLICT, "the admission contradicts itself");
    }
    memcpy(unit->serial, admission->serial, sizeof unit->serial);
    struct known_unit known;
    if (!find_unit(change, &known, error)) {
        return false;
    }
    change->state = unit->is_new ? ADMISSION_NEW : ADMISSION_KNOWN;
    if (!unit->is_new) {
        note_other_names(change, &known);
    }
    if (unit->result == UNIT_SCRAPPED) {
        change->unit_id = unit->unit_id;
        return read_credentials(change, error); // that it came is history, and nothing else
    }
    if (!write_unit(change, &known, error) || !write_credentials(change, error)) {
        return false;
    }
    change->unit_id = unit->unit_id;
    return read_credentials(change, error) && find_old_keys(change, error) &&
           reopen_where_due(change, error);
}

bool change_result(struct change *change, struct error *error) {
    const struct record *record = change->record;
    if (record->result == UNIT_PASSED) {
        struct query unproved = query_begin(change->store, SQL_UNIT_UNPROVED);
        query_bind_integer(&unproved, change->unit_id);
        bool found;
        if (!query_row(&unproved, &found, error)) {
            return false;
        }
        int64_t all = query_integer(&unproved, 0);
        int64_t open = query_integer(&unproved, 1);
        query_end(&unproved);
        if (all == 0 || open > 0 || record->error != ERROR_NONE) {
            return change_refuse(change, E_STORE_CONFLICT,
                                 "%s cannot pass: %lld of its %lld credentials are not proved",
                                 change->serial, (long long)open, (long long)all);
        }
    }
    change->state = record->result;
    return write_result(change, record->result, record->error, error);
}
