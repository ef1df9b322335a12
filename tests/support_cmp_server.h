// SPDX-License-Identifier: Apache-2.0
// A CA that speaks CMP, by OpenSSL's server side, behind the misbehaving web server: it issues what
// the profile https asks for. For tests of the backend cmp.
#ifndef BIRTHCERT_TESTS_SUPPORT_CMP_SERVER_H
#define BIRTHCERT_TESTS_SUPPORT_CMP_SERVER_H

#include <openssl/cmp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/key.h"
#include "ca-client/x509_issue.h"
#include "tests/support_http_server.h"

#define CMP_SERVER_TRANSACTIONS 1024

// RFC 4210, section 5.1.2.
enum { CMP_P10CR = 4, CMP_RR = 11, CMP_GENM = 21, CMP_CERTCONF = 24, CMP_POLLREQ = 25 };

enum cmp_fault {
    CMP_FAULT_NONE,
    CMP_FAULT_NOT_READ,       // the connection ends before the CA saw the message
    CMP_FAULT_DROPPED,        // ... and after it acted
    CMP_FAULT_GARBAGE,        // bytes that are no CMP
    CMP_FAULT_CUT,            // half of the answer
    CMP_FAULT_TRAILING,       // something behind the answer
    CMP_FAULT_OTHER_ID,       // the answer of another transaction
    CMP_FAULT_OTHER_NONCE,    // an answer to another message, well protected
    CMP_FAULT_BAD_PROTECTION, // one bit of the header is another
    CMP_FAULT_ERROR,          // an error message with fail_bit
    CMP_FAULT_BARE_ERROR,     // the same, without protection
    CMP_FAULT_HTTP_400,
    CMP_FAULT_HTTP_404,
    CMP_FAULT_HTTP_500,
    CMP_FAULT_HTML,      // 200, and a web page
    CMP_FAULT_WRONG_KEY, // a certificate for another key
    CMP_FAULT_LONG,      // more certificates along than anybody can keep
    CMP_FAULT_REJECTED,  // a response that says rejection, with fail_bit
};

struct cmp_server_settings {
    enum cmp_fault fault;
    int fault_at;         // the kind of message that it strikes
    unsigned fault_times; // 0: always
    int fail_bit;
    unsigned polls; // how often it wants to be asked again
    int64_t check_after_s;
    const char *secret;       // protects by a secret, under the name "station"
    bool signs_like_a_camera; // its certificate has no usage of a CA
    bool plain;               // without TLS
    const char *record_file;  // gets each certificate that is issued, PEM; NULL: none
};

struct cmp_transaction {
    struct cmp_server *server;
    uint8_t id[16];
    OSSL_CMP_SRV_CTX *context;
    OSSL_CMP_MSG *request; // while it is polled for
    unsigned polls;
};

struct cmp_server {
    struct cmp_server_settings settings;
    struct server http;
    struct profile profile;
    struct x509_issuer *issuer;
    struct key *issuer_key;
    EVP_PKEY *signer_key;
    X509 *signer;
    char root_file[160];
    char secret_file[160];
    char signer_name[64];
    char url[64];
    pthread_mutex_t lock;
    unsigned faults;
    unsigned seen[32]; // messages, by their kind
    unsigned issued;
    unsigned confirmed;
    unsigned rejected;
    unsigned revoked;
    size_t transaction_count;
    struct cmp_transaction transactions[CMP_SERVER_TRANSACTIONS];
    struct buf *last; // the last good answer
};

void cmp_server_start(struct cmp_server *server, const struct cmp_server_settings *settings);
void cmp_server_stop(struct cmp_server *server);
// The section [ca NAME] for it.
struct ca_settings cmp_server_ca(const struct cmp_server *server);

#endif
