// SPDX-License-Identifier: Apache-2.0
// The parsers of what Vault answers. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_vault_internal.h"

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

static void read_role(struct slice body) {
    struct profile profile;
    struct error error = {0};
    need(profile_built_in("https", &profile));
    json_t *role = vault_read_role(body, &error);
    if (role != NULL) {
        need(vault_role_fits(role, &profile, 1772366400000, &error) || error.code == E_CA_POLICY);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
    need_printable(error.text);
    json_decref(role);
}

static void judge(long status, struct slice body) {
    static const uint8_t spki_sha256[SHA256_SIZE];
    const struct http_response response = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .total_count = -1};
    struct ca_result result = {0};
    struct error error = {0};
    struct buf *der = buf_new(VAULT_CERTIFICATES_MAX);
    need(der != NULL);
    vault_judge_sign(&response, spki_sha256, vault_has_lease(body), der, &result);
    need(result.outcome == CA_DOUBT || result.outcome == CA_NOT_SENT ||
         (status == 400 && result.outcome == CA_REFUSED));
    need(status != 200 || result.outcome == CA_DOUBT);
    need(result.error.code != ERROR_NONE);
    need_printable(result.error.text);
    vault_explain(&response, "it", &error);
    need(error.code != ERROR_NONE && error.code != E_CA_REFUSED);
    need_printable(error.text);
    buf_free(der);
}

static void read_certificates(struct slice body) {
    struct error error = {0};
    bool is_revoked = false;
    struct buf *der = buf_new(VAULT_CERTIFICATES_MAX);
    need(der != NULL);
    need(vault_read_stored(body, der, &is_revoked, &error) || error.code == E_CA_NONSENSE ||
         error.code == E_MEMORY);
    buf_clear(der);
    need(vault_read_chain(body, der, &error) || error.code == E_CA_NONSENSE ||
         error.code == E_MEMORY);
    (void)vault_read_revoked(body);
    (void)vault_has_lease(body);
    (void)vault_may(body, "pki/certs", "list");
    buf_free(der);
}

static bool note_serial(void *context, const struct vault_serial *serial) {
    static const uint8_t spki_sha256[SHA256_SIZE];
    struct vault_known **known = context;
    struct vault_serial again;
    char text[VAULT_SERIAL_TEXT];
    need(serial->length > 0 && serial->length <= VAULT_SERIAL_SIZE);
    vault_write_serial(serial, '-', text);
    need(vault_parse_serial(text, &again) && vault_compare_serials(serial, &again) == 0);
    need(vault_known_put(known, serial, spki_sha256) && vault_known_has(*known, serial));
    return true;
}

static void read_list(struct slice body) {
    struct error error = {0};
    struct vault_page page;
    struct vault_known *known = NULL;
    need(vault_read_serials(body, note_serial, &known, &page, &error) ||
         error.code == E_CA_NONSENSE);
    need_printable(error.text);
    vault_known_free(known);
}

static void read_token(struct slice body) {
    struct error error = {0};
    struct vault_token_facts facts;
    int64_t left_s = 0;
    if (vault_read_token(body, &facts, &error)) {
        need(facts.left_s >= 0 && facts.life_s >= 0 && facts.uses >= 0);
    }
    need(!vault_read_renewal(body, &left_s, &error) || left_s >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const long statuses[] = {200, 400, 403, 404, 412, 503};
    if (size < 2) {
        return 0;
    }
    struct slice body = {data + 2, size - 2};
    switch (data[0] % 5) {
    case 0:
        read_role(body);
        break;
    case 1:
        judge(statuses[data[1] % ARRAY_LENGTH(statuses)], body);
        break;
    case 2:
        read_certificates(body);
        break;
    case 3:
        read_list(body);
        break;
    default:
        read_token(body);
    }
    return 0;
}
