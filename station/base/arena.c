// SPDX-License-Identifier: Apache-2.0
#include "station/base/arena.h"

#include <stdlib.h>
#include <string.h>

bool arena_init(struct arena *arena, size_t capacity) {
    *arena = (struct arena){.data = malloc(capacity), .capacity = capacity};
    return arena->data != NULL;
}

void arena_release(struct arena *arena) {
    free(arena->data);
    *arena = (struct arena){0};
}

uint8_t *arena_take(struct arena *arena, size_t length) {
    if (length > arena->capacity - arena->used) {
        return NULL;
    }
    uint8_t *taken = arena->data + arena->used;
    arena->used += length;
    return taken;
}

bool arena_copy(struct arena *arena, struct slice source, struct slice *copy) {
    uint8_t *taken = arena_take(arena, source.length);
    if (taken == NULL) {
        return false;
    }
    if (source.length > 0) {
        memcpy(taken, source.data, source.length);
    }
    *copy = (struct slice){taken, source.length};
    return true;
}

void arena_clear(struct arena *arena) {
    arena->used = 0;
}
