// SPDX-License-Identifier: Apache-2.0
// Certificate revocation lists: what they say, whose word they are, and which are not believed.
#include <check.h>
#include <openssl/conf.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "ca-client/x509_crl.h"
#include "tests/support_pki.h"

static struct pki_ca root;
static EVP_PKEY *camera_key;
static const struct slice none = {NULL, 0};

static void make_world(void) {
    root = pki_ca_new("Root", NULL);
    camera_key = pki_key("P-256");
}

static void free_world(void) {
    EVP_PKEY_free(camera_key);
    pki_ca_free(&root);
}

// ---- making lists -------------------------------------------------------------------------------

static X509_EXTENSION *extension(const struct pki_pair *pair, const char *sections) {
    X509V3_CTX context;
    long line = 0;
    CONF *config = NCONF_new(NULL);
    BIO *text = BIO_new_mem_buf(sections, -1);
    ck_assert(NCONF_load_bio(config, text, &line) == 1);
    X509V3_set_ctx_nodb(&context);
    X509V3_set_nconf(&context, config);
    X509_EXTENSION *made = X509V3_EXT_nconf(config, &context, pair->name, pair->value);
    ck_assert_ptr_nonnull(made);
    BIO_free(text);
    NCONF_free(config);
    return made;
}

struct entry {
    const char *serial; // hex
    int reason;         // -1: none
    struct pki_pair extension;
};

#define IDP_SECTIONS                                                                               \
    "[user]\nonlyuser = TRUE\n[indirect]\nindirectCRL = TRUE\n[ca]\nonlyCA = TRUE\n"               \
    "[attribute]\nonlyAA = TRUE\n"

static void add_entry(X509_CRL *list, const struct entry *entry) {
    X509_REVOKED *revoked = X509_REVOKED_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(PKI_NOW_MS / 1000));
    BIGNUM *number = NULL;
    ck_assert(BN_hex2bn(&number, entry->serial) > 0);
    ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(number, NULL);
    ck_assert(X509_REVOKED_set_serialNumber(revoked, serial) == 1 &&
              X509_REVOKED_set_revocationDate(revoked, time) == 1);
    if (entry->reason >= 0) {
        ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
        ck_assert(ASN1_ENUMERATED_set(reason, entry->reason) == 1 &&
                  X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0) == 1);
        ASN1_ENUMERATED_free(reason);
    }
    if (entry->extension.name != NULL) {
        X509_EXTENSION *made = extension(&entry->extension, IDP_SECTIONS);
        ck_assert(X509_REVOKED_add_ext(revoked, made, -1) == 1);
        X509_EXTENSION_free(made);
    }
    ck_assert(X509_CRL_add0_revoked(list, revoked) == 1);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    ASN1_TIME_free(time);
}

struct list_spec {
    const X509 *issuer; // NULL: the root
    EVP_PKEY *key;      // NULL: the root's
    struct pki_pair extension;
    const char *digest; // NULL: SHA-256
    bool is_ed;         // no digest
    bool is_pss;
    const struct entry *entries;
    size_t count;
};

static void sign_list(X509_CRL *list, EVP_PKEY *key, const struct list_spec *spec) {
    EVP_PKEY_CTX *options = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const char *name = spec->digest != NULL ? spec->digest : "SHA256";
    const EVP_MD *digest = spec->is_ed ? NULL : EVP_get_digestbyname(name);
    ck_assert(EVP_DigestSignInit(context, &options, digest, NULL, key) == 1);
    if (spec->is_pss) {
        ck_assert(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1);
    }
    ck_assert_int_gt(X509_CRL_sign_ctx(list, context), 0);
    EVP_MD_CTX_free(context);
}

static struct buf *list_of(const struct list_spec *spec) {
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(PKI_NOW_MS / 1000));
    const X509 *issuer = spec->issuer != NULL ? spec->issuer : root.certificate;
    EVP_PKEY *key = spec->key != NULL ? spec->key : root.key;
    ck_assert(X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) == 1 &&
              X509_CRL_set1_lastUpdate(list, time) == 1);
    for (size_t i = 0; i < spec->count; i++) {
        add_entry(list, &spec->entries[i]);
    }
    if (spec->extension.name != NULL) {
        X509_EXTENSION *made = extension(&spec->extension, IDP_SECTIONS);
        ck_assert(X509_CRL_add_ext(list, made, -1) == 1);
        X509_EXTENSION_free(made);
    }
    sign_list(list, key, spec);
    unsigned char *der = NULL;
    int length = i2d_X509_CRL(list, &der);
    struct buf *out = buf_new(X509_OBJECT_MAX);
    ck_assert(length > 0 && buf_put(out, der, (size_t)length));
    OPENSSL_free(der);
    ASN1_TIME_free(time);
    X509_CRL_free(list);
    return out;
}

static struct x509_crl *read_list(const struct list_spec *spec, struct x509_crl_facts *facts) {
    struct x509_crl *crl = NULL;
    struct error error;
    struct buf *der = list_of(spec);
    ck_assert_msg(x509_crl_read(buf_slice(der), &crl, facts, &error), "%s", error.text);
    buf_free(der);
    return crl;
}

static void expect_unread(struct slice file, const char *part) {
    struct x509_crl *crl = NULL;
    struct x509_crl_facts facts;
    struct error error = {0};
    ck_assert(!x509_crl_read(file, &crl, &facts, &error));
    ck_assert_ptr_null(crl);
    ck_assert_int_eq(error.code, E_CRL_FILE);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

static void expect_text_unread(const char *text, const char *part) {
    expect_unread((struct slice){(const uint8_t *)text, strlen(text)}, part);
}

static void expect_refused(const struct list_spec *spec, const char *part) {
    struct buf *der = list_of(spec);
    expect_unread(buf_slice(der), part);
    buf_free(der);
}

// ---- what it says -------------------------------------------------------------------------------

static struct x509_crl_entry find(struct x509_crl *crl, const char *hex) {
    uint8_t serial[X509_SERIAL_MAX];
    size_t length = strlen(hex) / 2;
    ck_assert(hex_decode(serial, length, hex));
    return x509_crl_find(crl, (struct slice){serial, length});
}

START_TEST(what_is_listed) {
    static const struct entry entries[] = {
        {.serial = "0102", .reason = -1},
        {.serial = "F1", .reason = CRL_REASON_KEY_COMPROMISE},
        {.serial = "FF00", .reason = CRL_REASON_CERTIFICATE_HOLD},
        {.serial = "FF01", .reason = CRL_REASON_REMOVE_FROM_CRL},
        {.serial = "FF02", .reason = 7}, // none of RFC 5280
        {.serial = "FF03", .reason = 4711},
        {.serial = "FF04", .reason = CRL_REASON_AA_COMPROMISE},
    };
    const struct list_spec spec = {.entries = entries, .count = ARRAY_LENGTH(entries)};
    struct x509_crl_facts facts;
    struct x509_crl *crl = read_list(&spec, &facts);
    ck_assert_str_eq(facts.issuer, "CN=Root,O=Test");
    ck_assert_uint_eq(facts.count, ARRAY_LENGTH(entries));
    ck_assert_int_eq(facts.this_update_ms, PKI_NOW_MS);
    ck_assert(facts.is_whole);
    ck_assert_int_eq(find(crl, "0102").word, X509_CRL_REVOKED);
    ck_assert_str_eq(find(crl, "0102").reason, "unspecified");
    ck_assert_int_eq(find(crl, "0102").revoked_ms, PKI_NOW_MS);
    ck_assert_int_eq(find(crl, "f1").word, X509_CRL_REVOKED); // no sign
    ck_assert_str_eq(find(crl, "f1").reason, "keyCompromise");
    ck_assert_int_eq(find(crl, "ff00").word, X509_CRL_ON_HOLD);
    ck_assert_int_eq(find(crl, "ff01").word, X509_CRL_SILENT);
    ck_assert_str_eq(find(crl, "ff02").reason, "unspecified");
    ck_assert_str_eq(find(crl, "ff03").reason, "unspecified");
    ck_assert_str_eq(find(crl, "ff04").reason, "aACompromise");
    ck_assert_int_eq(find(crl, "01").word, X509_CRL_SILENT);
    ck_assert_int_eq(find(crl, "0f").word, X509_CRL_SILENT); // -F1
    ck_assert_int_eq(x509_crl_find(crl, none).word, X509_CRL_SILENT);
    static const uint8_t zeros[X509_SERIAL_MAX + 1];
    ck_assert_int_eq(x509_crl_find(crl, (struct slice){zeros, sizeof zeros}).word, X509_CRL_SILENT);
    x509_crl_free(crl);
}
END_TEST

START_TEST(an_empty_list) {
    const struct list_spec spec = {.count = 0};
    struct x509_crl_facts facts;
    struct x509_crl *crl = read_list(&spec, &facts);
    ck_assert_uint_eq(facts.count, 0);
    ck_assert_int_eq(find(crl, "01").word, X509_CRL_SILENT);
    x509_crl_free(crl);
    x509_crl_free(NULL);
}
END_TEST

// OpenSSL writes text in front, which may begin as DER does.
START_TEST(text_in_front) {
    const struct list_spec spec = {.count = 0};
    struct x509_crl_facts facts;
    struct x509_crl *crl = NULL;
    struct error error;
    struct buf *der = list_of(&spec);
    struct buf *pem = buf_new(X509_OBJECT_MAX);
    ck_assert(buf_put(pem, "0 is a digit\n", 13) &&
              x509_der_to_pem(buf_slice(der), "X509 CRL", pem, &error));
    ck_assert_msg(x509_crl_read(buf_slice(pem), &crl, &facts, &error), "%s", error.text);
    x509_crl_free(crl);
    buf_free(pem);
    buf_free(der);
}
END_TEST

START_TEST(a_list_of_a_part) {
    const struct list_spec spec = {.extension = {"issuingDistributionPoint", "critical,@user"}};
    struct x509_crl_facts facts;
    struct x509_crl *crl = read_list(&spec, &facts);
    ck_assert(!facts.is_whole);
    x509_crl_free(crl);
}
END_TEST

// ---- what is no list, or none that can be believed -----------------------------------------------

START_TEST(lists_that_are_refused) {
    static const struct entry odd[] = {
        {.serial = "01", .reason = -1, .extension = {"1.2.3.4", "critical,ASN1:NULL"}}};
    static const struct entry plain[] = {
        {.serial = "01", .reason = -1, .extension = {"1.2.3.4", "ASN1:NULL"}}};
    const struct {
        struct list_spec spec;
        const char *part;
    } lists[] = {
        {{.extension = {"2.5.29.27", "critical,ASN1:INTEGER:3"}}, "a delta list"},
        {{.extension = {"2.5.29.27", "ASN1:INTEGER:3"}}, "a delta list"},
        {{.extension = {"issuingDistributionPoint", "critical,@indirect"}}, "an indirect list"},
        {{.extension = {"issuingDistributionPoint", "critical,@ca"}}, "of CAs or of"},
        {{.extension = {"issuingDistributionPoint", "critical,@attribute"}}, "of CAs or of"},
        {{.extension = {"2.5.29.28", "critical,ASN1:NULL"}}, "cannot be read"},
        {{.extension = {"1.2.3.4", "critical,ASN1:NULL"}}, "not known: 1.2.3.4"},
        {{.entries = odd, .count = 1}, "not known: 1.2.3.4"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        expect_refused(&lists[i].spec, lists[i].part);
    }
    const struct list_spec good = {
        .extension = {"1.2.3.4", "ASN1:NULL"}, .entries = plain, .count = 1};
    struct x509_crl_facts facts;
    x509_crl_free(read_list(&good, &facts));
}
END_TEST

START_TEST(files_that_hold_none) {
    const struct list_spec spec = {.count = 0};
    struct buf *der = list_of(&spec);
    struct buf *certificate = pki_der(root.certificate);
    struct buf *twice = pki_join(der, der);
    expect_unread(none, "in 0 bytes");
    expect_unread((struct slice){(const uint8_t *)"0", 1}, "in 1 bytes");
    expect_unread((struct slice){(const uint8_t *)"-----BEGIN X509 CRL-----\n", 25}, "in 25 bytes");
    expect_text_unread("-----BEGIN X509 CRL-----\nProc-Type: 4,ENCRYPTED\n"
                       "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n"
                       "-----END X509 CRL-----\n",
                       "no certificate revocation list");
    expect_text_unread("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
                       "-----BEGIN X509 CRL-----\n",
                       "more than one list");
    expect_unread(buf_slice(certificate), "it holds certificates, which inbox import takes");
    expect_unread(buf_slice(twice), "bytes follow behind the list");
    for (size_t length = 0; length < buf_length(der); length++) {
        expect_unread((struct slice){buf_slice(der).data, length}, "no certificate revocation");
    }
    buf_free(twice);
    buf_free(certificate);
    buf_free(der);
}
END_TEST

// ---- whose word it is ---------------------------------------------------------------------------

static struct buf *leaf_from(const X509 *issuer, EVP_PKEY *key, const char *serial) {
    const struct pki_spec spec = {.issuer = issuer,
                                  .issuer_key = key,
                                  .key = camera_key,
                                  .subject = {{"CN", "A1"}},
                                  .serial = serial};
    X509 *certificate = pki_certificate(&spec);
    struct buf *der = pki_der(certificate);
    X509_free(certificate);
    return der;
}

static enum x509_crl_signer find_signer(const struct list_spec *spec, struct slice extra,
                                        struct x509_crl **crl, struct error *error) {
    struct x509_trust *trust = NULL;
    struct x509_crl_facts facts;
    struct buf *pem = pki_pem(root.certificate);
    *crl = read_list(spec, &facts);
    *error = (struct error){0};
    ck_assert(x509_trust_new(buf_slice(pem), none, &trust, error));
    enum x509_crl_signer signer = x509_crl_find_signer(*crl, trust, extra, error);
    x509_trust_free(trust);
    buf_free(pem);
    return signer;
}

static struct x509_crl *expect_signed(const struct list_spec *spec, struct slice extra) {
    struct x509_crl *crl = NULL;
    struct error error;
    ck_assert_msg(find_signer(spec, extra, &crl, &error) == X509_CRL_SIGNED, "%s", error.text);
    ck_assert_int_eq(error.code, ERROR_NONE);
    return crl;
}

static void expect_word_on(const struct list_spec *spec, struct slice extra, struct slice leaf,
                           enum x509_crl_scope scope) {
    struct x509_crl_entry entry;
    struct x509_crl *crl = expect_signed(spec, extra);
    ck_assert_int_eq(x509_crl_judge(crl, leaf, &entry), scope);
    x509_crl_free(crl);
}

static void expect_disbelieved(const struct list_spec *spec, struct slice extra,
                               enum x509_crl_signer how_near, const char *part) {
    struct x509_crl *crl = NULL;
    struct x509_crl_entry entry;
    struct error error;
    ck_assert_int_eq(find_signer(spec, extra, &crl, &error), how_near);
    ck_assert_int_eq(error.code, E_CRL_SIGNER);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
    ck_assert_int_ne(x509_crl_judge(crl, extra, &entry), X509_CRL_OF_SIGNER);
    x509_crl_free(crl);
}

START_TEST(the_issuers_own_word) {
    struct pki_ca lower = pki_ca_new("Lower", &root);
    struct pki_ca renewed = pki_ca_new("Lower", &root);
    struct pki_ca other = pki_ca_new("Lower", NULL);
    const struct list_spec of_root = {.count = 0};
    const struct list_spec of_lower = {.issuer = lower.certificate, .key = lower.key};
    const struct list_spec of_other = {.issuer = other.certificate, .key = other.key};
    struct buf *by_root = leaf_from(root.certificate, root.key, "0102");
    struct buf *by_lower = leaf_from(lower.certificate, lower.key, "0102");
    struct buf *by_renewed = leaf_from(renewed.certificate, renewed.key, "0102");
    struct buf *lower_der = pki_der(lower.certificate);
    struct buf *renewed_der = pki_der(renewed.certificate);
    struct buf *other_der = pki_der(other.certificate);
    struct buf *both = pki_join(renewed_der, lower_der);
    expect_word_on(&of_root, none, buf_slice(by_root), X509_CRL_OF_SIGNER);
    expect_word_on(&of_root, none, buf_slice(by_lower), X509_CRL_OF_ANOTHER);
    expect_word_on(&of_lower, buf_slice(lower_der), buf_slice(by_lower), X509_CRL_OF_SIGNER);
    expect_word_on(&of_lower, buf_slice(lower_der), buf_slice(by_root), X509_CRL_OF_ANOTHER);
    // The same CA, with another key.
    expect_word_on(&of_lower, buf_slice(both), buf_slice(by_lower), X509_CRL_OF_SIGNER);
    expect_word_on(&of_lower, buf_slice(both), buf_slice(by_renewed), X509_CRL_OF_NAMESAKE);
    expect_disbelieved(&of_lower, buf_slice(renewed_der), X509_CRL_OTHER_KEY,
                       "not signed with the key");
    expect_disbelieved(&of_lower, none, X509_CRL_NOBODY, "no CA certificate of its issuer");
    // Whoever makes a list may make the certificates that go with it.
    expect_disbelieved(&of_other, buf_slice(lower_der), X509_CRL_OTHER_KEY,
                       "not signed with the key");
    expect_disbelieved(&of_other, buf_slice(other_der), X509_CRL_UNTRUSTED,
                       "does not lead to a root");
    expect_word_on(&of_root, none, none, X509_CRL_OF_ANOTHER);
    buf_free(both);
    buf_free(other_der);
    buf_free(renewed_der);
    buf_free(lower_der);
    buf_free(by_renewed);
    buf_free(by_lower);
    buf_free(by_root);
    pki_ca_free(&other);
    pki_ca_free(&renewed);
    pki_ca_free(&lower);
}
END_TEST

// What is wrong with a certificate itself, and why it is in quarantine, is no matter of the list.
START_TEST(odd_certificates) {
    static const struct entry entries[] = {{.serial = "-05", .reason = -1},
                                           {.serial = "05", .reason = CRL_REASON_SUPERSEDED}};
    const struct list_spec list = {.entries = entries, .count = ARRAY_LENGTH(entries)};
    static const char *const serials[] = {"-5", "05"};
    static const char *const reasons[] = {"unspecified", "superseded"};
    for (size_t i = 0; i < ARRAY_LENGTH(serials); i++) {
        const struct pki_spec spec = {.issuer = root.certificate,
                                      .issuer_key = root.key,
                                      .key = camera_key,
                                      .subject = {{"CN", "A1"}},
                                      .extensions = {{"1.2.3.4", "critical,ASN1:NULL"}},
                                      .serial = serials[i],
                                      .not_after_ms = PKI_NOW_MS - 1000};
        X509 *certificate = pki_certificate(&spec);
        struct buf *leaf = pki_der(certificate);
        struct x509_crl *crl = expect_signed(&list, none);
        struct x509_crl_entry entry;
        ck_assert_int_eq(x509_crl_judge(crl, buf_slice(leaf), &entry), X509_CRL_OF_SIGNER);
        ck_assert_int_eq(entry.word, X509_CRL_REVOKED);
        ck_assert_str_eq(entry.reason, reasons[i]);
        x509_crl_free(crl);
        buf_free(leaf);
        X509_free(certificate);
    }
}
END_TEST

// An issuer with a key usage of its own, and how long it is good.
static X509 *issuer_with(const char *key_usage, EVP_PKEY *key, int64_t not_after_ms) {
    const struct pki_spec spec = {
        .issuer = root.certificate,
        .issuer_key = root.key,
        .key = key,
        .subject = {{"CN", "Issuer"}},
        .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", key_usage}},
        .not_after_ms = not_after_ms,
    };
    return pki_certificate(&spec);
}

static const struct {
    const char *key_usage;
    int64_t not_after_ms;
    enum x509_crl_signer how_near;
    const char *part; // NULL: believed
} issuers[] = {
    {"critical,keyCertSign,cRLSign", 0, X509_CRL_SIGNED, NULL},
    {"critical,keyCertSign", 0, X509_CRL_UNFIT, "may not sign lists"},
    // It was good when it made the list.
    {"critical,keyCertSign,cRLSign", PKI_NOW_MS + 1000, X509_CRL_SIGNED, NULL},
    {"critical,keyCertSign,cRLSign", PKI_NOW_MS - 1000, X509_CRL_UNTRUSTED,
     "does not lead to a root_file"},
};

START_TEST(issuers_of_lists) {
    EVP_PKEY *key = pki_key("P-256");
    X509 *issuer = issuer_with(issuers[_i].key_usage, key, issuers[_i].not_after_ms);
    const struct list_spec spec = {.issuer = issuer, .key = key};
    struct buf *leaf = leaf_from(issuer, key, "0102");
    struct buf *extra = pki_der(issuer);
    if (issuers[_i].part != NULL) {
        expect_disbelieved(&spec, buf_slice(extra), issuers[_i].how_near, issuers[_i].part);
    } else {
        expect_word_on(&spec, buf_slice(extra), buf_slice(leaf), X509_CRL_OF_SIGNER);
    }
    buf_free(extra);
    buf_free(leaf);
    X509_free(issuer);
    EVP_PKEY_free(key);
}
END_TEST

static const struct {
    const char *key;
    const char *digest; // NULL: the key's own
    bool is_pss;
    bool is_good;
} signatures[] = {
    {"P-256", "SHA256", false, true},    {"P-384", "SHA384", false, true},
    {"P-521", "SHA512", false, true},    {"ED25519", NULL, false, true},
    {"RSA-2048", "SHA256", false, true}, {"RSA-2048", "SHA256", true, true},
    {"RSA-2048", "SHA512", true, true},  {"P-256", "SHA1", false, false},
    {"P-256", "SHA224", false, false},   {"RSA-2048", "SHA1", false, false},
    {"RSA-2048", "SHA1", true, false},   {"RSA-2048", "MD5", false, false},
};

START_TEST(signatures_of_lists) {
    EVP_PKEY *key = pki_key(signatures[_i].key);
    X509 *issuer = issuer_with("critical,keyCertSign,cRLSign", key, 0);
    const struct list_spec spec = {.issuer = issuer,
                                   .key = key,
                                   .digest = signatures[_i].digest,
                                   .is_ed = signatures[_i].digest == NULL,
                                   .is_pss = signatures[_i].is_pss};
    struct buf *extra = pki_der(issuer);
    if (signatures[_i].is_good) {
        x509_crl_free(expect_signed(&spec, buf_slice(extra)));
    } else {
        expect_disbelieved(&spec, buf_slice(extra), X509_CRL_UNFIT, "SHA-1, or worse");
    }
    buf_free(extra);
    X509_free(issuer);
    EVP_PKEY_free(key);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("x509_crl");
    TCase *tests = tcase_create("x509_crl");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, make_world, free_world);
    tcase_add_test(tests, what_is_listed);
    tcase_add_test(tests, an_empty_list);
    tcase_add_test(tests, text_in_front);
    tcase_add_test(tests, a_list_of_a_part);
    tcase_add_test(tests, lists_that_are_refused);
    tcase_add_test(tests, files_that_hold_none);
    tcase_add_test(tests, the_issuers_own_word);
    tcase_add_test(tests, odd_certificates);
    tcase_add_loop_test(tests, issuers_of_lists, 0, (int)ARRAY_LENGTH(issuers));
    tcase_add_loop_test(tests, signatures_of_lists, 0, (int)ARRAY_LENGTH(signatures));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
