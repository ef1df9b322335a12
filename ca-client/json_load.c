// SPDX-License-Identifier: Apache-2.0
#include "ca-client/json_load.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/http.h"

// The parser recurses, and takes far more levels than any answer has. It takes some 80 bytes for each value,
// however short: a long answer is a list of texts, not of millions of empty objects.
static bool is_plain(struct slice body) {
    const bool is_long = body.length > HTTP_BODY_MAX;
    size_t depth = 0;
    size_t groups = 0;
    size_t commas = 0;
    bool in_text = false;
    for (size_t i = 0; i < body.length; i++) {
        uint8_t c = body.data[i];
        if (in_text) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_text = false;
            }
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX || (++groups > JSON_LONG_GROUPS_MAX && is_long)) {
                return false;
            }
        } else if (c == ',') {
            if (++commas > JSON_LONG_VALUES_MAX && is_long) {
                return false;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static bool is_blank(struct slice body) {
    size_t length = 0;
    while (length < body.length && memchr(" \t\r\n", body.data[length], 4) != NULL) {
        length++;
    }
    return length == body.length;
}

// Where NULL comes back, `fault` says what the body is; it stays where it is just no JSON.
static json_t *load(struct slice body, size_t maximum, const char **fault) {
    json_error_t error;
    if (is_blank(body)) {
        *fault = "is empty";
    } else if (body.length > maximum) {
        *fault = "is too long";
    } else if (!is_plain(body)) {
        *fault = "has too many levels or parts";
    } else {
        json_t *root =
            json_loadb((const char *)body.data, body.length, JSON_REJECT_DUPLICATES, &error);
        if (root == NULL && json_error_code(&error) == json_error_duplicate_key) {
            *fault = "has a member twice";
        }
        return root;
    }
    return NULL;
}

json_t *json_load_object(struct slice body, const char *what, struct error *error) {
    return json_load_long_object(body, HTTP_BODY_MAX, what, error);
}

json_t *json_load_long_object(struct slice body, size_t maximum, const char *what,
                              struct error *error) {
    const char *fault = "is not a JSON object";
    json_t *root = load(body, maximum, &fault);
    if (!json_is_object(root)) {
        json_decref(root);
        error_set(error, E_CA_NONSENSE, "the CA's answer to %s %s", what, fault);
        return NULL;
    }
    return root;
}

json_t *json_load_array(struct slice body, const char *what, struct error *error) {
    const char *fault = "is not a JSON array";
    json_t *root = load(body, HTTP_BODY_MAX, &fault);
    if (!json_is_array(root)) {
        json_decref(root);
        error_set(error, E_CA_NONSENSE, "the CA's answer to %s %s", what, fault);
        return NULL;
    }
    return root;
}

void json_load_text(struct slice body, const char *const *members, char *out, size_t capacity) {
    const char *fault = NULL;
    json_t *root = load(body, HTTP_BODY_MAX, &fault);
    out[0] = '\0';
    for (size_t i = 0; members[i] != NULL && out[0] == '\0'; i++) {
        json_t *value = json_object_get(root, members[i]);
        if (json_is_string(value)) {
            snprintf(out, capacity, "%s", json_string_value(value));
        }
    }
    json_decref(root);
}

bool json_load_flag(struct slice body, const char *member) {
    const char *fault = NULL;
    json_t *root = load(body, HTTP_BODY_MAX, &fault);
    bool is_true = json_is_true(json_object_get(root, member));
    json_decref(root);
    return is_true;
}

static int put_piece(const char *piece, size_t size, void *context) {
    struct buf *out = context;
    return buf_put(out, piece, size) ? 0 : -1;
}

struct buf *json_write(json_t *root, size_t maximum, struct error *error) {
    struct buf *out = root != NULL ? buf_new(maximum) : NULL;
    if (out == NULL || json_dump_callback(root, put_piece, out, JSON_COMPACT) != 0) {
        buf_free(out);
        out = NULL;
        error_set(error, E_MEMORY, "no memory for a request to the CA");
    }
    json_decref(root);
    return out;
}
