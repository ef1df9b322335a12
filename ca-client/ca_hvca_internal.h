// SPDX-License-Identifier: Apache-2.0
// Shared by ca_hvca*.c only. From the bottom up:
//   ca_hvca_session.c    login, queue, rate: hvca_send
//   ca_hvca_facts.c      what is needed before a request can be written: policy and trust chain
//   ca_hvca_request.c    a request's JSON                        (pure)
//   ca_hvca_policy.c     does the profile fit the policy?        (pure)
//   ca_hvca_judge.c      what an answer means for a certificate  (pure)
//   ca_hvca_obstacle.c   what keeps look-ups from being complete
//   ca_hvca_rekey.c      what is particular of a request that rekeys
//   ca_hvca_fetch.c, _reconcile.c, _revoke.c, _check.c           one kind of call each
//   ca_hvca.c            open, close, submit
#ifndef BIRTHCERT_CA_HVCA_INTERNAL_H
#define BIRTHCERT_CA_HVCA_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/ca_hvca_json.h"
#include "ca-client/call.h"
#include "ca-client/http.h"
#include "ca-client/rate.h"
#include "ca-client/site.h"

#define HVCA_PATH_SIZE 256
#define HVCA_SECRET_MAX 4096
#define HVCA_REQUEST_MAX (64 * 1024)
#define HVCA_CHAIN_MAX (256 * 1024)
// Certificates can be stamped to have begun this far back. Accounts allow from 120 s on
// (validity.not_before_negative_skew); the rest is for the way there and for clocks. A stamp that
// the account does not allow is left out of the request, and the look-up then reads every
// certificate of its time.
#define HVCA_STAMP_WINDOW_S 100
#define HVCA_SETTLE_MS 30000
// A look-up goes by the time of the attempt, so no issuing request leaves while our clock and the
// CA's are further apart than this, nor later than that after the attempt was noted.
#define HVCA_CLOCK_DIFFERENCE_MAX_MS (120 * 1000)
#define HVCA_SUBMIT_LIFE_MS (300 * 1000)

// ---- the session --------------------------------------------------------------------------------

typedef void hvca_answer_callback(void *context, const struct http_response *response);

// One HTTP exchange, from the queue to its answer.
struct hvca_exchange {
    struct ca *ca;
    struct hvca_exchange *next; // in the queue, or among those under way
    struct hvca_exchange *previous;
    const char *method; // static
    char path[HVCA_PATH_SIZE];
    struct buf *body; // owned, may be NULL
    const struct hvca_call
        *issuing;        // the request may issue: it leaves once, and in time. Else NULL
    bool is_repeated;    // after a 401
    uint32_t generation; // of the token it went out with
    hvca_answer_callback *on_answer;
    void *context;
};

enum hvca_session_state { HVCA_LOGGED_OUT, HVCA_LOGGING_IN, HVCA_LOGGED_IN };

// The login ended; `error` is NULL where it succeeded.
typedef void hvca_login_done(struct ca *ca, const struct error *error, int64_t retry_after_ms);

struct hvca_session {
    enum hvca_session_state state;
    struct buf *token; // secret
    uint32_t generation;
    bool is_proven;       // the token was accepted at least once
    int64_t logged_in_ms; // monotonic
    // After a failure: no login before this, and every request fails with `error` at once.
    int64_t retry_at_ms;
    uint32_t failures;
    struct error error;
    hvca_login_done *on_login; // of the login under way
};

struct hvca_queue {
    struct hvca_exchange *first;
    struct hvca_exchange *last;
    struct hvca_exchange *under_way;
    uint32_t in_flight;
    struct rate rate;
    struct loop_timer *timer;
};

// ---- calls --------------------------------------------------------------------------------------

struct hvca_call;
typedef void hvca_call_step(struct hvca_call *call);

// One call of ca_ops, with what this backend keeps beside it.
struct hvca_call {
    struct call base;
    struct ca *ca;
    struct hvca_call *next_waiting; // for the facts, or for its turn to scan
    hvca_call_step *step;           // what comes once the facts are there, or after a delay
    uint32_t tries;                 // polls, or repetitions
    uint32_t failures;              // in a row
    uint32_t delay_ms;              // before the next poll
    uint32_t unknown_count;         // answers 404 in a row
    int64_t silent_since_ms;  // when the first poll after its last answer left; 0: none is out
    struct hvca_scan *scan;   // owned, reconcile only
    struct ca_report *report; // owned, check only
};

struct hvca_scan_cache_entry {
    char serial[CA_HANDLE_SIZE];
    uint8_t spki_sha256[SHA256_SIZE];
};
#define HVCA_CACHE_ENTRIES 4096 // a power of two

// A listed certificate that keeps a request's scans from being complete.
struct hvca_obstacle {
    int64_t request_id;
    char serial[CA_HANDLE_SIZE];
    uint32_t count; // scans in a row; 0: free
};
#define HVCA_OBSTACLES_MAX CA_PENDING_MAX

enum hvca_facts_state { HVCA_FACTS_UNKNOWN, HVCA_FACTS_LOADING, HVCA_FACTS_KNOWN };

struct ca {
    struct loop *loop;
    struct site site;
    struct call_list calls;
    uint32_t settle_ms;
    struct buf *api_key;    // secret
    struct buf *api_secret; // secret

    struct hvca_session session;
    struct hvca_queue queue;

    enum hvca_facts_state facts;
    int64_t facts_ms; // monotonic
    struct hvca_policy policy;
    struct buf *chain;         // DER, issuing CA first
    struct hvca_call *waiting; // for the facts
    bool has_clock;            // the CA's, from its Date
    int64_t clock_ahead_ms;    // of our monotonic clock: steps of the wall clock do not move it

    struct hvca_call *scanning;
    struct hvca_call *scan_waiting;
    struct hvca_scan_cache_entry *cache; // HVCA_CACHE_ENTRIES, by hash of the serial
    struct hvca_obstacle *obstacles;     // HVCA_OBSTACLES_MAX
    size_t next_obstacle;                // that gives way where all are taken
};

// ---- ca_hvca_session.c

// Queues an exchange; takes the body over. `on_answer` comes later from the loop, once: also where
// the login failed (then outcome HTTP_NOT_SENT with the login's error). A 401 is a definite no, so
// it is answered by one new login and one repetition, for any method.
void hvca_send(struct ca *ca, const char *method, const char *path, struct buf *body,
               hvca_answer_callback *on_answer, void *context);
// The issuing POST of a call, whose answer comes with the call as context. It leaves at most once,
// and not at all (HTTP_NOT_SENT: E_CLOCK, E_CA_BUSY) where a look-up would not find it by its time.
void hvca_send_issuing(struct hvca_call *call, const char *path, struct buf *body,
                       hvca_answer_callback *on_answer);
void hvca_session_close(struct ca *ca);
// Called by the queue's timer.
void hvca_pump(void *context);
// The next request logs in at once, whatever failed before.
void hvca_session_retry_now(struct ca *ca);
// The CA's clock; our own where its answers have no Date.
int64_t hvca_ca_now_ms(const struct ca *ca);
int64_t hvca_ca_now_s(const struct ca *ca);
// E_CLOCK, naming both times, where our clock is not the CA's.
MUST_CHECK bool hvca_clock_fits(const struct ca *ca, struct error *error);

// ---- ca_hvca_login.c

// Starts a login, one at a time; ends in a call of `on_done`, maybe at once.
void hvca_login_start(struct ca *ca, hvca_login_done *on_done);

// ---- ca_hvca_facts.c

// Runs call->step once policy and chain are known and fresh; ends the call where they cannot be
// had.
void hvca_need_facts(struct hvca_call *call, hvca_call_step *step);

// ---- ca_hvca_call.c

// A call with a copy of what the request points to. Never NULL.
struct hvca_call *hvca_call_new(struct ca *ca, const struct ca_request *request);
// Runs `step` after a while.
void hvca_call_delay(struct hvca_call *call, int64_t delay_ms, hvca_call_step *step);
// Ends a check: its report, not a result, goes out. `error` may be NULL.
void hvca_call_report(struct hvca_call *call, const struct error *error);
// Ends a call for which nothing could be sent to the CA; a check with its report.
void hvca_call_fail(struct hvca_call *call, const struct error *error, int64_t retry_after_ms);
void hvca_certificate_path(char out[HVCA_PATH_SIZE], const char *serial);

// ---- ca_hvca_judge.c

// Says what went wrong with anything but an issuing request, where repeating does no harm: code and
// text for a response that is not the one hoped for.
void hvca_explain(const struct http_response *response, const char *what, struct error *error);
// True where the same request may well succeed a little later.
bool hvca_is_passing(const struct http_response *response);
// The certificates of an answer to GET /certificates/{serial}, DER, the leaf first; as
// hvca_parse_certificate. The caller frees `der`, which is NULL where it fails.
MUST_CHECK bool hvca_read_certificate(struct slice body, struct buf **der, bool *is_revoked,
                                      struct error *error);
// What the answer to an issuing request means. `replaces`: the certificate that was to be rekeyed, ""
// for none. Fills outcome, error, retry_after_ms, and for CA_ACCEPTED `handle`.
void hvca_judge_issue(const struct http_response *response, const char *replaces,
                      struct ca_result *result, char handle[CA_HANDLE_SIZE]);

// ---- ca_hvca_request.c

// When, and how much, the request asks for.
struct hvca_ask {
    const struct hvca_policy *policy;
    const struct ca_request *request;
    int64_t ca_now_s;
};

// The end to ask for in Unix seconds, from a beginning; 0: the longest that the policy has.
int64_t hvca_not_after_s(const struct hvca_policy *policy, const struct profile *profile,
                         int64_t begin_s);

// The body of POST /certificates. The caller frees it.
MUST_CHECK bool hvca_write_request(const struct hvca_ask *ask, struct buf **body,
                                   struct error *error);
// The body of POST /certificates/{serial}/rekey: names and validity are the old certificate's.
MUST_CHECK bool hvca_write_rekey(const struct hvca_ask *ask, struct buf **body,
                                 struct error *error);

// ---- ca_hvca_policy.c

// Whether requests of this profile can satisfy the policy, and their certificates the profile.
// Texts that are the same for every camera are held against the policy's expressions only with
// `with_formats`, which takes long. E_CA_POLICY names the field and the reason.
MUST_CHECK bool hvca_policy_fits(const struct hvca_policy *policy, const struct profile *profile,
                                 int64_t ca_now_s, bool with_formats, struct error *error);

// ---- ca_hvca_format.c

// Whether `value` matches the policy's regular expression. True too for an expression that cannot
// be judged here (another dialect, too costly): the CA judges it anyway.
bool hvca_format_matches(const char *expression, const char *value);

// ---- ca_hvca_obstacle.c

// Notes that this certificate kept a scan for the request from being complete. Returns how many
// scans in a row it did.
uint32_t hvca_obstacle_count(struct ca *ca, int64_t request_id, const char *serial);
void hvca_obstacle_forget(struct ca *ca, int64_t request_id);

// ---- ca_hvca_rekey.c

// True where the request is one to rekey a certificate.
bool hvca_is_rekey(const struct hvca_call *call);
// Runs `step` once it is known that the old certificate is issued, and would be good for the new key;
// ends the call where it is not.
void hvca_check_rekeyed(struct hvca_call *call, hvca_call_step *step);
// Puts the way out behind what a refusal says.
void hvca_explain_no_rekey(const struct hvca_call *call, struct error *error);
void hvca_rekey_path(char out[HVCA_PATH_SIZE], const char *serial);

// ---- the calls

void hvca_fetch(struct hvca_call *call);
void hvca_reconcile(struct hvca_call *call);
void hvca_scan_free(struct hvca_scan *scan); // takes NULL
void hvca_revoke(struct hvca_call *call);
void hvca_check(struct hvca_call *call);

#endif
