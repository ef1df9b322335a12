// SPDX-License-Identifier: Apache-2.0
// Shared by the parsers of HVCA answers only.
#ifndef BIRTHCERT_CA_HVCA_LOAD_H
#define BIRTHCERT_CA_HVCA_LOAD_H

#include <jansson.h>

#include "station/base/bytes.h"
#include "station/base/error.h"

// The JSON object in `body` under the limits of ca_hvca_json.h; NULL and E_CA_NONSENSE where there
// is none. The caller gives it back with json_decref.
json_t *hvca_load_object(struct slice body, const char *what, struct error *error);

#endif
