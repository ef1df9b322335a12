// SPDX-License-Identifier: Apache-2.0
// What an EST server says: bodies in every form, the CA's certificates in any order, CSR attributes.
#include <check.h>
#include <openssl/asn1.h>
#include <openssl/conf.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_est_internal.h"
#include "ca-client/x509.h"
#include "protocol/message.h"
#include "tests/support_pki.h"

static struct error error;

// ---- certificates -------------------------------------------------------------------------------

static X509 *end_entity(const struct pki_ca *ca, EVP_PKEY *key, int64_t not_before_ms) {
    const struct pki_spec spec = {
        .issuer = ca->certificate,
        .issuer_key = ca->key,
        .key = key,
        .subject = {{"CN", "camera"}},
        .extensions = {{"basicConstraints", "CA:FALSE"}},
        .not_before_ms = not_before_ms,
    };
    return pki_certificate(&spec);
}

static struct buf *join(X509 *const certificates[], size_t count) {
    struct buf *all = buf_new(1 << 16);
    for (size_t i = 0; i < count; i++) {
        struct buf *der = pki_der(certificates[i]);
        ck_assert(buf_put(all, buf_slice(der).data, buf_length(der)));
        buf_free(der);
    }
    return all;
}

static size_t count_certificates(struct slice der) {
    size_t count = 0;
    while (der.length > 0) {
        struct slice first = x509_first_der(der);
        ck_assert_uint_gt(first.length, 0);
        der = (struct slice){der.data + first.length, der.length - first.length};
        count++;
    }
    return count;
}

static bool is_certificate(struct slice der, const X509 *certificate) {
    struct buf *expected = pki_der(certificate);
    bool same = slice_equal(der, buf_slice(expected));
    buf_free(expected);
    return same;
}

// A root and two CAs below each other, in every order.
START_TEST(test_order) {
    static const size_t orders[][4] = {{0, 1, 2, 0}, {0, 2, 1, 0}, {1, 0, 2, 0},
                                       {1, 2, 0, 0}, {2, 0, 1, 0}, {2, 1, 0, 0}};
    struct pki_ca root = pki_ca_new("root", NULL);
    struct pki_ca middle = pki_ca_new("middle", &root);
    struct pki_ca low = pki_ca_new("low", &middle);
    X509 *const all[] = {root.certificate, middle.certificate, low.certificate};
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        X509 *const given[] = {all[orders[i][0]], all[orders[i][1]], all[orders[i][2]]};
        struct buf *certificates = join(given, 3);
        struct buf *chain = buf_new(1 << 16);
        struct buf *expected = join((X509 *const[]){all[2], all[1], all[0]}, 3);
        ck_assert(est_order_chain(buf_slice(certificates), chain));
        ck_assert(slice_equal(buf_slice(chain), buf_slice(expected)));
        buf_free(expected);
        buf_free(chain);
        buf_free(certificates);
    }
    pki_ca_free(&low);
    pki_ca_free(&middle);
    pki_ca_free(&root);
}
END_TEST

START_TEST(test_order_of_odd_sets) {
    struct pki_ca root = pki_ca_new("root", NULL);
    struct buf *chain = buf_new(1 << 16);
    struct buf *alone = join((X509 *const[]){root.certificate}, 1);
    struct buf *twice = join((X509 *const[]){root.certificate, root.certificate}, 2);
    ck_assert(est_order_chain(buf_slice(alone), chain));
    ck_assert(slice_equal(buf_slice(chain), buf_slice(alone)));
    buf_clear(chain);
    ck_assert(est_order_chain(buf_slice(twice), chain)); // in a circle: it ends all the same
    ck_assert_uint_le(count_certificates(buf_slice(chain)), 2);
    buf_clear(chain);
    ck_assert(!est_order_chain((struct slice){NULL, 0}, chain));
    buf_free(twice);
    buf_free(alone);
    buf_free(chain);
    pki_ca_free(&root);
}
END_TEST

START_TEST(test_pick_leaf) {
    uint8_t spki_sha256[SHA256_SIZE];
    struct slice leaf;
    struct pki_ca root = pki_ca_new("root", NULL);
    EVP_PKEY *key = pki_key("P-256");
    EVP_PKEY *other_key = pki_key("P-256");
    X509 *old = end_entity(&root, key, PKI_NOW_MS - 2 * PKI_DAY_MS);
    X509 *new = end_entity(&root, key, PKI_NOW_MS);
    X509 *other = end_entity(&root, other_key, 0);
    struct buf *rest = buf_new(1 << 16);
    pki_spki_sha256(key, spki_sha256);
    const struct {
        X509 *given[3];
        size_t count;
        const X509 *leaf;
    } cases[] = {
        {{new}, 1, new},
        {{root.certificate, new}, 2, new},
        {{other, root.certificate, new}, 3, new},
        {{old, new}, 2, new},
        {{new, root.certificate, old}, 3, new},
        {{root.certificate, other}, 2, other}, // whose key is wrong, as its check will say
        {{root.certificate}, 1, NULL},
        {{NULL}, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf *given = join(cases[i].given, cases[i].count);
        buf_clear(rest);
        bool found = est_pick_leaf(buf_slice(given), spki_sha256, &leaf, rest);
        ck_assert_uint_eq(found, cases[i].leaf != NULL);
        if (found) {
            ck_assert(is_certificate(leaf, cases[i].leaf));
            ck_assert_uint_eq(count_certificates(buf_slice(rest)), cases[i].count - 1);
        }
        buf_free(given);
    }
    buf_free(rest);
    X509_free(old);
    X509_free(new);
    X509_free(other);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    pki_ca_free(&root);
}
END_TEST

START_TEST(test_bodies) {
    static const uint8_t indefinite[] = {
        // BER with indefinite lengths, as some servers write it
        0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x80,
        0x30, 0x80, 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
        0xf7, 0x0d, 0x01, 0x07, 0x01, 0x00, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    static const uint8_t data[] = {0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                   0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
    static const char *const texts[] = {"", "MII", "Welcome!", "MAA=", "0"};
    struct buf *out = buf_new(1 << 16);
    ck_assert_msg(est_read_certificates((struct slice){indefinite, sizeof indefinite}, out, &error),
                  "%s", error.text);
    ck_assert_uint_eq(buf_length(out), 0);
    ck_assert(!est_read_certificates((struct slice){data, sizeof data}, out, &error));
    ck_assert_int_eq(error.code, E_CA_NONSENSE);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const struct slice body = {(const uint8_t *)texts[i], strlen(texts[i])};
        ck_assert_msg(!est_read_certificates(body, out, &error), "%s", texts[i]);
        ck_assert_int_eq(error.code, E_CA_NONSENSE);
    }
    buf_free(out);
}
END_TEST

// ---- CSR attributes -----------------------------------------------------------------------------

// In the language of ASN1_generate_v3(3).
static struct buf *generate(const char *first, const char *config) {
    BIO *bio = BIO_new_mem_buf(config, -1);
    CONF *conf = NCONF_new(NULL);
    unsigned char *der = NULL;
    long line = 0;
    ck_assert(bio != NULL && conf != NULL && NCONF_load_bio(conf, bio, &line) == 1);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_nconf(&context, conf);
    ASN1_TYPE *value = ASN1_generate_v3(first, &context);
    ck_assert_msg(value != NULL, "%s", config);
    int length = i2d_ASN1_TYPE(value, &der);
    struct buf *out = buf_new(4096);
    ck_assert(length > 0 && buf_put(out, der, (size_t)length));
    OPENSSL_free(der);
    ASN1_TYPE_free(value);
    NCONF_free(conf);
    BIO_free(bio);
    return out;
}

#define ATTRIBUTE(name, oid, type) "[" name "]\nt=OID:" oid "\nv=SET:" name "s\n[" name "s]\n" type
#define EC(curve) ATTRIBUTE("ec", "id-ecPublicKey", "v=OID:" curve "\n")
#define RSA(bits) ATTRIBUTE("rsa", "rsaEncryption", "v=INTEGER:" bits "\n")

static const struct {
    const char *list; // of the SEQUENCE "list"
    uint8_t key_type;
    const char *profile_word; // of the refusal, before there is a CSR; NULL: fits
    const char *csr_word;     // of the refusal of the CSR
} wishes_cases[] = {
    {"[list]\n", KEY_P256, NULL, NULL},
    // keys
    {"[list]\na=SEQ:ec\n" EC("prime256v1"), KEY_P256, NULL, NULL},
    {"[list]\na=SEQ:ec\n" EC("secp384r1"), KEY_P256, "secp384r1", "secp384r1"},
    {"[list]\na=SEQ:ec\n" EC("secp521r1"), KEY_P384, "secp521r1", "secp521r1"},
    {"[list]\na=SEQ:ec\nb=SEQ:rsa\n" EC("secp384r1") RSA("2048"), KEY_P256,
     "secp384r1 or RSA of 2048 bits", "p256"},
    {"[list]\na=SEQ:ec\nb=SEQ:rsa\n" EC("prime256v1") RSA("2048"), KEY_P256, NULL, NULL},
    {"[list]\na=SEQ:rsa\n" RSA("2048"), KEY_RSA_2048, NULL, NULL},
    {"[list]\na=SEQ:rsa\n" RSA("4096"), KEY_RSA_2048, "4096", "4096"},
    {"[list]\na=OID:rsaEncryption\n", KEY_RSA_2048, NULL, NULL},
    {"[list]\na=OID:id-ecPublicKey\n", KEY_P256, NULL, NULL},
    {"[list]\na=OID:id-ecPublicKey\n", KEY_RSA_2048, "elliptic", "elliptic"},
    {"[list]\na=OID:ED25519\n", KEY_P256, "Ed25519", "Ed25519"},
    // signatures
    {"[list]\na=OID:ecdsa-with-SHA256\n", KEY_P256, NULL, NULL},
    {"[list]\na=OID:ecdsa-with-SHA384\n", KEY_P256, NULL, "ecdsa-with-SHA384"},
    {"[list]\na=OID:ecdsa-with-SHA384\nb=OID:ecdsa-with-SHA256\n", KEY_P256, NULL, NULL},
    {"[list]\na=OID:sha256WithRSAEncryption\n", KEY_P256, "sha256WithRSAEncryption",
     "sha256WithRSAEncryption"},
    {"[list]\na=OID:sha256WithRSAEncryption\n", KEY_RSA_2048, NULL, NULL},
    // the channel
    {"[list]\na=OID:challengePassword\n", KEY_P256, "challengePassword", "challengePassword"},
    // extensions and names
    {"[list]\na=SEQ:x\n" ATTRIBUTE("x", "extReq", "v=OID:subjectAltName\n"), KEY_P256, NULL,
     "Subject Alternative Name"},
    {"[list]\na=SEQ:x\n" ATTRIBUTE("x", "extReq",
                                   "v=SEQ:y\n[y]\ne=SEQ:z\n[z]\no=OID:keyUsage\n"
                                   "v=OCT:x\n"),
     KEY_P256, NULL, "Key Usage"},
    {"[list]\na=SEQ:x\n" ATTRIBUTE("x", "extReq", "v=OID:1.3.6.1.1.1.1.22\n"), KEY_P256, NULL,
     NULL}, // macAddress, RFC 7030's example: no extension that anybody knows
    {"[list]\na=OID:serialNumber\nb=OID:CN\n", KEY_P256, NULL, NULL},
    {"[list]\na=OID:O\n", KEY_P256, NULL, "organizationName"},
    // what is not understood is ignored
    {"[list]\na=OID:1.2.3.4\nb=SEQ:x\n" ATTRIBUTE("x", "1.2.3.5", "v=UTF8:hello\n"), KEY_P256, NULL,
     NULL},
    {"[list]\na=SEQ:x\n[x]\nt=OID:1.2.3.5\nv=SET:n\n[n]\n", KEY_P256, NULL, NULL},
};

static void expect(bool fits, const char *word) {
    if (word == NULL) {
        ck_assert_msg(fits, "%s", error.text);
    } else {
        ck_assert(!fits);
        ck_assert_int_eq(error.code, E_CA_POLICY);
        ck_assert_msg(strstr(error.text, word) != NULL, "%s", error.text);
        ck_assert_ptr_nonnull(strstr(error.text, "csrattrs"));
    }
}

START_TEST(test_wishes) {
    const struct pki_pair subject[] = {{"CN", "X"}, {"serialNumber", "X"}, {NULL, NULL}};
    struct est_wishes wishes;
    struct profile profile;
    struct buf *der = generate("SEQUENCE:list", wishes_cases[_i].list);
    uint8_t key_type = wishes_cases[_i].key_type;
    EVP_PKEY *key = pki_key(key_type == KEY_RSA_2048 ? "RSA-2048"
                            : key_type == KEY_P384   ? "P-384"
                                                     : "P-256");
    struct buf *csr = pki_csr(key, subject, NULL, false);
    ck_assert(profile_built_in("https", &profile));
    profile.key_type = key_type;
    ck_assert_msg(est_parse_wishes(buf_slice(der), &wishes, &error), "%s", error.text);
    expect(est_profile_fits(&wishes, &profile, &error), wishes_cases[_i].profile_word);
    expect(est_csr_fits(&wishes, &profile, buf_slice(csr), &error), wishes_cases[_i].csr_word);
    buf_free(csr);
    EVP_PKEY_free(key);
    buf_free(der);
}
END_TEST

// RFC 7030, section 4.5.2; and the same as an EST server in Go writes it.
START_TEST(test_wishes_of_the_example) {
    static const char *const examples[] = {
        "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJ\r\n"
        "BgcrBgEBAQEWBggqhkjOPQQDAw==\r\n",
        "MEEGCSqGSIb3DQEJBwYIKoZIzj0EAwMwFgYJKoZIhvcNAQkOMQkGBysGAQEBARYwEgYHKoZIzj0C\n"
        "ATEHBgUrgQQAIg==\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        struct est_wishes wishes;
        struct profile profile;
        struct buf *der = buf_new(200);
        const struct slice body = {(const uint8_t *)examples[i], strlen(examples[i])};
        ck_assert(est_read_body(body, der, &error));
        ck_assert_msg(est_parse_wishes(buf_slice(der), &wishes, &error), "%s", error.text);
        ck_assert(profile_built_in("https", &profile));
        expect(est_profile_fits(&wishes, &profile, &error), "secp384r1");
        profile.key_type = KEY_P384;
        expect(est_profile_fits(&wishes, &profile, &error), "challengePassword");
        wishes.wants_channel = false;
        expect(est_profile_fits(&wishes, &profile, &error), NULL);
        ck_assert_uint_eq(wishes.count, 0); // macAddress is nothing that anybody knows
        ck_assert_uint_eq(wishes.signature_count, 1);
        buf_free(der);
    }
}
END_TEST

START_TEST(test_wishes_that_are_none) {
    static const struct {
        uint8_t bytes[8];
        size_t length;
    } cases[] = {
        {{0}, 0},
        {{0x30, 0x05, 0x06, 0x01}, 4},             // cut
        {{0x30, 0x00, 0x00}, 3},                   // more behind it
        {{0x31, 0x00}, 2},                         // a SET
        {{0x30, 0x03, 0x02, 0x01, 0x05}, 5},       // an INTEGER in it
        {{0x30, 0x04, 0x30, 0x02, 0x05, 0x00}, 6}, // a SEQUENCE that is no attribute
    };
    struct est_wishes wishes;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct slice der = {cases[i].bytes, cases[i].length};
        ck_assert(!est_parse_wishes(der, &wishes, &error));
        ck_assert_int_eq(error.code, E_CA_NONSENSE);
    }
}
END_TEST

// More of everything than there is room for.
START_TEST(test_too_many_wishes) {
    uint8_t der[4 + 200 * 5] = {0x30, 0x82, (200 * 5) >> 8, (200 * 5) & 0xff};
    struct est_wishes wishes;
    for (size_t i = 0; i < 200; i++) {
        memcpy(der + 4 + 5 * i, (const uint8_t[]){0x06, 3, 0x55, 4, 3}, 5); // CN
    }
    ck_assert_msg(est_parse_wishes((struct slice){der, sizeof der}, &wishes, &error), "%s",
                  error.text);
    ck_assert_uint_eq(wishes.count, EST_WISHES_MAX);
}
END_TEST

// ---- errors -------------------------------------------------------------------------------------

START_TEST(test_text) {
    static const struct {
        const char *type;
        const char *body;
        const char *text;
    } cases[] = {
        {"text/plain", "no such user\r\n", "no such user"},
        {"Text/Plain; charset=utf-8", "a\x1b[2Jb", "a\\x1b[2Jb"},
        {"text/html", "<html>", ""},
        {"", "x", ""},
        {"text/plain", "", ""},
    };
    char out[EST_SAID_SIZE];
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_response response = {
            .body = {(const uint8_t *)cases[i].body, strlen(cases[i].body)}};
        ck_assert(text_copy(response.content_type, sizeof response.content_type, cases[i].type));
        est_read_text(&response, out);
        ck_assert_str_eq(out, cases[i].text);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("est_answer");
    TCase *tests = tcase_create("est_answer");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_order);
    tcase_add_test(tests, test_order_of_odd_sets);
    tcase_add_test(tests, test_pick_leaf);
    tcase_add_test(tests, test_bodies);
    tcase_add_loop_test(tests, test_wishes, 0, (int)ARRAY_LENGTH(wishes_cases));
    tcase_add_test(tests, test_wishes_of_the_example);
    tcase_add_test(tests, test_wishes_that_are_none);
    tcase_add_test(tests, test_too_many_wishes);
    tcase_add_test(tests, test_text);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
