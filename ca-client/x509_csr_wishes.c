// SPDX-License-Identifier: Apache-2.0
// What a CSR asks for: its subject, and its extensions. Many CAs grant it unseen, and who makes the CSR
// is a camera, or somebody who has taken over a bench.
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ca-client/x509_internal.h"
#include "ca-client/x509_openssl.h"

struct wish {
    X509_EXTENSION *extension;
    const struct profile *profile;
    const struct names *names;
};

static bool refuse(struct error *error, const char *what) {
    return error_set(error, E_CSR_EXTENSION, "the CSR asks for %s", what);
}

static bool check_names(const struct wish *wish, struct error *error) {
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(wish->extension);
    const struct slice der = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
    if (x509_check_no_other_names(der, wish->names, error)) {
        return true;
    }
    error->code = error->code == E_CERT_NAMES ? E_CSR_EXTENSION : error->code;
    error->code = error->code == E_CERT_MALFORMED ? E_CSR_MALFORMED : error->code;
    return error_prefix(error, "the CSR");
}

static bool check_basic_constraints(const struct wish *wish, struct error *error) {
    BASIC_CONSTRAINTS *constraints = X509V3_EXT_d2i(wish->extension);
    bool is_leaf = constraints != NULL && constraints->ca == 0;
    BASIC_CONSTRAINTS_free(constraints);
    return is_leaf || refuse(error, "CA:TRUE in basicConstraints");
}

static bool check_key_usage(const struct wish *wish, struct error *error) {
    static const int of_cas[] = {5, 6}; // keyCertSign, cRLSign (RFC 5280, section 4.2.1.3)
    ASN1_BIT_STRING *bits = X509V3_EXT_d2i(wish->extension);
    bool is_leaf = bits != NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(of_cas); i++) {
        is_leaf = is_leaf && ASN1_BIT_STRING_get_bit(bits, of_cas[i]) == 0;
    }
    ASN1_BIT_STRING_free(bits);
    return is_leaf || refuse(error, "a CA's keyUsage");
}

static bool check_extended_key_usage(const struct wish *wish, struct error *error) {
    EXTENDED_KEY_USAGE *usages = X509V3_EXT_d2i(wish->extension);
    char text[80];
    bool good = usages != NULL || refuse(error, "an extendedKeyUsage that is malformed");
    for (int i = 0; good && i < sk_ASN1_OBJECT_num(usages); i++) {
        const ASN1_OBJECT *usage = sk_ASN1_OBJECT_value(usages, i);
        int nid = OBJ_obj2nid(usage);
        OBJ_obj2txt(text, sizeof text, usage, 0);
        good = (nid == NID_server_auth && wish->profile->server_auth) ||
               (nid == NID_client_auth && wish->profile->client_auth) ||
               error_set(error, E_CSR_EXTENSION, "the CSR asks for the extended key usage \"%s\"",
                         text);
    }
    EXTENDED_KEY_USAGE_free(usages);
    return good;
}

static bool check_wish(const struct wish *wish, struct error *error) {
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(wish->extension);
    char text[80];
    switch (OBJ_obj2nid(object)) {
    case NID_subject_alt_name:
        return check_names(wish, error);
    case NID_basic_constraints:
        return check_basic_constraints(wish, error);
    case NID_key_usage:
        return check_key_usage(wish, error);
    case NID_ext_key_usage:
        return check_extended_key_usage(wish, error);
    case NID_subject_key_identifier:
        return true;
    default:
        OBJ_obj2txt(text, sizeof text, object, 0);
        return error_set(error, E_CSR_EXTENSION, "the CSR asks for the extension \"%s\"", text);
    }
}

static int count_lists(X509_REQ *csr) {
    int count = 0;
    for (int i = 0; i < X509_REQ_get_attr_count(csr); i++) {
        X509_ATTRIBUTE *attribute = X509_REQ_get_attr(csr, i);
        int nid = OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute));
        if (nid == NID_ext_req || nid == NID_ms_ext_req) {
            count += X509_ATTRIBUTE_count(attribute);
        }
    }
    return count;
}

static bool check_wishes(X509_REQ *csr, struct wish *wish, struct error *error) {
    int lists = count_lists(csr);
    if (lists != 1) {
        // OpenSSL reads the first of several; a CA may read another.
        return lists == 0 || refuse(error, "extensions in more than one list");
    }
    X509_EXTENSIONS *list = X509_REQ_get_extensions(csr);
    bool good = list != NULL || error_set(error, E_CSR_MALFORMED, "the CSR's list of extensions");
    for (int i = 0; good && i < sk_X509_EXTENSION_num(list); i++) {
        wish->extension = sk_X509_EXTENSION_value(list, i);
        good = check_wish(wish, error);
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return good;
}

static bool check_csr_subject(X509_REQ *csr, const struct names *names, struct error *error) {
    if (x509_check_subject(X509_REQ_get_subject_name(csr), names, error)) {
        return true;
    }
    error->code = E_CSR_SUBJECT;
    return error_prefix(error, "the CSR, from which this CA takes the names");
}

static bool check_csr(struct slice csr_der, const struct profile *profile,
                      const struct profile_subject *subject, bool with_subject,
                      struct error *error) {
    struct names names;
    struct wish wish = {.profile = profile, .names = &names};
    if (!names_fill(profile, subject, &names, error)) {
        return false;
    }
    X509_REQ *csr = x509_decode_csr(csr_der, error);
    bool good = csr != NULL && (!with_subject || check_csr_subject(csr, &names, error)) &&
                check_wishes(csr, &wish, error);
    X509_REQ_free(csr);
    ERR_clear_error();
    return good;
}

bool x509_check_csr_subject(struct slice csr_der, const struct profile *profile,
                            const struct profile_subject *subject, struct error *error) {
    return check_csr(csr_der, profile, subject, true, error);
}

bool x509_check_csr_extensions(struct slice csr_der, const struct profile *profile,
                               const struct profile_subject *subject, struct error *error) {
    return check_csr(csr_der, profile, subject, false, error);
}
