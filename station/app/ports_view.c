// SPDX-License-Identifier: Apache-2.0
#include "station/app/ports_view.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "station/app/ports_view_note.h"
#include "station/base/bytes.h"

// ---- slots --------------------------------------------------------------------------------------

static bool is_slot_on(const struct config_slot *slot, const char *transport) {
    return strcmp(slot->transport, transport) == 0;
}

static bool is_same_file(const char *path, const struct stat *wanted) {
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == wanted->st_dev &&
           status.st_ino == wanted->st_ino;
}

// `target` is the file that the slot's path leads to, NULL for none: any name of the port will do.
// After an unplug only the names themselves are left.
static bool is_slot_of(const struct config_slot *slot, const struct stat *target,
                       const struct port_entry *entry) {
    if (entry->kind == PORT_USB) {
        return is_slot_on(slot, "usb") && strcmp(slot->path, entry->name) == 0;
    }
    return is_slot_on(slot, "serial") &&
           (strcmp(slot->path, entry->node) == 0 || strcmp(slot->path, entry->link) == 0 ||
            (target != NULL && is_same_file(entry->node, target)));
}

static void take_slot(struct ports_view *view, size_t index) {
    const struct config_slot *slot = &view->config->slots[index];
    struct stat status;
    const struct stat *target =
        is_slot_on(slot, "serial") && stat(slot->path, &status) == 0 ? &status : NULL;
    for (size_t i = 0; i < view->list->count; i++) {
        if (view->slots[i] == NULL && is_slot_of(slot, target, &view->list->entries[i])) {
            view->slots[i] = slot;
            view->is_taken[index] = true;
            return;
        }
    }
}

void ports_view_make(struct ports_view *view, const struct port_list *list,
                     const struct config *config) {
    *view = (struct ports_view){.list = list, .config = config};
    for (size_t i = 0; config != NULL && i < config->slot_count; i++) {
        take_slot(view, i);
    }
}

void ports_view_forget(struct ports_view *view, size_t index) {
    const struct config_slot *slot = view->slots[index];
    if (slot != NULL) {
        view->is_taken[slot - view->config->slots] = false;
    }
    for (size_t i = index; i + 1 < PORTS_MAX; i++) {
        view->slots[i] = view->slots[i + 1];
    }
    view->slots[PORTS_MAX - 1] = NULL;
}

// ---- sections -----------------------------------------------------------------------------------

// How many serial ports hang on that USB port, and which of them this one is.
static size_t count_siblings(const struct port_list *list, const struct port_entry *entry,
                             size_t *place) {
    size_t count = 0;
    *place = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct port_entry *other = &list->entries[i];
        if (other->kind == PORT_SERIAL && strcmp(other->usb_path, entry->usb_path) == 0) {
            count++;
            *place += strverscmp(other->name, entry->name) < 0 ? 1U : 0U;
        }
    }
    return count;
}

// A name that the configuration has already would change that slot instead.
static bool make_unused(const struct config *config, char name[NAME_SIZE]) {
    static const char suffix[] = "-new";
    while (config != NULL && config_find_slot(config, name) != NULL) {
        size_t length = strlen(name);
        if (!text_copy(name + length, NAME_SIZE - length, suffix)) {
            return false;
        }
    }
    return true;
}

static bool name_section(const struct ports_view *view, const struct port_entry *entry,
                         char name[NAME_SIZE]) {
    char which[32] = "";
    size_t place;
    bool is_serial = entry->kind == PORT_SERIAL;
    bool is_on_usb = entry->usb_path[0] != '\0';
    if (is_serial && is_on_usb && count_siblings(view->list, entry, &place) > 1) {
        snprintf(which, sizeof which, "-port%zu", place);
    }
    int length = snprintf(name, NAME_SIZE, "%s-%s%s", is_serial ? "serial" : "usb",
                          is_on_usb ? entry->usb_path : entry->name, which);
    for (char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot, '.')) {
        *dot = '-';
    }
    return length > 0 && length < NAME_SIZE && make_unused(view->config, name);
}

// ttyUSB0 is whatever was plugged in first; ttyS0 is soldered to the board.
static const char *lasting_path(const struct port_entry *entry) {
    if (entry->kind == PORT_USB) {
        return entry->name;
    }
    return entry->usb_path[0] != '\0' ? entry->link : entry->node;
}

// What stands in a configuration as it is: no blank that a comment could follow.
static bool is_plain_path(const char *path) {
    size_t length = 0;
    while (path[length] > ' ' && path[length] <= '~') {
        length++;
    }
    return length > 0 && path[length] == '\0';
}

static void propose_section(const struct ports_view *view, struct ports_item *item) {
    item->section_key = item->entry->kind == PORT_USB ? "usb" : "serial";
    item->section_path = lasting_path(item->entry);
    if (!is_plain_path(item->section_path) || !name_section(view, item->entry, item->section)) {
        item->section[0] = '\0';
    }
}

// ---- entries ------------------------------------------------------------------------------------

// Which devices the bench would take for cameras (PROTOCOL.md, section 1).
static bool is_camera(const struct ports_view *view, const struct port_entry *entry) {
    bool is_named = false;
    for (size_t i = 0; view->config != NULL && i < view->config->usb_ids.count; i++) {
        const struct usb_id *id = &view->config->usb_ids.ids[i];
        is_named = is_named || (entry->has_usb_id && id->vendor == entry->vendor_id &&
                                id->product == entry->product_id);
    }
    return entry->kind == PORT_USB && (entry->is_camera || is_named);
}

static bool has_serial_port(const struct ports_view *view, const struct port_entry *entry) {
    size_t place;
    return count_siblings(view->list, entry, &place) > 0;
}

bool ports_view_is_shown(const struct ports_view *view, size_t index) {
    const struct port_entry *entry = &view->list->entries[index];
    if (entry->kind == PORT_SERIAL || view->slots[index] != NULL || entry->is_unauthorized) {
        return true;
    }
    return !entry->is_hub && (is_camera(view, entry) || !has_serial_port(view, entry));
}

void ports_view_judge(const struct ports_view *view, size_t index, struct ports_item *item) {
    const struct port_entry *entry = &view->list->entries[index];
    *item = (struct ports_item){
        .entry = entry,
        .slot = view->slots[index],
        .is_camera = is_camera(view, entry),
    };
    if (item->slot != NULL) {
        item->state = PORTS_ASSIGNED;
    } else if (item->is_camera || entry->kind == PORT_SERIAL) {
        item->state = PORTS_UNASSIGNED;
        propose_section(view, item);
    } else {
        item->state = PORTS_OTHER;
    }
    ports_note_entry(view->list, item);
}

bool ports_view_judge_slot(const struct ports_view *view, size_t slot, struct ports_item *item) {
    *item = (struct ports_item){.state = PORTS_EMPTY, .slot = &view->config->slots[slot]};
    if (view->is_taken[slot] || is_slot_on(item->slot, "unix")) {
        return false;
    }
    ports_note_empty(item);
    return true;
}
