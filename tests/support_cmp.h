// SPDX-License-Identifier: Apache-2.0
// The backend cmp beside the CA of support_cmp_server.h, and what its tests ask of both.
#ifndef BIRTHCERT_TESTS_SUPPORT_CMP_H
#define BIRTHCERT_TESTS_SUPPORT_CMP_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support_ca_client.h"
#include "tests/support_cmp_server.h"

struct cmp_bench {
    struct cmp_server server;
    struct client client;
};

// `settings` NULL: the usual ones.
void cmp_start(struct cmp_bench *bench, const struct cmp_server_settings *settings, size_t units);
void cmp_stop(struct cmp_bench *bench);

// The first unit's request, to its result.
struct client_unit *cmp_submit(struct cmp_bench *bench);
void cmp_confirm(struct cmp_bench *bench, struct client_unit *unit, bool keeps);

void cmp_expect(const struct client_unit *unit, enum ca_outcome outcome, enum error_code code);
// A good certificate, and an offer to confirm it.
void cmp_expect_certificate(const struct cmp_bench *bench, const struct client_unit *unit);

#endif
