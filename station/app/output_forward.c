// SPDX-License-Identifier: Apache-2.0
#include "station/app/output_forward.h"

#include <jansson.h>
#include <string.h>

#include "ca-client/ca_outbox_message.h"
#include "ca-client/x509.h"
#include "station/app/output_safe.h"
#include "station/base/clock.h"

static void put_json(struct output *output, const struct output_forwarded *forwarded,
                     const char *now) {
    const struct ca_result *result = forwarded->result;
    const struct error *error = &result->error;
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "type", "forwarded",
                               "at", now, "bench", forwarded->bench, "serial", forwarded->serial,
                               "profile", forwarded->profile, "ca", forwarded->ca, "call",
                               forwarded->call, "outcome", outbox_outcome_name(result->outcome));
    if (result->handle[0] != '\0') {
        json_object_set_new(object, "handle", json_string(SAFE(result->handle)));
    }
    if (result->leaf.length > 0) {
        uint8_t sha256[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];
        x509_sha256(result->leaf, sha256);
        hex_encode(hex, sha256, sizeof sha256);
        json_object_set_new(object, "certificate_sha256", json_string(hex));
    }
    if (error->code != ERROR_NONE) {
        json_object_set_new(object, "code", json_string(error_code_text(error->code)));
        json_object_set_new(object, "text", json_string(SAFE(error->text)));
    }
    json_dumpf(object, output->results, JSON_COMPACT);
    fputc('\n', output->results);
    fflush(output->results);
    json_decref(object);
}

void output_forwarded(struct output *output, const struct output_forwarded *forwarded) {
    const struct ca_result *result = forwarded->result;
    const struct error *error = &result->error;
    char now[CLOCK_TEXT_SIZE];
    clock_format_utc(now, clock_wall_ms());
    if (output->json) {
        put_json(output, forwarded, now);
        return;
    }
    fprintf(output->messages, "%s bench %s: %s %s of CA %s: %s", now, SAFE(forwarded->bench),
            SAFE(forwarded->serial), SAFE(forwarded->profile), SAFE(forwarded->ca),
            outbox_outcome_name(result->outcome));
    if (result->handle[0] != '\0') {
        fprintf(output->messages, " %s", SAFE(result->handle));
    }
    if (error->code != ERROR_NONE) {
        fprintf(output->messages, ", %s %s", error_code_text(error->code), SAFE(error->text));
    }
    fputc('\n', output->messages);
}
