// SPDX-License-Identifier: Apache-2.0
#include "ca-client/json_request.h"

#include "ca-client/names.h"
#include "ca-client/x509.h"

#define PEM_MAX (256 * 1024)

bool json_put(json_t *object, const char *name, json_t *value) {
    return json_object_set_new(object, name, value) == 0; // refuses NULL
}

// A name that the profile leaves out is left out here as well.
bool json_put_text(json_t *object, const char *name, const char *value) {
    return value[0] == '\0' || json_put(object, name, json_string(value));
}

bool json_put_pem(json_t *object, const char *name, struct slice der, const char *label,
                  struct error *error) {
    struct buf *pem = buf_new(PEM_MAX);
    bool done = pem != NULL && x509_der_to_pem(der, label, pem, error) &&
                json_put_text(object, name, buf_text(pem));
    buf_free(pem);
    return done;
}

static bool put_subject(json_t *root, const struct names *names) {
    json_t *subject = json_object();
    bool done = json_put_text(subject, "common_name", names->common_name) &&
                json_put_text(subject, "serial_number", names->serial_number) &&
                json_put_text(subject, "organization", names->organization) &&
                json_put_text(subject, "organizational_unit", names->organizational_unit) &&
                json_put_text(subject, "country", names->country);
    return json_put(root, "subject", subject) && done;
}

static bool put_alternative_names(json_t *root, const struct names *names) {
    json_t *dns_names = json_array();
    bool done = true;
    for (size_t i = 0; i < names->dns_count; i++) {
        done = done && json_array_append_new(dns_names, json_string(names->dns_names[i])) == 0;
    }
    if (!json_put(root, "dns_names", dns_names) || names->hardware_type[0] == '\0') {
        return done;
    }
    json_t *module = json_object();
    done = done && json_put_text(module, "type", names->hardware_type) &&
           json_put_text(module, "serial_number", names->hardware_serial);
    return json_put(root, "hardware_module_name", module) && done;
}

// What is the same for every camera of the profile.
bool json_put_terms(json_t *root, const struct profile *profile) {
    json_t *usages = json_array();
    bool done =
        !profile->server_auth || json_array_append_new(usages, json_string("serverAuth")) == 0;
    done = done &&
           (!profile->client_auth || json_array_append_new(usages, json_string("clientAuth")) == 0);
    return json_put(root, "extended_key_usages", usages) &&
           json_put(root, "validity_days", json_integer(profile->validity_days)) && done;
}

bool json_put_request(json_t *root, const struct ca_request *request, struct error *error) {
    const struct profile_subject *subject = &request->subject;
    char key[2 * SHA256_SIZE + 1];
    struct names names;
    hex_encode(key, request->spki_sha256, SHA256_SIZE);
    if (!names_fill(request->profile, subject, &names, error)) {
        return false;
    }
    return json_put_text(root, "serial", subject->serial) &&
           json_put_text(root, "model", subject->model) &&
           json_put_text(root, "public_key_sha256", key) && put_subject(root, &names) &&
           put_alternative_names(root, &names) && json_put_terms(root, request->profile) &&
           json_put(root, "sent_at", json_integer(request->sent_ms / 1000)) &&
           json_put_text(root, "handle", request->handle) &&
           json_put_pem(root, "csr", request->csr, "CERTIFICATE REQUEST", error);
}
