// SPDX-License-Identifier: Apache-2.0
// What CA backends need of X.509 besides the checks in x509.h: the station's own certificate, and
// looking at what a CA lists.
#ifndef BIRTHCERT_CA_X509_STATION_H
#define BIRTHCERT_CA_X509_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// The first certificate of a PEM file and the private key, as key_load takes it, that must belong to
// it. `not_after_ms` gets the certificate's end. E_CA_CONFIG, and what key_load fails with.
MUST_CHECK bool x509_station_check(const char *certificate_file, const char *key_file,
                                   int64_t *not_after_ms, struct error *error);

// What tells one issued certificate from another.
struct certificate_identity {
    uint8_t spki_sha256[SHA256_SIZE];
    int64_t not_before_s;
    bool is_ca; // as it says of itself
};

// Of one DER certificate; says nothing on whether it is good. E_CERT_MALFORMED.
MUST_CHECK bool x509_identify(struct slice der, struct certificate_identity *identity,
                              struct error *error);

#define X509_DECIMAL_SIZE (X509_SERIAL_MAX * 5 / 2 + 1) // log10(256) is below 2.5
#define X509_KEY_ID_MAX 64

// What CAs call a certificate by where one asks for its revocation.
struct certificate_reference {
    char serial[X509_DECIMAL_SIZE];                 // decimal
    char serial_hex[2 * X509_SERIAL_MAX + 1];       // in whole bytes, without leading zeros
    char authority_key_id[2 * X509_KEY_ID_MAX + 1]; // hex (RFC 5280, section 4.2.1.1); "": none
    int64_t not_after_ms;
};

// Of one DER certificate. E_CERT_MALFORMED.
MUST_CHECK bool x509_refer(struct slice der, struct certificate_reference *reference,
                           struct error *error);

// The GeneralNames of a subjectAltName (RFC 5280, section 4.2.1.6), DER, appended; nothing where
// there is no such name.
MUST_CHECK bool x509_make_alternative_names(const struct names *names, struct buf *der,
                                            struct error *error);

// Whether the CA whose chain this is (DER, issuing CA first; empty: not known, and good) leads to a
// root in the PEM file at `time_ms`. `intermediates_file` may be NULL. E_CA_CONFIG.
MUST_CHECK bool x509_check_issuer(const char *root_file, const char *intermediates_file,
                                  struct slice chain_der, int64_t time_ms, struct error *error);

// The subject of one DER certificate for a person: RFC 4514, escaped, cut at `capacity` - 1. ""
// where it cannot be read.
void x509_subject_text(struct slice der, char *out, size_t capacity);

#endif
