// SPDX-License-Identifier: Apache-2.0
#include "station/app/config_build.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ca-client/endpoint.h"
#include "station/app/config_value.h"

struct building {
    const struct config_source *source;
    struct config *config;
    char folder[sizeof((struct config *)NULL)->file];
    struct error *error;
};

bool config_folder(const char *file, char *folder, size_t capacity) {
    const char *slash = strrchr(file, '/');
    size_t length = slash != NULL ? (size_t)(slash - file) + 1 : 0;
    if (length >= capacity) {
        return false;
    }
    memcpy(folder, file, length);
    folder[length] = '\0';
    return true;
}

static bool set_defaults(const struct building *building, enum config_section section, void *base) {
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section == section && key->initial != NULL && key->initial[0] != '\0' &&
            !config_value_set(key, key->initial, building->folder, base, building->error)) {
            return false;
        }
    }
    return true;
}

static bool set_one(const struct building *building, const struct config_setting *setting,
                    void *base) {
    return config_value_set(setting->key, setting->value, building->folder, base,
                            building->error) ||
           config_source_blame(building->source, setting->place,
                               &building->source->blocks[setting->block], building->error);
}

static bool set_all(const struct building *building, size_t block, void *base) {
    const struct config_source *source = building->source;
    for (size_t i = 0; i < source->setting_count; i++) {
        if (source->settings[i].block == block && !set_one(building, &source->settings[i], base)) {
            return false;
        }
    }
    return true;
}

// A key for another kind of CA is a mistake: somebody thinks that it does something.
static bool check_ca_keys(const struct building *building, size_t block,
                          const struct ca_settings *settings) {
    const struct config_source *source = building->source;
    const struct ca_ops *ops = ca_find(settings->backend);
    for (size_t i = 0; i < source->setting_count; i++) {
        const struct config_setting *setting = &source->settings[i];
        if (setting->block == block && !ca_takes_key(ops, setting->key->name)) {
            char allowed[ERROR_TEXT_MAX];
            config_backend_keys(ops, allowed, sizeof allowed);
            return config_source_fail(source, setting->place, &source->blocks[block],
                                      building->error, "%s: not with backend %s, which takes %s",
                                      setting->key->name, ops->name, allowed);
        }
    }
    return true;
}

static bool check_formerly(const struct building *building, size_t block,
                           const struct ca_settings *settings) {
    const struct config_setting *formerly = config_source_find(building->source, block, "formerly");
    return endpoint_check_formerly(settings) ||
           config_source_fail(building->source, formerly->place, &building->source->blocks[block],
                              building->error,
                              "formerly: \"%s\" is no place of this kind of CA: write it as "
                              "`birthcert show` says it (sent to), \"%s ...\", of at most %d "
                              "characters",
                              settings->formerly, settings->backend, CA_ENDPOINT_SIZE - 1);
}

static bool build_ca(const struct building *building, size_t block) {
    const struct config_block *from = &building->source->blocks[block];
    struct config_ca *ca = &building->config->cas[building->config->ca_count++];
    (void)text_copy(ca->name, sizeof ca->name, from->name); // the same size
    ca->settings.name = ca->name;
    ca->settings.station = building->config->station;
    if (!set_defaults(building, CONFIG_CA, ca) || !set_all(building, block, ca)) {
        return false;
    }
    if (ca->settings.backend == NULL || ca->settings.backend[0] == '\0') {
        char allowed[128];
        config_key_allowed(config_key_find(CONFIG_CA, "backend"), allowed, sizeof allowed);
        return config_source_fail(building->source, from->first, from, building->error,
                                  "has no backend: %s", allowed);
    }
    return check_ca_keys(building, block, &ca->settings) &&
           check_formerly(building, block, &ca->settings);
}

// Where the profile's values come from, unless the section says otherwise.
static bool start_profile(const struct building *building, size_t block, struct profile *profile) {
    const struct config_block *from = &building->source->blocks[block];
    const struct config_setting *based_on = config_source_find(building->source, block, "based_on");
    if (based_on != NULL) {
        return set_one(building, based_on, profile);
    }
    if (profile_built_in(from->name, profile)) {
        return true;
    }
    return config_source_fail(building->source, from->first, from, building->error,
                              "has no based_on: https or idevid");
}

// A profile is checked as a whole, after each of its settings: the setting since which it never was
// good again is the one to correct.
static bool set_profile(const struct building *building, size_t block, struct profile *profile) {
    const struct config_source *source = building->source;
    struct config_place blamed = source->blocks[block].first;
    bool is_good = profile_check(profile, building->error);
    for (size_t i = 0; i < source->setting_count; i++) {
        const struct config_setting *setting = &source->settings[i];
        if (setting->block != block || setting->key->type == CONFIG_BUILT_IN) {
            continue;
        }
        if (!set_one(building, setting, profile)) {
            return false;
        }
        bool was_good = is_good;
        is_good = profile_check(profile, building->error);
        blamed = was_good && !is_good ? setting->place : blamed;
    }
    return is_good || config_source_blame(source, blamed, &source->blocks[block], building->error);
}

static bool build_profile(const struct building *building, size_t block) {
    const struct config_block *from = &building->source->blocks[block];
    struct profile *profile = &building->config->profiles[building->config->profile_count++];
    (void)text_copy(profile->name, sizeof profile->name, from->name); // the same size
    return start_profile(building, block, profile) && set_profile(building, block, profile);
}

static bool build_slot(const struct building *building, size_t block) {
    const struct config_source *source = building->source;
    const struct config_block *from = &source->blocks[block];
    struct config_slot *slot = &building->config->slots[building->config->slot_count++];
    (void)text_copy(slot->name, sizeof slot->name, from->name); // the same size
    if (!set_all(building, block, slot)) {
        return false;
    }
    if (slot->path[0] == '\0') {
        return config_source_fail(source, from->first, from, building->error,
                                  "has no port: usb = 1-2.3, serial = /dev/... or unix = PATH");
    }
    static const char *const serial_only[] = {"speed", "wake_line"};
    for (size_t i = 0; strcmp(slot->transport, "serial") != 0 && i < ARRAY_LENGTH(serial_only);
         i++) {
        const struct config_setting *setting = config_source_find(source, block, serial_only[i]);
        if (setting != NULL) {
            return config_source_fail(source, setting->place, from, building->error,
                                      "%s: only with serial", serial_only[i]);
        }
    }
    return true;
}

static bool build_block(const struct building *building, size_t block) {
    switch (building->source->blocks[block].section) {
    case CONFIG_STATION:
    case CONFIG_STORE:
    case CONFIG_FORWARD:
        return set_all(building, block, building->config);
    case CONFIG_CA:
        return build_ca(building, block);
    case CONFIG_PROFILE:
        return build_profile(building, block);
    case CONFIG_SLOT:
        return build_slot(building, block);
    default:
        return error_set(building->error, E_INTERNAL, "a section that cannot be built");
    }
}

// Fails at the key's setting where there is one, else at the block's header.
static struct config_place place_of(const struct config_source *source, size_t block,
                                    const char *key) {
    const struct config_setting *setting = config_source_find(source, block, key);
    return setting != NULL ? setting->place : source->blocks[block].first;
}

static bool check_profile(const struct building *building, size_t block, size_t index) {
    const struct config_source *source = building->source;
    const struct config_block *from = &source->blocks[block];
    const struct profile *profile = &building->config->profiles[index];
    if (profile->ca[0] == '\0') {
        return config_source_fail(source, place_of(source, block, "ca"), from, building->error,
                                  "has no ca: the NAME of a [ca NAME]");
    }
    if (config_find_ca(building->config, profile->ca) == NULL) {
        return config_source_fail(source, place_of(source, block, "ca"), from, building->error,
                                  "ca: there is no [ca %s]", profile->ca);
    }
    for (size_t i = 0; i < index; i++) {
        const struct profile *other = &building->config->profiles[i];
        if (other->credential == profile->credential) {
            return config_source_fail(source, place_of(source, block, "credential"), from,
                                      building->error,
                                      "credential: %u is already filled by [profile %s]",
                                      profile->credential, other->name);
        }
    }
    return true;
}

static bool check_slot(const struct building *building, size_t block, size_t index) {
    const struct config_source *source = building->source;
    const struct config_slot *slot = &building->config->slots[index];
    for (size_t i = 0; i < index; i++) {
        const struct config_slot *other = &building->config->slots[i];
        if (strcmp(other->path, slot->path) == 0) {
            return config_source_fail(source, place_of(source, block, slot->transport),
                                      &source->blocks[block], building->error,
                                      "%s: the port is already that of [slot %s]", slot->transport,
                                      other->name);
        }
    }
    return true;
}

// Blocks come in the order in which the configuration's arrays were filled.
static bool check_whole(const struct building *building) {
    const struct config_source *source = building->source;
    size_t profile = 0;
    size_t slot = 0;
    for (size_t i = 0; i < source->block_count; i++) {
        enum config_section section = source->blocks[i].section;
        if ((section == CONFIG_PROFILE && !check_profile(building, i, profile++)) ||
            (section == CONFIG_SLOT && !check_slot(building, i, slot++))) {
            return false;
        }
    }
    return profile > 0 ||
           error_set(building->error, E_CONFIG, "%s: there is no [profile NAME]: at least one",
                     building->config->file);
}

static void name_station(struct config *config) {
    if (config->station[0] == '\0' &&
        (gethostname(config->station, sizeof config->station - 1) != 0 ||
         !text_is_label(config->station))) {
        (void)text_copy(config->station, sizeof config->station, "station");
    }
}

bool config_build(const struct config_source *source, const char *file, struct config **out,
                  struct error *error) {
    struct building building = {.source = source, .error = error};
    struct config *config = calloc(1, sizeof *config);
    *out = config;
    if (config == NULL) {
        return error_set(error, E_MEMORY, "no memory for the configuration");
    }
    building.config = config;
    if (!text_copy(config->file, sizeof config->file, file) ||
        !config_folder(file, building.folder, sizeof building.folder)) {
        return error_set(error, E_CONFIG, "the configuration's path is longer than %zu bytes",
                         sizeof config->file - 1);
    }
    if (!set_defaults(&building, CONFIG_STATION, config) ||
        !set_defaults(&building, CONFIG_STORE, config)) {
        return false;
    }
    for (size_t i = 0; i < source->block_count; i++) {
        if (!build_block(&building, i)) {
            return false;
        }
    }
    name_station(config);
    return check_whole(&building);
}
