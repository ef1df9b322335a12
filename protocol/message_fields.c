// SPDX-License-Identifier: Apache-2.0
#include "protocol/message_fields.h"

#define AT(member) offsetof(struct message, member)
#define U8(key, member)                                                                            \
    { key, FIELD_U8, PRESENCE_ALWAYS, AT(member), 0, UINT8_MAX }
#define U8_UP_TO(key, member, limit)                                                               \
    { key, FIELD_U8, PRESENCE_ALWAYS, AT(member), 0, limit }
#define U32(key, member)                                                                           \
    { key, FIELD_U32, PRESENCE_ALWAYS, AT(member), 0, 0 }
#define BOOL(key, member)                                                                          \
    { key, FIELD_BOOL, PRESENCE_ALWAYS, AT(member), 0, 0 }
#define FIXED(key, member, size)                                                                   \
    { key, FIELD_FIXED, PRESENCE_ALWAYS, AT(member), 0, size }
#define SLICE(key, member)                                                                         \
    { key, FIELD_SLICE, PRESENCE_ALWAYS, AT(member), 0, 0 }
#define TEXT(key, member)                                                                          \
    { key, FIELD_TEXT, PRESENCE_ALWAYS, AT(member), 0, 0 }
#define INFO_PART(key, type)                                                                       \
    { key, type, PRESENCE_ALWAYS, AT(info), 0, 0 }
#define LAYOUT(fields)                                                                             \
    { fields, ARRAY_LENGTH(fields) }

static const struct message_field hello[] = {
    U32(1, hello.max_payload),
};

static const struct message_field info[] = {
    TEXT(1, info.serial),
    TEXT(2, info.model),
    TEXT(3, info.firmware),
    INFO_PART(4, FIELD_HARDWARE_ID),
    U8_UP_TO(5, info.lifecycle, LIFECYCLE_LOCKED),
    INFO_PART(6, FIELD_CREDENTIALS),
    INFO_PART(7, FIELD_KEY_TYPES),
    FIXED(8, info.boot_id, MESSAGE_BOOT_ID_SIZE),
};

static const struct message_field generate_key[] = {
    U8(1, generate_key.credential),
    U8(2, generate_key.key_type),
    FIXED(3, generate_key.job_id, MESSAGE_JOB_ID_SIZE),
    {4, FIELD_SLICE, PRESENCE_NOT_EMPTY, AT(generate_key.subject), 0, 0},
    {5, FIELD_BOOL, PRESENCE_NOT_EMPTY, AT(generate_key.replace), 0, 0},
};

static const struct message_field generated[] = {
    FIXED(1, generated.spki_sha256, SHA256_SIZE),
    U32(2, generated.csr_size),
};

static const struct message_field read_request[] = {
    U8(1, read.object),
    U8(2, read.credential),
    U32(3, read.offset),
    U32(4, read.length),
};

static const struct message_field read_response[] = {
    U32(1, data.offset),
    SLICE(2, data.data),
    U32(3, data.total),
};

static const struct message_field write_request[] = {
    U8(1, write.object), U8(2, write.credential), U32(3, write.offset),
    U32(4, write.total), SLICE(5, write.data),
};

static const struct message_field write_response[] = {
    U32(1, written.next_offset),
};

static const struct message_field commit_request[] = {
    U8(1, commit.object),
    U8(2, commit.credential),
    FIXED(3, commit.sha256, SHA256_SIZE),
};

static const struct message_field commit_response[] = {
    FIXED(1, committed.sha256, SHA256_SIZE),
};

static const struct message_field prove_request[] = {
    U8(1, prove.credential),
    FIXED(2, prove.nonce, MESSAGE_NONCE_SIZE),
};

static const struct message_field prove_response[] = {
    SLICE(1, proof.signature),
    U8(2, proof.signature_algorithm),
    FIXED(3, proof.certificate_sha256, SHA256_SIZE),
};

static const struct message_field finish_request[] = {
    BOOL(1, finish.lock),
};

static const struct message_field finish_response[] = {
    U8_UP_TO(1, finished.lifecycle, LIFECYCLE_LOCKED),
};

static const struct message_field identify_request[] = {
    U32(1, identify.seconds),
};

static const struct message_field progress[] = {
    {1, FIELD_PERCENT, PRESENCE_FLAGGED, AT(progress.percent), AT(progress.has_percent), 0},
    U32(2, progress.max_silence_ms),
};

static const struct message_field error[] = {
    {1, FIELD_CODE, PRESENCE_ALWAYS, AT(error), 0, 0},
    TEXT(2, error.text),
    {3, FIELD_U32, PRESENCE_FLAGGED, AT(error.detail), AT(error.has_detail), 0},
};

#define IN_CREDENTIAL(member) offsetof(struct message_credential, member)
#define OF_KEY(key, member, size)                                                                  \
    { key, FIELD_FIXED, PRESENCE_FLAGGED, IN_CREDENTIAL(member), IN_CREDENTIAL(has_key), size }

static const struct message_field credential[] = {
    {1, FIELD_U8, PRESENCE_ALWAYS, IN_CREDENTIAL(number), 0, UINT8_MAX},
    {2, FIELD_U8, PRESENCE_ALWAYS, IN_CREDENTIAL(key_type), 0, UINT8_MAX},
    {3, FIELD_U8, PRESENCE_ALWAYS, IN_CREDENTIAL(state), 0, CREDENTIAL_INSTALLED},
    OF_KEY(4, spki_sha256, SHA256_SIZE),
    OF_KEY(5, job_id, MESSAGE_JOB_ID_SIZE),
};

const struct message_layout message_credential_layout = LAYOUT(credential);

static const struct message_layout progress_layout = LAYOUT(progress);
static const struct message_layout error_layout = LAYOUT(error);

static const struct message_layout requests[] = {
    [OP_HELLO] = LAYOUT(hello),
    [OP_INFO] = {NULL, 0},
    [OP_GENERATE_KEY] = LAYOUT(generate_key),
    [OP_READ] = LAYOUT(read_request),
    [OP_WRITE] = LAYOUT(write_request),
    [OP_COMMIT] = LAYOUT(commit_request),
    [OP_PROVE] = LAYOUT(prove_request),
    [OP_FINISH] = LAYOUT(finish_request),
    [OP_ABORT] = {NULL, 0},
    [OP_IDENTIFY] = LAYOUT(identify_request),
    [OP_RESTART] = {NULL, 0},
};

static const struct message_layout responses[] = {
    [OP_HELLO] = LAYOUT(hello),
    [OP_INFO] = LAYOUT(info),
    [OP_GENERATE_KEY] = LAYOUT(generated),
    [OP_READ] = LAYOUT(read_response),
    [OP_WRITE] = LAYOUT(write_response),
    [OP_COMMIT] = LAYOUT(commit_response),
    [OP_PROVE] = LAYOUT(prove_response),
    [OP_FINISH] = LAYOUT(finish_response),
    [OP_ABORT] = {NULL, 0},
    [OP_IDENTIFY] = {NULL, 0},
    [OP_RESTART] = {NULL, 0},
};

const struct message_layout *message_layout_find(enum message_op op, enum frame_kind kind) {
    if (kind == FRAME_PROGRESS) {
        return &progress_layout;
    }
    if (kind == FRAME_ERROR) {
        return &error_layout;
    }
    if (op < OP_HELLO || op > OP_RESTART) {
        return NULL;
    }
    return kind == FRAME_REQUEST ? &requests[op] : &responses[op];
}
