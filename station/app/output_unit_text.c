// SPDX-License-Identifier: Apache-2.0
#include "station/app/output_unit_text.h"

#include <inttypes.h>

#include "protocol/message.h"
#include "station/app/output.h"
#include "station/app/output_safe.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/base/error.h"
#include "station/core/request.h"

static void put_field(FILE *out, const char *label, const char *text) {
    fprintf(out, "  %-18s %s\n", label, text[0] != '\0' ? SAFE(text) : "-");
}

static void put_time(FILE *out, const char *label, int64_t wall_ms) {
    char time[CLOCK_TEXT_SIZE];
    clock_format_utc(time, wall_ms);
    put_field(out, label, time);
}

static void put_hex(FILE *out, const char *label, const uint8_t *data, size_t length) {
    char hex[2 * SHA256_SIZE + 1];
    hex_encode(hex, data, length < SHA256_SIZE ? length : SHA256_SIZE);
    put_field(out, label, hex);
}

static void put_reason(FILE *out, enum error_code code, const char *text) {
    if (code == ERROR_NONE) {
        return;
    }
    const char *remedy = error_code_remedy(code);
    fprintf(out, "  %-18s %s %s%s%s\n", "reason", error_code_text(code),
            text[0] != '\0' ? SAFE(text) : error_code_meaning(code), remedy[0] != '\0' ? "; " : "",
            remedy);
}

void output_unit_text(FILE *out, const struct store_row *row) {
    static const char *const results[] = {"open", "FAILED", "PASSED", "SCRAPPED"};
    unsigned result = (unsigned)row->unit.result;
    fprintf(out, "%s\n", SAFE(row->unit.serial));
    put_field(out, "result", result < ARRAY_LENGTH(results) ? results[result] : "?");
    put_reason(out, row->unit_error, row->unit_text);
    put_field(out, "model", row->model);
    put_field(out, "firmware", row->firmware);
    put_field(out, "hardware id", row->hardware_id_hex);
    put_field(out, "lot", row->lot);
    put_field(out, "slot", row->slot);
    put_field(out, "station", row->station);
    put_field(out, "operator", row->operator_name);
    put_time(out, "admitted", row->admitted_ms);
    put_time(out, "finished", row->finished_ms);
}

static void put_certificate(FILE *out, const struct store_row *row) {
    const struct certificate_record *certificate = &row->certificate;
    put_hex(out, "certificate", certificate->serial, certificate->serial_length);
    put_field(out, "issuer", certificate->issuer);
    put_field(out, "subject", certificate->subject);
    put_time(out, "valid from", certificate->not_before_ms);
    put_time(out, "valid until", certificate->not_after_ms);
    put_hex(out, "SHA-256", certificate->sha256, SHA256_SIZE);
    put_field(out, "state", output_certificate_state_name(row->certificate_state));
    if (row->reason[0] != '\0') {
        put_field(out, "reason", row->reason);
        put_time(out, "since", row->ended_ms);
    }
}

void output_credential_text(FILE *out, const struct store_row *row) {
    const struct credential_record *credential = &row->credential;
    if (credential->number == 0) {
        return;
    }
    fprintf(out, "\ncredential %u%s\n", credential->number,
            row->is_old_board ? ", of a board that was swapped" : "");
    put_field(out, "profile", credential->profile);
    put_field(out, "key type", key_type_name((enum key_type)credential->key_type));
    put_hex(out, "public key SHA-256", credential->spki_sha256,
            credential->has_key ? SHA256_SIZE : 0);
    put_field(out, "request", request_state_name(credential->request));
    put_reason(out, credential->error, "");
    put_field(out, "CA", row->ca);
    put_field(out, "sent to", row->endpoint);
    fprintf(out, "  %-18s %" PRIu32 "\n", "attempts", row->attempt);
    if (row->has_certificate) {
        put_certificate(out, row);
    }
    put_field(out, "install", output_install_name(row));
    put_time(out, "key made", row->key_ms);
    put_time(out, "CSR checked", row->csr_ms);
    put_time(out, "request sent", row->sent_ms);
    put_time(out, "issued", row->issued_ms);
    put_time(out, "installed", row->installed_ms);
    put_time(out, "proved", row->proved_ms);
}
