// SPDX-License-Identifier: Apache-2.0
// What the revoker*.c files share. Nobody else includes this.
#ifndef BIRTHCERT_APP_REVOKER_INTERNAL_H
#define BIRTHCERT_APP_REVOKER_INTERNAL_H

#include "station/app/issuer.h"
#include "station/app/revoker.h"
#include "station/io/loop.h"

#define CERTIFICATES_MAX CA_PENDING_MAX

struct revocation {
    struct store_certificate stored; // its chain lies in `leaf`
    uint8_t *leaf;
    bool is_chosen;
    bool is_asked;      // its CA works on it
    bool is_answered;   // or needs not be asked
    bool is_awaiting;   // is asked for when the new board's certificate is on record
    int64_t repeat_ms;  // monotonic; 0: never
    struct error error; // why it is not confirmed
};

struct revoker {
    const struct config *config;
    struct output *output;
    struct store *store;
    struct batch *batch;
    struct config *view; // the configuration without profiles: only CAs that are needed are opened
    struct loop *loop;
    struct issuer *issuer;
    struct loop_timer *repeat;
    int64_t deadline_ms; // monotonic
    bool interrupted;    // by a signal
    struct error fault;  // of the database, while the CAs are asked
    struct error load_error;
    int64_t read_up_to;             // the certificate that was read last
    size_t awaiting;                // that were shown, and not kept
    bool is_silent[CONFIG_CAS_MAX]; // by the section's place: the CA was asked until time ran out
    size_t unasked[CONFIG_CAS_MAX]; // of such a one, not kept either
    size_t count;
    struct revocation revocations[CERTIFICATES_MAX];
};

// What a CA knows the certificate by.
void revoker_write_handle(const struct store_certificate *stored, char handle[HANDLE_SIZE]);

// ---- reading, revoker.c -------------------------------------------------------------------------

void revoker_forget(struct revoker *revoker); // the certificates that were read

// Keeps a certificate that is read. False where there is no more room, or no memory: then load_error says so.
bool revoker_keep(void *context, const struct store_certificate *stored);

MUST_CHECK bool revoker_load(struct revoker *revoker, const struct store_filter *filter,
                             store_visit_certificate *keep, struct error *error);

// ---- recording, revoker.c -----------------------------------------------------------------------

struct record revoker_record_of(const struct store_certificate *stored, enum record_kind kind);

// What is refused here contradicts what this process, the only writer, has just read.
MUST_CHECK bool revoker_commit_one(struct revoker *revoker, const struct record *record,
                                   struct error *error);

// ---- showing, revoker_show.c --------------------------------------------------------------------

// What became of it.
void revoker_show(struct revoker *revoker, const struct revocation *revocation);

#endif
