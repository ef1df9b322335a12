// SPDX-License-Identifier: Apache-2.0
#include "protocol/cbor.h"

#include <string.h>

enum cbor_major {
    MAJOR_UINT = 0,
    MAJOR_NEGATIVE = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_SIMPLE = 7,
};

#define SIMPLE_FALSE 20
#define SIMPLE_TRUE 21
#define HEAD_SIZE_MAX 9

// ---- writing ------------------------------------------------------------------------------------

void cbor_writer_init(struct cbor_writer *writer, uint8_t *out, size_t capacity) {
    *writer = (struct cbor_writer){.out = out, .capacity = capacity};
}

static void put_raw(struct cbor_writer *writer, const uint8_t *data, size_t length) {
    if (writer->failed || length > writer->capacity - writer->used) {
        writer->failed = true;
        return;
    }
    if (length != 0) {
        memcpy(writer->out + writer->used, data, length);
        writer->used += length;
    }
}

// The shortest head that holds `value` (RFC 8949, section 4.2.1).
static void put_head(struct cbor_writer *writer, enum cbor_major major, uint64_t value) {
    uint8_t head[HEAD_SIZE_MAX];
    uint8_t info;
    size_t length = 1;
    if (value < 24) {
        info = (uint8_t)value;
    } else if (value <= UINT8_MAX) {
        info = 24;
        head[1] = (uint8_t)value;
        length = 2;
    } else if (value <= UINT16_MAX) {
        info = 25;
        store_be16(head + 1, (uint16_t)value);
        length = 3;
    } else if (value <= UINT32_MAX) {
        info = 26;
        store_be32(head + 1, (uint32_t)value);
        length = 5;
    } else {
        info = 27;
        store_be64(head + 1, value);
        length = 9;
    }
    head[0] = (uint8_t)((uint8_t)major << 5 | info);
    put_raw(writer, head, length);
}

void cbor_put_uint(struct cbor_writer *writer, uint64_t value) {
    put_head(writer, MAJOR_UINT, value);
}

void cbor_put_bytes(struct cbor_writer *writer, struct slice bytes) {
    put_head(writer, MAJOR_BYTES, bytes.length);
    put_raw(writer, bytes.data, bytes.length);
}

void cbor_put_text(struct cbor_writer *writer, const char *text) {
    size_t length = strlen(text);
    put_head(writer, MAJOR_TEXT, length);
    put_raw(writer, (const uint8_t *)text, length);
}

void cbor_put_bool(struct cbor_writer *writer, bool value) {
    put_head(writer, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_array(struct cbor_writer *writer, size_t items) {
    put_head(writer, MAJOR_ARRAY, items);
}

void cbor_put_map(struct cbor_writer *writer, size_t pairs) {
    put_head(writer, MAJOR_MAP, pairs);
}

// ---- UTF-8 --------------------------------------------------------------------------------------

// The length of the character that `text` begins with, 0 where it is none (RFC 3629, section 4:
// nothing overlong, no surrogate, nothing above U+10FFFF).
static size_t utf8_character(struct slice text) {
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > text.length) {
        return 0;
    }
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (text.data[1] < low || text.data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool utf8_is_valid(struct slice text) {
    while (text.length != 0) {
        size_t length = utf8_character(text);
        if (length == 0) {
            return false;
        }
        text.data += length;
        text.length -= length;
    }
    return true;
}

// ---- reading ------------------------------------------------------------------------------------

static void drop(struct slice *rest, size_t length) {
    rest->data += length;
    rest->length -= length;
}

// The bytes behind the head's first that hold its value, for info 24 to 27.
static uint64_t load_value(const uint8_t *bytes, size_t size) {
    switch (size) {
    case 1:
        return bytes[0];
    case 2:
        return load_be16(bytes);
    case 4:
        return load_be32(bytes);
    default:
        return load_be64(bytes);
    }
}

static bool read_head(struct slice *rest, uint8_t *major, uint64_t *value) {
    static const uint64_t least[] = {24, UINT8_MAX + 1ULL, UINT16_MAX + 1ULL, UINT32_MAX + 1ULL};
    if (rest->length == 0) {
        return false;
    }
    *major = rest->data[0] >> 5;
    uint8_t info = rest->data[0] & 31;
    drop(rest, 1);
    if (info < 24) {
        *value = info;
        return true;
    }
    if (info > 27 || *major == MAJOR_SIMPLE) {
        return false;
    }
    size_t size = (size_t)1 << (info - 24);
    if (size > rest->length) {
        return false;
    }
    *value = load_value(rest->data, size);
    drop(rest, size);
    return *value >= least[info - 24];
}

static bool read_string(struct slice *rest, uint64_t length, struct slice *bytes) {
    if (length > rest->length) {
        return false;
    }
    *bytes = (struct slice){.data = rest->data, .length = (size_t)length};
    drop(rest, (size_t)length);
    return true;
}

static bool read_body(struct slice *rest, uint8_t major, struct cbor_item *item) {
    switch (major) {
    case MAJOR_UINT:
        item->type = CBOR_UINT;
        return true;
    case MAJOR_NEGATIVE:
        item->type = CBOR_NEGATIVE;
        return true;
    case MAJOR_BYTES:
        item->type = CBOR_BYTES;
        return read_string(rest, item->value, &item->bytes);
    case MAJOR_TEXT:
        item->type = CBOR_TEXT;
        return read_string(rest, item->value, &item->bytes) && utf8_is_valid(item->bytes);
    case MAJOR_ARRAY:
        item->type = CBOR_ARRAY;
        return item->value <= rest->length; // an item takes a byte at least
    case MAJOR_MAP:
        item->type = CBOR_MAP;
        return item->value <= rest->length / 2;
    case MAJOR_SIMPLE:
        item->type = CBOR_BOOL;
        if (item->value != SIMPLE_FALSE && item->value != SIMPLE_TRUE) {
            return false;
        }
        item->value -= SIMPLE_FALSE;
        return true;
    default: // tags
        return false;
    }
}

bool cbor_read(struct cbor_reader *reader, struct cbor_item *item) {
    uint8_t major = 0;
    *item = (struct cbor_item){0};
    return read_head(&reader->rest, &major, &item->value) && read_body(&reader->rest, major, item);
}

// How many items follow that belong to this one.
static uint64_t items_inside(const struct cbor_item *item) {
    if (item->type == CBOR_ARRAY) {
        return item->value;
    }
    return item->type == CBOR_MAP ? 2 * item->value : 0;
}

bool cbor_skip(struct cbor_reader *reader) {
    // Counts instead of calling itself: the input does not choose how deep the stack gets.
    for (uint64_t wanted = 1; wanted != 0; wanted--) {
        struct cbor_item item;
        if (!cbor_read(reader, &item)) {
            return false;
        }
        wanted += items_inside(&item);
    }
    return true;
}

// ---- checking -----------------------------------------------------------------------------------

// An array or a map that is being walked.
struct level {
    bool is_map;
    bool is_key; // the next item is a key
    bool has_previous;
    struct cbor_item previous; // key
    uint64_t wanted;           // items still to come
};

// Keys that are shortest sort by their bytes as they do by type, then by value.
static bool key_follows(const struct level *level, const struct cbor_item *key) {
    if (key->type != CBOR_UINT && key->type != CBOR_NEGATIVE) {
        return false;
    }
    if (!level->has_previous || key->type > level->previous.type) {
        return true;
    }
    return key->type == level->previous.type && key->value > level->previous.value;
}

static bool level_accept(struct level *level, const struct cbor_item *item) {
    level->wanted--;
    if (level->is_map && level->is_key) {
        if (!key_follows(level, item)) {
            return false;
        }
        level->previous = *item;
        level->has_previous = true;
        level->is_key = false;
        return true;
    }
    level->is_key = level->is_map;
    return item->type != CBOR_NEGATIVE;
}

static struct level level_open(const struct cbor_item *item) {
    bool is_map = item->type == CBOR_MAP;
    return (struct level){.is_map = is_map, .is_key = is_map, .wanted = items_inside(item)};
}

bool cbor_is_valid(struct slice payload) {
    struct cbor_reader reader = {payload};
    struct cbor_item item;
    if (!cbor_read(&reader, &item) || item.type != CBOR_MAP) {
        return false;
    }
    struct level levels[CBOR_DEPTH_MAX];
    size_t depth = 1;
    levels[0] = level_open(&item);
    while (depth != 0) {
        struct level *level = &levels[depth - 1];
        if (level->wanted == 0) {
            depth--;
            continue;
        }
        if (!cbor_read(&reader, &item) || !level_accept(level, &item)) {
            return false;
        }
        if (item.type == CBOR_ARRAY || item.type == CBOR_MAP) {
            if (depth == CBOR_DEPTH_MAX) {
                return false;
            }
            levels[depth] = level_open(&item);
            depth++;
        }
    }
    return reader.rest.length == 0;
}
