// SPDX-License-Identifier: Apache-2.0
// A request for a certificate as JSON, for whoever issues outside of a CA's own protocol: a site's
// program (docs/exec.md) and the bundle that is carried to an offline CA (docs/file.md).
#ifndef BIRTHCERT_CA_JSON_REQUEST_H
#define BIRTHCERT_CA_JSON_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "ca-client/ca.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// Each adds members to an object; false without memory, for text that is no UTF-8, and where
// `object` or `value` is NULL. `value` is taken over.
bool json_put(json_t *object, const char *name, json_t *value);
// "" is left out.
bool json_put_text(json_t *object, const char *name, const char *value);
// Also sets the error.
bool json_put_pem(json_t *object, const char *name, struct slice der, const char *label,
                  struct error *error);
// What is the same for every camera of the profile: extended_key_usages, validity_days.
bool json_put_terms(json_t *object, const struct profile *profile);
// All of one request. E_CONFIG and E_CAM_MALFORMED where a name does not fill; for the other failures
// the caller has set an error before.
bool json_put_request(json_t *object, const struct ca_request *request, struct error *error);

#endif
