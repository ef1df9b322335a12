// SPDX-License-Identifier: Apache-2.0
// The station without the padding rule of USB (PROTOCOL.md, section 1), to show that the tests on a
// real wire miss it. Linked in front of the program's own main with --wrap, so that the program
// itself knows nothing of it: the transport is told of a packet size that divides no frame.
#include "protocol/transport_usb_match.h"

#define NO_PACKET_SIZE 65521 // a prime, and longer than any frame

bool __real_usb_match_device(libusb_device *device, const struct usb_id *ids, size_t id_count,
                             struct usb_match *match, struct error *error);
bool __wrap_usb_match_device(libusb_device *device, const struct usb_id *ids, size_t id_count,
                             struct usb_match *match, struct error *error);

bool __wrap_usb_match_device(libusb_device *device, const struct usb_id *ids, size_t id_count,
                             struct usb_match *match, struct error *error) {
    bool good = __real_usb_match_device(device, ids, id_count, match, error);
    match->out_packet_size = NO_PACKET_SIZE;
    return good;
}
