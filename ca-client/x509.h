// SPDX-License-Identifier: Apache-2.0
// Checks on CSRs, certificates and proofs of possession, all by OpenSSL. Safe on hostile input:
// sizes are capped before anything is decoded.
#ifndef BIRTHCERT_CA_X509_H
#define BIRTHCERT_CA_X509_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/profile.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define X509_OBJECT_MAX 16384
#define X509_NAME_TEXT_SIZE 256
#define X509_SERIAL_MAX 20 // RFC 5280, section 4.1.2.2

// What a good CSR says.
struct csr_facts {
    uint8_t spki_sha256[SHA256_SIZE];
    uint8_t key_type;        // enum key_type of protocol/message.h; 0: none of them
    char subject_serial[65]; // the subject's serialNumber, else its CN, else ""
};

// Parses one DER PKCS#10 (RFC 2986) with nothing behind it, verifies its signature with its own
// key, and tells its facts. E_CSR_MALFORMED, E_CSR_SIGNATURE, E_CSR_KEY_TYPE (weak or unknown key).
MUST_CHECK bool x509_check_csr(struct slice der, struct csr_facts *facts, struct error *error);

// Holds the CSR's subject against the names of the profile: for a CA that takes them from there. It
// takes more from there, so x509_check_csr_extensions is part of it. E_CSR_SUBJECT, E_CSR_MALFORMED;
// E_CONFIG, E_CAM_MALFORMED as x509_make_subject.
MUST_CHECK bool x509_check_csr_subject(struct slice csr_der, const struct profile *profile,
                                       const struct profile_subject *subject, struct error *error);

// What the CSR asks for in extensions (extensionRequest, RFC 2985, section 5.4.2) must be the
// profile's, or nothing: names in subjectAltName, extended key usages; key usages but those of a CA;
// CA:FALSE; a key identifier. E_CSR_EXTENSION, and as above.
MUST_CHECK bool x509_check_csr_extensions(struct slice csr_der, const struct profile *profile,
                                          const struct profile_subject *subject,
                                          struct error *error);

// Writes the DER Name that the camera is asked to put into its CSR. `capacity` of 1024 is enough.
// Returns false where a template does not fill.
MUST_CHECK bool x509_make_subject(const struct profile *profile,
                                  const struct profile_subject *subject, uint8_t *out,
                                  size_t capacity, size_t *length, struct error *error);

// The pinned roots and the intermediates that certificates are checked with. It remembers what a CA
// gave along last: one thread at a time.
struct x509_trust;

// Reads PEM certificates. `intermediates_pem` may be empty. At least one self-signed root is
// needed. E_CA_CONFIG.
MUST_CHECK bool x509_trust_new(struct slice roots_pem, struct slice intermediates_pem,
                               struct x509_trust **trust, struct error *error);
void x509_trust_free(struct x509_trust *trust); // takes NULL

// What a certificate says; filled as far as it could be read, also when the check fails.
struct certificate_facts {
    uint8_t sha256[SHA256_SIZE]; // of the leaf's DER
    uint8_t spki_sha256[SHA256_SIZE];
    uint8_t serial[X509_SERIAL_MAX]; // big-endian, without leading zeros
    size_t serial_length;
    char issuer[X509_NAME_TEXT_SIZE]; // RFC 4514, escaped
    char subject[X509_NAME_TEXT_SIZE];
    int64_t not_before_ms;
    int64_t not_after_ms;
};

// What the certificate is held against.
struct certificate_expected {
    const struct profile *profile;
    struct profile_subject subject;
    const uint8_t *spki_sha256; // the key that was asked for, SHA256_SIZE bytes
    int64_t now_ms;             // wall clock
    int64_t asked_ms;           // wall clock of the request; 0: now
    // End of the certificate that it was rekeyed from, wall clock: long enough as well. 0: there is none.
    int64_t replaces_not_after_ms;
};

// Checks the leaf in `leaf_der` before it goes near a camera: key; subject and subjectAltName equal
// to the profile's; digitalSignature, the profile's extended key usages and no others, and issuers
// whose extended key usages, where they have some, allow these; CA:FALSE;
// validity (begun, by at most 5 minutes of clock difference; not after the profile's end; at least
// 90 % of what was asked for, counted from the day before the request where it begins earlier still,
// unless the issuer expires before, or up to the end of the one that it was rekeyed from); chain to a
// pinned root with X509_verify_cert, of issuers with keys on P-256, P-384 or P-521, RSA from 2048
// bits, Ed25519 or Ed448; no SHA-1 signature. `extra_der` are further certificates from the CA, DER
// one after the other, may be empty.
// On success `chain` gets what is to be installed: leaf first, then intermediates, without the root.
// E_CERT_*.
MUST_CHECK bool x509_check_certificate(struct x509_trust *trust, struct slice leaf_der,
                                       struct slice extra_der,
                                       const struct certificate_expected *expected,
                                       struct certificate_facts *facts, struct buf *chain,
                                       struct error *error);

// Whether a certificate with the names, usages and validity of this one would be good if it were issued
// anew, for another key. E_CERT_MALFORMED, E_CERT_NAMES, E_CERT_USAGE, E_CERT_VALIDITY.
MUST_CHECK bool x509_check_content(struct slice leaf_der, const struct profile *profile,
                                   const struct profile_subject *subject, int64_t now_ms,
                                   struct error *error);

// Verifies PROVE's signature over "birthcert-prove-v1" 00 SHA-256(leaf DER) nonce with the leaf's
// key. `chain_der` is what is installed, leaf first. `algorithm` is enum signature_algorithm and
// must fit the key. E_CAM_PROOF.
MUST_CHECK bool x509_check_proof(struct slice chain_der, struct slice nonce, uint8_t algorithm,
                                 struct slice signature, struct error *error);

// The first DER element of `der`; empty where there is none.
struct slice x509_first_der(struct slice der);

// PEM certificates to DER, one after the other, and one DER to PEM. E_CERT_MALFORMED.
MUST_CHECK bool x509_pem_to_der(struct slice pem, struct buf *der, struct error *error);
MUST_CHECK bool x509_der_to_pem(struct slice der, const char *label, struct buf *pem,
                                struct error *error);

// The certificates in a PKCS #7 of type signedData (RFC 5652, section 5; "certs-only"), in its order,
// as DER one after the other; there may be none. Whether it is signed is not looked at. `der` is
// spoilt where it fails. E_CERT_MALFORMED.
#define X509_PKCS7_MAX (256 * 1024)
MUST_CHECK bool x509_pkcs7_to_der(struct slice pkcs7, struct buf *der, struct error *error);

// The certificates of a file that a person brought, as DER one after the other: PEM, DER, or a PKCS #7
// in either. `der` is spoilt where it fails. E_CERT_MALFORMED, with what the file is instead.
#define X509_FILE_MAX (64 * 1024 * 1024)
MUST_CHECK bool x509_file_to_der(struct slice file, struct buf *der, struct error *error);

// The subjectPublicKeyInfo of a CSR or of a certificate as PEM ("PUBLIC KEY"), for CAs that take a
// key instead of a CSR.
MUST_CHECK bool x509_csr_public_key_pem(struct slice csr_der, struct buf *pem, struct error *error);

void x509_sha256(struct slice data, uint8_t out[SHA256_SIZE]);

#endif
