// SPDX-License-Identifier: Apache-2.0
// The CAs that a forwarder has opened: those of its profiles, and others that a request went to before.
#include <string.h>

#include "station/app/forward_parts.h"

struct forward_ca *forward_find_ca(struct forward *forward, const char *name) {
    for (size_t i = 0; i < forward->ca_count; i++) {
        if (strcmp(forward->cas[i].config->name, name) == 0) {
            return &forward->cas[i];
        }
    }
    return NULL;
}

bool forward_open_ca(struct forward *forward, const struct config_ca *config, struct error *error) {
    struct forward_ca *ca = &forward->cas[forward->ca_count];
    ca->forward = forward;
    ca->config = config;
    ca->ops = ca_find(config->settings.backend);
    // One that waits would have to hear of what is on record at the bench; one that is asked again for
    // what it accepted may issue each time, which the bench would have to journal; and what persons
    // carry is carried from the bench's own record.
    if (ca->ops == NULL || ca->ops == &ca_outbox || ca->ops->waits || ca->ops->fetch_repeats ||
        ca->ops->is_offline) {
        return error_set(error, E_CONFIG, "[ca %s]: a forwarder cannot use backend %s",
                         config->name, config->settings.backend);
    }
    if (!ca->ops->open(forward->loop, &config->settings, forward->ca_events, ca, &ca->ca, error)) {
        return false;
    }
    forward->ca_count++;
    return true;
}
