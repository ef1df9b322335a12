// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"

#define SLOTS_FIRST 1024 // a power of two

struct entry {
    struct vault_serial serial; // of length 0: free
    uint8_t spki_sha256[SHA256_SIZE];
};

// Open addressing, at most half full.
struct vault_known {
    struct entry *slots;
    size_t slot_count; // a power of two
    size_t count;
};

void vault_known_free(struct vault_known *known) {
    if (known != NULL) {
        free(known->slots);
        free(known);
    }
}

// The entry of the serial number, or the free one where it would be.
static struct entry *find_slot(const struct vault_known *known, const struct vault_serial *serial) {
    uint32_t hash = 2166136261U; // FNV-1a
    for (size_t i = 0; i < serial->length; i++) {
        hash = (hash ^ serial->bytes[i]) * 16777619U;
    }
    size_t at = hash & (known->slot_count - 1);
    while (known->slots[at].serial.length != 0 &&
           vault_compare_serials(&known->slots[at].serial, serial) != 0) {
        at = (at + 1) & (known->slot_count - 1);
    }
    return &known->slots[at];
}

static bool grow(struct vault_known *known) {
    struct vault_known larger = {.slot_count =
                                     known->slot_count > 0 ? 2 * known->slot_count : SLOTS_FIRST};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < known->slot_count; i++) {
        if (known->slots[i].serial.length != 0) {
            *find_slot(&larger, &known->slots[i].serial) = known->slots[i];
        }
    }
    free(known->slots);
    known->slots = larger.slots;
    known->slot_count = larger.slot_count;
    return true;
}

bool vault_known_put(struct vault_known **out, const struct vault_serial *serial,
                     const uint8_t spki_sha256[SHA256_SIZE]) {
    struct vault_known *known = *out != NULL ? *out : calloc(1, sizeof *known);
    *out = known;
    if (known == NULL || known->count >= VAULT_SERIALS_MAX ||
        (2 * (known->count + 1) > known->slot_count && !grow(known))) {
        return false;
    }
    struct entry *entry = find_slot(known, serial);
    known->count += entry->serial.length == 0 ? 1 : 0;
    entry->serial = *serial;
    memcpy(entry->spki_sha256, spki_sha256, SHA256_SIZE);
    return true;
}

bool vault_known_has(const struct vault_known *known, const struct vault_serial *serial) {
    return known != NULL && known->slot_count > 0 && find_slot(known, serial)->serial.length != 0;
}

bool vault_known_find(const struct vault_known *known, const uint8_t spki_sha256[SHA256_SIZE],
                      size_t *at, struct vault_serial *serial) {
    while (known != NULL && *at < known->slot_count) {
        const struct entry *entry = &known->slots[(*at)++];
        if (entry->serial.length != 0 &&
            memcmp(entry->spki_sha256, spki_sha256, SHA256_SIZE) == 0) {
            *serial = entry->serial;
            return true;
        }
    }
    return false;
}
