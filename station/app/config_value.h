// SPDX-License-Identifier: Apache-2.0
// The text of one setting into its place. For station/app/config*.c only.
#ifndef BIRTHCERT_APP_CONFIG_VALUE_H
#define BIRTHCERT_APP_CONFIG_VALUE_H

#include <stdbool.h>

#include "station/app/config_keys.h"
#include "station/base/error.h"

// Reads `value` into the key's member of `base`, the section's struct. File names that are not
// absolute are put behind `folder` ("" for none, else with its final slash). What a pointer member
// held before is freed. E_CONFIG with what is wrong and what is allowed, without the place;
// E_MEMORY.
MUST_CHECK bool config_value_set(const struct config_key *key, const char *value,
                                 const char *folder, void *base, struct error *error);

#endif
