// SPDX-License-Identifier: Apache-2.0
// CMP transactions (RFC 4210, 9480, 9483) through OpenSSL's OSSL_CMP client, without its waiting.
//
// That client runs a whole transaction in one call and wants each answer from a callback, at once. A
// thread for each call would do, with a bound on them, a lock around all they share, and nothing left
// of a transaction after a restart. Here the call is made again instead: a transaction is its id, the
// nonce of each message, and what the CA said. cmp_run lets OpenSSL start over with the same id; the
// callback gives it what the CA said so far, in place of sending; and at the first message that has
// no answer yet it takes that and ends the call. So nothing waits, nothing is shared, and OpenSSL
// makes and checks every message. A message that had its answer is made again for nothing: for a
// certificate that is some three signatures and two verifications more.
//
// Because what the CA said is plain bytes, certConf can be sent, and sent again, after a restart.
#ifndef BIRTHCERT_CA_CMP_TALK_H
#define BIRTHCERT_CA_CMP_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// ---- the station, for all transactions ----------------------------------------------------------

struct cmp_station;

// With password_file messages are protected with that secret (RFC 4210, section 5.1.3.1), under the
// name `username`; else with client_key_file. Answers are checked with that secret, else with a
// certificate that leads to a root in server_root_file or root_file, and that is a CA's, or has the
// extended key usage cmcCA or cmcRA (RFC 6402), or is named `authority`: a camera's will not do.
// E_CA_CONFIG, E_SECRET_*.
MUST_CHECK bool cmp_station_new(const struct ca_settings *settings, struct cmp_station **station,
                                struct error *error);
void cmp_station_free(struct cmp_station *station); // takes NULL

// ---- one transaction ----------------------------------------------------------------------------

#define CMP_ID_SIZE 16 // of a transactionID and of a nonce, as OpenSSL makes them
#define CMP_SAID_MAX 2 // answers that still matter
#define CMP_ANSWER_MAX (64 * 1024)

enum cmp_kind {
    CMP_ENROL,   // p10cr and, while the CA wants to be asked again, pollReq
    CMP_CONFIRM, // certConf
    CMP_REVOKE,  // rr
    CMP_GREET,   // genm: asks for nothing that costs
};

struct cmp_said {
    uint8_t nonce[CMP_ID_SIZE]; // of what it answers
    struct buf *message;        // owned, may be NULL
};

struct cmp_talk {
    enum cmp_kind kind;
    struct slice csr;         // ENROL and CONFIRM; the caller's
    struct slice certificate; // REVOKE: the leaf; the caller's
    enum ca_revocation_reason reason;
    bool keeps; // CONFIRM: the certificate is wanted
    bool polls; // the CA's time to be asked again has come
    uint8_t id[CMP_ID_SIZE];
    uint8_t first[CMP_ID_SIZE]; // nonce of the first message
    uint8_t last[CMP_ID_SIZE];  // nonce of the latest
    bool was_error;             // the latest answer is an error message: no word on a certificate
    size_t said_count;
    struct cmp_said said[CMP_SAID_MAX];
};

// A transaction of its own. False without randomness.
MUST_CHECK bool cmp_talk_begin(struct cmp_talk *talk, enum cmp_kind kind, struct error *error);
// One that goes on where the CA gave the certificate: `offer` as cmp_talk_offer made it.
MUST_CHECK bool cmp_talk_resume(struct cmp_talk *talk, struct slice offer, struct error *error);
void cmp_talk_free(struct cmp_talk *talk); // what it owns; of one that is all zero, nothing

// What has to be kept of it until the CA has heard what becomes of its certificate. False where it
// is longer than CA_OFFER_MAX. The caller frees `offer`.
MUST_CHECK bool cmp_talk_offer(const struct cmp_talk *talk, struct buf **offer,
                               struct error *error);

// Takes the answer to the message that cmp_run made last; cmp_run looks at it. False where it is no
// PKIMessage. E_CA_NONSENSE.
MUST_CHECK bool cmp_talk_hear(struct cmp_talk *talk, struct slice answer, struct error *error);

// ---- where it stands ----------------------------------------------------------------------------

enum cmp_turn {
    CMP_SEND,    // message: to the CA
    CMP_WAIT,    // the CA wants to be asked again after check_after_s; then with talk->polls
    CMP_DONE,    // leaf and extra; the confirmation or revocation was taken; the CA greets back
    CMP_REFUSED, // the CA said no, and it was the CA: failures, error
    CMP_FAILED,  // error: the answer is not the CA's, or none to this; or OpenSSL would not begin
};

struct cmp_step {
    enum cmp_turn turn;
    struct buf *message; // owned
    struct buf *leaf;    // owned, DER
    struct buf *extra;   // owned, DER one after the other
    uint32_t check_after_s;
    uint32_t failures;  // PKIFailureInfo: bits of OSSL_CMP_PKIFAILUREINFO_*
    struct error error; // E_CA_REFUSED or E_CA_NONSENSE
};

// Brings the transaction to where it stands and says what comes next. Makes and checks signatures on
// the caller's thread; blocks on nothing.
void cmp_run(const struct cmp_station *station, struct cmp_talk *talk, struct cmp_step *step);
void cmp_step_free(struct cmp_step *step); // what it owns

// What a refusal means to the request: CA_REFUSED for good; CA_NOT_SENT where the station or the
// moment is wrong, with the code E_CA_LOGIN, E_CA_BUSY or E_CLOCK; CA_DOUBT.
enum ca_outcome cmp_judge(uint32_t failures, enum error_code *code);
bool cmp_has_failed_with(uint32_t failures, int bit);

#endif
