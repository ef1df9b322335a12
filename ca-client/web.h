// SPDX-License-Identifier: Apache-2.0
// What every CA with a request-and-answer API over HTTP has: the engine, a queue that keeps to what
// the CA allows at once and per second, and the calls in progress. A backend that needs a login
// before each request (HVCA) has a queue of its own.
//
// A backend's `struct ca` begins with a struct web. Everything happens on the loop.
#ifndef BIRTHCERT_CA_WEB_H
#define BIRTHCERT_CA_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/http.h"
#include "ca-client/rate.h"
#include "ca-client/site.h"
#include "station/base/buf.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define WEB_PATH_SIZE 1024
#define WEB_HEADERS_MAX 6
#define WEB_REQUEST_MAX (64 * 1024)

struct web_exchange;

struct web {
    struct site site;
    struct call_list calls;
    struct loop_timer *timer;
    struct web_exchange *first; // that wait
    struct web_exchange *last;
    struct web_exchange *under_way;
    uint32_t in_flight;
    struct rate rate;
    bool resends_lost;
};

// What ca_ops.open does for the part that all have; see site_open. After a failure web_close is due
// as well.
MUST_CHECK bool web_open(struct web *web, struct loop *loop, const struct ca_settings *settings,
                         const struct ca_events *events, void *context, struct error *error);
// Ends what is in progress without results. Of one that was never opened, all zero: nothing.
void web_close(struct web *web);

typedef void web_answer(struct call *call, const struct http_response *response);

struct web_request {
    const char *method; // static
    const char *path;   // behind the base URL, begins with a slash or is empty; copied
    // Copied, and wiped when they have been sent; NULL ends the list.
    const char *headers[WEB_HEADERS_MAX];
    struct buf *body;  // taken over, and wiped when it has been sent; may be NULL
    bool at_most_once; // as in struct http_request: every request that makes the CA issue
    size_t body_max;   // likewise
};

// Queues one exchange of a call; at most one per call is in progress. The answer comes later from the
// loop, once.
void web_send(struct call *call, const struct web_request *request, web_answer *on_answer);
// The same with a body of JSON, or with none, and no headers of the backend's own.
void web_send_json(struct call *call, const char *method, const char *path, struct buf *body,
                   bool at_most_once, web_answer *on_answer);

// ---- what answers mean ---------------------------------------------------------------------------

// What the answer to an issuing request says where it is not the one hoped for, by its HTTP status
// alone. A no to this request (400, 422) is CA_REFUSED; a no to the station (401, 403), to how and
// where it asks (404, 405, 406, 411, 413, 415) or to the moment (429) is CA_NOT_SENT; anything else,
// 5xx included, leaves it open whether the CA acted: CA_DOUBT. `said` is the CA's own text, "" for
// none.
void web_judge(const struct http_response *response, const char *said, struct ca_result *result);

// What an answer that issued comes to: `der` has its certificates, leaf first; where they could not
// be read, result->error says why. That, and a leaf for another key, is CA_DOUBT: the CA has acted. The
// result points into `der`.
void web_judge_certificates(bool is_read, const struct buf *der,
                            const uint8_t spki_sha256[SHA256_SIZE], struct ca_result *result);

// What went wrong with a request that does no harm when it is repeated; `what` it was for.
void web_explain(const struct http_response *response, const char *said, const char *what,
                 struct error *error);

// The end of a check: what was found so far, and what failed, if anything (`error` may be NULL).
// Whether the CA was reached and let the station in follows from the error's class and code.
void web_report(struct call *call, struct ca_report *report, const struct error *error);

#endif
