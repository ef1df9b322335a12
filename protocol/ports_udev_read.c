// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <dirent.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/ports_udev.h"

#define CLASS_HUB 0x09
#define GROUP_SIZE 16384 // a line of /etc/group; of a longer one only the number is told
#define BY_PATH "/dev/serial/by-path"
// As the kernel writes an interface of the bench's class, and as udev lists all of a device.
#define CAMERA_CLASS "ff"
#define CAMERA_SUBCLASS "43"
#define CAMERA_PROTOCOL "01"
#define CAMERA_INTERFACE ":ff4301:"

// What the kernel or a device says may be longer than any honest value: cut, not refused.
static void copy_text(char *out, size_t capacity, const char *text) {
    snprintf(out, capacity, "%s", text != NULL ? text : "");
}

static void read_attribute(struct udev_device *device, const char *name, char *out,
                           size_t capacity) {
    copy_text(out, capacity, udev_device_get_sysattr_value(device, name));
}

static bool attribute_is(struct udev_device *device, const char *name, const char *wanted) {
    const char *value = udev_device_get_sysattr_value(device, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

static bool property_is(struct udev_device *device, const char *name, const char *wanted) {
    const char *value = udev_device_get_property_value(device, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

static bool read_hex(struct udev_device *device, const char *name, unsigned long maximum,
                     unsigned long *number) {
    const char *value = udev_device_get_sysattr_value(device, name);
    char *end;
    if (value == NULL || !isxdigit((unsigned char)value[0])) {
        return false;
    }
    *number = strtoul(value, &end, 16);
    return *end == '\0' && *number <= maximum;
}

// ---- what kind of port --------------------------------------------------------------------------

// "1-2.3": a bus, and the ports that lead to the device. Root hubs are "usb1".
static bool is_usb_path(const char *name) {
    size_t bus = strspn(name, "0123456789");
    return bus > 0 && name[bus] == '-' && strlen(name) < PORT_NAME_SIZE &&
           strspn(name + bus + 1, "0123456789.") == strlen(name + bus + 1);
}

bool ports_udev_kind(struct udev_device *device, enum port_kind *kind) {
    const char *subsystem = udev_device_get_subsystem(device);
    const char *type = udev_device_get_devtype(device);
    const char *name = udev_device_get_sysname(device);
    if (subsystem == NULL || name == NULL) {
        return false;
    }
    if (strcmp(subsystem, "usb") == 0) {
        *kind = PORT_USB;
        return type != NULL && strcmp(type, "usb_device") == 0 && is_usb_path(name);
    }
    *kind = PORT_SERIAL;
    // tty0 to tty63 are the screen's.
    return strcmp(subsystem, "tty") == 0 && strncmp(name, "tty", 3) == 0 &&
           isalpha((unsigned char)name[3]) && strlen(name) < PORT_NAME_SIZE;
}

// The kernel keeps ttyS0 to ttyS31 ready for boards that may have them: type 0 is nothing there.
static bool has_hardware(struct udev_device *device) {
    return udev_device_get_parent(device) != NULL && !attribute_is(device, "type", "0");
}

// ---- what both kinds have -----------------------------------------------------------------------

static void read_group(const char *node, struct port_entry *entry) {
    char members[GROUP_SIZE];
    struct group group;
    struct group *found = NULL;
    struct stat status;
    if (stat(node, &status) != 0) {
        return;
    }
    if (getgrgid_r(status.st_gid, &group, members, sizeof members, &found) == 0 && found != NULL) {
        copy_text(entry->group, sizeof entry->group, group.gr_name);
    } else {
        snprintf(entry->group, sizeof entry->group, "%lu", (unsigned long)status.st_gid);
    }
}

static void read_node(struct udev_device *device, struct port_entry *entry) {
    const char *node = udev_device_get_devnode(device);
    if (node == NULL || strlen(node) >= sizeof entry->node || access(node, F_OK) != 0) {
        return;
    }
    copy_text(entry->node, sizeof entry->node, node);
    entry->access = access(node, R_OK | W_OK) == 0 ? PORT_ALLOWED : PORT_DENIED;
    read_group(node, entry);
}

static void read_usb_device(struct udev_device *device, struct port_entry *entry) {
    unsigned long vendor_id = 0;
    unsigned long product_id = 0;
    copy_text(entry->usb_path, sizeof entry->usb_path, udev_device_get_sysname(device));
    entry->has_usb_id = read_hex(device, "idVendor", UINT16_MAX, &vendor_id) &&
                        read_hex(device, "idProduct", UINT16_MAX, &product_id);
    entry->vendor_id = (uint16_t)vendor_id;
    entry->product_id = (uint16_t)product_id;
    read_attribute(device, "manufacturer", entry->manufacturer, sizeof entry->manufacturer);
    read_attribute(device, "product", entry->product, sizeof entry->product);
    read_attribute(device, "serial", entry->serial, sizeof entry->serial);
    entry->is_unauthorized = attribute_is(device, "authorized", "0");
}

// ---- a USB device -------------------------------------------------------------------------------

static void read_interface(struct udev_device *interface, struct port_entry *entry) {
    const char *driver = udev_device_get_driver(interface);
    bool is_camera = attribute_is(interface, "bInterfaceClass", CAMERA_CLASS) &&
                     attribute_is(interface, "bInterfaceSubClass", CAMERA_SUBCLASS) &&
                     attribute_is(interface, "bInterfaceProtocol", CAMERA_PROTOCOL);
    if (is_camera || (entry->driver[0] == '\0' && !entry->is_camera)) {
        copy_text(entry->driver, sizeof entry->driver, driver);
    }
    entry->is_camera = entry->is_camera || is_camera;
}

static bool is_interface_of(struct udev_device *interface, struct udev_device *device) {
    const char *type = udev_device_get_devtype(interface);
    struct udev_device *parent = udev_device_get_parent(interface);
    return type != NULL && strcmp(type, "usb_interface") == 0 && parent != NULL &&
           strcmp(udev_device_get_syspath(parent), udev_device_get_syspath(device)) == 0;
}

static void read_interfaces(struct udev_device *device, struct port_entry *entry) {
    struct udev *udev = udev_device_get_udev(device);
    struct udev_enumerate *search = udev_enumerate_new(udev);
    struct udev_list_entry *item;
    if (search == NULL || udev_enumerate_add_match_parent(search, device) < 0 ||
        udev_enumerate_add_match_subsystem(search, "usb") < 0 ||
        udev_enumerate_scan_devices(search) < 0) {
        udev_enumerate_unref(search);
        return;
    }
    udev_list_entry_foreach(item, udev_enumerate_get_list_entry(search)) {
        struct udev_device *interface =
            udev_device_new_from_syspath(udev, udev_list_entry_get_name(item));
        if (interface != NULL && is_interface_of(interface, device)) {
            read_interface(interface, entry);
        }
        udev_device_unref(interface);
    }
    udev_enumerate_unref(search);
}

static bool read_usb(struct udev_device *device, struct port_entry *entry) {
    unsigned long device_class = 0;
    const char *interfaces = udev_device_get_property_value(device, "ID_USB_INTERFACES");
    read_usb_device(device, entry);
    (void)read_hex(device, "bDeviceClass", UINT8_MAX, &device_class);
    entry->device_class = (uint8_t)device_class;
    entry->is_hub = device_class == CLASS_HUB;
    if (!entry->is_hub) { // below a hub hang other devices, and their interfaces
        read_interfaces(device, entry);
    }
    // udev read the descriptors; the interfaces themselves may not be made yet.
    entry->is_camera =
        entry->is_camera || (interfaces != NULL && strstr(interfaces, CAMERA_INTERFACE) != NULL);
    return entry->has_usb_id;
}

// ---- a serial port ------------------------------------------------------------------------------

static bool is_same_file(const char *path, const struct stat *wanted) {
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == wanted->st_dev &&
           status.st_ino == wanted->st_ino;
}

// From the folder and not from udev's database, which containers do not have. Of several names the
// first: newer udevs add one of another form behind the one that all make.
static void read_link(struct port_entry *entry) {
    struct stat status;
    const struct dirent *item;
    DIR *folder = opendir(BY_PATH);
    if (folder == NULL || entry->node[0] == '\0' || stat(entry->node, &status) != 0) {
        if (folder != NULL) {
            closedir(folder);
        }
        return;
    }
    while ((item = readdir(folder)) != NULL) {
        char link[PORT_LINK_SIZE];
        int length = snprintf(link, sizeof link, "%s/%s", BY_PATH, item->d_name);
        if (length > 0 && (size_t)length < sizeof link && is_same_file(link, &status) &&
            (entry->link[0] == '\0' || strcmp(link, entry->link) < 0)) {
            copy_text(entry->link, sizeof entry->link, link);
        }
    }
    closedir(folder);
}

static int read_latency(struct udev_device *parent) {
    const char *value = udev_device_get_sysattr_value(parent, "latency_timer");
    char *end;
    if (value == NULL || !isdigit((unsigned char)value[0])) {
        return PORT_LATENCY_UNKNOWN;
    }
    unsigned long latency_ms = strtoul(value, &end, 10);
    return *end == '\0' && latency_ms <= UINT8_MAX ? (int)latency_ms : PORT_LATENCY_UNKNOWN;
}

// ModemManager's own rules mark what it would try. It takes "stay away" from the port and from the
// device that the port belongs to.
static bool is_for_modem_manager(struct udev_device *device, struct udev_device *usb) {
    return property_is(device, "ID_MM_CANDIDATE", "1") &&
           !property_is(device, "ID_MM_DEVICE_IGNORE", "1") &&
           !property_is(device, "ID_MM_PORT_IGNORE", "1") &&
           (usb == NULL || !property_is(usb, "ID_MM_DEVICE_IGNORE", "1"));
}

static bool read_serial(struct udev_device *device, struct port_entry *entry) {
    struct udev_device *parent = udev_device_get_parent(device); // belongs to the device
    struct udev_device *usb =
        udev_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device");
    if (!has_hardware(device)) {
        return false;
    }
    if (usb != NULL) {
        read_usb_device(usb, entry);
    }
    copy_text(entry->driver, sizeof entry->driver, udev_device_get_driver(parent));
    read_link(entry);
    entry->latency_ms = read_latency(parent);
    entry->is_for_modem_manager = is_for_modem_manager(device, usb);
    return true;
}

bool ports_udev_read(struct udev_device *device, struct port_entry *entry) {
    *entry = (struct port_entry){.latency_ms = PORT_LATENCY_UNKNOWN};
    if (!ports_udev_kind(device, &entry->kind)) {
        return false;
    }
    copy_text(entry->name, sizeof entry->name, udev_device_get_sysname(device));
    read_node(device, entry);
    return entry->kind == PORT_USB ? read_usb(device, entry) : read_serial(device, entry);
}
