// SPDX-License-Identifier: Apache-2.0
// Everything that reads X.509 from outside. The first byte of an input chooses what is read; an
// input is taken as it is, or as changes to something that is right.
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "ca-client/x509_issue.h"
#include "ca-client/x509_trial.h"
#include "protocol/message.h"
#include "station/base/buf.h"

#define NOW_MS INT64_C(1772366400000)

static struct {
    struct x509_trust *trust;
    struct profile profile;
    struct buf *csr;
    struct buf *leaf;
    struct buf *root_pem;
    struct csr_facts csr_facts;
    struct certificate_expected expected;
} world;

static void need(bool good) {
    if (!good) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    struct error error;
    struct key *key = NULL;
    struct x509_issuer *issuer = NULL;
    struct buf *key_pem = buf_new(X509_OBJECT_MAX);
    uint8_t spki_sha256[SHA256_SIZE];
    world.csr = buf_new(X509_OBJECT_MAX);
    world.leaf = buf_new(X509_OBJECT_MAX);
    world.root_pem = buf_new(X509_OBJECT_MAX);
    const struct profile_subject subject = {.serial = "A1", .model = "M"};
    need(profile_built_in("idevid", &world.profile) &&
         x509_make_trial(&world.profile, &subject, world.csr, spki_sha256, &error) &&
         x509_check_csr(buf_slice(world.csr), &world.csr_facts, &error) &&
         x509_create_root("Root", NOW_MS, world.root_pem, key_pem, &error) &&
         key_from_pem(buf_slice(key_pem), "the key", &key, &error) &&
         x509_issuer_new(buf_slice(world.root_pem), key, &issuer, &error) &&
         x509_trust_new(buf_slice(world.root_pem), (struct slice){NULL, 0}, &world.trust, &error));
    const struct x509_issue_request request = {.profile = &world.profile,
                                               .subject = subject,
                                               .csr = buf_slice(world.csr),
                                               .not_before_ms = NOW_MS};
    need(x509_issue(issuer, &request, world.leaf, &error));
    world.expected = (struct certificate_expected){.profile = &world.profile,
                                                   .subject = request.subject,
                                                   .spki_sha256 = world.csr_facts.spki_sha256,
                                                   .now_ms = NOW_MS};
    x509_issuer_free(issuer);
    key_free(key);
    buf_free_secret(key_pem);
    return 0;
}

// Triples of offset and value change a copy of what is right; `*changed` says whether they did.
static size_t patch(struct slice good, struct slice changes, uint8_t out[X509_OBJECT_MAX],
                    bool *changed) {
    memcpy(out, good.data, good.length);
    for (size_t i = 0; i + 3 <= changes.length; i += 3) {
        size_t offset = load_be16(changes.data + i) % good.length;
        out[offset] = changes.data[i + 2];
    }
    *changed = memcmp(out, good.data, good.length) != 0;
    return good.length;
}

// Where `must_fail`, nothing may be accepted: the input is not what was signed.
static void try_csr(struct slice der, bool must_fail) {
    struct csr_facts facts;
    struct error error;
    struct buf *pem = buf_new(4 * X509_OBJECT_MAX);
    bool good = x509_check_csr(der, &facts, &error);
    need(!good || !must_fail);
    (void)!x509_csr_public_key_pem(der, pem, &error);
    (void)!x509_check_csr_subject(der, &world.profile, &world.expected.subject, &error);
    (void)!x509_check_csr_extensions(der, &world.profile, &world.expected.subject, &error);
    buf_free(pem);
}

static void try_certificate(struct slice leaf, struct slice extra, bool must_fail) {
    struct certificate_facts facts;
    struct error error;
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    bool good =
        x509_check_certificate(world.trust, leaf, extra, &world.expected, &facts, chain, &error);
    need(!good || !must_fail);
    buf_free(chain);
}

static void try_pem(struct slice pem) {
    struct error error;
    struct x509_trust *trust = NULL;
    struct buf *der = buf_new(4 * X509_OBJECT_MAX);
    (void)!x509_pem_to_der(pem, der, &error);
    buf_clear(der);
    (void)!x509_file_to_der(pem, der, &error);
    (void)!x509_trust_new(pem, (struct slice){NULL, 0}, &trust, &error);
    x509_trust_free(trust);
    buf_free(der);
}

static void try_proof(struct slice chain, struct slice signature) {
    static const uint8_t nonce[32] = {1};
    struct error error;
    for (uint8_t algorithm = 0; algorithm <= 6; algorithm++) {
        need(!x509_check_proof(chain, (struct slice){nonce, sizeof nonce}, algorithm, signature,
                               &error));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t copy[X509_OBJECT_MAX];
    bool changed;
    if (size < 1) {
        return 0;
    }
    struct slice input = {data + 1, size - 1};
    struct slice leaf = buf_slice(world.leaf);
    switch (data[0] % 8) {
    case 0:
        try_csr(input, true);
        break;
    case 1:
        try_certificate(input, input, true);
        break;
    case 2:
        try_certificate(leaf, input, false);
        break;
    case 3:
        try_pem(input);
        break;
    case 4:
        try_proof(leaf, input);
        try_proof(input, input);
        break;
    case 5: {
        size_t length = patch(buf_slice(world.csr), input, copy, &changed);
        try_csr((struct slice){copy, length}, changed);
        break;
    }
    case 6: {
        size_t length = patch(leaf, input, copy, &changed);
        try_certificate((struct slice){copy, length}, (struct slice){NULL, 0}, changed);
        break;
    }
    default: {
        size_t length = patch(buf_slice(world.root_pem), input, copy, &changed);
        try_pem((struct slice){copy, length});
        break;
    }
    }
    return 0;
}
