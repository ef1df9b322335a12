// SPDX-License-Identifier: Apache-2.0
// One unit as a block of text for people, with all that is on record.
#ifndef BIRTHCERT_APP_OUTPUT_UNIT_TEXT_H
#define BIRTHCERT_APP_OUTPUT_UNIT_TEXT_H

#include <stdio.h>

#include "db/store.h"

// The unit's own fields. Bytes that a terminal could take for commands are written as \xNN.
void output_unit_text(FILE *out, const struct store_row *row);

// The credential of the row, its certificate and the time of each step; nothing where the row has
// no credential.
void output_credential_text(FILE *out, const struct store_row *row);

#endif
