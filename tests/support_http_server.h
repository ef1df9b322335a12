// SPDX-License-Identifier: Apache-2.0
// A small HTTPS server that misbehaves on purpose, on threads of the test program. HTTP/1.1, or
// HTTP/2 with as much of it (RFC 9113) as a single small exchange needs.
#ifndef BIRTHCERT_TESTS_SUPPORT_HTTP_SERVER_H
#define BIRTHCERT_TESTS_SUPPORT_HTTP_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support_pki.h"

enum server_step {
    SERVER_ANSWER,          // `answer`, and keep the connection
    SERVER_ANSWER_CLOSE,    // `answer`, then close without a word
    SERVER_DROP,            // read the whole request, close
    SERVER_DRIP,            // a header byte now and then, without end
    SERVER_ENDLESS_BODY,    // chunks without end
    SERVER_ENDLESS_HEADERS, // header lines without end
    SERVER_ENDLESS_LINE,    // one header line without end
    SERVER_ENDLESS_INTERIM, // 103 answers without end
    SERVER_SILENT,          // read, never answer
    // HTTP/2 only
    SERVER_REFUSE_STREAM,    // RST_STREAM with REFUSED_STREAM
    SERVER_DEMAND_HTTP_1,    // RST_STREAM with HTTP_1_1_REQUIRED
    SERVER_ANSWER_AND_RESET, // a 201 with its headers, then RST_STREAM with INTERNAL_ERROR
    SERVER_GO_AWAY,          // GOAWAY that says that nothing was looked at
};

#define SERVER_STEPS_MAX 16
#define SERVER_REQUEST_MAX 8192

struct server_settings {
    // What happens to the first request, the second, ...; after the last it is the last for all.
    enum server_step steps[SERVER_STEPS_MAX];
    size_t step_count;
    const char *answer; // status line to body, for HTTP/1.1; NULL: an empty 201 with a Location
    // Instead of `answer`, for HTTP/1.1: chosen by the request, on the connection's thread. NULL:
    // the connection is dropped.
    const char *(*answer_to)(const char *request);
    // The same for a body of any bytes: what to say, status line and all. NULL: nothing, and the
    // connection ends. The server frees it.
    struct buf *(*answer_body)(void *context, struct slice body);
    void *answer_context;
    bool http_2;
    bool wants_client_certificate;
    bool no_handshake;       // accepts and says nothing
    bool plain;              // without TLS
    int tls_version_max;     // 0: any
    const char *common_name; // NULL: a certificate for 127.0.0.1; else one for that name alone
};

struct server {
    struct server_settings settings;
    char folder[64];
    char root_file[160]; // of the server's certificate
    char client_certificate_file[160];
    char client_key_file[160];
    struct pki_ca ca;
    SSL_CTX *context;
    int listener;
    unsigned port;
    pthread_t thread;
    atomic_uint connections;
    atomic_uint open_connections;
    atomic_uint requests;
    atomic_bool is_stopping;
    pthread_mutex_t lock;
    char last_request[SERVER_REQUEST_MAX]; // HTTP/1.1: as it came
};

void server_start(struct server *server, const struct server_settings *settings);
void server_stop(struct server *server);

// Of one connection, for the two protocols' files.
struct server_connection {
    struct server *server;
    SSL *ssl; // NULL: plain
    int descriptor;
};
bool server_write(struct server_connection *connection, const void *data, size_t length);
// False at the end of the connection.
bool server_read(struct server_connection *connection, void *data, size_t length);
enum server_step server_next_step(struct server *server);
void server_pause(void);
void server_speak_http_2(struct server_connection *connection);

#endif
