// SPDX-License-Identifier: Apache-2.0
#include "station/core/pool_internal.h"

#include <string.h>

size_t pool_find_profile(const struct pool *pool, const char *profile) {
    const struct unit_policy *policy = pool->settings.unit_policy;
    for (size_t i = 0; i < policy->wanted_count; i++) {
        if (strcmp(policy->wanted[i].profile, profile) == 0) {
            return i;
        }
    }
    return UNIT_CREDENTIALS_MAX;
}

void pool_put_record(struct pool *pool, const struct record *record, const struct owner *owner) {
    struct pool_journal *journal = &pool->journals[pool->filling];
    if (!batch_put(journal->batch, record)) {
        pool->overflowed = true;
        return;
    }
    journal->owners[journal->batch->count - 1] = *owner;
}
