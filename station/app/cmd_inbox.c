// SPDX-License-Identifier: Apache-2.0
// birthcert inbox import: certificates that a person brought from a CA.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/bundle.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/app/carry.h"
#include "station/app/doctor.h"
#include "station/app/input_file.h"
#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/base/array.h"
#include "station/base/clock.h"

// As many as the check of a certificate takes beside it; further ones are named in the configuration.
#define OTHERS_MAX 8

// A key that a certificate is waited for.
struct wanted {
    uint8_t spki_sha256[SHA256_SIZE];
    char serial[SERIAL_SIZE];
    char endpoint[ENDPOINT_SIZE]; // where the request went
    const struct config_ca *ca;   // NULL: it has gone from the configuration
    bool is_brought;
    uint8_t brought_sha256[SHA256_SIZE]; // the certificate, where it is
};

struct inbox {
    const struct options *options;
    struct doctor says;
    struct reader reader;
    struct wanted *wanted;
    size_t count;
    size_t capacity;
    size_t other_count;
    struct buf *others; // certificates of CAs, which go with each, DER
    size_t brought;
    size_t unknown;
    struct error error;
};

// ---- who is waited for --------------------------------------------------------------------------

static const struct config_ca *find_ca(const struct inbox *inbox, const char *profile_name) {
    const struct config *config = inbox->reader.config;
    const struct profile *profile = config_find_profile(config, profile_name);
    return profile != NULL ? config_find_ca(config, profile->ca) : NULL;
}

static bool add_wanted(struct inbox *inbox, const uint8_t spki_sha256[SHA256_SIZE],
                       const char *serial, const char *profile, const char *endpoint) {
    struct wanted *all = array_reserve(inbox->wanted, inbox->count, &inbox->capacity, sizeof *all);
    if (all == NULL) {
        return error_set(&inbox->error, E_MEMORY, "no memory for what is waited for");
    }
    inbox->wanted = all;
    struct wanted *wanted = &all[inbox->count++];
    *wanted = (struct wanted){.ca = find_ca(inbox, profile)};
    memcpy(wanted->spki_sha256, spki_sha256, SHA256_SIZE);
    (void)text_copy(wanted->serial, sizeof wanted->serial, serial); // the same sizes
    (void)text_copy(wanted->endpoint, sizeof wanted->endpoint, endpoint);
    return true;
}

// What never left is not waited for: a certificate for it would be a surprise. What was released after a
// lost answer has left before, and may be found all the same.
static bool visit_request(void *context, const struct request_record *record) {
    bool has_left = record->state != REQUEST_QUEUED || record->attempt > 0;
    return !has_left || add_wanted(context, record->spki_sha256, record->serial, record->profile,
                                   record->endpoint);
}

static bool visit_row(void *context, const struct store_row *row) {
    const struct inbox *inbox = context;
    const struct credential_record *credential = &row->credential;
    const struct ca_ops *ops = config_find_backend(inbox->reader.config, row->ca);
    bool may_be_good = credential->request == REQUEST_QUARANTINED &&
                       !carry_was_rejected(ops, credential->request, credential->error);
    bool is_held = credential->request == REQUEST_HELD || may_be_good;
    return !is_held || add_wanted(context, credential->spki_sha256, row->unit.serial,
                                  credential->profile, row->endpoint);
}

static bool list_wanted(struct inbox *inbox, struct error *error) {
    static const char *const states[] = {"doubt", "quarantined"};
    const struct reader *reader = &inbox->reader;
    bool done = reader->ops->select_requests(reader->store, visit_request, inbox, error);
    for (size_t i = 0; done && i < ARRAY_LENGTH(states); i++) {
        const struct store_filter filter = {.state = states[i]};
        done = reader->ops->select_rows(reader->store, &filter, visit_row, inbox, error);
    }
    if (done && inbox->error.code != ERROR_NONE) {
        *error = inbox->error;
        return false;
    }
    return done;
}

static struct wanted *find_wanted(const struct inbox *inbox,
                                  const uint8_t spki_sha256[SHA256_SIZE]) {
    for (size_t i = 0; i < inbox->count; i++) {
        if (memcmp(inbox->wanted[i].spki_sha256, spki_sha256, SHA256_SIZE) == 0) {
            return &inbox->wanted[i];
        }
    }
    return NULL;
}

// ---- what was brought ---------------------------------------------------------------------------

struct brought {
    struct slice der;
    struct certificate_identity identity;
    struct wanted *wanted; // NULL: nobody waits for it
};

typedef bool visit_brought(struct inbox *inbox, const struct brought *brought, struct error *error);

static bool visit_all(struct inbox *inbox, struct slice all, visit_brought *visit,
                      struct error *error) {
    while (all.length > 0) {
        struct brought brought = {.der = x509_first_der(all)};
        if (!x509_identify(brought.der, &brought.identity, error)) {
            return false;
        }
        brought.wanted = find_wanted(inbox, brought.identity.spki_sha256);
        if (!visit(inbox, &brought, error)) {
            return false;
        }
        all = (struct slice){all.data + brought.der.length, all.length - brought.der.length};
    }
    return true;
}

// The certificates of CAs go with each that is wanted: the check of a whole chain picks what it
// needs.
static bool note_other(struct inbox *inbox, const struct brought *brought, struct error *error) {
    char subject[256];
    if (brought->wanted != NULL) {
        return true;
    }
    if (brought->identity.is_ca && ++inbox->other_count > OTHERS_MAX) {
        return error_set(error, E_CERT_MALFORMED,
                         "more than %d certificates of CAs: leave them out, and name a file with "
                         "them as intermediates_file in the CA's section",
                         OTHERS_MAX);
    }
    if (brought->identity.is_ca) {
        return buf_put(inbox->others, brought->der.data, brought->der.length) ||
               error_set(error, E_MEMORY, "no memory for certificates");
    }
    inbox->unknown++;
    x509_subject_text(brought->der, subject, sizeof subject);
    doctor_warn(&inbox->says, "left out", "", "no request waits for this key: %s", subject);
    return true;
}

static bool put_pem(struct slice all, struct buf *pem, struct error *error) {
    while (all.length > 0) {
        struct slice der = x509_first_der(all);
        if (!x509_der_to_pem(der, "CERTIFICATE", pem, error)) {
            return false;
        }
        all = (struct slice){all.data + der.length, all.length - der.length};
    }
    return true;
}

static bool keep(struct inbox *inbox, const struct brought *brought, struct error *error) {
    struct buf *pem = buf_new(CARRY_CERTIFICATE_MAX);
    bool done =
        pem != NULL && put_pem(brought->der, pem, error) &&
        put_pem(buf_slice(inbox->others), pem, error) &&
        carry_put_in(inbox->reader.config, brought->wanted->spki_sha256, buf_slice(pem), error);
    buf_free(pem);
    return done;
}

static bool fail_chain(const struct wanted *wanted, struct error *error) {
    const char *name = wanted->ca->name;
    if (!config_ca_leads_to(wanted->ca, wanted->endpoint)) {
        return error_set(error, E_CERT_CHAIN,
                         "not taken: nothing leads from it to root_file of CA %s, and the request "
                         "went to %s: put the configuration back first",
                         name, wanted->endpoint);
    }
    return error_set(error, E_CERT_CHAIN,
                     "not taken: nothing leads from it to root_file of CA %s; put the issuing CA's "
                     "certificate into the same file, and import it again",
                     name);
}

// A CA that can be asked gives its chain along, a person perhaps the one certificate that was found:
// better said to that person than to the station, later. At an offline CA the station has nobody else
// to ask, and keeps what comes with the reason why it is no good.
static bool has_chain(const struct inbox *inbox, const struct brought *brought,
                      struct error *error) {
    const struct config_ca *ca = brought->wanted->ca;
    struct slice others = buf_slice(inbox->others);
    if (ca == NULL || ca->settings.root_file == NULL || ca_find(ca->settings.backend)->is_offline) {
        return true;
    }
    struct buf *chain = buf_new(brought->der.length + others.length + 1);
    bool good = chain == NULL || !buf_put(chain, brought->der.data, brought->der.length) ||
                        !buf_put(chain, others.data, others.length)
                    ? error_set(error, E_MEMORY, "no memory for a chain")
                    : x509_check_issuer(ca->settings.root_file, ca->settings.intermediates_file,
                                        buf_slice(chain), clock_wall_ms(), error);
    buf_free(chain);
    return good || error->code == E_MEMORY ? good : fail_chain(brought->wanted, error);
}

// The certificate that was brought for a key by an earlier import. False where there is none that can
// be read: the next one takes its place.
static bool hash_earlier(const struct inbox *inbox, const struct wanted *wanted,
                         uint8_t sha256[SHA256_SIZE]) {
    struct buf *pem = NULL;
    struct buf *der = buf_new(CARRY_CERTIFICATE_MAX);
    struct error ignored;
    bool is_there = der != NULL && carry_is_in(inbox->reader.config, wanted->spki_sha256) &&
                    carry_take_in(inbox->reader.config, wanted->spki_sha256, &pem, &ignored) &&
                    x509_pem_to_der(buf_slice(pem), der, &ignored);
    if (is_there) {
        x509_sha256(x509_first_der(buf_slice(der)), sha256);
    }
    buf_free(pem);
    buf_free(der);
    return is_there;
}

struct recorded {
    uint8_t sha256[SHA256_SIZE];
    bool is_found;
};

static bool visit_recorded(void *context, const struct store_certificate *stored) {
    struct recorded *recorded = context;
    recorded->is_found = memcmp(stored->certificate.sha256, recorded->sha256, SHA256_SIZE) == 0;
    return !recorded->is_found;
}

// Another one that waits for the station is the first. One that the station took, and found no good, is
// on record.
static bool note_earlier(struct inbox *inbox, struct wanted *wanted,
                         const uint8_t sha256[SHA256_SIZE], struct error *error) {
    const struct reader *reader = &inbox->reader;
    struct store_filter filter = {.all_boards = true};
    struct recorded earlier = {.is_found = false};
    if (wanted->is_brought || !hash_earlier(inbox, wanted, earlier.sha256) ||
        memcmp(earlier.sha256, sha256, SHA256_SIZE) == 0) {
        return true;
    }
    memcpy(filter.serial, wanted->serial, sizeof filter.serial);
    if (!reader->ops->select_certificates(reader->store, &filter, visit_recorded, &earlier,
                                          error)) {
        return false;
    }
    wanted->is_brought = !earlier.is_found;
    memcpy(wanted->brought_sha256, earlier.sha256, SHA256_SIZE);
    return true;
}

static void warn_second(struct inbox *inbox, const struct wanted *wanted,
                        const uint8_t sha256[SHA256_SIZE]) {
    char hash[2 * SHA256_SIZE + 1];
    hex_encode(hash, sha256, SHA256_SIZE);
    doctor_warn(&inbox->says, wanted->serial, "",
                "a second certificate for the same key is left out: have the one with SHA-256 %s "
                "revoked",
                hash);
}

// The first for each key. A certificate too many is somebody's to revoke.
static bool keep_wanted(struct inbox *inbox, const struct brought *brought, struct error *error) {
    struct wanted *wanted = brought->wanted;
    uint8_t sha256[SHA256_SIZE];
    if (wanted == NULL) {
        return true;
    }
    x509_sha256(brought->der, sha256);
    if (!note_earlier(inbox, wanted, sha256, error)) {
        return false;
    }
    if (wanted->is_brought) {
        if (memcmp(sha256, wanted->brought_sha256, SHA256_SIZE) != 0) {
            warn_second(inbox, wanted, sha256);
        }
        return true;
    }
    if (!has_chain(inbox, brought, error)) {
        doctor_fault(&inbox->says, wanted->serial, error);
        return true;
    }
    if (!keep(inbox, brought, error)) {
        return false;
    }
    inbox->brought++;
    wanted->is_brought = true;
    memcpy(wanted->brought_sha256, sha256, SHA256_SIZE);
    doctor_ok(&inbox->says, wanted->serial, "its certificate is here");
    return true;
}

// ---- the file -----------------------------------------------------------------------------------

// Whose signature counts: what the first CA with such a setting says.
static const char *signers_of(const struct config *config) {
    for (size_t i = 0; i < config->ca_count; i++) {
        const struct ca_settings *settings = &config->cas[i].settings;
        if (ca_find(settings->backend)->is_offline && settings->server_root_file != NULL &&
            settings->server_root_file[0] != '\0') {
            return settings->server_root_file;
        }
    }
    return NULL;
}

// Certificates need no envelope: each is checked by itself. One that is there has to be good.
static bool open_envelope(const struct inbox *inbox, struct buf **text, struct error *error) {
    const char *signers = signers_of(inbox->reader.config);
    struct buf *content = NULL;
    if (!bundle_is(buf_slice(*text))) {
        return true;
    }
    if (signers == NULL) {
        return error_set(error, E_CA_CONFIG,
                         "the file is signed, and server_root_file of the CA with backend = file "
                         "does not say by whom it may be");
    }
    if (!bundle_open(buf_slice(*text), signers, &content, error)) {
        return false;
    }
    buf_free(*text);
    *text = content;
    return true;
}

static bool take_certificates(struct inbox *inbox, struct buf **text, struct buf *der,
                              struct error *error) {
    return open_envelope(inbox, text, error) && x509_file_to_der(buf_slice(*text), der, error) &&
           list_wanted(inbox, error) && visit_all(inbox, buf_slice(der), note_other, error) &&
           visit_all(inbox, buf_slice(der), keep_wanted, error);
}

static bool import_certificates(struct inbox *inbox, struct error *error) {
    struct buf *text = NULL;
    struct buf *der = buf_new(BUNDLE_MAX);
    const char *path = inbox->options->object;
    inbox->others = buf_new(BUNDLE_MAX);
    bool done = der != NULL && inbox->others != NULL
                    ? input_file_read(path, BUNDLE_MAX, E_USAGE, E_USAGE, &text, error)
                    : error_set(error, E_MEMORY, "no memory for certificates");
    if (done && !take_certificates(inbox, &text, der, error)) {
        // The CA's answers are one thing, a person's file another.
        error->code = error->code == E_CERT_MALFORMED ? E_CERT_FILE : error->code;
        done = error_prefix(error, "%s", path);
    }
    buf_free(text);
    buf_free(der);
    if (!done) {
        return false;
    }
    doctor_ok(&inbox->says, "inbox",
              "%zu certificates for requests that wait, %zu for none; the station installs them, "
              "birthcert reconcile settles what is held",
              inbox->brought, inbox->unknown);
    return true;
}

int cmd_inbox(const struct options *options, struct output *output) {
    struct inbox inbox = {.options = options, .says = {.output = output}};
    struct error error;
    bool done = reader_open(&inbox.reader, options, &error) && import_certificates(&inbox, &error);
    if (!done) {
        output->ops->error(output, "inbox import", &error);
    }
    reader_close(&inbox.reader);
    buf_free(inbox.others);
    free(inbox.wanted);
    if (!done || inbox.says.fault_count > 0) {
        return done ? (int)inbox.says.status : exit_status_of(&error);
    }
    return inbox.brought > 0 ? EXIT_OK : EXIT_NOTHING_TO_DO;
}
