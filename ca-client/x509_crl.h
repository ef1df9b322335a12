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
    size_t count;                     // of the certificates that it lists
    bool
        is_whole; // it is for all certificates of its issuer (no issuingDistributionPoint, section 5.2.5)
};

// Reads a file with one list, PEM or DER. Whose signature it has is not looked at yet. One that says
// less than it seems to is refused: a delta, an indirect one, one with a critical extension that is not
// known, of the list or of an entry. The caller frees `crl`. E_CRL_FILE, with what the file is instead.
MUST_CHECK bool x509_crl_read(struct slice file, struct x509_crl **crl,
                              struct x509_crl_facts *facts, struct error *error);
void x509_crl_free(struct x509_crl *crl); // takes NULL

enum x509_crl_word {
    X509_CRL_SILENT, // it does not list the certificate, or lists that it is good again
    X509_CRL_REVOKED,
    X509_CRL_ON_HOLD, // certificateHold: the CA may take that back
};

struct x509_crl_entry {
    enum x509_crl_word word;
    const char
        *reason; // the CRLReason's name (section 5.3.1), static; "unspecified" where there is none
    int64_t revoked_ms; // wall clock; 0 where it cannot be read
};

// What the list says of the issuer's certificate with this serial number: big-endian, at most
// X509_SERIAL_MAX bytes; an empty one is listed nowhere.
struct x509_crl_entry x509_crl_find(struct x509_crl *crl, struct slice serial);

// Whether the list is the word of the CA that issued the leaf: signed by the issuer with which the leaf
// leads to a pinned root at `time_ms`, for which a time is taken when the leaf was valid; an issuer
// that may sign lists (keyUsage, section 4.2.1.3), and not with SHA-1. `extra_der` are further
// certificates as for x509_check_certificate. E_CRL_SIGNER, and what the way to the root fails with.
MUST_CHECK bool x509_crl_check_signer(struct x509_crl *crl, struct x509_trust *trust,
                                      struct slice leaf_der, struct slice extra_der,
                                      int64_t time_ms, struct error *error);

#endif
