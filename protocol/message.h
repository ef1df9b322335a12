// SPDX-License-Identifier: Apache-2.0
// Messages of the bench protocol, version 1 (PROTOCOL.md, sections 2 to 5): what a frame's payload
// says, as typed values. No allocation; a decoded message points into the payload it came from.
#ifndef BIRTHCERT_PROTOCOL_MESSAGE_H
#define BIRTHCERT_PROTOCOL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"
#include "station/base/bytes.h"

#define MESSAGE_TEXT_MAX 128
#define MESSAGE_OBJECT_MAX 16384
#define MESSAGE_JOB_ID_SIZE 16
#define MESSAGE_BOOT_ID_SIZE 8
#define MESSAGE_NONCE_SIZE 32
#define MESSAGE_CREDENTIALS_MAX 8 // of an INFO; a camera with more is refused as malformed
#define MESSAGE_KEY_TYPES_MAX 16
#define MESSAGE_HARDWARE_ID_MAX 32

enum message_op {
    OP_HELLO = 1,
    OP_INFO = 2,
    OP_GENERATE_KEY = 3,
    OP_READ = 4,
    OP_WRITE = 5,
    OP_COMMIT = 6,
    OP_PROVE = 7,
    OP_FINISH = 8,
    OP_ABORT = 9,
    OP_IDENTIFY = 10,
    OP_RESTART = 11,
};

enum key_type {
    KEY_P256 = 1,
    KEY_P384 = 2,
    KEY_RSA_2048 = 3,
    KEY_RSA_3072 = 4,
    KEY_RSA_4096 = 5,
    KEY_ED25519 = 6,
};

enum signature_algorithm {
    SIGNATURE_ECDSA_SHA256 = 1,
    SIGNATURE_ECDSA_SHA384 = 2,
    SIGNATURE_RSA_PSS_SHA256 = 3,
    SIGNATURE_RSA_PKCS1_SHA256 = 4,
    SIGNATURE_ED25519 = 5,
};

enum object_type { OBJECT_CSR = 1, OBJECT_CHAIN = 2, OBJECT_ATTESTATION = 3 };

enum credential_state { CREDENTIAL_EMPTY = 0, CREDENTIAL_KEY = 1, CREDENTIAL_INSTALLED = 2 };

enum lifecycle {
    LIFECYCLE_BLANK = 0,
    LIFECYCLE_IN_PROGRESS = 1,
    LIFECYCLE_PROVISIONED = 2,
    LIFECYCLE_LOCKED = 3,
};

enum camera_error {
    CAMERA_OK = 0, // never on the wire
    CAMERA_MALFORMED = 1,
    CAMERA_UNSUPPORTED_OP = 2,
    CAMERA_UNSUPPORTED_CRITICAL = 3,
    CAMERA_BAD_SESSION = 4,
    CAMERA_BUSY = 5, // detail: retry after ms
    CAMERA_EXISTS = 6,
    CAMERA_NO_KEY = 7,
    CAMERA_LOCKED = 8,
    CAMERA_KEY_MISMATCH = 9,
    CAMERA_HASH_MISMATCH = 10,
    CAMERA_TOO_LARGE = 11,
    CAMERA_STORAGE = 12,
    CAMERA_ENTROPY = 13,
    CAMERA_UNSUPPORTED_KEY = 14,
    CAMERA_INTERNAL = 15,
    CAMERA_BAD_OFFSET = 16, // detail: offset wanted
    CAMERA_BAD_CERTIFICATE = 17,
    CAMERA_NO_CREDENTIAL = 18,
};

struct message_credential {
    uint8_t number;
    uint8_t key_type;
    uint8_t state; // enum credential_state
    bool has_key;  // spki_sha256 and job_id are there
    uint8_t spki_sha256[SHA256_SIZE];
    uint8_t job_id[MESSAGE_JOB_ID_SIZE];
};

// Texts are NUL-terminated copies, since the reply's buffer does not live long. They are hostile.
struct message_info {
    char serial[MESSAGE_TEXT_MAX + 1];
    char model[MESSAGE_TEXT_MAX + 1];
    char firmware[MESSAGE_TEXT_MAX + 1];
    uint8_t hardware_id[MESSAGE_HARDWARE_ID_MAX];
    size_t hardware_id_length;
    uint8_t lifecycle;
    size_t credential_count;
    struct message_credential credentials[MESSAGE_CREDENTIALS_MAX];
    size_t key_type_count;
    uint8_t key_types[MESSAGE_KEY_TYPES_MAX];
    uint8_t boot_id[MESSAGE_BOOT_ID_SIZE];
};

// One message; `op` and `kind` say which member is meant. ABORT and RESTART have none, nor have the
// requests of INFO and the response of IDENTIFY.
struct message {
    enum message_op op;
    enum frame_kind kind;
    union {
        struct {
            uint32_t max_payload;
        } hello;                  // request and response
        struct message_info info; // response
        struct {
            uint8_t credential;
            uint8_t key_type;
            uint8_t job_id[MESSAGE_JOB_ID_SIZE];
            struct slice subject; // DER Name, empty: none
            bool replace;
        } generate_key;
        struct {
            uint8_t spki_sha256[SHA256_SIZE];
            uint32_t csr_size;
        } generated; // GENERATE_KEY's response
        struct {
            uint8_t object;
            uint8_t credential;
            uint32_t offset;
            uint32_t length;
        } read;
        struct {
            uint32_t offset;
            struct slice data;
            uint32_t total;
        } data; // READ's response
        struct {
            uint8_t object;
            uint8_t credential;
            uint32_t offset;
            uint32_t total;
            struct slice data;
        } write;
        struct {
            uint32_t next_offset;
        } written; // WRITE's response
        struct {
            uint8_t object;
            uint8_t credential;
            uint8_t sha256[SHA256_SIZE];
        } commit;
        struct {
            uint8_t sha256[SHA256_SIZE];
        } committed;
        struct {
            uint8_t credential;
            uint8_t nonce[MESSAGE_NONCE_SIZE];
        } prove;
        struct {
            struct slice signature;
            uint8_t signature_algorithm;
            uint8_t certificate_sha256[SHA256_SIZE];
        } proof;
        struct {
            bool lock;
        } finish;
        struct {
            uint8_t lifecycle;
        } finished;
        struct {
            uint32_t seconds;
        } identify;
        struct {
            bool has_percent;
            uint8_t percent; // at most 100; more is read as 100
            uint32_t max_silence_ms;
        } progress; // kind FRAME_PROGRESS, any op
        struct {
            enum camera_error code; // an unknown code is read as CAMERA_INTERNAL
            char text[MESSAGE_TEXT_MAX + 1];
            bool has_detail;
            uint32_t detail;
        } error; // kind FRAME_ERROR, any op
    };
};

// Writes the payload of `message` and returns its length, or 0 where it does not fit `capacity`.
size_t message_encode(uint8_t *out, size_t capacity, const struct message *message);

// Reads the payload of a frame into `message`. Returns CAMERA_OK, CAMERA_MALFORMED (also for a
// missing or ill-typed member, a wrong size, a text over its limit), CAMERA_UNSUPPORTED_OP or, for
// requests with an unknown negative key, CAMERA_UNSUPPORTED_CRITICAL. Unknown keys >= 0 are
// ignored.
enum camera_error message_decode(const struct frame *frame, struct message *message);

// "GENERATE_KEY", "KEY_MISMATCH", "p256"; "?" for what there is not.
const char *message_op_name(enum message_op op);
const char *camera_error_name(enum camera_error code);
const char *key_type_name(enum key_type type);

// The key type of a name ("p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519"); 0: none.
uint8_t key_type_from_name(const char *name);

#endif
