// SPDX-License-Identifier: Apache-2.0
// Takes certificates out of use: chosen ones of a unit, or those whose revocation is open. The
// intent is durable before a CA hears of it; that one is revoked is recorded when its CA said so.
// What a CA does not confirm stays open on record, for the next time.
#ifndef BIRTHCERT_APP_REVOKER_H
#define BIRTHCERT_APP_REVOKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "db/store.h"
#include "station/app/config.h"
#include "station/app/output.h"
#include "station/base/error.h"

struct revoker;

// Whether the certificate is revoked only when the new board has its own: that one comes by rekey, and only
// an issued certificate can be rekeyed.
bool revoker_awaits_successor(const struct config *config, const struct store_certificate *stored);
#define REVOKER_AWAITING "is revoked when the new board has its certificate"

// Whether a withdrawn certificate still asks for somebody's hand: its CA, which is not the embedded one, has
// not said that it is revoked, and it has not expired.
bool revoker_is_unrevoked(const struct config *config, const struct store_certificate *stored,
                          int64_t now_ms);
#define REVOKER_UNREVOKED                                                                          \
    "birthcert list --state withdrawn; have the CA's administrator revoke them, birthcert crl "    \
    "import takes the CA's list"

// Opens the database for writing: E_STORE_LOCKED while a station runs on it. `config` and `output`
// must outlive the revoker.
MUST_CHECK bool revoker_open(const struct config *config, struct output *output,
                             struct revoker **revoker, struct error *error);
void revoker_close(struct revoker *revoker); // takes NULL

// What is on record of a unit. All its boards count.
struct revoker_unit {
    int64_t unit_id;
    char serial[SERIAL_SIZE];
    enum unit_result result;
    uint32_t board;
    size_t unsettled; // requests of which it is not known whether the CA issued
    bool has_key;     // its board has one on record
};

// Reads the unit and its certificates. E_USAGE for what cannot be a serial, E_STORE_UNKNOWN.
MUST_CHECK bool revoker_load_unit(struct revoker *revoker, const char *serial,
                                  struct revoker_unit *unit, struct error *error);
// E_UNIT_HELD where a request is unsettled: birthcert reconcile comes first.
MUST_CHECK bool revoker_check_settled(const struct revoker_unit *unit, struct error *error);
// Reads the next certificates whose revocation is open, of all units, in place of those read before, and
// chooses them; but for those that wait for their successors: these it shows.
MUST_CHECK bool revoker_load_open(struct revoker *revoker, struct error *error);

// Those that were read, oldest first. `chain` of its certificate is the leaf.
size_t revoker_count(const struct revoker *revoker);
const struct store_certificate *revoker_certificate(const struct revoker *revoker, size_t index);

// Chooses one that is not revoked. Where its CA revokes nothing it is withdrawn, or stays so.
// E_CA_CONFIG where the CA's section is gone. The reason of a revocation that is open stays as it
// was.
MUST_CHECK bool revoker_choose(struct revoker *revoker, size_t index,
                               enum ca_revocation_reason reason, struct error *error);
size_t revoker_chosen_count(const struct revoker *revoker);
// Those of them that are out of use here, and that nobody revoked.
size_t revoker_withdrawn_count(const struct revoker *revoker);

// Makes the intent to end the chosen ones durable, in one transaction with `last`, which may be NULL
// and is about the unit as a whole. Where it fails, no CA hears of anything.
MUST_CHECK bool revoker_record(struct revoker *revoker, const struct record *last,
                               struct error *error);

// After revoker_record: of the unit's chosen ones no CA is asked to revoke what waits for its successor.
MUST_CHECK bool revoker_spare_awaiting(struct revoker *revoker, const char *serial,
                                       struct error *error);

// Says for how long at most it asks, asks the CAs for what was recorded, and once more for at most
// `wait_s` seconds where it may help, and shows what became of each. SIGINT and SIGTERM end that early. False only where the database failed. `unconfirmed` is how many
// stay open.
MUST_CHECK bool revoker_finish(struct revoker *revoker, uint32_t wait_s, size_t *unconfirmed,
                               struct error *error);

struct revoker_sum {
    size_t open; // with those that wait for their successors
    size_t unconfirmed;
};

// revoker_load_open and revoker_finish for all of them, at most CA_PENDING_MAX at once. The many of one CA,
// or of one that is gone, are in nobody's way: what a CA has no time for is counted, and said once.
MUST_CHECK bool revoker_finish_open(struct revoker *revoker, uint32_t wait_s,
                                    struct revoker_sum *sum, struct error *error);

// Shows the unit as it is now.
MUST_CHECK bool revoker_show_unit(struct revoker *revoker, const char *serial, struct error *error);

#endif
