// SPDX-License-Identifier: Apache-2.0
// The byte-exact examples of the bench protocol, for the tests of its codecs.
#ifndef BIRTHCERT_TESTS_SUPPORT_VECTORS_H
#define BIRTHCERT_TESTS_SUPPORT_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"

#define VECTOR_BYTES_MAX 4096

struct vector_bytes {
    uint8_t data[VECTOR_BYTES_MAX];
    size_t length;
};

// fixtures/protocol-vectors.json, as seen from the root of the repository, where tests run. Never
// NULL: the test fails where the file cannot be read. The caller owns it.
json_t *vectors_load(void);

// An array of the vectors that is not empty; fails the test otherwise. Borrowed.
json_t *vectors_section(const json_t *vectors, const char *name);

// The bytes that a member spells in hex; fails the test where it does not.
void vector_bytes_of(struct vector_bytes *bytes, const json_t *vector, const char *member);

const char *vector_text(const json_t *vector, const char *member);

// The frame of one of the cases; its payload points into `payload`, which is filled too.
struct frame vector_frame(const json_t *vector, struct vector_bytes *payload);

#endif
