// SPDX-License-Identifier: Apache-2.0
// What the ca_vault*.c files share. Nobody else includes this, but for their fuzzer. From the bottom up:
//   ca_vault_read.c       what answers say                                   (pure)
//   ca_vault_names.c      which names a role lets through                    (pure)
//   ca_vault_policy.c     does the profile fit the role?                     (pure)
//   ca_vault_judge.c      what an answer means for a certificate             (pure)
//   ca_vault_write.c      what is sent                                       (pure)
//   ca_vault_known.c      the certificates of the mount that were read
//   ca_vault_token.c      the station's token: read, looked up, renewed
//   ca_vault_facts.c      what is needed before a request: token, role, chain
//   ca_vault_reconcile.c, _revoke.c, _check.c    one kind of call each
//   ca_vault.c            open, close, submit
#ifndef BIRTHCERT_CA_VAULT_INTERNAL_H
#define BIRTHCERT_CA_VAULT_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/web.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define VAULT_SAID_SIZE 256
#define VAULT_NAME_MAX 128 // of a role, a mount
#define VAULT_TOKEN_MAX 4096
#define VAULT_CERTIFICATES_MAX (64 * 1024)
// Of the list of serial numbers: one that is not paged tells all of them at once, 62 bytes each.
#define VAULT_LIST_MAX (16 * 1024 * 1024)
#define VAULT_SERIALS_MAX (256 * 1024)
#define VAULT_PAGE 1000
// Vault gives up on a request after 90 s (default_max_request_duration): what has not been stored
// by then never will be.
#define VAULT_SETTLE_MS 90000
// What a CA's administrator changes now and then, while a station runs for months.
#define VAULT_FACTS_LIFE_MS (10 * 60 * 1000)

// ---- what comes back, ca_vault_read.c -----------------------------------------------------------

// Every answer that is not the one hoped for. Vault writes {"errors": [text, ..]}, with no text where
// what was asked for is not there.
struct vault_problem {
    bool is_vault;              // no proxy wrote it
    bool is_empty;              // no text
    char text[VAULT_SAID_SIZE]; // one line, not escaped
};
void vault_read_problem(struct slice body, struct vault_problem *problem);

// All: E_CA_NONSENSE names what is missing, or has the wrong type.

struct vault_token_facts {
    int64_t left_s; // 0: without end
    int64_t life_s; // from one renewal to the next, or all of it
    bool renews;
    int64_t uses; // 0: any number
};
MUST_CHECK bool vault_read_token(struct slice body, struct vault_token_facts *facts,
                                 struct error *error);
// What renewing brought: the seconds that the token has again.
MUST_CHECK bool vault_read_renewal(struct slice body, int64_t *left_s, struct error *error);

// The role, its members of the types that the functions below rely on. The caller gives it back
// with json_decref. NULL: an error.
json_t *vault_read_role(struct slice body, struct error *error);
// Its members. A list that is missing is empty, a flag false, a number 0, a text "".
bool vault_flag(const json_t *role, const char *member);
int64_t vault_number(const json_t *role, const char *member);
const char *vault_text(const json_t *role, const char *member);
size_t vault_list_size(const json_t *role, const char *member);
const char *vault_list_text(const json_t *role, const char *member, size_t index);
// Letters' case does not count.
bool vault_list_has(const json_t *role, const char *member, const char *text);

// The certificates of an issuer, issuing CA first, or of an answer to `sign`, leaf first; DER.
MUST_CHECK bool vault_read_chain(struct slice body, struct buf *der, struct error *error);
MUST_CHECK bool vault_read_certificates(struct slice body, struct buf *der, struct error *error);
// Whether the certificate of an answer to `sign` is revoked when its lease ends, or the token.
bool vault_has_lease(struct slice body);
// One certificate that the mount keeps, DER.
MUST_CHECK bool vault_read_stored(struct slice body, struct buf *der, bool *is_revoked,
                                  struct error *error);
// Whether the answer to `revoke` says that it is revoked now.
bool vault_read_revoked(struct slice body);
// Whether the token may do `capability` on that path, as the answer to capabilities-self has it;
// true where it does not say.
bool vault_may(struct slice body, const char *path, const char *capability);

#define VAULT_SERIAL_SIZE 20 // RFC 5280, section 4.1.2.2
#define VAULT_SERIAL_TEXT (3 * VAULT_SERIAL_SIZE)

struct vault_serial {
    uint8_t length;
    uint8_t bytes[VAULT_SERIAL_SIZE];
};

typedef bool vault_each_serial(void *context, const struct vault_serial *serial);

// Goes through a list of serial numbers. `on_serial` is not told of what cannot be one of a CA's: a folder,
// more than 20 bytes. False in the end where it returned false (E_MEMORY), or for nonsense.
struct vault_page {
    size_t count; // of all keys
    struct vault_serial first;
    struct vault_serial last;
};
MUST_CHECK bool vault_read_serials(struct slice body, vault_each_serial *on_serial, void *context,
                                   struct vault_page *page, struct error *error);
// "1a:02": pairs of hex digits with `separator` between them.
void vault_write_serial(const struct vault_serial *serial, char separator,
                        char out[VAULT_SERIAL_TEXT]);
// Of hex digits, without separators or with ':' or '-'.
MUST_CHECK bool vault_parse_serial(const char *text, struct vault_serial *serial);
int vault_compare_serials(const struct vault_serial *a, const struct vault_serial *b);

// ---- judging ------------------------------------------------------------------------------------

// ca_vault_names.c: whether the role certainly refuses the names that such a profile asks for.
// E_CA_POLICY.
MUST_CHECK bool vault_names_fit(const json_t *role, const struct profile *profile,
                                struct error *error);

// ca_vault_policy.c: E_CA_POLICY where the role certainly refuses the profile, or its certificates
// would be refused when they come.
MUST_CHECK bool vault_role_fits(const json_t *role, const struct profile *profile, int64_t now_ms,
                                struct error *error);

// ca_vault_judge.c: what an answer to `sign` means; `has_lease` is what vault_has_lease says of it. `der`
// gets the certificates.
// One with a lease is no certificate to use: CA_DOUBT, and a person has to have it revoked.
void vault_judge_sign(const struct http_response *response, const uint8_t spki_sha256[SHA256_SIZE],
                      bool has_lease, struct buf *der, struct ca_result *result);
// Says what went wrong with a request that does no harm when it is repeated.
void vault_explain(const struct http_response *response, const char *what, struct error *error);
// Vault's own answer that the token may not, nor is good perhaps; not that of a proxy.
bool vault_is_forbidden(const struct http_response *response);
// The answer that there is no such thing; not that of a proxy, nor that there is no such mount.
bool vault_is_absent(const struct http_response *response);

// ---- the certificates that were read, ca_vault_known.c ------------------------------------------

// A certificate never changes, so that each is read once: serial number and key.
struct vault_known;

void vault_known_free(struct vault_known *known); // takes NULL
// `*known` is made where it is NULL. False without memory, or for a new one over VAULT_SERIALS_MAX.
MUST_CHECK bool vault_known_put(struct vault_known **known, const struct vault_serial *serial,
                                const uint8_t spki_sha256[SHA256_SIZE]);
bool vault_known_has(const struct vault_known *known, const struct vault_serial *serial);
// The first certificate for the key from `*at` on, which is 0 at first, and then behind it.
bool vault_known_find(const struct vault_known *known, const uint8_t spki_sha256[SHA256_SIZE],
                      size_t *at, struct vault_serial *serial);

// ---- the CA -------------------------------------------------------------------------------------

struct vault_call;

// A certificate that keeps scans from being complete.
struct vault_obstacle {
    bool is_there;
    struct vault_serial serial;
    int64_t since_ms; // monotonic, when a scan met it first
};

struct ca {
    struct web web;
    char role_name[VAULT_NAME_MAX + 1];
    char mount[VAULT_NAME_MAX + 1];
    char *token_file;
    struct buf *token; // secret
    struct loop_timer *renewal;
    bool is_renewing;
    int64_t renewed_ms; // monotonic, the last try; 0: none
    uint32_t settle_ms;

    int64_t facts_ms; // monotonic, when they were read
    bool has_facts;
    struct vault_token_facts token_facts;
    int64_t token_ends_ms;  // wall clock; 0: never
    json_t *role;           // NULL: the token's policy does not let it be read
    bool had_role;          // it could be read once
    bool gives_leases;      // the role says so, or, where it cannot be read, an answer did
    struct buf *chain;      // of the issuer, DER; may be empty
    int64_t issuer_ends_ms; // wall clock; 0: not known

    struct vault_known *known;
    struct vault_call *scanning;
    struct vault_call *waiting; // for its turn to scan
    struct vault_obstacle obstacle;
};

struct vault_scan;

struct vault_call {
    struct call base;
    call_step *next;                 // when the token is known to be good
    call_step *after_facts;          // when the facts are known
    struct vault_call *next_waiting; // for its turn
    bool is_check;
    bool is_reconcile;
    bool is_repeated;           // with a token that was read anew
    struct ca_report report;    // of a check
    struct vault_scan *scan;    // owned, reconcile only
    struct vault_call *reader;  // of a look at one certificate: whose scan it is
    struct vault_serial serial; // of a look
};

struct vault_call *vault_to_call(struct call *call);
struct ca *vault_ca_of(struct call *call);
// Below the mount: "sign/camera".
void vault_path(const struct ca *ca, char out[WEB_PATH_SIZE], const char *format, ...)
    PRINTF_LIKE(3, 4);
// One exchange with the token; takes the body over.
struct vault_request {
    const char *method;
    const char *path; // behind the base URL
    struct buf *body;
    bool issues;
    size_t body_max;
};
void vault_send(struct call *call, const struct vault_request *request, web_answer *on_answer);
void vault_get(struct call *call, const char *path, web_answer *on_answer);
// Ends a call that got no further: its report, CA_DOUBT for a reconcile, else CA_NOT_SENT.
void vault_fail(struct call *call, const struct error *error, int64_t retry_after_ms);

// ---- ca_vault_token.c

// Reads the token's file again. True where the token is another one now.
bool vault_token_read_again(struct ca *ca);
// Looks the token up; `next` comes where it is good, vault_fail where not. Arms the renewal.
void vault_token_look_up(struct call *call, call_step *next);
// Of the renewal's timer.
void vault_token_renew(void *context);
// When the token ends, for a person; "" where it does not.
void vault_token_remark(const struct ca *ca, char *out, size_t capacity);

// ---- ca_vault_facts.c

// Runs `next` once token, role and chain are known; vault_fail where they cannot be had. With
// `anew` whatever is known already.
void vault_need_facts(struct call *call, bool anew, call_step *next);
// E_CA_POLICY where they say that the profile's certificates cannot be had.
MUST_CHECK bool vault_facts_fit(const struct ca *ca, const struct profile *profile,
                                struct error *error);

// ---- what is sent, ca_vault_write.c: NULL and an error where it cannot be; the caller frees it.

struct buf *vault_write_sign(const struct ca *ca, const struct ca_request *request,
                             struct error *error);
struct buf *vault_write_revoke(const struct vault_serial *serial, struct error *error);
// By the certificate itself: also where the mount keeps none.
struct buf *vault_write_revoke_certificate(struct slice der, struct error *error);
struct buf *vault_write_capabilities(const struct ca *ca, struct error *error);

// ---- the calls

void vault_reconcile(struct call *call);
void vault_scan_free(struct vault_scan *scan); // takes NULL
void vault_revoke(struct call *call);
void vault_check(struct call *call);

#endif
