// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/support_http_server.h"

enum frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RESET = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GO_AWAY = 7,
};
#define FLAG_END_STREAM 1
#define FLAG_ACK 1
#define FLAG_END_HEADERS 4

#define ERROR_INTERNAL 2
#define ERROR_REFUSED_STREAM 7
#define ERROR_HTTP_1_1_REQUIRED 13

struct frame {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    uint8_t payload[16384];
};

static bool read_frame(struct server_connection *connection, struct frame *frame) {
    uint8_t header[9];
    if (!server_read(connection, header, sizeof header)) {
        return false;
    }
    frame->length = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2];
    frame->type = header[3];
    frame->flags = header[4];
    frame->stream = load_be32(header + 5) & 0x7fffffffU;
    return frame->length <= sizeof frame->payload &&
           server_read(connection, frame->payload, frame->length);
}

static bool write_frame(struct server_connection *connection, uint8_t type, uint8_t flags,
                        uint32_t stream, const void *payload, size_t length) {
    uint8_t bytes[9 + 256] = {0, (uint8_t)(length >> 8), (uint8_t)length, type, flags};
    store_be32(bytes + 5, stream);
    memcpy(bytes + 9, payload, length);
    return server_write(connection, bytes, 9 + length);
}

static bool write_reset(struct server_connection *connection, uint32_t stream, uint32_t code) {
    uint8_t payload[4];
    store_be32(payload, code);
    return write_frame(connection, FRAME_RESET, 0, stream, payload, sizeof payload);
}

// HPACK (RFC 7541): literals without indexing, names 8 (:status) and 46 (location) of the static
// table.
static bool write_created(struct server_connection *connection, uint32_t stream, uint8_t flags) {
    static const char block[] = "\x08\x03"
                                "201"
                                "\x0f\x1f\x15"
                                "/v2/certificates/01AB";
    return write_frame(connection, FRAME_HEADERS, (uint8_t)(flags | FLAG_END_HEADERS), stream,
                       block, sizeof block - 1);
}

static bool take_step(struct server_connection *connection, uint32_t stream) {
    static const uint8_t nothing_seen[8] = {0};
    switch (server_next_step(connection->server)) {
    case SERVER_ANSWER:
        return write_created(connection, stream, FLAG_END_STREAM);
    case SERVER_ANSWER_CLOSE:
        write_created(connection, stream, FLAG_END_STREAM);
        return false;
    case SERVER_REFUSE_STREAM:
        return write_reset(connection, stream, ERROR_REFUSED_STREAM);
    case SERVER_DEMAND_HTTP_1:
        return write_reset(connection, stream, ERROR_HTTP_1_1_REQUIRED);
    case SERVER_ANSWER_AND_RESET:
        return write_created(connection, stream, 0) &&
               write_reset(connection, stream, ERROR_INTERNAL);
    case SERVER_GO_AWAY:
        write_frame(connection, FRAME_GO_AWAY, 0, 0, nothing_seen, sizeof nothing_seen);
        return false;
    case SERVER_SILENT:
        return true;
    default:
        return false;
    }
}

void server_speak_http_2(struct server_connection *connection) {
    char preface[24];
    struct frame frame;
    bool going = server_read(connection, preface, sizeof preface) &&
                 write_frame(connection, FRAME_SETTINGS, 0, 0, "", 0);
    while (going && read_frame(connection, &frame)) {
        bool has_end = (frame.flags & FLAG_END_STREAM) != 0;
        if (frame.type == FRAME_SETTINGS && (frame.flags & FLAG_ACK) == 0) {
            going = write_frame(connection, FRAME_SETTINGS, FLAG_ACK, 0, "", 0);
        } else if (frame.type == FRAME_PING && (frame.flags & FLAG_ACK) == 0) {
            going = write_frame(connection, FRAME_PING, FLAG_ACK, 0, frame.payload, 8);
        } else if ((frame.type == FRAME_HEADERS || frame.type == FRAME_DATA) && has_end) {
            going = take_step(connection, frame.stream);
        }
    }
}
