// SPDX-License-Identifier: Apache-2.0
// CSRs, a trial's too, proofs of possession and PEM.
#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "ca-client/x509_trial.h"
#include "protocol/message.h"
#include "tests/support_pki.h"

static const struct pki_pair subject[] = {{"serialNumber", "ACC8-0042"}, {"CN", "cam"}, {0}};

struct kind {
    const char *name;
    uint8_t key_type;
    uint8_t algorithm;
    const char *digest;
    bool pss;
};

static const struct kind kinds[] = {
    {"P-256", KEY_P256, SIGNATURE_ECDSA_SHA256, "SHA256", false},
    {"P-256", KEY_P256, SIGNATURE_ECDSA_SHA384, "SHA384", false},
    {"P-384", KEY_P384, SIGNATURE_ECDSA_SHA384, "SHA384", false},
    {"P-384", KEY_P384, SIGNATURE_ECDSA_SHA256, "SHA512", false},
    {"RSA-2048", KEY_RSA_2048, SIGNATURE_RSA_PKCS1_SHA256, "SHA256", false},
    {"RSA-2048", KEY_RSA_2048, SIGNATURE_RSA_PSS_SHA256, "SHA256", true},
    {"RSA-2048", KEY_RSA_2048, SIGNATURE_RSA_PSS_SHA256, "SHA384", true},
    {"RSA-2048", KEY_RSA_2048, SIGNATURE_RSA_PSS_SHA256, "SHA512", true},
    {"RSA-3072", KEY_RSA_3072, SIGNATURE_RSA_PKCS1_SHA256, "SHA512", false},
    {"ED25519", KEY_ED25519, SIGNATURE_ED25519, NULL, false},
};

static struct buf *copy(struct slice data) {
    struct buf *buf = buf_new(4 * X509_OBJECT_MAX);
    ck_assert(buf_put(buf, data.data, data.length));
    return buf;
}

static void expect_bad_csr(struct slice der, enum error_code code, const char *part) {
    struct csr_facts facts;
    struct error error = {0};
    ck_assert(!x509_check_csr(der, &facts, &error));
    ck_assert_msg(error.code == code, "%s %s", error_code_text(error.code), error.text);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

static void expect_bad_csr_freed(struct buf *csr, enum error_code code, const char *part) {
    expect_bad_csr(buf_slice(csr), code, part);
    buf_free(csr);
}

// ---- CSR ----------------------------------------------------------------------------------------

START_TEST(accepts_csrs_of_every_key_type) {
    const struct kind *kind = &kinds[_i];
    EVP_PKEY *key = pki_key(kind->name);
    struct buf *csr = pki_csr(key, subject, kind->digest, kind->pss);
    struct csr_facts facts;
    struct error error = {0};
    uint8_t spki_sha256[SHA256_SIZE];
    ck_assert_msg(x509_check_csr(buf_slice(csr), &facts, &error), "%s", error.text);
    ck_assert_int_eq(facts.key_type, kind->key_type);
    ck_assert_str_eq(facts.subject_serial, "ACC8-0042");
    pki_spki_sha256(key, spki_sha256);
    ck_assert_mem_eq(facts.spki_sha256, spki_sha256, SHA256_SIZE);
    buf_free(csr);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(takes_the_serial_from_the_subject) {
    EVP_PKEY *key = pki_key("P-256");
    static const struct {
        struct pki_pair pairs[3];
        const char *serial;
    } cases[] = {
        {{{"CN", "only"}, {0}}, "only"},
        {{{"CN", "cn"}, {"serialNumber", "S"}, {0}}, "S"},
        {{{"O", "maker"}, {0}}, ""},
        {{{0}}, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct csr_facts facts;
        struct error error = {0};
        struct buf *csr = pki_csr(key, cases[i].pairs, NULL, false);
        ck_assert_msg(x509_check_csr(buf_slice(csr), &facts, &error), "%s", error.text);
        ck_assert_str_eq(facts.subject_serial, cases[i].serial);
        buf_free(csr);
    }
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_ambiguous_subjects) {
    static const struct pki_pair twice[] = {{"CN", "a"}, {"CN", "b"}, {0}};
    static const struct pki_pair control[] = {{"CN", "a\nb"}, {0}};
    static const struct pki_pair unicode[] = {{"CN", "\xc3\xbc"}, {0}};
    EVP_PKEY *key = pki_key("P-256");
    expect_bad_csr_freed(pki_csr(key, twice, NULL, false), E_CSR_MALFORMED, "CN=b,CN=a");
    expect_bad_csr_freed(pki_csr(key, control, NULL, false), E_CSR_MALFORMED, "CN=a");
    expect_bad_csr_freed(pki_csr(key, unicode, NULL, false), E_CSR_MALFORMED, "CN=");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_weak_and_unknown_keys) {
    static const char *const names[] = {"RSA-1024", "P-521", "P-224", "secp256k1"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        EVP_PKEY *key = pki_key(names[i]);
        expect_bad_csr_freed(pki_csr(key, subject, NULL, false), E_CSR_KEY_TYPE, "is not P-256");
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(refuses_weak_rsa_parameters) {
    EVP_PKEY *key = pki_rsa_key(2048, 3);
    expect_bad_csr_freed(pki_csr(key, subject, NULL, false), E_CSR_KEY_TYPE, "65537");
    EVP_PKEY_free(key);
    key = pki_rsa_key(2056, 65537);
    expect_bad_csr_freed(pki_csr(key, subject, NULL, false), E_CSR_KEY_TYPE, "2048");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_weak_signatures) {
    EVP_PKEY *key = pki_key("RSA-2048");
    expect_bad_csr_freed(pki_csr(key, subject, "SHA1", false), E_CSR_SIGNATURE, "sha1");
    expect_bad_csr_freed(pki_csr(key, subject, "MD5", false), E_CSR_SIGNATURE, "md5");
    expect_bad_csr_freed(pki_csr(key, subject, "SHA1", true), E_CSR_SIGNATURE, "rsassaPss");
    EVP_PKEY_free(key);
    key = pki_key("P-256");
    expect_bad_csr_freed(pki_csr(key, subject, "SHA1", false), E_CSR_SIGNATURE, "SHA1");
    EVP_PKEY_free(key);
}
END_TEST

// Any changed byte must be noticed, in whatever part it lies.
START_TEST(notices_every_changed_byte) {
    EVP_PKEY *key = pki_key("P-256");
    struct buf *csr = pki_csr(key, subject, NULL, false);
    struct slice good = buf_slice(csr);
    uint8_t *bad = malloc(good.length);
    for (size_t i = 0; i < good.length; i++) {
        struct csr_facts facts;
        struct error error = {0};
        memcpy(bad, good.data, good.length);
        bad[i] ^= 0x11;
        ck_assert_msg(!x509_check_csr((struct slice){bad, good.length}, &facts, &error), "byte %zu",
                      i);
        ck_assert(error.code == E_CSR_MALFORMED || error.code == E_CSR_SIGNATURE ||
                  error.code == E_CSR_KEY_TYPE);
    }
    free(bad);
    buf_free(csr);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_every_other_length) {
    EVP_PKEY *key = pki_key("P-256");
    struct buf *csr = pki_csr(key, subject, NULL, false);
    struct slice good = buf_slice(csr);
    for (size_t length = 0; length < good.length; length++) {
        uint8_t *exact = malloc(length + 1); // so that a sanitizer sees a byte too far
        memcpy(exact, good.data, length);
        uint8_t *shrunk = realloc(exact, length > 0 ? length : 1);
        expect_bad_csr((struct slice){shrunk, length}, E_CSR_MALFORMED, "PKCS #10");
        free(shrunk);
    }
    struct buf *longer = copy(good);
    ck_assert(buf_put(longer, "", 1));
    expect_bad_csr_freed(longer, E_CSR_MALFORMED, "PKCS #10");
    expect_bad_csr((struct slice){NULL, 0}, E_CSR_MALFORMED, "0 bytes");
    buf_free(csr);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(caps_the_size_before_decoding) {
    uint8_t *large = calloc(1, X509_OBJECT_MAX + 1);
    memcpy(large, "\x30\x82\x3f\xfd", 4);
    expect_bad_csr((struct slice){large, X509_OBJECT_MAX + 1}, E_CSR_MALFORMED, "16385 bytes");
    free(large);
}
END_TEST

START_TEST(gives_the_public_key_as_pem) {
    EVP_PKEY *key = pki_key("RSA-2048");
    struct buf *csr = pki_csr(key, subject, NULL, false);
    struct buf *pem = buf_new(X509_OBJECT_MAX);
    struct error error = {0};
    ck_assert_msg(x509_csr_public_key_pem(buf_slice(csr), pem, &error), "%s", error.text);
    BIO *input = BIO_new_mem_buf(buf_text(pem), -1);
    EVP_PKEY *read = PEM_read_bio_PUBKEY(input, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(read);
    ck_assert_int_eq(EVP_PKEY_eq(read, key), 1);
    ck_assert(!x509_csr_public_key_pem((struct slice){(const uint8_t *)"x", 1}, pem, &error));
    ck_assert_int_eq(error.code, E_CSR_MALFORMED);
    EVP_PKEY_free(read);
    BIO_free(input);
    buf_free(pem);
    buf_free(csr);
    EVP_PKEY_free(key);
}
END_TEST

// ---- proof --------------------------------------------------------------------------------------

static const uint8_t nonce_bytes[32] = {1, 2, 3};
static const struct slice nonce = {nonce_bytes, sizeof nonce_bytes};

static struct buf *self_signed(EVP_PKEY *key) {
    const struct pki_spec spec = {.key = key, .subject = {{"CN", "leaf"}}};
    X509 *certificate = pki_certificate(&spec);
    struct buf *der = pki_der(certificate);
    X509_free(certificate);
    return der;
}

START_TEST(accepts_proofs_of_every_algorithm) {
    const struct kind *kind = &kinds[_i];
    EVP_PKEY *key = pki_key(kind->name);
    struct buf *leaf = self_signed(key);
    struct buf *chain = pki_join(leaf, leaf); // what follows the leaf does not matter
    struct buf *proof = pki_proof(key, kind->algorithm, buf_slice(leaf), nonce);
    struct error error = {0};
    ck_assert_msg(
        x509_check_proof(buf_slice(chain), nonce, kind->algorithm, buf_slice(proof), &error), "%s",
        error.text);
    for (uint8_t other = 0; other <= 6; other++) {
        if (other != kind->algorithm) {
            ck_assert(!x509_check_proof(buf_slice(chain), nonce, other, buf_slice(proof), &error));
            ck_assert_int_eq(error.code, E_CAM_PROOF);
        }
    }
    buf_free(proof);
    buf_free(chain);
    buf_free(leaf);
    EVP_PKEY_free(key);
}
END_TEST

static void expect_bad_proof(const struct buf *chain, struct slice said_nonce,
                             const struct buf *proof, const char *part) {
    struct error error = {0};
    ck_assert(!x509_check_proof(buf_slice(chain), said_nonce, SIGNATURE_ECDSA_SHA256,
                                buf_slice(proof), &error));
    ck_assert_int_eq(error.code, E_CAM_PROOF);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

START_TEST(refuses_wrong_proofs) {
    EVP_PKEY *key = pki_key("P-256");
    EVP_PKEY *other = pki_key("P-256");
    struct buf *leaf = self_signed(key);
    struct buf *renewed = self_signed(key);
    struct buf *proof = pki_proof(key, SIGNATURE_ECDSA_SHA256, buf_slice(leaf), nonce);
    struct buf *foreign = pki_proof(other, SIGNATURE_ECDSA_SHA256, buf_slice(leaf), nonce);
    struct buf *bare = pki_sign(key, SIGNATURE_ECDSA_SHA256, nonce);
    struct buf *empty = buf_new(1);
    uint8_t wrong[32] = {9};
    expect_bad_proof(leaf, (struct slice){wrong, 32}, proof, "does not verify");
    expect_bad_proof(leaf, (struct slice){NULL, 0}, proof, "does not verify");
    expect_bad_proof(leaf, nonce, foreign, "does not verify");
    expect_bad_proof(leaf, nonce, bare, "does not verify");
    expect_bad_proof(leaf, nonce, empty, "does not verify");
    expect_bad_proof(renewed, nonce, proof, "does not verify");
    expect_bad_proof(empty, nonce, proof, "does not begin with a certificate");
    buf_free(empty);
    buf_free(bare);
    buf_free(foreign);
    buf_free(proof);
    buf_free(renewed);
    buf_free(leaf);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(ed25519_proof_takes_an_empty_nonce_without_trouble) {
    EVP_PKEY *key = pki_key("ED25519");
    struct buf *leaf = self_signed(key);
    struct buf *proof = pki_proof(key, SIGNATURE_ED25519, buf_slice(leaf), nonce);
    struct error error = {0};
    ck_assert(!x509_check_proof(buf_slice(leaf), (struct slice){NULL, 0}, SIGNATURE_ED25519,
                                buf_slice(proof), &error));
    static const uint8_t endless[2000];
    ck_assert(!x509_check_proof(buf_slice(leaf), (struct slice){endless, sizeof endless},
                                SIGNATURE_ED25519, buf_slice(proof), &error));
    buf_free(proof);
    buf_free(leaf);
    EVP_PKEY_free(key);
}
END_TEST

// ---- PEM ----------------------------------------------------------------------------------------

static void expect_bad_pem(const char *text, const char *part) {
    struct error error = {0};
    struct buf *der = buf_new(X509_OBJECT_MAX);
    ck_assert(!x509_pem_to_der((struct slice){(const uint8_t *)text, strlen(text)}, der, &error));
    ck_assert_int_eq(error.code, E_CERT_MALFORMED);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
    buf_free(der);
}

START_TEST(reads_pem_bundles) {
    EVP_PKEY *key = pki_key("P-256");
    struct buf *leaf = self_signed(key);
    struct buf *pem = buf_new(X509_OBJECT_MAX);
    struct buf *der = buf_new(X509_OBJECT_MAX);
    struct error error = {0};
    ck_assert(buf_put_text(pem, "a comment before\r\n"));
    ck_assert(x509_der_to_pem(buf_slice(leaf), "CERTIFICATE", pem, &error));
    ck_assert(buf_put_text(pem, "\r\nand between\r\n"));
    ck_assert(x509_der_to_pem(buf_slice(leaf), "CERTIFICATE", pem, &error));
    ck_assert_msg(x509_pem_to_der(buf_slice(pem), der, &error), "%s", error.text);
    struct buf *both = pki_join(leaf, leaf);
    ck_assert(slice_equal(buf_slice(der), buf_slice(both)));
    ck_assert(slice_equal(x509_first_der(buf_slice(der)), buf_slice(leaf)));
    buf_free(both);
    buf_free(der);
    buf_free(pem);
    buf_free(leaf);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(refuses_bad_pem) {
    struct error error = {0};
    EVP_PKEY *key = pki_key("P-256");
    struct buf *secret = pki_key_pem(key);
    struct buf *leaf = self_signed(key);
    struct buf *pem = buf_new(X509_OBJECT_MAX);
    struct buf *small = buf_new(buf_length(leaf) - 1);
    expect_bad_pem("", "no PEM certificate");
    expect_bad_pem("nothing here\n", "no PEM certificate");
    expect_bad_pem(buf_text(secret), "PRIVATE KEY");
    expect_bad_pem("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                   "no X.509 certificate");
    expect_bad_pem("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "damaged");
    expect_bad_pem("-----BEGIN CERTIFICATE-----\nMAA=\n", "damaged");
    ck_assert(x509_der_to_pem(buf_slice(leaf), "CERTIFICATE", pem, &error));
    ck_assert(!x509_pem_to_der(buf_slice(pem), small, &error));
    ck_assert_int_eq(error.code, E_CERT_MALFORMED);
    ck_assert(!x509_der_to_pem(buf_slice(leaf), "CERTIFICATE", small, &error));
    buf_free(small);
    buf_free(pem);
    buf_free(leaf);
    buf_free(secret);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(first_der_stays_inside) {
    static const uint8_t good[] = {0x30, 0x01, 0xff, 0x30, 0x00};
    static const uint8_t beyond[] = {0x30, 0x02, 0xff};
    static const uint8_t not_minimal[] = {0x30, 0x81, 0x01, 0xff};
    static const uint8_t endless[] = {0x30, 0x80, 0x00, 0x00};
    static const uint8_t huge[] = {0x30, 0x84, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t long_tag[] = {0x1f, 0x01, 0x00};
    ck_assert_uint_eq(x509_first_der((struct slice){good, sizeof good}).length, 3);
    ck_assert_uint_eq(x509_first_der((struct slice){beyond, sizeof beyond}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){not_minimal, sizeof not_minimal}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){endless, sizeof endless}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){huge, sizeof huge}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){long_tag, sizeof long_tag}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){good, 1}).length, 0);
    ck_assert_uint_eq(x509_first_der((struct slice){NULL, 0}).length, 0);
}
END_TEST

// ---- a trial's ----------------------------------------------------------------------------------

static X509_REQ *make_trial(const struct profile *profile) {
    static const uint8_t hardware_id[] = {0x02, 0, 0, 0, 0, 1};
    const struct profile_subject camera = {"TRIAL-1", "CAM", hardware_id, sizeof hardware_id};
    struct buf *der = buf_new(X509_OBJECT_MAX);
    uint8_t spki_sha256[SHA256_SIZE];
    struct csr_facts facts;
    struct error error = {0};
    ck_assert_msg(x509_make_trial(profile, &camera, der, spki_sha256, &error), "%s", error.text);
    ck_assert(x509_check_csr(buf_slice(der), &facts, &error));
    ck_assert_mem_eq(spki_sha256, facts.spki_sha256, SHA256_SIZE);
    ck_assert_msg(x509_check_csr_subject(buf_slice(der), profile, &camera, &error), "%s",
                  error.text);
    const unsigned char *cursor = buf_slice(der).data;
    X509_REQ *request = d2i_X509_REQ(NULL, &cursor, (long)buf_length(der));
    ck_assert_ptr_nonnull(request);
    buf_free(der);
    return request;
}

static GENERAL_NAMES *names_of(X509_REQ *request) {
    X509_EXTENSIONS *extensions = X509_REQ_get_extensions(request);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    return names;
}

START_TEST(a_trial_has_the_profiles_host_names) {
    struct profile profile;
    ck_assert(profile_built_in("https", &profile));
    snprintf(profile.dns_names[1], sizeof profile.dns_names[1], "{serial}.cams.example");
    GENERAL_NAMES *names = names_of(make_trial(&profile));
    ck_assert_int_eq(sk_GENERAL_NAME_num(names), 2);
    static const char *const expected[] = {"trial-1.local", "trial-1.cams.example"};
    for (int i = 0; i < 2; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        ck_assert_int_eq(name->type, GEN_DNS);
        ck_assert_str_eq((const char *)ASN1_STRING_get0_data(name->d.dNSName), expected[i]);
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}
END_TEST

START_TEST(a_trial_has_the_profiles_hardware_module_name) {
    struct profile profile;
    char oid[64];
    ck_assert(profile_built_in("idevid", &profile));
    GENERAL_NAMES *names = names_of(make_trial(&profile));
    ck_assert_int_eq(sk_GENERAL_NAME_num(names), 1);
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
    ck_assert_int_eq(name->type, GEN_OTHERNAME);
    ck_assert_int_gt(OBJ_obj2txt(oid, sizeof oid, name->d.otherName->type_id, 1), 0);
    ck_assert_str_eq(oid, "1.3.6.1.5.5.7.8.4"); // RFC 4108, section 5
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}
END_TEST

START_TEST(a_trial_without_further_names_asks_for_no_extension) {
    struct profile profile;
    ck_assert(profile_built_in("https", &profile));
    memset(profile.dns_names, 0, sizeof profile.dns_names);
    X509_REQ *request = make_trial(&profile);
    ck_assert_int_eq(X509_REQ_get_attr_count(request), 0);
    X509_REQ_free(request);
}
END_TEST

// ---- what it asks for ---------------------------------------------------------------------------

static bool check_asking(const struct pki_pair extensions[], bool in_two_lists,
                         struct error *error) {
    static const struct pki_pair names[] = {{"CN", "A1"}, {"serialNumber", "A1"}, {NULL, NULL}};
    struct profile profile;
    const struct profile_subject camera = {.serial = "A1", .model = "M"};
    EVP_PKEY *key = pki_key("P-256");
    struct buf *csr = pki_csr_asking(key, names, extensions, in_two_lists);
    *error = (struct error){0};
    ck_assert(profile_built_in("https", &profile));
    bool good = x509_check_csr_extensions(buf_slice(csr), &profile, &camera, error);
    struct error other = {0};
    ck_assert(good == x509_check_csr_subject(buf_slice(csr), &profile, &camera, &other));
    buf_free(csr);
    EVP_PKEY_free(key);
    return good;
}

START_TEST(a_csr_may_ask_for_what_the_profile_has) {
    static const struct pki_pair all[] = {{"subjectAltName", "DNS:A1.local"},
                                          {"basicConstraints", "critical,CA:FALSE"},
                                          {"keyUsage", "critical,digitalSignature,keyAgreement"},
                                          {"extendedKeyUsage", "clientAuth"},
                                          {"subjectKeyIdentifier", "hash"},
                                          {NULL, NULL}};
    struct error error;
    ck_assert_msg(check_asking(all, false, &error), "%s", error.text);
    ck_assert_msg(check_asking(&all[5], false, &error), "%s", error.text);
}
END_TEST

static const struct {
    struct pki_pair asked;
    const char *part;
} too_much[] = {
    {{"subjectAltName", "DNS:a1.local,DNS:evil.example"}, "\"DNS:evil.example\""},
    {{"subjectAltName", "IP:192.0.2.1"}, "\"IP Address:192.0.2.1\""},
    {{"subjectAltName", "email:root@evil.example"}, "root@evil.example"},
    {{"basicConstraints", "CA:TRUE"}, "CA:TRUE"},
    {{"keyUsage", "digitalSignature,keyCertSign"}, "keyUsage"},
    {{"keyUsage", "digitalSignature,cRLSign"}, "keyUsage"},
    {{"extendedKeyUsage", "serverAuth,codeSigning"}, "\"Code Signing\""},
    {{"extendedKeyUsage", "anyExtendedKeyUsage"}, "Any Extended Key Usage"},
    {{"1.3.6.1.4.1.311.20.2", "DER:1e:04:00:43:00:41"}, "extension"}, // a template by its name
};

START_TEST(a_csr_may_not_ask_for_more) {
    const struct pki_pair asked[] = {
        {"subjectKeyIdentifier", "hash"}, too_much[_i].asked, {NULL, NULL}};
    struct error error;
    for (int in_two = 0; in_two < 2; in_two++) {
        ck_assert(!check_asking(asked, in_two == 1, &error));
        ck_assert_msg(error.code == E_CSR_EXTENSION, "%s", error.text);
        ck_assert_msg(strstr(error.text, in_two == 1 ? "more than one" : too_much[_i].part) != NULL,
                      "%s", error.text);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("x509_csr");
    TCase *tests = tcase_create("x509_csr");
    tcase_set_timeout(tests, 60); // RSA keys take their time
    tcase_add_loop_test(tests, accepts_csrs_of_every_key_type, 0, (int)ARRAY_LENGTH(kinds));
    tcase_add_test(tests, takes_the_serial_from_the_subject);
    tcase_add_test(tests, refuses_ambiguous_subjects);
    tcase_add_test(tests, refuses_weak_and_unknown_keys);
    tcase_add_test(tests, refuses_weak_rsa_parameters);
    tcase_add_test(tests, refuses_weak_signatures);
    tcase_add_test(tests, notices_every_changed_byte);
    tcase_add_test(tests, refuses_every_other_length);
    tcase_add_test(tests, caps_the_size_before_decoding);
    tcase_add_test(tests, gives_the_public_key_as_pem);
    tcase_add_loop_test(tests, accepts_proofs_of_every_algorithm, 0, (int)ARRAY_LENGTH(kinds));
    tcase_add_test(tests, refuses_wrong_proofs);
    tcase_add_test(tests, ed25519_proof_takes_an_empty_nonce_without_trouble);
    tcase_add_test(tests, reads_pem_bundles);
    tcase_add_test(tests, refuses_bad_pem);
    tcase_add_test(tests, first_der_stays_inside);
    tcase_add_test(tests, a_trial_has_the_profiles_host_names);
    tcase_add_test(tests, a_trial_has_the_profiles_hardware_module_name);
    tcase_add_test(tests, a_trial_without_further_names_asks_for_no_extension);
    tcase_add_test(tests, a_csr_may_ask_for_what_the_profile_has);
    tcase_add_loop_test(tests, a_csr_may_not_ask_for_more, 0, ARRAY_LENGTH(too_much));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
