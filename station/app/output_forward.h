// SPDX-License-Identifier: Apache-2.0
// What birthcert forward says of each request: a line on stderr for people, or JSON Lines
// (OUTPUT.md).
#ifndef BIRTHCERT_APP_OUTPUT_FORWARD_H
#define BIRTHCERT_APP_OUTPUT_FORWARD_H

#include "ca-client/ca.h"
#include "station/app/output.h"

struct output_forwarded {
    const char *bench; // as it calls itself
    const char *serial;
    const char *profile;
    const char *ca;
    const char *call; // "submit", "fetch", "reconcile", "revoke"
    const struct ca_result *result;
};

void output_forwarded(struct output *output, const struct output_forwarded *forwarded);

#endif
