// SPDX-License-Identifier: Apache-2.0
// The files that a configuration is read from.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/config_source.h"
#include "station/app/input_file.h"
#include "station/base/buf.h"

bool config_source_add_file(struct config_source *source, const char *file, struct error *error) {
    struct buf *text = NULL;
    if (!input_file_read(file, CONFIG_FILE_MAX, E_CONFIG_MISSING, E_CONFIG, &text, error)) {
        return false;
    }
    bool is_added = config_source_add_text(source, file, buf_slice(text), error);
    buf_free(text);
    return is_added;
}

static int is_drop_in(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".conf") == 0;
}

// By bytes: an order that does not depend on the locale.
static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_drop_in(struct config_source *source, const char *folder, const char *name,
                        struct error *error) {
    char file[1024];
    int length = snprintf(file, sizeof file, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof file) {
        return error_set(error, E_CONFIG, "%s: the path is too long", name);
    }
    if (!config_source_add_file(source, file, error)) {
        // A link that leads nowhere: the configuration itself is not missing.
        error->code = error->code == E_CONFIG_MISSING ? E_CONFIG : error->code;
        return false;
    }
    return true;
}

bool config_source_add_folder(struct config_source *source, const char *folder,
                              struct error *error) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_drop_in, compare_names);
    if (count < 0) {
        return errno == ENOENT || error_set(error, E_CONFIG, "%s: %s", folder, strerror(errno));
    }
    bool is_added = true;
    for (int i = 0; i < count; i++) {
        is_added = is_added && add_drop_in(source, folder, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return is_added;
}
