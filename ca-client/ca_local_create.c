// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "ca-client/x509_issue.h"
#include "station/base/clock.h"

#define PEM_FILE_MAX (64 * 1024)

static bool write_all(int descriptor, struct slice data) {
    while (data.length > 0) {
        ssize_t written = write(descriptor, data.data, data.length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        data = (struct slice){data.data + written, data.length - (size_t)written};
    }
    return fsync(descriptor) == 0;
}

// Never touches a file that is there already; leaves none behind where it fails.
static bool write_new_file(const char *path, mode_t mode, struct slice data, struct error *error) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor < 0) {
        return error_set(error, errno == EEXIST ? E_CONFIG : E_SYSTEM, "%s: %s", path,
                         strerror(errno));
    }
    // The umask may have taken bits away; that is the user's wish for the certificate only.
    bool good = (mode != 0600 || fchmod(descriptor, mode) == 0) && write_all(descriptor, data);
    int reason = errno;
    good = close(descriptor) == 0 && good;
    if (!good) {
        unlink(path);
        return error_set(error, E_SYSTEM, "%s: %s", path, strerror(reason));
    }
    return true;
}

static bool write_files(const char *certificate_file, struct slice certificate,
                        const char *key_file, struct slice key, struct error *error) {
    if (!write_new_file(key_file, 0600, key, error)) {
        return false;
    }
    if (!write_new_file(certificate_file, 0644, certificate, error)) {
        unlink(key_file);
        return false;
    }
    return true;
}

bool ca_local_create(const char *common_name, const char *certificate_file, const char *key_file,
                     struct error *error) {
    struct buf *certificate = buf_new(PEM_FILE_MAX);
    struct buf *key = buf_new(PEM_FILE_MAX);
    bool good = certificate != NULL && key != NULL;
    if (!good) {
        error_set(error, E_MEMORY, "no memory for a new CA");
    }
    good = good && x509_create_root(common_name, clock_wall_ms(), certificate, key, error) &&
           write_files(certificate_file, buf_slice(certificate), key_file, buf_slice(key), error);
    buf_free_secret(key);
    buf_free(certificate);
    return good;
}
