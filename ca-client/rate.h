// SPDX-License-Identifier: Apache-2.0
// A token bucket: how many requests a second a CA is asked for.
#ifndef BIRTHCERT_CA_RATE_H
#define BIRTHCERT_CA_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint32_t per_second; // 0: no limit
    double tokens;
    int64_t filled_ms; // monotonic
};

void rate_init(struct rate *rate, uint32_t per_second, int64_t now_ms);
// True where one more may leave now. Else `*wait_ms` is how long it takes until one may.
bool rate_take(struct rate *rate, int64_t now_ms, int64_t *wait_ms);

#endif
