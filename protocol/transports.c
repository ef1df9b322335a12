// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "protocol/transport.h"

#define SERIAL_BIT_RATE_DEFAULT 115200

const struct transport_ops *const transport_table[] = {
    &transport_serial,
    &transport_unix,
    &transport_usb,
    NULL,
};

const struct transport_ops *transport_find(const char *name) {
    for (size_t i = 0; transport_table[i] != NULL; i++) {
        if (strcmp(transport_table[i]->name, name) == 0) {
            return transport_table[i];
        }
    }
    return NULL;
}

uint32_t transport_bit_rate(const struct transport_ops *ops,
                            const struct transport_settings *settings) {
    if (ops != &transport_serial) {
        return 0;
    }
    return settings->bit_rate != 0 ? settings->bit_rate : SERIAL_BIT_RATE_DEFAULT;
}
