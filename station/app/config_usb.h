// SPDX-License-Identifier: Apache-2.0
// USB in the configuration: port paths and VID:PIDs. For station/app/config*.c only.
#ifndef BIRTHCERT_APP_CONFIG_USB_H
#define BIRTHCERT_APP_CONFIG_USB_H

#include <stdbool.h>

#include "station/app/config.h"

// BUS-PORT[.PORT...] as the kernel writes it: decimal, no leading zeros, 1 to 255, at most seven
// ports (USB 3.2, section 10.2.2).
bool config_is_usb_path(const char *text);

// "1209:ca30 1d6b:0104": hexadecimal, separated by blanks or commas; "" for none. False, and `ids` is
// as it was, where it is anything else, or more than TRANSPORT_USB_IDS_MAX.
bool config_read_usb_ids(const char *text, struct config_usb_ids *ids);

#endif
