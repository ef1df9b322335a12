// SPDX-License-Identifier: Apache-2.0
// What the tests of messages share. Each function that asserts fails the test that calls it.
#ifndef BIRTHCERT_TESTS_SUPPORT_MESSAGE_H
#define BIRTHCERT_TESTS_SUPPORT_MESSAGE_H

#include "protocol/message.h"

#define MESSAGE_BYTES_MAX 2048

// A message with every member 0.
struct message message_new(enum message_op op, enum frame_kind kind);

// Decodes a payload given in hex. What `message` points to is valid until the next call.
enum camera_error decode_hex(enum message_op op, enum frame_kind kind, const char *hex,
                             struct message *message);

// The same, for who wants only the outcome.
enum camera_error outcome(enum message_op op, enum frame_kind kind, const char *hex);

// Asserts that the message's payload is these bytes, in hex.
void assert_encodes(const struct message *message, const char *hex);

// Asserts that all members are equal, and the bytes where a member is a slice; `b` may be changed.
void assert_same_message(struct message *a, struct message *b);

#endif
