// SPDX-License-Identifier: Apache-2.0
#include "station/app/ports_follow.h"

#include <stdint.h>
#include <string.h>

#define NOT_THERE SIZE_MAX

static size_t find_entry(const struct port_list *list, const struct port_entry *wanted) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].kind == wanted->kind &&
            strcmp(list->entries[i].name, wanted->name) == 0) {
            return i;
        }
    }
    return NOT_THERE;
}

static void tell(struct ports_follow *follow, enum port_event event, size_t index) {
    struct ports_item item;
    if (!ports_view_is_shown(&follow->view, index)) {
        return;
    }
    ports_view_judge(&follow->view, index, &item);
    if (event == PORT_UNPLUGGED) {
        item.note_count = 0; // what is gone needs no advice
    }
    follow->callback(follow->context, event, &item);
}

static void forget(struct ports_follow *follow, size_t index) {
    struct port_list *known = &follow->known;
    tell(follow, PORT_UNPLUGGED, index);
    ports_view_forget(&follow->view, index);
    known->count--;
    memmove(&known->entries[index], &known->entries[index + 1],
            (known->count - index) * sizeof known->entries[0]);
}

// usbfs comes and goes with each program that uses the device.
static const char *holder_of(const struct port_entry *entry) {
    return entry->is_camera && strcmp(entry->driver, "usbfs") != 0 ? entry->driver : "";
}

// udev reports a device several times while it settles.
static bool is_changed(const struct port_entry *before, const struct port_entry *after) {
    return before->access != after->access || before->is_unauthorized != after->is_unauthorized ||
           before->is_camera != after->is_camera || before->vendor_id != after->vendor_id ||
           before->product_id != after->product_id || strcmp(before->serial, after->serial) != 0 ||
           strcmp(before->link, after->link) != 0 ||
           strcmp(holder_of(before), holder_of(after)) != 0;
}

static void take_entry(struct ports_follow *follow, const struct port_entry *entry) {
    struct port_list *known = &follow->known;
    size_t index = find_entry(known, entry);
    if (index != NOT_THERE) {
        bool changed = is_changed(&known->entries[index], entry);
        known->entries[index] = *entry;
        ports_view_make(&follow->view, known, follow->config);
        if (changed) {
            tell(follow, PORT_CHANGED, index);
        }
    } else if (known->count < PORTS_MAX) {
        known->entries[known->count++] = *entry;
        ports_view_make(&follow->view, known, follow->config);
        tell(follow, PORT_PLUGGED, known->count - 1);
    }
}

static bool look_again(struct ports_follow *follow, struct error *error) {
    if (!ports_list(&follow->fresh, error)) {
        return false;
    }
    for (size_t i = follow->known.count; i-- > 0;) {
        if (find_entry(&follow->fresh, &follow->known.entries[i]) == NOT_THERE) {
            forget(follow, i);
        }
    }
    for (size_t i = 0; i < follow->fresh.count; i++) {
        take_entry(follow, &follow->fresh.entries[i]);
    }
    return true;
}

bool ports_follow_start(struct ports_follow *follow, const struct config *config,
                        ports_follow_callback *callback, void *context, struct error *error) {
    follow->config = config;
    follow->callback = callback;
    follow->context = context;
    if (!ports_list(&follow->known, error)) {
        return false;
    }
    ports_view_make(&follow->view, &follow->known, config);
    return true;
}

bool ports_follow_take(struct ports_follow *follow, enum port_event event,
                       const struct port_entry *entry, struct error *error) {
    if (event == PORTS_MISSED) {
        return look_again(follow, error);
    }
    if (event != PORT_UNPLUGGED) {
        take_entry(follow, entry);
        return true;
    }
    size_t index = find_entry(&follow->known, entry);
    if (index != NOT_THERE) {
        forget(follow, index);
    }
    return true;
}
