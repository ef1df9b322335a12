// SPDX-License-Identifier: Apache-2.0
// The parsers of what an EST server answers. The first byte chooses the parser.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/base64.h"
#include "ca-client/ca_est_internal.h"
#include "ca-client/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

static void parse_wishes(struct slice body) {
    struct est_wishes wishes;
    struct profile profile;
    struct error error = {0};
    need(profile_built_in("https", &profile));
    if (est_parse_wishes(body, &wishes, &error)) {
        need(wishes.count <= EST_WISHES_MAX && wishes.signature_count <= EST_SIGNATURES_MAX);
        need(memchr(wishes.key_text, '\0', sizeof wishes.key_text) != NULL);
        need(est_profile_fits(&wishes, &profile, &error) || error.code == E_CA_POLICY);
        (void)!est_csr_fits(&wishes, &profile, body, &error);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
}

static void parse_certificates(struct slice body) {
    static const uint8_t spki_sha256[SHA256_SIZE] = {0};
    struct error error = {0};
    struct slice leaf;
    struct buf *certificates = buf_new(EST_CERTIFICATES_MAX);
    struct buf *rest = buf_new(EST_CERTIFICATES_MAX);
    struct buf *chain = buf_new(EST_CERTIFICATES_MAX);
    need(certificates != NULL && rest != NULL && chain != NULL);
    if (est_read_certificates(body, certificates, &error)) {
        struct slice all = buf_slice(certificates);
        bool found = est_pick_leaf(all, spki_sha256, &leaf, rest);
        need(!found || (leaf.length > 0 && leaf.length + buf_length(rest) == all.length));
        (void)!est_order_chain(all, chain);
        need(buf_length(chain) <= all.length);
    } else {
        need(error.code == E_CA_NONSENSE);
    }
    buf_free(certificates);
    buf_free(rest);
    buf_free(chain);
}

static void parse_base64(struct slice body) {
    struct buf *once = buf_new(body.length + 1);
    struct buf *text = buf_new(4 * body.length + 8);
    struct buf *again = buf_new(body.length + 1);
    need(once != NULL && text != NULL && again != NULL);
    if (base64_decode(body, once)) {
        need(base64_encode(buf_slice(once), true, text) && base64_decode(buf_slice(text), again));
        need(slice_equal(buf_slice(once), buf_slice(again)));
    }
    buf_free(once);
    buf_free(text);
    buf_free(again);
}

static void parse_text(struct slice body) {
    struct http_response response = {.content_type = "text/plain", .body = body};
    char out[EST_SAID_SIZE];
    est_read_text(&response, out);
    for (const char *at = out; *at != '\0'; at++) {
        need(*at >= 0x20 && *at <= 0x7e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const parsers[])(struct slice) = {parse_wishes, parse_certificates, parse_base64,
                                                    parse_text};
    if (size > 0 && size <= HTTP_BODY_MAX) {
        parsers[data[0] % ARRAY_LENGTH(parsers)]((struct slice){data + 1, size - 1});
    }
    return 0;
}
