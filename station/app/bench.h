// SPDX-License-Identifier: Apache-2.0
// The bench: the slots' ports, opened, watched and opened again, between the loop and the pool.
#ifndef BIRTHCERT_APP_BENCH_H
#define BIRTHCERT_APP_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "station/app/config.h"
#include "station/base/error.h"
#include "station/core/pool.h"
#include "station/io/loop.h"

struct bench;

// True for a port error that ends by itself once a camera is plugged in.
bool bench_awaits_camera(enum error_code code);

// Called when a port cannot be opened, or fails, once per reason until something was heard on it.
typedef void bench_port_error(void *context, size_t slot, const struct error *error);

// `config` and `loop` must outlive the bench. The pool is set before the first action.
MUST_CHECK bool bench_new(struct loop *loop, const struct config *config,
                          bench_port_error *on_error, void *context, struct bench **bench,
                          struct error *error);
void bench_set_pool(struct bench *bench, struct pool *pool);
void bench_free(struct bench *bench); // takes NULL

// Performs a unit's action. Its outcome comes to the pool later, from the loop.
void bench_act(struct bench *bench, size_t slot, const struct unit *unit, enum unit_action action);

// True while an order other than probing and watching is in hand.
bool bench_is_busy(const struct bench *bench);

// Why nothing can be heard from the port; NULL where nothing is known to be wrong with it.
const struct error *bench_port_state(const struct bench *bench, size_t slot);

#endif
