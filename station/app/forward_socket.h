// SPDX-License-Identifier: Apache-2.0
// The socket that `birthcert forward` listens on. Who may connect is a matter of its group and of
// the folder that it lies in.
#ifndef BIRTHCERT_APP_FORWARD_SOCKET_H
#define BIRTHCERT_APP_FORWARD_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "station/base/error.h"

struct forward_socket;

// Makes the socket with mode 0660 in a folder that is there. A socket that nobody listens on any
// more is replaced; anything else at that path, and a second forwarder, is refused. E_EXISTS,
// E_FORWARD_RUNS, E_CONFIG, E_SYSTEM. The path is copied.
MUST_CHECK bool forward_socket_new(const char *path, struct forward_socket **socket,
                                   struct error *error);
// Closes and removes it. Takes NULL.
void forward_socket_free(struct forward_socket *socket);

int forward_socket_descriptor(const struct forward_socket *socket);

// The next bench that waits: a non-blocking descriptor that the caller closes, and who it is; -1:
// none.
struct forward_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};
int forward_socket_accept(const struct forward_socket *socket, struct forward_peer *peer);

#endif
