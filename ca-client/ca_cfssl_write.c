// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "ca-client/base64.h"
#include "ca-client/ca_cfssl_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "ca-client/names.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"

static bool put_authority(json_t *root, const struct ca *ca) {
    return json_put_text(root, "profile", ca->profile) && json_put_text(root, "label", ca->label);
}

// cfssl takes over from the CSR what the subject leaves out, unless the profile's csr_whitelist
// keeps it from that.
static bool put_subject(json_t *root, const struct names *names) {
    json_t *subject = json_object();
    json_t *name = json_object();
    json_t *list = json_array();
    bool good = json_put_text(subject, "CN", names->common_name) &&
                json_put_text(subject, "SerialNumber", names->serial_number) &&
                json_put_text(name, "C", names->country) &&
                json_put_text(name, "O", names->organization) &&
                json_put_text(name, "OU", names->organizational_unit);
    good = json_array_append_new(list, name) == 0 && good;
    good = json_put(subject, "names", list) && good;
    return json_put(root, "subject", subject) && good;
}

// Also where there is none: an empty list keeps the CSR's host names out.
static bool put_hosts(json_t *root, const struct names *names) {
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; i < names->dns_count; i++) {
        good = json_array_append_new(list, json_string(names->dns_names[i])) == 0 && good;
    }
    return json_put(root, "hosts", list) && good;
}

// ---- authsign -----------------------------------------------------------------------------------

static bool put_base64(json_t *root, const char *member, struct slice data) {
    struct buf *text = buf_new(2 * WEB_REQUEST_MAX);
    bool good = text != NULL && base64_encode(data, false, text) &&
                json_put(root, member, json_string(buf_text(text)));
    buf_free(text);
    return good;
}

// The request goes in as bytes, so that the server verifies just what was authenticated.
static struct buf *wrap(const struct ca *ca, const struct buf *request, struct error *error) {
    uint8_t token[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct slice key = buf_slice(ca->key);
    struct slice data = buf_slice(request);
    json_t *root = json_object();
    if (HMAC(EVP_sha256(), key.data, (int)key.length, data.data, data.length, token, &length) ==
            NULL ||
        !put_base64(root, "token", (struct slice){token, length}) ||
        !put_base64(root, "request", data)) {
        json_decref(root);
        root = NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

// Takes `root` over.
static struct buf *finish(const struct ca *ca, json_t *root, struct error *error) {
    struct buf *request = json_write(root, WEB_REQUEST_MAX, error);
    if (request == NULL || ca->key == NULL) {
        return request;
    }
    struct buf *wrapped = wrap(ca, request, error);
    buf_free(request);
    return wrapped;
}

// ---- the requests -------------------------------------------------------------------------------

struct buf *cfssl_write_info(const struct ca *ca, struct error *error) {
    json_t *root = json_object();
    if (!put_authority(root, ca)) {
        json_decref(root);
        root = NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

// A host name of digits is an address to cfssl.
static bool check_hosts(const struct names *names, struct error *error) {
    struct in_addr address;
    for (size_t i = 0; i < names->dns_count; i++) {
        if (inet_pton(AF_INET, names->dns_names[i], &address) == 1) {
            return error_set(error, E_CA_POLICY,
                             "dns_name: cfssl makes an IP address of \"%s\", not a host name",
                             names->dns_names[i]);
        }
    }
    return true;
}

static bool fill(json_t *root, const struct ca *ca, const struct ca_request *request,
                 struct error *error) {
    struct names names;
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    if (!names_fill(request->profile, &request->subject, &names, error) ||
        !check_hosts(&names, error) ||
        !json_put_pem(root, "certificate_request", request->csr, "CERTIFICATE REQUEST", error)) {
        return false;
    }
    return (put_authority(root, ca) && put_subject(root, &names) && put_hosts(root, &names)) ||
           error_set(error, E_CA_CONFIG,
                     "the profile's names cannot be written as JSON: they must be UTF-8");
}

struct buf *cfssl_write_sign(const struct ca *ca, const struct ca_request *request,
                             struct error *error) {
    json_t *root = json_object();
    if (!fill(root, ca, request, error)) {
        json_decref(root);
        return NULL;
    }
    return finish(ca, root, error);
}

struct buf *cfssl_write_probe(const struct ca *ca, struct error *error) {
    json_t *root = json_object();
    if (!json_put_text(root, "certificate_request", "none") || !put_authority(root, ca)) {
        json_decref(root);
        root = NULL;
    }
    return finish(ca, root, error);
}

struct buf *cfssl_write_revoke(struct slice certificate, enum ca_revocation_reason reason,
                               bool knows_issuer, struct error *error) {
    const char *name = ca_revocation_reason_name(reason);
    struct certificate_reference reference;
    if (name == NULL) {
        error_set(error, E_INTERNAL, "revoke without a known reason");
        return NULL;
    }
    if (!x509_refer(certificate, &reference, error)) {
        return NULL;
    }
    return json_write(json_pack("{s:s, s:s, s:s}", "serial", reference.serial, "authority_key_id",
                                knows_issuer ? reference.authority_key_id : "", "reason", name),
                      WEB_REQUEST_MAX, error);
}
