// SPDX-License-Identifier: Apache-2.0
#include "tests/support_port.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct port port;

void port_close(void) {
    port.ops->close(port.transport);
    port.transport = NULL;
}

static void handle_bytes(void *context, struct slice bytes) {
    ck_assert_ptr_eq(context, &port);
    ck_assert(!port.in_call);
    ck_assert_int_eq(port.hangups, 0);
    ck_assert_ptr_nonnull(port.transport);
    for (size_t i = 0; i < bytes.length && port.received + i < sizeof port.text - 1; i++) {
        port.text[port.received + i] = (char)bytes.data[i];
    }
    port.received += bytes.length;
    port.deliveries++;
    if (port.close_on_bytes) {
        port_close();
        loop_stop(port.loop);
    } else if (port.stop_after != 0 && port.received >= port.stop_after) {
        loop_stop(port.loop);
    }
}

static void handle_hangup(void *context, const struct error *reason) {
    ck_assert_ptr_eq(context, &port);
    ck_assert(!port.in_call);
    port.hangups++;
    port.reason = *reason;
    if (port.close_on_hangup) {
        port_close();
    }
    loop_stop(port.loop);
}

static const struct transport_events events = {handle_bytes, handle_hangup};

static void handle_patience(void *context) {
    (void)context;
    port.out_of_patience = true;
    loop_stop(port.loop);
}

void port_run_for(int64_t delay_ms) {
    port.out_of_patience = false;
    loop_timer_start(port.patience, delay_ms);
    loop_run(port.loop);
    loop_timer_stop(port.patience);
}

void port_run(void) {
    port_run_for(PATIENCE_MS);
    ck_assert_msg(!port.out_of_patience, "nothing happened");
}

void port_run_until_received(size_t length) {
    port.stop_after = length;
    while (port.received < length) {
        port_run();
    }
}

void port_set_up(void) {
    struct error error;
    memset(&port, 0, sizeof port);
    port.peer = -1;
    port.listener = -1;
    snprintf(port.folder, sizeof port.folder, "/tmp/check_transport.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(port.folder));
    ck_assert(loop_new(&port.loop, &error));
    port.patience = loop_timer_new(port.loop, handle_patience, NULL);
    ck_assert_ptr_nonnull(port.patience);
}

void port_tear_down(void) {
    if (port.ops != NULL) {
        port_close();
    }
    if (port.peer >= 0) {
        close(port.peer);
    }
    if (port.listener >= 0) {
        close(port.listener);
    }
    loop_timer_free(port.patience);
    loop_free(port.loop);
    if (port.path[0] != '\0' && strncmp(port.path, port.folder, strlen(port.folder)) == 0) {
        unlink(port.path);
    }
    rmdir(port.folder);
}

bool port_open(const struct transport_ops *ops, const struct transport_settings *settings,
               struct transport **transport, struct error *error) {
    port.in_call = true;
    bool is_open = ops->open(port.loop, settings, &events, &port, transport, error);
    port.in_call = false;
    return is_open;
}

enum error_code port_try(const struct transport_ops *ops, const char *path) {
    struct error error = {.code = ERROR_NONE};
    struct transport *transport = NULL;
    struct transport_settings settings = {.path = path};
    if (port_open(ops, &settings, &transport, &error)) {
        ops->close(transport);
        return ERROR_NONE;
    }
    ck_assert_ptr_null(transport);
    ck_assert_msg(strstr(error.text, path) != NULL, "%s", error.text);
    return error.code;
}

void port_make_pty(void) {
    port.ops = &transport_serial;
    port.peer = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(port.peer, 0);
    ck_assert_int_eq(grantpt(port.peer), 0);
    ck_assert_int_eq(unlockpt(port.peer), 0);
    ck_assert_int_eq(ptsname_r(port.peer, port.path, sizeof port.path), 0);
}

void port_open_pty_with(uint32_t bit_rate, const char *wake_line) {
    struct error error;
    port_make_pty();
    struct transport_settings settings = {
        .path = port.path, .bit_rate = bit_rate, .wake_line = wake_line};
    ck_assert_msg(port_open(port.ops, &settings, &port.transport, &error), "%s", error.text);
}

void port_open_pty(void) {
    port_open_pty_with(0, NULL);
}

void port_listen(int backlog) {
    port.ops = &transport_unix;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(port.path, sizeof port.path, "%s/port", port.folder);
    ck_assert(text_copy(address.sun_path, sizeof address.sun_path, port.path));
    port.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(port.listener, 0);
    ck_assert_int_eq(bind(port.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(port.listener, backlog), 0);
}

void port_open_unix(void) {
    struct error error;
    port_listen(4);
    struct transport_settings settings = {.path = port.path};
    ck_assert_msg(port_open(port.ops, &settings, &port.transport, &error), "%s", error.text);
    port.peer = accept4(port.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(port.peer, 0);
}

void port_open_either(int which) {
    if (which == 0) {
        port_open_pty();
    } else {
        port_open_unix();
    }
}

bool port_write_text(const char *text) {
    port.in_call = true;
    bool is_written =
        port.ops->write(port.transport, (struct slice){(const uint8_t *)text, strlen(text)});
    port.in_call = false;
    return is_written;
}

void peer_says(const char *text) {
    ck_assert_int_eq(write(port.peer, text, strlen(text)), (ssize_t)strlen(text));
}

// What a pty is given arrives at its other end a moment later.
bool is_readable(int descriptor, int patience_ms) {
    struct pollfd watched = {.fd = descriptor, .events = POLLIN};
    return poll(&watched, 1, patience_ms) == 1 && (watched.revents & POLLIN) != 0;
}

void peer_hears(const void *expected, size_t length) {
    uint8_t heard[512];
    size_t count = 0;
    while (count < length) {
        ck_assert_msg(is_readable(port.peer, PATIENCE_MS), "heard %zu of %zu", count, length);
        ssize_t got = read(port.peer, heard + count, length - count);
        ck_assert_int_gt(got, 0);
        count += (size_t)got;
    }
    ck_assert_mem_eq(heard, expected, length);
}

void peer_hears_text(const char *expected) {
    peer_hears(expected, strlen(expected));
}

void peer_hears_nothing(void) {
    ck_assert(!is_readable(port.peer, 20));
}
