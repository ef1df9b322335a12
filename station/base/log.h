// SPDX-License-Identifier: Apache-2.0
// The log: one line to stderr per call, for the line engineer. Results never go here.
#ifndef BIRTHCERT_BASE_LOG_H
#define BIRTHCERT_BASE_LOG_H

#include <stdbool.h>

#include "station/base/error.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

// With the next one the only mutable globals of the program. LOG_WARNING until set.
void log_set_level(enum log_level level);
// Whether each line is an object of JSON with `type` "log", for machines. False until set.
void log_set_json(bool json);
bool log_enabled(enum log_level level);

// One line, control characters escaped, cut at 1,000 bytes. Never give it a secret.
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

// "E-CODE text; what to do", with the context ("slot 3, serial X") in front.
void log_error(const char *context, const struct error *error);

#endif
