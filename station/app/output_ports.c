// SPDX-License-Identifier: Apache-2.0
#include "station/app/output_ports.h"

#include <stdio.h>
#include <string.h>

#include "station/app/output_safe.h"
#include "station/base/clock.h"

// Real names are shorter; a device that claims more does not push the line out of sight.
#define NAME_SHOWN_MAX 32
#define SERIAL_SHOWN_MAX 48

static void put_cut(FILE *out, const char *before, const char *text, size_t maximum) {
    if (text[0] != '\0') {
        const char *safe = SAFE(text);
        bool is_cut = strlen(safe) > maximum;
        fprintf(out, "%s%.*s%s", before, (int)maximum, safe, is_cut ? "..." : "");
    }
}

static void put_device(FILE *out, const struct port_entry *entry) {
    if (entry->has_usb_id) {
        fprintf(out, " %04x:%04x", entry->vendor_id, entry->product_id);
    }
    put_cut(out, " ", entry->manufacturer, NAME_SHOWN_MAX);
    put_cut(out, " ", entry->product, NAME_SHOWN_MAX);
    put_cut(out, ", serial ", entry->serial, SERIAL_SHOWN_MAX);
}

static void put_owner(FILE *out, const struct ports_item *item) {
    static const char *const words[] = {
        [PORTS_UNASSIGNED] = "unassigned",
        [PORTS_OTHER] = "other",
    };
    if (item->slot != NULL) {
        fprintf(out, "slot %-8s ", SAFE(item->slot->name));
    } else {
        fprintf(out, "%-13s ", words[item->state]);
    }
}

static void put_line(FILE *out, const struct ports_item *item) {
    const struct port_entry *entry = item->entry;
    put_owner(out, item);
    if (entry == NULL) {
        fprintf(out, "%s %s: nothing is plugged in\n", SAFE(item->slot->transport),
                SAFE(item->slot->path));
        return;
    }
    if (entry->kind == PORT_USB) {
        fprintf(out, "usb %-8s", SAFE(entry->usb_path));
    } else {
        fprintf(out, "%s", SAFE(entry->name));
        put_cut(out, " at usb ", entry->usb_path, NAME_SHOWN_MAX);
    }
    put_device(out, entry);
    fputs(entry->is_hub ? " (hub)\n" : "\n", out);
}

static void put_notes(FILE *out, const struct ports_item *item) {
    for (size_t i = 0; i < item->note_count; i++) {
        const struct ports_note *note = &item->notes[i];
        fprintf(out, "    %s%s%s\n", note->code != ERROR_NONE ? error_code_text(note->code) : "",
                note->code != ERROR_NONE ? " " : "", SAFE(note->text));
        if (note->remedy[0] != '\0') {
            fprintf(out, "        %s\n", SAFE(note->remedy));
        }
    }
}

void output_port(struct output *output, const struct ports_item *item) {
    if (output->json) {
        output_port_json(output, item);
    } else {
        put_line(output->results, item);
        put_notes(output->results, item);
    }
}

void output_port_section(struct output *output, const struct ports_item *item) {
    if (!output->json && item->section[0] != '\0') {
        fprintf(output->results, "\n[slot %s]\n%s = %s\n", SAFE(item->section), item->section_key,
                SAFE(item->section_path));
    }
}

void output_port_event(struct output *output, int64_t wall_ms, const char *event,
                       const struct ports_item *item) {
    char time[CLOCK_TEXT_SIZE];
    if (output->json) {
        output_port_event_json(output, wall_ms, event, item);
        return;
    }
    clock_format_utc(time, wall_ms);
    fprintf(output->results, "%s %-9s ", time, event);
    put_line(output->results, item);
    put_notes(output->results, item);
}
