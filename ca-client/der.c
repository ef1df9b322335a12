// SPDX-License-Identifier: Apache-2.0
#include "ca-client/der.h"

#include <assert.h>
#include <string.h>

#define LENGTH_BYTES_MAX 3 // 16 MiB, far over every cap

// Reads the length behind the tag; `*header` becomes the size of tag and length.
static bool read_length(struct slice input, size_t *header, size_t *length) {
    uint8_t first = input.data[1];
    if (first < 0x80) {
        *header = 2;
        *length = first;
        return true;
    }
    size_t count = first & 0x7f;
    if (count == 0 || count > LENGTH_BYTES_MAX || input.length < 2 + count || input.data[2] == 0) {
        return false;
    }
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        *length = *length << 8 | input.data[2 + i];
    }
    *header = 2 + count;
    return *length >= 0x80;
}

bool der_next(struct slice *rest, struct der_element *element) {
    size_t header;
    size_t length;
    if (rest->length < 2 || (rest->data[0] & 0x1f) == 0x1f ||
        !read_length(*rest, &header, &length) || length > rest->length - header) {
        return false;
    }
    element->tag = rest->data[0];
    element->content = (struct slice){rest->data + header, length};
    element->whole = (struct slice){rest->data, header + length};
    rest->data += header + length;
    rest->length -= header + length;
    return true;
}

bool der_expect(struct slice *rest, uint8_t tag, struct der_element *element) {
    return rest->length > 0 && rest->data[0] == tag && der_next(rest, element);
}

void der_writer_init(struct der_writer *writer, uint8_t *out, size_t capacity) {
    *writer = (struct der_writer){.out = out, .capacity = capacity};
}

static void put_raw(struct der_writer *writer, const void *data, size_t length) {
    if (writer->failed || length > writer->capacity - writer->used) {
        writer->failed = true;
        return;
    }
    if (length > 0) {
        memcpy(writer->out + writer->used, data, length);
    }
    writer->used += length;
}

size_t der_open(const struct der_writer *writer) {
    return writer->used;
}

static size_t make_header(uint8_t header[2 + LENGTH_BYTES_MAX], uint8_t tag, size_t length) {
    size_t count = length < 0x80 ? 0 : length <= 0xff ? 1 : length <= 0xffff ? 2 : 3;
    header[0] = tag;
    header[1] = (uint8_t)(count == 0 ? length : 0x80 | count);
    for (size_t i = 0; i < count; i++) {
        header[2 + i] = (uint8_t)(length >> (8 * (count - 1 - i)));
    }
    return 2 + count;
}

void der_close(struct der_writer *writer, size_t start, uint8_t tag) {
    uint8_t header[2 + LENGTH_BYTES_MAX];
    if (writer->failed) {
        return;
    }
    size_t length = writer->used - start;
    assert(length <= 0xffffff);
    size_t header_length = make_header(header, tag, length);
    put_raw(writer, header, header_length); // makes room, then the header moves to the front
    if (!writer->failed) {
        memmove(writer->out + start + header_length, writer->out + start, length);
        memcpy(writer->out + start, header, header_length);
    }
}

void der_put(struct der_writer *writer, uint8_t tag, struct slice content) {
    size_t start = der_open(writer);
    put_raw(writer, content.data, content.length);
    der_close(writer, start, tag);
}

static bool read_arc(const char **cursor, uint64_t *arc) {
    const char *start = *cursor;
    *arc = 0;
    while (**cursor >= '0' && **cursor <= '9' && *arc <= UINT32_MAX) {
        *arc = *arc * 10 + (uint64_t)(**cursor - '0');
        (*cursor)++;
    }
    bool leading_zero = start[0] == '0' && *cursor - start > 1;
    return *cursor > start && !leading_zero && *arc <= UINT32_MAX &&
           (**cursor == '.' || **cursor == '\0');
}

static void put_arc(struct der_writer *writer, uint64_t arc) {
    uint8_t bytes[10];
    size_t first = sizeof bytes - 1;
    bytes[first] = arc & 0x7f;
    while (arc >>= 7) {
        bytes[--first] = (uint8_t)(0x80 | (arc & 0x7f));
    }
    put_raw(writer, bytes + first, sizeof bytes - first);
}

bool der_put_oid(struct der_writer *writer, const char *dotted) {
    uint64_t first;
    uint64_t arc;
    const char *cursor = dotted;
    size_t start = der_open(writer);
    if (!read_arc(&cursor, &first) || *cursor++ != '.' || !read_arc(&cursor, &arc) || first > 2 ||
        (first < 2 && arc > 39)) {
        return false;
    }
    put_arc(writer, first * 40 + arc);
    while (*cursor != '\0') {
        cursor++;
        if (!read_arc(&cursor, &arc)) {
            writer->used = start;
            return false;
        }
        put_arc(writer, arc);
    }
    der_close(writer, start, DER_OID);
    return true;
}
