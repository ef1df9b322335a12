// SPDX-License-Identifier: Apache-2.0
// What the ports mean beside a configuration: slots, sections to paste, notes.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "station/app/ports_view.h"
#include "station/base/bytes.h"
#include "tests/support_folder.h"

static struct port_list *list;
static struct config *config;
static struct ports_view *view;
static struct ports_item item;

static void make_bench(void) {
    folder_make();
    list = calloc(1, sizeof *list);
    config = calloc(1, sizeof *config);
    view = calloc(1, sizeof *view);
    ck_assert(list != NULL && config != NULL && view != NULL);
}

static void remove_bench(void) {
    free(list);
    free(config);
    free(view);
    folder_remove();
}

static struct port_entry *add_entry(enum port_kind kind, const char *name, const char *usb_path) {
    struct port_entry *entry = &list->entries[list->count++];
    *entry = (struct port_entry){
        .kind = kind, .access = PORT_ALLOWED, .latency_ms = PORT_LATENCY_UNKNOWN};
    ck_assert(text_copy(entry->name, sizeof entry->name, name));
    ck_assert(text_copy(entry->usb_path, sizeof entry->usb_path, usb_path));
    snprintf(entry->node, sizeof entry->node, "/dev/%s", name);
    entry->has_usb_id = usb_path[0] != '\0';
    return entry;
}

static struct port_entry *add_camera(const char *path, const char *serial) {
    struct port_entry *entry = add_entry(PORT_USB, path, path);
    entry->is_camera = true;
    entry->vendor_id = 0x1209;
    entry->product_id = 0xca30;
    ck_assert(text_copy(entry->serial, sizeof entry->serial, serial));
    return entry;
}

static struct port_entry *add_serial(const char *name, const char *usb_path) {
    struct port_entry *entry = add_entry(PORT_SERIAL, name, usb_path);
    if (usb_path[0] != '\0') {
        snprintf(entry->link, sizeof entry->link, "/dev/serial/by-path/pci-%s", name);
    }
    return entry;
}

static void add_slot(const char *name, const char *transport, const char *path) {
    struct config_slot *slot = &config->slots[config->slot_count++];
    ck_assert(text_copy(slot->name, sizeof slot->name, name));
    ck_assert(text_copy(slot->transport, sizeof slot->transport, transport));
    ck_assert(text_copy(slot->path, sizeof slot->path, path));
}

static const struct ports_item *judge(size_t index) {
    ports_view_make(view, list, config);
    ports_view_judge(view, index, &item);
    return &item;
}

// The note that holds this text, or NULL.
static const struct ports_note *find_note(const char *text) {
    for (size_t i = 0; i < item.note_count; i++) {
        if (strstr(item.notes[i].text, text) != NULL) {
            return &item.notes[i];
        }
    }
    return NULL;
}

static void expect_slot(size_t index, const char *name) {
    judge(index);
    ck_assert_int_eq(item.state, PORTS_ASSIGNED);
    ck_assert_str_eq(item.slot->name, name);
    ck_assert_str_eq(item.section, "");
}

static void expect_section(size_t index, const char *name, const char *key, const char *path) {
    judge(index);
    ck_assert_int_eq(item.state, PORTS_UNASSIGNED);
    ck_assert_ptr_null(item.slot);
    ck_assert_str_eq(item.section, name);
    ck_assert_str_eq(item.section_key, key);
    ck_assert_str_eq(item.section_path, path);
}

// ---- slots --------------------------------------------------------------------------------------

START_TEST(a_camera_belongs_to_the_slot_of_its_port) {
    add_camera("1-2", "A");
    add_camera("1-2.3", "B");
    add_slot("two", "usb", "1-2");
    add_slot("three", "usb", "1-2.3");
    expect_slot(0, "two");
    expect_slot(1, "three");
    ck_assert_uint_eq(item.note_count, 0);
}
END_TEST

START_TEST(a_slot_of_another_kind_is_not_that_of_the_port) {
    add_camera("1-2", "A");
    add_slot("two", "serial", "1-2");
    add_slot("three", "unix", "1-2");
    expect_section(0, "usb-1-2", "usb", "1-2");
}
END_TEST

START_TEST(a_serial_port_goes_by_any_of_its_names) {
    char link[256];
    struct port_entry *entry = add_serial("ttyUSB0", "1-4");
    folder_write_text("ttyUSB0", "");
    folder_path(entry->node, sizeof entry->node, "ttyUSB0");
    add_slot("one", "serial", entry->node);
    expect_slot(0, "one");
    ck_assert(text_copy(config->slots[0].path, sizeof config->slots[0].path, entry->link));
    expect_slot(0, "one");
    folder_path(link, sizeof link, "camera");
    ck_assert_int_eq(symlink(entry->node, link), 0);
    ck_assert(text_copy(config->slots[0].path, sizeof config->slots[0].path, link));
    expect_slot(0, "one");
    folder_write_text("other", "");
    folder_path(config->slots[0].path, sizeof config->slots[0].path, "other");
    ck_assert_int_eq(judge(0)->state, PORTS_UNASSIGNED);
}
END_TEST

START_TEST(a_slot_without_a_port_is_told) {
    add_camera("1-2", "A");
    add_slot("one", "usb", "1-2");
    add_slot("two", "usb", "1-3");
    add_slot("three", "serial", "/dev/serial/by-path/nothing");
    add_slot("four", "unix", "/nowhere");
    folder_write_text("file", "");
    add_slot("five", "serial", "");
    folder_path(config->slots[4].path, sizeof config->slots[4].path, "file");
    ports_view_make(view, list, config);
    ck_assert(!ports_view_judge_slot(view, 0, &item));
    ck_assert(ports_view_judge_slot(view, 1, &item));
    ck_assert_int_eq(item.state, PORTS_EMPTY);
    ck_assert_ptr_null(item.entry);
    ck_assert_uint_eq(item.note_count, 0);
    ck_assert(ports_view_judge_slot(view, 2, &item));
    ck_assert_uint_eq(item.note_count, 0);
    ck_assert(!ports_view_judge_slot(view, 3, &item));
    ck_assert(ports_view_judge_slot(view, 4, &item));
    ck_assert_ptr_nonnull(find_note("no port that udev knows"));
}
END_TEST

START_TEST(what_was_unplugged_keeps_its_slot_until_told) {
    char link[256];
    struct port_entry *entry = add_serial("ttyUSB0", "1-4");
    folder_write_text("ttyUSB0", "");
    folder_path(entry->node, sizeof entry->node, "ttyUSB0");
    folder_path(link, sizeof link, "camera");
    ck_assert_int_eq(symlink(entry->node, link), 0);
    add_slot("one", "serial", link);
    add_camera("1-5", "A");
    add_slot("two", "usb", "1-5");
    ports_view_make(view, list, config);
    ck_assert_int_eq(unlink(entry->node), 0); // both were on a hub that was pulled
    ports_view_judge(view, 1, &item);
    ck_assert_str_eq(item.slot->name, "two");
    ports_view_forget(view, 1);
    list->count--;
    ports_view_judge(view, 0, &item);
    ck_assert_str_eq(item.slot->name, "one");
    ck_assert(!ports_view_judge_slot(view, 0, &item));
    ck_assert(ports_view_judge_slot(view, 1, &item));
}
END_TEST

START_TEST(the_same_when_an_earlier_one_is_forgotten) {
    add_camera("1-1", "A");
    add_camera("1-2", "B");
    add_slot("two", "usb", "1-2");
    ports_view_make(view, list, config);
    ports_view_forget(view, 0);
    list->entries[0] = list->entries[1];
    list->count--;
    ports_view_judge(view, 0, &item);
    ck_assert_str_eq(item.slot->name, "two");
}
END_TEST

// ---- sections -----------------------------------------------------------------------------------

START_TEST(sections_name_the_port) {
    add_camera("1-2.3.4", "A");
    add_serial("ttyUSB0", "1-4");
    add_serial("ttyUSB1", "1-5.1");
    add_serial("ttyUSB10", "1-5.1");
    add_serial("ttyUSB9", "1-5.1");
    add_serial("ttyS0", "");
    expect_section(0, "usb-1-2-3-4", "usb", "1-2.3.4");
    expect_section(1, "serial-1-4", "serial", "/dev/serial/by-path/pci-ttyUSB0");
    expect_section(2, "serial-1-5-1-port0", "serial", "/dev/serial/by-path/pci-ttyUSB1");
    expect_section(3, "serial-1-5-1-port2", "serial", "/dev/serial/by-path/pci-ttyUSB10");
    expect_section(4, "serial-1-5-1-port1", "serial", "/dev/serial/by-path/pci-ttyUSB9");
    expect_section(5, "serial-ttyS0", "serial", "/dev/ttyS0");
}
END_TEST

START_TEST(a_section_takes_no_name_of_another_slot) {
    add_camera("1-2", "A");
    add_slot("usb-1-2", "usb", "1-3");
    add_slot("usb-1-2-new", "usb", "1-4");
    expect_section(0, "usb-1-2-new-new", "usb", "1-2");
}
END_TEST

START_TEST(no_section_without_a_name_that_lasts) {
    struct port_entry *entry = add_serial("ttyUSB0", "1-4");
    static const char *const bad[] = {"", "/dev/serial/by-path/a b", "/dev/serial/by-path/a\nusb=1",
                                      "/dev/serial/by-path/\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert(text_copy(entry->link, sizeof entry->link, bad[i]));
        ck_assert_int_eq(judge(0)->state, PORTS_UNASSIGNED);
        ck_assert_str_eq(item.section, "");
    }
    entry->link[0] = '\0';
    judge(0);
    ck_assert_ptr_nonnull(find_note("no name below /dev/serial/by-path"));
}
END_TEST

START_TEST(without_a_configuration_all_are_unassigned) {
    add_camera("1-2", "A");
    ports_view_make(view, list, NULL);
    ports_view_judge(view, 0, &item);
    ck_assert_int_eq(item.state, PORTS_UNASSIGNED);
    ck_assert_str_eq(item.section, "usb-1-2");
}
END_TEST

START_TEST(usb_ids_make_a_camera) {
    struct port_entry *entry = add_entry(PORT_USB, "1-2", "1-2");
    entry->vendor_id = 0x1234;
    entry->product_id = 0x5678;
    ck_assert_int_eq(judge(0)->state, PORTS_OTHER);
    config->usb_ids.count = 1;
    config->usb_ids.ids[0] = (struct usb_id){.vendor = 0x1234, .product = 0x5679};
    ck_assert_int_eq(judge(0)->state, PORTS_OTHER);
    config->usb_ids.ids[0].product = 0x5678;
    expect_section(0, "usb-1-2", "usb", "1-2");
    ck_assert(item.is_camera);
    entry->has_usb_id = false;
    ck_assert_int_eq(judge(0)->state, PORTS_OTHER);
}
END_TEST

// ---- what is shown ------------------------------------------------------------------------------

START_TEST(an_adapter_is_shown_as_its_serial_port) {
    add_entry(PORT_USB, "1-4", "1-4");
    add_serial("ttyUSB0", "1-4");
    add_entry(PORT_USB, "1-5", "1-5"); // a keyboard
    add_entry(PORT_USB, "1-6", "1-6")->is_hub = true;
    add_camera("1-7", "A"); // with a console beside the bench's interface
    add_serial("ttyACM0", "1-7");
    static const bool shown[] = {false, true, true, false, true, true};
    ports_view_make(view, list, config);
    for (size_t i = 0; i < ARRAY_LENGTH(shown); i++) {
        ck_assert_int_eq(ports_view_is_shown(view, i), shown[i]);
    }
    list->entries[3].is_unauthorized = true; // nothing below it can be seen
    add_slot("one", "usb", "1-4");
    ports_view_make(view, list, config);
    ck_assert(ports_view_is_shown(view, 0) && ports_view_is_shown(view, 3));
}
END_TEST

// ---- notes --------------------------------------------------------------------------------------

START_TEST(a_missing_permission_says_what_to_do) {
    struct port_entry *entry = add_camera("1-2", "A");
    entry->access = PORT_DENIED;
    ck_assert(text_copy(entry->group, sizeof entry->group, "root"));
    judge(0);
    ck_assert_uint_eq(item.note_count, 1);
    ck_assert_int_eq(item.notes[0].code, E_PORT_DENIED);
    ck_assert_ptr_nonnull(find_note("/dev/1-2, of group root"));
    ck_assert_ptr_nonnull(strstr(item.notes[0].remedy, "install the udev rules"));
    ck_assert(text_copy(entry->group, sizeof entry->group, "dialout"));
    judge(0);
    ck_assert_ptr_nonnull(strstr(item.notes[0].remedy, "usermod -aG dialout"));
    // A camera by its ids only is not in the rules as they are shipped.
    entry->is_camera = false;
    entry->product_id = 0xca31;
    ck_assert(text_copy(entry->group, sizeof entry->group, "root"));
    config->usb_ids.count = 1;
    config->usb_ids.ids[0] = (struct usb_id){.vendor = 0x1209, .product = 0xca31};
    judge(0);
    ck_assert_ptr_nonnull(strstr(item.notes[0].remedy, "name 1209:ca31 in 70-birthcert.rules"));
    config->usb_ids.count = 0; // a keyboard is nobody's business
    judge(0);
    ck_assert_uint_eq(item.note_count, 0);
}
END_TEST

// What the shipped rules do for a serial port goes by the vendor of its adapter.
START_TEST(a_serial_port_without_permission_says_what_helps) {
    static const struct {
        const char *name;
        const char *usb_path;
        uint16_t vendor_id;
        const char *group;
        const char *remedy;
    } rows[] = {
        {"ttyUSB0", "1-4", 0x0403, "root", "install the udev rules (70-birthcert.rules)"},
        {"ttyUSB0", "1-4", 0x067b, "root", "name 067b:ca30 in 70-birthcert.rules"},
        {"ttyACM0", "1-4", 0x1209, "root", "install the udev rules (70-birthcert.rules)"},
        {"ttyUSB0", "1-4", 0x067b, "dialout", "usermod -aG dialout USER"},
        {"ttyS0", "", 0, "root", "KERNEL==\"ttyS0\", GROUP=\"dialout\", MODE=\"0660\""},
        {"ttyS0", "", 0, "dialout", "usermod -aG dialout USER"},
        {"ttyAMA0", "", 0, "tty", "systemctl disable --now serial-getty@ttyAMA0"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        list->count = 0;
        struct port_entry *entry = add_serial(rows[i].name, rows[i].usb_path);
        entry->access = PORT_DENIED;
        entry->vendor_id = rows[i].vendor_id;
        entry->product_id = 0xca30;
        ck_assert(text_copy(entry->group, sizeof entry->group, rows[i].group));
        judge(0);
        ck_assert_uint_eq(item.note_count, 1);
        ck_assert_msg(strstr(item.notes[0].remedy, rows[i].remedy) != NULL, "%zu: %s", i,
                      item.notes[0].remedy);
    }
}
END_TEST

START_TEST(the_same_serial_twice_names_the_other_port) {
    add_camera("1-1", "SAME");
    add_camera("1-2", "SAME");
    add_camera("1-3", "other");
    add_camera("1-4", "");
    add_camera("1-5", "");
    judge(0);
    ck_assert_ptr_nonnull(find_note("usb 1-2"));
    judge(1);
    ck_assert_ptr_nonnull(find_note("usb 1-1"));
    for (size_t i = 2; i < list->count; i++) {
        ck_assert_uint_eq(judge(i)->note_count, 0);
    }
}
END_TEST

START_TEST(many_of_one_serial_are_counted) {
    for (unsigned i = 1; i <= 48; i++) {
        char path[16];
        snprintf(path, sizeof path, "1-%u", i);
        add_camera(path, "SAME");
    }
    judge(20);
    ck_assert_uint_eq(item.note_count, 1);
    ck_assert_ptr_nonnull(find_note("usb 1-1, 1-2, 1-3 and 44 more"));
}
END_TEST

START_TEST(ports_of_one_adapter_share_its_serial) {
    for (unsigned i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "ttyUSB%u", i);
        struct port_entry *entry = add_serial(name, i < 4 ? "1-1" : "1-2");
        ck_assert(text_copy(entry->serial, sizeof entry->serial, "FT1"));
    }
    judge(0);
    ck_assert_ptr_nonnull(find_note("at usb 1-2"));
    ck_assert_ptr_null(find_note("1-2,"));
    ck_assert(text_copy(list->entries[4].usb_path, PORT_NAME_SIZE, "1-1"));
    list->count = 5;
    ck_assert_uint_eq(judge(0)->note_count, 0);
}
END_TEST

START_TEST(a_driver_that_holds_the_interface_is_named) {
    struct port_entry *entry = add_camera("1-2", "A");
    ck_assert(text_copy(entry->driver, sizeof entry->driver, "cypress"));
    judge(0);
    ck_assert_int_eq(item.notes[0].code, E_PORT_DRIVER);
    ck_assert_ptr_nonnull(find_note("cypress"));
    ck_assert(text_copy(entry->driver, sizeof entry->driver, "usbfs"));
    judge(0);
    ck_assert_int_eq(item.notes[0].code, ERROR_NONE);
    ck_assert_ptr_nonnull(find_note("a program has it"));
}
END_TEST

START_TEST(what_is_no_camera_in_a_slot_is_told) {
    struct port_entry *entry = add_entry(PORT_USB, "1-2", "1-2");
    add_slot("one", "usb", "1-2");
    judge(0);
    ck_assert_int_eq(item.notes[0].code, E_PORT_NOT_CAMERA);
    entry->is_unauthorized = true; // then nobody knows
    judge(0);
    ck_assert_uint_eq(item.note_count, 1);
    ck_assert_ptr_nonnull(find_note("authorized is 0"));
}
END_TEST

START_TEST(serial_ports_have_notes_of_their_own) {
    struct port_entry *entry = add_serial("ttyUSB0", "1-4");
    ck_assert_uint_eq(judge(0)->note_count, 0);
    entry->latency_ms = 1;
    ck_assert_uint_eq(judge(0)->note_count, 0);
    entry->latency_ms = 2;
    entry->is_for_modem_manager = true;
    judge(0);
    ck_assert_uint_eq(item.note_count, 2);
    ck_assert_ptr_nonnull(find_note("2 ms"));
    ck_assert_ptr_nonnull(find_note("ModemManager"));
}
END_TEST

// Everything at once: there is room for all of it.
START_TEST(all_notes_fit) {
    struct port_entry *entry = add_camera("1-1", "SAME");
    add_camera("1-2", "SAME");
    entry->is_unauthorized = true;
    entry->latency_ms = 16;
    entry->is_for_modem_manager = true;
    for (enum port_access access = PORT_NO_NODE; access <= PORT_DENIED; access++) {
        entry->access = access;
        memset(entry->driver, 'd', sizeof entry->driver - 1);
        memset(entry->group, 'g', sizeof entry->group - 1);
        memset(entry->node, 'n', sizeof entry->node - 1);
        ck_assert_uint_eq(judge(0)->note_count, 6);
    }
}
END_TEST

static void add_tests(TCase *tests) {
    tcase_add_test(tests, a_camera_belongs_to_the_slot_of_its_port);
    tcase_add_test(tests, a_slot_of_another_kind_is_not_that_of_the_port);
    tcase_add_test(tests, a_serial_port_goes_by_any_of_its_names);
    tcase_add_test(tests, a_slot_without_a_port_is_told);
    tcase_add_test(tests, what_was_unplugged_keeps_its_slot_until_told);
    tcase_add_test(tests, the_same_when_an_earlier_one_is_forgotten);
    tcase_add_test(tests, sections_name_the_port);
    tcase_add_test(tests, a_section_takes_no_name_of_another_slot);
    tcase_add_test(tests, no_section_without_a_name_that_lasts);
    tcase_add_test(tests, without_a_configuration_all_are_unassigned);
    tcase_add_test(tests, usb_ids_make_a_camera);
    tcase_add_test(tests, an_adapter_is_shown_as_its_serial_port);
    tcase_add_test(tests, a_missing_permission_says_what_to_do);
    tcase_add_test(tests, a_serial_port_without_permission_says_what_helps);
    tcase_add_test(tests, the_same_serial_twice_names_the_other_port);
    tcase_add_test(tests, many_of_one_serial_are_counted);
    tcase_add_test(tests, ports_of_one_adapter_share_its_serial);
    tcase_add_test(tests, a_driver_that_holds_the_interface_is_named);
    tcase_add_test(tests, what_is_no_camera_in_a_slot_is_told);
    tcase_add_test(tests, serial_ports_have_notes_of_their_own);
    tcase_add_test(tests, all_notes_fit);
}

int main(void) {
    Suite *suite = suite_create("ports_view");
    TCase *tests = tcase_create("ports_view");
    tcase_add_checked_fixture(tests, make_bench, remove_bench);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
