// SPDX-License-Identifier: Apache-2.0
// What the ca_ejbca_*.c files share. Nobody else includes this, but for their tests and their fuzzer.
#ifndef BIRTHCERT_CA_EJBCA_INTERNAL_H
#define BIRTHCERT_CA_EJBCA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/web.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define EJBCA_NAME_MAX 128 // of a CA or a profile
#define EJBCA_DN_SIZE 512
#define EJBCA_SERIAL_SIZE 41    // hex
#define EJBCA_USERNAME_SIZE 251 // as wide as EJBCA's column
#define EJBCA_PROBLEM_SIZE 200
#define EJBCA_TEXT_SIZE 64
#define EJBCA_CERTIFICATES_MAX (64 * 1024)
#define EJBCA_PAGE_SIZE 20 // certificates with all that is said of them fit into HTTP_BODY_MAX
#define EJBCA_PAGES_MAX 50

// A transaction that EJBCA's application server has begun may go on for five minutes after the
// connection was cut, and only then can what it issued be found.
#define EJBCA_SETTLE_MS (5 * 60 * 1000)

// As long as a search could find nothing at all, another camera's certificate may soon show that searches
// work.
#define EJBCA_UNPROVEN_MS EJBCA_SETTLE_MS
#define EJBCA_UNPROVEN_RETRY_MS 5000

// The handle of what an administrator has to approve first, and how often that is looked for.
#define EJBCA_WAITS "waits for approval"
#define EJBCA_APPROVAL_RETRY_MS 15000

// What an answer that is not the one hoped for says.
struct ejbca_problem {
    bool is_ejbca;                 // it has EJBCA's envelope, so no proxy and no filter wrote it
    char text[EJBCA_PROBLEM_SIZE]; // escaped
};

// What EJBCA tells of the section's CA and certificate profile. What a version does not tell is not
// known: then nothing is held against it.
struct ejbca_policy {
    bool has_keys;
    uint32_t keys; // BIT of enum key_type
    char keys_text[EJBCA_TEXT_SIZE];
    bool has_authorities;
    bool has_authority; // the section's is among them
    bool has_usage;
    bool digital_signature;
    bool has_extended_usage;
    bool server_auth;
    bool client_auth;
    char surplus[EJBCA_TEXT_SIZE]; // the first other extended usage, or ""
    bool has_validity;
    int64_t validity_s;
    char validity[EJBCA_TEXT_SIZE]; // as EJBCA writes it, escaped
    int64_t issuer_not_after_ms;
};

// What is searched for.
enum ejbca_search {
    EJBCA_OF_CAMERA,    // of its end entity, under the section's CA and profiles: they prove access
    EJBCA_OF_USERNAME,  // of its end entity, under whatever CA and profiles
    EJBCA_BY_SERIAL,    // the certificate in the request itself
    EJBCA_OF_AUTHORITY, // whatever the CA issued, to have something that a search must find
    EJBCA_KNOWN,        // what a search must find
};

// What was found so far.
struct ejbca_look {
    enum ejbca_search search; // the one under way
    uint32_t page;
    uint32_t rows;                   // of the search under way, whosoever's
    uint32_t unseen;                 // certificates that EJBCA lists and does not keep
    uint32_t live;                   // of ours
    uint32_t revoked;                // of ours
    struct buf *certificate;         // DER: of ours, a live one if there is one
    char known[EJBCA_USERNAME_SIZE]; // EJBCA_OF_AUTHORITY: what finds the first row, or ""
    char issuer[EJBCA_DN_SIZE];
    char serial[EJBCA_SERIAL_SIZE];
};

struct ca {
    struct web web;
    char profile[EJBCA_NAME_MAX + 1];
    char entity_profile[EJBCA_NAME_MAX + 1];
    char authority[EJBCA_NAME_MAX + 1];
    struct buf *chain; // of the CA, DER, issuing CA first; NULL: the policy is not known
    struct ejbca_policy policy;
    int64_t policy_ms; // monotonic: when it was read
    // What a search must find while searches work: an end entity's name, or a serial number; "" as
    // long as nothing is known to be there.
    char known[EJBCA_USERNAME_SIZE];
    bool is_unproven; // and that was said
};

struct ejbca_call {
    struct call base;
    bool is_check;
    struct ca_report report;   // of a check
    bool wants_chain_only;     // to be learned
    enum ca_outcome unlearned; // what it means to the call when that fails
    call_step *next;           // when all is learned, or nothing is left to look at
    struct ca_result refused;  // what follows from EJBCA's no, where nothing is found
    struct error problem;      // ERROR_NONE: the look succeeded
    int64_t retry_after_ms;
    char subject_dn[EJBCA_DN_SIZE]; // of the CA, as EJBCA writes it
    struct buf *chain;              // being learned
    struct ejbca_policy policy;
    struct ejbca_look look;
};

struct ejbca_call *ejbca_call_of(struct call *call);
struct ca *ejbca_of(struct call *call);
// Frees what is kept beside a call: call_list.on_free.
void ejbca_call_end(struct call *call);
bool ejbca_is_good(const struct http_response *response);

// ---- what is sent, ca_ejbca_write.c -------------------------------------------------------------

// The end entity of a camera's credential: the same for every key it has, since EJBCA gives a subject
// to one end entity only. E_CAM_SERIAL where the serial is too long for it.
MUST_CHECK bool ejbca_username(const struct ca_request *request, char out[EJBCA_USERNAME_SIZE],
                               struct error *error);
// The body of pkcs10enroll. The caller frees it with buf_free_secret. NULL and E_MEMORY, E_CAM_SERIAL.
struct buf *ejbca_write_enroll(const struct ca *ca, const struct ca_request *request,
                               struct error *error);
// The body of a search for one page of what a camera's end entity has ("" for none at all, to see
// whether the station may search), under the section's CA and profiles.
struct buf *ejbca_write_search(const struct ca *ca, const char *username, uint32_t page,
                               struct error *error);
// The same for whatever has that username or serial number, and for all that the section's CA issued.
struct buf *ejbca_write_search_text(const char *text, uint32_t page, struct error *error);
struct buf *ejbca_write_search_authority(const struct ca *ca, uint32_t page, struct error *error);
// "before" and "behind" around a text that stands in one segment of a path (RFC 3986, section 3.3).
// False where it does not fit.
MUST_CHECK bool ejbca_write_path(char out[WEB_PATH_SIZE], const char *before, const char *segment,
                                 const char *behind);

// ---- what is read, ca_ejbca_read.c --------------------------------------------------------------

void ejbca_read_problem(struct slice body, struct ejbca_problem *problem);
// The subject of the CA with that name, as EJBCA writes it. E_CA_CONFIG where the station sees no such
// CA, with those that it sees.
MUST_CHECK bool ejbca_read_authorities(struct slice body, const char *name,
                                       char subject_dn[EJBCA_DN_SIZE], struct error *error);
// Fills what a certificate profile says.
MUST_CHECK bool ejbca_read_profile(struct slice body, const char *authority,
                                   struct ejbca_policy *policy, struct error *error);
// E_CA_POLICY where the end entity profile allows neither the CA nor the certificate profile.
MUST_CHECK bool ejbca_read_entity_profile(struct slice body, const struct ca *ca,
                                          struct error *error);
// The certificate of pkcs10enroll, and what came along, DER.
MUST_CHECK bool ejbca_read_certificate(struct slice body, struct buf *der, struct error *error);
// Adds one page of a search. `is_last` says whether there are more.
MUST_CHECK bool ejbca_read_page(struct slice body, const struct ca_request *request,
                                struct ejbca_look *look, bool *is_last, struct error *error);
// "10y", "1y 6mo 2d 3h 4m 5s"; false for a date, and for anything else.
bool ejbca_read_validity(const char *text, int64_t *seconds);

// ---- what it means, ca_ejbca_judge.c ------------------------------------------------------------

// E_CA_POLICY names the field and the reason.
MUST_CHECK bool ejbca_policy_fits(const struct ejbca_policy *policy, const struct profile *profile,
                                  int64_t now_ms, struct error *error);
// What of the profile's subjectAltName EJBCA cannot get from this CSR. E_CA_POLICY, E_CSR_MALFORMED,
// E_CONFIG.
MUST_CHECK bool ejbca_names_fit(const struct ca_request *request, struct error *error);
// What the answer to pkcs10enroll means. `wants_look` is set where the answer is a no, which is to be
// believed only when EJBCA has nothing for the key: a node or a gateway in front of the CA says no as
// well when it has lost the CA's answer. What it may say then is CA_DOUBT even so. `der` holds result->leaf and extra.
void ejbca_judge_enroll(const struct http_response *response,
                        const uint8_t spki_sha256[SHA256_SIZE], struct buf *der,
                        struct ca_result *result, bool *wants_look);
// What went wrong with a request that does no harm when it is repeated.
void ejbca_explain(const struct http_response *response, const char *what, struct error *error);

// ---- asking, ca_ejbca_learn.c and ca_ejbca_look.c -----------------------------------------------

// Runs `next` when the CA's chain and policy are known; else the call ends, with CA_NOT_SENT, or a
// check with its report.
void ejbca_learn(struct call *call, call_step *next);
// The same for the chain alone, which stays with the call; else the call ends with that outcome.
void ejbca_learn_chain(struct call *call, enum ca_outcome unlearned, call_step *next);
// Runs `next` when EJBCA was asked for all that it has: what it found is in look, and problem says
// whether it could be asked.
void ejbca_look(struct call *call, enum ejbca_search search, call_step *next);
// One more search, to what was found so far.
void ejbca_look_further(struct call *call, enum ejbca_search search, call_step *next);
// What was issued for the call is there for searches to find.
void ejbca_note_known(struct call *call);
// After EJBCA_OF_AUTHORITY: what EJBCA_KNOWN is to look for. False where nothing was listed.
bool ejbca_note_listed(struct call *call);

// ---- the calls, ca_ejbca_reconcile.c, ca_ejbca_check.c and ca_ejbca_revoke.c ---------------------

// Ends a look for a key with that certificate and the CA's chain; where that cannot be had with
// `unlearned`.
void ejbca_finish_found(struct call *call, enum ca_outcome unlearned);
void ejbca_reconcile(struct call *call);
void ejbca_fetch(struct call *call);
void ejbca_check(struct call *call);
void ejbca_revoke(struct call *call);

#endif
