// SPDX-License-Identifier: Apache-2.0
#include "station/app/bench_crypto.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "station/base/log.h"

static void edge_sha256(void *context, struct slice data, uint8_t out[SHA256_SIZE]) {
    (void)context;
    x509_sha256(data, out);
}

// A nonce that can be guessed proves nothing: without the kernel's randomness there is no going on.
static void edge_random(void *context, uint8_t *out, size_t length) {
    (void)context;
    if (getrandom(out, length, 0) != (ssize_t)length) {
        abort();
    }
}

static void edge_read_csr(void *context, struct slice der, struct unit_csr *csr) {
    (void)context;
    struct csr_facts facts;
    if (!x509_check_csr(der, &facts, &csr->error)) {
        return;
    }
    memcpy(csr->spki_sha256, facts.spki_sha256, SHA256_SIZE);
    csr->key_type = facts.key_type;
    text_copy(csr->subject_serial, sizeof csr->subject_serial, facts.subject_serial);
}

static const struct profile *profile_of(const struct config *config, const struct unit *unit) {
    return config_find_profile(config, unit->record.credentials[unit->current].profile);
}

// The model is escaped as it is on record, so that both sides name the same.
static struct profile_subject subject_of(const struct unit *unit, char model[NAME_SIZE]) {
    text_escape(model, NAME_SIZE, unit->info.model, strlen(unit->info.model));
    return (struct profile_subject){
        .serial = unit->record.serial,
        .model = model,
        .hardware_id = unit->info.hardware_id,
        .hardware_id_length = unit->info.hardware_id_length,
    };
}

bool bench_check_names(const struct config *config, const struct unit *unit, struct error *error) {
    const struct profile *profile = profile_of(config, unit);
    char model[NAME_SIZE];
    struct names names;
    if (profile == NULL) {
        return true;
    }
    const struct profile_subject subject = subject_of(unit, model);
    if (names_fill(profile, &subject, &names, error)) {
        return true;
    }
    // The configuration was tried when it was read: it is this camera that does not fit it.
    error->code = error->code == E_CONFIG ? E_CAM_NAMES : error->code;
    return error_prefix(error, "profile %s", profile->name);
}

// Where no subject can be made the camera is asked without one: the CSR's check and the CA's names
// decide, not the camera's taste.
static size_t edge_make_subject(void *context, const struct unit *unit, uint8_t *out,
                                size_t capacity) {
    const struct profile *profile = profile_of(context, unit);
    char model[NAME_SIZE];
    struct error error;
    size_t length = 0;
    if (profile == NULL) {
        return 0;
    }
    const struct profile_subject subject = subject_of(unit, model);
    if (!x509_make_subject(profile, &subject, out, capacity, &length, &error)) {
        log_error(unit->record.serial, &error);
        return 0;
    }
    return length;
}

static struct slice edge_leaf(void *context, struct slice chain) {
    (void)context;
    return x509_first_der(chain);
}

static bool edge_check_proof(void *context, struct slice chain, struct slice nonce,
                             uint8_t algorithm, struct slice signature, struct error *error) {
    (void)context;
    return x509_check_proof(chain, nonce, algorithm, signature, error);
}

const struct port_edge bench_crypto = {
    .sha256 = edge_sha256,
    .random = edge_random,
    .read_csr = edge_read_csr,
    .make_subject = edge_make_subject,
    .leaf = edge_leaf,
    .check_proof = edge_check_proof,
};
