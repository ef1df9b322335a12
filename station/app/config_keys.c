// SPDX-License-Identifier: Apache-2.0
#include "station/app/config_keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca.h"
#include "protocol/message.h"
#include "station/app/config.h"
#include "station/base/error.h"

#define SOCKET_PATH_MAX 107 // of struct sockaddr_un, without its NUL

#define SIZE_OF(type, member) sizeof(((type *)NULL)->member)
#define AT(type, member) .offset = offsetof(type, member), .size = SIZE_OF(type, member)
#define AT_CA(member) AT(struct config_ca, settings.member)

static const char *const no_yes[] = {"no", "yes"};
static const char *const refuse_replace[] = {"refuse", "replace"};
static const char *const yes_no[] = {"yes", "no"};
static const char *const hold_resend[] = {"hold", "resend"};

const struct config_section_row config_sections[CONFIG_SECTION_COUNT] = {
    [CONFIG_STATION] = {"station", false, 1, NULL, "This bench."},
    [CONFIG_STORE] = {"store", false, 1, NULL, "The database: every unit and its history."},
    [CONFIG_CA] = {"ca", true, CONFIG_CAS_MAX, "trial",
                   "A certificate authority. This one is embedded: its key lies in a file, and\n"
                   "nobody trusts it. It is for trying out and for pilots."},
    [CONFIG_PROFILE] =
        {"profile", true, CONFIG_PROFILES_MAX, "https",
         "A certificate that every camera gets. One section for each of the camera's\n"
         "credentials that is to be filled."},
    [CONFIG_SLOT] = {"slot", true, CONFIG_SLOTS_MAX, "1",
                     "A place on the bench that a camera is plugged into. One section for each."},
    [CONFIG_FORWARD] = {"forward", false, 1, NULL, "Only for `birthcert forward`."},
};

// clang-format off
const struct config_key config_keys[] = {
    {CONFIG_STATION, "name", CONFIG_LABEL, AT(struct config, station),
     .initial = "", .comment = "What the records call this bench. Default: the computer's name."},
    {CONFIG_STATION, "operator", CONFIG_LABEL, AT(struct config, operator_name),
     .initial = "", .comment = "Who works here, for the records."},
    {CONFIG_STATION, "lot", CONFIG_LABEL, AT(struct config, lot),
     .initial = "", .comment = "The production lot, where the command line names none."},
    {CONFIG_STATION, "lock", CONFIG_SWITCH, AT(struct config, lock), .words = no_yes,
     .initial = "yes", .starter = "yes",
     .comment = "Lock each camera when it is done. There is no way back: a locked camera takes no\n"
                "new key and no new certificate."},
    {CONFIG_STATION, "generate_timeout", CONFIG_DURATION, AT(struct config, generate_timeout_ms),
     .minimum = 1000, .maximum = 3600000, .initial = "300s",
     .comment = "How long a camera may take to make its key."},
    {CONFIG_STATION, "usb_ids", CONFIG_USB_IDS, AT(struct config, usb_ids),
     .initial = "", .comment = "USB cameras that are known by their VID:PID, as 1209:ca30, beside those that have\n"
                               "the bench's own interface (class ff, subclass 43, protocol 01)."},

    {CONFIG_STORE, "path", CONFIG_FILE, AT(struct config, store_path),
     .initial = "birthcert.db", .starter = "birthcert.db",
     .comment = "The database's file. Like every file name in here it is relative to the folder\n"
                "of this file. Keep it on a local disk, and in the backup."},

    {CONFIG_CA, "backend", CONFIG_BACKEND, AT_CA(backend),
     .initial = "", .starter = "local", .comment = "Which kind of CA."},
    {CONFIG_CA, "url", CONFIG_HELD_TEXT, AT_CA(url),
     .initial = "", .comment = "Where its API is: https://HOST[:PORT][/PATH]."},
    {CONFIG_CA, "client_certificate_file", CONFIG_HELD_FILE, AT_CA(client_certificate_file),
     .initial = "", .comment = "The certificate that the station shows to the CA, PEM."},
    {CONFIG_CA, "client_key_file", CONFIG_KEY, AT_CA(client_key_file),
     .initial = "", .comment = "Its private key: PEM, or pkcs11:token=..;object=..?pin-source=FILE for one in a token."},
    {CONFIG_CA, "server_root_file", CONFIG_HELD_FILE, AT_CA(server_root_file),
     .initial = "", .comment = "The root that the CA's web server must lead to, PEM."},
    {CONFIG_CA, "root_file", CONFIG_HELD_FILE, AT_CA(root_file),
     .initial = "", .starter = "ca/root.pem",
     .comment = "The root that every issued certificate must lead to, PEM. Get it from the CA's\n"
                "administrator in a safe way."},
    {CONFIG_CA, "intermediates_file", CONFIG_HELD_FILE, AT_CA(intermediates_file),
     .initial = "", .comment = "Issuing CAs below that root, PEM, where the CA does not send them."},
    {CONFIG_CA, "api_key_file", CONFIG_SECRET, AT_CA(api_key_file),
     .initial = "", .comment = "hvca: a file that holds the API key, and nothing else."},
    {CONFIG_CA, "api_secret_file", CONFIG_SECRET, AT_CA(api_secret_file),
     .initial = "", .comment = "hvca: a file that holds the API secret, and nothing else."},
    {CONFIG_CA, "extra_header", CONFIG_HELD_TEXT, AT_CA(extra_header),
     .initial = "", .comment = "A further HTTP header, as \"Name: value\"."},
    {CONFIG_CA, "ca_certificate_file", CONFIG_HELD_FILE, AT_CA(ca_certificate_file),
     .initial = "", .starter = "ca/root.pem", .comment = "local: the CA's certificate, PEM."},
    {CONFIG_CA, "ca_key_file", CONFIG_KEY, AT_CA(ca_key_file),
     .initial = "", .starter = "ca/root.key", .comment = "local: the CA's private key: PEM, or a pkcs11: URI."},
    {CONFIG_CA, "username", CONFIG_HELD_TEXT, AT_CA(username),
     .initial = "", .comment = "The station's name at the CA."},
    {CONFIG_CA, "password_file", CONFIG_SECRET, AT_CA(password_file),
     .initial = "", .comment = "A file that holds its password, and nothing else."},
    {CONFIG_CA, "token_file", CONFIG_SECRET, AT_CA(token_file),
     .initial = "", .comment = "A file that holds the access token, and nothing else."},
    {CONFIG_CA, "ca_profile", CONFIG_HELD_TEXT, AT_CA(ca_profile),
     .initial = "", .comment = "The CA's own name for what it issues: a profile, label or role."},
    {CONFIG_CA, "authority", CONFIG_HELD_TEXT, AT_CA(authority),
     .initial = "", .comment = "Which of the server's CAs issues; vault: where the engine is mounted."},
    {CONFIG_CA, "end_entity_profile", CONFIG_HELD_TEXT, AT_CA(end_entity_profile),
     .initial = "", .comment = "ejbca: the end entity profile."},
    {CONFIG_CA, "provisioner", CONFIG_HELD_TEXT, AT_CA(provisioner),
     .initial = "", .comment = "stepca: the name of the JWK provisioner."},
    {CONFIG_CA, "signing_key_file", CONFIG_SECRET, AT_CA(signing_key_file),
     .initial = "", .comment = "A file with what requests are signed with. stepca: the provisioner's key, a JSON Web Key. cfssl: the auth_key, in hex."},
    {CONFIG_CA, "command", CONFIG_HELD_FILE, AT_CA(command),
     .initial = "", .comment = "exec: the program that is run for each request."},
    {CONFIG_CA, "socket", CONFIG_HELD_FILE, AT_CA(socket),
     .initial = "", .comment = "outbox: the socket of `birthcert forward`."},
    {CONFIG_CA, "lost_answer", CONFIG_SWITCH, AT_CA(resends_lost), .words = hold_resend,
     .initial = "hold",
     .comment = "What becomes of a request whose answer was lost, where the CA cannot be asked what it\n"
                "issued: hold it until a person has asked the CA's administrator, or send it again and\n"
                "know that there may be a certificate too many."},
    {CONFIG_CA, "keep_alive", CONFIG_SWITCH, AT_CA(closes_connections), .words = yes_no,
     .initial = "yes",
     .comment = "Whether connections are kept for further requests. no: for a server that serves one\n"
                "connection at a time and waits while that one is idle."},
    {CONFIG_CA, "rekey", CONFIG_SWITCH, AT_CA(rekeys), .words = no_yes, .initial = "no",
     .comment = "hvca: after `birthcert rework` the new board's certificate is asked for by rekey of the old\n"
                "one, which is revoked when the new one is here. Ask GlobalSign first whether the account\n"
                "has it, what it costs, and what becomes of the old certificate."},
    {CONFIG_CA, "in_flight", CONFIG_NUMBER, AT_CA(in_flight), .minimum = 1,
     .maximum = CA_PENDING_MAX, .initial = "64",
     .comment = "Requests to the CA at once; best as many as there are slots."},
    {CONFIG_CA, "requests_per_second", CONFIG_NUMBER, AT_CA(requests_per_second), .minimum = 0,
     .maximum = 10000, .initial = "0", .comment = "The rate that the CA allows; 0: no limit."},
    {CONFIG_CA, "timeout", CONFIG_DURATION, AT_CA(timeout_ms), .minimum = 1000,
     .maximum = 600000, .initial = "30s", .comment = "How long one exchange with the CA may take."},
    {CONFIG_CA, "settle", CONFIG_DURATION, AT_CA(settle_ms), .minimum = 0, .maximum = 3600000,
     .initial = "0s",
     .comment = "After a lost answer: how long the CA's lists may lag behind what it issued. A\n"
                "request is never sent again before that. 0: what the kind of CA is known for."},
    {CONFIG_CA, "formerly", CONFIG_HELD_TEXT, AT_CA(formerly),
     .initial = "",
     .comment = "Where this very CA was reached before it moved, as `birthcert show` says it (sent to),\n"
                "like hvca https://OLD-HOST/v2: what went there is asked about here. Never of another\n"
                "CA: that one knows nothing of it, and a second certificate would be bought."},
    {CONFIG_CA, "price", CONFIG_PRICE, AT_CA(price),
     .initial = "", .comment = "What one certificate costs, as 0.45 EUR: `birthcert orphans` adds it up."},
    {CONFIG_CA, "api_key", CONFIG_REFUSED, .comment = "api_key_file"},
    {CONFIG_CA, "api_secret", CONFIG_REFUSED, .comment = "api_secret_file"},
    {CONFIG_CA, "client_key", CONFIG_REFUSED, .comment = "client_key_file"},
    {CONFIG_CA, "ca_key", CONFIG_REFUSED, .comment = "ca_key_file"},
    {CONFIG_CA, "password", CONFIG_REFUSED, .comment = "password_file"},
    {CONFIG_CA, "token", CONFIG_REFUSED, .comment = "token_file"},
    {CONFIG_CA, "signing_key", CONFIG_REFUSED, .comment = "signing_key_file"},

    {CONFIG_PROFILE, "based_on", CONFIG_BUILT_IN, .initial = "", .starter = "https",
     .comment = "The built-in profile whose values stand where none is given here: https (for\n"
                "the camera's web server) or idevid (IEEE 802.1AR, the device's identity)."},
    {CONFIG_PROFILE, "ca", CONFIG_LABEL, AT(struct profile, ca),
     .initial = "", .starter = "trial", .comment = "The NAME of the [ca NAME] that issues it."},
    {CONFIG_PROFILE, "credential", CONFIG_SMALL, AT(struct profile, credential), .minimum = 1,
     .maximum = 255, .initial = "1", .comment = "The camera's number of the credential to fill."},
    {CONFIG_PROFILE, "key", CONFIG_KEY_TYPE, AT(struct profile, key_type),
     .initial = "p256", .comment = "The kind of key that the camera makes."},
    {CONFIG_PROFILE, "foreign_key", CONFIG_SWITCH, AT(struct profile, replace_foreign_key),
     .words = refuse_replace, .initial = "refuse",
     .comment = "A camera that comes with a key that this database does not know: fail it, or\n"
                "let it make a new one."},
    {CONFIG_PROFILE, "common_name", CONFIG_TEXT, AT(struct profile, common_name),
     .initial = "{serial}", .comment = "Names in the certificate. {serial}, {model} and {mac} stand for what the camera\n"
                               "reports; an empty value leaves a name out."},
    {CONFIG_PROFILE, "serial_number", CONFIG_TEXT, AT(struct profile, serial_number),
     .initial = "{serial}", .comment = "The subject's serialNumber."},
    {CONFIG_PROFILE, "organization", CONFIG_TEXT, AT(struct profile, organization),
     .initial = "", .comment = "The subject's organization: the maker."},
    {CONFIG_PROFILE, "organizational_unit", CONFIG_TEXT, AT(struct profile, organizational_unit),
     .initial = "", .comment = "The subject's organizational unit."},
    {CONFIG_PROFILE, "country", CONFIG_TEXT, AT(struct profile, country),
     .initial = "", .comment = "The subject's country: two letters of ISO 3166."},
    {CONFIG_PROFILE, "dns_names", CONFIG_LIST, AT(struct profile, dns_names),
     .initial = "{serial}.local", .comment = "DNS names in subjectAltName, separated by commas."},
    {CONFIG_PROFILE, "hardware_type", CONFIG_TEXT, AT(struct profile, hardware_type),
     .initial = "", .comment = "The maker's OID for this hardware: HardwareModuleName (RFC 4108) in\n"
                               "subjectAltName."},
    {CONFIG_PROFILE, "server_auth", CONFIG_SWITCH, AT(struct profile, server_auth),
     .words = no_yes, .initial = "yes", .comment = "Extended key usage: TLS server."},
    {CONFIG_PROFILE, "client_auth", CONFIG_SWITCH, AT(struct profile, client_auth),
     .words = no_yes, .initial = "yes", .comment = "Extended key usage: TLS client."},
    {CONFIG_PROFILE, "validity", CONFIG_DAYS, AT(struct profile, validity_days), .minimum = 1,
     .maximum = 36525, .initial = "3650d", .comment = "How long the certificate is asked for."},

    {CONFIG_SLOT, "usb", CONFIG_USB_PORT, AT(struct config_slot, path),
     .initial = "", .starter = "1-1",
     .comment = "The USB port that cameras are plugged into, as `birthcert ports` names it. The name stays\n"
                "with the socket, whatever is plugged in."},
    {CONFIG_SLOT, "serial", CONFIG_PORT, AT(struct config_slot, path),
     .initial = "", .comment = "Instead of usb: a serial port or a USB serial adapter. The names below\n"
                               "/dev/serial/by-path stay with the socket that the cable is plugged into; /dev/ttyUSB0\n"
                               "is whatever was plugged in first, and is refused."},
    {CONFIG_SLOT, "unix", CONFIG_PORT, AT(struct config_slot, path), .maximum = SOCKET_PATH_MAX,
     .initial = "", .comment = "Instead of usb: the socket of a simulated camera."},
    {CONFIG_SLOT, "speed", CONFIG_NUMBER, AT(struct config_slot, bit_rate), .minimum = 300,
     .maximum = 4000000, .initial = "115200", .comment = "serial: bits per second."},
    {CONFIG_SLOT, "wake_line", CONFIG_TEXT, AT(struct config_slot, wake_line),
     .initial = "", .comment = "serial: where the port is a login console, the line that starts the camera's agent."},

    {CONFIG_FORWARD, "socket", CONFIG_FILE, AT(struct config, forward_socket),
     .initial = "", .comment = "Where it listens. The folder must be there; who is in the socket's group may connect."},
};
// clang-format on
const size_t config_key_count = ARRAY_LENGTH(config_keys);

enum config_section config_section_find(const char *name, size_t length) {
    for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
        if (strlen(config_sections[i].name) == length &&
            memcmp(config_sections[i].name, name, length) == 0) {
            return (enum config_section)i;
        }
    }
    return CONFIG_SECTION_COUNT;
}

const struct config_key *config_key_find(enum config_section section, const char *name) {
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].section == section && strcmp(config_keys[i].name, name) == 0) {
            return &config_keys[i];
        }
    }
    return NULL;
}

// A list in words that grows in a fixed text.
struct words {
    char *out;
    size_t capacity;
    size_t length;
};

static void words_add(struct words *words, const char *format, ...) PRINTF_LIKE(2, 3);

static void words_add(struct words *words, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(words->out + words->length, words->capacity - words->length, format, arguments);
    va_end(arguments);
    size_t room = words->capacity - words->length - 1;
    words->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room;
}

static void add_backends(struct words *words) {
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        words_add(words, "%s%s", i > 0 ? " or " : "", ca_table[i]->name);
    }
}

static void add_key_types(struct words *words) {
    for (int type = KEY_P256; type <= KEY_ED25519; type++) {
        words_add(words, "%s%s", type > KEY_P256 ? ", " : "", key_type_name((enum key_type)type));
    }
}

// What needs no more than the type to be said.
static const char *const allowed_texts[] = {
    [CONFIG_FILE] = "a file name",
    [CONFIG_HELD_TEXT] = "printable ASCII text",
    [CONFIG_PRICE] = "a price: a number, a blank, a currency, as 0.45 EUR",
    [CONFIG_HELD_FILE] = "a file name",
    [CONFIG_SECRET] = "a file name, or credential:NAME for a systemd credential",
    [CONFIG_KEY] = "a file name, credential:NAME for a systemd credential, or a pkcs11: URI",
    [CONFIG_LIST] = "up to 4 names, separated by commas",
    [CONFIG_BUILT_IN] = "https or idevid",
    [CONFIG_PORT] = "a path",
    [CONFIG_USB_PORT] = "a USB port such as 1-2 or 1-2.3: bus, then the ports on the way",
    [CONFIG_USB_IDS] = "up to 16 VID:PIDs such as 1209:ca30, separated by commas",
    [CONFIG_REFUSED] = "",
};
_Static_assert(PROFILE_LIST_MAX == 4, "the text says 4");
_Static_assert(TRANSPORT_USB_IDS_MAX == 16, "the text says 16");

static void add_range(struct words *words, const struct config_key *key) {
    unsigned minimum = key->minimum;
    unsigned maximum = key->maximum;
    if (key->type == CONFIG_DURATION) {
        words_add(words, "a time from %ums to %us, as 500ms, 30s or 5m", minimum, maximum / 1000);
    } else if (key->type == CONFIG_DAYS) {
        words_add(words, "days from %ud to %ud, or forever", minimum, maximum);
    } else {
        words_add(words, "a number from %u to %u", minimum, maximum);
    }
}

void config_key_allowed(const struct config_key *key, char *out, size_t capacity) {
    struct words words = {out, capacity, 0};
    out[0] = '\0';
    switch (key->type) {
    case CONFIG_LABEL:
        words_add(&words, "up to %zu printable ASCII characters", key->size - 1);
        break;
    case CONFIG_TEXT:
        words_add(&words, "up to %zu bytes of text, or nothing", key->size - 1);
        break;
    case CONFIG_SWITCH:
        words_add(&words, "%s or %s", key->words[0], key->words[1]);
        break;
    case CONFIG_NUMBER:
    case CONFIG_SMALL:
    case CONFIG_DURATION:
    case CONFIG_DAYS:
        add_range(&words, key);
        break;
    case CONFIG_BACKEND:
        add_backends(&words);
        break;
    case CONFIG_KEY_TYPE:
        add_key_types(&words);
        break;
    default:
        words_add(&words, "%s", allowed_texts[key->type]);
    }
}

// Of all backends where `ops` is NULL.
static void add_key_names(struct words *words, enum config_section section,
                          const struct ca_ops *ops) {
    words->out[0] = '\0';
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section == section && key->type != CONFIG_REFUSED &&
            (ops == NULL || ca_takes_key(ops, key->name))) {
            words_add(words, "%s%s", words->length > 0 ? ", " : "", key->name);
        }
    }
}

void config_key_names(enum config_section section, char *out, size_t capacity) {
    struct words words = {out, capacity, 0};
    add_key_names(&words, section, NULL);
}

void config_backend_keys(const struct ca_ops *ops, char *out, size_t capacity) {
    struct words words = {out, capacity, 0};
    add_key_names(&words, CONFIG_CA, ops);
}

void config_section_names(char *out, size_t capacity) {
    struct words words = {out, capacity, 0};
    out[0] = '\0';
    for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
        words_add(&words, "%s[%s%s]", i > 0 ? ", " : "", config_sections[i].name,
                  config_sections[i].is_named ? " NAME" : "");
    }
}
