// SPDX-License-Identifier: Apache-2.0
// The floor under a unit's cost: the OpenSSL work alone, as plain calls, for one P-256 camera: parse
// and verify the CSR, parse the certificate and verify it to the root, verify the proof, and the
// hashes. Prints CPU microseconds per unit, for plain calls and for birthcert's own checks.
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ca-client/x509.h"
#include "protocol/message.h"
#include "tests/support_pki.h"

#define ROUNDS 2000

struct work {
    struct pki_ca root;
    struct pki_ca issuing;
    X509_STORE *store;
    STACK_OF(X509) * untrusted;
    struct x509_trust *trust;
    struct profile profile;
    struct buf *csr;
    struct buf *leaf;
    struct buf *extra;
    struct buf *proof;
    uint8_t nonce[MESSAGE_NONCE_SIZE];
    uint8_t spki_sha256[SHA256_SIZE];
};

static void must(bool done, const char *what) {
    if (!done) {
        fprintf(stderr, "bench_crypto: %s failed\n", what);
        exit(1);
    }
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void prepare_trust(struct work *work) {
    struct error error;
    struct buf *root = pki_pem(work->root.certificate);
    struct buf *issuing = pki_pem(work->issuing.certificate);
    must(x509_trust_new(buf_slice(root), buf_slice(issuing), &work->trust, &error), "trust");
    buf_free(root);
    buf_free(issuing);
    work->store = X509_STORE_new();
    work->untrusted = sk_X509_new_null();
    X509_STORE_add_cert(work->store, work->root.certificate);
    sk_X509_push(work->untrusted, work->issuing.certificate);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(work->store), PKI_NOW_MS / 1000);
}

static void prepare(struct work *work) {
    EVP_PKEY *key = pki_key("P-256");
    const struct pki_pair subject[] = {
        {"CN", "VX2251L-000001"}, {"serialNumber", "VX2251L-000001"}, {NULL, NULL}};
    work->root = pki_ca_new("bench root", NULL);
    work->issuing = pki_ca_new("bench issuing", &work->root);
    must(profile_built_in("https", &work->profile), "profile");
    struct pki_spec spec = {
        .issuer = work->issuing.certificate,
        .issuer_key = work->issuing.key,
        .key = key,
        .subject = {{"CN", "VX2251L-000001"}, {"serialNumber", "VX2251L-000001"}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"basicConstraints", "critical,CA:FALSE"},
                       {"subjectAltName", "DNS:VX2251L-000001.local"}},
        .not_before_ms = PKI_NOW_MS - 60000,
        .not_after_ms = PKI_NOW_MS + 3650 * PKI_DAY_MS - 60000,
    };
    X509 *leaf = pki_certificate(&spec);
    work->csr = pki_csr(key, subject, "SHA256", false);
    work->leaf = pki_der(leaf);
    work->extra = pki_der(work->issuing.certificate);
    work->proof = pki_proof(key, SIGNATURE_ECDSA_SHA256, buf_slice(work->leaf),
                            (struct slice){work->nonce, sizeof work->nonce});
    pki_spki_sha256(key, work->spki_sha256);
    prepare_trust(work);
    X509_free(leaf);
    EVP_PKEY_free(key);
}

static void plain_csr(const struct work *work) {
    struct slice der = buf_slice(work->csr);
    const unsigned char *cursor = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &cursor, (long)der.length);
    must(request != NULL && X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1, "CSR");
    X509_REQ_free(request);
}

static void plain_proof(const struct work *work, X509 *leaf) {
    uint8_t message[19 + SHA256_SIZE + MESSAGE_NONCE_SIZE] = "birthcert-prove-v1";
    struct slice der = buf_slice(work->leaf);
    struct slice proof = buf_slice(work->proof);
    must(EVP_Digest(der.data, der.length, message + 19, NULL, EVP_sha256(), NULL) == 1, "hash");
    memcpy(message + 19 + SHA256_SIZE, work->nonce, sizeof work->nonce);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, X509_get0_pubkey(leaf)) == 1 &&
             EVP_DigestVerify(context, proof.data, proof.length, message, sizeof message) == 1,
         "proof");
    EVP_MD_CTX_free(context);
}

static void plain_unit(const struct work *work) {
    uint8_t digest[SHA256_SIZE];
    struct slice der = buf_slice(work->leaf);
    const unsigned char *cursor = der.data;
    plain_csr(work);
    X509 *leaf = d2i_X509(NULL, &cursor, (long)der.length);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, work->store, leaf, work->untrusted);
    must(X509_verify_cert(context) == 1, "certificate");
    X509_STORE_CTX_free(context);
    // The chain at COMMIT, the key of CSR and certificate.
    for (int i = 0; i < 3; i++) {
        EVP_Digest(der.data, der.length, digest, NULL, EVP_sha256(), NULL);
    }
    plain_proof(work, leaf);
    X509_free(leaf);
}

static void checked_unit(const struct work *work) {
    struct error error = {0};
    struct csr_facts csr;
    struct certificate_facts facts;
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    struct certificate_expected expected = {
        .profile = &work->profile,
        .subject = {.serial = "VX2251L-000001", .model = "VX-2251L"},
        .spki_sha256 = work->spki_sha256,
        .now_ms = PKI_NOW_MS,
    };
    struct slice nonce = {work->nonce, sizeof work->nonce};
    bool good = x509_check_csr(buf_slice(work->csr), &csr, &error) &&
                x509_check_certificate(work->trust, buf_slice(work->leaf), buf_slice(work->extra),
                                       &expected, &facts, chain, &error) &&
                x509_check_proof(buf_slice(chain), nonce, SIGNATURE_ECDSA_SHA256,
                                 buf_slice(work->proof), &error);
    must(good, error.text);
    buf_free(chain);
}

static double measure(const struct work *work, void (*unit)(const struct work *)) {
    for (int i = 0; i < ROUNDS / 10; i++) {
        unit(work);
    }
    int64_t start = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        unit(work);
    }
    return (double)(cpu_ns() - start) / 1000 / ROUNDS;
}

int main(void) {
    struct work work = {0};
    prepare(&work);
    double plain = measure(&work, plain_unit);
    double checked = measure(&work, checked_unit);
    printf("plain %.0f\nchecked %.0f\n", plain, checked);
    return 0;
}
