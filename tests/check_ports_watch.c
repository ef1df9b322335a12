// SPDX-License-Identifier: Apache-2.0
// Ports that come and go on a machine that umockdev plays, and what is told of them.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/ports.h"
#include "station/app/ports_follow.h"
#include "station/base/bytes.h"
#include "tests/mock_bed.h"

// ---- the watch ----------------------------------------------------------------------------------

struct seen {
    struct loop *loop;
    size_t count;
    size_t wanted;
    enum port_event events[64];
    struct port_entry entries[64];
};

static void see(void *context, enum port_event event, const struct port_entry *entry) {
    struct seen *seen = context;
    ck_assert_uint_lt(seen->count, ARRAY_LENGTH(seen->events));
    ck_assert_ptr_nonnull(entry);
    seen->events[seen->count] = event;
    seen->entries[seen->count++] = *entry;
    if (seen->count == seen->wanted) {
        loop_stop(seen->loop);
    }
}

static void wait_for(struct seen *seen, size_t count) {
    seen->wanted = count;
    if (seen->count < count) {
        loop_run(seen->loop);
    }
    ck_assert_uint_eq(seen->count, count);
}

static struct ports_watch *start_watch(struct seen *seen) {
    struct error error = {0};
    struct ports_watch *watch = NULL;
    ck_assert_msg(loop_new(&seen->loop, &error), "%s", error.text);
    ck_assert_msg(ports_watch_new(seen->loop, see, seen, &watch, &error), "%s", error.text);
    return watch;
}

static void unplug(const char *path) {
    umockdev_testbed_uevent(bed, path, "remove");
    umockdev_testbed_remove_device(bed, path);
}

START_TEST(the_watch_follows_a_camera) {
    static struct seen seen;
    struct ports_watch *watch = start_watch(&seen);
    plug_camera("1-2", 3);
    wait_for(&seen, 2); // the device, and then its interface
    ck_assert_int_eq(seen.events[0], PORT_PLUGGED);
    ck_assert_str_eq(seen.entries[0].name, "1-2");
    ck_assert_str_eq(seen.entries[0].serial, "VX-1");
    ck_assert_int_eq(seen.events[1], PORT_CHANGED);
    ck_assert_str_eq(seen.entries[1].name, "1-2");
    ck_assert(seen.entries[1].is_camera);
    umockdev_testbed_uevent(bed, "/sys" ROOT_HUB "/1-2", "change");
    wait_for(&seen, 3);
    ck_assert_int_eq(seen.events[2], PORT_CHANGED);
    umockdev_testbed_uevent(bed, "/sys" ROOT_HUB "/1-2/1-2:1.0", "unbind");
    unplug("/sys" ROOT_HUB "/1-2/1-2:1.0");
    unplug("/sys" ROOT_HUB "/1-2");
    wait_for(&seen, 4);
    ck_assert_int_eq(seen.events[3], PORT_UNPLUGGED);
    ck_assert_int_eq(seen.entries[3].kind, PORT_USB);
    ck_assert_str_eq(seen.entries[3].name, "1-2");
    ports_watch_free(watch);
    loop_free(seen.loop);
}
END_TEST

START_TEST(the_watch_follows_a_serial_port) {
    static struct seen seen;
    struct ports_watch *watch = start_watch(&seen);
    plug_adapter("1-4", 5, "");
    wait_for(&seen, 3); // device, interface, tty: the port on the bus between is none of ours
    ck_assert_int_eq(seen.events[2], PORT_PLUGGED);
    ck_assert_int_eq(seen.entries[2].kind, PORT_SERIAL);
    ck_assert_str_eq(seen.entries[2].name, "ttyUSB7");
    ck_assert_int_eq(seen.entries[2].latency_ms, 16);
    unplug("/sys" ROOT_HUB "/1-4/1-4:1.0/ttyUSB7/tty/ttyUSB7");
    wait_for(&seen, 4);
    ck_assert_int_eq(seen.events[3], PORT_UNPLUGGED);
    ck_assert_int_eq(seen.entries[3].kind, PORT_SERIAL);
    ck_assert_str_eq(seen.entries[3].name, "ttyUSB7");
    ports_watch_free(watch);
    loop_free(seen.loop);
}
END_TEST

START_TEST(the_watch_takes_no_notice_of_others) {
    static struct seen seen;
    struct ports_watch *watch = start_watch(&seen);
    plug_hub("", 1);
    plug("P: /devices/virtual/tty/tty1\nN: tty1\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/tty1\n\n");
    plug("P: /devices/virtual/net/x\nE: SUBSYSTEM=net\n\n");
    plug_camera("1-2", 3);
    wait_for(&seen, 2);
    ck_assert_str_eq(seen.entries[0].name, "1-2");
    ports_watch_free(watch);
    loop_free(seen.loop);
}
END_TEST

START_TEST(a_watch_ends_with_events_waiting) {
    static struct seen seen;
    struct ports_watch *watch = start_watch(&seen);
    for (unsigned i = 1; i <= 4; i++) { // umockdev's queue holds about ten
        char path[16];
        snprintf(path, sizeof path, "1-%u", i);
        plug_camera(path, i);
    }
    wait_for(&seen, 8);
    plug_camera("1-30", 30);
    ports_watch_free(watch);
    ports_watch_free(NULL);
    loop_free(seen.loop);
    ck_assert_uint_eq(seen.count, 8);
}
END_TEST

// ---- following them ------------------------------------------------------------------------------

struct told {
    size_t count;
    enum port_event events[8];
    char names[8][PORT_NAME_SIZE];
    size_t note_counts[8];
};

static void tell(void *context, enum port_event event, const struct ports_item *item) {
    struct told *told = context;
    ck_assert_uint_lt(told->count, ARRAY_LENGTH(told->events));
    told->events[told->count] = event;
    told->note_counts[told->count] = item->note_count;
    ck_assert(text_copy(told->names[told->count++], PORT_NAME_SIZE, item->entry->name));
}

static void expect_told(const struct told *told, size_t index, enum port_event event,
                        const char *name) {
    ck_assert_uint_lt(index, told->count);
    ck_assert_int_eq(told->events[index], event);
    ck_assert_str_eq(told->names[index], name);
}

// A hub was pulled and another one plugged in, and all of that was lost.
START_TEST(missed_events_are_made_up_for) {
    struct told told = {0};
    struct error error = {0};
    struct ports_follow *follow = calloc(1, sizeof *follow);
    ck_assert_ptr_nonnull(follow);
    plug_camera("1-1", 2);
    plug_camera("1-2", 3);
    plug_camera("1-3", 4);
    ck_assert(ports_follow_start(follow, NULL, tell, &told, &error));
    ck_assert(ports_follow_take(follow, PORTS_MISSED, NULL, &error));
    ck_assert_uint_eq(told.count, 0);
    umockdev_testbed_remove_device(bed, "/sys" ROOT_HUB "/1-1/1-1:1.0");
    umockdev_testbed_remove_device(bed, "/sys" ROOT_HUB "/1-1");
    umockdev_testbed_remove_device(bed, "/sys" ROOT_HUB "/1-3/1-3:1.0");
    umockdev_testbed_remove_device(bed, "/sys" ROOT_HUB "/1-3");
    umockdev_testbed_set_attribute(bed, "/sys" ROOT_HUB "/1-2", "serial", "another");
    plug_camera("1-4", 5);
    ck_assert(ports_follow_take(follow, PORTS_MISSED, NULL, &error));
    ck_assert_uint_eq(told.count, 4);
    expect_told(&told, 0, PORT_UNPLUGGED, "1-3");
    expect_told(&told, 1, PORT_UNPLUGGED, "1-1");
    expect_told(&told, 2, PORT_CHANGED, "1-2");
    expect_told(&told, 3, PORT_PLUGGED, "1-4");
    ck_assert_uint_eq(told.note_counts[0], 0); // though 1-1 had the same serial
    free(follow);
}
END_TEST

START_TEST(each_is_told_once) {
    struct told told = {0};
    struct error error = {0};
    struct ports_follow *follow = calloc(1, sizeof *follow);
    ck_assert_ptr_nonnull(follow);
    ck_assert(ports_follow_start(follow, NULL, tell, &told, &error));
    plug_camera("1-1", 2);
    take_list(1);
    const struct port_entry *entry = &list->entries[0];
    ck_assert(ports_follow_take(follow, PORT_CHANGED, entry, &error)); // its interface came first
    ck_assert(ports_follow_take(follow, PORT_PLUGGED, entry, &error));
    ck_assert(ports_follow_take(follow, PORT_CHANGED, entry, &error));
    ck_assert_uint_eq(told.count, 1);
    expect_told(&told, 0, PORT_PLUGGED, "1-1");
    ck_assert(ports_follow_take(follow, PORT_UNPLUGGED, entry, &error));
    ck_assert(ports_follow_take(follow, PORT_UNPLUGGED, entry, &error));
    ck_assert_uint_eq(told.count, 2);
    expect_told(&told, 1, PORT_UNPLUGGED, "1-1");
    free(follow);
}
END_TEST

int main(int argc, char **argv) {
    const TTest *const tests[] = {
        the_watch_follows_a_camera,          the_watch_follows_a_serial_port,
        the_watch_takes_no_notice_of_others, a_watch_ends_with_events_waiting,
        missed_events_are_made_up_for,       each_is_told_once};
    (void)argc;
    return run_on_bed(argv, "ports_watch", tests, ARRAY_LENGTH(tests));
}
