// SPDX-License-Identifier: Apache-2.0
#include "station/io/process.h"

#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/buf.h"
#include "station/io/loop_uv.h"

#define READ_MAX 65536
// After its end: how long what it started may keep its output open.
#define LINGER_MS 500

enum { PIPE_INPUT, PIPE_OUTPUT, PIPE_MESSAGES, PIPE_COUNT };

struct process {
    uv_process_t uv;
    uv_pipe_t pipes[PIPE_COUNT];
    uv_timer_t timer;
    uv_write_t writing;
    struct buf *input;
    struct buf *output;
    struct buf *messages;
    process_callback *callback;
    void *context;
    struct process_result result;
    bool has_ended;
    bool is_cut; // its end is ours: timed out, too loud
    bool is_closing;
    unsigned open_pipes; // output and messages that have not come to their end
    unsigned handles;    // of libuv's that are not closed
    char chunk[READ_MAX];
};

// ---- the end ------------------------------------------------------------------------------------

static void release(struct process *process) {
    buf_free(process->input);
    buf_free(process->output);
    buf_free(process->messages);
    free(process);
}

static void handle_closed(uv_handle_t *handle) {
    struct process *process = handle->data;
    if (--process->handles == 0) {
        release(process);
    }
}

static void close_all(struct process *process) {
    uv_handle_t *handles[] = {
        (uv_handle_t *)&process->uv,
        (uv_handle_t *)&process->pipes[PIPE_INPUT],
        (uv_handle_t *)&process->pipes[PIPE_OUTPUT],
        (uv_handle_t *)&process->pipes[PIPE_MESSAGES],
        (uv_handle_t *)&process->timer,
    };
    process->is_closing = true;
    for (size_t i = 0; i < ARRAY_LENGTH(handles); i++) {
        // The input may be closed already, or on its way to it.
        if (!uv_is_closing(handles[i])) {
            uv_close(handles[i], handle_closed);
        }
    }
}

// The whole session: whatever the program started goes with it.
static void kill_session(const struct process *process) {
    if (!process->has_ended && process->uv.pid > 0) {
        kill(-process->uv.pid, SIGKILL);
    }
}

static void finish(struct process *process) {
    if (process->is_closing) {
        return;
    }
    process->result.output = buf_slice(process->output);
    process->result.messages = buf_slice(process->messages);
    process->callback(process->context, &process->result);
    close_all(process);
}

static void finish_if_done(struct process *process) {
    if (process->has_ended && process->open_pipes == 0) {
        finish(process);
    }
}

static void cut(struct process *process, enum process_end end) {
    if (!process->is_cut) {
        process->is_cut = true;
        process->result.end = end;
        kill_session(process);
    }
}

static void handle_timer(uv_timer_t *timer) {
    struct process *process = timer->data;
    if (process->has_ended) {
        finish(process); // something it started still holds its output
    } else {
        cut(process, PROCESS_TIMED_OUT);
    }
}

static void handle_exit(uv_process_t *uv, int64_t status, int signal) {
    struct process *process = uv->data;
    process->has_ended = true;
    if (process->is_closing) {
        return;
    }
    if (!process->is_cut) {
        process->result.end = signal != 0 ? PROCESS_SIGNALLED : PROCESS_EXITED;
        process->result.status = signal != 0 ? signal : (int)status;
    }
    uv_timer_start(&process->timer, handle_timer, LINGER_MS, 0);
    finish_if_done(process);
}

// ---- its input and output -----------------------------------------------------------------------

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct process *process = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(process->chunk, sizeof process->chunk);
}

static void keep_message(struct process *process, const char *text, size_t length) {
    size_t room = PROCESS_MESSAGES_MAX - buf_length(process->messages);
    (void)!buf_put(process->messages, text, length < room ? length : room);
}

static void handle_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    struct process *process = stream->data;
    bool is_output = stream == (uv_stream_t *)&process->pipes[PIPE_OUTPUT];
    if (length < 0) {
        uv_read_stop(stream);
        process->open_pipes--;
        finish_if_done(process);
        return;
    }
    if (!is_output) {
        keep_message(process, buffer->base, (size_t)length);
    } else if (!buf_put(process->output, buffer->base, (size_t)length)) {
        cut(process, PROCESS_TOO_LOUD);
    }
}

// A program that does not read its input may well have an answer.
static void handle_written(uv_write_t *writing, int status) {
    struct process *process = writing->data;
    (void)status;
    if (!process->is_closing) {
        uv_close((uv_handle_t *)&process->pipes[PIPE_INPUT], handle_closed);
    }
}

static void begin_streams(struct process *process) {
    struct slice input = buf_slice(process->input);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)input.data, (unsigned)input.length);
    process->writing.data = process;
    if (uv_write(&process->writing, (uv_stream_t *)&process->pipes[PIPE_INPUT], &buffer, 1,
                 handle_written) != 0) {
        uv_close((uv_handle_t *)&process->pipes[PIPE_INPUT], handle_closed);
    }
    for (int i = PIPE_OUTPUT; i <= PIPE_MESSAGES; i++) {
        if (uv_read_start((uv_stream_t *)&process->pipes[i], allocate, handle_read) == 0) {
            process->open_pipes++;
        }
    }
}

// ---- the start ----------------------------------------------------------------------------------

static void init_handles(struct process *process, uv_loop_t *loop) {
    for (int i = 0; i < PIPE_COUNT; i++) {
        uv_pipe_init(loop, &process->pipes[i], 0);
        process->pipes[i].data = process;
    }
    uv_timer_init(loop, &process->timer);
    process->timer.data = process;
    process->uv.data = process;
    process->handles = PIPE_COUNT + 2;
}

static int spawn(struct process *process, uv_loop_t *loop, const char *const *arguments) {
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static char locale[] = "LC_ALL=C.UTF-8";
    char *environment[] = {path, locale, NULL};
    uv_stdio_container_t pipes[PIPE_COUNT];
    for (int i = 0; i < PIPE_COUNT; i++) {
        pipes[i].flags = UV_CREATE_PIPE | (i == PIPE_INPUT ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
        pipes[i].data.stream = (uv_stream_t *)&process->pipes[i];
    }
    uv_process_options_t options = {
        .exit_cb = handle_exit,
        .file = arguments[0],
        .args = (char **)(uintptr_t)arguments,
        .env = environment,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED, // a session of its own
        .stdio_count = PIPE_COUNT,
        .stdio = pipes,
    };
    return uv_spawn(loop, &process->uv, &options);
}

static struct process *process_new(const struct process_settings *settings) {
    struct process *process = calloc(1, sizeof *process);
    if (process == NULL) {
        return NULL;
    }
    process->input = buf_new(settings->input.length);
    process->output = buf_new(settings->output_max);
    process->messages = buf_new(PROCESS_MESSAGES_MAX);
    if (process->input == NULL || process->output == NULL || process->messages == NULL ||
        !buf_put(process->input, settings->input.data, settings->input.length)) {
        release(process);
        return NULL;
    }
    return process;
}

bool process_start(struct loop *loop, const struct process_settings *settings,
                   process_callback *callback, void *context, struct process **out,
                   struct error *error) {
    struct process *process = process_new(settings);
    if (process == NULL) {
        return error_set(error, E_MEMORY, "no memory for a program");
    }
    process->callback = callback;
    process->context = context;
    init_handles(process, loop_uv(loop));
    // Ours have O_CLOEXEC from the beginning; this is for whatever a library opened.
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    int status = spawn(process, loop_uv(loop), settings->arguments);
    if (status != 0) {
        close_all(process);
        return error_set(error, E_SYSTEM, "%s: %s", settings->arguments[0], uv_strerror(status));
    }
    uv_timer_start(&process->timer, handle_timer, settings->timeout_ms, 0);
    begin_streams(process);
    *out = process;
    return true;
}

void process_free(struct process *process) {
    if (process == NULL || process->is_closing) {
        return;
    }
    if (!process->has_ended) {
        kill_session(process);
        (void)waitpid(process->uv.pid, NULL, 0); // libuv forgets it with its handle
    }
    close_all(process);
}
