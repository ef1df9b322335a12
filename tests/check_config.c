// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/message.h"
#include "station/app/config.h"
#include "station/app/config_keys.h"
#include "tests/support_folder.h"

#define GOOD_REST                                                                                  \
    "[ca a]\nbackend = local\n[profile https]\nca = a\n[slot 1]\nserial = /dev/ttyS0\n"

static char file[128];
static struct config *config;
static struct error error;

static void make_drop_ins(void) {
    char path[256];
    folder_path(path, sizeof path, "conf.d");
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void set_up(void) {
    folder_make();
    folder_path(file, sizeof file, "birthcert.conf");
    config = NULL;
    error = (struct error){.code = ERROR_NONE};
    unsetenv("BIRTHCERT_CONFIG");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void tear_down(void) {
    config_free(config);
    folder_remove();
}

static void load_good(void) {
    ck_assert_msg(config_load(file, &config, &error), "%s", error.text);
}

static void load_text(const char *text) {
    folder_write_text("birthcert.conf", text);
    load_good();
}

// The message must hold the place, the section or key, and what is allowed.
static void assert_fails(const char *place, const char *fragment) {
    ck_assert(!config_load(file, &config, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
    ck_assert_msg(strstr(error.text, place) != NULL, "no \"%s\" in: %s", place, error.text);
    ck_assert_msg(strstr(error.text, fragment) != NULL, "no \"%s\" in: %s", fragment, error.text);
    config_free(config);
    config = NULL;
}

START_TEST(test_defaults) {
    load_text(GOOD_REST);
    char expected[256];
    ck_assert_str_eq(config->file, file);
    ck_assert(text_is_label(config->station));
    ck_assert_str_eq(config->operator_name, "");
    ck_assert_str_eq(config->lot, "");
    ck_assert(config->lock);
    ck_assert_uint_eq(config->generate_timeout_ms, 300000);
    folder_path(expected, sizeof expected, "birthcert.db");
    ck_assert_str_eq(config->store_path, expected);
    ck_assert_uint_eq(config->ca_count, 1);
    ck_assert_str_eq(config->cas[0].settings.name, "a");
    ck_assert_str_eq(config->cas[0].settings.backend, "local");
    ck_assert_uint_eq(config->cas[0].settings.in_flight, 64);
    ck_assert_uint_eq(config->cas[0].settings.timeout_ms, 30000);
    ck_assert_uint_eq(config->cas[0].settings.requests_per_second, 0);
    ck_assert_ptr_null(config->cas[0].settings.url);
    ck_assert_uint_eq(config->slot_count, 1);
    ck_assert_str_eq(config->slots[0].transport, "serial");
    ck_assert_uint_eq(config->slots[0].bit_rate, 0);
    struct profile built_in;
    ck_assert(profile_built_in("https", &built_in));
    ck_assert_str_eq(config->profiles[0].common_name, built_in.common_name);
    ck_assert_uint_eq(config->profiles[0].credential, built_in.credential);
}
END_TEST

START_TEST(test_every_key) {
    load_text("# comment\n; comment\n"
              "[station]\nname = bench 7\noperator=A. Lee\n  lot = L1 # inline\nlock = no\n"
              "generate_timeout = 5m\n"
              "[store]\npath = /var/db/x.db\n"
              "[ca main]\nbackend = hvca\nurl = https://ca.example:8443/v2\n"
              "client_certificate_file = c.pem\nclient_key_file = /etc/c.key\n"
              "server_root_file = s.pem\nroot_file = r.pem\nintermediates_file = i.pem\n"
              "api_key_file = k\napi_secret_file = sub/s\nextra_header = X-A: b=c\n"
              "in_flight = 8\nrequests_per_second = 20\ntimeout = 1500ms\nrekey = yes\n"
              "[ca other]\nbackend = local\nca_certificate_file = ca/c\nca_key_file = ca/k\n"
              "[profile web]\ncommon_name = cam {mac}\nbased_on = https\nca = main\n"
              "credential = 3\nkey = rsa2048\nforeign_key = replace\nserial_number =\n"
              "organization = M\xc3\xbcller GmbH\norganizational_unit = Cameras\ncountry = DE\n"
              "dns_names = {serial}.cam.example, {serial}.local\nserver_auth = yes\n"
              "client_auth = no\nvalidity = forever\n"
              "[profile idevid]\nca = other\nhardware_type = 1.3.6.1.4.1.99999.7\n"
              "[slot left]\nserial = /dev/serial/by-path/p-usb-0:3:1.0-port0\nspeed = "
              "921600\nwake_line = start agent\n"
              "[slot right]\nunix = cams/1\n");
    char expected[256];
    ck_assert_str_eq(config->station, "bench 7");
    ck_assert_str_eq(config->operator_name, "A. Lee");
    ck_assert_str_eq(config->lot, "L1");
    ck_assert(!config->lock);
    ck_assert_uint_eq(config->generate_timeout_ms, 300000);
    ck_assert_str_eq(config->store_path, "/var/db/x.db");
    const struct ca_settings *ca = &config_find_ca(config, "main")->settings;
    ck_assert_str_eq(ca->url, "https://ca.example:8443/v2");
    folder_path(expected, sizeof expected, "c.pem");
    ck_assert_str_eq(ca->client_certificate_file, expected);
    ck_assert_str_eq(ca->client_key_file, "/etc/c.key");
    folder_path(expected, sizeof expected, "sub/s");
    ck_assert_str_eq(ca->api_secret_file, expected);
    ck_assert_str_eq(ca->extra_header, "X-A: b=c");
    ck_assert_uint_eq(ca->in_flight, 8);
    ck_assert_uint_eq(ca->requests_per_second, 20);
    ck_assert_uint_eq(ca->timeout_ms, 1500);
    ck_assert(ca->rekeys && !config_find_ca(config, "other")->settings.rekeys);
    ck_assert(config_rekeys(config, "main", 3));
    ck_assert(!config_rekeys(config, "main", 2)); // another CA's
    ck_assert(!config_rekeys(config, "other", 2) && !config_rekeys(config, "none", 3));
    const struct profile *web = config_find_profile(config, "web");
    ck_assert_str_eq(web->name, "web");
    ck_assert_str_eq(web->ca, "main");
    ck_assert_uint_eq(web->credential, 3);
    ck_assert_uint_eq(web->key_type, KEY_RSA_2048);
    ck_assert(web->replace_foreign_key);
    ck_assert_str_eq(web->common_name, "cam {mac}");
    ck_assert_str_eq(web->serial_number, "");
    ck_assert_str_eq(web->organization, "M\xc3\xbcller GmbH");
    ck_assert_str_eq(web->country, "DE");
    ck_assert_str_eq(web->dns_names[0], "{serial}.cam.example");
    ck_assert_str_eq(web->dns_names[1], "{serial}.local");
    ck_assert_str_eq(web->dns_names[2], "");
    ck_assert(web->server_auth && !web->client_auth);
    ck_assert_uint_eq(web->validity_days, 0);
    ck_assert_uint_eq(config_find_profile(config, "idevid")->credential, 2);
    const struct config_slot *left = config_find_slot(config, "left");
    ck_assert_str_eq(left->path, "/dev/serial/by-path/p-usb-0:3:1.0-port0");
    ck_assert_uint_eq(left->bit_rate, 921600);
    ck_assert_str_eq(left->wake_line, "start agent");
    folder_path(expected, sizeof expected, "cams/1");
    ck_assert_str_eq(config_find_slot(config, "right")->path, expected);
    ck_assert_str_eq(config_find_slot(config, "right")->transport, "unix");
    ck_assert_ptr_null(config_find_slot(config, "middle"));
    ck_assert_ptr_null(config_find_ca(config, "none"));
    ck_assert_ptr_null(config_find_profile(config, "none"));
}
END_TEST

#define IDS_4 "1209:ca30, 1209:ca31 0abc:0001\t1209:CA33"
#define IDS_16 IDS_4 "," IDS_4 "," IDS_4 "," IDS_4
#define TEXT_65 "12345678901234567890123456789012345678901234567890123456789012345"
#define TEXT_130 TEXT_65 TEXT_65

struct bad {
    const char *text;
    const char *place;
    const char *fragment;
};

// clang-format off
static const struct bad bad_texts[] = {
    // lines
    {"nonsense\n" GOOD_REST, ".conf:1:", "neither [SECTION] nor KEY = VALUE"},
    {"[station]\n\n# x\n  nonsense\n" GOOD_REST, ".conf:4:", "neither"},
    {"a = b\n" GOOD_REST, ".conf:1:", "before the first [section]"},
    {"[station]\nname = a\n = b\n" GOOD_REST, ".conf:3:", "is no key"},
    {"[station\nname = a\n" GOOD_REST, ".conf:1:", "[NAME] and nothing else"},
    {"\n[station] x\nname = a\n" GOOD_REST, ".conf:2:", "[NAME] and nothing else"},
    {"[]\n" GOOD_REST, ".conf:1:", "[] is no section"},
    // sections
    {GOOD_REST "[stations]\n", ".conf:7:", "[stations] is no section; there are [station], [store], [ca NAME]"},
    {GOOD_REST "[ slots 4 ]\n", ".conf:7:", "is no section"},
    {"[store x]\n" GOOD_REST, ".conf:1:", "[store] takes no name"},
    {"[slot]\n" GOOD_REST, ".conf:1:", "[slot NAME] needs a name"},
    {"[slot " TEXT_65 "]\n" GOOD_REST, ".conf:1:", "needs a name: 1 to 64"},
    {"[slot a\tb]\n" GOOD_REST, ".conf:1:", "needs a name"},
    {"[station]\nname = a\n[store]\n[station]\n" GOOD_REST, ".conf:4:", "[station] is already there, on line 1"},
    {GOOD_REST "[slot 1]\nserial = /dev/ttyS1\n", ".conf:7:", "[slot 1] is already there, on line 5"},
    // keys
    {"[station]\nnames = a\n" GOOD_REST, ".conf:2: [station]", "names is no key; there are name, operator, lot"},
    {"[station]\nlot = a\nlock = no\nlot = b\n" GOOD_REST, ".conf:4:", "lot is already set, on line 2"},
    {GOOD_REST "speeed = 9600\n", ".conf:7: [slot 1]", "there are usb, serial, unix, speed, wake_line"},
    {GOOD_REST "[ca b]\nbackend = hvca\napi_secret = hunter2\n", ".conf:9:", "set api_secret_file = FILE"},
    {GOOD_REST "[ca b]\nbackend = hvca\napi_key = hunter2\n", ".conf:9:", "set api_key_file = FILE"},
    {GOOD_REST "[ca b]\nca_key = x\n", ".conf:8:", "ca_key_file"},
    // values
    {"[station]\nname = " TEXT_65 "\n" GOOD_REST, ".conf:2: [station]", "is not up to 64 printable"},
    {"[station]\nname = a\tb\n" GOOD_REST, ".conf:2:", "printable ASCII"},
    {"[station]\noperator = J\xc3\xb6rg\n" GOOD_REST, ".conf:2:", "printable ASCII"},
    {"[station]\nlock = maybe\n" GOOD_REST, ".conf:2:", "\"maybe\" is not no or yes"},
    {"[station]\nlock =\n" GOOD_REST, ".conf:2:", "no or yes"},
    {"[station]\ngenerate_timeout = 300\n" GOOD_REST, ".conf:2:", "\"300\" is not a time from 1000ms to 3600s"},
    {"[station]\ngenerate_timeout = 2h\n" GOOD_REST, ".conf:2:", "3600s"},
    {"[station]\ngenerate_timeout = 5 m\n" GOOD_REST, ".conf:2:", "a time"},
    {"[station]\ngenerate_timeout = -1s\n" GOOD_REST, ".conf:2:", "a time"},
    {"[station]\ngenerate_timeout = 99999999999999999999ms\n" GOOD_REST, ".conf:2:", "a time"},
    {"[station]\ngenerate_timeout = 999999999h\n" GOOD_REST, ".conf:2:", "a time"},
    {"[store]\npath =\n" GOOD_REST, ".conf:2: [store]", "is not a file name"},
    {GOOD_REST "speed = fast\n", ".conf:7: [slot 1]", "a number from 300 to 4000000"},
    {GOOD_REST "speed = 299\n", ".conf:7:", "300"},
    {GOOD_REST "speed = 0x300\n", ".conf:7:", "300"},
    {GOOD_REST "speed = +9600\n", ".conf:7:", "300"},
    {GOOD_REST "wake_line = " TEXT_130 "\n", ".conf:7:", "up to 128 bytes"},
    {GOOD_REST "unix = /tmp/x\n", ".conf:7:", "a slot has one port"},
    {GOOD_REST "[slot 2]\nunix = /" TEXT_130 "\n", ".conf:8:", "longer than 107 bytes"},
    {GOOD_REST "[slot 2]\nunix = /x\nspeed = 9600\n", ".conf:9: [slot 2]", "speed: only with serial"},
    {GOOD_REST "[slot 2]\nunix = /x\nwake_line = a\n", ".conf:9: [slot 2]", "wake_line: only with serial"},
    {GOOD_REST "[slot 2]\nusb = 1-2\nspeed = 9600\n", ".conf:9: [slot 2]", "speed: only with serial"},
    {GOOD_REST "[slot 2]\nusb = 1-2\nunix = /x\n", ".conf:9: [slot 2]", "this one has usb = 1-2"},
    {GOOD_REST "[slot 2]\nusb = 1-2\n[slot 3]\nusb = 1-2\n", ".conf:10: [slot 3]", "already that of [slot 2]"},
    {GOOD_REST "[slot 2]\nserial = /dev/ttyUSB0\n", ".conf:8: [slot 2]", "serial: /dev/ttyUSB0 is whatever was plugged in first; take this slot out, then birthcert ports shows"},
    {GOOD_REST "[slot 2]\nserial = /dev/ttyACM12\n", ".conf:8:", "plugged in first"},
    {GOOD_REST "[slot 2]\nserial = /dev/ttyCH343USB0\n", ".conf:8:", "plugged in first"},
    {GOOD_REST "[slot 2]\nusb = 1\n", ".conf:8: [slot 2]", "a USB port such as 1-2"},
    {GOOD_REST "[slot 2]\nusb = 1-\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-2.\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1.2\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-2-3\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-0\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 01-2\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-256\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-1.2.3.4.5.6.7.8\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = /dev/bus/usb/001/002\n", ".conf:8:", "a USB port"},
    {GOOD_REST "[slot 2]\nusb = 1-2:1.0\n", ".conf:8:", "a USB port"},
    {"[station]\nusb_ids = 1209\n" GOOD_REST, ".conf:2: [station]", "up to 16 VID:PIDs"},
    {"[station]\nusb_ids = 1209:ca3\n" GOOD_REST, ".conf:2:", "VID:PIDs"},
    {"[station]\nusb_ids = 1209:ca300\n" GOOD_REST, ".conf:2:", "VID:PIDs"},
    {"[station]\nusb_ids = 1209:ca30:1\n" GOOD_REST, ".conf:2:", "VID:PIDs"},
    {"[station]\nusb_ids = 0x1209:0xca30\n" GOOD_REST, ".conf:2:", "VID:PIDs"},
    {"[station]\nusb_ids = " IDS_16 ",1209:ca30\n" GOOD_REST, ".conf:2:", "VID:PIDs"},
    {GOOD_REST "[slot 2]\nspeed = 9600\n", ".conf:7: [slot 2]", "has no port"},
    {GOOD_REST "[slot 2]\n", ".conf:7: [slot 2]", "has no port"},
    {GOOD_REST "[slot 2]\nserial = /dev/ttyS0\n", ".conf:8: [slot 2]", "already that of [slot 1]"},
    {GOOD_REST "[ca b]\nbackend = verisign\n", ".conf:8: [ca b]", "is not hvca or "},
    {GOOD_REST "[ca b]\nprice = abc\n", ".conf:8: [ca b]", "price: \"abc\" is not a price: "},
    {GOOD_REST "[ca b]\nprice = 0,45 EUR\n", ".conf:8: [ca b]", "a currency, as 0.45 EUR"},
    {GOOD_REST "[ca b]\nbackend =\n", ".conf:7: [ca b]", "has no backend: hvca or "},
    {GOOD_REST "[ca b]\nin_flight = 4\n", ".conf:7: [ca b]", "has no backend"},
    {GOOD_REST "[ca b]\nbackend = local\nin_flight = 0\n", ".conf:9:", "from 1 to"},
    {GOOD_REST "[ca b]\nbackend = local\ntimeout = 999ms\n", ".conf:9:", "a time"},
    {GOOD_REST "[ca b]\nbackend = hvca\napi_secret_file = credential:x\n", ".conf:9:", "LoadCredential=x:FILE"},
    {GOOD_REST "[ca b]\nbackend = hvca\napi_secret_file = credential:../x\n", ".conf:9:", "credential:NAME"},
    {GOOD_REST "[ca b]\nbackend = hvca\nurl = a\x01\n", ".conf:9:", "printable ASCII"},
    {GOOD_REST "[ca b]\nbackend = hvca\nca_key_file = k\n", ".conf:9:", "ca_key_file: not with backend hvca, which takes backend, url, client_certificate_file"},
    {GOOD_REST "[ca b]\nbackend = hvca\nformerly = https://old/v2\n", ".conf:9:", "formerly: \"https://old/v2\" is no place of this kind of CA: write it as `birthcert show` says it (sent to), \"hvca ...\", of at most 96"},
    {GOOD_REST "[ca b]\nbackend = hvca\nformerly = hvca\n", ".conf:9:", "\"hvca ...\""},
    {GOOD_REST "[ca b]\nbackend = local\nformerly = local x\n", ".conf:9:", "formerly: not with backend local"},
    // profiles
    {GOOD_REST "[profile x]\nca = a\n", ".conf:7: [profile x]", "has no based_on: https or idevid"},
    {GOOD_REST "[profile x]\nca = a\nbased_on = ldevid\n", ".conf:9:", "https or idevid"},
    {GOOD_REST "[profile idevid]\n", ".conf:7: [profile idevid]", "has no ca"},
    {GOOD_REST "[profile idevid]\nca = b\n", ".conf:8: [profile idevid]", "there is no [ca b]"},
    {GOOD_REST "[profile x]\nbased_on = https\nca = a\n", ".conf:7: [profile x]", "1 is already filled by [profile https]"},
    {GOOD_REST "[profile x]\nbased_on = idevid\nca = a\ncredential = 1\n", ".conf:10: [profile x]", "already filled"},
    {GOOD_REST "[profile idevid]\nca = a\ncredential = 256\n", ".conf:9:", "from 1 to 255"},
    {GOOD_REST "[profile idevid]\nca = a\nkey = dsa\n", ".conf:9:", "p256, p384, rsa2048"},
    {GOOD_REST "[profile idevid]\nca = a\nforeign_key = yes\n", ".conf:9:", "refuse or replace"},
    {GOOD_REST "[profile idevid]\nca = a\ncommon_name = {serail}\nkey = p256\n", ".conf:9:", "{serail}"},
    {GOOD_REST "[profile idevid]\nca = a\ncommon_name = x\nserial_number = y\nkey = p256\n", ".conf:10:", "{serial}"},
    {GOOD_REST "[profile idevid]\nca = a\ncountry = DEU\n", ".conf:9:", "up to 2 bytes"},
    {GOOD_REST "[profile idevid]\nca = a\ncountry = 1\n", ".conf:9:", ""},
    {GOOD_REST "[profile idevid]\nca = a\nhardware_type = x.y\n", ".conf:9:", "OID"},
    {GOOD_REST "[profile idevid]\nca = a\norganization = \xc3\x28\n", ".conf:9:", "of text"},
    {GOOD_REST "[profile idevid]\nca = a\norganization = \xed\xa0\x80\n", ".conf:9:", "of text"},
    {GOOD_REST "[profile idevid]\nca = a\norganization = \xc0\xaf\n", ".conf:9:", "of text"},
    {GOOD_REST "[profile idevid]\nca = a\ndns_names = a,,b\n", ".conf:9:", "up to 4 names"},
    {GOOD_REST "[profile idevid]\nca = a\ndns_names = {serial}a,b,c,d,e\n", ".conf:9:", "up to 4 names"},
    {GOOD_REST "[profile idevid]\nca = a\ndns_names = a,\n", ".conf:9:", "up to 4 names"},
    {GOOD_REST "[profile idevid]\nca = a\nvalidity = 10\n", ".conf:9:", "or forever"},
    {GOOD_REST "[profile idevid]\nca = a\nvalidity = 0d\n", ".conf:9:", "1d"},
    // as a whole
    {"", "birthcert.conf:", "there is no [profile NAME]"},
    {"[slot 1]\nserial = /dev/a\n", "birthcert.conf:", "there is no [profile NAME]"},
};
// clang-format on

START_TEST(test_usb) {
    static const char *const paths[] = {"1-2", "1-2.3", "12-255.1.1.1.1.1.14"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        char text[512];
        snprintf(text, sizeof text, "[station]\nusb_ids = %s\n%s[slot u]\nusb = %s\n", IDS_16,
                 GOOD_REST, paths[i]);
        load_text(text);
        const struct config_slot *slot = config_find_slot(config, "u");
        ck_assert_str_eq(slot->transport, "usb");
        ck_assert_str_eq(slot->path, paths[i]);
        ck_assert_uint_eq(config->usb_ids.count, 16);
        ck_assert_uint_eq(config->usb_ids.ids[2].vendor, 0x0abc);
        ck_assert_uint_eq(config->usb_ids.ids[2].product, 0x0001);
        ck_assert_uint_eq(config->usb_ids.ids[15].product, 0xca33);
        config_free(config);
        config = NULL;
    }
}
END_TEST

// What stays with the place: ports of the board, names by path, and links that a rule of udev made.
START_TEST(test_serial_names) {
    static const char *const paths[] = {"/dev/ttyAMA0",       "/dev/ttyUSB_left",
                                        "/dev/bench/ttyUSB0", "/dev/pts/3",
                                        "/dev/ttyUSB",        "/dev/serial/by-path/p-usb-0:1:1.0"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s[slot u]\nserial = %s\n", GOOD_REST, paths[i]);
        load_text(text);
        ck_assert_str_eq(config_find_slot(config, "u")->path, paths[i]);
        config_free(config);
        config = NULL;
    }
}
END_TEST

START_TEST(test_bad_text) {
    folder_write_text("birthcert.conf", bad_texts[_i].text);
    assert_fails(bad_texts[_i].place, bad_texts[_i].fragment);
}
END_TEST

static const struct {
    const char *text;
    const char *fragment;
} secrets[] = {
    {"[ca b]\nbackend = hvca\napi_secret = hunter2\n", "api_secret"},
    {"[ca b]\nbackend = local\nca_key_file = pkcs11:token=t?pin-value=hunter2\n",
     "ca_key_file: pin-value: a PIN must not stand here"},
    {"[ca b]\nbackend = local\nca_key_file = pkcs11:token=t;pin=hunter2\n",
     "an attribute that is not known"},
    {"[ca b]\nbackend = stepca\nsigning_key_file = pkcs11:token=t?pin-value=hunter2\n",
     "signing_key_file: takes a file, no pkcs11: URI. A file with what requests are signed with. "
     "stepca: the provisioner's key, a JSON Web Key. cfssl: the auth_key, in hex."},
    {"[ca b]\nbackend = cfssl\nsigning_key_file = pkcs11:token=hunter2;object=auth\n",
     "signing_key_file: takes a file, no pkcs11: URI."},
    {"[ca b]\nbackend = ejbca\ntoken_file = pkcs11:token=hunter2\n",
     "token_file: takes a file, no pkcs11: URI. A file that holds the access token"},
};

START_TEST(test_secret_is_not_repeated) {
    char text[512];
    snprintf(text, sizeof text, "%s%s", GOOD_REST, secrets[_i].text);
    folder_write_text("birthcert.conf", text);
    assert_fails(".conf:9:", secrets[_i].fragment);
    ck_assert_ptr_null(strstr(error.text, "hunter2"));
}
END_TEST

// More keys than a message has room for: whole words, and that there are more.
START_TEST(test_long_lists_of_keys) {
    static const char *const lines[] = {"nonsense = 1\n", "socket = x\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s[ca b]\nbackend = vault\n%s", GOOD_REST, lines[i]);
        folder_write_text("birthcert.conf", text);
        ck_assert(!config_load(file, &config, &error));
        char *end = strstr(error.text, ", ...");
        ck_assert_msg(end != NULL && end[5] == '\0', "%s", error.text);
        *end = '\0';
        const char *last = strrchr(error.text, ' ') + 1;
        ck_assert_msg(config_key_find(CONFIG_CA, last) != NULL, "\"%s\"", last);
    }
}
END_TEST

START_TEST(test_hostile_text_is_escaped) {
    folder_write_text("birthcert.conf", GOOD_REST "speed = \x1b[2J\xff\n");
    assert_fails(".conf:7:", "\"\\x1b[2J\\xff\"");
}
END_TEST

START_TEST(test_lines) {
    char text[4096];
    // CRLF, a BOM, blanks around, no newline at the end.
    load_text("\xef\xbb\xbf[station]\r\n  name =  b 1  \r\n" GOOD_REST "speed = 9600");
    ck_assert_str_eq(config->station, "b 1");
    ck_assert_uint_eq(config->slots[0].bit_rate, 9600);
    config_free(config);
    config = NULL;
    // The longest line passes, one more byte does not.
    snprintf(text, sizeof text, "#%0999d\n%s", 0, GOOD_REST);
    load_text(text);
    config_free(config);
    config = NULL;
    snprintf(text, sizeof text, "[station]\n#%01000d\n%s", 0, GOOD_REST);
    folder_write_text("birthcert.conf", text);
    assert_fails(".conf:2:", "longer than 1000 bytes");
    // An indented line is a setting of its own, not more of the value before it.
    folder_write_text("birthcert.conf", "[station]\nname = a\n  b\n" GOOD_REST);
    assert_fails(".conf:3:", "neither");
}
END_TEST

START_TEST(test_no_text) {
    static const char nul[] = "[station]\nname = a\0b\n" GOOD_REST;
    folder_write("birthcert.conf", nul, sizeof nul - 1);
    assert_fails(".conf:2:", "NUL");
    char *large = calloc(1, (size_t)2 << 20);
    ck_assert_ptr_nonnull(large);
    memset(large, '\n', (size_t)2 << 20);
    folder_write("birthcert.conf", large, (size_t)2 << 20);
    free(large);
    assert_fails("birthcert.conf", "larger than 1048576 bytes");
}
END_TEST

START_TEST(test_too_many) {
    char text[64 * 1024];
    int length = snprintf(text, sizeof text, "%s", GOOD_REST);
    for (int i = 0; i < CONFIG_CAS_MAX; i++) {
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "[ca x%d]\nbackend=local\n", i);
    }
    folder_write_text("birthcert.conf", text);
    // GOOD_REST has one of them in its six lines.
    assert_fails(".conf:37:", "more than 16 sections [ca NAME]");
    length = snprintf(text, sizeof text, "%s", GOOD_REST);
    for (int i = 2; i <= CONFIG_SLOTS_MAX; i++) {
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "[slot %d]\nunix=/s/%d\n", i, i);
    }
    load_text(text);
    ck_assert_uint_eq(config->slot_count, CONFIG_SLOTS_MAX);
    ck_assert_str_eq(config->slots[255].name, "256");
    config_free(config);
    config = NULL;
    snprintf(text + length, sizeof text - (size_t)length, "[slot 257]\nunix=/s/257\n");
    folder_write_text("birthcert.conf", text);
    assert_fails(".conf:517:", "more than 256 sections");
}
END_TEST

START_TEST(test_drop_ins) {
    make_drop_ins();
    folder_write_text("birthcert.conf", "[station]\nname = a\nlot = main\n" GOOD_REST);
    folder_write_text("conf.d/20-b.conf", "[station]\nlot = twenty\n[slot 2]\nserial = tty\n");
    folder_write_text("conf.d/10-a.conf", "[station]\nlot = ten\nlock = no\n");
    folder_write_text("conf.d/30.conf.bak", "nonsense\n");
    folder_write_text("conf.d/.hidden.conf", "nonsense\n");
    // A slot gets a port of another kind.
    folder_write_text("conf.d/40.conf", "[slot 1]\nserial =\nunix = sim/1\n");
    load_good();
    char expected[256];
    ck_assert_str_eq(config->station, "a");
    ck_assert_str_eq(config->lot, "twenty");
    ck_assert(!config->lock);
    ck_assert_uint_eq(config->slot_count, 2);
    ck_assert_str_eq(config->slots[0].transport, "unix");
    // Relative to the folder_name of the configuration, not to conf.d.
    folder_path(expected, sizeof expected, "tty");
    ck_assert_str_eq(config->slots[1].path, expected);
}
END_TEST

START_TEST(test_drop_in_errors_name_their_file) {
    make_drop_ins();
    folder_write_text("birthcert.conf", GOOD_REST);
    folder_write_text("conf.d/a.conf", "# fine\n");
    folder_write_text("conf.d/b.conf", "\n\n[slot 1]\nspeed = x\n");
    assert_fails("/conf.d/b.conf:4: [slot 1]", "a number");
    folder_write_text("conf.d/b.conf", "[profile https]\n\nca = gone\n");
    assert_fails("/conf.d/b.conf:3: [profile https]", "there is no [ca gone]");
    // What a later file corrects is not held against the earlier one.
    folder_write_text("conf.d/c.conf", "[profile https]\nca = a\n");
    load_good();
    config_free(config);
    config = NULL;
    char path[256];
    folder_path(path, sizeof path, "conf.d/d.conf");
    ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
    assert_fails("/conf.d/d.conf", "No such file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    assert_fails("/conf.d/d.conf", "not a file");
}
END_TEST

START_TEST(test_too_many_drop_ins) {
    make_drop_ins();
    folder_write_text("birthcert.conf", GOOD_REST);
    for (int i = 0; i < 64; i++) {
        char name[32];
        snprintf(name, sizeof name, "conf.d/%02d.conf", i);
        folder_write_text(name, "\n");
    }
    assert_fails("conf.d/63.conf", "more than 64 files");
}
END_TEST

START_TEST(test_missing) {
    ck_assert(!config_load(file, &config, &error));
    ck_assert_int_eq(error.code, E_CONFIG_MISSING);
    ck_assert_ptr_nonnull(strstr(error.text, file));
    ck_assert_ptr_null(config);
    ck_assert(!config_load(folder_name, &config, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
    ck_assert_int_eq(setenv("BIRTHCERT_CONFIG", "/no/such.conf", 1), 0);
    ck_assert(!config_load(NULL, &config, &error));
    ck_assert_int_eq(error.code, E_CONFIG_MISSING);
    ck_assert_ptr_nonnull(strstr(error.text, "/no/such.conf"));
    config_free(NULL);
}
END_TEST

START_TEST(test_where_it_is_found) {
    char back[512];
    ck_assert_ptr_nonnull(getcwd(back, sizeof back));
    folder_write_text("birthcert.conf", GOOD_REST);
    ck_assert_int_eq(chdir(folder_name), 0);
    ck_assert_int_eq(setenv("BIRTHCERT_CONFIG", "", 1), 0);
    ck_assert_msg(config_load(NULL, &config, &error), "%s", error.text);
    ck_assert_str_eq(config->file, "birthcert.conf");
    ck_assert_str_eq(config->store_path, "birthcert.db");
    config_free(config);
    config = NULL;
    ck_assert_int_eq(chdir(back), 0);
    ck_assert_int_eq(setenv("BIRTHCERT_CONFIG", file, 1), 0);
    ck_assert_msg(config_load(NULL, &config, &error), "%s", error.text);
    ck_assert_str_eq(config->file, file);
}
END_TEST

// The URI stays one; the PIN's file is beside the configuration.
START_TEST(test_key_in_a_token) {
    char expected[256];
    const char *escaped = strrchr(folder_name, '/') + 1;
    load_text(GOOD_REST "[ca b]\nbackend = local\n"
                        "ca_key_file = pkcs11:token=station;object=ca?pin-source=sub/pin\n"
                        "[ca c]\nbackend = hvca\nclient_key_file = pkcs11:object=a%20b\n");
    snprintf(expected, sizeof expected,
             "pkcs11:token=station;object=ca?pin-source=%%2Ftmp%%2F%s%%2Fsub%%2Fpin", escaped);
    ck_assert_str_eq(config->cas[1].settings.ca_key_file, expected);
    ck_assert_str_eq(config->cas[2].settings.client_key_file, "pkcs11:object=a%20b");
}
END_TEST

START_TEST(test_systemd_credential) {
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1), 0);
    load_text(GOOD_REST "[ca b]\nbackend = hvca\napi_secret_file = credential:hvca-secret\n");
    ck_assert_str_eq(config->cas[1].settings.api_secret_file, "/run/credentials/x/hvca-secret");
}
END_TEST

static Suite *config_suite(void) {
    Suite *suite = suite_create("config");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, set_up, tear_down);
    tcase_add_test(reading, test_defaults);
    tcase_add_test(reading, test_every_key);
    tcase_add_test(reading, test_usb);
    tcase_add_test(reading, test_serial_names);
    tcase_add_loop_test(reading, test_bad_text, 0, (int)ARRAY_LENGTH(bad_texts));
    tcase_add_loop_test(reading, test_secret_is_not_repeated, 0, ARRAY_LENGTH(secrets));
    tcase_add_test(reading, test_long_lists_of_keys);
    tcase_add_test(reading, test_hostile_text_is_escaped);
    tcase_add_test(reading, test_lines);
    tcase_add_test(reading, test_no_text);
    tcase_add_test(reading, test_too_many);
    tcase_add_test(reading, test_drop_ins);
    tcase_add_test(reading, test_drop_in_errors_name_their_file);
    tcase_add_test(reading, test_too_many_drop_ins);
    tcase_add_test(reading, test_missing);
    tcase_add_test(reading, test_where_it_is_found);
    tcase_add_test(reading, test_systemd_credential);
    tcase_add_test(reading, test_key_in_a_token);
    suite_add_tcase(suite, reading);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(config_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
