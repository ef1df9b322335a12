// SPDX-License-Identifier: Apache-2.0
// The parsers of what cfssl answers. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_cfssl_internal.h"
#include "ca-client/go_duration.h"

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

static void read_info(struct slice body) {
    struct cfssl_policy policy;
    struct profile profile;
    struct error error = {0};
    struct buf *issuer = buf_new(CFSSL_CERTIFICATES_MAX);
    need(issuer != NULL && profile_built_in("https", &profile));
    if (cfssl_read_info(body, &policy, issuer, &error)) {
        need(buf_length(issuer) > 0 && policy.expiry_s >= 0);
        need_printable(policy.expiry);
        need_printable(policy.surplus);
        need(cfssl_policy_fits(&policy, &profile, 1772366400000, &error) ||
             error.code == E_CA_POLICY);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
    buf_free(issuer);
}

static void judge(long status, struct slice body) {
    static const uint8_t spki_sha256[SHA256_SIZE];
    const struct http_response response = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .total_count = -1};
    struct ca_result result = {0};
    struct buf *der = buf_new(CFSSL_CERTIFICATES_MAX);
    need(der != NULL);
    cfssl_judge_sign(&response, spki_sha256, der, &result);
    need(result.outcome == CA_DOUBT ||
         (status == 400 && (result.outcome == CA_REFUSED || result.outcome == CA_NOT_SENT)));
    need(result.error.code != ERROR_NONE);
    need_printable(result.error.text);
    buf_free(der);
}

static void read_duration(struct slice body) {
    char text[64];
    int64_t seconds = -1;
    size_t length = body.length < sizeof text - 1 ? body.length : sizeof text - 1;
    memcpy(text, body.data, length);
    text[length] = '\0';
    need(!go_duration_read(text, &seconds) || seconds >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct slice body = {data + 1, size - 1};
    switch (data[0] % 4) {
    case 0:
        read_info(body);
        break;
    case 1:
        judge(200, body);
        break;
    case 2:
        judge(400, body);
        break;
    default:
        read_duration(body);
    }
    return 0;
}
