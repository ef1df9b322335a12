// SPDX-License-Identifier: Apache-2.0
#include "station/app/config_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca.h"
#include "ca-client/key.h"
#include "protocol/message.h"
#include "station/app/config.h"
#include "station/app/config_usb.h"
#include "station/app/price.h"

#define MS_PER_S 1000

static bool fail_value(const struct config_key *key, const char *value, struct error *error) {
    char allowed[ERROR_TEXT_MAX];
    config_key_allowed(key, allowed, sizeof allowed);
    return error_set(error, E_CONFIG, "%s: \"%.60s\" is not %s", key->name, value, allowed);
}

// RFC 3629; no control characters.
static bool is_utf8_text(const char *text) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *byte = (const uint8_t *)text;
    while (*byte != 0) {
        size_t more = *byte >= 0xf0 ? 3 : *byte >= 0xe0 ? 2 : *byte >= 0xc0 ? 1 : 0;
        uint32_t value = more == 0 ? *byte : *byte & (0x3fU >> more);
        if ((more == 0 && *byte >= 0x7f) || *byte < 0x20 || *byte > 0xf4) {
            return false;
        }
        byte++;
        for (size_t i = 0; i < more; i++) {
            if ((*byte & 0xc0) != 0x80) {
                return false;
            }
            value = value << 6 | (*byte++ & 0x3f);
        }
        bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
        bool is_control = value >= 0x80 && value < 0xa0;
        if (value < least[more] || value > 0x10ffff || is_surrogate || is_control) {
            return false;
        }
    }
    return true;
}

static bool set_text(const struct config_key *key, const char *value, void *member,
                     struct error *error) {
    bool is_good =
        key->type == CONFIG_LABEL ? value[0] == '\0' || text_is_label(value) : is_utf8_text(value);
    return (is_good && text_copy(member, key->size, value)) || fail_value(key, value, error);
}

// A number without sign or blanks, at most 9 digits; `end` is what stands behind it.
static bool parse_number(const char *text, uint32_t *number, const char **end) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9) {
        return false;
    }
    *number = (uint32_t)strtoul(text, NULL, 10);
    *end = text + digits;
    return true;
}

static bool in_range(const struct config_key *key, uint64_t number) {
    return number >= key->minimum && number <= key->maximum;
}

static bool set_number(const struct config_key *key, const char *value, void *member,
                       struct error *error) {
    uint32_t number = 0;
    const char *end = NULL;
    if (!parse_number(value, &number, &end) || end[0] != '\0' || !in_range(key, number)) {
        return fail_value(key, value, error);
    }
    if (key->type == CONFIG_SMALL) {
        *(uint8_t *)member = (uint8_t)number;
    } else {
        *(uint32_t *)member = number;
    }
    return true;
}

static bool set_duration(const struct config_key *key, const char *value, uint32_t *member,
                         struct error *error) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", MS_PER_S}, {"m", 60 * MS_PER_S}, {"h", 3600 * MS_PER_S}};
    uint32_t number = 0;
    const char *unit = NULL;
    if (parse_number(value, &number, &unit)) {
        for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
            uint64_t duration_ms = number * units[i].ms;
            if (strcmp(unit, units[i].unit) == 0 && in_range(key, duration_ms)) {
                *member = (uint32_t)duration_ms;
                return true;
            }
        }
    }
    return fail_value(key, value, error);
}

static bool set_days(const struct config_key *key, const char *value, uint32_t *member,
                     struct error *error) {
    uint32_t number = 0;
    const char *unit = NULL;
    if (strcmp(value, "forever") == 0) {
        *member = 0;
        return true;
    }
    if (!parse_number(value, &number, &unit) || strcmp(unit, "d") != 0 || !in_range(key, number)) {
        return fail_value(key, value, error);
    }
    *member = number;
    return true;
}

static bool set_switch(const struct config_key *key, const char *value, bool *member,
                       struct error *error) {
    bool is_second = strcmp(value, key->words[1]) == 0;
    if (!is_second && strcmp(value, key->words[0]) != 0) {
        return fail_value(key, value, error);
    }
    *member = is_second;
    return true;
}

static bool set_key_type(const struct config_key *key, const char *value, uint8_t *member,
                         struct error *error) {
    uint8_t type = key_type_from_name(value);
    if (type == 0) {
        return fail_value(key, value, error);
    }
    *member = type;
    return true;
}

static bool set_list(const struct config_key *key, const char *value,
                     char (*member)[PROFILE_TEXT_SIZE], struct error *error) {
    char list[PROFILE_LIST_MAX][PROFILE_TEXT_SIZE] = {{0}};
    size_t count = 0;
    const char *cursor = value;
    while (value[0] != '\0') {
        cursor += strspn(cursor, " \t");
        size_t length = strcspn(cursor, ",");
        size_t kept = length;
        while (kept > 0 && strchr(" \t", cursor[kept - 1]) != NULL) {
            kept--;
        }
        if (kept == 0 || kept >= PROFILE_TEXT_SIZE || count == PROFILE_LIST_MAX) {
            return fail_value(key, value, error);
        }
        memcpy(list[count], cursor, kept);
        if (!is_utf8_text(list[count++])) {
            return fail_value(key, value, error);
        }
        if (cursor[length] == '\0') {
            break;
        }
        cursor += length + 1;
    }
    memcpy(member, list, sizeof list);
    return true;
}

static bool set_held(const char *value, const char **member, struct error *error) {
    char *copy = strdup(value);
    if (copy == NULL) {
        return error_set(error, E_MEMORY, "no memory for the configuration");
    }
    free((void *)(uintptr_t)*member);
    *member = copy;
    return true;
}

static bool set_held_text(const struct config_key *key, const char *value, const char **member,
                          struct error *error) {
    bool is_good = text_is_label(value) &&
                   (key->type != CONFIG_BACKEND || ca_find(value) != NULL) &&
                   (key->type != CONFIG_PRICE || price_is_readable(value));
    return value[0] == '\0' || is_good ? set_held(value, member, error)
                                       : fail_value(key, value, error);
}

#define PATH_SIZE 512

static bool join_path(const struct config_key *key, const char *value, const char *folder,
                      char path[PATH_SIZE], size_t capacity, struct error *error) {
    bool is_absolute = value[0] == '/';
    int length = snprintf(path, capacity, "%s%s", is_absolute ? "" : folder, value);
    if (value[0] == '\0' || !is_utf8_text(value)) {
        return fail_value(key, value, error);
    }
    if (length < 0 || (size_t)length >= capacity) {
        return error_set(error, E_CONFIG, "%s: the path is longer than %zu bytes", key->name,
                         capacity - 1);
    }
    return true;
}

static bool set_file(const struct config_key *key, const char *value, const char *folder,
                     void *member, struct error *error) {
    char path[PATH_SIZE];
    size_t capacity = key->type == CONFIG_FILE ? key->size : sizeof path;
    if (key->type != CONFIG_FILE && value[0] == '\0') {
        return set_held(value, member, error);
    }
    if (!join_path(key, value, folder, path, capacity, error)) {
        return false;
    }
    return key->type == CONFIG_FILE ? text_copy(member, key->size, path)
                                    : set_held(path, member, error);
}

// systemd passes credentials as files in a folder that only the service sees. A token gives nothing
// away that could be read; its URI is not repeated, since a PIN may stand in it by mistake.
static bool set_secret(const struct config_key *key, const char *value, const char *folder,
                       const char **member, struct error *error) {
    static const char prefix[] = "credential:";
    if (key_is_uri(value)) {
        return error_set(error, E_CONFIG, "%s: takes a file, no pkcs11: URI. %s", key->name,
                         key->comment);
    }
    if (strncmp(value, prefix, strlen(prefix)) != 0) {
        return set_file(key, value, folder, member, error);
    }
    const char *name = value + strlen(prefix);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_SIZE];
    if (!text_is_label(name) || strchr(name, '/') != NULL) {
        return fail_value(key, value, error);
    }
    if (credentials == NULL) {
        return error_set(error, E_CONFIG,
                         "%s: %s needs a systemd service with LoadCredential=%s:FILE", key->name,
                         value, name);
    }
    int length = snprintf(path, sizeof path, "%s/%s", credentials, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        return error_set(error, E_CONFIG, "%s: the path is too long", key->name);
    }
    return set_held(path, member, error);
}

// The URI's own messages tell no part of it: a PIN may stand in it by mistake.
static bool set_key(const struct config_key *key, const char *value, const char *folder,
                    const char **member, struct error *error) {
    char uri[KEY_NAME_MAX];
    if (!key_is_uri(value)) {
        return set_secret(key, value, folder, member, error);
    }
    return key_uri_resolve(value, folder, uri, sizeof uri, error)
               ? set_held(uri, member, error)
               : error_prefix(error, "%s", key->name);
}

// /dev/ttyUSB0, ttyACM0, and what makers' own drivers count in the same way (ttyXRUSB0): after the
// next start the slots would have changed places.
static bool is_numbered_by_plugging(const char *path) {
    static const char prefix[] = "/dev/tty";
    size_t length = strlen(path);
    size_t kept = length;
    while (kept > 0 && path[kept - 1] >= '0' && path[kept - 1] <= '9') {
        kept--;
    }
    return kept < length && kept >= strlen(prefix) + 3 &&
           strncmp(path, prefix, strlen(prefix)) == 0 &&
           (strncmp(path + kept - 3, "USB", 3) == 0 || strncmp(path + kept - 3, "ACM", 3) == 0);
}

static bool set_port(const struct config_key *key, const char *value, const char *folder,
                     struct config_slot *slot, struct error *error) {
    char path[PATH_SIZE];
    size_t capacity = key->maximum != 0 ? key->maximum + 1 : key->size;
    if (value[0] == '\0') { // a drop-in takes the port away, to give the slot one of another kind
        return true;
    }
    if (slot->path[0] != '\0') {
        return error_set(error, E_CONFIG, "%s: a slot has one port, and this one has %s = %.100s",
                         key->name, slot->transport, slot->path);
    }
    if (key->type == CONFIG_USB_PORT && !config_is_usb_path(value)) {
        return fail_value(key, value, error);
    }
    if (!join_path(key, value, key->type == CONFIG_USB_PORT ? "" : folder, path, capacity, error)) {
        return false;
    }
    if (is_numbered_by_plugging(path)) {
        return error_set(error, E_CONFIG,
                         "%s: %.60s is whatever was plugged in first; take this slot out, then "
                         "birthcert ports shows it with its name in /dev/serial/by-path",
                         key->name, path);
    }
    return text_copy(slot->transport, sizeof slot->transport, key->name) &&
           text_copy(slot->path, sizeof slot->path, path);
}

static bool set_built_in(const struct config_key *key, const char *value, struct profile *profile,
                         struct error *error) {
    struct profile built_in;
    if (!profile_built_in(value, &built_in)) {
        return fail_value(key, value, error);
    }
    (void)text_copy(built_in.name, sizeof built_in.name, profile->name); // the same size
    *profile = built_in;
    return true;
}

bool config_value_set(const struct config_key *key, const char *value, const char *folder,
                      void *base, struct error *error) {
    void *member = (char *)base + key->offset;
    switch (key->type) {
    case CONFIG_LABEL:
    case CONFIG_TEXT:
        return set_text(key, value, member, error);
    case CONFIG_FILE:
    case CONFIG_HELD_FILE:
        return set_file(key, value, folder, member, error);
    case CONFIG_SECRET:
        return set_secret(key, value, folder, member, error);
    case CONFIG_KEY:
        return set_key(key, value, folder, member, error);
    case CONFIG_HELD_TEXT:
    case CONFIG_BACKEND:
    case CONFIG_PRICE:
        return set_held_text(key, value, member, error);
    case CONFIG_SWITCH:
        return set_switch(key, value, member, error);
    case CONFIG_NUMBER:
    case CONFIG_SMALL:
        return set_number(key, value, member, error);
    case CONFIG_DURATION:
        return set_duration(key, value, member, error);
    case CONFIG_DAYS:
        return set_days(key, value, member, error);
    case CONFIG_KEY_TYPE:
        return set_key_type(key, value, member, error);
    case CONFIG_LIST:
        return set_list(key, value, member, error);
    case CONFIG_BUILT_IN:
        return set_built_in(key, value, base, error);
    case CONFIG_USB_IDS:
        return config_read_usb_ids(value, member) || fail_value(key, value, error);
    case CONFIG_PORT:
    case CONFIG_USB_PORT:
        return set_port(key, value, folder, base, error);
    case CONFIG_REFUSED:
        break;
    }
    return error_set(error, E_INTERNAL, "%s: a key that cannot be set", key->name);
}
