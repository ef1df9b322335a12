// SPDX-License-Identifier: Apache-2.0
// The bench protocol over two bulk endpoints. At most one transfer each way is with libusb; what
// goes wrong with one is repaired on a thread, since the kernel's calls for that wait for the
// device.
#include <grp.h>
#include <libusb-1.0/libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/transport.h"
#include "protocol/transport_usb_hub.h"
#include "protocol/transport_usb_match.h"
#include "station/base/buf.h"

#define QUEUE_MAX 65536
#define IN_SIZE 4096
// Transfers that failed in a row, with nothing received between them, before the port is given up.
#define FAILURES_MAX 5
#define PAUSE_MS 50 // and as much more for every failure

struct lane {
    struct libusb_transfer *transfer;
    bool is_busy; // libusb has it
    bool is_done; // came back, and was not looked at yet
    bool is_halted;
};

struct transport {
    struct transport_hub *hub;
    struct usb_guest guest;
    struct transport_events events;
    void *context;
    libusb_device *device;
    libusb_device_handle *handle;
    struct usb_match match;
    struct lane in;
    struct lane out;
    uint8_t in_bytes[IN_SIZE];
    struct buf *queue;
    struct buf *sending; // what the transfer out holds
    struct loop_timer *pause;
    bool in_pause;
    unsigned failures;
    enum usb_repair repair; // wanted or at work: no transfer is begun
    bool repair_runs;       // on its thread
    bool wants_reset;       // while another repair runs
    int repair_status;      // libusb's
    struct error reason;
    bool in_event;
    bool has_hung_up; // on_hangup was called
    bool is_closing;
};

// ---- ends ---------------------------------------------------------------------------------------

static void note_end(struct transport *transport, enum error_code code, const char *doing,
                     const char *why) {
    if (transport->reason.code == ERROR_NONE) {
        error_set(&transport->reason, code, "the port %s (%s: %s)",
                  code == E_PORT_HANGUP ? "hung up" : "failed", doing, why);
    }
}

static void note_status(struct transport *transport, const char *doing, int status) {
    bool is_gone = status == LIBUSB_ERROR_NO_DEVICE || status == LIBUSB_ERROR_NOT_FOUND;
    note_end(transport, is_gone ? E_PORT_HANGUP : E_PORT_IO, doing, libusb_strerror(status));
}

static bool is_idle(const struct transport *transport) {
    return !transport->in.is_busy && !transport->out.is_busy && !transport->repair_runs;
}

static void cancel(struct transport *transport) {
    struct lane *lanes[] = {&transport->in, &transport->out};
    for (size_t i = 0; i < ARRAY_LENGTH(lanes); i++) {
        if (lanes[i]->is_busy) {
            (void)libusb_cancel_transfer(lanes[i]->transfer);
        }
    }
}

static void release(struct transport *transport) {
    if (transport->handle != NULL) {
        (void)libusb_release_interface(transport->handle, transport->match.interface);
        libusb_close(transport->handle);
    }
    libusb_free_transfer(transport->in.transfer);
    libusb_free_transfer(transport->out.transfer);
    libusb_unref_device(transport->device);
    loop_timer_free(transport->pause);
    buf_free(transport->queue);
    buf_free(transport->sending);
    free(transport);
}

static void hang_up(struct transport *transport) {
    cancel(transport);
    transport->has_hung_up = true;
    transport->in_event = true;
    transport->events.on_hangup(transport->context, &transport->reason);
    transport->in_event = false;
}

// ---- transfers begin ----------------------------------------------------------------------------

static void LIBUSB_CALL handle_transfer(struct libusb_transfer *transfer) {
    struct transport *transport = transfer->user_data;
    struct lane *lane = transfer == transport->in.transfer ? &transport->in : &transport->out;
    lane->is_busy = false;
    lane->is_done = true;
    usb_hub_mark(transport->hub, &transport->guest);
}

static void submit(struct transport *transport, struct lane *lane, const char *doing) {
    int status = libusb_submit_transfer(lane->transfer);
    lane->is_busy = status == LIBUSB_SUCCESS;
    if (status != LIBUSB_SUCCESS) {
        note_status(transport, doing, status);
        usb_hub_mark(transport->hub, &transport->guest);
    }
}

static void submit_in(struct transport *transport) {
    size_t packet_size = transport->match.in_packet_size;
    size_t length = IN_SIZE / packet_size * packet_size; // else a full last packet would not fit
    libusb_fill_bulk_transfer(transport->in.transfer, transport->handle, transport->match.in,
                              transport->in_bytes, (int)length, handle_transfer, transport, 0);
    submit(transport, &transport->in, "reading");
}

// The transfer must end in a short packet, or the camera waits for more of it: frames may be
// followed by any number of 00 (PROTOCOL.md, section 1).
static void submit_out(struct transport *transport) {
    struct buf *frames = transport->queue;
    transport->queue = transport->sending;
    transport->sending = frames;
    if (buf_length(frames) % transport->match.out_packet_size == 0 && !buf_put(frames, "", 1)) {
        buf_clear(frames); // without memory the frame is lost, and will be repeated
        return;
    }
    union {
        const uint8_t *data;
        uint8_t *buffer; // libusb only reads it
    } bytes = {buf_slice(frames).data};
    libusb_fill_bulk_transfer(transport->out.transfer, transport->handle, transport->match.out,
                              bytes.buffer, (int)buf_length(frames), handle_transfer, transport, 0);
    submit(transport, &transport->out, "writing");
}

// ---- repairs ------------------------------------------------------------------------------------

static int clear_halt(struct transport *transport, struct lane *lane, uint8_t endpoint) {
    return lane->is_halted ? libusb_clear_halt(transport->handle, endpoint) : LIBUSB_SUCCESS;
}

// On a thread; the loop's side leaves the handle and the lanes alone meanwhile. A reset clears halts
// too, and does not wait for a camera that is dead: clearing would, for seconds.
static void run_repair(void *context) {
    struct transport *transport = context;
    if (transport->repair == USB_REPAIR_RESET) {
        transport->repair_status = libusb_reset_device(transport->handle);
    } else {
        int in = clear_halt(transport, &transport->in, transport->match.in);
        int out = clear_halt(transport, &transport->out, transport->match.out);
        transport->repair_status = in != LIBUSB_SUCCESS ? in : out;
    }
    transport->in.is_halted = false;
    transport->out.is_halted = false;
}

static void handle_repaired(void *context) {
    struct transport *transport = context;
    usb_hub_end_repair(transport->hub, transport->repair);
    transport->repair_runs = false;
    transport->repair = transport->wants_reset ? USB_REPAIR_RESET : USB_REPAIR_NONE;
    transport->wants_reset = false;
    if (transport->repair_status != LIBUSB_SUCCESS) {
        note_status(transport, "clearing", transport->repair_status);
    }
    usb_hub_mark(transport->hub, &transport->guest);
}

static void start_repair(struct transport *transport) {
    struct error error;
    if (!usb_hub_begin_repair(transport->hub, &transport->guest, transport->repair)) {
        return;
    }
    transport->repair_runs =
        loop_run_job(usb_hub_loop(transport->hub), run_repair, handle_repaired, transport, &error);
    if (!transport->repair_runs) {
        usb_hub_end_repair(transport->hub, transport->repair);
        note_end(transport, E_PORT_IO, "clearing", error.text);
        usb_hub_mark(transport->hub, &transport->guest);
    }
}

static void handle_pause_end(void *context) {
    struct transport *transport = context;
    transport->in_pause = false;
    usb_hub_mark(transport->hub, &transport->guest);
}

// An endpoint that stalled is cleared. Any other failure may pass, or be the camera leaving, which
// then shows soon.
static void note_failure(struct transport *transport, struct lane *lane, const char *doing) {
    bool has_stalled = lane->transfer->status == LIBUSB_TRANSFER_STALL;
    if (++transport->failures > FAILURES_MAX) {
        note_end(transport, E_PORT_IO, doing,
                 has_stalled ? "the camera stalls again and again" : "errors on the bus");
        return;
    }
    if (has_stalled) {
        lane->is_halted = true;
        transport->repair =
            transport->repair == USB_REPAIR_NONE ? USB_REPAIR_CLEAR : transport->repair;
        cancel(transport);
    }
    transport->in_pause = true;
    loop_timer_start(transport->pause, (int64_t)PAUSE_MS * transport->failures);
}

// ---- transfers end ------------------------------------------------------------------------------

// Returns true where the transfer did what it should.
static bool judge(struct transport *transport, struct lane *lane, const char *doing) {
    lane->is_done = false;
    switch (lane->transfer->status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return true;
    case LIBUSB_TRANSFER_CANCELLED: // by a repair or the end
    case LIBUSB_TRANSFER_TIMED_OUT:
        return false;
    case LIBUSB_TRANSFER_NO_DEVICE:
        note_status(transport, doing, LIBUSB_ERROR_NO_DEVICE);
        return false;
    default:
        note_failure(transport, lane, doing);
        return false;
    }
}

static void finish_out(struct transport *transport) {
    if (transport->out.is_done) {
        (void)judge(transport, &transport->out, "writing");
        buf_clear(transport->sending);
    }
}

// What came before a failure came, and is delivered.
static void finish_in(struct transport *transport) {
    if (!transport->in.is_done) {
        return;
    }
    bool is_good = judge(transport, &transport->in, "reading");
    int length = transport->in.transfer->actual_length;
    if (length > 0) {
        transport->failures = is_good ? 0 : transport->failures;
        transport->in_event = true;
        transport->events.on_bytes(transport->context,
                                   (struct slice){transport->in_bytes, (size_t)length});
        transport->in_event = false;
    }
}

static void go_on(struct transport *transport) {
    if (transport->reason.code != ERROR_NONE || transport->in_pause) {
        return;
    }
    if (transport->repair != USB_REPAIR_NONE) {
        // What came back may still ask for another repair.
        if (is_idle(transport) && !transport->in.is_done && !transport->out.is_done) {
            start_repair(transport);
        }
        return;
    }
    if (!transport->in.is_busy && !transport->in.is_done) {
        submit_in(transport);
    }
    if (!transport->out.is_busy && !transport->out.is_done && buf_length(transport->queue) > 0) {
        submit_out(transport);
    }
}

static void serve(void *owner) {
    struct transport *transport = owner;
    if (!transport->is_closing) {
        finish_out(transport);
        finish_in(transport);
    }
    if (transport->guest.has_left) {
        note_end(transport, E_PORT_HANGUP, "USB", "unplugged");
    }
    if (!transport->is_closing && transport->reason.code != ERROR_NONE && !transport->has_hung_up) {
        hang_up(transport);
    }
    if (!transport->is_closing) {
        go_on(transport);
    } else if (is_idle(transport)) {
        usb_hub_remove(transport->hub, &transport->guest);
        release(transport);
    }
}

// ---- opening ------------------------------------------------------------------------------------

static bool fail_denied(const struct transport *transport, struct error *error) {
    char node[64];
    char names[1024];
    struct stat status;
    struct group entry;
    struct group *group = NULL;
    snprintf(node, sizeof node, "/dev/bus/usb/%03u/%03u", libusb_get_bus_number(transport->device),
             libusb_get_device_address(transport->device));
    if (stat(node, &status) == 0) {
        (void)getgrgid_r(status.st_gid, &entry, names, sizeof names, &group);
    }
    return error_set(error, E_PORT_DENIED, "no permission on %s, which is for group %s", node,
                     group != NULL ? group->gr_name : "?");
}

// libusb says that there is a driver; which, only sysfs does. "" where it does not.
static void read_driver(const struct transport *transport, const char *path, char *name,
                        size_t capacity) {
    char link[320];
    char target[256];
    int configuration = 0;
    (void)libusb_get_configuration(transport->handle, &configuration);
    snprintf(link, sizeof link, "/sys/bus/usb/devices/%s:%d.%u/driver", path, configuration,
             transport->match.interface);
    ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(name, capacity, "%s", slash != NULL ? slash + 1 : "");
}

static bool fail_driver(const struct transport *transport, const char *path, struct error *error) {
    char name[64];
    struct libusb_device_descriptor device;
    (void)libusb_get_device_descriptor(transport->device, &device); // is with libusb already
    read_driver(transport, path, name, sizeof name);
    return error_set(error, E_PORT_DRIVER, "%s%s holds the interface %u of %04x:%04x",
                     name[0] != '\0' ? "the kernel's driver " : "a driver of the kernel", name,
                     transport->match.interface, device.idVendor, device.idProduct);
}

static bool fail_claim(const struct transport *transport, const char *path, int status,
                       struct error *error) {
    unsigned interface = transport->match.interface;
    if (libusb_kernel_driver_active(transport->handle, transport->match.interface) == 1) {
        return fail_driver(transport, path, error);
    }
    if (status == LIBUSB_ERROR_BUSY) {
        return error_set(error, E_PORT_BUSY, "another program has claimed its interface %u",
                         interface);
    }
    return error_set(error, status == LIBUSB_ERROR_NO_DEVICE ? E_PORT_MISSING : E_PORT_IO,
                     "cannot claim its interface %u: %s", interface, libusb_strerror(status));
}

static bool open_device(struct transport *transport, const struct transport_settings *settings,
                        struct error *error) {
    transport->device = usb_hub_find(transport->hub, settings->path);
    if (transport->device == NULL) {
        return error_set(error, E_PORT_MISSING, "nothing is plugged in");
    }
    if (!usb_match_device(transport->device, settings->usb_ids, settings->usb_id_count,
                          &transport->match, error)) {
        return false;
    }
    int status = libusb_open(transport->device, &transport->handle);
    if (status == LIBUSB_ERROR_ACCESS) {
        return fail_denied(transport, error);
    }
    if (status != LIBUSB_SUCCESS) {
        transport->handle = NULL;
        return error_set(error, status == LIBUSB_ERROR_NO_DEVICE ? E_PORT_MISSING : E_PORT_IO,
                         "cannot be opened: %s", libusb_strerror(status));
    }
    status = libusb_claim_interface(transport->handle, transport->match.interface);
    return status == LIBUSB_SUCCESS || fail_claim(transport, settings->path, status, error);
}

static bool make_parts(struct transport *transport, struct error *error) {
    transport->in.transfer = libusb_alloc_transfer(0);
    transport->out.transfer = libusb_alloc_transfer(0);
    transport->queue = buf_new(QUEUE_MAX + 1); // and the padding
    transport->sending = buf_new(QUEUE_MAX + 1);
    transport->pause = loop_timer_new(usb_hub_loop(transport->hub), handle_pause_end, transport);
    return (transport->in.transfer != NULL && transport->out.transfer != NULL &&
            transport->queue != NULL && transport->sending != NULL && transport->pause != NULL) ||
           error_set(error, E_MEMORY, "no memory for a port");
}

static bool usb_open(struct loop *loop, const struct transport_settings *settings,
                     const struct transport_events *events, void *context, struct transport **out,
                     struct error *error) {
    (void)loop; // the hub's
    struct transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return error_set(error, E_MEMORY, "no memory for a port");
    }
    transport->hub = settings->hub;
    transport->events = *events;
    transport->context = context;
    if (!open_device(transport, settings, error) || !make_parts(transport, error)) {
        release(transport);
        return error_prefix(error, "usb %s", settings->path);
    }
    transport->guest =
        (struct usb_guest){.device = transport->device, .serve = serve, .owner = transport};
    usb_hub_add(transport->hub, &transport->guest);
    submit_in(transport);
    *out = transport;
    return true;
}

static bool usb_write(struct transport *transport, struct slice bytes) {
    if (transport->reason.code != ERROR_NONE) {
        return true; // the hang-up is on its way
    }
    if (bytes.length > QUEUE_MAX - buf_length(transport->queue) ||
        !buf_put(transport->queue, bytes.data, bytes.length)) {
        return false;
    }
    if (!transport->in_event) {
        go_on(transport);
    }
    return true;
}

static void usb_reset(struct transport *transport) {
    buf_clear(transport->queue);
    transport->wants_reset = transport->repair_runs;
    if (!transport->repair_runs) {
        transport->repair = USB_REPAIR_RESET;
        cancel(transport);
        usb_hub_mark(transport->hub, &transport->guest);
    }
}

static void usb_close(struct transport *transport) {
    if (transport == NULL) {
        return;
    }
    transport->is_closing = true;
    loop_timer_stop(transport->pause);
    cancel(transport);
    if (is_idle(transport) && !transport->in_event) {
        usb_hub_remove(transport->hub, &transport->guest);
        release(transport);
    }
}

const struct transport_ops transport_usb = {
    .name = "usb",
    .max_payload = 4096,
    .is_device = true,
    .hub_new = usb_hub_new,
    .hub_free = usb_hub_free,
    .open = usb_open,
    .write = usb_write,
    .reset = usb_reset,
    .close = usb_close,
};
