// SPDX-License-Identifier: Apache-2.0
#include "tests/support_http_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char default_answer[] = "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01AB\r\n"
                                     "Content-Length: 0\r\n\r\n";

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "test server: %s\n", what);
    exit(2);
}

void server_pause(void) {
    const struct timespec pause = {0, 20 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

bool server_write(struct server_connection *connection, const void *data, size_t length) {
    if (connection->ssl != NULL) {
        return SSL_write(connection->ssl, data, (int)length) == (int)length;
    }
    return send(connection->descriptor, data, length, MSG_NOSIGNAL) == (ssize_t)length;
}

bool server_read(struct server_connection *connection, void *data, size_t length) {
    char *at = data;
    while (length > 0) {
        ssize_t got = connection->ssl != NULL ? SSL_read(connection->ssl, at, (int)length)
                                              : recv(connection->descriptor, at, length, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        length -= (size_t)got;
    }
    return true;
}

enum server_step server_next_step(struct server *server) {
    size_t number = atomic_fetch_add(&server->requests, 1);
    size_t last = server->settings.step_count - 1;
    return server->settings.steps[number < last ? number : last];
}

// ---- HTTP/1.1 -----------------------------------------------------------------------------------

static bool read_request(struct server_connection *connection, char text[SERVER_REQUEST_MAX],
                         struct slice *body) {
    size_t used = 0;
    while (used < SERVER_REQUEST_MAX - 1) {
        if (!server_read(connection, text + used, 1)) {
            return false;
        }
        text[++used] = '\0';
        if (used >= 4 && memcmp(text + used - 4, "\r\n\r\n", 4) == 0) {
            break;
        }
    }
    const char *length = strcasestr(text, "content-length:");
    *body = (struct slice){(const uint8_t *)text + used,
                           length == NULL ? 0 : strtoul(length + 15, NULL, 10)};
    if (body->length >= SERVER_REQUEST_MAX - used ||
        !server_read(connection, text + used, body->length)) {
        return false;
    }
    text[used + body->length] = '\0';
    pthread_mutex_lock(&connection->server->lock);
    memcpy(connection->server->last_request, text, used + body->length + 1);
    pthread_mutex_unlock(&connection->server->lock);
    return true;
}

static bool write_text(struct server_connection *connection, const char *text) {
    return server_write(connection, text, strlen(text));
}

static void write_without_end(struct server_connection *connection, const char *first,
                              const char *more, bool slowly) {
    bool done = write_text(connection, first);
    while (done && !connection->server->is_stopping) {
        if (slowly) {
            server_pause();
        }
        done = write_text(connection, more);
    }
}

static const char *choose_answer(const struct server_settings *settings, const char *request) {
    if (settings->answer_to != NULL) {
        return settings->answer_to(request);
    }
    return settings->answer != NULL ? settings->answer : default_answer;
}

static bool write_answer_to(struct server_connection *connection, struct slice body) {
    const struct server_settings *settings = &connection->server->settings;
    struct buf *answer = settings->answer_body(settings->answer_context, body);
    bool good =
        answer != NULL && server_write(connection, buf_slice(answer).data, buf_length(answer));
    buf_free(answer);
    return good;
}

static bool take_step(struct server_connection *connection, enum server_step step,
                      const char *request, struct slice body) {
    static const char status[] = "HTTP/1.1 200 OK\r\n";
    const char *answer = choose_answer(&connection->server->settings, request);
    if (answer == NULL) {
        return false;
    }
    switch (step) {
    case SERVER_ANSWER:
        return connection->server->settings.answer_body != NULL ? write_answer_to(connection, body)
                                                                : write_text(connection, answer);
    case SERVER_ANSWER_CLOSE:
        write_text(connection, answer);
        return false;
    case SERVER_DRIP:
        write_without_end(connection, status, "X", true);
        return false;
    case SERVER_ENDLESS_BODY:
        write_without_end(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "20\r\n0123456789abcdef0123456789abcdef\r\n", false);
        return false;
    case SERVER_ENDLESS_HEADERS:
        write_without_end(connection, status, "X-Y: z\r\n", false);
        return false;
    case SERVER_ENDLESS_LINE:
        write_without_end(connection, "HTTP/1.1 200 OK\r\nX-Y: ", "0123456789abcdef", false);
        return false;
    case SERVER_ENDLESS_INTERIM:
        write_without_end(connection, "", "HTTP/1.1 103 Early Hints\r\nX-Y: z\r\n\r\n", false);
        return false;
    case SERVER_SILENT:
        while (!connection->server->is_stopping) {
            server_pause();
        }
        return false;
    default:
        return false;
    }
}

static void speak_http_1(struct server_connection *connection) {
    char request[SERVER_REQUEST_MAX];
    struct slice body;
    while (read_request(connection, request, &body) &&
           take_step(connection, server_next_step(connection->server), request, body)) {
    }
}

// ---- connections --------------------------------------------------------------------------------

static void serve(struct server_connection *connection) {
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    if (connection->ssl != NULL && SSL_accept(connection->ssl) != 1) {
        return;
    }
    if (connection->ssl != NULL) {
        SSL_get0_alpn_selected(connection->ssl, &protocol, &length);
    }
    if (length == 2 && memcmp(protocol, "h2", 2) == 0) {
        server_speak_http_2(connection);
    } else {
        speak_http_1(connection);
    }
}

// Closing with unread bytes would take back what was written.
static void close_gently(struct server_connection *connection) {
    const struct timeval patience = {0, 20 * 1000};
    char rest[256];
    setsockopt(connection->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    shutdown(connection->descriptor, SHUT_WR);
    while (!connection->server->is_stopping &&
           recv(connection->descriptor, rest, sizeof rest, 0) > 0) {
    }
    close(connection->descriptor);
}

static void *handle_connection(void *context) {
    struct server_connection *connection = context;
    struct server *server = connection->server;
    if (server->settings.no_handshake) {
        while (!server->is_stopping) {
            server_pause();
        }
    } else {
        if (!server->settings.plain) {
            connection->ssl = SSL_new(server->context);
            SSL_set_fd(connection->ssl, connection->descriptor);
        }
        serve(connection);
        SSL_free(connection->ssl);
    }
    close_gently(connection);
    free(connection);
    server->open_connections--;
    return NULL;
}

static void *run(void *context) {
    struct server *server = context;
    for (;;) {
        int descriptor = accept(server->listener, NULL, NULL);
        if (descriptor < 0 || server->is_stopping) {
            return NULL;
        }
        pthread_t thread;
        struct server_connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL) {
            give_up("no memory");
        }
        server->connections++;
        server->open_connections++;
        connection->server = server;
        connection->descriptor = descriptor;
        pthread_create(&thread, NULL, handle_connection, connection);
        pthread_detach(thread);
    }
}

// ---- start and stop -----------------------------------------------------------------------------

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *in, unsigned in_length, void *context) {
    static const unsigned char http_2[] = "\x02h2\x08http/1.1";
    static const unsigned char http_1[] = "\x08http/1.1";
    const struct server *server = context;
    (void)ssl;
    const unsigned char *ours = server->settings.http_2 ? http_2 : http_1;
    size_t length = server->settings.http_2 ? sizeof http_2 - 1 : sizeof http_1 - 1;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_length, ours,
                                 (unsigned)length, in, in_length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static void set_up_tls(struct server *server) {
    EVP_PKEY *key = pki_key("P-256");
    const struct pki_spec named = {
        .issuer = server->ca.certificate,
        .issuer_key = server->ca.key,
        .key = key,
        .subject = {{"CN", server->settings.common_name}},
        .extensions = {{"subjectAltName", "DNS:elsewhere.example"}},
    };
    X509 *certificate = server->settings.common_name == NULL
                            ? pki_tls_certificate(&server->ca, "127.0.0.1", key)
                            : pki_certificate(&named);
    server->context = SSL_CTX_new(TLS_server_method());
    if (server->context == NULL || SSL_CTX_use_certificate(server->context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(server->context, key) != 1) {
        give_up("no TLS");
    }
    SSL_CTX_set_alpn_select_cb(server->context, choose_protocol, server);
    if (server->settings.tls_version_max != 0) {
        SSL_CTX_set_security_level(server->context, 0);
        SSL_CTX_set_min_proto_version(server->context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(server->context, server->settings.tls_version_max);
    }
    if (server->settings.wants_client_certificate) {
        SSL_CTX_load_verify_locations(server->context, server->root_file, NULL);
        SSL_CTX_set_verify(server->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void write_files(struct server *server) {
    EVP_PKEY *key = pki_key("P-256");
    X509 *client = pki_tls_certificate(&server->ca, "station", key);
    struct buf *root_pem = pki_pem(server->ca.certificate);
    struct buf *client_pem = pki_pem(client);
    struct buf *key_pem = pki_key_pem(key);
    pki_folder_new(server->folder);
    pki_write_file(server->folder, "root.pem", 0644, buf_slice(root_pem), server->root_file);
    pki_write_file(server->folder, "client.pem", 0644, buf_slice(client_pem),
                   server->client_certificate_file);
    pki_write_file(server->folder, "client.key", 0600, buf_slice(key_pem), server->client_key_file);
    buf_free(root_pem);
    buf_free(client_pem);
    buf_free(key_pem);
    X509_free(client);
    EVP_PKEY_free(key);
}

static void listen_somewhere(struct server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (const struct sockaddr *)&address, length) != 0 ||
        listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0) {
        give_up("no port");
    }
    server->port = ntohs(address.sin_port);
}

void server_start(struct server *server, const struct server_settings *settings) {
    memset(server, 0, sizeof *server);
    server->settings = *settings;
    pthread_mutex_init(&server->lock, NULL);
    server->ca = pki_ca_new("Test server root", NULL);
    write_files(server);
    set_up_tls(server);
    listen_somewhere(server);
    if (pthread_create(&server->thread, NULL, run, server) != 0) {
        give_up("no thread");
    }
}

void server_stop(struct server *server) {
    server->is_stopping = true;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (int tries = 0; server->open_connections > 0 && tries < 500; tries++) {
        server_pause(); // what is left then ends with the test's process
    }
    SSL_CTX_free(server->context);
    pki_ca_free(&server->ca);
    pki_folder_remove(server->folder);
}
