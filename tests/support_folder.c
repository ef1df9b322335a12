// SPDX-License-Identifier: Apache-2.0
#include "tests/support_folder.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder_name[64];

void folder_make(void) {
    snprintf(folder_name, sizeof folder_name, "/tmp/birthcert-check.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder_name));
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(void) {
    nftw(folder_name, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void folder_path(char *out, size_t capacity, const char *name) {
    int length = snprintf(out, capacity, "%s/%s", folder_name, name);
    ck_assert(length > 0 && (size_t)length < capacity);
}

void folder_write(const char *name, const char *data, size_t length) {
    char path[256];
    folder_path(path, sizeof path, name);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, length, out), length);
    ck_assert_int_eq(fclose(out), 0);
}

void folder_write_text(const char *name, const char *text) {
    folder_write(name, text, strlen(text));
}
