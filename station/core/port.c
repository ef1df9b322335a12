// SPDX-License-Identifier: Apache-2.0
#include "station/core/port.h"

#include <string.h>

void port_init(struct port *port, const struct session_settings *settings,
               const struct port_edge *edge, void *context) {
    port->edge = edge;
    port->context = context;
    session_init(&port->session, settings);
}

static void fill_install(const struct port *port, const struct unit *unit,
                         struct session_order *order) {
    order->kind = SESSION_INSTALL;
    order->chain = (struct slice){unit->chain, unit->chain_length};
    port->edge->sha256(port->context, order->chain, order->sha256);
}

static void fill_generate(const struct port *port, const struct unit *unit, uint8_t *subject,
                          struct session_order *order) {
    const struct credential_record *credential = &unit->record.credentials[unit->current];
    order->kind = SESSION_GENERATE;
    order->key_type = credential->key_type;
    order->replace = unit->replace_key;
    memcpy(order->job_id, credential->job_id, sizeof order->job_id);
    order->subject.data = subject;
    order->subject.length =
        port->edge->make_subject(port->context, unit, subject, SESSION_SUBJECT_MAX);
}

static void fill_prove(struct port *port, struct session_order *order) {
    order->kind = SESSION_PROVE;
    port->edge->random(port->context, port->nonce, sizeof port->nonce);
    memcpy(order->nonce, port->nonce, sizeof order->nonce);
}

void port_act(struct port *port, int64_t monotonic_ms, const struct unit *unit,
              enum unit_action action, struct session_output *output) {
    uint8_t subject[SESSION_SUBJECT_MAX];
    struct session_order order = {.credential = unit->record.credentials[unit->current].number};
    switch (action) {
    case UNIT_ACT_NONE:
        memset(output, 0, sizeof *output);
        return;
    case UNIT_ACT_PROBE:
        session_forget(&port->session);
        order.kind = SESSION_PROBE;
        break;
    case UNIT_ACT_PROBE_LATER:
        session_forget(&port->session);
        order.kind = SESSION_PROBE;
        order.pause_ms = PORT_LATER_MS;
        break;
    case UNIT_ACT_WATCH:
        order.kind = SESSION_WATCH;
        order.blink_s = unit->state == UNIT_DONE && unit->verdict == UNIT_FAIL ? PORT_BLINK_S : 0;
        break;
    case UNIT_ACT_GENERATE:
        fill_generate(port, unit, subject, &order);
        break;
    case UNIT_ACT_FETCH_CSR:
        order.kind = SESSION_FETCH;
        order.object = OBJECT_CSR;
        break;
    case UNIT_ACT_CONFIRM:
        order.kind = SESSION_IDENTIFY;
        break;
    case UNIT_ACT_INSTALL:
        fill_install(port, unit, &order);
        break;
    case UNIT_ACT_READ_BACK:
        order.kind = SESSION_FETCH;
        order.object = OBJECT_CHAIN;
        break;
    case UNIT_ACT_PROVE:
        fill_prove(port, &order);
        break;
    case UNIT_ACT_FINISH:
        order.kind = SESSION_FINISH;
        order.lock = unit->policy->lock;
        break;
    }
    session_start(&port->session, monotonic_ms, &order, output);
}

// I4: the proof must be about the certificate that was installed, and by its key.
static void judge_proof(const struct port *port, const struct unit *unit,
                        const struct session_result *result, struct unit_event *event) {
    uint8_t leaf_sha256[SHA256_SIZE];
    struct slice chain = {unit->chain, unit->chain_length};
    struct slice nonce = {port->nonce, sizeof port->nonce};
    event->kind = UNIT_ON_PROOF;
    port->edge->sha256(port->context, port->edge->leaf(port->context, chain), leaf_sha256);
    if (memcmp(result->certificate_sha256, leaf_sha256, SHA256_SIZE) != 0) {
        error_set(&event->error, E_CAM_PROOF, "the camera proved another certificate");
    } else if (!port->edge->check_proof(port->context, chain, nonce, result->signature_algorithm,
                                        result->signature, &event->error)) {
        error_prefix(&event->error, "credential %u",
                     unit->record.credentials[unit->current].number);
    }
}

static void translate_done(struct port *port, const struct unit *unit,
                           const struct session_result *result, struct unit_csr *csr,
                           struct unit_event *event) {
    switch (result->order) {
    case SESSION_PROBE:
    case SESSION_IDENTIFY:
        event->kind = UNIT_ON_IDENTIFIED;
        event->info = &result->info;
        break;
    case SESSION_GENERATE:
        event->kind = UNIT_ON_KEY;
        memcpy(event->spki_sha256, result->spki_sha256, SHA256_SIZE);
        break;
    case SESSION_FETCH:
        if (unit->state == UNIT_FETCHING_CSR) {
            memset(csr, 0, sizeof *csr);
            csr->der = result->object;
            port->edge->read_csr(port->context, result->object, csr);
            event->kind = UNIT_ON_CSR;
            event->csr = csr;
        } else {
            event->kind = UNIT_ON_READ_BACK;
            event->bytes = result->object;
        }
        break;
    case SESSION_INSTALL:
        event->kind = UNIT_ON_INSTALLED;
        break;
    case SESSION_PROVE:
        judge_proof(port, unit, result, event);
        break;
    case SESSION_FINISH:
        event->kind = UNIT_ON_FINISHED;
        event->lifecycle = result->lifecycle;
        break;
    default:
        event->kind = UNIT_EVENT_COUNT;
        break;
    }
}

// A watch that ends in silence says that the camera left; anything else that ends in silence
// failed.
static void translate_timeout(const struct unit *unit, const struct session_result *result,
                              struct unit_event *event) {
    if (result->order == SESSION_WATCH) {
        event->kind = UNIT_ON_GONE;
        error_set(&event->error, E_PORT_HANGUP, "%s stopped answering", unit->info.serial);
    } else {
        event->kind = UNIT_ON_FAILED;
        error_set(&event->error, E_CAM_TIMEOUT, "%s: no answer, also after a reset",
                  unit_state_name(unit->state));
    }
}

bool port_translate(struct port *port, const struct unit *unit, const struct session_result *result,
                    struct unit_csr *csr, struct unit_event *event) {
    memset(event, 0, sizeof *event);
    switch (result->outcome) {
    case SESSION_RUNNING:
        return false;
    case SESSION_DONE:
        translate_done(port, unit, result, csr, event);
        break;
    case SESSION_REFUSED:
        event->kind = UNIT_ON_REFUSED;
        error_set(&event->error, E_CAM_REFUSED, "%s", result->text);
        event->camera_error = result->camera_error;
        break;
    case SESSION_TIMEOUT:
        translate_timeout(unit, result, event);
        break;
    case SESSION_BROKEN:
        event->kind = UNIT_ON_FAILED;
        error_set(&event->error, E_CAM_MALFORMED, "%s: the answer breaks the protocol",
                  unit_state_name(unit->state));
        break;
    case SESSION_SWAPPED:
        event->kind = UNIT_ON_FAILED;
        error_set(&event->error, E_CAM_SWAPPED, "%s is in the slot now, where %s was",
                  result->info.serial, unit->info.serial);
        break;
    }
    return event->kind != UNIT_EVENT_COUNT;
}
