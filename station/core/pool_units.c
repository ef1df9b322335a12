// SPDX-License-Identifier: Apache-2.0
#include "station/core/pool_internal.h"

#include <string.h>

#define TWIN_TRIES 3

static void act(struct pool *pool, size_t slot, enum unit_action action) {
    // A stopping station ends what is in hand and begins nothing.
    bool looks = action == UNIT_ACT_PROBE || action == UNIT_ACT_PROBE_LATER;
    if (action != UNIT_ACT_NONE && !pool->stopping && !(looks && pool->slots[slot].is_closed)) {
        pool->edge->act(pool->context, slot, &pool->slots[slot].unit, action);
    }
}

// The camera may be gone before the record is durable, so the profile is looked up beforehand.
static size_t profile_of_record(const struct pool *pool, const struct unit *unit,
                                const struct record *record) {
    for (uint32_t i = 0; i < unit->record.credential_count; i++) {
        if (unit->record.credentials[i].credential_id == record->credential_id) {
            return pool_find_profile(pool, unit->record.credentials[i].profile);
        }
    }
    return UNIT_CREDENTIALS_MAX;
}

static void take_unit_output(struct pool *pool, size_t slot, struct unit_output *output) {
    bool hold = output->hold && output->record_count > 0;
    for (size_t i = 0; i < output->record_count; i++) {
        struct owner owner = {.kind = OWNER_UNIT, .index = slot, .visit = pool->slots[slot].visit};
        owner.profile = profile_of_record(pool, &pool->slots[slot].unit, &output->records[i]);
        owner.state = pool->slots[slot].unit.state;
        if (hold && i + 1 == output->record_count) {
            owner.action = output->action;
        }
        text_copy(output->records[i].slot, sizeof output->records[i].slot,
                  pool->settings.slot_names[slot]);
        pool_put_record(pool, &output->records[i], &owner);
    }
    if (!hold) {
        act(pool, slot, output->action);
    }
}

void pool_open_slot(struct pool *pool, size_t slot, const char *label, const char *lot) {
    struct unit *unit = &pool->slots[slot].unit;
    text_copy(unit->label, sizeof unit->label, label);
    text_copy(unit->lot, sizeof unit->lot, lot);
    pool->slots[slot].is_closed = false;
    if (unit->state == UNIT_EMPTY) {
        act(pool, slot, UNIT_ACT_PROBE);
    }
}

void pool_close_slot(struct pool *pool, size_t slot) {
    pool->slots[slot].is_closed = true;
}

// The other slot in which the same serial is being worked on; slot_count where there is none.
static size_t find_twin(const struct pool *pool, size_t slot, const char *serial) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        const struct unit *unit = &pool->slots[i].unit;
        if (i != slot && unit_is_active(unit) && strcmp(unit->info.serial, serial) == 0) {
            return i;
        }
    }
    return pool->settings.slot_count;
}

// One camera cannot be in two places: whoever comes second waits, since a camera may have been
// moved faster than its old slot could notice, and is refused before anything is asked of it.
static bool refuse_twin(struct pool *pool, size_t slot, struct unit_event *event) {
    struct slot *place = &pool->slots[slot];
    if (place->unit.state != UNIT_EMPTY || event->kind != UNIT_ON_IDENTIFIED) {
        return false;
    }
    const char *serial = event->info->serial;
    size_t twin = find_twin(pool, slot, serial);
    if (twin == pool->settings.slot_count) {
        place->twin_tries = 0;
        return false;
    }
    if (place->twin_tries++ < TWIN_TRIES) {
        act(pool, slot, UNIT_ACT_PROBE_LATER);
        return true;
    }
    place->twin_tries = 0;
    memcpy(place->twin, serial, sizeof place->twin);
    event->kind = UNIT_ON_FAILED;
    error_set(&event->error, E_CAM_TWICE, "%s is already in slot %s", serial,
              pool->settings.slot_names[twin]);
    return false;
}

static void note_state(struct pool *pool, struct slot *slot, enum unit_state before,
                       const struct pool_time *now) {
    if (slot->unit.state != before) {
        pool->state_visits[before]++;
        pool->state_ms[before] += now->monotonic_ms - slot->state_since_ms;
        slot->state_since_ms = now->monotonic_ms;
    }
}

static void step_unit(struct pool *pool, size_t slot, const struct pool_time *now,
                      struct unit_event *event) {
    struct unit *unit = &pool->slots[slot].unit;
    struct unit_output output;
    enum unit_state before = unit->state;
    event->now_ms = now->wall_ms;
    unit_step(unit, event, &output);
    note_state(pool, &pool->slots[slot], before, now);
    if (before == UNIT_EMPTY && unit->state != UNIT_EMPTY) {
        pool->slots[slot].visit++;
    }
    take_unit_output(pool, slot, &output);
    if (before != UNIT_DONE && unit->state == UNIT_DONE) {
        pool->edge->report(pool->context, slot, unit);
    }
}

void pool_post_unit(struct pool *pool, size_t slot, const struct pool_time *now,
                    struct unit_event *event) {
    bool comes = pool->slots[slot].unit.state == UNIT_EMPTY;
    if (comes && pool->stopping) {
        return;
    }
    if (!refuse_twin(pool, slot, event)) {
        step_unit(pool, slot, now, event);
    }
}

// A unit that was refused because its serial was in two slots goes on when it no longer is.
void pool_release_twins(struct pool *pool, const struct pool_time *now) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->unit.state == UNIT_DONE && slot->unit.error.code == E_CAM_TWICE &&
            slot->unit.verdict == UNIT_FAIL &&
            find_twin(pool, i, slot->twin) == pool->settings.slot_count) {
            struct unit_event event = {.kind = UNIT_ON_GONE};
            step_unit(pool, i, now, &event);
        }
    }
}

void pool_notify_unit(struct pool *pool, const struct pool_time *now,
                      const struct request *request) {
    for (size_t i = 0; i < pool->settings.slot_count; i++) {
        if (pool->slots[i].unit.record.unit_id != request->unit_id) {
            continue;
        }
        bool issued = request->outcome == REQUEST_ISSUED;
        struct unit_event event = {
            .kind = issued ? UNIT_ON_ISSUED : UNIT_ON_UNAVAILABLE,
            .error = request->error,
        };
        event.credential_id = request->credential_id;
        event.request = request->outcome;
        step_unit(pool, i, now, &event);
    }
}

void pool_answer_unit(struct pool *pool, const struct pool_time *now, const struct owner *owner,
                      const struct record *record, const struct answer *answer) {
    struct slot *slot = &pool->slots[owner->index];
    bool stale = owner->visit != slot->visit || slot->unit.state == UNIT_EMPTY;
    bool recording = slot->unit.state == UNIT_RECORDING;
    bool is_result = record->kind == RECORD_RESULT || record->kind == RECORD_EVENT;
    struct unit_event event = {.kind = UNIT_EVENT_COUNT};
    if (answer->code != ERROR_NONE) {
        // A unit that has failed already is shown when that is durable, not before.
        stale = stale || (recording && !is_result);
        event.kind = UNIT_ON_CONFLICT;
        error_set(&event.error, answer->code, "%s", answer->text);
    } else if (record->kind == RECORD_ADMIT) {
        event.kind = UNIT_ON_ADMITTED;
        event.unit = &answer->unit;
    } else if (record->kind == RECORD_LOAD_CERTIFICATE) {
        event.kind = UNIT_ON_CERTIFICATE;
        event.certificate = &answer->certificate;
    } else if (recording && is_result) {
        event.kind = UNIT_ON_STORED;
    }
    if (!stale && event.kind != UNIT_EVENT_COUNT) {
        step_unit(pool, owner->index, now, &event);
    } else if (!stale && slot->unit.state == owner->state) {
        // Another record of its may have been refused, and the unit with it.
        act(pool, owner->index, owner->action);
    }
}
