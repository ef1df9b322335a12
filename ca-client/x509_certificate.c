// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "ca-client/x509_internal.h"

// ---- what it says -------------------------------------------------------------------------------

static bool read_serial(struct slice integer, struct certificate_facts *facts,
                        struct error *error) {
    if ((integer.data[0] & 0x80) != 0) {
        return error_set(error, E_CERT_MALFORMED, "the certificate's serial number is negative");
    }
    while (integer.length > 1 && integer.data[0] == 0) {
        integer.data++;
        integer.length--;
    }
    if (integer.length > X509_SERIAL_MAX) {
        return error_set(error, E_CERT_MALFORMED,
                         "the certificate's serial number has %zu bytes, at most %d are allowed",
                         integer.length, X509_SERIAL_MAX);
    }
    if (integer.length == 1 && integer.data[0] == 0) {
        return error_set(error, E_CERT_MALFORMED, "the certificate's serial number is zero");
    }
    memcpy(facts->serial, integer.data, integer.length);
    facts->serial_length = integer.length;
    return true;
}

static bool read_facts(X509 *certificate, struct certificate_facts *facts, struct error *error) {
    x509_name_text(X509_get_issuer_name(certificate), facts->issuer, sizeof facts->issuer);
    x509_name_text(X509_get_subject_name(certificate), facts->subject, sizeof facts->subject);
    if (!x509_time_ms(X509_get0_notBefore(certificate), &facts->not_before_ms) ||
        !x509_time_ms(X509_get0_notAfter(certificate), &facts->not_after_ms)) {
        return error_set(error, E_CERT_MALFORMED, "the certificate's validity cannot be read");
    }
    if (X509_get_version(certificate) != X509_VERSION_3) {
        return error_set(
            error, E_CERT_MALFORMED,
            "the certificate is of version %ld, and has extensions, which version 3 has",
            X509_get_version(certificate) + 1);
    }
    // Set by any extension that does not decode or is there twice.
    if ((X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0) {
        return error_set(error, E_CERT_MALFORMED, "an extension of the certificate is malformed");
    }
    return true;
}

static X509 *read_certificate(struct slice der, struct certificate_facts *facts,
                              struct error *error) {
    struct certificate_parts parts;
    *facts = (struct certificate_facts){0};
    X509 *certificate = x509_decode(der, "the certificate", error);
    if (certificate == NULL || !x509_split_certificate(der, &parts)) {
        X509_free(certificate);
        return NULL;
    }
    x509_sha256(der, facts->sha256);
    x509_sha256(parts.spki, facts->spki_sha256);
    // The facts are read even behind a bad serial number: the quarantine shows them.
    struct error serial_error = {0};
    bool good_serial = read_serial(parts.serial, facts, &serial_error);
    bool good = read_facts(certificate, facts, error);
    if (!good_serial) {
        *error = serial_error;
    }
    if (!good || !good_serial) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

// ---- what it must say ---------------------------------------------------------------------------

static bool check_key(const struct certificate_facts *facts,
                      const struct certificate_expected *expected, struct error *error) {
    char found_hex[2 * SHA256_SIZE + 1];
    char expected_hex[2 * SHA256_SIZE + 1];
    if (memcmp(facts->spki_sha256, expected->spki_sha256, SHA256_SIZE) == 0) {
        return true;
    }
    hex_encode(found_hex, facts->spki_sha256, SHA256_SIZE);
    hex_encode(expected_hex, expected->spki_sha256, SHA256_SIZE);
    return error_set(error, E_CERT_KEY, "the certificate's key is %s, expected %s (SHA-256)",
                     found_hex, expected_hex);
}

static bool check_signature_strength(X509 *certificate, struct error *error) {
    int digest;
    int bits;
    int algorithm = X509_get_signature_nid(certificate);
    if (X509_get_signature_info(certificate, &digest, NULL, &bits, NULL) != 1) {
        return error_set(error, E_CERT_WEAK,
                         "the certificate is signed with %s, which is not known",
                         OBJ_nid2ln(algorithm));
    }
    if (bits < 112) {
        return error_set(error, E_CERT_WEAK, "the certificate is signed with %s, which is too weak",
                         OBJ_nid2ln(algorithm));
    }
    return true;
}

static bool check_not_ca(X509 *certificate, struct error *error) {
    if ((X509_get_extension_flags(certificate) & EXFLAG_CA) != 0) {
        return error_set(error, E_CERT_CA_FLAG,
                         "the certificate has CA:TRUE in basicConstraints, expected CA:FALSE");
    }
    return true;
}

static bool check_key_usage(X509 *certificate, struct error *error) {
    if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) == 0) {
        return error_set(error, E_CERT_USAGE,
                         "the certificate has no keyUsage, expected digitalSignature");
    }
    uint32_t usage = X509_get_key_usage(certificate);
    if ((usage & KU_DIGITAL_SIGNATURE) == 0) {
        return error_set(error, E_CERT_USAGE,
                         "the certificate's keyUsage (0x%04x) lacks digitalSignature", usage);
    }
    if ((usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) {
        return error_set(error, E_CERT_USAGE,
                         "the certificate's keyUsage (0x%04x) has %s, which no camera may have",
                         usage, (usage & KU_KEY_CERT_SIGN) != 0 ? "keyCertSign" : "cRLSign");
    }
    return true;
}

static bool check_listed_usages(const EXTENDED_KEY_USAGE *usages, const struct profile *profile,
                                struct error *error) {
    bool server = false;
    bool client = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        char text[80];
        const ASN1_OBJECT *usage = sk_ASN1_OBJECT_value(usages, i);
        int nid = OBJ_obj2nid(usage);
        if (nid == NID_server_auth && profile->server_auth) {
            server = true;
        } else if (nid == NID_client_auth && profile->client_auth) {
            client = true;
        } else {
            OBJ_obj2txt(text, sizeof text, usage, 0);
            return error_set(error, E_CERT_USAGE,
                             "the certificate has the extended key usage \"%s\", which was not "
                             "asked for",
                             text);
        }
    }
    if (server != profile->server_auth || client != profile->client_auth) {
        return error_set(error, E_CERT_USAGE, "the certificate lacks the extended key usage %s",
                         server != profile->server_auth ? "serverAuth" : "clientAuth");
    }
    return true;
}

static bool check_extended_key_usage(const X509 *certificate, const struct profile *profile,
                                     struct error *error) {
    int state;
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, &state, NULL);
    if (state != -1 && sk_ASN1_OBJECT_num(usages) <= 0) {
        EXTENDED_KEY_USAGE_free(usages);
        return error_set(error, E_CERT_MALFORMED,
                         "the certificate's extendedKeyUsage is malformed, or empty");
    }
    bool good = check_listed_usages(usages, profile, error);
    EXTENDED_KEY_USAGE_free(usages);
    return good;
}

// Who checks a certificate for TLS takes an issuer's extended key usages for all that it may issue for.
// A root is trusted as it is.
static bool check_issuers(const STACK_OF(X509) * verified, const struct profile *profile,
                          struct error *error) {
    char name[X509_NAME_TEXT_SIZE];
    for (int i = 1; i < sk_X509_num(verified) - 1; i++) {
        X509 *issuer = sk_X509_value(verified, i);
        uint32_t usages = X509_get_extended_key_usage(issuer); // all bits where it has none
        bool lacks_server = profile->server_auth && (usages & (XKU_SSL_SERVER | XKU_ANYEKU)) == 0;
        bool lacks_client = profile->client_auth && (usages & (XKU_SSL_CLIENT | XKU_ANYEKU)) == 0;
        if (lacks_server || lacks_client) {
            x509_name_text(X509_get_subject_name(issuer), name, sizeof name);
            return error_set(error, E_CERT_CHAIN,
                             "the extended key usages of the issuer \"%s\" lack %s", name,
                             lacks_server ? "serverAuth" : "clientAuth");
        }
    }
    return true;
}

// ---- what is installed --------------------------------------------------------------------------

static bool put_issuers(const STACK_OF(X509) * verified, struct buf *chain) {
    for (int i = 1; i < sk_X509_num(verified) - 1; i++) {
        unsigned char *der = NULL;
        int length = i2d_X509(sk_X509_value(verified, i), &der);
        bool good = length > 0 && buf_put(chain, der, (size_t)length);
        OPENSSL_free(der);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool put_chain(struct slice leaf_der, const STACK_OF(X509) * verified, struct buf *chain,
                      struct error *error) {
    size_t before = buf_length(chain);
    if (!buf_put(chain, leaf_der.data, leaf_der.length) || !put_issuers(verified, chain) ||
        buf_length(chain) - before > X509_OBJECT_MAX) {
        return error_set(error, E_CERT_CHAIN,
                         "the chain of %d certificates is too long to be installed",
                         sk_X509_num(verified));
    }
    return true;
}

static bool check_chain(struct x509_trust *trust, X509 *certificate, struct slice leaf_der,
                        struct slice extra_der, const struct certificate_expected *expected,
                        const struct certificate_facts *facts, struct buf *chain,
                        struct error *error) {
    STACK_OF(X509) *verified = NULL;
    // The CA's clock may be a little ahead of ours: x509_check_period bounds by how much.
    int64_t time_ms =
        expected->now_ms > facts->not_before_ms ? expected->now_ms : facts->not_before_ms;
    if (!x509_trust_verify(trust, certificate, extra_der, time_ms, &verified, error)) {
        return false;
    }
    bool good = check_issuers(verified, expected->profile, error) &&
                x509_check_length(expected, facts, verified, error) &&
                put_chain(leaf_der, verified, chain, error);
    sk_X509_pop_free(verified, X509_free);
    return good;
}

static bool check_content(X509 *certificate, const struct certificate_facts *facts,
                          const struct certificate_expected *expected, struct error *error) {
    struct names names;
    return names_fill(expected->profile, &expected->subject, &names, error) &&
           x509_check_names(certificate, &names, error) && check_key_usage(certificate, error) &&
           check_extended_key_usage(certificate, expected->profile, error) &&
           x509_check_period(expected, facts, error);
}

bool x509_check_content(struct slice leaf_der, const struct profile *profile,
                        const struct profile_subject *subject, int64_t now_ms,
                        struct error *error) {
    const struct certificate_expected expected = {
        .profile = profile, .subject = *subject, .now_ms = now_ms};
    struct certificate_facts facts;
    X509 *certificate = read_certificate(leaf_der, &facts, error);
    bool good = certificate != NULL && check_content(certificate, &facts, &expected, error);
    X509_free(certificate);
    ERR_clear_error();
    return good;
}

bool x509_check_certificate(struct x509_trust *trust, struct slice leaf_der, struct slice extra_der,
                            const struct certificate_expected *expected,
                            struct certificate_facts *facts, struct buf *chain,
                            struct error *error) {
    X509 *certificate = read_certificate(leaf_der, facts, error);
    bool good = certificate != NULL && check_key(facts, expected, error) &&
                check_signature_strength(certificate, error) && check_not_ca(certificate, error) &&
                check_content(certificate, facts, expected, error) &&
                check_chain(trust, certificate, leaf_der, extra_der, expected, facts, chain, error);
    X509_free(certificate);
    ERR_clear_error();
    return good;
}
