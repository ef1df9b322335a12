// SPDX-License-Identifier: Apache-2.0
// Against the examples of RFC 7616, section 3.9, RFC 2617, section 3.5, and RFC 7617, section 2.
#include "ca-client/http_auth.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct http_auth auth;
static struct error error;

static const struct http_auth_request mufasa = {
    .method = "GET",
    .uri = "/dir/index.html",
    .username = "Mufasa",
    .password = "Circle of Life",
    .client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
};

static void expect_answer(const char *challenges, const struct http_auth_request *request,
                          const char *line) {
    struct buf *out = buf_new(HTTP_AUTH_LINE_MAX);
    ck_assert_msg(http_auth_take(&auth, challenges), "%s", challenges);
    ck_assert_msg(http_auth_answer(&auth, request, out, &error), "%s", error.text);
    ck_assert_str_eq(buf_text(out), line);
    buf_free(out);
}

START_TEST(test_basic) {
    const struct http_auth_request request = {.username = "Aladdin", .password = "open sesame"};
    expect_answer("Basic realm=\"WallyWorld\"", &request,
                  "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}
END_TEST

#define SHA256_CHALLENGE                                                                           \
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "          \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                     \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
#define MD5_CHALLENGE                                                                              \
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "              \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                     \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
#define ANSWER(response, algorithm)                                                                \
    "Authorization: Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "                 \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", "            \
    "response=\"" response "\", algorithm=" algorithm ", "                                         \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", qop=auth, nc=00000001, "             \
    "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\""
#define SHA256_ANSWER                                                                              \
    ANSWER("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "SHA-256")

START_TEST(test_digest) {
    expect_answer(SHA256_CHALLENGE, &mufasa, SHA256_ANSWER);
    expect_answer(MD5_CHALLENGE, &mufasa, ANSWER("8ca523f5e9506fed4657c9700eebdbec", "MD5"));
}
END_TEST

// The best one counts, wherever it stands.
START_TEST(test_several_challenges) {
    static const char *const lists[] = {
        SHA256_CHALLENGE ", " MD5_CHALLENGE ", Basic realm=\"a\"",
        "Basic realm=\"a\", " MD5_CHALLENGE ", " SHA256_CHALLENGE,
        "Negotiate, Basic realm=\"x, Digest y=\\\"\", " SHA256_CHALLENGE ", Bearer",
        "Negotiate oYGBMH8=, " SHA256_CHALLENGE,
        ",, digest  "
        "REALM=\"http-auth@example.org\",QOP=auth,ALGORITHM=sha-256,"
        "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\" , ,"
        "opaque = \"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        "Digest realm=\"a\", nonce=\"b\", algorithm=SHA-999, " SHA256_CHALLENGE,
        "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\", "
        "algorithm=SHA-512-256, " SHA256_CHALLENGE,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        expect_answer(lists[i], &mufasa, SHA256_ANSWER);
    }
}
END_TEST

// RFC 2069's form has no qop; RFC 2617 erratum 749 has its example.
START_TEST(test_without_quality) {
    const struct http_auth_request request = {.method = "GET",
                                              .uri = "/dir/index.html",
                                              .username = "Mufasa",
                                              .password = "CircleOfLife",
                                              .client_nonce = "0"};
    expect_answer("Digest realm=\"testrealm@host.com\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
                  &request,
                  "Authorization: Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
                  "response=\"1949323746fe6a43ef61f9606e7febea\", "
                  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
}
END_TEST

START_TEST(test_count_and_quotes) {
    struct http_auth_request request = mufasa;
    struct buf *out = buf_new(HTTP_AUTH_LINE_MAX);
    request.username = "back\\slash \"quote\"";
    ck_assert(http_auth_take(&auth, "Digest realm=\"a\\\"b\", nonce=n, qop=auth, stale=TRUE"));
    ck_assert_str_eq(auth.realm, "a\"b");
    ck_assert(auth.is_stale);
    for (int i = 0; i < 11; i++) {
        buf_clear(out);
        ck_assert(http_auth_answer(&auth, &request, out, &error));
    }
    ck_assert_ptr_nonnull(strstr(buf_text(out), "username=\"back\\\\slash \\\"quote\\\"\","));
    ck_assert_ptr_nonnull(strstr(buf_text(out), "realm=\"a\\\"b\","));
    ck_assert_ptr_nonnull(strstr(buf_text(out), "nc=0000000b,"));
    ck_assert_ptr_null(strstr(buf_text(out), "algorithm"));
    buf_free(out);
}
END_TEST

static const char *const useless[] = {
    "",
    ", ,",
    "Negotiate",
    "Bearer realm=\"a\"",
    "Digest",
    "Digest realm=\"a\"",
    "Digest nonce=\"a\"",
    "Digest realm=\"a\", nonce=\"\"",
    "Digest realm=\"a\", nonce=\"b",
    "Digest realm=\"a\", nonce=\"b\", algorithm=SHA-3",
    "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"",
    "realm=\"a\", nonce=\"b\"",
    "=Basic",
    "\"Basic\"",
};

START_TEST(test_useless) {
    memset(&auth, 0, sizeof auth);
    auth.scheme = HTTP_AUTH_BASIC;
    ck_assert_msg(!http_auth_take(&auth, useless[_i]), "%s", useless[_i]);
    ck_assert_int_eq(auth.scheme, HTTP_AUTH_BASIC); // as it was
}
END_TEST

START_TEST(test_long_values) {
    char text[4096] = "Digest realm=\"a\", nonce=\"";
    memset(text + strlen(text), 'n', 2 * HTTP_AUTH_TEXT_SIZE);
    memcpy(text + strlen(text), "\", Basic realm=\"b\"", 19);
    ck_assert(http_auth_take(&auth, text));
    ck_assert_int_eq(auth.scheme, HTTP_AUTH_BASIC);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("http_auth");
    TCase *tests = tcase_create("http_auth");
    tcase_add_test(tests, test_basic);
    tcase_add_test(tests, test_digest);
    tcase_add_test(tests, test_several_challenges);
    tcase_add_test(tests, test_without_quality);
    tcase_add_test(tests, test_count_and_quotes);
    tcase_add_loop_test(tests, test_useless, 0, (int)ARRAY_LENGTH(useless));
    tcase_add_test(tests, test_long_values);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
