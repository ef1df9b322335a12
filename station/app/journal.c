// SPDX-License-Identifier: Apache-2.0
#include "station/app/journal.h"

#include <assert.h>
#include <stdlib.h>

struct journal {
    struct loop *loop;
    const struct store_ops *ops;
    struct store *store;
    journal_done *done;
    void *context;
    struct batch *batch; // NULL: no commit runs
    struct error error;  // written by the thread, read after it
};

struct journal *journal_new(struct loop *loop, const struct store_ops *ops, struct store *store,
                            journal_done *done, void *context) {
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal != NULL) {
        *journal = (struct journal){
            .loop = loop, .ops = ops, .store = store, .done = done, .context = context};
    }
    return journal;
}

void journal_free(struct journal *journal) {
    assert(journal == NULL || journal->batch == NULL);
    free(journal);
}

static void run_commit(void *context) {
    struct journal *journal = context;
    journal->error.code = ERROR_NONE;
    if (!journal->ops->commit(journal->store, journal->batch, &journal->error)) {
        assert(journal->error.code != ERROR_NONE);
    }
}

static void end_commit(void *context) {
    struct journal *journal = context;
    journal->batch = NULL;
    journal->done(journal->context, journal->error.code != ERROR_NONE ? &journal->error : NULL);
}

bool journal_commit(struct journal *journal, struct batch *batch, struct error *error) {
    assert(journal->batch == NULL);
    journal->batch = batch;
    if (!loop_run_job(journal->loop, run_commit, end_commit, journal, error)) {
        journal->batch = NULL;
        return false;
    }
    return true;
}

bool journal_is_busy(const struct journal *journal) {
    return journal->batch != NULL;
}
