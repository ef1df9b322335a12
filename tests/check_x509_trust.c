// SPDX-License-Identifier: Apache-2.0
// Chains: what leads to a pinned root, what only looks like it, and what is installed of it.
#include <check.h>
#include <string.h>

#include "ca-client/x509.h"
#include "tests/support_pki.h"

static struct pki_ca root;
static EVP_PKEY *camera_key;
static struct profile profile;
static struct certificate_expected expected;
static uint8_t spki_sha256[SHA256_SIZE];
static const struct slice none = {NULL, 0};

static void make_world(void) {
    root = pki_ca_new("Root", NULL);
    camera_key = pki_key("P-256");
    ck_assert(profile_built_in("https", &profile));
    pki_spki_sha256(camera_key, spki_sha256);
    expected = (struct certificate_expected){
        .profile = &profile,
        .subject = {.serial = "A1", .model = "M"},
        .spki_sha256 = spki_sha256,
        .now_ms = PKI_NOW_MS,
    };
}

static void free_world(void) {
    EVP_PKEY_free(camera_key);
    pki_ca_free(&root);
}

static struct buf *leaf_from(const struct pki_ca *ca) {
    const struct pki_spec spec = {
        .issuer = ca->certificate,
        .issuer_key = ca->key,
        .key = camera_key,
        .subject = {{"CN", "A1"}, {"serialNumber", "A1"}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"subjectAltName", "DNS:a1.local"}},
        .not_before_ms = PKI_NOW_MS - 1000,
        .not_after_ms = PKI_NOW_MS - 1000 + 3650 * PKI_DAY_MS,
    };
    X509 *certificate = pki_certificate(&spec);
    struct buf *der = pki_der(certificate);
    X509_free(certificate);
    return der;
}

static bool make_trust(const X509 *anchor, const X509 *intermediate, struct x509_trust **trust,
                       struct error *error) {
    struct buf *roots = pki_pem(anchor);
    struct buf *intermediates = intermediate != NULL ? pki_pem(intermediate) : buf_new(1);
    bool good = x509_trust_new(buf_slice(roots), buf_slice(intermediates), trust, error);
    buf_free(intermediates);
    buf_free(roots);
    return good;
}

// Checks a leaf against `anchor`; `chain` gets what is to be installed.
static bool check(const X509 *anchor, const X509 *intermediate, const struct buf *leaf,
                  struct slice extra, struct buf *chain, struct error *error) {
    struct x509_trust *trust = NULL;
    struct certificate_facts facts;
    *error = (struct error){0};
    ck_assert_msg(make_trust(anchor, intermediate, &trust, error), "%s", error->text);
    bool good =
        x509_check_certificate(trust, buf_slice(leaf), extra, &expected, &facts, chain, error);
    x509_trust_free(trust);
    return good;
}

static void expect_chain(const X509 *anchor, const X509 *intermediate, const struct buf *leaf,
                         struct slice extra, const struct buf *installed) {
    struct error error = {0};
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    ck_assert_msg(check(anchor, intermediate, leaf, extra, chain, &error), "%s", error.text);
    ck_assert(slice_equal(buf_slice(chain), buf_slice(installed)));
    ck_assert_int_eq(error.code, ERROR_NONE);
    buf_free(chain);
}

static void expect_refused(const X509 *anchor, const struct buf *leaf, struct slice extra,
                           enum error_code code, const char *part) {
    struct error error;
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    ck_assert(!check(anchor, NULL, leaf, extra, chain, &error));
    ck_assert_msg(error.code == code, "%s %s", error_code_text(error.code), error.text);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
    buf_free(chain);
}

// ---- what is installed --------------------------------------------------------------------------

START_TEST(a_root_that_issues_itself) {
    struct buf *leaf = leaf_from(&root);
    expect_chain(root.certificate, NULL, leaf, none, leaf);
    buf_free(leaf);
}
END_TEST

START_TEST(two_intermediates_in_any_order_with_rubbish) {
    struct pki_ca upper = pki_ca_new("Upper", &root);
    struct pki_ca lower = pki_ca_new("Lower", &upper);
    struct pki_ca stranger = pki_ca_new("Stranger", NULL);
    struct buf *leaf = leaf_from(&lower);
    struct buf *ders[] = {pki_der(stranger.certificate), pki_der(root.certificate),
                          pki_der(upper.certificate), pki_der(lower.certificate)};
    struct buf *extra = buf_new(X509_OBJECT_MAX);
    struct buf *installed = buf_new(X509_OBJECT_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(ders); i++) {
        ck_assert(buf_put(extra, buf_slice(ders[i]).data, buf_length(ders[i])));
    }
    ck_assert(buf_put(installed, buf_slice(leaf).data, buf_length(leaf)) &&
              buf_put(installed, buf_slice(ders[3]).data, buf_length(ders[3])) &&
              buf_put(installed, buf_slice(ders[2]).data, buf_length(ders[2])));
    expect_chain(root.certificate, NULL, leaf, buf_slice(extra), installed);
    // One from the CA, one pinned.
    expect_chain(root.certificate, upper.certificate, leaf, buf_slice(ders[3]), installed);
    for (size_t i = 0; i < ARRAY_LENGTH(ders); i++) {
        buf_free(ders[i]);
    }
    buf_free(installed);
    buf_free(extra);
    buf_free(leaf);
    pki_ca_free(&stranger);
    pki_ca_free(&lower);
    pki_ca_free(&upper);
}
END_TEST

START_TEST(a_missing_intermediate) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    struct buf *leaf = leaf_from(&issuing);
    expect_refused(root.certificate, leaf, none, E_CERT_CHAIN, "issued by \"CN=Issuing,O=Test\"");
    buf_free(leaf);
    pki_ca_free(&issuing);
}
END_TEST

// ---- look-alikes --------------------------------------------------------------------------------

// What a CA gave along is remembered for the next certificate that comes with the same, and serves no
// other.
START_TEST(what_was_given_along_before) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    struct pki_ca other = pki_ca_new("Other", &root);
    struct buf *leaf = leaf_from(&issuing);
    struct buf *good = pki_der(issuing.certificate);
    struct buf *bad = pki_der(other.certificate);
    const struct slice given[] = {buf_slice(good), none,           buf_slice(good), buf_slice(bad),
                                  buf_slice(good), buf_slice(leaf)};
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    struct x509_trust *trust = NULL;
    struct certificate_facts facts;
    struct error error;
    ck_assert(make_trust(root.certificate, NULL, &trust, &error));
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(given); i++) {
        buf_clear(chain);
        bool leads = x509_check_certificate(trust, buf_slice(leaf), given[i % ARRAY_LENGTH(given)],
                                            &expected, &facts, chain, &error);
        ck_assert_msg(leads == (i % 2 == 0), "%zu: %s", i, error.text);
        ck_assert(leads || error.code == E_CERT_CHAIN);
    }
    x509_trust_free(trust);
    buf_free(chain);
    buf_free(bad);
    buf_free(good);
    buf_free(leaf);
    pki_ca_free(&other);
    pki_ca_free(&issuing);
}
END_TEST

START_TEST(a_root_of_the_same_name) {
    struct pki_ca fake = pki_ca_new("Root", NULL);
    struct buf *leaf = leaf_from(&fake);
    struct buf *extra = pki_der(fake.certificate);
    expect_refused(root.certificate, leaf, none, E_CERT_CHAIN, "CN=Root");
    expect_refused(root.certificate, leaf, buf_slice(extra), E_CERT_CHAIN, "");
    buf_free(extra);
    buf_free(leaf);
    pki_ca_free(&fake);
}
END_TEST

START_TEST(an_issuer_of_the_same_name) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    struct pki_ca other_root = pki_ca_new("Root", NULL);
    struct pki_ca fake = pki_ca_new("Issuing", &other_root);
    struct buf *leaf = leaf_from(&fake);
    struct buf *real = pki_der(issuing.certificate);
    struct buf *own = pki_der(fake.certificate);
    expect_refused(root.certificate, leaf, buf_slice(real), E_CERT_CHAIN, "");
    expect_refused(root.certificate, leaf, buf_slice(own), E_CERT_CHAIN, "");
    buf_free(own);
    buf_free(real);
    buf_free(leaf);
    pki_ca_free(&fake);
    pki_ca_free(&other_root);
    pki_ca_free(&issuing);
}
END_TEST

START_TEST(an_issuer_that_is_no_ca) {
    struct pki_ca camera = {.key = pki_key("P-256")};
    struct pki_spec spec = {
        .issuer = root.certificate,
        .issuer_key = root.key,
        .key = camera.key,
        .subject = {{"CN", "Another camera"}},
        .extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"keyUsage", "critical,digitalSignature"}},
    };
    camera.certificate = pki_certificate(&spec);
    struct buf *leaf = leaf_from(&camera);
    struct buf *extra = pki_der(camera.certificate);
    expect_refused(root.certificate, leaf, buf_slice(extra), E_CERT_CHAIN, "");
    buf_free(extra);
    buf_free(leaf);
    pki_ca_free(&camera);
}
END_TEST

static struct pki_ca special_ca(const struct pki_spec *changes, const char *kind) {
    struct pki_ca ca = {.key = pki_key(kind)};
    struct pki_spec spec = *changes;
    spec.issuer = root.certificate;
    spec.issuer_key = root.key;
    spec.key = ca.key;
    spec.subject[0] = (struct pki_pair){"CN", "Special"};
    ca.certificate = pki_certificate(&spec);
    return ca;
}

static void expect_special_refused(struct pki_ca *ca, enum error_code code, const char *part) {
    struct buf *leaf = leaf_from(ca);
    struct buf *extra = pki_der(ca->certificate);
    expect_refused(root.certificate, leaf, buf_slice(extra), code, part);
    buf_free(extra);
    buf_free(leaf);
    pki_ca_free(ca);
}

static void expect_special_taken(struct pki_ca *ca) {
    struct buf *leaf = leaf_from(ca);
    struct buf *extra = pki_der(ca->certificate);
    struct buf *installed = pki_join(leaf, extra);
    expect_chain(root.certificate, NULL, leaf, buf_slice(extra), installed);
    buf_free(installed);
    buf_free(extra);
    buf_free(leaf);
    pki_ca_free(ca);
}

START_TEST(weak_and_odd_issuers) {
    struct pki_spec spec = {.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign"}},
                            .not_after_ms = PKI_FOREVER_MS};
    struct pki_ca ca = special_ca(&spec, "RSA-1024");
    expect_special_refused(&ca, E_CERT_WEAK, "key too weak");
    spec.digest = "SHA1";
    ca = special_ca(&spec, "P-256");
    expect_special_refused(&ca, E_CERT_WEAK, "digest algorithm too weak");
    spec.digest = NULL;
    pki_set(spec.extensions, "1.2.3.4", "critical,DER:05:00");
    ca = special_ca(&spec, "P-256");
    expect_special_refused(&ca, E_CERT_EXTENSION, "CN=Special");
    pki_set(spec.extensions, "1.2.3.4", NULL);
    pki_set(spec.extensions, "nameConstraints", "critical,permitted;DNS:example.com");
    ca = special_ca(&spec, "P-256");
    expect_special_refused(&ca, E_CERT_CHAIN, "permitted subtree");
}
END_TEST

static const struct {
    const char *kind;
    bool good;
} kinds[] = {{"P-256", true},           {"P-384", true},      {"P-521", true},
             {"RSA-2048", true},        {"ED25519", true},    {"ED448", true},
             {"P-224", false},          {"sect233k1", false}, {"secp256k1", false},
             {"brainpoolP256r1", false}};

START_TEST(keys_of_issuers) {
    struct pki_spec spec = {.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign"}},
                            .not_after_ms = PKI_FOREVER_MS};
    struct pki_ca ca = special_ca(&spec, kinds[_i].kind);
    if (!kinds[_i].good) {
        expect_special_refused(&ca, E_CERT_WEAK,
                               "key of the issuer \"CN=Special\" is none of P-256");
        return;
    }
    expect_special_taken(&ca);
}
END_TEST

START_TEST(the_key_of_a_root) {
    struct pki_ca odd = {.key = pki_key("secp256k1")};
    const struct pki_spec spec = {.key = odd.key,
                                  .subject = {{"CN", "Odd"}},
                                  .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                                 {"keyUsage", "critical,keyCertSign"}},
                                  .not_after_ms = PKI_FOREVER_MS};
    odd.certificate = pki_certificate(&spec);
    struct buf *leaf = leaf_from(&odd);
    expect_refused(odd.certificate, leaf, none, E_CERT_WEAK, "\"CN=Odd\"");
    buf_free(leaf);
    pki_ca_free(&odd);
}
END_TEST

// ---- cross-signed -------------------------------------------------------------------------------

// The same CA, name and key, under another root.
static struct buf *cross_sign(const struct pki_ca *ca, const struct pki_ca *by) {
    struct pki_spec spec = {.issuer = by->certificate,
                            .issuer_key = by->key,
                            .key = ca->key,
                            .subject = {{"O", "Test"}, {"CN", "Issuing"}},
                            .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign,cRLSign"},
                                           {"subjectKeyIdentifier", "hash"}},
                            .not_before_ms = INT64_C(1577836800000),
                            .not_after_ms = PKI_FOREVER_MS};
    X509 *certificate = pki_certificate(&spec);
    struct buf *der = pki_der(certificate);
    X509_free(certificate);
    return der;
}

START_TEST(an_issuer_that_is_cross_signed) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    struct pki_ca old = pki_ca_new("Old", NULL);
    struct buf *leaf = leaf_from(&issuing);
    struct buf *cross = cross_sign(&issuing, &old);
    struct buf *straight = pki_der(issuing.certificate);
    struct buf *above = pki_der(old.certificate);
    struct buf *bare = pki_join(cross, straight);
    struct buf *whole = pki_join(above, bare);
    struct buf *alone = pki_join(cross, above);
    struct buf *installed = pki_join(leaf, straight);
    expect_chain(root.certificate, NULL, leaf, buf_slice(bare), installed);
    expect_chain(root.certificate, NULL, leaf, buf_slice(whole), installed);
    // The CA gives the one, the configuration has the other.
    expect_chain(root.certificate, issuing.certificate, leaf, buf_slice(alone), installed);
    // Without the right one: what was found first is told.
    expect_refused(root.certificate, leaf, buf_slice(alone), E_CERT_CHAIN, "CN=Old");
    struct buf *all[] = {leaf, cross, straight, above, bare, whole, alone, installed};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        buf_free(all[i]);
    }
    pki_ca_free(&old);
    pki_ca_free(&issuing);
}
END_TEST

// Who meets such a chain in TLS refuses it, so that it is money lost.
START_TEST(issuers_that_are_for_something_else) {
    static const struct {
        const char *usages, *part;
    } cases[] = {{"emailProtection", "\"CN=Special\" lack serverAuth"},
                 {"clientAuth", "lack serverAuth"},
                 {"critical,serverAuth", "lack clientAuth"}};
    struct pki_spec spec = {.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign"}},
                            .not_after_ms = PKI_FOREVER_MS};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        pki_set(spec.extensions, "extendedKeyUsage", cases[i].usages);
        struct pki_ca ca = special_ca(&spec, "P-256");
        expect_special_refused(&ca, E_CERT_CHAIN, cases[i].part);
    }
}
END_TEST

START_TEST(issuers_that_are_for_tls_and_more) {
    static const char *const usages[] = {"serverAuth,clientAuth,emailProtection",
                                         "anyExtendedKeyUsage"};
    struct pki_spec spec = {.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                           {"keyUsage", "critical,keyCertSign"}},
                            .not_after_ms = PKI_FOREVER_MS};
    for (size_t i = 0; i < ARRAY_LENGTH(usages); i++) {
        pki_set(spec.extensions, "extendedKeyUsage", usages[i]);
        struct pki_ca ca = special_ca(&spec, "P-256");
        expect_special_taken(&ca);
    }
}
END_TEST

// ---- limits -------------------------------------------------------------------------------------

START_TEST(too_many_further_certificates) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    struct buf *leaf = leaf_from(&issuing);
    struct buf *one = pki_der(issuing.certificate);
    struct buf *extra = buf_new(X509_OBJECT_MAX);
    struct buf *installed = pki_join(leaf, one);
    for (int i = 0; i < 8; i++) {
        ck_assert(buf_put(extra, buf_slice(one).data, buf_length(one)));
    }
    expect_chain(root.certificate, NULL, leaf, buf_slice(extra), installed);
    ck_assert(buf_put(extra, buf_slice(one).data, buf_length(one)));
    expect_refused(root.certificate, leaf, buf_slice(extra), E_CERT_MALFORMED, "more than 8");
    buf_free(installed);
    buf_free(extra);
    buf_free(one);
    buf_free(leaf);
    pki_ca_free(&issuing);
}
END_TEST

START_TEST(a_chain_that_does_not_fit) {
    struct error error;
    struct buf *leaf = leaf_from(&root);
    struct buf *small = buf_new(buf_length(leaf) - 1);
    ck_assert(!check(root.certificate, NULL, leaf, none, small, &error));
    ck_assert_int_eq(error.code, E_CERT_CHAIN);
    buf_free(small);
    buf_free(leaf);
}
END_TEST

START_TEST(a_chain_that_is_too_deep) {
    struct pki_ca cas[8];
    struct buf *extra = buf_new(X509_OBJECT_MAX);
    for (size_t i = 0; i < ARRAY_LENGTH(cas); i++) {
        char name[] = {'L', (char)('0' + i), '\0'};
        cas[i] = pki_ca_new(name, i == 0 ? &root : &cas[i - 1]);
        struct buf *der = pki_der(cas[i].certificate);
        ck_assert(buf_put(extra, buf_slice(der).data, buf_length(der)));
        buf_free(der);
    }
    struct buf *leaf = leaf_from(&cas[7]);
    expect_refused(root.certificate, leaf, buf_slice(extra), E_CERT_CHAIN, "too long");
    buf_free(leaf);
    for (size_t i = 0; i < ARRAY_LENGTH(cas); i++) {
        pki_ca_free(&cas[i]);
    }
    buf_free(extra);
}
END_TEST

// ---- the trust itself ---------------------------------------------------------------------------

static void expect_no_trust(const X509 *anchor, const char *part) {
    struct x509_trust *trust = (struct x509_trust *)&root; // anything but NULL
    struct error error = {0};
    ck_assert(!make_trust(anchor, NULL, &trust, &error));
    ck_assert_ptr_null(trust);
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

START_TEST(only_roots_are_roots) {
    struct pki_ca issuing = pki_ca_new("Issuing", &root);
    expect_no_trust(issuing.certificate, "\"CN=Issuing,O=Test\" is not self-signed");
    const struct pki_spec spec = {.key = camera_key,
                                  .subject = {{"CN", "camera"}},
                                  .extensions = {{"basicConstraints", "critical,CA:FALSE"}}};
    X509 *camera = pki_certificate(&spec);
    expect_no_trust(camera, "no CA certificate");
    X509_free(camera);
    pki_ca_free(&issuing);
}
END_TEST

START_TEST(trust_needs_pem) {
    struct x509_trust *trust = NULL;
    struct error error = {0};
    struct buf *pem = pki_pem(root.certificate);
    ck_assert(!x509_trust_new(none, none, &trust, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    ck_assert_msg(strstr(error.text, "root certificates") != NULL, "%s", error.text);
    static const uint8_t junk[] = "junk";
    ck_assert(!x509_trust_new(buf_slice(pem), (struct slice){junk, sizeof junk}, &trust, &error));
    ck_assert_int_eq(error.code, E_CA_CONFIG);
    ck_assert_msg(strstr(error.text, "intermediate") != NULL, "%s", error.text);
    x509_trust_free(NULL);
    buf_free(pem);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("x509_trust");
    TCase *tests = tcase_create("x509_trust");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, make_world, free_world);
    tcase_add_test(tests, a_root_that_issues_itself);
    tcase_add_test(tests, two_intermediates_in_any_order_with_rubbish);
    tcase_add_test(tests, a_missing_intermediate);
    tcase_add_test(tests, what_was_given_along_before);
    tcase_add_test(tests, a_root_of_the_same_name);
    tcase_add_test(tests, an_issuer_of_the_same_name);
    tcase_add_test(tests, an_issuer_that_is_no_ca);
    tcase_add_test(tests, weak_and_odd_issuers);
    tcase_add_loop_test(tests, keys_of_issuers, 0, (int)ARRAY_LENGTH(kinds));
    tcase_add_test(tests, the_key_of_a_root);
    tcase_add_test(tests, an_issuer_that_is_cross_signed);
    tcase_add_test(tests, issuers_that_are_for_something_else);
    tcase_add_test(tests, issuers_that_are_for_tls_and_more);
    tcase_add_test(tests, too_many_further_certificates);
    tcase_add_test(tests, a_chain_that_does_not_fit);
    tcase_add_test(tests, a_chain_that_is_too_deep);
    tcase_add_test(tests, only_roots_are_roots);
    tcase_add_test(tests, trust_needs_pem);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
