// SPDX-License-Identifier: Apache-2.0
#include "ca-client/key_uri.h"

#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/key.h"

#define FILE_PREFIX "file:"
#define CREDENTIAL_PREFIX "credential:"

bool key_is_uri(const char *name) {
    return strncmp(name, "pkcs11:", strlen("pkcs11:")) == 0;
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

const char *key_uri_pin_file(const P11KitUri *uri) {
    const char *source = p11_kit_uri_get_pin_source(uri);
    if (source != NULL && begins(source, FILE_PREFIX)) {
        source += strlen(FILE_PREFIX);
        source += begins(source, "//") ? 2 : 0;
    }
    return source;
}

static bool check_class(P11KitUri *uri, struct error *error) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    if (attribute != NULL && attribute->ulValueLen == sizeof class) {
        memcpy(&class, attribute->pValue, sizeof class);
    }
    return class == CKO_PRIVATE_KEY ||
           error_set(error, E_CONFIG, "the pkcs11: URI: type must be private, or left out");
}

static bool check(P11KitUri *uri, struct error *error) {
    const char *pin_file = key_uri_pin_file(uri);
    if (p11_kit_uri_get_pin_value(uri) != NULL) {
        return error_set(error, E_CONFIG,
                         "pin-value: a PIN must not stand here; write it to a file with mode 0600 "
                         "and name that: pin-source=FILE. Change the PIN if others read this one");
    }
    if (p11_kit_uri_any_unrecognized(uri) != 0) {
        return error_set(error, E_CONFIG,
                         "the pkcs11: URI has an attribute that is not known: it may have token, "
                         "manufacturer, model, serial, object, id, type; pin-source, module-path");
    }
    if (p11_kit_uri_get_module_name(uri) != NULL) {
        return error_set(error, E_CONFIG, "the pkcs11: URI: module-path=FILE, not module-name");
    }
    if (pin_file != NULL && (pin_file[0] == '\0' || pin_file[0] == '|')) {
        return error_set(
            error, E_CONFIG,
            "pin-source must name a file, or credential:NAME for a systemd credential");
    }
    return check_class(uri, error);
}

P11KitUri *key_uri_parse(const char *text, struct error *error) {
    P11KitUri *uri = p11_kit_uri_new();
    if (uri == NULL) {
        error_set(error, E_MEMORY, "no memory for a pkcs11: URI");
        return NULL;
    }
    int result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (result != P11_KIT_URI_OK) {
        error_set(error, E_CONFIG, "the pkcs11: URI cannot be read (RFC 7512): %s",
                  p11_kit_uri_message(result));
    } else if (check(uri, error)) {
        return uri;
    }
    p11_kit_uri_free(uri);
    return NULL;
}

static bool set_pin_file(P11KitUri *uri, const char *folder, struct error *error) {
    char path[KEY_NAME_MAX];
    const char *file = key_uri_pin_file(uri);
    if (file == NULL) {
        return true;
    }
    bool is_whole = file[0] == '/' || begins(file, CREDENTIAL_PREFIX);
    int length = snprintf(path, sizeof path, "%s%s", is_whole ? "" : folder, file);
    if (length < 0 || (size_t)length >= sizeof path) {
        return error_set(error, E_CONFIG, "pin-source is longer than %zu bytes", sizeof path - 1);
    }
    p11_kit_uri_set_pin_source(uri, path);
    return true;
}

bool key_uri_resolve(const char *text, const char *folder, char *out, size_t capacity,
                     struct error *error) {
    char *whole = NULL;
    P11KitUri *uri = key_uri_parse(text, error);
    if (uri == NULL) {
        return false;
    }
    bool good = set_pin_file(uri, folder, error);
    if (good && p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &whole) != P11_KIT_URI_OK) {
        good = error_set(error, E_MEMORY, "no memory for a pkcs11: URI");
    }
    if (good && !text_copy(out, capacity, whole)) {
        good = error_set(error, E_CONFIG, "the pkcs11: URI is longer than %zu bytes", capacity - 1);
    }
    free(whole);
    p11_kit_uri_free(uri);
    return good;
}
