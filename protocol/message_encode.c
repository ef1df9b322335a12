// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "protocol/cbor.h"
#include "protocol/message.h"
#include "protocol/message_fields.h"

// Members are copied out, not cast to: a table's offset promises nothing about alignment.
static bool load_bool(const uint8_t *at) {
    bool value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t load_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static struct slice load_slice(const uint8_t *at) {
    struct slice value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static bool is_present(const struct message_field *field, const uint8_t *base) {
    switch (field->presence) {
    case PRESENCE_NOT_EMPTY:
        return field->type == FIELD_BOOL ? load_bool(base + field->offset)
                                         : load_slice(base + field->offset).length != 0;
    case PRESENCE_FLAGGED:
        return load_bool(base + field->flag);
    case PRESENCE_ALWAYS:
        break;
    }
    return true;
}

static size_t count_present(const struct message_layout *layout, const uint8_t *base) {
    size_t present = 0;
    for (size_t i = 0; i < layout->count; i++) {
        present += is_present(&layout->fields[i], base) ? 1 : 0;
    }
    return present;
}

static void put_scalar(struct cbor_writer *writer, const struct message_field *field,
                       const uint8_t *at) {
    switch (field->type) {
    case FIELD_U8:
        cbor_put_uint(writer, *at);
        break;
    case FIELD_PERCENT:
        cbor_put_uint(writer, *at > 100 ? 100 : *at);
        break;
    case FIELD_U32:
        cbor_put_uint(writer, load_u32(at));
        break;
    case FIELD_BOOL:
        cbor_put_bool(writer, load_bool(at));
        break;
    case FIELD_FIXED:
        cbor_put_bytes(writer, (struct slice){at, field->limit});
        break;
    case FIELD_SLICE:
        cbor_put_bytes(writer, load_slice(at));
        break;
    case FIELD_TEXT:
        cbor_put_text(writer, (const char *)at);
        break;
    default:
        writer->failed = true;
        break;
    }
}

static void put_hardware_id(struct cbor_writer *writer, const struct message_info *info) {
    if (info->hardware_id_length > MESSAGE_HARDWARE_ID_MAX) {
        writer->failed = true;
        return;
    }
    cbor_put_bytes(writer, (struct slice){info->hardware_id, info->hardware_id_length});
}

static void put_credential(struct cbor_writer *writer,
                           const struct message_credential *credential) {
    const struct message_layout *layout = &message_credential_layout;
    const uint8_t *base = (const uint8_t *)credential;
    cbor_put_map(writer, count_present(layout, base));
    for (size_t i = 0; i < layout->count; i++) {
        const struct message_field *field = &layout->fields[i];
        if (is_present(field, base)) {
            cbor_put_uint(writer, field->key);
            put_scalar(writer, field, base + field->offset);
        }
    }
}

static void put_credentials(struct cbor_writer *writer, const struct message_info *info) {
    if (info->credential_count > MESSAGE_CREDENTIALS_MAX) {
        writer->failed = true;
        return;
    }
    cbor_put_array(writer, info->credential_count);
    for (size_t i = 0; i < info->credential_count; i++) {
        put_credential(writer, &info->credentials[i]);
    }
}

static void put_key_types(struct cbor_writer *writer, const struct message_info *info) {
    if (info->key_type_count > MESSAGE_KEY_TYPES_MAX) {
        writer->failed = true;
        return;
    }
    cbor_put_array(writer, info->key_type_count);
    for (size_t i = 0; i < info->key_type_count; i++) {
        cbor_put_uint(writer, info->key_types[i]);
    }
}

static void put_code(struct cbor_writer *writer, enum camera_error code) {
    if (code == CAMERA_OK) {
        writer->failed = true;
        return;
    }
    cbor_put_uint(writer, (uint64_t)code);
}

static void put_member(struct cbor_writer *writer, const struct message_field *field,
                       const struct message *message) {
    cbor_put_uint(writer, field->key);
    switch (field->type) {
    case FIELD_CODE:
        put_code(writer, message->error.code);
        break;
    case FIELD_HARDWARE_ID:
        put_hardware_id(writer, &message->info);
        break;
    case FIELD_CREDENTIALS:
        put_credentials(writer, &message->info);
        break;
    case FIELD_KEY_TYPES:
        put_key_types(writer, &message->info);
        break;
    default:
        put_scalar(writer, field, (const uint8_t *)message + field->offset);
        break;
    }
}

size_t message_encode(uint8_t *out, size_t capacity, const struct message *message) {
    const struct message_layout *layout = message_layout_find(message->op, message->kind);
    if (layout == NULL) {
        return 0;
    }
    const uint8_t *base = (const uint8_t *)message;
    struct cbor_writer writer;
    cbor_writer_init(&writer, out, capacity);
    cbor_put_map(&writer, count_present(layout, base));
    for (size_t i = 0; i < layout->count; i++) {
        if (is_present(&layout->fields[i], base)) {
            put_member(&writer, &layout->fields[i], message);
        }
    }
    return writer.failed ? 0 : writer.used;
}
