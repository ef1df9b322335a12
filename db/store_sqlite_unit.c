// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/random.h>

#include "db/store_sqlite.h"

static bool find_unit(struct change *change, bool *found, struct error *error) {
    struct unit_record *unit = &change->answer->unit;
    struct query query = query_begin(change->store, SQL_UNIT_BY_SERIAL);
    query_bind_text(&query, unit->serial);
    if (!query_row(&query, found, error)) {
        return false;
    }
    if (*found) {
        unit->unit_id = query_integer(&query, 0);
        unit->result = query_choice(&query, 1, UNIT_PASSED, UNIT_FAILED);
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

static const struct credential_record *find_number(const struct unit_record *unit, uint8_t number) {
    for (size_t i = 0; i < unit->credential_count; i++) {
        if (unit->credentials[i].number == number) {
            return &unit->credentials[i];
        }
    }
    return NULL;
}

static bool has_room(const struct unit_record *unit, const struct admission *admission) {
    size_t count = unit->credential_count;
    for (size_t i = 0; i < admission->wanted_count; i++) {
        count += find_number(unit, admission->wanted[i].number) == NULL ? 1 : 0;
    }
    return count <= UNIT_CREDENTIALS_MAX;
}

static bool write_unit(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    struct unit_record *unit = &change->answer->unit;
    struct query query =
        query_begin(change->store, unit->is_new ? SQL_UNIT_INSERT : SQL_UNIT_UPDATE);
    if (unit->is_new) {
        query_bind_text(&query, unit->serial);
    } else {
        query_bind_integer(&query, unit->unit_id);
    }
    query_bind_text(&query, admission->model);
    query_bind_text(&query, admission->firmware);
    query_bind_text(&query, admission->lot);
    query_bind_text(&query, admission->label);
    query_bind_blob(&query, admission->hardware_id, admission->hardware_id_length);
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
static bool update_credential(struct change *change, size_t wanted,
                              const struct credential_record *credential, struct error *error) {
    const struct admission *admission = &change->record->admission;
    if (credential->has_key ||
        (credential->key_type == admission->wanted[wanted].key_type &&
         strcmp(credential->profile, admission->wanted[wanted].profile) == 0)) {
        return true;
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_WANTED);
    query_bind_integer(&query, credential->credential_id);
    query_bind_integer(&query, admission->wanted[wanted].key_type);
    query_bind_text(&query, admission->wanted[wanted].profile);
    return query_run(&query, error);
}

static bool write_credentials(struct change *change, struct error *error) {
    const struct admission *admission = &change->record->admission;
    for (size_t i = 0; i < admission->wanted_count; i++) {
        const struct credential_record *credential =
            find_number(&change->answer->unit, admission->wanted[i].number);
        if (credential == NULL ? !insert_credential(change, i, error)
                               : !update_credential(change, i, credential, error)) {
            return false;
        }
    }
    return true;
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
    bool found;
    if (!find_unit(change, &found, error) || (found && !read_credentials(change, error))) {
        return false;
    }
    change->unit_id = unit->unit_id;
    unit->is_new = !found;
    change->state = unit->is_new;
    if (!has_room(unit, admission)) {
        return change_refuse(change, E_STORE_CONFLICT, "%s would have more than %d credentials",
                             unit->serial, UNIT_CREDENTIALS_MAX);
    }
    if (!write_unit(change, error) || !write_credentials(change, error)) {
        return false;
    }
    change->unit_id = unit->unit_id;
    return read_credentials(change, error);
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
    struct query query = query_begin(change->store, SQL_UNIT_RESULT);
    query_bind_integer(&query, change->unit_id);
    query_bind_integer(&query, record->result);
    query_bind_error(&query, record->error);
    return query_run(&query, error);
}
