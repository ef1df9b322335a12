// SPDX-License-Identifier: Apache-2.0
#include "ca-client/profile.h"

#include <stdio.h>
#include <string.h>

#include "protocol/message.h"
#include "station/base/bytes.h"

#define MAC_SIZE 6

static const struct profile built_in[] = {
    {
        .name = "https",
        .credential = 1,
        .key_type = KEY_P256,
        .common_name = "{serial}",
        .serial_number = "{serial}",
        // The name under which multicast DNS (RFC 6762) finds a camera without any set-up.
        .dns_names = {"{serial}.local"},
        .server_auth = true,
        .client_auth = true,
        .validity_days = 3650,
    },
    {
        // IEEE 802.1AR: no extended key usage, and it does not end.
        .name = "idevid",
        .credential = 2,
        .key_type = KEY_P256,
        .common_name = "{model} {serial}",
        .serial_number = "{serial}",
        // The number that RFC 5612 sets aside for documentation: a maker puts its own here.
        .hardware_type = "1.3.6.1.4.1.32473.1",
        .validity_days = 0,
    },
};

bool profile_built_in(const char *name, struct profile *profile) {
    for (size_t i = 0; i < ARRAY_LENGTH(built_in); i++) {
        if (strcmp(built_in[i].name, name) == 0) {
            *profile = built_in[i];
            return true;
        }
    }
    return false;
}

static bool append(char *out, size_t capacity, size_t *used, const char *text, size_t length,
                   const char *template, struct error *error) {
    if (length >= capacity - *used) {
        return error_set(error, E_CONFIG, "\"%s\" is longer than %zu bytes when filled", template,
                         capacity - 1);
    }
    memcpy(out + *used, text, length);
    *used += length;
    out[*used] = '\0';
    return true;
}

static bool camera_text(const char *what, const char *value, const char **found,
                        struct error *error) {
    *found = value;
    return text_is_label(value) ||
           error_set(error, E_CAM_MALFORMED, "the camera's %s \"%s\" cannot stand in a certificate",
                     what, value);
}

// What stands for the placeholder of `length` bytes at `name`.
static bool placeholder_value(const char *name, size_t length,
                              const struct profile_subject *subject, char mac[3 * MAC_SIZE],
                              const char **value, struct error *error) {
    if (length == 6 && memcmp(name, "serial", 6) == 0) {
        return camera_text("serial", subject->serial, value, error);
    }
    if (length == 5 && memcmp(name, "model", 5) == 0) {
        return camera_text("model", subject->model, value, error);
    }
    if (length != 3 || memcmp(name, "mac", 3) != 0) {
        return error_set(error, E_CONFIG, "{%.*s} is not {serial}, {model} or {mac}", (int)length,
                         name);
    }
    if (subject->hardware_id_length != MAC_SIZE) {
        return error_set(error, E_CONFIG,
                         "{mac} is asked for, and the camera's hardware id has %zu bytes, not 6",
                         subject->hardware_id_length);
    }
    const uint8_t *id = subject->hardware_id;
    snprintf(mac, 3 * MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", id[0], id[1], id[2], id[3], id[4],
             id[5]);
    *value = mac;
    return true;
}

static bool fill_parts(const char *template, const struct profile_subject *subject, char *out,
                       size_t capacity, struct error *error) {
    size_t used = 0;
    const char *cursor = template;
    while (*cursor != '\0') {
        size_t literal = strcspn(cursor, "{}");
        if (!append(out, capacity, &used, cursor, literal, template, error)) {
            return false;
        }
        cursor += literal;
        if (*cursor == '\0') {
            break;
        }
        size_t length = strcspn(cursor + 1, "{}");
        if (cursor[0] != '{' || cursor[1 + length] != '}') {
            return error_set(error, E_CONFIG, "\"%s\" has a brace without its other half",
                             template);
        }
        char mac[3 * MAC_SIZE];
        const char *value = "";
        if (!placeholder_value(cursor + 1, length, subject, mac, &value, error) ||
            !append(out, capacity, &used, value, strlen(value), template, error)) {
            return false;
        }
        cursor += length + 2;
    }
    return true;
}

bool profile_fill(const char *template, const struct profile_subject *subject, char *out,
                  size_t capacity, struct error *error) {
    out[0] = '\0';
    if (!fill_parts(template, subject, out, capacity, error)) {
        out[0] = '\0';
        return false;
    }
    return true;
}

const char *profile_further_names(const struct profile *profile) {
    bool has_dns = false;
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        has_dns = has_dns || profile->dns_names[i][0] != '\0';
    }
    bool has_hardware = profile->hardware_type[0] != '\0';
    return has_dns && has_hardware ? "dns_names and hardware_type"
           : has_dns               ? "dns_names"
           : has_hardware          ? "hardware_type"
                                   : NULL;
}
