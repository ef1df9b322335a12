// SPDX-License-Identifier: Apache-2.0
// Certificate revocation lists (RFC 5280, section 5): a CA's own word on what it revoked. Safe on hostile
// input. Not for two threads at once.
#ifndef BIRTHCERT_CA_X509_CRL_H
#define BIRTHCERT_CA_X509_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/x509.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define X509_CRL_MAX (64 * 1024 * 1024)

struct x509_crl;

struct x509_crl_facts {
    char issuer[X509_NAME_TEXT_SIZE]; // as in struct certificate_facts
    int64_t this_update_ms;           // wall clock: the CA knew all it says by then
    int64_t next_update_ms;           // by when there is a newer one; 0: it does not say
    size_t count;                     // of the certificates that it lists
    bool is_whole; // for all of its issuer: no issuingDistributionPoint (section 5.2.5)
};

// Reads a file with one list, PEM or DER. Whose signature it has is not looked at yet. One that says
// less than it seems to is refused: a delta, an indirect one, one that is for no certificates of end
// entities, one with a critical extension that is not known, of the list or of an entry. The caller
// frees `crl`. E_CRL_FILE, with what the file is instead.
MUST_CHECK bool x509_crl_read(struct slice file, struct x509_crl **crl,
                              struct x509_crl_facts *facts, struct error *error);
void x509_crl_free(struct x509_crl *crl); // takes NULL

// How near one came to whom the list is of; the last is the signer.
enum x509_crl_signer {
    X509_CRL_NOBODY,    // no CA certificate with the list's issuer for its subject is known
    X509_CRL_OTHER_KEY, // none of those has signed it
    X509_CRL_UNTRUSTED, // one has that leads to no pinned root, neither when the list was made nor now
    X509_CRL_UNFIT,     // one that may not sign lists (keyUsage, section 4.2.1.3), or with SHA-1
    X509_CRL_SIGNED,
};

// Finds the CA certificate whose key signed the list, among the roots and intermediates of `trust` and in
// `extra_der` (as for x509_check_certificate), and remembers it. `error` tells of all but X509_CRL_SIGNED:
// E_CRL_SIGNER; with X509_CRL_NOBODY also E_MEMORY, or E_CERT_MALFORMED for `extra_der`.
MUST_CHECK enum x509_crl_signer x509_crl_find_signer(struct x509_crl *crl, struct x509_trust *trust,
                                                     struct slice extra_der, struct error *error);

enum x509_crl_word {
    X509_CRL_SILENT, // it does not list the certificate, or lists that it is good again
    X509_CRL_REVOKED,
    X509_CRL_ON_HOLD, // certificateHold: the CA may take that back
};

struct x509_crl_entry {
    enum x509_crl_word word;
    const char *reason; // the CRLReason's name (section 5.3.1), static; "unspecified" for none
    int64_t revoked_ms; // wall clock; 0 where it cannot be read
};

// What the list says of its issuer's certificate with this serial number: big-endian, at most
// X509_SERIAL_MAX bytes; an empty one is listed nowhere. Quick, and whose word it is stays open.
struct x509_crl_entry x509_crl_find(struct x509_crl *crl, struct slice serial);

// Whose a certificate is, beside a list.
enum x509_crl_scope {
    X509_CRL_OF_ANOTHER, // another issuer's name is on it, or it cannot be read: the list says nothing of it
    X509_CRL_OF_NAMESAKE, // of the list's issuer, by another key: a CA has several in the course of time
    X509_CRL_OF_SIGNER, // issued with the key that signed the list
};

// After x509_crl_find_signer: whose the certificate is, and what the list says of its serial number.
enum x509_crl_scope x509_crl_judge(struct x509_crl *crl, struct slice leaf_der,
                                   struct x509_crl_entry *entry);

#endif
