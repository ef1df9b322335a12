// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4), in the forms in which CAs send it.
#ifndef BIRTHCERT_CA_BASE64_H
#define BIRTHCERT_CA_BASE64_H

#include <stdbool.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// Appends what `text` says. Blanks and line ends may stand anywhere, as if they were not there. False,
// and `out` is as it was, for anything else that is no base64, for none at all, and where it does not
// fit.
MUST_CHECK bool base64_decode(struct slice text, struct buf *out);

// Appends one line without an end, or with a newline behind every 64 characters (RFC 7468, section 2).
// False where it does not fit.
MUST_CHECK bool base64_encode(struct slice data, bool in_lines, struct buf *out);

#endif
