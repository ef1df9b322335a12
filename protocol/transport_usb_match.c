// SPDX-License-Identifier: Apache-2.0
#include "protocol/transport_usb_match.h"

#define BENCH_SUBCLASS 0x43
#define BENCH_PROTOCOL 0x01
#define PACKET_SIZE_MASK 0x07ff // USB 2.0, table 9-13: above it are other things
#define PACKET_SIZE_MIN 8
#define PACKET_SIZE_MAX 1024

static bool is_listed(const struct libusb_device_descriptor *device, const struct usb_id *ids,
                      size_t id_count) {
    for (size_t i = 0; i < id_count; i++) {
        if (ids[i].vendor == device->idVendor && ids[i].product == device->idProduct) {
            return true;
        }
    }
    return false;
}

// True where there is exactly one bulk endpoint each way, of a size that exists.
static bool find_endpoints(const struct libusb_interface_descriptor *interface,
                           struct usb_match *match) {
    unsigned ins = 0;
    unsigned outs = 0;
    // A cut-off descriptor counts endpoints that libusb did not find.
    uint8_t count = interface->endpoint != NULL ? interface->bNumEndpoints : 0;
    for (uint8_t i = 0; i < count; i++) {
        const struct libusb_endpoint_descriptor *endpoint = &interface->endpoint[i];
        uint16_t packet_size = endpoint->wMaxPacketSize & PACKET_SIZE_MASK;
        if ((endpoint->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK) {
            continue;
        }
        if (packet_size < PACKET_SIZE_MIN || packet_size > PACKET_SIZE_MAX) {
            return false;
        }
        if ((endpoint->bEndpointAddress & LIBUSB_ENDPOINT_IN) != 0) {
            match->in = endpoint->bEndpointAddress;
            match->in_packet_size = packet_size;
            ins++;
        } else {
            match->out = endpoint->bEndpointAddress;
            match->out_packet_size = packet_size;
            outs++;
        }
    }
    match->interface = interface->bInterfaceNumber;
    return ins == 1 && outs == 1;
}

static bool is_bench(const struct libusb_interface_descriptor *interface) {
    return interface->bInterfaceClass == LIBUSB_CLASS_VENDOR_SPEC &&
           interface->bInterfaceSubClass == BENCH_SUBCLASS &&
           interface->bInterfaceProtocol == BENCH_PROTOCOL;
}

// Only the first setting of an interface counts: selecting another one is traffic on the bus.
static bool find_interface(const struct libusb_config_descriptor *config, bool any_vendor_specific,
                           struct usb_match *match) {
    for (uint8_t i = 0; i < config->bNumInterfaces; i++) {
        if (config->interface[i].num_altsetting < 1) {
            continue;
        }
        const struct libusb_interface_descriptor *interface = config->interface[i].altsetting;
        bool is_vendor_specific = interface->bInterfaceClass == LIBUSB_CLASS_VENDOR_SPEC;
        if ((is_bench(interface) || (any_vendor_specific && is_vendor_specific)) &&
            find_endpoints(interface, match)) {
            return true;
        }
    }
    return false;
}

bool usb_match_device(libusb_device *device, const struct usb_id *ids, size_t id_count,
                      struct usb_match *match, struct error *error) {
    struct libusb_device_descriptor description;
    struct libusb_config_descriptor *config = NULL;
    int status = libusb_get_device_descriptor(device, &description);
    if (status == LIBUSB_SUCCESS) {
        status = libusb_get_active_config_descriptor(device, &config);
    }
    if (status == LIBUSB_ERROR_NO_DEVICE) {
        return error_set(error, E_PORT_MISSING, "it was just unplugged");
    }
    if (status == LIBUSB_ERROR_NOT_FOUND) {
        return error_set(error, E_PORT_NOT_CAMERA,
                         "%04x:%04x is not configured: the kernel did not authorise it",
                         description.idVendor, description.idProduct);
    }
    if (status != LIBUSB_SUCCESS) {
        return error_set(error, E_PORT_NOT_CAMERA, "its descriptors cannot be read (%s)",
                         libusb_strerror(status));
    }
    bool listed = is_listed(&description, ids, id_count);
    bool found =
        find_interface(config, false, match) || (listed && find_interface(config, true, match));
    libusb_free_config_descriptor(config);
    return found || error_set(error, E_PORT_NOT_CAMERA,
                              "%04x:%04x has no %s interface with one bulk endpoint each way",
                              description.idVendor, description.idProduct,
                              listed ? "vendor-specific" : "ff/43/01");
}
