// SPDX-License-Identifier: Apache-2.0
#include <openssl/rand.h>
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
    uint32_t seed; // of the hash: nobody can choose serial numbers that meet in one slot
};

void vault_known_free(struct vault_known *known) {
    if (known != NULL) {
        free(known->slots);
        free(known);
    }
}

// The entry of the serial number, or the free one where it would be.
static struct entry *find_slot(const struct vault_known *known, const struct vault_serial *serial) {
    uint32_t hash = known->seed; // FNV-1a
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
    struct vault_known larger = *known;
    larger.slot_count = known->slot_count > 0 ? 2 * known->slot_count : SLOTS_FIRST;
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

static struct vault_known *make_known(void) {
    struct vault_known *known = calloc(1, sizeof *known);
    if (known != NULL && RAND_bytes((uint8_t *)&known->seed, sizeof known->seed) != 1) {
        free(known);
        known = NULL;
    }
    return known;
}

// What is there keeps its place, however full the table is.
static struct entry *take_slot(struct vault_known *known, const struct vault_serial *serial) {
    if (vault_known_has(known, serial)) {
        return find_slot(known, serial);
    }
    if (known->count >= VAULT_SERIALS_MAX ||
        (2 * (known->count + 1) > known->slot_count && !grow(known))) {
        return NULL;
    }
    known->count++;
    return find_slot(known, serial);
}

bool vault_known_put(struct vault_known **out, const struct vault_serial *serial,
                     const uint8_t spki_sha256[SHA256_SIZE]) {
    *out = *out != NULL ? *out : make_known();
    struct entry *entry = *out != NULL ? take_slot(*out, serial) : NULL;
    if (entry == NULL) {
        return false;
    }
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
