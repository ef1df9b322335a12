// SPDX-License-Identifier: Apache-2.0
#include "protocol/ports_udev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "station/base/bytes.h"

// So that a burst of events does not keep the loop from its other work.
#define EVENTS_PER_TURN 64

static bool fail_udev(struct error *error, const char *what) {
    return error_set(error, errno == ENOMEM ? E_MEMORY : E_SYSTEM, "%s: %s", what,
                     errno != 0 ? strerror(errno) : "udev gives no reason");
}

// ---- the list -----------------------------------------------------------------------------------

static int compare_entries(const void *a, const void *b) {
    const struct port_entry *left = a;
    const struct port_entry *right = b;
    bool left_on_usb = left->usb_path[0] != '\0';
    bool right_on_usb = right->usb_path[0] != '\0';
    if (left_on_usb != right_on_usb) {
        return left_on_usb ? -1 : 1;
    }
    // Compares runs of digits as numbers.
    int order = strverscmp(left->usb_path, right->usb_path);
    if (order == 0) {
        order = (int)left->kind - (int)right->kind;
    }
    return order != 0 ? order : strverscmp(left->name, right->name);
}

static void add_entry(struct port_list *list, struct udev_device *device) {
    struct port_entry entry;
    if (!ports_udev_read(device, &entry)) {
        return;
    }
    if (list->count == PORTS_MAX) {
        list->left_out++;
        return;
    }
    list->entries[list->count++] = entry;
}

static void add_found(struct port_list *list, struct udev *udev, struct udev_enumerate *search) {
    struct udev_list_entry *item;
    udev_list_entry_foreach(item, udev_enumerate_get_list_entry(search)) {
        struct udev_device *device =
            udev_device_new_from_syspath(udev, udev_list_entry_get_name(item));
        if (device != NULL) {
            add_entry(list, device);
            udev_device_unref(device);
        }
    }
}

// libudev answers 0 or a negative number of errno, which it may leave as it was.
static bool search_ports(struct port_list *list, struct udev *udev, struct udev_enumerate *search,
                         struct error *error) {
    int status = udev_enumerate_add_match_subsystem(search, "usb");
    if (status >= 0) {
        status = udev_enumerate_add_match_subsystem(search, "tty");
    }
    if (status >= 0) {
        status = udev_enumerate_scan_devices(search);
    }
    if (status < 0) {
        errno = -status;
        return fail_udev(error, "cannot list the ports");
    }
    add_found(list, udev, search);
    qsort(list->entries, list->count, sizeof list->entries[0], compare_entries);
    return true;
}

bool ports_list(struct port_list *list, struct error *error) {
    list->count = 0;
    list->left_out = 0;
    errno = 0;
    struct udev *udev = udev_new();
    struct udev_enumerate *search = udev != NULL ? udev_enumerate_new(udev) : NULL;
    bool done = search != NULL ? search_ports(list, udev, search, error)
                               : fail_udev(error, "cannot list the ports");
    udev_enumerate_unref(search);
    udev_unref(udev);
    return done;
}

// ---- the watch ----------------------------------------------------------------------------------

struct ports_watch {
    struct udev *udev;
    struct udev_monitor *monitor;
    struct loop_watch *readable;
    port_callback *callback;
    void *context;
};

static void report_unplugged(struct ports_watch *watch, struct udev_device *device) {
    struct port_entry entry = {0};
    if (ports_udev_kind(device, &entry.kind)) {
        // The name fits, or it would be no port's.
        (void)text_copy(entry.name, sizeof entry.name, udev_device_get_sysname(device));
        watch->callback(watch->context, PORT_UNPLUGGED, &entry);
    }
}

static void report_present(struct ports_watch *watch, struct udev_device *device,
                           enum port_event event) {
    struct port_entry entry;
    if (device != NULL && ports_udev_read(device, &entry)) {
        watch->callback(watch->context, event, &entry);
    }
}

// An interface is part of its device, which is looked at again. What unbinds is on its way out: to
// look at it would show a device that is half gone.
static void report(struct ports_watch *watch, struct udev_device *device) {
    const char *action = udev_device_get_action(device);
    const char *type = udev_device_get_devtype(device);
    bool is_interface = type != NULL && strcmp(type, "usb_interface") == 0;
    if (action == NULL || strcmp(action, "unbind") == 0) {
        return;
    }
    if (strcmp(action, "remove") == 0) {
        report_unplugged(watch, device);
    } else if (is_interface) {
        report_present(watch, udev_device_get_parent(device), PORT_CHANGED);
    } else {
        bool is_new = strcmp(action, "add") == 0;
        report_present(watch, device, is_new ? PORT_PLUGGED : PORT_CHANGED);
    }
}

static void handle_readable(void *context, unsigned events) {
    struct ports_watch *watch = context;
    (void)events;
    for (int i = 0; i < EVENTS_PER_TURN; i++) {
        errno = 0;
        struct udev_device *device = udev_monitor_receive_device(watch->monitor);
        if (device != NULL) {
            report(watch, device);
            udev_device_unref(device);
        } else if (errno == ENOBUFS) {
            loop_watch_set(watch->readable, LOOP_READABLE); // the error event ended it
            watch->callback(watch->context, PORTS_MISSED, NULL);
        } else {
            return; // no more for now
        }
    }
}

static bool open_monitor(struct ports_watch *watch, struct error *error) {
    errno = 0;
    watch->udev = udev_new();
    watch->monitor =
        watch->udev != NULL ? udev_monitor_new_from_netlink(watch->udev, "udev") : NULL;
    if (watch->monitor == NULL) {
        return fail_udev(error, "cannot watch the ports");
    }
    int status = udev_monitor_filter_add_match_subsystem_devtype(watch->monitor, "usb", NULL);
    if (status >= 0) {
        status = udev_monitor_filter_add_match_subsystem_devtype(watch->monitor, "tty", NULL);
    }
    if (status >= 0) {
        status = udev_monitor_enable_receiving(watch->monitor);
    }
    errno = -status;
    return status >= 0 || fail_udev(error, "cannot watch the ports");
}

bool ports_watch_new(struct loop *loop, port_callback *callback, void *context,
                     struct ports_watch **out, struct error *error) {
    struct ports_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return error_set(error, E_MEMORY, "no memory to watch the ports");
    }
    watch->callback = callback;
    watch->context = context;
    if (!open_monitor(watch, error) ||
        !loop_watch_new(loop, udev_monitor_get_fd(watch->monitor), handle_readable, watch,
                        &watch->readable, error)) {
        ports_watch_free(watch);
        return false;
    }
    loop_watch_set(watch->readable, LOOP_READABLE);
    *out = watch;
    return true;
}

void ports_watch_free(struct ports_watch *watch) {
    if (watch != NULL) {
        loop_watch_free(watch->readable);
        udev_monitor_unref(watch->monitor);
        udev_unref(watch->udev);
        free(watch);
    }
}
