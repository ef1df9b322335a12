// SPDX-License-Identifier: Apache-2.0
// From what the files say to a configuration that was checked as a whole. For config*.c and tests.
#ifndef BIRTHCERT_APP_CONFIG_BUILD_H
#define BIRTHCERT_APP_CONFIG_BUILD_H

#include <stdbool.h>

#include "station/app/config.h"
#include "station/app/config_source.h"
#include "station/base/error.h"

// `file` is the configuration's own file: relative names are relative to its folder. As with
// config_load, *config is to be freed also after a failure. E_CONFIG, E_MEMORY.
MUST_CHECK bool config_build(const struct config_source *source, const char *file,
                             struct config **config, struct error *error);

// The part of `file` before its name, with the slash; "" where there is none. `capacity` bytes.
bool config_folder(const char *file, char *folder, size_t capacity);

#endif
