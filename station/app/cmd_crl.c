// SPDX-License-Identifier: Apache-2.0
// birthcert crl import: what a CA's own list says is revoked is recorded as revoked. For CAs that revoke at
// their own desk, and for what was revoked there without the station.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_crl.h"
#include "station/app/input_file.h"
#include "station/app/options.h"
#include "station/app/trust.h"
#include "station/app/writer.h"
#include "station/base/clock.h"

// CAs need not list at once what they revoke; within a day they do.
#define LISTED_WITHIN_MS INT64_C(86400000)

enum verdict {
    VERDICT_NONE,     // the list says nothing that the record does not
    VERDICT_KNOWN,    // revoked, as recorded
    VERDICT_REVOKED,  // to be recorded
    VERDICT_ON_HOLD,  // neither good nor revoked
    VERDICT_UNLISTED, // recorded as revoked, and not listed
    VERDICT_DOUBT,    // it may not be the CA's word
};

// A certificate of which there is something to say.
struct listed {
    int64_t certificate_id;
    char serial[SERIAL_SIZE]; // the camera's
};

// What is found of one of them.
struct finding {
    int64_t certificate_id;
    struct store_certificate stored; // without slices
    enum verdict verdict;
    struct x509_crl_entry entry;
    struct error doubt; // why the list is not believed on it
};

struct import {
    struct output *output;
    struct store *store;
    struct batch *batch;
    struct x509_trust *trust;
    struct x509_crl *crl;
    struct x509_crl_facts facts;
    struct listed *listed;
    size_t count;
    size_t capacity;
    struct finding finding;
    size_t known;
    size_t recorded;
    size_t were_live; // of those
    size_t on_hold;
    size_t unlisted;
    size_t doubted;
    struct error error; // in a visit
};

// ---- what the list says -------------------------------------------------------------------------

// A list drops what has expired, and only a whole one says something by being silent.
static bool should_be_listed(const struct import *import, const struct store_certificate *stored) {
    int64_t as_of_ms = import->facts.this_update_ms;
    return import->facts.is_whole && stored->state == CERTIFICATE_REVOKED &&
           stored->certificate.not_after_ms > as_of_ms &&
           stored->ended_ms + LISTED_WITHIN_MS < as_of_ms;
}

static enum verdict judge(const struct import *import, const struct store_certificate *stored,
                          struct x509_crl_entry *entry) {
    const struct certificate_record *certificate = &stored->certificate;
    const struct slice serial = {certificate->serial, certificate->serial_length};
    if (strcmp(certificate->issuer, import->facts.issuer) != 0) {
        return VERDICT_NONE;
    }
    *entry = x509_crl_find(import->crl, serial);
    switch (entry->word) {
    case X509_CRL_REVOKED:
        return stored->state == CERTIFICATE_REVOKED ? VERDICT_KNOWN : VERDICT_REVOKED;
    case X509_CRL_ON_HOLD:
        return VERDICT_ON_HOLD;
    default:
        return should_be_listed(import, stored) ? VERDICT_UNLISTED : VERDICT_NONE;
    }
}

static bool keep(struct import *import, const struct store_certificate *stored) {
    if (import->count == import->capacity) {
        size_t capacity = import->capacity > 0 ? 2 * import->capacity : 64;
        void *larger = realloc(import->listed, capacity * sizeof *import->listed);
        if (larger == NULL) {
            return error_set(&import->error, E_MEMORY, "no memory for a list");
        }
        import->listed = larger;
        import->capacity = capacity;
    }
    struct listed *listed = &import->listed[import->count++];
    listed->certificate_id = stored->certificate_id;
    memcpy(listed->serial, stored->serial, sizeof listed->serial);
    return true;
}

static bool visit_any(void *context, const struct store_certificate *stored) {
    struct import *import = context;
    struct x509_crl_entry entry;
    enum verdict verdict = judge(import, stored, &entry);
    import->known += verdict == VERDICT_KNOWN ? 1 : 0;
    return verdict <= VERDICT_KNOWN || keep(import, stored);
}

// A moment when the certificate was valid, the nearest to when it came: what it leads to may have
// expired since.
static int64_t trusted_at_ms(const struct store_certificate *stored) {
    const struct certificate_record *certificate = &stored->certificate;
    int64_t at_ms = stored->recorded_ms;
    at_ms = at_ms < certificate->not_before_ms ? certificate->not_before_ms : at_ms;
    return at_ms > certificate->not_after_ms ? certificate->not_after_ms : at_ms;
}

static bool visit_wanted(void *context, const struct store_certificate *stored) {
    struct import *import = context;
    struct finding *finding = &import->finding;
    if (stored->certificate_id != finding->certificate_id) {
        return true;
    }
    finding->stored = *stored;
    finding->verdict = judge(import, stored, &finding->entry);
    if (!x509_crl_check_signer(import->crl, import->trust, stored->certificate.chain,
                               stored->intermediates, trusted_at_ms(stored), &finding->doubt)) {
        finding->verdict = VERDICT_DOUBT;
    }
    return false;
}

// ---- what is done about it ----------------------------------------------------------------------

static bool put_record(struct import *import, enum record_kind kind, struct error *error) {
    const struct finding *finding = &import->finding;
    char since[CLOCK_TEXT_SIZE] = "an unknown time";
    struct record record = {
        .kind = kind,
        .unit_id = finding->stored.unit_id,
        .credential_id = finding->stored.credential_id,
        .certificate_id = finding->stored.certificate_id,
        .time_ms = clock_wall_ms(),
    };
    memcpy(record.reason, finding->stored.reason, sizeof record.reason);
    if (finding->entry.revoked_ms != 0) {
        clock_format_utc(since, finding->entry.revoked_ms);
    }
    (void)snprintf(record.text, sizeof record.text, "by its CA's revocation list, since %s", since);
    return batch_put(import->batch, &record) || error_set(error, E_INTERNAL, "the batch is full");
}

// The intent and its end, in one transaction. A reason that was given here stands.
static bool record_revoked(struct import *import, struct error *error) {
    struct store_certificate *stored = &import->finding.stored;
    bool is_asked = stored->state == CERTIFICATE_REVOKING;
    if (stored->reason[0] == '\0') {
        (void)text_copy(stored->reason, sizeof stored->reason, import->finding.entry.reason);
    }
    batch_clear(import->batch);
    return (is_asked || put_record(import, RECORD_REVOKING, error)) &&
           put_record(import, RECORD_REVOKED, error) &&
           writer_commit(import->store, import->batch, error);
}

static void show(struct import *import, const char *text, const char *remedy) {
    const struct output_certificate shown = {
        .stored = &import->finding.stored,
        .finding = text,
        .remedy = remedy,
        .error = &import->finding.doubt,
        .price = "",
    };
    import->output->ops->certificate(import->output, &shown);
}

static bool settle_revoked(struct import *import, struct error *error) {
    struct store_certificate *stored = &import->finding.stored;
    bool was_live = stored->state == CERTIFICATE_LIVE;
    if (!record_revoked(import, error)) {
        return false;
    }
    stored->state = CERTIFICATE_REVOKED;
    import->recorded++;
    import->were_live += was_live ? 1 : 0;
    show(import, was_live ? "was in use, and its CA has revoked it" : "revoked",
         was_live ? error_code_remedy(E_UNIT_REVOKED) : "");
    return true;
}

static bool settle(struct import *import, struct error *error) {
    switch (import->finding.verdict) {
    case VERDICT_REVOKED:
        return settle_revoked(import, error);
    case VERDICT_ON_HOLD:
        import->on_hold++;
        show(import, "on hold at its CA, which may take that back: not recorded",
             "ask the CA's administrator; birthcert revoke ends it");
        return true;
    case VERDICT_UNLISTED:
        import->unlisted++;
        show(import, "recorded as revoked, and its CA does not list it",
             "ask the CA's administrator whether it is");
        return true;
    default:
        import->doubted++;
        show(import, "the list is not believed on it",
             error_code_remedy(import->finding.doubt.code));
        return true;
    }
}

// ---- the verb -----------------------------------------------------------------------------------

static bool read_list(struct import *import, const char *path, struct error *error) {
    struct buf *file = NULL;
    bool done = input_file_read(path, X509_CRL_MAX, E_USAGE, E_USAGE, &file, error);
    if (done && !x509_crl_read(buf_slice(file), &import->crl, &import->facts, error)) {
        done = error_prefix(error, "%s", path);
    }
    buf_free(file);
    return done;
}

static bool settle_one(struct import *import, const struct listed *listed, struct error *error) {
    struct store_filter filter = {.all_boards = true};
    memcpy(filter.serial, listed->serial, sizeof filter.serial);
    import->finding = (struct finding){.certificate_id = listed->certificate_id};
    return store_sqlite.select_certificates(import->store, &filter, visit_wanted, import, error) &&
           settle(import, error);
}

static bool settle_all(struct import *import, struct error *error) {
    static const struct store_filter all = {.all_boards = true};
    if (!store_sqlite.select_certificates(import->store, &all, visit_any, import, error)) {
        return false;
    }
    *error = import->error;
    bool done = error->code == ERROR_NONE;
    for (size_t i = 0; done && i < import->count; i++) {
        done = settle_one(import, &import->listed[i], error);
    }
    return done;
}

static bool import_list(struct import *import, const struct config *config, const char *path,
                        struct error *error) {
    import->batch = batch_new(OBJECT_MAX);
    if (import->batch == NULL) {
        return error_set(error, E_MEMORY, "no memory for a list");
    }
    return read_list(import, path, error) && trust_read_all(config, &import->trust, error) &&
           writer_open(config, STORE_WRITE, &import->store, error) && settle_all(import, error);
}

static void note_sum(const struct import *import) {
    char as_of[CLOCK_TEXT_SIZE];
    clock_format_utc(as_of, import->facts.this_update_ms);
    output_note(import->output,
                "the list of \"%s\" of %s names %zu certificate%s; newly recorded as revoked: %zu, "
                "recorded before: %zu",
                import->facts.issuer, as_of, import->facts.count,
                import->facts.count == 1 ? "" : "s", import->recorded, import->known);
}

static int status_of(const struct import *import) {
    if (import->doubted + import->unlisted > 0) {
        return EXIT_INTEGRITY;
    }
    if (import->were_live + import->on_hold > 0) {
        return EXIT_UNIT_FAILED;
    }
    return import->recorded + import->known > 0 ? EXIT_OK : EXIT_NOTHING_TO_DO;
}

int cmd_crl(const struct options *options, struct output *output) {
    struct import import = {.output = output};
    struct config *config = NULL;
    struct error error;
    bool done = config_load(options->config, &config, &error) &&
                import_list(&import, config, options->object, &error);
    if (done) {
        note_sum(&import);
    } else {
        output->ops->error(output, "crl import", &error);
    }
    int status = done ? status_of(&import) : exit_status_of(&error);
    store_sqlite.close(import.store);
    x509_trust_free(import.trust);
    x509_crl_free(import.crl);
    batch_free(import.batch);
    free(import.listed);
    config_free(config);
    return status;
}
