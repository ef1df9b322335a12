// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ca-client/base64.h"
#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/x509.h"
#include "ca-client/x509_station.h"
#include "protocol/message.h"
#include "station/base/log.h"

#define BIT(number) (UINT32_C(1) << (number))
#define ISSUED_MAX 64 // of one certificate's chain in an answer
#define REVOKED 40    // CertificateConstants.CERT_REVOKED

static void escape_member(const json_t *value, char *out, size_t capacity) {
    const char *text = json_string_value(value);
    text_escape(out, capacity, text != NULL ? text : "", json_string_length(value));
}

static bool is_text(const json_t *value, const char *text) {
    return json_is_string(value) && strcasecmp(json_string_value(value), text) == 0;
}

// ---- the envelope of errors ---------------------------------------------------------------------

void ejbca_read_problem(struct slice body, struct ejbca_problem *problem) {
    struct error ignored;
    *problem = (struct ejbca_problem){0};
    json_t *root = json_load_object(body, "", &ignored);
    const json_t *message = json_object_get(root, "error_message");
    problem->is_ejbca = json_is_integer(json_object_get(root, "error_code"));
    if (json_is_string(message)) {
        escape_member(message, problem->text, sizeof problem->text);
    }
    json_decref(root);
}

// ---- CAs ----------------------------------------------------------------------------------------

static bool say_authorities(const json_t *list, const char *name, struct error *error) {
    char seen[EJBCA_PROBLEM_SIZE] = "";
    size_t used = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        char one[EJBCA_TEXT_SIZE];
        escape_member(json_object_get(entry, "name"), one, sizeof one);
        int length = snprintf(seen + used, sizeof seen - used, "%s%s", i > 0 ? ", " : "", one);
        used += length > 0 ? (size_t)length : 0;
        if (used >= sizeof seen) {
            break;
        }
    }
    return error_set(error, E_CA_CONFIG,
                     "authority: EJBCA shows the station no active CA \"%s\"; what it shows: %s",
                     name, seen[0] != '\0' ? seen : "none, so its role has access to no CA");
}

bool ejbca_read_authorities(struct slice body, const char *name, char subject_dn[EJBCA_DN_SIZE],
                            struct error *error) {
    size_t i;
    json_t *entry;
    json_t *root = json_load_object(body, "v1/ca", error);
    const json_t *list = json_object_get(root, "certificate_authorities");
    const json_t *found = NULL;
    json_array_foreach(list, i, entry) {
        const char *its_name = json_string_value(json_object_get(entry, "name"));
        if (its_name != NULL && strcmp(its_name, name) == 0) {
            found = json_object_get(entry, "subject_dn");
        }
    }
    bool good = found != NULL && json_is_string(found) && json_string_length(found) > 0 &&
                text_copy(subject_dn, EJBCA_DN_SIZE, json_string_value(found));
    if (root != NULL && found != NULL && !good) {
        error_set(error, E_CA_NONSENSE, "the CA's answer to v1/ca has no usable subject_dn");
    } else if (root != NULL && !json_is_array(list)) {
        error_set(error, E_CA_NONSENSE, "the CA's answer to v1/ca has no list of CAs");
    } else if (root != NULL && found == NULL) {
        say_authorities(list, name, error);
    }
    json_decref(root);
    return good;
}

// ---- the certificate profile --------------------------------------------------------------------

static bool holds(const json_t *list, const char *text) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        if (is_text(entry, text)) {
            return true;
        }
    }
    return false;
}

static bool holds_number(const json_t *list, json_int_t number) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        if (json_is_integer(entry) && json_integer_value(entry) == number) {
            return true;
        }
    }
    return false;
}

// Curves have several names, and a profile has whichever its administrator clicked.
static bool has_curve(const json_t *curves, const char *const names[]) {
    bool found = holds(curves, "ANY_EC_CURVE");
    for (size_t i = 0; !found && names[i] != NULL; i++) {
        found = holds(curves, names[i]);
    }
    return found;
}

static void read_keys(const json_t *root, struct ejbca_policy *policy) {
    static const char *const p256[] = {"P-256", "secp256r1", "prime256v1", NULL};
    static const char *const p384[] = {"P-384", "secp384r1", NULL};
    static const int sizes[] = {2048, 3072, 4096};
    const json_t *kinds = json_object_get(root, "available_key_algs");
    const json_t *curves = json_object_get(root, "available_ecdsa_curves");
    const json_t *bits = json_object_get(root, "available_bit_lenghts"); // EJBCA's own spelling
    policy->has_keys = json_is_array(kinds);
    if (holds(kinds, "ECDSA")) {
        policy->keys |= has_curve(curves, p256) ? BIT(KEY_P256) : 0;
        policy->keys |= has_curve(curves, p384) ? BIT(KEY_P384) : 0;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(sizes) && holds(kinds, "RSA"); i++) {
        policy->keys |= holds_number(bits, sizes[i]) ? BIT(KEY_RSA_2048 + i) : 0;
    }
    policy->keys |= holds(kinds, "Ed25519") ? BIT(KEY_ED25519) : 0;
    for (unsigned type = KEY_P256; type <= KEY_ED25519; type++) {
        size_t used = strlen(policy->keys_text);
        if ((policy->keys & BIT(type)) != 0) {
            snprintf(policy->keys_text + used, sizeof policy->keys_text - used, "%s%s",
                     used > 0 ? ", " : "", key_type_name((enum key_type)type));
        }
    }
}

static void note_extended_usage(const json_t *usage, struct ejbca_policy *policy) {
    if (is_text(usage, "1.3.6.1.5.5.7.3.1")) {
        policy->server_auth = true;
    } else if (is_text(usage, "1.3.6.1.5.5.7.3.2")) {
        policy->client_auth = true;
    } else if (policy->surplus[0] == '\0') {
        escape_member(usage, policy->surplus, sizeof policy->surplus);
    }
}

// Newer versions have these members; null says that the profile sets no such extension.
static void read_usages(const json_t *root, struct ejbca_policy *policy) {
    const json_t *usages = json_object_get(root, "key_usages");
    const json_t *extended = json_object_get(root, "extended_key_usages");
    size_t i;
    json_t *usage;
    policy->has_usage = usages != NULL;
    policy->digital_signature = holds_number(usages, 0); // CertificateConstants.DIGITALSIGNATURE
    policy->has_extended_usage = extended != NULL;
    json_array_foreach(extended, i, usage) {
        note_extended_usage(usage, policy);
    }
}

bool ejbca_read_validity(const char *text, int64_t *seconds) {
    static const struct {
        const char *name; // the longer of two that begin alike stands first
        int64_t seconds;
    } units[] = {{"mo", INT64_C(30) * 86400},
                 {"y", INT64_C(365) * 86400},
                 {"d", 86400},
                 {"h", 3600},
                 {"m", 60},
                 {"s", 1}};
    const char *at = text;
    *seconds = 0;
    while (*at != '\0') {
        size_t digits = strspn(at, "0123456789");
        size_t unit = 0;
        while (unit < ARRAY_LENGTH(units) &&
               strncmp(at + digits, units[unit].name, strlen(units[unit].name)) != 0) {
            unit++;
        }
        if (digits == 0 || digits > 9 || unit == ARRAY_LENGTH(units)) {
            return false;
        }
        *seconds += strtoll(at, NULL, 10) * units[unit].seconds;
        if (*seconds > INT64_C(10000) * 366 * 86400) {
            return false;
        }
        at += digits + strlen(units[unit].name);
        at += strspn(at, " ");
    }
    return at != text;
}

bool ejbca_read_profile(struct slice body, const char *authority, struct ejbca_policy *policy,
                        struct error *error) {
    json_t *root = json_load_object(body, "v2/certificate/profile", error);
    if (root == NULL) {
        return false;
    }
    const json_t *authorities = json_object_get(root, "available_cas");
    const json_t *validity = json_object_get(root, "validity");
    policy->has_authorities = json_is_array(authorities);
    policy->has_authority = holds(authorities, authority) || holds(authorities, "ANY_CA");
    read_keys(root, policy);
    read_usages(root, policy);
    policy->has_validity = json_is_string(validity) &&
                           ejbca_read_validity(json_string_value(validity), &policy->validity_s);
    escape_member(validity, policy->validity, sizeof policy->validity);
    json_decref(root);
    return true;
}

// ---- the end entity profile ---------------------------------------------------------------------

// What a list allows. One that says "any" in whatever words allows all.
static bool is_allowed(const json_t *list, const char *name) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const char *text = json_string_value(entry);
        if (text != NULL && (strcmp(text, name) == 0 || strncasecmp(text, "any", 3) == 0)) {
            return true;
        }
    }
    return !json_is_array(list);
}

bool ejbca_read_entity_profile(struct slice body, const struct ca *ca, struct error *error) {
    json_t *root = json_load_object(body, "v2/endentity/profile", error);
    bool good = root != NULL;
    if (good && !is_allowed(json_object_get(root, "available_cas"), ca->authority)) {
        good =
            error_set(error, E_CA_POLICY, "end_entity_profile: \"%s\" does not allow the CA \"%s\"",
                      ca->entity_profile, ca->authority);
    } else if (good &&
               !is_allowed(json_object_get(root, "available_certificate_profiles"), ca->profile)) {
        good = error_set(error, E_CA_POLICY,
                         "end_entity_profile: \"%s\" does not allow the certificate profile \"%s\"",
                         ca->entity_profile, ca->profile);
    }
    json_decref(root);
    return good;
}

// ---- certificates -------------------------------------------------------------------------------

static bool is_der(const struct buf *bytes) {
    struct slice all = buf_slice(bytes);
    return all.length > 0 && x509_first_der(all).length == all.length;
}

// EJBCA encodes the bytes that it gives as a text, and in some answers did so before already.
static bool read_certificate(const json_t *value, struct buf *der) {
    struct buf *once = buf_new(EJBCA_CERTIFICATES_MAX);
    struct buf *twice = buf_new(EJBCA_CERTIFICATES_MAX);
    const struct slice text = {(const uint8_t *)json_string_value(value),
                               json_string_length(value)};
    const struct buf *found = NULL;
    if (once != NULL && twice != NULL && json_is_string(value) && base64_decode(text, once)) {
        found = is_der(once)                                             ? once
                : base64_decode(buf_slice(once), twice) && is_der(twice) ? twice
                                                                         : NULL;
    }
    bool good = found != NULL && buf_put(der, buf_slice(found).data, buf_length(found));
    buf_free(once);
    buf_free(twice);
    return good;
}

bool ejbca_read_certificate(struct slice body, struct buf *der, struct error *error) {
    json_t *root = json_load_object(body, "pkcs10enroll", error);
    const json_t *chain = json_object_get(root, "certificate_chain");
    bool good = root != NULL && read_certificate(json_object_get(root, "certificate"), der);
    if (root != NULL && !good) {
        error_set(error, E_CA_NONSENSE, "the CA's answer to pkcs10enroll holds no certificate");
    }
    // What comes along helps at best: the chain is known.
    for (size_t i = 0; good && i < json_array_size(chain) && i < ISSUED_MAX; i++) {
        if (!read_certificate(json_array_get(chain, i), der)) {
            break;
        }
    }
    json_decref(root);
    return good;
}

// ---- searches -----------------------------------------------------------------------------------

static const json_t *member(const json_t *row, const char *name, const char *other) {
    const json_t *value = json_object_get(row, name);
    return value != NULL ? value : json_object_get(row, other);
}

static bool is_wanted(const struct ejbca_look *look, const struct ca_request *request,
                      struct slice der) {
    struct certificate_identity identity;
    struct error ignored;
    if (look->search == EJBCA_BY_SERIAL) {
        return slice_equal(der, request->certificate);
    }
    return x509_identify(der, &identity, &ignored) &&
           memcmp(identity.spki_sha256, request->spki_sha256, SHA256_SIZE) == 0;
}

static bool keep_row(const json_t *row, struct slice der, struct ejbca_look *look) {
    const char *issuer = json_string_value(member(row, "issuerDN", "issuer_dn"));
    const char *serial = json_string_value(member(row, "serialNumber", "serial_number"));
    buf_clear(look->certificate);
    return issuer != NULL && text_copy(look->issuer, sizeof look->issuer, issuer) &&
           serial != NULL && serial[0] != '\0' &&
           serial[strspn(serial, "0123456789abcdefABCDEF")] == '\0' &&
           text_copy(look->serial, sizeof look->serial, serial) &&
           buf_put(look->certificate, der.data, der.length);
}

static bool add_wanted(const json_t *row, struct slice der, struct ejbca_look *look) {
    const json_t *status = json_object_get(row, "status");
    if (!json_is_integer(status)) {
        return false;
    }
    bool is_revoked = json_integer_value(status) == REVOKED;
    // A live one stays what was found.
    bool is_first = look->live == 0 && (!is_revoked || look->revoked == 0);
    look->live += is_revoked ? 0 : 1;
    look->revoked += is_revoked ? 1 : 0;
    if (!is_first && !is_revoked) {
        char serial[EJBCA_SERIAL_SIZE];
        escape_member(member(row, "serialNumber", "serial_number"), serial, sizeof serial);
        log_write(LOG_ERROR, "EJBCA has one more live certificate for the key, to be revoked: %s",
                  serial);
    }
    return !is_first || keep_row(row, der, look);
}

static bool add_row(const json_t *row, const struct ca_request *request, struct ejbca_look *look) {
    struct buf *der = buf_new(EJBCA_CERTIFICATES_MAX);
    const json_t *text = member(row, "base64Cert", "base64_cert");
    bool good = der != NULL &&
                read_certificate(text != NULL ? text : json_object_get(row, "certificate"), der);
    if (good && is_wanted(look, request, buf_slice(der))) {
        good = add_wanted(row, buf_slice(der), look);
    }
    buf_free(der);
    return good;
}

// The total is there on the last page only. Certificates that EJBCA keeps without their bytes are
// counted in it, and not listed.
static bool read_summary(const json_t *root, size_t rows, struct ejbca_look *look, bool *is_last) {
    const json_t *summary = json_object_get(root, "pagination_summary");
    const json_t *total = member(summary, "total_certs", "totalCerts");
    json_int_t before = (json_int_t)EJBCA_PAGE_SIZE * (look->page - 1);
    if (!json_is_object(summary) || rows > EJBCA_PAGE_SIZE) {
        return false;
    }
    *is_last = json_is_integer(total);
    if (*is_last && json_integer_value(total) < 0) {
        return false;
    }
    json_int_t here = *is_last ? json_integer_value(total) - before : EJBCA_PAGE_SIZE;
    if (here < (json_int_t)rows || here > EJBCA_PAGE_SIZE) {
        return false;
    }
    look->rows += (uint32_t)rows;
    look->unseen += (uint32_t)(here - (json_int_t)rows);
    return true;
}

// By what the first row can be searched for.
static void note_first(const json_t *rows, struct ejbca_look *look) {
    const json_t *row = json_array_get(rows, 0);
    const char *username = json_string_value(json_object_get(row, "username"));
    const char *serial = json_string_value(member(row, "serialNumber", "serial_number"));
    const char *text = username != NULL && username[0] != '\0' ? username : serial;
    if (text == NULL || !text_copy(look->known, sizeof look->known, text)) {
        look->known[0] = '\0';
    }
}

bool ejbca_read_page(struct slice body, const struct ca_request *request, struct ejbca_look *look,
                     bool *is_last, struct error *error) {
    size_t i;
    json_t *row;
    json_t *root = json_load_object(body, "v2/certificate/search", error);
    const json_t *rows = json_object_get(root, "certificates");
    bool good = json_is_array(rows) && read_summary(root, json_array_size(rows), look, is_last);
    // Of others' certificates it matters only that they are there.
    bool is_others = look->search == EJBCA_OF_AUTHORITY || look->search == EJBCA_KNOWN;
    if (good && is_others) {
        note_first(rows, look);
    }
    json_array_foreach(rows, i, row) {
        good = good && (is_others || add_row(row, request, look));
    }
    if (root != NULL && !good) {
        error_set(error, E_CA_NONSENSE,
                  "the CA's answer to v2/certificate/search is no list of certificates");
    }
    json_decref(root);
    return good;
}
