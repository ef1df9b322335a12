// SPDX-License-Identifier: Apache-2.0
// What everybody shares who writes to the configuration's database.
#ifndef BIRTHCERT_APP_WRITER_H
#define BIRTHCERT_APP_WRITER_H

#include <stdbool.h>

#include "db/store.h"
#include "station/app/config.h"
#include "station/base/error.h"

// Opens it under the configuration's station and operator. `mode` is STORE_CREATE or STORE_WRITE.
// The caller closes `*store`, which is NULL after a failure. E_STORE_*.
MUST_CHECK bool writer_open(const struct config *config, enum store_mode mode, struct store **store,
                            struct error *error);

// Makes the batch durable. False too where one of its records was refused, with that one's reason.
MUST_CHECK bool writer_commit(struct store *store, struct batch *batch, struct error *error);

#endif
