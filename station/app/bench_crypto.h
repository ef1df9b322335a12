// SPDX-License-Identifier: Apache-2.0
// The cryptography of a port, by ca-client/x509.h.
#ifndef BIRTHCERT_APP_BENCH_CRYPTO_H
#define BIRTHCERT_APP_BENCH_CRYPTO_H

#include "station/app/config.h"
#include "station/base/error.h"
#include "station/core/port.h"

// Its context is the struct config, for the profiles.
extern const struct port_edge bench_crypto;

// Whether the profile's names can be filled with what the camera reports, for the credential that the
// unit is at: who has no names gets no certificate. E_CAM_NAMES; other codes of names_fill.
MUST_CHECK bool bench_check_names(const struct config *config, const struct unit *unit,
                                  struct error *error);

#endif
