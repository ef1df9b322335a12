// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdio.h>

#include "station/app/output_ports.h"
#include "station/app/output_safe.h"
#include "station/base/clock.h"

static void set_text(json_t *object, const char *key, const char *text) {
    if (text[0] != '\0') {
        json_object_set_new(object, key, json_string(SAFE(text)));
    }
}

static json_t *notes_array(const struct ports_item *item) {
    json_t *notes = json_array();
    for (size_t i = 0; i < item->note_count; i++) {
        const struct ports_note *note = &item->notes[i];
        json_t *object = json_object();
        set_text(object, "code", note->code != ERROR_NONE ? error_code_text(note->code) : "");
        set_text(object, "text", note->text);
        set_text(object, "remedy", note->remedy);
        json_array_append_new(notes, object);
    }
    return notes;
}

static void set_device(json_t *object, const struct port_entry *entry) {
    char usb_id[sizeof "ffff:ffff"];
    if (entry->has_usb_id) {
        snprintf(usb_id, sizeof usb_id, "%04x:%04x", entry->vendor_id, entry->product_id);
        set_text(object, "usb_id", usb_id);
    }
    set_text(object, "manufacturer", entry->manufacturer);
    set_text(object, "product", entry->product);
    set_text(object, "serial", entry->serial);
    json_object_set_new(object, "authorized", json_boolean(!entry->is_unauthorized));
}

static void set_entry(json_t *object, const struct ports_item *item) {
    static const char *const accesses[] = {"none", "denied", "allowed"};
    const struct port_entry *entry = item->entry;
    set_text(object, "usb_path", entry->usb_path);
    set_text(object, "node", entry->node);
    set_text(object, "access", accesses[entry->access]);
    set_text(object, "group", entry->group);
    if (entry->has_usb_id) {
        set_device(object, entry);
    }
    if (entry->kind == PORT_USB) {
        json_object_set_new(object, "class", json_integer(entry->device_class));
        json_object_set_new(object, "camera", json_boolean(item->is_camera));
    }
    set_text(object, "driver", entry->driver);
    set_text(object, "link", entry->link);
    if (entry->latency_ms != PORT_LATENCY_UNKNOWN) {
        json_object_set_new(object, "latency_timer_ms", json_integer(entry->latency_ms));
    }
}

static void set_section(json_t *object, const struct ports_item *item) {
    if (item->section[0] != '\0') {
        json_t *section = json_object();
        set_text(section, "slot", item->section);
        set_text(section, item->section_key, item->section_path);
        json_object_set_new(object, "section", section);
    }
}

static void set_item(json_t *object, const struct ports_item *item) {
    static const char *const states[] = {"assigned", "unassigned", "other", "empty"};
    const struct port_entry *entry = item->entry;
    const char *kind = entry == NULL             ? item->slot->transport
                       : entry->kind == PORT_USB ? "usb"
                                                 : "serial";
    set_text(object, "kind", kind);
    set_text(object, "state", states[item->state]);
    if (item->slot != NULL) {
        set_text(object, "slot", item->slot->name);
        set_text(object, "path", item->slot->path);
    }
    if (entry != NULL) {
        set_entry(object, item);
    }
    set_section(object, item);
    json_object_set_new(object, "notes", notes_array(item));
}

static void put_line(struct output *output, json_t *object) {
    json_dumpf(object, output->results, JSON_COMPACT);
    fputc('\n', output->results);
    fflush(output->results);
    json_decref(object);
}

void output_port_json(struct output *output, const struct ports_item *item) {
    json_t *object = json_object();
    set_text(object, "type", "port");
    set_item(object, item);
    put_line(output, object);
}

void output_port_event_json(struct output *output, int64_t wall_ms, const char *event,
                            const struct ports_item *item) {
    char time[CLOCK_TEXT_SIZE];
    json_t *object = json_object();
    json_t *port = json_object();
    clock_format_utc(time, wall_ms);
    set_text(object, "type", "port_event");
    set_text(object, "event", event);
    set_text(object, "at", time);
    set_item(port, item);
    json_object_set_new(object, "port", port);
    put_line(output, object);
}
