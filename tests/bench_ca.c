// SPDX-License-Identifier: Apache-2.0
// What a certificate costs the HVCA client, beside curl's multi interface alone doing the same
// requests with no JSON and no X.509; both against the simulator, which is a process of its own. And
// how near to its limit the client keeps a CA that takes its time.
//
// Prints a line for each figure: a word, then numbers; scripts/bench reads them.
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ca-client/ca.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"
#include "station/io/loop.h"
#include "tests/support_hvca_sim.h"
#include "tests/support_pki.h"

#define UNITS 128
#define IN_FLIGHT 8
#define CERTIFICATES 2048
#define LATENCY_MS 200
#define CHECKS 500
#define SLOW_CERTIFICATES 256
#define SLOW_IN_FLIGHT 16
#define FILE_MAX 65536

static void must(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "bench_ca: %s\n", what);
        exit(1);
    }
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct unit {
    char serial[32];
    struct buf *csr;
    struct buf *body; // of the bare request
    uint8_t spki_sha256[SHA256_SIZE];
};

static struct unit units[UNITS];
static struct profile profile;

// ---- with the backend ---------------------------------------------------------------------------

struct run {
    struct loop *loop;
    struct ca *ca;
    struct x509_trust *trust;
    struct buf *chain;
    size_t count; // certificates in all
    size_t ahead; // asked for before the first of them is there
    size_t asked;
    size_t done;
    int64_t start_ns;
    int64_t start_ms;
    int64_t last_id; // of the last certificate, which is kept
    struct buf *leaf;
    struct buf *extra;
};

static struct ca_request request_of(size_t number) {
    const struct unit *unit = &units[number % UNITS];
    struct ca_request request = {
        .id = (int64_t)number + 1,
        .profile = &profile,
        .subject = {.serial = unit->serial, .model = "VX"},
        .csr = buf_slice(unit->csr),
        .sent_ms = clock_wall_ms(),
        .handle = "",
    };
    memcpy(request.spki_sha256, unit->spki_sha256, SHA256_SIZE);
    return request;
}

static void ask_next(struct run *run) {
    if (run->asked < run->count) {
        const struct ca_request request = request_of(run->asked++);
        ca_hvca.submit(run->ca, &request);
    }
}

static void check_certificate(struct run *run, const struct ca_result *result) {
    const struct unit *unit = &units[(size_t)(result->id - 1) % UNITS];
    const struct certificate_expected expected = {
        .profile = &profile,
        .subject = {.serial = unit->serial, .model = "VX"},
        .spki_sha256 = unit->spki_sha256,
        .now_ms = clock_wall_ms(),
    };
    struct certificate_facts facts;
    struct error error;
    buf_clear(run->chain);
    must(x509_check_certificate(run->trust, result->leaf, result->extra, &expected, &facts,
                                run->chain, &error),
         error.text);
}

static struct buf *copy_of(struct slice slice) {
    struct buf *copy = buf_new(slice.length);
    must(copy != NULL && buf_put(copy, slice.data, slice.length), "no memory");
    return copy;
}

static void handle_result(void *context, const struct ca_result *result) {
    struct run *run = context;
    if (result->outcome == CA_ACCEPTED) {
        struct ca_request request = request_of((size_t)(result->id - 1));
        request.handle = result->handle;
        ca_hvca.fetch(run->ca, &request);
        if (run->done > 0) {
            ask_next(run);
        }
        return;
    }
    must(result->outcome == CA_CERTIFICATE, result->error.text);
    check_certificate(run, result);
    // The first one does not count: it opens connections, logs in and reads the policy.
    if (++run->done == 1) {
        run->start_ns = cpu_ns();
        run->start_ms = clock_monotonic_ms();
        for (size_t i = 0; i < run->ahead; i++) {
            ask_next(run);
        }
    } else if (run->done == run->count) {
        run->last_id = result->id;
        run->leaf = copy_of(result->leaf);
        run->extra = copy_of(result->extra);
        loop_stop(run->loop);
    }
}

static void handle_report(void *context, const struct ca_report *report) {
    (void)context, (void)report;
}

static struct x509_trust *read_trust(const char *file) {
    static char pem[FILE_MAX];
    struct x509_trust *trust = NULL;
    struct error error;
    struct slice none = {0};
    FILE *in = fopen(file, "r");
    must(in != NULL, file);
    size_t length = fread(pem, 1, sizeof pem, in);
    fclose(in);
    must(x509_trust_new((struct slice){(const uint8_t *)pem, length}, none, &trust, &error),
         error.text);
    return trust;
}

struct figures {
    double cpu_us;
    double per_second;
    double check_us; // of cpu_us, the check of one certificate
};

static double measure_check(struct run *run) {
    const struct ca_result result = {
        .id = run->last_id, .leaf = buf_slice(run->leaf), .extra = buf_slice(run->extra)};
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < CHECKS; i++) {
        check_certificate(run, &result);
    }
    return (double)(cpu_ns() - start_ns) / 1000 / CHECKS;
}

static struct figures run_backend(struct hvca_sim *sim, size_t count, uint32_t in_flight) {
    static const struct ca_events events = {.on_result = handle_result, .on_report = handle_report};
    struct run run = {
        .count = count + 1, .ahead = 4 * (size_t)in_flight, .chain = buf_new(1 << 16)};
    struct ca_settings settings = hvca_sim_settings(sim);
    struct error error;
    settings.in_flight = in_flight;
    must(run.chain != NULL && loop_new(&run.loop, &error) &&
             ca_hvca.open(run.loop, &settings, &events, &run, &run.ca, &error),
         error.text);
    run.trust = read_trust(settings.root_file);
    ask_next(&run);
    loop_run(run.loop);
    struct figures figures = {
        .cpu_us = (double)(cpu_ns() - run.start_ns) / 1000 / (double)count,
        .per_second = (double)count * 1000 / (double)(clock_monotonic_ms() - run.start_ms),
        .check_us = measure_check(&run),
    };
    ca_hvca.close(run.ca);
    buf_free(run.leaf);
    buf_free(run.extra);
    x509_trust_free(run.trust);
    buf_free(run.chain);
    loop_free(run.loop);
    return figures;
}

// ---- with curl alone ----------------------------------------------------------------------------

struct bare {
    CURL *easy;
    const struct hvca_sim *sim;
    char serial[80];
    char answer[FILE_MAX];
    size_t length;
    bool gets;
};

static size_t keep_answer(char *data, size_t size, size_t count, void *context) {
    struct bare *bare = context;
    size_t length = size * count;
    must(bare->length + length < sizeof bare->answer, "an answer is too long");
    memcpy(bare->answer + bare->length, data, length);
    bare->length += length;
    return length;
}

static size_t find_location(char *data, size_t size, size_t count, void *context) {
    struct bare *bare = context;
    size_t length = size * count;
    if (length > 10 && strncasecmp(data, "location:", 9) == 0) {
        snprintf(bare->serial, sizeof bare->serial, "%.*s", (int)length, data);
        bare->serial[strcspn(bare->serial, "\r\n")] = '\0';
        memmove(bare->serial, strrchr(bare->serial, '/') + 1,
                strlen(strrchr(bare->serial, '/') + 1) + 1);
    }
    return length;
}

static void set_up(struct bare *bare, const struct hvca_sim *sim, struct curl_slist *headers) {
    CURL *easy = curl_easy_init();
    must(easy != NULL, "no memory");
    bare->easy = easy;
    bare->sim = sim;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, bare);
    curl_easy_setopt(easy, CURLOPT_CAINFO, sim->files[1]);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, sim->files[2]);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, sim->files[3]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, bare);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, find_location);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, bare);
}

static void post(struct bare *bare, const char *path, const char *body, size_t length) {
    char url[256];
    snprintf(url, sizeof url, "%s%s", bare->sim->url, path);
    bare->length = 0;
    bare->gets = false;
    curl_easy_setopt(bare->easy, CURLOPT_URL, url);
    curl_easy_setopt(bare->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(bare->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(bare->easy, CURLOPT_POSTFIELDSIZE, (long)length);
}

static void get(struct bare *bare) {
    char url[256];
    snprintf(url, sizeof url, "%s/certificates/%s", bare->sim->url, bare->serial);
    bare->length = 0;
    bare->gets = true;
    curl_easy_setopt(bare->easy, CURLOPT_URL, url);
    curl_easy_setopt(bare->easy, CURLOPT_HTTPGET, 1L);
}

static void read_line(const char *file, char *out, size_t capacity) {
    FILE *in = fopen(file, "r");
    must(in != NULL, file);
    bool is_read = fgets(out, (int)capacity, in) != NULL;
    fclose(in);
    must(is_read, file);
    out[strcspn(out, "\n")] = '\0';
}

static struct curl_slist *log_in(const struct hvca_sim *sim) {
    char key[256];
    char secret[256];
    char header[FILE_MAX + 64];
    struct bare bare = {0};
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json;charset=utf-8");
    read_line(sim->files[4], key, sizeof key);
    read_line(sim->files[5], secret, sizeof secret);
    json_t *login = json_pack("{s:s, s:s}", "api_key", key, "api_secret", secret);
    char *body = json_dumps(login, JSON_COMPACT);
    set_up(&bare, sim, headers);
    post(&bare, "/login", body, strlen(body));
    must(curl_easy_perform(bare.easy) == CURLE_OK, "no login");
    json_t *answer = json_loadb(bare.answer, bare.length, 0, NULL);
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    must(token != NULL, "no token");
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    headers = curl_slist_append(headers, header);
    json_decref(answer);
    json_decref(login);
    free(body);
    curl_easy_cleanup(bare.easy);
    return headers;
}

// Goes on with a transfer that ended: its GET, or the next POST. False where there is nothing left.
static bool go_on(struct bare *bare, size_t *asked, size_t *done) {
    if (!bare->gets && bare->serial[0] != '\0') {
        get(bare);
        return true;
    }
    *done += bare->gets ? 1 : 0;
    bare->serial[0] = '\0';
    if (*asked == CERTIFICATES) {
        return false;
    }
    const struct buf *body = units[(*asked)++ % UNITS].body;
    post(bare, "/certificates", buf_text(body), buf_length(body));
    return true;
}

static void perform(CURLM *multi, size_t *asked, size_t *done) {
    int running = 0;
    int left = 0;
    CURLMsg *message;
    must(curl_multi_poll(multi, NULL, 0, 1000, NULL) == CURLM_OK &&
             curl_multi_perform(multi, &running) == CURLM_OK,
         "curl");
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        char *private = NULL;
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        struct bare *bare = (struct bare *)(void *)private;
        must(message->data.result == CURLE_OK && status == (bare->gets ? 200 : 201), bare->answer);
        curl_multi_remove_handle(multi, bare->easy);
        if (go_on(bare, asked, done)) {
            curl_multi_add_handle(multi, bare->easy);
        }
    }
}

static struct figures run_bare(const struct hvca_sim *sim) {
    static struct bare bares[IN_FLIGHT];
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers = log_in(sim);
    size_t asked = 0;
    size_t done = 0;
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        bares[i] = (struct bare){0};
        set_up(&bares[i], sim, headers);
    }
    int64_t start_ns = cpu_ns();
    int64_t start_ms = clock_monotonic_ms();
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        must(go_on(&bares[i], &asked, &done), "nothing to do");
        curl_multi_add_handle(multi, bares[i].easy);
    }
    while (done < CERTIFICATES) {
        perform(multi, &asked, &done);
    }
    struct figures figures = {
        .cpu_us = (double)(cpu_ns() - start_ns) / 1000 / CERTIFICATES,
        .per_second = CERTIFICATES * 1000.0 / (double)(clock_monotonic_ms() - start_ms),
    };
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        curl_easy_cleanup(bares[i].easy);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return figures;
}

// ---- all of it ----------------------------------------------------------------------------------

static void make_unit(struct unit *unit) {
    const struct pki_pair subject[] = {{"CN", unit->serial}, {NULL, NULL}};
    struct error error;
    EVP_PKEY *key = pki_key("P-256");
    struct buf *pem = buf_new(FILE_MAX);
    snprintf(unit->serial, sizeof unit->serial, "VX-%06zu", (size_t)(unit - units));
    unit->csr = pki_csr(key, subject, NULL, false);
    pki_spki_sha256(key, unit->spki_sha256);
    must(x509_der_to_pem(buf_slice(unit->csr), "CERTIFICATE REQUEST", pem, &error), error.text);
    int length = (int)buf_length(pem) - 1; // without the last newline
    json_t *root = json_pack("{s:{s:s, s:s}, s:{s:[s]}, s:s#, s:[s, s]}", "subject_dn",
                             "common_name", unit->serial, "serial_number", unit->serial, "san",
                             "dns_names", "vx.local", "public_key", buf_text(pem), length,
                             "extended_key_usages", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
    char *body = json_dumps(root, JSON_COMPACT);
    unit->body = buf_new(FILE_MAX);
    must(body != NULL && buf_put_text(unit->body, body), "no memory");
    free(body);
    json_decref(root);
    buf_free(pem);
    EVP_PKEY_free(key);
}

// Both ways have their turn in every round, so that a change of the machine's mood meets both.
static void compare(struct hvca_sim *sim) {
    for (int round = 0; round < 3; round++) {
        struct figures bare = run_bare(sim);
        int64_t connections = hvca_sim_count(sim, "connections");
        struct figures backend = run_backend(sim, CERTIFICATES, IN_FLIGHT);
        printf("bare %.0f %.0f\nbackend %.0f %.0f\ncheck %.0f\n", bare.cpu_us, bare.per_second,
               backend.cpu_us, backend.per_second, backend.check_us);
        printf("handshakes %lld %d\n",
               (long long)(hvca_sim_count(sim, "connections") - connections), CERTIFICATES);
    }
}

int main(void) {
    static const char *const slow[] = {"--latency", "200", "--latency-jitter", "0", NULL};
    struct hvca_sim sim;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    must(profile_built_in("https", &profile), "no profile");
    for (size_t i = 0; i < UNITS; i++) {
        make_unit(&units[i]);
    }
    hvca_sim_start(&sim, NULL);
    compare(&sim);
    hvca_sim_kill(&sim);
    hvca_sim_restart(&sim, slow);
    struct figures figures = run_backend(&sim, SLOW_CERTIFICATES, SLOW_IN_FLIGHT);
    double limit = SLOW_IN_FLIGHT * 1000.0 / (LATENCY_MS * 2);
    printf("slow %.1f %.1f\n", figures.per_second, limit);
    printf("posts %lld\n", (long long)hvca_sim_count(&sim, "requests.post"));
    hvca_sim_stop(&sim);
    for (size_t i = 0; i < UNITS; i++) {
        buf_free(units[i].csr);
        buf_free(units[i].body);
    }
    return 0;
}
