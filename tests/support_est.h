// SPDX-License-Identifier: Apache-2.0
// The EST backend on est-sim, for the tests of both.
#ifndef BIRTHCERT_TESTS_SUPPORT_EST_H
#define BIRTHCERT_TESTS_SUPPORT_EST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_ca_client.h"
#include "tests/support_hvca_sim.h"

struct est_bench {
    struct hvca_sim sim;
    struct client client;
    struct ca_settings settings;
    char username[32];
};

static const struct sim_kind est_kind = {
    .program = "est-sim",
    .path = "",
    .files = {"root.pem", "server_root.pem", "client.pem", "client.key", "username", "password"},
};

static inline void est_start_sim(struct est_bench *bench, const char *const options[]) {
    sim_start_kind(&bench->sim, &est_kind, options);
    FILE *file = fopen(bench->sim.files[4], "r");
    ck_assert(file != NULL && fscanf(file, "%31s", bench->username) == 1);
    fclose(file);
    bench->settings = (struct ca_settings){
        .name = "est",
        .backend = "est",
        .url = bench->sim.url,
        .root_file = bench->sim.files[0],
        .server_root_file = bench->sim.files[1],
        .client_certificate_file = bench->sim.files[2],
        .client_key_file = bench->sim.files[3],
        .username = bench->username,
        .password_file = bench->sim.files[5],
        .in_flight = 8,
        .timeout_ms = 10000,
    };
}

static inline void est_start(struct est_bench *bench, const char *const options[], size_t units) {
    est_start_sim(bench, options);
    client_start(&bench->client, &bench->settings, units, "P-256");
}

static inline void est_stop(struct est_bench *bench) {
    client_stop(&bench->client);
    hvca_sim_stop(&bench->sim);
}

static inline struct client_unit *est_submit(struct est_bench *bench, size_t number) {
    struct client_unit *unit = &bench->client.units[number];
    client_submit(&bench->client, unit);
    client_wait(&bench->client);
    return unit;
}

static inline void est_expect_good(const struct est_bench *bench, const struct client_unit *unit) {
    struct error error = {0};
    ck_assert_msg(unit->outcome == CA_CERTIFICATE, "outcome %d %s", (int)unit->outcome,
                  unit->error.text);
    ck_assert_msg(client_certificate_is_good(&bench->client, unit, bench->sim.files[0], &error),
                  "%s", error.text);
}

#endif
