// SPDX-License-Identifier: Apache-2.0
// Which USB devices are cameras, and where in them the bench protocol is (PROTOCOL.md, section 6).
// Descriptors come from the device: nothing in them is believed. For transport_usb*.c only.
#ifndef BIRTHCERT_PROTOCOL_TRANSPORT_USB_MATCH_H
#define BIRTHCERT_PROTOCOL_TRANSPORT_USB_MATCH_H

#include <libusb-1.0/libusb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/transport.h"
#include "station/base/error.h"

struct usb_match {
    uint8_t interface;
    uint8_t in; // endpoint addresses
    uint8_t out;
    uint16_t in_packet_size; // wMaxPacketSize, 8 to 1024 bytes
    uint16_t out_packet_size;
};

// Finds the bench's interface: that of class FF, subclass 43, protocol 01; or, in a device whose
// VID:PID is among `ids`, the first vendor-specific one. It has one bulk IN and one bulk OUT
// endpoint. E_PORT_NOT_CAMERA, saying what is plugged in instead; E_PORT_MISSING. No traffic on the
// bus.
MUST_CHECK bool usb_match_device(libusb_device *device, const struct usb_id *ids, size_t id_count,
                                 struct usb_match *match, struct error *error);

#endif
