// SPDX-License-Identifier: Apache-2.0
// A growing byte buffer with a hard maximum, for what comes from outside and for what is written.
#ifndef BIRTHCERT_BASE_BUF_H
#define BIRTHCERT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"
#include "station/base/error.h"

struct buf;

// A new empty buffer that never holds more than `maximum` bytes. Returns NULL without memory.
// The caller frees it with buf_free, which takes NULL.
struct buf *buf_new(size_t maximum);
void buf_free(struct buf *buf);

// Overwrites the whole buffer with zeros, then frees it: for secrets. Takes NULL.
void buf_free_secret(struct buf *buf);

// Appends. False, and the buffer is as it was, where the maximum or memory does not allow it.
MUST_CHECK bool buf_put(struct buf *buf, const void *data, size_t length);
MUST_CHECK bool buf_put_text(struct buf *buf, const char *text);
MUST_CHECK bool buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

// Drops the first `length` bytes; dropping more than there is is a programmer's error.
void buf_consume(struct buf *buf, size_t length);
void buf_clear(struct buf *buf);

// The bytes held, valid until the next call that changes the buffer. buf_text is NUL-terminated.
struct slice buf_slice(const struct buf *buf);
size_t buf_length(const struct buf *buf);
const char *buf_text(const struct buf *buf);

#endif
