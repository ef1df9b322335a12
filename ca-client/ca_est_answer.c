// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "ca-client/base64.h"
#include "ca-client/ca_est_internal.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "station/base/log.h"

#define CHAIN_MAX 16 // of the CAs in /cacerts, at most looked at
#define DER_SEQUENCE_TAG 0x30

bool est_read_body(struct slice body, struct buf *der, struct error *error) {
    // A base64 text of a SEQUENCE begins with M; 0x30 is the digit 0.
    bool is_der = body.length > 0 && body.data[0] == DER_SEQUENCE_TAG;
    bool good = is_der ? buf_put(der, body.data, body.length) : base64_decode(body, der);
    return good || error_set(error, E_CA_NONSENSE, "%zu bytes that are not base64", body.length);
}

bool est_read_certificates(struct slice body, struct buf *certificates, struct error *error) {
    struct buf *der = buf_new(X509_PKCS7_MAX);
    bool good = der != NULL ? est_read_body(body, der, error) &&
                                  x509_pkcs7_to_der(buf_slice(der), certificates, error)
                            : error_set(error, E_MEMORY, "no memory for certificates");
    buf_free(der);
    if (!good && error->code != E_MEMORY) {
        error->code = E_CA_NONSENSE;
    }
    return good;
}

static struct slice take_first(struct slice *rest) {
    struct slice first = x509_first_der(*rest);
    *rest = (struct slice){rest->data + first.length, rest->length - first.length};
    return first;
}

static X509 *parse(struct slice der) {
    const unsigned char *cursor = der.data;
    X509 *certificate = d2i_X509(NULL, &cursor, (long)der.length);
    ERR_clear_error();
    return certificate;
}

// ---- the certificate that was asked for ---------------------------------------------------------

static bool is_of_ca(struct slice der) {
    X509 *certificate = parse(der);
    bool is_ca = certificate != NULL && X509_check_ca(certificate) != 0;
    X509_free(certificate);
    return is_ca;
}

// A certificate too many is somebody's to revoke.
static void note_other(struct slice der) {
    char hash[2 * SHA256_SIZE + 1];
    uint8_t sha256[SHA256_SIZE];
    x509_sha256(der, sha256);
    hex_encode(hash, sha256, SHA256_SIZE);
    log_write(LOG_ERROR,
              "the CA gave a second certificate for the same key, which is not used: have the one "
              "with SHA-256 %s revoked",
              hash);
}

static struct slice find_leaf(struct slice certificates, const uint8_t spki_sha256[SHA256_SIZE]) {
    struct slice found = {NULL, 0};
    struct slice other = {NULL, 0};
    int64_t newest_s = INT64_MIN;
    while (certificates.length > 0) {
        struct certificate_identity identity;
        struct error error;
        struct slice der = take_first(&certificates);
        bool is_ours = x509_identify(der, &identity, &error) &&
                       memcmp(identity.spki_sha256, spki_sha256, SHA256_SIZE) == 0;
        if (is_ours) {
            bool is_newer = identity.not_before_s > newest_s;
            if (found.length > 0 && !slice_equal(found, der)) {
                note_other(is_newer ? found : der);
            }
            found = is_newer ? der : found;
            newest_s = is_newer ? identity.not_before_s : newest_s;
        } else if (other.length == 0 && !is_of_ca(der)) {
            other = der;
        }
    }
    return found.length > 0 ? found : other;
}

bool est_pick_leaf(struct slice certificates, const uint8_t spki_sha256[SHA256_SIZE],
                   struct slice *leaf, struct buf *rest) {
    *leaf = find_leaf(certificates, spki_sha256);
    while (leaf->length > 0 && certificates.length > 0) {
        struct slice der = take_first(&certificates);
        if (der.data != leaf->data && !buf_put(rest, der.data, der.length)) {
            return true; // less to build the chain from, which its check will say
        }
    }
    return leaf->length > 0;
}

// ---- the CA's own certificates ------------------------------------------------------------------

struct authority {
    struct slice der;
    X509 *certificate;
    bool is_placed;
};

static bool issued_by(const struct authority *below, const struct authority *above) {
    return X509_check_issued(above->certificate, below->certificate) == X509_V_OK;
}

// A CA that issued none of the others. A root may be there with its old and its new key.
static struct authority *find_lowest(struct authority *authorities, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool issues = false;
        for (size_t k = 0; k < count && !issues; k++) {
            issues = k != i && issued_by(&authorities[k], &authorities[i]);
        }
        if (!issues) {
            return &authorities[i];
        }
    }
    return count > 0 ? &authorities[0] : NULL;
}

static struct authority *find_issuer(struct authority *authorities, size_t count,
                                     const struct authority *below) {
    for (size_t i = 0; i < count; i++) {
        if (!authorities[i].is_placed && issued_by(below, &authorities[i])) {
            return &authorities[i];
        }
    }
    return NULL;
}

bool est_order_chain(struct slice certificates, struct buf *chain) {
    struct authority authorities[CHAIN_MAX];
    size_t count = 0;
    bool fits = true;
    while (certificates.length > 0 && count < CHAIN_MAX) {
        struct slice der = take_first(&certificates);
        X509 *certificate = parse(der);
        if (certificate != NULL) {
            authorities[count++] = (struct authority){der, certificate, false};
        }
    }
    struct authority *at = find_lowest(authorities, count);
    while (at != NULL && fits) {
        at->is_placed = true;
        fits = buf_put(chain, at->der.data, at->der.length);
        at = find_issuer(authorities, count, at);
    }
    for (size_t i = 0; i < count; i++) {
        X509_free(authorities[i].certificate);
    }
    ERR_clear_error();
    return fits && count > 0;
}

// ---- for a person -------------------------------------------------------------------------------

void est_read_text(const struct http_response *response, char out[EST_SAID_SIZE]) {
    struct slice body = response->body;
    out[0] = '\0';
    if (strncasecmp(response->content_type, "text/plain", 10) != 0) {
        return;
    }
    while (body.length > 0 && strchr("\r\n \t", body.data[body.length - 1]) != NULL) {
        body.length--;
    }
    text_escape(out, EST_SAID_SIZE, (const char *)body.data, body.length);
}
