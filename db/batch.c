// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "db/store.h"

struct batch *batch_new(size_t bytes_capacity) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->records = calloc(BATCH_MAX, sizeof *batch->records);
    batch->answers = calloc(BATCH_MAX, sizeof *batch->answers);
    if (batch->records == NULL || batch->answers == NULL ||
        !arena_init(&batch->bytes, bytes_capacity) ||
        !arena_init(&batch->answer_bytes, bytes_capacity)) {
        batch_free(batch);
        return NULL;
    }
    return batch;
}

void batch_free(struct batch *batch) {
    if (batch == NULL) {
        return;
    }
    arena_release(&batch->bytes);
    arena_release(&batch->answer_bytes);
    free(batch->records);
    free(batch->answers);
    free(batch);
}

void batch_clear(struct batch *batch) {
    batch->count = 0;
    arena_clear(&batch->bytes);
    arena_clear(&batch->answer_bytes);
}

// The objects that an answer may carry: a CSR or a chain; a request that is looked up, its offer or
// its certificate too.
static size_t answer_objects(enum record_kind kind) {
    bool one = kind == RECORD_SENT || kind == RECORD_LOAD_CERTIFICATE;
    return kind == RECORD_LOAD_REQUEST ? 2 : one ? 1 : 0;
}

// Room for the answers is kept free here, so that a commit never has to give up half-way for want
// of it.
static bool has_answer_room(const struct batch *batch, enum record_kind kind) {
    size_t objects = answer_objects(kind);
    if (objects == 0) {
        return true;
    }
    for (size_t i = 0; i < batch->count; i++) {
        objects += answer_objects(batch->records[i].kind);
    }
    return objects * OBJECT_MAX <= batch->answer_bytes.capacity;
}

bool batch_put(struct batch *batch, const struct record *record) {
    if (batch->count == BATCH_MAX || !has_answer_room(batch, record->kind)) {
        return false;
    }
    size_t used = batch->bytes.used;
    struct slice bytes = {0};
    struct slice chain = {0};
    if (!arena_copy(&batch->bytes, record->bytes, &bytes) ||
        !arena_copy(&batch->bytes, record->certificate.chain, &chain)) {
        batch->bytes.used = used;
        return false;
    }
    struct record *copy = &batch->records[batch->count];
    *copy = *record;
    copy->bytes = bytes;
    copy->certificate.chain = chain;
    batch->count++;
    return true;
}
