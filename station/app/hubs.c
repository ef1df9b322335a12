// SPDX-License-Identifier: Apache-2.0
#include "station/app/hubs.h"

#include <stdlib.h>

#define KINDS_MAX 8 // of transports

struct hubs {
    struct loop *loop;
    const struct config *config;
    loop_callback *on_arrival;
    void *context;
    struct transport_hub *hubs[KINDS_MAX]; // by row of transport_table; made at the first port
};

static void ignore_arrival(void *context) {
    (void)context;
}

struct hubs *hubs_new(struct loop *loop, const struct config *config, loop_callback *on_arrival,
                      void *context) {
    struct hubs *hubs = calloc(1, sizeof *hubs);
    if (hubs != NULL) {
        hubs->loop = loop;
        hubs->config = config;
        hubs->on_arrival = on_arrival != NULL ? on_arrival : ignore_arrival;
        hubs->context = context;
    }
    return hubs;
}

void hubs_free(struct hubs *hubs) {
    for (size_t i = 0; hubs != NULL && i < KINDS_MAX && transport_table[i] != NULL; i++) {
        if (hubs->hubs[i] != NULL) {
            transport_table[i]->hub_free(hubs->hubs[i]);
        }
    }
    free(hubs);
}

static bool need_hub(struct hubs *hubs, const struct transport_ops *ops, struct transport_hub **hub,
                     struct error *error) {
    size_t row = 0;
    while (row < KINDS_MAX && transport_table[row] != ops) {
        row++;
    }
    if (ops == NULL || row == KINDS_MAX) {
        return error_set(error, E_INTERNAL, "there is no such transport");
    }
    if (ops->hub_new != NULL && hubs->hubs[row] == NULL &&
        !ops->hub_new(hubs->loop, hubs->on_arrival, hubs->context, &hubs->hubs[row], error)) {
        return false;
    }
    *hub = hubs->hubs[row];
    return true;
}

bool hubs_open_port(struct hubs *hubs, const struct config_slot *slot, enum hubs_manner manner,
                    const struct transport_events *events, void *context,
                    struct transport **transport, struct error *error) {
    const struct transport_ops *ops = transport_find(slot->transport);
    bool wakes = manner == HUBS_WAKE && slot->wake_line[0] != '\0';
    struct transport_settings settings = {
        .path = slot->path,
        .bit_rate = slot->bit_rate,
        .wake_line = wakes ? slot->wake_line : NULL,
        .usb_ids = hubs->config->usb_ids.ids,
        .usb_id_count = hubs->config->usb_ids.count,
    };
    return need_hub(hubs, ops, &settings.hub, error) &&
           ops->open(hubs->loop, &settings, events, context, transport, error);
}
