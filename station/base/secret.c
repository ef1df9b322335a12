// SPDX-License-Identifier: Apache-2.0
#include "station/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREDENTIAL_PREFIX "credential:"

static bool is_credential(const char *path) {
    return strncmp(path, CREDENTIAL_PREFIX, strlen(CREDENTIAL_PREFIX)) == 0;
}

static bool resolve_credential(const char *path, char out[PATH_MAX], struct error *error) {
    const char *name = path + strlen(CREDENTIAL_PREFIX);
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
        return error_set(error, E_SECRET_MISSING,
                         "%s: the name of a credential is a plain file name", path);
    }
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (folder == NULL || folder[0] != '/') {
        return error_set(error, E_SECRET_MISSING,
                         "%s: CREDENTIALS_DIRECTORY is not set: systemd gave no credentials", path);
    }
    int length = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (length < 0 || length >= PATH_MAX) {
        return error_set(error, E_SECRET_MISSING, "%s: the path is too long", path);
    }
    return true;
}

// systemd hands a credential of root's to a service's user by an ACL, and stat shows the ACL's mask
// as permissions of the group: 0440.
static mode_t forbidden_mode(const char *path, const struct stat *status) {
    return is_credential(path) && status->st_uid == 0 ? 037 : 077;
}

static bool check_status(const char *path, int descriptor, struct error *error) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return error_set(error, E_SECRET_MISSING, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(error, E_SECRET_MISSING, "%s: not a regular file", path);
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return error_set(error, E_SECRET_EXPOSED, "%s: belongs to user id %u, who can read it",
                         path, (unsigned)status.st_uid);
    }
    if ((status.st_mode & forbidden_mode(path, &status)) != 0) {
        return error_set(error, E_SECRET_EXPOSED, "%s: has mode %04o, may have at most 0600", path,
                         (unsigned)(status.st_mode & 07777));
    }
    return true;
}

// Returns an open descriptor of a good file, or -1.
static int open_checked(const char *path, struct error *error) {
    char resolved[PATH_MAX];
    const char *file = path;
    if (is_credential(path)) {
        if (!resolve_credential(path, resolved, error)) {
            return -1;
        }
        file = resolved;
    }
    // Not blocking: a FIFO in the place of a file must not hang the station.
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) {
        error_set(error, E_SECRET_MISSING, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (!check_status(path, descriptor, error)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

static bool read_all(const char *path, int descriptor, size_t maximum, struct buf *secret,
                     struct error *error) {
    uint8_t chunk[4096];
    ssize_t length = 0;
    bool fits = true;
    do {
        length = read(descriptor, chunk, sizeof chunk);
        fits = length <= 0 || buf_put(secret, chunk, (size_t)length);
    } while (fits && (length > 0 || (length < 0 && errno == EINTR)));
    int reason = errno;
    explicit_bzero(chunk, sizeof chunk);
    if (!fits) {
        return error_set(error, E_SECRET_MISSING, "%s: longer than %zu bytes", path, maximum);
    }
    if (length < 0) {
        return error_set(error, E_SECRET_MISSING, "%s: %s", path, strerror(reason));
    }
    if (buf_length(secret) == 0) {
        return error_set(error, E_SECRET_MISSING, "%s: is empty", path);
    }
    return true;
}

bool secret_read(const char *path, size_t maximum, struct buf **out, struct error *error) {
    *out = NULL;
    int descriptor = open_checked(path, error);
    if (descriptor < 0) {
        return false;
    }
    struct buf *secret = buf_new(maximum);
    bool done = secret == NULL ? error_set(error, E_MEMORY, "no memory for %s", path)
                               : read_all(path, descriptor, maximum, secret, error);
    close(descriptor);
    if (!done) {
        buf_free_secret(secret);
        return false;
    }
    *out = secret;
    return true;
}

static bool is_printable(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return length > 0;
}

bool secret_read_line(const char *path, size_t maximum, struct buf **out, struct error *error) {
    struct buf *raw = NULL;
    *out = NULL;
    if (!secret_read(path, maximum, &raw, error)) {
        return false;
    }
    const char *text = buf_text(raw);
    size_t length = buf_length(raw);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    struct buf *line = buf_new(maximum);
    bool done =
        is_printable(text, length)
            ? (line != NULL && buf_put(line, text, length)) ||
                  error_set(error, E_MEMORY, "no memory for %s", path)
            : error_set(error, E_SECRET_MISSING, "%s: must hold one line of printable ASCII", path);
    buf_free_secret(raw);
    if (!done) {
        buf_free_secret(line);
        return false;
    }
    *out = line;
    return true;
}

bool secret_check(const char *path, struct error *error) {
    int descriptor = open_checked(path, error);
    if (descriptor < 0) {
        return false;
    }
    close(descriptor);
    return true;
}
