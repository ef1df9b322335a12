// SPDX-License-Identifier: Apache-2.0
#include "ca-client/rate.h"

void rate_init(struct rate *rate, uint32_t per_second, int64_t now_ms) {
    *rate = (struct rate){.per_second = per_second, .tokens = 1, .filled_ms = now_ms};
}

// The bucket is small: a CA counts by the second, and must not see two seconds' worth in one.
bool rate_take(struct rate *rate, int64_t now_ms, int64_t *wait_ms) {
    *wait_ms = 0;
    if (rate->per_second == 0) {
        return true;
    }
    uint32_t size = 1 + rate->per_second / 10;
    double most = size;
    rate->tokens += (double)(now_ms - rate->filled_ms) * rate->per_second / 1000;
    rate->tokens = rate->tokens < most ? rate->tokens : most;
    rate->filled_ms = now_ms;
    if (rate->tokens < 1) {
        *wait_ms = (int64_t)((1 - rate->tokens) * 1000 / rate->per_second) + 1;
        return false;
    }
    rate->tokens -= 1;
    return true;
}
