// SPDX-License-Identifier: Apache-2.0
// birthcert crl import: what a CA's own list says is revoked is recorded as revoked. For CAs that revoke at
// their own desk, and for what was revoked there without the station.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca-client/x509_crl.h"
#include "station/app/doctor.h"
#include "station/app/input_file.h"
#include "station/app/options.h"
#include "station/app/trust.h"
#include "station/app/writer.h"
#include "station/base/array.h"
#include "station/base/clock.h"

// CAs need not list at once what they revoke; within a day they do.
#define LISTED_WITHIN_MS INT64_C(86400000)
// Clocks differ.
#define FUTURE_MS INT64_C(300000)
// Of chains that came with certificates of one issuer, so many are tried but once.
#define CHAINS_MAX 64

enum verdict {
    VERDICT_NONE,     // the list says nothing that the record does not
    VERDICT_REVOKED,  // to be recorded
    VERDICT_ON_HOLD,  // neither good nor revoked
    VERDICT_HELD,     // recorded as revoked, and only on hold
    VERDICT_UNLISTED, // recorded as revoked, and not listed
    VERDICT_DOUBT,    // listed, and another key issued it than signed the list
};

// A certificate of which there may be something to say.
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
};

struct import {
    struct doctor says;
    struct store *store;
    struct batch *batch;
    struct x509_trust *trusts[CONFIG_CAS_MAX]; // of all sections that name a root
    size_t trust_count;
    struct x509_crl *crl;
    struct x509_crl_facts facts;
    uint8_t chains[CHAINS_MAX][SHA256_SIZE]; // in which the signer was looked for
    size_t chain_count;
    enum x509_crl_signer signer; // how near one came
    struct error doubt;          // where that is not near enough
    size_t of_issuer;            // certificates on record
    struct listed *listed;
    size_t count;
    size_t capacity;
    struct finding finding;
    size_t known;
    size_t recorded;
    size_t unasked; // of those, for which nobody here had asked
    size_t on_hold;
    size_t contradictions;
    struct error error; // in a visit
};

// ---- whose list it is ---------------------------------------------------------------------------

static bool was_tried(struct import *import, struct slice chain) {
    uint8_t sha256[SHA256_SIZE];
    x509_sha256(chain, sha256);
    for (size_t i = 0; i < import->chain_count; i++) {
        if (memcmp(import->chains[i], sha256, SHA256_SIZE) == 0) {
            return true;
        }
    }
    if (import->chain_count < CHAINS_MAX) {
        memcpy(import->chains[import->chain_count++], sha256, SHA256_SIZE);
    }
    return false;
}

// Whoever issued the certificate is in the configuration, or in the chain that came with it. The reason that is
// nearest to it stays.
static void look_for_signer(struct import *import, struct slice chain) {
    if (import->signer == X509_CRL_SIGNED || was_tried(import, chain)) {
        return;
    }
    for (size_t i = 0; import->signer != X509_CRL_SIGNED && i < import->trust_count; i++) {
        struct error why;
        enum x509_crl_signer found =
            x509_crl_find_signer(import->crl, import->trusts[i], chain, &why);
        bool is_nearer = found > import->signer || import->doubt.code == ERROR_NONE;
        if (found != X509_CRL_SIGNED && is_nearer) {
            import->doubt = why;
        }
        import->signer = found > import->signer ? found : import->signer;
    }
}

// ---- what the list says -------------------------------------------------------------------------

static bool is_from_future(const struct import *import) {
    return import->facts.this_update_ms > clock_wall_ms() + FUTURE_MS;
}

// Whether the list was made when the CA had to know of a revocation that is on record.
static bool must_know(const struct import *import, const struct store_certificate *stored) {
    return stored->state == CERTIFICATE_REVOKED && !is_from_future(import) &&
           stored->ended_ms + LISTED_WITHIN_MS < import->facts.this_update_ms;
}

// A list drops what has expired, and only a whole one says something by being silent.
static bool should_be_listed(const struct import *import, const struct store_certificate *stored) {
    return import->facts.is_whole && must_know(import, stored) &&
           stored->certificate.not_after_ms > import->facts.this_update_ms;
}

static bool keep(struct import *import, const struct store_certificate *stored) {
    struct listed *all =
        array_reserve(import->listed, import->count, &import->capacity, sizeof *all);
    if (all == NULL) {
        return error_set(&import->error, E_MEMORY, "no memory for a list");
    }
    import->listed = all;
    struct listed *listed = &all[import->count++];
    listed->certificate_id = stored->certificate_id;
    memcpy(listed->serial, stored->serial, sizeof listed->serial);
    return true;
}

// Names are compared for good where the certificate itself is looked at. One whose serial number could not be
// read is looked at in any case.
static bool visit_any(void *context, const struct store_certificate *stored) {
    struct import *import = context;
    const struct certificate_record *certificate = &stored->certificate;
    const struct slice serial = {certificate->serial, certificate->serial_length};
    if (strcasecmp(certificate->issuer, import->facts.issuer) != 0) {
        return true;
    }
    import->of_issuer++;
    look_for_signer(import, (struct slice){NULL, 0});
    look_for_signer(import, stored->intermediates);
    enum x509_crl_word word = x509_crl_find(import->crl, serial).word;
    bool is_known = word == X509_CRL_REVOKED && stored->state == CERTIFICATE_REVOKED;
    import->known += is_known ? 1 : 0;
    bool says_something =
        serial.length == 0 || word != X509_CRL_SILENT || should_be_listed(import, stored);
    return is_known || !says_something || keep(import, stored);
}

static enum verdict judge(const struct import *import, const struct store_certificate *stored,
                          struct x509_crl_entry *entry) {
    bool is_revoked = stored->state == CERTIFICATE_REVOKED;
    enum x509_crl_scope scope = x509_crl_judge(import->crl, stored->certificate.chain, entry);
    if (scope == X509_CRL_OF_ANOTHER) {
        return VERDICT_NONE;
    }
    if (scope == X509_CRL_OF_NAMESAKE) {
        return entry->word == X509_CRL_SILENT || is_revoked ? VERDICT_NONE : VERDICT_DOUBT;
    }
    switch (entry->word) {
    case X509_CRL_REVOKED:
        return is_revoked ? VERDICT_NONE : VERDICT_REVOKED;
    case X509_CRL_ON_HOLD:
        return !is_revoked                 ? VERDICT_ON_HOLD
               : must_know(import, stored) ? VERDICT_HELD
                                           : VERDICT_NONE;
    default:
        return should_be_listed(import, stored) ? VERDICT_UNLISTED : VERDICT_NONE;
    }
}

static bool visit_wanted(void *context, const struct store_certificate *stored) {
    struct import *import = context;
    struct finding *finding = &import->finding;
    if (stored->certificate_id != finding->certificate_id) {
        return true;
    }
    finding->stored = *stored;
    finding->verdict = judge(import, stored, &finding->entry);
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

static void show(const struct import *import, const char *text, const char *remedy) {
    const struct output_certificate shown = {
        .stored = &import->finding.stored, .finding = text, .remedy = remedy, .price = ""};
    import->says.output->ops->certificate(import->says.output, &shown);
}

// Where nobody asked for it the camera fails from now on.
static bool settle_revoked(struct import *import, struct error *error) {
    struct store_certificate *stored = &import->finding.stored;
    enum certificate_state before = stored->state;
    bool is_unasked = before == CERTIFICATE_LIVE || before == CERTIFICATE_QUARANTINED;
    if (!record_revoked(import, error)) {
        return false;
    }
    stored->state = CERTIFICATE_REVOKED;
    import->recorded++;
    import->unasked += is_unasked ? 1 : 0;
    show(import,
         before == CERTIFICATE_LIVE          ? "was in use, and its CA has revoked it"
         : before == CERTIFICATE_QUARANTINED ? "was in quarantine, and its CA has revoked it"
                                             : "revoked",
         is_unasked ? error_code_remedy(E_UNIT_REVOKED) : "");
    return true;
}

static bool settle(struct import *import, struct error *error) {
    static const char ask[] = "ask the CA's administrator what is true";
    switch (import->finding.verdict) {
    case VERDICT_REVOKED:
        return settle_revoked(import, error);
    case VERDICT_ON_HOLD:
        import->on_hold++;
        show(import, "on hold at its CA, which may take that back: not recorded",
             "ask the CA's administrator whether it stays");
        return true;
    case VERDICT_HELD:
        import->contradictions++;
        show(import, "recorded as revoked, and only on hold at its CA", ask);
        return true;
    case VERDICT_UNLISTED:
        import->contradictions++;
        show(import, "recorded as revoked, and its CA does not list it", ask);
        return true;
    case VERDICT_DOUBT:
        import->contradictions++;
        show(import,
             "its serial number is listed, but another key issued it than signed the list: not "
             "recorded",
             "ask the CA's administrator whether it is; birthcert revoke takes it out of use here");
        return true;
    default:
        return true;
    }
}

// ---- the verb -----------------------------------------------------------------------------------

static bool read_list(struct import *import, const char *path, struct error *error) {
    struct buf *file = NULL;
    bool done = input_file_read(path, X509_CRL_MAX, E_USAGE, E_CRL_FILE, &file, error);
    if (done && !x509_crl_read(buf_slice(file), &import->crl, &import->facts, error)) {
        done = error_prefix(error, "%s", path);
    }
    buf_free(file);
    return done;
}

// A section that is no good is no reason to do without another CA's list.
static bool read_trusts(struct import *import, const struct config *config, struct error *error) {
    for (size_t i = 0; i < config->ca_count; i++) {
        const struct ca_settings *settings = &config->cas[i].settings;
        struct error why;
        if (!trust_has_root(settings)) {
            continue;
        }
        if (trust_read(settings, &import->trusts[import->trust_count], &why)) {
            import->trust_count++;
        } else {
            doctor_warn_error(&import->says, "crl", &why);
        }
    }
    return import->trust_count > 0 ||
           error_set(error, E_CA_CONFIG, "no [ca] section in %s has a root_file that can be read",
                     config->file);
}

static bool find_listed(struct import *import, struct error *error) {
    static const struct store_filter all = {.all_boards = true};
    if (!store_sqlite.select_certificates(import->store, &all, visit_any, import, error)) {
        return false;
    }
    if (import->error.code != ERROR_NONE) {
        *error = import->error;
        return false;
    }
    if (import->of_issuer > 0 && import->signer != X509_CRL_SIGNED) {
        *error = import->doubt;
        error->code = error->code == E_MEMORY ? E_MEMORY : E_CRL_SIGNER;
        return error_prefix(error, "the list of \"%.120s\"", import->facts.issuer);
    }
    return true;
}

static bool settle_one(struct import *import, const struct listed *listed, struct error *error) {
    struct store_filter filter = {.all_boards = true};
    memcpy(filter.serial, listed->serial, sizeof filter.serial);
    import->finding = (struct finding){.certificate_id = listed->certificate_id};
    return store_sqlite.select_certificates(import->store, &filter, visit_wanted, import, error) &&
           settle(import, error);
}

static bool import_list(struct import *import, const struct config *config, const char *path,
                        struct error *error) {
    import->batch = batch_new(OBJECT_MAX);
    if (import->batch == NULL) {
        return error_set(error, E_MEMORY, "no memory for a list");
    }
    bool done = read_list(import, path, error) && read_trusts(import, config, error) &&
                writer_open(config, STORE_WRITE, &import->store, error) &&
                find_listed(import, error);
    for (size_t i = 0; done && i < import->count; i++) {
        done = settle_one(import, &import->listed[i], error);
    }
    return done;
}

static void say_sum(struct import *import) {
    const struct x509_crl_facts *facts = &import->facts;
    char as_of[CLOCK_TEXT_SIZE];
    char next[CLOCK_TEXT_SIZE];
    clock_format_utc(as_of, facts->this_update_ms);
    clock_format_utc(next, facts->next_update_ms);
    if (facts->next_update_ms != 0 && facts->next_update_ms < clock_wall_ms()) {
        doctor_warn(&import->says, "crl", "get the newest one",
                    "the list is out of date: since %s there is a newer one", next);
    }
    if (is_from_future(import)) {
        doctor_warn(&import->says, "crl", "set the clock here, or tell the CA's administrator",
                    "the list is of %s, which is to come", as_of);
    }
    if (import->of_issuer == 0) {
        doctor_warn(&import->says, "crl", "is it the list of the CA that issued?",
                    "no certificate of \"%s\" is on record", facts->issuer);
        return;
    }
    doctor_ok(&import->says, "crl",
              "the list of \"%s\" of %s names %zu certificate%s; newly recorded as revoked: %zu, "
              "recorded before: %zu",
              facts->issuer, as_of, facts->count, facts->count == 1 ? "" : "s", import->recorded,
              import->known);
}

static int status_of(const struct import *import) {
    if (import->contradictions > 0) {
        return EXIT_INTEGRITY;
    }
    if (import->unasked + import->on_hold > 0) {
        return EXIT_UNIT_FAILED;
    }
    return import->recorded + import->known > 0 ? EXIT_OK : EXIT_NOTHING_TO_DO;
}

int cmd_crl(const struct options *options, struct output *output) {
    struct import import = {.says = {.output = output}};
    struct config *config = NULL;
    struct error error;
    bool done = config_load(options->config, &config, &error) &&
                import_list(&import, config, options->object, &error);
    if (done) {
        say_sum(&import);
    } else {
        output->ops->error(output, "crl import", &error);
    }
    int status = done ? status_of(&import) : exit_status_of(&error);
    store_sqlite.close(import.store);
    for (size_t i = 0; i < import.trust_count; i++) {
        x509_trust_free(import.trusts[i]);
    }
    x509_crl_free(import.crl);
    batch_free(import.batch);
    free(import.listed);
    config_free(config);
    return status;
}
