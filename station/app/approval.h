// SPDX-License-Identifier: Apache-2.0
// What two people stand for: the operator of the configuration asks, a second person approves.
#ifndef BIRTHCERT_APP_APPROVAL_H
#define BIRTHCERT_APP_APPROVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "station/app/config.h"
#include "station/base/error.h"

// Whether `approve` (of --approve; NULL: not given) is another person than the operator. `verb` is
// for the message. E_USAGE, E_CONFIG where nobody said who the operator is.
MUST_CHECK bool approval_check(const struct config *config, const char *verb, const char *approve,
                               struct error *error);
// "approved by NAME", escaped and cut, for the history.
void approval_text(const char *approve, char *out, size_t capacity);

#endif
