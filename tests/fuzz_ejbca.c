// SPDX-License-Identifier: Apache-2.0
// The parsers of what EJBCA answers. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t spki_sha256[SHA256_SIZE];

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

static void read_authorities(struct slice body) {
    char subject_dn[EJBCA_DN_SIZE] = "";
    char path[WEB_PATH_SIZE];
    struct error error = {0};
    if (ejbca_read_authorities(body, "A", subject_dn, &error)) {
        need(subject_dn[0] != '\0');
        if (ejbca_write_path(path, "/v1/ca/", subject_dn, "/certificate/download")) {
            need_printable(path);
            need(strpbrk(path + 7, " ?#\"") == NULL);
        }
    } else {
        need(error.code == E_CA_NONSENSE || error.code == E_CA_CONFIG);
        need_printable(error.text);
    }
}

static void read_profile(struct slice body) {
    struct ejbca_policy policy = {.issuer_not_after_ms = 1972366400000};
    struct profile profile;
    struct error error = {0};
    need(profile_built_in("https", &profile));
    if (ejbca_read_profile(body, "A", &policy, &error)) {
        need_printable(policy.keys_text);
        need_printable(policy.surplus);
        need_printable(policy.validity);
        need(policy.validity_s >= 0);
        need(ejbca_policy_fits(&policy, &profile, 1772366400000, &error) ||
             error.code == E_CA_POLICY);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
}

static void read_entity_profile(struct slice body) {
    static const struct ca ca = {.profile = "P", .entity_profile = "E", .authority = "A"};
    struct error error = {0};
    need(ejbca_read_entity_profile(body, &ca, &error) || error.code == E_CA_POLICY ||
         error.code == E_CA_NONSENSE);
}

static void read_page(struct slice body, enum ejbca_search search) {
    static const uint8_t certificate[] = {0x30, 0x00};
    struct ca_request request = {.certificate = {certificate, sizeof certificate}};
    struct ejbca_look look = {.search = search, .page = 1};
    struct error error = {0};
    bool is_last = false;
    look.certificate = buf_new(EJBCA_CERTIFICATES_MAX);
    need(look.certificate != NULL);
    if (ejbca_read_page(body, &request, &look, &is_last, &error)) {
        need(look.unseen <= EJBCA_PAGE_SIZE && look.live + look.revoked <= EJBCA_PAGE_SIZE);
        need((look.live + look.revoked > 0) == (buf_length(look.certificate) > 0));
    } else {
        need(error.code == E_CA_NONSENSE);
    }
    buf_free(look.certificate);
}

static void judge(long status, struct slice body) {
    const struct http_response response = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .total_count = -1};
    struct ca_result result = {0};
    bool wants_look = false;
    struct buf *der = buf_new(EJBCA_CERTIFICATES_MAX);
    need(der != NULL);
    ejbca_judge_enroll(&response, spki_sha256, der, &result, &wants_look);
    // The key is nobody's, so nothing is a certificate for it.
    need(result.outcome == CA_DOUBT ||
         (status == 400 && (result.outcome == CA_REFUSED || result.outcome == CA_NOT_SENT)));
    need(result.outcome != CA_REFUSED || wants_look);
    need(result.error.code != ERROR_NONE);
    need_printable(result.error.text);
    buf_free(der);
}

static void read_validity(struct slice body) {
    char text[64];
    int64_t seconds = -1;
    size_t length = body.length < sizeof text - 1 ? body.length : sizeof text - 1;
    memcpy(text, body.data, length);
    text[length] = '\0';
    need(!ejbca_read_validity(text, &seconds) || seconds >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct slice body = {data + 1, size - 1};
    switch (data[0] % 8) {
    case 0:
        read_authorities(body);
        break;
    case 1:
        read_profile(body);
        break;
    case 2:
        read_entity_profile(body);
        break;
    case 3:
    case 4:
        read_page(body, data[0] % 8 == 4       ? EJBCA_BY_SERIAL
                        : data[0] / 8 % 2 == 1 ? EJBCA_OF_AUTHORITY
                                               : EJBCA_OF_CAMERA);
        break;
    case 5:
        judge(201, body);
        break;
    case 6:
        judge(400, body);
        break;
    default:
        read_validity(body);
    }
    return 0;
}
