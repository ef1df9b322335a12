// SPDX-License-Identifier: Apache-2.0
#include "station/core/policy.h"

uint32_t policy_backoff_ms(const struct ca_policy *policy, uint32_t failures, uint64_t random) {
    uint64_t pause_ms = policy->backoff_ms;
    for (uint32_t i = 1; i < failures && pause_ms < policy->backoff_max_ms; i++) {
        pause_ms *= 2;
    }
    if (pause_ms > policy->backoff_max_ms) {
        pause_ms = policy->backoff_max_ms;
    }
    uint64_t half = pause_ms / 2;
    return (uint32_t)(half + (half > 0 ? random % (half + 1) : 0));
}

uint64_t policy_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}
