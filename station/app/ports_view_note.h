// SPDX-License-Identifier: Apache-2.0
// What a person should know of a port. For station/app/ports_view.c only.
#ifndef BIRTHCERT_APP_PORTS_VIEW_NOTE_H
#define BIRTHCERT_APP_PORTS_VIEW_NOTE_H

#include "station/app/ports_view.h"

// Adds the notes on the item's entry, whose other members are set; `list` is what it is part of.
void ports_note_entry(const struct port_list *list, struct ports_item *item);

// Adds the notes on a slot where nothing is plugged in.
void ports_note_empty(struct ports_item *item);

#endif
