// SPDX-License-Identifier: Apache-2.0
#include "ca-client/names.h"

#include <ctype.h>
#include <openssl/asn1.h>
#include <string.h>

#include "station/base/bytes.h"

static bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_text(const char *value) {
    const unsigned char *cursor = (const unsigned char *)value;
    size_t left = strlen(value);
    while (left > 0) {
        unsigned long character;
        int length = UTF8_getc(cursor, (int)left, &character);
        if (length <= 0 || character < 0x20 || character == 0x7f) {
            return false;
        }
        cursor += length;
        left -= (size_t)length;
    }
    return true;
}

static bool is_printable_string(const char *value) {
    for (; *value != '\0'; value++) {
        if (!is_alphanumeric(*value) && strchr(" '()+,-./:=?", *value) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_host_label(const char *label, size_t length) {
    if (length == 0 || length > 63 || label[0] == '-' || label[length - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_alphanumeric(label[i]) && label[i] != '-') {
            return false;
        }
    }
    return true;
}

bool names_is_host(const char *name) {
    for (;;) {
        size_t length = strcspn(name, ".");
        if (!is_host_label(name, length)) {
            return false;
        }
        if (name[length] == '\0') {
            return true;
        }
        name += length + 1;
    }
}

static bool fill_attribute(const char *what, const char *template,
                           const struct profile_subject *subject, char *out, struct error *error) {
    out[0] = '\0';
    if (template[0] == '\0') {
        return true;
    }
    if (!profile_fill(template, subject, out, NAMES_ATTRIBUTE_SIZE, error)) {
        error_prefix(error, "%s", what);
        return false;
    }
    if (!is_text(out)) {
        return error_set(error, E_CONFIG, "%s: \"%s\" is not text in UTF-8", what, out);
    }
    return true;
}

static bool fill_serial_number(const struct profile *profile, const struct profile_subject *subject,
                               struct names *names, struct error *error) {
    if (!fill_attribute("serial_number", profile->serial_number, subject, names->serial_number,
                        error)) {
        return false;
    }
    if (!is_printable_string(names->serial_number)) {
        return error_set(
            error, E_CONFIG,
            "serial_number: \"%s\" holds a character that a certificate's serialNumber "
            "cannot (letters, digits and space ' ( ) + , - . / : = ? can)",
            names->serial_number);
    }
    return true;
}

static bool fill_dns_name(const char *template, const struct profile_subject *subject,
                          struct names *names, struct error *error) {
    char *out = names->dns_names[names->dns_count];
    if (!profile_fill(template, subject, out, NAMES_DNS_SIZE, error)) {
        error_prefix(error, "dns_name");
        return false;
    }
    if (!names_is_host(out)) {
        return error_set(error, E_CONFIG, "dns_name: \"%s\" is not a host name", out);
    }
    for (; *out != '\0'; out++) {
        *out = (char)tolower((unsigned char)*out);
    }
    names->dns_count++;
    return true;
}

static bool is_country(const char country[3]) {
    return country[0] >= 'A' && country[0] <= 'Z' && country[1] >= 'A' && country[1] <= 'Z' &&
           country[2] == '\0';
}

bool names_fill(const struct profile *profile, const struct profile_subject *subject,
                struct names *names, struct error *error) {
    *names =
        (struct names){.hardware_type = profile->hardware_type, .hardware_serial = subject->serial};
    if (!fill_attribute("organization", profile->organization, subject, names->organization,
                        error) ||
        !fill_attribute("organizational_unit", profile->organizational_unit, subject,
                        names->organizational_unit, error) ||
        !fill_attribute("common_name", profile->common_name, subject, names->common_name, error) ||
        !fill_serial_number(profile, subject, names, error)) {
        return false;
    }
    if (profile->hardware_type[0] != '\0' && !text_is_label(subject->serial)) {
        return error_set(error, E_CAM_MALFORMED,
                         "the camera's serial \"%s\" cannot stand in a certificate",
                         subject->serial);
    }
    if (profile->country[0] != '\0' && !is_country(profile->country)) {
        return error_set(error, E_CONFIG, "country: \"%.2s\" is not two capital letters (ISO 3166)",
                         profile->country);
    }
    memcpy(names->country, profile->country, sizeof names->country);
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        if (profile->dns_names[i][0] != '\0' &&
            !fill_dns_name(profile->dns_names[i], subject, names, error)) {
            return false;
        }
    }
    return true;
}
