// SPDX-License-Identifier: Apache-2.0
// What the ports mean on this bench: the slot that each belongs to, and what stands in its way.
#ifndef BIRTHCERT_APP_PORTS_VIEW_H
#define BIRTHCERT_APP_PORTS_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/ports.h"
#include "station/app/config.h"

enum ports_state {
    PORTS_ASSIGNED,   // to a slot
    PORTS_UNASSIGNED, // a camera or a serial port that no slot names
    PORTS_OTHER,      // nothing for a slot: a keyboard
    PORTS_EMPTY,      // a slot where nothing is plugged in
};

#define PORTS_NOTES_MAX 8

// What a person should know. Texts of devices in it are as the device gave them.
struct ports_note {
    enum error_code code; // ERROR_NONE: no fault that the bench would report
    char text[ERROR_TEXT_MAX];
    char remedy[ERROR_TEXT_MAX]; // "" where there is nothing to do
};

struct ports_item {
    enum ports_state state;
    const struct port_entry *entry; // NULL when PORTS_EMPTY
    const struct config_slot *slot; // NULL unless PORTS_ASSIGNED, PORTS_EMPTY
    bool is_camera;                 // also by the configuration's usb_ids
    // For PORTS_UNASSIGNED, the slot to configure: its name ("" where there is no name of the port
    // that lasts), the key and its value.
    char section[NAME_SIZE];
    const char *section_key;
    const char *section_path;
    size_t note_count;
    struct ports_note notes[PORTS_NOTES_MAX];
};

// Ports beside a configuration. Both are borrowed, and may not change while the view is used.
struct ports_view {
    const struct port_list *list;
    const struct config *config;                // NULL for none
    const struct config_slot *slots[PORTS_MAX]; // by entry; NULL for none
    bool is_taken[CONFIG_SLOTS_MAX];            // by slot: something is plugged in
};

void ports_view_make(struct ports_view *view, const struct port_list *list,
                     const struct config *config);

// The entry is about to leave the list, and those behind it move up. What other ports belonged to
// stays, also where their files are gone already.
void ports_view_forget(struct ports_view *view, size_t index);

// False for what is told elsewhere: hubs that work, and devices that stand there as serial ports.
bool ports_view_is_shown(const struct ports_view *view, size_t index);

// One entry of the list.
void ports_view_judge(const struct ports_view *view, size_t index, struct ports_item *item);

// One slot of the configuration: true where nothing is plugged in. A simulated camera's socket is
// never empty: it is no port.
bool ports_view_judge_slot(const struct ports_view *view, size_t slot, struct ports_item *item);

#endif
