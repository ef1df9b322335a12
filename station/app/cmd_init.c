// SPDX-License-Identifier: Apache-2.0
// birthcert init: a new bench to try out and to edit.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "db/store.h"
#include "station/app/config.h"
#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/app/writer.h"

#define TEXT_SIZE 1024

static void say(struct output *output, enum output_level level, const char *subject,
                const char *remedy, const char *format, ...) PRINTF_LIKE(5, 6);

static void say(struct output *output, enum output_level level, const char *subject,
                const char *remedy, const char *format, ...) {
    char raw[TEXT_SIZE];
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_escape(text, sizeof text, raw, strlen(raw));
    const struct output_check check = {
        .level = level, .subject = subject, .text = text, .remedy = remedy, .code = ""};
    output->ops->check(output, &check);
}

static bool name_file(char *out, size_t capacity, const char *folder, const char *name,
                      struct error *error) {
    int length = snprintf(out, capacity, "%s/%s", folder, name);
    return (length > 0 && (size_t)length < capacity) ||
           error_set(error, E_USAGE, "%.100s...: the path is too long", folder);
}

// Before anything is made. What else may be wrong with the folder, config_init finds.
static bool check_no_database(const char *folder, struct error *error) {
    char path[sizeof((struct config *)NULL)->store_path];
    struct stat status;
    if (!name_file(path, sizeof path, folder, "birthcert.db", error)) {
        return false;
    }
    return lstat(path, &status) != 0 ||
           error_set(error, E_EXISTS, "%s: is already there, and is left as it is", path);
}

static bool create_database(const struct config *config, struct error *error) {
    struct store *store = NULL;
    bool created = writer_open(config, STORE_CREATE, &store, error);
    store_sqlite.close(store);
    return created;
}

// Where the database cannot be made, the rest stays, and a second try has to know of it.
static bool make_database(const char *folder, const struct config *config, struct error *error) {
    return create_database(config, error) ||
           error_prefix(error, "%s/birthcert.conf and %s/ca were made, the database was not",
                        folder, folder);
}

static void say_what_next(struct output *output, const char *folder, const struct config *config) {
    say(output, OUTPUT_OK, "configuration",
        "edit it: a [slot NAME] for each port, the names in [profile https]", "%s is new",
        config->file);
    say(output, OUTPUT_OK, "database", "keep it on a local disk, and in the backup", "%s is new",
        config->store_path);
    say(output, OUTPUT_WARNING, "CA trial", "set up [ca hvca] before real cameras come",
        "%s/ca/root.pem is new, and not a public CA: for trying out only", folder);
    say(output, OUTPUT_OK, "next", "", "birthcert doctor --config %s", config->file);
}

int cmd_init(const struct options *options, struct output *output) {
    const char *folder = options->argument != NULL ? options->argument : ".";
    char file[sizeof((struct config *)NULL)->file];
    struct config *config = NULL;
    struct error error;
    bool done = options->config == NULL ||
                error_set(&error, E_USAGE, "init takes no --config: it makes one in the folder");
    done = done && name_file(file, sizeof file, folder, "birthcert.conf", &error) &&
           check_no_database(folder, &error) && config_init(folder, &error) &&
           config_load(file, &config, &error) && make_database(folder, config, &error);
    if (done) {
        say_what_next(output, folder, config);
        done = reader_flush(output, &error);
    }
    config_free(config);
    if (!done) {
        output->ops->error(output, "init", &error);
        return exit_status_of(&error);
    }
    return EXIT_OK;
}
