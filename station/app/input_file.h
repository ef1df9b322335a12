// SPDX-License-Identifier: Apache-2.0
// Reading a whole text file that a person wrote.
#ifndef BIRTHCERT_APP_INPUT_FILE_H
#define BIRTHCERT_APP_INPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "station/base/buf.h"
#include "station/base/error.h"

// Reads at most `maximum` bytes of a regular file into a new buffer, which the caller frees. A file
// that does not exist is the error `missing`; another kind of file, a larger one and what the
// system refuses is `other`. E_MEMORY.
MUST_CHECK bool input_file_read(const char *path, size_t maximum, enum error_code missing,
                                enum error_code other, struct buf **text, struct error *error);

#endif
