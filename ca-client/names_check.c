// SPDX-License-Identifier: Apache-2.0
// profile_check of profile.h: it tries the names out, so it stands on this side of profile.c.
#include <string.h>

#include "ca-client/der.h"
#include "ca-client/names.h"
#include "ca-client/profile.h"
#include "protocol/message.h"

static bool check_templates(const struct profile *profile, struct error *error) {
    static const uint8_t mac[6] = {0};
    // The shortest camera there can be: what does not fit with it never fits.
    const struct profile_subject sample = {
        .serial = "0", .model = "0", .hardware_id = mac, .hardware_id_length = sizeof mac};
    struct names names;
    return names_fill(profile, &sample, &names, error);
}

static bool names_a_camera(const char *template) {
    return strstr(template, "{serial}") != NULL || strstr(template, "{mac}") != NULL;
}

static bool check_hardware_type(const struct profile *profile, struct error *error) {
    uint8_t out[5 * PROFILE_TEXT_SIZE];
    struct der_writer writer;
    der_writer_init(&writer, out, sizeof out);
    if (profile->hardware_type[0] != '\0' && !der_put_oid(&writer, profile->hardware_type)) {
        return error_set(error, E_CONFIG,
                         "hardware_type: \"%s\" is not an OID such as 1.3.6.1.4.1.32473.1",
                         profile->hardware_type);
    }
    return true;
}

bool profile_check(const struct profile *profile, struct error *error) {
    if (profile->key_type < KEY_P256 || profile->key_type > KEY_ED25519) {
        return error_set(error, E_CONFIG, "key_type: %u is not a key type", profile->key_type);
    }
    if (!names_a_camera(profile->common_name) && !names_a_camera(profile->serial_number)) {
        return error_set(error, E_CONFIG,
                         "common_name or serial_number must hold {serial} or {mac}: all cameras "
                         "would have the same subject");
    }
    return check_templates(profile, error) && check_hardware_type(profile, error);
}
