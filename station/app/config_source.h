// SPDX-License-Identifier: Apache-2.0
// The text of a configuration, read from its files: which sections there are, and what each of
// their keys was last set to, with file and line. For station/app/config*.c only.
#ifndef BIRTHCERT_APP_CONFIG_SOURCE_H
#define BIRTHCERT_APP_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/record.h"
#include "station/app/config_keys.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20) // bytes of one file
#define CONFIG_LINE_MAX 1000              // bytes of one line
#define CONFIG_FILES_MAX 64               // the file and its drop-ins
#define CONFIG_SETTINGS_MAX 4096

struct config_place {
    size_t file; // index into files
    unsigned line;
};

struct config_block {
    enum config_section section;
    char name[NAME_SIZE];      // "" for a section without a name
    struct config_place first; // its first header
    struct config_place last;  // its latest header, in another file
};

struct config_setting {
    const struct config_key *key;
    size_t block; // index into blocks
    char *value;
    struct config_place place;
};

struct config_source {
    size_t file_count;
    char *files[CONFIG_FILES_MAX]; // names, for messages
    size_t block_count;
    struct config_block *blocks; // in the order of their first headers
    size_t setting_count;
    struct config_setting *settings; // in the order in which they were first set
};

// An empty source, or NULL without memory; freeing takes NULL.
struct config_source *config_source_new(void);
void config_source_free(struct config_source *source);

// Adds a text or a file. What it sets takes the place of what earlier ones set. E_CONFIG,
// E_CONFIG_MISSING, E_MEMORY.
MUST_CHECK bool config_source_add_text(struct config_source *source, const char *file,
                                       struct slice text, struct error *error);
MUST_CHECK bool config_source_add_file(struct config_source *source, const char *file,
                                       struct error *error);

// Adds the files *.conf of a folder, in the order of their names; a missing folder is none.
MUST_CHECK bool config_source_add_folder(struct config_source *source, const char *folder,
                                         struct error *error);

// The key's setting in that block, or NULL.
const struct config_setting *config_source_find(const struct config_source *source, size_t block,
                                                const char *key);

// Puts "FILE:LINE: [section NAME]: " before the error's text; `block` may be NULL. Returns false.
bool config_source_blame(const struct config_source *source, struct config_place place,
                         const struct config_block *block, struct error *error);

// Sets E_CONFIG with that place and the text. Returns false.
bool config_source_fail(const struct config_source *source, struct config_place place,
                        const struct config_block *block, struct error *error, const char *format,
                        ...) PRINTF_LIKE(5, 6);

#endif
