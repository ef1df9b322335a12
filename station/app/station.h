// SPDX-License-Identifier: Apache-2.0
// The station: bench, pool, journal and issuer on one loop. `run` and `tray` are two ways to use
// it.
#ifndef BIRTHCERT_APP_STATION_H
#define BIRTHCERT_APP_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/app/config.h"
#include "station/base/error.h"
#include "station/core/pool.h"
#include "station/io/loop.h"

struct station;

// Called on the loop.
struct station_events {
    // A unit reached its verdict, which is on record where the unit is.
    void (*on_verdict)(void *context, size_t slot, const struct unit *unit);
    // A port cannot be opened, or fails; once per reason.
    void (*on_port_error)(void *context, size_t slot, const struct error *error);
    // What a CA says of itself at the start. A policy that does not fit, a refused login and an empty
    // quota stop the station by themselves.
    void (*on_ca_report)(void *context, const struct config_ca *ca, const struct ca_report *report);
    // Every 200 ms.
    void (*on_tick)(void *context);
};

// Opens store and CAs; connects to nothing yet. `config` must outlive the station.
MUST_CHECK bool station_new(const struct config *config, const struct station_events *events,
                            void *context, struct station **station, struct error *error);
// The same for the requests of one unit alone: the rest of the outbox stays where it is. `serial` must
// outlive the station.
MUST_CHECK bool station_new_only(const struct config *config, const char *serial,
                                 const struct station_events *events, void *context,
                                 struct station **station, struct error *error);
void station_free(struct station *station); // takes NULL

// Opens a slot for cameras. `label` is the serial that must come, "" for any.
void station_open_slot(struct station *station, size_t slot, const char *label, const char *lot);
// As pool_close_slot.
void station_close_slot(struct station *station, size_t slot);

// The station's, for what else is to happen beside it.
struct loop *station_loop(const struct station *station);

// A request that is held or quarantined: the CA is asked once more what became of it.
void station_reopen_request(struct station *station, const struct request_record *request);

// Buys nothing, now and later: only what was sent is settled. station_requests_to_settle says how
// much is left.
void station_hold_submissions(struct station *station);
size_t station_requests_to_settle(const struct station *station);

// Asks every CA first for its policy and quota: until a profile is known to fit, nothing is bought.
// Runs until station_stop has ended what is in hand, or a fault stops the station: then false.
// SIGINT and SIGTERM stop it; a second one stops it at once.
MUST_CHECK bool station_run(struct station *station, struct error *error);

// Begins nothing new, ends what is in hand, then leaves station_run.
void station_stop(struct station *station);

// The same, because the station or the CA is at fault: station_run returns false with this error.
void station_stop_with(struct station *station, const struct error *error);

// True where a signal stopped it.
bool station_was_interrupted(const struct station *station);

const struct unit *station_unit(const struct station *station, size_t slot);
// As bench_port_state.
const struct error *station_port_state(const struct station *station, size_t slot);
// How long the CA has been failing, milliseconds; 0: it works. `why` is the last failure.
int64_t station_ca_down_ms(const struct station *station, struct error *why);
// How often units were in a state, and how long in all, since the start.
void station_state_time(const struct station *station, enum unit_state state, uint64_t *visits,
                        int64_t *total_ms);
size_t station_requests_in_progress(const struct station *station);
// As issuer_is_offline.
bool station_ca_is_offline(const struct station *station);
bool station_ca_is_public(const struct station *station);

#endif
