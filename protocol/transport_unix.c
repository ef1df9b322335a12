// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/transport.h"
#include "protocol/transport_stream.h"

struct transport {
    struct transport_stream *stream;
};

static bool fail_connect(struct error *error, const char *path, int number) {
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return error_set(error, E_PORT_MISSING, "%s: nothing listens there", path);
    case EAGAIN:
        return error_set(error, E_PORT_BUSY, "%s: the camera takes no further connection", path);
    case EACCES:
    case EPERM:
        return error_set(error, E_PORT_DENIED, "%s: %s", path, strerror(number));
    default:
        return error_set(error, E_PORT_IO, "%s: %s", path, strerror(number));
    }
}

static bool connect_socket(const char *path, int *descriptor, struct error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!text_copy(address.sun_path, sizeof address.sun_path, path)) {
        return error_set(error, E_PORT_MISSING, "%s: longer than the %zu bytes of a socket's path",
                         path, sizeof address.sun_path - 1);
    }
    int created = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (created < 0) {
        return error_set(error, E_PORT_IO, "%s: %s", path, strerror(errno));
    }
    // A connection in the same machine is made or refused at once, also without blocking.
    if (connect(created, (const struct sockaddr *)&address, sizeof address) != 0) {
        int number = errno;
        close(created);
        return fail_connect(error, path, number);
    }
    *descriptor = created;
    return true;
}

static bool unix_open(struct loop *loop, const struct transport_settings *settings,
                      const struct transport_events *events, void *context, struct transport **out,
                      struct error *error) {
    int descriptor = -1;
    if (!connect_socket(settings->path, &descriptor, error)) {
        return false;
    }
    struct transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        close(descriptor);
        return error_set(error, E_MEMORY, "no memory for a port");
    }
    if (!transport_stream_new(loop, descriptor, TRANSPORT_STREAM_SOCKET, events, context,
                              &transport->stream, error)) {
        close(descriptor);
        free(transport);
        return error_prefix(error, "%s", settings->path);
    }
    *out = transport;
    return true;
}

static bool unix_write(struct transport *transport, struct slice bytes) {
    return transport_stream_write(transport->stream, bytes);
}

static void unix_reset(struct transport *transport) {
    (void)transport;
}

static void unix_close(struct transport *transport) {
    if (transport != NULL) {
        transport_stream_free(transport->stream);
        free(transport);
    }
}

const struct transport_ops transport_unix = {
    .name = "unix",
    .max_payload = 1024,
    .open = unix_open,
    .write = unix_write,
    .reset = unix_reset,
    .close = unix_close,
};
