// SPDX-License-Identifier: Apache-2.0
// The program beside cameras whose control endpoint is dead: the kernel waits for them, seconds,
// whenever a halt is to be cleared. Linked with --wrap.
#include <libusb-1.0/libusb.h>
#include <unistd.h>

#define WAIT_S 8 // longer than a healthy camera takes in all

int __real_libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint);
int __wrap_libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint);

int __wrap_libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint) {
    sleep(WAIT_S);
    return __real_libusb_clear_halt(handle, endpoint);
}
