// SPDX-License-Identifier: Apache-2.0
#include "station/app/scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scanner {
    int descriptor; // our own
    struct scanner_events events;
    void *context;
    struct loop_watch *watch; // NULL once all was read
    size_t length;
    char line[SCANNER_LINE_MAX + 1];
};

static void end_line(struct scanner *scanner) {
    char *start = scanner->line;
    scanner->line[scanner->length] = '\0';
    while (scanner->length > 0 && strchr(" \t\r", scanner->line[scanner->length - 1]) != NULL) {
        scanner->line[--scanner->length] = '\0';
    }
    scanner->length = 0;
    start += strspn(start, " \t");
    if (start[0] != '\0') {
        scanner->events.on_line(scanner->context, start);
    }
}

static void handle_readable(void *context, unsigned events) {
    struct scanner *scanner = context;
    char bytes[SCANNER_LINE_MAX];
    ssize_t got = read(scanner->descriptor, bytes, sizeof bytes);
    (void)events;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\0') {
            end_line(scanner);
        } else if (scanner->length < SCANNER_LINE_MAX) {
            scanner->line[scanner->length++] = bytes[i];
        }
    }
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    end_line(scanner);
    loop_watch_free(scanner->watch);
    scanner->watch = NULL;
    scanner->events.on_end(scanner->context);
}

// Opened anew where that can be: the loop makes it non-blocking, and a terminal's standard input is
// its standard output too, and the shell's.
static int open_again(int descriptor) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int opened = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0) {
        opened = fcntl(descriptor, F_DUPFD_CLOEXEC, 0); // a socket has no file to open
    }
    return opened;
}

bool scanner_new(struct loop *loop, int descriptor, const struct scanner_events *events,
                 void *context, struct scanner **out, struct error *error) {
    struct scanner *scanner = calloc(1, sizeof *scanner);
    if (scanner == NULL) {
        return error_set(error, E_MEMORY, "no memory for the scanner");
    }
    *scanner = (struct scanner){.events = *events, .context = context};
    scanner->descriptor = open_again(descriptor);
    if (scanner->descriptor < 0 || !loop_watch_new(loop, scanner->descriptor, handle_readable,
                                                   scanner, &scanner->watch, error)) {
        scanner_free(scanner);
        return error_set(error, E_USAGE,
                         "labels are scanned from a terminal or a pipe: standard input is neither");
    }
    loop_watch_set(scanner->watch, LOOP_READABLE);
    *out = scanner;
    return true;
}

void scanner_free(struct scanner *scanner) {
    if (scanner != NULL) {
        loop_watch_free(scanner->watch);
        if (scanner->descriptor >= 0) {
            close(scanner->descriptor);
        }
        free(scanner);
    }
}
