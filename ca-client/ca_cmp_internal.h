// SPDX-License-Identifier: Apache-2.0
// What the ca_cmp_*.c files that call OpenSSL share. Nobody else includes this.
#ifndef BIRTHCERT_CA_CMP_INTERNAL_H
#define BIRTHCERT_CA_CMP_INTERNAL_H

#include <openssl/cmp.h>
#include <openssl/x509.h>

#include "ca-client/ca_cmp_talk.h"
#include "ca-client/key_openssl.h"

// Kinds of message (RFC 4210, section 5.1.2), of which OpenSSL's headers name only some.
enum {
    CMP_BODY_CP = 3,
    CMP_BODY_ERROR = 23,
    CMP_BODY_POLLREQ = 25,
    CMP_BODY_POLLREP = 26,
};

struct cmp_station {
    X509 *certificate; // with `key`; NULL where a secret protects messages
    STACK_OF(X509) * chain;
    struct key *key;
    struct buf *secret;   // owned, may be NULL
    char *reference;      // the secret's name
    X509_NAME *authority; // NULL: not set
    X509_STORE *trusted;
};

// An OSSL_CMP_CTX with all that is the station's. NULL without memory. The caller frees it.
OSSL_CMP_CTX *cmp_station_context(const struct cmp_station *station);

#endif
