// SPDX-License-Identifier: Apache-2.0
// A bench's half of the outbox, the backend itself, against a forwarder that a test plays line by
// line, on one loop. For check_outbox*.c, which are linked so that send() and the monotonic clock are
// the rig's.
#ifndef BIRTHCERT_TESTS_OUTBOX_PEER_H
#define BIRTHCERT_TESTS_OUTBOX_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/ca_outbox_message.h"
#include "station/io/loop.h"

#define RESULTS_MAX (CA_PENDING_MAX + 8)
#define GUARD_MS 20000

struct rig {
    char path[160]; // of the socket
    struct loop *loop;
    struct ca *ca;
    struct profile profile;
    int listener;
    int peer;                      // -1: none is accepted
    struct outbox_message message; // the last that the peer read
    bool limits_sending;
    size_t may_send;  // bytes that the kernel still takes
    int64_t ahead_ms; // how far the clock was moved
    struct {
        size_t count;
        int64_t ids[RESULTS_MAX];
        enum ca_outcome outcomes[RESULTS_MAX];
        struct ca_result last;
        char handle[CA_HANDLE_SIZE];
        uint8_t leaf[16];
        uint8_t extra[16];
        size_t reports;
        struct ca_report report;
        size_t behind_count;
        struct ca_behind behind[OUTBOX_BEHIND_MAX];
        bool asks_again; // submit anew, as 99, from inside on_result
    } got;
};
extern struct rig rig;

void outbox_setup(void); // also listens, and opens the backend
void outbox_teardown(void);

struct ca_request bench_request(int64_t id);
void bench_open(void);
void bench_close(void); // and the peer's connection

int64_t real_monotonic_ms(void);
void run_ms(int64_t ms);
// Until *count is `wanted`, and no more.
void wait_for(const size_t *count, size_t wanted);

void peer_listen(void);
void peer_accept(void);
void peer_hang_up(void);
void peer_send(const void *data, size_t length);
void peer_say(const char *text);
void peer_greet(uint32_t answer_ms);
// The next line, which must be a good one; into rig.message. Returns its length with the newline.
size_t peer_read(void);
void peer_put_result(struct buf *out, uint32_t call, enum ca_outcome outcome);
void peer_answer(uint32_t call, enum ca_outcome outcome);

// A connection on which everything may be asked. Its first call is a check.
void connect_up(uint32_t answer_ms);

#endif
