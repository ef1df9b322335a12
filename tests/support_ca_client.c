// SPDX-License-Identifier: Apache-2.0
#include "tests/support_ca_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "station/base/clock.h"

#define GUARD_MS 60000

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "test client: %s\n", what);
    exit(2);
}

static void handle_guard(void *context) {
    (void)context;
    give_up("a result did not come");
}

static void note_end(struct client *client) {
    if (client->in_call) {
        give_up("a result came from inside a call");
    }
    if (--client->expected == 0) {
        loop_stop(client->loop);
    }
}

static void keep(struct buf **out, struct slice slice) {
    buf_free(*out);
    *out = buf_new(1 << 20);
    if (*out == NULL || !buf_put(*out, slice.data, slice.length)) {
        give_up("no memory");
    }
}

static void handle_result(void *context, const struct ca_result *result) {
    struct client *client = context;
    if (result->id < 1 || result->id > (int64_t)client->unit_count || result->handle == NULL) {
        give_up("a result for nobody");
    }
    struct client_unit *unit = &client->units[result->id - 1];
    unit->results++;
    unit->outcome = result->outcome;
    unit->error = result->error;
    unit->retry_after_ms = result->retry_after_ms;
    unit->issued_s = result->issued_s;
    keep(&unit->leaf, result->leaf);
    keep(&unit->extra, result->extra);
    if (result->outcome == CA_CERTIFICATE) {
        keep(&unit->offer, result->offer);
    }
    if (result->handle[0] != '\0') {
        snprintf(unit->handle, sizeof unit->handle, "%s", result->handle);
    }
    note_end(client);
}

static void handle_report(void *context, const struct ca_report *report) {
    struct client *client = context;
    client->has_report = true;
    client->report = *report;
    note_end(client);
}

static void make_unit(struct client *client, struct client_unit *unit, const char *key_kind) {
    static const uint8_t hardware_id[6] = {0, 1, 2, 3, 4, 5};
    snprintf(unit->serial, sizeof unit->serial, "CAM%06zu", (size_t)(unit - client->units));
    const struct pki_pair subject[] = {
        {"CN", unit->serial}, {"serialNumber", unit->serial}, {NULL, NULL}};
    unit->key = pki_key(key_kind);
    unit->csr = pki_csr(unit->key, subject, NULL, false);
    unit->request = (struct ca_request){
        .id = unit - client->units + 1,
        .profile = &client->profile,
        .subject = {.serial = unit->serial,
                    .model = "Model-1",
                    .hardware_id = hardware_id,
                    .hardware_id_length = sizeof hardware_id},
        .csr = buf_slice(unit->csr),
        .handle = unit->handle,
    };
    pki_spki_sha256(unit->key, unit->request.spki_sha256);
}

static void open_ca(struct client *client, const struct ca_settings *settings) {
    static const struct ca_events events = {.on_result = handle_result, .on_report = handle_report};
    struct error error;
    if (!client->ops->open(client->loop, settings, &events, client, &client->ca, &error)) {
        give_up(error.text);
    }
}

void client_start(struct client *client, const struct ca_settings *settings, size_t units,
                  const char *key_kind) {
    struct error error;
    memset(client, 0, sizeof *client);
    if (!loop_new(&client->loop, &error)) {
        give_up(error.text);
    }
    client->guard = loop_timer_new(client->loop, handle_guard, client);
    if (!profile_built_in("https", &client->profile)) {
        give_up("no profile");
    }
    client->unit_count = units;
    for (size_t i = 0; i < units; i++) {
        make_unit(client, &client->units[i], key_kind);
    }
    client->ops = ca_find(settings->backend);
    open_ca(client, settings);
}

void client_restart(struct client *client, const struct ca_settings *settings) {
    client->ops->close(client->ca);
    open_ca(client, settings);
}

void client_stop(struct client *client) {
    client->ops->close(client->ca);
    loop_timer_free(client->guard);
    loop_free(client->loop);
    for (size_t i = 0; i < client->unit_count; i++) {
        EVP_PKEY_free(client->units[i].key);
        buf_free(client->units[i].csr);
        buf_free(client->units[i].leaf);
        buf_free(client->units[i].extra);
        buf_free(client->units[i].offer);
    }
}

void client_submit(struct client *client, struct client_unit *unit) {
    struct profile profile = client->profile; // submit copies everything
    struct ca_request request = unit->request;
    request.sent_ms = clock_wall_ms();
    unit->request.sent_ms = request.sent_ms;
    request.profile = &profile;
    client->expected++;
    client->in_call = true;
    client->ops->submit(client->ca, &request);
    client->in_call = false;
    memset(&profile, 0xee, sizeof profile);
    memset(&request, 0xee, sizeof request);
}

void client_fetch(struct client *client, struct client_unit *unit) {
    client->expected++;
    client->in_call = true;
    client->ops->fetch(client->ca, &unit->request);
    client->in_call = false;
}

void client_confirm(struct client *client, struct client_unit *unit, bool keeps) {
    unit->request.offer = buf_slice(unit->offer);
    unit->request.keeps_offer = keeps;
    client_fetch(client, unit);
    unit->request.offer = (struct slice){0};
}

void client_reconcile(struct client *client, struct client_unit *unit) {
    client->expected++;
    client->in_call = true;
    client->ops->reconcile(client->ca, &unit->request);
    client->in_call = false;
}

void client_revoke(struct client *client, struct client_unit *unit,
                   enum ca_revocation_reason reason) {
    client->expected++;
    client->in_call = true;
    client->ops->revoke(client->ca, &unit->request, reason);
    client->in_call = false;
}

void client_check(struct client *client) {
    client->expected++;
    client->has_report = false;
    client->in_call = true;
    client->ops->check(client->ca, &client->profile);
    client->in_call = false;
}

void client_wait(struct client *client) {
    loop_timer_start(client->guard, GUARD_MS);
    while (client->expected > 0) {
        loop_run(client->loop);
    }
    loop_timer_stop(client->guard);
}

bool client_certificate_is_good(const struct client *client, const struct client_unit *unit,
                                const char *root_file, struct error *error) {
    struct x509_trust *trust = NULL;
    struct certificate_facts facts;
    struct buf *chain = buf_new(1 << 16);
    char pem[65536];
    FILE *file = fopen(root_file, "r");
    size_t length = file == NULL ? 0 : fread(pem, 1, sizeof pem, file);
    if (file == NULL || chain == NULL || fclose(file) != 0) {
        give_up("no root");
    }
    const struct certificate_expected expected = {
        .profile = &client->profile,
        .subject = unit->request.subject,
        .spki_sha256 = unit->request.spki_sha256,
        .now_ms = clock_wall_ms(),
    };
    struct slice none = {NULL, 0};
    bool good = x509_trust_new((struct slice){(const uint8_t *)pem, length}, none, &trust, error) &&
                x509_check_certificate(trust, buf_slice(unit->leaf), buf_slice(unit->extra),
                                       &expected, &facts, chain, error);
    x509_trust_free(trust);
    buf_free(chain);
    return good;
}

X509 *client_make_certificate(const struct client_unit *unit, const struct pki_ca *ca,
                              EVP_PKEY *key, int64_t age_ms, int days) {
    char host[64];
    snprintf(host, sizeof host, "DNS:%s.local", unit->serial);
    for (char *at = host + 4; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
    }
    const struct pki_spec spec = {
        .issuer = ca->certificate,
        .issuer_key = ca->key,
        .key = key,
        .subject = {{"CN", unit->serial}, {"serialNumber", unit->serial}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"subjectAltName", host},
                       {"authorityKeyIdentifier", "keyid"}},
        .not_before_ms = clock_wall_ms() - age_ms,
        .not_after_ms = clock_wall_ms() + days * PKI_DAY_MS,
    };
    return pki_certificate(&spec);
}
