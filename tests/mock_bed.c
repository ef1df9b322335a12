// SPDX-License-Identifier: Apache-2.0
#include "tests/mock_bed.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

UMockdevTestbed *bed;
struct port_list *list;

static void make_bed(void) {
    bed = umockdev_testbed_new();
    list = calloc(1, sizeof *list);
    ck_assert_ptr_nonnull(list);
}

static void remove_bed(void) {
    g_object_unref(bed);
    free(list);
}

// ---- devices ------------------------------------------------------------------------------------

void plug(const char *description) {
    GError *error = NULL;
    bool is_added = umockdev_testbed_add_from_string(bed, description, &error);
    ck_assert_msg(is_added, "%s", error != NULL ? error->message : "");
}

void plug_usb(const char *path, unsigned number, const char *id, const char *attributes) {
    char text[2000];
    snprintf(text, sizeof text,
             "P: " ROOT_HUB "/%s\nN: bus/usb/001/%03u\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
             "E: DEVNAME=/dev/bus/usb/001/%03u\nA: idVendor=%.4s\\n\nA: idProduct=%s\\n\n%s\n",
             path, number, number, id, id + 5, attributes);
    plug(text);
}

void plug_interface(const char *device, const char *name, const char *class_hex,
                    const char *driver) {
    char text[1000];
    char link[200] = "";
    if (driver != NULL) {
        snprintf(link, sizeof link, "L: driver=../../../../../../bus/usb/drivers/%s\n", driver);
    }
    snprintf(text, sizeof text,
             "P: " ROOT_HUB "/%s/%s\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\n"
             "A: bInterfaceClass=%.2s\\n\nA: bInterfaceSubClass=%.2s\\n\n"
             "A: bInterfaceProtocol=%.2s\\n\n%s\n",
             device, name, class_hex, class_hex + 2, class_hex + 4, link);
    plug(text);
}

void plug_camera(const char *path, unsigned number) {
    char interface[64];
    snprintf(interface, sizeof interface, "%s:1.0", path);
    plug_usb(path, number, "1209:ca30",
             "A: bDeviceClass=00\\n\nA: manufacturer=Example\\n\nA: product=VX-2251L\\n\n"
             "A: serial=VX-1\\n\nA: authorized=1\\n\n");
    plug_interface(path, interface, "ff4301", NULL);
}

void plug_hub(const char *path, unsigned number) {
    plug_usb(path, number, "1d6b:0002", "A: bDeviceClass=09\\n\n");
}

void plug_adapter(const char *path, unsigned number, const char *properties) {
    char text[3000];
    char interface[64];
    snprintf(interface, sizeof interface, "%s:1.0", path);
    plug_usb(path, number, "0403:6001", "A: product=UART\\n\nA: serial=FT1\\n\n");
    plug_interface(path, interface, "ffffff", "ftdi_sio");
    snprintf(
        text, sizeof text,
        "P: " ROOT_HUB "/%s/%s/ttyUSB7\nE: SUBSYSTEM=usb-serial\nA: latency_timer=16\\n\n"
        "L: driver=../../../../../../../bus/usb-serial/drivers/ftdi_sio\n\n"
        "P: " ROOT_HUB "/%s/%s/ttyUSB7/tty/ttyUSB7\nN: ttyUSB7\n"
        "S: serial/by-path/pci-0-usbv2-0:4:1.0-port0\nS: serial/by-path/pci-0-usb-0:4:1.0-port0\n"
        "E: SUBSYSTEM=tty\nE: DEVNAME=/dev/ttyUSB7\nE: MAJOR=188\nE: MINOR=7\n%s"
        "L: device=../../../ttyUSB7\n\n",
        path, interface, path, interface, properties);
    plug(text);
}

void take_list(size_t count) {
    struct error error = {0};
    ck_assert_msg(ports_list(list, &error), "%s", error.text);
    ck_assert_uint_eq(list->count, count);
}

// ---- umockdev -----------------------------------------------------------------------------------

// umockdev works in programs that it was loaded into before all others; only the sanitizer's
// library has to come before it, where that is one.
static void preload_umockdev(char **argv) {
    static const char library[] = "libumockdev-preload.so.0";
    const char *before = getenv("LD_PRELOAD");
    char value[1024];
    Dl_info info;
    void *sanitizer = dlsym(RTLD_DEFAULT, "__asan_init");
    if (before != NULL && strstr(before, library) != NULL) {
        return;
    }
    bool is_library = sanitizer != NULL && dladdr(sanitizer, &info) != 0 &&
                      strstr(info.dli_fname, "libasan") != NULL;
    snprintf(value, sizeof value, "%s%s%s", is_library ? info.dli_fname : "", is_library ? ":" : "",
             library);
    setenv("LD_PRELOAD", value, 1);
    execv("/proc/self/exe", argv);
    perror("cannot start again");
    exit(EXIT_FAILURE);
}

int run_on_bed(char **argv, const char *name, const TTest *const tests[], size_t count) {
    preload_umockdev(argv);
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, make_bed, remove_bed);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
