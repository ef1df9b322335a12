// SPDX-License-Identifier: Apache-2.0
// What the ca_est*.c files share. Nobody else includes this.
#ifndef BIRTHCERT_CA_EST_INTERNAL_H
#define BIRTHCERT_CA_EST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "ca-client/http_auth.h"
#include "ca-client/web.h"

#define EST_CERTIFICATES_MAX (256 * 1024) // DER of one answer
#define EST_SIGNATURES_MAX 16
#define EST_WISHES_MAX 32
#define EST_SAID_SIZE 200 // of what the CA says for a person

// ---- what answers say, ca_est_answer.c: bytes from outside --------------------------------------

// The DER in a body: base64 in any form (RFC 8951, section 3.1), or DER although it must not be.
// E_CA_NONSENSE.
MUST_CHECK bool est_read_body(struct slice body, struct buf *der, struct error *error);

// Appends the certificates of a certs-only answer, as DER in its order. E_CA_NONSENSE.
MUST_CHECK bool est_read_certificates(struct slice body, struct buf *certificates,
                                      struct error *error);

// Picks the certificate that was asked for: the newest for this key, else the first that is no CA's.
// `rest` gets the others. False where there is no certificate but CAs'.
bool est_pick_leaf(struct slice certificates, const uint8_t spki_sha256[SHA256_SIZE],
                   struct slice *leaf, struct buf *rest);

// Brings the certificates of /cacerts, which have no order, into that of a chain: the CA that issues
// first, then each one's issuer. What belongs to no chain from there is left out.
MUST_CHECK bool est_order_chain(struct slice certificates, struct buf *chain);

// The text of an error answer, escaped, one line; "" where it is no text.
void est_read_text(const struct http_response *response, char out[EST_SAID_SIZE]);

// ---- CSR attributes, ca_est_attributes.c --------------------------------------------------------

// What /csrattrs asks for (RFC 7030, section 4.5.2), as far as it is understood: the rest has to be
// ignored. All zero: nothing.
struct est_wishes {
    bool names_keys;    // then one of `keys`
    unsigned keys;      // 1 << enum key_type
    char key_text[128]; // for messages
    size_t signature_count;
    int signatures[EST_SIGNATURES_MAX]; // NIDs, one of them
    bool wants_channel;                 // challengePassword: bound to the TLS channel (3.5)
    size_t count;                       // of what the CSR should hold further
    struct {
        int nid;
        bool is_extension; // else of the subject's names
    } wishes[EST_WISHES_MAX];
};

// Of the DER. E_CA_NONSENSE.
MUST_CHECK bool est_parse_wishes(struct slice der, struct est_wishes *wishes, struct error *error);

// Whether requests of the profile can be as the CA wants them, before there is any. E_CA_POLICY.
MUST_CHECK bool est_profile_fits(const struct est_wishes *wishes, const struct profile *profile,
                                 struct error *error);
// Whether this CSR is. E_CA_POLICY, E_CSR_MALFORMED.
MUST_CHECK bool est_csr_fits(const struct est_wishes *wishes, const struct profile *profile,
                             struct slice csr, struct error *error);

// ---- the CA -------------------------------------------------------------------------------------

enum est_operation { EST_CACERTS, EST_CSRATTRS, EST_SIMPLEENROLL };

struct est_call;
typedef void est_answer(struct est_call *call, const struct http_response *response);
// `error` is NULL where all went well.
typedef void est_next(struct est_call *call, const struct error *error, int64_t retry_after_ms);

struct est_call {
    struct call base;
    enum est_operation operation; // of the exchange under way
    unsigned logins;              // how many challenges were answered in it
    bool was_signed;              // it carried an answer
    est_answer *on_answer;
    est_next *on_learned;
    struct ca_report report; // check
};

struct ca {
    struct web web;
    char operations[WEB_PATH_SIZE]; // path of the operations behind the base URL, ends with a slash
    const char *base_path;          // of the base URL, for Digest; in web.site
    char *username;                 // NULL: none
    struct buf *password;           // secret
    struct http_auth auth;          // the server's last challenge
    bool is_learned;                // what follows is known
    struct buf *chain;              // DER of /cacerts, the CA that issues first
    struct buf *others;             // all of /cacerts
    struct est_wishes wishes;
};

// ca_est_call.c: whose call it is; and one operation, in which challenges of the server are answered on
// the way.
struct ca *est_of(const struct est_call *call);
void est_send(struct est_call *call, enum est_operation operation, est_answer *on_answer);

// ca_est_learn.c: reads /cacerts and /csrattrs.
void est_learn(struct est_call *call, est_next *on_learned);
void est_check(struct est_call *call);

// ca_est_enroll.c
void est_enroll(struct est_call *call);

#endif
