// SPDX-License-Identifier: Apache-2.0
// Time: milliseconds since 1970 (wall) and since an unknown start (monotonic), and ISO 8601 text.
#ifndef BIRTHCERT_BASE_CLOCK_H
#define BIRTHCERT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_monotonic_ms(void);

#define CLOCK_TEXT_SIZE 32

// "2026-03-01T12:34:56.789Z", always UTC. Takes years 0001 to 9999; "" for others and for 0.
void clock_format_utc(char out[CLOCK_TEXT_SIZE], int64_t wall_ms);

// Reads "2026-03-01", "2026-03-01T12:34", with seconds, with a fraction, with or without Z: always
// UTC. False for anything else, and for days and hours that do not exist.
bool clock_parse_utc(const char *text, int64_t *wall_ms);

#endif
