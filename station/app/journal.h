// SPDX-License-Identifier: Apache-2.0
// The journal: commits the pool's batches on a thread of the store's own, one at a time.
#ifndef BIRTHCERT_APP_JOURNAL_H
#define BIRTHCERT_APP_JOURNAL_H

#include <stdbool.h>

#include "db/store.h"
#include "station/base/error.h"
#include "station/io/loop.h"

struct journal;

// Called on the loop when the batch is durable, or, with an error, when nothing of it is.
typedef void journal_done(void *context, const struct error *error);

// `store` stays the caller's, and must be left alone while a commit runs. NULL without memory.
struct journal *journal_new(struct loop *loop, const struct store_ops *ops, struct store *store,
                            journal_done *done, void *context);
void journal_free(struct journal *journal); // takes NULL; no commit may be running

// Starts a commit; none may be running. The batch must stay until `done`.
MUST_CHECK bool journal_commit(struct journal *journal, struct batch *batch, struct error *error);

bool journal_is_busy(const struct journal *journal);

#endif
