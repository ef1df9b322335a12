// SPDX-License-Identifier: Apache-2.0
// The messages between a bench and `birthcert forward`, as docs/outbox.md has them: one JSON object a
// line. Pure functions on hostile bytes. For ca_outbox*.c and the forwarder.
#ifndef BIRTHCERT_CA_OUTBOX_MESSAGE_H
#define BIRTHCERT_CA_OUTBOX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define OUTBOX_PROTOCOL 1
#define OUTBOX_LINE_MAX ((size_t)64 * 1024) // with its newline
// Stamps lie no further back than this; where the CA's own window is smaller, none is passed on.
#define OUTBOX_STAMP_WINDOW_S 100
#define OUTBOX_NAME_SIZE 65
#define OUTBOX_SUBJECT_SIZE 129
#define OUTBOX_HARDWARE_ID_MAX 64
#define OUTBOX_BEHIND_MAX 16 // profiles that a greeting tells of

enum outbox_type {
    // of the forwarder
    OUTBOX_GREETING,
    OUTBOX_ALIVE,
    OUTBOX_FAREWELL,
    OUTBOX_RESULT,
    OUTBOX_REPORT,
    // of the bench
    OUTBOX_HELLO,
    OUTBOX_CHECK,
    OUTBOX_SUBMIT,
    OUTBOX_FETCH,
    OUTBOX_RECONCILE,
    OUTBOX_REVOKE,
    OUTBOX_TYPE_COUNT
};

// One message. Which members count goes by its type. What points, points into the struct.
struct outbox_message {
    enum outbox_type type;
    uint32_t call;       // from 1; of a call, and of the result or report that answers it
    uint32_t protocol;   // GREETING, HELLO
    uint32_t answer_ms;  // GREETING: a submit's answer takes no longer
    size_t behind_count; // GREETING
    struct ca_behind behind[OUTBOX_BEHIND_MAX];
    char name[OUTBOX_NAME_SIZE]; // GREETING: the program; HELLO: the bench
    struct error error;          // FAREWELL
    struct ca_request request;   // calls; of CHECK only the profile
    enum ca_revocation_reason reason;
    struct ca_result result; // RESULT; without id
    struct ca_report report; // REPORT; without clock_offset_ms
    int64_t ca_now_ms;       // REPORT: the CA's wall clock; 0: not known

    struct profile profile;
    char serial[OUTBOX_SUBJECT_SIZE];
    char model[OUTBOX_SUBJECT_SIZE];
    uint8_t hardware_id[OUTBOX_HARDWARE_ID_MAX];
    char handle[CA_HANDLE_SIZE];
    char endpoint[CA_ENDPOINT_SIZE];
    size_t used; // of bytes
    uint8_t bytes[OUTBOX_LINE_MAX];
};

// Reads one line, without its newline. Members that are not known are passed over; an unknown type,
// a member that is missing, of the wrong type, too long or out of range is E_CA_NONSENSE with its
// name.
MUST_CHECK bool outbox_read(struct slice line, struct outbox_message *message, struct error *error);

// Append one line. False without memory, or where the line would be longer than OUTBOX_LINE_MAX.
MUST_CHECK bool outbox_put_greeting(struct buf *out, const char *program, uint32_t answer_ms,
                                    const struct ca_behind *behind, size_t behind_count);
MUST_CHECK bool outbox_put_hello(struct buf *out, const char *bench);
MUST_CHECK bool outbox_put_alive(struct buf *out);
MUST_CHECK bool outbox_put_farewell(struct buf *out, const struct error *error);
MUST_CHECK bool outbox_put_call(struct buf *out, enum outbox_type type, uint32_t call,
                                const struct ca_request *request, enum ca_revocation_reason reason);
MUST_CHECK bool outbox_put_result(struct buf *out, uint32_t call, const struct ca_result *result);
// The CA's clock goes as a time, since the reader's clock may be another one than the writer's.
MUST_CHECK bool outbox_put_report(struct buf *out, uint32_t call, const struct ca_report *report);

// The first key of the configuration in which two profiles differ, of those that a message carries;
// NULL: none.
const char *outbox_profile_difference(const struct profile *a, const struct profile *b);

const char *outbox_type_name(enum outbox_type type);
const char *outbox_outcome_name(enum ca_outcome outcome);

#endif
