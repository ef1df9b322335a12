// SPDX-License-Identifier: Apache-2.0
#include "station/app/ca_policy.h"

#include <assert.h>

#include "ca-client/endpoint.h"
#include "station/base/bytes.h"

#define RESCAN_MS 2000
#define EMPTY_SCANS 3
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 30000
#define BREAKER_FAILURES 5

static_assert(CA_ENDPOINT_SIZE == ENDPOINT_SIZE, "an endpoint that the store does not keep");

struct ca_policy ca_policy_of(const struct ca_ops *ops, const struct ca_settings *settings) {
    uint32_t settle_ms = settings->settle_ms > 0 ? settings->settle_ms : ops->settle_ms;
    uint32_t rescan_ms = settle_ms / EMPTY_SCANS;
    struct ca_policy policy = {
        .judges_endpoint = ops->judges_endpoint,
        .forgets = ops->forgets,
        .fetch_repeats = ops->fetch_repeats,
        .is_offline = ops->is_offline,
        .rekeys = settings->rekeys,
        .not_before_window_s = ops->not_before_window_s,
        .settle_ms = settle_ms,
        .in_flight = settings->in_flight > 0 ? settings->in_flight : 1,
        .backoff_ms = BACKOFF_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .rescan_ms = rescan_ms < RESCAN_MS ? rescan_ms : RESCAN_MS,
        .empty_scans = EMPTY_SCANS,
        .breaker_failures = BREAKER_FAILURES,
    };
    if (!ops->judges_endpoint) {
        endpoint_text(settings, policy.endpoint);
        (void)text_copy(policy.formerly, sizeof policy.formerly, // the configuration bounds it
                        settings->formerly != NULL ? settings->formerly : "");
    }
    return policy;
}
