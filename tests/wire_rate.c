// SPDX-License-Identifier: Apache-2.0
// What a USB wire to a camera can do, without a station: the time of the shortest exchange (HELLO)
// and the rate of bulk transfers. It asks the kernel directly, so that no code of the station's is
// in what the station is measured against. Prints the median, the mean and the longest time of an
// exchange in microseconds, and bytes per second.
//
//   wire-rate /dev/bus/usb/BBB/DDD IN OUT      addresses of the endpoints, in hex
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

#define EXCHANGES 101
#define PAUSE_US 10000 // a station works between two exchanges, and processors go to sleep
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
    fprintf(stderr, "wire-rate: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static size_t transfer(const struct device *device, unsigned endpoint, void *data, size_t length) {
    struct usbdevfs_bulktransfer order = {
        .ep = endpoint, .len = (unsigned)length, .timeout = TIMEOUT_MS, .data = data};
    int moved = ioctl(device->file, USBDEVFS_BULK, &order);
    if (moved < 0) {
        give_up("bulk transfer");
    }
    return (size_t)moved;
}

static int64_t exchange_us(const struct device *device, uint16_t sequence) {
    struct message hello = {.op = OP_HELLO, .kind = FRAME_REQUEST, .hello = {.max_payload = 4096}};
    uint8_t payload[64];
    uint8_t wire[128];
    uint8_t reply[REPLY_MAX];
    struct frame frame = {.op = OP_HELLO, .sequence = sequence, .session = 0x11223344};
    frame.payload = (struct slice){payload, message_encode(payload, sizeof payload, &hello)};
    size_t length = frame_encode(wire, sizeof wire, &frame, 0);
    int64_t start_us = now_us();
    transfer(device, device->out, wire, length);
    if (transfer(device, device->in, reply, sizeof reply) == 0) {
        give_up("no answer");
    }
    return now_us() - start_us;
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

struct times {
    int64_t median_us;
    int64_t mean_us;
    int64_t longest_us;
};

static struct times measure_exchanges(const struct device *device) {
    int64_t times_us[EXCHANGES];
    int64_t sum_us = 0;
    for (uint16_t i = 0; i < EXCHANGES; i++) {
        usleep(PAUSE_US);
        times_us[i] = exchange_us(device, i);
        sum_us += times_us[i];
    }
    qsort(times_us, EXCHANGES, sizeof times_us[0], compare);
    return (struct times){times_us[EXCHANGES / 2], sum_us / EXCHANGES, times_us[EXCHANGES - 1]};
}

// Empty frames: a camera takes them as fast as they come, and answers nothing.
static double bulk_rate(const struct device *device) {
    uint8_t *zeros = calloc(1, BULK_SIZE);
    if (zeros == NULL) {
        give_up("memory");
    }
    int64_t start_us = now_us();
    for (int i = 0; i < BULK_ROUNDS; i++) {
        transfer(device, device->out, zeros, BULK_SIZE);
    }
    free(zeros);
    return (double)BULK_SIZE * BULK_ROUNDS * 1e6 / (double)(now_us() - start_us);
}

int main(int count, char **arguments) {
    unsigned interface = 0;
    if (count != 4) {
        fprintf(stderr, "usage: wire-rate NODE IN OUT\n");
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
    struct times times = measure_exchanges(&device);
    printf("%lld %lld %lld %.0f\n", (long long)times.median_us, (long long)times.mean_us,
           (long long)times.longest_us, bulk_rate(&device));
    close(device.file);
    return 0;
}
