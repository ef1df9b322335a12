// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/message.h"
#include "protocol/message_fields.h"

// ---- one value ----------------------------------------------------------------------------------

static bool read_uint(const struct cbor_item *item, uint64_t limit, uint64_t *value) {
    *value = item->value;
    return item->type == CBOR_UINT && item->value <= limit;
}

static bool store_u8(uint8_t *at, const struct cbor_item *item, uint64_t limit) {
    uint64_t value = 0;
    if (!read_uint(item, limit, &value)) {
        return false;
    }
    *at = (uint8_t)value;
    return true;
}

static bool store_u32(uint8_t *at, const struct cbor_item *item) {
    uint64_t value = 0;
    if (!read_uint(item, UINT32_MAX, &value)) {
        return false;
    }
    uint32_t narrow = (uint32_t)value;
    memcpy(at, &narrow, sizeof(narrow));
    return true;
}

static bool store_percent(uint8_t *at, const struct cbor_item *item) {
    *at = (uint8_t)(item->value > 100 ? 100 : item->value);
    return item->type == CBOR_UINT;
}

static bool store_bool(uint8_t *at, const struct cbor_item *item) {
    bool value = item->value != 0;
    memcpy(at, &value, sizeof(value));
    return item->type == CBOR_BOOL;
}

static bool store_fixed(uint8_t *at, const struct cbor_item *item, size_t size) {
    if (item->type != CBOR_BYTES || item->bytes.length != size) {
        return false;
    }
    memcpy(at, item->bytes.data, size);
    return true;
}

static bool store_slice(uint8_t *at, const struct cbor_item *item) {
    memcpy(at, &item->bytes, sizeof(item->bytes));
    return item->type == CBOR_BYTES;
}

// U+0000 is refused: the copy would end there, and compare equal to what it is not.
static bool store_text(uint8_t *at, const struct cbor_item *item) {
    size_t length = item->bytes.length;
    if (item->type != CBOR_TEXT || length > MESSAGE_TEXT_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (item->bytes.data[i] == 0) {
            return false;
        }
        at[i] = item->bytes.data[i];
    }
    at[length] = 0;
    return true;
}

static bool store_scalar(const struct message_field *field, const struct cbor_item *item,
                         uint8_t *base) {
    uint8_t *at = base + field->offset;
    if (field->presence == PRESENCE_FLAGGED) {
        bool present = true;
        memcpy(base + field->flag, &present, sizeof(present));
    }
    switch (field->type) {
    case FIELD_U8:
        return store_u8(at, item, field->limit);
    case FIELD_U32:
        return store_u32(at, item);
    case FIELD_BOOL:
        return store_bool(at, item);
    case FIELD_FIXED:
        return store_fixed(at, item, field->limit);
    case FIELD_SLICE:
        return store_slice(at, item);
    case FIELD_TEXT:
        return store_text(at, item);
    case FIELD_PERCENT:
        return store_percent(at, item);
    default:
        return false;
    }
}

// ---- the pairs of a map -------------------------------------------------------------------------

static size_t field_index(const struct message_layout *layout, const struct cbor_item *key) {
    for (size_t i = 0; key->type == CBOR_UINT && i < layout->count; i++) {
        if (layout->fields[i].key == key->value) {
            return i;
        }
    }
    return layout->count;
}

// Reads a pair's key and the head of its value; a pair that the layout does not know is skipped,
// and `*index` is then the layout's count.
static enum camera_error read_pair(struct cbor_reader *reader, const struct message_layout *layout,
                                   bool refuse_critical, size_t *index, struct cbor_item *value) {
    struct cbor_item key;
    if (!cbor_read(reader, &key)) {
        return CAMERA_MALFORMED;
    }
    *index = field_index(layout, &key);
    if (*index < layout->count) {
        return cbor_read(reader, value) ? CAMERA_OK : CAMERA_MALFORMED;
    }
    if (refuse_critical && key.type == CBOR_NEGATIVE) {
        return CAMERA_UNSUPPORTED_CRITICAL;
    }
    return cbor_skip(reader) ? CAMERA_OK : CAMERA_MALFORMED;
}

static bool is_complete(const struct message_layout *layout, const bool *seen,
                        const uint8_t *base) {
    for (size_t i = 0; i < layout->count; i++) {
        const struct message_field *field = &layout->fields[i];
        bool wanted = field->presence == PRESENCE_ALWAYS;
        if (field->presence == PRESENCE_FLAGGED) {
            memcpy(&wanted, base + field->flag, sizeof(wanted));
        }
        if (wanted && !seen[i]) {
            return false;
        }
    }
    return true;
}

// ---- the parts of an INFO -----------------------------------------------------------------------

static bool store_hardware_id(struct message_info *info, const struct cbor_item *item) {
    if (item->type != CBOR_BYTES || item->bytes.length > MESSAGE_HARDWARE_ID_MAX) {
        return false;
    }
    memcpy(info->hardware_id, item->bytes.data, item->bytes.length);
    info->hardware_id_length = item->bytes.length;
    return true;
}

static bool read_credential(struct cbor_reader *reader, struct message_credential *credential) {
    const struct message_layout *layout = &message_credential_layout;
    bool seen[MESSAGE_FIELDS_MAX] = {false};
    uint8_t *base = (uint8_t *)credential;
    struct cbor_item item;
    if (!cbor_read(reader, &item) || item.type != CBOR_MAP) {
        return false;
    }
    for (uint64_t pairs = item.value; pairs != 0; pairs--) {
        size_t index = 0;
        if (read_pair(reader, layout, false, &index, &item) != CAMERA_OK) {
            return false;
        }
        if (index < layout->count) {
            seen[index] = true;
            if (!store_scalar(&layout->fields[index], &item, base)) {
                return false;
            }
        }
    }
    return is_complete(layout, seen, base) &&
           credential->has_key == (credential->state != CREDENTIAL_EMPTY);
}

static bool read_credentials(struct cbor_reader *reader, const struct cbor_item *array,
                             struct message_info *info) {
    if (array->type != CBOR_ARRAY || array->value > MESSAGE_CREDENTIALS_MAX) {
        return false;
    }
    info->credential_count = (size_t)array->value;
    for (size_t i = 0; i < info->credential_count; i++) {
        if (!read_credential(reader, &info->credentials[i])) {
            return false;
        }
    }
    return true;
}

static bool read_key_types(struct cbor_reader *reader, const struct cbor_item *array,
                           struct message_info *info) {
    if (array->type != CBOR_ARRAY || array->value > MESSAGE_KEY_TYPES_MAX) {
        return false;
    }
    info->key_type_count = (size_t)array->value;
    for (size_t i = 0; i < info->key_type_count; i++) {
        struct cbor_item item;
        if (!cbor_read(reader, &item) || !store_u8(&info->key_types[i], &item, UINT8_MAX)) {
            return false;
        }
    }
    return true;
}

// ---- a message ----------------------------------------------------------------------------------

static bool store_code(struct message *message, const struct cbor_item *item) {
    bool known = item->value > CAMERA_OK && item->value <= CAMERA_NO_CREDENTIAL;
    message->error.code = known ? (enum camera_error)item->value : CAMERA_INTERNAL;
    return item->type == CBOR_UINT;
}

static bool store_member(struct cbor_reader *reader, const struct message_field *field,
                         const struct cbor_item *item, struct message *message) {
    switch (field->type) {
    case FIELD_CODE:
        return store_code(message, item);
    case FIELD_HARDWARE_ID:
        return store_hardware_id(&message->info, item);
    case FIELD_CREDENTIALS:
        return read_credentials(reader, item, &message->info);
    case FIELD_KEY_TYPES:
        return read_key_types(reader, item, &message->info);
    default:
        return store_scalar(field, item, (uint8_t *)message);
    }
}

static enum camera_error read_members(struct slice payload, const struct message_layout *layout,
                                      struct message *message) {
    bool seen[MESSAGE_FIELDS_MAX] = {false};
    struct cbor_reader reader = {payload};
    struct cbor_item item;
    if (!cbor_read(&reader, &item)) {
        return CAMERA_MALFORMED;
    }
    for (uint64_t pairs = item.value; pairs != 0; pairs--) {
        size_t index = 0;
        enum camera_error status =
            read_pair(&reader, layout, message->kind == FRAME_REQUEST, &index, &item);
        if (status != CAMERA_OK) {
            return status;
        }
        if (index < layout->count) {
            seen[index] = true;
            if (!store_member(&reader, &layout->fields[index], &item, message)) {
                return CAMERA_MALFORMED;
            }
        }
    }
    bool complete = is_complete(layout, seen, (const uint8_t *)message);
    return complete ? CAMERA_OK : CAMERA_MALFORMED;
}

enum camera_error message_decode(const struct frame *frame, struct message *message) {
    memset(message, 0, sizeof(*message));
    message->op = (enum message_op)frame->op;
    message->kind = frame->kind;
    if (!cbor_is_valid(frame->payload)) {
        return CAMERA_MALFORMED;
    }
    const struct message_layout *layout = message_layout_find(message->op, message->kind);
    return layout == NULL ? CAMERA_UNSUPPORTED_OP : read_members(frame->payload, layout, message);
}
