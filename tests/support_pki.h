// SPDX-License-Identifier: Apache-2.0
// Makes keys, CSRs and certificates for tests, right ones and wrong ones. Whatever cannot be made
// ends the test program with a message: a fault of the test, never of what is tested.
#ifndef BIRTHCERT_TESTS_SUPPORT_PKI_H
#define BIRTHCERT_TESTS_SUPPORT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "station/base/buf.h"
#include "station/base/bytes.h"

// 2026-03-01T12:00:00Z, the tests' wall clock.
#define PKI_NOW_MS INT64_C(1772366400000)
#define PKI_DAY_MS INT64_C(86400000)
#define PKI_FOREVER_MS INT64_C(253402300799000)

// ---- keys: the caller frees them with EVP_PKEY_free ---------------------------------------------

// "P-256", "P-384", "P-521", "ED25519", "RSA-2048", "RSA-1024", ...
EVP_PKEY *pki_key(const char *kind);
EVP_PKEY *pki_rsa_key(unsigned bits, unsigned long exponent);
void pki_spki_sha256(EVP_PKEY *key, uint8_t out[SHA256_SIZE]);

// ---- certificates -------------------------------------------------------------------------------

struct pki_pair {
    const char *name; // "CN", "serialNumber"; or an extension: "keyUsage", "1.2.3.4"
    const char *value;
};

#define PKI_PAIRS_MAX 10

// Each list ends with a NULL name.
struct pki_spec {
    const X509 *issuer; // NULL: self-signed
    EVP_PKEY *issuer_key;
    EVP_PKEY *key;
    struct pki_pair subject[PKI_PAIRS_MAX];
    struct pki_pair extensions[PKI_PAIRS_MAX]; // in the language of x509v3_config(5)
    const char *config;    // sections that extension values refer to; NULL: none
    const char *serial;    // hex, may be negative ("-5"); NULL: random, 16 bytes
    const char *digest;    // NULL: SHA256, or none for Ed25519
    int64_t not_before_ms; // 0: PKI_NOW_MS - 1 day
    int64_t not_after_ms;  // 0: PKI_NOW_MS + 3650 days
};

// The caller frees it with X509_free.
X509 *pki_certificate(const struct pki_spec *spec);

// Replaces an entry of a spec's list by name, or adds it; `value` NULL takes it out.
void pki_set(struct pki_pair list[PKI_PAIRS_MAX], const char *name, const char *value);

struct pki_ca {
    X509 *certificate;
    EVP_PKEY *key;
};

// A P-256 CA; `issuer` NULL makes a root. Without end. pki_ca_free takes an empty one.
struct pki_ca pki_ca_new(const char *common_name, const struct pki_ca *issuer);
void pki_ca_free(struct pki_ca *ca);

// A certificate for TLS on 127.0.0.1 and localhost, for a server and for a client, valid from
// 2020 without end (TLS libraries look at the real clock).
X509 *pki_tls_certificate(const struct pki_ca *ca, const char *common_name, EVP_PKEY *key);

// ---- encodings: the caller frees them with buf_free ---------------------------------------------

struct buf *pki_der(const X509 *certificate);
struct buf *pki_pem(const X509 *certificate);
struct buf *pki_key_pem(EVP_PKEY *key);
struct buf *pki_join(const struct buf *a, const struct buf *b);

// ---- requests and proofs ------------------------------------------------------------------------

// A DER PKCS #10. `digest` NULL as in pki_spec; `pss` with RSASSA-PSS.
struct buf *pki_csr(EVP_PKEY *key, const struct pki_pair subject[], const char *digest, bool pss);

// One that asks for extensions, in one list or, for a CA to take the second of, in two.
struct buf *pki_csr_asking(EVP_PKEY *key, const struct pki_pair subject[],
                           const struct pki_pair extensions[], bool in_two_lists);

// Signs with enum signature_algorithm.
struct buf *pki_sign(EVP_PKEY *key, uint8_t algorithm, struct slice message);

// What a camera signs at PROVE.
struct buf *pki_proof(EVP_PKEY *key, uint8_t algorithm, struct slice leaf_der, struct slice nonce);

// ---- files --------------------------------------------------------------------------------------

// A new folder under /tmp; pki_folder_remove removes it with the files in it.
void pki_folder_new(char out[64]);
void pki_folder_remove(const char *folder);
void pki_write_file(const char *folder, const char *name, mode_t mode, struct slice data,
                    char out_path[160]);

#endif
