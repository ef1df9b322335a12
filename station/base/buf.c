// SPDX-License-Identifier: Apache-2.0
#include "station/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buf {
    uint8_t *data; // capacity + 1 bytes: one more for the final NUL of buf_text
    size_t length;
    size_t capacity;
    size_t maximum;
};

struct buf *buf_new(size_t maximum) {
    struct buf *buf = calloc(1, sizeof *buf);
    if (buf == NULL) {
        return NULL;
    }
    buf->maximum = maximum;
    buf->data = calloc(1, 1);
    if (buf->data == NULL) {
        free(buf);
        return NULL;
    }
    return buf;
}

void buf_free(struct buf *buf) {
    if (buf != NULL) {
        free(buf->data);
        free(buf);
    }
}

void buf_free_secret(struct buf *buf) {
    if (buf != NULL) {
        explicit_bzero(buf->data, buf->capacity);
        buf_free(buf);
    }
}

// Grows by copying, never by realloc: a secret must not be left behind in freed memory.
static bool buf_reserve(struct buf *buf, size_t more) {
    if (more > buf->maximum - buf->length) {
        return false;
    }
    size_t need = buf->length + more;
    if (need <= buf->capacity) {
        return true;
    }
    size_t capacity = buf->capacity < 256 ? 256 : buf->capacity * 2;
    capacity = capacity < need ? need : capacity;
    capacity = capacity > buf->maximum ? buf->maximum : capacity;
    uint8_t *data = malloc(capacity + 1);
    if (data == NULL) {
        return false;
    }
    memcpy(data, buf->data, buf->length + 1);
    explicit_bzero(buf->data, buf->length);
    free(buf->data);
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

bool buf_put(struct buf *buf, const void *data, size_t length) {
    if (!buf_reserve(buf, length)) {
        return false;
    }
    if (length > 0) {
        memcpy(buf->data + buf->length, data, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
    return true;
}

bool buf_put_text(struct buf *buf, const char *text) {
    return buf_put(buf, text, strlen(text));
}

bool buf_printf(struct buf *buf, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    // vsnprintf writes a NUL behind the text, for which the buffer always has room.
    if (length < 0 || !buf_reserve(buf, (size_t)length)) {
        return false;
    }
    va_start(arguments, format);
    vsnprintf((char *)buf->data + buf->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buf->length += (size_t)length;
    return true;
}

void buf_consume(struct buf *buf, size_t length) {
    assert(length <= buf->length);
    memmove(buf->data, buf->data + length, buf->length - length + 1);
    buf->length -= length;
}

void buf_clear(struct buf *buf) {
    buf->length = 0;
    buf->data[0] = '\0';
}

struct slice buf_slice(const struct buf *buf) {
    return (struct slice){buf->data, buf->length};
}

size_t buf_length(const struct buf *buf) {
    return buf->length;
}

const char *buf_text(const struct buf *buf) {
    return (const char *)buf->data;
}
