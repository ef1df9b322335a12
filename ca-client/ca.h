// SPDX-License-Identifier: Apache-2.0
// A certificate authority as the station sees it. Each backend is one file, ca_*.c, and one row in
// the table of ca.c.
//
// Every call returns at once; its one result comes later through on_result, on the loop, never from
// inside the call. What a backend must get right is the outcome: CA_NOT_SENT only if the CA
// certainly did not act, CA_DOUBT whenever it may have.
#ifndef BIRTHCERT_CA_CA_H
#define BIRTHCERT_CA_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/profile.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define CA_HANDLE_SIZE 65
#define CA_PENDING_MAX 1024 // calls in progress at once, at most
#define CA_OFFER_MAX 16384  // what is kept of a CA that waits to hear of its certificate
#define CA_ENDPOINT_SIZE 97 // where requests go, in words: ca-client/endpoint.h

struct ca;

// [ca NAME] of the configuration. Strings are owned by the caller and outlive the CA; NULL or ""
// where not set. File names are read at ca_ops.open; secrets never stay in here. Which backend
// takes which member says its ca_ops.keys.
struct ca_settings {
    const char *name;
    const char *backend;
    const char *station; // what the records call this bench
    const char *url;
    const char *client_certificate_file;
    const char *client_key_file;
    const char *server_root_file; // pins the TLS server
    const char *root_file;        // pins the issued certificates
    const char *intermediates_file;
    const char *api_key_file;
    const char *api_secret_file;
    const char *extra_header;        // "Name: value"
    const char *ca_certificate_file; // local
    const char *ca_key_file;         // local
    const char *username;
    const char *password_file;
    const char *token_file;
    const char *ca_profile;         // the CA's own name for what it issues: profile, label, role
    const char *authority;          // which of a server's CAs
    const char *end_entity_profile; // ejbca
    const char *provisioner;        // stepca
    const char *signing_key_file;   // of what the requests are signed with
    const char *command;            // exec: a program, by its absolute path
    const char *socket;             // outbox: of `birthcert forward`
    bool resends_lost;              // a lost answer that cannot be looked up: send again, or hold
    bool closes_connections;        // a connection for each request
    bool rekeys;                    // hvca: what a new board's certificate supersedes
    uint32_t in_flight;             // requests at once
    uint32_t requests_per_second;   // 0: no limit
    uint32_t timeout_ms;            // of one HTTP exchange
    uint32_t settle_ms;             // how long its lists may lag behind; 0: the backend's own
    const char *price;              // of one certificate, for people
    const char *formerly;           // the endpoint that this CA had before: ca-client/endpoint.h
};

// One certificate to ask for. Everything is copied by submit.
struct ca_request {
    int64_t id;                    // the credential; comes back in the result
    const struct profile *profile; // never NULL; of a revocation it may have a name only
    struct profile_subject subject;
    struct slice csr; // DER
    uint8_t spki_sha256[SHA256_SIZE];
    int64_t not_before_s;     // 0: the CA's now
    int64_t sent_ms;          // wall clock of the attempt, for reconcile
    const char *handle;       // for fetch and revoke; "" else
    const char *endpoint;     // where the attempt went; "" or NULL: not known. For judges_endpoint
    struct slice certificate; // revoke: the leaf, DER
    struct slice offer;       // fetch: of ca_result; the certificate that came with it is on record
    bool keeps_offer;         // as good; else as one that must not be used
    // submit, reconcile: serial number in hex of the certificate that is to be rekeyed, under names and
    // terms of its own; NULL or "": none. Only where ca_settings.rekeys is set.
    const char *replaces;
};

enum ca_outcome {
    CA_ACCEPTED,    // handle: fetch it later
    CA_CERTIFICATE, // leaf and extra
    CA_NOT_SENT,    // the CA did not act: may be sent again after retry_after_ms
    CA_REFUSED,     // the CA said no to this request, for good
    CA_DOUBT,       // the CA may have acted
    CA_NOT_ISSUED, // reconcile: nothing for this key was found in this scan; with an error: it could
                   // not be looked for, and is to be sent again all the same
    CA_CANNOT_TELL, // reconcile: this CA has no way to look
    CA_REVOKED,     // revoke succeeded
    CA_CONFIRMED,   // fetch with an offer: the CA took the station's word on its certificate
};

// Slices and strings are valid during the callback only.
struct ca_result {
    int64_t id;
    enum ca_outcome outcome;
    struct error error; // for all but ACCEPTED, CERTIFICATE, NOT_ISSUED, REVOKED, CONFIRMED
    // 0: the station's own backoff, or at once. With NOT_ISSUED: it is too early to count this scan, look again.
    // With CANNOT_TELL: look again as long as the CA's lists may lag, and ask a person then.
    uint32_t retry_after_ms;
    const char *handle; // never NULL
    struct slice leaf;  // DER
    struct slice extra; // DER of further certificates that the CA gave, one after the other
    // The CA waits to hear what becomes of the certificate: its message, CA_OFFER_MAX at most, comes back
    // with fetch when the certificate is on record, perhaps after a restart. Empty: it does not wait.
    struct slice offer;
    int64_t issued_s; // reconcile: notBefore of what was found
};

// What is known of the station's login where nothing was refused for want of it.
enum ca_login {
    CA_LOGIN_UNTRIED, // nothing: no call of the check needed it for certain
    CA_LOGIN_TAKEN,   // the CA let in what only a login opens, or where requests go too
    CA_LOGIN_NONE,    // the station has none to show
};

// What ca_ops.check found, for doctor and before a tray.
struct ca_report {
    bool reachable;
    bool logged_in;      // no call was refused for want of a login
    enum ca_login login; // where logged_in
    bool policy_fits;
    struct error error;                       // of the first thing that failed
    int64_t quota;                            // certificates left; -1: not known
    int64_t station_certificate_not_after_ms; // of the mutual TLS certificate; 0: none
    int64_t clock_offset_ms;                  // CA's clock minus ours; 0 where not known
    char remark[384];   // what to know beforehand although it is no fault; "" for nothing
    char chain[4][256]; // subjects of the trust chain, issuing CA first; "" ends it
    char behind[128];   // what answers behind a forwarder: "CA factory (hvca)"; "" else
    bool is_private;    // and it is not a public CA, whatever ca_ops.is_public says
};

// What is behind a forwarder's profile of that name.
struct ca_behind {
    char profile[65];
    char endpoint[CA_ENDPOINT_SIZE];
};

struct ca_events {
    void (*on_result)(void *context, const struct ca_result *result);
    void (*on_report)(void *context, const struct ca_report *report);
    // Of a CA that judges endpoints, on each connection: what it says of them takes the place of what
    // was known; of a profile that is not there it is not known. NULL: nobody is told.
    void (*on_behind)(void *context, const struct ca_behind *behind, size_t count);
};

enum ca_revocation_reason {
    CA_REVOKE_UNSPECIFIED,
    CA_REVOKE_KEY_COMPROMISE,
    CA_REVOKE_AFFILIATION_CHANGED,
    CA_REVOKE_SUPERSEDED,
    CA_REVOKE_CESSATION_OF_OPERATION,
    CA_REVOKE_PRIVILEGE_WITHDRAWN,
    CA_REVOKE_COUNT,
};

// The reason's name in RFC 5280, section 5.3.1: "keyCompromise"; NULL where there is none.
const char *ca_revocation_reason_name(enum ca_revocation_reason reason);
// False where no reason has that name; letters' case does not count.
MUST_CHECK bool ca_revocation_reason_find(const char *name, enum ca_revocation_reason *reason);

struct ca_ops {
    const char *name; // "hvca", "local"
    bool is_public;   // false: every output says that it is not a public CA
    bool is_offline;  // persons carry requests there and certificates back
    bool can_revoke;
    // Fetching what was accepted is the whole request once more, and may issue: submit and fetch are
    // the same call then, each journaled before it, and a lost answer to either leaves a doubt.
    bool fetch_repeats;
    bool waits;   // to hear what becomes of each certificate: ca_result.offer
    bool forgets; // what it issued cannot be had again: the station's record is all there is
    // It alone knows which CA its requests go to: ca_events.on_behind. It is told where one went, and asks
    // there, or says E_CA_CHANGED: submit and fetch with CA_NOT_SENT, reconcile with CA_CANNOT_TELL.
    bool judges_endpoint;
    uint32_t not_before_window_s; // stamps may lie this far back, one per second; 0: no stamps
    uint32_t settle_ms;           // how long after a request the CA's lists may lag behind
    // The keys of [ca NAME] that it takes beside those that every CA has; NULL ends the list.
    const char *const *keys;
    // For a new configuration: a remark, then the lines of a section without its header; "" where
    // none is shown. The section is named as the backend.
    const char *remark;
    const char *example;

    // Reads files and checks settings; makes no connection. E_CA_CONFIG, E_SECRET_*.
    bool (*open)(struct loop *loop, const struct ca_settings *settings,
                 const struct ca_events *events, void *context, struct ca **ca,
                 struct error *error);
    // Ends what is in progress without results. Takes NULL. Not from inside a callback.
    void (*close)(struct ca *ca);

    void (*check)(struct ca *ca, const struct profile *profile);
    // CA_NOT_SENT with E_CLOCK where the CA's clock is not ours: a lost answer could not be found.
    void (*submit)(struct ca *ca, const struct ca_request *request);
    // By handle. CA_NOT_SENT says that it could not be fetched now: the certificate stays as it is,
    // fetch again. CA_REFUSED: it is revoked, or the CA does not know it. With fetch_repeats all
    // outcomes mean what they mean to submit, but for CA_NOT_SENT.
    // With an offer it fetches the CA's last word on that: CA_CONFIRMED; CA_REFUSED with
    // E_CERT_UNCONFIRMED where the CA would not hear of it, for good; CA_NOT_SENT or CA_DOUBT: tell
    // the CA again.
    void (*fetch)(struct ca *ca, const struct ca_request *request);
    // One scan. CA_DOUBT: it could not read everything, so it rules nothing out. CA_CANNOT_TELL,
    // with E_UNIT_HELD, also where the request's certificate was found and is revoked, and where
    // looking again would tell no more: the text says what to ask the CA's administrator.
    void (*reconcile)(struct ca *ca, const struct ca_request *request);
    // Of the request only id, the subject's serial, handle and certificate are there. To ask once more
    // for what is revoked already ends in CA_REVOKED as well. CA_REFUSED with E_CA_UNSUPPORTED: this CA
    // revokes nothing, now or ever.
    void (*revoke)(struct ca *ca, const struct ca_request *request,
                   enum ca_revocation_reason reason);
};

extern const struct ca_ops ca_cfssl;
extern const struct ca_ops ca_cmp;
extern const struct ca_ops ca_ejbca;
extern const struct ca_ops ca_exec;
extern const struct ca_ops ca_file;
extern const struct ca_ops ca_hvca;
extern const struct ca_ops ca_local;
extern const struct ca_ops ca_est;
extern const struct ca_ops ca_outbox;
extern const struct ca_ops ca_stepca;
extern const struct ca_ops ca_vault;

// The row with that name, or NULL. The table ends with NULL.
const struct ca_ops *ca_find(const char *name);
// Whether the key of [ca NAME] is one that every CA has, or one of its own.
bool ca_takes_key(const struct ca_ops *ops, const char *key);
extern const struct ca_ops *const ca_table[];

// Makes an embedded CA: a P-256 root, its certificate and key in new files (key mode 0600). Fails
// where one of them exists.
MUST_CHECK bool ca_local_create(const char *common_name, const char *certificate_file,
                                const char *key_file, struct error *error);

#endif
