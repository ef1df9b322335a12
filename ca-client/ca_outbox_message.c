// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca_outbox_message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_outbox_json.h"
#include "station/base/clock.h"

#define LAST_SECOND_OF_9999 INT64_C(253402300799)
#define RETRY_MAX_MS (24 * 3600 * 1000)

static const char *const outcome_names[] = {
    [CA_ACCEPTED] = "accepted",
    [CA_CERTIFICATE] = "certificate",
    [CA_NOT_SENT] = "not_sent",
    [CA_REFUSED] = "refused",
    [CA_DOUBT] = "doubt",
    [CA_NOT_ISSUED] = "not_issued",
    [CA_CANNOT_TELL] = "cannot_tell",
    [CA_REVOKED] = "revoked",
};

static const char *const login_names[] = {
    [CA_LOGIN_UNTRIED] = "untried",
    [CA_LOGIN_TAKEN] = "taken",
    [CA_LOGIN_NONE] = "none",
};

// The place of the member's word in `words`.
static bool get_word(const json_t *object, const char *key, const char *const *words, size_t count,
                     size_t *index, struct error *error) {
    const char *word = json_string_value(json_object_get(object, key));
    for (*index = 0; word != NULL && *index < count; ++*index) {
        if (strcmp(words[*index], word) == 0) {
            return true;
        }
    }
    return outbox_fail_member(error, key);
}

// ---- reading ------------------------------------------------------------------------------------

typedef bool message_reader(const json_t *object, struct outbox_message *message,
                            struct error *error);

static bool read_call_number(const json_t *object, struct outbox_message *message,
                             struct error *error) {
    int64_t call = 0;
    if (!outbox_get_integer(object, "call", 0, UINT32_MAX, &call, error)) {
        return false;
    }
    message->call = (uint32_t)call;
    return call > 0 || outbox_fail_member(error, "call");
}

static bool read_opening(const json_t *object, struct outbox_message *message, const char *name,
                         struct error *error) {
    int64_t protocol = 0;
    if (!outbox_get_integer(object, "protocol", 0, UINT32_MAX, &protocol, error) ||
        !outbox_get_printable(object, name, message->name, sizeof message->name, error)) {
        return false;
    }
    message->protocol = (uint32_t)protocol;
    return text_is_label(message->name) || outbox_fail_member(error, name);
}

// A forwarder of an earlier version does not tell.
static bool read_behind(const json_t *object, struct outbox_message *message, struct error *error) {
    json_t *endpoints = json_object_get(object, "endpoints");
    const char *profile;
    json_t *value;
    bool good = endpoints == NULL ||
                (json_is_object(endpoints) && json_object_size(endpoints) <= OUTBOX_BEHIND_MAX);
    json_object_foreach(good ? endpoints : NULL, profile, value) {
        struct ca_behind *behind = &message->behind[message->behind_count++];
        const char *endpoint = json_string_value(value);
        good = good && endpoint != NULL && outbox_is_printable(endpoint) &&
               text_copy(behind->endpoint, sizeof behind->endpoint, endpoint) &&
               text_is_label(profile) &&
               text_copy(behind->profile, sizeof behind->profile, profile);
    }
    return good || outbox_fail_member(error, "endpoints");
}

static bool read_greeting(const json_t *object, struct outbox_message *message,
                          struct error *error) {
    int64_t answer_ms = 0;
    if (!read_opening(object, message, "program", error) || !read_behind(object, message, error) ||
        !outbox_get_integer(object, "answer_ms", 0, UINT32_MAX, &answer_ms, error)) {
        return false;
    }
    message->answer_ms = (uint32_t)answer_ms;
    return true;
}

static bool read_hello(const json_t *object, struct outbox_message *message, struct error *error) {
    return read_opening(object, message, "bench", error);
}

static bool read_nothing(const json_t *object, struct outbox_message *message,
                         struct error *error) {
    (void)object;
    (void)message;
    (void)error;
    return true;
}

static bool read_farewell(const json_t *object, struct outbox_message *message,
                          struct error *error) {
    return outbox_get_error(object, &message->error, error) &&
           (message->error.code != ERROR_NONE || outbox_fail_member(error, "code"));
}

static bool read_bytes(const json_t *object, const char *key, struct outbox_message *message,
                       struct slice *bytes, struct error *error) {
    return outbox_get_bytes(object, key, message->bytes, sizeof message->bytes, &message->used,
                            bytes, error);
}

static bool read_result(const json_t *object, struct outbox_message *message, struct error *error) {
    struct ca_result *result = &message->result;
    int64_t retry_after_ms = 0;
    size_t outcome = 0;
    if (!read_call_number(object, message, error) ||
        !get_word(object, "outcome", outcome_names, ARRAY_LENGTH(outcome_names), &outcome, error) ||
        !outbox_get_error(object, &result->error, error) ||
        !outbox_get_integer(object, "retry_after_ms", 0, RETRY_MAX_MS, &retry_after_ms, error) ||
        !outbox_get_integer(object, "issued_s", 0, LAST_SECOND_OF_9999, &result->issued_s, error) ||
        !outbox_get_printable(object, "handle", message->handle, sizeof message->handle, error) ||
        !read_bytes(object, "certificate", message, &result->leaf, error) ||
        !read_bytes(object, "chain", message, &result->extra, error)) {
        return false;
    }
    result->outcome = (enum ca_outcome)outcome;
    result->retry_after_ms = (uint32_t)retry_after_ms;
    if (result->outcome == CA_ACCEPTED && message->handle[0] == '\0') {
        return outbox_fail_member(error, "handle");
    }
    if (result->outcome == CA_CERTIFICATE && result->leaf.length == 0) {
        return outbox_fail_member(error, "certificate");
    }
    return true;
}

static bool read_chain(const json_t *object, struct ca_report *report, struct error *error) {
    const json_t *list = json_object_get(object, "chain");
    size_t count = json_array_size(list);
    bool good = (list == NULL || json_is_array(list)) && count <= ARRAY_LENGTH(report->chain);
    for (size_t i = 0; good && i < count; i++) {
        const char *subject = json_string_value(json_array_get(list, i));
        good = subject != NULL && outbox_is_printable(subject) &&
               text_copy(report->chain[i], sizeof report->chain[i], subject);
    }
    return good || outbox_fail_member(error, "chain");
}

// A forwarder of an earlier version does not tell.
static bool read_login(const json_t *object, enum ca_login *login, struct error *error) {
    size_t index = CA_LOGIN_UNTRIED;
    bool good = json_object_get(object, "login") == NULL ||
                get_word(object, "login", login_names, ARRAY_LENGTH(login_names), &index, error);
    *login = (enum ca_login)index;
    return good;
}

static bool read_report(const json_t *object, struct outbox_message *message, struct error *error) {
    struct ca_report *report = &message->report;
    return read_call_number(object, message, error) &&
           outbox_get_flag(object, "reachable", &report->reachable, error) &&
           outbox_get_flag(object, "logged_in", &report->logged_in, error) &&
           read_login(object, &report->login, error) &&
           outbox_get_flag(object, "policy_fits", &report->policy_fits, error) &&
           outbox_get_flag(object, "private", &report->is_private, error) &&
           outbox_get_error(object, &report->error, error) &&
           outbox_get_integer(object, "quota", -1, INT64_MAX, &report->quota, error) &&
           outbox_get_integer(object, "station_certificate_not_after_ms", 0,
                              LAST_SECOND_OF_9999 * 1000, &report->station_certificate_not_after_ms,
                              error) &&
           outbox_get_integer(object, "ca_now_ms", 0, LAST_SECOND_OF_9999 * 1000,
                              &message->ca_now_ms, error) &&
           outbox_get_printable(object, "remark", report->remark, sizeof report->remark, error) &&
           outbox_get_printable(object, "behind", report->behind, sizeof report->behind, error) &&
           read_chain(object, report, error);
}

static bool read_hardware_id(const json_t *object, struct outbox_message *message,
                             struct error *error) {
    struct profile_subject *subject = &message->request.subject;
    char hex[2 * OUTBOX_HARDWARE_ID_MAX + 1];
    if (!outbox_get_text(object, "hardware_id", hex, sizeof hex, error)) {
        return false;
    }
    subject->hardware_id = message->hardware_id;
    subject->hardware_id_length = strlen(hex) / 2;
    return (strlen(hex) % 2 == 0 &&
            hex_decode(message->hardware_id, subject->hardware_id_length, hex)) ||
           outbox_fail_member(error, "hardware_id");
}

static bool read_key(const json_t *object, struct outbox_message *message, struct error *error) {
    char hex[2 * SHA256_SIZE + 1];
    return outbox_get_text(object, "spki_sha256", hex, sizeof hex, error) &&
           (hex_decode(message->request.spki_sha256, SHA256_SIZE, hex) ||
            outbox_fail_member(error, "spki_sha256"));
}

static bool read_check(const json_t *object, struct outbox_message *message, struct error *error) {
    return read_call_number(object, message, error) &&
           outbox_get_profile(json_object_get(object, "profile"), &message->profile, error);
}

static bool read_request(const json_t *object, struct outbox_message *message,
                         struct error *error) {
    struct ca_request *request = &message->request;
    return outbox_get_printable(object, "serial", message->serial, sizeof message->serial, error) &&
           outbox_get_printable(object, "model", message->model, sizeof message->model, error) &&
           read_hardware_id(object, message, error) && read_key(object, message, error) &&
           outbox_get_integer(object, "not_before_s", 0, LAST_SECOND_OF_9999,
                              &request->not_before_s, error) &&
           outbox_get_integer(object, "sent_ms", 0, LAST_SECOND_OF_9999 * 1000, &request->sent_ms,
                              error) &&
           outbox_get_printable(object, "handle", message->handle, sizeof message->handle, error) &&
           outbox_get_printable(object, "endpoint", message->endpoint, sizeof message->endpoint,
                                error) &&
           read_bytes(object, "csr", message, &request->csr, error) &&
           read_bytes(object, "certificate", message, &request->certificate, error);
}

static bool read_call(const json_t *object, struct outbox_message *message, struct error *error) {
    return read_check(object, message, error) && read_request(object, message, error);
}

// A profile that has changed or gone since is no reason not to revoke.
static bool read_revoke(const json_t *object, struct outbox_message *message, struct error *error) {
    const char *reason = json_string_value(json_object_get(object, "reason"));
    const json_t *profile = json_object_get(object, "profile");
    return read_call_number(object, message, error) &&
           outbox_get_profile_name(profile, &message->profile, error) &&
           read_request(object, message, error) &&
           ((reason != NULL && ca_revocation_reason_find(reason, &message->reason)) ||
            outbox_fail_member(error, "reason"));
}

static const struct {
    const char *name;
    message_reader *read;
} types[OUTBOX_TYPE_COUNT] = {
    [OUTBOX_GREETING] = {"greeting", read_greeting}, [OUTBOX_ALIVE] = {"alive", read_nothing},
    [OUTBOX_FAREWELL] = {"farewell", read_farewell}, [OUTBOX_RESULT] = {"result", read_result},
    [OUTBOX_REPORT] = {"report", read_report},       [OUTBOX_HELLO] = {"hello", read_hello},
    [OUTBOX_CHECK] = {"check", read_check},          [OUTBOX_SUBMIT] = {"submit", read_call},
    [OUTBOX_FETCH] = {"fetch", read_call},           [OUTBOX_RECONCILE] = {"reconcile", read_call},
    [OUTBOX_REVOKE] = {"revoke", read_revoke},
};

// All but the bytes, which what was read says the length of.
static void clear_message(struct outbox_message *message) {
    memset(message, 0, offsetof(struct outbox_message, bytes));
    message->request.profile = &message->profile;
    message->request.subject.serial = message->serial;
    message->request.subject.model = message->model;
    message->request.handle = message->handle;
    message->request.endpoint = message->endpoint;
    message->result.handle = message->handle;
}

static bool read_object(const json_t *object, struct outbox_message *message, struct error *error) {
    const char *type = json_string_value(json_object_get(object, "type"));
    for (size_t i = 0; type != NULL && i < ARRAY_LENGTH(types); i++) {
        if (strcmp(types[i].name, type) == 0) {
            message->type = (enum outbox_type)i;
            return types[i].read(object, message, error) || error_prefix(error, "%s", type);
        }
    }
    return outbox_fail_member(error, "type");
}

// The parser recurses; it gives up at 2,048 levels by itself.
bool outbox_read(struct slice line, struct outbox_message *message, struct error *error) {
    json_error_t place;
    clear_message(message);
    json_t *object =
        line.length >= OUTBOX_LINE_MAX
            ? NULL
            : json_loadb((const char *)line.data, line.length, JSON_REJECT_DUPLICATES, &place);
    bool good = json_is_object(object)
                    ? read_object(object, message, error)
                    : error_set(error, E_CA_NONSENSE, "a message is no JSON object of a line");
    json_decref(object);
    return good;
}

// ---- writing ------------------------------------------------------------------------------------

static json_t *begin(enum outbox_type type) {
    json_t *object = json_object();
    outbox_set_text(object, "type", types[type].name);
    return object;
}

static bool put(struct buf *out, json_t *object) {
    char *text = json_dumps(object, JSON_COMPACT);
    size_t length = text != NULL ? strlen(text) : 0;
    bool good = text != NULL && length < OUTBOX_LINE_MAX;
    json_decref(object);
    if (good) {
        text[length] = '\n'; // in the place of its NUL, so that a line is whole or not there
        good = buf_put(out, text, length + 1);
    }
    free(text);
    return good;
}

bool outbox_put_greeting(struct buf *out, const char *program, uint32_t answer_ms,
                         const struct ca_behind *behind, size_t behind_count) {
    json_t *object = begin(OUTBOX_GREETING);
    json_t *endpoints = json_object();
    for (size_t i = 0; i < behind_count; i++) {
        outbox_set_printable(endpoints, behind[i].profile, behind[i].endpoint);
    }
    json_object_set_new(object, "endpoints", endpoints);
    outbox_set_integer(object, "protocol", OUTBOX_PROTOCOL);
    outbox_set_printable(object, "program", program);
    outbox_set_integer(object, "answer_ms", answer_ms);
    return put(out, object);
}

bool outbox_put_hello(struct buf *out, const char *bench) {
    json_t *object = begin(OUTBOX_HELLO);
    outbox_set_integer(object, "protocol", OUTBOX_PROTOCOL);
    outbox_set_printable(object, "bench", bench);
    return put(out, object);
}

bool outbox_put_alive(struct buf *out) {
    return put(out, begin(OUTBOX_ALIVE));
}

bool outbox_put_farewell(struct buf *out, const struct error *error) {
    json_t *object = begin(OUTBOX_FAREWELL);
    outbox_set_error(object, error);
    return put(out, object);
}

static void set_hex(json_t *object, const char *key, const uint8_t *data, size_t length) {
    char hex[2 * OUTBOX_HARDWARE_ID_MAX + 1];
    if (length <= OUTBOX_HARDWARE_ID_MAX) {
        hex_encode(hex, data, length);
        outbox_set_text(object, key, hex);
    }
}

static void set_request(json_t *object, const struct ca_request *request) {
    const struct profile_subject *subject = &request->subject;
    outbox_set_printable(object, "serial", subject->serial != NULL ? subject->serial : "");
    outbox_set_printable(object, "model", subject->model != NULL ? subject->model : "");
    set_hex(object, "hardware_id", subject->hardware_id, subject->hardware_id_length);
    set_hex(object, "spki_sha256", request->spki_sha256, SHA256_SIZE);
    outbox_set_integer(object, "not_before_s", request->not_before_s);
    outbox_set_integer(object, "sent_ms", request->sent_ms);
    outbox_set_printable(object, "handle", request->handle != NULL ? request->handle : "");
    outbox_set_printable(object, "endpoint", request->endpoint != NULL ? request->endpoint : "");
    outbox_set_bytes(object, "csr", request->csr);
    outbox_set_bytes(object, "certificate", request->certificate);
}

bool outbox_put_call(struct buf *out, enum outbox_type type, uint32_t call,
                     const struct ca_request *request, enum ca_revocation_reason reason) {
    json_t *object = begin(type);
    outbox_set_integer(object, "call", call);
    json_object_set_new(object, "profile",
                        type == OUTBOX_REVOKE ? json_pack("{s:s}", "name", request->profile->name)
                                              : outbox_profile_object(request->profile));
    if (type != OUTBOX_CHECK) {
        set_request(object, request);
    }
    if (type == OUTBOX_REVOKE) {
        outbox_set_text(object, "reason", ca_revocation_reason_name(reason));
    }
    return put(out, object);
}

bool outbox_put_result(struct buf *out, uint32_t call, const struct ca_result *result) {
    json_t *object = begin(OUTBOX_RESULT);
    outbox_set_integer(object, "call", call);
    outbox_set_text(object, "outcome", outcome_names[result->outcome]);
    outbox_set_error(object, &result->error);
    outbox_set_integer(object, "retry_after_ms",
                       result->retry_after_ms < RETRY_MAX_MS ? result->retry_after_ms
                                                             : RETRY_MAX_MS);
    outbox_set_integer(object, "issued_s", result->issued_s);
    outbox_set_printable(object, "handle", result->handle);
    outbox_set_bytes(object, "certificate", result->leaf);
    outbox_set_bytes(object, "chain", result->extra);
    return put(out, object);
}

bool outbox_put_report(struct buf *out, uint32_t call, const struct ca_report *report) {
    json_t *object = begin(OUTBOX_REPORT);
    json_t *chain = json_array();
    outbox_set_integer(object, "call", call);
    json_object_set_new(object, "reachable", json_boolean(report->reachable));
    json_object_set_new(object, "logged_in", json_boolean(report->logged_in));
    outbox_set_text(object, "login", login_names[report->login]);
    json_object_set_new(object, "policy_fits", json_boolean(report->policy_fits));
    json_object_set_new(object, "private", json_boolean(report->is_private));
    outbox_set_error(object, &report->error);
    outbox_set_integer(object, "quota", report->quota);
    outbox_set_integer(object, "station_certificate_not_after_ms",
                       report->station_certificate_not_after_ms);
    if (report->clock_offset_ms != 0) {
        outbox_set_integer(object, "ca_now_ms", clock_wall_ms() + report->clock_offset_ms);
    }
    outbox_set_printable(object, "remark", report->remark);
    outbox_set_printable(object, "behind", report->behind);
    for (size_t i = 0; i < ARRAY_LENGTH(report->chain) && report->chain[i][0] != '\0'; i++) {
        json_array_append_new(chain, json_string(report->chain[i]));
    }
    json_object_set_new(object, "chain", chain);
    return put(out, object);
}

const char *outbox_type_name(enum outbox_type type) {
    return types[type].name;
}

const char *outbox_outcome_name(enum ca_outcome outcome) {
    return outcome_names[outcome];
}
