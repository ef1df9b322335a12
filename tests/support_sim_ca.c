// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_sim.h"

// What travels to the CA and back. `life` is the station's: answers for a dead one are lost.
struct ca_message {
    enum request_action action;
    bool repeats; // it goes to a CA that is asked again for what it accepted
    uint64_t life;
    unsigned place; // to which CA it goes
    int64_t credential_id;
    uint8_t spki[SHA256_SIZE];
    char serial[SERIAL_SIZE];
    char handle[HANDLE_SIZE];
    char replaces[HANDLE_SIZE];
    enum request_outcome outcome;
    enum error_code code;
    size_t issued; // index, for CERTIFICATE and to confirm
    bool keeps;    // what is confirmed is on record as good
};

size_t sim_ca_count(const struct sim *sim, const uint8_t spki[SHA256_SIZE]) {
    size_t count = 0;
    for (size_t i = 0; i < sim->issued_count; i++) {
        count += memcmp(sim->issued[i].spki_sha256, spki, SHA256_SIZE) == 0 ? 1 : 0;
    }
    return count;
}

bool sim_was_sent(const struct sim *sim, const uint8_t spki[SHA256_SIZE]) {
    for (size_t i = 0; i < sim->sent_count; i++) {
        if (memcmp(sim->sent[i], spki, SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void answer(struct sim *sim, struct ca_message *message, enum request_outcome outcome,
                   enum error_code code) {
    message->outcome = outcome;
    message->code = code;
    sim_schedule(sim, sim->now_ms + sim_between(sim, 5, 400), SIM_CA_ANSWER, 0, message->life,
                 message, sizeof *message);
}

void sim_ca_ask(struct sim *sim, enum request_action action, const struct request_record *request) {
    struct ca_message message = {
        .action = action,
        .repeats = strcmp(request->profile, "idevid") == 0,
        .life = sim->life,
        .place = sim->place,
        .credential_id = request->credential_id,
    };
    memcpy(message.spki, request->spki_sha256, SHA256_SIZE);
    memcpy(message.serial, request->serial, sizeof message.serial);
    memcpy(message.handle, request->handle, sizeof message.handle);
    memcpy(message.replaces, request->replaces, sizeof message.replaces);
    if (action == REQUEST_ACT_CONFIRM) {
        message.issued = (size_t)load_be64(request->offer.data);
        message.keeps = request->state == REQUEST_UNCONFIRMED;
    }
    if (sim->now_ms < sim->ca_down_until_ms) {
        answer(sim, &message, OUTCOME_NOT_SENT, E_CA_UNREACHABLE);
        return;
    }
    if (!sim_is_kind(sim) && sim_chance(sim, sim->faults.ca_lost_before)) {
        answer(sim, &message, OUTCOME_DOUBT, E_CA_DOUBT);
        if (sim_chance(sim, 50)) {
            return; // it never arrives; else it does, while the station thinks it lost
        }
        message.life = UINT64_MAX;
    }
    sim_schedule(sim, sim->now_ms + sim_between(sim, 5, 900), SIM_CA_ARRIVAL, 0, 0, &message,
                 sizeof message);
}

// A CA's mistake: another camera's name, a key that nobody has, or a usage that nobody asked for.
static void make_chain(struct sim *sim, const struct ca_message *message,
                       struct sim_issued *issued) {
    const char *serial = message->serial;
    uint8_t spki[SHA256_SIZE];
    size_t camera = sim_find_camera(sim, serial);
    memcpy(spki, message->spki, SHA256_SIZE);
    issued->is_bad = !sim_is_kind(sim) && sim_trouble(sim, sim->faults.ca_bad);
    if (issued->is_bad) {
        sim->is_bad[camera] = true;
        uint64_t mistake = sim_trouble_below(sim, 3);
        spki[0] ^= mistake == 0 ? 1 : 0;
        serial = mistake == 1 ? sim->cameras[(camera + 1) % SIM_CAMERAS].serial : serial;
        sim_trace(sim, "CA makes mistake %d for %s", (int)mistake, message->serial);
    }
    issued->chain_length = sim_make_chain(issued->chain, spki, serial, sim->issued_count + 1);
}

// Only what is issued to the same camera can be rekeyed, and is where it can be.
static void judge_rekey(struct sim *sim, const struct ca_message *message) {
    uint64_t number = strtoull(message->replaces, NULL, 16);
    if (message->replaces[0] == '\0') {
        return;
    }
    sim_trace(sim, "CA rekeys number %d for %s", (int)number, message->serial);
    if (number == 0 || number > sim->issued_count || sim->issued[number - 1].is_revoked) {
        sim_fail(sim, "rekey of %s, which is not issued", message->replaces);
        return;
    }
    const struct sim_issued *old = &sim->issued[number - 1];
    if (!sim_chain_names((struct slice){old->chain, old->chain_length}, message->serial)) {
        sim_fail(sim, "rekey of another camera's certificate for %s", message->serial);
    }
}

// I1 and I2 are judged where it costs money.
static size_t issue(struct sim *sim, const struct ca_message *message) {
    if (!sim_was_sent(sim, message->spki)) {
        sim_fail(sim, "I2: the CA got a request for %s without a durable intent", message->serial);
    }
    judge_rekey(sim, message);
    if (sim_ca_count(sim, message->spki) > 0) {
        sim_fail(sim, "I1: a second certificate for %s", message->serial);
    }
    if (sim->issued_count == SIM_ISSUED_MAX) {
        sim_fail(sim, "the CA issued %d certificates", SIM_ISSUED_MAX);
        return 0;
    }
    struct sim_issued *issued = &sim->issued[sim->issued_count];
    issued->at_ms = sim->now_ms;
    issued->place = message->place;
    memcpy(issued->spki_sha256, message->spki, SHA256_SIZE);
    make_chain(sim, message, issued);
    snprintf(issued->handle, sizeof issued->handle, "%zu", sim->issued_count + 1);
    sim_trace(sim, "CA issues number %zu for %s", sim->issued_count + 1, message->serial);
    return sim->issued_count++;
}

// The second CA leaves nothing behind that only it could end: it answers at once, or takes nothing.
static void arrive_submit(struct sim *sim, struct ca_message *message) {
    if (message->place != 0 && sim->faults.ca_confirms) {
        answer(sim, message, OUTCOME_NOT_SENT, E_CA_BUSY);
        return;
    }
    if (!sim_is_kind(sim) && sim_chance(sim, sim->faults.ca_busy)) {
        answer(sim, message, OUTCOME_NOT_SENT, E_CA_BUSY);
        return;
    }
    if (!sim_is_kind(sim) && sim_trouble(sim, sim->faults.ca_refuses)) {
        sim->was_refused[sim_find_camera(sim, message->serial)] = true;
        answer(sim, message, OUTCOME_REFUSED, E_CA_REFUSED);
        return;
    }
    bool later = sim_chance(sim, sim->faults.ca_pending) && message->place == 0;
    if (later && message->repeats && sim_chance(sim, 90)) {
        answer(sim, message, OUTCOME_ACCEPTED, ERROR_NONE);
        return;
    }
    message->issued = issue(sim, message);
    bool lost = !sim_is_kind(sim) && sim_chance(sim, sim->faults.ca_lost_after);
    later = later && !message->repeats;
    memcpy(message->handle, sim->issued[message->issued].handle, sizeof message->handle);
    answer(sim, message,
           lost    ? OUTCOME_DOUBT
           : later ? OUTCOME_ACCEPTED
                   : OUTCOME_CERTIFICATE,
           lost ? E_CA_DOUBT : ERROR_NONE);
}

// Not more often than a station bears before it takes the answer for what the CA means.
static size_t mix_up(struct sim *sim, size_t wanted) {
    const struct sim_issued *issued = &sim->issued[wanted];
    if (sim_is_kind(sim) || sim->issued_count < 2 || sim->faults.ca_confirms || issued->is_bad ||
        issued->mixed_up == 3 || !sim_trouble(sim, sim->faults.ca_mixes_up)) {
        return wanted;
    }
    sim->issued[wanted].mixed_up++;
    return (wanted + 1 + sim_trouble_below(sim, sim->issued_count - 1)) % sim->issued_count;
}

static void arrive_fetch(struct sim *sim, struct ca_message *message) {
    if (message->repeats) {
        arrive_submit(sim, message);
        return;
    }
    for (size_t i = 0; i < sim->issued_count; i++) {
        if (strcmp(sim->issued[i].handle, message->handle) == 0) {
            message->issued = mix_up(sim, i);
            bool pending = sim_chance(sim, sim->faults.ca_pending / 2);
            answer(sim, message, pending ? OUTCOME_ACCEPTED : OUTCOME_CERTIFICATE, ERROR_NONE);
            return;
        }
    }
    sim_fail(sim, "fetch of an unknown handle");
}

static void arrive_reconcile(struct sim *sim, struct ca_message *message) {
    if (!sim_is_kind(sim) && sim_trouble(sim, sim->faults.ca_cannot_tell)) {
        sim->could_not_tell[sim_find_camera(sim, message->serial)] = true;
        answer(sim, message, OUTCOME_CANNOT_TELL, E_UNIT_HELD);
        return;
    }
    for (size_t i = 0; i < sim->issued_count; i++) {
        bool listed = sim->issued[i].at_ms + sim->faults.ca_lag_ms <= sim->now_ms;
        if (listed && memcmp(sim->issued[i].spki_sha256, message->spki, SHA256_SIZE) == 0) {
            message->issued = i;
            answer(sim, message, OUTCOME_CERTIFICATE, ERROR_NONE);
            return;
        }
    }
    if (message->replaces[0] == '\0') {
        answer(sim, message, OUTCOME_NOT_ISSUED, ERROR_NONE);
        return;
    }
    // Nobody knows whether the list has what was rekeyed.
    sim->could_not_tell[sim_find_camera(sim, message->serial)] = true;
    answer(sim, message, OUTCOME_CANNOT_TELL, E_UNIT_HELD);
}

// I5 is judged here: what the CA hears is durable, and true.
static void arrive_confirm(struct sim *sim, struct ca_message *message) {
    struct sim_issued *issued = &sim->issued[message->issued];
    bool again = issued->is_confirmed && sim->faults.ca_forgets;
    bool drops = !sim_is_kind(sim) && sim_trouble(sim, sim->faults.ca_drops);
    if (!issued->is_on_record) {
        sim_fail(sim, "I5: the CA heard of a certificate of %s before it was on record",
                 message->serial);
    }
    if (message->keeps == issued->is_bad) {
        sim_fail(sim, "the CA heard that the certificate of %s is %s", message->serial,
                 message->keeps ? "good" : "bad");
    }
    issued->is_dropped = issued->is_dropped || (drops && !issued->is_confirmed);
    if (issued->is_dropped || again) {
        answer(sim, message, OUTCOME_REFUSED, E_CERT_UNCONFIRMED);
        return;
    }
    issued->is_confirmed = true;
    bool lost = !sim_is_kind(sim) && sim_chance(sim, sim->faults.ca_lost_after);
    answer(sim, message, lost ? OUTCOME_DOUBT : OUTCOME_CONFIRMED, lost ? E_CA_DOUBT : ERROR_NONE);
}

// Of two CAs the one that issued nothing would say so, truly.
static void judge_place(struct sim *sim, const struct ca_message *message) {
    for (size_t i = 0; i < sim->issued_count; i++) {
        const struct sim_issued *issued = &sim->issued[i];
        if (message->place != issued->place &&
            memcmp(issued->spki_sha256, message->spki, SHA256_SIZE) == 0) {
            sim_fail(sim, "I7: CA %u is asked about %s, for which CA %u issued", message->place,
                     message->serial, issued->place);
        }
    }
}

void sim_ca_arrival(struct sim *sim, const struct sim_event *event) {
    struct ca_message message;
    memcpy(&message, event->data, sizeof message);
    judge_place(sim, &message);
    if (message.action == REQUEST_ACT_SUBMIT) {
        arrive_submit(sim, &message);
    } else if (message.action == REQUEST_ACT_FETCH) {
        arrive_fetch(sim, &message);
    } else if (message.action == REQUEST_ACT_CONFIRM) {
        arrive_confirm(sim, &message);
    } else {
        arrive_reconcile(sim, &message);
    }
}

// What a station finds out about a certificate before it keeps it.
static void judge(const struct ca_message *message, const struct sim_issued *issued,
                  struct error *error) {
    struct slice chain = {issued->chain, issued->chain_length};
    if (memcmp(sim_chain_spki(chain), message->spki, SHA256_SIZE) != 0) {
        error_set(error, E_CERT_KEY, "the certificate is for another key");
    } else if (!sim_chain_names(chain, message->serial)) {
        error_set(error, E_CERT_NAMES, "the certificate names another camera");
    } else if (issued->is_bad) {
        error_set(error, E_CERT_USAGE, "the certificate is for another use");
    }
}

void sim_ca_answer(struct sim *sim, const struct sim_event *event) {
    struct ca_message message;
    memcpy(&message, event->data, sizeof message);
    if (sim->pool == NULL || message.life != sim->life) {
        return;
    }
    if (message.code ==
        E_CERT_UNCONFIRMED) { // a no that is lost with the station is asked for again
        sim->is_bad[sim_find_camera(sim, message.serial)] = true;
    }
    bool looks_again = message.outcome == OUTCOME_CANNOT_TELL && message.replaces[0] != '\0';
    struct request_result result = {.outcome = message.outcome,
                                    .handle = message.handle,
                                    .retry_after_ms = looks_again ? 700 : 0};
    uint8_t offer[8];
    if (message.code != ERROR_NONE) {
        error_set(&result.error, message.code, "simulated");
    }
    if (message.outcome == OUTCOME_CERTIFICATE) {
        const struct sim_issued *issued = &sim->issued[message.issued];
        struct certificate_record *certificate = &result.certificate;
        judge(&message, issued, &result.error);
        certificate->chain = (struct slice){issued->chain, issued->chain_length};
        sim_hash(certificate->chain, certificate->sha256);
        memcpy(certificate->spki_sha256, sim_chain_spki(certificate->chain), SHA256_SIZE);
        store_be64(offer, message.issued);
        result.offer = (struct slice){offer, sim->faults.ca_confirms ? sizeof offer : 0};
        certificate->serial_length = 8;
        store_be64(certificate->serial, message.issued + 1);
        snprintf(certificate->issuer, sizeof certificate->issuer, "CN=toy");
        snprintf(certificate->subject, sizeof certificate->subject, "CN=%s", message.serial);
        certificate->not_before_ms = SIM_WALL_MS;
        certificate->not_after_ms = SIM_WALL_MS + 1000;
    }
    struct pool_time now = sim_time(sim);
    pool_post_result(sim->pool, &now, message.credential_id, &result);
}
