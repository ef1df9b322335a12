// SPDX-License-Identifier: Apache-2.0
// What the CA wants in a CSR. A camera is told the subject and nothing else, so most of it can only be
// compared with what its firmware does; that is done before anything is asked for.
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_est_internal.h"
#include "ca-client/x509_openssl.h"
#include "protocol/message.h"

#define BIT(key_type) (1U << (key_type))
#define RSA_KEYS (BIT(KEY_RSA_2048) | BIT(KEY_RSA_3072) | BIT(KEY_RSA_4096))
#define EC_KEYS (BIT(KEY_P256) | BIT(KEY_P384))

// ---- reading ------------------------------------------------------------------------------------

static void add_key(struct est_wishes *wishes, unsigned keys, const char *name) {
    size_t used = strlen(wishes->key_text);
    wishes->names_keys = true;
    wishes->keys |= keys;
    snprintf(wishes->key_text + used, sizeof wishes->key_text - used, "%s%s",
             used > 0 ? " or " : "", name);
}

static void add_curve(struct est_wishes *wishes, const ASN1_TYPE *value) {
    char name[64] = "a curve";
    int nid = value != NULL && value->type == V_ASN1_OBJECT ? OBJ_obj2nid(value->value.object)
                                                            : NID_undef;
    if (value == NULL) {
        add_key(wishes, EC_KEYS, "an elliptic curve");
        return;
    }
    if (value->type == V_ASN1_OBJECT) {
        OBJ_obj2txt(name, sizeof name, value->value.object, 0);
    }
    add_key(wishes,
            nid == NID_X9_62_prime256v1 ? BIT(KEY_P256)
            : nid == NID_secp384r1      ? BIT(KEY_P384)
                                        : 0,
            name);
}

static void add_modulus(struct est_wishes *wishes, const ASN1_TYPE *value) {
    char name[64] = "RSA";
    int64_t bits = 0;
    if (value == NULL || value->type != V_ASN1_INTEGER ||
        ASN1_INTEGER_get_int64(&bits, value->value.integer) != 1) {
        add_key(wishes, RSA_KEYS, name);
        return;
    }
    snprintf(name, sizeof name, "RSA of %lld bits", (long long)bits);
    add_key(wishes,
            bits == 2048   ? BIT(KEY_RSA_2048)
            : bits == 3072 ? BIT(KEY_RSA_3072)
            : bits == 4096 ? BIT(KEY_RSA_4096)
                           : 0,
            name);
}

static void add_wish(struct est_wishes *wishes, int nid, bool is_extension) {
    if (wishes->count < EST_WISHES_MAX) {
        wishes->wishes[wishes->count].nid = nid;
        wishes->wishes[wishes->count++].is_extension = is_extension;
    }
}

// An OID inside extensionRequest: only an extension of certificates that is known is one to look for.
static void add_extension(struct est_wishes *wishes, const ASN1_OBJECT *object) {
    int nid = OBJ_obj2nid(object);
    if (nid != NID_undef && X509V3_EXT_get_nid(nid) != NULL) {
        add_wish(wishes, nid, true);
    }
}

// RFC 7030's example has bare OIDs where PKCS #9 has Extensions.
static void add_extensions(struct est_wishes *wishes, const ASN1_TYPE *value) {
    if (value == NULL) {
        return;
    }
    if (value->type == V_ASN1_OBJECT) {
        add_extension(wishes, value->value.object);
        return;
    }
    if (value->type != V_ASN1_SEQUENCE) {
        return;
    }
    const unsigned char *cursor = value->value.sequence->data;
    X509_EXTENSIONS *list = d2i_X509_EXTENSIONS(NULL, &cursor, value->value.sequence->length);
    for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
        add_extension(wishes, X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, i)));
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static bool is_of_subject(int nid) {
    static const int nids[] = {NID_countryName, NID_organizationName, NID_organizationalUnitName,
                               NID_commonName, NID_serialNumber};
    for (size_t i = 0; i < ARRAY_LENGTH(nids); i++) {
        if (nids[i] == nid) {
            return true;
        }
    }
    return false;
}

static void add_object(struct est_wishes *wishes, const ASN1_OBJECT *object,
                       const ASN1_TYPE *value) {
    int nid = OBJ_obj2nid(object);
    if (nid == NID_X9_62_id_ecPublicKey) {
        add_curve(wishes, value);
    } else if (nid == NID_rsaEncryption) {
        add_modulus(wishes, value);
    } else if (nid == NID_ED25519) {
        add_key(wishes, BIT(KEY_ED25519), "Ed25519");
    } else if (nid == NID_pkcs9_challengePassword) {
        wishes->wants_channel = true;
    } else if (nid == NID_ext_req) {
        add_extensions(wishes, value);
    } else if (is_of_subject(nid)) {
        add_wish(wishes, nid, false);
    } else if (OBJ_find_sigid_algs(nid, NULL, NULL) == 1 &&
               wishes->signature_count < EST_SIGNATURES_MAX) {
        wishes->signatures[wishes->signature_count++] = nid;
    }
}

// AttrOrOID, section 4.5.2.
static bool add_element(struct est_wishes *wishes, const ASN1_TYPE *element) {
    if (element->type == V_ASN1_OBJECT) {
        add_object(wishes, element->value.object, NULL);
        return true;
    }
    if (element->type != V_ASN1_SEQUENCE) {
        return false;
    }
    const unsigned char *cursor = element->value.sequence->data;
    X509_ATTRIBUTE *attribute = d2i_X509_ATTRIBUTE(NULL, &cursor, element->value.sequence->length);
    if (attribute == NULL) {
        return false;
    }
    int count = X509_ATTRIBUTE_count(attribute);
    if (count == 0) {
        add_object(wishes, X509_ATTRIBUTE_get0_object(attribute), NULL);
    }
    for (int i = 0; i < count; i++) {
        add_object(wishes, X509_ATTRIBUTE_get0_object(attribute),
                   X509_ATTRIBUTE_get0_type(attribute, i));
    }
    X509_ATTRIBUTE_free(attribute);
    return true;
}

bool est_parse_wishes(struct slice der, struct est_wishes *wishes, struct error *error) {
    const unsigned char *cursor = der.data;
    *wishes = (struct est_wishes){0};
    ASN1_SEQUENCE_ANY *list =
        der.length > 0 ? d2i_ASN1_SEQUENCE_ANY(NULL, &cursor, (long)der.length) : NULL;
    bool good = list != NULL && cursor == der.data + der.length;
    for (int i = 0; good && i < sk_ASN1_TYPE_num(list); i++) {
        good = add_element(wishes, sk_ASN1_TYPE_value(list, i));
    }
    sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
    ERR_clear_error();
    return good ||
           error_set(error, E_CA_NONSENSE, "%zu bytes that are no CSR attributes", der.length);
}

// ---- comparing ----------------------------------------------------------------------------------

static bool is_rsa(uint8_t key_type) {
    return (BIT(key_type) & RSA_KEYS) != 0;
}

// Whether a key of that type can make such a signature at all.
static bool can_sign(uint8_t key_type, int signature) {
    int key = NID_undef;
    if (OBJ_find_sigid_algs(signature, NULL, &key) != 1) {
        return false;
    }
    return is_rsa(key_type)          ? key == NID_rsaEncryption || key == NID_rsassaPss
           : key_type == KEY_ED25519 ? key == NID_ED25519
                                     : key == NID_X9_62_id_ecPublicKey;
}

static bool find_signature(const struct est_wishes *wishes, const struct profile *profile,
                           int wanted) {
    for (size_t i = 0; i < wishes->signature_count; i++) {
        if (wanted == NID_undef ? can_sign(profile->key_type, wishes->signatures[i])
                                : wanted == wishes->signatures[i]) {
            return true;
        }
    }
    return wishes->signature_count == 0;
}

bool est_profile_fits(const struct est_wishes *wishes, const struct profile *profile,
                      struct error *error) {
    if (wishes->names_keys && (wishes->keys & BIT(profile->key_type)) == 0) {
        return error_set(error, E_CA_POLICY, "key: the CA wants %s (csrattrs), the profile has %s",
                         wishes->key_text, key_type_name(profile->key_type));
    }
    if (!find_signature(wishes, profile, NID_undef)) {
        return error_set(error, E_CA_POLICY,
                         "key: the CA wants CSRs signed with %s (csrattrs), which a key of type %s "
                         "cannot",
                         OBJ_nid2ln(wishes->signatures[0]), key_type_name(profile->key_type));
    }
    if (wishes->wants_channel) {
        return error_set(error, E_CA_POLICY,
                         "the CA wants each CSR bound to its TLS channel (challengePassword in "
                         "csrattrs), which a CSR that a camera signed cannot be: have that taken "
                         "out for the station");
    }
    return true;
}

static bool has_extension(X509_REQ *csr, int nid) {
    X509_EXTENSIONS *list = X509_REQ_get_extensions(csr);
    bool found = X509v3_get_ext_by_NID(list, nid, -1) >= 0;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return found;
}

static bool check_contents(const struct est_wishes *wishes, X509_REQ *csr, struct error *error) {
    for (size_t i = 0; i < wishes->count; i++) {
        int nid = wishes->wishes[i].nid;
        bool is_extension = wishes->wishes[i].is_extension;
        if (is_extension
                ? !has_extension(csr, nid)
                : X509_NAME_get_index_by_NID(X509_REQ_get_subject_name(csr), nid, -1) < 0) {
            return error_set(error, E_CA_POLICY,
                             "the CA wants %s %s in each CSR (csrattrs), the camera's has none",
                             is_extension ? "the extension" : "the name", OBJ_nid2ln(nid));
        }
    }
    return true;
}

bool est_csr_fits(const struct est_wishes *wishes, const struct profile *profile, struct slice csr,
                  struct error *error) {
    if (!est_profile_fits(wishes, profile, error)) {
        return false;
    }
    X509_REQ *parsed = x509_decode_csr(csr, error);
    if (parsed == NULL) {
        return false;
    }
    int signature = X509_REQ_get_signature_nid(parsed);
    bool good =
        find_signature(wishes, profile, signature)
            ? check_contents(wishes, parsed, error)
            : error_set(error, E_CA_POLICY,
                        "the CA wants CSRs signed with %s (csrattrs), the camera signs with %s",
                        OBJ_nid2ln(wishes->signatures[0]), OBJ_nid2ln(signature));
    X509_REQ_free(parsed);
    ERR_clear_error();
    return good;
}
