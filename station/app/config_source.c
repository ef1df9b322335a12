// SPDX-License-Identifier: Apache-2.0
#include "station/app/config_source.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// No more sections than the maxima of the table allow together.
#define BLOCKS_MAX 512
#define FILE_SHOWN_MAX 100

// One text while it is read.
struct reading {
    struct config_source *source;
    struct slice rest;
    struct config_place place;  // of the line that the parser has now
    struct config_block *block; // NULL before the first header
    struct error error;         // of the first fault; code is ERROR_NONE until then
};

struct config_source *config_source_new(void) {
    struct config_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return NULL;
    }
    source->blocks = calloc(BLOCKS_MAX, sizeof *source->blocks);
    source->settings = calloc(CONFIG_SETTINGS_MAX, sizeof *source->settings);
    if (source->blocks == NULL || source->settings == NULL) {
        config_source_free(source);
        return NULL;
    }
    return source;
}

void config_source_free(struct config_source *source) {
    if (source == NULL) {
        return;
    }
    for (size_t i = 0; i < source->file_count; i++) {
        free(source->files[i]);
    }
    for (size_t i = 0; i < source->setting_count; i++) {
        free(source->settings[i].value);
    }
    free(source->blocks);
    free(source->settings);
    free(source);
}

bool config_source_blame(const struct config_source *source, struct config_place place,
                         const struct config_block *block, struct error *error) {
    // A long path loses its front, so that the message keeps its end.
    const char *file = source->files[place.file];
    size_t length = strlen(file);
    bool is_cut = length > FILE_SHOWN_MAX;
    file += is_cut ? length - FILE_SHOWN_MAX : 0;
    if (block == NULL) {
        return error_prefix(error, "%s%s:%u", is_cut ? "..." : "", file, place.line);
    }
    return error_prefix(error, "%s%s:%u: [%s%s%s]", is_cut ? "..." : "", file, place.line,
                        config_sections[block->section].name, block->name[0] != '\0' ? " " : "",
                        block->name);
}

bool config_source_fail(const struct config_source *source, struct config_place place,
                        const struct config_block *block, struct error *error, const char *format,
                        ...) {
    char text[ERROR_TEXT_MAX + 1]; // what is longer, error_set has to see as longer
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(error, E_CONFIG, "%s", text);
    return config_source_blame(source, place, block, error);
}

#define FAIL(reading, ...)                                                                         \
    config_source_fail((reading)->source, (reading)->place, (reading)->block, &(reading)->error,   \
                       __VA_ARGS__)

static struct config_block *find_block(struct config_source *source, enum config_section section,
                                       const char *name, size_t *count) {
    struct config_block *found = NULL;
    *count = 0;
    for (size_t i = 0; i < source->block_count; i++) {
        if (source->blocks[i].section == section) {
            (*count)++;
            found = strcmp(source->blocks[i].name, name) == 0 ? &source->blocks[i] : found;
        }
    }
    return found;
}

// A section that comes again in a later file adds to the first; in the same file it is a mistake.
static bool enter_block(struct reading *reading, enum config_section section, const char *name) {
    struct config_source *source = reading->source;
    size_t count = 0;
    struct config_block *block = find_block(source, section, name, &count);
    reading->block = NULL;
    if (block != NULL && block->last.file == reading->place.file) {
        return FAIL(reading, "[%s%s%s] is already there, on line %u", config_sections[section].name,
                    name[0] != '\0' ? " " : "", name, block->last.line);
    }
    if (block == NULL) {
        if (count >= config_sections[section].maximum || source->block_count >= BLOCKS_MAX) {
            return FAIL(reading, "more than %zu sections [%s NAME]",
                        config_sections[section].maximum, config_sections[section].name);
        }
        block = &source->blocks[source->block_count++];
        block->section = section;
        block->first = reading->place;
        (void)text_copy(block->name, sizeof block->name, name); // was checked
    }
    block->last = reading->place;
    reading->block = block;
    return true;
}

// `header` is what stands between the brackets.
static bool read_header(struct reading *reading, const char *header) {
    size_t length = strcspn(header, " \t");
    const char *name = header + length + strspn(header + length, " \t");
    enum config_section section = config_section_find(header, length);
    char allowed[128];
    reading->block = NULL;
    if (section == CONFIG_SECTION_COUNT) {
        config_section_names(allowed, sizeof allowed);
        return FAIL(reading, "[%.40s] is no section; there are %s", header, allowed);
    }
    if (!config_sections[section].is_named) {
        return name[0] == '\0' ? enter_block(reading, section, name)
                               : FAIL(reading, "[%.*s] takes no name", (int)length, header);
    }
    if (!text_is_label(name) || strlen(name) >= NAME_SIZE) {
        return FAIL(reading,
                    "[%.*s NAME] needs a name: 1 to %d printable ASCII characters, without ]",
                    (int)length, header, NAME_SIZE - 1);
    }
    return enter_block(reading, section, name);
}

// Headers are read here and not through the parser, which cuts a name after 49 bytes and does not
// tell of a section without keys.
static bool note_header(struct reading *reading, const char *line) {
    char header[CONFIG_LINE_MAX + 1];
    line += strspn(line, " \t");
    if (line[0] != '[') {
        return true;
    }
    line++;
    size_t length = strcspn(line, "]");
    const char *behind = line[length] == ']' ? line + length + 1 : line + length;
    behind += strspn(behind, " \t\r\n");
    if (line[length] != ']' || (behind[0] != '\0' && strchr(";#", behind[0]) == NULL)) {
        reading->block = NULL;
        return FAIL(reading, "a section's line is [NAME] and nothing else");
    }
    line += strspn(line, " \t");
    length = strcspn(line, "]");
    while (length > 0 && strchr(" \t", line[length - 1]) != NULL) {
        length--;
    }
    memcpy(header, line, length);
    header[length] = '\0';
    return read_header(reading, header);
}

// Feeds the parser one line a call, so that `place` is that of what its handler is given. NULL at
// the end, and after a fault.
static char *feed_line(char *line, int capacity, void *stream) {
    struct reading *reading = stream;
    if (reading->rest.length == 0 || reading->error.code != ERROR_NONE) {
        return NULL;
    }
    const uint8_t *end = memchr(reading->rest.data, '\n', reading->rest.length);
    size_t length = end != NULL ? (size_t)(end - reading->rest.data) : reading->rest.length;
    reading->place.line++;
    if (length > CONFIG_LINE_MAX || length + 2 > (size_t)capacity) {
        FAIL(reading, "the line is longer than %d bytes", CONFIG_LINE_MAX);
        return NULL;
    }
    if (memchr(reading->rest.data, '\0', length) != NULL) {
        FAIL(reading, "the line holds a NUL: this is no text file");
        return NULL;
    }
    memcpy(line, reading->rest.data, length);
    line[length] = '\n';
    line[length + 1] = '\0';
    size_t used = end != NULL ? length + 1 : length;
    reading->rest.data += used;
    reading->rest.length -= used;
    return note_header(reading, line) ? line : NULL;
}

static struct config_setting *find_setting(const struct config_source *source, size_t block,
                                           const char *key) {
    for (size_t i = 0; i < source->setting_count; i++) {
        if (source->settings[i].block == block && strcmp(source->settings[i].key->name, key) == 0) {
            return &source->settings[i];
        }
    }
    return NULL;
}

static bool store_setting(struct reading *reading, const struct config_key *key,
                          const char *value) {
    struct config_source *source = reading->source;
    size_t block = (size_t)(reading->block - source->blocks);
    struct config_setting *setting = find_setting(source, block, key->name);
    if (setting != NULL && setting->place.file == reading->place.file) {
        return FAIL(reading, "%s is already set, on line %u", key->name, setting->place.line);
    }
    if (setting == NULL && source->setting_count == CONFIG_SETTINGS_MAX) {
        return FAIL(reading, "more than %d settings", CONFIG_SETTINGS_MAX);
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return error_set(&reading->error, E_MEMORY, "no memory for the configuration");
    }
    if (setting == NULL) {
        setting = &source->settings[source->setting_count++];
    }
    free(setting->value);
    setting->value = copy;
    setting->key = key;
    setting->block = block;
    setting->place = reading->place;
    return true;
}

static bool take_setting(struct reading *reading, const char *name, const char *value) {
    if (reading->block == NULL) {
        return FAIL(reading, "%.40s stands before the first [section]", name);
    }
    const struct config_key *key = config_key_find(reading->block->section, name);
    if (key == NULL) {
        char allowed[ERROR_TEXT_MAX];
        config_key_names(reading->block->section, allowed, sizeof allowed);
        return FAIL(reading, "%.40s is no key; there are %s", name, allowed);
    }
    if (key->type == CONFIG_REFUSED) {
        return FAIL(reading,
                    "%s: secrets have files of their own: set %s = FILE, readable by its owner "
                    "only, and replace this secret if others have seen it",
                    name, key->comment);
    }
    return store_setting(reading, key, value);
}

static int handle_setting(void *context, const char *section, const char *name, const char *value) {
    (void)section;
    struct reading *reading = context;
    return reading->error.code == ERROR_NONE && take_setting(reading, name, value) ? 1 : 0;
}

// Debian's library takes its rules from variables. Indented lines are no continuations here, since
// those would turn a misplaced key into part of the value before it.
static void set_parser_rules(void) {
    static char comment_prefixes[] = ";#";
    ini_allow_multiline = false;
    ini_allow_no_value = false;
    ini_use_stack = true;
    ini_max_line = CONFIG_LINE_MAX + 3;
    ini_inline_comment_prefixes = comment_prefixes;
}

bool config_source_add_text(struct config_source *source, const char *file, struct slice text,
                            struct error *error) {
    if (source->file_count == CONFIG_FILES_MAX) {
        return error_set(error, E_CONFIG, "%s: more than %d files", file, CONFIG_FILES_MAX);
    }
    char *name = strdup(file);
    if (name == NULL) {
        return error_set(error, E_MEMORY, "no memory for the configuration");
    }
    source->files[source->file_count] = name;
    struct reading reading = {
        .source = source, .rest = text, .place = {source->file_count, 0}, .block = NULL};
    source->file_count++;
    if (text.length >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) { // a byte order mark
        reading.rest = (struct slice){text.data + 3, text.length - 3};
    }
    set_parser_rules();
    int line = ini_parse_stream(feed_line, &reading, handle_setting, &reading);
    // A line that is neither header nor setting does not stop the parser, which goes on to the end
    // or to a later fault: the earliest one is told.
    if (line > 0 && (reading.error.code == ERROR_NONE || (unsigned)line < reading.place.line)) {
        reading.place.line = (unsigned)line;
        reading.block = NULL;
        FAIL(&reading, "the line is neither [SECTION] nor KEY = VALUE nor # comment");
    }
    if (reading.error.code != ERROR_NONE) {
        *error = reading.error;
        return false;
    }
    return line >= 0 || error_set(error, E_MEMORY, "no memory for the configuration");
}

const struct config_setting *config_source_find(const struct config_source *source, size_t block,
                                                const char *key) {
    return find_setting(source, block, key);
}
