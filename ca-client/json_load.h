// SPDX-License-Identifier: Apache-2.0
// JSON from outside, under caps: at most HTTP_BODY_MAX bytes where nothing else is said, JSON_DEPTH_MAX levels, no member
// twice. For backends only: jansson's values stay inside them.
#ifndef BIRTHCERT_CA_JSON_LOAD_H
#define BIRTHCERT_CA_JSON_LOAD_H

#include <jansson.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define JSON_DEPTH_MAX 16
// Of an answer longer than HTTP_BODY_MAX: objects and arrays, and all that stands between commas.
#define JSON_LONG_GROUPS_MAX 64
#define JSON_LONG_VALUES_MAX (512 * 1024)

// The object, or the array, in `body`; `what` it is the answer to is for the message. NULL and
// E_CA_NONSENSE where there is none. The caller gives it back with json_decref.
json_t *json_load_object(struct slice body, const char *what, struct error *error);
json_t *json_load_array(struct slice body, const char *what, struct error *error);

// The same for an answer that may be longer, up to `maximum` bytes; then it may not be made of many small
// parts (JSON_LONG_..).
json_t *json_load_long_object(struct slice body, size_t maximum, const char *what,
                              struct error *error);

// What a CA says for a person: the first of the members (NULL ends the list) that is a text, cut at
// `capacity` - 1, and as it is: error_set escapes it. "" where there is none, or no object.
void json_load_text(struct slice body, const char *const *members, char *out, size_t capacity);

// Whether that member of a CA's answer is true. False also where there is none, or no object.
bool json_load_flag(struct slice body, const char *member);

// Compact text of `root`, which is given back also after a failure, as the body of a request. The
// caller frees it. NULL and E_MEMORY where it is NULL or does not fit into `maximum` bytes.
struct buf *json_write(json_t *root, size_t maximum, struct error *error);

#endif
