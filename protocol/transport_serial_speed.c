// SPDX-License-Identifier: Apache-2.0
#include "protocol/transport_serial_speed.h"

#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

uint32_t transport_serial_speed(int descriptor) {
    struct termios2 mode;
    return ioctl(descriptor, TCGETS2, &mode) == 0 ? mode.c_ospeed : 0;
}

bool transport_serial_speed_set(int descriptor, uint32_t bit_rate, struct error *error) {
    struct termios2 mode;
    if (ioctl(descriptor, TCGETS2, &mode) != 0) {
        return error_set(error, E_PORT_IO, "cannot read the speed: %s", strerror(errno));
    }
    // The input speed's bits at zero mean: the same as the output's.
    mode.c_cflag &= ~(tcflag_t)(CBAUD | (tcflag_t)CBAUD << IBSHIFT);
    mode.c_cflag |= BOTHER;
    mode.c_ispeed = bit_rate;
    mode.c_ospeed = bit_rate;
    if (ioctl(descriptor, TCSETS2, &mode) != 0) {
        return error_set(error, E_PORT_IO, "cannot set %u bit/s: %s", (unsigned)bit_rate,
                         strerror(errno));
    }
    // A driver that cannot do a speed keeps the old one, or the nearest, and reports success. Past
    // 3 % the last bit of a byte is sampled wrongly.
    uint64_t asked = bit_rate;
    uint64_t got = transport_serial_speed(descriptor);
    if (got * 100 < asked * 97 || got * 100 > asked * 103) {
        return error_set(error, E_PORT_IO, "the port cannot do %u bit/s (it took %u)",
                         (unsigned)bit_rate, (unsigned)got);
    }
    return true;
}
