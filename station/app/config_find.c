// SPDX-License-Identifier: Apache-2.0
// A section by its name.
#include <string.h>

#include "ca-client/endpoint.h"
#include "station/app/config.h"

const struct config_slot *config_find_slot(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->slot_count; i++) {
        if (strcmp(config->slots[i].name, name) == 0) {
            return &config->slots[i];
        }
    }
    return NULL;
}

const struct config_ca *config_find_ca(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->ca_count; i++) {
        if (strcmp(config->cas[i].name, name) == 0) {
            return &config->cas[i];
        }
    }
    return NULL;
}

const struct ca_ops *config_find_backend(const struct config *config, const char *ca) {
    const struct config_ca *section = config_find_ca(config, ca);
    return section != NULL ? ca_find(section->settings.backend) : NULL;
}

bool config_ca_leads_to(const struct config_ca *ca, const char *endpoint) {
    const struct ca_ops *ops = ca != NULL ? ca_find(ca->settings.backend) : NULL;
    return ops != NULL && (ops->judges_endpoint || endpoint_is_of(&ca->settings, endpoint));
}

const struct profile *config_find_profile(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->profile_count; i++) {
        if (strcmp(config->profiles[i].name, name) == 0) {
            return &config->profiles[i];
        }
    }
    return NULL;
}

bool config_rekeys(const struct config *config, const char *ca, uint8_t credential) {
    const struct config_ca *issuing = config_find_ca(config, ca);
    if (issuing == NULL || !issuing->settings.rekeys) {
        return false;
    }
    for (size_t i = 0; i < config->profile_count; i++) {
        const struct profile *profile = &config->profiles[i];
        if (profile->credential == credential && strcmp(profile->ca, ca) == 0) {
            return true;
        }
    }
    return false;
}
