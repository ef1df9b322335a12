// SPDX-License-Identifier: Apache-2.0
// For tests: a folder of their own, which is removed with all that is in it.
#ifndef BIRTHCERT_TESTS_SUPPORT_FOLDER_H
#define BIRTHCERT_TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

extern char folder_name[64];

void folder_make(void);
void folder_remove(void);

// "FOLDER/name" into `out`.
void folder_path(char *out, size_t capacity, const char *name);

void folder_write(const char *name, const char *data, size_t length);
void folder_write_text(const char *name, const char *text);

#endif
