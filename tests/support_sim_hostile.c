// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/support_sim.h"

// An error of any kind, for whatever was asked, also where it was done.
static void invent_error(struct sim *sim, const struct frame *frame, struct message *message) {
    *message = (struct message){.op = (enum message_op)frame->op, .kind = FRAME_ERROR};
    message->error.code =
        (enum camera_error)(CAMERA_MALFORMED + sim_trouble_below(sim, CAMERA_NO_CREDENTIAL));
    message->error.has_detail = sim_trouble(sim, 50);
    message->error.detail = (uint32_t)sim_trouble_below(sim, 2000);
    text_copy(message->error.text, sizeof message->error.text, "no\x1b[2J; DROP TABLE unit");
}

bool sim_hostile_answer(struct sim_camera *camera, struct slice *bytes) {
    static uint8_t buffer[FRAME_WIRE_MAX(1024)];
    static uint8_t payload[512];
    struct sim *sim = camera->sim;
    struct frame_decoder decoder;
    struct frame frame;
    struct message message;
    bool found = false;
    if (sim->faults.hostile == 0 || camera->index != sim->faults.hostile_camera ||
        sim_is_kind(sim) || !sim_trouble(sim, sim->faults.hostile)) {
        return false;
    }
    frame_decoder_init(&decoder, buffer, sizeof buffer);
    frame_decoder_feed(&decoder, *bytes, &frame, &found);
    if (!found) {
        return false;
    }
    invent_error(sim, &frame, &message);
    sim_trace(sim, "%s invents %s for %s", camera->serial, camera_error_name(message.error.code),
              message_op_name(message.op));
    frame.kind = FRAME_ERROR;
    frame.payload = (struct slice){payload, message_encode(payload, sizeof payload, &message)};
    *bytes = (struct slice){buffer, frame_encode(buffer, sizeof buffer, &frame, 0)};
    return true;
}
