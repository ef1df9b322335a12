// SPDX-License-Identifier: Apache-2.0
#include "ca-client/http.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_http_server.h"

#define EXCHANGES_MAX 64

struct exchange {
    struct bench *bench;
    bool is_done;
    enum http_outcome outcome;
    struct error error;
    long status;
    char body[4096];
    size_t body_length;
    char location[512];
    char content_type[128];
    char links[1024];
    int64_t retry_after_ms;
    int64_t date_ms;
    int64_t total_count;
};

struct bench {
    struct server server;
    struct loop *loop;
    struct loop_timer *timer;
    struct http *http;
    size_t waiting;
    struct exchange exchanges[EXCHANGES_MAX];
};

static struct bench bench;

static void handle_timer(void *context) {
    struct bench *at = context;
    loop_stop(at->loop);
}

static void start_with(const struct server_settings *settings, uint32_t timeout_ms,
                       const char *root_file) {
    struct error error = {0};
    memset(&bench, 0, sizeof bench);
    server_start(&bench.server, settings);
    ck_assert(loop_new(&bench.loop, &error));
    bench.timer = loop_timer_new(bench.loop, handle_timer, &bench);
    const struct http_settings http = {
        .server_root_file = root_file != NULL ? root_file : bench.server.root_file,
        .client_certificate_file =
            settings->wants_client_certificate ? bench.server.client_certificate_file : NULL,
        .client_key_file = settings->wants_client_certificate ? bench.server.client_key_file : NULL,
        .connections = 8,
        .timeout_ms = timeout_ms,
    };
    ck_assert_msg(http_new(bench.loop, &http, &bench.http, &error), "%s", error.text);
}

static void start_steps(bool http_2, size_t count, const enum server_step steps[]) {
    struct server_settings settings = {.step_count = count, .http_2 = http_2};
    memcpy(settings.steps, steps, count * sizeof steps[0]);
    start_with(&settings, 5000, NULL);
}

static void start_answer(const char *answer) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER_CLOSE}, .step_count = 1, .answer = answer};
    start_with(&settings, 5000, NULL);
}

static void stop(void) {
    http_free(bench.http);
    loop_timer_free(bench.timer);
    loop_free(bench.loop);
    server_stop(&bench.server);
}

static void handle_response(void *context, const struct http_response *response) {
    struct exchange *exchange = context;
    ck_assert(!exchange->is_done);
    exchange->is_done = true;
    exchange->outcome = response->outcome;
    exchange->error = response->error;
    exchange->status = response->status;
    exchange->body_length = response->body.length;
    if (response->body.length > 0 && response->body.length < sizeof exchange->body) {
        memcpy(exchange->body, response->body.data, response->body.length);
    }
    memcpy(exchange->location, response->location, sizeof exchange->location);
    memcpy(exchange->content_type, response->content_type, sizeof exchange->content_type);
    memcpy(exchange->links, response->links, sizeof exchange->links);
    exchange->retry_after_ms = response->retry_after_ms;
    exchange->date_ms = response->date_ms;
    exchange->total_count = response->total_count;
    if (--exchange->bench->waiting == 0) {
        loop_stop(exchange->bench->loop);
    }
}

static struct exchange *begin_url(const char *method, const char *url, bool at_most_once) {
    static const char body[] = "{\"a\":1}";
    struct error error = {0};
    struct exchange *exchange = NULL;
    for (size_t i = 0; exchange == NULL && i < EXCHANGES_MAX; i++) {
        exchange = bench.exchanges[i].bench == NULL ? &bench.exchanges[i] : NULL;
    }
    ck_assert_ptr_nonnull(exchange);
    exchange->bench = &bench;
    char *copy = strdup(url);
    char header[] = "Content-Type: application/json;charset=utf-8";
    struct http_request request = {.method = method,
                                   .url = copy,
                                   .headers = {header, "X-Extra: yes"},
                                   .at_most_once = at_most_once};
    if (strcmp(method, "GET") != 0) {
        request.body = (struct slice){(const uint8_t *)body, sizeof body - 1};
    }
    bench.waiting++;
    ck_assert(http_start(bench.http, &request, handle_response, exchange, &error));
    ck_assert(!exchange->is_done);
    memset(copy, 'x', strlen(copy)); // everything was copied
    memset(header, 'x', strlen(header));
    free(copy);
    return exchange;
}

static struct exchange *begin(const char *method, bool at_most_once) {
    char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/v2/certificates",
             bench.server.settings.plain ? "http" : "https", bench.server.port);
    return begin_url(method, url, at_most_once);
}

static struct exchange *finish(struct exchange *exchange) {
    while (bench.waiting > 0) {
        loop_run(bench.loop);
    }
    ck_assert(exchange->is_done);
    return exchange;
}

static struct exchange *send_one(const char *method, bool at_most_once) {
    return finish(begin(method, at_most_once));
}

static void let_pass(int64_t time_ms) {
    loop_timer_start(bench.timer, time_ms);
    loop_run(bench.loop);
}

static void assert_outcome(const struct exchange *exchange, enum http_outcome outcome,
                           enum error_code code) {
    ck_assert_msg(exchange->outcome == outcome, "outcome %d, status %ld, %s",
                  (int)exchange->outcome, exchange->status, exchange->error.text);
    if (outcome != HTTP_ANSWERED) {
        ck_assert_msg(exchange->error.code == code, "%s %s", error_code_text(exchange->error.code),
                      exchange->error.text);
        ck_assert_str_ne(exchange->error.text, "");
        ck_assert_uint_eq(exchange->body_length, 0);
        ck_assert_str_eq(exchange->location, "");
    }
}

static void assert_created(const struct exchange *exchange) {
    assert_outcome(exchange, HTTP_ANSWERED, ERROR_NONE);
    ck_assert_int_eq(exchange->status, 201);
    ck_assert_str_eq(exchange->location, "/v2/certificates/01AB");
}

// ---- what works ---------------------------------------------------------------------------------

START_TEST(test_kept_alive) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_ANSWER});
    for (int i = 0; i < 5; i++) {
        assert_created(send_one("POST", true));
        assert_created(send_one("GET", false));
        assert_created(send_one("PATCH", false));
    }
    ck_assert_uint_eq(bench.server.connections, 1);
    ck_assert_uint_eq(bench.server.requests, 15);
    ck_assert_uint_eq(http_connections_opened(bench.http), 1);
    stop();
}
END_TEST

START_TEST(test_connection_for_each) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_ANSWER});
    const struct http_settings settings = {bench.server.root_file, NULL, NULL, 8, 5000, true};
    http_free(bench.http);
    ck_assert(http_new(bench.loop, &settings, &bench.http, &bench.exchanges[0].error));
    assert_created(send_one("POST", true));
    assert_created(send_one("POST", true));
    ck_assert_uint_eq(bench.server.connections, 2);
    ck_assert_ptr_nonnull(strcasestr(bench.server.last_request, "\r\nConnection: close\r\n"));
    stop();
}
END_TEST

// With HTTP/2 they share one connection, with HTTP/1.1 they spread over those that are allowed.
START_TEST(test_many_at_once) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_ANSWER});
    for (int i = 0; i < 40; i++) {
        begin("POST", true);
    }
    finish(&bench.exchanges[0]);
    for (int i = 0; i < 40; i++) {
        assert_created(&bench.exchanges[i]);
    }
    ck_assert_uint_le(bench.server.connections, _i == 1 ? 1 : 8);
    ck_assert_uint_eq(bench.server.requests, 40);
    stop();
}
END_TEST

START_TEST(test_request_as_written) {
    start_steps(false, 1, (const enum server_step[]){SERVER_ANSWER});
    assert_created(send_one("POST", true));
    const char *request = bench.server.last_request;
    ck_assert_ptr_nonnull(strstr(request, "POST /v2/certificates HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "Content-Type: application/json;charset=utf-8\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "X-Extra: yes\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "Accept-Encoding: identity\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\n\r\n{\"a\":1}"));
    ck_assert_ptr_null(strcasestr(request, "expect:"));
    ck_assert_ptr_null(strcasestr(request, "cookie:"));
    assert_created(send_one("PATCH", false));
    ck_assert_ptr_nonnull(strstr(request, "PATCH /v2/certificates HTTP/1.1\r\n"));
    assert_created(send_one("GET", false));
    ck_assert_ptr_nonnull(strstr(request, "GET /v2/certificates HTTP/1.1\r\n"));
    ck_assert_ptr_null(strcasestr(request, "content-length:"));
    stop();
}
END_TEST

START_TEST(test_answer_in_full) {
    start_answer("HTTP/1.1 103 Early Hints\r\nLocation: /wrong\r\nTotal-Count: 9\r\n\r\n"
                 "HTTP/1.1 429 Too Many Requests\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\n"
                 "retry-after:  Sun, 01 Mar 2026 12:00:07 GMT  \r\nTotal-Count: 321\r\n"
                 "Links: </v2/stats?page=2>; rel=\"next\"\r\nSet-Cookie: a=b\r\n"
                 "Content-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}");
    const struct exchange *exchange = send_one("GET", false);
    assert_outcome(exchange, HTTP_ANSWERED, ERROR_NONE);
    ck_assert_int_eq(exchange->status, 429);
    ck_assert_int_eq(exchange->date_ms, INT64_C(1772366400000));
    ck_assert_int_eq(exchange->retry_after_ms, 7000);
    ck_assert_int_eq(exchange->total_count, 321);
    ck_assert_str_eq(exchange->links, "</v2/stats?page=2>; rel=\"next\"");
    ck_assert_str_eq(exchange->content_type, "application/problem+json");
    ck_assert_str_eq(exchange->location, "");
    ck_assert_str_eq(exchange->body, "{}");
    send_one("GET", false);
    ck_assert_ptr_null(strcasestr(bench.server.last_request, "cookie:"));
    stop();
}
END_TEST

START_TEST(test_client_certificate) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .wants_client_certificate = true};
    start_with(&settings, 5000, NULL);
    assert_created(send_one("POST", true));
    stop();
}
END_TEST

START_TEST(test_plain_on_loopback) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .plain = true};
    start_with(&settings, 5000, NULL);
    assert_created(send_one("POST", true));
    stop();
}
END_TEST

START_TEST(test_environment_is_not_read) {
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("SSLKEYLOGFILE", "/tmp/check_http_keylog_that_must_not_be", 1);
    start_steps(false, 1, (const enum server_step[]){SERVER_ANSWER});
    assert_created(send_one("POST", true));
    ck_assert_ptr_null(fopen("/tmp/check_http_keylog_that_must_not_be", "r"));
    stop();
}
END_TEST

// ---- at most once -------------------------------------------------------------------------------

// What curl does by itself when a connection dies that was used before: another POST, and not a
// word of it. Without the guard this shows that the server sees two; with it, one.
static void send_on_dying_connection(bool http_2, enum server_step step, bool at_most_once,
                                     unsigned expected) {
    start_steps(http_2, 3, (const enum server_step[]){SERVER_ANSWER, step, SERVER_ANSWER});
    assert_created(send_one("POST", at_most_once));
    const struct exchange *exchange = send_one("POST", at_most_once);
    if (at_most_once) {
        assert_outcome(exchange, HTTP_LOST, E_CA_DOUBT);
    } else {
        assert_created(exchange);
    }
    ck_assert_uint_eq(bench.server.requests, expected);
    let_pass(50); // nothing comes after it either
    ck_assert_uint_eq(bench.server.requests, expected);
    assert_created(send_one("POST", at_most_once));
    stop();
}

START_TEST(test_post_again_without_guard) {
    send_on_dying_connection(false, SERVER_DROP, false, 3);
}
END_TEST

START_TEST(test_post_once_with_guard) {
    send_on_dying_connection(_i == 1, SERVER_DROP, true, 2);
}
END_TEST

static const enum server_step stream_errors[] = {SERVER_REFUSE_STREAM, SERVER_DEMAND_HTTP_1,
                                                 SERVER_GO_AWAY};

START_TEST(test_stream_error_with_guard) {
    send_on_dying_connection(true, stream_errors[_i], true, 2);
}
END_TEST

// With HTTP/2 it is a refused stream after which curl sends again.
START_TEST(test_stream_error_without_guard) {
    send_on_dying_connection(true, SERVER_REFUSE_STREAM, false, 3);
}
END_TEST

START_TEST(test_drop_on_fresh_connection) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_DROP});
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

// A connection that was closed while it rested is noticed before anything is sent on it.
START_TEST(test_closed_at_rest) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_ANSWER_CLOSE});
    for (int i = 0; i < 3; i++) {
        assert_created(send_one("POST", true));
        let_pass(50);
    }
    ck_assert_uint_eq(bench.server.requests, 3);
    ck_assert_uint_eq(http_connections_opened(bench.http), 3);
    stop();
}
END_TEST

// Seen with real servers: a 201 with all its headers, and then an HTTP/2 error.
START_TEST(test_created_and_reset) {
    start_steps(true, 1, (const enum server_step[]){SERVER_ANSWER_AND_RESET});
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

// ---- hostile answers ----------------------------------------------------------------------------

static const enum server_step endless[] = {SERVER_ENDLESS_BODY, SERVER_ENDLESS_HEADERS,
                                           SERVER_ENDLESS_LINE, SERVER_ENDLESS_INTERIM};

START_TEST(test_endless) {
    start_steps(false, 1, &endless[_i]);
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

static const char *const broken_answers[] = {
    "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01AB\r\nContent-Length: 10\r\n\r\nhalf",
    "HTTP/1.1 201 Created\r\nLocation: /v2/01AB\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01AB\r\nContent-Length: 1073741824\r\n\r\n",
    "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01AB\r\n",
    "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01",
    "HTTP/1.1 201 Created",
    "HTTP/1.1 201 Created\r\nLocation: /v2/certificates/01AB\r\nContent-Length: zebra\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "<html>201 Created</html>",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\r\n",
    "",
};

START_TEST(test_broken_answer) {
    start_answer(broken_answers[_i]);
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

START_TEST(test_redirect_is_not_followed) {
    char answer[256];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 %d Go\r\nLocation: https://127.0.0.1:1/v2\r\nContent-Length: 0\r\n\r\n", _i);
    start_answer(answer);
    const struct exchange *exchange = send_one("POST", true);
    assert_outcome(exchange, HTTP_ANSWERED, ERROR_NONE);
    ck_assert_int_eq(exchange->status, _i);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

START_TEST(test_slow_drip) {
    const struct server_settings settings = {.steps = {SERVER_DRIP}, .step_count = 1};
    start_with(&settings, 300, NULL);
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    stop();
}
END_TEST

START_TEST(test_silence) {
    const struct server_settings settings = {
        .steps = {SERVER_SILENT}, .step_count = 1, .http_2 = _i == 1};
    start_with(&settings, 300, NULL);
    assert_outcome(send_one("POST", true), HTTP_LOST, E_CA_DOUBT);
    ck_assert_uint_eq(bench.server.requests, 1);
    stop();
}
END_TEST

// ---- certainly not sent -------------------------------------------------------------------------

START_TEST(test_no_handshake) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .no_handshake = true};
    start_with(&settings, 300, NULL);
    assert_outcome(send_one("POST", true), HTTP_NOT_SENT, E_CA_UNREACHABLE);
    stop();
}
END_TEST

START_TEST(test_refused) {
    start_steps(false, 1, (const enum server_step[]){SERVER_ANSWER});
    assert_outcome(finish(begin_url("POST", "https://127.0.0.1:1/v2", true)), HTTP_NOT_SENT,
                   E_CA_UNREACHABLE);
    stop();
}
END_TEST

START_TEST(test_wrong_root) {
    struct server other;
    const struct server_settings settings = {.steps = {SERVER_ANSWER}, .step_count = 1};
    server_start(&other, &settings);
    start_with(&settings, 5000, other.root_file);
    assert_outcome(send_one("POST", true), HTTP_NOT_SENT, E_CA_TLS);
    ck_assert_uint_eq(bench.server.requests, 0);
    stop();
    server_stop(&other);
}
END_TEST

START_TEST(test_wrong_name) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .common_name = "127.0.0.1"};
    start_with(&settings, 5000, NULL);
    assert_outcome(send_one("POST", true), HTTP_NOT_SENT, E_CA_TLS);
    ck_assert_uint_eq(bench.server.requests, 0);
    stop();
}
END_TEST

START_TEST(test_old_tls) {
    const struct server_settings settings = {
        .steps = {SERVER_ANSWER}, .step_count = 1, .tls_version_max = TLS1_1_VERSION};
    start_with(&settings, 5000, NULL);
    assert_outcome(send_one("POST", true), HTTP_NOT_SENT, E_CA_TLS);
    ck_assert_uint_eq(bench.server.requests, 0);
    stop();
}
END_TEST

static const char *const forbidden_urls[] = {
    "http://192.0.2.1/v2",   "http://127.0.0.1.example/v2",
    "http://localhost/v2",   "http://127.0.0.1@192.0.2.1/v2",
    "ftp://127.0.0.1/v2",    "file:///etc/passwd",
    "gopher://127.0.0.1/v2", "https://",
    "HTTP://127.1/",
};

START_TEST(test_forbidden_url) {
    start_steps(false, 1, (const enum server_step[]){SERVER_ANSWER});
    assert_outcome(finish(begin_url("POST", forbidden_urls[_i], true)), HTTP_NOT_SENT, E_CA_CONFIG);
    stop();
}
END_TEST

// ---- the rest -----------------------------------------------------------------------------------

START_TEST(test_free_in_the_middle) {
    start_steps(_i == 1, 1, (const enum server_step[]){SERVER_SILENT});
    for (int i = 0; i < 12; i++) {
        begin("POST", true);
    }
    let_pass(100);
    stop();
    for (int i = 0; i < 12; i++) {
        ck_assert(!bench.exchanges[i].is_done);
    }
}
END_TEST

START_TEST(test_settings) {
    struct server_settings nothing = {.steps = {SERVER_ANSWER}, .step_count = 1};
    start_with(&nothing, 1000, NULL);
    const struct server *server = &bench.server;
    const struct {
        struct http_settings settings;
        enum error_code code;
    } cases[] = {
        {{.connections = 1}, E_CA_CONFIG},
        {{.server_root_file = "/nowhere"}, E_CA_CONFIG},
        {{.server_root_file = server->root_file,
          .client_certificate_file = server->client_certificate_file},
         E_CA_CONFIG},
        {{.server_root_file = server->root_file,
          .client_certificate_file = server->client_certificate_file,
          .client_key_file = "/nowhere"},
         E_SECRET_MISSING},
        {{.server_root_file = server->root_file,
          .client_certificate_file = server->client_certificate_file,
          .client_key_file = server->root_file},
         E_SECRET_EXPOSED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error error = {0};
        struct http *http = NULL;
        ck_assert(!http_new(bench.loop, &cases[i].settings, &http, &error));
        ck_assert_str_eq(error_code_text(error.code), error_code_text(cases[i].code));
    }
    http_free(NULL);
    stop();
}
END_TEST

static Suite *http_suite(void) {
    Suite *suite = suite_create("http");
    TCase *good = tcase_create("good");
    tcase_set_timeout(good, 60);
    tcase_add_loop_test(good, test_kept_alive, 0, 2);
    tcase_add_loop_test(good, test_connection_for_each, 0, 2);
    tcase_add_loop_test(good, test_many_at_once, 0, 2);
    tcase_add_test(good, test_request_as_written);
    tcase_add_test(good, test_answer_in_full);
    tcase_add_test(good, test_client_certificate);
    tcase_add_test(good, test_plain_on_loopback);
    tcase_add_test(good, test_environment_is_not_read);
    suite_add_tcase(suite, good);
    TCase *once = tcase_create("once");
    tcase_set_timeout(once, 60);
    tcase_add_test(once, test_post_again_without_guard);
    tcase_add_loop_test(once, test_post_once_with_guard, 0, 2);
    tcase_add_loop_test(once, test_stream_error_with_guard, 0, ARRAY_LENGTH(stream_errors));
    tcase_add_test(once, test_stream_error_without_guard);
    tcase_add_loop_test(once, test_drop_on_fresh_connection, 0, 2);
    tcase_add_loop_test(once, test_closed_at_rest, 0, 2);
    tcase_add_test(once, test_created_and_reset);
    suite_add_tcase(suite, once);
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 60);
    tcase_add_loop_test(hostile, test_endless, 0, ARRAY_LENGTH(endless));
    tcase_add_loop_test(hostile, test_broken_answer, 0, ARRAY_LENGTH(broken_answers));
    tcase_add_loop_test(hostile, test_redirect_is_not_followed, 301, 309);
    tcase_add_test(hostile, test_slow_drip);
    tcase_add_loop_test(hostile, test_silence, 0, 2);
    suite_add_tcase(suite, hostile);
    TCase *unsent = tcase_create("unsent");
    tcase_set_timeout(unsent, 60);
    tcase_add_test(unsent, test_no_handshake);
    tcase_add_test(unsent, test_refused);
    tcase_add_test(unsent, test_wrong_root);
    tcase_add_test(unsent, test_wrong_name);
    tcase_add_test(unsent, test_old_tls);
    tcase_add_loop_test(unsent, test_forbidden_url, 0, ARRAY_LENGTH(forbidden_urls));
    tcase_add_loop_test(unsent, test_free_in_the_middle, 0, 2);
    tcase_add_test(unsent, test_settings);
    suite_add_tcase(suite, unsent);
    return suite;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN); // of the server's half
    SRunner *runner = srunner_create(http_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
