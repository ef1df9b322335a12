// SPDX-License-Identifier: Apache-2.0
// Durations as CAs written in Go have them in their configuration: "87600h", "1h30m0s".
#ifndef BIRTHCERT_CA_GO_DURATION_H
#define BIRTHCERT_CA_GO_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/error.h"

// Go's time.ParseDuration, not negative, cut to whole seconds, at most 300 years. False for all else.
MUST_CHECK bool go_duration_read(const char *text, int64_t *seconds);

#endif
