// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <linux/serial.h>
#include <linux/tty_flags.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "protocol/transport.h"
#include "protocol/transport_serial_speed.h"
#include "protocol/transport_stream.h"
#include "station/base/buf.h"

// Longer than the longest character at 300 bit/s, which is the slowest speed in use.
#define BREAK_MS 250

struct transport {
    struct transport_stream *stream;
    struct loop_timer *break_timer;
    struct buf *wake_line; // with its end of line; empty for none
    int descriptor;        // the stream's
    bool is_exclusive;
    bool in_break;
};

static bool fail_open(struct error *error, const char *path, int number) {
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
        return error_set(error, E_PORT_MISSING, "%s: %s", path, strerror(number));
    case EACCES:
    case EPERM:
        return error_set(error, E_PORT_DENIED, "%s: %s", path, strerror(number));
    case EBUSY:
        return error_set(error, E_PORT_BUSY, "%s: %s", path, strerror(number));
    default:
        return error_set(error, E_PORT_IO, "%s: %s", path, strerror(number));
    }
}

// Only character devices are opened at all: opening has effects of its own on some other files.
static bool open_tty(const char *path, int *descriptor, struct error *error) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return fail_open(error, path, errno);
    }
    if (!S_ISCHR(status.st_mode)) {
        return error_set(error, E_PORT_NOT_TTY, "%s: not a device", path);
    }
    int opened = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        return fail_open(error, path, errno);
    }
    if (!isatty(opened)) {
        close(opened);
        return error_set(error, E_PORT_NOT_TTY, "%s: not a serial port", path);
    }
    *descriptor = opened;
    return true;
}

// TIOCEXCL stops programs that do not know flock, flock stops root. A pty keeps TIOCEXCL as long as
// its other end is open, so that after a crash nobody could open it again: flock must do there.
static bool lock_port(int descriptor, const char *path, bool *is_exclusive, struct error *error) {
    struct stat status;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? error_set(error, E_PORT_BUSY, "%s: another program has locked it", path)
                   : error_set(error, E_PORT_IO, "%s: cannot lock: %s", path, strerror(errno));
    }
    bool is_pty = fstat(descriptor, &status) == 0 &&
                  major(status.st_rdev) >= UNIX98_PTY_SLAVE_MAJOR &&
                  major(status.st_rdev) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
    *is_exclusive = !is_pty && ioctl(descriptor, TIOCEXCL) == 0;
    return true;
}

// FTDI chips gather input for 16 ms by default. Best effort: most drivers have no such setting.
static void ask_low_latency(int descriptor) {
    struct serial_struct serial;
    if (ioctl(descriptor, TIOCGSERIAL, &serial) == 0 &&
        (serial.flags & (int)ASYNC_LOW_LATENCY) == 0) {
        serial.flags |= (int)ASYNC_LOW_LATENCY;
        (void)ioctl(descriptor, TIOCSSERIAL, &serial);
    }
}

// A fresh tty echoes: raw comes first, or the camera reads its own boot text as input. Then what
// was received until now is dropped.
static bool set_raw(int descriptor, uint32_t bit_rate, struct error *error) {
    struct termios mode;
    if (tcgetattr(descriptor, &mode) != 0) {
        return error_set(error, E_PORT_IO, "cannot read the mode: %s", strerror(errno));
    }
    cfmakeraw(&mode);
    mode.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY | INPCK);
    mode.c_iflag |= IGNBRK;
    mode.c_cflag &= ~(tcflag_t)(HUPCL | CRTSCTS | CSTOPB | PARENB);
    mode.c_cflag |= CLOCAL | CREAD | CS8;
    mode.c_cc[VMIN] = 1; // with 0 an idle port would read like one that hung up
    mode.c_cc[VTIME] = 0;
    if (tcsetattr(descriptor, TCSANOW, &mode) != 0) {
        return error_set(error, E_PORT_IO, "cannot set raw mode: %s", strerror(errno));
    }
    if (!transport_serial_speed_set(descriptor, bit_rate, error)) {
        return false;
    }
    ask_low_latency(descriptor);
    tcflush(descriptor, TCIOFLUSH);
    return true;
}

static void queue_wake_line(struct transport *transport) {
    if (buf_length(transport->wake_line) > 0) {
        (void)transport_stream_write(transport->stream, buf_slice(transport->wake_line));
    }
}

static void end_break(struct transport *transport) {
    if (transport->in_break) {
        (void)ioctl(transport->descriptor, TIOCCBRK);
        transport->in_break = false;
    }
}

static void handle_break_end(void *context) {
    struct transport *transport = context;
    end_break(transport);
    transport_stream_hold(transport->stream, false);
}

static void serial_close(struct transport *transport) {
    if (transport == NULL) {
        return;
    }
    if (transport->stream != NULL) {
        end_break(transport);
        if (transport->is_exclusive) {
            (void)ioctl(transport->descriptor, TIOCNXCL);
        }
    }
    loop_timer_free(transport->break_timer);
    transport_stream_free(transport->stream);
    buf_free(transport->wake_line);
    free(transport);
}

// The end of line is a carriage return, as a terminal's Enter key sends it.
static bool keep_wake_line(struct transport *transport, const char *wake_line) {
    transport->wake_line = buf_new(TRANSPORT_QUEUE_MAX);
    if (transport->wake_line == NULL || wake_line == NULL || wake_line[0] == '\0') {
        return transport->wake_line != NULL;
    }
    return buf_put_text(transport->wake_line, wake_line) && buf_put(transport->wake_line, "\r", 1);
}

static bool start(struct transport *transport, struct loop *loop, int descriptor,
                  const struct transport_settings *settings, const struct transport_events *events,
                  void *context, struct error *error) {
    transport->break_timer = loop_timer_new(loop, handle_break_end, transport);
    if (!keep_wake_line(transport, settings->wake_line) || transport->break_timer == NULL) {
        return error_set(error, E_MEMORY, "no memory for a port");
    }
    if (!transport_stream_new(loop, descriptor, TRANSPORT_STREAM_FILE, events, context,
                              &transport->stream, error)) {
        return false;
    }
    transport->descriptor = descriptor;
    queue_wake_line(transport);
    return true;
}

static bool serial_open(struct loop *loop, const struct transport_settings *settings,
                        const struct transport_events *events, void *context,
                        struct transport **out, struct error *error) {
    int descriptor = -1;
    bool is_exclusive = false;
    uint32_t bit_rate = transport_bit_rate(&transport_serial, settings);
    if (!open_tty(settings->path, &descriptor, error)) {
        return false;
    }
    if (!lock_port(descriptor, settings->path, &is_exclusive, error)) {
        close(descriptor);
        return false;
    }
    struct transport *transport = calloc(1, sizeof *transport);
    bool is_started = false;
    if (transport == NULL) {
        error_set(error, E_MEMORY, "no memory for a port");
    } else {
        transport->is_exclusive = is_exclusive;
        is_started = set_raw(descriptor, bit_rate, error) &&
                     start(transport, loop, descriptor, settings, events, context, error);
    }
    if (!is_started) {
        serial_close(transport);
        if (is_exclusive) {
            (void)ioctl(descriptor, TIOCNXCL);
        }
        close(descriptor);
        return error_prefix(error, "%s", settings->path);
    }
    *out = transport;
    return true;
}

static bool serial_write(struct transport *transport, struct slice bytes) {
    return transport_stream_write(transport->stream, bytes);
}

// What was queued for the silent camera is stale, and what would be sent during the BREAK is lost:
// it waits, behind the wake line.
static void serial_reset(struct transport *transport) {
    transport_stream_hold(transport->stream, true);
    transport_stream_discard(transport->stream);
    tcflush(transport->descriptor, TCOFLUSH);
    queue_wake_line(transport);
    transport->in_break = ioctl(transport->descriptor, TIOCSBRK) == 0;
    loop_timer_start(transport->break_timer, BREAK_MS);
}

const struct transport_ops transport_serial = {
    .name = "serial",
    .max_payload = 1024,
    .open = serial_open,
    .write = serial_write,
    .reset = serial_reset,
    .close = serial_close,
};
