// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "protocol/message.h"

#define NO_NAME "?"

static const char *name_at(const char *const *names, size_t count, size_t index) {
    return index < count && names[index] != NULL ? names[index] : NO_NAME;
}

const char *message_op_name(enum message_op op) {
    static const char *const names[] = {
        [OP_HELLO] = "HELLO",       [OP_INFO] = "INFO",       [OP_GENERATE_KEY] = "GENERATE_KEY",
        [OP_READ] = "READ",         [OP_WRITE] = "WRITE",     [OP_COMMIT] = "COMMIT",
        [OP_PROVE] = "PROVE",       [OP_FINISH] = "FINISH",   [OP_ABORT] = "ABORT",
        [OP_IDENTIFY] = "IDENTIFY", [OP_RESTART] = "RESTART",
    };
    return name_at(names, ARRAY_LENGTH(names), (size_t)op);
}

const char *camera_error_name(enum camera_error code) {
    static const char *const names[] = {
        [CAMERA_OK] = "OK",
        [CAMERA_MALFORMED] = "MALFORMED",
        [CAMERA_UNSUPPORTED_OP] = "UNSUPPORTED_OP",
        [CAMERA_UNSUPPORTED_CRITICAL] = "UNSUPPORTED_CRITICAL",
        [CAMERA_BAD_SESSION] = "BAD_SESSION",
        [CAMERA_BUSY] = "BUSY",
        [CAMERA_EXISTS] = "EXISTS",
        [CAMERA_NO_KEY] = "NO_KEY",
        [CAMERA_LOCKED] = "LOCKED",
        [CAMERA_KEY_MISMATCH] = "KEY_MISMATCH",
        [CAMERA_HASH_MISMATCH] = "HASH_MISMATCH",
        [CAMERA_TOO_LARGE] = "TOO_LARGE",
        [CAMERA_STORAGE] = "STORAGE",
        [CAMERA_ENTROPY] = "ENTROPY",
        [CAMERA_UNSUPPORTED_KEY] = "UNSUPPORTED_KEY",
        [CAMERA_INTERNAL] = "INTERNAL",
        [CAMERA_BAD_OFFSET] = "BAD_OFFSET",
        [CAMERA_BAD_CERTIFICATE] = "BAD_CERTIFICATE",
        [CAMERA_NO_CREDENTIAL] = "NO_CREDENTIAL",
    };
    return name_at(names, ARRAY_LENGTH(names), (size_t)code);
}

static const char *const key_type_names[] = {
    [KEY_P256] = "p256",        [KEY_P384] = "p384",        [KEY_RSA_2048] = "rsa2048",
    [KEY_RSA_3072] = "rsa3072", [KEY_RSA_4096] = "rsa4096", [KEY_ED25519] = "ed25519",
};

const char *key_type_name(enum key_type type) {
    return name_at(key_type_names, ARRAY_LENGTH(key_type_names), (size_t)type);
}

uint8_t key_type_from_name(const char *name) {
    size_t length = strlen(name) + 1;
    for (size_t i = KEY_P256; i < ARRAY_LENGTH(key_type_names); i++) {
        if (strlen(key_type_names[i]) + 1 == length &&
            memcmp(key_type_names[i], name, length) == 0) {
            return (uint8_t)i;
        }
    }
    return 0;
}
