// SPDX-License-Identifier: Apache-2.0
// What each message holds, as data: one table that both message_encode and message_decode walk, so
// that the two cannot differ. Only for message_*.c.
#ifndef BIRTHCERT_PROTOCOL_MESSAGE_FIELDS_H
#define BIRTHCERT_PROTOCOL_MESSAGE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"

enum message_field_type {
    FIELD_U8,          // uint8_t, at most `limit`
    FIELD_U32,         // uint32_t
    FIELD_BOOL,        // bool
    FIELD_FIXED,       // uint8_t[limit]
    FIELD_SLICE,       // struct slice
    FIELD_TEXT,        // char[MESSAGE_TEXT_MAX + 1]
    FIELD_PERCENT,     // uint8_t, cut to 100
    FIELD_CODE,        // the error's code
    FIELD_HARDWARE_ID, // the info's hardware_id and its length
    FIELD_CREDENTIALS, // the info's array of maps, by message_credential_layout
    FIELD_KEY_TYPES,   // the info's array of integers
};

enum message_presence {
    PRESENCE_ALWAYS,
    PRESENCE_NOT_EMPTY, // left out where it is false or has no bytes
    PRESENCE_FLAGGED,   // there when the bool at `flag` is true; fields that share it come together
};

struct message_field {
    uint8_t key;
    enum message_field_type type;
    enum message_presence presence;
    size_t offset; // in struct message; in struct message_credential for a credential
    size_t flag;
    size_t limit;
};

#define MESSAGE_FIELDS_MAX 8 // of one message

struct message_layout {
    const struct message_field *fields; // by ascending key
    size_t count;
};

extern const struct message_layout message_credential_layout;

// The layout of the message, or NULL where version 1 has no such request or response. Progress and
// errors have one layout for every op, known or not.
const struct message_layout *message_layout_find(enum message_op op, enum frame_kind kind);

#endif
