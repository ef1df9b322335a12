// SPDX-License-Identifier: Apache-2.0
// The table of every section and key of the configuration. It drives reading, the messages that say
// what is allowed, and the commented file that `init` writes. For station/app/config*.c only.
#ifndef BIRTHCERT_APP_CONFIG_KEYS_H
#define BIRTHCERT_APP_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_section {
    CONFIG_STATION,
    CONFIG_STORE,
    CONFIG_CA,
    CONFIG_PROFILE,
    CONFIG_SLOT,
    CONFIG_FORWARD,
    CONFIG_SECTION_COUNT
};

enum config_type {
    CONFIG_LABEL,     // char[]: printable ASCII
    CONFIG_TEXT,      // char[]: UTF-8, may be empty
    CONFIG_FILE,      // char[]: a file name
    CONFIG_HELD_TEXT, // const char *, owned: printable ASCII
    CONFIG_HELD_FILE, // const char *, owned: a file name
    CONFIG_SECRET,    // as CONFIG_HELD_FILE, or "credential:NAME" of systemd
    CONFIG_KEY,       // as CONFIG_SECRET, or the pkcs11: URI of a key in a token
    CONFIG_BACKEND,   // const char *, owned: a CA backend's name
    CONFIG_PRICE,     // const char *, owned: as price_is_readable
    CONFIG_SWITCH,    // bool: the two words of `words`
    CONFIG_NUMBER,    // uint32_t
    CONFIG_SMALL,     // uint8_t
    CONFIG_DURATION,  // uint32_t milliseconds
    CONFIG_DAYS,      // uint32_t days; "forever" is 0
    CONFIG_KEY_TYPE,  // uint8_t: enum key_type
    CONFIG_LIST,      // char[PROFILE_LIST_MAX][PROFILE_TEXT_SIZE]: comma-separated
    CONFIG_BUILT_IN,  // the name of a built-in profile, which fills the whole section
    CONFIG_PORT,      // struct config_slot: path, and the transport that the key is named after
    CONFIG_USB_PORT,  // the same, where the path is that of a USB port
    CONFIG_USB_IDS,   // struct config_usb_ids
    CONFIG_REFUSED,   // a secret that must not stand here; `comment` says what to use
};

struct config_key {
    enum config_section section;
    const char *name;
    enum config_type type;
    size_t offset; // in the section's struct: struct config, config_ca, profile or config_slot
    size_t size;   // of a char[]
    uint32_t minimum;
    uint32_t maximum;         // CONFIG_PORT: of the path's length, 0 where its member sets it
    const char *const *words; // CONFIG_SWITCH: the words for false and true
    const char *initial;      // the default, as text, in [profile] that of https; "" for none
    const char *starter;      // what a new configuration sets; NULL: the key is commented out
    const char *comment;      // for the commented file
};

struct config_section_row {
    const char *name;
    bool is_named; // [name NAME], and there may be several
    size_t maximum;
    const char *starter_name; // of the section in a new configuration
    const char *comment;
};

extern const struct config_section_row config_sections[CONFIG_SECTION_COUNT];
extern const struct config_key config_keys[];
extern const size_t config_key_count;

// CONFIG_SECTION_COUNT where there is none of that name.
enum config_section config_section_find(const char *name, size_t length);

// NULL where the section has no such key.
const struct config_key *config_key_find(enum config_section section, const char *name);

// What a key takes, in words: "yes or no", "a number from 1 to 255". Cut at `capacity` - 1.
void config_key_allowed(const struct config_key *key, char *out, size_t capacity);

// The names of the keys of [ca NAME] that a backend takes.
struct ca_ops;
void config_backend_keys(const struct ca_ops *ops, char *out, size_t capacity);

// The names of a section's keys, of all sections: "a, b, c".
void config_key_names(enum config_section section, char *out, size_t capacity);
void config_section_names(char *out, size_t capacity);

#endif
