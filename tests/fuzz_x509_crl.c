// SPDX-License-Identifier: Apache-2.0
// Certificate revocation lists from outside: taken as they are, or as changes to one that is right, of
// which none may pass as the CA's word.
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_crl.h"
#include "tests/support_pki.h"

static struct {
    struct pki_ca root;
    struct x509_trust *trust;
    struct buf *leaf;
    struct buf *list;
} world;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

// Of the certificate 0102 alone.
static struct buf *make_list(void) {
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(PKI_NOW_MS / 1000));
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    unsigned char *der = NULL;
    need(ASN1_INTEGER_set(serial, 0x0102) == 1 &&
         X509_REVOKED_set_serialNumber(revoked, serial) == 1 &&
         X509_REVOKED_set_revocationDate(revoked, time) == 1 &&
         X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
         X509_CRL_set_issuer_name(list, X509_get_subject_name(world.root.certificate)) == 1 &&
         X509_CRL_set1_lastUpdate(list, time) == 1 && X509_CRL_add0_revoked(list, revoked) == 1 &&
         X509_CRL_sign(list, world.root.key, EVP_sha256()) > 0);
    int length = i2d_X509_CRL(list, &der);
    struct buf *out = buf_new(X509_OBJECT_MAX);
    need(length > 0 && buf_put(out, der, (size_t)length));
    OPENSSL_free(der);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(time);
    X509_CRL_free(list);
    return out;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    struct error error;
    world.root = pki_ca_new("Root", NULL);
    const struct pki_spec spec = {.issuer = world.root.certificate,
                                  .issuer_key = world.root.key,
                                  .key = world.root.key,
                                  .subject = {{"CN", "A1"}},
                                  .serial = "0102"};
    X509 *leaf = pki_certificate(&spec);
    struct buf *pem = pki_pem(world.root.certificate);
    world.leaf = pki_der(leaf);
    world.list = make_list();
    need(x509_trust_new(buf_slice(pem), (struct slice){NULL, 0}, &world.trust, &error));
    buf_free(pem);
    X509_free(leaf);
    return 0;
}

// Whether it is the CA's word that the certificate is revoked.
static bool try_list(struct slice file) {
    static const uint8_t serial[] = {1, 2};
    struct x509_crl *crl = NULL;
    struct x509_crl_facts facts;
    struct error error;
    if (!x509_crl_read(file, &crl, &facts, &error)) {
        need(error.code == E_CRL_FILE && crl == NULL);
        return false;
    }
    const struct x509_crl_entry entry = x509_crl_find(crl, (struct slice){serial, sizeof serial});
    need(entry.reason != NULL && facts.issuer[sizeof facts.issuer - 1] == '\0');
    struct x509_crl_entry same;
    bool is_believed = x509_crl_find_signer(crl, world.trust, (struct slice){NULL, 0}, &error) ==
                           X509_CRL_SIGNED &&
                       x509_crl_judge(crl, buf_slice(world.leaf), &same) == X509_CRL_OF_SIGNER &&
                       same.word == entry.word;
    x509_crl_free(crl);
    return is_believed && entry.word == X509_CRL_REVOKED;
}

// The first byte chooses. Of changes, triples of offset and value make them.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t copy[X509_OBJECT_MAX];
    if (size < 1) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        need(!try_list((struct slice){data + 1, size - 1}));
        return 0;
    }
    struct slice good = buf_slice(world.list);
    memcpy(copy, good.data, good.length);
    for (size_t i = 1; i + 3 <= size; i += 3) {
        copy[load_be16(data + i) % good.length] = data[i + 2];
    }
    bool is_changed = memcmp(copy, good.data, good.length) != 0;
    need(try_list((struct slice){copy, good.length}) == !is_changed);
    return 0;
}
