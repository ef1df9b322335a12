// SPDX-License-Identifier: Apache-2.0
#include "station/app/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "station/app/input_file.h"

bool carry_is_for(const struct config *config, const struct store_row *row) {
    const struct ca_ops *ops = config_find_backend(config, row->ca);
    return row->credential.request == REQUEST_ACCEPTED && ops != NULL && ops->is_offline;
}

bool carry_was_rejected(const struct ca_ops *ops, enum request_state request,
                        enum error_code error) {
    return ops != NULL && ops->waits && request == REQUEST_QUARANTINED &&
           error != E_CERT_UNCONFIRMED;
}

static bool fail(struct error *error, const char *path) {
    return error_set(error, E_SYSTEM, "%s: %s", path, strerror(errno));
}

// A new name is durable only when its folder is.
static bool sync_folder_of(const char *path, struct error *error) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 1;
    snprintf(folder, sizeof folder, "%.*s", (int)(length > 0 ? length : 1),
             slash != NULL ? path : ".");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = descriptor >= 0 && fsync(descriptor) == 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return done || fail(error, folder);
}

static bool write_all(int descriptor, struct slice rest) {
    while (rest.length > 0) {
        ssize_t written = write(descriptor, rest.data, rest.length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            rest = (struct slice){rest.data + written, rest.length - (size_t)written};
        }
    }
    return fsync(descriptor) == 0;
}

bool carry_write_file(const char *path, struct slice content, struct error *error) {
    char fresh[PATH_MAX];
    int length = snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof fresh) {
        errno = ENAMETOOLONG;
        return fail(error, path);
    }
    int descriptor = mkostemp(fresh, O_CLOEXEC);
    if (descriptor < 0) {
        return fail(error, path);
    }
    bool done = write_all(descriptor, content) && fchmod(descriptor, 0644) == 0;
    done = close(descriptor) == 0 && done;
    done = done && rename(fresh, path) == 0;
    if (!done) {
        fail(error, path);
        unlink(fresh);
        return false;
    }
    return sync_folder_of(path, error);
}

// ---- the folder ---------------------------------------------------------------------------------

static bool make_folder(const char *path, struct error *error) {
    return mkdir(path, 0755) == 0 ? sync_folder_of(path, error)
                                  : errno == EEXIST || fail(error, path);
}

static bool name_place(const struct config *config, const char *part,
                       const uint8_t spki_sha256[SHA256_SIZE], char out[PATH_MAX]) {
    char key[2 * SHA256_SIZE + 1];
    hex_encode(key, spki_sha256, SHA256_SIZE);
    int length = snprintf(out, PATH_MAX, "%s.carried/%s/%s.pem", config->store_path, part, key);
    return length > 0 && length < PATH_MAX;
}

static bool put(const struct config *config, const char *part,
                const uint8_t spki_sha256[SHA256_SIZE], struct slice content, struct error *error) {
    char path[PATH_MAX];
    char folder[PATH_MAX];
    if (!name_place(config, part, spki_sha256, path)) {
        errno = ENAMETOOLONG;
        return fail(error, config->store_path);
    }
    snprintf(folder, sizeof folder, "%s.carried", config->store_path); // shorter than the path
    if (!make_folder(folder, error)) {
        return false;
    }
    *strrchr(path, '/') = '\0';
    if (!make_folder(path, error)) {
        return false;
    }
    return name_place(config, part, spki_sha256, path) && carry_write_file(path, content, error);
}

static bool is_there(const struct config *config, const char *part,
                     const uint8_t spki_sha256[SHA256_SIZE]) {
    char path[PATH_MAX];
    return name_place(config, part, spki_sha256, path) && access(path, F_OK) == 0;
}

bool carry_is_out(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE]) {
    return is_there(config, "out", spki_sha256);
}

bool carry_is_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE]) {
    return is_there(config, "in", spki_sha256);
}

bool carry_note_out(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                    struct error *error) {
    return put(config, "out", spki_sha256, (struct slice){0}, error);
}

bool carry_forget_out(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                      struct error *error) {
    char path[PATH_MAX];
    if (!name_place(config, "out", spki_sha256, path)) {
        errno = ENAMETOOLONG;
        return fail(error, config->store_path);
    }
    return unlink(path) == 0 ? sync_folder_of(path, error) : errno == ENOENT || fail(error, path);
}

bool carry_set_aside(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                     struct error *error) {
    char path[PATH_MAX];
    char aside[PATH_MAX];
    if (!name_place(config, "in", spki_sha256, path) ||
        snprintf(aside, sizeof aside, "%.*sbad", (int)(strlen(path) - strlen("pem")), path) < 0) {
        errno = ENAMETOOLONG;
        return fail(error, config->store_path);
    }
    return rename(path, aside) == 0 ? sync_folder_of(path, error) : fail(error, path);
}

bool carry_put_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                  struct slice pem, struct error *error) {
    return put(config, "in", spki_sha256, pem, error);
}

bool carry_take_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                   struct buf **pem, struct error *error) {
    char path[PATH_MAX];
    *pem = NULL;
    if (!name_place(config, "in", spki_sha256, path)) {
        errno = ENAMETOOLONG;
        return fail(error, config->store_path);
    }
    return input_file_read(path, CARRY_CERTIFICATE_MAX, E_SYSTEM, E_SYSTEM, pem, error);
}
