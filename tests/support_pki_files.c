// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support_pki.h"

static void need(bool good, const char *what) {
    if (!good) {
        perror(what);
        abort();
    }
}

void pki_folder_new(char out[64]) {
    snprintf(out, 64, "/tmp/birthcert-test-XXXXXX");
    need(mkdtemp(out) != NULL, out);
}

void pki_folder_remove(const char *folder) {
    DIR *entries = opendir(folder);
    need(entries != NULL, folder);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        unlinkat(dirfd(entries), entry->d_name, 0); // "." and ".." stay, being folders
    }
    closedir(entries);
    need(rmdir(folder) == 0, folder);
}

void pki_write_file(const char *folder, const char *name, mode_t mode, struct slice data,
                    char out_path[160]) {
    snprintf(out_path, 160, "%s/%s", folder, name);
    int descriptor = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    need(descriptor >= 0, out_path);
    need(write(descriptor, data.data, data.length) == (ssize_t)data.length, out_path);
    need(fchmod(descriptor, mode) == 0, out_path);
    need(close(descriptor) == 0, out_path);
}
