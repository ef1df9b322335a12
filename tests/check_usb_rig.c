// SPDX-License-Identifier: Apache-2.0
// The mocked USB bench itself: packets end transfers as on a wire, and a node is polled as usbfs is.
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "fixtures/camera_usb_fault.h"
#include "fixtures/camera_usb_mock_node.h"
#include "fixtures/camera_usb_wire.h"

static struct usb_wire *wire;
static struct chance chance;
static uint8_t bytes[32768];
static uint8_t buffer[4096];

static void make_wire(void) {
    struct error error;
    chance = chance_new(1, 1);
    ck_assert(usb_wire_new(&wire, &error));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)chance_next(&chance);
    }
}

static void free_wire(void) {
    usb_wire_free(wire);
}

static void write_wire(size_t from, size_t length, enum usb_pieces pieces) {
    usb_wire_write(wire, (struct slice){bytes + from, length}, pieces, &chance);
}

static struct usb_transfer transfer_of(size_t capacity) {
    memset(buffer, 0, sizeof buffer);
    return (struct usb_transfer){.data = buffer, .capacity = capacity};
}

// ---- to the host --------------------------------------------------------------------------------

START_TEST(test_a_short_packet_ends_a_transfer) {
    struct usb_transfer transfer = transfer_of(4096);
    ck_assert(!usb_wire_fill(wire, &transfer));
    write_wire(0, 1000, USB_WHOLE_PACKETS);
    ck_assert(usb_wire_fill(wire, &transfer));
    ck_assert_uint_eq(transfer.length, 1000);
    ck_assert_mem_eq(buffer, bytes, 1000);
    ck_assert(!usb_wire_has_packet(wire));
}
END_TEST

START_TEST(test_whole_packets_wait_for_more) {
    struct usb_transfer transfer = transfer_of(4096);
    write_wire(0, 1024, USB_WHOLE_PACKETS);
    ck_assert(!usb_wire_fill(wire, &transfer));
    ck_assert(!usb_wire_fill(wire, &transfer));
    write_wire(1024, 1, USB_WHOLE_PACKETS);
    ck_assert(usb_wire_fill(wire, &transfer));
    ck_assert_uint_eq(transfer.length, 1025);
    ck_assert_mem_eq(buffer, bytes, 1025);
}
END_TEST

START_TEST(test_a_full_transfer_ends) {
    struct usb_transfer transfer = transfer_of(512);
    write_wire(0, 1024, USB_WHOLE_PACKETS);
    ck_assert(usb_wire_fill(wire, &transfer));
    ck_assert_uint_eq(transfer.length, 512);
    ck_assert(!transfer.overflowed);
    ck_assert(usb_wire_has_packet(wire));
}
END_TEST

START_TEST(test_a_packet_that_does_not_fit_overflows) {
    struct usb_transfer transfer = transfer_of(100);
    write_wire(0, 101, USB_WHOLE_PACKETS);
    ck_assert(usb_wire_fill(wire, &transfer));
    ck_assert(transfer.overflowed);
    ck_assert_uint_eq(transfer.length, 100);
}
END_TEST

START_TEST(test_pieces) {
    size_t received = 0;
    write_wire(0, 3, USB_SINGLE_BYTES);
    write_wire(3, 2000, USB_RANDOM_PIECES);
    for (size_t i = 0; usb_wire_has_packet(wire); i++) {
        struct usb_transfer transfer = transfer_of(4096);
        ck_assert(usb_wire_fill(wire, &transfer) || !usb_wire_has_packet(wire));
        ck_assert(i >= 3 || transfer.length == 1);
        ck_assert_mem_eq(buffer, bytes + received, transfer.length);
        received += transfer.length;
    }
    ck_assert_uint_eq(received, 2003);
}
END_TEST

// ---- from the host ------------------------------------------------------------------------------

static bool take(size_t from, size_t length) {
    return usb_wire_take(wire, (struct slice){bytes + from, length});
}

START_TEST(test_the_camera_reads_up_to_a_short_packet) {
    ck_assert(take(0, 700));
    ck_assert_uint_eq(usb_wire_read(wire).length, 700);
    usb_wire_read_done(wire);
    ck_assert(!take(0, 512));
    ck_assert(!take(512, 1024));
    ck_assert(take(1536, 5));
    ck_assert(slice_equal(usb_wire_read(wire), (struct slice){bytes, 1541}));
    usb_wire_read_done(wire);
    ck_assert(!take(0, 512));
    ck_assert(take(0, 0));
    ck_assert_uint_eq(usb_wire_read(wire).length, 512);
}
END_TEST

START_TEST(test_the_camera_reads_what_fills_its_buffer) {
    ck_assert(!take(0, 8192));
    ck_assert(take(8192, 8192));
    ck_assert_uint_eq(usb_wire_read(wire).length, 16384);
}
END_TEST

// ---- the node -----------------------------------------------------------------------------------

static short poll_now(int descriptor) {
    struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
    ck_assert_int_ge(poll(&wait, 1, 0), 0);
    return wait.revents;
}

// What the node stands on.
START_TEST(test_a_terminal_is_polled_as_usbfs_is) {
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    ck_assert_int_eq(ptsname_r(master, name, sizeof name), 0);
    int ours = open(name, O_RDWR | O_NOCTTY);
    int theirs = open(name, O_RDWR | O_NOCTTY);
    ck_assert_int_eq(tcflow(ours, TCOOFF), 0);
    ck_assert_int_eq(poll_now(theirs), 0);
    ck_assert_int_eq(tcflow(ours, TCOON), 0);
    ck_assert_int_eq(poll_now(theirs), POLLOUT);
    ck_assert_int_eq(tcflow(ours, TCOOFF), 0);
    close(master);
    ck_assert_int_eq(poll_now(theirs) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    close(ours);
    close(theirs);
}
END_TEST

static void ignore_bytes(void *context, struct slice ignored) {
    (void)context;
    (void)ignored;
}

static void ignore(void *context) {
    (void)context;
}

START_TEST(test_a_node_hangs_up_and_stays_while_it_is_held) {
    static const struct port_events events = {ignore_bytes, ignore, ignore};
    char path[64] = "/tmp/usb-rig.XXXXXX";
    struct error error;
    struct loop *loop = NULL;
    struct mock_node *gone = NULL;
    struct mock_node *node = NULL;
    struct mock_tally tally = {0};
    ck_assert(loop_new(&loop, &error));
    ck_assert_ptr_nonnull(mkdtemp(path));
    char socket_path[80];
    snprintf(socket_path, sizeof socket_path, "%s/node", path);
    const struct mock_node_plan plan = {.loop = loop,
                                        .socket_path = socket_path,
                                        .events = &events,
                                        .tally = &tally,
                                        .gone = &gone};
    ck_assert(mock_node_new(&plan, &node, &error));
    int held = open(mock_node_terminal(node), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(held, 0);
    ck_assert_int_eq(poll_now(held), 0);
    mock_node_send(node, (struct slice){bytes, 512});
    ck_assert_uint_eq(tally.endless_in, 1);
    mock_node_unplug(node);
    ck_assert_int_eq(poll_now(held) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    ck_assert_int_eq(access(socket_path, F_OK), -1);
    ck_assert_ptr_null(gone); // no ioctl has come
    close(held);
    rmdir(path);
    loop_free(loop);
}
END_TEST

// ---- settings -----------------------------------------------------------------------------------

static bool parse(const char *setting, struct usb_settings *settings, struct error *error) {
    const struct sim_options options = {
        .count = 4, .port_settings = {setting}, .port_setting_count = 1};
    return usb_settings_parse(&options, settings, error);
}

START_TEST(test_settings) {
    struct usb_settings settings;
    struct error error;
    ck_assert(parse("fault=all:stall-in=7", &settings, &error));
    ck_assert_uint_eq(usb_fault_number(&settings, 3, USB_STALL_IN), 7);
    ck_assert_uint_eq(usb_fault_number(&settings, 3, USB_STALL_OUT), 0);
    ck_assert(parse("fault=1:id=dead:BEEF", &settings, &error));
    ck_assert_ptr_null(usb_fault_find(&settings, 0, USB_ID));
    ck_assert_uint_eq(usb_fault_find(&settings, 1, USB_ID)->product, 0xbeef);
    ck_assert(parse("hub=3", &settings, &error));
    ck_assert_uint_eq(settings.hub_ports, 3);
}
END_TEST

START_TEST(test_wrong_settings) {
    static const char *const wrong[] = {
        "",
        "hub",
        "hub=16",
        "hub=-1",
        "fault=4:flood",
        "fault=flood",
        "fault=0:flood=1",
        "fault=0:floods",
        "fault=0:stall-in",
        "fault=0:stall-in=0",
        "fault=0:stall-in=x",
        "fault=0:id=12345:1",
        "fault=0:id=1234",
        "fault=0:serial=",
        "fault=0:descriptor=odd",
    };
    struct usb_settings settings;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct error error = {0};
        ck_assert_msg(!parse(wrong[i], &settings, &error), "%s", wrong[i]);
        ck_assert_int_eq(error.code, E_USAGE);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("usb_rig");
    TCase *packets = tcase_create("packets");
    TCase *node = tcase_create("node");
    tcase_add_checked_fixture(packets, make_wire, free_wire);
    tcase_add_test(packets, test_a_short_packet_ends_a_transfer);
    tcase_add_test(packets, test_whole_packets_wait_for_more);
    tcase_add_test(packets, test_a_full_transfer_ends);
    tcase_add_test(packets, test_a_packet_that_does_not_fit_overflows);
    tcase_add_test(packets, test_pieces);
    tcase_add_test(packets, test_the_camera_reads_up_to_a_short_packet);
    tcase_add_test(packets, test_the_camera_reads_what_fills_its_buffer);
    tcase_add_test(node, test_a_terminal_is_polled_as_usbfs_is);
    tcase_add_test(node, test_a_node_hangs_up_and_stays_while_it_is_held);
    tcase_add_test(node, test_settings);
    tcase_add_test(node, test_wrong_settings);
    suite_add_tcase(suite, packets);
    suite_add_tcase(suite, node);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
