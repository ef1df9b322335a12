// SPDX-License-Identifier: Apache-2.0
// Text that may hold anything, made safe for a terminal.
#ifndef BIRTHCERT_APP_OUTPUT_SAFE_H
#define BIRTHCERT_APP_OUTPUT_SAFE_H

#define OUTPUT_SAFE_SIZE 2048

// Copies `text` to `out` as text_escape does, cut at OUTPUT_SAFE_SIZE - 1. Returns `out`.
const char *output_safe(char out[OUTPUT_SAFE_SIZE], const char *text);

// The safe copy of `text`, which lives as long as the block that this stands in.
#define SAFE(text) output_safe((char[OUTPUT_SAFE_SIZE]){0}, text)

#endif
