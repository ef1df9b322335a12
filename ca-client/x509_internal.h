// SPDX-License-Identifier: Apache-2.0
// What the x509_*.c files share. Nobody else includes this.
#ifndef BIRTHCERT_CA_X509_INTERNAL_H
#define BIRTHCERT_CA_X509_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "ca-client/der.h"
#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

// ---- keys and signatures, x509_key.c ------------------------------------------------------------

// A key from a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), the whole element. OpenSSL 3.0
// takes over 100 µs to find out by itself what kind of key it has before it; being told, 20. NULL,
// and `key_type` 0, for a key that is none of enum key_type: another curve or size, a compressed
// point, RSA with an exponent below 65537. The caller frees it.
EVP_PKEY *x509_key_from_spki(struct slice spki, uint8_t *key_type);

// What goes into a signature, hashed one after the other.
struct signed_parts {
    struct slice parts[4];
    size_t count;
};

// True where the AlgorithmIdentifier (the whole element) is one that is accepted for such a key and
// the signature verifies. `known` says whether it is one that is accepted.
bool x509_verify_identified(EVP_PKEY *key, uint8_t key_type, struct slice identifier,
                            const struct signed_parts *message, struct slice signature,
                            bool *known);

// The same with enum signature_algorithm.
bool x509_verify_numbered(EVP_PKEY *key, uint8_t key_type, uint8_t algorithm,
                          const struct signed_parts *message, struct slice signature, bool *known);

// ---- the outer structure, x509_split.c ----------------------------------------------------------

// RFC 2986, section 4. Slices of whole elements, but for `signature`: the bits.
struct csr_parts {
    struct slice signed_part;
    struct slice subject;
    struct slice spki;
    struct slice algorithm;
    struct slice signature;
};

// RFC 5280, section 4.1. `serial` is the INTEGER's content.
struct certificate_parts {
    struct slice serial;
    struct slice spki;
};

// False where `der` is not exactly one such element, with nothing behind it.
bool x509_split_csr(struct slice der, struct csr_parts *parts);
bool x509_split_certificate(struct slice der, struct certificate_parts *parts);

// Decodes the one certificate that `der` is, at most X509_OBJECT_MAX bytes. NULL and
// E_CERT_MALFORMED with `what` in front. The caller frees it.
X509 *x509_decode(struct slice der, const char *what, struct error *error);

// ---- what is issued, x509_issue.c ---------------------------------------------------------------

// The subject, and an extension with that value (RFC 5280, section 4.2). NULL where it cannot be
// made. The caller frees it.
X509_NAME *x509_new_subject(const struct names *names);
X509_EXTENSION *x509_new_extension(int nid, bool critical, struct slice der);

// ---- names, x509_name.c -------------------------------------------------------------------------

// RFC 4514 text: printable ASCII, cut at `capacity` - 1 bytes.
void x509_name_text(const X509_NAME *name, char *out, size_t capacity);

// The subject as a DER Name, and the GeneralNames of subjectAltName (empty where there are none).
void x509_put_subject(struct der_writer *writer, const struct names *names);
void x509_put_alternative_names(struct der_writer *writer, const struct names *names);
#define X509_ALTERNATIVE_NAMES_MAX 2048

// E_CERT_NAMES where the GeneralNames of a subjectAltName hold others than these.
bool x509_check_no_other_names(struct slice general_names, const struct names *names,
                               struct error *error);

// E_CERT_NAMES where the subject, or all of the certificate's names, are not exactly these.
bool x509_check_subject(const X509_NAME *subject, const struct names *names, struct error *error);
bool x509_check_names(const X509 *certificate, const struct names *names, struct error *error);

// ---- the chain, x509_trust.c --------------------------------------------------------------------

// X509_verify_cert at `time_ms`, up to a pinned root, by any way that leads there; and the keys of those
// who sign are of a kind that is taken. On success `verified` holds the chain, leaf
// first, root last; the caller frees it. E_CERT_CHAIN, E_CERT_WEAK, E_CERT_EXTENSION,
// E_CERT_VALIDITY, E_CERT_MALFORMED (what the CA gave along).
bool x509_trust_verify(struct x509_trust *trust, X509 *leaf, struct slice extra_der,
                       int64_t time_ms, STACK_OF(X509) * *verified, struct error *error);

// All that could have signed: what the CA gave along, the intermediates and the pinned roots. NULL and E_MEMORY
// or E_CERT_MALFORMED. The caller frees it, with its certificates.
STACK_OF(X509) *
    x509_trust_candidates(struct x509_trust *trust, struct slice extra_der, struct error *error);

// ---- time, x509_validity.c ----------------------------------------------------------------------

// 9999-12-31T23:59:59Z, "no well-defined expiration" (RFC 5280, section 4.1.2.5).
#define X509_FOREVER_MS INT64_C(253402300799000)
#define X509_CLOCK_DIFFERENCE_MS (5 * 60 * 1000)

// False where it is no time that RFC 5280 allows.
bool x509_time_ms(const ASN1_TIME *time, int64_t *wall_ms);

// When the profile's validity ends if it begins at `begin_ms`.
int64_t x509_profile_end_ms(const struct profile *profile, int64_t begin_ms);

// E_CERT_VALIDITY. Begun and not ended now, and not too long.
bool x509_check_period(const struct certificate_expected *expected,
                       const struct certificate_facts *facts, struct error *error);

// Long enough, as far as the issuers in `verified` live long enough themselves.
bool x509_check_length(const struct certificate_expected *expected,
                       const struct certificate_facts *facts, const STACK_OF(X509) * verified,
                       struct error *error);

#endif
