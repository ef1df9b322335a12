// SPDX-License-Identifier: Apache-2.0
// Base64 in the alphabet for URLs, without padding (RFC 4648, section 5), as JSON Web Signatures have
// it (RFC 7515, section 2).
#ifndef BIRTHCERT_CA_BASE64_URL_H
#define BIRTHCERT_CA_BASE64_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// Appends; false where `out` does not take it.
MUST_CHECK bool base64_url_put(struct buf *out, struct slice data);

// Reads text of exactly `length` bytes. False for any other length and for what is no such base64.
MUST_CHECK bool base64_url_read(const char *text, uint8_t *out, size_t length);

#endif
