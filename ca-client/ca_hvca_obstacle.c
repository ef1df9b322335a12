// SPDX-License-Identifier: Apache-2.0
// Remembers which listed certificate keeps a request's scans from being complete, from one look-up
// to the next: without an end to it the request would stay in doubt for ever, and nobody be told.
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"

static struct hvca_obstacle *find_obstacle(struct ca *ca, int64_t request_id) {
    struct hvca_obstacle *free_one = NULL;
    for (size_t i = 0; i < HVCA_OBSTACLES_MAX; i++) {
        struct hvca_obstacle *obstacle = &ca->obstacles[i];
        if (obstacle->count > 0 && obstacle->request_id == request_id) {
            return obstacle;
        }
        if (obstacle->count == 0 && free_one == NULL) {
            free_one = obstacle;
        }
    }
    if (free_one == NULL) {
        free_one = &ca->obstacles[ca->next_obstacle++ % HVCA_OBSTACLES_MAX];
        free_one->count = 0;
    }
    return free_one;
}

uint32_t hvca_obstacle_count(struct ca *ca, int64_t request_id, const char *serial) {
    if (ca->obstacles == NULL) {
        ca->obstacles = calloc(HVCA_OBSTACLES_MAX, sizeof *ca->obstacles);
    }
    if (ca->obstacles == NULL) {
        return 1;
    }
    struct hvca_obstacle *obstacle = find_obstacle(ca, request_id);
    bool is_same = obstacle->count > 0 && strcmp(obstacle->serial, serial) == 0;
    obstacle->request_id = request_id;
    obstacle->count = is_same ? obstacle->count + 1 : 1;
    (void)text_copy(obstacle->serial, sizeof obstacle->serial, serial);
    return obstacle->count;
}

void hvca_obstacle_forget(struct ca *ca, int64_t request_id) {
    for (size_t i = 0; ca->obstacles != NULL && i < HVCA_OBSTACLES_MAX; i++) {
        if (ca->obstacles[i].request_id == request_id) {
            ca->obstacles[i].count = 0;
        }
    }
}
