// SPDX-License-Identifier: Apache-2.0
// The simulated cameras, from outside: whole flows over ptys and sockets with real keys, and every
// fault as the station sees it.
#include <check.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_camera_sim.h"
#include "tests/support_pki.h"

#define PATIENCE_MS 20000

#define START(...) camera_sim_start(&sim, (const char *const[]){__VA_ARGS__, NULL})

static struct camera_sim sim;
static struct camera_line line;
static struct pki_ca authority;
static struct buf *chain;
static uint8_t csr[4096];
static size_t csr_length;

static void set_up(void) {
    memset(&sim, 0, sizeof sim);
    line.descriptor = -1;
    chain = NULL;
    authority = pki_ca_new("Test CA", NULL);
}

static void tear_down(void) {
    camera_line_close(&line);
    if (sim.process > 0) {
        camera_sim_stop(&sim); // also where a sanitizer tells what leaked
    }
    camera_sim_remove(&sim);
    pki_ca_free(&authority);
    buf_free(chain);
}

// ---- what a station does ------------------------------------------------------------------------

static const struct session_result *ask(const struct session_order *order) {
    return camera_line_do(&line, order, PATIENCE_MS);
}

static const struct session_result *must(const struct session_order *order) {
    const struct session_result *result = ask(order);
    ck_assert_msg(result != NULL, "order %d: the line hung up, or no answer came", order->kind);
    ck_assert_msg(result->outcome == SESSION_DONE, "order %d: outcome %d: %s", order->kind,
                  result->outcome, result->text);
    return result;
}

static const struct message_info *identify(void) {
    return &must(&(struct session_order){.kind = SESSION_IDENTIFY})->info;
}

static struct session_order generate_order(uint8_t key_type, uint8_t job) {
    struct session_order order = {.kind = SESSION_GENERATE, .credential = 1, .key_type = key_type};
    memset(order.job_id, job, sizeof order.job_id);
    return order;
}

static struct session_order fetch_order(enum object_type object) {
    return (struct session_order){
        .kind = SESSION_FETCH, .credential = 1, .object = (uint8_t)object};
}

static void fetch_csr(void) {
    struct session_order order = fetch_order(OBJECT_CSR);
    struct slice object = must(&order)->object;
    ck_assert_uint_le(object.length, sizeof csr);
    memcpy(csr, object.data, object.length);
    csr_length = object.length;
}

static X509_REQ *parse_csr(void) {
    const uint8_t *at = csr;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)csr_length);
    ck_assert_ptr_nonnull(request);
    ck_assert_ptr_eq(at, csr + csr_length);
    return request;
}

static bool csr_is_signed(void) {
    X509_REQ *request = parse_csr();
    bool good = X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1;
    X509_REQ_free(request);
    return good;
}

static bool csr_has_key(const uint8_t spki_sha256[SHA256_SIZE]) {
    uint8_t digest[SHA256_SIZE];
    X509_REQ *request = parse_csr();
    pki_spki_sha256(X509_REQ_get0_pubkey(request), digest);
    X509_REQ_free(request);
    return memcmp(digest, spki_sha256, SHA256_SIZE) == 0;
}

static void csr_subject(char out[256]) {
    X509_REQ *request = parse_csr();
    X509_NAME_oneline(X509_REQ_get_subject_name(request), out, 256);
    X509_REQ_free(request);
}

static struct session_order install_order(void) {
    X509_REQ *request = parse_csr();
    struct pki_spec spec = {
        .issuer = authority.certificate,
        .issuer_key = authority.key,
        .key = X509_REQ_get0_pubkey(request),
        .subject = {{"CN", "camera"}},
    };
    X509 *certificate = pki_certificate(&spec);
    buf_free(chain);
    struct buf *leaf = pki_der(certificate);
    struct buf *root = pki_der(authority.certificate);
    chain = pki_join(leaf, root);
    buf_free(leaf);
    buf_free(root);
    X509_free(certificate);
    X509_REQ_free(request);
    struct session_order order = {
        .kind = SESSION_INSTALL, .credential = 1, .chain = buf_slice(chain)};
    EVP_Digest(order.chain.data, order.chain.length, order.sha256, NULL, EVP_sha256(), NULL);
    return order;
}

static struct session_order prove_order(void) {
    struct session_order order = {.kind = SESSION_PROVE, .credential = 1};
    memset(order.nonce, 0x77, sizeof order.nonce);
    return order;
}

static bool proof_is_good(const struct session_result *result) {
    uint8_t message[19 + SHA256_SIZE + MESSAGE_NONCE_SIZE] = "birthcert-prove-v1";
    memcpy(message + 19, result->certificate_sha256, SHA256_SIZE);
    memset(message + 19 + SHA256_SIZE, 0x77, MESSAGE_NONCE_SIZE);
    X509_REQ *request = parse_csr();
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    bool is_pss = result->signature_algorithm == SIGNATURE_RSA_PSS_SHA256;
    bool is_bare = result->signature_algorithm == SIGNATURE_ED25519;
    const EVP_MD *digest =
        result->signature_algorithm == SIGNATURE_ECDSA_SHA384 ? EVP_sha384() : EVP_sha256();
    EVP_PKEY_CTX *key_context = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ck_assert_int_eq(
        EVP_DigestVerifyInit(context, &key_context, is_bare ? NULL : digest, NULL, key), 1);
    if (is_pss) {
        EVP_PKEY_CTX_set_rsa_padding(key_context, 6); // RSA_PKCS1_PSS_PADDING
        EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, 32);
    }
    bool good = EVP_DigestVerify(context, result->signature.data, result->signature.length, message,
                                 sizeof message) == 1;
    EVP_MD_CTX_free(context);
    X509_REQ_free(request);
    return good;
}

static const struct session_result *finish(void) {
    return ask(&(struct session_order){.kind = SESSION_FINISH, .lock = true});
}

// From a bare camera to a locked one.
static void provision(uint8_t key_type) {
    identify();
    struct session_order order = generate_order(key_type, 1);
    uint8_t spki_sha256[SHA256_SIZE];
    memcpy(spki_sha256, must(&order)->spki_sha256, sizeof spki_sha256);
    fetch_csr();
    ck_assert(csr_is_signed());
    ck_assert(csr_has_key(spki_sha256));
    order = install_order();
    must(&order);
    order = fetch_order(OBJECT_CHAIN);
    ck_assert(slice_equal(must(&order)->object, buf_slice(chain)));
    order = prove_order();
    ck_assert(proof_is_good(must(&order)));
    ck_assert_uint_eq(
        must(&(struct session_order){.kind = SESSION_FINISH, .lock = true})->lifecycle,
        LIFECYCLE_LOCKED);
}

// Steps of provision(), each done until it is: the line may hang up, RAM be lost.
static void provision_through_hangups(void) {
    struct session_order order = generate_order(KEY_P256, 1);
    int tries = 0;
    for (int step = 0; step < 5; tries++) {
        ck_assert_int_lt(tries, 20);
        const struct session_result *result =
            ask(&(struct session_order){.kind = SESSION_IDENTIFY});
        if (result != NULL) {
            result = ask(&order);
        }
        if (result == NULL) {
            camera_line_reopen(&line);
            continue;
        }
        ck_assert_msg(result->outcome == SESSION_DONE, "step %d: %s", step, result->text);
        if (++step == 1) {
            order = fetch_order(OBJECT_CSR);
        } else if (step == 2) {
            memcpy(csr, result->object.data, result->object.length);
            csr_length = result->object.length;
            order = install_order();
        } else if (step == 3) {
            order = prove_order();
        } else if (step == 4) {
            ck_assert(proof_is_good(result));
            order = (struct session_order){.kind = SESSION_FINISH, .lock = true};
        }
    }
}

static void expect_dump(const char *wanted) {
    char dump[8192];
    camera_sim_dump(&sim, dump, sizeof dump);
    ck_assert_msg(strstr(dump, wanted) != NULL, "no %s in %s", wanted, dump);
}

static void expect_refused(const struct session_order *order, enum camera_error code) {
    const struct session_result *result = ask(order);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(result->outcome, SESSION_REFUSED);
    ck_assert_str_eq(camera_error_name(result->camera_error), camera_error_name(code));
}

// ---- whole flows --------------------------------------------------------------------------------

START_TEST(provisions_over_a_pty_and_survives_a_restart) {
    START("--count", "2", "--boot-text", "U-Boot\\nlogin: ");
    camera_line_open(&line, &sim, 1);
    ck_assert_str_eq(identify()->serial, "SIM-000002");
    provision(KEY_P256);
    camera_sim_kill(&sim);
    expect_dump("\"serial\": \"SIM-000002\", \"lifecycle\": \"locked\"");
    expect_dump("\"serial\": \"SIM-000001\", \"lifecycle\": \"blank\"");
    START("--count", "2");
    camera_line_open(&line, &sim, 1);
    ck_assert_uint_eq(identify()->lifecycle, LIFECYCLE_LOCKED);
    struct session_order order = prove_order();
    ck_assert(proof_is_good(must(&order)));
}
END_TEST

START_TEST(provisions_over_a_socket) {
    static const uint8_t key_types[] = {KEY_P384, KEY_RSA_2048, KEY_ED25519};
    START("--transport", "unix", "--count", "3", "--key-types", "p384,rsa2048,ed25519", "--sync",
          "--key-time", "400");
    for (uint32_t i = 0; i < 3; i++) {
        camera_line_open(&line, &sim, i);
        provision(key_types[i]);
        camera_line_close(&line);
    }
}
END_TEST

START_TEST(the_subject_is_the_station_s_or_the_camera_s) {
    char subject[256];
    static const uint8_t name[] = {0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55,
                                   0x04, 0x05, 0x0c, 0x04, 'A',  'B',  'C',  'D'};
    START("--count", "2", "--model", "PV-1", "--serial-prefix", "X");
    camera_line_open(&line, &sim, 0);
    struct session_order order = generate_order(KEY_P256, 1);
    must(&order);
    fetch_csr();
    csr_subject(subject);
    ck_assert_str_eq(subject, "/CN=PV-1-X000001/serialNumber=X000001");
    order = generate_order(KEY_P256, 2);
    expect_refused(&order, CAMERA_EXISTS);
    order.replace = true;
    order.subject = (struct slice){name, sizeof name};
    must(&order);
    fetch_csr();
    csr_subject(subject);
    ck_assert_str_eq(subject, "/serialNumber=ABCD");
    order.job_id[0]++;
    order.subject.length--;
    expect_refused(&order, CAMERA_MALFORMED);
}
END_TEST

START_TEST(provisions_over_a_bad_line) {
    START("--drop", "8", "--corrupt", "4", "--garbage", "20", "--baud", "921600", "--seed", "7");
    camera_line_open(&line, &sim, 0);
    provision(KEY_P256);
}
END_TEST

// ---- a tty of the camera's own --------------------------------------------------------------------

// The camera's tty is a pty's slave, as fresh as the kernel makes it; the station has the master.
static void plug_tty(void) {
    char slave[64];
    char path[96];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    ck_assert_int_eq(ptsname_r(master, slave, sizeof slave), 0);
    snprintf(path, sizeof path, "%s/p/cam0", sim.folder);
    unlink(path);
    ck_assert_int_eq(symlink(slave, path), 0);
    camera_line_take(&line, &sim, master);
}

START_TEST(hangs_on_a_tty_that_comes_and_goes) {
    camera_sim_make_folder(&sim);
    plug_tty();
    START("--transport", "tty", "--key-time", "1000", "--boot-text", "boot\\n");
    identify();
    struct session_order order = generate_order(KEY_P256, 1);
    ck_assert_ptr_null(camera_line_do(&line, &order, 50));
    ck_assert(!line.hung_up);
    camera_line_close(&line);
    plug_tty();
    provision(KEY_P256);
    camera_line_close(&line);
    plug_tty();
    ck_assert_uint_eq(identify()->lifecycle, LIFECYCLE_LOCKED);
}
END_TEST

START_TEST(wants_a_tty_that_is_there) {
    char out[256];
    camera_sim_make_folder(&sim);
    const char *const arguments[] = {"--transport", "tty", "--dir", sim.folder, NULL};
    ck_assert_int_ne(camera_sim_run(arguments, out, sizeof out), 0);
}
END_TEST

// ---- power and plugs ----------------------------------------------------------------------------

START_TEST(crashes_at_each_commit) {
    START("--replug-ms", "20", "--fault", "0:crash-at=each-commit", "--fault",
          "0:crash-at=prove-answered");
    camera_line_open(&line, &sim, 0);
    provision_through_hangups();
    expect_dump("\"lifecycle\": \"locked\"");
    expect_dump("\"job_id\": \"01010101010101010101010101010101\"");
}
END_TEST

START_TEST(is_unplugged) {
    START("--transport", "unix", "--replug-ms", "20", "--fault", "0:unplug-at=write", "--fault",
          "0:unplug-at=generate-stored", "--fault", "0:crash-at=hello");
    camera_line_open(&line, &sim, 0);
    provision_through_hangups();
    expect_dump("\"lifecycle\": \"locked\"");
}
END_TEST

START_TEST(swaps_two_cameras) {
    START("--count", "3", "--replug-ms", "20", "--fault", "0:swap-with=2@write");
    camera_line_open(&line, &sim, 0);
    struct session_order order = generate_order(KEY_P256, 1);
    must(&order);
    fetch_csr();
    order = install_order();
    ck_assert_ptr_null(ask(&order));
    ck_assert(line.hung_up);
    camera_line_reopen(&line);
    ck_assert_str_eq(identify()->serial, "SIM-000003");
    camera_line_close(&line);
    camera_line_open(&line, &sim, 2);
    ck_assert_str_eq(identify()->serial, "SIM-000001");
    must(&order);
}
END_TEST

START_TEST(swaps_two_cameras_quietly) {
    START("--count", "2", "--fault", "1:swap-quietly-with=0@read");
    camera_line_open(&line, &sim, 1);
    uint8_t boot_id[MESSAGE_BOOT_ID_SIZE];
    memcpy(boot_id, identify()->boot_id, sizeof boot_id);
    struct session_order order = generate_order(KEY_P256, 1);
    must(&order);
    order = fetch_order(OBJECT_CSR);
    const struct session_result *result = ask(&order);
    ck_assert_ptr_nonnull(result);
    ck_assert_int_eq(result->outcome, SESSION_SWAPPED);
    ck_assert_str_eq(result->info.serial, "SIM-000001");
    ck_assert_mem_ne(result->info.boot_id, boot_id, sizeof boot_id);
}
END_TEST

// ---- wrong cameras ------------------------------------------------------------------------------

START_TEST(spoils_the_csr) {
    START("--count", "3", "--fault", "0:bad-csr-signature", "--fault", "1:csr-wrong-key", "--fault",
          "2:csr-wrong-serial");
    for (uint32_t i = 0; i < 3; i++) {
        char subject[256];
        camera_line_open(&line, &sim, i);
        struct session_order order = generate_order(KEY_P256, 1);
        uint8_t spki_sha256[SHA256_SIZE];
        memcpy(spki_sha256, must(&order)->spki_sha256, sizeof spki_sha256);
        fetch_csr();
        ck_assert(csr_is_signed() == (i != 0));
        ck_assert(csr_has_key(spki_sha256) == (i != 1));
        csr_subject(subject);
        ck_assert((strstr(subject, "SIM-00000") == NULL) == (i == 2));
        if (i == 1) {
            order = install_order();
            expect_refused(&order, CAMERA_KEY_MISMATCH);
        }
        camera_line_close(&line);
    }
}
END_TEST

START_TEST(spoils_what_follows_the_install) {
    START("--count", "4", "--fault", "0:bad-proof", "--fault", "1:corrupt-readback", "--fault",
          "2:lock-refused", "--fault", "3:lock-ignored");
    for (uint32_t i = 0; i < 4; i++) {
        camera_line_open(&line, &sim, i);
        struct session_order order = generate_order(KEY_P256, 1);
        must(&order);
        fetch_csr();
        order = install_order();
        must(&order);
        order = fetch_order(OBJECT_CHAIN);
        ck_assert(slice_equal(must(&order)->object, buf_slice(chain)) == (i != 1));
        order = prove_order();
        ck_assert(proof_is_good(must(&order)) == (i != 0));
        const struct session_result *result = finish();
        ck_assert_int_eq(result->outcome, i == 2 ? SESSION_REFUSED : SESSION_DONE);
        ck_assert_uint_eq(identify()->lifecycle, i < 2 ? LIFECYCLE_LOCKED : LIFECYCLE_IN_PROGRESS);
        camera_line_close(&line);
    }
}
END_TEST

START_TEST(tells_a_wrong_identity) {
    START("--count", "5", "--credentials", "2", "--fault", "0:wrong-serial=OTHER", "--fault",
          "1:same-serial-as=2", "--fault", "2:provisioned", "--fault", "3:provisioned=unlocked",
          "--fault", "4:foreign-key");
    static const struct {
        const char *serial;
        uint8_t lifecycle;
        uint8_t state;
    } wanted[] = {
        {"OTHER", LIFECYCLE_BLANK, CREDENTIAL_EMPTY},
        {"SIM-000003", LIFECYCLE_BLANK, CREDENTIAL_EMPTY},
        {"SIM-000003", LIFECYCLE_LOCKED, CREDENTIAL_INSTALLED},
        {"SIM-000004", LIFECYCLE_PROVISIONED, CREDENTIAL_INSTALLED},
        {"SIM-000005", LIFECYCLE_IN_PROGRESS, CREDENTIAL_KEY},
    };
    for (uint32_t i = 0; i < 5; i++) {
        camera_line_open(&line, &sim, i);
        const struct message_info *info = identify();
        ck_assert_str_eq(info->serial, wanted[i].serial);
        ck_assert_uint_eq(info->lifecycle, wanted[i].lifecycle);
        ck_assert_uint_eq(info->credential_count, 2);
        ck_assert_uint_eq(info->credentials[1].state, wanted[i].state);
        camera_line_close(&line);
    }
    camera_line_open(&line, &sim, 4);
    struct session_order order = generate_order(KEY_P256, 1);
    expect_refused(&order, CAMERA_EXISTS);
}
END_TEST

START_TEST(says_nothing_or_nonsense) {
    START("--count", "3", "--fault", "0:silent", "--fault", "1:garbage", "--fault",
          "2:hostile=session");
    for (uint32_t i = 0; i < 3; i++) {
        camera_line_open(&line, &sim, i);
        const struct session_order order = {.kind = SESSION_IDENTIFY};
        const struct session_result *result = camera_line_do(&line, &order, 700);
        ck_assert_ptr_null(result);
        ck_assert(!line.hung_up);
        ck_assert((line.received == 0) == (i == 0));
        camera_line_close(&line);
    }
}
END_TEST

START_TEST(answers_in_hostile_texts) {
    START("--count", "5", "--fault", "0:hostile", "--fault", "1:hostile=serial", "--fault",
          "2:hostile=oversize", "--fault", "3:hostile=error", "--fault", "4:refuse=generate@13");
    camera_line_open(&line, &sim, 0);
    ck_assert_ptr_nonnull(strchr(identify()->model, '\x1b'));
    provision(KEY_P256); // the strays before each answer are not taken for it
    camera_line_close(&line);
    camera_line_open(&line, &sim, 1);
    ck_assert_ptr_nonnull(strchr(identify()->serial, '\n'));
    camera_line_close(&line);
    camera_line_open(&line, &sim, 2);
    const struct session_result *result = ask(&(struct session_order){.kind = SESSION_IDENTIFY});
    ck_assert_int_eq(result->outcome, SESSION_BROKEN);
    camera_line_close(&line);
    struct session_order order = generate_order(KEY_P256, 1);
    camera_line_open(&line, &sim, 3);
    expect_refused(&order, CAMERA_INTERNAL);
    ck_assert_ptr_nonnull(strchr(line.output.result.text, '\x1b'));
    camera_line_close(&line);
    camera_line_open(&line, &sim, 4);
    expect_refused(&order, CAMERA_ENTROPY);
}
END_TEST

// ---- the command line ---------------------------------------------------------------------------

START_TEST(refuses_what_it_does_not_understand) {
    static const char *const lines[][7] = {
        {NULL},
        {"--count", "0", "--dir", "/tmp/x", NULL},
        {"--count", "many", "--dir", "/tmp/x", NULL},
        {"--dir", "/tmp/x", "--drop", "101", NULL},
        {"--dir", "/tmp/x", "--transport", "usb", NULL},
        {"--dir", "/tmp/x", "--key-types", "p256,dsa", NULL},
        {"--dir", "/tmp/x", "--fault", "0:explode", NULL},
        {"--dir", "/tmp/x", "--fault", "0:crash-at=lunch", NULL},
        {"--dir", "/tmp/x", "--fault", "0:crash-at=read-stored", NULL},
        {"--dir", "/tmp/x", "--fault", "1:silent", NULL},
        {"--dir", "/tmp/x", "--fault", "0:swap-with=1@read", NULL},
        {"--dir", "/tmp/x", "--fault", "0:silent=very", NULL},
        {"--dir", "/tmp/x", "--bogus", NULL},
        {"--dump", NULL},
        {"--state", "/nonexistent/folder", "--dump", NULL},
        {"--dir", "/nonexistent/folder", NULL},
    };
    char out[8192];
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        ck_assert_msg(camera_sim_run(lines[i], out, sizeof out) == 2, "line %zu", i);
    }
    const char *const help[] = {"--help", NULL};
    ck_assert_int_eq(camera_sim_run(help, out, sizeof out), 0);
    ck_assert_ptr_nonnull(strstr(out, "camera-sim --count 24"));
}
END_TEST

static Suite *camera_sim_suite(void) {
    Suite *suite = suite_create("camera_sim");
    TCase *cameras = tcase_create("cameras");
    tcase_add_checked_fixture(cameras, set_up, tear_down);
    tcase_set_timeout(cameras, 60);
    tcase_add_test(cameras, provisions_over_a_pty_and_survives_a_restart);
    tcase_add_test(cameras, provisions_over_a_socket);
    tcase_add_test(cameras, hangs_on_a_tty_that_comes_and_goes);
    tcase_add_test(cameras, wants_a_tty_that_is_there);
    tcase_add_test(cameras, the_subject_is_the_station_s_or_the_camera_s);
    tcase_add_test(cameras, provisions_over_a_bad_line);
    tcase_add_test(cameras, crashes_at_each_commit);
    tcase_add_test(cameras, is_unplugged);
    tcase_add_test(cameras, swaps_two_cameras);
    tcase_add_test(cameras, swaps_two_cameras_quietly);
    tcase_add_test(cameras, spoils_the_csr);
    tcase_add_test(cameras, spoils_what_follows_the_install);
    tcase_add_test(cameras, tells_a_wrong_identity);
    tcase_add_test(cameras, says_nothing_or_nonsense);
    tcase_add_test(cameras, answers_in_hostile_texts);
    tcase_add_test(cameras, refuses_what_it_does_not_understand);
    suite_add_tcase(suite, cameras);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(camera_sim_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
