// SPDX-License-Identifier: Apache-2.0
// A program that is run for one question: it gets its input, says its answer, and ends. No shell is
// between, it inherits no descriptor, and its environment holds PATH and LC_ALL only. It runs in a
// session of its own: a Ctrl-C at the station does not reach it, and with it ends what it started.
// The station ignores SIGPIPE.
#ifndef BIRTHCERT_IO_PROCESS_H
#define BIRTHCERT_IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define PROCESS_MESSAGES_MAX 4096 // of its stderr, the beginning; the rest is read and dropped

struct process;

struct process_settings {
    const char *const
        *arguments;     // the first one is the program's absolute path; NULL ends the list
    struct slice input; // copied
    size_t output_max;  // more output ends the process
    uint32_t timeout_ms;
};

enum process_end {
    PROCESS_EXITED,    // status
    PROCESS_SIGNALLED, // status is the signal
    PROCESS_TIMED_OUT,
    PROCESS_TOO_LOUD, // over output_max
};

// Valid during the callback.
struct process_result {
    enum process_end end;
    int status;
    struct slice output;
    struct slice messages; // what it wrote to stderr
};

typedef void process_callback(void *context, const struct process_result *result);

// Starts it; the callback comes later from the loop, once, and frees the process afterwards by
// itself. False, and no callback, where the program cannot be run: E_SYSTEM, E_MEMORY.
MUST_CHECK bool process_start(struct loop *loop, const struct process_settings *settings,
                              process_callback *callback, void *context, struct process **process,
                              struct error *error);
// Kills it, without a callback. Not from inside its callback. Takes NULL.
void process_free(struct process *process);

#endif
