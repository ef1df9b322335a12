// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/x509_internal.h"

#define DER(...)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]) {                                  \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

enum general_name_tag {
    GENERAL_OTHER = DER_CONTEXT_CONSTRUCTED | 0,
    GENERAL_DNS = DER_CONTEXT | 2,
};

// id-on-hardwareModuleName, 1.3.6.1.5.5.7.8.4 (RFC 4108, section 5).
static const struct slice hardware_module_name = DER(0x2b, 6, 1, 5, 5, 7, 8, 4);

// ---- as text ------------------------------------------------------------------------------------

void x509_name_text(const X509_NAME *name, char *out, size_t capacity) {
    out[0] = '\0';
    char *text = NULL;
    BIO *output = BIO_new(BIO_s_mem());
    if (output != NULL && X509_NAME_print_ex(output, name, 0, XN_FLAG_RFC2253) >= 0) {
        size_t length = (size_t)BIO_get_mem_data(output, &text);
        length = length < capacity ? length : capacity - 1;
        if (length > 0) {
            memcpy(out, text, length);
        }
        out[length] = '\0';
    }
    BIO_free(output);
}

// Hostile bytes for a message: error_set escapes them, but stops at a NUL.
static void printable_copy(char *out, size_t capacity, struct slice value) {
    size_t length = value.length < capacity ? value.length : capacity - 1;
    for (size_t i = 0; i < length; i++) {
        out[i] = value.data[i] == 0 ? '\x01' : (char)value.data[i];
    }
    out[length] = '\0';
}

// ---- as DER -------------------------------------------------------------------------------------

static struct slice text_slice(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

struct attribute_kind {
    int nid;
    uint8_t tag;
    struct slice oid;
    size_t offset; // of the text in struct names, "" where it is left out
};

// The order in which a distinguished name is built, from the widest to the narrowest.
static const struct attribute_kind attribute_kinds[] = {
    {NID_countryName, DER_PRINTABLE_STRING, DER(0x55, 4, 6), offsetof(struct names, country)},
    {NID_organizationName, DER_UTF8_STRING, DER(0x55, 4, 10), offsetof(struct names, organization)},
    {NID_organizationalUnitName, DER_UTF8_STRING, DER(0x55, 4, 11),
     offsetof(struct names, organizational_unit)},
    {NID_commonName, DER_UTF8_STRING, DER(0x55, 4, 3), offsetof(struct names, common_name)},
    {NID_serialNumber, DER_PRINTABLE_STRING, DER(0x55, 4, 5),
     offsetof(struct names, serial_number)},
};

static const char *attribute_text(const struct names *names, const struct attribute_kind *kind) {
    return (const char *)names + kind->offset;
}

void x509_put_subject(struct der_writer *writer, const struct names *names) {
    size_t name = der_open(writer);
    for (size_t i = 0; i < ARRAY_LENGTH(attribute_kinds); i++) {
        const char *text = attribute_text(names, &attribute_kinds[i]);
        if (text[0] == '\0') {
            continue;
        }
        size_t set = der_open(writer);
        size_t pair = der_open(writer);
        der_put(writer, DER_OID, attribute_kinds[i].oid);
        der_put(writer, attribute_kinds[i].tag, text_slice(text));
        der_close(writer, pair, DER_SEQUENCE);
        der_close(writer, set, DER_SET);
    }
    der_close(writer, name, DER_SEQUENCE);
}

static void put_hardware_module_name(struct der_writer *writer, const struct names *names) {
    size_t other = der_open(writer);
    der_put(writer, DER_OID, hardware_module_name);
    size_t value = der_open(writer);
    size_t sequence = der_open(writer);
    if (!der_put_oid(writer, names->hardware_type)) {
        writer->failed = true;
    }
    der_put(writer, DER_OCTET_STRING, text_slice(names->hardware_serial));
    der_close(writer, sequence, DER_SEQUENCE);
    der_close(writer, value, DER_CONTEXT_CONSTRUCTED);
    der_close(writer, other, GENERAL_OTHER);
}

void x509_put_alternative_names(struct der_writer *writer, const struct names *names) {
    if (names->dns_count == 0 && names->hardware_type[0] == '\0') {
        return;
    }
    size_t list = der_open(writer);
    for (size_t i = 0; i < names->dns_count; i++) {
        der_put(writer, GENERAL_DNS, text_slice(names->dns_names[i]));
    }
    if (names->hardware_type[0] != '\0') {
        put_hardware_module_name(writer, names);
    }
    der_close(writer, list, DER_SEQUENCE);
}

bool x509_make_subject(const struct profile *profile, const struct profile_subject *subject,
                       uint8_t *out, size_t capacity, size_t *length, struct error *error) {
    struct names names;
    struct der_writer writer;
    if (!names_fill(profile, subject, &names, error)) {
        return false;
    }
    der_writer_init(&writer, out, capacity);
    x509_put_subject(&writer, &names);
    if (writer.failed) {
        return error_set(error, E_INTERNAL, "a subject does not fit %zu bytes", capacity);
    }
    *length = writer.used;
    return true;
}

// ---- against a certificate ----------------------------------------------------------------------

static bool check_attribute(const X509_NAME *subject, int nid, const char *expected,
                            struct error *error) {
    char found[100];
    const char *short_name = OBJ_nid2sn(nid);
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    if (at < 0) {
        return error_set(error, E_CERT_NAMES, "the subject has no %s, expected \"%s\"", short_name,
                         expected);
    }
    unsigned char *text = NULL;
    int length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    struct slice value = {text, length > 0 ? (size_t)length : 0};
    bool equal = slice_equal(value, text_slice(expected));
    printable_copy(found, sizeof found, value);
    OPENSSL_free(text);
    return equal || error_set(error, E_CERT_NAMES, "the subject's %s is \"%s\", expected \"%s\"",
                              short_name, found, expected);
}

// Two attributes in one RelativeDistinguishedName make another name than the same one by one (X.501,
// section 9.4).
static bool check_steps(const X509_NAME *subject, struct error *error) {
    char text[X509_NAME_TEXT_SIZE];
    for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
        if (X509_NAME_ENTRY_set(X509_NAME_get_entry(subject, i)) != i) {
            x509_name_text(subject, text, sizeof text);
            return error_set(error, E_CERT_NAMES,
                             "the subject \"%s\" has attributes side by side, expected one by one",
                             text);
        }
    }
    return true;
}

bool x509_check_subject(const X509_NAME *subject, const struct names *names, struct error *error) {
    char text[X509_NAME_TEXT_SIZE];
    int seen = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(attribute_kinds); i++) {
        const char *wanted = attribute_text(names, &attribute_kinds[i]);
        if (wanted[0] == '\0') {
            continue; // if it is there all the same, it is one too many
        }
        if (!check_attribute(subject, attribute_kinds[i].nid, wanted, error)) {
            return false;
        }
        seen++;
    }
    if (X509_NAME_entry_count(subject) != seen) {
        x509_name_text(subject, text, sizeof text);
        return error_set(error, E_CERT_NAMES,
                         "the subject has %d attributes, expected %d and no others: \"%s\"",
                         X509_NAME_entry_count(subject), seen, text);
    }
    return check_steps(subject, error);
}

// Host names are the same in either case (RFC 5280, section 7.2); all else is compared exactly.
static bool same_general_name(const struct der_element *a, const struct der_element *b) {
    if (a->tag == GENERAL_DNS && b->tag == GENERAL_DNS) {
        return a->content.length == b->content.length &&
               strncasecmp((const char *)a->content.data, (const char *)b->content.data,
                           a->content.length) == 0 &&
               memchr(a->content.data, '\0', a->content.length) == NULL;
    }
    return slice_equal(a->whole, b->whole);
}

static bool contains(struct slice list, const struct der_element *wanted) {
    struct der_element element;
    while (der_next(&list, &element)) {
        if (same_general_name(&element, wanted)) {
            return true;
        }
    }
    return false;
}

static void general_name_text(const struct der_element *element, char *out, size_t capacity) {
    const unsigned char *cursor = element->whole.data;
    char *text = NULL;
    GENERAL_NAME *name = d2i_GENERAL_NAME(NULL, &cursor, (long)element->whole.length);
    BIO *output = BIO_new(BIO_s_mem());
    snprintf(out, capacity, "of kind %u", element->tag & 0x1fU);
    if (element->tag == GENERAL_DNS) {
        memcpy(out, "DNS:", 5);
        printable_copy(out + 4, capacity - 4, element->content);
    } else if (name != NULL && output != NULL && GENERAL_NAME_print(output, name) == 1) {
        size_t length = (size_t)BIO_get_mem_data(output, &text);
        printable_copy(out, capacity, (struct slice){(const uint8_t *)text, length});
    }
    BIO_free(output);
    GENERAL_NAME_free(name);
    ERR_clear_error();
}

// Every name of `part` must be in `whole`.
static bool check_part(struct slice part, struct slice whole, const char *before,
                       const char *behind, struct error *error) {
    char text[160];
    struct der_element element;
    while (der_next(&part, &element)) {
        if (!contains(whole, &element)) {
            general_name_text(&element, text, sizeof text);
            return error_set(error, E_CERT_NAMES, "the subjectAltName %s \"%s\"%s", before, text,
                             behind);
        }
    }
    return part.length == 0 ||
           error_set(error, E_CERT_MALFORMED, "the subjectAltName is not well-formed");
}

// The content of a SEQUENCE of GeneralNames, empty where there is none.
static bool open_list(struct slice der, struct slice *list) {
    struct der_element element;
    *list = (struct slice){NULL, 0};
    if (der.length == 0) {
        return true;
    }
    bool good = der_expect(&der, DER_SEQUENCE, &element) && der.length == 0;
    if (good) {
        *list = element.content;
    }
    return good;
}

static struct slice find_alternative_names(const X509 *certificate) {
    int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
    if (at < 0) {
        return (struct slice){NULL, 0};
    }
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
    return (struct slice){ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
}

static bool open_lists(struct slice general_names, const struct names *names,
                       uint8_t out[X509_ALTERNATIVE_NAMES_MAX], struct slice *found,
                       struct slice *expected, struct error *error) {
    struct der_writer writer;
    der_writer_init(&writer, out, X509_ALTERNATIVE_NAMES_MAX);
    x509_put_alternative_names(&writer, names);
    if (writer.failed || !open_list((struct slice){out, writer.used}, expected)) {
        return error_set(error, E_CONFIG, "hardware_type: \"%s\" is not an OID",
                         names->hardware_type);
    }
    return open_list(general_names, found) ||
           error_set(error, E_CERT_MALFORMED, "the subjectAltName is not well-formed");
}

bool x509_check_no_other_names(struct slice general_names, const struct names *names,
                               struct error *error) {
    uint8_t out[X509_ALTERNATIVE_NAMES_MAX];
    struct slice expected;
    struct slice found;
    return open_lists(general_names, names, out, &found, &expected, error) &&
           check_part(found, expected, "has", ", which was not asked for", error);
}

static bool check_alternative_names(const X509 *certificate, const struct names *names,
                                    struct error *error) {
    uint8_t out[X509_ALTERNATIVE_NAMES_MAX];
    struct slice expected;
    struct slice found;
    return open_lists(find_alternative_names(certificate), names, out, &found, &expected, error) &&
           check_part(found, expected, "has", ", which was not asked for", error) &&
           check_part(expected, found, "lacks", "", error);
}

bool x509_check_names(const X509 *certificate, const struct names *names, struct error *error) {
    return x509_check_subject(X509_get_subject_name(certificate), names, error) &&
           check_alternative_names(certificate, names, error);
}
