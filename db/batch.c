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

static bool answer_has_bytes(enum record_kind kind) {
    return kind == RECORD_SENT || kind == RECORD_LOAD_CERTIFICATE || kind == RECORD_LOAD_REQUEST;
}

// Room for the answers is kept free here, so that a commit never has to give up half-way for want
// of it.
static bool has_answer_room(const struct batch *batch, enum record_kind kind) {
    if (!answer_has_bytes(kind)) {
        return true;
    }
    size_t answers = 1;
    for (size_t i = 0; i < batch->count; i++) {
        answers += answer_has_bytes(batch->records[i].kind) ? 1 : 0;
    }
    return answers * OBJECT_MAX <= batch->answer_bytes.capacity;
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
