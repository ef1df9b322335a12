// SPDX-License-Identifier: Apache-2.0
#include "station/base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MS 20

static void read_owner(int lock, char owner[LOCK_OWNER_SIZE]) {
    ssize_t length = pread(lock, owner, LOCK_OWNER_SIZE - 1, 0);
    owner[length > 0 ? length : 0] = '\0';
    owner[strspn(owner, "0123456789")] = '\0';
}

// Who holds it is only for messages, and for how long to wait: a full disk is no reason to stop here.
static void write_owner(int lock) {
    char self[LOCK_OWNER_SIZE];
    int length = snprintf(self, sizeof self, "%d", (int)getpid());
    bool noted = ftruncate(lock, 0) == 0 && pwrite(lock, self, (size_t)length, 0) > 0;
    (void)noted;
}

static bool is_gone(const char *owner) {
    return owner[0] != '\0' && kill((pid_t)strtol(owner, NULL, 10), 0) != 0 && errno == ESRCH;
}

static bool lock_in_time(int lock, char owner[LOCK_OWNER_SIZE]) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int waited_ms = 0;; waited_ms += PAUSE_MS) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
            return true;
        }
        int cause = errno;
        read_owner(lock, owner);
        if (cause != EWOULDBLOCK || waited_ms >= LOCK_LINGER_MS || !is_gone(owner)) {
            errno = cause;
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

int lock_file_take(const char *path, mode_t mode, char owner[LOCK_OWNER_SIZE]) {
    owner[0] = '\0';
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (lock < 0) {
        return -1;
    }
    if (!lock_in_time(lock, owner)) {
        int cause = errno;
        close(lock);
        errno = cause;
        return -1;
    }
    write_owner(lock);
    return lock;
}
