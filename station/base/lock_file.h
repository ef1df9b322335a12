// SPDX-License-Identifier: Apache-2.0
// A file whose lock keeps a second process of the same purpose out.
#ifndef BIRTHCERT_BASE_LOCK_FILE_H
#define BIRTHCERT_BASE_LOCK_FILE_H

#include <sys/types.h>

#define LOCK_OWNER_SIZE 16
// How long a lock may outlive its owner: a child that was forked and has not executed its program
// yet holds it, too, when the owner is killed.
#define LOCK_LINGER_MS 2000

// Makes the file where there is none, with that mode, and locks it (flock(2)): as long as the
// descriptor is open, and no longer than the process lives. -1 with errno: EWOULDBLOCK where another
// process holds it, whose id is in `owner` then, "" where it is not known; else as open(2). Waits for
// LOCK_LINGER_MS at most, and only where that process is not there any more.
int lock_file_take(const char *path, mode_t mode, char owner[LOCK_OWNER_SIZE]);

#endif
