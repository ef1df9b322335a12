// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509_internal.h"

#define TRUST_PEM_MAX (256 * 1024)
#define TRUST_MAX 64
#define EXTRA_MAX 8
#define EXTRA_DER_MAX (EXTRA_MAX * X509_OBJECT_MAX)
#define CHAIN_DEPTH_MAX 6
// Keys and signatures of 112 bits of security: no SHA-1, no RSA under 2048 (SP 800-57, part 1).
#define SECURITY_LEVEL 2

struct x509_trust {
    X509_STORE *roots;
    STACK_OF(X509) * intermediates;
    // What a CA gave along last, and the same decoded: it is the same with every certificate, and
    // costs more to decode than all the rest of a check.
    struct buf *extra_der;
    STACK_OF(X509) * extra;
};

static bool push(STACK_OF(X509) * stack, X509 *certificate) {
    if (sk_X509_push(stack, certificate) <= 0) {
        X509_free(certificate);
        return false;
    }
    return true;
}

// Decodes certificates, one after the other, onto the stack.
static bool decode_all(struct slice der, const char *what, int maximum, STACK_OF(X509) * stack,
                       struct error *error) {
    while (der.length > 0) {
        if (sk_X509_num(stack) >= maximum) {
            return error_set(error, E_CERT_MALFORMED, "%s: more than %d certificates", what,
                             maximum);
        }
        struct slice one = x509_first_der(der);
        X509 *certificate = x509_decode(one.length > 0 ? one : der, what, error);
        if (certificate == NULL) {
            return false;
        }
        if (!push(stack, certificate)) {
            return error_set(error, E_MEMORY, "no memory for %s", what);
        }
        der = (struct slice){der.data + one.length, der.length - one.length};
    }
    return true;
}

static bool decode_pem(struct slice pem, const char *what, STACK_OF(X509) * stack,
                       struct error *error) {
    struct buf *der = buf_new(TRUST_PEM_MAX);
    bool good = der == NULL ? error_set(error, E_MEMORY, "no memory for %s", what)
                            : x509_pem_to_der(pem, der, error) &&
                                  decode_all(buf_slice(der), what, TRUST_MAX, stack, error);
    buf_free(der);
    if (!good && error->code != E_MEMORY) {
        error->code = E_CA_CONFIG;
        error_prefix(error, "%s", what);
    }
    return good;
}

static bool add_roots(X509_STORE *store, const STACK_OF(X509) * roots, struct error *error) {
    char name[X509_NAME_TEXT_SIZE];
    for (int i = 0; i < sk_X509_num(roots); i++) {
        X509 *root = sk_X509_value(roots, i);
        x509_name_text(X509_get_subject_name(root), name, sizeof name);
        if (X509_self_signed(root, 1) != 1) {
            return error_set(error, E_CA_CONFIG,
                             "root certificates: \"%s\" is not self-signed: it belongs to the "
                             "intermediates",
                             name);
        }
        if (X509_check_ca(root) != 1) {
            return error_set(error, E_CA_CONFIG, "root certificates: \"%s\" is no CA certificate",
                             name);
        }
        if (X509_STORE_add_cert(store, root) != 1) {
            return error_set(error, E_MEMORY, "no memory for root certificates");
        }
    }
    return true;
}

static bool fill_trust(struct x509_trust *trust, struct slice roots_pem,
                       struct slice intermediates_pem, struct error *error) {
    trust->roots = X509_STORE_new();
    trust->intermediates = sk_X509_new_null();
    STACK_OF(X509) *roots = sk_X509_new_null();
    bool good = trust->roots != NULL && trust->intermediates != NULL && roots != NULL;
    if (!good) {
        error_set(error, E_MEMORY, "no memory for root certificates");
    }
    good =
        good && decode_pem(roots_pem, "root certificates", roots, error) &&
        add_roots(trust->roots, roots, error) &&
        (intermediates_pem.length == 0 ||
         decode_pem(intermediates_pem, "intermediate certificates", trust->intermediates, error));
    sk_X509_pop_free(roots, X509_free);
    ERR_clear_error();
    return good;
}

bool x509_trust_new(struct slice roots_pem, struct slice intermediates_pem, struct x509_trust **out,
                    struct error *error) {
    struct x509_trust *trust = calloc(1, sizeof *trust);
    *out = NULL;
    if (trust == NULL) {
        return error_set(error, E_MEMORY, "no memory for root certificates");
    }
    if (!fill_trust(trust, roots_pem, intermediates_pem, error)) {
        x509_trust_free(trust);
        return false;
    }
    *out = trust;
    return true;
}

void x509_trust_free(struct x509_trust *trust) {
    if (trust != NULL) {
        sk_X509_pop_free(trust->intermediates, X509_free);
        sk_X509_pop_free(trust->extra, X509_free);
        buf_free(trust->extra_der);
        X509_STORE_free(trust->roots);
        free(trust);
    }
}

// ---- one verification ---------------------------------------------------------------------------

static enum error_code verify_error_code(int reason, int depth) {
    switch (reason) {
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return E_CERT_EXTENSION;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return E_CERT_WEAK;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return depth == 0 ? E_CERT_VALIDITY : E_CERT_CHAIN;
    default:
        return E_CERT_CHAIN;
    }
}

static bool fail_verification(X509_STORE_CTX *context, struct error *error) {
    char name[X509_NAME_TEXT_SIZE] = "";
    char issuer[X509_NAME_TEXT_SIZE] = "";
    int reason = X509_STORE_CTX_get_error(context);
    int depth = X509_STORE_CTX_get_error_depth(context);
    const X509 *at = X509_STORE_CTX_get_current_cert(context);
    if (at != NULL) {
        x509_name_text(X509_get_subject_name(at), name, 90);
        x509_name_text(X509_get_issuer_name(at), issuer, 90);
    }
    return error_set(error, verify_error_code(reason, depth), "%s: \"%s\", issued by \"%s\"",
                     X509_verify_cert_error_string(reason), name, issuer);
}

// Curves that browsers and TLS libraries take; X509_verify_cert sees to it that RSA is long enough.
static bool is_usable_key(const EVP_PKEY *key) {
    char curve[32];
    if (EVP_PKEY_is_a(key, "EC")) {
        bool is_named = EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1;
        int nid = is_named ? OBJ_txt2nid(curve) : NID_undef;
        return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1 || nid == NID_secp521r1;
    }
    return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS") ||
           EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
}

// Of all who sign, the root too; of a chain without a leaf, its first as well.
static bool check_issuer_keys(const STACK_OF(X509) * chain, struct error *error) {
    char name[X509_NAME_TEXT_SIZE];
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i);
        if ((i > 0 || X509_check_ca(issuer) == 1) && !is_usable_key(X509_get0_pubkey(issuer))) {
            x509_name_text(X509_get_subject_name(issuer), name, sizeof name);
            return error_set(error, E_CERT_WEAK,
                             "the key of the issuer \"%s\" is none of P-256, P-384, P-521, RSA, "
                             "Ed25519 and Ed448",
                             name);
        }
    }
    return true;
}

static bool verify(X509_STORE_CTX *context, const struct x509_trust *trust, X509 *leaf,
                   STACK_OF(X509) * untrusted, int64_t time_ms, struct error *error) {
    if (X509_STORE_CTX_init(context, trust->roots, leaf, untrusted) != 1) {
        return error_set(error, E_MEMORY, "no memory to verify a certificate");
    }
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)(time_ms / 1000));
    X509_VERIFY_PARAM_set_depth(parameters, CHAIN_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(parameters, SECURITY_LEVEL);
    if (X509_verify_cert(context) != 1) {
        return fail_verification(context, error);
    }
    return check_issuer_keys(X509_STORE_CTX_get0_chain(context), error);
}

// `chain` gets what was built, also where it is no good; the caller frees it.
static bool try_chain(const struct x509_trust *trust, X509 *leaf, STACK_OF(X509) * untrusted,
                      int64_t time_ms, STACK_OF(X509) * *chain, struct error *error) {
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool good = context == NULL ? error_set(error, E_MEMORY, "no memory to verify a certificate")
                                : verify(context, trust, leaf, untrusted, time_ms, error);
    *chain = context != NULL ? X509_STORE_CTX_get1_chain(context) : NULL;
    X509_STORE_CTX_free(context);
    return good && *chain == NULL ? error_set(error, E_MEMORY, "no memory for a chain") : good;
}

// Takes the uppermost of the chain that is not pinned out of what is tried. False where there is none.
static bool drop_uppermost(STACK_OF(X509) * untrusted, const STACK_OF(X509) * chain) {
    for (int i = sk_X509_num(chain) - 1; i > 0; i--) {
        X509 *dropped = sk_X509_delete_ptr(untrusted, sk_X509_value(chain, i));
        if (dropped != NULL) {
            X509_free(dropped);
            return true;
        }
    }
    return false;
}

static bool keep_extra(struct x509_trust *trust, struct slice der, struct error *error) {
    struct buf *copy = buf_new(EXTRA_DER_MAX);
    STACK_OF(X509) *stack = sk_X509_new_null();
    bool good = copy != NULL && stack != NULL;
    if (!good) {
        error_set(error, E_MEMORY, "no memory for a chain");
    }
    good = good && decode_all(der, "the CA's further certificates", EXTRA_MAX, stack, error);
    if (good && !buf_put(copy, der.data, der.length)) {
        good = error_set(error, E_CERT_MALFORMED, "the CA's further certificates: over %d bytes",
                         EXTRA_DER_MAX);
    }
    if (!good) {
        sk_X509_pop_free(stack, X509_free);
        buf_free(copy);
        return false;
    }
    sk_X509_pop_free(trust->extra, X509_free);
    buf_free(trust->extra_der);
    trust->extra = stack;
    trust->extra_der = copy;
    return true;
}

static bool has_extra(const struct x509_trust *trust, struct slice der) {
    struct slice kept = trust->extra_der != NULL ? buf_slice(trust->extra_der) : (struct slice){0};
    return kept.length == der.length &&
           (der.length == 0 || memcmp(kept.data, der.data, der.length) == 0);
}

static bool share(STACK_OF(X509) * to, const STACK_OF(X509) * from) {
    for (int i = 0; i < sk_X509_num(from); i++) {
        X509 *certificate = sk_X509_value(from, i);
        X509_up_ref(certificate);
        if (!push(to, certificate)) {
            return false;
        }
    }
    return true;
}

// What the CA gave along comes first: it knows best which intermediate signed.
static STACK_OF(X509) *
    collect_untrusted(struct x509_trust *trust, struct slice extra_der, struct error *error) {
    if (!has_extra(trust, extra_der) && !keep_extra(trust, extra_der, error)) {
        return NULL;
    }
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    if (untrusted == NULL || (extra_der.length > 0 && !share(untrusted, trust->extra)) ||
        !share(untrusted, trust->intermediates)) {
        sk_X509_pop_free(untrusted, X509_free);
        error_set(error, E_MEMORY, "no memory for a chain");
        return NULL;
    }
    return untrusted;
}

bool x509_trust_verify(struct x509_trust *trust, X509 *leaf, struct slice extra_der,
                       int64_t time_ms, STACK_OF(X509) * *verified, struct error *error) {
    STACK_OF(X509) *untrusted = collect_untrusted(trust, extra_der, error);
    if (untrusted == NULL) {
        return false;
    }
    // X509_verify_cert follows the first issuer that fits, and comes back from no dead end: a CA that is
    // cross-signed by another root is there twice. What was tried first has the error.
    STACK_OF(X509) *chain = NULL;
    struct error first;
    struct error other;
    bool good = try_chain(trust, leaf, untrusted, time_ms, &chain, &first);
    while (!good && drop_uppermost(untrusted, chain)) {
        sk_X509_pop_free(chain, X509_free);
        good = try_chain(trust, leaf, untrusted, time_ms, &chain, &other);
    }
    if (good) {
        *verified = chain;
    } else {
        *error = first;
        sk_X509_pop_free(chain, X509_free);
    }
    sk_X509_pop_free(untrusted, X509_free);
    ERR_clear_error();
    return good;
}

STACK_OF(X509) *
    x509_trust_candidates(struct x509_trust *trust, struct slice extra_der, struct error *error) {
    STACK_OF(X509) *all = collect_untrusted(trust, extra_der, error);
    STACK_OF(X509) *roots = all != NULL ? X509_STORE_get1_all_certs(trust->roots) : NULL;
    if (all != NULL && (roots == NULL || !share(all, roots))) {
        error_set(error, E_MEMORY, "no memory for a chain");
        sk_X509_pop_free(all, X509_free);
        all = NULL;
    }
    sk_X509_pop_free(roots, X509_free);
    return all;
}
