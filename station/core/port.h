// SPDX-License-Identifier: Apache-2.0
// A port: what joins a unit's flow to the bench protocol in one slot. It turns the unit's actions
// into orders for the session, and the session's results into the unit's events. Pure: cryptography
// and randomness come through its edge.
#ifndef BIRTHCERT_CORE_PORT_H
#define BIRTHCERT_CORE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/session.h"
#include "station/core/unit.h"

struct port_edge {
    void (*sha256)(void *context, struct slice data, uint8_t out[SHA256_SIZE]);
    void (*random)(void *context, uint8_t *out, size_t length);
    // Parses a CSR and checks its signature; facts and error go into `csr`.
    void (*read_csr)(void *context, struct slice der, struct unit_csr *csr);
    // The DER Name that the camera is to put into its CSR; returns its length, 0 for none.
    size_t (*make_subject)(void *context, const struct unit *unit, uint8_t *out, size_t capacity);
    // The first DER element of a chain.
    struct slice (*leaf)(void *context, struct slice chain);
    bool (*check_proof)(void *context, struct slice chain, struct slice nonce, uint8_t algorithm,
                        struct slice signature, struct error *error);
};

// How long PROBE_LATER waits: time for a watch in another slot to notice that its camera left.
#define PORT_LATER_MS 2000

// A camera that failed blinks as long as it is left in: the operator sees which one needs a hand.
#define PORT_BLINK_S 5

struct port {
    const struct port_edge *edge;
    void *context;
    struct session session;
    uint8_t nonce[MESSAGE_NONCE_SIZE];
};

// `edge` must outlive the port.
void port_init(struct port *port, const struct session_settings *settings,
               const struct port_edge *edge, void *context);

// Starts what the unit asks for. Slices of the unit are used until the order ends: the unit must
// stay where it is.
void port_act(struct port *port, int64_t monotonic_ms, const struct unit *unit,
              enum unit_action action, struct session_output *output);

// What the session's result means to the unit. False: nothing yet. `csr` holds what the event may
// point at; event and result are valid until the next call on the session.
bool port_translate(struct port *port, const struct unit *unit, const struct session_result *result,
                    struct unit_csr *csr, struct unit_event *event);

#endif
