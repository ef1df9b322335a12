// SPDX-License-Identifier: Apache-2.0
// The root and intermediate certificates that the configuration names.
#ifndef BIRTHCERT_APP_TRUST_H
#define BIRTHCERT_APP_TRUST_H

#include <stdbool.h>

#include "ca-client/ca.h"
#include "ca-client/x509.h"
#include "station/base/error.h"

// Whether the section names one: root_file, or for the embedded CA its own certificate.
bool trust_has_root(const struct ca_settings *settings);

// Reads what one section names. The caller frees `trust`. E_CA_CONFIG, also where it names no root.
MUST_CHECK bool trust_read(const struct ca_settings *settings, struct x509_trust **trust,
                           struct error *error);

#endif
