// SPDX-License-Identifier: Apache-2.0
// The ports of a machine that umockdev plays: real libudev, and a /sys and a /dev that are made up.
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/ports.h"
#include "station/base/bytes.h"
#include "tests/mock_bed.h"

#define NOBODY 65534

// ---- the list -----------------------------------------------------------------------------------

START_TEST(nothing_is_plugged_in) {
    take_list(0);
    plug_hub("", 1); // the path of the root hub itself
    take_list(0);
    ck_assert_uint_eq(list->left_out, 0);
}
END_TEST

START_TEST(a_camera_says_what_it_is) {
    plug_camera("1-2.3", 5);
    take_list(1);
    const struct port_entry *entry = &list->entries[0];
    ck_assert_int_eq(entry->kind, PORT_USB);
    ck_assert_str_eq(entry->name, "1-2.3");
    ck_assert_str_eq(entry->usb_path, "1-2.3");
    ck_assert_str_eq(entry->node, "/dev/bus/usb/001/005");
    ck_assert_int_eq(entry->access, PORT_ALLOWED);
    ck_assert_str_ne(entry->group, "");
    ck_assert(entry->has_usb_id);
    ck_assert_uint_eq(entry->vendor_id, 0x1209);
    ck_assert_uint_eq(entry->product_id, 0xca30);
    ck_assert_str_eq(entry->manufacturer, "Example");
    ck_assert_str_eq(entry->product, "VX-2251L");
    ck_assert_str_eq(entry->serial, "VX-1");
    ck_assert_uint_eq(entry->device_class, 0);
    ck_assert(entry->is_camera && !entry->is_hub && !entry->is_unauthorized);
    ck_assert_str_eq(entry->driver, "");
    ck_assert_str_eq(entry->link, "");
    ck_assert_int_eq(entry->latency_ms, PORT_LATENCY_UNKNOWN);
}
END_TEST

START_TEST(the_driver_is_that_of_the_cameras_interface) {
    plug_usb("1-1", 2, "1209:ca30", "");
    plug_interface("1-1", "1-1:1.0", "0e0100", "uvcvideo");
    plug_interface("1-1", "1-1:1.1", "ff4301", "cypress");
    plug_interface("1-1", "1-1:1.2", "0e0200", "uvcvideo");
    plug_usb("1-2", 3, "1209:ca30", "");
    plug_interface("1-2", "1-2:1.0", "0e0100", "uvcvideo");
    plug_interface("1-2", "1-2:1.1", "ff4301", NULL);
    take_list(2);
    ck_assert_str_eq(list->entries[0].driver, "cypress");
    ck_assert_str_eq(list->entries[1].driver, "");
    ck_assert(list->entries[0].is_camera && list->entries[1].is_camera);
}
END_TEST

START_TEST(a_camera_is_one_interface_exactly) {
    static const char *const others[] = {"ff4300", "ff4201", "034301", "ff0000"};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        char path[16];
        char interface[32];
        snprintf(path, sizeof path, "1-%zu", i + 1);
        snprintf(interface, sizeof interface, "%s:1.0", path);
        plug_usb(path, (unsigned)i + 2, "1209:ca30", "");
        plug_interface(path, interface, others[i], NULL);
    }
    take_list(ARRAY_LENGTH(others));
    for (size_t i = 0; i < list->count; i++) {
        ck_assert(!list->entries[i].is_camera);
    }
}
END_TEST

// When udev reports a device its interfaces may not be made yet, but its descriptors are read.
START_TEST(a_camera_is_known_before_its_interfaces) {
    plug_usb("1-1", 2, "1209:ca30", "E: ID_USB_INTERFACES=:030101:ff4301:\n");
    plug_usb("1-2", 3, "1209:ca30", "E: ID_USB_INTERFACES=:030101:\n");
    take_list(2);
    ck_assert(list->entries[0].is_camera);
    ck_assert(!list->entries[1].is_camera);
}
END_TEST

START_TEST(a_keyboard_is_no_camera) {
    plug_usb("1-3", 4, "046d:c31c", "A: bDeviceClass=00\\n\nA: product=Keyboard\\n\n");
    plug_interface("1-3", "1-3:1.0", "030101", "usbhid");
    take_list(1);
    ck_assert(!list->entries[0].is_camera);
    ck_assert_str_eq(list->entries[0].driver, "usbhid");
    ck_assert_str_eq(list->entries[0].serial, "");
}
END_TEST

START_TEST(a_hub_is_not_the_camera_below_it) {
    plug_hub("1-2", 2);
    plug_interface("1-2", "1-2:1.0", "090000", "hub");
    plug_camera("1-2/1-2.4", 3);
    take_list(2);
    ck_assert(list->entries[0].is_hub && !list->entries[0].is_camera);
    ck_assert_str_eq(list->entries[1].name, "1-2.4");
    ck_assert(list->entries[1].is_camera && !list->entries[1].is_hub);
}
END_TEST

START_TEST(an_unauthorized_device_is_told) {
    plug_usb("1-1", 2, "1209:ca30", "A: authorized=0\\n\n");
    take_list(1);
    ck_assert(list->entries[0].is_unauthorized && !list->entries[0].is_camera);
}
END_TEST

START_TEST(many_come_in_the_order_of_their_ports) {
    for (unsigned i = 300; i >= 1; i--) {
        char path[16];
        snprintf(path, sizeof path, "1-%u", i);
        plug_camera(path, i);
    }
    take_list(300);
    for (unsigned i = 0; i < 300; i++) {
        char path[16];
        snprintf(path, sizeof path, "1-%u", i + 1);
        ck_assert_str_eq(list->entries[i].name, path);
        ck_assert(list->entries[i].is_camera);
    }
}
END_TEST

START_TEST(too_many_are_counted) {
    for (unsigned i = 1; i <= PORTS_MAX + 3; i++) {
        char path[16];
        snprintf(path, sizeof path, "1-%u", i);
        plug_usb(path, i, "1209:ca30", "A: bDeviceClass=09\\n\n");
    }
    take_list(PORTS_MAX);
    ck_assert_uint_eq(list->left_out, 3);
}
END_TEST

START_TEST(hostile_texts_come_as_they_are) {
    static const char serial[] = "\033[2J\xff\x01%s\"\\x";
    char longest[5000];
    memset(longest, 'A', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    plug_camera("1-1", 2);
    umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-1", "serial", serial);
    umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-1", "product", longest);
    umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-1", "manufacturer", "");
    umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-1", "bDeviceClass", "1000");
    take_list(1);
    ck_assert_str_eq(list->entries[0].serial, serial);
    ck_assert_uint_eq(strlen(list->entries[0].product), PORT_TEXT_SIZE - 1);
    ck_assert_str_eq(list->entries[0].manufacturer, "");
    ck_assert_uint_eq(list->entries[0].device_class, 0);
}
END_TEST

START_TEST(what_has_no_ids_is_no_device) {
    static const char *const bad[] = {"", "zzzz", "-1", "12345", "0x12", " 1209", "1209 "};
    plug_camera("1-1", 2);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-1", "idVendor", bad[i]);
        take_list(bad[i][0] == '0' ? 1 : 0);
        ck_assert(bad[i][0] != '0' || list->entries[0].vendor_id == 0x12);
    }
}
END_TEST

// ---- serial ports -------------------------------------------------------------------------------

START_TEST(an_adapter_has_a_port) {
    plug_adapter("1-4", 5, "E: ID_MM_CANDIDATE=1\n");
    take_list(2);
    ck_assert_int_eq(list->entries[0].kind, PORT_USB);
    const struct port_entry *entry = &list->entries[1];
    ck_assert_int_eq(entry->kind, PORT_SERIAL);
    ck_assert_str_eq(entry->name, "ttyUSB7");
    ck_assert_str_eq(entry->node, "/dev/ttyUSB7");
    ck_assert_str_eq(entry->usb_path, "1-4");
    ck_assert_uint_eq(entry->vendor_id, 0x0403);
    ck_assert_str_eq(entry->serial, "FT1");
    ck_assert_str_eq(entry->driver, "ftdi_sio");
    ck_assert_str_eq(entry->link, "/dev/serial/by-path/pci-0-usb-0:4:1.0-port0");
    ck_assert_int_eq(entry->latency_ms, 16);
    ck_assert(entry->is_for_modem_manager);
    ck_assert(!entry->is_camera);
}
END_TEST

START_TEST(modem_manager_may_be_told_by_port_or_device) {
    plug_adapter("1-4", 5, "E: ID_MM_CANDIDATE=1\nE: ID_MM_DEVICE_IGNORE=1\n");
    take_list(2);
    ck_assert(!list->entries[1].is_for_modem_manager);
    const char *tty = "/sys" ROOT_HUB "/1-4/1-4:1.0/ttyUSB7/tty/ttyUSB7";
    umockdev_testbed_set_property(bed, tty, "ID_MM_DEVICE_IGNORE", "0");
    take_list(2);
    ck_assert(list->entries[1].is_for_modem_manager);
    umockdev_testbed_set_property(bed, "/sys" ROOT_HUB "/1-4", "ID_MM_DEVICE_IGNORE", "1");
    take_list(2);
    ck_assert(!list->entries[1].is_for_modem_manager);
    umockdev_testbed_set_property(bed, "/sys" ROOT_HUB "/1-4", "ID_MM_DEVICE_IGNORE", "0");
    umockdev_testbed_set_property(bed, tty, "ID_MM_CANDIDATE", "0"); // there is no ModemManager
    take_list(2);
    ck_assert(!list->entries[1].is_for_modem_manager);
}
END_TEST

START_TEST(bad_latencies_are_unknown) {
    static const char *const bad[] = {"", "-5", "abc", "16x", "256", "99999999999999999999"};
    plug_adapter("1-4", 5, "");
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-4/1-4:1.0/ttyUSB7", "latency_timer",
                                       bad[i]);
        take_list(2);
        ck_assert_int_eq(list->entries[1].latency_ms, PORT_LATENCY_UNKNOWN);
    }
}
END_TEST

START_TEST(a_camera_with_a_serial_port_of_its_own) {
    plug_usb("1-5", 6, "1209:ca30", "A: serial=VX-5\\n\n");
    plug_interface("1-5", "1-5:1.0", "020201", "cdc_acm");
    plug("P: " ROOT_HUB "/1-5/1-5:1.0/tty/ttyACM0\nN: ttyACM0\n"
         "S: serial/by-path/pci-0-usb-0:5:1.0\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyACM0\n"
         "E: MAJOR=166\nE: MINOR=0\nL: device=../../../1-5:1.0\n\n");
    take_list(2);
    ck_assert_str_eq(list->entries[1].name, "ttyACM0");
    ck_assert_str_eq(list->entries[1].driver, "cdc_acm");
    ck_assert_str_eq(list->entries[1].serial, "VX-5");
    ck_assert_str_eq(list->entries[1].link, "/dev/serial/by-path/pci-0-usb-0:5:1.0");
    ck_assert_int_eq(list->entries[1].latency_ms, PORT_LATENCY_UNKNOWN);
}
END_TEST

START_TEST(only_ports_with_hardware_count) {
    plug("P: /devices/platform/serial8250\nE: SUBSYSTEM=platform\n\n"
         "P: /devices/platform/serial8250/tty/ttyS1\nN: ttyS1\nE: SUBSYSTEM=tty\n"
         "E: DEVNAME=/dev/ttyS1\nA: type=0\\n\n\n"
         "P: /devices/pnp0/00:05\nE: SUBSYSTEM=pnp\n\n"
         "P: /devices/pnp0/00:05/tty/ttyS0\nN: ttyS0\nE: SUBSYSTEM=tty\n"
         "E: DEVNAME=/dev/ttyS0\nA: type=4\\n\n\n"
         "P: /devices/virtual/tty/tty1\nN: tty1\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/tty1\n\n"
         "P: /devices/virtual/tty/ttyprintk\nN: ttyprintk\nE: SUBSYSTEM=tty\n"
         "E: DEVNAME=/dev/ttyprintk\n\n");
    take_list(1);
    ck_assert_str_eq(list->entries[0].name, "ttyS0");
    ck_assert_str_eq(list->entries[0].usb_path, "");
    ck_assert(!list->entries[0].has_usb_id);
}
END_TEST

START_TEST(what_hangs_on_no_usb_port_comes_last) {
    plug("P: /devices/pnp0/00:05\nE: SUBSYSTEM=pnp\n\n"
         "P: /devices/pnp0/00:05/tty/ttyS0\nN: ttyS0\nE: SUBSYSTEM=tty\n"
         "E: DEVNAME=/dev/ttyS0\nA: type=4\\n\n\n");
    plug_adapter("1-4", 5, "");
    plug_camera("1-10", 6);
    take_list(4);
    ck_assert_str_eq(list->entries[0].name, "1-4");
    ck_assert_str_eq(list->entries[1].name, "ttyUSB7");
    ck_assert_str_eq(list->entries[2].name, "1-10");
    ck_assert_str_eq(list->entries[3].name, "ttyS0");
}
END_TEST

// ---- permissions --------------------------------------------------------------------------------

// In a process of its own, as somebody who may not open the device; root may open everything.
static void expect_access(enum port_access wanted) {
    pid_t child = fork();
    int status = 0;
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct error error;
        bool is_user = getuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0;
        bool is_listed = is_user && ports_list(list, &error) && list->count == 1;
        _exit(is_listed && list->entries[0].access == wanted ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(permissions_are_told) {
    gchar *root = umockdev_testbed_get_root_dir(bed);
    plug_camera("1-1", 2);
    ck_assert_int_eq(chmod(root, 0755), 0);
    const char *node = "/dev/bus/usb/001/002";
    static const mode_t too_little[] = {0000, 0444, 0222};
    for (size_t i = 0; i < ARRAY_LENGTH(too_little); i++) {
        ck_assert_int_eq(chmod(node, too_little[i]), 0);
        expect_access(PORT_DENIED);
    }
    ck_assert_int_eq(chmod(node, 0666), 0);
    expect_access(PORT_ALLOWED);
    gchar *file = g_strconcat(root, node, NULL);
    ck_assert_int_eq(unlink(file), 0);
    expect_access(PORT_NO_NODE);
    g_free(file);
    g_free(root);
}
END_TEST

int main(int argc, char **argv) {
    const TTest *const tests[] = {nothing_is_plugged_in,
                                  a_camera_says_what_it_is,
                                  the_driver_is_that_of_the_cameras_interface,
                                  a_camera_is_one_interface_exactly,
                                  a_camera_is_known_before_its_interfaces,
                                  a_keyboard_is_no_camera,
                                  a_hub_is_not_the_camera_below_it,
                                  an_unauthorized_device_is_told,
                                  many_come_in_the_order_of_their_ports,
                                  too_many_are_counted,
                                  hostile_texts_come_as_they_are,
                                  what_has_no_ids_is_no_device,
                                  an_adapter_has_a_port,
                                  modem_manager_may_be_told_by_port_or_device,
                                  bad_latencies_are_unknown,
                                  a_camera_with_a_serial_port_of_its_own,
                                  only_ports_with_hardware_count,
                                  what_hangs_on_no_usb_port_comes_last,
                                  permissions_are_told};
    (void)argc;
    return run_on_bed(argv, "ports", tests, ARRAY_LENGTH(tests));
}
