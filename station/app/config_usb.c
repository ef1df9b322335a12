// SPDX-License-Identifier: Apache-2.0
#include "station/app/config_usb.h"

#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 4

// Returns what stands behind a number of 1 to 255, or NULL.
static const char *skip_number(const char *text) {
    size_t digits = strspn(text, "0123456789");
    bool fits = digits > 0 && digits <= 3 && text[0] != '0' && strtoul(text, NULL, 10) <= UINT8_MAX;
    return fits ? text + digits : NULL;
}

bool config_is_usb_path(const char *text) {
    const char *cursor = skip_number(text);
    for (int deep = 0; cursor != NULL && deep < TRANSPORT_USB_DEPTH_MAX; deep++) {
        if (*cursor != (deep == 0 ? '-' : '.')) {
            return false;
        }
        cursor = skip_number(cursor + 1);
        if (cursor != NULL && *cursor == '\0') {
            return true;
        }
    }
    return false;
}

// Four hexadecimal digits, no more.
static bool read_id(const char *text, uint16_t *id) {
    if (strspn(text, "0123456789abcdefABCDEF") != ID_DIGITS) {
        return false;
    }
    *id = (uint16_t)strtoul(text, NULL, 16);
    return true;
}

bool config_read_usb_ids(const char *text, struct config_usb_ids *out) {
    static const char separators[] = ", \t";
    const size_t length = 2 * ID_DIGITS + 1;
    struct config_usb_ids list = {0};
    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        struct usb_id *id = &list.ids[list.count];
        if (list.count == TRANSPORT_USB_IDS_MAX || !read_id(text, &id->vendor) ||
            text[ID_DIGITS] != ':' || !read_id(text + ID_DIGITS + 1, &id->product) ||
            (text[length] != '\0' && strchr(separators, text[length]) == NULL)) {
            return false;
        }
        list.count++;
        text += length;
    }
    *out = list;
    return true;
}
