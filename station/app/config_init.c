// SPDX-License-Identifier: Apache-2.0
// The folder that a new bench starts with.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "station/app/config.h"
#include "station/app/config_keys.h"
#include "station/base/buf.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define PATH_SIZE 512
#define TRIAL_CA_NAME "birthcert trial CA (not public)"

static const char opening[] =
    "# The configuration of a birthcert bench.\n"
    "#\n"
    "# A line is [SECTION], KEY = VALUE or # COMMENT; a # or ; after a blank ends a value. Files\n"
    "# conf.d/*.conf beside this one are read after it, in the order of their names, and may set\n"
    "# anything anew. Secrets stand in files of their own, which only their owner may read.\n"
    "# Keys that are commented out show their default. `birthcert doctor` checks all of it.\n";

static const char idevid_example[] = "\n"
                                     "# A second credential: the device's identity.\n"
                                     "#[profile idevid]\n"
                                     "#based_on = idevid\n"
                                     "#ca = trial\n"
                                     "#hardware_type = 1.3.6.1.4.1.32473.1\n";

static const char forward_example[] =
    "\n"
    "# Only for `birthcert forward`, which takes requests from benches (with a CA of backend "
    "outbox)\n"
    "# to the CA that its own profile of the same name and content has. It needs no slots.\n"
    "# Who is in the group of the socket may connect; the folder must be there.\n"
    "#[forward]\n"
    "#socket = /run/birthcert/forward.sock\n";

static bool put_comment(struct buf *text, const char *comment) {
    while (comment[0] != '\0') {
        size_t length = strcspn(comment, "\n");
        if (!buf_printf(text, "# %.*s\n", (int)length, comment)) {
            return false;
        }
        comment += comment[length] == '\n' ? length + 1 : length;
    }
    return true;
}

static bool put_key(struct buf *text, const struct config_key *key) {
    char allowed[ERROR_TEXT_MAX];
    config_key_allowed(key, allowed, sizeof allowed);
    const char *initial = key->initial[0] != '\0' ? key->initial : NULL;
    return buf_put_text(text, "\n") && put_comment(text, key->comment) &&
           buf_printf(text, "# Takes %s.\n", allowed) &&
           (key->starter != NULL
                ? buf_printf(text, "%s = %s\n", key->name, key->starter)
                : buf_printf(text, "#%s =%s%s\n", key->name, initial != NULL ? " " : "",
                             initial != NULL ? initial : ""));
}

// Every line of it commented out.
static bool put_ca_example(struct buf *text, const struct ca_ops *ops) {
    bool done = buf_put_text(text, "\n") && put_comment(text, ops->remark) &&
                buf_printf(text, "#[ca %s]\n", ops->name);
    for (const char *line = ops->example; done && line[0] != '\0';) {
        size_t length = strcspn(line, "\n");
        done = buf_printf(text, "#%.*s\n", (int)length, line);
        line += line[length] == '\n' ? length + 1 : length;
    }
    return done;
}

static bool put_ca_examples(struct buf *text) {
    bool done =
        buf_put_text(text, "\n# For another CA take the # away, put the files in place, and name "
                           "it in the profiles\n# (ca = NAME).\n");
    for (size_t i = 0; done && ca_table[i] != NULL; i++) {
        done = ca_table[i]->example[0] == '\0' || put_ca_example(text, ca_table[i]);
    }
    return done;
}

// The CA that a new bench starts with is the embedded one; what others take is in their examples.
static bool is_shown(const struct config_key *key, enum config_section section) {
    return key->section == section && key->type != CONFIG_REFUSED &&
           (section != CONFIG_CA || ca_takes_key(&ca_local, key->name));
}

static bool put_section(struct buf *text, enum config_section section) {
    const struct config_section_row *row = &config_sections[section];
    if (!buf_put_text(text, "\n") || !put_comment(text, row->comment) ||
        !buf_printf(text, "[%s%s%s]\n", row->name, row->is_named ? " " : "",
                    row->is_named ? row->starter_name : "")) {
        return false;
    }
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (is_shown(key, section) && !put_key(text, key)) {
            return false;
        }
    }
    return section == CONFIG_CA        ? put_ca_examples(text)
           : section == CONFIG_PROFILE ? buf_put_text(text, idevid_example)
                                       : true;
}

static bool put_configuration(struct buf *text) {
    if (!buf_put_text(text, opening)) {
        return false;
    }
    for (int section = 0; section < CONFIG_FORWARD; section++) {
        if (!put_section(text, (enum config_section)section)) {
            return false;
        }
    }
    return buf_put_text(text, forward_example);
}

static bool fail_path(struct error *error, const char *path, int number) {
    return error_set(error, E_CONFIG, "%s: %s", path, strerror(number));
}

static bool make_folder(const char *path, mode_t mode, struct error *error) {
    struct stat status;
    if (mkdir(path, mode) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        return fail_path(error, path, errno);
    }
    return (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) || fail_path(error, path, ENOTDIR);
}

static bool write_all(int descriptor, struct slice bytes) {
    while (bytes.length > 0) {
        ssize_t written = write(descriptor, bytes.data, bytes.length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            bytes.data += written;
            bytes.length -= (size_t)written;
        }
    }
    return fsync(descriptor) == 0;
}

static bool write_configuration(const char *path, struct slice text, struct error *error) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return fail_path(error, path, errno);
    }
    bool is_written = write_all(descriptor, text);
    int number = errno;
    is_written = close(descriptor) == 0 && is_written;
    if (!is_written) {
        unlink(path);
        return fail_path(error, path, number);
    }
    return true;
}

// The paths of a new bench.
struct places {
    char file[PATH_SIZE];
    char drop_ins[PATH_SIZE];
    char ca[PATH_SIZE];
    char ca_certificate[PATH_SIZE];
    char ca_key[PATH_SIZE];
};

static bool name_places(const char *folder, struct places *places, struct error *error) {
    const struct {
        char *out;
        const char *name;
    } names[] = {
        {places->file, "birthcert.conf"},
        {places->drop_ins, "conf.d"},
        {places->ca, "ca"},
        {places->ca_certificate, "ca/root.pem"},
        {places->ca_key, "ca/root.key"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int length = snprintf(names[i].out, PATH_SIZE, "%s/%s", folder, names[i].name);
        if (length < 0 || length >= PATH_SIZE) {
            return error_set(error, E_CONFIG, "%.100s...: the path is too long", folder);
        }
    }
    return true;
}

// All that can be refused is refused before anything is made.
static bool check_nothing_is_there(const struct places *places, struct error *error) {
    const char *const files[] = {places->file, places->ca_certificate, places->ca_key};
    struct stat status;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (lstat(files[i], &status) == 0) {
            return error_set(error, E_EXISTS, "%s: is already there, and is left as it is",
                             files[i]);
        }
    }
    return true;
}

static bool fill_folder(const char *folder, const struct places *places, struct slice text,
                        struct error *error) {
    if (!make_folder(folder, 0755, error) || !make_folder(places->drop_ins, 0755, error) ||
        !make_folder(places->ca, 0700, error) ||
        !ca_local_create(TRIAL_CA_NAME, places->ca_certificate, places->ca_key, error)) {
        return false;
    }
    if (!write_configuration(places->file, text, error)) {
        // A second try must not stumble over the first one's CA.
        unlink(places->ca_certificate);
        unlink(places->ca_key);
        return false;
    }
    return true;
}

bool config_init(const char *folder, struct error *error) {
    struct places places;
    if (!name_places(folder, &places, error) || !check_nothing_is_there(&places, error)) {
        return false;
    }
    struct buf *text = buf_new(TEXT_MAX);
    bool is_made = text != NULL && put_configuration(text)
                       ? fill_folder(folder, &places, buf_slice(text), error)
                       : error_set(error, E_MEMORY, "no memory for the configuration");
    buf_free(text);
    return is_made;
}
