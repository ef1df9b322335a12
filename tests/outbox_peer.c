// SPDX-License-Identifier: Apache-2.0
#include "tests/outbox_peer.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "station/base/clock.h"
#include "tests/support_folder.h"

static struct loop_timer *turn;
static char input[4 * OUTBOX_LINE_MAX];
static size_t input_length;

struct rig rig;

// ---- what the tests take the place of -----------------------------------------------------------

ssize_t __real_send(int descriptor, const void *data, size_t length, int flags);
ssize_t __wrap_send(int descriptor, const void *data, size_t length, int flags);
int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

ssize_t __wrap_send(int descriptor, const void *data, size_t length, int flags) {
    if (!rig.limits_sending) {
        return __real_send(descriptor, data, length, flags);
    }
    if (rig.may_send == 0) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t sent =
        __real_send(descriptor, data, length < rig.may_send ? length : rig.may_send, flags);
    rig.may_send -= sent > 0 ? (size_t)sent : 0;
    return sent;
}

int64_t __wrap_clock_monotonic_ms(void) {
    return __real_clock_monotonic_ms() + rig.ahead_ms;
}

int64_t real_monotonic_ms(void) {
    return __real_clock_monotonic_ms();
}

// ---- the bench ----------------------------------------------------------------------------------

struct ca_request bench_request(int64_t id) {
    static const uint8_t csr[] = {0x30, 0x82, 1, 2, 3, 4, 5};
    static const uint8_t hardware_id[] = {1, 2, 3, 4, 5, 6};
    struct ca_request wanted = {
        .id = id,
        .profile = &rig.profile,
        .subject = {"VX-000001", "M\\x41 1", hardware_id, sizeof hardware_id},
        .csr = {csr, sizeof csr},
        .not_before_s = 1772366400,
        .sent_ms = 1772366400123,
        .handle = "",
    };
    memset(wanted.spki_sha256, 0xab, sizeof wanted.spki_sha256);
    return wanted;
}

static void on_result(void *context, const struct ca_result *result) {
    ck_assert_ptr_eq(context, &rig.got);
    ck_assert_uint_lt(rig.got.count, RESULTS_MAX);
    rig.got.outcomes[rig.got.count] = result->outcome;
    rig.got.ids[rig.got.count++] = result->id;
    rig.got.last = *result;
    snprintf(rig.got.handle, sizeof rig.got.handle, "%s", result->handle);
    if (result->leaf.length > 0) {
        memcpy(rig.got.leaf, result->leaf.data, sizeof rig.got.leaf);
    }
    if (result->extra.length > 0) {
        memcpy(rig.got.extra, result->extra.data, sizeof rig.got.extra);
    }
    if (rig.got.asks_again) {
        rig.got.asks_again = false;
        const struct ca_request again = bench_request(99);
        ca_outbox.submit(rig.ca, &again);
    }
}

static void on_report(void *context, const struct ca_report *report) {
    ck_assert_ptr_eq(context, &rig.got);
    rig.got.reports++;
    rig.got.report = *report;
}

static void on_behind(void *context, const struct ca_behind *behind, size_t count) {
    ck_assert_ptr_eq(context, &rig.got);
    rig.got.behind_count = count;
    memcpy(rig.got.behind, behind, count * sizeof *behind);
}

void bench_open(void) {
    static const struct ca_events events = {on_result, on_report, on_behind};
    const struct ca_settings settings = {
        .name = "gateway", .station = "bench 7", .socket = rig.path};
    struct error error;
    memset(&rig.got, 0, sizeof rig.got);
    ck_assert(ca_outbox.open(rig.loop, &settings, &events, &rig.got, &rig.ca, &error));
}

void bench_close(void) {
    ca_outbox.close(rig.ca);
    rig.ca = NULL;
    if (rig.peer >= 0) {
        close(rig.peer);
    }
    rig.peer = -1;
    input_length = 0;
    rig.limits_sending = false;
    rig.ahead_ms = 0;
}

// ---- the loop ---------------------------------------------------------------------------------------

static void end_turn(void *context) {
    (void)context;
    loop_stop(rig.loop);
}

void run_ms(int64_t ms) {
    loop_timer_start(turn, ms);
    loop_run(rig.loop);
}

void wait_for(const size_t *count, size_t wanted) {
    int64_t end_ms = __real_clock_monotonic_ms() + GUARD_MS;
    while (*count < wanted) {
        ck_assert_msg(__real_clock_monotonic_ms() < end_ms, "%zu of %zu came", *count, wanted);
        run_ms(1);
    }
    ck_assert_uint_eq(*count, wanted);
}

// ---- the forwarder ------------------------------------------------------------------------------

void peer_listen(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert(text_copy(address.sun_path, sizeof address.sun_path, rig.path));
    rig.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(rig.listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(rig.listener, 8), 0);
}

void peer_accept(void) {
    rig.peer = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ck_assert_int_ge(rig.peer, 0);
    input_length = 0;
}

void peer_hang_up(void) {
    close(rig.peer);
    rig.peer = -1;
}

void peer_send(const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        ssize_t sent = __real_send(rig.peer, at, length, MSG_NOSIGNAL);
        if (sent < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            run_ms(1);
            continue;
        }
        at += sent;
        length -= (size_t)sent;
    }
}

void peer_say(const char *text) {
    peer_send(text, strlen(text));
}

void peer_greet(uint32_t answer_ms) {
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    static const struct ca_behind behind[] = {{"https", "hvca https://ca.example/v2"},
                                              {"idevid", "vault https://v:8200 authority=pki"}};
    ck_assert(outbox_put_greeting(out, "test 1", answer_ms, behind, ARRAY_LENGTH(behind)));
    peer_send(buf_text(out), buf_length(out));
    buf_free(out);
}

// The next line, which must be a good one; into rig.message. Returns its length with the newline.
size_t peer_read(void) {
    struct error error;
    int64_t end_ms = __real_clock_monotonic_ms() + GUARD_MS;
    for (;;) {
        char *newline = memchr(input, '\n', input_length);
        if (newline != NULL) {
            size_t length = (size_t)(newline - input);
            ck_assert_msg(
                outbox_read((struct slice){(uint8_t *)input, length}, &rig.message, &error), "%s",
                error.text);
            input_length -= length + 1;
            memmove(input, newline + 1, input_length);
            return length + 1;
        }
        ssize_t got_now = recv(rig.peer, input + input_length, sizeof input - input_length, 0);
        if (got_now > 0) {
            input_length += (size_t)got_now;
            continue;
        }
        ck_assert_msg(got_now < 0 && errno == EAGAIN, "the bench has hung up");
        ck_assert(__real_clock_monotonic_ms() < end_ms);
        run_ms(1);
    }
}

// A connection on which everything may be asked. Its first call is a check.
void connect_up(uint32_t answer_ms) {
    ca_outbox.check(rig.ca, &rig.profile);
    peer_accept();
    peer_greet(answer_ms);
    peer_read();
    ck_assert_int_eq(rig.message.type, OUTBOX_HELLO);
    ck_assert_str_eq(rig.message.name, "bench 7");
    ck_assert_uint_eq(rig.message.protocol, OUTBOX_PROTOCOL);
    peer_read();
    ck_assert_int_eq(rig.message.type, OUTBOX_CHECK);
    const struct ca_report report = {.reachable = true,
                                     .logged_in = true,
                                     .login = CA_LOGIN_TAKEN,
                                     .policy_fits = true,
                                     .quota = 17,
                                     .clock_offset_ms = 5000,
                                     .station_certificate_not_after_ms = 1772366400000,
                                     .chain = {"CN=Issuing", "CN=Root"},
                                     .remark = "lists lag",
                                     .behind = "CA factory (local)",
                                     .is_private = true};
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    ck_assert(outbox_put_report(out, rig.message.call, &report));
    peer_send(buf_text(out), buf_length(out));
    buf_free(out);
    wait_for(&rig.got.reports, 1);
}

void peer_put_result(struct buf *out, uint32_t call, enum ca_outcome outcome) {
    static const uint8_t leaf[16] = "the leaf's bytes";
    static const uint8_t extra[16] = "and of its chain";
    struct ca_result result = {.outcome = outcome, .handle = "0A1B"};
    if (outcome == CA_CERTIFICATE) {
        result.leaf = (struct slice){leaf, sizeof leaf};
        result.extra = (struct slice){extra, sizeof extra};
        result.issued_s = 1772366401;
    } else if (outcome != CA_ACCEPTED && outcome != CA_NOT_ISSUED && outcome != CA_REVOKED) {
        error_set(&result.error, E_CA_QUOTA, "no more \x01");
        result.retry_after_ms = 1500;
    }
    ck_assert(outbox_put_result(out, call, &result));
}

void peer_answer(uint32_t call, enum ca_outcome outcome) {
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    peer_put_result(out, call, outcome);
    peer_send(buf_text(out), buf_length(out));
    buf_free(out);
}

void outbox_setup(void) {
    struct error error;
    folder_make();
    folder_path(rig.path, sizeof rig.path, "sock");
    ck_assert(profile_built_in("https", &rig.profile));
    ck_assert(loop_new(&rig.loop, &error));
    turn = loop_timer_new(rig.loop, end_turn, NULL);
    rig.peer = -1;
    peer_listen();
    bench_open();
}

void outbox_teardown(void) {
    bench_close();
    loop_timer_free(turn);
    loop_free(rig.loop);
    close(rig.listener);
    unlink(rig.path);
    folder_remove();
}
