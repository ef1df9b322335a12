// SPDX-License-Identifier: Apache-2.0
// Issued certificates: each fault is provoked by a certificate that was really made with it.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "protocol/message.h"
#include "station/base/clock.h"
#include "tests/support_pki.h"

#define SERIAL "ACC8-0042"
#define SAN "DNS:acc8-0042.local"

// One set of CAs for all tests of a process.
static struct pki_ca root;
static struct pki_ca issuing;
static EVP_PKEY *camera_key;
static struct x509_trust *trust;
static struct profile profile;
static struct certificate_expected expected;
static uint8_t spki_sha256[SHA256_SIZE];

static struct x509_trust *make_trust(const X509 *root_certificate, const X509 *intermediate) {
    struct x509_trust *made = NULL;
    struct error error = {0};
    struct buf *roots = pki_pem(root_certificate);
    struct buf *intermediates = intermediate != NULL ? pki_pem(intermediate) : buf_new(1);
    ck_assert_msg(x509_trust_new(buf_slice(roots), buf_slice(intermediates), &made, &error), "%s",
                  error.text);
    buf_free(intermediates);
    buf_free(roots);
    return made;
}

static void make_world(void) {
    root = pki_ca_new("Root", NULL);
    issuing = pki_ca_new("Issuing", &root);
    camera_key = pki_key("P-256");
    trust = make_trust(root.certificate, issuing.certificate);
    ck_assert(profile_built_in("https", &profile));
    pki_spki_sha256(camera_key, spki_sha256);
    expected = (struct certificate_expected){
        .profile = &profile,
        .subject = {.serial = SERIAL, .model = "P3265"},
        .spki_sha256 = spki_sha256,
        .now_ms = PKI_NOW_MS,
    };
}

static void free_world(void) {
    x509_trust_free(trust);
    EVP_PKEY_free(camera_key);
    pki_ca_free(&issuing);
    pki_ca_free(&root);
}

// A certificate as it should be; the tests spoil it.
static struct pki_spec good_spec(void) {
    return (struct pki_spec){
        .issuer = issuing.certificate,
        .issuer_key = issuing.key,
        .key = camera_key,
        .subject = {{"CN", SERIAL}, {"serialNumber", SERIAL}},
        .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"subjectAltName", SAN},
                       {"subjectKeyIdentifier", "hash"},
                       {"authorityKeyIdentifier", "keyid"}},
        .not_before_ms = PKI_NOW_MS - 1000,
        .not_after_ms = PKI_NOW_MS - 1000 + 3650 * PKI_DAY_MS,
    };
}

static struct certificate_facts facts;

static bool check_der(struct slice leaf, struct slice extra, struct buf *chain,
                      struct error *error) {
    *error = (struct error){0};
    return x509_check_certificate(trust, leaf, extra, &expected, &facts, chain, error);
}

// Frees the certificate.
static bool check_made(X509 *certificate, struct error *error) {
    struct buf *leaf = pki_der(certificate);
    struct buf *chain = buf_new(4 * X509_OBJECT_MAX);
    bool good = check_der(buf_slice(leaf), (struct slice){NULL, 0}, chain, error);
    buf_free(chain);
    buf_free(leaf);
    X509_free(certificate);
    return good;
}

static bool check_spec(const struct pki_spec *spec, struct error *error) {
    return check_made(pki_certificate(spec), error);
}

static void expect_good(const struct pki_spec *spec) {
    struct error error;
    ck_assert_msg(check_spec(spec, &error), "%s %s", error_code_text(error.code), error.text);
}

static void expect_bad(const struct pki_spec *spec, enum error_code code, const char *part) {
    struct error error;
    ck_assert(!check_spec(spec, &error));
    ck_assert_msg(error.code == code && strstr(error.text, part) != NULL, "%s %s",
                  error_code_text(error.code), error.text);
}

// ---- the good one -------------------------------------------------------------------------------

START_TEST(accepts_and_tells_facts) {
    struct pki_spec spec = good_spec();
    struct error error;
    uint8_t leaf_sha256[SHA256_SIZE];
    spec.serial = "80AABBCCDDEEFF00112233445566778899AABBCC"; // 20 bytes and a leading zero in DER
    X509 *certificate = pki_certificate(&spec);
    struct buf *leaf = pki_der(certificate);
    struct buf *issuer = pki_der(issuing.certificate);
    struct buf *installed = pki_join(leaf, issuer);
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    ck_assert_msg(check_der(buf_slice(leaf), (struct slice){NULL, 0}, chain, &error), "%s",
                  error.text);
    ck_assert(slice_equal(buf_slice(chain), buf_slice(installed)));
    x509_sha256(buf_slice(leaf), leaf_sha256);
    ck_assert_mem_eq(facts.sha256, leaf_sha256, SHA256_SIZE);
    ck_assert_mem_eq(facts.spki_sha256, spki_sha256, SHA256_SIZE);
    ck_assert_uint_eq(facts.serial_length, 20);
    ck_assert_uint_eq(facts.serial[0], 0x80);
    ck_assert_uint_eq(facts.serial[19], 0xcc);
    ck_assert_str_eq(facts.issuer, "CN=Issuing,O=Test");
    ck_assert_str_eq(facts.subject, "serialNumber=" SERIAL ",CN=" SERIAL);
    ck_assert_int_eq(facts.not_before_ms, PKI_NOW_MS - 1000);
    ck_assert_int_eq(facts.not_after_ms, PKI_NOW_MS - 1000 + 3650 * PKI_DAY_MS);
    buf_free(chain);
    buf_free(installed);
    buf_free(issuer);
    buf_free(leaf);
    X509_free(certificate);
}
END_TEST

START_TEST(accepts_every_key_type) {
    static const char *const kinds[] = {"P-256", "P-384", "RSA-2048", "RSA-3072", "ED25519"};
    struct pki_spec spec = good_spec();
    spec.key = pki_key(kinds[_i]);
    pki_spki_sha256(spec.key, spki_sha256);
    expect_good(&spec);
    EVP_PKEY_free(spec.key);
}
END_TEST

START_TEST(accepts_harmless_differences) {
    struct pki_spec spec = good_spec();
    spec.subject[0] = (struct pki_pair){"serialNumber", SERIAL}; // another order
    spec.subject[1] = (struct pki_pair){"CN", SERIAL};
    expect_good(&spec);
    pki_set(spec.extensions, "subjectAltName", "DNS:ACC8-0042.Local"); // host names have no case
    expect_good(&spec);
    pki_set(spec.extensions, "basicConstraints", NULL);
    expect_good(&spec);
    pki_set(spec.extensions, "keyUsage", "digitalSignature,keyAgreement,keyEncipherment");
    expect_good(&spec);
    pki_set(spec.extensions, "subjectKeyIdentifier", NULL);
    pki_set(spec.extensions, "authorityKeyIdentifier", NULL);
    expect_good(&spec);
    pki_set(spec.extensions, "1.2.3.4", "DER:05:00"); // unknown, but not critical
    expect_good(&spec);
}
END_TEST

// ---- key, names, usages -------------------------------------------------------------------------

START_TEST(refuses_another_key) {
    struct pki_spec spec = good_spec();
    spec.key = pki_key("P-256");
    uint8_t other[SHA256_SIZE];
    char found[2 * SHA256_SIZE + 1];
    pki_spki_sha256(spec.key, other);
    hex_encode(found, other, SHA256_SIZE);
    expect_bad(&spec, E_CERT_KEY, found);
    hex_encode(found, spki_sha256, SHA256_SIZE);
    expect_bad(&spec, E_CERT_KEY, found);
    ck_assert_mem_eq(facts.spki_sha256, other, SHA256_SIZE);
    ck_assert_str_ne(facts.issuer, ""); // what could be read is there for the quarantine
    EVP_PKEY_free(spec.key);
}
END_TEST

// What pki_certificate does not make.
START_TEST(refuses_other_forms) {
    struct error error;
    const struct pki_spec spec = good_spec();
    X509 *certificate = pki_certificate(&spec);
    ck_assert(X509_set_version(certificate, X509_VERSION_1) == 1);
    ck_assert(X509_sign(certificate, issuing.key, EVP_sha256()) > 0);
    ck_assert(!check_made(certificate, &error));
    ck_assert_msg(strstr(error.text, "version 1") != NULL, "%s", error.text);
    certificate = pki_certificate(&spec);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_ENTRY *last = X509_NAME_delete_entry(name, 1);
    ck_assert(X509_NAME_add_entry(name, last, -1, -1) == 1);
    ck_assert(X509_sign(certificate, issuing.key, EVP_sha256()) > 0);
    ck_assert(!check_made(certificate, &error));
    ck_assert_msg(strstr(error.text, "side by side") != NULL, "%s", error.text);
    X509_NAME_ENTRY_free(last);
}
END_TEST

START_TEST(refuses_other_subjects) {
    struct pki_spec spec = good_spec();
    pki_set(spec.subject, "serialNumber", "ACC8-0043");
    expect_bad(&spec, E_CERT_NAMES, "serialNumber is \"ACC8-0043\", expected \"ACC8-0042\"");
    pki_set(spec.subject, "serialNumber", "acc8-0042");
    expect_bad(&spec, E_CERT_NAMES, "expected \"ACC8-0042\"");
    pki_set(spec.subject, "serialNumber", NULL);
    expect_bad(&spec, E_CERT_NAMES, "no serialNumber, expected \"ACC8-0042\"");
    spec = good_spec();
    pki_set(spec.subject, "CN", SERIAL "\n\x1b[2J");
    expect_bad(&spec, E_CERT_NAMES, "\\x0a\\x1b[2J");
    spec = good_spec();
    pki_set(spec.subject, "O", "Evil");
    expect_bad(&spec, E_CERT_NAMES, "O=Evil");
    spec = good_spec();
    spec.subject[2] = (struct pki_pair){"CN", SERIAL};
    expect_bad(&spec, E_CERT_NAMES, "3 attributes, expected 2");
}
END_TEST

START_TEST(compares_all_profile_attributes) {
    struct pki_spec spec = good_spec();
    ck_assert(text_copy(profile.organization, sizeof profile.organization, "M\xc3\xbcller"));
    ck_assert(text_copy(profile.organizational_unit, sizeof profile.organizational_unit, "Bench"));
    ck_assert(text_copy(profile.country, sizeof profile.country, "DE"));
    expect_bad(&spec, E_CERT_NAMES, "no C, expected \"DE\"");
    pki_set(spec.subject, "C", "DE");
    expect_bad(&spec, E_CERT_NAMES, "no O, expected");
    pki_set(spec.subject, "O", "M\xc3\xbcller");
    pki_set(spec.subject, "OU", "Bench");
    expect_good(&spec);
    pki_set(spec.subject, "C", "SE");
    expect_bad(&spec, E_CERT_NAMES, "C is \"SE\", expected \"DE\"");
}
END_TEST

START_TEST(refuses_other_alternative_names) {
    static const char *const additions[] = {
        ",DNS:evil.example",         ",IP:10.0.0.1",
        ",URI:http://evil.example",  ",email:a@b.example",
        ",otherName:1.2.3.4;UTF8:x",
    };
    static const char *const shown[] = {"DNS:evil.example", "10.0.0.1", "URI:http", "a@b", "other"};
    for (size_t i = 0; i < ARRAY_LENGTH(additions); i++) {
        char value[100] = SAN;
        struct pki_spec spec = good_spec();
        ck_assert(text_copy(value + strlen(SAN), sizeof value - strlen(SAN), additions[i]));
        pki_set(spec.extensions, "subjectAltName", value);
        expect_bad(&spec, E_CERT_NAMES, shown[i]);
    }
    struct pki_spec spec = good_spec();
    pki_set(spec.extensions, "subjectAltName", "DNS:acc8-0043.local");
    expect_bad(&spec, E_CERT_NAMES, "has \"DNS:acc8-0043.local\", which was not asked for");
    pki_set(spec.extensions, "subjectAltName", NULL);
    expect_bad(&spec, E_CERT_NAMES, "lacks \"DNS:acc8-0042.local\"");
    // "acc8-0042.local", a NUL, "x": a C string would end before it.
    pki_set(spec.extensions, "subjectAltName",
            "DER:30:13:82:11:61:63:63:38:2d:30:30:34:32:2e:6c:6f:63:61:6c:00:78");
    expect_bad(&spec, E_CERT_NAMES, "not asked for");
}
END_TEST

START_TEST(refuses_malformed_extensions) {
    struct pki_spec spec = good_spec();
    pki_set(spec.extensions, "subjectAltName", "DER:30:05:82:01:61");
    expect_bad(&spec, E_CERT_MALFORMED, "malformed");
    spec = good_spec();
    pki_set(spec.extensions, "extendedKeyUsage", "DER:30:05:82:01:61");
    expect_bad(&spec, E_CERT_MALFORMED, "malformed");
    spec = good_spec();
    spec.extensions[6] = (struct pki_pair){"subjectAltName", SAN}; // twice
    expect_bad(&spec, E_CERT_MALFORMED, "malformed");
    spec = good_spec();
    spec.extensions[6] = (struct pki_pair){"extendedKeyUsage", "serverAuth,clientAuth"};
    expect_bad(&spec, E_CERT_MALFORMED, "malformed");
}
END_TEST

START_TEST(refuses_other_usages) {
    static const struct {
        const char *name, *value, *part;
    } cases[] = {
        {"extendedKeyUsage", "serverAuth,clientAuth,codeSigning", "Code Signing"},
        {"extendedKeyUsage", "serverAuth,clientAuth,1.2.3.4.5", "1.2.3.4.5"},
        {"extendedKeyUsage", "anyExtendedKeyUsage", "Any Extended Key Usage"},
        {"extendedKeyUsage", "serverAuth", "lacks the extended key usage clientAuth"},
        {"extendedKeyUsage", "clientAuth", "lacks the extended key usage serverAuth"},
        {"extendedKeyUsage", NULL, "lacks the extended key usage serverAuth"},
        {"keyUsage", NULL, "no keyUsage"},
        {"keyUsage", "critical,keyAgreement", "lacks digitalSignature"},
        {"keyUsage", "critical,digitalSignature,keyCertSign", "keyCertSign"},
        {"keyUsage", "critical,digitalSignature,cRLSign", "cRLSign"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pki_spec spec = good_spec();
        pki_set(spec.extensions, cases[i].name, cases[i].value);
        expect_bad(&spec, E_CERT_USAGE, cases[i].part);
    }
}
END_TEST

START_TEST(refuses_a_ca_certificate) {
    struct pki_spec spec = good_spec();
    pki_set(spec.extensions, "basicConstraints", "critical,CA:TRUE");
    expect_bad(&spec, E_CERT_CA_FLAG, "CA:TRUE");
}
END_TEST

START_TEST(refuses_unknown_critical_extensions) {
    struct pki_spec spec = good_spec();
    pki_set(spec.extensions, "1.2.3.4", "critical,DER:05:00");
    expect_bad(&spec, E_CERT_EXTENSION, "critical extension");
}
END_TEST

START_TEST(refuses_weak_signatures) {
    struct pki_spec spec = good_spec();
    spec.digest = "SHA1";
    expect_bad(&spec, E_CERT_WEAK, "ecdsa-with-SHA1");
    struct pki_ca rsa = {.key = pki_key("RSA-2048")};
    spec.issuer_key = rsa.key; // the signature is looked at before the chain
    spec.digest = "MD5";
    expect_bad(&spec, E_CERT_WEAK, "md5");
    pki_ca_free(&rsa);
}
END_TEST

// ---- IEEE 802.1AR -------------------------------------------------------------------------------

#define HARDWARE_CONFIG(type, serial)                                                              \
    "[hw]\ntype = OID:" type "\nserial = FORMAT:ASCII,OCT:" serial "\n"

static struct pki_spec idevid_spec(const char *config) {
    struct pki_spec spec = good_spec();
    ck_assert(profile_built_in("idevid", &profile));
    pki_set(spec.subject, "CN", "P3265 " SERIAL);
    pki_set(spec.extensions, "extendedKeyUsage", NULL);
    pki_set(spec.extensions, "subjectAltName", "otherName:1.3.6.1.5.5.7.8.4;SEQUENCE:hw");
    spec.config = config;
    spec.not_after_ms = PKI_FOREVER_MS;
    return spec;
}

START_TEST(accepts_an_idevid) {
    struct pki_spec spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.1", SERIAL));
    expect_good(&spec);
    ck_assert_int_eq(facts.not_after_ms, PKI_FOREVER_MS);
}
END_TEST

START_TEST(refuses_other_idevids) {
    struct pki_spec spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.1", "ACC8-0043"));
    expect_bad(&spec, E_CERT_NAMES, "not asked for");
    spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.2", SERIAL));
    expect_bad(&spec, E_CERT_NAMES, "not asked for");
    spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.1", SERIAL));
    pki_set(spec.extensions, "subjectAltName", NULL);
    expect_bad(&spec, E_CERT_NAMES, "lacks");
    spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.1", SERIAL));
    pki_set(spec.extensions, "extendedKeyUsage", "clientAuth");
    expect_bad(&spec, E_CERT_USAGE, "not asked for");
    pki_set(spec.extensions, "extendedKeyUsage", "DER:30:00");
    expect_bad(&spec, E_CERT_MALFORMED, "empty");
    spec = idevid_spec(HARDWARE_CONFIG("1.3.6.1.4.1.32473.1", SERIAL));
    spec.not_after_ms = PKI_NOW_MS + 36500 * PKI_DAY_MS;
    expect_bad(&spec, E_CERT_VALIDITY, "2126-");
}
END_TEST

// ---- validity -----------------------------------------------------------------------------------

#define MINUTE_MS INT64_C(60000)

START_TEST(holds_the_begin) {
    struct pki_spec spec = good_spec();
    spec.not_before_ms = PKI_NOW_MS + 5 * MINUTE_MS;
    expect_good(&spec); // the CA's clock may be ahead by that much
    spec.not_before_ms += 1000;
    expect_bad(&spec, E_CERT_VALIDITY, "begins at 2026-03-01T12:05:01.000Z");
    expect_bad(&spec, E_CERT_VALIDITY, "it is 2026-03-01T12:00:00.000Z");
}
END_TEST

START_TEST(holds_the_end) {
    struct pki_spec spec = good_spec();
    spec.not_after_ms = PKI_NOW_MS - 1000;
    spec.not_before_ms = PKI_NOW_MS - 3650 * PKI_DAY_MS;
    expect_bad(&spec, E_CERT_VALIDITY, "ended at 2026-03-01T11:59:59.000Z");
    spec = good_spec();
    spec.not_after_ms = PKI_NOW_MS + 3650 * PKI_DAY_MS + 5 * MINUTE_MS;
    expect_good(&spec);
    spec.not_after_ms += 1000;
    expect_bad(&spec, E_CERT_VALIDITY, "the profile allows at most");
    spec.not_after_ms = PKI_FOREVER_MS;
    expect_bad(&spec, E_CERT_VALIDITY, "9999-12-31T23:59:59.000Z");
}
END_TEST

START_TEST(holds_the_length) {
    struct pki_spec spec = good_spec();
    spec.not_after_ms = spec.not_before_ms + 3285 * PKI_DAY_MS;
    expect_good(&spec);
    spec.not_after_ms -= 1000;
    expect_bad(&spec, E_CERT_VALIDITY, "expected at least");
    spec.not_after_ms = PKI_NOW_MS + PKI_DAY_MS;
    expect_bad(&spec, E_CERT_VALIDITY, "ends at 2026-03-02");
    expected.replaces_not_after_ms = spec.not_after_ms; // rekeyed from one that ends then
    expect_good(&spec);
    spec.not_after_ms -= 1000;
    expect_bad(&spec, E_CERT_VALIDITY, "expected at least 2026-03-02");
    expected.replaces_not_after_ms = 0;
}
END_TEST

// Of the length that was asked for, and over all the same.
START_TEST(what_was_spent_before_the_request_does_not_count) {
    struct pki_spec spec = good_spec();
    spec.not_before_ms = PKI_NOW_MS - 3649 * PKI_DAY_MS;
    spec.not_after_ms = PKI_NOW_MS + PKI_DAY_MS;
    expect_bad(&spec, E_CERT_VALIDITY, "expected at least 2035-02-26");
    expected.asked_ms = PKI_NOW_MS + PKI_DAY_MS; // by a clock that was wrong
    expect_bad(&spec, E_CERT_VALIDITY, "expected at least 2035-02-26");
    spec.not_before_ms = PKI_NOW_MS - 3648 * PKI_DAY_MS;
    expected.asked_ms = PKI_NOW_MS - 3648 * PKI_DAY_MS; // and was held until now
    expect_good(&spec);
    expected.asked_ms = 0;
}
END_TEST

// An intermediate of the root that lives for a year only.
static struct pki_ca short_lived(int64_t not_before_ms, int64_t not_after_ms) {
    struct pki_ca ca = {.key = pki_key("P-256")};
    const struct pki_spec spec = {
        .issuer = root.certificate,
        .issuer_key = root.key,
        .key = ca.key,
        .subject = {{"CN", "Short"}},
        .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                       {"keyUsage", "critical,keyCertSign"},
                       {"subjectKeyIdentifier", "hash"}},
        .not_before_ms = not_before_ms,
        .not_after_ms = not_after_ms,
    };
    ca.certificate = pki_certificate(&spec);
    return ca;
}

static bool check_issued_by(const struct pki_ca *ca, struct pki_spec spec, struct error *error) {
    spec.issuer = ca->certificate;
    spec.issuer_key = ca->key;
    X509 *certificate = pki_certificate(&spec);
    struct buf *leaf = pki_der(certificate);
    struct buf *extra = pki_der(ca->certificate);
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    bool good = check_der(buf_slice(leaf), buf_slice(extra), chain, error);
    buf_free(chain);
    buf_free(extra);
    buf_free(leaf);
    X509_free(certificate);
    return good;
}

START_TEST(no_longer_than_the_issuer_is_long_enough) {
    struct error error;
    struct pki_spec spec = good_spec();
    struct pki_ca ca = short_lived(PKI_NOW_MS - PKI_DAY_MS, PKI_NOW_MS + 365 * PKI_DAY_MS);
    spec.not_after_ms = PKI_NOW_MS + 365 * PKI_DAY_MS;
    ck_assert_msg(check_issued_by(&ca, spec, &error), "%s", error.text);
    spec.not_after_ms = PKI_NOW_MS + 300 * PKI_DAY_MS;
    ck_assert(!check_issued_by(&ca, spec, &error));
    ck_assert_int_eq(error.code, E_CERT_VALIDITY);
    pki_ca_free(&ca);
}
END_TEST

START_TEST(refuses_an_expired_issuer) {
    struct error error;
    struct pki_ca ca = short_lived(PKI_NOW_MS - 9 * PKI_DAY_MS, PKI_NOW_MS - PKI_DAY_MS);
    ck_assert(!check_issued_by(&ca, good_spec(), &error));
    ck_assert_int_eq(error.code, E_CERT_CHAIN);
    ck_assert_msg(strstr(error.text, "expired") != NULL && strstr(error.text, "CN=Short") != NULL,
                  "%s", error.text);
    pki_ca_free(&ca);
}
END_TEST

// ---- outer form ---------------------------------------------------------------------------------

START_TEST(refuses_bad_serial_numbers) {
    struct pki_spec spec = good_spec();
    spec.serial = "-5";
    expect_bad(&spec, E_CERT_MALFORMED, "negative");
    spec.serial = "0";
    expect_bad(&spec, E_CERT_MALFORMED, "zero");
    spec.serial = "0180AABBCCDDEEFF00112233445566778899AABBCC";
    expect_bad(&spec, E_CERT_MALFORMED, "21 bytes, at most 20");
    spec.serial = "1";
    expect_good(&spec);
    ck_assert_uint_eq(facts.serial_length, 1);
}
END_TEST

START_TEST(refuses_what_is_not_one_certificate) {
    struct pki_spec spec = good_spec();
    struct error error;
    X509 *certificate = pki_certificate(&spec);
    struct buf *leaf = pki_der(certificate);
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    const struct slice none = {NULL, 0};
    struct buf *longer = buf_new(X509_OBJECT_MAX);
    ck_assert(buf_put(longer, buf_slice(leaf).data, buf_length(leaf)) && buf_put(longer, "", 1));
    ck_assert(!check_der(buf_slice(longer), none, chain, &error));
    ck_assert_int_eq(error.code, E_CERT_MALFORMED);
    for (size_t length = 0; length < buf_length(leaf); length++) {
        uint8_t *exact = malloc(length > 0 ? length : 1);
        memcpy(exact, buf_slice(leaf).data, length);
        ck_assert(!check_der((struct slice){exact, length}, none, chain, &error));
        ck_assert_int_eq(error.code, E_CERT_MALFORMED);
        free(exact);
    }
    static const uint8_t junk[] = "{\"certificate\":";
    ck_assert(!check_der(buf_slice(leaf), (struct slice){junk, sizeof junk}, chain, &error));
    ck_assert_int_eq(error.code, E_CERT_MALFORMED);
    buf_free(longer);
    buf_free(chain);
    buf_free(leaf);
    X509_free(certificate);
}
END_TEST

START_TEST(notices_every_changed_byte) {
    struct pki_spec spec = good_spec();
    struct error error;
    X509 *certificate = pki_certificate(&spec);
    struct buf *leaf = pki_der(certificate);
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    size_t length = buf_length(leaf);
    uint8_t *bad = malloc(length);
    for (size_t i = 0; i < length; i++) {
        memcpy(bad, buf_slice(leaf).data, length);
        bad[i] ^= 0x11;
        ck_assert_msg(
            !check_der((struct slice){bad, length}, (struct slice){NULL, 0}, chain, &error),
            "byte %zu", i);
        ck_assert_uint_eq(buf_length(chain), 0);
    }
    free(bad);
    buf_free(chain);
    buf_free(leaf);
    X509_free(certificate);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("x509");
    TCase *tests = tcase_create("x509");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, make_world, free_world);
    tcase_add_test(tests, accepts_and_tells_facts);
    tcase_add_loop_test(tests, accepts_every_key_type, 0, 5);
    tcase_add_test(tests, accepts_harmless_differences);
    tcase_add_test(tests, refuses_another_key);
    tcase_add_test(tests, refuses_other_forms);
    tcase_add_test(tests, refuses_other_subjects);
    tcase_add_test(tests, compares_all_profile_attributes);
    tcase_add_test(tests, refuses_other_alternative_names);
    tcase_add_test(tests, refuses_malformed_extensions);
    tcase_add_test(tests, refuses_other_usages);
    tcase_add_test(tests, refuses_a_ca_certificate);
    tcase_add_test(tests, refuses_unknown_critical_extensions);
    tcase_add_test(tests, refuses_weak_signatures);
    tcase_add_test(tests, accepts_an_idevid);
    tcase_add_test(tests, refuses_other_idevids);
    tcase_add_test(tests, holds_the_begin);
    tcase_add_test(tests, holds_the_end);
    tcase_add_test(tests, holds_the_length);
    tcase_add_test(tests, what_was_spent_before_the_request_does_not_count);
    tcase_add_test(tests, no_longer_than_the_issuer_is_long_enough);
    tcase_add_test(tests, refuses_an_expired_issuer);
    tcase_add_test(tests, refuses_bad_serial_numbers);
    tcase_add_test(tests, refuses_what_is_not_one_certificate);
    tcase_add_test(tests, notices_every_changed_byte);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
