// SPDX-License-Identifier: Apache-2.0
// The parsers of what step-ca answers, and of a JSON Web Key. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_stepca_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

static void need_printable(const char *text) {
    for (; *text != '\0'; text++) {
        need(*text >= 0x20 && *text < 0x7f);
    }
}

static void judge(long status, struct slice body) {
    static const uint8_t spki_sha256[SHA256_SIZE];
    const struct http_response response = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .total_count = -1};
    struct ca_result result = {0};
    struct error error = {0};
    struct buf *der = buf_new(STEPCA_CERTIFICATES_MAX);
    need(der != NULL);
    stepca_judge_sign(&response, spki_sha256, der, &result);
    need(status != 201 || result.outcome == CA_DOUBT);
    need(status != 400 || result.outcome == CA_REFUSED || result.outcome == CA_NOT_SENT);
    need(status != 500 || result.outcome == CA_DOUBT || result.outcome == CA_NOT_SENT);
    need_printable(result.error.text);
    need(stepca_judge_probe(&response, &error) || error.code != ERROR_NONE);
    need_printable(error.text);
    buf_free(der);
}

static void read_provisioners(struct slice body) {
    struct stepca_provisioner found = {.maximum_s = -1};
    struct error error = {0};
    if (stepca_read_provisioners(body, "station", "kid", &found, &error)) {
        need(strspn(found.cursor, "0123456789abcdefABCDEF") == strlen(found.cursor));
        need(found.is_found || !found.has_key);
        need(found.maximum_s >= -1);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
}

static void read_roots(struct slice body) {
    struct error error = {0};
    struct buf *der = buf_new(STEPCA_CERTIFICATES_MAX);
    need(der != NULL);
    need(stepca_read_list(body, "roots", der, &error) ? buf_length(der) > 0
                                                      : error.code == E_CA_NONSENSE);
    buf_free(der);
}

static void read_key(struct slice body) {
    struct token_key *key = NULL;
    struct error error = {0};
    if (token_key_new(body, &key, &error)) {
        need(text_is_label(token_key_id(key)));
        token_key_free(key);
    } else {
        need(error.code == E_CA_CONFIG);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const long statuses[] = {201, 400, 500};
    if (size == 0) {
        return 0;
    }
    struct slice body = {data + 1, size - 1};
    switch (data[0] % 6) {
    case 0:
    case 1:
    case 2:
        judge(statuses[data[0] % 6], body);
        break;
    case 3:
        read_provisioners(body);
        break;
    case 4:
        read_roots(body);
        break;
    default:
        read_key(body);
    }
    return 0;
}
