// SPDX-License-Identifier: Apache-2.0
// For station/io/*.c only: libuv's own loop behind the loop.
#ifndef BIRTHCERT_IO_LOOP_UV_H
#define BIRTHCERT_IO_LOOP_UV_H

#include <uv.h>

#include "station/io/loop.h"

uv_loop_t *loop_uv(struct loop *loop);

#endif
