// SPDX-License-Identifier: Apache-2.0
// Typed members of a message, and the profile. For ca_outbox*.c only.
#ifndef BIRTHCERT_CA_OUTBOX_JSON_H
#define BIRTHCERT_CA_OUTBOX_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/profile.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

bool outbox_is_printable(const char *text); // ASCII

// ---- writing: a member that cannot be made is left out, and the reader misses it ------------------

void outbox_set_text(json_t *object, const char *key, const char *text); // UTF-8
// Escapes what is not printable ASCII.
void outbox_set_printable(json_t *object, const char *key, const char *text);
void outbox_set_integer(json_t *object, const char *key, int64_t value);
// Base64 (RFC 4648, section 4); left out where empty.
void outbox_set_bytes(json_t *object, const char *key, struct slice bytes);
// "code" and "text"; left out where there is no error.
void outbox_set_error(json_t *object, const struct error *error);
json_t *outbox_profile_object(const struct profile *profile);

// ---- reading: E_CA_NONSENSE with the member's name ------------------------------------------------

MUST_CHECK bool outbox_fail_member(struct error *error, const char *key);
// One that is missing is "".
MUST_CHECK bool outbox_get_text(const json_t *object, const char *key, char *out, size_t capacity,
                                struct error *error);
// One that is missing is `minimum`.
MUST_CHECK bool outbox_get_integer(const json_t *object, const char *key, int64_t minimum,
                                   int64_t maximum, int64_t *value, struct error *error);
// One that is missing is false.
MUST_CHECK bool outbox_get_flag(const json_t *object, const char *key, bool *value,
                                struct error *error);
// As outbox_get_text; nothing but printable ASCII.
MUST_CHECK bool outbox_get_printable(const json_t *object, const char *key, char *out,
                                     size_t capacity, struct error *error);
// Appends to `out` of `capacity` bytes at `used`; one that is missing is empty.
MUST_CHECK bool outbox_get_bytes(const json_t *object, const char *key, uint8_t *out,
                                 size_t capacity, size_t *used, struct slice *bytes,
                                 struct error *error);
// A code that this version does not know is E_CA_NONSENSE, and stands before the text.
MUST_CHECK bool outbox_get_error(const json_t *object, struct error *out, struct error *error);
// The profile's name alone.
MUST_CHECK bool outbox_get_profile_name(const json_t *object, struct profile *profile,
                                        struct error *error);
MUST_CHECK bool outbox_get_profile(const json_t *object, struct profile *profile,
                                   struct error *error);

#endif
