// SPDX-License-Identifier: Apache-2.0
#include "ca-client/x509_crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_internal.h"
#include "station/base/clock.h"

struct x509_crl {
    X509_CRL *list;
    X509 *signer; // NULL until it is found
    int64_t this_update_ms;
};

// ---- the file -----------------------------------------------------------------------------------

static bool fail_file(struct slice file, struct error *error) {
    struct error ignored;
    struct buf *der = buf_new(X509_FILE_MAX);
    bool has_certificates = der != NULL && x509_file_to_der(file, der, &ignored);
    buf_free(der);
    return error_set(error, E_CRL_FILE, "no certificate revocation list in %zu bytes%s",
                     file.length,
                     has_certificates ? ": it holds certificates, which inbox import takes (a list "
                                        "in a PKCS #7 has to be taken out of it)"
                                      : "");
}

static X509_CRL *decode_der(struct slice file, struct error *error) {
    const uint8_t *end = file.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &end, (long)file.length);
    if (list == NULL) {
        fail_file(file, error);
    } else if (end != file.data + file.length) {
        error_set(error, E_CRL_FILE, "%td bytes follow behind the list",
                  file.data + file.length - end);
        X509_CRL_free(list);
        list = NULL;
    }
    return list;
}

static const char *find_text(struct slice file, const char *text) {
    return file.length > 0 ? memmem(file.data, file.length, text, strlen(text)) : NULL;
}

// PEM_read_bio_X509_CRL would ask a terminal for the pass phrase of an encrypted one.
static X509_CRL *decode_pem(struct slice file, struct error *error) {
    char *label = NULL;
    char *header = NULL;
    unsigned char *content = NULL;
    long length = 0;
    X509_CRL *list = NULL;
    BIO *input = BIO_new_mem_buf(file.data, (int)file.length);
    bool is_list = input != NULL && PEM_read_bio(input, &label, &header, &content, &length) == 1 &&
                   strcmp(label, PEM_STRING_X509_CRL) == 0 && header[0] == '\0';
    if (is_list) {
        list = decode_der((struct slice){content, (size_t)length}, error);
    } else {
        fail_file(file, error);
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(content);
    BIO_free(input);
    return list;
}

// A "0" may also begin a text in front of PEM.
static X509_CRL *decode(struct slice file, struct error *error) {
    static const char begin[] = "-----BEGIN " PEM_STRING_X509_CRL "-----";
    const char *first = find_text(file, begin);
    if (file.length > X509_CRL_MAX) {
        error_set(error, E_CRL_FILE, "%zu bytes, over %d", file.length, X509_CRL_MAX);
        return NULL;
    }
    if (first == NULL) {
        return decode_der(file, error);
    }
    const uint8_t *start = (const uint8_t *)first;
    struct slice rest = {start, file.length - (size_t)(start - file.data)};
    if (find_text((struct slice){rest.data + 1, rest.length - 1}, begin) != NULL) {
        error_set(error, E_CRL_FILE, "more than one list: give each in a file of its own");
        return NULL;
    }
    return decode_pem(rest, error);
}

// ---- what may be believed -----------------------------------------------------------------------

static bool check_critical(X509_EXTENSION *extension, int known, struct error *error) {
    char name[64];
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    if (X509_EXTENSION_get_critical(extension) == 0 || OBJ_obj2nid(object) == known) {
        return true;
    }
    OBJ_obj2txt(name, sizeof name, object, 0);
    return error_set(error, E_CRL_FILE, "it has a critical extension that is not known: %s", name);
}

// RFC 5280, section 5.2.5. Of a part of the issuer's certificates, or for some of the reasons, what is
// listed is revoked all the same.
static bool check_distribution_point(const X509_CRL *list, bool *is_whole, struct error *error) {
    int found = 0;
    ISSUING_DIST_POINT *point =
        X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &found, NULL);
    bool is_indirect = point != NULL && point->indirectCRL != 0;
    bool is_of_others = point != NULL && (point->onlyCA != 0 || point->onlyattr != 0);
    *is_whole = found == -1; // there is none
    ISSUING_DIST_POINT_free(point);
    if (point == NULL && found != -1) {
        return error_set(error, E_CRL_FILE, "its issuingDistributionPoint cannot be read");
    }
    if (is_of_others) {
        return error_set(error, E_CRL_FILE, "it is of CAs or of attribute certificates alone");
    }
    return !is_indirect ||
           error_set(error, E_CRL_FILE, "it is an indirect list, of other CAs' certificates");
}

static bool check_list(const X509_CRL *list, bool *is_whole, struct error *error) {
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0) {
        return error_set(error, E_CRL_FILE, "it is a delta list: give the complete one");
    }
    for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
        if (!check_critical(X509_CRL_get_ext(list, i), NID_issuing_distribution_point, error)) {
            return false;
        }
    }
    return check_distribution_point(list, is_whole, error);
}

static bool check_entries(X509_CRL *list, struct error *error) {
    const STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        for (int j = 0; j < X509_REVOKED_get_ext_count(entry); j++) {
            if (!check_critical(X509_REVOKED_get_ext(entry, j), NID_crl_reason, error)) {
                return false;
            }
        }
    }
    return true;
}

static bool read_facts(X509_CRL *list, struct x509_crl_facts *facts, struct error *error) {
    int count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list));
    *facts = (struct x509_crl_facts){.count = count > 0 ? (size_t)count : 0};
    x509_name_text(X509_CRL_get_issuer(list), facts->issuer, sizeof facts->issuer);
    if (!x509_time_ms(X509_CRL_get0_lastUpdate(list), &facts->this_update_ms)) {
        return error_set(error, E_CRL_FILE, "its thisUpdate is no time");
    }
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    if (next != NULL && !x509_time_ms(next, &facts->next_update_ms)) {
        return error_set(error, E_CRL_FILE, "its nextUpdate is no time");
    }
    return check_list(list, &facts->is_whole, error) && check_entries(list, error);
}

bool x509_crl_read(struct slice file, struct x509_crl **out, struct x509_crl_facts *facts,
                   struct error *error) {
    struct x509_crl *crl = calloc(1, sizeof *crl);
    *out = NULL;
    if (crl == NULL) {
        return error_set(error, E_MEMORY, "no memory for a list");
    }
    *facts = (struct x509_crl_facts){0};
    crl->list = decode(file, error);
    bool good = crl->list != NULL && read_facts(crl->list, facts, error);
    crl->this_update_ms = facts->this_update_ms;
    ERR_clear_error();
    if (!good) {
        x509_crl_free(crl);
        return false;
    }
    *out = crl;
    return true;
}

void x509_crl_free(struct x509_crl *crl) {
    if (crl != NULL) {
        X509_CRL_free(crl->list);
        X509_free(crl->signer);
        free(crl);
    }
}

// ---- one certificate ----------------------------------------------------------------------------

static const char *const reason_names[] = {
    [CRL_REASON_UNSPECIFIED] = "unspecified",
    [CRL_REASON_KEY_COMPROMISE] = "keyCompromise",
    [CRL_REASON_CA_COMPROMISE] = "cACompromise",
    [CRL_REASON_AFFILIATION_CHANGED] = "affiliationChanged",
    [CRL_REASON_SUPERSEDED] = "superseded",
    [CRL_REASON_CESSATION_OF_OPERATION] = "cessationOfOperation",
    [CRL_REASON_CERTIFICATE_HOLD] = "certificateHold",
    [CRL_REASON_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
    [CRL_REASON_AA_COMPROMISE] = "aACompromise",
};

static long read_reason(const X509_REVOKED *entry) {
    ASN1_ENUMERATED *value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    long reason = value != NULL ? ASN1_ENUMERATED_get(value) : CRL_REASON_UNSPECIFIED;
    ASN1_ENUMERATED_free(value);
    bool is_known =
        reason >= 0 && (size_t)reason < ARRAY_LENGTH(reason_names) && reason_names[reason] != NULL;
    return is_known ? reason : CRL_REASON_UNSPECIFIED;
}

static struct x509_crl_entry read_entry(const X509_REVOKED *revoked) {
    long reason = read_reason(revoked);
    struct x509_crl_entry entry = {
        .word = reason == CRL_REASON_CERTIFICATE_HOLD ? X509_CRL_ON_HOLD : X509_CRL_REVOKED,
        .reason = reason_names[reason],
    };
    if (!x509_time_ms(X509_REVOKED_get0_revocationDate(revoked), &entry.revoked_ms)) {
        entry.revoked_ms = 0;
    }
    return entry;
}

static ASN1_INTEGER *new_serial(struct slice serial) {
    BIGNUM *number = BN_bin2bn(serial.data, (int)serial.length, NULL);
    ASN1_INTEGER *value = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    BN_free(number);
    return value;
}

struct x509_crl_entry x509_crl_find(struct x509_crl *crl, struct slice serial) {
    struct x509_crl_entry entry = {.word = X509_CRL_SILENT, .reason = ""};
    X509_REVOKED *revoked = NULL;
    if (serial.length == 0 || serial.length > X509_SERIAL_MAX) {
        return entry;
    }
    ASN1_INTEGER *value = new_serial(serial);
    // 2: removeFromCRL
    if (value != NULL && X509_CRL_get0_by_serial(crl->list, &revoked, value) == 1) {
        entry = read_entry(revoked);
    }
    ASN1_INTEGER_free(value);
    ERR_clear_error();
    return entry;
}

static enum x509_crl_scope scope_of(const struct x509_crl *crl, X509 *leaf) {
    if (X509_NAME_cmp(X509_get_issuer_name(leaf), X509_CRL_get_issuer(crl->list)) != 0) {
        return X509_CRL_OF_ANOTHER;
    }
    bool is_of_signer =
        crl->signer != NULL && X509_verify(leaf, X509_get0_pubkey(crl->signer)) == 1;
    return is_of_signer ? X509_CRL_OF_SIGNER : X509_CRL_OF_NAMESAKE;
}

enum x509_crl_scope x509_crl_judge(struct x509_crl *crl, struct slice leaf_der,
                                   struct x509_crl_entry *entry) {
    struct error ignored;
    X509_REVOKED *revoked = NULL;
    X509 *leaf = x509_decode(leaf_der, "the certificate", &ignored);
    enum x509_crl_scope scope = leaf != NULL ? scope_of(crl, leaf) : X509_CRL_OF_ANOTHER;
    *entry = (struct x509_crl_entry){.word = X509_CRL_SILENT, .reason = ""};
    if (scope != X509_CRL_OF_ANOTHER && X509_CRL_get0_by_cert(crl->list, &revoked, leaf) == 1) {
        *entry = read_entry(revoked);
    }
    X509_free(leaf);
    ERR_clear_error();
    return scope;
}

// ---- whose word it is ---------------------------------------------------------------------------

// RSASSA-PSS names its digest in its parameters, SHA-1 where it does not (RFC 4055, section 3.1).
static int pss_digest(const X509_ALGOR *algorithm) {
    RSA_PSS_PARAMS *parameters =
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), algorithm->parameter);
    int digest = parameters != NULL && parameters->hashAlgorithm != NULL
                     ? OBJ_obj2nid(parameters->hashAlgorithm->algorithm)
                     : NID_sha1;
    RSA_PSS_PARAMS_free(parameters);
    return digest;
}

// Ed25519 and Ed448 bring their own digest; all else hashes to 256 bits at least.
static bool is_signed_well(const X509_CRL *list) {
    const X509_ALGOR *algorithm = NULL;
    int digest = NID_undef;
    X509_CRL_get0_signature(list, NULL, &algorithm);
    int nid = OBJ_obj2nid(algorithm->algorithm);
    if (nid == NID_rsassaPss) {
        digest = pss_digest(algorithm);
    } else if (OBJ_find_sigid_algs(nid, &digest, NULL) != 1) {
        return false;
    }
    const EVP_MD *known = EVP_get_digestbynid(digest);
    return nid == NID_ED25519 || nid == NID_ED448 ||
           (known != NULL && EVP_MD_get_size(known) >= 32);
}

static bool leads_to_root(struct x509_trust *trust, X509 *candidate, struct slice extra_der,
                          int64_t time_ms, struct error *error) {
    STACK_OF(X509) *chain = NULL;
    bool good = x509_trust_verify(trust, candidate, extra_der, time_ms, &chain, error);
    if (good) {
        sk_X509_pop_free(chain, X509_free);
    }
    return good;
}

// A CA may say of its first list that it was made a little earlier, for clocks that are late. And a root may have
// been renewed since, with the same key.
static bool is_trusted(const struct x509_crl *crl, struct x509_trust *trust, X509 *candidate,
                       struct slice extra_der, struct error *error) {
    struct error ignored;
    int64_t at_ms = crl->this_update_ms;
    int64_t begin_ms = 0;
    if (x509_time_ms(X509_get0_notBefore(candidate), &begin_ms) && begin_ms > at_ms) {
        at_ms = begin_ms;
    }
    return leads_to_root(trust, candidate, extra_der, at_ms, error) ||
           leads_to_root(trust, candidate, extra_der, clock_wall_ms(), &ignored);
}

static enum x509_crl_signer judge_candidate(const struct x509_crl *crl, struct x509_trust *trust,
                                            X509 *candidate, struct slice extra_der,
                                            struct error *error) {
    const X509_NAME *subject = X509_get_subject_name(candidate);
    if (X509_NAME_cmp(subject, X509_CRL_get_issuer(crl->list)) != 0 ||
        X509_check_ca(candidate) != 1) {
        error_set(error, E_CRL_SIGNER, "no CA certificate of its issuer is known");
        return X509_CRL_NOBODY;
    }
    if (X509_CRL_verify(crl->list, X509_get0_pubkey(candidate)) != 1) {
        error_set(error, E_CRL_SIGNER, "it is not signed with the key of its issuer");
        return X509_CRL_OTHER_KEY;
    }
    if (!is_trusted(crl, trust, candidate, extra_der, error)) {
        error->code = error->code == E_MEMORY ? E_MEMORY : E_CRL_SIGNER;
        error_prefix(error, "its issuer does not lead to a root_file");
        return error->code == E_MEMORY ? X509_CRL_NOBODY : X509_CRL_UNTRUSTED;
    }
    if (!is_signed_well(crl->list)) {
        error_set(error, E_CRL_SIGNER, "it is signed with SHA-1, or worse");
        return X509_CRL_UNFIT;
    }
    if ((X509_get_key_usage(candidate) & X509v3_KU_CRL_SIGN) == 0) {
        error_set(error, E_CRL_SIGNER, "its issuer may not sign lists (keyUsage)");
        return X509_CRL_UNFIT;
    }
    return X509_CRL_SIGNED;
}

enum x509_crl_signer x509_crl_find_signer(struct x509_crl *crl, struct x509_trust *trust,
                                          struct slice extra_der, struct error *error) {
    enum x509_crl_signer best = X509_CRL_NOBODY;
    STACK_OF(X509) *candidates = x509_trust_candidates(trust, extra_der, error);
    if (candidates == NULL) {
        return X509_CRL_NOBODY;
    }
    struct error best_error;
    error_set(&best_error, E_CRL_SIGNER, "no CA certificate of its issuer is known");
    for (int i = 0; best != X509_CRL_SIGNED && i < sk_X509_num(candidates); i++) {
        struct error why;
        X509 *candidate = sk_X509_value(candidates, i);
        enum x509_crl_signer found = judge_candidate(crl, trust, candidate, extra_der, &why);
        if (found == X509_CRL_SIGNED) {
            X509_free(crl->signer);
            X509_up_ref(candidate);
            crl->signer = candidate;
        }
        if (found > best) {
            best = found;
            best_error = why;
        }
    }
    sk_X509_pop_free(candidates, X509_free);
    ERR_clear_error();
    if (best != X509_CRL_SIGNED) {
        *error = best_error;
    }
    return best;
}
