// SPDX-License-Identifier: Apache-2.0
// The camera's half of the bench protocol, version 1 (PROTOCOL.md), for a camera's firmware: no
// allocation, no operating system, no clock, no cryptography of its own. Firmware feeds received
// bytes in and gives storage, keys and the way out through callbacks; every rule of the protocol is
// kept here.
//
//     static struct device device;
//     device_start(&device, &config, &ops, context);
//     for (;;) {
//         ... wait for bytes, or until device_poll asked to be called ...
//         device_receive(&device, now_ms, bytes);
//         wait_ms = device_poll(&device, now_ms);
//     }
//
// Stored, then answered: a keep_* callback returns CAMERA_OK only when what it was given survives a
// power cut, whole. Between any two callbacks the power may go: struct device holds what may be
// lost then, the storage what may not, and device_start goes on from there.
//
// Where PROTOCOL.md leaves it open, this library answers so: COMMIT of a chain that is not whole is
// BAD_OFFSET with the offset wanted; PROVE, and READ of a chain, without a certificate, and FINISH
// where no credential has one, are BAD_CERTIFICATE; a request with an older sequence number than the
// last one's, HELLO aside, is dropped; while a key is made, HELLO, INFO, IDENTIFY, ABORT and the same
// GENERATE_KEY are answered, all else is BUSY; a new session takes up the key generation in hand with
// its job_id, ABORT ends it.
#ifndef BIRTHCERT_PROTOCOL_DEVICE_H
#define BIRTHCERT_PROTOCOL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"
#include "protocol/message.h"
#include "station/base/bytes.h"

// Sizes that firmware may change when it compiles: they bound the memory of struct device.
#ifndef DEVICE_PAYLOAD_MAX
#define DEVICE_PAYLOAD_MAX 4096 // 512 to FRAME_PAYLOAD_MAX; three buffers of it
#endif
#ifndef DEVICE_CHAIN_MAX
#define DEVICE_CHAIN_MAX MESSAGE_OBJECT_MAX // the longest chain that can be installed
#endif
#ifndef DEVICE_CREDENTIALS_MAX
#define DEVICE_CREDENTIALS_MAX 4 // at most MESSAGE_CREDENTIALS_MAX
#endif
#define DEVICE_SIGNATURE_MAX 512 // RSA-4096

#define DEVICE_NO_WAIT INT64_MAX // device_poll: nothing to do before bytes come

// What a credential is, durably. `state` is enum credential_state; what belongs to a later state is
// zero. A plain value without pointers: firmware may store it as it is, with a checksum.
struct device_credential {
    uint8_t state;
    uint8_t key_type;
    uint8_t job_id[MESSAGE_JOB_ID_SIZE];
    uint8_t spki_sha256[SHA256_SIZE]; // of the SubjectPublicKeyInfo, DER
    uint32_t csr_size;
    uint32_t chain_size;
    uint8_t chain_sha256[SHA256_SIZE];
    uint8_t leaf_sha256[SHA256_SIZE];
};

// All zero is a blank camera. Credential number N is credentials[N - 1].
struct device_state {
    uint8_t lifecycle; // enum lifecycle
    struct device_credential credentials[DEVICE_CREDENTIALS_MAX];
};

// What the camera is. The caller keeps it, unchanged, as long as the device runs. Texts are UTF-8
// of at most MESSAGE_TEXT_MAX bytes; together they must leave INFO within the station's
// max_payload.
struct device_config {
    const char *serial;
    const char *model;
    const char *firmware;
    struct slice hardware_id; // MAC address or chip id, at most MESSAGE_HARDWARE_ID_MAX bytes
    const uint8_t *key_types; // enum key_type
    size_t key_type_count;    // 1 to MESSAGE_KEY_TYPES_MAX
    uint8_t credential_count; // 1 to DEVICE_CREDENTIALS_MAX
    uint8_t boot_id[MESSAGE_BOOT_ID_SIZE]; // random, new at each start
    uint16_t max_payload;                  // 512 to DEVICE_PAYLOAD_MAX; 0: DEVICE_PAYLOAD_MAX
    uint16_t usb_packet_size;              // wMaxPacketSize of the IN endpoint; 0: not USB
    uint32_t sign_block_ms;  // how long `sign` may block; over 500: a progress frame says so first
    uint32_t store_block_ms; // the same for certificate_check together with keep_chain
};

// How far key generation is. Filled by key_start and key_poll; zero before each call.
struct device_work {
    bool done; // `key_*` below are valid; the next callback is keep_key
    bool has_percent;
    uint8_t percent;
    uint32_t next_poll_ms; // when to call key_poll again at the latest; 0: at every device_poll
    uint32_t block_ms;     // how long the next key_poll may block the processor (0: not)
    uint8_t key_spki_sha256[SHA256_SIZE];
    uint32_t key_csr_size; // 1 to MESSAGE_OBJECT_MAX
};

// Callbacks get the context of device_start. They must not call device_* on the same device. Where
// one returns an error, its code goes to the station; one that a callback has no business with is
// sent as it is. Credential numbers are in range and keys exist where they must.
struct device_ops {
    // Sends all of `bytes`, which are valid during the call only. What cannot be sent is dropped:
    // the station repeats its request.
    void (*send)(void *context, struct slice bytes);

    // --- storage. Each call is atomic: after a power cut all of it is there, or nothing.

    // Reads what the last successful keep_* stored; a blank camera yields all zero. Called by
    // device_start, and again after a keep_* that failed, since it may have stored nevertheless.
    enum camera_error (*load)(void *context, struct device_state *state);

    // Stores the key that key_poll just finished, its CSR, and `state`, in one step; a former key,
    // CSR and chain of this credential are destroyed in it.
    enum camera_error (*keep_key)(void *context, uint8_t credential,
                                  const struct device_state *state);

    // Stores the chain and `state` in one step; replaces a former chain.
    enum camera_error (*keep_chain)(void *context, uint8_t credential, struct slice chain,
                                    const struct device_state *state);

    // Stores `state`: the lifecycle changed. LIFECYCLE_LOCKED must never be undone.
    enum camera_error (*keep_lifecycle)(void *context, const struct device_state *state);

    // Copies exactly `length` bytes of the stored CSR or chain from `offset` on; both are inside
    // it.
    enum camera_error (*read_object)(void *context, enum object_type object, uint8_t credential,
                                     uint32_t offset, uint8_t *out, size_t length);

    // --- keys. No callback gives a private key away.

    // Begins to make a key and, signed with it, a CSR: subject as given (DER Name; valid during the
    // call only; empty: the firmware's choice). Must not disturb the stored key. Returns quickly.
    // CAMERA_MALFORMED where the subject cannot be used, CAMERA_ENTROPY, CAMERA_UNSUPPORTED_KEY.
    enum camera_error (*key_start)(void *context, uint8_t credential, uint8_t key_type,
                                   struct slice subject, struct device_work *work);

    // Goes on, for a while or to the end. An error ends the work; nothing was made.
    enum camera_error (*key_poll)(void *context, struct device_work *work);

    // Forgets the work, or the finished key that was not kept: ABORT came, or keep_key failed (and
    // load does not show the key). May be NULL.
    void (*key_cancel)(void *context);

    // Reads the leaf, the first certificate of `chain`: the SHA-256 of its SubjectPublicKeyInfo
    // (DER) and its length in bytes. CAMERA_BAD_CERTIFICATE where the chain is not one DER
    // certificate after the other.
    enum camera_error (*certificate_check)(void *context, struct slice chain,
                                           uint8_t spki_sha256[SHA256_SIZE], size_t *leaf_length);

    // Signs `message` with the stored key. `signature` holds DEVICE_SIGNATURE_MAX bytes.
    enum camera_error (*sign)(void *context, uint8_t credential, struct slice message,
                              uint8_t *signature, size_t *length,
                              enum signature_algorithm *algorithm);

    void (*sha256)(void *context, struct slice data, uint8_t digest[SHA256_SIZE]);

    // --- optional: NULL answers UNSUPPORTED_OP

    // The attestation statement: its whole size in `total`, and up to `capacity` bytes from
    // `offset` on (offset may be past the end: 0 bytes) with their number in `length`.
    enum camera_error (*read_attestation)(void *context, uint8_t credential, uint32_t offset,
                                          uint8_t *out, size_t capacity, size_t *length,
                                          uint32_t *total);

    // Blinks for that long, without waiting for its end.
    enum camera_error (*identify)(void *context, uint32_t seconds);

    // Restarts the camera; the answer was given to `send` and has to leave first. May return.
    void (*restart)(void *context);
};

// RAM, lost at a power cut. Owned by the caller; its members are private to device*.c.
struct device {
    const struct device_config *config;
    const struct device_ops *ops;
    void *context;
    struct device_state state; // as stored
    struct frame_decoder decoder;

    bool has_session;
    uint32_t session;
    uint16_t sequence; // of the last request of the session
    uint8_t op;
    uint32_t request_crc; // of its payload: the same again is a repeat
    size_t max_payload;   // negotiated
    size_t answer_length; // in `wire`, for a repeat; 0: none kept

    struct {
        bool running;
        bool awaited; // the request below still waits for the answer
        uint8_t credential;
        uint8_t key_type;
        uint8_t job_id[MESSAGE_JOB_ID_SIZE];
        uint32_t session;
        uint16_t sequence;
        struct device_work work;
        int64_t poll_ms;     // when to call key_poll next
        int64_t progress_ms; // when to send progress next
    } generation;

    struct {
        uint8_t credential; // 0: nothing staged
        uint32_t total;
        uint32_t received;
        uint8_t data[DEVICE_CHAIN_MAX];
    } stage;

    uint8_t receive[FRAME_WIRE_MAX(DEVICE_PAYLOAD_MAX)];
    uint8_t payload[DEVICE_PAYLOAD_MAX];
    uint8_t wire[FRAME_WIRE_MAX(DEVICE_PAYLOAD_MAX)];
};

// Starts after power-on: forgets all that `device` held and loads what is stored. `config`, `ops`
// and `context` are kept. False where the configuration or what `load` yields breaks a bound above,
// or `load` fails: then the device answers nothing.
bool device_start(struct device *device, const struct device_config *config,
                  const struct device_ops *ops, void *context);

// Takes received bytes, in pieces of any size, and answers what is complete. `now_ms` is monotonic.
void device_receive(struct device *device, int64_t now_ms, struct slice bytes);

// Goes on with key generation and sends progress. Call it after device_receive and whenever the
// time that it returned has passed: milliseconds from now, or DEVICE_NO_WAIT.
int64_t device_poll(struct device *device, int64_t now_ms);

// The line hung up (cable out, host gone): drops what was half received. The session stays.
void device_hangup(struct device *device);

// What is stored, as the device knows it.
const struct device_state *device_stored(const struct device *device);

#endif
