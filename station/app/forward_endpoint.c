// SPDX-License-Identifier: Apache-2.0
// Which CA a request went to: its bench knows that by what the greeting said then, in words. The
// configuration may have been edited since, and the profile's CA be another one, which knows nothing of it.
#include <assert.h>
#include <string.h>

#include "ca-client/endpoint.h"
#include "station/app/forward_parts.h"

static_assert(CONFIG_PROFILES_MAX <= OUTBOX_BEHIND_MAX, "a greeting that a bench does not take");

size_t forward_list_behind(const struct forward *forward,
                           struct ca_behind behind[CONFIG_PROFILES_MAX]) {
    const struct config *config = forward->config;
    for (size_t i = 0; i < config->profile_count; i++) {
        const struct profile *profile = &config->profiles[i];
        behind[i] = (struct ca_behind){0};
        (void)text_copy(behind[i].profile, sizeof behind[i].profile,
                        profile->name); // the same size
        endpoint_text(&config_find_ca(config, profile->ca)->settings, behind[i].endpoint);
    }
    return config->profile_count;
}

// Where a section leads there now, that is the CA: another one's `formerly` is of the past.
static const struct config_ca *find_section(const struct config *config, const char *endpoint) {
    const struct config_ca *moved = NULL;
    for (size_t i = 0; i < config->ca_count; i++) {
        const struct config_ca *ca = &config->cas[i];
        if (endpoint_leads_to(&ca->settings, endpoint)) {
            return ca;
        }
        moved = moved == NULL && endpoint_is_of(&ca->settings, endpoint) ? ca : moved;
    }
    return moved;
}

static bool fail_changed(const struct config_ca *now, const struct outbox_message *message,
                         struct error *error) {
    char own[CA_ENDPOINT_SIZE];
    endpoint_text(&now->settings, own);
    return error_set(error, E_CA_CHANGED,
                     "it was %s %s, and the forwarder's [ca %s] leads to %s now",
                     message->type == OUTBOX_REVOKE ? "issued at" : "sent to", message->endpoint,
                     now->name, own);
}

struct forward_ca *forward_choose_ca(struct forward *forward, const struct profile *profile,
                                     const struct outbox_message *message, enum ca_outcome *outcome,
                                     struct error *error) {
    const char *endpoint = message->endpoint;
    const struct config_ca *own = config_find_ca(forward->config, profile->ca);
    bool is_new = message->type == OUTBOX_SUBMIT;
    *outcome = CA_NOT_SENT;
    if (endpoint[0] == '\0' || endpoint_leads_to(&own->settings, endpoint)) {
        return forward_find_ca(forward, profile->ca);
    }
    const struct config_ca *other = is_new ? NULL : find_section(forward->config, endpoint);
    if (other == NULL) {
        // What was not sent yet goes to the profile's CA, once the bench has that on record.
        *outcome = message->type == OUTBOX_RECONCILE ? CA_CANNOT_TELL : CA_NOT_SENT;
        fail_changed(own, message, error);
        return NULL;
    }
    struct forward_ca *ca = forward_find_ca(forward, other->name);
    bool is_open = ca != NULL || forward_open_ca(forward, other, error);
    return is_open ? forward_find_ca(forward, other->name) : NULL;
}
