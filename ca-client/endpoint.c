// SPDX-License-Identifier: Apache-2.0
#include "ca-client/endpoint.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/x509.h"
#include "station/base/bytes.h"

#define WHOLE_SIZE 4096 // more than all the lines of a configuration that go in
#define HASH_BYTES 8
#define PARTS_MAX 3

static const char namespace_header[] = "X-Vault-Namespace:";

// One setting that counts, with the word for it; what it is where it is not set.
struct part {
    const char *word;
    size_t member; // of struct ca_settings
    const char *initial;
};

#define AT(member) offsetof(struct ca_settings, member)

// What is left out chooses what is issued, not who is asked: EJBCA's profiles and CA (its end entities
// belong to the whole server), cfssl's profile, Vault's role. Persons carry to one place, and the
// embedded CA keeps nothing that could be looked up: files may be moved.
static const struct {
    const char *backend;
    struct part parts[PARTS_MAX];
} endpoints[] = {
    {"hvca", {{"", AT(url), ""}}},
    {"est", {{"", AT(url), ""}, {"ca_profile", AT(ca_profile), ""}}},
    {"cmp",
     {{"", AT(url), ""}, {"ca_profile", AT(ca_profile), ""}, {"authority", AT(authority), ""}}},
    {"ejbca", {{"", AT(url), ""}}},
    {"cfssl", {{"", AT(url), ""}, {"authority", AT(authority), ""}}},
    {"stepca", {{"", AT(url), ""}, {"provisioner", AT(provisioner), ""}}},
    {"vault",
     {{"", AT(url), ""}, {"namespace", AT(extra_header), ""}, {"authority", AT(authority), "pki"}}},
    {"exec", {{"", AT(command), ""}}},
};

static const struct part *parts_of(const char *backend) {
    for (size_t i = 0; i < ARRAY_LENGTH(endpoints); i++) {
        if (strcmp(endpoints[i].backend, backend) == 0) {
            return endpoints[i].parts;
        }
    }
    return NULL;
}

// A text that grows; what has no room is dropped.
struct text {
    size_t length;
    char bytes[WHOLE_SIZE];
};

static void put(struct text *text, const char *bytes, size_t length) {
    size_t room = sizeof text->bytes - 1 - text->length;
    size_t taken = length < room ? length : room;
    memcpy(text->bytes + text->length, bytes, taken);
    text->length += taken;
    text->bytes[text->length] = '\0';
}

static void put_words(struct text *text, const char *words) {
    put(text, words, strlen(words));
}

static bool ends_in(const char *start, size_t length, const char *end) {
    size_t end_length = strlen(end);
    return length > end_length && memcmp(start + length - end_length, end, end_length) == 0;
}

// CMP's path is the whole of it, to its last slash; the others put theirs behind.
static void put_url(struct text *text, const char *url, bool keeps_slash) {
    const char *colon = strstr(url, "://");
    const char *host = colon != NULL ? colon + 3 : url;
    const char *path = host + strcspn(host, "/");
    size_t length = (size_t)(path - url);
    bool is_plain = strncasecmp(url, "http:", 5) == 0;
    const char *port = is_plain ? ":80" : ":443";
    length -= ends_in(url, length, port) ? strlen(port) : 0;
    for (size_t i = 0; i < length; i++) {
        char letter = (char)tolower((unsigned char)url[i]);
        put(text, &letter, 1);
    }
    size_t rest = strlen(path);
    while (!keeps_slash && rest > 0 && path[rest - 1] == '/') {
        rest--;
    }
    put(text, path, rest);
}

// Vault's namespaces are apart like servers. What else a header may hold is nobody's business here.
static const char *namespace_of(const char *header) {
    size_t length = sizeof namespace_header - 1;
    if (strncasecmp(header, namespace_header, length) != 0) {
        return "";
    }
    return header + length + strspn(header + length, " ");
}

static void put_part(struct text *text, const struct ca_settings *settings,
                     const struct part *part) {
    const char *value = *(const char *const *)((const char *)settings + part->member);
    value = value != NULL ? value : "";
    if (part->member == AT(url)) {
        put_words(text, " ");
        put_url(text, value, strcmp(settings->backend, "cmp") == 0);
        return;
    }
    value = part->member == AT(extra_header) ? namespace_of(value) : value;
    value = value[0] != '\0' ? value : part->initial;
    if (value[0] != '\0') {
        put_words(text, " ");
        put_words(text, part->word);
        put_words(text, part->word[0] != '\0' ? "=" : "");
        put_words(text, value);
    }
}

// Two that are alike in front must not become the same.
static void put_cut(const struct text *text, char out[CA_ENDPOINT_SIZE]) {
    uint8_t hash[SHA256_SIZE];
    char hex[2 * HASH_BYTES + 1];
    char front[CA_ENDPOINT_SIZE - 2 * HASH_BYTES - 1];
    x509_sha256((struct slice){(const uint8_t *)text->bytes, text->length}, hash);
    hex_encode(hex, hash, HASH_BYTES);
    text_escape(front, sizeof front, text->bytes, text->length);
    snprintf(out, CA_ENDPOINT_SIZE, "%s#%s", front, hex);
}

void endpoint_text(const struct ca_settings *settings, char out[CA_ENDPOINT_SIZE]) {
    char escaped[CA_ENDPOINT_SIZE + 4]; // room for one escape more: it shows that there is more
    struct text text = {0};
    const struct part *parts = parts_of(settings->backend);
    put_words(&text, settings->backend);
    for (size_t i = 0; parts != NULL && i < PARTS_MAX && parts[i].word != NULL; i++) {
        put_part(&text, settings, &parts[i]);
    }
    text_escape(escaped, sizeof escaped, text.bytes, text.length);
    if (!text_copy(out, CA_ENDPOINT_SIZE, escaped)) {
        put_cut(&text, out);
    }
}

bool endpoint_leads_to(const struct ca_settings *settings, const char *endpoint) {
    char own[CA_ENDPOINT_SIZE];
    endpoint_text(settings, own);
    return strcmp(own, endpoint) == 0;
}

bool endpoint_is_of(const struct ca_settings *settings, const char *endpoint) {
    bool has_moved = settings->formerly != NULL && strcmp(settings->formerly, endpoint) == 0;
    return endpoint[0] == '\0' || has_moved || endpoint_leads_to(settings, endpoint);
}

bool endpoint_check_formerly(const struct ca_settings *settings) {
    const char *formerly = settings->formerly != NULL ? settings->formerly : "";
    size_t length = strlen(settings->backend);
    return formerly[0] == '\0' || (strncmp(formerly, settings->backend, length) == 0 &&
                                   formerly[length] == ' ' && strlen(formerly) < CA_ENDPOINT_SIZE);
}
