// SPDX-License-Identifier: Apache-2.0
// Secrets in files: private keys, API secrets. A file that others could read or write is refused,
// and what is read is wiped when it is freed.
//
// A path "credential:NAME" means the file NAME of $CREDENTIALS_DIRECTORY, where systemd puts a
// service's credentials (systemd.exec(5), LoadCredential=).
#ifndef BIRTHCERT_BASE_SECRET_H
#define BIRTHCERT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "station/base/buf.h"
#include "station/base/error.h"

// Reads a whole secret of 1 to `maximum` bytes, as it is (also with a newline at its end). The file
// must be a regular one (a link to one is followed), owned by this process's user or by root, with
// no permission for group and others. The caller frees `*out` with buf_free_secret; it is NULL
// after a failure. E_SECRET_MISSING (also for an empty file and one over `maximum`),
// E_SECRET_EXPOSED, E_MEMORY.
MUST_CHECK bool secret_read(const char *path, size_t maximum, struct buf **out,
                            struct error *error);

// Reads a secret that is one line of printable ASCII, without the blanks and newlines that editors
// put at its end: a password, a token, an API key. E_SECRET_MISSING also where it is no such line.
MUST_CHECK bool secret_read_line(const char *path, size_t maximum, struct buf **out,
                                 struct error *error);

// The same checks without reading: for doctor, and for a library that opens the file by itself
// (which leaves a gap between check and use, so prefer secret_read).
MUST_CHECK bool secret_check(const char *path, struct error *error);

#endif
