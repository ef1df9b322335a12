// SPDX-License-Identifier: Apache-2.0
#include "station/app/forward_attempts.h"

#include <stdlib.h>
#include <string.h>

#define IN_PROGRESS_MS 1000 // when to ask again after what is in progress

struct attempt {
    bool is_used;
    bool in_progress;
    uint8_t spki_sha256[SHA256_SIZE];
    int64_t sent_ms;         // of the last submission
    int64_t quiet_until_ms;  // scans before this say nothing
    uint64_t least_accepted; // submissions from older connections are not taken; 0: from all
    bool had_older;          // such a connection was open, so that the row is to be kept
};

struct attempts {
    size_t capacity;
    size_t end; // places from here on were never used
    struct attempt rows[];
};

struct attempts *attempts_new(size_t capacity) {
    struct attempts *attempts = calloc(1, sizeof *attempts + capacity * sizeof(struct attempt));
    if (attempts != NULL) {
        attempts->capacity = capacity;
    }
    return attempts;
}

void attempts_free(struct attempts *attempts) {
    free(attempts);
}

static struct attempt *find(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE]) {
    for (size_t i = 0; i < attempts->end; i++) {
        struct attempt *row = &attempts->rows[i];
        if (row->is_used && memcmp(row->spki_sha256, spki_sha256, SHA256_SIZE) == 0) {
            return row;
        }
    }
    return NULL;
}

// Few benches had an older connection when they looked. Whether it is still open is not known; the
// oldest of all says that it may be.
static bool is_needed(const struct attempt *row, uint64_t oldest, int64_t now_ms) {
    return row->in_progress || now_ms < row->quiet_until_ms ||
           (row->had_older && oldest < row->least_accepted);
}

static struct attempt *find_place(struct attempts *attempts, uint64_t oldest, int64_t now_ms) {
    if (attempts->end < attempts->capacity) {
        return &attempts->rows[attempts->end++];
    }
    for (size_t i = 0; i < attempts->capacity; i++) {
        if (!attempts->rows[i].is_used || !is_needed(&attempts->rows[i], oldest, now_ms)) {
            return &attempts->rows[i];
        }
    }
    return NULL;
}

static struct attempt *add(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE],
                           uint64_t oldest, int64_t now_ms) {
    struct attempt *row = find_place(attempts, oldest, now_ms);
    if (row != NULL) {
        *row = (struct attempt){.is_used = true};
        memcpy(row->spki_sha256, spki_sha256, SHA256_SIZE);
    }
    return row;
}

bool attempts_begin(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE],
                    int64_t sent_ms, const struct attempt_origin *origin, int64_t now_ms,
                    struct error *error) {
    struct attempt *row = find(attempts, spki_sha256);
    if (row != NULL && origin->connection < row->least_accepted) {
        return error_set(error, E_CA_DOUBT, "it was looked up since on a newer connection");
    }
    if (row != NULL &&
        (row->in_progress || now_ms < row->quiet_until_ms || row->sent_ms == sent_ms)) {
        return error_set(error, E_CA_DOUBT, "it was passed on before");
    }
    if (row == NULL) {
        row = add(attempts, spki_sha256, origin->oldest, now_ms);
    }
    if (row == NULL) {
        return error_set(error, E_CA_BUSY, "%zu requests have not settled yet", attempts->capacity);
    }
    row->in_progress = true;
    row->sent_ms = sent_ms;
    return true;
}

void attempts_end(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE], int64_t now_ms,
                  uint32_t quiet_ms) {
    struct attempt *row = find(attempts, spki_sha256);
    if (row != NULL) {
        row->in_progress = false;
        row->quiet_until_ms = now_ms + quiet_ms;
    }
}

int64_t attempts_look(struct attempts *attempts, const uint8_t spki_sha256[SHA256_SIZE],
                      const struct attempt_origin *origin, int64_t now_ms) {
    struct attempt *row = find(attempts, spki_sha256);
    if (row == NULL) {
        row = add(attempts, spki_sha256, origin->oldest, now_ms);
    }
    if (row == NULL) {
        return IN_PROGRESS_MS; // not noted, so it must not count
    }
    if (origin->connection > row->least_accepted) {
        row->least_accepted = origin->connection;
    }
    row->had_older = row->had_older || origin->has_older;
    if (row->in_progress) {
        return IN_PROGRESS_MS;
    }
    return now_ms < row->quiet_until_ms ? row->quiet_until_ms - now_ms : 0;
}
