// SPDX-License-Identifier: Apache-2.0
#include "protocol/session.h"

#include <assert.h>
#include <string.h>

#define MS_PER_S 1000
#define ORDER_CAP_MS 30000
#define RESTARTS_MAX 24
#define BUSY_PAUSE_MAX_MS 10000
#define WATCH_REPEATS 2
// A camera may take 500 ms before it owes a sign of life: twice 300 ms hear it.
#define PROBE_REPEATS 1
// Around the data of a READ's answer or a WRITE: the map, its keys, four integers and a length.
#define CHUNK_OVERHEAD 32

void session_init(struct session *session, const struct session_settings *settings) {
    assert(settings->seed != 0);
    session->settings = *settings;
    session->random = settings->seed;
    session->step = STEP_IDLE;
    link_init(&session->link, settings->bit_rate);
    session_forget(session);
}

void session_forget(struct session *session) {
    link_set_session(&session->link, 0);
    frame_decoder_reset(&session->link.decoder);
    session->identified = false;
    session->step = STEP_IDLE;
    session->order.kind = SESSION_NOTHING;
}

// xorshift64*: session numbers tell sessions apart; they are no secret.
static uint32_t session_next_number(struct session *session) {
    session->random ^= session->random >> 12;
    session->random ^= session->random << 25;
    session->random ^= session->random >> 27;
    uint32_t number = (uint32_t)((session->random * 0x2545F4914F6CDD1DULL) >> 32);
    return number != 0 ? number : 1;
}

static void session_end(struct session *session, enum session_outcome outcome,
                        struct session_output *output) {
    session->step = STEP_IDLE;
    output->result.outcome = outcome;
    output->result.order = session->order.kind;
    session->order.kind = SESSION_NOTHING;
}

static void session_pause(struct session *session, int64_t now_ms, uint32_t pause_ms,
                          enum session_step next) {
    // What is outstanding belongs to an order that was dropped.
    session->link.busy = false;
    session->link.deadline_ms = LINK_NEVER;
    session->step = STEP_PAUSE;
    session->resume_ms = now_ms + pause_ms;
    session->next = next;
}

static void session_send(struct session *session, int64_t now_ms, const struct message *message,
                         struct session_output *output) {
    uint8_t repeats = LINK_REPEATS;
    if (session->order.kind == SESSION_PROBE && session->step == STEP_HELLO) {
        repeats = PROBE_REPEATS;
    } else if (session->order.kind == SESSION_WATCH) {
        repeats = WATCH_REPEATS;
    }
    uint32_t cap_ms = ORDER_CAP_MS;
    if (message->op == OP_GENERATE_KEY) {
        cap_ms = (uint32_t)(session->order_end_ms > now_ms ? session->order_end_ms - now_ms : 0);
    }
    struct link_output link_output;
    if (!link_request(&session->link, now_ms, message, repeats, cap_ms, &link_output)) {
        // The camera agreed to less than the request takes. The tick says so: an order that is
        // being started has no result yet.
        session_pause(session, now_ms, 0, STEP_REFUSE);
        return;
    }
    output->write = link_output.write;
}

static void session_send_hello(struct session *session, int64_t now_ms,
                               struct session_output *output) {
    struct message message = {.op = OP_HELLO, .kind = FRAME_REQUEST};
    message.hello.max_payload = session->settings.max_payload;
    link_set_session(&session->link, session_next_number(session));
    session->looked = false;
    session->step = STEP_HELLO;
    session_send(session, now_ms, &message, output);
}

static void session_send_info(struct session *session, int64_t now_ms,
                              struct session_output *output) {
    struct message message = {.op = OP_INFO, .kind = FRAME_REQUEST};
    session->step = STEP_INFO;
    session_send(session, now_ms, &message, output);
}

static uint32_t chunk_size(const struct session *session) {
    return session->link.max_payload - CHUNK_OVERHEAD;
}

static void fill_write(struct session *session, struct message *message) {
    const struct session_order *order = &session->order;
    uint32_t left = (uint32_t)order->chain.length - session->offset;
    message->op = OP_WRITE;
    message->write.object = OBJECT_CHAIN;
    message->write.credential = order->credential;
    message->write.offset = session->offset;
    message->write.total = (uint32_t)order->chain.length;
    message->write.data = (struct slice){order->chain.data + session->offset,
                                         left < chunk_size(session) ? left : chunk_size(session)};
}

static void fill_install(struct session *session, struct message *message) {
    if (!session->committing) {
        fill_write(session, message);
        return;
    }
    message->op = OP_COMMIT;
    message->commit.object = OBJECT_CHAIN;
    message->commit.credential = session->order.credential;
    memcpy(message->commit.sha256, session->order.sha256, SHA256_SIZE);
}

static void fill_generate(const struct session *session, struct message *message) {
    const struct session_order *order = &session->order;
    message->op = OP_GENERATE_KEY;
    message->generate_key.credential = order->credential;
    message->generate_key.key_type = order->key_type;
    message->generate_key.subject = order->subject;
    message->generate_key.replace = order->replace;
    memcpy(message->generate_key.job_id, order->job_id, sizeof order->job_id);
}

static void fill_fetch(const struct session *session, struct message *message) {
    message->op = OP_READ;
    message->read.object = session->order.object;
    message->read.credential = session->order.credential;
    message->read.offset = session->offset;
    message->read.length = chunk_size(session);
}

static void session_send_order(struct session *session, int64_t now_ms,
                               struct session_output *output) {
    struct message message = {.kind = FRAME_REQUEST};
    const struct session_order *order = &session->order;
    switch (order->kind) {
    case SESSION_GENERATE:
        fill_generate(session, &message);
        break;
    case SESSION_FETCH:
        fill_fetch(session, &message);
        break;
    case SESSION_INSTALL:
        fill_install(session, &message);
        break;
    case SESSION_PROVE:
        message.op = OP_PROVE;
        message.prove.credential = order->credential;
        memcpy(message.prove.nonce, order->nonce, sizeof order->nonce);
        break;
    case SESSION_FINISH:
        message.op = OP_FINISH;
        message.finish.lock = order->lock;
        break;
    case SESSION_WATCH:
        message.op = OP_IDENTIFY;
        message.identify.seconds = order->blink_s;
        session->blink_ms = now_ms + (int64_t)order->blink_s * MS_PER_S;
        break;
    default:
        assert(false);
    }
    session->step = STEP_ORDER;
    session_send(session, now_ms, &message, output);
}

// PROBE, IDENTIFY and WATCH begin and may end with INFO; the others go on to their own request.
static bool order_is_info(enum session_order_kind kind) {
    return kind == SESSION_PROBE || kind == SESSION_IDENTIFY || kind == SESSION_WATCH;
}

static void session_refuse(struct session *session, struct session_output *output) {
    output->result.camera_error = CAMERA_TOO_LARGE;
    text_copy(output->result.text, sizeof output->result.text,
              "its max_payload does not hold the request");
    session_end(session, SESSION_REFUSED, output);
}

static void session_go(struct session *session, int64_t now_ms, enum session_step step,
                       struct session_output *output) {
    if (step == STEP_REFUSE) {
        session_refuse(session, output);
    } else if (step == STEP_HELLO || session->link.session == 0) {
        session_send_hello(session, now_ms, output);
    } else if (step == STEP_INFO || !session->looked) {
        // Whoever answers a new session may be another camera, and may have refused to say so.
        session_send_info(session, now_ms, output);
    } else {
        session_send_order(session, now_ms, output);
    }
}

static void session_watch_on(struct session *session, int64_t now_ms) {
    session_pause(session, now_ms, session->settings.watch_interval_ms, STEP_INFO);
}

void session_start(struct session *session, int64_t now_ms, const struct session_order *order,
                   struct session_output *output) {
    memset(output, 0, sizeof *output);
    assert(order->subject.length <= SESSION_SUBJECT_MAX);
    session->order = *order;
    if (order->subject.length > 0) {
        memcpy(session->subject, order->subject.data, order->subject.length);
        session->order.subject.data = session->subject;
    }
    session->escalation = 0;
    session->restarts = 0;
    session->offset = 0;
    session->total = 0;
    session->committing = false;
    session->order_end_ms = now_ms + session->settings.generate_timeout_ms;
    session->blink_ms = now_ms;
    if (order->kind == SESSION_PROBE) {
        session->identified = false;
        session_pause(session, now_ms, order->pause_ms, STEP_HELLO);
        session_tick(session, now_ms, output);
    } else if (order->kind == SESSION_WATCH) {
        session_watch_on(session, now_ms);
    } else {
        session_go(session, now_ms, order_is_info(order->kind) ? STEP_INFO : STEP_ORDER, output);
    }
}

static void handle_hello(struct session *session, int64_t now_ms, const struct message *message,
                         struct session_output *output) {
    uint32_t agreed = message->hello.max_payload;
    if (agreed < 128 || agreed > session->settings.max_payload) {
        session_end(session, SESSION_BROKEN, output);
        return;
    }
    link_set_max_payload(&session->link, agreed);
    // Whoever answers a new session may be another camera: look before going on.
    session_send_info(session, now_ms, output);
}

static void handle_info(struct session *session, int64_t now_ms, const struct message *message,
                        struct session_output *output) {
    const struct message_info *info = &message->info;
    // Who is first known during a watch came while nobody could be asked.
    bool swapped = session->identified ? strcmp(session->serial, info->serial) != 0
                                       : session->order.kind == SESSION_WATCH;
    session->looked = true;
    session->identified = true;
    memcpy(session->serial, info->serial, sizeof session->serial);
    output->result.info = *info;
    if (swapped) {
        session_end(session, SESSION_SWAPPED, output);
    } else if (session->order.kind == SESSION_WATCH) {
        session->escalation = 0;
        session->restarts = 0;
        if (session->order.blink_s > 0 && now_ms >= session->blink_ms) {
            session_send_order(session, now_ms, output);
        } else {
            session_watch_on(session, now_ms);
        }
    } else if (order_is_info(session->order.kind)) {
        session_end(session, SESSION_DONE, output);
    } else {
        session_send_order(session, now_ms, output);
    }
}

static void handle_read(struct session *session, int64_t now_ms, const struct message *message,
                        struct session_output *output) {
    uint32_t total = message->data.total;
    size_t length = message->data.data.length;
    bool changed = session->offset > 0 && total != session->total;
    if (message->data.offset != session->offset || length == 0 || total > MESSAGE_OBJECT_MAX ||
        changed || length > total - session->offset) {
        session_end(session, SESSION_BROKEN, output);
        return;
    }
    memcpy(session->object + session->offset, message->data.data.data, length);
    session->total = total;
    session->offset += (uint32_t)length;
    if (session->offset < total) {
        session_send_order(session, now_ms, output);
        return;
    }
    output->result.object = (struct slice){session->object, total};
    session_end(session, SESSION_DONE, output);
}

static void handle_written(struct session *session, int64_t now_ms, const struct message *message,
                           struct session_output *output) {
    uint32_t next = message->written.next_offset;
    if (next <= session->offset || next > session->order.chain.length) {
        session_end(session, SESSION_BROKEN, output);
        return;
    }
    session->offset = next;
    session->committing = next == session->order.chain.length;
    session_send_order(session, now_ms, output);
}

static void handle_proof(struct session *session, const struct message *message,
                         struct session_output *output) {
    struct slice signature = message->proof.signature;
    if (signature.length > sizeof session->signature) {
        session_end(session, SESSION_BROKEN, output);
        return;
    }
    if (signature.length > 0) {
        memcpy(session->signature, signature.data, signature.length);
    }
    output->result.signature = (struct slice){session->signature, signature.length};
    output->result.signature_algorithm = message->proof.signature_algorithm;
    memcpy(output->result.certificate_sha256, message->proof.certificate_sha256, SHA256_SIZE);
    session_end(session, SESSION_DONE, output);
}

static void handle_order(struct session *session, int64_t now_ms, const struct message *message,
                         struct session_output *output) {
    switch (message->op) {
    case OP_IDENTIFY:
        session_watch_on(session, now_ms);
        return;
    case OP_READ:
        handle_read(session, now_ms, message, output);
        return;
    case OP_WRITE:
        handle_written(session, now_ms, message, output);
        return;
    case OP_PROVE:
        handle_proof(session, message, output);
        return;
    case OP_GENERATE_KEY:
        output->result.csr_size = message->generated.csr_size;
        memcpy(output->result.spki_sha256, message->generated.spki_sha256, SHA256_SIZE);
        break;
    case OP_COMMIT:
        if (memcmp(message->committed.sha256, session->order.sha256, SHA256_SIZE) != 0) {
            session_end(session, SESSION_BROKEN, output);
            return;
        }
        break;
    case OP_FINISH:
        output->result.lifecycle = message->finished.lifecycle;
        break;
    default:
        break;
    }
    session_end(session, SESSION_DONE, output);
}

static void handle_reply(struct session *session, int64_t now_ms, const struct message *message,
                         struct session_output *output) {
    session->escalation = session->step == STEP_ORDER ? 0 : session->escalation;
    if (session->step == STEP_HELLO) {
        handle_hello(session, now_ms, message, output);
    } else if (session->step == STEP_INFO) {
        handle_info(session, now_ms, message, output);
    } else {
        handle_order(session, now_ms, message, output);
    }
}

// What the camera lost (a session, what was staged) or has no time for is begun again; all else is
// for the unit's flow to judge.
static void handle_refusal(struct session *session, int64_t now_ms, const struct message *message,
                           struct session_output *output) {
    enum camera_error code = message->error.code;
    bool installing = session->step == STEP_ORDER && session->order.kind == SESSION_INSTALL;
    bool blinking = session->step == STEP_ORDER && session->order.kind == SESSION_WATCH;
    bool again = ++session->restarts <= RESTARTS_MAX;
    if (again && code == CAMERA_BAD_SESSION && session->step != STEP_HELLO) {
        session_send_hello(session, now_ms, output);
    } else if (again && code == CAMERA_BUSY) {
        uint32_t pause_ms = message->error.has_detail ? message->error.detail : 100;
        session_pause(session, now_ms, pause_ms < BUSY_PAUSE_MAX_MS ? pause_ms : BUSY_PAUSE_MAX_MS,
                      session->step);
    } else if (again && installing && code == CAMERA_BAD_OFFSET && message->error.has_detail &&
               message->error.detail < session->order.chain.length) {
        session->offset = message->error.detail;
        session->committing = false;
        session_send_order(session, now_ms, output);
    } else if (again && installing && code == CAMERA_HASH_MISMATCH) {
        session->offset = 0;
        session->committing = false;
        session_send_order(session, now_ms, output);
    } else if (blinking) {
        session->order.blink_s = 0; // it need not know how
        session_watch_on(session, now_ms);
    } else {
        output->result.camera_error = code;
        memcpy(output->result.text, message->error.text, sizeof output->result.text);
        session_end(session, SESSION_REFUSED, output);
    }
}

// Silence: a new session; then a reset and a new session; then the slot fails. A probe knows no
// failure, and a watch takes silence as the answer.
static void handle_silence(struct session *session, int64_t now_ms, struct session_output *output) {
    if (session->order.kind == SESSION_PROBE && session->step == STEP_HELLO) {
        session_pause(session, now_ms, session->settings.probe_interval_ms, STEP_HELLO);
        return;
    }
    if (session->order.kind == SESSION_WATCH && session->step == STEP_ORDER) {
        session->order.blink_s = 0; // only INFO tells whether the camera is there
        session_watch_on(session, now_ms);
        return;
    }
    bool expired = session->order.kind == SESSION_GENERATE && now_ms >= session->order_end_ms;
    bool spent = ++session->escalation > 2 || ++session->restarts > RESTARTS_MAX;
    if (session->order.kind == SESSION_WATCH || expired || spent) {
        link_set_session(&session->link, 0);
        session_end(session, SESSION_TIMEOUT, output);
        return;
    }
    output->reset = session->escalation == 2;
    session_send_hello(session, now_ms, output);
}

static void session_take(struct session *session, int64_t now_ms,
                         const struct link_output *link_output, struct session_output *output) {
    output->write = link_output->write;
    switch (link_output->event) {
    case LINK_NOTHING:
    case LINK_PROGRESS:
        break;
    case LINK_REPLY:
        handle_reply(session, now_ms, &link_output->message, output);
        break;
    case LINK_REFUSED:
        handle_refusal(session, now_ms, &link_output->message, output);
        break;
    case LINK_SILENT:
        handle_silence(session, now_ms, output);
        break;
    case LINK_BROKEN:
        session_end(session, SESSION_BROKEN, output);
        break;
    }
}

void session_receive(struct session *session, int64_t now_ms, struct slice bytes,
                     struct session_output *output) {
    struct link_output link_output;
    memset(output, 0, sizeof *output);
    link_receive(&session->link, now_ms, bytes, &link_output);
    session_take(session, now_ms, &link_output, output);
}

void session_tick(struct session *session, int64_t now_ms, struct session_output *output) {
    struct link_output link_output;
    memset(output, 0, sizeof *output);
    if (session->step == STEP_PAUSE) {
        if (now_ms >= session->resume_ms) {
            session_go(session, now_ms, session->next, output);
        }
        return;
    }
    link_tick(&session->link, now_ms, &link_output);
    session_take(session, now_ms, &link_output, output);
}

int64_t session_deadline_ms(const struct session *session) {
    return session->step == STEP_PAUSE ? session->resume_ms : session->link.deadline_ms;
}
