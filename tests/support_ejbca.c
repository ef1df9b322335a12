// SPDX-License-Identifier: Apache-2.0
#include "tests/support_ejbca.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/base/clock.h"

struct ejbca_bench ejbca;

static const char *take(struct ejbca_resource *resource, const char *request) {
    resource->count++;
    snprintf(resource->request, sizeof resource->request, "%s", request);
    return resource->answer[0] != '\0' ? resource->answer : NULL;
}

static const char *answer_search(const char *request) {
    if (strstr(request, "\"value\":\"@\"") != NULL) {
        return take(&ejbca.probe, request);
    }
    if (strstr(request, "\"QUERY\"") == NULL) {
        return take(&ejbca.issued, request);
    }
    if (strstr(request, "\"value\":\"OTHER@https\"") != NULL) {
        return take(&ejbca.known, request);
    }
    if (strstr(request, "@https\"") != NULL && strstr(request, "\"CA\"") == NULL) {
        return take(&ejbca.username, request);
    }
    return take(strstr(request, "\"current_page\":1}") != NULL ? &ejbca.search : &ejbca.search_2,
                request);
}

static const char *answer_to(const char *request) {
    static const struct {
        const char *line;
        struct ejbca_resource *resource;
    } rows[] = {
        {"GET /api/v1/ca HTTP", &ejbca.authorities},
        {"GET /api/v1/ca/", &ejbca.chain},
        {"GET /api/v2/certificate/profile/Camera%20Profile HTTP", &ejbca.profile},
        {"GET /api/v2/endentity/profile/Cameras HTTP", &ejbca.entity_profile},
        {"POST /api/v1/certificate/pkcs10enroll HTTP", &ejbca.enroll},
        {"PUT /api/v1/certificate/", &ejbca.revoke},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (strncmp(request, rows[i].line, strlen(rows[i].line)) == 0) {
            return take(rows[i].resource, request);
        }
    }
    return strncmp(request, "POST /api/v2/certificate/search HTTP", 36) == 0
               ? answer_search(request)
               : NULL;
}

// ---- answers ------------------------------------------------------------------------------------

void ejbca_set_answer(struct ejbca_resource *resource, long status, const char *body) {
    int length = snprintf(resource->answer, EJBCA_ANSWER_SIZE,
                          "HTTP/1.1 %ld Status\r\nContent-Length: %zu\r\n\r\n%s", status,
                          strlen(body), body);
    ck_assert_int_lt(length, EJBCA_ANSWER_SIZE);
}

static void set_json(struct ejbca_resource *resource, long status, json_t *root) {
    char *text = json_dumps(root, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    ejbca_set_answer(resource, status, text);
    free(text);
    json_decref(root);
}

void ejbca_set_problem(struct ejbca_resource *resource, long status, const char *message) {
    set_json(resource, status,
             json_pack("{s:i, s:s}", "error_code", (int)status, "error_message", message));
}

X509 *ejbca_make_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    const struct pki_spec spec = {
        .issuer = ejbca.factory.certificate,
        .issuer_key = ejbca.factory.key,
        .key = key,
        .subject = {{"serialNumber", unit->serial}, {"CN", unit->serial}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"}},
        .not_before_ms = clock_wall_ms() - 600000,
        .not_after_ms = clock_wall_ms() + 3649 * PKI_DAY_MS,
    };
    return pki_certificate(&spec);
}

static json_t *base64(const uint8_t *data, size_t length) {
    char *text = malloc((length + 2) / 3 * 4 + 1);
    ck_assert_ptr_nonnull(text);
    EVP_EncodeBlock((unsigned char *)text, data, (int)length);
    json_t *value = json_string(text);
    free(text);
    return value;
}

static json_t *encode(const X509 *certificate) {
    struct buf *der = pki_der(certificate);
    json_t *text = base64(buf_slice(der).data, buf_length(der));
    buf_free(der);
    return text;
}

void ejbca_set_certificate(const struct client_unit *unit, EVP_PKEY *key) {
    X509 *certificate = ejbca_make_certificate(unit, key);
    set_json(&ejbca.enroll, 201,
             json_pack("{s:o, s:s, s:s}", "certificate", encode(certificate), "serial_number",
                       "4711", "response_format", "DER"));
    X509_free(certificate);
}

json_t *ejbca_row(X509 *certificate, const char *serial, int status) {
    json_t *once = encode(certificate);
    json_t *row = json_pack(
        "{s:s, s:s, s:i, s:o}", "issuerDN", EJBCA_ISSUER, "serialNumber", serial, "status", status,
        "base64Cert", base64((const uint8_t *)json_string_value(once), json_string_length(once)));
    json_decref(once);
    return row;
}

void ejbca_set_page(struct ejbca_resource *resource, json_t *rows, int total) {
    set_json(resource, 200,
             json_pack("{s:o, s:{s:i, s:i, s:o}}", "certificates", rows, "pagination_summary",
                       "page_size", 20, "current_page", 1, "total_certs",
                       total < 0 ? json_null() : json_integer(total)));
}

static void set_all_well(void) {
    struct buf *issuing = pki_pem(ejbca.factory.certificate);
    struct buf *root = pki_pem(ejbca.root.certificate);
    struct buf *both = pki_join(issuing, root);
    set_json(&ejbca.authorities, 200,
             json_pack("{s:[{s:s, s:s}, {s:s, s:s}]}", "certificate_authorities", "name",
                       "ManagementCA", "subject_dn", "CN=ManagementCA", "name", "CameraCA",
                       "subject_dn", EJBCA_ISSUER));
    ejbca_set_answer(&ejbca.chain, 200, buf_text(both));
    set_json(&ejbca.profile, 200,
             json_pack("{s:[s, s], s:[s], s:[i], s:[s], s:[i], s:[s, s], s:s}",
                       "available_key_algs", "ECDSA", "RSA", "available_ecdsa_curves", "secp256r1",
                       "available_bit_lenghts", 2048, "available_cas", "CameraCA", "key_usages", 0,
                       "extended_key_usages", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "validity",
                       "10y"));
    ejbca_set_problem(&ejbca.entity_profile, 404, "RESTEASY003210: Could not find resource");
    ejbca_set_page(&ejbca.probe, json_array(), 0);
    ejbca_set_page(&ejbca.search, json_array(), 0);
    ejbca_set_page(&ejbca.search_2, json_array(), 20);
    ejbca_set_page(&ejbca.username, json_array(), 0);
    ejbca_set_page(&ejbca.issued, json_pack("[{s:s}]", "username", "OTHER@https"), -1);
    ejbca_set_page(&ejbca.known, json_pack("[{s:s}]", "username", "OTHER@https"), 1);
    ejbca_set_answer(&ejbca.revoke, 200, "{\"revoked\":true}");
    buf_free(issuing);
    buf_free(root);
    buf_free(both);
}

// ---- the bench ----------------------------------------------------------------------------------

void ejbca_start(void) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .answer_to = answer_to};
    memset(&ejbca, 0, sizeof ejbca);
    server_start(&ejbca.server, &settings);
    ejbca.root = pki_ca_new("Root", NULL);
    ejbca.factory = pki_ca_new("Factory", &ejbca.root);
    struct buf *root = pki_pem(ejbca.root.certificate);
    pki_write_file(ejbca.server.folder, "factory.pem", 0644, buf_slice(root), ejbca.root_file);
    buf_free(root);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/api/", ejbca.server.port);
    const struct ca_settings ca = {
        .name = "factory",
        .backend = "ejbca",
        .url = url,
        .server_root_file = ejbca.server.root_file,
        .client_certificate_file = ejbca.server.client_certificate_file,
        .client_key_file = ejbca.server.client_key_file,
        .root_file = ejbca.root_file,
        .authority = "CameraCA",
        .ca_profile = "Camera Profile",
        .end_entity_profile = "Cameras",
        .in_flight = 2,
        .timeout_ms = 5000,
    };
    client_start(&ejbca.client, &ca, EJBCA_UNITS, "P-256");
    ejbca.client.profile.dns_names[0][0] = '\0'; // which the CSRs do not have
    set_all_well();
    ejbca_set_certificate(&ejbca.client.units[0], ejbca.client.units[0].key);
}

void ejbca_stop(void) {
    client_stop(&ejbca.client);
    server_stop(&ejbca.server);
    pki_ca_free(&ejbca.factory);
    pki_ca_free(&ejbca.root);
}

struct client_unit *ejbca_submit(void) {
    client_submit(&ejbca.client, &ejbca.client.units[0]);
    client_wait(&ejbca.client);
    return &ejbca.client.units[0];
}

struct client_unit *ejbca_reconcile_one(void) {
    client_reconcile(&ejbca.client, &ejbca.client.units[0]);
    client_wait(&ejbca.client);
    return &ejbca.client.units[0];
}

struct client_unit *ejbca_revoke_one(enum ca_revocation_reason reason) {
    client_revoke(&ejbca.client, &ejbca.client.units[0], reason);
    client_wait(&ejbca.client);
    return &ejbca.client.units[0];
}

const struct ca_report *ejbca_check_one(void) {
    client_check(&ejbca.client);
    client_wait(&ejbca.client);
    return &ejbca.client.report;
}

void ejbca_assert(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code,
                  const char *what) {
    ck_assert_msg(unit->outcome == outcome && unit->error.code == code, "%s: outcome %d, %s, %s",
                  what, (int)unit->outcome, error_code_text(unit->error.code), unit->error.text);
}

json_t *ejbca_body(const struct ejbca_resource *resource) {
    const char *body = strstr(resource->request, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    json_t *root = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}
