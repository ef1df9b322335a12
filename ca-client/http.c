// SPDX-License-Identifier: Apache-2.0
#include "ca-client/http.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ca-client/http_answer.h"
#include "ca-client/key.h"
#include "station/base/clock.h"

#define CONNECT_TIMEOUT_MAX_MS 10000
// A connection idle for longer is not used again: the later in its life, the likelier that the
// server closes it at the very moment of a request, which then is lost.
#define CONNECTION_IDLE_MAX_S 15

struct http_exchange {
    struct http *http;
    struct http_exchange *next;
    struct http_exchange *previous;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t body_length;
    http_callback *callback;
    void *context;
    bool at_most_once;
    unsigned attempts; // how often curl was about to write the request
    char origin[128];  // of the URL, for messages
    char curl_text[CURL_ERROR_SIZE];
    struct http_answer answer;
};

struct http_socket {
    struct http *http;
    struct http_socket *next;
    curl_socket_t descriptor;
    struct loop_watch *watch;
};

struct http {
    struct loop *loop;
    struct loop_timer *timer;
    CURLM *multi;
    struct http_exchange *active;
    struct http_exchange *idle; // with their easy handles, to be used again
    uint32_t idle_count;
    struct http_socket *sockets;
    char *server_root_file;
    char *client_certificate_file;
    struct key *client_key; // NULL: no client certificate
    uint32_t connections;
    uint32_t timeout_ms;
    bool closes_connections;
    uint64_t connections_opened;
};

// ---- one exchange: what curl calls

// curl comes by here each time before it writes the request, on whatever connection and protocol.
// This is the one place that all of its silent repetitions pass: the reused connection that died,
// the HTTP/2 stream that was refused, the fall-back to HTTP/1.1.
static int handle_before_request(void *context, char *remote_ip, char *local_ip, int remote_port,
                                 int local_port) {
    struct http_exchange *exchange = context;
    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    exchange->attempts++;
    return exchange->attempts > 1 && exchange->at_most_once ? CURL_PREREQFUNC_ABORT
                                                            : CURL_PREREQFUNC_OK;
}

static size_t handle_header(char *data, size_t size, size_t count, void *context) {
    struct http_exchange *exchange = context;
    struct slice line = {(const uint8_t *)data, size * count};
    return http_answer_header(&exchange->answer, line) ? line.length : 0;
}

static size_t handle_body(char *data, size_t size, size_t count, void *context) {
    struct http_exchange *exchange = context;
    struct slice piece = {(const uint8_t *)data, size * count};
    // One more than it was given is always an error to curl, also for an empty piece.
    return http_answer_body(&exchange->answer, piece) ? piece.length : piece.length + 1;
}

// Without this a dead connection (a cable pulled) swallows every new HTTP/2 stream for the quarter
// of an hour that the kernel goes on repeating.
static int handle_socket_options(void *context, curl_socket_t descriptor, curlsocktype purpose) {
    const struct http *http = context;
    (void)purpose;
    unsigned timeout_ms = http->timeout_ms;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    return CURL_SOCKOPT_OK;
}

// curl knows keys in files and of an ENGINE only; this is where any other can be given to OpenSSL.
static CURLcode handle_tls_context(CURL *easy, void *tls_context, void *context) {
    const struct http *http = context;
    (void)easy;
    return key_use_in_tls(http->client_key, http->client_certificate_file, tls_context)
               ? CURLE_OK
               : CURLE_SSL_CERTPROBLEM;
}

// ---- one exchange: its handle

// Checked one by one: an option that is lost without memory would leave curl's own list of roots.
static bool set_trust(struct http_exchange *exchange) {
    const struct http *http = exchange->http;
    CURL *easy = exchange->easy;
    bool done =
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->server_root_file) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (http->client_key == NULL) {
        return done;
    }
    return done &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, handle_tls_context) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, exchange->http) == CURLE_OK;
}

static void set_callbacks(struct http_exchange *exchange) {
    CURL *easy = exchange->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->curl_text);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, handle_before_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, handle_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, handle_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, handle_socket_options);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, exchange->http);
}

// What is the same for every request on this handle. A low-speed limit is left out on purpose: a CA
// that thinks for long is silent, not slow, and the timeout bounds both.
static void set_habits(struct http_exchange *exchange) {
    const struct http *http = exchange->http;
    CURL *easy = exchange->easy;
    long connect_ms =
        http->timeout_ms < CONNECT_TIMEOUT_MAX_MS ? (long)http->timeout_ms : CONNECT_TIMEOUT_MAX_MS;
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, http->closes_connections ? 1L : 0L);
    long version = http->closes_connections ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    // Waits for the first connection to say whether it speaks HTTP/2 before opening more.
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_MAX_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

static struct http_exchange *exchange_new(struct http *http) {
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->http = http;
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL || !set_trust(exchange)) {
        curl_easy_cleanup(exchange->easy);
        free(exchange);
        return NULL;
    }
    set_callbacks(exchange);
    set_habits(exchange);
    return exchange;
}

// Requests carry tokens and API secrets in their headers and bodies.
static void exchange_clear(struct http_exchange *exchange) {
    for (struct curl_slist *header = exchange->headers; header != NULL; header = header->next) {
        explicit_bzero(header->data, strlen(header->data));
    }
    curl_slist_free_all(exchange->headers);
    exchange->headers = NULL;
    if (exchange->body != NULL) {
        explicit_bzero(exchange->body, exchange->body_length);
        free(exchange->body);
        exchange->body = NULL;
    }
    http_answer_release(&exchange->answer);
}

static void exchange_free(struct http_exchange *exchange) {
    curl_easy_cleanup(exchange->easy);
    exchange_clear(exchange);
    free(exchange);
}

static struct http_exchange *exchange_take(struct http *http) {
    struct http_exchange *exchange = http->idle;
    if (exchange == NULL) {
        return exchange_new(http);
    }
    http->idle = exchange->next;
    http->idle_count--;
    return exchange;
}

static void exchange_give(struct http_exchange *exchange) {
    struct http *http = exchange->http;
    if (http->idle_count >= http->connections) {
        exchange_free(exchange);
        return;
    }
    exchange_clear(exchange);
    exchange->next = http->idle;
    http->idle = exchange;
    http->idle_count++;
}

static bool add_header(struct http_exchange *exchange, const char *line) {
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    if (longer == NULL) {
        return false;
    }
    exchange->headers = longer;
    return true;
}

// "Expect:" takes that header away: a 417 to it would make curl send the request again.
static bool set_headers(struct http_exchange *exchange, const struct http_request *request) {
    bool done = add_header(exchange, "Expect:") &&
                add_header(exchange, "Accept-Encoding: identity") &&
                (!exchange->http->closes_connections || add_header(exchange, "Connection: close"));
    for (size_t i = 0; done && i < HTTP_HEADERS_MAX && request->headers[i] != NULL; i++) {
        done = add_header(exchange, request->headers[i]);
    }
    return done &&
           curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool set_body(struct http_exchange *exchange, const struct http_request *request) {
    CURL *easy = exchange->easy;
    bool is_post = strcmp(request->method, "POST") == 0;
    if (strcmp(request->method, "GET") == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK;
    }
    exchange->body = malloc(request->body.length + 1);
    if (exchange->body == NULL) {
        return false;
    }
    exchange->body_length = request->body.length;
    if (request->body.length > 0) {
        memcpy(exchange->body, request->body.data, request->body.length);
    }
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body_length);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_post ? NULL : request->method) ==
           CURLE_OK;
}

static bool set_request(struct http_exchange *exchange, const struct http_request *request) {
    CURL *easy = exchange->easy;
    const char *authority = strstr(request->url, "://");
    size_t origin_length =
        authority == NULL ? 0
                          : strcspn(authority + 3, "/?#") + (size_t)(authority + 3 - request->url);
    snprintf(exchange->origin, sizeof exchange->origin, "%.*s", (int)origin_length, request->url);
    exchange->at_most_once = request->at_most_once;
    exchange->attempts = 0;
    exchange->curl_text[0] = '\0';
    return http_answer_init(&exchange->answer, request->body_max) &&
           set_headers(exchange, request) && set_body(exchange, request) &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            http_url_is_loopback(request->url) ? "http,https" : "https") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
}

// ---- the end of an exchange

static enum error_code code_of_failure(CURLcode result, const char *text) {
    switch (result) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return E_CA_CONFIG;
    case CURLE_OUT_OF_MEMORY:
        return E_MEMORY;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return E_CA_TLS;
    case CURLE_SSL_CONNECT_ERROR:
        // A handshake that was cut off says nothing about identities: it passes by itself.
        return strstr(text, "SYSCALL") != NULL || strstr(text, "eof") != NULL ? E_CA_UNREACHABLE
                                                                              : E_CA_TLS;
    default:
        return E_CA_UNREACHABLE;
    }
}

static void judge_result(struct http_exchange *exchange, CURLcode result) {
    struct http_response *response = &exchange->answer.response;
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    http_answer_finish(&exchange->answer, clock_wall_ms());
    // curl takes headers that end with the connection for whole ones; a Location may be cut there.
    bool has_headers = exchange->answer.headers_done && !exchange->answer.is_interim;
    if (result == CURLE_OK && status >= 200 && has_headers && exchange->attempts > 0) {
        response->outcome = HTTP_ANSWERED;
        response->status = status;
        return;
    }
    const char *text = exchange->curl_text[0] != '\0' ? exchange->curl_text
                       : result == CURLE_OK           ? "the answer was cut off in its headers"
                                                      : curl_easy_strerror(result);
    // Half an answer is no answer: nothing of it is passed on.
    *response = (struct http_response){.total_count = -1};
    if (exchange->attempts == 0) {
        response->outcome = HTTP_NOT_SENT;
        // Of a token curl could only say that OpenSSL did not sign.
        if (!key_take_error(exchange->http->client_key, &response->error)) {
            error_set(&response->error, code_of_failure(result, text), "%s: %s", exchange->origin,
                      text);
        }
    } else {
        response->outcome = HTTP_LOST;
        response->is_too_long = exchange->answer.is_too_long;
        error_set(&response->error, E_CA_DOUBT, "%s: no whole answer: %s", exchange->origin,
                  exchange->attempts > 1 && exchange->at_most_once
                      ? "the connection broke, and the request is not sent twice"
                      : text);
    }
}

static void exchange_unlink(struct http_exchange *exchange) {
    struct http *http = exchange->http;
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        http->active = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    exchange->next = NULL;
    exchange->previous = NULL;
}

static void finish_exchange(struct http *http, struct http_exchange *exchange, CURLcode result) {
    long opened = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &opened);
    http->connections_opened += (uint64_t)opened;
    judge_result(exchange, result);
    curl_multi_remove_handle(http->multi, exchange->easy);
    exchange_unlink(exchange);
    exchange->callback(exchange->context, &exchange->answer.response);
    exchange_give(exchange);
}

static void finish_exchanges(struct http *http) {
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        char *private = NULL;
        CURLcode result = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK) {
            finish_exchange(http, (struct http_exchange *)(void *)private, result);
        }
    }
}

// ---- curl's sockets and clock on the loop

static void handle_socket_event(void *context, unsigned events) {
    const struct http_socket *watched = context;
    struct http *http = watched->http; // curl may free `watched` on the way
    int running = 0;
    int flags = (events & LOOP_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & LOOP_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    // curl finds out what is wrong by reading and writing; told of an error alone it would guess.
    flags |= (events & LOOP_HANGUP) != 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(http->multi, watched->descriptor, flags, &running);
    finish_exchanges(http);
}

static void handle_timeout(void *context) {
    struct http *http = context;
    int running = 0;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_exchanges(http);
}

static void socket_forget(struct http *http, struct http_socket *watched) {
    struct http_socket **link = &http->sockets;
    while (*link != watched) {
        link = &(*link)->next;
    }
    *link = watched->next;
    loop_watch_free(watched->watch);
    free(watched);
}

static struct http_socket *socket_watch(struct http *http, curl_socket_t descriptor) {
    struct error error;
    struct http_socket *watched = calloc(1, sizeof *watched);
    if (watched == NULL) {
        return NULL;
    }
    watched->http = http;
    watched->descriptor = descriptor;
    if (!loop_watch_new(http->loop, descriptor, handle_socket_event, watched, &watched->watch,
                        &error)) {
        free(watched);
        return NULL;
    }
    watched->next = http->sockets;
    http->sockets = watched;
    curl_multi_assign(http->multi, descriptor, watched);
    return watched;
}

static int handle_socket_change(CURL *easy, curl_socket_t descriptor, int wanted, void *context,
                                void *assigned) {
    struct http *http = context;
    struct http_socket *watched = assigned;
    (void)easy;
    if (wanted == CURL_POLL_REMOVE) {
        // The descriptor is about to be closed, or to rest: it must not be watched any longer.
        if (watched != NULL) {
            curl_multi_assign(http->multi, descriptor, NULL);
            socket_forget(http, watched);
        }
        return 0;
    }
    if (watched == NULL) {
        watched = socket_watch(http, descriptor);
    }
    if (watched == NULL) {
        return 0; // without memory: the exchange ends by its timeout
    }
    unsigned events = (wanted & CURL_POLL_IN) != 0 ? LOOP_READABLE : 0;
    events |= (wanted & CURL_POLL_OUT) != 0 ? LOOP_WRITABLE : 0U;
    loop_watch_set(watched->watch, events);
    return 0;
}

static int handle_timer_change(CURLM *multi, long timeout_ms, void *context) {
    struct http *http = context;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_stop(http->timer);
    } else {
        loop_timer_start(http->timer, timeout_ms);
    }
    return 0;
}

// ---- the engine

static bool check_files(const struct http_settings *settings, struct error *error) {
    if (settings->server_root_file == NULL || settings->server_root_file[0] == '\0') {
        return error_set(error, E_CA_CONFIG, "the server's root certificate is not set");
    }
    FILE *file = fopen(settings->server_root_file, "re");
    if (file == NULL) {
        return error_set(error, E_CA_CONFIG, "cannot read the server's root certificate %s",
                         settings->server_root_file);
    }
    fclose(file);
    if (settings->client_certificate_file != NULL && settings->client_key_file == NULL) {
        return error_set(error, E_CA_CONFIG, "there is a client certificate but no key for it");
    }
    return true;
}

static bool copy_text(char **out, const char *text) {
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static bool set_up(struct http *http, const struct http_settings *settings) {
    CURLM *multi = curl_multi_init();
    http->multi = multi;
    http->timer = loop_timer_new(http->loop, handle_timeout, http);
    if (multi == NULL || http->timer == NULL ||
        !copy_text(&http->server_root_file, settings->server_root_file) ||
        !copy_text(&http->client_certificate_file, settings->client_certificate_file)) {
        return false;
    }
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, handle_socket_change);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, handle_timer_change);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)http->connections);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)http->connections);
    return true;
}

bool http_new(struct loop *loop, const struct http_settings *settings, struct http **out,
              struct error *error) {
    if (!check_files(settings, error)) {
        return false;
    }
    // libcurl would write the TLS secrets of every connection to the file that this names.
    unsetenv("SSLKEYLOGFILE");
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return error_set(error, E_MEMORY, "no memory for the HTTP engine");
    }
    http->loop = loop;
    http->connections = settings->connections > 0 ? settings->connections : 1;
    http->timeout_ms = settings->timeout_ms;
    http->closes_connections = settings->closes_connections;
    if (!set_up(http, settings)) {
        http_free(http);
        return error_set(error, E_MEMORY, "no memory for the HTTP engine");
    }
    if (http->client_certificate_file != NULL &&
        !key_load(settings->client_key_file, &http->client_key, error)) {
        http_free(http);
        return false;
    }
    *out = http;
    return true;
}

static void free_exchanges(struct http *http) {
    while (http->active != NULL) {
        struct http_exchange *exchange = http->active;
        http->active = exchange->next;
        curl_multi_remove_handle(http->multi, exchange->easy);
        exchange_free(exchange);
    }
    while (http->idle != NULL) {
        struct http_exchange *exchange = http->idle;
        http->idle = exchange->next;
        exchange_free(exchange);
    }
}

void http_free(struct http *http) {
    if (http == NULL) {
        return;
    }
    free_exchanges(http);
    // The watches go before curl closes their descriptors, and curl must not ask for new ones.
    while (http->sockets != NULL) {
        socket_forget(http, http->sockets);
    }
    if (http->multi != NULL) {
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, NULL);
        curl_multi_cleanup(http->multi);
    }
    loop_timer_free(http->timer);
    free(http->server_root_file);
    free(http->client_certificate_file);
    key_free(http->client_key);
    free(http);
    curl_global_cleanup();
}

bool http_start(struct http *http, const struct http_request *request, http_callback *callback,
                void *context, struct error *error) {
    struct http_exchange *exchange = exchange_take(http);
    if (exchange == NULL) {
        return error_set(error, E_MEMORY, "no memory for an HTTP request");
    }
    exchange->callback = callback;
    exchange->context = context;
    if (!set_request(exchange, request) ||
        curl_multi_add_handle(http->multi, exchange->easy) != CURLM_OK) {
        exchange_free(exchange);
        return error_set(error, E_MEMORY, "no memory for an HTTP request");
    }
    exchange->previous = NULL;
    exchange->next = http->active;
    if (http->active != NULL) {
        http->active->previous = exchange;
    }
    http->active = exchange;
    return true;
}

uint64_t http_connections_opened(const struct http *http) {
    return http->connections_opened;
}
