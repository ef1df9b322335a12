// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <sqlite3.h>
#include <string.h>

#include "db/store_sqlite.h"
#include "station/base/bytes.h"

// The length of the leaf at the front of a chain: of one DER SEQUENCE (X.690, section 8.1), or of
// all of it where it does not begin with one.
static size_t leaf_length(struct slice chain) {
    if (chain.length < 2 || chain.data[0] != 0x30) {
        return chain.length;
    }
    size_t header = 2;
    size_t content = chain.data[1];
    if (content >= 0x80) {
        size_t digits = content & 0x7f;
        if (digits == 0 || digits > 3 || chain.length < 2 + digits) {
            return chain.length;
        }
        content = 0;
        for (size_t i = 0; i < digits; i++) {
            content = content << 8 | chain.data[2 + i];
        }
        header += digits;
    }
    return content <= chain.length - header ? header + content : chain.length;
}

// The id of a row that is shared by many, made where there is none yet.
static bool shared_row(struct store *store, enum statement find, enum statement insert,
                       struct slice value, bool is_text, int64_t *id, struct error *error) {
    for (int pass = 0; pass < 2; pass++) {
        struct query query = query_begin(store, pass == 0 ? find : insert);
        if (is_text) {
            query_bind_text(&query, (const char *)value.data);
        } else {
            query_bind_blob(&query, value.data, value.length);
        }
        bool found;
        if (!query_row(&query, &found, error)) {
            return false;
        }
        if (found) {
            *id = query_integer(&query, 0);
            query_end(&query);
            return true;
        }
    }
    *id = sqlite3_last_insert_rowid(store->connection);
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

// NULL where there is nothing: it is then like no other.
static void bind_bytes(struct query *query, const uint8_t *bytes, size_t length) {
    if (length == 0) {
        query_bind_null(query);
    } else {
        query_bind_blob(query, bytes, length);
    }
}

static void bind_hash(struct query *query, const uint8_t sha256[SHA256_SIZE]) {
    bind_bytes(query, sha256, is_zero(sha256, SHA256_SIZE) ? 0 : SHA256_SIZE);
}

// What the store knows of the certificate: by its hash or, where that could not be made of one of
// the two, by the issuer and serial number that the same credential's has.
struct known {
    bool found;
    bool serial_is_taken; // by a certificate that is another one
    // It is in quarantine with a camera that got it by mistake, since it has the key of this one.
    bool is_stray;
    int64_t certificate_id;
    int64_t credential_id;
    enum certificate_state state;
    char serial[SERIAL_SIZE];
};

static void known_read(const struct query *query, struct known *known) {
    known->certificate_id = query_integer(query, 0);
    known->credential_id = query_integer(query, 1);
    known->state = (enum certificate_state)query_integer(query, 2);
    query_text(query, 3, known->serial, sizeof known->serial);
}

static bool find_by_serial(struct change *change, struct known *known, struct error *error) {
    const struct certificate_record *certificate = &change->record->certificate;
    struct query query = query_begin(change->store, SQL_CERTIFICATE_BY_SERIAL);
    query_bind_text(&query, certificate->issuer);
    bind_bytes(&query, certificate->serial, certificate->serial_length);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (found) {
        known_read(&query, known);
        bool has_no_hash =
            query_integer(&query, 4) != 0 || is_zero(certificate->sha256, SHA256_SIZE);
        query_end(&query);
        known->found = has_no_hash && known->credential_id == change->credential.credential_id;
        known->serial_is_taken = !known->found;
    }
    return true;
}

static bool find_same(struct change *change, struct known *known, struct error *error) {
    *known = (struct known){0};
    struct query query = query_begin(change->store, SQL_CERTIFICATE_BY_SHA256);
    bind_hash(&query, change->record->certificate.sha256);
    if (!query_row(&query, &known->found, error)) {
        return false;
    }
    if (known->found) {
        const struct credential_record *credential = &change->credential;
        known_read(&query, known);
        known->is_stray = query_integer(&query, 4) != 0 && credential->has_key &&
                          memcmp(change->record->certificate.spki_sha256, credential->spki_sha256,
                                 SHA256_SIZE) == 0;
        query_end(&query);
        return true;
    }
    // A serial number that is too long is refused later, and must not be read here.
    return change->record->certificate.serial_length > CERTIFICATE_SERIAL_MAX ||
           find_by_serial(change, known, error);
}

static bool certificate_is_sound(const struct record *record) {
    const struct certificate_record *certificate = &record->certificate;
    if (certificate->chain.length > OBJECT_MAX || record->bytes.length > OBJECT_MAX ||
        certificate->serial_length > CERTIFICATE_SERIAL_MAX) {
        return false;
    }
    // Of one that is quarantined, there may be no more than the bytes.
    return record->error != ERROR_NONE ||
           (certificate->chain.length > 0 && certificate->serial_length > 0 &&
            !is_zero(certificate->sha256, SHA256_SIZE));
}

// Says why the certificate may not become live (I1, I2, I3); nothing where it may. It is kept all
// the same, in quarantine: the CA made it, so somebody may have to revoke it.
static void check_may_live(struct change *change) {
    const struct credential_record *credential = &change->credential;
    // What is in quarantine may be looked at once more, and be found good.
    bool is_due = (credential->request >= REQUEST_QUEUED && credential->request <= REQUEST_HELD) ||
                  credential->request == REQUEST_QUARANTINED;
    if (credential->request == REQUEST_ISSUED || credential->request == REQUEST_UNCONFIRMED) {
        change_refuse(change, E_STORE_CONFLICT,
                      "%s, credential %d, has another live certificate; this one is quarantined",
                      change->serial, credential->number);
    } else if (!is_due || change->attempt == 0) {
        change_refuse(change, E_STORE_CONFLICT,
                      "%s, credential %d: no certificate was due; it is quarantined",
                      change->serial, credential->number);
    } else if (memcmp(credential->spki_sha256, change->record->certificate.spki_sha256,
                      SHA256_SIZE) != 0) {
        change_refuse(
            change, E_STORE_CONFLICT,
            "%s, credential %d: the certificate is not for the key on record; it is quarantined",
            change->serial, credential->number);
    }
}

// What cannot be kept at all, before anything is written.
static void certificate_judge(struct change *change, const struct known *known) {
    const struct certificate_record *certificate = &change->record->certificate;
    if (!certificate_is_sound(change->record)) {
        change_refuse(change, E_STORE_CONFLICT, "%s: the certificate's facts are not whole",
                      change->serial);
    } else if (known->serial_is_taken) {
        char hex[2 * CERTIFICATE_SERIAL_MAX + 1];
        hex_encode(hex, certificate->serial, certificate->serial_length);
        change_refuse(change, E_CERT_DUPLICATE,
                      "%s: the CA gave the serial number %s before, to %s", change->serial, hex,
                      known->serial);
    } else if (known->found && known->credential_id != change->credential.credential_id &&
               !known->is_stray) {
        change_refuse(change, E_CERT_DUPLICATE, "%s: the CA gave this certificate to %s",
                      change->serial, known->serial);
    } else if (known->found && known->state >= CERTIFICATE_REVOKING) {
        change_refuse(change, E_STORE_CONFLICT,
                      "%s, credential %d: this certificate was revoked or withdrawn",
                      change->serial, change->credential.number);
    } else if (known->found && known->state == CERTIFICATE_LIVE) {
        change_refuse(change, E_STORE_CONFLICT,
                      "%s, credential %d: a live certificate cannot be quarantined", change->serial,
                      change->credential.number);
    }
}

static bool certificate_write(struct change *change, enum error_code reason,
                              const struct known *known, struct error *error) {
    const struct record *record = change->record;
    const struct certificate_record *certificate = &record->certificate;
    size_t length = leaf_length(certificate->chain);
    struct slice issuer = {(const uint8_t *)certificate->issuer, strlen(certificate->issuer)};
    struct slice rest = {NULL, certificate->chain.length - length};
    if (rest.length > 0) {
        rest.data = certificate->chain.data + length;
    }
    int64_t issuer_id;
    int64_t rest_id;
    if (!shared_row(change->store, SQL_ISSUER_FIND, SQL_ISSUER_INSERT, issuer, true, &issuer_id,
                    error) ||
        !shared_row(change->store, SQL_INTERMEDIATES_FIND, SQL_INTERMEDIATES_INSERT, rest, false,
                    &rest_id, error)) {
        return false;
    }
    struct query query =
        query_begin(change->store, known->found ? SQL_CERTIFICATE_UPDATE : SQL_CERTIFICATE_INSERT);
    query_bind_integer(&query, record->credential_id);
    query_bind_integer(&query, reason == ERROR_NONE ? CERTIFICATE_LIVE : CERTIFICATE_QUARANTINED);
    query_bind_integer(&query, record->time_ms);
    query_bind_integer(&query, certificate->not_before_ms);
    query_bind_integer(&query, certificate->not_after_ms);
    query_bind_integer(&query, issuer_id);
    query_bind_integer(&query, rest_id);
    query_bind_error(&query, reason);
    query_bind_text(&query, certificate->subject);
    bind_bytes(&query, certificate->serial, certificate->serial_length);
    bind_hash(&query, certificate->sha256);
    bind_hash(&query, certificate->spki_sha256);
    query_bind_blob(&query, certificate->chain.data, length);
    query_bind_integer(&query, certificate->is_brought);
    if (known->found) {
        query_bind_integer(&query, known->certificate_id);
    }
    return query_run(&query, error);
}

static enum request_state end_of(const struct record *record, enum error_code reason) {
    enum request_state good = record->bytes.length > 0 ? REQUEST_UNCONFIRMED : REQUEST_ISSUED;
    return reason == ERROR_NONE ? good : REQUEST_QUARANTINED;
}

static bool request_end(struct change *change, enum error_code reason, struct error *error) {
    const struct record *record = change->record;
    if (record->bytes.length > 0) {
        struct query offer = query_begin(change->store, SQL_OFFER_PUT);
        query_bind_integer(&offer, record->credential_id);
        query_bind_blob(&offer, record->bytes.data, record->bytes.length);
        if (!query_run(&offer, error)) {
            return false;
        }
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_REQUEST);
    query_bind_integer(&query, record->credential_id);
    query_bind_integer(&query, end_of(record, reason));
    query_bind_text(&query, record->handle);
    query_bind_error(&query, reason);
    return query_run(&query, error);
}

bool change_certificate(struct change *change, struct error *error) {
    enum error_code reason = change->record->error;
    enum request_state request = change->credential.request;
    struct known known;
    if (!find_same(change, &known, error)) {
        return false;
    }
    change->state = end_of(change->record, reason);
    if (reason == ERROR_NONE && known.found && known.state == CERTIFICATE_LIVE &&
        known.credential_id == change->credential.credential_id) {
        return true; // told twice
    }
    certificate_judge(change, &known);
    if (change->answer->code != ERROR_NONE) {
        return true;
    }
    if (reason == ERROR_NONE) {
        check_may_live(change);
        reason = change->answer->code;
    }
    if (known.is_stray) {
        change_note(change, "the CA gave it to %s before", known.serial);
    }
    // A surplus beside a live certificate does not touch the request; any other stops it, so that
    // nobody asks for one more.
    bool stays = request == REQUEST_ISSUED || request == REQUEST_UNCONFIRMED ||
                 request == REQUEST_NONE || request == REQUEST_WITHDRAWN;
    return certificate_write(change, reason, &known, error) &&
           (stays || request_end(change, reason, error));
}

bool change_install(struct change *change, struct error *error) {
    const struct record *record = change->record;
    const struct credential_record *credential = &change->credential;
    if (credential->request != REQUEST_ISSUED) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s, credential %d, has no live certificate to install",
                             change->serial, credential->number);
    }
    if (record->install == INSTALL_PROVED && credential->install == INSTALL_NONE) {
        return change_refuse(change, E_STORE_CONFLICT,
                             "%s, credential %d: proved, but not read back", change->serial,
                             credential->number);
    }
    change->state = record->install;
    if (change->unit_result == UNIT_PASSED && credential->install == INSTALL_PROVED) {
        return true; // it stays passed; that it was installed once more is history
    }
    struct query query = query_begin(change->store, SQL_CREDENTIAL_INSTALL);
    query_bind_integer(&query, record->credential_id);
    query_bind_integer(&query, record->install);
    return query_run(&query, error);
}

void certificate_read(const struct query *query, int column,
                      struct certificate_record *certificate) {
    *certificate = (struct certificate_record){
        .not_before_ms = query_integer(query, column + 5),
        .not_after_ms = query_integer(query, column + 6),
    };
    query_blob(query, column, certificate->sha256, SHA256_SIZE);
    query_blob(query, column + 1, certificate->spki_sha256, SHA256_SIZE);
    certificate->serial_length =
        query_blob(query, column + 2, certificate->serial, CERTIFICATE_SERIAL_MAX);
    query_text(query, column + 3, certificate->issuer, sizeof certificate->issuer);
    query_text(query, column + 4, certificate->subject, sizeof certificate->subject);
}

// The chain as it is installed: the leaf, then what follows it.
static bool chain_copy(struct arena *arena, struct slice leaf, struct slice rest,
                       struct slice *chain) {
    uint8_t *out = arena_take(arena, leaf.length + rest.length);
    if (out == NULL) {
        return false;
    }
    if (leaf.length > 0) {
        memcpy(out, leaf.data, leaf.length);
    }
    if (rest.length > 0) {
        memcpy(out + leaf.length, rest.data, rest.length);
    }
    *chain = (struct slice){out, leaf.length + rest.length};
    return true;
}

bool change_load_certificate(struct change *change, struct error *error) {
    struct query query = query_begin(change->store, SQL_CERTIFICATE_LIVE);
    query_bind_integer(&query, change->record->credential_id);
    bool found;
    if (!query_row(&query, &found, error)) {
        return false;
    }
    if (!found) {
        return change_refuse(change, E_STORE_CONFLICT, "%s, credential %d, has no live certificate",
                             change->serial, change->credential.number);
    }
    struct certificate_record *certificate = &change->answer->certificate;
    certificate_read(&query, 0, certificate);
    bool good = chain_copy(change->answer_bytes, query_slice(&query, CERTIFICATE_COLUMN_COUNT),
                           query_slice(&query, CERTIFICATE_COLUMN_COUNT + 1), &certificate->chain);
    query_end(&query);
    return good || error_set(error, E_INTERNAL, "%s: the batch has no room for its answers",
                             change->store->name);
}
