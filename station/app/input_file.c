// SPDX-License-Identifier: Apache-2.0
#include "station/app/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool open_regular(const char *path, enum error_code missing, enum error_code other,
                         int *descriptor, struct error *error) {
    struct stat status;
    // Not blocking: a FIFO must not hold up the program.
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        enum error_code code = errno == ENOENT || errno == ENOTDIR ? missing : other;
        return error_set(error, code, "%s: %s", path, strerror(errno));
    }
    if (fstat(opened, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(opened);
        return error_set(error, other, "%s: not a file", path);
    }
    *descriptor = opened;
    return true;
}

static bool read_all(int descriptor, const char *path, size_t maximum, enum error_code other,
                     struct buf *text, struct error *error) {
    char piece[4096];
    ssize_t got;
    while ((got = read(descriptor, piece, sizeof piece)) != 0) {
        if (got < 0 && errno != EINTR) {
            return error_set(error, other, "%s: %s", path, strerror(errno));
        }
        if (got > 0 && (size_t)got > maximum - buf_length(text)) {
            return error_set(error, other, "%s: larger than %zu bytes", path, maximum);
        }
        if (got > 0 && !buf_put(text, piece, (size_t)got)) {
            return error_set(error, E_MEMORY, "no memory to read %s", path);
        }
    }
    return true;
}

bool input_file_read(const char *path, size_t maximum, enum error_code missing,
                     enum error_code other, struct buf **out, struct error *error) {
    int descriptor = -1;
    if (!open_regular(path, missing, other, &descriptor, error)) {
        return false;
    }
    struct buf *text = buf_new(maximum);
    bool is_read = text != NULL ? read_all(descriptor, path, maximum, other, text, error)
                                : error_set(error, E_MEMORY, "no memory to read %s", path);
    close(descriptor);
    if (!is_read) {
        buf_free(text);
        return false;
    }
    *out = text;
    return true;
}
