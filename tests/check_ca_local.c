// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "ca-client/x509.h"
#include "protocol/message.h"
#include "station/base/clock.h"
#include "tests/support_pki.h"

#define RESULTS_MAX 200

static char folder[64];
static char certificate_file[160];
static char key_file[160];
static struct loop *loop;
static struct ca *ca;
static struct profile profile;
static EVP_PKEY *camera_key;
static struct buf *csr;

// What came back; slices copied.
static struct {
    size_t count;
    size_t wanted;
    struct ca_result results[RESULTS_MAX];
    struct buf *leaf; // of the last one
    struct buf *extra;
    size_t reports;
    struct ca_report report;
} got;

static void stop_when_done(void) {
    if (got.count + got.reports >= got.wanted) {
        loop_stop(loop);
    }
}

static void on_result(void *context, const struct ca_result *result) {
    ck_assert_ptr_eq(context, &got);
    ck_assert_uint_lt(got.count, RESULTS_MAX);
    ck_assert_ptr_nonnull(result->handle);
    got.results[got.count++] = *result;
    buf_clear(got.leaf);
    buf_clear(got.extra);
    ck_assert(buf_put(got.leaf, result->leaf.data, result->leaf.length));
    ck_assert(buf_put(got.extra, result->extra.data, result->extra.length));
    stop_when_done();
}

static void on_report(void *context, const struct ca_report *report) {
    ck_assert_ptr_eq(context, &got);
    got.report = *report;
    got.reports++;
    stop_when_done();
}

static const struct ca_events events = {.on_result = on_result, .on_report = on_report};

static struct ca_settings settings(void) {
    return (struct ca_settings){.name = "local",
                                .backend = "local",
                                .ca_certificate_file = certificate_file,
                                .ca_key_file = key_file};
}

static void open_ca(void) {
    struct error error = {0};
    struct ca_settings local = settings();
    ck_assert_msg(ca_local.open(loop, &local, &events, &got, &ca, &error), "%s", error.text);
}

static const struct pki_pair csr_subject[] = {{"CN", "ignored"}, {0}};

static void make_world(void) {
    struct error error = {0};
    memset(&got, 0, sizeof got);
    got.leaf = buf_new(X509_OBJECT_MAX);
    got.extra = buf_new(4 * X509_OBJECT_MAX);
    pki_folder_new(folder);
    snprintf(certificate_file, sizeof certificate_file, "%s/root.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/root.key", folder);
    ck_assert_msg(ca_local_create("Test CA", certificate_file, key_file, &error), "%s", error.text);
    ck_assert(loop_new(&loop, &error));
    ck_assert(profile_built_in("https", &profile));
    camera_key = pki_key("P-256");
    csr = pki_csr(camera_key, csr_subject, NULL, false);
    open_ca();
}

static void free_world(void) {
    ca_local.close(ca);
    ca = NULL;
    loop_free(loop);
    buf_free(csr);
    EVP_PKEY_free(camera_key);
    buf_free(got.extra);
    buf_free(got.leaf);
    pki_folder_remove(folder);
}

static struct ca_request request(int64_t id) {
    struct ca_request wanted = {
        .id = id,
        .profile = &profile,
        .subject = {.serial = "A1", .model = "M"},
        .csr = buf_slice(csr),
        .handle = "",
    };
    pki_spki_sha256(camera_key, wanted.spki_sha256);
    return wanted;
}

static void run_until(size_t wanted) {
    got.wanted = wanted;
    loop_run(loop);
    ck_assert_uint_eq(got.count + got.reports, wanted);
}

static struct x509_trust *trust_of_file(void) {
    char pem[8192];
    struct x509_trust *trust = NULL;
    struct error error = {0};
    FILE *file = fopen(certificate_file, "re");
    size_t length = fread(pem, 1, sizeof pem, file);
    fclose(file);
    ck_assert_msg(x509_trust_new((struct slice){(uint8_t *)pem, length}, (struct slice){NULL, 0},
                                 &trust, &error),
                  "%s", error.text);
    return trust;
}

// Holds the last result against the profile, as the station does.
static struct certificate_facts check_last(const struct ca_request *wanted) {
    struct certificate_facts facts;
    struct error error = {0};
    struct x509_trust *trust = trust_of_file();
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    const struct certificate_expected expected = {
        .profile = wanted->profile,
        .subject = wanted->subject,
        .spki_sha256 = wanted->spki_sha256,
        .now_ms = clock_wall_ms(),
    };
    ck_assert_msg(x509_check_certificate(trust, buf_slice(got.leaf), buf_slice(got.extra),
                                         &expected, &facts, chain, &error),
                  "%s %s", error_code_text(error.code), error.text);
    ck_assert(slice_equal(buf_slice(chain), buf_slice(got.leaf))); // the root is left out
    buf_free(chain);
    x509_trust_free(trust);
    return facts;
}

// ---- issuing ------------------------------------------------------------------------------------

START_TEST(issues_what_the_profile_says) {
    struct ca_request wanted = request(7);
    ca_local.submit(ca, &wanted);
    ck_assert_uint_eq(got.count, 0); // never from inside the call
    run_until(1);
    ck_assert_int_eq(got.results[0].id, 7);
    ck_assert_msg(got.results[0].outcome == CA_CERTIFICATE, "%s", got.results[0].error.text);
    struct certificate_facts facts = check_last(&wanted);
    ck_assert_uint_eq(facts.serial_length, 16);
    ck_assert_str_eq(facts.issuer, "CN=Test CA");
    ck_assert_str_eq(facts.subject, "serialNumber=A1,CN=A1"); // not the CSR's
}
END_TEST

START_TEST(issues_idevids_without_end) {
    ck_assert(profile_built_in("idevid", &profile));
    struct ca_request wanted = request(1);
    ca_local.submit(ca, &wanted);
    run_until(1);
    struct certificate_facts facts = check_last(&wanted);
    ck_assert_int_eq(facts.not_after_ms, PKI_FOREVER_MS);
}
END_TEST

START_TEST(issues_all_names) {
    ck_assert(text_copy(profile.organization, sizeof profile.organization, "M\xc3\xbcller"));
    ck_assert(text_copy(profile.organizational_unit, sizeof profile.organizational_unit, "U"));
    ck_assert(text_copy(profile.country, sizeof profile.country, "DE"));
    ck_assert(text_copy(profile.dns_names[1], sizeof profile.dns_names[1], "{model}.example.com"));
    ck_assert(text_copy(profile.hardware_type, sizeof profile.hardware_type, "1.3.6.1.4.1.9999.5"));
    profile.server_auth = false;
    struct ca_request wanted = request(1);
    ca_local.submit(ca, &wanted);
    run_until(1);
    check_last(&wanted);
}
END_TEST

START_TEST(issues_for_every_key_type) {
    static const struct {
        const char *name;
        uint8_t type;
    } kinds[] = {{"P-384", KEY_P384}, {"RSA-2048", KEY_RSA_2048}, {"ED25519", KEY_ED25519}};
    EVP_PKEY_free(camera_key);
    buf_free(csr);
    camera_key = pki_key(kinds[_i].name);
    csr = pki_csr(camera_key, csr_subject, NULL, false);
    profile.key_type = kinds[_i].type;
    struct ca_request wanted = request(1);
    ca_local.submit(ca, &wanted);
    run_until(1);
    check_last(&wanted);
}
END_TEST

START_TEST(answers_many_at_once_with_different_serials) {
    struct ca_request wanted = request(0);
    static struct certificate_facts facts[2];
    for (int i = 0; i < RESULTS_MAX; i++) {
        wanted.id = i;
        ca_local.submit(ca, &wanted);
    }
    run_until(RESULTS_MAX);
    for (int i = 0; i < RESULTS_MAX; i++) {
        ck_assert_int_eq(got.results[i].id, i);
        ck_assert_int_eq(got.results[i].outcome, CA_CERTIFICATE);
    }
    got.count = 0;
    for (size_t i = 0; i < 2; i++) {
        ca_local.submit(ca, &wanted);
        run_until(i + 1);
        facts[i] = check_last(&wanted);
    }
    ck_assert_mem_ne(facts[0].serial, facts[1].serial, 16);
}
END_TEST

START_TEST(puts_the_stamp_that_is_asked_for) {
    struct ca_request wanted = request(1);
    wanted.not_before_s = clock_wall_ms() / 1000 - 100;
    ca_local.submit(ca, &wanted);
    run_until(1);
    struct certificate_facts facts = check_last(&wanted);
    ck_assert_int_eq(facts.not_before_ms, wanted.not_before_s * 1000);
}
END_TEST

// ---- refusals -----------------------------------------------------------------------------------

static void expect_refusal(const struct ca_request *wanted, enum error_code code) {
    got.count = 0;
    ca_local.submit(ca, wanted);
    run_until(1);
    ck_assert_int_eq(got.results[0].outcome, CA_REFUSED);
    ck_assert_msg(got.results[0].error.code == code, "%s", got.results[0].error.text);
    ck_assert_uint_eq(buf_length(got.leaf), 0);
}

START_TEST(refuses_bad_requests) {
    struct ca_request wanted = request(1);
    wanted.csr = (struct slice){(const uint8_t *)"junk", 4};
    expect_refusal(&wanted, E_CSR_MALFORMED);
    wanted = request(1);
    wanted.spki_sha256[0] ^= 1;
    expect_refusal(&wanted, E_CSR_KEY);
    wanted = request(1);
    profile.key_type = KEY_P384;
    expect_refusal(&wanted, E_CSR_KEY_TYPE);
    profile.key_type = KEY_P256;
    wanted.subject.serial = "A B"; // no host name
    expect_refusal(&wanted, E_CONFIG);
    wanted.subject.serial = "A\n";
    expect_refusal(&wanted, E_CAM_MALFORMED);
}
END_TEST

START_TEST(answers_the_other_calls) {
    struct ca_request wanted = request(3);
    wanted.handle = "ABC";
    ca_local.fetch(ca, &wanted);
    ca_local.reconcile(ca, &wanted);
    ca_local.revoke(ca, &wanted, CA_REVOKE_SUPERSEDED);
    ck_assert_uint_eq(got.count, 0);
    run_until(3);
    ck_assert_int_eq(got.results[0].outcome, CA_NOT_SENT);
    ck_assert_int_eq(got.results[0].error.code, E_CA_UNSUPPORTED);
    ck_assert_int_eq(got.results[1].outcome, CA_NOT_ISSUED);
    ck_assert_int_eq(got.results[2].outcome, CA_REFUSED);
    ck_assert_int_eq(got.results[2].error.code, E_CA_UNSUPPORTED);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(got.results[i].id, 3);
    }
}
END_TEST

START_TEST(reports) {
    ca_local.check(ca, &profile);
    ck_assert_uint_eq(got.reports, 0);
    run_until(1);
    ck_assert(got.report.reachable && got.report.logged_in && got.report.policy_fits);
    ck_assert_int_eq(got.report.login, CA_LOGIN_NONE);
    ck_assert_int_eq(got.report.error.code, ERROR_NONE);
    ck_assert_int_eq(got.report.quota, -1);
    ck_assert_str_eq(got.report.chain[0], "CN=Test CA");
    ck_assert_str_eq(got.report.chain[1], "");
    ck_assert(text_copy(profile.common_name, sizeof profile.common_name, "{lot}"));
    ca_local.check(ca, &profile);
    run_until(2);
    ck_assert(got.report.reachable && !got.report.policy_fits);
    ck_assert_int_eq(got.report.error.code, E_CONFIG);
    ck_assert_msg(strstr(got.report.error.text, "profile https") != NULL, "%s",
                  got.report.error.text);
}
END_TEST

START_TEST(closes_with_work_in_progress) {
    struct ca_request wanted = request(1);
    for (int i = 0; i < 10; i++) {
        ca_local.submit(ca, &wanted);
    }
    ca_local.close(ca);
    ca = NULL;
    ck_assert_uint_eq(got.count, 0);
    ca_local.close(NULL);
}
END_TEST

// ---- an intermediate as the issuer --------------------------------------------------------------

START_TEST(issues_from_an_intermediate_until_it_ends) {
    struct pki_ca root = pki_ca_new("Upper", NULL);
    struct pki_ca issuing = {.key = pki_key("P-384")};
    const struct pki_spec spec = {
        .issuer = root.certificate,
        .issuer_key = root.key,
        .key = issuing.key,
        .subject = {{"CN", "Lower"}},
        .extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"},
                       {"keyUsage", "critical,keyCertSign"},
                       {"subjectKeyIdentifier", "hash"}},
        .not_before_ms = clock_wall_ms() / 1000 * 1000 - PKI_DAY_MS,
        .not_after_ms = clock_wall_ms() / 1000 * 1000 + PKI_DAY_MS,
    };
    issuing.certificate = pki_certificate(&spec);
    struct buf *lower = pki_pem(issuing.certificate);
    struct buf *upper = pki_pem(root.certificate);
    struct buf *key = pki_key_pem(issuing.key);
    struct buf *both = pki_join(lower, upper);
    ca_local.close(ca);
    pki_write_file(folder, "both.pem", 0644, buf_slice(both), certificate_file);
    pki_write_file(folder, "both.key", 0600, buf_slice(key), key_file);
    open_ca();
    ca_local.check(ca, &profile);
    run_until(1);
    ck_assert_str_eq(got.report.chain[0], "CN=Lower");
    ck_assert_str_eq(got.report.chain[1], "CN=Upper,O=Test");
    struct ca_request wanted = request(1);
    ca_local.submit(ca, &wanted);
    run_until(2);
    ck_assert_msg(got.results[0].outcome == CA_CERTIFICATE, "%s", got.results[0].error.text);
    struct x509_trust *trust = NULL;
    struct error error = {0};
    struct certificate_facts facts;
    struct buf *chain = buf_new(X509_OBJECT_MAX);
    const struct certificate_expected expected = {.profile = &profile,
                                                  .subject = wanted.subject,
                                                  .spki_sha256 = wanted.spki_sha256,
                                                  .now_ms = clock_wall_ms()};
    ck_assert(x509_trust_new(buf_slice(upper), (struct slice){NULL, 0}, &trust, &error));
    ck_assert_msg(x509_check_certificate(trust, buf_slice(got.leaf), buf_slice(got.extra),
                                         &expected, &facts, chain, &error),
                  "%s", error.text);
    ck_assert_int_eq(facts.not_after_ms, spec.not_after_ms);
    ck_assert_uint_gt(buf_length(chain), buf_length(got.leaf));
    buf_free(chain);
    x509_trust_free(trust);
    buf_free(both);
    buf_free(key);
    buf_free(upper);
    buf_free(lower);
    pki_ca_free(&issuing);
    pki_ca_free(&root);
}
END_TEST

// ---- opening ------------------------------------------------------------------------------------

static void expect_no_open(const struct ca_settings *bad, enum error_code code, const char *part) {
    struct ca *other = (struct ca *)folder; // anything but NULL
    struct error error = {0};
    ck_assert(!ca_local.open(loop, bad, &events, &got, &other, &error));
    ck_assert_ptr_null(other);
    ck_assert_msg(error.code == code, "%s %s", error_code_text(error.code), error.text);
    ck_assert_msg(strstr(error.text, part) != NULL, "%s", error.text);
}

START_TEST(refuses_bad_files) {
    char missing[160];
    struct ca_settings bad = settings();
    snprintf(missing, sizeof missing, "%s/none", folder);
    bad.ca_key_file = missing;
    expect_no_open(&bad, E_SECRET_MISSING, missing);
    bad = settings();
    bad.ca_certificate_file = missing;
    expect_no_open(&bad, E_CA_CONFIG, missing);
    bad.ca_certificate_file = NULL;
    expect_no_open(&bad, E_CA_CONFIG, "ca_certificate_file");
    bad = settings();
    bad.ca_key_file = "";
    expect_no_open(&bad, E_CA_CONFIG, "ca_key_file");
    bad = settings();
    bad.ca_certificate_file = key_file;
    expect_no_open(&bad, E_CA_CONFIG, "PRIVATE KEY");
    ck_assert_int_eq(chmod(key_file, 0640), 0);
    bad = settings();
    expect_no_open(&bad, E_SECRET_EXPOSED, "0640");
    expect_no_open(&bad, E_SECRET_EXPOSED, key_file);
}
END_TEST

START_TEST(refuses_files_that_do_not_belong_together) {
    char path[160];
    struct ca_settings bad = settings();
    struct buf *other = pki_key_pem(camera_key);
    pki_write_file(folder, "other.key", 0600, buf_slice(other), path);
    bad.ca_key_file = path;
    expect_no_open(&bad, E_CA_CONFIG, "does not belong");
    pki_write_file(folder, "other.key", 0600, (struct slice){(const uint8_t *)"junk", 4}, path);
    expect_no_open(&bad, E_CA_CONFIG, "not PEM");
    const struct pki_spec spec = {.key = camera_key,
                                  .subject = {{"CN", "no CA"}},
                                  .extensions = {{"basicConstraints", "CA:FALSE"}}};
    char certificate_path[160];
    X509 *certificate = pki_certificate(&spec);
    struct buf *pem = pki_pem(certificate);
    pki_write_file(folder, "other.key", 0600, buf_slice(other), path);
    pki_write_file(folder, "other.pem", 0600, buf_slice(pem), certificate_path);
    bad.ca_certificate_file = certificate_path;
    expect_no_open(&bad, E_CA_CONFIG, "no CA certificate");
    buf_free(pem);
    X509_free(certificate);
    buf_free(other);
}
END_TEST

START_TEST(creates_private_files_and_never_overwrites) {
    struct stat status;
    struct error error = {0};
    char fresh[160];
    ck_assert_int_eq(stat(key_file, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    off_t size = status.st_size;
    snprintf(fresh, sizeof fresh, "%s/fresh", folder);
    ck_assert(!ca_local_create("Other", fresh, key_file, &error));
    ck_assert_int_eq(error.code, E_CONFIG);
    ck_assert_msg(strstr(error.text, key_file) != NULL, "%s", error.text);
    ck_assert_int_ne(access(fresh, F_OK), 0);
    ck_assert(!ca_local_create("Other", certificate_file, fresh, &error));
    ck_assert_msg(strstr(error.text, certificate_file) != NULL, "%s", error.text);
    ck_assert_int_ne(access(fresh, F_OK), 0); // no key without its certificate is left behind
    ck_assert_int_eq(stat(key_file, &status), 0);
    ck_assert_int_eq(status.st_size, size);
    ck_assert(!ca_local_create("", fresh, "/nonexistent/key", &error));
    ck_assert(!ca_local_create("Other", fresh, "/nonexistent/key", &error));
    ck_assert_int_eq(error.code, E_SYSTEM);
}
END_TEST

START_TEST(says_what_it_is) {
    ck_assert_str_eq(ca_local.name, "local");
    ck_assert(!ca_local.is_public);
    ck_assert_uint_eq(ca_local.settle_ms, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ca_local");
    TCase *tests = tcase_create("ca_local");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, make_world, free_world);
    tcase_add_test(tests, issues_what_the_profile_says);
    tcase_add_test(tests, issues_idevids_without_end);
    tcase_add_test(tests, issues_all_names);
    tcase_add_loop_test(tests, issues_for_every_key_type, 0, 3);
    tcase_add_test(tests, answers_many_at_once_with_different_serials);
    tcase_add_test(tests, puts_the_stamp_that_is_asked_for);
    tcase_add_test(tests, refuses_bad_requests);
    tcase_add_test(tests, answers_the_other_calls);
    tcase_add_test(tests, reports);
    tcase_add_test(tests, closes_with_work_in_progress);
    tcase_add_test(tests, issues_from_an_intermediate_until_it_ends);
    tcase_add_test(tests, refuses_bad_files);
    tcase_add_test(tests, refuses_files_that_do_not_belong_together);
    tcase_add_test(tests, creates_private_files_and_never_overwrites);
    tcase_add_test(tests, says_what_it_is);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
