// SPDX-License-Identifier: Apache-2.0
// The cryptography of a port, by ca-client/x509.h.
#ifndef BIRTHCERT_APP_BENCH_CRYPTO_H
#define BIRTHCERT_APP_BENCH_CRYPTO_H

#include "station/core/port.h"

// Its context is the struct config, for the profiles.
extern const struct port_edge bench_crypto;

#endif
