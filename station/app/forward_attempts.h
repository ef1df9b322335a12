// SPDX-License-Identifier: Apache-2.0
// What the forwarder remembers of submissions, by the key that a certificate is asked for, so that
// no look-up says "not issued" of a request that may still be issued. Pure: time comes with the call.
//
// Three things could make such an answer false:
//
//   * The submission is in progress here, though the bench has long lost its answer.
//   * It ended less than the CA's settle time ago: the CA's lists may not show it yet.
//   * It has not arrived yet: it hangs in a connection that the bench has given up, somewhere in a
//     tunnel. A bench submits only after it was greeted, and has one connection at a time; so the
//     connection was accepted before the one that now asks. From the look-up on no submission for
//     this key is taken from an older connection.
#ifndef BIRTHCERT_APP_FORWARD_ATTEMPTS_H
#define BIRTHCERT_APP_FORWARD_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"
#include "station/base/error.h"

struct attempts;

// Room for so many keys. NULL without memory; attempts_free takes NULL.
struct attempts *attempts_new(size_t capacity);
void attempts_free(struct attempts *attempts);

// The connection that a call came on, and what else is open.
struct attempt_origin {
    uint64_t connection; // counts from 1 in the order of acceptance
    uint64_t oldest;     // of all that are open, whichever bench's
    bool has_older;      // one that is older is this bench's, or did not say yet whose it is
};

// A bench submits. False where the request must not go out: E_CA_DOUBT where it was sent before or
// looked up since, E_CA_BUSY where there is no room.
MUST_CHECK bool attempts_begin(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE],
                               int64_t sent_ms, const struct attempt_origin *origin, int64_t now_ms,
                               struct error *error);

// Its outcome is known. `quiet_ms` is how long the CA's lists may lag behind from now on; 0: the CA
// certainly did not act.
void attempts_end(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE], int64_t now_ms,
                  uint32_t quiet_ms);

// A bench looks the key up. Returns how long a scan that finds nothing says nothing; 0: it counts.
int64_t attempts_look(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE],
                      const struct attempt_origin *origin, int64_t now_ms);

#endif
