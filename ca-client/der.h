// SPDX-License-Identifier: Apache-2.0
// The little of DER (X.690, section 10) that is read and written here without a library: elements
// with a tag of one byte and a definite, minimal length. Pure; safe on hostile input.
#ifndef BIRTHCERT_CA_DER_H
#define BIRTHCERT_CA_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"

enum der_tag {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80, // | number, primitive
    DER_CONTEXT_CONSTRUCTED = 0xa0,
};

struct der_element {
    uint8_t tag;
    struct slice content;
    struct slice whole; // tag and length too
};

// Takes the first element off the front of `rest`. False, and `rest` is as it was, where there is
// no well-formed one.
bool der_next(struct slice *rest, struct der_element *element);

// The same, and the element must have that tag.
bool der_expect(struct slice *rest, uint8_t tag, struct der_element *element);

// A writer into memory that the caller owns; `failed` is sticky and says that it did not fit.
struct der_writer {
    uint8_t *out;
    size_t capacity;
    size_t used;
    bool failed;
};

void der_writer_init(struct der_writer *writer, uint8_t *out, size_t capacity);
void der_put(struct der_writer *writer, uint8_t tag, struct slice content);

// What is put between the two becomes the content of one element: der_close takes what der_open
// returned.
size_t der_open(const struct der_writer *writer);
void der_close(struct der_writer *writer, size_t start, uint8_t tag);

// "1.3.6.1.4.1.32473.1"; false, and nothing put, where that is no OID, or an arc is over 2^32 - 1.
bool der_put_oid(struct der_writer *writer, const char *dotted);

#endif
