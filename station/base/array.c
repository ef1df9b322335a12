// SPDX-License-Identifier: Apache-2.0
#include "station/base/array.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define CAPACITY_MIN 64

void *array_reserve(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) {
        return items;
    }
    size_t wanted = *capacity > 0 ? 2 * *capacity : CAPACITY_MIN;
    bool fits = wanted > count && wanted <= SIZE_MAX / size;
    void *larger = fits ? realloc(items, wanted * size) : NULL;
    *capacity = larger != NULL ? wanted : *capacity;
    return larger;
}
