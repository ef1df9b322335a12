// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca_outbox_json.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_outbox_message.h"
#include "protocol/message.h"

bool outbox_is_printable(const char *text) {
    while (*text >= 0x20 && *text <= 0x7e) {
        text++;
    }
    return *text == '\0';
}

// ---- writing ------------------------------------------------------------------------------------

void outbox_set_text(json_t *object, const char *key, const char *text) {
    json_object_set_new(object, key, json_string(text));
}

void outbox_set_integer(json_t *object, const char *key, int64_t value) {
    json_object_set_new(object, key, json_integer(value));
}

void outbox_set_bytes(json_t *object, const char *key, struct slice bytes) {
    if (bytes.length == 0) {
        return;
    }
    char *base64 = malloc((bytes.length + 2) / 3 * 4 + 1);
    if (base64 != NULL) {
        EVP_EncodeBlock((unsigned char *)base64, bytes.data, (int)bytes.length);
    }
    json_object_set_new(object, key, json_string(base64));
    free(base64);
}

// What is printable already goes as it is, however long.
void outbox_set_printable(json_t *object, const char *key, const char *text) {
    char escaped[1024];
    if (!outbox_is_printable(text)) {
        text_escape(escaped, sizeof escaped, text, strlen(text));
        text = escaped;
    }
    json_object_set_new(object, key, json_string(text));
}

void outbox_set_error(json_t *object, const struct error *error) {
    if (error->code != ERROR_NONE) {
        outbox_set_printable(object, "code", error_code_text(error->code));
        outbox_set_printable(object, "text", error->text);
    }
}

// ---- reading ------------------------------------------------------------------------------------

bool outbox_fail_member(struct error *error, const char *key) {
    return error_set(error, E_CA_NONSENSE, "the message's %s is missing or malformed", key);
}

bool outbox_get_text(const json_t *object, const char *key, char *out, size_t capacity,
                     struct error *error) {
    const json_t *value = json_object_get(object, key);
    out[0] = '\0';
    return value == NULL ||
           (json_is_string(value) && text_copy(out, capacity, json_string_value(value))) ||
           outbox_fail_member(error, key);
}

bool outbox_get_integer(const json_t *object, const char *key, int64_t minimum, int64_t maximum,
                        int64_t *value, struct error *error) {
    const json_t *member = json_object_get(object, key);
    *value = minimum;
    if (member == NULL) {
        return true;
    }
    *value = json_integer_value(member);
    return (json_is_integer(member) && *value >= minimum && *value <= maximum) ||
           outbox_fail_member(error, key);
}

bool outbox_get_flag(const json_t *object, const char *key, bool *value, struct error *error) {
    const json_t *member = json_object_get(object, key);
    *value = json_is_true(member);
    return member == NULL || json_is_boolean(member) || outbox_fail_member(error, key);
}

// Without blanks and lines, which the decoder would pass over.
static bool is_base64(const char *text, size_t length) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t plain = strspn(text, letters);
    size_t padding = strspn(text + plain, "=");
    return length % 4 == 0 && padding <= 2 && plain + padding == length;
}

bool outbox_get_bytes(const json_t *object, const char *key, uint8_t *out, size_t capacity,
                      size_t *used, struct slice *bytes, struct error *error) {
    const json_t *value = json_object_get(object, key);
    *bytes = (struct slice){0};
    if (value == NULL) {
        return true;
    }
    const char *text = json_is_string(value) ? json_string_value(value) : "-";
    size_t length = strlen(text);
    if (!is_base64(text, length) || length / 4 * 3 > capacity - *used) {
        return outbox_fail_member(error, key);
    }
    uint8_t *to = out + *used;
    int decoded = EVP_DecodeBlock(to, (const unsigned char *)text, (int)length);
    size_t padding = strlen(text + strcspn(text, "="));
    if (decoded < 0 || (size_t)decoded < padding) {
        return outbox_fail_member(error, key);
    }
    *bytes = (struct slice){to, (size_t)decoded - padding}; // the decoder counts the padding
    *used += bytes->length;
    return true;
}

bool outbox_get_printable(const json_t *object, const char *key, char *out, size_t capacity,
                          struct error *error) {
    return outbox_get_text(object, key, out, capacity, error) &&
           (outbox_is_printable(out) || outbox_fail_member(error, key));
}

bool outbox_get_error(const json_t *object, struct error *out, struct error *error) {
    char code[64];
    char text[4 * ERROR_TEXT_MAX];
    *out = (struct error){0};
    if (!outbox_get_printable(object, "code", code, sizeof code, error) ||
        !outbox_get_printable(object, "text", text, sizeof text, error)) {
        return false;
    }
    if (code[0] == '\0') {
        return true;
    }
    enum error_code known = error_code_from_text(code);
    if (known != ERROR_NONE) {
        error_set(out, known, "%s", text);
    } else {
        error_set(out, E_CA_NONSENSE, "%s %.180s", code, text);
    }
    return true;
}

// ---- the profile --------------------------------------------------------------------------------

#define TEXT(key, member)                                                                          \
    { key, offsetof(struct profile, member), sizeof(((struct profile *)NULL)->member) }

// By the names that they have in the configuration.
static const struct {
    const char *key;
    size_t offset;
    size_t size;
} texts[] = {
    TEXT("name", name),
    TEXT("common_name", common_name),
    TEXT("serial_number", serial_number),
    TEXT("organization", organization),
    TEXT("organizational_unit", organizational_unit),
    TEXT("country", country),
    TEXT("hardware_type", hardware_type),
};

json_t *outbox_profile_object(const struct profile *profile) {
    json_t *object = json_object();
    json_t *names = json_array();
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        outbox_set_text(object, texts[i].key, (const char *)profile + texts[i].offset);
    }
    for (size_t i = 0; i < PROFILE_LIST_MAX && profile->dns_names[i][0] != '\0'; i++) {
        json_array_append_new(names, json_string(profile->dns_names[i]));
    }
    json_object_set_new(object, "dns_names", names);
    outbox_set_text(object, "key", key_type_name((enum key_type)profile->key_type));
    json_object_set_new(object, "server_auth", json_boolean(profile->server_auth));
    json_object_set_new(object, "client_auth", json_boolean(profile->client_auth));
    outbox_set_integer(object, "validity_days", profile->validity_days);
    return object;
}

static bool get_dns_names(const json_t *object, struct profile *profile, struct error *error) {
    const json_t *list = json_object_get(object, "dns_names");
    size_t count = json_array_size(list);
    bool good = json_is_array(list) && count <= PROFILE_LIST_MAX;
    for (size_t i = 0; good && i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        good = name != NULL && name[0] != '\0' &&
               text_copy(profile->dns_names[i], sizeof profile->dns_names[i], name);
    }
    return good || outbox_fail_member(error, "dns_names");
}

bool outbox_get_profile_name(const json_t *object, struct profile *profile, struct error *error) {
    *profile = (struct profile){0};
    return (json_is_object(object) &&
            outbox_get_text(object, "name", profile->name, sizeof profile->name, error) &&
            profile->name[0] != '\0') ||
           outbox_fail_member(error, "profile's name");
}

bool outbox_get_profile(const json_t *object, struct profile *profile, struct error *error) {
    char key_type[32];
    int64_t days = 0;
    *profile = (struct profile){0};
    if (!json_is_object(object)) {
        return outbox_fail_member(error, "profile");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (!outbox_get_text(object, texts[i].key, (char *)profile + texts[i].offset, texts[i].size,
                             error)) {
            return false;
        }
    }
    if (!outbox_get_text(object, "key", key_type, sizeof key_type, error) ||
        !get_dns_names(object, profile, error) ||
        !outbox_get_flag(object, "server_auth", &profile->server_auth, error) ||
        !outbox_get_flag(object, "client_auth", &profile->client_auth, error) ||
        !outbox_get_integer(object, "validity_days", 0, UINT32_MAX, &days, error)) {
        return false;
    }
    profile->validity_days = (uint32_t)days;
    profile->key_type = key_type_from_name(key_type);
    return (profile->name[0] != '\0' && profile->key_type != 0) ||
           outbox_fail_member(error, "profile's name or key");
}

const char *outbox_profile_difference(const struct profile *a, const struct profile *b) {
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (strcmp((const char *)a + texts[i].offset, (const char *)b + texts[i].offset) != 0) {
            return texts[i].key;
        }
    }
    for (size_t i = 0; i < PROFILE_LIST_MAX; i++) {
        if (strcmp(a->dns_names[i], b->dns_names[i]) != 0) {
            return "dns_names";
        }
    }
    return a->key_type != b->key_type             ? "key"
           : a->server_auth != b->server_auth     ? "server_auth"
           : a->client_auth != b->client_auth     ? "client_auth"
           : a->validity_days != b->validity_days ? "validity"
                                                  : NULL;
}
