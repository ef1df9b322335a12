// SPDX-License-Identifier: Apache-2.0
// Arrays that grow.
#ifndef BIRTHCERT_BASE_ARRAY_H
#define BIRTHCERT_BASE_ARRAY_H

#include <stddef.h>

// Makes room for one element of `size` bytes behind `count`, in steps that double. Returns the array, which
// may have moved, for the caller to keep and to free; NULL where there is no memory: then `items` (NULL for
// an empty array) and `*capacity` are as they were.
void *array_reserve(void *items, size_t count, size_t *capacity, size_t size);

#endif
