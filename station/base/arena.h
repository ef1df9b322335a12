// SPDX-License-Identifier: Apache-2.0
// A fixed block of memory that slices are copied into and that is emptied as a whole.
#ifndef BIRTHCERT_BASE_ARENA_H
#define BIRTHCERT_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"

struct arena {
    uint8_t *data;
    size_t used;
    size_t capacity;
};

// False without memory. The memory is only touched as it is used.
bool arena_init(struct arena *arena, size_t capacity);
void arena_release(struct arena *arena);

// Copies `source` and stores the copy's slice, which does not move until the arena is emptied.
// False, and nothing changed, where it does not fit.
bool arena_copy(struct arena *arena, struct slice source, struct slice *copy);

// The next `length` bytes, not initialised; NULL where they do not fit.
uint8_t *arena_take(struct arena *arena, size_t length);
void arena_clear(struct arena *arena);

#endif
