// SPDX-License-Identifier: Apache-2.0
#include "station/app/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "station/app/config_build.h"
#include "station/app/config_source.h"

#define FILE_HERE "birthcert.conf"
#define FILE_OF_SYSTEM "/etc/birthcert/birthcert.conf"

static const char *choose_file(const char *path) {
    const char *from_environment = getenv("BIRTHCERT_CONFIG");
    if (path != NULL) {
        return path;
    }
    if (from_environment != NULL && from_environment[0] != '\0') {
        return from_environment;
    }
    if (access(FILE_HERE, F_OK) == 0) {
        return FILE_HERE;
    }
    return access(FILE_OF_SYSTEM, F_OK) == 0 ? FILE_OF_SYSTEM : NULL;
}

static bool add_drop_ins(struct config_source *source, const char *file, struct error *error) {
    char folder[sizeof((struct config *)NULL)->file];
    char drop_ins[sizeof folder + sizeof "conf.d"];
    if (!config_folder(file, folder, sizeof folder)) {
        return error_set(error, E_CONFIG, "the configuration's path is longer than %zu bytes",
                         sizeof folder - 1);
    }
    snprintf(drop_ins, sizeof drop_ins, "%sconf.d", folder);
    return config_source_add_folder(source, drop_ins, error);
}

bool config_load(const char *path, struct config **config, struct error *error) {
    *config = NULL;
    const char *file = choose_file(path);
    if (file == NULL) {
        return error_set(error, E_CONFIG_MISSING, "neither %s in this folder nor %s", FILE_HERE,
                         FILE_OF_SYSTEM);
    }
    struct config_source *source = config_source_new();
    bool is_loaded = source != NULL ? config_source_add_file(source, file, error) &&
                                          add_drop_ins(source, file, error) &&
                                          config_build(source, file, config, error)
                                    : error_set(error, E_MEMORY, "no memory for the configuration");
    config_source_free(source);
    return is_loaded;
}

static bool is_held(const struct config_key *key) {
    return key->type == CONFIG_HELD_TEXT || key->type == CONFIG_HELD_FILE ||
           key->type == CONFIG_SECRET || key->type == CONFIG_KEY || key->type == CONFIG_BACKEND ||
           key->type == CONFIG_PRICE;
}

void config_free(struct config *config) {
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->ca_count; i++) {
        for (size_t j = 0; j < config_key_count; j++) {
            const struct config_key *key = &config_keys[j];
            if (key->section == CONFIG_CA && is_held(key)) {
                const void *member = (const char *)&config->cas[i] + key->offset;
                free((void *)(uintptr_t) * (const char *const *)member);
            }
        }
    }
    free(config);
}

bool config_require_slots(const struct config *config, struct error *error) {
    return config->slot_count > 0 ||
           error_set(error, E_CONFIG,
                     "%s: there is no [slot NAME]: birthcert ports shows the section for each port",
                     config->file);
}

struct config *config_view(const struct config *config, const char *ca) {
    struct config *view = malloc(sizeof *view);
    bool is_used = config_count_profiles(config, ca) > 0;
    if (view == NULL) {
        return NULL;
    }
    memcpy(view, config, sizeof *view);
    view->profile_count = 0;
    for (size_t i = 0; i < config->profile_count; i++) {
        if (!is_used || strcmp(config->profiles[i].ca, ca) == 0) {
            struct profile *profile = &view->profiles[view->profile_count++];
            *profile = config->profiles[i];
            (void)text_copy(profile->ca, sizeof profile->ca, ca); // the same size
        }
    }
    return view;
}

size_t config_count_profiles(const struct config *config, const char *ca) {
    size_t count = 0;
    for (size_t i = 0; i < config->profile_count; i++) {
        count += strcmp(config->profiles[i].ca, ca) == 0 ? 1 : 0;
    }
    return count;
}
