// SPDX-License-Identifier: Apache-2.0
// The forwarder, with an embedded CA behind it, against benches that a test plays line by line.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ca-client/ca_outbox_message.h"
#include "station/app/forward.h"
#include "station/base/clock.h"
#include "tests/support_folder.h"
#include "tests/support_pki.h"

#define GUARD_MS 20000
#define BENCHES 3
#define SETTLE_MS 1500

// One connection.
struct bench {
    int descriptor;
    char input[2 * OUTBOX_LINE_MAX];
    size_t length;
};

static struct bench benches[BENCHES];
static struct loop *loop;
static struct loop_timer *turn;
static struct config *config;
static struct output output;
static struct forward *forward;
static struct profile profile;
static struct outbox_message message; // the last that a bench read
static EVP_PKEY *camera_key;
static struct buf *csr;
static FILE *sink;

static void end_turn(void *context) {
    (void)context;
    loop_stop(loop);
}

static void run_ms(int64_t ms) {
    loop_timer_start(turn, ms);
    loop_run(loop);
}

static void start_forward(void) {
    struct error error;
    ck_assert_msg(forward_new(loop, config, &output, &forward, &error), "%s", error.text);
}

static void make_camera(void) {
    static const struct pki_pair subject[] = {{"CN", "A1"}, {0}};
    EVP_PKEY_free(camera_key);
    buf_free(csr);
    camera_key = pki_key("P-256");
    csr = pki_csr(camera_key, subject, NULL, false);
}

static void setup_with(const char *section) {
    struct error error;
    char text[512];
    char file[128];
    folder_path(file, sizeof file, "forward.conf");
    snprintf(text, sizeof text,
             "[forward]\nsocket = sock\n[ca mine]\n%s[profile https]\nca = mine\n"
             "[profile idevid]\nca = mine\n",
             section);
    folder_write_text("forward.conf", text);
    ck_assert_msg(config_load(file, &config, &error), "%s", error.text);
    profile = *config_find_profile(config, "https");
    sink = fopen("/dev/null", "w");
    output_init(&output, false, true);
    output.messages = sink;
    ck_assert(loop_new(&loop, &error));
    turn = loop_timer_new(loop, end_turn, NULL);
    for (size_t i = 0; i < BENCHES; i++) {
        benches[i].descriptor = -1;
        benches[i].length = 0;
    }
    make_camera();
    start_forward();
}

static void setup(void) {
    struct error error;
    char certificate[128];
    char key[128];
    folder_make();
    folder_path(certificate, sizeof certificate, "root.pem");
    folder_path(key, sizeof key, "root.key");
    ck_assert(ca_local_create("Test CA", certificate, key, &error));
    setup_with("backend = local\nsettle = 1500ms\nca_certificate_file = root.pem\n"
               "ca_key_file = root.key\n");
}

// A CA that itself says of a look-up that it came too early.
static void setup_early(void) {
    char program[128];
    folder_make();
    folder_path(program, sizeof program, "program");
    folder_write_text("program", "#!/bin/sh\ncat >/dev/null\n"
                                 "echo '{\"outcome\":\"not_issued\",\"retry_after_s\":7}'\n");
    ck_assert_int_eq(chmod(program, 0755), 0);
    setup_with("backend = exec\ncommand = program\nsettle = 500ms\n");
}

static void hang_up(struct bench *bench) {
    if (bench->descriptor >= 0) {
        close(bench->descriptor);
    }
    bench->descriptor = -1;
    bench->length = 0;
}

static void teardown(void) {
    for (size_t i = 0; i < BENCHES; i++) {
        hang_up(&benches[i]);
    }
    forward_free(forward);
    loop_timer_free(turn);
    loop_free(loop);
    config_free(config);
    fclose(sink);
    EVP_PKEY_free(camera_key);
    camera_key = NULL;
    buf_free(csr);
    csr = NULL;
    folder_remove();
}

// ---- a bench ------------------------------------------------------------------------------------

static void say(const struct bench *bench, const char *text) {
    size_t length = strlen(text);
    ck_assert_int_eq(send(bench->descriptor, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

// False where the forwarder has hung up. The line is in the message.
static bool hear(struct bench *bench) {
    struct error error;
    int64_t end_ms = clock_monotonic_ms() + GUARD_MS;
    for (;;) {
        char *newline = memchr(bench->input, '\n', bench->length);
        if (newline != NULL) {
            size_t length = (size_t)(newline - bench->input);
            const struct slice line = {(uint8_t *)bench->input, length};
            ck_assert_msg(outbox_read(line, &message, &error), "%s", error.text);
            bench->length -= length + 1;
            memmove(bench->input, newline + 1, bench->length);
            return true;
        }
        ssize_t got = recv(bench->descriptor, bench->input + bench->length,
                           sizeof bench->input - bench->length, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return false;
        }
        if (got > 0) {
            bench->length += (size_t)got;
            continue;
        }
        ck_assert(clock_monotonic_ms() < end_ms);
        run_ms(1);
    }
}

static void dial(struct bench *bench) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    ck_assert(text_copy(address.sun_path, sizeof address.sun_path, config->forward_socket));
    bench->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(bench->descriptor, (const struct sockaddr *)&address, sizeof address),
                     0);
    ck_assert(hear(bench));
    ck_assert_int_eq(message.type, OUTBOX_GREETING);
    ck_assert_uint_eq(message.protocol, OUTBOX_PROTOCOL);
    ck_assert_uint_gt(message.answer_ms, 300000);
}

static void dial_and_greet(struct bench *bench) {
    dial(bench);
    say(bench, "{\"type\":\"hello\",\"protocol\":1,\"bench\":\"b1\"}\n");
}

static struct ca_request request(void) {
    struct ca_request wanted = {
        .profile = &profile,
        .subject = {.serial = "A1", .model = "M"},
        .csr = buf_slice(csr),
        .sent_ms = clock_wall_ms(),
        .handle = "",
    };
    pki_spki_sha256(camera_key, wanted.spki_sha256);
    return wanted;
}

static void put(const struct bench *bench, enum outbox_type type, uint32_t call,
                const struct ca_request *wanted) {
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    ck_assert(outbox_put_call(out, type, call, wanted, CA_REVOKE_UNSPECIFIED));
    say(bench, buf_text(out));
    buf_free(out);
}

static const struct ca_result *ask(struct bench *bench, enum outbox_type type,
                                   const struct ca_request *wanted) {
    static uint32_t call;
    put(bench, type, ++call, wanted);
    do {
        ck_assert(hear(bench));
    } while (message.type == OUTBOX_ALIVE);
    ck_assert_int_eq(message.type, type == OUTBOX_CHECK ? OUTBOX_REPORT : OUTBOX_RESULT);
    ck_assert_uint_eq(message.call, call);
    return &message.result;
}

static void expect_outcome(struct bench *bench, enum outbox_type type,
                           const struct ca_request *wanted, enum ca_outcome outcome,
                           enum error_code code) {
    const struct ca_result *result = ask(bench, type, wanted);
    ck_assert_msg(result->outcome == outcome && result->error.code == code, "%s: %s %s %s",
                  outbox_type_name(type), outbox_outcome_name(result->outcome),
                  error_code_text(result->error.code), result->error.text);
}

// ---- what goes well -----------------------------------------------------------------------------

START_TEST(issues_and_reports) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    ask(&benches[0], OUTBOX_CHECK, &wanted);
    ck_assert(message.report.policy_fits && message.report.is_private);
    ck_assert_str_eq(message.report.behind, "CA mine (local)");
    ck_assert_str_eq(message.report.chain[0], "CN=Test CA");
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
    ck_assert_uint_gt(message.result.leaf.length, 100);
    wanted.handle = "0A";
    expect_outcome(&benches[0], OUTBOX_FETCH, &wanted, CA_NOT_SENT, E_CA_UNSUPPORTED);
}
END_TEST

// What ends a revocation for good is said of the CA's own certificates only.
START_TEST(a_ca_that_revokes_nothing) {
    uint8_t leaf[4096];
    struct ca_request wanted = request();
    struct pki_ca other = pki_ca_new("Test CA", NULL); // of the same name
    X509 *strange = pki_tls_certificate(&other, "A1", camera_key);
    struct buf *der = pki_der(strange);
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
    struct slice own = message.result.leaf;
    ck_assert_uint_le(own.length, sizeof leaf);
    memcpy(leaf, own.data, own.length);
    expect_outcome(&benches[0], OUTBOX_REVOKE, &wanted, CA_NOT_SENT, E_CA_UNSUPPORTED);
    wanted.certificate = buf_slice(der);
    expect_outcome(&benches[0], OUTBOX_REVOKE, &wanted, CA_NOT_SENT, E_CA_UNSUPPORTED);
    wanted.certificate = (struct slice){leaf, own.length};
    expect_outcome(&benches[0], OUTBOX_REVOKE, &wanted, CA_REFUSED, E_CA_UNSUPPORTED);
    buf_free(der);
    X509_free(strange);
    pki_ca_free(&other);
}
END_TEST

// Reports come in the order of the checks, whatever profile and bench they are for.
START_TEST(many_checks_at_once) {
    struct ca_request wanted = request();
    struct profile idevid = *config_find_profile(config, "idevid");
    dial_and_greet(&benches[0]);
    dial_and_greet(&benches[1]);
    for (uint32_t i = 1; i <= 20; i++) {
        wanted.profile = i % 3 == 0 ? &idevid : &profile;
        put(&benches[i % 2], OUTBOX_CHECK, i, &wanted);
    }
    for (uint32_t i = 1; i <= 20; i++) {
        ck_assert(hear(&benches[i % 2]));
        ck_assert_int_eq(message.type, OUTBOX_REPORT);
        ck_assert_uint_eq(message.call, i);
        ck_assert(message.report.policy_fits);
    }
}
END_TEST

// ---- what may not be asked for ------------------------------------------------------------------

START_TEST(another_profile_is_refused_with_its_key) {
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {{"common_name", offsetof(struct profile, common_name)},
                 {"serial_number", offsetof(struct profile, serial_number)},
                 {"organization", offsetof(struct profile, organization)},
                 {"organizational_unit", offsetof(struct profile, organizational_unit)},
                 {"country", offsetof(struct profile, country)},
                 {"hardware_type", offsetof(struct profile, hardware_type)},
                 {"dns_names", offsetof(struct profile, dns_names)}};
    struct ca_request wanted = request();
    const struct profile own = profile;
    dial_and_greet(&benches[0]);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        profile = own;
        memcpy((char *)&profile + texts[i].offset, "DE", 3);
        expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_NOT_SENT, E_CONFIG);
        ck_assert_msg(strstr(message.result.error.text, texts[i].key) != NULL, "%s",
                      message.result.error.text);
    }
    profile = own;
    profile.server_auth = false;
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_NOT_SENT, E_CONFIG);
    ck_assert_ptr_nonnull(strstr(message.result.error.text, "server_auth"));
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_DOUBT, E_CONFIG);
    profile = own;
    profile.validity_days++;
    ask(&benches[0], OUTBOX_CHECK, &wanted);
    ck_assert(message.report.reachable && !message.report.policy_fits);
    ck_assert_int_eq(message.report.error.code, E_CONFIG);
    ck_assert_ptr_nonnull(strstr(message.report.error.text, "validity"));
    profile = own;
    memcpy(profile.name, "other", 6);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_NOT_SENT, E_CONFIG);
    ck_assert_ptr_nonnull(strstr(message.result.error.text, "no [profile other]"));
    profile = own;
    profile.credential = 9; // the camera's matter
    memcpy(profile.ca, "gateway", 8);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
}
END_TEST

START_TEST(bad_requests_go_no_further) {
    static const char *const handles[] = {"", "../1", "1?x", "a b", "a#", "a%2e"};
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    wanted.csr = (struct slice){(const uint8_t *)"junk", 4};
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CSR_MALFORMED);
    wanted = request();
    wanted.spki_sha256[0] ^= 1;
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CSR_KEY);
    wanted = request();
    wanted.subject.serial = "";
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CAM_MALFORMED);
    wanted.subject.serial = "A B"; // no host name
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CONFIG);
    wanted = request();
    wanted.sent_ms -= 130 * 1000;
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_NOT_SENT, E_CLOCK);
    wanted.sent_ms += 260 * 1000;
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_NOT_SENT, E_CLOCK);
    for (size_t i = 0; i < ARRAY_LENGTH(handles); i++) {
        wanted.handle = handles[i];
        expect_outcome(&benches[0], OUTBOX_FETCH, &wanted, CA_REFUSED, E_CA_REFUSED);
    }
    wanted = request();
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
}
END_TEST

START_TEST(a_key_of_another_type) {
    static const struct pki_pair subject[] = {{"CN", "A1"}, {0}};
    EVP_PKEY_free(camera_key);
    buf_free(csr);
    camera_key = pki_key("P-384");
    csr = pki_csr(camera_key, subject, NULL, false);
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CSR_KEY_TYPE);
}
END_TEST

// Somebody who has taken over a bench gets no other names than the profile has, whatever the CA grants.
START_TEST(a_csr_that_asks_for_more) {
    static const struct pki_pair subject[] = {{"CN", "A1"}, {"serialNumber", "A1"}, {0}};
    static const struct pki_pair asked[] = {{"subjectAltName", "DNS:www.example.com"}, {0}};
    buf_free(csr);
    csr = pki_csr_asking(camera_key, subject, asked, false);
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_REFUSED, E_CSR_EXTENSION);
}
END_TEST

// ---- never twice --------------------------------------------------------------------------------

START_TEST(the_same_request_is_not_passed_on_twice) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    dial_and_greet(&benches[1]);
    put(&benches[0], OUTBOX_SUBMIT, 1, &wanted);
    put(&benches[0], OUTBOX_SUBMIT, 2, &wanted); // while the first is in progress
    for (int i = 0; i < 2; i++) {
        ck_assert(hear(&benches[0]));
        ck_assert_int_eq(message.result.outcome, message.call == 1 ? CA_CERTIFICATE : CA_DOUBT);
    }
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_DOUBT, E_CA_DOUBT);
    wanted.sent_ms++;
    expect_outcome(&benches[1], OUTBOX_SUBMIT, &wanted, CA_DOUBT, E_CA_DOUBT);
}
END_TEST

// A scan that finds nothing counts only when neither this forwarder nor one before it can have sent
// anything within the settle time.
START_TEST(not_issued_is_said_when_it_is_settled) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_NOT_ISSUED, ERROR_NONE);
    ck_assert_uint_gt(message.result.retry_after_ms, 0);
    run_ms(SETTLE_MS);
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_NOT_ISSUED, ERROR_NONE);
    ck_assert_uint_eq(message.result.retry_after_ms, 0);
    put(&benches[0], OUTBOX_SUBMIT, 7, &wanted);
    put(&benches[0], OUTBOX_RECONCILE, 8, &wanted);
    for (int i = 0; i < 2; i++) {
        ck_assert(hear(&benches[0]));
        ck_assert_int_eq(message.result.outcome,
                         message.call == 7 ? CA_CERTIFICATE : CA_NOT_ISSUED);
        ck_assert(message.call == 7 || message.result.retry_after_ms > 0);
    }
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_NOT_ISSUED, ERROR_NONE);
    ck_assert_uint_gt(message.result.retry_after_ms, 0);
    run_ms(SETTLE_MS);
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_NOT_ISSUED, ERROR_NONE);
    ck_assert_uint_eq(message.result.retry_after_ms, 0);
}
END_TEST

START_TEST(a_look_up_that_the_ca_does_not_count_does_not_count) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_RECONCILE, &wanted, CA_NOT_ISSUED, ERROR_NONE);
    ck_assert_uint_eq(message.result.retry_after_ms, 7000);
}
END_TEST

// It hung in a tunnel while the bench came back and looked it up.
START_TEST(a_submit_on_an_older_connection_comes_too_late) {
    struct ca_request late = request();
    dial_and_greet(&benches[0]);
    dial_and_greet(&benches[1]);
    expect_outcome(&benches[1], OUTBOX_RECONCILE, &late, CA_NOT_ISSUED, ERROR_NONE);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &late, CA_DOUBT, E_CA_DOUBT);
    struct ca_request again = request();
    again.sent_ms++;
    expect_outcome(&benches[1], OUTBOX_SUBMIT, &again, CA_CERTIFICATE, ERROR_NONE);
}
END_TEST

// ---- hostile benches ----------------------------------------------------------------------------

static const char *const bad_openings[] = {
    "nonsense\n",
    "{\"type\":\"hello\"}\n",
    "{\"type\":\"hello\",\"protocol\":1,\"bench\":\"\"}\n",
    "{\"type\":\"hello\",\"protocol\":1,\"bench\":\"a\\u001b[2J\"}\n",
    "{\"type\":\"hello\",\"protocol\":2,\"bench\":\"b1\"}\n",
    "{\"type\":\"check\",\"call\":1,\"profile\":{\"name\":\"https\",\"key\":\"p256\","
    "\"dns_names\":[]}}\n",
    "{\"type\":\"greeting\",\"protocol\":1,\"program\":\"x\"}\n",
};

START_TEST(a_bad_opening_ends_it) {
    dial(&benches[0]);
    say(&benches[0], bad_openings[_i]);
    ck_assert(hear(&benches[0]));
    ck_assert_int_eq(message.type, OUTBOX_FAREWELL);
    ck_assert(!hear(&benches[0]));
}
END_TEST

#define PROFILE "\"profile\":{\"name\":\"https\",\"key\":\"p256\",\"dns_names\":[]}"

static const char *const bad_calls[] = {
    "{\"type\":\"hello\",\"protocol\":1,\"bench\":\"b1\"}\n",
    "{\"type\":\"result\",\"call\":1,\"outcome\":\"doubt\"}\n",
    "{\"type\":\"submit\"}\n",
    "{\"type\":\"submit\",\"call\":0," PROFILE "}\n",
    "{\"type\":\"submit\",\"call\":1}\n",
    "{\"type\":\"submit\",\"call\":1,\"profile\":[]}\n",
    "{\"type\":\"check\",\"call\":1,\"profile\":{\"name\":\"https\",\"key\":\"p1\","
    "\"dns_names\":[]}}\n",
    "{\"type\":\"check\",\"call\":1,\"profile\":{\"name\":\"https\",\"key\":\"p256\"}}\n",
    "{\"type\":\"check\",\"call\":1,\"profile\":{\"name\":\"https\",\"key\":\"p256\","
    "\"dns_names\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}}\n",
    "{\"type\":\"submit\",\"call\":1," PROFILE ",\"spki_sha256\":\"zz\"}\n",
    "{\"type\":\"submit\",\"call\":1," PROFILE ",\"spki_sha256\":\"\"}\n",
    "{\"type\":\"submit\",\"call\":1," PROFILE ",\"serial\":\"\xc3\xa4\"}\n",
    "{\"type\":\"submit\",\"call\":1," PROFILE ",\"hardware_id\":\"123\"}\n",
    "{\"type\":\"submit\",\"call\":1," PROFILE ",\"sent_ms\":1e3}\n",
};

START_TEST(a_bad_call_ends_it) {
    dial_and_greet(&benches[0]);
    dial_and_greet(&benches[1]);
    say(&benches[0], bad_calls[_i]);
    ck_assert(hear(&benches[0]));
    ck_assert_int_eq(message.type, OUTBOX_FAREWELL);
    ck_assert_int_eq(message.error.code, E_CA_NONSENSE);
    ck_assert(!hear(&benches[0]));
    struct ca_request wanted = request(); // another bench does not notice
    expect_outcome(&benches[1], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
}
END_TEST

START_TEST(an_endless_line_ends_it) {
    static char block[4096];
    memset(block, 'x', sizeof block - 1);
    dial_and_greet(&benches[0]);
    for (int i = 0; i < 17; i++) {
        (void)send(benches[0].descriptor, block, sizeof block - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        run_ms(2);
    }
    ck_assert(!hear(&benches[0]));
}
END_TEST

// Half a line is never acted upon.
START_TEST(a_cut_submit_does_nothing) {
    struct ca_request wanted = request();
    struct buf *out = buf_new(OUTBOX_LINE_MAX);
    ck_assert(outbox_put_call(out, OUTBOX_SUBMIT, 1, &wanted, CA_REVOKE_UNSPECIFIED));
    for (size_t length = buf_length(out) - 3; length < buf_length(out); length++) {
        dial_and_greet(&benches[0]);
        ck_assert_int_eq(send(benches[0].descriptor, buf_text(out), length, MSG_NOSIGNAL),
                         (ssize_t)length);
        hang_up(&benches[0]);
        run_ms(20);
    }
    buf_free(out);
    dial_and_greet(&benches[0]); // the very same is taken now, so it was not before
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_CERTIFICATE, ERROR_NONE);
}
END_TEST

// A bench goes with its call in progress; its answer has nowhere to go.
START_TEST(a_bench_that_leaves) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    put(&benches[0], OUTBOX_SUBMIT, 1, &wanted);
    put(&benches[0], OUTBOX_CHECK, 2, &wanted);
    hang_up(&benches[0]);
    run_ms(50);
    dial_and_greet(&benches[0]);
    expect_outcome(&benches[0], OUTBOX_SUBMIT, &wanted, CA_DOUBT, E_CA_DOUBT);
}
END_TEST

START_TEST(takes_nothing_new_when_it_stops) {
    struct ca_request wanted = request();
    dial_and_greet(&benches[0]);
    ask(&benches[0], OUTBOX_CHECK, &wanted);
    forward_stop(forward);
    put(&benches[0], OUTBOX_SUBMIT, 9, &wanted);
    loop_run(loop); // until it is done
    ck_assert(hear(&benches[0]));
    ck_assert_int_eq(message.result.outcome, CA_NOT_SENT);
    ck_assert_int_eq(message.result.error.code, E_CA_BUSY);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("forward");
    TCase *tests = tcase_create("forward");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, issues_and_reports);
    tcase_add_test(tests, a_ca_that_revokes_nothing);
    tcase_add_test(tests, many_checks_at_once);
    tcase_add_test(tests, another_profile_is_refused_with_its_key);
    tcase_add_test(tests, bad_requests_go_no_further);
    tcase_add_test(tests, a_key_of_another_type);
    tcase_add_test(tests, a_csr_that_asks_for_more);
    tcase_add_test(tests, the_same_request_is_not_passed_on_twice);
    tcase_add_test(tests, not_issued_is_said_when_it_is_settled);
    tcase_add_test(tests, a_submit_on_an_older_connection_comes_too_late);
    tcase_add_loop_test(tests, a_bad_opening_ends_it, 0, (int)ARRAY_LENGTH(bad_openings));
    tcase_add_loop_test(tests, a_bad_call_ends_it, 0, (int)ARRAY_LENGTH(bad_calls));
    tcase_add_test(tests, an_endless_line_ends_it);
    tcase_add_test(tests, a_cut_submit_does_nothing);
    tcase_add_test(tests, a_bench_that_leaves);
    tcase_add_test(tests, takes_nothing_new_when_it_stops);
    suite_add_tcase(suite, tests);
    TCase *early = tcase_create("early");
    tcase_set_timeout(early, 60);
    tcase_add_checked_fixture(early, setup_early, teardown);
    tcase_add_test(early, a_look_up_that_the_ca_does_not_count_does_not_count);
    suite_add_tcase(suite, early);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
