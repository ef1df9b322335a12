// SPDX-License-Identifier: Apache-2.0
// When to try again: backoff with jitter, and what a CA's data says of patience. Pure.
#ifndef BIRTHCERT_CORE_POLICY_H
#define BIRTHCERT_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/record.h"

// What the core knows of the CA: data of its backend and of its section in the configuration.
struct ca_policy {
    char endpoint[ENDPOINT_SIZE]; // where its requests go; "": not known
    char formerly[ENDPOINT_SIZE]; // where they went before that CA moved; "": it did not
    bool judges_endpoint;         // it is told where a request went, and judges that itself
    bool forgets;                 // what is in quarantine is judged as it is on record
    bool fetch_repeats;           // fetching is the request once more, and may issue
    bool is_offline;              // persons carry its requests: only they end the waiting
    bool rekeys;                  // what a new board's certificate supersedes
    uint32_t not_before_window_s; // 0: requests carry no stamp
    uint32_t settle_ms;           // a scan that finds nothing counts only after this
    uint32_t in_flight;           // requests at once
    uint32_t backoff_ms;          // first pause; doubles up to backoff_max_ms
    uint32_t backoff_max_ms;
    uint32_t rescan_ms;        // between two scans
    uint32_t empty_scans;      // that many say: it was not issued
    uint32_t breaker_failures; // that many in a row: one request at a time tries the CA
};

// Pause before try number `failures` (1 for the first): doubled each time, then spread over the
// upper half by `random`, so that a line of stations does not come back at once.
uint32_t policy_backoff_ms(const struct ca_policy *policy, uint32_t failures, uint64_t random);

// xorshift64*: moves *state, which must not be 0. For jitter, not for secrets.
uint64_t policy_random(uint64_t *state);

#endif
