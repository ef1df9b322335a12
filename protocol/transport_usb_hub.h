// SPDX-License-Identifier: Apache-2.0
// libusb in our loop, and what all USB ports share: its context, its poll descriptors, who came and
// who left. For transport_usb*.c only.
//
// libusb calls back from inside its own event handling, where it must not be called in turn. So a
// callback only notes what happened and marks its guest; when libusb is done, each marked guest is
// served, once.
#ifndef BIRTHCERT_PROTOCOL_TRANSPORT_USB_HUB_H
#define BIRTHCERT_PROTOCOL_TRANSPORT_USB_HUB_H

#include <libusb-1.0/libusb.h>
#include <stdbool.h>

#include "protocol/transport.h"
#include "station/base/error.h"
#include "station/io/loop.h"

// "255-" and seven ports of at most three digits.
#define USB_PATH_SIZE 40

enum usb_repair { USB_REPAIR_NONE, USB_REPAIR_CLEAR, USB_REPAIR_RESET, USB_REPAIR_COUNT };

// One user of the hub: an open port, or one that still closes.
struct usb_guest {
    libusb_device *device;      // told when it leaves
    bool has_left;              // set by the hub
    void (*serve)(void *owner); // on the loop, outside libusb; may remove its guest
    void *owner;
    bool is_marked;
    bool waits_for_repair;
    struct usb_guest *next; // the hub's
};

// As transport_ops.hub_new and hub_free. Guests that still close at usb_hub_free do so in loop_free.
MUST_CHECK bool usb_hub_new(struct loop *loop, loop_callback *on_arrival, void *context,
                            struct transport_hub **hub, struct error *error);
void usb_hub_free(struct transport_hub *hub);

struct loop *usb_hub_loop(const struct transport_hub *hub);

// The guest stays the caller's, and must stay where it is until it is removed.
void usb_hub_add(struct transport_hub *hub, struct usb_guest *guest);
void usb_hub_remove(struct transport_hub *hub, struct usb_guest *guest);

// Has `guest` served in the coming turn of the loop, or later in this one.
void usb_hub_mark(struct transport_hub *hub, struct usb_guest *guest);

// A repair waits for its device on a thread of the loop's, of which there are few, and the store's
// commits need one: so only some run at once, of each kind: a halt that is slow to clear holds up no
// reset. False: not now; the guest is served again when one has ended.
bool usb_hub_begin_repair(struct transport_hub *hub, struct usb_guest *guest, enum usb_repair kind);
void usb_hub_end_repair(struct transport_hub *hub, enum usb_repair kind);

// What is plugged in at a port path such as 1-2.3: NULL, or a device that the caller unreferences.
libusb_device *usb_hub_find(const struct transport_hub *hub, const char *path);

#endif
