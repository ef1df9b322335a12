// SPDX-License-Identifier: Apache-2.0
// What the device*.c files share; no business of firmware.
#ifndef BIRTHCERT_PROTOCOL_DEVICE_PARTS_H
#define BIRTHCERT_PROTOCOL_DEVICE_PARTS_H

#include "protocol/device.h"

// Work longer than this sends progress (PROTOCOL.md, section 4).
#define DEVICE_SILENCE_ALLOWED_MS 500

// What a progress frame promises beyond the work itself: it survives four lost frames.
#define DEVICE_SILENCE_MARGIN_MS 2500

#define DEVICE_RETRY_AFTER_MS 1000 // BUSY's detail

// Turns `answer` into an error. `text` NULL takes the code's own.
void device_fail(struct message *answer, enum camera_error code, const char *text);

// The same with "BEFORE NUMBER AFTER", at most MESSAGE_TEXT_MAX bytes.
void device_fail_number(struct message *answer, enum camera_error code, const char *before,
                        uint32_t number, const char *after);

void device_fail_detail(struct message *answer, uint32_t detail);

// Sends `answer` to the request with that session and sequence; one that does not fit the
// negotiated payload becomes the error TOO_LARGE. The frame stays in device->wire, of the length
// returned.
size_t device_send(struct device *device, uint32_t session, uint16_t sequence,
                   struct message *answer);

// Promises the station an answer within `max_silence_ms`.
void device_send_silence(struct device *device, const struct frame *request,
                         uint32_t max_silence_ms);

// device_state.c. Whether every size in it is within its bounds.
bool device_state_is_sound(const struct device_state *state);

// After a keep_* that failed: what is stored after all.
void device_reload(struct device *device);

// The credential's record where `number` is one and, if `needs_key`, holds a key; else NULL, and
// `answer` says why.
const struct device_credential *device_credential(const struct device *device, uint8_t number,
                                                  bool needs_key, struct message *answer);

// device_key.c. An `answer` of the kind FRAME_REQUEST is not to be sent: device_poll will answer.
void device_handle_generate_key(struct device *device, int64_t now_ms, const struct frame *frame,
                                const struct message *request, struct message *answer);
int64_t device_advance_generation(struct device *device, int64_t now_ms);
void device_cancel_generation(struct device *device);
void device_fill_progress(const struct device *device, struct message *answer);

// device_object.c
void device_handle_read(struct device *device, const struct message *request,
                        struct message *answer);
void device_handle_write(struct device *device, const struct message *request,
                         struct message *answer);
void device_handle_commit(struct device *device, const struct frame *frame,
                          const struct message *request, struct message *answer);
void device_handle_prove(struct device *device, const struct frame *frame,
                         const struct message *request, struct message *answer);
void device_handle_finish(struct device *device, const struct message *request,
                          struct message *answer);

#endif
