// SPDX-License-Identifier: Apache-2.0
#include "protocol/link.h"

#include <string.h>

#define ANSWER_ALLOWANCE_MS 300

void link_init(struct link *link, uint32_t bit_rate) {
    link->bit_rate = bit_rate;
    link->sequence = 0;
    frame_decoder_init(&link->decoder, link->receive, sizeof link->receive);
    link_set_session(link, 0);
}

void link_set_session(struct link *link, uint32_t session) {
    link->session = session;
    link->max_payload = FRAME_PAYLOAD_BEFORE_HELLO;
    link->busy = false;
    link->deadline_ms = LINK_NEVER;
}

void link_set_max_payload(struct link *link, uint32_t max_payload) {
    link->max_payload = max_payload;
}

// Twice the wire time of the request, and also of the longest answer: at 9600 baud an answer of
// 1 KiB takes a second, and repeating meanwhile would only lengthen the queue.
static int64_t link_patience_ms(const struct link *link) {
    if (link->bit_rate == 0) {
        return ANSWER_ALLOWANCE_MS;
    }
    uint64_t bits = 10 * (uint64_t)(link->wire_length + FRAME_WIRE_MAX(link->max_payload));
    return ANSWER_ALLOWANCE_MS + (int64_t)(2 * bits * 1000 / link->bit_rate);
}

static void link_transmit(struct link *link, int64_t now_ms, struct link_output *output) {
    link->deadline_ms = now_ms + link_patience_ms(link);
    output->write = (struct slice){link->wire, link->wire_length};
}

static void link_finish(struct link *link, enum link_event event, struct link_output *output) {
    link->busy = false;
    link->deadline_ms = LINK_NEVER;
    output->event = event;
}

bool link_request(struct link *link, int64_t now_ms, const struct message *request, uint8_t repeats,
                  uint32_t cap_ms, struct link_output *output) {
    memset(output, 0, sizeof *output);
    size_t length = message_encode(link->payload, link->max_payload, request);
    if (length == 0) {
        return false;
    }
    link->sequence++;
    struct frame frame = {
        .kind = FRAME_REQUEST,
        .op = (uint8_t)request->op,
        .sequence = link->sequence,
        .session = link->session,
        .payload = {link->payload, length},
    };
    link->wire_length = frame_encode(link->wire, sizeof link->wire, &frame, 0);
    link->busy = true;
    link->op = frame.op;
    link->repeats_left = repeats;
    link->cap_ms = cap_ms;
    link->hard_end_ms = now_ms + cap_ms;
    link_transmit(link, now_ms, output);
    return true;
}

static bool link_awaits(const struct link *link, const struct frame *frame) {
    return link->busy && frame->kind != FRAME_REQUEST && frame->op == link->op &&
           frame->sequence == link->sequence && frame->session == link->session;
}

// A camera that works gets the time that it asks for, up to the cap, and its answer's way back.
static void link_take_progress(struct link *link, int64_t now_ms, struct link_output *output) {
    int64_t deadline = now_ms + output->message.progress.max_silence_ms + link_patience_ms(link);
    link->deadline_ms = deadline < link->hard_end_ms ? deadline : link->hard_end_ms;
    link->repeats_left = LINK_REPEATS;
    output->event = LINK_PROGRESS;
}

static void link_take_answer(struct link *link, int64_t now_ms, const struct frame *frame,
                             struct link_output *output) {
    if (message_decode(frame, &output->message) != CAMERA_OK) {
        link_finish(link, LINK_BROKEN, output);
    } else if (frame->kind == FRAME_PROGRESS) {
        link_take_progress(link, now_ms, output);
    } else {
        link_finish(link, frame->kind == FRAME_ERROR ? LINK_REFUSED : LINK_REPLY, output);
    }
}

void link_receive(struct link *link, int64_t now_ms, struct slice bytes,
                  struct link_output *output) {
    memset(output, 0, sizeof *output);
    while (bytes.length > 0) {
        struct frame frame;
        bool found = false;
        size_t used = frame_decoder_feed(&link->decoder, bytes, &frame, &found);
        bytes.data += used;
        bytes.length -= used;
        if (!found || !link_awaits(link, &frame)) {
            continue;
        }
        link_take_answer(link, now_ms, &frame, output);
        if (!link->busy) {
            return;
        }
    }
}

void link_tick(struct link *link, int64_t now_ms, struct link_output *output) {
    memset(output, 0, sizeof *output);
    if (!link->busy || now_ms < link->deadline_ms) {
        return;
    }
    if (link->repeats_left == 0 || now_ms >= link->hard_end_ms) {
        link_finish(link, LINK_SILENT, output);
        return;
    }
    link->repeats_left--;
    link_transmit(link, now_ms, output);
}
