// SPDX-License-Identifier: Apache-2.0
// The issuer: the CAs of the configuration, between the pool's requests and ca-client. It checks
// every certificate before the pool hears of it.
#ifndef BIRTHCERT_APP_ISSUER_H
#define BIRTHCERT_APP_ISSUER_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/app/config.h"
#include "station/base/error.h"
#include "station/core/pool.h"
#include "station/io/loop.h"

struct issuer;

typedef void issuer_report(void *context, const struct config_ca *ca,
                           const struct ca_report *report);

// Opens every CA that a profile names. `config` and `loop` must outlive the issuer. `on_report` may
// be NULL where no check is asked for.
MUST_CHECK bool issuer_new(struct loop *loop, const struct config *config, issuer_report *on_report,
                           void *context, struct issuer **issuer, struct error *error);
void issuer_free(struct issuer *issuer); // takes NULL
// Called when certificates keep failing their check: each one is money, and the fault is the
// station's or the CA's, not a camera's. NULL (the default): nobody is told.
typedef void issuer_fault(void *context, const struct error *error);
void issuer_on_fault(struct issuer *issuer, issuer_fault *on_fault);
void issuer_set_pool(struct issuer *issuer, struct pool *pool);

// What the core has to know of the CA of a profile, which is one of the configuration's. The policy stays
// the issuer's to write, as long as both live: its endpoint follows what a forwarder says.
void issuer_policy(struct issuer *issuer, const struct profile *profile, struct ca_policy *policy);

// Performs a request's action; its result comes to the pool later, from the loop.
void issuer_ask(struct issuer *issuer, enum request_action action,
                const struct request_record *request);

// One certificate that its CA is to revoke. Everything is copied.
struct issuer_revocation {
    int64_t certificate_id; // positive; comes back with the result
    const char *ca;         // that issued it
    const char *endpoint;   // where that was; "": not known
    const char *profile;    // under which it was issued; it may have gone from the configuration
    enum ca_revocation_reason reason;
    const char *serial; // the camera's
    const char *handle; // the certificate's serial number in hex
    struct slice leaf;  // DER
};

// CA_REVOKED, or result->error says why that is not known. On the loop.
typedef void issuer_revoked(void *context, int64_t certificate_id, const struct ca_result *result);
void issuer_on_revoked(struct issuer *issuer, issuer_revoked *on_revoked);

// Asks for it; the result comes later. The CA need not be one that a profile names: it is opened
// where it is not yet. Nothing is recorded here. E_CA_CONFIG, E_SECRET_*, E_CA_UNSUPPORTED.
MUST_CHECK bool issuer_revoke(struct issuer *issuer, const struct issuer_revocation *revocation,
                              struct error *error);

// Connects, logs in and compares the profile with the CA's policy; the report comes later.
void issuer_check(struct issuer *issuer, const struct profile *profile);

// Calls whose result has not come yet.
size_t issuer_in_progress(const struct issuer *issuer);
// Whether they ask for nothing but what the next start can ask for as well.
bool issuer_only_looks(const struct issuer *issuer);

// True where persons carry requests to a CA in use: cameras need not wait for it.
bool issuer_is_offline(const struct issuer *issuer);

// False where a CA in use is not a public one: every output says so.
bool issuer_is_public(const struct issuer *issuer);

#endif
