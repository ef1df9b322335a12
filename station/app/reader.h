// SPDX-License-Identifier: Apache-2.0
// What the verbs that only read share: the configuration's database, opened beside a station that
// may be writing to it, and results of which every byte must arrive.
#ifndef BIRTHCERT_APP_READER_H
#define BIRTHCERT_APP_READER_H

#include <stdbool.h>

#include "db/store.h"
#include "station/app/config.h"
#include "station/app/options.h"
#include "station/app/output.h"
#include "station/base/error.h"

struct reader {
    struct config *config;
    const struct store_ops *ops;
    struct store *store;
};

// Loads the configuration and opens its database. reader_close must follow, also after a failure.
// E_CONFIG*, E_STORE_*.
MUST_CHECK bool reader_open(struct reader *reader, const struct options *options,
                            struct error *error);
void reader_close(struct reader *reader);

// False once something could not be written to output->results: time to stop.
bool reader_can_write(const struct output *output);

// Flushes the results. E_SYSTEM where not all of them could be written (a full disk, a closed
// pipe).
MUST_CHECK bool reader_flush(struct output *output, struct error *error);

#endif
