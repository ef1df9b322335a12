// SPDX-License-Identifier: Apache-2.0
// What goes into the journal and what comes back: plain values between the core, which decides,
// and a store, which keeps. No pointer in here owns anything.
//
// The persistent model: a unit is one camera, known by its serial. A unit has one row per
// credential that the profiles want filled. A credential has at most one request to the CA in
// progress, and at most one live certificate. Every record also leaves an event in the unit's
// history.
#ifndef BIRTHCERT_DB_RECORD_H
#define BIRTHCERT_DB_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/arena.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define SERIAL_SIZE 65 // 64 bytes (X.520 ub-serial-number) and a NUL
#define NAME_SIZE 65   // model, firmware, slot, lot, station, operator, profile, CA
#define HARDWARE_ID_MAX 32
#define HANDLE_SIZE 65   // a CA's own name for a request or certificate: for HVCA the serial in hex
#define ENDPOINT_SIZE 97 // where a request goes, in words: what of a CA's section identifies the CA
#define JOB_ID_SIZE 16
#define BOOT_ID_SIZE 8
#define UNIT_CREDENTIALS_MAX 4
#define OBJECT_MAX 16384          // a CSR or a certificate chain, DER
#define CERTIFICATE_SERIAL_MAX 20 // RFC 5280, section 4.1.2.2
#define REASON_SIZE 32            // of a revocation, by its name in RFC 5280, section 5.3.1

// The numbers are in the database: never change one.
enum unit_result {
    UNIT_OPEN = 0,
    UNIT_FAILED = 1,
    UNIT_PASSED = 2,
    UNIT_SCRAPPED = 3, // closed for good
};

enum request_state {
    REQUEST_NONE = 0,        // no CSR yet
    REQUEST_QUEUED = 1,      // in the outbox: not sent, or known not to have been issued
    REQUEST_SENT = 2,        // the intent is durable; the request may be on its way
    REQUEST_ACCEPTED = 3,    // the CA gave a handle and has not yet issued
    REQUEST_DOUBT = 4,       // the answer was lost: reconcile first
    REQUEST_HELD = 5,        // the CA cannot tell: a person decides
    REQUEST_REFUSED = 6,     // the CA said no, for good
    REQUEST_QUARANTINED = 7, // issued, and must not be installed
    REQUEST_ISSUED = 8,      // issued and checked
    REQUEST_WITHDRAWN = 9,   // the certificate is revoked, or was never asked for: none is due
    // Issued, checked and on record; the CA waits to hear so, and may revoke what it hears nothing of.
    REQUEST_UNCONFIRMED = 10,
};

// On its way to a certificate without a person's help: in the outbox, at the CA, or to be confirmed.
static inline bool request_is_pending(enum request_state state) {
    return (state >= REQUEST_QUEUED && state <= REQUEST_DOUBT) || state == REQUEST_UNCONFIRMED;
}

enum install_state {
    INSTALL_NONE = 0,
    INSTALL_STARTED = 1, // durable before the first byte of the chain is written
    INSTALL_DONE = 2,    // committed by the camera and read back
    INSTALL_PROVED = 3,  // the camera signed a fresh nonce with the installed key
};

enum certificate_state {
    CERTIFICATE_LIVE = 1,
    CERTIFICATE_QUARANTINED = 2,
    CERTIFICATE_REVOKING = 3,  // its CA is asked to revoke it, and has not said that it did
    CERTIFICATE_REVOKED = 4,   // its CA said so
    CERTIFICATE_WITHDRAWN = 5, // out of use here; its CA revokes nothing
};

// One credential as the store knows it.
struct credential_record {
    int64_t credential_id;
    uint8_t number;   // the camera's own number of the credential
    uint8_t key_type; // protocol/message.h
    char profile[NAME_SIZE];
    uint8_t job_id[JOB_ID_SIZE]; // chosen by the store at admission, random
    bool has_key;                // spki_sha256 is known
    uint8_t spki_sha256[SHA256_SIZE];
    enum request_state request;
    enum install_state install;
    enum error_code error; // of a request that is held, refused or quarantined
    bool has_old_key;      // RECORD_ADMIT: the camera holds a key of a board that was swapped
};

// One unit as the store knows it: the answer to RECORD_ADMIT. Its credentials are those that were
// wanted at the last admission; others that a key or a request was made for stay in the store.
struct unit_record {
    int64_t unit_id;
    bool is_new;
    enum unit_result result;
    uint32_t board; // which board it has: 1 until a rework
    char serial[SERIAL_SIZE];
    uint32_t credential_count;
    struct credential_record credentials[UNIT_CREDENTIALS_MAX];
};

// All that the CA side needs to ask for one certificate: the answer to RECORD_SENT and to
// RECORD_LOAD_REQUEST. Its slices live in the answer's bytes.
struct request_record {
    int64_t unit_id;
    int64_t credential_id;
    enum request_state state;
    enum error_code error; // why it is held, refused or quarantined
    uint32_t attempt;      // 1 for the first
    int64_t sent_ms;       // wall clock of the last attempt
    int64_t not_before_s;  // stamp that makes the request recognisable, Unix seconds; 0: none
    uint8_t key_type;
    uint8_t spki_sha256[SHA256_SIZE];
    char serial[SERIAL_SIZE];
    char model[NAME_SIZE];
    char profile[NAME_SIZE];
    char ca[NAME_SIZE];           // the CA that the last attempt was sent to, "" before the first
    char endpoint[ENDPOINT_SIZE]; // where that was; "": not known
    char handle[HANDLE_SIZE];     // "" until the CA gave one
    uint8_t hardware_id[HARDWARE_ID_MAX];
    size_t hardware_id_length;
    struct slice csr;
    struct slice
        offer; // of one that is UNCONFIRMED or QUARANTINED: see RECORD_CERTIFICATE; or empty
    // Of one that is QUARANTINED and has no offer: the last of its certificates in quarantine, and
    // what the CA gave with it, DER; OBJECT_MAX at most, together.
    struct slice leaf;
    struct slice extra;
    // The certificate of a board that was swapped, which the last attempt asked the CA to rekey: its serial
    // number in hex, and its end. "" for a request of its own.
    char replaces[HANDLE_SIZE];
    int64_t replaces_not_after_ms;
};

// A certificate, with the facts that the checks found in it.
struct certificate_record {
    uint8_t sha256[SHA256_SIZE];      // of the leaf's DER
    uint8_t spki_sha256[SHA256_SIZE]; // of the leaf's SubjectPublicKeyInfo
    uint8_t serial[CERTIFICATE_SERIAL_MAX];
    size_t serial_length;
    char issuer[256]; // RFC 4514 text, escaped
    char subject[256];
    int64_t not_before_ms;
    int64_t not_after_ms;
    struct slice chain; // DER one after the other, leaf first: exactly what is installed
    bool is_brought;    // by a person: it may be of an earlier attempt, which went elsewhere
};

enum record_kind {
    RECORD_ADMIT = 1, // a camera was identified; answer: unit
    RECORD_KEY = 2,   // the camera made a key (spki_sha256)
    RECORD_CSR = 3,   // its CSR is good (spki_sha256, bytes): into the outbox
    // Intent: the request leaves now (ca, endpoint, not_before_s, rekeys); answer: request.
    RECORD_SENT = 4,
    RECORD_REQUEST = 5, // the request's new state (request, handle, error)
    // What the CA issued; error says why it is quarantined. bytes: the CA's own message with it, where
    // the CA waits for an answer to that; the request is then UNCONFIRMED, if it is not quarantined.
    RECORD_CERTIFICATE = 6,
    RECORD_INSTALL = 7,           // new install state (install)
    RECORD_LOCKING = 8,           // the camera is asked to lock
    RECORD_RESULT = 9,            // the unit passed or failed (result, error)
    RECORD_EVENT = 10,            // history only (text)
    RECORD_LOAD_CERTIFICATE = 11, // reads the live certificate; answer: certificate
    RECORD_LOAD_REQUEST = 12,     // reads a request as it is; answer: request
    RECORD_REVOKING = 13,  // intent: the CA is asked to revoke it now (certificate_id, reason)
    RECORD_REVOKED = 14,   // the CA said that it is revoked (certificate_id)
    RECORD_WITHDRAWN = 15, // no longer used here, its CA revokes nothing (certificate_id, reason)
    RECORD_SCRAP = 16,     // the unit is closed for good, once no certificate of it is in use
    RECORD_REWORK = 17,    // a new board: the unit is open again; the old board's part stays
};

// What a unit must be given at admission. The model and the hardware id go into the names of a
// request: once there is one they stay as they are, and a report that differs is history. A unit
// that passed is opened again where a credential is wanted that is not proved.
struct admission {
    char serial[SERIAL_SIZE];
    char model[NAME_SIZE];
    char firmware[NAME_SIZE];
    uint8_t hardware_id[HARDWARE_ID_MAX];
    size_t hardware_id_length;
    uint8_t boot_id[BOOT_ID_SIZE];
    char lot[NAME_SIZE];     // "" where none was given
    char label[SERIAL_SIZE]; // the scanned serial, "" where none was
    uint32_t wanted_count;   // 0: nothing is said of them, and they stay as they were
    struct {
        uint8_t number;
        uint8_t key_type;
        char profile[NAME_SIZE];
        bool has_key; // the camera reports one: spki_sha256
        uint8_t spki_sha256[SHA256_SIZE];
    } wanted[UNIT_CREDENTIALS_MAX];
};

// One entry of a batch. Which members a kind uses stands beside the kind; the rest are zero.
struct record {
    enum record_kind kind;
    int64_t unit_id;
    int64_t credential_id; // 0 where the record is about the whole unit
    int64_t time_ms;       // wall clock
    char slot[NAME_SIZE];  // "" on the CA side
    enum error_code error;
    char text[ERROR_TEXT_MAX]; // for the history; escaped
    struct admission admission;
    uint8_t spki_sha256[SHA256_SIZE];
    enum request_state request;
    enum install_state install;
    enum unit_result result;
    char ca[NAME_SIZE];
    char endpoint[ENDPOINT_SIZE];
    char handle[HANDLE_SIZE];
    int64_t not_before_s;
    bool
        rekeys; // that CA can rekey what the new board's certificate supersedes: do so where there is one
    int64_t certificate_id;
    char reason[REASON_SIZE];
    struct certificate_record certificate;
    struct slice bytes;
};

// What the store says of one record. `code` is ERROR_NONE, or why this record, alone, was refused:
// E_STORE_CONFLICT, E_CSR_KEY_REUSED, E_CERT_DUPLICATE, E_STORE_UNKNOWN, E_UNIT_SCRAPPED,
// E_UNIT_KEY_CHANGED (a key of a board that was swapped). A refused record leaves nothing but an
// event of the refusal.
struct answer {
    enum error_code code;
    char text[ERROR_TEXT_MAX];
    union {
        struct unit_record unit;
        struct request_record request;
        struct certificate_record certificate;
    };
};

#define BATCH_MAX 2048

// Records that become durable together, in order; answers[i] belongs to records[i]. The slices of
// records lie in `bytes`, those of answers in `answer_bytes`; both live as long as the batch is not
// cleared.
struct batch {
    size_t count;
    struct record *records; // BATCH_MAX of each
    struct answer *answers;
    struct arena bytes;
    struct arena answer_bytes;
};

// An empty batch with room for BATCH_MAX records and `bytes_capacity` bytes of slices each way.
// NULL without memory. batch_free takes NULL.
struct batch *batch_new(size_t bytes_capacity);
void batch_free(struct batch *batch);
void batch_clear(struct batch *batch);

// Appends a copy of `record`; the slices it points at are copied too. False when the batch is full.
MUST_CHECK bool batch_put(struct batch *batch, const struct record *record);

#endif
