// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>
#include <string.h>

#include "protocol/message.h"
#include "station/app/output.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/core/request.h"

// Text in the store and from cameras is escaped ASCII or was checked; what is not UTF-8 after all
// is written escaped rather than left out.
static json_t *text_value(const char *text) {
    json_t *value = json_string(text);
    if (value == NULL) {
        char escaped[1024];
        text_escape(escaped, sizeof escaped, text, strlen(text));
        value = json_string(escaped);
    }
    return value;
}

static void set_text(json_t *object, const char *key, const char *text) {
    json_object_set_new(object, key, text_value(text));
}

static void set_optional(json_t *object, const char *key, const char *text) {
    if (text[0] != '\0') {
        set_text(object, key, text);
    }
}

static void set_number(json_t *object, const char *key, int64_t value) {
    json_object_set_new(object, key, json_integer(value));
}

static void set_time(json_t *object, const char *key, int64_t wall_ms) {
    char text[CLOCK_TEXT_SIZE];
    clock_format_utc(text, wall_ms);
    set_optional(object, key, text);
}

static void set_hex(json_t *object, const char *key, const uint8_t *data, size_t length) {
    char hex[2 * 64 + 1];
    hex_encode(hex, data, length < 64 ? length : 64);
    set_text(object, key, hex);
}

static void set_error(json_t *object, enum error_code code, const char *text) {
    if (code != ERROR_NONE) {
        set_text(object, "code", error_code_text(code));
        set_text(object, "text", text);
        set_optional(object, "remedy", error_code_remedy(code));
    }
}

static json_t *begin(const char *type) {
    json_t *object = json_object();
    set_text(object, "type", type);
    return object;
}

static void end(FILE *stream, json_t *object) {
    json_dumpf(object, stream, JSON_COMPACT);
    fputc('\n', stream);
    fflush(stream);
    json_decref(object);
}

static void put_verdict(struct output *output, const struct output_verdict *verdict) {
    static const char *const words[] = {"", "pass", "fail", "already"};
    json_t *object = begin("verdict");
    set_text(object, "verdict", words[verdict->verdict]);
    set_text(object, "slot", verdict->slot);
    set_text(object, "transport", verdict->transport);
    set_text(object, "port", verdict->path);
    set_text(object, "serial", verdict->serial);
    set_text(object, "model", verdict->model);
    set_number(object, "elapsed_ms", verdict->elapsed_ms);
    if (verdict->verdict == UNIT_FAIL) {
        set_error(object, verdict->error->code, verdict->error->text);
    }
    end(output->results, object);
}

static void put_check(struct output *output, const struct output_check *check) {
    static const char *const words[] = {"ok", "warning", "fault"};
    json_t *object = begin("check");
    set_text(object, "level", words[check->level]);
    set_text(object, "subject", check->subject);
    set_text(object, "text", check->text);
    set_optional(object, "code", check->code);
    set_optional(object, "remedy", check->remedy);
    end(output->results, object);
}

static json_t *certificate_object(const struct certificate_record *certificate) {
    json_t *object = json_object();
    set_hex(object, "serial", certificate->serial, certificate->serial_length);
    set_text(object, "issuer", certificate->issuer);
    set_text(object, "subject", certificate->subject);
    set_time(object, "not_before", certificate->not_before_ms);
    set_time(object, "not_after", certificate->not_after_ms);
    set_hex(object, "sha256", certificate->sha256, SHA256_SIZE);
    return object;
}

static void set_certificate(json_t *object, const struct certificate_record *certificate,
                            enum certificate_state state, const char *reason, int64_t ended_ms) {
    json_t *member = certificate_object(certificate);
    set_text(member, "state", output_certificate_state_name(state));
    set_optional(member, "reason", reason);
    set_time(member, "ended_at", ended_ms);
    json_object_set_new(object, "certificate", member);
}

static void set_credential(json_t *object, const struct store_row *row) {
    const struct credential_record *credential = &row->credential;
    set_number(object, "credential", credential->number);
    set_text(object, "profile", credential->profile);
    set_text(object, "key_type", key_type_name((enum key_type)credential->key_type));
    if (credential->has_key) {
        set_hex(object, "public_key_sha256", credential->spki_sha256, SHA256_SIZE);
    }
    set_text(object, "request", request_state_name(credential->request));
    if (credential->error != ERROR_NONE) {
        set_text(object, "request_code", error_code_text(credential->error));
    }
    set_text(object, "install", output_install_name(row));
    set_number(object, "board", row->board);
    set_optional(object, "ca", row->ca);
    set_optional(object, "endpoint", row->endpoint);
    set_number(object, "attempts", row->attempt);
    if (row->has_certificate) {
        set_certificate(object, &row->certificate, row->certificate_state, row->reason,
                        row->ended_ms);
    }
    set_time(object, "key_at", row->key_ms);
    set_time(object, "csr_at", row->csr_ms);
    set_time(object, "sent_at", row->sent_ms);
    set_time(object, "issued_at", row->issued_ms);
    set_time(object, "installed_at", row->installed_ms);
    set_time(object, "proved_at", row->proved_ms);
}

static void set_unit(json_t *object, const struct store_row *row) {
    static const char *const results[] = {"open", "failed", "passed", "scrapped"};
    set_text(object, "serial", row->unit.serial);
    set_text(object, "result", results[row->unit.result]);
    set_text(object, "model", row->model);
    set_text(object, "firmware", row->firmware);
    set_text(object, "hardware_id", row->hardware_id_hex);
    set_optional(object, "lot", row->lot);
    set_optional(object, "slot", row->slot);
    set_text(object, "station", row->station);
    set_optional(object, "operator", row->operator_name);
    set_error(object, row->unit_error, row->unit_text);
    set_time(object, "admitted_at", row->admitted_ms);
    set_time(object, "finished_at", row->finished_ms);
    if (row->credential.number != 0) {
        set_credential(object, row);
    }
}

static void put_unit(struct output *output, const struct store_row *row) {
    json_t *object = begin("unit");
    set_unit(object, row);
    end(output->results, object);
}

static void put_event(struct output *output, const struct store_event *event) {
    json_t *object = begin("event");
    set_number(object, "sequence", event->sequence);
    set_time(object, "at", event->time_ms);
    set_text(object, "kind", event->kind_text);
    if (event->credential != 0) {
        set_number(object, "credential", event->credential);
    }
    set_optional(object, "slot", event->slot);
    set_text(object, "station", event->station);
    set_optional(object, "operator", event->operator_name);
    set_optional(object, "code", event->code);
    set_optional(object, "text", event->text);
    end(output->results, object);
}

static void put_request(struct output *output, const struct output_request *request) {
    json_t *object = begin("request");
    set_text(object, "finding", request->finding);
    set_optional(object, "remedy", request->remedy);
    json_t *unit = json_object();
    set_unit(unit, request->row);
    json_object_set_new(object, "unit", unit);
    end(output->results, object);
}

static void put_certificate(struct output *output, const struct output_certificate *shown) {
    const struct store_certificate *stored = shown->stored;
    json_t *object = begin("certificate");
    set_text(object, "finding", shown->finding);
    set_optional(object, "remedy", shown->remedy);
    if (shown->error != NULL && shown->error->code != ERROR_NONE) {
        set_text(object, "code", error_code_text(shown->error->code));
        set_text(object, "text", shown->error->text);
    }
    set_text(object, "serial", stored->serial);
    set_number(object, "credential", stored->credential);
    set_number(object, "board", stored->board);
    set_text(object, "profile", stored->profile);
    set_optional(object, "ca", stored->ca);
    if (shown->age_ms > 0) {
        set_number(object, "age_ms", shown->age_ms);
    }
    set_optional(object, "price", shown->price);
    if (stored->certificate_id != 0) {
        set_certificate(object, &stored->certificate, stored->state, stored->reason,
                        stored->ended_ms);
    }
    end(output->results, object);
}

static void put_orphans(struct output *output, const struct output_orphans *orphans) {
    json_t *object = begin("orphans");
    json_t *costs = json_array();
    set_number(object, "count", (int64_t)orphans->count);
    set_number(object, "at_work", (int64_t)orphans->at_work);
    for (size_t i = 0; i < orphans->currency_count; i++) {
        json_array_append_new(costs, text_value(orphans->costs[i]));
    }
    json_object_set_new(object, "costs", costs);
    end(output->results, object);
}

static void put_summary(struct output *output, const struct output_summary *summary) {
    json_t *object = begin("summary");
    json_t *reasons = json_object();
    json_t *steps = json_object();
    set_optional(object, "lot", summary->lot);
    set_number(object, "total", (int64_t)summary->total);
    set_number(object, "passed", (int64_t)summary->passed);
    set_number(object, "already", (int64_t)summary->already);
    set_number(object, "failed", (int64_t)summary->failed);
    set_number(object, "unfinished", (int64_t)summary->unfinished);
    set_number(object, "first_pass", (int64_t)summary->first_pass);
    set_number(object, "elapsed_ms", summary->elapsed_ms);
    set_number(object, "takt_ms", summary->takt_ms);
    for (size_t i = 0; i < summary->reason_count; i++) {
        set_number(reasons, error_code_text(summary->reasons[i].code),
                   (int64_t)summary->reasons[i].count);
    }
    for (enum unit_state state = UNIT_ADMITTING; state < UNIT_DONE; state++) {
        if (summary->steps[state].visits > 0) {
            set_number(steps, unit_state_name(state),
                       summary->steps[state].total_ms / (int64_t)summary->steps[state].visits);
        }
    }
    json_object_set_new(object, "reasons", reasons);
    json_object_set_new(object, "mean_step_ms", steps);
    end(output->results, object);
}

static void put_error(struct output *output, const char *context, const struct error *error) {
    json_t *object = begin("error");
    set_optional(object, "context", context);
    set_error(object, error->code, error->text);
    end(output->messages, object);
}

const struct output_ops output_json = {
    .verdict = put_verdict,
    .check = put_check,
    .unit = put_unit,
    .event = put_event,
    .request = put_request,
    .certificate = put_certificate,
    .orphans = put_orphans,
    .summary = put_summary,
    .error = put_error,
};
