// SPDX-License-Identifier: Apache-2.0
// The tray manifest: a CSV file (RFC 4180) with the columns slot and, where serials are known
// beforehand, serial; other columns are ignored. Takes a BOM, CRLF, quotes and blank lines.
#ifndef BIRTHCERT_APP_MANIFEST_H
#define BIRTHCERT_APP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "station/app/config.h"
#include "station/base/error.h"

struct manifest_row {
    size_t slot;              // index into config->slots
    char serial[SERIAL_SIZE]; // "" where none is expected
    unsigned line;            // in the file, 1 for the first
};

struct manifest {
    size_t count;
    struct manifest_row rows[CONFIG_SLOTS_MAX];
};

// E_MANIFEST with file, line and what is wrong: a missing column, a slot that is unknown or given
// twice, a serial given twice or unusable, no rows, a file that is no CSV. Nothing is started then.
MUST_CHECK bool manifest_load(const char *path, const struct config *config,
                              struct manifest *manifest, struct error *error);

#endif
