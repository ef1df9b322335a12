// SPDX-License-Identifier: Apache-2.0
#include "station/app/ports_view_note.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What the shipped udev rules (scripts/udev/70-birthcert.rules) give a port to, and which ports
// they know beside those with the bench's interface.
#define BENCH_GROUP "dialout"
#define CAMERA_VENDOR 0x1209
#define CAMERA_PRODUCT 0xca30
#define FTDI_VENDOR 0x0403
#define TWINS_NAMED 3 // of devices with one serial string

static struct ports_note *add_note(struct ports_item *item, enum error_code code,
                                   const char *format, ...) PRINTF_LIKE(3, 4);

// The note, for its remedy. There is room: each rule below adds at most one, and two of them exclude
// another one each.
static struct ports_note *add_note(struct ports_item *item, enum error_code code,
                                   const char *format, ...) {
    assert(item->note_count < PORTS_NOTES_MAX);
    struct ports_note *note = &item->notes[item->note_count++];
    va_list arguments;
    note->code = code;
    va_start(arguments, format);
    vsnprintf(note->text, sizeof note->text, format, arguments);
    va_end(arguments);
    return note;
}

static void advise(struct ports_note *note, const char *format, ...) PRINTF_LIKE(2, 3);

static void advise(struct ports_note *note, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note->remedy, sizeof note->remedy, format, arguments);
    va_end(arguments);
}

static bool is_in_rules(const struct port_entry *entry) {
    bool is_named = entry->vendor_id == CAMERA_VENDOR && entry->product_id == CAMERA_PRODUCT;
    bool is_ftdi = entry->kind == PORT_SERIAL && entry->vendor_id == FTDI_VENDOR;
    return entry->is_camera || (entry->has_usb_id && (is_named || is_ftdi));
}

static void advise_group(struct ports_note *note, const struct port_entry *entry) {
    if (strcmp(entry->group, BENCH_GROUP) == 0) {
        advise(note, "as root: usermod -aG " BENCH_GROUP " USER; then log in anew");
    } else if (is_in_rules(entry)) {
        advise(note,
               "install the udev rules (70-birthcert.rules): they give it to group " BENCH_GROUP);
    } else if (entry->has_usb_id) {
        advise(note, "name %04x:%04x in 70-birthcert.rules, which gives it to group " BENCH_GROUP,
               entry->vendor_id, entry->product_id);
    } else if (strcmp(entry->group, "tty") == 0) { // as agetty leaves it
        advise(note,
               "a login may run on it; as root: systemctl disable --now serial-getty@%s; "
               "udevadm trigger %s",
               entry->name, entry->node);
    } else {
        advise(note,
               "a udev rule of your own: SUBSYSTEM==\"tty\", KERNEL==\"%s\", "
               "GROUP=\"" BENCH_GROUP "\", MODE=\"0660\"",
               entry->name);
    }
}

static void note_denied(struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    if (entry->access != PORT_DENIED || item->state == PORTS_OTHER) {
        return;
    }
    advise_group(add_note(item, E_PORT_DENIED, "no permission on %s, of group %s", entry->node,
                          entry->group),
                 entry);
}

static void note_no_node(struct ports_item *item) {
    if (item->entry->access == PORT_NO_NODE && item->state != PORTS_OTHER) {
        advise(add_note(item, E_PORT_MISSING, "there is no device file for it"),
               "is udevd running?");
    }
}

static void note_unauthorized(struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    if (entry->is_unauthorized && entry->kind == PORT_USB) {
        advise(add_note(item, ERROR_NONE, "the kernel may not use it (authorized is 0)"),
               "if it is a camera, name %04x:%04x in 71-birthcert-authorize.rules",
               entry->vendor_id, entry->product_id);
    }
}

static void note_no_camera(struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    if (item->state == PORTS_ASSIGNED && entry->kind == PORT_USB && !item->is_camera &&
        !entry->is_unauthorized) {
        advise(add_note(item, E_PORT_NOT_CAMERA, "%s", error_code_meaning(E_PORT_NOT_CAMERA)), "%s",
               error_code_remedy(E_PORT_NOT_CAMERA));
    }
}

static void note_driver(struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    if (!item->is_camera || entry->driver[0] == '\0') {
        return;
    }
    if (strcmp(entry->driver, "usbfs") == 0) {
        add_note(item, ERROR_NONE, "a program has it: a running station?");
        return;
    }
    advise(add_note(item, E_PORT_DRIVER, "the driver %s holds its interface", entry->driver),
           "keep that driver away from %04x:%04x", entry->vendor_id, entry->product_id);
}

// The device's own number, not the adapter's, would tell cameras apart; either may be copied.
static bool is_twin(const struct port_entry *entry, const struct port_entry *other) {
    return other->kind == entry->kind && other->serial[0] != '\0' &&
           strcmp(other->serial, entry->serial) == 0 &&
           strcmp(other->usb_path, entry->usb_path) != 0;
}

// Ports that hang on one device share its string, and count once.
static bool was_seen(const struct port_list *list, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (list->entries[i].kind == list->entries[index].kind &&
            strcmp(list->entries[i].usb_path, list->entries[index].usb_path) == 0) {
            return true;
        }
    }
    return false;
}

static void note_twins(const struct port_list *list, struct ports_item *item) {
    char ports[ERROR_TEXT_MAX] = "";
    size_t used = 0;
    size_t count = 0;
    if (item->state == PORTS_OTHER) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (is_twin(item->entry, &list->entries[i]) && !was_seen(list, i) &&
            count++ < TWINS_NAMED) {
            used += (size_t)snprintf(ports + used, sizeof ports - used, "%s%s",
                                     used > 0 ? ", " : "", list->entries[i].usb_path);
        }
    }
    if (count > TWINS_NAMED) {
        snprintf(ports + used, sizeof ports - used, " and %zu more", count - TWINS_NAMED);
    }
    if (count > 0) {
        add_note(item, ERROR_NONE, "the same serial string is at usb %s", ports);
    }
}

static void note_latency(struct ports_item *item) {
    if (item->entry->latency_ms > 1) {
        advise(add_note(item, ERROR_NONE, "the driver gathers input for %d ms (latency_timer)",
                        item->entry->latency_ms),
               "install the udev rules (70-birthcert.rules), which set 1");
    }
}

static void note_modem_manager(struct ports_item *item) {
    if (item->entry->is_for_modem_manager) {
        advise(add_note(item, ERROR_NONE, "ModemManager may talk to it"),
               "name %04x:%04x in 70-birthcert.rules, with ID_MM_DEVICE_IGNORE",
               item->entry->vendor_id, item->entry->product_id);
    }
}

static void note_name(struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    if (entry->kind == PORT_SERIAL && entry->usb_path[0] != '\0' && entry->link[0] == '\0') {
        advise(add_note(item, ERROR_NONE, "it has no name below /dev/serial/by-path"),
               "is udevd running?");
    }
}

void ports_note_entry(const struct port_list *list, struct ports_item *item) {
    note_denied(item);
    note_no_node(item);
    note_unauthorized(item);
    note_no_camera(item);
    note_driver(item);
    note_twins(list, item);
    note_latency(item);
    note_modem_manager(item);
    note_name(item);
}

void ports_note_empty(struct ports_item *item) {
    if (strcmp(item->slot->transport, "serial") == 0 && access(item->slot->path, F_OK) == 0) {
        add_note(item, ERROR_NONE, "the path exists, and is no port that udev knows");
    }
}
