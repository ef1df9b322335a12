// SPDX-License-Identifier: Apache-2.0
#include "protocol/transport_usb_hub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

// How long a freed hub waits for ports that still close.
#define CLOSE_WAIT_MS 3000

struct transport_hub {
    struct loop *loop;
    loop_callback *on_arrival;
    void *context;
    libusb_context *usb;
    libusb_hotplug_callback_handle hotplug;
    // All of libusb's descriptors behind one: the loop is told once a turn, whoever is ready.
    int descriptors;
    struct loop_watch *watch;
    struct loop_timer *service; // guests that were marked outside libusb
    struct usb_guest *guests;
    unsigned repairs[USB_REPAIR_COUNT]; // at work
    bool has_arrived;
    bool is_handling; // libusb's events, or guests: the marked are served before that ends
    bool is_to_free;  // once the last guest is gone
    struct loop_timer *patience;
};

// ---- libusb's descriptors -----------------------------------------------------------------------

// An epoll descriptor that lacks one of libusb's would leave a camera unheard: its session times out
// and says so. libusb has no way to be told.
static void LIBUSB_CALL add_descriptor(int descriptor, short events, void *context) {
    const struct transport_hub *hub = context;
    struct epoll_event event = {.data.fd = descriptor};
    event.events |= (events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0U;
    event.events |= (events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0U;
    (void)epoll_ctl(hub->descriptors, EPOLL_CTL_ADD, descriptor, &event);
}

static void LIBUSB_CALL remove_descriptor(int descriptor, void *context) {
    const struct transport_hub *hub = context;
    (void)epoll_ctl(hub->descriptors, EPOLL_CTL_DEL, descriptor, NULL);
}

static bool watch_descriptors(struct transport_hub *hub) {
    const struct libusb_pollfd **list = libusb_get_pollfds(hub->usb);
    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; list[i] != NULL; i++) {
        add_descriptor(list[i]->fd, list[i]->events, hub);
    }
    libusb_free_pollfds(list);
    libusb_set_pollfd_notifiers(hub->usb, add_descriptor, remove_descriptor, hub);
    return true;
}

// ---- serving ------------------------------------------------------------------------------------

static void serve_guests(struct transport_hub *hub) {
    struct usb_guest *guest = hub->guests;
    hub->is_handling = true;
    while (guest != NULL) {
        if (!guest->is_marked) {
            guest = guest->next;
            continue;
        }
        guest->is_marked = false;
        guest->serve(guest->owner);
        guest = hub->guests; // it may have removed itself, or another
    }
    hub->is_handling = false;
}

static void leave_loop(struct transport_hub *hub) {
    loop_watch_free(hub->watch);
    loop_timer_free(hub->service);
    loop_timer_free(hub->patience);
    hub->service = NULL;
    if (hub->descriptors >= 0) {
        close(hub->descriptors);
    }
}

static void release(struct transport_hub *hub) {
    if (hub->usb != NULL) {
        libusb_set_pollfd_notifiers(hub->usb, NULL, NULL, NULL);
        libusb_exit(hub->usb);
    }
    leave_loop(hub);
    free(hub);
}

static void release_when_empty(struct transport_hub *hub) {
    if (hub->is_to_free && hub->guests == NULL) {
        release(hub);
    }
}

static void handle_service(void *context) {
    serve_guests(context);
    release_when_empty(context);
}

static void handle_ready(void *context, unsigned events) {
    struct transport_hub *hub = context;
    struct timeval at_once = {0};
    (void)events;
    hub->is_handling = true;
    (void)libusb_handle_events_timeout_completed(hub->usb, &at_once, NULL);
    serve_guests(hub);
    if (hub->has_arrived && !hub->is_to_free) {
        hub->has_arrived = false;
        hub->on_arrival(hub->context); // after those who left: it may be the same port
    }
    release_when_empty(hub);
}

// A kernel that does not give a transfer back must not keep the program from ending: what hangs
// there is left as it is. A repair that still runs is waited for all the same, by loop_free.
static void handle_patience(void *context) {
    struct transport_hub *hub = context;
    libusb_set_pollfd_notifiers(hub->usb, NULL, NULL, NULL);
    leave_loop(hub);
}

static int LIBUSB_CALL handle_hotplug(libusb_context *usb, libusb_device *device,
                                      libusb_hotplug_event event, void *context) {
    struct transport_hub *hub = context;
    (void)usb;
    if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED) {
        hub->has_arrived = true;
        return 0;
    }
    for (struct usb_guest *guest = hub->guests; guest != NULL; guest = guest->next) {
        if (guest->device == device) {
            guest->has_left = true;
            guest->is_marked = true;
        }
    }
    return 0;
}

// ---- guests -------------------------------------------------------------------------------------

struct loop *usb_hub_loop(const struct transport_hub *hub) {
    return hub->loop;
}

void usb_hub_add(struct transport_hub *hub, struct usb_guest *guest) {
    guest->next = hub->guests;
    hub->guests = guest;
}

void usb_hub_remove(struct transport_hub *hub, struct usb_guest *guest) {
    struct usb_guest **link = &hub->guests;
    while (*link != NULL && *link != guest) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = guest->next;
    }
}

void usb_hub_mark(struct transport_hub *hub, struct usb_guest *guest) {
    guest->is_marked = true;
    if (!hub->is_handling && hub->service != NULL) {
        loop_timer_start(hub->service, 0);
    }
}

bool usb_hub_begin_repair(struct transport_hub *hub, struct usb_guest *guest,
                          enum usb_repair kind) {
    // Of libuv's four threads.
    static const unsigned most[USB_REPAIR_COUNT] = {[USB_REPAIR_CLEAR] = 1, [USB_REPAIR_RESET] = 2};
    guest->waits_for_repair = hub->repairs[kind] == most[kind];
    hub->repairs[kind] += guest->waits_for_repair ? 0 : 1;
    return !guest->waits_for_repair;
}

void usb_hub_end_repair(struct transport_hub *hub, enum usb_repair kind) {
    hub->repairs[kind]--;
    for (struct usb_guest *guest = hub->guests; guest != NULL; guest = guest->next) {
        if (guest->waits_for_repair) {
            usb_hub_mark(hub, guest);
        }
    }
}

// A device whose hub libusb does not know has too short a path.
static bool has_whole_path(libusb_device *device) {
    libusb_device *parent;
    while ((parent = libusb_get_parent(device)) != NULL) {
        device = parent;
    }
    return libusb_get_port_number(device) == 0; // a root hub's
}

static bool is_at(libusb_device *device, const char *path) {
    uint8_t ports[TRANSPORT_USB_DEPTH_MAX];
    char text[USB_PATH_SIZE];
    int count = libusb_get_port_numbers(device, ports, TRANSPORT_USB_DEPTH_MAX);
    int length = snprintf(text, sizeof text, "%u", libusb_get_bus_number(device));
    for (int i = 0; i < count; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "%c%u", i == 0 ? '-' : '.',
                           ports[i]);
    }
    return count > 0 && strcmp(text, path) == 0 && has_whole_path(device);
}

libusb_device *usb_hub_find(const struct transport_hub *hub, const char *path) {
    libusb_device **list = NULL;
    libusb_device *found = NULL;
    ssize_t count = libusb_get_device_list(hub->usb, &list);
    for (ssize_t i = 0; i < count && found == NULL; i++) {
        if (is_at(list[i], path)) {
            found = libusb_ref_device(list[i]);
        }
    }
    if (count >= 0) {
        libusb_free_device_list(list, 1);
    }
    return found;
}

// ---- the hub itself -----------------------------------------------------------------------------

static bool start_usb(struct transport_hub *hub, struct error *error) {
    int status = libusb_init(&hub->usb);
    if (status == LIBUSB_SUCCESS) {
        status = libusb_hotplug_register_callback(
            hub->usb, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
            LIBUSB_HOTPLUG_NO_FLAGS, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
            LIBUSB_HOTPLUG_MATCH_ANY, handle_hotplug, hub, &hub->hotplug);
    }
    if (status != LIBUSB_SUCCESS) {
        return error_set(error, E_SYSTEM, "cannot start USB: %s", libusb_strerror(status));
    }
    return watch_descriptors(hub) || error_set(error, E_MEMORY, "no memory for USB");
}

bool usb_hub_new(struct loop *loop, loop_callback *on_arrival, void *context,
                 struct transport_hub **out, struct error *error) {
    struct transport_hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL) {
        return error_set(error, E_MEMORY, "no memory for USB");
    }
    hub->loop = loop;
    hub->on_arrival = on_arrival;
    hub->context = context;
    hub->descriptors = epoll_create1(EPOLL_CLOEXEC);
    hub->service = loop_timer_new(loop, handle_service, hub);
    hub->patience = loop_timer_new(loop, handle_patience, hub);
    if (hub->descriptors < 0 || hub->service == NULL || hub->patience == NULL) {
        error_set(error, E_SYSTEM, "cannot start USB: %s", strerror(errno));
    } else if (loop_watch_new(loop, hub->descriptors, handle_ready, hub, &hub->watch, error) &&
               start_usb(hub, error)) {
        loop_watch_set(hub->watch, LOOP_READABLE);
        *out = hub;
        return true;
    }
    release(hub);
    return false;
}

void usb_hub_free(struct transport_hub *hub) {
    if (hub == NULL) {
        return;
    }
    hub->is_to_free = true;
    if (hub->guests == NULL) {
        release(hub);
    } else {
        loop_timer_start(hub->patience, CLOSE_WAIT_MS);
    }
}
