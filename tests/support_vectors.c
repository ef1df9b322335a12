// SPDX-License-Identifier: Apache-2.0
#include "tests/support_vectors.h"

#include <check.h>
#include <string.h>

json_t *vectors_load(void) {
    json_error_t reason;
    json_t *vectors = json_load_file("fixtures/protocol-vectors.json", 0, &reason);
    ck_assert_msg(vectors != NULL, "%s line %d: %s", reason.source, reason.line, reason.text);
    return vectors;
}

json_t *vectors_section(const json_t *vectors, const char *name) {
    json_t *section = json_object_get(vectors, name);
    ck_assert_msg(json_array_size(section) > 0, "no vectors in %s", name);
    return section;
}

const char *vector_text(const json_t *vector, const char *member) {
    const char *text = json_string_value(json_object_get(vector, member));
    ck_assert_msg(text != NULL, "no text %s", member);
    return text;
}

void vector_bytes_of(struct vector_bytes *bytes, const json_t *vector, const char *member) {
    const char *hex = vector_text(vector, member);
    bytes->length = strlen(hex) / 2;
    ck_assert_uint_le(bytes->length, sizeof(bytes->data));
    ck_assert(hex_decode(bytes->data, bytes->length, hex));
}

static json_int_t vector_number(const json_t *vector, const char *member) {
    json_t *number = json_object_get(vector, member);
    ck_assert_msg(json_is_integer(number), "no number %s", member);
    return json_integer_value(number);
}

struct frame vector_frame(const json_t *vector, struct vector_bytes *payload) {
    vector_bytes_of(payload, vector, "payload");
    return (struct frame){
        .kind = (enum frame_kind)vector_number(vector, "kind"),
        .op = (uint8_t)vector_number(vector, "op"),
        .sequence = (uint16_t)vector_number(vector, "sequence"),
        .session = (uint32_t)vector_number(vector, "session"),
        .payload = {payload->data, payload->length},
    };
}
