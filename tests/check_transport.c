// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "protocol/transport.h"
#include "protocol/transport_serial_speed.h"
#include "tests/support_port.h"

START_TEST(test_table) {
    ck_assert_ptr_eq(transport_find("serial"), &transport_serial);
    ck_assert_ptr_eq(transport_find("unix"), &transport_unix);
    ck_assert_ptr_null(transport_find("Serial"));
    ck_assert_ptr_null(transport_find(""));
    struct transport_settings settings = {.path = "x"};
    ck_assert_uint_eq(transport_bit_rate(&transport_serial, &settings), 115200);
    ck_assert_uint_eq(transport_bit_rate(&transport_unix, &settings), 0);
    settings.bit_rate = 250000;
    ck_assert_uint_eq(transport_bit_rate(&transport_serial, &settings), 250000);
    ck_assert_uint_eq(transport_bit_rate(&transport_unix, &settings), 0);
    transport_serial.close(NULL);
    transport_unix.close(NULL);
}
END_TEST

// Loop tests 0 and 1 do the same over a pty and over a socket.
START_TEST(test_both_ways) {
    port_open_either(_i);
    ck_assert(port_write_text("ping\n"));
    peer_hears_text("ping\n");
    peer_says("pong\r\n");
    port_run_until_received(6);
    ck_assert_str_eq(port.text, "pong\r\n");
    ck_assert_int_eq(port.hangups, 0);
}
END_TEST

// Every byte value passes as it is, however it is cut.
START_TEST(test_all_bytes_in_pieces) {
    uint8_t all[256];
    port_open_either(_i);
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < 255; i++) {
        ck_assert_int_eq(write(port.peer, &all[i], 1), 1);
        port_run_until_received(i + 1);
    }
    ck_assert_mem_eq(port.text, all, 255);
    ck_assert(port.ops->write(port.transport, (struct slice){all, sizeof all}));
    peer_hears(all, sizeof all);
}
END_TEST

START_TEST(test_empty_write) {
    port_open_either(_i);
    ck_assert(port_write_text(""));
    peer_hears_nothing();
}
END_TEST

// A tty as it comes would echo this to the camera, stop at XOFF and turn CR into NL.
START_TEST(test_no_echo_of_boot_text) {
    const char boot[] = "U-Boot 2022.01\r\nlogin: \x03\x13\x04\x7f";
    port_open_pty();
    peer_says(boot);
    port_run_until_received(strlen(boot));
    ck_assert_str_eq(port.text, boot);
    peer_hears_nothing();
    ck_assert(port_write_text("a\nb")); // OPOST would make it a CR NL
    peer_hears_text("a\nb");
}
END_TEST

START_TEST(test_stale_input_is_dropped) {
    struct error error;
    port_make_pty();
    int slave = open(port.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    struct termios raw;
    ck_assert_int_eq(tcgetattr(slave, &raw), 0);
    cfmakeraw(&raw);
    ck_assert_int_eq(tcsetattr(slave, TCSANOW, &raw), 0);
    peer_says("from before");
    ck_assert(is_readable(slave, PATIENCE_MS));
    struct transport_settings settings = {.path = port.path};
    ck_assert(port_open(port.ops, &settings, &port.transport, &error));
    peer_says("now");
    port_run_until_received(3);
    ck_assert_str_eq(port.text, "now");
    close(slave);
}
END_TEST

START_TEST(test_line_settings) {
    struct termios mode;
    port_open_pty();
    ck_assert_int_eq(tcgetattr(port.peer, &mode), 0);
    ck_assert_uint_eq(mode.c_lflag & (ECHO | ICANON | ISIG | IEXTEN), 0);
    ck_assert_uint_eq(mode.c_iflag & (IXON | IXOFF | ICRNL | ISTRIP | PARMRK), 0);
    ck_assert_uint_eq(mode.c_oflag & OPOST, 0);
    ck_assert_uint_eq(mode.c_cflag & (HUPCL | PARENB | CSTOPB), 0);
    ck_assert_uint_eq(mode.c_cflag & CRTSCTS, 0);
    ck_assert_uint_eq(mode.c_cflag & (CLOCAL | CREAD | CS8), CLOCAL | CREAD | CS8);
    ck_assert_uint_eq(mode.c_cc[VMIN], 1);
    ck_assert_uint_eq(transport_serial_speed(port.peer), 115200);
}
END_TEST

START_TEST(test_speeds) {
    port_open_pty_with(921600, NULL);
    ck_assert_uint_eq(transport_serial_speed(port.peer), 921600);
    port_close();
    struct error error;
    // Not one of the table of <termios.h>.
    struct transport_settings settings = {.path = port.path, .bit_rate = 250000};
    ck_assert_msg(port_open(port.ops, &settings, &port.transport, &error), "%s", error.text);
    ck_assert_uint_eq(transport_serial_speed(port.peer), 250000);
    ck_assert(port_write_text("x"));
    peer_hears_text("x");
}
END_TEST

START_TEST(test_second_opener_is_refused) {
    port_open_pty();
    ck_assert_int_eq(port_try(&transport_serial, port.path), E_PORT_BUSY);
    ck_assert(port_write_text("still mine"));
    peer_hears_text("still mine");
    port_close();
    ck_assert_int_eq(port_try(&transport_serial, port.path), ERROR_NONE);
}
END_TEST

// A refused opener must not have touched the mode of the port that is in use.
START_TEST(test_foreign_lock_and_mode) {
    port_make_pty();
    int other = open(port.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
    struct termios before;
    struct termios after;
    ck_assert_int_eq(tcgetattr(other, &before), 0);
    ck_assert_int_eq(port_try(&transport_serial, port.path), E_PORT_BUSY);
    ck_assert_int_eq(tcgetattr(other, &after), 0);
    ck_assert_uint_eq(before.c_lflag, after.c_lflag);
    close(other);
}
END_TEST

// A killed station leaves nothing behind that would keep the next one out of a simulated port.
START_TEST(test_pty_is_not_left_exclusive) {
    int exclusive = 1;
    port_open_pty();
    ck_assert_int_eq(ioctl(port.peer, TIOCGEXCL, &exclusive), 0);
    int slave = open(port.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(ioctl(slave, TIOCGEXCL, &exclusive), 0);
    ck_assert_int_eq(exclusive, 0);
    close(slave);
}
END_TEST

START_TEST(test_hangup) {
    port_open_either(_i);
    port.close_on_hangup = true;
    peer_says("last words");
    close(port.peer);
    port.peer = -1;
    while (port.hangups == 0) {
        port_run();
    }
    if (_i == 1) { // the kernel drops what a pty held
        ck_assert_str_eq(port.text, "last words");
    }
    ck_assert_int_eq(port.hangups, 1);
    ck_assert_int_eq(port.reason.code, E_PORT_HANGUP);
}
END_TEST

// The failed write is reported later, once, and not from inside the call.
START_TEST(test_write_after_the_peer_left) {
    port_open_either(_i);
    close(port.peer);
    port.peer = -1;
    ck_assert(port_write_text("into the void"));
    ck_assert(port_write_text("again"));
    ck_assert_int_eq(port.hangups, 0);
    port_run();
    ck_assert_int_eq(port.hangups, 1);
    ck_assert_int_eq(port.reason.code, E_PORT_HANGUP);
    ck_assert(port.reason.text[0] != '\0');
    port_run_for(20);
    ck_assert_int_eq(port.hangups, 1);
}
END_TEST

START_TEST(test_close_before_the_failure_is_reported) {
    port_open_either(_i);
    close(port.peer);
    port.peer = -1;
    ck_assert(port_write_text("into the void"));
    port_close();
    port_run_for(20);
    ck_assert_int_eq(port.hangups, 0);
}
END_TEST

START_TEST(test_close_from_inside_bytes) {
    port_open_either(_i);
    port.close_on_bytes = true;
    peer_says("enough");
    port_run();
    ck_assert_ptr_null(port.transport);
    ck_assert_uint_eq(port.deliveries, 1);
    port_run_for(20);
}
END_TEST

// A camera that does not read: the queue fills, then refuses whole writes; nothing is lost or cut.
START_TEST(test_full_queue) {
    static uint8_t sent[1000];
    size_t accepted = 0;
    port_open_either(_i);
    while (accepted < (size_t)16 << 20) {
        for (size_t i = 0; i < sizeof sent; i++) {
            sent[i] = (uint8_t)((accepted + i) % 251);
        }
        if (!port.ops->write(port.transport, (struct slice){sent, sizeof sent})) {
            break;
        }
        accepted += sizeof sent;
    }
    ck_assert_uint_lt(accepted, (size_t)16 << 20);
    ck_assert_uint_gt(accepted, 60000);
    size_t heard = 0;
    static uint8_t piece[3000];
    while (heard < accepted) {
        port_run_for(1);
        ssize_t got = read(port.peer, piece, sizeof piece);
        for (ssize_t i = 0; i < got; i++) {
            ck_assert_uint_eq(piece[i], (heard + (size_t)i) % 251);
        }
        heard += got > 0 ? (size_t)got : 0;
    }
    ck_assert_uint_eq(heard, accepted);
    ck_assert(port_write_text("room again"));
    ck_assert_int_eq(port.hangups, 0);
}
END_TEST

START_TEST(test_write_over_the_limit) {
    static uint8_t huge[65537];
    port_open_either(_i);
    ck_assert(!port.ops->write(port.transport, (struct slice){huge, sizeof huge}));
    peer_hears_nothing();
    ck_assert(port_write_text("fits"));
    peer_hears_text("fits");
}
END_TEST

struct flood {
    struct loop_timer *timer;
    int turns;
    size_t largest_turn;
    size_t before;
};

static void handle_flood_turn(void *context) {
    static const uint8_t noise[8192];
    struct flood *flood = context;
    size_t turn = port.received - flood->before;
    flood->largest_turn = turn > flood->largest_turn ? turn : flood->largest_turn;
    flood->before = port.received;
    while (write(port.peer, noise, sizeof noise) > 0) {
    }
    if (++flood->turns == 200) {
        loop_stop(port.loop);
    } else {
        loop_timer_start(flood->timer, 0);
    }
}

// A camera that never stops talking gets a bounded share: a timer still gets its turn, every turn.
START_TEST(test_flood_does_not_starve_the_loop) {
    struct flood flood = {.turns = 0};
    port_open_either(_i);
    flood.timer = loop_timer_new(port.loop, handle_flood_turn, &flood);
    loop_timer_start(flood.timer, 0);
    port_run();
    loop_timer_free(flood.timer);
    ck_assert_int_eq(flood.turns, 200);
    ck_assert_uint_gt(port.received, 0);
    ck_assert_uint_le(flood.largest_turn, 16384);
}
END_TEST

START_TEST(test_what_is_no_port) {
    snprintf(port.path, sizeof port.path, "%s/file", port.folder);
    int file = open(port.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(port_try(&transport_serial, port.path), E_PORT_NOT_TTY);
    ck_assert_int_eq(port_try(&transport_serial, "/dev/null"), E_PORT_NOT_TTY);
    ck_assert_int_eq(port_try(&transport_serial, port.folder), E_PORT_NOT_TTY);
    ck_assert_int_eq(port_try(&transport_serial, "/dev/no-such-port"), E_PORT_MISSING);
    ck_assert_int_eq(port_try(&transport_serial, "/dev/null/port"), E_PORT_MISSING);
    ck_assert_int_eq(port_try(&transport_unix, port.path), E_PORT_MISSING);
    ck_assert_int_eq(port_try(&transport_unix, "/no/such/socket"), E_PORT_MISSING);
    char lengthy[200];
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[0] = '/';
    lengthy[sizeof lengthy - 1] = '\0';
    ck_assert_int_eq(port_try(&transport_unix, lengthy), E_PORT_MISSING);
}
END_TEST

START_TEST(test_serial_path_that_is_a_socket) {
    port_listen(1);
    ck_assert_int_eq(port_try(&transport_serial, port.path), E_PORT_NOT_TTY);
}
END_TEST

START_TEST(test_socket_left_behind) {
    port_listen(1);
    close(port.listener);
    port.listener = -1;
    ck_assert_int_eq(port_try(&transport_unix, port.path), E_PORT_MISSING);
}
END_TEST

START_TEST(test_socket_that_takes_no_more) {
    struct error error;
    port_listen(0);
    struct transport_settings settings = {.path = port.path};
    ck_assert(port_open(port.ops, &settings, &port.transport, &error));
    ck_assert_int_eq(port_try(&transport_unix, port.path), E_PORT_BUSY);
}
END_TEST

START_TEST(test_denied) {
    if (geteuid() == 0) { // root is never denied: become somebody else, in this child only
        ck_assert_int_eq(chmod(port.folder, 0755), 0);
        port_listen(1);
        ck_assert_int_eq(chmod(port.path, 0600), 0);
        port_make_pty();
        ck_assert_int_eq(chmod(port.path, 0600), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        enum error_code serial = port_try(&transport_serial, port.path);
        snprintf(port.path, sizeof port.path, "%s/port", port.folder);
        enum error_code local = port_try(&transport_unix, port.path);
        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(serial, E_PORT_DENIED);
        ck_assert_int_eq(local, E_PORT_DENIED);
    }
}
END_TEST

START_TEST(test_wake_line) {
    port_open_pty_with(0, "birthcert-agent");
    peer_hears_text("birthcert-agent\r");
}
END_TEST

// What follows a reset waits for the BREAK to end, behind the wake line; what was queued is gone.
START_TEST(test_reset) {
    port_open_pty_with(0, "wake");
    peer_hears_text("wake\r");
    port.ops->reset(port.transport);
    ck_assert(port_write_text("hello"));
    peer_hears_nothing();
    for (int i = 0; i < 250 && !is_readable(port.peer, 0); i++) {
        port_run_for(20);
    }
    peer_hears_text("wake\rhello");
    peer_says("back");
    port_run_until_received(4);
}
END_TEST

START_TEST(test_close_during_reset) {
    port_open_pty();
    port.ops->reset(port.transport);
    port_close();
    port_run_for(20);
}
END_TEST

START_TEST(test_reset_of_a_socket) {
    port_open_unix();
    port.ops->reset(port.transport);
    ck_assert(port_write_text("hello"));
    peer_hears_text("hello");
}
END_TEST

static Suite *transport_suite(void) {
    Suite *suite = suite_create("transport");
    TCase *both = tcase_create("both");
    tcase_add_checked_fixture(both, port_set_up, port_tear_down);
    tcase_add_loop_test(both, test_both_ways, 0, 2);
    tcase_add_loop_test(both, test_all_bytes_in_pieces, 0, 2);
    tcase_add_loop_test(both, test_empty_write, 0, 2);
    tcase_add_loop_test(both, test_hangup, 0, 2);
    tcase_add_loop_test(both, test_write_after_the_peer_left, 0, 2);
    tcase_add_loop_test(both, test_close_before_the_failure_is_reported, 0, 2);
    tcase_add_loop_test(both, test_close_from_inside_bytes, 0, 2);
    tcase_add_loop_test(both, test_full_queue, 0, 2);
    tcase_add_loop_test(both, test_write_over_the_limit, 0, 2);
    tcase_add_loop_test(both, test_flood_does_not_starve_the_loop, 0, 2);
    tcase_set_timeout(both, 30);
    suite_add_tcase(suite, both);
    TCase *opening = tcase_create("opening");
    tcase_add_checked_fixture(opening, port_set_up, port_tear_down);
    tcase_add_test(opening, test_table);
    tcase_add_test(opening, test_what_is_no_port);
    tcase_add_test(opening, test_serial_path_that_is_a_socket);
    tcase_add_test(opening, test_socket_left_behind);
    tcase_add_test(opening, test_socket_that_takes_no_more);
    tcase_add_test(opening, test_denied);
    suite_add_tcase(suite, opening);
    TCase *serial = tcase_create("serial");
    tcase_add_checked_fixture(serial, port_set_up, port_tear_down);
    tcase_add_test(serial, test_no_echo_of_boot_text);
    tcase_add_test(serial, test_stale_input_is_dropped);
    tcase_add_test(serial, test_line_settings);
    tcase_add_test(serial, test_speeds);
    tcase_add_test(serial, test_second_opener_is_refused);
    tcase_add_test(serial, test_foreign_lock_and_mode);
    tcase_add_test(serial, test_pty_is_not_left_exclusive);
    tcase_add_test(serial, test_wake_line);
    tcase_add_test(serial, test_reset);
    tcase_add_test(serial, test_close_during_reset);
    tcase_add_test(serial, test_reset_of_a_socket);
    tcase_set_timeout(serial, 30);
    suite_add_tcase(suite, serial);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(transport_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
