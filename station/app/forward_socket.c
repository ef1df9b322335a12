// SPDX-License-Identifier: Apache-2.0
#include "station/app/forward_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "station/base/bytes.h"
#include "station/base/lock_file.h"

#define BACKLOG 64
#define SOCKET_UMASK 0117 // leaves mode 0660

struct forward_socket {
    struct sockaddr_un address;
    int lock; // held as long as this process lives: two forwarders would not know of each other
    int descriptor;
    bool is_bound;
};

static bool fail(const struct forward_socket *forward, enum error_code code, const char *what,
                 struct error *error) {
    return error_set(error, code, "socket %s: %s", forward->address.sun_path, what);
}

// The lock lies beside the socket, and is the first file that is made there.
static bool fail_lock(const struct forward_socket *forward, const char *lock, struct error *error) {
    const char *path = forward->address.sun_path;
    const char *slash = strrchr(path, '/');
    const char *reason = strerror(errno);
    if (errno == EWOULDBLOCK) {
        return fail(forward, E_FORWARD_RUNS, "another birthcert forward listens there", error);
    }
    return slash != NULL && slash != path && (errno == ENOENT || errno == ENOTDIR)
               ? error_set(error, E_CONFIG, "socket %s: its folder %.*s: %s", path,
                           (int)(slash - path), path, reason)
               : error_set(error, E_CONFIG, "socket: %s: %s", lock, reason);
}

static bool lock_path(struct forward_socket *forward, struct error *error) {
    char path[sizeof forward->address.sun_path + 8];
    snprintf(path, sizeof path, "%s.lock", forward->address.sun_path);
    char owner[LOCK_OWNER_SIZE];
    forward->lock = lock_file_take(path, 0600, owner);
    return forward->lock >= 0 || fail_lock(forward, path, error);
}

static int new_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// What an earlier forwarder left behind refuses connections.
static bool remove_stale(const struct forward_socket *forward, struct error *error) {
    struct stat status;
    if (lstat(forward->address.sun_path, &status) != 0) {
        return errno == ENOENT || fail(forward, E_CONFIG, strerror(errno), error);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return fail(forward, E_EXISTS, "is there, and is no socket", error);
    }
    int probe = new_socket();
    bool is_stale =
        probe >= 0 &&
        connect(probe, (const struct sockaddr *)&forward->address, sizeof forward->address) != 0 &&
        errno == ECONNREFUSED;
    if (probe >= 0) {
        close(probe);
    }
    if (!is_stale) {
        return fail(forward, E_FORWARD_RUNS, "another program listens there", error);
    }
    return unlink(forward->address.sun_path) == 0 ||
           fail(forward, E_CONFIG, strerror(errno), error);
}

// With its mode from the first: who sees it there may look at that before anything listens.
static bool bind_there(struct forward_socket *forward) {
    mode_t before = umask(SOCKET_UMASK); // of the whole process, where nothing else makes files now
    int bound = bind(forward->descriptor, (const struct sockaddr *)&forward->address,
                     sizeof forward->address);
    int reason = errno;
    umask(before);
    errno = reason;
    forward->is_bound = bound == 0;
    return forward->is_bound;
}

static bool listen_there(struct forward_socket *forward, struct error *error) {
    forward->descriptor = new_socket();
    if (forward->descriptor < 0) {
        return fail(forward, E_SYSTEM, strerror(errno), error);
    }
    if (!bind_there(forward)) {
        return fail(forward, E_CONFIG, strerror(errno), error);
    }
    return listen(forward->descriptor, BACKLOG) == 0 ||
           fail(forward, E_SYSTEM, strerror(errno), error);
}

bool forward_socket_new(const char *path, struct forward_socket **out, struct error *error) {
    struct forward_socket *forward = calloc(1, sizeof *forward);
    if (forward == NULL) {
        return error_set(error, E_MEMORY, "no memory for a socket");
    }
    *forward =
        (struct forward_socket){.address = {.sun_family = AF_UNIX}, .lock = -1, .descriptor = -1};
    bool done = text_copy(forward->address.sun_path, sizeof forward->address.sun_path, path)
                    ? lock_path(forward, error) && remove_stale(forward, error) &&
                          listen_there(forward, error)
                    : error_set(error, E_CONFIG, "socket %s: longer than %zu bytes", path,
                                sizeof forward->address.sun_path - 1);
    if (!done) {
        forward_socket_free(forward);
        return false;
    }
    *out = forward;
    return true;
}

void forward_socket_free(struct forward_socket *forward) {
    if (forward == NULL) {
        return;
    }
    if (forward->is_bound) {
        unlink(forward->address.sun_path);
    }
    if (forward->descriptor >= 0) {
        close(forward->descriptor);
    }
    if (forward->lock >= 0) {
        close(forward->lock); // the file stays: who waits for it has it open
    }
    free(forward);
}

int forward_socket_descriptor(const struct forward_socket *forward) {
    return forward->descriptor;
}

int forward_socket_accept(const struct forward_socket *forward, struct forward_peer *peer) {
    struct ucred credentials = {0};
    socklen_t length = sizeof credentials;
    int descriptor = accept4(forward->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
        (void)getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
        *peer = (struct forward_peer){credentials.uid, credentials.gid, credentials.pid};
    }
    return descriptor;
}
