// SPDX-License-Identifier: Apache-2.0
// What a USB wire to a camera can do, without a station: exchanges of the shortest request there is
// (HELLO), and bulk transfers. Who looks at the bus (usbmon) sees the time of both. It asks the
// kernel directly, so that no code of the station's is in what the station is measured against.
//
//   wire-floor /dev/bus/usb/BBB/DDD IN OUT      addresses of the endpoints, in hex
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "protocol/frame.h"
#include "protocol/message.h"

#define EXCHANGES 50
// A station works between two exchanges; each begins at another moment of the bus's microframe, which
// is 125 us long. Who sleeps instead wakes up with the bus's own timer.
#define PAUSE_US 1000
#define STEP_US 35
#define BULK_SIZE ((size_t)1024 * 1024 - 1) // ends in a short packet
#define BULK_ROUNDS 4
#define REPLY_MAX 4096
#define TIMEOUT_MS 5000

struct device {
    int file;
    unsigned in;
    unsigned out;
};

_Noreturn static void give_up(const char *what) {
    fprintf(stderr, "wire-floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void start_transfer(const struct device *device, struct usbdevfs_urb *transfer,
                           unsigned endpoint, void *data, int length) {
    transfer->type = USBDEVFS_URB_TYPE_BULK;
    transfer->endpoint = (unsigned char)endpoint;
    transfer->buffer = data;
    transfer->buffer_length = length;
    if (ioctl(device->file, USBDEVFS_SUBMITURB, transfer) != 0) {
        give_up("start of a transfer");
    }
}

static void await_transfer(const struct device *device) {
    struct usbdevfs_urb *done;
    if (ioctl(device->file, USBDEVFS_REAPURB, &done) != 0 || done->status != 0) {
        give_up("transfer");
    }
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void work_for(int64_t duration_us) {
    int64_t start_us = now_us();
    while (now_us() - start_us < duration_us) {
    }
}

// The host is ready to hear the answer long before it asks, as a station is.
static void exchange(const struct device *device, uint16_t sequence) {
    struct message hello = {.op = OP_HELLO, .kind = FRAME_REQUEST, .hello = {.max_payload = 4096}};
    uint8_t payload[64];
    uint8_t wire[128];
    uint8_t reply[REPLY_MAX];
    struct frame frame = {.op = OP_HELLO, .sequence = sequence, .session = 0x11223344};
    frame.payload = (struct slice){payload, message_encode(payload, sizeof payload, &hello)};
    struct usbdevfs_urb in = {0};
    struct usbdevfs_urb out = {0};
    start_transfer(device, &in, device->in, reply, sizeof reply);
    work_for(PAUSE_US + sequence * STEP_US);
    start_transfer(device, &out, device->out, wire,
                   (int)frame_encode(wire, sizeof wire, &frame, 0));
    await_transfer(device);
    await_transfer(device);
}

// Empty frames: a camera takes them as fast as they come, and answers nothing.
static void move_bulk(const struct device *device) {
    uint8_t *zeros = calloc(1, BULK_SIZE);
    struct usbdevfs_bulktransfer order = {
        .ep = device->out, .len = BULK_SIZE, .timeout = TIMEOUT_MS, .data = zeros};
    if (zeros == NULL || ioctl(device->file, USBDEVFS_BULK, &order) != (int)BULK_SIZE) {
        give_up("bulk transfer");
    }
    free(zeros);
}

int main(int count, char **arguments) {
    unsigned interface = 0;
    if (count != 4) {
        fprintf(stderr, "usage: wire-floor NODE IN OUT\n");
        return 2;
    }
    struct device device = {
        .file = open(arguments[1], O_RDWR | O_CLOEXEC),
        .in = (unsigned)strtoul(arguments[2], NULL, 16),
        .out = (unsigned)strtoul(arguments[3], NULL, 16),
    };
    if (device.file < 0 || ioctl(device.file, USBDEVFS_CLAIMINTERFACE, &interface) != 0) {
        give_up(arguments[1]);
    }
    for (uint16_t i = 0; i < EXCHANGES; i++) {
        exchange(&device, i);
    }
    for (int i = 0; i < BULK_ROUNDS; i++) {
        move_bulk(&device);
    }
    close(device.file);
    return 0;
}
