// SPDX-License-Identifier: Apache-2.0
#include "tests/support_cmp.h"

#include <check.h>

void cmp_start(struct cmp_bench *bench, const struct cmp_server_settings *settings, size_t units) {
    static const struct cmp_server_settings usual = {0};
    cmp_server_start(&bench->server, settings != NULL ? settings : &usual);
    struct ca_settings ca = cmp_server_ca(&bench->server);
    client_start(&bench->client, &ca, units, "P-256");
}

void cmp_stop(struct cmp_bench *bench) {
    client_stop(&bench->client);
    cmp_server_stop(&bench->server);
}

struct client_unit *cmp_submit(struct cmp_bench *bench) {
    struct client_unit *unit = &bench->client.units[0];
    client_submit(&bench->client, unit);
    client_wait(&bench->client);
    return unit;
}

void cmp_confirm(struct cmp_bench *bench, struct client_unit *unit, bool keeps) {
    client_confirm(&bench->client, unit, keeps);
    client_wait(&bench->client);
}

void cmp_expect(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code) {
    ck_assert_msg(unit->outcome == outcome && unit->error.code == code, "outcome %d, %s: %s",
                  (int)unit->outcome, error_code_text(unit->error.code), unit->error.text);
}

void cmp_expect_certificate(const struct cmp_bench *bench, const struct client_unit *unit) {
    struct error error = {0};
    cmp_expect(unit, CA_CERTIFICATE, ERROR_NONE);
    ck_assert_msg(client_certificate_is_good(&bench->client, unit, bench->server.root_file, &error),
                  "%s", error.text);
    ck_assert_uint_gt(buf_length(unit->offer), 100);
}
