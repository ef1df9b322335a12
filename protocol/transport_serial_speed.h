// SPDX-License-Identifier: Apache-2.0
// The speed of a tty. On its own because the kernel's header for free speeds and libc's <termios.h>
// define the same names. For transport_serial.c only.
#ifndef BIRTHCERT_PROTOCOL_TRANSPORT_SERIAL_SPEED_H
#define BIRTHCERT_PROTOCOL_TRANSPORT_SERIAL_SPEED_H

#include <stdbool.h>
#include <stdint.h>

#include "station/base/error.h"

// Sets any speed, both ways. E_PORT_IO where the port cannot come within 3 % of it.
MUST_CHECK bool transport_serial_speed_set(int descriptor, uint32_t bit_rate, struct error *error);

// The speed that the port sends at now; 0 where it cannot be read.
uint32_t transport_serial_speed(int descriptor);

#endif
