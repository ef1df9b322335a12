// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "ca-client/der.h"
#include "ca-client/json_load.h"
#include "ca-client/names.h"
#include "ca-client/x509.h"

#define LAST_SECOND_OF_9999 INT64_C(253402300799) // RFC 5280, section 4.1.2.5
// What a stamp has to stay away from the edge of what is allowed: the way to the CA, and clocks.
#define STAMP_MARGIN_S 10
#define HARDWARE_NAME_MAX 256

// Every member that cannot be made makes the whole fail, so single results need no look.
static bool set_text(json_t *object, const char *name, const char *value) {
    return json_object_set_new(object, name, json_string(value)) == 0;
}

static json_t *text_array(const char *value) {
    json_t *array = json_array();
    if (json_array_append_new(array, json_string(value)) != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

// ---- validity -----------------------------------------------------------------------------------

// Where the policy leaves no room the CA's own now is the beginning.
static bool is_stamp_allowed(const struct hvca_ask *ask, int64_t stamp_s) {
    return ask->ca_now_s - stamp_s <= ask->policy->negative_skew_s - STAMP_MARGIN_S &&
           stamp_s - ask->ca_now_s <= ask->policy->positive_skew_s - STAMP_MARGIN_S;
}

int64_t hvca_not_after_s(const struct hvca_policy *policy, const struct profile *profile,
                         int64_t begin_s) {
    int64_t end_s = LAST_SECOND_OF_9999;
    if (profile->validity_days > 0) {
        end_s = begin_s + (int64_t)profile->validity_days * 24 * 60 * 60 - 1;
    }
    if (policy->issuer_expiry_s > 0 && end_s > policy->issuer_expiry_s) {
        end_s = policy->issuer_expiry_s;
    }
    end_s = end_s < LAST_SECOND_OF_9999 ? end_s : LAST_SECOND_OF_9999;
    // One second below the maximum counts as the maximum: both sides count the ends differently.
    bool is_beyond = policy->seconds_max > 0 && end_s - begin_s + 1 >= policy->seconds_max;
    return is_beyond ? 0 : end_s;
}

static bool put_validity(json_t *root, const struct hvca_ask *ask) {
    int64_t begin_s = ask->request->not_before_s;
    json_t *validity = json_object();
    bool good = validity != NULL;
    if (begin_s == 0 || !is_stamp_allowed(ask, begin_s)) {
        begin_s = ask->ca_now_s;
    }
    if (is_stamp_allowed(ask, begin_s)) {
        good = good && json_object_set_new(validity, "not_before", json_integer(begin_s)) == 0;
    }
    int64_t end_s = hvca_not_after_s(ask->policy, ask->request->profile, begin_s);
    good = good && json_object_set_new(validity, "not_after", json_integer(end_s)) == 0;
    return json_object_set_new(root, "validity", validity) == 0 && good;
}

// ---- names --------------------------------------------------------------------------------------

static bool put_name(json_t *subject, const struct hvca_policy *policy,
                     enum hvca_subject_field field, const char *value) {
    const struct hvca_text_rule *rule = &policy->subject[field];
    if (value[0] == '\0' || (rule->is_named && rule->presence == HVCA_STATIC)) {
        return true;
    }
    return set_text(subject, hvca_subject_fields[field], value);
}

static bool put_subject(json_t *root, const struct hvca_policy *policy, const struct names *names) {
    json_t *subject = json_object();
    bool good = put_name(subject, policy, HVCA_COMMON_NAME, names->common_name) &&
                put_name(subject, policy, HVCA_SERIAL_NUMBER, names->serial_number) &&
                put_name(subject, policy, HVCA_ORGANIZATION, names->organization) &&
                put_name(subject, policy, HVCA_COUNTRY, names->country);
    if (names->organizational_unit[0] != '\0' && !policy->organizational_unit.is_static) {
        good = good && json_object_set_new(subject, "organizational_unit",
                                           text_array(names->organizational_unit)) == 0;
    }
    return json_object_set_new(root, "subject_dn", subject) == 0 && good;
}

// HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }
// (RFC 4108, section 5), as the hex of its DER.
static bool put_hardware_name(json_t *san, const struct names *names) {
    uint8_t der[HARDWARE_NAME_MAX];
    char hex[2 * HARDWARE_NAME_MAX + 1];
    struct der_writer writer;
    const char *serial = names->hardware_serial;
    der_writer_init(&writer, der, sizeof der);
    size_t start = der_open(&writer);
    bool good = der_put_oid(&writer, names->hardware_type);
    der_put(&writer, DER_OCTET_STRING, (struct slice){(const uint8_t *)serial, strlen(serial)});
    der_close(&writer, start, DER_SEQUENCE);
    if (!good || writer.failed) {
        return false;
    }
    hex_encode(hex, der, writer.used);
    json_t *other = json_object();
    json_t *list = json_array();
    good = set_text(other, "type", "1.3.6.1.5.5.7.8.4") && set_text(other, "value", hex);
    good = json_array_append_new(list, other) == 0 && good;
    return json_object_set_new(san, "other_names", list) == 0 && good;
}

static bool put_san(json_t *root, const struct hvca_policy *policy, const struct names *names) {
    bool has_dns = names->dns_count > 0 && !policy->dns_names.is_static;
    bool has_hardware = names->hardware_type[0] != '\0';
    if (!has_dns && !has_hardware) {
        return true;
    }
    json_t *san = json_object();
    bool good = san != NULL;
    if (has_dns) {
        json_t *list = json_array();
        for (size_t i = 0; i < names->dns_count; i++) {
            good = json_array_append_new(list, json_string(names->dns_names[i])) == 0 && good;
        }
        good = json_object_set_new(san, "dns_names", list) == 0 && good;
    }
    if (has_hardware) {
        good = put_hardware_name(san, names) && good;
    }
    return json_object_set_new(root, "san", san) == 0 && good;
}

// ---- usages, signature, key ---------------------------------------------------------------------

static bool put_usages(json_t *root, const struct hvca_policy *policy,
                       const struct profile *profile) {
    if (policy->usages.is_static || (!profile->server_auth && !profile->client_auth)) {
        return true;
    }
    json_t *list = json_array();
    bool good = list != NULL;
    if (profile->server_auth) {
        good = json_array_append_new(list, json_string("1.3.6.1.5.5.7.3.1")) == 0 && good;
    }
    if (profile->client_auth) {
        good = json_array_append_new(list, json_string("1.3.6.1.5.5.7.3.2")) == 0 && good;
    }
    return json_object_set_new(root, "extended_key_usages", list) == 0 && good;
}

static bool put_algorithm(json_t *signature, const char *name,
                          const struct hvca_algorithm_rule *rule) {
    if (rule->presence != HVCA_REQUIRED || rule->count == 0) {
        return true;
    }
    const char *chosen = rule->names[0];
    for (size_t i = 0; i < rule->count; i++) {
        chosen = strcmp(rule->names[i], "SHA-256") == 0 ? rule->names[i] : chosen;
    }
    return set_text(signature, name, chosen);
}

static bool put_signature(json_t *root, const struct hvca_policy *policy) {
    if (policy->algorithm.presence != HVCA_REQUIRED &&
        policy->hash_algorithm.presence != HVCA_REQUIRED) {
        return true;
    }
    json_t *signature = json_object();
    bool good = put_algorithm(signature, "algorithm", &policy->algorithm) &&
                put_algorithm(signature, "hash_algorithm", &policy->hash_algorithm);
    return json_object_set_new(root, "signature", signature) == 0 && good;
}

static bool put_key(json_t *root, const struct hvca_ask *ask, struct error *error) {
    struct buf *pem = buf_new(HVCA_REQUEST_MAX);
    struct slice csr = ask->request->csr;
    if (pem == NULL) {
        return error_set(error, E_MEMORY, "no memory for a request to the CA");
    }
    bool good = ask->policy->takes_csr ? x509_der_to_pem(csr, "CERTIFICATE REQUEST", pem, error)
                                       : x509_csr_public_key_pem(csr, pem, error);
    size_t length = buf_length(pem);
    while (good && length > 0 && buf_text(pem)[length - 1] == '\n') {
        length--;
    }
    if (good && json_object_set_new(root, "public_key", json_stringn(buf_text(pem), length)) != 0) {
        good = error_set(error, E_MEMORY, "no memory for a request to the CA");
    }
    buf_free(pem);
    return good;
}

// ---- the whole ----------------------------------------------------------------------------------

static bool fill(json_t *root, const struct hvca_ask *ask, const struct names *names,
                 struct error *error) {
    const struct hvca_policy *policy = ask->policy;
    if (!put_key(root, ask, error)) {
        return false;
    }
    return (put_validity(root, ask) && put_subject(root, policy, names) &&
            put_san(root, policy, names) && put_usages(root, policy, ask->request->profile) &&
            put_signature(root, policy)) ||
           error_set(error, E_CA_CONFIG,
                     "the profile's names cannot be written as JSON: they must be UTF-8");
}

bool hvca_write_rekey(const struct hvca_ask *ask, struct buf **out, struct error *error) {
    json_t *root = json_object();
    bool good = root != NULL && put_key(root, ask, error);
    if (good && !put_signature(root, ask->policy)) {
        good = error_set(error, E_MEMORY, "no memory for a request to the CA");
    }
    if (root != NULL && !good) {
        json_decref(root);
        return false;
    }
    *out = json_write(root, HVCA_REQUEST_MAX, error);
    return *out != NULL;
}

bool hvca_write_request(const struct hvca_ask *ask, struct buf **out, struct error *error) {
    struct names names;
    if (!names_fill(ask->request->profile, &ask->request->subject, &names, error)) {
        return false;
    }
    json_t *root = json_object();
    if (root != NULL && !fill(root, ask, &names, error)) {
        json_decref(root);
        return false;
    }
    *out = json_write(root, HVCA_REQUEST_MAX, error);
    return *out != NULL;
}
